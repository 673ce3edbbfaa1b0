"""What a project puts in the way of programs and imports does not run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import tools
from support.command import check

PROGRAMS = ("git", "trivy", "python", "python3", "bandit", "uv", "sh", "env")
BESIDE = ("", ".venv/bin", "venv/Scripts", "node_modules/.bin")


@pytest.fixture
def hostile(make_project: Callable[..., Path], tmp_path: Path) -> Path:
    """A project with programs that leave a trace, in folders that are often on PATH."""
    script = f"#!/bin/sh\ntouch {tmp_path}/ran; exit 0\n"
    project = make_project({"a.py": "import subprocess\n", "requirements.txt": "six==1.16.0\n"})
    for folder in BESIDE:
        for name in PROGRAMS:
            path = project / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(script)
            path.chmod(0o755)
    return project


def test_no_program_of_the_project_runs(hostile: Path, tmp_path: Path) -> None:
    folders = [".", "", ".venv/bin", *(str(hostile / folder) for folder in BESIDE)]
    rest = "/usr/bin:/bin"  # has git, but not trivy
    environment = {
        "PATH": os.pathsep.join((*folders, rest)),
        "VIRTUAL_ENV": str(hostile / "venv"),
    }
    done = check(
        hostile, "--only", "trivy,bandit", "--offline", formats=["json"],
        env=environment, cwd=hostile,
    )  # fmt: skip
    assert done.run("trivy")["status"] == "missing"
    assert done.run("trivy")["detail"]["kind"] == "program-in-project"
    assert done.run("bandit")["status"] in {"ok", "degraded"}
    assert done.report["target"]["revision"]["commit"]  # by the real git
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("limit", ["-v 25000", "-v 40000", "-v 60000", "-v 500000", "-n 20"])
def test_a_machine_without_resources_is_no_verdict(
    limit: str, make_project: Callable[..., Path]
) -> None:
    project = make_project({"a.py": "print()\n"})
    command = f"ulimit {limit}; exec {sys.executable} -m scanagg check --only bandit --offline"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} --output-dir {project.parent}/reports"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # Some machines need less. Memory for Python alone does not depend on scanagg.
    assert done.returncode in (0, 3) or not done.stderr.startswith("scanagg: ")
    assert "Traceback" not in done.stderr
    assert done.returncode != 0 or done.stdout.startswith("PASS")


def test_an_answer_that_cannot_be_read_costs_no_other_scanner(
    make_project: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "answer.json").write_text(
        '{"SchemaVersion": 2, "X": ' + "[" * 100_000 + "]" * 100_000 + "}"
    )
    program = tmp_path / "trivy"
    real = f'case "$1" in version) exec {tools.trivy()} "$@";; esac'
    program.write_text(f"#!/bin/sh\n{real}\ncat {tmp_path}/answer.json\n")
    program.chmod(0o755)
    project = make_project({"a.py": "import subprocess\n", "requirements.txt": "six==1.16.0\n"})
    environment = {"SCANAGG_TRIVY_PATH": str(program)}
    done = check(
        project, "--only", "trivy,bandit", "--offline", formats=["json"], env=environment
    )  # fmt: skip
    assert done.code == 3
    assert done.run("trivy")["status"] == "failed"
    assert done.run("trivy")["detail"]["kind"] == "unreadable-answer"
    assert done.run("bandit")["status"] == "ok"
    assert [finding["rule"]["id"] for finding in done.report["findings"]] == ["B404"]
