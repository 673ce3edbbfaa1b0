"""A project of a stranger in a folder of its own, and the promises that a check of it keeps."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.kept import keep
from support.osv import record

PROGRAM = str(Path(sys.executable).parent / "scanagg")
# Not a real token. It is in two parts so that no scanner takes this file for a leak.
SECRET = "ghp_" + "R4nd0mT0k3nOfNobody1234567890abcdEFGH"[:36]
OUTSIDE = "the-text-of-a-file-outside"
CODE = "import subprocess\n\n\ndef go(name):\n    subprocess.run(name, shell=True)\n"
PACKAGE = "flawed-widget"
PIN = f"{PACKAGE}==1.0"
# A check of a small project takes some seconds, also on a busy machine.
SECONDS = 90
_COMMAND = re.compile(r"^[ \t]*(?:::[\w-]+[^:\n]*::|##\[)", re.MULTILINE)
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Scene:
    """A project, with how to check it.

    A case adds files, variables of the environment and arguments. `planted` are the files in which
    it put something that blocks: each must be in a finding or in a gap. `codes` are the exit codes
    that are right, without those of the verdict. `before` runs in the process of the check, before
    it starts, and `shell` is a shell command around it, with the check as `"$@"`.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    argv: list[str] = field(default_factory=list)
    scanners: set[str] = field(default_factory=set)
    planted: set[str] = field(default_factory=set)
    codes: set[int] = field(default_factory=set)
    below: str = "."
    shell: str = ""
    has_git: bool = True

    @property
    def project(self) -> Path:
        """The checked project."""
        return self.folder / "project"

    @property
    def outside(self) -> Path:
        """A folder beside the project that nothing may change."""
        return self.folder / "outside"

    @property
    def cache(self) -> Path:
        """The cache folder, with the advisory store."""
        return self.folder / "cache"

    @property
    def touch(self) -> str:
        """A shell command that shows that a program of the project ran."""
        return f"touch '{self.folder / 'ran'}'"

    def write(self, path: str, content: str | bytes = "", *, executable: bool = False) -> Path:
        """Write a file of the project."""
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        if executable:
            place.chmod(0o755)
        return place

    def program(self, path: str) -> Path:
        """Write a program of the project that shows that it ran."""
        return self.write(path, f"#!/bin/sh\n{self.touch}\n", executable=True)

    def link(self, path: str, target: str | Path) -> None:
        """Write a symbolic link."""
        place = self.project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def plant(self, path: str, content: str | bytes, scanner: str) -> None:
        """Write a file with something that blocks."""
        self.write(path, content)
        self.planted.add(path)
        self.scanners.add(scanner)

    def git(self, *argv: str) -> None:
        """Run git in the project. SubprocessError if it fails, or waits for a pipe."""
        own = ["-c", "user.name=a", "-c", "user.email=a@x.invalid", "-c", "core.fsmonitor=false"]
        subprocess.run(
            ["git", *own, *argv],
            cwd=self.project,
            check=True,
            capture_output=True,
            env=CLEAN,
            timeout=60,
        )


CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass(frozen=True)
class Case:
    """A hostile or broken input: its kind, its name, and how to add it to a scene."""

    kind: str
    name: str
    add: Callable[[Scene], object]

    def __str__(self) -> str:
        """Return the name with its kind, as the command line takes it."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Result:
    """The promises that a check of some cases broke, in words, and its exit code."""

    broken: tuple[str, ...]
    code: int | None
    seconds: float


@contextmanager
def scene() -> Iterator[Scene]:
    """Make a scene with an empty project, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="scene-"))
    made = Scene(folder)
    for place in (made.project, made.outside, made.cache):
        place.mkdir()
    (made.outside / "file.txt").write_text(OUTSIDE)
    (made.outside / "file.py").write_text(f"# {OUTSIDE}\n{CODE}")
    try:
        yield made
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def run(cases: Sequence[Case]) -> Result | None:
    """Check a project with these cases; None if they do not fit into one project."""
    with scene() as made:
        flaw = record("CVE-2024-9999", "flawed-widget", {"introduced": "0"}, {"fixed": "2.0"})
        keep(made.cache, [flaw], whole=False)
        made.git("init", "-q")
        made.write("clean.py", "x = 1\n")
        made.write("clean.txt", "x\n")
        try:
            for case in cases:
                case.add(made)
        except (OSError, subprocess.SubprocessError):
            return None
        if not made.planted:
            made.plant("app.py", CODE, "bandit")
            made.plant("config.ini", f"token = {SECRET}\n", "detect-secrets")
        before = _files(made)
        required = ", ".join(f"{name}: {{required: true}}" for name in made.scanners)
        policy = f"version: 1\ndefault: block\nscanners: {{{required}}}\n"
        (made.folder / "policy.yml").write_text(policy)
        started = time.monotonic()
        code, out = _checked(made)
        return Result(tuple(_broken(made, code, out, before)), code, time.monotonic() - started)


def smallest(cases: Sequence[Case]) -> Sequence[Case]:
    """Return the fewest of these cases that still break a promise."""
    for case in cases:
        others = [other for other in cases if other is not case]
        result = run(others) if others else None
        if result is not None and result.broken:
            return smallest(others)
    return cases


def sample(cases: Sequence[Case], count: int, seed: int) -> Iterator[Sequence[Case]]:
    """Yield random combinations of two or three cases of different kinds."""
    chance = random.Random(seed)
    while count:
        chosen = chance.sample(list(cases), chance.choice((2, 3)))
        if len({case.kind for case in chosen}) == len(chosen):
            count -= 1
            yield chosen


def _checked(made: Scene) -> tuple[int | None, str]:
    """Run the check; return its exit code and all that it printed. None if it did not end."""
    command = [
        *(PROGRAM, "check", ".", "--offline"),
        *("--policy", str(made.folder / "policy.yml")),
        *("--output-dir", str(made.folder / "reports"), "--timeout", "20", "--deadline", "60"),
        *(part for name in ("json", "md", "sarif", "html") for part in ("--format", name)),
        *(part for name in sorted(made.scanners) for part in ("--only", name)),
        *made.argv,
    ]
    if made.shell:
        command = ["/bin/sh", "-c", made.shell, "sh", *command]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(made.folder),
        "NO_COLOR": "1",
        "SCANAGG_CACHE_DIR": str(made.cache),
        **made.env,
    }
    with subprocess.Popen(
        command,
        cwd=made.project / made.below,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            raw, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None, ""
    return process.returncode, raw.decode("utf-8", "backslashreplace")


def _broken(made: Scene, code: int | None, out: str, before: dict[str, object]) -> Iterator[str]:
    """Yield the broken promises."""
    if code is None:
        yield f"it did not end in {SECONDS} seconds"
        return
    if (made.folder / "ran").exists():
        yield "a program of the project ran"
    if code not in {1, 3} | made.codes:
        yield f"exit code {code}: {out.strip()[-300:]!r}"
    reports = _reports(made)
    for name, text in {"what it printed": out, **reports}.items():
        yield from (f"{what} is in {name}" for what in _forbidden(name, text))
    if code in {1, 3}:
        yield from _unseen(made, reports.get("scanagg.json"))
    after = _files(made)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if changed:
        yield f"changed outside of the reports: {', '.join(sorted(map(repr, changed))[:3])}"


def _forbidden(name: str, text: str) -> Iterator[str]:
    """Yield what may never be in an output."""
    if SECRET in text:
        yield "a secret"
    if OUTSIDE in text:
        yield "text of a file outside the project"
    if not name.endswith((".json", ".sarif")) and _COMMAND.search(text):
        yield "a command of a CI system"
    if _CONTROL.search(text):
        yield "a control character"
    if _TRACEBACK in text:
        yield "a traceback"


def _unseen(made: Scene, report: str | None) -> Iterator[str]:
    """Yield each planted file that is neither in a finding nor in a gap."""
    if report is None:
        # A check that ends before the report says why, and is no PASS.
        return
    document = json.loads(report)
    gaps = [
        gap
        for place in (document["target"], *(run["coverage"] for run in document["runs"]))
        for gap in place.get("skipped", place.get("not_examined", ()))
    ]
    named = json.dumps(
        [document["findings"], gaps, document["gate"], document["terms"]], ensure_ascii=False
    )
    failed = {run["scanner"] for run in document["runs"] if run["status"] in _WITHOUT_RESULT}
    for path in made.planted:
        shown = path.encode("unicode_escape").decode()
        words = (path, shown, PACKAGE) if "pip-audit" in made.scanners else (path, shown)
        if not any(word in named for word in words) and not failed >= made.scanners:
            yield f"neither found nor named: {path!r}"


_WITHOUT_RESULT = {"failed", "timeout", "missing", "skipped"}


def _reports(made: Scene) -> dict[str, str]:
    folder = made.folder / "reports"
    paths: Iterable[Path] = folder.glob("scanagg.*") if folder.is_dir() else ()
    return {path.name: path.read_text("utf-8", "backslashreplace") for path in paths}


def _files(made: Scene) -> dict[str, object]:
    """Return what is in the project and outside, by path; not the index of git."""
    files: dict[str, object] = {}
    for root in (made.project, made.outside):
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder) / name
                status = path.lstat()
                if path.name != "index":
                    key = str(path.relative_to(made.folder))
                    files[key] = (status.st_size, status.st_mtime_ns, status.st_mode)
    return files
