"""The bill of materials of a real check, read by another program."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tools
from support.bom import bom_report, package
from support.command import Said, check
from support.cyclonedx_check import (
    Plain,
    assert_reads_back_equal,
    properties,
    schema_errors,
    text_of,
)
from support.kept import keep, keep_epss, keep_kev, keep_zip
from support.osv import record

from scanagg.model import Scope

Make = Callable[..., Path]
Pair = tuple[str, str]

PINS = "django==3.2.0\njinja2==2.4.1\nrequests==2.19.0\n"
POLICY = """version: 1
default: warn
waivers:
  items:
    - ids: [GHSA-462w-v97r-4m45]
      purl: "pkg:pypi/jinja2"
      state: not_affected
      reason: templates are ours
      owner: "@web"
      expires: 2024-12-31
"""
LOCK = """version = 1
requires-python = ">=3.11"

[[package]]
name = "shop"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "widget" }]

[package.metadata]
requires-dist = [{ name = "widget" }]

[[package]]
name = "widget"
version = "1.0"
source = { registry = "https://index.invalid/simple" }
dependencies = [{ name = "gadget" }]

[[package]]
name = "gadget"
version = "2.0"
source = { registry = "https://index.invalid/simple" }
"""


@pytest.fixture
def cache() -> Path:
    return Path(os.environ["SCANAGG_CACHE_DIR"])


def checked(project: Path, *argv: str) -> tuple[Said, Plain]:
    """An offline check by pip-audit, and its bill of materials, valid and read back."""
    said = check(project, "--offline", "--only", "pip-audit", *argv, formats=("cyclonedx", "json"))
    document: Plain = json.loads((said.folder / "scanagg.cdx.json").read_text("utf-8"))
    assert schema_errors(document) == []
    assert_reads_back_equal(document)
    return said, document


def trivy(data_dir: Path, tmp_path: Path, file: Path) -> set[Pair]:
    """Return package and id of everything that trivy finds from a bill of materials."""
    shutil.copytree(data_dir / "trivy-cache", tmp_path / "trivy-cache")
    done = subprocess.run(
        [tools.trivy(), "sbom", "--cache-dir", tmp_path / "trivy-cache", "--skip-db-update",
         "--offline-scan", "--skip-version-check", "--quiet", "--format", "json", file],
        capture_output=True, text=True, check=True, env={"PATH": os.defpath},
    )  # fmt: skip
    results: list[Any] = json.loads(done.stdout).get("Results") or []
    return {
        (one["PkgName"], one["VulnerabilityID"])
        for result in results
        for one in result.get("Vulnerabilities") or []
    }


def test_trivy_finds_by_it_what_the_report_says(
    make_project: Make, cache: Path, data_dir: Path, tmp_path: Path
) -> None:
    keep_zip(cache, data_dir / "pypi-osv.zip")
    said, document = checked(make_project({"requirements.txt": PINS}))
    found = {
        (one["package"]["name"], one["rule"]["id"])
        for one in said.report["findings"]
        if one["category"] == "vulnerability"
    }
    shown = {
        (one["affects"][0]["ref"].removeprefix("pkg:pypi/").partition("@")[0], one["id"])
        for one in document["vulnerabilities"]
    }
    assert shown == found
    assert trivy(data_dir, tmp_path, said.folder / "scanagg.cdx.json") == found
    assert len(found) > 30


def test_trivy_looks_at_excluded_packages_too(data_dir: Path, tmp_path: Path) -> None:
    packages = (
        package("django", "3.2.0", direct=False),
        package("jinja2", "2.4.1", scope=Scope.DEV),
        package("torch", "1.0+cpu"),
    )
    file = tmp_path / "bom.cdx.json"
    file.write_text(text_of(bom_report(*packages)), "utf-8")
    names = {name for name, _ in trivy(data_dir, tmp_path, file)}
    assert {"django", "jinja2"} <= names


def test_a_waiver_of_the_policy_is_an_analysis(
    make_project: Make, cache: Path, data_dir: Path
) -> None:
    keep_zip(cache, data_dir / "pypi-osv.zip")
    project = make_project({"requirements.txt": PINS, "scanagg.yml": POLICY})
    _, document = checked(project, "--now", "2024-11-01T00:00:00Z")
    analysed = {
        one["id"]: one["analysis"] for one in document["vulnerabilities"] if "analysis" in one
    }
    assert analysed == {
        "CVE-2019-10906": {
            "state": "not_affected",
            "detail": "templates are ours — @web — until 2024-12-31",
        }
    }


def test_a_waiver_that_has_expired_is_none(make_project: Make, cache: Path, data_dir: Path) -> None:
    keep_zip(cache, data_dir / "pypi-osv.zip")
    project = make_project({"requirements.txt": PINS, "scanagg.yml": POLICY})
    _, document = checked(project, "--now", "2025-02-01T00:00:00Z")
    assert not [one for one in document["vulnerabilities"] if "analysis" in one]
    (void,) = [
        said["waiver:void"]
        for said in map(properties, document["vulnerabilities"])
        if "waiver:void" in said
    ]
    assert "2024-12-31" in void[0]


def test_a_lock_is_a_graph_from_the_project_on(make_project: Make, cache: Path) -> None:
    hole = record("CVE-2024-1001", "gadget", {"introduced": "0"}, {"fixed": "2.1"})
    keep(cache, [hole])
    keep_kev(cache, "2024-06-01", "CVE-2024-1001")
    keep_epss(cache, "2024-06-01", {"CVE-2024-1001": 0.25})
    project = make_project(
        {
            "pyproject.toml": '[project]\nname = "shop"\nversion = "0.1.0"\n'
            'dependencies = ["widget"]\n',
            "uv.lock": LOCK,
        }
    )
    said, document = checked(project)
    assert said.run("pip-audit")["status"] == "ok"
    graph = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert graph == {
        "target:project": ["pkg:pypi/widget@1.0"],
        "pkg:pypi/widget@1.0": ["pkg:pypi/gadget@2.0"],
    }
    assert [one["aggregate"] for one in document["compositions"]] == ["complete"] * 2
    parts = {one["name"]: properties(one) for one in document["components"]}
    assert parts["gadget"]["chain"] == ["widget → gadget"]
    assert parts["gadget"]["asked"] == ["pyproject.toml:4"]
    (one,) = document["vulnerabilities"]
    facts = properties(one)
    assert (facts["kev"], facts["epss"], facts["epss:percentile"]) == (["true"], ["0.25"], ["0.5"])
    assert "gadget to 2.1" in one["recommendation"]
    head = properties(document["metadata"])
    assert {"data:osv-pypi:digest", "data:kev:digest", "data:epss:digest"} <= {
        name.replace("cisa-", "").replace("first-", "") for name in head
    }


def test_requirements_without_a_version_are_said_to_be_missing(
    make_project: Make, cache: Path
) -> None:
    keep(cache, [record("CVE-2024-1001", "gadget", {"introduced": "0"})])
    _, document = checked(make_project({"requirements.txt": "widget==1.0\ngadget>=2\n"}))
    assert [one["name"] for one in document["components"]] == ["widget"]
    assert document["compositions"][0]["aggregate"] == "incomplete"
    (gap,) = properties(document["metadata"])["not-examined"]
    assert "gadget>=2" in gap
