"""The ordered words of the vocabulary: severities, statuses, actions; `model` hands them on."""

import enum
from typing import Final


class _Word(enum.Enum):
    """An enum that is hashed by identity, which is what its members are: Enum's own is slow."""

    __hash__ = object.__hash__


class Severity(_Word):
    """How bad a finding is. UNKNOWN means that nobody has said, not that it is low."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def order(self) -> int:
        """Place in a list sorted worst first; unknown stands after high, for it may be that."""
        return _SEVERITY_ORDER[self]

    def at_least(self, other: "Severity") -> bool:
        """Whether this is as bad as `other` or worse. ValueError where either is UNKNOWN."""
        if Severity.UNKNOWN in (self, other):
            raise ValueError("an unknown severity has no rank: replace it before comparing")
        return self.order <= other.order

    def lowered(self) -> "Severity":
        """One level less; info and unknown stay."""
        return _ONE_LOWER.get(self, self)


_SEVERITY_ORDER: Final = {
    Severity.CRITICAL: 0,
    Severity.HIGH: 1,
    Severity.UNKNOWN: 2,
    Severity.MEDIUM: 3,
    Severity.LOW: 4,
    Severity.INFO: 5,
}
_ONE_LOWER: Final = {
    Severity.CRITICAL: Severity.HIGH,
    Severity.HIGH: Severity.MEDIUM,
    Severity.MEDIUM: Severity.LOW,
    Severity.LOW: Severity.INFO,
}


class Confidence(_Word):
    """How sure the scanner is, apart from how bad it would be."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"

    @property
    def order(self) -> int:
        """0 is the surest; unknown counts as sure, for a scanner that gives none means it."""
        return _CONFIDENCE_ORDER[self]


_CONFIDENCE_ORDER: Final = {
    Confidence.HIGH: 0,
    Confidence.UNKNOWN: 0,
    Confidence.MEDIUM: 1,
    Confidence.LOW: 2,
}


class Category(_Word):
    """What kind of weakness a finding is."""

    VULNERABILITY = "vulnerability"
    CODE = "code"
    SECRET = "secret"
    LICENSE = "license"
    MISCONFIGURATION = "misconfiguration"


class Status(_Word):
    """How one run of one scanner went. Only OK and NOT_APPLICABLE are without a gap."""

    OK = "ok"
    DEGRADED = "degraded"
    EMPTY = "empty"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MISSING = "missing"
    NOT_APPLICABLE = "not_applicable"


class Scope(_Word):
    """What a package is needed for. What cannot be told is RUNTIME."""

    RUNTIME = "runtime"
    DEV = "dev"


class Action(_Word):
    """What the policy does about one finding."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"
    WAIVED = "waived"

    @property
    def order(self) -> int:
        """Place in a list sorted most urgent first."""
        return list(Action).index(self)


class Outcome(_Word):
    """What the policy says of the whole run."""

    PASS = "pass"
    BLOCKED = "blocked"
    INCOMPLETE = "incomplete"


class LicenseVerdict(_Word):
    """allow < review < unknown < deny: OR takes the least, AND the greatest."""

    ALLOW = "allow"
    REVIEW = "review"
    UNKNOWN = "unknown"
    DENY = "deny"

    @property
    def order(self) -> int:
        """0 for allow up to 3 for deny."""
        return list(LicenseVerdict).index(self)


class Step(_Word):
    """How far an upgrade goes, by the first part of the version (PEP 440) that differs."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


class Change(_Word):
    """How a finding stands to the base, in SARIF's words for `baselineState`."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Origin(_Word):
    """Where a finding comes from: this change, an advisory newer than the dependency, or before."""

    INTRODUCED = "introduced"
    DISCLOSED = "disclosed"
    EXISTING = "existing"


class WaiverState(_Word):
    """Why a finding is waived, in OpenVEX's words and two of our own."""

    NOT_AFFECTED = "not_affected"
    FALSE_POSITIVE = "false_positive"
    RISK_ACCEPTED = "risk_accepted"
    FIX_PLANNED = "fix_planned"
