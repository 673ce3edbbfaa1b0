"""Brings the store up to date: what is fetched from where, one kind after the other."""

import contextlib
import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import filelock
import msgspec

from scanagg.advisories import importing
from scanagg.advisories.events import Notify, Phase
from scanagg.advisories.fetching import addresses
from scanagg.advisories.fetching.download import Download, Fetched, Wanted
from scanagg.advisories.fetching.wire import Deadline, Patience
from scanagg.advisories.importing import Imported, Origin, Progress
from scanagg.core.errors import DownloadError, ScanaggError, StoreError

_MIB: Final = 2**20
_HINT: Final = "Set SCANAGG_CACHE_DIR to a folder that can be written."


class Import(Protocol):
    """One of the importers."""

    def __call__(self, path: Path, cache: Path, origin: Origin, progress: Progress, /) -> Imported:
        """Store a file."""
        ...


class Source(msgspec.Struct, frozen=True):
    """Data of a kind: where it is published, how large it may be (bytes), how it begins."""

    kind: str
    url: str
    limit: int
    beginnings: tuple[bytes, ...]
    store: Import

    @property
    def option(self) -> str:
        """The option that sets another address."""
        return f"--{self.kind}-url"


# The limits are many times what the files had in 2025: about 30, 2 and 2 MiB.
SOURCES: Final[Mapping[str, Source]] = {
    source.kind: source
    for source in (
        # https://google.github.io/osv.dev/data/#data-dumps
        Source(
            "osv",
            "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip",
            512 * _MIB,
            (b"PK", b"{", b"["),
            importing.import_osv,
        ),
        # https://www.cisa.gov/known-exploited-vulnerabilities-catalog
        Source(
            "kev",
            "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
            64 * _MIB,
            (b"{",),
            importing.import_kev,
        ),
        # https://www.first.org/epss/data_stats
        Source(
            "epss",
            "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
            128 * _MIB,
            (b"\x1f\x8b", b"#", b"cve"),
            importing.import_epss,
        ),
    )
}


class State(enum.Enum):
    """How it went with one kind."""

    UPDATED = "updated"
    CURRENT = "already up to date"
    FAILED = "failed"


class Outcome(msgspec.Struct, frozen=True):
    """How it went with one kind: what was stored, or why nothing was."""

    kind: str
    state: State
    imported: Imported | None = None
    error: ScanaggError | None = None


def checked(kind: str, url: str | None, named: str) -> str:
    """The address to use for a kind: `url`, given by the option or variable `named`, if any.

    UsageError for one that cannot be used.
    """
    if url is None:
        return SOURCES[kind].url
    addresses.refuse_unusable(url, named)
    return url


def update(
    cache: Path,
    addresses: Mapping[str, str],
    *,
    seconds: float,
    now: datetime,
    notify: Notify,
    patience: Patience | None = None,
) -> Iterator[Outcome]:
    """Fetch and store each kind that has an address; one that fails costs no other.

    All downloads together end after `seconds`. `now` is when what is fetched is said to be from.
    """
    with Deadline(seconds) as deadline:
        for kind, url in addresses.items():
            job = _Job(SOURCES[kind], url, cache, deadline, patience, now, notify)
            try:
                yield job.run()
            except ScanaggError as error:
                yield Outcome(kind, State.FAILED, error=error)


class _Job(msgspec.Struct, frozen=True):
    source: Source
    url: str
    cache: Path
    deadline: Deadline
    patience: Patience | None
    now: datetime
    notify: Notify

    def run(self) -> Outcome:
        """Download and store, alone: who comes second finds it done."""
        with self._alone():
            download = self._download()
            fetched = download.run()
            if fetched is None:
                importing.touch(self.source.kind, self.cache, self.now)
                return Outcome(self.source.kind, State.CURRENT)
            try:
                imported = self._store(fetched)
            except StoreError as error:
                download.forget()  # to go on with what cannot be used would never end
                where = addresses.shown(self.url)
                message = error.message.replace(str(fetched.path), f"what {where} sends")
                raise StoreError(message, error.hint) from error
            download.forget()
            return Outcome(self.source.kind, State.UPDATED, imported)

    def _store(self, fetched: Fetched) -> Imported:
        origin = Origin(addresses.shown(self.url), fetched.etag, fetched.last_modified)
        return self.source.store(fetched.path, self.cache, origin, self._progress(Phase.STORING))

    def _download(self) -> Download:
        known = importing.origin_of(self.source.kind, self.cache)
        same = known if known and known.text == addresses.shown(self.url) else Origin("")
        wanted = Wanted(
            url=self.url,
            limit=self.source.limit,
            beginnings=self.source.beginnings,
            option=self.source.option,
            etag=same.etag,
            last_modified=same.last_modified,
        )
        return Download(
            wanted,
            self._path("part"),
            self.deadline,
            patience=self.patience,
            progress=self._progress(Phase.DOWNLOADING),
        )

    def _progress(self, phase: Phase) -> Progress:
        self.notify(self.source.kind, phase, 0, 0)
        return lambda done, whole: self.notify(self.source.kind, phase, done, whole)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other updates of this kind; they share the unfinished download."""
        path = self._path("update.lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(path)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                self.notify(self.source.kind, Phase.WAITING, 0, 0)
                lock.acquire(timeout=self.deadline.left, poll_interval=0.1)
        except filelock.Timeout as error:
            raise self.deadline.error() from error
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DownloadError(f"cannot lock {path}: {reason}", _HINT) from error
        try:
            yield
        finally:
            lock.release()

    def _path(self, suffix: str) -> Path:
        return self.cache / "advisories" / f"{self.source.kind}.{suffix}"
