"""Whether a policy is looser than a parent that locks something: each key by its own order.

Every function yields the path of what is looser, from the section on, and what the lock allows, in
words that follow "is locked to".
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from scanagg.core.yaml import KeyPath
from scanagg.model import LicenseVerdict, Severity
from scanagg.policy.licenses.lists import LicenseLists, evaluate, lists_of
from scanagg.policy.schema import (
    GraceByLevel,
    LicenseSection,
    LockedWord,
    Match,
    PolicyFile,
    RuleEntry,
    ScannerEntry,
)

Looser = Iterator[tuple[KeyPath, str]]

# Strictest first.
_ACTIONS: Final = ("block", "warn", "info")
_UNUSED: Final = ("block", "warn", "ignore")
_IN_SOURCE: Final = ("forbid", "report", "allow")
_HOURS: Final = {"h": 1, "d": 24, "w": 24 * 7}
_LEVELS: Final = ("critical", "high", "medium", "low", "info")
_CONFIDENCES: Final = ("low", "medium", "high")
_SYNONYMS: Final = {"vuln": "vulnerability", "iac": "misconfiguration"}


def locked_section(
    key: LockedWord, child: PolicyFile, parent: PolicyFile, approvers: Collection[str]
) -> Looser:
    """What is looser in a section that is locked as a whole; `approvers` may grant exceptions."""
    if key == "licenses":
        return _licenses(child.licenses, parent.licenses, approvers)
    return _SECTIONS[key](child, parent)


def locked_scanner(child: ScannerEntry, parent: ScannerEntry) -> Iterator[tuple[str, str]]:
    """The keys of a scanner's entry that are looser."""
    if parent.required and not child.required:
        yield "required", "true"
    if child.min_audited < parent.min_audited:
        yield "min_audited", f"{parent.min_audited} or more"
    for key in ("max_skipped", "max_errors"):
        most = getattr(parent, key)
        if _number(getattr(child, key)) > _number(most):
            yield key, f"{most} or less"
    if _longer(child.db_max_age, parent.db_max_age):
        yield "db_max_age", f"{parent.db_max_age} or less"
    if _on_failure(parent) == "block" != _on_failure(child):
        yield "on_failure", "block"
    wanted = parent.when.exists if parent.when else ()
    if child.when and not (wanted and set(wanted) <= set(child.when.exists)):
        yield "when", f"at least {', '.join(wanted)}" if wanted else "no condition"


def locked_rule(child: RuleEntry, parent: RuleEntry) -> Iterator[tuple[str, str]]:
    """The keys of a rule that are looser than those of the locked rule with the same id."""
    if _ACTIONS.index(child.action) > _ACTIONS.index(parent.action):
        yield "action", parent.action
    if any(_longer_grace(child.grace, parent.grace, level) for level in _LEVELS):
        yield "grace", "a shorter one" if parent.grace else "none"
    narrower = [key for key in Match.__struct_fields__ if _narrower(child.match, parent.match, key)]
    if narrower:
        yield "match", f"what it matches: {', '.join(narrower)} would leave something out"


def _enforcement(child: PolicyFile, parent: PolicyFile) -> Looser:
    if parent.enforcement == "block" != child.enforcement:
        yield ("enforcement",), "block"


def _default(child: PolicyFile, parent: PolicyFile) -> Looser:
    if _ACTIONS.index(child.default) > _ACTIONS.index(parent.default):
        yield ("default",), parent.default


def _enrichment(child: PolicyFile, parent: PolicyFile) -> Looser:
    mine, theirs = child.enrichment, parent.enrichment
    for key in ("kev", "epss"):
        if getattr(theirs, key) == "required" != getattr(mine, key):
            yield ("enrichment", key), "required"
    if _longer(mine.max_age, theirs.max_age):
        yield ("enrichment", "max_age"), f"{theirs.max_age} or less"


def _new_code(child: PolicyFile, parent: PolicyFile) -> Looser:
    if child.new_code.against != parent.new_code.against:
        yield ("new_code", "against"), parent.new_code.against
    if parent.new_code.edited == "new" != child.new_code.edited:
        yield ("new_code", "edited"), "new"


def _severity(child: PolicyFile, parent: PolicyFile) -> Looser:
    mine, theirs = child.severity, parent.severity
    if mine.sources != theirs.sources:
        yield ("severity", "sources"), ", ".join(theirs.sources)
    if Severity(mine.unknown).order > Severity(theirs.unknown).order:
        yield ("severity", "unknown"), f"{theirs.unknown} or higher"
    least = theirs.bandit.min_confidence
    if _CONFIDENCES.index(mine.bandit.min_confidence) > _CONFIDENCES.index(least):
        yield ("severity", "bandit", "min_confidence"), f"{least} or lower"
    for index, override in enumerate(mine.override):
        if override not in theirs.override:
            yield ("severity", "override", index), "the overrides that it has itself"


def _waivers(child: PolicyFile, parent: PolicyFile) -> Looser:
    mine, theirs = child.waivers, parent.waivers
    if mine.max_days > theirs.max_days:
        yield ("waivers", "max_days"), f"{theirs.max_days} or less"
    if _UNUSED.index(mine.unused) > _UNUSED.index(theirs.unused):
        yield ("waivers", "unused"), theirs.unused
    if _IN_SOURCE.index(mine.in_source) > _IN_SOURCE.index(theirs.in_source):
        yield ("waivers", "in_source"), theirs.in_source
    most = theirs.max_in_source
    if most is not None and (mine.max_in_source is None or mine.max_in_source > most):
        yield ("waivers", "max_in_source"), f"{most} or less"


_SECTIONS: Final[Mapping[str, Callable[[PolicyFile, PolicyFile], Looser]]] = {
    "enforcement": _enforcement,
    "default": _default,
    "enrichment": _enrichment,
    "new_code": _new_code,
    "severity": _severity,
    "waivers": _waivers,
}


def _licenses(mine: LicenseSection, theirs: LicenseSection, approvers: Collection[str]) -> Looser:
    ours, parents = _lists(mine), _lists(theirs)
    if parents.closed and not ours.closed:
        yield ("licenses", "allow"), "a list of what is allowed"
    terms = {*ours.exact, *ours.covered, *parents.exact, *parents.covered}
    for term in sorted(map(str, terms)):
        found, wanted = evaluate(term, ours).verdict, evaluate(term, parents).verdict
        if found.order < wanted.order:
            path = ("licenses", *_listed(term, mine, found))
            yield path, f"{wanted.value} for {term}, or stricter"
    if mine.classifiers == "any" != theirs.classifiers:
        yield ("licenses", "classifiers"), "all"
    for index, clarification in enumerate(mine.clarify):
        if clarification not in theirs.clarify:
            yield ("licenses", "clarify", index), "the clarifications that it has itself"
    for index, exception in enumerate(mine.exceptions):
        if exception not in theirs.exceptions and exception.owner not in approvers:
            allowed = f"exceptions of {', '.join(sorted(approvers)) or 'its own'}"
            yield ("licenses", "exceptions", index), allowed


def _lists(said: LicenseSection) -> LicenseLists:
    return lists_of(said.allow, said.review, said.deny, said.classifiers)


def _listed(term: str, said: LicenseSection, verdict: LicenseVerdict) -> tuple[str | int, ...]:
    """Where a term stands in the list that gives this verdict, or the list, as far as known."""
    name = {LicenseVerdict.ALLOW: "allow", LicenseVerdict.REVIEW: "review"}.get(verdict, "deny")
    entries = getattr(said, name)
    return (name, entries.index(term)) if term in entries else (name,)


def _number(most: int | str) -> float:
    return float("inf") if most == "any" else float(most)


def _hours(duration: str) -> int:
    return int(duration[:-1]) * _HOURS[duration[-1]]


def _longer(mine: str | None, theirs: str | None) -> bool:
    """Whether a bound on a time is looser; None is no bound."""
    return theirs is not None and (mine is None or _hours(mine) > _hours(theirs))


def _on_failure(entry: ScannerEntry) -> str:
    return entry.on_failure or ("block" if entry.required else "warn")


def _longer_grace(
    mine: str | GraceByLevel | None, theirs: str | GraceByLevel | None, level: str
) -> bool:
    return _grace(mine, level) > _grace(theirs, level)


def _grace(given: str | GraceByLevel | None, level: str) -> int:
    """Hours of grace for a severity; none is 0."""
    duration = getattr(given, level) if isinstance(given, GraceByLevel) else given
    return _hours(duration) if duration else 0


def _narrower(child: Match, parent: Match, key: str) -> bool:
    """Whether a condition of the child leaves out something that the parent's takes in."""
    mine, theirs = getattr(child, key), getattr(parent, key)
    if mine is None:
        return False
    if theirs is None:
        return True
    if key == "epss":
        return float(mine[2:]) > float(theirs[2:])
    return not _words(theirs) <= _words(mine)


def _words(wanted: object) -> frozenset[object]:
    """The single values that a condition accepts, levels written out."""
    found: set[object] = set()
    for word in wanted if isinstance(wanted, tuple) else (wanted,):
        if isinstance(word, str) and word.startswith(">="):
            found.update(_LEVELS[: _LEVELS.index(word[2:]) + 1])
        else:
            found.add(_SYNONYMS.get(word, word) if isinstance(word, str) else word)
    return frozenset(found)
