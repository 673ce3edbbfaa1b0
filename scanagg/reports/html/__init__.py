"""The HTML report: one page that works from disk, without network or server."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report

NAME: Final = "html"
FILENAME: Final = "scanagg.html"
ABOUT: Final = "One page with filters, for reading; opens from disk without network or server."


def render(report: Report) -> Iterator[str]:
    """Return the page in pieces. Its script shows the embedded findings."""
    # Imported here: Jinja2 is slow to import.
    from scanagg.reports.html.page import write  # noqa: PLC0415

    return write(report)
