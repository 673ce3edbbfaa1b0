"""Download one file: only if it has changed, whole, and within limits of size and time.

requests does the work, and takes proxies, the CA bundle and logins from the environment. This
module adds a deadline for the whole transfer, a limit on its size, the checksums that servers
publish, and a list of the hosts that redirects may lead to.
"""

import base64
import contextlib
import hashlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec
import requests
import urllib3
from requests.utils import select_proxy
from urllib3.util import Retry

from scanagg import __version__
from scanagg.core.errors import DownloadError, UsageError
from scanagg.core.text import one_line, shorten

Progress = Callable[[int, int], None]
"""Called with the bytes received and the total (0 if unknown)."""

# Seconds to wait for a connection, and for the next bytes of a response.
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
# A broken download starts over after `BACKOFF_SECONDS`, twice that the next time, and so on, or
# after the time that the server asks for. If that is too long, the download fails.
ATTEMPTS: Final = 4
BACKOFF_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 60.0

_MAX_REDIRECTS: Final = 5
# Statuses that may be over in a moment (RFC 9110, RFC 6585).
_TRANSIENT: Final = (408, 429, 500, 502, 503, 504)
_CHUNK: Final = 32 * 1024
# Some servers send a file ending in `.gz` as encoded; it is stored as it is.
_ENCODINGS: Final = ("", "identity", "gzip", "x-gzip")
# Digest (RFC 3230), Repr-Digest and Content-Digest (RFC 9530, with colons around the value),
# x-goog-hash (Google Cloud Storage), Content-MD5 (RFC 1864, without the name of the algorithm).
_CHECKSUM_HEADERS: Final = ("Digest", "Repr-Digest", "Content-Digest", "x-goog-hash", "Content-MD5")
_CHECKSUM: Final = re.compile(r"\b(md5|sha-256|sha-512)=:?([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


class RemoteFile(msgspec.Struct, frozen=True):
    """A file to download.

    `limit` is its largest size in bytes. `option` is the command-line option that sets the address,
    for messages. A redirect may lead to another address of the same host, or to one of `hosts`.
    """

    url: str
    limit: int
    option: str
    hosts: frozenset[str] = frozenset()


class Validators(msgspec.Struct, frozen=True):
    """The headers of a response that ask the server later whether the file has changed."""

    etag: str = ""
    last_modified: str = ""


class Deadline:
    """The moment at which all downloads end."""

    def __init__(self, seconds: float) -> None:
        """Start the clock: the deadline is `seconds` from now."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; at least a moment, since 0 is not a valid timeout."""
        return max(self._end - time.monotonic(), 0.001)

    def check(self) -> None:
        """Raise a DownloadError if the deadline has passed."""
        if time.monotonic() >= self._end:
            raise self.error()

    def error(self) -> DownloadError:
        """Return the error for a deadline that has passed."""
        return DownloadError(
            f"not finished within {self.seconds:g} seconds",
            "Run it again, or allow more time with --max-time SECONDS.",
        )


class _TransientError(DownloadError):
    """A failure that may not happen again. The server asks to wait for `wait` seconds."""

    def __init__(
        self, message: str, hint: str, wait: float = 0, *, unreachable: bool = False
    ) -> None:
        super().__init__(message, hint, unreachable=unreachable)
        self.wait = wait


def check_url(url: str, option: str) -> None:
    """Raise a UsageError if `url`, set by `option`, cannot be used or must not be shown."""
    scheme, _, rest = url.partition("://")
    if "@" in rest.partition("/")[0]:
        raise UsageError(
            f"{option} contains a user name or password, which reports would show",
            "Remove it from the address and put it in a netrc file.",
        )
    if scheme.lower() == "file":
        raise UsageError(
            f"{option} is a local file, not an address to download from",
            "Import the file: scanagg db import PATH",
        )
    if _split(url) is None:
        raise UsageError(
            f"{option} is not a valid address: {shorten(one_line(url), 200)}",
            "Give the full address, for example https://mirror.example.com/PyPI/all.zip.",
        )


def without_secrets(url: str) -> str:
    """Return an address without the parts that may be secret: the query, a user, a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host(url)}{parts.path}"


def download(
    file: RemoteFile,
    path: Path,
    stored: Validators,
    *,
    deadline: Deadline,
    progress: Progress = lambda _done, _total: None,
) -> Validators | None:
    """Download a file to `path` and return its validators, or None if it has not changed.

    `stored` are the validators of the stored copy. After a DownloadError, `path` may hold a part of
    the file.
    """
    backoff = BACKOFF_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt_in_time(file, path, stored, deadline, progress)
        except _TransientError as failure:
            longest = min(LONGEST_WAIT_SECONDS, deadline.left)
            if failure.wait > longest:
                hint = f"The server asks you to wait {failure.wait:,.0f} seconds."
                raise DownloadError(failure.message, hint) from failure
            if attempt == ATTEMPTS or backoff > longest:
                raise
            time.sleep(failure.wait or backoff)
            backoff *= 2
    raise AssertionError("the last attempt returns or raises")


def _attempt_in_time(
    file: RemoteFile, path: Path, stored: Validators, deadline: Deadline, progress: Progress
) -> Validators | None:
    """Make one attempt in a thread, and leave the thread behind when the time is over.

    A read timeout is not enough: a server that sends one byte now and then never reaches it.
    """
    outcomes: list[Validators | DownloadError | None] = []

    def attempt() -> None:
        try:
            outcomes.append(_attempt(file, path, stored, deadline, progress))
        except DownloadError as error:
            outcomes.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(deadline.left)
    if thread.is_alive():
        raise deadline.error()
    (outcome,) = outcomes
    if isinstance(outcome, DownloadError):
        deadline.check()
        raise outcome
    return outcome


def _attempt(
    file: RemoteFile, path: Path, stored: Validators, deadline: Deadline, progress: Progress
) -> Validators | None:
    headers = {"User-Agent": f"scanagg/{__version__}", "Accept-Encoding": "identity"}
    if stored.etag:
        headers["If-None-Match"] = stored.etag
    if stored.last_modified:
        headers["If-Modified-Since"] = stored.last_modified
    with requests.Session() as session:
        url = file.url
        for _ in range(_MAX_REDIRECTS + 1):
            # A login from a netrc file is for the host of the file only.
            login = _host(url) == _host(file.url)
            with _response(session, url, headers, deadline, login=login) as response:
                if response.is_redirect:
                    url = _redirect_target(url, response.headers["Location"], file)
                elif response.status_code == 304 and (stored.etag or stored.last_modified):
                    return None
                elif response.status_code != 200:
                    raise _refusal(response, file.option)
                else:
                    _save(response, file, path, deadline, progress)
                    return Validators(
                        _validator(response, "ETag"), _validator(response, "Last-Modified")
                    )
    raise DownloadError(
        f"{_host(file.url)} redirects more than {_MAX_REDIRECTS} times",
        f"The last redirect leads to {without_secrets(url)}.",
    )


def _response(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str],
    deadline: Deadline,
    *,
    login: bool,
) -> requests.Response:
    """Send one request and return the response, with its body unread.

    The adapter sends it, because the session would read the body of a redirect, however long.
    """
    deadline.check()
    settings = session.merge_environment_settings(url, {}, True, None, None)
    proxy = select_proxy(url, settings["proxies"]) or ""
    proxy_host = _host(proxy if "://" in proxy else f"http://{proxy}")
    if proxy and not proxy_host:
        raise DownloadError(
            "the address of the proxy is not valid",
            "Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.",
        )
    timeout = (min(CONNECT_SECONDS, deadline.left), min(READ_SECONDS, deadline.left))
    try:
        # Without `auth`, requests looks for a login in the netrc file.
        auth = None if login else (lambda request: request)
        request = session.prepare_request(requests.Request("GET", url, dict(headers), auth=auth))
        return session.get_adapter(url).send(request, timeout=timeout, **settings)
    except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as error:
        raise _failure(error, _host(url), proxy_host) from error


def _redirect_target(url: str, location: str, file: RemoteFile) -> str:
    """Return the address to which a redirect leads. DownloadError if it is not followed."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()  # UTF-8 in practice
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    parts = _split(target)
    if parts is None or "@" in parts.netloc:
        # The part before an @ may be a password.
        name = shorten(one_line(location.rpartition("@")[2]), 200)
        raise DownloadError(
            f"{_host(url)} redirects to an address that is not valid",
            f"It redirects to {name}. Set another address with {file.option} URL.",
        )
    shown = without_secrets(target)
    if url.lower().startswith("https:") and parts.scheme == "http":
        raise DownloadError(
            f"{_host(url)} redirects from https to http, which scanagg does not follow",
            f"It redirects to {shown}. Set another address with {file.option} URL.",
        )
    if parts.hostname not in (urlsplit(file.url).hostname, *file.hosts):
        raise DownloadError(
            f"{_host(url)} redirects to another host, which scanagg does not follow",
            f"If you trust {_host(target)}, use it directly: {file.option} {shown}",
        )
    return target


def _refusal(response: requests.Response, option: str) -> DownloadError:
    """Return the error for a response without the file."""
    status = response.status_code
    phrase = f" ({http.client.responses[status]})" if status in http.client.responses else ""
    message = f"{without_secrets(response.url)} answers {status}{phrase}"
    if status in _TRANSIENT:
        try:
            wait = Retry().parse_retry_after(response.headers.get("Retry-After", ""))
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            wait = 0
        return _TransientError(message, "Try again later.", wait)
    hints = {
        401: "Put the user name and password in a netrc file.",
        403: "If the server needs a login, put it in a netrc file.",
        407: "The proxy needs a login: check HTTP_PROXY and HTTPS_PROXY.",
    }
    return DownloadError(
        message, hints.get(status, f"Check the address, or set another one with {option} URL.")
    )


def _save(
    response: requests.Response,
    file: RemoteFile,
    path: Path,
    deadline: Deadline,
    progress: Progress,
) -> None:
    """Write the body of a response to `path`, and check its size and checksums."""
    host = _host(response.url)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise DownloadError(
            f"{host} sends the file in an encoding that scanagg did not ask for: "
            f"{one_line(encoding)}",
            "Configure the server to send the file unchanged.",
        )
    # As Content-Length says; the file can still be shorter or longer.
    total = response.raw.length_remaining or 0
    size = 0
    try:
        with path.open("wb") as output:
            for chunk in _body(response, deadline):
                size += len(chunk)
                if max(size, total) > file.limit:
                    limit = file.limit // 2**20
                    raise DownloadError(
                        f"{host} sends more than {limit} MiB, the limit for this file",
                        f"Check the address, or set another one with {file.option} URL.",
                    )
                output.write(chunk)
                progress(size, total)
    except OSError as error:
        raise DownloadError(
            f"cannot write {path}: {error.strerror or error}",
            "Free some disk space, or set SCANAGG_CACHE_DIR to a writable folder.",
        ) from error
    if size < total:
        raise _TransientError(f"{host} sent only {size:,} of {total:,} bytes", "Try again later.")
    for header, algorithm, published in _published_checksums(response.headers):
        with path.open("rb") as saved:
            digest = hashlib.file_digest(saved, algorithm).digest()
        actual = base64.b64encode(digest).decode()
        if len(published) == len(actual) and published != actual:
            raise DownloadError(
                f"the file from {host} does not match the checksum in its header {header}",
                "Try again. If it fails again, the server or a proxy changes the file.",
            )


def _published_checksums(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the header, the algorithm and the base64 digest of each checksum of a response."""
    stored = headers.get("x-goog-stored-content-encoding", "identity").lower()
    is_as_stored = stored == headers.get("Content-Encoding", "identity").lower()
    for header in _CHECKSUM_HEADERS:
        value = headers.get(header, "")
        if header == "Content-MD5":
            value = f"md5={value.strip()}"
        if header == "x-goog-hash" and not is_as_stored:
            continue  # the checksum of the stored bytes, which the server unpacks before sending
        for name, digest in _CHECKSUM.findall(value):
            yield header, name.lower().replace("-", ""), digest


def _body(response: requests.Response, deadline: Deadline) -> Iterator[bytes]:
    """Yield the body as it is sent, and check the deadline after each piece."""
    try:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            deadline.check()
            yield chunk
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise _TransientError(
            f"{_host(response.url)} broke off the download: {_reason(error)}", "Try again later."
        ) from error


def _validator(response: requests.Response, name: str) -> str:
    """Return a header if it can be stored and sent back later, else an empty text."""
    value = response.headers.get(name, "").strip()
    return value if value.isascii() and value.isprintable() and len(value) <= 256 else ""


def _split(url: str) -> SplitResult | None:
    """Return the parts of an http or https address; None if it is not valid or is ambiguous."""
    if any(char <= " " or char in "\\\x7f" for char in url):
        return None
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    return None


def _host(url: str) -> str:
    """Return the host of an address, with its port, without a user or password."""
    parts = _split(url)
    return parts.netloc.rpartition("@")[2] if parts else ""


def _failure(error: Exception, host: str, proxy: str) -> DownloadError:
    """Return the error for a request without a response."""
    reason = _reason(error)
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(
            f"no trusted connection to {host}: {reason}",
            "If your company uses its own CA, set REQUESTS_CA_BUNDLE to its certificate file.",
        )
    if not isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return DownloadError(
            f"cannot send a request to {host}: {reason}", "Check the address and the environment."
        )
    if proxy:
        message = f"cannot reach {host} through the proxy {proxy}: {reason}"
        hint = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, then try again."
    else:
        message = f"cannot reach {host}: {reason}"
        hint = "Check the address and the network, then try again."
    # Another attempt is no use if there is no server, or if the proxy refuses.
    lasting = isinstance(_innermost(error), socket.gaierror | ConnectionRefusedError)
    lasting = lasting or isinstance(error, requests.exceptions.ConnectTimeout)
    if lasting or reason.startswith("Tunnel connection failed: 4"):
        return DownloadError(message, hint, unreachable=True)
    return _TransientError(message, hint, unreachable=True)


def _reason(error: BaseException) -> str:
    """Return the innermost cause, the most specific one, on one line."""
    cause = _innermost(error)
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
    return shorten(one_line(text or type(cause).__name__), 160)


def _innermost(error: BaseException) -> BaseException:
    """Return the error that the errors of requests and urllib3 wrap."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error
