"""Dependencies that are not from a package index: they are open, with their origin."""

import pytest
from pip._internal.models.index import PyPI


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
        ("a @ https://u:p@secret@x.invalid/1.zip", "a", "address https://***@x.invalid/1.zip"),
        ("a @ https://x.invalid/b-1.zip", "a", "address https://x.invalid/b-1.zip"),
        ("a @ git+https://x.invalid/a-1.tar.gz", "a", "git https://x.invalid/a-1.tar.gz"),
        ("https://x.invalid/a-main.zip", "a-main-zip", "address https://x.invalid/a-main.zip"),
        ("a @ git+https://x.invalid/o/a", "a", "git https://x.invalid/o/a"),
        ("https://x.invalid/b_c-1.0-py3.whl", "b-c", "address https://x.invalid/b_c-1.0-py3.whl"),
        ("hg+https://x.invalid/foo-bar-1.0", "foo-bar", "hg https://x.invalid/foo-bar-1.0"),
        ("../other", "other", "folder ../other"),
        ("--editable=../other[x]", "other", "folder ../other"),
        ("./wheels/foo-1.0-any.whl", "foo", "file ./wheels/foo-1.0-any.whl"),
        ("foo.tar.gz", "foo-tar-gz", "file foo.tar.gz"),
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
        ("uv.lock", 'source = {directory = "../a"}', "folder ../a"),
        (
            "poetry.lock",
            'source = {type = "git", url = "https://x.invalid/a"}',
            "git https://x.invalid/a",
        ),
        ("poetry.lock", 'source = {type = "directory", url = "../a"}', "folder ../a"),
        (
            "pdm.lock",
            'git = "https://x.invalid/a.git"\nref = "main"',
            "git https://x.invalid/a.git",
        ),
        ("pdm.lock", 'hg = "https://x.invalid/a"', "hg https://x.invalid/a"),
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


WHEEL = "https://x.invalid/py_lib-1.2.3%2Bcpu-py3-none-any.whl"


@pytest.mark.parametrize(
    ("path", "content", "line", "host"),
    [
        ("requirements.txt", f"Py.Lib @ {WHEEL}", 1, "x.invalid"),
        ("requirements.txt", f"py-lib @ {WHEEL}#sha256=00 ; python_version>'3'", 1, "x.invalid"),
        ("requirements.txt", f"\n{WHEEL} --hash=sha256:00", 2, "x.invalid"),
        ("requirements.txt", f"{WHEEL}#egg=py_lib[x]", 1, "x.invalid"),
        ("requirements.txt", "py_lib-1.2.3+cpu.tar.gz", 1, "py_lib-1.2.3+cpu.tar.gz"),
        ("requirements.txt", "./Py_Lib-1.2.3+cpu.zip[x]", 1, "./Py_Lib-1.2.3+cpu.zip"),
        ("requirements.txt", "./py-lib-1.2.3+cpu.tar.bz2", 1, "./py-lib-1.2.3+cpu.tar.bz2"),
        ("pyproject.toml", f'[project]\ndependencies = ["py-lib @ {WHEEL}"]', 2, "x.invalid"),
        (
            "pyproject.toml",
            f'[project]\ndependencies = ["py-lib>=1"]\n[tool.uv.sources]\npy_lib.url = "{WHEEL}"',
            2,
            "x.invalid",
        ),
        (
            "pyproject.toml",
            f'[tool.poetry.dependencies]\npy_lib = {{ url = "{WHEEL}" }}',
            2,
            "x.invalid",
        ),
        ("Pipfile", f'[packages]\npy_lib = {{ file = "{WHEEL}" }}', 2, "x.invalid"),
        ("Pipfile.lock", f'{{"default": {{\n"py-lib": {{"file": "{WHEEL}"}}}}}}', 2, "x.invalid"),
        ("pylock.toml", f'[[packages]]\nname = "py-lib"\narchive = {{url = "{WHEEL}"}}', 2, None),
        ("Dockerfile", f"FROM x\nRUN pip install {WHEEL}", 2, "x.invalid"),
    ],
)
def test_an_archive_with_a_version_in_its_name_is_pinned(inventory_of, path, content, line, host):
    inventory = inventory_of({path: content})
    (package,) = inventory.packages
    assert (package.name, package.version) == ("py-lib", "1.2.3+cpu")
    assert [(place.path, place.start_line) for place in package.places] == [(path, line)]
    assert [index.host for index in inventory.indexes] == [host or "x.invalid"]
    assert not inventory.unpinned
    assert not inventory.unread


def test_an_archive_of_pypi_is_no_other_index(inventory_of):
    storage = f"https://{PyPI.file_storage_domain}/packages/a-1-py3-none-any.whl"
    inventory = inventory_of({"requirements.txt": f"a @ {storage}"})
    assert [one.version for one in inventory.packages] == ["1"]
    assert not inventory.indexes


def test_archives_of_different_versions_are_open(inventory_of):
    project = (
        '[project]\ndependencies = ["a"]\n[tool.uv.sources]\n'
        'a = [{ url = "https://x.invalid/a-1.tar.gz" }, { url = "https://x.invalid/a-2.tar.gz" }]'
    )
    inventory = inventory_of({"pyproject.toml": project})
    assert not inventory.packages
    assert [short(one) for one in inventory.unpinned] == ["address https://x.invalid/a-1.tar.gz"]


@pytest.mark.parametrize(
    ("lock", "source"),
    [
        ("uv.lock", 'source = { url = "https://x.invalid/a.zip" }'),
        ("uv.lock", 'source = { path = "w/a.whl" }'),
        ("poetry.lock", 'source = { type = "url", url = "https://x.invalid/a" }'),
        ("poetry.lock", 'source = { type = "file", url = "a.tar.gz" }'),
        ("pdm.lock", 'url = "https://x.invalid/a.zip"'),
        ("pylock.toml", 'archive = { url = "https://x.invalid/a.zip" }'),
    ],
)
def test_an_archive_in_a_lock_has_the_version_of_its_entry(inventory_of, lock, source):
    array = "packages" if lock == "pylock.toml" else "package"
    project = '[project]\ndependencies = ["a @ https://x.invalid/a.zip"]\n'
    entry = f'[[{array}]]\nname = "a"\nversion = "1.5"\n{source}\n'
    inventory = inventory_of({lock: entry, "pyproject.toml": project})
    (package,) = inventory.packages
    assert package.version == "1.5"
    assert {place.path for place in package.places} == {"pyproject.toml", lock}
    assert len(inventory.indexes) == 1
    assert not inventory.unpinned
