"""What several say of one advisory, brought together: fixes of an install, pages, dates."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scanagg.core.text import one_line
from scanagg.model.project import Package, is_pypi

if TYPE_CHECKING:
    from packaging.version import Version

_PAGES: Final = 10
_PAGE: Final = re.compile(r"https://[!-~]{1,2000}")
_KNOWN: Final = 1 << 12
# The first CVE is of 1999. What claims to be much older is a date that nobody set: Go's is year 1.
_FIRST_YEAR: Final = 1990


def fixes(versions: Iterable[str], package: Package | None) -> tuple[str, ...]:
    """The versions to which an install can go to be rid of it: each once, lowest first.

    Of a PyPI package these are only those above its own version (PEP 440): the fix of an older
    branch is none of this install. What cannot be compared is kept, and stands last.
    """
    each = dict.fromkeys(versions)
    installed = None
    if package is not None and is_pypi(package.purl):
        installed = version_of(package.version)
    if installed is not None:
        # 2.0 and 2.0.0 are one version: the shorter text of it stays.
        by_version: dict[object, str] = {}
        for text in sorted(each, key=lambda text: (len(text), text)):
            version = version_of(text)
            if version is None or version > installed:
                by_version.setdefault(version or text, text)
        each = dict.fromkeys(by_version.values())
    return tuple(sorted(each, key=_order))


def remedy(fixed: Iterable[str]) -> str:
    """The sentence by which a message says what mends it."""
    named = ", ".join(map(one_line, fixed))
    return f"Fixed in {named}." if named else "No fixed version is known."


def retold(message: str, before: Iterable[str], after: Iterable[str]) -> str:
    """A message with the fixes of now, where it told those of before."""
    return message.replace(remedy(before), remedy(after), 1)


def pages(addresses: Iterable[str]) -> tuple[str, ...]:
    """Where more can be read: https only, each once, the first ten."""
    fit = (address for address in dict.fromkeys(addresses) if _PAGE.fullmatch(address))
    return tuple(address for address, _ in zip(fit, range(_PAGES), strict=False))


def earliest(dates: Iterable[str | None]) -> str | None:
    """The first of some dates (ISO 8601), as it is written; None where none can be read."""
    known = [(when, text) for text in dates if text for when in (_time(text),) if when]
    return min(known)[1] if known else None


def _order(version: str) -> tuple[object, ...]:
    """PEP 440 order where it is one; Debian's and others' versions after those, as text."""
    parsed = version_of(version)
    return (1, version) if parsed is None else (0, parsed, version)


@lru_cache(_KNOWN)
def version_of(text: str) -> "Version | None":
    """A version by PEP 440; None where it is none."""
    # Imported here: it is slow to import, and most runs have no version to compare.
    from packaging.version import Version  # noqa: PLC0415

    try:
        return Version(text)
    except ValueError:  # also for a number with thousands of digits
        return None


@lru_cache(_KNOWN)
def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year >= _FIRST_YEAR else None
