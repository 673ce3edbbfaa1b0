"""The findings as the HTML page holds them: short rows that point into tables of what repeats."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Confidence,
    History,
    Judged,
    Location,
    Origin,
    Package,
    Report,
    Rule,
    Scope,
    SeverityClaim,
    Verdict,
    Waiver,
    Witness,
)
from scanagg.reports import links, phrases
from scanagg.reports._encode import array, encode, for_script

# How much of one text, and how many places of one finding, the page shows: one line of a
# minified file can be a megabyte. scanagg.json has all of it.
LINE_WIDTH: Final = 2_000
BLOCK_WIDTH: Final = 8_000
SNIPPET_WIDTH: Final = 400
MOST_PLACES: Final = 100
MOST_PAGES: Final = 20
MOST_NAMES: Final = 70
_ADDRESS_WIDTH: Final = 300

_NONE: Final = -1

_ACTIONS: Final = {action: number for number, action in enumerate(Action)}
_SEVERITIES: Final = {severity: number for number, severity in enumerate(phrases.SEVERITIES)}
_ORIGINS: Final = {origin: number for number, origin in enumerate(Origin)}
_CATEGORIES: Final = {category: number for number, category in enumerate(Category)}
_CONFIDENCES: Final = {confidence: number for number, confidence in enumerate(Confidence)}

Value = TypeVar("Value", bound=Hashable)


# Of a package: name, version, purl, scope, whether it is direct, chain, and where it is asked for.
_PackageKey = tuple[str, str, str, Scope, bool | None, tuple[str, ...], tuple[Location, ...]]


class Table(Generic[Value]):
    """Distinct values in the order they came, each known by its number and shown by an entry."""

    def __init__(self, made: Callable[[Value], object]) -> None:
        """`made` makes the entry when a value is seen for the first time."""
        self.entries: list[object] = []
        self._made = made
        self._numbers: dict[Value, int] = {}

    def number(self, value: Value | None) -> int:
        """The number of the value's entry; -1 for None."""
        if value is None:
            return _NONE
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.entries)
            self.entries.append(self._made(value))
        return number


class Rows:
    """Turns findings into rows, and then has the tables that the rows point into."""

    def __init__(self, report: Report) -> None:
        """Start with empty tables. Where there was no base, origins mean nothing."""
        self._now = report.clock.now
        self._compared = report.base is not None
        self._app = report.target.name
        self._upgrades = phrases.upgrades_by_purl(report)
        self._lines: Table[str] = Table(_line)
        self._blocks: Table[str] = Table(_block)
        self._snippets: Table[str] = Table(_snippet)
        self._rules: Table[Rule] = Table(_rule)
        self._packages: Table[_PackageKey] = Table(self._package)
        self._advisories: Table[Advisory] = Table(_advisory)
        self._witnesses: Table[tuple[Witness, ...]] = Table(_witnesses)
        self._sources: Table[tuple[SeverityClaim, ...]] = Table(_sources)
        self._verdicts: Table[Verdict] = Table(_verdict)
        self._waivers: Table[Waiver] = Table(self._waiver)
        self._bases: Table[tuple[Origin, History]] = Table(_base)

    def rows(self, findings: Iterable[Judged]) -> Iterator[str]:
        """All findings as one JSON array for a script element, in pieces."""
        return array(self._row(judged) for judged in findings)

    def tables(self) -> Iterator[str]:
        """The tables as one JSON object for a script element; call it when the rows are done."""
        yield "{\n"
        yield from _member("actions", [action.value for action in Action])
        yield from _member("severities", [severity.value for severity in phrases.SEVERITIES])
        yield from _member("categories", [category.value for category in Category])
        yield from _member("confidences", [confidence.value for confidence in Confidence])
        yield from _member("origins", list(phrases.ORIGINS.values()) if self._compared else [])
        yield from _member("bases", self._bases.entries)
        yield from _member("waivers", self._waivers.entries)
        yield from _member("lines", self._lines.entries)
        yield from _member("blocks", self._blocks.entries)
        yield from _member("snippets", self._snippets.entries)
        yield from _member("rules", self._rules.entries)
        yield from _member("packages", self._packages.entries)
        yield from _member("advisories", self._advisories.entries)
        yield from _member("witnesses", self._witnesses.entries)
        yield from _member("sources", self._sources.entries)
        yield from _member("verdicts", self._verdicts.entries, after="\n}")

    def _row(self, judged: Judged) -> Sequence[object]:
        """One finding; the page's script names the columns in this order."""
        found = judged.finding
        location, package = found.location, found.package
        return (
            found.id,
            _ACTIONS[judged.verdict.action],
            _SEVERITIES[judged.severity],
            _CATEGORIES[found.category],
            _CONFIDENCES[found.confidence],
            self._lines.number(found.title),
            self._blocks.number(found.message),
            self._rules.number(found.rule),
            self._lines.number(location.path) if location else _NONE,
            location.start_line if location else None,
            location.last_line if location else None,
            self._snippets.number(found.snippet),
            self._witnesses.number(found.witnesses),
            self._sources.number(judged.severity_sources),
            self._packages.number(_package_key(package)) if package else _NONE,
            self._advisories.number(found.advisory),
            self._verdicts.number(judged.verdict),
            self._lines.number(self._fix(judged)) if found.advisory else _NONE,
            self._lines.number(judged.license_expression),
            self._places(found.places, location),
            max(0, len(found.places) - MOST_PLACES),
            _ORIGINS[judged.origin],
            self._bases.number((judged.origin, found.history)) if self._compared else _NONE,
            self._standing(judged),
        )

    def _standing(self, judged: Judged) -> Sequence[object]:
        """Deadline, waivers, what hides it in the source; nothing where there is none of these."""
        hidden = judged.finding.in_source
        if not (judged.deadline or hidden or judged.void_waivers or judged.waiver):
            return ()
        return (
            self._lines.number(phrases.deadline(judged, self._now) or None),
            self._waivers.number(judged.waiver),
            [self._lines.number(phrases.void_waiver(one)) for one in judged.void_waivers],
            self._lines.number(hidden or None),
        )

    def _fix(self, judged: Judged) -> str:
        package = judged.finding.package
        return phrases.fix(judged, self._upgrades.get(package.purl) if package else None)

    def _package(self, key: _PackageKey) -> object:
        """Name, version, purl, scope, how it comes in, and the lines where people ask for it."""
        name, version, purl, scope, direct, chain, asked = key
        package = Package(name, version, purl, scope, direct, chain=chain)
        lines = [(_line(place.path), place.start_line) for place in asked[:MOST_PLACES]]
        return (
            name,
            version,
            purl,
            scope.value,
            phrases.dependency_path(package, self._app),
            lines,
        )

    def _waiver(self, waiver: Waiver) -> object:
        words = phrases.waived_by(waiver, self._now)
        reason = shorten(printable(waiver.reason), LINE_WIDTH)
        return (shorten(words, LINE_WIDTH), reason, shorten(one_line(waiver.place), LINE_WIDTH))

    def _places(
        self, places: Sequence[Location], location: Location | None
    ) -> list[tuple[int, int | None]]:
        """Every place with its line; empty where the location says all."""
        if not places or (len(places) == 1 and places[0] == location):
            return []
        return [
            (self._lines.number(place.path), place.start_line) for place in places[:MOST_PLACES]
        ]


def _member(key: str, values: list[object], after: str = ",\n") -> Iterator[str]:
    yield for_script(encode(key)) + ": "
    yield from array(values)
    yield after


def _base(stands: tuple[Origin, History]) -> object:
    """How a finding stands to the base: in a word, why, and since when it is on record."""
    origin, history = stands
    since = history.first_seen and history.first_seen.date().isoformat()
    return (phrases.origin_word(origin, history), _line(history.reason), since)


def _line(text: str) -> str:
    return shorten(one_line(text), LINE_WIDTH)


def _block(text: str) -> str:
    return shorten(printable(text), BLOCK_WIDTH)


def _snippet(text: str) -> str:
    return shorten(one_line(text.strip()), SNIPPET_WIDTH)


def _rule(rule: Rule) -> object:
    weaknesses = [(one_line(name), links.cwe_url(name)) for name in rule.cwe]
    return (
        one_line(rule.id),
        one_line(rule.name),
        shorten(one_line(rule.title), LINE_WIDTH),
        links.web_url(rule.url),
        weaknesses,
        shorten(printable(rule.help), BLOCK_WIDTH),
    )


def _package_key(package: Package) -> _PackageKey:
    # Not the places and requirements: they are long, and the finding has its own places.
    return (
        package.name,
        package.version,
        package.purl,
        package.scope,
        package.direct,
        package.chain,
        package.asked,
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
    """The source that decides, where sources disagree, and every source's word and vector."""
    words = [(phrases.claimed_severity(one), one.vector and _line(one.vector)) for one in claims]
    return (phrases.claim_source(claims[0]) if claims else "", phrases.disagreement(claims), words)


def _verdict(verdict: Verdict) -> object:
    return (one_line(verdict.rule), shorten(printable(verdict.reason), LINE_WIDTH))
