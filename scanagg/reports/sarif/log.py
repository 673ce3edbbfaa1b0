"""Writes a SARIF log piece by piece: one result in memory at a time, the same bytes every time."""

from collections.abc import Iterator
from typing import Final

import msgspec
import sarif_om

from scanagg.model import BaseInfo, Report, WaiverUse
from scanagg.reports import phrases
from scanagg.reports._encode import encode
from scanagg.reports.sarif.known import data, upgrade
from scanagg.reports.sarif.origin import is_suppressed, waiver
from scanagg.reports.sarif.places import Places
from scanagg.reports.sarif.results import Flavour, Project, Results
from scanagg.reports.sarif.rules import RuleBook
from scanagg.reports.sarif.runs import Section, page, plan, run_head
from scanagg.reports.sarif.values import plain

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_VERSION: Final = "2.1.0"
_PIECE: Final = 500
_ENCODER: Final = msgspec.json.Encoder()
# The one control character of ASCII that JSON leaves as it is.
_DELETE: Final = "\x7f"


def stream(report: Report, flavour: Flavour) -> Iterator[str]:
    """The log as text in pieces, one result a line."""
    places = Places(report.target)
    project = Project(report.target.name, phrases.upgrades_by_purl(report))
    yield f'{{"$schema":"{_SCHEMA}","version":"{_VERSION}","runs":['
    before = "\n"
    for section in plan(report, flavour).sections:
        yield before
        yield from _run(report, section, places, flavour, project)
        before = ",\n"
    yield "\n]" + _about(report, flavour) + "}\n"


def _run(
    report: Report, section: Section, places: Places, flavour: Flavour, project: Project
) -> Iterator[str]:
    scanner = section.run.scanner
    book = RuleBook(section.findings, scanner, page(scanner))
    head = encode(plain(run_head(report, section, book, flavour, project)))
    yield head.removesuffix("}") + ',"results":['
    states = flavour.whole and report.base is not None
    results = Results(scanner, places, book, flavour, project)
    yield from _results(section, results, states=states)
    yield "]}"


def _results(section: Section, results: Results, *, states: bool) -> Iterator[str]:
    suppressed = results.flavour.whole and any(map(is_suppressed, section.findings))
    before = "\n"
    for start in range(0, len(section.findings), _PIECE):
        part = section.findings[start : start + _PIECE]
        made = (results.result(one, suppressions=suppressed, states=states) for one in part)
        lines = [_line(result) for result in made]
        yield before + ",\n".join(lines)
        before = ",\n"


def _line(result: sarif_om.Result) -> str:
    """The result as JSON; `encode` sees to what is not plain ASCII, and takes longer."""
    value = plain(result)
    try:
        text = _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        return encode(value)
    return text if text.isascii() and _DELETE not in text else encode(value)


def _about(report: Report, flavour: Flavour) -> str:
    """What judged, and how: in the whole log only. No time of ours, unless it was given."""
    if not flavour.whole:
        return ""
    given = {"clock": report.clock.now.isoformat()} if report.clock.given else {}
    policy = report.policy
    about = {
        "policy": {
            "name": policy.name,
            "source": policy.source,
            "digest": policy.digest,
            "enforcement": policy.enforcement,
            "files": [{"path": path, "sha256": digest} for path, digest in policy.files],
            "ref": policy.ref,
        },
        "gate": {
            "outcome": report.gate.outcome.value,
            "exitCode": report.gate.exit_code,
            "reasons": list(report.gate.reasons),
            "attempts": list(report.gate.attempts),
        },
        "base": _base(report.base) if report.base else None,
        "waivers": [_waiver(use) for use in report.waivers],
        "upgrades": [upgrade(one) for one in report.upgrades],
        "data": [data(one) for one in report.data],
        "credits": phrases.data_credits(report),
        "notExamined": [
            {"input": gap.input, "reason": gap.reason} for gap in report.target.skipped
        ],
        **given,
    }
    return ',\n"properties":' + encode({"scanagg": about})


def _base(base: BaseInfo) -> dict[str, object]:
    return {
        "text": base.text,
        "commit": base.commit,
        "baseline": base.baseline,
        "entries": base.entries,
    }


def _waiver(use: WaiverUse) -> dict[str, object]:
    return {
        **waiver(use.waiver),
        "status": use.status,
        "matched": use.matched,
        "daysLeft": use.days_left,
    }
