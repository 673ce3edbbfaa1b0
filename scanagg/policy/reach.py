"""Which rules of a list can match at all, over every kind of finding that there can be.

Most conditions have few values, and all their combinations are tried. Conditions on text (rule,
path, package, scanner) and on a likelihood have any number: of these it is only said that one takes
in another where that is certain, so a rule that is called unreachable is.
"""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache, reduce
from itertools import product
from operator import or_
from typing import Final

import msgspec

from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Finding,
    LicenseVerdict,
    Origin,
    Package,
    Rule,
    Scope,
    Severity,
    pypi_purl,
)
from scanagg.policy.rules import Condition, Rules, Subject, package_name
from scanagg.policy.schema import Match

_SHORT: Final = {"vuln": Category.VULNERABILITY, "iac": Category.MISCONFIGURATION}
_WITH_PACKAGE: Final = (Category.VULNERABILITY, Category.LICENSE)
_HAVE: Final = {
    "scope": _WITH_PACKAGE,
    "package": _WITH_PACKAGE,
    "fixable": (Category.VULNERABILITY,),
    "kev": (Category.VULNERABILITY,),
    "epss": (Category.VULNERABILITY,),
    "verdict": (Category.LICENSE,),
}
"""The categories of which a finding has what a condition asks about; all where not listed."""

_TEXTS: Final = ("scanner", "rule", "path", "package", "epss")
_VERDICTS: Final = (LicenseVerdict.REVIEW, LicenseVerdict.UNKNOWN, LicenseVerdict.DENY)
_LEVELS: Final = tuple(each for each in Severity if each is not Severity.UNKNOWN)
_GLOBS: Final = frozenset("*?[")


class Reach(msgspec.Struct, frozen=True):
    """Whether a rule of a list can match.

    `possible` is false where its own conditions exclude each other; `takers` are the indexes of the
    earlier rules that leave nothing for it, none where something is left.
    """

    possible: bool
    takers: tuple[int, ...] = ()


def reach(conditions: Sequence[Condition], unknown: Severity) -> list[Reach]:
    """What is left for each rule, in order; `unknown` is what an unknown severity compares as."""
    kinds = _kinds(unknown)
    masks = [_mask(condition, kinds) for condition in conditions]
    return [_left(index, conditions, masks) for index in range(len(conditions))]


def category_of(word: str) -> Category:
    """The category that a policy's word means, a short form among them."""
    return _SHORT.get(word) or Category(word)


def categories_of(match: Match) -> frozenset[Category]:
    """The categories of which a finding could meet each condition by itself."""
    wanted = _listed(match.category)
    found = frozenset(map(category_of, wanted)) if wanted else frozenset(Category)
    for name, having in _HAVE.items():
        if getattr(match, name) is not None:
            found &= frozenset(having)
    return found


def homeless(match: Match) -> Iterator[tuple[str, str]]:
    """Each condition on what no finding of the wanted categories has, and which ones have it."""
    wanted = categories_of(Match(category=match.category))
    for name, having in _HAVE.items():
        if getattr(match, name) is not None and wanted.isdisjoint(having):
            yield name, " and ".join(each.value for each in having)


def _left(index: int, conditions: Sequence[Condition], masks: Sequence[int]) -> Reach:
    left = masks[index]
    if not left:
        return Reach(possible=False)
    takers = [
        earlier
        for earlier in range(index)
        if left & masks[earlier] and _takes_in(conditions[earlier], conditions[index])
    ]
    for taker in list(takers):
        # Name no more than it takes: what the others cover needs no further rule.
        others = [each for each in takers if each != taker]
        if not left & ~_together(masks[each] for each in others):
            takers = others
    if left & ~_together(masks[each] for each in takers):
        return Reach(possible=True)
    return Reach(possible=True, takers=tuple(takers))


def _together(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _mask(condition: Condition, kinds: Sequence[Subject]) -> int:
    """The kinds of findings that meet all conditions but those on text, a bit for each."""
    bare = msgspec.structs.replace(condition.match, **dict.fromkeys(_TEXTS))
    rules = Rules([Condition(bare, condition.strict)])
    having = categories_of(condition.match)
    return sum(
        1 << place
        for place, kind in enumerate(kinds)
        if kind.finding.category in having and rules.first_failed(kind, 0) is None
    )


# Conditions on text.


def _takes_in(broad: Condition, narrow: Condition) -> bool:
    """Whether all that meets the text conditions of `narrow` certainly meets those of `broad`."""
    return all(
        getattr(broad.match, name) is None or _aspect_takes_in(name, broad, narrow)
        for name in _TEXTS
    )


def _aspect_takes_in(name: str, broad: Condition, narrow: Condition) -> bool:
    asked, given = getattr(broad.match, name), getattr(narrow.match, name)
    if name == "rule" and "*" in _listed(asked):
        return True
    if given is None:
        return False
    if name == "epss":
        return _least(asked) <= _least(given)
    if name == "path" and broad.strict and not narrow.strict:
        return False  # one place is enough for the narrow one, the broad one asks for all
    patterns = [str(word) for word in _listed(asked)]
    return all(_is_among(name, str(word), patterns) for word in _listed(given))


def _is_among(name: str, word: str, patterns: Sequence[str]) -> bool:
    """Whether what `word` matches is matched by one of the patterns."""
    if word in patterns:
        return True
    if _GLOBS & set(word) or name not in ("rule", "package") or word.startswith("pkg:"):
        return False
    if name == "package":
        word, patterns = package_name(word), [package_name(each) for each in patterns]
    return any(fnmatchcase(word, each) for each in patterns)


def _least(likelihood: str) -> float:
    return float(likelihood.removeprefix(">="))


def _listed(wanted: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (wanted,) if isinstance(wanted, str) else wanted or ()


# Every kind of finding, as far as conditions with few values can tell.


@cache
def _kinds(unknown: Severity) -> tuple[Subject, ...]:
    severities = (*((each, each) for each in _LEVELS), (Severity.UNKNOWN, unknown))
    return tuple(
        Subject(finding, severity, compared, verdict, origin)
        for (finding, verdict), (severity, compared) in product(_findings(), severities)
        for origin in _origins(finding)
    )


def _origins(finding: Finding) -> tuple[Origin, ...]:
    """Only of what is known of a package it can become known that it was bad all along."""
    if finding.category in _WITH_PACKAGE:
        return tuple(Origin)
    return (Origin.INTRODUCED, Origin.EXISTING)


def _findings() -> Iterator[tuple[Finding, LicenseVerdict | None]]:
    for scope, fixed, kev in product(Scope, ((), ("2",)), (True, False, None)):
        advisory = Advisory("CVE", fixed_versions=fixed, kev=kev)
        yield _finding(Category.VULNERABILITY, scope, advisory), None
    for scope, verdict in product(Scope, _VERDICTS):
        yield _finding(Category.LICENSE, scope), verdict
    for category in (Category.CODE, Category.SECRET, Category.MISCONFIGURATION):
        yield _finding(category), None


def _finding(
    category: Category, scope: Scope | None = None, advisory: Advisory | None = None
) -> Finding:
    return Finding(
        id="",
        fingerprint="",
        category=category,
        rule=Rule("", "", ""),
        title="",
        message="",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=None,
        places=(),
        witnesses=(),
        package=None if scope is None else Package("a", "1", pypi_purl("a", "1"), scope),
        advisory=advisory,
    )
