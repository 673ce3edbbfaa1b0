"""The fifteen rules of judging by a policy, each tested where it applies."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent

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
    package,
    policy_of,
    run_of,
    secret,
    vulnerability,
    waiver,
)

from scanagg.core.errors import PolicyError
from scanagg.model import (
    Action,
    Category,
    DataSource,
    Finding,
    Gate,
    Judged,
    Origin,
    Outcome,
    Reason,
    Run,
    Scope,
    Severity,
    Status,
    Terms,
    Waiver,
)
from scanagg.policy.gate import CheckResults, judge_runs
from scanagg.policy.rules import Decision, decide
from scanagg.policy.schema import Policy
from scanagg.reports.reasons import sentence

HEAD = "version: 1\ndefault: warn\n"
BLOCK_ALL = "rules: [{id: all, match: {}, action: block}]\n"


def judge(policy: Policy, one: Finding, now: datetime = NOW) -> Judged:
    (judged,) = decide([one], policy, now).judged
    return judged


def action(policy: Policy, one: Finding, now: datetime = NOW) -> str:
    return judge(policy, one, now).verdict.action.value


def gate(
    policy: Policy,
    findings: Sequence[Finding] = (),
    runs: Sequence[Run] = (),
    data: Sequence[DataSource] = (),
    only: tuple[str, ...] = (),
) -> Gate:
    results = CheckResults(
        runs=runs or [run_of("bandit")],
        decision=decide(findings, policy, NOW),
        now=NOW,
        terms=Terms(only=only),
        data=data,
    )
    return judge_runs(results, policy)


def waiver_named(place: str, expires: str = "2026-03-31") -> Reason:
    return Reason("waiver", {"place": place, "owner": "@team", "expires": expires})


def waived(folder: Path, *waivers: Waiver, text: str = BLOCK_ALL) -> Policy:
    """A policy that blocks everything except for these waivers."""
    return replace(policy_of(folder, text), waivers=waivers)


# Rule 1: load strictly.


@pytest.mark.parametrize(
    "text",
    [
        "default: warn\n",
        "version: 1\n",
        HEAD + "default: warn\n",
        HEAD + "rulez: []\n",
        HEAD + "rules: {}\n",
        HEAD + "rules: [{id: a, match: {fixable: yes}, action: warn}]\n",
        HEAD + "rules: [{id: a, match: {}, action: block, grace: 1 week}]\n",
        HEAD + "licenses: {allow: [MIT AND]}\n",
        HEAD + "waivers: {items: [{path: a, owner: b, reason: c, expires: 2026-02-30}]}\n",
        HEAD + "waivers: {items: [{purl: x, owner: b, reason: c, expires: 2026-03-30}]}\n",
        HEAD
        + "waivers: {items: [{purl: 'pkg:pypi/a', versions: '1.x', owner: b, reason: c,"
        + " expires: 2026-03-30}]}\n",
    ],
)
def test_rule_01_what_is_not_right_to_the_letter_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError, match=r"policy\.yml:\d+:\d+: "):
        policy_of(tmp_path, text, head="")


def test_rule_01_the_clock_is_utc_whatever_zone_it_is_given_in(tmp_path: Path) -> None:
    policy = waived(tmp_path, waiver(path="src/**", days=0))
    late_west = datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=-5)))  # 2 March in UTC
    assert action(policy, finding(), NOW) == "waived"
    assert action(policy, finding(), late_west) == "block"


# Rule 2: inheritance only tightens what is locked.


def family(folder: Path, parent: str, child: str) -> Policy:
    """The policy of a child that extends a parent by its hash."""
    raw = dedent(parent).encode()
    (folder / "base.yml").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    head = f"version: 1\nextends: [{{file: base.yml, sha256: {digest}}}]\n"
    return policy_of(folder, child, head=head)


PARENT = """\
version: 1
default: warn
approvers: ["@security"]
severity: {unknown: critical}
rules:
  - {id: keep, match: {category: vuln, severity: ">=critical"}, action: block, locked: true}
  - {id: loose, match: {category: code}, action: block}
"""


def test_rule_02_a_child_comes_first_but_a_locked_rule_is_asked_apart(tmp_path: Path) -> None:
    policy = family(
        tmp_path,
        PARENT,
        """\
        default: info
        rules:
          - {id: calm, match: {category: vuln}, action: info}
          - {id: easy, match: {category: code}, action: info}
        """,
    )
    bad, code = vulnerability(claim("critical", "ghsa", "trivy")), finding()
    verdict = judge(policy, bad).verdict
    assert (verdict.action, verdict.rule) == (Action.BLOCK, "keep")
    assert verdict.reasons[-1] == Reason("locked", {"policy": "base.yml"})
    assert judge(policy, code).verdict.rule == "easy"
    assert action(policy, vulnerability(claim("high", "ghsa", "trivy"))) == "info"


def test_rule_02_locked_rules_judge_by_their_own_sections(tmp_path: Path) -> None:
    child = """\
    default: info
    severity:
      unknown: low
      override: [{match: {category: vuln}, set: info, reason: calm}]
    """
    policy = family(tmp_path, PARENT, child)
    assert judge(policy, vulnerability()).verdict.rule == "keep"
    assert judge(policy, vulnerability()).severity is Severity.INFO


@pytest.mark.parametrize(("owner", "expected"), [("@security", "waived"), ("@team", "block")])
def test_rule_02_only_approvers_waive_what_is_locked(
    tmp_path: Path, owner: str, expected: str
) -> None:
    policy = family(tmp_path, PARENT, "default: info\n")
    policy = replace(policy, waivers=(waiver(purl="pkg:pypi/jinja2", owner=owner),))
    bad = vulnerability(claim("critical", "ghsa", "trivy"))
    result = judge(policy, bad)
    assert result.verdict.action.value == expected
    why = [each.reason for each in result.void_waivers]
    assert why == ([] if owner == "@security" else [Reason("no-approver", {"policy": "base.yml"})])
    (use,) = decide([bad], policy, NOW).waivers
    assert (use.status.value, use.matched) == ("active", int(owner == "@security"))


@pytest.mark.parametrize(("in_source", "expected"), [("allow", "waived"), ("report", "block")])
def test_rule_02_a_comment_waives_what_is_locked_only_where_the_parent_allows_it(
    tmp_path: Path, in_source: str, expected: str
) -> None:
    parent = f"""\
    version: 1
    default: warn
    waivers: {{in_source: {in_source}}}
    rules: [{{id: keep, match: {{category: code}}, action: block, locked: true}}]
    """
    policy = family(tmp_path, parent, "default: info\n")
    assert action(policy, finding(in_source="nosec")) == expected


def test_rule_02_a_licence_that_only_the_parent_denies_is_a_finding(tmp_path: Path) -> None:
    parent = """\
    version: 1
    default: warn
    licenses: {deny: [GPL-3.0-only]}
    rules:
      - {id: keep, match: {category: license, verdict: deny}, action: block, locked: true}
    """
    policy = family(tmp_path, parent, "default: info\nlicenses: {deny: []}\n")
    result = judge(policy, licensed("GPL-3.0-only"))
    assert (result.verdict.rule, result.license_term) == ("keep", "GPL-3.0-only")
    assert decide([licensed("MIT")], policy, NOW).judged == ()


def test_rule_02_a_parent_with_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text(PARENT, encoding="utf-8")
    head = f"version: 1\nextends: [{{file: base.yml, sha256: {'a' * 64}}}]\n"
    with pytest.raises(PolicyError, match=r"base\.yml"):
        policy_of(tmp_path, "default: warn\n", head=head)


# Rules 3 and 4: statuses and coverage.


@pytest.mark.parametrize("status", list(Status))
def test_rule_03_a_required_scanner_that_did_not_look_leaves_a_gap(
    tmp_path: Path, status: Status
) -> None:
    looked = status in (Status.OK, Status.DEGRADED)
    policy = policy_of(tmp_path, "scanners: {trivy: {required: true}}\n")
    runs = [run_of("trivy", status, examined=2 if looked else 0, detail="why"), run_of("bandit")]
    whole = status in (Status.OK, Status.NOT_APPLICABLE)
    assert gate(policy, runs=runs).exit_code == (0 if whole else 3)


def test_rule_03_no_waiver_covers_a_gap(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "scanners: {bandit: {required: true}}\n")
    policy = replace(policy, waivers=(waiver(path="**"),))
    assert gate(policy, [finding()], [run_of("bandit", Status.FAILED)]).exit_code == 3


def test_rule_04_unexamined_inputs_count_with_any_status(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "scanners: {bandit: {required: true, max_skipped: 1}}\n")
    assert gate(policy, runs=[run_of("bandit", found=5, examined=4)]).exit_code == 0
    assert gate(policy, runs=[run_of("bandit", found=5, examined=3)]).exit_code == 3
    assert gate(policy, runs=[run_of("bandit", found=5, examined=0)]).exit_code == 3


# Rule 5: freshness.

AGES = "scanners: {{trivy: {{required: {required}, db_max_age: 5d}}}}\n"


def aged(days: int | None) -> DataSource:
    return DataSource("trivy-db", None if days is None else NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("data", "kind", "values"),
    [
        (aged(6), "outdated-data", {"day": "2026-02-23", "limit": "5d"}),
        (aged(None), "undated-data", {"limit": "5d"}),
        (None, "undated-data", {"limit": "5d"}),
        (aged(-2), "data-in-future", {"day": "2026-03-03", "today": "2026-03-01"}),
    ],
)
def test_rule_05_old_data_is_a_gap_or_a_notice(
    tmp_path: Path, data: DataSource | None, kind: str, values: dict[str, str]
) -> None:
    runs = [run_of("trivy", data=data)]
    expected = {"scanner": "trivy", "problem": Reason(kind, {"data": "data", **values})}
    needed = gate(policy_of(tmp_path, AGES.format(required="true")), runs=runs)
    assert (needed.exit_code, needed.reasons) == (3, (Reason("required-scanner", expected),))
    optional = gate(policy_of(tmp_path, AGES.format(required="false")), runs=runs)
    assert (optional.exit_code, optional.notices[0]) == (0, Reason("scanner", expected))


@pytest.mark.parametrize("days", [5, 0, -1])
def test_rule_05_data_within_its_age_is_fresh(tmp_path: Path, days: int) -> None:
    policy = policy_of(tmp_path, AGES.format(required="true"))
    result = gate(policy, runs=[run_of("trivy", data=aged(days))])
    assert (result.exit_code, result.notices) == (0, ())


def test_rule_05_what_did_not_run_has_no_age(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, AGES.format(required="true"))
    runs = [run_of("trivy", Status.NOT_APPLICABLE, found=0), run_of("bandit")]
    assert gate(policy, runs=runs).exit_code == 0


def test_rule_05_a_clock_behind_the_data_is_a_notice(tmp_path: Path) -> None:
    result = gate(policy_of(tmp_path, ""), runs=[run_of("trivy", data=aged(-3))])
    assert result.exit_code == 0
    values = {"holder": "trivy", "day": "2026-03-04", "today": "2026-03-01"}
    assert result.notices == (Reason("clock-behind", values),)


def held(name: str, days: int | None = 0) -> DataSource:
    """A data source of the advisory store, `days` old."""
    return DataSource(name, None if days is None else NOW - timedelta(days=days))


HELD = [held("OSV"), held("KEV"), held("EPSS")]
ASKS = """\
rules:
  - {id: kev, match: {category: vuln, kev: true}, action: block}
  - {id: harmless, match: {category: vuln, kev: false, scope: dev}, action: info}
  - {id: likely, match: {category: vuln, epss: ">=0.5", fixable: true}, action: block}
"""


def test_rule_05_unknown_data_matches_neither_true_nor_false_and_is_counted(
    tmp_path: Path,
) -> None:
    policy = policy_of(tmp_path, ASKS)
    fixable = vulnerability(fixed=("2",), of=package(scope=Scope.DEV))
    decision = decide([vulnerability(), fixable, finding()], policy, NOW)
    assert {one.verdict.rule for one in decision.judged} == {"default"}
    assert decision.unchecked == {"epss": 1, "kev": 2}
    findings = [vulnerability(), fixable]
    for data, kind in (((), "unchecked-no-data"), (HELD, "unchecked-no-record")):
        assert gate(policy, findings, data=data).notices == (
            Reason(kind, {"count": 1, "data": "EPSS"}),
            Reason(kind, {"count": 2, "data": "KEV"}),
        )


def test_rule_05_data_that_is_there_is_asked(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, ASKS)
    dev = package(scope=Scope.DEV)
    exploited = vulnerability(kev=True, epss=0.1)
    quiet = vulnerability(kev=False, epss=0.9, of=dev)
    likely = vulnerability(kev=False, epss=0.5, fixed=("2",))
    rules = [judge(policy, one).verdict.rule for one in (exploited, quiet, likely)]
    assert rules == ["kev", "harmless", "likely"]
    assert decide([exploited, quiet, likely], policy, NOW).unchecked == {}
    assert judge(policy, vulnerability(kev=False, epss=0.49, fixed=("2",))).verdict.rule == (
        "default"
    )


def test_rule_05_only_what_could_have_changed_the_verdict_counts_as_unchecked(
    tmp_path: Path,
) -> None:
    policy = policy_of(
        tmp_path,
        """\
        rules:
          - {id: first, match: {category: vuln, fixable: true}, action: block}
          - {id: kev, match: {category: vuln, kev: true, scope: runtime}, action: block}
        """,
    )
    dev = package(scope=Scope.DEV)
    several = [vulnerability(fixed=("2",)), vulnerability(of=dev), vulnerability()]
    assert decide(several, policy, NOW).unchecked == {"kev": 1}


@pytest.mark.parametrize("kind", ["kev", "epss"])
def test_rule_05_required_data_that_is_absent_is_a_gap(tmp_path: Path, kind: str) -> None:
    policy = policy_of(tmp_path, f"enrichment: {{{kind}: required}}\n")
    missing = Reason("required-data-missing", {"data": kind.upper()})
    for findings in ([vulnerability(kev=True, epss=0.1)], [finding()], []):
        lacking = gate(policy, findings, data=[held("OSV")])
        assert (lacking.exit_code, lacking.reasons) == (3, (missing,))
    assert gate(policy, [finding()], data=HELD).exit_code == 0
    optional = policy_of(tmp_path, f"enrichment: {{{kind}: optional}}\n")
    assert gate(optional, [vulnerability()]).notices == ()


def test_rule_05_data_is_required_of_what_the_command_line_asks_for_where_it_finds_any(
    tmp_path: Path,
) -> None:
    policy = policy_of(tmp_path, "enrichment: {kev: required}\n")
    assert gate(policy, [vulnerability()], only=("bandit",)).exit_code == 3
    lacking = gate(policy, [finding()], only=("bandit",))
    assert lacking.exit_code == 0
    assert lacking.notices[0] == Reason("required-data-missing", {"data": "KEV"})


def test_rule_05_kev_that_was_not_looked_up_is_missing(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enrichment: {kev: required}\n")
    asked, unasked = vulnerability(kev=False), vulnerability(path=None)
    result = gate(policy, [asked, unasked], data=HELD)
    values = {"data": "KEV", "unknown": 1, "total": 2}
    assert result.reasons == (Reason("required-data-incomplete", values),)
    assert gate(policy, [asked], data=HELD).exit_code == 0


def test_rule_05_a_vulnerability_without_a_score_is_no_gap(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enrichment: {epss: required}\n")
    assert gate(policy, [vulnerability()], data=HELD).exit_code == 0


@pytest.mark.parametrize(("word", "code"), [("required", 3), ("optional", 0)])
@pytest.mark.parametrize("kind", ["kev", "epss"])
@pytest.mark.parametrize("findings", [1, 0])
def test_rule_05_data_about_vulnerabilities_can_be_too_old(
    tmp_path: Path, word: str, code: int, kind: str, findings: int
) -> None:
    policy = policy_of(tmp_path, f"enrichment: {{{kind}: {word}, max_age: 7d}}\n")
    some = [vulnerability(kev=False, epss=0.1)] * findings
    result = gate(policy, some, data=[held(kind.upper(), 8)])
    name = f"{kind.upper()} data"
    old = Reason("outdated-data", {"data": name, "day": "2026-02-21", "limit": "7d"})
    expected = (Reason("advisory-store", {"problem": old}),)
    assert (result.exit_code, result.reasons or result.notices) == (code, expected)
    assert gate(policy, some, data=[held(kind.upper(), 7)]).notices == ()
    ageless = gate(policy, some, data=[held(kind.upper(), None)])
    assert ageless.exit_code == code
    undated = Reason("undated-data", {"data": name, "limit": "7d"})
    expected = (Reason("advisory-store", {"problem": undated}),)
    assert (ageless.reasons or ageless.notices) == expected
    without = policy_of(tmp_path, f"enrichment: {{{kind}: {word}}}\n")
    assert gate(without, some, data=[held(kind.upper(), 8)]).exit_code == 0


def test_rule_05_old_advisories_are_a_notice(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enrichment: {max_age: 7d}\n")
    result = gate(policy, [vulnerability()], data=[held("OSV", 8)])
    assert result.exit_code == 0
    old = Reason("outdated-data", {"data": "OSV data", "day": "2026-02-21", "limit": "7d"})
    assert result.notices == (Reason("advisory-store", {"problem": old}),)


def test_rule_05_a_clock_behind_the_data_of_the_store_is_one_notice(tmp_path: Path) -> None:
    policy, ahead = policy_of(tmp_path, ""), held("OSV", -3)
    asked = [run_of("pip-audit", data=ahead)]
    (notice,) = gate(policy, data=[ahead]).notices
    assert (notice.kind, notice.values["holder"]) == ("clock-behind", "the advisory store")
    (notice,) = gate(policy, runs=asked, data=[ahead]).notices
    assert (notice.kind, notice.values["holder"]) == ("clock-behind", "pip-audit")


# Rule 6: severity.


def test_rule_06_the_policy_orders_the_sources_and_asks_no_other(tmp_path: Path) -> None:
    one = vulnerability(
        claim("low", "ghsa", "trivy"),
        claim("medium", "cvss3.1", "trivy"),
        claim("high", "nvd", "trivy"),
        claim("critical", "tool", "trivy"),
    )
    nvd = policy_of(tmp_path, "severity: {sources: [nvd, ghsa]}\n")
    result = judge(nvd, one)
    assert result.severity is Severity.HIGH
    sources = [each.source for each in result.severity_sources]
    assert sources[:2] == ["nvd", "ghsa"]
    assert sorted(sources) == ["cvss3.1", "ghsa", "nvd", "tool"]
    osv = policy_of(tmp_path, "severity: {sources: [osv-cvss]}\n")
    assert judge(osv, one).severity is Severity.MEDIUM
    assert judge(osv, vulnerability(claim("high", "nvd", "trivy"))).severity is Severity.UNKNOWN
    assert judge(osv, vulnerability(claim("low", "cvss2", "trivy"))).severity is Severity.LOW


def test_rule_06_sources_are_about_vulnerabilities_alone(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "severity: {sources: [ghsa]}\n")
    assert judge(policy, finding(claims=(claim("high"),))).severity is Severity.HIGH


def test_rule_06_unknown_stays_visible_and_is_compared_as_the_policy_sets(tmp_path: Path) -> None:
    text = "severity: {unknown: critical}\n"
    rules = 'rules: [{id: a, match: {severity: ">=critical"}, action: block}]\n'
    result = judge(policy_of(tmp_path, text + rules), vulnerability())
    assert (result.severity, result.verdict.rule) == (Severity.UNKNOWN, "a")


def test_rule_06_no_override_lowers_a_malicious_package(tmp_path: Path) -> None:
    text = "severity: {override: [{match: {}, set: info, reason: calm}]}\n"
    policy = policy_of(tmp_path, text)
    assert judge(policy, vulnerability(aliases=("MAL-2026-1",))).severity is Severity.CRITICAL
    assert judge(policy, vulnerability()).severity is Severity.INFO


# Rule 7: deduplicate. Findings are merged earlier; here each gets one verdict.


def test_rule_07_a_finding_of_several_scanners_gets_one_verdict(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "rules: [{id: a, match: {scanner: trivy}, action: block}]\n")
    seen = finding(witnesses=(("bandit", "B602"), ("trivy", "DS001")))
    decision = decide([seen], policy, NOW)
    assert [one.verdict.rule for one in decision.judged] == ["a"]


# Rule 8: origin.


@pytest.mark.parametrize(
    ("one", "edited", "origin"),
    [
        (finding(), "new", Origin.INTRODUCED),
        (finding(history=EXISTING), "new", Origin.EXISTING),
        (finding(history=EDITED), "new", Origin.INTRODUCED),
        (finding(history=EDITED), "existing", Origin.EXISTING),
        (secret(history=EDITED), "existing", Origin.INTRODUCED),
        (secret(history=EXISTING), "existing", Origin.EXISTING),
        (finding(history=EDITED, witnesses=(("bandit", "B105"),)), "existing", Origin.INTRODUCED),
        (vulnerability(), "existing", Origin.INTRODUCED),
        (vulnerability(history=disclosed()), "new", Origin.DISCLOSED),
        (vulnerability(history=EXISTING), "new", Origin.EXISTING),
    ],
)
def test_rule_08_origin(tmp_path: Path, one: Finding, edited: str, origin: Origin) -> None:
    text = f"""\
    new_code: {{edited: {edited}}}
    rules: [{{id: origin, match: {{origin: {origin.value}}}, action: block}}]
    """
    result = judge(policy_of(tmp_path, text), one)
    assert (result.origin, result.verdict.rule) == (origin, "origin")


# Rule 9: scope.


def test_rule_09_scope_is_that_of_the_package(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "rules: [{id: r, match: {scope: runtime}, action: block}]\n")
    assert action(policy, vulnerability()) == "block"
    assert action(policy, vulnerability(of=package(scope=Scope.DEV))) == "warn"
    assert action(policy, finding()) == "warn"


# Rule 10: waivers.

VULN = vulnerability(aliases=("GHSA-aaaa-bbbb-cccc",), of=package(version="3.1.5"))


@pytest.mark.parametrize(
    ("one", "entry", "matches"),
    [
        (VULN, waiver(purl="pkg:pypi/jinja2"), True),
        (VULN, waiver(purl="pkg:pypi/Jinja2"), True),
        (VULN, waiver(purl="pkg:pypi/jinja2@3.1.5"), True),
        (VULN, waiver(purl="pkg:pypi/jinja2@3.1.4"), False),
        (VULN, waiver(purl="pkg:pypi/jinja"), False),
        (VULN, waiver(purl="pkg:pypi/jinja2", ids=("ghsa-AAAA-bbbb-cccc",)), True),
        (VULN, waiver(purl="pkg:pypi/jinja2", ids=("X", "pysec-2026-1")), True),
        (VULN, waiver(purl="pkg:pypi/jinja2", ids=("CVE-2026-10",)), False),
        (VULN, waiver(purl="pkg:pypi/flask", ids=("CVE-2026-1",)), False),
        (VULN, waiver(purl="pkg:pypi/jinja2", versions="<3.1.6"), True),
        (VULN, waiver(purl="pkg:pypi/jinja2", versions="<3.1.5"), False),
        (
            vulnerability(of=package(version="3.1.6rc1")),
            waiver(purl="pkg:pypi/jinja2", versions="<3.1.6"),
            False,
        ),
        (
            vulnerability(of=package(version="3.1.5rc1")),
            waiver(purl="pkg:pypi/jinja2", versions="<3.1.6"),
            True,
        ),
        (
            vulnerability(of=package(version="of today")),
            waiver(purl="pkg:pypi/jinja2", versions="<9"),
            False,
        ),
        (VULN, waiver(path="requirements.txt"), True),
        (VULN, waiver(path="*.txt", ids=("CVE-2026-1",)), True),
        (vulnerability(path=None), waiver(path="**"), False),
        (finding(), waiver(path="src/**"), True),
        (finding(), waiver(path="src/app.py", ids=("b602",)), True),
        (finding(), waiver(path="app.py"), True),
        (finding(), waiver(path="lib/"), False),
        (finding(), waiver(path="src/**", ids=("B101",)), False),
        (finding(), waiver(path="src/**", purl="pkg:pypi/jinja2"), False),
        (finding(), waiver(path="src/**", versions="<9"), False),
        (secret(path="tests/a.py", places=("src/a.py",)), waiver(path="tests/**"), False),
        (secret(path="tests/a.py", places=("tests/b.py",)), waiver(path="tests/**"), True),
        (finding(), waiver(fingerprint=finding().fingerprint), True),
        (finding(), waiver(fingerprint=finding().fingerprint[:12].upper()), True),
        (finding(), waiver(fingerprint=finding().fingerprint[:11]), False),
        (finding(), waiver(fingerprint="0" * 12), False),
        (finding(), waiver(fingerprint=finding().fingerprint, path="lib/**"), False),
    ],
)
def test_rule_10_all_selectors_that_are_given_must_match(
    tmp_path: Path, one: Finding, entry: Waiver, matches: bool
) -> None:
    policy = waived(tmp_path, entry, waiver(path="elsewhere/**"))
    result = judge(policy, one)
    assert result.verdict.action is (Action.WAIVED if matches else Action.BLOCK)
    assert result.waiver == (entry if matches else None)
    statuses = [use.status.value for use in decide([one], policy, NOW).waivers]
    assert statuses == ["active" if matches else "unused", "unused"]


def test_rule_10_a_waived_finding_names_its_rule_and_the_waiver(tmp_path: Path) -> None:
    result = judge(waived(tmp_path, waiver(path="src/**")), finding()).verdict
    assert (result.action, result.rule) == (Action.WAIVED, "all")
    values = {"state": "risk_accepted", "why": "see SEC-1", "owner": "@team"}
    assert result.reasons == (Reason("waived", {**values, "expires": "2026-03-31"}),)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (0, None),
        (180, None),
        (-1, Reason("waiver-expired", {"days": 1})),
        (-12, Reason("waiver-expired", {"days": 12})),
        (181, Reason("waiver-too-long", {"days": 181, "limit": 180})),
    ],
)
def test_rule_10_valid_through_its_last_day_and_no_longer_than_allowed(
    tmp_path: Path, days: int, why: Reason | None
) -> None:
    policy = waived(tmp_path, waiver(path="src/**", days=days))
    end_of_day = NOW.replace(hour=23, minute=59)
    result = judge(policy, finding(), end_of_day)
    assert result.verdict.action is (Action.BLOCK if why else Action.WAIVED)
    assert [each.reason for each in result.void_waivers] == ([why] if why else [])
    (use,) = decide([finding()], policy, end_of_day).waivers
    assert (use.status.value, use.days_left) == ("expired" if why else "active", days)


def test_rule_10_until_fixed_lapses_when_there_is_a_fix(tmp_path: Path) -> None:
    policy = waived(tmp_path, waiver(purl="pkg:pypi/jinja2", until_fixed=True))
    assert action(policy, VULN) == "waived"
    fixed = judge(policy, vulnerability(fixed=("3.1.6", "4.0")))
    assert fixed.verdict.action is Action.BLOCK
    assert [each.reason for each in fixed.void_waivers] == [
        Reason("fix-exists", {"versions": ("3.1.6", "4.0")})
    ]
    (use,) = decide([vulnerability(fixed=("3",))], policy, NOW).waivers
    assert (use.status.value, use.matched) == ("expired", 0)
    code = waived(tmp_path, waiver(path="src/**", until_fixed=True))
    assert action(code, finding()) == "waived"


def test_rule_10_of_several_the_one_expiring_first_is_cited_and_all_count(tmp_path: Path) -> None:
    late = waiver(path="src/**", days=90, place="a:1")
    soon = waiver(fingerprint=finding().fingerprint, days=5, place="a:2")
    gone = waiver(path="src/app.py", days=-5, place="a:3")
    policy = waived(tmp_path, late, soon, gone)
    result = judge(policy, finding())
    assert result.waiver is soon
    assert [each.waiver for each in result.void_waivers] == [gone]
    uses = decide([finding()], policy, NOW).waivers
    assert [(use.status.value, use.matched) for use in uses] == [
        ("active", 1),
        ("active", 1),
        ("expired", 0),
    ]


def test_rule_10_waivers_that_end_soon_and_expired_ones_are_notices(tmp_path: Path) -> None:
    used = [
        waiver(path="src/**", days=6, place="w.yml:1"),
        waiver(path="src/**", days=15, place="w.yml:2"),
        waiver(path="src/**", days=-12, place="w.yml:3"),
    ]
    result = gate(waived(tmp_path, *used), [finding()])
    assert result.exit_code == 0
    ending = (waiver_named("w.yml:1", "2026-03-07"),)
    expired = (waiver_named("w.yml:3", "2026-02-17"),)
    assert result.notices == (
        Reason("waivers-end", {"waivers": ending}),
        Reason("waivers-void", {"waivers": expired}),
    )
    several = [waiver(path="src/**", days=n, place=f"w.yml:{n}") for n in range(5)]
    notice = gate(waived(tmp_path, *several), [finding()]).notices[0]
    assert notice.values["waivers"] == (
        *(waiver_named(f"w.yml:{n}", f"2026-03-0{n + 1}") for n in range(3)),
        Reason("more", {"count": 2}),
    )


def test_rule_10_waivers_without_effect_are_named(tmp_path: Path) -> None:
    result = gate(waived(tmp_path, waiver(path="src/**", days=181, place="w.yml:1")), [finding()])
    assert [notice.kind for notice in result.notices] == ["waivers-void"]


@pytest.mark.parametrize(("word", "code"), [("warn", 0), ("block", 1), ("ignore", 0)])
def test_rule_10_unused_waivers(tmp_path: Path, word: str, code: int) -> None:
    text = f"waivers: {{unused: {word}}}\n"
    policy = waived(tmp_path, waiver(path="gone.py"), text=text)
    result = gate(policy, [finding()])
    assert result.exit_code == code
    values = {"waivers": (waiver_named("policies/waivers.yml:3"),)}
    expected: dict[str, tuple[tuple[Reason, ...], tuple[Reason, ...]]] = {
        "warn": ((), (Reason("waivers-unused", values),)),
        "block": ((Reason("waivers-unused-forbidden", values),), ()),
        "ignore": ((), ()),
    }
    assert (result.reasons, result.notices) == expected[word]


def test_rule_10_only_a_complete_check_shows_that_a_waiver_is_unused(tmp_path: Path) -> None:
    policy = waived(tmp_path, waiver(path="gone.py"), text="waivers: {unused: block}\n")
    runs = [run_of("bandit"), run_of("trivy", Status.MISSING, found=0)]
    result = gate(policy, [finding()], runs)
    assert (result.exit_code, result.reasons) == (0, ())
    assert result.notices[0].kind == "waivers-unused"


NOSEC = finding(in_source="nosec", line=7)
HIDDEN = Reason(
    "hidden",
    {
        "count": 2,
        "kinds": (
            Reason("hidden-by", {"count": 1, "kind": "nosec"}),
            Reason("hidden-by", {"count": 1, "kind": "pragma: allowlist secret"}),
        ),
    },
)
PRAGMA = replace(secret(), in_source="pragma: allowlist secret")


@pytest.mark.parametrize(
    ("word", "act", "kind", "notices"),
    [
        ("allow", "waived", "hidden-in-source", ()),
        ("report", "waived", "hidden-in-source", (HIDDEN,)),
        (
            *("forbid", "block", "hiding-forbidden"),
            (Reason("hidden-forbidden", {"hidden": HIDDEN}),),
        ),
    ],
)
def test_rule_10_comments_in_the_source_are_waivers_too(
    tmp_path: Path, word: str, act: str, kind: str, notices: tuple[Reason, ...]
) -> None:
    policy = policy_of(tmp_path, BLOCK_ALL + f"waivers: {{in_source: {word}}}\n")
    result = judge(policy, NOSEC)
    assert result.verdict.action.value == act
    assert result.verdict.reasons[-1] == Reason(kind, {"comment": "nosec"})
    assert gate(policy, [NOSEC, PRAGMA]).notices == notices


def test_rule_10_a_waiver_comes_before_a_comment(tmp_path: Path) -> None:
    result = judge(waived(tmp_path, waiver(path="src/**")), NOSEC)
    assert result.waiver is not None
    assert [reason.kind for reason in result.verdict.reasons] == ["waived"]


@pytest.mark.parametrize(("most", "code"), [(2, 0), (1, 1), (0, 1)])
def test_rule_10_the_number_of_comments_can_be_bounded(
    tmp_path: Path, most: int, code: int
) -> None:
    policy = policy_of(tmp_path, f"waivers: {{max_in_source: {most}, in_source: allow}}\n")
    result = gate(policy, [NOSEC, PRAGMA])
    assert result.exit_code == code
    if code:
        assert result.reasons == (Reason("hidden-too-many", {"hidden": HIDDEN, "limit": most}),)


@pytest.mark.parametrize(("word", "code"), [("allow", 0), ("report", 0), ("forbid", 1)])
def test_rule_10_what_a_scanner_only_counts_is_forbidden_as_such(
    tmp_path: Path, word: str, code: int
) -> None:
    policy = policy_of(tmp_path, f"waivers: {{in_source: {word}}}\n")
    hiding = replace(run_of("trivy"), hidden={"trivy:ignore": 3, ".trivyignore": 2})
    result = gate(policy, [], runs=[hiding])
    assert result.exit_code == code
    if code:
        (reason,) = result.reasons
        assert reason.kind == "hidden-unlisted"
        assert "3 by trivy:ignore" in sentence(reason)


# Rule 11: first match wins.


def test_rule_11_the_first_rule_that_matches_decides_else_the_default(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """\
        rules:
          - {id: one, match: {category: code, origin: existing}, action: info}
          - {id: two, match: {category: code}, action: block}
        """,
    )
    assert judge(policy, finding(history=EXISTING)).verdict.rule == "one"
    assert judge(policy, finding()).verdict.rule == "two"
    assert judge(policy, secret()).verdict.rule == "default"


@pytest.mark.parametrize("field", ["kev: true", "kev: false", "epss: '>=0'", "fixable: false"])
def test_rule_11_a_condition_on_what_is_not_there_does_not_match(
    tmp_path: Path, field: str
) -> None:
    policy = policy_of(tmp_path, f"rules: [{{id: a, match: {{{field}}}, action: block}}]\n")
    assert judge(policy, finding()).verdict.rule == "default"


def test_rule_11_the_same_findings_policy_and_date_give_the_same_result(tmp_path: Path) -> None:
    everything = [finding(), NOSEC, secret(history=EXISTING), VULN, licensed("MIT"), licensed("X")]
    waivers = waiver(path="src/**"), waiver(purl="pkg:pypi/jinja2", days=-1)
    policy = waived(tmp_path, *waivers, text=ASKS + "licenses: {allow: [MIT]}\n")
    first: Decision = decide(everything, policy, NOW)
    assert decide(everything[::-1], policy, NOW) == first


# Rule 12: grace.

SLA = """\
rules:
  - id: sla
    match: {category: vuln}
    action: block
    grace: {critical: 7d, high: 30d}
"""
HIGH = claim("high", "ghsa", "trivy")


def dated(published: str | None, seen: int | None = None, level: str = "high") -> Finding:
    """A disclosed vulnerability with its publication date, first seen so many days ago."""
    first_seen = None if seen is None else NOW - timedelta(days=seen)
    return vulnerability(
        claim(level, "ghsa", "trivy"), published=published, history=disclosed(first_seen)
    )


@pytest.mark.parametrize(
    ("one", "deadline"),
    [
        (dated("2026-02-20"), datetime(2026, 3, 22, tzinfo=UTC)),
        (dated("2026-02-20T10:00:00Z"), datetime(2026, 3, 22, 10, tzinfo=UTC)),
        (dated("2020-01-01", seen=1), datetime(2026, 3, 30, tzinfo=UTC)),
        (dated(None, seen=1), datetime(2026, 3, 30, tzinfo=UTC)),
        (dated("2026-02-27", seen=20, level="critical"), datetime(2026, 3, 6, tzinfo=UTC)),
    ],
)
def test_rule_12_grace_starts_when_it_could_be_known_and_has_a_deadline(
    tmp_path: Path, one: Finding, deadline: datetime
) -> None:
    policy = policy_of(tmp_path, SLA)
    result = judge(policy, one)
    assert (result.verdict.action, result.verdict.rule) == (Action.WARN, "sla")
    assert result.deadline == deadline
    day = {"day": f"{deadline:%Y-%m-%d}"}
    assert result.verdict.reasons == (
        Reason("matches", {"conditions": ("category vuln",)}),
        Reason("in-grace", day),
    )
    assert action(policy, one, deadline - timedelta(seconds=1)) == "warn"
    late = judge(policy, one, deadline)
    assert (late.verdict.action, late.deadline) == (Action.BLOCK, None)
    assert late.verdict.reasons[-1] == Reason("grace-over", day)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (vulnerability(HIGH, published="2026-02-20"), Reason("no-grace-for-new")),
        (dated(None), Reason("no-grace-start")),
        (dated("some day"), Reason("no-grace-start")),
        (dated("9999-01-01"), Reason("no-grace-start")),
        (dated("0001-01-01T00:00:00+14:00"), Reason("no-grace-start")),
        (
            dated("2026-02-20", level="medium"),
            Reason("no-grace-for-severity", {"severity": "medium"}),
        ),
    ],
)
def test_rule_12_no_grace(tmp_path: Path, one: Finding, why: Reason) -> None:
    result = judge(policy_of(tmp_path, SLA), one)
    assert (result.verdict.action, result.deadline) == (Action.BLOCK, None)
    assert result.verdict.reasons[-1] == why


def test_rule_12_an_unknown_severity_has_the_grace_of_what_it_counts_as(tmp_path: Path) -> None:
    one = dated("2026-02-20", level="unknown")
    assert judge(policy_of(tmp_path, SLA), one).deadline == datetime(2026, 3, 22, tzinfo=UTC)


def test_rule_12_one_duration_is_for_every_severity_and_category(tmp_path: Path) -> None:
    text = "rules: [{id: a, match: {}, action: block, grace: 36h}]\n"
    policy = policy_of(tmp_path, text)
    assert judge(policy, finding(history=known(1))).deadline == NOW + timedelta(hours=12)
    assert action(policy, finding(history=known(2))) == "block"
    assert action(policy, finding(history=EXISTING)) == "block"


def test_rule_12_a_rule_above_gives_no_grace_to_what_is_exploited(tmp_path: Path) -> None:
    kev = "  - {id: kev, match: {kev: true}, action: block}\n"
    policy = policy_of(tmp_path, SLA.replace("rules:\n", "rules:\n" + kev))
    one = vulnerability(HIGH, published="2026-02-20", history=disclosed(), kev=True)
    assert judge(policy, one).verdict.rule == "kev"
    assert action(policy, one) == "block"


def test_rule_12_a_waived_or_withdrawn_finding_has_no_deadline(tmp_path: Path) -> None:
    policy = waived(tmp_path, waiver(purl="pkg:pypi/jinja2"), text=SLA)
    assert judge(policy, dated("2026-02-20")).deadline is None
    withdrawn = vulnerability(HIGH, published="2026-02-20", history=disclosed(), withdrawn=True)
    result = judge(policy_of(tmp_path, SLA.replace("high: 30d", "info: 30d")), withdrawn)
    assert (result.verdict.action, result.deadline) == (Action.INFO, None)


# Rule 13: licences.


def test_rule_13_the_verdict_is_the_finding_and_allowed_packages_are_listed_only(
    tmp_path: Path,
) -> None:
    policy = policy_of(tmp_path, "licenses: {allow: [MIT], review: [ISC]}\n")
    texts = ("MIT", "ISC", "MIT AND GPL-3.0-only", "what?")
    decision = decide([licensed(text) for text in texts], policy, NOW)
    verdicts = {one.license_expression: one.verdict.reasons for one in decision.judged}
    assert set(verdicts) == {"ISC", "MIT AND GPL-3.0-only", "what?"}
    decides = Reason("license-term", {"term": "GPL-3.0-only", "verdict": "deny"})
    assert decides in verdicts["MIT AND GPL-3.0-only"]
    assert {one.expression for one in decision.licenses} == {*verdicts, "MIT"}


def test_rule_13_an_exception_is_for_its_package_only_and_ends(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """\
        licenses:
          allow: [MIT]
          exceptions:
            - purl: "pkg:pypi/jinja2"
              allow: [LGPL-3.0-or-later]
              owner: legal
              reason: dynamic use
              expires: 2026-03-05
        """,
    )
    one = licensed("LGPL-3.0-or-later")
    assert decide([one], policy, NOW).judged == ()
    assert decide([one], policy, NOW + timedelta(days=5)).judged != ()
    other = replace(one, package=package("flask"))
    assert judge(policy, other).verdict.action is Action.WARN


# Rule 14: the verdict of the run.


def test_rule_14_gaps_and_blocks_are_both_reasons_and_3_beats_1(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, BLOCK_ALL + "scanners: {bandit: {required: true}}\n")
    result = gate(policy, [finding()], [run_of("bandit", Status.FAILED)])
    assert (result.outcome, result.exit_code, len(result.reasons)) == (Outcome.INCOMPLETE, 3, 2)
    assert gate(policy, [finding()]).exit_code == 1
    assert gate(waived(tmp_path, waiver(path="**")), [finding()]).exit_code == 0


def test_rule_14_a_dry_run_ends_with_0_and_notes_all_that_would_block(tmp_path: Path) -> None:
    text = "enforcement: warn\nwaivers: {unused: block, max_in_source: 0}\n" + BLOCK_ALL
    policy = waived(tmp_path, waiver(path="gone"), text=text)
    result = gate(policy, [finding(), NOSEC])
    assert (result.exit_code, result.reasons) == (0, ())
    would = [each for each in result.notices if each.kind == "would-block"]
    assert len(would) == 3


def test_rule_14_a_dry_run_does_not_forgive_data_that_is_required(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enforcement: warn\nenrichment: {epss: required}\n")
    assert gate(policy, [vulnerability()]).exit_code == 3


# Rule 15: nothing is filtered out of the record.


def test_rule_15_every_finding_keeps_its_verdict_rule_origin_sources_and_waivers(
    tmp_path: Path,
) -> None:
    entries = waiver(path="src/**"), waiver(path="src/**", days=-3)
    policy = waived(tmp_path, *entries, text=SLA)
    everything = [finding(), NOSEC, secret(), VULN, dated("2026-02-20"), licensed("odd")]
    judged = decide(everything, policy, NOW).judged
    assert sorted(one.finding.fingerprint for one in judged) == sorted(
        one.fingerprint for one in everything
    )
    assert all(one.verdict.rule and one.verdict.reasons for one in judged)
    assert {one.origin for one in judged} == {Origin.INTRODUCED, Origin.DISCLOSED}
    code = [one for one in judged if one.finding.category is Category.CODE]
    assert all(one.waiver and one.void_waivers for one in code)
    rated = [one for one in judged if one.finding.claims]
    assert all(one.severity_sources for one in rated)
