"""Patterns of paths as in .gitignore, matched in bounded time."""

import re
from collections.abc import Iterable
from itertools import count
from typing import Final

import pathspec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

# The expressions of pathspec for stars: one in a name, and two for any number of folders.
_STAR: Final = "[^/]*"
_NO_SLASH: Final = "[^/]"
_FOLDERS: Final = re.compile(r"(\^\(\?:\.\+/\)\?|\(\?:/\.\+\)\?)")
_NUMBERS: Final = count()


def globs(patterns: Iterable[str]) -> pathspec.GitIgnoreSpec:
    """Compile patterns: one with a slash inside starts at the top folder.

    ValueError or re.error if one is invalid.
    """
    return pathspec.GitIgnoreSpec.from_lines(patterns, _Pattern)


class _Pattern(GitIgnoreSpecPattern):
    """A pattern that tries one place for each star, except for the last star of a name.

    The first place where the text after a star matches leaves most text for the rest of the
    pattern. So the expressions up to the last star are atomic. Otherwise 30 stars would take years.
    """

    __slots__ = ()

    @classmethod
    def pattern_to_regex(cls, pattern: str) -> tuple[str | None, bool | None]:  # type: ignore[override]
        """Return the expression of pathspec with atomic parts, and True if it includes."""
        regex, include = super().pattern_to_regex(pattern)
        if regex is None or (regex.count(_STAR) < 2 and len(_FOLDERS.findall(regex)) < 2):
            return regex, include
        start, *parts = _FOLDERS.split(regex)
        done = [_names(start)]
        while parts:
            folders, names, *parts = parts
            if parts:
                prefix = "^" if folders.startswith("^") else ""
                fewest = "(?:.+?/)??" if prefix else "(?:/.+?)??"
                done.append(prefix + _atomic(f"{fewest}{_names(names)}(?=/)"))
            else:
                done.append(folders + _names(names))
        return "".join(done), include


def _names(regex: str) -> str:
    """Return the expression for names with an atomic part for each star but the last of a name."""
    start, *parts = regex.split(_STAR)
    done = [start]
    for index, part in enumerate(parts, 1):
        is_last = index == len(parts) or "/" in part.replace(_NO_SLASH, "")
        done.append(f"{_STAR}{part}" if is_last else _atomic(f"{_STAR}?{part}"))
    return "".join(done)


def _atomic(regex: str) -> str:
    # A look-ahead is atomic in every version of Python; the name must be unique in a joined one.
    name = f"atom{next(_NUMBERS)}"
    return f"(?=(?P<{name}>{regex}))(?P={name})"
