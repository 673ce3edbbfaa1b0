"""The interface of a scanner, the values it works with, and the registry of all scanners.

Each package in this folder is a scanner: it has the names of the `Scanner` protocol. A scanner says
when it applies, how its program is called, and what the answer means in our words. It starts
nothing, writes nothing, and decides no severity and no status: `runner.py` runs the programs, later
stages judge.

Functions that most scanners share are bound by name: `probe = base.probe`.
"""

import importlib
import os
import pkgutil
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, cast

import msgspec
from msgspec.structs import replace

from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Category,
    DataSource,
    Inventory,
    NotExamined,
    Observation,
    Reason,
    ScannerInfo,
    Target,
    plain,
)

_NOTHING: Mapping[str, str] = MappingProxyType({})
_REASON_WIDTH: Final = 300
# Lines of stderr that say what happened around an error, not what it was.
_AROUND: Final = re.compile(
    r"\s|$|Traceback |During handling |The above exception |(?:WARNING|INFO|DEBUG)\b|"
    r"(?:\w+:[\w.]+:)?Tip: |\[notice\]|No known vulnerabilities found"
)
_PREFIX: Final = re.compile(r"(?:ERROR|CRITICAL):\s*(?:[\w.]+:)?\s*")
# `<urllib3.connection.HTTPConnection object at 0x7f…>` differs from run to run.
_ADDRESS: Final = re.compile(r"<[^<>]* at 0x[0-9a-f]+>(?:: )?")
_BARE_EXCEPTION: Final = re.compile(r"[A-Za-z_][\w.]*")


class ScannerSettings(msgspec.Struct, frozen=True):
    """The settings of one scanner, from `[scanners.NAME]` of the configuration.

    `path` is the program to use, `args` are added to its command line, `timeout` is in seconds, and
    `options` are the scanner's own keys (see `ScannerInfo.options`). `config` is the text of the
    file that the option `config` names, if it must not be read from the target.
    """

    path: Path | None = None
    args: tuple[str, ...] = ()
    timeout: float | None = None
    options: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    config: str | None = None


class Lookup(msgspec.Struct, frozen=True):
    """A service on this machine, for this run, that answers OSV queries at `url` from `data`."""

    url: str
    data: DataSource


class Context(msgspec.Struct, frozen=True):
    """Everything that a scanner may look at. It may spread over `workers` processes.

    `python` is the project's own interpreter, `image` a container image to scan as well, `cache` a
    folder that lasts, `cached` what earlier runs stored by input (see `Parsed.store`), and `lookup`
    the advisory store, if it is to be used instead of a service on the network.
    """

    target: Target
    inventory: Inventory
    settings: ScannerSettings
    cache: Path
    now: datetime
    python: Path | None = None
    image: str | None = None
    offline: bool = False
    workers: int = 2
    cached: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    lookup: Lookup | None = None


class Tool(msgspec.Struct, frozen=True):
    """A program that was found: how to start it, how a report shows that, and its version."""

    argv: tuple[str, ...]
    shown: str
    version: str | None = None
    data: DataSource | None = None


class Inputs(msgspec.Struct, frozen=True):
    """The inputs that our own walk found for a scanner. Without any, the scanner does not apply.

    `not_examined` are inputs of its kind that it is not given, with the reason. They count as found
    too.
    """

    unit: str
    found: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()


class Call(msgspec.Struct, frozen=True):
    """One call of a program, to examine `inputs`.

    `{work}` in `argv`, `env` values and `output` stands for a private folder that exists during the
    call. `files` (name to text) are written there first. `cwd` is that folder by default. `extra`
    is argv that reports do not repeat, such as a thousand file names. `output` names a file to read
    instead of stdout. `allow` names the variables that the program may see (`X_*` is a prefix).
    """

    argv: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    files: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    env: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    allow: tuple[str, ...] = ()
    cwd: Path | None = None
    stdin: bytes = b""
    output: str | None = None


class Output(msgspec.Struct, frozen=True):
    """The output of a call: exit code (negative: a signal), what it printed, and its inputs."""

    returncode: int
    stdout: bytes
    stderr: str
    inputs: tuple[str, ...] = ()


class Parsed(msgspec.Struct, frozen=True):
    """The meaning of one output.

    `examined` are the inputs for which the output shows that the scanner looked at them: evidence,
    not the absence of complaints. `not_examined` are those that it says it did not look at. Inputs
    in neither count as not examined too. `store` is kept between runs, by input. `hidden` counts
    what the project's own files hide, by kind. `data` is what the answer is based on, if that is
    not the tool's own.
    """

    observations: tuple[Observation, ...] = ()
    examined: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    hidden: Mapping[str, int] = msgspec.field(default_factory=dict)
    notices: tuple[Reason, ...] = ()
    store: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    secrets: frozenset[str] = frozenset()
    data: DataSource | None = None


class ScanError(Exception):
    """The output of a scanner cannot be used, for this reason."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason, with each of its texts on one short line."""
        super().__init__(reason)
        self.reason = reason.map(lambda text: shorten(one_line(text), _REASON_WIDTH))


class Scanner(Protocol):
    """The names that a package in this folder must have."""

    INFO: ScannerInfo

    def locate(self, settings: ScannerSettings) -> Tool | None:
        """Find the program without running it. None if it is missing."""
        ...

    def probe(self, context: Context, tool: Tool) -> Call | None:
        """Return the call that prints the version and age of data, if it takes one."""
        ...

    def identify(self, tool: Tool, output: Output) -> Tool:
        """Return the tool with what the probe printed. ScanError if that is unusable."""
        ...

    def inputs(self, context: Context) -> Inputs:
        """Return what there is for this scanner, by our own walk."""
        ...

    def batches(self, context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
        """Split the inputs into calls; none if everything is in `context.cached`."""
        ...

    def call(self, context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
        """Return the call that examines one batch."""
        ...

    def again(self, context: Context, output: Output) -> Sequence[tuple[str, ...]]:
        """Return smaller batches to try after an unusable output; none to give up."""
        ...

    def parse(self, context: Context, output: Output) -> Parsed:
        """Read one output. ScanError if it is not a usable answer."""
        ...

    def recall(self, context: Context) -> Parsed:
        """Read `context.cached`."""
        ...

    def advisory_source(self, context: Context) -> DataSource | None:
        """Return where it would look vulnerabilities up. None if nowhere."""
        ...


@cache
def all_scanners() -> Mapping[str, Scanner]:
    """Return all scanners by name, sorted: the order in which the first witness is chosen.

    A scanner is any package in the search path of `scanagg.scanners`.
    """
    package = importlib.import_module(__package__)
    scanners: dict[str, Scanner] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            scanner = cast("Scanner", importlib.import_module(f"{__package__}.{module.name}"))
            scanners[scanner.INFO.name] = scanner
    return dict(sorted(scanners.items()))


def scanner_info(name: str) -> ScannerInfo:
    """Return the description of a scanner; just its name if this version does not know it."""
    scanner = all_scanners().get(name)
    return scanner.INFO if scanner else ScannerInfo(name=name)


def scanner_infos() -> Mapping[str, ScannerInfo]:
    """Return the descriptions of all scanners by name, sorted."""
    return {name: scanner.INFO for name, scanner in all_scanners().items()}


def usual_scanner(category: Category) -> str:
    """Return the scanner that is meant where a finding of the category names none."""
    return next(name for name, info in scanner_infos().items() if category in info.usual_for)


def python_module(name: str) -> tuple[str, ...]:
    """Return how to run a module of our own environment that the checked folder cannot shadow."""
    return (sys.executable, "-P", "-m", name)


def module_or_program(module: str, distribution: str, settings: ScannerSettings) -> Tool | None:
    """Find the program that the settings name, else the module of our own environment."""
    if settings.path is not None:
        program = shutil.which(str(settings.path))
        return Tool((program,), settings.path.name) if program else None
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
    return Tool(python_module(module), f"python -P -m {module}", version)


def complaint(stderr: str) -> str:
    """Return the one line of stderr that says what went wrong; empty if there is none.

    Of a Python traceback that is the last exception with a message. The line goes into reports, so
    it has no addresses of objects and no folders of this machine.
    """
    lines = [line.rstrip() for line in stderr.splitlines() if not _AROUND.match(line)]
    if not lines:
        return ""
    telling = [line for line in lines if not _BARE_EXCEPTION.fullmatch(line)]
    line = _ADDRESS.sub("", _PREFIX.sub("", (telling or lines)[-1]))
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    for folder in {tempfile.gettempdir(), home, sys.prefix, sys.base_prefix}:
        line = re.sub(rf"{re.escape(folder.rstrip('/'))}/(?:[^\s'\":]*/)?", "", line)
    return shorten(one_line(line), _REASON_WIDTH)


def failure(stderr: str, otherwise: Reason) -> ScanError:
    """Return the error for an output that cannot be used: the scanner's own words, if any."""
    text = complaint(stderr)
    return ScanError(plain(text) if text else otherwise)


# The functions that most scanners share.


def probe(_context: Context, tool: Tool) -> Call | None:
    """Ask a program of the user's for its version. That of a module is known."""
    return None if tool.version else Call((*tool.argv, "--version"))


def identify(tool: Tool, output: Output) -> Tool:
    """Return the tool with the version that it printed. ScanError if it printed none."""
    match = re.search(r"\d+(?:\.\d+)+\S*", output.stdout.decode("utf-8", "replace"))
    if output.returncode or not match:
        raise failure(output.stderr, Reason("unknown-version", {"code": output.returncode}))
    return replace(tool, version=match[0])


def again(_context: Context, _output: Output) -> Sequence[tuple[str, ...]]:
    """Give up: what stopped the scanner would stop it again."""
    return ()


def recall(_context: Context) -> Parsed:
    """Recall nothing: no result is kept between runs."""
    return Parsed()


def advisory_source(_context: Context) -> DataSource | None:
    """Return None: it looks nothing up."""
    return None
