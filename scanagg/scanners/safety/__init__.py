"""Safety: known vulnerabilities of the inventory, as exact pins, by its vendor's service.

With `SAFETY_API_KEY` in the environment it is `safety scan`, else the deprecated `safety check`,
which needs no account. Both need the vendor's service, even with a database of one's own. They run
in a folder with nothing but our pins, so that no policy file of the checked project has an effect.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scanagg.model import NotExamined
from scanagg.scanners import arguments, pinned
from scanagg.scanners.base import (
    Context,
    Inputs,
    Job,
    Output,
    OutputError,
    Parsed,
    ScannerSettings,
    Tool,
)
from scanagg.scanners.safety import results

NAME = results.NAME
TITLE = "Safety"
ABOUT = "Known vulnerabilities in the Python packages that the project pins, by Safety's database."
URL = "https://docs.safetycli.com/"
INSTALL = 'pip install "scanagg[safety]"'
OPTIONS: Mapping[str, str] = {"db": "Folder or address of a database for `safety check` to use."}
ARGS: frozenset[str] = arguments.SAFETY
NATIVE: tuple[str, ...] = (".safety-policy.yml", ".safety-policy.yaml", ".safety-project.ini")

_FILE: Final = "requirements.txt"
_BATCH: Final = 1000


def locate(settings: ScannerSettings) -> Tool | None:
    """The module of our own environment, or the program that the settings name."""
    return pinned.module_or_program("safety", "safety", settings)


def probe(context: Context, tool: Tool) -> Job | None:
    """The version, where it is a program of the user's."""
    return pinned.probe(tool)


def identify(tool: Tool, output: Output) -> Tool:
    """The tool with its version. OutputError where it told none."""
    return pinned.identified(tool, output)


def inputs(context: Context) -> Inputs:
    """Every package of the inventory; none of them where the vendor cannot be asked."""
    pins = pinned.pins(context.inventory)
    if not context.offline:
        return Inputs("packages", tuple(pins.exact), pins.refused)
    reason = "offline: Safety does nothing without its vendor's service"
    skipped = tuple(NotExamined(pin, reason) for pin in pins.exact)
    return Inputs("packages", (), (*skipped, *pins.refused))


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """All pins at once, up to a size; a name in two versions goes into separate calls."""
    return pinned.batches(inputs.found, _BATCH)


def job(context: Context, tool: Tool, batch: tuple[str, ...]) -> Job:
    """Look up exactly these pins, without telling the vendor more than it takes."""
    start = (*tool.argv, "--disable-optional-telemetry")
    if os.environ.get("SAFETY_API_KEY"):
        command: tuple[str, ...] = ("scan", "--output", "json", "--target", "{work}")
    else:
        command = (
            *("check", "-r", _FILE, "--output", "json", "--disable-audit-and-monitor"),
            *_database(context),
        )
    return Job(
        (*start, *command, *context.settings.args),
        batch,
        files={_FILE: pinned.requirements(batch)},
        env={"NON_INTERACTIVE": "1"},
        allow=("SAFETY_*",),
    )


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """What fails is its service, and that would fail again."""
    return ()


def parse(context: Context, output: Output) -> Parsed:
    """What it lists with a version is examined; a pin that it does not list is not."""
    try:
        answer = results.decode(output.stdout, output.inputs)
    except ValueError as error:
        raise OutputError(f"its answer is not the JSON of safety: {error}") from error
    if answer is None:
        otherwise = f"no report in its output, exit code {output.returncode}"
        raise OutputError(pinned.complaint(output.stderr, otherwise))
    if not answer.fits(output.returncode):
        raise OutputError(f"exit code {output.returncode} does not fit {answer.count} findings")
    return answer.parsed(pinned.pins(context.inventory).exact)


def recall(context: Context) -> Parsed:
    """Nothing is stored: advisories change from day to day."""
    return Parsed()


def _database(context: Context) -> tuple[str, ...]:
    given = context.settings.options.get("db")
    if not given:
        return ()
    if given.startswith(("https://", "http://")):
        return ("--db", given)
    return ("--db", str(context.target.root / Path(given).expanduser()))
