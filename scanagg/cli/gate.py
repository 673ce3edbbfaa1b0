"""`scanagg gate`: judge a stored report again, without scanning."""

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from scanagg.cli import request as options
from scanagg.cli.check import format_choice, show_page, write_reports
from scanagg.core.errors import UsageError
from scanagg.gate.rejudge import rejudge, same_text
from scanagg.model import Clock
from scanagg.pipeline import REPORTS
from scanagg.policy import Policy, load_policy
from scanagg.reports import wire
from scanagg.reports.base import names as format_names
from scanagg.reports.base import reporter
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import Settings, load_settings

_Stored = Annotated[Path, typer.Argument(metavar="REPORT", help="A scanagg.json.")]
_Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help=f"A report to write, repeatable: {', '.join(format_names())}. Default: none.",
    ),
]
_OutputDir = Annotated[
    Path | None, typer.Option(help="Where reports go. Default: as for a check in this folder.")
]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print the verdict only.")]
_Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print every finding.")]


def command(
    report: _Stored,
    policy: options.PolicyName = None,
    enforcement: options.Enforcement = None,
    now: options.Now = None,
    formats: _Formats = None,
    output_dir: _OutputDir = None,
    quiet: _Quiet = False,
    verbose: _Verbose = False,
) -> None:
    """Judge the findings and runs of a stored report again, without scanning.

    The policy is the one that is given, else the one that a check in this folder goes by; the time
    is the report's own, unless --now says otherwise. What was not examined stays so.

    Exit codes: as those of check.
    """
    moment = options.time_of(now)
    stored = wire.read(report)
    settings, loaded = project_policy(policy, Path.cwd())
    if enforcement is None and same_text(stored, loaded):
        enforced = replace(loaded, enforcement=stored.policy.enforcement)
    else:
        enforced = options.enforced(loaded, enforcement)
    clock = None if moment is None else Clock(moment, given=True)
    judged = rejudge(stored, enforced, clock)
    folder = output_dir or Path.cwd() / (settings.output_dir or REPORTS)
    names = format_choice(formats) if formats else ()
    for name in names:
        path = folder / reporter(name).FILENAME
        if path.resolve() == report.resolve():
            message = f"{path} is the report that is judged: it would be overwritten"
            raise UsageError(message, "Choose another folder with --output-dir.")
    written = write_reports(judged, names, folder)
    raise typer.Exit(show_page(judged, written, quiet=quiet, verbose=verbose))


def project_policy(name: str | None, root: Path) -> tuple[Settings, Policy]:
    """Return the settings of the project at `root`, and the policy of its checks.

    `name` is the argument of --policy. UsageError, ConfigError, PolicyError.
    """
    if name is not None and not name.strip():
        raise UsageError("--policy is empty", "Give a value, or leave the option out.")
    settings = load_settings(root, scanner_infos())
    return settings, load_policy(name, root, settings.policy)
