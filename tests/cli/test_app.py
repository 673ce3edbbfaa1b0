"""The table of commands, their modules, and their help."""

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import click
import pytest
import typer

import scanagg.cli
from scanagg.cli.app import COMMANDS, app


def test_every_module_with_a_command_is_in_the_table() -> None:
    names = {module.name for module in pkgutil.iter_modules(scanagg.cli.__path__)} - {"app"}
    commands = {
        name
        for name in names
        if {"command", "app"} & vars(import_module(f"scanagg.cli.{name}")).keys()
    }
    assert commands == set(COMMANDS)


def test_no_module_imports_a_command() -> None:
    for path in Path(scanagg.cli.__path__[0]).glob("*.py"):
        imported = re.findall(
            r"^from scanagg\.cli(?:\.(\w+)| import (\w+))", path.read_text(), re.M
        )
        assert not {name for names in imported for name in names} & set(COMMANDS), path


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_describes_each_argument_and_option_once(name: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command
    for each in getattr(command, "commands", {}).values() or [command]:
        page = "".join(each.get_help(click.Context(each)).split())
        for text in (each.help, *(parameter.help for parameter in each.params)):
            assert text[0].isupper()
            assert text.endswith(".")
            assert page.count("".join(text.split())) == 1


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_not_cut_and_fits_the_terminal(name: str, width: int) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name) if name else group
    assert command
    context = click.Context(command, info_name=name, terminal_width=width, max_content_width=width)
    page = command.get_help(context)
    assert "..." not in page.replace("COMMAND [ARGS]...", "")
    assert max(map(len, page.splitlines())) <= width
