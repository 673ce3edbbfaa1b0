"""The report for archives and editors: scanagg.full.sarif, everything as SARIF 2.1.0."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report

NAME: Final = "sarif-full"
FILENAME: Final = "scanagg.full.sarif"
ABOUT: Final = (
    "SARIF 2.1.0 with every finding and run, also waived and failed ones. Not for upload."
)


def render(report: Report) -> Iterator[str]:
    """Return the log in pieces: every finding, every run, the policy and the gate."""
    # Imported here: sarif_om is slow to import.
    from scanagg.reports.sarif.runs import stream  # noqa: PLC0415

    return stream(report, whole=True)
