"""The way to a server and back: one request with its redirects, limits of time, errors in words."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from scanagg import __version__
from scanagg.advisories.fetching import addresses
from scanagg.core.errors import DownloadError
from scanagg.core.text import one_line, shorten

_CHUNK: Final = 32 * 1024
_SHOWN: Final = 160
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_IDENTITY: Final = {"User-Agent": f"scanagg/{__version__}", "Accept-Encoding": "identity"}


class Patience(msgspec.Struct, frozen=True):
    """How long to wait, in seconds: to connect, for the next byte, between tries, when told to.

    `tries` is how often a download is begun or taken up again before it has failed.
    """

    connect: float = 10.0
    silence: float = 30.0
    tries: int = 4
    pause: float = 0.5
    longest: float = 60.0


class TransientError(Exception):
    """What went wrong may go well next time; `error` is what to say where there is none.

    `wait` is how many seconds the server asks for, None where it does not.
    """

    def __init__(self, error: DownloadError, wait: float | None = None) -> None:
        """Keep both."""
        super().__init__(error.message)
        self.error = error
        self.wait = wait


class Deadline:
    """The moment at which downloads end: it breaks the connection that is open then.

    A server that sends a byte now and then never lets a read time out, so that reads alone cannot
    keep to a limit.
    """

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self.seconds = seconds
        self._ends = monotonic() + seconds
        self._lock = threading.Lock()
        self._open: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Begin to count."""
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go; nothing is shut any more."""
        self._timer.cancel()
        self._hold(None)

    @property
    def left(self) -> float:
        """Seconds until the end; never less than a moment, which no limit of time may be."""
        return max(self._ends - monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the end is past."""
        return monotonic() >= self._ends

    def watch(self, connection: socket.socket) -> None:
        """Break this connection at the end, whatever is waited for then."""
        self._hold(connection.dup())
        if self.is_over:
            self._end()

    def error(self) -> DownloadError:
        """What to say when it is over."""
        return DownloadError(
            f"not done within {self.seconds:g} s",
            "Run it again, it goes on where it stopped; --max-time gives it more time.",
        )

    def _hold(self, connection: socket.socket | None) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = connection

    def _end(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._open is not None:
                self._open.shutdown(socket.SHUT_RDWR)


class Wire:
    """Asks servers with GET: proxies, CA bundle and netrc come from the environment."""

    def __init__(
        self,
        deadline: Deadline,
        patience: Patience,
        resolve: addresses.Resolve = addresses.resolve_host,
    ) -> None:
        """Take the limits, and who knows the addresses of a host."""
        self._deadline = deadline
        self._patience = patience
        self._resolve = resolve

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """The answer at the end of the redirects, whatever its status, with its body unread.

        DownloadError, TransientError.
        """
        guard = _Guard(self._deadline)
        with _session(guard) as session:
            trail = addresses.Trail(url, url)
            response = self._ask(session, guard, trail, headers)
            while response.status_code in _REDIRECTS:
                response.close()
                trail = addresses.follow(trail, _location(response), self._resolve)
                response = self._ask(session, guard, trail, headers)
            with response:
                yield response

    def body(self, response: requests.Response) -> Iterator[bytes]:
        """The bytes as they come, not decoded. DownloadError, TransientError."""
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                if self._deadline.is_over:
                    raise self._deadline.error()
                yield chunk
        except (OSError, urllib3.exceptions.HTTPError) as error:
            if self._deadline.is_over:
                raise self._deadline.error() from error
            host = addresses.host_of(response.url)
            raise TransientError(
                DownloadError(f"{host} broke off: {_reason(error)}", "Try again.")
            ) from error

    def _ask(
        self,
        session: requests.Session,
        guard: "_Guard",
        trail: addresses.Trail,
        headers: Mapping[str, str],
    ) -> requests.Response:
        if self._deadline.is_over:
            raise self._deadline.error()
        proxy = _proxy(session, trail.here)
        # A proxy looks the host up by itself, and may well be in a private network.
        guard.only_public = trail.public and not proxy
        ours = addresses.same_origin(trail.first, trail.here)
        try:
            return session.get(
                trail.here,
                headers=dict(headers),
                # Else the password that netrc has for any host would go wherever a server points.
                auth=None if ours else _nobody,
                stream=True,
                allow_redirects=False,
                timeout=(self._limit(self._patience.connect), self._limit(self._patience.silence)),
            )
        except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as error:
            if self._deadline.is_over:
                raise self._deadline.error() from error
            raise _in_words(error, addresses.host_of(trail.here), proxy) from error

    def _limit(self, seconds: float) -> float:
        return min(seconds, self._deadline.left)


def _in_words(error: Exception, host: str, proxy: str) -> DownloadError | TransientError:
    """What went wrong on the way to an answer, and whether it may go well next time."""
    why = _reason(error)
    whom = f"the proxy {proxy}, asked for {host}," if proxy else host
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(
            f"no trusted connection to {host}: {why}",
            "Where a company's own authority signs, set REQUESTS_CA_BUNDLE to its CA file.",
        )
    if not isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
        return DownloadError(f"cannot ask {host}: {why}", "Check the address and the environment.")
    see = "HTTP_PROXY, HTTPS_PROXY and NO_PROXY" if proxy else "the address and the network"
    said = DownloadError(f"{whom} does not answer: {why}", f"Check {see}, then try again.")
    return said if _is_lasting(error) else TransientError(said)


def _is_lasting(error: Exception) -> bool:
    """Whether nobody is there: no such host, refused, not reached; a proxy that says no."""
    inner = _innermost(error)
    return isinstance(
        inner,
        socket.gaierror | ConnectionRefusedError | urllib3.exceptions.ConnectTimeoutError,
    ) or (isinstance(inner, OSError) and str(inner).startswith("Tunnel connection failed: 4"))


def _reason(error: BaseException) -> str:
    """The innermost cause, which says most, fit to show."""
    inner = _innermost(error)
    strerror = inner.strerror if isinstance(inner, OSError) else None
    return shorten(one_line(strerror or str(inner) or type(inner).__name__), _SHOWN)


def _innermost(error: BaseException) -> BaseException:
    """requests wraps errors of urllib3, which wrap those of the system, each in its own way."""
    inside: list[object] = [getattr(error, "reason", None), *error.args]
    below = error.__cause__ or error.__context__
    inside.extend([below] if isinstance(below, OSError) else ())
    found = next((one for one in inside if isinstance(one, Exception)), None)
    return error if found is None or found is error else _innermost(found)


def _proxy(session: requests.Session, url: str) -> str:
    """The host of the proxy that the environment names for an address; empty where none does.

    DownloadError where that is no address.
    """
    settings = session.merge_environment_settings(url, {}, True, None, None)
    proxy = select_proxy(url, settings["proxies"])
    if proxy and not addresses.is_proxy(proxy):
        raise DownloadError(
            "the proxy that the environment names has no usable address",
            "Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.",
        )
    return addresses.host_of(proxy if "://" in proxy else f"//{proxy}") if proxy else ""


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication by nothing."""
    return request


@dataclass(slots=True)
class _Guard:
    """Sees every connection before anything is sent through it."""

    deadline: Deadline
    only_public: bool = False

    def admit(self, connection: socket.socket) -> None:
        """DownloadError where a name that was public when we asked is not when we connect."""
        address = addresses.peer_of(connection) if self.only_public else None
        if address is not None and not addresses.is_public(address):
            connection.close()
            raise DownloadError(
                "a redirect leads to an address of a private network, which is not followed",
                "Where that is a mirror of yours, name it itself.",
            )
        self.deadline.watch(connection)


class _Session(requests.Session):
    """A session that sees no redirect anywhere: requests would read its body, however long."""

    def get_redirect_target(self, _resp: requests.Response) -> None:
        return None


def _location(response: requests.Response) -> str | None:
    """Where a redirect leads: UTF-8 in practice, which a header reads as Latin-1."""
    location = response.headers.get("Location")
    try:
        return location.encode("latin-1").decode() if location else None
    except UnicodeError:
        return location


def _session(guard: _Guard) -> requests.Session:
    session = _Session()
    session.headers.update(_IDENTITY)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(guard))
    return session


class _Adapter(HTTPAdapter):
    """Connects as requests does, and shows each connection to the guard."""

    def __init__(self, guard: _Guard) -> None:
        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                connection = super()._new_conn()
                guard.admit(connection)
                return connection

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                connection = super()._new_conn()
                guard.admit(connection)
                return connection

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
