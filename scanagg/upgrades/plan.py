"""Which version to go to, by what scanners and the advisory store say."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from scanagg.advisories import Store
from scanagg.model import (
    Action,
    Category,
    Constraint,
    Inventory,
    Judged,
    Package,
    Step,
    Upgrade,
    is_pypi,
)
from scanagg.model.project import version_of
from scanagg.upgrades.weighing import Told, weigh

_PIN: Final = re.compile(r"\s*={2,3}\s*[^\s,*]+\s*")
_STEPS: Final = (Step.MAJOR, Step.MINOR, Step.PATCH)

_Key = tuple[str, str]


def plan(
    judged: Sequence[Judged], inventory: Inventory, store: Store | None
) -> tuple[Upgrade, ...]:
    """The advice for every PyPI package with a vulnerability, the one that clears most first.

    Without a store it is what scanners say of fixed versions, and `Upgrade.checked` is false.
    Withdrawn advisories do not count; what is waived can be cleared, but does not block. What other
    packages of a lock allow is weighed by their versions of now, also where the plan raises them.
    """
    store = store if store and store.osv else None
    known = {(one.name, one.version): one for one in inventory.packages}
    constraints: dict[str, list[Constraint]] = {}
    for constraint in inventory.constraints:
        constraints.setdefault(constraint.name, []).append(constraint)
    upgrades = [
        _upgrade(known.get(key, package), found, constraints.get(key[0], ()), store)
        for key, (package, found) in _vulnerable(judged).items()
    ]
    return tuple(sorted(upgrades, key=_order))


def hindering(constraints: Iterable[Constraint], version: str) -> tuple[Constraint, ...]:
    """Those that do not let a version in; one that is no specifier (PEP 440) hinders nothing."""
    wanted = Version(version)
    return tuple(one for one in constraints if not _lets_in(one, wanted))


def step_of(old: str, new: str) -> Step | None:
    """How far it is from one version to another; None where one of them is no version."""
    before, after = version_of(old), version_of(new)
    if before is None or after is None:
        return None
    if before.epoch != after.epoch:
        return Step.MAJOR
    width = len(_STEPS)
    parts = zip(_padded(before, width), _padded(after, width), _STEPS, strict=True)
    return next((step for one, other, step in parts if one != other), Step.PATCH)


def _padded(version: Version, width: int) -> tuple[int, ...]:
    return (*version.release, *(0,) * width)[:width]


def _vulnerable(judged: Sequence[Judged]) -> Mapping[_Key, tuple[Package, list[Judged]]]:
    """The findings by package, in their order."""
    found: dict[_Key, tuple[Package, list[Judged]]] = {}
    for one in judged:
        package, advisory = one.finding.package, one.finding.advisory
        if one.finding.category is not Category.VULNERABILITY or not package or not advisory:
            continue
        if is_pypi(package.purl) and not advisory.withdrawn:
            found.setdefault((package.name, package.version), (package, []))[1].append(one)
    return found


def _upgrade(
    package: Package,
    found: Sequence[Judged],
    constraints: Sequence[Constraint],
    store: Store | None,
) -> Upgrade:
    weighed = weigh(package.name, package.version, _told(found), store)
    best, unblocking = weighed.best, weighed.unblocking
    relevant = [one for one in constraints if _holds(one, package)]
    hindered = hindering(relevant, best) if best else ()
    blocking = {one.finding.rule.id for one in found if one.verdict.action is Action.BLOCK}
    return Upgrade(
        package=package,
        to=best,
        step=step_of(package.version, best) if best else None,
        to_unblock=None if unblocking == best else unblocking,
        clears=weighed.cleared,
        unblocks=tuple(name for name in weighed.cleared if name in blocking),
        stays=weighed.stays,
        allowed=not hindered if best and relevant else None,
        hindered_by=hindered,
        change=_change(package),
        checked=store is not None,
    )


def _told(found: Sequence[Judged]) -> Iterator[Told]:
    for one in found:
        advisory = one.finding.advisory
        if advisory:
            yield Told(
                id=one.finding.rule.id,
                names=advisory.ids | {one.finding.rule.id},
                fixed=advisory.fixed_versions,
                blocks=one.verdict.action is Action.BLOCK,
                malicious=advisory.malicious,
            )


def _change(package: Package) -> tuple[str, ...]:
    """The direct requirement that leads to a package; itself where nothing says it is not one."""
    if package.chain:
        return package.chain[:1]
    return () if package.direct is False else (package.name,)


def _holds(constraint: Constraint, package: Package) -> bool:
    """Whether a constraint says anything on other versions of this package.

    One of another part of the project does not, nor one that the version of now breaks already.
    The exact version that the project itself asks for is none: to upgrade is to edit that.
    """
    is_pin = not constraint.by and _PIN.fullmatch(constraint.specifier)
    if is_pin or not _concerns(constraint, package):
        return False
    installed = version_of(package.version)
    return installed is None or _lets_in(constraint, installed)


def _concerns(constraint: Constraint, package: Package) -> bool:
    """Whether a constraint is of the part of the project that the package is in."""
    places = (*package.places, *package.asked)
    if constraint.place is None or not places:
        return True
    folder = posixpath.dirname(constraint.place.path)
    return any(_related(folder, posixpath.dirname(place.path)) for place in places)


def _related(one: str, other: str) -> bool:
    """Whether two folders are the same, or one lies in the other."""
    shorter, longer = sorted((f"{one}/".lstrip("/"), f"{other}/".lstrip("/")), key=len)
    return longer.startswith(shorter)


def _lets_in(constraint: Constraint, version: Version) -> bool:
    try:
        return SpecifierSet(constraint.specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def _order(upgrade: Upgrade) -> tuple[int, int, str, str]:
    package = upgrade.package
    return (-len(upgrade.clears), -len(upgrade.unblocks), package.name, package.version)
