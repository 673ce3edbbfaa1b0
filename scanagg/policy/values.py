"""What is wrong with a single value of a policy file: a date, a version range, a purl, a licence.

Each function gives the problem in words that follow the value, and what would be right; None where
there is none.
"""

import re
from datetime import date
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from scanagg.core.text import one_line
from scanagg.model import pypi_purl
from scanagg.policy.licenses import spdx
from scanagg.policy.licenses.spdx import SpdxError
from scanagg.policy.rules import glob_problem, globs, package_name

Wrong = tuple[str, str]

# `type/name` or `type/namespace/name`, as in the purl specification; %40 stands for @ in a name.
_PURL: Final = re.compile(r"pkg:([a-z][a-z0-9.+-]*)(?:/[^/\s@?#]+)+")
_PYPI: Final = "pkg:pypi/"
_PYPI_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# The version in front keeps scanners from taking a long hexadecimal number for a secret.
_FINGERPRINT: Final = re.compile(r"(?:v1:)?[0-9a-f]{12,64}")
# A pattern that matches all of these means everything, however it is written.
_PROBES: Final = ("a", "b.c", "d/e", "f/g/h.i")


def date_problem(text: str) -> Wrong | None:
    """A day that is in no calendar; that it looks like one is known already."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return "is no day of the calendar", "a date is year-month-day, such as 2027-02-28"
    return None


def versions_problem(text: str) -> Wrong | None:
    """A text that is no PEP 440 specifier."""
    try:
        empty = not SpecifierSet(text)
    except InvalidSpecifier:
        empty = True
    hint = "version ranges are as in PEP 440: <3.1.6, ==1.2.*, or >=2,<3"
    return ("is no range of versions", hint) if empty else None


def purl_problem(text: str) -> Wrong | None:
    """A text that is no package URL, or one with more than the package in it."""
    hint = "name the package alone, such as pkg:pypi/jinja2"
    if any(mark in text for mark in "@?#"):
        return "says more than the package", f"{hint}; versions go into `versions`"
    name = text.removeprefix(_PYPI)
    if not _PURL.fullmatch(text) or (name != text and not _PYPI_NAME.fullmatch(name)):
        return "is no package URL", hint
    return None


def canonical_purl(text: str) -> str:
    """A valid purl as packages have it: a name of PyPI as in PEP 503."""
    return pypi_purl(package_name(text.removeprefix(_PYPI))) if text.startswith(_PYPI) else text


def fingerprint_problem(text: str) -> Wrong | None:
    """A text that is no fingerprint, or too little of one."""
    if _FINGERPRINT.fullmatch(text):
        return None
    hint = "copy the finding's id or fingerprint from a report"
    return "is no fingerprint: 12 to 64 small hexadecimal digits", hint


def bare_fingerprint(text: str) -> str:
    """A valid fingerprint without the version that may stand in front: `v1:`."""
    return text.removeprefix("v1:")


def id_problem(text: str) -> Wrong | None:
    """An id that stands for any id, or for none."""
    if "*" in text or not text.strip():
        return "is no id: a waiver names each of its findings", "such as CVE-2024-22195, or B602"
    return None


def path_problem(text: str) -> Wrong | None:
    """A pattern that is none."""
    wrong = glob_problem(text)
    return (
        (wrong, "path patterns are as in .gitignore: docs/**, *.tf, Dockerfile") if wrong else None
    )


def matches_everything(pattern: str | None) -> bool:
    """Whether a pattern excludes no path; no pattern excludes them all."""
    if pattern is None or glob_problem(pattern):
        return False
    matcher = globs([pattern])
    return all(map(matcher.match_file, _PROBES))


def blank_problem(text: str) -> Wrong | None:
    """Text with nothing to read in it."""
    return None if text.strip() else ("says nothing", "somebody must be able to ask about it")


def expression_problem(text: str) -> Wrong | None:
    """A text that is no SPDX expression, or one with a licence that nobody knows."""
    hint = "licences are SPDX expressions: https://spdx.org/licenses/"
    try:
        tree = spdx.parse(text)
    except SpdxError as error:
        return f"is no SPDX expression: {one_line(str(error))}", hint
    if spdx.is_valid(tree):
        return None
    unlisted = next(term for term in spdx.terms(tree) if not spdx.is_valid(term))
    near = spdx.similar(unlisted.license)
    guess = f": did you mean {near!r}?" if near and not unlisted.is_listed else ""
    return f"has a licence that is not on the SPDX list{guess}", hint
