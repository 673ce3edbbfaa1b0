"""setup.cfg is read, and so are plain lists in setup.py, which is never run."""

import pytest

from scanagg.model import Reason

IN_CODE = Reason("setup-py")


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
    assert problems(inventory) == {"setup.cfg:8": Reason("not-a-requirement", {"text": "= broken"})}


def test_a_setup_cfg_without_requirements_is_no_manifest(inventory_of):
    assert inventory_of({"setup.cfg": "[flake8]\nmax-line-length = 1\n"}).manifests == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [("a = 1\n", "setup.cfg:1"), ("[a]\nb\n  c\n!\n", "setup.cfg:2"), ("[a\n", "setup.cfg:1")],
)
def test_a_broken_setup_cfg_is_a_problem(inventory_of, problems, text, where):
    assert problems(inventory_of({"setup.cfg": text})) == {
        where: Reason("bad-ini", {"name": "setup.cfg"})
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"from setuptools import setup\n\nsetup(name='x', install_requires=read())\n", 3),
        (b"import setuptools\nsetuptools.setup(extras_require={k: 'a' for k in 'bc'})\n", 2),
        (b"from setuptools import setup\nneeds = dict(tests_require=['a'])\n", 2),
        (b"from setuptools import setup\nsetup(\n    name=read('x'),\n    **more)\n", 2),
        (b"print 'python 2'\nsetup(install_requires=[])\n", 2),
        (b"# coding: latin-1\n# \xe9\nsetup(install_requires=['a'] + more)\n", 3),
        (b"needs = ['a']\nneeds.append('b')\nsetup(install_requires=needs)\n", 3),
        (b"needs = ['a']\nneeds = ['b']\nsetup(install_requires=needs)\n", 3),
        (b"if x:\n    needs = ['a']\nsetup(install_requires=needs)\n", 3),
        (b"setup(extras_require={'x': ['a'], **more})\n", 1),
        (b"setup(extras_require={'x': ['a', f'b']})\n", 1),
        (b"more = {}\nmore['install_requires'] = ['a']\nrun(more)\n", 2),
        (b"#" * (1 << 20) + b"\nsetup(install_requires=['a'])\n", 2),
        (b"(" * 5000 + b"install_requires", 1),
    ],
)
def test_a_setup_py_that_passes_requirements_is_a_problem(inventory_of, problems, text, line):
    inventory = inventory_of({"lib/setup.py": text, "lib/requirements.txt": "a==1\n"})
    assert problems(inventory) == {f"lib/setup.py:{line}": IN_CODE}
    assert inventory.manifests == ("lib/requirements.txt", "lib/setup.py")


def test_plain_lists_in_a_setup_py_are_read(inventory_of, pins, open_, problems):
    text = (
        "import setuptools\n"
        "NEEDS = [\n    'a==1',\n    'b>=2',  # why\n]\n"
        "setuptools.setup(\n    name='Own_Code',\n    install_requires=NEEDS,\n"
        "    tests_require='c==3\\n\\n# no\\nd==4',\n"
        "    extras_require={'fast': ('e==5', 'own-code[x]'), ':os_name==\"nt\"': ['f==6']},\n"
        "    python_requires='\\d',\n)\n"
    )
    inventory = inventory_of({"lib/setup.py": text})
    assert not problems(inventory)
    assert pins(inventory) == {
        "a==1": "runtime direct lib/setup.py:3",
        "c==3": "dev direct lib/setup.py:9",
        "d==4": "dev direct lib/setup.py:9",
        "e==5": "runtime direct lib/setup.py:10",
        "f==6": "runtime direct lib/setup.py:10",
    }
    assert "lib/setup.py:4 b" in open_(inventory)


def test_pins_beside_a_setup_py_answer_it(inventory_of, open_):
    files = {"setup.py": "setup(install_requires=['a>=1'])\n", "requirements.txt": "a==1.5\n"}
    assert not open_(inventory_of(files))


@pytest.mark.parametrize(
    "text",
    [
        "from setuptools import setup\nsetup()\n",
        "def f(**more):\n    setup(name='x')\n",
        "setup_requires = my_install_requires\n",
        "def f(:\n",
    ],
)
def test_a_setup_py_that_passes_none_is_not(inventory_of, problems, text):
    inventory = inventory_of({"setup.py": text})
    assert not problems(inventory)
    assert inventory.manifests == ()


def test_a_large_setup_py_costs_no_time(inventory_of, problems):
    assert not problems(inventory_of({"setup.py": "setup(" * 500_000}))


def test_a_setup_py_beside_a_lock_does_not_stand_for_its_manifest(inventory_of):
    lock = (
        '[[package]]\nname = "app"\nversion = "1"\nsource = { virtual = "." }\n'
        '[package.metadata]\nrequires-dist = [{ name = "web", specifier = "<2" }]\n'
    )
    inventory = inventory_of({"uv.lock": lock, "setup.py": "setup(install_requires=['web'])\n"})
    assert "<2" in [one.specifier for one in inventory.constraints]


def test_files_that_setup_cfg_names_are_read(inventory_of, pins):
    text = (
        "[options]\ninstall_requires = file: base.pdf, constraints.pdf\n"
        "[options.extras_require]\nfast =\n    file: fast-constraints\n    speed==1\n"
    )
    files = {
        "base.pdf": "a==1\n",
        "constraints.pdf": "b==1\n",
        "fast-constraints": "c==1\n",
        "x.pdf": "!",
    }
    inventory = inventory_of({"setup.cfg": text, **files})
    assert list(pins(inventory)) == ["a==1", "b==1", "c==1", "speed==1"]
    only = "[options]\ninstall_requires = file: base.pdf\n"
    assert list(pins(inventory_of({"setup.cfg": only, "base.pdf": "z==1\n"}))) == ["z==1"]
