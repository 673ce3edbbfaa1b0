"""The terminal page of a check: the verdict and why, the runs, what blocks, the reports."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Final

import msgspec
from msgspec.structs import replace
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scanagg.cli.files import WrittenReports, short_path
from scanagg.cli.output import complain
from scanagg.cli.tables import (
    ACTION_STYLES,
    OUTCOME_STYLES,
    SEVERITY_STYLES,
    STATUS_STYLES,
    status_word,
)
from scanagg.core.errors import ExitCode
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Action,
    Advisory,
    Finding,
    Judged,
    Outcome,
    Package,
    Reason,
    Report,
    Severity,
    Status,
    Upgrade,
    disagreement,
)
from scanagg.reports import coverage, phrases, secrets
from scanagg.reports.coverage import CoverageGap
from scanagg.reports.reasons import sentence, sentences

_SHOWN_FINDINGS: Final = 20
_SHOWN_INPUTS: Final = 3
_SHOWN_DEADLINES: Final = 5
_SHOWN_PLACES: Final = 3
_SHOWN_UPGRADES: Final = 3
_SHOWN_NAMES: Final = 12
_SHOWN_PAGES: Final = 5
_LEAST_WIDTH: Final = 40
_SNIPPET_WIDTH: Final = 160


def show_page(report: Report, written: WrittenReports, *, quiet: bool, verbose: bool) -> int:
    """Print the page, and problems with reports to standard error; return the exit code.

    The outcome is incomplete if a report is not written.
    """
    gate = report.gate
    if written.problems and gate.exit_code in (ExitCode.PASS, ExitCode.BLOCKED):
        missing = Reason(
            "reports-not-written",
            {"count": len(written.problems), "outcome": gate.outcome.value.upper()},
        )
        gate = replace(
            gate,
            outcome=Outcome.INCOMPLETE,
            exit_code=ExitCode.INCOMPLETE,
            reasons=(missing, *gate.reasons),
        )
        report = replace(report, gate=gate)
    buffer = StringIO()
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.file = buffer
    console.width = max(console.width, _LEAST_WIDTH)
    report, unlikely = secrets.set_aside(report)
    gaps = coverage.gaps(report)
    page = _Page(console, report, gaps, phrases.upgrades_by_purl(report), verbose)
    page.verdict()
    if not quiet:
        page.overview()
        page.runs()
        page.not_examined()
        page.findings()
        page.upgrades()
        page.deadlines()
        page.counts()
        page.note(secrets.summary(unlikely))
        if verbose:
            page.waivers_and_data()
        page.notices()
        page.reports(written)
    # Without the spaces by which tables pad their lines to the full width.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()))
    sys.stdout.flush()
    for number, problem in enumerate(written.problems, 1):
        # The hint is the same for all.
        complain(problem.message, problem.hint if number == len(written.problems) else "")
    return gate.exit_code


class _Page(msgspec.Struct, frozen=True):
    """The sections of the page; `verbose` shows every finding, and everything about it."""

    console: Console
    report: Report
    gaps: Sequence[CoverageGap]
    upgrades_by_purl: Mapping[str, Upgrade]
    verbose: bool

    def heading(self, text: str, style: str = "bold") -> None:
        """Print a heading after an empty line."""
        self.console.print()
        self.console.print(Text(text, style))

    def bullets(self, lines: Iterable[str], style: str = "", *, apart: bool = False) -> None:
        """Print untrusted lines as a list, `apart` after an empty line."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(overflow="fold")
        for line in lines:
            table.add_row("-", Text(one_line(line), style))
        if table.rows:
            self.console.print(Padding(table, (int(apart), 0, 0, 2)))

    def paragraph(self, text: str, style: str = "", indent: int = 2) -> None:
        """Print an indented paragraph."""
        self.console.print(Padding(Text(text, style), (0, 0, 0, indent)))

    def note(self, text: str) -> None:
        """Print an empty line and the text in a dim style; nothing for an empty text."""
        if text:
            self.console.print()
            self.console.print(Text(text, "dim"))

    def more(self, count: int, where: str) -> None:
        """Print how many items are left out, and where they are; nothing for none."""
        if count > 0:
            self.paragraph(f"… and {count:,} more: see {where}")

    def verdict(self) -> None:
        """Print the outcome and its reasons."""
        report, gate = self.report, self.report.gate
        title = f"  {one_line(report.target.name)}, policy {one_line(report.policy.name)}"
        outcome = (gate.outcome.value.upper(), OUTCOME_STYLES[gate.outcome])
        self.console.print(Text.assemble(outcome, title))
        self.bullets(coverage.reasons(report, self.gaps))
        self.bullets(map(self.gap_line, self.causes()))

    def overview(self) -> None:
        """Print the sum of all findings, the base, and what the change does to its own gate."""
        summary = phrases.findings_summary(self.report)
        if summary:
            self.console.print(Text(summary, "bold"))
        if summary or self.report.base:
            self.console.print(Text(phrases.compared_with(self.report.base), "dim"))
        if self.report.gate.attempts:
            self.heading(phrases.LOOSENS_GATE, "bold yellow")
            self.bullets(map(sentence, self.report.gate.attempts), "yellow")

    def runs(self) -> None:
        """Print a table of the runs."""
        counts: dict[str, Counter[Severity]] = defaultdict(Counter)
        for judged in self.report.findings:
            for scanner in judged.finding.scanners:
                counts[scanner][judged.severity] += 1
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
        table.add_column("scanner", no_wrap=True)
        table.add_column("status", no_wrap=True)
        table.add_column("examined", justify="right", overflow="fold")
        table.add_column("findings", overflow="fold")
        table.add_column("seconds", justify="right", no_wrap=True)
        for run in self.report.runs:
            inputs = run.coverage
            examined = f"{inputs.examined:,} of {inputs.wanted:,} {inputs.unit}"
            table.add_row(
                run.scanner,
                Text(status_word(run.status), STATUS_STYLES[run.status]),
                examined if inputs.wanted else "-",
                _severities(counts[run.scanner]),
                f"{run.seconds:.1f}",
            )
        self.console.print()
        self.console.print(table)

    def causes(self) -> list[CoverageGap]:
        """Return the gaps of the scanners for which the verdict has no cause of its own."""
        summarised = coverage.summarised(self.report, self.gaps)
        return [gap for gap in self.gaps if not summarised.isdisjoint(gap.scanners)]

    def not_examined(self) -> None:
        """Print each other gap, unless the verdict says it, or a scanner was skipped."""
        shown_above = {id(gap) for gap in self.causes()}
        named = coverage.named(self.report)
        lines = [
            self.gap_line(gap)
            for gap in self.gaps
            if id(gap) not in shown_above
            and not named.issuperset(gap.scanners)
            and any(run.status is not Status.SKIPPED for run in gap.runs)
        ]
        self.bullets(lines, "yellow", apart=True)

    def gap_line(self, gap: CoverageGap) -> str:
        """Return what was not examined, with the first inputs; if verbose, with all of them."""
        names = list(dict.fromkeys(one_line(item.input) for item in gap.inputs))
        if self.verbose and not gap.has_one_reason:
            lines = (f"{one_line(item.input)}: {sentence(item.reason)}" for item in gap.inputs)
            return f"{gap.text}; {'; '.join(lines)}"
        if gap.is_of_machine or len(names) < 2 or not gap.has_one_reason:
            return gap.text
        shown = names if self.verbose else names[:_SHOWN_INPUTS]
        more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
        return f"{gap.text}: {', '.join(shown)}{more}"

    def findings(self) -> None:
        """Print the blocking findings, new ones first, then the worst; if verbose, all findings."""
        findings = phrases.new_first(
            judged
            for judged in self.report.findings
            if self.verbose or judged.verdict.action is Action.BLOCK
        )
        if not findings:
            return
        self.heading("Findings" if self.verbose else "Blocking")
        shown = findings if self.verbose else findings[:_SHOWN_FINDINGS]
        for judged in shown:
            action = judged.verdict.action
            title = Text.assemble(
                (judged.severity.value, SEVERITY_STYLES[judged.severity]),
                (f"  {one_line(judged.finding.rule.id)}  ", "bold"),
                one_line(judged.finding.title),
            )
            if action is not Action.BLOCK:
                title.append(f"  [{action.value}]", ACTION_STYLES[action])
            self.console.print(Padding(title, (1, 0, 0, 2)))
            for text, style in self.finding_lines(judged):
                self.paragraph(text, style, indent=4)
        self.more(len(findings) - len(shown), "the reports")

    def finding_lines(self, judged: Judged) -> Iterator[tuple[str, str]]:
        """Yield the lines about a finding, each with its style."""
        finding, now = judged.finding, self.report.clock.now
        package = finding.package
        places = list(dict.fromkeys(map(phrases.place, finding.places)))
        where = ", ".join(places[:_SHOWN_PLACES])
        if len(places) > _SHOWN_PLACES:
            where += f" and {len(places) - _SHOWN_PLACES} more places"
        name = one_line(f"{package.name} {package.version}") if package else ""
        yield " in ".join(filter(None, (name, where))), ""
        if snippet := (finding.snippet or "").strip():
            yield f"> {shorten(one_line(snippet), _SNIPPET_WIDTH)}", "cyan"
        if confidence := secrets.confidence(finding):
            yield confidence, ""
        origin = f"{phrases.origin_of(judged)}; " if self.report.base else ""
        scanners = ", ".join(finding.scanners)
        yield f"{origin}found by {scanners}; rule {judged.verdict.rule}; id {finding.id}", "dim"
        if finding.advisory and package:
            yield from self.vulnerability_lines(judged, finding.advisory, package)
        if judged.deadline:
            yield phrases.deadline(judged, now), "yellow"
        if judged.waiver:
            yield f"waived: {phrases.waived_by(judged.waiver, now)}", "dim"
            yield f"{one_line(judged.waiver.reason)} ({one_line(judged.waiver.place)})", "dim"
        if finding.in_source:
            yield f"hidden in the source by {one_line(finding.in_source)}", "dim"
        yield from ((phrases.void_waiver(void), "yellow") for void in judged.void_waivers)

    def vulnerability_lines(
        self, judged: Judged, advisory: Advisory, package: Package
    ) -> Iterator[tuple[str, str]]:
        """Yield alarms, severity, dependency path and fix; if verbose, all about the advisory."""
        yield from ((alarm, "bold red") for alarm in phrases.alarms(advisory))
        name = self.report.target.name
        if self.verbose:
            lines = [
                *phrases.severity_lines(judged),
                *advisory_lines(judged.finding, advisory),
                phrases.dependency_summary(package, name),
            ]
        else:
            path = phrases.dependency_path(package, name)
            lines = [
                phrases.severity_decision(judged),
                sentences(disagreement(judged.severity_sources)),
                f"{path}; {package.scope.value}" if path else "",
            ]
        yield from ((line, "dim") for line in lines if line)
        upgrade = self.upgrades_by_purl.get(package.purl)
        yield phrases.vulnerability_fix(judged, upgrade), "green"

    def upgrades(self) -> None:
        """Print the upgrades that clear most; if verbose, all of them and all about them."""
        if not self.report.upgrades:
            return
        summary = f"What to upgrade: {phrases.upgrades_summary(self.report)}"
        unchecked = phrases.unchecked_upgrades(self.report)
        self.heading(f"{summary} The versions are {unchecked}." if unchecked else summary)
        advices = phrases.upgrade_advice(self.report)
        shown = advices if self.verbose else advices[:_SHOWN_UPGRADES]
        for advice in shown:
            self.paragraph(str(advice))
            for remark in advice.remarks if self.verbose else ():
                self.paragraph(remark, indent=4)
        self.more(len(advices) - len(shown), "the reports, or use -v")

    def deadlines(self) -> None:
        """Print the warnings that will block, the first ones first."""
        coming = phrases.blocking_later(self.report)
        if coming:
            self.heading("Blocking later")
        for judged in coming[:_SHOWN_DEADLINES]:
            package = judged.finding.package
            name = f" in {package.name} {package.version}" if package else ""
            deadline = phrases.deadline(judged, self.report.clock.now)
            self.bullets([f"{judged.finding.rule.id}{name} {deadline}"], "yellow")
        self.more(len(coming) - _SHOWN_DEADLINES, "the reports")

    def counts(self) -> None:
        """Print how many findings block, warn, and so on."""
        counts: dict[Action, Counter[Severity]] = defaultdict(Counter)
        for judged in self.report.findings:
            counts[judged.verdict.action][judged.severity] += 1
        if counts:
            self.console.print()
        for action in sorted(counts, key=[*Action].index):
            line = Text(f"{action.value:<7}", ACTION_STYLES[action])
            self.console.print(line.append_text(_severities(counts[action])))

    def waivers_and_data(self) -> None:
        """Print every waiver with its state, and the advisory data that was used."""
        if self.report.waivers:
            self.heading("Waivers")
        for use in self.report.waivers:
            waiver = use.waiver
            text = f"{phrases.waiver_targets(waiver)}, {waiver.owner}: {phrases.waiver_status(use)}"
            style = "yellow" if phrases.needs_attention(use) else "dim"
            self.bullets([f"{text} ({waiver.place})"], style)
        sources = phrases.data_sources(self.report)
        if sources:
            self.heading("Data")
            lines = (f"{source.name} ({source.user}): {source.about}" for source in sources)
            self.bullets(lines, "dim")

    def notices(self) -> None:
        """Print the notices of the gate and of the runs."""
        notices = [*coverage.notices(self.report), phrases.missing_data(self.report)]
        for run in self.report.runs:
            notices += [f"{run.scanner}: {sentence(notice)}" for notice in run.notices]
            notices += [f"{run.scanner}: {text}" for text in phrases.suppressed(self.report, run)]
        self.bullets(filter(None, notices), "dim", apart=True)

    def reports(self, written: WrittenReports) -> None:
        """Print the paths of the reports, and what these leave out."""
        if written.paths:
            self.console.print()
            self.bullets(written.notices, "yellow")
        for path in written.paths:
            self.console.print(Text(f"report  {one_line(short_path(path))}"), soft_wrap=True)


def _severities(counts: Counter[Severity]) -> Text:
    text = Text()
    for severity in Severity:
        if counts[severity]:
            text.append(", " if text else "")
            text.append(f"{counts[severity]} {severity.value}", SEVERITY_STYLES[severity])
    return text or Text("-", "dim")


def advisory_lines(finding: Finding, advisory: Advisory) -> Iterator[str]:
    """Yield names, dates, likelihood, weaknesses and pages of an advisory."""
    names = [one_line(name) for name in advisory.aliases]
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    if names:
        yield f"also called {', '.join(names[:_SHOWN_NAMES])}{more}"
    yield phrases.fixes_and_dates(advisory)
    if likelihood := phrases.likelihood(advisory):
        yield likelihood
    if finding.rule.cwe:
        yield ", ".join(map(one_line, finding.rule.cwe))
    yield from map(one_line, advisory.references[:_SHOWN_PAGES])
    if len(advisory.references) > _SHOWN_PAGES:
        yield f"and {len(advisory.references) - _SHOWN_PAGES} more pages, in scanagg.json"
