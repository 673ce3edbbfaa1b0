"""`scanagg check`: run the scanners, judge, write reports."""

import gc
import logging
import sys
from typing import Annotated, Final

import typer

from scanagg.cli.files import format_names, format_option, write_reports
from scanagg.cli.options import NoProgress, Options, Quiet, Verbose, folder_of, with_options
from scanagg.cli.page import show_page
from scanagg.cli.request import request_of, run_check
from scanagg.core.git import Git, is_commit_id

_FORMATS: Final = ("sarif", "html", "json")
Fetch = Annotated[
    bool,
    typer.Option(
        "--fetch",
        help="First fetch the commits of --base and --policy-ref from `origin`, if they are full "
        "ids and the clone does not have them. Not with --offline.",
    ),
]


@with_options()
def command(
    options: Options,
    formats: Annotated[list[str] | None, format_option(", ".join(_FORMATS))] = None,
    fetch: Fetch = False,
    no_progress: NoProgress = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run the scanners, judge their findings by one policy, and write reports.

    Exit codes: 0 pass, 1 blocked, 2 usage, configuration or policy error, 3 incomplete (a
    required scanner did not examine everything), 4 internal error, 130 interrupted.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
        logging.getLogger("scanagg").setLevel(logging.INFO)
    # The values of a check live until its end and have no cycles: collecting garbage took a third
    # of the time of a check with 100,000 findings (benchmarks/reports.py).
    gc.disable()
    if fetch and not options.offline:
        for ref in filter(is_commit_id, (options.base or "", options.policy_ref or "")):
            if problem := Git(folder_of(options.path)).fetch(ref):
                sys.stderr.write(f"scanagg: cannot fetch {ref}: {problem}\n")
    request = request_of(options)
    configured = format_names(request.rules.settings.formats, "configured format")
    names = format_names(formats) or configured or _FORMATS
    report = run_check(request, show=not (no_progress or quiet))
    written = write_reports(report, names, request.output_dir or request.path, request.path)
    raise typer.Exit(show_page(report, written, quiet=quiet, verbose=verbose))
