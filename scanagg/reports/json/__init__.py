"""The report for programs: scanagg.json, whole and versioned, one finding a line."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from scanagg.model import Report
from scanagg.reports import _public, _publish
from scanagg.reports._encode import encode

NAME: Final = "json"
FILENAME: Final = "scanagg.json"
ABOUT: Final = "Everything, for programs: versioned, with a JSON Schema (scanagg-report/1)."


def render(report: Report) -> Iterator[str]:
    """The report as one JSON object in pieces; findings, packages and upgrades stand on lines."""
    yield "{\n"
    yield from _member("schema", _public.SCHEMA)
    yield from _member("scanagg", _public.Scanagg(report.version))
    yield from _member("target", _publish.target(report.target))
    yield from _member("policy", _publish.policy(report.policy))
    yield from _member("clock", _publish.clock(report.clock))
    yield from _member("runs", [_publish.run(run) for run in report.runs])
    yield '  "findings": ['
    yield from _lines(_publish.finding(judged) for judged in report.findings)
    yield "],\n"
    yield from _member("gate", _publish.gate(report.gate))
    yield from _member("base", _publish.base(report.base))
    yield from _member("waivers", [_publish.waiver_use(use) for use in report.waivers])
    yield from _member("licenses", [_publish.licensed(one) for one in report.licenses])
    yield from _member("terms", _publish.terms(report.terms))
    yield '  "packages": ['
    yield from _lines(_publish.package(one) for one in report.packages)
    yield "],\n"
    yield from _member("data", [_publish.data_source(one) for one in report.data])
    yield '  "upgrades": ['
    yield from _lines(_publish.upgrade(one) for one in report.upgrades)
    yield "]\n"
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
