"""The JSON report, for programs: complete, versioned, one finding per line."""

from collections.abc import Iterator
from typing import Final

import msgspec

from scanagg.model import Report
from scanagg.reports.encoding import encode, lines

NAME: Final = "json"
FILENAME: Final = "scanagg.json"
ABOUT: Final = "Everything, for programs. Versioned, with a JSON Schema (scanagg-report/1)."


def render(report: Report) -> Iterator[str]:
    """Yield the report as one JSON object, indented for people.

    There is one line per finding, package and upgrade, so that a diff of two reports shows what
    changed.
    """
    # Imported here: its types are slow to build.
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
