"""The explanation of one verdict: everything that was asked of the finding, and each answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.model import Finding, Judged, Reason, Severity, SeverityClaim, Waiver
from scanagg.policy.aspects import ids_of
from scanagg.policy.grace import GraceClock
from scanagg.policy.licenses import LicenseDecision
from scanagg.policy.rules import Judge, Layer, View
from scanagg.policy.schema import Policy, condition_words, match_words, words_of

LEAST_PREFIX: Final = 4
"""The least number of digits by which a finding can be named."""


class Asked(msgspec.Struct, frozen=True):
    """A rule that was asked: its id, its action, and that it matches, or what did not."""

    rule: str
    action: str
    answer: str
    matches: bool = False


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
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
    reasons: tuple[Reason, ...]
    override: str | None
    origin: str
    rule_lists: tuple[RuleList, ...]
    waivers: tuple[tuple[Waiver, Reason | None], ...]
    license: LicenseDecision | None


def find(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    """Return the findings of that name: an id of an advisory or a rule in any case.

    Else the name is a fingerprint, of which the first few digits are enough.
    """
    word = name.strip().casefold()
    named = tuple(each for each in findings if word in map(str.casefold, ids_of(each)))
    if named or len(word) < LEAST_PREFIX:
        return named
    exact = tuple(each for each in findings if word in (each.id, each.fingerprint))
    return exact or tuple(each for each in findings if each.fingerprint.startswith(word))


def explain(finding: Finding, policy: Policy, now: datetime) -> Explanation:
    """Explain what the policy says of a finding at `now` (UTC)."""
    judge = Judge(policy, now)
    view = judge.own.view(finding)
    rule_lists = [_asked(None, judge.own, view)]
    for lock, layer in judge.locked:
        rule_lists.append(_asked(lock.source, layer, layer.view(finding)))
    judged = judge.judge(finding)
    override = None
    if view.override is not None:
        entry = policy.file.severity.override[view.override]
        override = f"{match_words(entry.match)}: set to {entry.to}, {entry.reason}"
    # A parent's locked rules may be why a waiver has no effect, too.
    void = {id(each.waiver): each.reason for each in judged.void_waivers} if judged else {}
    return Explanation(
        finding=finding,
        judged=judged,
        claims=view.rated.sources,
        severity=view.rated.severity,
        compared=view.subject.compared,
        reasons=view.rated.reasons,
        override=override,
        origin=view.subject.origin.value,
        rule_lists=tuple(rule_lists),
        waivers=tuple(
            (waiver, reason or void.get(id(waiver)))
            for waiver, reason in judge.waivers.considered(finding)
        ),
        license=view.license,
    )


def _asked(source: str | None, layer: Layer, view: View) -> RuleList:
    rules = layer.file.rules
    if view.is_allowed:
        return RuleList(source=source, asked=(), unasked=len(rules))
    asked: list[Asked] = []
    for rule, matcher in zip(rules, layer.rules.matchers, strict=True):
        failed = matcher.first_failed(view.subject)
        if failed is None:
            answer = f"matches: {match_words(rule.match)}"
            asked.append(Asked(rule.id, rule.action, answer, matches=True))
            ruling = layer.rule(view)
            clock = ruling.clock if ruling else None
            left = len(rules) - len(asked)
            return RuleList(source=source, asked=tuple(asked), unasked=left, clock=clock)
        condition = condition_words(failed, words_of(rule.match, failed))
        answer = f"wants {condition}; it has {failed.has(view.subject)}"
        asked.append(Asked(rule.id, rule.action, answer))
    return RuleList(source=source, asked=tuple(asked), unasked=0)
