"""uv.lock, of a project or a workspace, and the lock beside a script (`script.py.lock`)."""

import posixpath
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
from scanagg.inventory._scope import either, folder_scope, group_scope, named_scope
from scanagg.model import Constraint, Scope, SourceFile

# A requirement that has one of these is not chosen by its version.
_ORIGINS: Final = frozenset(("git", "url", "path", "directory", "editable", "virtual"))


class _Needed(msgspec.Struct, frozen=True):
    """Packages have `extra`, what the manifest lists has `extras`."""

    name: str
    extra: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


_Groups = dict[str, tuple[_Needed, ...]]


class _Source(msgspec.Struct, frozen=True):
    """One of these is set. `virtual`, `editable` and `directory` are folders."""

    git: str | None = None
    url: str | None = None
    path: str | None = None
    directory: str | None = None
    editable: str | None = None
    virtual: str | None = None

    @property
    def folder(self) -> str | None:
        """The folder of a local project, relative to the lock's."""
        for folder in (self.virtual, self.editable, self.directory):
            if folder is not None:
                return folder
        return None


class _Package(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    version: str | None = None
    source: _Source = _Source()
    dependencies: tuple[_Needed, ...] = ()
    optional_dependencies: _Groups = {}
    dev_dependencies: _Groups = {}


class _Manifest(msgspec.Struct, frozen=True, rename="kebab"):
    """What is locked for no package: a workspace's own groups, a script's requirements."""

    members: tuple[str, ...] = ()
    requirements: tuple[_Needed, ...] = ()
    dependency_groups: _Groups = {}


def matches(path: str, project: Project) -> bool:
    """Whether it has one of the names that uv gives."""
    name = posixpath.basename(path)
    return name == "uv.lock" or name.endswith(".py.lock")


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package; roots are the workspace's members, or the project itself."""
    document = load(file)
    entries = list(document.entries(_Package, "package"))
    manifest = document.section(_Manifest, "manifest") or _Manifest()
    locals_ = [entry for _, entry in entries if entry.source.folder is not None]
    roots = _roots(locals_, manifest)
    edges = list(_root_edges(roots, manifest))
    graph = Graph(_nodes([entry for _, entry in entries]))
    walk = graph.walk(edges)
    asked = frozenset(edge.name for edge, _ in edges) if edges else None
    return replace(
        reading(
            document,
            _locked(document, entries, walk, asked, project),
            _covers(file.path, locals_, roots),
        ),
        ways=walk.ways(),
        constraints=tuple(_constraints(document, entries, project)),
    )


def _roots(locals_: Sequence[_Package], manifest: _Manifest) -> Sequence[_Package]:
    """Members where there are several, else the lock's own folder; failing both, all local ones."""
    members = [entry for entry in locals_ if entry.name in manifest.members]
    return members or [entry for entry in locals_ if entry.source.folder == "."] or locals_


def _root_edges(roots: Sequence[_Package], manifest: _Manifest) -> Iterator[tuple[Edge, Scope]]:
    for needed in manifest.requirements:
        yield _edge(needed), Scope.RUNTIME
    yield from _group_edges(manifest.dependency_groups, Scope.RUNTIME)
    for root in roots:
        base = folder_scope(posixpath.join(root.source.folder or ".", "pyproject.toml"))
        for needed in root.dependencies:
            yield _edge(needed), base
        for extra, wanted in root.optional_dependencies.items():
            for needed in wanted:
                yield _edge(needed), either(base, named_scope(extra))
        yield from _group_edges(root.dev_dependencies, base)


def _group_edges(groups: _Groups, base: Scope) -> Iterator[tuple[Edge, Scope]]:
    for group, wanted in groups.items():
        for needed in wanted:
            yield _edge(needed), either(base, group_scope(group))


def _edge(needed: _Needed) -> Edge:
    return Edge(canonicalize_name(needed.name), (*needed.extra, *needed.extras))


def _locked(
    document: Document,
    entries: Sequence[tuple[int, _Package]],
    walk: Walk,
    asked: frozenset[str] | None,
    project: Project,
) -> Iterator[Locked]:
    known = frozenset(canonicalize_name(entry.name) for _, entry in entries)
    for position, entry in entries:
        name = canonicalize_name(entry.name)
        origin, own = _origin(entry.source, document.path, project)
        yield Locked(
            name=entry.name,
            version=entry.version,
            place=document.place("package", position, "name"),
            scope=either(walk.scope(name), folder_scope(document.path)),
            direct=None if asked is None else name in asked,
            requires=normal_names((needed.name for needed in entry.dependencies), known),
            origin=origin,
            own=own,
        )


def _constraints(
    document: Document, entries: Sequence[tuple[int, _Package]], project: Project
) -> Iterator[Constraint]:
    """What was declared when it was locked, of local projects whose manifest has not been read."""
    yield from _allowed(document, "manifest", "requirements")
    if not _is_declared(".", document, project):
        yield from _allowed(document, "manifest", "constraints")
        yield from _allowed(document, "manifest", "overrides")
    for position, entry in entries:
        folder = entry.source.folder
        if folder is not None and not _is_declared(folder, document, project):
            metadata = ("package", position, "metadata")
            yield from _allowed(document, *metadata, "requires-dist")
            groups = document.value(*metadata, "requires-dev")
            for group in groups if isinstance(groups, dict) else ():
                yield from _allowed(document, *metadata, "requires-dev", group)


def _is_declared(folder: str, document: Document, project: Project) -> bool:
    """Whether the manifest in this folder, relative to the lock, has been read."""
    manifest = in_folder_of(document.path, f"{folder}/pyproject.toml")
    return document.path.endswith("uv.lock") and posixpath.dirname(manifest) in project.declared


def _allowed(document: Document, *keys: str | int) -> Iterator[Constraint]:
    """What is no list of requirements here costs no package, so nobody needs to hear of it."""
    listed = document.value(*keys)
    for position, wanted in enumerate(listed if isinstance(listed, list) else ()):
        name = wanted.get("name") if isinstance(wanted, dict) else None
        if isinstance(name, str) and _ORIGINS.isdisjoint(wanted):
            said = {"version": wanted.get("specifier", "*"), "markers": wanted.get("marker")}
            found = of_table(name, said, place=document.place(*keys, position))
            if found:
                yield found


def _nodes(entries: Sequence[_Package]) -> Mapping[str, tuple[Node, ...]]:
    nodes: dict[str, tuple[Node, ...]] = {}
    for entry in entries:
        extras: dict[str, tuple[Edge, ...]] = {
            canonicalize_name(extra): tuple(map(_edge, wanted))
            for extra, wanted in entry.optional_dependencies.items()
        }
        node = Node(tuple(map(_edge, entry.dependencies)), extras)
        name = canonicalize_name(entry.name)
        nodes[name] = (*nodes.get(name, ()), node)
    return nodes


def _covers(path: str, locals_: Sequence[_Package], roots: Sequence[_Package]) -> Mapping[str, str]:
    """The manifests of all local projects; of those that are no roots only a part is locked."""
    if not path.endswith("uv.lock"):
        return {}
    covers = {
        in_folder_of(path, f"{entry.source.folder}/pyproject.toml"): (
            "uv lock" if entry in roots else ""
        )
        for entry in locals_
    }
    return {in_folder_of(path, "pyproject.toml"): "uv lock", **covers}


def _origin(source: _Source, path: str, project: Project) -> tuple[str, bool]:
    if source.git:
        return f"from git: {source.git}", False
    address = source.url or source.path or source.folder
    return origin_of(address, path, project) if address else ("", False)
