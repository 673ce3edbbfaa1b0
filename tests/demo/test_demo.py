"""The demonstration's project is the same everywhere, and its advisories are facts."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.repository import git

from scanagg.core.errors import OutputError, UsageError
from scanagg.core.tokens import FORMATS
from scanagg.demo import make_project

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "scanagg" / "demo"
HOSTILE = """\
[core]
    hooksPath = {folder}/hooks
    autocrlf = true
    excludesFile = {folder}/excludes
[commit]
    gpgSign = true
[gpg]
    program = {folder}/hooks/post-checkout
[init]
    templateDir = {folder}/template
    defaultBranch = trunk
"""
State = tuple[list[str], dict[str, bytes], str]
HOOKS = ("post-checkout", "post-index-change", "pre-commit", "reference-transaction")


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of the project's files, without git and the environment."""
    names = git(folder, "ls-files").splitlines()
    return {name: (folder / name).read_bytes() for name in names}


def state(folder: Path) -> State:
    """Return the project's commits, its files, and what git says has changed."""
    commits = git(folder, "log", "--all", "--format=%H %an %aI %cI").splitlines()
    return commits, files(folder), git(folder, "status", "--porcelain")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def expected(project: Path) -> State:
    return state(project)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a user whose git signs, runs hooks, and has variables. Return where hooks write."""
    home, ran = tmp_path / "home", tmp_path / "ran"
    for name in HOOKS:
        for hook in (home / "hooks" / name, home / "template" / "hooks" / name):
            hook.parent.mkdir(parents=True, exist_ok=True)
            hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
            hook.chmod(0o755)
    (home / "excludes").write_text("*.py\n*.txt\n.gitignore\n")
    (home / ".gitconfig").write_text(HOSTILE.format(folder=home))
    variables = {
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_DIR": tmp_path / "elsewhere",
        "GIT_INDEX_FILE": tmp_path / "index",
        "GIT_OBJECT_DIRECTORY": tmp_path / "objects",
        "GIT_TEMPLATE_DIR": home / "template",
        "GIT_AUTHOR_NAME": "Somebody",
        "TZ": "Asia/Tokyo",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return ran


def test_the_project_does_not_depend_on_the_users_git(
    expected: State, hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path / "other")
    assert not hostile.exists()
    assert not (tmp_path / "elsewhere").exists()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    commits, _, changed = state(tmp_path / "other")
    assert state(tmp_path / "other") == expected
    assert changed == ""
    assert [line.partition(" ")[2] for line in commits] == [
        "Ada 2026-11-02T09:00:00+00:00 2026-11-02T09:00:00+00:00",
        "Grace 2026-10-05T14:30:00+00:00 2026-10-05T14:30:00+00:00",
        "Ada 2026-09-07T09:00:00+00:00 2026-09-07T09:00:00+00:00",
    ]


def test_making_it_again_restores_its_files_and_keeps_others(project: Path) -> None:
    expected = files(project)
    (project / "notes.txt").write_text("mine")
    (project / "shop" / "app.py").write_text("changed")
    (project / "requirements.txt").unlink()
    make_project(project)
    assert files(project) == expected
    assert (project / "notes.txt").read_text() == "mine"


def test_making_it_again_writes_through_no_link(project: Path, tmp_path: Path) -> None:
    for name in ("shop", ".venv"):
        elsewhere = tmp_path / f"elsewhere{name}"
        elsewhere.mkdir()
        (elsewhere / "app.py").write_text("mine")
        (project / name).rename(tmp_path / f"moved{name}")
        (project / name).symlink_to(elsewhere)
    make_project(project)
    for name in ("shop", ".venv"):
        assert not (project / name).is_symlink()
        assert [path.name for path in (tmp_path / f"elsewhere{name}").iterdir()] == ["app.py"]
        assert (tmp_path / f"elsewhere{name}" / "app.py").read_text() == "mine"


def file(folder: Path) -> None:
    folder.write_text("mine")


def filled(folder: Path) -> None:
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")


def repository(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q")


def linked(folder: Path) -> None:
    """A folder whose `.git` leads to that of a demonstration."""
    make_project(folder.parent / "demonstration")
    filled(folder)
    (folder / ".git").symlink_to(folder.parent / "demonstration" / ".git")


@pytest.mark.parametrize("make", [file, filled, repository, linked])
def test_other_folders_are_refused_and_stay(make: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    make(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError):
        make_project(folder)
    assert sorted(tmp_path.rglob("*")) == before


def dangling(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "gone")
    return folder / "link"


@pytest.mark.parametrize(
    "name",
    [dangling, lambda folder: folder / ("a" * 300), lambda folder: folder / "a\udcff"],
    ids=["dangling", "long", "unicode"],
)
def test_a_name_that_cannot_be_used_is_an_error(
    name: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        make_project(name(tmp_path))


def test_a_folder_that_exists_and_is_empty_is_used(tmp_path: Path) -> None:
    make_project(tmp_path)
    assert (tmp_path / "requirements.txt").is_file()


@pytest.mark.parametrize("script", ["exit 1", "echo broken >&2; exit 128", None])
def test_a_git_that_fails_is_an_error(
    script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if script is not None:
        (programs / "git").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(OutputError):
        make_project(tmp_path / "project")


def test_no_file_of_the_package_has_a_key_but_the_project_has_one(project: Path) -> None:
    def tokens(text: str) -> list[str]:
        return [text[start:end] for form in FORMATS for start, end in form.find(text)]

    for path in DATA.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert tokens(path.read_text("utf-8")) == [], path
    assert len(tokens((project / "shop" / "settings.py").read_text("utf-8"))) == 1


def test_it_can_be_made_again_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(OutputError):
        patch.setenv("PATH", str(tmp_path))
        make_project(tmp_path / "project")
    make_project(tmp_path / "project")
    assert files(tmp_path / "project")


def test_its_advisories_are_published_ones(data_dir: Path) -> None:
    def facts(record: dict[str, Any]) -> dict[str, Any]:
        (affected,) = record["affected"]
        events = [
            {kind: [int(part) for part in version.split(".")] for kind, version in event.items()}
            for found in affected["ranges"]
            for event in found["events"]
        ]
        return {
            "package": affected["package"]["name"].lower(),
            "events": events,
            "severity": [score["score"] for score in record["severity"]],
            "label": record["database_specific"]["severity"],
            "weaknesses": record["database_specific"]["cwe_ids"],
            "modified": record["modified"],
        }

    with zipfile.ZipFile(data_dir / "pypi-osv.zip") as export:
        for record in json.loads((DATA / "advisories.json").read_text("utf-8")):
            published = json.loads(export.read(f"{record['id']}.json"))
            assert facts(record) == facts(published)
            cve, pysec = record["aliases"]
            assert cve in published["aliases"]
            other = json.loads(export.read(f"{pysec}.json"))
            assert {cve, record["id"]} <= set(other["aliases"])
            assert record["published"] == min(published["published"], other["published"])


def test_the_wheel_has_the_project(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for path in DATA.iterdir():
            if path.is_file():
                name = path.relative_to(ROOT).as_posix()
                assert archive.read(name) == path.read_bytes()
