"""A run's status comes from the examined inputs, never from an exit code."""

import errno
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.repository import git

from scanagg.core import cache
from scanagg.core.errors import ResourceError
from scanagg.core.process import Stop
from scanagg.model import Inventory, NotExamined, Reason, Run, ScannerInfo, Status, Target, plain
from scanagg.project.sources import Sources
from scanagg.reports.reasons import sentence
from scanagg.scanners import runner as scan_module
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    ScannerSettings,
    Tool,
)
from scanagg.scanners.runner import Event, Limits, Task, find, scan

ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"


@dataclass
class Fake:
    """A scanner whose program is a line of Python that prints the inputs it has examined."""

    code: str = ECHO
    found: tuple[str, ...] = ("a", "b", "c")
    left: tuple[NotExamined, ...] = ()
    size: int = 10
    installed: bool = True
    probing: str | None = None
    splits: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    name: str = "fake"
    needs_network: bool = False

    @property
    def INFO(self) -> ScannerInfo:  # noqa: N802 - a module has it as a constant
        return ScannerInfo(
            name=self.name, install="pip install fake", needs_network=self.needs_network
        )

    def locate(self, context: Context) -> Tool | None:
        return Tool((sys.executable, "-c"), "fake") if self.installed else None

    def probe(self, context: Context, tool: Tool) -> Call | None:
        return Call((sys.executable, "-c", self.probing)) if self.probing else None

    def identify(self, tool: Tool, output: Output) -> Tool:
        if not output.stdout:
            raise ScanError(plain("says no version"))
        return replace(tool, version=output.stdout.decode().strip())

    def inputs(self, context: Context) -> Inputs:
        return Inputs("letters", self.found, self.left)

    def batches(self, context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
        new = [name for name in inputs.found if name not in context.cached]
        return [tuple(new[at : at + self.size]) for at in range(0, len(new), self.size)]

    def call(self, context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
        values: dict[str, object] = {
            "argv": (*tool.argv, self.code),
            "extra": batch,
            "inputs": batch,
        }
        return Call(**{**values, **self.extra})  # type: ignore[arg-type]

    def again(self, context: Context, output: Output) -> Sequence[tuple[str, ...]]:
        if not self.splits or len(output.inputs) < 2:
            return ()
        middle = len(output.inputs) // 2
        return output.inputs[:middle], output.inputs[middle:]

    def parse(self, context: Context, output: Output) -> Parsed:
        try:
            said = json.loads(output.stdout)
        except ValueError as error:
            raise ScanError(plain(f"no JSON: {output.stderr[-80:]}")) from error
        if isinstance(said, dict):
            gaps = tuple(NotExamined(name, plain(why)) for name, why in said.pop("gaps", ()))
            return Parsed(**said, not_examined=gaps)
        return Parsed(examined=tuple(said))

    def recall(self, context: Context) -> Parsed:
        return Parsed(examined=tuple(context.cached))

    def advisory_source(self, context: Context) -> None:
        return None


def context(**changes: object) -> Context:
    target = Target(Path("/nowhere"), "x", ())
    base = Context(
        target=target,
        sources=Sources(target),
        inventory=Inventory(),
        settings=ScannerSettings(),
        cache=cache.cache_folder(),
        now=datetime(2026, 3, 4, tzinfo=UTC),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def run_of(fake: Fake, *, timeout: float = 30, stop: Stop | None = None, **changes: object) -> Run:
    limits = Limits(jobs=4, timeout=timeout, stop=stop or Stop())
    (scanned,) = scan([Task(fake, context(**changes))], limits, lambda _event: None)
    return scanned.run


def test_every_input_examined_is_ok() -> None:
    run = run_of(Fake())
    assert (run.status, run.coverage.examined, run.coverage.found) == (Status.OK, 3, 3)
    assert run.coverage.not_examined == ()


def test_a_silent_scanner_has_examined_nothing() -> None:
    run = run_of(Fake("print('[]')"))
    assert run.status is Status.EMPTY
    assert run.detail == Reason(
        "no-input-examined", {"found": 3, "unit": "letters", "reasons": (Reason("unmentioned"),)}
    )


@pytest.mark.parametrize(
    ("code", "probing"),
    [("print('[' * 100_000)", None), (ECHO, "print('x'); import sys; sys.exit(0)")],
)
def test_an_answer_that_cannot_be_read_fails_one_run(
    code: str, probing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> Tool:
        raise OverflowError("date value out of range")

    monkeypatch.setattr(Fake, "identify", too_large)
    fakes = [Fake(code, probing=probing, name="broken"), Fake(name="sound")]
    limits = Limits(jobs=4, timeout=30, stop=Stop())
    broken, sound = scan([Task(fake, context()) for fake in fakes], limits, lambda _event: None)
    assert broken.run.status is Status.FAILED
    assert broken.run.detail
    assert broken.run.detail.kind == "unreadable-answer"
    assert sound.run.status is Status.OK


def test_a_probe_that_hangs_meets_the_timeout_and_the_deadline() -> None:
    hanging = Fake(probing="import time; time.sleep(60)")
    run = run_of(hanging, timeout=0.4)
    assert (run.status, run.detail) == (
        Status.TIMEOUT,
        Reason("scanner-timed-out", {"seconds": "0.4"}),
    )
    assert run.seconds < 10
    run = run_of(hanging, stop=Stop(0.4))
    assert (run.status, run.detail) == (Status.TIMEOUT, Reason("check-deadline"))
    assert run.seconds < 10


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("inputs", MemoryError()),
        ("batches", RecursionError("maximum recursion depth exceeded")),
        ("batches", RuntimeError("can't start new thread")),
        ("call", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/me/x")),
    ],
)
def test_what_this_machine_lacks_fails_one_run(
    method: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Fake, method, lacking)
        run = run_of(Fake())
    assert run.status is Status.FAILED
    assert run.detail
    assert run.detail.kind == "lacks-resources"
    assert "/home" not in str(run.detail.values["error"])
    assert run.coverage.examined == 0


def test_without_threads_there_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(ResourceError, match="start new thread"):
        run_of(Fake())


def test_exit_code_zero_with_garbage_is_failed() -> None:
    run = run_of(Fake("print('all is well')"))
    assert (run.status, run.detail) == (Status.FAILED, plain("no JSON: "))


def test_half_a_json_is_failed() -> None:
    assert run_of(Fake("print('[\"a\", ')")).status is Status.FAILED


def test_a_non_zero_exit_with_a_good_answer_is_ok() -> None:
    assert run_of(Fake(ECHO + "; sys.exit(1)")).status is Status.OK


def test_a_killed_scanner_is_failed_even_with_a_good_answer() -> None:
    run = run_of(Fake(ECHO + "; sys.stdout.flush(); import os; os.kill(os.getpid(), 9)"))
    assert (run.status, run.detail) == (Status.FAILED, Reason("scanner-killed", {"signal": 9}))


def test_a_scanner_that_does_not_end_is_a_timeout() -> None:
    run = run_of(Fake("import time; time.sleep(60)"), timeout=0.5)
    assert (run.status, run.detail) == (
        Status.TIMEOUT,
        Reason("scanner-timed-out", {"seconds": "0.5"}),
    )


def test_a_scanners_own_timeout_is_the_one_that_counts() -> None:
    settings = ScannerSettings(timeout=0.5)
    assert run_of(Fake("import time; time.sleep(60)"), settings=settings).status is Status.TIMEOUT


def test_the_deadline_of_the_run_is_a_timeout_and_an_interruption_is_not() -> None:
    hang = Fake("import time; time.sleep(60)")
    run = run_of(hang, stop=Stop(0.5))
    assert (run.status, run.detail) == (Status.TIMEOUT, Reason("check-deadline"))
    stop = Stop()
    threading.Timer(0.5, stop.interrupt).start()
    run = run_of(hang, stop=stop)
    assert (run.status, run.detail) == (Status.FAILED, Reason("scanner-interrupted"))


def test_endless_output_is_failed() -> None:
    run = run_of(Fake("import os\nwhile True: os.write(1, b'x' * 1048576)"))
    assert (run.status, run.detail) == (Status.FAILED, Reason("too-much-output"))


def test_a_missing_scanner_says_how_to_get_it() -> None:
    run = run_of(Fake(installed=False))
    assert run.status is Status.MISSING
    assert run.detail == Reason("not-installed", {"install": "pip install fake"})
    assert (run.coverage.found, run.coverage.examined) == (3, 0)


@pytest.mark.parametrize("installed", [True, False])
def test_a_scanner_that_does_nothing_without_a_network_is_skipped_offline(installed: bool) -> None:
    fake = Fake(needs_network=True, installed=installed)
    run = run_of(fake, offline=True)
    assert (run.status, run.detail) == (Status.SKIPPED, Reason("skipped-offline"))
    assert run_of(fake).status is (Status.OK if installed else Status.MISSING)
    assert run_of(Fake(), offline=True).status is Status.OK


def test_a_program_that_cannot_be_started_is_failed() -> None:
    run = run_of(Fake(extra={"argv": ("/no/such/program",)}))
    assert run.status is Status.FAILED
    assert run.detail.kind == "scanner-not-started"


def test_without_inputs_it_does_not_apply_even_where_it_is_missing() -> None:
    assert run_of(Fake(found=(), installed=False)).status is Status.NOT_APPLICABLE


def test_inputs_that_cannot_be_given_count_as_found() -> None:
    run = run_of(Fake(found=(), left=(NotExamined("x", plain("not pinned")),)))
    assert (run.status, run.coverage.found) == (Status.EMPTY, 1)
    assert run.detail.values["reasons"] == (plain("not pinned"),)


def test_several_reasons_name_their_inputs_and_the_most_frequent_one_is_first() -> None:
    reasons = ("one", "often", "often", "two", "three")
    left = tuple(NotExamined(f"x{at}", plain(why)) for at, why in enumerate(reasons))
    run = run_of(Fake(found=(), left=left))
    assert sentence(run.detail) == (
        "0 of 5 letters examined: x1 (often), x0 (one), x3 (two), 2 more"
    )


def test_a_part_not_examined_is_degraded_and_named() -> None:
    run = run_of(
        Fake("import json; print(json.dumps({'examined': ['a'], 'gaps': [['b', 'why']]}))")
    )
    assert run.status is Status.DEGRADED
    assert [(gap.input, gap.reason) for gap in run.coverage.not_examined] == [
        ("b", plain("why")),
        ("c", Reason("unmentioned")),
    ]
    assert run.detail.kind == "inputs-not-examined"
    assert sentence(run.detail) == "2 of 3 letters not examined: b: why"


def test_an_input_both_examined_and_not_is_not() -> None:
    code = "import json; print(json.dumps({'examined': ['a', 'b', 'c'], 'gaps': [['b', 'why']]}))"
    assert run_of(Fake(code)).coverage.examined == 2


def test_a_gap_that_we_did_not_ask_for_is_kept() -> None:
    code = "import json; print(json.dumps({'examined': ['a', 'b', 'c'], 'gaps': [['z', 'why']]}))"
    run = run_of(Fake(code))
    assert (run.status, run.coverage.found, run.coverage.examined) == (Status.DEGRADED, 4, 3)


def test_what_is_left_out_on_purpose_is_on_record_but_no_gap() -> None:
    run = run_of(Fake(left=(NotExamined("uv.lock", plain("a lock file"), on_purpose=True),)))
    assert (run.status, run.coverage.found, run.coverage.examined) == (Status.OK, 4, 3)


FAILS_ON_B = ECHO + "\nif 'b' in sys.argv: print('crashed', file=sys.stderr); print('{')"


def test_one_bad_input_does_not_cost_the_others() -> None:
    run = run_of(Fake(FAILS_ON_B, splits=True))
    assert run.status is Status.DEGRADED
    assert [gap.input for gap in run.coverage.not_examined] == ["b"]
    assert "crashed" in sentence(run.coverage.not_examined[0].reason)


def test_a_crash_on_one_input_is_isolated_and_named() -> None:
    crash = ECHO + "\nif 'b' in sys.argv: import os; os.kill(os.getpid(), 11)"
    run = run_of(Fake(crash, splits=True))
    assert [(gap.input, gap.reason) for gap in run.coverage.not_examined] == [
        ("b", Reason("scanner-killed", {"signal": 11}))
    ]


def test_a_run_that_recovers_in_smaller_batches_is_ok() -> None:
    run = run_of(Fake(ECHO + "\nif len(sys.argv) > 2: print('{')", splits=True))
    assert (run.status, run.coverage.examined) == (Status.OK, 3)


def test_without_splitting_the_whole_batch_is_not_examined() -> None:
    assert run_of(Fake(FAILS_ON_B)).coverage.examined == 0
    run = run_of(Fake(FAILS_ON_B, size=1))
    assert (run.status, run.coverage.examined) == (Status.DEGRADED, 2)


def test_what_was_done_before_a_timeout_is_kept() -> None:
    code = ECHO + "\nimport time\nif 'b' in sys.argv: time.sleep(60)"
    run = run_of(Fake(code, size=1), timeout=3)
    assert run.status is Status.TIMEOUT
    assert run.coverage.examined >= 1


def test_what_is_stored_is_not_asked_again() -> None:
    code = (
        "import json, sys; given = sys.argv[1:]; "
        "print(json.dumps({'examined': given, 'store': {name: name for name in given}}))"
    )
    fake = Fake(code)
    assert run_of(fake).status is Status.OK
    assert run_of(Fake("raise SystemExit(3)")).status is Status.OK


def test_the_version_is_asked_for_and_without_one_it_is_failed() -> None:
    assert run_of(Fake(probing="print('1.2')")).version == "1.2"
    run = run_of(Fake(probing="pass"))
    assert (run.status, run.detail) == (Status.FAILED, plain("says no version"))
    task = Task(Fake(probing="pass"), context())
    assert find(task, Limits(1, 1, Stop()))[1] == plain("says no version")
    missing = Task(Fake(installed=False), context())
    assert find(missing, Limits(1, 1, Stop())) == (None, None)


def test_a_scanner_cannot_ask_a_repository(
    make_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": ""})
    marker = root.parent / "marker"
    git(root, "config", "core.fsmonitor", f"touch {marker}; false")
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(root / "cache"))
    code = f"import subprocess; print(subprocess.run(['git', 'status']).returncode); {ECHO}"
    run = run_of(Fake(probing=code))
    assert (run.version or "").startswith("128")
    assert not marker.exists()


def test_a_private_folder_is_made_filled_and_removed() -> None:
    code = (
        "import json, os, sys; where = sys.argv[1]; "
        "json.dump(open('in.txt').read().split(), open(where, 'w')); "
        "print(os.environ['SEEN'] == os.getcwd() == os.path.dirname(where))"
    )
    extra = {
        "argv": (sys.executable, "-c", code, "{work}/out.json"),
        "extra": (),
        "files": {"in.txt": "a b c"},
        "env": {"SEEN": "{work}"},
        "output": "{work}/out.json",
    }
    assert run_of(Fake(extra=extra)).status is Status.OK
    assert list((cache.cache_folder() / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("open('a').read()", Status.OK, None),
        ("import os; os.kill(os.getpid(), 9)", Status.FAILED, "scanner-killed"),
        ("import time; time.sleep(60)", Status.TIMEOUT, "scanner-timed-out"),
    ],
)
def test_a_second_call_counts_as_the_first_one_does(
    code: str, status: Status, reason: str | None
) -> None:
    first = ECHO + "\nopen('a', 'w').close()"
    run = run_of(Fake(first, extra={"also": Call((sys.executable, "-c", code))}), timeout=2)
    assert (run.status, run.detail and run.detail.kind) == (status, reason)


def test_a_report_that_was_not_written_is_failed() -> None:
    run = run_of(Fake(extra={"output": "{work}/out.json"}))
    assert run.status is Status.FAILED
    assert run.detail.kind == "no-report-file"


def test_the_command_line_on_record_has_no_path_of_this_machine(tmp_path: Path) -> None:
    target = Target(tmp_path, "x", ())
    argv = (sys.executable, "-c", ECHO, str(tmp_path / "a"), str(cache.cache_folder() / "b"))
    run = run_of(Fake(extra={"argv": argv}), target=target)
    assert run.argv[0] == "fake"
    assert run.argv[-3:] == ("./a", "{cache}/b", "[3 more]")


def test_a_scanner_that_shouts_escapes_is_quoted_in_one_line() -> None:
    run = run_of(Fake("import sys; print('\\x1b[31m\\nx' * 500, file=sys.stderr)"))
    text = run.detail.values["text"]
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) <= 400


def test_events_tell_what_is_done_and_how_it_ended() -> None:
    events: list[Event] = []
    scan([Task(Fake(), context())], Limits(2, 30, Stop()), events.append)
    assert [event.note for event in events] == ["looking for inputs", "running", "ok"]
    assert events[-1].run is not None


def test_ctrl_c_while_waiting_stops_all_and_returns_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = scan_module.wait, []

    def pressed(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)  # type: ignore[arg-type, call-overload]

    monkeypatch.setattr(scan_module, "wait", pressed)
    stop = Stop()
    hang = Fake("import time; time.sleep(60)", name="hangs")
    done = scan(
        [Task(Fake(), context()), Task(hang, context())], Limits(4, 30, stop), lambda _: None
    )
    assert stop.interrupted
    assert [each.run.status for each in done] == [Status.OK, Status.FAILED]
