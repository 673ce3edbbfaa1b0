"""How much of the whole a CycloneDX document holds: never more is claimed than was seen."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from scanagg.model import Report, Run, Status
from scanagg.reports.cyclonedx.graph import Links
from scanagg.reports.cyclonedx.packages import Packages

_COMPLETE: Final = "complete"
_INCOMPLETE: Final = "incomplete"
_UNKNOWN: Final = "unknown"

_UNIT: Final = "packages"
_WELL: Final = (Status.OK, Status.NOT_APPLICABLE)
# Files that list all that is to be installed; a list of pins may lack what its packages need.
_LOCK: Final = re.compile(r"(uv|poetry|pdm|pipfile)\.lock|pylock(\.[^.]+)?\.toml", re.IGNORECASE)
# Where other languages declare what they need: the inventory knows Python's only.
_FOREIGN: Final = frozenset(
    (
        "build.gradle",
        "build.gradle.kts",
        "bun.lock",
        "cargo.toml",
        "composer.json",
        "conanfile.txt",
        "environment.yml",
        "gemfile",
        "go.mod",
        "package.json",
        "packages.config",
        "pom.xml",
    )
)


def compositions(
    report: Report, packages: Packages, known: Links, root: str
) -> Iterator[dict[str, object]]:
    """What is said of the list of packages, of the target's own needs, and of those of packages.

    cyclonedx-python-lib has no such value, so it is made of plain ones.
    """
    word = _listed(report, packages)
    yield {"aggregate": word, "assemblies": [root]}
    told = all(packages.by_ref[ref].direct is not None for ref in packages.own)
    yield {
        "aggregate": _UNKNOWN if word == _COMPLETE and not told else word,
        "dependencies": [root],
    }
    unclear = [ref for ref, names in known.open.items() if names]
    if unclear:
        yield {"aggregate": _INCOMPLETE, "dependencies": unclear}


def unseen(report: Report) -> list[str]:
    """What packages may hide in: files that were not read, inputs a package scanner did not see."""
    files = [f"{one.input}: {one.reason}" for one in report.target.skipped if not one.on_purpose]
    return files + [
        f"{run.scanner}: {one.input}: {one.reason}"
        for run in _package_runs(report)
        for one in run.coverage.not_examined
    ]


def _listed(report: Report, packages: Packages) -> str:
    """Complete only where everything speaks for it: all from locks, all seen, nothing beside it."""
    ran_well = all(run.status in _WELL for run in _package_runs(report))
    if not ran_well or unseen(report) or packages.strangers or _is_foreign(report):
        return _INCOMPLETE
    examined = any(run.coverage.examined for run in _package_runs(report))
    locked = all(_is_locked(packages, ref) for ref in packages.own)
    return _COMPLETE if examined and packages.own and locked else _UNKNOWN


def _is_locked(packages: Packages, ref: str) -> bool:
    names = (PurePosixPath(place.path).name for place in packages.by_ref[ref].places)
    return any(map(_LOCK.fullmatch, names))


def _package_runs(report: Report) -> list[Run]:
    """The runs that looked at packages. One that is not installed takes nothing from the others."""
    runs = [run for run in report.runs if run.coverage.unit == _UNIT]
    there = [run for run in runs if run.status is not Status.MISSING]
    return there or runs


def _is_foreign(report: Report) -> bool:
    names = (PurePosixPath(file.path).name.lower() for file in report.target.files)
    return not _FOREIGN.isdisjoint(names)
