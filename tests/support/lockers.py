"""An index of tiny wheels for lockers and pip, and stand-ins for programs."""

import io
import os
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Packages = Mapping[str, Mapping[str, Sequence[str]]]
"""Name to version to requirements."""


def on_path(monkeypatch: pytest.MonkeyPatch, *programs: Path) -> None:
    """Let only these programs be found, besides those of the system."""
    folders = [str(program.parent) for program in programs]
    monkeypatch.setenv("PATH", os.pathsep.join((*folders, "/usr/bin", "/bin")))


def use_only_index(monkeypatch: pytest.MonkeyPatch, home: Path, url: str, **more: str) -> None:
    """Set an empty home folder, and variables with which lockers use only this index."""
    home.mkdir()
    for name in [*os.environ]:
        if name.startswith(("UV_", "PIP_", "POETRY_", "PDM_", "PIPENV_", "XDG_")):
            monkeypatch.delenv(name)
    known = {
        "HOME": str(home),
        "UV_DEFAULT_INDEX": url,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
    }
    for name, value in (known | more).items():
        monkeypatch.setenv(name, value)


def wheel(name: str, version: str, requires: Sequence[str]) -> bytes:
    """Build the smallest possible wheel."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return content.getvalue()


@contextmanager
def index(packages: Packages) -> Iterator[str]:
    """Serve a package index (PEP 503) with these packages on this machine; yield its URL."""
    wheels = {
        f"/files/{name}-{version}-py3-none-any.whl": wheel(name, version, requires)
        for name, versions in packages.items()
        for version, requires in versions.items()
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/simple/").strip("/")
            if self.path in wheels:
                self._answer(wheels[self.path], "application/octet-stream")
            elif name in packages:
                links = (path for path in wheels if path.startswith(f"/files/{name}-"))
                page = "".join(f'<a href="{path}">{path[7:]}</a>\n' for path in links)
                self._answer(f"<!DOCTYPE html><body>{page}</body>".encode(), "text/html")
            else:
                self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

        def _answer(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()
            thread.join()


def fake(folder: Path, name: str, script: str) -> Path:
    """A program that hangs, fails or leaves garbage on demand, which a real one does not."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program
