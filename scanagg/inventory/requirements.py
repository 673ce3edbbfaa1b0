"""Requirements files as pip reads them, with their includes and constraints."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory._common import (
    BrokenFile,
    Declaration,
    Project,
    Reading,
    in_folder_of,
    problem,
    read_bytes,
    shown,
)
from scanagg.inventory._constraints import of_declaration
from scanagg.inventory._declare import Site, declare
from scanagg.inventory._graph import Edge, Graph, Node
from scanagg.inventory._pip_lines import Line, decoded, logical_lines, options
from scanagg.inventory._scope import file_scope
from scanagg.model import Constraint, Location, NotExamined, Scope, SourceFile

_NAME: Final = re.compile(r"(?:.*[-_.])?requirements.*\.(?:txt|in)", re.IGNORECASE)
FOLDERS: Final = ("requirements", "reqs")
"""The names of folders in which every text lists requirements."""
# Prose that lies beside requirements, and constraints, which count only where they are included.
_OTHER_TEXT: Final = re.compile(
    r"(?:readme|licen[cs]e|notice|change|authors|.*constraint).*", re.IGNORECASE
)
_VIA_FILE: Final = re.compile(r"-r (\S+)|\S+ \((\S+)\)")
_VIA_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Far beyond what anyone writes; keeps many files that all include each other from taking hours.
_MAX_INCLUDES: Final = 500
_PER_LINE_OPTION: Final = re.compile(r"(?<=\s)-.*$")


class _Include(msgspec.Struct, frozen=True):
    path: str
    number: int
    constraint: bool


class _Content(msgspec.Struct, frozen=True):
    """One file by itself, without what it includes."""

    declared: tuple[Declaration, ...] = ()
    includes: tuple[_Include, ...] = ()
    problems: tuple[NotExamined, ...] = ()
    compiled_from: frozenset[str] = frozenset()


def matches(path: str, project: Project) -> bool:
    """Whether the name says that it lists requirements, or another manifest includes it as such."""
    folder, name = posixpath.split(path)
    if path in project.included:
        return True
    if _OTHER_TEXT.fullmatch(name):
        return False
    listed = posixpath.basename(folder) in FOLDERS and name.endswith((".txt", ".in"))
    return listed or bool(_NAME.fullmatch(name))


def read(file: SourceFile, project: Project) -> Reading:
    """All that installing from this file would ask for, with the line of each requirement."""
    scope = file_scope(file.path)
    waiting, seen = [(file.path, False)], {(file.path, False)}
    contents: list[tuple[bool, _Content]] = []
    problems: list[NotExamined] = []
    while waiting:
        path, constraint = waiting.pop()
        content = _content(project.files[path], file.path, scope, project)
        contents.append((constraint, content))
        problems += content.problems
        for include in content.includes:
            try:
                following = (_followed(include, path, project), constraint or include.constraint)
            except ValueError as error:
                problems.append(problem(path, include.number, str(error)))
                continue
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(contents) == _MAX_INCLUDES and waiting:
            problems.append(problem(file.path, None, f"more than {_MAX_INCLUDES} files included"))
            break
    declared = tuple(_with_constraints(contents))
    return Reading(
        path=file.path,
        declared=declared,
        problems=tuple(problems),
        covers=_covers(file.path),
        answers=frozenset(path for _, content in contents for path in content.compiled_from),
        ways=_ways(declared),
        constraints=tuple(_constraints(contents)),
    )


def _ways(declared: Sequence[Declaration]) -> Mapping[str, tuple[str, ...]]:
    """The ways that compilers' comments tell, from what has been asked for.

    Old compilers leave out who asked for a package if it is the project: what others hang on, and
    nothing is said of, starts a way.
    """
    needs: dict[str, list[Edge]] = {}
    for one in declared:
        for parent in one.needed_by:
            needs.setdefault(parent, []).append(Edge(one.name))
    graph = Graph({name: (Node(tuple(edges)),) for name, edges in needs.items()})
    roots = [one for one in declared if one.direct or (one.direct is None and one.name in needs)]
    return graph.walk((Edge(one.name), one.scope) for one in roots).ways() if needs else {}


def _constraints(contents: Iterable[tuple[bool, _Content]]) -> Iterator[Constraint]:
    for constraint, content in contents:
        if constraint:
            yield from filter(None, map(of_declaration, content.declared))


def _covers(path: str) -> dict[str, str]:
    """The manifests that this file may have been compiled from; what compiles it again."""
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix == ".in":
        return {}
    folders = (
        {folder, posixpath.dirname(folder)} if posixpath.basename(folder) in FOLDERS else {folder}
    )
    covered = dict.fromkeys(
        (
            posixpath.join(near, manifest)
            for near in folders
            for manifest in ("pyproject.toml", "setup.cfg", "setup.py")
        ),
        "",
    )
    return {posixpath.join(folder, f"{stem}.in"): "pip-compile", **covered}


def _with_constraints(contents: Sequence[tuple[bool, _Content]]) -> Iterator[Declaration]:
    """The requirements, pinned by a constraint where they are not by themselves.

    A constraint's own pin is listed too: which of these pip would use for what others need cannot
    be told without resolving.
    """
    pins: dict[str, set[str]] = {}
    for constraint, content in contents:
        for declared in content.declared:
            if constraint and declared.pin:
                pins.setdefault(declared.name, set()).add(declared.pin)
    for constraint, content in contents:
        for declared in content.declared:
            if not constraint:
                yield from _pinned(declared, pins.get(declared.name, set()))
            elif declared.pin:
                yield replace(declared, direct=None, asks=False)


def _pinned(declared: Declaration, pins: set[str]) -> Iterator[Declaration]:
    if declared.pin or declared.origin or not pins:
        yield declared
        return
    for pin in sorted(pins):
        yield replace(declared, pin=pin)


def _followed(include: _Include, path: str, project: Project) -> str:
    """The included file's path. ValueError where it is not one of the target's files."""
    what = shown(include.path)
    if re.match(r"[a-z][a-z0-9+.-]+:", include.path, re.IGNORECASE):
        raise ValueError(f"includes {what}: an address is not followed")
    # pip goes by the folder of a link; people often mean that of the file.
    near = [in_folder_of(each, include.path) for each in (path, project.ends.get(path, path))]
    found = next((each for each in near if each in project.files), None)
    if found is not None:
        return found
    if posixpath.isabs(near[0]) or near[0].split("/")[0] == "..":
        raise ValueError(f"includes {what}: outside of what is checked, not followed")
    raise ValueError(f"includes {what}: no such file among those that are checked")


def _content(file: SourceFile, source: str, scope: Scope, project: Project) -> _Content:
    declared: list[Declaration] = []
    includes: list[_Include] = []
    problems: list[NotExamined] = []
    compiled_from: set[str] = set()
    try:
        lines = list(logical_lines(decoded(read_bytes(file))))
    except BrokenFile as error:
        return _Content(problems=(problem(file.path, error.line, error.reason),))
    for line in lines:
        needed_by = _needed_by(line)
        direct = _direct(line, needed_by, source, project)
        site = Site(Location(file.path, line.number), source, scope, direct=direct)
        try:
            if line.text.startswith("-"):
                includes += _includes(line)
                declared += _editables(line, site, project)
            else:
                entry = declare(_PER_LINE_OPTION.sub("", line.text), site, project)
                declared.append(_as_listed(entry, line, needed_by))
                compiled_from.update(_compiled_from(line, needed_by, file.path, project))
        except ValueError as error:
            problems.append(problem(file.path, line.number, str(error)))
    return _Content(tuple(declared), tuple(includes), tuple(problems), frozenset(compiled_from))


def _as_listed(one: Declaration, line: Line, needed_by: tuple[str, ...]) -> Declaration:
    """`one` with what the line's comments say; a version that is only listed is no constraint."""
    listed = one.pin is not None and not one.source.endswith(".in")
    return replace(
        one,
        needed_by=needed_by,
        asks=not line.via,
        specifier=None if listed or line.via else one.specifier,
    )


def _compiled_from(
    line: Line, needed_by: tuple[str, ...], path: str, project: Project
) -> Iterator[str]:
    """The manifests that compilers' comments name: by path from here or the top, or by package."""
    for name in needed_by:
        yield from project.names.get(name, ())
    for named in filter(None, map(_VIA_FILE.fullmatch, line.via)):
        name = named[1] or named[2]
        paths = (in_folder_of(path, name), posixpath.normpath(name))
        yield from (found for found in paths if found in project.files)


def _includes(line: Line) -> list[_Include]:
    return [
        _Include(value, line.number, option == "--constraint")
        for option, value in options(line.text)
        if option != "--editable"
    ]


def _editables(line: Line, site: Site, project: Project) -> list[Declaration]:
    return [
        declare(value, site, project, editable=True)
        for option, value in options(line.text)
        if option == "--editable"
    ]


def _direct(line: Line, needed_by: tuple[str, ...], source: str, project: Project) -> bool | None:
    """Whether people asked for it: by the comments that compilers write, or by the file's kind."""
    if source.endswith(".in"):
        return True
    if not line.via:
        return None
    files = [item for item in line.via if not _VIA_PACKAGE.fullmatch(item) and item[:2] != "-c"]
    return bool(files) or not project.names.keys().isdisjoint(needed_by)


def _needed_by(line: Line) -> tuple[str, ...]:
    return tuple(canonicalize_name(item) for item in line.via if _VIA_PACKAGE.fullmatch(item))
