"""pip-audit: known vulnerabilities of the inventory, as exact pins, without resolving anything."""

import re
from collections.abc import Sequence
from typing import Final

from scanagg.model import Category, DataSource, NotExamined, ScannerInfo
from scanagg.scanners import base, pinned
from scanagg.scanners.base import Call, Context, Inputs, Output, Parsed, ScannerSettings, Tool
from scanagg.scanners.pip_audit import answer, lookup_service

INFO = ScannerInfo(
    name="pip-audit",
    title="pip-audit",
    about="Known vulnerabilities in the Python packages that the project pins.",
    url="https://github.com/pypa/pip-audit",
    install="pip install pip-audit",
    options={
        "service": "Where vulnerabilities are looked up: pypi (default), osv or esms.",
        "osv-url": (
            "Address of an OSV query endpoint to use instead of the public one; implies osv."
        ),
    },
    args=frozenset(("--ignore-vuln", "--timeout", "-v", "--verbose")),
    categories=frozenset({Category.VULNERABILITY}),
    usual_for=frozenset({Category.VULNERABILITY}),
    has_dated_data=True,
    asks_advisory_store=True,
    suppressions={"--ignore-vuln": False},
)

probe = base.probe
identify = base.identify
recall = base.recall

# pip-audit asks for one package at a time; several calls side by side share the waiting. Where the
# advisory store answers there is next to none, and to start pip-audit costs more than 100 answers.
_BATCH: Final = 100
_STORED_BATCH: Final = 500
_SOCKET_SECONDS: Final = 15

# Trouble with one package (a malformed record, an answer 400 or 500) leaves others to be audited;
# with any other, smaller batches meet the same trouble.
_OF_THE_SERVICE: Final = re.compile(
    r"Connection|Timeout|ProxyError|SSLError|JSONDecodeError|Redirect|InvalidURL|InvalidSchema|"
    r"\b(?:401|403|404|407|429|502|503|504) (?:Client|Server) Error|No module named|"
    r"pip-audit: error: "
)


def locate(settings: ScannerSettings) -> Tool | None:
    """The module of our own environment, or the program that the settings name."""
    return base.module_or_program("pip_audit", "pip-audit", settings)


def inputs(context: Context) -> Inputs:
    """Every package of the inventory; ConfigError for options that cannot be."""
    service = lookup_service.chosen(context)
    pins = pinned.pins(context.inventory)
    if not service.refusal:
        return Inputs("packages", tuple(pins.exact), pins.refused)
    skipped = tuple(NotExamined(pin, service.refusal) for pin in pins.exact)
    return Inputs("packages", (), (*skipped, *pins.refused))


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """All pins at once, up to a size; a name in two versions goes into separate calls."""
    stored = lookup_service.chosen(context).stored
    return pinned.batches(inputs.found, _STORED_BATCH if stored else _BATCH)


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """Audit exactly these pins: without pip, so that nothing is resolved and no code is built."""
    service = lookup_service.chosen(context)
    seconds = max(1, round(min(_SOCKET_SECONDS, context.settings.timeout or _SOCKET_SECONDS)))
    argv = (
        *tool.argv,
        *("-r", "{work}/requirements.txt", "--no-deps", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--desc", "on", "--aliases", "on"),
        *("--cache-dir", str(context.cache / "pip-audit"), "--timeout", str(seconds)),
        *("--vulnerability-service", service.name),
        *(("--osv-url", service.url) if service.url else ()),
        *context.settings.args,
    )
    files = {"requirements.txt": pinned.requirements(batch)}
    return Call(argv, batch, files=files, env=service.environment)


def advisory_source(context: Context) -> DataSource | None:
    """What would be asked for vulnerabilities; None where nothing can be, for want of a network."""
    service = lookup_service.chosen(context)
    return None if service.refusal else service.data


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """Halves, so that one package's trouble does not cost the others."""
    said = base.complaint(output.stderr, "")
    return () if not said or _OF_THE_SERVICE.search(said) else pinned.halves(output.inputs)


def parse(context: Context, output: Output) -> Parsed:
    """Audited is what has a list of vulnerabilities, be it empty; the exit code proves nothing."""
    return answer.parsed(context, output)
