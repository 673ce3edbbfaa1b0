"""Checks without a network use the advisory store, send nothing, and report every gap."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.command import PROGRAM, Said, check, scanagg
from support.kept import keep, keep_epss, keep_kev, keep_zip
from support.osv import osv_server, record

Make = Callable[..., Path]

START = {"introduced": "0"}
PINS = "widget==1.0\n"
NOWHERE = '[scanners.pip-audit]\nosv-url = "https://osv.index.invalid/v1/query"\n'
KNOWN = "django==3.2.0\njinja2==2.4.1\nrequests==2.19.0\n"


@pytest.fixture
def kept() -> Path:
    """Return the cache folder of this test."""
    return Path(os.environ["SCANAGG_CACHE_DIR"])


@pytest.fixture
def new(now: datetime) -> str:
    """Return the date of fresh advisories."""
    return f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def old(now: datetime) -> str:
    """Return the date of advisories that are too old."""
    return f"{now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a proxy that refuses connections, so that any network access fails at once."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def flaw(modified: str, **more: Any) -> dict[str, Any]:
    return record("CVE-2024-1000", "widget", START, {"fixed": "1.1"}, modified=modified, **more)


def audited(project: Path, *argv: str) -> Said:
    return check(project, "--only", "pip-audit", *argv, formats=("json",))


def policy(tmp_path: Path, text: str) -> tuple[str, str]:
    file = tmp_path / "policy.yml"
    file.write_text(f"version: 1\ndefault: warn\n{text}")
    return "--policy", str(file)


# -- who is asked ----------------------------------------------------------------------------------


def test_offline_the_store_is_asked_however_old(make_project: Make, kept: Path, old: str) -> None:
    keep(kept, [flaw(old)])
    said = audited(make_project({"requirements.txt": PINS}), "--offline")
    run = said.run("pip-audit")
    assert (run["status"], run["coverage"]["examined"]) == ("ok", 1)
    assert [one["advisory"]["id"] for one in said.report["findings"]] == ["CVE-2024-1000"]
    assert run["data"]["updated"] == old
    assert run["data"]["digest"]
    assert said.report["data"] == [run["data"]]
    assert [one["name"] for one in said.report["packages"]] == ["widget"]
    notice = said.notices["old-store"]
    assert (notice["day"], notice["limit"]) == (old[:10], "7 days")
    assert notice["use"]["kind"] == "store-used"


@pytest.mark.usefixtures("unreachable")
def test_a_fresh_store_is_asked_although_there_is_a_network(
    make_project: Make, kept: Path, new: str
) -> None:
    keep(kept, [flaw(new)])
    said = audited(make_project({"requirements.txt": PINS}))
    assert said.run("pip-audit")["status"] == "ok"
    assert said.run("pip-audit")["data"] == said.report["data"][0]
    assert not [kind for kind in said.notices if "store" in kind]


@pytest.mark.usefixtures("unreachable")
def test_an_old_store_is_not_asked_where_there_is_a_network(
    make_project: Make, kept: Path, old: str
) -> None:
    keep(kept, [flaw(old)])
    said = audited(make_project({"requirements.txt": PINS}))
    assert (said.code, said.run("pip-audit")["status"]) == (3, "failed")
    notice = said.notices["old-store"]
    assert (notice["day"], notice["limit"]) == (old[:10], "7 days")
    assert notice["use"]["values"] == {"scanners": ["pip-audit"]}


@pytest.mark.usefixtures("unreachable")
def test_a_store_of_a_few_records_is_not_asked_where_there_is_a_network(
    make_project: Make, kept: Path, new: str
) -> None:
    keep(kept, [flaw(new)], whole=False)
    project = make_project({"requirements.txt": PINS})
    said = audited(project)
    assert (said.code, said.run("pip-audit")["status"]) == (3, "failed")
    notice = said.notices["small-store"]
    assert (notice["count"], notice["use"]["kind"]) == (1, "store-not-used")
    offline = audited(project, "--offline")
    assert offline.run("pip-audit")["status"] == "ok"
    assert offline.notices["small-store"]["use"]["kind"] == "store-used"


@pytest.mark.usefixtures("unreachable")
def test_the_policy_says_how_old_the_store_may_be(
    make_project: Make, kept: Path, tmp_path: Path, old: str
) -> None:
    keep(kept, [flaw(old)])
    project = make_project({"requirements.txt": PINS})
    entry = "scanners: {pip-audit: {required: true, db_max_age: AGE}}\n"
    assert audited(project, *policy(tmp_path, entry.replace("AGE", "5w"))).code == 0
    stale = audited(project, *policy(tmp_path, entry.replace("AGE", "30h")))
    assert stale.run("pip-audit")["status"] == "failed"
    assert stale.notices["old-store"]["limit"] == "30 hours"
    offline = audited(project, *policy(tmp_path, entry.replace("AGE", "2w")), "--offline")
    assert offline.run("pip-audit")["status"] == "ok"
    assert offline.code == 3
    (reason,) = offline.report["gate"]["reasons"]
    assert (reason["kind"], reason["values"]["scanner"]) == ("required-scanner", "pip-audit")
    assert reason["values"]["problem"]["kind"] == "outdated-data"
    assert reason["values"]["problem"]["values"]["limit"] == "2w"


def test_a_store_ahead_of_the_clock_is_not_fresh(
    make_project: Make, kept: Path, new: str, now: datetime
) -> None:
    keep(kept, [flaw(new)])
    project = make_project({"requirements.txt": PINS})
    past = f"{now - timedelta(days=9):%Y-%m-%dT00:00:00Z}"
    said = audited(project, "--offline", "--now", past)
    assert said.notices["old-store"]["use"]["kind"] == "store-used"
    assert said.notices["clock-behind"]["today"] == past[:10]


def test_a_configured_service_is_asked_in_place_of_a_fresh_store(
    make_project: Make, kept: Path, new: str
) -> None:
    keep(kept, [flaw(new)])
    with osv_server([record("A-1", "widget", START)]) as url:
        config = f'[scanners.pip-audit]\nosv-url = "{url}"\n'
        project = make_project({"requirements.txt": PINS, "scanagg.toml": config})
        said = audited(project)
    assert [one["rule"]["id"] for one in said.report["findings"]] == ["A-1"]
    assert said.run("pip-audit")["data"]["name"] == "the configured OSV service"
    assert said.run("pip-audit")["data"]["updated"] is None


def test_offline_a_configured_service_elsewhere_gives_way_to_the_store(
    make_project: Make, kept: Path, old: str
) -> None:
    keep(kept, [flaw(old)])
    project = make_project({"requirements.txt": PINS, "scanagg.toml": NOWHERE})
    said = audited(project, "--offline")
    assert [one["rule"]["id"] for one in said.report["findings"]] == ["CVE-2024-1000"]


@pytest.mark.parametrize("damaged", [False, True])
def test_offline_without_a_store_nothing_is_audited_and_it_says_how_to_get_one(
    make_project: Make, kept: Path, damaged: bool, new: str
) -> None:
    if damaged:
        keep(kept, [flaw(new)])
        for file in (kept / "advisories").iterdir():
            if file.is_file():
                file.write_bytes(b"no database")
    said = audited(make_project({"requirements.txt": PINS}), "--offline")
    assert (said.code, said.run("pip-audit")["status"]) == (3, "empty")
    assert said.report["data"] == []
    (gap,) = said.run("pip-audit")["coverage"]["not_examined"]
    assert gap["reason"]["kind"] == "offline-without-store"
    for command in ("scanagg db update", "scanagg db import"):
        assert command in gap["reason"]["text"]
    reasons = [reason["text"] for reason in said.report["gate"]["reasons"]]
    assert any("advisories" in reason for reason in reasons) is damaged
    assert str(kept) not in said.everything


def test_every_run_shows_the_same_command_line(make_project: Make, kept: Path, new: str) -> None:
    keep(kept, [flaw(new)])
    project = make_project({"requirements.txt": PINS})
    argvs = [audited(project, "--offline").run("pip-audit")["argv"] for _ in range(2)]
    assert argvs[0] == argvs[1]
    assert argvs[0][-2:] == ["--osv-url", "{advisories}"]


def test_no_address_of_the_run_is_in_any_output(make_project: Make, kept: Path, new: str) -> None:
    keep(kept, [flaw(new)])
    project = make_project({"requirements.txt": PINS})
    said = check(project, "--only", "pip-audit", "--offline", "-v")
    assert "127.0.0.1" not in said.everything


def test_where_nothing_is_to_be_audited_the_age_of_the_store_is_no_news(
    make_project: Make, kept: Path, old: str
) -> None:
    keep(kept, [flaw(old)])
    said = check(make_project({"app.py": "x = 1\n"}), "--only", "bandit", formats=("json",))
    assert not [kind for kind in said.notices if "store" in kind]


# -- what else the store knows ---------------------------------------------------------------------


def test_the_store_answers_the_rules_that_ask_for_kev_and_epss(
    make_project: Make, kept: Path, tmp_path: Path, new: str
) -> None:
    keep(kept, [flaw(new)])
    day = new[:10]
    keep_kev(kept, day, "CVE-2024-1000")
    keep_epss(kept, day, {"CVE-2024-1000": 0.75})
    text = "enrichment: {kev: required, epss: required, max_age: 2d}\nrules:\n"
    rules = (
        "  - {id: kev, match: {kev: true}, action: block}\n",
        "  - {id: likely, match: {epss: '>=0.7'}, action: block}\n",
    )
    project = make_project({"requirements.txt": PINS})
    for rule in rules:
        said = audited(project, "--offline", *policy(tmp_path, text + rule))
        assert said.code == 1
        (found,) = said.report["findings"]
        assert found["verdict"]["rule"] in rule
        assert found["advisory"]["kev"] is True
        assert found["advisory"]["epss"] == 0.75
    assert len(said.report["data"]) == 3


def test_required_data_that_the_store_has_not_got_is_incomplete(
    make_project: Make, kept: Path, tmp_path: Path, new: str, now: datetime
) -> None:
    keep(kept, [flaw(new)])
    project = make_project({"requirements.txt": PINS})
    text = "enrichment: {kev: required}\nscanners: {pip-audit: {required: true}}\n"
    given = policy(tmp_path, text)
    argv = ("--offline", "--skip", "bandit,detect-secrets,licenses,safety,trivy")
    lacking = check(project, *argv, *given, formats=("json",))
    assert lacking.code == 3
    (reason,) = lacking.report["gate"]["reasons"]
    assert (reason["kind"], reason["values"]) == ("required-data-missing", {"data": "KEV"})
    again = ("gate", str(lacking.folder / "scanagg.json"), *given)
    assert scanagg(*again, cwd=project).returncode == 3
    keep_kev(kept, new[:10])
    assert check(project, *argv, *given, formats=("json",)).code == 0
    # The data is that of the report; newer data is not used.
    assert scanagg(*again, cwd=project).returncode == 0
    later = f"{now + timedelta(days=30):%Y-%m-%d}"
    (tmp_path / "policy.yml").write_text(
        f"version: 1\ndefault: warn\nenrichment: {{kev: required, max_age: 7d}}\n{text[28:]}"
    )
    assert scanagg(*again, cwd=project).returncode == 0
    done = scanagg(*again, "--now", later, cwd=project)
    assert done.returncode == 3
    assert "the advisory store has KEV data" in done.stdout


def test_a_report_judged_again_keeps_packages_data_and_upgrades(
    make_project: Make, kept: Path, tmp_path: Path, new: str
) -> None:
    keep(kept, [flaw(new, severity=[{"type": "CVSS_V3", "score": CRITICAL}])])
    project = make_project({"requirements.txt": PINS})
    block = policy(tmp_path, "rules: [{id: all, match: {}, action: block}]\n")
    first = audited(project, "--offline", *block).report
    (advice,) = first["upgrades"]
    assert (advice["to"], advice["unblocks"]) == ("1.1", ["CVE-2024-1000"])
    folder = tmp_path / "again"
    stored = str(project.parent / "project-reports" / "scanagg.json")
    argv = ("gate", stored, "--format", "json", "--output-dir", str(folder))
    for text, unblocks in (("rules: [{id: all, match: {}, action: block}]\n", 1), ("", 0)):
        scanagg(*argv, *policy(tmp_path, text), cwd=project)
        again = json.loads((folder / "scanagg.json").read_text())
        assert again["packages"] == first["packages"]
        assert again["data"] == first["data"]
        assert [len(one["unblocks"]) for one in again["upgrades"]] == [unblocks]
        assert again["upgrades"][0]["to"] == "1.1"


CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def test_a_store_that_breaks_while_it_is_read_is_a_gap_and_costs_no_finding(
    make_project: Make, kept: Path, new: str
) -> None:
    keep(kept, [flaw(new)])
    with closing(sqlite3.connect(kept / "advisories" / "osv.sqlite")) as base, base:
        base.execute("UPDATE bucket SET body = x'7b'")
    with osv_server([flaw(new)]) as url:
        config = f'[scanners.pip-audit]\nosv-url = "{url}"\n'
        project = make_project({"requirements.txt": PINS, "scanagg.toml": config})
        said = audited(project)
    assert said.code == 3
    (reason,) = said.report["gate"]["reasons"]
    assert "{cache}/advisories/" in reason["text"]
    assert str(kept) not in said.everything
    assert [one["advisory"]["id"] for one in said.report["findings"]] == ["CVE-2024-1000"]
    (advice,) = said.report["upgrades"]
    assert (advice["to"], advice["checked"]) == ("1.1", False)
    offline = make_project({"requirements.txt": PINS}, name="offline")
    failed = audited(offline, "--offline").run("pip-audit")
    assert failed["status"] == "failed"
    assert "503 Server Error: the advisory store cannot be read" in failed["detail"]["text"]


DAMAGED_CHECKS = {
    "a name": lambda raw: raw.replace(b"package widget", b"package widges"),
    "a version": lambda raw: raw.replace(b'"fixed":"1.1"', b'"fixed":"0.1"'),
    "truncated": lambda raw: raw[:-4096],
    "emptied": lambda raw: b"",
    "the header": lambda raw: raw[:60] + b"\1" + raw[61:],
}


@pytest.mark.parametrize("damage", DAMAGED_CHECKS.values(), ids=DAMAGED_CHECKS)
def test_a_damaged_store_makes_a_check_incomplete(
    make_project: Make, kept: Path, new: str, damage: Callable[[bytes], bytes]
) -> None:
    keep(kept, [flaw(new)])
    path = kept / "advisories" / "osv.sqlite"
    raw = path.read_bytes()
    path.write_bytes(damage(raw))
    assert path.read_bytes() != raw
    said = audited(make_project({"requirements.txt": PINS}), "--offline")
    assert said.code == 3
    assert any("scanagg db update" in reason["text"] for reason in said.report["gate"]["reasons"])


# -- scanagg scanners ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "asks"),
    [("new", "the advisory store"), ("old", "PyPI's advisories, online")],
)
def test_scanners_says_whom_pip_audit_asks(
    make_project: Make, kept: Path, date: str, asks: str, request: pytest.FixtureRequest
) -> None:
    modified = request.getfixturevalue(date)
    project = make_project({"requirements.txt": PINS})
    bare = scanagg("scanners", str(project)).stdout
    assert "asks: PyPI's advisories, online" in bare
    assert "advisory store: none; create it with `scanagg db update`" in bare
    keep(kept, [flaw(modified)])
    told = scanagg("scanners", str(project)).stdout
    assert f"asks: {asks}\n" in told
    assert f"advisory store: OSV (PyPI), {modified[:10]}, " in told


# -- pip-audit and trivy agree ---------------------------------------------------------------------


@pytest.fixture
def trivy(data_dir: Path, tmp_path: Path) -> str:
    """Settings for the real trivy with a database of the same records."""
    shutil.copytree(data_dir / "trivy-cache", tmp_path / "trivy-cache")
    return f'[scanners.trivy]\ncache-dir = "{tmp_path}/trivy-cache"\n'


def test_the_store_and_trivy_know_the_same_vulnerabilities(
    make_project: Make, kept: Path, data_dir: Path, trivy: str
) -> None:
    keep_zip(kept, data_dir / "pypi-osv.zip")
    project = make_project({"requirements.txt": KNOWN, "scanagg.toml": trivy})
    report = check(project, "--only", "pip-audit,trivy", "--offline", formats=("json",)).report
    found = [one for one in report["findings"] if one["category"] == "vulnerability"]
    for one in found:
        witnesses = Counter(witness["scanner"] for witness in one["witnesses"])
        assert witnesses == {"pip-audit": 1, "trivy": 1}, one["advisory"]["id"]
    ids = {one["advisory"]["id"] for one in found}
    assert len(ids) == len(found) == 32
    assert {"CVE-2022-28346", "CVE-2022-28347"} <= ids


# -- nothing leaves this machine -------------------------------------------------------------------

# A separate network with a route that leads nowhere; the packets sent there are counted.
_ISOLATED = """
set -e
ip link set lo up
ip link add out type veth peer name in
for one in out in; do
    echo 1 > /proc/sys/net/ipv6/conf/$one/disable_ipv6
    ip link set $one up
done
ip address add 10.0.0.1/8 dev out
ip route add default dev out
"$@" || echo "exit code $?"
echo "packets: $(cat /proc/net/dev | awk '$1 == "out:" {print $11}')"
"""
_EVERYTHING = {
    "requirements.txt": KNOWN,
    "app.py": "import subprocess\nsubprocess.run(input(), shell=True)\n",
    "Dockerfile": "FROM python:3.12\nUSER root\n",
    "main.tf": 'module "x" {\n  source = "git::https://modules.index.invalid/x.git"\n}\n',
}


def isolated(*command: str) -> tuple[str, int]:
    """Run a command without a network; return its output and the number of packets it sent."""
    argv = ["unshare", "--map-root-user", "--net", "sh", "-c", _ISOLATED, "sh", *command]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare on this machine")
    said, marked, packets = done.stdout.rpartition("packets: ")
    if not marked:
        pytest.skip(f"no network namespace can be made here: {done.stderr.strip()}")
    return said + done.stderr, int(packets)


def test_what_would_leave_this_machine_is_seen() -> None:
    program = (
        "import socket\n"
        "for ask in (lambda: socket.create_connection(('192.0.2.1', 80), 1),\n"
        "            lambda: socket.create_connection(('127.0.0.1', 9), 1)):\n"
        "    try: ask()\n"
        "    except OSError as error: print(error)\n"
    )
    said, packets = isolated(sys.executable, "-c", program)
    assert "Connection refused" in said
    assert packets > 0


def test_offline_nothing_leaves_this_machine_and_pip_audit_still_audits(
    make_project: Make, kept: Path, data_dir: Path, trivy: str, tmp_path: Path
) -> None:
    keep_zip(kept, data_dir / "pypi-osv.zip")
    project = make_project({**_EVERYTHING, "scanagg.toml": trivy})
    folder = tmp_path / "reports"
    argv = ("check", str(project), "--offline", "--format", "json", "--output-dir", str(folder))
    said, packets = isolated(str(PROGRAM), *argv)
    assert packets == 0, said
    assert "Traceback" not in said
    report = json.loads((folder / "scanagg.json").read_text())
    runs = {run["scanner"]: run for run in report["runs"]}
    for name in ("bandit", "detect-secrets", "pip-audit", "trivy"):
        assert runs[name]["status"] in ("ok", "degraded"), runs[name]
    assert runs["pip-audit"]["coverage"]["examined"] == 3
    auditors = [{one["scanner"] for one in each["witnesses"]} for each in report["findings"]]
    assert {"pip-audit", "trivy"} in auditors
    # Licences of packages that are not installed need a service: they are gaps.
    assert runs["licenses"]["status"] == "failed"
    assert "offline" in runs["licenses"]["detail"]["text"]
    assert runs["safety"]["status"] == "skipped"
