"""Find the keys of a policy that are looser than a parent's lock allows.

Each function yields the path of such a key, and what the lock allows, in words that follow "is
locked to".
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import reduce
from typing import Final

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


def locked_scanner(child: ScannerEntry, parent: ScannerEntry) -> Iterator[tuple[str, str]]:
    """Yield the keys of a scanner's entry that are looser than in the locked entry."""
    globs = parent.when.exists if parent.when else ()
    # Without a condition of the parent, any condition is narrower.
    is_narrower = child.when and not set(globs or ("",)) <= set(child.when.exists)
    checks = (
        ("required", parent.required and not child.required, "true"),
        ("min_audited", child.min_audited < parent.min_audited, f"{parent.min_audited} or more"),
        *(
            (
                key,
                _number(getattr(child, key)) > _number(getattr(parent, key)),
                _at_most(parent, key),
            )
            for key in ("max_skipped", "max_errors")
        ),
        (
            "db_max_age",
            _longer(child.db_max_age, parent.db_max_age),
            _at_most(parent, "db_max_age"),
        ),
        ("on_failure", _on_failure(parent) == "block" != _on_failure(child), "block"),
        ("when", is_narrower, f"at least {', '.join(globs)}" if globs else "no condition"),
    )
    return ((key, allowed) for key, is_looser, allowed in checks if is_looser)


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
        mine, theirs = reduce(getattr, path, child), reduce(getattr, path, parent)
        if path[0] == key and words.index(str(mine)) > words.index(str(theirs)):
            yield path, str(theirs)
    if key == "enrichment" and _longer(child.enrichment.max_age, parent.enrichment.max_age):
        yield ("enrichment", "max_age"), _at_most(parent.enrichment, "max_age")
    elif key == "new_code" and child.new_code.against != parent.new_code.against:
        yield ("new_code", "against"), parent.new_code.against
    elif key == "severity":
        yield from _severity(child.severity, parent.severity)
    elif key == "waivers":
        for name in ("max_days", "max_in_source"):
            if _number(getattr(child.waivers, name)) > _number(getattr(parent.waivers, name)):
                yield ("waivers", name), _at_most(parent.waivers, name)
    elif key == "licenses":
        yield from _licenses(child.licenses, parent.licenses, approvers)


def _severity(mine: SeveritySection, theirs: SeveritySection) -> Looser:
    if mine.sources != theirs.sources:
        yield ("severity", "sources"), ", ".join(theirs.sources)
    if Severity(mine.unknown).order > Severity(theirs.unknown).order:
        yield ("severity", "unknown"), f"{theirs.unknown} or higher"
    least = theirs.bandit.min_confidence
    if Confidence(mine.bandit.min_confidence).order < Confidence(least).order:
        yield ("severity", "bandit", "min_confidence"), f"{least} or lower"
    for index, override in enumerate(mine.override):
        if override not in theirs.override:
            yield ("severity", "override", index), "its own overrides"


def _licenses(mine: LicenseSection, theirs: LicenseSection, approvers: Collection[str]) -> Looser:
    ours, parents = _lists(mine), _lists(theirs)
    if parents.closed and not ours.closed:
        yield ("licenses", "allow"), "a list with at least one licence"
    terms = {*ours.exact, *ours.covered, *parents.exact, *parents.covered}
    for term in sorted(map(str, terms)):
        verdict, locked = evaluate(term, ours).verdict, evaluate(term, parents).verdict
        if verdict.order < locked.order:
            path = ("licenses", *_listed(term, mine, verdict))
            yield path, f"{locked.value} for {term}, or stricter"
    for index, clarification in enumerate(mine.clarify):
        if clarification not in theirs.clarify:
            yield ("licenses", "clarify", index), "its own clarifications"
    for index, exception in enumerate(mine.exceptions):
        if exception not in theirs.exceptions and exception.owner not in approvers:
            owners = f", or exceptions of {', '.join(sorted(approvers))}" if approvers else ""
            yield ("licenses", "exceptions", index), f"its own exceptions{owners}"


def _lists(section: LicenseSection) -> LicenseLists:
    return lists_of(section.allow, section.review, section.deny, section.classifiers)


def _listed(term: str, section: LicenseSection, verdict: LicenseVerdict) -> tuple[str | int, ...]:
    """Return the path of a term in the list that gives this verdict, or of the list."""
    name = {LicenseVerdict.ALLOW: "allow", LicenseVerdict.REVIEW: "review"}.get(verdict, "deny")
    entries = getattr(section, name)
    return (name, entries.index(term)) if term in entries else (name,)


def _at_most(section: Section, key: str) -> str:
    return f"{getattr(section, key)} or less"


def _number(most: int | str | None) -> float:
    """Return an upper limit as a number; None and "any" mean no limit."""
    return float("inf") if most is None or most == "any" else float(most)


def _longer(mine: str | None, theirs: str | None) -> bool:
    """Return True if a limit on a time is looser; None means no limit."""
    return theirs is not None and (mine is None or span(mine) > span(theirs))


def _on_failure(entry: ScannerEntry) -> str:
    return entry.on_failure or ("block" if entry.required else "warn")


def _grace(grace: str | GraceByLevel | None) -> list[timedelta]:
    """Return the grace time of each severity, 0 for none."""
    if isinstance(grace, GraceByLevel):
        durations = [getattr(grace, level) for level in GraceByLevel.__struct_fields__]
    else:
        durations = [grace] * len(GraceByLevel.__struct_fields__)
    return [span(duration) if duration else timedelta() for duration in durations]
