"""The files of the base commit beside those of the target: which differ, and in which lines."""

import codecs
import hashlib
import os
import posixpath
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline.file import nfc
from scanagg.core.files import read_file
from scanagg.core.git import SUBMODULE, Blob, Git, find_submodule
from scanagg.core.patterns import globs
from scanagg.core.process import Stop
from scanagg.core.redact import shown_path, unlike
from scanagg.model import Link, Reason, Revision, SourceFile, Target

# Parts of a path that lead out of the folder, or make it a repository. No honest commit has them.
_UNSAFE: Final = frozenset((b"", b".", b"..", b".git"))
_SHA256_DIGITS: Final = 64
# As many links of links as Linux follows.
_MAX_LINKS: Final = 40
# Lines of larger files are not followed, because nobody writes such files by hand.
_MAX_BYTES: Final = 8 << 20
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_COMMIT: Final = "commit refs/heads/%s\ncommitter scanagg <none> 0 +0000\ndata 0\n\n"
_DIFF: Final = ("diff-tree", "-r", "-M", "-l1000", "--no-commit-id", "--no-ext-diff")
_PATCH: Final = ("-p", "-U0", "--text", "--no-textconv", "--diff-algorithm=histogram")


class CommittedFile(msgspec.Struct, frozen=True):
    """A file of the commit: its name below the target's folder, and the id of its content."""

    name: bytes
    oid: str


class Snapshot(msgspec.Struct, frozen=True):
    """The files of a commit below the target's folder, by the paths that are shown.

    `links` are its symbolic links by their names.
    """

    git: Git
    commit: str
    target: Target
    files: Mapping[str, CommittedFile]
    links: Mapping[bytes, CommittedFile] = msgspec.field(default_factory=dict)

    def named(self, path: str) -> str:
        """Return the path as in `Parts`: relative to the repository."""
        return in_repository(self.target, path)

    def lay_out(self, paths: Iterable[str], folder: Path) -> Target:
        """Write these files of the commit below `folder`, as they were committed.

        No filter of the repository runs. Files that cannot be read or written are left out.
        """
        committed = [(path, self.files[path]) for path in paths if path in self.files]
        contents = self.git.contents([file.oid for _, file in committed])
        files = []
        for (path, file), raw in zip(committed, contents, strict=True):
            place = folder / os.fsdecode(file.name)
            if raw is None:
                continue
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as stream:
                    stream.write(raw)
            except OSError:  # the name is too long, or differs from another in case alone
                continue
            files.append(SourceFile(path, place, len(raw)))
        here = self.target.revision
        revision = Revision(self.commit, None, None, here.prefix if here else "", dirty=False)
        files.sort(key=lambda file: file.path)
        return Target(folder, self.target.name, tuple(files), revision=revision)


def _with_submodules(
    git: Git, tree: Mapping[bytes, Blob], current: Collection[bytes]
) -> tuple[Git, Mapping[bytes, Blob]]:
    """Add the files of the submodules that are checked out, as their commits in the tree have them.

    If such a commit cannot be read, each of the current files has a content that is missing.
    """
    files = dict(tree)
    pending = list(tree.items())
    while pending:
        name, link = pending.pop()
        if link.mode != SUBMODULE:
            continue
        inner = None
        if repository := find_submodule(git.root / os.fsdecode(name)):
            git = replace(git, objects=(*git.objects, repository.common_dir / "objects"))
            inner = git.tree(link.oid, "--full-tree")
        below = {name + b"/" + path: blob for path, blob in (inner or {}).items()}
        if inner is None:
            missing = Blob(link.oid, "100644")
            below = {path: missing for path in current if path.startswith(name + b"/")}
        files |= below
        pending += below.items()
    return git, files


class FileChanges(msgspec.Struct, frozen=True):
    """The target's files compared with a commit's, apart from byte order marks and line ends.

    `same` are paths of both. `changed` are the target's other files, `before` the commit's other
    files, those that changed or are gone; `unread` are paths of such whose content is not there.
    """

    same: frozenset[str]
    changed: Mapping[str, SourceFile]
    before: Mapping[str, SourceFile]
    unread: frozenset[str]


def in_repository(target: Target, path: str) -> str:
    """Return a path of the target as in `Parts`: relative to the repository."""
    return nfc(target.prefix + path)


def read_snapshot(git: Git, commit: str, target: Target) -> Snapshot | None:
    """Return the commit's files below the target's folder; None where they cannot be listed.

    Files that the target leaves out are left out of the commit as well.
    """
    tree = git.tree(commit)
    if tree is None:
        return None
    root_length = len(str(target.root).rstrip("/")) + 1
    shown = {os.fsencode(str(file.real)[root_length:]): file.path for file in target.files}
    git, tree = _with_submodules(git, tree, shown)
    excluded = globs(target.exclude)
    taken = set(shown.values())
    files, links = {}, {}
    for name, blob in tree.items():
        is_unsafe = _UNSAFE.intersection(name.lower().split(b"/"))
        if is_unsafe or excluded.match_file(os.fsdecode(name)):
            continue
        if not blob.is_file:
            if blob.is_link:
                links[name] = CommittedFile(name, blob.oid)
            continue
        path = shown.get(name)
        if path is None:
            path = unlike(shown_path(os.fsdecode(name)), taken)
            taken.add(path)
        files[path] = CommittedFile(name, blob.oid)
    for gap in target.skipped:
        files.pop(gap.input, None)
    return Snapshot(git, commit, target, files, links)


def compare_files(
    snapshot: Snapshot, folder: Path, compared: Callable[[str], bool] = lambda _path: True
) -> FileChanges:
    """Compare files. Those of the commit that may differ are written to `folder`.

    `compared` says for each path if it is compared.
    """
    current = {file.path: file for file in snapshot.target.files}
    now, committed = (set(filter(compared, paths)) for paths in (current, snapshot.files))
    both = now & committed
    same = {path for path in both if _has_content(current[path], snapshot.files[path].oid)}
    others = committed - same
    before = {file.path: file for file in snapshot.lay_out(sorted(others), folder).files}
    for path in before.keys() & now:
        content = _plain_content(before[path])
        if content is not None and content == _plain_content(current[path]):
            same.add(path)
    return FileChanges(
        same=frozenset(same),
        changed={path: current[path] for path in sorted(now - same)},
        before={path: before[path] for path in sorted(before.keys() - same)},
        unread=frozenset(others - before.keys()),
    )


def _has_content(file: SourceFile, oid: str) -> bool:
    """Return True if git's id of the file is `oid`, as it is or with LF line ends."""
    try:
        raw = read_file(file.real)
    except OSError:
        return False
    algorithm = "sha256" if len(oid) == _SHA256_DIGITS else "sha1"
    blobs = (b"blob %d\0" % len(text) + text for text in (raw, raw.replace(b"\r\n", b"\n")))
    return any(
        hashlib.new(algorithm, blob, usedforsecurity=False).hexdigest() == oid for blob in blobs
    )


def _plain_content(file: SourceFile) -> bytes | None:
    try:
        return plain(read_file(file.real))
    except OSError:
        return None


def plain(raw: bytes) -> bytes:
    """Return the bytes as UTF-8 without a byte order mark, with LF at the end of each line."""
    if raw.startswith(_UTF16):
        raw = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    return raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


# Symbolic links.


def read_links(snapshot: Snapshot) -> tuple[Link, ...]:
    """Return the commit's links with their ends, by path, from its tree alone.

    A link that leads through a link to a folder, or that is absolute, has no end here.
    """
    names = list(snapshot.links)
    contents = snapshot.git.contents([snapshot.links[name].oid for name in names])
    leads = {name: raw for name, raw in zip(names, contents, strict=True) if raw is not None}
    files = {file.name: path for path, file in snapshot.files.items()}
    folders = {
        name[:index] for name in files for index, byte in enumerate(name) if byte == ord("/")
    }
    ends = {name: shown_path(os.fsdecode(name)) for name in folders} | files
    links = []
    for name in names:
        shown = ends.get(_link_end(name, leads))
        reason = None if shown else Reason("link-to-no-file-of-the-project")
        links.append(Link(shown_path(os.fsdecode(name)), shown, reason))
    return tuple(sorted(links, key=lambda link: link.path))


def _link_end(name: bytes, leads: Mapping[bytes, bytes]) -> bytes:
    """Return the name that a link leads to, by however many links; b"" where it is not known."""
    for _ in range(_MAX_LINKS):
        if name not in leads:
            return name
        parts = leads[name].split(b"/")
        down = next((at for at, part in enumerate(parts) if part not in (b"", b".", b"..")), 0)
        # A part before a later ".." may itself be a link.
        if leads[name].startswith(b"/") or b".." in parts[down:]:
            return b""
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), leads[name]))
    return b""


# Lines.


class Hunk(msgspec.Struct, frozen=True):
    """Lines that were replaced: `count` lines from `start`, in the base and now.

    A count of 0 means that no line is there, after line `start`.
    """

    base_start: int
    base_count: int
    start: int
    count: int

    @property
    def first(self) -> int:
        """The first line of the hunk now; the one after it where it has none."""
        return self.start if self.count else self.start + 1

    @property
    def last(self) -> int:
        """The last line of the hunk now; the one before it where it has none."""
        return self.start + self.count - 1 if self.count else self.start

    @property
    def base_last(self) -> int:
        """The last line of the hunk in the base."""
        return self.base_start + self.base_count - 1 if self.base_count else self.base_start


class FollowedFile(msgspec.Struct, frozen=True):
    """A file with its path in the base, and the hunks that changed in it."""

    base: str
    hunks: tuple[Hunk, ...] = ()

    def place(self, number: int) -> tuple[str, int] | None:
        """Return path and number in the base of a line that is there now; None where it is new."""
        index = bisect_right(self.hunks, number, key=lambda hunk: hunk.first) - 1
        if index < 0:
            return self.base, number
        hunk = self.hunks[index]
        if number <= hunk.last and hunk.count:
            return None
        return self.base, number - hunk.last + hunk.base_last


def follow_lines(
    before: Iterable[SourceFile],
    after: Iterable[SourceFile],
    work: Path,
    stop: Stop,
    named: Callable[[str], str],
) -> Mapping[str, FollowedFile]:
    """Follow the lines of `after` back to `before`; return the followed files by their paths now.

    Git finds renamed files by its own rules.

    Both are put into a repository of their own in the empty folder `work`, so that nothing of the
    checked one has a say. Paths are those that `named` returns. No line is followed where git
    fails.
    """
    git = Git(work, stop, private=True)
    stream = b"".join((*_commit("before", before, named), *_commit("after", after, named)))
    if git.output("init", "-q", "--bare", "--template=", ".") is None:
        return {}
    if git.output("fast-import", "--quiet", stdin=stream) is None:
        return {}
    trees = ("refs/heads/before", "refs/heads/after")
    raw = git.output(*_DIFF, "--raw", "-z", *trees)
    patch = git.output(*_DIFF, *_PATCH, *trees)
    if raw is None or patch is None:
        return {}
    pairs, hunks = list(_pairs(raw)), list(_hunks(patch))
    if len(pairs) != len(hunks):  # both list the same files in the same order
        return {}
    both = zip(pairs, hunks, strict=True)
    return {pair[1]: FollowedFile(pair[0], tuple(changed)) for pair, changed in both if pair}


def _commit(
    branch: str, files: Iterable[SourceFile], named: Callable[[str], str]
) -> Iterator[bytes]:
    """Yield a commit of these files in the format of `git fast-import`."""
    yield (_COMMIT % branch).encode()
    for file in files:
        content = _plain_content(file) if file.size <= _MAX_BYTES else None
        if content is not None:
            raw = named(file.path).encode("utf-8", "surrogateescape")
            # Bytes that could end the line or the quotes are octal numbers.
            quoted = b"".join(
                b"\\%03o" % byte if byte < 0x20 or byte in b'"\\' else bytes((byte,))
                for byte in raw
            )
            yield b'M 100644 inline "%s"\n' % quoted
            yield b"data %d\n%s\n" % (len(content), content)


def _pairs(raw: bytes) -> Iterator[tuple[str, str] | None]:
    """Yield the paths before and now of each changed file; None for one on one side only."""
    fields = iter(raw.split(b"\0"))
    for entry in fields:
        if not entry:
            continue
        status = entry.rpartition(b" ")[2][:1]
        path = next(fields, b"").decode("utf-8", "surrogateescape")
        if status == b"R":
            yield path, next(fields, b"").decode("utf-8", "surrogateescape")
        else:
            yield (path, path) if status == b"M" else None


def _hunks(patch: bytes) -> Iterator[Sequence[Hunk]]:
    """Yield the hunks of each file, in the order of the files. Content lines are not parsed."""
    hunks: list[Hunk] | None = None
    skip = 0
    for line in patch.split(b"\n"):
        if line.startswith(b"\\"):  # about a newline that is missing at the end
            continue
        if skip:
            skip -= 1
            continue
        header = _HUNK.match(line)
        if line.startswith(b"diff --git "):
            if hunks is not None:
                yield hunks
            hunks = []
        elif header and hunks is not None:
            hunk = Hunk(*map(int, header.groups(b"1")))
            hunks.append(hunk)
            skip = hunk.base_count + hunk.count
    if hunks is not None:
        yield hunks
