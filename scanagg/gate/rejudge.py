"""A report of an earlier check, judged again without scanning: by another policy, or as later."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ExitCode
from scanagg.findings.fingerprint import fingerprint, license_name
from scanagg.model import (
    Action,
    Category,
    Clock,
    Confidence,
    Finding,
    Judged,
    Licensed,
    Location,
    Package,
    Parts,
    Report,
    Rule,
    Severity,
    Upgrade,
    Witness,
    purl_without_version,
)
from scanagg.policy import Policy, decide, judge_runs

_LICENSE_RULE: Final = Rule("license", "license", "Licence of a dependency")
_IMAGE_SCANNER: Final = "trivy"
_LICENSE_SCANNER: Final = "licenses"


def rejudge(report: Report, policy: Policy, clock: Clock | None = None) -> Report:
    """The report as this policy judges its findings and runs, at its own clock or another one.

    What was to be examined and was not stays so: an interruption, an image, scanners that the
    command line asked for. Packages, what the advisory store held and which upgrades it knew stay
    too. Whether a scanner's `when` holds cannot be asked without the files: the scanner is taken as
    required, and a notice says so.
    """
    clock = clock or report.clock
    decision = decide(findings_of(report), policy, clock.now)
    asked, unasked = _always(policy)
    gate = judge_runs(
        report.runs,
        decision,
        asked,
        required=frozenset(report.terms.only),
        now=clock.now,
        interrupted=report.gate.exit_code == ExitCode.INTERRUPTED,
        problems=report.terms.problems,
        data=report.data,
    )
    told = (*report.terms.notices, *_other(report, policy))
    terms = replace(report.terms, notices=tuple(dict.fromkeys(told)))
    notices = (*gate.notices, *unasked, *terms.notices)
    return replace(
        report,
        policy=policy.info,
        clock=clock,
        findings=decision.judged,
        gate=replace(gate, notices=notices, attempts=report.gate.attempts),
        waivers=decision.waivers,
        licenses=decision.licenses,
        terms=terms,
        upgrades=tuple(_unblocking(one, decision.judged) for one in report.upgrades),
    )


def same_text(report: Report, policy: Policy) -> bool:
    """Whether the report was judged by this policy, its text and its further files alike."""
    one, other = report.policy, policy.info
    return (one.digest, one.files) == (other.digest, other.files)


def findings_of(report: Report) -> tuple[Finding, ...]:
    """Every finding, and one for each package with an allowed licence: others may deny that."""
    found = tuple(judged.finding for judged in report.findings)
    judged = {_key(one.package) for one in found if one.license and one.package}
    return found + tuple(
        _license_finding(one) for one in report.licenses if _key(one.package) not in judged
    )


def _always(policy: Policy) -> tuple[Policy, tuple[str, ...]]:
    """The policy without conditions on files, and a notice for each scanner that had one."""
    scanners = policy.file.scanners
    unsure = [name for name, entry in scanners.items() if entry.required and entry.when]
    if not unsure:
        return policy, ()
    entries = {name: msgspec.structs.replace(each, when=None) for name, each in scanners.items()}
    file = msgspec.structs.replace(policy.file, scanners=entries)
    notices = (
        f"{name}: a report does not tell whether its `when` holds: taken as required"
        for name in unsure
    )
    return replace(policy, file=file), tuple(notices)


def _other(report: Report, policy: Policy) -> tuple[str, ...]:
    """That the check went by another policy, if it did."""
    if same_text(report, policy):
        return ()
    return (f"judged again: the check went by the policy {report.policy.name}",)


def _unblocking(advice: Upgrade, judged: Sequence[Judged]) -> Upgrade:
    """The advice with what blocks by these verdicts.

    Where that is something else than before, nobody has looked up which version would be enough.
    """
    blocking = {
        one.finding.rule.id
        for one in judged
        if one.verdict.action is Action.BLOCK
        and one.finding.category is Category.VULNERABILITY
        and one.finding.package
        and one.finding.package.purl == advice.package.purl
    }
    unblocks = tuple(name for name in advice.clears if name in blocking)
    if set(unblocks) == set(advice.unblocks):
        return advice
    return replace(advice, unblocks=unblocks, to_unblock=None)


# Packages whose licence was allowed.


def _key(package: Package) -> tuple[str, tuple[Location, ...]]:
    return package.purl, package.places


def _license_finding(said: Licensed) -> Finding:
    package, facts = said.package, said.facts
    stated = facts.stated
    parts = Parts(
        Category.LICENSE.value, license_name(facts), purl_without_version(package.purl), "", ""
    )
    whole_id = fingerprint(parts, 0)
    scanner = _IMAGE_SCANNER if facts.source == _IMAGE_SCANNER else _LICENSE_SCANNER
    identity = f"{package.name} {package.version}"
    return Finding(
        id=whole_id[:12],
        fingerprint=whole_id,
        category=Category.LICENSE,
        rule=_LICENSE_RULE,
        title=f"{identity}: {stated or 'no licence stated'}",
        message=f"{identity} states its licence as {stated}.",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=package.places[0] if package.places else None,
        places=package.places,
        witnesses=(Witness(scanner, _LICENSE_RULE.id, Severity.UNKNOWN),),
        package=package,
        license=facts,
        parts=parts,
        history=said.history,
    )
