"""The history of every finding: the base commit first, then what the baseline file knows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline import blame, code, packages
from scanagg.baseline.code import Place, Told
from scanagg.baseline.file import Baseline
from scanagg.baseline.known import Against, KnownAdvisories, known_advisories, look_up
from scanagg.baseline.snapshot import compared, in_repository, read_snapshot
from scanagg.baseline.values import Base, Traced
from scanagg.core import cache
from scanagg.core.git import Git
from scanagg.findings.collect import Bench
from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.model import Category, Change, Finding, History, Inventory, Run, Target, pypi_purl
from scanagg.project.secret_key import PLACE as KEY
from scanagg.project.secret_key import VARIABLE
from scanagg.scanners.runner import Event

_OF_PACKAGES: Final = frozenset((Category.VULNERABILITY, Category.LICENSE))
_PYPI: Final = pypi_purl("")
_UNREAD: Final = "the base commit could not be read from git"
_STOPPED: Final = "the check was stopped before the base was read"
_Findings = Mapping[int, Finding]


class _Case(msgspec.Struct, frozen=True):
    """Everything that the histories of one check are made from."""

    findings: Sequence[Finding]
    base: Base
    target: Target
    inventory: Inventory
    runs: Sequence[Run]
    bench: Bench
    notify: Callable[[Event], None]
    times: Mapping[int, datetime] = msgspec.field(default_factory=dict)
    known: KnownAdvisories | None = None

    def of_files(self) -> _Findings:
        """The findings that are in files, by their numbers."""
        return {n: one for n, one in self._numbered() if one.category not in _OF_PACKAGES}

    def of_packages(self) -> _Findings:
        """The findings that are about packages."""
        return {n: one for n, one in self._numbered() if one.category in _OF_PACKAGES}

    def _numbered(self) -> Sequence[tuple[int, Finding]]:
        return list(enumerate(self.findings))


def trace(
    findings: Sequence[Finding],
    runs: Sequence[Run],
    base: Base,
    target: Target,
    inventory: Inventory,
    bench: Bench,
    notify: Callable[[Event], None],
) -> Traced:
    """The history of every finding against the base; the base is judged with the same tools.

    Where the base could not be examined the finding is new, and a notice says so.
    """
    if base.commit is None and base.baseline is None:
        return Traced(tuple(findings))
    case = _Case(findings, base, target, inventory, runs, bench, notify)
    git = Git(target.root, bench.limits.stop)
    if base.baseline:
        times = blame.first_seen(git, target, base.baseline, base.ref_of_rules)
        case = replace(case, times=times, known=known_advisories(base.baseline, times))
    with cache.work_folder(bench.cache) as work:
        place, notice = _place(git, case, work)
        files = _files(case, place)
        judge = _judge(case, place, files.purls, work)
    histories = dict(files.histories)
    if base.baseline:
        histories.update(look_up(case.of_files(), histories, _against(case, base.baseline)))
    for number, one in case.of_packages().items():
        histories[number] = _of_package(one, judge, case)
    notices = (notice, _keyless(case), *files.notices, *(judge.notices() if judge else ()))
    return Traced(
        tuple(replace(one, history=histories[n]) for n, one in enumerate(findings)),
        tuple(each for each in dict.fromkeys(notices) if each),
    )


def _keyless(case: _Case) -> str:
    """What to say where only a baseline tells of secrets, and its key is not here."""
    known = case.base.baseline
    if known is None or case.base.commit is not None or case.bench.key:
        return ""
    if all(len(one.parts.statement) <= HASH_DIGITS for one in known.entries):
        return ""
    return (
        f"{known.path} was made with the project's key ({KEY}, {VARIABLE}), which is not here: "
        "a known secret whose value has changed does not count as new"
    )


def _place(git: Git, case: _Case, work: Path) -> tuple[Place | None, str]:
    """The base's files beside the target's, if there is a commit; what to say where they are not.

    Where packages alone are compared with a commit, so are only files that name packages.
    """
    commit = case.base.commit or case.base.package_commit
    if commit is None:
        return None, ""
    snapshot = read_snapshot(git, commit, case.target)
    if snapshot is None:
        stopped = case.bench.limits.stop.is_set()
        return None, f"{_STOPPED if stopped else _UNREAD}: what it would tell counts as introduced"
    naming = {*case.inventory.manifests, *_locations(case.of_packages())}

    def wanted(path: str) -> bool:
        return case.base.commit is not None or packages.is_manifest(path) or path in naming

    folder = work / "before"
    folder.mkdir()
    return Place(snapshot, compared(snapshot, folder, wanted), work), ""


def _locations(findings: _Findings) -> set[str]:
    return {one.location.path for one in findings.values() if one.location}


def _files(case: _Case, place: Place | None) -> Told:
    """What the base commit tells of the findings in files; and of packages only a scanner reads."""
    findings = case.of_files()
    if place is None or case.base.commit is None:
        path = case.base.baseline.path if case.base.baseline else ""
        reason = f"{path} does not list it" if path else _UNREAD
        told = Told(dict.fromkeys(findings, History(Change.NEW, reason)))
        findings = {}
    else:
        told = Told({})
    foreign = _foreign(case, place)
    if place is None or not (findings or foreign):
        return told
    found = code.compare(findings, foreign, place, case.runs, case.bench, case.notify)
    return replace(found, histories={**told.histories, **found.histories})


def _foreign(case: _Case, place: Place | None) -> _Findings:
    """Findings about packages of changed manifests that are not Python's."""
    changed = place.standing.changed if place else {}
    return {
        number: one
        for number, one in case.of_packages().items()
        if one.package and not one.package.purl.startswith(_PYPI)
        if one.location and one.location.path in changed
    }


def _judge(
    case: _Case, place: Place | None, purls: frozenset[str], work: Path
) -> packages.PackageJudge | None:
    """Who judges findings about packages; nobody where no commit tells of them."""
    if place is None or not case.of_packages():
        return None
    folder = work / "manifests"
    folder.mkdir()
    found = packages.read_packages(place.snapshot, place.standing, case.inventory, folder)
    return packages.PackageJudge(replace(found, purls=purls), case.base.time, case.known)


def _of_package(finding: Finding, judge: packages.PackageJudge | None, case: _Case) -> History:
    if judge and finding.package:
        return judge.history(finding, finding.package)
    first_seen = case.known.first_seen(finding) if case.known else None
    reason = "there is no commit to compare packages with"
    return History(Change.NEW, reason, first_seen=first_seen)


def _against(case: _Case, baseline: Baseline) -> Against:
    return Against(
        baseline=baseline,
        times=case.times,
        paths=frozenset(in_repository(case.target, file.path) for file in case.target.files),
        compared=case.base.commit is not None,
        keyed=bool(case.bench.key),
    )
