"""Pipfile and Pipfile.lock: categories give the scope, the Pipfile what is direct."""

import json

from scanagg.model import Reason

LOCK = {
    "_meta": {"hash": {"sha256": "0"}, "pipfile-spec": 6},
    "default": {
        "Web": {"version": "==1.0", "markers": "python_version >= '3'", "extras": ["x"]},
        "base": {"version": "==2.0"},
        "mine": {"editable": True, "path": "."},
        "fork": {"git": "https://x.invalid/fork.git", "ref": "0"},
        "wheel-file": {"file": "https://x.invalid/w.whl"},
        "any": {"version": "*"},
    },
    "develop": {"checks": {"version": "==3.0"}, "base": {"version": "==2.0"}},
    "docs": {"docgen": {"version": "==4.0"}},
    "worker": {"queue": {"version": "==5.0"}},
}
PIPFILE = """[[source]]
name = "x"
[packages]
web = {version = "*", extras = ["x"]}
exact = "==7.0"
mine = {path = ".", editable = true}
fork = {git = "https://x.invalid/fork.git"}
[dev-packages]
checks = "*"
late = "~=1.0"
odd = 3
[requires]
python_version = "3.11"
"""


def test_categories_give_scope_and_the_pipfile_what_is_direct(inventory_of, pins, open_, problems):
    text = json.dumps(LOCK, indent=1)
    inventory = inventory_of({"Pipfile.lock": text, "Pipfile": PIPFILE})
    lines = {
        line.split('"')[1]: at for at, line in enumerate(text.split("\n"), 1) if '": {' in line
    }
    base = [at for at, line in enumerate(text.split("\n"), 1) if '"base"' in line]
    assert pins(inventory) == {
        "base==2.0": f"runtime transitive Pipfile.lock:{base[0]} Pipfile.lock:{base[1]}",
        "checks==3.0": f"dev direct Pipfile:9 Pipfile.lock:{lines['checks']}",
        "docgen==4.0": f"dev transitive Pipfile.lock:{lines['docgen']}",
        "exact==7.0": "runtime direct Pipfile:5",
        "queue==5.0": f"runtime transitive Pipfile.lock:{lines['queue']}",
        "web==1.0": f"runtime direct Pipfile:4 Pipfile.lock:{lines['Web']}",
    }
    assert open_(inventory) == {
        f"Pipfile.lock:{lines['fork']} fork": Reason(
            "from-version-control", {"system": "git", "address": "https://x.invalid/fork.git"}
        ),
        f"Pipfile.lock:{lines['wheel-file']} wheel-file": Reason(
            "from-address", {"address": "https://x.invalid/w.whl"}
        ),
        "Pipfile:10 late": Reason(
            "not-in-the-lock", {"lock": "Pipfile.lock", "command": "pipenv lock"}
        ),
    }
    assert problems(inventory) == {
        f"Pipfile.lock:{lines['any']}": Reason("missing-version", {"package": "any"}),
        "Pipfile:11": Reason("not-a-version-or-table", {"package": "odd"}),
    }


def test_a_pipfile_alone_is_open(inventory_of, pins, open_):
    inventory = inventory_of({"Pipfile": PIPFILE})
    assert pins(inventory) == {"exact==7.0": "runtime direct Pipfile:5"}
    assert list(open_(inventory)) == [
        "Pipfile:4 web",
        "Pipfile:7 fork",
        "Pipfile:9 checks",
        "Pipfile:10 late",
    ]


def test_without_a_manifest_direct_is_unknown(inventory_of):
    text = json.dumps({"default": {"a": {"version": "==1"}}, "_meta": {}})
    (one,) = inventory_of({"Pipfile.lock": text}).packages
    assert one.direct is None


def test_wrong_types_are_problems_and_the_rest_is_read(inventory_of, pins, problems):
    text = (
        '{\n"default": [],\n"develop": {\n"a": "1",\n"b": {"version": 2},\n'
        '"c": {"version": "==3"}}}'
    )
    inventory = inventory_of({"Pipfile.lock": text})
    assert list(pins(inventory)) == ["c==3"]
    assert problems(inventory) == {
        "Pipfile.lock:2": Reason(
            "wrong-type", {"key": "default", "error": "Expected `object`, got `array`"}
        ),
        "Pipfile.lock:4": Reason(
            "wrong-type", {"key": "a", "error": "Expected `object`, got `str`"}
        ),
        "Pipfile.lock:5": Reason(
            "wrong-type", {"key": "b", "error": "Expected `str | null`, got `int` - at `$.version`"}
        ),
    }
