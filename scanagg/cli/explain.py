"""`scanagg explain`: why one finding has the verdict that it has."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.cli import options
from scanagg.cli.files import last_report
from scanagg.cli.output import tell
from scanagg.cli.page import advisory_lines
from scanagg.core.errors import UsageError
from scanagg.core.text import one_line
from scanagg.gate.rejudge import findings_of, same_text
from scanagg.model import Location, Report
from scanagg.policy.explain import Explanation, RuleList, explain, find
from scanagg.reports import phrases, wire
from scanagg.reports.reasons import sentence, sentences

_MOST_EXPLAINED: Final = 5
_MOST_LISTED: Final = 50

_Name = Annotated[
    str,
    typer.Argument(
        metavar="FINDING",
        help="Id of a finding, its first 4 or more digits, or an advisory id.",
    ),
]
_Stored = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Read this scanagg.json. Default: that of the last check."
    ),
]


def command(
    finding: _Name,
    path: options.Folder = Path(),
    report: _Stored = None,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Explain the verdict on a finding of a stored report.

    Shows each rule with its answer, and each waiver with the reason why it does not match.

    Exit codes: 0 explained, 2 no such finding, or a file cannot be used.
    """
    root = options.folder_of(path)
    settings, loaded = options.project_policy(policy, root)
    place = report or last_report(root, settings)
    stored = wire.read(place)
    moment = options.time_of(now) or stored.clock.now
    findings = find(findings_of(stored), finding)
    if not findings:
        hint = "`scanagg check -v` shows the id of each finding; the report must be of that check."
        raise UsageError(f"no finding {one_line(finding)!r} in {one_line(str(place))}", hint)
    if not same_text(stored, loaded):
        note = (
            f"Note: the report was judged by another policy ({stored.policy.name}, "
            f"{stored.policy.source}) than this, or by another state of it."
        )
        tell([note, ""])
    if len(findings) > _MOST_EXPLAINED:
        tell([f"{len(findings)} findings are called that. Name one by its id:"])
        for one in findings[:_MOST_LISTED]:
            package = f"  {one.package.name} {one.package.version}" if one.package else ""
            where = f"  {_place(one.location)}" if one.location else ""
            tell([f"  {one.id}  {one.rule.id}{package}{where}"])
        if len(findings) > _MOST_LISTED:
            tell([f"  and {len(findings) - _MOST_LISTED} more"])
        return
    for one in findings:
        tell(_lines(explain(one, loaded, moment), stored))


def _place(place: Location) -> str:
    return f"{place.path}:{place.start_line}" if place.start_line else place.path


def _lines(explanation: Explanation, report: Report) -> Iterator[str]:
    """Yield the whole page, section by section."""
    yield from _identity(explanation, report.target.name)
    yield from _upgrade(explanation, report)
    yield from _severity(explanation)
    yield f"Origin: {explanation.origin}"
    history = explanation.finding.history
    yield f"  {history.change.value} against the base: {sentence(history.reason)}"
    if history.first_seen:
        yield f"  on record here since {history.first_seen:%Y-%m-%d}"
    yield ""
    license_ = explanation.license
    if license_:
        yield f"Licence: {license_.verdict.value}"
        yield f"  {license_.expression}, from {license_.source or 'no metadata'}"
        if license_.term:
            yield f"  the part that decides: {license_.term}"
        yield ""
    for rules in explanation.rule_lists:
        yield from _rules(rules)
    for rules in explanation.rule_lists:
        yield from _grace(rules)
    yield "Waivers"
    for waiver, reason in explanation.waivers:
        state = sentence(reason) if reason else "covers this finding"
        yield f"  {waiver.place} ({waiver.owner}, until {waiver.expires}): {state}"
    if not explanation.waivers:
        yield "  the policy has none"
    yield ""
    yield "Seen by"
    for witness, count in Counter(explanation.finding.witnesses).items():
        times = f", {count} times" if count > 1 else ""
        yield f"  {witness.scanner} as {witness.rule}, severity {witness.severity.value}{times}"
    yield ""


def _identity(explanation: Explanation, app: str) -> Iterator[str]:
    """Yield the verdict, and all that identifies the finding."""
    finding, judged = explanation.finding, explanation.judged
    package, advisory = finding.package, finding.advisory
    yield f"{finding.rule.id}: {finding.title}"
    if judged is None:
        yield "  allowed: no finding, for the policy allows the licence"
    else:
        verdict = judged.verdict
        yield f"  {verdict.action.value} by rule {verdict.rule}: {sentences(verdict.reasons)}"
    yield f"  id {finding.id}, fingerprint {finding.fingerprint}"
    if package:
        kind = {True: ", direct", False: ", transitive", None: ""}[package.direct]
        yield f"  {package.name} {package.version} ({package.scope.value}{kind})"
        if len(package.chain) > 1:
            yield f"  {phrases.dependency_path(package, app)}"
        yield from (f"  required in {phrases.place(place)}" for place in package.asked)
    for place in finding.places or ((finding.location,) if finding.location else ()):
        yield f"  in {_place(place)}"
    if advisory:
        lines = (*phrases.alarms(advisory), *advisory_lines(finding, advisory))
        yield from (f"  {line}" for line in lines)
    if finding.in_source:
        yield f"  hidden from its scanner in the source: {finding.in_source}"
    yield ""


def _upgrade(explanation: Explanation, report: Report) -> Iterator[str]:
    """Yield what to do about a vulnerable package, by the report."""
    finding = explanation.finding
    package = finding.package
    if package is None or explanation.judged is None or finding.advisory is None:
        return
    yield "What to do"
    upgrade = phrases.upgrades_by_purl(report).get(package.purl)
    yield f"  {phrases.vulnerability_fix(explanation.judged, upgrade)}"
    for advice in phrases.upgrade_advice(report):
        if advice.upgrade.package.purl == package.purl:
            yield f"  {advice}"
            yield from (f"  {remark}" for remark in advice.remarks)
            if phrases.unchecked_upgrades(report) and advice.upgrade.to is not None:
                yield f"  {phrases.UNCHECKED}"
    yield ""


def _severity(explanation: Explanation) -> Iterator[str]:
    """Yield the severity, and the claims that it was chosen from."""
    severity, compared = explanation.severity, explanation.compared
    as_other = "" if compared is severity else f", compared as {compared.value}"
    yield f"Severity: {severity.value}{as_other}"
    for number, claim in enumerate(explanation.claims):
        decides = "  <- decides" if number == 0 else ""
        yield f"  {phrases.severity_claim(claim)}{decides}"
    if not explanation.claims:
        yield "  no source says anything"
    if explanation.override:
        yield f"  override of the policy: {explanation.override}"
    yield from (f"  {sentence(reason)}" for reason in explanation.reasons)
    yield ""


def _rules(rules: RuleList) -> Iterator[str]:
    """Yield the rules that were asked, with their answers."""
    yield f"Locked rules of {rules.source}" if rules.source else "Rules, in order"
    width = max((len(one.rule) for one in rules.asked), default=0)
    for one in rules.asked:
        yield f"  {one.rule:<{width}}  {one.action:<5}  {one.answer}"
    if not rules.asked:
        yield "  none was asked"
    if rules.unasked and rules.asked:
        yield f"  {rules.unasked} after that were not asked"
    if not rules.unasked and not any(one.matches for one in rules.asked) and not rules.source:
        yield "  no rule matches: the default holds"
    yield ""


def _grace(rules: RuleList) -> Iterator[str]:
    """Yield when the grace time of the matching rule starts and ends."""
    clock = rules.clock
    if clock is None:
        return
    yield "Grace time"
    if clock.start:
        yield f"  starts on {clock.start:%Y-%m-%d}: the later of publication and first sight"
    if clock.deadline:
        yield f"  blocks from {clock.deadline:%Y-%m-%d %H:%M} UTC"
    else:
        yield f"  {sentence(clock.reason)}"
    yield ""
