"""A finding about a package points at the line that a person edits, and keeps every other place."""

from pathlib import Path

import pytest

from scanagg.findings.normalise import normalise
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    Location,
    Observation,
    Package,
    Rule,
    Target,
)
from scanagg.project.sources import Sources

LOCK = Location("poetry.lock", 40)
ASKED = (Location("pyproject.toml", 5), Location("pyproject.toml", 9))
SCANNED = Location("poetry.lock", 41)
PLAIN = Package("web", "1", "pkg:pypi/web@1")


def placed(
    ours: Package, location: Location | None = None, package: Package = PLAIN
) -> tuple[Location | None, tuple[Location, ...]]:
    """Return the location shown for a vulnerability reported at `location`, and all places."""
    observation = Observation(
        scanner="trivy",
        category=Category.VULNERABILITY,
        rule=Rule("CVE-1", "CVE-1", "CVE-1"),
        title="CVE-1",
        message="CVE-1 in web",
        package=package,
        advisory=Advisory("CVE-1"),
        location=location,
    )
    (one,) = normalise(
        [observation], Inventory((ours,)), Sources(Target(Path("/nowhere"), "x", ()))
    )
    assert one.package is (ours if package.purl == ours.purl else package)
    return one.location, one.places


def package(*, places: tuple[Location, ...] = (), asked: tuple[Location, ...] = ()) -> Package:
    chain = ("app", "web") if asked else ()
    return Package("web", "1", PLAIN.purl, places=places, chain=chain, asked=asked)


@pytest.mark.parametrize("location", [None, SCANNED])
def test_the_first_line_that_asks_is_the_location(location: Location | None) -> None:
    where, places = placed(package(places=(LOCK,), asked=ASKED), location)
    assert where == ASKED[0]
    assert places == (LOCK, *((SCANNED,) if location else ()), *ASKED)


def test_without_a_requirement_the_first_place_is_the_location() -> None:
    other = Location("requirements.txt", 1)
    assert placed(package(places=(LOCK, other)), SCANNED) == (LOCK, (LOCK, SCANNED, other))


@pytest.mark.parametrize(
    ("location", "places"), [(None, ()), (SCANNED, (SCANNED,))], ids=["none", "the scanner's"]
)
def test_a_package_that_is_only_installed_keeps_the_place_by_the_scanner(
    location: Location | None, places: tuple[Location, ...]
) -> None:
    assert placed(package(), location) == (location, places)


def test_a_package_that_a_scanner_took_from_the_inventory_moves_too() -> None:
    ours = package(places=(LOCK,), asked=ASKED)
    assert placed(ours, LOCK, ours) == (ASKED[0], (LOCK, *ASKED))


def test_a_package_of_another_ecosystem_stays_where_its_scanner_saw_it() -> None:
    npm = Package("web", "1", "pkg:npm/web@1")
    assert placed(package(places=(LOCK,), asked=ASKED), SCANNED, npm) == (SCANNED, ())
