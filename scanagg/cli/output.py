"""Plain words to standard error, made safe to show."""

import os
import sys

from scanagg.text import printable


def complain(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    sys.stderr.write(f"scanagg: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"         {printable(hint)}\n")


def stop_printing() -> None:
    """Let what is still buffered go nowhere: to fail on it again would end in Python's own 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
