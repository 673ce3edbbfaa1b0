"""Where rules are read from: the work tree, or a commit that the change under check cannot touch.

Rules are the policy, its parents, the waivers, the baseline, the project's key, and the
configuration of the scanners.
"""

import errno
import os
import posixpath
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from scanagg.core.git import Git

# A baseline of 100,000 findings has about 30 MiB; nothing else that is read here comes near.
MOST_BYTES: Final = 64 << 20

_NO_FILE: Final = "is not a file"
_TOO_LARGE: Final = f"is larger than {MOST_BYTES >> 20} MiB"
# What else can stand in a commit in place of a file, by git's modes.
_FOLDER, _LINK, _SUBMODULE = "040000", "120000", "160000"
_NO_FILES: Final = {
    _FOLDER: _NO_FILE,
    _LINK: "is a link, which is not followed in a commit",
    _SUBMODULE: "is a submodule, whose files are not in this repository",
}


class Files(Protocol):
    """A place to read files of the project from. All paths are relative to the project, with /."""

    @property
    def ref(self) -> str | None:
        """The commit, None for the work tree."""
        ...

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where nothing has that path.

        OSError where it is unusable: no file, larger than `MOST_BYTES`, a path that leads out of
        the project. Its `strerror` follows the path: "is not a file".
        """
        ...


class WorkTree(msgspec.Struct, frozen=True):
    """The project as it lies in its folder."""

    root: Path

    @property
    def ref(self) -> str | None:
        """None: no commit."""
        return None

    def read(self, path: str) -> bytes | None:
        """The file's bytes. A pipe or a device is refused: it would keep us waiting for its end."""
        place = self.root / _inside(path)
        if not os.path.lexists(place):
            return None
        if not place.is_file():
            raise OSError(errno.EINVAL, _NO_FILE)
        with place.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OSError(errno.EFBIG, _TOO_LARGE)
        return content


class Committed(msgspec.Struct, frozen=True):
    """The project as it is in one commit; `prefix` leads from the repository's top to it."""

    git: Git
    commit: str
    prefix: str = ""

    @property
    def ref(self) -> str | None:
        """The commit."""
        return self.commit

    def read(self, path: str) -> bytes | None:
        """The file's bytes as committed. A link is refused: what it says is no rule."""
        whole = posixpath.join(self.prefix, _inside(path))
        mode, oid, size = self._entry(whole)
        if oid is None:
            self._refuse_detour(whole)
            return None
        if mode in _NO_FILES:
            raise OSError(errno.EINVAL, _NO_FILES[mode])
        if size > MOST_BYTES:
            raise OSError(errno.EFBIG, _TOO_LARGE)
        content = self.git.output("cat-file", "blob", oid)
        if content is None:
            raise OSError(errno.EIO, f"is in commit {self.commit[:12]}, but git cannot read it")
        return content

    def _entry(self, path: str) -> tuple[str, str | None, int]:
        """Mode, object id and size of what has this path; the id is None where nothing has."""
        asked = ("--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", self.commit)
        printed = self.git.output(*asked, "--", path)
        if printed is None:
            raise OSError(errno.EIO, f"cannot be looked up in commit {self.commit[:12]}")
        described = printed.partition(b"\t")[0].decode("ascii").split()
        if not described:
            return "", None, 0
        mode, _kind, oid, size = described
        return mode, oid, int(size) if size.isdigit() else 0

    def _refuse_detour(self, path: str) -> None:
        """OSError where a folder on the way is a link or a submodule: a work tree has the file."""
        folder = posixpath.dirname(path)
        while folder:
            mode, oid, _ = self._entry(folder)
            if mode in (_LINK, _SUBMODULE):
                raise OSError(errno.EINVAL, f"cannot be read: {folder} {_NO_FILES[mode]}")
            if oid is not None:
                return
            folder = posixpath.dirname(folder)


def locate(files: Files, root: Path, path: Path) -> tuple[Files, str] | None:
    """Where to read a file that was named by its path in the file system, None for the disk.

    `root` is the project's folder. With a commit, that is for the whole repository: a file above
    the project, but in the same repository, is as much in the reach of the change under check.
    """
    top, place = root, files
    if isinstance(files, Committed):
        above = len(Path(files.prefix).parts)
        top = Path(os.path.realpath(root)).parents[above - 1] if above else root
        place = replace(files, prefix="")
    for base, source in ((root, files), (top, place)):
        inside = _relative(path, base)
        if inside is not None:
            return source, inside
    return None


def _relative(path: Path, base: Path) -> str | None:
    """The path from `base` on with /, as it is spelled or as its folder really lies; else None."""
    spelled = Path(os.path.abspath(path))  # noqa: PTH100 - the last part may be a link, which stays
    real = Path(os.path.realpath(path.parent)) / path.name
    for one in (spelled, real):
        for folder in (Path(os.path.abspath(base)), Path(os.path.realpath(base))):  # noqa: PTH100
            if one.is_relative_to(folder) and one != folder:
                return one.relative_to(folder).as_posix()
    return None


def _inside(path: str) -> str:
    """The path without detours. OSError where it leads out of the project, or nowhere."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, "is no path") from None
    clean = posixpath.normpath(path)
    if "\0" in path or not path or clean == ".":
        raise OSError(errno.EINVAL, "is no path")
    if clean.startswith("/") or clean.split("/")[0] == "..":
        raise OSError(errno.EINVAL, "leads out of the project")
    return clean
