"""A stand-in for Safety's service on this machine, and a small database written by hand.

The real program requests OpenID discovery and keys at every start, and with an API key also the
account and the database. Nothing here is the vendor's own data.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCHEMA = "2.0.0"
_SANDBOX = {
    "ids": [{"type": "pyup", "id": "10001"}, {"type": "cve", "id": "CVE-2016-10745"}],
    "specs": ["<2.8.1"],
    "advisory": "A template could leave its sandbox.\nMore about it.",
    "transitive": False,
    "more_info_path": "/v/10001/abc",
    "published_date": "2019-Apr-08",
    "fixed_versions": ["2.8.1"],
    "closest_secure_versions": ["3.1.6"],
    "vulnerability_resources": [
        "https://github.com/advisories/GHSA-hj2j-77xm-mc5v",
        "https://example.invalid/elsewhere",
    ],
    "affected_versions": ["2.4.1"],
}
_UNNAMED = {
    **_SANDBOX,
    "ids": [{"type": "pyup", "id": "10002"}, {"type": "pve", "id": "PVE-2024-10002"}],
    "specs": ["<3.1.3"],
    "advisory": "",
    "more_info_path": "/v/10002/abc",
    "published_date": None,
    "fixed_versions": [],
    "vulnerability_resources": [],
}
_SCORES = {
    "CVE-2016-10745": {
        "cvssv2": {"base_score": 5.0, "vector_string": "AV:N/AC:L/Au:N/C:P/I:N/A:N"},
        "cvssv3": {
            "base_score": 8.6,
            "vector_string": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N",
        },
    }
}


def database() -> dict[str, Any]:
    """The two files of a database: jinja2 below 2.8.1 and below 3.1.3, and nothing else."""
    package = {
        "insecure_versions": ["2.4.1"],
        "secure_versions": ["3.1.6"],
        "latest_secure_version": "3.1.6",
        "latest_version": "3.1.6",
        "more_info_path": "/p/pypi/jinja2/",
    }
    meta = {
        "schema_version": SCHEMA,
        "base_domain": "https://data.invalid",
        "packages": {"jinja2": package},
        "severities": _SCORES,
    }
    return {
        "insecure.json": {
            "meta": {"schema_version": SCHEMA},
            "vulnerable_packages": {"jinja2": ["<2.8.1", "<3.1.3"]},
        },
        "insecure_full.json": {
            "meta": meta,
            "vulnerable_packages": {"jinja2": [_SANDBOX, _UNNAMED]},
        },
    }


def write_database(folder: Path, schema: str = SCHEMA) -> Path:
    """Write the database as files for `--db`; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in database().items():
        content["meta"]["schema_version"] = schema
        (folder / name).write_text(json.dumps(content))
    return folder


@contextmanager
def safety_service(asked: list[str] | None = None) -> Iterator[dict[str, str]]:
    """Serve on a port of this machine; yield the environment that sends the program there.

    `asked` collects "METHOD path" of every request, with the API key if it has one.
    """
    handler = type("Handler", (_Handler,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield environment(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def environment(base: str) -> dict[str, str]:
    """Return the variables that point the program to the service at `base`."""
    return {
        "SAFETY_PLATFORM_URL": base,
        "SAFETY_AUTH_SERVER_URL": base,
        "SAFETY_SAFETY_PLATFORM_V2_URL": base,
        "SAFETY_PLATFORM_API_BASE_URL": f"{base}/cli/api/v1",
        "SAFETY_DATA_API_BASE_URL": f"{base}/data/",
    }


class _Handler(BaseHTTPRequestHandler):
    asked: list[str] | None = None

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if self.asked is not None:
            key = self.headers.get("X-Api-Key")
            self.asked.append(f"{self.command} {path}" + (f" {key}" if key else ""))
        body = json.dumps(self._answer(path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base class has these names

    def _answer(self, path: str) -> dict[str, Any]:
        if path.endswith("/openid-configuration"):
            base = f"http://{self.headers['Host']}"
            return {
                "issuer": f"{base}/",
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/oauth/token",
                "jwks_uri": f"{base}/jwks",
            }
        if path == "/jwks":
            return {"keys": []}
        return database().get(path.rpartition("/")[2], {})

    def log_message(self, *_: object) -> None:
        """Log nothing, to keep the output of tests clean."""
