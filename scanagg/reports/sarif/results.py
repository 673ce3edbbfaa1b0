"""The results of a SARIF log: each finding with its places, fingerprints and suppressions."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import sarif_om

from scanagg.core.text import shorten
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Finding,
    Judged,
    Location,
    Package,
    Report,
    Target,
    purl_without_version,
)
from scanagg.project.sources import Sources
from scanagg.reports import phrases, reasons, secrets
from scanagg.reports.sarif.rules import MESSAGE, SarifRules, level_of
from scanagg.reports.sarif.values import cut, phrase, sentence, width
from scanagg.reports.wire import finding_of

FINGERPRINT: Final = "scanaggFindingId/v1"
LINE_HASH: Final = "primaryLocationLineHash"
ROOT: Final = "SRCROOT"
# Replaces hidden text, in the snippets that the pipeline masked and in ours.
MASK: Final = "***"
_DESCRIBED: Final = re.compile(rf"{re.escape(MASK)}(?:\([^()]{{0,50}}\))?")

# GitHub shows 100 places of a result.
_MOST_PLACES: Final = 100
# One line of a minified file can be a megabyte.
_SNIPPET_LENGTH: Final = 1_000
# In the root, pyproject.toml; anywhere, requirements files.
_MANIFEST: Final = re.compile(
    r"pyproject\.toml|(?:.*/)?(?:requirements[^/]*|.*requirements/[^/]*)\.txt"
)
# Findings about a package: every upgrade of another package changes the lines above it.
_OF_PACKAGES: Final = (Category.VULNERABILITY, Category.LICENSE)


class Places:
    """Turns locations of one target into SARIF's. Files are read for the lengths of lines only.

    `fallback` is the place of findings that no file of the project declares, because GitHub refuses
    the whole log for one result without a file: the manifest closest to the root, else any file.
    None if the target has no file at all.
    """

    def __init__(self, target: Target) -> None:
        """Read no file yet."""
        self._sources = Sources(target)
        self._prefix = target.prefix
        self._uris: dict[str, str] = {}
        paths = [file.path for file in target.files]
        manifests = [path for path in paths if _MANIFEST.fullmatch(path)]
        best = min(
            manifests or paths,
            key=lambda path: (path != "pyproject.toml", path.count("/"), path),
            default=None,
        )
        self.fallback = None if best is None else Location(best, 1)

    def uri(self, path: str) -> str:
        """Return the address of a file of the target, relative to the root of its repository."""
        uri = self._uris.get(path)
        if uri is None:
            # A colon in the first part would make it a scheme: only "/" is not quoted.
            uri = self._uris[path] = quote(self._prefix + path, safe="/", errors="replace")
        return uri

    def main(
        self, location: Location, snippet: str | None, *, secret: bool
    ) -> sarif_om.PhysicalLocation:
        """Return the place of a result, with its text and the whole line around it.

        The text is `snippet`, already masked, and nothing read from the file: only the pipeline
        knows every secret. In the columns of a secret's region, each mask counts as one character:
        the region stays on the line, and does not show the secret's length.
        """
        source = self._line(location)
        if snippet is not None:
            shown = snippet
        elif location.start_line is None:  # about the whole file, and no line of it
            shown = ""
        else:
            # This line was not masked. Only an empty line is safe to show.
            shown = "" if source == "" and location.path in self._sources else MASK
        # A file that cannot be read looks like one empty line: prefer the snippet.
        line = _DESCRIBED.sub("*", shown) if secret or not source else source
        start, end = columns(location, line)
        number = location.start_line or 1
        part = cut(shown, start, end) if shown == line else shown
        return sarif_om.PhysicalLocation(
            artifact_location=self._artifact(location),
            region=_region(number, start, number, end, part),
            context_region=_region(number, 1, number + 1, 1, shown, after="\n"),
        )

    def further(self, location: Location) -> sarif_om.PhysicalLocation:
        """Return one more place of a result, without text."""
        number = location.start_line or 1
        start, end = columns(location, self._line(location) or "")
        return sarif_om.PhysicalLocation(
            artifact_location=self._artifact(location),
            region=_region(number, start, number, end),
        )

    def _line(self, location: Location) -> str | None:
        return self._sources.line(location.path, location.start_line or 1)

    def _artifact(self, location: Location) -> sarif_om.ArtifactLocation:
        return sarif_om.ArtifactLocation(uri=self.uri(location.path), uri_base_id=ROOT)


def columns(location: Location, line: str) -> tuple[int, int]:
    """Return the first column and the one after the last, on the location's first line, `line`.

    Both are on the line, and the region is not empty unless the line is. A location over several
    lines goes to the end of the first: viewers of pull requests mark one line.
    """
    last = max(width(line), 1)
    start = min(location.start_column or 1, last)
    one_line = location.last_line == location.start_line
    end = location.end_column if one_line and location.end_column else last + 1
    end = min(end, last + 1) if line else (location.end_column or 1)
    return start, max(end, start + 1 if line else start)


def _region(  # the four numbers in the order in which SARIF has them
    start_line: int,
    start_column: int,
    end_line: int,
    end_column: int,
    text: str | None = None,
    after: str = "",
) -> sarif_om.Region:
    shown = None if text is None else shorten(text, _SNIPPET_LENGTH) + after
    return sarif_om.Region(
        start_line=start_line,
        start_column=start_column,
        end_line=end_line,
        end_column=end_column,
        snippet=None if shown is None else sarif_om.ArtifactContent(text=shown),
    )


class Results:
    """Makes the results of one run, one at a time, in the order in which they are written."""

    def __init__(
        self, report: Report, scanner: str, rules: SarifRules, places: Places, *, whole: bool
    ) -> None:
        """Start a run. `scanner` is the run's: messages do not repeat it. `whole`: for sarif-full.

        A whole log has suppressions for all results of a run or for none, and states if there is a
        base.
        """
        self._app = report.target.name
        self._upgrades = phrases.upgrades_by_purl(report)
        self._scanner = scanner
        self._rules = rules
        self._places = places
        self._whole = whole
        self._compared = report.base is not None
        # Hashes of results instead of their texts, to save memory with 100,000 of them.
        self._results: Counter[int] = Counter()
        self._hashes: Counter[str] = Counter()

    def result(self, judged: Judged, *, suppressions: bool) -> sarif_om.Result:
        """Return the result of a finding. With `suppressions`, it has that list, even if empty."""
        finding = judged.finding
        identifier, index = self._rules.find(finding.rule)
        location = finding.location or self._places.fallback
        text = " ".join(self._sentences(judged))
        key = hash((identifier, location, text))
        self._results[key] += 1
        if self._results[key] > 1:
            text = f"{text} (Occurrence {self._results[key]}.)"
        if finding.package:
            subject = f"{finding.package.name} {finding.package.version}"
        else:
            subject = finding.location.path if finding.location else finding.title
        place = None
        if location:
            snippet = finding.snippet if finding.location else None
            secret = finding.category is Category.SECRET
            place = self._places.main(location, snippet, secret=secret)
        states = self._whole and self._compared
        return sarif_om.Result(
            rule_id=identifier,
            rule_index=index,
            level=level_of(judged),
            message=sarif_om.Message(text=text, id=MESSAGE, arguments=[phrase(subject)]),
            locations=None if place is None else [sarif_om.Location(physical_location=place)],
            related_locations=self._related(finding, location),
            partial_fingerprints=self._fingerprints(finding, identifier, location),
            suppressions=_suppressions(judged) if suppressions else None,
            baseline_state=finding.history.change.value if states else None,
            properties={"scanagg": finding_of(judged) if self._whole else self._values(judged)},
        )

    def _sentences(self, judged: Judged) -> Iterator[str]:
        """Yield the scanner's message, then the facts that it lacks."""
        finding, package = judged.finding, judged.finding.package
        confidence = secrets.confidence(finding)
        message = sentence(finding.title if confidence else finding.message or finding.title)
        yield message
        if confidence:
            yield sentence(confidence[:1].upper() + confidence[1:])
        if finding.location and (cell := phrases.cell(finding.location)):
            yield f"In {cell}."
        if package:
            if package.name not in message or package.version not in message:
                yield f"Affects {phrase(package.name)} {phrase(package.version)}."
            if finding.advisory:
                yield from self._advice(judged, finding.advisory, package, message)
        records = dict.fromkeys((witness.scanner, witness.rule) for witness in finding.witnesses)
        # The result itself is the record of its rule, else the first of this run's scanner.
        own = [record for record in records if record[0] == self._scanner]
        named = [record for record in own if record[1] == finding.rule.id]
        for record in (named or own)[:1]:
            del records[record]
        others = [f"{scanner} ({phrase(rule)})" for scanner, rule in records]
        if others:
            yield f"Also found by {', '.join(others)}."
        if finding.location is None:
            yield "No file of the project declares it, so this location is a placeholder."

    def _advice(
        self, judged: Judged, advisory: Advisory, package: Package, message: str
    ) -> Iterator[str]:
        """Yield fix, exploits, dependency path and upgrade, as far as the message lacks them."""
        upgrade = self._upgrades.get(package.purl)
        fix = phrases.vulnerability_fix(judged, upgrade) if upgrade or advisory.malicious else ""
        fixed = [phrase(version) for version in advisory.fixed_versions]
        if not fixed and not fix:
            yield "No fixed version is known."
        elif fixed and not any(version in message for version in fixed):
            yield f"Fixed in {' and '.join(fixed)}."
        if exploited := phrases.exploited(advisory):
            yield sentence(exploited[:1].upper() + exploited[1:])
        if len(package.chain) > 1 or package.resolved:
            yield sentence(f"The package is {phrases.dependency_path(package, self._app)}")
        if fix:
            yield sentence(fix)

    def _related(
        self, finding: Finding, location: Location | None
    ) -> list[sarif_om.Location] | None:
        requiring = finding.package.asked if finding.package else ()
        line = location and (location.path, location.start_line or 1)
        places = [place for place in finding.places if (place.path, place.start_line or 1) != line]
        return [
            sarif_om.Location(
                id=number,
                message=sarif_om.Message(
                    text="Required here." if place in requiring else "Also here."
                ),
                physical_location=self._places.further(place),
            )
            for number, place in enumerate(places if self._whole else places[:_MOST_PLACES], 1)
        ] or None

    def _fingerprints(
        self, finding: Finding, identifier: str, location: Location | None
    ) -> dict[str, str]:
        fingerprints = {FINGERPRINT: finding.fingerprint}
        if finding.category in _OF_PACKAGES and finding.package and location:
            # Instead of the hash of the line: it stays when versions in the manifest change.
            name = purl_without_version(finding.package.purl)
            parts = f"{identifier}|{name}|{self._places.uri(location.path)}"
            digits = hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
            self._hashes[digits] += 1
            fingerprints[LINE_HASH] = f"{digits}:{self._hashes[digits]}"
        elif finding.line_hash and finding.category is not Category.SECRET:
            fingerprints[LINE_HASH] = finding.line_hash
        return fingerprints

    def _values(self, judged: Judged) -> dict[str, object]:
        """Return the values of ours that have no place in the standard."""
        finding, place, package = judged.finding, judged.finding.location, judged.finding.package
        values: dict[str, object] = {
            "id": finding.id,
            "category": finding.category,
            "rule": phrase(finding.rule.id),
            "severity": judged.severity,
            "action": judged.verdict.action,
        }
        if place and place.start_line and place.last_line != place.start_line:
            values["endLine"] = place.last_line
        if package:
            values["package"] = package.purl
            if package.resolved:
                values["resolved"] = True
        if len(finding.witnesses) > 1:
            values["scanners"] = finding.scanners
        upgrade = self._upgrades.get(package.purl) if package and finding.advisory else None
        if upgrade and upgrade.to:
            values["upgrade"] = upgrade.to
        return values


def is_suppressed(judged: Judged) -> bool:
    """Return whether a waiver or a comment is about the finding, with or without effect."""
    return judged.verdict.action is Action.WAIVED or bool(judged.finding.in_source)


def _suppressions(judged: Judged) -> list[sarif_om.Suppression]:
    """Return who has waived the finding. A comment without effect under the policy is rejected."""
    waived, in_source = judged.verdict.action is Action.WAIVED, judged.finding.in_source
    texts: list[tuple[str, str, str]] = []
    if judged.waiver and waived:
        waiver = judged.waiver
        words = f"{phrase(waiver.reason)} — {phrase(waiver.owner)} — {waiver.expires}"
        texts.append(("external", "accepted", words))
    if in_source:
        words = sentence(f"{in_source} in the project's own files")
        texts.append(("inSource", "accepted" if waived else "rejected", words))
    if waived and not texts:
        texts.append(("external", "accepted", sentence(reasons.sentences(judged.verdict.reasons))))
    return [
        sarif_om.Suppression(kind=kind, state=state, justification=words)
        for kind, state, words in texts
    ]
