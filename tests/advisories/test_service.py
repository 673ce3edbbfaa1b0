"""The service for pip-audit: its answers and refusals."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.drive import context, drive, inventory
from support.kept import keep
from support.osv import record

from scanagg.advisories.records import Affected, AffectedPackage, Range, RangeEvent, Record
from scanagg.advisories.service import serving
from scanagg.advisories.store import Store, open_store
from scanagg.core.errors import StoreError
from scanagg.model import DataSource
from scanagg.scanners import pip_audit
from scanagg.scanners.base import Lookup

DATA = DataSource("OSV")


class FakeStore(Store):
    """A store of given records, without a file. With `broken`, its file is no longer readable."""

    osv, kev, epss = DATA, None, None
    problems = ()

    def __init__(self, *records: Record, broken: bool = False) -> None:
        self.held, self.broken = records, broken
        self.asked: list[tuple[str, str]] = []

    def affecting(self, name: str, version: str) -> tuple[Record, ...]:
        self.asked.append((name, version))
        if self.broken:
            raise StoreError("the file is gone")
        return tuple(
            one
            for one in self.held
            if any(each.package.name.lower() == name for each in one.affected)
        )


def of(name: str, *events: RangeEvent, ecosystem: str = "PyPI") -> Affected:
    return Affected(AffectedPackage(ecosystem, name), (Range("ECOSYSTEM", events),))


FROM_START = RangeEvent(introduced="0")
START = {"introduced": "0"}
QUERY = {"package": {"name": "widget", "ecosystem": "PyPI"}, "version": "1.0"}


@contextmanager
def stored(tmp_path: Path, *records: Any) -> Iterator[Store]:
    """A real store that holds these records."""
    (tmp_path / "cache").mkdir()
    store = open_store(keep(tmp_path / "cache", records))
    with closing(store):
        yield store


def request(
    url: str, method: str = "POST", body: object = QUERY, path: str | None = None
) -> tuple[int, Any]:
    """Send one request and return the status and the decoded body."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, parts.path if path is None else path, raw)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=20) as made:
        yield made


def head(url: str, *lines: str) -> bytes:
    """Send a raw request that no library would send."""
    return "\r\n".join((f"POST {urlsplit(url).path} HTTP/1.1", "Host: x", *lines, "", "")).encode()


# -- answers ---------------------------------------------------------------------------------------


def test_it_listens_on_this_machine_alone_under_an_address_nobody_guesses() -> None:
    with serving(FakeStore()) as one, serving(FakeStore()) as other:
        parts = urlsplit(one)
        assert parts.hostname == "127.0.0.1"
        assert parts.path.endswith("/v1/query")
        assert len(parts.path) > 30
        assert parts.path != urlsplit(other).path


def test_it_answers_with_the_records_that_affect_the_version() -> None:
    flaw = Record(
        "PYSEC-2024-1",
        published="2024-01-02T03:04:05Z",
        aliases=("CVE-2024-1",),
        summary="Widget lets anyone in",
        affected=(of("Widget", FROM_START, RangeEvent(fixed="1.10")),),
    )
    store = FakeStore(flaw)
    with serving(store) as url:
        status, answer = request(url)
    assert status == 200
    assert store.asked == [("widget", "1.0")]
    assert answer == {
        "vulns": [
            {
                "id": "PYSEC-2024-1",
                "aliases": ["CVE-2024-1"],
                "published": "2024-01-02T03:04:05Z",
                "summary": "Widget lets anyone in",
                "affected": [
                    {
                        "package": {"name": "widget", "ecosystem": "PyPI"},
                        "ranges": [
                            {
                                "type": "ECOSYSTEM",
                                "events": [{"introduced": "0"}, {"fixed": "1.10"}],
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_nothing_known_is_an_empty_answer() -> None:
    with serving(FakeStore()) as url:
        assert request(url) == (200, {})


def test_other_ecosystems_are_not_looked_up() -> None:
    store = FakeStore(Record("A-1", affected=(of("widget", FROM_START),)))
    with serving(store) as url:
        query = {"package": {"name": "widget", "ecosystem": "npm"}, "version": "1.0"}
        assert request(url, body=query) == (200, {})
    assert not store.asked


def test_names_are_asked_as_in_pep_503() -> None:
    store = FakeStore()
    with serving(store) as url:
        request(url, body={"package": {"name": "Zope.Interface", "ecosystem": "PyPI"}, **V1})
    assert store.asked == [("zope-interface", "1")]


V1 = {"version": "1"}


def test_what_was_withdrawn_or_does_not_affect_the_version_is_not_served(tmp_path: Path) -> None:
    gone = record("A-1", "widget", START, withdrawn="2024-01-01T00:00:00Z")
    fixed = record("A-2", "widget", START, {"fixed": "1.0"})
    here = record("A-3", "Widget", START, {"fixed": "1.0.1"})
    with stored(tmp_path, gone, fixed, here) as store, serving(store) as url:
        ((one,),) = request(url)[1].values()
        assert one["id"] == "A-3"


@pytest.mark.parametrize(
    ("published", "served"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.123456Z"),
        ("2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_such_as_pip_audit_can_read(
    tmp_path: Path, published: str, served: str | None
) -> None:
    flaw = record("A-1", "widget", START, published=published)
    with stored(tmp_path, flaw) as store, serving(store) as url:
        ((one,),) = request(url)[1].values()
        assert one.get("published") == served


# -- the real pip-audit ----------------------------------------------------------------------------


def test_pip_audit_digests_what_would_make_it_fail(tmp_path: Path) -> None:
    """Several entries and ranges, invalid versions, another time zone, a missing package."""
    flaw = record(
        "GHSA-aaaa-bbbb-cccc",
        "Widget",
        START,
        {"fixed": "1.10"},
        published="2024-01-02T03:04:05+00:00",
        aliases=["CVE-2024-1"],
        details="Two\nlines",
        schema_version="2.0.0",
    )
    of_commits = {"type": "GIT", "events": [START, {"fixed": "abcdef"}]}
    other = {"introduced": "2.0"}, {"fixed": "2.5"}, {"fixed": "not-a-version"}
    flaw["affected"] += [
        {
            "package": {"ecosystem": "PyPI", "name": "widget"},
            "ranges": [of_commits, {"type": "ECOSYSTEM", "events": list(other)}],
        },
        *record("", "gadget", START, {"fixed": "9"})["affected"],
        {**record("", "widget", START)["affected"][0], "package": NPM},
        {"ranges": [of_commits]},
    ]
    with stored(tmp_path, flaw) as store, serving(store) as url:
        lookup = Lookup(url, DATA)
        ctx = context(tmp_path, inventory("Widget==1.0", "gizmo==2"), offline=True, lookup=lookup)
        done = drive(pip_audit, ctx, tmp_path)
    assert done.examined == ["Widget==1.0", "gizmo==2"]
    (one,) = done.observations
    assert one.advisory.ids == {"GHSA-aaaa-bbbb-cccc", "CVE-2024-1"}
    assert one.advisory.fixed_versions == ("1.10", "2.5")
    assert "Two lines" in one.message
    assert done.parsed[0].data == DATA


NPM = {"ecosystem": "npm", "name": "widget"}


def test_a_store_that_breaks_meanwhile_is_a_failure_and_asked_once(tmp_path: Path) -> None:
    store = FakeStore(broken=True)
    with serving(store) as url:
        ctx = context(tmp_path, inventory("a==1", "b==1"), lookup=Lookup(url, DATA))
        done = drive(pip_audit, ctx, tmp_path)
    assert len(done.outputs) == 1
    assert not done.examined
    text = str(done.reasons["a==1"].values["text"])
    assert "503 Server Error: the advisory store cannot be read" in text
    assert text.endswith("for url: {advisories}")


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_it_knows_one_method(method: str) -> None:
    with serving(FakeStore()) as url:
        assert request(url, method)[0] == 405


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", ["/", "/v1/query", "/x/v1/query", "/v1/querybatch"])
def test_it_knows_one_path(method: str, path: str) -> None:
    store = FakeStore()
    with serving(store) as url:
        assert request(url, method, path=path)[0] == 404
        assert request(url, method, path=urlsplit(url).path + "x")[0] == 404
    assert not store.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"version": "1"}',
        b'{"package": {"name": "a"}, "version": "1"}',
        b'{"package": {"name": 1, "ecosystem": "PyPI"}, "version": "1"}',
        b'{"package": {"name": "a", "ecosystem": "PyPI"}, "version": null}',
    ],
)
def test_what_is_no_query_is_refused(body: bytes) -> None:
    store = FakeStore()
    with serving(store) as url:
        assert request(url, body=body)[0] == 400
    assert not store.asked


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Content-Length: -1",),
        ("Content-Length: many",),
        ("Content-Length: 20000",),
        ("Content-Length: 99999999999999999999",),
        ("Content-Length: \u00b2",),
        ("Transfer-Encoding: chunked",),
    ],
)
def test_a_body_without_a_length_or_too_long_is_refused_unread(lines: tuple[str, ...]) -> None:
    with serving(FakeStore()) as url, connected(url) as connection:
        connection.sendall(head(url, *lines))
        with connection.makefile("rb") as answer:
            assert b" 400 " in answer.readline()
            assert b"Connection: close\r\n" in answer.read()


def test_a_client_that_breaks_off_is_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(FakeStore()) as url:
        with connected(url) as connection:
            connection.sendall(head(url, "Content-Length: 100") + b"{")
        with connected(url) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(b"POST ")
        assert request(url) == (200, {})
    assert capfd.readouterr() == ("", "")


def test_several_questions_go_over_one_connection() -> None:
    with serving(FakeStore()) as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=20)
        for _ in range(3):
            connection.request("POST", parts.path, json.dumps(QUERY))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")
            used = connection.sock
            assert used is not None, "the connection was closed"
        connection.close()


def test_it_ends_with_its_block() -> None:
    with serving(FakeStore()) as url:
        request(url)
    with pytest.raises(OSError, match="refused"), connected(url):
        pass


def test_a_machine_without_a_socket_for_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with (
        pytest.raises(
            StoreError, match=r"cannot serve the advisory store on 127\.0\.0\.1"
        ) as caught,
        serving(FakeStore()),
    ):
        pass
    assert caught.value.hint
