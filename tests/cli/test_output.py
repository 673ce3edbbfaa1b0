"""The exit code is right whatever happens to the output, and no output is a command."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.command import PROGRAM, plain_environment, scanagg
from support.commands import ANYWHERE, AT_START, hostile, is_command
from support.sample_whole import full_report

from scanagg.cli.files import WrittenReports
from scanagg.cli.output import Stream
from scanagg.cli.page import show_page
from scanagg.core.text import JSON_ESCAPE, inert, inert_in

Make = Any

# `{}` is the command, `x` any file.
_GONE = (
    *("{} >&-", "{} >&- 2>&-", "{} <&- >&- 2>&-", "{} 2>&1 >&- | cat"),
    *("{} 1</dev/null", "ulimit -f 0; {} >x"),
)
_THERE = ("{}", "{} 2>&-", "{} <&-", "{} 2>&1 | cat", "{} 2>&1 >x | true")
if Path("/dev/full").exists():  # only on Linux
    _GONE += ("{} >/dev/full", "{} >/dev/full 2>&1")
    _THERE += ("{} 2>/dev/full",)


def code(line: str, command: str, cwd: Path, env: Mapping[str, str] | None = None) -> int:
    """Run a command in bash and return its own exit code, also in a pipe."""
    done = subprocess.run(
        ["bash", "-c", f"{line.format(command)}; exit ${{PIPESTATUS[0]}}"],
        cwd=cwd,
        env={**plain_environment(), **(env or {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with reports: `0.json` passes, `1.json` is blocked."""
    folder = tmp_path_factory.mktemp("output")
    for number, source in enumerate(("x = 1\n", "import os\nos.system(input())\n")):
        project = folder / str(number)
        project.mkdir()
        (project / "a.py").write_text(source)
        (project / "scanagg.yml").write_text("version: 1\ndefault: block\n")
        done = scanagg("check", ".", "--only", "bandit", "--policy", "scanagg.yml", cwd=project)
        assert done.returncode == number
        (project / "reports" / "scanagg.json").rename(folder / f"{number}.json")
    return folder


def test_output_that_is_not_printed_is_incomplete(tmp_path: Path) -> None:
    command = f'"{PROGRAM}" --version'
    codes = {line: code(line, command, tmp_path) for line in (*_GONE, *_THERE)}
    assert codes == {**dict.fromkeys(_GONE, 3), **dict.fromkeys(_THERE, 0)}


@pytest.mark.parametrize(("number", "line"), [(0, "{} >&-"), (1, "{} >&-"), (1, "{} 2>&-")])
def test_a_verdict_counts_only_if_its_page_is_printed(folder: Path, number: int, line: str) -> None:
    command = f'"{PROGRAM}" gate {number}.json --policy {number}/scanagg.yml'
    assert code(line, command, folder) == (3 if ">&-" in line.replace("2>&-", "") else number)


def test_a_check_whose_page_is_not_printed_is_incomplete(folder: Path) -> None:
    command = f'"{PROGRAM}" check 0 --only bandit'
    for line, expected in (("{} >&-", 3), ("{} 2>&1 | head -1", 0)):
        assert code(line, command, folder) == expected, line


@pytest.mark.parametrize(
    "arguments",
    ["--help", "policy schema", "db status --json", "waivers 0", "explain B605 1 --report 1.json"],
)
def test_no_command_succeeds_without_its_output(folder: Path, arguments: str) -> None:
    assert code("{} >&-", f'"{PROGRAM}" {arguments}', folder) == 3


@pytest.mark.parametrize("arguments", ["check --nope", "check /nowhere", ""])
def test_a_usage_error_is_one_without_any_stream(folder: Path, arguments: str) -> None:
    command = f'"{PROGRAM}" {arguments}'
    assert code("{} >&- 2>&- <&-", command, folder) == 2


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "utf-16:strict"},
        {"PYTHONUNBUFFERED": "1"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
)
def test_variables_of_python_do_not_change_the_exit_code(
    folder: Path, variables: Mapping[str, str]
) -> None:
    command = f'"{PROGRAM}" gate 1.json --policy 1/scanagg.yml -v'
    assert code("{}", command, folder, variables) == 1


def test_warnings_as_errors_do_not_change_the_exit_code(folder: Path) -> None:
    command = f'"{sys.executable}" -W error -m scanagg gate 0.json --policy 0/scanagg.yml'
    assert code("{}", command, folder) == 0


def test_a_pipe_that_does_not_block_gets_all_of_a_long_output(folder: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with subprocess.Popen(
        [PROGRAM, "policy", "schema"], stdout=writer, env={**os.environ, "NO_COLOR": "1"}
    ) as child:
        os.close(writer)
        with os.fdopen(reader) as stream:
            assert json.load(stream)
    assert child.returncode == 0


# Commands of CI systems.


@pytest.mark.parametrize("command", [*ANYWHERE, *AT_START])
@pytest.mark.parametrize("before", ["", "a\n", "a\r", "a\r\n  ", "\t\u00a0", "\x1b[2K\x1b[1m"])
def test_no_text_is_a_command(before: str, command: str) -> None:
    assert any(map(is_command, (before + command).splitlines())) or "\x1b" in before
    safe = inert(before + command)
    assert not any(map(is_command, safe.replace("\x1b[2K\x1b[1m", "").splitlines()))
    assert inert(safe) == safe
    assert safe.replace("\\", "") == before + command


@pytest.mark.parametrize("command", ANYWHERE)
def test_no_json_is_a_command_and_it_keeps_its_values(command: str) -> None:
    text = inert_in(json.dumps({command: [command]}, ensure_ascii=False), JSON_ESCAPE)
    assert not is_command(text)
    assert json.loads(text) == {command: [command]}


@pytest.mark.parametrize("command", [*ANYWHERE, *AT_START])
@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_command_in_pieces_is_none(command: str, width: int) -> None:
    buffer = io.BytesIO()
    output = Stream(io.TextIOWrapper(buffer, "utf-8"))
    for start in range(0, len(command), width):
        output.write(command[start : start + width])
        output.flush()
    assert not is_command(buffer.getvalue().decode())


@pytest.mark.parametrize("width", range(40, 60))
def test_no_line_of_a_page_is_a_command_where_it_wraps(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for command in ("::error::x", "a ::error::x", "##[add-mask]x"):
        written = io.StringIO()
        monkeypatch.setattr(sys, "stdout", Stream(written))
        report = hostile(full_report(), f"{command} " * 9)
        show_page(report, WrittenReports(), quiet=False, verbose=True)
        assert not [line for line in written.getvalue().splitlines() if is_command(line)]
