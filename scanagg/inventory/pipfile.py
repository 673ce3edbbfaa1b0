"""Pipfile: what Pipenv was asked for, by category."""

import posixpath
from collections.abc import Iterator
from typing import Final

from scanagg.inventory._common import Declaration, Document, Project, Reading
from scanagg.inventory._common import load_toml as load
from scanagg.inventory._declare import Site, declare_table
from scanagg.inventory._scope import either, folder_scope, group_scope
from scanagg.model import Scope, SourceFile

# Every other table of a Pipfile is a category of packages.
_NO_CATEGORY: Final = frozenset(("source", "requires", "scripts", "pipenv", "pipfile"))


def matches(path: str, project: Project) -> bool:
    """Whether it has the one name that such files have."""
    return posixpath.basename(path) == "Pipfile"


def read(file: SourceFile, project: Project) -> Reading:
    """Every requested package with its line."""
    document = load(file)
    declared = [
        one
        for category in document.names()
        if category not in _NO_CATEGORY
        for one in _category(document, category, project)
    ]
    return Reading(path=file.path, declared=tuple(declared), problems=tuple(document.problems))


def category_scope(category: str) -> Scope:
    """The scope of a category, by its name in the Pipfile or in its lock."""
    if category in ("develop", "dev-packages"):
        return Scope.DEV
    return group_scope(category)


def _category(document: Document, category: str, project: Project) -> Iterator[Declaration]:
    for name in document.names(category):
        site = Site(
            place=document.place(category, name),
            source=document.path,
            scope=either(category_scope(category), folder_scope(document.path)),
            group=category,
        )
        try:
            yield declare_table(name, document.value(category, name), site, project)
        except ValueError as error:
            document.note(site.place, str(error))
