"""Make upgrades: edit files completely or not at all, run lockers, undo what fails."""

import contextlib
import enum
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.version import Version

from scanagg.core.errors import OutputError
from scanagg.core.process import Ended, clean_environment, run
from scanagg.core.programs import find_program
from scanagg.model.project import version_of
from scanagg.upgrades.lockers import versions_in
from scanagg.upgrades.pins import Edited, Original, Refused, edited, read, restore, write
from scanagg.upgrades.proof import Bench, Proof, ProofState, failure, prove
from scanagg.upgrades.ways import LockJob, PinEdit, Ways

# Lockers also need to know the index, and how to log in there.
_ALLOWED: Final = (
    *("UV_*", "PIP_*", "POETRY_*", "PDM_*", "PIPENV_*", "WORKON_HOME"),
    *("NETRC", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
)
_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StepState(enum.Enum):
    """The result of a step."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"
    PROVEN = "proven"
    UNPROVEN = "unproven"


class UpgradeStep(msgspec.Struct, frozen=True):
    """A step that was done or tried: `text` names it, `reason` says why it failed.

    A proven or unproven step names a file that was written. Its `reason` says which tool proved
    that its packages can be installed, or why that is not known.
    """

    state: StepState
    text: str
    reason: str = ""


def apply(ways: Ways, bench: Bench) -> Iterator[UpgradeStep]:
    """Make the upgrades, lazily: each step runs when the iterator is advanced.

    Each changed file is proven by a dry resolution. If that or a locker fails, or anything
    interrupts it, all files are as before. OutputError if one cannot be restored.
    """
    for job in ways.jobs:
        yield from _steps(job, ways.edits, bench)
    alone = [edit for edit in ways.edits if not any(job.needs(edit) for job in ways.jobs)]
    for path, of_path in _by_path(alone).items():
        yield from _pins(path, of_path, bench)


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


def _pins(path: str, edits: Sequence[PinEdit], bench: Bench) -> Sequence[UpgradeStep]:
    """Edit the pins of a file that no tool writes; if they do not fit together, each goal alone."""
    text = f"{path}: {', '.join(edit.goal.text for edit in edits)}"
    if bench.stop.is_set():
        return [UpgradeStep(StepState.FAILED, text, "stopped before it started")]
    try:
        with contextlib.ExitStack() as undo:
            original = read(bench.root, path)
            undo.callback(_restore, [original])
            steps = _edit(original, edits)
            proof = _proven([original], bench, lambda: prove(bench, path))
            if proof.state is not ProofState.REFUTED:
                undo.pop_all()
                return [*steps, _proof_step(path, proof)]
            if len(edits) == 1:
                raise Refused(proof.reason)
    except Refused as error:
        return [UpgradeStep(StepState.FAILED, text, f"{error}; {path} is unchanged")]
    return [step for edit in edits for step in _pins(path, [edit], bench)]


def _proven(files: Sequence[Original], bench: Bench, attempt: Callable[[], Proof]) -> Proof:
    """Return the proof of the changed files.

    It refutes the change only if the files before it are proven: otherwise something else is wrong.
    """
    proof = attempt()
    if proof.state is not ProofState.REFUTED:
        return proof
    changed = [read(bench.root, file.path, missing_ok=True) for file in files]
    _restore(files)
    if attempt().state is ProofState.PROVEN:
        return proof
    _restore(changed)
    return Proof(ProofState.OPEN, proof.by, f"{proof.reason} The same was true before the change.")


def _proof_step(path: str, proof: Proof) -> UpgradeStep:
    if proof.state is ProofState.OPEN:
        return UpgradeStep(StepState.UNPROVEN, path, proof.reason)
    without = f", without {proof.reason}" if proof.reason else ""
    return UpgradeStep(StepState.PROVEN, path, f"checked with {proof.by}{without}")


def _restore(originals: Iterable[Original]) -> None:
    """Restore files, whatever signal arrives meanwhile. OutputError if one cannot be restored."""
    with _undisturbed():
        problems = [*filter(None, map(restore, originals))]
    if problems:
        raise OutputError("\n".join(problems), "Restore it from version control.")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore the signals that end a program; only the main thread can do that, and gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = [signal.signal(ending, signal.SIG_IGN) for ending in _ENDING]
    try:
        yield
    finally:
        for ending, handler in zip(_ENDING, handlers, strict=True):
            signal.signal(ending, handler or signal.SIG_DFL)


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
    try:
        with contextlib.ExitStack() as undo:
            undo.callback(_restore, originals)
            by_path = _by_path(edits)
            for path in dict.fromkeys((recipe.made, *recipe.sources, *by_path)):
                originals.append(read(bench.root, path, missing_ok=path != recipe.made))
            for original in originals:
                path, raw = original.path, original.raw or b""
                # Another job may have changed some of the pins already.
                left = [edit for edit in by_path.get(path, ()) if _edited(path, raw, edit).changes]
                steps += _edit(original, left) if left else []
            for argv in job.commands:
                _run(job, (program, *argv[1:]), bench)
            locked = _locked(job, bench.root)
            if not any(step.state is StepState.DONE for step in locked):
                return locked
            proof = _proven(originals, bench, lambda: _checked(job, program, bench))
            if proof.state is ProofState.REFUTED:
                raise Refused(proof.reason)
            undo.pop_all()
            return [*steps, *locked, _proof_step(recipe.made, proof)]
    except Refused as error:
        reason = f"{error}; {recipe.made} is unchanged"
        return [UpgradeStep(StepState.FAILED, "; ".join(job.shown), reason)]


def _checked(job: LockJob, program: str, bench: Bench) -> Proof:
    """Return what the tool says about the lock file. A compiler has just resolved what it wrote."""
    tool = job.recipe.tool
    if not job.recipe.check:
        return Proof(ProofState.PROVEN, tool)
    try:
        _run(job, (program, *job.recipe.check), bench)
    except Refused as error:
        if bench.stop.is_set():
            raise
        return Proof(ProofState.REFUTED, tool, str(error))
    return Proof(ProofState.PROVEN, tool)


def _run(job: LockJob, argv: Sequence[str], bench: Bench) -> None:
    """Run a command of a tool. Refused with the last lines that it printed if it fails."""
    done = run(
        argv,
        cwd=bench.root / job.recipe.folder,
        env=clean_environment(_ALLOWED, job.recipe.env),
        tree=bench.root,
        timeout=bench.seconds,
        stop=bench.stop,
    )
    if done.ended is not Ended.EXITED or done.returncode:
        raise Refused(f"{job.recipe.tool} {failure(done, bench.seconds)}")


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
