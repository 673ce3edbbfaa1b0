"""Whether something is for development only, as far as names tell; what they do not is runtime."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from packaging.utils import canonicalize_name

from scanagg.model import Scope

# Words by which projects name what only their developers need. A word that users of a package may
# ask for too ("format", "tools", "notebook") is not among them: when in doubt it is runtime.
_DEV_WORDS: Final = frozenset(
    (
        "dev",
        "devel",
        "develop",
        "developer",
        "development",
        "test",
        "tests",
        "testing",
        "unittest",
        "unittests",
        "pytest",
        "e2e",
        "doc",
        "docs",
        "documentation",
        "mkdocs",
        "sphinx",
        "lint",
        "linter",
        "linters",
        "linting",
        "flake8",
        "ruff",
        "mypy",
        "pyright",
        "style",
        "formatting",
        "formatter",
        "fmt",
        "typing",
        "types",
        "typecheck",
        "typechecking",
        "ci",
        "qa",
        "quality",
        "cov",
        "coverage",
        "bench",
        "benchmark",
        "benchmarks",
        "benchmarking",
        "githubactions",
        "tox",
        "nox",
        "precommit",
    )
)
_PRODUCTION_WORDS: Final = frozenset(
    (
        "no",
        "non",
        "without",
        "prod",
        "production",
        "runtime",
    )
)
_DEV_FOLDERS: Final = frozenset(
    (
        "dev",
        "development",
        "test",
        "tests",
        "testing",
        "doc",
        "docs",
        "documentation",
        "ci",
        ".ci",
        ".github",
        ".circleci",
        "bench",
        "benchmark",
        "benchmarks",
        "e2e",
    )
)
_WORD: Final = re.compile(r"[a-z]+[0-9]*[a-z]*")
_STEM_NOISE: Final = re.compile(r"requirements?|constraints?|pylock")


def named_scope(name: str) -> Scope:
    """The scope of an extra or a group with this name."""
    words = _WORD.findall(name.lower())
    found = {*words, *(word.rstrip("0123456789") for word in words), "".join(words)}
    dev = bool(found & _DEV_WORDS) and not found & _PRODUCTION_WORDS
    return Scope.DEV if dev else Scope.RUNTIME


def group_scope(name: str) -> Scope:
    """The scope of a dependency group: as `named_scope`, but "all" decides nothing by itself.

    A group of that name gathers others, each of which decides for its own members.
    """
    return Scope.DEV if canonicalize_name(name) == "all" else named_scope(name)


def file_scope(path: str) -> Scope:
    """The scope of what a manifest at this path lists, by its own name and its folders'."""
    stem = _STEM_NOISE.sub("-", PurePosixPath(path).stem.lower())
    return Scope.DEV if _in_dev_folder(path) else named_scope(stem)


def folder_scope(path: str) -> Scope:
    """The scope of what a manifest with a fixed name lists, by its folders' names."""
    return Scope.DEV if _in_dev_folder(path) else Scope.RUNTIME


def widest(scopes: Iterable[Scope]) -> Scope:
    """RUNTIME if any is, or if there are none."""
    found = set(scopes)
    return Scope.DEV if found == {Scope.DEV} else Scope.RUNTIME


def either(*scopes: Scope) -> Scope:
    """DEV if any is: what is for development inside of what is for development stays so."""
    return Scope.DEV if Scope.DEV in scopes else Scope.RUNTIME


def _in_dev_folder(path: str) -> bool:
    return any(part.lower() in _DEV_FOLDERS for part in PurePosixPath(path).parts[:-1])
