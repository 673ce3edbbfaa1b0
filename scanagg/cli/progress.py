"""Progress on standard error: a live line for each scanner or kind of data."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scanagg.advisories.store import Notify, Phase
from scanagg.cli.tables import STATUS_STYLES, status_word
from scanagg.core.errors import ExitCode
from scanagg.core.process import Stop, do_not_kill, kill_after
from scanagg.core.text import one_line
from scanagg.scanners.runner import Event

GRACE_SECONDS: Final = 20.0
"""The time after the deadline to judge what is known."""

# The time that Python has to handle the alarm.
_KILL_SECONDS: Final = 2.0


class _Lines:
    """A line for each name. Several threads set lines, another one draws them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._lines: dict[str, tuple[Text, float | None]] = {}

    def set(self, name: str, text: Text, seconds: float | None = None) -> None:
        """Set the line of a name; with its `seconds` if it has ended."""
        with self._lock:
            self._started.setdefault(name, monotonic())
            self._lines[name] = text, seconds

    def render(self) -> Group:
        with self._lock:
            rows = []
            for name, (text, seconds) in sorted(self._lines.items()):
                passed = monotonic() - self._started[name] if seconds is None else seconds
                rows.append(Text.assemble(f"{one_line(name):<15} {passed:6.1f} s  ", text))
        return Group(*rows)


def interrupt_on_signals() -> None:
    """Treat the signals that end a program like Ctrl-C."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)


@contextmanager
def end_after(stop: Stop) -> Iterator[None]:
    """End this program if the block is still running long after the deadline.

    At the deadline, programs are stopped and what is known is judged. Our own work has no such
    limit. The alarm interrupts it anywhere, also in the middle of a regular expression. If another
    thread is in the middle of one, Python handles no alarm. Then this process is killed: no program
    can choose its exit code without Python.
    """
    if stop.left is None or not hasattr(signal, "setitimer"):
        yield
        return
    text = "scanagg: the check did not end after the deadline, so there is no result.\n"
    message = f"{text}Exclude files, or use a longer --deadline.\n"

    def end(_signal: int, _frame: FrameType | None) -> None:
        os.write(sys.stderr.fileno(), message.encode())
        os._exit(ExitCode.INCOMPLETE)

    seconds = max(0.0, stop.left) + GRACE_SECONDS
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    kill_after(seconds + _KILL_SECONDS, message)
    try:
        yield
    finally:
        do_not_kill()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _live_lines(*, show: bool) -> Iterator[_Lines | None]:
    """Draw lines while the context lasts. None without a terminal, and if they are not wanted."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if not (show and console.is_terminal):
        yield None
        return
    lines = _Lines()
    with Live(get_renderable=lines.render, console=console, refresh_per_second=8, transient=True):
        yield lines


@contextmanager
def progress(*, show: bool) -> Iterator[Callable[[Event], None]]:
    """Return a function that takes the events of a check, and shows them on a terminal."""
    with _live_lines(show=show) as lines:

        def notify(event: Event) -> None:
            if lines and event.run:
                status = event.run.status
                text = Text(status_word(status), STATUS_STYLES[status])
                lines.set(event.scanner, text, event.run.seconds)
            elif lines:
                lines.set(event.scanner, Text(event.note, "dim"))

        yield notify


@contextmanager
def store_progress(*, show: bool) -> Iterator[Notify]:
    """Return a function that takes the steps of an update, and shows them."""
    interrupt_on_signals()
    last: tuple[str, Phase] | None = None
    with _live_lines(show=show) as lines:

        def notify(kind: str, phase: Phase, done: int, total: int) -> None:
            nonlocal last
            amount = f"{done or ''}"
            if done and total:
                amount = f"{min(100 * done // total, 100)} %"
            elif done and phase is Phase.DOWNLOADING:
                amount = f"{done / 2**20:.1f} MiB"
            if lines:
                lines.set(kind, Text(f"{phase.value} {amount}", "dim"))
            elif show and last != (kind, phase):
                sys.stderr.write(f"{one_line(kind)}: {phase.value}\n")
            last = kind, phase

        yield notify
