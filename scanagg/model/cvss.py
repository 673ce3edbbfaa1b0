"""A CVSS vector becomes a score and a severity, by what it says itself, whoever passes it on."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.model.advisories import SeverityClaim
from scanagg.model.enums import Severity

# With every metric that there is, a vector of CVSS 4.0 has about 230 characters.
_LONGEST: Final = 512
_KNOWN: Final = 1 << 12
_VECTOR: Final = re.compile(r"\(?(?:CVSS:(\d\.\d)/|CVSS2#)?((?:[A-Z]+:[A-Z]+/)*[A-Z]+:[A-Z]+)/?\)?")
_SOURCES: Final = {
    "4.0": "cvss4",
    "3.1": "cvss3.1",
    "3.0": "cvss3.0",
    "2.0": "cvss2",
    None: "cvss2",
}
# The two spellings that are not all upper case: Au of v2, and how urgent a provider finds it of v4.
_AUTHENTICATION: Final = re.compile(r"\bAU:")
_URGENCY: Final = re.compile(r"\bU:(CLEAR|GREEN|AMBER|RED)\b")
_V2: Final = "cvss2"
_V4: Final = "cvss4"
# From which score on: the qualitative severity rating scale of CVSS v3.0, v3.1 and v4.0, and the
# one that NVD has for v2, which knows no critical. Nothing at all (0.0) is info in either.
# Sources: "Qualitative Severity Rating Scale" in
# https://www.first.org/cvss/v3-1/specification-document and
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
    """What a vector amounts to: `value` is 0 to 10.

    `source` is its version in the words of `SeverityClaim`, `vector` the text as its specification
    writes it.
    """

    source: str
    value: float
    severity: Severity
    vector: str


def claim(vector: str, scanner: str) -> SeverityClaim | None:
    """What a vector says of the severity, passed on by `scanner`; None for what is no vector."""
    found = scored(vector)
    return found and SeverityClaim(found.source, found.severity, scanner, found.vector)


def scored(vector: str) -> Score | None:
    """The base score of a vector; None for what is none, or is of a version nobody knows.

    Its own prefix tells the version; one without a prefix is v2, and so is one that begins with
    `CVSS2#` or `CVSS:2.0/`. What cannot be mistaken is put right: lower case, one slash too many at
    the end, brackets or white space around it. Nothing else is: a metric that is missing, doubled
    or not known makes it no vector.

    Where a vector of v2 or v3 has temporal and environmental metrics too, these do not count. Of v4
    they do (CVSS-BT, CVSS-BE, CVSS-BTE), for its formula has no base score apart from them:
    "Nomenclature" in https://www.first.org/cvss/v4-0/specification-document.
    """
    return _scored(vector) if len(vector) <= _LONGEST and vector.isascii() else None


@lru_cache(_KNOWN)
def _scored(vector: str) -> Score | None:
    match = _VECTOR.fullmatch(vector.strip().upper())
    source = _SOURCES.get(match[1]) if match else None
    if match is None or source is None:
        return None
    metrics = match[2]
    if source == _V2:
        text = _AUTHENTICATION.sub("Au:", metrics)
    else:
        text = f"CVSS:{match[1]}/{metrics}"
        if source == _V4:
            text = _URGENCY.sub(lambda urgency: f"U:{urgency[1].capitalize()}", text)
    value = _base(source, text)
    severity = None if value is None else level(value, source)
    return None if value is None or severity is None else Score(source, value, severity, text)


def level(score: float, source: str) -> Severity | None:
    """The severity that a score stands for; None where it is not from 0 to 10.

    `source` tells the version, by the words of `SeverityClaim`: cvss2 has a scale of its own.
    """
    if not 0 <= score <= _HIGHEST:
        return None
    found = next(severity for least, severity in _BANDS if score >= least)
    return Severity.HIGH if source == _V2 and found is Severity.CRITICAL else found


def _base(source: str, vector: str) -> float | None:
    # Imported here: most runs meet no vector, and it takes as long to load as our whole model.
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError  # noqa: PLC0415

    kind = {_V2: CVSS2, _V4: CVSS4}.get(source, CVSS3)
    try:
        return float(kind(vector).base_score)
    except CVSSError:
        return None
