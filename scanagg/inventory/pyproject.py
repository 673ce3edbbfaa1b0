"""pyproject.toml: what is declared for users, for extras and for groups, by every tool's table."""

import posixpath
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory._common import Declaration, Document, Project, Reading, in_folder_of
from scanagg.inventory._common import load_toml as load
from scanagg.inventory._constraints import resolver_settings
from scanagg.inventory._declare import Site, declare, declare_table
from scanagg.inventory._scope import either, folder_scope, group_scope, named_scope, widest
from scanagg.model import Scope, SourceFile

_DEV: Final = Scope.DEV
_RUNTIME: Final = Scope.RUNTIME


class _List(msgspec.Struct, frozen=True):
    """A list of requirements: where it is, the scope and the group it stands for."""

    keys: tuple[str, ...]
    scope: Scope
    group: str


class _Table(msgspec.Struct, frozen=True):
    """A table of Poetry's, name to version; `extras` tell which of them an optional one is in."""

    keys: tuple[str, ...]
    scope: Scope
    group: str
    extras: dict[str, Scope] = msgspec.field(default_factory=dict)


def matches(path: str, project: Project) -> bool:
    """Whether it has the one name that such files have."""
    return posixpath.basename(path) == "pyproject.toml"


def read(file: SourceFile, project: Project) -> Reading | None:
    """Every declared dependency with its line. None where nothing in it is about dependencies."""
    document = load(file)
    lists, tables = list(_lists(document)), list(_tables(document))
    constraints = tuple(resolver_settings(document))
    if not lists and not tables and not constraints and not document.problems:
        return None
    own = frozenset(map(canonicalize_name, _own_names(document)))
    listed = [one for section in lists for one in _declared(document, section, project)]
    names = {one.name for one in listed}
    for table in tables:
        listed += _from_table(document, table, names, project)
    return Reading(
        path=file.path,
        declared=tuple(replace(one, own=one.own or one.name in own) for one in listed),
        problems=tuple(document.problems),
        own=own,
        includes=tuple(_dynamic_files(document)),
        constraints=constraints,
    )


def _own_names(document: Document) -> Iterator[str]:
    for keys in (("project", "name"), ("tool", "poetry", "name")):
        name = document.value(*keys)
        if isinstance(name, str):
            yield name


def _lists(document: Document) -> Iterator[_List]:
    yield from _if_there(document, ("project", "dependencies"), _RUNTIME, "default")
    for extra in document.names("project", "optional-dependencies"):
        keys = ("project", "optional-dependencies", extra)
        yield _List(keys, named_scope(extra), extra)
    for group in document.names("dependency-groups"):
        yield _List(("dependency-groups", group), group_scope(group), group)
    for group in document.names("tool", "pdm", "dev-dependencies"):
        yield _List(("tool", "pdm", "dev-dependencies", group), _DEV, group)
    yield from _if_there(document, ("tool", "uv", "dev-dependencies"), _DEV, "dev")
    flit = ("tool", "flit", "metadata")
    yield from _if_there(document, (*flit, "requires"), _RUNTIME, "default")
    for extra in document.names(*flit, "requires-extra"):
        yield _List((*flit, "requires-extra", extra), named_scope(extra), extra)


def _if_there(
    document: Document, keys: tuple[str, ...], scope: Scope, group: str
) -> Iterator[_List]:
    if document.value(*keys) is not None:
        yield _List(keys, scope, group)


def _tables(document: Document) -> Iterator[_Table]:
    poetry = ("tool", "poetry")
    if document.names(*poetry, "dependencies"):
        extras = _poetry_extras(document)
        yield _Table((*poetry, "dependencies"), _RUNTIME, "main", extras)
    if document.names(*poetry, "dev-dependencies"):
        yield _Table((*poetry, "dev-dependencies"), _DEV, "dev")
    for group in document.names(*poetry, "group"):
        if document.names(*poetry, "group", group, "dependencies"):
            keys = (*poetry, "group", group, "dependencies")
            yield _Table(keys, group_scope(group), group)


def _poetry_extras(document: Document) -> dict[str, Scope]:
    """The scope of each optional dependency, by the extras that hold it."""
    scopes: dict[str, list[Scope]] = {}
    for extra in document.names("tool", "poetry", "extras"):
        names = document.section(list[str], "tool", "poetry", "extras", extra)
        for name in names or ():
            scopes.setdefault(canonicalize_name(name), []).append(named_scope(extra))
    return {name: widest(found) for name, found in scopes.items()}


def _declared(document: Document, section: _List, project: Project) -> Iterator[Declaration]:
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
            yield _with_source(_requirement(item, site, project), document, project)
        except ValueError as error:
            document.note(site.place, str(error))


def _requirement(item: object, site: Site, project: Project) -> Declaration:
    if not isinstance(item, str):
        raise ValueError(f"not a requirement: {item!r}")
    editable = item.startswith("-e ")
    return declare(item.removeprefix("-e "), site, project, editable=editable)


def _with_source(one: Declaration, document: Document, project: Project) -> Declaration:
    """`one` with the source that uv's own table gives for it, where that is no index."""
    sources = document.value("tool", "uv", "sources")
    if not isinstance(sources, dict):
        return one
    for name, found in sources.items():
        for entry in found if isinstance(found, list) else [found]:
            if canonicalize_name(name) != one.name or not isinstance(entry, dict):
                continue
            site = Site(one.place, one.source)
            said = declare_table(one.name, {**entry, "version": None}, site, project)
            if said.origin or said.own:
                return replace(one, origin=said.origin, own=said.own)
    return one


def _from_table(
    document: Document, table: _Table, known: set[str], project: Project
) -> Iterator[Declaration]:
    for name in document.names(*table.keys):
        if canonicalize_name(name) == "python":
            continue
        scope = table.extras.get(canonicalize_name(name), table.scope)
        value = document.value(*table.keys, name)
        for position, item in enumerate(value if isinstance(value, list) else [value]):
            site = Site(
                place=document.place(*table.keys, name, position),
                source=document.path,
                scope=either(scope, folder_scope(document.path)),
                group=table.group,
            )
            try:
                one = declare_table(name, item, site, project)
            except ValueError as error:
                document.note(site.place, str(error))
                continue
            if not _only_enriches(one, item, known):
                yield one


def _only_enriches(one: Declaration, item: object, known: set[str]) -> bool:
    """Whether it says no more than from which index a listed requirement comes (Poetry 2)."""
    versioned = isinstance(item, str) or (isinstance(item, dict) and "version" in item)
    return one.name in known and not versioned and not one.origin and not one.own


def _dynamic_files(document: Document) -> Iterator[str]:
    """The requirements files from which setuptools takes the dependencies."""
    keys = ("tool", "setuptools", "dynamic")
    tables: list[tuple[str, ...]] = [(*keys, "dependencies")]
    tables += [
        (*keys, "optional-dependencies", extra)
        for extra in document.names(*keys, "optional-dependencies")
    ]
    for table in tables:
        value = document.value(*table, "file")
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                yield in_folder_of(document.path, name)
