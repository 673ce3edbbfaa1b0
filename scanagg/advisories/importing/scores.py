"""FIRST's EPSS scores, as their CSV says them.

Its form: https://www.first.org/epss/data_stats - a line of comment with the model's version and
the date, a line of names, and then one line for each CVE.
"""

import contextlib
import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from scanagg.advisories.importing import limits
from scanagg.advisories.importing.exploits import CVE
from scanagg.advisories.importing.problems import Problems
from scanagg.advisories.records import moment
from scanagg.core.errors import StoreError

GZIP: Final = b"\x1f\x8b"
_DATE: Final = re.compile(r"score_date:([0-9T:.+Z-]{10,40})")
_COLUMNS: Final = ("cve", "epss", "percentile")

Score = tuple[str, float, float]


class Scores(msgspec.Struct, frozen=True):
    """The scores (CVE, probability, percentile), in the order of the file, and their date."""

    rows: Iterator[Score]
    scored: datetime | None


@contextlib.contextmanager
def scores(path: Path, problems: Problems) -> Iterator[Scores]:
    """Scores, read as they are asked for, until the block ends. StoreError for what is none."""
    packed = limits.head(path).startswith(GZIP)
    with gzip.open(path, "rb") if packed else limits.regular(path) as file:
        lines = _lines(path, cast(BinaryIO, file))
        first = next(lines, "")
        comment, names = (first, next(lines, "")) if first.startswith("#") else ("", first)
        columns = [name.strip().lower() for name in names.split(",")]
        if any(name not in columns for name in _COLUMNS):
            raise _not_scores(path, names)
        where = [columns.index(name) for name in _COLUMNS]
        date = _DATE.search(comment)
        yield Scores(_rows(lines, where, problems), moment(date[1]) if date else None)


def _not_scores(path: Path, begins: str) -> StoreError:
    if not begins or begins.lstrip().startswith("<"):
        return limits.not_data(path, begins.encode())
    return StoreError(f"{path} has no EPSS scores", "Its columns are cve, epss and percentile.")


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    """The lines of a file, as far as it is whole and within the limits."""
    done = 0
    try:
        while line := file.readline(limits.SCORES_LINE):
            done += len(line)
            if done > limits.SCORES_BYTES:
                raise limits.too_large(
                    path, f"more than {limits.SCORES_BYTES // limits.MEBIBYTE} MiB"
                )
            yield line.decode("utf-8-sig", "replace").rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StoreError(
            f"{path} is not a whole gzip file: {limits.told(str(error))}", "Download it again."
        ) from error
    except OSError as error:
        raise limits.unreadable(path, error) from error


def _rows(lines: Iterator[str], where: list[int], problems: Problems) -> Iterator[Score]:
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        row = _row(line.split(","), where)
        if row is None or row[0] in seen:
            if line.strip():
                why = "it is no CVE with two numbers from 0 to 1" if row is None else "it is twice"
                problems.refuse(f"score {number}", f"{why}: {line[:60]!r}")
            continue
        seen.add(row[0])
        yield row


def _row(cells: list[str], where: list[int]) -> Score | None:
    try:
        cve, score, percentile = (cells[column].strip() for column in where)
        row = (cve.upper(), float(score), float(percentile))
    except (IndexError, ValueError):
        return None
    # Not a number is not between any two.
    return row if CVE.fullmatch(row[0]) and 0 <= row[1] <= 1 and 0 <= row[2] <= 1 else None
