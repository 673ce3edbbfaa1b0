"""The project's key, from the environment, else from the committed file."""

from pathlib import Path

import pytest
from support.repository import git

from scanagg.core.errors import ConfigError
from scanagg.core.git import Git
from scanagg.project import secret_key
from scanagg.project.trusted import Committed, WorkTree

KEY = "0123456789abcdef" * 4


def with_file(root: Path, content: str | bytes) -> WorkTree:
    place = root / secret_key.PLACE
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return WorkTree(root)


def test_a_project_without_a_key_has_none(tmp_path: Path) -> None:
    assert secret_key.find(WorkTree(tmp_path), {}) is None


def test_the_variable_goes_before_the_file(tmp_path: Path) -> None:
    files = with_file(tmp_path, f"# what for\n{KEY}\n")
    assert secret_key.find(files, {}) == KEY
    assert secret_key.find(files, {"SCANAGG_PROJECT_KEY": f" {'k' * 20}\n"}) == "k" * 20


def test_an_empty_variable_is_a_secret_that_the_job_may_not_see(tmp_path: Path) -> None:
    files = with_file(tmp_path, KEY)
    assert secret_key.find(files, {"SCANAGG_PROJECT_KEY": ""}) == KEY


def test_a_made_key_can_be_read_and_is_never_the_same(tmp_path: Path) -> None:
    first, second = secret_key.new_file_text(), secret_key.new_file_text()
    key = secret_key.find(with_file(tmp_path, first), {})
    assert first.startswith("# ")
    assert key is not None
    assert len(bytes.fromhex(key)) == 32
    assert secret_key.read(second.encode()) != key


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    assert secret_key.find(with_file(tmp_path, f"# what for\r\n{KEY}\r\n"), {}) == KEY


def test_the_key_of_a_commit_is_read_from_there(tmp_path: Path) -> None:
    with_file(tmp_path, KEY)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "key")
    with_file(tmp_path, "x" * 64)
    commit = Git(tmp_path).commit("HEAD")
    assert commit
    assert secret_key.find(Committed(Git(tmp_path), commit), {}) == KEY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "policies/scanagg.key: "),
        ("# only words\n", "policies/scanagg.key: "),
        ("# a\nshort\n", "policies/scanagg.key:2:1: "),
        (f"{KEY}\n{KEY}\n", "policies/scanagg.key:2:1: "),
        (f"<<<<<<< HEAD\n{KEY}\n=======\n", "policies/scanagg.key:1:1: "),
        (KEY.encode("utf-16"), "policies/scanagg.key:1:1: "),
        ("a b" * 20, "policies/scanagg.key:1:1: "),
        ("k" * 5000, "policies/scanagg.key: "),
    ],
)
def test_a_file_that_is_no_key_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        secret_key.find(with_file(tmp_path, content), {})
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_the_key_is_not_in_the_complaint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        secret_key.find(WorkTree(tmp_path), {"SCANAGG_PROJECT_KEY": "hunter2"})
    assert "SCANAGG_PROJECT_KEY" in caught.value.message
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / secret_key.PLACE).mkdir(parents=True)
    with pytest.raises(ConfigError, match="is not a regular file"):
        secret_key.find(WorkTree(tmp_path), {})
