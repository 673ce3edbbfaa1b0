"""Ranges that allow vulnerable versions: one finding for each, with the bound to write."""

from collections.abc import Mapping, Sequence

import pytest

from scanagg.findings.ranges import LookedUp, audit_ranges
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    Location,
    LowestAllowed,
    Observation,
    Package,
    Reason,
    Rule,
    pypi_purl,
)

# Version: its advisories, each with its fixed versions.
Flaws = Mapping[str, Sequence[Advisory]]


def flaw(
    name: str, *fixed: str, aliases: tuple[str, ...] = (), withdrawn: bool = False
) -> Advisory:
    return Advisory(name, aliases, fixed, withdrawn=withdrawn)


def look_up(flaws: Flaws, asked: list[str], missed: Sequence[str] = ()):
    def answer(packages: Sequence[Package]) -> LookedUp:
        asked.extend(package.version for package in packages)
        observations = [
            Observation(
                scanner="pip-audit",
                category=Category.VULNERABILITY,
                rule=Rule(advisory.id, advisory.id, ""),
                title="",
                message="",
                package=package,
                advisory=advisory,
            )
            for package in packages
            for advisory in flaws.get(package.version, ())
        ]
        return LookedUp(observations, missed)

    return answer


def inventory(specifier: str = ">=1.0", *installed: str) -> Inventory:
    place = Location("pyproject.toml", 4)
    return Inventory(
        packages=tuple(Package("web", one, pypi_purl("web", one)) for one in installed),
        lowest=(LowestAllowed("web", "1.0", specifier, f"web{specifier}", place),),
    )


@pytest.mark.parametrize(
    ("flaws", "specifier", "advice"),
    [
        ({"1.0": [flaw("CVE-1", "1.2", "2.1")]}, ">=1.0", "Write web>=1.2."),
        ({"1.0": [flaw("CVE-1", "1.2"), flaw("CVE-2", "1.4")]}, ">=1.0", "Write web>=1.4."),
        ({"1.0": [flaw("CVE-1", "1.2")]}, ">1,!=1.1,<2", "Write web>=1.2,!=1.1,<2."),
        ({"1.0": [flaw("CVE-1", "1.2")]}, "~=1.0", "Write web>=1.2,~=1.0."),
        ({"1.0": [flaw("CVE-1", "1.2")]}, "", "Write web>=1.2."),
        # What fixes one has another.
        (
            {"1.0": [flaw("CVE-1", "1.2")], "1.2": [flaw("CVE-2", "1.1", "1.3")]},
            ">=1.0",
            "Write web>=1.3.",
        ),
        ({"1.0": [flaw("CVE-1", "2.0")]}, ">=1.0,<2", "allow web>=2.0."),
        ({"1.0": [flaw("CVE-1", "2.0rc1", "2.0")]}, ">=1.0", "Write web>=2.0."),
        ({"1.0": [flaw("CVE-1")]}, ">=1.0", "without known vulnerabilities."),
        (
            {"1.0": [flaw("CVE-1", "1.2")], "1.2": [flaw("CVE-2")]},
            ">=1.0",
            "without known vulnerabilities.",
        ),
    ],
)
def test_the_bound_to_write(flaws: Flaws, specifier: str, advice: str) -> None:
    ranges = audit_ranges(inventory(specifier), "pip-audit", look_up(flaws, []))
    (observation,) = ranges.observations
    assert observation.message.endswith(advice)
    assert (observation.package, observation.advisory) == (None, None)
    assert observation.location == Location("pyproject.toml", 4)


def test_a_vulnerability_with_two_advisories_counts_once() -> None:
    flaws = {"1.0": [flaw("PYSEC-1", "2", aliases=("CVE-1",)), flaw("GHSA-1", aliases=("CVE-1",))]}
    (observation,) = audit_ranges(inventory(), "pip-audit", look_up(flaws, [])).observations
    assert "1 known vulnerability: CVE-1." in observation.message


@pytest.mark.parametrize(
    ("flaws", "installed"),
    [
        ({}, ()),
        ({"1.0": [flaw("CVE-1", withdrawn=True)]}, ()),
        # It is a finding anyway.
        ({"1.0": [flaw("CVE-1")]}, ("1.0",)),
    ],
)
def test_no_finding(flaws: Flaws, installed: tuple[str, ...]) -> None:
    asked: list[str] = []
    assert not audit_ranges(inventory(">=1", *installed), "x", look_up(flaws, asked)).observations
    assert asked == ([] if installed else ["1.0"])


def test_what_could_not_be_audited_is_a_notice() -> None:
    ranges = audit_ranges(inventory(), "x", look_up({}, [], ["web==1.0", "other==2"]))
    assert ranges.notices == (Reason("ranges-missed", {"packages": ("web==1.0",)}),)
    failure = Reason("offline", {"service": "x"})
    ranges = audit_ranges(inventory(), "x", lambda _: LookedUp((), failure=failure))
    assert ranges.notices == (Reason("ranges-not-audited", {"why": failure}),)


def test_a_bound_that_was_not_audited_is_not_advised() -> None:
    flaws = {"1.0": [flaw("CVE-1", "1.2")]}
    ranges = audit_ranges(inventory(), "x", look_up(flaws, [], ["web==1.2"]))
    assert ranges.observations[0].message.endswith("without known vulnerabilities.")


def test_rounds_end() -> None:
    flaws = {f"{number}.0": [flaw("CVE-1", f"{number + 1}.0")] for number in range(1, 100)}
    asked: list[str] = []
    audit_ranges(inventory(), "x", look_up(flaws, asked))
    assert len(asked) < 10
