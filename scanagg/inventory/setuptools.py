"""setup.cfg, which can be read, and setup.py, which would have to be run and so is only named."""

import configparser
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from scanagg.inventory._common import (
    BrokenFile,
    Declaration,
    Project,
    Reading,
    in_folder_of,
    problem,
    read_utf8,
)
from scanagg.inventory._declare import Site, declare
from scanagg.inventory._scope import either, folder_scope, named_scope
from scanagg.inventory._setup_code import Told, tell
from scanagg.model import Location, NotExamined, Scope, SourceFile

_IN_CODE: Final = (
    "its dependencies are in code, which is not run; declare them in pyproject.toml and lock them"
)
_NAMED_IN_CODE: Final = "in code only, which is not run; declare it in pyproject.toml and lock it"
_SHOWN: Final = 3


def matches(path: str, project: Project) -> bool:
    """Whether it is a setup.cfg."""
    return posixpath.basename(path) == "setup.cfg"


def _error_line(error: configparser.Error) -> int | None:
    if isinstance(error, configparser.MissingSectionHeaderError):
        return int(error.lineno)
    errors = error.errors if isinstance(error, configparser.ParsingError) else []
    return int(errors[0][0]) if errors else None


def read(file: SourceFile, project: Project) -> Reading | None:
    """The declared requirements with their lines; None where there are none."""
    text = read_utf8(file)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise BrokenFile(_error_line(error), "not a valid setup.cfg") from error
    wanted = list(_sections(parser))
    files = [in_folder_of(file.path, name) for name in _files(parser)]
    if not wanted and not files:
        return None
    lines = _lines(text)
    declared: list[Declaration] = []
    problems: list[NotExamined] = []
    for requirement, group, scope in wanted:
        site = Site(
            place=Location(file.path, lines.get(requirement)),
            source=file.path,
            scope=either(scope, folder_scope(file.path)),
            group=group,
        )
        try:
            declared.append(declare(requirement, site, project))
        except ValueError as error:
            problems.append(problem(file.path, site.place.start_line, str(error)))
    return Reading(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems),
        includes=tuple(files),
    )


def _files(parser: configparser.RawConfigParser) -> Iterator[str]:
    """The requirements files from which setuptools takes the dependencies."""
    for _, _, value in _lists(parser):
        for line in value.splitlines():
            if line.strip().startswith("file:"):
                names = line.strip().removeprefix("file:").split(",")
                yield from (name.strip() for name in names if name.strip())


def _sections(parser: configparser.RawConfigParser) -> Iterator[tuple[str, str, Scope]]:
    """Each requirement with its group and scope. What is read from another file is not here."""
    for group, scope, value in _lists(parser):
        for line in value.splitlines() if "\n" in value else value.split(";"):
            bare = line.partition(" #")[0].strip()
            if bare and not bare.startswith(("#", "file:")):
                yield bare, group, scope


def _lists(parser: configparser.RawConfigParser) -> Sequence[tuple[str, Scope, str]]:
    """The group, the scope and the text of every list of requirements."""
    lists = [
        ("default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")),
        ("tests", Scope.DEV, parser.get("options", "tests_require", fallback="")),
    ]
    extras = "options.extras_require"
    if parser.has_section(extras):
        names = parser.options(extras)
        lists += [(name, named_scope(name), parser.get(extras, name)) for name in names]
    return lists


def _lines(text: str) -> Mapping[str, int]:
    """The first line on which each requirement stands, alone or after its key."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition(" #")[0].strip()
        for part in (bare, bare.partition("=")[2].strip()):
            found.setdefault(part, number)
    return found


def unread(project: Project, readings: Sequence[Reading]) -> Iterator[Reading]:
    """Each setup.py with dependencies that stand in no manifest of its folder.

    What code lists by name is sought by name: all that a manifest lists, pinned or not, is looked
    at or named. Where code makes the list, a manifest that lists anything for runtime is taken for
    what it is made of. What is for development only never stands for what is needed at runtime:
    beside no more than a dev-requirements.txt a setup.py is named.
    """
    for path, file in project.files.items():
        if posixpath.basename(path) != "setup.py":
            continue
        try:
            told = tell(read_utf8(file))
        except BrokenFile as error:
            told = Told(error.line, untold=frozenset((Scope.RUNTIME,)), reason=error.reason)
        reason = _missing(told, path, readings) if told else ""
        if told and reason:
            yield Reading(path=path, problems=(problem(path, told.line, reason),))


def _missing(told: Told, path: str, readings: Sequence[Reading]) -> str:
    """What to say of the dependencies that stand in the code alone; "" where there are none."""
    listed = _listed(path, readings)
    own = {told.own, *(name for one in readings for name in one.own)}
    here = folder_scope(path)
    untold = {either(scope, here) for scope in told.untold}
    if any(not listed[scope] for scope in untold) or not listed[Scope.DEV]:
        return (told.reason or _IN_CODE) if told.names or untold else ""
    found = {name for scope, name in told.names if name not in listed[either(scope, here)]}
    alone = sorted(found - own)
    more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
    return f"{', '.join(alone[:_SHOWN])}{more}: {_NAMED_IN_CODE}" if alone else ""


def _listed(path: str, readings: Iterable[Reading]) -> Mapping[Scope, frozenset[str]]:
    """The names in the folder's manifests and in those that cover `path`, by what they may be for.

    What is for runtime is there for development too.
    """
    folder = posixpath.dirname(path)
    names: dict[Scope, set[str]] = {scope: set() for scope in Scope}
    for one in readings:
        if posixpath.dirname(one.path) == folder or path in one.covers:
            for name, scope in _names(one):
                names[Scope.DEV].add(name)
                names[scope].add(name)
    return {scope: frozenset(found) for scope, found in names.items()}


def _names(reading: Reading) -> Iterator[tuple[str, Scope]]:
    yield from ((one.name, one.scope) for one in reading.packages)
    yield from ((one.name, one.scope) for one in reading.declared)
    yield from ((one.name, one.scope) for one in reading.unpinned)
