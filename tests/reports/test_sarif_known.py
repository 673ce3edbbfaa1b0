"""SARIF says how a vulnerable package comes in, what to upgrade, and what is known of it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.sample import judged
from support.sample_known import KEV, PAGES, known_findings, known_report
from support.sarif_cases import known, log_of, results_of, runs_of

from scanagg.model import Action, Advisory, Severity


def results(name: str = "sarif", **changes: object) -> dict[str, dict[str, Any]]:
    """The results of the known report by the advisory they are about."""
    report = replace(known_report(), **changes)  # type: ignore[arg-type]
    made = results_of(log_of(report, name))
    return {one["properties"]["scanagg"]["rule"]: one for one in made}


def rules(**changes: object) -> dict[str, dict[str, Any]]:
    log = log_of(replace(known_report(), **changes))  # type: ignore[arg-type]
    found = runs_of(log)["pip-audit"]["tool"]["driver"]["rules"]
    return {one["id"]: one for one in found}


def test_the_message_says_exploit_way_in_and_upgrade() -> None:
    said = {name: one["message"]["text"] for name, one in results().items()}
    assert said["CVE-2023-43804"] == (
        "Package urllib3 1.26.4 has a weakness. Fixed in 1.26.17 and 2.0.6. "
        "Known to be exploited since 2023-11-03 (CISA). "
        "The package is transitive: shop → requests → urllib3. Upgrade urllib3 to 2.5.0."
    )
    assert said["MAL-2025-1"].endswith("→ reqeusts. Remove reqeusts: it is malicious.")
    assert "No fixed version is known" not in said["MAL-2025-1"]
    assert said["CVE-2020-1"].startswith(
        "Package oldlib 0.9 has a weakness. "
        "No version of oldlib without known vulnerabilities is known."
    )
    assert results(upgrades=())["CVE-2020-1"]["message"]["text"].startswith(
        "Package oldlib 0.9 has a weakness. No fixed version is known."
    )


def test_it_stands_where_people_ask_for_it_and_the_lock_is_related(tmp_path: Path) -> None:
    made = results_of(log_of(known(tmp_path)))
    (result,) = [one for one in made if "43804" in one["properties"]["scanagg"]["rule"]]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (
        "requirements.in",
        2,
    )
    (lock,) = result["relatedLocations"]
    assert lock["physicalLocation"]["artifactLocation"]["uri"] == "requirements.txt"
    assert lock["message"]["text"] == "Also here."


def test_a_further_line_that_asks_for_it_is_named_as_such() -> None:
    first = known_findings()[0]
    asked, locked = first.finding.places
    moved = replace(first, finding=replace(first.finding, location=locked))
    (result,) = results(findings=(moved,)).values()
    (other,) = result["relatedLocations"]
    assert other["message"]["text"] == "Required here."
    assert other["physicalLocation"]["artifactLocation"]["uri"] == asked.path


def test_the_whole_log_has_all_that_is_known_of_an_advisory() -> None:
    said = results("sarif-full")["CVE-2023-43804"]["properties"]["scanagg"]
    assert said["chain"] == ["requests", "urllib3"]
    assert said["upgrade"] == "2.5.0"
    assert said["advisory"] == {
        "id": "CVE-2023-43804",
        "aliases": ["GHSA-v845-jxx5-vc9f", "PYSEC-2023-192"],
        "fixedVersions": ["1.26.17", "2.0.6"],
        "published": "2023-10-02T14:00:00Z",
        "withdrawn": False,
        "malicious": False,
        "kev": True,
        "kevAdded": "2023-11-03",
        "epss": 0.9712,
        "epssPercentile": 0.9987,
        "references": list(PAGES),
    }
    assert "upgrade" not in results("sarif-full")["CVE-2020-1"]["properties"]["scanagg"]


@pytest.mark.parametrize("name", ["sarif", "sarif-full"])
def test_a_run_has_the_upgrades_of_its_own_findings(name: str) -> None:
    runs = runs_of(log_of(known_report(), name))
    upgrades = runs["pip-audit"]["properties"]["scanagg"]["upgrades"]
    assert [one["package"] for one in upgrades] == [
        "pkg:pypi/urllib3@1.26.4",
        "pkg:pypi/jinja2@2.4.1",
        "pkg:pypi/reqeusts@1.0.1",
        "pkg:pypi/oldlib@0.9",
    ]
    assert upgrades[0]["hinderedBy"] == [
        {"by": "requests", "asks": "urllib3<1.27,>=1.21.1", "place": None},
        {"by": None, "asks": "urllib3<2", "place": "constraints.txt:3"},
    ]
    assert (upgrades[0]["step"], upgrades[2]["to"]) == ("major", None)
    assert "upgrades" not in runs["trivy"]["properties"]["scanagg"]


def test_the_whole_log_has_all_upgrades_and_the_data_with_its_credits() -> None:
    about = log_of(known_report(), "sarif-full")["properties"]["scanagg"]
    assert len(about["upgrades"]) == 4
    assert [one["name"] for one in about["data"]] == ["OSV (PyPI)", "CISA KEV", "FIRST EPSS"]
    assert about["data"][0]["updated"] == "2026-03-01T05:06:07.000Z"
    assert "origin" not in about["data"][2], "what is not known is left out"
    assert any("CC BY 4.0" in one for one in about["credits"])


def test_the_data_of_a_run_is_named() -> None:
    report = known_report()
    runs = (*report.runs[:5], replace(report.runs[5], data=KEV))
    said = runs_of(log_of(replace(report, runs=runs)))["trivy"]["properties"]["scanagg"]["data"]
    assert (said["name"], said["records"], said["license"]) == ("CISA KEV", 1400, "CC0 1.0")


def test_the_help_of_a_rule_has_names_sources_dates_and_pages_but_no_package() -> None:
    said = rules()["CVE-2023-43804"]["help"]
    for part in (
        "Also known as GHSA-v845-jxx5-vc9f, PYSEC-2023-192.",
        "GitHub's label: high (via OSV).",
        "GitHub says high, CVSS says low.",
        "Known to be exploited since 2023-11-03 (CISA).",
        "Published 2023-10-02.",
        "Exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS).",
    ):
        assert part in said["text"]
    assert f"- <{PAGES[0]}>" in said["markdown"]
    assert "[GHSA-v845-jxx5-vc9f](https://github.com/advisories/GHSA-v845" in said["markdown"]
    assert "javascript:" not in said["markdown"]
    assert "http://plain" not in said["markdown"]
    assert "1.26.4" not in said["text"]
    assert "Withdrawn by its publisher." in rules()["CVE-2021-33503"]["help"]["text"]


def test_a_name_without_a_page_is_plain_and_what_a_policy_sets_is_no_rule_s() -> None:
    first = known_findings()[0].finding
    odd = Advisory(first.rule.id, ("x[y](z)",))
    found = judged(replace(first, advisory=odd, claims=()), Severity.LOW, Action.INFO)
    said = rules(findings=(found,))["CVE-2023-43804"]["help"]["markdown"]
    assert "](z)" not in said.replace("\\[", "").replace("\\]", "")
    assert "the policy" not in rules()["MAL-2025-1"]["help"]["text"]
