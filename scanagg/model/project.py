"""The target of a check: a folder, its files, its packages, and places in files."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from scanagg.core.masks import MASK
from scanagg.model.enums import Category, Scope
from scanagg.model.reasons import Reason

if TYPE_CHECKING:
    from packaging.version import Version

Number = Annotated[int, msgspec.Meta(le=2**31 - 1)]
"""A number in a scanner's answer, such as a line: reports cannot have a larger one."""

_MOST_LINES: Final = 10_000


class Location(msgspec.Struct, frozen=True):
    """A place in a file of the target, or the whole file. All numbers count from 1.

    `path` is relative to the target, with "/". Columns are UTF-16 units, `end_column` is exclusive.
    In a notebook, `cell` is the cell, and `cell_line` the line of its code.
    """

    path: str
    start_line: int | None = None
    end_line: int | None = None
    start_column: int | None = None
    end_column: int | None = None
    cell: int | None = None
    cell_line: int | None = None

    def __post_init__(self) -> None:
        """Refuse places that no report can show. ValueError."""
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

    @property
    def lines(self) -> range:
        """The numbers of the lines covered, at most 10,000; only 0 for the whole file."""
        first = self.start_line or 0
        return range(first, min(self.end_line or first, first + _MOST_LINES - 1) + 1)

    def overlaps(self, other: "Location") -> bool:
        """Return True if both cover a line of one file."""
        if self.path != other.path:
            return False
        return self.lines.start < other.lines.stop and other.lines.start < self.lines.stop


class Package(msgspec.Struct, frozen=True):
    """One version of one package that the target uses, and every place that declares it.

    `name` is as in PEP 503, `direct` None where no manifest tells, `requires` names of packages.
    `chain` is the shortest way from a requirement of the project to this package, both included
    (`requests`, `urllib3`); only the package where it is direct, empty where it is not known.
    `asked` are the lines that require the first of the chain. `resolved` is True if nothing pins
    the version: it is what an install on the day of the check would take.
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
    resolved: bool = False

    @property
    def is_direct(self) -> bool:
        """True if the project requires it, also if only the requirement of the project is known."""
        return self.direct or (self.direct is None and self.chain == (self.name,))


class Constraint(msgspec.Struct, frozen=True):
    """The versions of a package that a requirement allows, by PEP 440; an empty `specifier` is any.

    `by` is the requiring package in a lock's graph (as in PEP 503), "" for the project itself, at
    `place`. `text` is the requirement as written. `marker` is its condition by PEP 508.
    """

    name: str
    specifier: str
    text: str
    by: str = ""
    place: Location | None = None
    marker: str = ""


class NotExamined(msgspec.Struct, frozen=True):
    """An input that a scanner did not examine, with the reason.

    `on_purpose` is True for an input that is no gap: it was left out by choice.
    """

    input: str
    reason: Reason
    on_purpose: bool = False


class Requirement(msgspec.Struct, frozen=True):
    """A dependency without an exact version."""

    name: str
    text: str
    place: Location
    reason: Reason
    scope: Scope = Scope.RUNTIME


class LowestAllowed(msgspec.Struct, frozen=True):
    """The lowest version that can be installed for a requirement without a lock.

    `name` is as in PEP 503, `specifier` by PEP 440, `text` and `place` those of the requirement.
    """

    name: str
    version: str
    specifier: str
    text: str
    place: Location


class Environment(msgspec.Struct, frozen=True):
    """A Python environment: its interpreter, its name in reports, the folders of its packages.

    The folders are resolved. `root` is the checked folder, which may contain them. Nothing of an
    environment is started.
    """

    python: Path
    name: str
    folders: tuple[Path, ...]
    root: Path


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which the target uses a version of a package.

    `project` is the folder of the manifest that leads to it, "" for the target itself, and `path`
    the file that lists it. `optional` is True if only an extra or a group leads to it.
    """

    name: str
    version: str
    project: str
    path: str
    scope: Scope = Scope.RUNTIME
    optional: bool = False

    @property
    def reach(self) -> int:
        """The number of people it reaches: 0 for developers, 1 for an extra, 2 for everyone."""
        return 0 if self.scope is Scope.DEV else 2 - self.optional


class Unread(msgspec.Struct, frozen=True):
    """A manifest, or a part of one, that the inventory does not read, and the reason.

    `kind` is the id of its kind (see `project.kinds`). `input` names it: its path, or a requirement
    in it.
    """

    kind: str
    path: str
    input: str
    reason: Reason


class UnreadFiles(msgspec.Struct, frozen=True):
    """The inputs of one kind of file that nothing reads: their number, and a reason with examples.

    `category` is the category of findings that they can have.
    """

    category: Category
    count: int
    reason: Reason


class PackageIndex(msgspec.Struct, frozen=True):
    """A package index other than PyPI that a manifest names, or a folder in place of one.

    `host` has the scheme only if that is not https. Credentials in the address are masked.
    """

    host: str
    address: str
    place: Location


class Inventory(msgspec.Struct, frozen=True):
    """The packages of the target, with unpinned requirements and lines that cannot be read.

    `environment` is the project's own, if any; never scanagg's. `constraints` are those of
    manifests and locks; a pin of a lock or of a requirements.txt is none. `uses` has each package
    in each of its manifests. `unread` are manifests of other kinds than those that the inventory
    reads; a scanner may read them. `of_tools` are the purls of packages that only the environments
    of tools have, such as tests and builds. `unlocked` are requirements without a lock that were
    resolved: their packages have the versions that an install today would take. `lowest` are the
    lowest versions that they allow, which are no packages of the target. `indexes` are the package
    indexes other than PyPI. `impossible` are packages that no supported Python installs. `notices`
    are about lines of manifests that are not among the packages, or differ from a lock.
    """

    packages: tuple[Package, ...] = ()
    unpinned: tuple[Requirement, ...] = ()
    unlocked: tuple[Requirement, ...] = ()
    lowest: tuple[LowestAllowed, ...] = ()
    problems: tuple[NotExamined, ...] = ()
    manifests: tuple[str, ...] = ()
    environment: Environment | None = None
    constraints: tuple[Constraint, ...] = ()
    uses: tuple[Use, ...] = ()
    unread: tuple[Unread, ...] = ()
    of_tools: frozenset[str] = frozenset()
    indexes: tuple[PackageIndex, ...] = ()
    impossible: tuple[Package, ...] = ()
    notices: tuple[Reason, ...] = ()


class SourceFile(msgspec.Struct, frozen=True):
    """A file of the target. `size` is in bytes.

    `path` is shown: relative, with "/", valid Unicode, secrets masked. `real` is the path for the
    system, which differs where that is not UTF-8 or has secrets.
    """

    path: str
    real: Path
    size: int

    @property
    def has_secret_name(self) -> bool:
        """True if `path` masks a part of the name."""
        return self.path.count(MASK) > str(self.real).count(MASK)


class Link(msgspec.Struct, frozen=True):
    """A symbolic link of the target, and the file or folder of the target that it leads to.

    `end` is the shown path of that, by however many links; None for any other end, which `reason`
    describes.
    """

    path: str
    end: str | None
    reason: Reason | None = None


class Revision(msgspec.Struct, frozen=True):
    """The commit of the target. `prefix` leads from the repository's root to the target."""

    commit: str | None
    branch: str | None
    repository: str | None
    prefix: str
    dirty: bool


class Target(msgspec.Struct, frozen=True):
    """The target of a check: a folder, and the files in it that count.

    `exclude` are the patterns that left files out. They apply to the base as well.
    """

    root: Path
    name: str
    files: tuple[SourceFile, ...]
    skipped: tuple[NotExamined, ...] = ()
    revision: Revision | None = None
    notices: tuple[Reason, ...] = ()
    exclude: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def prefix(self) -> str:
        """The path from the root of the repository to the target: "" or "packages/api/"."""
        return self.revision.prefix if self.revision else ""


def pypi_purl(name: str, version: str | None = None) -> str:
    """Return the package URL of a PyPI package: `pkg:pypi/name@version`; `name` as in PEP 503."""
    return f"pkg:pypi/{name}@{version}" if version else f"pkg:pypi/{name}"


def is_pypi(purl: str) -> bool:
    """Return True for the package URL of a PyPI package."""
    return purl.startswith("pkg:pypi/")


def purl_without_version(purl: str) -> str:
    """Return `pkg:pypi/a` for `pkg:pypi/a@1.0?x=y`: the part that upgrades do not change."""
    bare = purl.partition("?")[0]
    name, at, version = bare.rpartition("@")
    # The "@" of a scope, as in pkg:npm/@scope/name, is before the last "/".
    return name if at and "/" not in version else bare


@lru_cache(4096)
def version_of(text: str) -> "Version | None":
    """Return a version by PEP 440; None for any other text."""
    # Imported here: it is slow to import, and most runs have no version to compare.
    from packaging.version import Version  # noqa: PLC0415

    try:
        return Version(text)
    except ValueError:  # also for a number with thousands of digits
        return None


def fixes(versions: Iterable[str], package: Package | None) -> tuple[str, ...]:
    """Return the versions that fix an install of the package, each once, lowest first.

    Of a PyPI package these are only versions above the installed one (PEP 440): the fix of an older
    branch does not help. Versions that cannot be compared stay, and come last.
    """
    texts = dict.fromkeys(versions)
    installed = None
    if package is not None and is_pypi(package.purl):
        installed = version_of(package.version)
    if installed is not None:
        # 2.0 and 2.0.0 are one version: the shorter text of it stays.
        by_version: dict[object, str] = {}
        for text in sorted(texts, key=lambda text: (len(text), text)):
            version = version_of(text)
            if version is None or version > installed:
                by_version.setdefault(version or text, text)
        texts = dict.fromkeys(by_version.values())

    def order(text: str) -> tuple[object, ...]:
        version = version_of(text)
        return (1, text) if version is None else (0, version, text)

    return tuple(sorted(texts, key=order))


def sorted_locations(locations: Iterable[Location]) -> tuple[Location, ...]:
    """Return each location once, by path and line, as reports list them."""
    return tuple(sorted(dict.fromkeys(locations), key=location_key))


def location_key(place: Location | None) -> tuple[str, int, int, int, int]:
    """Return a sort key. No location comes first, and one without a line or a column."""
    if place is None:
        return ("", 0, 0, 0, 0)
    lines = (place.start_line or 0, place.end_line or 0)
    return (place.path, *lines, place.start_column or 0, place.end_column or 0)
