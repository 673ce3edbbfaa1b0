"""Read a git repository, without writing to it or running the programs that it configures."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.text import valid

_SECONDS: Final = 60.0
# The configuration of the repository can name programs that even read-only commands would run.
_GIT: Final = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_LINK: Final = "120000"
_SUBMODULE: Final = "160000"
# What may follow a name to select another commit, as in main~2.
_SUFFIX: Final = re.compile(r"[~^:]|@\{")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")
# LC_ALL: messages are parsed. GIT_OPTIONAL_LOCKS: nothing is written to the repository. The others
# stop a partial clone from fetching objects with a program that its remote names.
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
}
# The limit of one call, whose output is held in memory. A larger object is not read.
_BATCH_BYTES: Final = 64 << 20


class Blob(msgspec.Struct, frozen=True):
    """One file of a commit: its object id and its mode in octal, as git prints them."""

    oid: str
    mode: str

    @property
    def is_file(self) -> bool:
        """True for a file with its own content: not a link, not a submodule."""
        return self.mode not in (_LINK, _SUBMODULE)

    @property
    def is_link(self) -> bool:
        """True for a symbolic link; its content is the path of its target."""
        return self.mode == _LINK


class Blamed(msgspec.Struct, frozen=True):
    """One line of a committed file: its bytes, and the commit that wrote it with its time."""

    text: bytes
    commit: str
    time: datetime


class Git(msgspec.Struct, frozen=True):
    """The repository that the folder `root` is in. All paths are as git has them, from its top."""

    root: Path
    stop: Stop = msgspec.field(default_factory=Stop)

    def run(self, *argv: str, stdin: bytes = b"") -> Completed:
        """Run a read-only command of git."""
        env = clean_environment(extra=_ENVIRONMENT)
        command = (*_GIT, *argv)
        return run(command, cwd=self.root, env=env, timeout=_SECONDS, stop=self.stop, stdin=stdin)

    def output(self, *argv: str, stdin: bytes = b"") -> bytes | None:
        """Return the output of a command; None if it fails."""
        done = self.run(*argv, stdin=stdin)
        return done.stdout if done.ended is Ended.EXITED and done.returncode == 0 else None

    def text(self, *argv: str) -> str | None:
        """Return the output of a command without surrounding white space; None if it fails."""
        printed = self.output(*argv)
        return None if printed is None else os.fsdecode(printed).strip()

    def commit(self, ref: str) -> str | None:
        """Return the commit that a name stands for; None if this repository does not have it."""
        if not ref or ref.startswith("-"):
            return None
        return self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{ref}^{{commit}}")

    def is_ambiguous(self, ref: str) -> bool:
        """Return True if a tag and a branch have this name and differ: git uses the tag.

        Everyone who can push a tag could name it `origin/main`.
        """
        name = _SUFFIX.split(ref)[0]
        if not name or name == "HEAD" or name.startswith(("-", "refs/")):
            return False
        named = (self.commit(f"refs/{kind}/{name}") for kind in ("tags", "heads", "remotes"))
        return len(frozenset(named) - {None}) > 1

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits; None if there is none."""
        return self.text("merge-base", one, other) or None

    def is_shallow(self) -> bool:
        """Return True if part of the history was not fetched."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def committed_at(self, commit: str) -> datetime | None:
        """Return the time of a commit in UTC, by its committer's clock."""
        printed = self.text("show", "-s", "--no-show-signature", "--format=%ct", commit)
        return datetime.fromtimestamp(int(printed), UTC) if printed and printed.isdigit() else None

    def web_address(self) -> str | None:
        """Return the remote `origin` as an https address without credentials; None without one."""
        remote = valid(self.text("config", "--get", "remote.origin.url") or "")
        bare = _CREDENTIALS.sub("", remote)
        scp = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.\w+):(?!//)(.+)", bare)
        if scp:
            bare = f"https://{scp[1]}/{scp[2].lstrip('/')}"
        bare = re.sub(r"^(ssh|git|http)://", "https://", bare)
        return bare if bare.startswith("https://") else None

    def tree(self, commit: str) -> Mapping[bytes, Blob] | None:
        """Return every file of a commit below the folder; None if the commit cannot be read."""
        printed = self.output("ls-tree", "-r", "-z", commit)
        if printed is None:
            return None
        blobs = {}
        for entry in printed.split(b"\0"):
            described, tab, path = entry.partition(b"\t")
            if tab:
                mode, _kind, oid = described.decode("ascii").split(" ")
                blobs[path] = Blob(oid, mode)
        return blobs

    def read(self, commit: str, path: str) -> bytes | None:
        """Return one file as it was committed; None if the commit does not have the path."""
        oid = self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{commit}:{path}")
        return self.output("cat-file", "blob", oid) if oid else None

    def contents(self, oids: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the bytes of objects, in order; None for one that is missing or too large."""
        wanted = list(oids)
        sizes = self._cat_file("--batch-check", wanted).split(b"\n")
        batch: list[str] = []
        filled = 0
        for number, oid in enumerate(wanted):
            size = _object_size(sizes[number]) if number < len(sizes) else None
            if batch and (size is None or filled + size > _BATCH_BYTES):
                yield from self._batch(batch)
                batch, filled = [], 0
            if size is None or size > _BATCH_BYTES:
                yield None
            else:
                batch.append(oid)
                filled += size
        yield from self._batch(batch)

    def _batch(self, oids: Sequence[str]) -> Iterator[bytes | None]:
        printed = self._cat_file("--batch", oids)
        start = 0
        for _ in oids:
            end = printed.find(b"\n", start)
            size = _object_size(printed[start:end]) if end >= 0 else None
            start = max(end + 1, start)
            if size is None:
                yield None
            else:
                yield printed[start : start + size]
                start += size + 1

    def _cat_file(self, option: str, oids: Sequence[str]) -> bytes:
        if not oids:
            return b""
        text = "".join(f"{oid}\n" for oid in oids)
        return self.output("cat-file", option, stdin=text.encode("ascii")) or b""

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents of a commit, including those that were not fetched."""
        raw = self.output("cat-file", "commit", commit) or b""
        header = raw.partition(b"\n\n")[0].decode("utf-8", "replace")
        lines = (line.split(" ") for line in header.splitlines())
        return tuple(line[1] for line in lines if line[0] == "parent" and len(line) == 2)

    def prefix(self) -> bytes | None:
        """Return the path from the repository's top to the folder, with "/"; None if git fails."""
        printed = self.output("rev-parse", "--show-prefix")
        return None if printed is None else printed.removesuffix(b"\n")

    def shallow_ends(self) -> frozenset[str]:
        """Return the commits of a shallow clone whose parents were not fetched."""
        named = self.text("rev-parse", "--git-path", "shallow")
        try:
            text = (self.root / named).read_text("ascii") if named else ""
        except (OSError, UnicodeDecodeError):
            text = ""
        return frozenset(text.split())

    def blame(self, commit: str, path: str) -> Sequence[Blamed]:
        """Return the commit that wrote each line of a committed file; empty if there is no file.

        `path` is relative to the folder. The work tree is not read: that would run the filters of
        the repository's configuration.
        """
        # A configured but missing list of commits to ignore would be an error.
        options = ("--line-porcelain", "-w", "--no-textconv", "--ignore-revs-file=")
        printed = self.output("blame", *options, commit, "--", path)
        lines = []
        commit, seconds, starts = "", 0, True
        for line in (printed or b"").split(b"\n"):
            if line.startswith(b"\t"):
                lines.append(Blamed(line[1:], commit, datetime.fromtimestamp(seconds, UTC)))
                starts = True
            elif starts:
                commit, starts = line.split(b" ")[0].decode("ascii", "replace"), False
            elif line.startswith(b"committer-time "):
                seconds = int(line.split(b" ")[1])
        return tuple(lines)


def _object_size(header: bytes) -> int | None:
    """Return the size from a header of `git cat-file`; None for a missing object."""
    fields = header.split(b" ")
    return int(fields[2]) if len(fields) == 3 and fields[2].isdigit() else None
