"""Licences of the project's packages: pip-licenses on its environment, else pip's own report."""

from collections.abc import Sequence
from typing import Final

import msgspec

from scanagg.model import Category, LicenseFacts, ScannerInfo
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
from scanagg.scanners.licenses import answers, calls

INFO = ScannerInfo(
    name="licenses",
    title="pip-licenses",
    about="The licence that each package of the project states in its metadata.",
    url="https://github.com/raimon49/pip-licenses",
    install="pip install pip-licenses",
    args=frozenset(
        (
            *("--index-url", "-i", "--extra-index-url", "--trusted-host", "--proxy"),
            *("--cert", "--timeout", "--retries"),
        )
    ),
    categories=frozenset({Category.LICENSE}),
    usual_for=frozenset({Category.LICENSE}),
)

probe = base.probe
identify = base.identify
advisory_source = base.advisory_source

_BATCH: Final = 40
_SMALL_BATCH: Final = 10


def locate(settings: ScannerSettings) -> Tool | None:
    """The module of our own environment, or the program that the settings name."""
    return base.module_or_program("piplicenses", "pip-licenses", settings)


def inputs(context: Context) -> Inputs:
    """Every package of the inventory."""
    pins = pinned.pins(context.inventory, "looked up")
    return Inputs("packages", tuple(pins.exact), pins.refused)


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """What the environment has, in one call; the rest for pip, but for what is stored."""
    installed = calls.installed(context)
    left = [pin for pin in inputs.found if pin not in installed and _stored(context, pin) is None]
    size = max(_SMALL_BATCH, min(_BATCH, -(-len(left) // context.workers)))
    return [*((installed,) if installed else ()), *pinned.batches(left, size)]


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """pip-licenses where the batch is all that the environment has, else pip.

    ScanError where pip would have to go online and may not.
    """
    if batch == calls.installed(context):
        return calls.of_environment(context, tool, batch)
    if context.offline:
        raise ScanError("offline: the metadata is neither installed nor stored")
    return calls.of_index(batch)


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """pip gives up at the first package that it does not find: the others without that one.

    What pip-licenses could not tell is tried with pip, which any smaller batch is for.
    """
    batch = output.inputs
    if batch == calls.installed(context):
        return pinned.batches(batch, min(_BATCH, -(-len(batch) // 2))) if len(batch) > 1 else ()
    return calls.without_culprit(output)


def parse(context: Context, output: Output) -> Parsed:
    """Facts for each package that the answer describes in the version that was asked for."""
    return answers.parsed(context, output)


def recall(context: Context) -> Parsed:
    """The stored facts of packages that the environment does not have."""
    installed = calls.installed(context)
    exact = pinned.pins(context.inventory).exact
    stored = {pin: _stored(context, pin) for pin in exact if pin not in installed}
    return answers.meaning(context, {pin: fact for pin, fact in stored.items() if fact}, {})


def _stored(context: Context, pin: str) -> LicenseFacts | None:
    text = context.cached.get(pin)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=LicenseFacts)
    except msgspec.DecodeError:
        return None
