"""`scanagg db`: updates, imports, and the status of the store."""

import gzip
import io
import json
import os
import pty
import signal
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.bad_server import RESET, Answer, Asked, BadServer, Route, bad_server, file_route
from support.command import PROGRAM, scanagg
from support.osv import Record, record

from scanagg.advisories import download

NOW = ("--now", "2025-11-25T12:00:00Z")
SANDBOX = record(
    "PYSEC-2024-1",
    "jinja2",
    {"introduced": "0"},
    {"fixed": "2.8.1"},
    modified="2024-05-06T07:08:09Z",
)
CATALOGUE = {
    "catalogVersion": "2025.11.20",
    "dateReleased": "2025-11-20T15:00:00.0000Z",
    "count": 1,
    "vulnerabilities": [{"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10"}],
}
SCORES = (
    "#model_version:v2025.03.14,score_date:2025-11-20T00:00:00+0000\n"
    "cve,epss,percentile\nCVE-2021-44228,0.97565,0.99999\n"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Use a cache of this test and no proxy; return the cache."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0.01)
    return tmp_path / "cache"


def export(*records: Record) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for one in records:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return packed.getvalue()


def many(count: int) -> bytes:
    return export(*({**SANDBOX, "id": f"PYSEC-2024-{number}"} for number in range(1, count + 1)))


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    """Publish all data on this machine, with the addresses in the environment."""
    routes: Mapping[str, Route] = {
        "/osv": file_route(export(SANDBOX)),
        "/kev": file_route(json.dumps(CATALOGUE).encode()),
        "/epss": file_route(gzip.compress(SCORES.encode())),
    }
    with bad_server(routes) as server:
        for kind in ("osv", "kev", "epss"):
            monkeypatch.setenv(f"SCANAGG_{kind.upper()}_URL", server.url(f"/{kind}"))
        yield server


def status() -> dict[str, Any]:
    done = scanagg("db", "status", "--json", *NOW)
    assert done.returncode == 0
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def of_kind(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status()["sources"] if one["kind"] == kind)
    return found


def test_an_update_stores_all_and_says_so_in_a_line_each(mirror: BadServer) -> None:
    done = scanagg("db", "update")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"osv: updated: 1 record, newest from 2024-05-06, from {mirror.url('/osv')}",
        f"kev: updated: 1 record, newest from 2025-11-20, from {mirror.url('/kev')}",
        f"epss: updated: 1 record, newest from 2025-11-20, from {mirror.url('/epss')}",
    ]
    assert done.stderr.splitlines()[:3] == ["osv: downloading", "osv: storing", "kev: downloading"]
    again = scanagg("db", "update", "--no-progress")
    assert again.stdout.splitlines() == [
        f"{kind}: already up to date" for kind in ("osv", "kev", "epss")
    ]
    assert again.stderr == ""


def test_only_what_is_asked_for_is_fetched(mirror: BadServer) -> None:
    done = scanagg("db", "update", "--only", "epss,kev")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["kev", "epss"]
    assert [asked.path for asked in mirror.asked] == ["/kev", "/epss"]


def test_an_option_names_a_mirror_before_the_environment(mirror: BadServer) -> None:
    mirror.routes["/other"] = file_route(export(SANDBOX))
    done = scanagg("db", "update", "--only", "osv", "--osv-url", mirror.url("/other"))
    assert done.returncode == 0
    assert [asked.path for asked in mirror.asked] == ["/other"]


def test_one_that_fails_is_said_and_the_others_are_stored(mirror: BadServer) -> None:
    mirror.routes["/kev"] = Answer(404)
    done = scanagg("db", "update")
    assert done.returncode == 3
    osv, kev, epss = done.stdout.splitlines()
    assert osv.startswith("osv: updated")
    assert kev == (
        f"kev: failed: {mirror.url('/kev')} answers 404 (Not Found). "
        "Check the address, or set another one with --kev-url URL."
    )
    assert epss.startswith("epss: updated")
    assert [one["state"] for one in status()["sources"]] == ["present", "absent", "present"]


def test_what_a_server_sends_cannot_move_the_cursor(mirror: BadServer) -> None:
    hostile = json.dumps({"id": "\x1b[2J\x9b31m\u202eevil\r\nline"}, ensure_ascii=False)
    mirror.routes["/osv"] = Answer(200, hostile.encode())
    done = scanagg("db", "update", "--only", "osv")
    assert done.returncode == 3
    assert done.stdout.rstrip("\n").isprintable()
    assert "evil" in done.stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--osv-url", "file:///all.zip"), "scanagg db import PATH"),
        (("--kev-url", "https://me:hush@mirror.test/"), "a netrc file"),
        (("--only", "nvd"), "osv, kev, epss"),
        (("--max-time", "0"), "--max-time"),
        (("--max-time", "nan"), "--max-time"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    argv: tuple[str, ...], said: str, mirror: BadServer
) -> None:
    done = scanagg("db", "update", *argv)
    assert done.returncode == 2
    assert said in done.stderr
    assert "hush" not in done.stderr
    assert mirror.asked == []


def test_a_variable_with_a_password_is_refused_without_showing_it(
    mirror: BadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANAGG_KEV_URL", "https://me:hush@mirror.test/")
    done = scanagg("db", "update")
    assert done.returncode == 2
    assert "SCANAGG_KEV_URL" in done.stderr
    assert "hush" not in done.stderr
    assert mirror.asked == []


def test_a_proxy_that_resets_is_named(mirror: BadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with bad_server({"http://192.88.99.1/osv": RESET}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:hush@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://me:hush@127.0.0.1:{proxy.port}")
        done = scanagg("db", "update", "--only", "osv", "--osv-url", "http://192.88.99.1/osv")
    assert done.returncode == 3
    assert f"192.88.99.1 through the proxy 127.0.0.1:{proxy.port}" in done.stdout
    assert "hush" not in done.stdout
    assert mirror.asked == []


def test_no_network_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("OSV", "KEV", "EPSS"):
        monkeypatch.setenv(f"SCANAGG_{kind}_URL", "http://127.0.0.1:9/data")
    done = scanagg("db", "update")
    assert done.returncode == 3
    (line,) = done.stdout.splitlines()
    assert line.startswith("No network: osv, kev and epss not updated: cannot reach 127.0.0.1:9")
    assert "scanagg db import PATH" in line


def test_one_server_that_is_not_reached_is_no_lack_of_network(mirror: BadServer) -> None:
    done = scanagg("db", "update", "--kev-url", "http://127.0.0.1:9/data")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["osv:", "updated:"],
        ["kev:", "failed:"],
        ["epss:", "updated:"],
    ]


def test_the_time_limit_ends_it(mirror: BadServer) -> None:
    mirror.routes["/osv"] = Answer(200, bytes(1000), drip=0.1)
    done = scanagg("db", "update", "--only", "osv", "--max-time", "0.5")
    assert done.returncode == 3
    assert "osv: failed: not finished within 0.5 seconds" in done.stdout


def test_two_updates_at_once_both_end_well(mirror: BadServer) -> None:
    """The server answers the first update once the second one is waiting."""
    body = many(500)
    whole = file_route(body, '"one"')
    waiting = threading.Event()

    def answer(asked: Asked) -> Answer:
        if "if-none-match" not in asked.headers:
            waiting.wait(60)
        return whole(asked)

    mirror.routes["/osv"] = answer
    argv = [str(PROGRAM), "db", "update", "--only", "osv"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes) as first:  # type: ignore[call-overload]
        while not mirror.asked and first.poll() is None:
            time.sleep(0.02)
        with subprocess.Popen(argv, **pipes) as second:  # type: ignore[call-overload]
            assert second.stderr.readline() == "osv: waiting for another update\n"
            waiting.set()
            said = [one.communicate(timeout=60)[0] for one in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert [out.split(":")[1].strip() for out in said] == ["updated", "already up to date"]
    assert of_kind("osv")["records"] == 500


def test_an_interrupted_download_leaves_nothing(mirror: BadServer, environment: Path) -> None:
    whole = many(2000)
    mirror.routes["/osv"] = Answer(200, whole, {"ETag": '"one"'}, hang=len(whole) - 1000)
    part = environment / "advisories" / "osv.part"
    running = subprocess.Popen(
        [str(PROGRAM), "db", "update", "--only", "osv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Traceback" not in out + err
    assert not part.exists()
    mirror.routes["/osv"] = file_route(whole, '"one"')
    assert scanagg("db", "update", "--only", "osv").stdout.startswith("osv: updated: 2,000 records")


def test_on_a_terminal_the_lines_are_live_and_vanish(mirror: BadServer) -> None:
    mirror.routes["/osv"] = Answer(200, export(SANDBOX), silent=0.5)
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [str(PROGRAM), "db", "update", "--only", "osv"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while piece := _read(ours):
        shown += piece
    out, _ = done.communicate(timeout=30)
    os.close(ours)
    assert done.returncode == 0
    assert b"downloading" in shown
    assert out.startswith(b"osv: updated")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_files_are_stored_by_what_they_hold(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.zip").write_bytes(export(SANDBOX))
    (files / "b.json").write_text(json.dumps(CATALOGUE))
    (files / "c.csv.gz").write_bytes(gzip.compress(SCORES.encode()))
    done = scanagg("db", "import", str(files))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "OSV (PyPI): stored 1 record, newest from 2024-05-06, from a.zip",
        "CISA KEV: stored 1 record, newest from 2025-11-20, from b.json",
        "FIRST EPSS: stored 1 record, newest from 2025-11-20, from c.csv.gz",
    ]
    assert [one["state"] for one in status()["sources"]] == ["present"] * 3


def test_records_that_cannot_be_used_are_counted_and_the_first_named(tmp_path: Path) -> None:
    bad = [{**SANDBOX, "id": f"PYSEC-2024-{n}", "affected": 7} for n in range(2, 10)]
    (tmp_path / "a.zip").write_bytes(export(SANDBOX, *bad))
    done = scanagg("db", "import", str(tmp_path / "a.zip"), "--no-progress")
    assert done.returncode == 0
    head, problems, *named, more = done.stdout.splitlines()
    assert head.startswith("OSV (PyPI): stored ")
    assert problems == "  8 problems in the data:"
    assert len(named) == 5
    assert all(line.startswith("    PYSEC-2024-") for line in named)
    assert more == "    and 3 more"
    assert done.stderr == ""


@pytest.mark.parametrize("content", [None, b"<html>", b"\x1b]0;title\x07"])
def test_what_is_no_data_is_an_error(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "data"
    if content is not None:
        file.write_bytes(content)
    done = scanagg("db", "import", str(file))
    assert done.returncode == 2
    assert done.stderr
    assert "\x1b" not in done.stderr


def test_the_status_of_nothing_says_how_to_get_something() -> None:
    done = scanagg("db", "status")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{kind:<6}not stored: run `scanagg db update` or `scanagg db import PATH`"
        for kind in ("osv", "kev", "epss")
    ]
    assert status() == {
        "version": 1,
        "sources": [
            {
                "kind": kind,
                "state": "absent",
                "records": None,
                "updated": None,
                "age_days": None,
                "license": None,
                "origin": None,
                "digest": None,
                "fetched": None,
            }
            for kind in ("osv", "kev", "epss")
        ],
        "problems": [],
    }


def test_the_status_tells_how_much_how_old_whose_and_from_where(mirror: BadServer) -> None:
    scanagg("db", "update", "--only", "osv,kev")
    page = scanagg("db", "status", *NOW).stdout
    osv, where, about, kev, *_, epss = page.splitlines()
    assert osv == "osv   1 record, newest from 2024-05-06, 568 days old"
    assert where.startswith(f"      from {mirror.url('/osv')}, fetched 20")
    assert about.startswith("      sha256 ")
    assert ", licence: CC BY 4.0" in about
    assert kev == "kev   1 record, newest from 2025-11-20, 4 days old"
    assert epss.startswith("epss  not stored: run `scanagg db update`")
    found = of_kind("kev")
    assert found["state"] == "present"
    assert found["updated"] == "2025-11-20T15:00:00Z"
    assert found["age_days"] == 4
    assert found["origin"] == mirror.url("/kev")
    assert len(found["digest"]) == 64
    assert found["digest"][:12] in page


def test_a_store_that_cannot_be_used_is_named_with_the_remedy(
    mirror: BadServer, environment: Path
) -> None:
    scanagg("db", "update")
    (environment / "advisories" / "kev.sqlite").write_bytes(b"no database")
    done = scanagg("db", "status")
    assert done.returncode == 0
    assert "kev   unusable, see below" in done.stdout
    assert "kev.sqlite" in done.stdout
    assert "scanagg db update" in done.stdout
    assert [one["state"] for one in status()["sources"]] == ["present", "unusable", "present"]
    assert status()["problems"]
    assert scanagg("db", "update").stdout.splitlines()[1].startswith("kev: updated")


def test_clocks_that_differ_make_no_negative_age(mirror: BadServer) -> None:
    scanagg("db", "update", "--only", "kev")
    done = scanagg("db", "status", "--json", "--now", "2025-11-01")
    assert json.loads(done.stdout)["sources"][1]["age_days"] == 0
    assert scanagg("db", "status", "--now", "soon").returncode == 2


def test_a_cache_that_cannot_be_made_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(tmp_path / "file" / "cache"))
    done = scanagg("db", "update")
    assert done.returncode == 2
    assert "SCANAGG_CACHE_DIR" in done.stderr
