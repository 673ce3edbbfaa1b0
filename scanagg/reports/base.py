"""The protocol of report formats. Each package in this folder is a format.

Importing a format is fast: it imports slow libraries (Jinja2, sarif-om) when it renders.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Protocol, cast, runtime_checkable

from scanagg.model import Report

REPORTS: Final = "reports"
"""The default folder for reports, in the project."""


class Reporter(Protocol):
    """The names that a format must define."""

    NAME: str  # as given to --format: "sarif"
    FILENAME: str  # the report's name in the output folder: "scanagg.sarif"
    ABOUT: str  # one sentence for people: what it is for

    def render(self, report: Report) -> Iterator[str]:
        """Return the report in pieces, so that a long one need not fit into memory."""
        ...


@runtime_checkable
class Shortens(Protocol):
    """A format that may leave something out."""

    def notices(self, report: Report) -> tuple[str, ...]:
        """Return what the report lacks, one sentence for each reason."""
        ...


@cache
def names() -> tuple[str, ...]:
    """Return the names of all formats, sorted, without importing any."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return tuple(sorted(module.name.replace("_", "-") for module in modules if module.ispkg))


def reporter(name: str) -> Reporter:
    """Return the format of that name: package `a_b` is `a-b`. KeyError for an unknown one."""
    if name not in names():
        raise KeyError(name)
    return cast("Reporter", importlib.import_module(f"{__package__}.{name.replace('-', '_')}"))


def reporters() -> Mapping[str, Reporter]:
    """Return all formats by name, sorted."""
    return {name: reporter(name) for name in names()}


def file_names() -> tuple[str, ...]:
    """Return the names of all report files."""
    return tuple(format_.FILENAME for format_ in reporters().values())
