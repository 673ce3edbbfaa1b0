"""The severity of a finding, decided once, with all claims about it."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Finding,
    LicenseVerdict,
    Reason,
    Severity,
    SeverityClaim,
    disagreement,
)
from scanagg.policy.schema import BanditSeverity, SeveritySection
from scanagg.scanners.base import scanner_info, scanner_infos

# The words of `severity.sources`, with the sources of claims that each stands for. The first source
# with a severity counts, not the worst, because one inflated source would decide everything. CVSS
# v2 is last, because it rates most things a level higher than later versions.
_SOURCES: Final = {
    "ghsa": ("ghsa",),
    "osv-cvss": ("cvss4", "cvss3.1", "cvss3.0"),
    "tool": ("tool",),
    "nvd": ("nvd",),
}
_OURS: Final = "scanagg"

# The severity of findings for which scanners give none.
_LICENSES: Final = {
    LicenseVerdict.DENY: Severity.HIGH,
    LicenseVerdict.UNKNOWN: Severity.MEDIUM,
    LicenseVerdict.REVIEW: Severity.LOW,
    LicenseVerdict.ALLOW: Severity.INFO,
}
_SECRET: Final = Severity.HIGH
_Claims = tuple[SeverityClaim, ...]


class Rated(msgspec.Struct, frozen=True):
    """A severity, the claims behind it with the deciding one first, and the reasons for it."""

    severity: Severity
    sources: _Claims
    reasons: tuple[Reason, ...] = ()


class Scale:
    """The ranking of claims about a severity by a policy."""

    def __init__(self, section: SeveritySection) -> None:
        """Rank the sources. Claims of other sources stay on record."""
        self._all_places = _places(_SOURCES)
        self._places = _places(section.sources)
        infos = scanner_infos()
        self._guessers = {name for name, info in infos.items() if info.guessing_rules}
        # The confidences that lower a scanner's severity, by scanner, whose name is the key.
        self._unsure: dict[str, list[Confidence]] = {}
        for name in infos:
            entry = getattr(section, name, None)
            if isinstance(entry, BanditSeverity):
                least = Confidence(entry.min_confidence)
                self._unsure[name] = [
                    confidence for confidence in Confidence if confidence.order > least.order
                ]

    def rate(self, finding: Finding, verdict: LicenseVerdict | None) -> Rated:
        """Return the severity before overrides."""
        claims = finding.claims
        if finding.category is Category.VULNERABILITY:
            return self._vulnerability(_first(claims, self._places), finding.advisory)
        if finding.category is Category.SECRET:
            return self._secret(claims)
        if finding.category is Category.LICENSE:
            return _from_table(_LICENSES[verdict or LicenseVerdict.UNKNOWN])
        rated = _first(claims, self._all_places)
        # The severity drops if the confidence is lower than the policy requires.
        scanner = rated.sources[0].scanner if rated.sources else ""
        if finding.confidence not in self._unsure.get(scanner, ()):
            return rated
        lower, why = rated.severity.lowered(), finding.confidence_reason
        natural = scanner_info(scanner).natural_confidence.get(finding.rule.id)
        if why:  # the code around shows that it needs no action
            lower = max(lower, Severity.LOW, key=lambda level: level.order)
        if lower is rated.severity or (natural is finding.confidence and why is None):
            return rated
        confidence, severity = finding.confidence.value, rated.severity.value
        reason = Reason("low-confidence", {"confidence": confidence, "severity": severity})
        if why:
            reason = Reason(
                "judged-confidence", {"why": why, "severity": severity, "lower": lower.value}
            )
        return Rated(lower, (_claim("policy", lower), *rated.sources), (reason,))

    def _vulnerability(self, rated: Rated, advisory: Advisory | None) -> Rated:
        if advisory and advisory.withdrawn:
            return _from_table(Severity.INFO, rated.sources, Reason("withdrawn"))
        if advisory and advisory.malicious:
            return _from_table(Severity.CRITICAL, rated.sources, Reason("malicious"))
        reasons = disagreement(rated.sources)
        return replace(rated, reasons=reasons) if reasons else rated

    def _secret(self, claims: _Claims) -> Rated:
        """Return the severity by a secret scanner, else that of all secrets. Guesses come last."""
        guesses = tuple(claim for claim in claims if claim.scanner in self._guessers)
        rated = _first(tuple(claim for claim in claims if claim not in guesses), self._all_places)
        if rated.severity is Severity.UNKNOWN:
            return _from_table(_SECRET, (*rated.sources, *guesses))
        return Rated(rated.severity, (*rated.sources, *guesses))


def overridden(rated: Rated, severity: Severity, reason: str) -> Rated:
    """Return the severity that an override of the policy sets."""
    override = Reason("overridden", {"severity": severity.value, "why": reason})
    sources = (_claim("policy", severity), *rated.sources)
    return Rated(severity, sources, (override, *rated.reasons))


def _places(words: Iterable[str]) -> dict[str, int]:
    """Return the rank of each source that the policy names, and of our own."""
    names = ("policy", *(name for word in words for name in _SOURCES[word]), "cvss2", "table")
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _claim(source: str, severity: Severity) -> SeverityClaim:
    return SeverityClaim(source, severity, _OURS)


def _from_table(severity: Severity, claims: _Claims = (), *reasons: Reason) -> Rated:
    return Rated(severity, (_claim("table", severity), *claims), reasons)


def _first(claims: _Claims, places: dict[str, int]) -> Rated:
    """Return the severity of the first source that has one; of two by one source the worse."""

    def rank(claim: SeverityClaim) -> tuple[object, ...]:
        """Return a sort key. The last parts make the order unambiguous."""
        place = places.get(claim.source, len(places))
        is_unknown = claim.severity is Severity.UNKNOWN
        last = (claim.severity.order, claim.scanner, claim.source, claim.vector or "")
        return (claim.source not in places, is_unknown, place, *last)

    if len(claims) > 1:
        claims = tuple(sorted(claims, key=rank))
    if claims and claims[0].source in places:
        return Rated(claims[0].severity, claims)
    return Rated(Severity.UNKNOWN, claims)
