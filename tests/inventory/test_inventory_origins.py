"""Dependencies that are not from a package index: they are open, with their origin."""

import pytest


def short(requirement) -> str:
    kind = requirement.reason.kind.removeprefix("from-")
    values = map(str, requirement.reason.values.values())
    return " ".join(values if kind == "version-control" else (kind, *values))


@pytest.mark.parametrize(
    ("line", "name", "origin"),
    [
        (
            "git+https://x.invalid/o/a.git@b#egg=A_b",
            "a-b",
            "git https://x.invalid/o/a.git@b#egg=A_b",
        ),
        ("-e git+ssh://git@x.invalid/o/a.git", "a", "git ssh://***@x.invalid/o/a.git"),
        ("a @ https://u:p@secret@x.invalid/a-1.zip", "a", "address https://***@x.invalid/a-1.zip"),
        ("a @ git+https://x.invalid/o/a", "a", "git https://x.invalid/o/a"),
        ("https://x.invalid/b_c-1.0-py3.whl", "b-c", "address https://x.invalid/b_c-1.0-py3.whl"),
        ("hg+https://x.invalid/foo-bar-1.0", "foo-bar", "hg https://x.invalid/foo-bar-1.0"),
        ("../other", "other", "folder ../other"),
        ("--editable=../other[x]", "other", "folder ../other"),
        ("./wheels/foo-1.0-py3-none-any.whl", "foo", "file ./wheels/foo-1.0-py3-none-any.whl"),
        ("foo-1.0.tar.gz", "foo", "file foo-1.0.tar.gz"),
        ("file:///opt/foo", "foo", "folder file:///opt/foo"),
        ("file:../x%20y", "x", "folder file:../x%20y"),
        ("'/opt/foo'", "foo", "folder /opt/foo"),
        ("..\\foo", "foo", "folder ..\\foo"),
        ("https://[broken/foo", "foo", "address https://[broken/foo"),
        ("https://x.invalid/", "https://x.invalid/", "address https://x.invalid/"),
    ],
)
def test_a_line_of_requirements(inventory_of, line, name, origin):
    inventory = inventory_of({"requirements.txt": line + "\n"})
    assert not inventory.packages
    assert not inventory.problems
    (requirement,) = inventory.unpinned
    assert (requirement.name, short(requirement)) == (name, origin)
    assert "secret" not in repr(requirement)


@pytest.mark.parametrize(
    ("lock", "source", "origin"),
    [
        (
            "uv.lock",
            'source = {git = "https://x.invalid/a?rev=1#b"}',
            "git https://x.invalid/a?rev=1#b",
        ),
        ("uv.lock", 'source = {git = "https://u:w@x.invalid/a"}', "git https://***@x.invalid/a"),
        (
            "uv.lock",
            'source = {url = "https://x.invalid/a.zip"}',
            "address https://x.invalid/a.zip",
        ),
        ("uv.lock", 'source = {path = "w/a-1-py3.whl"}', "file w/a-1-py3.whl"),
        ("uv.lock", 'source = {directory = "../a"}', "folder ../a"),
        (
            "poetry.lock",
            'source = {type = "git", url = "https://x.invalid/a"}',
            "git https://x.invalid/a",
        ),
        (
            "poetry.lock",
            'source = {type = "url", url = "https://x.invalid/a"}',
            "address https://x.invalid/a",
        ),
        ("poetry.lock", 'source = {type = "directory", url = "../a"}', "folder ../a"),
        ("poetry.lock", 'source = {type = "file", url = "a-1.0.tar.gz"}', "file a-1.0.tar.gz"),
        (
            "pdm.lock",
            'git = "https://x.invalid/a.git"\nref = "main"',
            "git https://x.invalid/a.git",
        ),
        ("pdm.lock", 'hg = "https://x.invalid/a"', "hg https://x.invalid/a"),
        ("pdm.lock", 'url = "https://x.invalid/a.zip"', "address https://x.invalid/a.zip"),
        ("pdm.lock", 'path = "../a"', "folder ../a"),
    ],
)
def test_an_entry_of_a_lock(inventory_of, lock, source, origin):
    text = f'[[package]]\nname = "a"\nversion = "1"\n{source}\n'
    project = '[project]\ndependencies = ["a"]\n'
    inventory = inventory_of({lock: text, "pyproject.toml": project})
    assert not inventory.packages
    (requirement,) = inventory.unpinned  # the declaration does not repeat it
    assert (requirement.place.path, requirement.place.start_line) == (lock, 2)
    assert short(requirement) == origin
