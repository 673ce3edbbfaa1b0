"""Pins edited in place, and nothing else changed."""

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanagg.upgrades import pins
from scanagg.upgrades.pins import (
    Pin,
    Refused,
    edited,
    pinned_versions,
    read,
    restore,
    write,
)

LIB = Pin("some-lib", "1.0", "2.0")


def after(text: str, path: str = "requirements.txt", lines: tuple[int, ...] = ()) -> str:
    return edited(path, text.encode(), LIB, lines).raw.decode()


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("some-lib==1.0\n", "some-lib==2.0\n"),
        ("Some_Lib == 1.0 ; python_version > '3'\n", "Some_Lib == 2.0 ; python_version > '3'\n"),
        ("some.lib[a, b]==1.0  # why\n", "some.lib[a, b]==2.0  # why\n"),
        ("some-lib===1.0", "some-lib===2.0"),
        ("some-lib (==1.0)", "some-lib (==2.0)"),
        ("some-lib==1.0.0\r\nother==1.0\r\n", "some-lib==2.0\r\nother==1.0\r\n"),
        ("some-lib==v1.0\rother==1.0\r", "some-lib==2.0\rother==1.0\r"),
        ("some-lib \\\n  ==1.0 \\\n  ; a > '1'\n", "some-lib \\\n  ==2.0 \\\n  ; a > '1'\n"),
        ("\tsome-lib>=0.5,==1.0,<3\n", "\tsome-lib>=0.5,==2.0,<3\n"),
        ("some-lib==1.0 --config-settings=a=b\n", "some-lib==2.0 --config-settings=a=b\n"),
        ("a==1\nsome-lib==1.0\nsome-lib==1.0; a\n", "a==1\nsome-lib==2.0\nsome-lib==2.0; a\n"),
        ("# é\xff\nsome-lib==1.0 # ü\n", "# é\xff\nsome-lib==2.0 # ü\n"),
        ("# not continued \\\nsome-lib==1.0\n", "# not continued \\\nsome-lib==2.0\n"),
    ],
)
def test_the_pin_changes_and_nothing_else(before: str, wanted: str) -> None:
    assert after(before) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "some-lib==1.1\n",
        "some-lib>=1.0\n",
        "some-lib==1.*\n",
        "some-lib~=1.0\n",
        "some-lib @ https://some.invalid/some-lib-1.0.zip\n",
        "some-library==1.0\nother==1.0\n",
        "# some-lib==1.0\n",
        "-e some-lib==1.0\n",
        "--find-links \\\nsome-lib==1.0\n",
        "some-lib==1.0#not a comment\n",
        "some-lib==1.0 other==1.0\n",
        "",
    ],
)
def test_what_is_no_such_pin_stays(text: str) -> None:
    found = edited("requirements.txt", text.encode(), LIB, ())
    assert (found.raw, found.changes) == (text.encode(), ())


def test_it_says_what_it_changed_and_where() -> None:
    raw = b"\xef\xbb\xbf# a\r\n\r\nsome-lib \\\r\n  == 1.0\r\nother==1\r\nSome.Lib==1.0\r\n"
    found = edited("requirements.txt", raw, LIB, ())
    said = [(one.line, one.before, one.after) for one in found.changes]
    assert said == [
        (4, "some-lib==1.0", "some-lib==2.0"),
        (6, "some-lib==1.0", "some-lib==2.0"),
    ]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "cp1252"),
    ],
)
def test_the_encoding_and_its_mark_stay(mark: bytes, encoding: str) -> None:
    text = "# Größe\nsome-lib=={}\n"
    found = edited("requirements.txt", mark + text.format("1.0").encode(encoding), LIB, ())
    assert found.raw == mark + text.format("2.0").encode(encoding)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"some-lib==1.0 --hash=sha256:00\n", "has hashes"),
        (b"some-lib==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n", "has hashes"),
        (b"some-lib==1.0,<2\n", "limits the version"),
        (b"some-lib==1.0,==1.0\n", "limits the version"),
        (b"some-lib==1.0\0", "not a text file"),
        ("some-lib==1.0\n".encode("utf-16"), "UTF-8"),
        ("some-lib==1.0\n".encode("utf-32"), "UTF-8"),
        (b"a==1\x0bsome-lib==1.0\n", "line breaks"),
        ("# a\u2028some-lib==1.0\n".encode(), "line breaks"),
    ],
)
def test_what_is_not_edited_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        edited("requirements.txt", raw, LIB, ())


def test_a_coding_line_that_is_like_ascii_is_fine() -> None:
    raw = "# -*- coding: latin-1 -*-\n# Größe\nsome-lib==1.0\n".encode("latin-1")
    found = edited("requirements.txt", raw, LIB, ())
    assert found.raw == raw.replace(b"1.0", b"2.0")


def test_a_version_that_is_none_is_compared_word_for_word() -> None:
    pin = Pin("pytz", "2004d", "2005")
    found = edited("requirements.txt", b"pytz===2004d\npytz==2004\n", pin, ())
    assert found.raw == b"pytz===2005\npytz==2004\n"


PYPROJECT = """\
[build-system]
requires = ["some-lib==1.0"]
[project]
dependencies = ["other==1.0", "some-lib[x]==1.0; python_version > '3'"] # some-lib==1.0
[tool.poetry.dependencies]
some-lib = "1.0"
other = {version = "1.0"}
"Some_Lib" = {extras = ["x"], version = '==1.0'}
"""


def test_pyproject_is_edited_on_the_lines_that_ask_for_it() -> None:
    made = after(PYPROJECT, "pyproject.toml", (4,))
    assert made == PYPROJECT.replace("[x]==1.0", "[x]==2.0")
    text = "[tool.poetry.dependencies]\nsome-lib = \"1.0\" # why\nother = '1.0'\n"
    assert after(text, "a/pyproject.toml", (2, 3)) == text.replace('"1.0"', '"2.0"')
    text = "[packages]\nSome_Lib = {extras = ['x'], version = '==1.0'}\n"
    assert after(text, "Pipfile", (2,)) == text.replace("1.0", "2.0")


@pytest.mark.parametrize(
    "text",
    [
        'x = """\nsome-lib==1.0"""\n',  # not a string of one line
        "some-lib = '^1.0'\n",
        "some-lib = '>=1.0'\n",
        "some-lib = {git = 'x'}\n",
        "some-lib = '1.1'\n",
    ],
)
def test_other_toml_stays(text: str) -> None:
    assert after(text, "pyproject.toml", (1, 2, 3)) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"x = 'some-lib==1.0'\n[",
        b"# 'some-lib==1.0'\nx = 1\n",
        b"'some-lib==1.0' = 1\n",
        b"x = 'some-lib==1.0'\n#\xff\n",
    ],
)
def test_toml_is_read_again_before_it_is_believed(raw: bytes) -> None:
    with pytest.raises(Refused, match="form"):
        edited("pyproject.toml", raw, LIB, (1,))


def test_setup_cfg_on_its_lines_and_setup_py_never() -> None:
    text = "[options]\ninstall_requires =\n    some-lib==1.0\n    other==1.0\n"
    assert after(text, "setup.cfg", (3,)) == text.replace("lib==1.0", "lib==2.0")
    assert after(text, "setup.cfg", (4,)) == text
    with pytest.raises(Refused, match="is a program"):
        edited("setup.py", b"setup(install_requires=['some-lib==1.0'])", LIB, (1,))


@given(st.text(alphabet="some-lib=10.2 \\\n\r#;,[]()-~<>\"'", max_size=60))
def test_whatever_a_file_holds_only_versions_change(text: str) -> None:
    """Undoing the edit restores the file, byte for byte."""
    raw = text.encode()
    try:
        found = edited("requirements.txt", raw, LIB, ())
    except Refused:
        return
    assert found.raw.count(b"\n") == raw.count(b"\n")
    assert len(found.changes) == sum(one != other for one, other in _lines(raw, found.raw))
    assert bool(found.changes) == (found.raw != raw)


def _lines(one: bytes, other: bytes) -> list[tuple[bytes, bytes]]:
    split = [raw.replace(b"\r", b"\n").split(b"\n") for raw in (one, other)]
    return list(zip(*split, strict=True))


def test_the_pins_of_a_compiled_file() -> None:
    raw = b"a==1 \\\n  --hash=sha256:0\nb>=1\nC_c===2 ; x\n-r d\n"
    assert list(pinned_versions(raw)) == [("a", "1"), ("C_c", "2")]
    with pytest.raises(ValueError, match="not a text file"):
        list(pinned_versions(b"\0"))


def test_a_very_long_line_takes_no_time() -> None:
    """A million blanks, backslashes or clauses are read only once."""
    for filler in (" ", "\\\n", "=1,=", "some-lib==1,"):
        raw = b"some-lib" + filler.encode() * 200_000 + b"==1.x"
        assert edited("requirements.txt", raw, LIB, ()).changes == ()


# Files are replaced whole or not at all, and only those of the project.


def test_bytes_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old\r\n")
    path.chmod(0o640)
    original = read(tmp_path, "a.txt")
    write(original, b"new\r\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(Refused, match="has changed"):
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
    with pytest.raises(Refused, match="outside the project"):
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
    """The folder's permissions alone would allow replacing the file."""
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
    assert "cannot restore a.txt" in restore(original)
