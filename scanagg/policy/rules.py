"""Which rule a finding falls under: all conditions of all rules at once, as bit masks.

Every condition is asked once for each distinct value (a path, a pair of rule ids), and the answer
for all rules is kept as one integer with a bit for each rule. The first rule that matches is then
the lowest bit that all dimensions have in common.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Final, NamedTuple, Protocol

import msgspec

from scanagg.model import Finding, LicenseVerdict, Origin, Severity
from scanagg.policy.conditions import (
    CATEGORIES,
    Make,
    Test,
    any_of,
    category_test,
    epss_test,
    one_of,
    package_name,
    package_test,
    rule_test,
    severity_test,
)
from scanagg.policy.paths import PathMasks, glob_problem, globs
from scanagg.policy.schema import Match

__all__ = [
    "CATEGORIES",
    "Answer",
    "Condition",
    "Rules",
    "Subject",
    "condition",
    "described",
    "glob_problem",
    "globs",
    "ids_of",
    "package_name",
    "paths_of",
]


class Condition(msgspec.Struct, frozen=True):
    """One entry of a list of rules, as far as matching goes.

    `strict` says what a path condition asks of a finding with several places: that each of them
    matches. So it is for what makes a finding weaker (an override, info, warn): that a secret also
    lies in a test must not excuse the copy in the source. To block, one matching place is enough.
    """

    match: Match
    strict: bool


class Subject(NamedTuple):
    """A finding as the rules see it: its severity decided, `compared` in place of unknown.

    `ids` and `paths` are those of the finding, for whoever knows them already: all rules ask.
    """

    finding: Finding
    severity: Severity
    compared: Severity
    verdict: LicenseVerdict | None
    origin: Origin = Origin.INTRODUCED
    ids: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Answer(NamedTuple):
    """The index of the first rule that matches, and what might have made an earlier one match.

    `unknown` names the data (kev, epss) that nobody has of this finding, though an earlier rule
    asks for it, of which all else holds.
    """

    first: int | None
    unknown: tuple[str, ...] = ()


class _Dimension(Protocol):
    """One aspect of findings: `free` has a bit for each rule that does not ask about it.

    `seen` holds the answer for each value that `key` had.
    """

    free: int
    seen: dict[Hashable, int]

    @property
    def key(self) -> Callable[[Subject], Hashable]:
        """What is looked at in a finding."""
        ...

    def mask(self, subject: Subject) -> int:
        """The rules that do not ask, and those whose condition holds."""
        ...


class Rules:
    """Rules ready to be asked. Keeps what it learnt, so make one for each judging."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        """Compile the conditions; they were checked when the policy was loaded."""
        self._every = (1 << len(conditions)) - 1
        made = {name: _dimension(name, conditions) for name in Match.__struct_fields__}
        asked = {name: each for name, each in made.items() if each.free != self._every}
        self._asked: Mapping[str, _Dimension] = asked
        self._plain = [each for name, each in asked.items() if name in _PLAIN]
        self._wide = [
            (self._every & ~each.free, each)
            for name, each in asked.items()
            if name not in (*_PLAIN, *_DATA)
        ]
        self._data = [(name, asked[name], _DATA[name]) for name in _DATA if name in asked]
        self._asking_data = self._every & ~reduce(
            and_, (each.free for _, each, _ in self._data), -1
        )
        self._seen: dict[tuple[object, ...], int] = {}
        self._answers = [Answer(index) for index in range(len(conditions))]

    def ask(self, subject: Subject) -> Answer:
        """The first rule of which all conditions hold, and the data missing to be sure of it."""
        mask = self._simple(subject) if self._plain else self._every
        for asking, dimension in self._wide:
            if mask & asking:
                found = dimension.seen.get(dimension.key(subject))
                mask &= dimension.mask(subject) if found is None else found
        if not mask:
            return _NO_RULE
        first = mask & -mask
        if first & self._asking_data:
            return self._by_data(subject, mask)
        return self._answers[first.bit_length() - 1]

    def first_failed(self, subject: Subject, index: int) -> str | None:
        """The first condition of a rule that does not hold, in the order of Match's fields.

        None where the rule matches. A condition on data that nobody has does not hold.
        """
        for name, dimension in self._asked.items():
            if not dimension.mask(subject) >> index & 1:
                return name
        return None

    def _simple(self, subject: Subject) -> int:
        """What has few distinct values, all at once: of 100,000 findings a dozen are new here."""
        finding = subject.finding
        package, advisory, witnesses = finding.package, finding.advisory, finding.witnesses
        alone = len(witnesses) == 1
        key = (
            finding.category,
            witnesses[0].scanner if alone else tuple([each.scanner for each in witnesses]),
            subject.severity,
            subject.compared,
            subject.verdict,
            subject.origin,
            package.scope if package else None,
            not advisory.fixed_versions if advisory else None,
        )
        found = self._seen.get(key)
        if found is None:
            found = self._every
            for dimension in self._plain:
                found &= dimension.mask(subject)
            self._seen[key] = found
        return found

    def _by_data(self, subject: Subject, mask: int) -> Answer:
        """The first of the rules in `mask` whose conditions on data hold too."""
        certain = possible = mask
        unknown: list[tuple[str, int]] = []
        for name, dimension, value in self._data:
            holds = dimension.mask(subject)
            certain &= holds
            if subject.finding.advisory and value(subject) is None:
                unknown.append((name, ~dimension.free))
            else:
                possible &= holds
        # Rules that would come before the one that matches, if only somebody knew.
        open_ = possible & ~certain & ((certain & -certain) - 1 if certain else self._every)
        if not open_:
            return self._answers[_lowest(certain)] if certain else _NO_RULE
        missing = tuple(name for name, asks in unknown if open_ & asks)
        return Answer(_lowest(certain) if certain else None, missing)


def described(match: Match) -> str:
    """The conditions of a rule in words: `category secret, severity >=high`."""
    names = [name for name in match.__struct_fields__ if getattr(match, name) is not None]
    return ", ".join(condition(match, name) for name in names) or "every finding"


def condition(match: Match, name: str) -> str:
    """One condition in words: `category vuln or secret`."""
    wanted = getattr(match, name)
    if isinstance(wanted, bool):
        return f"{name} {str(wanted).lower()}"
    return f"{name} {' or '.join(map(str, _listed(wanted)))}"


def ids_of(finding: Finding) -> tuple[str, ...]:
    """Every name by which a rule or a waiver can call what was found, as scanners write them."""
    advisory, rule, witnesses = finding.advisory, finding.rule.id, finding.witnesses
    if advisory is None and len(witnesses) == 1:
        return (rule, witnesses[0].rule)
    aliases = (advisory.id, *advisory.aliases) if advisory else ()
    return (rule, *[witness.rule for witness in witnesses], *aliases)


def paths_of(finding: Finding) -> tuple[str, ...]:
    """Every path of a finding, each once."""
    location, places = finding.location, finding.places
    if location is None:
        return tuple(dict.fromkeys([place.path for place in places]))
    if not places:
        return (location.path,)
    return tuple(dict.fromkeys([location.path, *[place.path for place in places]]))


@dataclass(slots=True)
class _Aspect:
    """An aspect that is asked about once for each distinct value."""

    key: Callable[[Subject], Hashable]
    free: int
    tests: Sequence[tuple[int, Test]]
    seen: dict[Hashable, int] = field(default_factory=dict)

    def mask(self, subject: Subject) -> int:
        key = self.key(subject)
        found = self.seen.get(key)
        if found is None:
            found = self.free | sum(bit for bit, test in self.tests if test(key))
            self.seen[key] = found
        return found


@dataclass(slots=True)
class _Places:
    """The paths of a finding. `strict` has the bits of the rules that ask for all of them."""

    free: int
    strict: int
    paths: PathMasks
    key: Callable[[Subject], tuple[str, ...]]
    seen: dict[Hashable, int] = field(default_factory=dict)

    def mask(self, subject: Subject) -> int:
        paths = self.key(subject)
        some, every = 0, -1 if paths else 0
        for path in paths:
            mask = self.paths.mask(path)
            some |= mask
            every &= mask
        found = self.seen[paths] = self.free | (some & ~self.strict) | (every & self.strict)
        return found


def _dimension(name: str, conditions: Sequence[Condition]) -> _Dimension:
    asked: list[tuple[int, Condition, tuple[object, ...]]] = []
    free = 0
    for index, each in enumerate(conditions):
        wanted = getattr(each.match, name)
        if wanted is None:
            free |= 1 << index
        else:
            asked.append((1 << index, each, _listed(wanted)))
    if name == "path":
        strict = sum(bit for bit, each, _ in asked if each.strict)
        patterns = [(bit, str(word)) for bit, _, words in asked for word in words]
        return _Places(free, strict, PathMasks(patterns), _paths)
    key, make = _ASPECTS[name]
    return _Aspect(key, free, [(bit, make(words)) for bit, _, words in asked])


def _listed(wanted: object) -> tuple[object, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


# What is looked at in a finding; None and () stand for what it does not have, and match nothing.


def _scanners(subject: Subject) -> Hashable:
    return tuple([witness.scanner for witness in subject.finding.witnesses])


def _ids(subject: Subject) -> Hashable:
    return subject.ids or ids_of(subject.finding)


def _paths(subject: Subject) -> tuple[str, ...]:
    return subject.paths or paths_of(subject.finding)


def _package(subject: Subject) -> Hashable:
    package = subject.finding.package
    return (package.name, package.purl) if package else None


def _fixable(subject: Subject) -> Hashable:
    advisory = subject.finding.advisory
    return bool(advisory.fixed_versions) if advisory else None


def _scope(subject: Subject) -> Hashable:
    package = subject.finding.package
    return package.scope.value if package else None


def _verdict(subject: Subject) -> Hashable:
    return subject.verdict.value if subject.verdict else None


def _kev(subject: Subject) -> Hashable:
    advisory = subject.finding.advisory
    return advisory.kev if advisory else None


def _epss(subject: Subject) -> Hashable:
    advisory = subject.finding.advisory
    return advisory.epss if advisory else None


_NO_RULE: Final = Answer(None)
_ASPECTS: Final[dict[str, tuple[Callable[[Subject], Hashable], Make]]] = {
    "category": (lambda subject: subject.finding.category, category_test),
    "severity": (lambda subject: (subject.severity, subject.compared), severity_test),
    "verdict": (_verdict, one_of),
    "scanner": (_scanners, any_of),
    "rule": (_ids, rule_test),
    "package": (_package, package_test),
    "scope": (_scope, one_of),
    "fixable": (_fixable, one_of),
    "origin": (lambda subject: subject.origin.value, one_of),
    "kev": (_kev, one_of),
    "epss": (_epss, epss_test),
}
_PLAIN: Final = ("category", "severity", "verdict", "scanner", "scope", "fixable", "origin")
_DATA: Final[dict[str, Callable[[Subject], Hashable]]] = {"kev": _kev, "epss": _epss}
