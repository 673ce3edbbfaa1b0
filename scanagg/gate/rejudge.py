"""Judge the report of an earlier check again, by another policy or at another time."""

from collections import Counter
from typing import Final

from msgspec.structs import replace

from scanagg.core.errors import ExitCode
from scanagg.findings.fingerprint import fingerprint, license_name
from scanagg.model import (
    Action,
    Anchor,
    Category,
    Clock,
    Confidence,
    Finding,
    Licensed,
    Parts,
    Reason,
    Report,
    Rule,
    Severity,
    Upgrade,
    Witness,
    purl_without_version,
)
from scanagg.policy.gate import CheckResults, judge_runs
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy
from scanagg.scanners.base import all_scanners, scanner_infos, usual_scanner
from scanagg.upgrades.plan import most_useful_first

_LICENSE_RULE: Final = Rule("license", "license", "Licence of a dependency")


def rejudge(report: Report, policy: Policy, clock: Clock | None = None) -> Report:
    """Return the report as this policy judges it, by its own clock or another one.

    Gaps of the check, packages, advisory data and upgrades stay. A report does not have the files
    of the project, so a scanner with `when` counts as required, and a notice says so.
    """
    clock = clock or report.clock
    decision = decide(findings_of(report), policy, clock.now)
    scanners = policy.file.scanners
    unsure = [
        Reason("when-unknown", {"scanner": name})
        for name, entry in scanners.items()
        if entry.required and entry.when
    ]
    unconditional = replace(
        policy.file,
        scanners={name: replace(entry, when=None) for name, entry in scanners.items()},
    )
    notices = [*report.terms.notices]
    if not same_text(report, policy):
        notices.append(Reason("judged-again", {"policy": report.policy.name}))
    terms = replace(report.terms, notices=tuple(dict.fromkeys(notices)))
    results = CheckResults(
        runs=report.runs,
        decision=decision,
        now=clock.now,
        terms=replace(terms, notices=(*unsure, *terms.notices)),
        data=report.data,
        interrupted=report.gate.exit_code == ExitCode.INTERRUPTED,
    )
    gate = judge_runs(results, replace(policy, file=unconditional))
    blocking = {
        (judged.finding.package.purl, judged.finding.rule.id)
        for judged in decision.judged
        if judged.verdict.action is Action.BLOCK and judged.finding.package
    }
    return replace(
        report,
        policy=policy.info,
        clock=clock,
        findings=decision.judged,
        gate=replace(gate, attempts=report.gate.attempts),
        waivers=decision.waivers,
        licenses=decision.licenses,
        terms=terms,
        upgrades=most_useful_first(_unblocking(upgrade, blocking) for upgrade in report.upgrades),
        scanners=scanner_infos(),
    )


def same_text(report: Report, policy: Policy) -> bool:
    """Return True if this policy judged the report: the digests of all its files are the same."""
    before, now = report.policy, policy.info
    return (before.digest, before.files) == (now.digest, now.files)


def findings_of(report: Report) -> tuple[Finding, ...]:
    """Return every finding, and one for each allowed licence: another policy may deny it."""
    findings = [judged.finding for judged in report.findings]
    ordinals = Counter(finding.parts for finding in findings)
    known = {
        (finding.package.purl, finding.package.places)
        for finding in findings
        if finding.license and finding.package
    }
    for licensed in report.licenses:
        if (licensed.package.purl, licensed.package.places) not in known:
            finding = _license_finding(licensed, ordinals)
            ordinals[finding.parts] += 1
            findings.append(finding)
    return tuple(findings)


def _unblocking(upgrade: Upgrade, blocking: set[tuple[str, str]]) -> Upgrade:
    """Return the upgrade with the vulnerabilities that block now, by purl and id.

    If these differ from before, the lowest version without them is not known.
    """
    purl = upgrade.package.purl
    unblocks = tuple(name for name in upgrade.clears if (purl, name) in blocking)
    if set(unblocks) == set(upgrade.unblocks):
        return upgrade
    return replace(upgrade, unblocks=unblocks, to_unblock=None)


def _license_finding(licensed: Licensed, ordinals: Counter[Parts | None]) -> Finding:
    """Return the finding; `ordinals` counts those before it, by their parts."""
    package, facts = licensed.package, licensed.facts
    stated = facts.stated
    parts = Parts(
        Category.LICENSE.value, license_name(facts), purl_without_version(package.purl), "", ""
    )
    digest = fingerprint(parts, ordinals[parts])
    # A licence that is not from metadata has the name of its scanner as the source.
    scanner = usual_scanner(Category.LICENSE)
    if facts.source in all_scanners():
        scanner = facts.source
    identity = f"{package.name} {package.version}"
    return Finding(
        id=digest[:12],
        fingerprint=digest,
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
        anchors=(Anchor(parts),),
        history=licensed.history,
    )
