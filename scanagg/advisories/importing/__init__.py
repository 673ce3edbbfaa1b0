"""Files become a store: an OSV export, the KEV catalogue, EPSS scores, read with limits."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from scanagg.advisories import _sqlite
from scanagg.advisories._sqlite import Meta, put_meta
from scanagg.advisories.importing import limits, osv_tables
from scanagg.advisories.importing.exploits import catalogue
from scanagg.advisories.importing.folders import below
from scanagg.advisories.importing.osv_files import exported
from scanagg.advisories.importing.problems import Problems
from scanagg.advisories.importing.scores import GZIP, scores
from scanagg.core.errors import StoreError
from scanagg.core.text import counted, valid
from scanagg.model import CLOCK_DRIFT, DataSource

_NAMES: Final = {"osv": "OSV (PyPI)", "kev": "CISA KEV", "epss": "FIRST EPSS"}
# PyPA and GitHub: CC BY 4.0 (in their repositories). CISA: CC0 (on the catalogue's page). FIRST:
# https://www.first.org/epss/ asks for nothing but to be named.
_LICENSES: Final = {
    "osv": "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database); "
    "Apache-2.0 (OpenSSF Malicious Packages)",
    "kev": "CC0 1.0",
    "epss": "free to use with citation (FIRST.org)",
}
_BATCH: Final = 10_000
# A store of fewer records was made by hand: it may be replaced by any other.
_LARGE: Final = 1_000


class Origin(msgspec.Struct, frozen=True):
    """Where data came from: an address or a file's name, and what the server said of it."""

    text: str
    etag: str = ""
    last_modified: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What was stored, and what there is to say of it.

    `problems` are records that could not be used as a whole or in part, with the reason: the first
    few. `refused` is how many of the records were left out.
    """

    source: DataSource
    problems: tuple[str, ...] = ()
    refused: int = 0


Progress = Callable[[int, int], None]
"""Told how much is done of how much (records or bytes; 0 where the whole is not known)."""


def import_osv(
    path: Path, cache: Path, origin: Origin, progress: Progress, *, replace: bool = False
) -> Imported:
    """Store an OSV export: a zip, a folder of JSON files, or one JSON file.

    The old store stays until the new one is whole. StoreError for what is none, is too large, or
    cannot be written; without `replace` also for what is much less than what is stored.
    """
    return _import_osv(path, cache, origin, progress, replace=replace)


def import_kev(
    path: Path, cache: Path, origin: Origin, progress: Progress, *, replace: bool = False
) -> Imported:
    """Store CISA's catalogue of known exploited vulnerabilities (JSON). StoreError as above."""
    problems, now = Problems(), datetime.now(UTC)
    found = catalogue(path, problems)
    with _sqlite.building("kev", cache) as connection:
        connection.executemany("INSERT INTO kev VALUES (?, ?, ?)", found.entries)
        progress(len(found.entries), len(found.entries))
        _refuse_less("kev", cache, path, len(found.entries), replace=replace)
        digest = _digest(connection, "SELECT cve, added, due FROM kev ORDER BY cve")
        meta = _meta("kev", origin, now, found.released, len(found.entries), digest)
        put_meta(connection, meta)
    return _imported(meta, problems)


def import_epss(
    path: Path, cache: Path, origin: Origin, progress: Progress, *, replace: bool = False
) -> Imported:
    """Store FIRST's EPSS scores (CSV, plain or gzipped). StoreError as above."""
    problems, now = Problems(), datetime.now(UTC)
    with scores(path, problems) as found, _sqlite.building("epss", cache) as connection:
        count = 0
        for rows in _batches(found.rows):
            connection.executemany("INSERT INTO epss VALUES (?, ?, ?)", rows)
            count += len(rows)
            progress(count, 0)
            if count > limits.SCORES:
                raise limits.too_large(path, f"more than {limits.SCORES:,} scores")
        if not count:
            raise StoreError(f"{path} has not one EPSS score", "Download it again.")
        _refuse_less("epss", cache, path, count, replace=replace)
        digest = _digest(connection, "SELECT cve, score, percentile FROM epss ORDER BY cve")
        meta = _meta("epss", origin, now, found.scored, count, digest)
        put_meta(connection, meta)
    return _imported(meta, problems)


def import_any(
    path: Path, cache: Path, progress: Progress, *, replace: bool = False
) -> tuple[Imported, ...]:
    """Store whatever a file or a folder holds, told by content. StoreError where that is nothing,
    and without `replace` where it is much less than what is stored of its kind.

    In a folder: an OSV export (zip, or JSON files), a KEV catalogue, EPSS scores, each if there.
    """
    kinds = _in_folder(path) if limits.is_folder(path) else {_kind(path): [path]}
    exports, records = kinds.get("zip", []), kinds.get("osv", [])
    catalogues, lists = kinds.get("kev", []), kinds.get("epss", [])
    for several in (exports, catalogues, lists):
        if len(several) > 1:
            names = ", ".join(limits.told(one.name) for one in several[:3])
            raise StoreError(f"{path} holds several of a kind: {names}", "Give the one to be used.")
    if not (exports or records or catalogues or lists):
        raise limits.not_data(path, b"?" if limits.is_folder(path) else limits.head(path))
    beside = f"{counted(len(records), 'JSON file')} beside the zip are left aside"
    notes = (beside,) if exports and records else ()
    leave = frozenset(catalogues)
    exports = exports or ([path] if records else [])
    done = [
        _import_osv(one, cache, _name(one), progress, leave, notes, replace=replace)
        for one in exports
    ]
    done += [import_kev(one, cache, _name(one), progress, replace=replace) for one in catalogues]
    done += [import_epss(one, cache, _name(one), progress, replace=replace) for one in lists]
    return tuple(done)


def origin_of(kind: str, cache: Path) -> Origin | None:
    """Where the stored data of a kind (osv, kev, epss) came from; None where there is none."""
    try:
        base = _sqlite.opened(kind, cache)
    except StoreError:
        return None
    if base is None:
        return None
    base.close()
    return Origin(base.meta.origin, base.meta.etag, base.meta.last_modified)


def touch(kind: str, cache: Path, fetched: datetime) -> None:
    """Note that what is stored of a kind was still the newest at that time. StoreError."""
    with _sqlite.changing(kind, cache) as (connection, meta):
        put_meta(connection, msgspec.structs.replace(meta, fetched=fetched))


def _import_osv(
    path: Path,
    cache: Path,
    origin: Origin,
    progress: Progress,
    leave: frozenset[Path] = frozenset(),
    notes: tuple[str, ...] = (),
    *,
    replace: bool,
) -> Imported:
    """As `import_osv`; files in `leave` are something else, `notes` are told with the problems."""
    problems, now = Problems(), datetime.now(UTC)
    with exported(path, leave) as export, _sqlite.building("osv", cache) as connection:
        for note in (*notes, *export.notes):
            problems.doubt("", note)
        written = osv_tables.write(connection, export, problems, progress, now)
        if not written.records:
            said = problems.told[0] if problems.told else "it holds no record"
            raise StoreError(
                f"{path} has not one usable OSV record: {said}",
                "The export of osv.dev for PyPI is PyPI/all.zip.",
            )
        if problems.refused > max(written.records, _LARGE):
            counts = f"{problems.refused:,} of {problems.refused + written.records:,} records"
            raise StoreError(
                f"{path}: {counts} cannot be used: {problems.told[0]}",
                "The export of osv.dev for PyPI is PyPI/all.zip.",
            )
        _refuse_less("osv", cache, path, written.records, replace=replace)
        meta = _meta("osv", origin, now, written.updated, written.records, written.digest)
        put_meta(connection, meta)
    return _imported(meta, problems)


def _refuse_less(kind: str, cache: Path, path: Path, count: int, *, replace: bool) -> None:
    """StoreError where this would take the place of a store that is much larger.

    A single record, or half a download, is no export: what it lacks would count as unknown to all.
    """
    try:
        base = _sqlite.opened(kind, cache)
    except StoreError:
        return  # what cannot be read is no loss
    if base is None:
        return
    base.close()
    stored = base.meta.records
    if not replace and stored >= _LARGE and count * 2 < stored:
        raise StoreError(
            f"{path} has {counted(count, 'record')}, and {stored:,} are stored of this kind",
            "Give all of it; if less is meant, `scanagg db import --replace`.",
        )


def _name(path: Path) -> Origin:
    """The name of what was given, without where it lies."""
    return Origin(path.resolve().name)


def _in_folder(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder and below it by what they are."""
    kinds: dict[str, list[Path]] = {}
    for path in below(folder, {".json", ".zip", ".csv", ".gz"}).files:
        kinds.setdefault(_kind(path), []).append(path)
    return kinds


def _kind(path: Path) -> str:
    """What a file holds, by how it begins: zip, osv, kev, epss; empty for anything else."""
    begins = limits.head(path).removeprefix(b"\xef\xbb\xbf").lstrip()
    if begins.startswith(b"PK"):
        return "zip"
    if begins.startswith((GZIP, b"#model_version")) or begins[:4].lower() == b"cve,":
        return "epss"
    if not begins.startswith((b"{", b"[")):
        return ""
    return "kev" if b'"catalogVersion"' in begins or b'"cveID"' in begins else "osv"


def _batches(rows: Iterator[tuple[str, float, float]]) -> Iterator[list[tuple[str, float, float]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _digest(connection: sqlite3.Connection, query: str) -> str:
    """The sha256 over all rows of a sorted query, one line of JSON each."""
    whole = hashlib.sha256()
    for row in connection.execute(query):
        whole.update(msgspec.json.encode(row) + b"\n")
    return whole.hexdigest()


def _meta(
    kind: str, origin: Origin, now: datetime, updated: datetime | None, records: int, digest: str
) -> Meta:
    """Return what is known of the data. A date in the future says nothing about its age."""
    return Meta(
        kind=kind,
        name=_NAMES[kind],
        records=records,
        digest=digest,
        license=_LICENSES[kind],
        fetched=now,
        updated=updated if updated and updated <= now + CLOCK_DRIFT else None,
        origin=valid(origin.text),
        etag=valid(origin.etag),
        last_modified=valid(origin.last_modified),
    )


def _imported(meta: Meta, problems: Problems) -> Imported:
    return Imported(meta.source, problems.told, problems.refused)
