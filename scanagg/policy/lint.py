"""The parts of a valid policy that have no effect: unreachable rules, ended waivers, old ids."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Final

import msgspec

from scanagg.core.text import one_line, shorten
from scanagg.core.yaml import Document, KeyPath
from scanagg.model import Category, Severity, WaiverStatus, WaiverUse
from scanagg.policy import spdx
from scanagg.policy.aspects import ASPECTS, globs
from scanagg.policy.rules import Matcher, categories_of, matcher_of_rule
from scanagg.policy.schema import Match, Policy, PolicyFile, conditions_of, match_words, words_of
from scanagg.policy.typed import label

_EXPRESSION_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\+?")
_OPERATORS: Final = frozenset(("AND", "OR", "WITH"))
_TAKERS_SHOWN: Final = 3
_WIDTH: Final = 100


class Flaw(msgspec.Struct, frozen=True):
    """Something a policy says without effect: `place` is `file:line:column`, or `file:line`."""

    place: str
    message: str


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The things that a policy is compared with; None and empty where there are none.

    `paths` are the files of a project. `uses` are the waivers as a report's findings use them.
    """

    today: date
    paths: Sequence[str] | None = None
    uses: Sequence[WaiverUse] = ()


_Found = Iterator[tuple[KeyPath, str]]


def lint(
    policy: Policy, document: Document, shown: str, surroundings: Surroundings
) -> tuple[Flaw, ...]:
    """Return every flaw of the file that `document` is by line, then those of waivers.

    `shown` is what the file is called. `policy` is the file loaded, with its parents taken in: what
    these say is not this file's flaw.
    """
    file = policy.file
    rules = [matcher_of_rule(rule.match, rule.action) for rule in file.rules]
    overrides = [Matcher(each.match, every_place=True) for each in file.severity.override]
    numbers = [f"number {place + 1}" for place in range(len(overrides))]
    unknown = Severity(file.severity.unknown)
    flaws = [
        *_unreachable(rules, [rule.id for rule in file.rules], ("rules",), unknown, document),
        *_unreachable(overrides, numbers, ("severity", "override"), unknown, document),
        *_scanners(file, surroundings.paths),
        *_old_ids(file),
        *_exceptions(file, surroundings.today),
    ]
    # What is not written in this file is its parents'.
    placed = sorted((document.at(path), text) for path, text in flaws if _is_in(path, document))
    where = one_line(shown)
    return (
        *(Flaw(f"{where}:{mark.line}:{mark.column}", text) for mark, text in placed),
        *_waivers(policy, surroundings),
    )


def _is_in(path: KeyPath, document: Document) -> bool:
    return path in document.values


# Rules that cannot match.


class Reach(msgspec.Struct, frozen=True):
    """The reach of one rule of a list.

    `possible` is false where its own conditions exclude each other; `takers` are the indexes of the
    earlier rules that leave nothing for it, none where something is left.
    """

    possible: bool
    takers: tuple[int, ...] = ()


def reach(matchers: Sequence[Matcher], unknown: Severity) -> list[Reach]:
    """Return what is left for each rule, in order; `unknown` is compared as this severity.

    All combinations are tried of the values that aspects can have, where these can be listed. Of
    other aspects (text, a likelihood) it is only known that one condition takes in another where
    that is certain, so a rule that is called unreachable is.
    """
    kinds = [kind for category in Category for kind in _kinds(category, unknown)]
    met = [_met_by(matcher, kinds) for matcher in matchers]
    reached = []
    for index, matcher in enumerate(matchers):
        takers = [
            earlier
            for earlier in range(index)
            if met[index] & met[earlier] and _takes_in(matchers[earlier], matcher)
        ]
        for taker in list(takers):
            # Name no more than it takes: what the others cover needs no further rule.
            others = [each for each in takers if each != taker]
            if met[index] <= set().union(*(met[each] for each in others)):
                takers = others
        is_taken = met[index] <= set().union(*(met[each] for each in takers))
        reached.append(Reach(bool(met[index]), tuple(takers) if is_taken else ()))
    return reached


def _kinds(category: Category, unknown: Severity) -> Iterator[Mapping[str, object]]:
    """Yield every kind of finding of a category: a value for each aspect that has a few."""
    values = {
        aspect.key: aspect.possible(category, unknown) if category in aspect.categories else (None,)
        for aspect in ASPECTS
        if aspect.possible
    }
    return (dict(zip(values, kind, strict=True)) for kind in product(*values.values()))


def _met_by(matcher: Matcher, kinds: Sequence[Mapping[str, object]]) -> set[int]:
    """Return the indexes of the kinds of findings that meet all conditions that these tell of."""
    conditions = [each for each in matcher.conditions if each.aspect.possible]
    return {
        index
        for index, kind in enumerate(kinds)
        if kind["category"] in matcher.categories
        and all(kind[each.aspect.key] is not None for each in conditions)
        and all(each.holds(kind[each.aspect.key]) for each in conditions)
    }


def _takes_in(broad: Matcher, narrow: Matcher) -> bool:
    """Return True if all that meets the texts of `narrow` certainly meets those of `broad`."""
    for aspect, words in conditions_of(broad.match):
        if aspect.possible:
            continue
        if aspect.has_places and broad.every_place and not narrow.every_place:
            return False
        if not aspect.takes_in(words, words_of(narrow.match, aspect)):
            return False
    return True


def _unreachable(
    matchers: Sequence[Matcher],
    names: Sequence[str],
    above: KeyPath,
    unknown: Severity,
    document: Document,
) -> _Found:
    """Yield what is wrong with one list in which the first that matches decides."""
    for index, reached in enumerate(reach(matchers, unknown)):
        path = (*above, index)
        if not _is_in(path, document):
            return  # from here on they are the parents'
        if not reached.possible:
            yield from _impossible(matchers[index].match, (*path, "match"))
        elif reached.takers:
            takers = [repr(names[taker]) for taker in reached.takers]
            shown = ", ".join(takers[:_TAKERS_SHOWN])
            more = len(takers) - _TAKERS_SHOWN
            before = f"{shown} and {more} more take" if more > 0 else f"{shown} take"
            verb = before if len(takers) > 1 else f"{before}s"
            yield path, f"{label(path)}: {names[index]!r} can never match: {verb} all of it before"


def _impossible(match: Match, path: KeyPath) -> _Found:
    """Yield why no finding can meet all conditions of a rule."""
    categories = categories_of(Match(category=match.category))
    lacking = [
        aspect for aspect, _ in conditions_of(match) if categories.isdisjoint(aspect.categories)
    ]
    for aspect in lacking:
        where = (*path, aspect.key)
        having = " and ".join(each.value for each in Category if each in aspect.categories)
        yield where, f"{label(where)}: can never match: only {having} findings have that"
    if not lacking:
        words = shorten(match_words(match), _WIDTH)
        yield path, f"{label(path)}: can never match: no finding can meet all of {words}"


def _scanners(file: PolicyFile, paths: Sequence[str] | None) -> _Found:
    """Yield required scanners that no file of the project asks for."""
    for name, entry in file.scanners.items():
        path = ("scanners", name, "when")
        if paths is None or entry.when is None or not entry.required:
            continue
        if not any(map(globs(entry.when.exists).match_file, paths)):
            yield path, f"{label(path)}: no file of the project matches: it is never required"


# Licences.


def _old_ids(file: PolicyFile) -> _Found:
    """Yield ids that the SPDX list has replaced: they are read as what stands for them now."""
    for path, text in _license_texts(file):
        for word in _EXPRESSION_WORD.findall(text):
            if word.upper() in _OPERATORS:
                continue
            try:
                now = str(spdx.parse(word))
            except spdx.SpdxError:
                continue  # loading refuses it, with the reason
            if now.lower() != word.lower():
                message = f"{word} is deprecated: it is read as {now}"
                yield path, f"{label(path)}: {message}, write that"


def _license_texts(file: PolicyFile) -> Iterator[tuple[KeyPath, str]]:
    section = file.licenses
    for name in ("allow", "review", "deny"):
        for index, text in enumerate(getattr(section, name)):
            yield ("licenses", name, index), text
    for index, exception in enumerate(section.exceptions):
        for place, text in enumerate(exception.allow):
            yield ("licenses", "exceptions", index, "allow", place), text
    for index, clarification in enumerate(section.clarify):
        yield ("licenses", "clarify", index, "expression"), clarification.expression


def _exceptions(file: PolicyFile, today: date) -> _Found:
    for index, entry in enumerate(file.licenses.exceptions):
        path = ("licenses", "exceptions", index, "expires")
        if date.fromisoformat(entry.expires) < today:
            yield path, f"{label(path)}: it ended on {entry.expires}: it has no effect"


# Waivers.


def _waivers(policy: Policy, surroundings: Surroundings) -> Iterator[Flaw]:
    unused = {use.waiver for use in surroundings.uses if use.status is WaiverStatus.UNUSED}
    paths = surroundings.paths
    most = policy.file.waivers.max_days
    for waiver in policy.waivers:
        ids = ", ".join(waiver.ids)
        selectors = (ids, waiver.purl, waiver.versions, waiver.path, waiver.fingerprint)
        name = shorten(one_line(" ".join(filter(None, selectors))), _WIDTH)
        words = f"the waiver of {name}"
        left = (waiver.expires - surroundings.today).days
        if left < 0:
            yield Flaw(waiver.place, f"{words} expired on {waiver.expires}: it has no effect")
        elif left > most:
            end = f"ends {left} days from now, the policy allows {most}"
            yield Flaw(waiver.place, f"{words} {end}: it has no effect yet")
        elif waiver in unused:
            yield Flaw(waiver.place, f"{words} matches no finding of the report")
        elif paths is not None and waiver.path is not None:
            matches = globs((waiver.path,)).match_file
            if not any(map(matches, paths)):
                yield Flaw(waiver.place, f"{words}: no file of the project matches its path")
