"""The records of an OSV export, one after the other: out of a zip, a folder, or one JSON file."""

import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from scanagg.advisories.importing import limits
from scanagg.advisories.importing.folders import below
from scanagg.core.errors import StoreError

_BOM: Final = b"\xef\xbb\xbf"
_ENCRYPTED: Final = 0x1
# The end of a zip: APPNOTE.TXT of PKWARE, 4.3.14 to 4.3.16.
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_COMMENT_BYTES: Final = 0xFFFF
_END_64: Final = b"PK\x06\x06"
_LOCATOR_64: Final = b"PK\x06\x07"
_LOCATOR_64_BYTES: Final = 20
_AS_64: Final = 0xFFFFFFFF


class Member(msgspec.Struct, frozen=True):
    """One record as it is written, or why it is not read; `name` is where it stands."""

    name: str
    data: bytes = b""
    refused: str = ""


class Export(msgspec.Struct, frozen=True):
    """All that is there: how many, one after the other, and what was left aside."""

    count: int
    members: Iterator[Member]
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def exported(path: Path, leave: frozenset[Path] = frozenset()) -> Iterator[Export]:
    """The members of an export, which is closed when the block ends. StoreError for what is none.

    Also while they are read, where the file turns out to be damaged, or larger than it said. Of a
    folder, the files of `leave` are something else.
    """
    if limits.is_folder(path):
        yield _folder(path, leave)
        return
    begins = limits.head(path)
    if begins.startswith((b"PK\x03\x04", _END)):
        with _zip(path) as export:
            yield export
    elif begins.removeprefix(_BOM).lstrip().startswith((b"{", b"[")):
        yield _json(path)
    else:
        raise limits.not_data(path, begins)


def _folder(path: Path, leave: frozenset[Path]) -> Export:
    """Every `*.json` below a folder but for `leave`, by name."""
    found = below(path, {".json"})
    files = [file for file in found.files if file not in leave]
    notes = (f"{found.links} symbolic links are not followed",) if found.links else ()
    return Export(len(files), (_member(file, path) for file in files), notes)


def _member(file: Path, folder: Path) -> Member:
    name = file.relative_to(folder).as_posix()
    try:
        with file.open("rb") as stream:
            data = stream.read(limits.RECORD_BYTES + 1)
    except OSError as error:
        raise limits.unreadable(file, error) from error
    return _bounded(name, data)


def _bounded(name: str, data: bytes) -> Member:
    if len(data) > limits.RECORD_BYTES:
        return Member(
            name, refused=f"it has more than {limits.RECORD_BYTES // limits.MEBIBYTE} MiB"
        )
    return Member(name, data.removeprefix(_BOM))


def _json(path: Path) -> Export:
    """One record, or a list of them."""
    data = limits.whole(path, limits.JSON_BYTES).removeprefix(_BOM)
    if not data.lstrip().startswith(b"["):
        return Export(1, iter([Member(path.name, data)]))
    try:
        listed = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StoreError(
            f"{path} is not whole JSON: {limits.told(str(error))}", "Download it again."
        ) from error
    if len(listed) > limits.RECORDS:
        raise limits.too_large(path, f"{len(listed):,} records")
    members = (
        _bounded(f"{path.name}, record {number}", bytes(raw))
        for number, raw in enumerate(listed, 1)
    )
    return Export(len(listed), members)


@contextlib.contextmanager
def _zip(path: Path) -> Iterator[Export]:
    with limits.regular(path) as file, _archive(path, file) as archive:
        yield _members(path, archive, os.fstat(file.fileno()).st_size)


def _archive(path: Path, file: BinaryIO) -> zipfile.ZipFile:
    try:
        _check_end(path, file)
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise limits.unreadable(path, error) from error


def _members(path: Path, archive: zipfile.ZipFile, size: int) -> Export:
    """The JSON files of a zip whose directory promises no more than the limits."""
    infos = [one for one in archive.infolist() if not one.is_dir()]
    _check_sizes(path, infos, size)
    wanted = [one for one in infos if one.filename.lower().endswith(".json")]
    others = len(infos) - len(wanted)
    notes = (f"{others} files of the zip are not *.json: they are left aside",) if others else ()
    return Export(len(wanted), (_unpacked(path, archive, one) for one in wanted), notes)


def _check_sizes(path: Path, infos: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Refuse a zip that promises too much. What is read of a member is never more than that.

    `packed` is the size of the file; not of all members, for several may be the same bytes.
    """
    if len(infos) > limits.RECORDS:
        raise limits.too_large(path, f"it holds {len(infos):,} files")
    unpacked = sum(one.file_size for one in infos)
    if unpacked > limits.UNPACKED_BYTES:
        raise limits.too_large(path, f"it unpacks to {unpacked // limits.MEBIBYTE:,} MiB")
    if unpacked > max(limits.RATIO_FROM_BYTES, limits.RATIO * packed):
        raise limits.too_large(
            path, f"it unpacks {packed:,} bytes to {unpacked:,}: that is a zip bomb"
        )
    if any(one.flag_bits & _ENCRYPTED for one in infos):
        raise StoreError(f"{path} is encrypted", "Unpack it, and give the folder.")


def _unpacked(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    if info.file_size > limits.RECORD_BYTES:
        return _bounded(info.filename, b" " * (limits.RECORD_BYTES + 1))
    try:
        with archive.open(info) as stream:
            return _bounded(info.filename, stream.read(limits.RECORD_BYTES + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise _damaged(path, f"{info.filename}: {error}") from error


def _check_end(path: Path, file: BinaryIO) -> None:
    """Refuse a directory that would not fit into memory, before `zipfile` reads it as a whole."""
    size = file.seek(0, os.SEEK_END)
    if size > limits.ZIP_BYTES:
        raise limits.too_large(path, f"it has {size // limits.MEBIBYTE:,} MiB")
    start = max(0, size - _END_BYTES - _COMMENT_BYTES)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0:
        raise _damaged(path, "its end is missing")
    (directory,) = struct.unpack_from("<L", tail, at + 12)
    locator = tail.rfind(_LOCATOR_64, 0, at)
    if directory == _AS_64 and locator >= 0:
        directory = _directory_64(file, tail, locator)
    if directory > limits.DIRECTORY_BYTES:
        raise limits.too_large(path, f"its directory has {directory // limits.MEBIBYTE:,} MiB")
    file.seek(0)


def _directory_64(file: BinaryIO, tail: bytes, locator: int) -> int:
    (offset,) = struct.unpack_from("<Q", tail, locator + 8)
    file.seek(min(offset, limits.ZIP_BYTES))
    end = file.read(56)
    if not end.startswith(_END_64):
        raise zipfile.BadZipFile("its end is not where it says")
    (directory,) = struct.unpack_from("<Q", end, 40)
    return int(directory)


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} is not a whole zip: {limits.told(why)}",
        "It may have been cut off on its way. Download it again.",
    )
