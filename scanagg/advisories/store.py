"""Look-ups in the advisory store: published vulnerabilities, KEV and EPSS."""

import contextlib
import enum
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.storage import KINDS, StoreFile, open_file
from scanagg.advisories.versions import AffectedVersions, affected_versions
from scanagg.core.errors import StoreError
from scanagg.model import DataSource

_T = TypeVar("_T")
_CACHED_PACKAGES: Final = 2048


class AliasGroup(msgspec.Struct, frozen=True):
    """All ids of one vulnerability, by aliases in both directions, and their records."""

    ids: frozenset[str]
    records: tuple[Record, ...]


class Exploited(msgspec.Struct, frozen=True, array_like=True):
    """A CVE that CISA lists as exploited, with the ISO dates of its entry and deadline."""

    cve: str
    added: str
    due: str = ""


class Likelihood(msgspec.Struct, frozen=True, array_like=True):
    """The EPSS of a CVE: the probability of exploitation within 30 days, and its percentile."""

    cve: str
    score: float
    percentile: float


class Phase(enum.Enum):
    """A step in the update of one kind of data."""

    WAITING = "waiting for another update"
    DOWNLOADING = "downloading"
    STORING = "storing"


Notify = Callable[[str, Phase, int, int], None]
"""Called with the kind, the phase, and how much is done of how much (0 if unknown)."""

_IDS: Final[msgspec.json.Decoder[tuple[str, ...]]] = msgspec.json.Decoder(tuple[str, ...])
_ID: Final = msgspec.json.Decoder(str)
_RECORD: Final = msgspec.json.Decoder(Record)
_EXPLOITED: Final = msgspec.json.Decoder(Exploited)
_LIKELIHOOD: Final = msgspec.json.Decoder(Likelihood)


class Store:
    """Read access to the store, for several threads.

    `osv`, `kev` and `epss` describe the data of each kind; None if it is missing or unusable. A
    look-up raises a StoreError if a file turns out to be damaged: an empty answer would be wrong.
    """

    def __init__(self, files: Iterable[StoreFile] = (), problems: Iterable[str] = ()) -> None:
        """Take over open files, at most one of a kind."""
        self._files = {file.meta.kind: file for file in files}
        self.osv, self.kev, self.epss = (
            self._files[kind].meta.source if kind in self._files else None for kind in KINDS
        )
        self._problems = dict.fromkeys(problems)
        self._lock = threading.Lock()

        # Several scanners, and several versions of a package, need the same records.
        @lru_cache(_CACHED_PACKAGES)
        def package(name: str) -> Sequence[tuple[Record, AffectedVersions]]:
            ids = self._value("osv", f"package {name}", _IDS) or ()
            return [(record, affected_versions(record, name)) for record in self._records(ids)]

        self._package = package

    @property
    def problems(self) -> tuple[str, ...]:
        """The messages about unusable files, and damage found by look-ups, with what to do."""
        with self._lock:
            return tuple(self._problems)

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """The stored data, in a fixed order."""
        return tuple(filter(None, (self.osv, self.kev, self.epss)))

    def records(self, name: str) -> Sequence[Record]:
        """Return every record about a PyPI package, including withdrawn ones."""
        return tuple(record for record, _ in self._package(canonicalize_name(name)))

    def affecting(self, name: str, version: str) -> Sequence[Record]:
        """Return the records that affect a version, without withdrawn ones."""
        return tuple(
            record
            for record, versions in self._package(canonicalize_name(name))
            if not record.withdrawn and versions.contains(version)
        )

    def group(self, ids: Iterable[str]) -> AliasGroup:
        """Return the transitive closure of some ids over all aliases, and its records."""
        names = set(ids)
        for name in map(canonical_id, tuple(names)):
            names.add(name)
            first = self._value("osv", f"alias {name}", _ID)
            group = self._value("osv", f"group {first}", _IDS)
            names.update(group or ())
        return AliasGroup(frozenset(names), self._records(sorted(names)))

    def exploited(self, ids: Iterable[str]) -> Exploited | None:
        """Return the earliest entry of KEV for any of the ids."""
        entries = (self._value("kev", canonical_id(name), _EXPLOITED) for name in ids)
        return min(
            filter(None, entries),
            key=lambda entry: (entry.added or "~", entry.cve),
            default=None,
        )

    def likelihood(self, ids: Iterable[str]) -> Likelihood | None:
        """Return the highest EPSS of any of the ids."""
        scores = (self._value("epss", canonical_id(name), _LIKELIHOOD) for name in ids)
        return max(
            filter(None, scores),
            key=lambda each: (each.score, each.percentile, each.cve),
            default=None,
        )

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files.values():
                file.connection.close()

    def _records(self, ids: Iterable[str]) -> tuple[Record, ...]:
        records = (self._value("osv", f"record {name}", _RECORD) for name in ids)
        return tuple(filter(None, records))

    def _value(self, kind: str, key: str, decoder: msgspec.json.Decoder[_T]) -> _T | None:
        """Return the value of a key; None if there is none. StoreError."""
        file = self._files.get(kind)
        if file is None:
            return None
        with self._noted():
            return file.get(key, decoder)

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Use the files in one thread, and add damage to the problems."""
        with self._lock:
            try:
                yield
            except StoreError as error:
                self._problems[f"{error.message}. {error.hint}"] = None
                raise


def open_store(cache: Path, *, verify: bool = False) -> Store:
    """Open the store in a cache folder. A missing store is an empty one; problems are in it.

    With `verify`, verify all data first, which takes about a second for each gigabyte.
    """
    files, problems = [], []
    for kind in KINDS:
        try:
            file = open_file(kind, cache, verify=verify)
        except StoreError as error:
            problems.append(f"{error.message}. {error.hint}")
        else:
            files.extend([file] if file else [])
    return Store(files, problems)
