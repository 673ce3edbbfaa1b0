"""What Safety's JSON means, of `check` and of `scan`: packages looked at, and vulnerabilities."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Advisory,
    Category,
    Observation,
    Package,
    Rule,
    Severity,
    SeverityClaim,
    cvss,
)
from scanagg.model.advisories import pages, remedy
from scanagg.scanners import pinned
from scanagg.scanners.base import Parsed

NAME: Final = "safety"
_SUMMARY_WIDTH: Final = 100
# Its exit code where there are vulnerabilities.
_VULNERABLE: Final = 64
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_DATE: Final = re.compile(rf"(\d{{4}})-({'|'.join(_MONTHS)})-(\d{{2}})")
_GHSA_PAGE: Final = re.compile(r"https://github\.com/advisories/(GHSA(?:-[0-9a-z]{4}){3})/?")


class _Score(msgspec.Struct, frozen=True):
    base_score: float | None = None
    vector_string: str | None = None


class _Severity(msgspec.Struct, frozen=True):
    cvssv2: _Score | None = None
    cvssv3: _Score | None = None


class Vulnerability(msgspec.Struct, frozen=True):
    """A vulnerability as `check` tells it; `scan` tells only its number and package."""

    vulnerability_id: str
    package_name: str
    analyzed_version: str | None = None
    advisory: str | None = None
    published_date: str | None = None
    fixed_versions: list[str] | None = None
    resources: list[str] | None = None
    cve: str | None = msgspec.field(default=None, name="CVE")
    severity: _Severity | None = None
    more_info_url: str | None = None


class _Scanned(msgspec.Struct, frozen=True):
    """A package as `check` tells it; without a version it was not looked at."""

    name: str
    version: str | None = None


class _Check(msgspec.Struct, frozen=True):
    scanned_packages: dict[str, _Scanned]
    vulnerabilities: list[Vulnerability]
    ignored_vulnerabilities: list[Vulnerability] | None = None


class _Known(msgspec.Struct, frozen=True):
    """A vulnerability as `scan` tells it: hardly more than its number."""

    id: str
    ignored: object = None


class _Vulnerabilities(msgspec.Struct, frozen=True):
    known_vulnerabilities: list[_Known] | None = None


class _Specification(msgspec.Struct, frozen=True):
    raw: str
    vulnerabilities: _Vulnerabilities


class _Dependency(msgspec.Struct, frozen=True):
    specifications: list[_Specification]


class _Dependencies(msgspec.Struct, frozen=True):
    dependencies: list[_Dependency]


class _ScanFile(msgspec.Struct, frozen=True):
    results: _Dependencies


class _Project(msgspec.Struct, frozen=True):
    files: list[_ScanFile]


class _Results(msgspec.Struct, frozen=True):
    projects: list[_Project]


class _Scan(msgspec.Struct, frozen=True):
    scan_results: _Results


class Answer(msgspec.Struct, frozen=True):
    """What either command says: pins looked at, vulnerabilities by pin.

    `ignored` is how many it was told to hide, `strange` how many are about no pin that was asked.
    `judged` is whether a policy of its own decided about the exit code: it is for `scan`.
    """

    examined: tuple[str, ...]
    found: tuple[tuple[str, Vulnerability], ...]
    ignored: int = 0
    strange: int = 0
    judged: bool = False

    def parsed(self, packages: Mapping[str, Package]) -> Parsed:
        """The answer in our words; `packages` are those that were asked about, by pin."""
        unasked = f"{self.strange} vulnerabilities in the answer are about packages not asked for"
        return Parsed(
            observations=tuple(observation(packages[pin], one) for pin, one in self.found),
            examined=self.examined,
            hidden={"safety policy": self.ignored} if self.ignored else {},
            notices=(unasked,) if self.strange else (),
        )

    @property
    def count(self) -> int:
        """How many vulnerabilities it tells of, whatever they are about."""
        return len(self.found) + self.strange

    def fits(self, code: int) -> bool:
        """Whether the program ends with this exit code after such an answer."""
        if not self.count:
            return code == 0
        return code == _VULNERABLE or (self.judged and code == 0)


def decode(stdout: bytes, pins: Sequence[str]) -> Answer | None:
    """The answer about these pins between the banners, or None where there is none.

    ValueError where there is one, but not in the form that is known.
    """
    for report in _objects(stdout.decode("utf-8", "replace")):
        if "scan_results" in report:
            return _of_scan(msgspec.convert(report, _Scan), pins)
        if "scanned_packages" in report:
            return _of_check(msgspec.convert(report, _Check), pins)
    return None


def _objects(text: str) -> Iterator[dict[str, object]]:
    """The JSON objects that begin at the start of a line, whatever stands around them."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^\{", text, re.MULTILINE):
        try:
            found, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield found


def _of_check(report: _Check, pins: Sequence[str]) -> Answer:
    asked = pinned.by_key(pins)

    def pin_of(name: str, version: str | None) -> str:
        same = pinned.key(name, version or "")
        return asked.get(same, ("",))[0] if same else ""

    examined = (pin_of(one.name, one.version) for one in report.scanned_packages.values())
    found = [
        (pin_of(one.package_name, one.analyzed_version), one) for one in report.vulnerabilities
    ]
    return Answer(
        examined=tuple(pin for pin in examined if pin),
        found=tuple((pin, one) for pin, one in found if pin),
        ignored=len(report.ignored_vulnerabilities or ()),
        strange=sum(not pin for pin, _ in found),
    )


def _of_scan(report: _Scan, pins: Sequence[str]) -> Answer:
    examined: list[str] = []
    found: list[tuple[str, Vulnerability]] = []
    ignored = 0
    for specification in _specifications(report):
        pin = specification.raw
        if pin not in pins:
            continue
        examined.append(pin)
        for one in specification.vulnerabilities.known_vulnerabilities or ():
            if one.ignored:
                ignored += 1
            else:
                found.append((pin, Vulnerability(one.id, pin.partition("==")[0])))
    return Answer(tuple(examined), tuple(found), ignored, judged=True)


def _specifications(report: _Scan) -> Iterator[_Specification]:
    for project in report.scan_results.projects:
        for file in project.files:
            for dependency in file.results.dependencies:
                yield from dependency.specifications


def observation(package: Package, found: Vulnerability) -> Observation:
    """One vulnerability of one package of the inventory."""
    identity = f"{package.name} {package.version}"
    advisory = _advisory(found)
    text = printable(found.advisory or "").strip()
    summary = shorten(text.partition("\n")[0], _SUMMARY_WIDTH) or "known vulnerability"
    affected = f"{identity} is affected by {advisory.id}."
    return Observation(
        scanner=NAME,
        category=Category.VULNERABILITY,
        rule=Rule(advisory.id, advisory.id, summary, advisory.url, help=text),
        title=f"{identity}: {summary}",
        message=one_line(f"{affected} {remedy(advisory.fixed_versions)}"),
        claims=_claims(found.severity),
        location=package.places[0] if package.places else None,
        places=package.places,
        package=package,
        advisory=advisory,
    )


def _advisory(found: Vulnerability) -> Advisory:
    """Its own number as the id. A GitHub advisory is an alias where it points to just one page."""
    number = one_line(found.vulnerability_id)
    github = {match[1] for match in map(_GHSA_PAGE.fullmatch, found.resources or ()) if match}
    date = _DATE.fullmatch(found.published_date or "")
    url = found.more_info_url or ""
    return Advisory(
        id=f"safety-{number}" if number.isdecimal() else number,
        aliases=(*((found.cve,) if found.cve else ()), *(github if len(github) == 1 else ())),
        fixed_versions=tuple(found.fixed_versions or ()),
        published=f"{date[1]}-{_MONTHS.index(date[2]) + 1:02}-{date[3]}" if date else None,
        url=url if url.startswith("https://") else None,
        references=pages(found.resources or ()),
    )


def _claims(severity: _Severity | None) -> tuple[SeverityClaim, ...]:
    """Its own word is the score that it shows first, the newer one."""
    scores = (("tool", severity.cvssv3), ("cvss2", severity.cvssv2)) if severity else ()
    levels = [(source, one, _level(one, source)) for source, one in scores if one]
    return tuple(
        SeverityClaim(source, level, NAME, one.vector_string)
        for source, one, level in levels
        if level
    )


def _level(score: _Score, source: str) -> Severity | None:
    """What the score stands for; where there is none, what the vector amounts to."""
    if score.base_score is not None:
        return cvss.level(score.base_score, source)
    found = cvss.scored(score.vector_string or "")
    return found and found.severity
