"""What the adapters that look at files share: text or not, fair batches, columns of SARIF."""

import codecs
import heapq
import io
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from scanagg.model import NotExamined, SourceFile, Target
from scanagg.scanners.base import Context

# What git reads to tell text from other files.
_SNIFFED_BYTES: Final = 8000
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What no text holds: C0 controls but tab, line and form feed, return, backspace, escape; and DEL.
_CONTROLS: Final = re.compile(rb"[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
# Opening and looking at a file costs about as much as examining this many bytes of it.
_FILE_BYTES: Final = 1000
# Enough for the workers to end at about the same time, few enough for starts not to matter.
_ROUNDS: Final = 4


def is_text(file: SourceFile) -> bool:
    """Whether the file is text in any encoding, by its first bytes. One that cannot be read is.

    Text is UTF-8, or UTF-16 by its mark, or bytes of which none is a control.
    """
    if file.size == 0:
        return True
    try:
        with file.real.open("rb") as stream:
            start = stream.read(_SNIFFED_BYTES)
    except OSError:
        return True  # the scanner will say why it could not read it
    if start.startswith(_UTF16_MARKS):
        return True
    if b"\0" in start:
        return False
    return _is_utf8(start) or not _CONTROLS.search(start)


def _is_utf8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def unreachable(target: Target, suffixes: tuple[str, ...]) -> tuple[NotExamined, ...]:
    """What the file set lacks of files with these endings: links, unreadable and excluded ones."""
    return tuple(gap for gap in target.skipped if gap.input.endswith(suffixes))


def chosen(target: Target, paths: Iterable[str]) -> tuple[SourceFile, ...]:
    """The files of the target with these paths, in the target's order."""
    wanted = frozenset(paths)
    return tuple(file for file in target.files if file.path in wanted)


def configuration(context: Context) -> tuple[str | None, Mapping[str, str]]:
    """The path of the scanner's own configuration, None without one; the files of the job for it.

    Where that is not the target's it is written for the job, with its ending, by which its kind is
    known.
    """
    settings = context.settings
    named = settings.options.get("config")
    if named is None or settings.config is None:
        return (str(context.target.root / named) if named else None), {}
    name = f"config{PurePath(named).suffix}"
    return f"{{work}}/{name}", {name: settings.config}


def spread(
    files: Sequence[SourceFile], workers: int, *, worth: int, argv_bytes: int | None = None
) -> Sequence[tuple[str, ...]]:
    """The paths in batches that take about equally long, each in the given order.

    A batch for each of `workers`, but none for less than `worth` bytes, which pay for the start of
    a process; several for each where there is much to do, for bytes only guess at the time; and as
    many as it takes to keep the names of a batch within `argv_bytes`.
    """
    total = sum(file.size + _FILE_BYTES for file in files)
    rounds = max(1, min(_ROUNDS, total // (worth * workers * _ROUNDS)))
    count = max(1, min(workers * rounds, total // worth, len(files)))
    bins: list[tuple[int, int, list[SourceFile]]] = [(0, index, []) for index in range(count)]
    for file in sorted(files, key=lambda file: (-file.size, file.path)):
        size, index, held = heapq.heappop(bins)
        held.append(file)
        heapq.heappush(bins, (size + file.size + _FILE_BYTES, index, held))
    order = {file.path: number for number, file in enumerate(files)}
    batches: list[tuple[str, ...]] = []
    for _, _, held in sorted(bins, key=lambda each: each[1]):
        held.sort(key=lambda file: order[file.path])
        batches += _within(held, argv_bytes)
    return batches


def _within(files: Sequence[SourceFile], argv_bytes: int | None) -> Sequence[tuple[str, ...]]:
    batches: list[list[str]] = [[]]
    size = 0
    for file in files:
        size += len(bytes(file.real)) + 1
        if argv_bytes is not None and size > argv_bytes and batches[-1]:
            batches.append([])
            size = len(bytes(file.real)) + 1
        batches[-1].append(file.path)
    return [tuple(batch) for batch in batches if batch]


def python_lines(file: SourceFile | None) -> tuple[str, ...]:
    """The lines of a Python file as the interpreter decodes and counts them; none if it cannot."""
    if file is None:
        return ()
    try:
        raw = file.real.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (OSError, SyntaxError, LookupError, UnicodeDecodeError):
        return ()
    return tuple(_LINE_END.split(text))


def utf16_column(line: str, offset: int) -> int | None:
    """The column, from 1 and in UTF-16 units, of the UTF-8 byte `offset` in the line, from 0.

    None where the line is shorter, or the offset points into a character.
    """
    raw = line.encode("utf-8", "surrogatepass")
    if not 0 <= offset <= len(raw):
        return None
    try:
        before = raw[:offset].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return len(before.encode("utf-16-le")) // 2 + 1
