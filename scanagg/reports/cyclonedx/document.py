"""The CycloneDX document: its text, its metadata, and how complete it is."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final, Protocol, cast

import msgspec
from cyclonedx.model import ExternalReference, ExternalReferenceType
from cyclonedx.model.bom import BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.schema.schema import SchemaVersion1Dot6

from scanagg.core.text import one_line
from scanagg.model import Report, Run, Status, Target
from scanagg.reports.cyclonedx.packages import (
    UNNAMED,
    Packages,
    Refs,
    Value,
    collect,
    components,
    link,
    properties,
)
from scanagg.reports.cyclonedx.vulnerabilities import vulnerabilities
from scanagg.reports.encoding import encode, lines
from scanagg.reports.phrases import data_credits, examined
from scanagg.reports.reasons import sentence

_NAME: Final = "scanagg"
_SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
# The namespace of the names of these documents (RFC 4122, version 5).
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:scanagg:cyclonedx")
_ODD: Final = re.compile(r"[^A-Za-z0-9.]+")

_COMPLETE: Final = "complete"
_INCOMPLETE: Final = "incomplete"
_UNKNOWN: Final = "unknown"
_UNIT: Final = "packages"
# Files that list all packages to install. A list of pins may lack dependencies of its packages.
_LOCK: Final = re.compile(r"(uv|poetry|pdm|pipfile)\.lock|pylock(\.[^.]+)?\.toml", re.IGNORECASE)
# Manifests of other languages. The inventory has only Python packages.
_FOREIGN: Final = frozenset(
    (
        "build.gradle",
        "build.gradle.kts",
        "bun.lock",
        "cargo.toml",
        "composer.json",
        "conanfile.txt",
        "environment.yml",
        "gemfile",
        "go.mod",
        "package.json",
        "packages.config",
        "pom.xml",
    )
)


class _Writes(Protocol):
    """The method that the library's decorator adds to its classes, unseen by type checkers."""

    def as_json(self, view_: type[SchemaVersion1Dot6]) -> str: ...


def write(report: Report) -> Iterator[str]:
    """Yield the document in pieces; one line per component and vulnerability.

    The serial number is derived from all text before it: the same report gives the same text.
    """
    digest = hashlib.sha256()
    for piece in _body(report):
        digest.update(piece.encode())
        yield piece
    serial = uuid.uuid5(_NAMESPACE, digest.hexdigest())
    yield f'  "serialNumber": {encode(serial.urn)}\n}}\n'


def _body(report: Report) -> Iterator[str]:
    # In pieces: the time that the library's own writer takes is quadratic in the size.
    refs = Refs()
    root = refs.take(f"target:{report.target.name}")
    packages = collect(report, refs)
    yield f'{{\n  "$schema": {encode(_SCHEMA)},\n'
    yield '  "bomFormat": "CycloneDX",\n  "specVersion": "1.6",\n  "version": 1,\n'
    yield f'  "metadata": {encode(_plain(_metadata(report, root)))},\n'
    direct = [ref for ref in packages.own if packages.by_ref[ref].is_direct]
    needs = {ref: packages.needs(package) for ref, package in packages.by_ref.items()}
    # A package with unknown dependencies has no entry: an empty one would mean that it has none.
    dependencies = (
        Dependency(BomRef(ref), [Dependency(BomRef(need)) for need in needed])
        for ref, needed in {root: sorted(direct), **needs}.items()
        if needed or ref == root
    )
    # The library sorts ratings by method; here the deciding one is the first.
    rated = (
        {**_plain(vulnerability), "ratings": list(map(_plain, ratings))}
        for vulnerability, ratings in vulnerabilities(report, packages, refs)
    )
    arrays: dict[str, Iterable[object]] = {
        "components": map(_plain, components(packages, report.licenses, refs)),
        "dependencies": map(_plain, dependencies),
        "compositions": _compositions(report, packages, root),
        "vulnerabilities": rated,
    }
    for key, values in arrays.items():
        yield f'  "{key}": '
        yield from lines(values)
        yield ",\n"


def _plain(value: object) -> dict[str, object]:
    text = cast("_Writes", value).as_json(SchemaVersion1Dot6)
    return msgspec.json.decode(text, type=dict[str, object])


def _metadata(report: Report, root: str) -> BomMetaData:
    """Return the head of the document; the target is the component `root`."""
    gate, policy = report.gate, report.policy
    values: dict[str, Value | Iterable[str]] = {
        "gate": gate.outcome.value,
        "gate:exit-code": gate.exit_code,
        "gate:reason": map(sentence, gate.reasons),
        "policy": policy.name,
        "policy:source": policy.source,
        "policy:digest": _sha256(policy.digest),
        "policy:enforcement": policy.enforcement,
        "policy:ref": policy.ref,
    }
    sources = dict.fromkeys(run.data for run in report.runs if run.data)
    tools = {(_NAME, report.version): None}
    for run in report.runs:
        name = f"run:{_slug(run.scanner)}"
        values[name] = run.status.value + (f": {sentence(run.detail)}" if run.detail else "")
        values[f"{name}:examined"] = examined(run)
        values[f"{name}:version"] = run.version
        values[f"{name}:data"] = run.data.name if run.data else None
        if run.version and run.status not in (Status.MISSING, Status.SKIPPED):
            tools[run.scanner, run.version] = None
    for source in (*sources, *report.data):
        name = f"data:{_slug(source.name)}"
        values[name] = source.name
        values[f"{name}:updated"] = source.updated
        values[f"{name}:digest"] = _sha256(source.digest)
        values[f"{name}:records"] = source.records
        values[f"{name}:origin"] = source.origin
        values[f"{name}:license"] = source.license
    values["not-examined"] = _not_examined(report)
    values["notice"] = data_credits(report)
    return BomMetaData(
        timestamp=report.clock.now,
        # The packages come from manifests and lock files, before any build.
        lifecycles=[PredefinedLifecycle(phase=LifecyclePhase.PRE_BUILD)],
        # No references: nothing refers to tools.
        tools=ToolRepository(
            components=[
                Component(
                    type=ComponentType.APPLICATION,
                    name=one_line(name),
                    version=one_line(version) or None,
                )
                for name, version in tools
            ]
        ),
        component=_target(report.target, root),
        properties=properties(values),
    )


def _target(target: Target, root: str) -> Component:
    component = Component(
        type=ComponentType.APPLICATION, bom_ref=root, name=one_line(target.name) or UNNAMED
    )
    if revision := target.revision:
        component.version = one_line(revision.commit or "") or None
        if repository := link(revision.repository):
            reference = ExternalReference(type=ExternalReferenceType.VCS, url=repository)
            component.external_references = [reference]
        component.properties = properties(
            {"branch": revision.branch, "dirty": revision.dirty, "prefix": revision.prefix}
        )
    return component


def _sha256(digest: str) -> str:
    return f"sha256:{digest}" if digest else ""


def _slug(name: str) -> str:
    return _ODD.sub("-", name).strip("-").lower() or "unnamed"


def _compositions(report: Report, packages: Packages, root: str) -> Iterator[dict[str, object]]:
    """Yield how complete the packages and their dependencies are.

    cyclonedx-python-lib has no type for it.
    """
    aggregate = _completeness(report, packages)
    yield {"aggregate": aggregate, "assemblies": [root]}
    if aggregate == _COMPLETE and any(packages.by_ref[ref].direct is None for ref in packages.own):
        aggregate = _UNKNOWN
    yield {"aggregate": aggregate, "dependencies": [root]}
    unclear = [ref for ref, package in packages.by_ref.items() if packages.unlinked(package)]
    if unclear:
        yield {"aggregate": _INCOMPLETE, "dependencies": unclear}


def _completeness(report: Report, packages: Packages) -> str:
    """Return "complete" if every package is from a lock file and was examined, else why not."""
    runs = _package_runs(report)
    files = (PurePosixPath(file.path).name.lower() for file in report.target.files)
    problems = (
        not all(run.status in (Status.OK, Status.NOT_APPLICABLE) for run in runs),
        _not_examined(report),
        len(packages.by_ref) != len(packages.own),
        not _FOREIGN.isdisjoint(files),
    )
    if any(problems):
        return _INCOMPLETE
    own = [packages.by_ref[ref] for ref in packages.own]
    locked = all(
        any(_LOCK.fullmatch(PurePosixPath(place.path).name) for place in package.places)
        for package in own
    )
    examined_any = any(run.coverage.examined for run in runs)
    return _COMPLETE if examined_any and own and locked else _UNKNOWN


def _not_examined(report: Report) -> list[str]:
    """Return the files that were not read, and the packages that scanners did not examine."""
    files = [
        f"{gap.input}: {sentence(gap.reason)}"
        for gap in report.target.skipped
        if not gap.on_purpose
    ]
    return files + [
        f"{run.scanner}: {gap.input}: {sentence(gap.reason)}"
        for run in _package_runs(report)
        for gap in run.coverage.not_examined
    ]


def _package_runs(report: Report) -> list[Run]:
    """Return the runs that examine packages, without scanners that did not run."""
    runs = [run for run in report.runs if run.coverage.unit == _UNIT]
    did_not_run = (Status.MISSING, Status.SKIPPED)
    return [run for run in runs if run.status not in did_not_run] or runs
