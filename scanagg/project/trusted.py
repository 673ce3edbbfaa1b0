"""Places to read rules from: the work tree, or a commit that the checked change cannot modify.

Rules are the policy, its parents, the waivers, the baseline, the project's key, and the
configuration of the scanners.
"""

import errno
import os
import posixpath
from itertools import product
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from scanagg.core.files import NOT_REGULAR, inside, read_file
from scanagg.core.git import SUBMODULE, Git

# A baseline of 100,000 findings has about 30 MiB. All other files are far smaller.
MAX_BYTES: Final = 64 << 20

_TOO_LARGE: Final = f"is larger than {MAX_BYTES >> 20} MiB"
# The errors for entries of a commit that are not files, by their mode in git.
_FOLDER, _LINK = "040000", "120000"
_NO_FILES: Final = {
    _FOLDER: NOT_REGULAR,
    _LINK: "is a symbolic link, which is not followed in a commit",
    SUBMODULE: "is a submodule, so its files are not in this repository",
}


class Files(Protocol):
    """A place with the files of the project. Paths are relative to the project, with /."""

    @property
    def ref(self) -> str | None:
        """The commit, None for the work tree."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file; None if the path does not exist.

        OSError if it is not a file, is larger than `MAX_BYTES`, or leads out of the project. Its
        `strerror` can follow the path in a message: "is a symbolic link".
        """
        ...


class WorkTree(msgspec.Struct, frozen=True):
    """The project as it is in its folder.

    `named` is True for another folder, which the user named: its links may lead anywhere.
    """

    root: Path
    ref: None = None
    named: bool = False

    def read(self, path: str) -> bytes | None:
        """Return the file's bytes. A link is followed to another place in the project only."""
        place = self.root / _inside(path)
        if not os.path.lexists(place):
            return None
        top = self.root.resolve()
        return read_file(inside(Path(top.anchor) if self.named else top, place), MAX_BYTES)


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
        """Return the committed bytes. A link is refused: its content is a path."""
        whole = posixpath.join(self.prefix, _inside(path))
        mode, oid, size = self._entry(whole)
        if oid is None:
            # If a folder above it is a link or a submodule, a work tree would have the file.
            folder = posixpath.dirname(whole)
            while folder:
                mode, oid, _ = self._entry(folder)
                if mode in (_LINK, SUBMODULE):
                    raise OSError(errno.EINVAL, f"cannot be read: {folder} {_NO_FILES[mode]}")
                folder = "" if oid is not None else posixpath.dirname(folder)
            return None
        if mode in _NO_FILES:
            raise OSError(errno.EINVAL, _NO_FILES[mode])
        if size > MAX_BYTES:
            raise OSError(errno.EFBIG, _TOO_LARGE)
        content = self.git.output("cat-file", "blob", oid)
        if content is None:
            raise OSError(errno.EIO, f"is in commit {self.commit[:12]}, but git cannot read it")
        return content

    def submodule_of(self, path: str) -> str | None:
        """Return the commit of the submodule that a path is in; None if it is in none."""
        folder = posixpath.dirname(posixpath.join(self.prefix, _inside(path)))
        while folder:
            mode, oid, _ = self._entry(folder)
            if oid is not None:
                return oid if mode == SUBMODULE else None
            folder = posixpath.dirname(folder)
        return None

    def _entry(self, path: str) -> tuple[str, str | None, int]:
        """Return mode, object id and size of the entry at a path; without one, no id."""
        command = ("--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", self.commit)
        printed = self.git.output(*command, "--", path)
        if printed is None:
            raise OSError(errno.EIO, f"cannot be looked up in commit {self.commit[:12]}")
        described = printed.partition(b"\t")[0].decode("ascii").split()
        if not described:
            return "", None, 0
        mode, _kind, oid, size = described
        return mode, oid, int(size) if size.isdigit() else 0


def locate(files: Files, root: Path, path: Path) -> tuple[Files, str] | None:
    """Return where to read a file, by its path in the file system; None for the disk itself.

    `root` is the project's folder. In a commit, this covers the whole repository, since the
    checked change can also edit files above the project.
    """
    top, place = root, files
    if isinstance(files, Committed):
        above = len(Path(files.prefix).parts)
        top = Path(os.path.realpath(root)).parents[above - 1] if above else root
        place = replace(files, prefix="")
    # Compare paths as written and with links resolved. The last part may be a link, which stays.
    spelled = Path(os.path.abspath(path))  # noqa: PTH100
    real = Path(os.path.realpath(path.parent)) / path.name
    for base, source in ((root, files), (top, place)):
        folders = Path(os.path.abspath(base)), Path(os.path.realpath(base))  # noqa: PTH100
        for file, folder in product((spelled, real), folders):
            if file.is_relative_to(folder) and file != folder:
                return source, file.relative_to(folder).as_posix()
    return None


def _inside(path: str) -> str:
    """Return the normalised path. OSError if it leads out of the project or is not a path."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, "is not a path") from None
    clean = posixpath.normpath(path)
    if "\0" in path or not path or clean == ".":
        raise OSError(errno.EINVAL, "is not a path")
    if clean.startswith("/") or clean.split("/")[0] == "..":
        raise OSError(errno.EINVAL, "leads out of the project")
    return clean
