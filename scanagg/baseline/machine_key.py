"""A random key of this machine, under which digests of secrets may be kept in the cache."""

import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

_NAME: Final = "seal"
_BYTES: Final = 32


def seal_of(cache: Path) -> bytes | None:
    """The key in the cache folder, made where there is none; None where it cannot be kept.

    Only its owner may read it; a key that others could read, or a broken one, is replaced.
    """
    place = cache / _NAME
    known = _read(place)
    if known is None:
        _make(place)
        known = _read(place)
    return known


def _read(place: Path) -> bytes | None:
    try:
        private = place.stat().st_mode & 0o077 == 0
        key = place.read_bytes()
    except OSError:
        return None
    return key if private and len(key) == _BYTES else None


def _make(place: Path) -> None:
    """Put a new key in its place, whole: of two that are made at once, one is read by both."""
    try:
        handle, temporary = tempfile.mkstemp(dir=place.parent)  # readable by its owner alone
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        Path(temporary).replace(place)
    except OSError:
        return


def sealed(key: bytes, digest: str) -> str:
    """The digest under the key, in hex; "" for the empty one, which says that there is none."""
    return hmac.new(key, digest.encode(), "sha256").hexdigest() if digest else ""
