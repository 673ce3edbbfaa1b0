"""How bad a vulnerability is, in CycloneDX's words: one rating for each source that says so."""

import re
from decimal import Decimal
from typing import Final

from cyclonedx.model.vulnerability import (
    VulnerabilityRating,
    VulnerabilityScoreSource,
    VulnerabilitySeverity,
    VulnerabilitySource,
)

from scanagg.core.text import one_line
from scanagg.model import Judged, Severity, SeverityClaim
from scanagg.reports.cyclonedx.values import link
from scanagg.reports.phrases import base_score as score

DECIDES: Final = "This one decides."
"""What the first rating says of itself: readers may put them in another order."""

_SEVERITIES: Final = {
    Severity.CRITICAL: VulnerabilitySeverity.CRITICAL,
    Severity.HIGH: VulnerabilitySeverity.HIGH,
    Severity.MEDIUM: VulnerabilitySeverity.MEDIUM,
    Severity.LOW: VulnerabilitySeverity.LOW,
    Severity.INFO: VulnerabilitySeverity.INFO,
    Severity.UNKNOWN: VulnerabilitySeverity.UNKNOWN,
}
_OTHER: Final = VulnerabilityScoreSource.OTHER
_METHODS: Final = {
    "cvss4": VulnerabilityScoreSource.CVSS_V4,
    "cvss3.1": VulnerabilityScoreSource.CVSS_V3_1,
    "cvss3.0": VulnerabilityScoreSource.CVSS_V3,
    "cvss2": VulnerabilityScoreSource.CVSS_V2,
}
# The prefix that a vector begins with; the first version had none.
_PREFIXES: Final = {
    "CVSS:4.0/": VulnerabilityScoreSource.CVSS_V4,
    "CVSS:3.1/": VulnerabilityScoreSource.CVSS_V3_1,
    "CVSS:3.0/": VulnerabilityScoreSource.CVSS_V3,
}
_METRICS: Final = re.compile(r"[A-Za-z]{1,3}:[A-Za-z]{1,6}(?:/[A-Za-z]{1,3}:[A-Za-z]{1,6})*/?")
_SECOND: Final = re.compile(r"(?:^|/)Au:")
_NAMES: Final = {
    "ghsa": ("GitHub", "https://github.com/advisories"),
    "nvd": ("NVD", "https://nvd.nist.gov"),
    "policy": ("policy", None),
}
# Who carried the word of a source that has no name of its own: the store's records are OSV's.
_CARRIERS: Final = {"osv": ("OSV", "https://osv.dev")}


def ratings(judged: Judged) -> list[VulnerabilityRating]:
    """Every source's word once, the deciding one first; that nobody knows is a rating too."""
    claims = judged.severity_sources
    if not claims or claims[0].severity is not judged.severity:
        claims = (SeverityClaim("table", judged.severity, "scanagg"), *claims)
    made = list(dict.fromkeys(map(_rating, claims)))
    made[0].justification = DECIDES
    return made


def _rating(claim: SeverityClaim) -> VulnerabilityRating:
    method, vector = _vector(claim)
    return VulnerabilityRating(
        source=_source(claim),
        score=_score(method, claim.vector),
        severity=_SEVERITIES[claim.severity],
        method=method,
        vector=vector,
    )


def _source(claim: SeverityClaim) -> VulnerabilitySource:
    carrier = _CARRIERS.get(claim.scanner, (claim.scanner or claim.source, None))
    name, url = _NAMES.get(claim.source, carrier)
    return VulnerabilitySource(name=one_line(name), url=link(url))


def _score(method: VulnerabilityScoreSource, vector: str | None) -> Decimal | None:
    text = "" if method is _OTHER else score(vector)
    return Decimal(text) if text else None


def _vector(claim: SeverityClaim) -> tuple[VulnerabilityScoreSource, str | None]:
    """The method and the metrics without prefix, as the standard has them.

    The prefix tells more than what the source is called. What is no vector stands as it is, with
    method `other`.
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
