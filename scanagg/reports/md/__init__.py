"""The report as a summary in Markdown, made for the summary page of a job on GitHub."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from scanagg.model import Action, Judged, NotExamined, Outcome, Report, Run, Upgrade
from scanagg.reports import phrases
from scanagg.reports.md import vulnerabilities as _known
from scanagg.reports.md.text import MOST_LINES, bullets, code, escape, link, more, row

NAME: Final = "md"
FILENAME: Final = "scanagg.md"
ABOUT: Final = "A summary in Markdown that fits the summary page of a job on GitHub."

# GitHub refuses a job summary over 1 MiB. With these bounds the longest is well under that, even
# where every character takes four bytes.
MOST_FINDINGS: Final = 100
MOST_INPUTS: Final = 10
SUMS_WIDTH: Final = 500
MOST_VOID: Final = 2

_SIGNS: Final = {Outcome.PASS: "✅", Outcome.BLOCKED: "❌", Outcome.INCOMPLETE: "⚠️"}


def render(report: Report) -> Iterator[str]:
    """The summary in pieces: verdict, attempts, runs, what blocks, upgrades, counts, and more."""
    counts = phrases.count(report.findings)
    yield from _verdict(report)
    yield from _sums(report)
    yield from _attempts(report)
    yield from _runs(report, counts)
    yield from _blocking(report, counts.actions[Action.BLOCK])
    yield from _known.upgrades(report)
    yield from _later(report)
    yield from _counts(report, counts)
    yield from _waivers(report)
    yield from _not_examined(report)
    yield from _known.data(report)
    yield from _notices(report)
    yield "\n" + _footer(report) + "\n"
    yield from (f"\n{notice}\n" for notice in phrases.data_credits(report))


def _verdict(report: Report) -> Iterator[str]:
    gate = report.gate
    yield f"## {_SIGNS[gate.outcome]} {phrases.OUTCOMES[gate.outcome]}: "
    yield f"{escape(report.target.name)}\n\n{phrases.OUTCOME_MEANS[gate.outcome]}\n\n"
    yield from bullets(f"**{escape(reason)}**" for reason in gate.reasons)


def _sums(report: Report) -> Iterator[str]:
    """All findings in one line, and what they were compared with."""
    sums = phrases.findings_summary(report)
    if sums:
        yield f"\n{escape(sums, SUMS_WIDTH)}\n"
    if sums or report.base:
        yield f"\n{escape(phrases.compared_with(report.base), SUMS_WIDTH)}\n"


def _attempts(report: Report) -> Iterator[str]:
    """What the change does to its own gate, as an alert."""
    if not report.gate.attempts:
        return
    yield f"\n> [!CAUTION]\n> **{phrases.LOOSENS_GATE}**\n"
    attempts = [f"> - {escape(attempt)}\n" for attempt in report.gate.attempts]
    yield from attempts[:MOST_LINES]
    if len(attempts) > MOST_LINES:
        yield f"> - and {len(attempts) - MOST_LINES:,} more\n"


def _runs(report: Report, counts: phrases.Counts) -> Iterator[str]:
    if not report.runs:
        yield "\nNo scanner ran.\n"
        return
    yield "\n### What was looked at\n\n"
    yield row("Scanner", "Status", "Examined", "Findings", "Seconds")
    yield row("---", "---", "---", "---:", "---:")
    for run in report.runs:
        yield row(
            " ".join([f"**{escape(run.scanner)}**", escape(run.version or "", 40)]).strip(),
            _status(run),
            phrases.examined(run),
            f"{counts.scanners[run.scanner]:,}",
            f"{run.seconds:.1f}",
        )


def _status(run: Run) -> str:
    detail = f": {escape(run.detail)}" if run.detail else ""
    return phrases.STATUSES[run.status] + detail


def _blocking(report: Report, total: int) -> Iterator[str]:
    """The findings that block: new ones first, then the worst."""
    if not total:
        return
    yield f"\n### {phrases.plural(total, 'finding')} that block{'s' if total == 1 else ''}\n\n"
    origin = ("Origin",) if report.base else ()
    yield row("Severity", *origin, "Finding", "Place", "Rule", "Fix", "Seen by")
    yield row(*["---"] * (6 + len(origin)))
    blocking = [one for one in report.findings if one.verdict.action is Action.BLOCK]
    first = phrases.new_first(blocking)[:MOST_FINDINGS]
    upgrades = phrases.upgrades_by_purl(report)
    for judged in first:
        from_where = phrases.origin(judged) if report.base else None
        yield _finding(judged, from_where, report.target.name, upgrades)
    if total > MOST_FINDINGS:
        yield f"\nand {total - MOST_FINDINGS:,} more in scanagg.json\n"
    yield from _known.details(first, report)


def _finding(judged: Judged, origin: str | None, app: str, upgrades: Mapping[str, Upgrade]) -> str:
    found = judged.finding
    package = found.package
    place = code(phrases.place(found.location))
    owner = code(f"{package.name} {package.version}") if package else ""
    void = (escape(phrases.void_waiver(one)) for one in judged.void_waivers[:MOST_VOID])
    return row(
        _known.severity(judged),
        *(() if origin is None else (origin,)),
        "<br>".join((escape(found.title), *_known.alarms(found.advisory), *void)),
        "<br>".join(part for part in (place, owner, _known.way(package, app)) if part),
        link(found.rule.id, found.rule.url),
        escape(phrases.fix(judged, upgrades.get(package.purl) if package else None)),
        escape(", ".join(found.scanners)),
    )


def _later(report: Report) -> Iterator[str]:
    """The warnings that will block, the first ones first."""
    coming = phrases.blocking_later(report)
    if not coming:
        return
    yield "\n### Blocking later\n\n"
    yield from bullets(
        f"{escape(one.finding.title)} {_where(one)} **{phrases.deadline(one, report.clock.now)}**"
        for one in coming
    )


def _where(judged: Judged) -> str:
    found = judged.finding
    if found.package:
        return code(f"{found.package.name} {found.package.version}")
    return code(phrases.place(found.location))


def _waivers(report: Report) -> Iterator[str]:
    """Every waiver with what became of it; those that somebody should look at stand first."""
    if not report.waivers:
        return
    yield "\n### Waivers\n\n"
    ordered = sorted(report.waivers, key=lambda use: not phrases.needs_attention(use))
    yield from bullets(
        f"{'⚠️ ' if phrases.needs_attention(use) else ''}{code(phrases.waiver_targets(use.waiver))} "
        f"{escape(use.waiver.owner)}: {phrases.waiver_status(use)}; {escape(use.waiver.reason)}"
        for use in ordered
    )


def _counts(report: Report, counts: phrases.Counts) -> Iterator[str]:
    if not counts.total:
        yield "\n" + _nothing(report) + "\n"
        return
    yield "\n### What was found\n\n"
    actions = ", ".join(
        f"{number:,} {action.value}" for action in Action if (number := counts.actions[action])
    )
    yield f"{phrases.plural(counts.total, 'finding')}: {actions}.\n\n"
    names = [severity.value for severity in phrases.SEVERITIES]
    yield row("Category", *names) + row("---", *("---:" for _ in names))
    for category in counts.categories():
        numbers = counts.severities(category).values()
        yield row(phrases.CATEGORIES[category], *(f"{number:,}" for number in numbers))


def _nothing(report: Report) -> str:
    if phrases.complete(report):
        return "No findings. Every scanner that applies examined everything it was given."
    return "No scanner reported anything, which is not the same as clean: not all was examined."


def _not_examined(report: Report) -> Iterator[str]:
    gaps = phrases.gaps(report)
    if not gaps:
        return
    yield "\n### Not examined\n\n"
    for gap in gaps[:MOST_LINES]:
        yield f"- **{escape(gap.who)}** {escape(gap.what)}\n"
        yield from _inputs(gap.inputs)
    yield from more(len(gaps) - MOST_LINES)


def _inputs(inputs: Sequence[NotExamined]) -> Iterator[str]:
    for one in inputs[:MOST_INPUTS]:
        yield f"  - {code(one.input)} {escape(one.reason)}\n"
    if len(inputs) > MOST_INPUTS:
        yield f"  - and {len(inputs) - MOST_INPUTS:,} more in scanagg.json\n"


def _notices(report: Report) -> Iterator[str]:
    notices = [escape(notice) for notice in (*report.gate.notices, *report.target.notices)]
    for run in report.runs:
        name = escape(run.scanner)
        notices += [f"{name}: {escape(notice)}" for notice in run.notices]
        notices += [
            f"{name}: the project's own files hide {number:,} from it ({escape(kind)})"
            for kind, number in sorted(run.hidden.items())
        ]
    if notices:
        yield "\n### Notices\n\n"
        yield from bullets(notices)


def _footer(report: Report) -> str:
    policy = report.policy
    words = [
        f"scanagg {escape(report.version)}",
        f"policy {escape(policy.name)} ({escape(policy.enforcement)})",
        f"judged at {report.clock.now:%Y-%m-%d %H:%M} UTC",
    ]
    revision = report.target.revision
    if revision and revision.commit:
        words.append(f"commit {code(revision.commit, 12)}")
    return " · ".join(words)
