"""The whole road with real scanners: one finding once, one verdict, the same in every report."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import sarif_check, tools, validators
from support.command import PROGRAM, check, scanagg
from support.osv import osv_server
from support.repository import git

Make = Callable[..., Path]

TOKEN = "ghp_" + "a8B3c7D1e9F2g6H4i5J0k3L7m1N8o2P4q6R9"
APP = f"""\
import subprocess

PASSWORD = "correct-horse-battery"
TOKEN = "{TOKEN}"


def run(name):
    assert name
    subprocess.run(name, shell=True)
"""
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1c7\n-----END RSA PRIVATE KEY-----\n"
PINS = "jinja2==2.4.1\nrequests==2.19.0\n"


@pytest.fixture
def osv(data_dir: Path) -> Iterator[str]:
    """The advisory database behind a service of the OSV kind."""
    with osv_server(data_dir / "pypi-osv.zip") as url:
        yield url


@pytest.fixture
def trivy(data_dir: Path, tmp_path: Path) -> str:
    """Settings for the real trivy with a database that needs no network."""
    shutil.copytree(data_dir / "trivy-cache", tmp_path / "trivy-cache")
    return (
        f'[scanners.trivy]\npath = "{tools.trivy()}"\ncache-dir = "{tmp_path}/trivy-cache"\n'
        "skip-db-update = true\n"
    )


def service(url: str) -> str:
    return f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'


@pytest.fixture
def faulty(make_project: Make, osv: str, trivy: str) -> Path:
    return make_project(
        {
            "app.py": APP,
            "key.pem": KEY,
            "requirements.txt": PINS,
            "Dockerfile": "FROM python:3.12\nUSER root\n",
            "scanagg.toml": service(osv) + trivy,
        }
    )


def test_the_whole_road(faulty: Path) -> None:
    said = check(faulty, "--skip", "safety,licenses")
    report = said.report
    assert report["gate"]["outcome"] == "incomplete", "a required scanner was skipped"
    statuses = {run["scanner"]: run["status"] for run in report["runs"]}
    assert {
        name: statuses[name] for name in ("bandit", "detect-secrets", "pip-audit", "trivy")
    } == {
        "bandit": "ok",
        "detect-secrets": "ok",
        "pip-audit": "ok",
        "trivy": "ok",
    }
    assert {finding["category"] for finding in report["findings"]} == {
        "vulnerability",
        "code",
        "secret",
        "misconfiguration",
    }


def test_a_vulnerability_that_two_scanners_see_is_one_finding(faulty: Path) -> None:
    report = check(faulty, "--only", "pip-audit,trivy").report
    both = [
        finding
        for finding in report["findings"]
        if {witness["scanner"] for witness in finding["witnesses"]} == {"pip-audit", "trivy"}
    ]
    assert "CVE-2016-10745" in {finding["advisory"]["id"] for finding in both}
    ids = [finding["advisory"]["id"] for finding in report["findings"] if finding["advisory"]]
    assert len(ids) == len(set(ids))
    severities = {finding["advisory"]["id"]: finding["severity"] for finding in both}
    assert severities["CVE-2016-10745"] != "unknown"


def test_a_secret_that_three_scanners_see_is_one_finding(faulty: Path) -> None:
    report = check(faulty, "--only", "bandit,detect-secrets,trivy").report
    secrets = [finding for finding in report["findings"] if finding["category"] == "secret"]
    by_line = {(each["location"]["path"], each["location"]["start_line"]): each for each in secrets}
    assert set(by_line) == {("app.py", 3), ("app.py", 4), ("key.pem", 1)}
    assert {witness["scanner"] for witness in by_line["key.pem", 1]["witnesses"]} >= {
        "detect-secrets"
    }
    assert {witness["scanner"] for witness in by_line["app.py", 3]["witnesses"]} == {
        "bandit",
        "detect-secrets",
    }


def test_no_secret_is_in_any_output(faulty: Path) -> None:
    said = check(faulty, "-v")
    for secret in ("correct-horse-battery", TOKEN, "MIIEpAIBAAKCAQEA1c7"):
        assert secret not in said.everything


def test_no_path_of_this_machine_is_in_any_report(faulty: Path) -> None:
    said = check(faulty)
    reports = said.everything.removeprefix(said.out).removeprefix("\n" + said.err)
    for path in (str(faulty.parent), sys.prefix, str(Path.home()) + "/"):
        assert path not in reports


def test_the_same_input_gives_the_same_reports_apart_from_times(faulty: Path) -> None:
    def stable() -> dict[str, str]:
        said = check(faulty, "--now", "2026-01-01T00:00:00Z", "--only", "bandit,trivy,pip-audit")
        times = r'"(seconds|started|startTimeUtc|endTimeUtc)": ?("[^"]*"|[\d.e-]+)'
        return {
            path.name: re.sub(times, "", path.read_text())
            for path in sorted(said.folder.glob("scanagg*.*"))
            if path.suffix in (".json", ".sarif")
        }

    first, second = stable(), stable()
    for name, text in first.items():
        assert text.splitlines() == second[name].splitlines()


def test_no_validator_complains_of_the_sarif_of_a_real_check(faulty: Path) -> None:
    said = check(faulty, "--skip", "safety", formats=("sarif", "sarif-full"))
    logs = [said.folder / "scanagg.sarif", said.folder / "scanagg.full.sarif"]
    for log in logs:
        assert validators.schema_errors(log) == []
        assert validators.upload_errors(log) == []
    assert sarif_check.check_github(logs[0], faulty) == []
    assert validators.multitool_notes(*logs) == []


def test_blocked_is_one_and_a_dry_run_is_zero(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    argv = ("--only", "bandit,detect-secrets")
    said = check(project, *argv)
    assert (said.code, said.report["gate"]["outcome"]) == (1, "blocked")
    assert said.out.startswith("BLOCKED")
    said = check(project, *argv, "--enforcement", "warn")
    assert (said.code, said.report["gate"]["outcome"]) == (0, "pass")
    assert "would" in said.out


def test_a_clean_project_passes(make_project: Make, osv: str) -> None:
    project = make_project(
        {"app.py": "import os\n\nprint(os.name)\n", "scanagg.toml": service(osv)}
    )
    said = check(project, "--skip", "safety,trivy")
    assert said.code == 0, said.out
    assert said.out.startswith("PASS")
    assert said.report["findings"] == []


def test_the_page_is_readable_at_eighty_columns_without_colours(faulty: Path) -> None:
    said = check(faulty, "--only", "bandit,detect-secrets,pip-audit,trivy", "-v")
    page = said.out.split("\nreport ")[0]
    assert "\x1b" not in said.out
    assert max(map(len, page.splitlines())) <= 80
    assert page.index("BLOCKED") < page.index("scanner") < page.index("CVE-2016-10745")
    assert "fixed in" in page
    assert "subprocess.run(name, shell=True)" in page


def test_quiet_prints_the_verdict_only(make_project: Make) -> None:
    said = check(make_project({"app.py": APP}), "--only", "bandit", "-q")
    assert said.out.startswith("PASS")
    assert "scanner" not in said.out


def test_b101_in_tests_is_info_and_says_why(make_project: Make) -> None:
    project = make_project({"tests/test_a.py": "def test_a():\n    assert 1\n"})
    (finding,) = check(project, "--only", "bandit").report["findings"]
    assert finding["severity"] == "info"
    assert any(claim["source"] == "policy" for claim in finding["severity_sources"])


def test_a_finding_keeps_its_fingerprint_when_lines_move(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    before = check(project, "--only", "bandit").report["findings"]
    (project / "app.py").write_text("# a comment\n\n" + APP)
    after = check(project, "--only", "bandit").report["findings"]
    assert [each["fingerprint"] for each in before] == [each["fingerprint"] for each in after]


def test_reports_go_to_the_project_and_are_not_scanned_again(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    for _ in range(2):
        done = scanagg("check", str(project), "--only", "detect-secrets")
        assert done.returncode == 1
    report = json.loads((project / "reports" / "scanagg.json").read_text())
    assert {finding["location"]["path"] for finding in report["findings"]} == {"app.py"}
    assert sorted(path.name for path in (project / "reports").iterdir()) == [
        "scanagg.html",
        "scanagg.json",
        "scanagg.sarif",
    ]


def test_earlier_reports_are_not_scanned_wherever_the_new_ones_go(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    scanagg("check", str(project), "--only", "detect-secrets")
    said = check(project, "--only", "detect-secrets")
    assert {finding["location"]["path"] for finding in said.report["findings"]} == {"app.py"}
    assert said.run("detect-secrets")["coverage"]["examined"] == 1


def test_an_image_that_nobody_looks_at_is_no_pass(make_project: Make, tmp_path: Path) -> None:
    project = make_project({"app.py": "x = 1\n"})
    done = scanagg("check", str(project), "--image", "nosuch:1", "--only", "bandit")
    assert (done.returncode, "--image needs trivy" in done.stderr) == (2, True)
    bare = {"PATH": "/usr/bin:/bin"}
    said = check(project, "--image", "nosuch:1", "--skip", "pip-audit,licenses,safety", env=bare)
    assert said.code == 3
    assert "the image nosuch:1 was not examined" in said.out


def test_a_sub_folder_has_paths_of_the_repository_in_sarif(make_project: Make) -> None:
    root = make_project({"sub/app.py": APP})
    said = check(root / "sub", "--only", "bandit")
    sarif = json.loads((said.folder / "scanagg.sarif").read_text())
    (run,) = [run for run in sarif["runs"] if run["results"]]
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
    }
    assert uris == {"sub/app.py"}
    assert {finding["location"]["path"] for finding in said.report["findings"]} == {"app.py"}


def test_only_tells_what_did_not_run(make_project: Make) -> None:
    said = check(make_project({"app.py": "x = 1\n"}), "--only", "bandit")
    assert said.code == 0
    assert "only bandit ran" in said.out


def test_a_skipped_required_scanner_is_incomplete(make_project: Make) -> None:
    project = make_project({"app.py": "x = 1\n", "requirements.txt": "idna==3.10\n"})
    said = check(project, "--skip", "pip-audit,safety,trivy,licenses")
    assert said.code == 3
    assert "skipped on the command line" in said.out


def test_configured_exclusions_are_said(make_project: Make) -> None:
    toml = 'exclude = ["legacy/"]\n'
    project = make_project({"app.py": "x = 1\n", "legacy/a.py": APP, "scanagg.toml": toml})
    said = check(project, "--only", "bandit")
    assert said.report["findings"] == []
    assert "excludes 1 file" in said.out


def test_without_a_terminal_there_is_no_progress(make_project: Make) -> None:
    assert check(make_project({"app.py": "x = 1\n"}), "--only", "bandit").err == ""


def test_verbose_tells_the_stages(make_project: Make) -> None:
    said = check(make_project({"app.py": APP}), "--only", "bandit", "-v")
    assert re.search(r"correlate: \d+ in, \d+ out", said.err)


# The other commands.


def test_scanners_tells_what_is_there(make_project: Make) -> None:
    project = make_project({"app.py": "x = 1\n"})
    done = scanagg("scanners", str(project), env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0
    for name in ("bandit", "detect-secrets", "licenses", "pip-audit", "safety", "trivy"):
        assert re.search(rf"^{name}", done.stdout, re.MULTILINE)
    assert "not installed" in done.stdout
    assert "applies here: 1 files" in done.stdout


def test_a_valid_policy_is_said_to_be(tmp_path: Path) -> None:
    policy = tmp_path / "p.yml"
    policy.write_text("version: 1\ndefault: warn\n")
    done = scanagg("policy", "check", str(policy))
    assert (done.returncode, done.stdout.startswith("valid")) == (0, True)


@pytest.mark.parametrize(
    ("argv", "verdict"),
    [
        (("MIT OR GPL-3.0-only", "--allow", "MIT"), "allow"),
        (("MIT AND GPL-3.0-only", "--allow", "MIT"), "deny"),
        (("MIT AND GPL-3.0-only", "--deny", "GPL-3.0-only"), "deny"),
        (("see LICENSE", "--allow", "MIT"), "unknown"),
        (("MIT", "--allow", "MIT, Apache-2.0"), "allow"),
    ],
)
def test_a_licence_expression_has_a_verdict(argv: tuple[str, ...], verdict: str) -> None:
    done = scanagg("license", "eval", *argv)
    assert (done.returncode, done.stdout) == (0, f"{verdict}\n")


def test_a_list_with_an_unknown_licence_is_a_usage_error() -> None:
    done = scanagg("license", "eval", "MIT", "--allow", "MITT")
    assert done.returncode == 2
    assert "MITT" in done.stderr


def test_the_version_is_printed() -> None:
    done = scanagg("--version")
    assert re.fullmatch(r"scanagg \d+\.\d+\.\d+\n", done.stdout)


def test_a_reader_that_goes_away_gets_no_traceback(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    command = f'"{PROGRAM}" check "{project}" --only bandit | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 3


def test_the_three_uses_judge_a_commit_alike(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    clone = project.parent / "clone"
    git(project, "clone", "-q", str(project), str(clone))
    here = check(project, "--only", "bandit,detect-secrets").report
    there = check(clone, "--only", "bandit,detect-secrets").report
    assert here["findings"] == there["findings"]
