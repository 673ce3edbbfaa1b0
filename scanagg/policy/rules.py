"""Which rule a finding falls under: all conditions of all rules at once, as bit masks.

Every condition is asked once for each distinct value (a path, a pair of rule ids), and the answer
for all rules is kept as one integer with a bit for each rule. The first rule that matches is then
the lowest bit that all dimensions have in common.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import pathspec

from scanagg.model import Category, Finding, LicenseVerdict, Severity, purl_without_version
from scanagg.policy.schema import Match

_CATEGORIES: Final = {
    **{category.value: category for category in Category},
    "vuln": Category.VULNERABILITY,
    "iac": Category.MISCONFIGURATION,
}
_NAME_SEPARATORS: Final = str.maketrans("_.", "--")


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of a list of rules, as far as matching goes.

    `strict` says what a path condition asks of a finding with several places: that each of them
    matches. So it is for what makes a finding weaker (an override, info, warn): that a secret also
    lies in a test must not excuse the copy in the source. To block, one matching place is enough.
    """

    match: Match
    strict: bool


class Subject(NamedTuple):
    """A finding as the rules see it: its severity decided, `compared` in place of unknown."""

    finding: Finding
    severity: Severity
    compared: Severity
    verdict: LicenseVerdict | None


_Test = Callable[[Hashable], bool]


@dataclass(slots=True)
class _Dimension:
    """One aspect of findings: who asks about it, and the answers given so far."""

    key: Callable[[Subject], Hashable]
    free: int
    tests: Sequence[tuple[int, _Test]]
    seen: dict[Hashable, int] = field(default_factory=dict)

    def mask(self, subject: Subject) -> int:
        key = self.key(subject)
        found = self.seen.get(key)
        if found is None:
            found = self.free | sum(bit for bit, test in self.tests if test(key))
            self.seen[key] = found
        return found


class Rules:
    """Rules ready to be asked. Keeps what it learnt, so make one for each judging."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        """Compile the conditions; they were checked when the policy was loaded."""
        self._all = (1 << len(conditions)) - 1
        made = (_dimension(name, conditions) for name in _ASPECTS)
        self._dimensions = [dimension for dimension in made if dimension.tests]

    def first(self, subject: Subject) -> int | None:
        """The index of the first rule of which all conditions hold, None where there is none."""
        mask = self._all
        for dimension in self._dimensions:
            if not mask:
                return None
            mask &= dimension.mask(subject)
        return (mask & -mask).bit_length() - 1 if mask else None


def package_name(text: str) -> str:
    """A name or glob as PEP 503 writes it, so that `Foo_Bar` and `foo-bar` are the same."""
    name = text.lower().translate(_NAME_SEPARATORS)
    while "--" in name:
        name = name.replace("--", "-")
    return name


def globs(patterns: Iterable[str]) -> pathspec.GitIgnoreSpec:
    """Path patterns as in .gitignore: with a slash inside from the top, without one anywhere."""
    return pathspec.GitIgnoreSpec.from_lines(patterns)


def glob_problem(pattern: str) -> str | None:
    """Why a path pattern cannot be used; None where it can."""
    try:
        compiled = list(globs([pattern]).patterns)
    except ValueError:
        return "is not a path pattern"
    if not compiled or compiled[0].include is None:
        return "matches nothing"
    return None if compiled[0].include else "begins with !: it would match everything else"


def _dimension(name: str, conditions: Sequence[Condition]) -> _Dimension:
    key, make = _ASPECTS[name]
    free, tests = 0, []
    for index, condition in enumerate(conditions):
        wanted = getattr(condition.match, name)
        if wanted is None:
            free |= 1 << index
        else:
            tests.append((1 << index, make(_listed(wanted), condition.strict)))
    return _Dimension(key, free, tests)


def _listed(wanted: object) -> tuple[object, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


# What is looked at in a finding; None and () stand for what it does not have, and match nothing.


def _scanners(subject: Subject) -> Hashable:
    return tuple(witness.scanner for witness in subject.finding.witnesses)


def _ids(subject: Subject) -> Hashable:
    finding = subject.finding
    aliases = (finding.advisory.id, *finding.advisory.aliases) if finding.advisory else ()
    return (finding.rule.id, *(witness.rule for witness in finding.witnesses), *aliases)


def _paths(subject: Subject) -> Hashable:
    finding = subject.finding
    places = (finding.location, *finding.places) if finding.location else finding.places
    if len(places) == 1:
        return (places[0].path,)
    return tuple(dict.fromkeys(place.path for place in places))


def _package(subject: Subject) -> Hashable:
    package = subject.finding.package
    return (package.name, package.purl) if package else None


def _fixable(subject: Subject) -> Hashable:
    advisory = subject.finding.advisory
    return bool(advisory.fixed_versions) if advisory else None


# How a condition is asked.

_Make = Callable[[tuple[object, ...], bool], _Test]


def _one_of(wanted: tuple[object, ...], _strict: bool) -> _Test:
    values = frozenset(wanted)
    return lambda key: key in values


def _category_test(wanted: tuple[object, ...], strict: bool) -> _Test:
    return _one_of(tuple(_CATEGORIES[str(word)] for word in wanted), strict)


def _severity_test(wanted: tuple[object, ...], _strict: bool) -> _Test:
    accepted: set[tuple[Severity, Severity]] = set()
    known = [severity for severity in Severity if severity is not Severity.UNKNOWN]
    for word in map(str, wanted):
        least = Severity(word.removeprefix(">="))
        for compared in known:
            if least is Severity.UNKNOWN:
                accepted.add((least, compared))
            elif compared is least or (word.startswith(">=") and compared.at_least(least)):
                accepted.update(((compared, compared), (Severity.UNKNOWN, compared)))
    return lambda key: key in accepted


def _any_of(wanted: tuple[object, ...], strict: bool) -> _Test:
    test = _one_of(wanted, strict)
    return lambda key: any(test(each) for each in _parts(key))


def _rule_test(wanted: tuple[object, ...], _strict: bool) -> _Test:
    patterns = [str(word) for word in wanted]
    return lambda key: any(fnmatchcase(str(one), each) for one in _parts(key) for each in patterns)


def _path_test(wanted: tuple[object, ...], strict: bool) -> _Test:
    matches = globs(map(str, wanted)).match_file
    quantify = all if strict else any

    def test(key: Hashable) -> bool:
        paths = _parts(key)
        return bool(paths) and quantify(matches(str(path)) for path in paths)

    return test


def _package_test(wanted: tuple[object, ...], _strict: bool) -> _Test:
    words = [str(word) for word in wanted]
    purls = [word for word in words if word.startswith("pkg:")]
    names = [package_name(word) for word in words if not word.startswith("pkg:")]

    def test(key: Hashable) -> bool:
        parts = _parts(key)
        if not parts:
            return False
        name, purl = map(str, parts)
        spellings = (purl, purl.partition("?")[0], purl_without_version(purl))
        return any(fnmatchcase(package_name(name), each) for each in names) or any(
            fnmatchcase(spelling, each) for spelling in spellings for each in purls
        )

    return test


def _parts(key: Hashable) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else ()


def _scope(subject: Subject) -> Hashable:
    package = subject.finding.package
    return package.scope.value if package else None


def _verdict(subject: Subject) -> Hashable:
    return subject.verdict.value if subject.verdict else None


_ASPECTS: Final[dict[str, tuple[Callable[[Subject], Hashable], _Make]]] = {
    "category": (lambda subject: subject.finding.category, _category_test),
    "severity": (lambda subject: (subject.severity, subject.compared), _severity_test),
    "verdict": (_verdict, _one_of),
    "scanner": (_scanners, _any_of),
    "rule": (_ids, _rule_test),
    "path": (_paths, _path_test),
    "package": (_package, _package_test),
    "scope": (_scope, _one_of),
    "fixable": (_fixable, _one_of),
}
