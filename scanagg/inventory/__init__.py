"""Which packages the target uses, at which versions, and where its manifests say so."""

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from scanagg.inventory import (
    _links,
    environment,
    pdm,
    pipenv,
    pipfile,
    poetry,
    pylock,
    pyproject,
    requirements,
    setuptools,
    uv,
)
from scanagg.inventory._common import BrokenFile, Declaration, Project, Reader, Reading, problem
from scanagg.inventory._merge import merge
from scanagg.model import Inventory, NotExamined, SourceFile, Target

# What people write comes first: locks are read by the light of it.
_DECLARING: Final[tuple[Reader, ...]] = (pyproject, setuptools, pipfile)
_LOCKING: Final[tuple[Reader, ...]] = (requirements, uv, poetry, pdm, pipenv, pylock)


def read_inventory(target: Target, python: Path | None = None) -> Inventory:
    """The packages of the target's manifests, and of the environment `python` where it is given.

    `python` is an interpreter or the folder of an environment; TargetError where it is neither.
    Without it, a `.venv` or `venv` in the target counts if no manifest pins anything. Nothing of
    the target is run. What cannot be read is among the inventory's problems.

    A symbolic link with the name of a manifest is read as that manifest, whatever its end is
    called, if that is a file of the target; all places name that file. So one that is a manifest
    itself is one still, for its own folder and for the link's. A link that leads anywhere else is
    not followed, and a problem.
    """
    links = _links.followed(target)
    project = _project(target, links)
    declaring = _readings(project, _DECLARING)
    project = _informed(project, declaring)
    readings = (*declaring, *_readings(project, _LOCKING))
    readings += tuple(setuptools.unread(project, readings))
    readings = tuple(_links.placed(reading, project.ends) for reading in readings)
    merged = merge(readings)
    place, broken = environment.find(target.root, python)
    if place and (python is not None or not merged.packages):
        declared = [one for reading in readings for one in reading.declared]
        installed = environment.read(place, [reading.path for reading in readings], declared)
        merged = merge((*readings, installed))
    problems = (*merged.problems, *broken, *_unread(target, links, project))
    return Inventory(
        packages=merged.packages,
        unpinned=merged.unpinned,
        problems=tuple(dict.fromkeys(problems)),
        manifests=_manifests(readings, project),
        python=place.python if place else None,
        constraints=merged.constraints,
    )


def _project(target: Target, links: _links.Links) -> Project:
    files = {**links.files, **{file.path: file for file in target.files}}
    folders: set[str] = set()
    for path in files:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return Project(target.root, files, frozenset(folders), ends=links.ends)


def _unread(target: Target, links: _links.Links, project: Project) -> Iterator[NotExamined]:
    """The manifests, by their names, that the target has and nobody may or can read."""

    def is_manifest(path: str) -> bool:
        readers = (*_DECLARING, *_LOCKING)
        return posixpath.basename(path) == "setup.py" or any(
            reader.matches(path, project) for reader in readers
        )

    yield from _links.unread(links, is_manifest)
    yield from (gap for gap in target.skipped if not gap.on_purpose and is_manifest(gap.input))


def _informed(project: Project, readings: Sequence[Reading]) -> Project:
    """The project with what its people declare, by folder."""
    declared: dict[str, tuple[Declaration, ...]] = {}
    for reading in readings:
        folder = posixpath.dirname(reading.path)
        declared[folder] = (*declared.get(folder, ()), *reading.declared)
    included = {path for reading in readings for path in reading.includes}
    names: dict[str, tuple[str, ...]] = {}
    for reading in readings:
        for name in reading.own:
            names[name] = (*names.get(name, ()), reading.path)
    return replace(
        project,
        declared=declared,
        included=frozenset(included),
        names=names,
    )


def _readings(project: Project, readers: Sequence[Reader]) -> tuple[Reading, ...]:
    found = (
        _reading(reader, file, project)
        for path, file in sorted(project.files.items())
        for reader in readers
        if reader.matches(path, project)
    )
    return tuple(reading for reading in found if reading is not None)


def _reading(reader: Reader, file: SourceFile, project: Project) -> Reading | None:
    try:
        return reader.read(file, project)
    except BrokenFile as error:
        return Reading(path=file.path, problems=(problem(file.path, error.line, error.reason),))


def _manifests(readings: Sequence[Reading], project: Project) -> tuple[str, ...]:
    """The files that were read, the included ones too."""
    paths = {project.ends.get(reading.path, reading.path) for reading in readings}
    places = {one.place.path for reading in readings for one in reading.declared}
    return tuple(sorted(paths | places))
