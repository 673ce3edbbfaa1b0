"""Runs scanners: processes, deadlines, retries, coverage and the status of each run."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core import cache
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.text import one_line, shorten
from scanagg.model import Coverage, Observation, Run, Status
from scanagg.scanners.base import Call, Context, Inputs, Output, Parsed, ScanError, Scanner, Tool
from scanagg.scanners.coverage import (
    covered,
    gaps_of,
    nothing_examined,
    partly_examined,
    summed,
    unexamined,
)

DEFAULT_TIMEOUT: Final = 900.0
# The folders of an absolute path; the slashes of an address are none.
_FOREIGN_PATH: Final = re.compile(r"(?<![\w.~}/:])/(?:[^/\s=,:]+/)+")
_PROBE_SECONDS: Final = 30.0
_REASON_WIDTH: Final = 400


class Event(msgspec.Struct, frozen=True):
    """Progress of one scanner, for whoever watches: `run` is None until it has ended."""

    scanner: str
    note: str
    run: Run | None = None


class Scanned(msgspec.Struct, frozen=True):
    """A run, what the scanner said, and secret values it named, for masking."""

    run: Run
    observations: tuple[Observation, ...] = ()
    secrets: frozenset[str] = frozenset()


class Task(msgspec.Struct, frozen=True):
    """A scanner, and what it may look at."""

    scanner: Scanner
    context: Context


class Limits(msgspec.Struct, frozen=True):
    """`jobs` programs at once, `timeout` seconds a scanner, `stop` for all."""

    jobs: int
    timeout: float
    stop: Stop


@dataclass(slots=True)
class _Progress:
    """What one scanner has come to so far. Filled by its jobs, read once they have ended."""

    parsed: list[Parsed] = field(default_factory=list)
    failed: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    timed_out: bool = False
    argv: dict[int, tuple[str, ...]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def scan(
    tasks: Sequence[Task], limits: Limits, notify: Callable[[Event], None]
) -> tuple[Scanned, ...]:
    """Run all scanners side by side; one result for each task, in order, whatever happens.

    Ctrl-C in the waiting thread sets `limits.stop`; what is known by then is still returned.
    """
    slots = threading.BoundedSemaphore(limits.jobs)
    with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
        futures = [pool.submit(_Scan(task, limits, slots, notify).result) for task in tasks]
        _wait(futures, limits.stop)
    return tuple(future.result() for future in futures)


def find(task: Task, limits: Limits) -> tuple[Tool | None, str]:
    """The scanner with its version, without scanning; and why it could not be asked, if so."""
    one = _Scan(task, limits, threading.BoundedSemaphore(1), lambda _event: None)
    tool = task.scanner.locate(task.context.settings)
    try:
        return (one.probed(tool), "") if tool else (None, "")
    except ScanError as error:
        return tool, _reason(error)


def _wait(futures: Iterable[Future[Scanned]], stop: Stop) -> None:
    pending = set(futures)
    while pending:
        try:
            _, pending = wait(pending, timeout=0.2)
        except KeyboardInterrupt:
            stop.interrupt()


class _Scan:
    """One scanner's way from inputs to a run."""

    def __init__(
        self,
        task: Task,
        limits: Limits,
        slots: threading.BoundedSemaphore,
        notify: Callable[[Event], None],
    ) -> None:
        self._scanner = task.scanner
        self._info = task.scanner.INFO
        self._context = task.context
        self._limits = limits
        self._slots = slots
        self._notify = notify
        self._started = datetime.now(UTC)
        self._clock = monotonic()
        self._timeout = task.context.settings.timeout or limits.timeout
        self._deadline: float | None = None
        self._progress = _Progress()

    def result(self) -> Scanned:
        """Inputs, program, version, jobs: whichever is missing first decides the status."""
        self._say("looking for inputs")
        inputs = self._scanner.inputs(self._context)
        if not inputs.found and not inputs.not_examined:
            detail = f"no {inputs.unit} of its kind in the project"
            return self._end(Status.NOT_APPLICABLE, detail, inputs, None)
        tool = self._scanner.locate(self._context.settings)
        if tool is None:
            return self._end(Status.MISSING, f"not found: {self._info.install}", inputs, None)
        try:
            tool = self.probed(tool)
        except ScanError as error:
            return self._end(self._stopped_or(Status.FAILED), _reason(error), inputs, tool)
        self._remember(inputs)
        self._examine(inputs, tool)
        return self._judged(inputs, tool)

    def probed(self, tool: Tool) -> Tool:
        """The tool with what its probe tells. ScanError where that tells nothing."""
        job = self._scanner.probe(self._context, tool)
        if job is None:
            return tool
        output = self._output(job, _PROBE_SECONDS)
        _check_signal(output)
        return self._scanner.identify(tool, output)

    def _remember(self, inputs: Inputs) -> None:
        """Give the scanner what earlier runs stored for these inputs."""
        cached = cache.recall(self._context.cache, self._info.name, inputs.found)
        self._context = replace(self._context, cached=cached)
        if cached:
            self._progress.parsed.append(self._scanner.recall(self._context))

    def _examine(self, inputs: Inputs, tool: Tool) -> None:
        batches = list(self._scanner.batches(self._context, inputs))
        if not batches:
            return
        self._say("running")
        with ThreadPoolExecutor(max_workers=max(1, self._context.workers)) as pool:
            for _ in pool.map(lambda each: self._batch(tool, *each), enumerate(batches)):
                pass

    def _batch(self, tool: Tool, number: int, batch: tuple[str, ...]) -> None:
        """Examine one batch; where its output cannot be used, what the scanner tries instead."""
        pending = [batch]
        while pending:
            current = pending.pop()
            output: Output | None = None
            try:
                job = self._scanner.call(self._context, tool, current)
                with self._progress.lock:
                    self._progress.argv.setdefault(number, self._shown(tool, job))
                output = self._output(job, self._remaining())
                _check_signal(output)
                self._keep(self._scanner.parse(self._context, output))
            except ScanError as error:
                again = self._again(output)
                pending.extend(again)
                retried = {name for smaller in again for name in smaller}
                left = tuple(name for name in current if name not in retried)
                if left or not again:
                    self._fail(left, _reason(error))

    def _again(self, output: Output | None) -> Sequence[tuple[str, ...]]:
        if output is None or self._limits.stop.is_set() or self._progress.timed_out:
            return ()
        return self._scanner.again(self._context, output)

    def _keep(self, parsed: Parsed) -> None:
        if parsed.store:
            cache.store(self._context.cache, self._info.name, parsed.store)
        with self._progress.lock:
            self._progress.parsed.append(parsed)

    def _fail(self, inputs: tuple[str, ...], reason: str) -> None:
        with self._progress.lock:
            self._progress.failed.append((inputs, reason))

    def _remaining(self) -> float:
        """Seconds left of the scanner's own deadline, which starts with its first job."""
        if self._deadline is None:
            self._deadline = monotonic() + self._timeout
        return max(0.0, self._deadline - monotonic())

    def _output(self, job: Call, seconds: float) -> Output:
        """Run a job. ScanError where the program did not come to an end of its own."""
        with self._slots, cache.work_folder(self._context.cache) as work:
            done = self._run(job, work, seconds)
            self._check_ended(done)
            return Output(
                returncode=done.returncode or 0,
                stdout=_written(job, work) if job.output else done.stdout,
                stderr=done.stderr.decode("utf-8", "replace"),
                inputs=job.inputs,
            )

    def _run(self, job: Call, work: Path, seconds: float) -> Completed:
        def placed(text: str) -> str:
            return text.replace("{work}", str(work))

        for name, text in job.files.items():
            (work / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        return run(
            [*map(placed, job.argv), *job.extra],
            cwd=job.cwd or work,
            env=clean_environment(job.allow, {key: placed(text) for key, text in job.env.items()}),
            timeout=seconds,
            stop=self._limits.stop,
            stdin=job.stdin,
        )

    def _check_ended(self, done: Completed) -> None:
        match done.ended:
            case Ended.EXITED:
                return
            case Ended.TIMEOUT:
                self._progress.timed_out = True
                raise ScanError(f"did not end within {self._timeout:g} seconds")
            case Ended.STOPPED:
                raise ScanError(self._why_stopped())
            case Ended.OVERFLOW:
                raise ScanError("printed more than 256 MiB; stopped")
            case Ended.NOT_STARTED:
                raise ScanError(f"could not be started: {done.detail}")

    def _why_stopped(self) -> str:
        if self._limits.stop.interrupted:
            return "interrupted"
        return "the deadline of the whole run passed"

    def _stopped_or(self, status: Status) -> Status:
        if self._progress.timed_out:
            return Status.TIMEOUT
        stop = self._limits.stop
        return Status.TIMEOUT if stop.is_set() and not stop.interrupted else status

    def _judged(self, inputs: Inputs, tool: Tool) -> Scanned:
        """Status by the evidence: what was examined, not what the program returned."""
        coverage = covered(inputs, self._progress.parsed, self._progress.failed)
        gaps = gaps_of(coverage)
        failed = self._progress.failed
        if failed and (self._progress.timed_out or self._limits.stop.is_set()):
            status, detail = self._stopped_or(Status.FAILED), failed[-1][1]
        elif failed and not coverage.examined:
            status, detail = Status.FAILED, failed[0][1]
        elif not coverage.examined:
            status, detail = Status.EMPTY, nothing_examined(coverage)
        elif gaps or failed:
            status, detail = Status.DEGRADED, partly_examined(coverage, gaps)
        else:
            status, detail = Status.OK, ""
        return self._end(status, detail, inputs, tool, coverage)

    def _end(
        self,
        status: Status,
        detail: str,
        inputs: Inputs,
        tool: Tool | None,
        coverage: Coverage | None = None,
    ) -> Scanned:
        parsed = self._progress.parsed
        done = Run(
            scanner=self._info.name,
            version=tool.version if tool else None,
            status=status,
            detail=detail,
            coverage=coverage or unexamined(inputs, detail),
            # Of several batches side by side the first, so that every run shows the same.
            argv=min(self._progress.argv.items(), default=(0, ()))[1],
            started=self._started,
            seconds=round(monotonic() - self._clock, 3),
            data=next((each.data for each in parsed if each.data), tool.data if tool else None),
            hidden=summed(each.hidden for each in parsed),
            notices=self._notices(),
        )
        self._notify(Event(self._info.name, status.value, done))
        return Scanned(
            run=done,
            observations=tuple(one for each in parsed for one in each.observations),
            secrets=frozenset(value for each in parsed for value in each.secrets),
        )

    def _notices(self) -> tuple[str, ...]:
        """What the scanner has to say, and configuration of its own that the project brings."""
        said = {notice for each in self._progress.parsed for notice in each.notices}
        settings = self._context.settings
        given = [*settings.args, *(f"{key}={value}" for key, value in settings.options.items())]
        if given:
            words = " ".join(_placed(part, self._places()) for part in given)
            said.add(f"runs as the configuration says: {words}")
        for file in self._context.target.files:
            own = file.path.rpartition("/")[2] in self._info.native_files
            if own and not any(file.path in notice for notice in said):
                said.add(f"{file.path}: configuration of the project's own, not in effect")
        return tuple(sorted(said))

    def _shown(self, tool: Tool, job: Call) -> tuple[str, ...]:
        """The command line for a report: no path of this machine, no list of a thousand files."""
        places = self._places()
        own = job.argv[: len(tool.argv)] == tool.argv
        parts = job.argv[len(tool.argv) :] if own else job.argv
        shown = [_placed(part, places) for part in parts]
        files = (f"[{len(job.extra)} more]",) if job.extra else ()
        return (*(tool.shown.split() if own else ()), *shown, *files)

    def _places(self) -> Mapping[str, str]:
        """Folders and the service of this machine, by what reports call them."""
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
        lookup = self._context.lookup
        return {
            **({lookup.url: "{advisories}"} if lookup else {}),
            str(self._context.target.root): ".",
            str(self._context.cache): "{cache}",
            **({home: "~"} if home != "~" else {}),
        }

    def _say(self, note: str) -> None:
        self._notify(Event(self._info.name, note))


def _check_signal(output: Output) -> None:
    """ScanError for a program that was killed, whatever it had said by then."""
    if output.returncode < 0:
        raise ScanError(f"killed by signal {-output.returncode}")


def _placed(part: str, places: Mapping[str, str]) -> str:
    if part == sys.executable:
        return "python"
    for path, name in places.items():
        if path != "/":
            part = part.replace(path, name)
    return one_line(_FOREIGN_PATH.sub("…/", part))


def _written(job: Call, work: Path) -> bytes:
    path = Path((job.output or "").replace("{work}", str(work)))
    try:
        return path.read_bytes()
    except OSError as error:
        raise ScanError(f"wrote no report: {error.strerror}") from error


def _reason(error: ScanError) -> str:
    return shorten(one_line(str(error)), _REASON_WIDTH)
