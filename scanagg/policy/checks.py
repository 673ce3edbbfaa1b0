"""Checks of what types cannot say of a policy: names, patterns, dates, licences, targets."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from scanagg.core.text import one_line
from scanagg.core.yaml import Document, KeyPath, Problem
from scanagg.policy import licenses, spdx
from scanagg.policy.aspects import glob_problem, path_problem, path_test, scanner_problem
from scanagg.policy.schema import (
    GraceByLevel,
    LicenseSection,
    Match,
    Parent,
    PolicyFile,
    WaiverEntry,
    WaiverFile,
    conditions_of,
)
from scanagg.policy.typed import Section, label, quoted

_RESERVED: Final = "default"

# `type/name` or `type/namespace/name`, as in the purl specification; %40 stands for @ in a name.
_PURL: Final = re.compile(r"pkg:([a-z][a-z0-9.+-]*)(?:/[^/\s@?#]+)+")
_PYPI: Final = "pkg:pypi/"
_PYPI_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# The version in front keeps scanners from taking a long hexadecimal number for a secret.
_FINGERPRINT: Final = re.compile(r"(?:v1:)?[0-9a-f]{12,64}")
# A pattern that matches all of these means everything, however it is written.
_PROBES: Final = ("a", "b.c", "d/e", "f/g/h.i")


class _Mistake(msgspec.Struct, frozen=True):
    """A mistake at a path, or at the key itself, and what would be right.

    `about` is the path that people are told, where that is another.
    """

    path: KeyPath
    message: str
    hint: str = ""
    at_key: bool = False
    about: KeyPath = ()


_Mistakes = Iterator[_Mistake]
# What is wrong with a value, in words that follow it, and what would be right.
_Wrong = tuple[str, str] | None


def check(file: PolicyFile, document: Document) -> list[Problem]:
    """Return every mistake in a policy whose keys and types are right."""
    return _placed(
        document,
        *_parents(file.extends),
        *_scanners(file),
        *_rules(file),
        *_licenses(file.licenses),
        *_waivers(file.waivers.items, ("waivers", "items")),
    )


def check_waivers(file: WaiverFile, document: Document) -> list[Problem]:
    """Return every mistake in a file of waivers."""
    return _placed(document, *_waivers(file.items, ("items",)))


def _placed(document: Document, *mistakes: _Mistake) -> list[Problem]:
    return sorted(
        Problem(
            document.at_key(each.path) if each.at_key else document.at(each.path),
            f"{label(each.about or each.path)}: {each.message}",
            each.hint,
        )
        for each in mistakes
    )


def _parents(parents: Sequence[Parent]) -> _Mistakes:
    for index, parent in enumerate(parents):
        path = ("extends", index)
        if (parent.file is None) == (parent.name is None):
            hint = "write {file: PATH, sha256: HASH}, or {name: strict} for a ready-made policy"
            yield _Mistake(path, "give either a file or a name", hint)
        elif parent.file is None and parent.sha256:
            hint = "remove it: a ready-made policy comes with this program"
            yield _Mistake((*path, "sha256"), "a name takes no sha256", hint, at_key=True)
        elif parent.file and not parent.sha256:
            hint = f"sha256: what `sha256sum` prints for {quoted(parent.file)}"
            yield _Mistake(path, "'sha256' is missing", hint)


def _scanners(file: PolicyFile) -> _Mistakes:
    for name, entry in file.scanners.items():
        path = ("scanners", name)
        unknown = scanner_problem(name)
        if unknown:
            yield _Mistake(path, *unknown, at_key=True, about=("scanners",))
        if entry.when:
            exists = (*path, "when", "exists")
            if not entry.when.exists:
                yield _Mistake(exists, "an empty list matches nothing")
            for index, pattern in enumerate(entry.when.exists):
                yield from _pattern(pattern, (*exists, index))


def _rules(file: PolicyFile) -> _Mistakes:
    seen: set[str] = set()
    for index, rule in enumerate(file.rules):
        path = ("rules", index)
        if rule.id == _RESERVED:
            yield _Mistake((*path, "id"), f"{_RESERVED!r} is the rule for all others")
        elif rule.id in seen:
            yield _Mistake((*path, "id"), f"two rules are called {rule.id!r}")
        seen.add(rule.id)
        grace = (*path, "grace")
        if rule.grace is not None and rule.action != "block":
            hint = "grace turns block into warn for a time: write action: block, or no grace"
            yield _Mistake(grace, f"the action is {rule.action}, not block", hint, at_key=True)
        if rule.grace == GraceByLevel():
            hint = "such as {critical: 7d, high: 30d}"
            yield _Mistake(grace, "got {}, expected a time for some severity", hint)
        yield from _match(rule.match, (*path, "match"))
    for index, override in enumerate(file.severity.override):
        above = ("severity", "override", index)
        yield from _match(override.match, (*above, "match"))
        yield from _values(override, above)


def _match(match: Match, path: KeyPath) -> _Mistakes:
    for aspect, words in conditions_of(match):
        is_list = isinstance(getattr(match, aspect.key), tuple)
        for index, word in enumerate(words):
            wrong = aspect.problem(word) if aspect.problem else None
            if wrong:
                # A single word stands at the key itself.
                where = (*path, aspect.key, index) if is_list else (*path, aspect.key)
                yield _Mistake(where, *wrong)


def _licenses(section: LicenseSection) -> _Mistakes:
    if section.allow or section.review or section.deny:
        for problem in licenses.check_lists(section.allow, section.review, section.deny):
            hint = "licences are SPDX ids: https://spdx.org/licenses/"
            yield _Mistake(("licenses", problem.list, problem.index), problem.message, hint)
    for index, clarification in enumerate(section.clarify):
        yield from _values(clarification, ("licenses", "clarify", index))
    for index, exception in enumerate(section.exceptions):
        path = ("licenses", "exceptions", index)
        yield from _values(exception, path)
        if not exception.allow:
            yield _Mistake((*path, "allow"), "names no licence")
        for problem in licenses.check_lists(exception.allow, (), ()):
            where = (*path, "allow", problem.index)
            yield _Mistake(where, problem.message, "such as LGPL-3.0-or-later")


def _waivers(entries: Sequence[WaiverEntry], above: KeyPath) -> _Mistakes:
    for index, entry in enumerate(entries):
        path = (*above, index)
        yield from _values(entry, path)
        yield from _pattern(entry.path, (*path, "path"))
        for place, name in enumerate(entry.ids):
            if "*" in name or not name.strip():
                message = f"{quoted(name)} is no id: a waiver names each of its findings"
                yield _Mistake((*path, "ids", place), message, "such as CVE-2024-22195, or B602")
        if entry.purl is None and entry.path is None and entry.fingerprint is None:
            hint = "give at least one of purl, path and fingerprint"
            yield _Mistake(path, "the waiver has no target", hint)
        elif not (entry.ids or entry.purl or entry.fingerprint) and _is_all(entry.path or ""):
            message = f"{quoted(entry.path)} alone would waive every finding"
            hint = "name ids as well, or the files that are meant"
            yield _Mistake((*path, "path"), message, hint)


def _is_all(pattern: str) -> bool:
    return not glob_problem(pattern) and all(map(path_test([pattern]), _PROBES))


def _pattern(text: str | None, path: KeyPath) -> _Mistakes:
    wrong = None if text is None else path_problem(text)
    if wrong:
        yield _Mistake(path, *wrong)


def _values(entry: Section, path: KeyPath) -> _Mistakes:
    """Yield what is wrong with single values of an entry, by the names of its keys."""
    for key, problem in _PROBLEMS.items():
        text = getattr(entry, key, None)
        wrong = None if text is None else problem(text)
        if wrong:
            yield _Mistake((*path, key), f"{quoted(text)} {wrong[0]}", wrong[1])


# Single values.


def date_problem(text: str) -> _Wrong:
    """Return what is wrong with a text that looks like a date, if it is in no calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return "is no day of the calendar", "a date is year-month-day, such as 2027-02-28"
    return None


def _versions_problem(text: str) -> _Wrong:
    try:
        is_empty = not SpecifierSet(text)
    except InvalidSpecifier:
        is_empty = True
    hint = "version ranges are as in PEP 440: <3.1.6, ==1.2.*, or >=2,<3"
    return ("is no range of versions", hint) if is_empty else None


def _purl_problem(text: str) -> _Wrong:
    hint = "name the package alone, such as pkg:pypi/jinja2"
    if any(mark in text for mark in "@?#"):
        return "says more than the package", f"{hint}; versions go into `versions`"
    name = text.removeprefix(_PYPI)
    if not _PURL.fullmatch(text) or (name != text and not _PYPI_NAME.fullmatch(name)):
        return "is no package URL", hint
    return None


def _fingerprint_problem(text: str) -> _Wrong:
    if _FINGERPRINT.fullmatch(text):
        return None
    hint = "copy the finding's id or fingerprint from a report"
    return "is no fingerprint: 12 to 64 small hexadecimal digits", hint


def _blank_problem(text: str) -> _Wrong:
    return None if text.strip() else ("says nothing", "somebody must be able to ask about it")


def _expression_problem(text: str) -> _Wrong:
    hint = "licences are SPDX expressions: https://spdx.org/licenses/"
    try:
        tree = spdx.parse(text)
    except spdx.SpdxError as error:
        return f"is no SPDX expression: {one_line(str(error))}", hint
    if spdx.is_valid(tree):
        return None
    unlisted = next(term for term in spdx.terms(tree) if not spdx.is_valid(term))
    guess = "" if unlisted.is_listed else spdx.similar(unlisted.license)
    return f"has a licence that is not on the SPDX list{guess}", hint


_PROBLEMS: Final[Mapping[str, Callable[[str], _Wrong]]] = {
    "purl": _purl_problem,
    "versions": _versions_problem,
    "expression": _expression_problem,
    "fingerprint": _fingerprint_problem,
    "owner": _blank_problem,
    "reason": _blank_problem,
    "expires": date_problem,
}
