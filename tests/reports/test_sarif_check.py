"""Our own SARIF checks detect each fault that they are meant to detect."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.sarif_cases import log_of, sample, waived, write
from support.sarif_check import check_full, check_github

Change = Callable[[dict[str, Any]], object]


def bandit(log: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = log["runs"][0]
    return run


def rule(log: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = bandit(log)["tool"]["driver"]["rules"][1]
    return first


def result(log: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = bandit(log)["results"][0]
    return first


def place(log: dict[str, Any]) -> dict[str, Any]:
    physical: dict[str, Any] = result(log)["locations"][0]["physicalLocation"]
    return physical


def secret(log: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = log["runs"][1]["results"][0]
    return first


def warning(log: dict[str, Any]) -> dict[str, Any]:
    """The rule of a result that warns."""
    one: dict[str, Any] = bandit(log)["tool"]["driver"]["rules"][0]
    return one


def related(log: dict[str, Any], count: int) -> None:
    one = {"message": {"text": "Here."}, "physicalLocation": place(log)}
    result(log)["relatedLocations"] = [one] * count


FAULTS: list[tuple[int, Change]] = [
    (1, lambda log: log.update({"$schema": "https://example.invalid/"})),
    (1, lambda log: log.update(version="2.0.0")),
    (1, lambda log: log.update({"$schema": log.pop("$schema")})),
    (5, lambda log: log.update(runs=log["runs"] * 5)),
    (5, lambda log: bandit(log).update(results=bandit(log)["results"] * 2_501)),
    (5, lambda log: bandit(log)["tool"]["driver"].update(rules=[rule(log)] * 25_001)),
    (5, lambda log: bandit(log)["results"].reverse()),
    (5, lambda log: bandit(log)["properties"]["scanagg"].update(leftOut=7)),
    (5, lambda log: related(log, 101)),
    (6, lambda log: bandit(log)["tool"]["driver"].update(name="one two three four")),
    (6, lambda log: bandit(log)["tool"]["driver"].pop("fullName")),
    (6, lambda log: bandit(log)["tool"]["driver"].update(version="v1")),
    (6, lambda log: bandit(log)["tool"]["driver"].update(semanticVersion="1.2")),
    (6, lambda log: bandit(log)["tool"]["driver"].pop("informationUri")),
    (6, lambda log: bandit(log)["conversion"]["tool"]["driver"].update(name="bandit")),
    (7, lambda log: bandit(log)["automationDetails"].update(id="scanagg/bandit")),
    (7, lambda log: bandit(log)["automationDetails"].update(id=f"scanagg/bandit/{'0f' * 20}/")),
    (7, lambda log: bandit(log)["automationDetails"].update(id="scanagg/trivy/")),
    (7, lambda log: log["runs"].append(bandit(log))),
    (8, lambda log: log.update(runs=[])),
    (8, lambda log: bandit(log)["invocations"][0].update(executionSuccessful=False)),
    (9, lambda log: log["runs"][1]["invocations"][0].update(executionSuccessful=False)),
    (
        9,
        lambda log: bandit(log)["invocations"][0]["toolExecutionNotifications"][0].update(
            message={"text": "no end"}
        ),
    ),
    (10, lambda log: bandit(log)["versionControlProvenance"][0].pop("mappedTo")),
    (10, lambda log: bandit(log)["versionControlProvenance"][0].update(repositoryUri="/srv")),
    (10, lambda log: bandit(log)["originalUriBaseIds"]["SRCROOT"].update(uri="file:///home/")),
    (11, lambda log: bandit(log).pop("columnKind")),
    (11, lambda log: bandit(log)["invocations"][0].update(startTimeUtc="2026-03-04T05:06:07+00")),
    (11, lambda log: bandit(log)["invocations"][0].update(endTimeUtc="2000-03-04T05:06:07Z")),
    (12, lambda log: result(log).update(ruleIndex=0)),
    (12, lambda log: bandit(log)["tool"]["driver"]["rules"].reverse()),
    (12, lambda log: bandit(log)["results"].pop()),
    (13, lambda log: rule(log).update(name="not_pascal")),
    (13, lambda log: rule(log)["shortDescription"].update(text="no end")),
    (13, lambda log: rule(log)["fullDescription"].update(text="x" * 1_024 + ".")),
    (14, lambda log: rule(log)["help"].pop("markdown")),
    (14, lambda log: rule(log).update(helpUri="docs/b602.html")),
    (15, lambda log: rule(log)["shortDescription"].update(text="It is in app/db.py.")),
    (16, lambda log: rule(log)["properties"].update(tags=["security", "security"])),
    (16, lambda log: rule(log)["properties"].update(tags=["code"])),
    (16, lambda log: rule(log)["properties"].update(tags=["security", "CWE-78", "cwe"])),
    (17, lambda log: rule(log)["properties"].update({"security-severity": 8.0})),
    (17, lambda log: rule(log)["properties"].update({"security-severity": "0.0"})),
    (17, lambda log: rule(log)["properties"].update(precision="sure")),
    (17, lambda log: rule(log).pop("defaultConfiguration")),
    (18, lambda log: result(log).pop("level")),
    (18, lambda log: warning(log)["defaultConfiguration"].update(level="error")),
    (19, lambda log: result(log)["message"].update(text="")),
    (19, lambda log: result(log)["message"].update(text="Use of `eval`.")),
    (19, lambda log: result(log)["message"].update(text="Use of {0}.")),
    (20, lambda log: result(log).update(locations=[])),
    (20, lambda log: place(log)["artifactLocation"].update(uri="")),
    (20, lambda log: result(log).update(relatedLocations=[{"physicalLocation": place(log)}])),
    (21, lambda log: place(log)["artifactLocation"].update(uri="/app/db.py")),
    (21, lambda log: place(log)["artifactLocation"].update(uri="./app/db.py")),
    (21, lambda log: place(log)["artifactLocation"].update(uri="app/../db.py")),
    (21, lambda log: place(log)["artifactLocation"].update(uri="app\\db.py")),
    (21, lambda log: place(log)["artifactLocation"].update(uri="https://a.invalid/db.py")),
    (22, lambda log: place(log)["artifactLocation"].update(uri="app/gone.py")),
    (23, lambda log: place(log)["region"].pop("endColumn")),
    (23, lambda log: place(log)["region"].update(endLine=6)),
    (23, lambda log: place(log)["region"].update(startLine=99, endLine=99)),
    (23, lambda log: place(log)["region"].update(endColumn=99)),
    (23, lambda log: place(log)["region"].update(endColumn=5)),
    (26, lambda log: place(log).update(contextRegion=place(log)["region"])),
    (26, lambda log: place(log)["region"].pop("snippet")),
    (26, lambda log: secret(log)["partialFingerprints"].update(primaryLocationLineHash="1:1")),
    (26, lambda log: log["runs"][1].pop("redactionTokens")),
    (27, lambda log: result(log)["partialFingerprints"].pop("scanaggFindingId/v1")),
    (27, lambda log: result(log)["partialFingerprints"].update(primaryLocationLineHash="1:1")),
    (27, lambda log: result(log)["partialFingerprints"].update(primaryLocationLineHash="xyz")),
    (27, lambda log: log["runs"][3]["results"][0]["partialFingerprints"].popitem()),
    (29, lambda log: result(log).update(guid="6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
    (29, lambda log: bandit(log)["results"].append(result(log))),
    (30, lambda log: result(log).update(suppressions=[])),
    (30, lambda log: result(log).update(suppressions=[{"kind": "external"}])),
    (31, lambda log: result(log).update(baselineState="absent")),
]


@pytest.mark.parametrize(
    ("number", "change"), FAULTS, ids=[f"{at}-{number}" for at, (number, _) in enumerate(FAULTS)]
)
def test_the_fault_is_seen(number: int, change: Change, tmp_path: Path) -> None:
    log = log_of(sample(tmp_path))
    change(log)
    path = tmp_path / "fault.sarif"
    path.write_text(json.dumps(log))
    found = check_github(path, tmp_path)
    assert f"{number}" in {complaint.partition(":")[0] for complaint in found}, found


def test_a_byte_order_mark_is_seen(tmp_path: Path) -> None:
    path = write(sample(tmp_path), "sarif", tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert check_github(path) == ["1: a byte order mark"]


def test_a_file_of_more_than_ten_mebibytes_gzipped_is_seen(tmp_path: Path) -> None:
    log = log_of(sample(tmp_path))
    log["properties"] = {"noise": random.Random(1).randbytes(11 << 20).hex()}
    path = tmp_path / "big.sarif"
    path.write_text(json.dumps(log))
    assert [complaint[:2] for complaint in check_github(path)] == ["5:"]


def test_suppressions_are_for_the_whole_log_alone(tmp_path: Path) -> None:
    path = write(waived(tmp_path), "sarif-full", tmp_path)
    assert check_full(path, tmp_path) == []
    assert "30: pip-audit: GitHub opens alerts for suppressed results" in check_github(path)


def test_the_draft_name_of_a_suppressions_status_is_seen(tmp_path: Path) -> None:
    path = write(waived(tmp_path), "sarif-full", tmp_path)
    path.write_text(path.read_text().replace('"status":"accepted"', '"state":"accepted"'))
    assert any(complaint.startswith("30: ") for complaint in check_full(path))


def test_a_region_that_runs_backwards_is_seen_without_the_files(tmp_path: Path) -> None:
    log = log_of(sample(tmp_path))
    place(log)["region"].update(endColumn=1)
    path = tmp_path / "fault.sarif"
    path.write_text(json.dumps(log))
    assert any(complaint.startswith("23: ") for complaint in check_github(path))
