"""`scanagg waivers`: matches, days left, unused and expired waivers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import scanagg
from support.sample import sample_report

from scanagg.reports.base import reporter

Make = Callable[..., Path]

NOW = ("--now", "2026-03-04")
WAIVERS = """\
version: 1
items:
  - ids: [GHSA-hj2j-77xm-mc5v]
    purl: pkg:pypi/jinja2
    versions: <3
    reason: "the sandbox is not used \\e[31m"
    owner: "@team-web"
    expires: 2026-04-01
    until_fixed: false
  - path: app/**
    state: not_affected
    reason: old code
    owner: "@core"
    expires: 2026-02-01
  - purl: pkg:pypi/gone
    reason: removed since
    owner: "@core"
    expires: 2026-05-01
    until_fixed: true
"""
POLICY = """\
version: 1
default: warn
waivers:
  items:
    - fingerprint: "v2:0000000000000000000000000000000000000000000000000000000000000003"
      reason: a test password
      owner: "@qa"
      expires: 2026-03-04
"""


@pytest.fixture
def project(make_project: Make) -> Path:
    return make_project({"policies/waivers.yml": WAIVERS, "policies/scanagg.yml": POLICY})


def waivers(project: Path, *argv: str, code: int = 0) -> str:
    done = scanagg("waivers", str(project), *(argv or NOW))
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def report(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "scanagg.json"
    file.write_text("".join(reporter("json").render(sample_report())), encoding="utf-8")
    return file


def row(output: str, word: str) -> str:
    return next(" ".join(line.split()) for line in output.splitlines() if word in line)


def test_every_waiver_with_what_it_matches_and_days_left(project: Path) -> None:
    report(project / "reports")
    output = waivers(project)
    assert "4 waivers" in output
    used = row(output, "@team-web")
    assert used.startswith(
        "policies/waivers.yml:3 GHSA-hj2j-77xm-mc5v pkg:pypi/jinja2 <3 risk_accepted @team-web"
        " 1 2026-04-01, 28 days left"
    )
    assert used.endswith(r"the sandbox is not used \x1b[31m")
    assert " 0 2026-02-01, expired 31 days ago old code" in row(output, "app/**")
    assert " unused 2026-05-01, 58 days left removed since (until fixed)" in row(
        output, "pkg:pypi/gone"
    )
    last = row(output, "@qa")
    assert last.startswith("policies/scanagg.yml:5 000000000000 ")
    assert "1 2026-03-04, last day a test password" in last
    assert "2026-03-04 05:06 UTC" in output


def test_it_works_without_a_report_and_says_so(project: Path) -> None:
    output = waivers(project)
    assert " - 2026-04-01, 28 days left " in row(output, "@team-web")
    assert " - 2026-02-01, expired 31 days ago " in row(output, "app/**")
    assert "unused" not in output
    assert "reports/scanagg.json does not exist. Run `scanagg check`" in output


def test_another_report_can_be_named(project: Path) -> None:
    elsewhere = report(project.parent / "elsewhere")
    assert " 1 2026-04-01, 28 " in row(
        waivers(project, *NOW, "--report", str(elsewhere)), "@team-web"
    )
    missing = str(project / "nothing.json")
    assert "does not exist" in waivers(project, *NOW, "--report", missing, code=2)


def test_a_report_that_is_none_is_said(project: Path) -> None:
    report(project / "reports").write_text("{")
    assert "scanagg.json" in waivers(project, code=2)


def test_the_configured_folder_is_where_the_report_is(project: Path) -> None:
    (project / "scanagg.toml").write_text('output-dir = "out"\n')
    report(project / "out")
    assert " 1 2026-04-01, 28 " in row(waivers(project), "@team-web")


def test_no_waivers(make_project: Make) -> None:
    assert waivers(make_project({"a.py": ""})) == "No waivers.\n"


def test_waivers_that_do_not_load_are_an_error(make_project: Make) -> None:
    root = make_project({"policies/waivers.yml": WAIVERS.replace("owner:", "who:")})
    output = waivers(root, code=2)
    assert "policies/waivers.yml:" in output
    assert "unknown key 'who'" in output
    assert "is not an ISO time" in waivers(root, "--now", "soon", code=2)
