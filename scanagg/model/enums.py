"""The enums of the vocabulary: severities, statuses, actions."""

import enum
from typing import Final


class _Word(enum.Enum):
    """An enum hashed by identity. Enum's own hash makes benchmarks/judging.py a tenth slower."""

    __hash__ = object.__hash__


class Severity(_Word):
    """The severity of a finding. UNKNOWN means that no source has one, not that it is low."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def order(self) -> int:
        """The place in a list, worst first. Unknown comes after high, since it may be that."""
        return _WORST_FIRST.index(self)

    def at_least(self, other: "Severity") -> bool:
        """Return True where this is as bad as `other` or worse. ValueError for UNKNOWN."""
        if Severity.UNKNOWN in (self, other):
            raise ValueError("an unknown severity has no rank: replace it before comparing")
        return self.order <= other.order

    def lowered(self) -> "Severity":
        """Return the next lower level; info and unknown stay."""
        if self in (Severity.INFO, Severity.UNKNOWN):
            return self
        return LEVELS[LEVELS.index(self) + 1]


LEVELS: Final = tuple(one for one in Severity if one is not Severity.UNKNOWN)
"""The known severities, the worst first."""

_WORST_FIRST: Final = (*LEVELS[:2], Severity.UNKNOWN, *LEVELS[2:])


class Confidence(_Word):
    """The confidence that a finding is real, apart from its severity.

    Scanners of code have a high, medium or low one. A secret is likely, possible or unlikely.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    UNKNOWN = "unknown"

    @property
    def order(self) -> int:
        """0 for the highest. Unknown counts as high: a scanner without confidences is sure."""
        return 0 if self is Confidence.UNKNOWN else list(Confidence).index(self) % 3


class PathKind(_Word):
    """The kind of file that a path suggests."""

    PRODUCTION = "production"
    TESTS = "tests"
    DOCS = "docs"
    EXAMPLES = "examples"
    VENDORED = "vendored"
    GENERATED = "generated"


class Category(_Word):
    """The kind of weakness."""

    VULNERABILITY = "vulnerability"
    CODE = "code"
    SECRET = "secret"
    LICENSE = "license"
    MISCONFIGURATION = "misconfiguration"


class Status(_Word):
    """The status of one run of one scanner. Only OK and NOT_APPLICABLE have no gap."""

    OK = "ok"
    DEGRADED = "degraded"
    EMPTY = "empty"
    FAILED = "failed"
    TIMEOUT = "timeout"
    MISSING = "missing"
    SKIPPED = "skipped"
    NOT_APPLICABLE = "not_applicable"


class Scope(_Word):
    """The use of a package; RUNTIME where it is not known."""

    RUNTIME = "runtime"
    DEV = "dev"


class Action(_Word):
    """The policy's action for one finding."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"
    WAIVED = "waived"

    @property
    def order(self) -> int:
        """The place in a list, most urgent first."""
        return list(Action).index(self)


class Outcome(_Word):
    """The policy's verdict on the whole run."""

    PASS = "pass"
    BLOCKED = "blocked"
    INCOMPLETE = "incomplete"


class LicenseVerdict(_Word):
    """The verdict on a licence: allow < review < unknown < deny. OR takes the least of two."""

    ALLOW = "allow"
    REVIEW = "review"
    UNKNOWN = "unknown"
    DENY = "deny"

    @property
    def order(self) -> int:
        """0 for allow up to 3 for deny."""
        return list(LicenseVerdict).index(self)


class Step(_Word):
    """The size of an upgrade, by the first part of the version (PEP 440) that differs."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


class Change(_Word):
    """A finding compared with the base, in SARIF's words for `baselineState`."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Origin(_Word):
    """The origin of a finding: this change, an advisory newer than the dependency, or before."""

    INTRODUCED = "introduced"
    DISCLOSED = "disclosed"
    EXISTING = "existing"


class WaiverState(_Word):
    """The state of a waiver, in OpenVEX's words and two of our own."""

    NOT_AFFECTED = "not_affected"
    FALSE_POSITIVE = "false_positive"
    RISK_ACCEPTED = "risk_accepted"
    FIX_PLANNED = "fix_planned"


class WaiverStatus(_Word):
    """The effect of a waiver in one run.

    An active waiver waives findings, an unused one matches none, and an expired one no longer has
    an effect.
    """

    ACTIVE = "active"
    UNUSED = "unused"
    EXPIRED = "expired"
