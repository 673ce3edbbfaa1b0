"""Lines to standard error and standard output, with control characters escaped."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from scanagg.core.errors import OutputError
from scanagg.core.text import one_line, printable


def complain(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    text = printable(f"{message}\n{hint}".rstrip("\n"))
    sys.stderr.write("scanagg: " + text.replace("\n", "\n         ") + "\n")


def stop_printing() -> None:
    """Discard buffered output, so that Python does not fail on it again and exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def printing(hint: str = "") -> Iterator[None]:
    """Flush standard output at the end. OutputError if the reader goes away."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Caught here: typer would turn it into exit code 1, which means blocked.
        stop_printing()
        raise OutputError("the output was not read to its end", hint) from error


def say_list(title: str, lines: Iterable[str]) -> None:
    """Print indented lines under a title, after an empty line; nothing if there are no lines."""
    indented = [f"  {line}" for line in lines]
    if indented:
        say("", title, *indented)


def say(*lines: str) -> None:
    """Print lines of untrusted text to standard output. OutputError if the reader goes away."""
    with printing():
        sys.stdout.writelines(f"{one_line(line)}\n" for line in lines)
