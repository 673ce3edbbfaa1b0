"""The typer application: every command is a file of its own beside this one."""

import sys
from typing import Annotated

import typer

from scanagg import __version__
from scanagg.cli import baseline, check, db, explain, fix, gate, policy, scanners, waive, waivers
from scanagg.cli import license as license_

# Plain help: rich's markup and tracebacks would double the start-up time.
app = typer.Typer(
    name="scanagg",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One verdict from the security and licence scanners of a Python project.",
    epilog="Exit codes: 0 pass, 1 blocked, 2 usage, configuration or policy error, "
    "3 incomplete, 4 internal error, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"scanagg {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of scanagg itself."""


app.command("check")(check.command)
app.command("explain")(explain.command)
app.command("fix")(fix.command)
app.command("gate")(gate.command)
app.command("scanners")(scanners.command)
app.command("waive")(waive.command)
app.command("waivers")(waivers.command)
app.add_typer(baseline.app, name="baseline")
app.add_typer(db.app, name="db")
app.add_typer(policy.app, name="policy")
app.add_typer(license_.app, name="license")
