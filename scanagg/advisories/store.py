"""The advisory store: published vulnerabilities, KEV and EPSS, in SQLite files of the cache.

A file never changes: new data is written beside it and moved into its place. Only complete files
are opened.
"""

import contextlib
import enum
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

import filelock
import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.versions import AffectedVersions, affected_versions
from scanagg.core.errors import StoreError
from scanagg.core.text import valid
from scanagg.model import DataSource

KINDS: Final = ("osv", "kev", "epss")
"""The kinds of data, each stored in a file of its own."""

# "scag": scanagg wrote the file.
_APPLICATION_ID: Final = 0x73636167
# Raise it when the tables change, or the rules in `versions`.
_SCHEMA: Final = 2
# A full import takes seconds, but disks can be slow, and other imports may be waiting too.
WAIT_SECONDS: Final = 300.0

_TABLES: Final = {
    "osv": (
        "CREATE TABLE record (id TEXT PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE package (name TEXT, record TEXT, PRIMARY KEY (name, record)) WITHOUT ROWID",
        "CREATE TABLE alias (id TEXT PRIMARY KEY, cluster INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX members ON alias (cluster)",
    ),
    "kev": ("CREATE TABLE kev (cve TEXT PRIMARY KEY, added TEXT, due TEXT) WITHOUT ROWID",),
    "epss": ("CREATE TABLE epss (cve TEXT PRIMARY KEY, score, percentile) WITHOUT ROWID",),
}
_META_TABLE: Final = "CREATE TABLE meta (body BLOB NOT NULL)"
# The errors of a file that is damaged or not a database. A UnicodeDecodeError comes from a message
# of SQLite that quotes the file.
_DAMAGE: Final = (sqlite3.Error, UnicodeDecodeError)
_REMEDY: Final = "Rebuild it with `scanagg db update` or `scanagg db import PATH`."
_CACHED_PACKAGES: Final = 2048


class StoreMeta(msgspec.Struct, frozen=True, omit_defaults=True):
    """The metadata of a file: its `DataSource`, and the validators of its server."""

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
        """The part for reports."""
        return msgspec.convert(self, DataSource, from_attributes=True)


class AliasGroup(msgspec.Struct, frozen=True):
    """All ids of one vulnerability, by aliases in both directions, and their records."""

    ids: frozenset[str]
    records: tuple[Record, ...]


class Exploited(msgspec.Struct, frozen=True):
    """A CVE that CISA lists as exploited, with the ISO dates of its entry and deadline."""

    cve: str
    added: str
    due: str = ""


class Likelihood(msgspec.Struct, frozen=True):
    """The EPSS of a CVE: the probability of exploitation within 30 days, and its percentile."""

    cve: str
    score: float
    percentile: float


class Phase(enum.Enum):
    """A step in the update of one kind of data."""

    WAITING = "waiting for another update"
    DOWNLOADING = "downloading"
    STORING = "storing"


Notify = Callable[[str, Phase, int, int], None]
"""Called with the kind, the phase, and how much is done of how much (0 if unknown)."""


_DECODER: Final = msgspec.json.Decoder(Record)


class StoreFile(msgspec.Struct, frozen=True):
    """An open file of the store, for any thread."""

    path: Path
    connection: sqlite3.Connection
    meta: StoreMeta


class Store:
    """Read access to the store, for several threads.

    `osv`, `kev` and `epss` describe the data of each kind; None if it is missing or unusable.
    `problems` are the messages about unusable files, with what to do. A look-up raises a StoreError
    if a file turns out to be damaged: an empty answer would be wrong.
    """

    def __init__(self, files: Iterable[StoreFile] = (), problems: Iterable[str] = ()) -> None:
        """Take over open files, at most one of a kind."""
        self._files = {file.meta.kind: file for file in files}
        self.osv, self.kev, self.epss = (
            self._files[kind].meta.source if kind in self._files else None for kind in KINDS
        )
        self.problems = tuple(problems)
        self._lock = threading.Lock()

        # Several scanners, and several versions of a package, need the same records.
        @lru_cache(_CACHED_PACKAGES)
        def package(name: str) -> Sequence[tuple[Record, AffectedVersions]]:
            query = (
                "SELECT body FROM package LEFT JOIN record ON id = record "
                "WHERE name = ? ORDER BY record"
            )
            return [(record, affected_versions(record, name)) for record in self._read(query, name)]

        self._package = package

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """The stored data, in a fixed order."""
        return tuple(filter(None, (self.osv, self.kev, self.epss)))

    def records(self, name: str) -> Sequence[Record]:
        """Return every record about a PyPI package, including withdrawn ones."""
        return tuple(record for record, _ in self._package(canonicalize_name(name)))

    def affecting(self, name: str, version: str) -> Sequence[Record]:
        """Return the records that affect a version, without withdrawn ones."""
        return tuple(
            record
            for record, versions in self._package(canonicalize_name(name))
            if not record.withdrawn and versions.contains(version)
        )

    def group(self, ids: Iterable[str]) -> AliasGroup:
        """Return the transitive closure of some ids over all aliases, and its records."""
        names = set(ids)
        query = "SELECT id FROM alias WHERE cluster = (SELECT cluster FROM alias WHERE id = ?)"
        for name in map(canonical_id, tuple(names)):
            names.add(name)
            names.update(str(row[0]) for row in self._rows("osv", query, name))
        query = "SELECT body FROM record WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        listed = msgspec.json.encode([valid(name) for name in names]).decode()
        return AliasGroup(frozenset(names), self._read(query, listed))

    def exploited(self, ids: Iterable[str]) -> Exploited | None:
        """Return the earliest entry of KEV for any of the ids."""
        query = "SELECT cve, added, due FROM kev WHERE cve = ?"
        rows = chain.from_iterable(self._rows("kev", query, canonical_id(name)) for name in ids)
        entries = [Exploited(str(cve), str(added), str(due)) for cve, added, due in rows]
        return min(entries, key=lambda entry: (entry.added or "~", entry.cve), default=None)

    def likelihood(self, ids: Iterable[str]) -> Likelihood | None:
        """Return the highest EPSS of any of the ids."""
        query = "SELECT cve, score, percentile FROM epss WHERE cve = ?"
        rows = chain.from_iterable(self._rows("epss", query, canonical_id(name)) for name in ids)
        scores = [
            Likelihood(str(cve), score, percentile)
            for cve, score, percentile in rows
            if isinstance(score, float) and isinstance(percentile, float)
        ]
        return max(scores, key=lambda each: (each.score, each.percentile, each.cve), default=None)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files.values():
                file.connection.close()

    def _read(self, query: str, key: str) -> tuple[Record, ...]:
        """Return the records of a query. StoreError if one is damaged or missing."""
        try:
            return tuple(
                _DECODER.decode(body if isinstance(body, bytes) else b"")
                for (body,) in self._rows("osv", query, key)
            )
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _damaged(self._files["osv"].path, "a record cannot be read") from error

    def _rows(self, kind: str, query: str, key: str) -> list[tuple[object, ...]]:
        """Return the rows of a query for a key, which may be any text from a scanner."""
        file = self._files.get(kind)
        if file is None:
            return []
        try:
            with self._lock:
                return file.connection.execute(query, (valid(key),)).fetchall()
        except _DAMAGE as error:
            raise _damaged(file.path, str(error)) from error


def open_store(cache: Path) -> Store:
    """Open the store in a cache folder. A missing store is an empty one; problems are in it."""
    files, problems = [], []
    for kind in KINDS:
        try:
            file = _open(kind, cache)
        except StoreError as error:
            problems.append(f"{error.message}. {error.hint}")
        else:
            files.extend([file] if file else [])
    return Store(files, problems)


def is_stored(kind: str, cache: Path) -> bool:
    """Return whether there is a file of this kind, usable or not."""
    return _path(kind, cache).exists()


def stored_meta(kind: str, cache: Path) -> StoreMeta | None:
    """Return the metadata of a kind; None if it is missing or unusable."""
    try:
        file = _open(kind, cache)
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
        connection = sqlite3.connect(temporary)
        try:
            meta = _checked_meta(kind, path, connection, temporary.stat().st_size)
            with connection:
                connection.execute("DELETE FROM meta")
                put_meta(connection, msgspec.structs.replace(meta, fetched=fetched))
        finally:
            connection.close()


@contextlib.contextmanager
def building(kind: str, cache: Path) -> Iterator[sqlite3.Connection]:
    """Create a new file with empty tables, which replaces the old one when the block ends.

    If the block fails, the old one stays and nothing is left over. StoreError if another process
    writes for too long, or the folder is not writable.
    """
    with _replacing(kind, cache) as temporary:
        # No journal, and no waiting for the disk: an incomplete file is thrown away.
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            for table in (*_TABLES[kind], _META_TABLE):
                connection.execute(table)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")
        finally:
            connection.close()


def put_meta(connection: sqlite3.Connection, meta: StoreMeta) -> None:
    """Write the metadata of a new file."""
    connection.execute("INSERT INTO meta VALUES (?)", (msgspec.json.encode(meta),))


def _path(kind: str, cache: Path) -> Path:
    return cache / "advisories" / f"{kind}.sqlite"


def _open(kind: str, cache: Path) -> StoreFile | None:
    """Open the file of a kind; None if there is none. StoreError if it is unusable."""
    path = _path(kind, cache)
    try:
        size = path.stat().st_size
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
        return StoreFile(path, connection, _checked_meta(kind, path, connection, size))
    except (*_DAMAGE, StoreError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreError):
            raise
        raise _damaged(path, str(error)) from error


def _checked_meta(kind: str, path: Path, connection: sqlite3.Connection, size: int) -> StoreMeta:
    """Return the metadata of a file. StoreError if it is not complete or not of this schema."""
    application, schema, pages, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_count", "page_size")
    )
    if application != _APPLICATION_ID:
        raise _damaged(path, "not written by scanagg")
    if schema != _SCHEMA:
        version = "a newer version" if schema > _SCHEMA else "an older version"
        raise StoreError(
            f"{version} of scanagg wrote the advisory store: {path}: schema {schema} instead of "
            f"{_SCHEMA}",
            f"Update scanagg. {_REMEDY}" if schema > _SCHEMA else _REMEDY,
        )
    if pages * page != size:
        raise _damaged(path, f"{size:,} bytes instead of {pages * page:,}")
    row = connection.execute("SELECT body FROM meta").fetchone()
    try:
        meta = msgspec.json.decode(row[0] if row else b"", type=StoreMeta)
    except (msgspec.MsgspecError, TypeError) as error:
        raise _damaged(path, "its metadata cannot be read") from error
    if meta.kind != kind:
        raise _damaged(path, f"it has the data of {meta.kind}")
    return meta


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"the advisory store is damaged: {path}: {why}", _REMEDY)


@contextlib.contextmanager
def _replacing(kind: str, cache: Path) -> Iterator[Path]:
    """Create a temporary file that replaces the one of a kind if the block succeeds. StoreError."""
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
                for suffix in ("", "-journal"):
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
