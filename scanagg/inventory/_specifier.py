"""Which versions Poetry's and Pipenv's words allow, in the words of PEP 440."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

# https://python-poetry.org/docs/dependency-specification/#version-constraints
_TERM: Final = re.compile(r"(\^|~=|~|===|==|=|!=|<>|>=|<=|>|<|)v?([^\^~=<>]+)")
_GAP_AFTER_OPERATOR: Final = re.compile(r"(?<=[\^~=!<>])\s+")
_AND: Final = re.compile(r"[\s,]+")
_OR: Final = re.compile(r"\|\|?")
_ANY: Final = frozenset(("", "*"))
_AS_PEP_440: Final = {"": "==", "=": "==", "<>": "!="}
# Poetry writes one alternative more for each version that is left out; nobody writes hundreds.
_MOST_ALTERNATIVES: Final = 100
_LOWEST: Final = (Version("0"), False)


class _Bound(msgspec.Struct, frozen=True):
    """One end of a range, and whether it belongs to the range."""

    version: Version
    included: bool


class _Range(msgspec.Struct, frozen=True):
    """What lies between two ends, each None where there is no end."""

    low: _Bound | None
    high: _Bound | None


@lru_cache(maxsize=4096)
def as_pep_440(text: str) -> str:
    """`^1.2`, `~1.2`, `1.2.*`, `1.2` (exact), `*`, `>=1,<2 || >=3` by PEP 440; "" for any version.

    PEP 440 knows no "or": of alternatives it is the narrowest range that holds them all, without
    the single versions that they leave out. ValueError where `text` is nothing of the kind.
    """
    alternatives = [_joined(part) for part in _OR.split(text)[: _MOST_ALTERNATIVES + 1]]
    if len(alternatives) == 1:
        return str(alternatives[0])
    if len(alternatives) > _MOST_ALTERNATIVES:
        return ""
    return _widest([_range(one) for one in alternatives])


def _joined(text: str) -> SpecifierSet:
    words = _AND.split(_GAP_AFTER_OPERATOR.sub("", text.strip()))
    return SpecifierSet(",".join(_term(word) for word in words if word not in _ANY))


def _term(word: str) -> str:
    match = _TERM.fullmatch(word)
    if match is None:
        raise ValueError(f"not a version constraint: {word!r}")
    operator, version = match.groups()
    if operator in ("^", "~"):
        low = Version(version)
        place = _first_that_counts(low.release) if operator == "^" else min(1, len(low.release) - 1)
        return f">={low},<{_next(low, place)}"
    return f"{_AS_PEP_440.get(operator, operator)}{version}"


def _first_that_counts(release: Sequence[int]) -> int:
    """The number whose change breaks: the first that is not zero, else the last one given."""
    return next((place for place, number in enumerate(release) if number), len(release) - 1)


def _next(version: Version, place: int) -> Version:
    """The first version whose number at `place` is higher by one."""
    numbers = (*version.release[:place], version.release[place] + 1)
    return Version(f"{version.epoch}!{'.'.join(map(str, numbers))}")


def _range(allowed: SpecifierSet) -> _Range:
    lows: list[_Bound] = []
    highs: list[_Bound] = []
    for one in allowed:
        low, high = _ends(one)
        lows += [low] if low else []
        highs += [high] if high else []
    return _Range(max(lows, key=_low, default=None), min(highs, key=_high, default=None))


def _ends(one: Specifier) -> tuple[_Bound | None, _Bound | None]:
    if one.operator == "!=":
        return None, None
    version = Version(one.version.removesuffix(".*"))
    bound = _Bound(version, included="=" in one.operator)
    if one.operator in (">", ">="):
        return bound, None
    if one.operator in ("<", "<="):
        return None, bound
    if one.operator == "~=":
        return bound, _Bound(_next(version, len(version.release) - 2), included=False)
    if one.version.endswith(".*"):
        return bound, _Bound(_next(version, len(version.release) - 1), included=False)
    return bound, bound


def _low(bound: _Bound) -> tuple[Version, bool]:
    return bound.version, not bound.included


def _high(bound: _Bound) -> tuple[Version, bool]:
    return bound.version, bound.included


def _widest(ranges: Sequence[_Range]) -> str:
    """The range around all of them, without the versions that lie between two of them alone."""
    ordered = sorted(ranges, key=_from)
    terms = [f">{'=' * ordered[0].low.included}{ordered[0].low.version}"] if ordered[0].low else []
    high = ordered[0].high
    for one in ordered[1:]:
        if high and one.low == high and not high.included:
            terms.append(f"!={high.version}")
        high = max(high, one.high, key=_high) if high and one.high else None
    terms += [f"<{'=' * high.included}{high.version}"] if high else []
    return str(SpecifierSet(",".join(terms)))


def _from(one: _Range) -> tuple[bool, Version, bool]:
    return (one.low is not None, *(_low(one.low) if one.low else _LOWEST))
