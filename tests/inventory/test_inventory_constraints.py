"""The versions that manifests and locks allow. A mere pin is not a constraint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scanagg.inventory import read_inventory
from scanagg.model import Inventory


@pytest.fixture
def allowed() -> Callable[[Inventory], list[str]]:
    """The constraints as `by: name specifier (text) path:line`; the project itself is by "."."""

    def short(inventory: Inventory) -> list[str]:
        return [
            f"{one.by or '.'}: {one.name} {one.specifier} ({one.text})"
            + (f" {one.place.path}:{one.place.start_line}" if one.place else "")
            for one in inventory.constraints
        ]

    return short


def test_every_table_of_a_pyproject(inventory_of, allowed):
    text = (
        '[project]\nname = "app"\ndependencies = [\n'
        '  "Web[x]>=1,<2; python_version < \'4\'",\n  "pinned==1.0",\n  "any",\n'
        '  "app[fast]",\n  "at @ https://x.invalid/at.zip",\n  "((",\n]\n'
        '[project.optional-dependencies]\nfast = ["speed~=1.0"]\n'
        '[dependency-groups]\ndev = ["checks!=3"]\n'
        '[tool.pdm.dev-dependencies]\nold = ["older<4"]\n'
    )
    assert allowed(inventory_of({"pyproject.toml": text})) == [
        ".: any  (any) pyproject.toml:6",
        ".: checks !=3 (checks!=3) pyproject.toml:14",
        ".: older <4 (older<4) pyproject.toml:16",
        ".: pinned ==1.0 (pinned==1.0) pyproject.toml:5",
        ".: speed ~=1.0 (speed~=1.0) pyproject.toml:12",
        ".: web <2,>=1 (Web[x]>=1,<2; python_version < '4') pyproject.toml:4",
    ]


def test_poetry_s_and_pipenv_s_tables(inventory_of, allowed):
    poetry = (
        '[tool.poetry.dependencies]\npython = "^3.9"\na = "^1.2"\nb = "~1.2"\nc = "1.2.*"\n'
        'd = "*"\ne = ">=1,<2 || >=3"\nf = "1.2"\ng = {git = "https://x.invalid/g"}\n'
        'h = [{version = "<2", python = "<3.12"}, {version = ">=2", python = ">=3.12"}]\n'
        'i = "latest"\nj = {optional = true}\nk = {version = 3}\n'
    )
    pipfile = '[packages]\na = "==1.3"\nb = {version = "~=1.2", markers = "x"}\nc = "*"\n'
    found = allowed(inventory_of({"pyproject.toml": poetry, "sub/Pipfile": pipfile}))
    assert found == [
        ".: a <2,>=1.2 (a ^1.2) pyproject.toml:3",
        ".: a ==1.3 (a ==1.3) sub/Pipfile:2",
        ".: b <1.3,>=1.2 (b ~1.2) pyproject.toml:4",
        ".: b ~=1.2 (b ~=1.2) sub/Pipfile:3",
        ".: c ==1.2.* (c 1.2.*) pyproject.toml:5",
        ".: c  (c) sub/Pipfile:4",
        ".: d  (d) pyproject.toml:6",
        ".: e >=1 (e >=1,<2 || >=3) pyproject.toml:7",
        ".: f ==1.2 (f 1.2) pyproject.toml:8",
        ".: h <2 (h <2) pyproject.toml:10",
        ".: h >=2 (h >=2) pyproject.toml:10",
        ".: j  (j) pyproject.toml:12",
    ]


def test_setup_cfg(inventory_of, allowed):
    text = "[options]\ninstall_requires =\n  web>=1\n[options.extras_require]\nx = fast==2\n"
    assert allowed(inventory_of({"setup.cfg": text})) == [
        ".: fast ==2 (fast==2) setup.cfg:5",
        ".: web >=1 (web>=1) setup.cfg:3",
    ]


def test_constraints_for_resolvers_apply_to_all_packages(inventory_of, allowed):
    text = (
        '[tool.uv]\nconstraint-dependencies = ["a<2", "(("]\noverride-dependencies = ["b==1"]\n'
        '[tool.pdm.resolution.overrides]\nc = "1.0"\nd = "<2"\n"e f" = "1"\ng = "file:///x"\n'
        "h = 3\n"
    )
    assert allowed(inventory_of({"pyproject.toml": text})) == [
        ".: a <2 (a<2) pyproject.toml:2",
        ".: b ==1 (b==1) pyproject.toml:3",
        ".: c ==1.0 (c 1.0) pyproject.toml:5",
        ".: d <2 (d <2) pyproject.toml:6",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'uv.constraint-dependencies = "a<2"\npdm.resolution.overrides = ["a"]',
        "uv.override-dependencies = [3]\npdm.resolution = 3",
    ],
)
def test_broken_constraints_for_resolvers_are_ignored(inventory_of, allowed, problems, text):
    inventory = inventory_of({"pyproject.toml": f"[tool]\n{text}\n"})
    assert not allowed(inventory)
    assert not problems(inventory)


def test_pins_are_constraints_in_an_in_file_only(inventory_of, allowed):
    files = {
        "requirements.txt": "web>=1\npinned==1.0\nvia==1\n  # via web\nwild==1.*\n-c limits.txt\n",
        "limits.txt": "deep<3\npinned2==1.0\n",
        "other/requirements.in": "web<9\npinned==2.0\n-c caps.txt\n",
        "other/caps.txt": "click==8.1\n",
        "not/constraints.txt": "unused<1\n",
    }
    assert allowed(inventory_of(files)) == [
        ".: click ==8.1 (click==8.1) other/caps.txt:1",
        ".: deep <3 (deep<3) limits.txt:1",
        ".: pinned ==2.0 (pinned==2.0) other/requirements.in:2",
        ".: web <9 (web<9) other/requirements.in:1",
        ".: web >=1 (web>=1) requirements.txt:1",
        ".: wild ==1.* (wild==1.*) requirements.txt:5",
    ]


def test_constraints_of_packages_in_poetry_lock(inventory_of, allowed):
    lock = (
        '[[package]]\nname = "Web"\nversion = "1"\n[package.dependencies]\nBase = ">=1,<2"\n'
        'np = [{version = ">=1", markers = "python_version < \'3\'"}, {version = ">=2"}]\n'
        'asked = {version = "<3", optional = true}\nunasked = {version = "<4", optional = true}\n'
        'at = {git = "https://x.invalid/at"}\nodd = "latest"\ngone = ">=9"\n'
        '[package.extras]\nsocks = ["asked (<3)"]\nrare = ["unasked (<4)"]\n'
        + "".join(
            f'[[package]]\nname = "{name}"\nversion = "1"\n'
            for name in ("base", "np", "asked", "unasked", "at", "odd")
        )
    )
    project = '[tool.poetry.dependencies]\nweb = {version = "*", extras = ["socks"]}\n'
    assert allowed(inventory_of({"poetry.lock": lock, "pyproject.toml": project})) == [
        "web: asked <3 (asked <3)",
        "web: base <2,>=1 (Base >=1,<2)",
        "web: np >=1 (np >=1 ; python_version < '3')",
        "web: np >=2 (np >=2)",
        ".: web  (web) pyproject.toml:2",
    ]


def test_constraints_of_packages_in_pdm_lock(inventory_of, allowed):
    text = "urllib3<1.27,>=1.21.1; python_version > '3'"
    lock = (
        f'[[package]]\nname = "web"\nversion = "1"\ndependencies = ["{text}", "gone>1"]\n'
        '[[package]]\nname = "web"\nversion = "1"\nextras = ["x"]\n'
        'dependencies = ["web==1", "base @ https://x.invalid/base.zip", "(("]\n'
        '[[package]]\nname = "urllib3"\nversion = "1.26"\n'
        '[[package]]\nname = "base"\nversion = "1"\n'
    )
    assert allowed(inventory_of({"pdm.lock": lock})) == [f"web: urllib3 <1.27,>=1.21.1 ({text})"]


UV = """[manifest]
constraints = [{ name = "urllib3", specifier = "<2.4" }]
overrides = [{ name = "werkzeug", specifier = "==3.0.3" }]

[[package]]
name = "app"
version = "0.1"
source = { virtual = "." }
[package.metadata]
requires-dist = [
  { name = "web", extras = ["x"], specifier = ">=1" },
  { name = "any", marker = "extra == 'x'" },
  { name = "at", git = "https://x.invalid/at" },
  { name = "lib", editable = "lib" },
]
[package.metadata.requires-dev]
dev = [{ name = "checks", specifier = "<9" }]
"""


def test_constraints_of_the_project_in_uv_lock(inventory_of, allowed):
    assert allowed(inventory_of({"uv.lock": UV})) == [
        ".: any  (any * ; extra == 'x') uv.lock:12",
        ".: checks <9 (checks <9) uv.lock:17",
        ".: urllib3 <2.4 (urllib3 <2.4) uv.lock:2",
        ".: web >=1 (web >=1) uv.lock:11",
        ".: werkzeug ==3.0.3 (werkzeug ==3.0.3) uv.lock:3",
    ]


def test_the_manifest_is_read_in_place_of_its_copy_in_uv_lock(inventory_of, allowed):
    files = {"uv.lock": UV, "pyproject.toml": '[project]\nname = "app"\ndependencies = ["web"]\n'}
    assert allowed(inventory_of(files)) == [".: web  (web) pyproject.toml:3"]


def test_constraints_of_a_script_in_its_lock(inventory_of, allowed):
    lock = (
        '[manifest]\nrequirements = [{ name = "web", specifier = "<3" }]\n'
        'constraints = [{ name = "base", specifier = "<4" }]\n'
    )
    files = {"tool.py.lock": lock, "pyproject.toml": '[project]\nname = "x"\ndependencies = []\n'}
    assert allowed(inventory_of(files)) == [
        ".: base <4 (base <4) tool.py.lock:3",
        ".: web <3 (web <3) tool.py.lock:2",
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        'requires-dist = [{ name = "web", specifier = "latest" }, { name = 3 }, 4]',
        'requires-dist = "web"\nrequires-dev = ["web"]',
        'requires-dev = { dev = "web", test = [{ specifier = "<1" }] }',
    ],
)
def test_broken_metadata_in_uv_lock_costs_no_package(inventory_of, allowed, problems, metadata):
    lock = (
        '[[package]]\nname = "app"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "web" }]\n[package.metadata]\n'
        + metadata
        + '\n[[package]]\nname = "web"\nversion = "1"\nsource = { registry = "x" }\n'
    )
    inventory = inventory_of({"uv.lock": lock})
    assert [one.name for one in inventory.packages] == ["web"]
    assert not allowed(inventory)
    assert not problems(inventory)


def install(folder: Path, name: str, *needs: str) -> None:
    """Put a package's metadata into a site-packages folder, as pip leaves it."""
    made = folder / f"{name}-1.dist-info"
    made.mkdir(parents=True)
    lines = [f"Name: {name}", "Version: 1", *(f"Requires-Dist: {need}" for need in needs)]
    (made / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")


@pytest.fixture
def environment(tmp_path) -> Path:
    """A folder laid out as an environment, with a few packages that need each other."""
    place = tmp_path / "env"
    site = place / "lib" / "python3.11" / "site-packages"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").write_text("")
    (place / "pyvenv.cfg").write_text("version = 3.11.1\n")
    needs = ("Base<2", "asked<3; extra == 'x'", "unasked<4; extra == 'y'", "gone<5", "web[x]")
    install(site, "web", *needs, "base @ https://x.invalid/base.zip", "((")
    for name in ("base", "asked", "unasked"):
        install(site, name)
    return place


def test_constraints_of_installed_packages(make_project, read_target, allowed, environment):
    root = make_project({"requirements.txt": "web[x]\n"}, git_=False)
    inventory = read_inventory(read_target(root), environment)
    assert allowed(inventory) == [
        "web: asked <3 (asked<3; extra == 'x')",
        "web: base <2 (Base<2)",
        ".: web  (web[x]) requirements.txt:1",
    ]
    assert {one.name: (one.direct, one.chain) for one in inventory.packages} == {
        "asked": (False, ("web", "asked")),
        "base": (False, ("web", "base")),
        "unasked": (False, ()),
        "web": (True, ("web",)),
    }
    (asked,) = next(one for one in inventory.packages if one.name == "base").asked
    assert (asked.path, asked.start_line) == ("requirements.txt", 1)


def test_a_flat_list_and_an_environment(make_project, read_target, environment):
    root = make_project({"requirements.txt": "web==1\nbase==1\n"}, git_=False)
    inventory = read_inventory(read_target(root), environment)
    found = {one.name: (one.direct, one.chain) for one in inventory.packages}
    assert found["web"] == (None, ()), "a person or a program may have listed it"
    assert found["base"][0] is None
    assert found["unasked"] == (False, ())


def test_comments_of_a_compiler_and_an_environment(make_project, read_target, environment):
    text = "web==1\n    # via -r requirements.in\n"
    files = {"requirements.txt": text, "requirements.in": "\nweb\n"}
    inventory = read_inventory(read_target(make_project(files, git_=False)), environment)
    (base,) = (one for one in inventory.packages if one.name == "base")
    assert base.chain == ("web", "base")
    assert [(place.path, place.start_line) for place in base.asked] == [("requirements.in", 2)]


def test_a_constraint_of_a_lock_and_of_an_environment_is_one(
    make_project, read_target, allowed, environment
):
    lock = (
        '[[package]]\nname = "web"\nversion = "1"\n[package.dependencies]\nbase = "<2"\n'
        '[[package]]\nname = "base"\nversion = "1"\n'
    )
    root = make_project({"poetry.lock": lock}, git_=False)
    assert allowed(read_inventory(read_target(root), environment)) == ["web: base <2 (base <2)"]


def test_text_of_a_manifest_is_shown_on_one_short_line(inventory_of):
    lock = (
        '[[package]]\nname = "web"\nversion = "1"\n[package.dependencies]\n'
        'base = {version = "<2", markers = "a\\n\\u001b[31m https://me:word@x.invalid '
        + "x" * 9999
        + '"}\n[[package]]\nname = "base"\nversion = "1"\n'
    )
    (one,) = inventory_of({"poetry.lock": lock}).constraints
    assert len(one.text) <= 200
    assert "\n" not in one.text
    assert "word" not in one.text
