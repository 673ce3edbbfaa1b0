"""Safety: known vulnerabilities of the inventory, as exact pins, by its vendor's service.

With `SAFETY_API_KEY` in the environment it is `safety scan`, else the deprecated `safety check`,
which needs no account. Both need the vendor's service, even with a database of one's own. They run
in a folder with nothing but our pins, so that no policy file of the checked project has an effect.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scanagg.model import Category, NotExamined, ScannerInfo
from scanagg.scanners import base, pinned
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    ScannerSettings,
    Tool,
)
from scanagg.scanners.safety import results

INFO = ScannerInfo(
    name="safety",
    title="Safety",
    about=(
        "Known vulnerabilities in the Python packages that the project pins, by Safety's database."
    ),
    url="https://docs.safetycli.com/",
    install='pip install "scanagg[safety]"',
    options={"db": "Folder or address of a database for `safety check` to use."},
    args=frozenset(
        (
            *("--ignore", "-i", "--proxy-host", "--proxy-port", "--proxy-protocol"),
            *("--stage", "--debug"),
        )
    ),
    native_files=(".safety-policy.yml", ".safety-policy.yaml", ".safety-project.ini"),
    categories=frozenset({Category.VULNERABILITY}),
    needs_network=True,
    suppressions={"safety policy": False},
)

probe = base.probe
identify = base.identify
again = base.again
recall = base.recall
advisory_source = base.advisory_source

_FILE: Final = "requirements.txt"
_BATCH: Final = 1000


def locate(settings: ScannerSettings) -> Tool | None:
    """The module of our own environment, or the program that the settings name."""
    return base.module_or_program("safety", "safety", settings)


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


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """Look up exactly these pins, without telling the vendor more than it takes."""
    start = (*tool.argv, "--disable-optional-telemetry")
    if os.environ.get("SAFETY_API_KEY"):
        command: tuple[str, ...] = ("scan", "--output", "json", "--target", "{work}")
    else:
        command = (
            *("check", "-r", _FILE, "--output", "json", "--disable-audit-and-monitor"),
            *_database(context),
        )
    return Call(
        (*start, *command, *context.settings.args),
        batch,
        files={_FILE: pinned.requirements(batch)},
        env={"NON_INTERACTIVE": "1"},
        allow=("SAFETY_*",),
    )


def parse(context: Context, output: Output) -> Parsed:
    """What it lists with a version is examined; a pin that it does not list is not."""
    try:
        answer = results.decode(output.stdout, output.inputs)
    except ValueError as error:
        raise ScanError(f"its answer is not the JSON of safety: {error}") from error
    if answer is None:
        otherwise = f"no report in its output, exit code {output.returncode}"
        raise ScanError(base.complaint(output.stderr, otherwise))
    if not answer.fits(output.returncode):
        raise ScanError(f"exit code {output.returncode} does not fit {answer.count} findings")
    return answer.parsed(pinned.pins(context.inventory).exact)


def _database(context: Context) -> tuple[str, ...]:
    given = context.settings.options.get("db")
    if not given:
        return ()
    if given.startswith(("https://", "http://")):
        return ("--db", given)
    return ("--db", str(context.target.root / Path(given).expanduser()))
