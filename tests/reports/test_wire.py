"""A stored report is read back whole; anything else is refused with a reason."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.command import check
from support.sample import NOW, sample_findings, sample_report
from support.sample_known import known_report
from support.sample_whole import full_report

from scanagg.core.errors import ReportError
from scanagg.model import (
    Judged,
    LicenseFacts,
    Origin,
    Report,
)
from scanagg.reports import wire
from scanagg.reports.json import render


def written(report: Report, folder: Path) -> Path:
    path = folder / "scanagg.json"
    path.write_text("".join(render(report)), encoding="utf-8")
    return path


@pytest.mark.parametrize("make", [sample_report, full_report, known_report])
def test_a_report_read_back_is_written_as_it_was(
    make: Callable[[], Report], tmp_path: Path
) -> None:
    path = written(make(), tmp_path)
    assert "".join(render(wire.read(path))) == path.read_text(encoding="utf-8")


def test_packages_data_and_upgrades_come_back_as_they_were(tmp_path: Path) -> None:
    report = known_report()
    read = wire.read(written(report, tmp_path))
    assert read.packages == report.packages
    assert read.data == report.data
    assert read.upgrades == report.upgrades
    assert [one.finding.advisory for one in read.findings] == [
        one.finding.advisory for one in report.findings
    ]
    assert [one.finding.package for one in read.findings] == [
        one.finding.package for one in report.findings
    ]
    assert {"requirements.in", "requirements.txt"} <= {file.path for file in read.target.files}


def test_what_scanners_said_comes_back_and_what_the_policy_decided_does_not(
    tmp_path: Path,
) -> None:
    report = full_report()
    read = wire.read(written(report, tmp_path))
    hidden = {"claims", "line_hash", "rule"}
    for before, after in zip(report.findings, read.findings, strict=True):
        for name in set(Judged.__struct_fields__) - {"finding"}:
            assert getattr(before, name) == getattr(after, name), name
        for name in set(type(before.finding).__struct_fields__) - hidden:
            assert getattr(before.finding, name) == getattr(after.finding, name), name
        assert after.finding.claims == tuple(
            claim for claim in before.severity_sources if claim.scanner != "scanagg"
        )
    assert read.licenses == report.licenses
    assert read.waivers == report.waivers
    assert read.runs == report.runs
    assert read.base == report.base
    assert read.gate == report.gate
    assert read.policy == report.policy
    assert read.clock == report.clock


def test_of_the_files_those_are_known_that_the_report_names(tmp_path: Path) -> None:
    read = wire.read(written(full_report(), tmp_path))
    assert len(read.target.files) == len(full_report().target.files)
    assert {file.path for file in read.target.files} >= {"Dockerfile", "app/db.py"}
    nothing = replace(full_report(), findings=(), licenses=())
    assert {file.path for file in wire.read(written(nothing, tmp_path)).target.files} == {"."}


def test_a_real_report_read_back_is_written_as_it_was(make_project: Callable[..., Path]) -> None:
    project = make_project(
        {"a.py": "import subprocess\nsubprocess.run('x', shell=True)\nassert 1\n"}
    )
    said = check(project, "--only", "bandit,detect-secrets", formats=("json",))
    path = said.folder / "scanagg.json"
    read = wire.read(path)
    assert {judged.finding.rule.id for judged in read.findings} >= {"B602", "B101"}
    assert "".join(render(read)) == path.read_text(encoding="utf-8")


def as_dict(tmp_path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(written(full_report(), tmp_path).read_text("utf-8"))
    return loaded


def test_keys_that_older_reports_lack_have_defaults(tmp_path: Path) -> None:
    said = as_dict(tmp_path)
    for key in ("base", "waivers", "licenses"):
        del said[key]
    del said["policy"]["files"], said["policy"]["ref"], said["gate"]["attempts"]
    kept = {
        *("id", "fingerprint", "category", "rule", "severity", "severity_sources"),
        *("confidence", "title", "message", "location", "places", "package", "advisory"),
        *("license", "witnesses", "verdict"),
    }
    said["findings"] = [
        {key: value for key, value in one.items() if key in kept} for one in said["findings"]
    ]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    read = wire.read(path)
    assert {judged.origin for judged in read.findings} == {Origin.INTRODUCED}
    (denied,) = [one.finding for one in read.findings if one.finding.id == f"{20:012x}"]
    assert denied.license == LicenseFacts(text="MIT")


def test_keys_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    said = as_dict(tmp_path)
    said["later"] = {"x": [1]}
    said["findings"][0]["later"] = None
    path = tmp_path / "later.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert len(wire.read(path).findings) == len(full_report().findings)


def test_a_reason_without_its_values_is_refused(tmp_path: Path) -> None:
    said = as_dict(tmp_path)
    said["gate"]["notices"] = [{"kind": "files-excluded", "values": {}, "text": "some"}]
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert "files-excluded has no count" in refused(path)


def refused(path: Path) -> str:
    with pytest.raises(ReportError) as caught:
        wire.read(path)
    assert caught.value.hint
    assert path.name in caught.value.message
    return caught.value.message


def test_a_file_that_is_not_there_or_is_none_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json").endswith("none.json: does not exist")
    assert "is not a file" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a file" in refused(tmp_path / "pipe")
    with pytest.raises(ReportError, match=r"does not exist|cannot be read"):
        wire.read(Path("a\0b"))


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = written(full_report(), tmp_path)
    # Simulated, because root may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read: Permission denied" in refused(path)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON: Input data was truncated"),
        (b"hello", "not JSON"),
        (b'{"schema": "scanagg-report/1\xff"}', "not JSON"),
        (b"[1, 2]", "not a report of scanagg"),
        (b'{"version": "2.1.0", "runs": []}', "not a report of scanagg"),
        (b'{"schema": 1}', "not a report of scanagg"),
        (b'{"schema": "other/1"}', "not a report of scanagg: schema other/1"),
        (b'{"schema": "scanagg-report/2"}', "reads scanagg-report/1"),
        (b'{"schema": "scanagg-report/1"}', "missing required field `scanagg`"),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "scanagg.json"
    path.write_bytes(raw)
    assert reason in refused(path)


def test_a_report_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    """The decoder gives up at a depth that depends on the Python, or reads it all."""
    path = tmp_path / "scanagg.json"
    path.write_bytes(b'{"schema": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    said = refused(path)
    assert "nested too deeply" in said or "not a report of scanagg: schema x" in said


def test_every_cut_of_a_report_is_refused(tmp_path: Path) -> None:
    path = written(sample_report(sample_findings()[:1]), tmp_path)
    whole = path.read_bytes().rstrip()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        assert "not JSON" in refused(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda said: said["clock"].update(now=5), "`$.clock.now`"),
        (lambda said: said["findings"][0].update(severity="bad"), "`$.findings[0].severity`"),
        (lambda said: said["runs"][1].update(status=None), "`$.runs[1].status`"),
        (lambda said: said["gate"].pop("reasons"), "missing required field `reasons`"),
        (
            lambda said: said["findings"][2]["location"].update(start_line=-4),
            "impossible lines -4 to None - at `$.findings[2].location`",
        ),
        (
            lambda said: said["findings"][2]["location"].update(path="../../etc/passwd"),
            "not a path inside the target: '../../etc/passwd'",
        ),
        (
            lambda said: said["runs"][0]["coverage"].update(examined=99),
            "examined 99 of 3 files - at `$.runs[0].coverage`",
        ),
        (
            lambda said: said["findings"][0].update(advisory=None),
            "a vulnerability needs a package and an advisory",
        ),
        (lambda said: said["findings"][1].update(package=None), "a licence needs a package"),
    ],
)
def test_a_report_with_a_wrong_value_is_refused_with_its_place(
    change: Callable[[dict[str, Any]], object], reason: str, tmp_path: Path
) -> None:
    said = as_dict(tmp_path)
    change(said)
    path = tmp_path / "scanagg.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert reason in refused(path)


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "scanagg.json"
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
    assert "larger than 512 MiB" in refused(path)


def test_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    said = as_dict(tmp_path)
    said["clock"]["now"] = "2026-03-04T05:06:07"
    path = tmp_path / "scanagg.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert wire.read(path).clock.now == NOW
