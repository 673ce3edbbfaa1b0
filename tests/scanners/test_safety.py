"""Safety: the real program on exact pins, against a stand-in for its vendor's service."""

import json
from pathlib import Path

import pytest
from support import tools
from support.drive import Driven, context, drive, inventory
from support.safety_service import environment, safety_service, write_database

from scanagg.model import Category, Inventory, Location, Reason, Requirement, Severity, plain
from scanagg.model.network import unreachable
from scanagg.reports.reasons import sentence
from scanagg.scanners import base, safety
from scanagg.scanners.base import Output, ScanError


@pytest.fixture(scope="session")
def safety_path() -> Path:
    """The real program."""
    return tools.safety()


@pytest.fixture
def check(safety_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Audit an inventory with the real program; return the result."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAFETY_API_KEY", raising=False)
    root = tmp_path / "project"
    root.mkdir()

    def run(found: Inventory, service: dict[str, str], **changes: object) -> Driven:
        for name, value in service.items():
            monkeypatch.setenv(name, value)
        given = {"path": safety_path, **changes}
        return drive(safety, context(root, found, **given), tmp_path)

    return run


def answered(stdout: str, *pins: str, code: int = 0, stderr: str = "") -> Output:
    return Output(code, stdout.encode(), stderr, pins)


def scan_report(known: list[dict[str, object]]) -> dict[str, object]:
    """A report of `scan` on a==1 with these vulnerabilities, and on an unrequested package."""
    specifications = [
        {"raw": "a==1", "vulnerabilities": {"known_vulnerabilities": known}},
        {"raw": "stranger", "vulnerabilities": {"known_vulnerabilities": None}},
    ]
    files = [{"results": {"dependencies": [{"specifications": specifications}]}}]
    return {"scan_results": {"projects": [{"files": files}]}}


@pytest.fixture
def parsed(tmp_path: Path):
    """Parse an output about the pins a==1 and b==2."""
    ctx = context(tmp_path / "project", inventory("a==1", "b==2"))
    return lambda output: safety.parse(ctx, output)


# -- check -----------------------------------------------------------------------------------------


def test_check_finds_what_its_database_says_and_examines_every_pin(check, tmp_path: Path) -> None:
    asked: list[str] = []
    with safety_service(asked) as service:
        done = check(
            inventory("jinja2==2.4.1", "requests==2.19.0"),
            service,
            options={"db": str(write_database(tmp_path / "db"))},
        )

    assert done.examined == ["jinja2==2.4.1", "requests==2.19.0"]
    assert not done.reasons
    assert done.tool.version and done.tool.version[0].isdigit()
    named, unnamed = done.observations
    assert named.category is Category.VULNERABILITY
    assert named.rule.id == "safety-10001"
    assert named.advisory.aliases == ("CVE-2016-10745", "GHSA-hj2j-77xm-mc5v")
    assert named.advisory.fixed_versions == ("2.8.1",)
    assert named.advisory.published == "2019-04-08"
    assert named.advisory.url == "https://data.invalid/v/10001/abc"
    assert named.package.purl == "pkg:pypi/jinja2@2.4.1"
    assert named.location == Location("requirements.txt", 1)
    assert named.title == "jinja2 2.4.1: A template could leave its sandbox."
    assert [(claim.source, claim.severity) for claim in named.claims] == [
        ("tool", Severity.HIGH),
        ("cvss2", Severity.MEDIUM),
    ]
    assert named.claims[0].vector.startswith("CVSS:3.0/")
    # Without a CVE, text, score or fix it is still a finding.
    assert unnamed.advisory.ids == {"safety-10002"}
    assert unnamed.claims == ()
    assert unnamed.message == "jinja2 2.4.1 is affected by safety-10002. No fixed version is known."
    # The program contacts the service at every start, even with a local database.
    assert asked[0] == "HEAD /.well-known/openid-configuration"


def test_a_project_without_known_vulnerabilities_is_examined(check, tmp_path: Path) -> None:
    with safety_service() as service:
        done = check(
            inventory("requests==2.19.0"),
            service,
            options={"db": str(write_database(tmp_path / "db"))},
        )

    assert done.examined == ["requests==2.19.0"]
    assert not done.observations


def test_two_versions_of_a_name_are_examined_and_unpinned_requirements_counted(
    check, tmp_path: Path
) -> None:
    loose = Requirement("foo", "foo>=1", Location("requirements.txt", 7), plain("why"))
    pins = inventory("jinja2==2.4.1", "jinja2==3.1.6")
    found = Inventory(packages=pins.packages, unpinned=(loose,))
    with safety_service() as service:
        done = check(found, service, options={"db": str(write_database(tmp_path / "db"))})

    assert done.examined == ["jinja2==2.4.1", "jinja2==3.1.6"]
    assert {one.package.version for one in done.observations} == {"2.4.1"}
    assert done.reasons == {"foo>=1 (requirements.txt:7)": plain("why")}


def test_a_policy_in_the_project_has_no_effect(
    check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = "security:\n  ignore-vulnerabilities:\n    10001:\n      reason: hidden\n"
    for name in (".safety-policy.yml", ".safety-policy.yaml"):
        (tmp_path / "project" / name).write_text(policy)
    (tmp_path / "project" / ".safety-project.ini").write_text("[project]\nid = x\n")
    # Not even if scanagg is started inside the project.
    monkeypatch.chdir(tmp_path / "project")
    with safety_service() as service:
        done = check(
            inventory("jinja2==2.4.1"),
            service,
            options={"db": str(write_database(tmp_path / "db"))},
        )

    assert [one.rule.id for one in done.observations] == ["safety-10001", "safety-10002"]
    assert not done.parsed[0].hidden


# -- scan ------------------------------------------------------------------------------------------


def test_with_an_api_key_it_is_scan(check, tmp_path: Path) -> None:
    asked: list[str] = []
    with safety_service(asked) as service:
        done = check(
            inventory("jinja2==2.4.1", "requests==2.19.0"), {**service, "SAFETY_API_KEY": "k"}
        )

    assert done.examined == ["jinja2==2.4.1", "requests==2.19.0"]
    assert [one.rule.id for one in done.observations] == ["safety-10001", "safety-10002"]
    assert "GET /data/insecure_full.json k" in asked


# -- no false green --------------------------------------------------------------------------------


def test_without_network_it_fails_with_one_line(check, tmp_path: Path) -> None:
    nobody = environment("http://127.0.0.1:9")
    done = check(
        inventory("requests==2.19.0"),
        nobody,
        options={"db": str(write_database(tmp_path / "db"))},
    )

    ((batch, reason),) = done.failures
    assert batch == ("requests==2.19.0",)
    assert reason == unreachable("Safety's service", Reason("connection-refused"))
    assert done.outputs[0].returncode == 1


def test_a_database_of_another_schema_fails(check, tmp_path: Path) -> None:
    with safety_service() as service:
        done = check(
            inventory("jinja2==2.4.1"),
            service,
            options={"db": str(write_database(tmp_path / "db", schema="1.0.0"))},
        )

    ((_, reason),) = done.failures
    assert "schema version" in sentence(reason)


def test_the_exit_code_of_check_has_to_fit_and_that_of_scan_is_by_its_own_policy(parsed) -> None:
    flaw = {"vulnerability_id": "7", "package_name": "a", "analyzed_version": "1"}
    check_ = json.dumps({"scanned_packages": {}, "vulnerabilities": [flaw]})
    scan = json.dumps(scan_report([{"id": "7"}]))

    with pytest.raises(ScanError) as caught:
        parsed(answered(check_, "a==1", code=0))
    assert caught.value.reason == Reason("wrong-exit-code", {"code": 0, "found": 1})
    for code in (0, 64):
        assert len(parsed(answered(scan, "a==1", code=code)).observations) == 1
    with pytest.raises(ScanError) as caught:
        parsed(answered(scan, "a==1", code=1))
    assert caught.value.reason.values["code"] == 1


def test_a_package_listed_without_version_was_not_examined(parsed) -> None:
    scanned = {"a": {"name": "a", "version": None}, "b": {"name": "B", "version": "2.0"}}
    report = json.dumps({"scanned_packages": scanned, "vulnerabilities": []})

    assert parsed(answered(f"{{ banner\n{report}\ntail", "a==1", "b==2")).examined == ("b==2",)


def test_what_is_ignored_or_about_others_is_counted(parsed) -> None:
    flaw = {"vulnerability_id": "SFTY-20240101-1", "package_name": "a", "analyzed_version": "1"}
    report = {
        "scanned_packages": {"a": {"name": "a", "version": "1"}},
        "vulnerabilities": [
            {**flaw, "severity": {"cvssv3": {"base_score": 0.0}}},
            {**flaw, "package_name": "other"},
            {**flaw, "analyzed_version": None},
        ],
        "ignored_vulnerabilities": [flaw],
    }
    done = parsed(answered(json.dumps(report), "a==1", code=64))

    assert [one.rule.id for one in done.observations] == ["SFTY-20240101-1"]
    assert done.observations[0].claims[0].severity is Severity.INFO
    assert done.hidden == {"safety policy": 1}
    assert done.notices == (Reason("unasked-vulnerabilities", {"number": 2}),)


def test_a_score_or_a_vector_is_enough_to_rate_it(parsed) -> None:
    worst = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    flaw = {"vulnerability_id": "1", "package_name": "a", "analyzed_version": "1"}
    said = [
        {"cvssv3": {"vector_string": worst}, "cvssv2": {"base_score": 0.0}},
        {"cvssv3": {"base_score": 98.0, "vector_string": worst}, "cvssv2": {"vector_string": "?"}},
        {"cvssv2": {"base_score": 9.9, "vector_string": "AV:N/AC:L/Au:N/C:C/I:C/A:P"}},
    ]
    report = {
        "scanned_packages": {"a": {"name": "a", "version": "1"}},
        "vulnerabilities": [{**flaw, "severity": each} for each in said],
    }
    done = parsed(answered(json.dumps(report), "a==1", code=64))

    assert [
        [(claim.source, claim.severity.value, claim.vector) for claim in one.claims]
        for one in done.observations
    ] == [
        [("tool", "critical", worst), ("cvss2", "info", None)],
        [],
        [("cvss2", "high", "AV:N/AC:L/Au:N/C:C/I:C/A:P")],
    ]


def test_pages_that_it_names_are_on_record(parsed) -> None:
    flaw = {"vulnerability_id": "1", "package_name": "a", "analyzed_version": "1"}
    flaw["resources"] = ["https://a.invalid/", "http://plain.invalid/", "https://b.invalid/"]
    report = {
        "scanned_packages": {"a": {"name": "a", "version": "1"}},
        "vulnerabilities": [flaw],
    }
    (one,) = parsed(answered(json.dumps(report), "a==1", code=64)).observations

    assert one.advisory.references == ("https://a.invalid/", "https://b.invalid/")


def test_what_the_policy_of_an_account_ignores_is_counted(parsed) -> None:
    report = scan_report([{"id": "7", "ignored": {"code": "manual"}}, {"id": "8", "ignored": None}])
    done = parsed(answered(json.dumps(report), "a==1", code=64))

    assert [one.rule.id for one in done.observations] == ["safety-8"]
    assert done.hidden == {"safety policy": 1}
    assert done.examined == ("a==1",)


def test_a_database_may_be_an_address_or_lie_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAFETY_API_KEY", raising=False)
    tool = base.Tool(("safety",), "safety")
    for given, shown in (
        ("https://db.invalid/x", "https://db.invalid/x"),
        ("db", str(tmp_path / "project" / "db")),
    ):
        ctx = context(tmp_path / "project", options={"db": given}, args=("--cache", "1"))
        argv = safety.call(ctx, tool, ("a==1",)).argv
        assert argv[argv.index("--db") + 1] == shown
        assert argv[-2:] == ("--cache", "1")
    assert "--db" not in safety.call(context(tmp_path / "project"), tool, ("a==1",)).argv
