"""pip-audit: the real program on exact pins, against a service on this machine."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from support.drive import NOW, Driven, context, drive, inventory, package
from support.osv import affects, osv_server, record

from scanagg.core.errors import ConfigError
from scanagg.model import (
    Category,
    DataSource,
    Inventory,
    Location,
    NotExamined,
    Reason,
    Requirement,
    plain,
)
from scanagg.model.network import UNTRUSTED, unreachable
from scanagg.reports.reasons import sentence
from scanagg.scanners import base, pinned, pip_audit
from scanagg.scanners.base import Lookup, Output, Tool

FROM_START = {"introduced": "0"}


@pytest.fixture
def audit(tmp_path: Path):
    """Audit an inventory with the service at a URL; return the result."""

    def run(found: Inventory, url: str | None = None, **changes: object) -> Driven:
        options = {"osv-url": url} if url else {}
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        given = {"options": options, **changes}
        return drive(pip_audit, context(root, found, **given), tmp_path)

    return run


def answered(stdout: str | bytes, *pins: str, code: int = 0, stderr: str = "") -> Output:
    raw = stdout if isinstance(stdout, bytes) else stdout.encode()
    return Output(code, raw, stderr, pins)


# -- what it finds ---------------------------------------------------------------------------------


def test_real_packages_by_real_advisories(audit, data_dir: Path) -> None:
    found = inventory("django==3.2.0", "jinja2==2.4.1", "requests==2.19.0", "idna==3.7")
    with osv_server(data_dir / "pypi-osv.zip") as url:
        done = audit(found, url)

    assert done.examined == ["django==3.2.0", "idna==3.7", "jinja2==2.4.1", "requests==2.19.0"]
    assert not done.reasons
    ids = {name: set() for name in ("django", "jinja2", "requests", "idna")}
    for one in done.observations:
        ids[one.package.name] |= one.advisory.ids
    # PYSEC-2022-190 lists its events as 4.0, 3.2, 2.2: it is found only if they are sorted first.
    assert {"PYSEC-2022-190", "CVE-2021-35042"} <= ids["django"]
    assert "CVE-2019-10906" in ids["jinja2"]
    assert "CVE-2018-18074" in ids["requests"]
    assert not ids["idna"]


def test_an_observation_says_what_where_and_the_way_out(audit) -> None:
    flaw = record(
        "GHSA-aaaa-bbbb-cccc",
        "widget",
        FROM_START,
        {"fixed": "1.10"},
        {"introduced": "0.5"},
        aliases=["CVE-2024-1", "PYSEC-2024-7"],
        summary="Widget lets anyone in",
    )
    places = ("a/requirements.txt:3", "uv.lock:40")
    found = Inventory(packages=(package("widget==1.9", *places),))
    with osv_server([flaw]) as url:
        (one,) = audit(found, url).observations

    assert one.scanner == "pip-audit"
    assert one.category is Category.VULNERABILITY
    # pip-audit shows an advisory under its PYSEC name if it has one.
    assert one.rule.id == one.advisory.id == "PYSEC-2024-7"
    assert one.advisory.ids == {"GHSA-aaaa-bbbb-cccc", "CVE-2024-1", "PYSEC-2024-7"}
    assert one.advisory.fixed_versions == ("1.10",)
    assert one.advisory.url == one.rule.url == "https://osv.dev/vulnerability/PYSEC-2024-7"
    assert one.package is found.packages[0]
    assert one.location == Location("a/requirements.txt", 3)
    assert one.places == (Location("a/requirements.txt", 3), Location("uv.lock", 40))
    assert one.claims == ()
    assert one.title == "widget 1.9: Widget lets anyone in"
    assert "widget 1.9 is affected by PYSEC-2024-7" in one.message
    assert "Fixed in 1.10." in one.message


def test_without_a_fix_or_a_word_it_says_so(audit) -> None:
    found = Inventory(packages=(package("widget==1.0"),))
    with osv_server([record("CVE-2024-1", "widget", FROM_START)]) as url:
        (one,) = audit(found, url).observations
    assert one.location is None
    assert one.advisory.url == "https://www.cve.org/CVERecord?id=CVE-2024-1"
    assert "No fixed version is known." in one.message


def test_each_advisory_leads_to_its_page(audit) -> None:
    names = ("CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1")
    with osv_server([record(name, "widget", FROM_START) for name in names]) as url:
        found = audit(inventory("widget==1.0"), url).observations
    assert {one.rule.id: one.rule.url for one in found} == {
        "CVE-2024-1": "https://www.cve.org/CVERecord?id=CVE-2024-1",
        "GHSA-aaaa-bbbb-cccc": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
        "PYSEC-2024-1": "https://osv.dev/vulnerability/PYSEC-2024-1",
    }


def test_untrusted_text_is_made_visible(audit) -> None:
    evil = record("X/../1", "widget", FROM_START, summary="red \x1b[31m <script>")
    with osv_server([evil]) as url:
        (one,) = audit(inventory("widget==1.0"), url).observations
    assert "\x1b" not in one.title + one.message + one.rule.why
    assert "<script>" in one.rule.why
    assert one.advisory.url == "https://osv.dev/vulnerability/X%2F..%2F1"


def test_names_meet_by_pep_503_and_versions_by_pep_440(audit) -> None:
    flaw = record("A-1", "Zope.Interface", FROM_START, {"last_affected": "1.0"})
    found = inventory("zope-interface==1.0.0", "zope-interface==1.0-beta1", "plain==1.0+cu118")
    with osv_server([flaw]) as url:
        done = audit(found, url)
    assert done.examined == [
        "plain==1.0+cu118",
        "zope-interface==1.0-beta1",
        "zope-interface==1.0.0",
    ]
    assert sorted(one.package.version for one in done.observations) == ["1.0-beta1", "1.0.0"]


# -- what it is given ------------------------------------------------------------------------------


def test_the_union_is_asked_once(audit) -> None:
    asked: list[tuple[str, str]] = []
    places = tuple(f"{folder}/requirements.txt:1" for folder in "abcde")
    found = Inventory(packages=(package("one==1", *places), package("two==2", *places)))
    with osv_server([record("A-1", "one", FROM_START)], asked=asked) as url:
        done = audit(found, url)
    assert sorted(asked) == [("one", "1"), ("two", "2")]
    assert len(done.outputs) == 1
    assert len(done.observations[0].places) == 5


def test_a_name_in_two_versions_goes_into_two_calls(audit) -> None:
    found = inventory("one==1.0", "one==2.0", "two==1.0")
    with osv_server([record("A-1", "one", FROM_START, {"fixed": "2.0"})]) as url:
        done = audit(found, url)
    assert [output.inputs for output in done.outputs] == [("one==1.0", "two==1.0"), ("one==2.0",)]
    assert done.examined == ["one==1.0", "one==2.0", "two==1.0"]
    assert [one.package.version for one in done.observations] == ["1.0"]


def test_many_packages_go_into_equal_calls() -> None:
    parts = pinned.batches([f"p{number}==1" for number in range(250)], 100)
    assert [len(part) for part in parts] == [84, 83, 83]
    assert len({pin for part in parts for pin in part}) == 250


def test_nothing_of_the_manifest_reaches_the_requirements_file(tmp_path: Path) -> None:
    hostile = (
        "a==1.0\n--index-url=x",
        "b==1.0 ; python_version<'3'",
        "c==*",
        "d==2004d",
        "-r x==1",
        "e==1.0\n",
    )
    found = inventory(*hostile, "good==1.0")
    ctx = context(tmp_path, found)
    given = pip_audit.inputs(ctx)
    assert given.found == ("good==1.0",)
    assert len(given.not_examined) == len(hostile)
    kinds = {gap.reason.kind for gap in given.not_examined}
    assert kinds == {"no-package-name", "no-version"}
    job = pip_audit.call(ctx, Tool(("x",), "x"), given.found)
    assert job.files == {"requirements.txt": "good==1.0\n"}
    assert {"--no-deps", "--disable-pip"} <= set(job.argv)


def test_what_is_not_pinned_is_counted_and_the_rest_audited(audit) -> None:
    loose = Requirement("flask", "flask>=2", Location("pyproject.toml", 7), plain("no lock file"))
    bad = NotExamined("requirements.txt:3", plain("not a requirement: ???"))
    found = Inventory(packages=(package("one==1"),), unpinned=(loose,), problems=(bad,))
    with osv_server([]) as url:
        done = audit(found, url)
    assert done.examined == ["one==1"]
    assert done.reasons == {
        "flask>=2 (pyproject.toml:7)": plain("no lock file"),
        "requirements.txt:3": plain("not a requirement: ???"),
    }


def test_only_unlocked_requirements_are_found_but_not_examined(tmp_path: Path) -> None:
    loose = Requirement("flask", "flask", Location("pyproject.toml"), plain("why"))
    done = drive(pip_audit, context(tmp_path, Inventory(unpinned=(loose,))), tmp_path)
    reason = plain("why")
    assert done.inputs.not_examined == (NotExamined("flask (pyproject.toml)", reason),)
    assert not done.outputs


def test_packages_of_other_ecosystems_are_none_of_its_inputs(tmp_path: Path) -> None:
    other = SimpleNamespace(name="left-pad", version="1", purl="pkg:npm/left-pad@1")
    assert not pip_audit.inputs(context(tmp_path, Inventory(packages=(other,)))).found


# -- what must not look like a clean result --------------------------------------------------------


def test_an_unreachable_service_is_a_failure_with_its_reason(audit) -> None:
    found = inventory("django==3.2.0", "jinja2==2.4.1")
    done = audit(found, f"http://127.0.0.1:{_closed_port()}/v1/query")
    assert len(done.outputs) == 1, "another try meets the same trouble"
    assert not done.examined
    ((batch, reason),) = done.failures
    assert set(batch) == {"django==3.2.0", "jinja2==2.4.1"}
    assert "Connection refused" in sentence(reason)
    assert " at 0x" not in sentence(reason)


def test_an_unreachable_proxy_before_the_default_service_is_a_failure(
    audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    done = audit(inventory("one==1"))
    assert not done.examined
    assert done.reasons["one==1"] == unreachable("PyPI", Reason("refused-by-proxy"))


UNKNOWN_HERE = Reason("package-unknown", {"service": "PyPI"})


@pytest.mark.parametrize(
    ("pins", "reason"),
    [
        (("one==1", "two==2.0+cu118"), UNKNOWN_HERE),
        (("one==1", "two==2.0+cu118", "zoo==3"), unreachable("PyPI", Reason("index-only"))),
    ],
)
def test_packages_the_default_service_does_not_know_are_not_examined(
    audit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pins: tuple[str, ...], reason: Reason
) -> None:
    with knows_nothing(tmp_path) as (proxy, certificates):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        done = audit(inventory(*pins))
    (output,) = done.outputs
    # The trap: it prints this for packages that it did not audit.
    assert output.returncode == 0
    assert "No known vulnerabilities found" in output.stderr
    assert not done.examined
    assert done.reasons == dict.fromkeys(pins, reason)


def test_an_inspected_connection_is_no_lack_of_network(
    audit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with knows_nothing(tmp_path) as (proxy, _):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        done = audit(inventory("one==1"))
    assert done.reasons["one==1"].kind == UNTRUSTED


def test_a_malformed_record_and_a_refused_query_cost_one_package_each(audit) -> None:
    crash = record("A-1", "bad", FROM_START, published="2024-01-02T03:04:05+00:00")
    found = inventory("a==1", "bad==1", "e==1", "refused==1")
    with osv_server([crash, record("A-2", "e", FROM_START)], fail={"refused": 400}) as url:
        done = audit(found, url)
    assert done.examined == ["a==1", "e==1"]
    assert [one.package.name for one in done.observations] == ["e"]
    assert sorted(done.reasons) == ["bad==1", "refused==1"]
    assert "ValueError: time data '2024-01-02T03:04:05+00:00'" in sentence(done.reasons["bad==1"])
    assert "400 Client Error" in sentence(done.reasons["refused==1"])


def test_a_service_that_is_down_is_not_asked_again(audit) -> None:
    with osv_server([], fail={"a": 503, "b": 503}) as url:
        done = audit(inventory("a==1", "b==1"), url)
    assert len(done.outputs) == 1
    assert not done.examined


def test_a_record_that_it_drops_is_noticed(audit) -> None:
    strange = record("A-1", "one", FROM_START, schema_version="2.0.0")
    with osv_server([strange]) as url:
        done = audit(inventory("one==1"), url)
    assert not done.observations
    assert done.notices == [plain("Unsupported OSV schema version: 2.0.0")]


def test_arguments_that_keep_it_from_auditing_do_not_make_it_clean(audit) -> None:
    with osv_server([record("A-1", "one", FROM_START)]) as url:
        done = audit(inventory("one==1"), url, args=("--dry-run",))
    assert done.outputs[0].returncode == 0
    assert not done.examined


def test_ignored_vulnerabilities_are_counted(audit) -> None:
    flaws = [record("A-1", "one", FROM_START), record("A-2", "one", FROM_START)]
    with osv_server(flaws) as url:
        some = audit(inventory("one==1"), url, args=("--ignore-vuln", "A-1"))
        every = audit(
            inventory("one==1"), url, args=("--ignore-vuln", "A-1", "--ignore-vuln", "A-2")
        )
    assert [dict(parsed.hidden) for parsed in some.parsed] == [{"--ignore-vuln": 1}]
    assert [dict(parsed.hidden) for parsed in every.parsed] == [{"--ignore-vuln": 2}]


def test_an_unknown_argument_is_a_failure_once(audit) -> None:
    with osv_server([]) as url:
        done = audit(inventory("a==1", "b==1"), url, args=("--no-such-option",))
    assert len(done.outputs) == 1
    assert "unrecognized arguments: --no-such-option" in sentence(done.reasons["a==1"])


def test_only_entries_with_a_list_of_vulnerabilities_were_audited(tmp_path: Path) -> None:
    ctx = context(tmp_path, inventory("a==1", "b==1", "c==1", "d==1"))
    entries = [
        {"name": "A", "version": "1.0", "vulns": []},
        {"name": "b", "skip_reason": "not there\n"},
        {"name": "c", "version": "1"},
        {"name": "stranger", "version": "1", "vulns": []},
        {"name": "d", "version": "2", "vulns": []},
        {"name": "d", "version": "garbage", "vulns": []},
    ]
    answer = json.dumps({"dependencies": entries, "fixes": []})
    parsed = pip_audit.parse(ctx, answered(answer, "a==1", "b==1", "c==1", "d==1"))
    assert parsed.examined == ("a==1",)
    assert [gap.input for gap in parsed.not_examined] == ["b==1", "c==1"]
    assert len(parsed.notices) == 3


def test_reports_of_older_versions_are_lists(tmp_path: Path, data_dir: Path) -> None:
    text = (data_dir / "corpus" / "pip_audit" / "many_vulns.json").read_bytes()
    entries = [entry for entry in json.loads(text) if "vulns" in entry]
    pins = [f"{entry['name'].lower()}=={entry['version']}" for entry in entries]
    ctx = context(tmp_path, inventory(*pins))
    parsed = pip_audit.parse(ctx, answered(text, *pins, code=1))
    assert sorted(parsed.examined) == sorted(pins)
    assert len(parsed.observations) == sum(len(entry["vulns"]) for entry in entries)


# -- offline, options, program ---------------------------------------------------------------------


AWAY = {"osv-url": "https://osv.example.com/v1/query"}


def test_offline_nothing_is_asked_but_a_service_on_this_machine(audit) -> None:
    with osv_server([]) as url:
        here = audit(inventory("one==1"), url, offline=True)
    assert here.examined == ["one==1"]
    for options, asked in (({}, "PyPI"), ({"service": "osv"}, "OSV.dev"), (AWAY, AWAY["osv-url"])):
        away = audit(inventory("one==1"), options=options, offline=True)
        assert not away.outputs
        assert away.reasons["one==1"] == Reason("offline-without-store", {"service": asked})


@pytest.mark.parametrize("options", [{}, {"service": "osv"}, AWAY])
def test_offline_the_store_is_asked_for_what_is_not_on_this_machine(audit, options) -> None:
    with osv_server([record("A-1", "one", FROM_START)]) as url:
        lookup = Lookup(url, STORED)
        done = audit(inventory("one==1"), options=options, offline=True, lookup=lookup)
    assert done.examined == ["one==1"]
    assert [one.rule.id for one in done.observations] == ["A-1"]
    assert [parsed.data for parsed in done.parsed] == [STORED]


STORED = DataSource("OSV", NOW, "abc", 1)


@pytest.mark.parametrize("offline", [True, False])
def test_a_service_on_this_machine_that_the_configuration_names_wins(audit, offline: bool) -> None:
    lookup = Lookup(f"http://127.0.0.1:{_closed_port()}/v1/query", STORED)
    with osv_server([]) as url:
        done = audit(inventory("one==1"), url, offline=offline, lookup=lookup)
    assert done.examined == ["one==1"]
    (parsed,) = done.parsed
    assert parsed.data == DataSource("the configured OSV service", origin=url)


@pytest.mark.parametrize(
    ("options", "argv", "data"),
    [
        ({}, ("osv", "--osv-url", "http://127.0.0.1:1/x"), STORED),
        ({"service": "pypi"}, ("pypi",), DataSource("PyPI's advisories, online", NOW)),
        ({"service": "osv"}, ("osv",), DataSource("OSV.dev, online", NOW)),
        ({"service": "esms"}, ("esms",), DataSource("Ecosyste.ms, online", NOW)),
        (
            AWAY,
            ("osv", "--osv-url", AWAY["osv-url"]),
            DataSource("the configured OSV service", origin=AWAY["osv-url"]),
        ),
    ],
)
def test_the_store_is_asked_unless_the_configuration_names_another(
    tmp_path: Path, options: dict[str, str], argv: tuple[str, ...], data: DataSource
) -> None:
    lookup = Lookup("http://127.0.0.1:1/x", STORED)
    ctx = context(tmp_path, inventory("a==1"), options=options, lookup=lookup)
    job = pip_audit.call(ctx, Tool(("x",), "x"), ("a==1",))
    assert job.argv[job.argv.index("--vulnerability-service") + 1 :] == argv
    answer = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'
    assert pip_audit.parse(ctx, answered(answer, "a==1")).data == data
    assert pip_audit.advisory_source(ctx) == data
    without = replace(ctx, lookup=None, offline=True)
    assert pip_audit.advisory_source(without) is None


def test_fewer_calls_are_made_where_no_network_is_waited_for(tmp_path: Path) -> None:
    ctx = context(tmp_path, inventory(*(f"p{number}==1" for number in range(1000))))
    stored = replace(ctx, lookup=Lookup("http://127.0.0.1:1/x", STORED))
    sizes = [
        [len(batch) for batch in pip_audit.batches(each, pip_audit.inputs(each))]
        for each in (ctx, stored)
    ]
    assert sizes == [[100] * 10, [500, 500]]


@pytest.mark.parametrize("theirs", ["", "example.com,10.0.0.0/8"])
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_proxy_is_not_asked_for_this_machine(
    audit, monkeypatch: pytest.MonkeyPatch, name: str, theirs: str
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{_closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, theirs)
    with osv_server([]) as url:
        done = audit(inventory("one==1"), url)
    assert done.examined == ["one==1"]


def test_exceptions_from_the_users_proxy_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "example.com")

    def environment(**changes: object) -> Mapping[str, str]:
        ctx = context(tmp_path, inventory("a==1"), **changes)
        return pip_audit.call(ctx, Tool(("x",), "x"), ("a==1",)).env

    here = "127.0.0.1,example.com"
    lookup = Lookup("http://127.0.0.1:1/x", STORED)
    assert environment(lookup=lookup) == {"NO_PROXY": here, "no_proxy": here}
    assert environment() == environment(options=AWAY) == {}


def test_what_goes_wrong_is_told_without_the_address_of_this_run(audit) -> None:
    port = _closed_port()
    lookup = Lookup(f"http://127.0.0.1:{port}/hush-hush/v1/query", STORED)
    done = audit(inventory("one==1"), lookup=lookup)
    reason = sentence(done.reasons["one==1"])
    assert "Connection refused" in reason
    assert "url: {advisories} " in reason
    assert str(port) not in reason
    assert "hush" not in reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"service": "nvd"}, "unknown service nvd"),
        ({"service": "pypi", "osv-url": "http://localhost:1/"}, "osv-url has no effect"),
        ({"osv-url": "localhost:8000"}, "not a URL"),
        ({"osv-url": "http://[::1/"}, "not a URL"),
        ({"osv-url": "file:///etc/passwd"}, "not a URL"),
        ({"osv-url": "https://me:hush@osv.example.com/"}, "contains a user name or password"),
    ],
)
def test_options_that_make_no_sense_are_configuration_errors(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        pip_audit.inputs(context(tmp_path, inventory("one==1"), options=options))
    assert caught.value.hint
    assert "hush" not in caught.value.message + caught.value.hint


def test_its_socket_timeout_is_never_longer_than_its_own(tmp_path: Path) -> None:
    def seconds(**changes: object) -> str:
        ctx = context(tmp_path, **changes)
        argv = pip_audit.call(ctx, Tool(("x",), "x"), ("a==1",)).argv
        return argv[argv.index("--timeout") + 1]

    assert [seconds(), seconds(timeout=4.0), seconds(timeout=0.1)] == ["15", "4", "1"]


def test_a_program_of_the_users_is_found_and_asked_for_its_version(audit, tmp_path: Path) -> None:
    program = Path(base.python_module("x")[0]).with_name("pip-audit")
    with osv_server([]) as url:
        done = audit(inventory("one==1"), url, path=program)
    assert done.tool.shown == "pip-audit"
    assert done.tool.version
    assert done.examined == ["one==1"]
    absent = context(tmp_path / "project", path=tmp_path / "absent")
    assert pip_audit.locate(absent) is None


def test_a_module_that_is_not_installed_is_missing(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    assert base.module_or_program("no_such_module", "no-such-module", ctx) is None


def test_reasons_name_no_folder_of_this_machine(tmp_path: Path) -> None:
    home = Path.home() / "x" / "requirements.txt"
    said = base.complaint(f"OSError: cannot read '{home}': <object at 0x7f00>: no\n")
    assert said == "OSError: cannot read 'requirements.txt': no"
    assert base.complaint("WARNING: x\n") == ""


# -- the stand-in itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "hit"),
    [("1.0", True), ("1.9", True), ("2.0", False), ("2.5", False), ("3.0", True), ("3.1", False)],
)
def test_osv_ranges_are_walked_by_version(version: str, hit: bool) -> None:
    events = ({"introduced": "3.0"}, {"fixed": "2.0"}, {"last_affected": "3.0"}, FROM_START)
    assert affects(record("A-1", "One", *events), "one", version) is hit


def test_osv_versions_are_enough() -> None:
    flaw = record("A-1", "one", versions=["1.0", "not a version"])
    assert affects(flaw, "one", "1.0.0")
    assert not affects(flaw, "two", "1.0")


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def knows_nothing(folder: Path) -> Iterator[tuple[str, Path]]:
    """A proxy that answers every HTTPS request with 404, and the settings to trust it."""
    listener = socket.create_server(("127.0.0.1", 0))
    certificates = folder / "certificates.pem"
    served = threading.Thread(target=_serve_404, args=(listener, certificates), daemon=True)
    served.start()
    certificates.write_text("")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", certificates
    finally:
        listener.close()


def _serve_404(listener: socket.socket, certificates: Path) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # closed: the test is over
            return
        with plain:
            host = _head(plain).split()[1].rpartition(":")[0]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*_certificate(host, certificates))
            plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                secure = context.wrap_socket(plain, server_side=True)
            except ssl.SSLError:  # the client does not trust the certificate
                continue
            with secure:
                _head(secure)
                secure.sendall(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )


def _head(connection: socket.socket) -> str:
    said = b""
    while b"\r\n\r\n" not in said:
        chunk = connection.recv(4096)
        assert chunk, "the client left in the middle of its request"
        said += chunk
    return said.decode()


def _certificate(host: str, certificate: Path) -> tuple[Path, Path]:
    key = certificate.with_name("key.pem")
    if not key.is_file():
        made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test")
        names = ("-addext", f"subjectAltName=DNS:{host}")
        files = ("-keyout", str(key), "-out", str(certificate))
        subprocess.run(["openssl", *made, *names, *files], check=True, capture_output=True)
    return certificate, key
