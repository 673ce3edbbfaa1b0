"""One finding as one result of a SARIF log."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import sarif_om

from scanagg.model import (
    Advisory,
    Category,
    Finding,
    Judged,
    Location,
    Package,
    Upgrade,
    Witness,
    purl_without_version,
)
from scanagg.reports import phrases
from scanagg.reports.sarif import origin
from scanagg.reports.sarif.places import Places
from scanagg.reports.sarif.rules import LEVELS, MESSAGE, RuleBook
from scanagg.reports.sarif.text import phrase, sentence

FINGERPRINT: Final = "scanaggFindingId/v1"
LINE_HASH: Final = "primaryLocationLineHash"

# Findings about a package: the six lines above a requirement change with every update of another.
_OF_PACKAGES: Final = (Category.VULNERABILITY, Category.LICENSE)


_TOO: Final = "It stands here too."
_ASKED: Final = "This line asks for it."


class Project(msgspec.Struct, frozen=True):
    """What results say of the project: what it is called, the upgrades by package."""

    name: str
    upgrades: Mapping[str, Upgrade]


class Flavour(msgspec.Struct, frozen=True):
    """What a SARIF log is for. `whole`: everything there is; else what code scanning takes.

    `most_results` counts in one run, `most_places` in one result.
    """

    whole: bool
    most_results: int | None = None
    most_places: int | None = None


class Results:
    """Makes the results of one run, one at a time and each once, in the order they stand in."""

    def __init__(
        self, scanner: str, places: Places, book: RuleBook, flavour: Flavour, project: Project
    ) -> None:
        """`scanner` is the run's; its word comes first in every message."""
        self._scanner = scanner
        self._project = project
        self._places = places
        self._book = book
        self.flavour = flavour
        self._said: dict[int, int] = {}
        self._hashes: Counter[str] = Counter()

    def result(self, judged: Judged, *, suppressions: bool, states: bool) -> sarif_om.Result:
        """The result; with `suppressions`, says also where nothing suppresses it.

        With `states` it says how the finding stands to the base.
        """
        finding = judged.finding
        identifier, index = self._book.find(finding.rule)
        location = finding.location or self._places.fallback
        text = self._distinct(identifier, location, self._text(judged))
        return sarif_om.Result(
            rule_id=identifier,
            rule_index=index,
            level=LEVELS[judged.severity],
            message=sarif_om.Message(text=text, id=MESSAGE, arguments=[_subject(finding)]),
            locations=None if location is None else [self._main(finding, location)],
            related_locations=self._further(finding, location),
            partial_fingerprints=self._fingerprints(finding, identifier, location),
            suppressions=origin.suppressions(judged) if suppressions else None,
            baseline_state=finding.history.change.value if states else None,
            properties={"scanagg": self._properties(judged)},
        )

    def _text(self, judged: Judged) -> str:
        """What the scanner says, and what a reader would miss in it."""
        finding = judged.finding
        parts = [sentence(finding.message or finding.title)]
        if finding.package:
            parts += self._about(judged, finding.package, parts[0])
        parts += self._others(finding.witnesses)
        if finding.location is None:
            parts.append("No file of the project names it, so it is shown at one that exists.")
        return " ".join(parts)

    def _about(self, judged: Judged, package: Package, said: str) -> Iterable[str]:
        """Package, fix, whether it is exploited, how the package comes in, and what to upgrade."""
        if package.name not in said or package.version not in said:
            yield f"It concerns {phrase(package.name)} {phrase(package.version)}."
        advisory = judged.finding.advisory
        if advisory is None:
            return
        upgrade = self._project.upgrades.get(package.purl)
        advice = phrases.vulnerability_fix(judged, upgrade) if upgrade or advisory.malicious else ""
        yield from _fixed(advisory, said, advised=bool(advice))
        if exploited := phrases.exploited(advisory):
            yield sentence(f"It is {exploited}")
        if len(package.chain) > 1:
            yield sentence(f"The package is {phrases.dependency_path(package, self._project.name)}")
        if advice:
            yield sentence(advice)

    def _properties(self, judged: Judged) -> dict[str, object]:
        made = _properties(judged, whole=self.flavour.whole)
        package = judged.finding.package
        upgrade = self._project.upgrades.get(package.purl) if package else None
        if upgrade and upgrade.to and judged.finding.advisory:
            made["upgrade"] = upgrade.to
        return made

    def _others(self, witnesses: Sequence[Witness]) -> Iterable[str]:
        """Who else said so, or this scanner by another rule; the same word twice is no news."""
        home = next((one for one in witnesses if one.scanner == self._scanner), None)
        if home is not None and len(witnesses) == 1:
            return ()
        heard = dict.fromkeys((one.scanner, one.rule) for one in witnesses)
        if home is not None:
            heard.pop((home.scanner, home.rule))
        others = ", ".join(f"{scanner} ({phrase(rule)})" for scanner, rule in heard)
        return (f"Also reported by {others}.",) if others else ()

    def _distinct(self, identifier: str, location: Location | None, text: str) -> str:
        """`text`, numbered where a result of this rule, place and text is there already.

        Keeps a hash of each result, not its text: that of 100,000 would be held in memory.
        """
        key = hash((identifier, location, text))
        number = self._said[key] = self._said.get(key, 0) + 1
        return text if number == 1 else f"{text} (Occurrence {number}.)"

    def _main(self, finding: Finding, location: Location) -> sarif_om.Location:
        snippet = finding.snippet if finding.location else None
        secret = finding.category is Category.SECRET
        place = self._places.main(location, snippet, secret=secret)
        return sarif_om.Location(physical_location=place)

    def _further(
        self, finding: Finding, location: Location | None
    ) -> list[sarif_om.Location] | None:
        asked = finding.package.asked if finding.package else ()
        others = [place for place in finding.places if not _same_line(place, location)]
        return [
            sarif_om.Location(
                id=number,
                message=sarif_om.Message(text=_ASKED if place in asked else _TOO),
                physical_location=self._places.further(place),
            )
            for number, place in enumerate(others[: self.flavour.most_places], start=1)
        ] or None

    def _fingerprints(
        self, finding: Finding, identifier: str, location: Location | None
    ) -> dict[str, str]:
        made = {FINGERPRINT: finding.fingerprint}
        if finding.category in _OF_PACKAGES and finding.package and location:
            made[LINE_HASH] = self._stable_hash(identifier, finding.package, location)
        elif finding.line_hash and finding.category is not Category.SECRET:
            made[LINE_HASH] = finding.line_hash
        return made

    def _stable_hash(self, identifier: str, package: Package, location: Location) -> str:
        """In place of the line's hash: what stays when versions in the manifest change."""
        name = purl_without_version(package.purl)
        parts = f"{identifier}|{name}|{self._places.uri(location.path)}"
        digits = hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
        self._hashes[digits] += 1
        return f"{digits}:{self._hashes[digits]}"


def _same_line(place: Location, other: Location | None) -> bool:
    return (
        other is not None
        and place.path == other.path
        and (place.start_line or 1) == (other.start_line or 1)
    )


def _subject(finding: Finding) -> str:
    """What the finding is about, in a word or two."""
    if finding.package:
        return phrase(f"{finding.package.name} {finding.package.version}")
    return phrase(finding.location.path if finding.location else finding.title)


def _fixed(advisory: Advisory, said: str, *, advised: bool) -> Iterable[str]:
    """Where it is fixed, as far as the scanner left that out."""
    fixed = [phrase(version) for version in advisory.fixed_versions]
    if not fixed and not advised:
        yield "No fixed version is known."
    elif fixed and not any(version in said for version in fixed):
        yield f"It is fixed in {' and in '.join(fixed)}."


def _properties(judged: Judged, *, whole: bool) -> dict[str, object]:
    """Our own words, under one key; in the whole log all that the other formats show."""
    finding = judged.finding
    made: dict[str, object] = {
        "id": finding.id,
        "category": finding.category.value,
        "rule": phrase(finding.rule.id),
        "severity": judged.severity.value,
        "action": judged.verdict.action.value,
    }
    place = finding.location
    if place and place.start_line and place.last_line != place.start_line:
        made["endLine"] = place.last_line
    if finding.package:
        made["package"] = finding.package.purl
    if whole:
        made.update(_details(judged))
    elif len(finding.witnesses) > 1:
        made["scanners"] = list(finding.scanners)
    return made


def _details(judged: Judged) -> dict[str, object]:
    finding = judged.finding
    made: dict[str, object] = {
        "title": phrase(finding.title),
        "confidence": finding.confidence.value,
        "verdict": {"rule": judged.verdict.rule, "reason": phrase(judged.verdict.reason)},
        "severitySources": [
            {"source": one.source, "severity": one.severity.value, "scanner": one.scanner}
            | ({"vector": one.vector} if one.vector else {})
            for one in judged.severity_sources
        ],
        "witnesses": [
            {"scanner": one.scanner, "rule": phrase(one.rule), "severity": one.severity.value}
            for one in finding.witnesses
        ],
        **origin.properties(judged),
    }
    if finding.resource:
        made["resource"] = phrase(finding.resource)
    if finding.package:
        made.update(_package_details(judged, finding.package))
    return made


def _package_details(judged: Judged, package: Package) -> dict[str, object]:
    advisory = judged.finding.advisory
    made: dict[str, object] = {"scope": package.scope.value, "direct": package.direct}
    if package.chain:
        made["chain"] = [phrase(name) for name in package.chain]
    if advisory:
        made["advisory"] = _advisory(advisory)
    if judged.license_expression is not None:
        made["license"] = judged.license_expression
    if judged.license_verdict is not None:
        made["licenseVerdict"] = judged.license_verdict.value
    if judged.license_term is not None:
        made["licenseTerm"] = phrase(judged.license_term)
    return made


def _advisory(advisory: Advisory) -> dict[str, object]:
    return {
        "id": advisory.id,
        "aliases": list(advisory.aliases),
        "fixedVersions": list(advisory.fixed_versions),
        "published": advisory.published,
        "withdrawn": advisory.withdrawn,
        "malicious": advisory.malicious,
        "kev": advisory.kev,
        "kevAdded": advisory.kev_added,
        "epss": advisory.epss,
        "epssPercentile": advisory.epss_percentile,
        "references": list(advisory.references),
    }
