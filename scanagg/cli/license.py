"""`scanagg license`: ask what the licence lists make of an expression."""

import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Ask what licence lists make of an expression.")


@app.callback()
def _root() -> None:
    """Keep `eval` a command of its own while there is only one."""


@app.command("eval")
def evaluate(
    expression: Annotated[str, typer.Argument(help="An SPDX licence expression.")],
    allow: Annotated[str, typer.Option(metavar="IDS", help="Allowed ids, by comma.")] = "",
    deny: Annotated[str, typer.Option(metavar="IDS", help="Denied ids, by comma.")] = "",
) -> None:
    """Print allow, review, unknown or deny. The exit code is 0 for any verdict."""
    # Imported here: `scanagg --help` need not wait for the licence list.
    from scanagg.policy import licenses  # noqa: PLC0415

    lists = licenses.lists_of(allow=_ids(allow), deny=_ids(deny))
    sys.stdout.write(f"{licenses.evaluate(expression, lists).verdict.value}\n")


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
