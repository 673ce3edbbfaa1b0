"""poetry.lock, in all its versions: scope by category (1.x), by groups (2.1), or by the graph."""

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
from scanagg.inventory._constraints import of_table
from scanagg.inventory._declare import origin_of
from scanagg.inventory._graph import Edge, Graph, Node, Walk
from scanagg.inventory._scope import either, folder_scope, group_scope, widest
from scanagg.model import Constraint, Scope, SourceFile

_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


class _Source(msgspec.Struct, frozen=True):
    """Where it is from, if not from the first index. `legacy` is another index."""

    type: str = ""
    url: str = ""


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    category: str | None = None
    optional: bool = False
    groups: tuple[str, ...] = ()
    dependencies: dict[str, object] = {}
    extras: dict[str, tuple[str, ...]] = {}
    source: _Source = _Source()


def matches(path: str, project: Project) -> bool:
    """Whether it has the one name that such files have."""
    return posixpath.basename(path) == "poetry.lock"


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package; what is direct comes from the pyproject.toml beside it."""
    document = load(file)
    entries = list(document.entries(_Package, "package"))
    covers = {in_folder_of(file.path, "pyproject.toml"): "poetry lock"}
    declared = project.beside(file.path)
    nodes = _nodes([entry for _, entry in entries])
    walk = Graph(nodes).walk((Edge(one.name, one.extras), one.scope) for one in declared)
    return replace(
        reading(document, _locked(document, entries, walk, project), covers),
        ways=walk.ways(),
        constraints=tuple(
            one for _, entry in entries for one in _constraints(entry, walk) if one.name in nodes
        ),
    )


def _locked(
    document: Document, entries: Sequence[tuple[int, _Package]], walk: Walk, project: Project
) -> Iterator[Locked]:
    declared = project.beside(document.path)
    known = frozenset(canonicalize_name(entry.name) for _, entry in entries)
    for position, entry in entries:
        origin, own = _origin(entry.source, document.path, project)
        scope = _scope(entry)
        if scope is None or (entry.optional and scope is Scope.RUNTIME):
            scope = walk.scope(canonicalize_name(entry.name))  # by the extras that ask for it
        yield Locked(
            name=entry.name,
            version=entry.version,
            place=document.place("package", position, "name"),
            scope=either(scope, folder_scope(document.path)),
            direct=False if declared else None,
            requires=normal_names(entry.dependencies, known),
            origin=origin,
            own=own,
        )


def _scope(entry: _Package) -> Scope | None:
    """The scope by what the entry itself says; None where it says nothing."""
    if entry.groups:
        return widest(group_scope(group) for group in entry.groups)
    if entry.category:
        return Scope.DEV if entry.category == "dev" else Scope.RUNTIME
    return None


def _nodes(entries: Sequence[_Package]) -> Mapping[str, tuple[Node, ...]]:
    nodes: dict[str, tuple[Node, ...]] = {}
    for entry in entries:
        name = canonicalize_name(entry.name)
        nodes[name] = (*nodes.get(name, ()), _node(entry))
    return nodes


def _node(entry: _Package) -> Node:
    """Optional dependencies are reached only through the extras that name them."""
    requires = [
        Edge(canonicalize_name(name), _wanted_extras(value))
        for name, value in entry.dependencies.items()
        if not _is_optional(value)
    ]
    extras: dict[str, tuple[Edge, ...]] = {
        canonicalize_name(extra): tuple(_edge(text) for text in wanted)
        for extra, wanted in entry.extras.items()
    }
    return Node(tuple(requires), extras)


def _edge(text: str) -> Edge:
    match = _NAME.match(text)
    if match is None:
        return Edge(text)
    wanted = (extra.strip() for extra in (match[2] or "").split(","))
    return Edge(canonicalize_name(match[1]), tuple(extra for extra in wanted if extra))


def _alternatives(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_optional(value: object) -> bool:
    return all(
        isinstance(one, dict) and one.get("optional") is True for one in _alternatives(value)
    )


def _constraints(entry: _Package, walk: Walk) -> Iterator[Constraint]:
    """What it asks of others; of what only an extra needs, if the project uses that extra."""
    by = canonicalize_name(entry.name)
    used = {
        _edge(text).name
        for extra, wanted in entry.extras.items()
        if (by, canonicalize_name(extra)) in walk.steps
        for text in wanted
    }
    for name, value in entry.dependencies.items():
        if not _is_optional(value) or canonicalize_name(name) in used:
            for one in _alternatives(value):
                found = of_table(name, one, by)
                if found:
                    yield found


def _wanted_extras(value: object) -> tuple[str, ...]:
    found: list[str] = []
    for one in _alternatives(value):
        extras = one.get("extras") if isinstance(one, dict) else None
        found += [extra for extra in extras or () if isinstance(extra, str)]
    return tuple(found)


def _origin(source: _Source, path: str, project: Project) -> tuple[str, bool]:
    if source.type in ("git", "hg"):
        return f"from {source.type}: {source.url}", False
    if source.type in ("directory", "file", "url"):
        return origin_of(source.url, path, project)
    return "", False
