"""Grace: the time for which a finding that blocks only warns, and when that time starts."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from scanagg.core.times import read_time
from scanagg.model import CLOCK_DRIFT, Finding, Origin, Severity
from scanagg.policy.schema import GraceByLevel

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


class GraceClock(msgspec.Struct, frozen=True):
    """Since when a finding could be known, and when it begins to block; UTC.

    Without a deadline there is no grace, and `note` says why.
    """

    start: datetime | None
    deadline: datetime | None
    note: str = ""

    def runs_at(self, now: datetime) -> bool:
        """Return True if the finding only warns at that time."""
        return self.deadline is not None and now < self.deadline

    def words_at(self, now: datetime) -> str:
        """Return when the finding begins to block, or why it does already."""
        if self.deadline is None:
            return self.note
        day = f"{self.deadline:%Y-%m-%d}"
        return f"blocks from {day}" if now < self.deadline else f"the grace time ended on {day}"


def span(duration: str) -> timedelta:
    """Return the time that a duration of the policy language stands for: 12h, 7d, 2w."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


def clock(
    finding: Finding,
    origin: Origin,
    allowed: str | GraceByLevel,
    severity: Severity,
    now: datetime,
) -> GraceClock:
    """Return the clock of a finding under a rule's grace.

    It starts with the later of the advisory and the finding's first sight in this repository, as
    far as these are known. `severity` is the one that rules compare: never unknown.
    """
    published = read_time(finding.advisory.published) if finding.advisory else None
    known = (finding.history.first_seen, published)
    start = max((each for each in known if each and each <= now + CLOCK_DRIFT), default=None)
    duration = allowed if isinstance(allowed, str) else getattr(allowed, severity.value)
    if duration is None:
        return GraceClock(start, None, f"no grace time for {severity.value}")
    if finding.advisory and finding.advisory.malicious:
        return GraceClock(start, None, "no grace time for a malicious package")
    if origin is Origin.INTRODUCED:
        return GraceClock(start, None, "no grace time for what a change introduces")
    if start is None:
        return GraceClock(None, None, "no grace time: nothing tells since when it is known")
    return GraceClock(start, start + span(duration))
