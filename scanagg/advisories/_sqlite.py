"""The SQLite files of the store: made aside and moved into place, opened only if they are whole."""

import contextlib
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import filelock
import msgspec

from scanagg.core.errors import StoreError
from scanagg.model import DataSource

KINDS: Final = ("osv", "kev", "epss")
"""What is stored, each in a file of its own."""

# "scag": the file is ours.
APPLICATION: Final = 0x73636167
# To be raised when the tables change, or the rules by which `versions` fills them.
SCHEMA: Final = 1
# An import of all that there is takes seconds; on a slow disk with others waiting as well, more.
WAIT_SECONDS: Final = 300.0

_TABLES: Final = {
    "osv": (
        "CREATE TABLE record (id TEXT PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE package (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE alias (id TEXT PRIMARY KEY, cluster INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX members ON alias (cluster)",
    ),
    "kev": ("CREATE TABLE kev (cve TEXT PRIMARY KEY, added TEXT, due TEXT) WITHOUT ROWID",),
    "epss": ("CREATE TABLE epss (cve TEXT PRIMARY KEY, score, percentile) WITHOUT ROWID",),
}
_META: Final = "CREATE TABLE meta (body BLOB NOT NULL)"
# What a file that is no database, or no longer one, makes the library raise: it also puts bytes of
# the file into its messages.
_DAMAGE: Final = (sqlite3.Error, UnicodeDecodeError)
_REMEDY: Final = "`scanagg db update` or `scanagg db import` makes it anew"


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the stored data as a whole: `DataSource`, and what its server said of it."""

    kind: str
    name: str
    records: int
    digest: str
    license: str
    fetched: datetime
    updated: datetime | None = None
    origin: str = ""
    etag: str = ""
    last_modified: str = ""

    @property
    def source(self) -> DataSource:
        """What reports say of it."""
        return DataSource(
            name=self.name,
            updated=self.updated,
            digest=self.digest,
            records=self.records,
            origin=self.origin,
            license=self.license,
            fetched=self.fetched,
        )


class Base:
    """One file, open for reading. Safe to be used from several threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection, meta: Meta) -> None:
        """Take over a connection that may be used from any thread."""
        self.path, self.meta = path, meta
        self._connection = connection
        self._alone = threading.Lock()

    def rows(self, query: str, *given: str | int) -> list[tuple[object, ...]]:
        """All that a query finds. StoreError where the file turns out to be damaged."""
        try:
            with self._alone:
                return self._connection.execute(query, given).fetchall()
        except _DAMAGE as error:
            raise damaged(self.path, str(error)) from error

    def close(self) -> None:
        """Let go of the file."""
        with self._alone:
            self._connection.close()


def folder(cache: Path) -> Path:
    """Where the store is in a cache folder."""
    return cache / "advisories"


def file_of(kind: str, cache: Path) -> Path:
    """The file of a kind of data, which may not be there."""
    return folder(cache) / f"{kind}.sqlite"


def damaged(path: Path, why: str) -> StoreError:
    """The error for a file that is not as it was written."""
    return StoreError(f"the advisory store is damaged: {path}: {why}", f"{_REMEDY}.")


def opened(kind: str, cache: Path) -> Base | None:
    """The file of a kind, None where there is none. StoreError where it cannot be used."""
    path = file_of(kind, cache)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if not os.access(path, os.R_OK):
        raise _unreadable(path, "it may not be read")
    connection = None
    try:
        # The file never changes: what is newer is another file under the same name.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        return Base(path, connection, _checked(kind, path, connection, size))
    except _DAMAGE as error:
        _close(connection)
        raise damaged(path, str(error)) from error
    except StoreError:
        _close(connection)
        raise


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _unreadable(path: Path, why: str) -> StoreError:
    return StoreError(f"cannot read the advisory store: {path}: {why}", "See to its rights.")


def _checked(kind: str, path: Path, connection: sqlite3.Connection, size: int) -> Meta:
    """What the file says of itself, if it is ours, of our schema and as long as it was."""
    application, schema, pages, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_count", "page_size")
    )
    if application != APPLICATION:
        raise damaged(path, "scanagg did not write it")
    if schema > SCHEMA:
        raise StoreError(
            f"a newer scanagg made the advisory store: {path}: its schema is {schema}, this "
            f"scanagg knows {SCHEMA}",
            f"Update scanagg, or {_REMEDY}.",
        )
    if schema < SCHEMA:
        raise StoreError(
            f"an older scanagg made the advisory store: {path}: its schema is {schema}, this "
            f"scanagg needs {SCHEMA}",
            f"{_REMEDY}.",
        )
    if pages * page != size:
        raise damaged(path, f"it has {size:,} bytes instead of {pages * page:,}")
    return _meta(kind, path, connection)


def _meta(kind: str, path: Path, connection: sqlite3.Connection) -> Meta:
    row = connection.execute("SELECT body FROM meta").fetchone()
    try:
        meta = msgspec.json.decode(row[0] if row else b"", type=Meta)
    except (msgspec.MsgspecError, TypeError) as error:
        raise damaged(path, "it does not say what it holds") from error
    if meta.kind != kind:
        raise damaged(path, f"it holds {meta.kind}")
    return meta


@contextlib.contextmanager
def building(kind: str, cache: Path) -> Iterator[sqlite3.Connection]:
    """A new file with empty tables, which takes the place of the old one when the block ends.

    Where the block fails, the old one stays and nothing is left over. StoreError where another
    process is at it for too long, or nothing can be written.
    """
    with _writing(cache, kind) as temporary:
        # No journal and no waiting for the disk: a file that is not whole is thrown away.
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            for table in (*_TABLES[kind], _META):
                connection.execute(table)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
        finally:
            connection.close()


@contextlib.contextmanager
def changing(kind: str, cache: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    """A copy of the file of a kind, which takes its place when the block ends; as `building`."""
    path = file_of(kind, cache)
    with _writing(cache, kind) as temporary:
        shutil.copyfile(path, temporary)
        connection = sqlite3.connect(temporary)
        try:
            meta = _checked(kind, path, connection, temporary.stat().st_size)
            with connection:
                yield connection, meta
        finally:
            connection.close()


def put_meta(connection: sqlite3.Connection, meta: Meta) -> None:
    """Write what is known of the data as a whole, in place of what was known."""
    connection.execute("DELETE FROM meta")
    connection.execute("INSERT INTO meta VALUES (?)", (msgspec.json.encode(meta),))


@contextlib.contextmanager
def _writing(cache: Path, kind: str) -> Iterator[Path]:
    """A temporary file beside the one of a kind, moved over it when the block ends well."""
    target = file_of(kind, cache)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(target.parent):
            for left in target.parent.glob(".*.sqlite.*"):  # by a process that was killed
                left.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            os.close(handle)
            try:
                yield Path(name)
                _move(Path(name), target)
            finally:
                for suffix in ("", "-journal"):
                    Path(name + suffix).unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot write the advisory store in {target.parent}: {error}",
            "Make room and see to its rights, or set SCANAGG_CACHE_DIR to another folder. "
            "What was stored before is as it was.",
        ) from error


def _move(made: Path, target: Path) -> None:
    """Put a file in place of another for good: it, then its name, is on the disk."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Be the only process that writes here. StoreError where another one does not end."""
    holder = place / ".writer"
    try:
        with filelock.FileLock(place / ".lock", timeout=WAIT_SECONDS):
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)
    except filelock.Timeout as error:
        raise StoreError(
            f"another scanagg ({_told(holder)}) is writing the advisory store in {place}",
            "Wait until it is done, or end it.",
        ) from error


def _told(holder: Path) -> str:
    try:
        return holder.read_text("utf-8", "replace")[:200]
    except OSError:
        return "unknown which"
