"""The source files of a target, for scanners of files: text, even batches, columns."""

import codecs
import heapq
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from scanagg.core.files import open_file, read_file
from scanagg.model import NotExamined, SourceFile, Target
from scanagg.scanners.base import Context

# The part of a file by which git detects text.
_SNIFFED_BYTES: Final = 8000
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Bytes that are not in text: C0 controls except \b \t \n \f \r and escape; and DEL.
_CONTROLS: Final = re.compile(rb"[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
# Opening a file takes about as long as examining this many bytes.
_FILE_BYTES: Final = 1000
# Enough batches for workers to end at about the same time, and few enough for fast starts.
_ROUNDS: Final = 4


def is_text(file: SourceFile) -> bool:
    """Return True for text in any encoding, by the first bytes of the file.

    Text is UTF-8, UTF-16 with a byte order mark, or bytes without control characters. A file that
    cannot be read counts as text: the scanner gives the reason.
    """
    if file.size == 0:
        return True
    try:
        with open_file(file.real) as stream:
            start = stream.read(_SNIFFED_BYTES)
    except OSError:
        return True
    if start.startswith(_UTF16_MARKS):
        return True
    if b"\0" in start:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return not _CONTROLS.search(start)
    return True


def unreachable(target: Target, suffixes: tuple[str, ...]) -> tuple[NotExamined, ...]:
    """Return the skipped files with these suffixes, such as links and excluded files."""
    return tuple(gap for gap in target.skipped if gap.input.endswith(suffixes))


def chosen(target: Target, paths: Iterable[str]) -> tuple[SourceFile, ...]:
    """Return the files of the target with these paths, in the target's order."""
    names = frozenset(paths)
    return tuple(file for file in target.files if file.path in names)


def configuration(context: Context) -> tuple[str | None, Mapping[str, str]]:
    """Return the path of the scanner's own configuration, and the files to write for the call.

    The scanner gets a copy, because it would follow links itself.
    """
    settings = context.settings
    if settings.config is None:
        return None, {}
    name = f"config{PurePath(settings.options['config']).suffix}"
    return f"{{work}}/{name}", {name: settings.config}


def spread(
    files: Sequence[SourceFile], workers: int, *, worth: int, argv_bytes: int = sys.maxsize
) -> Sequence[tuple[str, ...]]:
    """Split the paths into batches that take about equally long, each in the given order.

    A batch has at least `worth` bytes, because each needs a process. Each of `workers` gets several
    if there are many, because bytes only estimate the time. The names of a batch fit into
    `argv_bytes`.
    """
    total = sum(file.size + _FILE_BYTES for file in files)
    rounds = max(1, min(_ROUNDS, total // (worth * workers * _ROUNDS)))
    count = max(1, min(workers * rounds, total // worth, len(files)))
    bins: list[tuple[int, int, list[SourceFile]]] = [(0, index, []) for index in range(count)]
    for file in sorted(files, key=lambda file: (-file.size, file.path)):
        size, index, members = heapq.heappop(bins)
        members.append(file)
        heapq.heappush(bins, (size + file.size + _FILE_BYTES, index, members))
    order = {file.path: number for number, file in enumerate(files)}
    batches: list[tuple[str, ...]] = []
    for _, _, members in sorted(bins, key=lambda each: each[1]):
        batch: list[str] = []
        size = 0
        for file in sorted(members, key=lambda file: order[file.path]):
            length = len(bytes(file.real)) + 1
            if size + length > argv_bytes and batch:
                batches.append(tuple(batch))
                batch, size = [], 0
            batch.append(file.path)
            size += length
        if batch:
            batches.append(tuple(batch))
    return batches


def python_lines(file: SourceFile | None) -> tuple[str, ...]:
    """Return the lines of a Python file as the interpreter counts them; none on an error."""
    if file is None:
        return ()
    try:
        raw = read_file(file.real)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (OSError, SyntaxError, LookupError, UnicodeDecodeError):
        return ()
    return tuple(_LINE_END.split(text))


def utf16_column(line: str, offset: int) -> int | None:
    """Return the column (from 1, in UTF-16 units) of the UTF-8 byte `offset` (from 0).

    None if the line is shorter, or the offset is inside a character.
    """
    raw = line.encode("utf-8", "surrogatepass")
    if not 0 <= offset <= len(raw):
        return None
    try:
        before = raw[:offset].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return len(before.encode("utf-16-le")) // 2 + 1
