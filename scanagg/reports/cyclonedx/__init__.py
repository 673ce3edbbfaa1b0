"""The report as a bill of materials: scanagg.cdx.json, CycloneDX 1.6 with its vulnerabilities."""

from collections.abc import Iterator
from typing import Final

from scanagg.model import Report

NAME: Final = "cyclonedx"
FILENAME: Final = "scanagg.cdx.json"
ABOUT: Final = (
    "CycloneDX 1.6 (SBOM and VEX): packages, licences, vulnerabilities and their waivers."
)


def render(report: Report) -> Iterator[str]:
    """Return the document in pieces; one line per component and vulnerability."""
    # Imported here: cyclonedx-python-lib is slow to import.
    from scanagg.reports.cyclonedx.document import write  # noqa: PLC0415

    return write(report)
