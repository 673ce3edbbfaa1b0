"""What Trivy's JSON means: results of a scan of files or of an image as observations."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line, printable
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    LicenseFacts,
    Location,
    Observation,
    Package,
    Rule,
    Scope,
    Secret,
    is_pypi,
    pypi_purl,
    sorted_locations,
)
from scanagg.model.advisories import pages, remedy
from scanagg.scanners.trivy import report, severity
from scanagg.scanners.trivy.tree import IGNORE_FILE, SEEN

NAME: Final = "trivy"


class Setting(msgspec.Struct, frozen=True):
    """What results are read against.

    `paths` leads from what Trivy calls a file to what we call it; None takes every name as it is.
    `image` is what was scanned where it was no tree: then no result has a place.
    """

    inventory: Inventory = msgspec.field(default_factory=Inventory)
    paths: Mapping[str, str] | None = None
    image: str | None = None

    def path(self, result: report.Result) -> str | None:
        """The file of the target that a result is about."""
        if self.image is not None:
            return None
        if self.paths is None:
            return result.target
        # A Terraform module is a folder: its first file has to answer for it.
        return self.paths.get(result.target) or self._first_file_in(result)

    def _first_file_in(self, result: report.Result) -> str | None:
        if result.type != "terraform" or self.paths is None:
            return None
        inside = (
            path
            for path in self.paths.values()
            if str(PurePosixPath(path).parent) == result.target and ".tf" in path
        )
        return min(inside, default=None)


class Reading(msgspec.Struct, frozen=True):
    """Observations, and how many records could not be one, by why."""

    observations: tuple[Observation, ...]
    elsewhere: int = 0
    loose_licenses: int = 0


def read(document: report.Document, setting: Setting) -> Reading:
    """The observations in a report; results about files that do not count are left out."""
    reader = _Reader(setting)
    results = tuple(document.all_results())
    for result in results:
        reader.note_packages(result)
    found: list[Observation] = []
    elsewhere = loose = 0
    for result in results:
        path = setting.path(result)
        if path is None and setting.image is None:
            elsewhere += _count(result) + _count(result.ignored())
            continue
        found += reader.observations(result, path)
        if result.modified:
            ignored = reader.observations(result.ignored(), path)
            found += (replace(one, in_source=IGNORE_FILE) for one in ignored)
        loose += sum(not one.pkg_name for one in result.licenses or ())
    return Reading(tuple(found), elsewhere, loose)


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


def _count(result: report.Result) -> int:
    """How many findings a result holds; a licence of a package is none yet."""
    wrong = [one for one in result.misconfigurations or () if one.status != "PASS"]
    secrets = [one for one in result.secrets or () if one.rule_id != SEEN]
    return len(wrong) + len(secrets) + len(result.vulnerabilities or ())


class _Reader:
    """Turns results into observations; knows the packages of the inventory and of the report."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._listed: dict[tuple[str, str], list[report.Package]] = {}
        self._pinned: dict[str, list[Package]] = {}
        for one in setting.inventory.packages:
            self._pinned.setdefault(one.name, []).append(one)

    def note_packages(self, result: report.Result) -> None:
        """Remember what a result lists: its licences come in another result."""
        for one in result.packages or ():
            self._listed.setdefault((result.target, one.name), []).append(one)

    def observations(self, result: report.Result, path: str | None) -> Iterator[Observation]:
        for vulnerability in result.vulnerabilities or ():
            yield self._vulnerability(result, path, vulnerability)
        for secret in result.secrets or ():
            if secret.rule_id != SEEN:
                yield self._secret(result, path, secret)
        for wrong in result.misconfigurations or ():
            if wrong.status != "PASS":
                yield self._misconfiguration(result, path, wrong)
        yield from self._licenses(result, path)

    def _vulnerability(
        self, result: report.Result, path: str | None, found: report.Vulnerability
    ) -> Observation:
        purl = found.pkg_identifier.purl if found.pkg_identifier else None
        package = self._package(result, found.pkg_name, found.installed_version, purl)
        location = self._declaration(result, path, package)
        summary = one_line(found.title or "") or "known vulnerability"
        advisory = _advisory(found)
        return Observation(
            scanner=NAME,
            category=Category.VULNERABILITY,
            rule=Rule(
                id=found.id,
                name=found.id,
                title=summary,
                url=advisory.url,
                cwe=tuple(found.cwe_ids or ()),
                help=printable(found.description or ""),
            ),
            title=f"{package.name} {package.version}: {summary}",
            message=self._message(package, advisory),
            claims=severity.of_vulnerability(found),
            location=location,
            places=_places(package, location),
            package=package,
            advisory=advisory,
        )

    def _message(self, package: Package, advisory: Advisory) -> str:
        where = f" in the image {self._setting.image}" if self._setting.image else ""
        return one_line(
            f"{package.name} {package.version}{where} is affected by {advisory.id}."
            f" {remedy(advisory.fixed_versions)}"
        )

    def _package(
        self, result: report.Result, name: str, version: str | None, purl: str | None
    ) -> Package:
        """The inventory's package where it is the same one, else one made of Trivy's words."""
        purl = purl or _purl(result, name, version)
        if is_pypi(purl):
            known = self._pinned.get(canonicalize_name(name), ())
            same = next((one for one in known if one.version == version), None)
            if same:
                return same
        listed = self._find(result, name, version)
        return Package(
            name=canonicalize_name(name) if is_pypi(purl) else one_line(name),
            version=one_line(version or ""),
            purl=one_line(purl),
            scope=Scope.DEV if listed.dev else Scope.RUNTIME,
            direct=_DIRECT.get(listed.relationship or ""),
        )

    def _find(self, result: report.Result, name: str, version: str | None = None) -> report.Package:
        """The package as the report lists it for the result's target; empty where it does not."""
        listed = self._listed.get((result.target, name), ())
        wanted = (one for one in listed if version is None or one.version == version)
        return next(wanted, _UNLISTED)

    def _declaration(
        self, result: report.Result, path: str | None, package: Package
    ) -> Location | None:
        """Where the result's file declares the package: our own reader's word, else Trivy's."""
        for place in package.places:
            if place.path == path:
                return place
        lines = self._find(result, package.name, package.version).locations or [report.Lines()]
        return _location(path, lines[0])

    def _secret(self, result: report.Result, path: str | None, found: report.Secret) -> Observation:
        title = one_line(found.title or "") or found.rule_id
        return Observation(
            scanner=NAME,
            category=Category.SECRET,
            rule=Rule(id=found.rule_id, name=found.rule_id, title=title),
            title=title,
            message=f"This looks like a secret: {title}.",
            claims=severity.claim(found.severity),
            location=_location(path, found),
            package=self._image(),
            resource=self._inside(result, found.start_line),
            secret=Secret(),
        )

    def _misconfiguration(
        self, result: report.Result, path: str | None, found: report.Misconfiguration
    ) -> Observation:
        cause = found.cause or report.Cause()
        title = one_line(found.title or "") or found.id
        said = [one_line(part.strip()) for part in (found.message, found.resolution) if part]
        return Observation(
            scanner=NAME,
            category=Category.MISCONFIGURATION,
            rule=Rule(
                id=found.id,
                name=found.id,
                title=title,
                url=_web(found.url),
                help=printable(found.description or ""),
            ),
            title=title,
            message=" ".join(_sentence(part) for part in said or [title]),
            claims=severity.claim(found.severity),
            location=_location(path, cause),
            package=self._image(),
            resource=one_line(cause.resource or "") or self._inside(result, cause.start_line),
        )

    def _image(self) -> Package | None:
        """The image itself, which has to answer for what lies in no package of it."""
        image = self._setting.image
        return Package(image, "", f"pkg:oci/{quote(image)}") if image is not None else None

    def _inside(self, result: report.Result, line: int | None) -> str:
        """A file of an image, and the line; nothing for a file of the target."""
        if self._setting.image is None:
            return ""
        return one_line(f"{result.target}:{line}" if line else result.target)

    def _licenses(self, result: report.Result, path: str | None) -> Iterator[Observation]:
        """One observation a package. Trivy lists its classifiers apart: all of them may hold."""
        names: dict[str, list[str]] = {}
        for found in result.licenses or ():
            if found.pkg_name and found.name:
                names.setdefault(found.pkg_name, []).append(found.name)
        for name, licenses in names.items():
            package = self._licensed(result, name)
            location = self._declaration(result, path, package)
            text = one_line(_conjunction(licenses))
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

    def _licensed(self, result: report.Result, name: str) -> Package:
        """The package of a licence, which comes without version: as listed, else as pinned."""
        listed = self._find(result, name)
        if listed is not _UNLISTED:
            purl = listed.identifier.purl if listed.identifier else None
            return self._package(result, name, listed.version, purl)
        pinned = self._pinned.get(canonicalize_name(name), ())
        return pinned[0] if len(pinned) == 1 else self._package(result, name, None, None)


_UNLISTED: Final = report.Package()
_DIRECT: Final = {"direct": True, "indirect": False}


def _advisory(found: report.Vulnerability) -> Advisory:
    fixed = (one_line(part.strip()) for part in (found.fixed_version or "").split(","))
    return Advisory(
        id=found.id,
        aliases=tuple(dict.fromkeys(one for one in found.vendor_ids or () if one != found.id)),
        fixed_versions=tuple(part for part in fixed if part),
        published=found.published_date,
        url=_web(found.url),
        references=pages(found.references or ()),
    )


def _purl(result: report.Result, name: str, version: str | None) -> str:
    """A package URL for reports older than Trivy's own."""
    kind = _ECOSYSTEMS.get(result.type or "", "generic").format(result.type)
    if kind == "pypi":
        return pypi_purl(canonicalize_name(name), version)
    if kind == "maven":
        name = name.replace(":", "/")
    return f"pkg:{kind}/{quote(name)}" + (f"@{quote(version)}" if version else "")


def _places(package: Package, location: Location | None) -> tuple[Location, ...]:
    return sorted_locations((*package.places, *((location,) if location else ())))


def _location(
    path: str | None, lines: report.Lines | report.Secret | report.Cause
) -> Location | None:
    """Trivy says 0, or nothing, where it knows no line."""
    if not path:
        return None
    start, end = lines.start_line or 0, lines.end_line or 0
    return Location(path, start, max(start, end)) if start > 0 else Location(path)


def _web(url: str | None) -> str | None:
    return url if url and url.startswith(("https://", "http://")) else None


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _conjunction(licenses: Iterable[str]) -> str:
    names = tuple(dict.fromkeys(licenses))
    if len(names) == 1:
        return names[0]
    return " AND ".join(f"({name})" if " " in name else name for name in names)
