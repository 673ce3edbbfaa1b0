"""The vulnerability findings of a report as CycloneDX vulnerabilities, with ratings and VEX.

A waiver becomes a VEX analysis:

| waiver         | state          | response       | affected |
| -------------- | -------------- | -------------- | -------- |
| not_affected   | not_affected   |                | no       |
| false_positive | false_positive |                | no       |
| risk_accepted  | exploitable    | will_not_fix   | yes      |
| fix_planned    | exploitable    | update         | yes      |

An accepted risk, or one with a planned fix, is `exploitable`: `in_triage` would mean that it is
still open. The owner's reason is free text, and none of the standard's justifications, so it goes
into the detail. A comment in the source that suppresses a finding does not say whether it is
exploitable, so there is no analysis.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from cyclonedx.model.impact_analysis import (
    ImpactAnalysisAffectedStatus,
    ImpactAnalysisResponse,
    ImpactAnalysisState,
)
from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    Vulnerability,
    VulnerabilityAdvisory,
    VulnerabilityAnalysis,
    VulnerabilityRating,
    VulnerabilityReference,
    VulnerabilityScoreSource,
    VulnerabilitySeverity,
    VulnerabilitySource,
)

from scanagg.core.text import one_line, printable
from scanagg.core.times import read_time
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Finding,
    Judged,
    Report,
    SeverityClaim,
    Waiver,
    WaiverState,
)
from scanagg.reports.cyclonedx.packages import Packages, Refs, Values, link, properties
from scanagg.reports.phrases import base_score, fix, place, upgrade_advice
from scanagg.reports.reasons import sentence, sentences

Rated = tuple[Vulnerability, list[VulnerabilityRating]]
"""A vulnerability, and its ratings in the order in which they are shown."""

DECIDES: Final = "scanagg uses this rating."
"""The justification of the first rating, because readers may reorder ratings."""

VEX: Final = {
    WaiverState.NOT_AFFECTED: (ImpactAnalysisState.NOT_AFFECTED, ()),
    WaiverState.FALSE_POSITIVE: (ImpactAnalysisState.FALSE_POSITIVE, ()),
    WaiverState.RISK_ACCEPTED: (
        ImpactAnalysisState.EXPLOITABLE,
        (ImpactAnalysisResponse.WILL_NOT_FIX,),
    ),
    WaiverState.FIX_PLANNED: (ImpactAnalysisState.EXPLOITABLE, (ImpactAnalysisResponse.UPDATE,)),
}
_HARMLESS: Final = (WaiverState.NOT_AFFECTED, WaiverState.FALSE_POSITIVE)

# The publisher of ids of a kind, and the page of each, by the part before the first hyphen.
_PUBLISHERS: Final = {
    "CVE": ("NVD", "https://nvd.nist.gov/vuln/detail/"),
    "GHSA": ("GitHub", "https://github.com/advisories/"),
    "MAL": ("OSV", "https://osv.dev/vulnerability/"),
    "OSV": ("OSV", "https://osv.dev/vulnerability/"),
    "PYSEC": ("OSV", "https://osv.dev/vulnerability/"),
}
_OTHER: Final = VulnerabilityScoreSource.OTHER
_METHODS: Final = {
    "cvss4": VulnerabilityScoreSource.CVSS_V4,
    "cvss3.1": VulnerabilityScoreSource.CVSS_V3_1,
    "cvss3.0": VulnerabilityScoreSource.CVSS_V3,
    "cvss2": VulnerabilityScoreSource.CVSS_V2,
}
# The prefix of a vector; version 2 has none.
_PREFIXES: Final = {
    "CVSS:4.0/": VulnerabilityScoreSource.CVSS_V4,
    "CVSS:3.1/": VulnerabilityScoreSource.CVSS_V3_1,
    "CVSS:3.0/": VulnerabilityScoreSource.CVSS_V3,
}
_METRICS: Final = re.compile(r"[A-Za-z]{1,3}:[A-Za-z]{1,6}(?:/[A-Za-z]{1,3}:[A-Za-z]{1,6})*/?")
_SECOND: Final = re.compile(r"(?:^|/)Au:")
_SEVERITY_SOURCES: Final = {
    "ghsa": ("GitHub", "https://github.com/advisories"),
    "nvd": ("NVD", "https://nvd.nist.gov"),
    "policy": ("policy", None),
}
# The sources of claims that name none. Records of the store are OSV's.
_CARRIERS: Final = {"osv": ("OSV", "https://osv.dev")}
# Other readers limit the size of integers.
_CWE: Final = re.compile(r"(?:CWE-)?0*([1-9][0-9]{0,8})", re.IGNORECASE)


def vulnerabilities(report: Report, packages: Packages, refs: Refs) -> Iterator[Rated]:
    """Yield a vulnerability for each finding of that category, in the report's order."""
    advice_by_purl = {item.upgrade.package.purl: item for item in upgrade_advice(report)}
    for judged in report.findings:
        finding, package = judged.finding, judged.finding.package
        if finding.category is Category.VULNERABILITY and package and finding.advisory:
            ratings = _ratings(judged)
            vulnerability = _vulnerability(judged, finding.advisory)
            vulnerability.bom_ref.value = refs.take(f"finding:{finding.fingerprint}")
            vulnerability.ratings = ratings
            advice = advice_by_purl.get(package.purl)
            text = fix(judged, advice.upgrade if advice else None)
            if advice and finding.rule.id in advice.upgrade.clears:
                remarks = (f"{remark[0].upper()}{remark[1:]}." for remark in advice.remarks)
                text = " ".join((text, *remarks))
            vulnerability.recommendation = text or None
            _judge(vulnerability, judged, packages.ref(package))
            yield vulnerability, ratings


def _judge(vulnerability: Vulnerability, judged: Judged, ref: str) -> None:
    """Set the analysis, if there is a waiver, and the affected version, if it is known."""
    waiver = judged.waiver if judged.verdict.action is Action.WAIVED else None
    advisory, package = judged.finding.advisory, judged.finding.package
    status = ImpactAnalysisAffectedStatus.AFFECTED
    if waiver:
        state, responses = VEX[waiver.state]
        vulnerability.analysis = VulnerabilityAnalysis(
            state=state, responses=responses, detail=_detail(waiver)
        )
    if waiver and waiver.state in _HARMLESS:
        status = ImpactAnalysisAffectedStatus.UNAFFECTED
    elif advisory and advisory.withdrawn:
        status = ImpactAnalysisAffectedStatus.UNKNOWN
    version = one_line(package.version) if package else ""
    versions = [BomTargetVersionRange(version=version, status=status)] if version else ()
    vulnerability.affects = [BomTarget(ref=ref, versions=versions)]


def _vulnerability(judged: Judged, advisory: Advisory) -> Vulnerability:
    """Return the vulnerability without what depends on the project."""
    finding = judged.finding
    numbers = (_CWE.fullmatch(name.strip()) for name in finding.rule.cwe)
    return Vulnerability(
        id=one_line(finding.rule.id) or "(no id)",
        source=_publisher(finding.rule.id, finding.scanners, advisory.url or finding.rule.url),
        references=[
            VulnerabilityReference(
                id=one_line(name), source=_publisher(name, (name.partition("-")[0],), None)
            )
            for name in sorted(advisory.ids - {finding.rule.id, ""})
        ],
        cwes=[int(match[1]) for match in filter(None, numbers)],
        description=printable(finding.title) or None,
        detail=printable(finding.message) or None,
        advisories=[
            VulnerabilityAdvisory(url=page)
            for page in filter(None, map(link, _urls(finding, advisory)))
        ],
        published=read_time(advisory.published),
        properties=properties(_values(judged, advisory)),
    )


def _values(judged: Judged, advisory: Advisory) -> Values:
    """Return the values for which the standard has no field, and those that are invalid in it."""
    finding = judged.finding
    return {
        "verdict": judged.verdict.action.value,
        "verdict:rule": judged.verdict.rule,
        "verdict:reason": sentences(judged.verdict.reasons),
        "origin": judged.origin.value,
        "deadline": judged.deadline,
        "fingerprint": finding.fingerprint,
        "scanner": finding.scanners,
        "place": map(place, finding.places),
        "in-source": finding.in_source,
        "waiver:void": [
            f"{void.waiver.state.value} has no effect: {sentence(void.reason)}"
            f" — {_detail(void.waiver)}"
            for void in judged.void_waivers
        ],
        # EPSS would fit a rating, but cyclonedx-python-lib rounds scores to one decimal.
        "kev": advisory.kev,
        "kev:added": advisory.kev_added,
        "epss": advisory.epss,
        "epss:percentile": advisory.epss_percentile,
        "fixed": advisory.fixed_versions,
        "malicious": advisory.malicious or None,
        "withdrawn": advisory.withdrawn or None,
        "cwe": [name for name in finding.rule.cwe if not _CWE.fullmatch(name.strip())],
        "reference": [url for url in _urls(finding, advisory) if not link(url)],
        "published": None if read_time(advisory.published) else advisory.published,
    }


def _urls(finding: Finding, advisory: Advisory) -> Iterable[str]:
    urls = (advisory.url, finding.rule.url, *advisory.references)
    return dict.fromkeys(filter(None, urls))


def _publisher(name: str, scanners: Iterable[str], url: str | None) -> VulnerabilitySource:
    """Return the publisher of the id, with its page; else the scanners that reported it."""
    kind = name.partition("-")[0]
    if kind in _PUBLISHERS:
        publisher, pages = _PUBLISHERS[kind]
        return VulnerabilitySource(name=publisher, url=link(pages + name))
    return VulnerabilitySource(name=one_line(", ".join(scanners)) or "unknown", url=link(url))


def _detail(waiver: Waiver) -> str:
    return f"{one_line(waiver.reason)} — {one_line(waiver.owner)} — until {waiver.expires}"


def _ratings(judged: Judged) -> list[VulnerabilityRating]:
    """Return the rating of every source once, the deciding one first; also if it is "unknown"."""
    claims = judged.severity_sources
    if not claims or claims[0].severity is not judged.severity:
        claims = (SeverityClaim("table", judged.severity, "scanagg"), *claims)
    ratings = []
    for claim in claims:
        carrier = _CARRIERS.get(claim.scanner, (claim.scanner or claim.source, None))
        name, url = _SEVERITY_SOURCES.get(claim.source, carrier)
        method, vector = _method(claim)
        score = "" if method is _OTHER else base_score(claim.vector)
        rating = VulnerabilityRating(
            source=VulnerabilitySource(name=one_line(name), url=link(url)),
            score=Decimal(score) if score else None,
            severity=VulnerabilitySeverity(claim.severity.value),
            method=method,
            vector=vector,
        )
        if rating not in ratings:
            ratings.append(rating)
    ratings[0].justification = DECIDES
    return ratings


def _method(claim: SeverityClaim) -> tuple[VulnerabilityScoreSource, str | None]:
    """Return the method, and the metrics without their prefix, as the standard requires.

    The prefix of a vector is more reliable than the name of the source. An invalid vector is kept
    as it is, with method `other`.
    """
    text = one_line(claim.vector or "").strip()
    if not text:
        return _METHODS.get(claim.source, _OTHER), None
    for prefix, method in _PREFIXES.items():
        metrics = text.removeprefix(prefix)
        if metrics != text and _METRICS.fullmatch(metrics):
            return method, metrics
    if _METRICS.fullmatch(text) and _SECOND.search(text):
        return VulnerabilityScoreSource.CVSS_V2, text
    return _OTHER, text
