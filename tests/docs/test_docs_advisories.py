"""The pages on the advisory store, lockers and VEX match the program."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from scanagg.advisories.download import ATTEMPTS
from scanagg.advisories.records import ALIASES
from scanagg.advisories.update import SOURCES
from scanagg.findings.collect import FRESH
from scanagg.model import WaiverState
from scanagg.reports.cyclonedx.vulnerabilities import VEX
from scanagg.upgrades.lockers import Recipe, recipe_of
from scanagg.upgrades.pins import Pin

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "advisories.md").read_text(encoding="utf-8")
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")


def cells(page: str, first: str) -> list[str]:
    """Return the other cells of the table row that begins with a word in backquotes."""
    (row,) = re.findall(rf"^\| `{re.escape(first)}` \|(.*)\|$", page, re.M)
    return [cell.strip() for cell in row.split("|")]


@pytest.mark.parametrize("kind", SOURCES)
def test_addresses_are_those_of_the_program(kind: str) -> None:
    part = PAGE.partition("### Addresses")[2]
    source = SOURCES[kind]
    assert cells(part, kind) == [
        f"`{source.url}`",
        f"`{source.option}`",
        f"`SCANAGG_{kind.upper()}_URL`",
    ]


@pytest.mark.parametrize("path", LOCKS)
def test_commands_of_lockers_are_those_of_the_program(path: str) -> None:
    recipe = recipe_of(path, "")
    assert isinstance(recipe, Recipe)
    ((*words, name),) = recipe.commands([Pin("NAME", "1", "VERSION")])
    shown = [word for word in words if word != "--no-interaction"]
    assert f"| `{path}` | `{' '.join((*shown, name))}`" in PAGE


def test_numbers_are_those_of_the_program() -> None:
    assert timedelta(days=7) == FRESH
    assert "(by default 7 days)" in PAGE
    assert ATTEMPTS == 4
    assert "tries each download up to four times" in PAGE
    assert f"more than {ALIASES} aliases" in PAGE


@pytest.mark.parametrize("state", WaiverState)
def test_what_waivers_are_in_vex_is_as_the_recipe_says(state: WaiverState) -> None:
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    analysis, responses = VEX[state]
    response = ", ".join(f"`{one.value}`" for one in responses)
    assert cells(page, state.value) == [f"`{analysis.value}`", response]
