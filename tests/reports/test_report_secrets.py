"""Reports count the values that look like no secrets, and give the confidence in the others."""

import pytest
from msgspec.structs import replace
from support.sample import finding, judged, sample_report, secret

from scanagg.findings.secrets import RULES
from scanagg.model import Action, Confidence, Judged, Severity
from scanagg.reports import secrets
from scanagg.reports.reasons import NOUNS, SENTENCES
from scanagg.reports.sarif.rules import SarifRules
from scanagg.scanners.secret_rules import advised, secret_rule


def test_every_reason_for_an_unlikely_secret_has_a_noun() -> None:
    unlikely = {
        rule.reason.kind
        for rule in RULES
        if Confidence.UNLIKELY in (rule.production, rule.elsewhere)
    }
    assert unlikely <= set(NOUNS) <= {rule.reason.kind for rule in RULES}


@pytest.mark.parametrize("kind", NOUNS)
def test_a_reason_says_more_than_its_noun(kind: str) -> None:
    assert NOUNS[kind].partition("|")[0].lower() not in SENTENCES[kind].lower()


def test_only_unlikely_secrets_for_information_are_set_aside() -> None:
    unlikely = [secret(1), secret(2, kind="sentence")]
    others = [
        secret(3, action=Action.BLOCK),
        secret(4, action=Action.WARN),
        secret(5, action=Action.WAIVED),
        secret(6, Confidence.POSSIBLE),
        secret(7, Confidence.UNKNOWN),
        judged(finding(8, confidence=Confidence.UNLIKELY), Severity.LOW, Action.INFO),
    ]
    report = replace(sample_report(), findings=(unlikely[0], *others, unlikely[1]))
    assert secrets.set_aside(report) == (replace(report, findings=tuple(others)), unlikely)


def test_without_any_the_report_stays_as_it_is() -> None:
    report = sample_report()
    rest, unlikely = secrets.set_aside(report)
    assert rest is report
    assert secrets.summary(unlikely) == ""


@pytest.mark.parametrize(
    ("kinds", "numbers"),
    [
        ({"digest-name": 1}, ["1 digest or id"]),
        ({"uuid": 2, "digest-name": 3}, ["3 digests and ids", "2 UUIDs"]),
        ({"uuid": 1, "sentence": 1}, ["1 sentence", "1 UUID"]),
        ({"no-base": 2}, ["2 other values"]),
    ],
)
def test_they_are_grouped_by_reason_the_largest_group_first(
    kinds: dict[str, int], numbers: list[str]
) -> None:
    unlikely = [secret(1, kind=kind) for kind, number in kinds.items() for _ in range(number)]
    assert [group.number for group in secrets.lookalikes(unlikely)] == numbers
    assert secrets.summary(unlikely).count(":") == 1


@pytest.mark.parametrize(("more", "others"), [(5, ""), (6, "2 others"), (8, "4 others")])
def test_small_groups_are_summed_up(more: int, others: str) -> None:
    unlikely = [secret(1, kind=kind) for kind in list(NOUNS)[:more]]
    text = secrets.summary(unlikely)
    assert text.startswith(f"{more} values ")
    assert (others in text) if others else ("others" not in text)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (secret(1, Confidence.LIKELY, "private-key"), "likely secret: a private key"),
        (
            secret(1, Confidence.POSSIBLE, "private-key", path="tests/a.pem"),
            "possible secret in tests: a private key",
        ),
        (secret(1, Confidence.UNKNOWN), ""),
        (judged(finding(1), Severity.LOW, Action.INFO), ""),
    ],
)
def test_the_confidence_has_its_reason_and_the_kind_of_file(one: Judged, text: str) -> None:
    assert secrets.confidence(one.finding) == text


def test_the_help_of_a_rule_is_for_its_surest_finding() -> None:
    known = secret_rule("secret-keyword", "")
    findings = [
        replace(one, finding=replace(one.finding, rule=advised(known, one.finding.confidence)))
        for one in (secret(1, Confidence.POSSIBLE), secret(2, Confidence.LIKELY))
    ]
    (rule,) = SarifRules(findings, "x", "").descriptors()
    assert known.help in rule.full_description.text
