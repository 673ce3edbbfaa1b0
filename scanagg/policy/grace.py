"""Grace: until when a finding that blocks may still warn, and since when that clock runs."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.model import CLOCK_DRIFT, Finding, Origin, Severity
from scanagg.policy.schema import GraceByLevel

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


class GraceClock(NamedTuple):
    """Since when a finding could be known, and when it begins to block; UTC.

    Without a deadline there is no grace, and `note` says why.
    """

    start: datetime | None
    deadline: datetime | None
    note: str = ""


def span(duration: str) -> timedelta:
    """The time that a duration of the policy language stands for: 12h, 7d, 2w."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


def clock(
    finding: Finding,
    origin: Origin,
    allowed: str | GraceByLevel,
    severity: Severity,
    now: datetime,
) -> GraceClock:
    """The clock of a finding under a rule's grace.

    It starts with the later of the advisory and the finding's first sight in this repository, as
    far as these are known. `severity` is the one that rules compare: never unknown.
    """
    start = _start(finding, now)
    given = allowed if isinstance(allowed, str) else getattr(allowed, severity.value)
    if given is None:
        return GraceClock(start, None, f"no grace time for {severity.value}")
    if finding.advisory and finding.advisory.malicious:
        return GraceClock(start, None, "no grace time for a malicious package")
    if origin is Origin.INTRODUCED:
        return GraceClock(start, None, "no grace time for what a change introduces")
    if start is None:
        return GraceClock(None, None, "no grace time: nothing tells since when it is known")
    return GraceClock(start, start + span(given))


def _start(finding: Finding, now: datetime) -> datetime | None:
    published = finding.advisory.published if finding.advisory else None
    known = (finding.history.first_seen, _time(published) if published else None)
    return max((each for each in known if each and each <= now + CLOCK_DRIFT), default=None)


@lru_cache(maxsize=4096)
def _time(text: str) -> datetime | None:
    """A time as advisories write it; without a zone it is UTC, and what is none is not known."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
