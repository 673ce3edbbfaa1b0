"""What a project puts in the way of programs and imports does not run."""

import os
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("limit", ["-v 60000", "-v 120000", "-v 500000", "-n 20"])
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


def test_a_killed_check_leaves_no_program_and_no_file(
    make_project: Callable[..., Path], tmp_path: Path
) -> None:
    program, started, temporary = tmp_path / "trivy", tmp_path / "started", tmp_path / "temporary"
    program.write_text(f"#!/bin/sh\nsleep 60 &\necho $$ $! > {started}\nwait\n")
    program.chmod(0o755)
    temporary.mkdir()
    project = make_project({"a.py": "print()\n", "requirements.txt": "six==1.16.0\n"})
    environment = {"SCANAGG_TRIVY_PATH": str(program), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "scanagg", "check", str(project), "--offline"]
    killed = subprocess.Popen(
        [*command, "--only", "trivy", "--output-dir", str(tmp_path / "reports")],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert within(30, lambda: started.exists() and len(started.read_text().split()) == 2)
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert within(10, lambda: not any(map(is_running, started.read_text().split())))
    work = Path(os.environ["SCANAGG_CACHE_DIR"]) / "work"
    assert list(work.iterdir()) != []
    done = check(project, "--only", "bandit", formats=["json"], new_process=True)
    assert done.code == 0
    assert [*work.iterdir(), *temporary.iterdir()] == []


def is_running(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return result


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
