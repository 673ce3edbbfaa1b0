"""The output of `scanagg demo`, and the places that show it: the README, the sample, its picture.

To record them again, for example after a change of wording:

    python tests/docs/demonstration.py

This needs every scanner of requirements/dev.txt, and Chromium. Read the diff before you commit it.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from doc_examples import Command, blocks, commands, differences
from record_examples import recorded
from support import tools
from support.browser import open_browser
from support.command import PROGRAM

ROOT: Final = Path(__file__).parent.parent.parent
README: Final = ROOT / "README.md"
SAMPLE: Final = ROOT / "reports" / "sample.html"
PICTURE: Final = ROOT / "docs" / "report.png"

_SCREENSHOT: Final = """\
await page.setViewportSize({{ width: 1200, height: 900 }});
await page.screenshot({{ path: {path} }});
"""
# Durations, times, ages and versions of Python.
_VARIABLE: Final = (
    (re.compile(r'(class="number">)\d+\.\d(<)'), r"\1<seconds>\2"),
    (re.compile(r"<time .*?</time>"), "<time>"),
    (re.compile(r"\b[\d,]+ days old"), "<days>"),
    (re.compile(r"/python3\.\d+/"), "/python/"),
)


class Demonstration(NamedTuple):
    """What `scanagg demo shop` printed, and its HTML report."""

    printed: str
    report: str


def run(folder: Path) -> Demonstration:
    """Run `scanagg demo shop` in a folder, with all scanners. Skip the test if one is missing."""
    programs = {tools.betterleaks().parent, tools.safety().parent, tools.trivy().parent}
    home = folder / "home"
    home.mkdir()
    done = subprocess.run(
        [PROGRAM, "demo", "shop"],
        cwd=folder,
        env={
            "PATH": os.pathsep.join((*map(str, programs), os.environ["PATH"])),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "80",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = folder / "shop" / "reports" / "scanagg.html"
    return Demonstration(done.stdout, report.read_text("utf-8"))


def shown() -> Command:
    """Return the part of the output that the README shows."""
    (block,) = (block for block in blocks(README) if block.language == "text")
    (command,) = commands(block)
    return command


def comparable(report: str) -> str:
    """Return a report without what differs from run to run."""
    for pattern, name in _VARIABLE:
        report = pattern.sub(name, report)
    return report


def record(folder: Path) -> None:
    """Write the output into the README, and the report and its picture, where they differ."""
    demonstration = run(folder)
    command = shown()
    if differences(command.shown, demonstration.printed):
        lines = README.read_text("utf-8").splitlines()
        end = command.line + len(command.shown)
        lines[command.line : end] = recorded(command.shown, demonstration.printed)
        README.write_text("\n".join(lines) + "\n", "utf-8")
    if comparable(SAMPLE.read_text("utf-8")) != comparable(demonstration.report):
        SAMPLE.write_text(demonstration.report, "utf-8")
        with open_browser(folder) as browser:
            script = _SCREENSHOT.format(path=json.dumps(str(PICTURE)))
            browser.visit(SAMPLE.as_uri(), script, colorScheme="light")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        record(Path(temporary))
