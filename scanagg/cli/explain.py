"""`scanagg explain`: why one finding has the verdict that it has."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.cli import page
from scanagg.cli import request as options
from scanagg.cli.gate import project_policy
from scanagg.cli.output import tell
from scanagg.core.errors import UsageError
from scanagg.core.text import one_line
from scanagg.gate.rejudge import findings_of, same_text
from scanagg.model import Finding, Location, Report
from scanagg.pipeline import REPORTS
from scanagg.policy import Policy
from scanagg.policy.explain import Explanation, RuleList, explain, find
from scanagg.reports import phrases, wire

_MOST: Final = 5
_LISTED: Final = 50

_Name = Annotated[
    str,
    typer.Argument(
        metavar="FINDING",
        help="The id of a finding or its first digits (4 or more), or an id of an advisory.",
    ),
]
_Stored = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Default: scanagg.json where check puts it."),
]


def command(
    finding: _Name,
    path: options.Folder = Path(),
    report: _Stored = None,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Say of a finding in a stored report what it is, and why the policy judges it as it does.

    Every rule that was asked is shown with its answer, and every waiver with why it does not match.

    Exit codes: 0 explained, 2 no such finding, or a file cannot be used.
    """

    root = options.folder_of(path)
    settings, loaded = project_policy(policy, root)
    place = report or root / (settings.output_dir or REPORTS) / "scanagg.json"
    read = wire.read(place)
    moment = options.time_of(now) or read.clock.now
    found = find(findings_of(read), finding)
    if not found:
        hint = "`scanagg check -v` shows the id of each finding; the report must be of that check."
        raise UsageError(f"no finding {one_line(finding)!r} in {one_line(str(place))}", hint)
    tell(_head(read, loaded))
    if len(found) > _MOST:
        tell(_list(found))
        return
    for one in found:
        tell(_lines(explain(one, loaded, moment), read))


def _head(report: Report, policy: Policy) -> Iterator[str]:
    """What the policy is, where that is not the one of the report."""

    if not same_text(report, policy):
        yield (
            f"Note: the report was judged by another policy ({report.policy.name}, "
            f"{report.policy.source}) than this, or by another state of it."
        )
        yield ""


def _list(found: Sequence[Finding]) -> Iterator[str]:
    yield f"{len(found)} findings are called that. Name one by its id:"
    for one in found[:_LISTED]:
        yield f"  {one.id}  {_what(one)}"
    if len(found) > _LISTED:
        yield f"  and {len(found) - _LISTED} more"


def _what(finding: Finding) -> str:
    package = f"  {finding.package.name} {finding.package.version}" if finding.package else ""
    where = f"  {_place(finding.location)}" if finding.location else ""
    return f"{finding.rule.id}{package}{where}"


def _place(place: Location) -> str:
    return f"{place.path}:{place.start_line}" if place.start_line else place.path


def _lines(said: Explanation, report: Report) -> Iterator[str]:
    """The whole page, section by section."""
    yield from _verdict(said)
    yield from _identity(said.finding, report.target.name)
    yield from _upgrade(said, report)
    yield from _severity(said)
    yield from _origin(said)
    yield from _license(said)
    for book in said.rule_lists:
        yield from _rules(book)
    yield from _grace(said)
    yield from _waivers(said)
    yield "Seen by"
    for witness, count in Counter(said.finding.witnesses).items():
        times = f", {count} times" if count > 1 else ""
        yield f"  {witness.scanner} as {witness.rule}, severity {witness.severity.value}{times}"
    yield ""


def _verdict(said: Explanation) -> Iterator[str]:
    yield f"{said.finding.rule.id}: {said.finding.title}"
    if said.judged is None:
        yield "  allowed: no finding, for the policy allows the licence"
        return
    verdict = said.judged.verdict
    yield f"  {verdict.action.value} by rule {verdict.rule}: {verdict.reason}"


def _identity(finding: Finding, app: str) -> Iterator[str]:

    package, advisory = finding.package, finding.advisory
    yield f"  id {finding.id}, fingerprint {finding.fingerprint}"
    if package:
        kind = {True: ", direct", False: ", transitive", None: ""}[package.direct]
        yield f"  {package.name} {package.version} ({package.scope.value}{kind})"
        yield from (f"  {line}" for line in page.entry(package, app))
    for place in finding.places or ((finding.location,) if finding.location else ()):
        yield f"  in {_place(place)}"
    if advisory:
        yield from (
            f"  {line}" for line in (*phrases.alarms(advisory), *page.facts(finding, advisory))
        )
    if finding.in_source:
        yield f"  hidden from its scanner in the source: {finding.in_source}"
    yield ""


def _upgrade(said: Explanation, report: Report) -> Iterator[str]:
    """What to do about the package of a vulnerability, by the report."""

    package = said.finding.package
    if package is None or said.judged is None or said.finding.advisory is None:
        return
    yield "What to do"
    upgrade = phrases.upgrades_by_purl(report).get(package.purl)
    yield f"  {phrases.vulnerability_fix(said.judged, upgrade)}"
    for advice in phrases.upgrade_advice(report):
        if advice.upgrade.package.purl == package.purl:
            yield f"  {advice}"
            yield from (f"  {remark}" for remark in advice.remarks)
            if phrases.unchecked_upgrades(report) and advice.upgrade.to is not None:
                yield f"  {phrases.UNCHECKED}"
    yield ""


def _severity(said: Explanation) -> Iterator[str]:

    compared = "" if said.compared is said.severity else f", compared as {said.compared.value}"
    yield f"Severity: {said.severity.value}{compared}"
    for place, claim in enumerate(said.claims):
        decides = "  <- decides" if place == 0 else ""
        yield f"  {phrases.severity_claim(claim)}{decides}"
    if not said.claims:
        yield "  no source says anything"
    if said.override:
        yield f"  override of the policy: {said.override}"
    if said.note:
        yield f"  {said.note}"
    yield ""


def _origin(said: Explanation) -> Iterator[str]:
    history = said.finding.history
    yield f"Origin: {said.origin}"
    yield f"  {history.change.value} against the base: {history.reason}"
    if history.first_seen:
        yield f"  on record here since {history.first_seen:%Y-%m-%d}"
    yield ""


def _license(said: Explanation) -> Iterator[str]:
    found = said.license
    if found is None:
        return
    yield f"Licence: {found.verdict.value}"
    yield f"  {found.expression}, from {found.source or 'no metadata'}"
    if found.term:
        yield f"  the part that decides: {found.term}"
    yield ""


def _rules(book: RuleList) -> Iterator[str]:
    yield f"Locked rules of {book.source}" if book.source else "Rules, in order"
    width = max((len(each.rule) for each in book.asked), default=0)
    for each in book.asked:
        yield f"  {each.rule:<{width}}  {each.action:<5}  {each.answer}"
    if not book.asked:
        yield "  none was asked"
    if book.unasked and book.asked:
        yield f"  {book.unasked} after that were not asked"
    if not book.unasked and not any(each.matches for each in book.asked) and not book.source:
        yield "  no rule matches: the default holds"
    yield ""


def _grace(said: Explanation) -> Iterator[str]:
    for book in said.rule_lists:
        clock = book.clock
        if clock is None:
            continue
        yield "Grace time"
        if clock.start:
            yield f"  starts on {clock.start:%Y-%m-%d}: the later of publication and first sight"
        if clock.deadline:
            yield f"  blocks from {clock.deadline:%Y-%m-%d %H:%M} UTC"
        if clock.note:
            yield f"  {clock.note}"
        yield ""


def _waivers(said: Explanation) -> Iterator[str]:
    yield "Waivers"
    for waiver, reason in said.waivers:
        state = reason or "covers this finding"
        yield f"  {waiver.place} ({waiver.owner}, until {waiver.expires}): {state}"
    if not said.waivers:
        yield "  the policy has none"
    yield ""
