"""Read foreign files within limits, and name what is wrong with them."""

import os
import stat
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from scanagg.core.errors import StoreError
from scanagg.core.text import counted, one_line, shorten
from scanagg.model import CLOCK_DRIFT

MEBIBYTE: Final = 1 << 20

# OSV's export for PyPI has about 20,000 records of up to some hundred KiB. It has some 30 MiB as a
# zip and 200 MiB unpacked. Each limit leaves room for years.
RECORDS: Final = 250_000
RECORD_BYTES: Final = 8 * MEBIBYTE
ZIP_BYTES: Final = 512 * MEBIBYTE
UNPACKED_BYTES: Final = 4096 * MEBIBYTE
# JSON about versions shrinks to a twentieth; deflate can expand one byte to a thousand.
RATIO: Final = 200
# Below this size the ratio does not matter.
RATIO_FROM_BYTES: Final = 64 * MEBIBYTE
DIRECTORY_BYTES: Final = 64 * MEBIBYTE
# A single file is decoded as a whole: a list of records, or KEV (2 MiB in 2025).
JSON_BYTES: Final = 256 * MEBIBYTE
# EPSS: 10 MiB and 300,000 lines in 2025.
SCORES: Final = 4_000_000
SCORES_BYTES: Final = 512 * MEBIBYTE
SCORES_LINE: Final = 1024
# Enough of a file to recognise its kind.
HEAD_BYTES: Final = 4096

BOM: Final = b"\xef\xbb\xbf"
_PROBLEMS_KEPT: Final = 20


class Problems:
    """Collect what is wrong with an import: everything is counted, the first messages are kept."""

    def __init__(self) -> None:
        """Start without problems."""
        self.refused = 0
        self.count = 0
        self.messages: list[str] = []

    def refuse(self, where: str, why: str) -> None:
        """Add a record that is skipped."""
        self.refused += 1
        self.add(f"{where}: {why}")

    def add(self, message: str) -> None:
        """Add a problem that does not skip a record."""
        self.count += 1
        if self.count <= _PROBLEMS_KEPT:
            self.messages.append(safe(message))

    def add_first(self, message: str) -> None:
        """Add a problem of the whole import, before those of single records."""
        self.count += 1
        self.messages.insert(0, safe(message))


def newest(dates: Iterable[datetime], now: datetime, problems: Problems) -> datetime | None:
    """Return the newest date that is not in the future: a date ahead does not give an age."""
    dates = list(dates)
    past = [date for date in dates if date <= now + CLOCK_DRIFT]
    if len(past) < len(dates):
        ahead = f"{counted(len(dates) - len(past), 'date')} in the future"
        problems.add_first(f"{ahead}, up to {max(dates):%Y-%m-%d}: check the clock")
    return max(past, default=None)


def files_below(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], int]:
    """Return the regular files below a folder with these suffixes, and the number of skipped links.

    StoreError if there are too many files, or if a folder cannot be read.
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
    """Return whether a path is a folder; False if it cannot be read."""
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises errors


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading. StoreError if it is not one or cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(
                f"{path} is not a regular file", "Import a file, or a folder of JSON files."
            )
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def head(path: Path) -> bytes:
    """Read the first bytes of a regular file. StoreError if it is not one or cannot be read."""
    with opened(path) as file:
        return file.read(HEAD_BYTES)


def content(path: Path, limit: int) -> bytes:
    """Read a whole file. StoreError if it is larger than `limit` bytes or cannot be read."""
    try:
        with opened(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > limit:
        raise too_large(path, f"more than {limit // MEBIBYTE} MiB")
    return data.removeprefix(BOM)


def unreadable(path: Path, error: OSError) -> StoreError:
    """Return the error for a file that cannot be read."""
    return StoreError(
        f"cannot read {path}: {error.strerror or error}", "Check the path and its permissions."
    )


def too_large(path: Path, why: str) -> StoreError:
    """Return the error for a file that exceeds a limit."""
    return StoreError(
        f"{path} is too large: {why}",
        "The published files are far smaller. Download the file again from its publisher.",
    )


def not_json(path: Path, error: Exception) -> StoreError:
    """Return the error for a file with broken JSON."""
    return StoreError(
        f"{path} is not valid JSON: {safe(str(error))}",
        "The file may be incomplete. Download it again.",
    )


def not_data(path: Path, begins: bytes) -> StoreError:
    """Return the error for a file of an unknown kind, by its first bytes."""
    text = begins.lstrip(BOM + b" \t\r\n")
    if not text:
        return StoreError(f"{path} is empty", "Download it again.")
    if text.startswith(b"<"):
        return StoreError(
            f"{path} is a web page, not advisory data",
            "A server or proxy probably sent an error or login page. "
            "Open the file to see it, then download the data again.",
        )
    return StoreError(
        f"{path} is not advisory data that scanagg can read",
        "scanagg reads OSV (a zip, a folder or a JSON file), KEV (JSON) and EPSS (CSV or .csv.gz).",
    )


def safe(text: str) -> str:
    """Return untrusted text as one short line of a message."""
    return shorten(one_line(text), 200)
