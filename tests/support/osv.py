"""A stand-in for an OSV service on this machine: POST /v1/query answered from given records."""

import functools
import json
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Record = dict[str, Any]


def record(advisory: str, name: str, *events: Mapping[str, str], **more: Any) -> Record:
    """A minimal OSV record about one PyPI package; `more` are further keys of the record."""
    affected = {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": [dict(event) for event in events]}],
        "versions": more.pop("versions", []),
    }
    return {
        "schema_version": "1.6.0",
        "id": advisory,
        "published": "2024-01-02T03:04:05Z",
        "modified": "2024-01-02T03:04:05Z",
        "affected": [affected],
        **more,
    }


def affects(one: Record, name: str, version: str) -> bool:
    """Return whether this version of a PyPI package is affected by a record, by OSV's rules."""
    return any(
        _version_hit(affected, Version(version))
        for affected in one.get("affected", [])
        if _is_package(affected, canonicalize_name(name))
    )


@contextmanager
def osv_server(
    records: Iterable[Record] | Path,
    *,
    fail: Mapping[str, int] | None = None,
    asked: list[tuple[str, str]] | None = None,
) -> Iterator[str]:
    """Serve records, or those of a zip with one JSON file each; yield the URL to query.

    `fail` names packages that get that HTTP status instead; `asked` collects every (name, version).
    """
    found = _of_zip(records) if isinstance(records, Path) else _by_name(records)
    handler = type("Handler", (_Handler,), {"found": found, "fail": fail or {}, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        finally:
            server.shutdown()
            thread.join()


@functools.cache
def _of_zip(path: Path) -> dict[str, list[Record]]:
    with zipfile.ZipFile(path) as archive:
        return _by_name(json.loads(archive.read(name)) for name in sorted(archive.namelist()))


def _by_name(records: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in records:
        names = {
            canonicalize_name(affected["package"]["name"])
            for affected in one.get("affected", [])
            if affected.get("package", {}).get("ecosystem") == "PyPI"
        }
        for name in names:
            found.setdefault(name, []).append(one)
    return found


def _is_package(affected: Record, name: str) -> bool:
    package = affected.get("package", {})
    return package.get("ecosystem") == "PyPI" and canonicalize_name(package["name"]) == name


def _version_hit(affected: Record, version: Version) -> bool:
    if any(_parsed(listed) == version for listed in affected.get("versions", [])):
        return True
    ranges = [one for one in affected.get("ranges", []) if one["type"] == "ECOSYSTEM"]
    return any(_range_hit(one["events"], version) for one in ranges)


def _range_hit(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """Walk the events by version. They may come in any order; "0" means the first version."""
    inside = False
    for at, kind in sorted(_event(event) for event in events):
        if at > version:
            break
        if kind == "introduced":
            inside = True
        elif kind == "fixed" or at < version:  # the last affected version is still affected
            inside = False
    return inside


def _event(event: Mapping[str, str]) -> tuple[Version, str]:
    ((kind, text),) = event.items()
    return (Version("0.dev0") if text == "0" else Version(text)), kind


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


class _Handler(BaseHTTPRequestHandler):
    found: Mapping[str, list[Record]]
    fail: Mapping[str, int]
    asked: list[tuple[str, str]] | None

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name, version = canonicalize_name(query["package"]["name"]), query["version"]
        if self.asked is not None:
            self.asked.append((name, version))
        if self.path != "/v1/query" or name in self.fail:
            self._answer(self.fail.get(name, 404), {"code": 3, "message": "no"})
            return
        hits = [one for one in self.found.get(name, []) if affects(one, name, version)]
        self._answer(200, {"vulns": hits} if hits else {})

    def _answer(self, status: int, answer: object) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing, to keep the output of tests clean."""
