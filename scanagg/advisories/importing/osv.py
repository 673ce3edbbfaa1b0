"""Read an OSV export (a zip, a folder or one JSON file) and write it into the store."""

import contextlib
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from scanagg.advisories.importing import files
from scanagg.advisories.records import UnusableError, decoded, moment
from scanagg.advisories.storage import StoreBuilder
from scanagg.advisories.versions import doubts, trimmed
from scanagg.core.errors import StoreError
from scanagg.core.text import counted

_ENCRYPTED: Final = 0x1
# The end of a zip: APPNOTE.TXT of PKWARE, 4.3.14 to 4.3.16.
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_COMMENT_BYTES: Final = 0xFFFF
_END_64: Final = b"PK\x06\x06"
_LOCATOR_64: Final = b"PK\x06\x07"
_AS_64: Final = 0xFFFFFFFF

_PROGRESS_STEP: Final = 250
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_ENCODER: Final = msgspec.json.Encoder()


class Export(msgspec.Struct, frozen=True):
    """An export: the number of its records, each with its name, and notes about skipped files.

    A record that is too large is cut off behind the limit.
    """

    count: int
    records: Iterator[tuple[str, bytes]]
    notes: tuple[str, ...] = ()


class _Stored(msgspec.Struct, frozen=True):
    """The part of a written record that stays in memory."""

    modified: datetime
    digest: bytes
    aliases: tuple[str, ...]
    packages: frozenset[str]


@contextlib.contextmanager
def exported(path: Path, ignored: frozenset[Path] = frozenset()) -> Iterator[Export]:
    """Open an export for a block; skip the files of a folder that are in `ignored`.

    StoreError if it is not an export. Reading its members raises a StoreError too, if it turns out
    to be damaged or larger than announced.
    """
    if files.is_folder(path):
        yield _folder(path, ignored)
        return
    begins = files.head(path)
    if begins.startswith((b"PK\x03\x04", _END)):
        with files.opened(path) as file:
            yield _zip(path, file)
    elif begins.removeprefix(files.BOM).lstrip().startswith((b"{", b"[")):
        yield _json(path)
    else:
        raise files.not_data(path, begins)


def _folder(folder: Path, ignored: frozenset[Path]) -> Export:
    """Open the `*.json` files below a folder, sorted by name."""
    below, links = files.files_below(folder, {".json"})
    paths = [path for path in below if path not in ignored]

    def records() -> Iterator[tuple[str, bytes]]:
        for path in paths:
            try:
                with path.open("rb") as file:
                    data = file.read(files.RECORD_BYTES + 1)
            except OSError as error:
                raise files.unreadable(path, error) from error
            yield path.relative_to(folder).as_posix(), data

    notes = (f"skipped {counted(links, 'symbolic link')}",) if links else ()
    return Export(len(paths), records(), notes)


def _json(path: Path) -> Export:
    """Open a file with one record or a list of records."""
    data = files.content(path, files.JSON_BYTES)
    if not data.lstrip().startswith(b"["):
        return Export(1, iter([(path.name, data)]))
    try:
        listed = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (ValueError, RecursionError) as error:
        raise files.not_json(path, error) from error
    if len(listed) > files.RECORDS:
        raise files.too_large(path, f"{len(listed):,} records")
    records = ((f"{path.name}, record {n}", bytes(raw)) for n, raw in enumerate(listed, 1))
    return Export(len(listed), records)


def _zip(path: Path, file: BinaryIO) -> Export:
    """Open the JSON files of a zip, if its directory keeps the limits."""
    try:
        _check_directory(path, file)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise files.unreadable(path, error) from error
    infos = [info for info in archive.infolist() if not info.is_dir()]
    _check_sizes(path, infos, os.fstat(file.fileno()).st_size)
    members = [info for info in infos if info.filename.lower().endswith(".json")]

    def records() -> Iterator[tuple[str, bytes]]:
        for info in members:
            try:
                with archive.open(info) as member:
                    data = member.read(files.RECORD_BYTES + 1)
            except (
                *(zipfile.BadZipFile, zlib.error, EOFError),
                *(OSError, ValueError, RuntimeError),
            ) as error:
                raise _damaged(path, f"{info.filename}: {error}") from error
            yield info.filename, data

    others = len(infos) - len(members)
    notes = (f"skipped {counted(others, 'file')} in the zip: not *.json",) if others else ()
    return Export(len(members), records(), notes)


def _check_directory(path: Path, file: BinaryIO) -> None:
    """Refuse a directory that is too large, before `zipfile` reads it into memory."""
    size = file.seek(0, os.SEEK_END)
    if size > files.ZIP_BYTES:
        raise files.too_large(path, f"{size // files.MEBIBYTE:,} MiB")
    file.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0:
        raise _damaged(path, "the end is missing")
    (directory,) = struct.unpack_from("<L", tail, end + 12)
    locator = tail.rfind(_LOCATOR_64, 0, end)
    if directory == _AS_64 and locator >= 0:
        (offset,) = struct.unpack_from("<Q", tail, locator + 8)
        file.seek(min(offset, files.ZIP_BYTES))
        end_64 = file.read(56)
        if not end_64.startswith(_END_64):
            raise zipfile.BadZipFile("the directory is missing")
        (directory,) = struct.unpack_from("<Q", end_64, 40)
    if directory > files.DIRECTORY_BYTES:
        raise files.too_large(path, f"a directory of {directory // files.MEBIBYTE:,} MiB")
    file.seek(0)


def _check_sizes(path: Path, infos: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Refuse a zip that unpacks to too much. Reading a member never exceeds its announced size.

    `packed` is the size of the file, not of all members, which may share bytes.
    """
    if len(infos) > files.RECORDS:
        raise files.too_large(path, f"{len(infos):,} files")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > files.UNPACKED_BYTES:
        raise files.too_large(path, f"{unpacked // files.MEBIBYTE:,} MiB unpacked")
    if unpacked > max(files.RATIO_FROM_BYTES, files.RATIO * packed):
        raise files.too_large(path, f"{packed:,} bytes unpack to {unpacked:,}, as in a zip bomb")
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise StoreError(f"{path} is encrypted", "Unpack it and import the folder.")


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} is not a complete zip: {files.safe(why)}",
        "The download may have been cut off. Download it again.",
    )


def write(
    builder: StoreBuilder,
    export: Export,
    problems: files.Problems,
    progress: Callable[[int, int], None],
    now: datetime,
) -> tuple[int, datetime | None]:
    """Write every record of an export; return their number and newest time.

    StoreError from its members, sqlite3.Error.
    """
    stored: dict[str, _Stored] = {}
    for number, (name, data) in enumerate(export.records, 1):
        _write_record(builder, name, data, stored, problems, now)
        if number % _PROGRESS_STEP == 0:
            progress(number, export.count)
    progress(export.count, export.count)
    packages: dict[str, list[str]] = {}
    for name in sorted(stored):
        for package in stored[name].packages:
            packages.setdefault(package, []).append(name)
    builder.put((f"package {name}", _ENCODER.encode(ids)) for name, ids in packages.items())
    # Ids without aliases have no group.
    groups = clusters((name, *record.aliases) for name, record in stored.items() if record.aliases)
    builder.put((f"group {ids[0]}", _ENCODER.encode(ids)) for ids in groups)
    builder.put((f"alias {name}", _ENCODER.encode(ids[0])) for ids in groups for name in ids)
    times = [record.modified for record in stored.values() if record.modified > _LONG_AGO]
    return len(stored), files.newest(times, now, problems)


def _write_record(
    builder: StoreBuilder,
    name: str,
    data: bytes,
    stored: dict[str, _Stored],
    problems: files.Problems,
    now: datetime,
) -> None:
    """Write a record, unless it is unusable, or a newer one with its id is stored."""
    try:
        if len(data) > files.RECORD_BYTES:
            limit = files.RECORD_BYTES // files.MEBIBYTE
            raise UnusableError(f"larger than {limit} MiB")
        record, left_out = decoded(data.removeprefix(files.BOM), now)
    except UnusableError as error:
        problems.refuse(name, str(error))
        return
    for doubt in dict.fromkeys((*left_out, *doubts(record))):
        problems.add(f"{record.id}: {doubt}")
    new = _Stored(
        moment(record.modified) or _LONG_AGO,
        hashlib.sha256(_ENCODER.encode(record)).digest(),
        record.aliases,
        frozenset(entry.package.name for entry in record.affected),
    )
    old = stored.get(record.id)
    if old is not None:
        problems.refuse(name, f"several records {record.id}: the newest is used")
    # Among records of one age, the order in the export does not matter.
    if old is None or (old.modified, old.digest) < (new.modified, new.digest):
        stored[record.id] = new
        builder.put([(f"record {record.id}", _ENCODER.encode(trimmed(record)))])


def clusters(links: Iterable[Sequence[str]]) -> list[list[str]]:
    """Group names that share a line, symmetric and transitive.

    Names within a cluster, and clusters, are sorted. Union-find with path halving; linear in the
    number of names for any order, length of chains and cycles. Source:
    https://ossf.github.io/osv-schema/#aliases-field.
    """
    parents: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def root(name: str) -> str:
        parents.setdefault(name, name)
        while (above := parents[name]) != name:
            parents[name] = name = parents[above]
        return name

    for names in links:
        roots = {root(name) for name in names}
        if len(roots) < 2:
            continue
        top = max(roots, key=lambda name: sizes.get(name, 1))
        sizes[top] = sum(sizes.get(name, 1) for name in roots)
        parents.update(dict.fromkeys(roots, top))
    members: dict[str, list[str]] = {}
    for name in sorted(parents):
        members.setdefault(root(name), []).append(name)
    return sorted(members.values())
