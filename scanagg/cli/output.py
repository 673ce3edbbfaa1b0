"""Plain words to standard error, made safe to show."""

import sys

from scanagg.text import printable


def complain(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    sys.stderr.write(f"scanagg: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"         {printable(hint)}\n")
