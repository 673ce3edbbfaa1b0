"""Import files into the store: an OSV export, the KEV catalogue, EPSS scores, read with limits."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from scanagg.advisories import store
from scanagg.advisories.importing import exploits, files, osv
from scanagg.advisories.store import StoreMeta
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
# Rows of EPSS that are written at once.
_BATCH: Final = 10_000
# A store of fewer records was made by hand: it may be replaced by any other.
_LARGE: Final = 1_000


class DataOrigin(msgspec.Struct, frozen=True):
    """The source of data, an address or a file's name, and the validators that its server sent."""

    text: str
    etag: str = ""
    last_modified: str = ""


class Imported(msgspec.Struct, frozen=True):
    """The data that was stored, and what there is to say about it.

    `problems` are the first records that could not be used as a whole or in part, with the reason.
    `refused` is the number of records that were left out.
    """

    source: DataSource
    problems: tuple[str, ...] = ()
    refused: int = 0


Progress = Callable[[int, int], None]
"""Called with how much is done of how much (records or bytes; 0 if the whole is not known)."""


def import_osv(
    path: Path,
    cache: Path,
    origin: DataOrigin,
    progress: Progress,
    *,
    now: datetime,
    replace: bool = False,
    ignored: frozenset[Path] = frozenset(),
    notes: tuple[str, ...] = (),
) -> Imported:
    """Store an OSV export: a zip, a folder of JSON files, or one JSON file.

    Files in `ignored` are something else; `notes` are put before the problems. The old store stays
    until the new one is whole. StoreError if it is no export, is too large, or cannot be written;
    without `replace` also if it is much less than what is stored.
    """
    problems = files.Problems()
    with osv.exported(path, ignored) as export, store.building("osv", cache) as connection:
        for note in (*notes, *export.notes):
            problems.doubt("", note)
        count, updated, digest = osv.write(connection, export, problems, progress, now)
        why = problems.texts[0] if problems.texts else "it holds no record"
        hint = "The export of osv.dev for PyPI is PyPI/all.zip."
        if not count:
            raise StoreError(f"{path} has not one usable OSV record: {why}", hint)
        if problems.refused > max(count, _LARGE):
            counts = f"{problems.refused:,} of {problems.refused + count:,} records"
            raise StoreError(f"{path}: {counts} cannot be used: {why}", hint)
        _refuse_less("osv", cache, path, count, replace=replace)
        source = _describe(connection, "osv", origin, now, updated, count, digest)
    return Imported(source, problems.texts, problems.refused)


def import_kev(
    path: Path,
    cache: Path,
    origin: DataOrigin,
    progress: Progress,
    *,
    now: datetime,
    replace: bool = False,
) -> Imported:
    """Store CISA's catalogue of known exploited vulnerabilities (JSON). StoreError as above."""
    problems = files.Problems()
    rows, date = exploits.catalogue(path, problems)
    count, updated = len(rows), _past(date, now, problems)
    with store.building("kev", cache) as connection:
        connection.executemany("INSERT INTO kev VALUES (?, ?, ?)", rows)
        progress(count, count)
        _refuse_less("kev", cache, path, count, replace=replace)
        digest = _digest(connection, "SELECT cve, added, due FROM kev ORDER BY cve")
        source = _describe(connection, "kev", origin, now, updated, count, digest)
    return Imported(source, problems.texts, problems.refused)


def import_epss(
    path: Path,
    cache: Path,
    origin: DataOrigin,
    progress: Progress,
    *,
    now: datetime,
    replace: bool = False,
) -> Imported:
    """Store FIRST's EPSS scores (CSV, plain or gzipped). StoreError as above."""
    problems = files.Problems()
    with exploits.scores(path, problems) as scores, store.building("epss", cache) as connection:
        rows, date = scores
        count, updated = 0, _past(date, now, problems)
        while batch := list(islice(rows, _BATCH)):
            connection.executemany("INSERT INTO epss VALUES (?, ?, ?)", batch)
            count += len(batch)
            progress(count, 0)
            if count > files.SCORES:
                raise files.too_large(path, f"more than {files.SCORES:,} scores")
        if not count:
            raise StoreError(f"{path} has not one EPSS score", "Download it again.")
        _refuse_less("epss", cache, path, count, replace=replace)
        digest = _digest(connection, "SELECT cve, score, percentile FROM epss ORDER BY cve")
        source = _describe(connection, "epss", origin, now, updated, count, digest)
    return Imported(source, problems.texts, problems.refused)


def import_any(
    path: Path, cache: Path, progress: Progress, *, now: datetime, replace: bool = False
) -> tuple[Imported, ...]:
    """Store the data of a file or a folder, of whatever kind it is by its content.

    A folder may hold an OSV export (zip, or JSON files), a KEV catalogue and EPSS scores.
    StoreError if it holds none of them, or several of a kind, and as for the others.
    """
    kinds: dict[str, list[Path]] = {}
    if files.is_folder(path):
        for file in files.files_below(path, {".json", ".zip", ".csv", ".gz"})[0]:
            kinds.setdefault(_kind(file), []).append(file)
    else:
        kinds[_kind(path)] = [path]
    exports, records = kinds.get("zip", []), kinds.get("osv", [])
    catalogues, scores = kinds.get("kev", []), kinds.get("epss", [])
    for several in (exports, catalogues, scores):
        if len(several) > 1:
            names = ", ".join(files.safe(file.name) for file in several[:3])
            raise StoreError(f"{path} holds several of a kind: {names}", "Give the one to be used.")
    if not (exports or records or catalogues or scores):
        raise files.not_data(path, b"?" if files.is_folder(path) else files.head(path))
    notes: tuple[str, ...] = ()
    if exports and records:
        notes = (f"{counted(len(records), 'JSON file')} beside the zip are left aside",)
    importers: Sequence[tuple[Callable[..., Imported], Sequence[Path]]] = (
        (
            partial(import_osv, ignored=frozenset(catalogues), notes=notes),
            exports or ([path] if records else []),
        ),
        (import_kev, catalogues),
        (import_epss, scores),
    )
    return tuple(
        importer(
            # The name of a file or folder, without its place.
            *(file, cache, DataOrigin(file.resolve().name), progress),
            now=now,
            replace=replace,
        )
        for importer, paths in importers
        for file in paths
    )


def origin_of(kind: str, cache: Path) -> DataOrigin | None:
    """Return the origin of the stored data of a kind (osv, kev, epss); None if there is none."""
    meta = store.stored_meta(kind, cache)
    return None if meta is None else DataOrigin(meta.origin, meta.etag, meta.last_modified)


def _kind(path: Path) -> str:
    """Return the kind of a file by how it begins: zip, osv, kev, epss; empty for anything else."""
    begins = files.head(path).removeprefix(files.BOM).lstrip()
    if begins.startswith(b"PK"):
        return "zip"
    if begins.startswith((exploits.GZIP, b"#model_version")) or begins[:4].lower() == b"cve,":
        return "epss"
    if not begins.startswith((b"{", b"[")):
        return ""
    return "kev" if b'"catalogVersion"' in begins or b'"cveID"' in begins else "osv"


def _past(date: datetime | None, now: datetime, problems: files.Problems) -> datetime | None:
    """Return a date; None if it is in the future, so that it says nothing about the age."""
    if date and date > now + CLOCK_DRIFT:
        problems.warn(f"its date, {date:%Y-%m-%d}, is in the future: check the clock")
        return None
    return date


def _refuse_less(kind: str, cache: Path, path: Path, count: int, *, replace: bool) -> None:
    """Raise a StoreError if this would replace a store that is much larger.

    A single record, or half a download, is no export: what it lacks would count as unknown to all.
    """
    stored = store.stored_meta(kind, cache)
    if stored and not replace and stored.records >= _LARGE and count * 2 < stored.records:
        raise StoreError(
            f"{path} has {counted(count, 'record')}, and {stored.records:,} are stored of this "
            "kind",
            "Give all of it; if less is meant, `scanagg db import --replace`.",
        )


def _digest(connection: sqlite3.Connection, query: str) -> str:
    """Return the sha256 over all rows of a sorted query, one line of JSON each."""
    digest = hashlib.sha256()
    for row in connection.execute(query):
        digest.update(msgspec.json.encode(row) + b"\n")
    return digest.hexdigest()


def _describe(
    connection: sqlite3.Connection,
    kind: str,
    origin: DataOrigin,
    now: datetime,
    updated: datetime | None,
    records: int,
    digest: str,
) -> DataSource:
    """Write the meta data of a new file, and return the part that reports show."""
    meta = StoreMeta(
        kind=kind,
        name=_NAMES[kind],
        records=records,
        digest=digest,
        license=_LICENSES[kind],
        fetched=now,
        updated=updated,
        origin=valid(origin.text),
        etag=valid(origin.etag),
        last_modified=valid(origin.last_modified),
    )
    store.put_meta(connection, meta)
    return meta.source
