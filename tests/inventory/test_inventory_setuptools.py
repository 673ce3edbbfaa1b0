"""setup.cfg is read; setup.py is named where nothing else tells what it would."""

import pytest

IN_CODE = (
    "its dependencies are in code, which is not run; declare them in pyproject.toml and lock them"
)
SETUP = "from setuptools import setup\n\nsetup(name='x', install_requires=open('r').read())\n"


def test_setup_cfg_is_read(inventory_of, pins, problems):
    text = (
        "[metadata]\nname = x\n[options]\ninstall_requires =\n    web>=1 # why\n    # no\n"
        "    exact==1.0\n    = broken\n    file: more.txt\ntests_require = t1; t2\n"
        "[options.extras_require]\nfast = speed\ndocs =\n    docgen; python_version>'3'\n"
    )
    inventory = inventory_of({"setup.cfg": text})
    assert pins(inventory) == {"exact==1.0": "runtime direct setup.cfg:7"}
    assert {(one.name, one.place.start_line, one.scope.value) for one in inventory.unpinned} == {
        ("web", 5, "runtime"),
        ("t1", None, "dev"),
        ("t2", None, "dev"),
        ("speed", 12, "runtime"),
        ("docgen", 14, "dev"),
    }
    assert problems(inventory) == {"setup.cfg:8": "not a requirement: '= broken'"}


def test_a_setup_cfg_without_requirements_is_no_manifest(inventory_of):
    assert inventory_of({"setup.cfg": "[flake8]\nmax-line-length = 1\n"}).manifests == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [("a = 1\n", "setup.cfg:1"), ("[a]\nb\n  c\n!\n", "setup.cfg:2"), ("[a\n", "setup.cfg:1")],
)
def test_a_broken_setup_cfg_is_named(inventory_of, problems, text, where):
    assert problems(inventory_of({"setup.cfg": text})) == {where: "not a valid setup.cfg"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SETUP, 3),
        ("import setuptools\nsetuptools.setup(extras_require={})\n", 2),
        ("from setuptools import setup\nsetup(**read())\n", 2),
        ("print 'python 2'\nsetup(install_requires=[])\n", 1),
        ("(" * 5000 + "install_requires", 1),
    ],
)
def test_a_setup_py_alone_is_named(inventory_of, problems, text, line):
    inventory = inventory_of({"lib/setup.py": text})
    assert problems(inventory) == {f"lib/setup.py:{line}": IN_CODE}
    assert inventory.manifests == ("lib/setup.py",)


@pytest.mark.parametrize(
    "text",
    [
        "from setuptools import setup\nsetup()\n",
        "install_requires = 'a word'\ncall()(install_requires=1)\n",
        "def f(:\n",
    ],
)
def test_a_setup_py_that_lists_nothing_is_not(inventory_of, problems, text):
    assert problems(inventory_of({"setup.py": text})) == {}


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "a==1\n"},
        {"requirements/base.txt": "a==1\n"},
        {"setup.cfg": "[options]\ninstall_requires = a\n"},
        {"pyproject.toml": '[project]\ndependencies = ["a"]\n'},
        {"Pipfile": '[packages]\na = "*"\n'},
    ],
)
def test_a_setup_py_beside_a_manifest_is_not_named(inventory_of, problems, files):
    assert problems(inventory_of({"setup.py": SETUP, **files})) == {}


def test_a_setup_py_beside_other_manifests_only_is_named(inventory_of, problems):
    files = {"pyproject.toml": "[build-system]\nrequires = []\n", "docs/requirements.txt": "a==1"}
    assert problems(inventory_of({"setup.py": SETUP, **files})) == {"setup.py:3": IN_CODE}


def test_a_setup_py_that_is_no_text_is_named(inventory_of, problems):
    assert problems(inventory_of({"setup.py": b"\n\xff"})) == {"setup.py:2": "not UTF-8"}
