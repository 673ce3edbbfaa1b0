"""The project's key. With it, checks recognise a secret that they do not store."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final

from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line
from scanagg.project.trusted import Files

VARIABLE: Final = "SCANAGG_PROJECT_KEY"
"""The environment variable with the key, for a project that does not commit it."""

PLACE: Final = "policies/scanagg.key"
"""The path of a committed key, relative to the project's folder."""

_ABOUT: Final = (
    "# The key of this project for scanagg. Commit it: with it, scanagg recognises a secret in\n"
    "# later checks, and a report or a baseline alone is not enough to guess the secret.\n"
)
_BYTES: Final = 32
_ID_DIGITS: Final = 16
_MAX_BYTES: Final = 4096
# Fewer than 16 hexadecimal digits are less than 64 bits, and can be guessed.
_KEY: Final = re.compile(r"[!-~]{16,256}")
_FORMAT: Final = "a key has 16 to 256 ASCII characters and no white space"
_MARKERS: Final = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
_RESTORE: Final = (
    f"Restore it: git restore {PLACE}. With another key, all known secrets would be new."
)


def find(files: Files, environ: Mapping[str, str]) -> str | None:
    """Return SCANAGG_PROJECT_KEY, else the committed key; None if there is neither.

    An empty variable counts as none: that is what a CI job gets without access to the secret.
    ConfigError for a key in a wrong form; the key itself is never shown.
    """
    from_environment = environ.get(VARIABLE, "").strip()
    if from_environment:
        return _valid(
            from_environment, VARIABLE, f"Set it to a key ({_FORMAT}), or run: unset {VARIABLE}"
        )
    try:
        raw = files.read(PLACE)
    except OSError as error:
        message = f"{PLACE}: {one_line(error.strerror or 'cannot be read')}"
        raise ConfigError(message, "Replace it with a readable file.") from error
    return None if raw is None else read(raw)


def new_file_text() -> str:
    """Return the text of a new key file: 256 random bits in hexadecimal, and their purpose."""
    return f"{_ABOUT}{secrets.token_hex(_BYTES)}\n"


def read(raw: bytes) -> str:
    """Return the key in the bytes of a key file. ConfigError as in `find`."""
    if len(raw) > _MAX_BYTES:
        raise ConfigError(
            f"{PLACE}: not a key, since it is larger than {_MAX_BYTES} bytes", _RESTORE
        )
    keys = []
    for number, line in enumerate(map(str.strip, raw.decode("utf-8", "replace").splitlines()), 1):
        if line.startswith(_MARKERS):
            message = f"{PLACE}:{number}:1: unresolved merge conflict"
            raise ConfigError(message, "Keep one key, preferably that of the main branch.")
        if line and not line.startswith("#"):
            keys.append((f"{PLACE}:{number}:1", line))
    if len(keys) != 1:
        message = f"{keys[1][0]}: a second key" if keys else f"{PLACE}: no key in it"
        raise ConfigError(message, _RESTORE)
    place, key = keys[0]
    return _valid(key, place, f"{_FORMAT[0].upper()}{_FORMAT[1:]}. {_RESTORE}")


def id_of(key: str | None) -> str:
    """Return an id by which two keys can be told apart, without the key; "" for none."""
    if key is None:
        return ""
    return hmac.new(key.encode(), b"scanagg key", hashlib.sha256).hexdigest()[:_ID_DIGITS]


def _valid(key: str, place: str, hint: str) -> str:
    if not _KEY.fullmatch(key):
        raise ConfigError(f"{place}: not a key", hint)
    return key
