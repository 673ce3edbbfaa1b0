"""Observations, findings, verdicts and the report: the values that the stages hand on."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from scanagg.model.advisories import Advisory, DataSource, LicenseFacts, Rule, Secret, SeverityClaim
from scanagg.model.enums import (
    Action,
    Category,
    Change,
    Confidence,
    LicenseVerdict,
    Origin,
    Outcome,
    Severity,
    Status,
    WaiverState,
)
from scanagg.model.project import Location, NotExamined, Package, Target
from scanagg.model.upgrades import Upgrade


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one scanner said once, in our words, nothing lost. Severity is its claims, undecided.

    A vulnerability has a package and an advisory, a licence a package and its facts. `in_source`
    names the comment or file of the project that hides it from the scanner's own report ("nosec").
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

    def __post_init__(self) -> None:
        """Hold the invariants by which correlation works. ValueError with what is missing."""
        if self.category is Category.VULNERABILITY and not (self.package and self.advisory):
            raise ValueError("a vulnerability needs a package and an advisory")
        if self.category is Category.LICENSE and not (self.package and self.license):
            raise ValueError("a licence needs a package and what its metadata says")
        if self.location is None and self.package is None:
            raise ValueError("an observation needs a location or a package")


class Coverage(msgspec.Struct, frozen=True):
    """What a scanner was given and what it looked at. `unit` is plural: "packages", "files"."""

    unit: str
    found: int = 0
    examined: int = 0
    not_examined: tuple[NotExamined, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a coverage that claims more than there was. ValueError."""
        if not 0 <= self.examined <= self.found:
            raise ValueError(f"examined {self.examined} of {self.found} {self.unit}")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one scanner. `argv` holds no path of this machine. Times are UTC.

    `hidden` counts what the project's own files hide from the scanner, by kind ("nosec").
    """

    scanner: str
    version: str | None
    status: Status
    detail: str
    coverage: Coverage
    argv: tuple[str, ...] = ()
    started: datetime
    seconds: float = 0.0
    data: DataSource | None = None
    hidden: Mapping[str, int] = msgspec.field(default_factory=dict)
    notices: tuple[str, ...] = ()


class Witness(msgspec.Struct, frozen=True):
    """One record of one scanner behind a finding, with that scanner's own word on severity."""

    scanner: str
    rule: str
    severity: Severity


class Parts(NamedTuple):
    """What a fingerprint is made of: no line, severity, wording or scanner; hashes, never text.

    Findings with equal parts are told apart by their order. `path` is relative to the repository;
    for a vulnerability or a licence it is the package's purl without version.
    """

    category: str
    rule: str
    path: str
    qualname: str
    statement: str


class History(msgspec.Struct, frozen=True):
    """How a finding stands to the base, and why in words for people.

    `disclosed`: the package is no news, but nobody knew this of it before. `first_seen` is when
    this repository first had the finding on record (UTC), None where nothing tells.
    """

    change: Change
    reason: str
    disclosed: bool = False
    first_seen: datetime | None = None


NO_BASE: Final = History(Change.NEW, "there is no base to compare with")
"""The history of everything where neither a commit nor a baseline is there."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One weakness with all its witnesses.

    `id` is short for `fingerprint`, `parts` what that is made of. `snippet` is the line of code,
    masked where it holds a secret, `line_hash` GitHub's hash of it. `evidence` is a keyed digest of
    a statement with a secret in it, held in memory to see a changed value, and never written.
    Without a location no file of the target is to blame. `in_source` is set where all witnesses
    agree.
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
    parts: Parts | None = None
    evidence: str = ""
    in_source: str = ""
    history: History = NO_BASE

    @property
    def scanners(self) -> tuple[str, ...]:
        """Who saw it, each once, in the witnesses' order."""
        return tuple(dict.fromkeys(witness.scanner for witness in self.witnesses))


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a waiver list: which findings, in which state, why, whose, until when.

    All selectors that are given must match; of `ids` any one, through aliases. `versions` is a PEP
    440 specifier. `expires` is the last day on which it holds, UTC. `place` is `file:line`.
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
    """A waiver that matches a finding and has no effect, and why not."""

    waiver: Waiver
    reason: str


class WaiverUse(msgspec.Struct, frozen=True):
    """What became of a waiver: how many findings it waives, and whether it still can.

    `status` is active, unused (it matches nothing) or expired; `days_left` counts whole days
    after today, negative once it has expired.
    """

    waiver: Waiver
    status: str
    matched: int
    days_left: int


class Verdict(msgspec.Struct, frozen=True):
    """The action for one finding, the id of the rule that gave it (`default` for none), and why.

    The rule of a waived finding is the one that would have acted.
    """

    action: Action
    rule: str
    reason: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with the one severity and the one verdict that every report shows.

    `license_expression` is canonical SPDX, or what the metadata says where that is none;
    `license_term` the part of it that decided. `deadline` is when a warning in its grace time
    begins to block (UTC). `void_waivers` match, but have no effect.
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
    """A package with its licence as judged: what the list of all packages shows.

    `source` is the metadata field, or the policy's entry, that was believed; empty where none is.
    """

    package: Package
    facts: LicenseFacts
    verdict: LicenseVerdict
    expression: str
    term: str
    source: str
    history: History = NO_BASE


class Gate(msgspec.Struct, frozen=True):
    """The outcome of the run. `reasons` explain it, worst first; `notices` change nothing.

    `notices` hold those of the stages before the policy too.

    `attempts` name what the change under check does to its own gate, where the policy comes from a
    trusted commit: a looser policy, another waiver, a larger baseline, a file that hides findings.
    """

    outcome: Outcome
    exit_code: int
    reasons: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()


class Terms(msgspec.Struct, frozen=True):
    """What a check was asked to do and met on its way, which no other policy can take back.

    `only` names the scanners that the command line asked for, where it named any; `problems` are
    gaps that belong to no scanner; `notices` are those of the stages before the policy.
    """

    only: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class PolicyInfo(msgspec.Struct, frozen=True):
    """Which policy judged: its name, where it came from, sha256 of its text, block or warn.

    `files` are the further files that it takes in (parents, waivers) with their sha256; `ref` is
    the commit it was read from, None for the work tree.
    """

    name: str
    source: str
    digest: str
    enforcement: str
    files: tuple[tuple[str, str], ...] = ()
    ref: str | None = None


class BaseInfo(msgspec.Struct, frozen=True):
    """What the findings were compared with: `text` says it for people.

    `commit` is the base commit, `baseline` the path of a baseline file and `entries` its size.
    """

    text: str
    commit: str | None = None
    baseline: str | None = None
    entries: int = 0


CLOCK_DRIFT: Final = timedelta(days=1)
"""How far ahead of the clock a date may lie: clocks drift, and a day of data has no hour."""


class Clock(msgspec.Struct, frozen=True):
    """The time the run was judged by (UTC). `given` where --now set it."""

    now: datetime
    given: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that every format shows. Findings are sorted, the most urgent and worst first.

    `licenses` are all packages whose licence was asked for, allowed ones too. `packages` are all of
    the inventory, `data` what the advisory store held, `upgrades` what to do about vulnerable
    packages, the one that clears most first.
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
