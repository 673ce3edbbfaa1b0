"""The advisory store: published vulnerabilities, KEV and EPSS, in SQLite files of the cache."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from scanagg.advisories import _sqlite as files
from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.versions import Table
from scanagg.core.errors import StoreError
from scanagg.core.text import valid
from scanagg.model import DataSource

_Decoded = TypeVar("_Decoded")

_RECORDS: Final = 8192
_PACKAGES: Final = 4096
_NAMES: Final = 1 << 15


class Package(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which records a package has, and which versions those affect that are not withdrawn.

    It is kept apart from the records, so that only those have to be read that are asked for.
    """

    ids: tuple[str, ...] = ()
    affected: Table = Table()


class Group(msgspec.Struct, frozen=True):
    """All names of one vulnerability, by aliases in both directions, and the records under them."""

    ids: frozenset[str]
    records: tuple[Record, ...]


class Exploited(msgspec.Struct, frozen=True):
    """CISA knows that a CVE is exploited: since which day it says so, until when to act (ISO)."""

    cve: str
    added: str
    due: str = ""


class Likelihood(msgspec.Struct, frozen=True):
    """EPSS of a CVE: the probability that it is exploited within 30 days, and its rank (0 to 1)."""

    cve: str
    score: float
    percentile: float


_PACKAGE: Final = msgspec.json.Decoder(Package)
_RECORD: Final = msgspec.json.Decoder(Record)


class Store:
    """Read access to what was stored. Safe to be used from several threads.

    `osv`, `kev` and `epss` tell what there is of each, None where it is not here or cannot be used;
    `problems` say why it cannot, and what to do. A look-up raises StoreError only where a file
    turns out to be damaged after it was opened: to find nothing would be a lie.
    """

    osv: DataSource | None
    kev: DataSource | None
    epss: DataSource | None
    problems: tuple[str, ...]

    def __init__(self, bases: Iterable[files.Base] = (), problems: Iterable[str] = ()) -> None:
        """Take over the files that are there, at most one of a kind."""
        self._bases = {base.meta.kind: base for base in bases}
        self.osv, self.kev, self.epss = (
            base.meta.source if (base := self._bases.get(kind)) else None for kind in files.KINDS
        )
        self.problems = tuple(problems)
        # What is looked up once is asked for again: by the next finding, by the next scanner.
        self._records: dict[str, Record | None] = {}
        self._package = lru_cache(_PACKAGES)(self._read_package)
        self._cluster = lru_cache(_NAMES)(self._read_cluster)
        self._exploited = lru_cache(_NAMES)(self._read_exploited)
        self._likelihood = lru_cache(_NAMES)(self._read_likelihood)

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """What there is, in a fixed order."""
        return tuple(one for one in (self.osv, self.kev, self.epss) if one is not None)

    def records(self, name: str) -> Sequence[Record]:
        """Every record about a PyPI package, withdrawn ones too; `name` is as in PEP 503."""
        return self._listed(self._package(canonicalize_name(name)).ids)

    def affecting(self, name: str, version: str) -> Sequence[Record]:
        """The records, without withdrawn ones, that affect this version."""
        table = self._package(canonicalize_name(name)).affected
        try:
            return self._listed(table.affecting(version))
        except InvalidVersion as error:
            raise self._damaged("a version is none") from error

    def group(self, ids: Iterable[str]) -> Group:
        """The closure of the ids over all aliases; the ids themselves where none is known."""
        given = frozenset(ids)
        names = given.union(*(self._cluster(canonical_id(name)) for name in given))
        records = self._known(sorted(names))
        return Group(names, tuple(one for one in records if one is not None))

    def exploited(self, ids: Iterable[str]) -> Exploited | None:
        """The entry of KEV for any of the ids, the earliest."""
        found = [one for name in ids if (one := self._exploited(canonical_id(name)))]
        return min(found, key=lambda one: (one.added or "~", one.cve), default=None)

    def likelihood(self, ids: Iterable[str]) -> Likelihood | None:
        """The EPSS of any of the ids, the highest."""
        found = [one for name in ids if (one := self._likelihood(canonical_id(name)))]
        return max(found, key=lambda one: (one.score, one.percentile, one.cve), default=None)

    def close(self) -> None:
        """Let go of the files."""
        for base in self._bases.values():
            base.close()

    def _listed(self, ids: Iterable[str]) -> tuple[Record, ...]:
        """The records that a package lists, so that they must be there."""
        records = self._known(ids)
        found = tuple(one for one in records if one is not None)
        if len(found) < len(records):
            raise self._damaged("a record is missing")
        return found

    def _known(self, ids: Iterable[str]) -> tuple[Record | None, ...]:
        """The record of each id, None where there is none."""
        asked = tuple(ids)
        kept = self._records  # only ever added to, or replaced: other threads read it
        found = {one: kept[one] for one in asked if one in kept}
        found |= self._read_records([one for one in asked if one not in found])
        if len(kept) > _RECORDS:
            kept = self._records = {}
        kept.update(found)
        return tuple(found[one] for one in asked)

    def _rows(self, kind: str, query: str, key: str) -> list[tuple[object, ...]]:
        """What a query finds for a key, which may be any text that a scanner wrote."""
        base = self._bases.get(kind)
        return base.rows(query, valid(key)) if base else []

    def _read_records(self, ids: Sequence[str]) -> dict[str, Record | None]:
        if not ids:
            return {}
        query = "SELECT body FROM record WHERE id IN (SELECT value FROM json_each(?))"
        rows = self._rows("osv", query, msgspec.json.encode([*map(valid, ids)]).decode())
        read = (self._decoded(_RECORD, row[0]) for row in rows)
        return {**dict.fromkeys(ids), **{record.id: record for record in read}}

    def _read_package(self, name: str) -> Package:
        rows = self._rows("osv", "SELECT body FROM package WHERE name = ?", name)
        return self._decoded(_PACKAGE, rows[0][0]) if rows else Package()

    def _decoded(self, decoder: msgspec.json.Decoder[_Decoded], body: object) -> _Decoded:
        try:
            return decoder.decode(body if isinstance(body, bytes) else b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged("a record is not as it was written") from error

    def _damaged(self, why: str) -> StoreError:
        return files.damaged(self._bases["osv"].path, why)

    def _read_cluster(self, name: str) -> frozenset[str]:
        query = "SELECT id FROM alias WHERE cluster = (SELECT cluster FROM alias WHERE id = ?)"
        return frozenset(str(row[0]) for row in self._rows("osv", query, name)) or frozenset([name])

    def _read_exploited(self, name: str) -> Exploited | None:
        rows = self._rows("kev", "SELECT added, due FROM kev WHERE cve = ?", name)
        return Exploited(name, str(rows[0][0]), str(rows[0][1])) if rows else None

    def _read_likelihood(self, name: str) -> Likelihood | None:
        for score, percentile in self._rows(
            "epss", "SELECT score, percentile FROM epss WHERE cve = ?", name
        ):
            if isinstance(score, float) and isinstance(percentile, float):
                return Likelihood(name, score, percentile)
        return None


def is_stored(kind: str, cache: Path) -> bool:
    """Return whether there is a file of this kind, usable or not."""
    return files.file_of(kind, cache).exists()


def open_store(cache: Path) -> Store:
    """The store in a cache folder; an empty one where nothing was ever stored. Raises nothing."""
    bases, problems = [], []
    for kind in files.KINDS:
        try:
            base = files.opened(kind, cache)
        except StoreError as error:
            problems.append(f"{error.message}. {error.hint}")
        else:
            bases.extend([base] if base else [])
    return Store(bases, problems)
