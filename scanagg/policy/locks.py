"""Find the keys of a policy that are looser than a parent's lock allows.

Each function yields the path of such a key, and what the lock allows, in words that follow "is
locked to".
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import reduce
from typing import Final, TypeVar

from scanagg.core.yaml import KeyPath
from scanagg.model import Confidence, LicenseVerdict, Severity
from scanagg.policy.aspects import ASPECTS
from scanagg.policy.license_lists import LicenseLists, evaluate, lists_of
from scanagg.policy.schema import (
    GraceByLevel,
    LicenseSection,
    LockedWord,
    PolicyFile,
    RuleEntry,
    ScannerEntry,
    SeveritySection,
    span,
    words_of,
)
from scanagg.policy.typed import Section

Looser = Iterator[tuple[KeyPath, str]]
_T = TypeVar("_T")

_ACTIONS: Final = ("block", "warn", "info")
_STRICTEST_FIRST: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("enforcement",): ("block", "warn"),
    ("default",): _ACTIONS,
    ("enrichment", "kev"): ("required", "optional"),
    ("enrichment", "epss"): ("required", "optional"),
    ("new_code", "edited"): ("new", "existing"),
    ("waivers", "unused"): ("block", "warn", "ignore"),
    ("waivers", "in_source"): ("forbid", "report", "allow"),
    ("licenses", "classifiers"): ("all", "any"),
}
"""The values of keys that have an order, the strictest first."""
_LIMITS: Final[Mapping[str, tuple[str, ...]]] = {
    "enrichment": ("max_age",),
    "waivers": ("max_days", "max_in_source"),
}
"""The keys of sections that limit a number or a time."""


def locked_scanner(child: ScannerEntry, parent: ScannerEntry) -> Iterator[tuple[str, str]]:
    """Yield the keys of a scanner's entry that are looser than in the locked entry."""
    globs = parent.when.exists if parent.when else ()
    # Without a condition of the parent, any condition is narrower.
    is_narrower = child.when and not set(globs or ("",)) <= set(child.when.exists)
    if parent.required and not child.required:
        yield "required", "true"
    if child.min_audited < parent.min_audited:
        yield "min_audited", f"{parent.min_audited} or more"
    limits = ("max_skipped", "max_errors", "max_unread", "db_max_age")
    yield from _limits(child, parent, limits)
    if _number(child.most_unlocked) > _number(parent.most_unlocked):
        yield "max_unlocked", f"{parent.most_unlocked} or less"
    if _on_failure(parent) == "block" != _on_failure(child):
        yield "on_failure", "block"
    if is_narrower:
        yield "when", f"at least {', '.join(globs)}" if globs else "no condition"


def locked_rule(child: RuleEntry, parent: RuleEntry) -> Iterator[tuple[str, str]]:
    """Yield the keys of a rule that are looser than in the locked rule with the same id."""
    if _ACTIONS.index(child.action) > _ACTIONS.index(parent.action):
        yield "action", parent.action
    times = zip(_grace(child.grace), _grace(parent.grace), strict=True)
    if any(mine > theirs for mine, theirs in times):
        yield "grace", "a shorter time" if parent.grace else "no grace"
    narrower = [
        aspect.key
        for aspect in ASPECTS
        if (mine := words_of(child.match, aspect))
        and not aspect.takes_in(mine, words_of(parent.match, aspect))
    ]
    if narrower:
        yield "match", f"all findings that match there: {', '.join(narrower)} leaves some out"


def locked_section(
    key: LockedWord, child: PolicyFile, parent: PolicyFile, approvers: Collection[str]
) -> Looser:
    """Yield the looser keys of a locked section; `approvers` can own licence exceptions."""
    for path, words in _STRICTEST_FIRST.items():
        word, strictest = reduce(getattr, path, child), reduce(getattr, path, parent)
        if path[0] == key and words.index(str(word)) > words.index(str(strictest)):
            yield path, str(strictest)
    mine, theirs = getattr(child, key), getattr(parent, key)
    for limit, allowed in _limits(mine, theirs, _LIMITS.get(key, ())):
        yield (key, limit), allowed
    if key == "new_code" and mine.against != theirs.against:
        yield ("new_code", "against"), theirs.against
    elif key == "severity":
        yield from _severity(mine, theirs)
    elif key == "licenses":
        yield from _licenses(mine, theirs, approvers)


def _severity(mine: SeveritySection, theirs: SeveritySection) -> Looser:
    if mine.sources != theirs.sources:
        yield ("severity", "sources"), ", ".join(theirs.sources)
    if Severity(mine.unknown).order > Severity(theirs.unknown).order:
        yield ("severity", "unknown"), f"{theirs.unknown} or higher"
    least = theirs.bandit.min_confidence
    if Confidence(mine.bandit.min_confidence).order < Confidence(least).order:
        yield ("severity", "bandit", "min_confidence"), f"{least} or lower"
    for index, _ in _added(mine.override, theirs.override):
        yield ("severity", "override", index), "its own overrides"


def _licenses(mine: LicenseSection, theirs: LicenseSection, approvers: Collection[str]) -> Looser:
    ours, parents = _lists(mine), _lists(theirs)
    if parents.closed and not ours.closed:
        yield ("licenses", "allow"), "a list with at least one licence"
    terms = {*ours.exact, *ours.covered, *parents.exact, *parents.covered}
    for term in sorted(map(str, terms)):
        verdict, locked = evaluate(term, ours).verdict, evaluate(term, parents).verdict
        if verdict.order < locked.order:
            # Name the entry of the list that gives this verdict; the list if it has no such entry.
            names = {LicenseVerdict.ALLOW: "allow", LicenseVerdict.REVIEW: "review"}
            name = names.get(verdict, "deny")
            entries = getattr(mine, name)
            entry = (entries.index(term),) if term in entries else ()
            yield ("licenses", name, *entry), f"{locked.value} for {term}, or stricter"
    for index, _ in _added(mine.clarify, theirs.clarify):
        yield ("licenses", "clarify", index), "its own clarifications"
    for index, exception in _added(mine.exceptions, theirs.exceptions):
        if exception.owner not in approvers:
            owners = f", or exceptions of {', '.join(sorted(approvers))}" if approvers else ""
            yield ("licenses", "exceptions", index), f"its own exceptions{owners}"


def _lists(section: LicenseSection) -> LicenseLists:
    return lists_of(section.allow, section.review, section.deny, section.classifiers)


def _added(mine: Sequence[_T], theirs: Sequence[_T]) -> Iterator[tuple[int, _T]]:
    """Yield the entries that only the child has, each after its index."""
    return ((index, entry) for index, entry in enumerate(mine) if entry not in theirs)


def _limits(child: Section, parent: Section, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the limits on a number or a time that are higher than the parent's."""
    for key in keys:
        most = getattr(parent, key)
        if _number(getattr(child, key)) > _number(most):
            yield key, f"{most} or less"


def _number(limit: int | str | None) -> float:
    """Return a limit as a number, a time in seconds; None and "any" mean no limit."""
    if limit is None or limit == "any":
        return float("inf")
    return span(limit).total_seconds() if isinstance(limit, str) else limit


def _on_failure(entry: ScannerEntry) -> str:
    return entry.on_failure or ("block" if entry.required else "warn")


def _grace(grace: str | GraceByLevel | None) -> list[timedelta]:
    """Return the grace time of each severity, 0 for none."""
    levels = GraceByLevel.__struct_fields__
    if isinstance(grace, GraceByLevel):
        durations = [getattr(grace, level) for level in levels]
    else:
        durations = [grace] * len(levels)
    return [span(duration) if duration else timedelta() for duration in durations]
