"""What types cannot say of a policy: ids that repeat, names, patterns, dates, licences, targets."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from scanagg.core.yaml import Document, KeyPath, Problem
from scanagg.policy import licenses
from scanagg.policy.schema import (
    Clarification,
    GraceByLevel,
    LicenseException,
    Match,
    Parent,
    PolicyFile,
    WaiverEntry,
    WaiverFile,
)
from scanagg.policy.typed import label, quoted, suggestion
from scanagg.policy.values import (
    Wrong,
    blank_problem,
    date_problem,
    expression_problem,
    fingerprint_problem,
    id_problem,
    matches_everything,
    path_problem,
    purl_problem,
    versions_problem,
)

_RESERVED: Final = "default"


def check(file: PolicyFile, document: Document, scanners: Collection[str]) -> list[Problem]:
    """Every mistake in a policy whose keys and types are right. `scanners` are all that exist."""
    found = (
        *_parents(file.extends),
        *_scanner_entries(file, scanners),
        *_rule_ids(file),
        *_graces(file),
        *_matches(file, scanners),
        *_lists(file),
        *_clarifications(file.licenses.clarify),
        *_exceptions(file.licenses.exceptions),
        *_waivers(file.waivers.items, ("waivers", "items")),
    )
    return _placed(found, document)


def check_waivers(file: WaiverFile, document: Document) -> list[Problem]:
    """The same of a file of waivers."""
    return _placed(_waivers(file.items, ("items",)), document)


# Where, whether it is the key that is wrong there, what, and what would be right.
_Found = tuple[KeyPath, bool, str, str]


def _placed(found: Iterable[_Found], document: Document) -> list[Problem]:
    return sorted(
        Problem(document.at_key(path) if is_key else document.at(path), message, hint)
        for path, is_key, message, hint in found
    )


def _parents(parents: Sequence[Parent]) -> Iterator[_Found]:
    for index, parent in enumerate(parents):
        path = ("extends", index)
        if (parent.file is None) == (parent.name is None):
            hint = "write {file: PATH, sha256: HASH}, or {name: strict} for a ready-made policy"
            yield path, False, f"{label(path)}: give either a file or a name", hint
        elif parent.file is None and parent.sha256:
            hint = "remove it: a ready-made policy comes with this program"
            yield (*path, "sha256"), True, f"{label(path)}.sha256: a name takes no sha256", hint
        elif parent.file and not parent.sha256:
            hint = f"sha256: what `sha256sum` prints for {quoted(parent.file)}"
            yield path, False, f"{label(path)}: 'sha256' is missing", hint


def _scanner_entries(file: PolicyFile, scanners: Collection[str]) -> Iterator[_Found]:
    hint = f"scanners are {', '.join(scanners)}"
    for name, entry in file.scanners.items():
        path = ("scanners", name)
        if name not in scanners:
            near = suggestion(name, scanners)
            yield path, True, f"scanners: no scanner is called {quoted(name)}{near}", hint
        if entry.when:
            yield from _globs(entry.when.exists, (*path, "when", "exists"))


def _rule_ids(file: PolicyFile) -> Iterator[_Found]:
    seen: set[str] = set()
    for index, rule in enumerate(file.rules):
        path = ("rules", index, "id")
        if rule.id == _RESERVED:
            yield path, False, f"{label(path)}: {_RESERVED!r} is the rule for all others", ""
        elif rule.id in seen:
            yield path, False, f"{label(path)}: two rules are called {rule.id!r}", ""
        seen.add(rule.id)


def _graces(file: PolicyFile) -> Iterator[_Found]:
    for index, rule in enumerate(file.rules):
        path = ("rules", index, "grace")
        if rule.grace is not None and rule.action != "block":
            hint = "grace turns block into warn for a time: write action: block, or no grace"
            yield path, True, f"{label(path)}: the action is {rule.action}, not block", hint
        if rule.grace == GraceByLevel():
            hint = "such as {critical: 7d, high: 30d}"
            yield path, False, f"{label(path)}: got {{}}, expected a time for some severity", hint


def _matches(file: PolicyFile, scanners: Collection[str]) -> Iterator[_Found]:
    for index, rule in enumerate(file.rules):
        yield from _match(rule.match, ("rules", index, "match"), scanners)
    for index, override in enumerate(file.severity.override):
        path = ("severity", "override", index)
        yield from _match(override.match, (*path, "match"), scanners)
        yield from _value(override.reason, (*path, "reason"), blank_problem)


def _match(match: Match, path: KeyPath, scanners: Collection[str]) -> Iterator[_Found]:
    for where, name in _values(match.scanner, (*path, "scanner")):
        if name not in scanners:
            near = suggestion(name, scanners)
            hint = f"scanners are {', '.join(scanners)}"
            yield where, False, f"{label(where)}: no scanner is called {quoted(name)}{near}", hint
    for where, pattern in _values(match.path, (*path, "path")):
        yield from _glob(pattern, where)


def _values(wanted: str | tuple[str, ...] | None, path: KeyPath) -> list[tuple[KeyPath, str]]:
    """Each word of a condition with its place; a single word stands at the condition's own."""
    if isinstance(wanted, tuple):
        return [((*path, index), word) for index, word in enumerate(wanted)]
    return [] if wanted is None else [(path, wanted)]


def _globs(patterns: Sequence[str], path: KeyPath) -> Iterator[_Found]:
    if not patterns:
        yield path, False, f"{label(path)}: an empty list matches nothing", ""
    for where, pattern in _values(tuple(patterns), path):
        yield from _glob(pattern, where)


def _glob(pattern: str, path: KeyPath) -> Iterator[_Found]:
    yield from _value(pattern, path, path_problem)


def _value(
    text: str | None, path: KeyPath, problem: Callable[[str], Wrong | None]
) -> Iterator[_Found]:
    """One value held to one of the checks of single values; nothing where it is not given."""
    wrong = None if text is None else problem(text)
    if wrong:
        yield path, False, f"{label(path)}: {quoted(text)} {wrong[0]}", wrong[1]


def _lists(file: PolicyFile) -> Iterator[_Found]:
    said = file.licenses
    if not (said.allow or said.review or said.deny):
        return
    for problem in licenses.check_lists(said.allow, said.review, said.deny):
        path = ("licenses", problem.list, problem.index)
        hint = "licences are SPDX ids: https://spdx.org/licenses/"
        yield path, False, f"{label(path)}: {problem.message}", hint


def _clarifications(entries: Sequence[Clarification]) -> Iterator[_Found]:
    for index, entry in enumerate(entries):
        path = ("licenses", "clarify", index)
        yield from _value(entry.purl, (*path, "purl"), purl_problem)
        yield from _value(entry.versions, (*path, "versions"), versions_problem)
        yield from _value(entry.expression, (*path, "expression"), expression_problem)


def _exceptions(entries: Sequence[LicenseException]) -> Iterator[_Found]:
    for index, entry in enumerate(entries):
        path = ("licenses", "exceptions", index)
        yield from _value(entry.purl, (*path, "purl"), purl_problem)
        if not entry.allow:
            yield (*path, "allow"), False, f"{label((*path, 'allow'))}: names no licence", ""
        for problem in licenses.check_lists(entry.allow, (), ()):
            where = (*path, "allow", problem.index)
            yield where, False, f"{label(where)}: {problem.message}", "such as LGPL-3.0-or-later"
        yield from _word_of(entry, path)


def _word_of(entry: LicenseException | WaiverEntry, path: KeyPath) -> Iterator[_Found]:
    """Whose word an entry is, why, and until when."""
    yield from _value(entry.owner, (*path, "owner"), blank_problem)
    yield from _value(entry.reason, (*path, "reason"), blank_problem)
    yield from _value(entry.expires, (*path, "expires"), date_problem)


def _waivers(entries: Sequence[WaiverEntry], above: KeyPath) -> Iterator[_Found]:
    for index, entry in enumerate(entries):
        path = (*above, index)
        for at, each in enumerate(entry.ids):
            yield from _value(each, (*path, "ids", at), id_problem)
        yield from _value(entry.purl, (*path, "purl"), purl_problem)
        yield from _value(entry.versions, (*path, "versions"), versions_problem)
        yield from _value(entry.path, (*path, "path"), path_problem)
        yield from _value(entry.fingerprint, (*path, "fingerprint"), fingerprint_problem)
        yield from _word_of(entry, path)
        yield from _target(entry, path)


def _target(entry: WaiverEntry, path: KeyPath) -> Iterator[_Found]:
    """Whether an entry says which findings it means."""
    hint = "give at least one of purl, path and fingerprint"
    if entry.purl is None and entry.path is None and entry.fingerprint is None:
        yield path, False, f"{label(path)}: the waiver has no target", hint
    elif not (entry.ids or entry.purl or entry.fingerprint) and matches_everything(entry.path):
        where = (*path, "path")
        message = f"{label(where)}: {quoted(entry.path)} alone would waive every finding"
        yield where, False, message, "name ids as well, or the files that are meant"
