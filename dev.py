#!/usr/bin/env python3
"""Set up this repository with only Python and git, and run scanagg or the tests.

    python3 dev.py setup         create the environment .venv/ from requirements/dev.txt
    python3 dev.py check         check a demonstration project in build/shop/, without a network
    python3 dev.py check [...]   run `scanagg check` with these arguments, such as a path
    python3 dev.py test [...]    run every check and test, or only pytest with these arguments

Each command first sets up what is missing, in .venv/ and build/. You can delete both at any time.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - python3 may be older
    sys.exit(f"dev.py needs Python 3.11 or newer; this is {sys.version.split()[0]}")

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
SHOP: Final = ROOT / "build" / "shop"
APT_SECONDS: Final = 300
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
WITHOUT_BROWSER: Final = "tests that need it are skipped, or fail if CI is set"

MEANING: Final = {
    0: "pass: no finding blocks, and every required scanner finished",
    1: "blocked: at least one finding blocks",
    2: "error in the command line, the configuration or the policy",
    3: "incomplete: a required scanner is missing, failed, or did not examine everything",
    4: "internal error",
    130: "interrupted",
}


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; 1 if the setup fails."""
    commands = {"setup": setup, "check": check, "test": test}
    if not argv or argv[0] not in commands:
        print(__doc__.partition("\n\n")[2].rstrip() if __doc__ else "")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    try:
        return commands[argv[0]](argv[1:])
    except subprocess.CalledProcessError as error:
        print(f"\nfailed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}")
        return 1
    except KeyboardInterrupt:
        return 130


def setup(_: Sequence[str] = ()) -> int:
    """Create `.venv` from the development lock, and install scanagg in it as editable."""
    environment(VENV, "requirements/dev.txt")
    project = VENV / "project.sha256"
    described = digest((ROOT / "pyproject.toml").read_bytes())
    if not (project.is_file() and project.read_text() == described):
        heading("scanagg, editable")
        in_place = ("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        pip(PYTHON, "install", "--quiet", *in_place)
        pip(PYTHON, "check")
        project.write_text(described)
    return 0


def check(args: Sequence[str]) -> int:
    """Run `scanagg check`, or without arguments `scanagg demo`, and explain the exit code.

    If the update of the advisories fails, the check runs with the data that is there.
    """
    setup()
    if not args:
        return demo()
    heading("scanagg db update")
    run("scanagg", "db", "update")
    heading("scanagg check")
    code = run("scanagg", "check", *args)
    print(f"\nexit code {code}: {MEANING.get(code, 'unknown')}", flush=True)
    return code


def demo() -> int:
    """Run `scanagg demo`. It returns 0 if the check of the demonstration blocks."""
    heading("scanagg demo")
    code = run("scanagg", "demo", str(SHOP))
    meaning = MEANING.get(code, "unknown") if code else "the demonstration worked"
    print(f"\nexit code {code}: {meaning}")
    print("scanagg is in .venv/bin. Check your own project with: python3 dev.py check PATH")
    return code


def test(args: Sequence[str]) -> int:
    """Run every check and test, or only pytest with arguments. Return 0 if all pass."""
    setup()
    browser()
    if args:
        return run("pytest", *args, cwd=ROOT)
    commands = (
        ("ruff", "format", "--check", "."),
        ("ruff", "check", "."),
        ("mypy",),
        ("pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal", "--cov"),
    )
    failed = []
    for command in commands:
        heading(" ".join(command))
        if run(*command, cwd=ROOT):
            failed.append(" ".join(command))
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


def environment(folder: Path, lock: str) -> None:
    """Create a virtual environment with the packages of a lock, unless it is up to date."""
    stamp = folder / "lock.sha256"
    locked = digest((ROOT / lock).read_bytes(), sys.version.encode(), str(folder).encode())
    if stamp.is_file() and stamp.read_text() == locked:
        return
    heading(f"environment in {folder.relative_to(ROOT)}/ from {lock}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install(folder / "bin" / "python", lock)
    stamp.write_text(locked)


def install(python: Path, lock: str) -> None:
    """Install a lock as it is: pip resolves and builds nothing, and verifies every hash.

    With the resolver, a requirement such as `coverage[toml]>=7` of one package makes pip look at a
    newer release, whose hash is not in the lock. Building a source distribution would resolve its
    build requirements, so pip has to refuse it.
    """
    locked = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
    pip(python, "install", "--quiet", *locked, "-r", lock)
    pip(python, "check")


def pip(python: Path, *args: str) -> None:
    """Run pip in the environment of `python`. Raises CalledProcessError if it fails."""
    options = ("--no-input", "--disable-pip-version-check")
    subprocess.run([str(python), "-m", "pip", *options, *args], cwd=ROOT, check=True)


def browser() -> None:
    """Install Chromium if this is Debian and you are root; else print which tests need it."""
    if any(map(shutil.which, BROWSERS)):
        return
    heading("Chromium")
    apt = shutil.which("apt-get")
    release = Path("/etc/os-release")
    debian = release.is_file() and "\nID=debian\n" in f"\n{release.read_text()}\n"
    if not (apt and debian and os.geteuid() == 0):
        print(f"not found; install it yourself, or run this as root on Debian: {WITHOUT_BROWSER}")
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for rest in (["update", "-qq"], ["install", "-qq", "--no-install-recommends", "chromium"]):
        try:
            subprocess.run([apt, "-y", *rest], check=True, env=env, timeout=APT_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"cannot install it: {error}; {WITHOUT_BROWSER}")
            return


def run(program: str, *args: str, cwd: Path | None = None) -> int:
    """Run a program of the environment, with the others on PATH. Return its exit code."""
    env = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(PYTHON.parent / program), *args]
    return subprocess.run(command, cwd=cwd, check=False, env=env).returncode


def digest(*parts: bytes) -> str:
    """Return one SHA-256 of several contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def heading(text: str) -> None:
    """Print the name of a step."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
