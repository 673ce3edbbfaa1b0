"""The gate: gaps of runs, blocking findings, and the resulting exit code."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from policy_samples import NOW, claim, finding, policy_of, run_of, secret, vulnerability

from scanagg.core.errors import ExitCode
from scanagg.model import (
    Category,
    Finding,
    Gate,
    Outcome,
    Reason,
    Run,
    Status,
    Terms,
    UnreadFiles,
    plain,
)
from scanagg.policy.gate import CheckResults, judge_runs
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy
from scanagg.reports.reasons import sentence

EXCLUDED = ("poetry.lock", "a lock file", True)
BROKEN = ("src/a.py", "syntax error while parsing AST")


def gate(
    policy: Policy,
    runs: Sequence[Run],
    findings: Sequence[Finding] = (),
    *,
    only: Sequence[str] = (),
    files: Sequence[str] = (),
    interrupted: bool = False,
    problems: Sequence[Reason] = (),
    unread: tuple[UnreadFiles, ...] = (),
    unlocked: int = 0,
) -> Gate:
    results = CheckResults(
        runs=runs,
        decision=decide(findings, policy, NOW),
        now=NOW,
        terms=Terms(only=tuple(only), problems=tuple(problems), unread=unread, unlocked=unlocked),
        files=files,
        interrupted=interrupted,
    )
    return judge_runs(results, policy)


def problem_of(reason: Reason, scanner: str = "bandit") -> Reason:
    """Return the scanner's problem that a reason of the gate is about."""
    assert reason.kind in ("required-scanner", "scanner")
    assert reason.values["scanner"] == scanner
    problem = reason.values["problem"]
    assert isinstance(problem, Reason)
    return problem


def examined(number: int, wanted: int) -> Reason:
    return Reason("examined", {"examined": number, "wanted": wanted, "unit": "files"})


def of_one(folder: Path, entry: str, run: Run, **others: object) -> Gate:
    """The gate of one run of bandit under a policy with this entry for it."""
    policy = policy_of(folder, f"scanners:\n  bandit: {entry}\n")
    return gate(policy, [run], **others)  # type: ignore[arg-type]


# Rule 3: statuses.


@pytest.mark.parametrize("status", list(Status))
def test_rule_3_a_required_scanner_is_ok_or_not_applicable(tmp_path: Path, status: Status) -> None:
    examined = 2 if status in (Status.OK, Status.DEGRADED) else 0
    runs = [run_of("bandit", status, examined=examined, detail="why"), run_of("trivy")]
    result = gate(policy_of(tmp_path, "scanners: {bandit: {required: true}}\n"), runs)
    passes = status in (Status.OK, Status.NOT_APPLICABLE)
    assert result.outcome is (Outcome.PASS if passes else Outcome.INCOMPLETE)
    assert result.exit_code == (ExitCode.PASS if passes else ExitCode.INCOMPLETE)
    assert passes or result.reasons[0].kind == "required-scanner"
    assert passes or problem_of(result.reasons[0]).values["detail"] == plain("why")


def test_rule_3_a_required_scanner_without_a_run_is_a_gap(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "scanners: {bandit: {required: true}}\n")
    result = gate(policy, [run_of("trivy")])
    assert problem_of(*result.reasons) == Reason("no-run")


def test_rule_3_what_the_user_skips_is_a_gap_where_it_is_required(tmp_path: Path) -> None:
    run = run_of("bandit", Status.SKIPPED, found=0, detail="skipped on the command line")
    result = gate(policy_of(tmp_path, "scanners: {bandit: {required: true}}\n"), [run])
    detail = plain("skipped on the command line")
    assert problem_of(*result.reasons) == Reason("missing", {"detail": detail})


_DID_NOT_RUN = (Status.MISSING, Status.SKIPPED)


@pytest.mark.parametrize(
    "status",
    [*(Status.FAILED, Status.TIMEOUT, Status.EMPTY, Status.DEGRADED), *_DID_NOT_RUN],
)
def test_an_optional_scanner_that_fails_is_a_notice(tmp_path: Path, status: Status) -> None:
    run = run_of("bandit", status, examined=0, detail="why")
    for entry in ("{required: false}", "{required: false, on_failure: warn}"):
        policy = policy_of(tmp_path, f"scanners: {{bandit: {entry}}}\n")
        result = gate(policy, [run, run_of("trivy")])
        assert result.outcome is Outcome.PASS
        assert bool(result.notices) is (status not in _DID_NOT_RUN)


def test_a_scanner_that_the_policy_does_not_name_is_optional(tmp_path: Path) -> None:
    result = gate(policy_of(tmp_path, ""), [run_of("safety", Status.FAILED), run_of("trivy")])
    problem = Reason("failed", {"detail": Reason("no-detail")})
    assert result.outcome is Outcome.PASS
    assert problem_of(*result.notices, scanner="safety") == problem


def test_an_optional_scanner_may_be_made_to_count_where_it_is_there(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "scanners: {trivy: {required: false, on_failure: block}}\n")
    missing = [run_of("trivy", Status.MISSING, found=0), run_of("bandit")]
    failed = [run_of("trivy", Status.FAILED, detail="no database"), run_of("bandit")]
    assert gate(policy, missing).outcome is Outcome.PASS
    (reason,) = gate(policy, failed).reasons
    assert problem_of(reason, "trivy").kind == "failed"
    assert gate(policy, failed).outcome is Outcome.INCOMPLETE


def test_a_requirement_may_depend_on_files(tmp_path: Path) -> None:
    text = "scanners: {trivy: {required: true, when: {exists: [Dockerfile, '**/*.tf']}}}\n"
    policy = policy_of(tmp_path, text)
    runs = [run_of("bandit"), run_of("trivy", Status.MISSING, found=0)]
    assert gate(policy, runs, files=["src/a.py"]).outcome is Outcome.PASS
    assert gate(policy, runs, files=["src/a.py", "infra/x.tf"]).outcome is Outcome.INCOMPLETE
    assert gate(policy, runs, files=["docker/Dockerfile"]).outcome is Outcome.INCOMPLETE


def test_what_only_names_is_required_and_nothing_else(tmp_path: Path) -> None:
    text = "scanners: {bandit: {required: true}, trivy: {required: false, on_failure: warn}}\n"
    policy = replace(policy_of(tmp_path, text), enforcement="warn")
    gone = run_of("trivy", Status.MISSING, found=0)
    assert gate(policy, [gone, run_of("bandit")], only=["trivy"]).outcome is Outcome.INCOMPLETE
    assert gate(policy, [run_of("trivy")], only=["trivy"]).outcome is Outcome.PASS
    failed = [run_of("trivy"), run_of("bandit", Status.FAILED)]
    assert gate(policy, failed, only=["trivy"]).outcome is Outcome.PASS


def test_thresholds_of_the_policy_hold_for_what_only_names(tmp_path: Path) -> None:
    run = run_of("bandit", Status.DEGRADED, skipped=(BROKEN,))
    assert of_one(tmp_path, "{required: true, max_errors: 1}", run, only=["bandit"]).exit_code == 0
    assert of_one(tmp_path, "{required: true}", run, only=["bandit"]).exit_code == 3


# Rule 4: coverage.


@pytest.mark.parametrize(
    ("entry", "passes"),
    [
        ("{required: true}", False),
        ("{required: true, max_skipped: 0}", False),
        ("{required: true, max_errors: 1}", False),
        ("{required: true, max_errors: 2}", True),
        ("{required: true, max_skipped: 2}", True),
        ("{required: true, max_skipped: 1, max_errors: 1}", True),
        ("{required: true, max_skipped: any}", True),
        ("{required: true, max_errors: any, min_audited: 8}", True),
        ("{required: true, max_errors: any, min_audited: 9}", False),
    ],
)
@pytest.mark.parametrize("status", [Status.OK, Status.DEGRADED])
def test_rule_4_more_unexamined_inputs_than_allowed_are_a_gap(
    tmp_path: Path, entry: str, passes: bool, status: Status
) -> None:
    run = run_of("bandit", status, found=10, skipped=(BROKEN, ("src/b.py", "too large")))
    result = of_one(tmp_path, entry, run)
    assert (result.outcome is Outcome.PASS) is passes
    values = result.notices[0].values if passes else problem_of(result.reasons[0]).values
    assert values["examined"] == examined(8, 10)
    if not passes:
        assert values.get("least") == 9 or values["inputs"] == (
            Reason("input", {"input": "src/a.py", "reason": plain(BROKEN[1])}),
            Reason("input", {"input": "src/b.py", "reason": plain("too large")}),
        )


def test_rule_4_inputs_without_a_name_count_too(tmp_path: Path) -> None:
    run = run_of("bandit", found=10, examined=9)
    result = of_one(tmp_path, "{required: true}", run)
    assert problem_of(*result.reasons).values["inputs"] == (Reason("unnamed", {"count": 1}),)


def test_rule_4_what_is_left_out_on_purpose_does_not_count(tmp_path: Path) -> None:
    run = run_of("bandit", Status.DEGRADED, skipped=(EXCLUDED,))
    result = of_one(tmp_path, "{required: true}", run)
    assert (result.outcome, result.notices) == (Outcome.PASS, ())
    both = run_of("bandit", Status.DEGRADED, found=3, skipped=(EXCLUDED, BROKEN))
    values = problem_of(*of_one(tmp_path, "{required: true}", both).reasons).values
    assert values["examined"] == examined(1, 2)


def test_rule_4_nothing_but_what_is_left_out_is_no_gap_but_no_pass_by_itself(
    tmp_path: Path,
) -> None:
    run = run_of("bandit", Status.EMPTY, found=1, skipped=(EXCLUDED,))
    assert of_one(tmp_path, "{required: true}", run).reasons == (Reason("nothing-examined"),)
    policy = policy_of(tmp_path, "scanners: {bandit: {required: true}}\n")
    result = gate(policy, [run, run_of("trivy")])
    assert result.outcome is Outcome.PASS
    values = {"scanner": "bandit", "found": 1, "unit": "files"}
    assert result.notices == (Reason("all-left-out", values),)


@pytest.mark.parametrize("entry", ["{required: true}", "{required: true, min_audited: 0}"])
def test_rule_4_inputs_of_which_none_was_examined_are_a_gap_with_any_status(
    tmp_path: Path, entry: str
) -> None:
    run = run_of("bandit", Status.OK, found=3, examined=0)
    result = gate(policy_of(tmp_path, f"scanners: {{bandit: {entry}}}\n"), [run, run_of("trivy")])
    values = {"examined": examined(0, 3), "least": 1}
    assert problem_of(*result.reasons) == Reason("few-examined", values)


def test_degraded_without_a_named_input_is_a_gap(tmp_path: Path) -> None:
    run = run_of("bandit", Status.DEGRADED, detail="data is old")
    result = of_one(tmp_path, "{required: true, max_skipped: any}", run)
    assert problem_of(*result.reasons) == Reason("degraded", {"detail": plain("data is old")})


def test_an_empty_tree_is_not_a_pass(tmp_path: Path) -> None:
    policy = load_policy("default", tmp_path)
    runs = [run_of(name, Status.NOT_APPLICABLE, found=0) for name in policy.file.scanners]
    result = gate(policy, runs)
    assert (result.outcome, result.exit_code) == (Outcome.INCOMPLETE, 3)
    assert result.reasons == (Reason("nothing-examined"),)
    assert gate(policy_of(tmp_path, ""), []).exit_code == 3


def test_long_lists_of_inputs_and_titles_are_cut(tmp_path: Path) -> None:
    skipped = tuple((f"src/{n}\n.py", "broken") for n in range(50))
    result = of_one(tmp_path, "{required: true}", run_of("bandit", found=60, skipped=skipped))
    inputs = problem_of(*result.reasons).values["inputs"]
    assert isinstance(inputs, tuple)
    assert inputs[3:] == (Reason("more", {"count": 47}),)
    assert "\n" not in sentence(*result.reasons)


# Rule 14: the exit code.


def test_rule_14_blocks_are_1_with_the_count_and_the_worst_of_each_rule(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, STRICT)
    findings = [secret(path=f"src/{n}.py") for n in range(5)]
    findings += [vulnerability(claim("critical", "ghsa", "trivy"), path=None)]
    worst = [
        Reason("finding-at", {"finding": plain("AWS Access Key title"), "place": f"src/{n}.py:1"})
        for n in range(3)
    ]
    cve = {"id": "CVE-2026-1", "package": "jinja2", "version": "2.4.1"}
    result = gate(policy, [run_of("bandit")], findings)
    assert (result.outcome, result.exit_code) == (Outcome.BLOCKED, ExitCode.BLOCKED)
    total, high, secrets = result.reasons
    assert total.values["levels"] == (
        Reason("level", {"count": 1, "severity": "critical"}),
        Reason("level", {"count": 5, "severity": "high"}),
    )
    assert (high.values["count"], high.values["rule"]) == (1, "high")
    assert high.values["findings"] == (Reason("vulnerable-package", cve),)
    assert (secrets.values["count"], secrets.values["rule"]) == (5, "secrets")
    assert secrets.values["findings"] == (*worst, Reason("more", {"count": 2}))
    assert result.notices == ()


STRICT = """\
rules:
  - {id: secrets, match: {category: secret}, action: block}
  - {id: high, match: {severity: ">=high"}, action: block}
"""


def test_rule_14_warnings_pass(tmp_path: Path) -> None:
    result = gate(policy_of(tmp_path, ""), [run_of("bandit")], [finding()])
    assert (result.outcome, result.exit_code, result.reasons, result.notices) == (
        Outcome.PASS,
        0,
        (),
        (),
    )


def test_rule_14_incomplete_beats_blocked_and_both_are_reasons(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, STRICT + "scanners: {bandit: {required: true}}\n")
    result = gate(policy, [run_of("bandit", Status.FAILED, detail="crashed")], [secret()])
    assert (result.outcome, result.exit_code) == (Outcome.INCOMPLETE, 3)
    assert problem_of(result.reasons[0]) == Reason("failed", {"detail": plain("crashed")})
    assert result.reasons[1].kind == "findings-block-by-one-rule"


def test_rule_14_a_dry_run_notes_what_would_block(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enforcement: warn\n" + STRICT)
    result = gate(policy, [run_of("bandit")], [secret()])
    assert (result.outcome, result.exit_code, result.reasons) == (Outcome.PASS, 0, ())
    assert result.notices[0].kind == "would-block"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{required: true}", 3),
        ("{required: true, on_failure: block}", 3),
        ("{required: true, on_failure: warn}", 0),
    ],
)
def test_rule_14_a_dry_run_forgives_only_gaps_that_the_policy_lets_warn(
    tmp_path: Path, entry: str, code: int
) -> None:
    text = f"enforcement: warn\nscanners: {{bandit: {entry}}}\n"
    failed = [run_of("bandit", Status.FAILED), run_of("trivy")]
    result = gate(policy_of(tmp_path, text), failed)
    assert result.exit_code == code
    assert code or [notice.kind for notice in result.notices] == ["would-be-incomplete"]
    blocking = text.replace("enforcement: warn", "enforcement: block")
    assert gate(policy_of(tmp_path, blocking), failed).exit_code == 3


def test_gaps_that_are_no_scanners_count_in_any_enforcement(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "enforcement: warn\n")
    problem = plain("half of the tree is unreadable")
    result = gate(policy, [run_of("bandit")], problems=[problem])
    assert (result.exit_code, result.reasons) == (3, (problem,))


def test_an_interruption_is_incomplete_with_its_own_exit_code(tmp_path: Path) -> None:
    policy = load_policy("default", tmp_path)
    result = gate(policy, [run_of("bandit")], [secret()], interrupted=True)
    assert (result.outcome, result.exit_code) == (Outcome.INCOMPLETE, ExitCode.INTERRUPTED)
    assert result.reasons[0] == Reason("interrupted")
    assert result.reasons[-1].kind == "findings-block-by-one-rule"


# Requirements of the ready-made policies.

NEEDED = {"pip-audit", "bandit", "detect-secrets", "licenses"}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("default", NEEDED - {"licenses"}),
        ("pull-request", NEEDED),
        ("weekly", NEEDED),
        ("strict", {*NEEDED, "trivy"}),
    ],
)
def test_which_scanners_the_ready_made_policies_require(
    tmp_path: Path, name: str, needed: set[str]
) -> None:
    policy = load_policy(name, tmp_path)
    for missing in sorted(policy.file.scanners):
        runs = [run_of(each) for each in policy.file.scanners if each != missing]
        runs.append(run_of(missing, Status.MISSING, found=0))
        assert (gate(policy, runs).outcome is Outcome.INCOMPLETE) is (missing in needed)


@pytest.mark.parametrize(
    ("name", "tolerated"),
    [("default", True), ("pull-request", True), ("weekly", True), ("strict", False)],
)
def test_only_packages_may_be_partly_unread_and_only_outside_strict(
    tmp_path: Path, name: str, tolerated: bool
) -> None:
    policy = load_policy(name, tmp_path)
    for scanner in sorted(NEEDED):
        runs = [run_of(each) for each in policy.file.scanners if each != scanner]
        runs.append(run_of(scanner, Status.DEGRADED, skipped=(("pywin32", "not for this one"),)))
        passes = scanner in ("licenses", "pip-audit") and tolerated
        assert (gate(policy, runs).outcome is Outcome.PASS) is passes


@pytest.mark.parametrize(
    ("entry", "only", "gaps", "notices"),
    [
        ("{required: true}", (), 2, 0),
        ("{required: true, max_skipped: any, max_errors: any}", (), 2, 0),
        ("{required: true, max_unread: 2}", (), 2, 0),
        ("{required: true, max_unread: 3}", (), 0, 2),
        ("{required: true, max_unread: any}", (), 0, 2),
        ("{required: false}", (), 0, 2),
        ("{required: false}", ("SCANNER",), 2, 0),
        ("{required: true}", ("OTHER",), 0, 0),
    ],
)
@pytest.mark.parametrize(
    ("category", "scanner", "other"),
    [(Category.VULNERABILITY, "pip-audit", "bandit"), (Category.CODE, "bandit", "pip-audit")],
)
def test_files_that_nothing_read_count_for_their_usual_scanner(
    tmp_path: Path,
    category: Category,
    scanner: str,
    other: str,
    entry: str,
    only: tuple[str, ...],
    gaps: int,
    notices: int,
) -> None:
    policy = policy_of(tmp_path, f"scanners: {{{scanner}: {entry}}}\n")
    unread = tuple(
        UnreadFiles(category, count, Reason("unread", {"title": str(count)})) for count in (1, 2)
    )
    names = {"SCANNER": scanner, "OTHER": other}
    runs = [run_of(scanner), run_of(other)]
    judged = gate(policy, runs, only=[names[name] for name in only], unread=unread)
    named = [reason for reason in judged.notices if reason.kind == "unread"]
    assert (len(judged.gaps), len(named)) == (gaps, notices)


def test_a_dry_run_only_tells_of_files_that_nothing_read(tmp_path: Path) -> None:
    text = "enforcement: warn\nscanners: {pip-audit: {required: true, on_failure: warn}}\n"
    unread = (UnreadFiles(Category.VULNERABILITY, 1, Reason("unread")),)
    judged = gate(policy_of(tmp_path, text), [run_of("pip-audit")], unread=unread)
    assert (judged.outcome, judged.notices[0].kind) == (Outcome.PASS, "would-be-incomplete")


@pytest.mark.parametrize(
    ("entry", "only", "is_gap"),
    [
        ("{required: true}", (), True),
        ("{required: true, max_skipped: 2}", (), False),
        ("{required: true, max_skipped: any}", (), False),
        ("{required: true, max_skipped: any, max_unlocked: 1}", (), True),
        ("{required: true, max_unlocked: any}", (), False),
        ("{required: false}", (), False),
        ("{required: false}", ("pip-audit",), True),
        ("{required: true}", ("bandit",), None),
    ],
)
def test_requirements_without_a_lock_count_for_the_scanner_of_packages(
    tmp_path: Path, entry: str, only: tuple[str, ...], is_gap: bool | None
) -> None:
    policy = policy_of(tmp_path, f"scanners: {{pip-audit: {entry}}}\n")
    judged = gate(policy, [run_of("pip-audit"), run_of("bandit")], only=only, unlocked=2)
    reason = Reason("unlocked", {"count": 2})
    gap = Reason("required-scanner", {"scanner": "pip-audit", "problem": reason})
    assert judged.gaps == ((gap,) if is_gap else ())
    assert (reason in judged.notices) is (is_gap is False)
