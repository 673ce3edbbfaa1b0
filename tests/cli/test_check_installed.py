"""A committed virtual environment is read as files: nothing of it runs, and nothing hangs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.command import Said, check

GOOD = "Metadata-Version: 2.1\nName: {name}\nVersion: 1\nLicense: MIT\n\nText.\n"
SECRET = "Name: foreign\nVersion: 1\nLicense: OUTSIDE-THE-TREE\n"
SETTINGS = "home = /nowhere/bin\nversion = 3.11.1\n"


def install(site: Path, name: str, content: str = GOOD) -> Path:
    """Put the metadata of version 1 into a site-packages folder, and return that of METADATA."""
    folder = site / f"{name}-1.dist-info"
    folder.mkdir(parents=True)
    metadata = folder / "METADATA"
    metadata.write_bytes(content.format(name=name).encode())
    return metadata


def commit_environment(root: Path, settings: str = SETTINGS, name: str = ".venv") -> Path:
    """Write an environment whose interpreter leaves a trace if it is started."""
    python = root / name / "bin" / "python3.11"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ntouch '{root.parent}/ran'\necho '[]'\n")
    python.chmod(0o755)
    python.with_name("python").symlink_to("python3.11")
    (root / name / "pyvenv.cfg").write_text(settings)
    site = root / name / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    return site


def licences(said: Said) -> dict[str, str]:
    """Return the texts of the licences that were read, by package."""
    return {one["package"]["name"]: one["facts"]["text"] for one in said.report["licenses"]}


# How METADATA of a package is replaced, given its path and a file outside of the project.
HOSTILE: Mapping[str, Callable[[Path, Path], object]] = {
    "zero": lambda path, _: path.symlink_to("/dev/zero"),
    "stdin": lambda path, _: path.symlink_to("/proc/self/fd/0"),
    "outside": lambda path, outside: path.symlink_to(outside),
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
    "latin": lambda path, _: path.write_bytes(
        b"Name: latin\nVersion: 1\nAuthor: Andr\xe9\nLicense: MIT\n"
    ),
    "utf16": lambda path, _: path.write_bytes(GOOD.format(name="utf16").encode("utf-16")),
    "empty": lambda path, _: path.touch(),
    "nameless": lambda path, _: path.write_text("Version: 1\nLicense: MIT\n"),
    "nulls": lambda path, _: path.write_bytes(b"\0" * 100),
    "large": lambda path, _: path.write_bytes(b"Name: large\nVersion: 1\n\n" + b"x" * (50 << 20)),
    "sparse": lambda path, _: (path.touch(), os.truncate(path, 100 << 30)),
}


def test_metadata_that_cannot_be_read_costs_only_its_package(
    make_project: Callable[..., Path], tmp_path: Path
) -> None:
    outside = tmp_path / "META"
    outside.write_text(SECRET)
    good = ["good", "crlf", "twice", "dash-name", "egg", "record", "pipes"]
    root = make_project({"requirements.txt": "".join(f"{one}==1\n" for one in [*good, *HOSTILE])})
    site = commit_environment(root)
    for name in ("good", "record", "pipes", "twice", "Dash.Name"):
        install(site, name)
    install(site, "crlf", GOOD.replace("\n", "\r\n"))
    (site / "egg-1-py3.11.egg-info").write_text(GOOD.format(name="egg"))
    (site / "twice-1.0.dist-info").mkdir()
    (site / "record-1.dist-info" / "RECORD").write_text("\n\nblank.py,,\n/etc/LICENSE,,\n")
    for name in ("direct_url.json", "RECORD", "LICENSE"):
        os.mkfifo(site / "pipes-1.dist-info" / name)
    (site / "good-1.dist-info" / "licenses").symlink_to("/")
    for name, replace in HOSTILE.items():
        path = install(site, name)
        path.unlink()
        replace(path, outside)
    said = check(root, "--only", "licenses", "--offline", "--deadline", "60")
    assert licences(said) == dict.fromkeys(good, "MIT")
    assert {
        gap["input"]: gap["reason"]["text"]
        for gap in said.run("licenses")["coverage"]["not_examined"]
        if gap["input"].endswith("==1")
    } == {
        f"{name}==1": f"cannot read the metadata of {name}-1: METADATA {error}"
        for name, error in {
            **dict.fromkeys(("zero", "stdin", "outside"), "leads out of the project"),
            **dict.fromkeys(("pipe", "folder"), "is not a regular file"),
            **dict.fromkeys(("latin", "utf16"), "is not UTF-8"),
            **dict.fromkeys(("empty", "nameless", "nulls"), "has no name or no version"),
            **dict.fromkeys(("large", "sparse"), "is larger than 4 MiB"),
        }.items()
    }
    assert "OUTSIDE-THE-TREE" not in said.everything
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("layout", "configured"),
    [
        (".venv/site-packages", ""),
        ("env/lib/python3.11/site-packages", 'python = "env/bin/python3.11"'),
        ("env/site-packages", 'python = "env/bin/python3.11"'),
        ("env/lib/python3.11/site-packages", 'python = "env"'),
    ],
)
def test_no_interpreter_of_the_project_is_started(
    make_project: Callable[..., Path], tmp_path: Path, layout: str, configured: str
) -> None:
    root = make_project({"requirements.txt": "x==1\n", "scanagg.toml": f"{configured}\n"})
    commit_environment(root, settings="", name=layout.partition("/")[0])
    install(root / layout, "x")
    said = check(root, "--only", "licenses", "--offline")
    assert licences(said) == {"x": "MIT"}
    assert not (tmp_path / "ran").exists()


def test_a_program_for_licences_is_refused(make_project: Callable[..., Path]) -> None:
    root = make_project({"requirements.txt": "x==1\n"})
    variable = {"SCANAGG_LICENSES_PATH": "/usr/bin/env"}
    assert check(root, "--only", "licenses", "--offline", env=variable).code == 2


@pytest.mark.parametrize("way", ["link", "home"])
def test_an_environment_elsewhere_is_read_only_if_the_user_names_it(
    make_project: Callable[..., Path], tmp_path: Path, way: str
) -> None:
    root = make_project({"app.py": ""})
    elsewhere = tmp_path / "elsewhere"
    site = commit_environment(elsewhere, name="env")
    # As uv installs with --link-mode symlink.
    install(site, "linked").rename(tmp_path / "META")
    (site / "linked-1.dist-info" / "METADATA").symlink_to(tmp_path / "META")
    pipe = install(site, "pipe")
    pipe.unlink()
    os.mkfifo(pipe)
    if way == "link":
        (root / ".venv").symlink_to(elsewhere / "env")
    else:
        (elsewhere / "env" / "pyvenv.cfg").unlink()
        settings = SETTINGS.replace("/nowhere", str(elsewhere / "env"))
        commit_environment(root, f"{settings}include-system-site-packages = true\n")
    said = check(root, "--only", "licenses", "--offline")
    assert licences(said) == {}
    assert "--python .venv" in said.everything
    said = check(root, "--only", "licenses", "--offline", "--python", str(root / ".venv"))
    assert licences(said) == {"linked": "MIT"}
    assert "METADATA is not a regular file" in said.everything
    (root / "scanagg.toml").write_text('python = "../elsewhere/env"\n')
    assert check(root, "--only", "licenses", "--offline").code == 2
