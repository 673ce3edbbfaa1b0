"""Accuracy of matching findings, measured on the history of real projects.

    python benchmarks/identity.py --cache FOLDER [--step 30] [--snapshots 12] [--tools FOLDER]
        [--explain] [--lost 5] CLONE...

CLONE is a git clone with its history. Going back from its HEAD along first parents, every
`--step`-th commit is a snapshot, and each is compared with the one before it. Nothing is written to
the clone. Scanners scan every snapshot through scanagg's own packages: bandit without B101
(asserts), detect-secrets, and Trivy if it is on PATH, without findings about packages. Vendored and
generated files are left out, and those over 200 kB, which are most often data. The results are kept
in the folder `--cache`, before anything is merged or identified. So if only the identity of
findings changes, the next run takes seconds for each project. Use a new folder after a change to a
scanner.

The history, not our matching, gives the expected result for each place of a finding in the newer
snapshot. A secret with several places counts once for each.

- *unchanged*: `git blame --first-parent -w -M -C` over the commits between the two leads its lines
  back to consecutive lines of the older snapshot, and the same rule was reported on the first of
  them; any rule about secrets for a secret. For a misconfiguration, the first line decides, or the
  file if there is no line. If blame leads several places to one, the old one is the one on a line
  that a plain diff also finds, else the one in the same file, else the first; the others are
  copies.
- *added*: one of the commits between wrote its first line (for a copy: by blame without -M and -C),
  and that commit did not remove text with the same letters and digits (without comments) as its
  lines or as the first ones that it wrote, or a line like the first; for a secret, not the same
  value. Larger edits count as added,
  because their author should look at the finding. A whole file is added if it is new, or if it
  changed and the rule was not reported for it.
- *edited*, in no rate: its first line is old, but not all of the others are, or not all lines of a
  string that it is in; or a commit rewrote its line and removed the same flagged expression (of at
  least 12 letters and digits, or in the same hunk) or another import of the same module. So it may
  equally well count as the same finding or as another one.
- *unsure*, in no rate: a commit rewrote its line and also removed the same letters or the same
  value somewhere (formatted or moved, too short for blame to follow); or a diff of the two
  snapshots, with whitespace or without, finds its line in the older one, where the same rule was
  reported (removed and written again); or its line is old and the rule was not reported there (its
  meaning changed because of code elsewhere); or it moved from tests, documentation or examples into
  a file that runs.

*Kept* is an unchanged place that is matched as unchanged with its own older version, not with an
equal one. *Hidden* is an added place that is matched as unchanged with any other. `file` compares
with a committed baseline, `commit` with a base commit: findings in equal files are unchanged, only
the other files are scanned there, and git's line map is used.

`--tools` names a folder with the programs black, ruff and isort. Then the newest snapshot is also
compared with itself after each of the changes in `transforms.py`, like `file`. The n-th finding of
a scanner, rule and value in a file, on equal lines if lines stay, must match the n-th one
afterwards. Where there is a different number of them afterwards, they are left out.

Limits: *unsure* findings are not judged; blame may follow a line wrongly; a merge counts as one
step, with everything on its side branch.
"""

import argparse
import gc
import hashlib
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import history
from history import ADDED, EDITED, UNSURE, Clone, Judge, Place, Truth, has_edited_string, letters
from scans import Cache, Flag, Scan, Snapshot, flags, places, scan_folder, snapshot, where
from transforms import REFLOWING, before, transformed, transforms

from scanagg.baseline.file import Baseline, entries_for
from scanagg.baseline.lookup import anchors_of, compare, match_entry
from scanagg.baseline.matching import BaselineMatch, match
from scanagg.model import Anchor, Change, Finding, Location

WAYS = ("file", "commit")
UNCHANGED = "unchanged"
IMPORTS = "B4"  # bandit's rules for them
GARBAGE = 200_000  # a collection is slow beside many syntax trees
WIDTH = 150  # of a printed line of code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a comparison says about a finding: where it was. It is new if it was nowhere."""

    places: frozenset[Place] = frozenset()
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One place of a finding, with the truth about it and the answer of each way to compare."""

    finding: Finding
    flag: Flag
    truth: Truth
    older: Finding | None
    answers: Mapping[str, Answer]

    @property
    def kind(self) -> str:
        """One of "unchanged", "added", "edited" and "unsure"."""
        return self.truth if isinstance(self.truth, str) else UNCHANGED

    def is_kept(self, way: str) -> bool:
        """Return True for an unchanged place that is matched with its own older version."""
        return self.truth in self.answers[way].places

    def is_hidden(self, way: str) -> bool:
        """Return True for an added place that is matched with any other."""
        return self.kind == ADDED and bool(self.answers[way].places)


# The comparisons of scanagg.


Said = Mapping[tuple[int, int], Answer]
"""The answers for each anchor, by the numbers of its finding and of itself."""


def by_file(base: Snapshot, head: Snapshot) -> Said:
    """Compare as with a baseline file that was written for the base."""
    entries = tuple(chain.from_iterable(map(entries_for, base.findings)))
    baseline = Baseline("baseline.json", entries, tuple(range(len(entries))))
    found = compare(baseline, head.findings, (), head.scan.files)
    known = [*chain.from_iterable(map(old_places, base.findings))]
    return {
        (number, index): answer(one, known)
        for number, matches in enumerate(found.matches)
        for index, one in enumerate(matches)
    }


def by_commit(base: Snapshot, head: Snapshot, judge: Judge) -> Said:
    """Compare as with a base commit: only files that differ are scanned there."""
    same = {path for path, digest in head.scan.files.items() if base.scan.files.get(path) == digest}
    scanned = snapshot(base.name, base.root, base.scan, base.scan.files.keys() - same)
    changed = {n: one for n, one in enumerate(head.findings) if one.path not in same}
    old = anchors_of(dict(enumerate(scanned.findings)))
    anchors = anchors_of(changed)
    matches = match(
        [match_entry(one, one.evidence) for one in anchors.values()],
        [match_entry(one, one.evidence) for one in old.values()],
        lines=judge.lines,
        renames=judge.renames,
        paths=head.scan.files,
        base_paths=base.scan.files,
    )
    said = {
        (number, index): Answer(old_place, "unchanged file")
        for number, one in enumerate(head.findings)
        for index, old_place in enumerate(old_places(one))
    }
    known = [*chain.from_iterable(map(old_places, scanned.findings))]
    return {**said, **{n: answer(one, known) for n, one in zip(anchors, matches, strict=True)}}


def answer(match_: BaselineMatch, known: Sequence[frozenset[Place]]) -> Answer:
    """Return the old places of a match, `places` being those of all anchors."""
    if match_.change is Change.UNCHANGED and match_.base is not None:
        return Answer(known[match_.base], match_.tier)
    return Answer(tier=match_.tier)


def old_places(finding: Finding) -> list[frozenset[Place]]:
    """Return the flagged places of each anchor."""
    return [
        frozenset(
            where(place)
            for place in places(finding.location, finding.places)
            if is_at(place, anchor)
        )
        for anchor in finding.anchors
    ]


def is_at(place: Location, anchor: Anchor) -> bool:
    return anchor.place is None or anchor.place.overlaps(place)


# What is measured.


def cases(
    base: Snapshot, head: Snapshot, truth: Mapping[Flag, Truth], said: Mapping[str, Said]
) -> Iterator[Case]:
    """Yield all places of the findings of `head` that are judged."""
    old = {(flag.kind, flag.path, flag.line): one for one in base.findings for flag in flags(one)}
    for number, finding in enumerate(head.findings):
        for flag, place in zip(
            flags(finding), places(finding.location, finding.places), strict=True
        ):
            what = truth.get(flag, UNSURE)
            if isinstance(what, tuple) and has_edited_string(base, head, flag, what):
                what = EDITED
            older = None if isinstance(what, str) else old.get((flag.kind, *what))
            index = next((n for n, one in enumerate(finding.anchors) if is_at(place, one)), 0)
            yield Case(finding, flag, what, older, {way: said[way][number, index] for way in said})


class Project:
    """One clone, measured with what the cache has of it."""

    def __init__(self, path: Path, options: argparse.Namespace, work: Path) -> None:
        """Measure nothing yet."""
        self.clone = Clone(path)
        self.name = path.name
        self.options = options
        self.cache = Cache(options.cache)
        self.work = work
        self.known = Scan()

    def snapshot(self, commit: str) -> Snapshot:
        """Return the snapshot of a commit."""
        self.known = self.cache.recall(f"scan-{commit}", Scan, partial(self._scan, commit))
        root = self.clone.export(commit, self.work / commit, self.known.observations)
        return snapshot(commit, root, self.known)

    def _scan(self, commit: str) -> Scan:
        print(f"scanning {self.name} {commit[:9]}", file=sys.stderr)
        root = self.clone.export(commit, self.work / "all", self.clone.files(commit))
        try:
            return scan_folder(root, self.known)
        finally:
            shutil.rmtree(root)

    def compare(self, base: Snapshot, head: Snapshot) -> list[Case]:
        """Return all places of the newer snapshot's findings."""
        judge = Judge(self.clone, base, head)
        known = repr(
            [
                sorted((*flag, flagged.last) for flag, flagged in one.flagged.items())
                for one in (base, head)
            ]
        )
        judging = Path(history.__file__).read_bytes()
        digest = hashlib.sha256(judging + known.encode()).hexdigest()[:16]
        truth = dict(
            self.cache.recall(
                f"truth-{base.name[:16]}-{head.name[:16]}-{digest}",
                list[tuple[Flag, Truth]],
                lambda: list(judge.truth().items()),
            )
        )
        said = {"file": by_file(base, head), "commit": by_commit(base, head, judge)}
        found = list(cases(base, head, truth, said))
        if self.options.explain:
            explain(self.name, base, head, found, self.options.lost)
        return found

    def transformed(self, head: Snapshot) -> Mapping[str, list[Case]]:
        """Return the places of the newest snapshot's findings after each transform."""
        after = {}
        for name, transform in transforms(self.options.tools).items():
            file = f"{head.name}-{name.replace(' ', '-')}"
            root = transformed(transform, head, self.cache.folder / f"tree-{file}")
            scan = self.cache.recall(f"scan-{file}", Scan, partial(scan_folder, root, head.scan))
            new = snapshot(file, root, scan)
            truth = same(head, new, reflowed=name in REFLOWING)
            after[name] = list(cases(head, new, truth, {"file": by_file(head, new)}))
            if self.options.explain:
                explain(f"{self.name} {name}", head, new, after[name], self.options.lost)
        return after


def same(old: Snapshot, new: Snapshot, *, reflowed: bool) -> dict[Flag, Truth]:
    """Return the old places of flags after a transform, by order; without those that are not clear.

    `reflowed` means that the text of lines has changed. Then a scanner may report a value only now:
    its old place is the only one where the value was reported.
    """
    places = numbered(old, reflowed=reflowed)
    found: dict[Flag, Truth] = {}
    unclear: list[tuple[Flag, set[Flag]]] = []
    for key, flags_now in numbered(new, reflowed=reflowed).items():
        if len(flags_now) == len(places[key]):
            pairs = zip(flags_now, places[key], strict=True)
            found |= {flag: (older.path, older.line) for flag, older in pairs}
        elif key.value:
            known = {flag for other in places if other[1:] == key[1:] for flag in places[other]}
            unclear += ((flag, known) for flag in flags_now)
    for flag, known in unclear:
        if len(known) == 1:
            found.setdefault(flag, *((older.path, older.line) for older in known))
    return found


class Group(NamedTuple):
    """What flags have in common before and after a transform."""

    scanner: str
    kind: str
    path: str
    value: str
    text: bytes


def numbered(snapshot: Snapshot, *, reflowed: bool) -> Mapping[Group, list[Flag]]:
    """Return the flags of each group, by line. Lines that were reflowed do not count as text."""
    groups: dict[Group, list[Flag]] = defaultdict(list)
    for flag, flagged in sorted(snapshot.flagged.items()):
        text = b""
        if flag.line and (flag.kind.startswith(IMPORTS) or not reflowed):
            text = letters((snapshot.root / flag.path).read_bytes().splitlines()[flag.line - 1])
        for scanner, value in sorted(flagged.values):
            groups[Group(scanner, flag.kind, before(flag.path), value, text)].append(flag)
    return groups


# The tables.

Key = tuple[str, ...]


def count(found: Sequence[Case]) -> Mapping[str, Counter[Key]]:
    """Return the numbers for each category."""
    made: dict[str, Counter[Key]] = defaultdict(Counter)
    for case in found:
        figures = made[case.finding.category.value]
        figures[case.kind,] += 1
        for way in case.answers:
            figures[way, "kept"] += case.is_kept(way)
            figures[way, "hidden"] += case.is_hidden(way)
    return made


HEAD = (
    "project", "findings", "unchanged", "kept: file", "commit", "added", "hidden: file", "commit",
    "edited", "unsure",
)  # fmt: skip


def row(name: str, category: str, figures: Counter[Key]) -> str:
    old, added = figures[UNCHANGED,], figures[ADDED,]
    cells = (
        name,
        category,
        f"{old}",
        *(share(figures[way, "kept"], old) for way in WAYS),
        f"{added}",
        *(f"{figures[way, 'hidden']}" for way in WAYS),
        f"{figures[EDITED,]}",
        f"{figures[UNSURE,]}",
    )
    return f"| {' | '.join(cells)} |"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def header(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n| {' | '.join('---' for _ in cells)} |"


@dataclass
class Results:
    """All figures, by project and category, and by transform."""

    rows: list[str] = field(default_factory=list)
    total: dict[str, Counter[Key]] = field(default_factory=lambda: defaultdict(Counter))
    after: dict[str, Counter[Key]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, name: str, found: Sequence[Case], after: Mapping[str, Sequence[Case]]) -> None:
        """Add a project."""
        by_category = count(found)
        for category, figures in sorted(by_category.items()):
            self.total[category] += figures
            self.rows.append(row(name, category, figures))
        everything = sum(by_category.values(), Counter[Key]())
        self.total["all"] += everything
        self.rows.append(row(name, "all", everything))
        for transform, changed in after.items():
            for category, figures in count(changed).items():
                self.after[f"{transform} | {category}"] += figures

    def tables(self) -> str:
        """Return the tables."""
        totals = [row("all", category, one) for category, one in sorted(self.total.items())]
        changes = [
            f"| {name} | {one[UNCHANGED,]} | {share(one['file', 'kept'], one[UNCHANGED,])} |"
            for name, one in self.after.items()
        ]
        parts = [header(HEAD), *self.rows, *totals]
        if changes:
            parts += ["", header(("after", "findings", "unchanged", "kept")), *changes]
        return "\n".join(parts)


def explain(name: str, base: Snapshot, head: Snapshot, found: Sequence[Case], most: int) -> None:
    """Print every hidden place, and the first `most` of the lost ones for each way."""
    for way in found[0].answers if found else ():
        hidden = [case for case in found if case.is_hidden(way)]
        lost = [case for case in found if case.kind == UNCHANGED and not case.is_kept(way)]
        for word, chosen in (("HIDDEN", hidden), ("LOST", lost[:most])):
            for case in chosen:
                answer, flag = case.answers[way], case.flag
                old = [case.truth] if isinstance(case.truth, tuple) else sorted(answer.places)[:1]
                print(
                    f"{word} {way} {name} {base.name[:9]}..{head.name[:9]}"
                    f" {case.finding.category.value} {flag.kind},"
                    f" matched by: {answer.tier or 'nothing'},"
                    f" differs in: {differences(case.finding, case.older)}\n"
                    f"    now {flag.path}:{flag.line}: {head.shown(flag.path, flag.line)[:WIDTH]}"
                )
                for path, line in old:
                    print(f"    was {path}:{line}: {base.shown(path, line)[:WIDTH]}")


def differences(finding: Finding, older: Finding | None) -> str:
    """Name what differs in the identity of a finding and its older version."""
    if older is None or finding.parts is None or older.parts is None:
        return "-"
    pairs = zip(finding.parts._fields, finding.parts, older.parts, strict=True)
    return ", ".join(name for name, now, then in pairs if now != then) or "nothing"


def measure(path: Path, options: argparse.Namespace, results: Results) -> None:
    """Add all figures of one project."""
    with tempfile.TemporaryDirectory() as work:
        project = Project(path, options, Path(work))
        found: list[Case] = []
        head: Snapshot | None = None
        for commit in project.clone.snapshots(options.step, options.snapshots):
            base, head = head, project.snapshot(commit)
            if base is not None:
                found += project.compare(base, head)
                shutil.rmtree(base.root)
        after: Mapping[str, list[Case]] = {}
        if head is not None and options.tools:
            after = project.transformed(head)
        results.add(path.name, found, after)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="How well findings are recognised.")
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--cache", type=Path, required=True, help="the folder for scans")
    parser.add_argument("--step", type=int, default=30)
    parser.add_argument("--snapshots", type=int, default=12)
    parser.add_argument("--tools", type=Path, help="a folder with black, ruff and isort")
    parser.add_argument("--explain", action="store_true", help="print wrong answers")
    parser.add_argument("--lost", type=int, default=5, help="how many lost ones to print")
    options = parser.parse_args()
    gc.set_threshold(GARBAGE)
    results = Results()
    for path in options.clones:
        start = len(results.rows)
        measure(path.resolve(), options, results)
        print("\n".join(results.rows[start:]), file=sys.stderr)
    print(results.tables())


if __name__ == "__main__":
    main()
