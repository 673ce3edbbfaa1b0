"""setup.cfg, and setup.py, which is never run: what its code lists alone is a problem."""

import ast
import configparser
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import Site, declare
from scanagg.inventory.manifest import (
    BrokenFile,
    Declaration,
    Manifest,
    ProjectFiles,
    in_folder_of,
    parsed,
    read_utf8,
)
from scanagg.inventory.scopes import either, folder_scope, named_scope
from scanagg.model import NotExamined, Scope, SourceFile

_IN_CODE: Final = (
    "its dependencies are in code, which is not run; declare them in pyproject.toml and lock them"
)
_NAMED_IN_CODE: Final = "in code only, which is not run; declare it in pyproject.toml and lock it"
_SHOWN: Final = 3


def read_setup_cfg(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the declared requirements of a setup.cfg with their lines; None if there are none."""
    text = read_utf8(file)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        for number, _ in getattr(error, "errors", ()):
            line = line or number
        raise BrokenFile(line, "not a valid setup.cfg") from error
    lines = _first_lines(text)
    declared: list[Declaration] = []
    problems: list[NotExamined] = []
    files: list[str] = []
    for group, scope, value in _lists(parser):
        for item in value.splitlines() if "\n" in value else value.split(";"):
            requirement = item.partition(" #")[0].strip()
            if requirement.startswith("file:"):
                names = requirement.removeprefix("file:").split(",")
                files += [in_folder_of(file.path, name.strip()) for name in names if name.strip()]
            elif requirement and not requirement.startswith("#"):
                line = lines.get(requirement)
                site = Site(
                    place=project.place(file.path, line),
                    source=file.path,
                    scope=either(scope, folder_scope(file.path)),
                    group=group,
                )
                try:
                    declared.append(declare(requirement, site, project))
                except ValueError as error:
                    problems.append(project.problem(file.path, line, str(error)))
    if not declared and not problems and not files:
        return None
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems),
        includes=tuple(files),
    )


def _lists(parser: configparser.RawConfigParser) -> Iterator[tuple[str, Scope, str]]:
    """Yield the group, the scope and the text of every list of requirements."""
    yield "default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")
    yield "tests", Scope.DEV, parser.get("options", "tests_require", fallback="")
    extras = "options.extras_require"
    if parser.has_section(extras):
        for name in parser.options(extras):
            yield name, named_scope(name), parser.get(extras, name)


def _first_lines(text: str) -> Mapping[str, int]:
    """Return the first line on which each requirement stands, alone or after its key."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition(" #")[0].strip()
        for part in (bare, bare.partition("=")[2].strip()):
            lines.setdefault(part, number)
    return lines


class _SetupCode(msgspec.Struct):
    """The dependencies that calls of `setup` pass, as far as the code tells without being run.

    `line` is that of the first call, `names` are those that are written out, with their scopes, and
    `partly` the scopes in which there may be more. `own` is the name of the project. `reason` says
    why nothing could be read.
    """

    line: int | None
    names: set[tuple[Scope, str]] = set()
    partly: set[Scope] = set()
    own: str = ""
    reason: str = ""


_LISTS: Final = {"install_requires": Scope.RUNTIME, "tests_require": Scope.DEV}
_EXTRAS: Final = "extras_require"
# The assigned value of a variable, and whether nothing else can change it.
_Variables = Mapping[str, tuple[ast.expr, bool]]


def unread_setup_code(project: ProjectFiles, manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """Yield a problem for each setup.py with dependencies that no manifest of its folder lists.

    Names that the code writes out are compared one by one. If code makes the list, any manifest
    that lists something for runtime is taken to be what it is made of; one for development only
    never is.
    """
    for path, file in project.files.items():
        if posixpath.basename(path) != "setup.py":
            continue
        try:
            code = _setup_code(read_utf8(file))
        except BrokenFile as error:
            code = _SetupCode(error.line, partly={Scope.RUNTIME}, reason=error.reason)
        reason = _missing(code, path, manifests)
        if reason:
            yield Manifest(path=path, problems=(project.problem(path, code.line, reason),))


def _missing(code: _SetupCode, path: str, manifests: Iterable[Manifest]) -> str:
    """Describe the dependencies that only the code has; "" if there are none."""
    here = folder_scope(path)
    listed: dict[Scope, set[str]] = {scope: set() for scope in Scope}
    own = {code.own}
    for manifest in manifests:
        own |= manifest.own
        if posixpath.dirname(manifest.path) == posixpath.dirname(path) or path in manifest.covers:
            for entries in (manifest.packages, manifest.declared, manifest.unpinned):
                for entry in entries:
                    listed[entry.scope].add(entry.name)
    listed[Scope.DEV] |= listed[Scope.RUNTIME]  # what is for runtime is there for development too
    partly = {either(scope, here) for scope in code.partly}
    if not listed[Scope.DEV] or any(not listed[scope] for scope in partly):
        return (code.reason or _IN_CODE) if code.names or partly else ""
    names = {name for scope, name in code.names if name not in listed[either(scope, here)]}
    alone = sorted(names - own)
    more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
    return f"{', '.join(alone[:_SHOWN])}{more}: {_NAMED_IN_CODE}" if alone else ""


def _setup_code(text: str) -> _SetupCode:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # such as Python 2
        passes = any(keyword in text for keyword in (*_LISTS, _EXTRAS))
        return _SetupCode(1, partly={Scope.RUNTIME} if passes else set())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and _passes_requirements(node)
    ]
    code = _SetupCode(min((call.lineno for call in calls), default=None))
    variables = _variables(tree, calls)
    lists: list[tuple[Scope, ast.expr]] = []
    for keyword in (keyword for call in calls for keyword in call.keywords):
        value = keyword.value
        if keyword.arg is None:
            code.partly.add(Scope.RUNTIME)
        elif keyword.arg == _EXTRAS:
            lists += _extras(value, variables)
        elif keyword.arg in _LISTS:
            lists.append((_LISTS[keyword.arg], value))
        elif keyword.arg == "name" and isinstance(value, ast.Constant):
            code.own = code.own or canonicalize_name(str(value.value))
    for scope, value in lists:
        for name in _names(value, variables):
            if name is None:
                code.partly.add(scope)
            else:
                code.names.add((scope, name))
    return code


def _passes_requirements(call: ast.Call) -> bool:
    is_setup = (
        call.func.attr == "setup"
        if isinstance(call.func, ast.Attribute)
        else isinstance(call.func, ast.Name) and call.func.id == "setup"
    )
    return is_setup and any(keyword.arg in (*_LISTS, _EXTRAS, None) for keyword in call.keywords)


def _variables(tree: ast.Module, calls: Iterable[ast.Call]) -> _Variables:
    """Look at all uses of each variable outside of the calls: any other than one may change it."""
    in_calls = {node for call in calls for node in ast.walk(call)}
    assigned: dict[str, ast.expr] = {}
    uses: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            uses[node.arg] += 1
        elif isinstance(node, ast.Name):
            uses[node.id] += not (isinstance(node.ctx, ast.Load) and node in in_calls)
        elif isinstance(node, ast.Assign):
            *others, target = node.targets
            if isinstance(target, ast.Name) and not others:
                assigned[target.id] = node.value
    return {name: (value, uses[name] == 1) for name, value in assigned.items()}


def _extras(value: ast.expr, variables: _Variables) -> Iterator[tuple[Scope, ast.expr]]:
    """Yield the list of each extra; the value itself stands for all that the code does not tell."""
    table = value
    if isinstance(value, ast.Name):
        table, sure = variables.get(value.id, (value, False))
        if not sure:
            yield Scope.RUNTIME, value
    if not isinstance(table, ast.Dict):
        yield Scope.RUNTIME, value
        return
    for key, listed in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield named_scope(key.value.partition(":")[0]), listed
        else:
            yield Scope.RUNTIME, table


def _names(value: ast.expr, variables: _Variables) -> Iterator[str | None]:
    """Yield the names in a list of the code, in a sum of lists, or in a variable with one.

    None stands for what the code does not write out.
    """
    waiting, seen = [value], set[str]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for line in node.value.splitlines():
                text = line.partition("#")[0].strip()
                requirement = parsed(text)
                if text:
                    yield canonicalize_name(requirement.name) if requirement else None
        elif isinstance(node, ast.Name):
            if node.id not in seen:
                seen.add(node.id)
                assigned, sure = variables.get(node.id, (None, False))
                waiting += [assigned] if assigned else []
                if not sure:
                    yield None
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Starred) or (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
        ):
            waiting += [
                child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)
            ]
        elif not (isinstance(node, ast.Constant) and node.value is None):
            yield None
