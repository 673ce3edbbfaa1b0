"""The extensions of CONTRIBUTING.md, added to a copy of the package, work with every command."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"<!-- extension: (\S+) -->\n```python\n(.*?)```\n", re.DOTALL)

LINTLY = """\
#!/usr/bin/env python3
import json, sys
if sys.argv[1:] == ["--version"]:
    raise SystemExit(print("lintly 2.1.0"))
files = sys.argv[sys.argv.index("--") + 1:]
problems = [
    {"rule": "L1", "name": "launch", "title": "Call of launch", "message": "launch <b>runs</b> it.",
     "severity": "high", "confidence": word, "path": path, "line": number}
    for path in files
    for number, line in enumerate(open(path).read().splitlines(), start=1)
    for word in ("high", "low")
    if f"launch({word})" in line
]
print(json.dumps({"files": files, "problems": problems}))
"""
POLICY = """\
version: 1
default: info
scanners: {lintly: {required: true}}
rules:
  - {id: agreed, match: {scanner: lintly, witnesses: several}, action: warn}
  - {id: certain, match: {witnesses: [one], confidence: high}, action: block}
"""
CASES = """\
version: 1
policy: scanagg.yml
cases:
  - {finding: {category: code, scanner: lintly, rule: L1, path: a.py, severity: high,
               confidence: high}, expect: block, rule: certain}
  - {finding: {category: code, scanner: lintly, rule: L1, path: a.py, severity: high,
               confidence: low}, expect: info}
"""

Scanagg = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(make_project: Callable[..., Path]) -> Path:
    return make_project(
        {
            "a.py": "launch(high)\nlaunch(low)\n",
            "policies/scanagg.yml": POLICY,
            "policies/cases.yml": CASES,
        }
    )


@pytest.fixture
def scanagg(tmp_path: Path, project: Path) -> Scanagg:
    """Run a copy of scanagg to which the code of CONTRIBUTING.md was added, in the project."""
    copy, programs = tmp_path / "copy", tmp_path / "programs"
    shutil.copytree(ROOT / "scanagg", copy / "scanagg")
    shutil.copytree(ROOT / "policies", copy / "policies")
    extensions = dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    aspects = copy / "scanagg" / "policy" / "aspects.py"
    before, end, after = aspects.read_text("utf-8").rpartition("\n)\n")
    record = indent(extensions.pop("ASPECTS").rstrip(), "    ")
    aspects.write_text(f"{before}\n{record},{end}{after}", "utf-8")
    for path, code in extensions.items():
        (copy / path).parent.mkdir()
        (copy / path).write_text(code, "utf-8")
    programs.mkdir()
    (programs / "lintly").write_text(LINTLY, "utf-8")
    (programs / "lintly").chmod(0o755)

    def run(*argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "scanagg", *argv],
            cwd=project,
            env={
                **os.environ,
                "PYTHONPATH": str(copy),
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def test_the_extensions_of_the_guide_work_with_every_command(
    scanagg: Scanagg, project: Path
) -> None:
    formats = [part for name in ("json", "sarif", "html", "junit") for part in ("--format", name)]
    scanagg("check", "--offline", "--only", "lintly", *formats, code=1)
    report = json.loads((project / "reports" / "scanagg.json").read_text("utf-8"))
    verdicts = {
        finding["confidence"]: (finding["id"], finding["verdict"]["rule"])
        for finding in report["findings"]
    }
    assert {word: rule for word, (_, rule) in verdicts.items()} == {
        "high": "certain",
        "low": "default",
    }
    assert [(run["scanner"], run["version"], run["status"]) for run in report["runs"]] == [
        ("lintly", "2.1.0", "ok")
    ]

    sarif = json.loads((project / "reports" / "scanagg.sarif").read_text("utf-8"))
    driver = sarif["runs"][0]["tool"]["driver"]
    assert (driver["fullName"], driver["informationUri"]) == (
        "Lintly, run by scanagg",
        "https://lintly.example/docs",
    )
    assert "Call of launch" in (project / "reports" / "scanagg.html").read_text("utf-8")
    suite = ElementTree.parse(project / "reports" / "scanagg.junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")

    explained = scanagg("explain", verdicts["low"][0]).stdout
    assert "needs witnesses several (finding: one)" in explained
    scanagg("gate", "reports/scanagg.json", "--format", "junit", "--output-dir", "again", code=1)
    assert (project / "again" / "scanagg.junit.xml").read_bytes() == (
        project / "reports" / "scanagg.junit.xml"
    ).read_bytes()
    assert "warning" not in scanagg("policy", "check", "policies/scanagg.yml").stdout
    scanagg("policy", "test", "policies/cases.yml")
    schema = json.loads(scanagg("policy", "schema").stdout)
    assert "witnesses" in schema["$defs"]["Match"]["properties"]
    assert "Suspicious calls in Python files." in scanagg("scanners").stdout


def test_a_mistake_in_an_added_key_has_its_place(scanagg: Scanagg, project: Path) -> None:
    policy = project / "policies" / "scanagg.yml"
    policy.write_text(POLICY.replace("[one]", "onee"), "utf-8")
    told = scanagg("policy", "check", "policies/scanagg.yml", code=2).stderr
    assert "scanagg.yml:6" in told
    assert "did you mean 'one'?" in told
