"""Test a policy with cases: findings, and the verdict that each should get."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from scanagg.core.text import one_line, quoted
from scanagg.core.times import read_time
from scanagg.core.yaml import Document, KeyPath, Problem
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    Change,
    Confidence,
    Finding,
    History,
    Judged,
    LicenseFacts,
    Location,
    Package,
    Parts,
    Rule,
    Severity,
    SeverityClaim,
    Witness,
    plain,
    pypi_purl,
)
from scanagg.policy.aspects import (
    ASPECTS,
    CategoryWord,
    Level,
    Text,
    category_of,
    package_name,
)
from scanagg.policy.checks import date_problem
from scanagg.policy.load import policy_error, read_document
from scanagg.policy.rules import decide
from scanagg.policy.schema import Date, Policy, RuleId
from scanagg.policy.typed import Section, label
from scanagg.scanners.base import usual_scanner

ALLOWED: Final = "allowed"
"""The expectation for a package whose licence is allowed, so it is not a finding."""

_Expected = Literal["block", "warn", "info", "waived", "allowed"]
_Version = Annotated[str, Meta(min_length=1, description='a version in quotes, such as "2.10"')]


class _Example(Section, frozen=True, kw_only=True):
    """A finding, with everything that a rule or a waiver can match.

    `ids` are those of an advisory, the main one first. `fixed` are the versions without the
    vulnerability; `fixable` is enough if their numbers do not matter. Without a `confidence`, a
    secret is likely. The kinds of paths follow from `path`. `license` is an SPDX
    expression, or other text from the metadata. `first_seen` is the day on which the finding was
    first recorded in the repository.
    """

    category: CategoryWord
    severity: Level | Literal["unknown"] | None = None
    rule: Text | None = None
    scanner: Text | tuple[Text, ...] | None = None
    path: Text | tuple[Text, ...] | None = None
    package: Text | None = None
    version: _Version | None = None
    ids: tuple[Text, ...] = ()
    fixable: bool | None = None
    fixed: tuple[_Version, ...] = ()
    published: Date | None = None
    first_seen: Date | None = None
    withdrawn: bool = False
    license: Text | None = None
    fingerprint: Text | None = None
    in_source: Text | None = None


# Aspects that define their own key of a case.
_CASE_KEYS: Final = {
    aspect.key: aspect.case
    for aspect in ASPECTS
    if aspect.case and aspect.key not in _Example.__struct_fields__
}

if TYPE_CHECKING:
    Example = _Example
else:
    Example = msgspec.defstruct(
        "Example",
        [(key, case.type | None, None) for key, case in _CASE_KEYS.items()],
        bases=(_Example,),
        namespace={"__doc__": _Example.__doc__},
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


# Keys that only a vulnerability can have.
_OF_VULNERABILITIES: Final = (
    *("ids", "fixed", "published", "withdrawn"),
    *(
        aspect.key
        for aspect in ASPECTS
        if aspect.categories == {Category.VULNERABILITY} and aspect.key in Example.__struct_fields__
    ),
)


class Case(Section, frozen=True, kw_only=True):
    """A finding, and the expected verdict: an action, `waived`, or `allowed` for a licence.

    `rule`, `severity` and `deadline` are compared only if given. `rule` is the id of the policy's
    rule, `deadline` the day from which the finding blocks.
    """

    name: Text | None = None
    finding: Example
    expect: _Expected
    rule: RuleId | None = None
    severity: Level | Literal["unknown"] | None = None
    deadline: Date | None = None


class CaseFile(Section, frozen=True, kw_only=True):
    """The whole file. `policy` is a name, or a path relative to the file; `now` a date in UTC."""

    version: Literal[1]
    policy: Text | None = None
    now: Date | None = None
    cases: tuple[Case, ...]


class Cases(msgspec.Struct, frozen=True):
    """A case file: its name in messages, its policy and time, and its cases by line."""

    shown: str
    policy: str | None
    now: datetime | None
    cases: tuple[tuple[int, Case], ...]


class Tried(msgspec.Struct, frozen=True):
    """The result of one case: its line in the file, and each way in which it is not as expected.

    `judged` has the verdict; None for a package whose licence is allowed.
    """

    line: int
    name: str
    judged: Judged | None
    wrong: tuple[str, ...] = ()


def read_cases(raw: bytes, shown: str) -> Cases:
    """Read the cases in the bytes of a file. PolicyError with every mistake and its position."""
    where = one_line(shown)
    file, document = read_document(raw, where, CaseFile)
    problems = sorted(_mistakes(file, document))
    if problems:
        raise policy_error(problems, where)
    lines = (document.at(("cases", index)).line for index in range(len(file.cases)))
    cases = tuple(zip(lines, file.cases, strict=True))
    return Cases(shown, file.policy, read_time(file.now), cases)


def try_cases(cases: Cases, policy: Policy, now: datetime) -> tuple[Tried, ...]:
    """Judge each case by itself at `now`."""
    tried = []
    for line, case in cases.cases:
        judged = next(iter(decide([finding_of(case.finding)], policy, now).judged), None)
        name = one_line(case.name or _words(case.finding))
        tried.append(Tried(line, name, judged, tuple(_differences(case, judged))))
    return tuple(tried)


def _differences(case: Case, judged: Judged | None) -> Iterator[str]:
    deadline = judged.deadline.date().isoformat() if judged and judged.deadline else "none"
    for name, expected, actual in (
        ("", case.expect, judged.verdict.action.value if judged else ALLOWED),
        ("rule ", case.rule, one_line(judged.verdict.rule) if judged else "none"),
        ("severity ", case.severity, judged.severity.value if judged else "none"),
        ("deadline ", case.deadline, deadline),
    ):
        if expected not in (None, actual):
            yield f"expected {name}{expected}, got {actual}"


def _words(example: Example) -> str:
    """Return a name for a case without one, made from its finding."""
    package = " ".join(filter(None, (example.package, example.version)))
    paths = _listed(example.path)
    known = (example.severity, category_of(example.category).value, *example.ids[:1], example.rule)
    return " ".join(filter(None, (*known, package, example.license, *paths[:1])))


# Checks beyond types.

# Keys that a finding needs, by category; other findings need a path.
_NEEDED: Final = {
    Category.VULNERABILITY: ("package", "version"),
    Category.LICENSE: ("package", "version", "license"),
}
# Keys that a finding cannot have. The policy decides the severity of a licence.
_IMPOSSIBLE: Final = {
    Category.VULNERABILITY: ("license",),
    Category.LICENSE: ("severity", *_OF_VULNERABILITIES),
}
_IMPOSSIBLE_WITHOUT_PACKAGE: Final = (
    *("package", "version", "scope", "license"),
    *_OF_VULNERABILITIES,
)


def _mistakes(file: CaseFile, document: Document) -> Iterator[Problem]:
    if not file.cases:
        yield Problem(document.at(("cases",)), "cases: the list is empty", "Add a case.")
    dates: dict[KeyPath, str | None] = {("now",): file.now}
    for index, case in enumerate(file.cases):
        above = ("cases", index, "finding")
        dates["cases", index, "deadline"] = case.deadline
        dates[*above, "published"] = case.finding.published
        dates[*above, "first_seen"] = case.finding.first_seen
        for key, message in _misfits(case.finding):
            path = (*above, key)
            yield Problem(document.at_key(path), f"{label(path)}: {message}")
    for date_path, text in dates.items():
        wrong = date_problem(text) if text else None
        if wrong:
            message = f"{label(date_path)}: {quoted(text)} {wrong[0]}"
            yield Problem(document.at(date_path), message, wrong[1])


def _misfits(example: Example) -> Iterator[tuple[str, str]]:
    """Yield keys that a finding of this category lacks or cannot have, with what is wrong."""
    category = category_of(example.category)
    for key in _NEEDED.get(category, ("path",)):
        if not getattr(example, key):
            yield key, f"a {category.value} finding needs {key}"
    for key in _IMPOSSIBLE.get(category, _IMPOSSIBLE_WITHOUT_PACKAGE):
        if getattr(example, key):
            yield key, f"a {category.value} finding cannot have {key}"
    yield from _impossible_words(example, category)
    if example.fixable is False and example.fixed:
        yield "fixable", "it is false, but `fixed` has a version"
    for path in _listed(example.path):
        if path.startswith("/") or ".." in path.split("/"):
            yield "path", f"{quoted(path)} is not relative to the project"


def _impossible_words(example: Example, category: Category) -> Iterator[tuple[str, str]]:
    """Yield keys with a word that only findings of other categories can have."""
    for aspect in ASPECTS:
        word = getattr(example, aspect.key) if aspect.key in _CASE_KEYS else None
        if word is None or aspect.possible is None or category not in aspect.categories:
            continue
        if aspect.accepted([word]).isdisjoint(aspect.possible(category, Severity.HIGH)):
            yield aspect.key, f"a {category.value} finding cannot have {aspect.key} {word}"


# From an example to a finding.


def finding_of(example: Example) -> Finding:
    """Return the finding that an example describes."""
    category = category_of(example.category)
    scanners = _listed(example.scanner) or (usual_scanner(category),)
    rule = example.rule or next(iter(example.ids), category.value)
    paths = _listed(example.path)
    places = tuple(map(Location, paths))
    fingerprint = example.fingerprint or hashlib.sha256(repr(example).encode()).hexdigest()
    package = None
    if example.package is not None and example.version is not None:
        name = package_name(example.package)
        package = Package(name, example.version, pypi_purl(name, example.version))
    finding = Finding(
        id=fingerprint[:12],
        fingerprint=fingerprint,
        category=category,
        rule=Rule(rule, rule, rule),
        title=_words(example),
        message="",
        claims=_claims(example, category, scanners[0]),
        confidence=Confidence.LIKELY if category is Category.SECRET else Confidence.UNKNOWN,
        location=next(iter(places), None),
        places=places,
        witnesses=tuple(Witness(scanner, rule, Severity.UNKNOWN) for scanner in scanners),
        package=package,
        advisory=_advisory(example, rule) if category is Category.VULNERABILITY else None,
        license=LicenseFacts(expression=example.license, source="the test")
        if example.license
        else None,
        anchors=(Anchor(Parts(category.value, rule, next(iter(paths), ""), "", fingerprint[:12])),),
        in_source=example.in_source or "",
        history=History(
            Change.NEW, plain("the test says so"), first_seen=read_time(example.first_seen)
        ),
    )
    for key, case in _CASE_KEYS.items():
        value = getattr(example, key)
        if value is not None:
            finding = case.put(finding, value)
    return finding


def _claims(example: Example, category: Category, scanner: str) -> tuple[SeverityClaim, ...]:
    if example.severity is None:
        return ()
    # All sources agree, so their order in the policy does not matter.
    all_sources = ("ghsa", "cvss3.1", "tool", "nvd")
    sources = all_sources if category is Category.VULNERABILITY else ("tool",)
    return tuple(SeverityClaim(source, Severity(example.severity), scanner) for source in sources)


def _advisory(example: Example, rule: str) -> Advisory:
    ids = example.ids or (rule,)
    return Advisory(
        id=ids[0],
        aliases=ids[1:],
        fixed_versions=example.fixed or (("a later one",) if example.fixable else ()),
        published=example.published and f"{example.published}T00:00:00Z",
        withdrawn=example.withdrawn,
    )


def _listed(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
