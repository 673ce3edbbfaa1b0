"""How much is read of what others wrote, and the words for what is more, or is something else."""

import stat
from pathlib import Path
from typing import BinaryIO, Final

from scanagg.core.errors import StoreError
from scanagg.core.text import one_line, shorten

MEBIBYTE: Final = 1 << 20

# OSV's whole export for PyPI has about 20,000 records, the largest of some hundred KiB, and is some
# 30 MiB as a zip, 200 MiB without: each bound leaves room for years.
RECORDS: Final = 250_000
RECORD_BYTES: Final = 8 * MEBIBYTE
ZIP_BYTES: Final = 512 * MEBIBYTE
UNPACKED_BYTES: Final = 4096 * MEBIBYTE
# JSON about versions shrinks to a twentieth; deflate can make a thousand out of one.
RATIO: Final = 200
# Below this size nobody has to care about the ratio.
RATIO_FROM_BYTES: Final = 64 * MEBIBYTE
DIRECTORY_BYTES: Final = 64 * MEBIBYTE
# One file is decoded as a whole: a list of records, or KEV (2 MiB today).
JSON_BYTES: Final = 256 * MEBIBYTE
# EPSS: 10 MiB and 300,000 lines today.
SCORES: Final = 4_000_000
SCORES_BYTES: Final = 512 * MEBIBYTE
SCORES_LINE: Final = 1024

_SHOWN: Final = 200
HEAD_BYTES: Final = 4096
"""How much of a file is enough to tell what it is."""


def head(path: Path) -> bytes:
    """The first bytes of a regular file. StoreError where it is none, or cannot be read."""
    with regular(path) as file:
        return file.read(HEAD_BYTES)


def is_folder(path: Path) -> bool:
    """Whether it is a folder; what cannot be looked at is none, and to read it tells why."""
    try:
        return path.is_dir()
    except OSError:
        return False


def regular(path: Path) -> BinaryIO:
    """A regular file, open for reading. StoreError where it is none, or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(f"{path} is not a file", "Give a file, or a folder of JSON files.")
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def whole(path: Path, limit: int) -> bytes:
    """All of a file. StoreError where it is larger than `limit` bytes, or cannot be read."""
    try:
        with regular(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit:
        raise too_large(path, f"more than {limit // MEBIBYTE} MiB")
    return data


def unreadable(path: Path, error: OSError) -> StoreError:
    """The error for what the system does not let us read."""
    return StoreError(
        f"cannot read {path}: {error.strerror or error}", "Give a file that is there."
    )


def too_large(path: Path, found: str) -> StoreError:
    """The error for what goes beyond a limit."""
    return StoreError(
        f"{path} is refused: {found}",
        "No real export comes near that. Download it again from its publisher.",
    )


def not_data(path: Path, begins: bytes) -> StoreError:
    """The error for what is none of the files that we know, by how it begins."""
    text = begins.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        return StoreError(f"{path} is empty", "Download it again.")
    if text.startswith(b"<"):
        return StoreError(
            f"{path} is a web page, not advisory data",
            "A server or a proxy may have answered with an error or a login page. "
            "Look at it, and download the file again.",
        )
    return StoreError(
        f"{path} is no advisory data that scanagg knows",
        "It reads OSV (a zip, a folder or a file of JSON), KEV (JSON) and EPSS (CSV, also .gz).",
    )


def told(text: str) -> str:
    """Hostile text as one line of a message."""
    return shorten(one_line(text), _SHOWN)
