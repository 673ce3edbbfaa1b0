"""Requirements files as pip reads them, with their includes and constraints."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

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
from scanagg.inventory._declare import Site, declare
from scanagg.inventory._pip_lines import Line, decoded, logical_lines, options
from scanagg.inventory._scope import file_scope
from scanagg.model import Location, NotExamined, Scope, SourceFile

_NAME: Final = re.compile(r"(?:.*[-_.])?requirements.*\.(?:txt|in)", re.IGNORECASE)
_FOLDERS: Final = ("requirements", "reqs")
# Prose that lies beside requirements, and constraints, which count only where they are included.
_OTHER_TEXT: Final = re.compile(
    r"(?:readme|licen[cs]e|notice|change|authors|.*constraint).*", re.IGNORECASE
)
_VIA_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Far beyond what anyone writes; keeps many files that all include each other from taking hours.
_MAX_INCLUDES: Final = 500
_PER_LINE_OPTION: Final = re.compile(r"(?<=\s)-.*$")


@dataclass(frozen=True, slots=True)
class _Include:
    path: str
    number: int
    constraint: bool


@dataclass(frozen=True, slots=True)
class _Content:
    """One file by itself, without what it includes."""

    declared: tuple[Declaration, ...] = ()
    includes: tuple[_Include, ...] = ()
    problems: tuple[NotExamined, ...] = ()


def matches(path: str, project: Project) -> bool:
    """Whether the name says that it lists requirements, or another manifest includes it as such."""
    folder, name = posixpath.split(path)
    if path in project.included:
        return True
    if _OTHER_TEXT.fullmatch(name):
        return False
    listed = posixpath.basename(folder) in _FOLDERS and name.endswith((".txt", ".in"))
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
    return Reading(
        path=file.path,
        declared=tuple(_with_constraints(contents)),
        problems=tuple(problems),
        covers=_covers(file.path),
    )


def _covers(path: str) -> dict[str, str]:
    """The manifests that this file may have been compiled from; what compiles it again."""
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix == ".in":
        return {}
    folders = (
        {folder, posixpath.dirname(folder)} if posixpath.basename(folder) in _FOLDERS else {folder}
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
                yield replace(declared, direct=None)


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
    followed = in_folder_of(path, include.path)
    if posixpath.isabs(followed) or followed.split("/")[0] == "..":
        raise ValueError(f"includes {what}: outside of what is checked, not followed")
    if followed not in project.files:
        raise ValueError(f"includes {what}: no such file among those that are checked")
    return followed


def _content(file: SourceFile, source: str, scope: Scope, project: Project) -> _Content:
    declared: list[Declaration] = []
    includes: list[_Include] = []
    problems: list[NotExamined] = []
    try:
        lines = list(logical_lines(decoded(read_bytes(file))))
    except BrokenFile as error:
        return _Content(problems=(problem(file.path, error.line, error.reason),))
    for line in lines:
        direct = _direct(line, source, project)
        site = Site(Location(file.path, line.number), source, scope, direct=direct)
        try:
            if line.text.startswith("-"):
                includes += _includes(line)
                declared += _editables(line, site, project)
            else:
                entry = declare(_PER_LINE_OPTION.sub("", line.text), site, project)
                declared.append(replace(entry, needed_by=_needed_by(line)))
        except ValueError as error:
            problems.append(problem(file.path, line.number, str(error)))
    return _Content(tuple(declared), tuple(includes), tuple(problems))


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


def _direct(line: Line, source: str, project: Project) -> bool | None:
    """Whether people asked for it: by the comments that compilers write, or by the file's kind."""
    if source.endswith(".in"):
        return True
    if not line.via:
        return None
    files = [item for item in line.via if not _VIA_PACKAGE.fullmatch(item) and item[:2] != "-c"]
    return bool(files) or not project.names.isdisjoint(_needed_by(line))


def _needed_by(line: Line) -> tuple[str, ...]:
    return tuple(canonicalize_name(item) for item in line.via if _VIA_PACKAGE.fullmatch(item))
