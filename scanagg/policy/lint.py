"""Find the parts of a valid policy that have no effect, and deprecated licence ids."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Final

import msgspec

from scanagg.core.text import one_line, shorten
from scanagg.core.yaml import Document, KeyPath
from scanagg.model import Category, Severity, WaiverStatus, WaiverUse
from scanagg.policy.aspects import ASPECTS, path_test
from scanagg.policy.license_lists import canonical
from scanagg.policy.rules import Matcher, categories_of, matcher_of_rule
from scanagg.policy.schema import (
    LicenseSection,
    Match,
    Policy,
    conditions_of,
    match_words,
    words_of,
)
from scanagg.policy.typed import label

_EXPRESSION_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\+?")
_TAKERS_SHOWN: Final = 3
_WIDTH: Final = 100


class Flaw(msgspec.Struct, frozen=True):
    """A part of a policy without effect: `place` is `file:line:column`, or `file:line`."""

    place: str
    message: str


_Found = Iterator[tuple[KeyPath, str]]


def lint(
    policy: Policy,
    document: Document,
    shown: str,
    today: date,
    *,
    paths: Sequence[str] | None = None,
    uses: Sequence[WaiverUse] = (),
) -> tuple[Flaw, ...]:
    """Return the flaws of the file in `document`, by line, then those of its waivers.

    `shown` is the name of the file. `policy` is the file combined with its parents, whose own flaws
    are left out. `paths` are the files of a project; `uses` are the waivers of the policy, with
    their effect on the findings of a report.
    """
    file = policy.file
    unknown = Severity(file.severity.unknown)
    rules = [matcher_of_rule(rule.match, rule.action) for rule in file.rules]
    overrides = [Matcher(override.match, every_place=True) for override in file.severity.override]
    names = [f"override {number}" for number in range(1, len(overrides) + 1)]
    flaws = [
        *_unreachable(rules, [f"rule {rule.id}" for rule in file.rules], ("rules",), unknown),
        *_unreachable(overrides, names, ("severity", "override"), unknown),
        *_licenses(file.licenses, today),
    ]
    for name, entry in file.scanners.items():
        # It is required only for files that the project does not have.
        if entry.required and entry.when and _unmatched(entry.when.exists, paths):
            when = ("scanners", name, "when")
            flaws.append((when, f"{label(when)}: no file matches, so {name} is not required"))
    # Paths that are not in the document come from parents.
    placed = sorted((document.at(path), text) for path, text in flaws if path in document.values)
    where = one_line(shown)
    return (
        *(Flaw(f"{where}:{mark.line}:{mark.column}", text) for mark, text in placed),
        *_waivers(policy, today, paths, uses),
    )


# Rules that cannot match.


class Reach(msgspec.Struct, frozen=True):
    """The reach of one rule of a list.

    `possible` is False if its own conditions exclude each other. `takers` are the indexes of the
    earlier rules that together match everything it could match; empty if something is left.
    """

    possible: bool
    takers: tuple[int, ...] = ()


def reach(matchers: Sequence[Matcher], unknown: Severity) -> list[Reach]:
    """Return the reach of each rule, in order; `unknown` is compared as this severity.

    Try all combinations of the values of aspects whose values can be listed. For other aspects
    (text, a probability), count a condition as covered only if that is certain. So every rule that
    is called unreachable is.
    """
    kinds = [kind for category in Category for kind in _kinds(category, unknown)]
    met = [_met_by(matcher, kinds) for matcher in matchers]
    reached = []
    for index, matcher in enumerate(matchers):
        takers = [place for place in range(index) if _takes_in(matchers[place], matcher)]
        if _left(met, index, takers):
            takers = []
        for taker in list(takers):
            # Leave out rules that are not needed to cover this one.
            without = [place for place in takers if place != taker]
            takers = takers if _left(met, index, without) else without
        reached.append(Reach(bool(met[index]), tuple(takers)))
    return reached


def _left(met: Sequence[set[int]], index: int, takers: Iterable[int]) -> set[int]:
    """Return what a rule meets and none of the takers does."""
    return met[index].difference(*(met[taker] for taker in takers))


def _kinds(category: Category, unknown: Severity) -> Iterator[Mapping[str, object]]:
    """Yield each kind of finding of a category: a value for each aspect with listed values."""
    values = {
        aspect.key: aspect.possible(category, unknown) if category in aspect.categories else (None,)
        for aspect in ASPECTS
        if aspect.possible
    }
    return (dict(zip(values, kind, strict=True)) for kind in product(*values.values()))


def _met_by(matcher: Matcher, kinds: Sequence[Mapping[str, object]]) -> set[int]:
    """Return the indexes of the kinds of findings that meet the conditions with listed values."""
    conditions = [condition for condition in matcher.conditions if condition.aspect.possible]
    return {
        index
        for index, kind in enumerate(kinds)
        if kind["category"] in matcher.categories
        and all(
            (value := kind[aspect.key]) is not None and holds(value) for aspect, holds in conditions
        )
    }


def _takes_in(broad: Matcher, narrow: Matcher) -> bool:
    """Return True if the other conditions of `broad` certainly hold if those of `narrow` do."""
    for aspect, words in conditions_of(broad.match):
        if aspect.possible:
            continue
        if aspect.has_places and broad.every_place and not narrow.every_place:
            return False
        if not aspect.takes_in(words, words_of(narrow.match, aspect)):
            return False
    return True


def _unreachable(
    matchers: Sequence[Matcher], names: Sequence[str], above: KeyPath, unknown: Severity
) -> _Found:
    """Yield the flaws of a list in which the first match decides."""
    for index, reached in enumerate(reach(matchers, unknown)):
        path = (*above, index)
        if not reached.possible:
            yield from _impossible(matchers[index].match, (*path, "match"))
        elif reached.takers:
            takers = ", ".join(names[taker] for taker in reached.takers[:_TAKERS_SHOWN])
            more = len(reached.takers) - _TAKERS_SHOWN
            earlier = f"{takers} and {more} more" if more > 0 else takers
            yield path, f"{label(path)}: {names[index]} is never reached: covered by {earlier}"


def _impossible(match: Match, path: KeyPath) -> _Found:
    """Yield why no finding can meet all conditions of a rule."""
    categories = categories_of(Match(category=match.category))
    lacking = [
        aspect for aspect, _ in conditions_of(match) if categories.isdisjoint(aspect.categories)
    ]
    for aspect in lacking:
        where = (*path, aspect.key)
        having = " and ".join(item.value for item in Category if item in aspect.categories)
        yield where, f"{label(where)}: never matches: only {having} findings have `{aspect.key}`"
    if not lacking:
        words = shorten(match_words(match), _WIDTH)
        yield path, f"{label(path)}: never matches: no finding can meet all of {words}"


def _unmatched(patterns: Sequence[str], paths: Sequence[str] | None) -> bool:
    """Return True if the files of the project are known, and none of them matches."""
    return paths is not None and not any(map(path_test(patterns), paths))


def _licenses(section: LicenseSection, today: date) -> _Found:
    """Yield deprecated ids, and exceptions that have expired."""
    texts: dict[KeyPath, str] = {
        ("licenses", name, index): text
        for name in ("allow", "review", "deny")
        for index, text in enumerate(getattr(section, name))
    }
    for index, clarification in enumerate(section.clarify):
        texts["licenses", "clarify", index, "expression"] = clarification.expression
    for index, exception in enumerate(section.exceptions):
        path = ("licenses", "exceptions", index)
        for place, text in enumerate(exception.allow):
            texts[(*path, "allow", place)] = text
        if date.fromisoformat(exception.expires) < today:
            end = (*path, "expires")
            yield end, f"{label(end)}: the exception expired on {exception.expires}"
    for text_path, text in texts.items():
        for word in _EXPRESSION_WORD.findall(text):
            current = canonical(word)
            if current and current.lower() != word.lower():
                yield text_path, f"{label(text_path)}: {word} is deprecated: write {current}"


# Waivers.


def _waivers(
    policy: Policy, today: date, paths: Sequence[str] | None, uses: Sequence[WaiverUse]
) -> Iterator[Flaw]:
    unused = {use.waiver for use in uses if use.status is WaiverStatus.UNUSED}
    most = policy.file.waivers.max_days
    for waiver in policy.waivers:
        ids = ", ".join(waiver.ids)
        selectors = (ids, waiver.purl, waiver.versions, waiver.path, waiver.fingerprint)
        name = shorten(one_line(" ".join(filter(None, selectors))), _WIDTH)
        left = (waiver.expires - today).days
        state = ""
        if left < 0:
            state = f"expired on {waiver.expires}"
        elif left > most:
            state = f"has no effect yet: it ends in {left} days, but the policy allows {most}"
        elif waiver in unused:
            state = "matches no finding of the report"
        elif waiver.path and _unmatched([waiver.path], paths):
            state = "matches no file of the project"
        if state:
            yield Flaw(waiver.place, f"the waiver of {name} {state}")
