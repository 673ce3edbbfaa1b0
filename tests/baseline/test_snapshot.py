"""Files and lines of a commit compared with the work tree, using the real git."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.history import commit, write
from support.repository import git

from scanagg.baseline import snapshot
from scanagg.baseline.compare_code import keyed_digest, machine_key
from scanagg.baseline.snapshot import (
    FileChanges,
    FollowedFile,
    Hunk,
    compare_files,
    follow_lines,
    plain,
    read_snapshot,
)
from scanagg.core.files import read_file
from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.model import SourceFile
from scanagg.project.target import read_target

Make = Callable[..., Path]
Contents = dict[str, str | bytes]
Lines = Mapping[str, FollowedFile]


def standing(root: Path, folder: Path, ref: str = "HEAD") -> FileChanges:
    before = read_snapshot(Git(root), ref, read_target(root))
    assert before is not None
    folder.mkdir(exist_ok=True)
    return compare_files(before, folder)


# which files are the same


def test_files_stand_as_same_changed_new_or_gone(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"same.py": "a\n", "changed.py": "b\n", "gone.py": "c\n"})
    write(root, {"changed.py": "bb\n", "gone.py": None, "new.py": "d\n"})
    found = standing(root, tmp_path / "before")
    assert found.same == {"same.py"}
    assert set(found.changed) == {"changed.py", "new.py"}
    assert {path: file.real.read_text() for path, file in found.before.items()} == {
        "changed.py": "b\n",
        "gone.py": "c\n",
    }
    assert found.unread == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\nb\n", b"a\rb\r"),
        (b"a\nb\n", b"\xef\xbb\xbfa\nb\n"),
        (b"a\nb\n", "a\nb\n".encode("utf-16")),
    ],
)
def test_marks_and_line_ends_are_no_difference(
    make_project: Make, tmp_path: Path, before: bytes, after: bytes
) -> None:
    root = make_project({"a.py": before})
    (root / "a.py").write_bytes(after)
    assert standing(root, tmp_path / "before").same == {"a.py"}


def test_what_git_converts_on_checkout_is_no_difference(make_project: Make, tmp_path: Path) -> None:
    root = make_project({".gitattributes": "*.py text eol=crlf\n", "a.py": "a\nb\n"})
    (root / "a.py").unlink()
    git(root, "checkout", "-q", "a.py")
    assert (root / "a.py").read_bytes() == b"a\r\nb\r\n"
    assert standing(root, tmp_path / "before").same == {".gitattributes", "a.py"}


def test_repositories_with_longer_ids_are_read_too(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"a.py": "a\n", "b.py": "b\n"}, git_=False)
    git(root, "init", "-q", "--object-format=sha256")
    commit(root)
    write(root, {"b.py": "c\n"})
    found = standing(root, tmp_path / "before")
    assert (found.same, set(found.before)) == ({"a.py"}, {"b.py"})


def test_filters_of_the_repository_do_not_run(make_project: Make, tmp_path: Path) -> None:
    root = make_project({".gitattributes": "*.py filter=evil diff=evil\n", "a.py": "a\n"})
    (root / "a.py").write_text("b\n")
    target = read_target(root)
    witness = tmp_path / "was-run"
    for key in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv"):
        git(root, "config", key, f"touch {witness}; cat")
    git(root, "config", "diff.external", f"touch {witness}")
    snapshot = read_snapshot(Git(root), "HEAD", target)
    assert snapshot is not None
    (tmp_path / "before").mkdir()
    found = compare_files(snapshot, tmp_path / "before")
    (tmp_path / "lines").mkdir()
    lines = follow_lines(
        found.before.values(), found.changed.values(), tmp_path / "lines", Stop(), snapshot.named
    )
    assert set(lines) == {"a.py"}
    assert not witness.exists()


def test_names_that_look_alike_stay_two_files(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"caf\\xe9.py": "a\n"})
    (root / os.fsdecode(b"caf\xe9.py")).write_text("b\n")
    commit(root)
    for place in root.glob("caf*"):
        place.unlink()
    found = standing(root, tmp_path / "before")
    shown = {path: file.real.read_text() for path, file in found.before.items()}
    assert shown == {"caf\\xe9.py": "a\n", "caf\\xe9 (2).py": "b\n"}


def test_a_name_that_cannot_be_written_is_not_read(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"a.py": "a\n"})
    (root / "a.py").write_text("b\n")
    # As on a system that ignores case, with two names that differ only in case.
    write(tmp_path, {"before/a.py": "A\n"})
    assert standing(root, tmp_path / "before").unread == {"a.py"}


def test_a_file_that_cannot_be_read_is_not_the_same(
    make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a.py": "a\n"})

    def read(path: Path) -> bytes:
        if path == root / "a.py":
            raise PermissionError(13, "Permission denied")
        return read_file(path)

    monkeypatch.setattr(snapshot, "read_file", read)
    found = standing(root, tmp_path / "before")
    assert (found.same, set(found.changed)) == (set(), {"a.py"})


# lines


def files(folder: Path, contents: Contents) -> list[SourceFile]:
    write(folder, contents)
    return [SourceFile(path, folder / path, (folder / path).stat().st_size) for path in contents]


def followed(
    tmp_path: Path, before: dict[str, str | bytes], after: dict[str, str | bytes]
) -> Lines:
    (tmp_path / "work").mkdir()
    return follow_lines(
        files(tmp_path / "before", before),
        files(tmp_path / "after", after),
        tmp_path / "work",
        Stop(),
        lambda path: f"top/{path}",
    )


def place(lines: Lines, path: str, number: int) -> tuple[str, int] | None:
    return lines[path].place(number) if path in lines else None


def test_lines_are_followed_through_what_came_went_and_changed(tmp_path: Path) -> None:
    before = "".join(f"{number}\n" for number in range(1, 11))
    after = before.replace("2\n", "two\ntwo and a half\n").replace("5\n6\n", "") + "11\n"
    lines = followed(tmp_path, {"a": before}, {"a": "0\n" + after})
    texts = ["0", *after.splitlines()]
    places = {text: place(lines, "top/a", number) for number, text in enumerate(texts, 1)}
    assert places == {
        **{str(n): ("top/a", n) for n in (1, 3, 4, 7, 8, 9, 10)},
        **dict.fromkeys(("0", "two", "two and a half", "11")),
    }
    assert place(lines, "top/b", 1) is None


def test_a_renamed_file_is_followed_and_a_new_one_is_not(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(40))
    lines = followed(tmp_path, {"old": text, "gone": "x\n"}, {"new": "\n" + text, "come": "y\n"})
    assert place(lines, "top/new", 2) == ("top/old", 1)
    assert place(lines, "top/new", 1) is None
    assert place(lines, "top/come", 1) is None


def test_a_file_that_was_only_renamed_keeps_its_lines(tmp_path: Path) -> None:
    lines = followed(tmp_path, {"old": "a\nb\n", "k": "1\n"}, {"new": "a\nb\n", "k": "1\n2\n"})
    assert place(lines, "top/new", 2) == ("top/old", 2)
    assert place(lines, "top/k", 1) == ("top/k", 1)


@pytest.mark.parametrize(
    "name", ['q"uote', "tab\there", "new\nline", "back\\slash", "ünï", "-- x", "\\a", " space "]
)
def test_any_name_is_followed(tmp_path: Path, name: str) -> None:
    lines = followed(tmp_path, {name: "a\n", "z": "1\n"}, {name: "b\na\n", "z": "0\n1\n"})
    assert place(lines, f"top/{name}", 2) == (f"top/{name}", 1)
    assert place(lines, "top/z", 2) == ("top/z", 1)


def test_content_that_looks_like_a_patch_is_content(tmp_path: Path) -> None:
    fake = "diff --git a/x b/x\n@@ -1 +1 @@\n-- a\n++ b\n\\ No newline at end of file\n"
    lines = followed(tmp_path, {"a": "1\n", "b": "1\n"}, {"a": fake + "1\n", "b": fake + "1"})
    assert place(lines, "top/a", 6) == ("top/a", 1)
    assert place(lines, "top/a", 1) is None
    assert set(lines) == {"top/a", "top/b"}


def test_binary_files_have_lines_too(tmp_path: Path) -> None:
    lines = followed(tmp_path, {"a": b"\0\n1\n"}, {"a": b"\0\n\xff\xfe\n1\n"})
    assert place(lines, "top/a", 3) == ("top/a", 2)


def test_a_file_that_no_person_wrote_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanagg.baseline.snapshot._MAX_BYTES", 5)
    lines = followed(tmp_path, {"a": "1\n2\n3\n", "b": "1\n"}, {"a": "2\n3\n4\n", "b": "0\n1\n"})
    assert set(lines) == {"top/b"}


def test_a_file_that_is_gone_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    missing = [SourceFile("a", tmp_path / "a", 1)]
    assert follow_lines(missing, missing, tmp_path / "work", Stop(), str) == {}


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_nothing_is_followed_where_git_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real, calls = Git.output, iter(range(9))

    def output(self: Git, *argv: str, stdin: bytes = b"") -> bytes | None:
        return None if next(calls) == number else real(self, *argv, stdin=stdin)

    monkeypatch.setattr(Git, "output", output)
    assert followed(tmp_path, {"a": "1\n"}, {"a": "2\n"}) == {}


def test_two_answers_that_do_not_fit_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Git.output

    def output(self: Git, *argv: str, stdin: bytes = b"") -> bytes | None:
        return b"" if "-p" in argv else real(self, *argv, stdin=stdin)

    monkeypatch.setattr(Git, "output", output)
    assert followed(tmp_path, {"a": "1\n"}, {"a": "2\n"}) == {}


def test_a_hunk_without_lines_stands_after_its_line() -> None:
    taken_out = FollowedFile("a", (Hunk(3, 2, 2, 0),))
    assert [taken_out.place(number) for number in (1, 2, 3, 4)] == [("a", n) for n in (1, 2, 5, 6)]
    put_in = FollowedFile("a", (Hunk(2, 0, 3, 2),))
    assert [put_in.place(number) for number in (1, 2, 3, 4, 5)] == [
        *(("a", 1), ("a", 2)),
        *(None, None, ("a", 3)),
    ]


def test_bytes_are_made_plain() -> None:
    assert plain(b"\xef\xbb\xbfa\r\nb\rc\n") == b"a\nb\nc\n"
    assert plain("ä\r\n".encode("utf-16")) == "ä\n".encode()


def test_the_same_lines_as_git_says_itself(make_project: Make, tmp_path: Path) -> None:
    """The line map agrees with `git blame` for a file with many edits."""
    before = [f"line {number % 7} of {number // 3}\n" for number in range(120)]
    after = [line for n, line in enumerate(before) if n % 11] + ["end\n"]
    after[30:30] = ["new 1\n", "new 2\n"]
    root = make_project({"a": "".join(before)})
    commit(root, {"a": "".join(after)})
    lines = followed(tmp_path, {"a": "".join(before)}, {"a": "".join(after)})
    for number, text in enumerate(after, 1):
        was = place(lines, "top/a", number)
        assert was is None or before[was[1] - 1] == text
    kept = [number for number in range(1, len(after) + 1) if place(lines, "top/a", number)]
    assert len(kept) == len(after) - 3


# the key of the cache


def test_the_key_stays_and_is_its_owners(tmp_path: Path) -> None:
    one = machine_key(tmp_path)
    assert one is not None
    assert machine_key(tmp_path) == one
    assert stat.S_IMODE((tmp_path / "base.key").stat().st_mode) == 0o600
    assert (keyed_digest(one, ""), len(keyed_digest(one, "x"))) == ("", 64)


@pytest.mark.parametrize("wrong", ["open", "short"])
def test_a_key_that_cannot_be_trusted_is_made_anew(tmp_path: Path, wrong: str) -> None:
    one = machine_key(tmp_path)
    if wrong == "open":
        (tmp_path / "base.key").chmod(0o644)
    else:
        (tmp_path / "base.key").write_bytes(b"short")
    again = machine_key(tmp_path)
    assert again not in (None, one, b"short")


def test_without_a_folder_to_write_there_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert machine_key(tmp_path / "file") is None
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_is_excluded_now_was_never_there(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"kept.py": "a\n", "old/gone.py": "b\n"})
    write(root, {"old/gone.py": None})
    snapshot = read_snapshot(Git(root), "HEAD", read_target(root, exclude=("old/",)))
    assert snapshot is not None
    assert set(snapshot.files) == {"kept.py"}
