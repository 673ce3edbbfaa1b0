"""The public form of a report, version 1: what is in scanagg.json, apart from the inner model.

Keys may be added to a version; none is renamed, removed or given another meaning. Every key is
always written: what does not exist is null. Those that were added have a default, by which reports
that were written before are read.
"""

import inspect
import json
from datetime import date, datetime
from typing import Annotated, Final, Literal

import msgspec

from scanagg.model import (
    NO_BASE,
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
from scanagg.reports._public_facts import (
    Advisory,
    DataSource,
    LicenseFacts,
    Location,
    Package,
    Rule,
    SeveritySource,
    Upgrade,
    about,
)

SCHEMA: Final = "scanagg-report/1"
SCHEMA_FILE: Final = "scanagg-report-1.schema.json"


class Scanagg(msgspec.Struct, frozen=True):
    """The program that wrote the report."""

    version: str


class NotExamined(msgspec.Struct, frozen=True):
    """One input that was not looked at, and why."""

    input: str
    reason: str


class Revision(msgspec.Struct, frozen=True):
    """The commit that was checked; `prefix` leads from the repository's root to the target."""

    commit: str | None
    branch: str | None
    repository: str | None
    prefix: str
    dirty: bool


class Target(msgspec.Struct, frozen=True):
    """What was checked. `files` counts what was offered to the scanners."""

    name: str
    files: int
    skipped: tuple[NotExamined, ...]
    revision: Revision | None
    notices: tuple[str, ...]


class PolicyFile(msgspec.Struct, frozen=True):
    """A further file that a policy takes in, with the sha256 of its text."""

    path: str
    sha256: str


class Policy(msgspec.Struct, frozen=True):
    """What judged: `digest` is the sha256 of the policy's text."""

    name: str
    source: str
    digest: str
    enforcement: str
    files: Annotated[tuple[PolicyFile, ...], about("Parents, lists of waivers.")] = ()
    ref: Annotated[str | None, about("The commit it was read from; null: the work tree.")] = None


class Base(msgspec.Struct, frozen=True):
    """What the findings were compared with; `text` says it for people."""

    text: str
    commit: str | None
    baseline: Annotated[str | None, about("The path of the baseline file.")]
    entries: Annotated[int, about("How many findings that file lists.")]


class Clock(msgspec.Struct, frozen=True):
    """The time the run was judged by, and whether it was set by hand."""

    now: datetime
    given: bool


class Coverage(msgspec.Struct, frozen=True):
    """What a scanner was given and what it looked at."""

    unit: str
    found: int
    examined: int
    not_examined: tuple[NotExamined, ...]


class Run(msgspec.Struct, frozen=True):
    """One execution of one scanner. `hidden` counts what the project's files hide from it."""

    scanner: str
    version: str | None
    status: Status
    detail: str
    argv: tuple[str, ...]
    started: datetime
    seconds: float
    coverage: Coverage
    data: DataSource | None
    hidden: dict[str, int]
    notices: tuple[str, ...]


class Licensed(msgspec.Struct, frozen=True):
    """A package with its licence as judged; `term` decided, `source` is what was believed."""

    package: Package
    facts: LicenseFacts
    verdict: LicenseVerdict
    expression: str
    term: str
    source: str
    history: "History | None" = None


class History(msgspec.Struct, frozen=True):
    """How something stands to the base, and why."""

    change: Change
    reason: str
    disclosed: bool
    first_seen: datetime | None


class Terms(msgspec.Struct, frozen=True):
    """What the check was asked to do and met on its way, apart from any policy."""

    only: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


class Waiver(msgspec.Struct, frozen=True):
    """An entry of a list of waivers; it holds through the day `expires`, UTC."""

    place: Annotated[str, about("file:line")]
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


class VoidWaiver(msgspec.Struct, frozen=True):
    """A waiver that matches a finding and has no effect, and why not."""

    waiver: Waiver
    reason: str


class WaiverUse(msgspec.Struct, frozen=True):
    """What became of a waiver; `days_left` is negative once it has expired."""

    waiver: Waiver
    status: Annotated[str, about("active, unused or expired")]
    matched: Annotated[int, about("How many findings it waives.")]
    days_left: int


class Parts(msgspec.Struct, frozen=True):
    """What a fingerprint is made of: hashes, never the project's text."""

    category: str
    rule: str
    path: str
    qualname: str
    statement: str


class Witness(msgspec.Struct, frozen=True):
    """One record of one scanner behind a finding."""

    scanner: str
    rule: str
    severity: Severity


class Verdict(msgspec.Struct, frozen=True):
    """What the policy does about a finding, by which of its rules, and why."""

    action: Action
    rule: str
    reason: str


class Finding(msgspec.Struct, frozen=True):
    """One weakness with all its witnesses, its one severity and its one verdict."""

    id: Annotated[str, about("The short form of the fingerprint.")]
    fingerprint: Annotated[str, about("The same from run to run, whatever line it moves to.")]
    category: Category
    rule: Rule
    severity: Severity
    severity_sources: tuple[SeveritySource, ...]
    confidence: Confidence
    title: str
    message: str
    location: Location | None
    places: tuple[Location, ...]
    package: Package | None
    advisory: Advisory | None
    license: str | None
    witnesses: tuple[Witness, ...]
    verdict: Verdict
    origin: Origin = Origin.INTRODUCED
    change: Annotated[Change, about("How it stands to the base.")] = Change.NEW
    origin_reason: str = NO_BASE.reason
    disclosed: Annotated[
        bool, about("The package is no news, but nobody knew this of it before.")
    ] = False
    first_seen: Annotated[
        datetime | None, about("Since when this repository has it on record.")
    ] = None
    deadline: Annotated[datetime | None, about("When a warning begins to block.")] = None
    waiver: Waiver | None = None
    void_waivers: tuple[VoidWaiver, ...] = ()
    license_verdict: LicenseVerdict | None = None
    license_term: Annotated[str | None, about("The part of `license` that decided.")] = None
    license_facts: LicenseFacts | None = None
    in_source: Annotated[
        str | None, about("What in the project hides it from its scanner: nosec.")
    ] = None
    resource: Annotated[str | None, about("What of a configuration it concerns.")] = None
    snippet: Annotated[str | None, about("The line, masked where it holds a secret.")] = None
    line_hash: Annotated[str | None, about("GitHub's hash of the line.")] = None
    parts: Parts | None = None


class Gate(msgspec.Struct, frozen=True):
    """The outcome of the run and why."""

    outcome: Outcome
    exit_code: int
    reasons: tuple[str, ...]
    notices: tuple[str, ...]
    attempts: Annotated[
        tuple[str, ...], about("What the change under check does to its own gate.")
    ] = ()


class Report(msgspec.Struct, frozen=True):
    """A report of scanagg."""

    schema: Literal["scanagg-report/1"]
    scanagg: Scanagg
    target: Target
    policy: Policy
    clock: Clock
    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    gate: Gate
    base: Annotated[Base | None, about("Null: nothing was compared.")] = None
    waivers: tuple[WaiverUse, ...] = ()
    licenses: Annotated[
        tuple[Licensed, ...], about("All packages whose licence was asked for.")
    ] = ()
    terms: Terms = Terms()
    packages: Annotated[tuple[Package, ...], about("All packages of the project.")] = ()
    data: Annotated[tuple[DataSource, ...], about("What the advisory store held.")] = ()
    upgrades: Annotated[tuple[Upgrade, ...], about("What to upgrade, what clears most first.")] = ()


def schema_text() -> str:
    """The JSON Schema of a report: what the file SCHEMA_FILE in scanagg/schemas holds."""
    # Python 3.13 takes the indentation out of docstrings by itself.
    encoded = msgspec.json.encode(msgspec.json.schema(Report))
    generated = json.loads(encoded, object_hook=_without_indentation)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A report of scanagg ({SCHEMA})",
    }
    return json.dumps({**head, **generated}, indent=2, ensure_ascii=False) + "\n"


def _without_indentation(value: dict[str, object]) -> dict[str, object]:
    about = value.get("description")
    return {**value, "description": inspect.cleandoc(about)} if isinstance(about, str) else value
