"""The cache has complete records only, survives errors, and cleans up after killed runs."""

import os
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


def test_a_broken_record_is_ignored(tmp_path: Path) -> None:
    cache.store(tmp_path, "licenses", {"a==1": "one"})
    (record,) = (tmp_path / "records").rglob("*.json")
    record.write_bytes(b"\xff")
    assert cache.recall(tmp_path, "licenses", ["a==1"]) == {}


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


def test_a_work_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with cache.work_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
