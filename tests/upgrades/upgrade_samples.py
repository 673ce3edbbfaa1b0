"""Vulnerable packages for tests of advice: findings as a check produces them, and inventories."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from support.sample import finding, judged

from scanagg.model import (
    Action,
    Advisory,
    Category,
    Constraint,
    Judged,
    Location,
    Package,
    Rule,
    Severity,
    Upgrade,
    pypi_purl,
)


def package(name: str, version: str, *places: str, **more: Any) -> Package:
    """A package declared at places such as `requirements.txt:3`."""
    return Package(
        name, version, pypi_purl(name, version), places=tuple(map(location, places)), **more
    )


def location(place: str) -> Location:
    """`requirements.txt:3`, or a whole file."""
    path, _, line = place.partition(":")
    return Location(path, int(line) if line else None)


def vulnerable(
    of: Package,
    id_: str,
    *fixed: str,
    action: Action = Action.WARN,
    aliases: Sequence[str] = (),
    **more: Any,
) -> Judged:
    """A vulnerability in a package, with the fixed versions that its scanner reports."""
    found = finding(
        1,
        category=Category.VULNERABILITY,
        rule=Rule(id_, id_, "Something is wrong"),
        title=f"{id_} in {of.name}",
        package=of,
        advisory=Advisory(id_, tuple(aliases), tuple(fixed), **more),
        location=of.places[0] if of.places else None,
        places=of.places,
    )
    return judged(found, Severity.HIGH, action)


def allows(name: str, specifier: str, *, by: str = "", place: str = "") -> Constraint:
    """A constraint of the project at a place, or of a package."""
    written = f"{name}{specifier}"
    return Constraint(name, specifier, written, by, location(place) if place else None)


def upgrade(of: Package, to: str | None, **more: Any) -> Upgrade:
    """Advice in the form of a plan, written by hand."""
    return replace(Upgrade(package=of, to=to, clears=("CVE-2024-1",), checked=True), **more)
