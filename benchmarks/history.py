"""The history of a project for `identity.py`: snapshots, and the truth about what is old."""

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, takewhile
from pathlib import Path

from scans import SECRET, Flag, Snapshot

from scanagg.baseline.matching import LineMap
from scanagg.model import Category, PathKind
from scanagg.model.paths import path_kind

Place = tuple[str, int]
Truth = Place | str

ADDED, EDITED, UNSURE = "added", "edited", "unsure"
LARGE = 200_000
HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
OLD_NAME = re.compile(rb"(?:rename from |--- a/|--- (?=/dev/null))(.*?)\t?$")
NEW_NAME = re.compile(rb"(?:rename to |\+\+\+ b/|\+\+\+ (?=/dev/null))(.*?)\t?$")
BLAMED = re.compile(rb"([0-9a-f]{40}) (\d+) (\d+) (\d+)")
NOT_LETTERS = re.compile(rb"#.*|[^#0-9A-Za-z\x80-\xff]+")  # comments are ignored


@dataclass(frozen=True, slots=True)
class Removed:
    """The lines that one hunk of a commit removed, and their letters and digits.

    `lines` are the numbers of those that it wrote to `path` instead.
    """

    path: str
    lines: range
    text: bytes
    letters: tuple[bytes, ...]


class Clone:
    """A clone and its history."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.path = path
        self.removed = cache(self._removed)
        self.blamed = cache(self._blamed)

    def git(self, *argv: str, stdin: bytes = b"", **env: str) -> bytes:
        """Return the output of git; end the program if it fails."""
        command = ["git", "-C", str(self.path), *argv]
        done = subprocess.run(
            command, capture_output=True, check=False, env=os.environ | env, input=stdin
        )
        if done.returncode:
            sys.exit(f"git {' '.join(argv)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def snapshots(self, step: int, count: int) -> list[str]:
        """Return the commits, oldest first."""
        commits = self.git("rev-list", "--first-parent", "HEAD").decode().split()
        return commits[::step][:count][::-1]

    def files(self, commit: str) -> list[str]:
        """Return the files of a commit that people edit.

        `.gitignore` files are left out: they would hide files that git tracks.
        """
        rows = self.git("ls-tree", "-r", "-l", "-z", commit).split(b"\0")
        sizes = {
            os.fsdecode(name): facts.split()[3].replace(b"-", b"0")
            for facts, _, name in (row.partition(b"\t") for row in rows if row)
        }
        return [
            path
            for path, size in sizes.items()
            if int(size) <= LARGE and not path.endswith(".gitignore")
            if path_kind(path) not in (PathKind.VENDORED, PathKind.GENERATED)
        ]

    def export(self, commit: str, into: Path, paths: Collection[str]) -> Path:
        """Write some files of a commit to a folder that is not a repository."""
        into.mkdir()
        index = str(into) + ".index"
        self.git("read-tree", commit, GIT_INDEX_FILE=index)
        command = ("checkout-index", "-f", "-z", "--stdin", f"--prefix={into}/")
        self.git(*command, stdin=b"\0".join(map(os.fsencode, paths)), GIT_INDEX_FILE=index)
        return into

    def _removed(self, commit: str) -> list[Removed]:
        """Return what a commit removed, by hunk."""
        options = ("--no-renames", "-U0", "--no-color", "--no-ext-diff")
        rows = iter(self.git("diff", *options, f"{commit}^1", commit).split(b"\n"))
        hunks, path = [], ""
        for row in rows:
            if match := NEW_NAME.match(row):
                path = os.fsdecode(match[1])
            elif found := HUNK.match(row):
                _, old, start, new = (1 if part is None else int(part) for part in found.groups())
                lines = [line[1:] for line in islice(rows, old)]
                if lines:
                    made = range(start, start + new)
                    hunk = Removed(path, made, b"\n".join(lines), tuple(map(letters, lines)))
                    hunks.append(hunk)
        return hunks

    def _blamed(
        self, base: str, head: str, path: str, *follow: str
    ) -> dict[int, tuple[str, Place]]:
        """Return for each line of a file its commit, and its path and line there.

        `follow` are blame's options for moved lines.
        """
        options = ("--first-parent", "-w", *follow, "--incremental")
        found: dict[int, tuple[str, Place]] = {}
        commit, old, new, number = "", 0, 0, 0
        for row in self.git("blame", *options, f"{base}..{head}", "--", path).split(b"\n"):
            if group := BLAMED.fullmatch(row):
                commit = group[1].decode()
                old, new, number = int(group[2]), int(group[3]), int(group[4])
            elif row.startswith(b"filename "):
                name = os.fsdecode(row[9:])
                found |= {new + at: (commit, (name, old + at)) for at in range(number)}
        return found

    def line_map(self, base: str, head: str, *options: str) -> LineMap:
        """Return the old places of unchanged lines, by `git diff -M`. Line 0 is the whole file."""
        names, hunks = self._diff(base, head, *options)
        names = {**self.renames(base, head), **names}

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

    def renames(self, base: str, head: str) -> dict[str, str]:
        """Return the old paths of renamed files, by their new ones."""
        raw = self.git(
            "diff", "-M", "--no-ext-diff", "--name-status", "-z", "--diff-filter=R", base, head
        )
        fields = [os.fsdecode(field) for field in raw.split(b"\0")[:-1]]
        return dict(zip(fields[2::3], fields[1::3], strict=True))

    def _diff(
        self, base: str, head: str, *options: str
    ) -> tuple[dict[str, str | None], dict[str, list[tuple[int, int, int, int]]]]:
        patch = self.git("diff", "-M", "-U0", "--no-color", "--no-ext-diff", *options, base, head)
        names: dict[str, str | None] = {}
        hunks: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
        before, now = "", ""
        for row in patch.split(b"\n"):
            if match := OLD_NAME.match(row):
                before = os.fsdecode(match[1])
            elif match := NEW_NAME.match(row):
                now = os.fsdecode(match[1])
                names[now] = None if before == "/dev/null" else before
            elif found := HUNK.match(row):
                counts = [1 if part is None else int(part) for part in found.groups()]
                hunks[now].append((counts[0], counts[1], counts[2], counts[3]))
        return names, hunks


LONG_EXPRESSION = 12  # letters and digits
IMPORT = re.compile(rb"\s*(?:from|import)\s+[\w.]+")


@lru_cache(maxsize=1000)
def long_strings(text: str) -> list[tuple[int, int]]:
    """Return the first and last lines of the strings of Python source that have several lines."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    return [
        (node.lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr)
        if node.end_lineno and node.end_lineno > node.lineno
    ]


def has_edited_string(base: Snapshot, head: Snapshot, flag: Flag, old: Place) -> bool:
    """Return whether a string that goes on below the flagged line of code was edited there.

    bandit names only the first line of a query.
    """
    if flag.kind == SECRET or base.scan.files[old[0]] == head.scan.files[flag.path]:
        return False
    now = head.identity.sources.file(flag.path)
    then = base.identity.sources.file(old[0])
    spans = long_strings(now.text) if flag.path.endswith(".py") else []
    last = max((last for first, last in spans if first <= flag.line <= last), default=flag.line)
    new_rows = now.lines[flag.line : last]
    old_rows = then.lines[old[1] : old[1] + len(new_rows)]
    return [row.split() for row in new_rows] != [row.split() for row in old_rows]


def runs(path: str) -> bool:
    return path_kind(path) not in (PathKind.TESTS, PathKind.EXAMPLES, PathKind.DOCS)


def letters(line: bytes) -> bytes:
    return NOT_LETTERS.sub(b"", line)


class Judge:
    """The truth about the flags of one snapshot, compared with those of an older one."""

    def __init__(self, clone: Clone, base: Snapshot, head: Snapshot) -> None:
        """Read the changes between the two."""
        self._clone, self._base, self._head = clone, base, head
        self.lines = clone.line_map(base.name, head.name)
        self._shifted = clone.line_map(base.name, head.name, "-w")
        self.renames = clone.renames(base.name, head.name)

    def truth(self) -> dict[Flag, Truth]:
        """Return for each flag of the newer snapshot its old place, or what else it is."""
        made: dict[Flag, Truth] = {}
        claims: list[tuple[bool, bool, Flag, Place]] = []
        for flag in self._head.flagged:
            commit, old = self._origin(flag.path, flag.line)
            if commit != self._base.name:
                made[flag] = self._new(commit, flag, old)
            elif Flag(flag.kind, *old) not in self._base.flagged:
                is_same_file = self._is_same(flag.path)
                made[flag] = UNSURE if flag.line or is_same_file else ADDED
            elif not self._is_whole(flag, old):
                made[flag] = EDITED
            elif runs(flag.path) and not runs(old[0]):
                made[flag] = UNSURE
            else:
                moved = self.lines(flag.path, flag.line) != old
                claims.append((moved, old[0] != flag.path, flag, old))
        taken = set[Flag]()
        for *_, flag, old in sorted(claims):
            before = Flag(flag.kind, *old)
            made[flag] = self._copied(flag) if before in taken else old
            taken.add(before)
        return made

    def _is_same(self, path: str) -> bool:
        return self._base.scan.files.get(path) == self._head.scan.files[path]

    def _origin(self, path: str, line: int) -> tuple[str, Place]:
        """Return the commit that wrote a line, and its place there."""
        if self._is_same(path):
            return self._base.name, (path, line)
        if not line:
            old = self.lines(path, line)
            return (self._base.name, old) if old else ("", (path, line))
        origin = self._clone.blamed(self._base.name, self._head.name, path)[line]
        if origin[0] == self._base.name:  # looking for moved lines takes much longer
            return origin
        return self._clone.blamed(self._base.name, self._head.name, path, "-M", "-C")[line]

    def _is_whole(self, flag: Flag, old: Place) -> bool:
        """Return whether all lines are old and were consecutive.

        A misconfiguration is about a resource, whose other lines may change.
        """
        flagged = self._head.flagged[flag]
        if flagged.category is Category.MISCONFIGURATION:
            return True
        return all(
            self._origin(flag.path, number)
            == (self._base.name, (old[0], old[1] + number - flag.line))
            for number in range(flag.line + 1, flagged.last + 1)
        )

    def _copied(self, flag: Flag) -> str:
        """Classify a flag that blame leads to another one's line: a copy, unless rewritten."""
        if not flag.line:
            return ADDED
        commit, place = self._clone.blamed(self._base.name, self._head.name, flag.path)[flag.line]
        return UNSURE if commit == self._base.name else self._new(commit, flag, place)

    def _new(self, commit: str, flag: Flag, written: Place) -> str:
        """Classify a flag on a line that a commit wrote: added, unless it was there before.

        `written` is the place of the line in the commit.
        """
        olds = (lines(flag.path, flag.line) for lines in (self.lines, self._shifted))
        was_there = any(
            old is not None and Flag(flag.kind, *old) in self._base.flagged for old in olds
        )
        if was_there or self._was_removed(commit, flag):
            return UNSURE
        return EDITED if self._kept_expression(commit, flag, written) else ADDED

    def _kept_expression(self, commit: str, flag: Flag, written: Place) -> bool:
        """Return whether the commit removed the same flagged expression.

        A short one counts only among the lines that it rewrote as this one.
        """
        flagged = self._head.flagged[flag]
        if not commit:
            return False
        removed = self._clone.removed(commit)
        imported = IMPORT.match(
            (self._head.root / flag.path).read_bytes().splitlines()[flag.line - 1]
        )
        if imported:
            module = letters(imported.group())
            return any(line.startswith(module) for one in removed for line in one.letters)
        if flagged.columns is None:
            return False
        rows = (self._head.root / flag.path).read_bytes().splitlines()[flag.line - 1 : flagged.last]
        first, end = flagged.columns
        before, after = letters(rows[0][: first - 1]), letters(rows[-1][end - 1 :])
        whole = b"".join(map(letters, rows)).removeprefix(before)
        expression = whole.removesuffix(after)
        return bool(expression) and any(
            expression in b"".join(one.letters)
            for one in removed
            if len(expression) >= LONG_EXPRESSION
            or (one.path == written[0] and written[1] in one.lines)
        )

    def _was_removed(self, commit: str, flag: Flag) -> bool:
        """Return whether the commit that wrote the first line removed the same text elsewhere.

        For a secret, the text is its value, else the letters of its lines, or of the first ones
        if the commit wrote only those: a formatter moves the start of a long string.
        """
        if not commit:
            return False
        removed = self._clone.removed(commit)
        flagged = self._head.flagged[flag]
        values = [re.escape(value.encode()) for _, value in flagged.values if value]
        if flag.kind == SECRET and values:
            value = re.compile(rb"(?<!\w)(?:" + b"|".join(values) + rb")(?!\w)")
            return any(value.search(hunk.text) for hunk in removed)
        content = (self._head.root / flag.path).read_bytes().splitlines()
        texts = [letters(row) for row in content[flag.line - 1 : flagged.last]]
        blamed = self._clone.blamed(self._base.name, self._head.name, flag.path)
        written = takewhile(lambda row: blamed[row[0]][0] == commit, enumerate(texts, flag.line))
        start = b"".join(text for _, text in written)
        joined = [b"".join(hunk.letters) for hunk in removed]
        return (
            any(texts[0] in hunk.letters for hunk in removed)
            or any(b"".join(texts) in text for text in joined)
            or (len(start) >= LONG_EXPRESSION and any(start in text for text in joined))
        )
