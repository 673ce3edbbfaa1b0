"""What the store adds to what scanners told: names, dates, severities, KEV, EPSS."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.advisories.records import ECOSYSTEM, Record, Reference, canonical_id
from scanagg.advisories.store import Exploited, Likelihood, Store
from scanagg.advisories.versions import affects, fixed_versions
from scanagg.model import (
    Advisory,
    Category,
    Observation,
    Package,
    Severity,
    SeverityClaim,
    cvss,
    is_pypi,
)
from scanagg.model.advisories import is_malware
from scanagg.model.published import earliest, fixes, pages, retold

SUPPLIER: Final = "osv"
"""Who passes a claim on that comes from a record of the store."""

# GitHub's words, and the one of CVSS that some write in place of MODERATE.
_LABELS: Final = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}
_GITHUB: Final = "GHSA-"
_WEAKNESS: Final = re.compile(r"CWE-[1-9][0-9]{0,5}")
# Which pages say most; others after these.
_TELLING: Final = ("ADVISORY", "FIX", "REPORT", "ARTICLE")


def enriched(observations: Iterable[Observation], store: Store) -> tuple[Observation, ...]:
    """The observations, each vulnerability with all that the store knows of it, in the given order.

    Nothing that a scanner said is lost: claims and ids are added. Of a package of PyPI the records
    about it tell versions with a fix, and whether all of it was withdrawn; of other packages the
    store knows nothing but what the names of an advisory lead to. StoreError where the store turns
    out to be damaged.
    """
    return tuple(map(_Lore(store).told, observations))


class _Known(msgspec.Struct, frozen=True):
    """All that is known under the names of one vulnerability."""

    ids: frozenset[str]
    records: tuple[Record, ...]
    claims: tuple[SeverityClaim, ...]
    weaknesses: frozenset[str]
    pages: tuple[str, ...]
    exploited: Exploited | None
    likelihood: Likelihood | None


class _About(msgspec.Struct, frozen=True):
    """What the records say of one package: the names of it that hold, its fixes, if withdrawn."""

    name: str
    ids: frozenset[str]
    standing: Sequence[Record]
    fixed: tuple[str, ...]
    withdrawn: bool


class _Lore:
    """The store with what was already looked up: findings share advisories."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[frozenset[str], _Known] = {}
        self._about: dict[tuple[frozenset[str], str], _About] = {}
        self._mending: dict[tuple[frozenset[str], str, str], bool] = {}

    def told(self, one: Observation) -> Observation:
        """A vulnerability with what the store adds; anything else as it is."""
        if one.category is not Category.VULNERABILITY or not (one.advisory and one.package):
            return one
        known = self._look_up(one.advisory.ids)
        about = self._of_package(known, one.package)
        advisory = self._advisory(one.advisory, known, about, one.package)
        return replace(
            one,
            advisory=advisory,
            claims=tuple(dict.fromkeys((*one.claims, *known.claims))),
            rule=replace(one.rule, cwe=tuple(sorted({*one.rule.cwe, *known.weaknesses}))),
            message=retold(one.message, one.advisory.fixed_versions, advisory.fixed_versions),
        )

    def _look_up(self, ids: frozenset[str]) -> _Known:
        found = self._known.get(ids)
        if found is None:
            group = self._store.group(frozenset(map(canonical_id, ids)))
            records = tuple(sorted(group.records, key=lambda record: record.id))
            every = group.ids | {record.id for record in records}
            standing = _standing(records)
            found = self._known[ids] = _Known(
                ids=every,
                records=records,
                claims=tuple(_claims(standing)) or tuple(_claims(records)),
                weaknesses=frozenset(_weaknesses(standing)),
                pages=_pages(standing),
                exploited=self._store.exploited(every) if self._store.kev else None,
                likelihood=self._store.likelihood(every) if self._store.epss else None,
            )
        return found

    def _of_package(self, known: _Known, package: Package) -> _About:
        name = package.name if is_pypi(package.purl) else ""
        key = (known.ids, name)
        found = self._about.get(key)
        if found is None:
            found = self._about[key] = _about(known, name)
        return found

    def _advisory(self, said: Advisory, known: _Known, about: _About, package: Package) -> Advisory:
        exploited, likelihood = known.exploited, known.likelihood
        published = (said.published, *(record.published for record in known.records))
        return replace(
            said,
            aliases=(*said.aliases, *sorted(about.ids - said.ids)),
            fixed_versions=self._fixes(said, known, about, package),
            published=earliest(published),
            withdrawn=said.withdrawn or about.withdrawn,
            kev=exploited is not None if self._store.kev else said.kev,
            kev_added=exploited.added if exploited else said.kev_added,
            epss=likelihood.score if likelihood else said.epss,
            epss_percentile=likelihood.percentile if likelihood else said.epss_percentile,
            references=pages((*said.references, *known.pages)),
        )

    def _fixes(
        self, said: Advisory, known: _Known, about: _About, package: Package
    ) -> tuple[str, ...]:
        """What scanner and records name, without what other records call affected.

        CVE-2014-0012 is fixed in 2.7.2 by one record, which another one calls affected. Where they
        leave none, nobody can tell who is right, and all that are named stay.
        """
        named = fixes((*said.fixed_versions, *about.fixed), package)
        return tuple(one for one in named if self._mends(one, known, about)) or named

    def _mends(self, version: str, known: _Known, about: _About) -> bool:
        """Whether no record that holds says that this version is affected too."""
        key = (known.ids, about.name, version)
        found = self._mending.get(key)
        if found is None:
            found = not any(affects(record, about.name, version) for record in about.standing)
            self._mending[key] = found
        return found


def _standing(records: Sequence[Record]) -> Sequence[Record]:
    """The records that hold; all of them where all were withdrawn."""
    return [record for record in records if not record.withdrawn] or records


def _about(known: _Known, name: str) -> _About:
    """What the records say of a PyPI package; nothing where the name is empty.

    A record of malware names a package as malicious: what other packages have in common with that
    one by some alias does not make them so.
    """
    speaking = [record for record in known.records if name and _speaks(record, name)]
    standing = _standing(speaking)
    malware = {record.id for record in standing if is_malware(record.id)}
    return _About(
        name=name,
        standing=standing,
        ids=frozenset(one for one in known.ids if one in malware or not is_malware(one)),
        fixed=tuple(version for record in standing for version in fixed_versions(record, name)),
        withdrawn=bool(speaking) and all(record.withdrawn for record in speaking),
    )


def _speaks(record: Record, name: str) -> bool:
    """Whether a record is about a package: in the store names are as in PEP 503."""
    return any(
        part.package.name == name and part.package.ecosystem == ECOSYSTEM
        for part in record.affected
    )


def _claims(records: Iterable[Record]) -> Iterator[SeverityClaim]:
    """GitHub's labels and the CVSS vectors, each once."""
    seen: set[SeverityClaim] = set()
    for record in records:
        for claim in (
            _label(record),
            *(cvss.claim(one.score, SUPPLIER) for one in record.severity),
        ):
            if claim is not None and claim not in seen:
                seen.add(claim)
                yield claim


def _label(record: Record) -> SeverityClaim | None:
    if not record.id.startswith(_GITHUB):
        return None
    severity = _LABELS.get(record.database_specific.severity.upper())
    return severity and SeverityClaim("ghsa", severity, SUPPLIER)


def _weaknesses(records: Iterable[Record]) -> Iterator[str]:
    for record in records:
        yield from filter(_WEAKNESS.fullmatch, record.database_specific.cwe_ids)


def _pages(records: Iterable[Record]) -> tuple[str, ...]:
    """The pages of all records, those that say most first."""
    found = sorted({one for record in records for one in record.references}, key=_page_order)
    return pages(one.url for one in found)


def _page_order(one: Reference) -> tuple[int, str]:
    telling = _TELLING.index(one.type) if one.type in _TELLING else len(_TELLING)
    return telling, one.url
