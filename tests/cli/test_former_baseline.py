"""A baseline of version 1, which knows code by its statements, with the project it was made for."""

import hashlib
import json
from pathlib import Path

import pytest
from support.command import check, scanagg
from support.repository import commit

KEY = {"SCANAGG_PROJECT_KEY": "0123456789abcdef" * 4}
POLICY = """\
version: 1
extends: [{name: pull-request}]
default: info
new_code: {against: baseline}
"""


def value(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


FILES = {
    "app.py": f'''\
import subprocess

HOSTS = [
    {{"bind": "0.0.0.0", "dir": "/tmp/one"}},
    {{"bind": "0.0.0.0", "dir": "/tmp/two"}},
]


def run(name):
    subprocess.call("job " + name, shell=True)
    name.execute("SELECT * FROM jobs WHERE name = '%s'" % name)
    return connect("jobs", password="{value("a password")}", user="admin")


def check(password):
    return password == "jacktheripper"
''',
    "copy.py": f'password = "{value("a password")}"\n',
    "settings.env": f"NAME=jobs\nAPI_KEY={value('a key')}\n",
    "Dockerfile": "FROM python:latest\nRUN sudo id\n",
}
BASELINE = """\
[{"baseline":"scanagg","version":1,"growth":1}
,{"category":"code","rule":"B104","path":"app.py","statement":"#7962db42ec800c3b","line":4,"by":["bandit"]}
,{"category":"code","rule":"B104","path":"app.py","statement":"#7962db42ec800c3b","line":5,"by":["bandit"]}
,{"category":"code","rule":"B108","path":"app.py","statement":"#7962db42ec800c3b","line":4,"by":["bandit"]}
,{"category":"code","rule":"B108","path":"app.py","statement":"#7962db42ec800c3b","line":5,"by":["bandit"]}
,{"category":"code","rule":"B404","path":"app.py","statement":"#83b347770b29d4a0","line":1,"by":["bandit"]}
,{"category":"code","rule":"B602","path":"app.py","qualname":"run","statement":"#f73425a24d4d61c9","line":10,"by":["bandit"]}
,{"category":"code","rule":"B608","path":"app.py","qualname":"run","statement":"#a85b8bdbfd2a3b53","line":11,"by":["bandit"]}
,{"category":"misconfiguration","rule":"DS-0001","path":"Dockerfile","statement":"#f4ee06ac3fdc62d4","line":1,"by":["trivy"]}
,{"category":"misconfiguration","rule":"DS-0002","path":"Dockerfile","by":["trivy"]}
,{"category":"misconfiguration","rule":"DS-0010","path":"Dockerfile","statement":"#0df1fd93bb290832","line":2,"by":["trivy"]}
,{"category":"misconfiguration","rule":"DS-0026","path":"Dockerfile","by":["trivy"]}
,{"category":"secret","path":"app.py","qualname":"check","statement":"#5c4e29508d6fd566bf5687d29bd4","line":16,"by":["bandit","detect-secrets"]}
,{"category":"secret","path":"app.py","qualname":"run","statement":"#eb2ef6d03080c1ac2f4e1e7b9fbe","line":12,"by":["bandit","detect-secrets"]}
,{"category":"secret","path":"copy.py","statement":"#ba4e9ec650123a8f2f4e1e7b9fbe","line":1,"by":["bandit","detect-secrets"]}
,{"category":"secret","path":"settings.env","statement":"#dc7885fefb36a3a01d18bd72e51e","line":2,"by":["detect-secrets"]}
]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, edited in other lines."""
    edited = {path: f"# Ours\n{text}" for path, text in FILES.items()}
    edited["fields.py"] = 'TOKEN_FIELD = "job"\n'
    baseline = {"policies/baseline.json": BASELINE, "scanagg.yml": POLICY}
    return commit(tmp_path / "project", edited | baseline)


def changes(report: dict[str, list[dict[str, object]]]) -> list[object]:
    return [one["change"] for one in report["findings"] if "fields.py" not in str(one["location"])]


def test_what_it_knows_stays_known(project: Path) -> None:
    asked = ("--only", "bandit,detect-secrets,trivy", "--offline")
    done = check(project, *asked, formats=["json"], env=KEY)
    assert done.code == 0
    assert changes(done.report) == ["unchanged"] * BASELINE.count('"category"')


def test_without_the_key_places_of_secrets_stay_known(project: Path) -> None:
    done = check(project, "--only", "bandit,detect-secrets", formats=["json"])
    assert set(changes(done.report)) == {"unchanged"}


def test_pruning_keeps_its_entries_as_they_are(project: Path) -> None:
    (project / "copy.py").unlink()
    place = project / "policies" / "baseline.json"
    asked = ("--only", "bandit,detect-secrets")
    assert scanagg("baseline", "prune", str(project), *asked, env=KEY).returncode == 0
    head, *entries = place.read_text().splitlines()
    assert json.loads(head + "]")[0]["version"] == 2
    _, *expected = BASELINE.splitlines()
    assert entries == [line for line in expected if "copy.py" not in line]
    done = check(project, *asked, formats=["json"], env=KEY)
    assert set(changes(done.report)) == {"unchanged"}


def test_new_entries_stand_beside_its_own(project: Path) -> None:
    (project / "more.py").write_text("eval(input())\n")
    accept = ("--accept", "--owner", "us", "--reason", "It is old.")
    asked = ("--only", "bandit,detect-secrets")
    assert scanagg("baseline", "write", str(project), *asked, *accept, env=KEY).returncode == 0
    lines = (project / "policies" / "baseline.json").read_text().splitlines()
    assert set(BASELINE.splitlines()[1:]) < set(lines)
    done = check(project, *asked, formats=["json"], env=KEY)
    assert set(changes(done.report)) == {"unchanged"}
