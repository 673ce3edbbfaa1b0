"""Plain lines to standard error and standard output, safe to show."""

import os
import sys
from collections.abc import Iterable

from scanagg.core.errors import OutputError
from scanagg.core.text import one_line, printable


def complain(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    sys.stderr.write(f"scanagg: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"         {printable(hint)}\n")


def stop_printing() -> None:
    """Discard what is still buffered: failing on it again would exit with Python's own 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(lines: Iterable[str]) -> None:
    """Print lines to standard output. Raises OutputError if they are not read to their end."""
    try:
        sys.stdout.writelines(f"{one_line(line)}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Caught here: typer would turn it into exit code 1, which means blocked.
        stop_printing()
        raise OutputError("the answer was not read to its end") from error


def say(*lines: str) -> None:
    """Print lines of untrusted text to standard output."""
    tell(lines)
