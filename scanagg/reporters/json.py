"""The report for programs: scanagg.json, whole and versioned, one finding a line."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from scanagg.model import Report
from scanagg.reporters import _public
from scanagg.reporters._encode import encode

NAME: Final = "json"
FILENAME: Final = "scanagg.json"
ABOUT: Final = "Everything, for programs: versioned, with a JSON Schema (scanagg-report/1)."


def render(report: Report) -> Iterator[str]:
    """The report as one JSON object in pieces; a finding stands on a line of its own."""
    yield "{\n"
    yield from _member("schema", _public.SCHEMA)
    yield from _member("scanagg", _public.Scanagg(report.version))
    yield from _member("target", _public.target(report.target))
    yield from _member("policy", _public.policy(report.policy))
    yield from _member("clock", _public.clock(report.clock))
    yield from _member("runs", [_public.run(run) for run in report.runs])
    yield '  "findings": ['
    yield from _lines(_public.finding(judged) for judged in report.findings)
    yield "],\n"
    yield from _member("gate", _public.gate(report.gate), after="\n")
    yield "}\n"


def _member(key: str, value: object, after: str = ",\n") -> Iterator[str]:
    """One key of the top level, indented for people."""
    text = msgspec.json.format(encode(value), indent=2)
    yield f'  "{key}": ' + text.replace("\n", "\n  ") + after


def _lines(values: Iterable[object]) -> Iterator[str]:
    """Array items one a line: a diff of two reports shows which findings came and went."""
    before = "\n    "
    for value in values:
        yield before + encode(value)
        before = ",\n    "
    if before != "\n    ":
        yield "\n  "
