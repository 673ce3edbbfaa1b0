"""The text of the target's files, their lines, and GitHub's hashes of the lines."""

import codecs
import contextlib
import sys
from array import array
from collections import Counter
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Final

from scanagg.core.files import read_file
from scanagg.model import SourceFile, Target

# Larger files are not shown: programs generate them.
_MAX_BYTES: Final = 8 << 20
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
    """The text of one file: UTF-8, else UTF-16 by its byte order mark, else Latin-1."""

    def __init__(self, raw: bytes) -> None:
        """Decode nothing yet."""
        self._raw = raw

    @cached_property
    def text(self) -> str:
        """The decoded file."""
        if self._raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return self._raw.decode("utf-16", "replace")
        try:
            return self._raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self._raw.decode("latin-1")

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines as editors and scanners count them: split at CR, LF and CRLF only."""
        return tuple(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    @cached_property
    def line_hashes(self) -> tuple[str, ...]:
        """GitHub's hash of each line; GitHub counts a byte order mark."""
        mark = "\ufeff" if self._raw.startswith(codecs.BOM_UTF8) else ""
        return tuple(line_hashes(mark + self.text))


class Sources:
    """Reads files of a target by their shown path. A file that cannot be read has no lines."""

    def __init__(self, target: Target) -> None:
        """Read no file yet."""
        self._files: Mapping[str, SourceFile] = {file.path: file for file in target.files}

        @lru_cache(maxsize=_CACHED_FILES)
        def read(path: str) -> SourceText:
            file = self._files.get(path)
            raw = b""
            if file is not None and file.size <= _MAX_BYTES:
                with contextlib.suppress(OSError):
                    raw = read_file(file.real, _MAX_BYTES)
            return SourceText(raw)

        self.file = read

    def __contains__(self, path: str) -> bool:
        """Return True if the target has such a file."""
        return path in self._files

    def line(self, path: str, number: int) -> str | None:
        """Return line `number`, from 1, without its end; None if there is none."""
        lines = self.file(path).lines
        return lines[number - 1] if 1 <= number <= len(lines) else None


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
