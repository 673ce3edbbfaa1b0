"""`scanagg check`: run the scanners, judge, write reports."""

import gc
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.cli import request as options
from scanagg.cli.output import stop_printing
from scanagg.cli.page import WrittenReports, print_page
from scanagg.cli.progress import checked
from scanagg.core.cache import write_atomically
from scanagg.core.errors import ExitCode, OutputError, UsageError
from scanagg.model import Report
from scanagg.reports.base import Shortens, reporter
from scanagg.reports.base import names as format_names

_FORMATS: Final = ("sarif", "html", "json")


_Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help=f"A report to write, repeatable: {', '.join(format_names())}. "
        f"Default: {', '.join(_FORMATS)}.",
    ),
]
_OutputDir = Annotated[
    Path | None, typer.Option(help="Where reports go. Default: reports/ in the project.")
]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print the verdict only.")]
_Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print every finding, and what is done.")
]


def command(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    policy_ref: options.PolicyRef = None,
    base: options.Base = None,
    baseline: options.BaselineFile = None,
    only: options.Only = None,
    skip: options.Skip = None,
    python: options.Python = None,
    image: options.Image = None,
    formats: _Formats = None,
    output_dir: _OutputDir = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    deadline: options.Deadline = None,
    enforcement: options.Enforcement = None,
    offline: options.Offline = False,
    now: options.Now = None,
    no_progress: _NoProgress = False,
    quiet: _Quiet = False,
    verbose: _Verbose = False,
) -> None:
    """Run the scanners, judge by one policy, write reports.

    Exit codes: 0 pass, 1 blocked, 2 usage, configuration or policy error, 3 incomplete (a
    required scanner did not examine what it should), 4 internal error, 130 interrupted.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
        logging.getLogger("scanagg").setLevel(logging.INFO)
    # The values of a check live until its end and have no cycles: collecting garbage took a third
    # of the time of a check with 100,000 findings (benchmarks/reports.py).
    gc.disable()
    request = options.request_of(
        options.Options(
            path=path,
            policy=policy,
            policy_ref=policy_ref,
            base=base,
            baseline=baseline,
            only=only,
            skip=skip,
            python=python,
            image=image,
            output_dir=output_dir,
            jobs=jobs,
            timeout=timeout,
            deadline=deadline,
            enforcement=enforcement,
            offline=offline,
            now=now,
        )
    )
    names = format_choice(formats, request.rules.settings.formats)
    report = checked(request, show=not (no_progress or quiet))
    written = write_reports(report, names, request.output_dir or request.path)
    raise typer.Exit(show_page(report, written, quiet=quiet, verbose=verbose))


def show_page(report: Report, written: WrittenReports, *, quiet: bool, verbose: bool) -> int:
    """Print the page and return the exit code. OutputError if it is not read to its end."""
    try:
        print_page(report, written, quiet=quiet, verbose=verbose)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Caught here, for typer would turn it into exit code 1, which means blocked.
        stop_printing()
        raise OutputError("the page was not read to its end", "See the reports.") from error
    code = report.gate.exit_code
    if written.problems and code in (ExitCode.PASS, ExitCode.BLOCKED):
        return int(OutputError.exit_code)
    return code


def format_choice(given: Sequence[str] | None, configured: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the formats to write: as given, as configured, or the usual. UsageError."""
    known = format_names()
    chosen = [name.strip() for value in given or () for name in value.split(",")]
    for name in (*chosen, *configured):
        if name not in known:
            raise UsageError(f"no format is called {name!r}", options.suggestion(name, known))
    return tuple(dict.fromkeys(chosen or configured or _FORMATS))


def write_reports(report: Report, formats: Sequence[str], folder: Path) -> WrittenReports:
    """Write the reports; if one cannot be written, write the others all the same."""
    written = WrittenReports()
    for name in formats:
        format_ = reporter(name)
        path = folder / format_.FILENAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, format_.render(report))
        except OSError as error:
            hint = "Choose another folder with --output-dir, or make room."
            message = f"cannot write {path}: {error.strerror or error}"
            written.problems.append(OutputError(message, hint))
            continue
        written.paths.append(path)
        if isinstance(format_, Shortens):
            notices = format_.notices(report)
            written.notices += [f"{format_.FILENAME}: {notice}" for notice in notices]
    return written
