"""Read and write files of a checked tree: regular files only, never through a symbolic link.

The tree is hostile. A link can lead anywhere and can replace a folder while scanagg runs, and a
pipe or a device may never end. So files are opened by descriptor, one component of the path after
the other, and checked when they are open.
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

MAX_BYTES: Final = 16 << 20
"""The size up to which `read_file` reads a file, if no other limit is given."""

NOT_REGULAR: Final = "is not a regular file"
"""The `strerror` for folders, pipes, sockets and devices."""

_LINK: Final = "is a symbolic link"
_BELOW_LINK: Final = "is below a symbolic link"
_CHUNK_BYTES: Final = 1 << 16

# Windows has none of these flags, macOS no O_PATH. A pipe without a writer would block the open.
_CLOSED_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0)
_FOLDER: Final = (
    getattr(os, "O_PATH", os.O_RDONLY)
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | _CLOSED_ON_EXEC
)
_FILE: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | _CLOSED_ON_EXEC
)
_NEW_FILE: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | _CLOSED_ON_EXEC
)
# One open refuses links anywhere in the path. macOS only.
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW_ANY", 0)


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file at an absolute path without symbolic links.

    OSError if it is something else, or has more than `limit` bytes. The `strerror` can follow the
    path in a message: "is a symbolic link", "is larger than 16 MiB".
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= limit else b""
        if len(content) > size:  # some file systems do not know the size, and the file may grow
            content += file.read(limit + 1 - len(content))
    if max(size, len(content)) > limit:
        most = f"{limit >> 20} MiB" if limit >> 20 else f"{limit} bytes"
        raise OSError(errno.EFBIG, f"is larger than {most}", str(path))
    return content


def open_file(path: Path) -> BinaryIO:
    """Open a regular file at an absolute path without symbolic links. OSError for others."""
    try:
        descriptor = _descriptor(os.fspath(path))
    except OSError as error:
        refusal = _refusal(path, error)
        if refusal is None:
            raise
        raise OSError(error.errno, refusal, str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
    return os.fdopen(descriptor, "rb")


def inside(root: Path, path: Path) -> Path:
    """Return where a path leads, for `read_file`; links may lead to another place in the tree.

    OSError if it does not exist, or leads out of the resolved folder `root`.
    """
    try:
        end = path.resolve(strict=True)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise OSError(errno.ENOENT, "is a broken symbolic link", str(path)) from error
        raise
    except RuntimeError as error:  # a loop, before Python 3.13
        raise OSError(errno.ELOOP, "is a loop of symbolic links", str(path)) from error
    if not end.is_relative_to(root):
        raise OSError(errno.EXDEV, "leads out of the project", str(path))
    return end


def write_file(
    path: Path, chunks: Iterable[bytes], mode: int, *, temporary: str, root: Path | None = None
) -> None:
    """Write a file so that readers see the old or the complete new content. Create its folders.

    The content goes into a file with the name `temporary` first. Anything with the name of the file
    is replaced, even a link or a pipe. Links in the path of its folder are followed, but none may
    lead out of the resolved folder `root`. OSError.
    """
    folder = _destination(path.parent.absolute(), root)
    if os.open in os.supports_dir_fd:
        place = _Folder(str(folder), create=True)
        _replace(temporary, path.name, chunks, mode, place.descriptor)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(str(folder / temporary), str(folder / path.name), chunks, mode, None)


def _destination(folder: Path, root: Path | None) -> Path:
    """Return where the path of a folder leads. OSError if it leads out of `root`."""
    try:
        end = folder.resolve()
        above = {place.resolve() for place in (folder, *folder.parents)}
    except RuntimeError as error:  # a loop, before Python 3.13
        raise OSError(errno.ELOOP, "is a loop of symbolic links", str(folder)) from error
    if root is None or end.is_relative_to(root):
        return end
    if any(place.is_relative_to(root) for place in above):
        raise OSError(errno.EXDEV, "a symbolic link leads out of the project", str(folder))
    return end


def _replace(
    temporary: str, name: str, chunks: Iterable[bytes], mode: int, folder: int | None
) -> None:
    """Write a temporary file, and give it the name. `folder` is the descriptor of their folder."""
    descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with contextlib.suppress(FileNotFoundError):  # after a success it has the other name
            os.unlink(temporary, dir_fd=folder)


class _Folder:
    """An open folder."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        """Open the folder, component by component; `create` those that do not exist."""
        self.path = path
        self.descriptor = os.open("/", _FOLDER)
        for name in filter(None, path.split("/")):
            above = self.descriptor
            try:
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=above)
                self.descriptor = os.open(name, _FOLDER, dir_fd=above)
            finally:
                os.close(above)
        self.status = os.fstat(self.descriptor)

    def is_current(self, path: str) -> bool:
        """Return True if it is the folder at this path, and no other took its place."""
        return path == self.path and os.path.samestat(os.stat(path), self.status)  # noqa: PTH116

    def __del__(self) -> None:
        """Close the folder."""
        if hasattr(self, "status"):
            os.close(self.descriptor)


class _Last(threading.local):
    """The folder that a thread opened last: files of one folder are usually read in a row."""

    folder: _Folder | None = None


_LAST: Final = _Last()


def _descriptor(path: str) -> int:
    """Open what is at an absolute path without links."""
    if _NO_LINKS:
        return os.open(path, _FILE & ~os.O_NOFOLLOW | _NO_LINKS)
    if os.open not in os.supports_dir_fd:
        if os.path.realpath(path) != path:
            raise OSError(errno.ELOOP, _BELOW_LINK)
        return os.open(path, _FILE)
    above, _, name = path.rpartition("/")
    folder = _LAST.folder
    if folder is None or not folder.is_current(above):
        folder = _LAST.folder = _Folder(above)
    return os.open(name, _FILE, dir_fd=folder.descriptor)


def _refusal(path: Path, error: OSError) -> str | None:
    """Return the reason why a link or a special file was not opened; None for other errors."""
    if path.is_symlink():
        return _LINK
    if any(folder.is_symlink() for folder in path.parents):
        return _BELOW_LINK
    return NOT_REGULAR if error.errno == errno.ENXIO else None  # a socket
