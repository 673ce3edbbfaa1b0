"""Accuracy of matching findings, measured on the history of real projects.

    python benchmarks/identity.py [--step 30] [--snapshots 12] [--black PROGRAM] CLONE...

CLONE is a git clone with its history. Going back from its HEAD along first parents, every
`--step`-th commit is a snapshot, and each is compared with the one before it. Nothing is written to
the clone. The real bandit scans every snapshot through scanagg's own package, without B101
(asserts). A file with the same path and content in two snapshots is scanned once, because bandit
looks at one file at a time (`--verify` also scans the newest snapshot as a whole, and compares).

The history, not our matching, gives the expected result for a finding of the newer snapshot:

- *unchanged*: `git blame --first-parent -w -M -C` over the commits between the two leads its
  lines, as bandit gives them, back to consecutive lines of the older snapshot, and bandit reported
  the same rule on the first of them. If blame leads several findings to one, the match is the one
  on a line that a plain diff also finds, else the one in the same file, else the first; the others
  are copies.
- *added*: one of the commits between wrote its first line (for a copy: by blame without -M and -C),
  and that commit did not remove, from any Python file, text with the same letters and digits
  (without comments) as the finding's lines, or a line like its first. Larger edits count as added,
  because their author should look at the finding.
- *edited*, in no rate: its first line is old, but not all of the others are, so it may equally well
  count as the same finding or as another one.
- *unsure*, in no rate: a commit rewrote its line and also removed the same letters somewhere
  (formatted or moved, too short for blame to follow), or its line is old and bandit did not report
  that rule there (its meaning changed because of code elsewhere).

*Kept* is an unchanged finding that is matched as unchanged with its own older version, not with an
equal one. *Wrong* is an added finding that is matched as unchanged with any other. `file` uses the
data of a committed baseline, `commit` also uses git's line map of the two commits. For comparison:
`bandit` matches like `bandit -b` (equal file, test, text, severity, confidence), `lines` by equal
file, rule and line. `black` formats the newest snapshot with `black -l 60` and matches it with
itself like `file`. The n-th finding of a rule in a file must match the n-th one afterwards; files
with a different number of them afterwards are left out.

Limits: *unsure* findings are not judged; blame may follow a line wrongly; other scanners are not
measured; a merge counts as one step, with everything on its side branch.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from scanagg.baseline.matching import LineMap, MatchEntry, match
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import normalise, redactor
from scanagg.model import Change, Finding, Inventory, Observation
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.scanners.base import Context, Inputs, Output, ScannerSettings, all_scanners

Place = tuple[str, int]
Text = tuple[str, ...]
Key = str | tuple[str, str]

ASSERTS = "B101"
BANDIT = all_scanners()["bandit"]
HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
NOT_LETTERS = re.compile(rb"#.*|[^#0-9A-Za-z\x80-\xff]+")  # comments are ignored


@dataclass(frozen=True, slots=True)
class FileScan:
    """Bandit's results for one file: our observations, the passwords, its own texts by line."""

    observations: tuple[Observation, ...] = ()
    secrets: frozenset[str] = frozenset()
    texts: Mapping[tuple[str, int], frozenset[Text]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a project: its Python files by content, its findings, bandit's results."""

    commit: str
    root: Path
    blobs: Mapping[str, str]
    findings: tuple[Finding, ...]
    texts: frozenset[tuple[str, str, Text]]
    said: Mapping[tuple[str, str, int], frozenset[Text]]


class Scanner:
    """Run the real bandit like scanagg, once for each path and content."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._known: dict[tuple[str, str], FileScan] = {}

    def snapshot(self, commit: str, root: Path) -> Snapshot:
        """Scan the files in `root` that are not scanned yet."""
        target = read_target(root)
        context = Context(
            target,
            Sources(target),
            Inventory(),
            ScannerSettings(),
            self._work,
            datetime.now(UTC),
        )
        blobs = {path: digest(root / path) for path in BANDIT.inputs(context).found}
        missing = [path for path, oid in blobs.items() if (path, oid) not in self._known]
        for path, scan in scanned(context, missing).items():
            self._known[path, blobs[path]] = scan
        scans = {path: self._known[path, oid] for path, oid in blobs.items()}
        said = {
            (path, rule, line): texts
            for path, scan in scans.items()
            for (rule, line), texts in scan.texts.items()
        }
        texts = frozenset((path, rule, t) for (path, rule, _), some in said.items() for t in some)
        return Snapshot(commit, root, blobs, findings_of(scans.values(), root), texts, said)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scanned(context: Context, paths: Sequence[str]) -> dict[str, FileScan]:
    """Return bandit's results by file, through scanagg's own call and parser."""
    tool = BANDIT.locate(context)
    if tool is None:
        sys.exit("bandit is not installed beside scanagg")
    found: dict[str, FileScan] = {path: FileScan() for path in paths}
    for batch in BANDIT.batches(context, Inputs("files", tuple(paths))) if paths else ():
        job = BANDIT.call(context, tool, batch)
        argv = [*job.argv, *job.extra]
        done = subprocess.run(
            argv,
            input=job.stdin,
            capture_output=True,
            check=False,
            env=os.environ | job.env,
            cwd=context.cache,
        )
        said = done.stderr.decode(errors="replace")
        parsed = BANDIT.parse(context, Output(done.returncode, done.stdout, said, batch))
        by_path: dict[str, list[Observation]] = defaultdict(list)
        for one in parsed.observations:
            if one.rule.id != ASSERTS and one.location and not one.in_source:
                by_path[one.location.path].append(one)
        report, _ = json.JSONDecoder().raw_decode(done.stdout.decode())  # more may follow
        texts = raw_texts(report["results"], context.target.root)
        for path in batch:
            found[path] = FileScan(tuple(by_path[path]), parsed.secrets, texts.get(path, {}))
    return found


def raw_texts(
    results: Iterable[dict[str, str]], root: Path
) -> Mapping[str, Mapping[tuple[str, int], frozenset[Text]]]:
    """Return the texts that `bandit -b` compares, by path, then by rule and line."""
    made: dict[str, dict[tuple[str, int], frozenset[Text]]] = defaultdict(dict)
    for one in results:
        path = Path(one["filename"]).relative_to(root).as_posix()
        key = (one["test_id"], int(one["line_number"]))
        text = (one["issue_text"], one["issue_severity"], one["issue_confidence"])
        made[path][key] = made[path].get(key, frozenset()) | {text}
    return made


def findings_of(scans: Iterable[FileScan], root: Path) -> tuple[Finding, ...]:
    """Return the findings as a check creates them."""
    sources = Sources(read_target(root))
    chosen = [scan for scan in scans if scan.observations]
    said = normalise([one for scan in chosen for one in scan.observations], Inventory(), sources)
    mask = redactor(said, {value for scan in chosen for value in scan.secrets})
    return correlate(said, Identity(sources, mask, key="measured"))


class Clone:
    """A clone and its history."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.removed = cache(self._removed)

    def git(self, *argv: str, stdin: bytes = b"", **env: str) -> bytes:
        command = ["git", "-C", str(self.path), *argv]
        done = subprocess.run(
            command, capture_output=True, check=False, env=os.environ | env, input=stdin
        )
        if done.returncode:
            sys.exit(f"git {' '.join(argv)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def snapshots(self, step: int, count: int) -> list[str]:
        """Return the commits, oldest first."""
        commits = self.git("rev-list", "--first-parent", "HEAD").decode().split()[::step][:count]
        if len(commits) < count:
            sys.exit(f"{self.path} has history for {len(commits)} snapshots only")
        return commits[::-1]

    def export(self, commit: str, into: Path) -> Path:
        """Write the Python files of a commit to a folder that is not a repository."""
        index = str(into) + ".index"
        self.git("read-tree", commit, GIT_INDEX_FILE=index)
        names = self.git("ls-files", "-z", "--", "*.py", "*.pyw", GIT_INDEX_FILE=index)
        command = ("checkout-index", "-f", "-z", "--stdin", f"--prefix={into}/")
        self.git(*command, stdin=names, GIT_INDEX_FILE=index)
        return into

    def _removed(self, commit: str) -> list[list[bytes]]:
        """Return letters and digits of lines that a commit removed from Python files, by hunk."""
        options = ("--no-renames", "-U0", "--no-color", "--no-ext-diff")
        patch = self.git("diff", *options, f"{commit}^1", commit, "--", "*.py", "*.pyw")
        hunks = re.split(rb"^@@ .*$", patch, flags=re.MULTILINE)[1:]
        return [
            [letters(line) for line in hunk.split(b"\n") if line.startswith(b"-")] for hunk in hunks
        ]

    def origins(self, base: str, head: str, path: str, *follow: str) -> list[tuple[str, Place]]:
        """Return for each line of a file its commit, and its path and line there.

        `follow` are blame's options for moved lines.
        """
        span = f"{base}..{head}"
        options = ("--first-parent", "-w", *follow, "--line-porcelain")
        found: list[tuple[str, Place]] = []
        commit, name, line = "", "", 0
        for row in self.git("blame", *options, span, "--", path).split(b"\n"):
            if row.startswith(b"\t"):
                found.append((commit, (name, line)))
            elif row.startswith(b"filename "):
                name = os.fsdecode(row[9:])
            elif re.match(rb"[0-9a-f]{40} \d+ \d+", row):
                commit, line = row[:40].decode(), int(row.split(b" ")[1])
        return found

    def line_map(self, base: str, head: str) -> LineMap:
        """Return the old places of unchanged lines, by `git diff -M`."""
        names, hunks = self._diff(base, head)

        def old(path: str, line: int) -> Place | None:
            if path not in names:
                return path, line
            before = names[path]
            if before is None:
                return None
            shift = 0
            for old_start, old_count, start, count in hunks[path]:
                if line < start + (count == 0):
                    break
                if line < start + count:
                    return None
                shift = old_start + old_count + (old_count == 0) - start - count - (count == 0)
            return before, line + shift

        return old

    def _diff(
        self, base: str, head: str
    ) -> tuple[dict[str, str | None], dict[str, list[tuple[int, int, int, int]]]]:
        patch = self.git("diff", "-M", "-U0", "--no-color", "--no-ext-diff", base, head)
        names: dict[str, str | None] = {}
        hunks: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
        before, now = "", ""
        for row in patch.split(b"\n"):
            if row.startswith((b"rename from ", b"--- ")):
                name = os.fsdecode(row).removeprefix("rename from ").removeprefix("--- ")
                before = name.removeprefix("a/").rstrip("\t")
            elif row.startswith((b"rename to ", b"+++ ")):
                name = os.fsdecode(row).removeprefix("rename to ").removeprefix("+++ ")
                now = name.removeprefix("b/").rstrip("\t")
                names[now] = None if before == "/dev/null" else before
            elif found := HUNK.match(row):
                counts = [1 if part is None else int(part) for part in found.groups()]
                hunks[now].append((counts[0], counts[1], counts[2], counts[3]))
        return names, hunks


def letters(line: bytes) -> bytes:
    return NOT_LETTERS.sub(b"", line)


def truth(clone: Clone, base: Snapshot, head: Snapshot, lines: LineMap) -> dict[int, int | str]:
    """Return for each finding of `head`, by place, its match in `base`, "added" or "unsure"."""
    at: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for place, one in enumerate(base.findings):
        at[one.rule.id, *where(one)].append(place)
    made: dict[int, int | str] = {}
    claims: list[tuple[bool, bool, int, Place]] = []
    for place, one in enumerate(head.findings):
        path, line = where(one)
        commit, old = origin(clone, base, head, path, line)
        if commit != base.commit:
            made[place] = "unsure" if was_removed(clone, commit, head, one) else "added"
        elif not at[one.rule.id, *old]:
            made[place] = "unsure"
        elif not is_whole(clone, base, head, one, old):
            made[place] = "edited"
        else:
            claims.append((lines(path, line) != old, old[0] != path, place, old))
    for *_, place, old in sorted(claims):
        one = head.findings[place]
        free = at[one.rule.id, *old]
        made[place] = free.pop(0) if free else copied(clone, base, head, one)
    return made


def where(one: Finding) -> Place:
    if one.location is None or one.location.start_line is None:
        raise ValueError(f"bandit named no line for {one}")
    return one.location.path, one.location.start_line


def copied(clone: Clone, base: Snapshot, head: Snapshot, one: Finding) -> str:
    """Classify a finding that blame leads to another one's line: a copy, unless rewritten."""
    path, line = where(one)
    commit, _ = blamed(clone, base.commit, head.commit, path)[line - 1]
    anew = commit == base.commit or was_removed(clone, commit, head, one)
    return "unsure" if anew else "added"


@cache
def blamed(clone: Clone, base: str, head: str, path: str, *follow: str) -> list[tuple[str, Place]]:
    return clone.origins(base, head, path, *follow)


def origin(clone: Clone, base: Snapshot, head: Snapshot, path: str, line: int) -> tuple[str, Place]:
    if base.blobs.get(path) == head.blobs[path]:
        return base.commit, (path, line)
    return blamed(clone, base.commit, head.commit, path, "-M", "-C")[line - 1]


def is_whole(clone: Clone, base: Snapshot, head: Snapshot, one: Finding, old: Place) -> bool:
    """Return whether all lines of a finding are old and were consecutive."""
    path, first = where(one)
    return all(
        origin(clone, base, head, path, number) == (base.commit, (old[0], old[1] + number - first))
        for number in range(first, last_line(one) + 1)
    )


def last_line(one: Finding) -> int:
    return (one.location.last_line if one.location else None) or where(one)[1]


def was_removed(clone: Clone, commit: str, head: Snapshot, one: Finding) -> bool:
    """Return whether the commit that wrote the finding's first line removed the same letters."""
    path, first = where(one)
    rows = (head.root / path).read_bytes().splitlines()[first - 1 : last_line(one)]
    texts = [letters(row) for row in rows]
    whole = b"".join(texts)
    return any(texts[0] in hunk or whole in b"".join(hunk) for hunk in clone.removed(commit))


# Results of each way of comparing, for each finding of the head: its place in the base, True if it
# is known without a place, None if it is new.

Said = Sequence[int | bool | None]


def ours(base: Snapshot, head: Snapshot, lines: LineMap | None) -> Said:
    made = match(
        entries(head.findings),
        entries(base.findings),
        lines=lines,
        paths=head.blobs,
        base_paths=base.blobs,
    )
    return [each.base if each.change is Change.UNCHANGED else None for each in made]


def entries(findings: Iterable[Finding]) -> list[MatchEntry]:
    return [MatchEntry(one.parts, where(one)[1], one.evidence) for one in findings if one.parts]


def as_bandit(base: Snapshot, head: Snapshot) -> Said:
    known = (
        any(
            (path, one.rule.id, text) in base.texts
            for text in head.said.get((path, one.rule.id, line), ())
        )
        for one in head.findings
        for path, line in [where(one)]
    )
    return [each or None for each in known]


def by_line(base: Snapshot, head: Snapshot) -> Said:
    known = {(one.rule.id, *where(one)) for one in base.findings}
    return [((one.rule.id, *where(one)) in known) or None for one in head.findings]


WAYS: Mapping[str, Callable[[Snapshot, Snapshot, LineMap], Said]] = {
    "file": lambda base, head, _lines: ours(base, head, None),
    "commit": ours,
    "bandit": lambda base, head, _lines: as_bandit(base, head),
    "lines": lambda base, head, _lines: by_line(base, head),
}


def count(real: Mapping[int, int | str], said: Mapping[str, Said]) -> Counter[Key]:
    """Return the number of findings of each kind, and how many of them each way matches.

    Unchanged findings count only if they are matched with the right one.
    """
    made: Counter[Key] = Counter()
    for place, what in real.items():
        kind = what if isinstance(what, str) else "unchanged"
        made[kind] += 1
        for way, answers in said.items():
            answer = answers[place]
            other = answer is not None and answer is not True and kind == "unchanged"
            made[way, kind] += answer == what if other else answer is not None
    return made


def formatted(scanner: Scanner, head: Snapshot, black: str, into: Path) -> Counter[Key]:
    """Return the number of findings of the newest snapshot matched after black, and their total."""
    shutil.copytree(head.root, into, symlinks=True)
    empty = into.parent / "black.toml"  # to ignore the project's own settings
    empty.touch()
    paths = [str(into / path) for path in head.blobs if not (into / path).is_symlink()]
    for at in range(0, len(paths), 500):
        command = [black, "-q", "--fast", "-l", "60", "--config", str(empty)]
        # It exits with 123 if it cannot parse a file, and leaves that file unchanged.
        subprocess.run([*command, *paths[at : at + 500]], check=False, capture_output=True)
    after = scanner.snapshot("", into)
    old, new = numbered(head), numbered(after)
    said = ours(head, after, None)
    made: Counter[Key] = Counter()
    for key, places in new.items():
        if len(places) == len(old[key]):
            made["black"] += len(places)
            made["black", "kept"] += sum(
                said[now] == before for before, now in zip(old[key], places, strict=True)
            )
    return made


def numbered(snapshot: Snapshot) -> Mapping[tuple[str, str], list[int]]:
    """Return the findings of each file and rule, by line."""
    made: dict[tuple[str, str], list[int]] = defaultdict(list)
    order = sorted(range(len(snapshot.findings)), key=lambda at: where(snapshot.findings[at]))
    for at in order:
        one = snapshot.findings[at]
        made[where(one)[0], one.rule.id].append(at)
    return made


def measure(path: Path, options: argparse.Namespace, work: Path) -> Counter[Key]:
    """Return all figures of one project."""
    clone, scanner = Clone(path), Scanner(work)
    commits = clone.snapshots(options.step, options.snapshots)
    total: Counter[Key] = Counter()
    base: Snapshot | None = None
    for number, commit in enumerate(commits):
        head = scanner.snapshot(commit, clone.export(commit, work / str(number)))
        if base is not None:
            lines = clone.line_map(base.commit, commit)
            said = {way: compare(base, head, lines) for way, compare in WAYS.items()}
            real = truth(clone, base, head, lines)
            if options.explain:
                explain(base, head, real, said)
            total += count(real, said)
            shutil.rmtree(base.root)
        base = head
    if base is None:
        return total
    if options.verify:
        whole = Scanner(work).snapshot(base.commit, base.root)
        same = [one.fingerprint for one in whole.findings] == [
            one.fingerprint for one in base.findings
        ]
        print(
            f"{path.name}: scanned as a whole, the newest snapshot is",
            "the same" if same else "NOT the same",
        )
    if options.black:
        total += formatted(scanner, base, options.black, work / "black")
    return total


def explain(
    base: Snapshot, head: Snapshot, real: Mapping[int, int | str], said: Mapping[str, Said]
) -> None:
    """Print every finding that is matched wrongly."""
    for place, what in sorted(real.items()):
        for way in ("file", "commit"):
            answer = said[way][place]
            wrong = (
                answer is not None if what == "added" else what not in ("unsure", "edited", answer)
            )
            if wrong:
                one = head.findings[place]
                old = base.findings[answer] if isinstance(answer, int) else None
                print(
                    f"{way:6} {base.commit[:9]}..{head.commit[:9]} {one.rule.id} {where(one)}"
                    f" {what if isinstance(what, str) else where(base.findings[what])}"
                    f" -> {where(old) if old else None}  {one.snippet}"
                )


HEAD = (
    "project", "commit", "unchanged", "kept: file", "commit", "lines", "bandit",
    "added", "wrong: file", "commit", "lines", "bandit", "edited", "unsure", "after black", "kept",
)  # fmt: skip


def row(name: str, commit: str, figures: Counter[Key]) -> str:
    """Return one line of the table."""
    ways = ("file", "commit", "lines", "bandit")
    old, added, black = figures["unchanged"], figures["added"], figures["black"]
    cells = [
        name,
        commit,
        f"{old}",
        *(share(figures[way, "unchanged"], old) for way in ways),
        f"{added}",
        *(share(figures[way, "added"], added) for way in ways),
        f"{figures['edited']}",
        f"{figures['unsure']}",
        f"{black}",
        share(figures["black", "kept"], black),
    ]
    return f"| {' | '.join(cells)} |"


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How well findings are recognised.")
    parser.add_argument("clones", nargs="+", type=Path, metavar="CLONE")
    parser.add_argument("--step", type=int, default=30)
    parser.add_argument("--snapshots", type=int, default=12)
    parser.add_argument("--black", help="the program; without it that column stays empty")
    parser.add_argument("--verify", action="store_true", help="scan the newest as a whole too")
    parser.add_argument("--explain", action="store_true", help="name every wrong answer")
    options = parser.parse_args()
    rows, total = [], Counter[Key]()
    for path in options.clones:
        with tempfile.TemporaryDirectory() as work:
            figures = measure(path.resolve(), options, Path(work))
        commit = Clone(path).git("rev-parse", "--short=9", "HEAD").decode().strip()
        rows.append(row(path.resolve().name, commit, figures))
        print(rows[-1], file=sys.stderr)
        total += figures
    print(f"| {' | '.join(HEAD)} |\n| {' | '.join('---' for _ in HEAD)} |")
    print("\n".join((*rows, row("all", "", total))))


if __name__ == "__main__":
    main()
