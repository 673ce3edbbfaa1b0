"""A project without a lock gets a verdict: what an install today would take is audited."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import check, scanagg
from support.lockers import index
from support.osv import osv_server, record
from support.repository import commit

PACKAGES = {
    "jinja2": {"2.9": (), "2.10": ("markupsafe",), "3.0": ("markupsafe>=1",)},
    "markupsafe": {"0.9": (), "1.0": ()},
}
FLAWS = [
    record("PYSEC-2024-1", "markupsafe", {"introduced": "0"}, {"fixed": "2.0"}),
    record("PYSEC-2024-2", "jinja2", {"introduced": "0"}, {"fixed": "2.11"}),
    record("PYSEC-2024-3", "jinja2", {"introduced": "2.11"}, {"fixed": "2.11.3"}),
]
PYPROJECT = '[project]\nname = "own"\nversion = "1"\ndependencies = [\n  "jinja2>=2.10",\n]\n'
ONLY = ("--only", "pip-audit")


@pytest.fixture
def project(make_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A library without a lock, an index with its dependencies, and a vulnerability service."""
    monkeypatch.setenv("SCANAGG_NO_RESOLVE", "0")
    with index(PACKAGES) as address, osv_server(FLAWS) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        service = f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'
        yield make_project({"pyproject.toml": PYPROJECT, "scanagg.toml": service})


def test_every_report_marks_what_was_resolved(project: Path) -> None:
    said = check(project, *ONLY, "-v", formats=["json", "sarif", "cyclonedx", "html", "md"])
    assert said.code == 0, said.out
    assert said.notices["unlocked"] == {"count": 1}
    report = said.report
    assert {one["name"]: (one["version"], one["resolved"]) for one in report["packages"]} == {
        "jinja2": ("3.0", True),
        "markupsafe": ("1.0", True),
    }
    assert said.run("pip-audit")["coverage"]["examined"] == 2
    finding = next(one for one in report["findings"] if one["package"])
    assert finding["package"]["name"] == "markupsafe"
    assert (finding["location"]["path"], finding["location"]["start_line"]) == ("pyproject.toml", 5)
    for name in ("scanagg.html", "scanagg.md"):
        assert "resolved today, not locked" in (said.folder / name).read_text("utf-8")
    assert '"resolved":true' in (said.folder / "scanagg.sarif").read_text("utf-8").replace(" ", "")
    assert "scanagg:resolved" in (said.folder / "scanagg.cdx.json").read_text("utf-8")
    assert "resolved today, not locked" in said.out


def test_a_range_that_allows_vulnerable_versions_is_a_finding_of_its_own(project: Path) -> None:
    said = check(project, *ONLY)
    (finding,) = [one for one in said.report["findings"] if not one["package"]]
    assert (finding["rule"]["id"], finding["category"]) == ("vulnerable-range", "misconfiguration")
    assert (finding["verdict"]["action"], finding["verdict"]["rule"]) == ("warn", "ranges")
    assert (finding["location"]["path"], finding["location"]["start_line"]) == ("pyproject.toml", 5)
    # 2.11 fixes what 2.10 has, and has something else.
    assert "PYSEC-2024-2" in finding["message"]
    assert finding["message"].endswith("Write jinja2>=2.11.3.")
    # The lowest version is no package, and no input of a scanner.
    assert "2.10" not in {one["version"] for one in said.report["packages"]}
    assert said.run("pip-audit")["coverage"]["found"] == 2
    assert said.report["upgrades"][0]["package"]["name"] == "markupsafe"
    assert len(said.report["upgrades"]) == 1


def gate_kinds(report: dict[str, Any]) -> list[str]:
    problems = (reason["values"].get("problem") for reason in report["gate"]["reasons"])
    return [problem["kind"] for problem in problems if problem]


def test_strict_demands_a_lock(project: Path) -> None:
    said = check(project, *ONLY, "--policy", "strict")
    assert (said.code, gate_kinds(said.report)) == (3, ["unlocked"])
    # So it does if it judges a report of another policy.
    check(project, *ONLY)
    judged = scanagg("gate", str(said.folder / "scanagg.json"), "--policy", "strict")
    assert judged.returncode == 3


@pytest.mark.parametrize("option", ["--no-resolve", "--offline"])
def test_resolving_can_be_switched_off_and_then_nothing_is_green(
    project: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanagg.inventory.uv.run", lambda *_, **__: pytest.fail("asked uv"))
    said = check(project, *ONLY, option)
    assert (said.code, said.report["packages"]) == (3, [])


def test_the_base_is_resolved_too(project: Path) -> None:
    commit(project, {"README": "more\n"})
    commit(project, {"pyproject.toml": PYPROJECT.replace("2.10", "2.9")})
    said = check(project, *ONLY, "--base", "HEAD~1")
    assert {one["origin"] for one in said.report["findings"] if one["package"]} == {"existing"}
    assert "installed-packages-count-as-new" not in said.notices


def test_license_list_resolves_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", os.environ["UV_DEFAULT_INDEX"])
    listed = scanagg("license", "list", str(project), "--format", "json")
    assert {"jinja2", "markupsafe"} == {
        one["name"] for one in json.loads(listed.stdout)["packages"]
    }
    listed = scanagg("license", "list", str(project), "--format", "json", "--no-resolve")
    assert json.loads(listed.stdout)["packages"] == []
