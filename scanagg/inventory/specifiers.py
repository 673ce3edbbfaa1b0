"""The version constraints of Poetry and Pipenv, translated to PEP 440."""

import re
from collections.abc import Iterable
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

# https://python-poetry.org/docs/dependency-specification/#version-constraints
_TERM: Final = re.compile(r"(\^|~=|~|===|==|=|!=|<>|>=|<=|>|<|)v?([^\^~=<>]+)")
_GAP_AFTER_OPERATOR: Final = re.compile(r"(?<=[\^~=!<>])\s+")
_AND: Final = re.compile(r"[\s,]+")
_OR: Final = re.compile(r"\|\|?")
_AS_PEP_440: Final = {"": "==", "=": "==", "<>": "!="}
# Poetry writes one alternative more for each excluded version: a few, not hundreds.
_MOST_ALTERNATIVES: Final = 100
# Python reads no number with thousands of digits.
_LONGEST_TERM: Final = 500


# An end of a range: just below a version, or (True) just above it. `>1` begins above 1, `<=1` ends
# there. None stands for a range without that end.
_End = tuple[Version, bool]
_Range = tuple[_End | None, _End | None]


def as_pep_440(text: str) -> str | None:
    """Translate `^1.2`, `~1.2`, `1.2.*`, `1.2` (exact), `*` or `>=1,<2 || >=3`; "" for any version.

    PEP 440 has no "or": alternatives become the narrowest range that contains them all, without the
    single versions that they leave out. None if `text` is not a version constraint.
    """
    parts = _OR.split(text)
    if len(parts) > _MOST_ALTERNATIVES:
        return ""
    try:
        alternatives = [_specifier_set(part) for part in parts]
        return str(alternatives[0]) if len(parts) == 1 else _around(map(_range, alternatives))
    except ValueError:
        return None


def _specifier_set(text: str) -> SpecifierSet:
    terms: list[str] = []
    for word in _AND.split(_GAP_AFTER_OPERATOR.sub("", text.strip())):
        if word in ("", "*"):
            continue
        match = _TERM.fullmatch(word)
        if match is None or len(word) > _LONGEST_TERM:
            raise ValueError(f"not a version constraint: {word!r}")
        operator, version = match.groups()
        if operator in ("^", "~"):
            low = Version(version)
            # The number that may not change: for "^" the first that is not zero.
            last = len(low.release) - 1
            nonzero = (place for place, number in enumerate(low.release) if number)
            place = next(nonzero, last) if operator == "^" else min(1, last)
            terms.append(f">={low},<{_next(low, place)}")
        else:
            terms.append(f"{_AS_PEP_440.get(operator, operator)}{version}")
    return SpecifierSet(",".join(terms))


def _next(version: Version, place: int) -> Version:
    """Return the first version whose number at `place` is higher by one."""
    numbers = (*version.release[:place], version.release[place] + 1)
    return Version(f"{version.epoch}!{'.'.join(map(str, numbers))}")


def _range(specifiers: SpecifierSet) -> _Range:
    ends: list[_Range] = []
    for specifier in specifiers:
        version = Version(specifier.version.removesuffix(".*"))
        below, above = (version, False), (version, True)
        high = above
        if specifier.operator == "~=":
            high = (_next(version, len(version.release) - 2), False)
        elif specifier.version.endswith(".*"):
            high = (_next(version, len(version.release) - 1), False)
        one_sided = {
            "!=": (None, None),
            ">": (above, None),
            ">=": (below, None),
            "<": (None, below),
            "<=": (None, above),
        }
        ends.append(one_sided.get(specifier.operator, (below, high)))
    return (
        max(filter(None, (low for low, _ in ends)), default=None),
        min(filter(None, (high for _, high in ends)), default=None),
    )


def _around(ranges: Iterable[_Range]) -> str:
    """Return the range around all ranges, without the single versions between two of them."""
    lowest = (Version("0"), False)
    ordered = sorted(ranges, key=lambda ends: (ends[0] is not None, ends[0] or lowest))
    low, high = ordered[0]
    terms = [f"{'>' if low[1] else '>='}{low[0]}"] if low else []
    for next_low, next_high in ordered[1:]:
        if high and not high[1] and next_low == (high[0], True):
            terms.append(f"!={high[0]}")
        high = max(high, next_high) if high and next_high else None
    if high:
        terms.append(f"{'<=' if high[1] else '<'}{high[0]}")
    return str(SpecifierSet(",".join(terms)))
