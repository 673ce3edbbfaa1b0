"""A Markdown summary of the report, for the summary page of a GitHub job."""

from collections.abc import Iterator, Mapping
from typing import Final

from scanagg.model import (
    Action,
    Category,
    Judged,
    Outcome,
    Report,
    Severity,
    Upgrade,
)
from scanagg.reports import phrases
from scanagg.reports.links import advisory_url, cwe_url, https_url
from scanagg.reports.md.text import MOST_LINES, bullets, code, escape, link, more, row
from scanagg.reports.reasons import sentence

NAME: Final = "md"
FILENAME: Final = "scanagg.md"
ABOUT: Final = "A Markdown summary, small enough for the summary page of a GitHub job."

# GitHub refuses a job summary over 1 MiB. With these bounds the longest is well under that, even
# if every character takes four bytes.
MOST_FINDINGS: Final = 100
MOST_INPUTS: Final = 10
MOST_UPGRADES: Final = 10
MOST_DETAILS: Final = 30
MOST_VOID: Final = 2
SUMS_WIDTH: Final = 500
_DATA_WIDTH: Final = 400
_MOST_NAMES: Final = 8
_MOST_REMARKS: Final = 5
_MOST_PAGES: Final = 5
_MOST_CLAIMS: Final = 8

_SIGNS: Final = {Outcome.PASS: "✅", Outcome.BLOCKED: "❌", Outcome.INCOMPLETE: "⚠️"}


def render(report: Report) -> Iterator[str]:
    """Yield the summary in pieces, the verdict and what blocks first."""
    counts = phrases.count(report.findings)
    yield from _verdict(report)
    yield from _runs(report, counts)
    yield from _blocking(report, counts.actions[Action.BLOCK])
    yield from _upgrades(report)
    yield from _later(report)
    yield from _counts(report, counts)
    yield from _waivers(report)
    yield from _not_examined(report)
    yield from _data(report)
    yield from _notices(report)
    policy = report.policy
    words = [
        f"scanagg {escape(report.version)}",
        f"policy {escape(policy.name)} ({escape(policy.enforcement)})",
        f"judged at {report.clock.now:%Y-%m-%d %H:%M} UTC",
    ]
    revision = report.target.revision
    if revision and revision.commit:
        words.append(f"commit {code(revision.commit, 12)}")
    yield f"\n{' · '.join(words)}\n"
    yield from (f"\n{notice}\n" for notice in phrases.data_credits(report))


def _verdict(report: Report) -> Iterator[str]:
    """Yield the outcome, the findings in one line, and attempts to loosen the gate."""
    gate = report.gate
    yield f"## {_SIGNS[gate.outcome]} {phrases.OUTCOMES[gate.outcome]}: "
    yield f"{escape(report.target.name)}\n\n{phrases.OUTCOME_MEANS[gate.outcome]}\n\n"
    yield from bullets(f"**{escape(sentence(reason))}**" for reason in gate.reasons)
    sums = phrases.findings_summary(report)
    if sums:
        yield f"\n{escape(sums, SUMS_WIDTH)}\n"
    if sums or report.base:
        yield f"\n{escape(phrases.compared_with(report.base), SUMS_WIDTH)}\n"
    if gate.attempts:
        yield f"\n> [!CAUTION]\n> **{phrases.LOOSENS_GATE}**\n"
        yield from (
            f"> {line}" for line in bullets(escape(sentence(attempt)) for attempt in gate.attempts)
        )


def _runs(report: Report, counts: phrases.Counts) -> Iterator[str]:
    if not report.runs:
        yield "\nNo scanner ran.\n"
        return
    yield "\n### Scanners\n\n"
    yield row("Scanner", "Status", "Examined", "Findings", "Seconds")
    yield row("---", "---", "---", "---:", "---:")
    for run in report.runs:
        detail = f": {escape(sentence(run.detail))}" if run.detail else ""
        yield row(
            " ".join([f"**{escape(run.scanner)}**", escape(run.version or "", 40)]).strip(),
            phrases.STATUSES[run.status] + detail,
            phrases.examined(run),
            f"{counts.scanners[run.scanner]:,}",
            f"{run.seconds:.1f}",
        )


def _blocking(report: Report, total: int) -> Iterator[str]:
    """Yield the findings that block: new ones first, then the worst."""
    if not total:
        return
    yield f"\n### {phrases.plural(total, 'finding')} that block{'s' if total == 1 else ''}\n\n"
    origin = ("Origin",) if report.base else ()
    yield row("Severity", *origin, "Finding", "Place", "Rule", "Fix", "Reported by")
    yield row(*["---"] * (6 + len(origin)))
    blocking = [judged for judged in report.findings if judged.verdict.action is Action.BLOCK]
    shown = phrases.new_first(blocking)[:MOST_FINDINGS]
    upgrades = phrases.upgrades_by_purl(report)
    yield from (_finding(judged, report, upgrades) for judged in shown)
    if total > MOST_FINDINGS:
        yield f"\nand {total - MOST_FINDINGS:,} more in scanagg.json\n"
    vulnerabilities = [one for one in shown if one.finding.advisory and one.finding.package]
    if vulnerabilities:
        yield "\n<details><summary>Vulnerability details</summary>\n\n"
        for judged in vulnerabilities[:MOST_DETAILS]:
            yield from _detail(judged, report.target.name)
        yield "\n</details>\n"


def _finding(judged: Judged, report: Report, upgrades: Mapping[str, Upgrade]) -> str:
    finding, package = judged.finding, judged.finding.package
    severity = judged.severity.value
    if (
        finding.category is Category.VULNERABILITY
        and judged.severity is not Severity.UNKNOWN
        and judged.severity_sources
    ):
        severity = escape(phrases.severity_decision(judged))
    alarms = phrases.alarms(finding.advisory) if finding.advisory else ()
    place = [code(phrases.place(finding.location))]
    if package:
        place.append(code(f"{package.name} {package.version}"))
        place.append(escape(phrases.dependency_path(package, report.target.name)))
    return row(
        severity,
        *((phrases.origin_of(judged),) if report.base else ()),
        "<br>".join(
            (
                escape(finding.title),
                *(f"**{escape(alarm)}**" for alarm in alarms),
                *(escape(phrases.void_waiver(void)) for void in judged.void_waivers[:MOST_VOID]),
            )
        ),
        "<br>".join(filter(None, place)),
        link(finding.rule.id, finding.rule.url),
        escape(phrases.fix(judged, upgrades.get(package.purl) if package else None)),
        escape(", ".join(finding.scanners)),
    )


def _detail(judged: Judged, app: str) -> Iterator[str]:
    """Yield the details of a vulnerability."""
    finding = judged.finding
    advisory, package = finding.advisory, finding.package
    if advisory is None or package is None:
        return
    names = list(dict.fromkeys((advisory.id, *advisory.aliases)))[:_MOST_NAMES]
    pages = [page for page in advisory.references if https_url(page)][:_MOST_PAGES]
    yield f"- **{escape(finding.rule.id)}** {code(f'{package.name} {package.version}')}\n"
    lines = (
        ", ".join(link(name, advisory_url(name)) for name in names),
        *map(escape, phrases.severity_lines(judged)[:_MOST_CLAIMS]),
        *map(escape, phrases.alarms(advisory)),
        escape(phrases.likelihood(advisory)),
        escape(phrases.fixes_and_dates(advisory)),
        escape(phrases.dependency_summary(package, app)),
        ", ".join(link(name, cwe_url(name)) for name in finding.rule.cwe[:_MOST_NAMES]),
        ", ".join(link(page, page) for page in pages),
    )
    yield from (f"  - {line}\n" for line in lines if line)


def _upgrades(report: Report) -> Iterator[str]:
    """Yield the upgrades that clear the most vulnerabilities."""
    if not report.upgrades:
        return
    unchecked = phrases.unchecked_upgrades(report)
    also = f" The versions are {unchecked}." if unchecked else ""
    yield f"\n### What to upgrade\n\n{phrases.upgrades_summary(report)}{also}\n\n"
    yield row("Package", "Upgrade to", "Clears", "Notes") + row(*["---"] * 4)
    advice = phrases.upgrade_advice(report)
    for item in advice[:MOST_UPGRADES]:
        path = escape(phrases.dependency_path(item.upgrade.package, report.target.name))
        yield row(
            "<br>".join(filter(None, (code(item.package), path))),
            f"**{escape(item.to)}**",
            escape(item.gone),
            "<br>".join(map(escape, item.remarks[:_MOST_REMARKS])),
        )
    if len(advice) > MOST_UPGRADES:
        yield f"\n… and {len(advice) - MOST_UPGRADES:,} more in scanagg.json\n"


def _later(report: Report) -> Iterator[str]:
    """Yield the warnings that will block, by date."""
    lines = []
    for judged in phrases.blocking_later(report):
        finding, package = judged.finding, judged.finding.package
        where = f"{package.name} {package.version}" if package else phrases.place(finding.location)
        when = phrases.deadline(judged, report.clock.now)
        lines.append(f"{escape(finding.title)} {code(where)} **{when}**")
    if lines:
        yield "\n### Blocking later\n\n"
        yield from bullets(lines)


def _counts(report: Report, counts: phrases.Counts) -> Iterator[str]:
    if not counts.total and phrases.complete(report):
        yield "\nNo findings. Every applicable scanner examined all of its inputs.\n"
    elif not counts.total:
        yield "\nNo scanner reported a finding, but that does not make the project clean: "
        yield "not everything was examined.\n"
    else:
        yield "\n### Findings by severity\n\n"
        actions = [f"{counts.actions[one]:,} {one.value}" for one in Action if counts.actions[one]]
        yield f"{phrases.plural(counts.total, 'finding')}: {', '.join(actions)}.\n\n"
        names = [severity.value for severity in phrases.SEVERITIES]
        yield row("Category", *names) + row("---", *("---:" for _ in names))
        for category in counts.categories():
            numbers = counts.severities(category).values()
            yield row(phrases.CATEGORIES[category], *(f"{number:,}" for number in numbers))


def _waivers(report: Report) -> Iterator[str]:
    """Yield every waiver with its status, those that need attention first."""
    if not report.waivers:
        return
    yield "\n### Waivers\n\n"
    ordered = sorted(report.waivers, key=lambda use: not phrases.needs_attention(use))
    yield from bullets(
        f"{'⚠️ ' if phrases.needs_attention(use) else ''}"
        f"{code(phrases.waiver_targets(use.waiver))} {escape(use.waiver.owner)}: "
        f"{phrases.waiver_status(use)}; {escape(use.waiver.reason)}"
        for use in ordered
    )


def _not_examined(report: Report) -> Iterator[str]:
    gaps = phrases.gaps(report)
    if not gaps:
        return
    yield "\n### Not examined\n\n"
    for gap in gaps[:MOST_LINES]:
        yield f"- **{escape(gap.who)}** {escape(gap.what)}\n"
        for item in gap.inputs[:MOST_INPUTS]:
            yield f"  - {code(item.input)} {escape(sentence(item.reason))}\n"
        if len(gap.inputs) > MOST_INPUTS:
            yield f"  - and {len(gap.inputs) - MOST_INPUTS:,} more in scanagg.json\n"
    yield from more(len(gaps) - MOST_LINES)


def _data(report: Report) -> Iterator[str]:
    """Yield the data that the verdict depends on, and the data that is missing."""
    lines = [
        f"**{escape(data.name)}** ({escape(data.user)}): {escape(data.about, _DATA_WIDTH)}"
        for data in phrases.data_sources(report)
    ]
    if missing := phrases.missing_data(report):
        lines.append(missing)
    if lines:
        yield "\n### Data\n\n"
        yield from bullets(lines)


def _notices(report: Report) -> Iterator[str]:
    lines = [escape(sentence(notice)) for notice in report.gate.notices]
    for run in report.runs:
        name = escape(run.scanner)
        lines += [f"{name}: {escape(sentence(notice))}" for notice in run.notices]
        lines += [
            f"{name}: {number:,} suppressed in the project's own files ({escape(kind)})"
            for kind, number in sorted(run.hidden.items())
        ]
    if lines:
        yield "\n### Notices\n\n"
        yield from bullets(lines)
