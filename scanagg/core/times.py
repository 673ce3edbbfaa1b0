"""Times in UTC."""

from datetime import UTC, datetime


def as_utc(moment: datetime) -> datetime:
    """Return a time in UTC, which a time without a zone is already. OverflowError near year 1."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_time(text: str | None) -> datetime | None:
    """Return an ISO 8601 time in UTC; None for any other text."""
    try:
        return as_utc(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        return None
