"""Run other programs, with a deadline and a limit of output. No other module starts one."""

import atexit
import contextlib
import enum
import errno
import os
import secrets
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from scanagg.core.programs import find_program, safe_path

# The time between SIGTERM and SIGKILL. With the poll interval, Ctrl-C and the deadline take effect
# within two seconds.
_GRACE_SECONDS: Final = 0.7
_POLL_SECONDS: Final = 0.05
_CHUNK_BYTES: Final = 1 << 16
_STDERR_BYTES: Final = 1 << 20

# The variables that programs get: paths, network and language. No tokens, no PYTHON* variables, no
# virtual environment.
_ALLOWED: Final = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ"),
        *("TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT"),
        *("USERPROFILE", "APPDATA", "LOCALAPPDATA"),
        *("NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    )
)
_ALLOWED_PREFIXES: Final = ("LC_", "XDG_")

# The program of the watcher. It looks more than once, because marked processes can start others.
_WATCH: Final = """
import os, select, signal, sys, time
mark, parent = sys.argv[1].encode(), int(sys.argv[2])
groups, ordered, rest, end, message = set(), False, b"", None, b""
def kill(send, number):
    try:
        send(number, signal.SIGKILL)
    except OSError:
        pass
while True:
    left = None if end is None else max(0, end - time.monotonic())
    if not select.select([0], [], [], left)[0]:
        if os.getppid() == parent:
            kill(os.kill, parent)
            try:
                os.write(2, message)
            except OSError:
                pass
        break
    chunk = os.read(0, 1 << 16)
    if not chunk:
        break
    *lines, rest = (rest + chunk).split(b"\\n")
    for line in lines:
        sign, value = line[:1], line[1:]
        if sign == b".":
            ordered = True
        elif sign == b"!":
            seconds, _, text = value.partition(b" ")
            end = time.monotonic() + float(seconds) if seconds else None
            message = bytes.fromhex(text.decode())
        else:
            (groups.add if sign == b"+" else groups.discard)(int(value))
def is_marked(name):
    try:
        with open(f"/proc/{name}/environ", "rb") as file:
            return mark in file.read().split(b"\\0")
    except OSError:
        return False
for group in groups:
    kill(os.killpg, group)
for _ in range(20 if not ordered and os.path.isdir("/proc/self") else 0):
    marked = [name for name in os.listdir("/proc") if name.isdigit() and is_marked(name)]
    for name in marked:
        kill(os.kill, int(name))
    if not marked:
        break
    time.sleep(0.01)
os._exit(0)
"""


class Ended(enum.Enum):
    """The reason why a program ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    STOPPED = "stopped"
    OVERFLOW = "overflow"
    NOT_STARTED = "not started"


class Completed(msgspec.Struct, frozen=True):
    """A program that ended. `returncode` is negative for a signal, None if it did not start.

    `stderr` has the last mebibyte. `detail` is the system's error if the program did not start.
    """

    argv: tuple[str, ...]
    ended: Ended
    returncode: int | None
    stdout: bytes
    stderr: bytes
    seconds: float
    detail: str = ""


class Stop:
    """The switch that ends the whole run: set by Ctrl-C, or by the deadline."""

    def __init__(self, seconds: float | None = None) -> None:
        """Start the deadline, if `seconds` are given."""
        self._event = threading.Event()
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.interrupted = False

    def interrupt(self) -> None:
        """Stop everything now, as Ctrl-C does."""
        self.interrupted = True
        self._event.set()

    def is_set(self) -> bool:
        """Return True if everything is to end."""
        return self._event.is_set() or self.past_deadline

    @property
    def left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    @property
    def past_deadline(self) -> bool:
        """True if the deadline of the whole run has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline


def clean_environment(
    allow: Iterable[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the allowed variables, those in `allow` (`X_*` is a prefix), and `extra`.

    PATH does not have the folders of an active virtual environment.
    """
    names = set(allow)
    prefixes = _ALLOWED_PREFIXES + tuple(name[:-1] for name in names if name.endswith("*"))
    environment = {
        key: value
        for key, value in os.environ.items()
        if key.upper() in _ALLOWED or key in names or key.startswith(prefixes)
    }
    active = os.environ.get("VIRTUAL_ENV")
    if active and "PATH" in environment:
        folders = environment["PATH"].split(os.pathsep)
        outside = (folder for folder in folders if not Path(folder).is_relative_to(active))
        environment["PATH"] = os.pathsep.join(outside)
    return {**environment, **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    tree: Path,
    timeout: float,
    stop: Stop,
    stdin: bytes = b"",
    limit: int = 256 << 20,
) -> Completed:
    """Run a program to its end and return its output. Nothing that the program does is an error.

    `tree` is the folder under check: no program of it starts, and PATH has none of its folders.
    `timeout` is in seconds, `limit` in bytes of stdout. At either, and when `stop` is set, the
    whole process group of the program gets SIGTERM, then SIGKILL. If this process is killed, so is
    the program.
    """
    start = time.monotonic()
    try:
        program = find_program(argv[0], tree, env)
        if program is None:
            message = "No such file outside the checked project"
            raise FileNotFoundError(errno.ENOENT, message, argv[0])
        child = subprocess.Popen(  # noqa: S603 - never a shell; argv is ours
            [program, *argv[1:]],
            cwd=cwd,
            env={**env, "PATH": safe_path(env, tree), **_WATCHER.mark()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Completed(
            tuple(argv), Ended.NOT_STARTED, None, b"", b"", time.monotonic() - start, str(error)
        )
    try:
        _WATCHER.tell(f"+{child.pid}")
        pump = _Pump(child, stdin, limit)
        try:
            ended = pump.until(start + timeout, stop)
        finally:
            pump.close()
    finally:
        _end_group(child)
    return Completed(
        argv=tuple(argv),
        ended=ended,
        returncode=child.returncode,
        stdout=bytes(pump.stdout),
        stderr=bytes(pump.stderr),
        seconds=time.monotonic() - start,
    )


class _Watcher:
    """A process that kills the programs that this one leaves behind when it is killed itself.

    It reads lines from a pipe that ends with this process: `+1` for a process group that starts,
    `-1` for one that ended, and `.` before an orderly end. `!5` and a message in hexadecimal asks
    it to kill this process after 5 seconds, and `!` takes that back. A group that started, but not
    yet its line, and programs that left their group, are recognised by a mark in their environment.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = f"SCANAGG_RUN={secrets.token_hex(8)}"

    def mark(self) -> Mapping[str, str]:
        """Start the process if it does not run yet. Return the mark of its programs."""
        command = (sys.executable, "-I", "-S", "-c", _WATCH, self._mark, str(os.getpid()))
        with self._lock, contextlib.suppress(OSError):
            if self._process is None and os.name == "posix":
                self._process = subprocess.Popen(  # noqa: S603 - our own code
                    command,
                    cwd="/",
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    bufsize=0,
                    start_new_session=True,  # to outlive the signals that end our group
                )
                atexit.register(self._end, self._process)
        name, _, value = self._mark.partition("=")
        return {name: value}

    def tell(self, line: str) -> None:
        """Write a line. Without a watcher, programs run on unwatched."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{line}\n".encode())

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self.tell(".")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)


_WATCHER: Final = _Watcher()


def kill_after(seconds: float, message: str) -> None:
    """Have this process killed after a time, and the message printed to stderr.

    That ends it even while a thread keeps Python from handling signals. Windows has no such means.
    """
    _WATCHER.mark()
    _WATCHER.tell(f"!{seconds:.1f} {message.encode().hex()}")


def do_not_kill() -> None:
    """Take `kill_after` back."""
    _WATCHER.tell("!")


class _Pump:
    """Moves bytes to and from one child without blocking on any of its three pipes."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, limit: int) -> None:
        self._child = child
        self._input = memoryview(stdin)
        self._limit = limit
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._selector = selectors.DefaultSelector()
        for pipe, events in (
            (child.stdout, selectors.EVENT_READ),
            (child.stderr, selectors.EVENT_READ),
            (child.stdin, selectors.EVENT_WRITE),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, events)

    def until(self, deadline: float, stop: Stop) -> Ended:
        """Move bytes until the child ends, the time is up, or the output is too long."""
        while True:
            if self._selector.get_map():
                for key, _ in self._selector.select(_POLL_SECONDS):
                    self._move(key.fileobj)  # type: ignore[arg-type]
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(_POLL_SECONDS)
            if len(self.stdout) > self._limit:
                return Ended.OVERFLOW
            if stop.is_set():
                return Ended.STOPPED
            if time.monotonic() >= deadline:
                return Ended.TIMEOUT
            # A grandchild can keep the pipes open after the child has ended: read what is there.
            if self._child.poll() is not None:
                while len(self.stdout) <= self._limit:
                    ready = self._selector.select(0)
                    moved = [self._move(key.fileobj) for key, _ in ready]  # type: ignore[arg-type]
                    if not any(moved):
                        break
                return Ended.EXITED

    def _move(self, pipe: IO[bytes]) -> bool:
        """Move one chunk; return True if anything moved."""
        if pipe is self._child.stdin:
            return self._write(pipe)
        try:
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._forget(pipe)
            return False
        if pipe is self._child.stdout:
            self.stdout += chunk
        else:
            self.stderr += chunk
            del self.stderr[:-_STDERR_BYTES]
        return True

    def _write(self, pipe: IO[bytes]) -> bool:
        try:
            sent = os.write(pipe.fileno(), self._input[:_CHUNK_BYTES]) if self._input else 0
        except BlockingIOError:
            return False
        except OSError:  # the child closed its input
            sent = len(self._input)
        self._input = self._input[sent:]
        if not self._input:
            self._forget(pipe)
        return sent > 0

    def _forget(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()

    def close(self) -> None:
        """Close the pipes."""
        for key in list(self._selector.get_map().values()):
            self._forget(key.fileobj)  # type: ignore[arg-type]
        self._selector.close()


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End the rest of the child's process group: its children can outlive it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            end = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < end:
                child.poll()
                os.killpg(child.pid, 0)
                time.sleep(_POLL_SECONDS / 5)
        except (ProcessLookupError, PermissionError):  # the whole group has ended
            break
    child.wait()
    _WATCHER.tell(f"-{child.pid}")
