"""The two calls for licences: pip-licenses on the environment's folders, pip on a few pins."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scanagg.scanners import pinned
from scanagg.scanners.base import Call, Context, Output, Tool, python_module
from scanagg.scanners.licenses import site_packages

_UNREACHABLE: Final = re.compile(r"Retrying \(Retry|\b40[137] Error\b|No module named pip\b")


def installed(context: Context) -> tuple[str, ...]:
    """The pins that the project's environment has: those to ask pip-licenses for.

    Where its folders are not known that is all of them, and the answer shows what it has.
    """
    if context.python is None:
        return ()
    exact = pinned.pins(context.inventory).exact
    places = site_packages.folders(context.python)
    if not places:
        return tuple(exact)
    present = site_packages.packages(places)
    known = pinned.by_key(exact)
    return tuple(sorted(pin for same in present for pin in known.get(same, ())))


def of_environment(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """pip-licenses with its three sources apart. A program of the user's gets the interpreter."""
    python = (context.python or Path()).absolute()
    places = () if context.settings.path else site_packages.folders(python)
    where = (*tool.argv, "--python", str(python))
    if places:
        joined = os.pathsep.join(map(str, places))
        where = (*python_module("scanagg.scanners.licenses.site_packages"), joined)
    wanted = ("--from=all", "--format=json", "--with-system")
    return Call((*where, *wanted, *context.settings.args), batch)


def of_index(batch: tuple[str, ...]) -> Call:
    """pip's report of what it would install, from metadata alone: nothing installed or built."""
    argv = (
        *python_module("pip"),
        *("install", "--dry-run", "--no-deps", "--only-binary", ":all:", "--ignore-installed"),
        # Whether the package would run here does not matter for its licence.
        *("--ignore-requires-python", "--no-input", "--disable-pip-version-check"),
        *("--quiet", "--report", "-", "-r", "{work}/requirements.txt"),
    )
    return Call(
        argv,
        batch,
        files={"requirements.txt": pinned.requirements(batch)},
        # The user's index and proxy count, but not a verbosity that mixes words into the report.
        env={"PIP_VERBOSE": "0", "PIP_QUIET": "0", "PYTHONNOUSERSITE": "1"},
        allow=("PIP_*",),
    )


def without_culprit(output: Output) -> Sequence[tuple[str, ...]]:
    """Batches to try after pip gave up: it does so at the first package that it does not find.

    None where the index itself is the trouble.
    """
    batch = output.inputs
    if len(batch) == 1 or _UNREACHABLE.search(output.stderr):
        return ()
    bad = _blamed(output)
    if bad:
        return tuple(pin for pin in batch if pin != bad), (bad,)
    return pinned.halves(batch)


def _blamed(output: Output) -> str | None:
    """The pin that an error line names."""
    errors = [line for line in output.stderr.splitlines() if line.startswith("ERROR: ")]
    for pin in output.inputs:
        named = re.compile(rf"(?<![\w.-]){re.escape(pin)}(?![\w.+!-])")
        if any(named.search(line) for line in errors):
            return pin
    return None
