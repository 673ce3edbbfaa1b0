"""pyproject.toml and Pipfile: what is declared for users, for extras and for groups."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import (
    Site,
    declare,
    declare_table,
    origin_of_source,
    requirement_constraint,
    table_constraint,
)
from scanagg.inventory.document import ManifestDocument, load_toml
from scanagg.inventory.manifest import (
    Declaration,
    Manifest,
    ProjectFiles,
    in_folder_of,
    parsed,
)
from scanagg.inventory.scopes import either, folder_scope, group_scope, named_scope, widest
from scanagg.model import Constraint, Scope, SourceFile

_POETRY: Final = ("tool", "poetry")
# Every other table of a Pipfile is a category of packages.
_NO_CATEGORY: Final = frozenset(("source", "requires", "scripts", "pipenv", "pipfile"))


class _Section(msgspec.Struct, frozen=True):
    """A list or a table of requirements, with its scope and the group it stands for."""

    keys: tuple[str, ...]
    scope: Scope
    group: str


def read_pyproject(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read every declared dependency; None if nothing in the file is about dependencies."""
    document = load_toml(file, project)
    lists, tables = list(_lists(document)), list(_tables(document))
    scopes = _poetry_scopes(document) if tables else {}
    constraints = tuple(_resolver_constraints(document))
    if not lists and not tables and not constraints and not document.problems:
        return None
    declared = [one for section in lists for one in _from_list(document, section, project)]
    names = {one.name for one in declared}
    for section in tables:
        declared += _from_table(document, section, scopes, names, project)
    own_names = (document.value("project", "name"), document.value(*_POETRY, "name"))
    own = frozenset(canonicalize_name(name) for name in own_names if isinstance(name, str))
    return Manifest(
        path=file.path,
        declared=tuple(replace(one, own=one.own or one.name in own) for one in declared),
        problems=tuple(document.problems),
        own=own,
        includes=tuple(_setuptools_files(document)),
        constraints=constraints,
    )


def _lists(document: ManifestDocument) -> Iterator[_Section]:
    flit = ("tool", "flit", "metadata")
    for keys, scope, group in (
        (("project", "dependencies"), Scope.RUNTIME, "default"),
        (("tool", "uv", "dev-dependencies"), Scope.DEV, "dev"),
        ((*flit, "requires"), Scope.RUNTIME, "default"),
    ):
        if document.value(*keys) is not None:
            yield _Section(keys, scope, group)
    for keys in (("project", "optional-dependencies"), (*flit, "requires-extra")):
        for extra in document.names(*keys):
            yield _Section((*keys, extra), named_scope(extra), extra)
    for group in document.names("dependency-groups"):
        yield _Section(("dependency-groups", group), group_scope(group), group)
    for group in document.names("tool", "pdm", "dev-dependencies"):
        yield _Section(("tool", "pdm", "dev-dependencies", group), Scope.DEV, group)


def _tables(document: ManifestDocument) -> Iterator[_Section]:
    if document.names(*_POETRY, "dependencies"):
        yield _Section((*_POETRY, "dependencies"), Scope.RUNTIME, "main")
    if document.names(*_POETRY, "dev-dependencies"):
        yield _Section((*_POETRY, "dev-dependencies"), Scope.DEV, "dev")
    for group in document.names(*_POETRY, "group"):
        keys = (*_POETRY, "group", group, "dependencies")
        if document.names(*keys):
            yield _Section(keys, group_scope(group), group)


def _poetry_scopes(document: ManifestDocument) -> Mapping[str, Scope]:
    """Return the scope of each optional dependency, by the extras that contain it."""
    scopes: dict[str, list[Scope]] = {}
    for extra in document.names(*_POETRY, "extras"):
        for name in document.section(list[str], *_POETRY, "extras", extra) or ():
            scopes.setdefault(canonicalize_name(name), []).append(named_scope(extra))
    return {name: widest(of_extras) for name, of_extras in scopes.items()}


def _from_list(
    document: ManifestDocument, section: _Section, project: ProjectFiles
) -> Iterator[Declaration]:
    # `packaging.dependency_groups` would refuse a whole group for one wrong item, and has no lines.
    # An included group needs no look: its items are declared where they stand.
    for position, item in document.entries(object, *section.keys):
        if isinstance(item, dict) and "include-group" in item:
            continue
        site = Site(
            place=document.place(*section.keys, position),
            source=document.path,
            scope=either(section.scope, folder_scope(document.path)),
            group=section.group,
        )
        try:
            if not isinstance(item, str):
                raise ValueError(f"not a requirement: {item!r}")
            editable = item.startswith("-e ")
            declaration = declare(item.removeprefix("-e "), site, project, editable=editable)
            yield _with_uv_source(declaration, document, project)
        except ValueError as error:
            document.note(site.place, str(error))


def _with_uv_source(
    declaration: Declaration, document: ManifestDocument, project: ProjectFiles
) -> Declaration:
    """Return it with the source that `tool.uv.sources` gives for it, if that is no index."""
    sources = document.value("tool", "uv", "sources")
    for name, value in sources.items() if isinstance(sources, dict) else ():
        if canonicalize_name(name) == declaration.name:
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, dict):
                    origin, own = origin_of_source(source, declaration.source, project)
                    if origin:
                        return replace(declaration, origin=origin, own=own)
    return declaration


def _from_table(
    document: ManifestDocument,
    section: _Section,
    optional_scopes: Mapping[str, Scope],
    listed: set[str],
    project: ProjectFiles,
) -> Iterator[Declaration]:
    for name in document.names(*section.keys):
        normal_name = canonicalize_name(name)
        if normal_name == "python":
            continue
        scope = section.scope
        if section.group == "main":
            scope = optional_scopes.get(normal_name, scope)
        value = document.value(*section.keys, name)
        for position, item in enumerate(value if isinstance(value, list) else [value]):
            site = Site(
                place=document.place(*section.keys, name, position),
                source=document.path,
                scope=either(scope, folder_scope(document.path)),
                group=section.group,
            )
            try:
                declaration = declare_table(name, item, site, project)
            except ValueError as error:
                document.note(site.place, str(error))
                continue
            # Poetry 2: a table without a version only names the index of a listed requirement.
            versioned = isinstance(item, str) or (isinstance(item, dict) and "version" in item)
            if versioned or declaration.origin or normal_name not in listed:
                yield declaration


def _setuptools_files(document: ManifestDocument) -> Iterator[str]:
    """Yield the requirements files from which setuptools takes the dependencies."""
    dynamic = ("tool", "setuptools", "dynamic")
    tables: list[tuple[str, ...]] = [(*dynamic, "dependencies")]
    for extra in document.names(*dynamic, "optional-dependencies"):
        tables.append((*dynamic, "optional-dependencies", extra))
    for table in tables:
        value = document.value(*table, "file")
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                yield in_folder_of(document.path, name)


def _resolver_constraints(document: ManifestDocument) -> Iterator[Constraint]:
    """Yield the constraints that uv and pdm are told to apply, whoever asks for the package."""
    for key in ("constraint-dependencies", "override-dependencies"):
        listed = document.value("tool", "uv", key)
        for position, text in enumerate(listed if isinstance(listed, list) else ()):
            place = document.place("tool", "uv", key, position)
            needed = parsed(text) if isinstance(text, str) else None
            constraint = requirement_constraint(needed, text, place=place) if needed else None
            if constraint:
                yield constraint
    keys = ("tool", "pdm", "resolution", "overrides")
    overrides = document.value(*keys)
    for name, value in overrides.items() if isinstance(overrides, dict) else ():
        constraint = table_constraint(name, value, place=document.place(*keys, name))
        if constraint:
            yield constraint


def read_pipfile(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read every requested package of a Pipfile, by category."""
    document = load_toml(file, project)
    declared: list[Declaration] = []
    for category in document.names():
        for name in document.names(category) if category not in _NO_CATEGORY else ():
            site = Site(
                place=document.place(category, name),
                source=document.path,
                scope=either(category_scope(category), folder_scope(document.path)),
                group=category,
            )
            try:
                declared.append(declare_table(name, document.value(category, name), site, project))
            except ValueError as error:
                document.note(site.place, str(error))
    return Manifest(path=file.path, declared=tuple(declared), problems=tuple(document.problems))


def category_scope(category: str) -> Scope:
    """Return the scope of a category, by its name in a Pipfile or in its lock."""
    return Scope.DEV if category in ("develop", "dev-packages") else group_scope(category)
