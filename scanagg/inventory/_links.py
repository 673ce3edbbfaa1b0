"""Manifests that are symbolic links: read under the link's name, placed in the file itself."""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.inventory._common import Reading, problem
from scanagg.inventory.requirements import FOLDERS
from scanagg.model import Link, Location, NotExamined, Package, SourceFile, Target

_NOT_FOLLOWED: Final = "not followed, so what this manifest lists is unknown"
_LINE: Final = re.compile(r"(.*):(\d+)", re.DOTALL)


class Links(msgspec.Struct, frozen=True):
    """`files` are those that links lead to, by the link's path; `ends` their own paths.

    A link to a folder named `requirements` gives one for each file in it. `broken` are the links
    that lead to nothing of the target.
    """

    files: Mapping[str, SourceFile]
    ends: Mapping[str, str]
    broken: tuple[Link, ...]


def followed(target: Target) -> Links:
    """The target's links by their ends. Each end is final: no link of a link, so no loop."""
    files = {file.path: file for file in target.files}
    ends: dict[str, str] = {}
    broken: list[Link] = []
    for link in target.links:
        if link.end in files:
            ends[link.path] = link.end
        elif posixpath.basename(link.path) in FOLDERS:
            inside = {posixpath.join(link.path, name): path for name, path in _in(link.end, files)}
            ends |= inside
            if not inside:
                broken.append(link)
        elif link.end is None:
            broken.append(link)
    behind = {path: replace(files[end], path=path) for path, end in ends.items()}
    return Links(behind, ends, tuple(broken))


def _in(folder: str | None, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The name and the path of each file that lies directly in the folder."""
    for path in files:
        parent, name = posixpath.split(path)
        if folder is not None and parent == folder.removesuffix("."):
            yield name, path


def unread(links: Links, is_manifest: Callable[[str], bool]) -> Iterator[NotExamined]:
    """The links that are named as a manifest and cannot be read, or as a folder of such."""
    for link in links.broken:
        folder = posixpath.basename(link.path) in FOLDERS
        if folder or is_manifest(link.path):
            reason = link.reason or "to a folder without files of the project"
            yield problem(link.path, None, f"a symbolic link {reason}: {_NOT_FOLLOWED}")


def placed(reading: Reading, ends: Mapping[str, str]) -> Reading:
    """The reading with the files that links lead to as its places: there the lines stand.

    What locks or answers a link does so for its file.
    """
    if not ends:
        return reading
    return replace(
        reading,
        packages=tuple(_package(one, ends) for one in reading.packages),
        declared=tuple(replace(one, place=_at(one.place, ends)) for one in reading.declared),
        unpinned=tuple(replace(one, place=_at(one.place, ends)) for one in reading.unpinned),
        problems=tuple(_problem(one, ends) for one in reading.problems),
        constraints=tuple(
            replace(one, place=_at(one.place, ends)) if one.place else one
            for one in reading.constraints
        ),
        covers={ends.get(path, path): how for path, how in reading.covers.items()}
        | dict(reading.covers),
        answers=reading.answers | {ends[path] for path in reading.answers if path in ends},
    )


def _package(one: Package, ends: Mapping[str, str]) -> Package:
    return replace(
        one,
        places=tuple(_at(place, ends) for place in one.places),
        asked=tuple(_at(place, ends) for place in one.asked),
    )


def _at(place: Location, ends: Mapping[str, str]) -> Location:
    return replace(place, path=ends[place.path]) if place.path in ends else place


def _problem(one: NotExamined, ends: Mapping[str, str]) -> NotExamined:
    if one.input in ends:
        return replace(one, input=ends[one.input])
    line = _LINE.fullmatch(one.input)
    if line and line[1] in ends:
        return replace(one, input=f"{ends[line[1]]}:{line[2]}")
    return one
