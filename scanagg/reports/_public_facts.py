"""The public form of what is known apart from any one finding: packages, advisories, data."""

from datetime import datetime
from typing import Annotated

import msgspec

from scanagg.model import Scope, Severity, Step


def about(text: str) -> msgspec.Meta:
    """What the schema says of a key."""
    return msgspec.Meta(description=text)


class DataSource(msgspec.Struct, frozen=True):
    """Data that findings are judged by, and when its newest record was made.

    `digest` is the sha256 of its content, `fetched` when it came here.
    """

    name: str
    updated: datetime | None
    digest: str = ""
    records: int | None = None
    origin: Annotated[str, about("An address, or the name of a file.")] = ""
    license: str = ""
    fetched: datetime | None = None


class Rule(msgspec.Struct, frozen=True):
    """What the scanner looks for."""

    id: str
    name: str
    url: str | None
    cwe: tuple[str, ...]
    title: str = ""
    help: str = ""


class SeveritySource(msgspec.Struct, frozen=True):
    """One source's word on the severity, the deciding one first."""

    source: str
    severity: Severity
    scanner: str
    vector: str | None


class Location(msgspec.Struct, frozen=True):
    """A place in a file; lines and columns count from 1, `end_column` is exclusive."""

    path: str
    start_line: int | None
    end_line: int | None
    start_column: int | None
    end_column: int | None


class Package(msgspec.Struct, frozen=True):
    """A package; `places` declare it, `requires` names the packages it asks for.

    `asked` are the lines by which people ask for the first of the chain.
    """

    purl: str
    name: str
    version: str
    scope: Scope
    direct: bool | None
    places: tuple[Location, ...] = ()
    requires: tuple[str, ...] = ()
    chain: Annotated[
        tuple[str, ...], about("The shortest way from a requirement of the project to it.")
    ] = ()
    asked: tuple[Location, ...] = ()


class Constraint(msgspec.Struct, frozen=True):
    """Which versions of a package somebody allows; `text` is what is written there."""

    name: str
    specifier: Annotated[str, about("By PEP 440; empty: any version.")]
    text: str
    by: Annotated[str, about("The package that says so; empty: the project.")]
    place: Location | None


class Upgrade(msgspec.Struct, frozen=True):
    """What to do about a package with vulnerabilities."""

    package: Package
    to: Annotated[str | None, about("Where to go; null: no known version is better.")]
    step: Step | None
    to_unblock: Annotated[
        str | None, about("What is enough to clear all that block, where that is another version.")
    ]
    clears: Annotated[tuple[str, ...], about("The vulnerabilities that go with it.")]
    unblocks: Annotated[tuple[str, ...], about("Those of `clears` that block.")]
    stays: Annotated[tuple[str, ...], about("The vulnerabilities that are there even then.")]
    allowed: Annotated[bool | None, about("By all constraints that are known; null: none is.")]
    hindered_by: tuple[Constraint, ...]
    change: Annotated[
        tuple[str, ...], about("The direct requirements to change, or to lock again.")
    ]
    checked: Annotated[bool, about("Looked up in the advisory store, not only said by scanners.")]


class Advisory(msgspec.Struct, frozen=True):
    """The published vulnerability a finding is about."""

    id: str
    aliases: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    published: str | None
    url: str | None = None
    withdrawn: bool = False
    kev: Annotated[bool | None, about("Known to be exploited; null: nobody asked.")] = None
    epss: Annotated[float | None, about("Likelihood to be exploited within 30 days, 0 to 1.")] = (
        None
    )
    kev_added: Annotated[str | None, about("The day since which it is known to be.")] = None
    epss_percentile: Annotated[
        float | None, about("More likely than which share of all others, 0 to 1.")
    ] = None
    references: Annotated[tuple[str, ...], about("Addresses where more can be read.")] = ()


class LicenseFile(msgspec.Struct, frozen=True):
    """A licence file of a package, with the sha256 of its bytes."""

    path: str
    sha256: str
    license: Annotated[str, about("The id whose text it holds word for word; or empty.")] = ""


class LicenseFacts(msgspec.Struct, frozen=True):
    """What a package's metadata says of its licence."""

    expression: str | None
    text: str | None
    classifiers: tuple[str, ...]
    source: str
    files: tuple[LicenseFile, ...]
