from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import structure

BASE = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from house.low import Low

class Shared: ...

def public(rows):
    '''Which rows to take.'''
    for one in rows:
        if one and rows or not one:
            _twice(one)
    return [each for each in rows if each], _twice(rows), _once(rows)

def _once(rows):
    return _once(rows[1:])

def _twice(rows):
    def _inner():
        return 1 if rows else 2
    match rows:
        case []:
            return _inner()
        case _:
            return _elsewhere

def _elsewhere():
    from house import top

def __getattr__(name): ...
"""
HOUSE = {
    "__init__.py": "",
    "low.py": "class Shared: ...\nclass Low: ...\n",
    "base.py": BASE,
    "middle.py": "from .base import _elsewhere, public\n_elsewhere()\n",
    "top/__init__.py": "'''Whatever is on top.'''\nfrom ..middle import public\n",
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return write(tmp_path / "house", HOUSE)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def texts(house: Path, kind: str) -> list[str]:
    return [place.text for place in structure.LISTS[kind](structure.read(house))]


def test_complexity_counts_as_radon_does(house: Path) -> None:
    nodes = [node for module in structure.read(house) for node in module.nodes]
    functions = [node for node in nodes if isinstance(node, structure.Function)]
    assert {function.name: structure.complexity(function) for function in functions} == {
        "public": 7,  # for, if, and, or, comprehension and its if
        "_once": 1,
        "_twice": 2,  # one case; the wildcard and the nested function do not count
        "_inner": 2,
        "_elsewhere": 1,
        "__getattr__": 1,
    }


def test_import_depth_at_run_time_and_anywhere(house: Path) -> None:
    modules = structure.read(house)
    runtime = structure.imports(modules, runtime=True)
    assert runtime["house.top"] == {"house.middle"}
    assert runtime["house.base"] == set()
    assert structure.depth(runtime) == 3
    # base, middle and top are one cycle now, with low below it
    anywhere = structure.imports(modules, runtime=False)
    assert anywhere["house.base"] == {"house.low", "house.top"}
    assert structure.depth(anywhere) == 2


def test_helpers_used_once_do_not_count_their_own_calls(house: Path) -> None:
    assert texts(house, "once") == ["_once", "_inner"]


def test_fillers_are_listed_outside_of_short_comprehensions(house: Path) -> None:
    assert texts(house, "filler") == ["one"]


def test_docstrings_that_ask(house: Path) -> None:
    assert texts(house, "docstrings") == ["Which rows to take."]


def test_public_classes_of_one_name(house: Path) -> None:
    assert texts(house, "classes") == ["Shared", "Shared"]


def test_figures_of_a_package(house: Path) -> None:
    figures = structure.measure(house)
    assert figures["files"] == 5
    assert figures["functions"] == 6
    assert figures["length, median"] == 2
    assert figures["max"] == 8
    assert figures["filler %"] == 100
    assert figures["classes"] == 1


def test_startup_tells_own_modules_from_others(house: Path) -> None:
    write(house, {"__main__.py": "import house.low, other\n"})
    write(house.parent, {"other.py": ""})
    figures = structure.startup(house)
    assert figures["imports, own"] == 2  # the package and `low`; `__main__` is run, not imported
    assert figures["others"] == 1
