"""Find programs, and never one that the checked project provides.

The checked tree is the project's folder, or the whole repository around it. Nothing in it is
started: not through PATH, not by a path, and not through a link. The exception is the folder of the
interpreter that runs scanagg, because a scanagg inside the project already runs from there.
"""
# Strings are five times as fast as Path, and a check looks git up dozens of times.
# ruff: noqa: PTH100, PTH111, PTH116, PTH120

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

_PATH: Final = "PATH"
_TREES: Final[set[str]] = set()


def find_program(name: str, tree: Path, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the absolute path of a program outside the checked tree; None if there is none.

    `name` is a name on PATH, or an absolute path.
    """
    if Path(name).is_absolute():
        return shutil.which(name) if is_outside(name, tree) else None
    if Path(name).name != name:
        return None
    for folder in safe_path(environ, tree).split(os.pathsep):
        program = shutil.which(name, path=folder)
        if program and Path(program).is_absolute() and is_outside(program, tree):
            return program
    return None


def safe_path(environ: Mapping[str, str], tree: Path) -> str:
    """Return PATH without relative folders, and without folders in the checked tree."""
    return _safe_path(environ.get(_PATH, os.defpath), _checked(tree))


# A check starts dozens of programs, all with the same PATH.
@lru_cache
def _safe_path(path: str, trees: frozenset[str]) -> str:
    folders = [
        folder
        for folder in path.split(os.pathsep)
        if Path(folder).is_absolute() and _is_outside(f"{folder}/program", trees)
    ]
    # An empty PATH would mean the current folder.
    return os.pathsep.join(folders) or os.devnull


def is_outside(program: str, tree: Path) -> bool:
    """Return True if a program is outside the checked tree, or beside scanagg's own interpreter.

    A link is outside only if it lies and leads outside.
    """
    return _is_outside(program, _checked(tree))


def _is_outside(program: str, trees: frozenset[str]) -> bool:
    folder = os.path.dirname(program)
    if folder == os.path.dirname(sys.executable):
        return True
    inside = set(map(_identity, trees))
    # As written, and with links resolved, of the folder alone and of the program.
    places = {os.path.abspath(folder), os.path.realpath(folder), os.path.realpath(program)}
    return all(_identity(above) not in inside for place in places for above in _upwards(place))


def _checked(tree: Path) -> frozenset[str]:
    """Return the checked tree, and all that this process has checked before.

    A base is scanned in a folder of its own: the programs of the project stay forbidden.
    """
    _TREES.add(_tree_around(str(tree)))
    return frozenset(_TREES)


@lru_cache
def _tree_around(tree: str) -> str:
    """Return the repository around a folder, the outermost one; the folder itself without one.

    A repository around others that contains the home folder, such as one of dot files, does not
    count.
    """
    home, root = os.path.expanduser("~"), os.path.realpath(tree)
    homes = {*_upwards(os.path.abspath(home)), *_upwards(os.path.realpath(home))}
    around = [folder for folder in _upwards(root) if os.path.lexists(f"{folder}/.git")]
    outer = (folder for folder in reversed(around) if folder not in homes)
    return next(outer, around[0] if around else root)


def _upwards(place: str) -> Iterator[str]:
    """Yield an absolute path and every folder above it."""
    yield place
    while (above := os.path.dirname(place)) != place:
        yield above
        place = above


def _identity(place: str) -> tuple[int, int] | str:
    """Return what all names of one file share, also where upper and lower case are the same."""
    try:
        status = os.stat(place)
    except OSError:
        return place
    return status.st_dev, status.st_ino
