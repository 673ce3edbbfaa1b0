"""SARIF as code scanning needs it. The numbers refer to the checklist in sarif_check.py."""

import gzip
import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.sample import (
    CVE,
    EVAL,
    KEYWORD,
    LICENSE,
    NOW,
    SHELL,
    finding,
    judged,
    sample_findings,
    sample_report,
    sample_runs,
    secret,
)
from support.sarif_cases import (
    LINE,
    below,
    broken,
    clean,
    crowded,
    hostile,
    image,
    lived,
    log_of,
    only,
    results_of,
    runs_of,
    sample,
    the_result,
    waived,
    with_status,
    write,
)
from support.sarif_check import check_github

from scanagg.core.masks import MASK
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Clock,
    Confidence,
    Coverage,
    Finding,
    LicenseFacts,
    Location,
    Package,
    Report,
    Revision,
    Rule,
    Severity,
    Status,
    Target,
    Witness,
    plain,
)
from scanagg.project.sources import line_hashes
from scanagg.reports import sarif
from scanagg.reports.phrases import rule_help
from scanagg.reports.sarif import results as sarif_results
from scanagg.reports.sarif.results import FINGERPRINT

PACKAGE = Package("jinja2", "2.4.1", "pkg:pypi/jinja2@2.4.1", direct=True)
VULNERABILITY = finding(
    1,
    category=Category.VULNERABILITY,
    rule=CVE,
    message="Package jinja2 2.4.1 has the known vulnerability CVE-2016-10745; fixed in 2.8.1.",
    location=Location("requirements.txt", 1),
    places=(Location("requirements.txt", 1),),
    witnesses=(Witness("pip-audit", "CVE-2016-10745", Severity.HIGH),),
    snippet="jinja2==2.4.1",
    line_hash=None,
    package=PACKAGE,
    advisory=Advisory("CVE-2016-10745", (), ("2.8.1",)),
)
SECRET = finding(
    2,
    category=Category.SECRET,
    rule=KEYWORD,
    message="A value that looks like a secret stands in the file.",
    location=Location("config.ini", 2),
    places=(Location("config.ini", 2),),
    witnesses=(Witness("detect-secrets", "secret-keyword", Severity.UNKNOWN),),
    snippet="password = ***",
    line_hash="0123456789abcdef:1",
)


def run_of(report: Report, scanner: str, name: str = "sarif") -> dict:  # type: ignore[type-arg]
    return runs_of(log_of(report, name))[scanner]


def rule_of(found: Finding, severity: Severity = Severity.HIGH) -> dict:  # type: ignore[type-arg]
    scanner = found.witnesses[0].scanner
    (rule,) = run_of(only(found, severity), scanner)["tool"]["driver"]["rules"]
    return dict(rule)


# The file


def test_1_utf8_without_mark_and_schema_and_version_first(tmp_path: Path) -> None:
    raw = write(hostile(tmp_path), "sarif", tmp_path).read_bytes()
    assert raw.startswith(b'{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version"')
    assert json.loads(raw.decode())["version"] == "2.1.0"


def test_4_the_same_input_gives_the_same_bytes_apart_from_times(tmp_path: Path) -> None:
    report = sample(tmp_path)
    later = replace(
        report,
        clock=Clock(NOW + timedelta(days=1)),
        runs=tuple(
            replace(run, started=run.started + timedelta(hours=1), seconds=9.0)
            for run in report.runs
        ),
    )
    for name in ("sarif", "sarif-full"):
        texts = [write(one, name, tmp_path).read_text() for one in (report, report, later)]
        assert texts[0] == texts[1]
        assert texts[0] != texts[2]
        times = r'"(start|end)TimeUtc":"[^"]+"'
        assert re.sub(times, "", texts[0]) == re.sub(times, "", texts[2])


def test_5_the_worst_five_thousand_are_kept_and_the_cut_is_announced(tmp_path: Path) -> None:
    report = crowded(tmp_path)
    path = write(report, "sarif", tmp_path)
    run = run_of(report, "bandit")
    severities = [one["properties"]["scanagg"]["severity"] for one in run["results"]]
    assert len(severities) == 5_000
    assert severities == ["high"] * 2_000 + ["medium"] * 2_000 + ["low"] * 1_000
    said = run["invocations"][0]["toolExecutionNotifications"]
    assert "only the worst 5,000 of 6,000 findings are listed." in json.dumps(said)
    assert run["properties"]["scanagg"]["leftOut"] == 1_000
    assert sarif.notices(report) == (
        "bandit: only the worst 5,000 of 6,000 findings are listed. scanagg.json has all of them.",
    )
    assert len(gzip.compress(path.read_bytes())) < 10 << 20


def test_5_nothing_is_announced_where_nothing_is_cut(tmp_path: Path) -> None:
    assert sarif.notices(sample(tmp_path)) == ()


# The run


def test_6_one_run_for_each_scanner_that_says_who_it_is() -> None:
    log = log_of(sample_report(), "sarif-full")
    assert [run["tool"]["driver"]["name"] for run in log["runs"]] == [
        run.scanner for run in sample_runs()
    ]
    run = runs_of(log)["pip-audit"]
    driver = run["tool"]["driver"]
    assert driver["fullName"] == "pip-audit, run by scanagg"
    assert driver["version"] == driver["semanticVersion"] == "1.2.3"
    assert driver["informationUri"] == "https://github.com/pypa/pip-audit"
    assert run["conversion"]["tool"]["driver"]["name"] == "scanagg"


@pytest.mark.parametrize(
    ("version", "shown", "semantic"),
    [
        ("0.76.0", "0.76.0", True),
        ("1.9", "1.9", False),
        ("1.9.4.post1", "1.9.4.post1", False),
        ("v2.0.0-rc.1", "2.0.0-rc.1", True),
        ("Version: 1.0", "1.0", False),
        (None, "0 (not known)", False),
        ("unknown", "0 (not known)", False),
    ],
)
def test_6_a_version_is_semantic_only_where_it_is(
    version: str | None, shown: str, semantic: bool
) -> None:
    report = sample_report([])
    runs = tuple(replace(run, version=version, status=Status.OK) for run in report.runs)
    driver = run_of(replace(report, runs=runs), "bandit")["tool"]["driver"]
    assert driver["version"] == shown
    assert ("semanticVersion" in driver) is semantic


def test_6_a_scanner_that_nobody_described_has_its_name_and_no_page() -> None:
    run = replace(sample_runs()[1], scanner="new-one")
    driver = run_of(replace(sample_report([]), runs=(run,)), "new-one")["tool"]["driver"]
    assert driver["fullName"] == "new-one, run by scanagg"
    assert "informationUri" not in driver


def test_7_the_category_is_the_scanner_and_the_folder_below_the_repository(tmp_path: Path) -> None:
    whole = run_of(sample(tmp_path), "bandit")["automationDetails"]["id"]
    part = run_of(below(tmp_path), "bandit")["automationDetails"]["id"]
    assert whole == "scanagg/bandit/"
    assert part == "scanagg/bandit/services/shöp 1/"


def test_8_a_clean_scanner_has_an_empty_run(tmp_path: Path) -> None:
    log = log_of(clean(tmp_path))
    assert len(log["runs"]) == 6
    assert all(run["results"] == [] for run in log["runs"])
    assert all(run["invocations"][0]["executionSuccessful"] for run in log["runs"])


@pytest.mark.parametrize("status", Status)
def test_8_only_a_scanner_that_did_its_work_closes_alerts(status: Status) -> None:
    report = sample_report([])
    first, *others = report.runs
    runs = (replace(first, status=status), *others)
    shown = status in (Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE)
    assert ("bandit" in runs_of(log_of(replace(report, runs=runs)))) is shown


def test_8_where_no_scanner_worked_scanagg_itself_says_why(tmp_path: Path) -> None:
    log = log_of(broken(tmp_path))
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "scanagg"
    assert run["automationDetails"]["id"] == "scanagg/scanagg/"
    assert run["results"] == []
    invocation = run["invocations"][0]
    assert invocation["executionSuccessful"] is False
    said = json.dumps(invocation["toolExecutionNotifications"])
    for name in ("bandit", "detect-secrets", "licenses", "pip-audit", "safety", "trivy"):
        assert f"{name}: " in said
    assert "this is why" in said


def test_8_without_any_run_there_is_one_of_scanagg() -> None:
    (run,) = log_of(replace(sample_report([]), runs=()))["runs"]
    assert run["tool"]["driver"]["name"] == "scanagg"


def test_8_what_a_failed_scanner_found_goes_to_a_witness_that_worked() -> None:
    both = replace(
        VULNERABILITY,
        witnesses=(
            Witness("pip-audit", "PYSEC-2019-220", Severity.UNKNOWN),
            Witness("trivy", "CVE-2016-10745", Severity.HIGH),
        ),
    )
    report = sample_report([judged(one, Severity.HIGH, Action.WARN) for one in (both, SECRET)])
    runs = tuple(
        run if run.scanner == "trivy" else replace(run, status=Status.TIMEOUT)
        for run in report.runs
    )
    report = replace(report, runs=runs)
    (run,) = log_of(report)["runs"]
    assert run["tool"]["driver"]["name"] == "trivy"
    (result,) = run["results"]
    assert "Also found by pip-audit (PYSEC-2019-220)." in result["message"]["text"]
    (notice,) = sarif.notices(report)
    assert notice.startswith("1 finding left out: the scanner did not finish")


def test_9_the_whole_log_has_failed_runs_that_say_why(tmp_path: Path) -> None:
    for run in log_of(broken(tmp_path), "sarif-full")["runs"]:
        invocation = run["invocations"][0]
        assert invocation["executionSuccessful"] is False
        said, *_ = invocation["toolExecutionNotifications"]
        assert said["level"] == "error"
        assert said["message"]["text"].endswith("0 of 3 files examined; this is why.")


def test_9_findings_alone_are_no_failure(tmp_path: Path) -> None:
    run = run_of(sample(tmp_path), "pip-audit", "sarif-full")
    assert run["results"]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_9_what_was_not_examined_or_hidden_is_said(tmp_path: Path) -> None:
    run = run_of(sample(tmp_path), "bandit", "sarif-full")
    said = [
        (one["level"], one["message"]["text"])
        for one in run["invocations"][0]["toolExecutionNotifications"]
    ]
    assert said == [
        ("warning", "bandit: degraded; 2 of 3 files examined; 1 of 3 files not examined."),
        ("note", "The project's own files suppress findings of bandit: 2 by nosec."),
    ]
    (bandit, *_) = log_of(sample(tmp_path), "json")["runs"]
    assert run["properties"]["scanagg"]["coverage"] == bandit["coverage"]


def test_9_a_finding_of_nobody_is_in_the_whole_log_all_the_same() -> None:
    stray = replace(SECRET, witnesses=(Witness("imported", "X1", Severity.HIGH),))
    run = run_of(only(stray), "scanagg", "sarif-full")
    (result,) = run["results"]
    assert "Also found by imported (X1)." in result["message"]["text"]


def test_10_the_commit_is_named_without_a_path_of_this_machine(tmp_path: Path) -> None:
    path = write(sample(tmp_path), "sarif-full", tmp_path)
    run = json.loads(path.read_bytes())["runs"][0]
    assert run["versionControlProvenance"] == [
        {
            "repositoryUri": "https://git.invalid/a/shop",
            "branch": "main",
            "mappedTo": {"uriBaseId": "SRCROOT"},
            "revisionId": "0123456789abcdef0123456789abcdef01234567",
        }
    ]
    assert run["originalUriBaseIds"] == {
        "SRCROOT": {"description": {"text": "Root of the repository."}}
    }
    assert str(tmp_path) not in path.read_text()


@pytest.mark.parametrize("address", [None, "https://git.invalid/a b", "file:///srv/git"])
def test_10_an_address_that_is_none_is_left_out(address: str | None) -> None:
    report = sample_report([])
    revision = Revision("01" * 20, None, address, "", dirty=False)
    report = replace(report, target=replace(report.target, revision=revision))
    assert "versionControlProvenance" not in run_of(report, "bandit")


def test_11_times_have_a_z_and_do_not_run_backwards() -> None:
    zone = datetime(2026, 3, 4, 9, 6, 7, tzinfo=timezone(timedelta(hours=2)))
    runs = (
        replace(sample_runs()[1], started=zone, seconds=-1.0),
        replace(sample_runs()[2], started=datetime(2026, 3, 4, 7, 6, 7)),  # noqa: DTZ001
    )
    for run in log_of(replace(sample_report([]), runs=runs))["runs"]:
        invocation = run["invocations"][0]
        assert invocation["startTimeUtc"] == "2026-03-04T07:06:07.000Z"
        assert invocation["startTimeUtc"] <= invocation["endTimeUtc"]


def test_11_columns_count_utf16_units(tmp_path: Path) -> None:
    (result, *_) = results_of(log_of(hostile(tmp_path)))
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region["endColumn"] == len(LINE) + 1 + 1  # one character is two units
    assert region["snippet"]["text"] == LINE


def test_11_a_part_of_a_line_is_cut_by_utf16_units(tmp_path: Path) -> None:
    report = hostile(tmp_path)
    first = report.findings[0]
    assert first.finding.location is not None
    place = replace(first.finding.location, start_column=11, end_column=13)
    found = replace(first.finding, location=place)
    (result,) = results_of(log_of(replace(report, findings=(replace(first, finding=found),))))
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["startColumn"], region["endColumn"]) == (11, 13)
    assert region["snippet"]["text"] == "\U0001f600"


# The rules


def test_12_rules_are_sorted_used_and_found_by_index(tmp_path: Path) -> None:
    for run in log_of(sample(tmp_path), "sarif-full")["runs"]:
        ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert ids == sorted(ids)
        assert [ids[one["ruleIndex"]] for one in run["results"]] == [
            one["ruleId"] for one in run["results"]
        ]


def test_12_an_id_is_the_same_for_ever() -> None:
    """If the id changes, GitHub closes every alert of the rule and opens a new one."""
    assert rule_of(finding(1))["id"] == "B602"
    assert rule_of(VULNERABILITY)["id"] == "CVE-2016-10745"
    assert rule_of(SECRET)["id"] == "secret-keyword"
    advisory = replace(CVE, id="GHSA-hj2j-77xm-mc5v", name="GHSA-hj2j-77xm-mc5v")
    rule = rule_of(replace(VULNERABILITY, rule=advisory))
    assert rule["id"] == "GHSA-hj2j-77xm-mc5v"
    assert rule["shortDescription"]["text"].startswith("GHSA-hj2j-77xm-mc5v: ")
    odd = rule_of(finding(1, rule=replace(SHELL, id="an odd id")))
    assert odd["id"] == "AN-180751-969074"
    assert "an odd id" in odd["properties"]["tags"]


def test_12_a_clean_run_declares_a_rule(tmp_path: Path) -> None:
    (rule,) = run_of(clean(tmp_path), "bandit")["tool"]["driver"]["rules"]
    assert rule["id"] == "SCANAGG-1"
    assert rule["shortDescription"]["text"] == "Any finding of bandit."


@pytest.mark.parametrize(
    ("name", "pascal"),
    [
        ("subprocess_popen_with_shell_equals_true", "SubprocessPopenWithShellEqualsTrue"),
        ("CVE-2016-10745", "Cve201610745"),
        ("AWS access key", "AwsAccessKey"),
        ("hardcodedSQLExpressions", "HardcodedSqlExpressions"),
        ("a_b_thing", "AbThing"),
        ("2fa off", "Rule2faOff"),
        ("B602", "RuleB602"),
        ("x", "Rule"),
        ("日本語", "Rule"),
        ("", "RuleB602"),
        ("word" * 100, "W" + ("word" * 100)[1:200]),
    ],
)
def test_13_names_are_in_pascal_case_and_not_the_id(name: str, pascal: str) -> None:
    rule = rule_of(finding(1, rule=replace(SHELL, name=name)))
    assert rule["name"] == pascal
    assert re.fullmatch(r"([A-Z][a-z0-9]+)+", rule["name"])
    assert rule["name"] != rule["id"]


@pytest.mark.parametrize(
    "text", ["", "x" * 5_000, "no end", "Ends: ", "two\nlines", "`ticks` and [a](b) and {0}"]
)
def test_13_descriptions_are_whole_sentences(text: str) -> None:
    rule = rule_of(finding(1, rule=replace(SHELL, title=text, help=text)))
    for key in ("shortDescription", "fullDescription"):
        said = rule[key]["text"]
        assert 1 < len(said) <= 1024
        assert said.endswith(".")
        assert not re.search(r"`|\]\(|\{\d|\n", said)


def test_14_help_is_text_and_markdown_with_a_page() -> None:
    rule = rule_of(finding(1, rule=replace(SHELL, title="Do *not* <b>this</b>")))
    assert "Pass a list of arguments and no shell." in rule["help"]["text"]
    assert "Do \\*not\\* \\<b\\>this\\</b\\>" in rule["help"]["markdown"]
    assert f"[More information]({SHELL.url})" in rule["help"]["markdown"]
    assert rule["helpUri"] == SHELL.url


def test_14_help_has_why_what_and_examples() -> None:
    texts = rule_of(finding(1, rule=SHELL))["help"]
    for part in (SHELL.why, SHELL.help, f"Instead of:\n{SHELL.bad}", f"Write:\n{SHELL.good}"):
        assert part in texts["text"]
    for part in (SHELL.why, SHELL.help, f"```\n{SHELL.bad}\n```", f"```\n{SHELL.good}\n```"):
        assert part in texts["markdown"]


def test_14_a_rule_without_texts_has_neither_why_nor_examples() -> None:
    texts = rule_of(finding(1, rule=Rule("X-1", "x", "A title", SHELL.url)))["help"]
    general = rule_help(Rule("", "", ""), Category.CODE)
    assert texts["text"] == f"A title. {general}\n\n{SHELL.url}"
    assert "```" not in texts["markdown"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("```\n# A heading\n```", "````\n```\n# A heading\n```\n````"),
        ("\tx\u202e\x1b[31m{0}\r", "```\n    x\\u202e\\x1b[31m{ 0 }\\x0d\n```"),
        ("a\n" * 100, "```\n" + "a\n" * 12 + "```"),
        ("a" * 1000, "```\n" + "a" * 119 + "…\n```"),
    ],
)
def test_14_code_cannot_end_its_block(code: str, shown: str) -> None:
    markdown = rule_of(finding(1, rule=replace(SHELL, bad="", good=code)))["help"]["markdown"]
    assert f"Write:\n\n{shown}\n\n[More" in markdown


@pytest.mark.parametrize(
    ("rule", "page"),
    [
        (replace(SHELL, url="http://a.invalid/"), "https://cwe.mitre.org/data/definitions/78.html"),
        (replace(SHELL, url="https://a.invalid/[x]", cwe=()), "https://bandit.readthedocs.io/"),
        (replace(SHELL, url=None, cwe=("CWE-x",)), "https://bandit.readthedocs.io/"),
        (
            replace(SHELL, id="CVE-2016-10745", url=None),
            "https://www.cve.org/CVERecord?id=CVE-2016-10745",
        ),
    ],
)
def test_14_a_rule_without_a_usable_page_gets_the_next_best(rule: object, page: str) -> None:
    assert rule_of(finding(1, rule=rule))["helpUri"] == page


def test_15_a_rule_says_nothing_of_one_finding() -> None:
    found = finding(1, message="In app/db.py: shell=True")
    assert "app/db.py" not in json.dumps(rule_of(found))
    assert "2.4.1" not in json.dumps(rule_of(VULNERABILITY))


def test_16_tags_say_security_kind_and_weakness() -> None:
    assert rule_of(VULNERABILITY)["properties"]["tags"] == [
        "security",
        "vulnerability",
        "external/cwe/cwe-134",
    ]
    many = tuple(f"CWE-{number}" for number in (7, 7, 22, 1004, 5, 6, 8, 9, 10, 11))
    tags = rule_of(finding(1, rule=replace(SHELL, id="odd id", cwe=many)))["properties"]["tags"]
    assert len(tags) == len(set(tags)) <= 10
    assert {"security", "external/cwe/cwe-007", "external/cwe/cwe-1004", "odd id"} <= set(tags)


def test_16_a_licence_is_no_security_rule() -> None:
    odd = finding(
        1,
        category=Category.LICENSE,
        rule=LICENSE,
        package=PACKAGE,
        license=LicenseFacts(text="?"),
        witnesses=(Witness("licenses", "license", Severity.UNKNOWN),),
    )
    properties = rule_of(odd)["properties"]
    assert "security" not in properties["tags"]
    assert "security-severity" not in properties


@pytest.mark.parametrize(
    ("severity", "score", "level"),
    [
        (Severity.CRITICAL, "9.5", "error"),
        (Severity.HIGH, "8.0", "error"),
        (Severity.MEDIUM, "5.5", "warning"),
        (Severity.LOW, "2.0", "note"),
        (Severity.INFO, None, "note"),
        (Severity.UNKNOWN, None, "warning"),
    ],
)
def test_17_a_score_only_where_the_severity_is_known(
    severity: Severity, score: str | None, level: str
) -> None:
    rule = rule_of(finding(1), severity)
    assert rule["properties"].get("security-severity") == score
    assert rule["defaultConfiguration"] == {"level": level}
    (result,) = results_of(log_of(only(finding(1), severity)))
    assert result["level"] == level


@pytest.mark.parametrize(
    ("confidences", "precision"),
    [
        ([Confidence.LOW, Confidence.HIGH], "high"),
        ([Confidence.MEDIUM], "medium"),
        ([Confidence.UNKNOWN], None),
    ],
)
def test_17_precision_is_the_best_confidence(
    confidences: list[Confidence], precision: str | None
) -> None:
    findings = [
        judged(finding(number, confidence=one), Severity.LOW, Action.INFO)
        for number, one in enumerate(confidences)
    ]
    (rule,) = run_of(sample_report(findings), "bandit")["tool"]["driver"]["rules"]
    assert rule["properties"].get("precision") == precision


def test_18_a_warning_stands_under_a_rule_that_warns() -> None:
    """Tools drop "warning" from a result, so only the rule's level remains."""
    findings = [
        judged(finding(number), severity, Action.INFO)
        for number, severity in enumerate((Severity.CRITICAL, Severity.MEDIUM, Severity.LOW))
    ]
    run = run_of(sample_report(findings), "bandit")
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"] == "warning"
    assert [one["level"] for one in run["results"]] == ["error", "warning", "note"]
    run = run_of(sample_report(findings[::2]), "bandit")
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"] == "error"


# The results


def test_19_the_message_names_package_version_and_fix() -> None:
    bare = replace(VULNERABILITY, message="Sandbox escape")
    assert the_result(bare)["message"]["text"] == (
        "Sandbox escape. Affects jinja2 2.4.1. Fixed in 2.8.1."
    )
    assert the_result(VULNERABILITY)["message"]["text"] == VULNERABILITY.message
    unfixed = replace(bare, advisory=Advisory("CVE-2016-10745"))
    assert the_result(unfixed)["message"]["text"].endswith("No fixed version is known.")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Use of `eval`", "Use of 'eval'."),
        ("see [this](https://a.invalid)", "see [this] (https://a.invalid)."),
        ("argument {0} of {name}", "argument (0) of {name}."),
        ("two\n\n  lines:", "two lines."),
        ("esc \x1b[31m \u202e", "esc \\x1b[31m \\u202e."),
        ("x" * 9_000, "x" * 1_998 + "…."),
        ("", "subprocess call with shell=True."),
    ],
)
def test_19_the_message_is_a_plain_sentence(said: str, shown: str) -> None:
    assert the_result(finding(1, message=said))["message"]["text"] == shown


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([("bandit", "B602")], ""),
        ([("bandit", "B605")], " Also found by bandit (B605)."),
        (
            [("semgrep", "shell"), ("semgrep", "shell"), ("bandit", "B605")],
            " Also found by semgrep (shell), bandit (B605).",
        ),
    ],
)
def test_19_the_message_names_every_other_witness_once(
    more: list[tuple[str, str]], said: str
) -> None:
    pairs = [("bandit", "B602"), *more]
    witnesses = tuple(Witness(scanner, rule, Severity.HIGH) for scanner, rule in pairs)
    found = finding(1, message="A shell.", witnesses=witnesses)
    assert the_result(found)["message"]["text"] == f"A shell.{said}"


def test_19_the_message_does_not_name_its_own_rule_as_another() -> None:
    witnesses = tuple(Witness("bandit", rule, Severity.HIGH) for rule in ("B605", "B602"))
    found = finding(1, message="A shell.", witnesses=witnesses)
    assert the_result(found)["message"]["text"] == "A shell. Also found by bandit (B605)."


def test_19_the_message_of_a_secret_says_once_how_likely_it_is() -> None:
    likely = secret(1, Confidence.LIKELY, "known-format").finding
    found = replace(
        likely, title="GitHub token", message="Possible hard-coded secret: GitHub token."
    )
    text = the_result(found)["message"]["text"]
    assert text.startswith("GitHub token. Likely secret: ")
    assert text.count("secret") == 1


def test_20_exactly_one_place_and_the_others_related() -> None:
    places = (Location("app/db.py", 5), Location("config.ini", 2), Location("Dockerfile"))
    result = the_result(finding(1, places=places))
    assert len(result["locations"]) == 1
    further = [
        (one["physicalLocation"]["artifactLocation"]["uri"], one["id"], one["message"]["text"])
        for one in result["relatedLocations"]
    ]
    assert further == [
        ("config.ini", 1, "Also here."),
        ("Dockerfile", 2, "Also here."),
    ]


def test_20_at_most_a_hundred_further_places_for_github() -> None:
    places = tuple(Location("app/db.py", line) for line in range(1, 202))
    assert len(the_result(finding(1, places=places))["relatedLocations"]) == 100
    assert len(the_result(finding(1, places=places), "sarif-full")["relatedLocations"]) == 200


def test_21_addresses_start_at_the_root_of_the_repository(tmp_path: Path) -> None:
    addresses = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in results_of(log_of(below(tmp_path)))
    }
    assert "services/sh%C3%B6p%201/app/db.py" in addresses
    assert "services/sh%C3%B6p%201/app/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9%231.py" in addresses
    assert all(address.startswith("services/sh%C3%B6p%201/") for address in addresses)


def test_22_every_file_is_there_under_its_address(tmp_path: Path) -> None:
    report = hostile(tmp_path)
    path = write(report, "sarif", tmp_path.parent)
    assert len(results_of(json.loads(path.read_bytes()))) == len(report.target.files)
    assert check_github(path, tmp_path) == []


@pytest.mark.parametrize(
    ("place", "corners", "text"),
    [
        (Location("app/db.py", 5), (5, 1, 5, 37), "    subprocess.run(name, shell=True)"),
        (Location("app/db.py", 5, 5, 5, 15), (5, 5, 5, 15), "subprocess"),
        (Location("app/db.py", 4, 5, 5, 9), (4, 5, 4, 14), "go(name):"),
        (Location("app/db.py", 5, 5, 90, 99), (5, 36, 5, 37), ")"),
        (Location("app/db.py", 5, 5, 9, 9), (5, 9, 5, 10), "r"),
        (Location("app/db.py", 5, 5, 9, 3), (5, 9, 5, 10), "r"),
        (Location("app/db.py", 2), (2, 1, 2, 1), ""),
        (Location("app/db.py"), (1, 1, 1, 18), "import subprocess"),
        (Location("app/db.py", 99), (99, 1, 99, 8), "shown()"),
        (Location("gone.py", 1), (1, 1, 1, 8), "shown()"),
    ],
)
def test_23_a_region_is_a_part_of_one_line(
    place: Location, corners: tuple[int, ...], text: str, tmp_path: Path
) -> None:
    lines = ["import subprocess", "", "", "def go(name):", "    subprocess.run(name, shell=True)"]
    number = place.start_line or 1
    known = place.path == "app/db.py" and number <= len(lines)
    snippet = lines[number - 1] if known else "shown()"
    found = finding(1, location=place, places=(place,), snippet=snippet)
    region = the_result(found, root=tmp_path)["locations"][0]["physicalLocation"]["region"]
    keys = ("startLine", "startColumn", "endLine", "endColumn")
    assert tuple(region[key] for key in keys) == corners
    assert region["snippet"]["text"] == text


def test_23_several_lines_are_on_record() -> None:
    result = the_result(finding(1, location=Location("app/db.py", 4, 5)))
    assert result["properties"]["scanagg"]["endLine"] == 5


def test_24_a_dependency_stands_on_the_line_of_its_requirement(tmp_path: Path) -> None:
    place = the_result(VULNERABILITY, root=tmp_path)["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "requirements.txt"
    assert place["region"]["startLine"] == 1
    assert place["region"]["snippet"]["text"] == "jinja2==2.4.1"


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["a.py", "pyproject.toml", "requirements.txt"], "pyproject.toml"),
        (["a.py", "sub/pyproject.toml", "sub/requirements-dev.txt"], "sub/requirements-dev.txt"),
        (["a.py", "requirements/dev.txt", "requirements.txt"], "requirements.txt"),
        (["b/a.py", "z.py"], "z.py"),
    ],
)
def test_25_what_no_file_names_stands_at_a_manifest(paths: list[str], chosen: str) -> None:
    found = replace(VULNERABILITY, location=None, places=())
    report = only(found)
    files = [replace(report.target.files[0], path=path) for path in paths]
    report = replace(report, target=replace(report.target, files=tuple(files)))
    (result,) = results_of(log_of(report))
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == chosen
    assert place["region"]["startLine"] == 1
    assert "No file of the project declares it" in result["message"]["text"]


def test_25_a_line_that_nobody_masked_is_not_shown(tmp_path: Path) -> None:
    for result in results_of(log_of(image(tmp_path), "sarif-full")):
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["snippet"]["text"] == "***"
        assert "jinja2==" not in json.dumps(place)


def test_25_without_any_file_github_gets_no_such_result() -> None:
    found = replace(VULNERABILITY, location=None, places=())
    empty = Target(root=Path("/nowhere"), name="empty", files=())
    report = replace(only(found), target=empty)
    assert results_of(log_of(report)) == []
    assert sarif.notices(report)[0].startswith("1 finding left out")
    (result,) = results_of(log_of(report, "sarif-full"))
    assert "locations" not in result


def test_26_the_line_is_around_the_region(tmp_path: Path) -> None:
    found = finding(1, location=Location("app/db.py", 5, 5, 5, 37))
    place = the_result(found, "sarif-full", tmp_path)["locations"][0]["physicalLocation"]
    assert place["contextRegion"] == {
        "endColumn": 1,
        "endLine": 6,
        "snippet": {"text": "    subprocess.run(name, shell=True)\n"},
        "startColumn": 1,
        "startLine": 5,
    }


@pytest.mark.parametrize("mask", ["***", "***(under 8 characters)", "***(40 characters, hex)"])
def test_26_no_secret_nor_its_length_nor_a_hash_of_it(tmp_path: Path, mask: str) -> None:
    """The region ends after the first character of the value, which is on the line."""
    secret = replace(SECRET, snippet=f"password = {mask}")
    for name in ("sarif", "sarif-full"):
        report = sample_report([judged(secret, Severity.HIGH, Action.BLOCK)], tmp_path)
        text = write(report, name, tmp_path).read_text()
        assert "hunter2" not in text
        run = run_of(report, "detect-secrets", name)
        assert run["redactionTokens"] == ["***"]
        (result,) = run["results"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["endColumn"], region["snippet"]["text"]) == (13, f"password = {mask}")
        assert "primaryLocationLineHash" not in result["partialFingerprints"]


def test_26_lines_next_to_a_secret_are_not_shown(tmp_path: Path) -> None:
    """Other lines may hold secrets that no finding covers, so their text is not read."""
    place = Location("config.ini", 1)
    found = finding(1, location=place, places=(place,), snippet="[db]")
    report = sample_report([judged(found, Severity.LOW, Action.INFO)], tmp_path)
    assert "hunter2" not in write(report, "sarif-full", tmp_path).read_text()


def test_26_the_mask_is_the_one_of_the_pipeline() -> None:
    assert sarif_results.MASK == MASK


def test_26_a_very_long_line_is_cut() -> None:
    long = "x" * 50_000
    found = finding(1, location=Location("app/db.py", 5), snippet=long)
    place = the_result(found)["locations"][0]["physicalLocation"]
    assert place["region"]["snippet"]["text"] == "x" * 999 + "…"


def test_27_code_carries_githubs_own_hash(tmp_path: Path) -> None:
    (result, *_) = run_of(sample(tmp_path), "bandit")["results"]
    expected = line_hashes((tmp_path / "app/db.py").read_text())[4]
    assert result["partialFingerprints"] == {
        "scanaggFindingId/v1": f"{2:064x}",
        "primaryLocationLineHash": expected,
    }


def test_27_two_versions_of_one_package_are_two_alerts() -> None:
    old, new = VULNERABILITY, replace(VULNERABILITY, package=replace(PACKAGE, version="2.5"))
    report = sample_report([judged(one, Severity.HIGH, Action.WARN) for one in (old, new)])
    hashes = [
        one["partialFingerprints"]["primaryLocationLineHash"] for one in results_of(log_of(report))
    ]
    assert [value[-2:] for value in hashes] == [":1", ":2"]
    assert len({value[:16] for value in hashes}) == 1


def test_28_the_ids_survive_what_is_no_change(tmp_path: Path) -> None:
    before = sample_report(sample_findings(), tmp_path)
    moved = [
        replace(one, finding=_moved(one.finding, by=10)) for one in reversed(sample_findings())
    ]
    after = replace(sample_report(moved), runs=_newer(before.runs))
    assert _prints(log_of(before)) == _prints(log_of(after))
    bumped = [replace(one, finding=_bumped(one.finding)) for one in sample_findings()]
    assert _prints(log_of(before)) == _prints(log_of(sample_report(bumped)))


def test_29_no_two_results_are_the_same_and_guids_are_real() -> None:
    twice = [judged(finding(number), Severity.HIGH, Action.WARN) for number in (1, 2, 3)]
    texts = [one["message"]["text"] for one in results_of(log_of(sample_report(twice)))]
    assert texts[1:] == [f"{texts[0]} (Occurrence 2.)", f"{texts[0]} (Occurrence 3.)"]
    text = json.dumps(log_of(sample_report(), "sarif-full"))
    guids = re.findall(r'"\w*guid": "([^"]+)"', text, re.IGNORECASE)
    assert all(uuid.UUID(guid).version in (4, 5) for guid in guids)


def test_30_waived_findings_are_suppressed_in_the_whole_log(tmp_path: Path) -> None:
    runs = runs_of(log_of(waived(tmp_path), "sarif-full"))
    (first,) = runs["pip-audit"]["results"]
    assert first["suppressions"] == [
        {
            "kind": "external",
            "justification": "the rule says block.",
            "status": "accepted",
        }
    ]
    findings = [
        judged(finding(1), Severity.HIGH, Action.WAIVED),
        judged(finding(2), Severity.HIGH, Action.WARN),
    ]
    results = results_of(log_of(sample_report(findings), "sarif-full"))
    assert [len(one["suppressions"]) for one in results] == [1, 0]


def test_30_without_waivers_no_result_has_suppressions(tmp_path: Path) -> None:
    assert not [one for one in results_of(log_of(sample(tmp_path))) if "suppressions" in one]


def test_30_a_waiver_is_a_suppression_with_its_reason_owner_and_end(tmp_path: Path) -> None:
    results = runs_of(log_of(lived(tmp_path), "sarif-full"))["bandit"]["results"]
    waived = [one for one in results if one["suppressions"]]
    assert [one["suppressions"] for one in waived] == [
        [
            {
                "kind": "external",
                "justification": "only our own names reach it, see SEC-212 — @team-web — "
                "2026-03-10",
                "status": "accepted",
            }
        ],
        [
            {
                "kind": "inSource",
                "justification": "nosec in the project's own files.",
                "status": "accepted",
            }
        ],
    ]
    assert len(results) == 3


def test_30_a_comment_that_the_policy_forbids_is_a_rejected_suppression() -> None:
    found = judged(finding(1, in_source="nosec"), Severity.HIGH, Action.BLOCK)
    (result,) = results_of(log_of(sample_report([found]), "sarif-full"))
    assert [one["status"] for one in result["suppressions"]] == ["rejected"]
    (result,) = results_of(log_of(sample_report([found])))
    assert "suppressions" not in result


def test_31_how_a_finding_stands_to_the_base_is_in_the_whole_log(tmp_path: Path) -> None:
    report = lived(tmp_path)
    results = results_of(log_of(report, "sarif-full"))
    states = {one["partialFingerprints"][FINGERPRINT]: one["baselineState"] for one in results}
    assert states == {
        one.finding.fingerprint: one.finding.history.change.value for one in report.findings
    }
    assert set(states.values()) == {"new", "updated", "unchanged"}
    assert not any("baselineState" in one for one in results_of(log_of(report)))
    without = results_of(log_of(sample(tmp_path), "sarif-full"))
    assert not any("baselineState" in one for one in without)


def test_31_that_waived_findings_are_left_out_is_said(tmp_path: Path) -> None:
    (said,) = sarif.notices(lived(tmp_path))
    assert said.startswith("2 waived findings left out")
    one = judged(finding(1), Severity.HIGH, Action.WAIVED)
    (said,) = sarif.notices(sample_report([one], tmp_path))
    assert said.startswith("1 waived finding left out")


def test_values_that_look_like_no_secrets_are_only_in_the_whole_log(tmp_path: Path) -> None:
    likely = secret(1, Confidence.LIKELY, "private-key", Action.BLOCK)
    report = sample_report([likely, secret(2), secret(3)], tmp_path)
    (said,) = sarif.notices(report)
    assert said.startswith("2 values left out")
    assert len(results_of(log_of(report))) == 1
    assert len(results_of(log_of(report, "sarif-full"))) == 3


def test_only_a_likely_secret_is_an_error(tmp_path: Path) -> None:
    secrets = [
        secret(1, Confidence.LIKELY, "private-key", Action.BLOCK),
        secret(2, Confidence.POSSIBLE, "private-key", Action.WARN),
        secret(3, Confidence.UNLIKELY, "sentence", Action.WARN),
    ]
    results = results_of(log_of(sample_report(secrets, tmp_path)))
    assert [one["level"] for one in results] == ["error", "warning", "note"]
    assert all("Likely secret: " in one["message"]["text"] for one in results[:1])


def test_31_github_sees_neither_waived_nor_absent_findings(tmp_path: Path) -> None:
    results = results_of(log_of(waived(tmp_path)))
    assert len(results) == len(sample_findings()) - 2
    assert not any({"suppressions", "baselineState"} & set(one) for one in results)


def test_32_every_finding_that_is_not_waived_is_there(tmp_path: Path) -> None:
    report = sample(tmp_path)
    for name in ("sarif", "sarif-full"):
        ids = [
            one["partialFingerprints"]["scanaggFindingId/v1"]
            for one in results_of(log_of(report, name))
        ]
        assert sorted(ids) == sorted(one.finding.fingerprint for one in report.findings)


def test_34_what_azure_devops_asks_for_is_there(tmp_path: Path) -> None:
    for run in log_of(sample(tmp_path))["runs"]:
        assert run["tool"]["driver"]["fullName"]
        assert all(rule["name"] and rule["id"] for rule in run["tool"]["driver"]["rules"])
        assert all(one["ruleId"] for one in run["results"])
        assert len(run["results"]) <= 5_000


def test_36_the_log_comes_in_pieces(tmp_path: Path) -> None:
    pieces = list(sarif.render(crowded(tmp_path)))
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 5


def test_the_time_of_a_check_is_in_the_whole_log_if_it_was_given(tmp_path: Path) -> None:
    report = sample(tmp_path)
    assert "clock" not in log_of(report, "sarif-full")["properties"]["scanagg"]
    report = replace(report, clock=Clock(NOW, given=True))
    assert log_of(report, "sarif-full")["properties"]["scanagg"]["clock"]["given"] is True
    assert "properties" not in log_of(report)


def test_notices_of_a_run_are_passed_on() -> None:
    runs = (replace(sample_runs()[1], notices=(plain("the cache was empty"),)),)
    (run,) = log_of(replace(sample_report([]), runs=runs))["runs"]
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said == {"message": {"text": "the cache was empty."}, "level": "note"}


def test_nothing_to_examine_is_no_zero_of_zero() -> None:
    none = replace(with_status(Status.NOT_APPLICABLE)[0], detail=None, coverage=Coverage("files"))
    (run,) = log_of(replace(sample_report([]), runs=(none,)))["runs"]
    said, *_ = run["invocations"][0]["toolExecutionNotifications"]
    assert said["message"]["text"] == "bandit: not applicable; nothing to examine."


def _moved(found: Finding, by: int) -> Finding:
    """Return the finding after lines were added above it."""
    if found.location is None or found.location.start_line is None:
        return found
    line = found.location.start_line + by
    place = replace(found.location, start_line=line, end_line=None, end_column=None)
    return replace(found, location=place, places=(place,))


def _bumped(found: Finding) -> Finding:
    """Return the finding for a newer version of its package."""
    package = found.package
    if package is None:
        return found
    purl = package.purl.replace(f"@{package.version}", "@9.9")
    return replace(found, package=replace(package, version="9.9", purl=purl))


def _newer(runs: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(replace(run, version="1.2.4") for run in runs)  # type: ignore[type-var]


def _prints(log: dict) -> list[list[tuple[str, str]]]:  # type: ignore[type-arg]
    return sorted(sorted(one["partialFingerprints"].items()) for one in results_of(log))


def test_a_rule_of_eval_is_not_one_of_shell() -> None:
    findings = [
        judged(finding(1), Severity.HIGH, Action.WARN),
        judged(finding(2, rule=EVAL), Severity.HIGH, Action.WARN),
    ]
    run = run_of(sample_report(findings), "bandit")
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["B307", "B602"]
    assert [one["ruleIndex"] for one in run["results"]] == [1, 0]
