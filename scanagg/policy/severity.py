"""The one severity of a finding, decided once, with everything that was said about it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Finding,
    LicenseVerdict,
    Severity,
    SeverityClaim,
)

# First that answers wins. Not the worst of all: one inflated source would decide everything.
# CVSS v2 stands last, for it rates most things a level higher than its successors do.
_PRECEDENCE: Final = {
    "policy": 0,
    "ghsa": 1,
    "cvss4": 2,
    "cvss3.1": 3,
    "cvss3.0": 4,
    "tool": 5,
    "nvd": 6,
    "cvss2": 7,
    "table": 8,
}
_CVSS: Final = ("cvss4", "cvss3.1", "cvss3.0")
_LADDER: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)
_FAR_APART: Final = 2
_ORDER: Final = {severity: severity.order for severity in Severity}

_BANDIT: Final = "bandit"
_OURS: Final = "scanagg"


def _table(severity: Severity) -> tuple[SeverityClaim, ...]:
    return (SeverityClaim("table", severity, _OURS),)


# What scanners give no severity to, from the policy language's own table.
_SECRET: Final = _table(Severity.HIGH)
_LICENSE: Final = {
    LicenseVerdict.DENY: _table(Severity.HIGH),
    LicenseVerdict.UNKNOWN: _table(Severity.MEDIUM),
    LicenseVerdict.REVIEW: _table(Severity.LOW),
    LicenseVerdict.ALLOW: _table(Severity.INFO),
}
_MALICIOUS: Final = _table(Severity.CRITICAL)
_WITHDRAWN: Final = _table(Severity.INFO)


class Rated(NamedTuple):
    """A severity, the claims behind it with the decisive one first, and a note for people."""

    severity: Severity
    sources: tuple[SeverityClaim, ...]
    note: str = ""


def below(least: Confidence) -> tuple[Confidence, ...]:
    """Every confidence that is less sure than `least`."""
    return tuple(each for each in Confidence if each.order > least.order)


def rate(finding: Finding, unsure: Sequence[Confidence], verdict: LicenseVerdict | None) -> Rated:
    """The severity before overrides. `unsure` are the confidences that lower bandit's (`below`)."""
    match finding.category:
        case Category.VULNERABILITY:
            return _vulnerability(finding.claims, finding.advisory)
        case Category.SECRET:
            return _secret(finding.claims)
        case Category.LICENSE:
            return _first(_LICENSE[verdict or LicenseVerdict.UNKNOWN])
        case _:
            return _lowered(_first(finding.claims), finding.confidence, unsure)


def overridden(rated: Rated, severity: Severity, reason: str) -> Rated:
    """The severity that the policy sets in place of the decided one."""
    sources = (SeverityClaim("policy", severity, _OURS), *rated.sources)
    notes = (f"the policy sets {severity.value}: {reason}", rated.note)
    return Rated(severity, sources, "; ".join(note for note in notes if note))


def _secret(claims: tuple[SeverityClaim, ...]) -> Rated:
    """A secret scanner's own word, else the table; bandit only guesses from a variable's name."""
    if not claims:
        return Rated(_SECRET[0].severity, _SECRET)
    rated = _first(tuple(claim for claim in claims if claim.scanner != _BANDIT))
    guesses = tuple(claim for claim in claims if claim.scanner == _BANDIT)
    if rated.severity is Severity.UNKNOWN:
        return Rated(_SECRET[0].severity, (*_SECRET, *rated.sources, *guesses))
    return Rated(rated.severity, (*rated.sources, *guesses))


def _vulnerability(claims: tuple[SeverityClaim, ...], advisory: Advisory | None) -> Rated:
    if advisory and advisory.withdrawn:
        sources = (*_WITHDRAWN, *_first(claims).sources)
        return Rated(Severity.INFO, sources, "the advisory was withdrawn")
    if advisory and any(each.startswith("MAL-") for each in (advisory.id, *advisory.aliases)):
        sources = (*_MALICIOUS, *_first(claims).sources)
        return Rated(Severity.CRITICAL, sources, "the package is malicious")
    rated = _first(claims)
    return rated if len(claims) < 2 else Rated(rated.severity, rated.sources, _dispute(claims))


def _first(claims: tuple[SeverityClaim, ...]) -> Rated:
    """The word of the first source that has one; of two words of one source the worse."""
    if len(claims) == 1:
        return Rated(claims[0].severity, claims)
    ordered = tuple(sorted(claims, key=_rank))
    return Rated(ordered[0].severity if ordered else Severity.UNKNOWN, ordered)


def _rank(claim: SeverityClaim) -> tuple[object, ...]:
    silent = claim.severity is Severity.UNKNOWN
    place = _PRECEDENCE.get(claim.source, len(_PRECEDENCE))
    return silent, place, _ORDER[claim.severity], claim.scanner, claim.source, claim.vector or ""


def _dispute(claims: Sequence[SeverityClaim]) -> str:
    """What to say where GitHub's label and the CVSS score are two levels apart or more."""
    known = [claim for claim in sorted(claims, key=_rank) if claim.severity in _LADDER]
    label = next((claim.severity for claim in known if claim.source == "ghsa"), None)
    score = next((claim.severity for claim in known if claim.source in _CVSS), None)
    if label is None or score is None:
        return ""
    if abs(_LADDER.index(label) - _LADDER.index(score)) < _FAR_APART:
        return ""
    return f"GitHub says {label.value}, CVSS says {score.value}"


def _lowered(rated: Rated, confidence: Confidence, unsure: Sequence[Confidence]) -> Rated:
    """Bandit's severity one level down where it is less sure than the policy asks for."""
    if confidence not in unsure or not rated.sources or rated.sources[0].scanner != _BANDIT:
        return rated
    lower = rated.severity.lowered()
    if lower is rated.severity:
        return rated
    note = f"{confidence.value} confidence: one level down from {rated.severity.value}"
    return Rated(lower, (SeverityClaim("policy", lower, _OURS), *rated.sources), note)
