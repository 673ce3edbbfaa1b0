"""Choose the version to which each vulnerable package should be upgraded."""

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.store import Store
from scanagg.advisories.versions import fixed_versions
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Constraint,
    Inventory,
    Judged,
    Package,
    Step,
    Upgrade,
    is_pypi,
)
from scanagg.model.advisories import id_order, is_malware
from scanagg.model.project import version_of

_PIN: Final = re.compile(r"\s*={2,3}\s*[^\s,*]+\s*")
_STEPS: Final = (Step.MAJOR, Step.MINOR, Step.PATCH)

_Vulnerability = tuple[Judged, Advisory]


def plan(
    judged: Sequence[Judged], inventory: Inventory, store: Store | None
) -> tuple[Upgrade, ...]:
    """Return the upgrade of every vulnerable PyPI package, the one that clears most first.

    Without a store, the fixed versions that scanners name decide, and `Upgrade.checked` is false.
    Withdrawn advisories do not count. A waived finding can be cleared, but does not block. The
    constraints of other packages in a lock are those of their current versions, even if the plan
    upgrades them.
    """
    store = store if store and store.osv else None
    packages = {(package.name, package.version): package for package in inventory.packages}
    constraints: dict[str, list[Constraint]] = {}
    for constraint in inventory.constraints:
        constraints.setdefault(constraint.name, []).append(constraint)
    vulnerable: dict[tuple[str, str], list[_Vulnerability]] = {}
    for vulnerability in judged:
        finding = vulnerability.finding
        package, advisory = finding.package, finding.advisory
        if finding.category is not Category.VULNERABILITY or not package or not advisory:
            continue
        if is_pypi(package.purl) and not advisory.withdrawn:
            key = (package.name, package.version)
            packages.setdefault(key, package)
            vulnerable.setdefault(key, []).append((vulnerability, advisory))
    upgrades = [
        _upgrade(packages[key], vulnerabilities, constraints.get(key[0], ()), store)
        for key, vulnerabilities in vulnerable.items()
    ]
    return most_useful_first(upgrades)


def most_useful_first(upgrades: Iterable[Upgrade]) -> tuple[Upgrade, ...]:
    """Sort by the number of vulnerabilities that an upgrade clears, then of those that block."""
    return tuple(
        sorted(
            upgrades,
            key=lambda upgrade: (
                *(-len(upgrade.clears), -len(upgrade.unblocks)),
                *(upgrade.package.name, upgrade.package.version),
            ),
        )
    )


def hindering(constraints: Iterable[Constraint], version: str) -> tuple[Constraint, ...]:
    """Return the constraints that exclude a version; an invalid specifier excludes none."""
    return tuple(one for one in constraints if not _lets_in(one, Version(version)))


def step_of(old: str, new: str) -> Step | None:
    """Return the size of the step between two versions; None if one of them is not PEP 440."""
    before, after = version_of(old), version_of(new)
    if before is None or after is None:
        return None
    if before.epoch != after.epoch:
        return Step.MAJOR
    parts = zip((*before.release, 0, 0), (*after.release, 0, 0), _STEPS, strict=False)
    return next((step for one, other, step in parts if one != other), Step.PATCH)


def _upgrade(
    package: Package,
    vulnerabilities: Sequence[_Vulnerability],
    constraints: Sequence[Constraint],
    store: Store | None,
) -> Upgrade:
    """Weigh the versions of a package against each other, and against the constraints."""
    if package.chain:
        change = package.chain[:1]
    else:
        change = () if package.direct is False else (package.name,)
    ids = tuple(dict.fromkeys(judged.finding.rule.id for judged, _ in vulnerabilities))
    checked = store is not None
    stays = Upgrade(package=package, to=None, stays=ids, change=change, checked=checked)
    installed = version_of(package.version)
    if installed is None or any(advisory.malicious for _, advisory in vulnerabilities):
        # Nothing is known to be better, or no version of the package can be trusted.
        return stays
    case = _Case.of(package, installed, vulnerabilities, store)
    blocking = case.blocking
    best, left, unblocking = _choose(case, frozenset(map(case.root, blocking)))
    if best is None:
        return replace(stays, to_unblock=unblocking, stays=case.ids_of(left))
    clears = tuple(id_ for id_ in ids if case.root(id_) not in left)
    relevant = [one for one in constraints if _is_relevant(one, package, installed)]
    hindered = hindering(relevant, best)
    return replace(
        stays,
        to=best,
        step=step_of(package.version, best),
        to_unblock=None if unblocking == best else unblocking,
        clears=clears,
        unblocks=tuple(filter(blocking.__contains__, clears)),
        stays=case.ids_of(left),
        allowed=not hindered if relevant else None,
        hindered_by=hindered,
    )


class _Case(msgspec.Struct, frozen=True):
    """One package with all its vulnerabilities, those of scanners and those of the store.

    `root` maps every alias of a vulnerability to the same name; sets of vulnerabilities hold these.
    `now` are those of the installed version, `unknown` those of them that the store lacks, each
    with its fixed versions.
    """

    package: Package
    installed: Version
    vulnerabilities: Sequence[_Vulnerability]
    records: Sequence[Record]
    store: Store | None
    root: Callable[[str], str]
    now: frozenset[str] = frozenset()
    unknown: Sequence[tuple[str, Sequence[Version]]] = ()

    @classmethod
    def of(
        cls,
        package: Package,
        installed: Version,
        vulnerabilities: Sequence[_Vulnerability],
        store: Store | None,
    ) -> "_Case":
        """Return the case of a package; `installed` is its version."""
        stored = store.records(package.name) if store else ()
        records = [record for record in stored if not record.withdrawn]
        names = [{*advisory.ids, one.finding.rule.id} for one, advisory in vulnerabilities]
        root = _united((*names, *map(_names, records)))
        case = cls(package, installed, vulnerabilities, records, store, root)
        known = case.affecting(package.version)
        fixed = [
            (root(judged.finding.rule.id), _above(installed, advisory.fixed_versions))
            for judged, advisory in vulnerabilities
        ]
        return replace(
            case,
            now=known | {name for name, _ in fixed},
            unknown=[(name, versions) for name, versions in fixed if name not in known],
        )

    @property
    def blocking(self) -> frozenset[str]:
        """The ids of the findings that block."""
        return frozenset(
            judged.finding.rule.id
            for judged, _ in self.vulnerabilities
            if judged.verdict.action is Action.BLOCK
        )

    def affecting(self, version: str) -> frozenset[str]:
        """Return the vulnerabilities of a version by the store."""
        records = self.store.affecting(self.package.name, version) if self.store else ()
        return frozenset(self.root(record.id) for record in records)

    def choices(self) -> Iterator[tuple[Version, frozenset[str]]]:
        """Yield the fixed versions with the vulnerabilities that each has, lowest first.

        Skip versions that are malware.
        """
        malware = {
            self.root(record.id) for record in self.records if any(map(is_malware, _names(record)))
        }
        fixed = [advisory.fixed_versions for _, advisory in self.vulnerabilities]
        fixed += [fixed_versions(record, self.package.name) for record in self.records]
        above = set(_above(self.installed, chain.from_iterable(fixed)))
        for version in _offered(above, self.installed):
            left = self.affecting(str(version))
            if not left & malware:
                unfixed = {name for name, fixes in self.unknown if not _is_fixed(version, fixes)}
                yield version, left | unfixed

    def ids_of(self, roots: frozenset[str]) -> tuple[str, ...]:
        """Return the ids of vulnerabilities: as findings show them, else by their usual name."""
        ids = [judged.finding.rule.id for judged, _ in self.vulnerabilities]
        names: dict[str, frozenset[str]] = {
            root: frozenset() for root in roots - set(map(self.root, ids))
        }
        for record in self.records:
            if self.root(record.id) in names:
                names[self.root(record.id)] |= _names(record)
        others = sorted(min(group, key=id_order) for group in names.values())
        return tuple(dict.fromkeys([*(id_ for id_ in ids if self.root(id_) in roots), *others]))


def _choose(case: _Case, blocking: frozenset[str]) -> tuple[str | None, frozenset[str], str | None]:
    """Return the first version with the fewest vulnerabilities, these, and the first that unblocks.

    The version is None unless it has fewer than the installed one. A version that unblocks but has
    vulnerabilities of its own, which may block too, is chosen only if there is no other.
    """
    best, left = None, case.now
    clean: Version | None = None
    unclean: Version | None = None
    for version, remaining in case.choices():
        if blocking and not remaining & blocking:
            unclean = unclean or version
            clean = clean or (version if remaining <= case.now else None)
        if len(remaining) < len(left):
            best, left = str(version), remaining
        if not remaining:
            break
    unblocking = clean or unclean
    return best, left, str(unblocking) if unblocking else None


def _is_fixed(version: Version, fixed: Sequence[Version]) -> bool:
    """Return True if a version is fixed, given those that each fixed a branch of releases.

    Every version from the highest of them on is fixed. Below that, a version is fixed only on the
    branch of the last fix before it: 4.0.1 is not fixed by 3.2.13 if 4.0.4 is a fix too.
    """
    before = [one for one in fixed if one <= version]
    if not before:
        return False
    last = max(before)
    branch = last.release[:-1]
    same_branch = version.epoch == last.epoch and version.release[: len(branch)] == branch
    return last == max(fixed) or same_branch


def _names(record: Record) -> frozenset[str]:
    """Return the id and the aliases of a record, in their usual spelling."""
    return frozenset(map(canonical_id, (record.id, *record.aliases)))


def _united(groups: Iterable[Iterable[str]]) -> Callable[[str], str]:
    """Return a function from a name to one name for all names that the groups connect with it."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        name = canonical_id(name)
        while (above := parent.get(name, name)) != name:
            parent[name] = name = parent.get(above, above)
        return name

    for group in groups:
        first, *others = sorted(map(canonical_id, group))
        for other in others:
            parent[root(other)] = root(first)
    return root


def _above(installed: Version, texts: Iterable[str]) -> tuple[Version, ...]:
    """Return the versions among the texts that are higher than the installed one."""
    versions = map(version_of, texts)
    return tuple(version for version in versions if version is not None and version > installed)


def _offered(versions: Collection[Version], installed: Version) -> list[Version]:
    """Return the versions to choose from, lowest first.

    Skip pre-releases unless nothing else is there or one is installed. No public index has versions
    with a local part (1.0+fixed): skip these too, unless one is installed.
    """
    if installed.local is None:
        versions = [version for version in versions if version.local is None]
    finals = [version for version in versions if not version.is_prerelease]
    return sorted(versions if installed.is_prerelease else finals or versions)


def _is_relevant(constraint: Constraint, package: Package, installed: Version) -> bool:
    """Return True if a constraint limits the other versions of this package.

    One of another part of the project does not, nor one that the installed version breaks already.
    The exact pin of the project itself does not either: an upgrade edits it.
    """
    if not constraint.by and _PIN.fullmatch(constraint.specifier):
        return False
    places = (*package.places, *package.asked)
    if constraint.place is not None and places:
        # One folder must be the other, or lie in it.
        folder = f"{posixpath.dirname(constraint.place.path)}/".lstrip("/")
        others = [f"{posixpath.dirname(place.path)}/".lstrip("/") for place in places]
        if not any(other.startswith(folder) or folder.startswith(other) for other in others):
            return False
    return _lets_in(constraint, installed)


def _lets_in(constraint: Constraint, version: Version) -> bool:
    try:
        return SpecifierSet(constraint.specifier).contains(version, prereleases=True)
    except ValueError:  # also for a number with thousands of digits
        return True
