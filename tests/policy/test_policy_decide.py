"""A finding gets one severity and one verdict, whatever the order of findings."""

from datetime import timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from policy_samples import (
    EXISTING,
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
    Confidence,
    Finding,
    Judged,
    Reason,
    Scope,
    Severity,
    plain,
)
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy

ROOT = Path(__file__).parent


def judge(policy: Policy, one: Finding) -> Judged:
    (judged,) = decide([one], policy, NOW).judged
    return judged


def rules(folder: Path, *rules: str) -> Policy:
    """A policy of blocking rules with these matches, named by number."""
    lines = [f"  - {{id: r{n}, match: {match}, action: block}}" for n, match in enumerate(rules)]
    return policy_of(folder, "\n".join(["rules:", *lines, ""]))


def severity(folder: Path, one: Finding, text: str = "") -> tuple[str, list[str], list[str]]:
    """The severity, the kinds of its reasons, and the sources, the deciding one first."""
    result = judge(policy_of(folder, text), one)
    kinds = [reason.kind for reason in result.verdict.reasons[1:]]
    return result.severity.value, kinds, [each.source for each in result.severity_sources]


# Rule 6: severity.

WITHDRAWN = (Reason("withdrawn"), Reason("withdrawn-never-blocks"))


def test_rule_6_the_first_source_that_answers_gives_the_severity(tmp_path: Path) -> None:
    claims = [
        claim("low", "cvss2", "trivy"),
        claim("critical", "nvd", "trivy"),
        claim("critical", "tool", "safety"),
        claim("low", "cvss3.0", "trivy"),
        claim("medium", "cvss3.1", "trivy"),
        claim("unknown", "cvss4", "trivy"),
        claim("high", "ghsa", "trivy"),
    ]
    result = severity(tmp_path, vulnerability(*claims))
    assert result == ("high", [], ["ghsa", "cvss3.1", "cvss3.0", "tool", "nvd", "cvss2", "cvss4"])
    expected = ["low", "critical", "critical", "low", "medium", "medium", "high"]
    for count, level in enumerate(expected, start=1):
        assert severity(tmp_path, vulnerability(*claims[:count]))[0] == level


def test_rule_6_of_two_words_of_one_source_the_worse_counts_in_any_order(tmp_path: Path) -> None:
    words = claim("low", "tool", "trivy"), claim("high", "tool", "safety")
    assert severity(tmp_path, vulnerability(*words))[0] == "high"
    assert severity(tmp_path, vulnerability(*reversed(words)))[0] == "high"


def test_rule_6_unknown_stays_visible_and_is_compared_as_the_policy_sets(tmp_path: Path) -> None:
    by_default = rules(tmp_path, "{severity: '>=critical'}", "{severity: '>=high'}")
    result = judge(by_default, vulnerability())
    assert (result.severity, result.verdict.rule) == (Severity.UNKNOWN, "r1")
    as_low = policy_of(
        tmp_path,
        """\
        severity: {unknown: low}
        rules:
          - {id: medium, match: {severity: ">=medium"}, action: block}
          - {id: low, match: {severity: low}, action: info}
        """,
    )
    assert judge(as_low, vulnerability()).verdict.rule == "low"
    named = rules(tmp_path, "{severity: unknown}")
    assert judge(named, vulnerability()).verdict.rule == "r0"
    assert judge(named, vulnerability(claim("high"))).verdict.rule == "default"


def test_rule_6_an_override_comes_last_and_gives_its_reason(tmp_path: Path) -> None:
    text = """\
    severity:
      override:
        - {match: {rule: B101, path: "tests/**"}, set: info, reason: asserts are fine}
        - {match: {severity: low}, set: high, reason: never reached for tests}
    """
    in_test = finding(rule="B101", claims=(claim("low"),), path="tests/a.py")
    elsewhere = finding(rule="B101", claims=(claim("low"),))
    assert severity(tmp_path, in_test, text) == ("info", ["overridden"], ["policy", "tool"])
    assert severity(tmp_path, elsewhere, text)[0] == "high"


@pytest.mark.parametrize(
    ("confidence", "level"),
    [("high", "high"), ("medium", "high"), ("low", "medium"), ("unknown", "high")],
)
def test_rule_6_below_min_confidence_bandit_drops_one_level(
    tmp_path: Path, confidence: str, level: str
) -> None:
    text = "severity: {bandit: {min_confidence: medium}}\n"
    one = finding(claims=(claim("high"),), confidence=Confidence(confidence))
    assert severity(tmp_path, one, text)[0] == level


@pytest.mark.parametrize(
    ("rule", "confidence", "is_judged", "least", "expected"),
    [
        ("B608", "low", False, "medium", ("medium", [])),
        ("B113", "low", False, "high", ("medium", [])),
        ("B201", "medium", False, "high", ("medium", [])),
        ("B201", "low", False, "high", ("low", ["low-confidence"])),
        ("B202", "low", False, "medium", ("low", ["low-confidence"])),
        ("B608", "low", True, "medium", ("low", ["judged-confidence"])),
        ("B608", "low", True, "low", ("medium", [])),
    ],
)
def test_the_natural_confidence_of_a_rule_lowers_nothing(
    tmp_path: Path,
    rule: str,
    confidence: str,
    is_judged: bool,
    least: str,
    expected: tuple[str, list[str]],
) -> None:
    text = f"severity: {{bandit: {{min_confidence: {least}}}}}\n"
    one = finding(rule=rule, claims=(claim("medium"),), confidence=Confidence(confidence))
    why = plain("it is a constant") if is_judged else None
    one = replace(one, confidence_reason=why)
    assert severity(tmp_path, one, text)[:2] == expected


def test_confidence_lowers_only_findings_of_bandit_and_never_below_info(tmp_path: Path) -> None:
    text = "severity: {bandit: {min_confidence: high}}\n"
    unsure = Confidence.LOW
    other = finding(claims=(claim("high", scanner="trivy"),), confidence=unsure)
    silent = finding(confidence=unsure)
    least = finding(claims=(claim("info"),), confidence=unsure)
    lowered = finding(claims=(claim("low"),), confidence=unsure)
    assert severity(tmp_path, other, text)[0] == "high"
    assert severity(tmp_path, silent, text)[0] == "unknown"
    assert severity(tmp_path, least, text) == ("info", [], ["tool"])
    assert severity(tmp_path, lowered, text) == ("info", ["low-confidence"], ["policy", "tool"])
    assert severity(tmp_path, lowered)[0] == "low"


def test_a_secret_has_the_severity_of_a_secret_scanner_else_high(tmp_path: Path) -> None:
    assert severity(tmp_path, secret()) == ("high", [], ["table"])
    trivy, bandit = claim("critical", scanner="trivy"), claim("low")
    assert severity(tmp_path, secret(bandit, trivy)) == ("critical", [], ["tool", "tool"])
    assert severity(tmp_path, secret(bandit)) == ("high", [], ["table", "tool"])
    assert severity(tmp_path, secret(claim("unknown", scanner="trivy")))[0] == "high"


def test_a_licence_is_as_bad_as_its_verdict(tmp_path: Path) -> None:
    text = "licenses: {allow: [MIT], review: [ISC]}\n"
    levels = [severity(tmp_path, licensed(name), text)[0] for name in ("Zlib", "odd", "ISC")]
    assert levels == ["high", "medium", "low"]


def test_a_withdrawn_advisory_is_info_and_never_blocks(tmp_path: Path) -> None:
    policy = rules(tmp_path, "{category: vuln}")
    result = judge(policy, vulnerability(claim("critical", "ghsa", "trivy"), withdrawn=True))
    assert (result.severity, result.verdict.action.value) == (Severity.INFO, "info")
    assert result.verdict.rule == "r0"
    assert result.verdict.reasons[-2:] == WITHDRAWN
    assert [each.source for each in result.severity_sources] == ["table", "ghsa"]
    warns = policy_of(tmp_path, "rules: [{id: a, match: {}, action: warn}]\n")
    assert judge(warns, vulnerability(withdrawn=True)).verdict.action.value == "warn"


@pytest.mark.parametrize(
    "text",
    [
        "default: block\n",
        "default: warn\nrules: [{id: kev, match: {kev: true}, action: block}]\n",
        "default: warn\nrules: [{id: fix, match: {fixable: true}, action: block, grace: 1d}]\n",
        (
            "default: warn\nrules: [{id: bad, match: {severity: '>=high'}, action: block}]\n"
            "severity: {override: [{match: {category: vuln}, set: critical, reason: bad}]}\n"
        ),
        "default: warn\nrules: [{id: bad, match: {severity: info}, action: block}]\n",
    ],
)
def test_a_withdrawn_advisory_blocks_by_no_rule(tmp_path: Path, text: str) -> None:
    one = vulnerability(
        claim("critical", "ghsa", "osv"), fixed=("9",), kev=True, epss=1.0, history=EXISTING
    )
    policy = policy_of(tmp_path, text, head="version: 1\n")
    assert judge(policy, one).verdict.action is not Action.INFO
    assert one.advisory is not None
    gone = judge(policy, replace(one, advisory=replace(one.advisory, withdrawn=True)))
    assert gone.verdict.action is Action.INFO
    assert gone.verdict.reasons[-2:] == WITHDRAWN
    assert gone.deadline is None


def test_a_finding_that_two_policies_cannot_check_counts_once(tmp_path: Path) -> None:
    parent = tmp_path / "org.yml"
    parent.write_text(
        "version: 1\ndefault: info\n"
        "rules: [{id: all, match: {kev: true}, action: block, locked: true}]\n",
        encoding="utf-8",
    )
    digest = sha256(parent.read_bytes()).hexdigest()
    policy = policy_of(
        tmp_path,
        f"""
        extends: [{{file: org.yml, sha256: {digest}}}]
        rules: [{{id: own, match: {{kev: true}}, action: block}}]
        """,
    )
    assert decide([vulnerability()], policy, NOW).unchecked == {"kev": 1}


def test_a_withdrawn_advisory_blocks_by_no_rule_that_a_parent_locks(tmp_path: Path) -> None:
    parent = tmp_path / "org.yml"
    parent.write_text(
        "version: 1\ndefault: info\nrules: [{id: all, match: {}, action: block, locked: true}]\n",
        encoding="utf-8",
    )
    digest = sha256(parent.read_bytes()).hexdigest()
    policy = policy_of(tmp_path, f"extends: [{{file: org.yml, sha256: {digest}}}]\n")
    one = vulnerability(claim("critical", "ghsa", "osv"))
    assert judge(policy, one).verdict.action is Action.BLOCK
    gone = judge(policy, vulnerability(claim("critical", "ghsa", "osv"), withdrawn=True))
    assert gone.verdict.action is Action.INFO


def test_severities_of_other_vendors_are_on_record_and_decide_nothing(tmp_path: Path) -> None:
    vendor, own = claim("critical", "redhat", "trivy"), claim("low", "tool", "trivy")
    assert severity(tmp_path, vulnerability(vendor, own)) == ("low", [], ["tool", "redhat"])
    assert severity(tmp_path, vulnerability(vendor)) == ("unknown", [], ["redhat"])


def test_no_override_lowers_a_malicious_package_or_leaves_it_out(tmp_path: Path) -> None:
    text = """\
    severity: {override: [{match: {category: vuln}, set: info, reason: no}], sources: [nvd]}
    rules: [{id: bad, match: {severity: critical}, action: block}]
    """
    result = judge(policy_of(tmp_path, text), vulnerability(aliases=("MAL-2026-7",)))
    assert (result.severity, result.verdict.rule) == (Severity.CRITICAL, "bad")
    assert result.verdict.reasons == (
        Reason("matches", {"conditions": ("severity critical",)}),
        Reason("malicious"),
    )


def test_a_malicious_package_has_no_grace(tmp_path: Path) -> None:
    rule = "rules: [{id: soon, match: {category: vuln}, action: block, grace: 7d}]\n"
    day = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    for aliases, action in (((), Action.WARN), (("MAL-2026-7",), Action.BLOCK)):
        one = vulnerability(aliases=aliases, published=day, history=EXISTING)
        assert judge(policy_of(tmp_path, rule), one).verdict.action is action


@pytest.mark.parametrize("names", ["CVE-2024-1", "CVE-2024-1, MAL-2026-7"])
@pytest.mark.parametrize("until_fixed", ["true", "false"])
def test_a_waiver_of_a_malicious_package_names_that(
    tmp_path: Path, names: str, until_fixed: str
) -> None:
    waiver = f"""\
    rules: [{{id: all, match: {{}}, action: block}}]
    waivers: {{items: [{{ids: [{names}], purl: "pkg:pypi/jinja2", reason: r, owner: o,
      until_fixed: {until_fixed}, expires: {NOW.date() + timedelta(days=3)}}}]}}
    """
    policy = policy_of(tmp_path, waiver)
    result = judge(policy, vulnerability(aliases=("CVE-2024-1", "MAL-2026-7")))
    if "MAL" in names:
        assert result.verdict.action is Action.WAIVED
    else:
        assert result.verdict.action is Action.BLOCK
        assert result.void_waivers[0].reason == Reason("malicious-not-named")
    assert judge(policy, vulnerability(aliases=("CVE-2024-1",))).verdict.action is Action.WAIVED


def test_a_malicious_package_is_always_critical(tmp_path: Path) -> None:
    one = vulnerability(claim("low", "ghsa", "trivy"), aliases=("MAL-2026-7",))
    assert severity(tmp_path, one) == ("critical", ["malicious"], ["table", "ghsa"])


@pytest.mark.parametrize(
    ("label", "score", "kinds"),
    [
        ("low", "critical", ["severities-differ"]),
        ("critical", "medium", ["severities-differ"]),
        ("high", "medium", []),
        ("high", "unknown", []),
    ],
)
def test_two_sources_that_are_far_apart_are_a_reason(
    tmp_path: Path, label: str, score: str, kinds: list[str]
) -> None:
    one = vulnerability(claim(score, "cvss3.1", "trivy"), claim(label, "ghsa", "trivy"))
    assert severity(tmp_path, one)[:2] == (label, kinds)


# Rule 9: scope.


def test_rule_9_scope_is_a_condition_on_packages(tmp_path: Path) -> None:
    policy = rules(tmp_path, "{scope: runtime}", "{scope: [dev]}")
    dev = vulnerability(of=package(scope=Scope.DEV))
    assert judge(policy, vulnerability()).verdict.rule == "r0"
    assert judge(policy, dev).verdict.rule == "r1"
    assert judge(policy, finding()).verdict.rule == "default"


# Rule 11: first match wins.


def test_rule_11_the_first_rule_whose_conditions_all_hold_decides(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """\
        rules:
          - {id: both, match: {category: code, severity: ">=high"}, action: block}
          - {id: code, match: {category: code}, action: info}
          - {id: late, match: {severity: ">=high"}, action: warn}
        """,
    )
    high, low = finding(claims=(claim("high"),)), finding(claims=(claim("low"),))
    assert judge(policy, high).verdict.rule == "both"
    conditions = ("category code", "severity >=high")
    assert judge(policy, high).verdict.reasons == (Reason("matches", {"conditions": conditions}),)
    assert judge(policy, low).verdict.rule == "code"
    assert judge(policy, secret()).verdict.rule == "late"


def test_rule_11_what_no_rule_matches_gets_the_default(tmp_path: Path) -> None:
    result = judge(policy_of(tmp_path, ""), finding())
    assert (result.verdict.action.value, result.verdict.rule) == ("warn", "default")
    assert result.verdict.reasons == (Reason("no-rule"),)


def test_an_empty_match_is_every_finding(tmp_path: Path) -> None:
    result = judge(rules(tmp_path, "{}"), finding())
    assert result.verdict.rule == "r0"
    assert result.verdict.reasons == (Reason("matches-everything"),)


FIXED = vulnerability(fixed=("2.0",), aliases=("GHSA-aaaa-bbbb-cccc",))
ODD = vulnerability(of=package("Foo.Bar_baz", "1.0"))
SEEN = finding(witnesses=(("bandit", "B602"), ("trivy", "DS001")))


@pytest.mark.parametrize(
    ("match", "one", "holds"),
    [
        ("{category: vuln}", FIXED, True),
        ("{category: vulnerability}", FIXED, True),
        ("{category: [code, iac]}", finding(Category.MISCONFIGURATION), True),
        ("{category: code}", FIXED, False),
        ("{confidence: likely}", secret(), True),
        ("{confidence: [possible, unlikely]}", secret(), False),
        ("{confidence: high}", finding(), True),
        ("{confidence: [medium, low, unknown]}", finding(), False),
        ("{path_kind: production}", secret(), True),
        ("{path_kind: [docs, examples]}", secret(path="docs/a.md"), True),
        ("{path_kind: docs}", secret(), False),
        ("{path_kind: tests}", secret(places=("tests/a.py", "tests/b.py")), True),
        ("{path_kind: vendored}", finding(path="pkg/_vendor/a.py"), True),
        ("{path_kind: generated}", finding(path="poetry.lock"), True),
        ("{path_kind: production}", vulnerability(path=None), False),
        ("{scanner: trivy}", SEEN, True),
        ("{scanner: [safety, bandit]}", SEEN, True),
        ("{scanner: safety}", SEEN, False),
        ("{rule: DS001}", SEEN, True),
        ("{rule: B6*}", SEEN, True),
        ("{rule: b602}", SEEN, False),
        ("{rule: [X, GHSA-aaaa-bbbb-cccc]}", FIXED, True),
        ("{rule: PYSEC-2026-1}", FIXED, True),
        ("{path: src/**}", SEEN, True),
        ("{path: app.py}", SEEN, True),
        ("{path: /app.py}", SEEN, False),
        ("{path: ['docs/', 'src/']}", SEEN, True),
        ("{path: '*.txt'}", vulnerability(path=None), False),
        ("{package: jinja2}", FIXED, True),
        ("{package: Jinja2}", FIXED, True),
        ("{package: foo-bar-baz}", ODD, True),
        ("{package: FOO__bar*}", ODD, True),
        ("{package: 'pkg:pypi/jinja2'}", FIXED, True),
        ("{package: 'pkg:pypi/jinja2@2.4.1'}", FIXED, True),
        ("{package: 'pkg:pypi/jinja2@2.4.2'}", FIXED, False),
        ("{package: 'pkg:npm/*'}", FIXED, False),
        ("{package: '*'}", finding(), False),
        ("{fixable: true}", FIXED, True),
        ("{fixable: false}", FIXED, False),
        ("{fixable: false}", ODD, True),
        ("{fixable: false}", finding(), False),
        ("{verdict: unknown}", licensed("odd"), True),
        ("{verdict: [deny, review]}", licensed("odd"), False),
        ("{verdict: unknown}", finding(), False),
    ],
)
def test_rule_11_each_condition(tmp_path: Path, match: str, one: Finding, holds: bool) -> None:
    assert (judge(rules(tmp_path, match), one).verdict.rule == "r0") is holds


def test_rule_11_a_weaker_action_needs_every_place_a_block_any_of_them(tmp_path: Path) -> None:
    twice = secret(path="tests/a.py", places=("src/a.py", "tests/a.py"))
    only_tests = secret(path="tests/a.py", places=("tests/a.py", "tests/b.py"))
    excused = policy_of(
        tmp_path,
        """\
        rules:
          - {id: tests, match: {path: "tests/**"}, action: info}
          - {id: source, match: {path: "src/**"}, action: block}
        """,
    )
    assert judge(excused, twice).verdict.rule == "source"
    assert judge(excused, only_tests).verdict.rule == "tests"
    by_kind = policy_of(
        tmp_path,
        """\
        rules:
          - {id: tests, match: {path_kind: tests}, action: info}
          - {id: source, match: {path_kind: production}, action: block}
        """,
    )
    assert judge(by_kind, twice).verdict.rule == "source"
    assert judge(by_kind, only_tests).verdict.rule == "tests"
    text = 'severity: {override: [{match: {path: "tests/**"}, set: info, reason: tests}]}\n'
    assert severity(tmp_path, twice, text)[0] == "high"
    assert severity(tmp_path, only_tests, text)[0] == "info"


# Rule 13: licences; rule 15: nothing else is left out.


def test_rule_13_allowed_packages_are_no_findings(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "licenses: {allow: [MIT]}\n")
    allowed, denied = licensed("MIT OR ISC"), licensed("mit and isc")
    (judged,) = decide([allowed, denied], policy, NOW).judged
    assert judged.finding.fingerprint == denied.fingerprint
    assert judged.license_expression == "MIT AND ISC"
    assert judged.license_verdict is not None
    assert judged.license_verdict.value == "deny"


LICENSE_RULES = {
    "ISC": "license-denied",
    "odd text": "license-unknown",
    "LGPL-3.0-only": "license-review",
}


@pytest.mark.parametrize("expression", LICENSE_RULES)
def test_the_verdict_on_a_licence_is_its_rule_and_policies_can_name_both_ids(
    expression: str, tmp_path: Path
) -> None:
    lists = "licenses: {allow: [MIT], review: [LGPL-3.0-only]}\n"
    expected = LICENSE_RULES[expression]
    for name in (expected, "license", "B602"):
        rules = f"rules: [{{id: a, match: {{rule: {name}}}, action: block}}]\n"
        (judged,) = decide([licensed(expression)], policy_of(tmp_path, lists + rules), NOW).judged
        assert judged.finding.rule.id == expected
        assert (judged.verdict.action is Action.BLOCK) == (name != "B602")
    # A stored finding does not keep the verdict of another policy.
    other = policy_of(tmp_path, "licenses: {review: [ISC, LGPL-3.0-only, MIT]}\n")
    (again,) = decide([judged.finding], other, NOW).judged
    assert again.finding.rule.id == ("license-unknown" if " " in expression else "license-review")


def test_rule_15_nothing_else_is_left_out(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "")
    everything = [finding(), secret(), vulnerability(), licensed("odd")]
    assert len(decide(everything, policy, NOW).judged) == 4


# Order and shared values.


def test_findings_are_sorted_most_urgent_and_worst_first(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "rules: [{id: a, match: {category: secret}, action: block}]\n")
    findings = [
        finding(claims=(claim("low"),), path="a.py"),
        finding(claims=(claim("critical"),), path="b.py", line=9),
        finding(claims=(claim("critical"),), path="b.py", line=2),
        secret(path="z.py"),
        vulnerability(path=None),
    ]
    judged = decide(findings, policy, NOW).judged
    order = [(one.finding.category.value, one.severity.value) for one in judged]
    assert order == [
        ("secret", "high"),
        ("code", "critical"),
        ("code", "critical"),
        ("vulnerability", "unknown"),
        ("code", "low"),
    ]
    lines = [one.finding.location.start_line for one in judged[1:3]]  # type: ignore[union-attr]
    assert lines == [2, 9]


SOME = [
    finding(rule=rule, claims=(claim(level),), path=path)
    for rule in ("B101", "B602")
    for level in ("low", "high", "unknown")
    for path in ("tests/test_a.py", "src/a.py")
] + [secret(), FIXED, ODD, licensed("odd"), licensed("AGPL-3.0-only"), licensed("MIT")]


@settings(deadline=None, max_examples=40)
@given(st.permutations(SOME), st.sampled_from(["default", "strict", "pull-request", "weekly"]))
def test_the_same_findings_in_any_order_are_judged_the_same(
    findings: list[Finding], name: str
) -> None:
    policy = load_policy(name, ROOT)
    assert decide(findings, policy, NOW) == decide(SOME, policy, NOW)


def test_fifty_rules_and_many_findings_agree_with_trying_one_by_one(tmp_path: Path) -> None:
    matches = [
        f"{{rule: B{n}, severity: '>={level}', path: '{folder}/**'}}"
        for n, level, folder in zip(
            range(100, 150), ["low", "high", "medium"] * 17, ["src", "lib"] * 25, strict=False
        )
    ]
    policy = rules(tmp_path, *matches)
    for n in range(100, 150):
        wanted = Severity(["low", "high", "medium"][(n - 100) % 3])
        for level, folder in product(("low", "medium", "high"), ("src", "lib")):
            one = finding(rule=f"B{n}", claims=(claim(level),), path=f"{folder}/a.py")
            holds = Severity(level).at_least(wanted) and folder == ["src", "lib"][n % 2]
            assert judge(policy, one).verdict.rule == (f"r{n - 100}" if holds else "default")


def test_enforcement_does_not_change_a_verdict(tmp_path: Path) -> None:
    policy = load_policy("default", tmp_path)
    dry = replace(policy, enforcement="warn")
    assert decide(SOME, policy, NOW) == decide(SOME, dry, NOW)


# The ready-made policies.

DEV = package(scope=Scope.DEV)
CRITICAL, HIGH, MEDIUM, LOW = (
    vulnerability(claim(level, "ghsa", "trivy")) for level in ("critical", "high", "medium", "low")
)
SQL = finding(rule="B608", claims=(claim("medium"),))
POSSIBLE = secret(claim("critical"), confidence=Confidence.POSSIBLE)
DOCUMENTED = secret(confidence=Confidence.POSSIBLE, path="docs/a.md")
IN_TEST = secret(confidence=Confidence.POSSIBLE, path="tests/a.py")
IN_BOTH = secret(confidence=Confidence.POSSIBLE, path="tests/a.py", places=("tests/a.py", "b.py"))
UNLIKELY = secret(claim("critical"), confidence=Confidence.UNLIKELY)
ASSERT = finding(rule="B101", claims=(claim("low"),), path="pkg/tests/test_x.py")


@pytest.mark.parametrize(
    ("one", "default", "pull_request", "strict", "weekly"),
    [
        (CRITICAL, "block", "block", "block", "warn"),
        (HIGH, "warn", "block", "block", "warn"),
        (vulnerability(), "warn", "block", "block", "warn"),
        (MEDIUM, "info", "warn", "warn", "info"),
        (vulnerability(claim("high", "ghsa", "trivy"), of=DEV), "warn", "warn", "block", "warn"),
        (SQL, "warn", "block", "warn", "info"),
        (ASSERT, "info", "info", "info", "info"),
        (secret(), "block", "block", "block", "warn"),
        (secret(path="tests/a.py"), "block", "block", "block", "warn"),
        (POSSIBLE, "warn", "warn", "block", "warn"),
        (DOCUMENTED, "warn", "warn", "block", "warn"),
        (IN_TEST, "warn", "warn", "warn", "warn"),
        (IN_BOTH, "warn", "warn", "block", "warn"),
        (UNLIKELY, "info", "info", "info", "info"),
        (secret(confidence=Confidence.UNKNOWN), "block", "block", "block", "warn"),
        (licensed("AGPL-3.0-only"), "info", "block", "block", "warn"),
        (licensed("AGPL-3.0-only", Scope.DEV), "info", "info", "block", "warn"),
        (licensed("odd"), "info", "warn", "block", "warn"),
        (licensed("LGPL-2.1-only"), "info", "info", "warn", "info"),
    ],
)
def test_what_the_ready_made_policies_do(
    one: Finding, default: str, pull_request: str, strict: str, weekly: str
) -> None:
    names = ("default", "pull-request", "strict", "weekly")
    actions = [judge(load_policy(name, ROOT), one).verdict.action.value for name in names]
    assert actions == [default, pull_request, strict, weekly]
