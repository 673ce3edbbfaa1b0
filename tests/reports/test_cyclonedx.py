"""The bill of materials has the report's data, in the standard's terms, and nothing else."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.bom import (
    COMMIT,
    V2,
    V4,
    V31,
    bom_report,
    licensed,
    package,
    packages_run,
    shop,
    vulnerable,
    waiver,
)
from support.cyclonedx_check import Plain, properties, text_of, written

from scanagg.model import (
    Action,
    Advisory,
    Coverage,
    Judged,
    LicenseFacts,
    LicenseFile,
    LicenseVerdict,
    Location,
    NotExamined,
    Package,
    Report,
    Rule,
    Scope,
    Severity,
    SeverityClaim,
    SourceFile,
    Status,
    Upgrade,
    WaiverState,
    plain,
)
from scanagg.reports.base import reporter
from scanagg.reports.cyclonedx.vulnerabilities import DECIDES

GOLDEN = Path(__file__).parent.parent / "data" / "reports" / "shop.cdx.json"
TARGET = "target:shop"


def components(document: Plain) -> dict[str, Plain]:
    return {one["bom-ref"]: one for one in document["components"]}


def only_vulnerability(*found: Judged, **more: Any) -> Plain:
    (one,) = written(bom_report(package("a"), findings=found, **more))["vulnerabilities"]
    return dict(one)


def waived(state: WaiverState) -> Judged:
    found = vulnerable(1, package("a"), waiver=waiver(state))
    return replace(found, verdict=replace(found.verdict, action=Action.WAIVED))


# The document


def test_is_what_it_was() -> None:
    """To accept a change: SCANAGG_UPDATE_GOLDEN=1."""
    text = text_of(shop())
    if os.environ.get("SCANAGG_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_everything_of_the_shop_is_valid_and_reads_back() -> None:
    document = written(shop())
    assert document["specVersion"] == "1.6"
    assert len(document["components"]) == 6
    assert len(document["vulnerabilities"]) == 5


def test_an_empty_report_is_valid() -> None:
    document = written(bom_report(runs=()))
    assert document["components"] == document["vulnerabilities"] == []
    assert document["compositions"][0]["aggregate"] == "unknown"


def test_every_name_is_given_once_and_every_reference_leads_to_one() -> None:
    document = written(shop())
    given = [one["bom-ref"] for one in walk(document) if "bom-ref" in one]
    assert len(given) == len(set(given))
    used = {one["ref"] for one in walk(document) if "ref" in one}
    used |= {ref for one in document["dependencies"] for ref in one.get("dependsOn", [])}
    for one in document["compositions"]:
        used |= {*one.get("assemblies", []), *one.get("dependencies", [])}
    assert used <= set(given)


def walk(value: Any) -> list[Plain]:
    if isinstance(value, list):
        return [found for item in value for found in walk(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in walk(item))]


def test_the_same_report_gives_the_same_bytes_in_any_process() -> None:
    program = (
        "import sys\nfrom support.bom import shop\nfrom support.cyclonedx_check import text_of\n"
        "sys.stdout.buffer.write(text_of(shop()).encode())\n"
    )
    tests = str(Path(__file__).parent.parent)
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": tests, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {text_of(shop()).encode()}


def test_the_order_of_packages_and_licences_changes_nothing() -> None:
    report = shop()
    turned = replace(report, packages=report.packages[::-1], licenses=report.licenses[::-1])
    assert text_of(turned) == text_of(report)


def test_another_report_has_another_serial_number() -> None:
    first, second = written(bom_report(package("a"))), written(bom_report(package("b")))
    assert first["serialNumber"].startswith("urn:uuid:")
    assert first["serialNumber"] != second["serialNumber"]


def test_comes_in_pieces() -> None:
    report = bom_report(*(package(f"p{number:03}") for number in range(300)))
    pieces = list(itertools.islice(reporter("cyclonedx").render(report), 200))
    assert max(map(len, pieces)) < 3_000


# The subject


def test_names_the_target_the_tools_and_how_it_was_judged() -> None:
    head = written(shop())["metadata"]
    assert head["timestamp"] == "2026-03-04T05:06:07+00:00"
    assert head["lifecycles"] == [{"phase": "pre-build"}]
    assert head["component"]["type"] == "application"
    assert head["component"]["version"] == COMMIT
    assert head["component"]["externalReferences"][0]["url"] == "https://git.invalid/a/shop"
    tools = {one["name"]: one["version"] for one in head["tools"]["components"]}
    assert tools == {"scanagg": "0.1.0", "pip-audit": "2.10.1"}
    said = properties(head)
    assert said["gate"] == ["blocked"]
    assert said["policy:digest"] == ["sha256:" + "ab" * 32]
    assert said["data:osv:digest"] == ["sha256:" + "cd" * 32]
    assert said["data:osv:updated"] == ["2026-03-04T05:06:07Z"]


def test_a_target_without_a_repository_has_no_version() -> None:
    report = bom_report(package("a"))
    root = written(replace(report, target=replace(report.target, revision=None)))["metadata"]
    assert "version" not in root["component"]
    assert "externalReferences" not in root["component"]


def test_a_password_in_the_address_of_the_repository_is_not_repeated() -> None:
    report = bom_report(package("a"))
    revision = report.target.revision
    assert revision
    revision = replace(revision, repository="https://" + "me:hunter2" + "@git.invalid/a")
    text = text_of(replace(report, target=replace(report.target, revision=revision)))
    assert "hunter2" not in text


def test_a_scanner_that_did_not_run_is_no_tool_and_not_silent() -> None:
    missing = packages_run(0, status=Status.MISSING, version=None, detail=plain("not installed"))
    head = written(bom_report(package("a"), runs=(missing,)))["metadata"]
    assert [one["name"] for one in head["tools"]["components"]] == ["scanagg"]
    assert properties(head)["run:pip-audit"] == ["missing: not installed"]


# Packages


def test_a_package_has_its_purl_scope_places_and_chain() -> None:
    found = components(written(shop()))
    requests = found["pkg:pypi/requests@2.19.0"]
    assert requests["purl"] == "pkg:pypi/requests@2.19.0"
    assert requests["scope"] == "required"
    (seen,) = requests["evidence"]["occurrences"]
    assert (seen["location"], seen["line"]) == ("uv.lock", 3)
    said = properties(found["pkg:pypi/urllib3@1.23"])
    assert said["chain"] == ["requests → urllib3"]
    assert said["direct"] == ["false"]
    assert said["place"] == ["uv.lock:10"]
    assert said["asked"] == ["pyproject.toml:7"]


def test_what_only_development_needs_is_excluded() -> None:
    found = components(written(bom_report(package("pytest", scope=Scope.DEV))))
    assert found["pkg:pypi/pytest@1.0"]["scope"] == "excluded"


def test_a_local_version_is_written_as_the_purl_standard_wants() -> None:
    found = components(written(bom_report(package("torch", "2.0+cpu"))))
    assert found["pkg:pypi/torch@2.0%2Bcpu"]["version"] == "2.0+cpu"


def test_a_package_that_only_a_finding_names_is_listed_too() -> None:
    found = components(written(shop()))["pkg:deb/debian/zlib1g@1.2?arch=amd64&epoch=1"]
    assert found["version"] == "1:1.2"
    assert properties(found)["inventory"] == ["false"]


def test_many_places_in_one_file_and_the_same_place_of_two_packages() -> None:
    places = (Location("a.txt", 2), Location("a.txt", 10), Location("a.txt"))
    found = components(
        written(bom_report(package("a", places=places), package("b", places=places)))
    )
    for one in found.values():
        lines = [each.get("line") for each in one["evidence"]["occurrences"]]
        assert sorted(lines, key=str) == [10, 2, None]


# Licences


@pytest.mark.parametrize(
    ("judged_as", "source", "facts", "expected"),
    [
        ("MIT", "License-Expression", {"expression": "mit"}, ("id", "MIT", "declared")),
        ("MIT", "License", {"text": "MIT"}, ("id", "MIT", "declared")),
        ("MIT", "License", {"text": "The MIT License"}, ("id", "MIT", "concluded")),
        ("MIT", "classifiers", {"classifiers": ("MIT License",)}, ("id", "MIT", "concluded")),
        ("MIT", "clarify", {}, ("id", "MIT", "concluded")),
        ("BSD", "classifiers", {"classifiers": ("BSD",)}, ("name", "BSD", "declared")),
        ("see LICENSE", "License", {"text": "see LICENSE"}, ("name", "see LICENSE", "declared")),
        ("gpl", "License", {"text": "gpl"}, ("name", "gpl", "declared")),
    ],
)  # fmt: skip
def test_a_licence_is_an_id_where_it_is_one_else_a_name(
    judged_as: str, source: str, facts: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    of = package("a")
    document = written(bom_report(of, licenses=(licensed(of, judged_as, source, **facts),)))
    (one,) = components(document)["pkg:pypi/a@1.0"]["licenses"]
    kind, text, how = expected
    assert one == {"license": {kind: text, "acknowledgement": how}}


@pytest.mark.parametrize(
    "expression",
    [
        "MIT OR Apache-2.0",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "LicenseRef-Shop",
        "MIT AND (LicenseRef-Shop OR ISC)",
        "Apache-2.0+",
    ],
)
def test_an_expression_stays_one(expression: str) -> None:
    of = package("a")
    said = licensed(of, expression, "License-Expression", expression=expression)
    (one,) = written(bom_report(of, licenses=(said,)))["components"][0]["licenses"]
    assert one == {"expression": expression, "acknowledgement": "declared"}


@pytest.mark.parametrize("text", ["MIT OR", "MIT MIT", "((", "MIT AND Beer", "AND", "x" * 9000])
def test_words_that_are_no_expression_are_a_name(text: str) -> None:
    of = package("a")
    (one,) = written(bom_report(of, licenses=(licensed(of, text, "License", text=text),)))[
        "components"
    ][0]["licenses"]
    assert one["license"]["name"] == text


def test_where_nothing_is_said_no_licence_is_invented() -> None:
    of = package("a")
    silent = replace(licensed(of, "UNKNOWN", ""), verdict=LicenseVerdict.UNKNOWN)
    empty = licensed(package("b"), "", "License", text="?")
    document = written(bom_report(of, package("b"), licenses=(silent, empty)))
    assert not any("licenses" in one for one in document["components"])
    assert properties(document["components"][0])["license:verdict"] == ["unknown"]


def test_licence_files_are_evidence() -> None:
    of = package("a")
    files = (LicenseFile("LICENSE", "ab", "MIT"), LicenseFile("NOTICE", "cd"))
    said = replace(licensed(of, "MIT", "License-File"), facts=LicenseFacts(files=files))
    (one,) = written(bom_report(of, licenses=(said,)))["components"]
    assert one["evidence"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert properties(one)["license:file"] == ["LICENSE sha256:ab", "NOTICE sha256:cd"]


# Dependencies and their completeness


def graph(report: Report) -> dict[str, list[str]]:
    return {one["ref"]: one.get("dependsOn", []) for one in written(report)["dependencies"]}


def test_the_graph_begins_at_the_target_and_holds_what_is_certain() -> None:
    assert graph(shop()) == {
        TARGET: ["pkg:pypi/requests@2.19.0", "pkg:pypi/torch@2.0%2Bcpu"],
        "pkg:pypi/requests@2.19.0": ["pkg:pypi/urllib3@1.23"],
    }


def test_of_two_versions_nobody_can_say_which_is_meant() -> None:
    document = written(shop())
    assert properties(components(document)["pkg:pypi/requests@2.19.0"])["requires:unlinked"] == [
        "idna"
    ]
    assert document["compositions"][2] == {
        "aggregate": "incomplete",
        "dependencies": ["pkg:pypi/requests@2.19.0"],
    }


def test_packages_that_need_each_other_or_themselves() -> None:
    a, b = package("a", requires=("a", "b")), package("b", requires=("a",))
    assert graph(bom_report(a, b))["pkg:pypi/a@1.0"] == ["pkg:pypi/a@1.0", "pkg:pypi/b@1.0"]


def aggregates(report: Report) -> list[str]:
    """Return the completeness of the package list, and of the target's direct dependencies."""
    first, second, *_ = written(report)["compositions"]
    assert first["assemblies"] == second["dependencies"] == [TARGET]
    return [first["aggregate"], second["aggregate"]]


def aggregate(report: Report) -> str:
    (word,) = set(aggregates(report))
    return word


@pytest.mark.parametrize("lock", ["uv.lock", "a/Pipfile.lock", "pylock.toml", "pylock.dev.toml"])
def test_a_lock_that_was_seen_whole_is_complete(lock: str) -> None:
    places = (Location("pyproject.toml", 1), Location(lock, 7))
    a, b = package("a", places=places), package("b", direct=False, places=places)
    assert aggregate(bom_report(a, b)) == "complete"


def test_a_list_of_pins_does_not_say_that_there_is_no_more() -> None:
    pins = package("b", places=(Location("requirements.txt", 1),))
    assert aggregate(bom_report(package("a"), pins)) == "unknown"
    assert aggregate(bom_report(package("a", places=()))) == "unknown"


def test_a_lock_need_not_tell_what_the_project_itself_asks_for() -> None:
    assert aggregates(bom_report(package("a", direct=None))) == ["complete", "unknown"]


def test_what_only_its_own_line_asks_for_is_direct() -> None:
    alone, unclear = package("a", direct=None, chain=("a",)), package("b", direct=None)
    assert graph(bom_report(alone, unclear)) == {TARGET: ["pkg:pypi/a@1.0"]}


def test_packages_that_nobody_examined_are_not_known_to_be_all() -> None:
    assert aggregate(bom_report(package("a"), runs=())) == "unknown"


def test_an_unpinned_requirement_is_a_gap() -> None:
    gap = NotExamined("requests>=2", plain("not audited: unpinned"))
    run = packages_run(status=Status.DEGRADED, coverage=Coverage("packages", 2, 1, (gap,)))
    report = bom_report(package("a"), runs=(run,))
    assert aggregate(report) == "incomplete"
    said = properties(written(report)["metadata"])
    assert said["not-examined"] == ["pip-audit: requests>=2: not audited: unpinned"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMEOUT, Status.EMPTY])
def test_a_scanner_that_failed_is_a_gap(status: Status) -> None:
    failed = packages_run(scanner="licenses", status=status, coverage=Coverage("packages", 2))
    assert aggregate(bom_report(package("a"), runs=(packages_run(), failed))) == "incomplete"


def test_a_scanner_that_is_not_installed_takes_nothing_from_the_others() -> None:
    gap = NotExamined("a==1.0", plain("not installed"))
    missing = packages_run(
        scanner="safety", status=Status.MISSING, coverage=Coverage("packages", 1, 0, (gap,))
    )
    assert aggregate(bom_report(package("a"), runs=(packages_run(), missing))) == "complete"
    assert aggregate(bom_report(package("a"), runs=(missing,))) == "incomplete"


def test_a_file_that_could_not_be_read_is_a_gap() -> None:
    report = bom_report(package("a"))
    skipped = (NotExamined("poetry.lock", plain("permission denied")),)
    report = replace(report, target=replace(report.target, skipped=skipped))
    assert aggregate(report) == "incomplete"
    left_out = (NotExamined("docs", plain("configured"), on_purpose=True),)
    report = replace(report, target=replace(report.target, skipped=left_out))
    assert aggregate(report) == "complete"


@pytest.mark.parametrize("name", ["web/package.json", "Cargo.toml", "go.mod"])
def test_another_language_is_not_in_the_inventory(name: str) -> None:
    report = bom_report(package("a"))
    files = (SourceFile(name, Path("/nowhere") / name, 1),)
    assert aggregate(replace(report, target=replace(report.target, files=files))) == "incomplete"


def test_a_package_beside_the_inventory_shows_that_it_is_not_all() -> None:
    stranger = Package("left-pad", "1.0", "pkg:npm/left-pad@1.0")
    report = bom_report(package("a"), findings=(vulnerable(1, stranger),))
    assert aggregate(report) == "incomplete"


def test_a_package_beside_the_inventory_is_required_if_any_finding_says_so() -> None:
    of_tools = Package("left-pad", "1.0", "pkg:npm/left-pad@1.0", scope=Scope.DEV)
    of_all = replace(of_tools, scope=Scope.RUNTIME)
    pairs = ((of_tools, of_all), (of_all, of_tools), (of_tools, of_tools))
    scopes = []
    for one, other in pairs:
        found = (vulnerable(1, one), vulnerable(2, other))
        document = written(bom_report(package("a"), findings=found))
        scopes.append(components(document)["pkg:npm/left-pad@1.0"]["scope"])
    assert scopes == ["required", "required", "excluded"]


# Vulnerabilities


def test_only_vulnerabilities_are_listed() -> None:
    ids = [one["id"] for one in written(shop())["vulnerabilities"]]
    assert ids == [
        "CVE-2024-1001", "CVE-2024-1002", "CVE-2024-1003", "CVE-2024-1004", "GHSA-xxxx-yyyy-zzzz",
    ]  # fmt: skip


def test_a_vulnerability_has_its_names_with_who_gives_them() -> None:
    first = written(shop())["vulnerabilities"][0]
    assert first["source"] == {
        "name": "NVD",
        "url": "https://nvd.nist.gov/vuln/detail/CVE-2024-1001",
    }
    names = {one["id"]: one["source"] for one in first["references"]}
    assert names == {
        "DLA-1-1": {"name": "DLA"},
        "GHSA-aaaa-bbbb-cccc": {
            "name": "GitHub",
            "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc",
        },
        "PYSEC-2024-1": {
            "name": "OSV",
            "url": "https://osv.dev/vulnerability/PYSEC-2024-1",
        },
    }


def test_the_rating_that_decides_stands_first() -> None:
    first = written(shop())["vulnerabilities"][0]
    shown = [
        (one["source"]["name"], one["severity"], one["method"], one.get("vector"))
        for one in first["ratings"]
    ]
    assert shown == [
        ("GitHub", "high", "other", None),
        ("OSV", "critical", "CVSSv4", V4.removeprefix("CVSS:4.0/")),
        ("NVD", "critical", "CVSSv31", V31.removeprefix("CVSS:3.1/")),
        ("safety", "medium", "CVSSv2", V2),
    ]
    assert [one.get("justification") for one in first["ratings"]] == [
        DECIDES, None, None, None,
    ]  # fmt: skip


def test_a_severity_that_nobody_gave_is_unknown_and_not_left_out() -> None:
    found = vulnerable(1, package("a"), severity=Severity.UNKNOWN, severity_sources=())
    assert only_vulnerability(found)["ratings"] == [
        {
            "source": {"name": "scanagg"},
            "severity": "unknown",
            "method": "other",
            "justification": DECIDES,
        }
    ]


def test_two_scanners_that_repeat_one_source_are_one_rating() -> None:
    claims = tuple(SeverityClaim("nvd", Severity.HIGH, name, V31) for name in ("trivy", "safety"))
    assert (
        len(only_vulnerability(vulnerable(1, package("a"), severity_sources=claims))["ratings"])
        == 1
    )


@pytest.mark.parametrize(
    ("source", "vector", "expected"),
    [
        ("nvd", V31.replace("3.1", "3.0"), ("CVSSv3", V31.removeprefix("CVSS:3.1/"))),
        ("cvss4", V31, ("CVSSv31", V31.removeprefix("CVSS:3.1/"))),
        ("nvd", V2, ("CVSSv2", V2)),
        ("cvss3.1", None, ("CVSSv31", None)),
        ("tool", None, ("other", None)),
        ("cvss3.1", "CVSS:3.1/", ("other", "CVSS:3.1/")),
        ("cvss3.1", "CVSS:3.1/" + V31, ("other", "CVSS:3.1/" + V31)),
        ("cvss3.1", "CVSS:9.9/AV:N", ("other", "CVSS:9.9/AV:N")),
        ("nvd", "OWASP/nonsense", ("other", "OWASP/nonsense")),
        ("nvd", "\x1b[31m", ("other", "\\x1b[31m")),
    ],
)
def test_the_method_is_what_the_vector_says(
    source: str, vector: str | None, expected: tuple[str, str | None]
) -> None:
    claim = SeverityClaim(source, Severity.HIGH, "trivy", vector)
    (one,) = only_vulnerability(vulnerable(1, package("a"), severity_sources=(claim,)))["ratings"]
    assert (one["method"], one.get("vector")) == expected


def test_what_attackers_do_is_a_property() -> None:
    said = properties(written(shop())["vulnerabilities"][0])
    assert said["kev"] == ["true"]
    assert said["kev:added"] == ["2024-05-07"]
    assert said["epss"] == ["0.9734"]
    assert said["epss:percentile"] == ["0.999"]
    assert said["fingerprint"] == [f"{1:064x}"]
    assert said["verdict"] == ["block"]


def test_what_nobody_knows_of_attackers_is_not_said() -> None:
    said = properties(written(shop())["vulnerabilities"][1])
    assert not {"kev", "epss", "malicious", "withdrawn"} & said.keys()


def test_a_malicious_package_is_named_as_such() -> None:
    said = properties(written(shop())["vulnerabilities"][4])
    assert said["malicious"] == ["true"]
    assert said["kev"] == ["false"]


def test_a_weakness_is_a_number_and_what_is_none_is_kept() -> None:
    cwe = ("CWE-79", "CWE-0079", "cwe-22", "CWE-noinfo", "CWE-0", "89", "CWE-99999999999")
    found = only_vulnerability(vulnerable(1, package("a"), rule=Rule("CVE-1", "a", "b", None, cwe)))
    assert found["cwes"] == [22, 79, 89]
    assert properties(found)["cwe"] == ["CWE-0", "CWE-99999999999", "CWE-noinfo"]


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06", "2024-05-06T00:00:00+00:00"),
        ("2024-05-06T07:08:09.5+02:00", "2024-05-06T05:08:09.500000+00:00"),
        ("last week", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_a_date_is_a_time_in_utc_or_a_property(published: str | None, expected: str | None) -> None:
    advisory = Advisory("CVE-2024-1001", published=published)
    found = only_vulnerability(vulnerable(1, package("a"), advisory=advisory))
    assert found.get("published") == expected
    kept = properties(found).get("published")
    assert kept == ([published] if published and not expected else None)


def test_links_are_advisories_and_what_is_none_is_kept() -> None:
    first = written(shop())["vulnerabilities"][0]
    assert [one["url"] for one in first["advisories"]] == [
        "https://example.invalid/a?b=c#d",
        "https://osv.dev/vulnerability/PYSEC-2024-1",
    ]
    assert properties(first)["reference"] == ["not a link"]


def test_the_affected_version_is_named() -> None:
    found = only_vulnerability(vulnerable(1, package("a")))
    assert found["affects"] == [
        {"ref": "pkg:pypi/a@1.0", "versions": [{"version": "1.0", "status": "affected"}]}
    ]


def test_the_advice_says_which_version_and_which_requirement() -> None:
    said = [one["recommendation"] for one in written(shop())["vulnerabilities"]]
    assert said[0] == said[1]
    for part in ("urllib3 to 1.24.2", "Required by requests", "urllib3<1.24"):
        assert part in said[0]
    assert "1.24.2" not in said[2]
    assert said[3] == "Update zlib1g to 2.0."
    assert "Remove requests" in said[4]


def test_advice_without_a_better_version() -> None:
    of = package("a")
    advice = Upgrade(package=of, to=None, stays=("CVE-2024-1001",))
    found = only_vulnerability(vulnerable(1, of), upgrades=(advice,))
    assert found["recommendation"] == "No version of a without known vulnerabilities is known."


# Waivers and other decisions


@pytest.mark.parametrize(
    ("state", "expected", "response", "status"),
    [
        (WaiverState.NOT_AFFECTED, "not_affected", None, "unaffected"),
        (WaiverState.FALSE_POSITIVE, "false_positive", None, "unaffected"),
        (WaiverState.RISK_ACCEPTED, "exploitable", ["will_not_fix"], "affected"),
        (WaiverState.FIX_PLANNED, "exploitable", ["update"], "affected"),
    ],
)
def test_a_waiver_is_an_analysis(
    state: WaiverState, expected: str, response: list[str] | None, status: str
) -> None:
    found = only_vulnerability(waived(state))
    assert found["analysis"]["state"] == expected
    assert found["analysis"].get("response") == response
    assert found["analysis"]["detail"] == "see SEC-1 — @team — until 2026-06-01"
    assert "justification" not in found["analysis"]
    assert found["affects"][0]["versions"][0]["status"] == status
    assert properties(found)["verdict"] == ["waived"]


def test_a_waiver_without_effect_is_a_property_and_no_analysis() -> None:
    first = written(shop())["vulnerabilities"][0]
    assert "analysis" not in first
    assert properties(first)["waiver:void"] == [
        "not_affected has no effect: it has expired — see SEC-1 — @team — until 2026-06-01"
    ]


def test_a_waiver_that_does_not_waive_makes_no_analysis() -> None:
    found = only_vulnerability(vulnerable(1, package("a"), waiver=waiver(WaiverState.NOT_AFFECTED)))
    assert "analysis" not in found
    assert found["affects"][0]["versions"][0]["status"] == "affected"


def test_a_comment_in_the_source_makes_no_analysis() -> None:
    found = vulnerable(1, package("a"), in_source=".trivyignore")
    hidden = replace(found, verdict=replace(found.verdict, action=Action.WAIVED))
    shown = only_vulnerability(hidden)
    assert "analysis" not in shown
    assert properties(shown)["in-source"] == [".trivyignore"]


def test_of_a_withdrawn_advisory_nobody_knows_if_it_affects() -> None:
    third = written(shop())["vulnerabilities"][2]
    assert third["affects"][0]["versions"][0]["status"] == "unknown"
    assert properties(third)["withdrawn"] == ["true"]


def test_the_golden_document_is_json_with_a_vulnerability_a_line() -> None:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith('    {"advisories"') or '"affects"' in line]
    assert len(found) == 5
    assert all(json.loads(line.rstrip(",")) for line in found)
