"""The JSON report, version 1: the types that `scanagg.json` is made of, and how to read it back.

Keys may be added to a version. No key is renamed, removed, or given another meaning. Every key is
always written: a missing value is null. Keys that were added later have a default, so that older
reports can be read.

The types follow the model's names, and msgspec converts one into the other. The code below has
only what differs between the two. The docstrings of the types are part of the JSON Schema.
"""

import inspect
import json
import os
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, cast

import msgspec
from msgspec.structs import asdict, astuple

from scanagg.core.errors import ReportError
from scanagg.core.text import one_line, shorten
from scanagg.core.times import as_utc
from scanagg.model import (
    NO_BASE,
    SOME,
    Action,
    Anchor,
    Category,
    Change,
    Confidence,
    Judged,
    LicenseVerdict,
    Origin,
    Outcome,
    Parts,
    PathKind,
    Reason,
    ReasonValue,
    Report,
    Scope,
    Severity,
    SourceFile,
    Status,
    Step,
    WaiverState,
    WaiverStatus,
)
from scanagg.reports.reasons import SENTENCES, sentence, value_names

SCHEMA: Final = "scanagg-report/1"
SCHEMA_FILE: Final = "scanagg-report-1.schema.json"

# The JSON Schema has the names of the types without this prefix.
_PREFIX: Final = "Wire"
_FAMILY: Final = "scanagg-report/"
_OURS: Final = "scanagg"
_HINT: Final = "Use a scanagg.json that `scanagg check --format json` wrote."
_NOWHERE: Final = Path("/nonexistent")
_WIDTH: Final = 200
# A report of 100,000 findings has about 150 MB. Anything much larger is no report.
_MOST_BYTES: Final = 1 << 29

Value = TypeVar("Value")


def _about(text: str) -> msgspec.Meta:
    """Return the description of a key in the schema."""
    return msgspec.Meta(description=text)


class WireReason(msgspec.Struct):
    """A reason: its kind, the values it is made of, and the sentence that they make."""

    kind: str
    values: dict[str, "_WireReasonValue"]
    text: str = ""

    def __post_init__(self) -> None:
        """Make the sentence. A kind that this version does not know is kept as its text."""
        if self.kind not in SENTENCES:
            self.kind, self.values = "text", {"text": self.text}
        if missing := value_names(self.kind) - self.values.keys():
            raise ValueError(f"the reason {self.kind} has no {min(missing)}")
        if not self.text:
            self.text = sentence(Reason(self.kind, cast("dict[str, ReasonValue]", self.values)))


_WireReasonValue = str | int | WireReason | tuple[str | WireReason, ...]


class WireDataSource(msgspec.Struct):
    """Data that findings are judged by.

    `updated` is the time of its newest record, `fetched` that of its download, and `digest` the
    sha256 of its content.
    """

    name: str
    updated: datetime | None
    digest: str = ""
    records: int | None = None
    origin: Annotated[str, _about("An address, or the name of a file.")] = ""
    license: str = ""
    fetched: datetime | None = None

    def __post_init__(self) -> None:
        """Give times in UTC."""
        self.updated = self.updated and as_utc(self.updated)
        self.fetched = self.fetched and as_utc(self.fetched)


class WireRule(msgspec.Struct, frozen=True):
    """A rule of a scanner."""

    id: str
    name: str
    url: str | None
    cwe: tuple[str, ...]
    title: str = ""
    help: Annotated[str, _about("What to do.")] = ""
    why: Annotated[str, _about("Why it matters.")] = ""
    bad: Annotated[str, _about("Code that the rule finds.")] = ""
    good: Annotated[str, _about("Code that the rule does not find.")] = ""


class WireSeveritySource(msgspec.Struct, frozen=True):
    """A severity and its source, the deciding one first."""

    source: str
    severity: Severity
    scanner: str
    vector: str | None


class WireLocation(msgspec.Struct, frozen=True):
    """A place in a file; lines and columns count from 1, `end_column` is exclusive."""

    path: str
    start_line: int | None
    end_line: int | None
    start_column: int | None
    end_column: int | None
    cell: Annotated[int | None, _about("The cell of a notebook.")] = None
    cell_line: Annotated[int | None, _about("The line of the code of the cell.")] = None


class WirePackage(msgspec.Struct, frozen=True):
    """A package; `places` declare it, `requires` are the packages that it depends on.

    `asked` are the lines that require the first package of the chain.
    """

    purl: str
    name: str
    version: str
    scope: Scope
    direct: bool | None
    places: tuple[WireLocation, ...] = ()
    requires: tuple[str, ...] = ()
    chain: Annotated[
        tuple[str, ...], _about("The shortest path from a requirement of the project to it.")
    ] = ()
    asked: tuple[WireLocation, ...] = ()
    resolved: Annotated[
        bool, _about("No lock pins the version: an install on the day of the check would take it.")
    ] = False


class WireConstraint(msgspec.Struct, frozen=True):
    """The versions of a package that someone allows; `text` is the text in the file."""

    name: str
    specifier: Annotated[str, _about("By PEP 440; empty: any version.")]
    text: str
    by: Annotated[str, _about("The package that sets the limit; empty: the project.")]
    place: WireLocation | None


class WireUpgrade(msgspec.Struct, frozen=True):
    """The upgrade of a package with vulnerabilities."""

    package: WirePackage
    to: Annotated[str | None, _about("The version to go to; null: no known version is better.")]
    step: Step | None
    to_unblock: Annotated[
        str | None, _about("The version that clears all blocking ones, if it differs.")
    ]
    clears: Annotated[tuple[str, ...], _about("The vulnerabilities that it fixes.")]
    unblocks: Annotated[tuple[str, ...], _about("Those of `clears` that block.")]
    stays: Annotated[tuple[str, ...], _about("The vulnerabilities that remain.")]
    allowed: Annotated[bool | None, _about("By all known constraints; null: without constraints.")]
    hindered_by: tuple[WireConstraint, ...]
    change: Annotated[
        tuple[str, ...], _about("The direct requirements to change, or to lock again.")
    ]
    checked: Annotated[bool, _about("Looked up in the advisory store, not only named by scanners.")]


class WireAdvisory(msgspec.Struct, frozen=True):
    """The published vulnerability of a finding."""

    id: str
    aliases: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    published: str | None
    url: str | None = None
    withdrawn: bool = False
    kev: Annotated[bool | None, _about("Known to be exploited; null: not looked up.")] = None
    epss: Annotated[float | None, _about("Likelihood to be exploited within 30 days, 0 to 1.")] = (
        None
    )
    kev_added: Annotated[str | None, _about("The day on which CISA added it.")] = None
    epss_percentile: Annotated[
        float | None, _about("The share of vulnerabilities that are less likely, 0 to 1.")
    ] = None
    references: Annotated[tuple[str, ...], _about("Pages with more information.")] = ()


class WireLicenseFile(msgspec.Struct, frozen=True):
    """A licence file of a package, with the sha256 of its bytes."""

    path: str
    sha256: str
    license: Annotated[str, _about("The SPDX id of its text, or empty.")] = ""


class WireLicenseFacts(msgspec.Struct, frozen=True):
    """The licence in a package's metadata."""

    expression: str | None
    text: str | None
    classifiers: tuple[str, ...]
    source: str
    files: tuple[WireLicenseFile, ...]
    whole_text: Annotated[str, _about("The SPDX id, if the License field is a whole text.")] = ""


class WireScanagg(msgspec.Struct, frozen=True):
    """The program that wrote the report."""

    version: str


class WireNotExamined(msgspec.Struct, frozen=True):
    """One input that was not examined, and why."""

    input: str
    reason: WireReason
    on_purpose: Annotated[bool, _about("Left out by choice: this is no gap.")]


class WireRevision(msgspec.Struct, frozen=True):
    """The commit that was checked; `prefix` leads from the repository's root to the target."""

    commit: str | None
    branch: str | None
    repository: str | None
    prefix: str
    dirty: bool


class WireTarget(msgspec.Struct, frozen=True):
    """The folder that was checked. `files` is the number of files that scanners could read."""

    name: str
    files: int
    skipped: tuple[WireNotExamined, ...]
    revision: WireRevision | None
    notices: tuple[WireReason, ...]


class WirePolicyFile(msgspec.Struct, frozen=True):
    """A further file that the policy reads, with the sha256 of its text."""

    path: str
    sha256: str


class WirePolicy(msgspec.Struct, frozen=True):
    """The policy of the check; `digest` is the sha256 of its text."""

    name: str
    source: str
    digest: str
    enforcement: str
    files: Annotated[tuple[WirePolicyFile, ...], _about("Parent policies and waiver lists.")] = ()
    ref: Annotated[str | None, _about("The commit it was read from; null: the working tree.")] = (
        None
    )


class WireBase(msgspec.Struct, frozen=True):
    """The base that findings were compared with: a commit, a baseline file, or both."""

    commit: str | None
    ref: Annotated[str, _about("The branch or commit whose merge base with HEAD `commit` is.")]
    time: Annotated[datetime | None, _about("The time of the commit.")]
    baseline: Annotated[str | None, _about("The path of the baseline file.")]
    entries: Annotated[int, _about("The number of findings in that file.")]


class WireClock(msgspec.Struct):
    """The time of the check, and whether `--now` set it."""

    now: datetime
    given: bool

    def __post_init__(self) -> None:
        """Give the time in UTC."""
        self.now = as_utc(self.now)


class WireCoverage(msgspec.Struct, frozen=True):
    """The inputs of a scanner, and those that it examined."""

    unit: str
    found: int
    examined: int
    not_examined: tuple[WireNotExamined, ...]


class WireRun(msgspec.Struct):
    """One execution of one scanner. `hidden` counts suppressions in the project's files."""

    scanner: str
    version: str | None
    status: Status
    detail: Annotated[WireReason | None, _about("Why the status is not ok, if it is not.")]
    argv: tuple[str, ...]
    started: datetime
    seconds: float
    coverage: WireCoverage
    data: WireDataSource | None
    hidden: dict[str, int]
    notices: tuple[WireReason, ...]

    def __post_init__(self) -> None:
        """Give the start in UTC, milliseconds, and `hidden` in alphabetical order."""
        self.started = as_utc(self.started)
        self.seconds = round(self.seconds, 3)
        self.hidden = dict(sorted(self.hidden.items()))


class WireHistory(msgspec.Struct):
    """A package compared with the base, and the reason for the result."""

    change: Change
    reason: WireReason
    disclosed: bool
    first_seen: datetime | None

    def __post_init__(self) -> None:
        """Give the time in UTC."""
        self.first_seen = self.first_seen and as_utc(self.first_seen)


class WireLicensed(msgspec.Struct, frozen=True):
    """A package and its licence; `term` decided, `source` is the evidence of `expression`."""

    package: WirePackage
    facts: WireLicenseFacts
    verdict: LicenseVerdict
    expression: str
    term: str
    source: str
    history: WireHistory | None = None


class WireUnreadFiles(msgspec.Struct, frozen=True):
    """Manifests of one kind that nothing read, by the category of findings they can have."""

    category: Category
    count: int
    reason: WireReason


class WireTerms(msgspec.Struct, frozen=True):
    """The scanners that were selected, and problems, notices and gaps that no policy changes."""

    only: tuple[str, ...] = ()
    problems: tuple[WireReason, ...] = ()
    notices: tuple[WireReason, ...] = ()
    unread: tuple[WireUnreadFiles, ...] = ()
    unlocked: Annotated[int, _about("The number of requirements that were resolved.")] = 0
    identity: Annotated[str, _about("The version of fingerprints and anchors.")] = ""
    key: Annotated[str, _about("An id of the project's key, empty without one.")] = ""


class WireWaiver(msgspec.Struct, frozen=True):
    """An entry of a list of waivers; `expires` is its last day, UTC."""

    place: Annotated[str, _about("file:line")]
    state: WaiverState
    reason: str
    owner: str
    expires: date
    ids: tuple[str, ...]
    purl: str | None
    versions: str | None
    path: str | None
    fingerprint: str | None
    until_fixed: bool


class WireVoidWaiver(msgspec.Struct, frozen=True):
    """A waiver that matches a finding without effect, and the reason."""

    waiver: WireWaiver
    reason: WireReason


class WireWaiverUse(msgspec.Struct, frozen=True):
    """A waiver and its effect; `days_left` is negative once it has expired."""

    waiver: WireWaiver
    status: WaiverStatus
    matched: Annotated[int, _about("The number of findings that it waives.")]
    days_left: int


class WireParts(msgspec.Struct, frozen=True):
    """The parts of a fingerprint: hashes, never the project's text."""

    category: str
    rule: str
    path: str
    qualname: str
    code: str = msgspec.field(name="statement")


class WireAnchor(msgspec.Struct, frozen=True):
    """What identifies a finding at one of its places: hashes, never the project's text."""

    category: Category
    rule: str
    path: str
    qualname: str
    code: Annotated[str, _about("Of the expression, with a keyed digest of a secret in it.")]
    line: Annotated[int, _about("0: not known.")]
    statement: str
    inputs: Annotated[str, _about("Of what the names in the expression mean.")]
    origins: Annotated[str, _about("Of where the names in the expression come from.")]
    secret: Annotated[bool, _about("There is a secret in the text.")]


class WireWitness(msgspec.Struct, frozen=True):
    """One record of one scanner behind a finding."""

    scanner: str
    rule: str
    severity: Severity


class WireVerdict(msgspec.Struct, frozen=True):
    """The policy's verdict on a finding: the action, the rule, and the reasons."""

    action: Action
    rule: str
    reasons: tuple[WireReason, ...]


class WireFinding(msgspec.Struct, frozen=True):
    """One weakness with all its witnesses, its one severity and its one verdict."""

    id: Annotated[str, _about("The short form of the fingerprint.")]
    fingerprint: Annotated[
        str, _about("The same in every run, also if the finding moves to another line.")
    ]
    category: Category
    rule: WireRule
    severity: Severity
    severity_sources: tuple[WireSeveritySource, ...]
    confidence: Confidence
    title: str
    message: str
    location: WireLocation | None
    places: tuple[WireLocation, ...]
    package: WirePackage | None
    advisory: WireAdvisory | None
    license: str | None
    witnesses: tuple[WireWitness, ...]
    verdict: WireVerdict
    origin: Origin = Origin.INTRODUCED
    change: Annotated[Change, _about("Compared with the base.")] = Change.NEW
    origin_reason: WireReason = msgspec.field(
        default_factory=lambda: convert(NO_BASE.reason, WireReason)
    )
    disclosed: Annotated[bool, _about("The package is not new, but the advisory is.")] = False
    first_seen: Annotated[
        datetime | None, _about("The time at which this repository first had it.")
    ] = None
    deadline: Annotated[datetime | None, _about("The time at which a warning begins to block.")] = (
        None
    )
    waiver: WireWaiver | None = None
    void_waivers: tuple[WireVoidWaiver, ...] = ()
    license_verdict: LicenseVerdict | None = None
    license_term: Annotated[str | None, _about("The part of `license` that decided.")] = None
    license_facts: WireLicenseFacts | None = None
    in_source: Annotated[
        str | None, _about("The comment or file of the project that suppresses it: nosec.")
    ] = None
    resource: Annotated[str | None, _about("The part of a configuration that it concerns.")] = None
    snippet: Annotated[str | None, _about("The line, masked where it holds a secret.")] = None
    line_hash: Annotated[str | None, _about("GitHub's hash of the line.")] = None
    parts: WireParts | None = None
    confidence_reason: Annotated[
        WireReason | None, _about("Why scanagg gave the finding its confidence.")
    ] = None
    path_kind: Annotated[
        PathKind | None, _about("The kind of file that the path of `location` suggests.")
    ] = None
    anchors: Annotated[tuple[WireAnchor, ...], _about("For a baseline; one for each place.")] = ()


class WireGate(msgspec.Struct, frozen=True):
    """The outcome of the run and why."""

    outcome: Outcome
    exit_code: int
    reasons: tuple[WireReason, ...]
    notices: tuple[WireReason, ...]
    attempts: Annotated[
        tuple[WireReason, ...],
        _about("The ways in which the checked change loosens its own gate."),
    ] = ()


class WireReport(msgspec.Struct, frozen=True):
    """A report of scanagg."""

    schema: Literal["scanagg-report/1"]
    scanagg: WireScanagg
    target: WireTarget
    policy: WirePolicy
    clock: WireClock
    runs: tuple[WireRun, ...]
    findings: tuple[WireFinding, ...]
    gate: WireGate
    base: Annotated[WireBase | None, _about("Null: nothing was compared.")] = None
    waivers: tuple[WireWaiverUse, ...] = ()
    licenses: Annotated[
        tuple[WireLicensed, ...], _about("All packages whose licence was looked up.")
    ] = ()
    terms: WireTerms = WireTerms()
    packages: Annotated[tuple[WirePackage, ...], _about("All packages of the project.")] = ()
    data: Annotated[tuple[WireDataSource, ...], _about("The data in the advisory store.")] = ()
    upgrades: Annotated[
        tuple[WireUpgrade, ...], _about("The upgrades, the one that fixes most first.")
    ] = ()


def schema_text() -> str:
    """Return the JSON Schema of a report, as the file SCHEMA_FILE in scanagg/schemas has it."""
    encoded = msgspec.json.encode(msgspec.json.schema(WireReport)).decode()
    # Python 3.13 takes the indentation out of docstrings by itself.
    generated = json.loads(
        encoded.replace(_PREFIX, ""),
        object_hook=lambda value: {
            key: inspect.cleandoc(text) if key == "description" and isinstance(text, str) else text
            for key, text in value.items()
        },
    )
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A report of scanagg ({SCHEMA})",
    }
    return json.dumps({**head, **generated}, indent=2, ensure_ascii=False) + "\n"


def members(report: Report) -> Iterator[tuple[str, object]]:
    """Yield the keys of the JSON report with their values, ready to be encoded.

    The values of "findings", "packages" and "upgrades" are iterators, so that the items of a long
    report need not be in memory together.
    """
    files = [{"path": path, "sha256": digest} for path, digest in report.policy.files]
    yield "schema", SCHEMA
    yield "scanagg", WireScanagg(report.version)
    target = {**asdict(report.target), "files": len(report.target.files)}
    yield "target", convert(target, WireTarget)
    yield "policy", convert({**asdict(report.policy), "files": files}, WirePolicy)
    yield "clock", convert(report.clock, WireClock)
    yield "runs", convert(report.runs, tuple[WireRun, ...])
    yield "findings", map(finding_of, report.findings)
    yield "gate", convert(report.gate, WireGate)
    yield "base", convert(report.base, WireBase | None)
    yield "waivers", convert(report.waivers, tuple[WireWaiverUse, ...])
    yield "licenses", convert(report.licenses, tuple[WireLicensed, ...])
    yield "terms", convert(report.terms, WireTerms)
    yield "packages", (convert(package, WirePackage) for package in report.packages)
    yield "data", convert(report.data, tuple[WireDataSource, ...])
    yield "upgrades", (convert(upgrade, WireUpgrade) for upgrade in report.upgrades)


def finding_of(judged: Judged) -> WireFinding:
    """Return a finding in its JSON form."""
    finding, history, verdict = judged.finding, judged.finding.history, judged.verdict
    # By hand: `asdict` of both takes a quarter longer, see benchmarks/reports.py.
    values = {
        "id": finding.id,
        "fingerprint": finding.fingerprint,
        "category": finding.category,
        "rule": finding.rule,
        "severity": judged.severity,
        "severity_sources": judged.severity_sources,
        "confidence": finding.confidence,
        "title": finding.title,
        "message": finding.message,
        "location": finding.location,
        "places": finding.places,
        "package": finding.package,
        "advisory": finding.advisory,
        "license": judged.license_expression,
        "witnesses": finding.witnesses,
        "verdict": WireVerdict(
            verdict.action, verdict.rule, tuple(map(wire_reason, verdict.reasons))
        ),
        "origin": judged.origin,
        "change": history.change,
        "origin_reason": wire_reason(history.reason),
        "disclosed": history.disclosed,
        "first_seen": history.first_seen and as_utc(history.first_seen),
        "deadline": judged.deadline and as_utc(judged.deadline),
        "waiver": judged.waiver,
        "void_waivers": judged.void_waivers,
        "license_verdict": judged.license_verdict,
        "license_term": judged.license_term,
        "license_facts": finding.license,
        "in_source": finding.in_source or None,
        "resource": finding.resource or None,
        "snippet": finding.snippet,
        # The hash of a secret's line would confirm a guess.
        "line_hash": None if finding.category is Category.SECRET else finding.line_hash,
        "parts": finding.parts and WireParts(*finding.parts),
        "confidence_reason": finding.confidence_reason and wire_reason(finding.confidence_reason),
        "path_kind": finding.path_kind,
        "anchors": tuple(map(_wire_anchor, finding.anchors)),
    }
    return msgspec.convert(values, WireFinding, from_attributes=True)


def _wire_anchor(anchor: Anchor) -> WireAnchor:
    parts = anchor.parts
    return WireAnchor(
        category=Category(parts.category),
        rule=parts.rule,
        path=parts.path,
        qualname=parts.qualname,
        code=parts.code,
        line=anchor.line,
        statement=anchor.statement,
        inputs=anchor.inputs,
        origins=anchor.origins,
        secret=bool(anchor.evidence),
    )


def _anchor(wire: WireAnchor) -> Anchor:
    return Anchor(
        parts=Parts(wire.category.value, wire.rule, wire.path, wire.qualname, wire.code),
        line=wire.line,
        statement=wire.statement,
        inputs=wire.inputs,
        origins=wire.origins,
        evidence=SOME if wire.secret else "",
    )


@lru_cache(4096)
def wire_reason(reason: Reason) -> WireReason:
    """Return a reason in its JSON form. Most findings have one of a few reasons."""
    wire: WireReason = convert(reason, WireReason)
    return wire


def convert(value: object, kind: type[Value] | Any) -> Value:
    """Return a value of the model in its JSON form, or the other way round."""
    return msgspec.convert(value, kind, from_attributes=True)


class _Head(msgspec.Struct):
    """The key that identifies a report."""

    schema: str


def read(path: Path) -> Report:
    """Return the report in a file that `scanagg check` wrote. ReportError with what is wrong in it.

    A report has neither the target's folder on this machine nor the names of most of its files:
    `target.files` has the files that the report names, repeated or cut to the recorded number.
    """
    raw = _read_bytes(path)
    try:
        wire = msgspec.json.decode(raw, type=WireReport)
        findings = []
        for index, finding in enumerate(wire.findings):
            try:
                findings.append(_judged(finding))
            except ValueError as error:
                place = str(error).replace("`$.finding", f"`$.findings[{index}]", 1)
                raise ValueError(place) from error
        values = {
            **asdict(wire),
            "version": wire.scanagg.version,
            "target": {**asdict(wire.target), "root": _NOWHERE, "files": _files(wire)},
            "policy": {**asdict(wire.policy), "files": list(map(astuple, wire.policy.files))},
            "findings": findings,
            "licenses": [
                {**asdict(one), "history": one.history or NO_BASE} for one in wire.licenses
            ],
        }
        return convert(values, Report)
    except (ValueError, RecursionError) as error:
        message = f"{one_line(str(path))}: not a complete report: {_why(error)}"
        raise ReportError(message, _HINT) from error


def _read_bytes(path: Path) -> bytes:
    """Return the bytes of a report, whose schema is the one that this version reads."""
    name = one_line(str(path))
    try:
        # Only a regular file: reading a pipe or a device might never end.
        if not path.is_file():
            problem = "is not a file" if os.path.lexists(path) else "does not exist"
            raise ReportError(f"{name}: {problem}", _HINT)
        if path.stat().st_size > _MOST_BYTES:
            raise ReportError(f"{name}: larger than {_MOST_BYTES >> 20} MiB", _HINT)
        raw = path.read_bytes()
        schema = msgspec.json.decode(raw, type=_Head).schema
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror}"
        raise ReportError(message, "Check the path.") from error
    except msgspec.ValidationError as error:
        raise ReportError(f"{name}: not a report of scanagg: no key `schema`", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{name}: not JSON: {_why(error)}", _HINT) from error
    shown = shorten(one_line(schema), _WIDTH)
    if not schema.startswith(_FAMILY):
        raise ReportError(f"{name}: not a report of scanagg: schema {shown}", _HINT)
    if schema != SCHEMA:
        message = f"{name}: the schema is {shown}, but this version of scanagg reads {SCHEMA}"
        raise ReportError(message, "Read it with the version that wrote it, or check again.")
    return raw


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return shorten(one_line(str(error).removeprefix("JSON is malformed: ")), _WIDTH)


def _files(wire: WireReport) -> list[SourceFile]:
    """Return as many files as were checked: first those that the report names."""
    packages = [*wire.packages, *(licensed.package for licensed in wire.licenses)]
    places = chain(
        (finding.location for finding in wire.findings),
        *(finding.places for finding in wire.findings),
        *(package.places for package in packages),
        *(package.asked for package in wire.packages),
    )
    paths = sorted({place.path for place in filter(None, places)})
    # Only the number of the other files is known. "." is the whole project.
    names = islice(chain(paths, repeat(paths[0] if paths else ".")), wire.target.files)
    return [SourceFile(name, _NOWHERE, 0) for name in names]


def _judged(wire: WireFinding) -> Judged:
    """Return the finding, with the severity claims of scanners but not those of the policy."""
    stated: object = wire.license_facts
    if wire.category is Category.VULNERABILITY and None in (wire.package, wire.advisory):
        raise ValueError("a vulnerability needs a package and an advisory - at `$.finding`")
    if wire.category is Category.LICENSE:
        if wire.package is None:
            raise ValueError("a licence needs a package - at `$.finding`")
        # Older reports lack this key and have only the expression.
        stated = stated or {"text": wire.license}
    values = asdict(wire)
    # Older reports have the parts of the first anchor only.
    parts = [Anchor(Parts(*astuple(wire.parts)))] if wire.parts else []
    finding = {
        **values,
        "claims": [claim for claim in wire.severity_sources if claim.scanner != _OURS],
        "license": stated,
        "resource": wire.resource or "",
        "anchors": [*map(_anchor, wire.anchors)] or parts,
        "in_source": wire.in_source or "",
        "history": WireHistory(wire.change, wire.origin_reason, wire.disclosed, wire.first_seen),
    }
    values["finding"] = finding
    values["license_expression"] = wire.license
    values["deadline"] = wire.deadline and as_utc(wire.deadline)
    return convert(values, Judged)
