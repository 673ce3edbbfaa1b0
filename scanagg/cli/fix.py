"""`scanagg fix`: what to upgrade, and how; with --apply, do it."""

from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import request as options
from scanagg.core.errors import UsageError

_Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Take the advice of a stored scanagg.json instead of checking."
    ),
]
_Apply = Annotated[
    bool,
    typer.Option(
        "--apply",
        help="Edit pins and run the project's own lockers, which read the project, ask its index "
        "and may run its build backend; then check again.",
    ),
]
_BlockingOnly = Annotated[
    bool, typer.Option("--blocking-only", help="Only what it takes to clear what blocks.")
]
_Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Look vulnerabilities up without a network. Lockers (--apply) ask their index still.",
    ),
]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]


def command(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    only: options.Only = None,
    python: options.Python = None,
    image: options.Image = None,
    report: _Report = None,
    apply: _Apply = False,
    blocking_only: _BlockingOnly = False,
    offline: _Offline = False,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    now: options.Now = None,
    no_progress: _NoProgress = False,
) -> None:
    """Say which upgrades clear most vulnerabilities, and how to make them; --apply makes them.

    Only the scanners of vulnerabilities run. Where the project's own constraints are in the way,
    nothing is changed: it says which.

    Exit codes: 0 advice was given or there is nothing to do, 2 usage, configuration or policy
    error, 3 incomplete (what the advice rests on was not examined as required, or a step of --apply
    failed), 4 internal error, 130 interrupted.
    """
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.cli import fix_page, fixing  # noqa: PLC0415

    wish = fix_page.Wish(apply=apply, blocking=blocking_only, show=not no_progress)
    if report is not None:
        given: dict[str, object] = {
            "--policy": policy,
            "--only": only,
            "--python": python,
            "--image": image,
        }
        given |= {"--now": now, "--offline": offline or None}
        _refuse([name for name, value in given.items() if value is not None])
        raise typer.Exit(fixing.by_report(report, path, wish))
    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        offline=offline,
        now=now,
    )
    raise typer.Exit(fixing.by_check(asked, wish))


def _refuse(names: list[str]) -> None:
    """UsageError for options of a check where none is made."""
    if names:
        hint = "A stored report is taken as it is; leave them out, or check anew without --report."
        raise UsageError(f"{', '.join(names)} with --report", hint)
