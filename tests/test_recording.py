"""Comparison of two recordings: the count and the kinds of differences."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.differences import MISSING, Kind, differences

PROGRAM = Path(__file__).parent.parent / "benchmarks" / "recording.py"
REPORT = "django.nV/checks/check-default/scanagg.json"

Compare = Callable[[str, Any, Any], dict[str, Kind]]


def write(folder: Path, name: str, content: Any) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


@pytest.fixture
def compared(tmp_path: Path) -> Compare:
    """Return the differences of two recordings with one file each."""

    def compare(name: str, before: Any, after: Any) -> dict[str, Kind]:
        write(tmp_path / "before", name, before)
        write(tmp_path / "after", name, after)
        return differences(tmp_path / "before", tmp_path / "after")

    return compare


def finding(fingerprint: str, **changes: Any) -> dict[str, Any]:
    return {"fingerprint": fingerprint, "severity": "high", "message": "A shell.", **changes}


def findings(*items: dict[str, Any]) -> dict[str, Any]:
    return {"findings": list(items)}


def test_equal_recordings_have_no_differences(compared: Compare) -> None:
    assert compared(REPORT, findings(finding("a")), findings(finding("a"))) == {}


def test_a_missing_finding_is_one_difference(compared: Compare) -> None:
    before = findings(finding("a"), finding("b"), finding("c"))
    kinds = compared(REPORT, before, findings(finding("b"), finding("c")))
    (step, old, new) = kinds["scanagg.json: findings[] (removed)"].examples[0]
    assert list(kinds) == ["scanagg.json: findings[] (removed)"]
    assert (step, old["fingerprint"], new) == ("django.nV/checks/check-default", "a", MISSING)


def test_findings_in_another_order_differ_in_their_order_only(compared: Compare) -> None:
    first, second = finding("a"), finding("b", severity="low")
    kinds = compared(REPORT, findings(first, second), findings(second, first))
    assert list(kinds) == ["scanagg.json: findings[] (order)"]


def test_equal_changes_are_one_kind_with_one_example(compared: Compare) -> None:
    before = findings(finding("a"), finding("b"))
    after = findings(finding("a", severity="low"), finding("b", severity="low"))
    kinds = compared(REPORT, before, after)
    kind = kinds["scanagg.json: findings[].severity"]
    assert (kind.wording, kind.count) == (False, 2)
    assert kind.examples == [("django.nV/checks/check-default", "high", "low")]


def test_sentences_are_wording_with_three_examples(compared: Compare) -> None:
    before = findings(*(finding(name) for name in "abcd"))
    after = findings(*(finding(name, message="Another shell.") for name in "abcd"))
    kind = compared(REPORT, before, after)["scanagg.json: findings[].message"]
    assert (kind.wording, kind.count, len(kind.examples)) == (True, 4, 3)


def test_a_missing_sentence_is_data(compared: Compare) -> None:
    before = {"reasons": ["one blocks", "two warn"]}
    kinds = compared(REPORT, before, {"reasons": ["1 blocks"]})
    assert {name: kind.wording for name, kind in kinds.items()} == {
        "scanagg.json: reasons[]": True,
        "scanagg.json: reasons[] (removed)": False,
    }


def test_code_that_a_report_quotes_is_data(compared: Compare) -> None:
    before, after = ({"snippet": {"text": text}} for text in ("eval(a)", "eval(b)"))
    kinds = compared("shop/checks/check-default/scanagg.sarif", before, after)
    assert not kinds["scanagg.sarif: snippet.text"].wording


def test_results_of_sarif_are_matched_by_fingerprint(compared: Compare) -> None:
    results = [
        {"ruleId": "B602", "partialFingerprints": {"scanaggFindingId/v1": name}} for name in "ab"
    ]
    kinds = compared("shop/checks/check-default/scanagg.sarif", results, results[1:])
    assert list(kinds) == ["scanagg.sarif: [] (removed)"]


def test_values_of_another_type_differ(compared: Compare) -> None:
    assert list(compared(REPORT, {"line": 1}, {"line": True})) == ["scanagg.json: line"]
    assert list(compared(REPORT, {"line": None}, {})) == ["scanagg.json: line (removed)"]


def test_exit_codes_are_data_of_their_step(compared: Compare) -> None:
    kinds = compared("shop/commands/waive/result.json", {"exit": 0}, {"exit": 2})
    assert [(name, kind.wording) for name, kind in kinds.items()] == [
        ("waive/result.json: exit", False)
    ]


def test_printed_lines_are_wording(compared: Compare) -> None:
    before = "BLOCKED\nrule a\nrule b\n"
    kinds = compared("shop/commands/check/stdout.txt", before, "BLOCKED\nrule c\nrule b\n")
    assert kinds["check/stdout.txt"].wording
    assert kinds["check/stdout.txt"].examples == [("shop/commands/check", "rule a", "rule c")]


def test_changed_files_of_the_project_are_data(compared: Compare) -> None:
    kinds = compared("shop/commands/changes.diff", "+requests==2.31.0", "+requests==2.32.0")
    assert not kinds["commands/changes.diff"].wording


def test_a_file_that_one_side_lacks_is_data(tmp_path: Path) -> None:
    write(tmp_path / "before", REPORT, {})
    (tmp_path / "after").mkdir()
    kinds = differences(tmp_path / "before", tmp_path / "after")
    assert [(name, kind.wording) for name, kind in kinds.items()] == [
        ("scanagg.json: (file)", False)
    ]


@pytest.mark.parametrize(
    ("after", "ignore", "code"),
    [
        (finding("a"), [], 0),
        (finding("a", message="Another shell."), [], 0),
        (finding("a", severity="low"), [], 1),
        (finding("a", severity="low"), ["scanagg.json: *"], 0),
        (finding("a", severity="low"), ["scanagg.json: findings[].severity"], 0),
        (finding("a", severity="low"), ["*.message"], 1),
    ],
)
def test_only_data_that_is_not_ignored_fails(
    tmp_path: Path, after: dict[str, Any], ignore: list[str], code: int
) -> None:
    write(tmp_path / "before", REPORT, findings(finding("a")))
    write(tmp_path / "after", REPORT, findings(after))
    sides = (str(tmp_path / "before"), str(tmp_path / "after"))
    options = [f"--ignore={pattern}" for pattern in ignore]
    command = [sys.executable, str(PROGRAM), "compare", *sides, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
