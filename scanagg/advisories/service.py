"""Serve the store as an OSV service on 127.0.0.1, for pip-audit during one run."""

import contextlib
import logging
import secrets
import socketserver
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories.records import ECOSYSTEM, Record
from scanagg.advisories.store import Store
from scanagg.advisories.versions import fixed_versions
from scanagg.core.errors import StoreError

_LOG: Final = logging.getLogger("scanagg")
_HOST: Final = "127.0.0.1"
_PATH: Final = "/v1/query"
# A query has a name and a version; no scanner sends a longer one.
_BODY_BYTES: Final = 1 << 14
# The thread of a client that died in the middle of a request ends after these.
_SOCKET_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.02


class _QueriedPackage(msgspec.Struct, frozen=True):
    name: str
    ecosystem: str


class _Query(msgspec.Struct, frozen=True):
    package: _QueriedPackage
    version: str


_DECODER: Final = msgspec.json.Decoder(_Query)


@contextlib.contextmanager
def serving(store: Store) -> Iterator[str]:
    """Serve OSV queries from the store until the block ends; return the address.

    The service uses a random port of 127.0.0.1, and answers only at a random path. StoreError if
    this machine has no socket for it.
    """
    path = f"/{secrets.token_urlsafe(16)}{_PATH}"
    try:
        server = _Server((_HOST, 0), _Handler)
    except OSError as error:
        raise StoreError(
            f"cannot serve the advisory store on {_HOST}: {error.strerror}",
            "Allow this user to open a local port.",
        ) from error
    with server:
        server.path, server.store = path, store
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_address[1]}{path}"
        finally:
            server.shutdown()
            thread.join()


def _vulnerability(record: Record, name: str) -> dict[str, object]:
    """Return a record about a package in a form that pip-audit can read.

    pip-audit reads the last entry with the package's exact name, and only the first range in it. It
    fails on versions that are not PEP 440. So return one entry with one range of all fixed
    versions. It also fails on times that do not end in `Z`; those in the store do.
    """
    fixed = [{"fixed": version} for version in fixed_versions(record, name)]
    affected = {
        "package": {"name": name, "ecosystem": ECOSYSTEM},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *fixed]}],
    }
    summary = record.summary or record.details
    return {
        "id": record.id,
        "aliases": list(record.aliases),
        "affected": [affected],
        **({"published": record.published} if record.published else {}),
        **({"summary": summary} if summary else {}),
    }


class _Server(ThreadingHTTPServer):
    """Serves a store at one path."""

    daemon_threads = True
    path: str
    store: Store

    def server_bind(self) -> None:
        """Bind without the DNS look-up of `HTTPServer`."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a broken connection; the client notices it too."""
        _LOG.debug("advisories: a connection broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """Answers the queries of one connection.

    Each response is one write without delay: in two writes, it would take 40 ms more, because the
    second waits until the first is acknowledged.
    """

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _SOCKET_SECONDS

    def do_POST(self) -> None:
        """Answer a query; refuse anything else."""
        if not self._is_our_path():
            return
        header = self.headers.get("Content-Length", "")
        length = int(header) if header.isascii() and header.isdigit() and len(header) < 10 else -1
        if not 0 <= length <= _BODY_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, f"the body must have at most {_BODY_BYTES} bytes")
            return
        try:
            query = _DECODER.decode(self.rfile.read(length))
        except (ValueError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "not an OSV query")
            return
        name = canonicalize_name(query.package.name)
        records: Sequence[Record] = ()
        try:
            if query.package.ecosystem == ECOSYSTEM:
                records = self.server.store.affecting(name, query.version)
        except StoreError as error:
            _LOG.debug("advisories: %s", error.message)
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the advisory store cannot be read")
            return
        answer = {"vulns": [_vulnerability(record, name) for record in records]} if records else {}
        self._respond(HTTPStatus.OK, msgspec.json.encode(answer))

    def do_GET(self) -> None:
        """Refuse every other method."""
        if self._is_our_path():
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only POST")

    # The names are those of http.server.
    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_GET  # noqa: N815

    def _is_our_path(self) -> bool:
        """Return whether the request is for our path; refuse it if not."""
        if secrets.compare_digest(self.path.encode(), self.server.path.encode()):
            return True
        self._refuse(HTTPStatus.NOT_FOUND, "no such address")
        return False

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Respond with an error and close the connection, since a body may be left in it."""
        self.close_connection = True
        self._respond(status, msgspec.json.encode({"message": reason}), reason)

    def _respond(self, status: HTTPStatus, body: bytes, reason: str = "") -> None:
        self.send_response(status, reason or None)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return the name of the server without the Python version."""
        return "scanagg"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""
