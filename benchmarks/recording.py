"""Record what scanagg does with real projects, and compare two recordings.

    python benchmarks/recording.py record OUT --scanagg PYTHON --data DATA PROJECT...
    python benchmarks/recording.py compare BEFORE AFTER [--ignore PATTERN]

`record` runs the scanagg of one interpreter offline, with a fixed clock and a private cache, on
clones of the projects at their HEAD. For each project it records checks by each ready-made policy
with and without the 40th commit before HEAD as base, the stored reports judged again by each of
them, and a baseline. On the first project it also runs the commands of the README that need no
network. Text that differs between two runs of the same code (folders, times, seconds) is replaced.

A recording has the folders PROJECT/checks/STEP and PROJECT/commands/STEP. Each has the arguments
and the exit code (`result.json`), what was printed, and every report; of the HTML page its data
(`scanagg.html.json`) and its text (`scanagg.html.txt`).

`compare` is in `differences.py`. Its exit code is 1 if data differs in a kind that no
`--ignore PATTERN` accepts; in a pattern, `*` stands for any text.
"""

import argparse
import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from differences import report

NOW = "2026-11-25T12:00:00Z"  # in the past, to tell it from the time of the run itself
COMMITTED = "2026-11-01T09:00:00Z"
DISTANCE = 40  # commits from HEAD back to the base
POLICIES = ("default", "pull-request", "strict", "weekly")
FORMATS = "".join(
    f" --format {name}" for name in ("json", "sarif", "sarif-full", "html", "md", "cyclonedx")
)
OFFLINE = f"--offline --no-progress --now {NOW}"

POLICY = """\
version: 1
extends: [{name: default}]
default: warn
rules:
  - {id: vulnerabilities, match: {category: vulnerability, severity: ">=medium"}, action: block}
  - {id: critical, match: {category: vulnerability, severity: critical}, action: warn}
"""
CASES = """\
version: 1
policy: policy.yml
now: 2026-11-25
cases:
  - name: a shell
    finding: {category: code, rule: B602, path: app.py, severity: high}
    expect: warn
  - name: a vulnerable package
    finding: {category: vulnerability, rule: CVE-2026-1, package: a, version: "1", severity: high}
    expect: warn
"""
COMMANDS = {
    "version": "--version",
    "help": "--help",
    "db-status": "db status --now {now}",
    "db-status-json": "db status --json --now {now}",
    "scanners": "scanners",
    "check": "check {offline}",
    "check-verbose": "check -v --only bandit,pip-audit {offline}",
    "check-trusted": "check --policy pull-request --policy-ref HEAD --base {base} {offline}",
    "check-unknown-base": "check --base no-such-branch {offline}",
    "check-unknown-scanner": "check --only bandits {offline}",
    "check-quiet": "check --quiet {offline}",
    "fix": "fix {offline}",
    "fix-report": "fix --blocking-only --report reports/scanagg.json",
    "explain": "explain {code}",
    "explain-strict": "explain {secret} --policy strict",
    "explain-unknown": "explain 00000000",
    "gate": "gate reports/scanagg.json --policy strict",
    "gate-warn": "gate reports/scanagg.json --policy strict --enforcement warn -v",
    "policy-check": "policy check {files}/policy.yml --now {now}",
    "policy-check-report": "policy check strict --root . --on reports/scanagg.json --now {now}",
    "policy-check-invalid": "policy check {files}/invalid.yml",
    "policy-test": "policy test {files}/cases.yml",
    "policy-diff": "policy diff default strict --on reports/scanagg.json",
    "policy-schema": "policy schema",
    "license-list": "license list --offline --now {now}",
    "license-list-json": "license list --format json --offline --now {now}",
    "license-eval": 'license eval "MIT OR GPL-3.0-only" --allow MIT',
    "license-eval-policy": 'license eval "MIT AND GPL-3.0-only" --policy strict',
    "waivers-none": "waivers --now {now}",
    "waive": "waive {code} --owner ada --reason unreachable --expires 2027-01-15 --now {now}",
    "waive-unknown": "waive 00000000 --owner ada --reason no --expires 2027-01-15 --now {now}",
    "waivers": "waivers --now {now}",
    "explain-waived": "explain {code}",
    "baseline-show-none": "baseline show",
    "baseline-write-incomplete": "baseline write {offline}",
    "baseline-write": "baseline write --skip safety {offline}",
    "baseline-show": "baseline show",
    "baseline-prune": "baseline prune --skip safety --offline --no-progress",
    "check-known": "check {offline}",
    "fix-apply": "fix --apply {offline}",
}

MEASURED = {"started", "seconds", "fetched", "startTimeUtc", "endTimeUtc", "serialNumber"}
PRINTED = (
    (re.compile(r" {2,}\d+\.\d$", re.M), "  <seconds>"),  # the page's table of scanners
    (re.compile(r"\d+\.\d(?= \|$)", re.M), "<seconds>"),  # the same in Markdown
    (re.compile(r"^\d+\.\d(?: s)?$", re.M), "<seconds>"),  # and in HTML
    (re.compile(r"[\d,]+ days? old"), "<age>"),
)
EMBEDDED = re.compile(r'<script type="application/json" id="(\w+)"[^>]*>(.*?)</script>', re.S)
MARKUP = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.S)


class Normaliser:
    """A filter that replaces text that differs between two runs of the same code."""

    def __init__(self, places: Mapping[Path, str]) -> None:
        """Replace each of these folders by its name, and times of today by a mark."""
        self.places = places
        days = "|".join(f"{datetime.now(UTC) + timedelta(days):%Y-%m-%d}" for days in (0, 1))
        self.today = re.compile(rf"(?:{days})[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z| UTC|\+00:00)?")

    def value(self, value: Any) -> Any:
        """Return a JSON value."""
        if isinstance(value, dict):
            return {
                key: f"<{key}>" if key in MEASURED and item is not None else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, str):
            return value
        for place, name in self.places.items():
            value = value.replace(str(place), name)
        return self.today.sub("<time>", value)

    def page(self, text: str) -> str:
        """Return text for people, which also has durations and ages."""
        text = self.value(text)
        for pattern, name in PRINTED:
            text = pattern.sub(name, text)
        return text

    def write(self, path: Path, text: str) -> None:
        """Write a report or a printed page, in a form that can be compared."""
        if path.suffix == ".html":
            data = {name: json.loads(rows) for name, rows in EMBEDDED.findall(text)}
            self.write(path.with_name(f"{path.name}.json"), json.dumps(data))
            lines = map(str.strip, html.unescape(MARKUP.sub("\n", text)).splitlines())
            self.write(path.with_name(f"{path.name}.txt"), "\n".join(filter(None, lines)))
        elif path.suffix in (".json", ".sarif"):
            value = self.value(json.loads(text))
            path.write_text(json.dumps(value, indent=1, ensure_ascii=False), "utf-8")
        else:
            path.write_text(self.page(text), "utf-8")


@dataclass(frozen=True)
class Recorder:
    """Run one scanagg in private folders below `work`, and record its results."""

    python: Path
    environment: Path | None
    work: Path
    environ: Mapping[str, str]
    normaliser: Normaliser

    def run(self, step: Path, project: Path, command: str, reports: Path | None = None) -> None:
        """Run one command in the project's folder; record it and the reports it wrote."""
        argv = shlex.split(command)
        done = subprocess.run(
            [self.python, "-m", "scanagg", *argv],
            cwd=project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            check=False,
        )
        step.mkdir(parents=True)
        result = {"argv": argv, "exit": done.returncode}
        self.normaliser.write(step / "result.json", json.dumps(result))
        for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            suffix = "json" if text.startswith("{\n") else "txt"
            self.normaliser.write(step / f"{name}.{suffix}", text)
        for path in sorted(reports.iterdir()) if reports and reports.is_dir() else ():
            self.normaliser.write(step / path.name, path.read_text("utf-8"))

    def git(self, folder: Path, *argv: str) -> str:
        """Return what git prints in a folder."""
        command = ["git", "-C", folder, *argv]
        done = subprocess.run(command, env=self.environ, stdout=subprocess.PIPE, check=True)
        return done.stdout.decode("utf-8", "replace").strip()

    def clone(self, source: Path, folder: Path) -> tuple[Path, str, str]:
        """Clone a project into a folder; return the clone, its HEAD and the commit for --base."""
        project = folder / source.name
        self.git(self.work, "clone", "-q", str(source), str(project))
        self.git(project, "remote", "set-url", "origin", f"https://git.invalid/{source.name}.git")
        (project / ".git/info/exclude").write_text("/.venv\n/reports/\n")
        if self.environment:
            (project / ".venv").symlink_to(self.environment)
        commits = self.git(project, "rev-list", "--first-parent", "HEAD").splitlines()
        return project, commits[0], commits[min(DISTANCE, len(commits) - 1)]

    def commit(self, project: Path) -> None:
        """Commit what a command has written, such as the baseline."""
        self.git(project, "add", "--all")
        self.git(project, "commit", "-q", "--allow-empty", "-m", "Record")

    def checks(self, source: Path, out: Path) -> None:
        """Record all checks of one project, and its baseline."""
        project, _, base = self.clone(source, self.work / "checks")
        reports = self.work / "reports" / source.name

        def run(step: str, command: str) -> None:
            output = f"--output-dir {reports / step} {FORMATS}"
            self.run(out / step, project, f"{command} {output}", reports / step)

        for kind, option in (("check", ""), ("check-base", f"--base {base}")):
            for policy in POLICIES:
                run(f"{kind}-{policy}", f"check --policy {policy} {option} {OFFLINE}")
            stored = reports / f"{kind}-default" / "scanagg.json"
            for policy in POLICIES:
                run(f"{kind}-{policy}-gate", f"gate {stored} --policy {policy} -v")
        # safety does not run offline, and a baseline needs a complete check.
        self.run(out / "baseline", project, f"baseline write --skip safety {OFFLINE}")
        baseline = project / "policies" / "baseline.json"
        if baseline.is_file():
            self.normaliser.write(out / "baseline" / baseline.name, baseline.read_text("utf-8"))
        self.commit(project)
        for policy in ("pull-request", "weekly"):
            run(f"check-baseline-{policy}", f"check --policy {policy} {OFFLINE}")

    def commands(self, source: Path, out: Path) -> None:
        """Record the commands of the README, and how they change the project."""
        project, head, base = self.clone(source, self.work / "commands")
        stored, files = project / "reports" / "scanagg.json", self.work / "files"
        files.mkdir()
        (files / "policy.yml").write_text(POLICY)
        (files / "invalid.yml").write_text(POLICY.replace("action: block", "acton: block"))
        (files / "cases.yml").write_text(CASES)
        values = {"base": base, "files": files, "now": NOW, "offline": OFFLINE}
        values |= {"code": "0000", "secret": "0000"}  # no finding of that category
        for name, command in COMMANDS.items():
            self.run(out / name, project, command.format_map(values))
            if name == "check" and stored.is_file():
                findings = json.loads(stored.read_text("utf-8"))["findings"]
                for category in ("code", "secret"):
                    ids = (item["id"] for item in findings if item["category"] == category)
                    values[category] = min(ids, default="0000")
            if name == "baseline-write":
                self.commit(project)
        self.commit(project)
        self.normaliser.write(out / "changes.diff", self.git(project, "diff", head, "HEAD"))


def record(options: argparse.Namespace) -> int:
    """Write the recording of all projects."""
    out, python, data = options.out, options.scanagg.absolute(), options.data.resolve()
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="scanagg-recording-") as folder:
        work = Path(folder).resolve()
        environ = {
            "PATH": os.pathsep.join((str(python.parent), os.defpath)),
            "HOME": folder,
            "SCANAGG_CACHE_DIR": str(work / "cache"),
            "SCANAGG_PROJECT_KEY": "0123456789abcdef" * 4,  # a random one changes secrets' ids
            "TRIVY_CACHE_DIR": str(work / "trivy"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ada@git.invalid" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": COMMITTED for who in ("AUTHOR", "COMMITTER")},
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "200",  # or folder names of another length would wrap lines elsewhere
        }
        shutil.copytree(data / "trivy-cache", work / "trivy")
        code = [python, "-c", "import scanagg; print(*scanagg.__path__)"]
        package = subprocess.run(code, env=environ, capture_output=True, text=True, check=True)
        places = {work: "{work}", data: "{data}", Path(package.stdout.strip()): "{scanagg}"}
        normaliser = Normaliser({**places, python.parent.parent: "{python}"})
        environment = options.environment and options.environment.resolve()
        recorder = Recorder(python, environment, work, environ, normaliser)
        recorder.run(out / "import", work, f"db import --no-progress {data / 'pypi-osv.zip'}")
        for number, source in enumerate(map(Path.resolve, options.projects)):
            start = datetime.now(UTC)
            recorder.checks(source, out / source.name / "checks")
            if number == 0:
                recorder.commands(source, out / source.name / "commands")
            seconds = (datetime.now(UTC) - start).total_seconds()
            print(f"{source.name}: {seconds:.0f} s", file=sys.stderr)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print the differences of two recordings."""
    for side in (options.before, options.after):
        if not side.is_dir():
            sys.exit(f"{side} is not a folder")
    return report(options.before, options.after, options.ignore)


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    recording = commands.add_parser("record", help="write a recording")
    recording.set_defaults(run=record)
    recording.add_argument("out", type=Path, metavar="OUT", help="a folder that does not exist")
    recording.add_argument("projects", nargs="+", type=Path, metavar="PROJECT", help="a git clone")
    recording.add_argument("--scanagg", type=Path, required=True, metavar="PYTHON")
    recording.add_argument("--data", type=Path, required=True, help="the folder of pypi-osv.zip")
    recording.add_argument("--environment", type=Path, help="the .venv of every project")
    comparing = commands.add_parser("compare", help="list the differences of two recordings")
    comparing.set_defaults(run=compare)
    comparing.add_argument("before", type=Path, metavar="BEFORE")
    comparing.add_argument("after", type=Path, metavar="AFTER")
    comparing.add_argument("--ignore", action="append", default=[], metavar="PATTERN")
    options = parser.parse_args()
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
