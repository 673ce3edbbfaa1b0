"""What is checked: a folder, its files, its packages, and the places in them."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from scanagg.model.enums import Scope


class Location(msgspec.Struct, frozen=True):
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


class Package(msgspec.Struct, frozen=True):
    """One version of one package that the target uses, and every place that declares it.

    `name` is as in PEP 503, `direct` None where no manifest tells, `requires` names of packages.
    `chain` leads from a requirement of the project to this package, both named (`requests`,
    `urllib3`), the shortest way; just itself where it is direct, empty where nothing tells. `asked`
    are the lines by which people ask for the first of the chain.
    """

    name: str
    version: str
    purl: str
    scope: Scope = Scope.RUNTIME
    direct: bool | None = None
    places: tuple[Location, ...] = ()
    requires: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    asked: tuple[Location, ...] = ()


class Constraint(msgspec.Struct, frozen=True):
    """Which versions of a package somebody allows: `specifier` by PEP 440, empty for any.

    `by` is the package that says so in a lock's graph (as in PEP 503), "" for the project itself,
    at `place`. `text` is what is written there.
    """

    name: str
    specifier: str
    text: str
    by: str = ""
    place: Location | None = None


class NotExamined(msgspec.Struct, frozen=True):
    """One input that a scanner did not look at, and why."""

    input: str
    reason: str

    @property
    def on_purpose(self) -> bool:
        """Whether it is no gap: a reason that says so begins with "excluded:"."""
        return self.reason.startswith("excluded:")


class Inventory(msgspec.Struct, frozen=True):
    """The packages of the target, and what could not be made one: open requirements, bad lines.

    `python` is the project's own interpreter where there is one; never scanagg's. `constraints` are
    what manifests and locks allow; a pin of a lock or of a requirements.txt is none.
    """

    packages: tuple[Package, ...] = ()
    unpinned: tuple["Requirement", ...] = ()
    problems: tuple[NotExamined, ...] = ()
    manifests: tuple[str, ...] = ()
    python: Path | None = None
    constraints: tuple["Constraint", ...] = ()


class Requirement(msgspec.Struct, frozen=True):
    """A dependency that is declared without an exact version."""

    name: str
    text: str
    place: Location
    reason: str
    scope: Scope = Scope.RUNTIME


class SourceFile(msgspec.Struct, frozen=True):
    """A file of the target.

    `path` is what is shown: relative, "/", valid Unicode. `real` is the system's name for it, which
    differs where that is not UTF-8. `size` is in bytes.
    """

    path: str
    real: Path
    size: int


class Link(msgspec.Struct, frozen=True):
    """A symbolic link of the target, and the file or folder of the target that it leads to.

    `end` is its path as it is shown, by however many links. It is None where the link leads
    anywhere else: `reason` says where ("to something outside the tree").
    """

    path: str
    end: str | None
    reason: str = ""


class Revision(msgspec.Struct, frozen=True):
    """The commit that the target is at. `prefix` leads from the repository's root to the target."""

    commit: str | None
    branch: str | None
    repository: str | None
    prefix: str
    dirty: bool


class Target(msgspec.Struct, frozen=True):
    """What is checked: one folder and the files in it that count.

    `exclude` are the patterns that left files out: another state of the folder leaves out the same.
    """

    root: Path
    name: str
    files: tuple[SourceFile, ...]
    skipped: tuple[NotExamined, ...] = ()
    revision: Revision | None = None
    notices: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


def pypi_purl(name: str, version: str | None = None) -> str:
    """The package URL of a PyPI package: `pkg:pypi/name@version`; `name` as in PEP 503."""
    return f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}"


def is_pypi(purl: str) -> bool:
    """Whether a package URL is of a package of PyPI."""
    return purl.startswith("pkg:pypi/")


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
