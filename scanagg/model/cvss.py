"""Compute the score and severity of CVSS vectors."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.model.advisories import SeverityClaim
from scanagg.model.enums import Severity

# With all metrics, a vector of CVSS 4.0 has about 230 characters.
_LONGEST: Final = 512
_CACHED: Final = 1 << 12
_VECTOR: Final = re.compile(r"\(?(?:CVSS:(\d\.\d)/|CVSS2#)?((?:[A-Z]+:[A-Z]+/)*[A-Z]+:[A-Z]+)/?\)?")
_V2: Final = "cvss2"
_V4: Final = "cvss4"
_SOURCES: Final = {"4.0": _V4, "3.1": "cvss3.1", "3.0": "cvss3.0", "2.0": _V2, None: _V2}
# The two spellings that are not all upper case: Au of v2, and the provider's urgency of v4.
_AUTHENTICATION: Final = re.compile(r"\bAU:")
_URGENCY: Final = re.compile(r"\bU:(CLEAR|GREEN|AMBER|RED)\b")
# The lowest score of each severity, by the qualitative severity rating scale of CVSS v3.0, v3.1 and
# v4.0. NVD's scale for v2 has no critical. A score of 0.0 is info in either. Sources: "Qualitative
# Severity Rating Scale" in https://www.first.org/cvss/v3-1/specification-document and
# https://www.first.org/cvss/v4-0/specification-document; https://nvd.nist.gov/vuln-metrics/cvss
_BANDS: Final = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
    (0.0, Severity.INFO),
)
_HIGHEST: Final = 10.0


class Score(NamedTuple):
    """The score of a vector, from 0 to 10, with its severity.

    `source` is the version, as in `SeverityClaim`, `vector` the text as the specification writes
    it.
    """

    source: str
    value: float
    severity: Severity
    vector: str


def claim(vector: str, scanner: str) -> SeverityClaim | None:
    """Return the claim of a vector from a scanner; None for an invalid vector."""
    score = scored(vector)
    return score and SeverityClaim(score.source, score.severity, scanner, score.vector)


def scored(vector: str) -> Score | None:
    """Return the base score of a vector; None for an invalid vector or an unknown version.

    The prefix gives the version; v2 has none, `CVSS2#` or `CVSS:2.0/`. Lower case, a slash at the
    end, and brackets or white space around the vector are accepted. A missing, repeated or unknown
    metric makes the vector invalid.

    Temporal and environmental metrics count only in v4 (CVSS-BT, CVSS-BE, CVSS-BTE), since its
    formula has no base score without them: "Nomenclature" in
    https://www.first.org/cvss/v4-0/specification-document.
    """
    return _scored(vector) if len(vector) <= _LONGEST and vector.isascii() else None


@lru_cache(_CACHED)
def _scored(vector: str) -> Score | None:
    match = _VECTOR.fullmatch(vector.strip().upper())
    source = _SOURCES.get(match[1]) if match else None
    if match is None or source is None:
        return None
    # Imported here: it is slow to import, and most runs have no vector.
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError  # noqa: PLC0415

    text = f"CVSS:{match[1]}/{match[2]}"
    try:
        if source == _V2:
            text = _AUTHENTICATION.sub("Au:", match[2])
            value = float(CVSS2(text).base_score)
        elif source == _V4:
            text = _URGENCY.sub(lambda urgency: f"U:{urgency[1].capitalize()}", text)
            value = float(CVSS4(text).base_score)
        else:
            value = float(CVSS3(text).base_score)
    except CVSSError:
        return None
    severity = level(value, source)
    return None if severity is None else Score(source, value, severity, text)


def level(score: float, source: str) -> Severity | None:
    """Return the severity of a score; None for a score outside of 0 to 10.

    `source` is the version, as in `SeverityClaim`: cvss2 has a scale of its own.
    """
    if not 0 <= score <= _HIGHEST:
        return None
    severity = next(severity for least, severity in _BANDS if score >= least)
    return Severity.HIGH if source == _V2 and severity is Severity.CRITICAL else severity
