"""The source files of a target, for scanners of files: text, even batches, columns."""

import heapq
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from msgspec.structs import replace

from scanagg.core.files import read_file
from scanagg.model import Location, NotExamined, Reason, SourceFile, Target
from scanagg.project.kinds import is_lock
from scanagg.project.notebooks import CellLine
from scanagg.project.sources import PythonCode
from scanagg.project.text import promises_binary
from scanagg.scanners.base import Context, Inputs

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
# Opening a file takes about as long as examining this many bytes.
_FILE_BYTES: Final = 1000
# Enough batches for workers to end at about the same time, and few enough for fast starts.
_ROUNDS: Final = 4


def chosen(target: Target, paths: Iterable[str]) -> tuple[SourceFile, ...]:
    """Return the files of the target with these paths, in the target's order."""
    names = frozenset(paths)
    return tuple(file for file in target.files if file.path in names)


def text_inputs(context: Context, most_bytes: int) -> Inputs:
    """Return the text files of up to `most_bytes`, whatever their names.

    Larger ones, and files that are not here, are not examined. Other files are listed by their
    suffixes.
    """
    names: list[str] = []
    excluded: list[NotExamined] = []
    others: dict[str, list[str]] = {}
    natures = context.sources.natures
    for file in context.target.files:
        if file.size > most_bytes and is_lock(file.path):
            excluded.append(NotExamined(file.path, Reason("lock-file"), on_purpose=True))
        elif natures[file.path].is_pointer:
            is_binary = promises_binary(file.real.name)
            excluded.append(NotExamined(file.path, Reason("in-git-lfs"), on_purpose=is_binary))
        elif natures[file.path].encoding is None:
            suffix = file.real.suffix
            others.setdefault(f"*{suffix}" if suffix else file.path, []).append(file.path)
        elif file.size > most_bytes:
            reason = Reason(
                "too-large",
                {"size": file.size, "limit": most_bytes, "option": "max-file-bytes"},
            )
            excluded.append(NotExamined(file.path, reason))
        else:
            names.append(file.path)
    links = {link.path for link in context.target.links}
    excluded += (
        replace(gap, on_purpose=gap.on_purpose or gap.input in links)
        for gap in context.target.skipped
    )
    if names or excluded:  # a project without text has no input for the scanner
        excluded += [
            NotExamined(
                paths[0] if len(paths) == 1 else kind,
                Reason("files-not-text", {"count": len(paths)}),
                on_purpose=True,
            )
            for kind, paths in others.items()
        ]
    return Inputs("files", tuple(names), tuple(excluded))


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
    files: Sequence[SourceFile | PythonCode],
    workers: int,
    *,
    worth: int,
    argv_bytes: int = sys.maxsize,
) -> Sequence[tuple[str, ...]]:
    """Split the paths into batches that take about equally long, each in the given order.

    A batch has at least `worth` bytes, because each needs a process. Each of `workers` gets several
    if there are many, because bytes only estimate the time. The names of a batch fit into
    `argv_bytes`.
    """
    total = sum(file.size + _FILE_BYTES for file in files)
    rounds = max(1, min(_ROUNDS, total // (worth * workers * _ROUNDS)))
    count = max(1, min(workers * rounds, total // worth, len(files)))
    bins: list[tuple[int, int, list[SourceFile | PythonCode]]] = [
        (0, index, []) for index in range(count)
    ]
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


def python_lines(code: PythonCode | None) -> tuple[str, ...]:
    """Return the lines of Python code as the interpreter counts them; none on an error."""
    if code is None:
        return ()
    try:
        if code.text is None:
            raw = read_file(code.real)
        else:
            raw = code.text.encode("utf-8", "surrogateescape")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (OSError, SyntaxError, LookupError, UnicodeDecodeError):
        return ()
    return tuple(_LINE_END.split(text))


def in_notebook(place: Location, lines: Sequence[CellLine]) -> Location:
    """Return the place in the file of a notebook for a place in these `lines` of it."""
    first, last = place.start_line, place.last_line
    if not first or not last or not lines:
        return place
    start, end = (lines[min(number, len(lines)) - 1] for number in (first, last))
    return Location(
        place.path,
        start.file_line,
        max(start.file_line, end.file_line),
        cell=start.cell,
        cell_line=start.cell_line,
    )


def spellings(values: Iterable[str]) -> frozenset[str]:
    """Return secret values as they are, and with the escapes of JSON, which notebooks have."""
    texts = frozenset(filter(None, values))
    escaped = (json.dumps(text, ensure_ascii=plain) for text in texts for plain in (False, True))
    return texts.union(text[1:-1] for text in escaped)


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
