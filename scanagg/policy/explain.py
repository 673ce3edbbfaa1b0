"""Explain one verdict: the severity, every rule that was tried, and every waiver."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.model import Finding, Judged, Reason, Severity, SeverityClaim, Waiver
from scanagg.policy.aspects import ids_of
from scanagg.policy.grace import GraceClock
from scanagg.policy.license_lists import LicenseDecision
from scanagg.policy.rules import Judge, Layer, View
from scanagg.policy.schema import Override, Policy, RuleEntry, condition_words, words_of

LEAST_PREFIX: Final = 4
"""The minimum number of digits that name a finding."""


class TriedRule(msgspec.Struct, frozen=True):
    """A rule that was tried, and its first condition that failed; empty if the rule matches.

    `failed` is in words of the policy (`kev true`), `has` describes the finding's value.
    """

    rule: RuleEntry
    failed: str = ""
    has: str = ""


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one policy file that were tried, in order, up to the one that matches.

    `source` names the parent whose locked rules they are, None for the policy itself. `untried`
    counts the rules after the match; `default` is the action without a match. `clock` is the grace
    of the match.
    """

    source: str | None
    tried: tuple[TriedRule, ...]
    untried: int
    default: str
    clock: GraceClock | None = None

    @property
    def has_match(self) -> bool:
        """True if one of the rules matches."""
        return bool(self.tried) and not self.tried[-1].failed


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that led to a verdict; `judged` is None for a package whose licence is allowed.

    `claims` are the severities of all sources, the one that decided first. `compared` is the
    severity that rules compare. `override` is the severity override that applied. Each of `waivers`
    has the reason why it does not cover the finding, None if it does.
    """

    finding: Finding
    judged: Judged | None
    claims: tuple[SeverityClaim, ...]
    severity: Severity
    compared: Severity
    reasons: tuple[Reason, ...]
    override: Override | None
    origin: str
    rule_lists: tuple[RuleList, ...]
    waivers: tuple[tuple[Waiver, Reason | None], ...]
    license: LicenseDecision | None


def find(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    """Return the findings with an id: of an advisory or a rule, in any case, or of the finding.

    For the id or fingerprint of a finding, its first `LEAST_PREFIX` digits are enough.
    """
    word = name.strip().casefold()
    named = tuple(item for item in findings if word in map(str.casefold, ids_of(item)))
    if named or len(word) < LEAST_PREFIX:
        return named
    exact = tuple(item for item in findings if word in (item.id, item.fingerprint))
    return exact or tuple(item for item in findings if item.fingerprint.startswith(word))


def explain(finding: Finding, policy: Policy, now: datetime) -> Explanation:
    """Explain the verdict of a policy on a finding at `now` (UTC)."""
    judge = Judge(policy, now)
    view = judge.own.view(finding)
    rule_lists = [_tried(judge.own, view)]
    rule_lists += [_tried(layer, layer.view(finding)) for layer in judge.locked]
    judged = judge.judge(finding)
    override = None
    if view.override is not None:
        override = policy.file.severity.override[view.override]
    # Locked rules of a parent can also be why a waiver has no effect.
    void = {id(item.waiver): item.reason for item in judged.void_waivers} if judged else {}
    return Explanation(
        finding=judged.finding if judged else finding,
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
            for waiver, reason in judge.waivers.considered(view.subject.finding)
        ),
        license=view.license,
    )


def _tried(layer: Layer, view: View) -> RuleList:
    rules = layer.file.rules
    tried: list[TriedRule] = []
    clock = None
    if not view.is_allowed:
        for rule, matcher in zip(rules, layer.rules.matchers, strict=True):
            aspect = matcher.first_failed(view.subject)
            if aspect is None:
                tried.append(TriedRule(rule))
                ruling = layer.rule(view)
                clock = ruling.clock if ruling else None
                break
            condition = condition_words(aspect, words_of(rule.match, aspect))
            tried.append(TriedRule(rule, condition, aspect.has(view.subject)))
    return RuleList(
        source=layer.lock.source if layer.lock else None,
        tried=tuple(tried),
        untried=len(rules) - len(tried),
        default=layer.file.default,
        clock=clock,
    )
