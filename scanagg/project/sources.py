"""The text of the target's files, their lines, GitHub's hashes of them, and the Python code."""

import codecs
import contextlib
import os
import sys
import threading
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.files import open_file, read_file
from scanagg.core.git import is_lfs_pointer
from scanagg.model import NotExamined, Reason, SourceFile, Target
from scanagg.project.kinds import FileKind, kinds_in, kinds_of
from scanagg.project.notebooks import SUFFIX as NOTEBOOK_SUFFIX
from scanagg.project.notebooks import CellLine, code_cells, strings
from scanagg.project.python_code import STARTUP_SUFFIX, is_imported, is_python, startup_code
from scanagg.project.text import MAX_BYTES, SNIFFED_BYTES, decode, encoding_of

_CACHED_FILES: Final = 64

# The algorithm of `primaryLocationLineHash` in github/codeql-action, src/fingerprints.ts: the sum
# of c * 37^(99-k) modulo 2^64 over the 100 UTF-16 units from the line's first non-blank one. With
# other hashes, GitHub would close every alert and open it again.
_WINDOW: Final = 100
_BASE: Final = 37
_BITS_64: Final = (1 << 64) - 1
_LEAVING: Final = pow(_BASE, _WINDOW, 1 << 64)
_END_OF_FILE: Final = 0xFFFF
_LINE_FEED: Final = 0x0A


class SourceText:
    """The text of one file. Any bytes can be decoded."""

    def __init__(self, raw: bytes) -> None:
        """Decode nothing yet."""
        self._raw = raw

    @cached_property
    def text(self) -> str:
        """The decoded file."""
        return decode(self._raw, encoding_of(self._raw[:SNIFFED_BYTES]) or "utf-8")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines as editors and scanners count them: split at CR, LF and CRLF only."""
        return tuple(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    @cached_property
    def line_hashes(self) -> tuple[str, ...]:
        """GitHub's hash of each line; GitHub counts a byte order mark."""
        mark = "\ufeff" if self._raw.startswith(codecs.BOM_UTF8) else ""
        return tuple(line_hashes(mark + self.text))


class Nature(msgspec.Struct, frozen=True):
    """The nature of a file by its content. `encoding` is None if it is not text.

    `is_pointer` is True if the content is in Git LFS, and not in the file.
    """

    encoding: str | None
    is_python: bool
    kinds: tuple[FileKind, ...]
    is_pointer: bool = False


class PythonCode(msgspec.Struct, frozen=True):
    """Python code under its shown path. `real` is its file, and `size` that in bytes.

    `text` is the code if it is not the whole file as it is. Each of its lines is one of `cells`, if
    it is from a notebook.
    """

    path: str
    real: Path
    size: int
    text: str | None = None
    cells: tuple[CellLine, ...] = ()


class Sources:
    """Reads files of a target by their shown path. A file that cannot be read has no lines.

    A symbolic link to a file has the text of that file. The natures of files are read once for
    the inventory and all scanners.
    """

    def __init__(self, target: Target) -> None:
        """Read no file yet."""
        files = {file.path: file for file in target.files}
        self._target = target
        self._links = {
            link.path: files[link.end] for link in target.links if link.end and link.end in files
        }
        self._files: Mapping[str, SourceFile] = self._links | files
        self._lock = threading.RLock()

        @lru_cache(maxsize=_CACHED_FILES)
        def read(path: str) -> SourceText:
            file = self._files.get(path)
            raw = b""
            if file is not None:
                with contextlib.suppress(OSError):
                    raw = _read(file)
            return SourceText(raw)

        self.file = read

    @property
    def natures(self) -> Mapping[str, Nature]:
        """The natures of all files, by path.

        A file that cannot be read counts as text: scanners give the reason.
        """
        with self._lock:
            return self._natures

    @cached_property
    def _natures(self) -> Mapping[str, Nature]:
        natures = {}
        for file in self._target.files:
            name = file.real.name
            try:
                with open_file(file.real) as stream:
                    head = stream.read(SNIFFED_BYTES)
                    mode = os.fstat(stream.fileno()).st_mode
                    kinds = kinds_in(file.path, stream)
            except OSError:
                head, mode, kinds = b"", 0, kinds_of(file)
            natures[file.path] = Nature(
                encoding=encoding_of(head, name, mode),
                is_python=is_python(name, head),
                kinds=kinds,
                is_pointer=is_lfs_pointer(head),
            )
        return natures

    @property
    def python(self) -> tuple[Sequence[PythonCode], Sequence[NotExamined]]:
        """All Python code, sorted by path, and the code that is left out, with reasons.

        Besides files, it has code in notebooks and in `.pth` files, and links with a name that
        Python imports.
        """
        with self._lock:
            return self._python

    @cached_property
    def _python(self) -> tuple[Sequence[PythonCode], Sequence[NotExamined]]:
        codes: list[PythonCode] = []
        gaps: list[NotExamined] = []
        imported = {path: file for path, file in self._links.items() if is_imported(path)}
        for path, file in ({file.path: file for file in self._target.files} | imported).items():
            code = PythonCode(path, file.real, file.size)
            nature = self._natures[file.path]
            try:
                if nature.is_python:
                    codes += [code] if path not in imported else []
                elif path in imported:
                    text = _read(file).decode("utf-8", "surrogateescape")
                    codes.append(replace(code, text=text))
                elif file.real.name.endswith(STARTUP_SUFFIX) and nature.encoding:
                    text = startup_code(SourceText(_read(file)).text)
                    codes += [replace(code, text=text)] if text else []
                elif file.real.name.endswith(NOTEBOOK_SUFFIX):
                    notebook = code_cells(SourceText(_read(file)).text, path)
                    gaps += notebook.gaps
                    if notebook.lines:
                        text = "".join(f"{line.text}\n" for line in notebook.lines)
                        codes.append(replace(code, text=text, cells=notebook.lines))
            except OSError as error:
                reason = Reason("unreadable-file", {"error": error.strerror or str(error)})
                gaps.append(NotExamined(path, reason))
            except ValueError as error:
                gaps.append(NotExamined(path, Reason("invalid-notebook", {"error": str(error)})))
        return sorted(codes, key=lambda code: code.path), gaps

    def strings(self, path: str) -> Sequence[CellLine]:
        """Return the strings of a notebook as lines; none for an invalid one or another file."""
        if self._files[path].real.name.endswith(NOTEBOOK_SUFFIX):
            with contextlib.suppress(ValueError):
                return strings(self.file(path).text)
        return ()

    def __contains__(self, path: str) -> bool:
        """Return True if the target has such a file."""
        return path in self._files

    def line(self, path: str, number: int) -> str | None:
        """Return line `number`, from 1, without its end; None if there is none."""
        lines = self.file(path).lines
        return lines[number - 1] if 1 <= number <= len(lines) else None


def _read(file: SourceFile) -> bytes:
    """Return the content of a file. OSError if it cannot be read, or is too large."""
    return read_file(file.real, MAX_BYTES)


def line_hashes(text: str) -> list[str]:
    """Return the hash of each line, `hex:n`; n counts how often the file had that hash so far.

    CR, LF and CRLF end a line; the text after the last of them is a line too, even an empty one.
    The hash of a line depends on the line and on the text below it. A byte order mark (U+FEFF)
    counts as part of the first line, as it does for GitHub.
    """
    # Replace line ends first: CR and LF with a blank between them are two.
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    units = array("H", plain.encode("utf-16-le", "surrogatepass"))
    if sys.byteorder == "big":
        units.byteswap()
    units.append(_END_OF_FILE)
    value = 0
    for unit in units[:_WINDOW]:
        value = (value * _BASE + unit) & _BITS_64
    value = value * pow(_BASE, max(0, _WINDOW - len(units)), 1 << 64) & _BITS_64
    entering = units[_WINDOW:]
    entering.frombytes(bytes(entering.itemsize * min(len(units), _WINDOW)))
    seen: Counter[int] = Counter()
    hashes = []
    at_start = True
    # `value` is the hash of the window that starts at each unit in turn.
    for leaves, enters in zip(units, entering, strict=True):
        if at_start:
            seen[value] += 1
            hashes.append(f"{value:x}:{seen[value]}")
        at_start = leaves == _LINE_FEED
        value = (value * _BASE + enters - leaves * _LEAVING) & _BITS_64
    return hashes
