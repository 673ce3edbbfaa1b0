"""Masks what must not be shown: values known to be secret, and lines that a secret stands on."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

MASK: Final = "***"

# Values shorter than this, and plain words ("password", "Secret"), are part of every text: they are
# masked as whole words, and only on the lines that were named for them.
_SHORT: Final = 6
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}|[A-Z]{0,14}")
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
        parts = [part for value in known for part in _parts(value)]
        self._anywhere = _any_of(part for part in parts if not _is_common(part))
        self._on_the_line = _any_of(parts)
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}

    def covers(self, path: str, line: int) -> bool:
        """Whether a secret stands on that line."""
        return line in self._lines.get(path, ())

    def text(self, text: str) -> str:
        """`text` without any known value."""
        return self._anywhere.sub(MASK, text)

    def line(self, path: str, number: int, text: str) -> str:
        """A line of a file, fit to show: where a secret is, nothing that can be its value stays."""
        if not self.covers(path, number):
            return self.text(text)
        masked, known = self._on_the_line.subn(MASK, text)
        return _TOKEN.sub(_mask_token, masked if known else _without_values(masked))


def _is_common(value: str) -> bool:
    return len(value) < _SHORT or _PLAIN_WORD.fullmatch(value) is not None


def _any_of(values: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the values, the longest first; a common one as a whole word only."""
    chosen = sorted(set(values), key=lambda value: (-len(value), value))
    patterns = [
        rf"(?<!\w){re.escape(value)}(?!\w)" if _is_common(value) else re.escape(value)
        for value in chosen
    ]
    return re.compile("|".join(patterns) if patterns else r"(?!)")


def _without_values(line: str) -> str:
    """A secret stands here and nobody told which: all that is quoted goes, or all assigned."""
    masked, quoted = _QUOTED.subn(lambda match: match["quote"] + MASK + match["quote"], line)
    return masked if quoted else _ASSIGNED.sub(lambda match: match["left"] + MASK, line)


def _parts(value: str) -> list[str]:
    """The value, or each line of it: a text shows a key line by line."""
    return [part for part in map(str.strip, value.splitlines()) if part]


def _mask_token(match: re.Match[str]) -> str:
    """Names of functions and settings stay; what has a digit or mixed case inside goes."""
    token = match.group()
    plain = token.replace("_", "").replace(".", "").replace("-", "")
    return token if plain.isalpha() and plain in (plain.lower(), plain.upper()) else MASK
