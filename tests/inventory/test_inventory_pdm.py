"""pdm.lock: groups give the scope; entries with extras are the same package."""

import pytest

from scanagg.model import Scope


def entry(name: str, more: str = "") -> str:
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\n{more}\n'


@pytest.mark.parametrize(
    ("groups", "scope"),
    [
        ('["default", "test"]', Scope.RUNTIME),
        ('["test", "lint"]', Scope.DEV),
        ('["socks"]', Scope.RUNTIME),
        ('["all"]', Scope.RUNTIME),
    ],
)
def test_groups_give_the_scope(inventory_of, groups, scope):
    (one,) = inventory_of({"pdm.lock": entry("a", f"groups = {groups}")}).packages
    assert one.scope is scope
    assert one.direct is None


def test_the_manifest_decides_on_a_group_before_its_name(inventory_of, pins):
    project = (
        '[project]\nname = "app"\ndependencies = ["web"]\n'
        '[project.optional-dependencies]\nall = ["app[socks]", "extra-one"]\n'
        '[tool.pdm.dev-dependencies]\nworkflow = ["release-it", "-e file:///${PROJECT_ROOT}/lib"]\n'
        '[dependency-groups]\nall-checks = ["checks"]\n'
    )
    lock = (
        entry("web", 'groups = ["default"]')
        + entry("release-it", 'groups = ["workflow"]')
        + entry("extra-one", 'groups = ["all"]')
        + entry("lib", 'groups = ["workflow"]\npath = "./lib"\neditable = true')
    )
    inventory = inventory_of({"pdm.lock": lock, "pyproject.toml": project, "lib/lib.py": ""})
    assert {name: text.split()[0] for name, text in pins(inventory).items()} == {
        "web==1.0": "runtime",
        "release-it==1.0": "dev",
        "extra-one==1.0": "runtime",
    }
    assert [one.name for one in inventory.unpinned] == ["checks"]


def test_without_groups_the_graph_gives_the_scope(inventory_of):
    project = '[project]\ndependencies = ["web[Socks]"]\n[dependency-groups]\ntest = ["checks"]\n'
    lock = (
        entry("web", 'dependencies = ["base>=1", "file:///nowhere", "base2 @ https://x.invalid/b"]')
        + entry("web", 'extras = ["socks"]\ndependencies = ["web==1.0", "socksio"]')
        + entry("base")
        + entry("base2")
        + entry("socksio")
        + entry("checks", "dependencies = [\"inner; python_version < '4'\"]")
        + entry("inner")
    )
    inventory = inventory_of({"pdm.lock": lock, "pyproject.toml": project})
    found = {one.name: (one.scope.value, one.direct, one.requires) for one in inventory.packages}
    assert found == {
        "web": ("runtime", True, ("base", "base2", "socksio")),
        "base": ("runtime", False, ()),
        "base2": ("runtime", False, ()),
        "socksio": ("runtime", False, ()),
        "checks": ("dev", True, ("inner",)),
        "inner": ("dev", False, ()),
    }
