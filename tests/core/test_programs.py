"""Programs are never taken from the checked tree, whatever PATH and links say."""

import os
import sys
from pathlib import Path

import pytest

from scanagg.core.process import Ended, Stop, run
from scanagg.core.programs import find_program, is_outside, safe_path

BIN = "opt/bin"


def program(path: Path, code: str = "exit 0") -> Path:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of a repository, with a program at each of many places."""
    monkeypatch.setenv("HOME", str(tmp_path))
    repository = tmp_path / "repository"
    project = repository / "services" / "project"
    (repository / ".git").mkdir(parents=True)
    for folder in ("", ".venv/bin", "tools"):
        program(project / folder / "git", "touch /tmp/ran")
    program(repository / "bin" / "git")
    program(tmp_path / BIN / "git")
    for name, target in {
        "link-to-folder": project / "tools",
        "link-to-file/git": project / "git",
        "link-to-link/git": tmp_path / "link-to-file" / "git",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
    (project / "link-out").symlink_to(tmp_path / BIN)
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize(
    "folders",
    [
        *([], [""], ["."], ["bin", "./bin"], [".venv/bin"], ["..", "../../bin"]),
        *(["{tree}"], ["{tree}/.venv/bin"], ["{tree}/.venv/../tools/"], ["{tree}/../../bin"]),
        *(["{tmp}/link-to-folder"], ["{tmp}/link-to-file"], ["{tmp}/link-to-link"]),
        *(["{tree}/link-out"], ["", "{tree}", "."], ["{tmp}/repository/services/../bin"]),
    ],
)
def test_a_folder_of_the_tree_on_path_is_passed_over(
    tree: Path, tmp_path: Path, folders: list[str]
) -> None:
    named = [folder.format(tree=tree, tmp=tmp_path) for folder in folders]
    environ = {"PATH": os.pathsep.join(named)}
    assert find_program("git", tree, environ) is None
    assert set(safe_path(environ, tree).split(os.pathsep)) <= {
        *(str(tmp_path / f"link-to-{kind}") for kind in ("file", "link")),
        *(os.devnull, *os.defpath.split(os.pathsep)),
    }
    outside = tmp_path / BIN / "git"
    environ = {"PATH": os.pathsep.join((*named, str(outside.parent)))}
    assert find_program("git", tree, environ) == str(outside)


def test_a_path_to_a_program_counts_like_path(tree: Path, tmp_path: Path) -> None:
    outside = str(tmp_path / BIN / "git")
    assert find_program(outside, tree) == outside
    for name in (str(tree / "git"), str(tmp_path / "link-to-file/git"), "./git", "tools/git", ""):
        assert find_program(name, tree) is None


def test_the_folder_of_our_own_interpreter_counts_as_outside(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tree / ".venv/bin/python"))
    environ = {"PATH": f"{tree}{os.pathsep}{tree / '.venv/bin'}"}
    assert find_program("git", tree, environ) == str(tree / ".venv/bin/git")
    assert find_program("git", tree.parent.parent, environ) == str(tree / ".venv/bin/git")


def test_what_was_checked_once_stays_forbidden(tree: Path, tmp_path: Path) -> None:
    environ = {"PATH": f"{tree}/tools"}
    base = tmp_path / "base"
    base.mkdir()
    assert find_program("git", tree, environ) is None
    assert find_program("git", base, environ) is None
    assert safe_path(environ, base) == os.devnull


def test_a_repository_of_the_home_folder_is_the_tree_only_without_another(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    assert is_outside(str(tmp_path / BIN / "git"), tree)
    assert not is_outside(str(tmp_path / "repository/bin/git"), tree)
    # Some CI systems use the checked out repository as the home folder.
    workspace = tmp_path / "workspace"
    (workspace / "sub").mkdir(parents=True)
    (workspace / ".git").mkdir()
    monkeypatch.setenv("HOME", str(workspace))
    inside = program(workspace / ".venv/bin/git")
    environ = {"PATH": str(inside.parent)}
    for checked in (workspace / "sub", workspace):
        assert find_program("git", checked, environ) is None


def test_no_program_of_the_tree_starts(tree: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program(tree / "tools" / "git", f"touch {ran}")
    environ = {"PATH": f"{tree}/tools:."}
    for argv in (["git"], ["./tools/git"], [str(tree / "tools/git")]):
        done = run(argv, cwd=tree, env=environ, tree=tree, timeout=5, stop=Stop())
        assert done.ended is Ended.NOT_STARTED
    # Nor does one through a program outside, which gets a PATH without the tree.
    argv = ["/bin/sh", "-c", "git; echo $PATH"]
    done = run(argv, cwd=tree, env=environ, tree=tree, timeout=5, stop=Stop())
    assert done.stdout.decode().strip() == os.devnull
    assert not ran.exists()
