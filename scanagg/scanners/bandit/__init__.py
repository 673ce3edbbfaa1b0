"""bandit: weaknesses in Python source, in the project's `*.py` and `*.pyw` files.

These are the files that `bandit -r` would look at, and those that Windows runs without a window.
They are named one by one, so that neither bandit's own list of folders nor a `.bandit` of the
project leaves any out.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from scanagg.model import Category, ScannerInfo
from scanagg.scanners import base, pinned, source_files
from scanagg.scanners.bandit import coverage
from scanagg.scanners.bandit.report import decode, hidden, observations, values
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScannerSettings,
    Tool,
    python_module,
)

INFO = ScannerInfo(
    name="bandit",
    title="Bandit",
    about="Common security weaknesses in Python source.",
    url="https://bandit.readthedocs.io/",
    install="pip install bandit",
    options={"config": "A configuration file of bandit's, in the project."},
    args=frozenset(
        (
            *("-l", "-ll", "-lll", "-i", "-ii", "-iii", "--severity-level"),
            *("--confidence-level", "-t", "--tests", "-s", "--skip", "-c", "--configfile"),
        )
    ),
    native_files=(".bandit", "bandit.yaml", "bandit.yml"),
    categories=frozenset({Category.CODE}),
    usual_for=frozenset({Category.CODE}),
    # In one real report 47 lines carried both.
    rule_aliases={"B703": "B308"},
    # Bandit 1.7.1 moved the hashes of B303 into B324,
    # https://bandit.readthedocs.io/en/latest/plugins/b324_hashlib.html
    renamed_rules={"B303": "B324"},
    secret_rules=frozenset({"B105", "B106", "B107"}),
    guessing_rules=frozenset({"B105", "B106", "B107"}),
    suppressions={"nosec": False},
)

probe = base.probe
identify = base.identify
recall = base.recall
advisory_source = base.advisory_source

_WORKER: Final = "scanagg.scanners.bandit.worker"
_SUFFIXES: Final = (".py", ".pyw")
# A process takes as long to start as to examine this much source.
_WORTH_BYTES: Final = 150_000
# Systems take a mebibyte of arguments and environment, or more.
_ARGV_BYTES: Final = 1 << 18
_CONFIGURATION: Final = 2  # bandit's exit code for what no other choice of files would change


def locate(settings: ScannerSettings) -> Tool | None:
    """The module of our own environment, or the program that the settings name."""
    tool = base.module_or_program("bandit", "bandit", settings)
    if tool is None or settings.path is not None:
        return tool
    return replace(tool, argv=python_module(_WORKER), shown=f"python -P -m {_WORKER}")


def inputs(context: Context) -> Inputs:
    """The Python files of the target, by name."""
    files = context.target.files
    found = tuple(one.path for one in files if one.real.name.endswith(_SUFFIXES))
    return Inputs("files", found, source_files.unreachable(context.target, _SUFFIXES))


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """The files spread over the workers, for bandit itself uses one processor."""
    files = source_files.chosen(context.target, inputs.found)
    return source_files.spread(files, context.workers, worth=_WORTH_BYTES, argv_bytes=_ARGV_BYTES)


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """Check these files, none of them excluded for the folder it is in."""
    settings = context.settings
    config, given = source_files.configuration(context)
    argv = (
        *tool.argv,
        *("--format", "json", "--quiet", "--exit-zero", "--number", "1", "--exclude="),
        *(("--configfile", config) if config else ()),
        *(*settings.args, "--"),
    )
    extra = tuple(str(file.real) for file in source_files.chosen(context.target, batch))
    # UTF-8 whatever the locale: names of files are looked for in what bandit logs.
    return Call(argv, batch, extra=extra, files=given, env={"PYTHONUTF8": "1"})


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """Halves: one file that bandit dies of takes the results of all others with it."""
    return () if output.returncode == _CONFIGURATION else pinned.halves(output.inputs)


def parse(context: Context, output: Output) -> Parsed:
    """Examined is a file whose issues were counted; an exit code or no issues prove nothing.

    An output without inputs is a report of bandit's own: its paths are taken as they are.
    """
    report = decode(output, context.target.root)
    covered, notices = hidden(output, report)
    files = {str(file.real): file for file in source_files.chosen(context.target, output.inputs)}
    gaps = coverage.gaps(report, output, files, context.settings)
    missed = {gap.input for gap in gaps}
    seen = coverage.examined(report, files)
    return Parsed(
        observations=observations(report.results, covered, files),
        examined=tuple(path for path in seen if path not in missed),
        not_examined=gaps,
        hidden=coverage.hidden(report),
        notices=notices,
        secrets=frozenset(value for each in (*report.results, *covered) for value in values(each)),
    )
