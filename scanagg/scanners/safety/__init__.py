"""Safety: known vulnerabilities of the pinned packages, from its vendor's service.

With `SAFETY_API_KEY` in the environment, scanagg runs `safety scan`, else the deprecated `safety
check`, which needs no account. Both need the vendor's service, even with a database of your own.
They run in a folder with only the pins, so policy files of the project have no effect.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.text import one_line, printable
from scanagg.model import (
    Advisory,
    Category,
    Observation,
    Package,
    Reason,
    ScannerInfo,
    SeverityClaim,
    cvss,
)
from scanagg.model.advisories import pages, remedy
from scanagg.scanners import base, pinned

INFO = ScannerInfo(
    name="safety",
    title="Safety",
    about="Finds known vulnerabilities in pinned packages, with Safety's database.",
    url="https://docs.safetycli.com/",
    package="safety",
    options={"db": "Folder or URL of a vulnerability database for `safety check`."},
    args=frozenset(
        (
            *("--ignore", "-i", "--proxy-host", "--proxy-port", "--proxy-protocol"),
            *("--stage", "--debug"),
        )
    ),
    native_files=(".safety-policy.yml", ".safety-policy.yaml", ".safety-project.ini"),
    categories=frozenset({Category.VULNERABILITY}),
    needs_network=True,
    suppressions={"safety policy": False},
)

_SERVICE: Final = "Safety's service"
_FILE: Final = "requirements.txt"
_BATCH: Final = 1000
_VULNERABLE: Final = 64  # the exit code if there are vulnerabilities
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_DATE: Final = re.compile(rf"(\d{{4}})-({'|'.join(_MONTHS)})-(\d{{2}})")
_GHSA_PAGE: Final = re.compile(r"https://github\.com/advisories/(GHSA(?:-[0-9a-z]{4}){3})/?")

probe = base.probe
identify = base.identify
again = base.again
recall = base.recall
advisory_source = base.advisory_source


# The JSON of `safety check`.


class _Score(msgspec.Struct, frozen=True):
    base_score: float | None = None
    vector_string: str = ""


class _Severity(msgspec.Struct, frozen=True):
    cvssv2: _Score | None = None
    cvssv3: _Score | None = None

    def claims(self) -> tuple[SeverityClaim, ...]:
        """Return the severities of scores, else of vectors: CVSS 3 as the tool's, and CVSS 2."""
        claims = []
        for source, score in (("tool", self.cvssv3), ("cvss2", self.cvssv2)):
            if score is None:
                continue
            scored = cvss.scored(score.vector_string)
            level = scored and scored.severity
            if score.base_score is not None:
                level = cvss.level(score.base_score, source)
            if level:
                claims.append(SeverityClaim(source, level, INFO.name, score.vector_string or None))
        return tuple(claims)


class _Vulnerability(msgspec.Struct, frozen=True):
    """A vulnerability in the output of `check`; `scan` has only its number and package."""

    vulnerability_id: str
    package_name: str
    analyzed_version: str = ""
    advisory: str = ""
    published_date: str = ""
    fixed_versions: list[str] = []
    resources: list[str] = []
    cve: str = msgspec.field(default="", name="CVE")
    severity: _Severity = _Severity()
    more_info_url: str = ""


class _Answer(msgspec.Struct, frozen=True):
    """The answer of either command: the examined pins, and the vulnerabilities by pin.

    `ignored` counts vulnerabilities that its policy hides, `strange` those of packages that were
    not requested. `exit_codes` are those that fit the answer.
    """

    examined: tuple[str, ...]
    found: tuple[tuple[str, _Vulnerability], ...]
    ignored: int
    strange: int
    exit_codes: tuple[int, ...]


class _ScannedPackage(msgspec.Struct, frozen=True):
    """A package in the output of `check`; without a version, it was not examined."""

    name: str
    version: str = ""


class _CheckReport(msgspec.Struct, frozen=True):
    scanned_packages: dict[str, _ScannedPackage]
    vulnerabilities: list[_Vulnerability]
    ignored_vulnerabilities: list[_Vulnerability] = []

    def answer(self, pins: Sequence[str]) -> _Answer:
        asked = pinned.by_key(pins)

        def pin_of(name: str, version: str) -> str:
            return next(iter(pinned.pins_of(asked, name, version)), "")

        packages = self.scanned_packages.values()
        examined = (pin_of(package.name, package.version) for package in packages)
        found = [
            (pin_of(one.package_name, one.analyzed_version), one) for one in self.vulnerabilities
        ]
        return _Answer(
            examined=tuple(filter(None, examined)),
            found=tuple((pin, one) for pin, one in found if pin),
            ignored=len(self.ignored_vulnerabilities),
            strange=sum(not pin for pin, _ in found),
            exit_codes=(_VULNERABLE,) if found else (0,),
        )


# The JSON of `safety scan`.


class _KnownVulnerability(msgspec.Struct, frozen=True):
    id: str
    ignored: object = None


class _Vulnerabilities(msgspec.Struct, frozen=True):
    known_vulnerabilities: list[_KnownVulnerability] = []


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


class _Projects(msgspec.Struct, frozen=True):
    projects: list[_Project]


class _ScanReport(msgspec.Struct, frozen=True):
    scan_results: _Projects

    def answer(self, pins: Sequence[str]) -> _Answer:
        examined: list[str] = []
        found: list[tuple[str, _Vulnerability]] = []
        ignored = 0
        specifications = (
            specification
            for project in self.scan_results.projects
            for file in project.files
            for dependency in file.results.dependencies
            for specification in dependency.specifications
        )
        for specification in specifications:
            pin = specification.raw
            if pin not in pins:
                continue
            examined.append(pin)
            for one in specification.vulnerabilities.known_vulnerabilities:
                if one.ignored:
                    ignored += 1
                else:
                    found.append((pin, _Vulnerability(one.id, pin.partition("==")[0])))
        # The user's own policy may end it with 0.
        exit_codes = (_VULNERABLE, 0) if found else (0,)
        return _Answer(tuple(examined), tuple(found), ignored, 0, exit_codes)


def locate(context: base.Context) -> base.Tool | None:
    """Find the program that the settings name, else the module of scanagg's environment."""
    return base.module_or_program("safety", "safety", context)


def inputs(context: base.Context) -> base.Inputs:
    """Return every package of the inventory."""
    return pinned.inputs(context.inventory)


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Split the pins by size, with each name once in a batch."""
    return pinned.batches(inputs.found, _BATCH)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call for exactly these pins, without telemetry."""
    if os.environ.get("SAFETY_API_KEY"):
        command: tuple[str, ...] = ("scan", "--output", "json", "--target", "{work}")
    else:
        command = ("check", "-r", _FILE, "--output", "json", "--disable-audit-and-monitor")
        database = context.settings.options.get("db")
        if database and not database.startswith(("https://", "http://")):
            database = str(context.target.root / Path(database).expanduser())
        if database:
            command = (*command, "--db", database)
    return base.Call(
        (*tool.argv, "--disable-optional-telemetry", *command, *context.settings.args),
        batch,
        files={_FILE: pinned.requirements(batch)},
        env={"NON_INTERACTIVE": "1"},
        allow=("SAFETY_*",),
    )


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the answer. A pin that it lists with a version is examined."""
    try:
        answer = _decode(output.stdout, output.inputs)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error
    if answer is None:
        otherwise = Reason("no-answer", {"code": output.returncode})
        raise base.failure(output.stderr, otherwise, _SERVICE)
    if output.returncode not in answer.exit_codes:
        found = len(answer.found) + answer.strange
        reason = Reason("wrong-exit-code", {"code": output.returncode, "found": found})
        raise base.ScanError(reason)
    packages = pinned.pins(context.inventory).exact
    unasked = Reason("unasked-vulnerabilities", {"number": answer.strange})
    return base.Parsed(
        observations=tuple(_observation(packages[pin], one) for pin, one in answer.found),
        examined=answer.examined,
        hidden=+Counter({"safety policy": answer.ignored}),
        notices=(unasked,) if answer.strange else (),
    )


def _decode(stdout: bytes, pins: Sequence[str]) -> _Answer | None:
    """Find the answer between the banners; None if there is none. ValueError if it is malformed."""
    text = stdout.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^\{", text, re.MULTILINE):
        try:
            report, _ = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        base.without_nulls(report)
        if "scan_results" in report:
            return msgspec.convert(report, _ScanReport).answer(pins)
        if "scanned_packages" in report:
            return msgspec.convert(report, _CheckReport).answer(pins)
    return None


def _observation(package: Package, vulnerability: _Vulnerability) -> Observation:
    """Return a vulnerability, with Safety's number as its id.

    A GitHub advisory is an alias if the resources name only one.
    """
    number = one_line(vulnerability.vulnerability_id)
    resources = vulnerability.resources
    github = {match[1] for match in map(_GHSA_PAGE.fullmatch, resources) if match}
    date = _DATE.fullmatch(vulnerability.published_date)
    url = vulnerability.more_info_url
    advisory = Advisory(
        id=f"safety-{number}" if number.isdecimal() else number,
        aliases=(*filter(None, (vulnerability.cve,)), *(github if len(github) == 1 else ())),
        fixed_versions=tuple(vulnerability.fixed_versions),
        published=f"{date[1]}-{_MONTHS.index(date[2]) + 1:02}-{date[3]}" if date else None,
        url=url if url.startswith("https://") else None,
        references=pages(resources),
    )
    affected = f"{package.name} {package.version} is affected by {advisory.id}."
    return pinned.vulnerability(
        INFO.name,
        package,
        advisory,
        printable(vulnerability.advisory).strip(),
        message=one_line(f"{affected} {remedy(advisory.fixed_versions)}"),
        claims=vulnerability.severity.claims(),
    )
