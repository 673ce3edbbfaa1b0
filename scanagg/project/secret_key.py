"""The project's key, by which secrets are known again without being told."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line
from scanagg.project.trusted import Files

VARIABLE: Final = "SCANAGG_PROJECT_KEY"
"""The variable that holds the key where it is not committed."""

PLACE: Final = "policies/scanagg.key"
"""Where a project keeps its key, relative to its folder."""

_ABOUT: Final = (
    "# The key of this project for scanagg: commit it. By it a secret is known again from check\n"
    "# to check, and nobody who sees a report or the baseline alone can try guesses on them.\n"
)
_BYTES: Final = 32
_MOST_BYTES: Final = 4096
# Fewer than 16 characters are less than 64 bits even of hexadecimal digits: those can be tried out.
_KEY: Final = re.compile(r"[!-~]{16,256}")
_WANTED: Final = "a key is one word of 16 to 256 characters without white space"
_MARKERS: Final = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


def find(files: Files, environ: Mapping[str, str]) -> str | None:
    """SCANAGG_PROJECT_KEY, else the committed key file; None where there is neither.

    An empty variable counts as none: CI systems make one of a secret that a job may not see.
    ConfigError where a key is there and cannot be one; the key itself is never shown.
    """
    given = environ.get(VARIABLE, "").strip()
    if given:
        return _valid(given, VARIABLE, f"Set it to a key ({_WANTED}), or unset it.")
    try:
        raw = files.read(PLACE)
    except OSError as error:
        hint = "Make it a readable file."
        raise ConfigError(
            f"{PLACE}: {one_line(error.strerror or 'cannot be read')}", hint
        ) from error
    return None if raw is None else read(raw)


def made() -> str:
    """The text of a new key file: 256 random bits in hexadecimal digits, and what they are for."""
    return f"{_ABOUT}{secrets.token_hex(_BYTES)}\n"


def read(raw: bytes) -> str:
    """The key in the bytes of a key file. ConfigError as `find`."""
    hint = "Restore it from git; a new key (scanagg baseline key) makes known secrets new again."
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{PLACE}: larger than {_MOST_BYTES} bytes: this is no key", hint)
    lines = raw.decode("utf-8", "replace").splitlines()
    said = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    words = [(number, line) for number, line in said if line and not line.startswith("#")]
    for number, line in words:
        if line.startswith(_MARKERS):
            message = f"{PLACE}:{number}:1: a marker of a merge conflict"
            raise ConfigError(message, "Keep the key of one side, best that of the main branch.")
    if len(words) != 1:
        place = f"{PLACE}:{words[1][0]}:1: a second key" if words else f"{PLACE}: no key in it"
        raise ConfigError(place, hint)
    number, key = words[0]
    return _valid(key, f"{PLACE}:{number}:1", f"{_WANTED[0].upper()}{_WANTED[1:]}. {hint}")


def _valid(key: str, where: str, hint: str) -> str:
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{where}: this is no key", hint)
    return key
