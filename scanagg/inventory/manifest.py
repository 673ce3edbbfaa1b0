"""The values that all readers of manifests share, and how a manifest's bytes are read."""

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as WrittenRequirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Constraint,
    Location,
    NotExamined,
    Package,
    Requirement,
    Scope,
    SourceFile,
    plain,
)

# The largest lock files of public monorepos are about 5 MB; anything beyond this is no manifest.
MAX_BYTES: Final = 16 * 1024 * 1024
_TEXT_WIDTH: Final = 200

# A version that is not PEP 440 (an old "2004d") is kept if it is harmless as a word.
_PLAIN_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]+@")


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency as people wrote it, pinned or not.

    `source` is the manifest that was being read (an included file has another `place`). `pin` is
    the exact version, if there is one. `origin` says where the package comes from if that is no
    package index; `own` marks the project's own code. `group` is the name of its extra or group,
    `needed_by` the packages that need it according to a compiler's comment. `specifier` is the
    versions it allows by PEP 440, None if it says nothing about versions or only records the
    installed one. `asks` is false for a line that asks for nothing: a compiler wrote it, or it is a
    constraint.
    """

    name: str
    text: str
    place: Location
    source: str
    scope: Scope = Scope.RUNTIME
    extras: tuple[str, ...] = ()
    pin: str | None = None
    origin: str = ""
    own: bool = False
    conditional: bool = False
    direct: bool | None = True
    group: str = ""
    needed_by: tuple[str, ...] = ()
    specifier: str | None = None
    asks: bool = True


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one manifest.

    `covers` maps the manifests whose declarations it locks to the command that locks them again, or
    to "" if this file need not hold all of them. `own` names the project's own packages. `ways`
    leads from a requirement to each package that its graph reaches. `answers` are further manifests
    that it was compiled from.
    """

    path: str
    packages: tuple[Package, ...] = ()
    declared: tuple[Declaration, ...] = ()
    unpinned: tuple[Requirement, ...] = ()
    problems: tuple[NotExamined, ...] = ()
    covers: Mapping[str, str] = {}
    own: frozenset[str] = frozenset()
    includes: tuple[str, ...] = ()
    ways: Mapping[str, tuple[str, ...]] = {}
    answers: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()


class ProjectFiles(msgspec.Struct, frozen=True):
    """The files that may be read, by the path that is shown, and what earlier readers learnt.

    `files` also has the targets of symbolic links, under the links' paths; `link_targets` has the
    paths of those files themselves. `declared` is by folder. `included` are files that a manifest
    names as requirements, `names` the project's own packages with the manifests that name them.
    """

    root: Path
    files: Mapping[str, SourceFile]
    folders: frozenset[str]
    link_targets: Mapping[str, str] = {}
    declared: Mapping[str, tuple[Declaration, ...]] = {}
    included: frozenset[str] = frozenset()
    names: Mapping[str, tuple[str, ...]] = {}

    def beside(self, path: str) -> tuple[Declaration, ...]:
        """Return what the manifests in the folder of `path` declare."""
        return self.declared.get(posixpath.dirname(path), ())

    def link_target(self, path: str) -> str:
        """Return the path of the file that a symbolic link leads to; any other path as it is."""
        return self.link_targets.get(path, path)

    def place(self, path: str, line: int | None = None) -> Location:
        """Return a place in a file; for a symbolic link, the place in the file it leads to."""
        return Location(self.link_target(path), line)

    def problem(self, path: str, line: int | None, reason: str) -> NotExamined:
        """Return the problem of one line (from 1) of a file, or of the whole file."""
        return problem(self.link_target(path), line, reason)


class Reader(msgspec.Struct, frozen=True):
    """The reader of one kind of manifest.

    `matches` decides by the path alone. `read` returns None if the file turns out to be no
    manifest, and raises BrokenFile if it cannot be read.
    """

    matches: Callable[[str, ProjectFiles], bool]
    read: Callable[[SourceFile, ProjectFiles], Manifest | None]


class BrokenFile(Exception):  # noqa: N818 - it says what is broken, and never leaves this package
    """A manifest that cannot be used at all, the line that is to blame, and the reason."""

    def __init__(self, line: int | None, reason: str) -> None:
        """Keep the line, which counts from 1; None if no single line is to blame."""
        super().__init__(reason)
        self.line = line
        self.reason = reason


def named(name: str) -> Callable[[str, ProjectFiles], bool]:
    """Return the `matches` of a reader of files with one fixed name."""
    return lambda path, _: posixpath.basename(path) == name


def problem(path: str, line: int | None, reason: str) -> NotExamined:
    """Return a line (from 1) of a manifest that cannot be used, with its secrets masked."""
    return NotExamined(path if line is None else f"{path}:{line}", plain(shown(reason)))


def shown(text: str) -> str:
    """Return text of a manifest on one short line, with credentials in addresses masked."""
    return shorten(one_line(_CREDENTIALS.sub("***@", text.strip())), _TEXT_WIDTH)


def in_folder_of(path: str, name: str) -> str:
    """Return the path of `name`, given relative to the file `path`; it may lead out with `..`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def read_bytes(file: SourceFile) -> bytes:
    """Return the content. BrokenFile if the system refuses or if it is too large for a manifest."""
    try:
        if file.real.stat().st_size > MAX_BYTES:
            raise BrokenFile(None, f"larger than {MAX_BYTES // 1024**2} MiB: not read")
        return file.real.read_bytes()
    except OSError as error:
        raise BrokenFile(None, f"cannot be read: {error.strerror or error}") from error


def read_utf8(file: SourceFile) -> str:
    """Return the text of a UTF-8 file without its byte-order mark. BrokenFile if it is not."""
    raw = read_bytes(file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BrokenFile(line, "not UTF-8") from error


def parsed(text: str) -> WrittenRequirement | None:
    """Parse a requirement by PEP 508; None if it is none, or is nested too deeply to be read."""
    try:
        return WrittenRequirement(text)
    except (InvalidRequirement, RecursionError):
        return None


def requirement_name(name: str) -> str:
    """Normalise a name as in PEP 503. ValueError if no package can have it."""
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise ValueError(f"not a package name: {name!r}") from error


def exact_version(version: str) -> str:
    """Normalise a version as in PEP 440; one that is a harmless word stays. ValueError if not."""
    try:
        return str(Version(version))
    except InvalidVersion as error:
        if _PLAIN_VERSION.fullmatch(version):
            return version
        raise ValueError(f"not a version: {version!r}") from error
