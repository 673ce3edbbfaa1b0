"""The public form of a report, version 1: what is in scanagg.json, apart from the inner model.

Keys may be added to a version; none is renamed, removed or given another meaning. Every key is
always there: what does not exist is null.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from scanagg import model
from scanagg.model import Action, Category, Confidence, Outcome, Scope, Severity, Status

SCHEMA: Final = "scanagg-report/1"
SCHEMA_FILE: Final = "scanagg-report-1.schema.json"


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


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


class Policy(msgspec.Struct, frozen=True):
    """What judged: `digest` is the sha256 of the policy's text."""

    name: str
    source: str
    digest: str
    enforcement: str


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


class DataSource(msgspec.Struct, frozen=True):
    """The data a scanner judges by, and when it was made."""

    name: str
    updated: datetime | None


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


class Rule(msgspec.Struct, frozen=True):
    """What the scanner looks for."""

    id: str
    name: str
    url: str | None
    cwe: tuple[str, ...]


class SeveritySource(msgspec.Struct, frozen=True):
    """One source's word on the severity, the deciding one first."""

    source: str
    severity: Severity
    scanner: str
    vector: str | None


class Location(msgspec.Struct, frozen=True):
    """A place in a file; lines and columns count from 1, `end_column` is exclusive."""

    path: str
    start_line: int | None
    end_line: int | None
    start_column: int | None
    end_column: int | None


class Package(msgspec.Struct, frozen=True):
    """The package a finding is about."""

    purl: str
    name: str
    version: str
    scope: Scope
    direct: bool | None


class Advisory(msgspec.Struct, frozen=True):
    """The published vulnerability a finding is about."""

    id: str
    aliases: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    published: str | None


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

    id: Annotated[str, _about("The short form of the fingerprint.")]
    fingerprint: Annotated[str, _about("The same from run to run, whatever line it moves to.")]
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


class Gate(msgspec.Struct, frozen=True):
    """The outcome of the run and why."""

    outcome: Outcome
    exit_code: int
    reasons: tuple[str, ...]
    notices: tuple[str, ...]


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


def schema_text() -> str:
    """The JSON Schema of a report: what the file SCHEMA_FILE in scanagg/schemas holds."""
    generated = msgspec.json.schema(Report)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A report of scanagg ({SCHEMA})",
    }
    return json.dumps({**head, **generated}, indent=2, ensure_ascii=False) + "\n"


def target(value: model.Target) -> Target:
    """The target without its place on this machine."""
    revision = value.revision
    return Target(
        name=value.name,
        files=len(value.files),
        skipped=_not_examined(value.skipped),
        revision=None
        if revision is None
        else Revision(
            revision.commit,
            revision.branch,
            revision.repository,
            revision.prefix,
            revision.dirty,
        ),
        notices=value.notices,
    )


def policy(value: model.PolicyInfo) -> Policy:
    """The policy that judged."""
    return Policy(value.name, value.source, value.digest, value.enforcement)


def clock(value: model.Clock) -> Clock:
    """The clock, in UTC."""
    return Clock(_utc(value.now), value.given)


def run(value: model.Run) -> Run:
    """One run; seconds to the millisecond."""
    coverage, data = value.coverage, value.data
    return Run(
        scanner=value.scanner,
        version=value.version,
        status=value.status,
        detail=value.detail,
        argv=value.argv,
        started=_utc(value.started),
        seconds=round(value.seconds, 3),
        coverage=Coverage(
            coverage.unit,
            coverage.found,
            coverage.examined,
            _not_examined(coverage.not_examined),
        ),
        data=DataSource(data.name, data.updated and _utc(data.updated)) if data else None,
        hidden=dict(sorted(value.hidden.items())),
        notices=value.notices,
    )


def finding(judged: model.Judged) -> Finding:
    """One finding as judged."""
    found = judged.finding
    rule, verdict = found.rule, judged.verdict
    return Finding(
        id=found.id,
        fingerprint=found.fingerprint,
        category=found.category,
        rule=Rule(rule.id, rule.name, rule.url, rule.cwe),
        severity=judged.severity,
        severity_sources=tuple([_source(claim) for claim in judged.severity_sources]),
        confidence=found.confidence,
        title=found.title,
        message=found.message,
        location=None if found.location is None else _location(found.location),
        places=tuple([_location(place) for place in found.places]),
        package=None if found.package is None else _package(found.package),
        advisory=None if found.advisory is None else _advisory(found.advisory),
        license=judged.license_expression,
        witnesses=tuple([_witness(seen) for seen in found.witnesses]),
        verdict=Verdict(verdict.action, verdict.rule, verdict.reason),
    )


def gate(value: model.Gate) -> Gate:
    """The gate."""
    return Gate(value.outcome, value.exit_code, value.reasons, value.notices)


def _location(value: model.Location) -> Location:
    return Location(
        value.path, value.start_line, value.end_line, value.start_column, value.end_column
    )


def _source(value: model.SeverityClaim) -> SeveritySource:
    return SeveritySource(value.source, value.severity, value.scanner, value.vector)


def _package(value: model.Package) -> Package:
    return Package(value.purl, value.name, value.version, value.scope, value.direct)


def _advisory(value: model.Advisory) -> Advisory:
    return Advisory(value.id, value.aliases, value.fixed_versions, value.published)


def _witness(value: model.Witness) -> Witness:
    return Witness(value.scanner, value.rule, value.severity)


def _not_examined(values: Iterable[model.NotExamined]) -> tuple[NotExamined, ...]:
    return tuple(NotExamined(value.input, value.reason) for value in values)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
