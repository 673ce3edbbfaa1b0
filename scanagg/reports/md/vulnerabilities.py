"""The parts of the summary about vulnerabilities: what is known of them, upgrades, the data."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from scanagg.model import Advisory, Category, Judged, Package, Report, Severity
from scanagg.reports import phrases
from scanagg.reports.links import advisory_url, cwe_url, https_url
from scanagg.reports.md.text import bullets, code, escape, link, row

MOST_UPGRADES: Final = 10
MOST_DETAILS: Final = 30
_MOST_NAMES: Final = 8
_MOST_REMARKS: Final = 5
_MOST_PAGES: Final = 5
_MOST_WORDS: Final = 8


def severity(judged: Judged) -> str:
    """The severity; of a vulnerability with who gave it."""
    rated = judged.finding.category is Category.VULNERABILITY and judged.severity_sources
    if judged.severity is Severity.UNKNOWN or not rated:
        return f"{judged.severity.value}"
    return escape(phrases.severity_decision(judged))


def alarms(advisory: Advisory | None) -> Iterator[str]:
    """What a reader must not miss of an advisory."""
    for alarm in phrases.alarms(advisory) if advisory else ():
        yield f"**{escape(alarm)}**"


def way(package: Package | None, app: str) -> str:
    """How a package comes in."""
    return escape(phrases.dependency_path(package, app)) if package else ""


def details(findings: Sequence[Judged], report: Report) -> Iterator[str]:
    """All that is known of the first vulnerabilities, folded away."""
    shown = list(islice(_vulnerable(findings), MOST_DETAILS))
    if not shown:
        return
    yield "\n<details><summary>What is known of the vulnerabilities</summary>\n\n"
    for judged, advisory, package in shown:
        yield from _detail(judged, advisory, package, report.target.name)
    yield "\n</details>\n"


def _vulnerable(findings: Sequence[Judged]) -> Iterator[tuple[Judged, Advisory, Package]]:
    for judged in findings:
        advisory, package = judged.finding.advisory, judged.finding.package
        if advisory and package:
            yield judged, advisory, package


def _detail(judged: Judged, advisory: Advisory, package: Package, app: str) -> Iterator[str]:
    found = judged.finding
    names = islice(dict.fromkeys((advisory.id, *advisory.aliases)), _MOST_NAMES)
    pages = [page for page in advisory.references if https_url(page)][:_MOST_PAGES]
    yield f"- **{escape(found.rule.id)}** {code(f'{package.name} {package.version}')}\n"
    said = (
        ", ".join(link(name, advisory_url(name)) for name in names),
        *map(escape, phrases.severity_lines(judged)[:_MOST_WORDS]),
        *map(escape, phrases.alarms(advisory)),
        escape(phrases.likelihood(advisory)),
        escape(phrases.fixes_and_dates(advisory)),
        escape(phrases.dependency_summary(package, app)),
        ", ".join(link(name, cwe_url(name)) for name in found.rule.cwe[:_MOST_NAMES]),
        ", ".join(link(page, page) for page in pages),
    )
    yield from (f"  - {line}\n" for line in said if line)


def upgrades(report: Report) -> Iterator[str]:
    """The upgrades that clear most."""
    if not report.upgrades:
        return
    unchecked = phrases.unchecked_upgrades(report)
    also = f" The versions are {unchecked}." if unchecked else ""
    yield f"\n### What to upgrade\n\n{phrases.upgrades_summary(report)}{also}\n\n"
    yield row("Package", "Upgrade to", "Clears", "To know") + row(*["---"] * 4)
    made = phrases.upgrade_advice(report)
    for advice in made[:MOST_UPGRADES]:
        yield _upgrade(advice, report.target.name)
    if len(made) > MOST_UPGRADES:
        yield f"\n… and {len(made) - MOST_UPGRADES:,} more in scanagg.json\n"


def _upgrade(advice: phrases.Advice, app: str) -> str:
    package = code(advice.package)
    way_in = way(advice.upgrade.package, app)
    return row(
        "<br>".join(part for part in (package, way_in) if part),
        f"**{escape(advice.to)}**",
        escape(advice.gone),
        "<br>".join(map(escape, advice.remarks[:_MOST_REMARKS])),
    )


def data(report: Report) -> Iterator[str]:
    """What the verdict rests on, and that there is no store where there is none."""
    lines = []
    for one in phrases.data_sources(report):
        lines.append(f"**{escape(one.name)}** ({escape(one.user)}): {escape(one.about, 400)}")
    if missing := phrases.missing_data(report):
        lines.append(missing)
    if lines:
        yield "\n### What the verdict rests on\n\n"
        yield from bullets(lines)
