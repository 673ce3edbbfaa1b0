"""detect-secrets: keys, tokens and passwords in the text files of the project.

Binary files are no input of its kind. Its own command line answers for all files or none and
verifies what it finds over the network: a worker of ours runs its detectors and filters instead.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from scanagg.core.errors import ConfigError
from scanagg.model import NotExamined
from scanagg.scanners import arguments, pinned, source_files
from scanagg.scanners.base import (
    Context,
    Inputs,
    Job,
    Output,
    Parsed,
    ScannerSettings,
    Tool,
    python_module,
)
from scanagg.scanners.detect_secrets.answer import parsed
from scanagg.scanners.detect_secrets.inputs import BASELINE, limits, searched

NAME = "detect-secrets"
TITLE = "detect-secrets"
ABOUT = "Keys, tokens and passwords in text files."
URL = "https://github.com/Yelp/detect-secrets"
INSTALL = "pip install detect-secrets"
OPTIONS: Mapping[str, str] = {
    "max-file-bytes": "Larger files are not searched, but named (default 5000000).",
    "max-line-bytes": "Files with a longer line are not searched, but named (default 500000).",
    "file-timeout": "Processor seconds after which a file is given up, but named (default 20).",
}
ARGS: frozenset[str] = arguments.DETECT_SECRETS
NATIVE: tuple[str, ...] = (BASELINE,)

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
    tool = pinned.module_or_program("detect_secrets", NAME, settings)
    return tool and Tool(python_module(_WORKER), f"python -P -m {_WORKER}", tool.version)


def probe(context: Context, tool: Tool) -> Job | None:
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


def job(context: Context, tool: Tool, batch: tuple[str, ...]) -> Job:
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
    return Job(argv, batch, env={"PYTHONUTF8": "1"}, stdin=json.dumps(request).encode())


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


def recall(context: Context) -> Parsed:
    """Nothing: no result is kept between runs."""
    return Parsed()
