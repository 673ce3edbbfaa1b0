"""Add the data of the store to observations: ids, dates, severities, fixes, KEV and EPSS."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.advisories.records import ECOSYSTEM, Record, canonical_id
from scanagg.advisories.store import Exploited, Likelihood, Store
from scanagg.advisories.versions import AffectedVersions, affected_versions, fixed_versions
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
        self._vulnerabilities: dict[frozenset[str], _Vulnerability] = {}
        self._views: dict[tuple[frozenset[str], str], _PackageView] = {}

    def enrich(self, observation: Observation) -> Observation:
        """Return a vulnerability with the data of the store; anything else unchanged."""
        reported, package = observation.advisory, observation.package
        if observation.category is not Category.VULNERABILITY or not (reported and package):
            return observation
        known = self._vulnerability(reported.ids)
        view = self._view(known, package.name if is_pypi(package.purl) else "")
        exploited, likelihood = known.exploited, known.likelihood
        published = (reported.published, *(record.published for record in known.records))
        advisory = replace(
            reported,
            aliases=(*reported.aliases, *sorted(view.ids - reported.ids)),
            fixed_versions=self._fixes(reported, view, package),
            published=earliest(published),
            withdrawn=reported.withdrawn or view.withdrawn,
            kev=exploited is not None if self._store.kev else reported.kev,
            kev_added=exploited.added if exploited else reported.kev_added,
            epss=likelihood.score if likelihood else reported.epss,
            epss_percentile=likelihood.percentile if likelihood else reported.epss_percentile,
            references=pages((*reported.references, *known.pages)),
        )
        message = retold(observation.message, reported.fixed_versions, advisory.fixed_versions)
        weaknesses = tuple(sorted({*observation.rule.cwe, *known.weaknesses}))
        return replace(
            observation,
            advisory=advisory,
            claims=tuple(dict.fromkeys((*observation.claims, *known.claims))),
            rule=replace(observation.rule, cwe=weaknesses),
            message=message,
        )

    def _vulnerability(self, ids: frozenset[str]) -> _Vulnerability:
        if ids not in self._vulnerabilities:
            group = self._store.group(frozenset(map(canonical_id, ids)))
            records = tuple(sorted(group.records, key=lambda record: record.id))
            names = group.ids | {record.id for record in records}
            valid = _valid(records)
            references = sorted(
                {page for record in valid for page in record.references},
                key=lambda page: (_REFERENCE_ORDER.get(page.type, 4), page.url),
            )
            self._vulnerabilities[ids] = _Vulnerability(
                ids=names,
                records=records,
                claims=_claims(valid) or _claims(records),
                weaknesses=frozenset(
                    weakness
                    for record in valid
                    for weakness in record.database_specific.cwe_ids
                    if _WEAKNESS.fullmatch(weakness)
                ),
                pages=pages(page.url for page in references),
                exploited=self._store.exploited(names) if self._store.kev else None,
                likelihood=self._store.likelihood(names) if self._store.epss else None,
            )
        return self._vulnerabilities[ids]

    def _view(self, known: _Vulnerability, name: str) -> _PackageView:
        """Return the data of the records about a PyPI package; nothing if the name is empty.

        Only the package in a malware record is malicious, not other packages that share an alias
        with it.
        """
        key = (known.ids, name)
        if key not in self._views:
            # In the store, names are as in PEP 503.
            about = [
                record
                for record in known.records
                if any(
                    entry.package.name == name and entry.package.ecosystem == ECOSYSTEM
                    for entry in record.affected
                )
            ]
            valid = _valid(about)
            malware = {record.id for record in valid if is_malware(record.id)}
            fixed = [version for record in valid for version in fixed_versions(record, name)]
            self._views[key] = _PackageView(
                ids=frozenset(
                    each for each in known.ids if each in malware or not is_malware(each)
                ),
                affected=tuple(affected_versions(record, name) for record in valid),
                fixed=tuple(fixed),
                withdrawn=bool(about) and all(record.withdrawn for record in about),
            )
        return self._views[key]

    def _fixes(self, reported: Advisory, view: _PackageView, package: Package) -> tuple[str, ...]:
        """Return the fixed versions of scanner and records that no other record calls affected.

        For example, one record of CVE-2014-0012 calls 2.7.2 fixed, and another one affected. If no
        version is left, return all: it is unknown which record is right.
        """
        named = fixes((*reported.fixed_versions, *view.fixed), package)
        unaffected = (
            version
            for version in named
            if not any(versions.contains(version) for versions in view.affected)
        )
        return tuple(unaffected) or named


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
