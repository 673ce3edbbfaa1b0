"""Files of the project that are changed: read as they are, replaced whole or not at all."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.cache import replace_atomically

# As for manifests that are read.
_MOST_BYTES: Final = 16 << 20


class Refused(Exception):  # noqa: N818 - it says what was refused, and never leaves this package
    """A file is not changed; the text says why, after its name: "is read-only"."""


class Original(msgspec.Struct, frozen=True):
    """A file as it was read: `real` is where its bytes lie, behind links; None where it is not."""

    path: str
    real: Path
    raw: bytes | None
    mode: int = 0o644


def read(root: Path, path: str) -> Original:
    """A file of the project by its relative path. Refused where it may not be changed.

    A link is followed, as long as it leads to a file inside the project.
    """
    inside = Path(os.path.realpath(root))
    real = Path(os.path.realpath(inside / path))
    if not real.is_relative_to(inside):
        raise Refused("is a link that leads out of the project")
    try:
        found = real.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise Refused("is not a file")
        if found.st_size > _MOST_BYTES:
            raise Refused(f"is larger than {_MOST_BYTES >> 20} MiB")
        return Original(path, real, real.read_bytes(), stat.S_IMODE(found.st_mode))
    except FileNotFoundError as error:
        raise Refused("does not exist") from error
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror or error}") from error


def read_if_there(root: Path, path: str) -> Original:
    """As `read`, but a file that is not there is one without bytes."""
    real = Path(os.path.realpath(root)) / path
    return read(root, path) if os.path.lexists(real) else Original(path, real, None)


def write(original: Original, raw: bytes) -> Original:
    """Replace a file by other bytes at once; what it is then.

    Refused where it is not as it was read any more, is read-only, or cannot be written.
    """
    try:
        if original.real.read_bytes() != original.raw:
            raise Refused("was changed by somebody else meanwhile")
        # A folder's permission would be enough to replace the file; its own is what people mean.
        if not os.access(original.real, os.W_OK) or not original.mode & 0o222:
            raise Refused("is read-only")
        _put(original.real, raw, original.mode)
    except OSError as error:
        raise Refused(f"cannot be written: {error.strerror or error}") from error
    return replace(original, raw=raw)


def restore(original: Original) -> None:
    """Make a file again what it was, whatever it is now. OSError where that cannot be done."""
    if original.raw is None:
        original.real.unlink(missing_ok=True)
    elif _bytes(original.real) != original.raw:
        _put(original.real, original.raw, original.mode)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else None
    except OSError:
        return None


def _put(path: Path, raw: bytes, mode: int) -> None:
    """Write beside and move into place, with the same permissions."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder is in its place")
    replace_atomically(path, [raw], mode)
