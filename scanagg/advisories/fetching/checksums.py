"""The checksums that servers publish in headers, and whether what came has them."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

import msgspec

# Header names for algorithms, with the length of their digest in bytes. crc32c, which Google
# publishes as well, is left out: Python has none, and it guards against accidents only.
_ALGORITHMS: Final = {"md5": ("md5", 16), "sha-256": ("sha256", 32), "sha-512": ("sha512", 64)}
# `sha-256=<base64>` (RFC 3230, x-goog-hash), or with colons around it (RFC 9530).
_ITEM: Final = re.compile(r"([A-Za-z0-9-]+)=:?([A-Za-z0-9+/]+={0,2}):?$")
# Of the whole file, also in the answer with a part of it.
_WHOLE: Final = ("Digest", "Repr-Digest")
# Of this answer's body.
_BODY: Final = ("Content-Digest",)


class Checksum(msgspec.Struct, frozen=True):
    """A digest in hex that a header gives for the whole file, as it is sent."""

    algorithm: str
    digest: str
    header: str


def published(headers: Mapping[str, str], *, partial: bool) -> tuple[Checksum, ...]:
    """The checksums of the whole file in an answer; what is none is left out.

    Sources: RFC 3230 (Digest), RFC 9530 (Repr-Digest, Content-Digest), RFC 1864 (Content-MD5),
    Google Cloud Storage (x-goog-hash).
    """
    names = [*_WHOLE, *(() if partial else _BODY)]
    if _stored_as_sent(headers):
        names.append("x-goog-hash")
    found = [one for name in names for one in _items(name, headers.get(name, ""))]
    if not partial:
        found.extend(_items("Content-MD5", f"md5={headers.get('Content-MD5', '').strip()}"))
    return tuple(found)


class Sums:
    """Digests of bytes as they come, those that were published."""

    def __init__(self, wanted: Iterable[Checksum]) -> None:
        """Begin with no bytes."""
        self._wanted = tuple(wanted)
        names = {one.algorithm for one in self._wanted}
        self._running = {name: hashlib.new(name, usedforsecurity=False) for name in names}

    def add(self, chunks: Iterable[bytes]) -> Self:
        """Take more bytes."""
        if self._running:
            for chunk in chunks:
                for running in self._running.values():
                    running.update(chunk)
        return self

    def wrong(self) -> Checksum | None:
        """The first that does not hold for the bytes so far."""
        return next(
            (one for one in self._wanted if self._running[one.algorithm].hexdigest() != one.digest),
            None,
        )


def _items(header: str, value: str) -> Iterator[Checksum]:
    for item in value.split(","):
        match = _ITEM.match(item.strip())
        name, size = _ALGORITHMS.get(match[1].lower(), ("", 0)) if match else ("", 0)
        digest = _decoded(match[2]) if match else b""
        if name and len(digest) == size:
            yield Checksum(name, digest.hex(), header)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _stored_as_sent(headers: Mapping[str, str]) -> bool:
    """Whether x-goog-hash is of what is sent: it is of the stored bytes, which may be unpacked."""
    stored = headers.get("x-goog-stored-content-encoding", "identity").lower()
    return stored == headers.get("Content-Encoding", "identity").lower()
