"""Tests of a policy: findings as people write them, and what the policy is to make of each."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line
from scanagg.core.yaml import Document, KeyPath, Problem, YamlError, parse
from scanagg.model import (
    Advisory,
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
    Scope,
    Severity,
    SeverityClaim,
    Witness,
    pypi_purl,
)
from scanagg.policy.reach import category_of
from scanagg.policy.rules import package_name
from scanagg.policy.schema import (
    CategoryWord,
    Date,
    Level,
    OriginWord,
    Policy,
    RuleId,
    ScopeWord,
    Section,
    Text,
)
from scanagg.policy.typed import build, label, quoted
from scanagg.policy.verdicts import decide

ALLOWED: Final = "allowed"
"""What is expected of a package whose licence is allowed: it is no finding."""

_Expected = Literal["block", "warn", "info", "waived", "allowed"]
_Probability = Annotated[float, Meta(ge=0, le=1, description="a probability from 0 to 1")]
_Version = Annotated[str, Meta(min_length=1, description='a version in quotes, such as "2.10"')]
_WITHOUT_PACKAGE: Final = ("code", "secret", "misconfiguration")
_OF_VULNERABILITIES: Final = (
    "ids",
    "fixable",
    "fixed",
    "published",
    "withdrawn",
    "kev",
    "epss",
)
_SCANNERS: Final = {
    "vulnerability": "pip-audit",
    "code": "bandit",
    "secret": "detect-secrets",
    "license": "licenses",
    "misconfiguration": "trivy",
}
# Every source says the same: in which order the policy asks them does not matter then.
_VULNERABILITY_SOURCES: Final = ("ghsa", "cvss3.1", "tool", "nvd")


class Example(Section, frozen=True, kw_only=True):
    """A finding, as far as a rule or a waiver can ask about it.

    `ids` are those of an advisory, the first the main one. `fixable` and `fixed` say whether there
    is a version without the hole, and which. `license` is an SPDX expression or what the metadata
    says instead. `first_seen` is when the repository first had the finding on record.
    """

    category: CategoryWord
    severity: Level | Literal["unknown"] | None = None
    rule: Text | None = None
    scanner: Text | tuple[Text, ...] | None = None
    confidence: Literal["high", "medium", "low", "unknown"] = "unknown"
    path: Text | tuple[Text, ...] | None = None
    package: Text | None = None
    version: _Version | None = None
    ids: tuple[Text, ...] = ()
    scope: ScopeWord | None = None
    origin: OriginWord = "introduced"
    fixable: bool | None = None
    fixed: tuple[_Version, ...] = ()
    published: Date | None = None
    first_seen: Date | None = None
    withdrawn: bool = False
    kev: bool | None = None
    epss: _Probability | None = None
    license: Text | None = None
    fingerprint: Text | None = None
    in_source: Text | None = None


class Case(Section, frozen=True, kw_only=True):
    """A finding and what is to become of it; `rule` and `deadline` are held where they are given.

    `allowed` is expected of a package whose licence the policy allows. `rule` is the id of the
    policy's rule, `deadline` the last day on which the finding only warns.
    """

    name: Text | None = None
    finding: Example
    expect: _Expected
    rule: RuleId | None = None
    severity: Level | Literal["unknown"] | None = None
    deadline: Date | None = None


class CaseFile(Section, frozen=True, kw_only=True):
    """The whole file. `policy` is a name, or a path relative to the file; `now` a date, UTC."""

    version: Literal[1]
    policy: Text | None = None
    now: Date | None = None
    cases: tuple[Case, ...]


class Cases(msgspec.Struct, frozen=True):
    """A file of cases: its name as shown, what it says of policy and clock, its cases by line."""

    shown: str
    policy: str | None
    now: datetime | None
    cases: tuple[tuple[int, Case], ...]


class Tried(msgspec.Struct, frozen=True):
    """What became of one case: its line in the file, and each way in which it is not as expected.

    `got` is the verdict in words, also where that was expected.
    """

    line: int
    name: str
    got: str
    wrong: tuple[str, ...] = ()


def read_cases(raw: bytes, shown: str) -> Cases:
    """The cases in the bytes of a file. PolicyError with every mistake, each with its place."""
    try:
        document = parse(raw)
    except YamlError as error:
        raise _error(error.problems, shown) from None
    file, problems = build(document, CaseFile)
    if file is None:
        raise _error(problems, shown)
    problems = sorted(_mistakes(file, document))
    if problems:
        raise _error(problems, shown)
    lines = (document.at(("cases", index)).line for index in range(len(file.cases)))
    now = None if file.now is None else _moment(file.now)
    return Cases(shown, file.policy, now, tuple(zip(lines, file.cases, strict=True)))


def try_cases(cases: Cases, policy: Policy, now: datetime) -> tuple[Tried, ...]:
    """Each case judged by itself, as at `now`."""
    return tuple(_tried(line, case, policy, now) for line, case in cases.cases)


def _tried(line: int, case: Case, policy: Policy, now: datetime) -> Tried:
    judged = next(iter(decide([_finding(case.finding)], policy, now).judged), None)
    name = case.name or _words(case.finding)
    return Tried(line, one_line(name), _got(judged), tuple(_differences(case, judged)))


def _got(judged: Judged | None) -> str:
    if judged is None:
        return f"{ALLOWED}: the licence is on the allow list"
    verdict = judged.verdict
    until = f" until {judged.deadline.date()}" if judged.deadline else ""
    return one_line(f"{verdict.action.value}{until} by rule {verdict.rule}: {verdict.reason}")


def _differences(case: Case, judged: Judged | None) -> Iterator[str]:
    got = judged.verdict.action.value if judged else ALLOWED
    if got != case.expect:
        yield f"expected {case.expect}, got {got}"
    if case.rule is not None:
        rule = judged.verdict.rule if judged else "none"
        if rule != case.rule:
            yield f"expected rule {case.rule}, got {one_line(rule)}"
    if case.severity is not None:
        severity = judged.severity.value if judged else "none"
        if severity != case.severity:
            yield f"expected severity {case.severity}, got {severity}"
    if case.deadline is not None:
        deadline = judged.deadline.date().isoformat() if judged and judged.deadline else "none"
        if deadline != case.deadline:
            yield f"expected deadline {case.deadline}, got {deadline}"


def _words(example: Example) -> str:
    """A name for a case that has none: what the finding is."""
    package = " ".join(filter(None, (example.package, example.version)))
    paths = _listed(example.path)
    known = (example.severity, _category(example).value, *example.ids[:1], example.rule)
    return " ".join(filter(None, (*known, package, example.license, *paths[:1])))


# What types cannot say of an example.


def _mistakes(file: CaseFile, document: Document) -> Iterator[Problem]:
    if not file.cases:
        yield Problem(document.at(("cases",)), "cases: there is none", "give at least one case")
    if file.now is not None:
        yield from _bad_date(file.now, ("now",), document)
    for index, case in enumerate(file.cases):
        path = ("cases", index)
        if case.deadline is not None:
            yield from _bad_date(case.deadline, (*path, "deadline"), document)
        example, where = case.finding, (*path, "finding")
        for key in ("published", "first_seen"):
            given = getattr(example, key)
            if given is not None:
                yield from _bad_date(given, (*where, key), document)
        for key, message in _misfits(example):
            at = (*where, key)
            yield Problem(document.at_key(at), f"{label(at)}: {message}")


def _bad_date(text: str, path: KeyPath, document: Document) -> Iterator[Problem]:
    try:
        date.fromisoformat(text)
    except ValueError:
        message = f"{label(path)}: {quoted(text)} is no day of the calendar"
        yield Problem(document.at(path), message, "write it like 2027-02-01")


def _misfits(example: Example) -> Iterator[tuple[str, str]]:
    """Keys that a finding of this category lacks or cannot have, with what is wrong."""
    category = _category(example)
    yield from _package_misfits(example, category)
    if category is not Category.VULNERABILITY:
        for key in _OF_VULNERABILITIES:
            if getattr(example, key) not in (None, (), False):
                yield key, "only a vulnerability has that"
    if example.fixable is False and example.fixed:
        yield "fixable", "it says false, and `fixed` names a version"
    yield from _license_misfits(example, category)
    for path in _listed(example.path):
        if path.startswith("/") or ".." in path.split("/"):
            yield "path", f"{quoted(path)} is not relative to the project"


def _license_misfits(example: Example, category: Category) -> Iterator[tuple[str, str]]:
    if category is not Category.LICENSE:
        if example.license is not None:
            yield "license", "only a license finding has one"
        return
    if example.license is None:
        yield "license", "a license finding needs one"
    if example.severity is not None:
        yield "severity", "that of a licence is for the policy to decide: leave it out"


def _package_misfits(example: Example, category: Category) -> Iterator[tuple[str, str]]:
    if category.value in _WITHOUT_PACKAGE:
        for key in ("package", "version", "scope"):
            if getattr(example, key) is not None:
                yield key, f"a {category.value} finding has no package"
        if not _listed(example.path):
            yield "path", f"a {category.value} finding needs the path of a file"
        return
    for key in ("package", "version"):
        if getattr(example, key) is None:
            yield key, f"a {category.value} finding needs a package and its version"


# From an example to a finding.


def _finding(example: Example) -> Finding:
    category = _category(example)
    scanners = _listed(example.scanner) or (_SCANNERS[category.value],)
    rule = example.rule or next(iter(example.ids), category.value)
    places = tuple(Location(path) for path in _listed(example.path))
    fingerprint = example.fingerprint or hashlib.sha256(repr(example).encode()).hexdigest()
    package = _package(example)
    return Finding(
        id=fingerprint[:12],
        fingerprint=fingerprint,
        category=category,
        rule=Rule(rule, rule, rule),
        title=_words(example),
        message="",
        claims=_claims(example, category, scanners[0]),
        confidence=Confidence(example.confidence),
        location=places[0] if places else None,
        places=places,
        witnesses=tuple(Witness(each, rule, Severity.UNKNOWN) for each in scanners),
        package=package,
        advisory=_advisory(example, rule) if category is Category.VULNERABILITY else None,
        license=_license(example),
        parts=Parts(category.value, rule, places[0].path if places else "", "", fingerprint[:12]),
        in_source=example.in_source or "",
        history=_history(example),
    )


def _claims(example: Example, category: Category, scanner: str) -> tuple[SeverityClaim, ...]:
    if example.severity is None:
        return ()
    sources = _VULNERABILITY_SOURCES if category is Category.VULNERABILITY else ("tool",)
    severity = Severity(example.severity)
    return tuple(SeverityClaim(source, severity, scanner) for source in sources)


def _package(example: Example) -> Package | None:
    if example.package is None or example.version is None:
        return None
    name = package_name(example.package)
    scope = Scope(example.scope or "runtime")
    return Package(name, example.version, pypi_purl(name, example.version), scope)


def _advisory(example: Example, rule: str) -> Advisory:
    ids = example.ids or (rule,)
    return Advisory(
        id=ids[0],
        aliases=ids[1:],
        fixed_versions=example.fixed or (("a later one",) if example.fixable else ()),
        published=example.published and f"{example.published}T00:00:00Z",
        withdrawn=example.withdrawn,
        kev=example.kev,
        epss=example.epss,
    )


def _license(example: Example) -> LicenseFacts | None:
    if example.license is None:
        return None
    return LicenseFacts(expression=example.license, source="the test")


def _history(example: Example) -> History:
    new = example.origin == "introduced"
    return History(
        change=Change.NEW if new else Change.UNCHANGED,
        reason="the test says so",
        disclosed=example.origin == "disclosed",
        first_seen=None if example.first_seen is None else _moment(example.first_seen),
    )


def _category(example: Example) -> Category:
    return category_of(example.category)


def _listed(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _moment(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)


def _error(problems: Sequence[Problem], shown: str) -> PolicyError:
    where = one_line(shown)
    lines = [f"{where}:{each.mark.line}:{each.mark.column}: {each.message}" for each in problems]
    hints = dict.fromkeys(each.hint for each in problems if each.hint)
    return PolicyError("\n".join(lines), "\n".join(hints))
