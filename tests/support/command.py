"""Run the real command line with real scanners, in this process unless a test needs another.

Running in this process saves the start of Python and the imports, which is half of the time of a
check with one scanner.
"""

import contextlib
import gc
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scanagg.cli import main

PROGRAM = Path(sys.executable).parent / "scanagg"


def plain_environment() -> dict[str, str]:
    """Return the environment without coverage, which starts before scanagg and ends after it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


@dataclass(frozen=True)
class Said:
    """The result of `scanagg`: exit code, both streams, and scanagg.json if it exists."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report."""
        loaded: dict[str, Any] = json.loads((self.folder / "scanagg.json").read_text("utf-8"))
        return loaded

    def run(self, scanner: str) -> dict[str, Any]:
        """One scanner's run in the JSON report."""
        return next(run for run in self.report["runs"] if run["scanner"] == scanner)

    @property
    def notices(self) -> dict[str, dict[str, Any]]:
        """The values of the gate's notices in the JSON report, by kind."""
        return {notice["kind"]: notice["values"] for notice in self.report["gate"]["notices"]}

    @property
    def everything(self) -> str:
        """Return all that was printed or written, to search it for forbidden text."""
        files = sorted(self.folder.glob("scanagg.*")) if self.folder.is_dir() else []
        texts = [path.read_text("utf-8") for path in files]
        return "\n".join([self.out, self.err, *texts])


def scanagg(
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    new_process: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `scanagg` with these arguments. Fail on a traceback."""
    env = {"NO_COLOR": "1", **(env or {})}
    if new_process:
        done = subprocess.run(
            [str(PROGRAM), *argv],
            cwd=cwd,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )
    else:
        done = in_process(argv, cwd, env)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode != 4, done.stderr
    return done


def in_process(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `scanagg` here, with its own streams, arguments, folder and environment."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", [str(PROGRAM), *argv])
        # `check -v` adds a handler for the current stream.
        patch.setattr(logging.getLogger(), "handlers", [])
        patch.setattr(logging.getLogger("scanagg"), "level", logging.NOTSET)
        for name, value in env.items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        finally:
            gc.enable()
            for number, handler in handlers.items():
                signal.signal(number, handler)
    texts = [
        stream.buffer.getvalue().decode("utf-8", "surrogateescape")
        for stream in (out, err)
        if isinstance(stream.buffer, io.BytesIO)
    ]
    assert isinstance(code, int)
    return subprocess.CompletedProcess([str(PROGRAM), *argv], code, *texts)


def check(
    project: Path,
    *argv: str,
    formats: Sequence[str] = ("json", "sarif", "sarif-full", "html", "md"),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    new_process: bool = False,
) -> Said:
    """Run `scanagg check` on a project; write its reports beside the project."""
    folder = project.parent / f"{project.name}-reports"
    wanted = [part for name in formats for part in ("--format", name)]
    done = scanagg(
        *("check", str(project), "--output-dir", str(folder), *wanted, *argv),
        cwd=cwd,
        env=env,
        new_process=new_process,
    )
    return Said(done.returncode, done.stdout, done.stderr, folder)
