"""The text of the target's files, decoded once and shared by whoever looks at lines."""

import codecs
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from scanagg.model import SourceFile, Target
from scanagg.project.line_hash import line_hashes

# Larger files are not read for a line to show: such a line is not code that a person wrote.
_MAX_BYTES: Final = 8 << 20
_CACHED_FILES: Final = 64


class Sources:
    """Reads files of a target by their shown path. A file that cannot be read has no lines."""

    def __init__(self, target: Target) -> None:
        """Nothing is read yet."""
        self._files: Mapping[str, SourceFile] = {file.path: file for file in target.files}
        self.text = lru_cache(maxsize=_CACHED_FILES)(self._text)
        self.lines = lru_cache(maxsize=_CACHED_FILES)(self._lines)
        self.line_hashes = lru_cache(maxsize=_CACHED_FILES)(self._line_hashes)

    def __contains__(self, path: str) -> bool:
        """Whether the target has such a file."""
        return path in self._files

    def line(self, path: str, number: int) -> str | None:
        """Line `number`, from 1, without its end; None where there is none."""
        lines = self.lines(path)
        return lines[number - 1] if 1 <= number <= len(lines) else None

    def _text(self, path: str) -> str:
        """The text as UTF-8 (a BOM left out), else UTF-16 by its BOM, else Latin-1: never fails."""
        file = self._files.get(path)
        if file is None or file.size > _MAX_BYTES:
            return ""
        try:
            raw = file.real.read_bytes()
        except OSError:
            return ""
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16", "replace")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def _lines(self, path: str) -> tuple[str, ...]:
        """The lines as editors and scanners count them: CR, LF and CRLF end one, nothing else."""
        text = self.text(path).replace("\r\n", "\n").replace("\r", "\n")
        return tuple(text.split("\n"))

    def _line_hashes(self, path: str) -> tuple[str, ...]:
        """GitHub's hash of each line, see `linehash`; a mark at the start of the file counts."""
        file = self._files.get(path)
        mark = "\ufeff" if file and _starts_with_mark(file) else ""
        return tuple(line_hashes(mark + self.text(path)))


def _starts_with_mark(file: SourceFile) -> bool:
    try:
        with file.real.open("rb") as stream:
            return stream.read(3) == codecs.BOM_UTF8
    except OSError:
        return False
