"""How bad a finding is in Trivy's words: every source that it passes on is one claim."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final

from scanagg.adapters import _trivy_report as report
from scanagg.model import Severity, SeverityClaim

_SCANNER: Final = "trivy"
_LEVELS: Final = {
    level.name: level for level in Severity if level not in (Severity.UNKNOWN, Severity.INFO)
}
# Trivy's numbers in VendorSeverity.
_NUMBERS: Final = (None, "LOW", "MEDIUM", "HIGH", "CRITICAL")
_CVSS_VERSION: Final = re.compile(r"CVSS:(3\.[01]|4\.0)/")
# The qualitative ratings of CVSS v3 and v4, and those that NVD gives v2: from which score on.
_BANDS: Final = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)
_BANDS_2: Final = ((7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.0, Severity.LOW))


def claim(severity: str | None, source: str | None = None) -> tuple[SeverityClaim, ...]:
    """Trivy's own severity as a claim, by where it says it took it from; none for UNKNOWN."""
    level = _LEVELS.get((severity or "").upper())
    where = source if source in ("ghsa", "nvd") else "tool"
    return (SeverityClaim(where, level, _SCANNER),) if level else ()


def of_vulnerability(found: report.Vulnerability) -> tuple[SeverityClaim, ...]:
    """Every word on the severity that Trivy passes on, each source and vector once."""
    claims = list(claim(found.severity, found.severity_source))
    for vendor in ("ghsa", "nvd"):
        number = (found.vendor_severity or {}).get(vendor)
        if number is not None and 0 < number < len(_NUMBERS):
            claims += claim(_NUMBERS[int(number)], vendor)
    for vendor, scores in (found.cvss or {}).items():
        claims += _cvss_claims(vendor, scores)
    return tuple(dict.fromkeys(claims))


def _cvss_claims(vendor: str, cvss: report.Cvss) -> Iterator[SeverityClaim]:
    """A claim for each vector with a score: NVD's by its name, the others by CVSS version."""
    for vector, score in (
        (cvss.v40_vector, cvss.v40_score),
        (cvss.v3_vector, cvss.v3_score),
        (cvss.v2_vector, cvss.v2_score),
    ):
        if not vector or score is None or not math.isfinite(score):
            continue
        version = _CVSS_VERSION.match(vector)
        source = f"cvss{version[1]}".replace("4.0", "4") if version else "cvss2"
        severity = _band(score, _BANDS_2 if source == "cvss2" else _BANDS)
        named = "nvd" if vendor == "nvd" and source != "cvss2" else source
        yield SeverityClaim(named, severity, _SCANNER, vector)


def _band(score: float, bands: Iterable[tuple[float, Severity]]) -> Severity:
    return next((severity for least, severity in bands if score >= least), Severity.INFO)
