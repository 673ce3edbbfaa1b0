"""pylock.toml and pylock.NAME.toml (PEP 751): scope by what markers ask for."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory._common import (
    Document,
    Locked,
    Project,
    Reading,
    in_folder_of,
    normal_names,
    reading,
)
from scanagg.inventory._common import load_toml as load
from scanagg.inventory._declare import origin_of
from scanagg.inventory._graph import Edge, Graph, Node
from scanagg.inventory._scope import either, file_scope, group_scope, named_scope
from scanagg.model import Scope, SourceFile

_NAME: Final = re.compile(r"pylock(?:\.[^.]+)?\.toml")
_TOKEN: Final = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|(?P<bracket>[()])|(?P<word>[A-Za-z_.]+)|[<>=!~]+"""
)


class _Vcs(msgspec.Struct, frozen=True):
    type: str = "vcs"
    url: str | None = None
    path: str | None = None


class _Address(msgspec.Struct, frozen=True):
    url: str | None = None
    path: str | None = None


class _Needed(msgspec.Struct, frozen=True):
    name: str = ""


class _Package(msgspec.Struct, frozen=True):
    """One entry. One of `vcs`, `directory` and `archive` is set where it is from no index."""

    name: str
    version: str | None = None
    marker: str = ""
    dependencies: tuple[_Needed, ...] = ()
    vcs: _Vcs | None = None
    directory: _Address | None = None
    archive: _Address | None = None


def matches(path: str, project: Project) -> bool:
    """Whether it has one of the names that PEP 751 reserves."""
    return bool(_NAME.fullmatch(posixpath.basename(path)))


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package; what is direct comes from the pyproject.toml beside it."""
    document = load(file)
    covers = {
        in_folder_of(file.path, name): "" for name in ("pyproject.toml", "setup.cfg", "Pipfile")
    }
    entries = list(document.entries(_Package, "packages"))
    nodes: dict[str, tuple[Node, ...]] = {}
    for _, entry in entries:
        edges = tuple(Edge(canonicalize_name(needed.name)) for needed in entry.dependencies)
        name = canonicalize_name(entry.name)
        nodes[name] = (*nodes.get(name, ()), Node(edges))
    walk = Graph(nodes).walk((Edge(one.name), one.scope) for one in project.beside(file.path))
    return replace(reading(document, _locked(document, entries, project), covers), ways=walk.ways())


def _locked(
    document: Document, entries: Sequence[tuple[int, _Package]], project: Project
) -> Iterator[Locked]:
    known = frozenset(canonicalize_name(entry.name) for _, entry in entries)
    direct = False if project.beside(document.path) else None
    for position, entry in entries:
        origin, own = _origin(entry, document.path, project)
        yield Locked(
            name=entry.name,
            version=entry.version,
            place=document.place("packages", position, "name"),
            scope=either(file_scope(document.path), marker_scope(entry.marker)),
            direct=direct,
            requires=normal_names((needed.name for needed in entry.dependencies), known),
            origin=origin,
            own=own,
        )


def _origin(entry: _Package, path: str, project: Project) -> tuple[str, bool]:
    if entry.vcs:
        return f"from {entry.vcs.type}: {entry.vcs.url or entry.vcs.path}", False
    local = entry.directory or entry.archive
    if local is None:
        return "", False
    return origin_of(local.url or local.path or "", path, project)


def marker_scope(marker: str) -> Scope:
    """DEV where the marker holds only if a development group or extra is asked for.

    Everything that a platform decides may hold somewhere, so it counts as true, and so does what
    asks for any other group or extra. Markers know no negation but `not in`, which is true of a
    development group where none is asked for.
    """
    values: list[bool] = []
    waiting: list[str] = []
    atom: list[str] = []
    for match in _TOKEN.finditer(marker):
        token = match.group()
        if token in ("and", "or", "(", ")"):
            if atom:
                values.append(_may_hold(atom))
                atom = []
            _operator(token, values, waiting)
        else:
            atom.append(token)
    if atom:
        values.append(_may_hold(atom))
    while waiting:
        _apply(waiting.pop(), values)
    return Scope.RUNTIME if all(values) else Scope.DEV


_BINDING: Final[Mapping[str, int]] = {"or": 1, "and": 2}


def _operator(token: str, values: list[bool], waiting: list[str]) -> None:
    """One step of Dijkstra's shunting-yard, which needs no recursion whatever the nesting."""
    if token == "(":
        waiting.append(token)
    elif token == ")":
        while waiting and waiting[-1] != "(":
            _apply(waiting.pop(), values)
        del waiting[-1:]
    else:
        while waiting and _BINDING.get(waiting[-1], 0) >= _BINDING[token]:
            _apply(waiting.pop(), values)
        waiting.append(token)


def _apply(operator: str, values: list[bool]) -> None:
    if operator in _BINDING and len(values) > 1:
        right, left = values.pop(), values.pop()
        values.append((left and right) if operator == "and" else (left or right))


def _may_hold(atom: list[str]) -> bool:
    """Whether one comparison can be true without any development group or extra."""
    if "not" in atom or "in" not in atom or atom[-1] not in ("dependency_groups", "extras"):
        return True
    name = atom[0].strip("\"'")
    scope = group_scope(name) if atom[-1] == "dependency_groups" else named_scope(name)
    return scope is Scope.RUNTIME
