"""The way to each package, and the lines that request it, from all kinds of manifests."""

import json
from collections.abc import Callable
from itertools import pairwise

import pytest

from scanagg.model import Inventory, Reason


@pytest.fixture
def reached() -> Callable[[Inventory], dict[str, str]]:
    """The packages as `name`: `its > chain @ path:line ...`."""

    def short(inventory: Inventory) -> dict[str, str]:
        return {
            one.name: " > ".join(one.chain)
            + "".join(f" @ {place.path}:{place.start_line}" for place in one.asked)
            for one in inventory.packages
        }

    return short


def entries(*packages: str, table: str = "package") -> str:
    """TOML entries of `name: more` each."""
    made = ""
    for text in packages:
        name, _, more = text.partition(":")
        made += f'[[{table}]]\nname = "{name}"\nversion = "1.0"\n{more}\n'
    return made


PROJECT = """[project]
name = "app"
dependencies = [
  "web[socks]>=1",
  "tool",
]
[dependency-groups]
test = ["checks", "tool"]
"""


def test_uv_lock(inventory_of, reached):
    index = 'source = { registry = "https://index.invalid" }\n'
    lock = entries(
        'app:source = { virtual = "." }\n'
        'dependencies = [{ name = "web", extra = ["socks"] }, { name = "tool" }]\n'
        '[package.dev-dependencies]\ntest = [{ name = "checks" }]'
    ) + entries(
        f'web:{index}dependencies = [{{ name = "base" }}]\n'
        '[package.optional-dependencies]\nsocks = [{ name = "socksio" }]\n',
        f'tool:{index}dependencies = [{{ name = "deep" }}]',
        f'base:{index}dependencies = [{{ name = "deep" }}, {{ name = "deeper" }}]',
        f"socksio:{index}",
        f"deep:{index}",
        f"deeper:{index}",
        f'checks:{index}dependencies = [{{ name = "base" }}, {{ name = "inner" }}]',
        f"inner:{index}",
        f"stray:{index}",
    )
    assert reached(inventory_of({"uv.lock": lock, "pyproject.toml": PROJECT})) == {
        "base": "web > base @ pyproject.toml:4",
        "checks": "checks @ pyproject.toml:8",
        "deep": "tool > deep @ pyproject.toml:5 @ pyproject.toml:8",
        "deeper": "web > base > deeper @ pyproject.toml:4",
        "inner": "checks > inner @ pyproject.toml:8",
        "socksio": "web > socksio @ pyproject.toml:4",
        "stray": "",
        "tool": "tool @ pyproject.toml:5 @ pyproject.toml:8",
        "web": "web @ pyproject.toml:4",
    }


def test_the_lock_of_a_script_knows_the_extras_it_asks_for(inventory_of, reached):
    lock = '[manifest]\nrequirements = [{ name = "web", extras = ["socks"] }]\n' + entries(
        'web:[package.optional-dependencies]\nsocks = [{ name = "socksio" }]', "socksio:"
    )
    assert reached(inventory_of({"tool.py.lock": lock})) == {
        "socksio": "web > socksio",
        "web": "web",
    }


def test_poetry_lock(inventory_of, reached):
    project = (
        '[tool.poetry.dependencies]\nweb = {version = "^1", extras = ["socks"]}\n'
        '[tool.poetry.group.dev.dependencies]\nchecks = "*"\n'
    )
    lock = entries(
        'web:[package.dependencies]\nbase = "*"\nsocksio = {version = "*", optional = true}\n'
        'other = {version = "*", optional = true}\n[package.extras]\nsocks = ["socksio"]\n',
        'base:[package.dependencies]\nweb = "*"\n',
        "socksio:",
        "other:",
        'checks:[package.dependencies]\ninner = "*"\nbase = "*"\n',
        "inner:",
    )
    assert reached(inventory_of({"poetry.lock": lock, "pyproject.toml": project})) == {
        "base": "web > base @ pyproject.toml:2",
        "checks": "checks @ pyproject.toml:4",
        "inner": "checks > inner @ pyproject.toml:4",
        "other": "",
        "socksio": "web > socksio @ pyproject.toml:2",
        "web": "web @ pyproject.toml:2",
    }


def test_pdm_lock(inventory_of, reached):
    lock = entries(
        "web:dependencies = [\"base>=1; python_version > '3'\"]",
        'web:extras = ["socks"]\ndependencies = ["web==1.0", "socksio"]',
        "base:",
        "socksio:",
        'checks:dependencies = ["base"]',
    )
    assert reached(inventory_of({"pdm.lock": lock, "pyproject.toml": PROJECT})) == {
        "base": "web > base @ pyproject.toml:4",
        "checks": "checks @ pyproject.toml:8",
        "socksio": "web > socksio @ pyproject.toml:4",
        "web": "web @ pyproject.toml:4",
    }


def test_a_pylock_has_a_graph_if_it_has_dependencies(inventory_of, reached):
    lock = entries(
        'web:dependencies = [{ name = "base" }]', "base:", "alone:", "tool:", table="packages"
    )
    assert reached(inventory_of({"pylock.toml": lock, "pyproject.toml": PROJECT})) == {
        "alone": "",
        "base": "web > base @ pyproject.toml:4",
        "tool": "tool @ pyproject.toml:5 @ pyproject.toml:8",
        "web": "web @ pyproject.toml:4",
    }


def test_a_pipfile_s_lock_has_no_graph(inventory_of, reached):
    lock = '{"default": {"web": {"version": "==1"}, "base": {"version": "==1"}}}'
    pipfile = '[packages]\nweb = "*"\n'
    assert reached(inventory_of({"Pipfile.lock": lock, "Pipfile": pipfile})) == {
        "base": "",
        "web": "web @ Pipfile:2",
    }


@pytest.mark.parametrize(
    "lock", [entries("a:", 'b:[package.dependencies]\na = "*"'), entries('b:dependencies = ["a"]')]
)
@pytest.mark.parametrize("name", ["poetry.lock", "pdm.lock"])
def test_without_a_manifest_there_are_no_ways(inventory_of, reached, name, lock):
    lock = lock.replace('dependencies = ["a"]', "") if name == "poetry.lock" else lock
    assert set(reached(inventory_of({name: lock})).values()) == {""}


COMPILED = """\
base==1.0
    # via
    #   -c constraints.txt
    #   web
web[socks]==1.0
    # via -r requirements.in
socksio==1.0
    # via web
loop==1.0
    # via pool
pool==1.0
    # via loop
"""


def test_comments_of_pip_compile_are_the_graph(inventory_of, reached):
    files = {"requirements.in": "# ours\nweb[socks]\n", "requirements.txt": COMPILED}
    assert reached(inventory_of(files)) == {
        "base": "web > base @ requirements.in:2",
        "loop": "",
        "pool": "",
        "socksio": "web > socksio @ requirements.in:2",
        "web": "web @ requirements.in:2",
    }


@pytest.mark.parametrize("via", ["-r ../web.list", "-r web.list"])
def test_a_comment_s_path_is_from_the_file_or_from_the_top(inventory_of, reached, via):
    files = {
        "deploy/requirements.txt": f"web==1.0\n    # via {via}\nbase==1.0\n    # via web\n",
        "web.list": "web\n",
        "requirements.txt": "-r web.list\n",
    }
    assert reached(inventory_of(files))["base"] == "web > base @ web.list:1"


@pytest.mark.parametrize("via", ["app (sub/pyproject.toml)", "app"])
def test_a_comment_that_names_the_project_means_its_manifest(inventory_of, reached, via):
    files = {
        "docs/requirements.txt": f"web==1.0\n    # via {via}\nbase==1.0\n    # via web\n",
        "sub/pyproject.toml": PROJECT,
    }
    inventory = inventory_of(files)
    assert reached(inventory) == {
        "base": "web > base @ sub/pyproject.toml:4",
        "web": "web @ sub/pyproject.toml:4",
    }
    assert "web" in {one.name for one in inventory.unpinned}, "it is only locked for the docs"


def test_old_compilers_do_not_list_the_project(inventory_of, reached):
    text = "web==1.0\nbase==1.0  # via web, other\nother==1.0  # via web\nlone==1.0\n"
    assert reached(inventory_of({"requirements.txt": text})) == {
        "base": "web > base",
        "lone": "",
        "other": "web > other",
        "web": "web",
    }


def test_a_flat_file_has_no_graph(inventory_of, reached):
    inventory = inventory_of({"requirements.txt": "web==1.0\nbase==1.0\n"})
    assert reached(inventory) == {"base": "", "web": ""}
    assert {one.direct for one in inventory.packages} == {None}


def test_a_pin_that_people_wrote_is_a_request(inventory_of, reached):
    files = {
        "pyproject.toml": '[project]\nname = "app"\ndependencies = ["web==1.0"]\n',
        "setup.cfg": "[options]\ninstall_requires =\n  web==2.0\n",
        "requirements.in": "web==3.0\n",
        "Pipfile": '[packages]\nweb = "==4.0"\n',
    }
    found = {one.version: one for one in inventory_of(files).packages}
    assert {
        version: [f"{place.path}:{place.start_line}" for place in one.asked]
        for version, one in found.items()
    } == {
        "1.0": ["pyproject.toml:3"],
        "2.0": ["setup.cfg:3"],
        "3.0": ["requirements.in:1"],
        "4.0": ["Pipfile:2"],
    }
    assert {one.chain for one in found.values()} == {("web",)}


@pytest.mark.parametrize(
    "files",
    [
        {
            "poetry.lock": entries("web:"),
            "pyproject.toml": '[tool.poetry.dependencies]\nweb = "2.0"\n',
        },
        {
            "Pipfile.lock": '{"default": {"web": {"version": "==1.0"}}}',
            "Pipfile": '[packages]\nweb = "==2.0"\n',
        },
    ],
)
def test_a_version_that_the_manifest_does_not_ask_for_is_direct_but_not_asked_for(
    inventory_of, files
):
    found = {one.version: one for one in inventory_of(files).packages}
    assert (found["1.0"].direct, found["1.0"].chain, found["1.0"].asked) == (True, ("web",), ())
    assert [place.start_line for place in found["2.0"].asked] == [2]


def test_two_versions_of_a_direct_package_are_asked_for_by_the_lines_that_allow_them(inventory_of):
    project = (
        '[tool.poetry.dependencies]\nweb = [\n  {version = "^1", python = "<3.12"},\n'
        '  {version = "^2", python = ">=3.12"},\n]\n'
    )
    lock = entries("web:") + entries("web:").replace("1.0", "2.0")
    one, two = inventory_of({"poetry.lock": lock, "pyproject.toml": project}).packages
    assert [place.start_line for place in one.asked] == [3]
    assert [place.start_line for place in two.asked] == [4]
    any_version = '[tool.poetry.dependencies]\nweb = "*"\n'
    one, two = inventory_of({"poetry.lock": lock, "pyproject.toml": any_version}).packages
    assert [place.start_line for place in (*one.asked, *two.asked)] == [2, 2]


def test_of_several_locks_the_runtime_way_counts_then_the_shortest(inventory_of, reached):
    def lock(*names: str) -> str:
        return entries(
            *(f'{name}:dependencies = ["{then}"]' for name, then in pairwise(names)),
            f"{names[-1]}:",
        )

    def project(name: str) -> str:
        return f'[project]\nname = "app"\ndependencies = ["{name}"]\n'

    files = {
        "docs/pdm.lock": lock("short", "x"),
        "docs/pyproject.toml": project("short"),
        "one/pdm.lock": lock("first", "second", "x"),
        "one/pyproject.toml": project("first"),
        "two/pdm.lock": lock("third", "x"),
        "two/pyproject.toml": project("third"),
        "six/pdm.lock": lock("third", "x"),
        "six/pyproject.toml": project("third"),
    }
    few = {name: text for name, text in files.items() if name[:3] not in ("two", "six")}
    assert reached(inventory_of(few))["x"] == "first > second > x @ one/pyproject.toml:3"
    both = "third > x @ six/pyproject.toml:3 @ two/pyproject.toml:3"
    assert reached(inventory_of(files))["x"] == both


def test_a_direct_package_is_its_own_way_whatever_else_needs_it(inventory_of, reached):
    project = (
        '[project]\nname = "app"\ndependencies = ["web"]\n[dependency-groups]\ntest = ["base"]\n'
    )
    lock = entries('web:dependencies = ["base"]', "base:")
    found = reached(inventory_of({"pdm.lock": lock, "pyproject.toml": project}))
    assert found["base"] == "base @ pyproject.toml:5"


def test_the_way_goes_through_a_folder_without_its_manifest(inventory_of, reached):
    lock = entries(
        'app:source = { virtual = "." }\ndependencies = [{ name = "lib" }]',
        'lib:source = { editable = "lib" }\ndependencies = [{ name = "deep" }]',
        'deep:source = { registry = "x" }',
    )
    project = '[project]\nname = "app"\ndependencies = [\n"lib"]\n'
    own = '[tool.uv.sources]\nlib = { path = "lib" }\n'
    files = {"uv.lock": lock, "pyproject.toml": project + own, "lib/lib.py": ""}
    assert reached(inventory_of(files)) == {"deep": "lib > deep @ pyproject.toml:4"}
    files["lib/pyproject.toml"] = '[project]\nname = "lib"\ndependencies = ["deep"]\n'
    assert reached(inventory_of(files)) == {"deep": "deep @ lib/pyproject.toml:3"}


@pytest.mark.parametrize(
    ("lock", "text"),
    [
        (
            "poetry.lock",
            entries('web:groups = ["main"]\n[package.dependencies]\ndeep = "1.0"', "deep:")
            + entries(
                'web:groups = ["server"]\n[package.dependencies]\n'
                'deep = [{version = ">1", extras = ["x"]}, {version = "<1", optional = true}]',
                "deep:",
            ).replace('"1.0"', '"2.0"'),
        ),
        (
            "pdm.lock",
            entries('web:groups = ["default"]\ndependencies = ["deep==1.0"]', "deep:")
            + entries('web:groups = ["server"]\ndependencies = ["deep[x]>1"]', "deep:").replace(
                '"1.0"', '"2.0"'
            ),
        ),
        (
            "pylock.toml",
            (
                entries('web:dependencies = [{name = "deep", version = "1.0"}]', "deep:")
                + entries(
                    "web:marker = \"'Server' in dependency_groups or 'x' not in extras\"\n"
                    'dependencies = [{name = "deep", version = "1.0"}]',
                    "deep:",
                ).replace('"1.0"', '"2.0"')
            ).replace("[[package]]", "[[packages]]"),
        ),
    ],
)
def test_lines_follow_the_locked_versions_of_groups(inventory_of, lock, text):
    project = (
        '[project]\nname = "app"\ndependencies = [\n  "web>=1",\n]\n'
        '[dependency-groups]\nserver = ["web>1"]\n'
    )
    inventory = inventory_of({lock: text, "pyproject.toml": project})
    assert {
        f"{one.name}=={one.version}": [place.start_line for place in one.asked]
        for one in inventory.packages
    } == {"deep==1.0": [4], "deep==2.0": [7], "web==1.0": [4], "web==2.0": [7]}


def test_categories_of_pipenv_have_their_own_versions(inventory_of):
    pipfile = '[packages]\nweb = "*"\n[dev-packages]\nweb = "*"\n[docs]\nweb = "*"\n'
    lock = {
        "default": {"web": {"version": "==1.0"}},
        "develop": {"web": {"version": "==2.0"}},
        "docs": {"web": {"version": "==3.0"}},
    }
    inventory = inventory_of({"Pipfile": pipfile, "Pipfile.lock": json.dumps(lock)})
    assert [
        (one.version, one.scope.value, [place.start_line for place in one.asked])
        for one in inventory.packages
    ] == [("1.0", "runtime", [2]), ("2.0", "dev", [4]), ("3.0", "dev", [6])]


_INSTALLED = "outdated-list-installed"
EXPORTED = {
    "pyproject.toml": '[project]\nname = "app"\ndependencies = ["web", "late"]\n',
    "poetry.lock": entries("web:", "same:"),
    "requirements.txt": "web==0.9\n    # via app (pyproject.toml)\nsame==1\nlate==3\n",
}


def test_an_old_export_beside_a_lock_is_audited_but_answers_for_no_other_manifest(inventory_of):
    inventory = inventory_of(EXPORTED)
    assert {
        f"{one.name}=={one.version}": [f"{place.path}:{place.start_line}" for place in one.places]
        for one in inventory.packages
    } == {
        "late==3": ["pyproject.toml:3", "requirements.txt:4"],
        "same==1": ["poetry.lock:6", "requirements.txt:3"],
        "web==0.9": ["requirements.txt:1"],
        "web==1.0": ["poetry.lock:2", "pyproject.toml:3"],
    }
    asked = {one.version: [place.path for place in one.asked] for one in inventory.packages}
    assert asked["0.9"] == []
    assert asked["1.0"] == ["pyproject.toml"]
    assert not inventory.unpinned
    assert inventory.notices == (
        Reason(
            "outdated-list",
            {
                "path": "requirements.txt",
                "lock": "poetry.lock",
                "number": 1,
                "packages": ("web 0.9 instead of 1.0",),
            },
        ),
    )


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"Dockerfile": "RUN pip install -r requirements.txt"}, [_INSTALLED]),
        ({"requirements.txt": "web==1.0.0\nsame==1\nother==1\n"}, []),
        ({"requirements.txt": "web==0.9\nWeb==1.0 ; sys_platform == 'x'\n"}, []),
        ({"requirements.txt": "web>=0.9\n"}, []),
        ({"requirements.txt": "", "requirements/prod.txt": "web==0.9\n"}, ["outdated-list"]),
        ({"requirements.txt": "", "docs/requirements.txt": "web==0.9\n"}, []),
        ({"poetry.lock": "", "uv.lock": entries("web:")}, ["outdated-list"]),
        (
            {"poetry.lock": "", "Pipfile.lock": '{"default": {"web": {"version": "==1.0"}}}'},
            ["outdated-list"],
        ),
        ({"poetry.lock": "", "requirements.in": "web"}, []),
        ({"requirements.txt": "", "setup.cfg": "[options]\ninstall_requires = web==0.9"}, []),
    ],
)
def test_a_list_that_differs_from_the_lock_of_its_project_is_told(inventory_of, files, told):
    assert [one.kind for one in inventory_of({**EXPORTED, **files}).notices] == told
