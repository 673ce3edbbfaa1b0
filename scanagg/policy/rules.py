"""The verdict on each finding: severity, origin, licence, rules, waivers.

The first rule that matches decides. A parent's locked rules are asked apart from the others, and
the stricter of both actions applies. Only then come waivers.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from scanagg.model import (
    Action,
    Category,
    Change,
    Finding,
    Judged,
    Licensed,
    LicenseVerdict,
    Origin,
    Reason,
    Severity,
    Verdict,
    VoidWaiver,
    Waiver,
    WaiverUse,
)
from scanagg.policy.aspects import ASPECTS, Aspect, Subject, category_of
from scanagg.policy.grace import GraceClock, clock
from scanagg.policy.licenses import LicenseDecision, LicenseJudge
from scanagg.policy.schema import Locked, Match, Policy, PolicyFile, conditions_of, match_reason
from scanagg.policy.severity import Rated, Scale, overridden
from scanagg.policy.waivers import Waivers, today
from scanagg.scanners.base import scanner_info

DEFAULT: Final = "default"
"""The id of the rule for findings that no other rule matches."""

# Added to a line number: numbers of equal length sort as text.
_BEFORE_LINES: Final = 10**9
_DATA: Final = frozenset(aspect.key for aspect in ASPECTS if aspect.is_data)
_ACTION_ORDER: Final = {action: action.order for action in Action}
_SEVERITY_ORDER: Final = {severity: severity.order for severity in Severity}


# The first rule that matches.


class Answer(msgspec.Struct, frozen=True):
    """The index of the first rule that matches, None for no rule.

    `unknown` names the data (kev, epss) that is missing for this finding, where an earlier rule
    asks for it and all its other conditions hold.
    """

    first: int | None
    unknown: tuple[str, ...] = ()


class Condition(NamedTuple):
    """An aspect, and a test of a finding's value for it."""

    aspect: Aspect
    holds: Callable[[Any], bool]


_Test = tuple[str, Callable[[Any], bool]]


class Matcher:
    """The conditions of one rule or override, compiled. They were checked when they were loaded.

    `every_place` says what a condition on places asks of a finding with several: that each matches.
    So it is for what makes a finding weaker (an override, info, warn): a copy of a secret in a test
    must not excuse the copy in the source. To block, one matching place is enough.
    """

    def __init__(self, match: Match, *, every_place: bool) -> None:
        """Compile each condition."""
        self.match = match
        self.every_place = every_place
        self.categories = categories_of(match)
        self.conditions = [
            Condition(aspect, _compiled(aspect, words, every_place))
            for aspect, words in conditions_of(match)
        ]

    def first_failed(self, subject: Subject) -> Aspect | None:
        """Return the first aspect whose condition does not hold, None where the rule matches."""
        for aspect, holds in self.conditions:
            value = aspect.value(subject)
            if value is None or not holds(value):
                return aspect
        return None


def matcher_of_rule(match: Match, action: str) -> Matcher:
    """Return the conditions of a rule; only one that blocks is content with one place."""
    return Matcher(match, every_place=action != "block")


def categories_of(match: Match) -> frozenset[Category]:
    """Return the categories of which a finding can meet each condition by itself."""
    categories = frozenset(Category)
    for aspect, words in conditions_of(match):
        its_own = aspect.categories if aspect.key != "category" else map(category_of, words)
        categories = categories.intersection(its_own)
    return categories


class Rules:
    """A list of rules in which the first that matches decides."""

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        """Sort the rules by the categories that they can match."""
        self.matchers = matchers
        self._of_category: dict[Category, list[tuple[int, list[_Test]]]] = {}
        self._asked: dict[Category, dict[str, Callable[[Subject], Any]]] = {}
        for category in Category:
            rules = self._of_category[category] = []
            asked = self._asked[category] = {}
            for index, matcher in enumerate(matchers):
                if category in matcher.categories:
                    # That of the category holds, then.
                    others = [each for each in matcher.conditions if each.aspect.key != "category"]
                    rules.append((index, [(each.aspect.key, each.holds) for each in others]))
                    asked |= {each.aspect.key: each.aspect.value for each in others}

    def ask(self, subject: Subject) -> Answer:
        """Return the first rule of which all conditions hold, and the data missing to be sure."""
        category = subject.finding.category
        values = {key: value(subject) for key, value in self._asked[category].items()}
        unknown: tuple[str, ...] = ()
        for index, conditions in self._of_category[category]:
            missing: tuple[str, ...] = ()
            for key, holds in conditions:
                value = values[key]
                if value is None and key in _DATA:
                    missing += (key,)
                elif value is None or not holds(value):
                    break
            else:
                if not missing:
                    return Answer(index, unknown)
                unknown += missing
        return Answer(None, unknown)


def _compiled(aspect: Aspect, words: tuple[Any, ...], every_place: bool) -> Callable[[Any], bool]:
    test = aspect.test(words) if aspect.test else aspect.accepted(words).__contains__
    if not aspect.has_places:
        return test
    if every_place:
        return cache(lambda places: bool(places) and all(map(test, places)))
    return cache(lambda places: any(map(test, places)))


# One policy file at work.


class View(msgspec.Struct, frozen=True):
    """A finding as one policy file sees it, before any rule.

    `override` is the index of the severity override that applies, if one does; `unknown` the kinds
    of data (kev, epss) that would be needed to be sure of it.
    """

    subject: Subject
    rated: Rated
    license: LicenseDecision | None = None
    override: int | None = None
    unknown: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """True for a package whose licence is allowed: it is no finding."""
        return self.subject.verdict is LicenseVerdict.ALLOW


class Ruling(msgspec.Struct, frozen=True):
    """The verdict of a policy file on a finding, before waivers. `clock` is the rule's grace."""

    verdict: Verdict
    clock: GraceClock | None = None
    unknown: tuple[str, ...] = ()

    @property
    def deadline(self) -> datetime | None:
        """When a warning in its grace time begins to block."""
        return self.clock.deadline if self.clock and self.verdict.action is Action.WARN else None


class Layer:
    """A policy file, compiled: severity, origin, licence and rule of a finding by its sections.

    The policy itself is a layer, and so is each parent whose rules are locked. `locked_by` names
    that parent: a finding that none of its rules matches gets no default.
    """

    def __init__(self, file: PolicyFile, now: datetime, locked_by: str = "") -> None:
        """Compile rules and overrides. `now` is UTC."""
        self.file = file
        self.now = now
        self.locked_by = locked_by
        self.rules = Rules([matcher_of_rule(rule.match, rule.action) for rule in file.rules])
        self.overrides = Rules(
            [Matcher(override.match, every_place=True) for override in file.severity.override]
        )
        self._scale = Scale(file.severity)
        self._unknown = Severity(file.severity.unknown)
        self._reasons = [match_reason(rule.match) for rule in file.rules]
        self._actions = [Action(rule.action) for rule in file.rules]
        self._licenses: LicenseJudge | None = None

    def view(self, finding: Finding) -> View:
        """Return the finding with its severity, origin, and licence verdict."""
        decision = None
        if finding.license and finding.package:
            if self._licenses is None:
                # Only now: to load the list of licences takes longer than all else here.
                self._licenses = LicenseJudge(self.file.licenses, today(self.now))
            decision = self._licenses.judge(finding.package, finding.license)
        verdict = decision.verdict if decision else None
        rated = self._scale.rate(finding, verdict)
        severity = rated.severity
        compared = self._unknown if severity is Severity.UNKNOWN else severity
        origin = _origin_of(finding, self.file.new_code.edited)
        subject = Subject(finding, severity, compared, verdict, origin)
        if not self.overrides.matchers:
            return View(subject, rated, decision)
        answer = self.overrides.ask(subject)
        if answer.first is None or (finding.advisory and finding.advisory.malicious):
            return View(subject, rated, decision, None, answer.unknown)
        override = self.file.severity.override[answer.first]
        severity = Severity(override.to)
        subject = replace(subject, severity=severity, compared=severity)
        rated = overridden(rated, severity, override.reason)
        return View(subject, rated, decision, answer.first, answer.unknown)

    def rule(self, view: View) -> Ruling | None:
        """Return what the first matching rule says, else the default; None for a locked layer."""
        answer = self.rules.ask(view.subject)
        grace = None
        if answer.first is not None:
            rule = self.file.rules[answer.first]
            action, name = self._actions[answer.first], rule.id
            reason = self._reasons[answer.first]
            if rule.grace is not None and action is Action.BLOCK:
                subject = view.subject
                grace = clock(
                    subject.finding, subject.origin, rule.grace, subject.compared, self.now
                )
        elif self.locked_by:
            return None
        else:
            action, name, reason = Action(self.file.default), DEFAULT, Reason("no-rule")
        reasons = [reason, *(view.license.reasons if view.license else ()), *view.rated.reasons]
        advisory = view.subject.finding.advisory
        if advisory and advisory.withdrawn and action is Action.BLOCK:
            action = Action.INFO
            reasons.append(Reason("withdrawn-never-blocks"))
        elif grace is not None:
            action = Action.WARN if grace.is_running else action
            reasons.append(grace.reason)
        if self.locked_by:
            reasons.append(Reason("locked", {"policy": self.locked_by}))
        verdict = Verdict(action, name, tuple(reasons))
        return Ruling(verdict, grace, answer.unknown + view.unknown)


def _origin_of(finding: Finding, edited: str) -> Origin:
    """Return where a finding comes from. `edited` says if a changed one is "new" or "existing".

    A secret whose value or place was changed is a new one: what was known is the old value. So is
    a password that a scanner of code found.
    """
    history = finding.history
    if history.change is Change.UNCHANGED:
        return Origin.DISCLOSED if history.disclosed else Origin.EXISTING
    if history.change is Change.NEW or edited == "new" or finding.category is Category.SECRET:
        return Origin.INTRODUCED
    is_password = any(
        witness.rule in scanner_info(witness.scanner).guessing_rules
        for witness in finding.witnesses
    )
    return Origin.INTRODUCED if is_password else Origin.EXISTING


# The whole policy.


class Decision(msgspec.Struct, frozen=True):
    """The result of judging all findings.

    `judged` has a verdict for each finding, most urgent and worst first. `licenses` are all
    packages with a licence, allowed ones too, by name. `unchecked` counts, by kind of data (kev,
    epss), the findings that a rule asked about and nobody could answer for.
    """

    judged: tuple[Judged, ...]
    licenses: tuple[Licensed, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()
    unchecked: Mapping[str, int] = msgspec.field(default_factory=dict)


def decide(findings: Sequence[Finding], policy: Policy, now: datetime) -> Decision:
    """Return a verdict for each finding; the same for any order of findings. `now` is UTC.

    Packages whose licence is allowed are no findings. Of a list of rules the first that matches
    decides; where none does, the policy's default.
    """
    judge = Judge(policy, now)
    judged = [verdict for verdict in map(judge.judge, findings) if verdict is not None]
    judged.sort(key=_sort_key)
    licenses = sorted(
        judge.licenses,
        key=lambda each: (
            *(each.package.name, each.package.purl, each.package.scope.value),
            *(each.expression, each.term, each.source),
        ),
    )
    uses = judge.waivers.uses(judge.matched, judge.lapsed)
    return Decision(tuple(judged), tuple(licenses), uses, dict(sorted(judge.unchecked.items())))


class _Outcome(msgspec.Struct, frozen=True):
    """The verdict of one layer after waivers, with the waiver that is cited."""

    view: View
    verdict: Verdict
    deadline: datetime | None = None
    waiver: Waiver | None = None


class Judge:
    """A policy, compiled, on one date. What it says of a finding depends on nothing else.

    Besides verdicts it counts: what each waiver waives (`matched`, by `id()`), which waivers match
    without effect (`lapsed`), and what nobody could answer for (`unchecked`).
    """

    def __init__(self, policy: Policy, now: datetime) -> None:
        """Compile the policy and its parents' locked rules."""
        self.own = Layer(policy.file, now)
        self.locked = [(lock, Layer(lock.file, now, lock.source)) for lock in policy.locked]
        self.waivers = Waivers(policy.waivers, today(now), policy.file.waivers.max_days)
        self.matched: Counter[int] = Counter()
        self.lapsed: set[int] = set()
        self.unchecked: Counter[str] = Counter()
        self.licenses: list[Licensed] = []

    def judge(self, finding: Finding) -> Judged | None:
        """Return the finding with its verdict; None for a package whose licence is allowed."""
        view = self.own.view(finding)
        self._list_license(view)
        covering = self.waivers.covering(finding)
        void = list(covering.void)
        outcomes = []
        unknown: set[str] = set()
        ruling = None if view.is_allowed else self.own.rule(view)
        if ruling:
            unknown.update(ruling.unknown)
            outcomes.append(self._own_outcome(view, ruling, covering.effective))
        for lock, layer in self.locked:
            theirs = layer.view(finding)
            locked = None if theirs.is_allowed else layer.rule(theirs)
            if locked:
                unknown.update(locked.unknown)
                outcome = self._locked_outcome(theirs, locked, covering.effective, lock)
                outcomes.append(outcome)
                if outcome.waiver is None:
                    why = Reason("no-approver", {"policy": lock.source})
                    void += (VoidWaiver(waiver, why) for waiver in covering.effective)
        for kind in unknown:
            self.unchecked[kind] += 1
        if not outcomes:
            return None
        outcome = outcomes[0]
        waiver = outcome.waiver
        if len(outcomes) > 1:
            outcome = min(outcomes, key=lambda each: _ACTION_ORDER[each.verdict.action])
            waivers = [each.waiver for each in outcomes if each.waiver and outcome.waiver]
            waiver = min(waivers, key=lambda each: each.expires, default=None)
        for each in covering.effective:
            self.matched[id(each)] += outcome.verdict.action is Action.WAIVED
        self.lapsed.update(id(each.waiver) for each in covering.void)
        shown = view if ruling else outcome.view
        decision = outcome.view.license
        return Judged(
            finding=finding,
            severity=shown.rated.severity,
            severity_sources=shown.rated.sources,
            verdict=outcome.verdict,
            origin=shown.subject.origin,
            waiver=waiver,
            void_waivers=tuple(void),
            deadline=outcome.deadline,
            license_expression=decision.expression if decision else None,
            license_verdict=decision.verdict if decision else None,
            license_term=decision.term if decision else None,
        )

    def _own_outcome(self, view: View, ruling: Ruling, waivers: Sequence[Waiver]) -> _Outcome:
        """Return what the policy itself makes of a finding, with its waivers."""
        verdict, comment = ruling.verdict, view.subject.finding.in_source
        if waivers or not comment:
            return _waived(view, ruling, waivers)
        if self.own.file.waivers.in_source != "forbid":
            return _hidden(view, verdict.rule, comment)
        reasons = (*verdict.reasons, Reason("hiding-forbidden", {"comment": comment}))
        return _Outcome(view, replace(verdict, reasons=reasons), ruling.deadline)

    def _locked_outcome(
        self, view: View, ruling: Ruling, waivers: Sequence[Waiver], lock: Locked
    ) -> _Outcome:
        """Return what a locked rule makes of a finding: only its approvers waive it.

        A comment in the source has no owner, so it counts only where the parent says `allow`.
        """
        comment = view.subject.finding.in_source
        approved = [waiver for waiver in waivers if waiver.owner in lock.approvers]
        if comment and not approved and lock.file.waivers.in_source == "allow":
            return _hidden(view, ruling.verdict.rule, comment)
        return _waived(view, ruling, approved)

    def _list_license(self, view: View) -> None:
        finding, decision = view.subject.finding, view.license
        if decision and finding.package and finding.license:
            self.licenses.append(
                Licensed(
                    finding.package,
                    finding.license,
                    decision.verdict,
                    decision.expression,
                    decision.term,
                    decision.source,
                    finding.history,
                )
            )


def _hidden(view: View, rule: str, comment: str) -> _Outcome:
    """Return the outcome for a finding that a comment in the source hides."""
    reason = Reason("hidden-in-source", {"comment": comment})
    return _Outcome(view, Verdict(Action.WAIVED, rule, (reason,)))


def _waived(view: View, ruling: Ruling, waivers: Sequence[Waiver]) -> _Outcome:
    """Return the outcome under the first waiver, if there is one."""
    if not waivers:
        return _Outcome(view, ruling.verdict, ruling.deadline)
    waiver = waivers[0]
    reason = Reason(
        "waived",
        {
            "state": waiver.state.value,
            "why": waiver.reason,
            "owner": waiver.owner,
            "expires": waiver.expires.isoformat(),
        },
    )
    return _Outcome(view, Verdict(Action.WAIVED, ruling.verdict.rule, (reason,)), None, waiver)


def _sort_key(judged: Judged) -> str:
    """Return what to sort by as one text, which compares faster than a tuple, part by part."""
    finding = judged.finding
    place, package = finding.location, finding.package
    where = f"{place.path}\0{_BEFORE_LINES + (place.start_line or 0)}" if place else "\0"
    action, severity = _ACTION_ORDER[judged.verdict.action], _SEVERITY_ORDER[judged.severity]
    purl = package.purl if package else ""
    last = f"{finding.rule.id}\0{purl}\0{finding.fingerprint}\0{finding.title}"
    return f"{action}{severity}{where}\0{last}"
