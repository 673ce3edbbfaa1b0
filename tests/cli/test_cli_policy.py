"""`scanagg policy`: check, test and compare policies."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.command import scanagg
from support.sample import sample_report

from scanagg.model import Licensed, LicenseFacts, LicenseVerdict, Package
from scanagg.reports.json import render

FLAWED = """\
version: 1
default: warn
scanners:
  trivy: {required: true, when: {exists: ["**/*.tf"]}}
rules:
  - {id: all, match: {}, action: info}
  - {id: never, match: {category: secret}, action: block}
waivers:
  items:
    - {ids: [B101], path: gone.py, reason: r, owner: o, expires: 2026-09-01}
"""
CASES = """\
version: 1
policy: gate.yml
now: 2026-03-01
cases:
  - name: a secret blocks
    finding: {category: secret, path: app.py}
    expect: block
    rule: secrets
  - finding: {category: code, rule: B602, severity: high, path: app.py}
    expect: block
"""
GATE = """\
version: 1
default: info
rules:
  - {id: secrets, match: {category: secret}, action: block}
"""
BARE = "{ids: [B1], reason: r, owner: o, expires: 2027-01-01}"
OLD = """\
version: 1
default: info
rules:
  - {id: holes, match: {category: vuln, severity: critical}, action: block}
  - {id: code, match: {category: code}, action: warn}
licenses: {allow: [MIT]}
"""
NEW = """\
version: 1
default: info
rules:
  - {id: known, match: {category: vuln}, action: warn}
  - {id: secrets, match: {category: secret}, action: block}
  - {id: licences, match: {category: license, verdict: deny}, action: block}
  - {id: code, match: {category: code}, action: warn}
licenses: {allow: [Apache-2.0]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with policies, cases and a report."""
    mit = Licensed(
        Package("colour", "1.0", "pkg:pypi/colour@1.0"),
        LicenseFacts(expression="MIT"),
        *(LicenseVerdict.ALLOW, "MIT", "MIT", "License-Expression"),
    )
    report = replace(sample_report(), licenses=(mit,))
    (tmp_path / "scanagg.json").write_text("".join(render(report)), encoding="utf-8")
    named = {"flawed": FLAWED, "cases": CASES, "gate": GATE, "old": OLD, "new": NEW}
    for name, text in named.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_valid_policy_is_reported_as_valid(folder: Path) -> None:
    for name, page in (
        ("gate.yml", "valid: gate, 1 rule\n"),
        ("strict", "valid: strict, 7 rules\n"),
    ):
        done = scanagg("policy", "check", name, "--strict", cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, page, "")


def test_a_part_without_effect_is_a_warning_with_its_place(folder: Path) -> None:
    asked = ("policy", "check", "flawed.yml", "--now", "2026-03-04")
    done = scanagg(*asked, cwd=folder)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "flawed.yml:7:5: rules[1]: rule never is never reached: covered by rule all",
            (
                "flawed.yml:10: the waiver of B101 gone.py has no effect yet: it ends in 181 days, "
                "but the policy allows 180"
            ),
            "valid: flawed, 2 rules, 2 warnings",
        ],
    )
    assert scanagg(*asked, "--strict", cwd=folder).returncode == 1
    later = ("policy", "check", "flawed.yml", "--now", "2026-04-04")
    by_files = scanagg(*later, "--root", ".", cwd=folder).stdout
    assert "flawed.yml:4:33: scanners.trivy.when: " in by_files
    assert "flawed.yml:10: the waiver of B101 gone.py matches no file" in by_files
    by_report = scanagg(*later, "--on", "scanagg.json", cwd=folder).stdout
    assert "flawed.yml:10: the waiver of B101 gone.py matches no finding" in by_report


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\n", "'default' is missing"),
        (f"{GATE}licenses: {{allow: [MIT], deny: [MIT]}}\n", "MIT is also in allow"),
        (
            f"{GATE}waivers:\n  items:\n    - {BARE}\n",
            "waivers.items[0]: ",
        ),
    ],
)
def test_what_is_wrong_is_an_error_with_its_place(text: str, words: str, folder: Path) -> None:
    (folder / "wrong.yml").write_text(text, encoding="utf-8")
    done = scanagg("policy", "check", "wrong.yml", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("scanagg: wrong.yml:")
    assert words in done.stderr


def test_cases_are_judged_by_the_policy_that_their_file_names(folder: Path) -> None:
    done = scanagg("policy", "test", "cases.yml", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "ok    cases.yml:5  a secret blocks",
            "FAIL  cases.yml:9  high code B602 app.py",
            "      expected block, got info",
            "      verdict: info by rule default: no rule matches",
            "2 cases: 1 passed, 1 failed",
        ],
    )
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    assert scanagg("policy", "test", str(folder / "cases.yml"), cwd=elsewhere).returncode == 1
    other = scanagg("policy", "test", "cases.yml", "--policy", "strict", cwd=folder)
    assert "2 cases" in other.stdout


def test_cases_without_a_policy_are_judged_by_the_project_s_own(folder: Path) -> None:
    text = CASES.replace("policy: gate.yml\n", "").partition("  - finding: {category: code")[0]
    (folder / "own.yml").write_text(text, encoding="utf-8")
    (folder / "scanagg.yml").write_text(GATE, encoding="utf-8")
    done = scanagg("policy", "test", "own.yml", "own.yml", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 cases: 2 passed, 0 failed")


def test_a_file_of_cases_that_cannot_be_used_is_an_error(folder: Path) -> None:
    (folder / "wrong.yml").write_text("version: 1\ncases:\n  - {}\n", encoding="utf-8")
    (folder / "folder").mkdir()
    with (folder / "large.yml").open("wb") as stream:
        stream.truncate(2 << 20)
    for name, words in (
        ("none.yml", "none.yml: does not exist"),
        ("folder", "folder: is not a regular file"),
        ("wrong.yml", "wrong.yml:3:5: cases[0]: 'finding' is missing"),
        ("large.yml", "large.yml:1:1: larger than 1 MiB"),
    ):
        done = scanagg("policy", "test", name, cwd=folder)
        assert done.returncode == 2
        assert words in done.stderr


def test_a_diff_says_what_changes_the_weaker_first(folder: Path) -> None:
    done = scanagg("policy", "diff", "old.yml", "new.yml", "--on", "scanagg.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "weaker    block -> warn  000000000001",
        "          vulnerability CVE-2016-10745  jinja2 2.4.1  requirements.txt:1",
        "          rule holes -> known",
    ]
    assert [line for line in lines if line.startswith("stricter  allowed -> block  ")]
    assert "          rule licenses.allow -> licences" in lines
    assert lines[-6:] == [
        "allowed -> block: 1",
        "block -> warn: 1",
        "info -> block: 1",
        "info -> warn: 1",
        "4 changed verdicts (1 weaker, 3 stricter), 4 unchanged",
        "outcome: BLOCKED with both policies",
    ]


def test_a_diff_of_what_judges_alike_is_empty(folder: Path) -> None:
    asked = ("policy", "diff", "gate.yml", "gate.yml", "--on", "scanagg.json", "--exit-code")
    done = scanagg(*asked, cwd=folder)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "0 changed verdicts (0 weaker, 0 stricter), 7 unchanged",
            "outcome: BLOCKED with both policies",
        ],
    )


def test_a_diff_exits_with_1_only_where_asked_to(folder: Path) -> None:
    (folder / "warn.yml").write_text(f"{GATE}enforcement: warn\n", encoding="utf-8")
    for new in ("new.yml", "warn.yml"):
        asked = ("policy", "diff", "gate.yml", new, "--on", "scanagg.json")
        assert scanagg(*asked, "--now", "2026-03-05", cwd=folder).returncode == 0
        assert scanagg(*asked, "--exit-code", cwd=folder).returncode == 1
    assert "outcome: BLOCKED -> PASS" in scanagg(*asked, cwd=folder).stdout


def test_the_schema_of_policies_is_printed(folder: Path) -> None:
    done = scanagg("policy", "schema", cwd=folder)
    document = json.loads(done.stdout)
    assert set(document["$defs"]) >= {"RuleEntry", "Match"}
