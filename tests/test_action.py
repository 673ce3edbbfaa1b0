"""The composite action under `act`, on this machine: pass, blocked, incomplete, and its uploads.

Local stand-ins replace the upload actions, which need GitHub, and record their inputs. Everything
else is real.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support import tools
from support.git_server import TOKEN, git_server
from support.locks import newer_releases, python_with_pip_of
from support.osv import osv_server, record
from support.repository import git

ROOT = Path(__file__).parent.parent
ACTION = YAML(typ="safe").load(ROOT / "action.yml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
STEPS = ACTION["runs"]["steps"]
UPLOADS = {step["name"]: step["uses"] for step in STEPS if "uses" in step}
REQUIRED = "bandit,detect-secrets,pip-audit"

# Each stand-in records its inputs, and copies the files that it would send.
STAND_IN = """\
name: stand-in
inputs: {name: {required: false}, path: {required: false}, sarif_file: {required: false}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {GIVEN: "${{ toJSON(inputs) }}", FILES: "${{ inputs.path || inputs.sarif_file }}"}
      run: |
        mkdir -p "RECORD/files"
        printf '%s' "$GIVEN" > "RECORD/inputs.json"
        cp $FILES "RECORD/files"
"""
WORKFLOW = """\
on: [push, pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - uses: scanagg/scanagg@v0
        id: scan
        with: WITH
      - if: always()
        shell: bash
        env: {OUTPUTS: "${{ toJSON(steps.scan.outputs) }}"}
        run: printf '%s' "$OUTPUTS" > "RECORD/outputs.json"
"""
# Replaces the command line: records its arguments, writes one report, and prints commands.
FAKE = """\
import json, pathlib, sys
arguments = sys.argv[1:]
if arguments[:1] == ["db"]:
    print("::error::told by a server", " ".join(arguments))
    sys.exit(3)
reports = pathlib.Path(arguments[arguments.index("--output-dir") + 1])
reports.mkdir(parents=True, exist_ok=True)
report = {"gate": {"outcome": "blocked"}, "argv": arguments}
(reports / "scanagg.json").write_text(json.dumps(report))
print("::set-output name=html::/etc/passwd")
sys.exit(1)
"""


@dataclasses.dataclass(frozen=True)
class Done:
    """The result of a workflow run: the exit code of act, and the outputs of the action."""

    code: int
    log: str
    outputs: Mapping[str, str]
    artifact: Path
    sarif: Path

    def uploaded(self, folder: Path) -> set[str]:
        return {file.name for file in folder.glob("files/*")}


Play = Callable[..., Done]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return a function that runs a workflow with the action on a project.

    With `base`, a commit, it runs for a pull request against that commit.
    """

    def run(project: Path, *, action: Path = ROOT, base: str = "", **inputs: str) -> Done:
        records = tmp_path / "records"
        stand_ins = {
            "actions/upload-artifact": stand_in(tmp_path, "artifact", records),
            "github/codeql-action": stand_in(tmp_path, "sarif", records, "upload-sarif"),
        }
        usual = {"environment": sys.prefix, "update-advisories": "false"}
        given = usual | {k.replace("_", "-"): v for k, v in inputs.items()}
        text = WORKFLOW.replace("WITH", json.dumps(given)).replace("RECORD", str(records))
        workflow = project / ".github" / "workflows" / "check.yml"
        workflow.parent.mkdir(parents=True, exist_ok=True)
        workflow.write_text(text)
        records.mkdir()
        local = [f"scanagg/scanagg@v0={only_action(tmp_path, action)}"]
        local += [f"{name}@{pin(name)}={folder}" for name, folder in stand_ins.items()]
        done = act(project, tmp_path, local, base)
        outputs = records / "outputs.json"
        return Done(
            code=done.returncode,
            log=done.stdout + done.stderr,
            outputs=json.loads(outputs.read_text()) if outputs.is_file() else {},
            artifact=records / "artifact",
            sarif=records / "sarif",
        )

    return run


def act(
    project: Path, tmp_path: Path, local: Iterable[str], base: str
) -> subprocess.CompletedProcess[str]:
    """Run one event in `project`, without containers and downloads."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"base": {"ref": "main", "sha": base}}}))
    what = ("pull_request", "--eventpath", str(event)) if base else ("push",)
    home = tmp_path / "home"
    home.mkdir()
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
    replaced = [word for one in local for word in ("--local-repository", one)]
    here = ("-P", "ubuntu-latest=-self-hosted", "--no-cache-server")
    return subprocess.run(
        [tools.act(), *what, *here, "--action-cache-path", tmp_path / "act", *replaced],
        cwd=project,
        env={**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def stand_in(tmp_path: Path, name: str, records: Path, folder: str = "") -> Path:
    place = tmp_path / f"stand-in-{name}"
    (place / folder).mkdir(parents=True)
    text = STAND_IN.replace("RECORD", str(records / name))
    (place / folder / "action.yml").write_text(text)
    return place


def only_action(tmp_path: Path, source: Path) -> Path:
    """Return a copy of the action's repository, without other files of the work tree."""
    place = tmp_path / "scanagg-action"
    for name in ("action.yml", "pyproject.toml", "README.md", "LICENSE"):
        place.mkdir(exist_ok=True)
        shutil.copy(source / name, place / name)
    for name in ("scanagg", "policies", "requirements"):
        shutil.copytree(source / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def pin(repository: str) -> str:
    """Return the commit by which the action pins an action of a third party."""
    names = (uses for uses in UPLOADS.values() if uses.startswith(repository))
    return next(names).rpartition("@")[2]


def configured(address: str) -> str:
    return f'[tool.scanagg.scanners.pip-audit]\nservice = "osv"\nosv-url = "{address}"\n'


@pytest.fixture
def fake_environment(tmp_path: Path) -> str:
    """A virtual environment with a fake scanagg, for behaviour that the real one never shows."""
    programs = tmp_path / "fake" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "scanagg").write_text(FAKE)
    return str(programs.parent)


def test_green_on_a_clean_project(make_project: Callable[..., Path], play: Play) -> None:
    with osv_server([]) as address:
        project = make_project(
            {
                "pyproject.toml": configured(address),
                "requirements.txt": "idna==3.10\n",
                "app.py": "print('hello')\n",
            }
        )
        done = play(project, only=REQUIRED)
    assert done.code == 0, done.log
    assert done.outputs["outcome"] == "pass"
    assert done.outputs["exit-code"] == "0"
    assert done.uploaded(done.sarif) == {"scanagg.sarif"}
    reports = {"scanagg.sarif", "scanagg.html", "scanagg.json", "scanagg.md"}
    assert done.uploaded(done.artifact) == reports


def test_red_on_a_faulty_project_and_still_uploads(
    make_project: Callable[..., Path], play: Play
) -> None:
    flaw = record(
        "GHSA-aaaa-bbbb-cccc",
        "jinja2",
        {"introduced": "0"},
        {"fixed": "3.1.6"},
        database_specific={"severity": "CRITICAL"},
    )
    with osv_server([flaw]) as address:
        project = make_project(
            {
                "pyproject.toml": configured(address),
                "requirements.txt": "jinja2==2.4.1\n",
                "app.py": 'key = "AKIA' + 'Z3MHALF2TESTHIJK"\n',
            }
        )
        done = play(project, only=REQUIRED)
    assert done.code == 1
    assert done.outputs["outcome"] == "blocked"
    assert done.outputs["exit-code"] == "1"
    assert "exit status 1" in done.log
    log = json.loads((done.sarif / "files" / "scanagg.sarif").read_text())
    found = {run["tool"]["driver"]["name"] for run in log["runs"] if run["results"]}
    assert found == {"pip-audit", "detect-secrets"}
    assert "scanagg.html" in done.uploaded(done.artifact)
    assert Path(done.outputs["html"]).name == "scanagg.html"
    assert "Z3MHALF2TESTHIJK" not in done.log
    summary = (done.artifact / "files" / "scanagg.md").read_text()
    assert summary.splitlines()[0] in done.log.partition("Summary - ")[2]


def test_red_where_a_scanner_is_missing(
    make_project: Callable[..., Path],
    play: Play,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCANAGG_TRIVY_PATH", str(tmp_path / "absent" / "trivy"))
    project = make_project({"app.py": "print('hello')\n"})
    done = play(project, only="bandit,trivy")
    assert done.code == 1
    assert done.outputs["outcome"] == "incomplete"
    assert done.outputs["exit-code"] == "3"
    assert "exit status 3" in done.log
    assert "scanagg.json" in done.uploaded(done.artifact)


def test_a_pull_request_is_judged_by_the_rules_of_its_base(
    make_project: Callable[..., Path], play: Play, tmp_path: Path
) -> None:
    """In a clone of one commit, with a token as actions/checkout leaves it, and hostile settings.

    A bare repository in the checked folder must not be asked.
    """
    rules = "version: 1\ndefault: info\nrules:\n"
    blocks = "  - {id: new, match: {category: code, origin: introduced}, action: block}\n"
    old = "def old(text):\n    return eval(text)\n"
    files = {"sub/scanagg.yml": rules + blocks, "sub/app.py": old}
    origin = make_project(files, name="origin")
    base = git(origin, "rev-parse", "HEAD").strip()
    git(origin, "checkout", "-q", "-b", "feature")
    (origin / "sub" / "scanagg.yml").write_text("version: 1\ndefault: info\n")
    (origin / "sub" / "new.py").write_text(old.replace("old", "new"))
    git(origin / "sub", "init", "-q", "--bare", ".")
    program, marker = tmp_path / "program", tmp_path / "hostile-code-ran"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    hostile = (
        f"[core]\nsshCommand = {program}\nfsmonitor = {program}\n[protocol]\nallow = always\n"
        f'[url "ext::{program} "]\ninsteadOf = http:\n'
    )
    (origin / "sub" / "config").write_text(
        f'[core]\nbare = false\nworktree = "."\n{hostile}[remote "origin"]\nurl = ssh://h.invalid/r\n'
    )
    git(origin, "add", "-A", "-f")
    git(origin, "commit", "-q", "-m", "change")
    project = tmp_path / "project"
    git(origin, "clone", "-q", "--depth=1", f"file://{origin}", str(project))
    with git_server(origin) as address:
        git(project, "remote", "set-url", "origin", address)
        token = tmp_path / "token"
        token.write_text(f'[http "{address}"]\nextraheader = {TOKEN}\n')
        with (project / ".git" / "config").open("a") as config:
            config.write(f'{hostile}[includeIf "gitdir:/**"]\npath = {token}\n')
        done = play(project, base=base, only="bandit", path="sub")
    assert not marker.exists()
    assert done.outputs["exit-code"] == "1", done.log
    report = json.loads((done.artifact / "files" / "scanagg.json").read_text())
    origins = {one["location"]["path"]: one["origin"] for one in report["findings"]}
    assert origins == {"app.py": "existing", "new.py": "introduced"}
    assert "scanagg.yml" in " ".join(one["text"] for one in report["gate"]["attempts"])
    assert report["policy"]["ref"] == base


def test_old_reports_do_not_pass_for_a_result(
    make_project: Callable[..., Path], play: Play
) -> None:
    old = json.dumps({"gate": {"outcome": "pass"}})
    names = ("scanagg.json", "scanagg.sarif", "scanagg.md")
    project = make_project({f"reports/{name}": old for name in names})
    done = play(project, policy="no-such-policy", output_dir="reports")
    assert done.code == 1
    assert done.outputs["exit-code"] == "2"
    assert done.outputs["outcome"] == "error"
    assert not done.outputs["sarif"]
    assert not done.uploaded(done.sarif) | done.uploaded(done.artifact)


def test_installs_its_lock_as_it_is_and_runs_nothing_of_the_project(
    make_project: Callable[..., Path],
    play: Play,
    tmp_path: Path,
    old_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the oldest pip, and with a newer release of everything on the index."""
    monkeypatch.setenv("PIP_FIND_LINKS", newer_releases(tmp_path / "released-since"))
    interpreter = python_with_pip_of(old_environment, tmp_path / "old")
    marker = tmp_path / "hostile-code-ran"
    hostile = f"open({str(marker)!r}, 'w').close()\n"
    names = ("venv", "pip", "json", "sitecustomize", "scanagg", "bandit", "secrets")
    project = make_project({f"{name}.py": hostile for name in names})
    done = play(project, only="bandit", environment="", interpreter=str(interpreter))
    assert done.outputs["exit-code"] == "0", done.log
    assert done.code == 0
    assert "No broken requirements found." in done.log
    assert not marker.exists()


def test_every_input_reaches_the_command_line(
    make_project: Callable[..., Path], play: Play, fake_environment: str
) -> None:
    done = play(
        make_project({"sub dir/app.py": ""}),
        environment=fake_environment,
        path="sub dir",
        policy="strict",
        only="bandit",
        skip="trivy",
        python="/usr/bin/python3",
        image="app:$(touch hit)",
        formats="html, sarif-full",
        enforcement="warn",
        args="--jobs\n3\n--now\n2026-01-31T12:00:00Z",
        upload_sarif="false",
        output_dir="out",
    )
    argv = json.loads((done.artifact / "files" / "scanagg.json").read_text())["argv"]
    assert argv == [
        *("check", "--output-dir", "out", "--no-progress", "--fetch"),
        *("--format", "html", "--format", "sarif-full", "--format", "json", "--format", "md"),
        *("--policy", "strict", "--only", "bandit", "--skip", "trivy"),
        *("--python", "/usr/bin/python3", "--image", "app:$(touch hit)", "--enforcement", "warn"),
        *("--jobs", "3", "--now", "2026-01-31T12:00:00Z", "--", "sub dir"),
    ]
    assert done.code == 1
    assert done.outputs["exit-code"] == "1"


def test_the_check_runs_after_a_failed_update(
    make_project: Callable[..., Path], play: Play, fake_environment: str
) -> None:
    done = play(make_project({}), environment=fake_environment, update_advisories="true")
    assert "told by a server db update --no-progress" in done.log
    assert "(exit code 3)" in done.log
    assert done.outputs["outcome"] == "blocked"


def test_nothing_is_updated_unasked_and_nothing_printed_is_a_workflow_command(
    make_project: Callable[..., Path], play: Play, fake_environment: str
) -> None:
    done = play(make_project({}), environment=fake_environment)
    assert "told by a server" not in done.log
    assert "::set-output name=html::/etc/passwd" in done.log
    assert done.outputs["html"] == ""
    assert done.outputs["outcome"] == "blocked"


def test_third_parties_are_pinned() -> None:
    texts = [file.read_text() for file in (ROOT / "action.yml", *WORKFLOWS)]
    used = re.findall(r"uses: (\S+)(.*)", "\n".join(texts))
    assert len(used) >= len(UPLOADS)
    for name, comment in used:
        assert name == "./" or re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", name), name
        assert name == "./" or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), (name, comment)


@pytest.mark.parametrize("script", [step["run"] for step in STEPS if "run" in step])
def test_no_input_is_pasted_into_a_script(script: str) -> None:
    assert "${{" not in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_every_input_is_used_and_explained() -> None:
    steps = json.dumps(STEPS)
    unused = [name for name in ACTION["inputs"] if f"inputs.{name}" not in steps]
    assert not unused
    assert all(given["description"] for given in ACTION["inputs"].values())


def test_zizmor_reports_nothing() -> None:
    files = [ROOT / "action.yml", ROOT / ".github"]
    how = ("--offline", "--no-progress", "--persona", "auditor", "--strict-collection")
    done = subprocess.run(
        [tools.zizmor(), *how, "--format", "json", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    ignored = {"self-repository"}  # explained in the workflows
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    assert not [finding for finding in findings if finding["ident"] not in ignored]
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_reports_nothing(workflow: Path) -> None:
    assert tools.actionlint(workflow) == []


def test_actionlint_reports_a_mistake(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.yml"
    faulty.write_text(WORKFLOWS[0].read_text().replace("runs-on", "runs_on"))
    assert tools.actionlint(faulty)
