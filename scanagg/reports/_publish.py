"""Values of the inner model in their public form, as scanagg.json holds them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from scanagg import model
from scanagg.model import Category
from scanagg.reports import _public, _public_facts


def target(value: model.Target) -> _public.Target:
    """The target without its place on this machine."""
    revision = value.revision
    return _public.Target(
        name=value.name,
        files=len(value.files),
        skipped=_not_examined(value.skipped),
        revision=None
        if revision is None
        else _public.Revision(
            revision.commit,
            revision.branch,
            revision.repository,
            revision.prefix,
            revision.dirty,
        ),
        notices=value.notices,
    )


def policy(value: model.PolicyInfo) -> _public.Policy:
    """The policy that judged."""
    files = tuple(_public.PolicyFile(path, digest) for path, digest in value.files)
    return _public.Policy(
        value.name, value.source, value.digest, value.enforcement, files, value.ref
    )


def base(value: model.BaseInfo | None) -> _public.Base | None:
    """What was compared with, if anything was."""
    if value is None:
        return None
    return _public.Base(value.text, value.commit, value.baseline, value.entries)


def clock(value: model.Clock) -> _public.Clock:
    """The clock, in UTC."""
    return _public.Clock(_utc(value.now), value.given)


def run(value: model.Run) -> _public.Run:
    """One run; seconds to the millisecond."""
    coverage, data = value.coverage, value.data
    return _public.Run(
        scanner=value.scanner,
        version=value.version,
        status=value.status,
        detail=value.detail,
        argv=value.argv,
        started=_utc(value.started),
        seconds=round(value.seconds, 3),
        coverage=_public.Coverage(
            coverage.unit,
            coverage.found,
            coverage.examined,
            _not_examined(coverage.not_examined),
        ),
        data=None if data is None else data_source(data),
        hidden=dict(sorted(value.hidden.items())),
        notices=value.notices,
    )


def finding(judged: model.Judged) -> _public.Finding:
    """One finding as judged."""
    found, history = judged.finding, judged.finding.history
    rule, verdict = found.rule, judged.verdict
    hidden = found.category is Category.SECRET  # the hash of its line would confirm a guess
    return _public.Finding(
        id=found.id,
        fingerprint=found.fingerprint,
        category=found.category,
        rule=_public_facts.Rule(rule.id, rule.name, rule.url, rule.cwe, rule.title, rule.help),
        severity=judged.severity,
        severity_sources=tuple([_source(claim) for claim in judged.severity_sources]),
        confidence=found.confidence,
        title=found.title,
        message=found.message,
        location=None if found.location is None else _location(found.location),
        places=tuple([_location(place) for place in found.places]),
        package=None if found.package is None else package(found.package),
        advisory=None if found.advisory is None else _advisory(found.advisory),
        license=judged.license_expression,
        witnesses=tuple([_witness(seen) for seen in found.witnesses]),
        verdict=_public.Verdict(verdict.action, verdict.rule, verdict.reason),
        origin=judged.origin,
        change=history.change,
        origin_reason=history.reason,
        disclosed=history.disclosed,
        first_seen=history.first_seen and _utc(history.first_seen),
        deadline=judged.deadline and _utc(judged.deadline),
        waiver=_waiver(judged.waiver) if judged.waiver else None,
        void_waivers=tuple([_void(void) for void in judged.void_waivers]),
        license_verdict=judged.license_verdict,
        license_term=judged.license_term,
        license_facts=_facts(found.license) if found.license else None,
        in_source=found.in_source or None,
        resource=found.resource or None,
        snippet=found.snippet,
        line_hash=None if hidden else found.line_hash,
        parts=None if found.parts is None else _public.Parts(*found.parts),
    )


def gate(value: model.Gate) -> _public.Gate:
    """The gate."""
    return _public.Gate(
        value.outcome, value.exit_code, value.reasons, value.notices, value.attempts
    )


def waiver_use(value: model.WaiverUse) -> _public.WaiverUse:
    """A waiver and what became of it."""
    return _public.WaiverUse(_waiver(value.waiver), value.status, value.matched, value.days_left)


def licensed(value: model.Licensed) -> _public.Licensed:
    """A package with its licence."""
    return _public.Licensed(
        package=package(value.package),
        facts=_facts(value.facts),
        verdict=value.verdict,
        expression=value.expression,
        term=value.term,
        source=value.source,
        history=_history(value.history),
    )


def terms(value: model.Terms) -> _public.Terms:
    """What the check was asked to do."""
    return _public.Terms(value.only, value.problems, value.notices)


def data_source(value: model.DataSource) -> _public_facts.DataSource:
    """Data that findings are judged by."""
    return _public_facts.DataSource(
        name=value.name,
        updated=value.updated and _utc(value.updated),
        digest=value.digest,
        records=value.records,
        origin=value.origin,
        license=value.license,
        fetched=value.fetched and _utc(value.fetched),
    )


def upgrade(value: model.Upgrade) -> _public_facts.Upgrade:
    """What to do about a package."""
    return _public_facts.Upgrade(
        package=package(value.package),
        to=value.to,
        step=value.step,
        to_unblock=value.to_unblock,
        clears=value.clears,
        unblocks=value.unblocks,
        stays=value.stays,
        allowed=value.allowed,
        hindered_by=tuple(_constraint(one) for one in value.hindered_by),
        change=value.change,
        checked=value.checked,
    )


def _constraint(value: model.Constraint) -> _public_facts.Constraint:
    place = None if value.place is None else _location(value.place)
    return _public_facts.Constraint(value.name, value.specifier, value.text, value.by, place)


def _history(value: model.History) -> _public.History:
    seen = value.first_seen
    return _public.History(value.change, value.reason, value.disclosed, seen and _utc(seen))


def _location(value: model.Location) -> _public_facts.Location:
    return _public_facts.Location(
        value.path, value.start_line, value.end_line, value.start_column, value.end_column
    )


def _source(value: model.SeverityClaim) -> _public_facts.SeveritySource:
    return _public_facts.SeveritySource(value.source, value.severity, value.scanner, value.vector)


def package(value: model.Package) -> _public_facts.Package:
    """A package."""
    return _public_facts.Package(
        purl=value.purl,
        name=value.name,
        version=value.version,
        scope=value.scope,
        direct=value.direct,
        places=tuple([_location(place) for place in value.places]),
        requires=value.requires,
        chain=value.chain,
        asked=tuple([_location(place) for place in value.asked]),
    )


def _advisory(value: model.Advisory) -> _public_facts.Advisory:
    return _public_facts.Advisory(
        id=value.id,
        aliases=value.aliases,
        fixed_versions=value.fixed_versions,
        published=value.published,
        url=value.url,
        withdrawn=value.withdrawn,
        kev=value.kev,
        epss=value.epss,
        kev_added=value.kev_added,
        epss_percentile=value.epss_percentile,
        references=value.references,
    )


def _facts(value: model.LicenseFacts) -> _public_facts.LicenseFacts:
    return _public_facts.LicenseFacts(
        expression=value.expression,
        text=value.text,
        classifiers=value.classifiers,
        source=value.source,
        files=tuple(
            _public_facts.LicenseFile(file.path, file.sha256, file.license) for file in value.files
        ),
    )


def _waiver(value: model.Waiver) -> _public.Waiver:
    return _public.Waiver(
        place=value.place,
        state=value.state,
        reason=value.reason,
        owner=value.owner,
        expires=value.expires,
        ids=value.ids,
        purl=value.purl,
        versions=value.versions,
        path=value.path,
        fingerprint=value.fingerprint,
        until_fixed=value.until_fixed,
    )


def _void(value: model.VoidWaiver) -> _public.VoidWaiver:
    return _public.VoidWaiver(_waiver(value.waiver), value.reason)


def _witness(value: model.Witness) -> _public.Witness:
    return _public.Witness(value.scanner, value.rule, value.severity)


def _not_examined(values: Iterable[model.NotExamined]) -> tuple[_public.NotExamined, ...]:
    return tuple(_public.NotExamined(value.input, value.reason) for value in values)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
