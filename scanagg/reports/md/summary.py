"""The values of the Markdown summary. Its text is in the template summary.md."""

from collections.abc import Iterator
from typing import Final

import jinja2

from scanagg.model import Action, Judged, Outcome, Report
from scanagg.reports import coverage, phrases, secrets
from scanagg.reports.links import advisory_url, cwe_url, https_url
from scanagg.reports.md.text import code, escape, link
from scanagg.reports.reasons import sentence

# GitHub refuses a job summary over 1 MiB. With these limits the longest is well under that, even
# if every character takes four bytes.
_LIMITS: Final = {
    "most_lines": 30,
    "most_findings": 100,
    "most_details": 30,
    "most_inputs": 10,
    "most_upgrades": 10,
    "most_remarks": 5,
    "most_void": 2,
    "fix_width": 240,  # of the longest text about a kind of secret
}
_MOST_NAMES: Final = 8
_MOST_PAGES: Final = 5
_MOST_CLAIMS: Final = 8

_ENVIRONMENT: Final = jinja2.Environment(  # noqa: S701 - the filters escape Markdown
    loader=jinja2.PackageLoader("scanagg.reports"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters.update(md=escape, code=code, link=link, number="{:,}".format)
_SIGNS: Final = {Outcome.PASS: "✅", Outcome.BLOCKED: "❌", Outcome.INCOMPLETE: "⚠️"}


def write(report: Report) -> Iterator[str]:
    """Yield the summary in pieces."""
    report, unlikely = secrets.set_aside(report)
    counts = phrases.count(report.findings)
    blocking = phrases.new_first(
        judged for judged in report.findings if judged.verdict.action is Action.BLOCK
    )
    gaps = coverage.gaps(report)
    notices = coverage.notices(report)
    for run in report.runs:
        notices += [f"{run.scanner}: {sentence(notice)}" for notice in run.notices]
        notices += [f"{run.scanner}: {text}" for text in phrases.suppressed(report, run)]
    return _ENVIRONMENT.get_template("summary.md").generate(
        report=report,
        phrases=phrases,
        confidence=secrets.confidence,
        unlikely=secrets.summary(unlikely),
        app=report.target.name,
        sign=_SIGNS[report.gate.outcome],
        counts=counts,
        actions=[
            f"{counts.actions[action]:,} {action.value}"
            for action in Action
            if counts.actions[action]
        ],
        blocking=blocking,
        vulnerabilities=[
            judged
            for judged in blocking[: _LIMITS["most_findings"]]
            if judged.finding.advisory and judged.finding.package
        ],
        details=_details,
        upgrades=phrases.upgrades_by_purl(report),
        advice=phrases.upgrade_advice(report),
        later=phrases.blocking_later(report),
        waivers=sorted(report.waivers, key=lambda use: not phrases.needs_attention(use)),
        gaps=gaps,
        reasons=coverage.reasons(report, gaps),
        complete=coverage.complete(report),
        detail=coverage.detail,
        data=phrases.data_sources(report),
        missing_data=phrases.missing_data(report),
        notices=notices,
        **_LIMITS,
    )


def _details(judged: Judged, app: str) -> list[str]:
    """Return the details of a vulnerability as Markdown."""
    finding = judged.finding
    advisory, package = finding.advisory, finding.package
    if advisory is None or package is None:
        return []
    names = list(dict.fromkeys((advisory.id, *advisory.aliases)))[:_MOST_NAMES]
    pages = [page for page in advisory.references if https_url(page)][:_MOST_PAGES]
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
    return list(filter(None, lines))
