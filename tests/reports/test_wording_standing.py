"""The words for how findings stand: sums with right plurals, deadlines, waivers."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.sample import NOW, finding, judged, sample_report
from support.sample_history import ACTIVE, BASE, EXPIRED, UNUSED, lived_report

from scanagg.model import Action, Judged, Origin, Report, Severity, WaiverUse
from scanagg.reports import standing


def found(action: Action, origin: Origin = Origin.INTRODUCED, **changes: object) -> Judged:
    return judged(finding(9), Severity.HIGH, action, origin=origin, **changes)


def report(*findings: Judged, uses: tuple[WaiverUse, ...] = ()) -> Report:
    return replace(sample_report(findings), base=BASE, waivers=uses)


def used(days: int, matched: int = 1) -> WaiverUse:
    return WaiverUse(ACTIVE, "active", matched, days)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (report(), ""),
        (report(found(Action.BLOCK)), "1 new blocks"),
        (report(*[found(Action.BLOCK)] * 2), "2 new block"),
        (report(found(Action.INFO)), "1 new"),
        (
            report(
                *[found(Action.BLOCK)] * 3,
                *[found(Action.INFO, Origin.EXISTING)] * 212,
                *[found(Action.WAIVED, Origin.EXISTING)] * 4,
                uses=(used(6), used(90)),
            ),
            "3 new block, 212 existing, 4 waived, 1 waiver ends in 6 days",
        ),
        (
            report(found(Action.BLOCK, Origin.DISCLOSED), found(Action.WARN, Origin.DISCLOSED)),
            "1 disclosed blocks, 1 more disclosed",
        ),
        (
            report(uses=(used(14), used(1), used(15), used(-1), used(-30))),
            "2 waivers end soon, the first ends in 1 day, 2 waivers have expired",
        ),
        (report(uses=(used(0),)), "1 waiver ends today"),
        (
            report(
                found(Action.WARN, deadline=NOW + timedelta(days=9)),
                found(Action.WARN, deadline=NOW + timedelta(hours=3)),
                found(Action.INFO, deadline=NOW + timedelta(days=1)),
            ),
            "3 new, 2 block later, the first from 2026-03-04 (less than a day left)",
        ),
    ],
)
def test_the_sums(made: Report, said: str) -> None:
    assert standing.summed(made) == said


def test_without_a_base_the_actions_stand_in_place_of_the_origins() -> None:
    findings = [found(action) for action in Action]
    assert standing.summed(sample_report(findings)) == (
        "1 blocks, 1 warning, 1 for information, 1 waived"
    )


def test_what_was_compared_is_one_sentence() -> None:
    assert standing.compared(replace(BASE, text="x.")) == "Compared with x."
    assert standing.compared(None).startswith("Nothing was compared")


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        (None, ""),
        (datetime(2026, 3, 13, 8, tzinfo=UTC), "blocks from 2026-03-13, 9 days left"),
        (datetime(2026, 3, 5, 8, tzinfo=UTC), "blocks from 2026-03-05, 1 day left"),
        (datetime(2026, 3, 4, 8, tzinfo=UTC), "blocks from 2026-03-04, less than a day left"),
        (NOW, "blocks since 2026-03-04"),
    ],
)
def test_deadlines(deadline: datetime | None, said: str) -> None:
    assert standing.deadline(found(Action.WARN, deadline=deadline), NOW) == said


@pytest.mark.parametrize(
    ("expires", "ends"),
    [
        (date(2026, 3, 5), "1 day left"),
        (date(2026, 3, 4), "last day"),
        (date(2026, 3, 3), "expired 1 day ago"),
    ],
)
def test_a_waiver_holds_through_its_last_day(expires: date, ends: str) -> None:
    words = standing.waived_by(replace(ACTIVE, expires=expires), NOW)
    assert words == f"risk accepted, says @team-web; until {expires}, {ends}"


def test_a_waiver_that_a_fix_ends_says_so() -> None:
    assert standing.waived_by(EXPIRED, NOW).endswith("; lapses once a fixed version exists")


@pytest.mark.parametrize(
    ("use", "said", "care"),
    [
        (used(90), "waives 1 finding, 90 days left", False),
        (used(90, 1200), "waives 1,200 findings, 90 days left", False),
        (used(14), "waives 1 finding, 14 days left", True),
        (used(90, 0), "unused, 90 days left", True),
        (used(0), "waives 1 finding, last day", True),
        (used(-1), "expired 1 day ago", True),
    ],
)
def test_what_became_of_a_waiver(use: WaiverUse, said: str, care: bool) -> None:
    assert (standing.status(use), standing.needs_care(use)) == (said, care)


def test_what_a_waiver_is_about() -> None:
    assert standing.targets(ACTIVE) == "B602 in app/**"
    assert standing.targets(EXPIRED) == "GHSA-hj2j-77xm-mc5v in pkg:pypi/jinja2 <2.8.1"
    assert standing.targets(UNUSED) == "abababababababa…"
    assert standing.targets(replace(ACTIVE, path="a\x1b[31m\nb")) == "B602 in a\\x1b[31m\\nb"


def test_new_findings_stand_first_inside_one_action() -> None:
    ordered = standing.new_first(
        [
            found(Action.WARN),
            found(Action.BLOCK, Origin.EXISTING),
            found(Action.BLOCK, Origin.DISCLOSED),
            found(Action.BLOCK),
        ]
    )
    assert [(one.verdict.action.value, one.origin.value) for one in ordered] == [
        ("block", "introduced"),
        ("block", "disclosed"),
        ("block", "existing"),
        ("warn", "introduced"),
    ]


def test_a_finding_whose_place_was_edited_says_so() -> None:
    words = [standing.origin_of(one) for one in lived_report().findings]
    assert words[:4] == ["new", "new, edited", "disclosed", "new, edited"]
