"""The vocabulary: frozen values and ordered enums that every stage hands to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scanagg.levels import Action as Action
from scanagg.levels import Category as Category
from scanagg.levels import Confidence as Confidence
from scanagg.levels import LicenseVerdict as LicenseVerdict
from scanagg.levels import Outcome as Outcome
from scanagg.levels import Scope as Scope
from scanagg.levels import Severity as Severity
from scanagg.levels import Status as Status


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file of the target, or the whole file. All numbers count from 1.

    `path` is relative to the target, with "/". Columns are UTF-16 units, `end_column` is exclusive.
    """

    path: str
    start_line: int | None = None
    end_line: int | None = None
    start_column: int | None = None
    end_column: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no reporter could show. ValueError with what is wrong."""
        if not self.path or self.path.startswith("/") or ".." in self.path.split("/"):
            raise ValueError(f"not a path inside the target: {self.path!r}")
        if self.start_line is None:
            if self.end_line is not None or self.start_column is not None:
                raise ValueError("an end or a column needs a start line")
        elif self.start_line < 1 or (self.end_line or self.start_line) < self.start_line:
            raise ValueError(f"impossible lines {self.start_line} to {self.end_line}")

    @property
    def last_line(self) -> int | None:
        """The last line covered: the end line, else the start line."""
        return self.end_line or self.start_line


@dataclass(frozen=True, slots=True)
class Package:
    """One version of one package that the target uses, and every place that declares it.

    `name` is as in PEP 503, `direct` None where no manifest tells, `requires` names of packages.
    """

    name: str
    version: str
    purl: str
    scope: Scope = Scope.RUNTIME
    direct: bool | None = None
    places: tuple[Location, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotExamined:
    """One input that a scanner did not look at, and why."""

    input: str
    reason: str

    @property
    def on_purpose(self) -> bool:
        """Whether it is no gap: a reason that says so begins with "excluded:"."""
        return self.reason.startswith("excluded:")


@dataclass(frozen=True, slots=True)
class Inventory:
    """The packages of the target, and what could not be made one: open requirements, bad lines.

    `python` is the project's own interpreter where there is one; never scanagg's.
    """

    packages: tuple[Package, ...] = ()
    unpinned: tuple["Requirement", ...] = ()
    problems: tuple[NotExamined, ...] = ()
    manifests: tuple[str, ...] = ()
    python: Path | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency that is declared without an exact version."""

    name: str
    text: str
    place: Location
    reason: str
    scope: Scope = Scope.RUNTIME


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the target.

    `path` is what is shown: relative, "/", valid Unicode. `real` is the system's name for it, which
    differs where that is not UTF-8. `size` is in bytes.
    """

    path: str
    real: Path
    size: int


@dataclass(frozen=True, slots=True)
class Revision:
    """The commit that the target is at. `prefix` leads from the repository's root to the target."""

    commit: str | None
    branch: str | None
    repository: str | None
    prefix: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What is checked: one folder and the files in it that count."""

    root: Path
    name: str
    files: tuple[SourceFile, ...]
    skipped: tuple[NotExamined, ...] = ()
    revision: Revision | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a scanner looks for, free of anything that belongs to one finding."""

    id: str
    name: str
    title: str
    url: str | None = None
    cwe: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class SeverityClaim:
    """One source's word on the severity. `vector` is the CVSS vector it comes from, if it does.

    `source` is one of policy, ghsa, cvss4, cvss3.1, cvss3.0, tool, nvd, cvss2, table.
    """

    source: str
    severity: Severity
    scanner: str
    vector: str | None = None


@dataclass(frozen=True, slots=True)
class Advisory:
    """A published vulnerability: its id, every other name of it, and what is known of it."""

    id: str
    aliases: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    published: str | None = None
    url: str | None = None
    withdrawn: bool = False

    @property
    def ids(self) -> frozenset[str]:
        """The id and all aliases."""
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, slots=True)
class LicenseFacts:
    """What metadata says of a licence: License-Expression (PEP 639), License field, classifiers."""

    expression: str | None = None
    text: str | None = None
    classifiers: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """What is known of a secret: the scanner's digest of the whole value, if it makes one.

    It is held in memory to see that two secrets are the same, and never written.
    """

    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one scanner said once, in our words, nothing lost. Severity is its claims, undecided.

    A vulnerability has a package and an advisory, a licence a package and its facts.
    """

    scanner: str
    category: Category
    rule: Rule
    title: str
    message: str
    claims: tuple[SeverityClaim, ...] = ()
    confidence: Confidence = Confidence.UNKNOWN
    location: Location | None = None
    places: tuple[Location, ...] = ()
    package: Package | None = None
    advisory: Advisory | None = None
    license: LicenseFacts | None = None
    secret: Secret | None = None
    resource: str = ""

    def __post_init__(self) -> None:
        """Hold the invariants by which correlation works. ValueError with what is missing."""
        if self.category is Category.VULNERABILITY and not (self.package and self.advisory):
            raise ValueError("a vulnerability needs a package and an advisory")
        if self.category is Category.LICENSE and not (self.package and self.license):
            raise ValueError("a licence needs a package and what its metadata says")
        if self.location is None and self.package is None:
            raise ValueError("an observation needs a location or a package")


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a scanner was given and what it looked at. `unit` is plural: "packages", "files"."""

    unit: str
    found: int = 0
    examined: int = 0
    not_examined: tuple[NotExamined, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a coverage that claims more than there was. ValueError."""
        if not 0 <= self.examined <= self.found:
            raise ValueError(f"examined {self.examined} of {self.found} {self.unit}")


@dataclass(frozen=True, slots=True)
class DataSource:
    """The data a scanner judges by, with the time it was made (UTC)."""

    name: str
    updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of one scanner. `argv` holds no path of this machine. Times are UTC.

    `hidden` counts what the project's own files hide from the scanner, by kind ("nosec").
    """

    scanner: str
    version: str | None
    status: Status
    detail: str
    coverage: Coverage
    argv: tuple[str, ...] = ()
    started: datetime
    seconds: float = 0.0
    data: DataSource | None = None
    hidden: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """One record of one scanner behind a finding, with that scanner's own word on severity."""

    scanner: str
    rule: str
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One weakness with all its witnesses.

    `id` is short for `fingerprint`. `snippet` is the line of code, masked where it holds a secret,
    `line_hash` GitHub's hash of it. Without a location no file of the target is to blame.
    """

    id: str
    fingerprint: str
    category: Category
    rule: Rule
    title: str
    message: str
    claims: tuple[SeverityClaim, ...]
    confidence: Confidence
    location: Location | None
    places: tuple[Location, ...]
    witnesses: tuple[Witness, ...]
    snippet: str | None = None
    line_hash: str | None = None
    package: Package | None = None
    advisory: Advisory | None = None
    license: LicenseFacts | None = None
    resource: str = ""

    @property
    def scanners(self) -> tuple[str, ...]:
        """Who saw it, each once, in the witnesses' order."""
        return tuple(dict.fromkeys(witness.scanner for witness in self.witnesses))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action for one finding, the id of the rule that gave it (`default` for none), and why."""

    action: Action
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finding with the one severity and the one verdict that every report shows.

    `license_expression` is canonical SPDX, or what the metadata says where that is none.
    """

    finding: Finding
    severity: Severity
    severity_sources: tuple[SeverityClaim, ...]
    verdict: Verdict
    license_expression: str | None = None
    license_verdict: LicenseVerdict | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The outcome of the run. `reasons` explain it, worst first; `notices` change nothing."""

    outcome: Outcome
    exit_code: int
    reasons: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """Which policy judged: its name, where it came from, sha256 of its text, block or warn."""

    name: str
    source: str
    digest: str
    enforcement: str


@dataclass(frozen=True, slots=True)
class Clock:
    """The time the run was judged by (UTC). `given` where --now set it."""

    now: datetime
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that every format shows. Findings are sorted, the most urgent and worst first."""

    version: str
    target: Target
    policy: PolicyInfo
    clock: Clock
    runs: tuple[Run, ...]
    findings: tuple[Judged, ...]
    gate: Gate


def pypi_purl(name: str, version: str | None = None) -> str:
    """The package URL of a PyPI package: `pkg:pypi/name@version`; `name` as in PEP 503."""
    return f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}"


def purl_without_version(purl: str) -> str:
    """`pkg:pypi/a@1.0?x=y` becomes `pkg:pypi/a`: what stays the same across upgrades."""
    bare = purl.partition("?")[0]
    head, at, _ = bare.rpartition("@")
    return head if at and "/" in head else bare


def sorted_locations(locations: Iterable[Location]) -> tuple[Location, ...]:
    """Each location once, by path and line; the order in which reports list places."""
    return tuple(sorted(dict.fromkeys(locations), key=location_key))


def location_key(place: Location) -> tuple[str, int, int, int, int]:
    """What to sort by: a location without a line or a column stands first."""
    lines = (place.start_line or 0, place.end_line or 0)
    return (place.path, *lines, place.start_column or 0, place.end_column or 0)
