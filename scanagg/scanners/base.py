"""What an adapter is, and which there are: one package each in this folder, found by itself.

An adapter is a package with the names of the `Adapter` protocol. It says when its scanner applies,
how it is called, and what its answer means in our words. It starts nothing, writes nothing,
decides no severity and no status: `runner.py` does the one, later stages the other.
"""

import importlib
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

import msgspec

from scanagg.model import DataSource, Inventory, NotExamined, Observation, Target

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ScannerSettings(msgspec.Struct, frozen=True):
    """How one scanner runs, from `[scanners.NAME]` of the configuration.

    `path` is the program to use, `args` are added to its command line, `timeout` is in seconds,
    `options` are the adapter's own keys (see `Adapter.OPTIONS`). `config` is the text of the file
    that the option of that name tells, where it is not to be read from the target.
    """

    path: Path | None = None
    args: tuple[str, ...] = ()
    timeout: float | None = None
    options: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    config: str | None = None


class Lookup(msgspec.Struct, frozen=True):
    """A service of this run, on this machine, that answers OSV queries at `url` out of `data`."""

    url: str
    data: DataSource


class Context(msgspec.Struct, frozen=True):
    """All that an adapter may look at. `workers` is how many processes it may spread over.

    `python` is the project's own interpreter, `image` a container image to scan as well,
    `cache` a folder that lasts, `cached` what earlier runs stored by input (see `Parsed.store`),
    `lookup` the advisory store where it is to be used instead of a service on the network.
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
    """A scanner that was found: how to start it, what to call that in a report, its version."""

    argv: tuple[str, ...]
    shown: str
    version: str | None = None
    data: DataSource | None = None


class Inputs(msgspec.Struct, frozen=True):
    """What our own walk found for a scanner. `found` empty means that it does not apply.

    `not_examined` are inputs of its kind that it will not be given, with the reason: they count
    as found too.
    """

    unit: str
    found: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """One call of a program.

    `{work}` in `argv`, `env` values and `output` stands for a private folder, made before and
    removed after, in which `files` are written first (name to text). `cwd` is that folder unless
    given. `extra` is argv that reports do not repeat, such as a thousand file names. `output`
    names a file to read instead of stdout. `allow` names variables the program may see (`X_*` is
    a prefix). `inputs` are what the job is to examine.
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
    """What a job left: its exit code (negative: a signal), what it said, and about which inputs."""

    returncode: int
    stdout: bytes
    stderr: str
    inputs: tuple[str, ...] = ()


class Parsed(msgspec.Struct, frozen=True):
    """What one output means.

    `examined` are the inputs for which the output shows that they were looked at: evidence, not
    the absence of complaint. `not_examined` are those it says it did not. What is in neither is
    counted as not examined too. `store` is kept between runs, by input. `hidden` counts what the
    project's own files hide, by kind. `data` is what the answer is based on, where that is not the
    tool's own.
    """

    observations: tuple[Observation, ...] = ()
    examined: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    hidden: Mapping[str, int] = msgspec.field(default_factory=dict)
    notices: tuple[str, ...] = ()
    store: Mapping[str, str] = msgspec.field(default_factory=lambda: _NOTHING)
    secrets: frozenset[str] = frozenset()
    data: DataSource | None = None


class OutputError(Exception):
    """The output is not what the scanner prints when it works; the text says what is wrong."""


class Adapter(Protocol):
    """The names that a package in this folder must have."""

    NAME: str  # as on the command line, in reports and in policies: "pip-audit"
    TITLE: str  # at most three words, for SARIF's driver: "pip-audit"
    ABOUT: str  # one sentence for people: what it finds
    URL: str  # absolute https: where its own documentation is
    INSTALL: str  # what to do where it is missing: a command, or where to get it
    OPTIONS: Mapping[str, str]  # own configuration keys, each with one sentence of help
    ARGS: frozenset[str]  # options of its own that `args` may hold: none runs or writes anything
    NATIVE: tuple[str, ...]  # names of its own configuration files, which a project may bring

    def locate(self, settings: ScannerSettings) -> Tool | None:
        """The program, without running it; None where it is missing."""
        ...

    def probe(self, context: Context, tool: Tool) -> Job | None:
        """A call that tells version and data age, where these cannot be read without one."""
        ...

    def identify(self, tool: Tool, output: Output) -> Tool:
        """`tool` with what the probe told. OutputError where it told nothing."""
        ...

    def inputs(self, context: Context) -> Inputs:
        """What there is for this scanner, by our own walk."""
        ...

    def batches(self, context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
        """The inputs split into jobs; none where everything is in `context.cached`."""
        ...

    def job(self, context: Context, tool: Tool, batch: tuple[str, ...]) -> Job:
        """The call that examines one batch."""
        ...

    def again(self, context: Context, output: Output) -> Sequence[tuple[str, ...]]:
        """Smaller batches to try where the output of one could not be used; none to give up."""
        ...

    def parse(self, context: Context, output: Output) -> Parsed:
        """What one output means. OutputError where it is not a usable answer."""
        ...

    def recall(self, context: Context) -> Parsed:
        """What `context.cached` means; empty for an adapter that stores nothing."""
        ...


@cache
def adapters() -> Mapping[str, Adapter]:
    """All adapters by name, sorted; the order in which the first witness is chosen."""
    found = [
        cast("Adapter", importlib.import_module(f"{__package__}.{info.name}"))
        for info in pkgutil.iter_modules([str(Path(__file__).parent)])
        if info.ispkg
    ]
    return {adapter.NAME: adapter for adapter in sorted(found, key=lambda adapter: adapter.NAME)}


def python_module(name: str) -> tuple[str, ...]:
    """How to run a module of our own environment so that the checked folder cannot shadow it."""
    return (sys.executable, "-P", "-m", name)
