"""The locks install as they are: with the oldest pip, even if newer releases exist.

`test_action.py` installs the lock of the action.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.lockers import Packages, index, wheel
from support.locks import ACTION, DEV, LOCKERS, LOCKS, newer_releases, pins

import dev

# There is a newer release of `lib` than the locked one.
RELEASED: Packages = {"app": {"1": ["lib[extra]>=1"]}, "lib": {"1": [], "2": []}}


@pytest.fixture
def python(old_environment: Path, tmp_path: Path) -> Path:
    """The interpreter of a new environment with the oldest pip."""
    shutil.copytree(old_environment, tmp_path / "environment", symlinks=True)
    return tmp_path / "environment" / "bin" / "python"


def installed(python: Path) -> dict[str, str]:
    """Return the name and version of each package in the environment of an interpreter."""
    command = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, check=True)
    return {canonicalize_name(row["name"]): row["version"] for row in json.loads(done.stdout)}


def lock_of(folder: Path, versions: Mapping[str, str]) -> str:
    """Write a lock of some of RELEASED and return its path."""
    lock = folder / "lock.txt"
    with lock.open("w") as file:
        for name, version in versions.items():
            content = wheel(name, version, RELEASED[name][version])
            print(
                f"{name}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}", file=file
            )
    return str(lock)


@contextmanager
def only_index(monkeypatch: pytest.MonkeyPatch, packages: Packages) -> Iterator[None]:
    """Let pip find these packages and nothing else that this machine has configured."""
    with index(packages) as url, monkeypatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_FIND_LINKS", "")
        patch.setenv("PIP_INDEX_URL", url)
        yield


@pytest.mark.parametrize("lock", [DEV, LOCKERS])
def test_a_lock_installs_as_it_is(
    lock: str, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without unpacking: pip reads every file and its hash, and names what it would install."""
    monkeypatch.setenv("PIP_FIND_LINKS", newer_releases(tmp_path / "released-since"))
    monkeypatch.setenv("PIP_DRY_RUN", "1")
    monkeypatch.setenv("PIP_REPORT", str(tmp_path / "report.json"))
    dev.install(python, lock)
    report = json.loads((tmp_path / "report.json").read_text())
    packages = [item["metadata"] for item in report["install"]]
    versions = {canonicalize_name(package["name"]): package["version"] for package in packages}
    assert versions == pins(lock)
    for package in packages:
        for requirement in map(Requirement, package.get("requires_dist", ())):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                version = versions[canonicalize_name(requirement.name)]
                assert requirement.specifier.contains(version, prereleases=True), package["name"]


def test_a_newer_release_on_the_index_changes_nothing(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tmp_path, {"app": "1", "lib": "1"})
    with only_index(monkeypatch, RELEASED):
        dev.install(python, lock)
    assert installed(python).items() >= {"app": "1", "lib": "1"}.items()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="fixed in the pip that this Python brings")
def test_a_newer_release_breaks_a_lock_that_is_resolved(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tmp_path, {"app": "1", "lib": "1"})
    with only_index(monkeypatch, RELEASED):
        command = [python, "-m", "pip", "install", "--require-hashes", "-r", lock]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "lib[extra]>=1 from" in done.stderr


def test_a_lock_that_lacks_a_package_is_refused(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tmp_path, {"app": "1"})
    with only_index(monkeypatch, RELEASED), pytest.raises(subprocess.CalledProcessError):
        dev.install(python, lock)


def test_a_file_with_another_hash_is_refused(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tmp_path, {"lib": "1"})
    with (
        only_index(monkeypatch, {"lib": {"1": ["other"]}}),
        pytest.raises(subprocess.CalledProcessError),
    ):
        dev.install(python, lock)
    assert "lib" not in installed(python)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runtime = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    asked = {
        DEV: [*runtime, *extras["safety"], *resolve_dependency_groups(groups, "dev")],
        ACTION: [*runtime, *project["build-system"]["requires"]],
        LOCKERS: resolve_dependency_groups(groups, "lockers"),
    }
    assert groups["build"] == project["build-system"]["requires"]
    for lock, requirements in asked.items():
        listed = pins(lock)
        for requirement in map(Requirement, requirements):
            if requirement.marker is None or requirement.marker.evaluate():
                version = listed[canonicalize_name(requirement.name)]
                assert requirement.specifier.contains(version, prereleases=True), requirement


def test_locks_have_hashes_and_name_no_host() -> None:
    for lock in LOCKS:
        text = (dev.ROOT / lock).read_text()
        assert "://" not in text
        _, *entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries)
    node = (dev.ROOT / "tests" / "node" / "package-lock.json").read_text()
    assert "://" not in node
    assert node.count('"integrity"') == node.count('"node_modules/')


def test_the_action_installs_what_was_tested() -> None:
    assert pins(ACTION).items() <= pins(DEV).items()
