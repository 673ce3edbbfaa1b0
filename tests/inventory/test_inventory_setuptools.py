"""setup.cfg is read; setup.py is named where nothing else tells what it would."""

import pytest

IN_CODE = (
    "its dependencies are in code, which is not run; declare them in pyproject.toml and lock them"
)
ALONE = "in code only, which is not run; declare it in pyproject.toml and lock it"
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
        ("import setuptools\nsetuptools.setup(extras_require={k: 'a' for k in 'bc'})\n", 2),
        ("from setuptools import setup\nsetup(install_requires=['a'])\n", 2),
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
        "import setuptools\nsetuptools.setup(install_requires=None, extras_require={'a': []})\n",
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
        {"tests/setup.py": SETUP, "requirements.txt": "a==1\n", "tests/dev.in": "a==1\n"}
        | {"tests/requirements.txt": "a==1\n"},
    ],
)
def test_a_setup_py_beside_a_manifest_is_not_named(inventory_of, problems, files):
    assert problems(inventory_of({"setup.py": SETUP, **files})) == {}


def test_a_setup_py_beside_other_manifests_only_is_named(inventory_of, problems):
    files = {"pyproject.toml": "[build-system]\nrequires = []\n", "docs/requirements.txt": "a==1"}
    assert problems(inventory_of({"setup.py": SETUP, **files})) == {"setup.py:3": IN_CODE}


def test_a_setup_py_that_is_no_text_is_named(inventory_of, problems):
    assert problems(inventory_of({"setup.py": b"\n\xff"})) == {"setup.py:2": "not UTF-8"}


def test_a_setup_py_that_is_no_text_is_not_named_beside_a_manifest(inventory_of, problems):
    assert not problems(inventory_of({"setup.py": b"\n\xff", "requirements.txt": "a==1\n"}))


@pytest.mark.parametrize("text", [SETUP, "from setuptools import setup\nsetup(**made())\n"])
@pytest.mark.parametrize(
    "files",
    [
        {"dev-requirements.txt": "a==1\n"},
        {"requirements/test.txt": "a==1\n"},
        {"pyproject.toml": '[dependency-groups]\ndev = ["a==1"]\n'},
        {"setup.cfg": "[options]\ntests_require = a\n"},
        {"Pipfile": '[dev-packages]\na = "*"\n'},
    ],
)
def test_what_is_for_development_only_never_stands_for_a_setup_py(
    inventory_of, problems, files, text
):
    line = text.count("\n")
    assert problems(inventory_of({"setup.py": text, **files}))[f"setup.py:{line}"] == IN_CODE


@pytest.mark.parametrize(
    ("given", "alone"),
    [
        ("install_requires=['foo==1.0', 'Web>2']", "foo"),
        ("install_requires='foo\\nweb # why\\n\\n'", "foo"),
        ("install_requires=['web', *('foo', 'dev')] + ['bar[x]'] + list1", "bar, baz, dev and 1"),
        ("install_requires=('web; python_version>\\'3\\'',)", ""),
        ("tests_require=['web', 'dev', 'foo']", "foo"),
        ("extras_require={'test': ['dev'], 'fast': ['web']}", ""),
        ("extras_require={'fast': ['dev', 'foo'], ':os_name==\\'nt\\'': ['web']}", "dev, foo"),
        ("extras_require={'all': ['mine[fast]', 'web']}", ""),
        ("extras_require=extras", "foo"),
        ("install_requires=looped", ""),
        ("install_requires=f'{a}' + ['foo'] * 2 + [read('x'), unknown, '-r x']", ""),
        ("install_requires=changed, extras_require={**extras, name: []}", "foo"),
    ],
)
def test_what_stands_in_the_code_alone_is_named(inventory_of, problems, given, alone):
    text = (
        "from setuptools import setup\nlist1 = ['baz']\nextras = {'x': ['foo']}\n"
        "looped = looped + ['web']\nchanged = ['foo']\nchanged.append('a')\n"
        f"setup(name='mine', {given})\n"
    )
    files = {"requirements.txt": "web==1.0\n", "dev-requirements.txt": "dev==1\n"}
    found = problems(inventory_of({"setup.py": text, **files}))
    assert {name: reason.removesuffix(f": {ALONE}") for name, reason in found.items()} == (
        {"setup.py:7": alone + (" more" if alone[-1:].isdigit() else "")} if alone else {}
    )


def test_a_variable_that_something_else_may_change_is_not_the_whole_list(inventory_of, problems):
    lists = "wanted = ['dev']\n"
    call = "setup(extras_require={'dev': wanted})\n"
    files = {"dev-requirements.txt": "dev==1\n"}
    assert not problems(inventory_of({"setup.py": f"{lists}{call}", **files}))
    for change in (
        "wanted += x",
        "del wanted[0]",
        "def f(wanted): pass",
        "wanted = y",
        "g(wanted)",
    ):
        text = f"{lists}{change}\n{call.replace('extras_require', 'install_requires=wanted, k')}"
        assert problems(inventory_of({"setup.py": text, **files})) == {"setup.py:3": IN_CODE}


def test_files_that_setup_cfg_names_are_read(inventory_of, pins):
    text = (
        "[options]\ninstall_requires = file: base.list, more.list\n"
        "[options.extras_require]\nfast =\n    file: fast.list\n    speed==1\n"
    )
    files = {"base.list": "a==1\n", "more.list": "b==1\n", "fast.list": "c==1\n", "x.list": "!"}
    inventory = inventory_of({"setup.cfg": text, **files})
    assert list(pins(inventory)) == ["a==1", "b==1", "c==1", "speed==1"]
    only = "[options]\ninstall_requires = file: base.list\n"
    assert list(pins(inventory_of({"setup.cfg": only, "base.list": "z==1\n"}))) == ["z==1"]
