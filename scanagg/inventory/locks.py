"""Lock files: one reader for all kinds, and for each kind what it spells in its own way."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import asdict, replace
from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import (
    origin_of_source,
    requirement_constraint,
    table_constraint,
)
from scanagg.inventory.document import Keys, ManifestDocument, load_json, load_toml
from scanagg.inventory.graph import Edge, Node, Walk, walk
from scanagg.inventory.manifest import (
    Manifest,
    ProjectFiles,
    exact_version,
    in_folder_of,
    parsed,
    requirement_name,
    shown,
)
from scanagg.inventory.pyproject import category_scope
from scanagg.inventory.scopes import (
    either,
    file_scope,
    folder_scope,
    group_scope,
    named_scope,
    widest,
)
from scanagg.model import Constraint, Package, Requirement, Scope, SourceFile, plain, pypi_purl


class Needs(msgspec.Struct, frozen=True):
    """The dependencies of a package: their names as written, and as the graph follows them.

    `asks` are constraints on other packages, each with the extras that it is for, none if it always
    holds.
    """

    names: Iterable[str] = ()
    node: Node = Node()
    asks: Sequence[tuple[Constraint, frozenset[str]]] = ()


class LockEntry(msgspec.Struct, frozen=True):
    """One entry of a lock file; each kind of lock has its own class of these."""

    name: str
    version: str | None = None

    def origin(self, path: str, project: ProjectFiles) -> tuple[str, bool]:
        """Describe a source that is no index, and tell if it is own code; `path` is the lock's."""
        return origin_of_source(asdict(self), path, project)

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        """Return the scope that the entry itself gives; None if the graph decides.

        `groups` are the scopes of those that the manifests beside the lock declare.
        """
        return None

    def needs(self) -> Needs:
        """Return the dependencies."""
        return Needs()


Entries = Sequence[tuple[Keys, LockEntry]]
"""The entries of a lock file, each with its path in the document."""


class LockBasis(msgspec.Struct, frozen=True):
    """The basis of a lock: the manifests that it covers, and the roots of its graph.

    `covers` maps paths from the lock to commands, as in `Manifest`.
    """

    covers: Mapping[str, str]
    roots: Sequence[tuple[Edge, Scope]]
    constraints: Iterable[Constraint] = ()


class LockKind(msgspec.Struct, frozen=True):
    """One kind of lock file: the pattern of its names, the manifests it covers, its entries."""

    file_name: str
    covers: Mapping[str, str]
    entry: type[LockEntry]
    array: str = "package"

    def load(self, file: SourceFile, project: ProjectFiles) -> ManifestDocument:
        """Parse the file. BrokenFile if that is not possible."""
        return load_toml(file, project)

    def entries(self, document: ManifestDocument) -> Iterator[tuple[Keys, LockEntry]]:
        """Yield each usable entry with its path."""
        for position, entry in document.entries(self.entry, self.array):
            yield (self.array, position), entry

    def basis(
        self, document: ManifestDocument, entries: Entries, project: ProjectFiles
    ) -> LockBasis:
        """Return what it was made from: what the manifests beside it declare."""
        declared = project.beside(document.path)
        return LockBasis(self.covers, [(Edge(one.name, one.extras), one.scope) for one in declared])

    def matches(self, path: str, project: ProjectFiles) -> bool:
        """Return whether a file with this path is of this kind."""
        return bool(re.fullmatch(self.file_name, posixpath.basename(path), re.DOTALL))

    def read(self, file: SourceFile, project: ProjectFiles) -> Manifest:
        """Read a lock. The graph gives what is direct, the ways, and scopes that entries do not."""
        document = self.load(file, project)
        entries = list(self.entries(document))
        basis = self.basis(document, entries, project)
        needs = [(canonicalize_name(entry.name), entry.needs()) for _, entry in entries]
        graph = walk(nodes_of(needs), basis.roots)
        direct_names = {edge.name for edge, _ in basis.roots}
        known = frozenset(name for name, _ in needs)
        groups: dict[str, Scope] = {}
        for declaration in project.beside(file.path):
            scopes = (declaration.scope, groups.get(declaration.group, Scope.DEV))
            groups[declaration.group] = widest(scopes)
        packages: list[Package] = []
        unpinned: list[Requirement] = []
        own_names: set[str] = set()
        for (keys, entry), (name, needed) in zip(entries, needs, strict=True):
            place = document.place(*keys, "name")
            scope = entry.scope(file.path, groups) or graph.scope(name)
            scope = either(scope, folder_scope(file.path))
            origin, own = entry.origin(file.path, project)
            try:
                requirement_name(entry.name)
                if own:
                    own_names.add(name)
                elif origin:
                    unpinned.append(Requirement(name, name, place, plain(shown(origin)), scope))
                else:
                    direct = name in direct_names if basis.roots else None
                    requires = known.intersection(map(canonicalize_name, needed.names))
                    pinned = package(entry.name, entry.version, scope, direct, requires)
                    packages.append(replace(pinned, places=(place,)))
            except ValueError as error:
                document.note(place, str(error))
        return Manifest(
            path=file.path,
            packages=tuple(packages),
            unpinned=tuple(unpinned),
            problems=tuple(document.problems),
            covers={in_folder_of(file.path, name): how for name, how in basis.covers.items()},
            own=frozenset(own_names),
            ways=graph.ways(),
            constraints=(*basis.constraints, *used_constraints(needs, graph)),
        )


def nodes_of(needs: Iterable[tuple[str, Needs]]) -> Mapping[str, Sequence[Node]]:
    """Return the nodes of the graph of these packages. Names are as in PEP 503."""
    nodes: dict[str, list[Node]] = {}
    for name, needed in needs:
        nodes.setdefault(name, []).append(needed.node)
    return nodes


def package(
    name: str, version: str | None, scope: Scope, direct: bool | None, requires: Iterable[str]
) -> Package:
    """Return a package without places, in normal form. ValueError if there can be none."""
    name = requirement_name(name)
    if version is None:
        raise ValueError(f"{name}: no version")
    version = exact_version(version)
    purl = pypi_purl(name, version)
    return Package(name, version, purl, scope, direct, requires=tuple(sorted(requires)))


def used_constraints(needs: Sequence[tuple[str, Needs]], graph: Walk) -> Iterator[Constraint]:
    """Yield what packages ask of each other; for an extra, only if the project uses that extra."""
    known = {name for name, _ in needs}
    for name, needed in needs:
        for constraint, extras in needed.asks:
            used = not extras or any((name, extra) in graph.steps for extra in extras)
            if used and constraint.name in known and constraint.name != name:
                yield constraint


class _PoetrySource(msgspec.Struct, frozen=True):
    """The source, if it is not the first index. `legacy` is another index."""

    type: str = ""
    url: str = ""


class _PoetryEntry(LockEntry, frozen=True):
    """Scope by category (1.x), by groups (2.1), or by the graph."""

    category: str | None = None
    optional: bool = False
    groups: tuple[str, ...] = ()
    dependencies: dict[str, object] = {}
    extras: dict[str, tuple[str, ...]] = {}
    source: _PoetrySource = _PoetrySource()

    def origin(self, path: str, project: ProjectFiles) -> tuple[str, bool]:
        return origin_of_source({self.source.type: self.source.url}, path, project)

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        scope: Scope | None = None
        if self.groups:
            scope = widest(map(group_scope, self.groups))
        elif self.category:
            scope = Scope.DEV if self.category == "dev" else Scope.RUNTIME
        by_extras = self.optional and scope is Scope.RUNTIME
        return None if by_extras else scope

    def needs(self) -> Needs:
        """Return the dependencies; optional ones are reached only by the extras that name them."""
        extras: dict[str, tuple[Edge, ...]] = {
            canonicalize_name(extra): tuple(map(_poetry_edge, texts))
            for extra, texts in self.extras.items()
        }
        in_extras: dict[str, set[str]] = {}
        for extra, edges in extras.items():
            for edge in edges:
                in_extras.setdefault(edge.name, set()).add(extra)
        requires: list[Edge] = []
        asks: list[tuple[Constraint, frozenset[str]]] = []
        for name, value in self.dependencies.items():
            normal_name = canonicalize_name(name)
            alternatives = value if isinstance(value, list) else [value]
            tables = [table for table in alternatives if isinstance(table, dict)]
            optional = [table for table in tables if table.get("optional") is True]
            for_extras: frozenset[str] = frozenset()
            if len(optional) < len(alternatives):
                lists = [table.get("extras") for table in tables]
                extra_names = [
                    extra for names in lists if isinstance(names, list) for extra in names
                ]
                edge = Edge(normal_name, tuple(one for one in extra_names if isinstance(one, str)))
                requires.append(edge)
            elif normal_name in in_extras:
                for_extras = frozenset(in_extras[normal_name])
            else:
                continue
            for alternative in alternatives:
                constraint = table_constraint(name, alternative, canonicalize_name(self.name))
                asks += [(constraint, for_extras)] if constraint else []
        return Needs(self.dependencies, Node(tuple(requires), extras), asks)


_NAME_AND_EXTRAS: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


def _poetry_edge(text: str) -> Edge:
    match = _NAME_AND_EXTRAS.match(text)
    if match is None:
        return Edge(text)
    extras = (extra.strip() for extra in (match[2] or "").split(","))
    return Edge(canonicalize_name(match[1]), tuple(filter(None, extras)))


class _PdmEntry(LockEntry, frozen=True):
    """A package, or its extras: such an entry also names the package itself, which is left out."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    git: str | None = None
    hg: str | None = None
    url: str | None = None
    path: str | None = None

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        scopes = [groups.get(group, named_scope(group)) for group in self.groups]
        return widest(scopes) if scopes else None

    def needs(self) -> Needs:
        name = canonicalize_name(self.name)
        edges: list[Edge] = []
        asks: list[tuple[Constraint, frozenset[str]]] = []
        for text in self.dependencies:
            needed = parsed(text)
            if needed and canonicalize_name(needed.name) != name:
                edges.append(Edge(canonicalize_name(needed.name), tuple(sorted(needed.extras))))
                constraint = requirement_constraint(needed, text, name)
                asks += [(constraint, frozenset())] if constraint else []
        node = Node(tuple(edges))
        if self.extras:
            node = Node(extras=dict.fromkeys(map(canonicalize_name, self.extras), tuple(edges)))
        return Needs([edge.name for edge in edges], node, asks)


class _PipenvEntry(LockEntry, frozen=True):
    """A package; its name is its key. `version` has its operator in front ("==1.0")."""

    name: str = ""
    category: str = ""
    git: str | None = None
    hg: str | None = None
    svn: str | None = None
    bzr: str | None = None
    path: str | None = None
    file: str | None = None

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        return category_scope(self.category)


class _PipenvKind(LockKind, frozen=True):
    """Pipfile.lock: a table for each category, and no graph."""

    def load(self, file: SourceFile, project: ProjectFiles) -> ManifestDocument:
        return load_json(file, project)

    def entries(self, document: ManifestDocument) -> Iterator[tuple[Keys, LockEntry]]:
        for category in document.names():
            for name in document.names(category) if category != "_meta" else ():
                entry = document.section(_PipenvEntry, category, name)
                if entry is not None:
                    version = (entry.version or "*").removeprefix("==").strip("= ")
                    exact = None if version == "*" else version
                    entry = replace(entry, name=name, version=exact, category=category)
                    yield (category, name), entry


class _UvNeeded(msgspec.Struct, frozen=True):
    """A dependency: packages have `extra`, the requirements of a manifest have `extras`."""

    name: str
    extra: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def edge(self) -> Edge:
        return Edge(canonicalize_name(self.name), (*self.extra, *self.extras))


_UvGroups = dict[str, tuple[_UvNeeded, ...]]


class _UvSource(msgspec.Struct, frozen=True):
    """One of these is set. `virtual`, `editable` and `directory` are folders."""

    git: str | None = None
    url: str | None = None
    path: str | None = None
    directory: str | None = None
    editable: str | None = None
    virtual: str | None = None


class _UvEntry(LockEntry, frozen=True, rename="kebab"):
    source: _UvSource = _UvSource()
    dependencies: tuple[_UvNeeded, ...] = ()
    optional_dependencies: _UvGroups = {}
    dev_dependencies: _UvGroups = {}

    @property
    def is_local(self) -> bool:
        """Return whether it is a project of this repository."""
        source = self.source
        return (source.virtual, source.editable, source.directory) != (None, None, None)

    @property
    def folder(self) -> str:
        """Return the folder of a local project, relative to the lock's."""
        source = self.source
        return source.virtual or source.editable or source.directory or "."

    def origin(self, path: str, project: ProjectFiles) -> tuple[str, bool]:
        return origin_of_source(asdict(self.source), path, project)

    def needs(self) -> Needs:
        extras: dict[str, tuple[Edge, ...]] = {
            canonicalize_name(extra): tuple(needed.edge for needed in group)
            for extra, group in self.optional_dependencies.items()
        }
        node = Node(tuple(needed.edge for needed in self.dependencies), extras)
        return Needs([needed.name for needed in self.dependencies], node)


class _UvManifest(msgspec.Struct, frozen=True, rename="kebab"):
    """The requirements of no package: the groups of a workspace, or a script's own."""

    members: tuple[str, ...] = ()
    requirements: tuple[_UvNeeded, ...] = ()
    dependency_groups: _UvGroups = {}


class _UvKind(LockKind, frozen=True):
    """uv.lock, of a project or a workspace, and the lock beside a script (`script.py.lock`)."""

    def basis(
        self, document: ManifestDocument, entries: Entries, project: ProjectFiles
    ) -> LockBasis:
        """Return the members of a workspace as roots, else the project, else all local projects."""
        manifest = document.section(_UvManifest, "manifest") or _UvManifest()
        local = [entry for _, entry in entries if isinstance(entry, _UvEntry) and entry.is_local]
        members = set(manifest.members)
        roots = (
            [entry for entry in local if entry.name in members]
            or [entry for entry in local if entry.folder == "."]
            or local
        )
        edges = [(needed.edge, Scope.RUNTIME) for needed in manifest.requirements]
        edges += _group_edges(manifest.dependency_groups, Scope.RUNTIME)
        for root in roots:
            base = folder_scope(posixpath.join(root.folder, "pyproject.toml"))
            edges += [(needed.edge, base) for needed in root.dependencies]
            for extra, group in root.optional_dependencies.items():
                edges += [(needed.edge, either(base, named_scope(extra))) for needed in group]
            edges += _group_edges(root.dev_dependencies, base)
        covers: dict[str, str] = {}
        if document.path.endswith("uv.lock"):
            covers["pyproject.toml"] = "uv lock"
            root_folders = {root.folder for root in roots}
            for entry in local:  # of those that are no roots, only a part is locked
                command = "uv lock" if entry.folder in root_folders else ""
                covers[posixpath.join(entry.folder, "pyproject.toml")] = command
        return LockBasis(covers, edges, _uv_constraints(document, entries, project))


def _group_edges(groups: _UvGroups, base: Scope) -> list[tuple[Edge, Scope]]:
    return [
        (needed.edge, either(base, group_scope(name)))
        for name, group in groups.items()
        for needed in group
    ]


# A requirement that has one of these is not chosen by its version.
_UV_ORIGINS: Final = frozenset(("git", "url", "path", "directory", "editable", "virtual"))


def _uv_constraints(
    document: ManifestDocument, entries: Entries, project: ProjectFiles
) -> Iterator[Constraint]:
    """Yield what was declared at locking time by local projects whose manifest is not here."""

    def is_here(folder: str) -> bool:
        manifest = in_folder_of(document.path, posixpath.join(folder, "pyproject.toml"))
        return document.path.endswith("uv.lock") and posixpath.dirname(manifest) in project.declared

    lists: list[Keys] = [("manifest", "requirements")]
    if not is_here("."):
        lists += [("manifest", "constraints"), ("manifest", "overrides")]
    for keys, entry in entries:
        if isinstance(entry, _UvEntry) and entry.is_local and not is_here(entry.folder):
            lists.append((*keys, "metadata", "requires-dist"))
            groups = document.value(*keys, "metadata", "requires-dev")
            for name in groups if isinstance(groups, dict) else ():
                lists.append((*keys, "metadata", "requires-dev", name))
    for keys in lists:
        listed = document.value(*keys)
        for position, table in enumerate(listed if isinstance(listed, list) else ()):
            # What is wrong here costs no package, so it is no problem.
            name = table.get("name") if isinstance(table, dict) else None
            if isinstance(name, str) and _UV_ORIGINS.isdisjoint(table):
                allowed = {"version": table.get("specifier", "*"), "markers": table.get("marker")}
                place = document.place(*keys, position)
                constraint = table_constraint(name, allowed, place=place)
                if constraint:
                    yield constraint


class _PylockSource(msgspec.Struct, frozen=True):
    type: str = "vcs"
    url: str | None = None
    path: str | None = None


class _PylockNeeded(msgspec.Struct, frozen=True):
    name: str = ""


class _PylockEntry(LockEntry, frozen=True):
    """PEP 751. One of `vcs`, `directory` and `archive` is set if it is from no index.

    `packaging.pylock` would refuse the whole file for one entry that is not as it should be; here
    that entry is a problem, and the others are read.
    """

    marker: str = ""
    dependencies: tuple[_PylockNeeded, ...] = ()
    vcs: _PylockSource | None = None
    directory: _PylockSource | None = None
    archive: _PylockSource | None = None

    def origin(self, path: str, project: ProjectFiles) -> tuple[str, bool]:
        if self.vcs:
            return f"from {self.vcs.type}: {self.vcs.url or self.vcs.path}", False
        address = self.directory or self.archive
        return origin_of_source(asdict(address), path, project) if address else ("", False)

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        return either(file_scope(path), marker_scope(self.marker))

    def needs(self) -> Needs:
        names = [needed.name for needed in self.dependencies]
        return Needs(names, Node(tuple(Edge(canonicalize_name(name)) for name in names)))


_OPERAND: Final = r"""(?:"[^"]*"|'[^']*'|(?<![\w.])[\w.]++)"""
_COMPARISON: Final = re.compile(
    rf"({_OPERAND})\s*+([<>=!~]++|not\s++in\b|in\b)\s*+({_OPERAND})", re.ASCII
)


def marker_scope(marker: str) -> Scope:
    """Return DEV if the marker holds only if a development group or extra is direct_names for.

    Everything that a platform decides may hold somewhere, so it counts as true, and so does a
    request for any other group or extra. A marker that cannot be read may hold too.
    """

    def constant(comparison: re.Match[str]) -> str:
        """Return a comparison that has the same result everywhere."""
        left, operator, variable = comparison.groups()
        scope = Scope.RUNTIME
        if operator == "in" and variable == "dependency_groups":
            scope = group_scope(left.strip("\"'"))
        elif operator == "in" and variable == "extras":
            scope = named_scope(left.strip("\"'"))
        return "os_name == ''" if scope is Scope.DEV else "os_name != ''"

    if not marker:
        return Scope.RUNTIME
    try:
        holds = Marker(_COMPARISON.sub(constant, marker)).evaluate()
    except (InvalidMarker, RecursionError):
        holds = True
    return Scope.RUNTIME if holds else Scope.DEV


KINDS: Final = (
    _UvKind(r"uv\.lock|.*\.py\.lock", {}, _UvEntry),
    LockKind(r"poetry\.lock", {"pyproject.toml": "poetry lock"}, _PoetryEntry),
    LockKind(r"pdm\.lock", {"pyproject.toml": "pdm lock", "setup.cfg": "pdm lock"}, _PdmEntry),
    _PipenvKind(
        r"Pipfile\.lock",
        {"Pipfile": "pipenv lock", "pyproject.toml": "", "setup.cfg": ""},
        _PipenvEntry,
    ),
    LockKind(
        r"pylock(?:\.[^.]+)?\.toml",
        {"pyproject.toml": "", "setup.cfg": "", "Pipfile": ""},
        _PylockEntry,
        array="packages",
    ),
)
"""All kinds of lock files."""
