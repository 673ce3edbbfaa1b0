"""The manifests that a lock stands for: those in its folder, and the members of its workspace."""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from scanagg.core import toml, yaml
from scanagg.core.files import read_file
from scanagg.core.patterns import globs
from scanagg.model import SourceFile, Unread
from scanagg.project.kinds import BY_ID, PYPI, FileKind

_Parser = Callable[[bytes], object]

_PARSERS: Final[Mapping[str, _Parser]] = {
    ".json": json.loads,
    ".toml": lambda raw: toml.load(raw.decode()),
    ".yaml": lambda raw: yaml.parse(raw).value,
}
_EXCLUDE: Final = "exclude"
# The files that list the members of a workspace, by ecosystem, and where in the file.
_MEMBERS: Final[Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "npm": (
        ("package.json", ("workspaces",)),
        ("package.json", ("workspaces", "packages")),
        ("pnpm-workspace.yaml", ("packages",)),
        ("deno.json", ("workspace",)),
    ),
    "crates.io": (
        ("Cargo.toml", ("workspace", "members")),
        ("Cargo.toml", ("workspace", _EXCLUDE)),
    ),
    "Pub": (("pubspec.yaml", ("workspace",)),),
    "Hackage": (("stack.yaml", ("packages",)),),
}


def without_locked(
    unread: Iterable[Unread],
    by_path: Mapping[str, tuple[FileKind, ...]],
    files: Mapping[str, SourceFile],
) -> Iterator[Unread]:
    """Yield the entries that no lock of the same ecosystem stands for, each once."""
    locks = {
        (kind.ecosystem, posixpath.dirname(path) or ".")
        for path, of_file in by_path.items()
        for kind in of_file
        if kind.lock
    }

    @cache
    def members(ecosystem: str, folder: str) -> tuple[str, ...]:
        return tuple(_members(ecosystem, folder, files))

    for entry in dict.fromkeys(unread):
        kind, folder = BY_ID[entry.kind], posixpath.dirname(entry.path) or "."
        parents = map(str, PurePosixPath(folder).parents)
        is_locked = (kind.ecosystem, folder) in locks or any(
            (kind.ecosystem, parent) in locks
            and _is_member(posixpath.relpath(folder, parent), members(kind.ecosystem, parent))
            for parent in parents
        )
        if kind.lock or kind.ecosystem == PYPI or not is_locked:
            yield entry


def _members(ecosystem: str, folder: str, files: Mapping[str, SourceFile]) -> Iterator[str]:
    """Yield the patterns for the members of a workspace at this folder, as they are written."""
    for name, keys in _MEMBERS.get(ecosystem, ()):
        file = files.get(posixpath.normpath(f"{folder}/{name}"))
        if file is None:
            continue
        try:
            value = _PARSERS[posixpath.splitext(name)[1]](read_file(file.real))
        except (OSError, ValueError, RecursionError, toml.TomlError, yaml.YamlError):
            continue
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        patterns = value if isinstance(value, list) else []
        sign = "!" if keys[-1] == _EXCLUDE else ""
        yield from (f"{sign}{pattern}" for pattern in patterns if isinstance(pattern, str))


def _is_member(folder: str, patterns: Iterable[str]) -> bool:
    """Return True if the last pattern that matches the folder, such as `packages/*`, has no "!"."""
    # A pattern for a file in the folder, because one for a folder also fits all folders below.
    lines = (re.sub(r"^(!?)(?:\./)?(.*?)/?$", r"\1/\2/manifest", rule) for rule in patterns)
    try:
        return globs(lines).match_file(f"{folder}/manifest")
    except (ValueError, re.error):
        return False
