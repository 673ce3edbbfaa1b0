"""The scope of dependencies by names; in doubt, it is runtime."""

import re
from collections.abc import Iterable
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
    words = _WORD.findall(name.lower())
    spellings = {*words, *(word.rstrip("0123456789") for word in words), "".join(words)}
    if any(map(_PRODUCTION_WORD.fullmatch, spellings)):
        return Scope.RUNTIME
    return Scope.DEV if any(map(_DEV_WORD.fullmatch, spellings)) else Scope.RUNTIME


def group_scope(name: str) -> Scope:
    """Return the scope of a dependency group, as `named_scope` does.

    The exception is "all": such a group gathers others, and each of them decides for its members.
    """
    return Scope.DEV if canonicalize_name(name) == "all" else named_scope(name)


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
