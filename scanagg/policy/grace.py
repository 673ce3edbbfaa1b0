"""Grace: the time for which a finding that blocks only warns, and when that time starts."""

from datetime import datetime

import msgspec

from scanagg.core.times import read_time
from scanagg.model import CLOCK_DRIFT, Finding, Origin, Reason, Severity
from scanagg.policy.schema import GraceByLevel, span


class GraceClock(msgspec.Struct, frozen=True):
    """Since when a finding could be known, and when it begins to block; UTC.

    `deadline` is None where there is no grace time. `is_running` is True while the finding only
    warns; `reason` explains either.
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
    """Return the clock of a finding under a rule's grace.

    It starts with the later of the advisory and the finding's first sight in this repository, as
    far as these are known. `severity` is the one that rules compare: never unknown.
    """
    published = read_time(finding.advisory.published) if finding.advisory else None
    known = (finding.history.first_seen, published)
    start = max((each for each in known if each and each <= now + CLOCK_DRIFT), default=None)
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
