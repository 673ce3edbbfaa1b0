"""`scanagg explain`: show why a finding has its verdict."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from scanagg.cli import completion, options
from scanagg.cli.files import last_report
from scanagg.cli.output import say
from scanagg.cli.page import advisory_lines
from scanagg.core.errors import UsageError
from scanagg.core.text import counted, one_line, printable, shorten
from scanagg.gate.rejudge import findings_of, same_text
from scanagg.model import Category, Confidence, Finding, PathKind, Report
from scanagg.model.paths import path_kind
from scanagg.policy.explain import Explanation, RuleList, explain, find
from scanagg.policy.schema import match_words
from scanagg.reports import phrases, secrets, wire
from scanagg.reports.reasons import sentence, sentences

_MOST_EXPLAINED: Final = 5
_MOST_LISTED: Final = 50
_SNIPPET_WIDTH: Final = 160
_WHY_WIDTH: Final = 500


def command(
    finding: Annotated[
        str,
        typer.Argument(
            metavar="FINDING",
            autocompletion=completion.findings,
            help="A finding's id or at least its first 4 digits, or the id of an advisory or rule.",
        ),
    ] = "",
    path: options.Folder = Path(),
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Read this scanagg.json. Default: the report of the last check.",
        ),
    ] = None,
    lookalikes: Annotated[
        bool,
        typer.Option(
            "--secrets",
            help="List the values that look like no secrets, by reason: explain --secrets [PATH].",
        ),
    ] = False,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Show what a finding of the last check is, and why it has its verdict.

    Show each rule with the first condition that failed, and why each waiver does not match.

    Exit codes: 0 explained, 2 no such finding, or a file cannot be used.
    """
    if lookalikes:
        if finding and path != Path():
            message = "--secrets takes a folder, but no finding"
            raise UsageError(message, "Run `scanagg explain --secrets PATH`.")
        path = Path(finding) if finding else path
    elif not finding:
        advice = "Run `scanagg explain FINDING` or `scanagg explain --secrets`."
        raise UsageError("a finding is missing", advice)
    root = options.folder_of(path)
    settings, loaded = options.project_policy(policy, root)
    place = report or last_report(root, settings)
    stored = wire.read(place)
    if lookalikes:
        say(*_lookalikes(stored))
        return
    moment = options.time_of(now) or stored.clock.now
    findings = find(findings_of(stored), finding)
    if not findings:
        message = f"no finding {one_line(finding)!r} in {one_line(str(place))}"
        raise UsageError(message, "Run `scanagg check -v` to see the id of each finding.")
    if not same_text(stored, loaded):
        judged_by = f"{stored.policy.name} ({stored.policy.source})"
        say(f"Note: the report was judged by another policy or version of it: {judged_by}.", "")
    pages = [Page(explain(match, loaded, moment), stored) for match in findings[:_MOST_EXPLAINED]]
    if len(findings) > _MOST_EXPLAINED:
        say(*_listed(finding, findings, pages[0]))
        return
    for page in pages:
        say(*page.lines())


def _listed(name: str, findings: Sequence[Finding], first: "Page") -> Iterator[str]:
    """Yield a list of findings, and the texts of their rule if all have the same one."""
    yield f"{len(findings)} findings match {one_line(name)!r}. Give the id of one of them:"
    for match in findings[:_MOST_LISTED]:
        package = f"  {match.package.name} {match.package.version}" if match.package else ""
        where = f"  {phrases.place(match.location)}" if match.location else ""
        yield f"  {match.id}  {match.rule.id}{package}{where}"
    if len(findings) > _MOST_LISTED:
        yield f"  and {len(findings) - _MOST_LISTED} more"
    if findings[0].package is None and len({match.rule.id for match in findings}) == 1:
        for section in map(list, (first.why(), first.fix())):
            yield from ("", *section) if section else ()


def _lookalikes(report: Report) -> Iterator[str]:
    """Yield all values that look like no secrets, whatever their verdict, by reason."""
    groups = secrets.lookalikes(
        judged
        for judged in report.findings
        if judged.finding.category is Category.SECRET
        and judged.finding.confidence is Confidence.UNLIKELY
    )
    for group in groups:
        yield f"{group.number}: {group.reason}"
        for judged in group.findings:
            finding = judged.finding
            yield f"  {finding.id}  {phrases.place(finding.location)}"
            if snippet := (finding.snippet or "").strip():
                yield f"    > {shorten(one_line(snippet), _SNIPPET_WIDTH)}"
        yield ""
    if not groups:
        yield "no unlikely secrets"


class Page(msgspec.Struct, frozen=True):
    """The sections of the page about a finding."""

    explanation: Explanation
    report: Report

    def lines(self) -> Iterator[str]:
        """Yield the whole page, with an empty line after each section."""
        sections = (
            *(self.finding(), self.why(), self.fix()),
            *(self.severity(), self.origin(), self.license()),
            *map(self.rules, self.explanation.rule_lists),
            *map(self.grace, self.explanation.rule_lists),
            *(self.waivers(), self.witnesses()),
        )
        for section in map(list, sections):
            yield from (*section, "") if section else ()

    def finding(self) -> Iterator[str]:
        """Yield the verdict, and everything that identifies the finding."""
        finding, judged = self.explanation.finding, self.explanation.judged
        package, advisory = finding.package, finding.advisory
        yield f"{finding.rule.id}: {finding.title}"
        if judged is None:
            yield "  allowed: the policy allows the licence, so this is not a finding"
        else:
            verdict = judged.verdict
            yield f"  {verdict.action.value} by rule {verdict.rule}: {sentences(verdict.reasons)}"
        yield f"  id {finding.id}, fingerprint {finding.fingerprint}"
        if confidence := secrets.confidence(finding):
            yield f"  {confidence}"
        elif finding.confidence is not Confidence.UNKNOWN:
            reason = finding.confidence_reason
            why = f" ({sentence(reason)})" if reason else ""
            yield f"  confidence: {finding.confidence.value}{why}"
        if package:
            kind = {True: ", direct", False: ", transitive", None: ""}[package.direct]
            yield f"  {package.name} {package.version} ({package.scope.value}{kind})"
            if len(package.chain) > 1 or package.resolved:
                yield f"  {phrases.dependency_path(package, self.report.target.name)}"
            yield from (f"  required in {phrases.place(place)}" for place in package.asked)
        places = finding.places or ((finding.location,) if finding.location else ())
        # Places may differ only in columns, which are not shown.
        for place in {phrases.place(place): place for place in places}.values():
            suggested = path_kind(place.path)
            marked = "" if suggested is PathKind.PRODUCTION else f" ({suggested.value})"
            yield f"  in {phrases.place(place)}{marked}"
        if advisory:
            lines = (*phrases.alarms(advisory), *advisory_lines(finding, advisory))
            yield from (f"  {line}" for line in lines)
        if finding.in_source:
            yield f"  hidden in the source by {finding.in_source}"

    def why(self) -> Iterator[str]:
        """Yield why it matters, or what is published about a vulnerability."""
        finding = self.explanation.finding
        text = shorten(" ".join(printable(finding.rule.why).split()), _WHY_WIDTH)
        if text:
            yield "Description" if finding.advisory else "Why it matters"
            yield f"  {text}"

    def fix(self) -> Iterator[str]:
        """Yield how to fix the finding, for a vulnerability with the upgrades in the report."""
        finding, judged = self.explanation.finding, self.explanation.judged
        if judged is None:
            return
        package = finding.package
        upgrade = phrases.upgrades_by_purl(self.report).get(package.purl) if package else None
        yield "What to do"
        yield f"  {phrases.fix(judged, upgrade)}"
        for words, code in phrases.example(finding.rule):
            yield f"  {words}:"
            yield from (f"    {line}" for line in code.splitlines())
        if package is None or finding.advisory is None:
            return
        for advice in phrases.upgrade_advice(self.report):
            if advice.upgrade.package.purl == package.purl:
                yield f"  {advice}"
                yield from (f"  {remark}" for remark in advice.remarks)
                if phrases.unchecked_upgrades(self.report) and advice.upgrade.to is not None:
                    yield f"  {phrases.UNCHECKED}"

    def severity(self) -> Iterator[str]:
        """Yield the severity, and the sources that it was chosen from."""
        severity, compared = self.explanation.severity, self.explanation.compared
        as_other = "" if compared is severity else f", compared as {compared.value}"
        yield f"Severity: {severity.value}{as_other}"
        for number, claim in enumerate(self.explanation.claims):
            decides = "  <- decides" if number == 0 else ""
            yield f"  {phrases.severity_claim(claim)}{decides}"
        if not self.explanation.claims:
            yield "  no source gives a severity"
        if self.explanation.override:
            yield f"  policy override for {match_words(self.explanation.override.match)}"
        yield from (f"  {sentence(reason)}" for reason in self.explanation.reasons)

    def origin(self) -> Iterator[str]:
        """Yield where the finding comes from."""
        history = self.explanation.finding.history
        yield f"Origin: {self.explanation.origin}"
        yield f"  {history.change.value}: {sentence(history.reason)}"
        if history.first_seen:
            yield f"  first recorded in this repository on {history.first_seen:%Y-%m-%d}"

    def license(self) -> Iterator[str]:
        """Yield the verdict on the licence of the package."""
        decision = self.explanation.license
        if decision:
            yield f"Licence: {decision.verdict.value}"
            yield f"  {decision.expression} (source: {decision.source or 'none'})"
            if decision.term:
                yield f"  decided by {decision.term}"

    def rules(self, rules: RuleList) -> Iterator[str]:
        """Yield the rules of one policy file that were tried."""
        yield f"Locked rules of {rules.source}, in order" if rules.source else "Rules, in order"
        width = max((len(tried.rule.id) for tried in rules.tried), default=0)
        for tried in rules.tried:
            answer = f"matches: {match_words(tried.rule.match)}"
            if tried.failed:
                answer = f"no match: needs {tried.failed} (finding: {tried.has})"
            yield f"  {tried.rule.id:<{width}}  {tried.rule.action:<5}  {answer}"
        if not rules.tried:
            yield "  none tried"
        elif rules.untried:
            yield f"  {counted(rules.untried, 'later rule')} not tried"
        if not rules.source and not rules.untried and not rules.has_match:
            yield f"  no rule matches, so the default applies: {rules.default}"

    def grace(self, rules: RuleList) -> Iterator[str]:
        """Yield when the grace time of the rule that matches started, and when it ends."""
        clock = rules.clock
        if clock:
            yield "Grace"
            if clock.start:
                yield f"  started on {clock.start:%Y-%m-%d}, when the finding became known"
            if clock.deadline:
                yield f"  blocks from {clock.deadline:%Y-%m-%d %H:%M} UTC"
            else:
                yield f"  {sentence(clock.reason)}"

    def waivers(self) -> Iterator[str]:
        """Yield each waiver with why it does not match."""
        yield "Waivers"
        for waiver, reason in self.explanation.waivers:
            state = sentence(reason) if reason else "covers this finding"
            yield f"  {waiver.place} ({waiver.owner}, until {waiver.expires}): {state}"
        if not self.explanation.waivers:
            yield "  none"

    def witnesses(self) -> Iterator[str]:
        """Yield each scanner that saw the finding."""
        yield "Reported by"
        for witness, count in Counter(self.explanation.finding.witnesses).items():
            times = f", {count} times" if count > 1 else ""
            yield f"  {witness.scanner} as {witness.rule}, severity {witness.severity.value}{times}"
