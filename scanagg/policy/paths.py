"""Many path patterns at once, as in .gitignore: which of them match a path.

Patterns that begin with plain folders are asked only for paths below these, so that hundreds of
them cost little.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import pathspec

_NOT_PLAIN: Final = re.compile(r"[*?\[\]\\!#]")

# What a pattern tries grows with the length of the path to the power of its stars.
_STARS_IN_A_NAME: Final = 3
_DEEP_STARS: Final = 3

_Test = tuple[int, re.Pattern[str]]


def globs(patterns: Iterable[str]) -> pathspec.GitIgnoreSpec:
    """Path patterns as in .gitignore: with a slash inside from the top, without one anywhere."""
    return pathspec.GitIgnoreSpec.from_lines(patterns)


def glob_problem(pattern: str) -> str | None:
    """Why a path pattern cannot be used; None where it can."""
    try:
        compiled = list(globs([pattern]).patterns)
    except ValueError:
        return "is not a path pattern"
    if not compiled or compiled[0].include is None:
        return "matches nothing"
    names = pattern.split("/")
    if sum("**" in name for name in names) > _DEEP_STARS:
        return f"has ** more than {_DEEP_STARS} times"
    if any(name.count("*") > _STARS_IN_A_NAME for name in names):
        return f"has more than {_STARS_IN_A_NAME} stars in one name"
    return None if compiled[0].include else "begins with !: it would match everything else"


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while mask:
        lowest = mask & -mask
        mask ^= lowest
        yield lowest.bit_length() - 1


class PathMasks:
    """Patterns, each with a bit: asked for a path, the bits of all that match. Keeps answers."""

    def __init__(self, patterns: Iterable[tuple[int, str]]) -> None:
        """Compile pairs of a bit and a pattern, which `glob_problem` has nothing against."""
        self._anywhere: list[_Test] = []
        self._below: dict[str, list[_Test]] = {}
        self._named: dict[str, list[_Test]] = {}
        self._seen: dict[str, int] = {}
        for bit, pattern in patterns:
            regex = globs([pattern]).patterns[0].regex
            if regex is not None:
                self._kin(pattern).append((bit, regex))

    def mask(self, path: str) -> int:
        """The bits of all patterns that match this path."""
        found = self._seen.get(path)
        if found is None:
            found = self._seen[path] = self._asked(path)
        return found

    def _kin(self, pattern: str) -> list[_Test]:
        """Where to keep a pattern: by its leading folders, by its name, or with the others."""
        text = pattern.rstrip(" ")
        parts = text.strip("/").split("/")
        if "/" not in text.rstrip("/"):
            known = None if _NOT_PLAIN.search(text) else parts[0]
            return self._anywhere if known is None else self._named.setdefault(known, [])
        plain = _plain(parts)
        return self._below.setdefault(plain, []) if plain else self._anywhere

    def _asked(self, path: str) -> int:
        tests = [self._anywhere]
        above = ""
        for part in path.split("/"):
            above = f"{above}/{part}" if above else part
            for index, key in ((self._below, above), (self._named, part)):
                if key in index:
                    tests.append(index[key])
        found = 0
        for bit, regex in (test for some in tests for test in some):
            if not found & bit and regex.match(path):
                found |= bit
        return found


def _plain(parts: list[str]) -> str:
    """The leading parts that say themselves what they match, joined."""
    plain: list[str] = []
    for part in parts:
        if not part or _NOT_PLAIN.search(part):
            break
        plain.append(part)
    return "/".join(plain)
