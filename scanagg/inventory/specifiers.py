"""The version constraints of Poetry and Pipenv, translated to PEP 440."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

# https://python-poetry.org/docs/dependency-specification/#version-constraints
_TERM: Final = re.compile(r"(\^|~=|~|===|==|=|!=|<>|>=|<=|>|<|)v?([^\^~=<>]+)")
_GAP_AFTER_OPERATOR: Final = re.compile(r"(?<=[\^~=!<>])\s+")
_AND: Final = re.compile(r"[\s,]+")
_OR: Final = re.compile(r"\|\|?")
_AS_PEP_440: Final = {"": "==", "=": "==", "<>": "!="}
# Poetry writes one more alternative for each version that is left out; nobody writes hundreds.
_MOST_ALTERNATIVES: Final = 100


class _Bound(msgspec.Struct, frozen=True):
    """One end of a range, and whether it belongs to the range."""

    version: Version
    included: bool


class _Range(msgspec.Struct, frozen=True):
    """The versions between two ends, each None if there is no end."""

    low: _Bound | None
    high: _Bound | None


def as_pep_440(text: str) -> str:
    """Translate `^1.2`, `~1.2`, `1.2.*`, `1.2` (exact), `*` or `>=1,<2 || >=3`; "" for any version.

    PEP 440 has no "or": of alternatives it is the narrowest range that holds them all, without the
    single versions that they leave out. ValueError if `text` is nothing of the kind.
    """
    alternatives = [_specifier_set(part) for part in _OR.split(text)[: _MOST_ALTERNATIVES + 1]]
    if len(alternatives) == 1:
        return str(alternatives[0])
    if len(alternatives) > _MOST_ALTERNATIVES:
        return ""
    return _around([_range(alternative) for alternative in alternatives])


def _specifier_set(text: str) -> SpecifierSet:
    terms: list[str] = []
    for word in _AND.split(_GAP_AFTER_OPERATOR.sub("", text.strip())):
        if word in ("", "*"):
            continue
        match = _TERM.fullmatch(word)
        if match is None:
            raise ValueError(f"not a version constraint: {word!r}")
        operator, version = match.groups()
        if operator in ("^", "~"):
            low = Version(version)
            terms.append(f">={low},<{_next(low, _place_to_raise(operator, low.release))}")
        else:
            terms.append(f"{_AS_PEP_440.get(operator, operator)}{version}")
    return SpecifierSet(",".join(terms))


def _place_to_raise(operator: str, release: Sequence[int]) -> int:
    """Return which number of a version may not change: for `^` the first that is not zero."""
    if operator == "~":
        return min(1, len(release) - 1)
    return next((place for place, number in enumerate(release) if number), len(release) - 1)


def _next(version: Version, place: int) -> Version:
    """Return the first version whose number at `place` is higher by one."""
    numbers = (*version.release[:place], version.release[place] + 1)
    return Version(f"{version.epoch}!{'.'.join(map(str, numbers))}")


def _range(allowed: SpecifierSet) -> _Range:
    ends = [_ends(specifier) for specifier in allowed if specifier.operator != "!="]
    lows = [low for low, _ in ends if low]
    highs = [high for _, high in ends if high]
    return _Range(max(lows, key=_low, default=None), min(highs, key=_high, default=None))


def _ends(specifier: Specifier) -> tuple[_Bound | None, _Bound | None]:
    version = Version(specifier.version.removesuffix(".*"))
    bound = _Bound(version, included="=" in specifier.operator)
    if specifier.operator in (">", ">="):
        return bound, None
    if specifier.operator in ("<", "<="):
        return None, bound
    if specifier.operator == "~=":
        return bound, _Bound(_next(version, len(version.release) - 2), included=False)
    if specifier.version.endswith(".*"):
        return bound, _Bound(_next(version, len(version.release) - 1), included=False)
    return bound, bound


def _low(bound: _Bound) -> tuple[Version, bool]:
    return bound.version, not bound.included


def _high(bound: _Bound) -> tuple[Version, bool]:
    return bound.version, bound.included


def _around(ranges: Sequence[_Range]) -> str:
    """Return the range around all of them, without the single versions between two of them."""
    no_low = _Bound(Version("0"), included=True)
    ordered = sorted(ranges, key=lambda one: (one.low is not None, *_low(one.low or no_low)))
    low, high = ordered[0].low, ordered[0].high
    terms = [f">{'=' * low.included}{low.version}"] if low else []
    for following in ordered[1:]:
        if high and following.low == high and not high.included:
            terms.append(f"!={high.version}")
        high = max(high, following.high, key=_high) if high and following.high else None
    if high:
        terms.append(f"<{'=' * high.included}{high.version}")
    return str(SpecifierSet(",".join(terms)))
