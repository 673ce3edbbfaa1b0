"""`scanagg demo` shows what it says, and leaves the user's data alone."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.command import scanagg
from support.repository import git

from scanagg.scanners.base import scanner_infos


@dataclass(frozen=True)
class Shown:
    """A run of `scanagg demo`: what it printed, its report, and the folders of the user."""

    out: str
    project: Path
    report: dict[str, Any]
    user: Path

    def findings(self, action: str, origin: str) -> set[str]:
        """Return the rules of findings with a verdict and an origin."""
        return {
            finding["rule"]["id"]
            for finding in self.report["findings"]
            if finding["verdict"]["action"] == action and finding["origin"] == origin
        }


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The demonstration of a user with an empty home and a key, in a pull request."""
    user = tmp_path_factory.mktemp("user")
    cwd = tmp_path_factory.mktemp("work")
    data = {info.data_variable for info in scanner_infos().values()} - {""}
    env = {
        "HOME": str(user),
        "XDG_CACHE_HOME": str(user / ".cache"),
        "SCANAGG_CACHE_DIR": str(user / "cache"),
        "SCANAGG_PROJECT_KEY": "0123456789abcdef" * 4,
        "GITHUB_BASE_REF": "release",
        **{name: str(user / name) for name in data},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        before = dict(os.environ)
        done = scanagg("demo", "shop", cwd=cwd)
        assert dict(os.environ) == before
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((cwd / "shop" / "reports" / "scanagg.json").read_text("utf-8"))
    return Shown(done.stdout, cwd / "shop", report, user)


def test_it_blocks_what_the_branch_adds(shown: Shown) -> None:
    assert shown.report["gate"]["outcome"] == "blocked"
    assert shown.findings("block", "introduced") == {
        *("CVE-2020-14343", "B608", "license-denied", "stripe-access-key"),
    }
    assert shown.findings("block", "existing") == set()


def test_it_shows_what_the_base_has(shown: Shown) -> None:
    assert {"CVE-2023-37920", "B324"} <= (
        shown.findings("warn", "existing") | shown.findings("info", "existing")
    )
    base = git(shown.project, "rev-parse", "main").strip()
    assert shown.report["base"]["commit"] == base


def test_it_sets_the_placeholder_aside(shown: Shown) -> None:
    unlikely = [one for one in shown.report["findings"] if one["confidence"] == "unlikely"]
    assert [one["location"]["path"] for one in unlikely] == ["shop/settings.py"]
    assert "your-password-here" in (shown.project / "shop" / "settings.py").read_text()


def test_it_names_the_unread_file(shown: Shown) -> None:
    unread = [one for one in shown.report["gate"]["notices"] if one["kind"] == "unread-files"]
    assert [one["values"]["inputs"] for one in unread] == [["theme/package.json"]]


def test_its_required_scanners_examine_everything(shown: Shown) -> None:
    runs = {run["scanner"]: run["status"] for run in shown.report["runs"]}
    assert set(runs) == set(scanner_infos())
    required = ("bandit", "detect-secrets", "licenses", "pip-audit")
    assert {runs[name] for name in required} == {"ok"}


def test_it_writes_nothing_outside_of_its_folder(shown: Shown) -> None:
    assert [*shown.user.iterdir()] == []
    assert [path.name for path in shown.project.parent.iterdir()] == ["shop"]
    assert git(shown.project, "status", "--porcelain") == ""


def test_its_next_steps_work(shown: Shown) -> None:
    steps = [line for line in shown.out.splitlines() if "scanagg explain" in line]
    (words,) = [line.partition("scanagg ")[2].split() for line in steps if "B608" in line]
    done = scanagg(*words, cwd=shown.project.parent)
    assert done.returncode == 0
    assert "judged by another policy" not in done.stdout
    assert "shop/reports/scanagg.html in" in shown.out
    assert (shown.project / "reports" / "scanagg.html").is_file()


def test_it_does_not_show_the_key(shown: Shown) -> None:
    line = next(
        line
        for line in (shown.project / "shop" / "settings.py").read_text().splitlines()
        if line.startswith("STRIPE_KEY")
    )
    key = line.split('"')[1]
    reports = [path.read_text("utf-8") for path in (shown.project / "reports").iterdir()]
    assert not [text for text in (shown.out, *reports) if key in text]


def test_a_check_that_is_incomplete_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip-audit").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pip-audit").chmod(0o755)
    monkeypatch.setenv("SCANAGG_PIP_AUDIT_PATH", str(tmp_path / "pip-audit"))
    done = scanagg("demo", str(tmp_path / "shop"))
    assert done.returncode == 3
    assert "What this shows" not in done.stdout


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = scanagg("demo", str(tmp_path))
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
