"""The pre-commit hooks run with the tools of this environment, and stop what CI would stop."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dev

TIDY = '"""A package."""\n\nNAME: str = "scanagg"\n'


@pytest.fixture
def hooks(make_project: Callable[..., Path], tmp_path: Path) -> Callable[[str], list[str]]:
    """Return the hooks that fail for a package with this one module."""

    def run(source: str) -> list[str]:
        project = make_project({"scanagg/__init__.py": source})
        for name in (".pre-commit-config.yaml", "pyproject.toml"):
            shutil.copy(dev.ROOT / name, project / name)
        (project / ".venv").symlink_to(sys.prefix)
        done = subprocess.run(
            [project / ".venv" / "bin" / "pre-commit", "run", "--all-files", "--color", "never"],
            cwd=project,
            env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "pre-commit")},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        failed = [line.partition(".")[0] for line in lines if line.endswith("Failed")]
        assert bool(failed) is bool(done.returncode), done.stdout + done.stderr
        return failed

    return run


@pytest.mark.parametrize(
    ("source", "failed"),
    [
        (TIDY, []),
        (TIDY.replace('"scanagg"', "'scanagg'"), ["ruff format"]),
        (TIDY + "\nprint(NAME)\n", ["ruff check"]),
        (TIDY.replace("str", "int"), ["mypy"]),
    ],
    ids=["tidy", "format", "lint", "types"],
)
def test_a_hook_stops_what_ci_would_stop(
    source: str, failed: list[str], hooks: Callable[[str], list[str]]
) -> None:
    assert hooks(source) == failed
