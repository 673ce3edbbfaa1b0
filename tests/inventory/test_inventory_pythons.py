"""Requirements that no supported Python installs are no packages, and are told."""

import tomllib
from pathlib import Path

import pytest

from scanagg.inventory.pythons import OLDEST, can_hold

ROOT = Path(__file__).parents[2]
BACKPORT = "requirements.txt", 'enum34==1.1.6 ; python_version < "3.4"\n'


def test_the_oldest_python_is_that_of_scanagg() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={OLDEST}"


@pytest.mark.parametrize(
    ("marker", "supported", "holds"),
    [
        ("", ">=3.9", True),
        ("python_version < '3'", ">=3", False),
        ("python_version < '3.0'", ">=3", False),
        ("python_version <= '3'", ">=3", True),
        ("python_version == '2.7'", ">=3", False),
        ("python_version == '2.7'", ">=2.7", True),
        ("python_version in '2.6 2.7'", ">=3", False),
        ("python_version in '2.7, 3.9'", ">=3.9", True),
        ("python_version not in '2.7'", ">=3.9", True),
        ("'3' > python_version", ">=3.6", False),
        ("python_version < '3.8'", ">=3.8", False),
        ("python_version < '3.8'", ">=3.7.1", True),
        ("python_version < '3.9'", ">=3.8", True),
        ("python_full_version < '3.9.2'", ">=3.9.2", False),
        ("python_full_version < '3.9.2'", ">=3.9", True),
        ("python_full_version == '3.9.1'", ">=3.9", True),
        ("python_version ~= '3.6'", "==3.6.*", True),
        ("python_version == '3.6.*'", ">=3.7", False),
        ("python_version > '3.13'", ">=3.9", True),
        ("python_version >= '4'", ">=3.9", True),
        ("python_version < '3' and sys_platform == 'win32'", ">=3", False),
        ("python_version < '3' or sys_platform == 'win32'", ">=3", True),
        ("sys_platform == 'nowhere'", ">=3", True),
        ("extra == 'x' and (python_version < '3')", ">=3", False),
        ("platform_python_implementation == 'PyPy'", ">=3", True),
        # A Python of today counts, whatever the project says.
        ("python_version < '4'", ">=4", True),
        ("python_version < '3.13'", ">=3.13", True),
        ("python_version < '3.11'", ">=3.13", False),
        ("python_version < '3'", "", True),
        ("python_version < '3'", "wrong", True),
        ("not a marker", ">=3", True),
        (" and ".join(["python_version < '3'"] * 99), ">=3", True),
    ],
)
def test_what_a_marker_needs(marker: str, supported: str, holds: bool) -> None:
    assert can_hold(marker, (supported,)) is holds


@pytest.mark.parametrize(
    ("path", "statement", "is_gone"),
    [
        ("pyproject.toml", '[project]\nrequires-python = ">=3.8"', True),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.3"', False),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.8"', True),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^2.7 || ^3.6"', False),
        ("pyproject.toml", '[tool.flit.metadata]\nrequires-python = ">=3.8"', True),
        ("setup.cfg", "[options]\npython_requires = >=3.8", True),
        ("Pipfile", '[requires]\npython_version = "3.8"', True),
        ("a.py", '# /// script\n# requires-python = ">=3.8"\n# ///', False),
        ("a/pyproject.toml", '[project]\nrequires-python = ">=3.8"', False),
        ("readme.md", "", False),
    ],
)
def test_the_project_says_which_pythons_it_supports(inventory_of, path, statement, is_gone):
    inventory = inventory_of({path: statement, "requirements.txt": BACKPORT[1]})
    assert [one.name for one in inventory.packages] == ([] if is_gone else ["enum34"])
    assert [one.kind for one in inventory.notices] == (["no-python"] if is_gone else [])
    gone = ["pkg:pypi/enum34@1.1.6"] if is_gone else []
    assert [one.purl for one in inventory.impossible] == gone


@pytest.mark.parametrize(
    ("path", "content", "is_gone"),
    [
        ("a.py", "", True),
        ("setup.py", "classifiers=['Programming Language :: Python :: 3']", True),
        ("setup.py", "classifiers=['Programming Language :: Python :: 2.7']", False),
        ("Dockerfile", "FROM python:2.7-slim", False),
        ("Dockerfile", "FROM python:3.12", True),
        ("tox.ini", "[tox]\nenvlist = py27,py38", False),
        (".python-version", "2.7.18\n", False),
        ("runtime.txt", "python-2.7.18", False),
    ],
)
def test_without_a_statement_python_2_counts_if_a_file_mentions_it(
    inventory_of, path, content, is_gone
):
    files = {path: content, "requirements.txt": "futures==3.0 ; python_version < '3'"}
    assert [one.name for one in inventory_of(files).packages] == ([] if is_gone else ["futures"])


PYTHON = '[project]\nname = "app"\nrequires-python = ">=3.9"\n'
MARKERS = """markers = { main = "python_version < '3'", x = "python_version < '2'" }"""
ENTRY = '[[package]]\nname = "a"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("requirements.txt", 'a ; python_version < "3"'),
        ("requirements.txt", 'https://x.invalid/a-1.zip ; python_version < "3"'),
        ("requirements.txt", 'a @ https://x.invalid/a.zip ; python_version < "3"'),
        ("Pipfile", '[packages]\na = {version = "==1", markers = "python_version < \'3\'"}'),
        ("Pipfile", '[packages]\na = {version = "==1", python_version = "< \'3\'"}'),
        ("setup.cfg", "[options]\ninstall_requires =\n  a==1 ; python_version < '3'"),
        ("Dockerfile", "RUN pip install \"a==1 ; python_version < '3'\""),
        ("Pipfile.lock", '{"default":{"a":{"version":"==1","markers":"python_version<\'3\'"}}}'),
        ("poetry.lock", f"{ENTRY}markers = \"python_version < '3'\""),
        (
            "poetry.lock",
            f"{ENTRY}groups = ['main', 'x']\n{MARKERS}",
        ),
        ("pdm.lock", f"{ENTRY}marker = \"python_version < '3'\""),
        (
            "pylock.toml",
            f"{ENTRY}marker = \"python_version < '3'\"".replace("package", "packages"),
        ),
    ],
)
def test_every_manifest_is_read_without_them(inventory_of, path, content):
    inventory = inventory_of({"pyproject.toml": PYTHON, path: content})
    assert not inventory.packages
    assert not inventory.unpinned
    assert not inventory.unread
    assert [(one.kind, one.values["path"]) for one in inventory.notices] == [("no-python", path)]


@pytest.mark.parametrize("table", ['python = "<3"', "markers = \"python_version < '3'\""])
def test_tables_of_poetry(inventory_of, table):
    text = f'[tool.poetry.dependencies]\npython = "^3.9"\na = {{version = "1", {table}}}\nb = "2"\n'
    assert [one.name for one in inventory_of({"pyproject.toml": text}).packages] == ["b"]


def test_a_marker_for_some_groups_only_keeps_the_package(inventory_of):
    lock = f'{ENTRY}groups = ["main", "x"]\nmarkers = {{main = "python_version < \'3\'"}}'
    inventory = inventory_of({"pyproject.toml": PYTHON, "poetry.lock": lock})
    assert [one.name for one in inventory.packages] == ["a"]


def test_a_constraint_for_another_python_pins_nothing(inventory_of):
    files = {
        "pyproject.toml": PYTHON,
        "requirements.txt": "a\n-c limits\n",
        "limits": "a==1 ; python_version < '3'\na==2 ; python_version >= '3'\n",
    }
    assert [one.version for one in inventory_of(files).packages] == ["2"]
