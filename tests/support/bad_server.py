"""A real HTTP server on 127.0.0.1 that misbehaves on demand, to download from or as a proxy."""

import fcntl
import hashlib
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """The response to one request.

    `length` is the Content-Length, by default that of the body. With None there is no such header,
    and the body ends with the connection. The connection is reset after `cut` bytes of the body,
    closed after `stop` bytes, and stays open without more data after `hang` bytes. `drip` is the
    pause in seconds between single bytes, `silent` the seconds before anything is sent.
    `chunked` sends the body in chunks.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = -1
    cut: int | None = None
    stop: int | None = None
    hang: int | None = None
    drip: float = 0.0
    silent: float = 0.0
    chunked: bool = False


RESET = Answer(cut=-1)


@dataclass(frozen=True)
class Asked:
    """A received request: its path (the whole URL at a proxy) and headers in lower case."""

    path: str
    headers: Mapping[str, str]


Route = Answer | list[Answer] | Callable[[Asked], Answer]


class BadServer:
    """A server with an answer for each path: `routes` has a fixed one, a list, or a function.

    The last answer of a list is repeated. `asked` has every request in order.
    """

    def __init__(self, routes: Mapping[str, Route], port: int, scheme: str) -> None:
        self.routes = dict(routes)
        self.port = port
        self.base = f"{scheme}://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            route = self.routes.get(asked.path, Answer(404, b"not here"))
            if isinstance(route, list):
                return route.pop(0) if len(route) > 1 else route[0]
        return route if isinstance(route, Answer) else route(asked)


def file_route(body: bytes, etag: str = "", **headers: str) -> Callable[[Asked], Answer]:
    """A well-behaved server of one file, with If-None-Match."""
    tag = etag or f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    more = {"ETag": tag, **headers}

    def answer(asked: Asked) -> Answer:
        if tag in asked.headers.get("if-none-match", ""):
            return Answer(304, headers=more)
        return Answer(200, body, more)

    return answer


@contextmanager
def bad_server(
    routes: Mapping[str, Route] | None = None, *, certificate: Path | None = None
) -> Iterator[BadServer]:
    """Serve until the block ends; with a PEM file of key and certificate over TLS."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        bad = BadServer(routes or {}, server.server_port, scheme)
        handler.bad = bad  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield bad
        finally:
            bad.closing.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bad: BadServer

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.bad.answer(Asked(self.path, headers))
        self.close_connection = True
        try:
            self.bad.closing.wait(answer.silent)
            self._send(answer)
        except OSError:
            pass  # the client closed the connection

    do_CONNECT = do_GET  # noqa: N815 - the base class has these names

    def _send(self, answer: Answer) -> None:
        if answer.cut == -1:
            self._reset()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.length is not None and answer.status != 304:
            length = len(answer.body) if answer.length == -1 else answer.length
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        end = next(
            (at for at in (answer.cut, answer.stop, answer.hang) if at is not None),
            len(answer.body),
        )
        self._send_body(answer, answer.body[:end])
        if answer.hang is not None:
            self.bad.closing.wait(30)
        if answer.cut is not None:
            self._let_arrive()
            self._reset()

    def _send_body(self, answer: Answer, body: bytes) -> None:
        size = 1 if answer.drip else 1 << 16
        for begin in range(0, len(body), size):
            piece = body[begin : begin + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.chunked else piece)
            if answer.drip and self.bad.closing.wait(answer.drip):
                return
        if answer.chunked and answer.stop is None and answer.cut is None:
            self.wfile.write(b"0\r\n\r\n")

    def _let_arrive(self) -> None:
        """Let sent data arrive, because a reset discards what is in transit."""
        under_way = bytearray(4)
        for _ in range(1000):
            fcntl.ioctl(self.connection, termios.TIOCOUTQ, under_way)
            if not any(under_way):
                return
            time.sleep(0.01)

    def _reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing, to keep the output of tests clean."""
