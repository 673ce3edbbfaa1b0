"""`scanagg gate`: judge a stored report again, without scanning."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from scanagg.cli import options
from scanagg.cli.files import format_names, format_option, write_reports
from scanagg.cli.page import show_page
from scanagg.core.errors import UsageError
from scanagg.gate.rejudge import rejudge, same_text
from scanagg.reports import wire
from scanagg.reports.base import REPORTS, reporter


def command(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="A scanagg.json.")],
    policy: options.PolicyName = None,
    enforcement: options.Enforcement = None,
    now: options.Now = None,
    formats: Annotated[list[str] | None, format_option("none")] = None,
    output_dir: options.OutputDir = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Judge the findings and runs of a stored report again, without scanning.

    Without --policy, use the policy that a check in this folder uses. Without --now, use the time
    of the report. Inputs that the check did not examine still count as not examined.

    Exit codes: the same as for check.
    """
    clock = options.clock_of(now)
    stored = wire.read(report)
    settings, loaded = options.project_policy(policy, Path.cwd())
    if enforcement is None and same_text(stored, loaded):
        enforced = replace(loaded, enforcement=stored.policy.enforcement)
    else:
        enforced = options.enforced(loaded, enforcement)
    judged = rejudge(stored, enforced, clock)
    folder = output_dir or Path.cwd() / (settings.output_dir or REPORTS)
    names = format_names(formats)
    if report.resolve() in [(folder / reporter(name).FILENAME).resolve() for name in names]:
        message = f"--format would overwrite {report}, the report to judge"
        raise UsageError(message, "Choose another folder with --output-dir.")
    written = write_reports(judged, names, folder, Path.cwd())
    raise typer.Exit(show_page(judged, written, quiet=quiet, verbose=verbose))
