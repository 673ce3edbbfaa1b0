"""Why a policy says what it says of one finding: everything that was asked, and each answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.model import Finding, Judged, Severity, SeverityClaim, Waiver
from scanagg.policy.grace import GraceClock
from scanagg.policy.layers import Layer, View
from scanagg.policy.licenses import LicenseDecision
from scanagg.policy.rules import Subject, condition, described, ids_of, paths_of
from scanagg.policy.schema import Policy
from scanagg.policy.verdicts import Judge

LEAST_PREFIX: Final = 4
"""The least number of digits by which a finding can be named."""

_NOTHING: Final = "nothing of the kind"
_UNASKED: Final = "no such data"


class Asked(msgspec.Struct, frozen=True):
    """A rule that was asked: its id, its action, and that it matches, or what did not."""

    rule: str
    action: str
    answer: str
    matches: bool = False


class Rulebook(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one file in the order in which they were asked, up to the one that matches.

    `source` names the parent whose locked rules they are, None for the policy itself. `unasked`
    counts the rules after the one that matched; `clock` is that one's grace.
    """

    source: str | None
    asked: tuple[Asked, ...]
    unasked: int
    clock: GraceClock | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All that led to a verdict; `judged` is None for a package whose licence is allowed.

    `claims` are all words on the severity, the one that decided in front; `compared` is what rules
    compare it as. `override` says which override applied, in words. `waivers` has each with why it
    does not cover the finding, None where it does.
    """

    finding: Finding
    judged: Judged | None
    claims: tuple[SeverityClaim, ...]
    severity: Severity
    compared: Severity
    note: str
    override: str | None
    origin: str
    rulebooks: tuple[Rulebook, ...]
    waivers: tuple[tuple[Waiver, str | None], ...]
    license: LicenseDecision | None


def find(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    """The findings of that name: an id of an advisory or a rule in any case, else a fingerprint.

    Of a fingerprint the first few digits are enough. Nothing where no finding is called that.
    """
    word = name.strip().casefold()
    named = tuple(one for one in findings if word in map(str.casefold, ids_of(one)))
    if named or len(word) < LEAST_PREFIX:
        return named
    exact = tuple(one for one in findings if word in (one.id, one.fingerprint))
    return exact or tuple(one for one in findings if one.fingerprint.startswith(word))


def explain(finding: Finding, policy: Policy, now: datetime) -> Explanation:
    """Why the policy says what it says of a finding at `now` (UTC)."""
    judge = Judge(policy, now)
    view = judge.own.view(finding)
    books = [_rulebook(None, judge.own, view)]
    books += [
        _rulebook(held.locked.source, held.layer, held.layer.view(finding)) for held in judge.held
    ]
    judged = judge.judge(finding)
    return Explanation(
        finding=finding,
        judged=judged,
        claims=view.rated.sources,
        severity=view.rated.severity,
        compared=view.subject.compared,
        note=view.rated.note,
        override=_override(policy, view),
        origin=view.subject.origin.value,
        rulebooks=tuple(books),
        waivers=_waivers(judge, finding, judged),
        license=view.license,
    )


def _rulebook(source: str | None, layer: Layer, view: View) -> Rulebook:
    if view.is_allowed:
        return Rulebook(source=source, asked=(), unasked=len(layer.file.rules))
    asked: list[Asked] = []
    for index, rule in enumerate(layer.file.rules):
        failed = layer.rules.first_failed(view.subject, index)
        if failed is None:
            answer = f"matches: {described(rule.match)}"
            asked.append(Asked(rule.id, rule.action, answer, matches=True))
            unasked = len(layer.file.rules) - index - 1
            ruling = layer.rule(view)
            clock = ruling.clock if ruling else None
            return Rulebook(source=source, asked=tuple(asked), unasked=unasked, clock=clock)
        wanted = condition(rule.match, failed)
        answer = f"wants {wanted}; it has {_has(failed, view.subject)}"
        asked.append(Asked(rule.id, rule.action, answer))
    return Rulebook(source=source, asked=tuple(asked), unasked=0)


def _waivers(
    judge: Judge, finding: Finding, judged: Judged | None
) -> tuple[tuple[Waiver, str | None], ...]:
    """Each waiver and why it has no effect here; a parent's locked rules may be the reason too."""
    void = {id(each.waiver): each.reason for each in judged.void_waivers} if judged else {}
    return tuple(
        (waiver, reason or void.get(id(waiver)))
        for waiver, reason in judge.waivers.considered(finding)
    )


def _override(policy: Policy, view: View) -> str | None:
    if view.override is None:
        return None
    said = policy.file.severity.override[view.override]
    return f"{described(said.match)}: set to {said.to}, {said.reason}"


def _has(name: str, subject: Subject) -> str:
    """What a finding has of what a condition asks for, in words."""
    has: str = _HAS[name](subject)
    return has or _NOTHING


def _category(subject: Subject) -> str:
    return subject.finding.category.value


def _severity(subject: Subject) -> str:
    unknown = subject.severity is Severity.UNKNOWN
    return f"{subject.severity.value}{f', as {subject.compared.value}' if unknown else ''}"


def _scanners(subject: Subject) -> str:
    return ", ".join(subject.finding.scanners)


def _ids(subject: Subject) -> str:
    return ", ".join(dict.fromkeys(ids_of(subject.finding)))


def _paths(subject: Subject) -> str:
    return ", ".join(paths_of(subject.finding))


def _package(subject: Subject) -> str:
    package = subject.finding.package
    return package.purl if package else ""


def _scope(subject: Subject) -> str:
    package = subject.finding.package
    return package.scope.value if package else ""


def _fixable(subject: Subject) -> str:
    advisory = subject.finding.advisory
    if advisory is None:
        return ""
    return "a fixed version" if advisory.fixed_versions else "no fixed version"


def _verdict(subject: Subject) -> str:
    return subject.verdict.value if subject.verdict else ""


def _origin(subject: Subject) -> str:
    return subject.origin.value


def _kev(subject: Subject) -> str:
    advisory = subject.finding.advisory
    if advisory is None:
        return ""
    if advisory.kev is None:
        return _UNASKED
    since = f", since {advisory.kev_added}" if advisory.kev and advisory.kev_added else ""
    return f"{str(advisory.kev).lower()}{since}"


def _epss(subject: Subject) -> str:
    advisory = subject.finding.advisory
    if advisory is None:
        return ""
    return _UNASKED if advisory.epss is None else str(advisory.epss)


_HAS: Final[Mapping[str, Callable[[Subject], str]]] = {
    "category": _category,
    "severity": _severity,
    "scanner": _scanners,
    "rule": _ids,
    "path": _paths,
    "package": _package,
    "scope": _scope,
    "fixable": _fixable,
    "verdict": _verdict,
    "origin": _origin,
    "kev": _kev,
    "epss": _epss,
}
