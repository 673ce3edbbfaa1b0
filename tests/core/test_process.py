"""Programs end in time, their output is complete, and no variable leaks into them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scanagg.core.process import Completed, Ended, Stop, clean_environment, run


def python(code: str, cwd: Path, *, timeout: float = 30, **more: object) -> Completed:
    argv = [sys.executable, "-c", code]
    settings = {"env": clean_environment(), "stop": Stop(), **more}
    return run(argv, cwd=cwd, tree=cwd, timeout=timeout, **settings)  # type: ignore[arg-type]


class WhenWritten(Stop):
    """A stop that fires as soon as the program has written a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def is_set(self) -> bool:
        return self.path.exists() and self.path.read_text() != ""


def test_both_streams_and_the_exit_code_are_kept(tmp_path: Path) -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)", tmp_path)
    assert (done.ended, done.returncode) == (Ended.EXITED, 7)
    assert done.stdout == b"out\n"
    assert done.stderr == b"err\n"


def test_the_last_output_before_the_end_is_not_lost(tmp_path: Path) -> None:
    done = python("import os; os.write(1, b'x' * 3_000_000)", tmp_path)
    assert len(done.stdout) == 3_000_000


def test_standard_input_arrives_whole(tmp_path: Path) -> None:
    given = b"line\n" * 200_000
    done = python("import sys; print(len(sys.stdin.buffer.read()))", tmp_path, stdin=given)
    assert done.stdout.strip() == str(len(given)).encode()


def test_a_program_that_does_not_read_its_input_is_no_error(tmp_path: Path) -> None:
    done = python("print('done')", tmp_path, stdin=b"x" * 1_000_000)
    assert (done.ended, done.stdout) == (Ended.EXITED, b"done\n")


def test_a_missing_program_is_not_started(tmp_path: Path) -> None:
    done = run(["/no/such/program"], cwd=tmp_path, env={}, tree=tmp_path, timeout=5, stop=Stop())
    assert done.ended is Ended.NOT_STARTED
    assert done.returncode is None
    assert "No such file" in done.detail


def test_a_program_that_hangs_is_ended_at_its_timeout(tmp_path: Path) -> None:
    done = python("import time; print('begun', flush=True); time.sleep(60)", tmp_path, timeout=1)
    assert done.ended is Ended.TIMEOUT
    assert done.stdout == b"begun\n"
    assert done.seconds < 10


def test_children_of_a_program_end_with_it(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('pid').write_text(str(child.pid)); time.sleep(60)\n"
    )
    done = python(code, tmp_path, stop=WhenWritten(tmp_path / "pid"))
    assert done.ended is Ended.STOPPED
    assert not _alive(int((tmp_path / "pid").read_text()))


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, time; signal.signal(15, signal.SIG_IGN)\n"
        "pathlib.Path('ready').write_text('x'); time.sleep(60)"
    )
    done = python(code, tmp_path, stop=WhenWritten(tmp_path / "ready"))
    assert (done.ended, done.returncode) == (Ended.STOPPED, -9)


def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'], "
        "start_new_session=True)\n"
        "print('parent done')\n"
    )
    done = python(code, tmp_path, timeout=20)
    assert (done.ended, done.stdout) == (Ended.EXITED, b"parent done\n")
    assert done.seconds < 15


def test_a_program_that_closes_its_pipes_but_lives_on_meets_the_timeout(tmp_path: Path) -> None:
    code = "import os, time; os.close(0); os.close(1); os.close(2); time.sleep(60)"
    assert python(code, tmp_path, timeout=0.3).ended is Ended.TIMEOUT


def test_two_gigabytes_of_output_are_cut_short(tmp_path: Path) -> None:
    code = "import os\nwhile True: os.write(1, b'x' * 65536)"
    done = python(code, tmp_path, limit=1 << 20)
    assert done.ended is Ended.OVERFLOW
    assert len(done.stdout) < 2 << 20


def test_only_the_end_of_stderr_is_kept(tmp_path: Path) -> None:
    code = "import os\nfor n in range(400): os.write(2, b'%08d' % n * 1024)"
    done = python(code, tmp_path)
    assert len(done.stderr) <= 1 << 20
    assert done.stderr.endswith(b"00000399")


def test_an_interruption_ends_programs_within_two_seconds(tmp_path: Path) -> None:
    stop = Stop()
    threading.Timer(0.1, stop.interrupt).start()
    start = time.monotonic()
    done = python("import time; time.sleep(60)", tmp_path, stop=stop)
    assert done.ended is Ended.STOPPED
    assert stop.interrupted
    assert time.monotonic() - start < 2.5


def test_the_deadline_of_the_whole_run_stops_programs(tmp_path: Path) -> None:
    stop = Stop(0.1)
    done = python("import time; time.sleep(60)", tmp_path, stop=stop)
    assert (done.ended, stop.interrupted) == (Ended.STOPPED, False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_programs_die_with_us(number: signal.Signals, tmp_path: Path) -> None:
    """Also their children, in a session of their own too, and while several hang at once."""
    child = (
        "import os, pathlib, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(f'pid-{os.getpid()}').touch()\n"
        "level = int(sys.argv[1])\n"
        "if level: subprocess.Popen([sys.executable, __file__, str(level - 1)],"
        " start_new_session=level == 1)\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "child.py").write_text(child)
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from scanagg.core.process import Stop, clean_environment, run\n"
        "def hang():\n"
        "    run([sys.executable, 'child.py', '2'], cwd=Path(), env=clean_environment(),\n"
        "        tree=Path('/nowhere'), timeout=50, stop=Stop())\n"
        "for _ in range(2): threading.Thread(target=hang).start()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE)
    assert _within(20, lambda: len(list(tmp_path.glob("pid-*"))) == 6)
    pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert all(map(_alive, pids))
    parent.send_signal(number)
    parent.communicate()
    assert _within(10, lambda: not any(map(_alive, pids)))


def test_a_kill_at_any_time_leaves_nothing_behind(tmp_path: Path) -> None:
    name = f"sleeper-{os.getpid()}"
    (tmp_path / name).symlink_to("/bin/sleep")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scanagg.core.process import Stop, run\n"
        f"while True: run(['{tmp_path / name}', '60'], cwd=Path('/'), env={{}},\n"
        "        tree=Path('/nowhere'), timeout=0.01, stop=Stop())\n"
    )
    for number in range(5):
        parent = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(0.3 + number / 50)
        parent.kill()
        parent.wait()
    running = Path("/proc").glob
    assert _within(5, lambda: not any(name.encode() in _read(p) for p in running("*/cmdline")))


def test_the_watcher_ends_with_us(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from scanagg.core import process\n"
        "process.run(['/bin/true'], cwd=Path('/'), env={}, tree=Path('/nowhere'), timeout=9,\n"
        "    stop=process.Stop())\n"
        "print(process._WATCHER._process.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=True
    )
    assert not _alive(int(done.stdout))
    assert done.stderr == b""


def test_tokens_and_python_settings_stay_out_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("GITHUB_TOKEN", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "/x")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    kept = clean_environment(["PIP_*"], {"EXTRA": "1"})
    assert not {"GITHUB_TOKEN", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV"} & set(kept)
    assert kept["PIP_INDEX_URL"] == "/x"
    assert kept["https_proxy"] == "http://proxy.invalid"
    assert kept["EXTRA"] == "1"


def test_an_active_environment_is_taken_out_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/home/me/.venv")
    monkeypatch.setenv("PATH", "/home/me/.venv/bin:/usr/bin:/home/me/.venvs")
    assert clean_environment()["PATH"] == "/usr/bin:/home/me/.venvs"


def _alive(pid: int) -> bool:
    return _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return result
