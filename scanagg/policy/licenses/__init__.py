"""Licences judged: what a policy says of a package, its metadata or its own words against lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from scanagg.core.text import counted
from scanagg.model import LicenseFacts, LicenseVerdict, Package, is_pypi, pypi_purl
from scanagg.policy.aspects import split_purl
from scanagg.policy.licenses.facts import LicenseDecision, from_facts, of_expression
from scanagg.policy.licenses.lists import (
    Evaluation,
    LicenseLists,
    ListProblem,
    allowing,
    canonical,
    check_lists,
    entry_problem,
    evaluate,
    lists_of,
)
from scanagg.policy.schema import Clarification, LicenseException, LicenseSection

__all__ = [
    "CLARIFY",
    "Evaluation",
    "LicenseDecision",
    "LicenseJudge",
    "LicenseLists",
    "ListProblem",
    "canonical",
    "check_lists",
    "entry_problem",
    "evaluate",
    "from_facts",
    "lists_of",
]

CLARIFY: Final = "clarify"
"""The source of a licence that the policy itself says."""

# Verdicts are remembered for each licence there is; packages differ more than their licences do.
_REMEMBERED: Final = 1 << 14


class _Said(msgspec.Struct, frozen=True):
    """What the policy says of one package: entries that match it, in the order of the file."""

    clarifications: tuple[Clarification, ...] = ()
    exceptions: tuple[LicenseException, ...] = ()


_NOTHING: Final = _Said()


@dataclass(slots=True)
class LicenseJudge:
    """The licence section of a policy, ready to judge packages by on one day (UTC).

    PolicyError where a list holds what is no licence id.
    """

    section: LicenseSection
    today: date
    lists: LicenseLists = field(init=False)
    _said: dict[str, _Said] = field(init=False)
    _decided: dict[tuple[LicenseFacts, _Said], LicenseDecision] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the lists, and sort the entries by the package that they are about."""
        said = self.section
        self.lists = lists_of(said.allow, said.review, said.deny, said.classifiers)
        self._decided = {}
        self._said = {}
        for one in said.clarify:
            name = split_purl(one.purl)[0]
            before = self._said.get(name, _NOTHING)
            self._said[name] = replace(before, clarifications=(*before.clarifications, one))
        for each in said.exceptions:
            name = split_purl(each.purl)[0]
            before = self._said.get(name, _NOTHING)
            self._said[name] = replace(before, exceptions=(*before.exceptions, each))

    def judge(self, package: Package, facts: LicenseFacts) -> LicenseDecision:
        """The verdict on the licence of a package, the same object for what is alike."""
        key = (facts, self._about(package))
        decision = self._decided.get(key)
        if decision is None:
            decision = self._decided[key] = self._decide(*key)
        return decision

    def _about(self, package: Package) -> _Said:
        said = self._said.get(_name_of(package)) if self._said else None
        if said is None:
            return _NOTHING
        return _Said(
            tuple(
                one
                for one in said.clarifications
                if _names(one.purl, package) and _in_range(one.versions, package.version)
            ),
            tuple(one for one in said.exceptions if _names(one.purl, package)),
        )

    def _decide(self, facts: LicenseFacts, said: _Said) -> LicenseDecision:
        """What the policy says of it, else its metadata; with what had no effect as a note."""
        live = [one for one in said.exceptions if self.today <= date.fromisoformat(one.expires)]
        lists = allowing(self.lists, _ids(live))
        decision, voids = _of(facts, said.clarifications, lists)
        notes = [*voids, decision.note]
        expired = [one for one in said.exceptions if one not in live]
        if expired and decision.verdict is not LicenseVerdict.ALLOW:
            notes += [
                self._expired(one)
                for one in expired
                if _of(facts, said.clarifications, allowing(lists, one.allow))[0].verdict
                is not decision.verdict
            ]
        return replace(decision, note="; ".join(filter(None, notes)))

    def _expired(self, one: LicenseException) -> str:
        days = (self.today - date.fromisoformat(one.expires)).days
        ago = counted(days, "day")
        return f"the exception of {one.owner} expired on {one.expires}, {ago} ago"


def _of(
    facts: LicenseFacts, clarifications: Sequence[Clarification], lists: LicenseLists
) -> tuple[LicenseDecision, list[str]]:
    """The decision, and why clarifications that match are void."""
    voids: list[str] = []
    for one in clarifications:
        void = _void(one, facts)
        if not void:
            return of_expression(one.expression, lists, CLARIFY), voids
        voids.append(void)
    return from_facts(facts, lists), voids


def _void(one: Clarification, facts: LicenseFacts) -> str:
    """Why a clarification does not count; empty where it does."""
    if one.evidence is None:
        return ""
    path, wanted = one.evidence.path, one.evidence.sha256
    found = [file.sha256 for file in facts.files if file.path == path]
    if wanted in found:
        return ""
    what = f"the policy's clarification {one.expression} is void"
    if found:
        return f"{what}: {path} is another file now (sha256 {found[0]})"
    if facts.files:
        others = ", ".join(file.path for file in facts.files)
        return f"{what}: the package has no licence file {path}, but {others}"
    return f"{what}: the licence files of the package are not known, so {path} cannot be compared"


def _ids(exceptions: Iterable[LicenseException]) -> list[str]:
    return [name for one in exceptions for name in one.allow]


def _names(purl: str, package: Package) -> bool:
    """Whether a purl of the policy means the package: it may leave out the version."""
    bare, version = split_purl(purl)
    return bare == _name_of(package) and version in ("", package.version)


def _name_of(package: Package) -> str:
    """The purl without version. A PyPI package's name is in its normal form already."""
    return pypi_purl(package.name) if is_pypi(package.purl) else split_purl(package.purl)[0]


@lru_cache(maxsize=_REMEMBERED)
def _in_range(versions: str | None, version: str) -> bool:
    """Whether PEP 440 puts the version into the range; what is no version is in none."""
    if versions is None:
        return True
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
