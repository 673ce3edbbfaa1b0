"""The one severity of a finding, decided once, with everything that was said about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Finding,
    LicenseVerdict,
    Severity,
    SeverityClaim,
    label_and_score,
)
from scanagg.policy.schema import SeveritySection

# First that answers wins. Not the worst of all: one inflated source would decide everything.
# CVSS v2 stands last, for it rates most things a level higher than its successors do.
_FIRST: Final = ("policy",)
_LAST: Final = ("cvss2", "table")
_WORDS: Final = {
    "ghsa": ("ghsa",),
    "osv-cvss": ("cvss4", "cvss3.1", "cvss3.0"),
    "tool": ("tool",),
    "nvd": ("nvd",),
}
_ORDER: Final = {severity: severity.order for severity in Severity}

_PLACES: Final = {
    name: place
    for place, name in enumerate((*_FIRST, *(n for w in _WORDS.values() for n in w), *_LAST))
}
_new: Final = tuple.__new__  # makes a named tuple in half the time
_SAID: Final = attrgetter("source", "severity")
_BANDIT: Final = "bandit"
_OURS: Final = "scanagg"


def _table(severity: Severity) -> tuple[SeverityClaim, ...]:
    return (SeverityClaim("table", severity, _OURS),)


# Looked up once: members of an enum are slow to reach.
_VULNERABILITY: Final = Category.VULNERABILITY
_SECRET_CATEGORY: Final = Category.SECRET
_LICENSE_CATEGORY: Final = Category.LICENSE
_UNKNOWN: Final = Severity.UNKNOWN


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


class _Weighed(NamedTuple):
    """What claims with these sources and severities amount to; `order` puts them in order."""

    severity: Severity
    note: str
    order: Callable[[tuple[SeverityClaim, ...]], tuple[SeverityClaim, ...]]


@dataclass(slots=True)
class Scale:
    """How a policy weighs what is said of a severity.

    `places` ranks the sources that are asked about a vulnerability; one that is not in it is not
    asked, and stays on record. `unsure` are the confidences that lower bandit's severity.
    """

    places: Mapping[str, int]
    unsure: tuple[Confidence, ...]
    _known: dict[tuple[tuple[str, Severity], ...], _Weighed] = field(default_factory=dict)

    def rate(self, finding: Finding, verdict: LicenseVerdict | None) -> Rated:
        """The severity before overrides."""
        category = finding.category
        if category is _VULNERABILITY:
            return self._vulnerability(finding.claims, finding.advisory)
        if category is _SECRET_CATEGORY:
            return _secret(finding.claims)
        if category is _LICENSE_CATEGORY:
            return _first(_LICENSE[verdict or LicenseVerdict.UNKNOWN])
        rated = _first(finding.claims)
        return _lowered(rated, finding.confidence) if finding.confidence in self.unsure else rated

    def _vulnerability(self, claims: tuple[SeverityClaim, ...], advisory: Advisory | None) -> Rated:
        if advisory and advisory.withdrawn:
            sources = (*_WITHDRAWN, *_first(claims, self.places).sources)
            return Rated(Severity.INFO, sources, "the advisory was withdrawn")
        if advisory and advisory.malicious:
            sources = (*_MALICIOUS, *_first(claims, self.places).sources)
            return Rated(Severity.CRITICAL, sources, "the package is malicious")
        if len(claims) < 2:
            return _first(claims, self.places)
        said = tuple(map(_SAID, claims))
        found = self._known.get(said)
        if found is None:
            found = self._known[said] = self._weighed(claims)
        return _new(Rated, (found.severity, found.order(claims), found.note))

    def _weighed(self, claims: tuple[SeverityClaim, ...]) -> _Weighed:
        rated = _first(claims, self.places)
        # Without scanner and vector, which others that say the same may not share.
        ranks = [_rank(claim, self.places)[:4] for claim in claims]
        if len(set(ranks)) < len(ranks):
            return _Weighed(
                rated.severity, _disagreement(rated.sources), partial(_ordered, places=self.places)
            )
        order = itemgetter(*sorted(range(len(ranks)), key=ranks.__getitem__))
        return _Weighed(rated.severity, _disagreement(rated.sources), order)


def scale_of(section: SeveritySection) -> Scale:
    """The scale that a policy's section describes."""
    asked = [name for word in section.sources for name in _WORDS[word]]
    names = dict.fromkeys((*_FIRST, *asked, *_LAST))
    least = Confidence(section.bandit.min_confidence)
    unsure = tuple(each for each in Confidence if each.order > least.order)
    return Scale({name: place for place, name in enumerate(names)}, unsure)


def overridden(rated: Rated, severity: Severity, reason: str) -> Rated:
    """The severity that the policy sets in place of the decided one."""
    sources = (SeverityClaim("policy", severity, _OURS), *rated.sources)
    notes = (f"the policy sets {severity.value}: {reason}", rated.note)
    return Rated(severity, sources, "; ".join(note for note in notes if note))


def _disagreement(sources: tuple[SeverityClaim, ...]) -> str:
    levels = label_and_score(sources)
    return f"GitHub says {levels[0].value}, CVSS says {levels[1].value}" if levels else ""


def _secret(claims: tuple[SeverityClaim, ...]) -> Rated:
    """A secret scanner's own word, else the table; bandit only guesses from a variable's name."""
    if not claims:
        return Rated(_SECRET[0].severity, _SECRET)
    rated = _first(tuple(claim for claim in claims if claim.scanner != _BANDIT))
    guesses = tuple(claim for claim in claims if claim.scanner == _BANDIT)
    if rated.severity is Severity.UNKNOWN:
        return Rated(_SECRET[0].severity, (*_SECRET, *rated.sources, *guesses))
    return Rated(rated.severity, (*rated.sources, *guesses))


def _first(claims: tuple[SeverityClaim, ...], places: Mapping[str, int] | None = None) -> Rated:
    """The word of the first source that has one; of two words of one source the worse."""
    places = _PLACES if places is None else places
    if len(claims) > 1:
        claims = _ordered(claims, places)
    if claims and claims[0].source in places:
        return _new(Rated, (claims[0].severity, claims, ""))
    return Rated(Severity.UNKNOWN, claims)


def _ordered(
    claims: tuple[SeverityClaim, ...], places: Mapping[str, int]
) -> tuple[SeverityClaim, ...]:
    """The claims as they are believed, whatever order they come in."""
    return tuple(sorted(claims, key=lambda claim: _rank(claim, places)))


def _rank(
    claim: SeverityClaim, places: Mapping[str, int]
) -> tuple[bool, bool, int, int, str, str, str]:
    """How late a claim is asked; the last three only so that no two orders are possible."""
    place = places.get(claim.source, len(places))
    silent = claim.severity is _UNKNOWN
    last = (_ORDER[claim.severity], claim.scanner, claim.source, claim.vector or "")
    return claim.source not in places, silent, place, *last


def _lowered(rated: Rated, confidence: Confidence) -> Rated:
    """Bandit's severity one level down, where it is less sure than the policy asks for."""
    if not rated.sources or rated.sources[0].scanner != _BANDIT:
        return rated
    lower = rated.severity.lowered()
    if lower is rated.severity:
        return rated
    note = f"{confidence.value} confidence: one level down from {rated.severity.value}"
    return Rated(lower, (SeverityClaim("policy", lower, _OURS), *rated.sources), note)
