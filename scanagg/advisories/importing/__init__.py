"""Import files into the store: an OSV export, the KEV catalogue and EPSS scores."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from scanagg.advisories import storage
from scanagg.advisories.importing import exploits, files, osv
from scanagg.advisories.storage import StoreBuilder, StoreMeta
from scanagg.core.errors import StoreError
from scanagg.core.text import counted, valid
from scanagg.model import DataSource

_NAMES: Final = {"osv": "OSV (PyPI)", "kev": "CISA KEV", "epss": "FIRST EPSS"}
# PyPA and GitHub: CC BY 4.0 (in their repositories). CISA: CC0 (on the page of the catalogue).
# FIRST: https://www.first.org/epss/ only asks for a citation.
_LICENSES: Final = {
    "osv": "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database); "
    "Apache-2.0 (OpenSSF Malicious Packages)",
    "kev": "CC0 1.0",
    "epss": "free to use with citation (FIRST.org)",
}
# Rows of EPSS that are written at once.
_BATCH: Final = 10_000
# A store with fewer records was made by hand, so any other may replace it.
_LARGE: Final = 1_000
_SUFFIXES: Final = (".json", ".zip", ".csv", ".gz")


class DataOrigin(msgspec.Struct, frozen=True):
    """The source of data, an address or the name of a file, and the validators of its server."""

    text: str
    etag: str = ""
    last_modified: str = ""


class Imported(msgspec.Struct, frozen=True):
    """The stored data, with the problems of the import.

    `problems` are the first messages of `problem_count`, about records that were skipped or used in
    part. `refused` is the number of skipped records.
    """

    source: DataSource
    problems: tuple[str, ...] = ()
    problem_count: int = 0
    refused: int = 0


Progress = Callable[[int, int], None]
"""Called with the records or bytes that are done, and the total (0 if unknown)."""


class Import(msgspec.Struct, frozen=True):
    """The import of a file or folder into the store in `cache`.

    The data counts as fetched at `now`. With `replace`, it may replace far more records.
    """

    path: Path
    cache: Path
    origin: DataOrigin
    progress: Progress
    now: datetime
    replace: bool = False


def import_osv(
    task: Import, ignored: frozenset[Path] = frozenset(), notes: tuple[str, ...] = ()
) -> Imported:
    """Store an OSV export: a zip, a folder of JSON files, or one JSON file.

    Skip the files in `ignored`, and put `notes` before the problems. The old store stays until the
    new one is complete. StoreError if the path is not an export, is too large, cannot be written,
    or would replace more than twice as many records without `task.replace`.
    """
    path, problems = task.path, files.Problems()
    with osv.exported(path, ignored) as export, storage.building("osv", task.cache) as builder:
        for note in (*notes, *export.notes):
            problems.add(note)
        count, updated = osv.write(builder, export, problems, task.progress, task.now)
        why = problems.messages[0] if problems.messages else "it has no records"
        hint = "Use the export of osv.dev for PyPI, PyPI/all.zip."
        if not count:
            raise StoreError(f"{path} has no usable OSV record: {why}", hint)
        if problems.refused > max(count, _LARGE):
            total = problems.refused + count
            raise StoreError(
                f"{path}: {problems.refused:,} of {total:,} records are unusable: {why}", hint
            )
        return _finished(task, "osv", builder, problems, count, updated)


def import_kev(task: Import) -> Imported:
    """Store CISA's catalogue of known exploited vulnerabilities (JSON). StoreError as above."""
    problems = files.Problems()
    rows, date = exploits.catalogue(task.path, problems)
    count, updated = len(rows), files.newest(filter(None, [date]), task.now, problems)
    with storage.building("kev", task.cache) as builder:
        builder.put((row.cve, msgspec.json.encode(row)) for row in rows)
        task.progress(count, count)
        return _finished(task, "kev", builder, problems, count, updated)


def import_epss(task: Import) -> Imported:
    """Store FIRST's EPSS scores (CSV, plain or gzipped). StoreError as above."""
    path, problems = task.path, files.Problems()
    with (
        exploits.scores(path, problems) as (rows, date),
        storage.building("epss", task.cache) as builder,
    ):
        count, updated = 0, files.newest(filter(None, [date]), task.now, problems)
        while batch := list(islice(rows, _BATCH)):
            builder.put((row.cve, msgspec.json.encode(row)) for row in batch)
            count += len(batch)
            task.progress(count, 0)
            if count > files.SCORES:
                raise files.too_large(path, f"more than {files.SCORES:,} scores")
        if not count:
            raise StoreError(f"{path} has no usable EPSS score", "Download it again.")
        return _finished(task, "epss", builder, problems, count, updated)


def import_any(
    path: Path, cache: Path, progress: Progress, *, now: datetime, replace: bool = False
) -> tuple[Imported, ...]:
    """Store the data in a file or folder; the content of each file tells its kind.

    A folder may hold an OSV export (a zip, or JSON files), a KEV catalogue and EPSS scores.
    StoreError if it holds none of them or several of one kind, and as above.
    """
    is_folder = files.is_folder(path)
    kinds: dict[str, list[Path]] = {}
    for file in files.files_below(path, _SUFFIXES)[0] if is_folder else [path]:
        kinds.setdefault(_kind(file), []).append(file)
    if not kinds.keys() & {"zip", "osv", "kev", "epss"}:
        raise files.not_data(path, b"?" if is_folder else files.head(path))
    for kind in ("zip", "kev", "epss"):
        if len(same := kinds.get(kind, [])) > 1:
            names = ", ".join(files.safe(file.name) for file in same[:3])
            raise StoreError(
                f"{path} has several files of one kind: {names}",
                "Import the right one by its path.",
            )

    def task(file: Path) -> Import:
        # Record the name of a file or folder, without its path.
        origin = DataOrigin(file.resolve().name)
        return Import(file, cache, origin, progress, now, replace)

    def imports() -> Iterator[Imported]:
        loose = kinds.get("osv", [])
        for export in kinds.get("zip", [path] if loose else []):
            notes = (f"skipped {counted(len(loose), 'JSON file')} beside the zip",) if loose else ()
            ignored = frozenset(kinds.get("kev", []))
            yield import_osv(task(export), ignored, notes if "zip" in kinds else ())
        yield from (import_kev(task(file)) for file in kinds.get("kev", []))
        yield from (import_epss(task(file)) for file in kinds.get("epss", []))

    return tuple(imports())


def origin_of(kind: str, cache: Path) -> DataOrigin | None:
    """Return the origin of the stored data of a kind (osv, kev, epss); None if there is none."""
    meta = storage.stored_meta(kind, cache)
    return None if meta is None else DataOrigin(meta.origin, meta.etag, meta.last_modified)


def _kind(path: Path) -> str:
    """Return the kind of a file by its first bytes: zip, osv, kev or epss; empty for others."""
    begins = files.head(path).removeprefix(files.BOM).lstrip()
    if begins.startswith(b"PK"):
        return "zip"
    if begins.startswith((exploits.GZIP, b"#model_version")) or begins[:4].lower() == b"cve,":
        return "epss"
    if not begins.startswith((b"{", b"[")):
        return ""
    return "kev" if b'"catalogVersion"' in begins or b'"cveID"' in begins else "osv"


def _finished(
    task: Import,
    kind: str,
    builder: StoreBuilder,
    problems: files.Problems,
    records: int,
    updated: datetime | None,
) -> Imported:
    """Write the buckets and metadata of a new file, and return what was imported.

    StoreError if the file would replace far more records: one record, or half a download, is not an
    export, and packages would look clean without the rest.
    """
    old = storage.stored_meta(kind, task.cache)
    if old and not task.replace and old.records >= _LARGE and records * 2 < old.records:
        raise StoreError(
            f"{task.path} has only {counted(records, 'record')}, but {old.records:,} are stored",
            "Use the complete data, or store less with `scanagg db import --replace PATH`.",
        )
    meta = StoreMeta(
        kind=kind,
        name=_NAMES[kind],
        records=records,
        license=_LICENSES[kind],
        fetched=task.now,
        updated=updated,
        origin=valid(task.origin.text),
        etag=valid(task.origin.etag),
        last_modified=valid(task.origin.last_modified),
    )
    meta = builder.finish(meta)
    return Imported(meta.source, tuple(problems.messages), problems.count, problems.refused)
