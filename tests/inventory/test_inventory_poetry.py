"""poetry.lock in the versions that are in use, with the pyproject.toml beside it or without."""

import pytest

from scanagg.model import Scope


def entry(name: str, more: str = "", version: str = "1.0") -> str:
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{more}\n'


PROJECT = """[tool.poetry]
name = "app"
[tool.poetry.dependencies]
python = "^3.9"
Web = {version = "^1", extras = ["Socks"]}
speed = {version = "*", optional = true}
profiler = {version = "*", optional = true}
[tool.poetry.extras]
fast = ["speed"]
dev = ["profiler"]
[tool.poetry.dev-dependencies]
old-check = "*"
[tool.poetry.group.test.dependencies]
checks = "*"
[tool.poetry.group.worker.dependencies]
queue = "*"
"""
GRAPH = (
    entry(
        "web",
        '[package.dependencies]\nbase = "*"\n'
        'socksio = {version = "*", optional = true}\n'
        'other = [{version = "1", optional = true}, {version = "2", optional = true}]\n'
        '[package.extras]\nsocks = ["socksio (>=1)"]\nodd = ["(", "other[x, y]"]\n',
    )
    + entry("base")
    + entry("socksio")
    + entry("other")
    + entry("speed")
    + entry("profiler")
    + entry("old-check", '[package.dependencies]\ndeep = {version = "*", extras = ["x"]}\n')
    + entry("deep", '[package.extras]\nx = ["deeper"]\n')
    + entry("deeper")
    + entry("checks")
    + entry("queue")
)


def test_the_graph_gives_the_scope_where_the_lock_does_not(inventory_of):
    inventory = inventory_of({"poetry.lock": GRAPH, "pyproject.toml": PROJECT})
    assert {one.name: (one.scope.value, one.direct) for one in inventory.packages} == {
        "web": ("runtime", True),
        "base": ("runtime", False),
        "socksio": ("runtime", False),
        "other": ("runtime", False),
        "speed": ("runtime", True),
        "profiler": ("dev", True),
        "old-check": ("dev", True),
        "deep": ("dev", False),
        "deeper": ("dev", False),
        "checks": ("dev", True),
        "queue": ("runtime", True),
    }
    assert not inventory.unpinned
    web = next(one for one in inventory.packages if one.name == "web")
    assert [f"{place.path}:{place.start_line}" for place in web.places] == [
        "poetry.lock:2",
        "pyproject.toml:5",
    ]
    assert web.requires == ("base", "other", "socksio")


@pytest.mark.parametrize(
    ("said", "scope"),
    [
        ('category = "dev"', Scope.DEV),
        ('category = "main"', Scope.RUNTIME),
        ('groups = ["main"]', Scope.RUNTIME),
        ('groups = ["test", "docs"]', Scope.DEV),
        ('groups = ["dev", "main"]', Scope.RUNTIME),
        ('groups = ["worker"]', Scope.RUNTIME),
        ('groups = ["main"]\noptional = true', Scope.RUNTIME),
        ("", Scope.RUNTIME),
    ],
)
def test_category_and_groups_give_the_scope(inventory_of, said, scope):
    (one,) = inventory_of({"poetry.lock": entry("a", said)}).packages
    assert one.scope is scope
    assert one.direct is None


def test_an_optional_package_has_the_scope_of_the_extras_that_ask_for_it(inventory_of):
    project = (
        '[project]\nname = "app"\ndependencies = ["web"]\n'
        '[project.optional-dependencies]\ndev = ["checks"]\nfast = ["speed"]\n'
    )
    optional = 'groups = ["main"]\noptional = true'
    lock = entry("web", 'groups = ["main"]') + entry("checks", optional) + entry("speed", optional)
    inventory = inventory_of({"poetry.lock": lock, "pyproject.toml": project})
    assert {one.name: one.scope.value for one in inventory.packages} == {
        "web": "runtime",
        "checks": "dev",
        "speed": "runtime",
    }


def test_another_index_is_an_index(inventory_of, pins):
    source = '[package.source]\ntype = "legacy"\nurl = "https://index.invalid/simple"\n'
    assert "a==1.0" in pins(inventory_of({"poetry.lock": entry("a", source)}))


def test_an_own_folder_is_neither_package_nor_open(inventory_of):
    source = '[package.source]\ntype = "directory"\nurl = "libs/a"\n'
    project = '[tool.poetry.dependencies]\na = {path = "libs/a", develop = true}\n'
    inventory = inventory_of(
        {"poetry.lock": entry("a", source), "pyproject.toml": project, "libs/a/a.py": ""}
    )
    assert not inventory.packages
    assert not inventory.unpinned
    assert not inventory.problems


@pytest.mark.parametrize("extras", ["3", '"ab"', "[3]", "{a = 1}"])
def test_extras_of_a_wrong_type_ask_for_nothing(inventory_of, extras):
    needs = f'[package.dependencies]\nb = {{version = "*", extras = {extras}}}\n'
    inventory = inventory_of({"poetry.lock": entry("a", needs) + entry("b")})
    assert [one.name for one in inventory.packages] == ["a", "b"]
    assert not inventory.problems
