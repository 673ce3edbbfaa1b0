"""An explanation has everything that was asked of a finding, with each answer."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec.structs import replace
from policy_samples import (
    NOW,
    claim,
    finding,
    licensed,
    package,
    policy_of,
    secret,
    vulnerability,
)

from scanagg.model import (
    Action,
    Category,
    Change,
    Confidence,
    Finding,
    History,
    Reason,
    Scope,
    Severity,
    plain,
)
from scanagg.policy.explain import Explanation, explain, find

RULES = """
    rules:
      - {id: category, match: {category: code}, action: block}
      - {id: severity, match: {severity: critical}, action: block}
      - {id: scanner, match: {scanner: trivy}, action: block}
      - {id: rule, match: {rule: "GHSA-*"}, action: block}
      - {id: path, match: {path: "src/**"}, action: block}
      - {id: package, match: {package: flask}, action: block}
      - {id: scope, match: {scope: dev}, action: block}
      - {id: fixable, match: {fixable: true}, action: block}
      - {id: verdict, match: {verdict: deny}, action: block}
      - {id: origin, match: {origin: existing}, action: block}
      - {id: kev, match: {kev: true}, action: block}
      - {id: epss, match: {epss: ">=0.5"}, action: block}
      - {id: this, match: {category: vuln, severity: ">=high"}, action: warn}
      - {id: after, match: {}, action: info}
"""


def explained(folder: Path, text: str, found: Finding, now: datetime = NOW) -> Explanation:
    return explain(found, policy_of(folder, text), now)


def answers(said: Explanation, book: int = 0) -> dict[str, str]:
    return {each.rule: each.answer for each in said.rule_lists[book].asked}


def test_every_rule_says_which_condition_failed_or_that_it_matches(tmp_path: Path) -> None:
    said = explained(tmp_path, RULES, vulnerability(claim("high", "ghsa", "pip-audit")))
    assert answers(said) == {
        "category": "wants category code; it has vulnerability",
        "severity": "wants severity critical; it has high",
        "scanner": "wants scanner trivy; it has pip-audit",
        "rule": "wants rule GHSA-*; it has CVE-2026-1, PYSEC-2026-1",
        "path": "wants path src/**; it has requirements.txt",
        "package": "wants package flask; it has pkg:pypi/jinja2@2.4.1",
        "scope": "wants scope dev; it has runtime",
        "fixable": "wants fixable true; it has no fixed version",
        "verdict": "wants verdict deny; it has nothing of the kind",
        "origin": "wants origin existing; it has introduced",
        "kev": "wants kev true; it has no such data",
        "epss": "wants epss >=0.5; it has no such data",
        "this": "matches: category vuln, severity >=high",
    }
    assert [each.rule for each in said.rule_lists[0].asked if each.matches] == ["this"]
    assert said.rule_lists[0].unasked == 1
    assert said.judged is not None
    assert said.judged.verdict.rule == "this"


def test_what_a_finding_lacks_is_said_too(tmp_path: Path) -> None:
    said = answers(explained(tmp_path, RULES, secret(path="docs/a")))
    for name in ("package", "scope", "fixable", "kev", "epss"):
        assert said[name].endswith("it has nothing of the kind")
    hole = vulnerability(claim("low"), fixed=("3.0",))
    assert hole.advisory is not None
    known = replace(hole, advisory=replace(hole.advisory, kev=False, epss=0.25))
    text = RULES.replace("fixable: true", "fixable: false")
    said = answers(explained(tmp_path, text, known))
    assert said["fixable"] == "wants fixable false; it has a fixed version"
    assert said["kev"] == "wants kev true; it has false"
    assert said["epss"] == "wants epss >=0.5; it has 0.25"
    unknown = answers(explained(tmp_path, RULES, vulnerability()))
    assert unknown["severity"] == "wants severity critical; it has unknown, as high"


def test_without_a_matching_rule_all_were_asked_and_the_default_holds(tmp_path: Path) -> None:
    text = "rules:\n  - {id: one, match: {category: secret}, action: block}\n"
    said = explained(tmp_path, text, finding())
    assert not any(each.matches for each in said.rule_lists[0].asked)
    assert said.rule_lists[0].unasked == 0
    assert said.judged is not None
    assert said.judged.verdict.rule == "default"


def test_severity_has_all_its_sources_the_deciding_one_first(tmp_path: Path) -> None:
    found = vulnerability(claim("low", "nvd", "trivy"), claim("high", "ghsa", "trivy"))
    said = explained(tmp_path, "", found)
    assert [(each.source, each.severity.value) for each in said.claims] == [
        ("ghsa", "high"),
        ("nvd", "low"),
    ]
    assert (said.severity, said.compared) == (Severity.HIGH, Severity.HIGH)


def test_an_override_and_a_lowered_confidence_are_said(tmp_path: Path) -> None:
    text = """
    severity:
      bandit: {min_confidence: medium}
      override:
        - {match: {rule: B101}, set: info, reason: asserts are fine here}
    """
    unsure = finding(claims=(claim("high"),), confidence=Confidence.LOW)
    said = explained(tmp_path, text, unsure)
    assert said.override is None
    assert said.reasons == (Reason("low-confidence", {"confidence": "low", "severity": "high"}),)
    said = explained(tmp_path, text, finding(rule="B101", claims=(claim("high"),)))
    assert said.override == "rule B101: set to info, asserts are fine here"
    assert said.severity is Severity.INFO


def test_waivers_say_why_they_do_not_match(tmp_path: Path) -> None:
    text = """
    waivers:
      items:
        - {ids: [CVE-2020-1], purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-05-01}
        - {purl: pkg:pypi/flask, reason: r, owner: o, expires: 2026-05-01}
        - {purl: pkg:pypi/jinja2, versions: "<2", reason: r, owner: o, expires: 2026-05-01}
        - {purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-02-01}
        - {purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-05-01}
    """
    said = explained(tmp_path, text, vulnerability())
    assert [reason for _, reason in said.waivers] == [
        Reason("other-ids", {"ids": ("CVE-2020-1",)}),
        Reason("other-package", {"purl": "pkg:pypi/flask"}),
        Reason("other-version", {"versions": "<2"}),
        Reason("waiver-expired", {"days": 28}),
        None,
    ]
    assert said.judged is not None
    assert said.judged.verdict.action is Action.WAIVED


def test_the_grace_clock_has_start_and_deadline_or_says_why_not(tmp_path: Path) -> None:
    text = """
    rules:
      - {id: sla, match: {category: vuln}, action: block, grace: {high: 30d}}
    """
    seen = NOW - timedelta(days=3)
    known = History(Change.UNCHANGED, plain("it is in the base"), first_seen=seen)
    old = replace(vulnerability(claim("high")), history=known)
    clock = explained(tmp_path, text, old).rule_lists[0].clock
    assert clock is not None
    assert (clock.start, clock.deadline) == (seen, seen + timedelta(days=30))
    new = explained(tmp_path, text, vulnerability(claim("high"))).rule_lists[0].clock
    assert new is not None
    assert new.deadline is None
    assert new.reason == Reason("no-grace-for-new")
    assert explained(tmp_path, "", old).rule_lists[0].clock is None


def test_locked_rules_of_a_parent_are_asked_apart(tmp_path: Path) -> None:
    parent = dedent("""
    version: 1
    default: info
    approvers: [security]
    rules:
      - {id: never, match: {category: license}, action: block, locked: true}
      - {id: secrets, match: {category: secret}, action: block, locked: true}
    """).encode()
    (tmp_path / "org.yml").write_bytes(parent)
    text = f"""
    extends: [{{file: org.yml, sha256: {hashlib.sha256(parent).hexdigest()}}}]
    rules:
      - {{id: mine, match: {{category: secret}}, action: info}}
    waivers:
      items:
        - {{path: "src/**", ids: ["AWS Access Key"], reason: r, owner: me, expires: 2026-05-01}}
    """
    said = explained(tmp_path, text, secret())
    own, locked = said.rule_lists
    assert (own.source, own.asked[-1].rule) == (None, "mine")
    assert locked.source is not None
    assert locked.source.endswith("org.yml")
    assert answers(said, 1) == {
        "never": "wants category license; it has secret",
        "secrets": "matches: category secret",
    }
    assert said.judged is not None
    assert said.judged.verdict.action is Action.BLOCK
    ((_, reason),) = said.waivers
    assert reason is not None
    assert reason.kind == "no-approver"


def test_an_allowed_licence_is_no_finding_and_asks_no_rule(tmp_path: Path) -> None:
    text = "licenses: {allow: [MIT]}\nrules: [{id: a, match: {}, action: block}]\n"
    said = explained(tmp_path, text, licensed("MIT"))
    assert said.judged is None
    assert said.rule_lists[0].asked == ()
    assert said.rule_lists[0].unasked == 1
    assert said.license is not None
    assert said.license.expression == "MIT"
    denied = explained(tmp_path, text, licensed("MIT AND GPL-3.0-only"))
    assert denied.license is not None
    assert denied.license.term == "GPL-3.0-only"


FINDINGS = [
    vulnerability(aliases=("GHSA-aaaa-bbbb-cccc",)),
    vulnerability(of=package("flask", scope=Scope.DEV)),
    finding(),
    replace(secret(), fingerprint="abcd" + "1" * 60),
    replace(secret(), fingerprint="abcd" + "2" * 60),
    finding(Category.MISCONFIGURATION, "DS-1"),
]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("GHSA-aaaa-bbbb-cccc", [0]),
        ("ghsa-AAAA-bbbb-cccc", [0]),
        ("CVE-2026-1", [0, 1]),
        (" PYSEC-2026-1 ", [0, 1]),
        ("B602", [2]),
        ("abcd", [3, 4]),
        ("ABCD1", [3]),
        ("abc", []),
        ("", []),
        ("abcd3", []),
        (FINDINGS[2].fingerprint, [2]),
        (FINDINGS[2].id, [2]),
    ],
)
def test_findings_are_found_by_id_or_by_the_first_digits(name: str, places: list[int]) -> None:
    assert find(FINDINGS, name) == tuple(FINDINGS[place] for place in places)


def test_the_clock_counts(tmp_path: Path) -> None:
    text = """
    waivers:
      items:
        - {purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-05-01}
    """
    later = datetime(2026, 5, 2, tzinfo=UTC)
    ((_, reason),) = explained(tmp_path, text, vulnerability(), later).waivers
    assert reason == Reason("waiver-expired", {"days": 1})
