"""Package indexes other than PyPI, wherever a project can name one."""

import pytest
from pip._internal.models.index import PyPI

HOST, PYPI = PyPI.netloc, PyPI.simple_url
FILES = f"https://{PyPI.file_storage_domain}/packages/a-1.whl"
EVIL = "https://evil.invalid/simple"
OPTIONS = f"--extra-index-url {EVIL} --extra-index-url=http://b.invalid:81/s\n"
SCRIPT = f'# /// script\n# [[tool.uv.index]]\n# url = "{EVIL}"\n# ///\n'
PIPFILE = f'[[source]]\nurl = "{PYPI}"\n[[source]]\nurl = "{EVIL}"\n'
PIPFILE_LOCK = f'{{"_meta": {{"sources": [\n{{"url": "{EVIL}"}}]}}, "default": {{}}}}'
ENTRY = '[[package]]\nname = "a"\nversion = "1"\n'
UV = f'{ENTRY}source = {{ registry = "%s" }}\nwheels = [{{ url = "%s" }}]\n'
POETRY = f'{ENTRY}[package.source]\ntype = "legacy"\nurl = "{EVIL}"\n'
PDM = f'{ENTRY}files = [{{url = "https://b.invalid/a.whl"}}, {{url = "https://b.invalid/b"}}]\n'
PYLOCK = (
    'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n'
    f'index = "{EVIL}"\n[[packages.wheels]]\nurl = "{FILES}"\n'
)


@pytest.mark.parametrize(
    ("path", "content", "hosts"),
    [
        ("requirements.txt", f"a==1\n-i {PYPI}\n", {}),
        ("requirements.txt", f"a==1\n--index-url {EVIL}\n", {"evil.invalid": 2}),
        ("requirements.txt", f"--pypi-url \\\n  {EVIL}\n", {"evil.invalid": 1}),
        ("deps", f"-i{EVIL}\na==1\n", {"evil.invalid": 1}),
        ("requirements.txt", OPTIONS, {"evil.invalid": 1, "http://b.invalid:81": 1}),
        ("requirements.txt", "-f ./x\n--trusted-host c.invalid\n", {"./x": 1, "c.invalid": 2}),
        ("requirements.txt", f"-i http://{HOST}/simple\n", {f"http://{HOST}": 1}),
        ("requirements.txt", f"-i https://{HOST}.invalid/\n", {f"{HOST}.invalid": 1}),
        ("requirements.txt", f"-i https://{HOST}@evil.invalid/\n", {"evil.invalid": 1}),
        ("requirements.txt", "-i https://[x\n", {"https://[x": 1}),
        ("pyproject.toml", f'[[tool.uv.index]]\nurl = "{EVIL}"\n', {"evil.invalid": 2}),
        ("pyproject.toml", f'[tool.uv]\nfind-links = ["{PYPI}", "{EVIL}"]\n', {"evil.invalid": 2}),
        ("pyproject.toml", f'[tool.uv.pip]\nindex-url = "{EVIL}"\n', {"evil.invalid": 2}),
        ("pyproject.toml", f'[[tool.poetry.source]]\nurl = "{EVIL}"\n', {"evil.invalid": 2}),
        ("pyproject.toml", f'[[tool.pdm.source]]\nurl = "{EVIL}"\n', {"evil.invalid": 2}),
        ("pyproject.toml", "tool.uv.index = 1\n", {}),
        ("uv.toml", f'index-url = "{EVIL}"\n', {"evil.invalid": 1}),
        ("run.py", SCRIPT, {"evil.invalid": 3}),
        ("Pipfile", PIPFILE, {"evil.invalid": 4}),
        ("Pipfile.lock", PIPFILE_LOCK, {"evil.invalid": 1}),
        ("uv.lock", UV % (PYPI, FILES), {}),
        ("uv.lock", UV % (EVIL, FILES), {"evil.invalid": 2}),
        ("uv.lock", UV % (PYPI, "https://b.invalid/a.whl"), {"b.invalid": 2}),
        ("poetry.lock", POETRY, {"evil.invalid": 2}),
        ("pdm.lock", PDM, {"b.invalid": 2}),
        ("pylock.toml", PYLOCK, {"evil.invalid": 3}),
    ],
)
def test_every_other_index_is_named(inventory_of, path, content, hosts):
    inventory = inventory_of({path: content})
    assert {index.host: index.place.start_line for index in inventory.indexes} == hosts
    assert {index.place.path for index in inventory.indexes} <= {path}


def test_credentials_of_an_index_are_masked(inventory_of):
    address = "https://jane:hunter2secret@evil.invalid/simple"
    (index,) = inventory_of({"requirements.txt": f"-i {address}\n"}).indexes
    assert "hunter2secret" not in repr(index)
    assert index.host == "evil.invalid"
