"""The files of a base commit beside those of the target: which are the same, which are not."""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import pathspec

from scanagg.baseline.lines import plain
from scanagg.core.git import Git
from scanagg.core.text import valid
from scanagg.model import Revision, SourceFile, Target

# Parts of a path that no commit of an honest repository has: they would lead out of the folder
# that a base is laid out in, or make it a repository.
_UNSAFE: Final = frozenset((b"", b".", b"..", b".git"))
_SHA256_DIGITS: Final = 64


class Held(msgspec.Struct, frozen=True):
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
    files: Mapping[str, Held]
    links: Mapping[bytes, Held] = msgspec.field(default_factory=dict)

    def named(self, path: str) -> str:
        """See `in_repository`."""
        return in_repository(self.target, path)

    def lay_out(self, paths: Iterable[str], folder: Path) -> Target:
        """These files of the commit, written below `folder` as they were committed.

        No filter of the repository's touches them. What cannot be read or written is left out.
        """
        wanted = [(path, self.files[path]) for path in paths if path in self.files]
        contents = self.git.contents([held.oid for _, held in wanted])
        files = []
        for (path, held), raw in zip(wanted, contents, strict=True):
            place = folder / os.fsdecode(held.name)
            if raw is not None and _written(place, raw):
                files.append(SourceFile(path, place, len(raw)))
        here = self.target.revision
        revision = Revision(self.commit, None, None, here.prefix if here else "", dirty=False)
        files.sort(key=lambda file: file.path)
        return Target(folder, self.target.name, tuple(files), revision=revision)


class Standing(msgspec.Struct, frozen=True):
    """How the target's files stand to those of a commit, byte order marks and line ends apart.

    `same` are paths of both. `changed` are the target's other files, `before` the commit's other
    files, those that changed or are gone; `unread` are paths of such whose content is not there.
    """

    same: frozenset[str]
    changed: Mapping[str, SourceFile]
    before: Mapping[str, SourceFile]
    unread: frozenset[str]


def in_repository(target: Target, path: str) -> str:
    """A path of the target as fingerprints have it: from the repository's top, composed."""
    prefix = target.revision.prefix if target.revision else ""
    return unicodedata.normalize("NFC", prefix + path)


def read_snapshot(git: Git, commit: str, target: Target) -> Snapshot | None:
    """The commit's files below the target's folder; None where they cannot be listed.

    What the target leaves out is left out of the commit as well.
    """
    prefix, tree = git.prefix(), git.tree(commit)
    if prefix is None or tree is None:
        return None
    shown = {_name(file, target.root): file.path for file in target.files}
    left_out = {gap.input for gap in target.skipped}
    excluded = pathspec.GitIgnoreSpec.from_lines(target.exclude)
    taken = set(shown.values())
    files, links = {}, {}
    for whole, blob in tree.items():
        name = whole.removeprefix(prefix)
        inside = whole.startswith(prefix) and (blob.is_file or blob.is_link)
        if not inside or _UNSAFE.intersection(name.lower().split(b"/")):
            continue
        if blob.is_link:
            if not excluded.match_file(os.fsdecode(name)):
                links[name] = Held(name, blob.oid)
            continue
        path = shown.get(name)
        if path is None:
            path = _untaken(valid(os.fsdecode(name)), taken)
            taken.add(path)
        if path in left_out or excluded.match_file(os.fsdecode(name)):
            continue
        files[path] = Held(name, blob.oid)
    return Snapshot(git, commit, target, files, links)


def compared(
    snapshot: Snapshot, folder: Path, wanted: Callable[[str], bool] = lambda _path: True
) -> Standing:
    """How the `wanted` files stand. Those of the commit that may differ are written to `folder`."""
    heads = {file.path: file for file in snapshot.target.files if wanted(file.path)}
    held = {path: one for path, one in snapshot.files.items() if wanted(path)}
    same = {path for path, file in heads.items() if path in held and _is(file, held[path].oid)}
    others = [path for path in held if path not in same]
    before = {file.path: file for file in snapshot.lay_out(others, folder).files}
    same |= {path for path in before if path in heads and _alike(before[path], heads[path])}
    return Standing(
        same=frozenset(same),
        changed={path: file for path, file in heads.items() if path not in same},
        before={path: file for path, file in before.items() if path not in same},
        unread=frozenset(others) - before.keys(),
    )


def _name(file: SourceFile, root: Path) -> bytes:
    return os.fsencode(str(file.real)[len(str(root).rstrip("/")) + 1 :])


def _untaken(path: str, taken: Iterable[str]) -> str:
    """The path, told apart from one that only looks like it."""
    count, told = 1, path
    while told in taken:
        count += 1
        told = f"{path} ({count})"
    return told


def _written(place: Path, raw: bytes) -> bool:
    """Whether the file could be written: a name may be too long, or differ in case alone."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(raw)
    except OSError:
        return False
    return True


def _is(file: SourceFile, oid: str) -> bool:
    """Whether the file has the content with this id, as it lies there or as git would store it."""
    try:
        raw = file.real.read_bytes()
    except OSError:
        return False
    stored = raw.replace(b"\r\n", b"\n")
    return _oid(raw, oid) == oid or (stored != raw and _oid(stored, oid) == oid)


def _oid(raw: bytes, like: str) -> str:
    """Git's id of a content, by the algorithm of another id."""
    whole = b"blob %d\0" % len(raw) + raw
    if len(like) == _SHA256_DIGITS:
        return hashlib.sha256(whole).hexdigest()
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()


def _alike(one: SourceFile, other: SourceFile) -> bool:
    try:
        return plain(one.real.read_bytes()) == plain(other.real.read_bytes())
    except OSError:
        return False
