"""The inventory: the packages that the target uses, their versions, and where they are declared."""

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from scanagg.inventory import commands, environment, locks, requirements, tools
from scanagg.inventory.manifest import (
    Declaration,
    Manifest,
    ManifestError,
    ProjectFiles,
    Reader,
)
from scanagg.inventory.merge import merge
from scanagg.inventory.pyproject import (
    read_hatch,
    read_pipfile,
    read_pyproject,
    read_script,
    read_uv_settings,
)
from scanagg.inventory.pythons import without_impossible
from scanagg.inventory.resolution import resolve
from scanagg.inventory.scopes import folder_scope
from scanagg.inventory.setuptools import read_setup_cfg, read_setup_py
from scanagg.inventory.uv import Resolver
from scanagg.inventory.workspaces import without_locked
from scanagg.model import (
    Category,
    Inventory,
    Link,
    NotExamined,
    Reason,
    Scope,
    Target,
    Unread,
)
from scanagg.model.masking import mask_all
from scanagg.project import kinds
from scanagg.project.kinds import FileKind
from scanagg.project.sources import Sources

# These are read first: the readers of all others use what they declare.
_DECLARING: Final[Mapping[str, Reader]] = {
    "pyproject": read_pyproject,
    "setup-cfg": read_setup_cfg,
    "pipfile": read_pipfile,
    "uv-settings": read_uv_settings,
    "hatch": read_hatch,
    "script": read_script,
    "script-unnamed": read_script,
    "tox": tools.read_tox,
    "tox-elsewhere": tools.read_tox,
    "pre-commit": tools.read_pre_commit,
    "conda-environment": tools.read_conda,
    "conda-environment-other": tools.read_conda,
    "docker-pip": commands.read_dockerfile,
    "notebook-pip": commands.read_notebook,
}
_OTHERS: Final[Mapping[str, Reader]] = {
    "setup-py": read_setup_py,
    "requirements": requirements.read_requirements,
    "requirements-named": requirements.read_requirements,
    **{kind.kind: kind.read for kind in locks.KINDS},
}
# These are read last, unless another manifest includes them, perhaps as constraints only.
_LISTS: Final[Mapping[str, Reader]] = {"requirements-list": requirements.read_requirements}


KindsByPath = dict[str, tuple[FileKind, ...]]


def read_inventory(
    target: Target,
    python: Path | None = None,
    configured: Path | None = None,
    sources: Sources | None = None,
    resolver: Resolver | None = None,
) -> Inventory:
    """Read the packages of the target's manifests, and of the environment `python` if it is given.

    `python` is an interpreter or the folder of an environment; TargetError if it is neither. The
    project itself can only name one inside the target, `configured`. Without both, a `.venv` or
    `venv` in the target counts if no manifest pins anything. Nothing of the target is run. The
    inventory's problems are what cannot be read.

    A symbolic link with the name of a manifest is read as that manifest, whatever the name of the
    file it leads to, if that is a file of the checked folder; all places name that file. So a file
    that is a manifest itself counts for its own folder and for the link's. Any other link is not
    followed, and is a problem. `sources` are those of the target, if others read them too.

    `resolver` gives versions to requirements that no lock and no environment has.
    """
    project, broken_links = _project(target)
    natures = (sources or Sources(target)).natures
    by_path = {
        path: natures[path].kinds if path in natures else kinds.kinds_of(file)
        for path, file in sorted(project.files.items())
    }
    declaring = list(_manifests(project, by_path, _DECLARING))
    declared: dict[str, list[Declaration]] = {}
    names: dict[str, list[str]] = {}
    for manifest in declaring:
        declared.setdefault(posixpath.dirname(manifest.path), []).extend(manifest.declared)
        for name in manifest.own:
            names.setdefault(name, []).append(manifest.path)
    included = {path: one.path for one in declaring for path in one.includes}
    needed = frozenset[str]().union(
        *(one.needs for one in declaring if folder_scope(one.path) is Scope.RUNTIME)
    )
    project = replace(project, declared=declared, names=names, needed=needed)
    as_lists = {path: (kinds.REQUIREMENTS,) for path in included if path in by_path}
    manifests = [*declaring, *_manifests(project, {**by_path, **as_lists}, _OTHERS)]
    is_included = {path for manifest in manifests for path in manifest.includes}
    others = {path: file_kinds for path, file_kinds in by_path.items() if path not in is_included}
    manifests += _manifests(project, others, _LISTS)
    manifests = list(without_impossible(manifests, project))
    inventory = merge(manifests)
    place, broken = environment.find(target.root, python, configured)
    if place and (python or configured or not inventory.packages):
        inventory = merge([*manifests, environment.read(place, manifests)])
    elif resolver:
        inventory = _with_resolved(manifests, inventory, resolver)
    broken_manifests = _broken_manifests(target, broken_links)
    paths = {project.link_target(manifest.path) for manifest in manifests}
    paths |= {one.place.path for manifest in manifests for one in manifest.declared}
    inventory = replace(
        inventory,
        problems=tuple(dict.fromkeys((*inventory.problems, *broken, *broken_manifests))),
        manifests=tuple(sorted(paths)),
        environment=place,
        unread=tuple(
            without_locked(
                [*inventory.unread, *_unread(target, project, by_path, included)],
                by_path,
                project.files,
            )
        ),
    )
    return mask_all(inventory)


def _with_resolved(
    manifests: Sequence[Manifest], inventory: Inventory, resolver: Resolver
) -> Inventory:
    """Return the inventory with what an install today would take, where nothing is pinned."""
    answers = resolve(manifests, inventory, resolver)
    open_ = {key: reason for answer in answers for key, reason in answer.open.items()}
    before = inventory.unpinned
    inventory = merge([*manifests, *(answer.lock for answer in answers if answer.lock)])
    # Another requirement can lead to a version of the package that this one does not allow.
    unpinned = [
        one for one in before if one in inventory.unpinned or (one.place, one.name) in open_
    ]
    return replace(
        inventory,
        lowest=tuple(dict.fromkeys(chain.from_iterable(one.lowest for one in answers))),
        unlocked=tuple(one for one in before if one not in unpinned),
        unpinned=tuple(
            replace(one, reason=open_.get((one.place, one.name), one.reason)) for one in unpinned
        ),
        problems=(*inventory.problems, *(one.problem for one in answers if one.problem)),
    )


def _project(target: Target) -> tuple[ProjectFiles, list[Link]]:
    """Return the files by their paths, those that links lead to as well, and the broken links."""
    files = {file.path: file for file in target.files}
    link_targets: dict[str, str] = {}
    broken: list[Link] = []
    for link in target.links:
        targets = _link_targets(link, files)
        link_targets.update(targets)
        if not targets and (link.end is None or posixpath.basename(link.path) in kinds.FOLDERS):
            broken.append(link)
    files = {
        **{path: replace(files[end], path=path) for path, end in link_targets.items()},
        **files,
    }
    folders = {"", "."}
    for path in files:
        folder = posixpath.dirname(path)
        while folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return ProjectFiles(target.root, files, frozenset(folders), link_targets), broken


def _link_targets(link: Link, files: Collection[str]) -> Mapping[str, str]:
    """Return the files that a link stands for, by the paths that they are read under.

    A link to a folder named `requirements` stands for each file in the folder. The end of a link is
    never a link itself, so there are no loops.
    """
    if link.end is None:
        return {}
    if link.end in files:
        return {link.path: link.end}
    if posixpath.basename(link.path) not in kinds.FOLDERS:
        return {}
    folder = link.end.removesuffix(".")
    inside = (path for path in files if posixpath.dirname(path) == folder)
    return {posixpath.join(link.path, posixpath.basename(path)): path for path in inside}


def _manifests(
    project: ProjectFiles,
    by_path: KindsByPath,
    readers: Mapping[str, Reader],
) -> Iterator[Manifest]:
    """Read all manifests of these kinds, each once for each reader.

    The paths of links in a manifest also stand for the files behind them.
    """
    for path, file_kinds in by_path.items():
        file = project.files[path]
        for reader in dict.fromkeys(filter(None, (readers.get(one.id) for one in file_kinds))):
            try:
                manifest = reader(file, project)
            except ManifestError as error:
                problems = project.problems(path)
                problems.add(error.line, error.reason)
                yield Manifest(path=path, problems=tuple(problems.entries))
                continue
            if manifest is None:
                continue
            covers = {project.link_target(name): how for name, how in manifest.covers.items()}
            answers = manifest.answers.union(map(project.link_target, manifest.answers))
            manifest = replace(manifest, covers={**covers, **manifest.covers}, answers=answers)
            is_dev = folder_scope(path) is Scope.DEV and path not in project.needed
            yield manifest.for_development() if is_dev else manifest


def _unread(
    target: Target, project: ProjectFiles, by_path: KindsByPath, included: Mapping[str, str]
) -> Iterator[Unread]:
    """Yield manifests and code of kinds that are not read, and missing included files."""
    for path in sorted(included.keys() - project.files.keys()):
        source = project.link_target(included[path])
        yield Unread(
            kinds.REQUIREMENTS.id, source, source, Reason("missing-include", {"path": path})
        )
    for path, file_kinds in by_path.items():
        end = project.link_target(path)
        yield from (
            Unread(kind.id, end, end, kinds.NO_READER) for kind in file_kinds if _is_unread(kind)
        )
    for gap in target.skipped:
        if not gap.on_purpose and not kinds.is_manifest(gap.input):
            yield from (
                Unread(kind.id, gap.input, gap.input, gap.reason)
                for kind in kinds.named(gap.input)
                if _is_unread(kind)
            )


def _is_unread(kind: FileKind) -> bool:
    """Return True for manifests that the inventory does not read, and code that nothing reads."""
    is_manifest = kind.category is Category.VULNERABILITY and not kind.by_inventory
    return is_manifest or kind.id in kinds.UNREAD_CODE


def _broken_manifests(target: Target, broken_links: Sequence[Link]) -> Iterator[NotExamined]:
    """Yield the files with the name of a manifest that are not read."""
    for link in broken_links:
        if posixpath.basename(link.path) in kinds.FOLDERS or kinds.is_manifest(link.path):
            yield NotExamined(link.path, link.reason or Reason("link-to-no-file-of-the-project"))
    for gap in target.skipped:
        if not gap.on_purpose and kinds.is_manifest(gap.input):
            yield gap
