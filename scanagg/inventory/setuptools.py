"""setup.cfg, which can be read, and setup.py, which would have to be run and so is only named."""

import ast
import configparser
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from scanagg.inventory._common import BrokenFile, Declaration, Project, Reading, problem, read_utf8
from scanagg.inventory._declare import Site, declare
from scanagg.inventory._scope import either, folder_scope, named_scope
from scanagg.model import Location, NotExamined, Scope, SourceFile

_IN_CODE: Final = (
    "its dependencies are in code, which is not run; declare them in pyproject.toml and lock them"
)
_PASSED: Final = frozenset(("install_requires", "extras_require", "tests_require"))


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
    if not wanted:
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
    return Reading(path=file.path, declared=tuple(declared), problems=tuple(problems))


def _sections(parser: configparser.RawConfigParser) -> Iterator[tuple[str, str, Scope]]:
    """Each requirement with its group and scope. What is read from another file is not here."""
    lists = [
        ("default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")),
        ("tests", Scope.DEV, parser.get("options", "tests_require", fallback="")),
    ]
    extras = "options.extras_require"
    if parser.has_section(extras):
        names = parser.options(extras)
        lists += [(name, named_scope(name), parser.get(extras, name)) for name in names]
    for group, scope, value in lists:
        for line in value.splitlines() if "\n" in value else value.split(";"):
            bare = line.partition(" #")[0].strip()
            if bare and not bare.startswith(("#", "file:")):
                yield bare, group, scope


def _lines(text: str) -> Mapping[str, int]:
    """The first line on which each requirement stands, alone or after its key."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition(" #")[0].strip()
        for part in (bare, bare.partition("=")[2].strip()):
            found.setdefault(part, number)
    return found


def unread(project: Project, readings: Iterable[Reading]) -> Iterator[Reading]:
    """Each setup.py that is the only manifest of its folder and seems to list dependencies."""
    known: set[str] = set()
    for one in readings:
        if one.declared or one.packages or one.unpinned:
            known.add(posixpath.dirname(one.path))
            known.update(posixpath.dirname(path) for path in one.covers)
    for path, file in project.files.items():
        folder, name = posixpath.split(path)
        if name == "setup.py" and folder not in known:
            try:
                line = _lists_dependencies(read_utf8(file))
            except BrokenFile as error:
                line, reason = error.line, error.reason
            else:
                reason = _IN_CODE
                if line is None:
                    continue
            yield Reading(path=path, problems=(problem(path, line, reason),))


def _lists_dependencies(text: str) -> int | None:
    """The line of the call of `setup` that passes dependencies, or anything unnamed that may.

    Code that is no Python of today is taken at its words.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 1 if any(name in text for name in _PASSED) else None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_setup(node.func):
            names = {keyword.arg for keyword in node.keywords}
            if names & {*_PASSED, None}:
                return node.lineno
    return None


def _is_setup(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "setup"
    return isinstance(function, ast.Name) and function.id == "setup"
