"""What a reporter is, and which there are: one package each in this folder, found by itself."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Protocol, cast, runtime_checkable

from scanagg.model import Report

# File names that are not `scanagg.` and the format's name.
_FILES: Final = {"cyclonedx": "scanagg.cdx.json", "sarif-full": "scanagg.full.sarif"}


class Reporter(Protocol):
    """The names that a package in this folder must have."""

    NAME: str  # as given to --format: "sarif"
    FILENAME: str  # what the report is called in the output folder: "scanagg.sarif"
    ABOUT: str  # one sentence for people: what it is for

    def render(self, report: Report) -> Iterator[str]:
        """The text of the report in pieces, so that a long one need not fit into memory."""
        ...


@runtime_checkable
class Shortens(Protocol):
    """What a reporter has besides if it may leave something out."""

    def notices(self, report: Report) -> tuple[str, ...]:
        """What is not in the report, one sentence for each reason; none where all is in it."""
        ...


@cache
def names() -> tuple[str, ...]:
    """The names of all formats, sorted, without importing any (start-up time)."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return tuple(sorted(module.name.replace("_", "-") for module in modules if module.ispkg))


def reporter(name: str) -> Reporter:
    """The reporter of that name: package `a_b` is the format `a-b`. KeyError for an unknown one."""
    if name not in names():
        raise KeyError(name)
    return cast("Reporter", importlib.import_module(f"{__package__}.{name.replace('-', '_')}"))


def reporters() -> Mapping[str, Reporter]:
    """All reporters by name, sorted."""
    return {name: reporter(name) for name in names()}


def file_names() -> tuple[str, ...]:
    """What reports are called, without importing a reporter: a test holds both to the same."""
    return tuple(_FILES.get(name, f"scanagg.{name}") for name in names())
