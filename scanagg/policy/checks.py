"""Check the values of a policy beyond their types: names, patterns, dates, licences, waivers."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from scanagg.core.text import one_line, quoted
from scanagg.core.yaml import Document, KeyPath, Problem
from scanagg.policy import spdx
from scanagg.policy.aspects import path_problem, path_test, scanner_problem
from scanagg.policy.license_lists import check_lists
from scanagg.policy.schema import (
    GraceByLevel,
    LicenseSection,
    Match,
    PolicyFile,
    WaiverEntry,
    WaiverFile,
    conditions_of,
)
from scanagg.policy.typed import Section, label

_RESERVED: Final = "default"

# `type/name` or `type/namespace/name`, as in the purl specification; %40 stands for @ in a name.
_PURL: Final = re.compile(r"pkg:([a-z][a-z0-9.+-]*)(?:/[^/\s@?#]+)+")
_PYPI: Final = "pkg:pypi/"
_PYPI_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# The version in front keeps scanners from taking a long hexadecimal number for a secret.
_FINGERPRINT: Final = re.compile(r"(?:v[12]:)?[0-9a-f]{12,64}")
# A pattern that matches all of these matches everything.
_PROBES: Final = ("a", "b.c", "d/e", "f/g/h.i")


# What is wrong with a value, in words that follow it, and how to fix it; None if nothing is.
_Wrong = tuple[str, str] | None


def check(file: PolicyFile, document: Document) -> list[Problem]:
    """Return every mistake in a policy whose keys and types are valid."""
    checker = _Checker(document)
    checker.parents(file)
    checker.scanners(file)
    checker.rules(file)
    checker.licenses(file.licenses)
    checker.waivers(file.waivers.items, ("waivers", "items"))
    return sorted(checker.problems)


def check_waivers(file: WaiverFile, document: Document) -> list[Problem]:
    """Return every mistake in a waiver file."""
    checker = _Checker(document)
    checker.waivers(file.items, ("items",))
    return sorted(checker.problems)


class _Checker:
    """Checks sections, and collects problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def wrong(self, path: KeyPath, message: str, hint: str, *, at_key: bool = False) -> None:
        mark = self.document.at_key(path) if at_key else self.document.at(path)
        self.problems.append(Problem(mark, f"{label(path)}: {message}", hint))

    def parents(self, file: PolicyFile) -> None:
        for index, parent in enumerate(file.extends):
            path = ("extends", index)
            if (parent.file is None) == (parent.name is None):
                hint = (
                    "Write {file: PATH, sha256: HASH}, or {name: strict} for a ready-made policy."
                )
                self.wrong(path, "needs either `file` or `name`", hint)
            elif parent.file is None and parent.sha256:
                hint = "Remove it: ready-made policies come with scanagg."
                message = "a ready-made policy has no sha256"
                self.wrong((*path, "sha256"), message, hint, at_key=True)
            elif parent.file and not parent.sha256:
                command = f"sha256sum {shlex.quote(one_line(parent.file))}"
                self.wrong(path, "'sha256' is missing", f"Add the hash that `{command}` prints.")

    def scanners(self, file: PolicyFile) -> None:
        for name, entry in file.scanners.items():
            path = ("scanners", name)
            unknown = scanner_problem(name)
            if unknown:
                mark = self.document.at_key(path)
                self.problems.append(Problem(mark, f"scanners: {unknown[0]}", unknown[1]))
            if entry.when:
                exists = (*path, "when", "exists")
                if not entry.when.exists:
                    hint = "Add a pattern such as Dockerfile, or remove `when`."
                    self.wrong(exists, "an empty list matches nothing", hint)
                for index, pattern in enumerate(entry.when.exists):
                    self.pattern(pattern, (*exists, index))

    def rules(self, file: PolicyFile) -> None:
        seen: set[str] = set()
        for index, rule in enumerate(file.rules):
            path = ("rules", index)
            if rule.id == _RESERVED or rule.id in seen:
                state = "reserved" if rule.id == _RESERVED else "already taken"
                message = f"the rule id {rule.id!r} is {state}"
                self.wrong((*path, "id"), message, "Choose another id.")
            seen.add(rule.id)
            grace = (*path, "grace")
            if rule.grace is not None and rule.action != "block":
                hint = "Set action: block, or remove grace."
                message = "only a rule with action: block can have grace"
                self.wrong(grace, message, hint, at_key=True)
            if rule.grace == GraceByLevel():
                hint = "For example {critical: 7d, high: 30d}."
                self.wrong(grace, "got {}, expected a duration for at least one severity", hint)
            self.match(rule.match, (*path, "match"))
        for index, override in enumerate(file.severity.override):
            above = ("severity", "override", index)
            self.match(override.match, (*above, "match"))
            self.values(override, above)

    def match(self, match: Match, path: KeyPath) -> None:
        for aspect, words in conditions_of(match):
            is_list = isinstance(getattr(match, aspect.key), tuple)
            for index, word in enumerate(words):
                wrong = aspect.problem(word) if aspect.problem else None
                if wrong:
                    # A single word has no index.
                    self.wrong((*path, aspect.key, *((index,) if is_list else ())), *wrong)

    def licenses(self, section: LicenseSection) -> None:
        if section.allow or section.review or section.deny:
            for problem in check_lists(section.allow, section.review, section.deny):
                hint = "Use SPDX licence ids: https://spdx.org/licenses/"
                self.wrong(("licenses", problem.list, problem.index), problem.message, hint)
        for index, clarification in enumerate(section.clarify):
            self.values(clarification, ("licenses", "clarify", index))
        for index, exception in enumerate(section.exceptions):
            path = ("licenses", "exceptions", index)
            self.values(exception, path)
            hint = "Use SPDX licence ids, such as LGPL-3.0-or-later."
            if not exception.allow:
                self.wrong((*path, "allow"), "an empty list allows nothing", hint)
            for problem in check_lists(exception.allow, (), ()):
                self.wrong((*path, "allow", problem.index), problem.message, hint)

    def waivers(self, entries: Sequence[WaiverEntry], above: KeyPath) -> None:
        for index, entry in enumerate(entries):
            path = (*above, index)
            self.values(entry, path)
            self.waiver_targets(entry, path)
            for place, name in enumerate(entry.ids):
                if "*" in name or not name.strip():
                    hint = "List each id, without wildcards: CVE-2024-22195, B602."
                    self.wrong((*path, "ids", place), f"{quoted(name)} is not an id", hint)
            if entry.until_fixed and entry.purl is None:
                message = "only a waiver with a purl can end with a fix"
                hint = "Add the purl of the package, or remove until_fixed."
                self.wrong((*path, "until_fixed"), message, hint)

    def waiver_targets(self, entry: WaiverEntry, path: KeyPath) -> None:
        if entry.path:
            self.pattern(entry.path, (*path, "path"))
            is_only = not (entry.ids or entry.purl or entry.fingerprint)
            if (
                is_only
                and not path_problem(entry.path)
                and all(map(path_test([entry.path]), _PROBES))
            ):
                message = f"{quoted(entry.path)} alone would waive every finding"
                self.wrong((*path, "path"), message, "Add ids, or write a narrower path.")
        elif not (entry.purl or entry.fingerprint):
            message = "the waiver names no purl, path or fingerprint"
            self.wrong(
                path, message, "Add one of them, so that it covers only the findings you mean."
            )

    def pattern(self, text: str, path: KeyPath) -> None:
        wrong = path_problem(text)
        if wrong:
            self.wrong(path, *wrong)

    def values(self, entry: Section, path: KeyPath) -> None:
        """Check the values of an entry whose keys are in `_PROBLEMS`."""
        for key, problem in _PROBLEMS.items():
            text = getattr(entry, key, None)
            wrong = None if text is None else problem(text)
            if wrong:
                self.wrong((*path, key), f"{quoted(text)} {wrong[0]}", wrong[1])


# Single values.


def date_problem(text: str) -> _Wrong:
    """Return what is wrong with a text in the form of a date; None for a real date."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return "is not a valid date", "Write year-month-day, such as 2027-02-28."
    return None


def _versions_problem(text: str) -> _Wrong:
    try:
        if SpecifierSet(text):
            return None
    except InvalidSpecifier:
        pass
    return "is not a version range", "Write a PEP 440 range, such as <3.1.6, ==1.2.* or >=2,<3."


def _purl_problem(text: str) -> _Wrong:
    hint = "Write the package only, such as pkg:pypi/jinja2."
    if any(mark in text for mark in "@?#"):
        return "has more than the package", f"{hint} Its versions belong in `versions`."
    name = text.removeprefix(_PYPI)
    is_valid = _PURL.fullmatch(text) and (name == text or _PYPI_NAME.fullmatch(name))
    return None if is_valid else ("is not a package URL (purl)", hint)


def _expression_problem(text: str) -> _Wrong:
    hint = "Write an SPDX expression: https://spdx.org/licenses/"
    try:
        tree = spdx.parse(text)
    except spdx.SpdxError as error:
        return f"is not an SPDX expression: {one_line(str(error))}", hint
    unlisted = [term for term in spdx.terms(tree) if not spdx.is_valid(term)]
    if not unlisted:
        return None
    guess = "" if unlisted[0].is_listed else spdx.similar(unlisted[0].license)
    return f"has a licence that is not on the SPDX list{guess}", hint


_NO_FINGERPRINT: Final = (
    "is not a fingerprint (12 to 64 lowercase hexadecimal digits)",
    "Copy the finding's id or fingerprint from a report.",
)
_BLANK: Final = ("is blank", "Say who is responsible, and why.")
_PROBLEMS: Final[Mapping[str, Callable[[str], _Wrong]]] = {
    "purl": _purl_problem,
    "versions": _versions_problem,
    "expression": _expression_problem,
    "fingerprint": lambda text: None if _FINGERPRINT.fullmatch(text) else _NO_FINGERPRINT,
    "owner": lambda text: None if text.strip() else _BLANK,
    "reason": lambda text: None if text.strip() else _BLANK,
    "expires": date_problem,
}
