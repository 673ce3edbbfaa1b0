"""The projects in which the documents' examples run."""

import subprocess
import sysconfig
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from doc_examples import COMMITTED
from support.command import scanagg
from support.repository import git

# In two parts, or a search for secrets would find them here.
_PASSWORD = "correct" + "-horse-battery"
_TOKEN = "c29tZXRoaW5nIHRo" + "YXQgbG9va3MgbGlrZSBhIGtleQ=="

_JOB = '''"""Job number {number}."""

import pickle
import subprocess


def run(command):
    return subprocess.call(command, shell=True)


def load(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def show(expression):
    return eval(expression)
'''

_TRUSTED = """\
import subprocess


def tags(folder):
    return subprocess.run("git tag | sort", shell=True, cwd=folder)
"""


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _commit(root: Path) -> None:
    dates = {f"GIT_{who}_DATE": COMMITTED for who in ("AUTHOR", "COMMITTER")}
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Start", env=dates)


def old(root: Path) -> None:
    """Years of code, and 200 findings: five in each of 39 jobs, and the rest in the settings."""
    jobs = {f"shop/job_{number:02}.py": _JOB.format(number=number) for number in range(39)}
    settings = f'PASSWORD = "{_PASSWORD}"\nSESSION_KEY = "{_TOKEN}"\n'
    more = (
        "import hashlib\nimport yaml\n\n\n"
        "def digest(text):\n    return hashlib.md5(text).hexdigest()\n\n\n"
        "def read(text):\n    return yaml.load(text)\n\n\n"
        "def check(user):\n    assert user\n"
    )
    _write(
        root,
        {
            **jobs,
            "shop/settings.py": settings,
            "shop/tools.py": more,
            ".gitignore": "reports/\n",
        },
    )
    _commit(root)


def small(root: Path) -> None:
    """Two weak spots in one file."""
    _write(root, {"tools/release.py": _TRUSTED, ".gitignore": "reports/\n"})
    _commit(root)


def licensed(root: Path) -> None:
    """Three packages in an environment, with what their metadata says of their licences."""
    said = {
        "left-pad": "License-Expression: MIT OR GPL-3.0-only",
        "old-pad": "Classifier: License :: OSI Approved :: BSD License",
        "own-pad": "License: see the contract",
    }
    venv.create(root / ".venv", symlinks=True)
    place = sysconfig.get_path(
        "purelib", "venv", vars={"base": ".venv", "platbase": ".venv", "installed_base": ".venv"}
    )
    metadata = {
        f"{place}/{name.replace('-', '_')}-1.0.dist-info/METADATA": (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{line}\n"
        )
        for name, line in said.items()
    }
    pins = "".join(f"{name}==1.0\n" for name in said)
    _write(root, {**metadata, "requirements.txt": pins, ".gitignore": ".venv/\n"})
    _commit(root)


def merge(root: Path) -> None:
    """Two branches that each let the baseline grow, in the middle of their merge."""
    small(root)
    _on_record(root, "Baseline")
    for branch, name, text in (("left", "a", "import pickle\n"), ("right", "b", "import dill\n")):
        git(root, "switch", "-q", "-c", branch, "main")
        _write(root, {f"tools/{name}.py": text})
        _on_record(root, branch, "--accept", "--owner", "@ops", "--reason", "see later")
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "-q", "left")


def _on_record(root: Path, message: str, *more: str) -> None:
    done = scanagg("baseline", "write", "--only", "bandit", *more, cwd=root)
    assert done.returncode == 0, done.stderr
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


def nothing(root: Path) -> None:
    """A folder that examples fill themselves."""
    _write(root, {".gitignore": "reports/\n"})
    _commit(root)


PROJECTS: Mapping[str, Callable[[Path], None]] = {
    "shop": old,
    "release": small,
    "licensed": licensed,
    "merge": merge,
}
"""By the names of sessions; any other one begins with nothing."""


def make(name: str, folder: Path) -> Path:
    """The project of a session, in a new folder of its name."""
    root = folder / name
    root.mkdir(parents=True)
    PROJECTS.get(name, nothing)(root)
    return root
