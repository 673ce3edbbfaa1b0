"""Comparison of two judgements: changes, their direction, and differences that do not count."""

from datetime import datetime, timedelta

from msgspec.structs import replace
from policy_samples import NOW, claim, finding, licensed, vulnerability

from scanagg.model import Action, Finding, Judged, Severity, Verdict, plain
from scanagg.policy.compare import changes

SOON, LATER = NOW + timedelta(days=3), NOW + timedelta(days=30)


def judged(
    found: Finding, action: Action, deadline: datetime | None = None, rule: str = "a-rule"
) -> Judged:
    return Judged(
        finding=found,
        severity=Severity.HIGH,
        severity_sources=(),
        verdict=Verdict(action, rule, (plain("for a reason"),)),
        deadline=deadline,
    )


CODE = finding(claims=(claim("high"),))
HOLE = vulnerability()


def test_equal_judgements_have_no_changes() -> None:
    both = [judged(CODE, Action.BLOCK), judged(HOLE, Action.WARN, SOON)]
    assert changes(both, both) == ()


def test_another_rule_severity_or_reason_is_no_change() -> None:
    old = judged(CODE, Action.BLOCK)
    new = replace(
        old,
        severity=Severity.LOW,
        verdict=Verdict(Action.BLOCK, "another", (plain("for another"),)),
    )
    assert changes([old], [new]) == ()


def test_a_milder_action_is_weaker_and_a_stricter_one_is_not() -> None:
    order = (Action.BLOCK, Action.WARN, Action.INFO, Action.WAIVED)
    for place, old in enumerate(order):
        for other, new in enumerate(order):
            found = changes([judged(CODE, old)], [judged(CODE, new)])
            assert [change.weaker for change in found] == ([other > place] if old != new else [])


def test_a_finding_that_only_one_side_has_is_allowed_by_the_other() -> None:
    package = licensed("MIT")
    (gone,) = changes([judged(package, Action.BLOCK)], [])
    assert (gone.finding, gone.new, gone.weaker) == (package, None, True)
    (came,) = changes([], [judged(package, Action.INFO)])
    assert (came.finding, came.old, came.weaker) == (package, None, False)


def test_a_later_deadline_is_weaker_and_none_at_all_the_weakest() -> None:
    by = {
        name: judged(HOLE, Action.WARN, deadline)
        for name, deadline in (("soon", SOON), ("later", LATER), ("never", None))
    }
    for old, new in (("soon", "later"), ("later", "never"), ("soon", "never")):
        (weaker,) = changes([by[old]], [by[new]])
        (stricter,) = changes([by[new]], [by[old]])
        assert weaker.weaker
        assert not stricter.weaker


def test_weakened_findings_come_first_and_equal_fingerprints_stay_apart() -> None:
    twin = replace(CODE)
    old = [judged(CODE, Action.WARN), judged(twin, Action.BLOCK), judged(HOLE, Action.BLOCK)]
    new = [judged(CODE, Action.BLOCK), judged(twin, Action.BLOCK), judged(HOLE, Action.INFO)]
    found = changes(old, new)
    assert [(change.finding.category, change.weaker) for change in found] == [
        (HOLE.category, True),
        (CODE.category, False),
    ]
