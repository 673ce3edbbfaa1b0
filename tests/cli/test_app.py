"""The table of commands and the modules of the commands, which are imported lazily."""

import pkgutil
from importlib import import_module

import scanagg.cli
from scanagg.cli.app import COMMANDS


def test_every_module_with_a_command_is_in_the_table() -> None:
    names = {module.name for module in pkgutil.iter_modules(scanagg.cli.__path__)} - {"app"}
    commands = {
        name
        for name in names
        if {"command", "app"} & vars(import_module(f"scanagg.cli.{name}")).keys()
    }
    assert commands == set(COMMANDS)
