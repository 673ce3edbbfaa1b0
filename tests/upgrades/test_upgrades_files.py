"""Files are replaced whole or not at all, and only those of the project."""

import os
from pathlib import Path

import pytest

from scanagg.upgrades import pins
from scanagg.upgrades.pins import Refused, read, restore, write


def test_bytes_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old\r\n")
    path.chmod(0o640)
    original = read(tmp_path, "a.txt")
    write(original, b"new\r\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(Refused, match="changed by somebody else"):
        write(original, b"newer")
    assert path.read_bytes() == b"new\r\n"
    restore(original)
    assert path.read_bytes() == b"old\r\n"


def test_a_link_inside_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_bytes(b"old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(read(tmp_path, "link.txt"), b"new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"old")
    if link == "file":
        (root / "a.txt").symlink_to(outside / "a.txt")
    else:
        (root / "sub").symlink_to(outside)
    with pytest.raises(Refused, match="leads out of the project"):
        read(root, "a.txt" if link == "file" else "sub/a.txt")


def test_a_project_behind_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    assert read(tmp_path / "link", "a.txt").raw == b"old"


def test_what_cannot_be_edited_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b"12345")
    monkeypatch.setattr(pins, "_MOST_BYTES", 4)
    for path, reason in {
        "folder": "is not a file",
        "none": "does not exist",
        "large": "is larger",
        "large/x": "cannot be read: Not a directory",
    }.items():
        with pytest.raises(Refused, match=reason):
            read(tmp_path, path)
    with pytest.raises(Refused):
        read(tmp_path, "loop")


def test_read_only_is_respected(tmp_path: Path) -> None:
    """A folder's permission would let the file be replaced all the same."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(Refused, match="is read-only"):
        write(read(tmp_path, "a.txt"), b"new")
    assert path.read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    original = read(tmp_path, "a.txt")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match="cannot be written: No space left"):
        write(original, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_is_gone_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    original = read(tmp_path, "a.txt")
    path.unlink()
    with pytest.raises(Refused, match="cannot be written: No such file"):
        write(original, b"new")
    restore(original)
    assert path.read_bytes() == b"old"


def test_what_was_not_there_is_taken_away_again(tmp_path: Path) -> None:
    original = read(tmp_path, "a.txt", missing_ok=True)
    assert original.raw is None
    (tmp_path / "a.txt").write_bytes(b"new")
    restore(original)
    assert not (tmp_path / "a.txt").exists()
    restore(original)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    original = read(tmp_path, "a.txt")
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="folder is in its place"):
        restore(original)
