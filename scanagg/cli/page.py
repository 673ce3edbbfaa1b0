"""The terminal page of a check: the verdict and why, the runs, what blocks, the reports."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from scanagg.cli.output import complain
from scanagg.cli.tables import (
    ACTION_STYLES,
    OUTCOME_STYLES,
    SEVERITY_STYLES,
    STATUS_STYLES,
    status_word,
)
from scanagg.core.errors import OutputError
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Action,
    Advisory,
    Finding,
    Judged,
    Package,
    Report,
    Run,
    Severity,
    Status,
    Upgrade,
)
from scanagg.reports import phrases

_SHOWN_FINDINGS: Final = 20
_SHOWN_DEADLINES: Final = 5
_LEAST_WIDTH: Final = 40
_PLACE_LIMIT: Final = 3
_SEVERITIES: Final = tuple(Severity)
_SNIPPET_WIDTH: Final = 160


@dataclass(slots=True)
class Written:
    """The reports that were written, what they leave out, and why others were not."""

    paths: list[Path] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[OutputError] = field(default_factory=list)


_SHOWN_UPGRADES: Final = 3


_SHOWN_NAMES: Final = 12


_SHOWN_PAGES: Final = 5


def print_page(
    report: Report,
    written: Written,
    *,
    quiet: bool,
    verbose: bool,
) -> None:
    """Print the page to standard output, and problems with reports to standard error."""
    plain = not Console(file=sys.stdout).is_terminal
    page = StringIO()
    console = Console(
        file=page if plain else sys.stdout, highlight=False, emoji=False, markup=False
    )
    console.width = max(console.width, _LEAST_WIDTH)
    _verdict(console, report)
    if not quiet:
        _sums(console, report)
        _attempts(console, report)
        _runs(console, report, verbose=verbose)
        _findings(console, report, verbose=verbose)
        _upgrades(console, report, verbose=verbose)
        _deadlines(console, report)
        _rest(console, report)
        _waivers(console, report, verbose=verbose)
        _data(console, report, verbose=verbose)
        _notices(console, report)
        _reports(console, written)
    # Tables pad their lines to the full width; a log need not keep that.
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())
    for problem in written.problems:
        complain(problem.message, problem.hint)


def _verdict(console: Console, report: Report) -> None:
    gate = report.gate
    style = OUTCOME_STYLES[gate.outcome]
    console.print(
        Text.assemble(
            (gate.outcome.value.upper(), style),
            f"  {one_line(report.target.name)}, policy {one_line(report.policy.name)}",
        )
    )
    for reason in gate.reasons:
        _bullet(console, one_line(reason))


def _sums(console: Console, report: Report) -> None:
    """All findings in one line, and what they were compared with."""
    sums = phrases.findings_summary(report)
    if sums:
        console.print(Text(sums, "bold"))
    if sums or report.base:
        console.print(Text(phrases.compared_with(report.base), "dim"))


def _attempts(console: Console, report: Report) -> None:
    """What the change does to its own gate, where that was judged without it."""
    if not report.gate.attempts:
        return
    console.print()
    console.print(Text(phrases.LOOSENS_GATE, "bold yellow"))
    for attempt in report.gate.attempts:
        _bullet(console, one_line(attempt), "yellow")


def _bullet(console: Console, text: str, style: str = "") -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row("-", Text(text, style))
    console.print(Padding(table, (0, 0, 0, 2)))


def _runs(console: Console, report: Report, *, verbose: bool) -> None:
    counts = _severities_by_scanner(report)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("scanner", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("examined", justify="right", overflow="fold")
    table.add_column("findings", overflow="fold")
    table.add_column("seconds", justify="right", no_wrap=True)
    for run in report.runs:
        table.add_row(
            run.scanner,
            Text(status_word(run.status), STATUS_STYLES[run.status]),
            _examined(run),
            _counted(counts.get(run.scanner, Counter())),
            f"{run.seconds:.1f}",
        )
    console.print(table)
    for run in report.runs:
        _gaps(console, run, verbose=verbose)


def _severities_by_scanner(report: Report) -> dict[str, Counter[Severity]]:
    counts: dict[str, Counter[Severity]] = {}
    for judged in report.findings:
        for scanner in judged.finding.scanners:
            counts.setdefault(scanner, Counter())[judged.severity] += 1
    return counts


def _examined(run: Run) -> str:
    if run.status is Status.NOT_APPLICABLE:
        return "-"
    return f"{run.coverage.examined} of {run.coverage.found} {run.coverage.unit}"


def _counted(counts: Counter[Severity]) -> Text:
    text = Text()
    for severity in _SEVERITIES:
        if counts[severity]:
            text.append(", " if text else "")
            text.append(f"{counts[severity]} {severity.value}", SEVERITY_STYLES[severity])
    return text or Text("-", "dim")


def _gaps(console: Console, run: Run, *, verbose: bool) -> None:
    """Why a run is not whole, with the first input that is missing; all of them where asked for."""
    if run.status not in (Status.OK, Status.NOT_APPLICABLE):
        _bullet(
            console, f"{run.scanner}: {one_line(run.detail) or status_word(run.status)}", "yellow"
        )
    for gap in run.coverage.gaps[1:] if verbose and run.status is Status.DEGRADED else ():
        _bullet(console, f"{run.scanner}: {one_line(gap.input)}: {one_line(gap.reason)}")


def _findings(console: Console, report: Report, *, verbose: bool) -> None:
    """The blocking findings, new ones first, then the worst; every finding where asked for."""
    chosen = phrases.new_first(
        judged for judged in report.findings if verbose or judged.verdict.action is Action.BLOCK
    )
    shown = chosen if verbose else chosen[:_SHOWN_FINDINGS]
    if shown:
        console.print("Findings" if verbose else "Blocking", style="bold")
    advice = phrases.upgrades_by_purl(report)
    for judged in shown:
        lines = _lines(judged, report, advice, verbose=verbose)
        _finding(console, judged, lines)
    if len(shown) < len(chosen):
        console.print(f"  … and {len(chosen) - len(shown)} more that block, see the reports")


def _finding(console: Console, judged: Judged, lines: Iterable[tuple[str, str]]) -> None:
    finding = judged.finding
    action = judged.verdict.action
    head = Text()
    head.append(judged.severity.value, SEVERITY_STYLES[judged.severity])
    head.append(f"  {one_line(finding.rule.id)}  ", "bold")
    head.append(one_line(finding.title))
    if action is not Action.BLOCK:
        head.append(f"  [{action.value}]", ACTION_STYLES[action])
    console.print(Padding(head, (1, 0, 0, 2)))
    for text, style in lines:
        console.print(Padding(Text(text, style), (0, 0, 0, 4)), soft_wrap=False)


def _lines(
    judged: Judged, report: Report, advice: Mapping[str, Upgrade], *, verbose: bool
) -> Iterable[tuple[str, str]]:
    finding, package = judged.finding, judged.finding.package
    yield _where(finding), ""
    if finding.snippet and finding.snippet.strip():
        yield f"> {shorten(one_line(finding.snippet.strip()), _SNIPPET_WIDTH)}", "cyan"
    seen = ", ".join(finding.scanners)
    origin = f"{phrases.origin_of(judged)}; " if report.base else ""
    yield f"{origin}seen by {seen}; rule {judged.verdict.rule}; id {finding.id}", "dim"
    yield from told(judged, report.target.name, whole=verbose)
    fix = _fix(judged, advice.get(package.purl) if package else None)
    if fix:
        yield fix, "green"
    yield from _standing(judged, report)


def _standing(judged: Judged, report: Report) -> Iterable[tuple[str, str]]:
    """Deadline and waivers, those without effect too."""
    now = report.clock.now
    if judged.deadline:
        yield phrases.deadline(judged, now), "yellow"
    if judged.waiver:
        yield f"waived: {phrases.waived_by(judged.waiver, now)}", "dim"
        yield f"{one_line(judged.waiver.reason)} ({one_line(judged.waiver.place)})", "dim"
    if judged.finding.in_source:
        yield f"hidden in the source by {one_line(judged.finding.in_source)}", "dim"
    for one in judged.void_waivers:
        yield phrases.void_waiver(one), "yellow"


def _deadlines(console: Console, report: Report) -> None:
    """The warnings that will block, the first ones first."""
    coming = phrases.blocking_later(report)
    if not coming:
        return
    console.print()
    console.print("Blocking later", style="bold")
    for judged in coming[:_SHOWN_DEADLINES]:
        finding = judged.finding
        package = finding.package
        name = f" in {package.name} {package.version}" if package else ""
        said = f"{finding.rule.id}{name} {phrases.deadline(judged, report.clock.now)}"
        _bullet(console, one_line(said), "yellow")
    if len(coming) > _SHOWN_DEADLINES:
        console.print(f"  … and {len(coming) - _SHOWN_DEADLINES} more, see the reports")


def _waivers(console: Console, report: Report, *, verbose: bool) -> None:
    """Every waiver with what became of it, where asked for."""
    if not (verbose and report.waivers):
        return
    console.print()
    console.print("Waivers", style="bold")
    for use in report.waivers:
        waiver = use.waiver
        said = f"{phrases.waiver_targets(waiver)}, {waiver.owner}: {phrases.waiver_status(use)}"
        style = "yellow" if phrases.needs_attention(use) else "dim"
        _bullet(console, one_line(f"{said} ({waiver.place})"), style)


def _where(finding: Finding) -> str:
    package = finding.package
    named = one_line(f"{package.name} {package.version}") if package else ""
    places = list(dict.fromkeys(map(phrases.place, finding.places)))
    more = f" and {len(places) - _PLACE_LIMIT} more places" if len(places) > _PLACE_LIMIT else ""
    where = ", ".join(places[:_PLACE_LIMIT]) + more
    return " in ".join(part for part in (named, where) if part)


def _fix(judged: Judged, upgrade: Upgrade | None) -> str:
    advisory = judged.finding.advisory
    if advisory is None:
        return ""
    if upgrade is None and not advisory.malicious:
        versions = advisory.fixed_versions
        fixed = ", ".join(map(one_line, versions))
        return f"fixed in {fixed}" if versions else "no fixed version is known"
    return phrases.vulnerability_fix(judged, upgrade)


def _upgrades(console: Console, report: Report, *, verbose: bool) -> None:
    """What to upgrade, short."""
    if not report.upgrades:
        return
    unchecked = phrases.unchecked_upgrades(report)
    said = f"What to upgrade: {phrases.upgrades_summary(report)}"
    console.print()
    console.print(Text(f"{said} The versions are {unchecked}." if unchecked else said, "bold"))
    for line in upgrades(report, verbose=verbose):
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _data(console: Console, report: Report, *, verbose: bool) -> None:
    """What the verdict rests on, where asked for."""
    lines = list(data(report)) if verbose else []
    if not lines:
        return
    console.print()
    console.print("What the verdict rests on", style="bold")
    for line in lines:
        _bullet(console, line, "dim")


def _rest(console: Console, report: Report) -> None:
    """Counts of what does not block."""
    counts: dict[Action, Counter[Severity]] = {}
    for judged in report.findings:
        counts.setdefault(judged.verdict.action, Counter())[judged.severity] += 1
    if not report.findings:
        return
    console.print()
    for action in Action:
        if action in counts:
            line = Text(f"{action.value:<7}", ACTION_STYLES[action])
            console.print(line.append_text(_counted(counts[action])))


def _notices(console: Console, report: Report) -> None:
    missing = phrases.missing_data(report)
    notices = [*report.gate.notices, *([missing] if missing else ())]
    for run in report.runs:
        notices.extend(f"{run.scanner}: {notice}" for notice in run.notices)
        hidden = ", ".join(f"{count} by {kind}" for kind, count in run.hidden.items() if count)
        if hidden:
            notices.append(f"{run.scanner}: the project's own files hide or mark {hidden}")
    if notices:
        console.print()
    for notice in notices:
        _bullet(console, one_line(notice), "dim")


def _reports(console: Console, written: Written) -> None:
    if not written.paths:
        return
    console.print()
    for notice in written.notices:
        _bullet(console, one_line(notice), "yellow")
    for path in written.paths:
        console.print(Text(f"report  {_relative(path)}"), soft_wrap=True)


def _relative(path: Path) -> str:
    try:
        return one_line(str(path.resolve().relative_to(Path.cwd())))
    except ValueError:
        return one_line(str(path))


def told(judged: Judged, app: str, *, whole: bool) -> Iterator[tuple[str, str]]:
    """What is known of a vulnerability, each line with its style; `whole`: all of it."""
    finding = judged.finding
    advisory, package = finding.advisory, finding.package
    if advisory is None or package is None:
        return
    for alarm in phrases.alarms(advisory):
        yield alarm, "bold red"
    words = phrases.severity_lines(judged)
    if whole:
        yield from ((each, "dim") for each in words)
        yield from ((each, "dim") for each in facts(finding, advisory))
        yield from ((each, "dim") for each in (phrases.dependency_summary(package, app),) if each)
        return
    way = phrases.dependency_path(package, app)
    scope = f"; {package.scope.value}" if way else ""
    straight = "" if len(package.chain) > 1 else f"{way}{scope}"
    dispute = phrases.disagreement(judged.severity_sources)
    yield (
        "; ".join(each for each in (phrases.severity_decision(judged), dispute, straight) if each),
        "dim",
    )
    if len(package.chain) > 1:
        yield f"{way}{scope}", "dim"


def facts(finding: Finding, advisory: Advisory) -> Iterator[str]:
    """Names, dates, likelihood, weaknesses and pages of an advisory."""
    names = [one_line(name) for name in advisory.aliases]
    more = len(names) - _SHOWN_NAMES
    also = f" and {more} more" if more > 0 else ""
    if names:
        yield f"also called {', '.join(names[:_SHOWN_NAMES])}{also}"
    yield phrases.fixes_and_dates(advisory)
    if likely := phrases.likelihood(advisory):
        yield likely
    if finding.rule.cwe:
        yield ", ".join(map(one_line, finding.rule.cwe))
    yield from map(one_line, advisory.references[:_SHOWN_PAGES])
    if len(advisory.references) > _SHOWN_PAGES:
        yield f"and {len(advisory.references) - _SHOWN_PAGES} more pages, in scanagg.json"


def entry(package: Package, app: str) -> Iterator[str]:
    """How a package comes in, and the lines where people ask for it."""
    way = phrases.dependency_path(package, app)
    if len(package.chain) > 1:
        yield way
    for place in package.asked:
        yield f"asked for in {phrases.place(place)}"


def upgrades(report: Report, *, verbose: bool) -> Iterator[str]:
    """The upgrades that clear most, one a line; all of them and all about them where asked for."""
    made = phrases.upgrade_advice(report)
    for advice in made if verbose else made[:_SHOWN_UPGRADES]:
        yield str(advice)
        if verbose:
            yield from (f"  {remark}" for remark in advice.remarks)
    if not verbose and len(made) > _SHOWN_UPGRADES:
        yield f"… and {len(made) - _SHOWN_UPGRADES:,} more: -v and the reports show all"


def data(report: Report) -> Iterator[str]:
    """What the verdict rests on, one line for each."""
    for one in phrases.data_sources(report):
        yield f"{one.name} ({one.user}): {one.about}"
