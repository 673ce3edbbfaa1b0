"""Code, secrets and misconfigurations against a base commit: only what changed is compared."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline.base_scan import BaseFindings, Wanted, examine_base
from scanagg.baseline.known import as_entry
from scanagg.baseline.lines import Lines, follow
from scanagg.baseline.matching import Match, match
from scanagg.baseline.snapshot import Snapshot, Standing
from scanagg.findings.collect import Bench
from scanagg.model import Category, Change, Finding, History, Run
from scanagg.scanners.base import adapters
from scanagg.scanners.runner import Event

# Files that are one configuration together: what is wrong in one may come from another.
_TERRAFORM: Final = re.compile(r".*\.(?:tf|tofu|tfvars)(?:\.json)?")
_CHART: Final = "Chart.yaml"
_SHOWN: Final = 3


class Place(msgspec.Struct, frozen=True):
    """The base's files, and how the target's stand to them; `work` is a private folder."""

    snapshot: Snapshot
    standing: Standing
    work: Path


class Told(msgspec.Struct, frozen=True):
    """Histories by the numbers of their findings, and what there is to say."""

    histories: Mapping[int, History]
    notices: tuple[str, ...] = ()
    purls: frozenset[str] = frozenset()


def compare(
    findings: Mapping[int, Finding],
    packaged: Mapping[int, Finding],
    place: Place,
    runs: Sequence[Run],
    bench: Bench,
    notify: Callable[[Event], None],
) -> Told:
    """The histories of `findings`, which are in files; of what did not change without a scan.

    `packaged` are findings about packages of manifests that only their scanner can read: it looks
    for them in the base too.
    """
    families = Families(place)
    histories = {number: _settled(one, place, families) for number, one in findings.items()}
    open_ones = {
        number: findings[number] for number, history in histories.items() if history is None
    }
    done = {number: history for number, history in histories.items() if history}
    if not open_ones and not packaged:
        return Told(done)
    if bench.limits.stop.is_set():
        reason = "the check was stopped before the base was examined"
        left = dict.fromkeys(open_ones, History(Change.NEW, reason))
        return Told({**done, **left}, (f"{reason}: findings in changed files count as introduced",))
    scanned = _scanned(open_ones, packaged, place, families, runs, bench, notify)
    lines = follow(
        place.standing.before.values(),
        place.standing.changed.values(),
        _folder(place.work, "lines"),
        bench.limits.stop,
        place.snapshot.named,
    )
    matched = _matched(open_ones, scanned, lines, place)
    judge = _Judge(place, scanned, lines)
    told = {number: judge.history(open_ones[number], one) for number, one in matched.items()}
    return Told({**done, **told}, judge.notices(), scanned.purls)


class Families:
    """Which files belong to one configuration: Terraform's of the target, those of one chart."""

    def __init__(self, place: Place) -> None:
        """Charts are known by their first file, now or in the base."""
        paths = (*place.snapshot.files, *(file.path for file in place.snapshot.target.files))
        self._charts = sorted(
            {path.removesuffix(_CHART) for path in paths if path.rpartition("/")[2] == _CHART}
        )
        differ = (*place.standing.changed, *place.standing.before)
        self.moved = frozenset(map(self.of, differ)) - {""}

    def of(self, path: str) -> str:
        """The family of a file, "" for one that stands alone."""
        if _TERRAFORM.fullmatch(path):
            return "terraform"
        return next((f"chart {each}" for each in self._charts if path.startswith(each)), "")

    def is_moved(self, finding: Finding) -> bool:
        """Whether another file than the finding's own may have made it."""
        path = finding.location.path if finding.location else ""
        return finding.category is Category.MISCONFIGURATION and self.of(path) in self.moved


def _settled(finding: Finding, place: Place, families: Families) -> History | None:
    """The history that needs no look at what the scanners see in the base."""
    path = finding.location.path if finding.location else None
    same, changed = place.standing.same, place.standing.changed
    if path is None or (path not in same and path not in changed):
        return History(Change.NEW, "it is in no file of the project, so no base can be looked at")
    if path in same and not families.is_moved(finding):
        return History(Change.UNCHANGED, f"{path} is as in the base")
    return None


def _scanned(
    findings: Mapping[int, Finding],
    packaged: Mapping[int, Finding],
    place: Place,
    families: Families,
    runs: Sequence[Run],
    bench: Bench,
    notify: Callable[[Event], None],
) -> BaseFindings:
    """The base by the eyes of those scanners that see something where files changed."""
    before = place.standing.before
    everything = (*findings.values(), *packaged.values())
    seers = {scanner for one in everything for scanner in one.scanners}
    known = [run for run in runs if run.scanner in seers & adapters().keys()]
    others = dict.fromkeys(seers - {run.scanner for run in known}, "it cannot be asked")
    reached = any(map(families.is_moved, findings.values()))
    related = [
        path
        for path in place.snapshot.files
        if reached and path not in before and families.of(path) in families.moved
    ]
    if not (before or related):
        return BaseFindings()
    wanted = Wanted(tuple(before), tuple(related), known)
    found = examine_base(place.snapshot, wanted, bench, _folder(place.work, "scan"), notify)
    return replace(found, failed={**found.failed, **others})


def _matched(
    findings: Mapping[int, Finding], scanned: BaseFindings, lines: Lines, place: Place
) -> Mapping[int, Match]:
    named = place.snapshot.named
    same = {named(path) for path in place.standing.same}

    def base_line(path: str, line: int) -> tuple[str, int] | None:
        return (path, line) if path in same else lines.place(path, line)

    current = [as_entry(one, scanned.check(one.evidence)) for one in findings.values()]
    found = match(
        current,
        scanned.entries,
        lines=base_line,
        paths={named(file.path) for file in place.snapshot.target.files},
        base_paths={named(path) for path in place.snapshot.files},
    )
    return dict(zip(findings, found, strict=True))


class _Judge:
    """Says what a match means, and remembers what kept us from knowing better."""

    def __init__(self, place: Place, scanned: BaseFindings, lines: Lines) -> None:
        self._standing = place.standing
        self._named = place.snapshot.named
        self._held = {self._named(path): path for path in place.snapshot.files}
        self._scanned = scanned
        self._lines = lines
        self._lost: list[str] = []

    def history(self, finding: Finding, found: Match) -> History:
        """What to say of a finding; a new one may be so for want of a base to look at."""
        match found.change:
            case Change.UNCHANGED:
                reason = f"it is in the base: {found.tier}"
            case Change.UPDATED:
                reason = f"it was edited since the base: {found.tier} are the same"
            case Change.NEW:
                lost = "; ".join(self._unseen(finding))
                if lost:
                    self._lost.append(lost)
                reason = lost or "it is not in the base"
        return History(found.change, reason)

    def notices(self) -> tuple[str, ...]:
        """What could not be seen of the base, each once, and what follows from it."""
        lost = list(dict.fromkeys(self._lost))
        rest = [f"{len(lost) - _SHOWN} more files of the base could not be examined"]
        shown = (*lost[:_SHOWN], *(rest if len(lost) > _SHOWN else ()))
        return tuple(f"{reason}: findings there count as introduced" for reason in shown)

    def _unseen(self, finding: Finding) -> Iterator[str]:
        """Why the finding may be in the base though it was not found there."""
        path = self._base_path(finding.location.path if finding.location else "")
        if path in self._standing.unread:
            yield f"{path} of the base could not be read from git"
        for scanner in finding.scanners:
            failed, gap = self._scanned.failed.get(scanner), self._scanned.gaps.get((scanner, path))
            if failed:
                yield f"{scanner} could not examine the base ({failed})"
            elif gap:
                yield f"{scanner} could not examine {path} of the base ({gap})"

    def _base_path(self, path: str) -> str:
        """The path in the base of what is `path` now; the same where it was not renamed."""
        followed = self._lines.files.get(self._named(path))
        return self._held.get(followed.base, path) if followed else path


def _folder(work: Path, name: str) -> Path:
    place = work / name
    place.mkdir()
    return place
