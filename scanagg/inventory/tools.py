"""Requirements in the configuration of tools: tox, pre-commit and conda."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from scanagg.core import yaml
from scanagg.inventory.declarations import declare
from scanagg.inventory.document import load_toml
from scanagg.inventory.manifest import (
    Declaration,
    Manifest,
    ManifestError,
    ProjectFiles,
    Site,
    conflict_in,
    in_folder_of,
    parsed,
    read_bytes,
    shown,
)
from scanagg.inventory.scopes import file_scope
from scanagg.inventory.setuptools import IniFile, load_ini, parse_ini
from scanagg.model import Location, Reason, Scope, SourceFile, Unread
from scanagg.project.kinds import NO_READER

Item = tuple[int | None, str]
"""A requirement as written, with its line."""

_CONDITION: Final = re.compile(r"[\w.,{}!-]+:\s+")
_INCLUDE: Final = re.compile(r"(?:-r|--requirement)[ =]?\s*(\S+)")
_TOX_ROOT: Final = re.compile(r"\{(?:toxinidir|tox_root)\}/")
_TOX_REFERENCE: Final = re.compile(r"\{\[[^\]]*\][\w-]+\}")
_CONDA_NAME: Final = re.compile(r"(?:[^\s:]+::)?([\w.-]+)")
# Every environment has these, and they say nothing about the project.
_CONDA_ITSELF: Final = frozenset(("python", "pip"))


class ToolRequirements(msgspec.Struct, frozen=True):
    """The requirements of a tool, and those that are not understood."""

    declared: tuple[Declaration, ...]
    unread: tuple[Unread, ...]


def declare_tools(
    kind: str,
    file: SourceFile,
    project: ProjectFiles,
    items: Iterable[Item],
    scope: Scope = Scope.DEV,
) -> ToolRequirements:
    """Declare requirements. Text that is not one, for example with a variable, counts as unread."""
    path = project.link_target(file.path)
    declared: list[Declaration] = []
    unread: list[Unread] = []
    for line, text in items:
        site = Site(place=Location(path, line), source=file.path, scope=scope)
        try:
            declared.append(declare(text, site, project))
        except ManifestError:
            where = f"{path}:{line}" if line else path
            name = f"{shown(text)} ({where})"
            unread.append(Unread(kind, path, name, Reason("unpinned-tools")))
    return ToolRequirements(tuple(declared), tuple(unread))


def read_tox(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read the `deps` of all environments in a tox.ini, a tox.toml, or another file with them."""
    items = _in_toml(file, project) if file.path.endswith(".toml") else _in_ini(load_ini(file))
    includes: list[str] = []
    requirements: list[Item] = []
    for line, written in items:
        text = _TOX_ROOT.sub("", _CONDITION.sub("", written, count=1)).strip()
        include = _INCLUDE.match(text)
        if include:
            includes.append(in_folder_of(file.path, include[1]))
        elif text and not text.startswith("-") and not _TOX_REFERENCE.fullmatch(text):
            requirements.append((line, text))
    tools = declare_tools("tox", file, project, requirements)
    return Manifest(
        path=file.path,
        includes=tuple(includes),
        tools={"tox": tools.declared},
        unread=tools.unread,
    )


def _in_ini(ini: IniFile) -> Iterator[Item]:
    for section in ini.parser.sections():
        for key in ("deps", "requires"):
            yield from ini.items(ini.parser.get(section, key, fallback=""))


def _in_toml(file: SourceFile, project: ProjectFiles) -> Iterator[Item]:
    document = load_toml(file, project)
    table = ("tool", "tox") if posixpath.basename(file.path) == "pyproject.toml" else ()
    names = document.table(*table, "env")
    arrays = [("env_run_base", "deps"), ("env_pkg_base", "deps"), ("requires",)]
    for keys in (*arrays, *(("env", name, "deps") for name in names)):
        for position, item in enumerate(document.array(*table, *keys)):
            if isinstance(item, str):
                yield document.line(*table, *keys, position), item
    legacy = document.value(*table, "legacy_tox_ini")
    if isinstance(legacy, str):
        first = document.line(*table, "legacy_tox_ini")
        yield from ((first, text) for _, text in _in_ini(parse_ini(legacy, file)))


def read_pre_commit(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the `additional_dependencies` of hooks; None without any.

    A hook without a `language` has the language of its repository, which is not known here. If pip
    could not install the text from an index, it is taken to be of another language.
    """
    raw = read_bytes(file)
    if b"additional_dependencies" not in raw:
        return None
    document = _parse_yaml(raw)
    if document is None:
        return _unread_file("pre-commit", file, project)
    requirements: list[Item] = []
    others: list[Unread] = []
    path = project.link_target(file.path)
    for keys, language, text in _additional(document.value):
        line = document.at(keys).line
        requirement = parsed(text)
        if language == "python" or (not language and requirement and not requirement.url):
            requirements.append((line, text))
        else:
            name = f"{shown(text)} ({path}:{line})"
            others.append(Unread("pre-commit", path, name, NO_READER))
    tools = declare_tools("pre-commit", file, project, requirements)
    return Manifest(
        path=file.path, tools={"pre-commit": tools.declared}, unread=(*tools.unread, *others)
    )


def _additional(value: object) -> Iterator[tuple[yaml.KeyPath, str, str]]:
    """Yield each additional dependency with its place and the language of its hook, if given."""
    for repo_at, repo in enumerate(_list(_get(value, "repos"))):
        for hook_at, hook in enumerate(_list(_get(repo, "hooks"))):
            for at, text in enumerate(_list(_get(hook, "additional_dependencies"))):
                keys = ("repos", repo_at, "hooks", hook_at, "additional_dependencies", at)
                if isinstance(text, str):
                    yield keys, str(_get(hook, "language") or ""), text


def read_conda(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read the pip section of a conda environment. Nothing reads the packages of conda."""
    document = _parse_yaml(read_bytes(file))
    if document is None:
        return _unread_file("conda-environment", file, project)
    problems = project.problems(file.path)
    declared: list[Declaration] = []
    includes: list[str] = []
    unread: list[Unread] = []
    for keys, in_pip, text in _conda_items(document.value):
        line = document.at(keys).line
        include = _INCLUDE.match(text)
        if not in_pip:
            name = _CONDA_NAME.match(text)
            if name and name[1].lower() not in _CONDA_ITSELF:
                shown_text = f"{shown(text)} ({problems.path}:{line})"
                reason = NO_READER
                unread.append(Unread("conda-environment", problems.path, shown_text, reason))
        elif include:
            includes.append(in_folder_of(file.path, include[1]))
        elif not text.startswith("--"):
            place = Location(problems.path, line)
            site = Site(place=place, source=file.path, scope=file_scope(file.path))
            with problems.caught(line):
                declared.append(declare(text, site, project))
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        includes=tuple(includes),
        problems=tuple(problems.entries),
        unread=tuple(unread),
    )


def _conda_items(value: object) -> Iterator[tuple[yaml.KeyPath, bool, str]]:
    """Yield each dependency with its place; True for those of pip."""
    for at, item in enumerate(_list(_get(value, "dependencies"))):
        if isinstance(item, str):
            yield ("dependencies", at), False, item
        for pip_at, text in enumerate(_list(_get(item, "pip"))):
            if isinstance(text, str):
                yield ("dependencies", at, "pip", pip_at), True, text


def _unread_file(kind: str, file: SourceFile, project: ProjectFiles) -> Manifest:
    path = project.link_target(file.path)
    return Manifest(path=file.path, unread=(Unread(kind, path, path, NO_READER),))


def _parse_yaml(raw: bytes) -> yaml.Document | None:
    """Parse YAML; None if it is not. ManifestError, with the line, for a merge conflict."""
    try:
        return yaml.parse(raw)
    except yaml.YamlError as error:
        conflict = conflict_in(raw.decode("utf-8", "replace"))
        if conflict:
            raise conflict from error
        return None


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, Mapping) else None


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
