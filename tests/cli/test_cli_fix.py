"""`scanagg fix`: the advice, the changes that --apply makes, and the remaining steps."""

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from msgspec.structs import replace
from support.command import check, scanagg
from support.lockers import fake
from support.records import Json, affected, below, osv, put_osv
from support.sample import sample_report

from scanagg.advisories.importing import import_any
from scanagg.cli.fix import FixAdvice
from scanagg.core.errors import ExitCode
from scanagg.model import (
    Action,
    Category,
    Constraint,
    Coverage,
    Gate,
    Location,
    Outcome,
    Package,
    Status,
    Upgrade,
    is_pypi,
    plain,
)
from scanagg.reports import json as json_report
from scanagg.reports import phrases
from scanagg.upgrades.ways import goals_of

Make = Callable[..., Path]
Done = CompletedProcess[str]

PINS = """\
# runtime
lib[x]==1.0 ; python_version > '3'  # why
other==1.0
odd==1.0
clean==1.0
"""
POLICY = """\
version: 1
default: warn
scanners:
  pip-audit: {required: true}
  bandit: {required: true}
rules:
  - {id: bad, match: {category: vuln, rule: CVE-2024-0001}, action: block}
"""


def records() -> list[Json]:
    return [
        below("CVE-2024-0001", "lib", "1.2"),
        below("CVE-2024-0002", "lib", "2.0"),
        osv("PYSEC-2024-3", affected("lib", {"introduced": "0"}), aliases=["CVE-2024-0003"]),
        below("CVE-2024-0004", "other", "1.0.1"),
        osv("CVE-2024-0005", affected("odd", {"introduced": "0"})),
    ]


@pytest.fixture
def stored() -> None:
    """A store with the records above."""
    put_osv(Path(os.environ["SCANAGG_CACHE_DIR"]), *records())


def fix(root: Path, *argv: str, env: dict[str, str] | None = None) -> Done:
    return scanagg("fix", str(root), "--offline", *argv, env=env)


def lines(done: Done) -> list[str]:
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.usefixtures("stored")
def test_the_advice(make_project: Make) -> None:
    root = make_project({"requirements.txt": PINS, "policies/scanagg.yml": POLICY})
    done = fix(root)
    assert done.returncode == 0, done.stderr
    said = lines(done)
    assert said[0] == "package from to step clears where held back by"
    assert said[2] == "lib 1.0 2.0 major 2: CVE-2024-0001, CVE-2024-0002 requirements.txt:2"
    assert said[3] == "other 1.0 1.0.1 patch 1: CVE-2024-0004 requirements.txt:3"
    assert said[4:] == [
        "2 upgrades clear 3 of 5 vulnerabilities",
        "Edit:",
        "requirements.txt:2: lib==1.0 -> lib==2.0",
        "requirements.txt:3: other==1.0 -> other==1.0.1",
        "Apply these changes with: scanagg fix --apply",
        "Check that the new pins are compatible:",
        "python -m pip install --dry-run -r requirements.txt",
        "Not cleared:",
        "lib 2.0: CVE-2024-0003",
        "odd 1.0: CVE-2024-0005 (no better version is known)",
    ]
    assert (root / "requirements.txt").read_text() == PINS


@pytest.mark.usefixtures("stored")
def test_apply_leaves_what_it_said(make_project: Make) -> None:
    root = make_project({"requirements.txt": PINS}, git_=False)
    done = fix(root, "--apply")
    assert done.returncode == 0, done.stderr
    text = PINS.replace("lib[x]==1.0", "lib[x]==2.0").replace("other==1.0", "other==1.0.1")
    assert (root / "requirements.txt").read_text() == text
    said = lines(done)
    after = said.index("Checked again: 2 vulnerabilities remain:")
    assert said[after + 1 :] == ["lib 2.0: CVE-2024-0003", "odd 1.0: CVE-2024-0005"]
    again = fix(root, "--apply")
    assert lines(again)[0] == "No upgrade clears any of 2 vulnerabilities"
    assert again.returncode == 0


@pytest.mark.usefixtures("stored")
def test_only_what_blocks(make_project: Make) -> None:
    root = make_project({"requirements.txt": PINS, "policies/scanagg.yml": POLICY})
    done = fix(root, "--blocking-only", "--apply")
    assert done.returncode == 0, done.stderr
    said = lines(done)
    assert said[2] == "lib 1.0 1.2 minor 1: CVE-2024-0001 requirements.txt:2"
    assert said[3] == "1 upgrade clears 1 of 1 blocking vulnerability"
    assert "lib[x]==1.2 ;" in (root / "requirements.txt").read_text()
    assert "other==1.0\n" in (root / "requirements.txt").read_text()
    nothing = fix(root, "--blocking-only")
    assert lines(nothing) == ["Nothing to upgrade: no known blocking vulnerabilities"]


def test_what_was_not_examined_is_no_good_news(make_project: Make) -> None:
    root = make_project({"requirements.txt": PINS})
    done = fix(root)
    assert done.returncode == 3
    assert "Incomplete. The check may have missed vulnerabilities:" in done.stdout
    assert "pip-audit is required but examined nothing" in done.stdout


@pytest.mark.usefixtures("stored")
def test_a_malicious_package_is_to_be_removed(make_project: Make) -> None:
    cache = Path(os.environ["SCANAGG_CACHE_DIR"])
    put_osv(cache, *records(), osv("MAL-2024-9", affected("odd", {"introduced": "0"})))
    root = make_project({"requirements.txt": "odd==1.0\n"})
    for argv in ((), ("--blocking-only",)):
        done = fix(root, *argv)
        assert done.returncode == 0
        assert "MAL-2024-9" in done.stdout
        assert "malicious package: remove it" in done.stdout


@pytest.mark.usefixtures("stored")
def test_a_stored_report_is_enough(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"requirements.txt": PINS, "a.py": "x = 1\n"})
    made = check(root, "--offline", formats=("json",))
    report = str(made.folder / "scanagg.json")
    done = scanagg("fix", str(root), "--report", report)
    assert "2 upgrades clear 3 of 5 vulnerabilities" in done.stdout
    assert done.returncode == 0, done.stdout
    offline = {"UV_OFFLINE": "1"}
    done = scanagg("fix", str(root), "--report", report, "--apply", env=offline)
    assert "not proven to be installable: requirements.txt: uv" in done.stdout
    assert "List the remaining vulnerabilities" in done.stdout
    assert "lib[x]==2.0 ;" in (root / "requirements.txt").read_text()
    late = scanagg("fix", str(root), "--report", report, "--apply")
    assert "no file of the project pins it" in late.stdout
    refused = scanagg("fix", str(root), "--report", report, "--offline", "--policy", "strict")
    assert refused.returncode == 2
    assert "--policy, --offline" in refused.stderr
    said = json.loads((made.folder / "scanagg.json").read_text())
    said["upgrades"][0]["to"] = "2.0 --index-url=http://evil.invalid"
    (tmp_path / "evil.json").write_text(json.dumps(said))
    evil = scanagg("fix", str(root), "--report", str(tmp_path / "evil.json"), "--apply")
    assert evil.returncode == 2
    assert "lists an invalid upgrade: Invalid version" in evil.stderr
    said["upgrades"] = []
    (tmp_path / "old.json").write_text(json.dumps(said))
    old = scanagg("fix", str(root), "--report", str(tmp_path / "old.json"))
    assert old.returncode == 2
    assert "lists no upgrades" in old.stderr


def test_scanners_that_know_no_vulnerabilities_are_refused(make_project: Make) -> None:
    root = make_project({"requirements.txt": PINS})
    done = fix(root, "--only", "bandit")
    assert done.returncode == 2
    assert "--only bandit does not look for vulnerabilities" in done.stderr


LOCK = """\
version = 1
requires-python = ">=3.11"
[[package]]
name = "demo"
version = "0.1"
source = { virtual = "." }
dependencies = [{ name = "lib" }]
[[package]]
name = "lib"
version = "1.0"
source = { registry = "https://index.invalid/simple" }
"""
PYPROJECT = """\
[project]
name = "demo"
version = "0.1"
dependencies = [
  "lib{}",
]
"""


@pytest.mark.usefixtures("stored")
def test_a_locker_runs_only_with_apply(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"pyproject.toml": PYPROJECT.format(">=1"), "uv.lock": LOCK})
    program = fake(tmp_path / "bin", "uv", 'sed -i "s/1\\.0\\"/2.0\\"/" uv.lock')
    env = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    advice = fix(root, "--only", "pip-audit", env=env)
    assert "uv lock --upgrade-package lib==2.0" in advice.stdout
    assert (root / "uv.lock").read_text() == LOCK
    done = fix(root, "--only", "pip-audit", "--apply", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    said = lines(done)
    assert "Running lockers. They read the project and may run its build backend:" in said
    assert "uv.lock: lib 1.0 -> 2.0" in said
    assert said[-1] == "lib 2.0: CVE-2024-0003"


@pytest.mark.usefixtures("stored")
def test_a_locker_that_fails_is_no_success(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"pyproject.toml": PYPROJECT.format("==1.0"), "uv.lock": LOCK})
    program = fake(tmp_path / "bin", "uv", "echo half > uv.lock; echo no way >&2; exit 1")
    env = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    done = fix(root, "--apply", env=env)
    assert done.returncode == 3
    assert "failed: uv lock --upgrade-package lib==2.0: uv failed (exit code 1): no way" in (
        done.stdout
    )
    assert (root / "uv.lock").read_text() == LOCK
    assert (root / "pyproject.toml").read_text() == PYPROJECT.format("==1.0")
    assert "Upgrades that were not made would clear 2 of them" in done.stdout


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.usefixtures("stored")
def test_an_interruption_leaves_all_as_it_was(
    name: str, make_project: Make, tmp_path: Path
) -> None:
    root = make_project({"pyproject.toml": PYPROJECT.format("==1.0"), "uv.lock": LOCK})
    script = f"echo half > uv.lock; kill -{name} $PPID; sleep 60"
    program = fake(tmp_path / "bin", "uv", script)
    env = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    done = fix(root, "--apply", "--only", "pip-audit", env=env)
    assert done.returncode == 130, done.stdout + done.stderr
    assert (root / "uv.lock").read_text() == LOCK
    assert (root / "pyproject.toml").read_text() == PYPROJECT.format("==1.0")


@pytest.mark.usefixtures("stored")
def test_the_projects_own_constraint_hinders(make_project: Make) -> None:
    root = make_project({"pyproject.toml": PYPROJECT.format("<2"), "uv.lock": LOCK})
    done = fix(root, "--apply")
    assert done.returncode == 0, done.stderr
    assert "pyproject.toml:5: lib<2" in done.stdout
    assert "lib<2 in pyproject.toml:5 excludes 2.0: change that, then run: uv lock" in (done.stdout)
    assert (root / "uv.lock").read_text() == LOCK


def test_real_advisories(make_project: Make, data_dir: Path, now: datetime) -> None:
    """The pins of a real application have 40 vulnerabilities, and none after the upgrades."""
    cache = Path(os.environ["SCANAGG_CACHE_DIR"])
    import_any(data_dir / "pypi-osv.zip", cache, lambda _done, _whole: None, now=now)
    pins = (
        "certifi==2022.12.7\ncryptography==39.0.1\nDjango==4.2\nidna==3.4\nPillow==9.4.0\n"
        "PyYAML==5.1\nrequests==2.28.2\nsqlparse==0.3.1\nurllib3==1.26.9\nWerkzeug==2.1.2\n"
        "Jinja2==2.4.1\n"
    )
    root = make_project({"requirements.txt": pins})
    done = fix(root, "--apply")
    assert done.returncode == 0, done.stderr
    assert lines(done)[-1] == "Checked again: no known vulnerabilities remain"
    now = (root / "requirements.txt").read_text()
    assert "Django==4.2.16\n" in now
    assert "urllib3==1.26.18\n" in now
    assert [line.partition("==")[0] for line in now.splitlines()] == [
        line.partition("==")[0] for line in pins.splitlines()
    ]


def test_the_page_tells_whatever_there_is(make_project: Make, tmp_path: Path) -> None:
    """A report with versions that were not looked up, packages of other ecosystems, an image."""
    asked = (Location("pyproject.toml", 5),)
    locks = tuple(Location(f"{name}/poetry.lock", 1) for name in "abc")
    lib = Package("lib", "1.0", "pkg:pypi/lib@1.0", places=locks, chain=("app", "lib"), asked=asked)
    app = Package("app", "1.0", "pkg:pypi/app@1.0", places=(Location("r.txt", 3),))
    gone = Package("gone", "1.0", "pkg:pypi/gone@1.0")
    hindering = (
        Constraint("lib", "<2", "lib<2", by="app"),
        Constraint("lib", "<1.5", "lib<1.5", by="stays"),
        Constraint("lib", "<1.5", "lib<1.5"),
    )
    clears = ("CVE-2024-1",)
    report = replace(
        sample_report(),
        runs=tuple(
            replace(
                run, status=Status.FAILED, detail=plain("no answer"), coverage=Coverage("files")
            )
            for run in sample_report().runs
            if run.scanner in ("bandit", "pip-audit")
        ),
        gate=Gate(Outcome.INCOMPLETE, ExitCode.INCOMPLETE, (plain("1 finding blocks"),)),
        upgrades=(
            Upgrade(package=lib, to="2.0", clears=clears, hindered_by=hindering[:2]),
            Upgrade(package=app, to="2.0", clears=clears),
            Upgrade(package=gone, to="2.0", clears=clears, hindered_by=hindering[2:]),
        ),
    )
    header = "# autogenerated by uv\n#    uv pip compile --index-url x r.in\n"
    files = {f"{name}/poetry.lock": "" for name in "abc"}
    root = make_project({**files, "r.txt": f"{header}app==1.0 --hash=sha256:0\n"}, git_=False)
    (tmp_path / "r.json").write_text("".join(json_report.render(report)), encoding="utf-8")
    done = scanagg("fix", str(root), "--report", str(tmp_path / "r.json"))
    assert done.returncode == 3
    text = " ".join(done.stdout.split())
    for said in (
        "a/poetry.lock:1, b/poetry.lock:1 and 1 more (by app, pyproject.toml:5)",
        "stays: lib<1.5; app before its upgrade: lib<2",
        "the project: lib<1.5",
        "The versions are from scanners, not checked in the advisory store.",
        "poetry upgrades to the newest versions that the constraints allow",
        "scanagg does not run the command in the header: --index-url",
        "gone 1.0 -> 2.0: lib<1.5 excludes 2.0: change that, then require gone==2.0",
        "No advice for 1 vulnerability in packages that are not from PyPI",
        "missed vulnerabilities: pip-audit is required but failed: no answer",
    ):
        assert said in text
    assert "bandit" not in text
    assert "1 finding blocks" not in text


@pytest.mark.parametrize("blocking", [True, False])
def test_the_counts_agree_with_the_reports(
    capfd: pytest.CaptureFixture[str], *, blocking: bool
) -> None:
    """A package in a new place has a finding of its own, and is one vulnerability all the same."""
    first = next(
        one
        for one in sample_report().findings
        if one.finding.category is Category.VULNERABILITY
        if one.finding.package and is_pypi(one.finding.package.purl)
    )
    first = replace(first, verdict=replace(first.verdict, action=Action.BLOCK))
    package, name = first.finding.package, first.finding.rule.id
    assert package
    elsewhere = replace(first.finding, location=Location("new.txt", 1))
    nowhere = replace(package, name="nowhere")
    report = replace(
        sample_report(),
        findings=(first, replace(first, finding=elsewhere)),
        upgrades=(
            Upgrade(package=package, to="99.0", clears=(name,), unblocks=(name,)),
            Upgrade(package=nowhere, to=None, stays=("CVE-2024-1",)),
            Upgrade(package=nowhere, to="2.0", stays=("CVE-2024-1",)),
        ),
    )
    FixAdvice(report, blocking).print_table(goals_of(report.upgrades, blocking=blocking))
    kind = "blocking " if blocking else ""
    said = capfd.readouterr().out
    assert f"1 upgrade clears 1 of 1 {kind}vulnerability\n" in said
    summary = phrases.upgrades_summary(report).partition(". ")
    assert summary[0] == "1 upgrade clears 1 vulnerability, which blocks"
    assert summary[2] == "2 packages have no better version."


@pytest.mark.usefixtures("stored")
def test_what_nobody_has_looked_up_is_no_good_news(make_project: Make) -> None:
    root = make_project({"requirements.txt": "safe==1.0\n" + "".join(f"p{n}\n" for n in range(7))})
    done = fix(root)
    assert done.returncode == 0
    assert lines(done)[0] == "Nothing to upgrade: no known vulnerabilities"
    assert lines(done)[1] == "No scanner looked up these packages. They may be vulnerable:"
    assert lines(done)[2].startswith("p0 (requirements.txt:2): ")
    assert lines(done)[-1] == "and 2 more"


def test_what_nobody_foresaw_is_said(make_project: Make, tmp_path: Path) -> None:
    """A locker that cannot be given a version picks one with another vulnerability."""
    cache = Path(os.environ["SCANAGG_CACHE_DIR"])
    put_osv(
        cache,
        below("CVE-2024-0002", "lib", "2.0"),
        osv("CVE-2024-0009", affected("lib", {"introduced": "3.0"})),
    )
    lock = '[[package]]\nname = "lib"\nversion = "1.0"\n'
    project = '[tool.poetry.dependencies]\nlib = ">=1"\n'
    root = make_project({"pyproject.toml": project, "poetry.lock": lock})
    program = fake(tmp_path / "bin", "poetry", "sed -i s/1.0/3.0/ poetry.lock")
    env = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    done = fix(root, "--apply", "--only", "pip-audit", env=env)
    assert "poetry.lock: lib 1.0 -> 3.0" in done.stdout
    assert lines(done)[-2:] == [
        "lib 3.0: CVE-2024-0009",
        "New with these upgrades: CVE-2024-0009 in lib",
    ]
