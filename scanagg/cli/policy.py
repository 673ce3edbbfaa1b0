"""`scanagg policy`: look at policy files without scanning."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at policy files without scanning.")


@app.callback()
def _root() -> None:
    """Keep `check` a command of its own while there is only one."""


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="The policy file.")]) -> None:
    """Say whether a policy file is valid, or what is wrong and where."""
    # Imported here: `scanagg --help` need not wait for the YAML parser.
    from scanagg.policy import load_policy  # noqa: PLC0415

    loaded = load_policy(str(file), Path.cwd(), None)
    sys.stdout.write(f"valid: {loaded.info.name}, {len(loaded.rules)} rules\n")
