"""The interface of a scanner, the values it works with, and the registry of all scanners.

Each package in this folder is a scanner: it has the names of the `Scanner` protocol. A scanner
decides when it applies, makes the calls of its program, and translates the answers. It runs
nothing, writes nothing, and sets no status or severity: `runner.py` runs the programs.

Scanners bind shared functions by name: `probe = base.probe`.
"""

import importlib
import os
import pkgutil
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, cast

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ConfigError
from scanagg.core.programs import find_program
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
from scanagg.model.network import network_failure
from scanagg.project.sources import Sources

_NOTHING: Mapping[str, str] = MappingProxyType({})
_REASON_WIDTH: Final = 300
_EXAMPLES: Final = 5
# Lines of stderr around an error, which do not name it.
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

    `path` is the program to use, which only the variable `path_variable` can name. `args` are extra
    arguments, `timeout` is in seconds, and `options` are the scanner's own keys (see
    `ScannerInfo.options`). `config` is the text of the file that the option `config` names.
    """

    path: Path | None = None
    args: tuple[str, ...] = ()
    timeout: float | None = None
    options: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    config: str | None = None


class Lookup(msgspec.Struct, frozen=True):
    """A local service that answers OSV queries at `url` from `data` during this run."""

    url: str
    data: DataSource


class Context(msgspec.Struct, frozen=True):
    """The data that a scanner works with. It may use `workers` processes.

    `sources` reads the files of the target, once for all scanners. `image` is a container image to
    scan too. `cache` is a permanent folder, and `cached` has the stored results of earlier runs by
    input (see `Parsed.store`). `lookup` is the advisory store, if it replaces a service on the
    network. `is_main` is False if another scanner of the check is the usual one for all that this
    one finds.
    """

    target: Target
    sources: Sources
    inventory: Inventory
    settings: ScannerSettings
    cache: Path
    now: datetime
    image: str | None = None
    offline: bool = False
    workers: int = 2
    cached: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    lookup: Lookup | None = None
    is_main: bool = True


class Tool(msgspec.Struct, frozen=True):
    """A program that was found: its command, the command for reports, and its version."""

    argv: tuple[str, ...]
    shown: str
    version: str | None = None
    data: DataSource | None = None


class Inputs(msgspec.Struct, frozen=True):
    """The inputs of a scanner in the project. Without any, the scanner does not apply.

    `not_examined` are inputs that the scanner does not get, with the reason. They count as found.
    """

    unit: str
    found: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()


class Call(msgspec.Struct, frozen=True):
    """One call of a program, which examines `inputs`.

    `{work}` in `argv`, `output` and values of `env` is a private folder that exists during the
    call. `files` (name to text) are written there first. `cwd` is that folder by default. `extra`
    are further arguments that reports leave out, such as file names. `output` is a file to read
    instead of stdout. `allow` are the variables that the program may see (`X_*` is a prefix).
    `also` is a second call with the same inputs, made in the same folder afterwards.
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
    also: "Call | None" = None


class Output(msgspec.Struct, frozen=True):
    """The output of a call: exit code (negative: a signal), stdout, stderr, and its inputs.

    `also` is the output of `Call.also`.
    """

    returncode: int
    stdout: bytes
    stderr: str
    inputs: tuple[str, ...] = ()
    also: "Output | None" = None


class Parsed(msgspec.Struct, frozen=True):
    """The content of one output.

    `examined` are the inputs that the scanner examined, as the output proves: the absence of errors
    is not enough. `not_examined` are those that it did not examine, with the reasons. Inputs in
    neither also count as not examined. `store` is kept for later runs, by input. `hidden` counts
    the findings that the project's own files hide, by kind. `data` is the data behind the answer,
    if it is not that of the tool. `again` are batches of inputs that this output leaves open.
    """

    observations: tuple[Observation, ...] = ()
    examined: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    hidden: Mapping[str, int] = msgspec.field(default_factory=dict)
    notices: tuple[Reason, ...] = ()
    store: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    secrets: frozenset[str] = frozenset()
    data: DataSource | None = None
    again: Sequence[tuple[str, ...]] = ()


def merge(results: Sequence[Parsed]) -> Parsed:
    """Return several results as one, with the first data that any of them has."""
    hidden = Counter[str]()
    for result in results:
        hidden.update(result.hidden)
    return Parsed(
        observations=tuple(chain.from_iterable(result.observations for result in results)),
        examined=tuple(chain.from_iterable(result.examined for result in results)),
        not_examined=tuple(chain.from_iterable(result.not_examined for result in results)),
        hidden=dict(sorted(hidden.items())),
        notices=tuple(chain.from_iterable(result.notices for result in results)),
        secrets=frozenset(chain.from_iterable(result.secrets for result in results)),
        data=next((result.data for result in results if result.data), None),
    )


class ScanError(Exception):
    """The output of a scanner cannot be used, for this reason."""

    def __init__(self, reason: Reason) -> None:
        """Keep the reason, with each of its texts on one short line."""
        super().__init__(reason)
        self.reason = reason.map(lambda text: shorten(one_line(text), _REASON_WIDTH))


class Scanner(Protocol):
    """The names that a package in this folder must have."""

    INFO: ScannerInfo

    def locate(self, context: Context) -> Tool | None:
        """Find the program, without running it. None if it is missing.

        ScanError for a program that is there and must not run.
        """
        ...

    def probe(self, context: Context, tool: Tool) -> Call | None:
        """Return the call that prints the version and the date of the data, if one is needed."""
        ...

    def identify(self, tool: Tool, output: Output) -> Tool:
        """Return the tool with the version and data that the probe printed.

        ScanError, or one of the errors for `parse`.
        """
        ...

    def inputs(self, context: Context) -> Inputs:
        """Return the inputs of this scanner."""
        ...

    def batches(self, context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
        """Split the inputs into calls; none if everything is in `context.cached`."""
        ...

    def call(self, context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
        """Return the call that examines one batch."""
        ...

    def again(self, context: Context, output: Output) -> Sequence[tuple[str, ...]]:
        """Return smaller batches to try after an unusable output; none to stop."""
        ...

    def parse(self, context: Context, output: Output) -> Parsed:
        """Read one output. ScanError if it is not a usable answer.

        So are a ValueError, OverflowError, RecursionError or MemoryError while reading it.
        """
        ...

    def recall(self, context: Context) -> Parsed:
        """Read `context.cached`."""
        ...

    def advisory_source(self, context: Context) -> DataSource | None:
        """Return the data in which it would look vulnerabilities up; None for none."""
        ...


@cache
def all_scanners() -> Mapping[str, Scanner]:
    """Return all scanners by name, sorted: the order in which the first witness is chosen.

    Any package in the search path of `scanagg.scanners` is a scanner.
    """
    package = importlib.import_module(__package__)
    scanners: dict[str, Scanner] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.ispkg:
            scanner = cast("Scanner", importlib.import_module(f"{__package__}.{module.name}"))
            scanners[scanner.INFO.name] = scanner
    return dict(sorted(scanners.items()))


def scanner_info(name: str) -> ScannerInfo:
    """Return the description of a scanner; only its name if this version does not have it."""
    scanner = all_scanners().get(name)
    return scanner.INFO if scanner else ScannerInfo(name=name)


def scanner_infos() -> Mapping[str, ScannerInfo]:
    """Return the descriptions of all scanners by name, sorted."""
    return {name: scanner.INFO for name, scanner in all_scanners().items()}


def not_installed(info: ScannerInfo) -> Reason:
    """Return the reason for a scanner that is not there, with how to install it."""
    if info.package:
        return Reason("package-not-installed", {"package": info.package})
    return Reason("not-installed", {"install": info.install})


def usual_scanner(category: Category) -> str:
    """Return the scanner that is meant for findings of the category if none is named."""
    return next(name for name, info in scanner_infos().items() if category in info.usual_for)


def path_variable(name: str) -> str:
    """Return the variable that names the program of a scanner. The project cannot set it."""
    return f"SCANAGG_{name.upper().replace('-', '_')}_PATH"


def python_module(name: str) -> tuple[str, ...]:
    """Return the command for a module of scanagg's environment. The project cannot shadow it."""
    return (sys.executable, "-P", "-m", name)


def program(context: Context, name: str) -> Tool | None:
    """Find the program that the settings name, else `name` on PATH. None if it is missing.

    ScanError if there is one, but only inside the checked project.
    """
    named = context.settings.path or Path(name)
    found = find_program(str(named), context.target.root)
    if found is None and shutil.which(named):
        raise ScanError(
            Reason("program-in-project", {"program": named.name, "variable": path_variable(name)})
        )
    return Tool((found,), named.name) if found else None


def module_or_program(
    module: str,
    distribution: str,
    context: Context,
    worker: str | None = None,
    script: str | None = None,
) -> Tool | None:
    """Find the program that the settings name, else the module of scanagg's environment.

    `worker` is a module of scanagg that runs this module. `script` is its file, if it can start
    without the package around it, which takes longer to import than Python to start.
    """
    if context.settings.path is not None:
        return program(context, module)
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
    module = worker or module
    argv = (sys.executable, "-P", script) if script else python_module(module)
    return Tool(argv, f"python -P -m {module}", version)


def refuse_program(info: ScannerInfo, context: Context, library: str, hint: str) -> None:
    """Raise ConfigError if a variable names a program for a scanner that is used as a library."""
    if context.settings.path is not None:
        message = f"{path_variable(info.name)}: scanagg uses {library} as a library"
        raise ConfigError(message, f"Unset it. {hint}")


def examples(names: Sequence[str]) -> tuple[str, ...]:
    """Return the first names, with an ellipsis for more."""
    return (*names[:_EXAMPLES], *(("…",) if len(names) > _EXAMPLES else ()))


def without_nulls(answer: object) -> object:
    """Remove each null in the maps of a JSON answer, in place: the same as no key. Return it."""
    pending = [answer]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in [key for key, value in item.items() if value is None]:
                del item[key]
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return answer


def unreadable(error: Exception) -> ScanError:
    """Return the error for an answer that does not have the expected form."""
    text = str(error) or type(error).__name__
    if isinstance(error, RecursionError):
        text = "it is nested too deeply"
    return ScanError(Reason("unreadable-answer", {"error": text}))


def _error_line(stderr: str) -> str:
    """Return the line of stderr that names the error; empty if there is none.

    In a Python traceback, it is the last exception with a message.
    """
    lines = [line.rstrip() for line in stderr.splitlines() if not _AROUND.match(line)]
    if not lines:
        return ""
    telling = [line for line in lines if not _BARE_EXCEPTION.fullmatch(line)]
    return _ADDRESS.sub("", _PREFIX.sub("", (telling or lines)[-1]))


def complaint(stderr: str) -> str:
    """Return the line of stderr that names the error, without folders of this machine.

    The line goes into reports, so the addresses of objects are removed too.
    """
    line = _error_line(stderr)
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    for folder in {tempfile.gettempdir(), home, sys.prefix, sys.base_prefix}:
        line = re.sub(rf"{re.escape(folder.rstrip('/'))}/(?:[^\s'\":]*/)?", "", line)
    return shorten(one_line(line), _REASON_WIDTH)


def failure(stderr: str, otherwise: Reason, service: str = "") -> ScanError:
    """Return the error for an unusable output: the scanner's error message, else `otherwise`.

    `service` is the name of what the scanner asks over the network, if it does.
    """
    text = complaint(stderr)
    network = network_failure(service, _error_line(stderr)) if service else None
    return ScanError(network or (plain(text) if text else otherwise))


# The functions that most scanners share.


def probe(_context: Context, tool: Tool) -> Call | None:
    """Return the call that prints the version of a program. That of a module is known."""
    return None if tool.version else Call((*tool.argv, "--version"))


def identify(tool: Tool, output: Output) -> Tool:
    """Return the tool with the version that it printed. ScanError if it printed none."""
    match = re.search(r"(?<!\d)\d+(?:\.\d+)+\S*", output.stdout.decode("utf-8", "replace"))
    if output.returncode or not match:
        raise failure(output.stderr, Reason("unknown-version", {"code": output.returncode}))
    return replace(tool, version=match[0])


def again(_context: Context, _output: Output) -> Sequence[tuple[str, ...]]:
    """Return no batches: the same error would happen again."""
    return ()


def recall(_context: Context) -> Parsed:
    """Return no results: the scanner stores none."""
    return Parsed()


def advisory_source(_context: Context) -> DataSource | None:
    """Return None: the scanner looks nothing up."""
    return None
