"""Lines of the terminal about vulnerabilities: what is known of them, upgrades, the data."""

from collections.abc import Iterator
from typing import Final

from scanagg.core.text import one_line
from scanagg.model import Advisory, Finding, Judged, Package, Report
from scanagg.reports import phrases

_SHOWN_UPGRADES: Final = 3
_SHOWN_NAMES: Final = 12
_SHOWN_PAGES: Final = 5


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
