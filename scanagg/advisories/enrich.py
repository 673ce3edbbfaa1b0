"""Add the data of the store to observations: ids, dates, severities, fixes, KEV and EPSS."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.store import Exploited, Likelihood, Store
from scanagg.advisories.versions import (
    AffectedVersions,
    affected_versions,
    entries_about,
    fixed_versions,
)
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
from scanagg.model.advisories import earliest, is_malware, pages, retold
from scanagg.model.project import fixes

SUPPLIER: Final = "osv"
"""The source of severity claims from the store."""

# GitHub's labels, and MEDIUM, which some records have instead of MODERATE.
_LABELS: Final = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}
_WEAKNESS: Final = re.compile(r"CWE-[1-9][0-9]{0,5}")
# The most useful kinds of pages first; other kinds come after these.
_REFERENCE_ORDER: Final = {"ADVISORY": 0, "FIX": 1, "REPORT": 2, "ARTICLE": 3}


def enriched(observations: Iterable[Observation], store: Store) -> tuple[Observation, ...]:
    """Return the observations in the same order, vulnerabilities with the data of the store.

    Claims and ids are added; nothing that a scanner reports is lost. The records about a PyPI
    package also give the fixed versions, and whether all of them were withdrawn. For other packages
    there is only the data under the ids of the advisory. StoreError if the store is damaged.
    """
    knowledge = _Knowledge(store)
    return tuple(map(knowledge.enrich, observations))


class _Vulnerability(msgspec.Struct, frozen=True):
    """The data under all ids of one vulnerability."""

    ids: frozenset[str]
    records: tuple[Record, ...]
    claims: tuple[SeverityClaim, ...]
    weaknesses: frozenset[str]
    pages: tuple[str, ...]
    exploited: Exploited | None
    likelihood: Likelihood | None


class _PackageView(msgspec.Struct, frozen=True):
    """A vulnerability in one package: ids, affected and fixed versions, withdrawn or not."""

    ids: frozenset[str]
    affected: tuple[AffectedVersions, ...]
    fixed: tuple[str, ...]
    withdrawn: bool


class _Knowledge:
    """The store with a cache: findings share advisories."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._vulnerability = cache(self._read_vulnerability)
        self._view = cache(_package_view)

    def enrich(self, observation: Observation) -> Observation:
        """Return a vulnerability with the data of the store; anything else unchanged."""
        reported, package = observation.advisory, observation.package
        if observation.category is not Category.VULNERABILITY or not (reported and package):
            return observation
        stored = self._vulnerability(reported.ids)
        view = self._view(stored, package.name if is_pypi(package.purl) else "")
        exploited, likelihood = stored.exploited, stored.likelihood
        published = (reported.published, *(record.published for record in stored.records))
        advisory = replace(
            reported,
            aliases=(*reported.aliases, *sorted(view.ids - reported.ids)),
            fixed_versions=_fixed_versions(reported, view, package),
            published=earliest(published),
            withdrawn=reported.withdrawn or view.withdrawn,
            kev=exploited is not None if self._store.kev else reported.kev,
            kev_added=exploited.added if exploited else reported.kev_added,
            epss=likelihood.score if likelihood else reported.epss,
            epss_percentile=likelihood.percentile if likelihood else reported.epss_percentile,
            references=pages((*reported.references, *stored.pages)),
        )
        message = retold(observation.message, reported.fixed_versions, advisory.fixed_versions)
        weaknesses = tuple(sorted({*observation.rule.cwe, *stored.weaknesses}))
        return replace(
            observation,
            advisory=advisory,
            claims=tuple(dict.fromkeys((*observation.claims, *stored.claims))),
            rule=replace(observation.rule, cwe=weaknesses),
            message=message,
        )

    def _read_vulnerability(self, ids: frozenset[str]) -> _Vulnerability:
        group = self._store.group(frozenset(map(canonical_id, ids)))
        records = tuple(sorted(group.records, key=lambda record: record.id))
        names = group.ids | {record.id for record in records}
        valid = _valid(records)
        references = sorted(
            {*chain.from_iterable(record.references for record in valid)},
            key=lambda page: (_REFERENCE_ORDER.get(page.type, 4), page.url),
        )
        weaknesses = {*chain.from_iterable(one.database_specific.cwe_ids for one in valid)}
        return _Vulnerability(
            ids=names,
            records=records,
            claims=_claims(valid) or _claims(records),
            weaknesses=frozenset(filter(_WEAKNESS.fullmatch, weaknesses)),
            pages=pages(page.url for page in references),
            exploited=self._store.exploited(names),
            likelihood=self._store.likelihood(names),
        )


def _package_view(vulnerability: _Vulnerability, name: str) -> _PackageView:
    """Return the data of the records about a PyPI package; nothing if the name is empty.

    Only the package in a malware record is malicious, not other packages that share an alias with
    it.
    """
    about = [record for record in vulnerability.records if any(entries_about(record, name))]
    valid = _valid(about)
    malware = set(filter(is_malware, vulnerability.ids)) - {record.id for record in valid}
    return _PackageView(
        ids=vulnerability.ids - malware,
        affected=tuple(affected_versions(record, name) for record in valid),
        fixed=tuple(chain.from_iterable(fixed_versions(record, name) for record in valid)),
        withdrawn=bool(about) and all(record.withdrawn for record in about),
    )


def _fixed_versions(reported: Advisory, view: _PackageView, package: Package) -> tuple[str, ...]:
    """Return the fixed versions of scanner and records that no other record calls affected.

    For example, one record of CVE-2014-0012 calls 2.7.2 fixed, and another one affected. If no
    version is left, return all: it is unknown which record is right.
    """
    versions = fixes((*reported.fixed_versions, *view.fixed), package)
    unaffected = (
        version
        for version in versions
        if not any(affected.contains(version) for affected in view.affected)
    )
    return tuple(unaffected) or versions


def _valid(records: Sequence[Record]) -> Sequence[Record]:
    """Return the records that are not withdrawn, or all if all are."""
    return [record for record in records if not record.withdrawn] or records


def _claims(records: Iterable[Record]) -> tuple[SeverityClaim, ...]:
    """Return GitHub's labels and the CVSS vectors as claims, each once."""
    claims: dict[SeverityClaim, None] = {}
    for record in records:
        label = _LABELS.get(record.database_specific.severity.upper())
        if record.id.startswith("GHSA-") and label:
            claims[SeverityClaim("ghsa", label, SUPPLIER)] = None
        for score in record.severity:
            if claim := cvss.claim(score.score, SUPPLIER):
                claims[claim] = None
    return tuple(claims)
