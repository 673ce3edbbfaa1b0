"""What a valid policy says in vain: rules nothing can reach, waivers without effect, old ids."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

import msgspec

from scanagg.core.text import one_line, shorten
from scanagg.core.yaml import Document, KeyPath
from scanagg.model import Severity, Waiver, WaiverUse
from scanagg.policy.licenses import spdx
from scanagg.policy.licenses.spdx import SpdxError
from scanagg.policy.paths import globs
from scanagg.policy.reach import homeless, reach
from scanagg.policy.rules import Condition, described
from scanagg.policy.schema import Match, Policy, PolicyFile
from scanagg.policy.typed import label

_EXPRESSION_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*\+?")
_OPERATORS: Final = frozenset(("AND", "OR", "WITH"))
_TAKERS_SHOWN: Final = 3
_WIDTH: Final = 100


class Flaw(msgspec.Struct, frozen=True):
    """Something a policy says without effect: `place` is `file:line:column`, or `file:line`."""

    place: str
    message: str


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy is held against; None and empty where there is nothing to hold it against.

    `paths` are the files of a project. `uses` are the waivers as a report's findings use them.
    """

    today: date
    paths: Sequence[str] | None = None
    uses: Sequence[WaiverUse] = ()


_Found = Iterator[tuple[KeyPath, str]]


def lint(policy: Policy, document: Document, shown: str, ground: Ground) -> tuple[Flaw, ...]:
    """Every flaw of the file that `document` is, in the order of its lines; then its waivers'.

    `shown` is what the file is called. `policy` is the file loaded, with its parents taken in: what
    these say is not this file's flaw.
    """
    file = policy.file
    found = [
        *_rules(file, document),
        *_overrides(file, document),
        *_scanners(file, document, ground.paths),
        *_old_ids(file, document),
        *_exceptions(file, document, ground.today),
    ]
    placed = sorted((document.at(path), message) for path, message in found)
    where = one_line(shown)
    return (
        *(Flaw(f"{where}:{mark.line}:{mark.column}", text) for mark, text in placed),
        *_waivers(policy, ground),
    )


# Rules that cannot match.


def _rules(file: PolicyFile, document: Document) -> _Found:
    conditions = [Condition(rule.match, rule.action != "block") for rule in file.rules]
    names = [rule.id for rule in file.rules]
    yield from _list_of(conditions, names, ("rules",), file, document)


def _overrides(file: PolicyFile, document: Document) -> _Found:
    conditions = [Condition(each.match, True) for each in file.severity.override]
    names = [f"number {place + 1}" for place in range(len(conditions))]
    yield from _list_of(conditions, names, ("severity", "override"), file, document)


def _list_of(
    conditions: Sequence[Condition],
    names: Sequence[str],
    above: KeyPath,
    file: PolicyFile,
    document: Document,
) -> _Found:
    """What is wrong with one list in which the first that matches decides."""
    reached = reach(conditions, Severity(file.severity.unknown))
    for index, (condition, found) in enumerate(zip(conditions, reached, strict=True)):
        path = (*above, index)
        if path not in document.values:
            return  # from here on they are the parents'
        if not found.possible:
            yield from _impossible(condition.match, (*path, "match"))
        elif found.takers:
            takers = [repr(names[taker]) for taker in found.takers]
            shown = ", ".join(takers[:_TAKERS_SHOWN])
            more = len(takers) - _TAKERS_SHOWN
            before = f"{shown} and {more} more take" if more > 0 else f"{shown} take"
            verb = before if len(takers) > 1 else f"{before}s"
            yield path, f"{label(path)}: {names[index]!r} can never match: {verb} all of it before"


def _impossible(match: Match, path: KeyPath) -> _Found:
    """Why no finding can meet all conditions of a rule."""
    reasons = list(homeless(match))
    for name, having in reasons:
        where = (*path, name)
        yield where, f"{label(where)}: can never match: only {having} findings have that"
    if not reasons:
        words = shorten(described(match), _WIDTH)
        yield path, f"{label(path)}: can never match: no finding can meet all of {words}"


def _scanners(file: PolicyFile, document: Document, paths: Sequence[str] | None) -> _Found:
    """Required scanners that no file of the project asks for."""
    for name, entry in file.scanners.items():
        path = ("scanners", name, "when")
        if paths is None or entry.when is None or not entry.required:
            continue
        if path in document.values and not _any_matches(entry.when.exists, paths):
            yield path, f"{label(path)}: no file of the project matches: it is never required"


def _any_matches(patterns: Iterable[str], paths: Iterable[str]) -> bool:
    return any(map(globs(patterns).match_file, paths))


# Licences.


def _old_ids(file: PolicyFile, document: Document) -> _Found:
    """Ids that the SPDX list has replaced: they are read as what stands for them now."""
    for path, text in _license_texts(file):
        if path in document.values:
            for word, now in _replaced(text):
                message = f"{word} is deprecated: it is read as {now}"
                yield path, f"{label(path)}: {message}, write that"


def _license_texts(file: PolicyFile) -> Iterator[tuple[KeyPath, str]]:
    said = file.licenses
    for name in ("allow", "review", "deny"):
        for index, text in enumerate(getattr(said, name)):
            yield ("licenses", name, index), text
    for index, exception in enumerate(said.exceptions):
        for place, text in enumerate(exception.allow):
            yield ("licenses", "exceptions", index, "allow", place), text
    for index, clarification in enumerate(said.clarify):
        yield ("licenses", "clarify", index, "expression"), clarification.expression


def _replaced(text: str) -> Iterator[tuple[str, str]]:
    for word in _EXPRESSION_WORD.findall(text):
        if word.upper() in _OPERATORS:
            continue
        try:
            now = str(spdx.parse(word))
        except SpdxError:
            continue  # loading refuses it, with the reason
        if now.lower() != word.lower():
            yield word, now


def _exceptions(file: PolicyFile, document: Document, today: date) -> _Found:
    for index, entry in enumerate(file.licenses.exceptions):
        path = ("licenses", "exceptions", index, "expires")
        if date.fromisoformat(entry.expires) < today and path in document.values:
            yield path, f"{label(path)}: it ended on {entry.expires}: it has no effect"


# Waivers.


def _waivers(policy: Policy, ground: Ground) -> Iterator[Flaw]:
    unused = {use.waiver for use in ground.uses if use.status == "unused"}
    most = policy.file.waivers.max_days
    for waiver in policy.waivers:
        words = f"the waiver of {_named(waiver)}"
        left = (waiver.expires - ground.today).days
        if left < 0:
            yield Flaw(waiver.place, f"{words} expired on {waiver.expires}: it has no effect")
        elif left > most:
            end = f"ends {left} days from now, the policy allows {most}"
            yield Flaw(waiver.place, f"{words} {end}: it has no effect yet")
        elif waiver in unused:
            yield Flaw(waiver.place, f"{words} matches no finding of the report")
        elif _misses(waiver, ground.paths):
            yield Flaw(waiver.place, f"{words}: no file of the project matches its path")


def _misses(waiver: Waiver, paths: Sequence[str] | None) -> bool:
    if waiver.path is None or paths is None:
        return False
    return not _any_matches((waiver.path,), paths)


def _named(waiver: Waiver) -> str:
    """A waiver by its selectors, short."""
    parts = (", ".join(waiver.ids), waiver.purl, waiver.versions, waiver.path, waiver.fingerprint)
    return shorten(one_line(" ".join(part for part in parts if part)), _WIDTH)
