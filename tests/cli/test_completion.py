"""The shell completes commands, options and values, without trusting the project."""

import json
import subprocess
from pathlib import Path

import pytest
from support.command import scanagg

WORDS = {
    "ba": ["baseline"],
    "check --fetch --offl": ["--offline"],
    "check --policy s": ["strict"],
    "check --only bandit,detect": ["bandit,detect-secrets"],
    "gate r.json --format cyc": ["cyclonedx"],
    "db ": ["update", "import", "status"],
    "explain b": ["b4ee", "b602"],
}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [("b4ee", "b602"), ("b$(id)", "b602"), ("c0de", "b;id")]
    findings = [{"id": name, "rule": {"id": rule}} for name, rule in ids]
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "scanagg.json").write_text(json.dumps({"findings": findings}))
    monkeypatch.chdir(tmp_path)


def variables(shell: str, words: str) -> dict[str, str]:
    line = f"scanagg {words}"
    if shell == "bash":
        return {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    return {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize("words", WORDS)
def test_bash_completes(words: str) -> None:
    env = {"_SCANAGG_COMPLETE": "complete_bash", **variables("bash", words)}
    done = scanagg(env=env)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, WORDS[words], "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete(shell: str) -> None:
    env = {"_SCANAGG_COMPLETE": f"complete_{shell}", **variables(shell, "check --policy w")}
    assert "weekly" in scanagg(env=env).stdout


@pytest.mark.usefixtures("report")
def test_a_broken_report_completes_nothing(tmp_path: Path) -> None:
    (tmp_path / "reports" / "scanagg.json").write_text("[")
    env = {"_SCANAGG_COMPLETE": "complete_bash", **variables("bash", "explain b")}
    done = scanagg(env=env)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_can_be_shown(shell: str) -> None:
    # Without this, it is always for the shell that runs the tests.
    env = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = scanagg("--show-completion", shell, env=env)
    assert done.returncode == 0
    assert "_SCANAGG_COMPLETE" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)
