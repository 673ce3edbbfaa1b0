"""What git knows of a repository, read without writing to it or running what it configures."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.process import Completed, Ended, Stop, clean_environment, run

_SECONDS: Final = 60.0
# The checked repository's own git configuration may name programs to run; these would run on the
# read-only commands used here.
_GIT: Final = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_LINK: Final = "120000"
_SUBMODULE: Final = "160000"
# What may stand behind a name to lead on from its commit, as in main~2.
_SUFFIX: Final = re.compile(r"[~^:]|@\{")
# LC_ALL: messages are read; GIT_OPTIONAL_LOCKS: a check must not write to the repository. No object
# is looked for elsewhere: a partial clone would fetch it, by whatever program its remote names.
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
}
# What is read at once; a program's output is held in memory. A single larger object is not read.
_BATCH_BYTES: Final = 64 << 20


class Blob(msgspec.Struct, frozen=True):
    """One file of a commit: its object id and its mode in octal, as git prints them."""

    oid: str
    mode: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file with content of its own: no link, no submodule."""
        return self.mode not in (_LINK, _SUBMODULE)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link: its content is where it leads."""
        return self.mode == _LINK


class Blamed(msgspec.Struct, frozen=True):
    """One line of a committed file: its bytes, the commit that wrote it, and when that was made."""

    text: bytes
    commit: str
    time: datetime


class Git(msgspec.Struct, frozen=True):
    """The repository that the folder `root` is in. All paths are as git has them, from its top."""

    root: Path
    stop: Stop = msgspec.field(default_factory=Stop)

    def run(self, *argv: str, stdin: bytes = b"") -> Completed:
        """Any read-only command of git."""
        env = clean_environment(extra=_ENVIRONMENT)
        command = (*_GIT, *argv)
        return run(command, cwd=self.root, env=env, timeout=_SECONDS, stop=self.stop, stdin=stdin)

    def output(self, *argv: str, stdin: bytes = b"") -> bytes | None:
        """What a command prints, None where it fails."""
        done = self.run(*argv, stdin=stdin)
        return done.stdout if done.ended is Ended.EXITED and done.returncode == 0 else None

    def text(self, *argv: str) -> str | None:
        """What a command prints, without white space around it; None where it fails."""
        printed = self.output(*argv)
        return None if printed is None else os.fsdecode(printed).strip()

    def commit(self, ref: str) -> str | None:
        """The commit that a name stands for, None where there is none in this repository."""
        if not ref or ref.startswith("-"):
            return None
        return self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{ref}^{{commit}}")

    def is_ambiguous(self, ref: str) -> bool:
        """Whether a tag and a branch of one name stand for different commits: git takes the tag.

        Who may push a tag could call it `origin/main`.
        """
        name = _SUFFIX.split(ref)[0]
        if not name or name == "HEAD" or name.startswith(("-", "refs/")):
            return False
        named = (self.commit(f"refs/{kind}/{name}") for kind in ("tags", "heads", "remotes"))
        return len(frozenset(named) - {None}) > 1

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits; None where none is known."""
        return self.text("merge-base", one, other) or None

    def is_shallow(self) -> bool:
        """Whether part of the history was not fetched."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def committed_at(self, commit: str) -> datetime | None:
        """When a commit was made (UTC), by its committer's clock."""
        printed = self.text("show", "-s", "--no-show-signature", "--format=%ct", commit)
        return datetime.fromtimestamp(int(printed), UTC) if printed and printed.isdigit() else None

    def tree(self, commit: str) -> Mapping[bytes, Blob] | None:
        """Every file of a commit by its path; None where the commit cannot be read."""
        printed = self.output("ls-tree", "-r", "-z", "--full-tree", commit)
        if printed is None:
            return None
        found = {}
        for entry in printed.split(b"\0"):
            described, tab, path = entry.partition(b"\t")
            if tab:
                mode, _kind, oid = described.decode("ascii").split(" ")
                found[path] = Blob(oid, mode)
        return found

    def read(self, commit: str, path: str) -> bytes | None:
        """One file of a commit as it was committed; None where there is none of that path."""
        oid = self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{commit}:{path}")
        return self.output("cat-file", "blob", oid) if oid else None

    def contents(self, oids: Iterable[str]) -> Iterator[bytes | None]:
        """The bytes of many objects, in order; None for one that is not there, or is too large."""
        batch: list[str] = []
        filled = 0
        for oid, size in self._sized(oids):
            if size is None or size > _BATCH_BYTES:
                yield from self._batch(batch)
                yield None
                batch, filled = [], 0
                continue
            if filled + size > _BATCH_BYTES:
                yield from self._batch(batch)
                batch, filled = [], 0
            batch.append(oid)
            filled += size
        yield from self._batch(batch)

    def _sized(self, oids: Iterable[str]) -> Iterator[tuple[str, int | None]]:
        """Each object with its size, None for one that is not there."""
        wanted = list(oids)
        printed = self._asked("--batch-check", wanted)
        answers = printed.split(b"\n")
        for number, oid in enumerate(wanted):
            header = answers[number].split(b" ") if number < len(answers) else []
            known = len(header) == 3 and header[2].isdigit()
            yield oid, int(header[2]) if known else None

    def _batch(self, oids: Sequence[str]) -> Iterator[bytes | None]:
        printed = self._asked("--batch", oids)
        at = 0
        for _ in oids:
            end = printed.find(b"\n", at)
            header = printed[at : max(end, at)].split(b" ")
            at = max(end + 1, at)
            if end < 0 or len(header) != 3 or not header[2].isdigit():
                yield None
                continue
            size = int(header[2])
            yield printed[at : at + size]
            at += size + 1

    def _asked(self, option: str, oids: Sequence[str]) -> bytes:
        if not oids:
            return b""
        text = "".join(f"{oid}\n" for oid in oids)
        return self.output("cat-file", option, stdin=text.encode("ascii")) or b""

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents that a commit names, those that were not fetched too."""
        raw = self.output("cat-file", "commit", commit) or b""
        header = raw.partition(b"\n\n")[0].decode("utf-8", "replace")
        lines = (line.split(" ") for line in header.splitlines())
        return tuple(line[1] for line in lines if line[0] == "parent" and len(line) == 2)

    def prefix(self) -> bytes | None:
        """What leads from the repository's top to the folder, with "/"; None without a one."""
        printed = self.output("rev-parse", "--show-prefix")
        return None if printed is None else printed.removesuffix(b"\n")

    def shallow_ends(self) -> frozenset[str]:
        """The commits of a shallow clone whose parents were not fetched."""
        named = self.text("rev-parse", "--git-path", "shallow")
        try:
            text = (self.root / named).read_text("ascii") if named else ""
        except (OSError, UnicodeDecodeError):
            text = ""
        return frozenset(text.split())

    def blame(self, commit: str, path: str) -> Sequence[Blamed]:
        """Who wrote each line of a committed file; nothing where there is none.

        `path` is relative to the folder. It is the commit's content that is blamed: that of the
        work tree would be run through the filters that the repository configures.
        """
        # A list of commits to ignore may be configured, and be missing: that would be an error.
        options = ("--line-porcelain", "-w", "--no-textconv", "--ignore-revs-file=")
        printed = self.output("blame", *options, commit, "--", path)
        return tuple(_blamed(printed or b""))


def _blamed(printed: bytes) -> Iterator[Blamed]:
    commit, seconds, starts = "", 0, True
    for line in printed.split(b"\n"):
        if line.startswith(b"\t"):
            yield Blamed(line[1:], commit, datetime.fromtimestamp(seconds, UTC))
            starts = True
        elif starts:
            commit, starts = line.split(b" ")[0].decode("ascii", "replace"), False
        elif line.startswith(b"committer-time "):
            seconds = int(line.split(b" ")[1])
