"""An environment is read from its folders and never run; a broken one is a problem."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from scanagg.core.errors import TargetError
from scanagg.inventory import read_inventory
from scanagg.model import Reason

PROJECT = """[project]
name = "app"
dependencies = [
"web[Socks]",
]
[dependency-groups]
test = ["checks"]
"""


def install(folder: Path, name: str, version: str | None, *needs: str, url: str = "") -> Path:
    """Put a package's metadata into a site-packages folder, as pip leaves it."""
    made = folder / f"{name}-{version}.dist-info"
    made.mkdir(parents=True)
    lines = [f"Name: {name}", *([f"Version: {version}"] if version else [])]
    lines += [f"Requires-Dist: {need}" for need in needs]
    (made / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")
    if url:
        (made / "direct_url.json").write_text(url)
    return made


def fake_venv(path: Path, settings: str = "version = 3.11.1\n") -> Path:
    """A folder with the layout of an environment; its interpreter fails if it is run."""
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    (path / "bin" / "python").chmod(0o755)
    (path / "pyvenv.cfg").write_text(settings)
    site = path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    return site


@pytest.fixture
def project(make_project) -> Path:
    return make_project({"pyproject.toml": PROJECT}, git_=False)


def names(inventory) -> list[str]:
    return [f"{one.name}=={one.version}" for one in inventory.packages]


def test_the_environment_of_the_project_counts_if_nothing_is_pinned(project, read_target, pins):
    site = fake_venv(project / ".venv")
    install(site, "Web", "1.0", "base", "socksio; extra == 'socks'", "late; extra == 'x'", "((")
    install(site, "base", "2.0")
    install(site, "socksio", "3.0")
    install(site, "checks", "4.0", "inner")
    install(site, "inner", "5.0")
    install(site, "pip", "24.0")
    inventory = read_inventory(read_target(project))
    assert inventory.environment.python == project / ".venv" / "bin" / "python"
    assert pins(inventory) == {
        "base==2.0": "runtime transitive",
        "checks==4.0": "dev direct pyproject.toml:7",
        "inner==5.0": "dev transitive",
        "pip==24.0": "runtime transitive",
        "socksio==3.0": "runtime transitive",
        "web==1.0": "runtime direct pyproject.toml:4",
    }
    assert next(one for one in inventory.packages if one.name == "web").requires == ("base",)
    assert not inventory.unpinned
    assert not inventory.problems
    assert inventory.manifests == ("pyproject.toml",)
    assert not list(project.rglob("ran"))


def test_manifests_win_over_the_project_s_own_environment(project, read_target):
    (project / "requirements.txt").write_text("other==9\n")
    install(fake_venv(project / "venv"), "web", "1.0")
    inventory = read_inventory(read_target(project))
    assert names(inventory) == ["other==9"]
    assert [one.name for one in inventory.unpinned] == ["web", "checks"]
    assert inventory.environment.python == project / "venv" / "bin" / "python"


@pytest.mark.parametrize("path", ["env", "env/bin/python"])
def test_a_given_environment_counts_beside_the_manifests(project, read_target, tmp_path, path):
    (project / "requirements.txt").write_text("other==9\nvague\n")
    install(fake_venv(project / ".venv"), "wrong", "0")
    site = fake_venv(tmp_path / "a b" / "env")
    install(site, "web", "1.0")
    install(site, "other", "9")
    install(site, "vague", "7")
    inventory = read_inventory(read_target(project), tmp_path / "a b" / path)
    assert names(inventory) == ["other==9", "vague==7", "web==1.0"]
    assert inventory.environment.python == tmp_path / "a b" / "env" / "bin" / "python"
    assert [one.name for one in inventory.unpinned] == ["checks"]


def test_a_real_environment(project, read_target, tmp_path):
    venv.create(tmp_path / "real", with_pip=False, symlinks=True)
    site = next((tmp_path / "real").glob("lib/python*/site-packages"))
    install(site, "web", "1.0")
    inventory = read_inventory(read_target(project), tmp_path / "real" / "bin" / "python")
    assert names(inventory) == ["web==1.0"]
    assert inventory.environment.python == tmp_path / "real" / "bin" / "python"


def test_a_plain_interpreter_is_its_installation(project, read_target):
    """Compare with the output of the interpreter that runs this test."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    if not base.exists():
        pytest.skip("no plain interpreter where one would be")
    code = "import importlib.metadata as m; print({d.metadata['Name'] for d in m.distributions()})"
    said = subprocess.run([base, "-I", "-c", code], capture_output=True, text=True, check=True)
    inventory = read_inventory(read_target(project), base)
    assert len(inventory.packages) == len(eval(said.stdout))


def test_an_environment_may_include_the_packages_of_the_system(project, read_target, tmp_path):
    system = tmp_path / "system"
    install(system / "lib" / "python3.11" / "dist-packages", "debian", "1")
    install(system / "lib" / "python3" / "dist-packages", "debian3", "1")
    install(system / "lib" / "python3.9" / "site-packages", "other", "1")
    (system / "bin").mkdir()
    settings = f"home = {system}/bin\nversion_info = 3.11.1\ninclude-system-site-packages = "
    install(fake_venv(tmp_path / "shut", settings + "false"), "web", "1.0")
    install(fake_venv(tmp_path / "open", settings + "True"), "web", "1.0")
    (system / "bin" / "python3.11").write_text("")
    for name in ("shut", "open"):
        python = tmp_path / name / "bin" / "python"
        python.unlink()
        python.symlink_to(system / "bin" / "python3.11")
    target = read_target(project)
    assert names(read_inventory(target, tmp_path / "shut")) == ["web==1.0"]
    assert names(read_inventory(target, tmp_path / "open")) == [
        "debian==1",
        "debian3==1",
        "web==1.0",
    ]


@pytest.mark.parametrize("home", ["relative", "{venv}", "/nowhere/bin"])
def test_a_home_that_is_no_installation_adds_nothing(project, read_target, tmp_path, home):
    settings = f"home = {home.format(venv=tmp_path / 'env')}\ninclude-system-site-packages = true"
    install(fake_venv(tmp_path / "env", settings), "web", "1.0")
    assert names(read_inventory(read_target(project), tmp_path / "env")) == ["web==1.0"]


def test_windows_layout(project, read_target, tmp_path):
    (tmp_path / "win" / "Scripts").mkdir(parents=True)
    (tmp_path / "win" / "Scripts" / "python.exe").write_text("")
    install(tmp_path / "win" / "Lib" / "site-packages", "web", "1.0")
    inventory = read_inventory(read_target(project), tmp_path / "win" / "Scripts" / "python.exe")
    assert names(inventory) == ["web==1.0"]


def test_an_installation_from_elsewhere_is_a_problem(project, read_target, problems, tmp_path):
    site = fake_venv(tmp_path / "env")
    install(site, "app", "0.1", url='{"url": "file:///x", "dir_info": {"editable": true}}')
    install(site, "built", "0.1", url='{"url": "file:///x", "dir_info": {}}')
    install(
        site, "fork", "0.2", url='{"url": "https://u:word@x.invalid/f", "vcs_info": {"vcs": "git"}}'
    )
    install(site, "link", "0.3", url='{"url": "https://x.invalid/l.zip", "archive_info": {}}')
    install(site, "odd", "0.4", url="[1]")
    install(site, "odder", "0.5", url="{")
    install(site, "web", "1.0")
    inventory = read_inventory(read_target(project), tmp_path / "env")
    assert names(inventory) == ["link==0.3", "web==1.0"]
    assert [index.host for index in inventory.indexes] == ["x.invalid"]
    assert {one.input for one in inventory.problems} == {"env"}
    found = sorted(inventory.problems, key=lambda problem: str(problem.reason.values))
    assert [(one.reason.kind, one.reason.values) for one in found] == [
        ("not-from-an-index", {"package": "built 0.1", "address": "file:///x"}),
        ("not-from-an-index", {"package": "fork 0.2", "address": "https://***@x.invalid/f"}),
        ("unreadable-direct-url", {"package": "odd"}),
        ("unreadable-direct-url", {"package": "odder"}),
    ]


def test_broken_metadata_is_a_problem_and_the_others_are_read(project, read_target, tmp_path):
    site = fake_venv(tmp_path / "env")
    install(site, "nameless", None)
    install(site, "bytes", "1").joinpath("METADATA").write_bytes(b"Name: x\xff\n")
    install(site, "evil\n-r x", "1").joinpath("METADATA").write_text("Name: a b\nVersion: 1\n")
    install(site, "bare", "1").joinpath("METADATA").unlink()
    install(site, "web", "1.0")
    inventory = read_inventory(read_target(project), tmp_path / "env")
    assert names(inventory) == ["web==1.0"]
    assert len(inventory.problems) >= 2
    assert {one.input for one in inventory.problems} == {"env"}


def test_an_empty_environment_is_a_problem(project, read_target, problems, tmp_path):
    fake_venv(tmp_path / "env")
    inventory = read_inventory(read_target(project), tmp_path / "env")
    assert problems(inventory) == {"env": Reason("no-installed-packages")}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "it does not exist"),
        ("project", "it has no interpreter that works"),
        ("project/pyproject.toml", "it is neither a Python interpreter nor a folder with one"),
        ("python3", "it has no site-packages folder"),
        ("hollow", "it has no site-packages folder"),
        ("dangling", "it has no interpreter that works"),
        ("dangling/bin/python", "it does not exist"),
        ("loop/bin/python", "it does not exist"),
    ],
)
def test_a_path_that_is_not_an_environment_is_an_error(project, read_target, tmp_path, path, said):
    (tmp_path / "python3").write_text("#!/bin/sh\n")
    (fake_venv(tmp_path / "hollow")).rmdir()
    for name, target in (("dangling", "/nowhere"), ("loop", "python")):
        fake_venv(tmp_path / name)
        (tmp_path / name / "bin" / "python").unlink()
        (tmp_path / name / "bin" / "python").symlink_to(target)
    with pytest.raises(TargetError) as caught:
        read_inventory(read_target(project), tmp_path / path)
    assert caught.value.message == f"no Python environment at {tmp_path / path}: {said}"
    assert "--python" in caught.value.hint


def test_a_broken_environment_of_the_project_is_a_problem(project, read_target, problems):
    site = fake_venv(project / ".venv")
    site.rmdir()
    inventory = read_inventory(read_target(project))
    assert inventory.environment is None
    assert problems(inventory) == {
        ".venv": Reason("broken-environment", {"error": "it has no site-packages folder"})
    }


def test_a_folder_that_only_has_the_name_is_no_environment(project, read_target):
    (project / ".venv").write_text("elsewhere\n")
    (project / "venv").mkdir()
    inventory = read_inventory(read_target(project))
    assert inventory.environment is None
    assert not inventory.problems
