"""The cache has complete records only, survives errors, and cleans up after killed runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scanagg.core import cache
from scanagg.core.errors import ConfigError


def test_the_folder_is_the_one_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(tmp_path / "c"))
    assert cache.cache_folder() == tmp_path / "c"
    assert (tmp_path / "c" / "work").stat().st_mode & 0o077 == 0


def test_without_a_name_it_is_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCANAGG_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "scanagg"


def test_a_folder_that_cannot_be_made_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(tmp_path / "file" / "c"))
    with pytest.raises(ConfigError, match="cannot use the cache folder") as raised:
        cache.cache_folder()
    assert "SCANAGG_CACHE_DIR" in raised.value.hint


def test_a_folder_that_may_not_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="not writable"):
        cache.cache_folder()


def test_records_come_back_by_scanner_and_input(tmp_path: Path) -> None:
    cache.store(tmp_path, "licenses", {"a==1": "one", "ü\udce9": "two"})
    cache.store(tmp_path, "other", {"a==1": "three"})
    assert cache.recall(tmp_path, "licenses", ["a==1", "b==1", "ü\udce9"]) == {
        "a==1": "one",
        "ü\udce9": "two",
    }


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "without its digest": lambda path: path.write_bytes(path.read_bytes().partition(b"\n")[2]),
    "of another text": lambda path: path.write_bytes(path.read_bytes().replace(b"one", b"two")),
    "a pipe": fifo,
    "a link": link,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_ignored(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    cache.store(tmp_path, "licenses", {"a==1": "one\r\n"})
    assert cache.recall(tmp_path, "licenses", ["a==1"]) == {"a==1": "one\r\n"}
    (record,) = (tmp_path / "records").rglob("*.json")
    damage(record)
    assert cache.recall(tmp_path, "licenses", ["a==1"]) == {}
    if not record.is_symlink():
        record.unlink()
        cache.store(tmp_path, "licenses", {"a==1": "one"})
        assert cache.recall(tmp_path, "licenses", ["a==1"]) == {"a==1": "one"}


def test_a_flipped_bit_in_a_record_is_noticed(tmp_path: Path) -> None:
    cache.store(tmp_path, "licenses", {"a==1": '{"expression":"MIT"}'})
    (record,) = (tmp_path / "records").rglob("*.json")
    whole = record.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        record.write_bytes(changed)
        assert cache.recall(tmp_path, "licenses", ["a==1"]) == {}


@pytest.mark.parametrize(("owner", "key"), [("licenses", "b==1"), ("other", "a==1")])
def test_the_record_of_another_key_is_ignored(tmp_path: Path, owner: str, key: str) -> None:
    cache.store(tmp_path, "licenses", {"a==1": "one"})
    (record,) = (tmp_path / "records").rglob("*.json")
    content = record.read_bytes()
    record.unlink()
    cache.store(tmp_path, owner, {key: "two"})
    (other,) = (tmp_path / "records").rglob("*.json")
    other.write_bytes(content)
    assert cache.recall(tmp_path, owner, [key]) == {}


def test_a_cache_that_cannot_be_written_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("a file where a folder should be")
    cache.store(tmp_path, "licenses", {"a==1": "one"})
    assert cache.recall(tmp_path, "licenses", ["a==1"]) == {}


def test_a_failed_write_leaves_the_old_file_only(tmp_path: Path) -> None:
    path = tmp_path / "report"
    cache.write_atomically(path, ["old"])

    def broken() -> object:
        yield "new"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache.write_atomically(path, broken())  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_work_folders_of_killed_runs_are_swept_after_a_day(tmp_path: Path, now: datetime) -> None:
    old, new = tmp_path / "work" / "old", tmp_path / "work" / "new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "file").write_text("")
    yesterday = (now - timedelta(hours=25)).timestamp()
    os.utime(old, (yesterday, yesterday))
    cache.sweep(tmp_path)
    assert not old.exists()
    assert new.exists()


KILLED = """
import time
from pathlib import Path
from scanagg.core import cache
def endless():
    yield b"new"
    print("writing", flush=True)
    time.sleep(60)
with cache.work_folder(cache.cache_folder()) as folder:
    (folder / "file").touch()
    cache.replace_atomically(Path("requirements.txt"), endless(), 0o644)
"""


def test_leftovers_of_a_killed_run_are_swept_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("old")
    names = {".requirements.txt.0123456789abcdef", ".requirements.txt.x", ".requirements.txt"}
    for name in names:
        (tmp_path / name).write_text("of the project")
    runs = [
        subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout
        assert run.stdout.readline() == b"writing\n"
    folder = cache.cache_folder()
    try:
        runs[0].kill()
        runs[0].communicate()
        cache.sweep(folder)
        # The other one still runs: its folders and its file stay.
        left = {file.name for file in tmp_path.iterdir()} - names - {path.name}
        assert len(left) == 1
        assert len([*(folder / "work").iterdir()]) == 2
    finally:
        runs[1].kill()
        runs[1].communicate()
    cache.sweep(folder)
    assert {file.name for file in tmp_path.iterdir()} == names | {path.name}
    assert path.read_text() == "old"
    assert [*(folder / "work").iterdir()] == []


def test_a_note_of_no_file_sweeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").touch()
    for number, named in enumerate((str(tmp_path / "link"), str(tmp_path), "", "a\0b")):
        work = tmp_path / "work" / f"run-{number}"
        work.mkdir(parents=True)
        (work / "temporary-file").write_text(named)
    cache.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"link", "file", "work"}
    assert [*(tmp_path / "work").iterdir()] == []


def test_a_work_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with cache.work_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
