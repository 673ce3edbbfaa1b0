"""The report for people: one page that works from disk, with no network and no server."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final

import jinja2
import msgspec
from markupsafe import Markup

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Action,
    Category,
    Judged,
    NotExamined,
    Report,
    Run,
    Severity,
    Status,
    WaiverUse,
)
from scanagg.reports import links, phrases
from scanagg.reports.html.rows import SNIPPET_WIDTH, Rows

NAME: Final = "html"
FILENAME: Final = "scanagg.html"
ABOUT: Final = "One page for people, with filters; opens from disk without network or server."

# How many findings stand in the page itself, for a viewer that runs no scripts.
STATIC_FINDINGS: Final = 50
# How many inputs a list of what was not examined names, and how much of one text is shown.
MOST_INPUTS: Final = 500
MOST_WAIVERS: Final = 500
# How many upgrades stand open, and how many there are in all: one that clears little can wait.
SHOWN_UPGRADES: Final = 10
MOST_UPGRADES: Final = 1_000
TEXT_WIDTH: Final = 500

# Width of the longest bar, in units of the drawing; a bar of one finding among thousands is still
# to be seen.
BAR_WIDTH: Final = 1_000
_LEAST_WIDTH: Final = 8


class _Segment(msgspec.Struct, frozen=True):
    """One colour of a bar."""

    severity: str
    count: int
    x: int
    width: int


class _Bar(msgspec.Struct, frozen=True):
    """One line of the picture: a category, or all of them where `category` is None."""

    name: str
    category: str | None
    total: int
    segments: tuple[_Segment, ...]


class _Inputs(msgspec.Struct, frozen=True):
    """A list of inputs that were not examined, cut where it is too long."""

    named: Sequence[NotExamined]
    more: int


def render(report: Report) -> Iterator[str]:
    """The page in pieces. The findings are embedded as data; the page's script shows them."""
    rows = Rows(report)
    counts = phrases.count(report.findings)
    template = _environment().get_template("report.html")
    # Markup tells the template not to escape: rows and tables are escaped for a script element.
    return template.generate(
        report=report,
        phrases=phrases,
        data=phrases.data_sources(report),
        lack=phrases.missing_data(report),
        advices=phrases.upgrade_advice(report),
        upgrades=phrases.upgrades_by_purl(report),
        shown_upgrades=SHOWN_UPGRADES,
        most_upgrades=MOST_UPGRADES,
        counts=counts,
        complete=phrases.complete(report),
        gaps=phrases.gaps(report),
        bars=_bars(counts),
        actions=list(Action),
        waivers=sorted(report.waivers, key=lambda use: not phrases.needs_attention(use))[
            :MOST_WAIVERS
        ],
        blocking=phrases.new_first(_blocking(report.findings))[:STATIC_FINDINGS],
        rows=map(Markup, rows.rows(_ordered(report))),
        tables=map(Markup, _late(rows)),
        code_url=links.code_url(report.target.revision),
        asset=_asset,
        csp_hash=_csp_hash,
    )


def _late(rows: Rows) -> Iterator[str]:
    """The tables, which are not known before the rows are written."""
    yield from rows.tables()


def _ordered(report: Report) -> Iterable[Judged]:
    """What this change brings stands before what was there; without a base it is all the same."""
    return phrases.new_first(report.findings) if report.base else report.findings


def _blocking(findings: Iterable[Judged]) -> Iterator[Judged]:
    return (judged for judged in findings if judged.verdict.action is Action.BLOCK)


def _bars(counts: phrases.Counts) -> list[_Bar]:
    """The picture: one scale for all bars, so that the categories add up to the first."""
    bars = [_bar(counts, category) for category in counts.categories()]
    return [_bar(counts, None), *bars] if len(bars) > 1 else bars


def _bar(counts: phrases.Counts, category: Category | None) -> _Bar:
    by_severity = counts.severities(category)
    segments = tuple(_segments(by_severity, counts.total))
    if category is None:
        return _Bar("All", None, counts.total, segments)
    return _Bar(phrases.CATEGORIES[category], category.value, counts.of(category), segments)


def _segments(by_severity: dict[Severity, int], total: int) -> Iterator[_Segment]:
    """The colours side by side; where small ones are widened, the others give way."""
    present = {severity: number for severity, number in by_severity.items() if number}
    room = BAR_WIDTH - _LEAST_WIDTH * len(present)
    x = 0
    for severity, number in present.items():
        width = _LEAST_WIDTH + room * number // total
        yield _Segment(severity.value, number, x, width)
        x += width


def _inputs(values: Sequence[NotExamined]) -> _Inputs:
    return _Inputs(values[:MOST_INPUTS], max(0, len(values) - MOST_INPUTS))


def _tone(run: Run) -> str:
    """The colour of a status: only a scanner that did its work is good."""
    if run.status is Status.OK:
        return "good"
    return "quiet" if run.status is Status.NOT_APPLICABLE else "gap"


def _care(use: WaiverUse) -> str:
    """The colour of a waiver: one that holds is quiet, one that somebody should look at is not."""
    return "gap" if phrases.needs_attention(use) else "quiet"


def _shown(text: str, width: int = TEXT_WIDTH) -> str:
    return shorten(one_line(text), width)


def _snippet(text: str) -> str:
    return shorten(one_line(text.strip()), SNIPPET_WIDTH)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scanagg.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=_shown, snippet=_snippet, inputs=_inputs, tone=_tone, care=_care, printable=printable
    )
    return environment


@cache
def _asset(name: str) -> Markup:
    """A style sheet or script of ours, as it stands between its tags."""
    loader = _environment().loader
    assert isinstance(loader, jinja2.PackageLoader)  # noqa: S101 - for the type checker
    source, _, _ = loader.get_source(_environment(), name)
    return Markup("\n" + source.rstrip() + "\n")  # noqa: S704 - our own file


def _csp_hash(name: str) -> str:
    """By which the page's content security policy knows what may run: ours, and nothing else."""
    digest = hashlib.sha256(_asset(name).encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()
