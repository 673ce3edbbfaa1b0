"""The text of the target's files: decoded once, as lines, and as GitHub's hashes of the lines."""

import codecs
import sys
from array import array
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from scanagg.model import SourceFile, Target

# Lines of larger files are not shown: no person wrote them.
_MAX_BYTES: Final = 8 << 20
_CACHED_FILES: Final = 64

# The algorithm of `primaryLocationLineHash` in github/codeql-action, src/fingerprints.ts: the sum
# of c * 37^(99-k) modulo 2^64 over the 100 UTF-16 units that start at the line's first one that is
# no blank. With another number, GitHub closes every alert and opens it anew.
_WINDOW: Final = 100
_BASE: Final = 37
_BITS_64: Final = (1 << 64) - 1
_LEAVING: Final = pow(_BASE, _WINDOW, 1 << 64)
_END_OF_FILE: Final = 0xFFFF
_LINE_FEED: Final = 0x0A


class Sources:
    """Reads files of a target by their shown path. A file that cannot be read has no lines."""

    def __init__(self, target: Target) -> None:
        """Read no file yet."""
        self._files: Mapping[str, SourceFile] = {file.path: file for file in target.files}
        self.text = lru_cache(maxsize=_CACHED_FILES)(self._text)
        self.lines = lru_cache(maxsize=_CACHED_FILES)(self._lines)
        self.line_hashes = lru_cache(maxsize=_CACHED_FILES)(self._line_hashes)

    def __contains__(self, path: str) -> bool:
        """Return True where the target has such a file."""
        return path in self._files

    def line(self, path: str, number: int) -> str | None:
        """Return line `number`, from 1, without its end; None where there is none."""
        lines = self.lines(path)
        return lines[number - 1] if 1 <= number <= len(lines) else None

    def _read(self, path: str) -> bytes:
        file = self._files.get(path)
        if file is None or file.size > _MAX_BYTES:
            return b""
        try:
            return file.real.read_bytes()
        except OSError:
            return b""

    def _text(self, path: str) -> str:
        """Decode a file as UTF-8 without a BOM, else UTF-16 by its BOM, else Latin-1."""
        raw = self._read(path)
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16", "replace")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    def _lines(self, path: str) -> tuple[str, ...]:
        """Split a file into lines as editors and scanners do: at CR, LF and CRLF only."""
        text = self.text(path).replace("\r\n", "\n").replace("\r", "\n")
        return tuple(text.split("\n"))

    def _line_hashes(self, path: str) -> tuple[str, ...]:
        """Return GitHub's hash of each line; a byte order mark counts there."""
        mark = "\ufeff" if self._read(path).startswith(codecs.BOM_UTF8) else ""
        return tuple(line_hashes(mark + self.text(path)))


def line_hashes(text: str) -> list[str]:
    r"""Return the hash of each line, `hex:n`; n counts how often the file had that hash so far.

    CR, LF and CRLF end a line, and the text after the last one is a line too, even if empty. The
    hash of a line depends on itself and what follows. `text` is taken as it is: GitHub does not
    drop a byte order mark (U+FEFF), which counts in the first line.
    """
    # Line ends first: a blank between CR and LF keeps them apart.
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    units = array("H", plain.encode("utf-16-le", "surrogatepass"))
    if sys.byteorder == "big":
        units.byteswap()
    units.append(_END_OF_FILE)
    seen: Counter[str] = Counter()
    hashes = []
    for value in _window_hashes(units):
        digits = f"{value:x}"
        seen[digits] += 1
        hashes.append(f"{digits}:{seen[digits]}")
    return hashes


def _window_hashes(units: "array[int]") -> list[int]:
    """Return the hash of the window at the start of each line, in one pass over the units."""
    hashes = []
    value = 0
    for unit in units[:_WINDOW]:
        value = (value * _BASE + unit) & _BITS_64
    value = value * pow(_BASE, max(0, _WINDOW - len(units)), 1 << 64) & _BITS_64
    entering = units[_WINDOW:]
    entering.frombytes(bytes(entering.itemsize * min(len(units), _WINDOW)))
    at_start = True
    for leaves, enters in zip(units, entering, strict=True):
        if at_start:
            hashes.append(value)
        at_start = leaves == _LINE_FEED
        value = (value * _BASE + enters - leaves * _LEAVING) & _BITS_64
    return hashes
