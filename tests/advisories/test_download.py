"""Downloads from a real server that misbehaves."""

import base64
import gzip
import hashlib
import ipaddress
import socket
import subprocess
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.bad_server import RESET, Answer, BadServer, Route, bad_server, file_route

from scanagg.advisories import download as module
from scanagg.advisories.download import (
    Deadline,
    RemoteFile,
    Validators,
    download,
)
from scanagg.core.errors import DownloadError

ATTEMPTS = 3
DATA = b"PK\x03\x04" + bytes(range(256)) * 1024  # 256 KiB, no two neighbouring pieces alike
LIMIT = 1 << 20


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ignore the proxies, logins and CA bundles of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all waits for a server on this machine."""
    monkeypatch.setattr(module, "CONNECT_SECONDS", 5)
    monkeypatch.setattr(module, "READ_SECONDS", 5)
    monkeypatch.setattr(module, "ATTEMPTS", ATTEMPTS)
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 2)


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that would connect to another machine."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: tuple[str, int]) -> None:
        assert ipaddress.ip_address(address[0]).is_loopback, address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "osv.part"


def get(
    url: str,
    part: Path,
    *,
    etag: str = "",
    last_modified: str = "",
    seconds: float = 20,
    seen: list[tuple[int, int]] | None = None,
    hosts: frozenset[str] = frozenset(),
) -> Validators | None:
    return download(
        RemoteFile(url, LIMIT, "--osv-url", hosts),
        part,
        Validators(etag, last_modified),
        deadline=Deadline(seconds),
        progress=lambda *done: None if seen is None else seen.append(done),
    )


def refused(url: str, part: Path, **more: object) -> str:
    """Return the message and hint of a failing download."""
    with pytest.raises(DownloadError) as caught:
        get(url, part, **more)  # type: ignore[arg-type]
    return f"{caught.value.message} | {caught.value.hint}"


def served(route: Route) -> Mapping[str, Route]:
    return {"/all.zip": route}


def b64(algorithm: str, data: bytes = DATA) -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def test_a_file_arrives_whole_with_what_tells_if_it_changes(part: Path) -> None:
    seen: list[tuple[int, int]] = []
    stamp = "Fri, 20 Nov 2026 10:00:00 GMT"
    with bad_server(served(file_route(DATA, '"one"', **{"Last-Modified": stamp}))) as server:
        found = get(server.url("/all.zip"), part, seen=seen)
    assert found == Validators('"one"', stamp)
    assert part.read_bytes() == DATA
    assert seen[0][1] == len(DATA)
    assert seen[-1] == (len(DATA), len(DATA))
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert server.asked[0].headers["user-agent"].startswith("scanagg/")


def test_what_is_here_already_is_not_sent_again(part: Path) -> None:
    with bad_server(served(file_route(DATA, '"one"'))) as server:
        assert get(server.url("/all.zip"), part, etag='"one"') is None
        assert get(server.url("/all.zip"), part, etag='"old"') is not None
    assert server.asked[0].headers["if-none-match"] == '"one"'


def test_a_server_without_etags_is_asked_by_date(part: Path) -> None:
    stamp = "Fri, 20 Nov 2026 10:00:00 GMT"
    with bad_server(served(Answer(304))) as server:
        assert get(server.url("/all.zip"), part, last_modified=stamp) is None
    assert server.asked[0].headers["if-modified-since"] == stamp


def test_not_modified_is_no_answer_to_who_has_nothing(part: Path) -> None:
    with bad_server(served(Answer(304))) as server:
        assert "answers 304" in refused(server.url("/all.zip"), part)


@pytest.mark.parametrize("how", ["cut", "stop"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_download_that_breaks_off_starts_over(how: str, chunked: bool, part: Path) -> None:
    broken = Answer(200, DATA, chunked=chunked, **{how: 200_000})  # type: ignore[arg-type]
    with bad_server(served([broken, Answer(200, DATA)])) as server:
        assert get(server.url("/all.zip"), part) is not None
    assert part.read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_download_that_always_breaks_off_is_an_error(part: Path) -> None:
    with bad_server(served(Answer(200, DATA, cut=200_000))) as server:
        assert f"127.0.0.1:{server.port} broke off" in refused(server.url("/all.zip"), part)
    assert len(server.asked) == ATTEMPTS


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-MD5", b64("md5")),
        ("x-goog-hash", f"crc32c=AAAAAA==, md5={b64('md5')}"),
        ("Digest", f"md5={b64('md5')},SHA-256={b64('sha256')}"),
        ("Repr-Digest", f"sha-256=:{b64('sha256')}:, sha-512=:{b64('sha512')}:"),
        ("Content-Digest", f"sha-512=:{b64('sha512')}:"),
        ("Digest", "sha-256=not*base64, unixsum=30637"),
        ("Digest", f"sha-256={b64('md5')}"),
        ("Content-MD5", "AAA"),
    ],
)
def test_a_published_checksum_that_holds_is_no_hindrance(
    header: str, value: str, part: Path
) -> None:
    with bad_server(served(Answer(200, DATA, {header: value}))) as server:
        assert get(server.url("/all.zip"), part) is not None


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-MD5", b64("md5", b"other")),
        ("x-goog-hash", f"crc32c=AAAAAA==,md5={b64('md5', b'other')}"),
        ("Digest", f"sha-256={b64('sha256', b'other')}"),
        ("Repr-Digest", f"sha-256=:{b64('sha256', b'other')}:"),
        ("Content-Digest", f"sha-512=:{b64('sha512', b'other')}:"),
    ],
)
def test_a_wrong_checksum_is_an_error_and_nothing_is_kept(
    header: str, value: str, part: Path
) -> None:
    with bad_server(served(Answer(200, DATA, {header: value, "ETag": '"one"'}))) as server:
        message = refused(server.url("/all.zip"), part)
    assert "checksum" in message
    assert header in message
    assert len(server.asked) == 1


def test_a_checksum_of_stored_bytes_says_nothing_of_those_that_are_sent(part: Path) -> None:
    headers = {
        "x-goog-hash": f"md5={b64('md5', b'gzipped')}",
        "x-goog-stored-content-encoding": "gzip",
    }
    with bad_server(served(Answer(200, DATA, headers))) as server:
        assert get(server.url("/all.zip"), part) is not None


def test_a_content_length_beyond_the_limit_is_refused_at_once(part: Path) -> None:
    with bad_server(served(Answer(200, b"PK", length=10**12))) as server:
        assert "1 MiB" in refused(server.url("/all.zip"), part)
    assert len(server.asked) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused_where_it_passes_it(chunked: bool, part: Path) -> None:
    endless = Answer(200, b"PK" * LIMIT, length=None, chunked=chunked)
    with bad_server(served(endless)) as server:
        assert "1 MiB" in refused(server.url("/all.zip"), part)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_packed_file_is_stored_as_it_is(encoding: str, part: Path) -> None:
    packed = gzip.compress(DATA)
    headers = {"Content-Encoding": encoding, "Content-MD5": b64("md5", packed)}
    with bad_server(served(Answer(200, packed, headers))) as server:
        assert get(server.url("/all.zip"), part) is not None
    assert part.read_bytes() == packed


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
def test_an_encoding_nobody_asked_for_is_refused(encoding: str, part: Path) -> None:
    with bad_server(served(Answer(200, DATA, {"Content-Encoding": encoding}))) as server:
        message = refused(server.url("/all.zip"), part)
    assert encoding in message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "answers 404 (Not Found) | Check the address, or set another one with --osv-url"),
        (403, "netrc"),
        (407, "HTTP_PROXY"),
        (400, "answers 400 (Bad Request)"),
        (206, "answers 206"),
        (416, "answers 416"),
        (204, "answers 204"),
        (799, "answers 799 | "),
    ],
)
def test_a_status_that_lasts_is_an_error_at_once(status: int, words: str, part: Path) -> None:
    with bad_server(served(Answer(status, b"no"))) as server:
        message = refused(server.url("/all.zip?token=hush"), part)
        server.routes["/all.zip?token=hush"] = Answer(status, b"no")
        message = refused(server.url("/all.zip?token=hush"), part)
    assert message.startswith(f"http://127.0.0.1:{server.port}/all.zip answers ")
    assert words in message
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(status: int, part: Path) -> None:
    with bad_server(served([Answer(status), Answer(status), Answer(200, DATA)])) as server:
        assert get(server.url("/all.zip"), part) is not None
        server.routes["/all.zip"] = Answer(status)
        message = refused(server.url("/all.zip"), part)
    assert f"answers {status}" in message
    assert len(server.asked) == 3 + ATTEMPTS


@pytest.mark.parametrize("value", ["0", "1", "garbage", "-5", "", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_a_short_wait_is_waited(value: str, part: Path) -> None:
    answers = [Answer(429, headers={"Retry-After": value}), Answer(200, DATA)]
    with bad_server(served(answers)) as server:
        assert get(server.url("/all.zip"), part) is not None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3600", "3,600"),
        ("9" * 40, ""),
        ("IN AN HOUR", "3,"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", ""),
    ],
    ids=["an hour", "for ever", "until in an hour", "until the end"],
)
def test_a_long_wait_is_an_error(value: str, seconds: str, part: Path, now: datetime) -> None:
    in_an_hour = format_datetime(now + timedelta(hours=1), usegmt=True)
    headers = {"Retry-After": value.replace("IN AN HOUR", in_an_hour)}
    with bad_server(served(Answer(429, headers=headers))) as server:
        message = refused(server.url("/all.zip"), part)
    assert "answers 429" in message
    assert f"wait {seconds}" in message
    assert len(server.asked) == 1


def test_no_try_begins_that_the_time_does_not_last_for(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_SECONDS", 30)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 60)
    with bad_server(served(Answer(500))) as server:
        assert "answers 500" in refused(server.url("/all.zip"), part, seconds=2)
    assert len(server.asked) == 1


def test_a_server_that_falls_silent_is_tried_again(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.5)
    with bad_server(served([Answer(200, DATA, silent=5), Answer(200, DATA)])) as server:
        assert get(server.url("/all.zip"), part) is not None
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "drip",
    [
        Answer(200, DATA, drip=0.05),
        Answer(200, DATA, drip=0.05, chunked=True),
        Answer(200, DATA, drip=0.05, length=None),
    ],
)
def test_a_server_that_drips_is_cut_off_at_the_end_of_the_time(drip: Answer, part: Path) -> None:
    with bad_server(served(drip)) as server:
        message = refused(server.url("/all.zip"), part, seconds=0.5)
    assert "within 0.5 seconds" in message
    assert "--max-time" in message
    assert len(server.asked) == 1


def test_headers_that_drip_are_cut_off_too(part: Path) -> None:
    with bad_server(served(Answer(200, DATA, silent=5))) as server:
        message = refused(server.url("/all.zip"), part, seconds=0.5)
    assert "within 0.5 seconds" in message


def test_no_server_is_an_error_at_once(part: Path) -> None:
    with bad_server() as server:
        gone = server.url("/all.zip")
    message = refused(gone, part)
    assert f"127.0.0.1:{server.port}: Connection refused" in message


def test_redirects_are_followed(part: Path) -> None:
    with bad_server({"/new.zip": file_route(DATA)}) as server:
        server.routes["/all.zip"] = Answer(302, headers={"Location": "/next"})
        server.routes["/next"] = Answer(308, headers={"Location": server.url("/new.zip")})
        found = get(server.url("/all.zip"), part)
    assert found is not None
    assert [asked.path for asked in server.asked] == ["/all.zip", "/next", "/new.zip"]


def test_the_body_of_a_redirect_is_not_read(part: Path) -> None:
    """The body takes longer than the time limit."""
    redirect = Answer(302, bytes(1000), {"Location": "/néw.zip"}, drip=0.05)
    with bad_server({"/all.zip": redirect, "/n%C3%A9w.zip": Answer(200, DATA)}) as server:
        assert get(server.url("/all.zip"), part, seconds=5) is not None


def test_a_circle_of_redirects_ends(part: Path) -> None:
    with bad_server(served(Answer(301, headers={"Location": "/all.zip"}))) as server:
        assert "redirects more than 5 times" in refused(server.url("/all.zip"), part)
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "http://[::1",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://user:hush@127.0.0.1/a",
        "http://127.0.0.1\\@evil/",
        "javascript:alert(1)",
    ],
)
def test_a_redirect_to_no_address_is_refused(location: str, part: Path) -> None:
    with bad_server(served(Answer(302, headers={"Location": location}))) as server:
        message = refused(server.url("/all.zip"), part)
    assert "redirects to" in message
    assert "hush" not in message
    assert len(server.asked) == 1


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[BadServer], None]:
    """Return a function that makes a server on this machine the proxy for all hosts."""

    def use(server: BadServer) -> None:
        monkeypatch.setenv("http_proxy", f"http://user:hush@127.0.0.1:{server.port}")
        monkeypatch.setenv("https_proxy", f"http://user:hush@127.0.0.1:{server.port}")

    return use


@pytest.mark.parametrize(
    "location", ["http://127.0.0.2:9/a", "http://169.254.169.254/latest/meta-data", "//localhost/a"]
)
@pytest.mark.parametrize("first", ["http://public.test/all.zip", "http://127.0.0.1:8/all.zip"])
def test_a_redirect_to_another_host_is_not_followed(
    first: str, location: str, proxy: Callable[[BadServer], None], part: Path
) -> None:
    """Another host may be in a private network."""
    with bad_server({first: Answer(302, headers={"Location": location})}) as server:
        proxy(server)
        message = refused(first, part)
    assert f"--osv-url http:{location.removeprefix('http:')}" in message
    assert [asked.path for asked in server.asked] == [first]


def test_a_redirect_to_a_known_host_is_followed(part: Path) -> None:
    with bad_server({"/b.zip": file_route(DATA)}) as other:
        location = other.url("/b.zip").replace("127.0.0.1", "localhost")
        with bad_server(served(Answer(302, headers={"Location": location}))) as server:
            assert get(server.url("/all.zip"), part, hosts=frozenset({"localhost"})) is not None
    assert part.read_bytes() == DATA


def test_credentials_of_netrc_go_to_the_first_host_only(part: Path, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login me password hush\n")
    with bad_server({"/b.zip": Answer(200, DATA)}) as other:
        location = other.url("/b.zip").replace("127.0.0.1", "localhost")
        first = {
            "/all.zip": Answer(302, headers={"Location": "/a"}),
            "/a": Answer(302, headers={"Location": location, "Set-Cookie": "a=b"}),
        }
        with bad_server(first) as server:
            assert get(server.url("/all.zip"), part, hosts=frozenset({"localhost"})) is not None
    assert ["authorization" in asked.headers for asked in server.asked] == [True, True]
    assert "authorization" not in other.asked[0].headers
    assert "cookie" not in other.asked[0].headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_resets_is_named_without_its_password(
    scheme: str, proxy: Callable[[BadServer], None], part: Path
) -> None:
    routes: dict[str, Route] = {"http://public.test/a": RESET, "public.test:443": RESET}
    with bad_server(routes) as server:
        proxy(server)
        message = refused(f"{scheme}://public.test/a", part)
    assert f"public.test through the proxy 127.0.0.1:{server.port}" in message
    assert "HTTP_PROXY" in message
    assert "hush" not in message
    assert len(server.asked) == ATTEMPTS


def test_a_proxy_that_says_no_is_not_asked_again(
    proxy: Callable[[BadServer], None], part: Path
) -> None:
    with bad_server({"public.test:443": Answer(403)}) as server:
        proxy(server)
        message = refused("https://public.test/a", part)
    assert "Tunnel connection failed: 403 Forbidden" in message
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "proxy_url", ["http://[bad", "http://", "::::", "http://me:hush@127.0.0.1:x"]
)
def test_a_proxy_that_is_no_address_is_an_error(
    proxy_url: str, monkeypatch: pytest.MonkeyPatch, part: Path
) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    with bad_server(served(file_route(DATA))) as server:
        message = refused(server.url("/all.zip"), part)
    assert "proxy" in message
    assert "hush" not in message
    assert server.asked == []


def test_a_proxy_may_be_named_without_a_scheme(monkeypatch: pytest.MonkeyPatch, part: Path) -> None:
    with bad_server({"http://public.test/a": Answer(404)}) as server:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.port}")
        assert "answers 404" in refused("http://public.test/a", part)


def test_a_proxy_for_socks_needs_what_is_not_here(
    monkeypatch: pytest.MonkeyPatch, part: Path
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    assert refused("http://public.test/a", part)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that only this test trusts."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-keyout", str(key), "-out", str(cert), "-subj", "/CN=127.0.0.1"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(argv, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def test_a_certificate_nobody_knows_is_refused_with_the_remedy(
    certificate: Path, part: Path
) -> None:
    with bad_server(served(file_route(DATA)), certificate=certificate) as server:
        message = refused(server.url("/all.zip"), part)
    assert "no trusted connection to 127.0.0.1" in message
    assert "certificate" in message
    assert "REQUESTS_CA_BUNDLE" in message
    assert server.asked == []


def test_an_authority_of_the_company_is_trusted_by_the_environment(
    certificate: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with bad_server(served(file_route(DATA)), certificate=certificate) as server:
        assert get(server.url("/all.zip"), part) is not None
    assert part.read_bytes() == DATA


def test_a_ca_file_that_is_missing_is_an_error(
    certificate: Path, part: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with bad_server(certificate=certificate) as server:
        assert "none.pem" in refused(server.url("/all.zip"), part)


def test_https_never_leads_to_http(
    certificate: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with bad_server({"/b": Answer(200, DATA)}) as plain:
        redirect = Answer(302, headers={"Location": plain.url("/b")})
        with bad_server(served(redirect), certificate=certificate) as server:
            message = refused(server.url("/all.zip"), part)
    assert "redirects from https to http" in message
    assert plain.asked == []


def test_a_drip_over_tls_is_cut_off_too(
    certificate: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    drip = Answer(200, DATA, drip=0.05)
    with bad_server(served(drip), certificate=certificate) as server:
        message = refused(server.url("/all.zip"), part, seconds=0.7)
    assert "within 0.7 seconds" in message


def test_a_server_that_speaks_no_tls_is_said(part: Path) -> None:
    with bad_server() as server:
        assert "no trusted connection" in refused(f"https://127.0.0.1:{server.port}/", part)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with bad_server(served(file_route(DATA))) as server:
        message = refused(server.url("/all.zip"), tmp_path / "missing" / "osv.part")
    assert "cannot write" in message
    assert "No such file or directory" in message


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    part = tmp_path / "osv.part"
    part.symlink_to("/dev/full")
    with bad_server(served(file_route(DATA))) as server:
        message = refused(server.url("/all.zip"), part)
    assert "No space left on device" in message
