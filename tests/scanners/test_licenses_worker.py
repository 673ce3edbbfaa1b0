"""Licence metadata from the files of a package index, from a server on 127.0.0.1."""

import base64
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.bad_server import Answer, BadServer, bad_server
from support.drive import context, drive, inventory

from scanagg.scanners import licenses
from scanagg.scanners.licenses import worker

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = "one-1.0-py3-none-any.whl"
METADATA = b"Metadata-Version: 2.4\nName: One\nVersion: 1.0\nLicense-Expression: MIT\n"


def archive(metadata: bytes = METADATA, name: str = "one") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        zipped.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        zipped.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return file.getvalue()


ARCHIVE = archive()


def sha256(content: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(content).hexdigest()}


def page(**fields: object) -> Answer:
    """A page with one wheel; `fields` are further fields of it."""
    fields = {key.replace("_", "-"): value for key, value in fields.items()}
    file = {"filename": WHEEL, "url": f"/files/{WHEEL}", "hashes": {}, **fields}
    content = json.dumps({"meta": {"api-version": "1.1"}, "name": "one", "files": [file]})
    return Answer(200, content.encode(), {"Content-Type": JSON})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    """An index that is pip's only one, by the user's own settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    with bad_server({f"/files/{WHEEL}.metadata": Answer(200, METADATA)}) as bad:
        monkeypatch.setenv("PIP_INDEX_URL", bad.url("/simple"))
        yield bad


def answer(pin: str = "one==1.0") -> object:
    found = worker._Index(()).answer(pin)
    return found["license_expression"] if isinstance(found, dict) else found


def html(text: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


PAGES: Mapping[str, tuple[Answer, object]] = {
    "hash": (page(core_metadata=sha256(METADATA)), "MIT"),
    "older name": (page(dist_info_metadata=sha256(METADATA)), "MIT"),
    "no hash": (page(core_metadata=True), "MIT"),
    "not advertised": (page(), "MIT"),
    "wrong hash": (page(core_metadata=sha256(b"")), "left"),
    "unknown hash": (page(core_metadata={"md5": "0"}), "left"),
    "no metadata file": (page(core_metadata=False), "left"),
    "whole wheel": (page(core_metadata=False, hashes=sha256(ARCHIVE)), "MIT"),
    "wheel with a wrong hash": (page(core_metadata=False, hashes=sha256(b"")), "left"),
    "another version": (page(filename="one-2.0-py3-none-any.whl"), "absent"),
    "another project": (page(filename="two-1.0-py3-none-any.whl"), "absent"),
    "source only": (page(filename="one-1.0.tar.gz"), "absent"),
    "bad name": (page(filename="one-1.0-whl.whl"), "left"),
    "not a web address": (page(url="file:///etc/passwd"), "left"),
    "no project": (Answer(404), "absent"),
    "refused": (Answer(401), "left"),
    "html": (
        html(f'<a href="/files/{WHEEL}#sha256=0" data-core-metadata="true">{WHEEL}</a>'),
        "MIT",
    ),
    "html with a wrong hash": (
        html(f'<a href="/files/{WHEEL}" data-dist-info-metadata="sha256=0">{WHEEL}</a>'),
        "left",
    ),
    "not json": (Answer(200, b"<html>", {"Content-Type": JSON}), "left"),
    "other type": (Answer(200, b"{}", {"Content-Type": "text/plain"}), "left"),
    "deep": (Answer(200, b"[" * 100_000, {"Content-Type": JSON}), "left"),
    "too long": (Answer(200, b"", {"Content-Type": JSON}, length=worker._LONGEST_PAGE + 1), "left"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_to_the_metadata_or_to_pip(server: BadServer, name: str) -> None:
    server.routes["/simple/one/"], expected = PAGES[name]
    server.routes[f"/files/{WHEEL}"] = Answer(200, ARCHIVE)
    assert answer() == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (METADATA.replace(b"One", b"Two"), "left"),
        (METADATA.replace(b"1.0", b"1.1"), "left"),
        (b"\xff\xfe", "left"),
        (b"", "left"),
    ],
)
def test_metadata_of_another_package_is_not_believed(
    server: BadServer, metadata: bytes, expected: str
) -> None:
    server.routes["/simple/one/"] = page()
    server.routes[f"/files/{WHEEL}.metadata"] = Answer(200, metadata)
    assert answer() == expected


def test_an_answer_without_end_is_given_up(
    server: BadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_SECONDS", 0.0)
    server.routes["/simple/one/"] = page()
    assert answer() == "left"


def test_the_next_index_is_asked(server: BadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", server.url("/more/"))
    server.routes["/more/one/"] = page()
    assert answer() == "MIT"
    assert [asked.path for asked in server.asked[:2]] == ["/simple/one/", "/more/one/"]


def test_a_wheel_in_a_folder_is_read(
    server: BadServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / WHEEL).write_bytes(ARCHIVE)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert (answer(), server.asked) == ("MIT", [])


def test_credentials_go_to_the_index_alone(
    server: BadServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    key = "pass" + "word"
    with bad_server({f"/files/{WHEEL}.metadata": Answer(200, METADATA)}) as other:
        own = server.url("/simple").replace("//", f"//user:{key}@")
        monkeypatch.setenv("PIP_INDEX_URL", own)
        elsewhere = other.url(f"/files/{WHEEL}").replace("127.0.0.1", "localhost")
        server.routes["/simple/one/"] = page(url=elsewhere)
        assert answer() == "MIT"
        moved = Answer(302, headers={"Location": f"{elsewhere}.metadata"})
        server.routes["/simple/one/"] = page()
        server.routes[f"/files/{WHEEL}.metadata"] = moved
        assert answer() == "MIT"
        header = "Basic " + base64.b64encode(f"user:{key}".encode()).decode()
        assert {asked.headers.get("authorization") for asked in server.asked} == {header}
        assert [asked.headers.get("authorization") for asked in other.asked] == [None, None]
    server.routes["/simple/one/"] = Answer(403)
    assert answer() == "left"
    assert key not in "".join(capfd.readouterr())


def test_all_pins_are_looked_up_and_the_rest_by_pip(server: BadServer, tmp_path: Path) -> None:
    server.routes["/simple/one/"] = page()
    two = archive(METADATA.replace(b"One", b"two"), "two")
    name = "two-1.0-py3-none-any.whl"
    server.routes["/simple/two/"] = html(f'<a href="/files/{name}">{name}</a>')
    server.routes[f"/files/{name}"] = Answer(200, two)
    project = tmp_path / "project"
    project.mkdir()
    done = drive(
        licenses, context(project, inventory("none==1.0", "one==1.0", "two==1.0")), tmp_path
    )
    assert len(done.outputs) == 2
    assert {pin: reason.kind for pin, reason in done.reasons.items()} == {"none==1.0": "no-wheel"}
    assert {one.package.name: one.license.expression for one in done.observations} == {
        "one": "MIT",
        "two": "MIT",
    }
    assert set(done.store) == {"one==1.0", "two==1.0"}
