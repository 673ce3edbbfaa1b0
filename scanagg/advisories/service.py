"""The store as an OSV service on 127.0.0.1, for one run: what the real pip-audit asks."""

import contextlib
import logging
import secrets
import socketserver
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories.records import Record
from scanagg.advisories.store import Store
from scanagg.advisories.versions import fixed_versions
from scanagg.core.errors import StoreError

_LOG: Final = logging.getLogger("scanagg")
_HOST: Final = "127.0.0.1"
_QUERY: Final = "/v1/query"
_ECOSYSTEM: Final = "PyPI"
# A name and a version; what is longer is no question that a scanner asks.
_BODY_BYTES: Final = 1 << 14
# A client that has died in the middle of a request keeps its thread no longer than this.
_SOCKET_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.02


class _Package(msgspec.Struct, frozen=True):
    name: str
    ecosystem: str


class _Question(msgspec.Struct, frozen=True):
    package: _Package
    version: str


_QUESTIONS: Final = msgspec.json.Decoder(_Question)


@contextlib.contextmanager
def serving(store: Store) -> Iterator[str]:
    """The address of a service that answers OSV queries out of the store, until the block ends.

    It takes a random port of 127.0.0.1 and answers nobody who does not know the address, for a
    random word is part of it. StoreError where this machine has no socket for it.
    """
    path = f"/{secrets.token_urlsafe(16)}{_QUERY}"
    with _server() as server:
        server.path, server.answer = path, lambda asked: _answer(store, asked)
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_address[1]}{path}"
        finally:
            server.shutdown()
            thread.join()


def _server() -> "_Server":
    try:
        return _Server((_HOST, 0), _Handler)
    except OSError as error:
        raise StoreError(
            f"the advisory store cannot be served on {_HOST}: {error.strerror}",
            "Let this user open a port there.",
        ) from error


def _answer(store: Store, asked: _Question) -> bytes:
    """The records that affect a version, in OSV's words; StoreError where they cannot be read."""
    if asked.package.ecosystem != _ECOSYSTEM:
        return b"{}"
    name = canonicalize_name(asked.package.name)
    found = [_told(one, name) for one in store.affecting(name, asked.version)]
    return msgspec.json.encode({"vulns": found} if found else {})


def _told(record: Record, name: str) -> dict[str, object]:
    """A record with what pip-audit reads of it, in a form that it can read.

    It looks at the last entry for the package's exact name and at the first range of that alone,
    and fails on what PEP 440 does not know. So there is one entry with one range, of all versions
    that fix. It fails on times that do not end in `Z` too, which those of the store do.
    """
    fixed = [{"fixed": version} for version in fixed_versions(record, name)]
    affected = {
        "package": {"name": name, "ecosystem": _ECOSYSTEM},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *fixed]}],
    }
    said = record.summary or record.details
    return {
        "id": record.id,
        "aliases": list(record.aliases),
        "affected": [affected],
        **({"published": record.published} if record.published else {}),
        **({"summary": said} if said else {}),
    }


class _Server(ThreadingHTTPServer):
    """Serves one path with one function."""

    daemon_threads = True
    path: str
    answer: Callable[[_Question], bytes]

    def server_bind(self) -> None:
        """Bind as any server: that of HTTP asks the network for our name first."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say what broke a connection in the log only; the client sees that it broke."""
        _LOG.debug("advisories: a connection broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection, on which many questions may come.

    Each answer is one write, and none is held back: head and body apart would cost 40 ms each, for
    which the sender waits to be told that the first has arrived.
    """

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _SOCKET_SECONDS

    def do_POST(self) -> None:
        """Answer a query; refuse what is none."""
        if not self._is_asked():
            return
        body = self._body()
        if body is None:
            return
        try:
            asked = _QUESTIONS.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._refuse(HTTPStatus.BAD_REQUEST, "not a query of OSV")
            return
        try:
            self._say(HTTPStatus.OK, self.server.answer(asked))
        except StoreError as error:
            _LOG.debug("advisories: %s", error.message)
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the advisory store cannot be read")

    def _other(self) -> None:
        """Refuse every other method."""
        if self._is_asked():
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only POST")

    # The names are those of http.server.
    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _other  # noqa: N815

    def _is_asked(self) -> bool:
        """Whether the request is for our path; refused where it is not."""
        if secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            return True
        self._refuse(HTTPStatus.NOT_FOUND, "no such address")
        return False

    def _body(self) -> bytes | None:
        """What was sent; None where its length is not told or too great, which is refused."""
        told = self.headers.get("Content-Length", "")
        length = int(told) if told.isascii() and told.isdigit() and len(told) < 10 else -1
        if not 0 <= length <= _BODY_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, f"a body of at most {_BODY_BYTES} bytes, please")
            return None
        return self.rfile.read(length)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Say no, and end the connection: a body may be left in it."""
        self.close_connection = True
        self._say(status, msgspec.json.encode({"message": reason}), reason)

    def _say(self, status: HTTPStatus, body: bytes, reason: str = "") -> None:
        self.send_response(status, reason or None)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Say what we are, not which Python runs us."""
        return "scanagg"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: requests are no events of a check."""
