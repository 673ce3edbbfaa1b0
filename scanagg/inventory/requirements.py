"""Requirements files as pip reads them, with their includes and constraints."""

import optparse
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, NoReturn

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name, canonicalize_version

from scanagg.core.redact import mask_line
from scanagg.inventory.declarations import declare
from scanagg.inventory.graph import walk
from scanagg.inventory.indexes import indexes
from scanagg.inventory.manifest import (
    Declaration,
    Edge,
    FileProblems,
    Manifest,
    ManifestError,
    ProjectFiles,
    Site,
    exact_version,
    in_folder_of,
    read_text,
    without_conflicts,
)
from scanagg.inventory.scopes import file_scope
from scanagg.model import Location, NotExamined, PackageIndex, Reason, Scope, SourceFile
from scanagg.project.kinds import FOLDERS
from scanagg.project.requirement_lines import joined_lines, without_comment

# Reading many files that all include each other would take hours.
_MAX_INCLUDES: Final = 500
# Files that all include each other are read once for each of them. A line takes 0.1 to 0.3 ms.
_MAX_INCLUDED_LINES: Final = 50_000
_INDEX_OPTIONS: Final = ("index_url", "extra_index_url", "find_links", "trusted_host")

_PER_LINE_OPTION: Final = re.compile(r"(?<=\s)-.*$")
# The comments of pip-compile and uv about who needs a package: "# via x", or a list below "# via".
_VIA: Final = re.compile(r"^\s*#\s*via(?!\S)(.*)$")
_VIA_ITEM: Final = re.compile(r"^\s*#\s{2,}(\S.*)$")
_INLINE_VIA: Final = re.compile(r"\s#\s*via(?!\S)(.*)$")
_VIA_FILE: Final = re.compile(r"-r (\S+)|\S+ \((\S+)\)")
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_VIA_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
_OPTIONS: Final = {
    "append": (
        *("-r --requirement", "-c --constraint", "-e --editable"),
        *("-i --index-url --pypi-url", "--extra-index-url", "-f --find-links", "--trusted-host"),
    ),
    "store": (
        *("--no-binary", "--only-binary", "--use-feature", "--uploaded-prior-to", "--hash"),
        *("--config-settings", "--global-option", "--install-option"),
    ),
    "store_true": (
        *("--no-index", "--prefer-binary", "--require-hashes", "--pre", "--all-releases"),
        *("-Z --always-unzip", "--process-dependency-links"),
    ),
}


class _Options(optparse.OptionParser):
    """The options of a line, parsed with the module that pip uses for them."""

    def __init__(self) -> None:
        """Add all options."""
        super().__init__(add_help_option=False)
        for action, options in _OPTIONS.items():
            for names in options:
                self.add_option(*names.split(), action=action)

    def parsed(self, text: str) -> optparse.Values:
        """Parse a line. ManifestError if pip would refuse it."""
        try:
            options, words = self.parse_args(shlex.split(text))
        except ValueError as error:
            self.error(str(error))
        if words:
            self.error(f"unexpected argument: {words[0]}")
        return options

    def error(self, msg: str) -> NoReturn:
        """Raise ManifestError; the base class would print the message and exit."""
        raise ManifestError(Reason("bad-options", {"error": mask_line(msg)}))


class _Line(msgspec.Struct, frozen=True):
    """A logical line: the number of its first physical line, its text, and who needs it."""

    number: int
    text: str
    via: list[str]

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Return the packages among those who need it, as in PEP 503."""
        return tuple(canonicalize_name(item) for item in self.via if _VIA_PACKAGE.fullmatch(item))

    def is_direct(self, project: ProjectFiles) -> bool | None:
        """Return True if a file or the project itself needs it; None without a comment."""
        if not self.via:
            return None
        files = [item for item in self.via if not _VIA_PACKAGE.fullmatch(item) and item[:2] != "-c"]
        return bool(files) or not project.names.keys().isdisjoint(self.needed_by)

    def compiled_from(self, path: str, project: ProjectFiles) -> Iterator[str]:
        """Yield the manifests that need it: by their path, or by the name of their package."""
        for name in self.needed_by:
            yield from project.names.get(name, ())
        for match in filter(None, map(_VIA_FILE.fullmatch, self.via)):
            name = match[1] or match[2]
            yield from {in_folder_of(path, name), posixpath.normpath(name)} & project.files.keys()


def read_requirements(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read everything that this file asks pip to install, with the line of each requirement."""
    reading = _Reading(file.path, project, waiting=[(file.path, False)])
    reading.read()
    declared = tuple(reading.pinned())
    # The comments of compilers say which packages need others.
    needs: dict[str, list[Edge]] = {}
    for declaration in declared:
        for parent in declaration.needed_by:
            needs.setdefault(parent, []).append(Edge(declaration.name))
    nodes = {name: {"": [{"": edges}]} for name, edges in needs.items()}
    # Old compilers do not list the project among those who need a package. So a package that needs
    # others and has no such comment starts a way.
    roots = [one for one in declared if one.direct or (one.direct is None and one.name in needs)]
    constraints = (declaration.constraint for declaration in reading.declared[True])
    return Manifest(
        path=file.path,
        declared=declared,
        problems=tuple(reading.problems),
        covers=_covers(file.path),
        answers=frozenset(reading.compiled_from),
        ways=walk(nodes, map(attrgetter("root"), roots)).ways(),
        includes=tuple(path for path, _ in reading.waiting[1:]),
        constraints=tuple(filter(None, constraints)),
        indexes=tuple(reading.indexes),
        limits=tuple(reading.unused),
    )


class CompiledLine(msgspec.Struct, frozen=True):
    """A package in the output of a compiler, and the packages that need it; names as in PEP 503."""

    name: str
    version: str
    needed_by: tuple[str, ...]


def compiled_lines(text: str) -> Iterator[CompiledLine]:
    """Yield the pins of a compiled requirements file without options."""
    for line in _logical_lines(text):
        pin = _PIN.fullmatch(line.text.partition(";")[0].strip())
        if pin:
            name = canonicalize_name(pin[1])
            yield CompiledLine(name, exact_version(pin[2]), line.needed_by)


class _Reading(msgspec.Struct):
    """The state while the file `source` is read, with everything that it includes.

    `waiting` has the files to read, with True for those that are constraints only. `declared` has
    the constraints under True, and the requirements under False. `unused` are exact versions of
    constraints for packages that nothing is known to ask for.
    """

    source: str
    project: ProjectFiles
    waiting: list[tuple[str, bool]]
    declared: dict[bool, list[Declaration]] = msgspec.field(
        default_factory=lambda: {False: [], True: []}
    )
    problems: list[NotExamined] = []
    indexes: list[PackageIndex] = []
    compiled_from: set[str] = msgspec.field(default_factory=set)
    unused: list[Declaration] = []
    # One for each reading: a parser cannot be shared by threads.
    parser: _Options = msgspec.field(default_factory=_Options)

    def read(self) -> None:
        """Read all waiting files, each once as requirements and once as constraints."""
        is_needed = self.source in self.project.needed
        scope = Scope.RUNTIME if is_needed else file_scope(self.source)
        for number, (path, constrains) in enumerate(self.waiting, start=1):
            problems = FileProblems(self.project.link_target(path), self.problems)
            if number > _MAX_INCLUDES:
                problems.add(None, Reason("too-many-includes", {"number": _MAX_INCLUDES}))
                break
            lines: Sequence[_Line] = ()
            with problems.caught():
                text = without_conflicts(read_text(self.project.files[path]), problems)
                lines = _logical_lines(text)
            if number > 1:
                self.project.included["lines"] += len(lines)
                if self.project.included["lines"] > _MAX_INCLUDED_LINES:
                    reason = Reason("too-many-included-lines", {"number": _MAX_INCLUDED_LINES})
                    problems.add(None, reason)
                    break
            for line in lines:
                place = Location(problems.path, line.number)
                direct = True if self.source.endswith(".in") else line.is_direct(self.project)
                site = Site(place=place, source=self.source, scope=scope, direct=direct)
                with problems.caught(line.number):
                    if line.text.startswith("-"):
                        self._options(line.text, path, site, constrains)
                        continue
                    declaration = declare(_PER_LINE_OPTION.sub("", line.text), site, self.project)
                    # A version that a person or a compiler only lists does not exclude others.
                    is_pin = declaration.pin is not None and not self.source.endswith(".in")
                    declaration = replace(
                        declaration,
                        needed_by=line.needed_by,
                        asks=not line.via,
                        specifier=None if line.via or is_pin else declaration.specifier,
                    )
                    self.declared[constrains].append(declaration)
                    self.compiled_from.update(line.compiled_from(path, self.project))

    def pinned(self) -> Iterator[Declaration]:
        """Yield the requirements, pinned by constraints if they are not by themselves.

        The pins of constraints are yielded too, if a requirement asks for the package, or if the
        comments of a compiler say that one needs it. All others are `unused`.
        """
        required = self.declared[False]
        open_names = {one.name for one in required if not one.pin} | self._needed()
        exact = {(one.name, canonicalize_version(one.pin)) for one in required if one.pin}
        pins: dict[str, set[tuple[str, str]]] = {}
        for constraint in self.declared[True]:
            if constraint.pin:
                pins.setdefault(constraint.name, set()).add((constraint.pin, constraint.marker))
                same = (constraint.name, canonicalize_version(constraint.pin)) in exact
                if same or constraint.name in open_names:
                    yield replace(constraint, direct=None, asks=False)
                else:
                    self.unused.append(constraint)
        for declaration in self.declared[False]:
            if declaration.pin or declaration.origin or declaration.name not in pins:
                yield declaration
            else:
                for pin, marker in sorted(pins[declaration.name]):
                    yield replace(declaration, pin=pin, marker=marker or declaration.marker)

    def _needed(self) -> set[str]:
        """Return the packages that requirements need, by the comments in constraints."""
        children: dict[str, set[str]] = {}
        for constraint in self.declared[True]:
            for parent in constraint.needed_by:
                children.setdefault(parent, set()).add(constraint.name)
        needed: set[str] = set()
        waiting = {one.name for one in self.declared[False]}
        while waiting:
            new = children.pop(waiting.pop(), set()) - needed
            needed |= new
            waiting |= new
        return needed

    def _options(self, text: str, path: str, site: Site, constrains: bool) -> None:
        """Read a line with options: local packages, indexes, or files that `path` includes."""
        options = self.parser.parsed(text)
        for option in _INDEX_OPTIONS:
            self.indexes += indexes(options.ensure_value(option, []), site.place)
        for name in options.ensure_value("editable", []):
            self.declared[constrains].append(declare(f"-e {name}", site, self.project))
        includes = [(name, constrains) for name in options.ensure_value("requirement", [])]
        includes += [(name, True) for name in options.ensure_value("constraint", [])]
        for name, as_constraints in includes:
            # pip starts in the folder of a link; people often mean that of the file.
            starts = (path, self.project.link_target(path))
            candidates = [in_folder_of(start, name) for start in starts]
            include = next((path for path in candidates if path in self.project.files), None)
            if include is None or re.match(r"[a-z][a-z0-9+.-]+:", name, re.IGNORECASE):
                raise ManifestError(Reason("missing-include", {"path": name}))
            file = (include, as_constraints)
            if len(self.waiting) <= _MAX_INCLUDES and file not in self.waiting:
                self.waiting.append(file)


def _covers(path: str) -> dict[str, str]:
    """Return the manifests that this file may be compiled from, with the command for it."""
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix == ".in":
        return {}
    covers = {posixpath.join(folder, f"{stem}.in"): "pip-compile"}
    folders = [folder]
    if posixpath.basename(folder) in FOLDERS:
        folders.append(posixpath.dirname(folder))
    for near in folders:
        for manifest in ("pyproject.toml", "setup.cfg", "setup.py"):
            covers[posixpath.join(near, manifest)] = ""
    return covers


def _logical_lines(text: str) -> list[_Line]:
    """Return the lines with continuations joined, without comments, and with who needs them."""
    lines: list[_Line] = []
    via: list[str] = []  # of the line above
    in_list = False
    for number, joined in joined_lines(text):
        line = without_comment(joined)
        opening = (_INLINE_VIA.search if line else _VIA.match)(joined)
        item = opening or (_VIA_ITEM.match(joined) if in_list and not line else None)
        if line:
            via = []
            lines.append(_Line(number, line, via))
        elif not joined.strip():  # comments below an empty line are not about the line above it
            via = []
        items = list(filter(None, map(str.strip, item[1].split(",")))) if item else []
        via += items
        in_list = bool(item) and not (opening and items)
    return lines
