"""The inventory: the packages that the target uses, their versions, and where they are declared."""

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from scanagg.inventory import environment, locks, requirements
from scanagg.inventory.manifest import (
    BrokenFile,
    Declaration,
    Manifest,
    ProjectFiles,
    Reader,
    named,
)
from scanagg.inventory.merge import merge
from scanagg.inventory.pyproject import read_pipfile, read_pyproject
from scanagg.inventory.setuptools import read_setup_cfg, read_setup_py
from scanagg.model import Inventory, Link, NotExamined, Reason, Target

# What people declare comes first: the others are read in the light of it.
_DECLARING: Final = (
    Reader(named("pyproject.toml"), read_pyproject),
    Reader(named("setup.cfg"), read_setup_cfg),
    Reader(named("Pipfile"), read_pipfile),
)
_OTHERS: Final = (
    Reader(named("setup.py"), read_setup_py),
    Reader(requirements.matches, requirements.read_requirements),
    *(Reader(kind.matches, kind.read) for kind in locks.KINDS),
)


def read_inventory(target: Target, python: Path | None = None) -> Inventory:
    """Read the packages of the target's manifests, and of the environment `python` if it is given.

    `python` is an interpreter or the folder of an environment; TargetError if it is neither.
    Without it, a `.venv` or `venv` in the target counts if no manifest pins anything. Nothing of
    the target is run. What cannot be read is among the inventory's problems.

    A symbolic link with the name of a manifest is read as that manifest, whatever its target is
    called, if that is a file of the checked folder; all places name that file. So one that is a
    manifest itself is still one, for its own folder and for the link's. A link that leads anywhere
    else is not followed, and a problem.
    """
    project, broken_links = _project(target)
    declaring = _manifests(project, _DECLARING)
    declared: dict[str, tuple[Declaration, ...]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for manifest in declaring:
        folder = posixpath.dirname(manifest.path)
        declared[folder] = (*declared.get(folder, ()), *manifest.declared)
        for name in manifest.own:
            names[name] = (*names.get(name, ()), manifest.path)
    included = frozenset(path for manifest in declaring for path in manifest.includes)
    project = replace(project, declared=declared, included=included, names=names)
    manifests = [*declaring, *_manifests(project, _OTHERS)]
    inventory = merge(manifests)
    place, broken = environment.find(target.root, python)
    if place and (python is not None or not inventory.packages):
        inventory = merge([*manifests, environment.read(place, manifests)])
    unread = _unread(target, broken_links, project)
    paths = {project.link_target(manifest.path) for manifest in manifests}
    paths |= {one.place.path for manifest in manifests for one in manifest.declared}
    return replace(
        inventory,
        problems=tuple(dict.fromkeys((*inventory.problems, *broken, *unread))),
        manifests=tuple(sorted(paths)),
        python=place.python if place else None,
    )


def _project(target: Target) -> tuple[ProjectFiles, list[Link]]:
    """Return the files by their paths, those that links lead to as well, and the broken links.

    A link to a folder named `requirements` gives one file for each in it. The target of each link
    is final: there is no link of a link, and so no loop.
    """
    files = {file.path: file for file in target.files}
    link_targets: dict[str, str] = {}
    broken: list[Link] = []
    for link in target.links:
        if link.end in files:
            link_targets[link.path] = link.end
        elif posixpath.basename(link.path) in requirements.FOLDERS:
            folder = None if link.end is None else link.end.removesuffix(".")
            inside = [path for path in files if posixpath.dirname(path) == folder]
            for path in inside:
                link_targets[posixpath.join(link.path, posixpath.basename(path))] = path
            if not inside:
                broken.append(link)
        elif link.end is None:
            broken.append(link)
    files = {
        **{path: replace(files[end], path=path) for path, end in link_targets.items()},
        **files,
    }
    folders: set[str] = set()
    for path in files:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return ProjectFiles(target.root, files, frozenset(folders), link_targets), broken


def _manifests(project: ProjectFiles, readers: Sequence[Reader]) -> list[Manifest]:
    """Read all manifests; what one says about the path of a link holds for the file behind it."""
    manifests: list[Manifest] = []
    for path, file in sorted(project.files.items()):
        for reader in readers:
            if not reader.matches(path, project):
                continue
            try:
                manifest = reader.read(file, project)
            except BrokenFile as error:
                broken = project.problem(path, error.line, error.reason)
                manifest = Manifest(path=path, problems=(broken,))
            if manifest and project.link_targets:
                covers = {project.link_target(one): how for one, how in manifest.covers.items()}
                manifest = replace(
                    manifest,
                    covers={**covers, **manifest.covers},
                    answers=manifest.answers.union(map(project.link_target, manifest.answers)),
                )
            manifests += [manifest] if manifest else []
    return manifests


def _unread(
    target: Target, broken_links: Sequence[Link], project: ProjectFiles
) -> Iterator[NotExamined]:
    """Yield the manifests, by their names, that may not or cannot be read."""

    def is_manifest(path: str) -> bool:
        return any(reader.matches(path, project) for reader in (*_DECLARING, *_OTHERS))

    for link in broken_links:
        if posixpath.basename(link.path) in requirements.FOLDERS or is_manifest(link.path):
            yield NotExamined(link.path, link.reason or Reason("link-to-no-file-of-the-project"))
    for gap in target.skipped:
        if not gap.on_purpose and is_manifest(gap.input):
            yield gap
