"""One policy file at work: severity, origin, licence and rules of a finding, by its own sections.

The policy that was asked for is a layer, and so is each parent whose rules are locked.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from scanagg.findings.normalise import PASSWORD_RULES
from scanagg.model import (
    Action,
    Category,
    Change,
    Finding,
    LicenseVerdict,
    Origin,
    Severity,
    Verdict,
)
from scanagg.policy.grace import GraceClock, clock
from scanagg.policy.licenses import LicenseDecision, LicenseJudge
from scanagg.policy.rules import Condition, Rules, Subject, described, ids_of, paths_of
from scanagg.policy.schema import Override, PolicyFile
from scanagg.policy.severity import Rated, Scale, overridden, scale_of
from scanagg.policy.waivers import today

DEFAULT: Final = "default"

_new: Final = tuple.__new__  # makes a named tuple in half the time

# Looked up once: members of an enum are slow to reach.
_ALLOW: Final = LicenseVerdict.ALLOW
_UNKNOWN: Final = Severity.UNKNOWN
_UNCHANGED: Final = Change.UNCHANGED
_NEW: Final = Change.NEW
_DISCLOSED: Final = Origin.DISCLOSED
_EXISTING: Final = Origin.EXISTING
_INTRODUCED: Final = Origin.INTRODUCED


class View(NamedTuple):
    """A finding as one layer sees it, before any rule.

    `override` is the index of the severity's override that applies, if one does; `unknown` the
    kinds of data (kev, epss) that would be needed to be sure of it.
    """

    subject: Subject
    rated: Rated
    license: LicenseDecision | None = None
    override: int | None = None
    unknown: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether it is a package whose licence is allowed, and so no finding."""
        return self.subject.verdict is _ALLOW


class Ruling(NamedTuple):
    """What a layer says of a finding, before waivers.

    `rule` is the index of the rule, None for the default.
    """

    verdict: Verdict
    rule: int | None = None
    clock: GraceClock | None = None
    unknown: tuple[str, ...] = ()

    @property
    def deadline(self) -> datetime | None:
        """When a warning in its grace time begins to block."""
        warns = self.clock is not None and self.verdict.action is Action.WARN
        return self.clock.deadline if self.clock and warns else None


@dataclass(slots=True)
class Layer:
    """A policy file, compiled. It keeps what it learnt: equal verdicts are one object.

    `held_by` names the parent whose locked rules these are: then what no rule matches is not this
    layer's business, and gets no default.
    """

    file: PolicyFile
    now: datetime
    held_by: str | None = None
    rules: Rules = field(init=False)
    overrides: Rules = field(init=False)
    scale: Scale = field(init=False)
    unknown: Severity = field(init=False)
    edited: str = field(init=False)
    _overrides: tuple[Override, ...] = field(init=False)
    _licenses: LicenseJudge | None = None
    _rulings: dict[tuple[object, ...], Ruling] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compile rules and overrides."""
        file = self.file
        self.rules = Rules([Condition(rule.match, rule.action != "block") for rule in file.rules])
        self.overrides = Rules([Condition(each.match, True) for each in file.severity.override])
        self.scale = scale_of(file.severity)
        self.unknown = Severity(file.severity.unknown)
        self.edited = file.new_code.edited
        self._overrides = file.severity.override

    def view(self, finding: Finding) -> View:
        """The finding with its severity, origin and licence verdict."""
        decision = self._license(finding) if finding.license else None
        verdict = decision.verdict if decision else None
        rated = self.scale.rate(finding, verdict)
        severity = rated.severity
        compared = self.unknown if severity is _UNKNOWN else severity
        origin = origin_of(finding, self.edited)
        ids, paths = ids_of(finding), paths_of(finding)
        subject = _new(Subject, (finding, severity, compared, verdict, origin, ids, paths))
        if not self._overrides:
            return _new(View, (subject, rated, decision, None, ()))
        index, unknown = self.overrides.ask(subject)
        advisory = finding.advisory
        if index is None or (advisory is not None and advisory.malicious):
            return _new(View, (subject, rated, decision, None, unknown))
        override = self._overrides[index]
        severity = Severity(override.to)
        rated = overridden(rated, severity, override.reason)
        subject = subject._replace(severity=severity, compared=severity)
        return View(subject, rated, decision, index, unknown)

    def rule(self, view: View) -> Ruling | None:
        """What the first matching rule says, else the default; None where it is not for us."""
        index, unknown = self.rules.ask(view.subject)
        if index is None and self.held_by is not None:
            return None
        found = None if index is None else self._clock(view, index)
        advisory = view.subject.finding.advisory
        key = (
            index,
            _license_note(view.license) if view.license else "",
            view.rated.note,
            _grace_note(found, self.now) if found else "",
            advisory is not None and advisory.withdrawn,
            unknown + view.unknown,
        )
        ruling = self._rulings.get(key)
        if ruling is None:
            verdict = self._verdict(_Key(*key), _is_in_time(found, self.now))
            ruling = self._rulings[key] = Ruling(verdict, index, None, key[-1])
        # The clock is the finding's own; equal rulings without one are one object.
        return ruling if found is None else ruling._replace(clock=found)

    def _clock(self, view: View, index: int) -> GraceClock | None:
        """The grace clock under a rule; None where the rule gives no grace, or does not block."""
        rule = self.file.rules[index]
        if rule.grace is None or rule.action != "block":
            return None
        subject = view.subject
        return clock(subject.finding, subject.origin, rule.grace, subject.compared, self.now)

    def _license(self, finding: Finding) -> LicenseDecision | None:
        if finding.license is None or finding.package is None:
            return None
        if self._licenses is None:
            # Only now: to load the list of licences takes longer than all else here.
            self._licenses = LicenseJudge(self.file.licenses, today(self.now))
        return self._licenses.judge(finding.package, finding.license)

    def _verdict(self, key: "_Key", in_time: bool) -> Verdict:
        if key.rule is None:
            action, name, reason = Action(self.file.default), DEFAULT, "no rule matches"
        else:
            rule = self.file.rules[key.rule]
            action, name, reason = Action(rule.action), rule.id, described(rule.match)
        words = [reason, key.license, key.severity, key.grace]
        if key.withdrawn and action is Action.BLOCK:
            action = Action.INFO
            words = [reason, key.license, f"{key.severity}: it never blocks"]
        elif in_time:
            action = Action.WARN
        if self.held_by:
            words.append(f"locked by {self.held_by}")
        return Verdict(action, name, "; ".join(word for word in words if word))


class _Key(NamedTuple):
    """All that a ruling depends on: what there is to say besides the rule, each or empty."""

    rule: int | None
    license: str
    severity: str
    grace: str
    withdrawn: bool
    unknown: tuple[str, ...]


def origin_of(finding: Finding, edited: str) -> Origin:
    """Where a finding comes from. `edited` says if a changed one is "new" or "existing".

    A secret whose value or place was changed is a new one: what was known is the old value.
    """
    history = finding.history
    change = history.change
    if change is _UNCHANGED:
        return _DISCLOSED if history.disclosed else _EXISTING
    if change is _NEW or edited == "new" or _is_secret(finding):
        return _INTRODUCED
    return _EXISTING


def _license_note(decision: LicenseDecision) -> str:
    """Which part of an expression decided, and what else there is to say."""
    decided = decision.term and decision.term != decision.expression
    term = f"{decision.term} decides: {decision.verdict.value}" if decided else ""
    return "; ".join(part for part in (term, decision.note) if part)


def _is_in_time(found: GraceClock | None, now: datetime) -> bool:
    return found is not None and found.deadline is not None and now < found.deadline


def _grace_note(found: GraceClock, now: datetime) -> str:
    if found.deadline is None:
        return found.note
    day = f"{found.deadline:%Y-%m-%d}"
    return f"blocks from {day}" if now < found.deadline else f"the grace time ended on {day}"


def _is_secret(finding: Finding) -> bool:
    """Whether an edit may have put another secret there: bandit calls a password in code code."""
    if finding.category is Category.SECRET:
        return True
    return any(witness.rule in PASSWORD_RULES for witness in finding.witnesses)
