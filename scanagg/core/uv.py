"""uv with the user's package index: as configured for uv, else as configured for pip.

No setting of the checked project counts.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Final

from uv import find_uv_bin

from scanagg.core.process import clean_environment
from scanagg.core.programs import is_outside

SAFE_LINE: Final = re.compile(r"[A-Za-z0-9][^\\$`#\x00-\x1f\x7f-\x9f\u2028\u2029]*")
"""A requirement without what uv and pip expand, join, or take for the end of a line."""

# uv's variables that say where packages come from. None of the others has an effect.
_INDEX_VARIABLES: Final = (
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS", "UV_NO_INDEX"),
)
_VARIABLES: Final = (
    *_INDEX_VARIABLES,
    *("UV_INDEX_*", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("UV_KEYRING_PROVIDER", "UV_EXCLUDE_NEWER", "UV_HTTP_*", "UV_OFFLINE"),
    *("NETRC", "SSL_CLIENT_CERT"),
)
# pip's options in uv's words. pip takes the best version of all its indexes.
_PIP_OPTIONS: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}
_CONFIGURATION: Final = "uv/uv.toml"


@lru_cache
def installed_uv() -> tuple[str, str] | None:
    """Return the program and the version of uv; None without it.

    Call it before threads do: the module `sysconfig`, which it needs, is not ready for several.
    """
    try:
        return find_uv_bin(), metadata.version("uv")
    except (FileNotFoundError, metadata.PackageNotFoundError):
        return None


def configuration_option(configuration: Path | None) -> tuple[str, ...]:
    """Return the option that makes uv read this configuration only; None for no configuration."""
    return ("--config-file", str(configuration)) if configuration else ("--no-config",)


def user_environment(tree: Path) -> Mapping[str, str]:
    """Return the environment of uv: the user's index, as configured for uv, else for pip."""
    # Without a network, three attempts take eight seconds.
    environment = {"UV_HTTP_RETRIES": "1", **clean_environment(_VARIABLES)}
    if user_configuration(tree) or not environment.keys().isdisjoint(_INDEX_VARIABLES):
        return environment
    return {**environment, **dict(_of_pip(tree))}


def user_configuration(tree: Path) -> Path | None:
    """Return the user's configuration file of uv, else the system's; never one of the project."""
    home, folders = Path("~").expanduser(), os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    named = os.environ.get("UV_CONFIG_FILE")
    candidates: tuple[Path, ...] = (
        *((Path(named),) if named else ()),
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", _CONFIGURATION),
        *(Path(folder, _CONFIGURATION) for folder in folders.split(os.pathsep)),
        Path("/etc", _CONFIGURATION),
    )
    for path in candidates:
        if path.is_absolute() and path.is_file() and is_outside(str(path), tree):
            return path
    return None


def _of_pip(tree: Path) -> Iterator[tuple[str, str]]:
    """Yield uv's variables for the indexes in the user's configuration and variables of pip.

    None if a file of the checked project is among pip's files, as with a home in the project.
    """
    # Imported here: it is slow to import, and only unlocked projects need it.
    from pip._internal.configuration import (  # noqa: PLC0415
        Configuration,
        get_configuration_files,
    )
    from pip._internal.exceptions import PipError  # noqa: PLC0415

    files = (*chain(*get_configuration_files().values()), os.environ.get("PIP_CONFIG_FILE", ""))
    if any(Path(file).is_file() and not is_outside(file, tree) for file in files):
        return
    configuration = Configuration(isolated=False)
    try:
        configuration.load()
        settings = dict(_flat(configuration.items()))
    except (PipError, OSError, ValueError):
        return
    for option, variable in _PIP_OPTIONS.items():
        # As in pip: variables count most, then the section of the command.
        sections = (":env:", "install", "global")
        values = (settings.get(f"{section}.{option}") for section in sections)
        if value := next(filter(None, values), None):
            separator = "," if variable == "UV_FIND_LINKS" else " "
            yield variable, separator.join(value.split())
    yield "UV_INDEX_STRATEGY", "unsafe-best-match"


def _flat(items: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield the keys with their values; newer versions of pip group them by file."""
    for key, value in items:
        if isinstance(value, dict):
            yield from _flat(value.items())
        else:
            yield key, str(value)
