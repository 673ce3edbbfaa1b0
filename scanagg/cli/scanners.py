"""`scanagg scanners`: what is installed where, what applies here, how to get the rest."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
) -> None:
    """List the scanners: found where, applying here, how to get."""
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from scanagg.cli.available import survey  # noqa: PLC0415
    from scanagg.scanners.base import adapters  # noqa: PLC0415
    from scanagg.scanners.config import load_settings  # noqa: PLC0415

    root = path.resolve()
    settings = load_settings(root, adapters())
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    for found in survey(root, settings, datetime.now(UTC)):
        style = "bold" if found.shown else "bold yellow"
        version = f" {found.version}" if found.version else ""
        console.print(Text(f"{found.name}{version}", style))
        for line in found.lines:
            console.print(Text(f"    {line}"))
