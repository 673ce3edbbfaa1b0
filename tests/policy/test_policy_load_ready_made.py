"""Ready-made policies judge findings by their origin and by how long they have been known."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from policy_samples import (
    EDITED,
    EXISTING,
    NOW,
    claim,
    disclosed,
    finding,
    known,
    licensed,
    secret,
    vulnerability,
)

from scanagg.model import NO_BASE, Confidence, Finding, History, Judged, plain
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide

CRITICAL, HIGH = (
    vulnerability(claim(level, "ghsa", "trivy"), fixed=("3.1.6",)) for level in ("critical", "high")
)
# bandit always has low confidence in B608, which lowers nothing. A doubt of ours does.
SQL = finding(rule="B608", claims=(claim("medium"),), confidence=Confidence.LOW)
UNLIKELY_SQL = replace(SQL, confidence_reason=plain("only constants go into it"))
SHELL = finding(claims=(claim("high"),))
UNLIKELY_SHELL = replace(UNLIKELY_SQL, rule=SHELL.rule, claims=SHELL.claims)
VENDORED_SHELL = finding(claims=(claim("high"),), path="src/_vendor/a.py")
NOT_IN_PRODUCTION = [
    finding(claims=(claim("high"),), path=path)
    for path in ("tests/a.py", "src/test_a.py", "docs/conf.py", "examples/a.py")
]
POSSIBLE = secret(confidence=Confidence.POSSIBLE)
DENIED = licensed("AGPL-3.0-only")


def judged(name: str, one: Finding, history: History) -> Judged:
    policy = load_policy(name, Path("/nowhere"))
    (found,) = decide([replace(one, history=history)], policy, NOW).judged
    return found


@pytest.mark.parametrize(
    ("one", "history", "default", "pull_request", "strict", "weekly"),
    [
        (CRITICAL, NO_BASE, "block", "block", "block", "warn"),
        (CRITICAL, EXISTING, "block", "warn", "block", "block"),
        (CRITICAL, known(6), "block", "warn", "block", "warn"),
        (CRITICAL, disclosed(), "block", "warn", "block", "block"),
        (HIGH, NO_BASE, "warn", "block", "block", "warn"),
        (HIGH, disclosed(NOW), "warn", "warn", "block", "warn"),
        (HIGH, known(31), "warn", "warn", "block", "block"),
        (SQL, NO_BASE, "warn", "block", "warn", "info"),
        (SQL, EDITED, "warn", "block", "warn", "info"),
        (SQL, EXISTING, "warn", "info", "warn", "info"),
        (UNLIKELY_SQL, NO_BASE, "info", "info", "warn", "info"),
        (SHELL, NO_BASE, "warn", "block", "block", "warn"),
        (UNLIKELY_SHELL, NO_BASE, "info", "info", "block", "info"),
        (VENDORED_SHELL, NO_BASE, "warn", "block", "block", "warn"),
        *((one, NO_BASE, "info", "info", "info", "info") for one in NOT_IN_PRODUCTION),
        (secret(), NO_BASE, "block", "block", "block", "warn"),
        (secret(), EDITED, "block", "block", "block", "warn"),
        (secret(), EXISTING, "warn", "warn", "block", "warn"),
        (secret(claim("critical")), EXISTING, "warn", "warn", "block", "warn"),
        (POSSIBLE, EXISTING, "warn", "warn", "block", "warn"),
        (DENIED, NO_BASE, "info", "block", "block", "warn"),
        (DENIED, EXISTING, "info", "info", "block", "warn"),
    ],
)
def test_rule_8_what_the_ready_made_policies_make_of_an_origin(
    one: Finding, history: History, default: str, pull_request: str, strict: str, weekly: str
) -> None:
    names = ("default", "pull-request", "strict", "weekly")
    actions = [judged(name, one, history).verdict.action.value for name in names]
    assert actions == [default, pull_request, strict, weekly]


def test_nothing_that_was_there_before_blocks_a_pull_request() -> None:
    everything = (CRITICAL, HIGH, SQL, secret(), DENIED, licensed("odd"))
    for one in everything:
        for history in (EXISTING, known(999), disclosed(), disclosed(NOW)):
            assert judged("pull-request", one, history).verdict.action.value != "block"


def test_rule_12_weekly_shows_deadlines_and_is_a_dry_run() -> None:
    assert load_policy("weekly", Path("/nowhere")).enforcement == "warn"
    assert judged("weekly", CRITICAL, known(3)).deadline == NOW + timedelta(days=4)
    assert judged("weekly", HIGH, known(3)).deadline == NOW + timedelta(days=27)
    unfixed = vulnerability(claim("high", "ghsa", "trivy"))
    assert judged("weekly", unfixed, known(999)).verdict.action.value == "warn"
