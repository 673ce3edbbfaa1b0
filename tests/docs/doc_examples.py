"""The examples of the documents, found and run: each page is a script that a reader could follow.

A comment before a block names its project:

    <!-- example: NAME -->              a console block, run in the project NAME
    <!-- example: NAME, file: PATH -->  its text is put into that file of the project

Blocks of one page with the same name are steps of one session, in order. In a console block, a
line `[...]` matches any number of lines. Hexadecimal digits, times and seconds are not compared.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.command import PROGRAM

NOW = "2026-12-01T12:00:00Z"
COMMITTED = "2026-11-02T09:00:00Z"
LEFT_OUT = "[...]"

_BLOCK = re.compile(
    r"(?:^<!-- example: (?P<name>[\w-]+)(?:, file: (?P<file>\S+))? -->\n+)?"
    r"^(?P<fence>```+)(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=fence)$",
    re.M | re.S,
)
_TOOLS = (
    "git",
    "cat",
    "cp",
    "grep",
    "head",
    "mkdir",
    "mv",
    "printf",
    "rm",
    "sed",
    "sha256sum",
    "tail",
    "touch",
)
# Commands that use a clock, which is fixed for the examples.
_CLOCKED = r"""
case "$1 $2" in
  *--now*) ;;
  check*|fix*|gate*|explain*|waive*|"baseline write"|"db status"|policy\ [ctd]*|"license list")
    case "$*" in *--now*|*--help*|*--report*) ;; *) set -- "$@" --now "$EXAMPLE_NOW" ;; esac ;;
esac
"""
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "<time>"),
    (re.compile(r" +\d+\.\d$"), " <seconds>"),
)


@dataclass(frozen=True)
class Block:
    """A block of a page: its line, its session, the file it belongs to, and its text."""

    line: int
    language: str
    text: str
    name: str = ""
    file: str = ""


@dataclass(frozen=True)
class Command:
    """A command as typed, and the part of its output that the page shows."""

    line: int
    typed: str
    shown: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    """Return every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            text.count("\n", 0, found.start("text")) + 1,
            found["language"],
            found["text"],
            found["name"] or "",
            found["file"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def sessions(page: Path) -> dict[str, list[Block]]:
    """Return the named blocks of a page by session."""
    named: dict[str, list[Block]] = {}
    for block in blocks(page):
        if block.name:
            named.setdefault(block.name, []).append(block)
    return named


def commands(block: Block) -> Iterator[Command]:
    """Return the commands of a console block, each with the output shown below it."""
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"line {block.line}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        typed, below = lines[start][2:], lines[start + 1 : end]
        while typed.endswith("\\"):
            typed = typed[:-1] + below.pop(0).removeprefix("> ").lstrip()
        yield Command(block.line + start, typed, tuple(below))


def run_session(steps: list[Block], project: Path, tools: Path) -> Iterator[tuple[Command, str]]:
    """Run every step in the project; return each command with its output."""
    env = _environment(tools)
    for step in steps:
        if step.file:
            file = project / step.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(step.text, encoding="utf-8")
            continue
        for command in commands(step):
            yield command, _run(command.typed, project, env)


def _run(typed: str, project: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["/bin/bash", "-c", typed],
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    assert "Traceback" not in said, said
    return said


def _environment(tools: Path) -> dict[str, str]:
    """Return the variables of a shell that finds scanagg and does not depend on the machine."""
    tools.mkdir(parents=True, exist_ok=True)
    for name in _TOOLS:
        found = shutil.which(name)
        if found and not (tools / name).exists():
            (tools / name).symlink_to(found)
    wrapper = tools / "scanagg"
    wrapper.write_text(f'#!/bin/sh\n{_CLOCKED}\nexec {PROGRAM} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    people = {f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")}
    mails = {f"GIT_{who}_EMAIL": "ada@example.invalid" for who in ("AUTHOR", "COMMITTER")}
    dates = {f"GIT_{who}_DATE": COMMITTED for who in ("AUTHOR", "COMMITTER")}
    inherited = ("SCANAGG_CACHE_DIR", "PYTHONPATH")
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        **people,
        **mails,
        **dates,
        "PATH": str(tools),
        "HOME": str(tools),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "SCANAGG_BETTERLEAKS_PATH": "/nonexistent/betterleaks",
        "EXAMPLE_NOW": NOW,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def differences(shown: tuple[str, ...], printed: str) -> str:
    """Describe the shown lines that are not in the output; empty if all of them are."""
    actual = _lines(printed.splitlines())
    expected = parts(_lines(shown))
    position = 0
    for number, part in enumerate(expected):
        first, last = number == 0, number == len(expected) - 1
        found = _find(actual, part, position, start=first, end=last)
        if found is None:
            wanted = "\n".join(part)
            return f"not as shown:\n{wanted}\n--- printed:\n{printed}"
        position = found + len(part)
    return ""


def _lines(lines: list[str] | tuple[str, ...]) -> list[str]:
    """Return lines without text that differs between runs, and no empty ones at the ends."""
    cleaned = [plain(line) for line in lines]
    while cleaned and not cleaned[-1]:
        cleaned.pop()
    while cleaned and not cleaned[0]:
        cleaned.pop(0)
    return cleaned


def plain(line: str) -> str:
    """Return a line without text that differs between runs."""
    line = line.rstrip()
    for pattern, name in _VARIABLE:
        line = pattern.sub(name, line)
    return line


def parts(lines: list[str]) -> list[list[str]]:
    """Return the groups of lines between the `[...]` lines."""
    result: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == LEFT_OUT:
            result.append([])
        else:
            result[-1].append(line)
    return result


def _find(
    lines: list[str], part: list[str], position: int, *, start: bool, end: bool
) -> int | None:
    """Find a part from a position on: the first must be right there, the last at the end."""
    last = len(lines) - len(part)
    if start and end:
        return 0 if lines == part else None
    if start:
        return 0 if lines[: len(part)] == part else None
    if end:
        return last if last >= position and lines[last:] == part else None
    places = range(position, last + 1)
    return next((at for at in places if lines[at : at + len(part)] == part), None)


Projects = Mapping[str, Callable[[Path], None]]
