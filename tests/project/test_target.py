"""The files of a target: those that git would commit; all others are skipped with a reason."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from support.repository import git

from scanagg.core.errors import TargetError
from scanagg.core.process import Stop
from scanagg.model import Reason, Target
from scanagg.project.target import CONFIGURED, NESTED, NOT_CHECKED_OUT, read_target

Make = Callable[..., Path]


def paths(target: Target) -> list[str]:
    return [file.path for file in target.files]


def reasons(target: Target) -> dict[str, tuple[Reason, bool]]:
    """Return the skipped inputs with their reasons and whether that is on purpose."""
    return {gap.input: (gap.reason, gap.on_purpose) for gap in target.skipped}


def test_tracked_files_and_new_ones_count_but_ignored_ones_do_not(make_project: Make) -> None:
    root = make_project({"a.py": "", ".gitignore": "env/\n*.log\n"})
    for name in ("new.py", "env/lib.py", "x.log"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    assert paths(read_target(root)) == [".gitignore", "a.py", "new.py"]


def test_an_ignored_file_that_is_tracked_counts(make_project: Make) -> None:
    root = make_project({"kept.log": "x", ".gitignore": "*.log\n"})
    assert "kept.log" in paths(read_target(root))


def test_code_that_python_compiled_counts_only_if_git_tracks_it(make_project: Make) -> None:
    root = make_project({"a.py": "", "__pycache__/a.cpython-311.pyc": "x"})
    for name in ("__pycache__/b.cpython-311.pyc", "sub/__pycache__/c.cpython-311.pyc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    assert paths(read_target(root)) == ["__pycache__/a.cpython-311.pyc", "a.py"]


def test_a_file_deleted_in_the_work_tree_is_not_there(make_project: Make) -> None:
    root = make_project({"a.py": "", "gone.py": ""})
    (root / "gone.py").unlink()
    assert paths(read_target(root)) == ["a.py"]


def test_without_git_the_ignore_files_are_honoured_all_the_same(make_project: Make) -> None:
    root = make_project(
        {
            "a.py": "",
            "b.log": "",
            "sub/.gitignore": "!b.log\n/only.py\n",
            "sub/b.log": "",
            "sub/only.py": "",
            "sub/deep/only.py": "",
            ".gitignore": "*.log\n__never__/\n",
            "new\nline/b.log": "",
            "__never__/x.py": "",
            "__pycache__/a.pyc": b"",
        },
        git_=False,
    )
    target = read_target(root)
    assert paths(target) == [
        ".gitignore",
        "a.py",
        "sub/.gitignore",
        "sub/b.log",
        "sub/deep/only.py",
    ]
    assert target.revision is None
    assert target.notices == (Reason("listed-without-git"),)


def test_an_invalid_pattern_does_not_stop_the_walk(make_project: Make) -> None:
    root = make_project({".gitignore": "!\n[a-9]\n*.log\n", "a.log": "", "a.py": ""}, git_=False)
    assert paths(read_target(root)) == [".gitignore", "a.py"]


def test_a_folder_that_the_outer_repository_ignores_is_walked(make_project: Make) -> None:
    root = make_project({".gitignore": "build/\n"})
    (root / "build").mkdir()
    (root / "build" / "a.py").write_text("")
    assert paths(read_target(root / "build")) == ["a.py"]


def test_a_repository_that_git_does_not_read_is_an_error(make_project: Make) -> None:
    root = make_project({".gitignore": "kept.py\n", "kept.py": "x = 1"})
    (root / ".git" / "index").write_bytes(b"garbage")
    with pytest.raises(TargetError, match="git cannot read the repository"):
        read_target(root)


def test_without_git_installed_there_is_a_notice(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a.py": ""})
    monkeypatch.setenv("PATH", "/nonexistent")
    assert read_target(root).notices == (Reason("listed-without-git"),)


def test_a_stopped_run_lists_without_git(make_project: Make) -> None:
    stop = Stop()
    stop.interrupt()
    assert paths(read_target(make_project({"a.py": ""}), stop=stop)) == ["a.py"]


def test_folders_may_nest_deeper_than_the_stack(tmp_path: Path) -> None:
    here = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1200):
            os.mkdir("d")  # noqa: PTH102 - the whole path would be too long for the system
            os.chdir("d")
    finally:
        os.chdir(here)
    assert read_target(tmp_path).files == ()
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_sub_folder_is_a_target_with_its_place_in_the_repository(make_project: Make) -> None:
    root = make_project({"a.py": "", "sub/b.py": ""})
    target = read_target(root / "sub")
    assert paths(target) == ["b.py"]
    assert target.revision is not None
    assert target.revision.prefix == "sub/"


def test_the_revision_has_commit_branch_and_changes(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    git(root, "remote", "add", "origin", "https://user:pass@git.invalid/team/app.git")
    clean = read_target(root).revision
    (root / "a.py").write_text("changed")
    assert clean is not None
    assert clean.commit == git(root, "rev-parse", "HEAD").strip()
    assert (clean.branch, clean.dirty) == ("main", False)
    assert clean.repository == "https://git.invalid/team/app.git"
    dirty = read_target(root).revision
    assert dirty is not None
    assert dirty.dirty


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("git@git.invalid:team/app.git", "https://git.invalid/team/app.git"),
        ("ssh://git@git.invalid/team/app", "https://git.invalid/team/app"),
        ("/srv/git/app.git", None),
        ("../app", None),
    ],
)
def test_the_repository_has_an_address_or_none(
    make_project: Make, remote: str, shown: str | None
) -> None:
    root = make_project({"a.py": ""})
    git(root, "remote", "add", "origin", remote)
    revision = read_target(root).revision
    assert revision is not None
    assert revision.repository == shown


def test_a_repository_inside_is_skipped(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    (root / "vendored").mkdir()
    git(root / "vendored", "init", "-q")
    (root / "vendored" / "b.py").write_text("")
    assert reasons(read_target(root)) == {"vendored": (NESTED, True)}


def unreadable(path: Path) -> NoReturn:
    raise PermissionError(13, "Permission denied")


def test_a_submodule_that_is_checked_out_is_part_of_the_project(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = make_project({"b.py": "", ".gitignore": "*.log\n", "kept.log": ""}, name="inner")
    root = make_project({"a.py": "", "sub/.gitignore": "new.py\n"})
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner))
    git(root, *add, "sub/lib")
    git(root, *add, "empty")
    for name in ("new.py", "x.log"):
        (root / "sub" / "lib" / name).write_text("")
    (root / "sub" / "lib" / "nested").mkdir()
    git(root / "sub" / "lib" / "nested", "init", "-q")
    git(root, "submodule", "deinit", "-q", "-f", "empty")
    target = read_target(root, exclude=["b.py"])
    inside = ["sub/lib/.gitignore", "sub/lib/kept.log", "sub/lib/new.py"]
    assert paths(target) == [".gitmodules", "a.py", "sub/.gitignore", *inside]
    assert reasons(target) == {
        "empty": (NESTED, True),
        "sub/lib/b.py": (CONFIGURED, True),
        "sub/lib/nested": (NESTED, True),
    }
    (root / "sub" / "lib" / ".git").unlink()
    assert "sub/lib/new.py" in paths(read_target(root))
    monkeypatch.setattr(Path, "iterdir", unreadable)
    monkeypatch.setattr(os, "scandir", unreadable)
    reason = Reason("unreadable-folder", {"error": "Permission denied"})
    assert reasons(read_target(root))["sub/lib"] == (reason, False)
    monkeypatch.undo()
    assert paths(read_target(root / "sub")) == [
        *(".gitignore", "lib/.gitignore", "lib/b.py", "lib/new.py")
    ]


def test_what_takes_the_place_of_a_submodule_counts(make_project: Make) -> None:
    root = make_project({"a.py": "", "real/b.py": ""})
    head = git(root, "rev-parse", "HEAD").strip()
    for name in ("file.py", "link", "real/b.py"):
        git(root, "rm", "-q", "--cached", "--ignore-unmatch", name)
        git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},{name}")
    (root / "file.py").write_text("")
    (root / "link").symlink_to("real")
    target = read_target(root)
    assert paths(target) == ["a.py", "file.py", "real/b.py"]
    assert [link.path for link in target.links] == ["link"]


def test_links_are_not_followed(make_project: Make) -> None:
    root = make_project({"a.py": "", ".gitignore": "hidden.py\n", "hidden.py": ""}, git_=False)
    outside = root.parent / "outside.py"
    outside.write_text("")
    for name, end in {
        "inside.py": "a.py",
        "loop": "loop",
        "out.py": outside,
        "ignored.py": "hidden.py",
        "folder": ".",
        "uv.lock": "/dev/zero",
        "go.mod": outside,
        "fast.pyx": outside,
        "data.txt": outside,
        "go.sum": outside,
    }.items():
        (root / name).symlink_to(end)
    target = read_target(root)
    assert paths(target) == [".gitignore", "a.py"]
    assert reasons(target) == {
        "ignored.py": (Reason("link-to-no-file-of-the-project"), False),
        "loop": (Reason("dangling-link"), True),
        "out.py": (Reason("link-outside-the-tree"), False),
        "uv.lock": (Reason("link-outside-the-tree"), False),
        "go.mod": (Reason("link-outside-the-tree"), False),
        "fast.pyx": (Reason("link-outside-the-tree"), False),
        "data.txt": (Reason("link-outside-the-tree"), True),
        "go.sum": (Reason("link-outside-the-tree"), True),
    }
    assert {link.path: link.end for link in target.links} == {
        "folder": ".",
        "inside.py": "a.py",
        **dict.fromkeys(("ignored.py", "loop", "out.py", "uv.lock"), None),
        **dict.fromkeys(("go.mod", "fast.pyx", "data.txt", "go.sum"), None),
    }


def test_links_have_the_shown_path_of_their_end(make_project: Make) -> None:
    root = make_project({"docs/a.py": "", "old/b.py": ""})
    (root / "real").mkdir()
    (root / "real" / os.fsdecode(b"caf\xe9.txt")).write_text("a==1")
    links = {
        "one": "docs/two",
        "docs/two": "../folder/" + os.fsdecode(b"caf\xe9.txt"),
        "folder": "real",
        "back": f"../{root.name}/real",
        "excluded": "old/b.py",
        "old/link": "../docs/a.py",
    }
    for name, end in links.items():
        (root / name).symlink_to(end)
    target = read_target(root, exclude=["old/"])
    assert {link.path: link.end or link.reason for link in target.links} == {
        "back": "real",
        "docs/two": "real/caf\\xe9.txt",
        "excluded": Reason("link-to-no-file-of-the-project"),
        "folder": "real",
        "one": "real/caf\\xe9.txt",
    }


def test_excluded_files_are_skipped(make_project: Make) -> None:
    root = make_project({"a.py": "", "docs/b.py": ""})
    target = read_target(root, exclude=["docs/"])
    assert paths(target) == ["a.py"]
    assert reasons(target) == {"docs/b.py": (CONFIGURED, True)}


def test_pipes_and_sockets_are_skipped(make_project: Make) -> None:
    root = make_project({"a.py": ""}, git_=False)
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "uv.lock")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)
        server.bind("socket")
        os.chdir(here)
    assert reasons(read_target(root)) == {
        "pipe": (Reason("irregular-file"), True),
        "socket": (Reason("irregular-file"), True),
        "uv.lock": (Reason("irregular-file"), False),
    }


@pytest.mark.parametrize("place", [".gitignore", "src/.gitignore"])
def test_a_pipe_that_git_would_wait_for_is_an_error(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("scanagg.core.git._PATIENCE_SECONDS", 0.3)
    root = make_project({"a.py": "", "src/b.py": ""})
    (root / "a.py").write_text("changed = 1\n")
    os.mkfifo(root / place)
    with pytest.raises(TargetError, match="is a pipe"):
        read_target(root)


def test_a_file_that_a_sparse_checkout_leaves_out_is_named(make_project: Make) -> None:
    root = make_project({"a.py": "", "b.py": "", "c.py": ""})
    git(root, "update-index", "--skip-worktree", "b.py", "c.py")
    (root / "b.py").unlink()
    target = read_target(root)
    assert paths(target) == ["a.py", "c.py"]
    assert reasons(target) == {"b.py": (NOT_CHECKED_OUT, True)}


def test_an_unreadable_file_is_skipped(make_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project({"a.py": "", "b.py": ""})
    real = os.access
    # Root may read everything, so the answer of the system is replaced.
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "b.py" and real(path, mode)
    )
    assert reasons(read_target(root)) == {"b.py": (Reason("no-read-permission"), False)}


def test_an_unreadable_folder_is_skipped(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a.py": "", "sub/b.py": ""}, git_=False)
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert reasons(read_target(root)) == {
        "sub": (Reason("unreadable-folder", {"error": "Permission denied"}), False)
    }


def test_names_that_are_not_utf8_or_hold_newlines_are_kept(make_project: Make) -> None:
    root = make_project({"a\nb.py": "", "ünï.py": ""})
    (root / os.fsdecode(b"caf\xe9.py")).write_text("x = 1")
    target = read_target(root)
    assert paths(target) == ["a\nb.py", "caf\\xe9.py", "ünï.py"]
    assert target.files[1].real.read_text() == "x = 1"


def test_two_names_that_look_alike_are_two_files(make_project: Make) -> None:
    root = make_project({"caf\\xe9.py": "x = 1"})
    (root / os.fsdecode(b"caf\xe9.py")).write_text("x = 2")
    target = read_target(root)
    assert paths(target) == ["caf\\xe9.py", "caf\\xe9 (2).py"]
    assert {file.real.read_text() for file in target.files} == {"x = 1", "x = 2"}


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="No such file"):
        read_target(tmp_path / "nowhere")


def test_a_file_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    with pytest.raises(TargetError, match="not a folder"):
        read_target(tmp_path / "a.py")


def test_a_folder_that_may_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TargetError, match="permission"):
        read_target(tmp_path)


def test_a_link_loop_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(TargetError, match="cannot check"):
        read_target(tmp_path / "loop")


def test_programs_named_by_the_repository_are_not_run(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    witness = root.parent / "was-run"
    git(root, "config", "core.fsmonitor", f"touch {witness}; false")
    read_target(root)
    assert not witness.exists()
