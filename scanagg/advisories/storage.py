"""The files of the advisory store: values by key in SQLite, verified at every look-up.

The entries of a file are in buckets, sorted by a checksum of their keys. The metadata has a digest
for each bucket, and a digest of itself. A look-up verifies its bucket, which also proves that a key
does not exist. So a damaged file gives an error, never another answer.

A file never changes: new data is written beside it and moved into its place. Only complete files
are opened.
"""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from scanagg.core.errors import StoreError
from scanagg.core.text import valid
from scanagg.model import DataSource

_T = TypeVar("_T")

KINDS: Final = ("osv", "kev", "epss")
"""The kinds of data, each stored in a file of its own."""

# "scag": scanagg wrote the file.
_APPLICATION_ID: Final = 0x73636167
# Raise it when the tables or values change, or the rules in `versions`.
_SCHEMA: Final = 3
# A full import takes seconds, but disks can be slow, and other imports may be waiting too.
WAIT_SECONDS: Final = 300.0

_TABLES: Final = (
    "CREATE TABLE bucket (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE meta (body BLOB NOT NULL, digests BLOB NOT NULL, digest BLOB NOT NULL)",
)
# The entries until the buckets are made, in a file of their own.
_ENTRIES: Final = (
    "CREATE TABLE entry (place INTEGER, key TEXT, value BLOB, PRIMARY KEY (place, key)) "
    "WITHOUT ROWID"
)
# The mean size of a bucket: about two records. Smaller ones make opening slower.
_BUCKET_BYTES: Final = 2048
_DIGEST_BYTES: Final = 16
_EMPTY: Final = b"{}"
# The errors of a file that is damaged or not a database. SQLite also raises UnicodeDecodeError, if
# its message quotes the file.
_DAMAGE: Final = (sqlite3.Error, ValueError, RecursionError)
_REMEDY: Final = "Rebuild it with `scanagg db update` or `scanagg db import PATH`."


class StoreMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """The metadata of a file: its `DataSource`, and the validators of its server."""

    kind: str
    name: str
    records: int
    license: str
    fetched: datetime
    digest: str = ""
    updated: datetime | None = None
    origin: str = ""
    etag: str = ""
    last_modified: str = ""

    @property
    def source(self) -> DataSource:
        """The part for reports."""
        return msgspec.convert(self, DataSource, from_attributes=True)


_BUCKET: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class StoreFile(msgspec.Struct, frozen=True):
    """An open file of the store, for one thread at a time."""

    path: Path
    connection: sqlite3.Connection
    meta: StoreMeta
    digests: bytes

    @property
    def buckets(self) -> int:
        """The number of buckets."""
        return len(self.digests) // _DIGEST_BYTES

    def get(self, key: str, decoder: msgspec.json.Decoder[_T]) -> _T | None:
        """Return the value of a key, which may be any text; None if there is none. StoreError."""
        key = valid(key)
        number = _bucket(_place(key), self.buckets)
        try:
            raw = _BUCKET.decode(self.body(number)).get(key)
            return None if raw is None else decoder.decode(raw)
        except _DAMAGE as error:
            raise damaged(self.path, str(error)) from error

    def body(self, number: int) -> bytes:
        """Return a bucket. StoreError or sqlite3.Error if the file is damaged."""
        query = "SELECT body FROM bucket WHERE number = ?"
        (body,) = self.connection.execute(query, (number,)).fetchone() or (None,)
        start = number * _DIGEST_BYTES
        digest = self.digests[start : start + _DIGEST_BYTES]
        if not isinstance(body, bytes) or _digest(body) != digest:
            raise damaged(self.path, "some of its records have changed")
        return body


class StoreBuilder:
    """A file of the store that is not complete."""

    def __init__(self, connection: sqlite3.Connection, entries: sqlite3.Connection) -> None:
        """Use connections to two new files: this one, and one for its entries."""
        self._connection = connection
        self._entries = entries

    def put(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Add values (JSON) by key. A later value replaces an earlier one."""
        self._entries.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?)",
            ((_place(key), key, value) for key, value in entries),
        )

    def finish(self, meta: StoreMeta) -> StoreMeta:
        """Write the buckets and the metadata; return it with the digest of the data."""
        query = "SELECT total(length(key) + length(value)) FROM entry"
        count = 1 + int(self._entries.execute(query).fetchone()[0]) // _BUCKET_BYTES
        digests = [_digest(_EMPTY)] * count
        rows = self._entries.execute("SELECT place, key, value FROM entry ORDER BY place, key")
        self._connection.executemany(
            "INSERT INTO bucket VALUES (?, ?)", _buckets(rows, count, digests)
        )
        joined = b"".join(digests)
        meta = msgspec.structs.replace(meta, digest=hashlib.sha256(joined).hexdigest())
        _put_meta(self._connection, meta, joined)
        return meta


def is_stored(kind: str, cache: Path) -> bool:
    """Return whether there is a file of this kind, usable or not."""
    return os.path.lexists(_path(kind, cache))


def stored_meta(kind: str, cache: Path) -> StoreMeta | None:
    """Return the metadata of a kind, with all data verified; None if it is missing or unusable."""
    try:
        file = open_file(kind, cache, verify=True)
    except StoreError:
        return None
    if file is None:
        return None
    file.connection.close()
    return file.meta


def touch(kind: str, cache: Path, fetched: datetime) -> None:
    """Record that the stored data of a kind is still the newest at `fetched`. StoreError."""
    path = _path(kind, cache)
    with _replacing(kind, cache) as temporary:
        shutil.copyfile(path, temporary)
        with contextlib.closing(sqlite3.connect(temporary)) as connection:
            file = _checked(kind, path, connection, temporary.stat().st_size)
            with connection:
                connection.execute("DELETE FROM meta")
                meta = msgspec.structs.replace(file.meta, fetched=fetched)
                _put_meta(connection, meta, file.digests)


@contextlib.contextmanager
def building(kind: str, cache: Path) -> Iterator[StoreBuilder]:
    """Create a new file, which replaces the old one when the block ends.

    The block must finish it. If the block fails, the old one stays and nothing is left over.
    StoreError if another process writes for too long, or the folder is not writable.
    """
    with (
        _replacing(kind, cache) as temporary,
        contextlib.closing(_new_database(temporary, *_TABLES)) as connection,
        contextlib.closing(_new_database(f"{temporary}-entries", _ENTRIES)) as entries,
    ):
        yield StoreBuilder(connection, entries)
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _new_database(path: Path | str, *tables: str) -> sqlite3.Connection:
    """Open a database for one transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    # No journal, and no waiting for the disk: an incomplete file is thrown away.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    for table in tables:
        connection.execute(table)
    connection.execute("BEGIN")
    return connection


def open_file(kind: str, cache: Path, *, verify: bool = False) -> StoreFile | None:
    """Open the file of a kind; None if there is none. StoreError if it is unusable.

    Without `verify`, only verify the metadata.
    """
    path = _path(kind, cache)
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise damaged(path, "not a regular file")
        if not os.access(path, os.R_OK):
            raise PermissionError(None, "Permission denied")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"cannot read the advisory store: {path}: {error.strerror or error}",
            "Check the permissions of the file.",
        ) from error
    connection = None
    try:
        # Immutable: newer data is another file under the same name.
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        file = _checked(kind, path, connection, status.st_size)
        for number in range(file.buckets if verify else 0):
            file.body(number)
        return file
    except (*_DAMAGE, StoreError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreError):
            raise
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> StoreError:
    """Return the error for a damaged file."""
    return StoreError(f"the advisory store is damaged: {path}: {why}", _REMEDY)


def _path(kind: str, cache: Path) -> Path:
    return cache / "advisories" / f"{kind}.sqlite"


def _place(key: str) -> int:
    """Return the place of a key in the order of all entries, from 0 to 2**32 - 1."""
    return zlib.crc32(key.encode())


def _bucket(place: int, count: int) -> int:
    return place * count >> 32


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_DIGEST_BYTES]


def _buckets(
    rows: Iterable[tuple[int, str, bytes]], count: int, digests: list[bytes]
) -> Iterator[tuple[int, bytes]]:
    """Yield every bucket of the sorted rows, and set its digest."""
    written = 0
    for number, entries in groupby(rows, lambda row: _bucket(row[0], count)):
        yield from ((empty, _EMPTY) for empty in range(written, number))
        fields = (msgspec.json.encode(key) + b":" + value for _, key, value in entries)
        body = b"{" + b",".join(fields) + b"}"
        digests[number] = _digest(body)
        yield number, body
        written = number + 1
    yield from ((empty, _EMPTY) for empty in range(written, count))


def _put_meta(connection: sqlite3.Connection, meta: StoreMeta, digests: bytes) -> None:
    body = msgspec.json.encode(meta)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?)", (body, digests, _digest(body)))


def _checked(kind: str, path: Path, connection: sqlite3.Connection, size: int) -> StoreFile:
    """Return the file of a connection. StoreError if it is incomplete or of another schema."""
    application, schema, pages, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_count", "page_size")
    )
    if application != _APPLICATION_ID:
        raise damaged(path, "not written by scanagg")
    if schema != _SCHEMA:
        version = "a newer version" if schema > _SCHEMA else "an older version"
        raise StoreError(
            f"{version} of scanagg wrote the advisory store: {path}: schema {schema} instead of "
            f"{_SCHEMA}",
            f"Update scanagg. {_REMEDY}" if schema > _SCHEMA else _REMEDY,
        )
    if pages * page != size:
        raise damaged(path, f"{size:,} bytes instead of {pages * page:,}")
    row = connection.execute("SELECT body, digests, digest FROM meta").fetchone()
    if not row or not all(isinstance(value, bytes) for value in row):
        raise damaged(path, "it has no metadata")
    body, digests, digest = row
    if _digest(body) != digest:
        raise damaged(path, "its metadata has changed")
    meta = msgspec.json.decode(body, type=StoreMeta)
    if hashlib.sha256(digests).hexdigest() != meta.digest:
        raise damaged(path, "its digests have changed")
    if meta.kind != kind:
        raise damaged(path, f"it has the data of {meta.kind}")
    return StoreFile(path, connection, meta, digests)


@contextlib.contextmanager
def _replacing(kind: str, cache: Path) -> Iterator[Path]:
    """Create a temporary file that replaces the one of a kind if the block succeeds. StoreError."""
    # Imported here, because it imports asyncio, and a check only reads.
    import filelock  # noqa: PLC0415

    target = _path(kind, cache)
    folder = target.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lock", timeout=WAIT_SECONDS):
            for leftover in folder.glob(".*.sqlite.*"):  # from a killed process
                leftover.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=folder)
            os.close(handle)
            temporary = Path(name)
            try:
                yield temporary
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                for suffix in ("", "-journal", "-entries"):
                    Path(name + suffix).unlink(missing_ok=True)
    except filelock.Timeout as error:
        raise StoreError(
            f"another scanagg is writing the advisory store in {folder}",
            "Wait until it has finished, or stop it.",
        ) from error
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"cannot write the advisory store in {folder}: {error}",
            "Check the free space and the permissions, or set SCANAGG_CACHE_DIR to another folder. "
            "The old data is unchanged.",
        ) from error
