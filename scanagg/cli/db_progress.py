"""What `scanagg db` is doing, on standard error: live lines on a terminal, else plain ones."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scanagg.advisories.update import Notify, Phase
from scanagg.core.text import one_line


@contextmanager
def progress(*, show: bool) -> Iterator[Notify]:
    """A function that is told of each step; a signal to end is an interruption meanwhile."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    lines = _Lines()
    if not show:
        yield lambda _kind, _phase, _done, _whole: None
    elif console.is_terminal:
        with Live(
            get_renderable=lines.render, console=console, refresh_per_second=8, transient=True
        ):
            yield lines.take
    else:
        yield _Plain().take


class _Plain:
    """A line whenever something else begins."""

    def __init__(self) -> None:
        self._last: tuple[str, Phase] | None = None

    def take(self, kind: str, phase: Phase, _done: int, _whole: int) -> None:
        if self._last != (kind, phase):
            self._last = kind, phase
            sys.stderr.write(f"{one_line(kind)}: {phase.value}\n")


class _Lines:
    """How far each kind is, told by one thread and drawn by another."""

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


def _amount(phase: Phase, done: int, whole: int) -> str:
    """How far it is, where that can be said."""
    if not done:
        return ""
    if whole:
        return f"{min(100 * done // whole, 100)} %"
    return f"{done / 2**20:.1f} MiB" if phase is Phase.DOWNLOADING else f"{done}"
