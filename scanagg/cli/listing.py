"""Plain tables on standard output, safe to show whatever is in them."""

import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanagg.cli.output import tell
from scanagg.core.text import one_line

_LEAST_WIDTH: Final = 80
# In a file or a pipe nobody reads to the edge of a window.
_PLAIN_WIDTH: Final = 200


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of untrusted text under their heads; long cells are folded, never cut."""
    terminal = Console(file=sys.stdout)
    page = StringIO()
    console = Console(file=page, highlight=False, emoji=False, markup=False)
    console.width = max(terminal.width, _LEAST_WIDTH) if terminal.is_terminal else _PLAIN_WIDTH
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console.print(table)
    tell(line.rstrip() for line in page.getvalue().strip("\n").split("\n"))


def say(*lines: str) -> None:
    """Print untrusted text, each on a line of its own."""
    tell(lines)
