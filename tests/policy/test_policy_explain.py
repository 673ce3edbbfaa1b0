"""An explanation has every rule and waiver that was tried, and the reason for each mismatch."""

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
      - {id: confidence, match: {confidence: low}, action: block}
      - {id: scanner, match: {scanner: trivy}, action: block}
      - {id: rule, match: {rule: "GHSA-*"}, action: block}
      - {id: path, match: {path: "src/**"}, action: block}
      - {id: kind, match: {path_kind: [tests, examples]}, action: block}
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


def tried(explanation: Explanation, place: int = 0) -> dict[str, tuple[str, str]]:
    """Return the failed condition and the finding's value of each tried rule, by id."""
    return {each.rule.id: (each.failed, each.has) for each in explanation.rule_lists[place].tried}


def test_every_rule_says_which_condition_failed_or_that_it_matches(tmp_path: Path) -> None:
    explanation = explained(tmp_path, RULES, vulnerability(claim("high", "ghsa", "pip-audit")))
    assert tried(explanation) == {
        "category": ("category code", "vulnerability"),
        "severity": ("severity critical", "high"),
        "confidence": ("confidence low", "high"),
        "scanner": ("scanner trivy", "pip-audit"),
        "rule": ("rule GHSA-*", "CVE-2026-1, PYSEC-2026-1"),
        "path": ("path src/**", "requirements.txt"),
        "kind": ("path_kind tests or examples", "production"),
        "package": ("package flask", "pkg:pypi/jinja2@2.4.1"),
        "scope": ("scope dev", "runtime"),
        "fixable": ("fixable true", "no fixed version"),
        "verdict": ("verdict deny", "none"),
        "origin": ("origin existing", "introduced"),
        "kev": ("kev true", "no data"),
        "epss": ("epss >=0.5", "no data"),
        "this": ("", ""),
    }
    assert explanation.rule_lists[0].has_match
    assert explanation.rule_lists[0].untried == 1
    assert explanation.judged is not None
    assert explanation.judged.verdict.rule == "this"


def test_a_value_that_a_finding_lacks_is_none(tmp_path: Path) -> None:
    lacking = tried(explained(tmp_path, RULES, secret(path="docs/a")))
    for name in ("package", "scope", "fixable", "kev", "epss"):
        assert lacking[name][1] == "none"
    hole = vulnerability(claim("low"), fixed=("3.0",))
    assert hole.advisory is not None
    known = replace(hole, advisory=replace(hole.advisory, kev=False, epss=0.25))
    text = RULES.replace("fixable: true", "fixable: false")
    has = tried(explained(tmp_path, text, known))
    assert has["fixable"] == ("fixable false", "a fixed version")
    assert has["kev"] == ("kev true", "false")
    assert has["epss"] == ("epss >=0.5", "0.25")
    unknown = tried(explained(tmp_path, RULES, vulnerability()))
    assert unknown["severity"] == ("severity critical", "unknown, compared as high")


def test_without_a_matching_rule_all_were_asked_and_the_default_holds(tmp_path: Path) -> None:
    text = "rules:\n  - {id: one, match: {category: secret}, action: block}\n"
    explanation = explained(tmp_path, text, finding())
    assert not explanation.rule_lists[0].has_match
    assert explanation.rule_lists[0].untried == 0
    assert explanation.judged is not None
    assert explanation.judged.verdict.rule == "default"


def test_severity_has_all_its_sources_the_deciding_one_first(tmp_path: Path) -> None:
    found = vulnerability(claim("low", "nvd", "trivy"), claim("high", "ghsa", "trivy"))
    explanation = explained(tmp_path, "", found)
    assert [(each.source, each.severity.value) for each in explanation.claims] == [
        ("ghsa", "high"),
        ("nvd", "low"),
    ]
    assert (explanation.severity, explanation.compared) == (Severity.HIGH, Severity.HIGH)


def test_an_override_and_a_lowered_confidence_are_explained(tmp_path: Path) -> None:
    text = """
    severity:
      bandit: {min_confidence: medium}
      override:
        - {match: {rule: B101}, set: info, reason: asserts are fine here}
    """
    unsure = finding(claims=(claim("high"),), confidence=Confidence.LOW)
    explanation = explained(tmp_path, text, unsure)
    assert explanation.override is None
    assert explanation.reasons == (
        Reason("low-confidence", {"confidence": "low", "severity": "high"}),
    )
    explanation = explained(tmp_path, text, finding(rule="B101", claims=(claim("high"),)))
    assert explanation.override is not None
    assert (explanation.override.match.rule, explanation.override.to) == ("B101", "info")
    assert explanation.severity is Severity.INFO


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
    explanation = explained(tmp_path, text, vulnerability())
    assert [reason for _, reason in explanation.waivers] == [
        Reason("other-ids", {"ids": ("CVE-2020-1",)}),
        Reason("other-package", {"purl": "pkg:pypi/flask"}),
        Reason("other-version", {"versions": "<2"}),
        Reason("waiver-expired", {"days": 28}),
        None,
    ]
    assert explanation.judged is not None
    assert explanation.judged.verdict.action is Action.WAIVED


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
    explanation = explained(tmp_path, text, secret())
    own, locked = explanation.rule_lists
    assert (own.source, own.tried[-1].rule.id) == (None, "mine")
    assert locked.source is not None
    assert locked.source.endswith("org.yml")
    assert tried(explanation, 1) == {"never": ("category license", "secret"), "secrets": ("", "")}
    assert explanation.judged is not None
    assert explanation.judged.verdict.action is Action.BLOCK
    ((_, reason),) = explanation.waivers
    assert reason is not None
    assert reason.kind == "no-approver"


def test_an_allowed_licence_is_no_finding_and_asks_no_rule(tmp_path: Path) -> None:
    text = "licenses: {allow: [MIT]}\nrules: [{id: a, match: {}, action: block}]\n"
    explanation = explained(tmp_path, text, licensed("MIT"))
    assert explanation.judged is None
    assert explanation.rule_lists[0].tried == ()
    assert explanation.rule_lists[0].untried == 1
    assert explanation.license is not None
    assert explanation.license.expression == "MIT"
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
