"""The cache folder: records by key, and private work folders."""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import platformdirs

from scanagg.core.errors import ConfigError
from scanagg.core.files import read_file, write_file

# An older work folder belongs to a run that was killed, also where folders cannot be locked.
_STALE_SECONDS: Final = 24 * 3600.0
_LOCKED: Final = "run-"
# The file in a work folder that has the path of a temporary file elsewhere.
_NOTE: Final = "temporary-file"
_RECORD_BYTES: Final = 1 << 30


def cache_folder() -> Path:
    """Return `SCANAGG_CACHE_DIR`, else the user's cache folder; create it if it does not exist.

    ConfigError if it is not writable.
    """
    chosen = os.environ.get("SCANAGG_CACHE_DIR")
    hint = "Use another folder: export SCANAGG_CACHE_DIR=/path/to/a/writable/folder"
    try:
        folder = Path(chosen).absolute() if chosen else platformdirs.user_cache_path("scanagg")
    except RuntimeError as error:
        raise ConfigError("no cache folder, because there is no home folder", hint) from error
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "work").mkdir(exist_ok=True, mode=0o700)
        if not os.access(folder / "work", os.W_OK | os.X_OK):
            raise PermissionError(13, "it is not writable")
    except OSError as error:
        message = f"cannot use the cache folder {folder}: {error.strerror}"
        raise ConfigError(message, hint) from error
    return folder


@contextlib.contextmanager
def work_folder(cache: Path) -> Iterator[Path]:
    """Create a private folder for the files of one job, and remove it afterwards.

    It is locked as soon as it has its name, so that `sweep` recognises the folders of killed runs.
    """
    name = secrets.token_hex(8)
    unnamed, folder = cache / "work" / f"new-{name}", cache / "work" / f"{_LOCKED}{name}"
    unnamed.mkdir(mode=0o700, parents=True)
    lock = _lock(unnamed)
    try:
        unnamed.rename(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def sweep(cache: Path) -> None:
    """Remove the work folders and the temporary files that killed runs left behind."""
    before = time.time() - _STALE_SECONDS
    for folder in (cache / "work").iterdir():
        with contextlib.suppress(OSError):
            lock = _lock(folder) if folder.name.startswith(_LOCKED) else None
            if lock is not None or folder.stat().st_mtime < before:
                _remove_noted(folder / _NOTE)
                shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder until its descriptor is closed. None if it is locked, or cannot be."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_noted(note: Path) -> None:
    """Remove the temporary file that a note names. Its random name was noted before it existed."""
    with contextlib.suppress(OSError, ValueError):
        temporary = Path(os.fsdecode(note.read_bytes()))
        if stat.S_ISREG(temporary.lstat().st_mode):
            temporary.unlink()


def recall(cache: Path, owner: str, keys: Iterable[str]) -> Mapping[str, str]:
    """Return the records that `owner` stored under these keys, without damaged ones."""
    records = {}
    cache = cache.resolve()
    for key in keys:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            raw = read_file(_record(cache, owner, key), _RECORD_BYTES)
            digest, _, text = raw.decode().partition("\n")
            if digest == _digest(owner, key, text):
                records[key] = text
    return records


def store(cache: Path, owner: str, records: Mapping[str, str]) -> None:
    """Store records, each completely or not at all; skip those that cannot be written."""
    with contextlib.suppress(OSError), work_folder(cache) as work:
        for key, text in records.items():
            path = _record(cache, owner, key)
            raw = f"{_digest(owner, key, text)}\n{text}".encode("utf-8", "backslashreplace")
            temporary = _temporary_name(path)
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _note(work, path.with_name(temporary))
                write_file(path, [raw], 0o600, temporary=temporary)


def write_atomically(path: Path, chunks: Iterable[str], root: Path | None = None) -> None:
    """Write a text file by `replace_atomically`, with the permissions of a new file. OSError."""
    raw = (chunk.encode("utf-8", "backslashreplace") for chunk in chunks)
    umask = os.umask(0o077)  # setting it is the only way to read it
    os.umask(umask)
    replace_atomically(path, raw, 0o666 & ~umask, root)


def replace_atomically(
    path: Path, chunks: Iterable[bytes], mode: int, root: Path | None = None
) -> None:
    """Write a file by `write_file`, and note its temporary file for `sweep`, if there is a cache.

    OSError.
    """
    temporary = _temporary_name(path)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ConfigError):
            _note(stack.enter_context(work_folder(cache_folder())), path.with_name(temporary))
        write_file(path, chunks, mode, temporary=temporary, root=root)


def _temporary_name(path: Path) -> str:
    return f".{path.name}.{secrets.token_hex(8)}"


def _note(work: Path, temporary: Path) -> None:
    (work / _NOTE).write_bytes(os.fsencode(temporary.absolute()))


def _record(cache: Path, owner: str, key: str) -> Path:
    name = _digest(key)
    return cache / "records" / owner / name[:2] / f"{name}.json"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
