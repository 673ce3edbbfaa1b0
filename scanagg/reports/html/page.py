"""The HTML page: templates for the page itself, and the findings as data for its script.

Each finding is a short row. Values that repeat are in tables, and the row has their numbers.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cache
from typing import Final, Generic, TypeVar

import jinja2
import msgspec
from markupsafe import Markup, escape

from scanagg.core.text import inert_in, one_line, printable, shorten
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Confidence,
    Finding,
    History,
    Judged,
    Location,
    Origin,
    Package,
    Reason,
    Report,
    Rule,
    Scope,
    SeverityClaim,
    Verdict,
    Waiver,
    Witness,
    disagreement,
)
from scanagg.reports import coverage, links, phrases, secrets
from scanagg.reports.encoding import encode, script_lines
from scanagg.reports.reasons import sentence, sentences

# Number of findings in the page itself, for browsers without scripts.
STATIC_FINDINGS: Final = 50
MOST_INPUTS: Final = 500
MOST_WAIVERS: Final = 500
MOST_LOOKALIKES: Final = 100
SHOWN_UPGRADES: Final = 10
MOST_UPGRADES: Final = 1_000

# Limits for one text and one finding, because a line of a minified file can be a megabyte long.
# scanagg.json has everything.
TEXT_WIDTH: Final = 500
LINE_WIDTH: Final = 2_000
BLOCK_WIDTH: Final = 8_000
SNIPPET_WIDTH: Final = 400
MOST_PLACES: Final = 100
MOST_PAGES: Final = 20
MOST_NAMES: Final = 70
_ADDRESS_WIDTH: Final = 300

# Width of the longest bar, in units of the drawing, and of the narrowest part of a bar: one finding
# among thousands must stay visible.
BAR_WIDTH: Final = 1_000
_LEAST_WIDTH: Final = 8

_HTML_ESCAPE: Final = "&#{};"
_COMMAND: Final = re.compile(r"`([^`]+)`")
_NONE: Final = -1
_ACTIONS: Final = {action: number for number, action in enumerate(Action)}
_SEVERITIES: Final = {severity: number for number, severity in enumerate(phrases.SEVERITIES)}
_ORIGINS: Final = {origin: number for number, origin in enumerate(Origin)}
_CATEGORIES: Final = {category: number for number, category in enumerate(Category)}

Value = TypeVar("Value", bound=Hashable)


def write(report: Report) -> Iterator[str]:
    """Yield the page in pieces."""
    report, unlikely = secrets.set_aside(report)
    rows = Rows(report)
    counts = phrases.count(report.findings)
    blocking = [item for item in report.findings if item.verdict.action is Action.BLOCK]
    waivers = sorted(report.waivers, key=lambda use: not phrases.needs_attention(use))
    gaps = coverage.gaps(report)
    # Without a base, every finding counts as new.
    ordered = phrases.new_first(report.findings) if report.base else report.findings
    # Markup turns escaping off: rows and tables are already escaped for a script element.
    pieces = _ENVIRONMENT.get_template("report.html").generate(
        report=report,
        phrases=phrases,
        confidence=secrets.confidence,
        unlikely=secrets.summary(unlikely),
        lookalikes=secrets.lookalikes(unlikely),
        most_lookalikes=MOST_LOOKALIKES,
        data=phrases.data_sources(report),
        lack=phrases.missing_data(report),
        advices=phrases.upgrade_advice(report),
        upgrades=phrases.upgrades_by_purl(report),
        shown_upgrades=SHOWN_UPGRADES,
        most_upgrades=MOST_UPGRADES,
        most_inputs=MOST_INPUTS,
        counts=counts,
        complete=coverage.complete(report),
        gaps=gaps,
        reasons=coverage.reasons(report, gaps),
        notices=coverage.notices(report),
        detail=coverage.detail,
        bars=_bars(counts),
        actions=list(Action),
        waivers=waivers[:MOST_WAIVERS],
        blocking=phrases.new_first(blocking)[:STATIC_FINDINGS],
        rows=map(Markup, rows.rows(ordered)),
        tables=map(Markup, rows.tables()),
        code_url=links.code_url(report.target.revision),
        asset=_asset,
        csp_hash=_csp_hash,
    )
    return (inert_in(piece, _HTML_ESCAPE) for piece in pieces)


class _Segment(msgspec.Struct, frozen=True):
    """One colour of a bar."""

    severity: str
    count: int
    x: int
    width: int


class _Bar(msgspec.Struct, frozen=True):
    """One bar of the chart: a category, or all of them if `category` is None."""

    name: str
    category: str | None
    total: int
    segments: Sequence[_Segment]


def _bars(counts: phrases.Counts) -> list[_Bar]:
    """Return the chart. All bars have one scale, so the categories add up to the first bar."""
    categories: list[Category | None] = [*counts.categories()]
    bars = []
    for category in [None, *categories] if len(categories) > 1 else categories:
        present = +Counter(counts.severities(category))  # without zeros
        # Widened small segments leave less room for the others.
        room = BAR_WIDTH - _LEAST_WIDTH * len(present)
        segments: list[_Segment] = []
        x = 0
        for severity, number in present.items():
            width = _LEAST_WIDTH + room * number // counts.total
            segments.append(_Segment(severity.value, number, x, width))
            x += width
        name = phrases.CATEGORIES[category] if category else "All"
        value = category.value if category else None
        bars.append(_Bar(name, value, sum(present.values()), segments))
    return bars


# The template


def _snippet(text: str) -> str:
    return shorten(one_line(text.strip()), SNIPPET_WIDTH)


def _prose(text: Reason | str) -> Markup:
    """Return a sentence of ours as HTML, with its commands as code."""
    line = one_line(text) if isinstance(text, str) else sentence(text)
    # As a plain text: a substitution in Markup escapes what it puts in.
    escaped = str(escape(shorten(line, TEXT_WIDTH)))
    return Markup(_COMMAND.sub(r"<code>\1</code>", escaped))  # noqa: S704


_LOADER: Final = jinja2.PackageLoader("scanagg.reports")
_ENVIRONMENT: Final = jinja2.Environment(
    loader=_LOADER,
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    shown=lambda text, width=TEXT_WIDTH: shorten(one_line(text), width),
    snippet=_snippet,
    printable=printable,
    prose=_prose,
)


@cache
def _asset(name: str) -> Markup:
    """Return one of our style sheets or scripts, as it is between its tags."""
    source, _, _ = _LOADER.get_source(_ENVIRONMENT, name)
    return Markup("\n" + source.rstrip() + "\n")  # noqa: S704 - our own file


def _csp_hash(name: str) -> str:
    """Return the hash by which the page's content security policy allows one of our assets."""
    digest = hashlib.sha256(_asset(name).encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


# The findings as data

# A package without places and requirements, which are long: name, version, purl, scope, direct,
# chain, the lines that require it, and resolved.
_PackageKey = tuple[str, str, str, Scope, bool | None, tuple[str, ...], tuple[Location, ...], bool]


class ValueTable(dict[Value | None, int], Generic[Value]):
    """The numbers of distinct values, in order of arrival, and an entry for each. None is -1."""

    def __init__(self, entry: Callable[[Value], object]) -> None:
        """Start empty. `entry` makes the entry of a new value."""
        super().__init__({None: _NONE})
        self.entries: list[object] = []
        self._entry = entry

    def __missing__(self, value: Value) -> int:
        """Add a value."""
        number = self[value] = len(self.entries)
        self.entries.append(self._entry(value))
        return number


class Rows:
    """Turns findings into rows, and collects the tables that the rows refer to."""

    def __init__(self, report: Report) -> None:
        """Start with empty tables. Rows have no origin if the report has no base."""
        self._now = report.clock.now
        self._compared = report.base is not None
        self._app = report.target.name
        self._upgrades = phrases.upgrades_by_purl(report)
        self._lines: ValueTable[str] = ValueTable(_line)
        self._blocks: ValueTable[str] = ValueTable(_block)
        self._snippets: ValueTable[str] = ValueTable(_snippet)
        self._confidences: ValueTable[str] = ValueTable(str)
        self._rules: ValueTable[tuple[Rule, Category]] = ValueTable(_rule)
        self._packages: ValueTable[_PackageKey] = ValueTable(self._package)
        self._advisories: ValueTable[Advisory] = ValueTable(_advisory)
        self._witnesses: ValueTable[tuple[Witness, ...]] = ValueTable(_witnesses)
        self._sources: ValueTable[tuple[SeverityClaim, ...]] = ValueTable(_sources)
        self._verdicts: ValueTable[Verdict] = ValueTable(
            lambda verdict: (one_line(verdict.rule), _line(sentences(verdict.reasons)))
        )
        self._waivers: ValueTable[Waiver] = ValueTable(self._waiver)
        self._bases: ValueTable[tuple[Origin, History]] = ValueTable(_base)

    def rows(self, findings: Iterable[Judged]) -> Iterator[str]:
        """Return all findings as one JSON array for a script element, in pieces."""
        return script_lines(self._row(judged) for judged in findings)

    def tables(self) -> Iterator[str]:
        """Yield the tables as one JSON object for a script element, once all rows are written.

        They include the names that the script shows for enumerations.
        """
        tables: dict[str, Iterable[object]] = {
            "unrated": [phrases.UNRATED],
            "actions": [action.value for action in Action],
            "severities": [severity.value for severity in phrases.SEVERITIES],
            "categories": [category.value for category in Category],
            "confidences": self._confidences.entries,
            "origins": list(phrases.ORIGINS.values()) if self._compared else [],
            "bases": self._bases.entries,
            "waivers": self._waivers.entries,
            "lines": self._lines.entries,
            "blocks": self._blocks.entries,
            "snippets": self._snippets.entries,
            "rules": self._rules.entries,
            "packages": self._packages.entries,
            "advisories": self._advisories.entries,
            "witnesses": self._witnesses.entries,
            "sources": self._sources.entries,
            "verdicts": self._verdicts.entries,
        }
        before = "{\n"
        for key, entries in tables.items():
            yield f"{before}{encode(key)}: "
            yield from script_lines(entries)
            before = ",\n"
        yield "\n}"

    def _row(self, judged: Judged) -> Sequence[object]:
        """Return one finding. The script of the page names the columns in this order."""
        finding = judged.finding
        location, package = finding.location, finding.package
        places = list(dict.fromkeys(map(_line_of, finding.places)))
        upgrade = self._upgrades.get(package.purl) if package else None
        cell = phrases.cell(location) if location else ""
        key: _PackageKey | None = None
        if package:
            key = (
                package.name,
                package.version,
                package.purl,
                package.scope,
                package.direct,
                package.chain,
                package.asked,
                package.resolved,
            )
        return (
            finding.id,
            _ACTIONS[judged.verdict.action],
            _SEVERITIES[judged.severity],
            _CATEGORIES[finding.category],
            self._confidences[_confidence(finding)],
            self._lines[finding.title],
            self._blocks[f"{finding.message} (In {cell}.)" if cell else finding.message],
            self._rules[finding.rule, finding.category],
            self._lines[location.path] if location else _NONE,
            location.start_line if location else None,
            location.last_line if location else None,
            self._snippets[finding.snippet],
            self._witnesses[finding.witnesses],
            self._sources[judged.severity_sources],
            self._packages[key],
            self._advisories[finding.advisory],
            self._verdicts[judged.verdict],
            self._lines[phrases.fix(judged, upgrade)] if finding.advisory else _NONE,
            self._lines[judged.license_expression],
            # Empty if the location is the only place.
            []
            if location and places == [_line_of(location)]
            else [(self._lines[path], line) for path, line in places[:MOST_PLACES]],
            max(0, len(places) - MOST_PLACES),
            _ORIGINS[judged.origin],
            self._bases[judged.origin, finding.history] if self._compared else _NONE,
            self._exceptions(judged),
        )

    def _exceptions(self, judged: Judged) -> Sequence[object]:
        """Return deadline, waivers and suppression in the source; empty if there is none."""
        hidden = judged.finding.in_source
        if not (judged.deadline or hidden or judged.void_waivers or judged.waiver):
            return ()
        return (
            self._lines[phrases.deadline(judged, self._now) or None],
            self._waivers[judged.waiver],
            [self._lines[phrases.void_waiver(void)] for void in judged.void_waivers],
            self._lines[hidden or None],
        )

    def _package(self, key: _PackageKey) -> object:
        name, version, purl, scope, direct, chain, asked, resolved = key
        package = Package(name, version, purl, scope, direct, chain=chain, resolved=resolved)
        lines = [(_line(place.path), place.start_line) for place in asked[:MOST_PLACES]]
        path = phrases.dependency_path(package, self._app)
        return (name, version, purl, scope.value, path, lines)

    def _waiver(self, waiver: Waiver) -> object:
        words = shorten(phrases.waived_by(waiver, self._now), LINE_WIDTH)
        reason = shorten(printable(waiver.reason), LINE_WIDTH)
        return (words, reason, _line(waiver.place))


def _line_of(place: Location) -> tuple[str, int | None]:
    """Return the path and the line: the page shows no columns."""
    return place.path, place.start_line


def _confidence(finding: Finding) -> str | None:
    """Return the confidence with its reason; None if the scanner has none."""
    if finding.confidence is Confidence.UNKNOWN:
        return None
    if finding.category is Category.SECRET:
        return secrets.confidence(finding)
    reason = finding.confidence_reason
    return f"{finding.confidence.value}: {sentence(reason)}" if reason else finding.confidence.value


def _line(text: str) -> str:
    return shorten(one_line(text), LINE_WIDTH)


def _block(text: str) -> str:
    return shorten(printable(text), BLOCK_WIDTH)


def _base(origin_and_history: tuple[Origin, History]) -> object:
    """Return the origin, its reason, and the day on which it was first seen."""
    origin, history = origin_and_history
    since = history.first_seen and history.first_seen.date().isoformat()
    return (phrases.origin_word(origin, history), sentence(history.reason), since)


def _rule(rule_and_category: tuple[Rule, Category]) -> object:
    rule, category = rule_and_category
    return (
        one_line(rule.id),
        one_line(rule.name),
        _line(rule.title),
        links.web_url(rule.url),
        [(one_line(name), links.cwe_url(name)) for name in rule.cwe],
        shorten(phrases.rule_help(rule, category), BLOCK_WIDTH),
        _block(rule.why.strip()),
        list(phrases.example(rule)),
    )


def _advisory(advisory: Advisory) -> object:
    names = list(dict.fromkeys((advisory.id, *advisory.aliases)))[:MOST_NAMES]
    pages = dict.fromkeys(map(one_line, advisory.references))
    return (
        [(one_line(name), links.advisory_url(name)) for name in names],
        phrases.fixes_and_dates(advisory),
        links.web_url(advisory.url),
        phrases.alarms(advisory),
        phrases.likelihood(advisory),
        [(shorten(page, _ADDRESS_WIDTH), links.https_url(page)) for page in pages][:MOST_PAGES],
        max(0, len(pages) - MOST_PAGES),
    )


def _witnesses(witnesses: tuple[Witness, ...]) -> object:
    return [(one.scanner, one.rule, _SEVERITIES[one.severity]) for one in witnesses]


def _sources(claims: tuple[SeverityClaim, ...]) -> object:
    """Return the deciding source, the disagreement, and every claim with its vector."""
    texts = [(phrases.claimed_severity(one), one.vector and _line(one.vector)) for one in claims]
    return (
        phrases.claim_source(claims[0]) if claims else "",
        sentences(disagreement(claims)),
        texts,
    )
