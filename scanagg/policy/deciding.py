"""Findings become verdicts: severity, licence, first matching rule; sorted, most urgent first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from scanagg.model import (
    Action,
    Confidence,
    Finding,
    Judged,
    LicenseFacts,
    LicenseVerdict,
    Severity,
    Verdict,
)
from scanagg.policy import licenses
from scanagg.policy.licenses import LicenseDecision
from scanagg.policy.rules import Condition, Rules, Subject
from scanagg.policy.schema import Match, Policy
from scanagg.policy.severity import Rated, below, overridden, rate

DEFAULT: Final = "default"

_ACTION_ORDER: Final = {action: action.order for action in Action}
_SEVERITY_ORDER: Final = {severity: severity.order for severity in Severity}


def decide(findings: Sequence[Finding], policy: Policy) -> tuple[Judged, ...]:
    """A verdict for each finding, most urgent and worst first; the same for any order of findings.

    Packages whose licence is allowed are no findings and left out. Of a list of rules the first
    that matches decides; where none does, the policy's default.
    """
    judge = _Judge(policy)
    judged = [one for one in map(judge.judge, findings) if one is not None]
    return tuple(sorted(judged, key=_key))


@dataclass(slots=True)
class _Judge:
    """A policy, compiled, with what was already decided: equal verdicts are one object."""

    policy: Policy
    rules: Rules = field(init=False)
    overrides: Rules = field(init=False)
    unsure: tuple[Confidence, ...] = field(init=False)
    unknown: Severity = field(init=False)
    lists: licenses.LicenseLists | None = None
    verdicts: dict[tuple[int | None, str, bool], Verdict] = field(default_factory=dict)
    decisions: dict[LicenseFacts, LicenseDecision] = field(default_factory=dict)

    def __post_init__(self) -> None:
        file = self.policy.file
        self.rules = Rules([Condition(rule.match, rule.action != "block") for rule in file.rules])
        self.overrides = Rules([Condition(each.match, True) for each in file.severity.override])
        self.unsure = below(Confidence(file.severity.bandit.min_confidence))
        self.unknown = Severity(file.severity.unknown)

    def judge(self, finding: Finding) -> Judged | None:
        """The finding with its verdict; None for a package whose licence is allowed."""
        decision = self._license(finding.license) if finding.license else None
        verdict = decision.verdict if decision else None
        if verdict is LicenseVerdict.ALLOW:
            return None
        subject, rated = self._rated(finding, verdict)
        withdrawn = finding.advisory is not None and finding.advisory.withdrawn
        return Judged(
            finding=finding,
            severity=rated.severity,
            severity_sources=rated.sources,
            verdict=self._verdict(self.rules.first(subject), rated.note, withdrawn),
            license_expression=decision.expression if decision else None,
            license_verdict=verdict,
        )

    def _rated(self, finding: Finding, verdict: LicenseVerdict | None) -> tuple[Subject, Rated]:
        """The severity after overrides, and the finding as rules see it with that severity."""
        rated = rate(finding, self.unsure, verdict)
        subject = self._subject(finding, rated.severity, verdict)
        index = self.overrides.first(subject)
        if index is None:
            return subject, rated
        override = self.policy.file.severity.override[index]
        rated = overridden(rated, Severity(override.to), override.reason)
        return self._subject(finding, rated.severity, verdict), rated

    def _subject(
        self, finding: Finding, severity: Severity, verdict: LicenseVerdict | None
    ) -> Subject:
        compared = self.unknown if severity is Severity.UNKNOWN else severity
        return Subject(finding, severity, compared, verdict)

    def _license(self, facts: LicenseFacts) -> LicenseDecision:
        if facts not in self.decisions:
            if self.lists is None:
                said = self.policy.file.licenses
                self.lists = licenses.lists_of(said.allow, said.review, said.deny, said.classifiers)
            self.decisions[facts] = licenses.from_facts(facts, self.lists)
        return self.decisions[facts]

    def _verdict(self, index: int | None, note: str, withdrawn: bool) -> Verdict:
        key = (index, note, withdrawn)
        if key not in self.verdicts:
            self.verdicts[key] = self._made(index, note, withdrawn)
        return self.verdicts[key]

    def _made(self, index: int | None, note: str, withdrawn: bool) -> Verdict:
        if index is None:
            action, name = Action(self.policy.file.default), DEFAULT
            reason = "no rule matches"
        else:
            rule = self.policy.file.rules[index]
            action, name = Action(rule.action), rule.id
            reason = _conditions(rule.match)
        if withdrawn and action is Action.BLOCK:
            action = Action.INFO
            note = f"{note}: it never blocks"
        return Verdict(action, name, f"{reason}; {note}" if note else reason)


def _conditions(match: Match) -> str:
    """The conditions of a rule in words: `category secret, severity >=high`."""
    given = ((name, getattr(match, name)) for name in match.__struct_fields__)
    words = [f"{name} {_words(wanted)}" for name, wanted in given if wanted is not None]
    return ", ".join(words) or "every finding"


def _words(wanted: object) -> str:
    if isinstance(wanted, bool):
        return str(wanted).lower()
    return " or ".join(map(str, wanted)) if isinstance(wanted, tuple) else str(wanted)


def _key(judged: Judged) -> tuple[object, ...]:
    finding = judged.finding
    place, package = finding.location, finding.package
    return (
        _ACTION_ORDER[judged.verdict.action],
        _SEVERITY_ORDER[judged.severity],
        place.path if place else "",
        (place.start_line or 0) if place else 0,
        finding.rule.id,
        package.purl if package else "",
        finding.fingerprint,
        finding.title,
    )
