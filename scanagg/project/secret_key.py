"""The project's key, by which checks recognise a secret without storing it."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line
from scanagg.project.trusted import Files

VARIABLE: Final = "SCANAGG_PROJECT_KEY"
"""The environment variable with the key of a project that does not commit it."""

PLACE: Final = "policies/scanagg.key"
"""The path of a committed key, relative to the project's folder."""

_ABOUT: Final = (
    "# The key of this project for scanagg: commit it. By it a secret is known again from check\n"
    "# to check, and nobody who sees a report or the baseline alone can try guesses on them.\n"
)
_BYTES: Final = 32
_MAX_BYTES: Final = 4096
# Fewer than 16 characters are less than 64 bits even of hexadecimal digits: those can be tried out.
_KEY: Final = re.compile(r"[!-~]{16,256}")
_FORMAT: Final = "a key is one word of 16 to 256 characters without white space"
_MARKERS: Final = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
_RESTORE: Final = (
    "Restore it from git; a new key (scanagg baseline key) makes known secrets new again."
)


def find(files: Files, environ: Mapping[str, str]) -> str | None:
    """Return SCANAGG_PROJECT_KEY, else the committed key; None where there is neither.

    An empty variable counts as none: CI systems make one of a secret that a job may not see.
    ConfigError for anything that cannot be a key; the key itself is never shown.
    """
    from_environment = environ.get(VARIABLE, "").strip()
    if from_environment:
        return _valid(from_environment, VARIABLE, f"Set it to a key ({_FORMAT}), or unset it.")
    try:
        raw = files.read(PLACE)
    except OSError as error:
        message = f"{PLACE}: {one_line(error.strerror or 'cannot be read')}"
        raise ConfigError(message, "Make it a readable file.") from error
    return None if raw is None else read(raw)


def new_file_text() -> str:
    """Return the text of a new key file: 256 random bits in hexadecimal, and what they are for."""
    return f"{_ABOUT}{secrets.token_hex(_BYTES)}\n"


def read(raw: bytes) -> str:
    """Return the key in the bytes of a key file. ConfigError as in `find`."""
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{PLACE}: larger than {_MAX_BYTES} bytes: this is no key", _RESTORE)
    keys = []
    for number, line in enumerate(map(str.strip, raw.decode("utf-8", "replace").splitlines()), 1):
        if line.startswith(_MARKERS):
            message = f"{PLACE}:{number}:1: a marker of a merge conflict"
            raise ConfigError(message, "Keep the key of one side, best that of the main branch.")
        if line and not line.startswith("#"):
            keys.append((f"{PLACE}:{number}:1", line))
    if len(keys) != 1:
        message = f"{keys[1][0]}: a second key" if keys else f"{PLACE}: no key in it"
        raise ConfigError(message, _RESTORE)
    place, key = keys[0]
    return _valid(key, place, f"{_FORMAT[0].upper()}{_FORMAT[1:]}. {_RESTORE}")


def _valid(key: str, place: str, hint: str) -> str:
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{place}: this is no key", hint)
    return key
