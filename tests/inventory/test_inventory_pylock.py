"""pylock.toml: the groups and extras in markers give the scope."""

import pytest

from scanagg.inventory.locks import marker_scope
from scanagg.model import Reason, Scope

DEV, RUNTIME = Scope.DEV, Scope.RUNTIME


@pytest.mark.parametrize(
    ("marker", "scope"),
    [
        ("", RUNTIME),
        ("python_version < '3.9'", RUNTIME),
        ("'dev' in dependency_groups", DEV),
        ('"dev" in dependency_groups', DEV),
        ("'test' in extras", DEV),
        ("'socks' in extras", RUNTIME),
        ("'default' in dependency_groups", RUNTIME),
        ("'dev' in dependency_groups or 'default' in dependency_groups", RUNTIME),
        ("('dev' in dependency_groups) and (python_version >= '3.9')", DEV),
        ("python_version >= '3.9' and 'dev' in dependency_groups", DEV),
        ("python_version < '3.9' or 'dev' in dependency_groups", RUNTIME),
        ("'a' in extras and 'dev' in dependency_groups or 'docs' in extras", DEV),
        ("'a' in extras or 'dev' in dependency_groups and 'docs' in extras", RUNTIME),
        ("('a' in extras or 'dev' in dependency_groups) and 'docs' in extras", DEV),
        ("'dev' not in dependency_groups", RUNTIME),
        ("'all' in dependency_groups", DEV),
        ("'all' in extras", RUNTIME),
        ("'linux' in sys_platform", RUNTIME),
        ("and or ) ( ' in", RUNTIME),
        ("or 'dev' in dependency_groups", RUNTIME),
        ("(('dev' in dependency_groups))", DEV),
        ("(" * 50_000 + "'dev' in dependency_groups" + ")" * 50_000, RUNTIME),
        ("a" * 500_000, RUNTIME),
        ("'" + "a " * 500_000, RUNTIME),
    ],
)
def test_markers_give_the_scope(marker, scope):
    assert marker_scope(marker, {}) is scope


LOCK = """lock-version = "1.0"
[[packages]]
name = "Web"
version = "1.0"
dependencies = [{name = "base"}, {name = "gone"}]
[[packages]]
name = "base"
version = "2.0"
marker = "'test' in extras"
[[packages]]
name = "app"
directory = {path = ".", editable = true}
[[packages]]
name = "fork"
vcs = {type = "git", url = "https://x.invalid/fork.git", commit-id = "0"}
[[packages]]
name = "archive"
version = "1"
archive = {url = "https://x.invalid/a.zip"}
"""


def test_packages_and_what_is_from_no_index(inventory_of, pins, open_):
    project = '[project]\nname = "app"\ndependencies = ["web", "fork", "not-there"]\n'
    inventory = inventory_of({"pylock.toml": LOCK, "pyproject.toml": project})
    assert pins(inventory) == {
        "archive==1": "runtime transitive pylock.toml:17",
        "base==2.0": "dev transitive pylock.toml:7",
        "web==1.0": "runtime direct pylock.toml:3 pyproject.toml:3",
    }
    assert inventory.packages[2].requires == ("base",)
    assert open_(inventory) == {
        "pylock.toml:14 fork": Reason(
            "from-version-control", {"system": "git", "address": "https://x.invalid/fork.git"}
        ),
        "pyproject.toml:3 not-there": Reason("no-exact-version"),
    }


@pytest.mark.parametrize(
    ("name", "scope"), [("pylock.dev.toml", DEV), ("pylock.web.toml", RUNTIME)]
)
def test_the_name_of_a_lock_gives_the_scope(inventory_of, name, scope):
    lock = '[[packages]]\nname = "a"\nversion = "1"\n'
    assert [one.scope for one in inventory_of({name: lock}).packages] == [scope]


def test_other_names_are_no_locks(inventory_of):
    lock = '[[packages]]\nname = "a"\nversion = "1"\n'
    assert inventory_of({"pylock.a.b.toml": lock, "my.pylock.toml": lock}).manifests == ()
