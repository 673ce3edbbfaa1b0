"""The report as a bill of materials: scanagg.cdx.json, CycloneDX 1.6 with its vulnerabilities."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, cast

import msgspec
from cyclonedx.schema.schema import SchemaVersion1Dot6

from scanagg.model import Report
from scanagg.reports._encode import encode
from scanagg.reports.cyclonedx.completeness import compositions
from scanagg.reports.cyclonedx.components import components
from scanagg.reports.cyclonedx.graph import dependencies, links
from scanagg.reports.cyclonedx.metadata import metadata
from scanagg.reports.cyclonedx.packages import collect
from scanagg.reports.cyclonedx.values import Refs
from scanagg.reports.cyclonedx.vulnerabilities import Rated, vulnerabilities

NAME: Final = "cyclonedx"
FILENAME: Final = "scanagg.cdx.json"
ABOUT: Final = (
    "CycloneDX 1.6 (SBOM and VEX): packages, licences, vulnerabilities, what waivers say."
)

_VIEW: Final = SchemaVersion1Dot6
_SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
# Where the names of these documents come from (RFC 4122, version 5).
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:scanagg:cyclonedx")


class _Writes(Protocol):
    """What the library's decorator adds to its classes, unseen by type checkers."""

    def as_json(self, view_: type[SchemaVersion1Dot6]) -> str: ...


def render(report: Report) -> Iterator[str]:
    """The document in pieces; a component or a vulnerability stands on a line of its own.

    The serial number is made of all that stands before it: same report, same text.
    """
    digest = hashlib.sha256()
    for piece in _body(report):
        digest.update(piece.encode())
        yield piece
    serial = uuid.uuid5(_NAMESPACE, digest.hexdigest())
    yield f'  "serialNumber": {encode(serial.urn)}\n}}\n'


def _body(report: Report) -> Iterator[str]:
    # Written piece by piece, for the library's own writer takes time in the square of the size.
    refs = Refs()
    root = refs.take(f"target:{report.target.name}")
    packages = collect(report, refs)
    known = links(packages)
    yield f'{{\n  "$schema": {encode(_SCHEMA)},\n'
    yield '  "bomFormat": "CycloneDX",\n  "specVersion": "1.6",\n  "version": 1,\n'
    yield f'  "metadata": {encode(_plain(metadata(report, root)))},\n'
    made = components(packages, known, report.licenses, refs)
    yield from _array("components", map(_plain, made))
    yield from _array("dependencies", map(_plain, dependencies(packages, known, root)))
    yield from _array("compositions", compositions(report, packages, known, root))
    found = vulnerabilities(report, packages, refs)
    yield from _array("vulnerabilities", map(_vulnerability, found))


def _array(key: str, values: Iterable[object]) -> Iterator[str]:
    yield f'  "{key}": ['
    before = "\n    "
    for value in values:
        yield before + encode(value)
        before = ",\n    "
    yield "\n  ],\n" if before[0] == "," else "],\n"


def _plain(value: object) -> object:
    return msgspec.json.decode(cast("_Writes", value).as_json(_VIEW))


def _vulnerability(rated: Rated) -> object:
    """The library sorts ratings by method; here the one that decides stands first."""
    vulnerability, ratings = rated
    plain = _plain(vulnerability)
    return {**cast("dict[str, object]", plain), "ratings": list(map(_plain, ratings))}
