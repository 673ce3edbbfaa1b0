"""Carries out upgrades: files are edited whole or not at all, lockers run, failures undone."""

import enum
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from packaging.version import Version

from scanagg.core.errors import OutputError
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.text import one_line, shorten
from scanagg.model.project import version_of
from scanagg.upgrades.files import Original, Refused, read, read_if_there, restore, write
from scanagg.upgrades.locks import Versions, versions_in
from scanagg.upgrades.pins import edited
from scanagg.upgrades.ways import FileEdit, Goal, Job, Ways

# Resolving a large project anew from a slow index takes minutes.
LOCK_SECONDS: Final = 900.0
"""How long one command of a locker may take."""

# What lockers need besides: where the index is and how to log in there.
_ALLOWED: Final = (
    *("UV_*", "PIP_*", "POETRY_*", "PDM_*", "PIPENV_*", "WORKON_HOME"),
    *("NETRC", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]+@")
_ELSEWHERE: Final = "See "
_SAID_LINES: Final = 4
_SAID_WIDTH: Final = 400


class State(enum.Enum):
    """What became of a step."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"


class Result(msgspec.Struct, frozen=True):
    """What was done or tried, in words: `text` what, `reason` why it was not."""

    state: State
    text: str
    reason: str = ""


class Bench(msgspec.Struct, frozen=True):
    """Where and with what the work is done; `seconds` is for each command."""

    root: Path
    stop: Stop
    environ: Mapping[str, str]
    seconds: float = LOCK_SECONDS


def apply(found: Ways, bench: Bench) -> Iterator[Result]:
    """Do what can be done, one step after another, each when it is asked for.

    A file that a tool makes is made from others: pins in those change with it, or not at all.
    OutputError where a file could not be made what it was after a failure.
    """
    for job in found.jobs:
        if bench.stop.is_set():
            yield Result(State.FAILED, "; ".join(job.shown), "stopped before it began")
            continue
        program = program_of(job.recipe.tool, bench)
        if job.recipe.reason or program is None:
            yield _left(job, found.edits)
        else:
            yield from _made(job, program, found.edits, bench)
    for edit in found.edits:
        alone = [one for one in edit.changes if not _is_of_job(edit.path, one[0], found.jobs)]
        if alone:
            yield from _edit(FileEdit(edit.path, tuple(alone)), bench)


def program_of(tool: str, bench: Bench) -> str | None:
    """The program on PATH, outside of the project; None where there is none."""
    inside = os.path.realpath(bench.root)
    for folder in bench.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which(tool, path=folder) if Path(folder).is_absolute() else None
        if found and not any(_is_in(path, inside) for path in (found, os.path.realpath(found))):
            return found
    return None


def _is_in(path: str, folder: str) -> bool:
    return Path(os.path.realpath(Path(path).parent)).is_relative_to(folder)


def _is_of_job(path: str, goal: Goal, jobs: Sequence[Job]) -> bool:
    """Whether a job makes a file from this one, for this goal."""
    return any(job.recipe.reads(path) and goal in job.goals for job in jobs)


def _left(job: Job, edits: Sequence[FileEdit]) -> Result:
    """What is to be done where the tool is not there or not run by us: nothing is half done."""
    lines = [
        f"{edit.path}:{change.line}: {change.before} -> {change.after}"
        for edit in edits
        for goal, changes in edit.changes
        if _is_of_job(edit.path, goal, (job,))
        for change in changes
    ]
    missing = f"{job.recipe.tool} is not installed, or only inside the project"
    return Result(State.LEFT, "; ".join((*lines, *job.shown)), job.recipe.reason or missing)


def _edit(edit: FileEdit, bench: Bench) -> Iterator[Result]:
    """Change the pins of a file at once."""
    try:
        original = read(bench.root, edit.path)
        done = _rewritten(original, [goal for goal, _ in edit.changes], edit)
    except Refused as error:
        said = ", ".join(goal.text for goal, _ in edit.changes)
        yield Result(State.FAILED, f"{edit.path}: {said}", f"{edit.path} {error}")
        return
    yield from done


def _rewritten(original: Original, goals: Sequence[Goal], edit: FileEdit) -> list[Result]:
    """Write the file with all these pins changed. Refused where it is not what it was."""
    raw, done = original.raw or b"", []
    for goal in goals:
        said = {change.line for each, changes in edit.changes if each == goal for change in changes}
        lines = {*goal.places.get(edit.path, ()), *said}
        made = edited(edit.path, raw, goal.pin, lines)
        # A goal for the same version in another spelling (1.0, 1.0.0) has changed these pins too.
        if not made.changes and edited(edit.path, original.raw or b"", goal.pin, lines).changes:
            continue
        if not made.changes:
            raise Refused(f"does not pin {goal.package.name} {goal.package.version} any more")
        raw = made.raw
        done += [
            Result(State.DONE, f"{edit.path}:{one.line}: {one.before} -> {one.after}")
            for one in made.changes
        ]
    write(original, raw)
    return done


def _made(job: Job, program: str, edits: Sequence[FileEdit], bench: Bench) -> Iterator[Result]:
    """Let a tool make its file again for all goals at once, or, where it refuses, one by one."""
    steps = _attempt(job, program, edits, bench)
    if len(job.goals) == 1 or any(step.state is State.DONE for step in steps):
        yield from steps
        return
    for goal in job.goals:
        if bench.stop.is_set():
            yield Result(State.FAILED, goal.text, "stopped before it began")
        else:
            yield from _attempt(Job(job.recipe, (goal,)), program, edits, bench)


def _attempt(job: Job, program: str, edits: Sequence[FileEdit], bench: Bench) -> list[Result]:
    """Edit what the file is made from and run the tool; where it fails all is as it was."""
    said = "; ".join(job.shown)
    touched: list[Original] = []
    done: list[Result] = []
    worked = False
    try:
        touched += _touched(job, edits, bench.root)
        done += _edit_sources(job, edits, touched)
        _run(job, program, bench)
        moved = _moved(job, bench.root)
        worked = any(step.state is State.DONE for step in moved)
    except Refused as error:
        return [Result(State.FAILED, said, f"{error}; {job.recipe.made} is as it was")]
    finally:
        if not worked:
            _undo(touched)
    return [*done, *moved] if worked else moved


def _touched(job: Job, edits: Sequence[FileEdit], root: Path) -> list[Original]:
    """The file that is made, then what it is made from. Refused with the name of a file."""
    made = job.recipe.made
    pinned = [
        edit.path
        for edit in edits
        if any(_is_of_job(edit.path, goal, (job,)) for goal, _ in edit.changes)
    ]
    found = []
    for path in dict.fromkeys((made, *job.recipe.sources, *pinned)):
        try:
            found.append(read(root, path) if path == made else read_if_there(root, path))
        except Refused as error:
            raise Refused(f"{path} {error}") from error
    return found


def _edit_sources(job: Job, edits: Sequence[FileEdit], touched: Sequence[Original]) -> list[Result]:
    """Change the pins that the tool would go by; a pin that is changed already is none."""
    done: list[Result] = []
    originals = {one.path: one for one in touched}
    for edit in edits:
        goals = [goal for goal, _ in edit.changes if _is_of_job(edit.path, goal, (job,))]
        if not goals:
            continue
        original = originals[edit.path]
        left = [goal for goal in goals if _is_pinned(original, goal)]
        try:
            done += _rewritten(original, left, edit) if left else []
        except Refused as error:
            raise Refused(f"{edit.path} {error}") from error
    return done


def _is_pinned(original: Original, goal: Goal) -> bool:
    lines = goal.places.get(original.path, ())
    return bool(edited(original.path, original.raw or b"", goal.pin, lines).changes)


def _undo(touched: Sequence[Original]) -> None:
    problem: OutputError | None = None
    for one in touched:
        try:
            restore(one)
        except OSError as error:
            message = f"{one.path} could not be made what it was: {error.strerror or error}"
            problem = problem or OutputError(message, "Take it from version control again.")
    if problem:
        raise problem


def _run(job: Job, program: str, bench: Bench) -> None:
    """Run the tool's commands. Refused with what it says where one fails."""
    folder = bench.root / job.recipe.folder
    env = clean_environment(_ALLOWED, job.recipe.env)
    for argv in job.commands:
        done = run(
            (program, *argv[1:]), cwd=folder, env=env, timeout=bench.seconds, stop=bench.stop
        )
        if done.ended is not Ended.EXITED or done.returncode:
            raise Refused(f"{job.recipe.tool} {_ending(done, bench)}{_last_words(done)}")


def _ending(done: Completed, bench: Bench) -> str:
    return {
        Ended.EXITED: f"failed (exit code {done.returncode})",
        Ended.TIMEOUT: f"took more than {bench.seconds:.0f} s",
        Ended.STOPPED: "was stopped",
        Ended.OVERFLOW: "said too much",
        Ended.NOT_STARTED: f"could not be started: {done.detail}",
    }[done.ended]


def _last_words(done: Completed) -> str:
    """The last lines that the tool printed, short, without what may be a password."""
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Where more can be read is not what went wrong: pdm ends with two such lines.
    telling = [line for line in lines if not line.startswith(_ELSEWHERE)] or lines
    said = " ".join(telling[-_SAID_LINES:])
    said = shorten(one_line(_CREDENTIALS.sub("***@", said)), _SAID_WIDTH)
    return f": {said}" if said else ""


def _moved(job: Job, root: Path) -> list[Result]:
    """What became of each goal, by the file itself. Refused where that cannot be read any more."""
    path = job.recipe.made
    try:
        after = versions_in(path, read(root, path).raw or b"")
    except Refused as error:
        raise Refused(f"{job.recipe.tool} ended, but {path} {error}") from error
    if after is None:
        raise Refused(f"{job.recipe.tool} left something that cannot be read")
    return [_outcome(job, goal, after) for goal in job.goals]


def _outcome(job: Job, goal: Goal, after: Versions) -> Result:
    package, path = goal.package, job.recipe.made
    now = sorted(after.get(package.name, ()), key=_order)
    if any(_is_same(version, package.version) for version in now):
        reason = f"{job.recipe.tool} leaves {package.name} at {package.version}"
        return Result(State.FAILED, f"{path}: {goal.text}", reason)
    if now and _order(now[-1]) < _order(package.version):
        reason = f"{job.recipe.tool} goes back to {now[-1]}"
        return Result(State.FAILED, f"{path}: {goal.text}", reason)
    became = " and ".join(now) or "not needed any more"
    return Result(State.DONE, f"{path}: {package.name} {package.version} -> {became}")


def _is_same(one: str, other: str) -> bool:
    return one == other or _order(one) == _order(other)


def _order(version: str) -> tuple[int, Version | str]:
    parsed = version_of(version)
    return (0, version) if parsed is None else (1, parsed)
