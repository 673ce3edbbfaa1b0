"""SARIF shows where a vulnerable package comes from, what to upgrade, and its advisory data."""

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.sample import judged
from support.sample_history import lived_report
from support.sample_known import KEV, PAGES, known_findings, known_report
from support.sarif_cases import known, log_of, results_of, runs_of

from scanagg.model import Action, Advisory, Report, Severity
from scanagg.reports import phrases


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


@pytest.mark.parametrize("report", [known_report(), lived_report()], ids=["known", "lived"])
def test_the_whole_log_has_the_findings_and_the_decision_of_the_json_report(
    report: Report,
) -> None:
    report = replace(report, clock=replace(report.clock, given=True))
    log, whole = log_of(report, "sarif-full"), log_of(report, "json")
    seen = [one["properties"]["scanagg"] for one in results_of(log)]
    assert sorted(seen, key=itemgetter("id")) == sorted(whole["findings"], key=itemgetter("id"))
    about = log["properties"]["scanagg"]
    assert about.pop("credits") == phrases.data_credits(report)
    assert about == {key: whole[key] for key in about}
    assert about.keys() == {
        *("base", "clock", "data", "gate", "policy", "target", "upgrades", "waivers"),
    }


def test_the_data_of_a_run_is_named() -> None:
    report = known_report()
    runs = (*report.runs[:5], replace(report.runs[5], data=KEV))
    said = runs_of(log_of(replace(report, runs=runs)))["trivy"]["properties"]["scanagg"]["data"]
    assert (said["name"], said["records"], said["license"]) == ("CISA KEV", 1400, "CC0 1.0")


def test_the_help_of_a_rule_has_names_sources_dates_and_pages_but_no_package() -> None:
    said = rules()["CVE-2023-43804"]["help"]
    for part in (
        "Also known as [GHSA-v845-jxx5-vc9f](https://github.com/advisories/GHSA-v845-jxx5-vc9f), ",
        "GitHub's label: high (via OSV).",
        "GitHub says high, CVSS says low.",
        "Known to be exploited since 2023-11-03 (CISA).",
        "Published 2023-10-02.",
        "Exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS).",
    ):
        assert part in said["markdown"].replace("\\", "")
    assert f"- <{PAGES[0]}>" in said["markdown"]
    assert "[GHSA-v845-jxx5-vc9f](https://github.com/advisories/GHSA-v845" in said["markdown"]
    assert "javascript:" not in said["markdown"]
    assert "http://plain" not in said["markdown"]
    assert "1.26.4" not in json.dumps(said)
    assert "Withdrawn by its publisher." in rules()["CVE-2021-33503"]["help"]["markdown"]


def test_a_name_without_a_page_is_plain_and_what_a_policy_sets_is_no_rule_s() -> None:
    first = known_findings()[0].finding
    odd = Advisory(first.rule.id, ("x[y](z)",))
    found = judged(replace(first, advisory=odd, claims=()), Severity.LOW, Action.INFO)
    said = rules(findings=(found,))["CVE-2023-43804"]["help"]["markdown"]
    assert "](z)" not in said.replace("\\[", "").replace("\\]", "")
    assert "the policy" not in rules()["MAL-2025-1"]["help"]["markdown"]
