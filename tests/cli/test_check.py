"""A whole check with real scanners: no duplicates, one verdict, the same in every report."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import sarif_check, validators
from support.command import PROGRAM, Said, check, scanagg
from support.osv import osv_server
from support.repository import commit, git

from scanagg.reports.base import names
from scanagg.scanners.base import all_scanners

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


@pytest.fixture(scope="module")
def osv(data_dir: Path) -> Iterator[str]:
    """An OSV service with an advisory database."""
    with osv_server(data_dir / "pypi-osv.zip") as url:
        yield url


def service(url: str) -> str:
    return f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'


@pytest.fixture(scope="module")
def faulty(data_dir: Path, osv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with findings of every scanner that needs no network."""
    folder = tmp_path_factory.mktemp("faulty")
    shutil.copytree(data_dir / "trivy-cache", folder / "trivy-cache")
    trivy = f'[scanners.trivy]\ncache-dir = "{folder}/trivy-cache"\nskip-db-update = true\n'
    files = {
        "app.py": APP,
        "key.pem": KEY,
        "requirements.txt": PINS,
        "Dockerfile": "FROM python:3.12\nUSER root\n",
        "scanagg.toml": service(osv) + trivy,
    }
    return commit(folder / "project", files)


@pytest.fixture(scope="module")
def checked(faulty: Path) -> Said:
    """A check of that project with every finding on the page, in every format."""
    return check_faulty(faulty)


def check_faulty(faulty: Path) -> Said:
    env = {"SCANAGG_CACHE_DIR": str(faulty.parent / "cache")}
    skip = ("--skip", "safety,licenses")
    return check(faulty, *skip, "-v", "--now", "2026-01-01T00:00:00Z", env=env)


def test_the_scanners_finish_and_find_something_of_each_category(checked: Said) -> None:
    report = checked.report
    assert checked.code == 1
    assert report["gate"]["outcome"] == "blocked"
    statuses = {run["scanner"]: run["status"] for run in report["runs"]}
    assert statuses == {
        "bandit": "ok",
        "betterleaks": "missing",
        "detect-secrets": "ok",
        "licenses": "skipped",
        "pip-audit": "ok",
        "safety": "skipped",
        "trivy": "ok",
    }
    assert {finding["category"] for finding in report["findings"]} == {
        "vulnerability",
        "code",
        "secret",
        "misconfiguration",
    }


def test_a_vulnerability_that_two_scanners_see_is_one_finding(checked: Said) -> None:
    found = [finding for finding in checked.report["findings"] if finding["advisory"]]
    by_id = {finding["advisory"]["id"]: finding for finding in found}
    assert len(by_id) == len(found)
    both = by_id["CVE-2016-10745"]
    assert {witness["scanner"] for witness in both["witnesses"]} == {"pip-audit", "trivy"}
    assert both["severity"] != "unknown"


def test_a_secret_that_several_scanners_see_is_one_finding(checked: Said) -> None:
    scanners = {
        (finding["location"]["path"], finding["location"]["start_line"]): {
            witness["scanner"] for witness in finding["witnesses"]
        }
        for finding in checked.report["findings"]
        if finding["category"] == "secret"
    }
    assert set(scanners) == {("app.py", 3), ("app.py", 4), ("key.pem", 1)}
    assert "detect-secrets" in scanners["key.pem", 1]
    assert scanners["app.py", 3] == {"bandit", "detect-secrets"}


def test_no_secret_is_in_any_output(checked: Said) -> None:
    for secret in ("correct-horse-battery", TOKEN, "MIIEpAIBAAKCAQEA1c7"):
        assert secret not in checked.everything


def test_no_path_of_this_machine_is_in_any_report(checked: Said, faulty: Path) -> None:
    reports = checked.everything.removeprefix(checked.out).removeprefix("\n" + checked.err)
    for path in (str(faulty.parent), sys.prefix, str(Path.home()) + "/"):
        assert path not in reports


def test_the_same_input_gives_the_same_reports_apart_from_times(
    checked: Said, faulty: Path
) -> None:
    def stable() -> dict[str, list[str]]:
        times = r'"(seconds|started|startTimeUtc|endTimeUtc)": ?("[^"]*"|[\d.e-]+)'
        return {
            path.name: re.sub(times, "", path.read_text()).splitlines()
            for path in sorted(checked.folder.glob("scanagg*.*"))
            if path.suffix in (".json", ".sarif")
        }

    first = stable()
    check_faulty(faulty)
    assert first == stable()


def test_no_validator_complains_of_the_sarif_of_a_real_check(checked: Said, faulty: Path) -> None:
    logs = [checked.folder / "scanagg.sarif", checked.folder / "scanagg.full.sarif"]
    for log in logs:
        assert validators.schema_errors(log) == []
        assert validators.upload_errors(log) == []
    assert sarif_check.check_github(logs[0], faulty) == []
    assert validators.multitool_notes(*logs) == []


def test_the_page_is_readable_at_eighty_columns_without_colours(checked: Said) -> None:
    page = checked.out.split("\nreport ")[0]
    assert "\x1b" not in checked.out
    assert max(map(len, page.splitlines())) <= 80
    assert page.index("BLOCKED") < page.index("scanner") < page.index("CVE-2016-10745")
    assert "fixed in" in page
    assert "subprocess.run(name, shell=True)" in page


def test_verbose_logs_the_stages(checked: Said) -> None:
    assert re.search(r"correlate: \d+ in, \d+ out", checked.err)


def test_blocked_is_one_and_a_dry_run_is_zero(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    argv = ("--only", "detect-secrets")
    blocked = check(project, *argv)
    assert (blocked.code, blocked.report["gate"]["outcome"]) == (1, "blocked")
    assert blocked.out.startswith("BLOCKED")
    dry = check(project, *argv, "--enforcement", "warn")
    assert (dry.code, dry.report["gate"]["outcome"]) == (0, "pass")
    assert dry.report["policy"]["enforcement"] == "warn"


def test_a_clean_project_passes(make_project: Make, osv: str) -> None:
    project = make_project(
        {"app.py": "import os\n\nprint(os.name)\n", "scanagg.toml": service(osv)}
    )
    said = check(project, "--skip", "safety,trivy")
    assert said.code == 0, said.out
    assert said.out.startswith("PASS")
    assert said.report["findings"] == []


def test_quiet_prints_the_verdict_only(make_project: Make) -> None:
    said = check(make_project({"app.py": "x = 1\n"}), "--only", "bandit", "-q")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == ["PASS  project, policy default"]


def test_without_a_terminal_there_is_no_progress_and_the_page_names_what_did_not_run(
    make_project: Make,
) -> None:
    said = check(make_project({"app.py": "x = 1\n"}), "--only", "bandit")
    assert (said.code, said.err) == (0, "")
    others = ["betterleaks", "detect-secrets", "licenses", "pip-audit", "safety", "trivy"]
    assert said.notices["only-some-scanners"] == {"others": others}
    assert ", ".join(others) in " ".join(said.out.split())


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


def test_reports_go_to_the_project_and_are_never_scanned(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    assert scanagg("check", str(project), "--only", "detect-secrets").returncode == 1
    names = {path.name for path in (project / "reports").iterdir()}
    assert names == {"scanagg.html", "scanagg.json", "scanagg.sarif"}
    # Another output folder.
    again = check(project, "--only", "detect-secrets")
    assert {finding["location"]["path"] for finding in again.report["findings"]} == {"app.py"}
    assert again.run("detect-secrets")["coverage"]["examined"] == 1


def test_reports_of_earlier_checks_are_left_out_wherever_they_are(make_project: Make) -> None:
    """Only those that git does not track: a change can commit any file under their names."""
    project = make_project({"app.py": APP})
    formats = [part for name in names() for part in ("--format", name)]
    for folder in ("out", "docs/reports"):
        argv = ("--only", "bandit", "--output-dir", str(project / folder), *formats)
        assert scanagg("check", str(project), *argv).returncode in (0, 1)
    (project / "reports").mkdir()
    token = "AKIA" + "QWERTYUIOP123456"
    (project / "reports" / "scanagg.json").write_text(
        f'{{"schema": "scanagg-report/1",\n"key": "{token}"}}\n', "utf-8"
    )
    (project / "lib").mkdir()
    (project / "lib" / "scanagg.md").write_text(f'key = "{token}"\n', "utf-8")
    git(project, "add", "reports")
    git(project, "commit", "-q", "-m", "reports")
    again = check(project, "--only", "detect-secrets", formats=["json"])
    found = {finding["location"]["path"] for finding in again.report["findings"]}
    assert found - {"app.py"} == {"reports/scanagg.json", "lib/scanagg.md"}
    skipped = again.report["target"]["skipped"]
    assert len(skipped) == 2 * len(names())
    assert {gap["reason"]["kind"] for gap in skipped} == {"earlier-report"}


def test_an_image_that_no_scanner_examines_is_no_pass(make_project: Make) -> None:
    project = make_project({"app.py": "x = 1\n"})
    done = scanagg("check", str(project), "--image", "nosuch:1", "--only", "bandit")
    assert (done.returncode, "--image" in done.stderr) == (2, True)
    bare = {"PATH": "/usr/bin:/bin"}
    said = check(project, "--image", "nosuch:1", "--skip", "pip-audit,licenses,safety", env=bare)
    assert said.code == 3
    reasons = {reason["kind"]: reason["values"] for reason in said.report["gate"]["reasons"]}
    assert reasons["image-not-examined"] == {"image": "nosuch:1"}


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


def test_a_skipped_required_scanner_is_incomplete(make_project: Make) -> None:
    project = make_project({"app.py": "x = 1\n", "requirements.txt": "idna==3.10\n"})
    said = check(project, "--skip", "pip-audit,safety,trivy,licenses")
    assert said.code == 3
    assert said.run("pip-audit")["status"] == "skipped"


def test_configured_exclusions_are_counted(make_project: Make) -> None:
    toml = 'exclude = ["legacy/"]\n'
    project = make_project({"app.py": "x = 1\n", "legacy/a.py": APP, "scanagg.toml": toml})
    said = check(project, "--only", "bandit")
    assert said.report["findings"] == []
    assert said.notices["files-excluded"] == {"count": 1}


# The other commands.


def test_scanners_lists_every_scanner(make_project: Make) -> None:
    project = make_project({"app.py": "x = 1\n"})
    done = scanagg("scanners", str(project), env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0
    for name in all_scanners():
        assert re.search(rf"^{name}", done.stdout, re.MULTILINE)
    assert "not installed" in done.stdout
    assert "inputs here: 1 file" in done.stdout


def test_a_valid_policy_is_valid(tmp_path: Path) -> None:
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
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, verdict)


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


def test_a_clone_is_judged_like_its_origin(make_project: Make) -> None:
    project = make_project({"app.py": APP})
    clone = project.parent / "clone"
    git(project, "clone", "-q", str(project), str(clone))
    first, second = (check(folder, "--only", "detect-secrets") for folder in (project, clone))
    assert first.report["findings"] == second.report["findings"] != []
