"""`scanagg demo`: make a small project with deliberate mistakes, and check it."""

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec.structs import replace

from scanagg.cli.files import short_path, write_reports
from scanagg.cli.options import NoProgress, Options, folder_of
from scanagg.cli.output import say, say_list
from scanagg.cli.page import show_page
from scanagg.cli.request import request_of, run_check
from scanagg.core.cache import cache_folder
from scanagg.core.errors import ExitCode
from scanagg.demo import BASE, fill_store, make_project
from scanagg.project import secret_key
from scanagg.reports.base import REPORTS
from scanagg.scanners.base import scanner_infos

_FORMATS: Final = ("sarif", "html", "json")

Folder = Annotated[
    Path,
    typer.Argument(help="The folder for the project: a new one, or that of an earlier run."),
]


def command(folder: Folder = Path("scanagg-demo"), no_progress: NoProgress = False) -> None:
    """Make a small shop with deliberate mistakes, check it, and explain the result.

    The project is a git repository with a branch that adds mistakes. The check uses no network and
    no data of yours: the advisories about the shop's packages come with scanagg.

    Exit codes: 0 the check blocks, as it should; 2 the folder cannot be used; 3 incomplete; 4
    internal error; 130 interrupted.
    """
    root = folder_of(folder)
    make_project(root)
    shown = shlex.quote(short_path(root))
    say(
        f"{shown}: a small shop with deliberate mistakes, and a branch that adds more.",
        f"This is what `scanagg check {shown} --base {BASE}` shows:",
        "",
    )
    with _own_data() as cache:
        fill_store(cache, datetime.now(UTC))
        request = request_of(Options(path=root, base=BASE, offline=True))
        report = run_check(replace(request, environ={}), show=not no_progress)
        written = write_reports(report, _FORMATS, root / REPORTS, root)
        code = show_page(report, written, quiet=False, verbose=False)
    if code != ExitCode.BLOCKED:
        raise typer.Exit(code)
    say_list(
        "What this shows",
        (
            "- Four mistakes block, because the branch adds them: a vulnerable package,",
            "  a key, an SQL injection, and a licence that the policy denies.",
            "- What was there before does not block: a vulnerable package, a weak hash.",
            '- The password "your-password-here" is a placeholder, so it does not block.',
            "- No scanner reads theme/package.json, so the page and the reports name it.",
        ),
    )
    say_list(
        "What to do next",
        (
            f"- Open {shown}/{REPORTS}/scanagg.html in a browser.",
            f"- See why a finding blocks: scanagg explain B608 {shown}",
            "- Check your own project: scanagg check path/to/project",
        ),
    )
    say(
        "",
        "The demonstration used no network and two advisories of its own. A check of",
        "your project uses current data, and has exit code 1 if it blocks.",
    )


@contextmanager
def _own_data() -> Iterator[Path]:
    """Keep the check away from the user's caches, databases and key. Yield the cache folder."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="scanagg-demo-", ignore_cleanup_errors=True) as folder:
        own = {info.data_variable: f"{folder}/{name}" for name, info in scanner_infos().items()}
        own.pop("", None)
        os.environ.update(own, SCANAGG_CACHE_DIR=folder, XDG_CACHE_HOME=folder)
        os.environ.pop(secret_key.VARIABLE, None)
        try:
            yield cache_folder()
        finally:
            os.environ.clear()
            os.environ.update(before)
