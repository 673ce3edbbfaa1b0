"""Standard output and standard error: all that scanagg prints goes through here."""

import codecs
import contextlib
import io
import json
import os
import select
import sys
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from scanagg.core.redact import mask_known
from scanagg.core.text import JSON_ESCAPE, inert, inert_in, one_line, printable

_STANDARD: Final = (0, 1, 2)


class Stream(io.TextIOBase):
    """A standard stream that never fails, masks tokens, and prints no commands for a CI system.

    `error` is the first error of writing; later text is discarded. Characters that the encoding of
    the stream lacks are escaped.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Write to `stream`; None for one that is closed."""
        self.stream = stream
        self.error: OSError | None = None
        encoder = codecs.getincrementalencoder(self.encoding)
        self._encoder = encoder("backslashreplace")
        self._pending: list[str] = []
        self._line = ""  # what is written of a line that has not ended

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Return True, also for a closed stream."""
        return True

    def isatty(self) -> bool:
        """Return True for a terminal."""
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor. OSError if there is none."""
        if self.stream is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        """Take text, and write it when a line ends. TypeError for bytes: click tries them."""
        ends = "\n" in text
        self._pending.append(mask_known(text))
        if ends:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write all pending text."""
        if not self._pending:
            return
        begun, text = self._line, "".join(self._pending)
        self._pending.clear()
        # Escapes never change the text before them: the part that is written stays as it is.
        text = inert(begun + text)
        self._line = text[max(text.rfind("\n"), text.rfind("\r")) + 1 :]
        if self.error:
            return
        try:
            self._write(self._encoder.encode(text[len(begun) :]))
        except OSError as error:
            self.error = error
        except ValueError as error:  # a stream that Python has closed
            self.error = OSError(str(error))

    def _write(self, data: bytes) -> None:
        """Write all bytes past Python's buffers, which would fail again when Python ends."""
        if self.stream is None:
            raise OSError("it is closed")
        binary = getattr(self.stream, "buffer", None)
        if binary is None:
            self.stream.write(data.decode(self.encoding))
            return
        self.stream.flush()
        raw = getattr(binary, "raw", binary)
        rest = memoryview(data)
        while rest:
            # None for a pipe that does not block and is full.
            written = raw.write(rest)
            if written is None:
                select.select((), (raw,), ())
            rest = rest[written or 0 :]


@contextlib.contextmanager
def standard_streams() -> Iterator[Stream]:
    """Print through `Stream` while the context lasts. Yield that of standard output."""
    # Otherwise a file that is opened later takes the number of a closed stream.
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield out
        finally:
            out.flush()
            err.flush()


def complain(message: str, hint: str) -> None:
    """Print an error and what to do about it."""
    text = printable(f"{message}\n{hint}".rstrip("\n"))
    sys.stderr.write("scanagg: " + text.replace("\n", "\n         ") + "\n")


def say_list(title: str, lines: Iterable[str]) -> None:
    """Print indented lines under a title, after an empty line; nothing if there are no lines."""
    indented = [f"  {line}" for line in lines]
    if indented:
        say("", title, *indented)


def say(*lines: str) -> None:
    """Print lines of untrusted text to standard output."""
    sys.stdout.write("".join(f"{one_line(line)}\n" for line in lines))
    sys.stdout.flush()


def say_json(document: object) -> None:
    """Print a document as JSON."""
    say(*inert_in(json.dumps(document, indent=2), JSON_ESCAPE).splitlines())
