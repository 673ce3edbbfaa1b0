"""Masks what must not be shown: values known to be secret, and lines that a secret stands on."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

MASK: Final = "***"

# Shorter values ("root", "test") are words of every text: they are masked only on the lines that
# were named for them, not wherever they occur.
_WORD_CHARACTERS: Final = 6
_QUOTED: Final = re.compile(r'(?P<quote>"""|\'\'\'|["\'`])(?:\\.|(?!(?P=quote)).)+(?:(?P=quote)|$)')
_ASSIGNED: Final = re.compile(r"(?P<left>^[^=:]*(?:=>|:=|[=:])\s*)(?P<value>\S.*)$")
# What looks like a key or token: long and without a space.
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_=.\-]{16,}")


class Redactor:
    """Knows the secret values and lines of one run.

    `values` are secrets in clear, held in memory only; `lines` the numbers of the lines, by path,
    that a secret finding covers.
    """

    def __init__(self, values: Iterable[str], lines: Mapping[str, Iterable[int]]) -> None:
        """Take what is known; nothing can be added later, so that no text slips by early."""
        known = sorted({value for value in values if value.strip()}, key=len, reverse=True)
        self._short = tuple(value for value in known if len(value) < _WORD_CHARACTERS)
        long_ones = [part for value in known for part in _parts(value)]
        self._pattern = re.compile("|".join(map(re.escape, long_ones))) if long_ones else None
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}

    def covers(self, path: str, line: int) -> bool:
        """Whether a secret stands on that line."""
        return line in self._lines.get(path, ())

    def text(self, text: str) -> str:
        """`text` without any known value."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def line(self, path: str, number: int, text: str) -> str:
        """A line of a file, fit to show: all that can be a value is masked where a secret is."""
        clean = self.text(text)
        return self._strict(clean) if self.covers(path, number) else clean

    def _strict(self, line: str) -> str:
        for value in self._short:
            line = line.replace(value, MASK)
        masked, quoted = _QUOTED.subn(lambda match: match["quote"] + MASK + match["quote"], line)
        if not quoted:
            masked = _ASSIGNED.sub(lambda match: match["left"] + MASK, line)
        return _TOKEN.sub(_mask_token, masked)


def _parts(value: str) -> list[str]:
    """The value, or each long line of it: a text shows a key line by line."""
    return [part for part in map(str.strip, value.splitlines()) if len(part) >= _WORD_CHARACTERS]


def _mask_token(match: re.Match[str]) -> str:
    """Names of functions and settings stay; what has a digit or mixed case inside goes."""
    token = match.group()
    plain = token.replace("_", "").replace(".", "").replace("-", "")
    return token if plain.isalpha() and plain in (plain.lower(), plain.upper()) else MASK
