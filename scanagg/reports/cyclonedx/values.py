"""Small values of a CycloneDX document, made of text that nobody has vouched for."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

from cyclonedx.model import Property, XsUri

from scanagg.core.text import one_line

PREFIX: Final = "scanagg:"
"""What the names of all our properties begin with."""

# What RFC 3986 allows in an absolute address, without user and password, which no report repeats.
_LINK: Final = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
    r"(?:[/?](?:[A-Za-z0-9._~:/?@!$&()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)

Value = str | int | float | bool | date | None
Values = Mapping[str, Value | Iterable[str]]
"""What properties are made of."""


class Refs:
    """Gives out the names by which parts of one document refer to each other, each only once."""

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self._taken: set[str] = set()
        self._tried: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """`wanted` in printable text, with `#2`, `#3` ... where it is taken.

        It has to begin with its kind and a colon: `urn:cdx:` would lead into another document.
        """
        base = one_line(wanted)
        name, number = base, self._tried.get(base, 1)
        while name in self._taken:
            number += 1
            name = f"{base}#{number}"
        self._tried[base] = number
        self._taken.add(name)
        return name


def properties(values: Values) -> list[Property]:
    """A property for each value, several for a list; none for None, empty text and empty lists.

    Names get our prefix. Booleans are `true` and `false`, times ISO 8601 in UTC.
    """
    return [
        Property(name=PREFIX + name, value=text)
        for name, value in values.items()
        for text in _texts(value)
        if text
    ]


def link(url: str | None) -> XsUri | None:
    """The address, if it is one of the web that every reader takes; None for all else."""
    return XsUri(url) if url and _LINK.fullmatch(url) else None


def moment(text: str | None) -> datetime | None:
    """A time in UTC from ISO 8601; a date is its first second. None where it is neither."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        zoned = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time(value: datetime) -> str:
    """`2026-03-04T05:06:07Z`."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _texts(value: Value | Iterable[str]) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [time(value)]
    if isinstance(value, str | int | float | date):
        return [one_line(str(value))]
    return [one_line(each) for each in value]
