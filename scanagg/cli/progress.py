"""A live line for each scanner on standard error, where that is a terminal."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scanagg.cli.style import STATUS_STYLES, status_word
from scanagg.model import Report
from scanagg.pipeline import Request, check
from scanagg.scanners.runner import Event


def checked(request: Request, *, show: bool) -> Report:
    """The report of a check, with progress to watch; a signal to end is an interruption."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    with progress(show=show) as notify:
        return check(request, notify)


@contextmanager
def progress(*, show: bool) -> Iterator[Callable[[Event], None]]:
    """A function that takes events; the lines vanish at the end, for the page says it all."""
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    if not show or not console.is_terminal:
        yield lambda _event: None
        return
    lines = _Lines()
    with Live(get_renderable=lines.render, console=console, refresh_per_second=8, transient=True):
        yield lines.take


class _Lines:
    """What is known of each scanner; filled from many threads, drawn by one."""

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
