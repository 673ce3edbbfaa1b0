"""A secret in a path, a branch, an address or an unreadable line is shown nowhere."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.command import check, scanagg
from support.history import git

Make = Any

TOKEN = "ghp_" + "a1B2" * 9
KEY = "AKIA" + "Z7Q2" * 4
OTHER_KEY = "AKIA" + "Y6P1" * 4
SHORT = "hunter2secret"
SHELL = "import subprocess\nsubprocess.run(input(), shell=True)\n"
FILES = {
    f"config/{TOKEN}.txt": "x = 1\n",
    f"config/{KEY} (1).env": "x = 1\n",
    f"{KEY}/app.py": SHELL,
    f"{OTHER_KEY}/app.py": SHELL,
    f"deploy/token={SHORT}.env": "x = 1\n",
    f"{TOKEN}/requirements.txt": "jinja2\n",
    "requirements.txt": "\n".join(
        (
            f"{TOKEN} this is no requirement",
            f"password: {SHORT}",
            f"--index-url https://me:{SHORT}@pypi.example/simple wrong",
            f"--token={SHORT}",
            f"--no-such-option {SHORT}",
            f"a @ https://x.example/a.whl?token={SHORT}",
            f"b @ git+https://{SHORT}@x.example/b",
            f"-r {TOKEN}.txt",
            f"{KEY}==1.0",
            f"c=={KEY}",
        )
    ),
    "pyproject.toml": f'[project]\nname = "x"\ndependencies = ["{SHORT} 9", "d @ {TOKEN}"]\n',
    "setup.cfg": f"{TOKEN}\n[options\n",
    "uv.lock": f'version = 1\n"{KEY}" = "{KEY}"\n"{KEY}" = 1\n',
}
ALL = ("json", "sarif", "sarif-full", "html", "md", "cyclonedx")


def secrets_in(text: str) -> list[str]:
    return [secret for secret in (TOKEN, KEY, OTHER_KEY, SHORT) if secret.lower() in text.lower()]


@pytest.fixture
def project(make_project: Make) -> Path:
    project: Path = make_project(FILES)
    git(project, "checkout", "-q", "-b", f"fix/{TOKEN}")
    git(project, "remote", "add", "origin", f"https://me:{SHORT}@git.example/{KEY}/x")
    return project


def test_no_secret_of_a_name_or_line_is_shown(project: Path) -> None:
    said = check(project, "--only", "bandit,pip-audit", "--offline", "-v", formats=ALL)
    assert secrets_in(said.everything) == []
    paths = {finding["location"]["path"] for finding in said.report["findings"]}
    assert paths == {"***/app.py", "*** (2)/app.py"}


def test_a_secret_in_a_path_is_a_finding_that_a_baseline_recognises(project: Path) -> None:
    argv = ("--only", "detect-secrets,bandit")
    said = check(project, *argv, formats=ALL)
    assert secrets_in(said.everything) == []
    named = {
        finding["location"]["path"]
        for finding in said.report["findings"]
        if finding["rule"]["id"] == "secret-in-a-path"
    }
    shown = {"config/***.txt", "config/*** (1).env", "***/app.py", "*** (2)/app.py"}
    assert named == {*shown, "deploy/token=***.env", "***/requirements.txt"}
    assert set(said.notices["secret-names"]["paths"]) == named
    for finding in said.report["findings"]:
        done = scanagg("explain", finding["id"], "--report", str(said.folder / "scanagg.json"))
        assert (done.returncode, secrets_in(done.stdout)) == (0, [])
    done = scanagg("baseline", "write", *argv, cwd=project)
    assert (done.returncode, secrets_in(done.stdout + done.stderr)) == (0, [])
    assert secrets_in((project / "policies" / "baseline.json").read_text()) == []
    again = check(project, *argv)
    assert {finding["origin"] for finding in again.report["findings"]} == {"existing"}


def test_two_commits_have_the_same_masked_paths(project: Path) -> None:
    (project / f"{KEY}/new.py").write_text(SHELL)
    said = check(project, "--only", "bandit", "--base", "HEAD", formats=ALL)
    assert secrets_in(said.everything) == []
    origins = {
        finding["location"]["path"]: finding["origin"] for finding in said.report["findings"]
    }
    old = dict.fromkeys(("***/app.py", "*** (2)/app.py"), "existing")
    assert origins == {**old, "***/new.py": "introduced"}


def test_no_secret_of_a_name_is_an_argument_of_a_program(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    popen = subprocess.Popen

    def start(argv: Sequence[str], **settings: Any) -> Any:
        started.append("\0".join(map(os.fsdecode, argv)))
        return popen(argv, **settings)

    monkeypatch.setattr(subprocess, "Popen", start)
    said = check(project, "--only", "bandit,detect-secrets,pip-audit", "--offline")
    assert said.run("bandit")["coverage"]["examined"] == 2
    bandit = Path(sys.executable).parent / "bandit"
    said = check(project, "--only", "bandit", env={"SCANAGG_BANDIT_PATH": str(bandit)})
    gaps = {gap["reason"]["kind"] for gap in said.run("bandit")["coverage"]["not_examined"]}
    assert (said.run("bandit")["status"], gaps) == ("empty", {"secret-name"})
    assert len(started) > 5
    assert secrets_in("\n".join(started)) == []


def test_errors_about_rules_do_not_show_their_text(make_project: Make) -> None:
    for name, content in {
        "scanagg.toml": f'jobs = "{KEY}"\n',
        "scanagg.yml": f"version: 1\ndefault: {TOKEN}\n",
    }.items():
        project = make_project({name: content})
        done = scanagg("check", str(project))
        assert (done.returncode, secrets_in(done.stdout + done.stderr)) == (2, [])
    done = scanagg("check", ".", "--policy", f"https://me:{SHORT}@x.example/policy.yml")
    assert (done.returncode, secrets_in(json.dumps(done.stderr))) == (2, [])


def test_a_secret_that_a_scanner_found_is_shown_in_no_attempt_or_gap(make_project: Make) -> None:
    value = "Qx7hunterVal99z"
    root = make_project({"b.py": ""})
    git(root, "checkout", "-q", "-b", "change")
    (root / "a.py").write_text(f"password = '{value}'\n")
    (root / ".gitattributes").write_text(f"*.py filter={value}\n")
    (root / "pyproject.toml").write_text(f"[tool.scanagg]\nexclude = ['{value}']\n")
    (root / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: https://x.example/y\n  hooks:\n  - id: z\n"
        f"    additional_dependencies: ['foo==1 {value}']\n"
    )
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    options = ("--only", "detect-secrets,pip-audit", "--base", "main", "--policy-ref", "main")
    said = check(root, *options, formats=ALL)
    kinds = {attempt["kind"] for attempt in said.report["gate"]["attempts"]}
    assert len(kinds) >= 2
    for text in (said.out, said.err, *(file.read_text() for file in said.folder.iterdir())):
        assert value not in text
