"""GitHub's hash of each line of a file, by which code scanning knows an alert again."""

import sys
from array import array
from collections import Counter
from typing import Final

# The algorithm of `primaryLocationLineHash` in github/codeql-action, src/fingerprints.ts: the sum
# of c * 37^(99-k) modulo 2^64 over the 100 UTF-16 units that start at the line's first one that is
# no blank. Another number here, and GitHub closes every alert and opens it anew.
_WINDOW: Final = 100
_BASE: Final = 37
_BITS_64: Final = (1 << 64) - 1
_LEAVING: Final = pow(_BASE, _WINDOW, 1 << 64)
_END_OF_FILE: Final = 0xFFFF
_LINE_FEED: Final = 0x0A


def line_hashes(text: str) -> list[str]:
    r"""The hash of each line, `hex:n`; n counts from 1 how often the file had that hash before.

    CR, LF and CRLF end a line, and what follows the last one is a line too, even if empty. A line's
    value depends on itself and what follows, not on what stands above, but for n. `text` is taken
    as it is: GitHub does not drop a byte order mark (U+FEFF), which counts in the first line.
    """
    units = _units(text)
    seen: Counter[str] = Counter()
    hashes = []
    for value in _rolled(units):
        digits = f"{value:x}"
        seen[digits] += 1
        hashes.append(f"{digits}:{seen[digits]}")
    return hashes


def _units(text: str) -> "array[int]":
    """The UTF-16 units that count: no blanks, one LF at each line's end, the mark of the end."""
    # Line ends first: a blank between CR and LF keeps them apart.
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace(" ", "").replace("\t", "")
    units = array("H", plain.encode("utf-16-le", "surrogatepass"))
    if sys.byteorder == "big":
        units.byteswap()
    units.append(_END_OF_FILE)
    return units


def _rolled(units: "array[int]") -> list[int]:
    """The hash of the window at each line's start, in one pass over the units."""
    found = []
    value = 0
    for unit in units[:_WINDOW]:
        value = (value * _BASE + unit) & _BITS_64
    value = value * pow(_BASE, max(0, _WINDOW - len(units)), 1 << 64) & _BITS_64
    entering = units[_WINDOW:]
    entering.frombytes(bytes(entering.itemsize * min(len(units), _WINDOW)))
    at_start = True
    for leaves, enters in zip(units, entering, strict=True):
        if at_start:
            found.append(value)
        at_start = leaves == _LINE_FEED
        value = (value * _BASE + enters - leaves * _LEAVING) & _BITS_64
    return found
