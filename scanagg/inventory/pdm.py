"""pdm.lock: every package of every group that was locked."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from packaging.utils import canonicalize_name

from scanagg.inventory._common import (
    Document,
    Locked,
    Project,
    Reading,
    in_folder_of,
    normal_names,
    parsed,
    reading,
)
from scanagg.inventory._common import load_toml as load
from scanagg.inventory._declare import origin_of
from scanagg.inventory._scope import (
    Edge,
    Graph,
    Node,
    either,
    folder_scope,
    named_scope,
    widest,
)
from scanagg.model import Scope, SourceFile


class _Package(msgspec.Struct, frozen=True):
    """One entry; a package with extras has one more entry for them."""

    name: str
    version: str | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    git: str | None = None
    hg: str | None = None
    url: str | None = None
    path: str | None = None


def matches(path: str, project: Project) -> bool:
    """Whether it has the one name that such files have."""
    return posixpath.basename(path) == "pdm.lock"


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package, its scope by its groups, or by the pyproject.toml where it has none."""
    document = load(file)
    entries = list(document.entries(_Package, "package"))
    covers = {
        in_folder_of(file.path, "pyproject.toml"): "pdm lock",
        in_folder_of(file.path, "setup.cfg"): "pdm lock",
    }
    return reading(document, _locked(document, entries, project), covers)


def _locked(
    document: Document, entries: Sequence[tuple[int, _Package]], project: Project
) -> Iterator[Locked]:
    declared = project.beside(document.path)
    groups = {
        one.group: widest(other.scope for other in declared if other.group == one.group)
        for one in declared
    }
    graph = Graph(_nodes([entry for _, entry in entries]))
    reached = graph.scopes((Edge(one.name, one.extras), one.scope) for one in declared)
    for position, entry in entries:
        name = canonicalize_name(entry.name)
        origin, own = _origin(entry, document.path, project)
        scope = _scope(entry.groups, groups) if entry.groups else reached[name]
        yield Locked(
            name=entry.name,
            version=entry.version,
            place=document.place("package", position, "name"),
            scope=either(scope, folder_scope(document.path)),
            direct=False if declared else None,
            requires=normal_names((edge.name for edge in _edges(entry)), frozenset(graph.nodes)),
            origin=origin,
            own=own,
        )


def _scope(groups: Sequence[str], known: Mapping[str, Scope]) -> Scope:
    return widest(known.get(group, named_scope(group)) for group in groups)


def _nodes(entries: Sequence[_Package]) -> Mapping[str, tuple[Node, ...]]:
    nodes: dict[str, tuple[Node, ...]] = {}
    for entry in entries:
        edges = tuple(_edges(entry))
        extras = [canonicalize_name(extra) for extra in entry.extras]
        node = Node(extras=dict.fromkeys(extras, edges)) if extras else Node(edges)
        name = canonicalize_name(entry.name)
        nodes[name] = (*nodes.get(name, ()), node)
    return nodes


def _edges(entry: _Package) -> Iterator[Edge]:
    """What it needs; an entry for extras also names the package itself, which is left out."""
    for text in entry.dependencies:
        needed = parsed(text)  # None: an address or a path, on which nothing of an index hangs
        if needed and canonicalize_name(needed.name) != canonicalize_name(entry.name):
            yield Edge(canonicalize_name(needed.name), tuple(sorted(needed.extras)))


def _origin(entry: _Package, path: str, project: Project) -> tuple[str, bool]:
    if entry.git or entry.hg:
        return f"from {'git' if entry.git else 'hg'}: {entry.git or entry.hg}", False
    address = entry.url or entry.path
    return origin_of(address, path, project) if address else ("", False)
