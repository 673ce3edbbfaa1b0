"""Mask secrets in text: known values, and on the lines of secrets everything that may be one."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

MASK: Final = "***"

# Shorter values, and plain words ("password", "Secret"), are part of every text. They are masked as
# whole words on the lines of secrets; elsewhere only as a value, in quotes or in an address.
_SHORT: Final = 6
_WORD: Final = r"(?<!\w)(?:{})(?!\w)"
_VALUE: Final = r"(?<=[\"'`:@=])(?:{})(?=[\"'`@])"
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}|[A-Z]{0,14}")
# The number of characters of a line that are shown, and masked: minified data has long lines.
_SHOWN: Final = 2000
_MASKED: Final = 8000

# Masked everywhere: credentials and keys in an address, passwords of a command.
_GIVEN_AWAY: Final = re.compile(
    r"(?P<name>://(?=[^/\s\"'@]+@)|[?&]\w*(?:token|key|secret|pass|sig)\w*=|--?password[= ]|"
    r"\s-u [\w.-]+:)(?!\*\*\*)[^/\s\"'@&]+",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"[A-Za-z_.,:;!?*/(){}<> -]*")
_QUOTED: Final = re.compile(r'(?P<quote>"""|\'\'\'|["\'`])(?:\\.|(?!(?P=quote)).)+(?:(?P=quote)|$)')
_ASSIGNED: Final = re.compile(r"(?P<left>^[^=:]*(?:=>|:=|[=:])\s*)(?P<value>\S.*)$")
# A possible key or token: long and without a space.
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_=.\-]{16,}")


class Redactor:
    """Masks the secret values and lines of one run.

    `values` are secrets in clear text, held in memory only; `lines` the numbers of the lines with
    secrets, by path.
    """

    def __init__(self, values: Iterable[str], lines: Mapping[str, Iterable[int]]) -> None:
        """Take all values and lines. None can be added later: text may be shown already."""
        # Each line of a value counts as one: text shows a key line by line.
        lines_of_values = [line.strip() for value in values for line in value.splitlines()]
        parts = list(filter(None, lines_of_values))
        self._anywhere = _any_of(part for part in parts if not _is_common(part))
        self._on_the_line = _any_of(parts)
        self._as_value = _any_of((part for part in parts if _is_common(part)), _VALUE)
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}
        self._masked = lru_cache(maxsize=256)(self._mask)  # findings of one line come together

    def covers(self, path: str, line: int) -> bool:
        """Return True if a secret is on the line."""
        return line in self._lines.get(path, ())

    def text(self, text: str) -> str:
        """Return `text` without known values or credentials in addresses and options."""
        return _without_given_away(self._anywhere.sub(MASK, text))

    def line(self, path: str, number: int, text: str) -> str:
        """Return a line of a file, safe to show: on a line of a secret, any value may be secret.

        A very long line is cut. More of it is masked than shown, so that no half of a value is
        shown.
        """
        return self._masked(text[:_MASKED], self.covers(path, number))[:_SHOWN]

    def _mask(self, text: str, covered: bool) -> str:
        if not covered:
            return self._as_value.sub(MASK, self.text(text))
        masked, known = self._on_the_line.subn(MASK, text)
        masked = _without_given_away(masked)
        if known:
            masked = _QUOTED.sub(_mask_unless_words, masked)
        else:
            # Without a known value, mask all quoted text, or else the assigned value.
            quoted = _QUOTED.sub(lambda match: match["quote"] + MASK + match["quote"], masked)
            if quoted == masked:
                quoted = _ASSIGNED.sub(lambda match: match["left"] + MASK, masked)
            masked = quoted
        return _TOKEN.sub(_mask_token, masked)


def _is_common(value: str) -> bool:
    return len(value) < _SHORT or _PLAIN_WORD.fullmatch(value) is not None


def _any_of(values: Iterable[str], common: str = _WORD) -> re.Pattern[str]:
    """Return a pattern for the values, the longest first; common values only as in `common`."""
    chosen = sorted(set(values), key=lambda value: (-len(value), value))
    patterns = [
        common.format(re.escape(value)) if _is_common(value) else re.escape(value)
        for value in chosen
    ]
    return re.compile("|".join(patterns) if patterns else r"(?!)")


def _without_given_away(text: str) -> str:
    return _GIVEN_AWAY.sub(lambda match: match["name"] + MASK, text)


def _mask_unless_words(match: re.Match[str]) -> str:
    """Mask other quoted text beside a known secret, unless it is words such as a name or a key."""
    quote = match["quote"]
    body = match.group().removeprefix(quote).removesuffix(quote)
    return match.group() if _WORDS.fullmatch(body) else quote + MASK + quote


def _mask_token(match: re.Match[str]) -> str:
    """Mask a token with digits or mixed case, but not the name of a function or setting."""
    token = match.group()
    plain = token.replace("_", "").replace(".", "").replace("-", "")
    return token if plain.isalpha() and plain in (plain.lower(), plain.upper()) else MASK
