"""A symbolic link with a manifest's name is that manifest, or a problem; never nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scanagg.inventory import read_inventory
from scanagg.model import Inventory, Reason, Target

DANGLING = Reason("dangling-link")
NO_FILE = Reason("link-to-no-file-of-the-project")


def reasons(inventory: Inventory) -> dict[str, Reason]:
    return {problem.input: problem.reason for problem in inventory.problems}


Linked = Callable[..., Inventory]


@pytest.fixture
def linked(make_project: Callable[..., Path], read_target: Callable[[Path], Target]) -> Linked:
    """The inventory of a project with symbolic links, by their ends."""

    def make(files: Mapping[str, str], links: Mapping[str, str], *, git: bool = False) -> Inventory:
        root = make_project(files, git_=git)
        for path, end in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(end)
        return read_inventory(read_target(root))

    return make


@pytest.mark.parametrize("git", [True, False])
def test_a_link_is_read_as_the_manifest_that_it_is_named_as(linked, pins, git):
    files = {"real/base.txt": "\nfoo==1.0\nbar\n", "dev-requirements.txt": "baz==1.0\n"}
    inventory = linked(files, {"requirements.txt": "real/base.txt"}, git=git)
    assert pins(inventory) == {
        "baz==1.0": "dev unknown dev-requirements.txt:1",
        "foo==1.0": "runtime unknown real/base.txt:2",
    }
    assert [one.place.path for one in inventory.unpinned] == ["real/base.txt"]
    assert inventory.manifests == ("dev-requirements.txt", "real/base.txt")
    assert inventory.problems == ()


def test_a_link_of_a_link_leads_to_its_end(linked, pins):
    links = {"requirements.txt": "a/more", "a/more": "../b/last", "b/last": "../base"}
    assert pins(linked({"base": "foo==1.0\n"}, links)) == {"foo==1.0": "runtime unknown base:1"}


def test_a_lock_is_known_by_the_name_of_the_link(linked, pins):
    lock = '[[package]]\nname = "foo"\nversion = "1.0"\n'
    files = {"locks/prod": lock, "pyproject.toml": '[tool.poetry.dependencies]\nfoo = "^1"\n'}
    inventory = linked(files, {"poetry.lock": "locks/prod"})
    assert pins(inventory) == {"foo==1.0": "runtime direct locks/prod:2 pyproject.toml:2"}
    assert not inventory.unpinned


def test_an_end_that_is_a_manifest_itself_is_read_once(linked, pins):
    files = {"dev/requirements.txt": "foo==1.0\n!\n"}
    inventory = linked(files, {"requirements.txt": "dev/requirements.txt"})
    assert pins(inventory) == {"foo==1.0": "runtime unknown dev/requirements.txt:1"}
    assert [one.input for one in inventory.problems] == ["dev/requirements.txt:2"]
    assert inventory.manifests == ("dev/requirements.txt",)


def test_the_lock_of_a_link_is_the_lock_of_its_file(linked):
    files = {"real/requirements.in": "foo\n", "requirements.txt": "foo==1.0\n"}
    inventory = linked(files, {"requirements.in": "real/requirements.in"})
    (foo,) = inventory.packages
    assert [place.path for place in foo.places] == ["real/requirements.in", "requirements.txt"]
    assert [place.path for place in foo.asked] == ["real/requirements.in"]
    assert not inventory.unpinned


def test_a_comment_of_a_compiler_may_name_a_link(linked):
    files = {
        "real/wanted.in": "foo>=1\n",
        "requirements/main.txt": "foo==1.0\n    # via -r requirements/wanted.in\n",
    }
    (foo,) = linked(files, {"requirements/wanted.in": "../real/wanted.in"}).packages
    assert [place.path for place in foo.asked] == ["real/wanted.in"]


@pytest.mark.parametrize("near", ["more.list", "real/more.list"])
def test_an_include_is_beside_the_link_or_beside_its_file(linked, pins, near):
    files = {"real/base.txt": "-r more.list\n-c limits\n", near: "foo==1.0\n"}
    links = {"requirements.txt": "real/base.txt", "limits": "limits.txt"}
    inventory = linked({**files, "limits.txt": "foo<2\nbar==3\n"}, links)
    assert pins(inventory) == {
        "bar==3": "runtime unknown limits.txt:2",
        "foo==1.0": f"runtime unknown {near}:1",
    }
    assert {one.place.path for one in inventory.constraints if one.place} == {"limits.txt"}
    assert not inventory.problems


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("../outside.txt", Reason("link-outside-the-tree")),
        ("nowhere.txt", DANGLING),
        ("requirements.txt", DANGLING),
        ("ignored.txt", NO_FILE),
    ],
)
def test_a_link_that_is_not_followed_is_a_problem(linked, tmp_path, end, reason):
    (tmp_path / "outside.txt").write_text("evil==1.0\n")
    files = {"ignored.txt": "evil==1.0\n", ".gitignore": "ignored.txt\n", "poetry.toml": ""}
    inventory = linked(files, {"requirements.txt": end, "a.py": end, "poetry.lock": end})
    assert reasons(inventory) == {"requirements.txt": reason, "poetry.lock": reason}
    assert not inventory.packages


def test_a_setup_py_that_is_a_link_is_looked_at(linked):
    files = {"real/code.py": "from setuptools import setup\nsetup(install_requires=a)\n"}
    links = {"setup.py": "real/code.py", "lib/setup.py": "/nowhere/setup.py"}
    problems = reasons(linked(files, links))
    assert problems.keys() == {"real/code.py:2", "lib/setup.py"}
    assert problems["lib/setup.py"] == DANGLING


def test_a_folder_of_requirements_may_be_a_link(linked, pins):
    files = {
        "deps/base.txt": "foo==1.0\n",
        "deps/sub/constraints.txt": "bar==1.0\n",
        "deps/a.py": "",
    }
    links = {"requirements": "deps", "lib/requirements": "..", "folder": "deps", "reqs": "/nowhere"}
    inventory = linked(files, links)
    assert pins(inventory) == {"foo==1.0": "runtime unknown deps/base.txt:1"}
    assert reasons(inventory) == {"lib/requirements": NO_FILE, "reqs": DANGLING}


def test_a_folder_of_requirements_may_lead_to_the_top(linked, pins):
    inventory = linked({"base.txt": "foo==1.0\n"}, {"lib/reqs": ".."})
    assert pins(inventory) == {"foo==1.0": "runtime unknown base.txt:1"}


def test_a_manifest_that_may_not_be_read_is_a_problem(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = make_project({"requirements.txt": "a==1\n", "b.py": ""}, git_=False)
    # Root may read everything, so the system's answer is replaced.
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path).is_dir())
    inventory = read_inventory(read_target(root))
    assert reasons(inventory) == {"requirements.txt": Reason("no-read-permission")}
