import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from history import Clone, Judge
from scans import SECRET, Flag, Flagged, Scan, Snapshot

from scanagg.model import Category

Files = Mapping[str, str]

CALL = "subprocess.call(f'job {name} --all --verbose', shell=True)"
OTHER = "subprocess.call(f'other {name} --never --quiet', shell=True)"
LONG = "subprocess.call(\n    f'job {name}',\n    shell=True,\n)"
LONGER = LONG.replace("    shell", "    env={},\n    shell")
PASSWORD = 'password = "job-hunter"'
CASES: Mapping[str, tuple[Files, Files, Mapping[str, object]]] = {
    "shifted": ({"a.py": CALL}, {"a.py": f"import os\n\n{CALL}"}, {"a.py:3": ("a.py", 1)}),
    "added": (
        {"a.py": CALL},
        {"a.py": f"{CALL}\n{OTHER}"},
        {"a.py:1": ("a.py", 1), "a.py:2": "added"},
    ),
    "rewritten": ({"a.py": CALL}, {"a.py": OTHER}, {"a.py:1": "added"}),
    "renamed": ({"a.py": CALL}, {"b.py": CALL}, {"b.py:1": ("a.py", 1)}),
    "copied": (
        {"a.py": CALL},
        {"a.py": f"{CALL}\n\n{CALL}"},
        {"a.py:1": ("a.py", 1), "a.py:3": "added"},
    ),
    "spaces": ({"a.py": CALL}, {"a.py": CALL.replace(", ", ",")}, {"a.py:1": ("a.py", 1)}),
    "quotes": ({"a.py": CALL}, {"a.py": CALL.replace("'", '"')}, {"a.py:1": "unsure"}),
    "edited": ({"a.py": LONG}, {"a.py": LONGER}, {"a.py:1": "edited"}),
    "out of tests": ({"tests/a.py": CALL}, {"app/a.py": CALL}, {"app/a.py:1": "unsure"}),
    "new secret": ({"a.py": "x = 1"}, {"a.py": f"x = 1\n{PASSWORD}"}, {"a.py:2": "added"}),
    "same value": (
        {"a.py": PASSWORD},
        {"a.py": PASSWORD.replace(" =", ": str =")},
        {"a.py:1": "unsure"},
    ),
    "renamed folder": (
        {"a/Dockerfile": "FROM job"},
        {"b/Dockerfile": "FROM job"},
        {"b/Dockerfile:0": ("a/Dockerfile", 0)},
    ),
    "new file": ({}, {"Dockerfile": "FROM job"}, {"Dockerfile:0": "added"}),
}


def git(root: Path, *argv: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x", *argv]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, files: Files) -> Snapshot:
    """Commit these files, and flag each call of a shell, each password and each Dockerfile."""
    for path in root.iterdir():
        if path.name != ".git":
            shutil.rmtree(path)
    flagged = {}
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True, parents=True)
        (root / path).write_text(text + "\n")
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            if line.startswith("subprocess"):
                last = number if line.endswith(")") else len(lines)
                flagged[Flag("B602", path, number)] = Flagged(Category.CODE, last, set())
            elif line.startswith("password"):
                values = {("scanner", line.split('"')[1])}
                flagged[Flag(SECRET, path, number)] = Flagged(Category.SECRET, number, values)
        if path.endswith("Dockerfile"):
            flagged[Flag("DS-0002", path, 0)] = Flagged(Category.MISCONFIGURATION, 0, set())
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")
    unused: Any = None
    return Snapshot(git(root, "rev-parse", "HEAD"), root, Scan(files), flagged, (), unused)


def of_all_cases(index: int) -> Files:
    """Return the files before or after, in a folder and with text of its own for each case."""
    return {
        f"{name}/{path}": text.replace("job", name * 3)
        for name, case in CASES.items()
        for path, text in case[index].items()
    }


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Flag, object]:
    root = tmp_path_factory.mktemp("history")
    git(root, "init", "--quiet")
    base, head = (commit(root, of_all_cases(index)) for index in (0, 1))
    return Judge(Clone(root), base, head).truth()


@pytest.mark.parametrize("name", CASES)
def test_truth(name: str, truth: Mapping[Flag, object]) -> None:
    found = {}
    for flag, what in truth.items():
        if flag.path.startswith(f"{name}/"):
            old = (what[0].removeprefix(f"{name}/"), what[1]) if isinstance(what, tuple) else what
            found[f"{flag.path.removeprefix(name + '/')}:{flag.line}"] = old
    assert found == CASES[name][2]
