"""A Markdown summary of the report, for the summary page of a GitHub job."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report

NAME: Final = "md"
FILENAME: Final = "scanagg.md"
ABOUT: Final = "A Markdown summary, small enough for the summary page of a GitHub job."


def render(report: Report) -> Iterator[str]:
    """Return the summary in pieces, the verdict and the blocking findings first."""
    # Imported here: Jinja2 is slow to import.
    from scanagg.reports.md.summary import write  # noqa: PLC0415

    return write(report)
