"""The report for archives and editors: scanagg.full.sarif, everything as SARIF 2.1.0."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report
from scanagg.reports.sarif.log import stream
from scanagg.reports.sarif.results import Flavour

NAME: Final = "sarif-full"
FILENAME: Final = "scanagg.full.sarif"
ABOUT: Final = "SARIF 2.1.0 with everything: waived findings and failed runs too. Not for upload."

_FLAVOUR: Final = Flavour(whole=True)


def render(report: Report) -> Iterator[str]:
    """The log in pieces: every finding, every run however it went, and what judged them."""
    return stream(report, _FLAVOUR)
