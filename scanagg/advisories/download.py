"""Download one file: only if it has changed, whole, and within limits of size and time.

requests does the work, and takes proxies, CA bundle and logins from the environment. This module
adds what requests lacks: a deadline for the whole transfer, a limit on its size, the checksums that
servers publish, and redirects that lead neither from https to http nor from a public host into a
private network.
"""

import base64
import contextlib
import hashlib
import http.client
import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Retry

from scanagg import __version__
from scanagg.core.errors import DownloadError, UsageError
from scanagg.core.text import one_line, shorten

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Progress = Callable[[int, int], None]
"""Called with the bytes received and the bytes in all (0 if that is not known)."""

# Seconds to wait for a connection, and for the next bytes of a response.
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
# A download that breaks off starts over: after `BACKOFF_SECONDS`, twice that the next time, and so
# on, or after the time that the server asks for; it fails instead of waiting for too long.
ATTEMPTS: Final = 4
BACKOFF_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 60.0

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# Statuses that may be over in a moment (RFC 9110, RFC 6585).
_TRANSIENT: Final = (408, 429, 500, 502, 503, 504)
_TEN_YEARS: Final = 3650 * 86_400.0
_CHUNK: Final = 32 * 1024
# IPv6 addresses of networks without IPv4: the last 32 bits are the IPv4 address (RFC 6052).
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
# Digest (RFC 3230), Repr-Digest and Content-Digest (RFC 9530, with colons around the value),
# x-goog-hash (Google Cloud Storage), Content-MD5 (RFC 1864, without the name of the algorithm).
_CHECKSUM_HEADERS: Final = ("Digest", "Repr-Digest", "Content-Digest", "x-goog-hash", "Content-MD5")
_CHECKSUM: Final = re.compile(r"\b(md5|sha-256|sha-512)=:?([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


class RemoteFile(msgspec.Struct, frozen=True):
    """A file to download.

    `limit` is its largest size in bytes. `option` is the command-line option that sets the address,
    for messages.
    """

    url: str
    limit: int
    option: str


class Validators(msgspec.Struct, frozen=True):
    """The headers of a response by which a server tells later whether the file has changed."""

    etag: str = ""
    last_modified: str = ""


class Deadline:
    """The moment at which downloads end."""

    def __init__(self, seconds: float) -> None:
        """Set it to so many seconds from now."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end; at least a moment, since 0 is not a valid timeout."""
        return max(self._end - time.monotonic(), 0.001)

    def check(self) -> None:
        """Raise a DownloadError if the time is over."""
        if time.monotonic() >= self._end:
            raise self.error()

    def error(self) -> DownloadError:
        """Return the error for a deadline that has passed."""
        return DownloadError(
            f"not done within {self.seconds:g} s", "Run it again; --max-time gives it more time."
        )


class _TransientError(Exception):
    """A failure that may not happen again; `error` is what to raise if it does.

    `wait` is the number of seconds that the server asks to wait, if it does.
    """

    def __init__(self, error: DownloadError, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


def check_url(url: str, option: str) -> None:
    """Raise a UsageError if `url`, set by `option`, cannot be used or may not be shown."""
    scheme, _, rest = url.partition("://")
    if "@" in rest.partition("/")[0]:
        raise UsageError(
            f"{option} holds a user name or password, which reports would show",
            "Leave it out; a netrc file is read.",
        )
    if scheme.lower() == "file":
        raise UsageError(
            f"{option} is a file, not an address to download from", "Use scanagg db import PATH."
        )
    if _split(url) is None:
        raise UsageError(
            f"{option} is no address: {shorten(one_line(url), 200)}",
            "Give a whole one, such as https://mirror.example.com/PyPI/all.zip.",
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
    now: datetime,
    progress: Progress = lambda _done, _total: None,
) -> Validators | None:
    """Download a file to `path` and return its validators, or None if it has not changed.

    `stored` are the validators of the copy that is stored. After a DownloadError, `path` may hold a
    part of the file.
    """
    wait = BACKOFF_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(file, path, stored, deadline, progress)
        except _TransientError as failure:
            longest = min(LONGEST_WAIT_SECONDS, deadline.left)
            if failure.wait is not None and failure.wait > longest:
                moment = now + timedelta(seconds=min(failure.wait, _TEN_YEARS))
                hint = f"It asks to try again after {moment:%Y-%m-%d %H:%M:%S} UTC."
                raise DownloadError(failure.error.message, hint) from failure
            if attempt == ATTEMPTS or wait > longest:
                raise failure.error from failure
            time.sleep(wait if failure.wait is None else failure.wait)
            wait *= 2
    raise AssertionError("the last attempt returns or raises")


def _attempt(
    file: RemoteFile, path: Path, stored: Validators, deadline: Deadline, progress: Progress
) -> Validators | None:
    conditions = {}
    if stored.etag:
        conditions["If-None-Match"] = stored.etag
    if stored.last_modified:
        conditions["If-Modified-Since"] = stored.last_modified
    with _Session(deadline) as session, session.open(file.url, conditions) as response:
        if response.status_code == 304 and conditions:
            return None
        if response.status_code != 200:
            raise _refusal(response, file.option)
        _save(response, file, path, deadline, progress)
    validators = []
    for name in ("ETag", "Last-Modified"):
        value = response.headers.get(name, "").strip()
        # It is stored and sent back later.
        fit = value.isascii() and value.isprintable() and len(value) <= 256
        validators.append(value if fit else "")
    return Validators(*validators)


def _refusal(response: requests.Response, option: str) -> DownloadError | _TransientError:
    """Return the error for a status that comes without the file."""
    status = response.status_code
    phrase = f" ({http.client.responses[status]})" if status in http.client.responses else ""
    if status in (401, 403):
        hint = "Where it asks for a password, write it into a netrc file."
    elif status == 407:
        hint = "The proxy asks for a password; see HTTP_PROXY and HTTPS_PROXY."
    elif status in (404, 410):
        hint = f"Check the address; {option} sets another one."
    elif status in _TRANSIENT:
        hint = "Try again later."
    else:
        hint = f"Look at what the server answers, or set another address with {option}."
    error = DownloadError(f"{without_secrets(response.url)} answers {status}{phrase}", hint)
    if status not in _TRANSIENT:
        return error
    try:
        wait = Retry().parse_retry_after(response.headers.get("Retry-After", ""))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        wait = None
    return _TransientError(error, wait)


def _save(
    response: requests.Response,
    file: RemoteFile,
    path: Path,
    deadline: Deadline,
    progress: Progress,
) -> None:
    """Write the body of a response to `path`, and check its size and checksums."""
    host = _host(response.url)
    length = response.headers.get("Content-Length", "").strip()
    total = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
    too_large = DownloadError(
        f"{host} sends more than the {file.limit // 2**20} MiB that are read",
        f"Try again; {file.option} sets another address.",
    )
    if total > file.limit:
        raise too_large
    # Some servers send a file ending in `.gz` as encoded; it is stored as it is.
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise DownloadError(
            f"{host} sends the data in an encoding that was not asked for: {one_line(encoding)}",
            "Set the server up to send the file as it is.",
        )
    checksums = tuple(_published_checksums(response.headers))
    sums = {name: hashlib.new(name, usedforsecurity=False) for _, name, _ in checksums}
    size = 0
    try:
        with path.open("wb") as output:
            for chunk in _body(response, deadline):
                size += len(chunk)
                if size > file.limit:
                    raise too_large
                output.write(chunk)
                for checksum in sums.values():
                    checksum.update(chunk)
                progress(size, total)
    except OSError as error:
        raise DownloadError(
            f"cannot write {path}: {error.strerror or error}",
            "Make room, or set SCANAGG_CACHE_DIR to a folder that can be written.",
        ) from error
    if size < total:
        raise _TransientError(
            DownloadError(f"{host} broke off after {size} of {total} bytes", "Try again.")
        )
    for header, name, digest in checksums:
        actual = base64.b64encode(sums[name].digest()).decode()
        if len(digest) == len(actual) and digest != actual:
            raise DownloadError(
                f"what {host} sent does not have the checksum that it publishes ({header})",
                "Try again; where it stays so, a proxy or the server changes the file.",
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
            continue  # the checksum is that of the stored bytes, which are unpacked on their way
        for name, digest in _CHECKSUM.findall(value):
            yield header, name.lower().replace("-", ""), digest


def _body(response: requests.Response, deadline: Deadline) -> Iterator[bytes]:
    """Yield the body as it is sent."""
    try:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            deadline.check()
            yield chunk
    except (OSError, urllib3.exceptions.HTTPError) as error:
        deadline.check()
        raise _TransientError(
            DownloadError(f"{_host(response.url)} broke off: {_reason(error)}", "Try again.")
        ) from error
    deadline.check()


class _Session(requests.Session):
    """A session for one download, which checks each redirect and each connection before use."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self.headers.update({"User-Agent": f"scanagg/{__version__}", "Accept-Encoding": "identity"})
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(self._admit))
        self._deadline = deadline
        self._url = self._proxy = ""
        self._only_public = False
        # A read timeout is no limit: a server that sends a byte now and then never runs into it.
        self._connections: list[socket.socket] = []
        self._timer = threading.Timer(deadline.left, self._shut)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Close the connections, and stop the timer that would shut them."""
        super().close()
        self._timer.cancel()
        for connection in self._connections:
            connection.close()

    def _shut(self) -> None:
        """Break the connections, whatever is waited for."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target: requests would read the body of the redirect, however long it is."""
        return

    def open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the response at the end of the redirects, whatever its status, body unread."""
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send(target, headers, login=_host(target) == _host(url))
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            target = _redirect_target(target, response.headers.get("Location") or "")
        raise DownloadError(
            f"{_host(url)} redirects more than {_MAX_REDIRECTS} times",
            f"The last one leads to {without_secrets(target)}.",
        )

    def _send(self, url: str, headers: Mapping[str, str], *, login: bool) -> requests.Response:
        """Send one request; without `login`, no password of a netrc file goes along."""
        self._deadline.check()
        self._url = url
        proxy = select_proxy(url, get_environ_proxies(url)) or ""
        proxy = f"http://{proxy}" if proxy and "://" not in proxy else proxy
        self._proxy = _host(proxy)
        if proxy and not self._proxy:
            raise DownloadError(
                "the proxy that the environment names has no usable address",
                "Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.",
            )
        if proxy:
            self._check_addresses(addresses_of(urlsplit(url).hostname or ""))
        left = self._deadline.left
        try:
            return self.get(
                url,
                headers=dict(headers),
                auth=None if login else lambda request: request,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
            )
        except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as error:
            self._deadline.check()
            raise _failure(error, _host(url), self._proxy) from error

    def _admit(self, connection: socket.socket) -> socket.socket:
        """Check a new connection before anything is sent over it."""
        try:
            self._connections.append(connection.dup())
            self._deadline.check()
            if not self._proxy:  # a proxy may be in a private network
                self._check_addresses([ipaddress.ip_address(connection.getpeername()[0])])
        except (DownloadError, OSError):
            connection.close()
            raise
        return connection

    def _check_addresses(self, addresses: Sequence[IpAddress]) -> None:
        """Refuse the private addresses of a host if a public host led to it.

        The address that the user gives may be private, and lead anywhere.
        """
        if self._only_public and not all(map(is_public, addresses)):
            raise DownloadError(
                "a redirect leads to an address of a private network, which is not followed",
                f"It leads to {without_secrets(self._url)}. "
                "Where that is a mirror of yours, name it itself.",
            )
        if not addresses or any(map(is_public, addresses)):
            self._only_public = True


class _Adapter(HTTPAdapter):
    """Connects as requests does, and passes each new connection through `admit`."""

    def __init__(self, admit: Callable[[socket.socket], socket.socket]) -> None:
        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return admit(super()._new_conn())

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return admit(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools = {"http": PlainPool, "https": SecurePool}
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        if isinstance(manager, urllib3.ProxyManager):
            manager.pool_classes_by_scheme = self._pools
        return manager


def is_public(address: IpAddress) -> bool:
    """Return whether an address is on the open internet, also if it wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def addresses_of(host: str) -> Sequence[IpAddress]:
    """Return the addresses that this machine knows of a host, if any."""
    try:
        known = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return [ipaddress.ip_address(entry[4][0]) for entry in known]


def _redirect_target(url: str, location: str) -> str:
    """Return the address to which a Location header leads from `url`."""
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()  # UTF-8 in practice
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    parts = _split(target)
    if not location or parts is None or "@" in parts.netloc:
        # What stands before an @ may be a password.
        name = shorten(one_line(location.rpartition("@")[2]), 200)
        raise DownloadError(
            f"{_host(url)} redirects to no usable address",
            f"It names {name}." if location else "It names none.",
        )
    if url.lower().startswith("https:") and parts.scheme == "http":
        raise DownloadError(
            f"{_host(url)} redirects from https to http, which is not followed",
            f"It leads to {without_secrets(target)}.",
        )
    return target


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address of http or https; None if it is none or is ambiguous."""
    if any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if fit else None


def _host(url: str) -> str:
    """Return the host of an address, with its port, without a user or password."""
    parts = _split(url)
    return parts.netloc.rpartition("@")[2] if parts else ""


def _failure(error: Exception, host: str, proxy: str) -> DownloadError | _TransientError:
    """Return the error for a request without a response."""
    reason = _reason(error)
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(
            f"no trusted connection to {host}: {reason}",
            "Where a company's own authority signs, set REQUESTS_CA_BUNDLE to its CA file.",
        )
    if not isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return DownloadError(
            f"cannot ask {host}: {reason}", "Check the address and the environment."
        )
    server = f"the proxy {proxy}, asked for {host}," if proxy else host
    check = "HTTP_PROXY, HTTPS_PROXY and NO_PROXY" if proxy else "the address and the network"
    failure = DownloadError(
        f"{server} does not answer: {reason}", f"Check {check}, then try again."
    )
    # To try again is no use where nobody is there, or the proxy says no.
    lasting = (socket.gaierror, ConnectionRefusedError, urllib3.exceptions.ConnectTimeoutError)
    if isinstance(_innermost(error), lasting) or reason.startswith("Tunnel connection failed: 4"):
        return failure
    return _TransientError(failure)


def _reason(error: BaseException) -> str:
    """Return the innermost cause, which says most, as one line."""
    cause = _innermost(error)
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
    return shorten(one_line(text or type(cause).__name__), 160)


def _innermost(error: BaseException) -> BaseException:
    """Return the error that the others wrap: those of requests, urllib3 and the system."""
    below = error.__cause__ or error.__context__
    inside = [getattr(error, "reason", None), *error.args]
    inside.extend([below] if isinstance(below, OSError) else ())
    causes = [cause for cause in inside if isinstance(cause, Exception) and cause is not error]
    return _innermost(causes[0]) if causes else error
