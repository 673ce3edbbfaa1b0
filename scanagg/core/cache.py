"""The cache folder: records by key, and private work folders."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import platformdirs

from scanagg.core.errors import ConfigError
from scanagg.core.files import read_file

# An older work folder belongs to a run that was killed.
_STALE_SECONDS: Final = 24 * 3600.0
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
    """Create a private folder for the files of one job, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(dir=cache / "work"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(cache: Path) -> None:
    """Remove work folders that killed runs left behind."""
    before = time.time() - _STALE_SECONDS
    for folder in (cache / "work").iterdir():
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)


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
    for key, text in records.items():
        path = _record(cache, owner, key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(path, [_digest(owner, key, text), "\n", text])


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write a text file so that readers see the old or the complete new content. OSError."""
    raw = (chunk.encode("utf-8", "backslashreplace") for chunk in chunks)
    umask = os.umask(0o077)  # setting it is the only way to read it
    os.umask(umask)
    replace_atomically(path, raw, 0o666 & ~umask)


def replace_atomically(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    """Write bytes like `write_atomically`, and give the file these permissions."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # after a success it has the name of the file


def _record(cache: Path, owner: str, key: str) -> Path:
    name = _digest(key)
    return cache / "records" / owner / name[:2] / f"{name}.json"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
