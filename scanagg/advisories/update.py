"""Update the store: download the advisory data that has changed."""

import contextlib
import enum
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import filelock
import msgspec

from scanagg.advisories import importing
from scanagg.advisories.download import (
    Deadline,
    RemoteFile,
    Validators,
    check_url,
    download,
    without_secrets,
)
from scanagg.advisories.importing import DataOrigin, Import, Imported
from scanagg.advisories.storage import touch
from scanagg.advisories.store import Notify, Phase
from scanagg.core.errors import DownloadError, ScanaggError, StoreError

_MIB: Final = 2**20


class DataService(msgspec.Struct, frozen=True):
    """A kind of data: its usual address, its largest size in bytes, and its importer."""

    kind: str
    url: str
    limit: int
    store: Callable[[Import], Imported]

    @property
    def option(self) -> str:
        """The option that sets another address."""
        return f"--{self.kind}-url"


# The limits are many times the sizes of 2025: about 30, 2 and 2 MiB.
SOURCES: Final[Mapping[str, DataService]] = {
    source.kind: source
    for source in (
        # https://google.github.io/osv.dev/data/#data-dumps
        DataService(
            "osv",
            "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip",
            512 * _MIB,
            importing.import_osv,
        ),
        # https://www.cisa.gov/known-exploited-vulnerabilities-catalog
        DataService(
            "kev",
            "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
            64 * _MIB,
            importing.import_kev,
        ),
        # https://www.first.org/epss/data_stats
        DataService(
            "epss",
            "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
            128 * _MIB,
            importing.import_epss,
        ),
    )
}

# Redirects may lead to these hosts, besides the host of the address itself.
_HOSTS: Final = frozenset(urlsplit(source.url).netloc for source in SOURCES.values())


class UpdateState(enum.Enum):
    """The result of an update of one kind of data."""

    UPDATED = "updated"
    CURRENT = "already up to date"
    FAILED = "failed"


class UpdateResult(msgspec.Struct, frozen=True):
    """The result of an update of one kind of data, with what was stored or why it failed."""

    kind: str
    state: UpdateState
    imported: Imported | None = None
    error: ScanaggError | None = None


def address_of(kind: str, url: str | None, named: str) -> str:
    """Return `url`, or the usual address of a kind without one.

    `named` is the option or variable that sets `url`, for the UsageError if it is not valid.
    """
    if url is None:
        return SOURCES[kind].url
    check_url(url, named)
    return url


def update(
    cache: Path,
    addresses: Mapping[str, str],
    *,
    seconds: float,
    now: datetime,
    notify: Notify,
) -> Iterator[UpdateResult]:
    """Download and store each kind of data that has an address, also if another one fails.

    All downloads together end after `seconds`. The data counts as fetched at `now`.
    """
    deadline = Deadline(seconds)
    for kind, url in addresses.items():
        try:
            with _only_update(kind, cache, deadline, notify):
                result = _update_kind(SOURCES[kind], url, cache, deadline, now, notify)
        except ScanaggError as error:
            result = UpdateResult(kind, UpdateState.FAILED, error=error)
        yield result


@contextlib.contextmanager
def _only_update(kind: str, cache: Path, deadline: Deadline, notify: Notify) -> Iterator[None]:
    """Be the only update of a kind: another one would use the same file. It waits for this one."""
    path = cache / "advisories" / f"{kind}.update.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = filelock.FileLock(path)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            notify(kind, Phase.WAITING, 0, 0)
            lock.acquire(timeout=deadline.left, poll_interval=0.1)
    except filelock.Timeout as error:
        raise deadline.error() from error
    except (OSError, NotImplementedError) as error:
        raise DownloadError(
            f"cannot lock {path}: {getattr(error, 'strerror', None) or error}",
            "Set SCANAGG_CACHE_DIR to a writable folder.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _update_kind(
    source: DataService, url: str, cache: Path, deadline: Deadline, now: datetime, notify: Notify
) -> UpdateResult:
    shown = without_secrets(url)
    stored = importing.origin_of(source.kind, cache)
    validators = Validators()
    if stored and stored.text == shown:
        validators = Validators(stored.etag, stored.last_modified)
    path = cache / "advisories" / f"{source.kind}.part"
    try:
        notify(source.kind, Phase.DOWNLOADING, 0, 0)
        new = download(
            RemoteFile(url, source.limit, source.option, _HOSTS),
            path,
            validators,
            deadline=deadline,
            progress=partial(notify, source.kind, Phase.DOWNLOADING),
        )
        if new is None:
            touch(source.kind, cache, now)
            return UpdateResult(source.kind, UpdateState.CURRENT)
        notify(source.kind, Phase.STORING, 0, 0)
        origin = DataOrigin(shown, new.etag, new.last_modified)
        progress = partial(notify, source.kind, Phase.STORING)
        imported = source.store(Import(path, cache, origin, progress, now))
    except StoreError as error:
        message = error.message.replace(str(path), f"the file from {shown}")
        raise StoreError(message, error.hint) from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return UpdateResult(source.kind, UpdateState.UPDATED, imported)
