"""`scanagg check`: run the scanners, judge, write reports."""

import gc
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scanagg.cli.output import stop_printing
from scanagg.errors import ExitCode, OutputError, UsageError
from scanagg.reporters import names as format_names

if TYPE_CHECKING:
    from scanagg.cli.page import Written
    from scanagg.config import Settings
    from scanagg.model import Report
    from scanagg.pipeline import Request

_FORMATS: Final = ("sarif", "html", "json")


_Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
_Policy = Annotated[
    str | None, typer.Option("--policy", metavar="NAME_OR_PATH", help="The policy that judges.")
]
_Only = Annotated[
    list[str] | None, typer.Option(metavar="A,B", help="Run these scanners; each is required.")
]
_Skip = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Do not run these scanners.")]
_Python = Annotated[
    Path | None, typer.Option(help="The project's interpreter or virtual environment.")
]
_Image = Annotated[
    str | None, typer.Option(metavar="REF", help="A container image to scan as well.")
]
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
_Jobs = Annotated[int | None, typer.Option(min=1, help="Programs at once.")]
_Timeout = Annotated[
    float | None, typer.Option(min=0.1, metavar="SECONDS", help="For each scanner.")
]
_Deadline = Annotated[
    float | None, typer.Option(min=0.1, metavar="SECONDS", help="For the whole run.")
]
_Enforcement = Annotated[
    str | None,
    typer.Option(metavar="block|warn", help="warn: report alike, but findings do not fail."),
]
_Offline = Annotated[
    bool, typer.Option("--offline", help="Use no network, only data that is already here.")
]
_Now = Annotated[str | None, typer.Option(metavar="ISO-TIME", help="Judge as at this time, UTC.")]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print the verdict only.")]
_Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print every finding, and what is done.")
]


def command(
    path: _Folder = Path(),
    policy: _Policy = None,
    only: _Only = None,
    skip: _Skip = None,
    python: _Python = None,
    image: _Image = None,
    formats: _Formats = None,
    output_dir: _OutputDir = None,
    jobs: _Jobs = None,
    timeout: _Timeout = None,
    deadline: _Deadline = None,
    enforcement: _Enforcement = None,
    offline: _Offline = False,
    now: _Now = None,
    no_progress: _NoProgress = False,
    quiet: _Quiet = False,
    verbose: _Verbose = False,
) -> None:
    """Run the scanners, judge by one policy, write reports.

    Exit codes: 0 pass, 1 blocked, 2 usage, configuration or policy error, 3 incomplete (a
    required scanner did not examine what it should), 4 internal error, 130 interrupted.
    """
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.adapters import adapters  # noqa: PLC0415
    from scanagg.config import load_settings  # noqa: PLC0415
    from scanagg.pipeline import IMAGE_SCANNER, REPORTS, Request, chosen  # noqa: PLC0415
    from scanagg.policy import load_policy  # noqa: PLC0415
    from scanagg.process import Stop  # noqa: PLC0415

    _log(verbose)
    _refuse_empty(policy=policy, image=image)
    known = tuple(adapters())
    wanted, unwanted = _scanner_names(only, known), _scanner_names(skip, known)
    _check_choice(wanted, unwanted)
    if image and IMAGE_SCANNER not in chosen(wanted, unwanted):
        raise UsageError(f"--image needs {IMAGE_SCANNER}", f"Let {IMAGE_SCANNER} run as well.")
    root = _folder(path)
    settings = load_settings(root, adapters())
    loaded = load_policy(policy, root, settings.policy)
    request = Request(
        path=root,
        settings=settings,
        policy=replace(loaded, enforcement=_enforcement(enforcement, loaded.enforcement)),
        only=wanted,
        skip=unwanted,
        python=python,
        image=image,
        offline=offline,
        jobs=jobs,
        timeout=timeout,
        now=_time(now),
        output_dir=output_dir or root / (settings.output_dir or REPORTS),
        stop=Stop(deadline or settings.deadline),
    )
    names = _format_names(formats, settings)
    raise typer.Exit(_check(request, names, not (no_progress or quiet), quiet, verbose))


def _check(
    request: "Request", formats: Sequence[str], show: bool, quiet: bool, verbose: bool
) -> int:
    """Check, write, print; the exit code."""
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.cli.page import print_page  # noqa: PLC0415
    from scanagg.cli.progress import progress  # noqa: PLC0415
    from scanagg.pipeline import check  # noqa: PLC0415

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    # What a check makes lives until its end and forms no circles: looking for some took a third of
    # the time of a check with 100,000 findings (benchmarks/reports.py).
    gc.disable()
    with progress(show=show) as notify:
        report = check(request, notify)
    written = _write(report, formats, request.output_dir or request.path)
    try:
        print_page(report, written, quiet=quiet, verbose=verbose)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Caught here, for typer would turn it into exit code 1, which means blocked.
        stop_printing()
        raise OutputError("the page was not read to its end", "See the reports.") from error
    return _exit_code(report, written.problems)


def _log(verbose: bool) -> None:
    if verbose:
        logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
        logging.getLogger("scanagg").setLevel(logging.INFO)


def _folder(path: Path) -> Path:
    """The path as given, absolute; whether it can be checked is the target's to say."""
    return path.absolute() if not path.exists() else path.resolve()


def _scanner_names(given: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for value in given or () for name in value.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"no scanner is called {name!r}", _suggestion(name, known))
    return tuple(sorted(set(names)))


def _refuse_empty(**given: str | None) -> None:
    """An unset variable of a script must not read as an option that was not given."""
    for name, value in given.items():
        if value is not None and not value.strip():
            raise UsageError(f"--{name} is empty", "Give a value, or leave the option out.")


def _check_choice(only: Sequence[str], skip: Sequence[str]) -> None:
    both = sorted(set(only) & set(skip))
    if both:
        raise UsageError(f"{', '.join(both)}: both in --only and in --skip", "Choose one.")


def _format_names(given: Sequence[str] | None, settings: "Settings") -> tuple[str, ...]:
    known = format_names()
    chosen = [name.strip() for value in given or () for name in value.split(",")]
    for name in (*chosen, *settings.formats):
        if name not in known:
            raise UsageError(f"no format is called {name!r}", _suggestion(name, known))
    return tuple(dict.fromkeys(chosen or settings.formats or _FORMATS))


def _suggestion(name: str, known: Sequence[str]) -> str:
    # Imported here: only a misspelt name needs it.
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{guess}There are: {', '.join(known)}."


def _enforcement(given: str | None, from_policy: str) -> str:
    if given not in (None, "block", "warn"):
        raise UsageError(f"--enforcement {given!r} is neither block nor warn", "Use one of these.")
    return given or from_policy


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--now {text!r} is not an ISO time", "Write it like 2026-01-31T12:00:00Z."
        ) from error


def _write(report: "Report", formats: Sequence[str], folder: Path) -> "Written":
    """Write each format; one that cannot be written does not cost the others."""
    # Imported here: `scanagg --help` need not wait for the page.
    from scanagg.cache import write_atomically  # noqa: PLC0415
    from scanagg.cli.page import Written  # noqa: PLC0415
    from scanagg.reporters import Shortens, reporter  # noqa: PLC0415

    written = Written()
    for name in formats:
        made = reporter(name)
        path = folder / made.FILENAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, made.render(report))
        except OSError as error:
            hint = "Choose another folder with --output-dir, or make room."
            message = f"cannot write {path}: {error.strerror or error}"
            written.problems.append(OutputError(message, hint))
            continue
        written.paths.append(path)
        if isinstance(made, Shortens):
            written.notices += [f"{made.FILENAME}: {notice}" for notice in made.notices(report)]
    return written


def _exit_code(report: "Report", problems: Sequence[OutputError]) -> int:
    """The gate's code, or that of a report that could not be written where that is graver."""
    code = report.gate.exit_code
    if problems and code in (ExitCode.PASS, ExitCode.BLOCKED):
        return int(OutputError.exit_code)
    return code
