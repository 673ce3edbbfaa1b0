"""pyproject.toml: every table that declares dependencies, each with its line."""

import pytest

from scanagg.model import Reason, Scope

UNPINNED = Reason("no-exact-version")
PROJECT = """[build-system]
requires = ["hatchling"]
[project]
name = "My_App"
dependencies = [
  "web>=1",  # why
  "exact==1.0",
  'base; python_version < "4"',
]
optional-dependencies.fast = ["speed", "my-app[test]"]
optional-dependencies.test = [
  "checks",
]
[dependency-groups]
dev = ["linter", {include-group = "docs"}]
docs = ["docgen==2.0"]
worker = ["queue"]
all = ["anything"]
[tool.pdm.dev-dependencies]
workflow = ["release-it"]
[tool.uv]
dev-dependencies = ["uvdev"]
[tool.flit.metadata]
requires = ["flit-needs"]
[tool.flit.metadata.requires-extra]
doc = ["flit-doc"]
"""


def test_every_table_is_read_with_lines_and_scopes(inventory_of, pins, open_):
    inventory = inventory_of({"pyproject.toml": PROJECT})
    assert pins(inventory) == {
        "exact==1.0": "runtime direct pyproject.toml:7",
        "docgen==2.0": "dev direct pyproject.toml:16",
    }
    found = {f"{one.place.start_line} {one.name}": one.scope.value for one in inventory.unpinned}
    assert found == {
        "6 web": "runtime",
        "8 base": "runtime",
        "10 speed": "runtime",
        "12 checks": "dev",
        "15 linter": "dev",
        "17 queue": "runtime",
        "18 anything": "dev",
        "20 release-it": "dev",
        "22 uvdev": "dev",
        "24 flit-needs": "runtime",
        "26 flit-doc": "dev",
    }
    assert set(open_(inventory).values()) == {UNPINNED}
    assert inventory.unpinned[0].text == "web>=1"


POETRY = """[tool.poetry]
name = "app"
[tool.poetry.dependencies]
python = "^3.9"
caret = "^1.2"
star = "*"
wild = "1.2.*"
bare = "1.2"
same = {version = "==1.3", extras = ["x"]}
many = [{version = "1.0", python = "<3.12"}, {version = "2.0", python = ">=3.12"}]
fork = {git = "https://x.invalid/fork.git"}
mine = {path = "libs/mine", develop = true}
theirs = {path = "../theirs"}
file = {file = "w/file-1.0.tar.gz"}
link = {url = "https://x.invalid/link.zip"}
broken = 3
[tool.poetry.dependencies.table]
version = "4"
[tool.poetry.group.dev.dependencies]
linter = "^1"
[tool.poetry.group.empty]
optional = true
"""


GROUPS = """[dependency-groups]
Dev = [{include-group = "e2e_ui"}, {include-group = "shared"}, {include-group = "production"}]
all = [{include-group = "server"}, {include-group = "E2E.ui"}]
e2e-ui = ["a", {include-group = "deep"}, {include-group = "missing"}, 3]
deep = ["b", {include-group = "deep-too"}]
deep-too = ["c"]
server = ["d", {include-group = "shared"}]
shared = ["e"]
production = ["f"]
loop = ["g", {include-group = "loop"}]
alone = ["h"]
"""


def test_a_group_that_only_development_groups_include_is_for_development(inventory_of):
    inventory = inventory_of({"pyproject.toml": GROUPS})
    assert "".join(one.name for one in inventory.unpinned if one.scope is Scope.DEV) == "abc"
    poetry = (
        '[tool.poetry.group.dev]\ninclude-groups = ["browser"]\n'
        '[tool.poetry.group.browser.dependencies]\na = "^1"\n'
        '[tool.poetry.group.server.dependencies]\nb = "^1"\n'
    )
    inventory = inventory_of({"pyproject.toml": poetry})
    assert [one.name for one in inventory.unpinned if one.scope is Scope.DEV] == ["a"]


def _entry(name: str, more: str = "") -> str:
    return f'[[package]]\nname = "{name}"\nversion = "1"\n{more}\n'


@pytest.mark.parametrize(
    ("lock", "text"),
    [
        (
            "uv.lock",
            '[[package]]\nname = "x"\nversion = "1"\nsource = { virtual = "." }\n'
            '[package.dev-dependencies]\ndeep = [{ name = "b" }]\nserver = [{ name = "d" }]\n'
            + _entry("b")
            + _entry("d"),
        ),
        (
            "uv.lock",
            '[manifest.dependency-groups]\ndeep = [{ name = "b" }]\nserver = [{ name = "d" }]\n'
            + _entry("b")
            + _entry("d"),
        ),
        ("poetry.lock", _entry("b", 'groups = ["deep"]') + _entry("d", 'groups = ["server"]')),
        ("pdm.lock", _entry("b", 'groups = ["deep"]') + _entry("d", 'groups = ["server"]')),
        (
            "pylock.toml",
            (_entry("b", "marker=\"'deep' in dependency_groups\"") + _entry("d")).replace(
                "[[package]]", "[[packages]]"
            ),
        ),
    ],
)
def test_locks_know_the_scope_of_such_a_group(inventory_of, lock, text):
    inventory = inventory_of({"pyproject.toml": GROUPS, lock: text})
    scopes = {one.name: one.scope.value for one in inventory.packages}
    assert scopes == {"b": "dev", "d": "runtime"}


def test_an_extra_that_the_project_asks_for_itself_is_runtime(inventory_of, pins):
    text = """[project]
name = "My.App"
dependencies = ["my-app[Dev]"]
[project.optional-dependencies]
dev = ["a==1", "my_app[docs]"]
docs = ["b==2"]
test = ["c==3"]
all = ["my-app[test]"]
"""
    assert pins(inventory_of({"pyproject.toml": text})) == {
        "a==1": "runtime direct pyproject.toml:5",
        "b==2": "runtime direct pyproject.toml:6",
        "c==3": "dev direct pyproject.toml:7",
    }


def test_tables_of_poetry(inventory_of, pins, open_, problems):
    inventory = inventory_of({"pyproject.toml": POETRY, "libs/mine/mine.py": ""})
    assert pins(inventory) == {
        "bare==1.2": "runtime direct pyproject.toml:8",
        "file==1.0": "runtime direct pyproject.toml:14",
        "many==1.0": "runtime direct pyproject.toml:10",
        "many==2.0": "runtime direct pyproject.toml:10",
        "same==1.3": "runtime direct pyproject.toml:9",
        "table==4": "runtime direct pyproject.toml:17",
    }
    assert open_(inventory) == {
        "pyproject.toml:5 caret": UNPINNED,
        "pyproject.toml:6 star": UNPINNED,
        "pyproject.toml:7 wild": UNPINNED,
        "pyproject.toml:11 fork": Reason(
            "from-version-control", {"system": "git", "address": "https://x.invalid/fork.git"}
        ),
        "pyproject.toml:13 theirs": Reason("from-folder", {"path": "../theirs"}),
        "pyproject.toml:15 link": Reason("from-address", {"address": "https://x.invalid/link.zip"}),
        "pyproject.toml:20 linter": UNPINNED,
    }
    assert [one.text for one in inventory.unpinned][:2] == ["caret ^1.2", "star"]
    assert problems(inventory) == {
        "pyproject.toml:16": Reason("not-a-version-or-table", {"package": "broken"})
    }


def test_an_entry_that_only_names_an_index_is_not_repeated(inventory_of, open_):
    project = (
        '[project]\ndependencies = ["web>=1", "fork"]\n[tool.poetry.dependencies]\n'
        'web = {source = "inner"}\nfork = {git = "https://x.invalid/fork.git"}\n'
        'other = {source = "inner"}\n'
    )
    assert list(open_(inventory_of({"pyproject.toml": project}))) == [
        "pyproject.toml:2 fork",
        "pyproject.toml:2 web",
        "pyproject.toml:5 fork",
        "pyproject.toml:6 other",
    ]


def test_sources_of_uv(inventory_of, pins, open_):
    project = (
        '[project]\ndependencies = ["Fork==1", "mine", "lib", "inner==2", "many"]\n'
        "[tool.uv.sources]\n"
        'fork = {git = "https://x.invalid/fork.git"}\nmine = {workspace = true}\n'
        'lib = {path = "lib", editable = true}\ninner = {index = "inner"}\n'
        'many = [{index = "inner", marker = "x"}, {url = "https://x.invalid/many.zip"}]\n'
    )
    inventory = inventory_of({"pyproject.toml": project, "lib/lib.py": ""})
    assert pins(inventory) == {"inner==2": "runtime direct pyproject.toml:2"}
    assert open_(inventory) == {
        "pyproject.toml:2 fork": Reason(
            "from-version-control", {"system": "git", "address": "https://x.invalid/fork.git"}
        ),
        "pyproject.toml:2 many": Reason("from-address", {"address": "https://x.invalid/many.zip"}),
    }


@pytest.mark.parametrize(
    "text",
    ["", "[tool.ruff]\nline-length = 1\n", '[project]\nname = "x"\n', "[tool.poetry]\nname='x'\n"],
)
def test_a_file_without_dependencies_is_no_manifest(inventory_of, text):
    inventory = inventory_of({"pyproject.toml": text})
    assert inventory.manifests == ()
    assert not inventory.problems


def test_wrong_types_are_problems_and_the_rest_is_read(inventory_of, pins, problems):
    project = (
        '[project]\nname = 3\ndependencies = "web"\n'
        '[project.optional-dependencies]\na = ["x==1", 3, "=y"]\nb = {}\n'
        '[dependency-groups]\nc = [{other = "x"}, "z==1"]\n'
        "[tool.poetry]\ndependencies = []\n[tool.poetry.extras]\nd = 3\n"
        "[tool.uv]\nsources = 3\n"
    )
    inventory = inventory_of({"pyproject.toml": project})
    assert list(pins(inventory)) == ["x==1", "z==1"]
    assert problems(inventory) == {
        "pyproject.toml:3": Reason(
            "wrong-type", {"key": "dependencies", "error": "Expected `array`, got `str`"}
        ),
        "pyproject.toml:5": Reason("not-a-requirement", {"text": "=y"}),
        "pyproject.toml:6": Reason(
            "wrong-type", {"key": "b", "error": "Expected `array`, got `object`"}
        ),
        "pyproject.toml:8": Reason("not-a-requirement", {"text": "{'other': 'x'}"}),
        "pyproject.toml:10": Reason(
            "wrong-type", {"key": "dependencies", "error": "Expected `object`, got `array`"}
        ),
        "pyproject.toml:12": Reason(
            "wrong-type", {"key": "d", "error": "Expected `array`, got `int`"}
        ),
    }
    reasons = [problem.reason for problem in inventory.problems]
    assert Reason("not-a-requirement", {"text": "3"}) in reasons


def test_a_manifest_under_tests_is_for_development(inventory_of):
    inventory = inventory_of(
        {
            "tests/app/pyproject.toml": '[project]\ndependencies = ["a"]\n',
            "tests/old/pyproject.toml": '[tool.poetry.dependencies]\na = "1"\n',
        }
    )
    assert {one.scope.value for one in (*inventory.unpinned, *inventory.packages)} == {"dev"}


@pytest.mark.parametrize("path", ["requirements.txt", "requirements/base.txt"])
def test_requirements_beside_it_cover_it(inventory_of, pins, open_, path):
    project = '[project]\nname = "app"\ndependencies = [\n"web",\n"late",\n]\n'
    inventory = inventory_of({"pyproject.toml": project, path: "web==1\nbase==2\n"})
    assert pins(inventory) == {
        "base==2": f"runtime unknown {path}:2",
        "web==1": f"runtime direct pyproject.toml:4 {path}:1",
    }
    assert open_(inventory) == {"pyproject.toml:5 late": UNPINNED}


def test_files_that_setuptools_takes_dependencies_from_are_read(inventory_of, pins):
    project = (
        '[project]\nname = "app"\ndynamic = ["dependencies"]\ndependencies = []\n'
        '[tool.setuptools.dynamic]\ndependencies = {file = ["deps/needs.list", 3]}\n'
        'optional-dependencies.test = {file = "deps/missing.list"}\n'
    )
    inventory = inventory_of({"pyproject.toml": project, "deps/needs.list": "a==1\n"})
    assert pins(inventory) == {"a==1": "runtime unknown deps/needs.list:1"}


def test_dependencies_for_everyone_are_runtime_whatever_the_name_of_their_file(inventory_of, pins):
    project = (
        '[project]\nname = "app"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\n'
        'dependencies = {file = ["tests/needs.txt", "requirements-dev.txt"]}\n'
        'optional-dependencies.test = {file = "requirements-test.txt"}\n'
    )
    files = {"tests/needs.txt": "a==1\n", "requirements-dev.txt": "b==2\n"}
    files |= {"requirements-test.txt": "c==3\n", "pyproject.toml": project}
    scopes = {pin: place.split()[0] for pin, place in pins(inventory_of(files)).items()}
    assert scopes == {"a==1": "runtime", "b==2": "runtime", "c==3": "dev"}


def test_what_a_project_for_tests_needs_is_for_development(inventory_of, pins):
    project = '[tool.setuptools.dynamic]\ndependencies = {file = ["needs.txt"]}\n'
    inventory = inventory_of({"tests/pyproject.toml": project, "tests/needs.txt": "a==1\n"})
    assert [place.split()[0] for place in pins(inventory).values()] == ["dev"]
