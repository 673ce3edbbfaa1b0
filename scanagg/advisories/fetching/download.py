"""One file from one address: only if it changed, resumed where it broke off, within limits."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from requests import Response

from scanagg.advisories.fetching import addresses, answers, checksums, decoding
from scanagg.advisories.fetching.part import Notes, Part, hashed
from scanagg.advisories.fetching.wire import Deadline, Patience, TransientError, Wire
from scanagg.core.errors import DownloadError

Progress = Callable[[int, int], None]
"""Told bytes done, and bytes in all (0 where that is not known)."""

_BEGINNING: Final = 2048
_PAUSES: Final = 2.0  # each pause between tries is this much longer than the one before


class Wanted(msgspec.Struct, frozen=True):
    """What to download, and what is here already.

    `limit` is in bytes, as sent and as unpacked; `beginnings` are what data of this kind can begin
    with, `option` is what sets the address, for errors to name. `etag` and `last_modified` are
    those of the data that is here.
    """

    url: str
    limit: int
    beginnings: tuple[bytes, ...]
    option: str
    etag: str = ""
    last_modified: str = ""


class Fetched(msgspec.Struct, frozen=True):
    """A whole file at `path`, and what the server said by which to ask whether it changed."""

    path: Path
    etag: str = ""
    last_modified: str = ""


class Download:
    """Gets one file into `path`. What is there of an earlier try is gone on with."""

    def __init__(
        self,
        wanted: Wanted,
        path: Path,
        deadline: Deadline,
        *,
        patience: Patience | None = None,
        progress: Progress = lambda _done, _whole: None,
        resolve: addresses.Resolve = addresses.resolve_host,
    ) -> None:
        """Take what to do; nothing is asked yet."""
        self._wanted = wanted
        self._part = Part(path)
        self._deadline = deadline
        self._patience = patience or Patience()
        self._progress = progress
        self._wire = Wire(deadline, self._patience, resolve)

    def run(self) -> Fetched | None:
        """The file; None where what is here already is still it. DownloadError."""
        try:
            return self._tried()
        except DownloadError:
            if self._part.resumable(self._wanted.url) is None:
                self._part.drop()
            raise

    def forget(self) -> None:
        """Remove what was downloaded."""
        self._part.drop()

    def _tried(self) -> Fetched | None:
        for pauses in range(self._patience.tries - 1):
            try:
                return self._once()
            except TransientError as error:
                self._pause(error, self._patience.pause * _PAUSES**pauses)
        try:
            return self._once()
        except TransientError as error:
            raise error.error from error

    def _pause(self, error: TransientError, usual: float) -> None:
        wait = usual if error.wait is None else error.wait
        if wait > min(self._patience.longest, self._deadline.left):
            if error.wait is None:
                raise error.error from error
            raise answers.too_long(error.error, wait, datetime.now(UTC)) from error
        time.sleep(wait)

    def _once(self) -> Fetched | None:
        begun = self._part.resumable(self._wanted.url)
        with self._wire.get(self._wanted.url, self._headers(begun)) as response:
            if response.status_code == 304 and self._is_known:
                self._part.drop()
                return None
            if response.status_code == 206 and begun is not None:
                return self._go_on(response, begun)
            if response.status_code == 416 and begun is not None:
                self._part.drop()
                raise TransientError(self._strange(response, "has no more of the file"), 0.0)
            if response.status_code == 200:
                return self._start(response)
            raise answers.refusal(
                response.status_code,
                response.headers,
                addresses.shown(response.url),
                self._wanted.option,
                datetime.now(UTC),
            )

    @property
    def _is_known(self) -> bool:
        return bool(self._wanted.etag or self._wanted.last_modified)

    def _headers(self, begun: Notes | None) -> dict[str, str]:
        """The conditions; a server looks at the first that it knows (RFC 9110, 13.2.2)."""
        found = {}
        if self._wanted.etag:
            found["If-None-Match"] = self._wanted.etag
        if self._wanted.last_modified:
            found["If-Modified-Since"] = self._wanted.last_modified
        if begun is not None:
            found["Range"] = f"bytes={self._part.size()}-"
            found["If-Range"] = begun.validator
        return found

    def _start(self, response: Response) -> Fetched:
        encoding = response.headers.get("Content-Encoding", "")
        total = answers.length_of(response.headers)
        self._refuse_large(response, total)
        encoded = decoding.is_encoded(encoding)
        notes = Notes(
            address=hashed(self._wanted.url),
            # What is unpacked as it comes cannot be gone on with.
            etag="" if encoded else _header(response, "ETag"),
            last_modified="" if encoded else _header(response, "Last-Modified"),
            total=None if encoded else total,
            checksums=checksums.published(response.headers, partial=False),
        )
        self._part.begin(notes)
        self._receive(response, notes, checksums.Sums(notes.checksums))
        if encoded and total is not None:
            self._progress(total, total)
        return self._whole(response)

    def _go_on(self, response: Response, notes: Notes) -> Fetched:
        offset = self._part.size()
        total = answers.continues(response.headers, offset, notes.total)
        changed = notes.etag and _header(response, "ETag") not in ("", notes.etag)
        encoded = decoding.is_encoded(response.headers.get("Content-Encoding", ""))
        if total is None or changed or encoded:
            self._part.drop()
            raise TransientError(self._strange(response, "sends another part of the file"), 0.0)
        self._refuse_large(response, total)
        also = checksums.published(response.headers, partial=True)
        notes = Notes(
            notes.address, notes.etag, notes.last_modified, total, (*notes.checksums, *also)
        )
        try:
            sums = checksums.Sums(notes.checksums).add(self._part.chunks())
            self._receive(response, notes, sums)
        except _MismatchError as error:
            # The beginning is another file's after all: the whole may be right.
            raise TransientError(error, 0.0) from error
        return self._whole(response)

    def _receive(self, response: Response, notes: Notes, sums: checksums.Sums) -> None:
        """Write the body behind what is there, as long as it is within limits, and check it."""
        with self._part.appending() as file:
            size = self._part.size()
            self._progress(size, notes.total or 0)
            for piece in self._pieces(response, sums):
                size += len(piece)
                if size > self._wanted.limit:
                    break
                file.write(piece)
                self._progress(size, notes.total or 0)
        if size > self._wanted.limit:
            self._part.drop()
            raise self._too_large(response)
        if notes.total is not None and size < notes.total:
            raise TransientError(
                self._strange(response, f"broke off after {size} of {notes.total} bytes")
            )
        wrong = sums.wrong()
        if wrong is not None:
            self._part.drop()
            raise _MismatchError(
                f"what {addresses.host_of(response.url)} sent does not have the checksum that it "
                f"publishes ({wrong.header})",
                "Try again; where it stays so, a proxy or the server changes the file.",
            )

    def _pieces(self, response: Response, sums: checksums.Sums) -> Iterator[bytes]:
        """The body without its encoding; what is counted and summed up is what is sent."""

        def sent() -> Iterator[bytes]:
            size = 0
            for chunk in self._wire.body(response):
                size += len(chunk)
                if size > self._wanted.limit:
                    self._part.drop()
                    raise self._too_large(response)
                sums.add([chunk])
                yield chunk

        encoding = response.headers.get("Content-Encoding", "")
        return decoding.decoded(sent(), encoding, addresses.host_of(response.url))

    def _whole(self, response: Response) -> Fetched:
        """The file, where it begins as data of its kind does. DownloadError."""
        beginning = self._part.read(_BEGINNING)
        if not beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(self._wanted.beginnings):
            self._part.drop()
            where = addresses.shown(response.url)
            hint = f"A proxy or a sign-in page may be between; {self._wanted.option} sets another."
            if not beginning:
                raise DownloadError(f"{where} sends nothing where data is expected", hint)
            words = answers.first_words(beginning)
            raise DownloadError(f"{where} sends no data but what begins so: {words}", hint)
        return Fetched(
            self._part.path, _header(response, "ETag"), _header(response, "Last-Modified")
        )

    def _refuse_large(self, response: Response, total: int | None) -> None:
        if total is not None and total > self._wanted.limit:
            self._part.drop()
            raise self._too_large(response)

    def _too_large(self, response: Response) -> DownloadError:
        return self._strange(
            response, f"sends more than the {self._wanted.limit // 2**20} MiB that are read"
        )

    def _strange(self, response: Response, what: str) -> DownloadError:
        return DownloadError(
            f"{addresses.host_of(response.url)} {what}",
            f"Try again; {self._wanted.option} sets another address.",
        )


class _MismatchError(DownloadError):
    """What came does not have its published checksum."""


def _header(response: Response, name: str) -> str:
    """A header to be sent back later: only where it can be, and is of a sane size."""
    value = response.headers.get(name, "").strip()
    return value if value.isascii() and value.isprintable() and len(value) <= 256 else ""
