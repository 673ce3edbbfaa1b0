"""Lock files: one reader for all kinds, and for each kind the parts that differ."""

import contextlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import (
    address_of_source,
    origin_of_source,
    requirement_constraint,
    table_constraint,
    version_in_address,
)
from scanagg.inventory.document import Keys, ManifestDocument, as_list, load_json, load_toml
from scanagg.inventory.graph import (
    Needs,
    Node,
    Nodes,
    nodes_of,
    pinned_package,
    used_constraints,
    versions_of,
    walk,
)
from scanagg.inventory.indexes import (
    PIPFILE_LOCK,
    index_of_archive,
    indexes,
    indexes_in,
    indexes_of_entry,
)
from scanagg.inventory.manifest import (
    OWN_CODE,
    Declaration,
    Edge,
    Key,
    Manifest,
    ManifestError,
    ProjectFiles,
    edge_of,
    exact_version,
    grouped,
    in_folder_of,
    is_archive,
    parsed,
    requirement_name,
)
from scanagg.inventory.pythons import COMPARISON
from scanagg.inventory.scopes import (
    category_scope,
    either,
    file_scope,
    folder_scope,
    group_scope,
    named_scope,
    widest,
)
from scanagg.inventory.specifiers import as_pep_440
from scanagg.model import (
    Constraint,
    Location,
    Package,
    PackageIndex,
    Requirement,
    Scope,
    SourceFile,
)


class LockEntry(msgspec.Struct, frozen=True):
    """One entry of a lock file; each kind of lock has its own class of these."""

    name: str
    version: str | None = None

    @property
    def key(self) -> Key:
        """Return the name as in PEP 503, and the version as packages have it, "" without one."""
        version = self.version or ""
        with contextlib.suppress(ManifestError):
            version = version and exact_version(version)
        return canonicalize_name(self.name), version

    def source_in(self, table: Mapping[str, object]) -> Mapping[str, object]:
        """Return the part of the entry's table that names a source other than an index."""
        return table

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        """Return the scope that the entry itself gives; None if the graph decides.

        `groups` are the scopes of the groups that the manifests beside the lock declare.
        """
        return None

    def needs(self) -> Needs:
        """Return the dependencies."""
        return Needs()

    @property
    def in_groups(self) -> tuple[str, ...]:
        """Return the extras and groups that need it, "" for everyone; none if unknown."""
        return ()

    @property
    def condition(self) -> str:
        """Return the marker on which it is installed; empty for always."""
        return ""


Entries = Sequence[tuple[Keys, LockEntry]]
"""The entries of a lock file, each with its path in the document."""


class LockBasis(msgspec.Struct, frozen=True):
    """The basis of a lock: the manifests that it covers, and the roots of its graph.

    `covers` maps paths from the lock to commands, as in `Manifest`. `defaults` are the roots that
    are installed without asking for an extra or a group. `requests` are the requests of groups,
    each with the path of its manifest from the lock and the name of the group.
    """

    covers: Mapping[str, str]
    roots: Sequence[tuple[Edge, Scope]]
    defaults: Sequence[tuple[Edge, Scope]]
    constraints: Iterable[Constraint] = ()
    requests: Iterable[tuple[str, str, Edge]] = ()


class LockKind(msgspec.Struct, frozen=True):
    """One kind of lock file (see `project.kinds`), the manifests it covers, its entries."""

    kind: str
    covers: Mapping[str, str]
    entry: type[LockEntry]
    array: str = "package"

    def load(self, file: SourceFile, project: ProjectFiles) -> ManifestDocument:
        """Parse the file. ManifestError if that is not possible."""
        return load_toml(file, project)

    def entries(self, document: ManifestDocument) -> Iterator[tuple[Keys, LockEntry]]:
        """Yield each usable entry with its path."""
        for position, entry in document.entries(self.entry, self.array):
            yield (self.array, position), entry

    def basis(
        self, document: ManifestDocument, entries: Entries, project: ProjectFiles
    ) -> LockBasis:
        """Return the basis: what the manifests beside the lock declare."""
        declared = project.beside(document.path)
        roots = [declaration.root for declaration in declared]
        defaults = [
            declaration.root
            for declaration in declared
            if declaration.scope is Scope.RUNTIME and not declaration.optional
        ]
        return LockBasis(self.covers, roots, defaults)

    def read(self, file: SourceFile, project: ProjectFiles) -> Manifest:
        """Read a lock. The graph gives what is direct, the ways, and scopes that entries do not."""
        document = self.load(file, project)
        entries = list(self.entries(document))
        basis = self.basis(document, entries, project)
        needs = [(entry.key, entry.needs()) for _, entry in entries]
        nodes = nodes_of(needs)
        graph = walk(nodes, basis.roots)
        optional = frozenset[Key]()
        if len(basis.defaults) < len(basis.roots):
            optional = graph.keys() - walk(nodes, basis.defaults).keys()
        directs = {key for edge, _ in basis.roots for key in _keys(nodes, edge)}
        groups = _group_scopes(project.beside(file.path))
        packages: list[Package] = []
        indexes_by_address = {one.address: one for one in indexes_in(document, PIPFILE_LOCK)}
        unpinned: list[Requirement] = []
        own_names: set[str] = set()
        markers: dict[Location, str] = {}
        for (keys, entry), (key, needed) in zip(entries, needs, strict=True):
            name = key[0]
            place = document.place(*keys, "name")
            scope = entry.scope(file.path, groups) or graph.scope(key)
            table = document.table(*keys)
            source = entry.source_in(table)
            origin = origin_of_source(source, file.path, project)
            address = address_of_source(source) if origin else None
            in_name = version_in_address(address, name) if address else None
            with document.problems.caught(place.start_line):
                requirement_name(entry.name)
                if origin == OWN_CODE:
                    own_names.add(name)
                elif origin and not (is_archive(origin) and (entry.version or in_name)):
                    unpinned.append(Requirement(name, name, place, origin, scope))
                else:
                    direct = key in directs if basis.roots else None
                    requires = nodes.keys() & set(map(canonicalize_name, needed.names))
                    version = entry.version or in_name
                    package = pinned_package(entry.name, version, scope, direct, requires)
                    packages.append(replace(package, places=(place,)))
                    markers |= {place: entry.condition} if entry.condition else {}
                    of_entry: list[PackageIndex | None] = [*indexes(indexes_of_entry(table), place)]
                    of_entry += [index_of_archive(address, place)] if address else []
                    for index in filter(None, of_entry):
                        indexes_by_address.setdefault(index.address, index)
        return Manifest(
            path=file.path,
            packages=tuple(packages),
            indexes=tuple(indexes_by_address.values()),
            unpinned=tuple(unpinned),
            problems=tuple(document.problems.entries),
            covers={in_folder_of(file.path, name): how for name, how in basis.covers.items()},
            own=frozenset(own_names),
            ways=graph.ways(),
            optional=optional,
            requested=_requested(file.path, basis, entries, nodes),
            markers=markers,
            constraints=(*basis.constraints, *used_constraints(needs, graph)),
        )


def _keys(nodes: Nodes, edge: Edge) -> Iterator[Key]:
    return ((edge.name, version) for version in versions_of(nodes, edge))


def _requested(
    path: str, basis: LockBasis, entries: Entries, nodes: Nodes
) -> Mapping[tuple[str, str], frozenset[Key]]:
    """Return the versions that groups ask for, of packages with several, as in `Manifest`."""
    requested: dict[tuple[str, str], set[Key]] = {}
    several = {name for name, versions in nodes.items() if len(versions) > 1}
    for manifest, group, edge in basis.requests:
        if edge.name in several:
            at = (in_folder_of(path, manifest), canonicalize_name(group))
            requested.setdefault(at, set()).update(_keys(nodes, edge))
    for _, entry in entries:
        if entry.key[0] in several:
            for manifest in basis.covers if entry.in_groups else ():
                for group in entry.in_groups:
                    at = (in_folder_of(path, manifest), canonicalize_name(group))
                    requested.setdefault(at, set()).add(entry.key)
    return {at: frozenset(keys) for at, keys in requested.items()}


def _group_scopes(declared: Iterable[Declaration]) -> Mapping[str, Scope]:
    """Return the scope of each group that declarations are in, by names as in PEP 503."""
    by_group = grouped(declared, lambda declaration: canonicalize_name(declaration.group))
    return {group: widest(map(attrgetter("scope"), same)) for group, same in by_group.items()}


class _PoetryEntry(LockEntry, frozen=True):
    """Scope by category (1.x), by groups (2.1), or by the graph."""

    category: str = ""
    optional: bool = False
    groups: tuple[str, ...] = ()
    dependencies: dict[str, object] = {}
    extras: dict[str, tuple[str, ...]] = {}
    source: dict[str, object] = {}
    markers: object = ""

    @property
    def condition(self) -> str:
        """Return the marker; one for each group if they differ."""
        if isinstance(self.markers, dict) and self.markers.keys() >= set(self.groups):
            return " or ".join(f"({marker})" for marker in self.markers.values())
        return self.markers if isinstance(self.markers, str) else ""

    def source_in(self, table: Mapping[str, object]) -> Mapping[str, object]:
        return {str(self.source.get("type")): self.source.get("url")}

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        names = self.groups or tuple(filter(None, (self.category,)))
        scopes = (groups.get(canonicalize_name(name), group_scope(name)) for name in names)
        scope = widest(scopes) if names else None
        return None if self.optional and scope is Scope.RUNTIME else scope

    @property
    def in_groups(self) -> tuple[str, ...]:
        return () if self.optional else tuple("" if one == "main" else one for one in self.groups)

    def needs(self) -> Needs:
        """Return the dependencies; only the extras that list them lead to optional ones."""
        node: dict[str, list[Edge]] = {
            canonicalize_name(extra): list(map(_poetry_edge, texts))
            for extra, texts in self.extras.items()
        }
        extras_of: dict[str, set[str]] = {}
        for extra, edges in node.items():
            for edge in edges:
                extras_of.setdefault(edge.name, set()).add(extra)
        node[""] = []
        asks: list[tuple[Constraint | None, frozenset[str]]] = []
        for name, value in self.dependencies.items():
            required = list(_required_edges(name, as_list(value)))
            node[""] += required
            for_extras = frozenset(() if required else extras_of.get(canonicalize_name(name), ()))
            for alternative in as_list(value) if required or for_extras else ():
                constraint = table_constraint(name, alternative, canonicalize_name(self.name))
                asks.append((constraint, for_extras))
        return Needs(self.dependencies, node, asks)


class _PoetryNeeded(msgspec.Struct, frozen=True):
    version: str = ""
    optional: bool = False
    extras: tuple[str, ...] = ()


def _required_edges(name: str, alternatives: Sequence[object]) -> Iterator[Edge]:
    """Yield the edges to a dependency, except optional ones."""
    for alternative in alternatives:
        try:
            needed = msgspec.convert(alternative, _PoetryNeeded)
        except msgspec.ValidationError:  # a version by itself, or wrong types
            needed = _PoetryNeeded(version=alternative if isinstance(alternative, str) else "")
        if not needed.optional:
            specifier = as_pep_440(needed.version) or ""
            yield Edge(canonicalize_name(name), needed.extras, specifier)


_NAME_AND_EXTRAS: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


def _poetry_edge(text: str) -> Edge:
    needed = parsed(text)
    if needed:
        return edge_of(needed)
    match = _NAME_AND_EXTRAS.match(text)
    if match is None:
        return Edge(text)
    extras = (extra.strip() for extra in (match[2] or "").split(","))
    return Edge(canonicalize_name(match[1]), tuple(filter(None, extras)))


class _PdmEntry(LockEntry, frozen=True):
    """A package, or its extras: such an entry also depends on the package, which is left out."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    marker: str = ""

    @property
    def condition(self) -> str:
        return self.marker

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        scopes = [groups.get(canonicalize_name(group), named_scope(group)) for group in self.groups]
        return widest(scopes) if scopes else None

    @property
    def in_groups(self) -> tuple[str, ...]:
        return tuple("" if group == "default" else group for group in self.groups)

    def needs(self) -> Needs:
        name = canonicalize_name(self.name)
        edges: list[Edge] = []
        asks: list[tuple[Constraint | None, frozenset[str]]] = []
        for text in self.dependencies:
            needed = parsed(text)
            if needed and canonicalize_name(needed.name) != name:
                edges.append(edge_of(needed))
                asks.append((requirement_constraint(needed, text, name), frozenset()))
        node: Node = dict.fromkeys(map(canonicalize_name, self.extras or ("",)), edges)
        return Needs([edge.name for edge in edges], node, asks)


_PIPFILE_CATEGORIES: Final = {"default": "packages", "develop": "dev-packages"}


class _PipenvEntry(LockEntry, frozen=True):
    """A package; its name is its key. `version` starts with the operator ("==1.0")."""

    name: str = ""
    category: str = ""
    markers: str = ""

    @property
    def condition(self) -> str:
        return self.markers

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        return category_scope(self.category)

    @property
    def in_groups(self) -> tuple[str, ...]:
        return (_PIPFILE_CATEGORIES.get(self.category, self.category),)


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


def _exact_edge(name: str, version: str, extras: tuple[str, ...] = ()) -> Edge:
    """Return an edge to a version, which is "" if the lock has no other."""
    return Edge(canonicalize_name(name), extras, f"==={version}" if version else "")


class _UvNeeded(msgspec.Struct, frozen=True):
    """A dependency: packages have `extra`, the requirements of a manifest have `extras`.

    Packages name the version if the lock has several.
    """

    name: str
    version: str = ""
    specifier: str = ""
    extra: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def edge(self) -> Edge:
        edge = _exact_edge(self.name, self.version, (*self.extra, *self.extras))
        return edge if self.version else replace(edge, specifier=self.specifier)


_UvGroups = dict[str, tuple[_UvNeeded, ...]]


class _UvEntry(LockEntry, frozen=True, rename="kebab"):
    source: dict[str, object] = {}
    dependencies: tuple[_UvNeeded, ...] = ()
    optional_dependencies: _UvGroups = {}
    dev_dependencies: _UvGroups = {}

    @property
    def folder(self) -> str | None:
        """Return the folder of a project of this repository, relative to the lock's; else None."""
        folders = map(self.source.get, ("virtual", "editable", "directory"))
        return next((str(folder) or "." for folder in folders if folder is not None), None)

    def source_in(self, table: Mapping[str, object]) -> Mapping[str, object]:
        return self.source

    def needs(self) -> Needs:
        groups = {**self.optional_dependencies, "": self.dependencies}
        node: Node = {
            canonicalize_name(extra): [needed.edge for needed in group]
            for extra, group in groups.items()
        }
        return Needs([needed.name for needed in self.dependencies], node)

    @property
    def base(self) -> Scope:
        """The scope of a project by its folder."""
        return folder_scope(f"{self.folder}/pyproject.toml")

    def defaults(self) -> Iterator[tuple[Edge, Scope]]:
        """Yield the dependencies of a project that are installed by default."""
        yield from ((needed.edge, self.base) for needed in self.dependencies)

    def roots(self, groups: Mapping[str, Scope]) -> Iterator[tuple[Edge, Scope]]:
        """Yield the dependencies of a project, which declares `groups`, as roots of the graph."""
        yield from self.defaults()
        for extra, needs in self.optional_dependencies.items():
            scope = either(self.base, named_scope(extra))
            yield from ((needed.edge, scope) for needed in needs)
        for edge, scope in _uv_group_roots(self.dev_dependencies, groups):
            yield edge, either(self.base, scope)

    def requests(self) -> Iterator[tuple[str, str, Edge]]:
        """Yield the dependencies of a project, as in `LockBasis`."""
        groups = (
            *self.optional_dependencies.items(),
            *self.dev_dependencies.items(),
            ("", self.dependencies),
        )
        for group, needs in groups:
            yield from ((f"{self.folder}/pyproject.toml", group, needed.edge) for needed in needs)


def _uv_group_roots(
    of_lock: _UvGroups, declared: Mapping[str, Scope]
) -> Iterator[tuple[Edge, Scope]]:
    """Yield the dependencies of the groups in a lock, given the scopes of declared ones."""
    for name, needs in of_lock.items():
        scope = declared.get(canonicalize_name(name), group_scope(name))
        yield from ((needed.edge, scope) for needed in needs)


class _UvManifest(msgspec.Struct, frozen=True, rename="kebab"):
    """Requirements outside of packages: the groups of a workspace, or those of a script."""

    members: tuple[str, ...] = ()
    requirements: tuple[_UvNeeded, ...] = ()
    dependency_groups: _UvGroups = {}

    def defaults(self) -> Iterator[tuple[Edge, Scope]]:
        """Yield the requirements that are installed by default."""
        yield from ((needed.edge, Scope.RUNTIME) for needed in self.requirements)

    def roots(self, groups: Mapping[str, Scope]) -> Iterator[tuple[Edge, Scope]]:
        """Yield the requirements as the roots of the graph; `groups` are the declared ones."""
        yield from self.defaults()
        yield from _uv_group_roots(self.dependency_groups, groups)


class _UvKind(LockKind, frozen=True):
    """uv.lock, of a project or a workspace, and the lock beside a script (`script.py.lock`)."""

    def basis(
        self, document: ManifestDocument, entries: Entries, project: ProjectFiles
    ) -> LockBasis:
        """Return the members of a workspace as roots, else the project, else all local projects."""
        manifest = document.section(_UvManifest, "manifest") or _UvManifest()

        def rank(entry: _UvEntry) -> int:
            return 2 if entry.name in manifest.members else int(entry.folder == ".")

        local = [entry for _, entry in entries if isinstance(entry, _UvEntry) and entry.folder]
        highest = max(map(rank, local), default=0)
        projects = [entry for entry in local if rank(entry) == highest]
        roots = list(manifest.roots(_group_scopes(project.beside(document.path))))
        defaults = list(manifest.defaults())
        for entry in projects:
            path = in_folder_of(document.path, f"{entry.folder}/pyproject.toml")
            roots += entry.roots(_group_scopes(project.beside(path)))
            defaults += entry.defaults()
        covers: dict[str, str] = {}
        if document.path.endswith("uv.lock"):
            covers["pyproject.toml"] = "uv lock"
            folders = {entry.folder for entry in projects}
            for entry in local:  # only a part of other local projects is locked
                command = "uv lock" if entry.folder in folders else ""
                covers[f"{entry.folder}/pyproject.toml"] = command
        else:
            script = posixpath.basename(document.path).removesuffix(".lock")
            covers[script] = f"uv lock --script {script}"
        constraints = filter(None, self.constraints(document, entries, project))
        requests = [
            ("pyproject.toml", group, needed.edge)
            for group, needs in manifest.dependency_groups.items()
            for needed in needs
        ]
        requests += (request for entry in projects for request in entry.requests())
        return LockBasis(covers, roots, defaults, constraints, requests)

    def constraints(
        self, document: ManifestDocument, entries: Entries, project: ProjectFiles
    ) -> Iterator[Constraint | None]:
        """Yield what local projects declared at locking time, if their manifest is not here."""

        def is_here(folder: str) -> bool:
            path = in_folder_of(document.path, f"{folder}/pyproject.toml")
            return document.path.endswith("uv.lock") and posixpath.dirname(path) in project.declared

        lists: list[Keys] = [("manifest", "requirements")]
        if not is_here("."):
            lists += [("manifest", "constraints"), ("manifest", "overrides")]
        for keys, entry in entries:
            if isinstance(entry, _UvEntry) and entry.folder and not is_here(entry.folder):
                lists.append((*keys, "metadata", "requires-dist"))
                groups = (*keys, "metadata", "requires-dev")
                lists += [(*groups, name) for name in document.table(*groups)]
        for keys in lists:
            for position, value in enumerate(document.array(*keys)):
                # A wrong value costs no package, so it is not a problem.
                if isinstance(value, Mapping) and not origin_of_source(value, "", project):
                    allowed = {
                        "version": value.get("specifier", "*"),
                        "markers": value.get("marker"),
                    }
                    place = document.place(*keys, position)
                    yield table_constraint(value.get("name"), allowed, place=place)


class _PylockNeeded(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


class _PylockEntry(LockEntry, frozen=True):
    """PEP 751. One of `vcs`, `directory` and `archive` is set if it is not from an index.

    `packaging.pylock` would refuse the whole file for one entry that is not as it should be; here
    that entry is a problem, and the others are read.
    """

    marker: str = ""
    dependencies: tuple[_PylockNeeded, ...] = ()
    vcs: dict[str, object] = {}
    directory: dict[str, object] = {}
    archive: dict[str, object] = {}

    @property
    def condition(self) -> str:
        return self.marker

    def source_in(self, table: Mapping[str, object]) -> Mapping[str, object]:
        if self.vcs:
            return {str(self.vcs.get("type")): self.vcs.get("url") or self.vcs.get("path")}
        return self.directory or self.archive

    def scope(self, path: str, groups: Mapping[str, Scope]) -> Scope | None:
        return either(file_scope(path), marker_scope(self.marker, groups))

    def needs(self) -> Needs:
        names = [needed.name for needed in self.dependencies]
        edges = [_exact_edge(needed.name, needed.version) for needed in self.dependencies]
        return Needs(names, {"": edges})

    @property
    def in_groups(self) -> tuple[str, ...]:
        groups = (
            left.strip("\"'")
            for left, operator, variable in COMPARISON.findall(self.marker)
            if operator == "in" and variable in _MARKER_VARIABLES
        )
        return tuple(groups) or ("",)


_MARKER_VARIABLES: Final = {"dependency_groups": group_scope, "extras": named_scope}


def marker_scope(marker: str, groups: Mapping[str, Scope]) -> Scope:
    """Return DEV if the marker is true only for a development group or extra.

    `groups` are the scopes of the declared ones.

    A comparison that depends on the platform can be true somewhere, so it counts as true. So does
    one with another group or extra, and a marker that cannot be read.
    """

    def constant(comparison: re.Match[str]) -> str:
        """Return a comparison that has the same result everywhere."""
        left, operator, variable = comparison.groups()
        scope_of = _MARKER_VARIABLES.get(variable) if operator == "in" else None
        name = left.strip("\"'")
        is_dev = scope_of and groups.get(canonicalize_name(name), scope_of(name)) is Scope.DEV
        return "os_name == ''" if is_dev else "os_name != ''"

    try:
        holds = not marker or Marker(COMPARISON.sub(constant, marker)).evaluate()
    except (InvalidMarker, RecursionError):
        holds = True
    return Scope.RUNTIME if holds else Scope.DEV


KINDS: Final = (
    _UvKind("uv-lock", {}, _UvEntry),
    LockKind("poetry-lock", {"pyproject.toml": "poetry lock"}, _PoetryEntry),
    LockKind("pdm-lock", {"pyproject.toml": "pdm lock", "setup.cfg": "pdm lock"}, _PdmEntry),
    _PipenvKind(
        "pipfile-lock",
        {"Pipfile": "pipenv lock", "pyproject.toml": "", "setup.cfg": ""},
        _PipenvEntry,
    ),
    LockKind(
        "pylock",
        {"pyproject.toml": "", "setup.cfg": "", "Pipfile": ""},
        _PylockEntry,
        array="packages",
    ),
)
"""All kinds of lock files."""
