"""The report for code scanning: scanagg.sarif, within GitHub's limits."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report

NAME: Final = "sarif"
FILENAME: Final = "scanagg.sarif"
ABOUT: Final = "SARIF 2.1.0 for GitHub code scanning and editors: the findings that are not waived."


def render(report: Report) -> Iterator[str]:
    """Return the log in pieces, without waived findings and runs that did not finish."""
    # Imported here: sarif_om is slow to import.
    from scanagg.reports.sarif.runs import stream  # noqa: PLC0415

    return stream(report, whole=False)


def notices(report: Report) -> tuple[str, ...]:
    """Return how many findings the log lacks, one sentence for each reason."""
    from scanagg.reports.sarif import runs  # noqa: PLC0415

    return runs.notices(report)
