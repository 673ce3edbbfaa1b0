"""Broken and hostile input gets a clear answer: never a pass, never a traceback."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.command import Said, check, scanagg
from support.osv import osv_server
from support.repository import git

from scanagg.core import cache
from scanagg.core.errors import ConfigError
from scanagg.scanners.base import path_variable, scanner_infos

Make = Callable[..., Path]

CLEAN = "import os\n\nprint(os.name)\n"
NO_TOOLS = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def osv() -> Iterator[str]:
    """A vulnerability service without any vulnerability."""
    with osv_server([]) as url:
        yield url


def settings(osv_url: str) -> str:
    return f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{osv_url}"\n'


@pytest.fixture(autouse=True)
def own_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after each test what `fake` sets."""
    for name in scanner_infos():
        monkeypatch.setenv(path_variable(name), "")


def fake(tmp_path: Path, code: str, name: str = "trivy") -> str:
    """Write a program outside the project that is the scanner; return its settings."""
    program = tmp_path / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)
    os.environ[path_variable(name)] = str(program)
    return f"[scanners.{name}]\n"


def incomplete(said: Said, *words: str) -> None:
    assert said.code == 3, said.out + said.err
    assert said.out.startswith("INCOMPLETE")
    assert said.report["gate"]["outcome"] == "incomplete"
    for word in words:
        assert word in said.out


# The four inputs that another tool let pass.


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = scanagg("check", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert str(tmp_path / "nowhere") in done.stderr


@pytest.mark.parametrize("option", ["--only", "--skip"])
def test_a_misspelt_scanner_is_a_usage_error_with_the_right_name(option: str) -> None:
    done = scanagg("check", option, "bandid")
    assert (done.returncode, "Did you mean bandit?" in done.stderr) == (2, True)


def test_the_only_requested_scanner_missing_is_incomplete(make_project: Make) -> None:
    project = make_project({"Dockerfile": "FROM x\n"})
    said = check(project, "--only", "trivy", env=NO_TOOLS)
    incomplete(said, "trivy")
    assert said.run("trivy")["status"] == "missing"


def test_bandit_dying_on_its_configuration_is_incomplete(make_project: Make) -> None:
    configuration = "[scanners.bandit]\nconfig = 'bandit.yml'\n"
    project = make_project(
        {"a.py": CLEAN, "scanagg.toml": configuration, "bandit.yml": "tests: [B101, \n"}
    )
    said = check(project, "--only", "bandit")
    incomplete(said, "bandit")
    assert said.run("bandit")["coverage"]["examined"] == 0


# Inputs.


def test_a_file_that_does_not_parse_is_incomplete_and_named(make_project: Make) -> None:
    project = make_project({"a.py": CLEAN, "access/control.py": "def broken(:\n"})
    said = check(project, "--only", "bandit")
    incomplete(said, "access/control.py", f"Python {sys.version_info[0]}.{sys.version_info[1]}")


def test_an_empty_tree_is_incomplete(make_project: Make) -> None:
    said = check(make_project({}), env=NO_TOOLS)
    incomplete(said)
    assert {run["status"] for run in said.report["runs"]} <= {"not_applicable", "missing"}


def test_an_unlocked_project_is_incomplete_and_says_how_to_lock(make_project: Make) -> None:
    toml = '[project]\nname = "x"\nversion = "1"\ndependencies = ["requests", "jinja2>=3"]\n'
    said = check(make_project({"pyproject.toml": toml}), "--only", "pip-audit")
    incomplete(said, "pip-audit", "lock")
    assert said.run("pip-audit")["status"] == "empty"
    assert said.run("pip-audit")["coverage"]["found"] == 2


def test_a_broken_manifest_loses_nothing_but_its_broken_lines(make_project: Make, osv: str) -> None:
    manifest = "jinja2==3.1.6\njinja2==3.1.6\nrequests\n=== nonsense\n-r missing.txt\nidna==3.10\n"
    project = make_project({"requirements.txt": manifest, "scanagg.toml": settings(osv)})
    said = check(project, "--only", "pip-audit", "--policy", "strict")
    incomplete(said, "requests", "requirements.txt:4")
    coverage = said.run("pip-audit")["coverage"]
    assert coverage["examined"] == 2
    assert {gap["input"].partition(":")[0] for gap in coverage["not_examined"]} >= {
        "requirements.txt"
    }


def test_one_line_of_two_megabytes_is_not_examined_by_name(make_project: Make) -> None:
    line = json.dumps({f"k{number}": "v" * 90 for number in range(20_000)})
    project = make_project({"big.json": line, "a.env": "PASSWORD=hunter2hunter2\n"})
    said = check(project, "--only", "detect-secrets")
    coverage = said.run("detect-secrets")["coverage"]
    assert [gap["input"] for gap in coverage["not_examined"]] == ["big.json"]
    assert said.run("detect-secrets")["status"] == "degraded"
    assert said.code in (1, 3)
    assert len(said.report["findings"]) == 1


def test_odd_encodings_are_examined(make_project: Make) -> None:
    shell = "import subprocess\r\nsubprocess.run('ls', shell=True)\r\n"
    project = make_project(
        {
            "bom.py": b"\xef\xbb\xbf" + shell.encode(),
            "latin.py": b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + shell.encode(),
            "crlf.py": shell,
        }
    )
    (project / "crlf.py").rename(project / os.fsdecode(b"caf\xe9.py"))
    said = check(project, "--only", "bandit")
    places = {finding["location"]["path"] for finding in said.report["findings"]}
    assert places == {"bom.py", "latin.py", "caf\\xe9.py"}
    assert said.run("bandit")["coverage"]["examined"] == 3
    assert "shell=True" in said.everything, "the line of code is read in every encoding"


def test_bytes_that_are_no_text_in_a_python_file_are_named(make_project: Make) -> None:
    project = make_project({"a.py": CLEAN, "bad.py": b"x = '\xff\xfe'\n"})
    incomplete(check(project, "--only", "bandit"), "bad.py")


def test_links_in_a_circle_and_out_of_the_tree_are_not_followed(make_project: Make) -> None:
    project = make_project({"a.py": CLEAN})
    outside = project.parent / "outside.py"
    outside.write_text("import subprocess\nsubprocess.run('ls', shell=True)\n")
    (project / "loop.py").symlink_to("loop.py")
    (project / "out.py").symlink_to(outside)
    said = check(project, "--only", "bandit")
    gaps = {gap["input"]: gap["reason"] for gap in said.run("bandit")["coverage"]["not_examined"]}
    assert set(gaps) == {"loop.py", "out.py"}
    assert said.report["findings"] == []


def test_hostile_names_harm_no_report(make_project: Make) -> None:
    names = ["a\nb.py", "<script>alert(1)<", "script>.py", "\x1b[31mred.py", "`x`|y.py", "%41.py"]
    shell = "import subprocess\nsubprocess.run('ls', shell=True)\n"
    project = make_project({f"d/{name}" if "/" not in name else name: shell for name in names})
    said = check(project, "--only", "bandit", "-v")
    python = [name for name in names if name.endswith(".py")]
    assert said.run("bandit")["coverage"]["examined"] == len(python)
    assert "\x1b[31mred" not in said.out
    assert "<script>alert(1)" not in (said.folder / "scanagg.html").read_text()
    assert "a\\nb.py" in said.out


# Files of the project.


def test_nothing_of_the_checked_project_runs(make_project: Make, osv: str) -> None:
    witness = "open(__file__ + '.WAS-RUN', 'w').close()\n"
    modules = ["bandit", "json", "sitecustomize", "usercustomize", "detect_secrets", "piplicenses"]
    project = make_project(
        {
            **{f"{name}.py": witness for name in modules},
            "pip_audit/__init__.py": witness,
            "pip_audit/__main__.py": witness,
            "setup.py": witness,
            "conftest.py": witness,
            "requirements.txt": "idna==3.10\n",
            ".bandit": "[bandit]\nskips: B602\n",
            "trivy.yaml": "scan:\n  scanners: []\n",
            "scanagg.toml": settings(osv),
            "app.py": "import subprocess\nsubprocess.run('ls', shell=True)\n",
        }
    )
    said = check(project, cwd=project, new_process=True)
    assert not list(project.rglob("*WAS-RUN"))
    assert any(finding["rule"]["id"] == "B602" for finding in said.report["findings"])


def test_what_the_project_hides_is_reported(make_project: Make) -> None:
    project = make_project(
        {
            "app.py": "import subprocess\nsubprocess.run('ls', shell=True)  # nosec\n",
            ".bandit": "[bandit]\nskips: B602\n",
        }
    )
    said = check(project, "--only", "bandit")
    assert said.run("bandit")["hidden"] == {"nosec": 2}, "two rules would have spoken"
    assert ".bandit" in str(said.run("bandit")["notices"])
    assert "nosec" in said.out


# Scanners that misbehave.


MISBEHAVIOUR = {
    "hangs": ("import time; time.sleep(300)", "timeout"),
    "prints without end": ("import os\nwhile True: os.write(1, b'x' * 1048576)", "failed"),
    "prints half a JSON": ("print('{\"Results\": [')", "failed"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "failed"),
    "exits 0 with garbage": ("print('No problems found!')", "failed"),
    "says nothing": ("pass", "failed"),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_a_scanner_that_misbehaves_is_incomplete(
    make_project: Make, tmp_path: Path, case: str
) -> None:
    code, status = MISBEHAVIOUR[case]
    version = (
        "import sys\nif 'version' in sys.argv:\n    print('{\"Version\": \"1\"}'); sys.exit()\n"
    )
    toml = fake(tmp_path, version + code)
    project = make_project({"Dockerfile": "FROM x\n", "scanagg.toml": toml})
    said = check(project, "--only", "trivy", "--timeout", "4" if case == "hangs" else "60")
    incomplete(said, "trivy")
    assert said.run("trivy")["status"] == status


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("re.match('(a*)*b', 'a' * 60)", 3),
        ("all(number == 0 for number in iter(int, 1))", 3),
        ("in_thread(lambda: re.match('(a*)*b', 'a' * 60))", -signal.SIGKILL),
    ],
)
def test_the_deadline_also_ends_our_own_work(make_project: Make, work: str, code: int) -> None:
    program = f"""
import re, resource, sys, threading
from scanagg.cli import main, progress, request
def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
request.check = lambda *_: {work}
progress.GRACE_SECONDS = 0.5
sys.argv = ["scanagg", "check", sys.argv[1], "--deadline", "0.5"]
main()
"""
    project = make_project({"app.py": "x = 1\n"})
    argv = [sys.executable, "-c", program, str(project)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert done.stderr.count("did not end after the deadline") == 1


def test_the_deadline_ends_everything_and_shows_what_is_known(
    make_project: Make, tmp_path: Path
) -> None:
    toml = fake(tmp_path, "import time; time.sleep(300)")
    project = make_project({"Dockerfile": "FROM x\n", "a.py": CLEAN, "scanagg.toml": toml})
    start = time.monotonic()
    said = check(project, "--only", "trivy,detect-secrets", "--deadline", "6")
    assert time.monotonic() - start < 14
    incomplete(said, "deadline")
    assert said.run("detect-secrets")["status"] == "ok"


def test_ctrl_c_ends_everything_and_shows_what_is_known(make_project: Make, tmp_path: Path) -> None:
    started = tmp_path / "started"
    toml = fake(tmp_path, f"import time; open({str(started)!r}, 'w'); time.sleep(300)")
    project = make_project({"Dockerfile": "FROM x\n", "scanagg.toml": toml})
    reports = tmp_path / "reports"
    argv = ["check", str(project), "--only", "trivy", "--output-dir", str(reports)]
    child = subprocess.Popen(
        [sys.executable, "-m", "scanagg", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not started.exists():
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    pressed = time.monotonic()
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, out + err
    assert time.monotonic() - pressed < 4
    assert "interrupted" in out
    assert "Traceback" not in out + err
    assert json.loads((reports / "scanagg.json").read_text())["gate"]["exit_code"] == 130


def test_an_unreachable_vulnerability_service_is_incomplete(make_project: Make) -> None:
    project = make_project(
        {
            "requirements.txt": "jinja2==2.4.1\n",
            "scanagg.toml": settings("http://127.0.0.1:9/v1/query"),
        }
    )
    said = check(project, "--only", "pip-audit")
    incomplete(said, "pip-audit")
    assert said.run("pip-audit")["coverage"]["examined"] == 0


def test_trivy_without_a_database_does_not_pass(make_project: Make, tmp_path: Path) -> None:
    toml = f'[scanners.trivy]\ncache-dir = "{tmp_path}/empty"\n'
    project = make_project({"requirements.txt": "jinja2==2.4.1\n", "scanagg.toml": toml})
    said = check(project, "--only", "trivy", "--offline")
    incomplete(said, "trivy")


def test_safety_without_its_service_does_not_pass(make_project: Make) -> None:
    project = make_project({"requirements.txt": "jinja2==2.4.1\n"})
    nowhere = dict.fromkeys(
        (
            *("SAFETY_PLATFORM_URL", "SAFETY_DATA_API_BASE_URL", "SAFETY_AUTH_SERVER_URL"),
            *("SAFETY_PLATFORM_API_BASE_URL", "SAFETY_SAFETY_PLATFORM_V2_URL"),
        ),
        "http://127.0.0.1:9",
    )
    said = check(project, "--only", "safety", env=nowhere)
    incomplete(said, "safety")
    assert said.run("safety")["coverage"]["examined"] == 0


def test_an_environment_that_cannot_be_read_is_no_pass(make_project: Make, tmp_path: Path) -> None:
    project = make_project({"requirements.txt": "idna==3.10\n"})
    done = scanagg("check", str(project), "--python", str(tmp_path / "no such" / "python"))
    assert done.returncode == 2
    assert "no such" in done.stderr
    broken = tmp_path / "broken env" / "bin" / "python"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 0\n")
    broken.chmod(0o755)
    argv = ("--only", "licenses", "--offline", "--python", str(broken))
    assert scanagg("check", str(project), *argv).returncode in (2, 3)


def test_an_environment_with_a_space_in_its_path_is_read(
    make_project: Make, tmp_path: Path
) -> None:
    env = tmp_path / "my env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    python = env / "bin" / "python"
    (packages,) = env.glob("lib/*/site-packages")
    (packages / "demo-1.0.dist-info").mkdir()
    (packages / "demo-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nLicense: MIT\n"
    )
    project = make_project({"a.py": CLEAN})
    said = check(project, "--only", "licenses", "--offline", "--python", str(python))
    coverage = said.run("licenses")["coverage"]
    assert (coverage["examined"], coverage["found"]) == (1, 1)


# Output.


def test_reports_that_cannot_be_written_are_no_pass(make_project: Make, tmp_path: Path) -> None:
    project = make_project({"a.py": CLEAN})
    folder = tmp_path / "file" / "out"
    folder.parent.write_text("")
    done = scanagg("check", str(project), "--only", "bandit", "--output-dir", str(folder))
    assert (done.returncode, str(folder / "scanagg.json") in done.stderr) == (3, True)
    assert done.stdout.startswith("INCOMPLETE")
    assert re.search(r"^bandit +ok ", done.stdout, re.M), "what is known is still printed"


def test_a_full_disk_is_no_pass_and_leaves_no_half_report(
    make_project: Make, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    with ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", str(disk)], check=True)
        (disk / "filler").write_bytes(b"x" * 60_000)
        shell = "import subprocess\n" + "subprocess.run('ls', shell=True)\n" * 200
        project = make_project({"a.py": shell})
        done = scanagg("check", str(project), "--only", "bandit", "--output-dir", str(disk))
        assert done.returncode == 3, done.stdout
        assert "No space left" in done.stderr
        assert not list(disk.glob(".scanagg*"))


# Policies and configuration.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\ndefault: warn\nrulez: []\n", (":3:", "rulez", "rules")),
        ("version: 1\ndefault: warn\ndefault: block\n", (":3:", "default")),
        ("version: 1\ndefault: 7\n", (":2:", "default")),
        ("version: 1\ndefault: warn\nlicenses:\n  allow: [MITT]\n", (":4:", "MITT", "MIT")),
        ("version: 1\ndefault: warn\nwaivers: {itms: []}\n", (":3:", "items")),
        ("default: warn\n", ("version",)),
    ],
)
def test_a_bad_policy_is_an_error_with_a_line(
    make_project: Make, tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text(text)
    project = make_project({"a.py": CLEAN})
    for argv in (("check", str(project), "--policy"), ("policy", "check")):
        done = scanagg(*argv, str(policy))
        assert done.returncode == 2
        for word in words:
            assert word in done.stderr
    assert not (project / "reports").exists(), "nothing was scanned"


def test_a_policy_that_does_not_exist_is_an_error(make_project: Make) -> None:
    done = scanagg("check", str(make_project({"a.py": CLEAN})), "--policy", "strickt")
    assert done.returncode == 2
    assert "strict" in done.stderr


def test_a_bad_configuration_is_an_error_before_anything_runs(make_project: Make) -> None:
    project = make_project({"a.py": CLEAN, "scanagg.toml": "[scanners.bandit]\nargz = []\n"})
    done = scanagg("check", str(project))
    assert done.returncode == 2
    assert "scanagg.toml:2" in done.stderr
    assert "Did you mean args?" in done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("--format", "pdf"),
        ("--now", "yesterday"),
        ("--enforcement", "loud"),
        ("--only", "bandit", "--skip", "bandit"),
        ("--jobs", "0"),
        ("--image", ""),
        ("--policy", " "),
        ("--now", "0001-01-01T00:00:00+14:00"),
        ("--now", "0001-01-01"),
        ("--now", "9999-12-31T23:59:59Z"),
        ("--no-such-option",),
    ],
)
def test_a_bad_option_is_a_usage_error(make_project: Make, argv: tuple[str, ...]) -> None:
    assert scanagg("check", str(make_project({"a.py": CLEAN})), *argv).returncode == 2


def test_without_a_home_the_remedy_is_named(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCANAGG_CACHE_DIR")

    def homeless(_name: str) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache.platformdirs, "user_cache_path", homeless)
    with pytest.raises(ConfigError) as raised:
        cache.cache_folder()
    assert "SCANAGG_CACHE_DIR" in raised.value.hint


def test_arguments_of_the_configuration_are_shown(make_project: Make) -> None:
    project = make_project(
        {"a.py": "eval('1')\n", "scanagg.toml": "[scanners.bandit]\nargs = ['-lll']\n"}
    )
    said = check(project, "--only", "bandit")
    assert "-lll" in str(said.run("bandit")["notices"])
    assert "-lll" in said.out


def test_a_repository_inside_is_named(make_project: Make) -> None:
    project = make_project({"a.py": CLEAN})
    (project / "vendored").mkdir()
    git(project / "vendored", "init", "-q")
    (project / "vendored" / "b.py").write_text("eval('1')\n")
    said = check(project, "--only", "bandit")
    assert said.notices["nested-repositories"] == {"paths": ["vendored"]}
    assert "vendored" in said.out


def test_git_is_not_needed(make_project: Make, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    project = make_project({"a.py": CLEAN, ".gitignore": "b.py\n", "b.py": "x = ("}, git_=False)
    assert shutil.which("git", path=str(empty)) is None
    said = check(project, "--only", "bandit", env={"PATH": str(empty)})
    assert said.code == 0, said.out
    assert "listed-without-git" in said.notices
