"""The report for code scanning: scanagg.sarif, within what GitHub takes and does right with."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report
from scanagg.reports.sarif.log import stream
from scanagg.reports.sarif.results import Flavour
from scanagg.reports.sarif.runs import notices as _notices

NAME: Final = "sarif"
FILENAME: Final = "scanagg.sarif"
ABOUT: Final = "SARIF 2.1.0 for GitHub code scanning and editors: what was found and is not waived."

# GitHub keeps the first 5,000 results of a run and shows 100 places of each,
# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
_FLAVOUR: Final = Flavour(whole=False, most_results=5_000, most_places=100)


def render(report: Report) -> Iterator[str]:
    """The log in pieces. Runs of scanners that did not finish are left out, waived findings too."""
    return stream(report, _FLAVOUR)


def notices(report: Report) -> tuple[str, ...]:
    """What was found and is not in the log, one sentence for each reason; nothing when all is."""
    return _notices(report, _FLAVOUR)
