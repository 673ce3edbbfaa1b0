"""The scope of dependencies by names; in doubt, it is runtime."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

from scanagg.model import Scope

# The names of what only developers need. Names that users of a package may request too ("format",
# "tools", "notebook") are not here.
_DEV_WORD: Final = re.compile(
    r"""
    dev | devel | develop | developer | development
    | tests? | testing | unittests? | pytest | e2e
    | docs? | documentation | mkdocs | sphinx
    | lint | linters? | linting | flake8 | ruff | mypy | pyright
    | style | formatting | formatter | fmt | typing | types | typecheck | typechecking
    | ci | qa | quality | cov | coverage
    | bench | benchmarks? | benchmarking
    | githubactions | tox | nox | precommit
    """,
    re.VERBOSE,
)
_PRODUCTION_WORD: Final = re.compile(r"no|non|without|prod|production|runtime")
_DEV_FOLDER: Final = re.compile(
    r"dev|development|tests?|testing|e2e|docs?|documentation|bench|benchmarks?"
    r"|\.?ci|\.github|\.circleci"
)
_WORD: Final = re.compile(r"[a-z]+[0-9]*[a-z]*")
_STEM_NOISE: Final = re.compile(r"requirements?|constraints?|pylock")


def named_scope(name: str) -> Scope:
    """Return the scope of an extra or a group with this name."""
    is_dev = any(map(_DEV_WORD.fullmatch, _spellings(name))) and not _is_production(name)
    return Scope.DEV if is_dev else Scope.RUNTIME


def _is_production(name: str) -> bool:
    return any(map(_PRODUCTION_WORD.fullmatch, _spellings(name)))


def _spellings(name: str) -> Collection[str]:
    words = _WORD.findall(name.lower())
    return {*words, *(word.rstrip("0123456789") for word in words), "".join(words)}


def group_scope(name: str) -> Scope:
    """Return the scope of a dependency group, as `named_scope` does.

    The exception is "all": such a group gathers others, and each of them decides for its members.
    """
    return Scope.DEV if canonicalize_name(name) == "all" else named_scope(name)


def group_scopes(includes: Mapping[str, Collection[str]]) -> Mapping[str, Scope]:
    """Return the scope of each dependency group, given the groups that each includes.

    A group that only development groups include is for development too, unless its name says
    otherwise. "all" decides for no other group.
    """
    scopes = {name: group_scope(name) for name in includes}
    includers = Counter(
        member for name, members in includes.items() if name != "all" for member in members
    )
    waiting = [name for name, scope in scopes.items() if scope is Scope.DEV and name != "all"]
    while waiting:
        for member in includes[waiting.pop()]:
            includers[member] -= 1
            runtime = scopes.get(member) is Scope.RUNTIME and not _is_production(member)
            if runtime and not includers[member]:
                scopes[member] = Scope.DEV
                waiting.append(member)
    return scopes


def file_scope(path: str) -> Scope:
    """Return the scope of a manifest at this path, by its own name and its folders' names."""
    stem = _STEM_NOISE.sub("-", PurePosixPath(path).stem.lower())
    return either(folder_scope(path), named_scope(stem))


def folder_scope(path: str) -> Scope:
    """Return the scope of a manifest that has a fixed name, by its folders' names."""
    folders = PurePosixPath(path.lower()).parts[:-1]
    return Scope.DEV if any(map(_DEV_FOLDER.fullmatch, folders)) else Scope.RUNTIME


def widest(scopes: Iterable[Scope]) -> Scope:
    """Return RUNTIME if any of them is, or if there are none."""
    return Scope.DEV if set(scopes) == {Scope.DEV} else Scope.RUNTIME


def either(*scopes: Scope) -> Scope:
    """Return DEV if any of them is: a part of something for development is for development."""
    return Scope.DEV if Scope.DEV in scopes else Scope.RUNTIME


def category_scope(category: str) -> Scope:
    """Return the scope of a category, by its name in a Pipfile or in its lock."""
    return Scope.DEV if category in ("develop", "dev-packages") else group_scope(category)
