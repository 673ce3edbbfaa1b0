"""Pipfile.lock: every package of every category, with its exact version."""

import posixpath
from collections.abc import Iterator
from typing import Final

import msgspec

from scanagg.inventory._common import Document, Locked, Project, Reading, in_folder_of, reading
from scanagg.inventory._common import load_json as load
from scanagg.inventory._declare import origin_of
from scanagg.inventory._scope import either, folder_scope
from scanagg.inventory.pipfile import category_scope
from scanagg.model import SourceFile

_ORIGINS: Final = ("git", "hg", "svn", "bzr", "path", "file")


class _Entry(msgspec.Struct, frozen=True):
    """One package. `version` has its operator in front ("==1.0")."""

    version: str | None = None
    git: str | None = None
    hg: str | None = None
    svn: str | None = None
    bzr: str | None = None
    path: str | None = None
    file: str | None = None


def matches(path: str, project: Project) -> bool:
    """Whether it has the one name that such files have."""
    return posixpath.basename(path) == "Pipfile.lock"


def read(file: SourceFile, project: Project) -> Reading:
    """Every locked package; direct where the Pipfile beside it says so."""
    document = load(file)
    covers = {
        in_folder_of(file.path, "Pipfile"): "pipenv lock",
        in_folder_of(file.path, "pyproject.toml"): "",
        in_folder_of(file.path, "setup.cfg"): "",
    }
    return reading(document, _locked(document, project), covers)


def _locked(document: Document, project: Project) -> Iterator[Locked]:
    direct = False if project.beside(document.path) else None
    for category in document.names():
        if category == "_meta":
            continue
        scope = either(category_scope(category), folder_scope(document.path))
        for name in document.names(category):
            entry = document.section(_Entry, category, name)
            if entry is not None:
                origin, own = _origin(entry, document.path, project)
                yield Locked(
                    name=name,
                    version=_exact(entry.version),
                    place=document.place(category, name),
                    scope=scope,
                    direct=direct,
                    origin=origin,
                    own=own,
                )


def _exact(version: str | None) -> str | None:
    return version.removeprefix("==").strip("= ") if version and version != "*" else None


def _origin(entry: _Entry, path: str, project: Project) -> tuple[str, bool]:
    for key in _ORIGINS:
        address = getattr(entry, key)
        if address:
            if key in ("path", "file"):
                return origin_of(address, path, project)
            return f"from {key}: {address}", False
    return "", False
