"""The advisory store replaces a service if it is fresh, or if no service may be used."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanagg.advisories.store import Store
from scanagg.core.process import Stop
from scanagg.findings.collect import WHOLE, ScanSetup
from scanagg.model import DataSource, Inventory, Target
from scanagg.scanners.base import all_scanners
from scanagg.scanners.runner import Limits

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def setup(store: Store | None = None, **changes: object) -> ScanSetup:
    limits = Limits(jobs=1, timeout=1, stop=Stop())
    return ScanSetup(limits=limits, cache=Path(), now=NOW, store=store, **changes)  # type: ignore[arg-type]


def holding(age: timedelta | None, records: int = WHOLE) -> Store:
    """A store with a number of advisories; the newest has the given age."""
    store = Store()
    store.osv = DataSource("OSV", None if age is None else NOW - age, records=records)
    return store


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (timedelta(days=7), True),
        (timedelta(days=7, seconds=1), False),
        (timedelta(hours=-24), True),
        (timedelta(hours=-25), False),
        (None, False),
    ],
)
def test_a_store_is_asked_while_it_is_fresh_and_offline_always(
    age: timedelta | None, fresh: bool
) -> None:
    store = holding(age)
    assert setup(store).advisories == (store.osv if fresh else None)
    assert setup(store, offline=True).advisories == store.osv


def test_a_store_of_a_few_records_is_asked_only_offline() -> None:
    store = holding(timedelta(0), WHOLE - 1)
    assert setup(store).advisories is None
    assert setup(store, offline=True).advisories is store.osv


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (("betterleaks",), set()),
        (("betterleaks", "bandit", "trivy"), set()),
        (("betterleaks", "detect-secrets"), {"betterleaks"}),
        (("bandit", "detect-secrets", "pip-audit"), set()),
    ],
)
def test_a_scanner_is_not_the_main_one_beside_the_usual_one(
    names: tuple[str, ...], others: set[str], tmp_path: Path
) -> None:
    scanners = [all_scanners()[name] for name in names]
    tasks = setup().tasks(scanners, Target(tmp_path, "x", ()), Inventory())
    assert {one.scanner.INFO.name for one in tasks if not one.context.is_main} == others


def test_the_age_limit_can_be_set() -> None:
    store = holding(timedelta(days=10))
    assert setup(store, max_age=timedelta(days=10)).advisories is store.osv
    assert setup(store, max_age=timedelta(days=9)).advisories is None


def test_without_a_store_nothing_is_asked_in_place_of_a_service() -> None:
    assert setup(offline=True).advisories is None
    assert setup(Store(), offline=True).advisories is None
