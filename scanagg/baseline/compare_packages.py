"""Compare vulnerabilities and licences with a base: a package that the base has is not new."""

import operator
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_version

from scanagg.baseline.lookup import KnownAdvisories
from scanagg.baseline.snapshot import FileChanges, Snapshot, read_links
from scanagg.core.text import first_names
from scanagg.core.times import read_time
from scanagg.inventory import read_inventory
from scanagg.inventory.manifest import grouped
from scanagg.inventory.merge import project_folder
from scanagg.inventory.scopes import widest
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
    SourceFile,
    Use,
    is_pypi,
)
from scanagg.project.kinds import kinds_of, may_list_packages

_SHOWN: Final = 3

_Uses = Mapping[tuple[str, str], Sequence[Use]]
"""The uses of each package, by its name and its version, normalised."""


class BasePackages(msgspec.Struct, frozen=True):
    """The packages of the base and of the target, by their uses.

    `gone` are the projects and files of the base that the target does not have, `new` those that
    only the target has. `same` are files of the target that are as in the base. `purls` are the
    packages that a scanner reported in the base, with the files that list them. `problems` are
    manifests of the base that cannot be read, with the reason, and `lost` names packages of the
    base that nothing lists. `indexes` are the package indexes that the base does not have.
    """

    uses: _Uses
    uses_now: _Uses
    gone: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
    purls: Mapping[str, frozenset[str]] = {}
    problems: tuple[Reason, ...] = ()
    lost: tuple[Reason, ...] = ()
    indexes: tuple[Reason, ...] = ()

    def has(self, package: Package, place: Location | None) -> bool:
        """Return True if the base has this version of a PyPI package in all its uses at a place.

        It has a use if the package reached as many people in the same project, in one whose folder
        was renamed, or by the same file. Use by developers is the same in any project.
        """
        before = self.uses.get(_pin(package), ())
        return bool(before) and all(
            any(
                old.reach >= use.reach
                and (
                    use.reach == 0
                    or self._is_renamed(old.project, use.project)
                    # A file that only another manifest included may count by itself.
                    or (old.path == use.path and posixpath.dirname(use.path) == use.project)
                )
                for old in before
            )
            for use in self.uses_at(package, place)
        )

    def uses_at(self, package: Package, place: Location | None) -> Sequence[Use]:
        """Return the uses of a package by the file of a place, else by the project of that file.

        A line that requires only what leads to the package is in a file of its project. All uses
        count if none is known to belong there, or for no place.
        """
        uses = self.uses_now.get(_pin(package), ())
        if place is None:
            return uses
        listed = [use for use in uses if use.path == place.path]
        project = project_folder(place.path)
        return listed or [use for use in uses if use.project == project] or uses

    def lists(self, package: Package, path: str) -> bool:
        """Return True if a scanner found the package in the base, in this file."""
        before = self.purls.get(package.purl, frozenset())
        return path in self.same or any(self._is_renamed(old, path) for old in before)

    def paths(self, package: Package) -> tuple[str, ...]:
        """Return the files of the base that list this version of a package."""
        paths = {use.path for use in self.uses.get(_pin(package), ())}
        return tuple(sorted(paths | self.purls.get(package.purl, frozenset())))

    def _is_renamed(self, old: str, new: str) -> bool:
        """Return True if the names are equal, or if the old one is gone and the new one is new."""
        return old == new or (old in self.gone and new in self.new)


def read_packages(
    snapshot: Snapshot, changes: FileChanges, inventory: Inventory, work: Path
) -> BasePackages:
    """Return the packages at the base; those of the target where no manifest differs.

    `inventory` is the target's. Installed environments are no part of any commit.
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
    ends = operator.attrgetter("path", "end")
    same_links = set(map(ends, links)) == set(map(ends, snapshot.target.links))
    before = set(snapshot.files)
    if same_links and not manifests and differing.isdisjoint(inventory.manifests):
        uses = _by_package(inventory.uses)
        return BasePackages(
            uses, uses, frozenset(before - now), frozenset(now - before), changes.same
        )
    named = {*inventory.manifests, *lists, *(link.end for link in links)}
    paths = [path for path in snapshot.files if may_list_packages(path) or path in named]
    base = read_inventory(replace(snapshot.lay_out(paths, work), links=links))
    unread = sorted(changes.unread & manifests)
    problems = [Reason("base-file-unreadable", {"path": path}) for path in unread]
    problems += [
        Reason("base-manifest-broken", {"path": gap.input, "why": gap.reason})
        for gap in base.problems
    ]
    before |= {use.project for use in base.uses}
    now |= {use.project for use in inventory.uses}
    return BasePackages(
        uses=_by_package(base.uses),
        uses_now=_by_package(inventory.uses),
        gone=frozenset(before - now),
        new=frozenset(now - before),
        same=changes.same,
        problems=tuple(dict.fromkeys(problems)),
        lost=(
            *_lost_packages(base, inventory, now),
            *_lost_manifests(base, inventory, changes, before, now),
        ),
        indexes=tuple(_added_indexes(base, inventory)),
    )


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


def _by_package(uses: Iterable[Use]) -> _Uses:
    return grouped(uses, lambda use: (use.name, canonicalize_version(use.version)))


class PackageComparison:
    """Decides the histories of vulnerabilities and licences, and collects notices about them.

    `base` is None where the packages of the base are not known. `time` is that of the base commit,
    `known` what a baseline lists.
    """

    def __init__(
        self, base: BasePackages | None, time: datetime | None, known: KnownAdvisories
    ) -> None:
        """Start without notices."""
        self._base = base
        self._time = time
        self._known = known
        self._only_installed: dict[str, None] = {}
        self._problems: tuple[Reason, ...] = ()

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
        """Return the history: new where the base does not have the package in this version."""
        package = finding.package
        first_seen = self._known.first_seen(finding)
        if self._base is None or package is None:
            return History(Change.NEW, Reason("no-package-base"), first_seen=first_seen)
        shown = " ".join(filter(None, (package.name, package.version)))
        reason = Reason("package-in-base", {"package": shown})
        if is_pypi(package.purl):
            is_known = self._base.has(package, place)
        else:
            is_known = self._base.lists(package, place.path if place else "")
        if not is_known:
            if is_pypi(package.purl) and not package.places:
                self._only_installed[shown] = None
                reason = Reason("package-only-installed", {"package": shown})
            else:
                self._problems = self._base.problems
                reason = Reason("package-not-in-base", {"package": shown})
                paths = self._base.paths(package)[:_SHOWN]
                if paths:
                    reason = Reason("package-elsewhere", {"package": shown, "paths": paths})
            return History(Change.NEW, reason, first_seen=first_seen)
        if finding.category is not Category.VULNERABILITY:
            return History(Change.UNCHANGED, reason)
        disclosed, reason = self._disclosed(finding, reason, shown)
        return History(Change.UNCHANGED, reason, disclosed=disclosed, first_seen=first_seen)

    def _disclosed(self, finding: Finding, reason: Reason, shown: str) -> tuple[bool, Reason]:
        """Return True if the vulnerability was not known at the base, and the reason.

        The baseline decides, if there is one, else the date of the advisory.
        """
        path = self._known.path
        if path:
            if self._known.lists(finding):
                return False, Reason("advisory-in-baseline", {"package": shown, "path": path})
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
        for problem in self._problems[:1]:
            notices.append(Reason("packages-count-as-new", {"why": problem}))
        if len(self._problems) > 1:
            number = len(self._problems) - 1
            notices.append(Reason("more-base-files-unread", {"number": number}))
        return tuple(notices)


def _pin(package: Package) -> tuple[str, str]:
    """Return name and version, the same for all spellings of a version by PEP 440."""
    return package.name, canonicalize_version(package.version)
