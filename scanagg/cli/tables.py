"""Tables and colours of the terminal, with control characters escaped."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanagg.cli.output import say
from scanagg.core.text import one_line
from scanagg.model import Action, Outcome, Severity, Status

_LEAST_WIDTH: Final = 80
# In a file or a pipe.
_PLAIN_WIDTH: Final = 200

SEVERITY_STYLES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.UNKNOWN: "magenta",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
STATUS_STYLES: Final[Mapping[Status, str]] = {
    Status.OK: "green",
    Status.DEGRADED: "yellow",
    Status.EMPTY: "red",
    Status.FAILED: "red",
    Status.TIMEOUT: "red",
    Status.MISSING: "yellow",
    Status.SKIPPED: "dim",
    Status.NOT_APPLICABLE: "dim",
}
OUTCOME_STYLES: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "bold green",
    Outcome.BLOCKED: "bold red",
    Outcome.INCOMPLETE: "bold yellow",
}
ACTION_STYLES: Final[Mapping[Action, str]] = {
    Action.BLOCK: "bold red",
    Action.WARN: "yellow",
    Action.INFO: "dim",
    Action.WAIVED: "dim",
}


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of untrusted text under their headings; nothing without rows."""
    terminal = Console(file=sys.stdout)
    page = StringIO()
    console = Console(file=page, highlight=False, emoji=False, markup=False)
    console.width = max(terminal.width, _LEAST_WIDTH) if terminal.is_terminal else _PLAIN_WIDTH
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for head in heads:
        # Long cells are folded, not cut.
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    if not table.rows:
        return
    console.print(table)
    say(*(line.rstrip() for line in page.getvalue().strip("\n").split("\n")))


def status_word(status: Status) -> str:
    """Return the status in words."""
    return status.value.replace("_", " ")
