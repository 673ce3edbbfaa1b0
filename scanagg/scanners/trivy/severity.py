"""How bad a finding is in Trivy's words: every source that it passes on is one claim."""

import math
import re
from collections.abc import Iterator
from typing import Final

from scanagg.core.text import one_line
from scanagg.model import Severity, SeverityClaim, cvss
from scanagg.scanners.trivy import report

_SCANNER: Final = "trivy"
_LEVELS: Final = {
    level.name: level for level in Severity if level not in (Severity.UNKNOWN, Severity.INFO)
}
# Trivy's numbers in VendorSeverity.
_NUMBERS: Final = (None, "LOW", "MEDIUM", "HIGH", "CRITICAL")
# Those whose words are asked; what other vendors say (Red Hat, Debian) is on record under their
# names. A name that means something else among sources is nobody's.
_ASKED: Final = ("ghsa", "nvd")
_TAKEN: Final = frozenset({"policy", "table", "tool", "cvss2", "cvss3.0", "cvss3.1", "cvss4"})
_VENDOR: Final = re.compile(r"[a-z][a-z0-9.-]{0,39}")
# Whose vectors are those of the records of OSV.
_OSV: Final = ("ghsa", "osv")
_V2: Final = "cvss2"
_LONGEST: Final = 400


def claim(severity: str | None, source: str | None = None) -> tuple[SeverityClaim, ...]:
    """Trivy's own severity as a claim, by where it says it took it from; none for UNKNOWN."""
    return _claim(severity, source if source in _ASKED else "tool")


def of_vulnerability(found: report.Vulnerability) -> tuple[SeverityClaim, ...]:
    """Every word on the severity that Trivy passes on, each source and vector once."""
    claims = list(claim(found.severity, found.severity_source))
    for vendor, number in (found.vendor_severity or {}).items():
        # Trivy's own word is that of its source: it need not be said twice.
        named = _named(vendor) and (vendor in _ASKED or vendor != found.severity_source)
        if named and number is not None and 0 < number < len(_NUMBERS):
            claims += _claim(_NUMBERS[int(number)], vendor)
    for vendor, scores in (found.cvss or {}).items():
        if _named(vendor):
            claims += _cvss_claims(vendor, scores)
    return tuple(dict.fromkeys(claims))


def _claim(severity: str | None, source: str) -> tuple[SeverityClaim, ...]:
    level = _LEVELS.get((severity or "").upper())
    return (SeverityClaim(source, level, _SCANNER),) if level else ()


def _named(vendor: str) -> bool:
    return _VENDOR.fullmatch(vendor) is not None and vendor not in _TAKEN


def _cvss_claims(vendor: str, said: report.Cvss) -> Iterator[SeverityClaim]:
    """A claim for each vector: those of OSV by CVSS version, as all of v2, others by the vendor."""
    for version, vector, score in (
        ("cvss4", said.v40_vector, said.v40_score),
        ("cvss3.1", said.v3_vector, said.v3_score),
        (_V2, said.v2_vector, said.v2_score),
    ):
        rated = _rated(version, vector or "", score)
        if rated is not None:
            source, severity, text = rated
            named = source if vendor in _OSV or source == _V2 else vendor
            yield SeverityClaim(named, severity, _SCANNER, text)


def _rated(version: str, vector: str, score: float | None) -> tuple[str, Severity, str] | None:
    """What a vector amounts to; where it cannot be read, what the score beside it stands for."""
    found = cvss.scored(vector)
    if found is not None:
        return found.source, found.severity, found.vector
    if not vector or score is None or not math.isfinite(score) or len(vector) > _LONGEST:
        return None
    severity = cvss.level(score, version)
    return severity and (version, severity, one_line(vector))
