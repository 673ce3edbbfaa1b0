"""A live line for each scanner on standard error, where that is a terminal."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scanagg.advisories.store import Notify, Phase
from scanagg.cli.tables import STATUS_STYLES, status_word
from scanagg.core.text import one_line
from scanagg.scanners.runner import Event


class _Lines:
    """A line for each scanner; filled from many threads, drawn by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, Event] = {}
        self._started: dict[str, float] = {}

    def take(self, event: Event) -> None:
        with self._lock:
            self._events[event.scanner] = event
            self._started.setdefault(event.scanner, monotonic())

    def render(self) -> Group:
        with self._lock:
            rows = [self._row(self._events[name]) for name in sorted(self._events)]
        return Group(*rows)

    def _row(self, event: Event) -> Text:
        run = event.run
        seconds = run.seconds if run else monotonic() - self._started[event.scanner]
        row = Text(f"{event.scanner:<15} {seconds:6.1f} s  ")
        if run is None:
            return row.append(event.note, "dim")
        return row.append(status_word(run.status), STATUS_STYLES[run.status])


class _StorePlain:
    """A line for each phase that begins."""

    def __init__(self) -> None:
        self._last: tuple[str, Phase] | None = None

    def take(self, kind: str, phase: Phase, _done: int, _whole: int) -> None:
        if self._last != (kind, phase):
            self._last = kind, phase
            sys.stderr.write(f"{one_line(kind)}: {phase.value}\n")


class _StoreLines:
    """A line for each kind of data; filled by one thread, drawn by another."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[Phase, int, int]] = {}
        self._started: dict[str, float] = {}

    def take(self, kind: str, phase: Phase, done: int, whole: int) -> None:
        self._started.setdefault(kind, monotonic())
        self._steps[kind] = phase, done, whole

    def render(self) -> Group:
        return Group(*(self._row(kind, *step) for kind, step in list(self._steps.items())))

    def _row(self, kind: str, phase: Phase, done: int, whole: int) -> Text:
        seconds = monotonic() - self._started[kind]
        return Text(f"{one_line(kind):<15} {seconds:6.1f} s  ").append(
            f"{phase.value} {_amount(phase, done, whole)}", "dim"
        )


def interrupt_on_signals() -> None:
    """Treat the signals that end a program like Ctrl-C."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)


@contextmanager
def progress(*, show: bool) -> Iterator[Callable[[Event], None]]:
    """Return a function that takes events; its lines vanish at the end."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if not show or not console.is_terminal:
        yield lambda _event: None
        return
    lines = _Lines()
    with Live(get_renderable=lines.render, console=console, refresh_per_second=8, transient=True):
        yield lines.take


@contextmanager
def store_progress(*, show: bool) -> Iterator[Notify]:
    """Return a function that takes steps of an update."""
    interrupt_on_signals()
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    lines = _StoreLines()
    if not show:
        yield lambda _kind, _phase, _done, _whole: None
    elif console.is_terminal:
        with Live(
            get_renderable=lines.render, console=console, refresh_per_second=8, transient=True
        ):
            yield lines.take
    else:
        yield _StorePlain().take


def _amount(phase: Phase, done: int, whole: int) -> str:
    """Return the progress of a phase, or nothing if it is unknown."""
    if not done:
        return ""
    if whole:
        return f"{min(100 * done // whole, 100)} %"
    return f"{done / 2**20:.1f} MiB" if phase is Phase.DOWNLOADING else f"{done}"
