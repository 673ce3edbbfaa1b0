"""Updates from servers that misbehave."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import filelock
import pytest
from support.bad_server import RESET, Answer, BadServer, Route, bad_server, file_route
from support.osv import Record, record

from scanagg.advisories import download
from scanagg.advisories.store import Phase, open_store
from scanagg.advisories.update import (
    SOURCES,
    UpdateResult,
    UpdateState,
    address_of,
    update,
)
from scanagg.core.errors import DownloadError, StoreError, UsageError

NOW = datetime(2025, 11, 20, 18, tzinfo=UTC)  # of the update; files have dates of their own
TEMPLATE = record("GHSA-aaaa-bbbb-cccc", "jinja2", {"introduced": "0"}, {"fixed": "3.1.3"})
SANDBOX = record("PYSEC-2024-1", "jinja2", {"introduced": "0"}, {"fixed": "2.8.1"})
CATALOGUE = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2025.11.20",
    "dateReleased": "2025-11-20T15:00:00.0000Z",
    "count": 1,
    "vulnerabilities": [
        {"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10", "dueDate": "2021-12-24"}
    ],
}
SCORES = (
    "#model_version:v2025.03.14,score_date:2025-11-20T00:00:00+0000\n"
    "cve,epss,percentile\nCVE-2021-44228,0.97565,0.99999\n"
)


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def export(*records: Record) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in records:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return packed.getvalue()


def routes(**other: Route) -> Mapping[str, Route]:
    return {
        "/osv": other.get("osv", file_route(export(TEMPLATE))),
        "/kev": other.get("kev", file_route(json.dumps(CATALOGUE).encode())),
        "/epss": other.get("epss", file_route(gzip.compress(SCORES.encode()))),
    }


def updated(
    server: BadServer,
    cache: Path,
    kinds: Iterable[str] = ("osv", "kev", "epss"),
    *,
    seconds: float = 20,
    seen: list[tuple[str, Phase]] | None = None,
) -> Mapping[str, UpdateResult]:
    outcomes = update(
        cache,
        {kind: server.url(f"/{kind}") for kind in kinds},
        seconds=seconds,
        now=NOW,
        notify=lambda kind, phase, _done, _whole: (
            seen.append((kind, phase)) if seen is not None else None
        ),
    )
    return {outcome.kind: outcome for outcome in outcomes}


def words(outcome: UpdateResult) -> str:
    assert outcome.error is not None
    return f"{outcome.error.message} | {outcome.error.hint}"


def stored(cache: Path, name: str = "jinja2") -> set[str]:
    store = open_store(cache)
    try:
        return {one.id for one in store.records(name)} if store.osv else set()
    finally:
        store.close()


def left_over(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "advisories").glob("*.part*"))


def test_all_that_is_published_is_stored(cache: Path) -> None:
    seen: list[tuple[str, Phase]] = []
    with bad_server(routes()) as server:
        found = updated(server, cache, seen=seen)
    assert [outcome.state for outcome in found.values()] == [UpdateState.UPDATED] * 3
    store = open_store(cache)
    assert [source.records for source in store.sources] == [1, 1, 1]
    assert [source.origin for source in store.sources] == [
        server.url(path) for path in ("/osv", "/kev", "/epss")
    ]
    assert store.exploited(["CVE-2021-44228"])
    assert store.likelihood(["CVE-2021-44228"])
    store.close()
    assert left_over(cache) == []
    phases = [("osv", Phase.DOWNLOADING), ("osv", Phase.STORING), ("kev", Phase.DOWNLOADING)]
    assert [one for number, one in enumerate(seen) if one not in seen[:number]][:3] == phases


def test_scores_that_a_server_calls_encoded_are_stored(cache: Path) -> None:
    packed = Answer(200, gzip.compress(SCORES.encode()), {"Content-Encoding": "x-gzip"})
    with bad_server(routes(epss=packed)) as server:
        found = updated(server, cache, ["epss"])
    assert found["epss"].state is UpdateState.UPDATED


def test_what_did_not_change_stays_and_is_known_to_be_fresh(cache: Path) -> None:
    with bad_server(routes()) as server:
        updated(server, cache)
        before = open_store(cache)
        again = updated(server, cache)
    assert [outcome.state for outcome in again.values()] == [UpdateState.CURRENT] * 3
    after = open_store(cache)
    assert [source.digest for source in after.sources] == [
        source.digest for source in before.sources
    ]
    assert {source.fetched for source in after.sources} == {NOW}
    before.close()
    after.close()


def test_what_changed_takes_the_place_of_the_old(cache: Path) -> None:
    with bad_server(routes()) as server:
        updated(server, cache)
        server.routes["/osv"] = file_route(export(SANDBOX))
        assert updated(server, cache)["osv"].state is UpdateState.UPDATED
    assert stored(cache) == {"PYSEC-2024-1"}


def test_another_mirror_is_not_asked_by_the_validators_of_this_one(cache: Path) -> None:
    with bad_server(routes(osv=file_route(export(TEMPLATE), '"one"'))) as server:
        updated(server, cache, ["osv"])
    with bad_server(routes(osv=file_route(export(SANDBOX), '"one"'))) as server:
        assert updated(server, cache, ["osv"])["osv"].state is UpdateState.UPDATED
    assert stored(cache) == {"PYSEC-2024-1"}


@pytest.mark.parametrize("damage", ["whole", "a record"])
def test_a_store_that_is_damaged_is_made_anew(cache: Path, damage: str) -> None:
    path = cache / "advisories" / "osv.sqlite"
    with bad_server(routes(osv=file_route(export(TEMPLATE), '"one"'))) as server:
        updated(server, cache)
        raw = path.read_bytes().replace(b"record GHSA", b"record GHSB")
        path.write_bytes(b"damaged" if damage == "whole" else raw)
        assert updated(server, cache)["osv"].state is UpdateState.UPDATED
    assert stored(cache) == {"GHSA-aaaa-bbbb-cccc"}


def bomb() -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("GHSA-aaaa-bbbb-cccc.json", "w") as file,
    ):
        for _ in range(200):
            file.write(bytes(1 << 20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("osv", "error", "message"),
    [
        (Answer(200, b"PK", cut=1, length=9), DownloadError, "broke off"),
        (Answer(404), DownloadError, "answers 404 (Not Found)"),
        (RESET, DownloadError, "cannot reach"),
        (Answer(200, b"<html>Sign in"), StoreError, "/osv is a web page"),
        (Answer(200, b""), StoreError, "/osv is empty"),
        (Answer(200, export(SANDBOX)[:-30], length=None), StoreError, "/osv"),
        (Answer(200, b"PK\x03\x04garbage"), StoreError, "/osv"),
        (Answer(200, bomb()), StoreError, "/osv"),
        (Answer(200, b'{"id": 7}'), StoreError, "/osv"),
        (Answer(200, b"[" * 100_000), StoreError, "/osv"),
        (Answer(429, headers={"Retry-After": "7200"}), DownloadError, "7,200"),
        (Answer(200, b"PK", length=1 << 40), DownloadError, "512 MiB"),
        (Answer(200, b"PKx", {"Content-MD5": "A" * 22 + "=="}), DownloadError, "checksum"),
    ],
)
def test_one_that_fails_keeps_what_was_stored_and_costs_no_other(
    osv: Route, error: type[Exception], message: str, cache: Path
) -> None:
    with bad_server(routes()) as server:
        updated(server, cache, ["osv"])
        server.routes["/osv"] = osv
        found = updated(server, cache)
    assert [outcome.state for outcome in found.values()] == [
        UpdateState.FAILED,
        UpdateState.UPDATED,
        UpdateState.UPDATED,
    ]
    assert isinstance(found["osv"].error, error)
    assert message in words(found["osv"])
    assert str(cache) not in words(found["osv"])
    assert stored(cache) == {"GHSA-aaaa-bbbb-cccc"}
    assert left_over(cache) == []


def test_a_time_limit_is_for_all_together(cache: Path) -> None:
    slow = Answer(200, bytes(100), drip=0.1)
    with bad_server(routes(osv=slow)) as server:
        found = updated(server, cache, seconds=1)
    assert {outcome.state for outcome in found.values()} == {UpdateState.FAILED}
    assert all("within 1 seconds" in words(outcome) for outcome in found.values())
    assert [asked.path for asked in server.asked] == ["/osv"]


def test_an_update_waits_for_another_and_finds_it_done(cache: Path) -> None:
    """The test holds the lock of another process until the update waits for it."""
    (cache / "advisories").mkdir()
    other = filelock.FileLock(cache / "advisories" / "osv.update.lock")
    other.acquire()
    seen: list[Phase] = []

    def notify(_kind: str, phase: Phase, _done: int, _whole: int) -> None:
        seen.append(phase)
        other.release()

    with bad_server(routes()) as server:
        address = {"osv": server.url("/osv")}
        (outcome,) = update(cache, address, seconds=20, now=NOW, notify=notify)
    assert outcome.state is UpdateState.UPDATED
    assert seen[0] is Phase.WAITING


def test_an_update_does_not_wait_for_ever(cache: Path) -> None:
    (cache / "advisories").mkdir()
    with (
        bad_server(routes()) as server,
        filelock.FileLock(cache / "advisories" / "osv.update.lock"),
    ):
        found = updated(server, cache, ["osv"], seconds=0.4)
    assert "within 0.4 seconds" in words(found["osv"])
    assert server.asked == []


def test_a_cache_that_cannot_be_written_is_an_error_for_each(cache: Path) -> None:
    (cache / "advisories").write_text("not a folder")
    with bad_server(routes()) as server:
        found = updated(server, cache)
    assert {outcome.state for outcome in found.values()} == {UpdateState.FAILED}
    assert "SCANAGG_CACHE_DIR" in words(found["osv"])
    assert server.asked == []


def test_a_query_of_an_address_is_shown_nowhere(cache: Path) -> None:
    with bad_server(routes()) as server:
        server.routes["/osv?sig=hush"] = server.routes["/osv"]
        address = {"osv": server.url("/osv?sig=hush")}
        (outcome,) = update(cache, address, seconds=20, now=NOW, notify=lambda *_: None)
        (again,) = update(cache, address, seconds=20, now=NOW, notify=lambda *_: None)
    assert outcome.imported is not None
    assert outcome.imported.source.origin == server.url("/osv")
    assert again.state is UpdateState.CURRENT


@pytest.mark.parametrize("kind", SOURCES)
def test_the_usual_address_is_one_of_https(kind: str) -> None:
    assert address_of(kind, None, "").startswith("https://")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///tmp/all.zip", "scanagg db import PATH"),
        ("https://me:hush@mirror.test/all.zip", "a netrc file"),
        ("https://me@mirror.test/all.zip", "a netrc file"),
        ("ftp://mirror.test/all.zip", "is not a valid address: ftp://mirror.test/all.zip"),
        ("mirror.test/all.zip", "is not a valid address"),
        ("https://", "is not a valid address"),
        ("", "is not a valid address"),
        ("https://[::1/", "is not a valid address"),
        ("https://mirror.test:0/", "is not a valid address"),
        ("https://mirror.test:port/", "is not a valid address"),
        ("https://mirror.test/a b", "is not a valid address"),
        ("https://mirror.test/\x1b[31m", "is not a valid address: https://mirror.test/\\x1b[31m"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        address_of("osv", url, "--osv-url")
    assert message in f"{caught.value.message} | {caught.value.hint}"
    assert "hush" not in f"{caught.value.message} | {caught.value.hint}"


def test_times_of_the_future_are_not_believed(cache: Path) -> None:
    future = (NOW + timedelta(days=400)).strftime("%Y-%m-%dT00:00:00Z")
    with bad_server(routes(osv=file_route(export({**TEMPLATE, "modified": future})))) as server:
        updated(server, cache, ["osv"])
    store = open_store(cache)
    assert store.osv is not None
    assert store.osv.updated is None
    store.close()
