"""pdm.lock: every package of every group that was locked."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence

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
    parsed,
    reading,
)
from scanagg.inventory._common import load_toml as load
from scanagg.inventory._constraints import of_requirement
from scanagg.inventory._declare import origin_of
from scanagg.inventory._graph import Edge, Graph, Node, Walk
from scanagg.inventory._scope import either, folder_scope, named_scope, widest
from scanagg.model import Constraint, Scope, SourceFile


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


class _Entry(msgspec.Struct, frozen=True):
    """One entry, where it stands in the lock, and what it asks of other packages.

    An entry for extras also names the package itself, which is left out, and so is what has no
    name. What is at an address has no constraint.
    """

    position: int
    package: _Package
    name: str
    asks: tuple[tuple[Edge, Constraint | None], ...]


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package, its scope by its groups, or by the pyproject.toml where it has none."""
    document = load(file)
    entries = [
        _entry(position, package) for position, package in document.entries(_Package, "package")
    ]
    declared = project.beside(file.path)
    walk = Graph(_nodes(entries)).walk((Edge(one.name, one.extras), one.scope) for one in declared)
    known = frozenset(entry.name for entry in entries)
    covers = {
        in_folder_of(file.path, "pyproject.toml"): "pdm lock",
        in_folder_of(file.path, "setup.cfg"): "pdm lock",
    }
    return replace(
        reading(document, _locked(document, entries, walk, project), covers),
        ways=walk.ways(),
        constraints=tuple(
            said for entry in entries for _, said in entry.asks if said and said.name in known
        ),
    )


def _entry(position: int, package: _Package) -> _Entry:
    name = canonicalize_name(package.name)
    asks: list[tuple[Edge, Constraint | None]] = []
    for text in package.dependencies:
        needed = parsed(text)
        if needed and canonicalize_name(needed.name) != name:
            edge = Edge(canonicalize_name(needed.name), tuple(sorted(needed.extras)))
            asks.append((edge, of_requirement(needed, text, name)))
    return _Entry(position, package, name, tuple(asks))


def _locked(
    document: Document, entries: Sequence[_Entry], walk: Walk, project: Project
) -> Iterator[Locked]:
    declared = project.beside(document.path)
    groups = {
        one.group: widest(other.scope for other in declared if other.group == one.group)
        for one in declared
    }
    known = frozenset(entry.name for entry in entries)
    for entry in entries:
        package = entry.package
        origin, own = _origin(package, document.path, project)
        scope = _scope(package.groups, groups) if package.groups else walk.scope(entry.name)
        yield Locked(
            name=package.name,
            version=package.version,
            place=document.place("package", entry.position, "name"),
            scope=either(scope, folder_scope(document.path)),
            direct=False if declared else None,
            requires=normal_names((edge.name for edge, _ in entry.asks), known),
            origin=origin,
            own=own,
        )


def _scope(groups: Sequence[str], known: Mapping[str, Scope]) -> Scope:
    return widest(known.get(group, named_scope(group)) for group in groups)


def _nodes(entries: Sequence[_Entry]) -> Mapping[str, tuple[Node, ...]]:
    nodes: dict[str, tuple[Node, ...]] = {}
    for entry in entries:
        edges = tuple(edge for edge, _ in entry.asks)
        extras = [canonicalize_name(extra) for extra in entry.package.extras]
        node = Node(extras=dict.fromkeys(extras, edges)) if extras else Node(edges)
        nodes[entry.name] = (*nodes.get(entry.name, ()), node)
    return nodes


def _origin(entry: _Package, path: str, project: Project) -> tuple[str, bool]:
    if entry.git or entry.hg:
        return f"from {'git' if entry.git else 'hg'}: {entry.git or entry.hg}", False
    address = entry.url or entry.path
    return origin_of(address, path, project) if address else ("", False)
