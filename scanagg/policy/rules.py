"""The verdict on each finding: severity, origin, licence, rules, waivers.

The first rule that matches decides. The locked rules of a parent are evaluated separately, and the
stricter of both actions applies. Waivers come last.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain
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
from scanagg.policy.license_lists import LicenseDecision
from scanagg.policy.licenses import RULES as LICENSE_RULES
from scanagg.policy.licenses import LicenseJudge
from scanagg.policy.schema import (
    GraceByLevel,
    Locked,
    Match,
    Policy,
    PolicyFile,
    conditions_of,
    match_reason,
)
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
    """The index of the first rule that matches; None if no rule does.

    `unknown` names data (kev, epss) that is missing for this finding. An earlier rule has a
    condition on it, and all other conditions of that rule hold.
    """

    first: int | None
    unknown: tuple[str, ...] = ()


class Condition(NamedTuple):
    """An aspect with a test of its value."""

    aspect: Aspect
    holds: Callable[[Any], bool]


_Test = tuple[str, Callable[[Subject], Any], Callable[[Any], bool]]


class Matcher:
    """The conditions of one rule or override, compiled. Loading has checked them already.

    With `every_place`, a condition on places holds only if every place of the finding matches.
    Overrides and rules that do not block need this: a copy of a secret in a test must not excuse
    the copy in the source. For a rule that blocks, one matching place is enough.
    """

    def __init__(self, match: Match, *, every_place: bool) -> None:
        """Compile each condition."""
        self.match = match
        self.every_place = every_place
        self.categories = categories_of(match)
        self.conditions = [
            Condition(aspect, aspect.compiled(words, every_place=every_place))
            for aspect, words in conditions_of(match)
        ]

    def first_failed(self, subject: Subject) -> Aspect | None:
        """Return the first aspect whose condition does not hold; None if the rule matches."""
        for aspect, holds in self.conditions:
            value = aspect.value(subject)
            if value is None or not holds(value):
                return aspect
        return None


def matcher_of_rule(match: Match, action: str) -> Matcher:
    """Return the conditions of a rule, with `every_place` unless it blocks."""
    return Matcher(match, every_place=action != "block")


def categories_of(match: Match) -> frozenset[Category]:
    """Return the categories that no single condition rules out."""
    categories = frozenset(Category)
    for aspect, words in conditions_of(match):
        its_own = aspect.categories if aspect.key != "category" else map(category_of, words)
        categories = categories.intersection(its_own)
    return categories


class Rules:
    """A list of rules. The first that matches decides."""

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        """Group the rules by the categories that they can match."""
        self.matchers = matchers
        self._of_category: dict[Category, list[tuple[int, list[_Test]]]] = {}
        for category in Category:
            rules = self._of_category[category] = []
            for index, matcher in enumerate(matchers):
                if category in matcher.categories:
                    # The condition on the category holds for all of this group.
                    others = [one for one in matcher.conditions if one.aspect.key != "category"]
                    tests = [(one.aspect.key, one.aspect.value, one.holds) for one in others]
                    rules.append((index, tests))

    def ask(self, subject: Subject) -> Answer:
        """Return the first rule whose conditions all hold, and the data that is missing."""
        category = subject.finding.category
        values: dict[str, Any] = {}
        unknown: tuple[str, ...] = ()
        for index, conditions in self._of_category[category]:
            missing: tuple[str, ...] = ()
            for key, value_of, holds in conditions:
                if key not in values:
                    values[key] = value_of(subject)
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


# One policy file at work.


class View(msgspec.Struct, frozen=True):
    """A finding with its severity and licence by one policy file, before any rule.

    `override` is the index of the severity override that applies, if any. `unknown` names data
    (kev, epss) that a condition of an override needs and that is missing.
    """

    subject: Subject
    rated: Rated
    license: LicenseDecision | None = None
    override: int | None = None
    unknown: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """True for a package whose licence is allowed, which is not a finding."""
        return self.subject.verdict is LicenseVerdict.ALLOW


class Ruling(msgspec.Struct, frozen=True):
    """The verdict of a policy file on a finding, before waivers, with its grace time if any."""

    verdict: Verdict
    clock: GraceClock | None = None
    unknown: tuple[str, ...] = ()


class _Outcome(msgspec.Struct, frozen=True):
    """The verdict of one layer after waivers, with the waiver that is cited.

    `void` are the waivers that no approver of the layer owns, if none is cited.
    """

    view: View
    ruling: Ruling
    verdict: Verdict
    waiver: Waiver | None = None
    void: tuple[VoidWaiver, ...] = ()

    @property
    def deadline(self) -> datetime | None:
        """The time at which a warning in its grace time begins to block."""
        grace = self.ruling.clock
        return grace.deadline if grace and self.verdict.action is Action.WARN else None


class _Clause(msgspec.Struct, frozen=True):
    """The verdict of a rule on each finding that matches, before grace."""

    verdict: Verdict
    grace: str | GraceByLevel | None = None


class Layer:
    """A policy file, compiled: it decides severity, origin, licence and rule by its own sections.

    The policy itself is a layer, and so is each parent with locked rules: then `lock` is set, and a
    finding that none of these rules matches gets no default.
    """

    def __init__(self, file: PolicyFile, now: datetime, lock: Locked | None = None) -> None:
        """Compile rules and overrides. `now` is UTC."""
        self.file = file
        self.now = now
        self.lock = lock
        self.rules = Rules([matcher_of_rule(rule.match, rule.action) for rule in file.rules])
        self.overrides = Rules(
            [Matcher(override.match, every_place=True) for override in file.severity.override]
        )
        self._scale = Scale(file.severity)
        self._unknown = Severity(file.severity.unknown)
        self._clauses = [
            _Clause(Verdict(Action(rule.action), rule.id, (match_reason(rule.match),)), rule.grace)
            for rule in file.rules
        ]
        no_rule = Verdict(Action(file.default), DEFAULT, (Reason("no-rule"),))
        self._default = None if lock else _Clause(no_rule)
        hiding = ("allow",) if lock else ("allow", "report")
        self._comments_hide = file.waivers.in_source in hiding
        self._licenses: LicenseJudge | None = None

    def view(self, finding: Finding) -> View:
        """Return the finding with its severity, origin and licence verdict."""
        decision = None
        if finding.license and finding.package:
            if self._licenses is None:
                # Not earlier: loading the list of licences takes longer than everything else here.
                self._licenses = LicenseJudge(self.file.licenses, today(self.now))
            decision = self._licenses.judge(finding.package, finding.license)
            finding = replace(finding, rule=LICENSE_RULES.get(decision.verdict, finding.rule))
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
        """Return the verdict of the first rule that matches, else the default.

        None for an allowed licence, and where no locked rule matches.
        """
        if view.is_allowed:
            return None
        answer = self.rules.ask(view.subject)
        clause = self._default if answer.first is None else self._clauses[answer.first]
        if clause is None:
            return None
        action, subject = clause.verdict.action, view.subject
        finding, grace = subject.finding, None
        if clause.grace is not None:
            grace = clock(finding, subject.origin, clause.grace, subject.compared, self.now)
        decided = view.license.reasons if view.license else ()
        reasons = [*clause.verdict.reasons, *decided, *view.rated.reasons]
        if action is Action.BLOCK and finding.advisory and finding.advisory.withdrawn:
            action = Action.INFO
            reasons.append(Reason("withdrawn-never-blocks"))
        elif grace is not None:
            action = Action.WARN if grace.is_running else action
            reasons.append(grace.reason)
        if self.lock:
            reasons.append(Reason("locked", {"policy": self.lock.source}))
        verdict = Verdict(action, clause.verdict.rule, tuple(reasons))
        return Ruling(verdict, grace, answer.unknown + view.unknown)

    def outcome(self, view: View, waivers: Sequence[Waiver]) -> _Outcome | None:
        """Return the verdict after waivers and comments in the source; None without a ruling.

        Only its approvers waive what a parent locks. A comment has no owner, so it counts there
        only if the parent says `allow`.
        """
        ruling = self.rule(view)
        if ruling is None:
            return None
        verdict, comment = ruling.verdict, view.subject.finding.in_source
        void: tuple[VoidWaiver, ...] = ()
        if self.lock and waivers:
            reason = Reason("no-approver", {"policy": self.lock.source})
            void = tuple(VoidWaiver(waiver, reason) for waiver in waivers)
            waivers = [waiver for waiver in waivers if waiver.owner in self.lock.approvers]
        if waivers:
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
            verdict = Verdict(Action.WAIVED, verdict.rule, (reason,))
            return _Outcome(view, ruling, verdict, waiver)
        if comment and self._comments_hide:
            reason = Reason("hidden-in-source", {"comment": comment})
            verdict = Verdict(Action.WAIVED, verdict.rule, (reason,))
        elif comment and not self.lock:
            reason = Reason("hiding-forbidden", {"comment": comment})
            verdict = replace(verdict, reasons=(*verdict.reasons, reason))
        return _Outcome(view, ruling, verdict, None, void)


def _origin_of(finding: Finding, edited: str) -> Origin:
    """Return the origin of a finding. `edited` is "new" or "existing", for changed findings.

    A secret whose value or place changed is always new, because only the old value was known. The
    same holds for a password that a code scanner found.
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
    epss), the findings that a rule could not be applied to because this data is missing.
    """

    judged: tuple[Judged, ...]
    licenses: tuple[Licensed, ...] = ()
    waivers: tuple[WaiverUse, ...] = ()
    unchecked: Mapping[str, int] = msgspec.field(default_factory=dict)


def decide(findings: Sequence[Finding], policy: Policy, now: datetime) -> Decision:
    """Return a verdict for each finding. Their order does not matter. `now` is UTC.

    Packages whose licence is allowed are not findings.
    """

    def sort_key(judged: Judged) -> str:
        # One text compares faster than a tuple.
        finding = judged.finding
        place, package = finding.location, finding.package
        where = f"{place.path}\0{_BEFORE_LINES + (place.start_line or 0)}" if place else "\0"
        action, severity = _ACTION_ORDER[judged.verdict.action], _SEVERITY_ORDER[judged.severity]
        purl = package.purl if package else ""
        last = f"{finding.rule.id}\0{purl}\0{finding.fingerprint}\0{finding.title}"
        return f"{action}{severity}{where}\0{last}"

    judge = Judge(policy, now)
    judged = [verdict for verdict in map(judge.judge, findings) if verdict is not None]
    judged.sort(key=sort_key)
    licenses = sorted(
        judge.licenses,
        key=lambda licensed: (
            *(licensed.package.name, licensed.package.purl, licensed.package.scope.value),
            *(licensed.expression, licensed.term, licensed.source),
        ),
    )
    unchecked = dict(sorted(Counter(judge.unchecked).items()))
    return Decision(tuple(judged), tuple(licenses), judge.waivers.uses(), unchecked)


class Judge:
    """A policy, compiled, at one time. Its verdict on a finding depends on nothing else.

    Besides verdicts it collects the packages with a licence (`licenses`), and the kinds of data
    that findings lack to be sure of their rule (`unchecked`).
    """

    def __init__(self, policy: Policy, now: datetime) -> None:
        """Compile the policy and its parents' locked rules."""
        self.own = Layer(policy.file, now)
        self.locked = [Layer(lock.file, now, lock) for lock in policy.locked]
        self.waivers = Waivers(policy.waivers, today(now), policy.file.waivers.max_days)
        self.unchecked: list[str] = []
        self.licenses: list[Licensed] = []

    def judge(self, finding: Finding) -> Judged | None:
        """Return the finding with its verdict; None for a package whose licence is allowed."""
        own_view = self.own.view(finding)
        covering = self.waivers.covering(own_view.subject.finding)
        self.list_license(finding, own_view.license)
        own = self.own.outcome(own_view, covering.effective)
        locked = (layer.outcome(layer.view(finding), covering.effective) for layer in self.locked)
        outcomes = [*filter(None, (own, *locked))]
        if not outcomes:
            return None
        self.unchecked += {kind for outcome in outcomes for kind in outcome.ruling.unknown}
        outcome = min(outcomes, key=lambda outcome: _ACTION_ORDER[outcome.verdict.action])
        self.waivers.count(covering, waives=outcome.verdict.action is Action.WAIVED)
        # If the strictest layer waives the finding, all do. The waiver that ends first is cited.
        waivers = [outcome.waiver for outcome in outcomes if outcome.waiver]
        shown, decision = own_view if own else outcome.view, outcome.view.license
        judged = Judged(
            finding=outcome.view.subject.finding,
            severity=shown.rated.severity,
            severity_sources=shown.rated.sources,
            verdict=outcome.verdict,
            origin=shown.subject.origin,
            waiver=outcome.waiver and min(waivers, key=lambda waiver: waiver.expires),
            void_waivers=(*covering.void, *chain(*(outcome.void for outcome in outcomes))),
            deadline=outcome.deadline,
        )
        if decision is None:
            return judged
        return replace(
            judged,
            license_expression=decision.expression,
            license_verdict=decision.verdict,
            license_term=decision.term,
        )

    def list_license(self, finding: Finding, decision: LicenseDecision | None) -> None:
        """Add the package of a licence finding to the list of all packages with a licence."""
        if decision and finding.package and finding.license:
            licensed = Licensed(
                package=finding.package,
                facts=finding.license,
                verdict=decision.verdict,
                expression=decision.expression,
                term=decision.term,
                source=decision.source,
                history=finding.history,
            )
            self.licenses.append(licensed)
