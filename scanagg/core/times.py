"""Times in UTC, and limits of CPU time."""

import contextlib
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from types import FrameType
from typing import Final

# The alarm repeats, in case a callback swallows the first exception.
_AGAIN_SECONDS: Final = 0.5


class TooSlow(Exception):  # noqa: N818 - it is not an error
    """The time for one file is over. Not an OSError, which scanners would catch."""


def as_utc(moment: datetime) -> datetime:
    """Return a time in UTC, which a time without a zone is already. OverflowError near year 1."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_time(text: str | None) -> datetime | None:
    """Return an ISO 8601 time in UTC; None for any other text."""
    try:
        return as_utc(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        return None


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the main thread after so much CPU time: a busy machine changes nothing."""

    def raise_too_slow(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    # The handler stays: without one, an alarm that is late would end the process.
    signal.signal(signal.SIGPROF, raise_too_slow)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
