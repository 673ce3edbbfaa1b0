"""Masks what must not be shown: values known to be secret, and lines that a secret stands on."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

MASK: Final = "***"

# Values shorter than this, and plain words ("password", "Secret"), are part of every text: they are
# masked as whole words on the lines that were named for them, elsewhere only where they stand as a
# value does, between quotes or in an address.
_SHORT: Final = 6
_WORD: Final = r"(?<!\w)(?:{})(?!\w)"
_VALUE: Final = r"(?<=[\"'`:@=])(?:{})(?=[\"'`@])"
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}|[A-Z]{0,14}")
# A line of minified data has megabytes. What is shown of it, and what is looked at, in characters.
_SHOWN: Final = 2000
_MASKED: Final = 8000

# What no scanner need point at: credentials and keys in an address, passwords of a command.
_GIVEN_AWAY: Final = re.compile(
    r"(?P<name>://(?=[^/\s\"'@]+@)|[?&]\w*(?:token|key|secret|pass|sig)\w*=|--?password[= ]|"
    r"\s-u [\w.-]+:)(?!\*\*\*)[^/\s\"'@&]+",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Za-z_.,:;!?*/(){}<> -]*")
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
        self._as_value = _any_of((part for part in parts if _is_common(part)), _VALUE)
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}
        self._masked = lru_cache(maxsize=256)(self._mask)  # findings of one line come together

    def covers(self, path: str, line: int) -> bool:
        """Whether a secret stands on that line."""
        return line in self._lines.get(path, ())

    def text(self, text: str) -> str:
        """`text` without any known value, and without what addresses and options give away."""
        return _without_given_away(self._anywhere.sub(MASK, text))

    def line(self, path: str, number: int, text: str) -> str:
        """A line of a file, fit to show: where a secret is, nothing that can be its value stays.

        Of a very long line only the beginning: masks are made on more than is kept, so that no
        value is cut in two and its first half shown.
        """
        return self._masked(text[:_MASKED], self.covers(path, number))[:_SHOWN]

    def _mask(self, text: str, covered: bool) -> str:
        if not covered:
            return self._as_value.sub(MASK, self.text(text))
        masked, known = self._on_the_line.subn(MASK, text)
        masked = _without_given_away(masked)
        rest = _QUOTED.sub(_mask_unless_words, masked) if known else _without_values(masked)
        return _TOKEN.sub(_mask_token, rest)


def _is_common(value: str) -> bool:
    return len(value) < _SHORT or _PLAIN_WORD.fullmatch(value) is not None


def _any_of(values: Iterable[str], common: str = _WORD) -> re.Pattern[str]:
    """Matches any of the values, the longest first; common ones only where `common` says."""
    chosen = sorted(set(values), key=lambda value: (-len(value), value))
    patterns = [
        common.format(re.escape(value)) if _is_common(value) else re.escape(value)
        for value in chosen
    ]
    return re.compile("|".join(patterns) if patterns else r"(?!)")


def _without_given_away(text: str) -> str:
    return _GIVEN_AWAY.sub(lambda match: match["name"] + MASK, text)


def _without_values(line: str) -> str:
    """A secret stands here and nobody told which: all that is quoted goes, or all assigned."""
    masked, quoted = _QUOTED.subn(lambda match: match["quote"] + MASK + match["quote"], line)
    return masked if quoted else _ASSIGNED.sub(lambda match: match["left"] + MASK, line)


def _parts(value: str) -> list[str]:
    """The value, or each line of it: a text shows a key line by line."""
    return [part for part in map(str.strip, value.splitlines()) if part]


def _mask_unless_words(match: re.Match[str]) -> str:
    """Another quoted text beside a known secret stays if it is words, as names and keys are."""
    quote = match["quote"]
    body = match.group().removeprefix(quote).removesuffix(quote)
    return match.group() if _WORDS.fullmatch(body) else quote + MASK + quote


def _mask_token(match: re.Match[str]) -> str:
    """Names of functions and settings stay; what has a digit or mixed case inside goes."""
    token = match.group()
    plain = token.replace("_", "").replace(".", "").replace("-", "")
    return token if plain.isalpha() and plain in (plain.lower(), plain.upper()) else MASK
