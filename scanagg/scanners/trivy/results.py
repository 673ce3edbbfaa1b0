"""Trivy's JSON, and the observations in it, for files and for images."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    LicenseFacts,
    Location,
    Number,
    Observation,
    Package,
    Rule,
    Scope,
    Secret,
    Severity,
    SeverityClaim,
    cvss,
    is_pypi,
    pypi_purl,
    sorted_locations,
)
from scanagg.model.advisories import UNTITLED, headline, pages, remedy
from scanagg.project.sources import Sources
from scanagg.scanners import secret_rules
from scanagg.scanners.base import without_nulls
from scanagg.scanners.trivy.checks import words_of
from scanagg.scanners.trivy.tree import IGNORE_FILE, SEEN

NAME: Final = "trivy"
_SUMMARY_WIDTH: Final = 100

_T = TypeVar("_T")
_ECOSYSTEMS: Final = {
    **dict.fromkeys(("pip", "pipenv", "poetry", "uv", "pylock", "python-pkg"), "pypi"),
    **dict.fromkeys(("npm", "yarn", "pnpm", "bun", "node-pkg"), "npm"),
    **dict.fromkeys(("jar", "pom", "gradle"), "maven"),
    **dict.fromkeys(("gomod", "gobinary"), "golang"),
    **dict.fromkeys(("cargo", "rustbinary"), "cargo"),
    **dict.fromkeys(("bundler", "gemspec"), "gem"),
    **dict.fromkeys(("composer", "nuget"), "{}"),
    **dict.fromkeys(("debian", "ubuntu"), "deb/{}"),
    **dict.fromkeys(("alpine", "wolfi", "chainguard"), "apk/{}"),
    **dict.fromkeys(("redhat", "centos", "rocky", "alma", "fedora", "amazon", "oracle"), "rpm/{}"),
}
_DIRECT: Final = {"direct": True, "indirect": False}
_LEVELS: Final = {
    level.name: level for level in Severity if level not in (Severity.UNKNOWN, Severity.INFO)
}
# Trivy's numbers in VendorSeverity.
_NUMBERS: Final[Mapping[float, str]] = {1: "LOW", 2: "MEDIUM", 3: "HIGH", 4: "CRITICAL"}
# Vendors whose severities count. Those of others (Red Hat, Debian) are kept under their names, but
# not if a name has another meaning among sources.
_ASKED: Final = ("ghsa", "nvd")
_VENDOR: Final = re.compile(
    r"(?!(?:policy|table|tool|cvss2|cvss3\.0|cvss3\.1|cvss4)$)[a-z][a-z0-9.-]{0,39}"
)
# Vendors whose vectors are those of the records of OSV.
_OSV: Final = ("ghsa", "osv")
_V2: Final = "cvss2"
_LONGEST_VECTOR: Final = 400


# The JSON: only the keys that are used. Trivy spells them in Pascal case. It may have null for any
# of them, which is the same as no key.


class _Struct(msgspec.Struct, rename="pascal", frozen=True):
    pass


class _Identifier(_Struct, frozen=True):
    purl: str = msgspec.field(default="", name="PURL")


class _Lines(_Struct, frozen=True):
    start_line: Number = 0
    end_line: Number = 0


class _Package(_Struct, frozen=True):
    """A package of a result, with the lines that name it."""

    name: str = ""
    version: str = ""
    identifier: _Identifier = _Identifier()
    locations: list[_Lines] = []
    dev: bool = False
    relationship: str = ""


class _Cvss(_Struct, frozen=True):
    """The CVSS vectors and scores of one vendor."""

    v2_vector: str = ""
    v2_score: float = math.nan
    v3_vector: str = ""
    v3_score: float = math.nan
    v40_vector: str = ""
    v40_score: float = math.nan

    def claims(self, vendor: str) -> Iterator[SeverityClaim]:
        """Yield the severity of each vector, else of the score beside it."""
        for version, vector, score in (
            ("cvss4", self.v40_vector, self.v40_score),
            ("cvss3.1", self.v3_vector, self.v3_score),
            (_V2, self.v2_vector, self.v2_score),
        ):
            if not 0 < len(vector) <= _LONGEST_VECTOR:
                continue
            claim = cvss.scored(vector)
            source = claim.source if claim else version
            severity = claim.severity if claim else cvss.level(score, version)
            if severity:
                # Vectors of OSV and of CVSS 2 are named by CVSS version, others by vendor.
                name = source if vendor in _OSV or source == _V2 else vendor
                text = claim.vector if claim else one_line(vector)
                yield SeverityClaim(name, severity, NAME, text)


class _Vulnerability(_Struct, frozen=True):
    id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str
    vendor_ids: list[str] = msgspec.field(default_factory=list, name="VendorIDs")
    pkg_identifier: _Identifier = _Identifier()
    installed_version: str = ""
    fixed_version: str = ""
    severity: str = ""
    severity_source: str = ""
    vendor_severity: dict[str, float] = {}
    cvss: dict[str, _Cvss] = msgspec.field(default_factory=dict, name="CVSS")
    cwe_ids: list[str] = msgspec.field(default_factory=list, name="CweIDs")
    url: str = msgspec.field(default="", name="PrimaryURL")
    title: str = ""
    description: str = ""
    published_date: str = ""
    references: list[str] = []

    def claims(self) -> tuple[SeverityClaim, ...]:
        """Return all severities in the record, each source and vector once."""
        own = self.severity_source
        claims = [*_claims(self.severity, own if own in _ASKED else "tool")]
        for vendor, number in self.vendor_severity.items():
            # Trivy's own severity is that of its source, and is in the list already.
            if _VENDOR.fullmatch(vendor) and (vendor in _ASKED or vendor != own):
                claims += _claims(_NUMBERS.get(number, ""), vendor)
        for vendor, scores in self.cvss.items():
            if _VENDOR.fullmatch(vendor):
                claims += scores.claims(vendor)
        return tuple(dict.fromkeys(claims))


class _Secret(_Struct, frozen=True):
    """`match` is a part of the first line, with each byte of a secret replaced by an asterisk."""

    rule_id: str = msgspec.field(name="RuleID")
    title: str = ""
    severity: str = ""
    match: str = ""
    start_line: Number = 0
    end_line: Number = 0


class _Cause(_Struct, frozen=True):
    resource: str = ""
    start_line: Number = 0
    end_line: Number = 0


class _Misconfiguration(_Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    title: str = ""
    description: str = ""
    message: str = ""
    resolution: str = ""
    severity: str = ""
    url: str = msgspec.field(default="", name="PrimaryURL")
    status: str = ""
    cause: _Cause = msgspec.field(default=_Cause(), name="CauseMetadata")


class _License(_Struct, frozen=True):
    name: str = ""
    pkg_name: str = ""


class _Modified(_Struct, frozen=True):
    """A finding that an ignore file keeps from the others; `finding` is of the kind `type`."""

    type: str
    status: str
    finding: dict[str, object]


class TrivyResult(_Struct, frozen=True):
    """The result for one thing that Trivy looked at: a file, a folder, an image's OS packages."""

    target: str = ""
    class_: str = msgspec.field(default="", name="Class")
    type: str = ""
    packages: list[_Package] = []
    vulnerabilities: list[_Vulnerability] = []
    misconfigurations: list[_Misconfiguration] = []
    secrets: list[_Secret] = []
    licenses: list[_License] = []
    modified: list[_Modified] = msgspec.field(
        default_factory=list, name="ExperimentalModifiedFindings"
    )

    def ignored(self) -> "TrivyResult":
        """Return this result with only the findings that an ignore file hides. ValueError."""
        ignored = [one for one in self.modified if one.status == "ignored"]

        def of_kind(name: str, kind: type[_T]) -> list[_T]:
            return [msgspec.convert(one.finding, kind) for one in ignored if one.type == name]

        return replace(
            self,
            vulnerabilities=of_kind("vulnerability", _Vulnerability),
            misconfigurations=of_kind("misconfiguration", _Misconfiguration),
            secrets=of_kind("secret", _Secret),
            licenses=of_kind("license", _License),
            modified=[],
        )

    def failed_checks(self) -> Sequence[_Misconfiguration]:
        """Return the misconfigurations, without checks that passed."""
        return [one for one in self.misconfigurations if one.status != "PASS"]

    def found_secrets(self) -> Sequence[_Secret]:
        """Return the secrets, without the hits of the rule that shows which files were read."""
        return [one for one in self.secrets if one.rule_id != SEEN]


class _Holder(_Struct, frozen=True):
    results: list[TrivyResult] = []


class _Os(_Struct, frozen=True):
    eosl: bool = msgspec.field(default=False, name="EOSL")
    family: str = ""
    name: str = ""


class _Metadata(_Struct, frozen=True):
    os: _Os = msgspec.field(default=_Os(), name="OS")
    image_id: str = msgspec.field(default="", name="ImageID")


class TrivyReport(_Struct, frozen=True):
    """A report on files or an image. `vulnerabilities` and `misconfigurations`: on a cluster."""

    schema_version: int = 0
    artifact_type: str = ""
    metadata: _Metadata = _Metadata()
    results: list[TrivyResult] = []
    vulnerabilities: list[_Holder] = []
    misconfigurations: list[_Holder] = []

    def all_results(self) -> Iterator[TrivyResult]:
        """Return the results of any kind of report."""
        yield from self.results
        for holder in (*self.vulnerabilities, *self.misconfigurations):
            yield from holder.results

    def end_of_life(self) -> str | None:
        """Return the image's operating system if its vendor no longer supports it."""
        system = self.metadata.os
        return one_line(f"{system.family} {system.name}") if system.eosl else None


def decode(raw: bytes) -> TrivyReport:
    """Read Trivy's JSON. Before version 0.20 it is a list of results. ValueError."""
    answer = without_nulls(msgspec.json.decode(raw))
    if isinstance(answer, list):
        return TrivyReport(results=msgspec.convert(answer, list[TrivyResult]))
    document = msgspec.convert(answer, TrivyReport)
    keys = {field.encode_name for field in msgspec.structs.fields(TrivyReport)}
    if isinstance(answer, dict) and keys.isdisjoint(answer):
        raise ValueError("not a report of Trivy")
    for result in document.all_results():
        result.ignored()  # raises ValueError if it cannot be read
    return document


class TrivyReading(msgspec.Struct, frozen=True):
    """Observations, and the numbers of records that were left out."""

    observations: tuple[Observation, ...]
    elsewhere: int = 0
    loose_licenses: int = 0


def read(
    document: TrivyReport,
    inventory: Inventory | None = None,
    paths: Mapping[str, str] | None = None,
    image: str | None = None,
    sources: Sources | None = None,
) -> TrivyReading:
    """Read the observations in a report, without those about files that do not count.

    `paths` maps Trivy's names of files to paths of the target; with None, names stay as they are.
    `image` is the image that was scanned, if any: its observations have no location. Secrets have a
    value only with the `sources`, because Trivy masks it.
    """
    reader = _Reader(document, inventory or Inventory(), paths, image, sources)
    observations: list[Observation] = []
    elsewhere = loose = 0
    for result in document.all_results():
        path = reader.path(result)
        ignored = result.ignored()
        if path is None and image is None:
            for one in (result, ignored):  # licences are not findings yet
                elsewhere += len(one.failed_checks()) + len(one.found_secrets())
                elsewhere += len(one.vulnerabilities)
            continue
        observations += reader.observations(result, path)
        if result.modified:
            hidden = reader.observations(ignored, path)
            observations += (replace(one, in_source=IGNORE_FILE) for one in hidden)
        loose += sum(not one.pkg_name for one in result.licenses)
    return TrivyReading(tuple(observations), elsewhere, loose)


class _Reader:
    """Turns results into observations, with the packages of the inventory and of the report."""

    def __init__(
        self,
        document: TrivyReport,
        inventory: Inventory,
        paths: Mapping[str, str] | None,
        image: str | None,
        sources: Sources | None,
    ) -> None:
        self._paths = paths
        self._image = image
        self._sources = sources
        # Packages and their licences are in different results.
        self._listed: dict[tuple[str, str], list[_Package]] = {}
        for result in document.all_results():
            for listed in result.packages:
                self._listed.setdefault((result.target, listed.name), []).append(listed)
        self._pinned: dict[str, list[Package]] = {}
        for package in inventory.packages:
            self._pinned.setdefault(package.name, []).append(package)

    def path(self, result: TrivyResult) -> str | None:
        """Return the file of the target that a result is about."""
        if self._image is not None:
            return None
        if self._paths is None:
            return result.target
        path = self._paths.get(result.target)
        if path or result.type != "terraform":
            return path
        # A Terraform module is a folder: its first file stands for it.
        inside = (
            path
            for path in self._paths.values()
            if str(PurePosixPath(path).parent) == result.target and ".tf" in path
        )
        return min(inside, default=None)

    def observations(self, result: TrivyResult, path: str | None) -> Iterator[Observation]:
        for vulnerability in result.vulnerabilities:
            yield self._vulnerability(result, path, vulnerability)
        for secret in result.found_secrets():
            rule = secret_rules.secret_rule(secret.rule_id, secret.title)
            yield Observation(
                scanner=NAME,
                category=Category.SECRET,
                rule=rule,
                title=rule.title,
                message=secret_rules.message(rule),
                claims=_claims(secret.severity),
                location=_location(path, secret),
                package=self._image_package(),
                resource=self._inside(result, secret.start_line),
                secret=Secret(value=self._value(path, secret)),
            )
        for check in result.failed_checks():
            yield self._misconfiguration(result, path, check)
        yield from self._licenses(result, path)

    def _value(self, path: str | None, secret: _Secret) -> str:
        """Return the value of a secret from its first line; "" if it is not in a known file."""
        if self._sources is None or not path or secret.start_line < 1:
            return ""
        return unmasked(secret.match, self._sources.line(path, secret.start_line) or "")

    def _vulnerability(
        self, result: TrivyResult, path: str | None, vulnerability: _Vulnerability
    ) -> Observation:
        purl = vulnerability.pkg_identifier.purl
        name, version = vulnerability.pkg_name, vulnerability.installed_version
        package = self._package(result, name, version, purl)
        location = self._declaration(result, path, package)
        aliases = dict.fromkeys(vulnerability.vendor_ids)
        aliases.pop(vulnerability.id, None)
        fixed = (one_line(part.strip()) for part in vulnerability.fixed_version.split(","))
        advisory = Advisory(
            id=vulnerability.id,
            aliases=tuple(aliases),
            fixed_versions=tuple(part for part in fixed if part),
            published=vulnerability.published_date or None,
            url=_web(vulnerability.url),
            references=pages(vulnerability.references),
        )
        names = (package.name, *advisory.ids)
        first = shorten(headline(vulnerability.description, names), _SUMMARY_WIDTH)
        summary = one_line(headline(vulnerability.title, names) or first or UNTITLED)
        where = f" in the image {self._image}" if self._image else ""
        return Observation(
            scanner=NAME,
            category=Category.VULNERABILITY,
            rule=Rule(
                id=vulnerability.id,
                name=vulnerability.id,
                title=summary,
                url=advisory.url,
                cwe=tuple(vulnerability.cwe_ids),
                why=printable(vulnerability.description),
            ),
            title=f"{package.name} {package.version}: {summary}",
            message=one_line(
                f"{package.name} {package.version}{where} is affected by {advisory.id}."
                f" {remedy(advisory.fixed_versions)}"
            ),
            claims=vulnerability.claims(),
            location=location,
            places=_places(package, location),
            package=package,
            advisory=advisory,
        )

    def _misconfiguration(
        self, result: TrivyResult, path: str | None, check: _Misconfiguration
    ) -> Observation:
        cause = check.cause
        words = words_of(check.id)
        title = words.title if words else one_line(check.title).rstrip(".") or check.id
        return Observation(
            scanner=NAME,
            category=Category.MISCONFIGURATION,
            rule=Rule(
                id=check.id,
                name=check.id,
                title=title,
                url=_web(check.url),
                help=words.help if words else _sentence(check.resolution),
                why=words.why if words else printable(check.description),
                bad=words.bad if words else "",
                good=words.good if words else "",
            ),
            title=title,
            message=_sentence(check.message or title),
            claims=_claims(check.severity),
            location=_location(path, cause),
            package=self._image_package(),
            resource=one_line(cause.resource) or self._inside(result, cause.start_line),
        )

    def _licenses(self, result: TrivyResult, path: str | None) -> Iterator[Observation]:
        """Yield one observation for each package. Trivy lists each of its licences separately."""
        names: dict[str, dict[str, None]] = {}
        for found in result.licenses:
            if found.pkg_name and found.name:
                names.setdefault(found.pkg_name, {})[found.name] = None
        for name, licenses in names.items():
            # Licences have no version: it is that of the listed package, else of the pinned one.
            listed = self._find(result, name)
            pinned = self._pinned.get(canonicalize_name(name), ())
            if listed is _UNLISTED and len(pinned) == 1:
                package = pinned[0]
            else:
                package = self._package(result, name, listed.version, listed.identifier.purl)
            location = self._declaration(result, path, package)
            parts = [f"({one})" if " " in one else one for one in licenses]
            text = one_line(" AND ".join(parts if len(licenses) > 1 else licenses))
            yield Observation(
                scanner=NAME,
                category=Category.LICENSE,
                rule=Rule(id="license", name="license", title="Licence of a package"),
                title=f"{package.name} is under {text}",
                message=f"{package.name} {package.version} is under {text}.".replace("  ", " "),
                location=location,
                places=_places(package, location),
                package=package,
                license=LicenseFacts(text=text, source=NAME),
            )

    def _package(self, result: TrivyResult, name: str, version: str, purl: str) -> Package:
        """Return the package of the inventory, else one from Trivy's data."""
        purl = purl or _purl(result, name, version)
        if is_pypi(purl):
            for package in self._pinned.get(canonicalize_name(name), ()):
                if package.version == version:
                    return package
        listed = self._find(result, name, version)
        return Package(
            name=canonicalize_name(name) if is_pypi(purl) else one_line(name),
            version=one_line(version),
            purl=one_line(purl),
            scope=Scope.DEV if listed.dev else Scope.RUNTIME,
            direct=_DIRECT.get(listed.relationship),
        )

    def _find(self, result: TrivyResult, name: str, version: str = "") -> _Package:
        """Return the package that the report lists for the result's target, or `_UNLISTED`."""
        for listed in self._listed.get((result.target, name), ()):
            if version in ("", listed.version):
                return listed
        return _UNLISTED

    def _declaration(
        self, result: TrivyResult, path: str | None, package: Package
    ) -> Location | None:
        """Return the line that declares the package, from the inventory, else from Trivy."""
        for place in package.places:
            if place.path == path:
                return place
        lines = self._find(result, package.name, package.version).locations
        return _location(path, lines[0] if lines else _Lines())

    def _image_package(self) -> Package | None:
        """Return the image as a package, for findings that are in no package of it."""
        image = self._image
        return Package(image, "", f"pkg:oci/{quote(image)}") if image is not None else None

    def _inside(self, result: TrivyResult, line: int) -> str:
        """Return a file of an image, with the line; empty for a file of the target."""
        if self._image is None:
            return ""
        return one_line(f"{result.target}:{line}" if line else result.target)


_UNLISTED: Final = _Package()


def _purl(result: TrivyResult, name: str, version: str) -> str:
    """Return a package URL, for reports of versions that have none."""
    kind = _ECOSYSTEMS.get(result.type, "generic").format(result.type)
    if kind == "pypi":
        return pypi_purl(canonicalize_name(name), version)
    if kind == "maven":
        name = name.replace(":", "/")
    return f"pkg:{kind}/{quote(name)}" + (f"@{quote(version)}" if version else "")


def unmasked(match: str, line: str) -> str:
    """Return the longest part of `line` that asterisks replace in `match`, a part of it.

    Trivy masks bytes. The result is "" if the two do not fit.
    """
    masked, raw = match.encode("utf-8", "replace"), line.encode("utf-8", "replace")
    clear = max(re.split(rb"\*{4,}", masked), key=len)
    start = raw.find(clear) - masked.find(clear)
    part = raw[max(start, 0) : start + len(masked)]
    if len(part) != len(masked):
        return ""
    values = [part[slice(*run.span())] for run in re.finditer(rb"\*{4,}", masked)]
    return max(values, key=len, default=b"").decode("utf-8", "replace")


def _places(package: Package, location: Location | None) -> tuple[Location, ...]:
    return sorted_locations(filter(None, (*package.places, location)))


def _location(path: str | None, lines: _Lines | _Secret | _Cause) -> Location | None:
    """Return the location. Trivy has 0 or nothing for an unknown line."""
    if not path:
        return None
    start = lines.start_line
    return Location(path, start, max(start, lines.end_line)) if start > 0 else Location(path)


def _sentence(text: str) -> str:
    line = one_line(text.strip())
    return line if line.endswith((".", "!", "?")) or not line else f"{line}."


def _web(url: str) -> str | None:
    return url if url.startswith(("https://", "http://")) else None


def _claims(severity: str, source: str = "tool") -> tuple[SeverityClaim, ...]:
    level = _LEVELS.get(severity.upper())
    return (SeverityClaim(source, level, NAME),) if level else ()
