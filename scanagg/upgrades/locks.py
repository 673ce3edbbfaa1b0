"""Which versions a lock file holds, as far as it takes to see what a locker has made of it."""

import json
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

from scanagg.core import toml
from scanagg.upgrades.pins import pinned_versions

_NO: Final = (None, None)

Versions = Mapping[str, frozenset[str]]
"""The versions of each package; its name is as in PEP 503."""


def versions_in(path: str, raw: bytes) -> Versions | None:
    """What a lock, or a compiled requirements file, holds; None where it cannot be read at all."""
    name = PurePosixPath(posixpath.basename(path))
    try:
        if name.match("Pipfile.lock"):
            return _gathered(_pipenv(json.loads(raw)))
        if name.suffix in (".lock", ".toml"):
            return _gathered(_tables(toml.load(raw.decode("utf-8-sig"))))
        return _gathered(pinned_versions(raw))
    except (ValueError, RecursionError):
        return None


def pdm_groups(text: str) -> Mapping[str, str]:
    """The packages of a pdm.lock that are not in its default group, each with a group of its own.

    None where it cannot be read.
    """
    try:
        entries = toml.load(text).get("package")
    except ValueError:
        return {}
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        name, groups = (entry.get("name"), entry.get("groups")) if isinstance(entry, dict) else _NO
        if isinstance(name, str) and isinstance(groups, list) and "default" not in groups:
            names = [group for group in groups if isinstance(group, str)]
            found |= {canonicalize_name(name): names[0]} if names else {}
    return found


def _gathered(found: Iterator[tuple[str, str]]) -> Versions:
    versions: dict[str, frozenset[str]] = {}
    for name, version in found:
        key = canonicalize_name(name)
        versions[key] = versions.get(key, frozenset()) | {version}
    return versions


def _tables(document: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The entries of uv.lock, poetry.lock and pdm.lock (`package`), or of pylock (`packages`)."""
    for key in ("package", "packages"):
        entries = document.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield from _pair(entry.get("name"), entry.get("version"))


def _pipenv(document: object) -> Iterator[tuple[str, str]]:
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    for section, entries in document.items():
        if section != "_meta" and isinstance(entries, dict):
            for name, entry in entries.items():
                said = entry.get("version") if isinstance(entry, dict) else None
                yield from _pair(name, said.lstrip("=") if isinstance(said, str) else said)


def _pair(name: object, version: object) -> Iterator[tuple[str, str]]:
    if isinstance(name, str) and isinstance(version, str):
        yield name, version
