"""Run scanners: processes, time limits, retries, coverage and the status of each run."""

import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core import cache
from scanagg.core.errors import ResourceError
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.text import one_line
from scanagg.model import Coverage, NotExamined, Observation, Reason, Run, Status
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    Scanner,
    Tool,
    merge,
    not_installed,
    unreadable,
)

DEFAULT_TIMEOUT: Final = 900.0
UNREADABLE: Final = (ValueError, OverflowError, RecursionError, MemoryError)
"""The errors that an answer of any content can cause while a scanner's package reads it."""

# The folders of an absolute path. The slashes of a URL don't count.
_FOREIGN_PATH: Final = re.compile(r"(?<![\w.~}/:])/(?:[^/\s=,:]+/)+")
_PROBE_SECONDS: Final = 30.0
_NO_TOOL: Final = Tool((), "")
_SHOWN_REASONS: Final = 3


class Event(msgspec.Struct, frozen=True):
    """The progress of one scanner. `run` is None until the scanner ends."""

    scanner: str
    note: str
    run: Run | None = None


class Scanned(msgspec.Struct, frozen=True):
    """A run, its observations, and the values of secrets in them, for masking."""

    run: Run
    observations: tuple[Observation, ...] = ()
    secrets: frozenset[str] = frozenset()


class Task(msgspec.Struct, frozen=True):
    """A scanner with its context."""

    scanner: Scanner
    context: Context


class Limits(msgspec.Struct, frozen=True):
    """Run `jobs` programs at once, for `timeout` seconds each scanner, until `stop`."""

    jobs: int
    timeout: float
    stop: Stop


def scan(
    tasks: Sequence[Task], limits: Limits, notify: Callable[[Event], None]
) -> tuple[Scanned, ...]:
    """Run all scanners in parallel. Return one result for each task, in order.

    Ctrl-C in the waiting thread sets `limits.stop`. Results up to then are returned.
    """
    slots = threading.BoundedSemaphore(limits.jobs)
    with ThreadPoolExecutor(max_workers=max(1, len(tasks))) as pool:
        try:
            futures = [pool.submit(_Scan(task, limits, slots, notify).result) for task in tasks]
        except RuntimeError as error:
            limits.stop.interrupt()
            hint = "Run again where more threads and memory are allowed: see `ulimit -a`."
            raise ResourceError(f"cannot run the scanners: {error}", hint) from error
        pending = set(futures)
        while pending:
            try:
                _, pending = wait(pending, timeout=0.2)
            except KeyboardInterrupt:
                limits.stop.interrupt()
    return tuple(future.result() for future in futures)


def find(task: Task, limits: Limits) -> tuple[Tool | None, Reason | None]:
    """Find the scanner and its version without scanning, or the reason for no version."""
    scan = _Scan(task, limits, threading.BoundedSemaphore(1), lambda _event: None)
    tool: Tool | None = None
    try:
        tool = task.scanner.locate(task.context)
        return scan.probed(tool) if tool else None, None
    except ScanError as error:
        return tool, error.reason


def covered(
    inputs: Inputs, parsed: Sequence[Parsed], failed: Iterable[tuple[tuple[str, ...], Reason]]
) -> Coverage:
    """Return the coverage that the outputs prove. All other inputs are not examined.

    `failed` are the inputs of calls with an unusable output, with the reason. An input that is in
    both lists counts as not examined.
    """
    result = merge(parsed)
    gaps = {gap.input: gap for gap in (*inputs.not_examined, *result.not_examined)}
    for names, reason in failed:
        gaps.update({name: NotExamined(name, reason) for name in names})
    known = {*inputs.found, *gaps}
    for name in known.difference(result.examined, gaps):
        gaps[name] = NotExamined(name, Reason("unmentioned"))
    left = tuple(gaps[name] for name in sorted(gaps))
    return Coverage(inputs.unit, len(known), len(known) - len(left), left)


class _Scan:
    """The run of one scanner. Several threads add the results of batches."""

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
        self._deadline = 0.0
        self._lock = threading.Lock()
        self._inputs = Inputs("inputs")
        self._parsed: list[Parsed] = []
        self._failed: list[tuple[tuple[str, ...], Reason]] = []
        self._timed_out = False
        self._argv: dict[int, tuple[str, ...]] = {}

    def result(self) -> Scanned:
        """Return the run. It fails if this machine lacks memory, threads, open files or space."""
        try:
            return self._scanned()
        except (MemoryError, OSError, RuntimeError) as error:
            detail = Reason("lacks-resources", {"error": _cause(error)})
            coverage = covered(self._inputs, self._parsed, [(self._inputs.found, detail)])
            return self._end(Status.FAILED, detail, coverage)

    def _scanned(self) -> Scanned:
        """Find the inputs, the program and its version, and run it on batches of inputs."""
        self._notify(Event(self._info.name, "looking for inputs"))
        inputs = self._inputs = self._scanner.inputs(self._context)
        if not inputs.found and not inputs.not_examined:
            reason = Reason("not-applicable", {"unit": inputs.unit})
            return self._end(Status.NOT_APPLICABLE, reason, Coverage(inputs.unit))
        if self._context.offline and self._info.needs_network:
            return self._end(Status.SKIPPED, Reason("skipped-offline"), Coverage(inputs.unit))
        try:
            tool = self._scanner.locate(self._context)
            missing = not_installed(self._info)
        except ScanError as error:
            tool, missing = None, error.reason
        if tool is None:
            coverage = covered(inputs, (), [(inputs.found, missing)])
            return self._end(Status.MISSING, missing, coverage)
        try:
            tool = self.probed(tool)
        except ScanError as error:
            coverage = covered(inputs, (), [(inputs.found, error.reason)])
            return self._end(self._stopped_or_failed(), error.reason, coverage, tool)
        cached = cache.recall(self._context.cache, self._info.name, inputs.found)
        self._context = replace(self._context, cached=cached)
        if cached:
            self._parsed.append(self._scanner.recall(self._context))
        batches = list(self._scanner.batches(self._context, inputs))
        if batches:
            self._notify(Event(self._info.name, "running"))
            self._deadline = monotonic() + self._timeout
            with ThreadPoolExecutor(max_workers=max(1, self._context.workers)) as pool:
                for _ in pool.map(lambda each: self._examine(tool, *each), enumerate(batches)):
                    pass
        return self._judged(inputs, tool)

    def probed(self, tool: Tool) -> Tool:
        """Return the tool with its version and data. ScanError if its probe fails."""
        call = self._scanner.probe(self._context, tool)
        if call is None:
            return tool
        limit = min(_PROBE_SECONDS, self._timeout)
        output = self._output(call, limit, limit)
        _check_signal(output)
        try:
            return self._scanner.identify(tool, output)
        except UNREADABLE as error:
            raise unreadable(error) from error

    def _examine(self, tool: Tool, number: int, batch: tuple[str, ...]) -> None:
        """Examine one batch. If the output is unusable, try smaller batches of the scanner."""
        pending = [batch]
        while pending:
            current = pending.pop()
            output: Output | None = None
            try:
                call = self._scanner.call(self._context, tool, current)
                with self._lock:
                    self._argv.setdefault(number, self._shown(tool, call))
                output = self._output(call, max(0.0, self._deadline - monotonic()), self._timeout)
                _check_signal(output)
                parsed = self._parsed_output(output)
            except ScanError as error:
                again: Sequence[tuple[str, ...]] = ()
                if output and not self._limits.stop.is_set() and not self._timed_out:
                    again = self._scanner.again(self._context, output)
                pending.extend(again)
                retried = {*chain.from_iterable(again)}
                left = tuple(name for name in current if name not in retried)
                if left or not again:
                    with self._lock:
                        self._failed.append((left, error.reason))
                continue
            pending.extend(parsed.again)
            if parsed.store:
                cache.store(self._context.cache, self._info.name, parsed.store)
            with self._lock:
                self._parsed.append(parsed)

    def _parsed_output(self, output: Output) -> Parsed:
        try:
            return self._scanner.parse(self._context, output)
        except UNREADABLE as error:
            raise unreadable(error) from error

    def _output(self, call: Call, seconds: float, limit: float) -> Output:
        """Run a program. ScanError if it did not exit by itself.

        `seconds` are those left of the time limit.
        """
        end = monotonic() + seconds
        with self._slots, cache.work_folder(self._context.cache) as work:
            output = self._run(call, work, end, limit)
            if call.also:
                output = replace(output, also=self._run(call.also, work, end, limit))
            return output

    def _run(self, call: Call, work: Path, end: float, limit: float) -> Output:
        def placed(text: str) -> str:
            return text.replace("{work}", str(work))

        for name, text in call.files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8", errors="surrogateescape")
        # The cache may be inside the repository, and scanners ask git about their folder.
        variables = {key: placed(text) for key, text in call.env.items()}
        variables["GIT_DIR"] = os.devnull
        done = run(
            [*map(placed, call.argv), *call.extra],
            cwd=call.cwd or work,
            env=clean_environment(call.allow, variables),
            tree=self._context.target.root,
            timeout=max(0.0, end - monotonic()),
            stop=self._limits.stop,
            stdin=call.stdin,
        )
        self._check_end(done, limit)
        stdout = done.stdout
        if call.output is not None:
            try:
                stdout = Path(placed(call.output)).read_bytes()
            except OSError as error:
                reason = Reason("no-report-file", {"error": error.strerror or str(error)})
                raise ScanError(reason) from error
        stderr = done.stderr.decode("utf-8", "replace")
        return Output(done.returncode or 0, stdout, stderr, call.inputs)

    def _check_end(self, done: Completed, limit: float) -> None:
        match done.ended:
            case Ended.EXITED:
                return
            case Ended.TIMEOUT:
                self._timed_out = True
                raise ScanError(Reason("scanner-timed-out", {"seconds": f"{limit:g}"}))
            case Ended.STOPPED if self._limits.stop.interrupted:
                raise ScanError(Reason("scanner-interrupted"))
            case Ended.STOPPED:
                raise ScanError(Reason("check-deadline"))
            case Ended.OVERFLOW:
                raise ScanError(Reason("too-much-output"))
            case Ended.NOT_STARTED:
                raise ScanError(Reason("scanner-not-started", {"error": done.detail}))

    def _stopped_or_failed(self) -> Status:
        stop = self._limits.stop
        if self._timed_out or (stop.is_set() and not stop.interrupted):
            return Status.TIMEOUT
        return Status.FAILED

    def _judged(self, inputs: Inputs, tool: Tool) -> Scanned:
        """Set the status by the inputs that were examined, not by exit codes."""
        coverage = covered(inputs, self._parsed, self._failed)
        failures = [reason for _, reason in self._failed]
        stopped = self._timed_out or self._limits.stop.is_set()
        if failures and (stopped or not coverage.examined):
            detail = failures[-1 if stopped else 0]
            return self._end(self._stopped_or_failed(), detail, coverage, tool)
        if not coverage.examined:
            detail = Reason(
                "no-input-examined",
                {
                    "found": coverage.wanted or coverage.found,
                    "unit": coverage.unit,
                    "reasons": _main_reasons(coverage.not_examined),
                },
            )
            return self._end(Status.EMPTY, detail, coverage, tool)
        if coverage.gaps:
            gap = coverage.gaps[0]
            detail = Reason(
                "inputs-not-examined",
                {
                    "number": len(coverage.gaps),
                    "found": coverage.wanted,
                    "unit": coverage.unit,
                    "input": gap.input,
                    "reason": gap.reason,
                },
            )
            return self._end(Status.DEGRADED, detail, coverage, tool)
        if failures:
            return self._end(Status.DEGRADED, failures[0], coverage, tool)
        return self._end(Status.OK, None, coverage, tool)

    def _end(
        self,
        status: Status,
        detail: Reason | None,
        coverage: Coverage,
        tool: Tool = _NO_TOOL,
    ) -> Scanned:
        """Return the run with its observations."""
        result = merge(self._parsed)
        done = Run(
            scanner=self._info.name,
            version=tool.version,
            status=status,
            detail=detail,
            coverage=coverage,
            # The first batch, so that each run shows the same.
            argv=min(self._argv.items(), default=(0, ()))[1],
            started=self._started,
            seconds=round(monotonic() - self._clock, 3),
            data=result.data or tool.data,
            hidden=result.hidden,
            notices=self._notices(result),
        )
        self._notify(Event(self._info.name, status.value, done))
        return Scanned(
            run=done,
            observations=result.observations,
            secrets=result.secrets,
        )

    def _notices(self, result: Parsed) -> tuple[Reason, ...]:
        """Return the notices of the scanner, on its settings, and on unused configuration."""
        notices = set(result.notices)
        settings = self._context.settings
        parts = [*settings.args, *(f"{key}={value}" for key, value in settings.options.items())]
        if parts:
            words = " ".join(_placed(part, self._places()) for part in parts)
            notices.add(Reason("runs-with-settings", {"settings": words}))
        named = [str(value) for notice in notices for value in notice.values.values()]
        for file in self._context.target.files:
            native = file.path.rpartition("/")[2] in self._info.native_files
            if native and not any(file.path in text for text in named):
                notices.add(Reason("unused-configuration", {"path": file.path}))
        return tuple(sorted(notices, key=repr))

    def _shown(self, tool: Tool, call: Call) -> tuple[str, ...]:
        """Return the command line for reports, without paths of this machine and file names."""
        places = self._places()
        own = call.argv[: len(tool.argv)] == tool.argv
        start = tool.shown.split() if own else []
        parts = call.argv[len(tool.argv) :] if own else call.argv
        shown = [_placed(part, places) for part in parts]
        files = (f"[{len(call.extra)} more]",) if call.extra else ()
        return (*start, *shown, *files)

    def _places(self) -> Mapping[str, str]:
        """Return folders and services of this machine, with their names in reports."""
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
        lookup = self._context.lookup
        return {
            **({lookup.url: "{advisories}"} if lookup else {}),
            str(self._context.target.root): ".",
            str(self._context.cache): "{cache}",
            **({home: "~"} if home != "~" else {}),
        }


def _main_reasons(gaps: Sequence[NotExamined]) -> tuple[Reason, ...]:
    """Return why no input was examined: the only reason, or the main ones, each with an input."""
    counts = Counter(gap.reason for gap in gaps)
    if len(counts) == 1:
        return tuple(counts)
    # In reverse, so that the first input of each reason stays.
    inputs = {gap.reason: gap.input for gap in reversed(gaps)}
    main = [reason for reason, _ in counts.most_common(_SHOWN_REASONS)]
    shown = [Reason("input", {"input": inputs[reason], "reason": reason}) for reason in main]
    more = len(gaps) - len(shown)
    return (*shown, Reason("more", {"count": more})) if more else tuple(shown)


def _check_signal(output: Output) -> None:
    """Raise ScanError for a program that was killed, even if its output looks complete."""
    for one in filter(None, (output, output.also)):
        if one.returncode < 0:
            raise ScanError(Reason("scanner-killed", {"signal": -one.returncode}))


def _cause(error: Exception) -> str:
    """Return what this machine lacks, without the path of a file."""
    text = error.strerror if isinstance(error, OSError) else str(error)
    return text or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)


def _placed(part: str, places: Mapping[str, str]) -> str:
    if part == sys.executable:
        return "python"
    for path, name in places.items():
        if path != "/":
            part = part.replace(path, name)
    return one_line(_FOREIGN_PATH.sub("…/", part))
