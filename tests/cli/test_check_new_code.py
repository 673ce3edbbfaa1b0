"""A project with history, on real repositories: old findings do not block, new ones do."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import tools
from support.command import Said, check, scanagg
from support.osv import osv_server, record
from support.repository import git

Make = Callable[..., Path]
Way = Sequence[str]

POLICY = """\
version: 1
default: info
scanners:
  bandit: {required: true}
rules:
  - {id: new-code, match: {category: [code, secret], origin: introduced}, action: block}
  - {id: new-vuln, match: {category: vulnerability, origin: introduced}, action: block}
  - id: sla
    match: {category: vulnerability, origin: [disclosed, existing]}
    action: block
    grace: {critical: 7d, high: 30d, medium: 90d, low: 180d}
  - {id: debt, match: {origin: existing}, action: info}
"""
OLD = """\
import subprocess


def first(name):
    subprocess.run(name, shell=True)


def second(name):
    return eval(name)
"""


@pytest.fixture
def project(make_project: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCANAGG_BANDIT_PATH", str(tools.fast_bandit()))
    files = {"app/old.py": OLD, "app/__init__.py": "", "scanagg.yml": POLICY, "scanagg.toml": ""}
    return make_project(files)


def commit(root: Path, message: str = "change") -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD").strip()


def by_origin(said: Said) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in said.report["findings"]:
        found.setdefault(one["origin"], []).append(one["rule"]["id"])
    return {origin: sorted(rules) for origin, rules in found.items()}


def blocking(said: Said) -> list[dict[str, Any]]:
    return [one for one in said.report["findings"] if one["verdict"]["action"] == "block"]


WAYS = (("--base", "main"), ("--base", "main", "--baseline", "policies/baseline.json"), ())
"""The kinds of base: the commit, the baseline file that was written in it, and both."""


def checked(project: Path, *argv: str) -> Said:
    return check(project, *argv, formats=["json"])


@pytest.fixture
def with_baseline(project: Path) -> Path:
    done = scanagg("baseline", "write", str(project), "--only", "bandit")
    assert done.returncode == 0, done.stderr
    commit(project, "baseline")
    git(project, "checkout", "-q", "-b", "feature")
    return project


def test_without_a_base_everything_is_introduced_and_said(project: Path) -> None:
    said = checked(project, "--only", "bandit")
    assert said.code == 1
    assert set(by_origin(said)) == {"introduced"}
    assert said.report["base"] is None


@pytest.mark.parametrize("way", WAYS)
def test_old_findings_do_not_block(with_baseline: Path, way: Way) -> None:
    said = checked(with_baseline, "--only", "bandit", *way)
    assert said.code == 0, said.out
    assert set(by_origin(said)) == {"existing"}


@pytest.mark.parametrize("way", WAYS)
def test_moving_and_formatting_make_nothing_new(with_baseline: Path, way: Way) -> None:
    moved = OLD.replace("def first", "import os\n\n\ndef first").replace(
        "    subprocess.run(name, shell=True)",
        "    subprocess.run(\n        name,\n        shell=True,\n    )",
    )
    head, _, second = moved.partition("def second")
    (with_baseline / "app" / "old.py").unlink()
    (with_baseline / "app" / "new_name.py").write_text(
        f"def second{second}\n\n{head}", encoding="utf-8"
    )
    commit(with_baseline)
    said = checked(with_baseline, "--only", "bandit", *way)
    assert said.code == 0, said.out
    assert set(by_origin(said)) == {"existing"}


@pytest.mark.parametrize("way", WAYS)
def test_a_second_copy_gives_exactly_one_new_finding(
    with_baseline: Path, way: Sequence[str]
) -> None:
    twice = OLD.replace("    return eval(name)\n", "    eval(name)\n    return eval(name)\n")
    (with_baseline / "app" / "old.py").write_text(twice, encoding="utf-8")
    said = checked(with_baseline, "--only", "bandit", *way)
    assert said.code == 1
    assert by_origin(said)["introduced"] == ["B307"]
    assert len(by_origin(said)["existing"]) == 3


def test_a_new_dependency_blocks_and_an_old_one_of_the_same_severity_does_not(
    make_project: Make,
) -> None:
    records = [
        record("PYSEC-2024-1", "jinja2", {"introduced": "0"}, {"fixed": "3.0"}),
        record("PYSEC-2024-2", "requests", {"introduced": "0"}, {"fixed": "3.0"}),
    ]
    with osv_server(records) as url:
        service = f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'
        policy = POLICY.replace(
            "action: block\n    grace: {critical: 7d, high: 30d, medium: 90d, low: 180d}",
            "action: warn",
        )
        root = make_project(
            {
                "requirements.txt": "jinja2==2.4.1\n",
                "scanagg.yml": policy,
                "scanagg.toml": service,
            }
        )
        git(root, "checkout", "-q", "-b", "feature")
        (root / "requirements.txt").write_text("jinja2==2.4.1\nrequests==2.19.0\n", "utf-8")
        commit(root)
        said = checked(root, "--only", "pip-audit", "--base", "main")
    assert said.code == 1
    assert [one["package"]["name"] for one in blocking(said)] == ["requests"]
    assert by_origin(said) == {"introduced": ["PYSEC-2024-2"], "existing": ["PYSEC-2024-1"]} or (
        by_origin(said) == {"introduced": ["PYSEC-2024-2"], "disclosed": ["PYSEC-2024-1"]}
    )


def test_a_finding_with_new_places_is_two_in_every_report(make_project: Make) -> None:
    flaw = record("PYSEC-2024-1", "jinja2", {"introduced": "0"}, {"fixed": "3.0"})
    only = ("--only", "pip-audit", "--policy", "pull-request")
    with osv_server([flaw]) as url:
        service = f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'
        pin = "jinja2==2.4.1\n"
        root = make_project({"m/requirements.txt": pin, "scanagg.toml": service})
        done = scanagg("baseline", "write", str(root), *only)
        assert done.returncode == 0, done.stderr
        commit(root)
        for folder in ("a", "z"):
            (root / folder).mkdir()
            (root / folder / "requirements.txt").write_text(pin, "utf-8")
        commit(root)
        said = check(root, *only, formats=["json", "sarif", "cyclonedx"])
        again = scanagg("baseline", "write", str(root), *only)
    parts = {
        (one["origin"], *(place["path"] for place in one["places"])): one
        for one in said.report["findings"]
    }
    new = ("introduced", "a/requirements.txt", "z/requirements.txt")
    assert set(parts) == {("existing", "m/requirements.txt"), new}
    fingerprints = {one["fingerprint"] for one in parts.values()}
    assert len(fingerprints) == 2
    assert parts[new]["location"]["path"] == "a/requirements.txt"
    sarif = json.loads((said.folder / "scanagg.sarif").read_text("utf-8"))
    results = [one for run in sarif["runs"] for one in run["results"]]
    for key in ("primaryLocationLineHash", "scanaggFindingId/v1"):
        assert len({one["partialFingerprints"][key] for one in results}) == 2
    # The upgrade, and the page about one part, are found by either.
    assert [one["clears"] for one in said.report["upgrades"]] == [["PYSEC-2024-1"]]
    report = str(said.folder / "scanagg.json")
    page = scanagg("explain", parts[new]["id"], str(root), "--report", report)
    assert "z/requirements.txt:1" in page.stdout
    assert "m/requirements.txt:1" not in page.stdout
    # The baseline has one entry, and needs no other.
    assert again.returncode == 0, again.stderr
    entries = json.loads((root / "policies" / "baseline.json").read_text("utf-8"))
    assert len(entries) == 2


def test_a_new_advisory_for_an_old_dependency_warns_with_a_deadline(
    make_project: Make, data_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(data_dir / "trivy-cache", tmp_path / "trivy-cache")
    settings = f'[scanners.trivy]\ncache-dir = "{tmp_path}/trivy-cache"\nskip-db-update = true\n'
    root = make_project(
        {
            "requirements.txt": "jinja2==2.4.1\n",
            "scanagg.yml": POLICY,
            "scanagg.toml": settings,
        }
    )
    git(root, "checkout", "-q", "-b", "feature")
    (root / "README").write_text("text", "utf-8")
    commit(root)
    late = checked(root, "--only", "trivy", "--base", "main", "--now", "2040-01-01").report[
        "findings"
    ]
    known = [one for one in late if one["advisory"]["published"]]
    newest = max(known, key=lambda one: str(one["advisory"]["published"]))
    published = str(newest["advisory"]["published"])[:10]

    soon = checked(root, "--only", "trivy", "--base", "main", "--now", f"{published}T23:59:59Z")
    one = next(each for each in soon.report["findings"] if each["id"] == newest["id"])
    assert one["verdict"]["action"] == "warn"
    assert one["deadline"] > published
    assert one["verdict"]["rule"] == "sla"
    after = next(each for each in late if each["id"] == newest["id"])
    assert after["verdict"]["action"] == "block", "the grace time is long over"


def test_what_is_moved_or_copied_to_where_it_does_more_harm_blocks(make_project: Make) -> None:
    """By the policy for pull requests, with the place where it was before."""
    records = [
        record("PYSEC-2024-1", "jinja2", {"introduced": "0"}, {"fixed": "3.0"}),
        record("PYSEC-2024-2", "requests", {"introduced": "0"}, {"fixed": "3.0"}),
    ]
    key = "AKIA" + "Q7RTZK4MXW2PN6VB"
    with osv_server(records) as url:
        service = f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'
        root = make_project(
            {
                "requirements.txt": "six==1.16.0\n",
                "requirements-dev.txt": "jinja2==2.4.1\n",
                "a/requirements.txt": "requests==2.19.0\n",
                "b/requirements.txt": "six==1.16.0\n",
                "tests/tool.py": OLD,
                "a.py": f'KEY = "{key}"\n',
                "scanagg.toml": service,
            }
        )
        git(root, "checkout", "-q", "-b", "feature")
        (root / "app").mkdir()
        git(root, "mv", "tests/tool.py", "app/tool.py")
        (root / "requirements.txt").write_text("six==1.16.0\njinja2==2.4.1\n", "utf-8")
        (root / "requirements-dev.txt").write_text("pytest==8.0.0\n", "utf-8")
        (root / "a" / "requirements.txt").write_text("six==1.16.0\n", "utf-8")
        (root / "b" / "requirements.txt").write_text("requests==2.19.0\n", "utf-8")
        (root / "deploy").mkdir()
        shutil.copy(root / "a.py", root / "deploy" / "prod.py")
        commit(root)
        only = ("--only", "bandit,detect-secrets,pip-audit", "--policy", "pull-request")
        said = checked(root, *only, "--base", "main", "--policy-ref", "main")
    assert said.code == 1
    found = {one["rule"]["id"]: one["origin_reason"]["values"] for one in blocking(said)}
    assert found == {
        "B602": {"path": "tests/tool.py"},
        "B307": {"path": "tests/tool.py"},
        "aws-access-key": {"path": "a.py"},
        "PYSEC-2024-1": {"package": "jinja2 2.4.1", "paths": ["requirements-dev.txt"]},
        "PYSEC-2024-2": {"package": "requests 2.19.0", "paths": ["a/requirements.txt"]},
    }
    assert said.report["gate"]["attempts"] == []
