"""The report for programs: scanagg.json, whole and versioned, one finding a line."""

from collections.abc import Iterator
from typing import Final

import msgspec

from scanagg.model import Report
from scanagg.reports.encoding import encode, lines

NAME: Final = "json"
FILENAME: Final = "scanagg.json"
ABOUT: Final = "Everything, for programs: versioned, with a JSON Schema (scanagg-report/1)."


def render(report: Report) -> Iterator[str]:
    """Yield the report as one JSON object, indented for people.

    Findings, packages and upgrades stand one on a line: a diff of two reports shows which findings
    came and went.
    """
    # Imported here: its types take a while to build.
    from scanagg.reports import wire  # noqa: PLC0415

    before = "{\n"
    for key, value in wire.members(report):
        yield f'{before}  "{key}": '
        if isinstance(value, Iterator):
            yield from lines(value)
        else:
            yield msgspec.json.format(encode(value), indent=2).replace("\n", "\n  ")
        before = ",\n"
    yield "\n}\n"
