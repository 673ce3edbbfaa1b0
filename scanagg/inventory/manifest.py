"""The values that the readers of manifests share, and functions that read their bytes."""

import errno
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace
from packaging.requirements import Requirement as WrittenRequirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from scanagg.core.files import read_file
from scanagg.core.redact import mask_known
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Constraint,
    Location,
    NotExamined,
    Package,
    PackageIndex,
    Reason,
    Requirement,
    Scope,
    SourceFile,
    Unread,
)
from scanagg.project.text import CONFLICT, coding_of, decode_as_pip, has_mark

# The largest lock files of public monorepos have about 5 MB.
MAX_BYTES: Final = 16 * 1024 * 1024
_TEXT_WIDTH: Final = 200
# More is masked than shown, so that no half of a token is shown.
_MASKED_WIDTH: Final = 4000

OWN_CODE: Final = Reason("own-code")
"""The origin of a dependency that is a folder of the target."""

_ARCHIVES: Final = frozenset(("from-address", "from-file"))
# A version that does not follow PEP 440, such as "2004d", but can do no harm.
_PLAIN_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


Key = tuple[str, str]
"""A version of a package; "" stands for any version, where a manifest has only one."""


class Edge(msgspec.Struct, frozen=True):
    """A dependency on another package, with its required extras.

    `specifier` has the allowed versions by PEP 440. It only chooses among several locked versions.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a declaration, and what follows from that place.

    `source` is the manifest that was being read: an included file has another `place`. `group` is
    the name of the extra or group, and `optional` is True if it is not installed by default.
    `direct` is None if a person or a program may have written it.
    """

    place: Location
    source: str
    scope: Scope = Scope.RUNTIME
    group: str = ""
    optional: bool = False
    direct: bool | None = True


class Declaration(Site, frozen=True, kw_only=True):
    """A dependency as people wrote it, pinned or not.

    `pin` is the exact version, if there is one. `origin` says where the package comes from if that
    is not a package index; `OWN_CODE` marks the project's own code. `conditional` is True if it is
    not for all platforms and versions of Python, and `marker` is that condition by PEP 508, as far
    as it can be written so. `needed_by` are the packages that need it according to a compiler's
    comment. `specifier` has the allowed versions by PEP 440; it is None if the line does not
    restrict versions or only records the installed one. `asks` is false for a line that requests
    nothing: a compiler wrote it, or it is a constraint. `index` has the archive that the pin is
    from, unless PyPI has it.
    """

    name: str
    text: str
    extras: tuple[str, ...] = ()
    pin: str | None = None
    origin: Reason | None = None
    conditional: bool = False
    marker: str = ""
    needed_by: tuple[str, ...] = ()
    specifier: str | None = None
    asks: bool = True
    index: PackageIndex | None = None

    @property
    def is_listed(self) -> bool:
        """True for a pin that a person or a program may have written, as in a flat list."""
        return self.direct is None and self.pin is not None

    @property
    def root(self) -> tuple[Edge, Scope]:
        """The declaration as the start of a walk over a graph."""
        specifier = f"=={self.pin}" if self.pin else self.specifier or ""
        return Edge(self.name, self.extras, specifier), self.scope

    @property
    def constraint(self) -> Constraint | None:
        """The allowed versions; None without any, as for an address."""
        if self.specifier is None or self.origin:
            return None
        return Constraint(
            self.name, self.specifier, self.text, place=self.place, marker=self.marker
        )


class Impossible(msgspec.Struct, frozen=True):
    """A requirement that no supported Python installs; `version` is None without an exact one."""

    text: str
    place: Location
    name: str
    version: str | None = None


Scoped = TypeVar("Scoped", Declaration, Package, Requirement)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one manifest.

    `covers` maps each manifest that this one locks to the command that locks it again, or to "" if
    this one need not contain all of its dependencies. `own` are the names of the project's own
    packages, `includes` the files that it reads as requirements, `needs` those of them for
    everyone. `ways` are the packages from a requirement to each one that the graph reaches,
    `optional` those that only extras or groups lead to. `requested` are the locked versions that a
    group of a manifest asks for, if the lock has several of a package; "" is the group for
    everyone. `answers` are other manifests that it was compiled from. `tools` are requirements of
    other environments than that of the project, by the kind of file or section (see
    `project.kinds`); no lock of the project covers them. `unread` are parts that are not read.
    `indexes` are the package indexes other than PyPI. `limits` are exact versions of constraints
    that pin no package. `python` are the versions of Python that the project supports, by PEP 440.
    `markers` are the conditions of packages, by place; `impossible` is what none of these versions
    of Python installs.
    """

    path: str
    packages: tuple[Package, ...] = ()
    declared: tuple[Declaration, ...] = ()
    unpinned: tuple[Requirement, ...] = ()
    problems: tuple[NotExamined, ...] = ()
    covers: Mapping[str, str] = {}
    own: frozenset[str] = frozenset()
    includes: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    ways: Mapping[Key, tuple[Key, ...]] = {}
    optional: frozenset[Key] = frozenset()
    requested: Mapping[tuple[str, str], frozenset[Key]] = {}
    answers: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()
    tools: Mapping[str, Sequence[Declaration]] = {}
    unread: tuple[Unread, ...] = ()
    indexes: tuple[PackageIndex, ...] = ()
    limits: tuple[Declaration, ...] = ()
    python: str = ""
    markers: Mapping[Location, str] = {}
    impossible: tuple[Impossible, ...] = ()

    def for_development(self) -> "Manifest":
        """Return the manifest with everything in it for development only."""

        def dev(values: Iterable[Scoped]) -> tuple[Scoped, ...]:
            return tuple(replace(value, scope=Scope.DEV) for value in values)

        return replace(
            self,
            packages=dev(self.packages),
            declared=dev(self.declared),
            unpinned=dev(self.unpinned),
            tools={kind: dev(tools) for kind, tools in self.tools.items()},
        )


class ManifestError(Exception):
    """A manifest, or an entry of one, cannot be used; `line` counts from 1, None if unknown."""

    def __init__(self, reason: Reason, line: int | None = None) -> None:
        """Keep both parts: the line may be known only to the caller."""
        super().__init__(reason)
        self.reason = reason
        self.line = line


class FileProblems(msgspec.Struct, frozen=True):
    """The entries of one file that cannot be used. A list that grows while the file is read."""

    path: str
    entries: list[NotExamined] = []

    def add(self, line: int | None, reason: Reason) -> None:
        """Add a line (from 1), or the whole file, with credentials masked."""
        place = self.path if line is None else f"{self.path}:{line}"
        self.entries.append(NotExamined(place, reason.map(shown)))

    @contextmanager
    def caught(self, line: int | None = None) -> Iterator[None]:
        """Add a ManifestError as a problem: of its own line, else of `line`."""
        try:
            yield
        except ManifestError as error:
            self.add(error.line or line, error.reason)


class ProjectFiles(msgspec.Struct, frozen=True):
    """The files that readers may read, by their shown path, and what earlier readers found.

    `files` also has the targets of symbolic links, under the links' paths; `link_targets` has the
    paths of those files themselves. `declared` is by folder. `names` are the project's own
    packages, with the manifests that name them. `needed` are the files from which a build takes the
    dependencies for everyone, whatever their names. `included` counts the lines of files that
    others include, as often as they are read: it grows while files are read.
    """

    root: Path
    files: Mapping[str, SourceFile]
    folders: frozenset[str]
    link_targets: Mapping[str, str] = {}
    declared: Mapping[str, Sequence[Declaration]] = {}
    names: Mapping[str, Sequence[str]] = {}
    needed: frozenset[str] = frozenset()
    included: Counter[str] = msgspec.field(default_factory=Counter)

    def beside(self, path: str) -> Sequence[Declaration]:
        """Return what the manifests in the folder of `path` declare."""
        return self.declared.get(posixpath.dirname(path), ())

    def link_target(self, path: str) -> str:
        """Return the path of the file that a symbolic link leads to; any other path unchanged."""
        return self.link_targets.get(path, path)

    def problems(self, path: str) -> FileProblems:
        """Return an empty list of problems of the file at `path`, or behind the link there."""
        return FileProblems(self.link_target(path))


Reader = Callable[[SourceFile, ProjectFiles], Manifest | None]
"""Reads a manifest. None if the file is not one after all; ManifestError if it cannot be read."""


def is_archive(origin: Reason | None) -> bool:
    """Return True for the origin of a dependency that is one file, not a folder or repository."""
    return origin is not None and origin.kind in _ARCHIVES


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the items by a key; keys and items keep their order."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def shown(text: str) -> str:
    """Return text of a manifest on one short line, with credentials and known tokens masked."""
    return shorten(one_line(mask_known(text.strip()[:_MASKED_WIDTH])), _TEXT_WIDTH)


def in_folder_of(path: str, name: str) -> str:
    """Return the path of `name`, given relative to the file `path`; it may lead out with `..`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def read_bytes(file: SourceFile) -> bytes:
    """Return the content. ManifestError if it cannot be read or is too large for a manifest."""
    try:
        return read_file(file.real, MAX_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            limit = Reason("manifest-too-large", {"limit": MAX_BYTES // 1024**2})
            raise ManifestError(limit) from error
        reason = Reason("unreadable-file", {"error": error.strerror or str(error)})
        raise ManifestError(reason) from error


def read_utf8(file: SourceFile) -> str:
    """Return the text of a UTF-8 file without its byte order mark. ManifestError if it is none."""
    raw = read_bytes(file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ManifestError(Reason("not-utf-8"), line) from error


def read_text(file: SourceFile) -> str:
    """Return the text of a file by its byte order mark, by its coding line, or as UTF-8.

    Wrong bytes stay visible. ManifestError if the file is not text.
    """
    raw = read_bytes(file)
    if b"\0" in raw and not has_mark(raw):
        raise ManifestError(Reason("not-text"))
    try:
        return decode_as_pip(raw)
    except (LookupError, ValueError) as error:
        encoding = coding_of(raw) or ""
        raise ManifestError(Reason("unknown-encoding", {"encoding": encoding}), 1) from error


def conflict_in(text: str) -> ManifestError | None:
    """Return the first line of a merge conflict as an error; None without one."""
    mark = CONFLICT.search(text)
    if mark is None:
        return None
    return ManifestError(Reason("merge-conflict"), text.count("\n", 0, mark.start()) + 1)


def without_conflicts(text: str, problems: FileProblems) -> str:
    """Return the text without the marks of merge conflicts, the first of which is a problem.

    Both sides of a conflict stay, on their lines.
    """
    conflict = conflict_in(text)
    if conflict:
        problems.add(conflict.line, conflict.reason)
    return CONFLICT.sub("", text)


def syntax_error(text: str, kind: str, line: int | None, message: str) -> ManifestError:
    """Return the error of a text that a parser refuses; that of a merge conflict if it has one."""
    reason = Reason("syntax-error", {"format": kind, "error": message})
    return conflict_in(text) or ManifestError(reason, line)


def parsed(text: object) -> WrittenRequirement | None:
    """Parse a requirement by PEP 508; None if it is not one, or is nested too deeply."""
    if not isinstance(text, str):
        return None
    try:
        requirement = WrittenRequirement(text)
        str(requirement.specifier)  # its versions are parsed only when they are needed
    except (ValueError, RecursionError):  # ValueError also for thousands of digits
        return None
    return requirement


def edge_of(requirement: WrittenRequirement) -> Edge:
    """Return a requirement as an edge of the graph."""
    extras = tuple(sorted(requirement.extras))
    return Edge(canonicalize_name(requirement.name), extras, str(requirement.specifier))


def requirement_name(name: str) -> str:
    """Normalise a name as in PEP 503. ManifestError if no package can have it, or for a token."""
    try:
        return canonicalize_name(mask_known(name), validate=True)
    except InvalidName as error:
        raise ManifestError(Reason("bad-package-name", {"name": name})) from error


def exact_version(version: str) -> str:
    """Normalise a version as in PEP 440; another harmless word is kept. ManifestError if not."""
    try:
        return str(Version(version))
    except ValueError as error:
        # Another ValueError is that of a number with thousands of digits.
        if isinstance(error, InvalidVersion) and _PLAIN_VERSION.fullmatch(version):
            return version
        raise ManifestError(Reason("bad-version", {"version": version})) from error
