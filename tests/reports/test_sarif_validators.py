"""Both SARIF formats pass every validator without a complaint, for all kinds of reports."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.sample import sample_report
from support.sarif_cases import (
    CASES,
    bandit_corpus,
    crowded,
    hashed,
    log_of,
    results_of,
    sample,
    trivy_corpus,
    write,
)
from support.sarif_check import check_full, check_github
from support.validators import multitool, multitool_notes, schema_errors, upload_errors

CHECKS = {"sarif": check_github, "sarif-full": check_full}
CORPORA = {
    "bandit/dd.json": bandit_corpus,
    "trivy/scheme_2_many_vulns.json": trivy_corpus,
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    return root


def complaints(path: Path, name: str, root: Path) -> list[str]:
    """Return the complaints of every validator but the multitool about a log of format `name`."""
    return [*CHECKS[name](path, root), *schema_errors(path), *upload_errors(path)]


@pytest.fixture(scope="module")
def logs(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path
) -> dict[tuple[str, str], tuple[Path, Path]]:
    """Each case, and each real report of a scanner, in both formats: the log and its project."""
    folder = tmp_path_factory.mktemp("logs")
    made = {}
    for case in (*CASES, *CORPORA):
        root = folder / case.replace("/", "-")
        root.mkdir()
        if case in CASES:
            report = CASES[case](root)
        else:
            findings = CORPORA[case](data_dir / "corpus" / case)
            assert findings
            report = hashed(sample_report(findings, root))
        for name in CHECKS:
            path = write(report, name, folder)
            made[case, name] = path.rename(folder / f"{root.name}-{path.name}"), root
    return made


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("case", [*CASES, *CORPORA])
def test_2_4_the_schema_the_upload_and_our_checks_are_content(
    case: str, name: str, logs: Mapping[tuple[str, str], tuple[Path, Path]]
) -> None:
    path, root = logs[case, name]
    assert complaints(path, name, root) == []


def test_3_the_multitool_has_not_even_a_note(
    logs: Mapping[tuple[str, str], tuple[Path, Path]],
) -> None:
    paths = {case: path for case, (path, _) in logs.items()}
    without = [path for (case, _), path in paths.items() if case == "no_repository"]
    assert multitool_notes(*without) == []
    assert multitool_notes(*(path for path in paths.values() if path not in without)) == []


def test_5_9_six_thousand_findings_are_cut_to_what_github_takes_or_all_there(
    tmp_path: Path, repository: Path
) -> None:
    report = crowded(repository)
    path = write(report, "sarif", tmp_path)
    assert complaints(path, "sarif", repository) == []
    assert len(results_of(json.loads(path.read_bytes()))) == 5_000
    path = write(report, "sarif-full", tmp_path)
    assert schema_errors(path) == []
    assert len(results_of(json.loads(path.read_bytes()))) == 6_000


@pytest.mark.parametrize("name", CHECKS)
def test_35_the_multitool_rewrites_and_merges_without_changing_a_level(
    name: str, tmp_path: Path, repository: Path
) -> None:
    path = write(sample(repository), name, tmp_path)
    rewritten, merged = tmp_path / "rewritten.sarif", tmp_path / "merged.sarif"
    multitool("rewrite", str(path), "--output", str(rewritten))
    multitool(
        *("merge", str(path), "--output-directory", str(tmp_path)),
        *("--output-file", merged.name, "--log", "ForceOverwrite"),
    )
    levels = _levels(json.loads(path.read_bytes()))
    assert _levels(json.loads(rewritten.read_text("utf-8-sig"))) == levels
    assert _levels(json.loads(merged.read_text("utf-8-sig"))) == levels
    assert {level for _, level in levels} == {"error", "warning", "note"}


def test_35_the_multitool_finds_results_by_query(tmp_path: Path, repository: Path) -> None:
    path = write(sample(repository), "sarif", tmp_path)
    assert "Found 1 of 7 results" in multitool("query", str(path), "--expression", "RuleId == B602")


def _levels(log: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each result's id and effective level: its own, else its rule's, else warning.

    A tool that drops "warning" leaves a reader with the rule's level.
    """
    seen = []
    for run in log["runs"]:
        rules = run["tool"]["driver"].get("rules", [])
        for result in run["results"]:
            rule = rules[result["ruleIndex"]].get("defaultConfiguration", {})
            level = result.get("level") or rule.get("level", "warning")
            seen.append((result["partialFingerprints"]["scanaggFindingId/v1"], level))
    return sorted(seen)


# Each validator must detect a fault that is planted for it.


def _with_fault(folder: Path, change: Any, name: str = "fault") -> Path:
    log = log_of(sample_report())
    change(log["runs"][0])
    path = folder / f"{name}.sarif"
    path.write_text(json.dumps(log))
    return path


def test_2_the_schema_sees_a_missing_message(tmp_path: Path) -> None:
    path = _with_fault(tmp_path, lambda run: run["results"][0].pop("message"))
    assert schema_errors(path)
    assert upload_errors(path)


def test_2_the_upload_lets_a_strange_address_pass_as_github_does(tmp_path: Path) -> None:
    path = _with_fault(tmp_path, lambda run: _place(run)["artifactLocation"].update(uri="a b.py"))
    assert upload_errors(path) == []


FAULTS: dict[str, Any] = {
    "GH1001": lambda run: run["results"][0].update(locations=[]),
    "GH1003": lambda run: _place(run).pop("region") and _place(run).pop("contextRegion"),
    "GH1015": lambda run: run["results"][0].pop("locations"),
    "GH2012": lambda run: run["tool"]["driver"]["rules"][0].pop("fullDescription"),
    "SARIF1002": lambda run: _place(run)["artifactLocation"].update(uri="a b.py"),
    "SARIF1008": lambda run: _place(run).update(contextRegion=_place(run)["region"]),
    "SARIF2002": lambda run: run["results"][0]["message"].pop("id"),
    "SARIF2003": lambda run: run.update(versionControlProvenance=[]),
    "SARIF2012": lambda run: run["tool"]["driver"]["rules"][0].update(name="not_pascal"),
}


def test_3_the_multitool_sees_each_fault(tmp_path: Path) -> None:
    notes = multitool_notes(
        *(_with_fault(tmp_path, change, rule) for rule, change in FAULTS.items())
    )
    for rule in FAULTS:
        own = [note for note in notes if note.startswith(f"{rule}.sarif: ")]
        assert any(f" {rule} " in note for note in own), (rule, own)


def _place(run: dict[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = run["results"][0]["locations"][0]["physicalLocation"]
    return place


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
