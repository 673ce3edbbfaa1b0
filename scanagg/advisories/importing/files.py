"""Files that somebody else wrote: how much of them is read, and the words for what is refused."""

import os
import stat
from collections.abc import Collection
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
# Below this size the ratio does not matter.
RATIO_FROM_BYTES: Final = 64 * MEBIBYTE
DIRECTORY_BYTES: Final = 64 * MEBIBYTE
# A single file is decoded as a whole: a list of records, or KEV (2 MiB today).
JSON_BYTES: Final = 256 * MEBIBYTE
# EPSS: 10 MiB and 300,000 lines today.
SCORES: Final = 4_000_000
SCORES_BYTES: Final = 512 * MEBIBYTE
SCORES_LINE: Final = 1024
# This much of a file is enough to tell what it is.
HEAD_BYTES: Final = 4096

BOM: Final = b"\xef\xbb\xbf"
_PROBLEMS_SHOWN: Final = 20


class Problems:
    """Collects what is wrong with records of an import: all are counted, the first are shown."""

    def __init__(self) -> None:
        """Start without problems."""
        self.refused = 0
        self._texts: list[str] = []
        self._more = 0

    def refuse(self, where: str, why: str) -> None:
        """Add a record that is left out."""
        self.refused += 1
        self.doubt(where, why)

    def doubt(self, where: str, why: str) -> None:
        """Add something to know about a record, or about the whole if `where` is empty."""
        if len(self._texts) < _PROBLEMS_SHOWN:
            self._texts.append(safe(f"{where}: {why}" if where else why))
        else:
            self._more += 1

    def warn(self, text: str) -> None:
        """Add something about the whole that is to be seen before the problems of records."""
        self._texts.insert(0, safe(text))

    @property
    def texts(self) -> tuple[str, ...]:
        """The first problems, and how many more there are."""
        more = (f"and {self._more:,} more",) if self._more else ()
        return (*self._texts, *more)


def files_below(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], int]:
    """Return the regular files below a folder with these suffixes, and the number of links besides.

    Links are not followed. StoreError if there are too many files, or if a folder cannot be read:
    its files would be lost silently.
    """

    def refuse(error: OSError) -> None:
        raise unreadable(Path(str(error.filename)), error) from error

    files: list[Path] = []
    links = 0
    for place, folders, names in os.walk(folder, onerror=refuse):
        links += sum((Path(place) / name).is_symlink() for name in folders)
        for path in (Path(place) / name for name in names):
            if path.suffix.lower() not in suffixes:
                continue
            if path.is_symlink():
                links += 1
            elif path.is_file():
                files.append(path)
        if len(files) > RECORDS:
            raise too_large(folder, f"more than {RECORDS:,} files")
    return sorted(files), links


def is_folder(path: Path) -> bool:
    """Return whether it is a folder; False if it cannot be looked at, so that reading says why."""
    try:
        return path.is_dir()
    except OSError:
        return False


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading. StoreError if it is none, or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(f"{path} is not a file", "Give a file, or a folder of JSON files.")
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def head(path: Path) -> bytes:
    """Read the first bytes of a regular file. StoreError if it is none, or cannot be read."""
    with opened(path) as file:
        return file.read(HEAD_BYTES)


def content(path: Path, limit: int) -> bytes:
    """Read a whole file. StoreError if it is larger than `limit` bytes, or cannot be read."""
    try:
        with opened(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit:
        raise too_large(path, f"more than {limit // MEBIBYTE} MiB")
    return data.removeprefix(BOM)


def unreadable(path: Path, error: OSError) -> StoreError:
    """Return the error for a file that the system does not let us read."""
    return StoreError(
        f"cannot read {path}: {error.strerror or error}", "Give a file that is there."
    )


def too_large(path: Path, why: str) -> StoreError:
    """Return the error for a file that goes beyond a limit."""
    return StoreError(
        f"{path} is refused: {why}",
        "No real export comes near that. Download it again from its publisher.",
    )


def not_data(path: Path, begins: bytes) -> StoreError:
    """Return the error for a file of none of the known kinds, by how it begins."""
    text = begins.lstrip(BOM + b" \t\r\n")
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


def safe(text: str) -> str:
    """Return hostile text as one line of a message."""
    return shorten(one_line(text), 200)
