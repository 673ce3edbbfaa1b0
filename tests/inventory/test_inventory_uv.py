"""uv.lock: its graph gives scopes, direct packages, and dependencies."""

from scanagg.model import Reason, Scope

REGISTRY = 'source = { registry = "https://index.invalid/simple" }'


def package(name: str, *needs: str, version: str = "1.0", more: str = "") -> str:
    edges = ", ".join(need if need.startswith("{") else f'{{ name = "{need}" }}' for need in needs)
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n{REGISTRY}\n'
        f"dependencies = [{edges}]\n{more}\n"
    )


ROOT = """[[package]]
name = "app"
version = "0.1"
source = { virtual = "." }
dependencies = [{ name = "http", extra = ["socks"] }, { name = "lib" }]

[package.optional-dependencies]
fast = [{ name = "speed" }]
test = [{ name = "checks" }]

[package.dev-dependencies]
dev = [{ name = "checks" }, { name = "both" }]
all = [{ name = "docgen" }]
docs = [{ name = "docgen" }]
server = [{ name = "daemon" }]

[package.metadata]
requires-dist = [{ name = "http", extras = ["socks"] }]

"""
LOCK = (
    'version = 1\nrequires-python = ">=3.11"\n\n'
    + ROOT
    + '[[package]]\nname = "lib"\nversion = "2"\nsource = { editable = "libs/lib" }\n'
    'dependencies = [{ name = "deep" }]\n\n'
    + package(
        "http", "base", more='[package.optional-dependencies]\nsocks = [{ name = "socksio" }]\n'
    )
    + package("base")
    + package("socksio", "both")
    + package("deep")
    + package("speed")
    + package("checks", "inner")
    + package("inner")
    + package("both")
    + package("docgen")
    + package("daemon")
    + package("stray")
)


def test_scope_and_directness_come_from_the_graph(inventory_of):
    found = {
        one.name: (one.scope.value, one.direct) for one in inventory_of({"uv.lock": LOCK}).packages
    }
    assert found == {
        "http": ("runtime", True),
        "base": ("runtime", False),
        "socksio": ("runtime", False),
        "deep": ("runtime", False),
        "speed": ("runtime", True),
        "checks": ("dev", True),
        "inner": ("dev", False),
        "both": ("runtime", True),
        "docgen": ("dev", True),
        "daemon": ("runtime", True),
        "stray": ("runtime", False),
    }


def test_places_are_the_name_lines_and_requires_are_kept(inventory_of):
    http = next(one for one in inventory_of({"uv.lock": LOCK}).packages if one.name == "http")
    (place,) = http.places
    assert LOCK.splitlines()[place.start_line - 1] == 'name = "http"'
    assert http.requires == ("base",)


def test_a_locked_declaration_is_a_place_and_not_open(inventory_of, pins, open_):
    project = (
        '[project]\nname = "app"\ndependencies = [\n  "http[socks]>=1",\n  "lib",\n  "late>=3",\n'
        "  \"nowhere; sys_platform == 'amiga'\",\n]\n"
        '[dependency-groups]\ndev = [{include-group = "docs"}, "checks"]\n'
    )
    inventory = inventory_of({"uv.lock": LOCK, "pyproject.toml": project, "libs/lib/a.py": ""})
    line = LOCK.splitlines().index('name = "http"') + 1
    assert pins(inventory)["http==1.0"] == f"runtime direct pyproject.toml:4 uv.lock:{line}"
    assert pins(inventory)["checks==1.0"].startswith("dev direct pyproject.toml:10 uv.lock:")
    assert open_(inventory) == {
        "pyproject.toml:6 late": Reason(
            "not-in-the-lock", {"lock": "uv.lock", "command": "uv lock"}
        )
    }


def test_members_of_a_workspace_are_roots_and_their_manifests_are_covered(
    inventory_of, pins, open_
):
    lock = (
        'version = 1\n[manifest]\nmembers = ["a", "docs-site"]\n\n'
        '[manifest.dependency-groups]\nlint = [{ name = "linter" }]\n'
        '[[package]]\nname = "a"\nversion = "1"\nsource = { editable = "packages/a" }\n'
        'dependencies = [{ name = "six" }]\n'
        '[[package]]\nname = "docs-site"\nversion = "1"\nsource = { virtual = "docs" }\n'
        'dependencies = [{ name = "docgen" }]\n'
        '[[package]]\nname = "helper"\nversion = "1"\nsource = { directory = "helper" }\n'
        'dependencies = [{ name = "deep" }]\n'
        + package("six", "helper")
        + package("docgen")
        + package("linter")
        + package("deep")
    )
    inventory = inventory_of(
        {
            "uv.lock": lock,
            "packages/a/pyproject.toml": '[project]\nname="a"\ndependencies=["six","gone"]\n',
            "docs/pyproject.toml": '[project]\nname="docs-site"\ndependencies=["docgen"]\n',
            "helper/pyproject.toml": (
                '[project]\nname="helper"\ndependencies=["deep"]\n'
                '[dependency-groups]\nextra=["unlocked"]'
            ),
        }
    )
    short = {name: " ".join(text.split()[:3]) for name, text in pins(inventory).items()}
    assert short == {
        "deep==1.0": "runtime direct helper/pyproject.toml:3",
        "docgen==1.0": "dev direct docs/pyproject.toml:3",
        "linter==1.0": "dev direct uv.lock:" + str(lock.split("\n").index('name = "linter"') + 1),
        "six==1.0": "runtime direct packages/a/pyproject.toml:3",
    }
    assert open_(inventory) == {
        "packages/a/pyproject.toml:3 gone": Reason(
            "not-in-the-lock", {"lock": "uv.lock", "command": "uv lock"}
        ),
        "helper/pyproject.toml:5 unlocked": Reason("no-exact-version"),
    }


def test_a_local_project_is_root_where_no_folder_is_the_lock_s_own(inventory_of, pins):
    lock = (
        'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = { editable = "a" }\n'
        'dependencies = [{ name = "six" }]\n' + package("six") + package("other")
    )
    inventory = inventory_of({"uv.lock": lock, "a/a.py": ""})
    assert {name: text.split()[1] for name, text in pins(inventory).items()} == {
        "six==1.0": "direct",
        "other==1.0": "transitive",
    }


def test_the_lock_of_a_script_has_its_requirements_as_roots(inventory_of, pins):
    lock = (
        'version = 1\n[manifest]\nrequirements = [{ name = "six" }]\n'
        + package("six", "deep")
        + package("deep")
    )
    found = pins(inventory_of({"tool.py.lock": lock, "pyproject.toml": '[project]\nname="x"\n'}))
    assert {name: text.split()[:2] for name, text in found.items()} == {
        "six==1.0": ["runtime", "direct"],
        "deep==1.0": ["runtime", "transitive"],
    }


def test_without_roots_direct_is_unknown(inventory_of):
    (one,) = inventory_of({"uv.lock": package("six")}).packages
    assert one.direct is None
    assert one.scope is Scope.RUNTIME


def test_two_versions_of_one_package_are_two_packages(inventory_of, pins):
    lock = package("np", version="1.0") + package("np", version="2.0")
    inventory = inventory_of({"uv.lock": lock, "pyproject.toml": '[project]\ndependencies=["np"]'})
    assert pins(inventory) == {
        "np==1.0": "runtime direct pyproject.toml:2 uv.lock:2",
        "np==2.0": "runtime direct pyproject.toml:2 uv.lock:8",
    }


def test_a_broken_entry_is_a_problem_and_the_rest_is_read(inventory_of, pins, problems):
    lock = (
        '[[package]]\nname = "no-version"\nsource = { registry = "x" }\n'
        "[[package]]\nname = 1\n"
        '[[package]]\nname = "a\\nb"\nversion = "1"\n'
        '[[package]]\nname = "c"\nversion = "1\\n-r /etc/passwd"\n'
        '[[package]]\nname = "d"\nversion = "2004d"\n'
    )
    inventory = inventory_of({"uv.lock": lock})
    assert pins(inventory) == {"d==2004d": "runtime unknown uv.lock:13"}
    assert problems(inventory) == {
        "uv.lock:2": Reason("missing-version", {"package": "no-version"}),
        "uv.lock:4": Reason(
            "wrong-type", {"key": "package", "error": "Expected `str`, got `int` - at `$.name`"}
        ),
        "uv.lock:7": Reason("bad-package-name", {"name": "a\\nb"}),
        "uv.lock:10": Reason("bad-version", {"version": "1\\n-r /etc/passwd"}),
    }


def test_a_lock_under_docs_is_for_development(inventory_of):
    (one,) = inventory_of({"docs/uv.lock": package("six")}).packages
    assert one.scope is Scope.DEV


CONFLICTS = (
    """[[package]]
name = "app"
version = "0.1"
source = { virtual = "." }
dependencies = [
    { name = "np", version = "1.0", marker = "python_full_version < '3.9'" },
    { name = "np", version = "2.0", marker = "python_full_version >= '3.9'" },
]

[package.optional-dependencies]
Cpu = [{ name = "torch", version = "2.5" }]
gpu = [{ name = "torch", version = "2.5+cu" }]

[package.dev-dependencies]
old = [{ name = "web", version = "1.0" }]
test = [{ name = "web", version = "2.0", extra = ["x"] }]

"""
    + package("np")
    + package("np", version="2.0")
    + package("torch", version="2.5")
    + package("torch", version="2.5+cu")
    + package("web", "{ name = 'base', version = '1.0' }")
    + package("web", "{ name = 'base', version = '2.0' }", version="2.0").replace(
        "\n\n", "\n[package.optional-dependencies]\nx = [{ name = 'extra' }]\n\n"
    )
    + package("base")
    + package("base", version="2.0")
    + package("extra")
)


def test_scope_and_lines_follow_the_versions_of_conflicting_extras_and_groups(inventory_of):
    project = (
        '[project]\nname = "app"\ndependencies = [\n"np<2 ; sys_platform == \'x\'",\n"np>=1",\n]\n'
        '[project.optional-dependencies]\ncpu = ["torch>=2"]\ngpu = ["torch>=2"]\n'
        '[dependency-groups]\nold = ["web"]\ntest = ["web[x]"]\n'
    )
    inventory = inventory_of({"uv.lock": CONFLICTS, "pyproject.toml": project})
    assert {
        f"{one.name}=={one.version}": (
            one.scope.value,
            one.direct,
            " > ".join(one.chain),
            [place.start_line for place in one.asked],
        )
        for one in inventory.packages
    } == {
        "np==1.0": ("runtime", True, "np", [4, 5]),
        "np==2.0": ("runtime", True, "np", [5]),
        "torch==2.5": ("runtime", True, "torch", [8]),
        "torch==2.5+cu": ("runtime", True, "torch", [9]),
        "web==1.0": ("runtime", True, "web", [11]),
        "web==2.0": ("dev", True, "web", [12]),
        "base==1.0": ("runtime", False, "web > base", [11]),
        "base==2.0": ("dev", False, "web > base", [12]),
        "extra==1.0": ("dev", False, "web > extra", [12]),
    }
    lines = {
        (one.name, one.version): {
            place.start_line for place in one.places if place.path == "pyproject.toml"
        }
        for one in inventory.packages
    }
    assert lines["torch", "2.5"] == {8}
    assert lines["web", "2.0"] == {12}
    optional = {(one.name, one.version) for one in inventory.uses if not one.optional}
    assert optional == {("np", "1.0"), ("np", "2.0")}


def test_members_of_a_workspace_ask_for_their_own_versions(inventory_of, pins):
    members = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ editable = "{name}" }}\n'
        f'dependencies = [{{ name = "web", version = "{version}" }}]\n'
        for name, version in (("a", "1.0"), ("b", "2.0"))
    )
    lock = (
        f'[manifest]\nmembers = ["a", "b"]\n{members}'
        + package("web")
        + package("web", version="2.0")
    )
    project = '[project]\nname = "%s"\ndependencies = ["web"]\n'
    inventory = inventory_of(
        {
            "uv.lock": lock,
            "a/pyproject.toml": project % "a",
            "b/pyproject.toml": project % "b",
        }
    )
    assert {pin: text.split()[2] for pin, text in pins(inventory).items()} == {
        "web==1.0": "a/pyproject.toml:3",
        "web==2.0": "b/pyproject.toml:3",
    }
