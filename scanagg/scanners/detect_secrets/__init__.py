"""detect-secrets: keys, tokens and passwords in the text files of the project.

Binary files are no input of its kind. Its own command line answers for all files or none and
verifies what it finds over the network: a worker of ours runs its detectors and filters instead.
"""

import json
from collections.abc import Sequence
from typing import Final

from scanagg.core.errors import ConfigError
from scanagg.model import Category, NotExamined, ScannerInfo
from scanagg.scanners import base, pinned, source_files
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
from scanagg.scanners.detect_secrets.answer import KNOWN, NO_SECRET, PRAGMA, parsed
from scanagg.scanners.detect_secrets.inputs import BASELINE, limits, searched

INFO = ScannerInfo(
    name="detect-secrets",
    title="detect-secrets",
    about="Keys, tokens and passwords in text files.",
    url="https://github.com/Yelp/detect-secrets",
    install="pip install detect-secrets",
    options={
        "max-file-bytes": "Larger files are not searched, but named (default 5000000).",
        "max-line-bytes": "Files with a longer line are not searched, but named (default 500000).",
        "file-timeout": "Processor seconds after which a file is given up, but named (default 20).",
    },
    args=frozenset(
        (
            *("--exclude-lines", "--exclude-secrets", "--exclude-files", "--disable-plugin"),
            *("--disable-filter", "--base64-limit", "--hex-limit"),
        )
    ),
    native_files=(BASELINE,),
    categories=frozenset({Category.SECRET}),
    usual_for=frozenset({Category.SECRET}),
    suppressions={PRAGMA: True, NO_SECRET: True, KNOWN: True},
)

recall = base.recall
advisory_source = base.advisory_source

_WORKER: Final = "scanagg.scanners.detect_secrets.worker"
# A process takes as long to start as to search this much text.
_WORTH_BYTES: Final = 200_000
_ARGUMENTS: Final = 2  # the worker's exit code for arguments that detect-secrets does not take


def locate(settings: ScannerSettings) -> Tool | None:
    """The library in our own environment. ConfigError where the settings name a program."""
    if settings.path is not None:
        raise ConfigError(
            "[scanners.detect-secrets] path: it is used as a library, so no program can be named",
            "Remove `path`, and install the wanted version beside scanagg.",
        )
    tool = base.module_or_program("detect_secrets", INFO.name, settings)
    return tool and Tool(python_module(_WORKER), f"python -P -m {_WORKER}", tool.version)


def probe(context: Context, tool: Tool) -> Call | None:
    """None: the version is known."""
    return None


def identify(tool: Tool, output: Output) -> Tool:
    """The tool as it is."""
    return tool


def inputs(context: Context) -> Inputs:
    """The text files, whatever their names; ConfigError for options that cannot be."""
    files = tuple(searched(context.target, limits(context.settings)))
    left = tuple(each for each in files if isinstance(each, NotExamined))
    found = tuple(each for each in files if isinstance(each, str))
    return Inputs("files", found, (*left, *source_files.unreachable(context.target, ("",))))


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """The files spread over the workers."""
    files = source_files.chosen(context.target, inputs.found)
    return source_files.spread(files, context.workers, worth=_WORTH_BYTES)


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """Search these files. The names are relative, for detect-secrets' filters look at them."""
    limit = limits(context.settings)
    root = context.target.root
    real = {file.path: str(file.real.relative_to(root)) for file in context.target.files}
    request = {
        "root": str(root),
        "files": [real[path] for path in batch],
        "seconds": limit.seconds,
        "line_bytes": limit.line_bytes,
    }
    argv = (*tool.argv, *context.settings.args)
    # UTF-8 whatever the locale: otherwise it decides which files detect-secrets can read.
    return Call(argv, batch, env={"PYTHONUTF8": "1"}, stdin=json.dumps(request).encode())


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """What was answered, the file it died of, and what it did not come to."""
    if output.returncode == _ARGUMENTS or len(output.inputs) == 1:
        return ()
    done = output.stdout.count(b"\n")
    parts = (output.inputs[:done], output.inputs[done : done + 1], output.inputs[done + 1 :])
    smaller = tuple(part for part in parts if part)
    return smaller if len(smaller) > 1 else pinned.halves(output.inputs)


def parse(context: Context, output: Output) -> Parsed:
    """Examined is what was searched to its end. What the project's baseline lists still counts."""
    return parsed(output, context.target)
