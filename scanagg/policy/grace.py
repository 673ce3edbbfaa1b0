"""The grace time of a finding: it warns before it blocks."""

from datetime import datetime

import msgspec

from scanagg.core.times import read_time
from scanagg.model import CLOCK_DRIFT, Finding, Origin, Reason, Severity
from scanagg.policy.schema import GraceByLevel, span


class GraceClock(msgspec.Struct, frozen=True):
    """The start of a grace time, and its end, when the finding begins to block; UTC.

    `deadline` is None if there is no grace time. `is_running` is True while the finding only warns.
    `reason` explains both.
    """

    start: datetime | None
    deadline: datetime | None
    reason: Reason
    is_running: bool = False


def clock(
    finding: Finding,
    origin: Origin,
    allowed: str | GraceByLevel,
    severity: Severity,
    now: datetime,
) -> GraceClock:
    """Return the grace time of a finding by a rule.

    It starts when the advisory was published, or when this repository first had the finding, the
    later of the two. `severity` is the one that rules compare, never unknown.
    """
    published = read_time(finding.advisory.published) if finding.advisory else None
    known = (finding.history.first_seen, published)
    start = max((time for time in known if time and time <= now + CLOCK_DRIFT), default=None)
    duration = allowed if isinstance(allowed, str) else getattr(allowed, severity.value)
    if duration is None:
        reason = Reason("no-grace-for-severity", {"severity": severity.value})
    elif finding.advisory and finding.advisory.malicious:
        reason = Reason("no-grace-for-malware")
    elif origin is Origin.INTRODUCED:
        reason = Reason("no-grace-for-new")
    elif start is None:
        reason = Reason("no-grace-start")
    else:
        deadline = start + span(duration)
        day = f"{deadline:%Y-%m-%d}"
        if now < deadline:
            return GraceClock(start, deadline, Reason("in-grace", {"day": day}), is_running=True)
        return GraceClock(start, deadline, Reason("grace-over", {"day": day}))
    return GraceClock(start, None, reason)
