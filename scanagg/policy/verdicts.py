"""Findings become verdicts: severity, origin, licence, rules, waivers; sorted, most urgent first.

The first matching rule decides; a locked rule of a parent is asked apart from the others, and the
stricter action of both applies. Only then come waivers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from scanagg.model import (
    Action,
    Finding,
    Judged,
    Licensed,
    Severity,
    Verdict,
    VoidWaiver,
    Waiver,
    WaiverUse,
)
from scanagg.policy.layers import Layer, Ruling, View
from scanagg.policy.licenses import LicenseDecision
from scanagg.policy.schema import Locked, Policy
from scanagg.policy.waivers import NOTHING, Covering, Waivers, reason_of, today

_ACTION_ORDER: Final = {action: action.order for action in Action}
# Added to a line: of numbers that are equally long the texts sort as they do.
_BEFORE_LINES: Final = 10**9

_SEVERITY_ORDER: Final = {severity: severity.order for severity in Severity}


class Decision(msgspec.Struct, frozen=True):
    """What the policy makes of the findings.

    `judged` has a verdict for each finding, most urgent and worst first. `licenses` are all
    packages with a licence, allowed ones too, by name. `unchecked` counts, by kind of data (kev,
    epss), the findings that a rule asked about and nobody could answer for.
    """

    judged: tuple[Judged, ...]
    licenses: tuple[Licensed, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()
    unchecked: Mapping[str, int] = msgspec.field(default_factory=dict)


def decide(findings: Sequence[Finding], policy: Policy, now: datetime) -> Decision:
    """A verdict for each finding; the same for any order of findings. `now` is UTC.

    Packages whose licence is allowed are no findings. Of a list of rules the first that matches
    decides; where none does, the policy's default.
    """
    judge = Judge(policy, now)
    judged = [one for one in map(judge.judge, findings) if one is not None]
    judged.sort(key=_key)
    licenses = sorted(judge.licenses, key=_license_key)
    uses = judge.waivers.uses(judge.matched, judge.lapsed)
    return Decision(tuple(judged), tuple(licenses), uses, dict(sorted(judge.unchecked.items())))


class Held(msgspec.Struct, frozen=True):
    """A parent's locked rules, compiled, and who may waive what they say."""

    locked: Locked
    layer: Layer


@dataclass(slots=True)
class Judge:
    """A policy, compiled, on one date. What it says of a finding depends on nothing else.

    Besides verdicts it counts: what each waiver waives (`matched`, by `id()`), which waivers match
    without effect (`lapsed`), and what nobody could answer for.
    """

    policy: Policy
    now: datetime
    own: Layer = field(init=False)
    held: tuple[Held, ...] = field(init=False)
    waivers: Waivers = field(init=False)
    matched: Counter[int] = field(default_factory=Counter)
    lapsed: set[int] = field(default_factory=set)
    unchecked: Counter[str] = field(default_factory=Counter)
    licenses: list[Licensed] = field(default_factory=list)
    _waived: dict[tuple[str, int], Verdict] = field(default_factory=dict)
    _forbids: bool = field(init=False)

    def __post_init__(self) -> None:
        """Compile the policy and what its parents hold fast."""
        policy, now = self.policy, self.now
        self.own = Layer(policy.file, now)
        self.held = tuple(Held(each, Layer(each.file, now, each.source)) for each in policy.locked)
        self.waivers = Waivers(policy.waivers, today(now), policy.file.waivers.max_days)
        self._forbids = policy.file.waivers.in_source == "forbid"

    def judge(self, finding: Finding) -> Judged | None:
        """The finding with its verdict; None for a package whose licence is allowed."""
        view = self.own.view(finding)
        if view.license:
            self._list(finding, view)
        ruling = None if view.license and view.is_allowed else self.own.rule(view)
        if ruling and ruling.unknown:
            self.unchecked.update(set(ruling.unknown))
        subject = view.subject
        covering = NOTHING
        if self.policy.waivers:
            covering = self.waivers.covering(finding, subject.ids, subject.paths)
        if ruling and covering is NOTHING and not (self.held or finding.in_source):
            deadline = ruling.deadline if ruling.clock else None
            return _judged(view, view.license, ruling.verdict, None, (), deadline)
        own = self._own(finding, ruling, covering) if ruling else None
        if self.held:
            return self._with_held(view, own, covering)
        if own is None:
            return None
        if covering is not NOTHING:
            self._count(covering, own.verdict)
        return _told(view, view, own, covering.void)

    def _own(self, finding: Finding, ruling: Ruling, covering: Covering) -> "_Outcome":
        """What the policy itself makes of a finding, with its waivers."""
        verdict = ruling.verdict
        if covering.effective:
            return self._waived_by(covering.effective[0], verdict)
        if not finding.in_source:
            return _Outcome(verdict, ruling.deadline)
        hidden = f"hidden by {finding.in_source} in the source"
        if not self._forbids:
            return _Outcome(Verdict(Action.WAIVED, verdict.rule, hidden))
        reason = f"{verdict.reason}; {hidden}, which the policy forbids"
        return _Outcome(Verdict(verdict.action, verdict.rule, reason), ruling.deadline)

    def _with_held(self, view: View, own: "_Outcome | None", covering: Covering) -> Judged | None:
        """The strictest of what the policy and the locked rules of its parents say."""
        finding = view.subject.finding
        said = [(view, own)] if own else []
        void = list(covering.void)
        for held in self.held:
            theirs = held.layer.view(finding)
            ruling = None if theirs.is_allowed else held.layer.rule(theirs)
            if ruling is None:
                continue
            self.unchecked.update(set(ruling.unknown))
            outcome = self._theirs(finding, held, ruling, covering)
            said.append((theirs, outcome))
            if outcome.waiver is None:
                why = f"the owner is no approver of {held.locked.source}"
                void += (VoidWaiver(each, why) for each in covering.effective)
        if not said:
            return None
        seen, outcome = min(said, key=lambda each: _ACTION_ORDER[each[1].verdict.action])
        if outcome.waiver is not None:
            waivers = [each.waiver for _, each in said if each.waiver is not None]
            outcome = outcome._replace(waiver=min(waivers, key=lambda each: each.expires))
        self._count(covering, outcome.verdict)
        return _told(view if own else seen, seen, outcome, tuple(void))

    def _theirs(
        self, finding: Finding, held: Held, ruling: Ruling, covering: Covering
    ) -> "_Outcome":
        """What a locked rule makes of a finding: only its approvers waive it.

        A comment in the source has no owner, so it counts only where the parent says `allow`.
        """
        for waiver in covering.effective:
            if waiver.owner in held.locked.approvers:
                return self._waived_by(waiver, ruling.verdict)
        if finding.in_source and held.locked.file.waivers.in_source == "allow":
            reason = f"hidden by {finding.in_source} in the source"
            return _Outcome(Verdict(Action.WAIVED, ruling.verdict.rule, reason))
        return _Outcome(ruling.verdict, ruling.deadline)

    def _waived_by(self, waiver: Waiver, verdict: Verdict) -> "_Outcome":
        key = (verdict.rule, id(waiver))
        if key not in self._waived:
            self._waived[key] = Verdict(Action.WAIVED, verdict.rule, reason_of(waiver))
        return _Outcome(self._waived[key], None, waiver)

    def _count(self, covering: Covering, verdict: Verdict) -> None:
        waived = verdict.action is Action.WAIVED
        for waiver in covering.effective:
            self.matched[id(waiver)] += waived
        self.lapsed.update(id(each.waiver) for each in covering.void)

    def _list(self, finding: Finding, view: View) -> None:
        if view.license is None or finding.package is None or finding.license is None:
            return
        said = view.license
        self.licenses.append(
            Licensed(
                finding.package,
                finding.license,
                said.verdict,
                said.expression,
                said.term,
                said.source,
                finding.history,
            )
        )


class _Outcome(NamedTuple):
    """A verdict after waivers, with the one that is cited."""

    verdict: Verdict
    deadline: datetime | None = None
    waiver: Waiver | None = None


def _told(view: View, decisive: View, outcome: _Outcome, void: tuple[VoidWaiver, ...]) -> Judged:
    """A finding in the policy's view, with the licence verdict that decided."""
    license_ = decisive.license
    return _judged(view, license_, outcome.verdict, outcome.waiver, void, outcome.deadline)


def _judged(
    view: View,
    decision: LicenseDecision | None,
    verdict: Verdict,
    waiver: Waiver | None = None,
    void: tuple[VoidWaiver, ...] = (),
    deadline: datetime | None = None,
) -> Judged:
    """A finding as reports show it."""
    subject, rated = view.subject, view.rated
    return Judged(
        finding=subject.finding,
        severity=rated.severity,
        severity_sources=rated.sources,
        verdict=verdict,
        origin=subject.origin,
        waiver=waiver,
        void_waivers=void,
        deadline=deadline,
        license_expression=decision.expression if decision else None,
        license_verdict=decision.verdict if decision else None,
        license_term=decision.term if decision else None,
    )


def _license_key(licensed: Licensed) -> tuple[str, ...]:
    package = licensed.package
    last = (licensed.expression, licensed.term, licensed.source)
    return (package.name, package.purl, package.scope.value, *last)


def _key(judged: Judged) -> str:
    """What to sort by, as one text: that compares faster than a tuple, part by part."""
    finding = judged.finding
    place, package = finding.location, finding.package
    where = f"{place.path}\0{_BEFORE_LINES + (place.start_line or 0)}" if place else "\0"
    action, severity = _ACTION_ORDER[judged.verdict.action], _SEVERITY_ORDER[judged.severity]
    purl = package.purl if package else ""
    last = f"{finding.rule.id}\0{purl}\0{finding.fingerprint}\0{finding.title}"
    return f"{action}{severity}{where}\0{last}"
