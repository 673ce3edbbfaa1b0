"""The typer application. The module of a command is imported only when that command runs."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Annotated, Any, Final

import click
import click.shell_completion
import typer
from typer.core import TyperArgument, TyperGroup

from scanagg import __version__
from scanagg.core.errors import ExitCode

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Check a small project with deliberate mistakes, to see how scanagg works.",
    "check": "Run the scanners, judge their findings, and write reports.",
    "explain": "Explain the verdict on a finding.",
    "fix": "List the upgrades that fix vulnerabilities, or apply them.",
    "gate": "Judge a stored report again, without scanning.",
    "scanners": "List the scanners, and how to install missing ones.",
    "waive": "Accept a finding until a date.",
    "waivers": "List all waivers, including unused and expired ones.",
    "baseline": "Manage the baseline, the list of known findings.",
    "db": "Manage the offline advisory store.",
    "policy": "Check, test and compare policy files.",
    "license": "Judge a licence expression, or the licences of all packages.",
}
"""The commands with their short help, in the order of `scanagg --help`.

The module of a command is `scanagg.cli.NAME`. It has the function `command`, or an `app` with
subcommands.
"""
# Wider than the longest help of a subcommand.
_UNCUT_WIDTH: Final = 1000


class _Commands(TyperGroup):
    """The group of all commands. It imports a command when that command is needed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # For the suggestion when a name is misspelt.
        self.commands = {name: click.Command(name) for name in COMMANDS}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"scanagg.cli.{cmd_name}")
        wrapper = typer.Typer(rich_markup_mode=None, add_completion=False)
        if hasattr(module, "command"):
            wrapper.command(cmd_name)(module.command)
            command: click.Command = typer.main.get_command(wrapper)
        else:
            wrapper.add_typer(module.app, name=cmd_name)
            command = typer.main.get_group(wrapper).commands[cmd_name]
        _restore_help(command)
        return command

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        # The method of the group would import all commands.
        items = [
            click.shell_completion.CompletionItem(name, help=about)
            for name, about in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _restore_help(command: click.Command) -> None:
    """Set the help texts of arguments, which typer 0.25 loses with click 8.5.

    Also set those of subcommands, which click would cut.
    """
    for subcommand in getattr(command, "commands", {}).values():
        subcommand.short_help = subcommand.get_short_help_str(_UNCUT_WIDTH)
        _restore_help(subcommand)
    for parameter in command.params:
        if isinstance(parameter, TyperArgument) and command.callback and not parameter.help:
            annotations = signature(command.callback, eval_str=True).parameters
            parameter.help = annotations[str(parameter.name)].annotation.__metadata__[0].help
            # Without this, click prints a section of its own beside that of typer.
            vars(command)["format_arguments"] = lambda _context, _formatter: None


# Plain help: rich's markup and tracebacks would double the start-up time.
app = typer.Typer(
    name="scanagg",
    cls=_Commands,
    no_args_is_help=True,
    suggest_commands=False,  # click suggests one itself
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


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. Errors in the arguments are printed."""
    # Not `app()`, which ends with 1 (blocked) when any pipe or input ends early.
    command = typer.main.get_command(app)
    # Answers a shell that asks for completions, and exits.
    command._main_shell_completion({}, "scanagg")
    try:
        with command.make_context("scanagg", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    return ExitCode.PASS


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
