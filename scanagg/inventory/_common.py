"""What all readers share: their shape, what they hand over, how a broken file is read."""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as WrittenRequirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from scanagg.core import toml
from scanagg.core.text import one_line, shorten
from scanagg.inventory._lines import Keys, json_lines, toml_lines
from scanagg.model import (
    Constraint,
    Location,
    NotExamined,
    Package,
    Requirement,
    Scope,
    SourceFile,
    pypi_purl,
)

T = TypeVar("T")

# The largest lock files of public monorepos are about 5 MB; beyond this it is no manifest.
MAX_BYTES: Final = 16 * 1024 * 1024
UNPINNED: Final = 'no exact version; lock the project (for example with "uv lock" or "pip-compile")'
_TEXT_WIDTH: Final = 200

# A version that is not PEP 440 (an old "2004d") is kept if it is harmless as a word.
_PLAIN_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]+@")
_CONFLICT: Final = re.compile(r"^<{7}(?: |\r?$)", re.MULTILINE)


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A dependency as people wrote it, pinned or not.

    `source` is the manifest that it was read for (an included file has another `place`). `pin` is
    the exact version, if one is given. `origin` says where it comes from if that is no package
    index; `own` marks the project's own code. `group` is the name of its extra or group,
    `needed_by` the packages that a compiler's comment says it is there for. `specifier` is what it
    allows by PEP 440, None where it says nothing of versions or only what is installed now. `asks`
    is false where nobody asks for the package by this line: a compiler wrote it, or it constrains.
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


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a lock file, before it is known to be a usable package.

    `origin` and `own` are as in `Declaration`.
    """

    name: str
    version: str | None
    place: Location | None
    scope: Scope = Scope.RUNTIME
    direct: bool | None = None
    requires: tuple[str, ...] = ()
    origin: str = ""
    own: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one manifest says.

    `covers` maps the manifests whose declarations it locks to the command that locks them again,
    or to "" where this file need not hold all of them. `own` names the project's own packages.
    `ways` leads from a requirement to each package that its graph reaches, `answers` are further
    manifests whose requirements it was made from.
    """

    path: str
    packages: tuple[Package, ...] = ()
    declared: tuple[Declaration, ...] = ()
    unpinned: tuple[Requirement, ...] = ()
    problems: tuple[NotExamined, ...] = ()
    covers: Mapping[str, str] = msgspec.field(default_factory=dict)
    own: frozenset[str] = frozenset()
    includes: tuple[str, ...] = ()
    ways: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    answers: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()


class Project(msgspec.Struct, frozen=True):
    """The files that may be read, by the path that is shown, and what earlier readers found.

    `included` are files that a manifest names as requirements, `names` the project's own packages
    with the manifests that call them so. `files` also has what symbolic links lead to, under the
    links' paths, and `ends` the paths of those files themselves.
    """

    root: Path
    files: Mapping[str, SourceFile]
    folders: frozenset[str]
    declared: Mapping[str, tuple[Declaration, ...]] = msgspec.field(default_factory=dict)
    included: frozenset[str] = frozenset()
    names: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ends: Mapping[str, str] = msgspec.field(default_factory=dict)

    def beside(self, path: str) -> tuple[Declaration, ...]:
        """What the manifests in the folder of `path` declare."""
        return self.declared.get(posixpath.dirname(path), ())


class Reader(Protocol):
    """The names that a module must have to be a reader of manifests."""

    def matches(self, path: str, project: Project) -> bool:
        """Whether the file with this path is of its kind, by name alone."""
        ...

    def read(self, file: SourceFile, project: Project) -> Reading | None:
        """What it says; None where it is no manifest after all. BrokenFile if it cannot be read."""
        ...


class BrokenFile(Exception):  # noqa: N818 - it says what is broken, and never leaves this package
    """A manifest that cannot be used at all, the line that is to blame, and why."""

    def __init__(self, line: int | None, reason: str) -> None:
        """`line` counts from 1; None where no one line is to blame."""
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Document(msgspec.Struct, frozen=True):
    """A parsed manifest, the line of each of its values, and what of it could not be used so far.

    `problems` is the one thing here that grows: a wrong entry is noted and the rest is used.
    """

    path: str
    data: Mapping[str, object]
    lines: Mapping[Keys, int]
    problems: list[NotExamined] = msgspec.field(default_factory=list)

    def place(self, *keys: str | int) -> Location:
        """Where the value with this path stands, or the nearest container of it with a line."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return Location(self.path, self.lines[keys[:end]])
        return Location(self.path)

    def value(self, *keys: str | int) -> object:
        """The value with this path, None if there is none."""
        found: object = self.data
        for key in keys:
            if isinstance(found, Mapping):
                found = found.get(key)
            elif isinstance(found, list) and isinstance(key, int) and key < len(found):
                found = found[key]
            else:
                return None
        return found

    def section(self, type_: type[T], *keys: str | int) -> T | None:
        """The value with this path as `type_`; None where it is absent, or wrong and noted."""
        found = self.value(*keys)
        if found is None:
            return None
        try:
            return msgspec.convert(found, type_)
        except (msgspec.ValidationError, RecursionError) as error:
            name = next(key for key in reversed(keys) if isinstance(key, str))
            self.note(self.place(*keys), f"{name}: {error}")
            return None

    def names(self, *keys: str | int) -> tuple[str, ...]:
        """The keys of the table with this path; none where there is no table, which is noted."""
        return tuple(self.section(dict[str, object], *keys) or ())

    def entries(self, type_: type[T], *keys: str) -> Iterator[tuple[int, T]]:
        """Each usable item of the array with this path, with its position in it."""
        for position in range(len(self.section(list[object], *keys) or ())):
            item = self.section(type_, *keys, position)
            if item is not None:
                yield position, item

    def note(self, place: Location, reason: str) -> None:
        """Keep one problem."""
        self.problems.append(problem(place.path, place.start_line, reason))


def problem(path: str, line: int | None, reason: str) -> NotExamined:
    """A line (from 1) of a manifest that cannot be used, without what it may hold of secrets."""
    return NotExamined(path if line is None else f"{path}:{line}", shown(reason))


def shown(text: str) -> str:
    """`text` from a manifest on one short line, with credentials in addresses masked."""
    return shorten(one_line(_CREDENTIALS.sub("***@", text.strip())), _TEXT_WIDTH)


def in_folder_of(path: str, name: str) -> str:
    """The path of `name`, given relative to the file `path`; it may lead out with `..`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def read_bytes(file: SourceFile) -> bytes:
    """The content. BrokenFile where the system refuses or it is too large for a manifest."""
    try:
        if file.real.stat().st_size > MAX_BYTES:
            raise BrokenFile(None, f"larger than {MAX_BYTES // 1024**2} MiB: not read")
        return file.real.read_bytes()
    except OSError as error:
        raise BrokenFile(None, f"cannot be read: {error.strerror or error}") from error


def read_utf8(file: SourceFile) -> str:
    """The text of a file that must be UTF-8 (a byte-order mark is dropped). BrokenFile if not."""
    raw = read_bytes(file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BrokenFile(line, "not UTF-8") from error


def load_toml(file: SourceFile) -> Document:
    """A parsed TOML file. BrokenFile with the line where it is none."""
    text = read_utf8(file)
    try:
        return Document(file.path, toml.load(text), toml_lines(text))
    except toml.TomlTooMuchError as error:
        raise BrokenFile(error.line, error.reason) from error
    except toml.TomlError as error:
        raise _broken(text, "TOML", error.line, error.reason) from error


def load_json(file: SourceFile) -> Document:
    """A parsed JSON file that holds an object. BrokenFile with the line where it does not."""
    text = read_utf8(file)
    try:
        data: object = json.loads(text)
    except RecursionError as error:
        raise BrokenFile(None, "nested too deeply to be read") from error
    except json.JSONDecodeError as error:
        raise _broken(text, "JSON", error.lineno, error.msg) from error
    except ValueError as error:
        raise _broken(text, "JSON", None, str(error)) from error
    if not isinstance(data, dict):
        raise BrokenFile(1, "not a JSON object")
    return Document(file.path, data, json_lines(text))


def _line_at(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _broken(text: str, kind: str, line: int | None, message: str) -> BrokenFile:
    conflict = _CONFLICT.search(text)
    if conflict:
        return BrokenFile(_line_at(text, conflict.start()), "unresolved merge conflict")
    return BrokenFile(line, f"not valid {kind}: {message}")


def parsed(text: str) -> WrittenRequirement | None:
    """A requirement by PEP 508; None where it is none, or one nested too deeply to be read."""
    try:
        return WrittenRequirement(text)
    except (InvalidRequirement, RecursionError):
        return None


def requirement_name(name: str) -> str:
    """`name` normalised as in PEP 503. ValueError where no package can be called that."""
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName as error:
        raise ValueError(f"not a package name: {name!r}") from error


def exact_version(version: str) -> str:
    """`version` normalised as in PEP 440, or as it is if it is harmless. ValueError otherwise."""
    try:
        return str(Version(version))
    except InvalidVersion as error:
        if _PLAIN_VERSION.fullmatch(version):
            return version
        raise ValueError(f"not a version: {version!r}") from error


def package(entry: Locked) -> Package:
    """The package that an entry names, all in normal form. ValueError where there can be none."""
    name = requirement_name(entry.name)
    if entry.version is None:
        raise ValueError(f"{name}: no version")
    version = exact_version(entry.version)
    return Package(
        name=name,
        version=version,
        purl=pypi_purl(name, version),
        scope=entry.scope,
        direct=entry.direct,
        places=(entry.place,) if entry.place else (),
        requires=entry.requires,
    )


def reading(document: Document, locked: Iterable[Locked], covers: Mapping[str, str]) -> Reading:
    """The reading of a lock file: entries that are packages, those that are not, and problems."""
    packages: list[Package] = []
    unpinned: list[Requirement] = []
    own: set[str] = set()
    for entry in locked:
        place = entry.place or Location(document.path)
        try:
            name = requirement_name(entry.name)
            if entry.own:
                own.add(name)
            elif entry.origin:
                reason = shown(entry.origin)
                unpinned.append(Requirement(name, name, place, reason, entry.scope))
            else:
                packages.append(package(entry))
        except ValueError as error:
            document.note(place, str(error))
    return Reading(
        path=document.path,
        packages=tuple(packages),
        unpinned=tuple(unpinned),
        problems=tuple(document.problems),
        covers=covers,
        own=frozenset(own),
    )


def normal_names(names: Iterable[str], known: frozenset[str]) -> tuple[str, ...]:
    """Those of `names` that are also `known` once normalised, each once, sorted."""
    return tuple(sorted({canonicalize_name(name) for name in names} & known))
