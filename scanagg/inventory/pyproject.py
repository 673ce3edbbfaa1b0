"""pyproject.toml and Pipfile: the dependencies for users, for extras and for groups."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import (
    address_of_source,
    declare,
    declare_table,
    from_archive,
    origin_of_source,
    requirement_constraint,
    table_constraint,
)
from scanagg.inventory.document import ManifestDocument, as_list, load_toml, parse_toml
from scanagg.inventory.indexes import PIPFILE, PYPROJECT, UV_SETTINGS, indexes_in
from scanagg.inventory.manifest import (
    OWN_CODE,
    Declaration,
    Manifest,
    ProjectFiles,
    Site,
    conflict_in,
    in_folder_of,
    parsed,
    read_utf8,
)
from scanagg.inventory.scopes import (
    category_scope,
    group_scope,
    group_scopes,
    named_scope,
    widest,
)
from scanagg.inventory.specifiers import as_pep_440
from scanagg.model import Constraint, Reason, Scope, SourceFile, Unread
from scanagg.project.kinds import NO_READER


def _runtime(_name: str) -> Scope:
    return Scope.RUNTIME


def _dev(_name: str) -> Scope:
    return Scope.DEV


_Kinds = Mapping[str, Callable[[str], Scope]]
# The keys of lists and tables of requirements, where "*" is the name of an extra or a group, and
# the scope by that name.
_LISTS: Final[_Kinds] = {
    "project.dependencies": _runtime,
    "project.optional-dependencies.*": named_scope,
    "dependency-groups.*": group_scope,
    "tool.uv.dev-dependencies": _dev,
    "tool.pdm.dev-dependencies.*": _dev,
    "tool.rye.dev-dependencies": _dev,
    "tool.briefcase.app.*.requires": _runtime,
    "tool.flit.metadata.requires": _runtime,
    "tool.flit.metadata.requires-extra.*": named_scope,
}
_TABLES: Final[_Kinds] = {
    "tool.poetry.dependencies": _runtime,
    "tool.poetry.dev-dependencies": _dev,
    "tool.poetry.group.*.dependencies": group_scope,
}
_POETRY: Final = ("tool", "poetry")
# Poetry's group `main` and the category `packages` of a Pipfile are installed by default.
_DEFAULT: Final = (("tool", "poetry", "group", "main", "dependencies"), ("packages",))
# All other tables of a Pipfile are categories of packages.
_NO_CATEGORY: Final = frozenset(("source", "requires", "scripts", "pipenv", "pipfile"))


# Lists of requirements for the environments of tools, by their kind (see `project.kinds`).
_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "build-requires": (
        "build-system.requires",
        "tool.hatch.build.dependencies",
        "tool.hatch.build.hooks.*.dependencies",
        "tool.hatch.build.targets.*.dependencies",
    ),
    "hatch": ("tool.hatch.envs.*.dependencies", "tool.hatch.envs.*.extra-dependencies"),
}
_HATCH: Final = {"hatch": ("envs.*.dependencies", "envs.*.extra-dependencies")}
_PIXI_TABLES: Final = ("dependencies", "pypi-dependencies", "feature", "target")
_HOOK: Final = ("tool", "hatch", "metadata", "hooks", "requirements_txt")


class _Section(msgspec.Struct, frozen=True):
    """A list or a table of requirements, with its scope and the name of its extra or group."""

    document: ManifestDocument
    keys: tuple[str, ...]
    scope: Scope
    group: str

    def site(self, *keys: str | int) -> Site:
        """Return the site of the entry with these keys."""
        place = self.document.place(*self.keys, *keys)
        return Site(
            place=place,
            source=self.document.path,
            scope=self.scope,
            group=self.group,
            optional=bool(self.group) and self.keys not in _DEFAULT,
        )


def read_pyproject(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read every declared dependency; None for a file without any list or table of them."""
    document = load_toml(file, project)
    lists, tables = list(_sections(document, _LISTS)), list(_sections(document, _TABLES))
    constraints = tuple(filter(None, _resolver_constraints(document)))
    needs = tuple(_dynamic_files(document, optional=False))
    includes = (*needs, *_dynamic_files(document, optional=True))
    tools = _tools(document, project, _TOOLS)
    unread = tuple(_unread(document, project, includes))
    indexes = tuple(indexes_in(document, PYPROJECT))
    python = _python(document)
    read = (lists, tables, constraints, includes, tools, indexes, python)
    if not any((*read, unread, document.problems.entries)):
        return None
    declared = [one for section in lists for one in _from_list(section, project)]
    known_names = {declaration.name for declaration in declared}
    scopes = _scopes_by_extras(document)
    for section in tables:
        entries = _from_table(section, project, known_names)
        if section.keys == (*_POETRY, "dependencies"):
            entries = (
                replace(one, scope=scopes.get(one.name, one.scope), optional=one.name in scopes)
                for one in entries
            )
        declared += entries
    names = (document.value("project", "name"), document.value(*_POETRY, "name"))
    own = frozenset(_names(names))
    declared = list(_with_own_extras(declared, own))
    declared = [
        replace(one, origin=OWN_CODE) if one.name in own else one
        for one in _with_sources(declared, document, project)
    ]
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(document.problems.entries),
        own=own,
        includes=includes,
        needs=frozenset(needs),
        constraints=constraints,
        tools=tools,
        unread=unread,
        indexes=indexes,
        python=python,
    )


def _with_own_extras(declared: Sequence[Declaration], own: Set[str]) -> Iterator[Declaration]:
    """Yield the declarations. Those of extras that the project itself always asks for are runtime.

    `own` are the names of the project: `dependencies = ["project[extra]"]` installs the extra.
    """
    asked: set[str] = set()
    of_own = [one for one in declared if one.name in own]
    pending = [one for one in of_own if one.scope is Scope.RUNTIME and not one.optional]
    while pending:
        extras = set(map(canonicalize_name, pending.pop().extras)) - asked
        asked.update(extras)
        pending += [one for one in of_own if canonicalize_name(one.group) in extras]
    for one in declared:
        is_asked = canonicalize_name(one.group) in asked
        yield replace(one, scope=Scope.RUNTIME, optional=False) if is_asked else one


def read_uv_settings(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read the indexes in a uv.toml."""
    document = load_toml(file, project)
    return Manifest(path=file.path, indexes=tuple(indexes_in(document, UV_SETTINGS)))


def read_hatch(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read the requirements of the environments in a hatch.toml."""
    document = load_toml(file, project)
    tools = _tools(document, project, _HATCH)
    return Manifest(path=file.path, tools=tools, problems=tuple(document.problems.entries))


def read_script(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the metadata in the comments of a script (PEP 723); None without a complete block."""
    content = read_utf8(file)
    lines = content.splitlines()
    start = lines.index("# /// script") if "# /// script" in lines else len(lines)
    end = next((at for at in range(start + 1, len(lines)) if lines[at][:1] != "#"), len(lines))
    end = max((at for at in range(start + 1, end) if lines[at] == "# ///"), default=0)
    if not end:
        conflict = conflict_in(content) if start < len(lines) else None
        if conflict:
            raise conflict
        return None
    text = "\n".join((*([""] * (start + 1)), *(line[2:] for line in lines[start + 1 : end])))
    document = parse_toml(text, file, project)
    section = _Section(document, ("dependencies",), Scope.RUNTIME, "")
    declared = _with_sources(_from_list(section, project), document, project)
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(document.problems.entries),
        indexes=tuple(indexes_in(document, PYPROJECT)),
        python=_python(document),
    )


def _sections(document: ManifestDocument, kinds: _Kinds) -> Iterator[_Section]:
    scopes = _group_scopes(document)
    for pattern, scope_of in kinds.items():
        before, star, after = pattern.partition(".*")
        table = before.split(".")
        for group in document.names(*table) if star else ("",):
            keys = tuple(filter(None, (*table, group, *after.split("."))))
            if document.value(*keys) is not None:
                of_group = scopes.get(canonicalize_name(group)) if scope_of is group_scope else None
                yield _Section(document, keys, of_group or scope_of(group), group)


def _group_scopes(document: ManifestDocument) -> Mapping[str, Scope]:
    """Return the scopes of the dependency groups, by names as in PEP 503."""
    includes: dict[str, set[str]] = {}
    for group, items in document.table("dependency-groups").items():
        tables = (item for item in as_list(items) if isinstance(item, dict))
        included = _names(item.get("include-group") for item in tables)
        includes.setdefault(canonicalize_name(group), set()).update(included)
    for group in document.table(*_POETRY, "group"):
        included = _names(document.array(*_POETRY, "group", group, "include-groups"))
        includes.setdefault(canonicalize_name(group), set()).update(included)
    return group_scopes(includes)


def _names(values: Iterable[object]) -> Iterator[str]:
    return (canonicalize_name(value) for value in values if isinstance(value, str))


def _from_list(section: _Section, project: ProjectFiles) -> Iterator[Declaration]:
    # `packaging.dependency_groups` would refuse a whole group for one wrong item, and has no lines.
    # An included group is skipped: its items are declared in the group itself.
    document = section.document
    for position, item in document.entries(object, *section.keys):
        if not (isinstance(item, dict) and "include-group" in item):
            site = section.site(position)
            with document.problems.caught(site.place.start_line):
                yield declare(item, site, project)


def _from_table(
    section: _Section, project: ProjectFiles, known_names: Collection[str] = ()
) -> Iterator[Declaration]:
    """Yield the entries of a table, except `python` and those that add nothing to `known_names`.

    With Poetry 2, a table without a version only names the index of a listed requirement.
    """
    document = section.document
    for name in document.names(*section.keys):
        for position, item in enumerate(as_list(document.value(*section.keys, name))):
            site = section.site(name, position)
            with document.problems.caught(site.place.start_line):
                declaration = declare_table(name, item, site, project)
                only_index = isinstance(item, dict) and "version" not in item
                repeated = only_index and not declaration.origin and declaration.name in known_names
                if declaration.name != "python" and not repeated:
                    yield declaration


def _with_sources(
    declared: Iterable[Declaration], document: ManifestDocument, project: ProjectFiles
) -> Iterator[Declaration]:
    """Yield the declarations, each from where `tool.uv.sources` takes it if not from an index."""
    sources: dict[str, Sequence[object]] = {
        canonicalize_name(name): as_list(value)
        for name, value in document.table("tool", "uv", "sources").items()
    }
    for declaration in declared:
        named = sources.get(declaration.name, ())
        origins = (origin_of_source(source, document.path, project) for source in named)
        origin = next(filter(None, origins), declaration.origin)
        addresses = list(map(address_of_source, named)) or [None]
        known = [address for address in addresses if address]
        from_source = replace(declaration, origin=origin)
        all_known = len(known) == len(addresses)
        yield from_archive(from_source, known) if all_known else from_source


def _python(document: ManifestDocument) -> str:
    """Return the supported versions of Python; "" for any."""
    keys = (
        ("project", "requires-python"),
        ("tool", "flit", "metadata", "requires-python"),
        ("requires-python",),
        (*_POETRY, "dependencies", "python"),
    )
    values = (document.value(*one) for one in keys)
    text = next((value for value in values if isinstance(value, str)), "")
    return as_pep_440(text) or ""


def _scopes_by_extras(document: ManifestDocument) -> Mapping[str, Scope]:
    """Return the scope of each optional dependency of Poetry, by the extras that contain it."""
    scopes: dict[str, list[Scope]] = {}
    for extra in document.names(*_POETRY, "extras"):
        for name in document.section(list[str], *_POETRY, "extras", extra) or ():
            scopes.setdefault(canonicalize_name(name), []).append(named_scope(extra))
    return {name: widest(of_extras) for name, of_extras in scopes.items()}


def _dynamic_files(document: ManifestDocument, *, optional: bool) -> Iterator[str]:
    """Yield the files from which setuptools or a plug-in of hatch takes the dependencies.

    `optional` are those of extras.
    """
    dynamic = document.table("tool", "setuptools", "dynamic")
    extras = dynamic.get("optional-dependencies") if optional else None
    of_extras = extras.values() if isinstance(extras, dict) else ()
    tables = of_extras if optional else [dynamic.get("dependencies")]
    names = [table.get("file") for table in tables if isinstance(table, dict)]
    if optional:
        names += document.table(*_HOOK, "optional-dependencies").values()
    else:
        names += [document.value(*_HOOK, "files"), document.value(*_HOOK, "filename")]
    for name in chain.from_iterable(map(as_list, names)):
        if isinstance(name, str):
            yield in_folder_of(document.path, name)


def _tools(
    document: ManifestDocument, project: ProjectFiles, patterns: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[Declaration, ...]]:
    """Return the requirements of tools by kind, without empty kinds."""
    tools = {
        kind: tuple(
            declaration
            for section in _sections(document, dict.fromkeys(of_kind, _dev))
            for declaration in _from_list(section, project)
        )
        for kind, of_kind in patterns.items()
    }
    return {kind: declared for kind, declared in tools.items() if declared}


def _fills_in(document: ManifestDocument, project: ProjectFiles, files: Sequence[str]) -> bool:
    """Return True if what the build backend takes dynamic dependencies from is read."""
    backend = document.value("build-system", "build-backend") or "setuptools.build_meta"
    if not isinstance(backend, str) or document.value("build-system", "backend-path"):
        return False
    if backend.startswith("poetry."):
        return bool(document.table(*_POETRY))
    if backend.startswith("hatchling."):
        return bool(files) and document.table(*_HOOK[:-1]).keys() == {_HOOK[-1]}
    beside = {in_folder_of(document.path, name) for name in ("setup.py", "setup.cfg")}
    return backend.startswith("setuptools.") and (
        bool(files) or not project.files.keys().isdisjoint(beside)
    )


def _unread(
    document: ManifestDocument, project: ProjectFiles, files: Sequence[str]
) -> Iterator[Unread]:
    """Yield dynamic dependencies that are in none of the files, and the tables of pixi."""
    path = document.problems.path
    if any(document.table("tool", "pixi", table) for table in _PIXI_TABLES):
        place = document.place("tool", "pixi")
        yield Unread("pixi", path, f"{path}:{place.start_line}", NO_READER)
    if _fills_in(document, project, files):
        return
    for position, field in enumerate(document.array("project", "dynamic")):
        if field in ("dependencies", "optional-dependencies"):
            place = document.place("project", "dynamic", position)
            yield Unread("dynamic", path, f"{path}:{place.start_line}", Reason("filled-in-by-code"))


def _resolver_constraints(document: ManifestDocument) -> Iterator[Constraint | None]:
    """Yield the constraints that uv and pdm apply to all packages, if they can be read."""
    for key in ("constraint-dependencies", "override-dependencies"):
        for position, text in enumerate(document.array("tool", "uv", key)):
            place = document.place("tool", "uv", key, position)
            yield requirement_constraint(parsed(text), str(text), place=place)
    keys = ("tool", "pdm", "resolution", "overrides")
    for name, value in document.table(*keys).items():
        yield table_constraint(name, value, place=document.place(*keys, name))


def read_pipfile(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read every requested package of a Pipfile, by category."""
    document = load_toml(file, project)
    python = document.value("requires", "python_version")
    declared = [
        declaration
        for category in document.names()
        if category not in _NO_CATEGORY
        for declaration in _from_table(
            _Section(document, (category,), category_scope(category), category), project
        )
    ]
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(document.problems.entries),
        indexes=tuple(indexes_in(document, PIPFILE)),
        python=f"=={python}.*" if isinstance(python, str) else "",
    )
