"""Make upgrades: edit files completely or not at all, run lockers, undo what fails."""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.version import Version

from scanagg.core.errors import OutputError
from scanagg.core.process import Ended, Stop, clean_environment, run
from scanagg.core.programs import find_program
from scanagg.core.text import one_line, shorten
from scanagg.model.project import version_of
from scanagg.upgrades.lockers import versions_in
from scanagg.upgrades.pins import Edited, Original, Refused, edited, read, restore, write
from scanagg.upgrades.ways import LockJob, PinEdit, Ways

# Resolving a large project anew from a slow index takes minutes.
LOCK_SECONDS: Final = 900.0
"""The time limit for one command of a locker."""

# Lockers also need to know the index, and how to log in there.
_ALLOWED: Final = (
    *("UV_*", "PIP_*", "POETRY_*", "PDM_*", "PIPENV_*", "WORKON_HOME"),
    *("NETRC", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]+@")
_SHOWN_LINES: Final = 4
_SHOWN_WIDTH: Final = 400


class StepState(enum.Enum):
    """The result of a step."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"


class UpgradeStep(msgspec.Struct, frozen=True):
    """A step that was done or tried: `text` is what, `reason` why it failed."""

    state: StepState
    text: str
    reason: str = ""


class Bench(msgspec.Struct, frozen=True):
    """The project and the environment to work in; `seconds` is the time limit of each command."""

    root: Path
    stop: Stop
    environ: Mapping[str, str]
    seconds: float = LOCK_SECONDS


def apply(ways: Ways, bench: Bench) -> Iterator[UpgradeStep]:
    """Make the upgrades, lazily: each step runs when the iterator is advanced.

    If a locker fails, the pins in its sources are restored too. OutputError if that fails.
    """
    for job in ways.jobs:
        yield from _steps(job, ways.edits, bench)
    alone = [edit for edit in ways.edits if not any(job.needs(edit) for job in ways.jobs)]
    for path, of_path in _by_path(alone).items():
        try:
            yield from _edit(read(bench.root, path), of_path)
        except Refused as error:
            text = f"{path}: {', '.join(edit.goal.text for edit in of_path)}"
            yield UpgradeStep(StepState.FAILED, text, str(error))


def _steps(job: LockJob, edits: Sequence[PinEdit], bench: Bench) -> Iterator[UpgradeStep]:
    """Run a locker for all goals; if it refuses, for each goal alone."""
    if bench.stop.is_set():
        yield UpgradeStep(StepState.FAILED, "; ".join(job.shown), "stopped before it started")
        return
    edits = [edit for edit in edits if job.needs(edit)]
    program = find_program(job.recipe.tool, bench.root, bench.environ)
    if job.recipe.reason or program is None:
        lines = chain.from_iterable(edit.lines for edit in edits)
        text = "; ".join((*lines, *job.shown))
        missing = f"{job.recipe.tool} is not installed outside the project"
        yield UpgradeStep(StepState.LEFT, text, job.recipe.reason or missing)
        return
    steps = _lock(job, program, edits, bench)
    if len(job.goals) == 1 or any(step.state is StepState.DONE for step in steps):
        yield from steps
        return
    for goal in job.goals:
        yield from _steps(LockJob(job.recipe, (goal,)), edits, bench)


def _by_path(edits: Iterable[PinEdit]) -> Mapping[str, Sequence[PinEdit]]:
    by_path: dict[str, list[PinEdit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    return by_path


def _edit(original: Original, edits: Sequence[PinEdit]) -> list[UpgradeStep]:
    """Write a file with all these pins changed. Refused if one is not there."""
    raw = original.raw or b""
    steps = []
    for edit in edits:
        result = _edited(original.path, raw, edit)
        # A goal for the same version in another spelling (1.0, 1.0.0) changes these pins too.
        if not result.changes and not _edited(original.path, original.raw or b"", edit).changes:
            package = edit.goal.package
            raise Refused(f"{original.path} no longer pins {package.name} {package.version}")
        raw = result.raw
        lines = PinEdit(edit.path, edit.goal, result.changes).lines
        steps += [UpgradeStep(StepState.DONE, line) for line in lines]
    write(original, raw)
    return steps


def _edited(path: str, raw: bytes, edit: PinEdit) -> Edited:
    lines = {*edit.goal.places.get(path, ()), *(change.line for change in edit.changes)}
    return edited(path, raw, edit.goal.pin, lines)


def _lock(
    job: LockJob, program: str, edits: Sequence[PinEdit], bench: Bench
) -> Sequence[UpgradeStep]:
    """Edit the sources of a file and run its tool. If that fails, undo everything."""
    recipe = job.recipe
    originals: list[Original] = []
    steps: list[UpgradeStep] = []
    worked = False
    try:
        by_path = _by_path(edits)
        for path in dict.fromkeys((recipe.made, *recipe.sources, *by_path)):
            originals.append(read(bench.root, path, missing_ok=path != recipe.made))
        for original in originals:
            path, raw = original.path, original.raw or b""
            # Another job may have changed some of the pins already.
            left = [edit for edit in by_path.get(path, ()) if _edited(path, raw, edit).changes]
            steps += _edit(original, left) if left else []
        _run(job, program, bench)
        locked = _locked(job, bench.root)
        worked = any(step.state is StepState.DONE for step in locked)
        return [*steps, *locked] if worked else locked
    except Refused as error:
        reason = f"{error}; {recipe.made} is unchanged"
        return [UpgradeStep(StepState.FAILED, "; ".join(job.shown), reason)]
    finally:
        problems = [] if worked else [*map(restore, originals)]
        for message in filter(None, problems):
            raise OutputError(message, "Restore it from version control.")


def _run(job: LockJob, program: str, bench: Bench) -> None:
    """Run the commands of a tool. Refused with the last lines that it printed if one fails."""
    folder = bench.root / job.recipe.folder
    env = clean_environment(_ALLOWED, job.recipe.env)
    for argv in job.commands:
        done = run(
            (program, *argv[1:]),
            cwd=folder,
            env=env,
            tree=bench.root,
            timeout=bench.seconds,
            stop=bench.stop,
        )
        if done.ended is Ended.EXITED and not done.returncode:
            continue
        ending = {
            Ended.EXITED: f"failed (exit code {done.returncode})",
            Ended.TIMEOUT: f"took more than {bench.seconds:.0f} s",
            Ended.STOPPED: "was stopped",
            Ended.OVERFLOW: "printed too much",
            Ended.NOT_STARTED: f"could not be started: {done.detail}",
        }[done.ended]
        text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
        lines = [*filter(None, map(str.strip, text.splitlines()))]
        # Links to more information do not say what went wrong: pdm ends with two such lines.
        relevant = [line for line in lines if not line.startswith("See ")] or lines
        # A URL of the index may have a password.
        words = _CREDENTIALS.sub("***@", " ".join(relevant[-_SHOWN_LINES:]))
        ending += f": {shorten(one_line(words), _SHOWN_WIDTH)}" if words else ""
        raise Refused(f"{job.recipe.tool} {ending}")


def _locked(job: LockJob, root: Path) -> list[UpgradeStep]:
    """Return the result for each goal, by the lock file. Refused if that is unreadable now."""
    tool, path = job.recipe.tool, job.recipe.made
    try:
        versions = versions_in(path, read(root, path).raw or b"")
    except Refused as error:
        raise Refused(f"{tool} finished, but {error}") from error
    if versions is None:
        raise Refused(f"{tool} finished, but {path} cannot be parsed")
    steps = []
    for goal in job.goals:
        name, old = goal.package.name, goal.package.version
        now = sorted(versions.get(name, ()), key=_order)
        became = " and ".join(now) or "no longer needed"
        step = UpgradeStep(StepState.DONE, f"{path}: {name} {old} -> {became}")
        failed = UpgradeStep(StepState.FAILED, f"{path}: {goal.text}")
        if _order(old) in map(_order, now):
            step = replace(failed, reason=f"{tool} keeps {name} at {old}")
        elif now and _order(now[-1]) < _order(old):
            step = replace(failed, reason=f"{tool} downgrades it to {now[-1]}")
        steps.append(step)
    return steps


def _order(version: str) -> tuple[int, Version | str]:
    parsed = version_of(version)
    return (0, version) if parsed is None else (1, parsed)
