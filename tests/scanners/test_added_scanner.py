"""A scanner is one package: if one is added, every command and report supports it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanagg.model import Category
from scanagg.scanners.base import scanner_info, scanner_infos, usual_scanner

SHOUTER = '''
"""shouter: lines of Python in capital letters, by a program that prints JSON."""

import json
import sys

from scanagg.model import Category, Location, Observation, Rule, ScannerInfo, Severity
from scanagg.model import SeverityClaim, plain
from scanagg.scanners import base

INFO = ScannerInfo(
    name="shouter",
    title="Shouter",
    about="Lines in capital letters.",
    url="https://shouter.example/docs",
    install="pip install shouter",
    options={"volume": "How loud it may be."},
    args=frozenset({"--loud"}),
    native_files=("shouter.toml",),
    categories=frozenset({Category.CODE}),
    rule_aliases={"SH2": "B307"},
)
PROGRAM = """
import json, sys
lines = [(path, number, line) for path in sys.argv[1:]
         for number, line in enumerate(open(path).read().splitlines(), 1)]
rules = {"SHOUT": "SH1", "eval(": "SH2"}
print(json.dumps([(path, number, rule) for path, number, line in lines
                  for word, rule in rules.items() if word in line]))
"""

probe, identify, again = base.probe, base.identify, base.again
recall, advisory_source = base.recall, base.advisory_source


def locate(context):
    return base.Tool((sys.executable, "-c", PROGRAM), "shouter", "7.0.1")


def inputs(context):
    paths = (file.path for file in context.target.files)
    return base.Inputs("files", tuple(path for path in paths if path.endswith(".py")))


def batches(context, inputs):
    return [inputs.found]


def call(context, tool, batch):
    return base.Call(tool.argv, batch, extra=batch, cwd=context.target.root)


def parse(context, output):
    try:
        answer = json.loads(output.stdout)
    except ValueError as error:
        raise base.failure(output.stderr, plain("no JSON")) from error
    return base.Parsed(
        observations=tuple(
            Observation(
                scanner=INFO.name,
                category=Category.CODE,
                rule=Rule(rule, "shouting", "Shouting"),
                title="Somebody shouts here",
                message="Somebody shouts here.",
                claims=(SeverityClaim("tool", Severity.HIGH, INFO.name),),
                location=Location(path, line),
            )
            for path, line, rule in answer
        ),
        examined=output.inputs,
    )
'''
# Like `scanagg`, with one more folder to search for scanners.
SCANAGG = """
import sys, scanagg.scanners
scanagg.scanners.__path__.append({folder!r})
sys.argv = ["scanagg", *sys.argv[1:]]
from scanagg.cli import main
main()
"""
POLICY = """\
version: 1
default: warn
scanners: {shouter: {required: true}}
rules:
  - {id: quiet, match: {scanner: shouter, rule: SH1}, action: block}
"""
CASES = """\
version: 1
policy: scanagg.yml
cases:
  - {finding: {category: code, scanner: shouter, rule: SH1, severity: low, path: a.py},
     expect: block, rule: quiet}
  - {finding: {category: code, rule: SH1, severity: low, path: a.py}, expect: warn}
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(make_project: Callable[..., Path]) -> Path:
    return make_project(
        {
            "a.py": "# SHOUT\nprint(1)\nprint(eval('2'))\n",
            "policies/scanagg.yml": POLICY,
            "policies/cases.yml": CASES,
        }
    )


@pytest.fixture
def run(tmp_path: Path, project: Path) -> Run:
    """Run scanagg in the project, with the added scanner unless `without` it."""
    package = tmp_path / "more" / "shouter"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SHOUTER, encoding="utf-8")

    def run(*argv: str, code: int, without: bool = False) -> subprocess.CompletedProcess[str]:
        program = SCANAGG.format(folder=str(tmp_path / "nothing" if without else package.parent))
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *argv],
            cwd=project,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def driver(log: Any, name: str) -> Any:
    drivers = [run["tool"]["driver"] for run in log["runs"]]
    return next(one for one in drivers if one["name"] == name)


def check(run: Run, *argv: str, code: int) -> None:
    formats = [part for name in ("json", "sarif", "html", "md") for part in ("--format", name)]
    run("check", "--offline", "--only", "bandit,shouter", *formats, *argv, code=code)


def test_an_added_scanner_is_known_to_every_command_and_report(run: Run, project: Path) -> None:
    check(run, code=1)
    folder = project / "reports"
    report = loaded(folder / "scanagg.json")
    findings = {one["rule"]["id"]: one for one in report["findings"]}
    assert findings["SH1"]["verdict"]["rule"] == "quiet"
    # Its rule SH2 is bandit's B307 by another name: one finding with two witnesses.
    assert [one["scanner"] for one in findings["B307"]["witnesses"]] == ["bandit", "shouter"]
    assert "SH2" not in findings
    shouter = driver(loaded(folder / "scanagg.sarif"), "shouter")
    assert shouter["informationUri"] == "https://shouter.example/docs"
    assert shouter["fullName"] == "Shouter, run by scanagg"
    assert shouter["version"] == "7.0.1"
    for name in ("scanagg.html", "scanagg.md"):
        assert "Somebody shouts here" in (folder / name).read_text(encoding="utf-8")
    explained = run("explain", findings["SH1"]["id"], code=0).stdout
    assert "shouter" in explained
    assert "quiet" in explained
    run("policy", "check", "policies/scanagg.yml", code=0)
    run("policy", "test", "policies/cases.yml", code=0)
    assert "Lines in capital letters." in run("scanners", code=0).stdout
    run("gate", "reports/scanagg.json", "--format", "sarif", "--output-dir", "again", code=1)
    again = driver(loaded(project / "again" / "scanagg.sarif"), "shouter")
    assert again["informationUri"] == shouter["informationUri"]
    run("baseline", "write", "--offline", "--only", "bandit,shouter", code=0)
    (baseline,) = project.glob("policies/*baseline*")
    assert '"shouter"' in baseline.read_text(encoding="utf-8")


def test_a_scanner_that_only_a_stored_report_names_has_no_address(run: Run, project: Path) -> None:
    check(run, code=1)
    argv = ("reports/scanagg.json", "--policy", "default", "--format", "sarif")
    run("gate", *argv, "--output-dir", "again", code=0, without=True)
    shouter = driver(loaded(project / "again" / "scanagg.sarif"), "shouter")
    assert "informationUri" not in shouter
    assert shouter["fullName"] == "shouter, run by scanagg"
    assert all("helpUri" not in rule for rule in shouter["rules"])


def test_its_configuration_is_read_by_the_same_rules(run: Run, project: Path) -> None:
    settings = project / "scanagg.toml"
    settings.write_text('[scanners.shouter]\nvolume = 3\nargs = ["--loud"]\n', encoding="utf-8")
    run("scanners", code=0)
    settings.write_text("[scanners.shouter]\nvolum = 3\n", encoding="utf-8")
    assert "Did you mean volume?" in run("scanners", code=2).stderr


@pytest.mark.parametrize("category", Category)
def test_each_category_has_one_usual_scanner_which_makes_its_findings(category: Category) -> None:
    usual = [name for name, info in scanner_infos().items() if category in info.usual_for]
    assert usual == [usual_scanner(category)]
    assert category in scanner_info(usual[0]).categories


def test_rules_that_guess_have_a_secret_on_their_line() -> None:
    assert all(info.guessing_rules <= info.secret_rules for info in scanner_infos().values())


def test_a_scanner_that_is_not_known_has_a_name_only() -> None:
    info = scanner_info("nobody")
    assert (info.name, info.title, info.url, info.categories) == ("nobody", "", "", frozenset())
