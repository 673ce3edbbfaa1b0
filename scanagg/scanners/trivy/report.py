"""The JSON that Trivy writes, as typed values: only the keys that are used."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from scanagg.core.text import one_line

_T = TypeVar("_T")
_IGNORED: Final = "ignored"


class _Struct(msgspec.Struct, rename="pascal", frozen=True):
    """Trivy spells its keys in Pascal case, and says null for an empty list or map."""


class Identifier(_Struct, frozen=True):
    """The package URL of a package."""

    purl: str | None = msgspec.field(default=None, name="PURL")


class Lines(_Struct, frozen=True):
    """The lines of a manifest that name a package, from 1."""

    start_line: int | None = None
    end_line: int | None = None


class Package(_Struct, frozen=True):
    """A package of a result, with the lines that name it."""

    name: str = ""
    version: str | None = None
    identifier: Identifier | None = None
    locations: list[Lines] | None = None
    dev: bool | None = None
    relationship: str | None = None


class Cvss(_Struct, frozen=True):
    """The CVSS vectors and scores of one source."""

    v2_vector: str | None = None
    v2_score: float | None = None
    v3_vector: str | None = None
    v3_score: float | None = None
    v40_vector: str | None = None
    v40_score: float | None = None


class Vulnerability(_Struct, frozen=True):
    """A vulnerability of one package."""

    id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str
    vendor_ids: list[str] | None = msgspec.field(default=None, name="VendorIDs")
    pkg_identifier: Identifier | None = None
    installed_version: str | None = None
    fixed_version: str | None = None
    severity: str | None = None
    severity_source: str | None = None
    vendor_severity: dict[str, float | None] | None = None
    cvss: dict[str, Cvss] | None = msgspec.field(default=None, name="CVSS")
    cwe_ids: list[str] | None = msgspec.field(default=None, name="CweIDs")
    url: str | None = msgspec.field(default=None, name="PrimaryURL")
    title: str | None = None
    description: str | None = None
    published_date: str | None = None
    references: list[str] | None = None


class Secret(_Struct, frozen=True):
    """`Match` and `Code` are not read: they hold the lines around the secret."""

    rule_id: str = msgspec.field(name="RuleID")
    title: str | None = None
    severity: str | None = None
    start_line: int | None = None
    end_line: int | None = None


class Cause(_Struct, frozen=True):
    """The place of a misconfiguration in its file."""

    resource: str | None = None
    start_line: int | None = None
    end_line: int | None = None


class Misconfiguration(_Struct, frozen=True):
    """A check of configuration and its result."""

    id: str = msgspec.field(name="ID")
    title: str | None = None
    description: str | None = None
    message: str | None = None
    resolution: str | None = None
    severity: str | None = None
    url: str | None = msgspec.field(default=None, name="PrimaryURL")
    status: str | None = None
    cause: Cause | None = msgspec.field(default=None, name="CauseMetadata")


class License(_Struct, frozen=True):
    """The licence of a package, as Trivy names it."""

    name: str = ""
    pkg_name: str | None = None
    category: str | None = None


class Modified(_Struct, frozen=True):
    """A finding that an ignore file keeps from the others; `finding` is of the kind `type`."""

    type: str
    status: str
    finding: msgspec.Raw


class Result(_Struct, frozen=True):
    """What Trivy says of one thing it looked at: a file, the OS packages of an image, a folder."""

    target: str = ""
    class_: str | None = msgspec.field(default=None, name="Class")
    type: str | None = None
    packages: list[Package] | None = None
    vulnerabilities: list[Vulnerability] | None = None
    misconfigurations: list[Misconfiguration] | None = None
    secrets: list[Secret] | None = None
    licenses: list[License] | None = None
    modified: list[Modified] | None = msgspec.field(
        default=None, name="ExperimentalModifiedFindings"
    )

    def ignored(self) -> "Result":
        """The same thing with the findings that an ignore file takes out, and no others.

        ValueError where one of them is none of its kind.
        """
        taken = [one for one in self.modified or () if one.status == _IGNORED]
        return Result(
            target=self.target,
            class_=self.class_,
            type=self.type,
            packages=self.packages,
            vulnerabilities=_of_kind(taken, "vulnerability", Vulnerability),
            misconfigurations=_of_kind(taken, "misconfiguration", Misconfiguration),
            secrets=_of_kind(taken, "secret", Secret),
            licenses=_of_kind(taken, "license", License),
        )


def _of_kind(taken: Sequence[Modified], name: str, kind: type[_T]) -> list[_T]:
    return [msgspec.json.decode(one.finding, type=kind) for one in taken if one.type == name]


class _Holder(_Struct, frozen=True):
    results: list[Result] | None = None


class _Os(_Struct, frozen=True):
    eosl: bool | None = msgspec.field(default=None, name="EOSL")
    family: str | None = None
    name: str | None = None


class _Metadata(_Struct, frozen=True):
    os: _Os | None = msgspec.field(default=None, name="OS")
    image_id: str | None = msgspec.field(default=None, name="ImageID")


class Document(_Struct, frozen=True):
    """A report of Trivy: of files or an image; `vulnerabilities` and so on only of a cluster."""

    schema_version: int | None = None
    artifact_type: str | None = None
    metadata: _Metadata | None = None
    results: list[Result] | None = None
    vulnerabilities: list[_Holder] | None = None
    misconfigurations: list[_Holder] | None = None

    def all_results(self) -> Iterator[Result]:
        """The results, wherever this kind of report keeps them."""
        yield from self.results or ()
        for holder in (*(self.vulnerabilities or ()), *(self.misconfigurations or ())):
            yield from holder.results or ()

    def end_of_life(self) -> str | None:
        """The image's operating system where its vendor no longer mends it."""
        system = self.metadata.os if self.metadata else None
        if not system or not system.eosl:
            return None
        return one_line(f"{system.family} {system.name}")


def decode(raw: bytes) -> Document:
    """Trivy's JSON, of any age: a list of results before 0.20. ValueError with what is wrong."""
    if raw.lstrip().startswith(b"["):
        return Document(results=msgspec.json.decode(raw, type=list[Result]))
    document = msgspec.json.decode(raw, type=Document)
    if document == Document():
        raise ValueError("not a report of Trivy")
    for result in document.all_results():
        result.ignored()  # what cannot be read is to be known now
    return document
