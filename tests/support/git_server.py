"""A git server on this machine, which asks for a token."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

TOKEN = "AUTHORIZATION: basic bWFkZTp1cA=="


@contextmanager
def git_server(repository: Path) -> Iterator[str]:
    """Serve a repository over HTTP, by git itself; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["Authorization"] != TOKEN.partition(": ")[2]:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            address = urlsplit(self.path)
            variables = {
                "GIT_PROJECT_ROOT": str(repository),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "PATH_INFO": address.path,
                "QUERY_STRING": address.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"],
                env={**os.environ, **variables},
                input=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
                capture_output=True,
                check=True,
            )
            self.wfile.write(b"HTTP/1.0 200 OK\r\n" + done.stdout)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/.git"
        finally:
            server.shutdown()
            thread.join()
