"""Content-Encoding taken off a body, a piece at a time, however much it unpacks to."""

import zlib
from collections.abc import Iterable, Iterator

from scanagg.core.errors import DownloadError

_PIECE = 256 * 1024
_IDENTITY = ("", "identity")
_KNOWN = ("gzip", "x-gzip", "deflate")


def is_encoded(encoding: str) -> bool:
    """Whether a body is sent otherwise than it is."""
    return encoding.strip().lower() not in _IDENTITY


def decoded(chunks: Iterable[bytes], encoding: str, host: str) -> Iterator[bytes]:
    """The bytes without their encoding, in pieces of bounded size.

    DownloadError for an encoding that nobody asked for and nobody knows, and for one that breaks.
    """
    if not is_encoded(encoding):
        yield from chunks
        return
    if encoding.strip().lower() not in _KNOWN:
        raise DownloadError(
            f"{host} sends the data in an encoding that was not asked for: {encoding}",
            "Set the server up to send the file as it is.",
        )
    try:
        yield from _unpacked(chunks)
    except (zlib.error, EOFError) as error:
        raise DownloadError(
            f"{host} sends what is no whole {encoding} ({error})", "Try again."
        ) from error


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, told by itself
    for chunk in chunks:
        rest = chunk
        while rest and not unpacker.eof:
            piece = unpacker.decompress(rest, _PIECE)
            rest = unpacker.unconsumed_tail
            yield piece
    yield unpacker.flush()  # what did not fit into the last piece: a few bytes
    if not unpacker.eof:
        raise EOFError("it ends early")
