"""Observations, findings, verdicts and the report: the values that stages pass on."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from scanagg.model.advisories import (
    Advisory,
    DataSource,
    LicenseFacts,
    Rule,
    Secret,
    SeverityClaim,
)
from scanagg.model.enums import (
    Action,
    Category,
    Change,
    Confidence,
    LicenseVerdict,
    Origin,
    Outcome,
    PathKind,
    Severity,
    Status,
    Step,
    WaiverState,
    WaiverStatus,
)
from scanagg.model.paths import path_kind
from scanagg.model.project import (
    Constraint,
    Location,
    NotExamined,
    Package,
    Target,
    UnreadFiles,
)
from scanagg.model.reasons import Reason
from scanagg.model.scanners import ScannerInfo


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One record of one scanner, in our words. Its severity is not decided yet: see `claims`.

    A vulnerability has a package and an advisory, a licence a package and its facts. `in_source`
    names the comment or file of the project that hides it from the scanner's own report ("nosec").
    `confidence_reason` is set if we judged the confidence instead of the scanner.
    """

    scanner: str
    category: Category
    rule: Rule
    title: str
    message: str
    claims: tuple[SeverityClaim, ...] = ()
    confidence: Confidence = Confidence.UNKNOWN
    location: Location | None = None
    places: tuple[Location, ...] = ()
    package: Package | None = None
    advisory: Advisory | None = None
    license: LicenseFacts | None = None
    secret: Secret | None = None
    resource: str = ""
    in_source: str = ""
    confidence_reason: Reason | None = None

    def __post_init__(self) -> None:
        """Check the invariants of correlation. ValueError."""
        if self.category is Category.VULNERABILITY and not (self.package and self.advisory):
            raise ValueError("a vulnerability needs a package and an advisory")
        if self.category is Category.LICENSE and not (self.package and self.license):
            raise ValueError("a licence needs a package and what its metadata says")
        if self.location is None and self.package is None:
            raise ValueError("an observation needs a location or a package")

    @property
    def all_places(self) -> tuple[Location, ...]:
        """All places, with the location last."""
        return (*self.places, *filter(None, (self.location,)))


class Coverage(msgspec.Struct, frozen=True):
    """The inputs of a scanner, and those it examined. `unit` is plural: "packages", "files"."""

    unit: str
    found: int = 0
    examined: int = 0
    not_examined: tuple[NotExamined, ...] = ()

    def __post_init__(self) -> None:
        """Refuse more examined inputs than found ones. ValueError."""
        if not 0 <= self.examined <= self.found:
            raise ValueError(f"examined {self.examined} of {self.found} {self.unit}")

    @property
    def gaps(self) -> tuple[NotExamined, ...]:
        """The inputs that should have been examined and were not."""
        return tuple(gap for gap in self.not_examined if not gap.on_purpose)

    @property
    def wanted(self) -> int:
        """The number of inputs, without those that were left out on purpose."""
        return self.found - sum(gap.on_purpose for gap in self.not_examined)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one scanner. `argv` has no path of this machine. Times are UTC.

    `hidden` counts what the project's own files hide from the scanner, by kind ("nosec").
    """

    scanner: str
    version: str | None
    status: Status
    detail: Reason | None = None
    coverage: Coverage
    argv: tuple[str, ...] = ()
    started: datetime
    seconds: float = 0.0
    data: DataSource | None = None
    hidden: Mapping[str, int] = msgspec.field(default_factory=dict)
    notices: tuple[Reason, ...] = ()


class Witness(msgspec.Struct, frozen=True):
    """One record of one scanner behind a finding, with the severity by that scanner."""

    scanner: str
    rule: str
    severity: Severity


class Parts(NamedTuple):
    """The parts of a fingerprint: no line, severity, wording or scanner; hashes, never text.

    Findings with equal parts are numbered. `path` is relative to the repository; for a
    vulnerability or a licence it is the package's purl without version. `code` is a hash of the
    expression, of the name of a secret, or of the resource, with a keyed digest of a secret in it.
    What a scanner for code takes for a password has the category and the rule of a secret.
    """

    category: str
    rule: str
    path: str
    qualname: str
    code: str


SOME: Final = "some"
"""The evidence of a secret whose digest is not known."""


class Anchor(msgspec.Struct, frozen=True):
    """What identifies a finding at one of its places.

    `line` is that of the `place`, 0 where it is not known, and `snippet` its text, masked.
    `statement` is a hash of the whole statement, `inputs` one of
    what the names in the expression mean, and `origins` one of where they come from. They are ""
    where these are not known. `former` are the parts by
    which a baseline of version 1 knows the finding.

    `evidence` is a digest of the secret there, to see that a value changed. `unmasked` is the hash
    that code has where no secret in it is known. Both stay in memory, and are never written: a
    report says only that there is a secret, and `evidence` of such an anchor is `SOME`.
    """

    parts: Parts
    line: int = 0
    statement: str = ""
    inputs: str = ""
    origins: str = ""
    evidence: str = ""
    unmasked: str = ""
    former: tuple[Parts, ...] = ()
    place: Location | None = None
    snippet: str | None = None

    @property
    def is_secret(self) -> bool:
        """True for a secret, and for what may be one."""
        return self.parts.category == Category.SECRET.value


class History(msgspec.Struct, frozen=True):
    """A finding compared with the base, with the reason for the result.

    `disclosed` is True for a vulnerability that was published after the base, in a package that is
    not new. `first_seen` is when the finding came into the baseline (UTC), None if not known.
    """

    change: Change
    reason: Reason
    disclosed: bool = False
    first_seen: datetime | None = None


PlaceHistory = tuple[Sequence[Location], History]
"""Some places of a finding, with the result of their comparison."""

NO_BASE: Final = History(Change.NEW, Reason("no-base"))
"""The history of every finding where there is no base."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One weakness with all its witnesses.

    `id` is the start of `fingerprint`, which is made of the parts of the first of its `anchors`.
    `snippet` is the line of code, masked where it has a secret, `line_hash` GitHub's hash of it.
    A finding without a location is in no file of the target. `in_source` is set where all witnesses
    are hidden. `confidence_reason` explains the confidence of a secret, and that of a finding in
    code if we judged it instead of the scanner.
    """

    id: str
    fingerprint: str
    category: Category
    rule: Rule
    title: str
    message: str
    claims: tuple[SeverityClaim, ...]
    confidence: Confidence
    location: Location | None
    places: tuple[Location, ...]
    witnesses: tuple[Witness, ...]
    snippet: str | None = None
    line_hash: str | None = None
    package: Package | None = None
    advisory: Advisory | None = None
    license: LicenseFacts | None = None
    resource: str = ""
    anchors: tuple[Anchor, ...] = ()
    in_source: str = ""
    history: History = NO_BASE
    confidence_reason: Reason | None = None

    @property
    def parts(self) -> Parts | None:
        """The parts of the fingerprint; None for a finding that no later check can recognise."""
        return self.anchors[0].parts if self.anchors else None

    @property
    def path(self) -> str:
        """The path of the file, "" where the finding is in no file of the target."""
        return self.location.path if self.location else ""

    @property
    def path_kind(self) -> PathKind | None:
        """The kind of the file; None where the finding is in no file of the target."""
        return path_kind(self.location.path) if self.location else None

    @property
    def scanners(self) -> tuple[str, ...]:
        """The scanners that reported it, each once, in the witnesses' order."""
        return tuple(dict.fromkeys(witness.scanner for witness in self.witnesses))


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a waiver list: selectors of findings, with state, reason, owner and expiry.

    All selectors must match; of `ids` any one, through aliases. `versions` is a PEP 440 specifier.
    `expires` is the last valid day, UTC. `place` is `file:line`.
    """

    state: WaiverState
    reason: str
    owner: str
    expires: date
    place: str
    ids: tuple[str, ...] = ()
    purl: str | None = None
    versions: str | None = None
    path: str | None = None
    fingerprint: str | None = None
    until_fixed: bool = False


class VoidWaiver(msgspec.Struct, frozen=True):
    """A waiver that matches a finding but has no effect, with the reason."""

    waiver: Waiver
    reason: Reason


class WaiverUse(msgspec.Struct, frozen=True):
    """A waiver with the number of findings that it waives.

    `days_left` counts the whole days after today. It is negative once the waiver has expired.
    """

    waiver: Waiver
    status: WaiverStatus
    matched: int
    days_left: int


class Verdict(msgspec.Struct, frozen=True):
    """The action for one finding, the id of the deciding rule (`default` for none), the reasons.

    The rule of a waived finding is the one that would have applied.
    """

    action: Action
    rule: str
    reasons: tuple[Reason, ...] = ()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with the one severity and the one verdict that every report shows.

    `license_expression` is canonical SPDX, or the text of the metadata where that is not SPDX;
    `license_term` is the deciding part of it. `deadline` is when a warning in its grace time begins
    to block (UTC). `void_waivers` match, but have no effect.
    """

    finding: Finding
    severity: Severity
    severity_sources: tuple[SeverityClaim, ...]
    verdict: Verdict
    origin: Origin = Origin.INTRODUCED
    waiver: Waiver | None = None
    void_waivers: tuple[VoidWaiver, ...] = ()
    deadline: datetime | None = None
    license_expression: str | None = None
    license_verdict: LicenseVerdict | None = None
    license_term: str | None = None


class Licensed(msgspec.Struct, frozen=True):
    """A package with its judged licence, for the list of all packages.

    `source` is the metadata field, or the policy's entry, that decided; empty without one.
    """

    package: Package
    facts: LicenseFacts
    verdict: LicenseVerdict
    expression: str
    term: str
    source: str
    history: History = NO_BASE


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """The advice for one version of a package that has vulnerabilities.

    `to` is the lowest version with the fewest known vulnerabilities; None where no known version is
    better. `to_unblock` is the lowest without those that block, where that is another one. `clears`
    and `stays` are the vulnerabilities (`Rule.id`) that `to` does not have, and those that it has;
    `unblocks` are those of `clears` that block now. `allowed` is True where all known constraints
    allow `to`, None where none is known; `hindered_by` are those that do not. `change` names the
    direct requirements to change, or to lock again. `checked` is True where `to` was looked up in
    the advisory store, not only in the fixed versions of scanners.
    """

    package: Package
    to: str | None
    step: Step | None = None
    to_unblock: str | None = None
    clears: tuple[str, ...] = ()
    unblocks: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    allowed: bool | None = None
    hindered_by: tuple[Constraint, ...] = ()
    change: tuple[str, ...] = ()
    checked: bool = False


class Gate(msgspec.Struct, frozen=True):
    """The outcome of the run. `reasons` explain it, worst first.

    `notices`, which change nothing, include those of earlier stages. `attempts` are those of the
    change to loosen its own gate, where the policy comes from a trusted commit: a looser policy, a
    new waiver, a larger baseline, a file that hides findings.

    `gaps` are the reasons that name something not examined. The JSON report does not have them.
    """

    outcome: Outcome
    exit_code: int
    reasons: tuple[Reason, ...] = ()
    notices: tuple[Reason, ...] = ()
    attempts: tuple[Reason, ...] = ()
    gaps: tuple[Reason, ...] = ()


class Terms(msgspec.Struct, frozen=True):
    """The terms of a check that stay when another policy judges it.

    `only` are the scanners that the command line asked for, if any; `problems` are gaps that belong
    to no scanner; `notices` are those of the stages before the policy. `unread` are manifests that
    nothing read, and `unlocked` the number of requirements without a lock that were resolved: the
    policy decides if they are gaps. `identity` is the version of fingerprints and anchors, and
    `key` the id of the project's key, "" without one.
    """

    only: tuple[str, ...] = ()
    problems: tuple[Reason, ...] = ()
    notices: tuple[Reason, ...] = ()
    unread: tuple[UnreadFiles, ...] = ()
    unlocked: int = 0
    identity: str = ""
    key: str = ""


class PolicyInfo(msgspec.Struct, frozen=True):
    """The policy that judged: name, source, sha256 of its text, and block or warn.

    `files` are its further files (parents, waivers) with their sha256; `ref` is the commit it was
    read from, None for the work tree.
    """

    name: str
    source: str
    digest: str
    enforcement: str
    files: tuple[tuple[str, str], ...] = ()
    ref: str | None = None


class BaseInfo(msgspec.Struct, frozen=True):
    """The base of the comparison: a commit, a baseline file, or both.

    `commit` is the merge base with `ref`, a branch or what --base names, and `time` its time (UTC).
    `baseline` is the path of the baseline file, `entries` its size.
    """

    commit: str | None = None
    ref: str = ""
    time: datetime | None = None
    baseline: str | None = None
    entries: int = 0


CLOCK_DRIFT: Final = timedelta(days=1)
"""The limit for dates in the future: clocks drift, and a date without an hour is a whole day."""


class Clock(msgspec.Struct, frozen=True):
    """The time that the run was judged by (UTC). `given` is True where --now set it."""

    now: datetime
    given: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the formats show. Findings are sorted, the most urgent and worst first.

    `licenses` are all packages with a judged licence, allowed ones too. `packages` are those of the
    inventory, `data` the contents of the advisory store, `upgrades` the advice for vulnerable
    packages, the one that clears most first. `scanners` describes the scanners by name, as this
    version of scanagg knows them; a run may be of one that it does not know.
    """

    version: str
    target: Target
    policy: PolicyInfo
    clock: Clock
    runs: tuple[Run, ...]
    findings: tuple[Judged, ...]
    gate: Gate
    base: BaseInfo | None = None
    waivers: tuple[WaiverUse, ...] = ()
    licenses: tuple[Licensed, ...] = ()
    terms: Terms = Terms()
    packages: tuple[Package, ...] = ()
    data: tuple[DataSource, ...] = ()
    upgrades: tuple[Upgrade, ...] = ()
    scanners: Mapping[str, ScannerInfo] = msgspec.field(default_factory=dict)
