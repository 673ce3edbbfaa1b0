"""Commands write into the project, and through no link that leads out of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import scanagg

Make = Callable[..., Path]
CHECK = ("check", ".", "--only", "bandit", "--offline", "--format", "json", "--format", "html")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "scanagg.html").write_text("kept")
    return folder


def kept(outside: Path) -> bool:
    return [(path.name, path.read_text()) for path in outside.iterdir()] == [
        ("scanagg.html", "kept")
    ]


@pytest.mark.parametrize(
    ("settings", "options", "link"),
    [
        ("", (), "reports"),
        ('output-dir = "x/y"', (), "x"),
        ("", ("--output-dir", "out/more"), "out"),
    ],
)
def test_reports_do_not_leave_the_project_through_a_link(
    make_project: Make, outside: Path, settings: str, options: tuple[str, ...], link: str
) -> None:
    root = make_project({"app.py": "x = 1\n", "scanagg.toml": f"{settings}\n"})
    (root / link).symlink_to(outside)
    done = scanagg(*CHECK, *options, cwd=root)
    assert done.returncode == 3
    assert "leads out of the project" in done.stdout + done.stderr
    assert kept(outside)
    done = scanagg(*CHECK, "--output-dir", str(outside), cwd=root)
    assert done.returncode == 0
    assert {"scanagg.html", "scanagg.json"} == {path.name for path in outside.iterdir()}


def test_a_link_a_pipe_or_another_name_of_a_file_in_place_of_a_report_is_replaced(
    make_project: Make, outside: Path
) -> None:
    root = make_project({"app.py": "x = 1\n"})
    reports = root / "reports"
    reports.mkdir()
    for make in (
        lambda path: path.symlink_to(outside / "scanagg.html"),
        lambda path: path.hardlink_to(outside / "scanagg.html"),
        lambda path: path.symlink_to(path.name),
        os.mkfifo,
    ):
        (reports / "scanagg.html").unlink(missing_ok=True)
        make(reports / "scanagg.html")
        assert scanagg(*CHECK, cwd=root).returncode == 0
        assert (reports / "scanagg.html").read_text().startswith("<!")
        assert kept(outside)


def test_rules_are_not_written_through_a_link_out_of_the_project(
    make_project: Make, outside: Path
) -> None:
    root = make_project({"app.py": "eval(input())\n"})
    scanagg(*CHECK, cwd=root)
    (root / "policies").symlink_to(outside)
    consent = ("--owner", "a@b.c", "--reason", "tests")
    for argv in (
        ("baseline", "key"),
        ("baseline", "write", "--only", "bandit", "--offline", *consent),
        ("waive", "B307", "--expires", "2999-01-01", *consent),
    ):
        assert scanagg(*argv, cwd=root).returncode == 2
        assert kept(outside)
    (root / "policies").unlink()
    (root / "rules").mkdir()
    (root / "policies").symlink_to("rules")
    assert scanagg("baseline", "key", cwd=root).returncode == 0
    assert (root / "rules" / "scanagg.key").is_file()
