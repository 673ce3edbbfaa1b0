"""Requirements whose range allows vulnerable versions.

The lowest version that a requirement allows is not a package of the target, so its vulnerabilities
are not findings in a package. They make one finding at the line of the requirement.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from packaging.specifiers import SpecifierSet

from scanagg.core.text import counted, first_names
from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Inventory,
    LowestAllowed,
    Observation,
    Package,
    Reason,
    Rule,
    Severity,
    SeverityClaim,
    pypi_purl,
)
from scanagg.model.advisories import id_order
from scanagg.model.project import fixes, version_of

RULE: Final = Rule(
    id="vulnerable-range",
    name="vulnerable-range",
    title="Requirement that allows vulnerable versions",
    help="Raise the lower bound of the requirement to a version without known vulnerabilities.",
    why=(
        "An install takes the lowest version if something else needs it, or if it is installed "
        "already. Then users of the project have its vulnerabilities."
    ),
    bad="jinja2>=2.10",
    good="jinja2>=3.1.6",
)
_MOST_ROUNDS: Final = 4
_SHOWN: Final = 3

_Pin = tuple[str, str]


class LookedUp(msgspec.Struct, frozen=True):
    """The vulnerabilities that a scanner reports for packages.

    `missed` are the packages, as `name==version`, that it did not examine, and `failure` is why it
    examined none.
    """

    observations: Sequence[Observation]
    missed: Collection[str] = ()
    failure: Reason | None = None


class Ranges(msgspec.Struct, frozen=True):
    """The observations about ranges, and what could not be examined."""

    observations: tuple[Observation, ...] = ()
    notices: tuple[Reason, ...] = ()


def audit_ranges(
    inventory: Inventory, scanner: str, look_up: Callable[[Sequence[Package]], LookedUp]
) -> Ranges:
    """Look up the lowest allowed versions, then the lowest ones that fix what they have.

    `look_up` asks the scanner. A version that the inventory has as a package is left out, because
    its vulnerabilities are findings anyway.
    """
    installed = {(package.name, package.version) for package in inventory.packages}
    lowest = {(one.name, one.version) for one in inventory.lowest} - installed
    if not lowest:
        return Ranges()
    first = look_up([*map(_package, sorted(lowest))])
    if first.failure:
        return Ranges(notices=(Reason("ranges-not-audited", {"why": first.failure}),))
    vulnerable = _by_pin(first.observations)
    bounds = _bounds(vulnerable, look_up)
    missed = tuple(pin for pin in sorted(first.missed) if tuple(pin.split("==", 1)) in lowest)
    return Ranges(
        tuple(
            _observation(one, vulnerable[pin], bounds.get(pin), scanner)
            for one in inventory.lowest
            if (pin := (one.name, one.version)) in vulnerable
        ),
        (Reason("ranges-missed", {"packages": first_names(missed, _SHOWN)}),) if missed else (),
    )


def _bounds(
    vulnerable: Mapping[_Pin, Sequence[Advisory]], look_up: Callable[[Sequence[Package]], LookedUp]
) -> Mapping[_Pin, str]:
    """Return the lowest version that was looked up and has no vulnerability, for each package.

    A fixed version can have vulnerabilities of its own: then a version that fixes these is next.
    """
    bounds: dict[_Pin, str] = {}
    waiting = {pin: _next(pin, advisories) for pin, advisories in vulnerable.items()}
    for _ in range(_MOST_ROUNDS):
        candidates = {(pin[0], version) for pin, version in waiting.items() if version}
        if not candidates:
            break
        answer = look_up([*map(_package, sorted(candidates))])
        if answer.failure:
            break
        still_vulnerable = _by_pin(answer.observations)
        following: dict[_Pin, str | None] = {}
        for pin, version in waiting.items():
            if version is None or f"{pin[0]}=={version}" in answer.missed:
                continue
            if advisories := still_vulnerable.get((pin[0], version)):
                following[pin] = _next((pin[0], version), advisories)
            else:
                bounds[pin] = version
        waiting = following
    return bounds


def _next(pin: _Pin, advisories: Iterable[Advisory]) -> str | None:
    """Return the lowest version that fixes all these vulnerabilities; None if one has no fix."""
    package = _package(pin)
    lowest: list[str] = []
    for advisory in advisories:
        fixed = fixes(advisory.fixed_versions, package)
        finals = [
            one for one in fixed if (version := version_of(one)) and not version.is_prerelease
        ]
        if not finals:
            return None
        lowest.append(finals[0])
    return fixes(lowest, package)[-1] if lowest else None


def _package(pin: _Pin) -> Package:
    return Package(*pin, pypi_purl(*pin))


def _by_pin(observations: Iterable[Observation]) -> Mapping[_Pin, Sequence[Advisory]]:
    """Return the advisories by package, without those that were withdrawn."""
    advisories: dict[_Pin, list[Advisory]] = {}
    for observation in observations:
        package, advisory = observation.package, observation.advisory
        if package and advisory and not advisory.withdrawn:
            advisories.setdefault((package.name, package.version), []).append(advisory)
    return advisories


def _observation(
    allowed: LowestAllowed, advisories: Sequence[Advisory], bound: str | None, scanner: str
) -> Observation:
    ids = _distinct(advisories)
    count = counted(len(ids), "known vulnerability", "known vulnerabilities")
    version = f"{allowed.name} {allowed.version}"
    return Observation(
        scanner=scanner,
        category=Category.MISCONFIGURATION,
        rule=RULE,
        title=f"{allowed.text} allows {version}, which has {count}",
        message=(
            f"The lowest version that the requirement allows, {version}, has {count}: "
            f"{', '.join(first_names(ids, _SHOWN))}. {_advice(allowed, bound)}"
        ),
        # Not the severity of the vulnerabilities: nobody has to install this version.
        claims=(SeverityClaim("tool", Severity.MEDIUM, scanner),),
        confidence=Confidence.HIGH,
        location=allowed.place,
        resource=allowed.name,
    )


def _advice(allowed: LowestAllowed, bound: str | None) -> str:
    if bound is None:
        return "scanagg found no version without known vulnerabilities."
    upper = [
        specifier
        for specifier in SpecifierSet(allowed.specifier)
        if specifier.operator not in (">=", ">")
    ]
    if not all(specifier.contains(bound, prereleases=True) for specifier in upper):
        return f"It allows no version without known vulnerabilities: allow {allowed.name}>={bound}."
    written = ",".join((f">={bound}", *sorted(map(str, upper))))
    return f"Write {allowed.name}{written}."


def _distinct(advisories: Iterable[Advisory]) -> list[str]:
    """Return an id for each vulnerability: advisories with a common id are one."""
    groups: list[frozenset[str]] = []
    for advisory in advisories:
        same = [group for group in groups if not group.isdisjoint(advisory.ids)]
        groups = [group for group in groups if group not in same]
        groups.append(advisory.ids.union(*same))
    return sorted((min(group, key=id_order) for group in groups), key=id_order)
