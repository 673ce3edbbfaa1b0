"""The records of an OSV export, written into the tables of the store."""

import hashlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from scanagg.advisories.closure import clusters
from scanagg.advisories.importing.osv_files import Export, Member
from scanagg.advisories.importing.problems import Problems
from scanagg.advisories.records import Record, UnusableError, decoded, moment
from scanagg.advisories.store import Package
from scanagg.advisories.versions import Reach, doubts, reach, table, trimmed

_STEP: Final = 250
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_ENCODER: Final = msgspec.json.Encoder()


class _Kept(msgspec.Struct, frozen=True):
    """What is remembered of a record that was written: all but its text."""

    modified: datetime
    digest: bytes
    aliases: tuple[str, ...]
    withdrawn: bool
    packages: tuple[tuple[str, Reach], ...]

    @property
    def age(self) -> tuple[datetime, bytes]:
        """By what the newest of several records of one id is told, whatever their order."""
        return (self.modified, self.digest)


class Written(msgspec.Struct, frozen=True):
    """What was stored: how many records, the newest time that is not in the future, the digest."""

    records: int
    updated: datetime | None
    digest: str


def write(
    connection: sqlite3.Connection,
    export: Export,
    problems: Problems,
    progress: Callable[[int, int], None],
    now: datetime,
) -> Written:
    """Write every record of an export. StoreError from its members, sqlite3.Error."""
    kept: dict[str, _Kept] = {}
    for number, member in enumerate(export.members, 1):
        _write_one(connection, member, kept, problems)
        if number % _STEP == 0 or number == export.count:
            progress(number, export.count)
    _write_packages(connection, kept)
    _write_aliases(connection, kept)
    times = [one.modified for one in kept.values() if _LONG_AGO < one.modified <= now]
    return Written(len(kept), max(times, default=None), _digest(kept))


def _write_one(
    connection: sqlite3.Connection, member: Member, kept: dict[str, _Kept], problems: Problems
) -> None:
    if member.refused:
        problems.refuse(member.name, member.refused)
        return
    try:
        record, left_out = decoded(member.data)
    except UnusableError as error:
        problems.refuse(member.name, str(error))
        return
    for doubt in dict.fromkeys((*left_out, *doubts(record))):
        problems.doubt(record.id, doubt)
    short = trimmed(record)
    new, old = _kept(record, short), kept.get(record.id)
    if old is not None:
        problems.refuse(member.name, f"there are several records {record.id}: the newest is used")
    if old is None or old.age < new.age:
        kept[record.id] = new
        body = _ENCODER.encode(short)
        connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (record.id, body))


def _kept(record: Record, short: Record) -> _Kept:
    names = dict.fromkeys(one.package.name for one in short.affected)
    return _Kept(
        moment(record.modified) or _LONG_AGO,
        hashlib.sha256(_ENCODER.encode(record)).digest(),
        record.aliases,
        bool(record.withdrawn),
        tuple((name, reach(short, name)) for name in names),
    )


def _write_packages(connection: sqlite3.Connection, kept: dict[str, _Kept]) -> None:
    """Which records affect which versions of a package, by its name."""
    packages: dict[str, list[tuple[str, Reach]]] = {}
    for record in sorted(kept):
        for name, reached in kept[record].packages:
            packages.setdefault(name, []).append((record, reached))
    rows = ((name, _ENCODER.encode(_package(packages[name], kept))) for name in sorted(packages))
    connection.executemany("INSERT INTO package VALUES (?, ?)", rows)


def _package(records: list[tuple[str, Reach]], kept: dict[str, _Kept]) -> Package:
    living = (one for one in records if not kept[one[0]].withdrawn)
    return Package(tuple(record for record, _ in records), table(living))


def _write_aliases(connection: sqlite3.Connection, kept: dict[str, _Kept]) -> None:
    """Which names mean the same; a name that stands alone is not among them."""
    groups = clusters((record, *one.aliases) for record, one in kept.items() if one.aliases)
    connection.executemany(
        "INSERT INTO alias VALUES (?, ?)",
        sorted((name, number) for number, group in enumerate(groups) for name in group),
    )


def _digest(kept: dict[str, _Kept]) -> str:
    """The sha256 over those of all records in one form, by id: the same however they are packed."""
    whole = hashlib.sha256()
    for record in sorted(kept):
        whole.update(kept[record].digest)
    return whole.hexdigest()
