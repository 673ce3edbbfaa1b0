"""A report of an earlier check, read back whole from scanagg.json."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from scanagg import model
from scanagg.core.errors import ReportError
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    NO_BASE,
    Category,
    Finding,
    History,
    Judged,
    LicenseFacts,
    Location,
    NotExamined,
    Package,
    Parts,
    Report,
    Rule,
    Run,
    SourceFile,
    Target,
    Witness,
)
from scanagg.reports import _public, _public_facts

# A report of 100,000 findings has some 150 MB; what is larger by far is something else.
_MOST_BYTES: Final = 1 << 29
_FAMILY: Final = "scanagg-report/"
_OURS: Final = "scanagg"
_AGAIN: Final = "Give a scanagg.json, as `scanagg check --format json` writes it."
_NOWHERE: Final = Path("/nonexistent")
_WIDTH: Final = 200

_Read = TypeVar("_Read")
_Made = TypeVar("_Made")


class _Head(msgspec.Struct):
    """What tells a report from other JSON."""

    schema: str


def read(path: Path) -> Report:
    """The report in a file that `scanagg check` wrote. ReportError with what is wrong in it.

    Not in a report are the target's folder on this machine, and the names of most of its files:
    `target.files` has those that a finding names, as often as it takes to be as many as there were.
    """
    shown = one_line(str(path))
    raw = _bytes(path, shown)
    _check_head(raw, shown)
    try:
        return _report(msgspec.json.decode(raw, type=_public.Report))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ReportError(f"{shown}: not a whole report: {_why(error)}", _AGAIN) from error


def _bytes(path: Path, shown: str) -> bytes:
    try:
        # Only a regular file: a pipe or a device would keep us waiting for its end.
        if not path.is_file():
            what = "is not a file" if os.path.lexists(path) else "does not exist"
            raise ReportError(f"{shown}: {what}", _AGAIN)
        if path.stat().st_size > _MOST_BYTES:
            raise ReportError(f"{shown}: larger than {_MOST_BYTES >> 20} MiB", _AGAIN)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ReportError(f"{shown}: cannot be read: {reason}", "Check the path.") from error


def _check_head(raw: bytes, shown: str) -> None:
    try:
        found = msgspec.json.decode(raw, type=_Head).schema
    except msgspec.ValidationError as error:
        message = f"{shown}: not a report of scanagg: its key `schema` does not say so"
        raise ReportError(message, _AGAIN) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"{shown}: not JSON: {_why(error)}", _AGAIN) from error
    if found == _public.SCHEMA:
        return
    if found.startswith(_FAMILY):
        message = f"{shown}: its schema is {_short(found)}, this scanagg reads {_public.SCHEMA}"
        raise ReportError(message, "Read it with the scanagg that wrote it, or check again.")
    raise ReportError(f"{shown}: not a report of scanagg: schema {_short(found)}", _AGAIN)


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return _short(str(error))


def _short(text: str) -> str:
    return shorten(one_line(text), _WIDTH)


# From the public form to the model, one function a struct.


def _report(said: _public.Report) -> Report:
    findings = tuple(_each("findings", said.findings, _judged))
    licenses = tuple(_each("licenses", said.licenses, _licensed))
    packages = tuple(_each("packages", said.packages, _package))
    return Report(
        version=said.scanagg.version,
        target=_target(said.target, _paths(findings, licenses, packages)),
        policy=_policy(said.policy),
        clock=model.Clock(_utc(said.clock.now), said.clock.given),
        runs=tuple(_each("runs", said.runs, _run)),
        findings=findings,
        gate=model.Gate(
            outcome=said.gate.outcome,
            exit_code=said.gate.exit_code,
            reasons=said.gate.reasons,
            notices=said.gate.notices,
            attempts=said.gate.attempts,
        ),
        base=_given(said.base, _base),
        waivers=tuple(_each("waivers", said.waivers, _waiver_use)),
        licenses=licenses,
        terms=model.Terms(said.terms.only, said.terms.problems, said.terms.notices),
        packages=packages,
        data=tuple(map(_data, said.data)),
        upgrades=tuple(_each("upgrades", said.upgrades, _upgrade)),
    )


def _each(name: str, values: Iterable[_Read], make: Callable[[_Read], _Made]) -> Iterator[_Made]:
    """The values made, with the place of one that cannot be in the error."""
    for index, value in enumerate(values):
        try:
            yield make(value)
        except ValueError as error:
            raise ValueError(f"{error} - at `$.{name}[{index}]`") from error


def _given(value: _Read | None, make: Callable[[_Read], _Made]) -> _Made | None:
    return None if value is None else make(value)


def _paths(
    findings: Iterable[Judged], licenses: Iterable[model.Licensed], packages: Iterable[Package]
) -> list[str]:
    """Every file that the report names."""
    places = chain(
        (place for one in findings for place in one.finding.places),
        (one.finding.location for one in findings if one.finding.location),
        (place for one in licenses for place in one.package.places),
        (place for one in packages for place in chain(one.places, one.asked)),
    )
    return sorted({place.path for place in places})


def _target(said: _public.Target, paths: list[str]) -> Target:
    # Their number is all that is known of the others: "." is the project as a whole.
    names = islice(chain(paths, repeat(paths[0] if paths else ".")), said.files)
    return Target(
        root=_NOWHERE,
        name=said.name,
        files=tuple(SourceFile(name, _NOWHERE, 0) for name in names),
        skipped=_not_examined(said.skipped),
        revision=_given(said.revision, _revision),
        notices=said.notices,
    )


def _revision(said: _public.Revision) -> model.Revision:
    return model.Revision(**msgspec.structs.asdict(said))


def _base(said: _public.Base) -> model.BaseInfo:
    return model.BaseInfo(**msgspec.structs.asdict(said))


def _policy(said: _public.Policy) -> model.PolicyInfo:
    files = tuple((file.path, file.sha256) for file in said.files)
    return model.PolicyInfo(said.name, said.source, said.digest, said.enforcement, files, said.ref)


def _run(said: _public.Run) -> Run:
    coverage = said.coverage
    return Run(
        scanner=said.scanner,
        version=said.version,
        status=said.status,
        detail=said.detail,
        coverage=model.Coverage(
            coverage.unit,
            coverage.found,
            coverage.examined,
            _not_examined(coverage.not_examined),
        ),
        argv=said.argv,
        started=_utc(said.started),
        seconds=said.seconds,
        data=_given(said.data, _data),
        hidden=said.hidden,
        notices=said.notices,
    )


def _data(said: _public_facts.DataSource) -> model.DataSource:
    return model.DataSource(
        name=said.name,
        updated=_given(said.updated, _utc),
        digest=said.digest,
        records=said.records,
        origin=said.origin,
        license=said.license,
        fetched=_given(said.fetched, _utc),
    )


def _upgrade(said: _public_facts.Upgrade) -> model.Upgrade:
    return model.Upgrade(
        package=_package(said.package),
        to=said.to,
        step=said.step,
        to_unblock=said.to_unblock,
        clears=said.clears,
        unblocks=said.unblocks,
        stays=said.stays,
        allowed=said.allowed,
        hindered_by=tuple(map(_constraint, said.hindered_by)),
        change=said.change,
        checked=said.checked,
    )


def _constraint(said: _public_facts.Constraint) -> model.Constraint:
    place = _given(said.place, _location)
    return model.Constraint(said.name, said.specifier, said.text, said.by, place)


def _judged(said: _public.Finding) -> Judged:
    claims = tuple(
        model.SeverityClaim(one.source, one.severity, one.scanner, one.vector)
        for one in said.severity_sources
    )
    return Judged(
        finding=_finding(said, claims),
        severity=said.severity,
        severity_sources=claims,
        verdict=model.Verdict(said.verdict.action, said.verdict.rule, said.verdict.reason),
        origin=said.origin,
        waiver=_given(said.waiver, _waiver),
        void_waivers=tuple(
            model.VoidWaiver(_waiver(void.waiver), void.reason) for void in said.void_waivers
        ),
        deadline=_given(said.deadline, _utc),
        license_expression=said.license,
        license_verdict=said.license_verdict,
        license_term=said.license_term,
    )


def _finding(said: _public.Finding, claims: tuple[model.SeverityClaim, ...]) -> Finding:
    """The finding. Its claims are what scanners said: what a policy decided is decided again."""
    rule = said.rule
    found = Finding(
        id=said.id,
        fingerprint=said.fingerprint,
        category=said.category,
        rule=Rule(rule.id, rule.name, rule.title, rule.url, rule.cwe, rule.help),
        title=said.title,
        message=said.message,
        claims=tuple(claim for claim in claims if claim.scanner != _OURS),
        confidence=said.confidence,
        location=_given(said.location, _location),
        places=tuple(map(_location, said.places)),
        witnesses=tuple(Witness(one.scanner, one.rule, one.severity) for one in said.witnesses),
        snippet=said.snippet,
        line_hash=said.line_hash,
        package=_given(said.package, _package),
        advisory=_given(said.advisory, _advisory),
        license=_stated(said),
        resource=said.resource or "",
        parts=_given(said.parts, _parts),
        in_source=said.in_source or "",
        history=History(
            said.change,
            said.origin_reason,
            said.disclosed,
            _given(said.first_seen, _utc),
        ),
    )
    if found.category is Category.VULNERABILITY and not (found.package and found.advisory):
        raise ValueError("a vulnerability needs a package and an advisory")
    if found.category is Category.LICENSE and not found.package:
        raise ValueError("a licence needs a package")
    return found


def _stated(said: _public.Finding) -> LicenseFacts | None:
    """What the metadata says; in a report that is older than this key only what was shown of it."""
    if said.license_facts is not None:
        return _facts(said.license_facts)
    return LicenseFacts(text=said.license) if said.category is Category.LICENSE else None


def _facts(said: _public_facts.LicenseFacts) -> LicenseFacts:
    files = tuple(model.LicenseFile(**msgspec.structs.asdict(file)) for file in said.files)
    return LicenseFacts(said.expression, said.text, said.classifiers, said.source, files)


def _licensed(said: _public.Licensed) -> model.Licensed:
    return model.Licensed(
        package=_package(said.package),
        facts=_facts(said.facts),
        verdict=said.verdict,
        expression=said.expression,
        term=said.term,
        source=said.source,
        history=_given(said.history, _history) or NO_BASE,
    )


def _history(said: _public.History) -> History:
    return History(said.change, said.reason, said.disclosed, _given(said.first_seen, _utc))


def _package(said: _public_facts.Package) -> Package:
    return Package(
        name=said.name,
        version=said.version,
        purl=said.purl,
        scope=said.scope,
        direct=said.direct,
        places=tuple(map(_location, said.places)),
        requires=said.requires,
        chain=said.chain,
        asked=tuple(map(_location, said.asked)),
    )


def _advisory(said: _public_facts.Advisory) -> model.Advisory:
    return model.Advisory(**msgspec.structs.asdict(said))


def _location(said: _public_facts.Location) -> Location:
    return Location(said.path, said.start_line, said.end_line, said.start_column, said.end_column)


def _parts(said: _public.Parts) -> Parts:
    return Parts(**msgspec.structs.asdict(said))


def _waiver(said: _public.Waiver) -> model.Waiver:
    return model.Waiver(**msgspec.structs.asdict(said))


def _waiver_use(said: _public.WaiverUse) -> model.WaiverUse:
    return model.WaiverUse(_waiver(said.waiver), said.status, said.matched, said.days_left)


def _not_examined(values: Iterable[_public.NotExamined]) -> tuple[NotExamined, ...]:
    return tuple(NotExamined(value.input, value.reason) for value in values)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
