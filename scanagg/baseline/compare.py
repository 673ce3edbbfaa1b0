"""Decide the history of every finding: from the base commit first, then from the baseline file."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline.base import Base
from scanagg.baseline.compare_code import BaseFiles, Histories, compare_code
from scanagg.baseline.compare_packages import (
    PackageComparison,
    Vulnerable,
    read_packages,
    scan_other_versions,
)
from scanagg.baseline.file import PACKAGE_CATEGORIES
from scanagg.baseline.lookup import (
    KnownAdvisories,
    anchors_of,
    first_seen,
    known_advisories,
    look_up,
)
from scanagg.baseline.snapshot import compare_files, in_repository, read_snapshot
from scanagg.core import cache
from scanagg.core.git import Git
from scanagg.findings.collect import ScanSetup
from scanagg.findings.fingerprint import HASH_DIGITS, fingerprint
from scanagg.inventory.uv import Resolver
from scanagg.model import (
    Category,
    Change,
    Finding,
    History,
    Inventory,
    Location,
    Parts,
    PlaceHistory,
    Reason,
    Run,
    Target,
    is_pypi,
    sorted_locations,
)
from scanagg.project.kinds import may_list_packages
from scanagg.project.secret_key import PLACE as KEY
from scanagg.project.secret_key import VARIABLE
from scanagg.scanners.runner import Event

_PACKAGE_CATEGORIES: Final = frozenset((Category.VULNERABILITY, Category.LICENSE))
_BEST_KNOWN_FIRST: Final = (Change.UNCHANGED, Change.UPDATED, Change.NEW)


class Traced(msgspec.Struct, frozen=True):
    """The findings with their histories, in the given order, and notices about the comparison.

    A finding whose places have different histories is several here.

    `lost` are the packages of the base that nothing lists, by their manifests, and `indexes` the
    package indexes that the change adds.
    """

    findings: tuple[Finding, ...]
    notices: tuple[Reason, ...] = ()
    lost: tuple[Reason, ...] = ()
    indexes: tuple[Reason, ...] = ()


def trace(
    findings: Sequence[Finding],
    runs: Sequence[Run],
    base: Base,
    target: Target,
    inventory: Inventory,
    setup: ScanSetup,
    notify: Callable[[Event], None],
    resolver: Resolver | None = None,
) -> Traced:
    """Return every finding with its history; the scanners of the head scan the base too.

    A finding of which only some places are new is split. A finding is new where its base could not
    be examined, and a notice says so. `resolver` gives versions to open requirements of the base.
    """
    baseline = base.baseline
    if base.info is None:
        return Traced(tuple(findings))
    in_files = dict(enumerate(findings))
    of_packages = {
        number: in_files.pop(number)
        for number, finding in enumerate(findings)
        if finding.category in _PACKAGE_CATEGORIES
    }
    git = Git(target.root, setup.limits.stop)
    times: Mapping[int, datetime] = {}
    known = KnownAdvisories()
    if baseline:
        times = first_seen(git, target, baseline, base.ref_of_rules)
        known = known_advisories(baseline, times)
    in_base, vulnerable = None, Vulnerable()
    with cache.work_folder(setup.cache) as work:
        files, notices = _base_files(git, base, target, inventory, of_packages.values(), work)
        code = _compare_files(in_files, of_packages, base, files, runs, setup, notify)
        if files:
            folder = work / "manifests"
            folder.mkdir()
            in_base = read_packages(files.snapshot, files.changes, inventory, folder, resolver)
            in_base = replace(in_base, reported=code.packages)
            vulnerable = scan_other_versions(
                of_packages.values(), in_base, files.snapshot, setup, notify
            )
    packages = PackageComparison(in_base, base.time, known, vulnerable)
    histories = code.by_place
    if baseline:
        histories = look_up(
            in_files,
            histories,
            baseline,
            times=times,
            paths={in_repository(target, file.path) for file in target.files},
            # Without the project's key, an entry does not identify the value of a secret, and a
            # base commit does.
            secrets=bool(setup.key) or base.commit is None,
            prefix=in_repository(target, ""),
        )
    ordinals = Counter(finding.parts for finding in findings)
    traced: list[Finding] = []
    for number, finding in enumerate(findings):
        if number in of_packages:
            parts = [*split(finding, packages.histories(finding), ordinals)]
            traced += map(packages.narrowed, parts) if len(parts) > 1 else parts
        else:
            groups = [
                (places, histories[number, index])
                for index, places in enumerate(_places_of_anchors(finding))
            ]
            traced += split(finding, groups, ordinals)
    notices = [*notices, *_key_notices(base, setup), *code.notices, *packages.notices()]
    return Traced(
        tuple(traced),
        tuple(dict.fromkeys(notices)),
        in_base.lost if in_base else (),
        in_base.indexes if in_base else (),
    )


def split(
    finding: Finding, groups: Iterable[PlaceHistory], ordinals: Counter[Parts | None]
) -> Iterator[Finding]:
    """Yield a finding once for each result of the comparison, with the places that have it.

    Results that are equal for the policy are one; the reason is that of the first. The part that is
    known best keeps the fingerprint, and each further one has the next ordinal. `ordinals` counts
    the findings with equal parts. ValueError for a finding without parts that has to be split.
    """
    histories: dict[tuple[Change, bool], History] = {}
    places: dict[tuple[Change, bool], list[Location]] = {}
    for group, history in groups:
        key = (history.change, history.disclosed)
        histories.setdefault(key, history)
        places.setdefault(key, []).extend(group)
    known, *others = sorted(histories, key=lambda key: (_BEST_KNOWN_FIRST.index(key[0]), key[1]))
    if not others:
        yield replace(finding, history=histories[known])
        return
    if finding.parts is None:
        raise ValueError(f"finding {finding.id} has no parts")
    yield _part(finding, places[known], histories[known])
    for key in others:
        digest = fingerprint(finding.parts, ordinals[finding.parts])
        ordinals[finding.parts] += 1
        part = _part(finding, places[key], histories[key])
        yield replace(part, id=digest[: len(finding.id)], fingerprint=digest)


def _places_of_anchors(finding: Finding) -> Iterator[Sequence[Location]]:
    """Yield the places of a finding that each of its anchors is about."""
    by_line: dict[tuple[str, int], list[Location]] = defaultdict(list)
    for place in finding.places:
        for line in place.lines:
            by_line[place.path, line].append(place)
    for anchor in finding.anchors:
        if anchor.place is None:
            yield finding.places
        else:
            keys = ((anchor.place.path, line) for line in anchor.place.lines)
            yield tuple(dict.fromkeys(chain.from_iterable(map(by_line.__getitem__, keys))))


def _part(finding: Finding, places: Iterable[Location], history: History) -> Finding:
    """Return a finding with some of its places only; the first is shown, or the same as before."""
    part = replace(finding, places=sorted_locations(places), history=history)
    if finding.parts and finding.parts.category not in PACKAGE_CATEGORIES:
        own = frozenset(part.places)
        anchors = tuple(one for one in finding.anchors if one.place in own)
        part = replace(part, anchors=anchors or finding.anchors)
    if finding.location in part.places:
        return part
    shown = next((one for one in part.anchors if one.place), None)
    place, snippet = (shown.place, shown.snippet) if shown else (part.places[0], None)
    return replace(part, location=place, snippet=snippet, line_hash=None)


def _base_files(
    git: Git,
    base: Base,
    target: Target,
    inventory: Inventory,
    of_packages: Iterable[Finding],
    work: Path,
) -> tuple[BaseFiles | None, Sequence[Reason]]:
    """Return the base's files beside the target's, if there is a commit; or a notice why not.

    Where only packages are compared with a commit, so are only manifests and other files that list
    packages.
    """
    commit = base.commit or base.package_commit
    if commit is None:
        return None, ()
    snapshot = read_snapshot(git, commit, target)
    if snapshot is None:
        why = Reason("stopped-before-base") if git.stop.is_set() else Reason("base-unreadable")
        return None, (Reason("findings-count-as-new", {"why": why}),)
    listing = {*inventory.manifests, *(finding.path for finding in of_packages)}

    def compared(path: str) -> bool:
        return base.commit is not None or may_list_packages(path) or path in listing

    folder = work / "before"
    folder.mkdir()
    return BaseFiles(snapshot, compare_files(snapshot, folder, compared), work), ()


def _compare_files(
    in_files: Mapping[int, Finding],
    of_packages: Mapping[int, Finding],
    base: Base,
    files: BaseFiles | None,
    runs: Sequence[Run],
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> Histories:
    """Compare findings in files with the base commit; and packages that only a scanner can read."""
    histories = {}
    if files is None or base.commit is None:
        reason = Reason("base-unreadable")
        if base.baseline:
            reason = Reason("not-in-baseline", {"path": base.baseline.path})
        histories = dict.fromkeys(anchors_of(in_files), History(Change.NEW, reason))
        in_files = {}
    if files is None:
        return Histories(histories)
    foreign = {
        number: finding
        for number, finding in of_packages.items()
        if finding.package and not is_pypi(finding.package.purl)
        if not files.changes.changed.keys().isdisjoint(
            (finding.path, *(place.path for place in finding.places))
        )
    }
    compared = compare_code(in_files, foreign, files, runs, setup, notify)
    return replace(compared, by_place={**histories, **compared.by_place})


def _key_notices(base: Base, setup: ScanSetup) -> Sequence[Reason]:
    """Return a notice if only a baseline knows of secrets, and its key is missing."""
    baseline = base.baseline
    if baseline is None or base.commit is not None or setup.key:
        return ()
    if all(len(entry.parts.code) <= HASH_DIGITS for entry in baseline.entries):
        return ()
    return (
        Reason("project-key-missing", {"path": baseline.path, "key": KEY, "variable": VARIABLE}),
    )
