"""A download that is not done: its bytes, and beside them what is needed to go on with it."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from scanagg.advisories.fetching.checksums import Checksum
from scanagg.core.cache import write_atomically
from scanagg.core.errors import DownloadError

_HINT: Final = "Make room, or set SCANAGG_CACHE_DIR to a folder that can be written."


class Notes(msgspec.Struct, frozen=True):
    """What a server said of the whole file; `address` is a hash, for an address may be secret."""

    address: str
    etag: str = ""
    last_modified: str = ""
    total: int | None = None
    checksums: tuple[Checksum, ...] = ()

    @property
    def validator(self) -> str:
        """What tells that the file is still the same, byte for byte; empty where nothing does.

        A weak ETag tells only that it means the same (RFC 9110, 13.1.5).
        """
        return self.etag if self.etag.startswith('"') else self.last_modified


class Part:
    """The file at `path` and its notes. DownloadError where they cannot be written."""

    def __init__(self, path: Path) -> None:
        """Take the place; nothing is made yet."""
        self.path = path
        self._notes = path.with_name(f"{path.name}.json")

    def size(self) -> int:
        """Bytes that are here; none where there is no file."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def resumable(self, address: str) -> Notes | None:
        """The notes, where what is here is a beginning of what this address has."""
        try:
            notes = msgspec.json.decode(self._notes.read_bytes(), type=Notes)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        size = self.size()
        whole = notes.total is not None and size >= notes.total
        fits = notes.address == hashed(address) and notes.validator and size and not whole
        return notes if fits else None

    def begin(self, notes: Notes) -> None:
        """Start anew. The notes are written last: a beginning without notes is never gone on with.

        An answer that nothing can be told by later is kept without notes.
        """
        with _told(self.path):
            self._notes.unlink(missing_ok=True)
            self.path.write_bytes(b"")
            if notes.validator:
                write_atomically(self._notes, [msgspec.json.encode(notes).decode()])

    @contextlib.contextmanager
    def appending(self) -> Iterator[IO[bytes]]:
        """The file, to write behind what is there."""
        with _told(self.path), self.path.open("ab") as file:
            yield file

    def read(self, size: int) -> bytes:
        """The first bytes."""
        with _told(self.path), self.path.open("rb") as file:
            return file.read(size)

    def chunks(self) -> Iterator[bytes]:
        """All bytes that are here, a piece at a time."""
        with _told(self.path), self.path.open("rb") as file:
            while chunk := file.read(1 << 20):
                yield chunk

    def drop(self) -> None:
        """Forget it; what cannot be removed is overwritten by the next."""
        for path in (self._notes, self.path):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def hashed(address: str) -> str:
    """A name for an address that does not show it."""
    return hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """An error of the file system as ours."""
    try:
        yield
    except OSError as error:
        raise DownloadError(f"cannot write {path}: {error.strerror or error}", _HINT) from error
