"""A package is known to the inventory however a scanner spells its version."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from scanagg.findings.normalise import normalise
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    Location,
    Observation,
    Package,
    Rule,
    Target,
    pypi_purl,
)
from scanagg.project.sources import Sources


def package(version: str) -> Package:
    return Package("web", version, pypi_purl("web", version))


@pytest.mark.parametrize(
    ("ours", "reported", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "v1", True),
        ("1.0rc1", "1.0.0-RC1", True),
        ("1.0", "1.0.1", False),
        ("1.0", "1.0+local", False),
        ("2004d", "2004d", True),
        ("2004d", "2004d.0", False),
    ],
)
def test_spellings_of_one_version_are_one_package(ours: str, reported: str, *, same: bool) -> None:
    observation = Observation(
        scanner="trivy",
        category=Category.VULNERABILITY,
        rule=Rule("CVE-1", "CVE-1", "CVE-1"),
        title="CVE-1",
        message="CVE-1 in web",
        package=package(reported),
        advisory=Advisory("CVE-1"),
    )
    sources = Sources(Target(Path("/nowhere"), "x", ()))
    (one,) = normalise([observation], Inventory((package(ours),)), sources)
    assert one.package == package(ours if same else reported)


@pytest.mark.parametrize(
    ("version", "path", "installed", "kept"),
    [
        ("1.0.0", "requirements.txt", (), False),
        ("1.0", "image", (), True),
        ("1.1", "requirements.txt", (), True),
        ("1.0", "requirements.txt", (package("1.0"),), True),
        ("1.0", None, (), True),
    ],
)
def test_what_no_supported_python_installs_is_no_finding(
    version: str, path: str | None, installed: tuple[Package, ...], kept: bool
) -> None:
    impossible = replace(package("1.0"), places=(Location("requirements.txt", 3),))
    observation = Observation(
        scanner="trivy",
        category=Category.VULNERABILITY,
        rule=Rule("CVE-2024-1", "CVE-2024-1", "Something is wrong"),
        title="web is vulnerable",
        message="It is.",
        location=Location(path) if path else None,
        package=package(version),
        advisory=Advisory("CVE-2024-1"),
    )
    inventory = Inventory(installed, impossible=(impossible,))
    sources = Sources(Target(Path(), "app", ()))
    assert bool(normalise([observation], inventory, sources)) is kept
