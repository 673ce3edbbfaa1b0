"""A package is known to the inventory however a scanner spells its version."""

from pathlib import Path

import pytest

from scanagg.findings.normalise import normalise
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
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
