"""Times are UTC, wherever they come from."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from scanagg.core.times import as_utc, read_time

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 6, 1, 12),  # noqa: DTZ001
        NOON,
        datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_time_is_utc(moment: datetime) -> None:
    assert as_utc(moment) == NOON
    assert as_utc(moment).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-06-01T12:00:00Z", NOON),
        ("2026-06-01T12:00:00", NOON),
        ("2026-06-01T14:00:00+02:00", NOON),
        ("2026-06-01", NOON.replace(hour=0)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read(text: str | None, time: datetime | None) -> None:
    assert read_time(text) == time
