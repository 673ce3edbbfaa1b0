"""Rules are read from the work tree or from a commit; other paths are errors."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.repository import git

from scanagg.core.git import Git
from scanagg.project import trusted
from scanagg.project.trusted import Committed, Files, WorkTree, locate

Make = Callable[..., Path]


def committed(root: Path, prefix: str = "") -> Committed:
    return Committed(Git(root), git(root, "rev-parse", "HEAD").strip(), prefix)


def reason(files: Files, path: str) -> str:
    with pytest.raises(OSError) as caught:
        files.read(path)
    return str(caught.value.strerror)


def test_both_places_give_the_bytes_or_nothing(make_project: Make) -> None:
    root = make_project({"a/b.yml": b"x: \xff\r\n", "ü [1]*.yml": b"y"})
    for files in (WorkTree(root), committed(root)):
        assert files.read("a/b.yml") == b"x: \xff\r\n"
        assert files.read("./a//b.yml") == b"x: \xff\r\n"
        assert files.read("a/../a/b.yml") == b"x: \xff\r\n"
        assert files.read("ü [1]*.yml") == b"y"
        assert files.read("a/gone.yml") is None
        assert files.read("gone/b.yml") is None
        assert files.read("*") is None
        assert files.read(":(top)a/b.yml") is None
    assert (WorkTree(root).ref, committed(root).ref) == (None, committed(root).commit)


def test_a_commit_is_read_as_it_was_made(make_project: Make) -> None:
    root = make_project({"a.yml": "old"})
    files = committed(root)
    (root / "a.yml").write_text("new")
    (root / "b.yml").write_text("new")
    assert (files.read("a.yml"), files.read("b.yml")) == (b"old", None)
    assert WorkTree(root).read("a.yml") == b"new"
    git(root, "rm", "-q", "--cached", "a.yml")
    git(root, "commit", "-q", "-m", "gone")
    assert files.read("a.yml") == b"old"


def test_the_prefix_leads_to_a_project_below_the_top(make_project: Make) -> None:
    root = make_project({"a.yml": "top", "sub/dir/a.yml": "inner"})
    files = committed(root, "sub/dir/")
    assert files.read("a.yml") == b"inner"
    assert reason(files, "../../a.yml") == "leads out of the project"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../x", "leads out of the project"),
        ("a/../../x", "leads out of the project"),
        ("/etc/passwd", "leads out of the project"),
        ("..", "leads out of the project"),
        ("", "is not a path"),
        (".", "is not a path"),
        ("a\0b", "is not a path"),
        ("a\ud800", "is not a path"),
        ("folder", "is not a regular file"),
    ],
)
def test_other_paths_are_refused(make_project: Make, path: str, why: str) -> None:
    root = make_project({"folder/a": ""})
    assert reason(WorkTree(root), path) == why
    assert reason(committed(root), path) == why


def test_a_link_is_followed_in_a_work_tree_and_refused_in_a_commit(make_project: Make) -> None:
    root = make_project({"real/a.yml": "x"})
    (root / "link.yml").symlink_to("real/a.yml")
    (root / "linked").symlink_to("real")
    (root / "dead.yml").symlink_to("gone")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "links")
    tree, commit = WorkTree(root), committed(root)
    assert tree.read("link.yml") == tree.read("linked/a.yml") == b"x"
    assert reason(tree, "dead.yml") == "is a broken symbolic link"
    assert reason(commit, "link.yml") == "is a symbolic link, which is not followed in a commit"
    assert reason(commit, "dead.yml") == "is a symbolic link, which is not followed in a commit"
    assert reason(commit, "linked/a.yml") == (
        "cannot be read: linked is a symbolic link, which is not followed in a commit"
    )


def test_a_submodule_and_its_files_are_refused(make_project: Make) -> None:
    inner = make_project({"a.yml": "x"}, name="inner")
    root = make_project({"b.yml": "x"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    git(root, *add, str(inner), "policies")
    git(root, "commit", "-q", "-m", "module")
    assert WorkTree(root).read("policies/a.yml") == b"x"
    assert "is a submodule" in reason(committed(root), "policies")
    assert reason(committed(root), "policies/a.yml").startswith("cannot be read: policies is a su")


def test_below_a_file_there_is_nothing(make_project: Make) -> None:
    root = make_project({"policies": "x"})
    assert committed(root).read("policies/a/b.yml") is None
    assert WorkTree(root).read("policies/a/b.yml") is None


def test_a_file_over_the_limit_is_refused(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a.yml": "x" * 100, "b.yml": "x" * 101})
    monkeypatch.setattr(trusted, "MAX_BYTES", 100)
    for files in (WorkTree(root), committed(root)):
        assert len(files.read("a.yml") or b"") == 100
        assert reason(files, "b.yml").startswith("is larger than ")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "scanagg.yml")
    assert reason(WorkTree(tmp_path), "scanagg.yml") == "is not a regular file"


def test_a_missing_commit_is_an_error(make_project: Make) -> None:
    root = make_project({"a.yml": "x"})
    files = Committed(Git(root), "0" * 40)
    assert reason(files, "a.yml") == "cannot be looked up in commit 000000000000"


def test_a_missing_object_is_an_error(make_project: Make) -> None:
    root = make_project({"a.yml": "x"})
    files = committed(root)
    oid = git(root, "rev-parse", "HEAD:a.yml").strip()
    (root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    assert "git cannot read it" in reason(files, "a.yml")


def test_a_named_file_is_located_in_the_project_or_else_on_the_disk(
    make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"sub/a.yml": "x", "b.yml": "y"})
    tree, commit = WorkTree(root / "sub"), committed(root, "sub/")
    (tmp_path / "alias").symlink_to(root)
    for spelled in (root / "sub" / "a.yml", tmp_path / "alias" / "sub" / "a.yml"):
        assert locate(tree, root / "sub", spelled) == (tree, "a.yml")
        assert locate(commit, root / "sub", spelled) == (commit, "a.yml")
    assert locate(tree, root / "sub", root / "b.yml") is None
    found = locate(commit, root / "sub", root / "b.yml")
    assert found == (Committed(commit.git, commit.commit), "b.yml")
    assert found[0].read("b.yml") == b"y"
    assert locate(commit, root / "sub", tmp_path / "elsewhere.yml") is None
    monkeypatch.chdir(root / "sub")
    assert locate(commit, root / "sub", Path("../b.yml")) == found
    assert locate(tree, root / "sub", Path()) is None
