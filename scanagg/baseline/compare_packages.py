"""Compare vulnerabilities and licences with a base: a package that the base has is not new."""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_version
from packaging.version import Version

from scanagg.baseline.compare_code import ReportedPackage, scan_base
from scanagg.baseline.lookup import KnownAdvisories
from scanagg.baseline.snapshot import FileChanges, Snapshot, read_links
from scanagg.core.text import first_names
from scanagg.core.times import read_time
from scanagg.findings.collect import ScanSetup
from scanagg.inventory import read_inventory
from scanagg.inventory.merge import project_folder
from scanagg.inventory.scopes import widest
from scanagg.inventory.uv import Resolver
from scanagg.model import (
    Category,
    Change,
    Finding,
    History,
    Inventory,
    Location,
    Package,
    PlaceHistory,
    Reason,
    Scope,
    SourceFile,
    Status,
    Target,
    Use,
    is_pypi,
    plain,
    purl_without_version,
)
from scanagg.model.project import version_of
from scanagg.project.kinds import kinds_of, may_list_packages
from scanagg.scanners.base import all_scanners
from scanagg.scanners.runner import Event

_SHOWN: Final = 3

_Pin = tuple[str, str]
"""The purl of a package without its version, and the version, spelled in only one way."""

_Reached = dict[str, int]
"""The number of people that each version of a package reaches, as in `Use.reach`."""


class _Versions(msgspec.Struct, frozen=True):
    """The versions of a package in the base: all, by project, by file, and in projects that went.

    The tables keep the comparison linear in the number of manifests.
    """

    all: _Reached = msgspec.field(default_factory=dict)
    by_project: dict[str, _Reached] = msgspec.field(default_factory=dict)
    by_file: dict[str, _Reached] = msgspec.field(default_factory=dict)
    gone: _Reached = msgspec.field(default_factory=dict)


class _UsesNow(msgspec.Struct, frozen=True):
    """The uses of a package in the target: all, by project and by file."""

    all: list[Use] = msgspec.field(default_factory=list)
    by_project: dict[str, list[Use]] = msgspec.field(default_factory=dict)
    by_file: dict[str, list[Use]] = msgspec.field(default_factory=dict)


class BasePackages(msgspec.Struct, frozen=True):
    """The packages of the base and of the target, by their names as in PEP 503.

    `gone` are the projects and files of the base that the target does not have, `new` those that
    only the target has. `same` are files of the target that are as in the base. `reported` are the
    packages that a scanner reported in the base, by their purls, if only a scanner can read their
    files. `problems` are manifests of the base that cannot be read, with the reason, and `lost`
    names packages of the base that nothing lists. `indexes` are the package indexes that the base
    does not have. `inventory` is that of the base, and `target` has the manifests that it is from;
    None where no manifest differs.
    """

    versions: Mapping[str, _Versions]
    uses: Mapping[str, _UsesNow]
    gone: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    reported: Mapping[str, ReportedPackage] = {}
    problems: tuple[Reason, ...] = ()
    lost: tuple[Reason, ...] = ()
    indexes: tuple[Reason, ...] = ()
    inventory: Inventory = Inventory()
    target: Target | None = None

    def has(self, package: Package, place: Location | None) -> bool:
        """Return True if the base has this version of a PyPI package in all its uses at a place.

        All its uses count for no place.
        """
        known = self.versions.get(package.name, _Versions())
        return _has_same(known.all, package) and all(
            _has_same(self._before(use), package) for use in self.uses_at(package, place)
        )

    def other_versions(self, package: Package, place: Location | None) -> list[frozenset[str]]:
        """Return the versions of a package that the base has in each use of it at a place.

        They are empty for a use that the base does not have. A use of this version itself is left
        out. Packages of other ecosystems are used by the files that list them.
        """
        if not is_pypi(package.purl):
            bare = purl_without_version(package.purl)
            return [
                frozenset(
                    reported.version
                    for purl, reported in self.reported.items()
                    if purl_without_version(purl) == bare
                    if self._is_listed(reported, package, place.path if place else "")
                )
            ]
        before = map(self._before, self.uses_at(package, place))
        return [versions for versions in before if not _has_same(versions, package)]

    def _before(self, use: Use) -> frozenset[str]:
        """Return the versions of a package that the base has in the same use.

        It is the same if the package reached as many people in the same project, in one whose
        folder was renamed, or by the same file. Use by developers is the same in any project.
        """
        known = self.versions.get(use.name, _Versions())
        tables = [known.all]
        if use.reach:
            tables = [known.by_project.get(use.project, {})]
            if use.project in self.new:
                tables.append(known.gone)
            # A file that only another manifest included may count by itself.
            if posixpath.dirname(use.path) == use.project:
                tables.append(known.by_file.get(use.path, {}))
        return frozenset(
            version for table in tables for version, reach in table.items() if reach >= use.reach
        )

    def uses_at(self, package: Package, place: Location | None) -> Sequence[Use]:
        """Return the uses of a package by the file of a place, else by the project of that file.

        A line that requires only what leads to the package is in a file of its project. All uses
        count if none is known to belong there.
        """
        uses = self.uses.get(package.name, _UsesNow())
        of_file: Sequence[Use] = ()
        of_project: Sequence[Use] = ()
        if place is not None:
            of_file = uses.by_file.get(place.path, ())
            of_project = uses.by_project.get(project_folder(place.path), ())
        for candidates in (of_file, of_project, uses.all):
            if same := [use for use in candidates if _is_same(use.version, package)]:
                return same
        return ()

    def lists(self, package: Package, path: str) -> bool:
        """Return True if a scanner found the package in the base, in this file and scope."""
        reported = self.reported.get(package.purl)
        is_listed = reported is not None and self._is_listed(reported, package, path)
        return path in self.same or is_listed

    def _is_listed(self, reported: ReportedPackage, package: Package, path: str) -> bool:
        """Return True if the base has any version of a package in a file, in the same scope."""
        files = reported.files if package.scope is Scope.DEV else reported.runtime
        return any(self._is_renamed(old, path) for old in files)

    def paths(self, package: Package) -> tuple[str, ...]:
        """Return the files of the base that list this version of a package."""
        known = self.versions.get(package.name, _Versions())
        paths = {path for path, versions in known.by_file.items() if _has_same(versions, package)}
        if reported := self.reported.get(package.purl):
            paths |= reported.files
        return tuple(sorted(paths))

    def _is_renamed(self, old: str, new: str) -> bool:
        """Return True if the names are equal, or if the old one is gone and the new one is new."""
        return old == new or (old in self.gone and new in self.new)


def read_packages(
    snapshot: Snapshot,
    changes: FileChanges,
    inventory: Inventory,
    work: Path,
    resolver: Resolver | None = None,
) -> BasePackages:
    """Return the packages at the base; those of the target where no manifest differs.

    `inventory` is the target's. Installed environments are no part of any commit. `resolver`
    resolves the open requirements of the base as of today, like those of the target: versions
    differ only where requirements do.
    """
    links = read_links(snapshot)
    differing = {*changes.changed, *changes.before, *changes.unread}
    now = {file.path for file in snapshot.target.files}
    lists = {
        path
        for path, file in changes.before.items()
        if path not in now and any(kind.by_inventory for kind in kinds_of(file))
    }
    manifests = {*filter(may_list_packages, differing), *lists}
    ends = attrgetter("path", "end")
    same_links = set(map(ends, links)) == set(map(ends, snapshot.target.links))
    before = set(snapshot.files)
    if same_links and not manifests and differing.isdisjoint(inventory.manifests):
        gone = frozenset(before - now)
        return BasePackages(
            versions=_versions(inventory.uses, gone),
            uses=_uses_now(inventory.uses),
            gone=gone,
            new=frozenset(now - before),
            same=changes.same,
        )
    named = {*inventory.manifests, *lists, *(link.end for link in links)}
    paths = [path for path in snapshot.files if may_list_packages(path) or path in named]
    target = replace(snapshot.lay_out(paths, work), links=links)
    base = read_inventory(target, resolver=resolver)
    unread = sorted(changes.unread & manifests)
    problems = [Reason("base-file-unreadable", {"path": path}) for path in unread]
    problems += [
        Reason("base-manifest-broken", {"path": gap.input, "why": gap.reason})
        for gap in base.problems
    ]
    before |= {use.project for use in base.uses}
    now |= {use.project for use in inventory.uses}
    gone = frozenset(before - now)
    return BasePackages(
        versions=_versions(base.uses, gone),
        uses=_uses_now(inventory.uses),
        gone=gone,
        new=frozenset(now - before),
        same=changes.same,
        problems=tuple(dict.fromkeys(problems)),
        lost=(
            *_lost_packages(base, inventory, now),
            *_lost_manifests(base, inventory, changes, before, now),
        ),
        indexes=tuple(_added_indexes(base, inventory)),
        inventory=base,
        target=target,
    )


def _versions(uses: Iterable[Use], gone: Set[str]) -> Mapping[str, _Versions]:
    """Return the versions of each package in the base; `gone` are projects that it has only."""
    packages: dict[str, _Versions] = {}
    for use in uses:
        known = packages.setdefault(use.name, _Versions())
        tables = [
            known.all,
            known.by_project.setdefault(use.project, {}),
            known.by_file.setdefault(use.path, {}),
            *((known.gone,) if use.project in gone else ()),
        ]
        for table in tables:
            table[use.version] = max(use.reach, table.get(use.version, 0))
    return packages


def _uses_now(uses: Iterable[Use]) -> Mapping[str, _UsesNow]:
    """Return the uses of each package in the target."""
    packages: dict[str, _UsesNow] = {}
    for use in uses:
        known = packages.setdefault(use.name, _UsesNow())
        known.all.append(use)
        known.by_project.setdefault(use.project, []).append(use)
        known.by_file.setdefault(use.path, []).append(use)
    return packages


def _added_indexes(base: Inventory, inventory: Inventory) -> Iterator[Reason]:
    """Yield the package indexes that no manifest of the base names, each once for each file."""
    known = {index.address for index in base.indexes}
    added = {(one.address, one.place.path): one for one in inventory.indexes}
    for (address, path), index in sorted(added.items()):
        if address not in known:
            yield Reason("index-added", {"path": path, "host": index.host, "address": address})


def _lost_packages(base: Inventory, inventory: Inventory, now: Set[str]) -> Iterator[Reason]:
    """Yield the manifests of the base whose packages nothing lists, or only without versions.

    `now` are the files of the target. A manifest that is still there may drop some of its packages.
    """
    pinned = {use.name for use in inventory.uses}
    ranges = {requirement.name for requirement in inventory.unpinned}
    ranges_before = {requirement.name for requirement in base.unpinned}
    pins: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    for use in base.uses:
        pins.setdefault(use.path, set()).add(use.name)
        names.setdefault(use.path, set()).add(use.name)
    for requirement in base.unpinned:
        names.setdefault(requirement.place.path, set()).add(requirement.name)
    listing = {use.path for use in inventory.uses}
    listing |= {requirement.place.path for requirement in inventory.unpinned}
    for path in sorted(names):
        lost = sorted(names[path] - pinned - ranges)
        if lost and path not in now:
            yield Reason("manifest-gone", {"path": path, "packages": first_names(lost, _SHOWN)})
        elif lost and path not in listing:
            yield Reason("manifest-emptied", {"path": path, "packages": first_names(lost, _SHOWN)})
        loosened = sorted((pins.get(path, set()) & ranges) - pinned - ranges_before)
        if loosened:
            yield Reason("pins-loosened", {"path": path, "packages": first_names(loosened, _SHOWN)})


def _lost_manifests(
    base: Inventory, inventory: Inventory, changes: FileChanges, before: Set[str], now: Set[str]
) -> Iterator[Reason]:
    """Yield the manifests that only scanners read, if no new file of their kind replaces them."""
    ours = {*base.manifests, *inventory.manifests}
    gone = {path: file for path, file in changes.before.items() if path not in now | ours}
    lost = {path: kinds for path, file in gone.items() if (kinds := _manifest_kinds(file))}
    added = [file for path, file in changes.changed.items() if path not in before]
    free = [kinds for file in added if (kinds := _manifest_kinds(file))] if lost else []
    for path, kinds in sorted(lost.items()):
        replacing = next((other for other in free if not other.isdisjoint(kinds)), None)
        if replacing is None:
            yield Reason("manifest-unread", {"path": path})
        else:
            free.remove(replacing)


def _manifest_kinds(file: SourceFile) -> frozenset[str]:
    """Return the kinds of manifests that a file is, except of those that the inventory reads."""
    return frozenset(
        kind.id
        for kind in kinds_of(file)
        if kind.category is Category.VULNERABILITY and not kind.by_inventory
    )


class Vulnerable(msgspec.Struct, frozen=True):
    """The vulnerabilities that scanners report for packages of the base, by their ids.

    `unsure` are the scanners that did not examine all of these packages, with the reason.
    """

    ids: Mapping[_Pin, frozenset[str]] = {}
    unsure: Mapping[str, Reason] = {}


def scan_other_versions(
    findings: Iterable[Finding],
    packages: BasePackages,
    snapshot: Snapshot,
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> Vulnerable:
    """Look for vulnerabilities in the base's versions of packages whose version changed.

    The scanners that reported the findings examine them. `packages.reported` is what scanners found
    there already.
    """
    ids: dict[_Pin, frozenset[str]] = {}
    for purl, reported in packages.reported.items():
        ids[_pin(purl, reported.version)] = reported.ids
    wanted: set[_Pin] = set()
    reporting: set[str] = set()
    for finding in findings:
        package = finding.package
        if finding.category is Category.VULNERABILITY and package and is_pypi(package.purl):
            places = finding.places or (None,)
            versions = [packages.other_versions(package, place) for place in places]
            pins = {_pin(package.purl, old) for old in chain(*chain(*versions))}
            wanted |= pins
            reporting.update(finding.scanners if pins else ())
    if not wanted or packages.target is None:
        return Vulnerable(ids)
    listed = [one for one in packages.inventory.packages if _pin(one.purl, one.version) in wanted]
    paths = {place.path for package in listed for place in package.places}
    files = tuple(file for file in packages.target.files if file.path in paths)
    ours = sorted(reporting & all_scanners().keys())
    collected = scan_base(
        snapshot,
        [*map(all_scanners().__getitem__, ours)],
        replace(packages.target, files=files),
        Inventory(packages=tuple(listed)),
        setup,
        notify,
    )
    for finding in collected.findings:
        if finding.package and finding.advisory:
            pin = _pin(finding.package.purl, finding.package.version)
            ids[pin] = ids.get(pin, frozenset()) | finding.advisory.ids
    unsure = dict.fromkeys(reporting.difference(ours), Reason("scanner-not-run-here"))
    for run in collected.runs:
        if run.status is not Status.OK:
            gaps = (gap.reason for gap in run.coverage.gaps)
            unsure[run.scanner] = run.detail or next(gaps, plain(run.status.value))
    return Vulnerable(ids, unsure)


class PackageComparison:
    """Decides the histories of vulnerabilities and licences, and collects notices about them.

    `base` is None where the packages of the base are not known. `time` is that of the base commit,
    `known` what a baseline lists, `vulnerable` what scanners report for the base.
    """

    def __init__(
        self,
        base: BasePackages | None,
        time: datetime | None,
        known: KnownAdvisories,
        vulnerable: Vulnerable,
    ) -> None:
        """Start without notices."""
        self._base = base
        self._time = time
        self._known = known
        self._vulnerable = vulnerable
        self._only_installed: dict[str, None] = {}
        self._problems: tuple[Reason, ...] = ()
        self._unsure: dict[Reason, None] = {}

    def histories(self, finding: Finding) -> list[PlaceHistory]:
        """Return the history of each place of a finding; one history where it has no place."""
        if finding.places:
            return [((place,), self._history(finding, place)) for place in finding.places]
        return [((), self._history(finding, finding.location))]

    def narrowed(self, finding: Finding) -> Finding:
        """Return a part of a finding with the scope and the places that its package has there."""
        package = finding.package
        if self._base is None or package is None:
            return finding
        uses = [use for place in finding.places for use in self._base.uses_at(package, place)]
        package = replace(
            package,
            scope=widest(use.scope for use in uses) if uses else package.scope,
            places=tuple(place for place in package.places if place in finding.places),
            asked=tuple(place for place in package.asked if place in finding.places),
        )
        return replace(finding, package=package)

    def _history(self, finding: Finding, place: Location | None) -> History:
        """Return the history of a finding at a place, or at all its places for None."""
        package, base = finding.package, self._base
        first_seen = self._known.first_seen(finding)
        if base is None or package is None:
            return History(Change.NEW, Reason("no-package-base"), first_seen=first_seen)
        shown = " ".join(filter(None, (package.name, package.version)))
        reason = Reason("package-in-base", {"package": shown})
        path = place.path if place else ""
        is_pypi_package = is_pypi(package.purl)
        if not (base.has(package, place) if is_pypi_package else base.lists(package, path)):
            uses = base.other_versions(package, place)
            if finding.category is not Category.VULNERABILITY or not uses or not all(uses):
                reason = self._new_package(package, shown)
                return History(Change.NEW, reason, first_seen=first_seen)
            stays, reason = self._in_other_versions(finding, package, uses)
            if not stays:
                return History(Change.NEW, reason, first_seen=first_seen)
            shown = f"{package.name} {', '.join(stays)}"
        if finding.category is not Category.VULNERABILITY:
            return History(Change.UNCHANGED, reason)
        disclosed, reason = self._disclosed(finding, reason, shown)
        return History(Change.UNCHANGED, reason, disclosed=disclosed, first_seen=first_seen)

    def _new_package(self, package: Package, shown: str) -> Reason:
        """Return the reason for a package that the base does not have in the same use."""
        if is_pypi(package.purl) and not package.places and not package.resolved:
            self._only_installed[shown] = None
            return Reason("package-only-installed", {"package": shown})
        paths: Sequence[str] = ()
        if self._base:
            self._problems = self._base.problems
            paths = self._base.paths(package)[:_SHOWN]
        if paths:
            return Reason("package-elsewhere", {"package": shown, "paths": tuple(paths)})
        return Reason("package-not-in-base", {"package": shown})

    def _in_other_versions(
        self, finding: Finding, package: Package, uses: Sequence[frozenset[str]]
    ) -> tuple[list[str], Reason]:
        """Return the versions of the base that have the vulnerability as well, and the reason.

        There are none if one of the uses had no such version. `uses` has the versions of each.
        """
        ids = finding.advisory.ids if finding.advisory else frozenset()
        versions = frozenset().union(*uses)
        vulnerable = {
            version
            for version in versions
            if not ids.isdisjoint(self._vulnerable.ids.get(_pin(package.purl, version), ()))
        }
        name = package.name
        if not any(map(vulnerable.isdisjoint, uses)):
            stays = sorted(vulnerable, key=lambda text: (version_of(text) or Version("0"), text))
            step, old = _step(stays, package.version), tuple(stays)
            return stays, Reason(
                "still-there", {"package": name, "old": old, "new": package.version, "step": step}
            )
        shown = f"{name} {', '.join(sorted(versions))}"
        for scanner in finding.scanners:
            if why := self._vulnerable.unsure.get(scanner):
                self._unsure[Reason("base-scan-failed", {"scanner": scanner, "why": why})] = None
                return [], Reason(
                    "other-version-not-examined", {"package": shown, "scanner": scanner, "why": why}
                )
        return [], Reason("not-in-other-version", {"package": shown})

    def _disclosed(self, finding: Finding, reason: Reason, shown: str) -> tuple[bool, Reason]:
        """Return True if the vulnerability was not known at the base, and the reason.

        The baseline decides, if there is one, else the date of the advisory.
        """
        path = self._known.path
        if path:
            if self._known.lists(finding):
                if reason.kind == "package-in-base":
                    reason = Reason("advisory-in-baseline", {"package": shown, "path": path})
                return False, reason
            return True, Reason("advisory-not-in-baseline", {"package": shown, "path": path})
        published = read_time(finding.advisory.published if finding.advisory else None)
        if published is None or self._time is None or published <= self._time:
            return False, reason
        day, base_day = f"{published:%Y-%m-%d}", f"{self._time:%Y-%m-%d}"
        return True, Reason(
            "advisory-after-base", {"package": shown, "published": day, "base": base_day}
        )

    def notices(self) -> tuple[Reason, ...]:
        """Return what could not be compared, where that made a finding new."""
        notices = []
        if self._only_installed:
            packages = first_names(list(self._only_installed), _SHOWN)
            notices.append(Reason("installed-packages-count-as-new", {"packages": packages}))
        for reason in list(self._unsure)[:_SHOWN]:
            notices.append(Reason("findings-count-as-new", {"why": reason}))
        for problem in self._problems[:1]:
            notices.append(Reason("packages-count-as-new", {"why": problem}))
        if len(self._problems) > 1:
            number = len(self._problems) - 1
            notices.append(Reason("more-base-files-unread", {"number": number}))
        return tuple(notices)


def _pin(purl: str, version: str) -> _Pin:
    return purl_without_version(purl), canonicalize_version(version)


def _is_same(version: str, package: Package) -> bool:
    """Return True if a package is of this version, by PEP 440."""
    other = package.version
    return version == other or canonicalize_version(version) == canonicalize_version(other)


def _has_same(versions: Iterable[str], package: Package) -> bool:
    return any(_is_same(version, package) for version in versions)


def _step(old: Iterable[str], new: str) -> str:
    """Return the word for the step from any of these versions to another one."""
    after = version_of(new)
    before = [version_of(text) for text in old]
    if after and all(version and version < after for version in before):
        return "upgrade"
    if after and all(version and version > after for version in before):
        return "downgrade"
    return "change"
