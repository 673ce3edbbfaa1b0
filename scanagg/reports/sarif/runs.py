"""The runs of a SARIF log, one per scanner, and the log as text in pieces."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import timedelta
from typing import Final

import msgspec
import sarif_om

from scanagg.model import (
    Action,
    Coverage,
    Judged,
    Reason,
    Report,
    Revision,
    Run,
    ScannerInfo,
    Status,
)
from scanagg.reports import phrases, reasons, secrets
from scanagg.reports.encoding import encode
from scanagg.reports.sarif.results import (
    MASK,
    ROOT,
    Places,
    Results,
    is_suppressed,
)
from scanagg.reports.sarif.rules import SarifRules
from scanagg.reports.sarif.values import https, phrase, plain, sentence, time
from scanagg.reports.wire import WireCoverage, WireDataSource, convert, members

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_VERSION: Final = "2.1.0"
_PIECE: Final = 500

OWN: Final = "scanagg"

# GitHub keeps the first 5,000 results of a run,
# https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
_MOST_RESULTS: Final = 5_000

# GitHub closes every alert of a category that an upload of the category lacks. So a scanner that
# examined nothing has no run. A scanner without any input left has an empty run, which closes its
# alerts. A scanner that skipped some inputs has a run: its new findings must show up, alerts for
# the skipped inputs reopen with the next complete check, and the run names those inputs.
_SHOWN: Final = frozenset({Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE})
_LEVELS: Final = {
    **dict.fromkeys((Status.OK, Status.NOT_APPLICABLE, Status.SKIPPED), "note"),
    Status.DEGRADED: "warning",
}

_NOT_KNOWN: Final = "0 (not known)"
# Semantic Versioning 2.0.0, https://semver.org
_SEMANTIC: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?"
    r"(\+[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?",
    re.ASCII,
)
# scanagg has no public page yet; the standard asks for an absolute address.
_HOME: Final = "https://scanagg.invalid/"


class SarifRun(msgspec.Struct, frozen=True):
    """One run of the log: its findings, worst first, and their number before the cut."""

    run: Run
    findings: Sequence[Judged]
    total: int

    @property
    def left_out(self) -> int:
        """The number of findings over GitHub's limit."""
        return self.total - len(self.findings)

    @property
    def cut(self) -> str:
        """Say that findings are left out."""
        return (
            f"{self.run.scanner}: only the worst {len(self.findings):,} of {self.total:,} findings "
            "are listed."
        )


class Plan(msgspec.Struct, frozen=True):
    """All runs of a log, and the number of findings without a run."""

    sections: Sequence[SarifRun]
    homeless: int


def plan(report: Report, *, whole: bool) -> Plan:
    """Assign the findings to runs; all of them, and failed runs, only if the log is `whole`.

    The other log lacks waived findings, and values that look like no secrets.

    A finding goes to the first of its witnesses whose scanner has a run. If no scanner has one,
    there is one of scanagg itself that says why: GitHub refuses a log without runs. It also
    refuses a log for a single result without a file, so such findings are left out if the target
    has no file at all.
    """
    runs = [run for run in report.runs if whole or run.status in _SHOWN]
    homes = _homes(report, {run.scanner for run in runs}, whole=whole)
    if not runs or (whole and homes[None]):
        runs.append(_own_run(report))
        homes[OWN] = homes[None] if whole else []
    sections = []
    for run in runs:
        findings = sorted(homes[run.scanner], key=lambda judged: judged.severity.order)
        fitting = findings if whole else findings[:_MOST_RESULTS]
        sections.append(SarifRun(run, fitting, len(findings)))
    return Plan(sections, len(homes[None]))


def _homes(report: Report, scanners: Set[str], *, whole: bool) -> dict[str | None, list[Judged]]:
    """Return the findings by the scanner of their run; those without a run under None."""
    homes: dict[str | None, list[Judged]] = defaultdict(list)
    has_files = whole or bool(report.target.files)
    for judged in report.findings:
        left_out = judged.verdict.action is Action.WAIVED or secrets.is_unlikely(judged)
        if whole or not left_out:
            home = next((name for name in judged.finding.scanners if name in scanners), None)
            homes[home if has_files or judged.finding.location else None].append(judged)
    return homes


def _own_run(report: Report) -> Run:
    """Return a failed run of scanagg that names the runs that are missing."""
    return Run(
        scanner=OWN,
        version=report.version,
        status=Status.FAILED,
        detail=Reason("no-scanner-result"),
        coverage=Coverage("scanners", len(report.runs), 0),
        started=min((run.started for run in report.runs), default=report.clock.now),
        notices=tuple(Reason("text", {"text": _state(run)}) for run in report.runs),
    )


def notices(report: Report) -> tuple[str, ...]:
    """Return how many findings the log for GitHub lacks, one sentence for each reason."""
    planned = plan(report, whole=False)
    texts = [section.cut for section in planned.sections if section.left_out]
    if planned.homeless:
        findings = phrases.plural(planned.homeless, "finding")
        texts.append(
            f"{findings} left out: the scanner did not finish, or the project has no file to show."
        )
    waived = phrases.count(report.findings).actions[Action.WAIVED]
    if waived:
        findings = phrases.plural(waived, "waived finding")
        texts.append(f"{findings} left out: code scanning would open an alert for each.")
    unlikely = sum(map(secrets.is_unlikely, report.findings))
    if unlikely:
        values = phrases.plural(
            unlikely,
            "value left out that looks like no secret",
            "values left out that look like no secrets",
        )
        texts.append(f"{values}: code scanning would open an alert for each.")
    return tuple(f"{text} scanagg.json has all of them." for text in texts)


def stream(report: Report, *, whole: bool) -> Iterator[str]:
    """Yield the log as text in pieces, one result a line and in memory at a time."""
    places = Places(report.target)
    yield f'{{"$schema":"{_SCHEMA}","version":"{_VERSION}","runs":['
    before = "\n"
    for section in plan(report, whole=whole).sections:
        scanner, findings = section.run.scanner, section.findings
        rules = SarifRules(findings, scanner, _info(report, scanner).url)
        head = encode(plain(_run_head(report, section, rules, whole=whole)))
        yield before + head.removesuffix("}") + ',"results":['
        results = Results(report, scanner, rules, places, whole=whole)
        suppressions = whole and any(map(is_suppressed, findings))
        before = "\n"
        for start in range(0, len(findings), _PIECE):
            piece = (
                results.result(judged, suppressions=suppressions)
                for judged in findings[start : start + _PIECE]
            )
            yield before + ",\n".join(encode(plain(result)) for result in piece)
            before = ",\n"
        yield "]}"
        before = ",\n"
    yield "\n]"
    if whole:
        # As in scanagg.json. The time of the check only if it was given.
        keys = {"target", "policy", "gate", "base", "waivers", "data", "upgrades"}
        keys |= {"clock"} if report.clock.given else set()
        values: dict[str, object] = {}
        for key, value in members(report):
            if key in keys:
                values[key] = list(value) if isinstance(value, Iterator) else value
        values["credits"] = phrases.data_credits(report)
        yield ',\n"properties":' + encode({"scanagg": values})
    yield "}\n"


def _run_head(report: Report, section: SarifRun, rules: SarifRules, *, whole: bool) -> sarif_om.Run:
    """Return the run without its results."""
    run, revision = section.run, report.target.revision
    # GitHub groups alerts by this category. It is the same on every machine and at every commit.
    parts = (OWN, run.scanner, phrase(revision.prefix.strip("/")) if revision else "")
    snippets = [judged.finding.snippet for judged in section.findings]
    is_masked = any(snippet is None or MASK in snippet for snippet in snippets)
    return sarif_om.Run(
        tool=sarif_om.Tool(driver=_driver(run, _info(report, run.scanner), rules.descriptors())),
        automation_details=sarif_om.RunAutomationDetails(
            id="".join(f"{part}/" for part in filter(None, parts))
        ),
        conversion=sarif_om.Conversion(
            tool=sarif_om.Tool(
                driver=sarif_om.ToolComponent(
                    name=OWN, full_name=OWN, version=report.version, information_uri=_HOME
                )
            )
        ),
        invocations=[
            sarif_om.Invocation(
                execution_successful=run.status in _SHOWN,
                arguments=list(run.argv[1:]) or None if whole else None,
                start_time_utc=time(run.started),
                end_time_utc=time(run.started + timedelta(seconds=max(run.seconds, 0.0))),
                tool_execution_notifications=list(_notifications(section)) or None,
            )
        ],
        version_control_provenance=_provenance(revision) if revision else None,
        original_uri_base_ids={
            ROOT: sarif_om.ArtifactLocation(
                description=sarif_om.Message(text="Root of the repository.")
            )
        },
        column_kind="utf16CodeUnits",
        redaction_tokens=[MASK] if is_masked else None,
        properties={"scanagg": _values(section, whole=whole)},
    )


def _values(section: SarifRun, *, whole: bool) -> dict[str, object]:
    """Return the values of ours that have no place in the standard."""
    run = section.run
    coverage: WireCoverage = convert(run.coverage, WireCoverage)
    numbers = {"unit": coverage.unit, "found": coverage.found, "examined": coverage.examined}
    values = {
        "status": run.status,
        "coverage": coverage if whole else numbers,
        "data": convert(run.data, WireDataSource | None),
        "leftOut": section.left_out,
    }
    return {key: value for key, value in values.items() if value}


def _provenance(revision: Revision) -> list[sarif_om.VersionControlDetails] | None:
    """Return the commit. The standard requires the address of its repository."""
    repository = https(revision.repository)
    if repository is None:
        return None
    return [
        sarif_om.VersionControlDetails(
            repository_uri=repository,
            revision_id=revision.commit,
            branch=phrase(revision.branch) if revision.branch else None,
            mapped_to=sarif_om.ArtifactLocation(uri_base_id=ROOT),
        )
    ]


def _info(report: Report, scanner: str) -> ScannerInfo:
    """Return the description of a scanner; just its name if this version has none."""
    own = ScannerInfo(name=scanner, url=_HOME if scanner == OWN else "")
    return report.scanners.get(scanner, own)


def _driver(
    run: Run, info: ScannerInfo, rules: Iterable[sarif_om.ReportingDescriptor]
) -> sarif_om.ToolComponent:
    title = info.title or run.scanner
    number = re.search(r"\d.*", phrase(run.version or ""))
    version = number.group() if number else _NOT_KNOWN
    return sarif_om.ToolComponent(
        name=run.scanner,
        full_name=title if run.scanner == OWN else f"{title}, run by scanagg",
        version=version,
        semantic_version=version if _SEMANTIC.fullmatch(version) else None,
        information_uri=info.url or None,
        rules=list(rules),
    )


def _notifications(section: SarifRun) -> Iterator[sarif_om.Notification]:
    run = section.run
    texts: list[tuple[str, str]] = []
    if run.status is not Status.OK:
        texts.append((_state(run), _LEVELS.get(run.status, "error")))
    if section.left_out:
        texts.append((section.cut, "warning"))
    if run.hidden:
        counts = [f"{count:,} by {phrase(kind)}" for kind, count in sorted(run.hidden.items())]
        hidden = f"The project's own files suppress findings of {run.scanner}: {', '.join(counts)}."
        texts.append((hidden, "note"))
    texts += [(sentence(reasons.sentence(notice)), "note") for notice in run.notices]
    for text, level in texts:
        yield sarif_om.Notification(message=sarif_om.Message(text=text), level=level)


def _state(run: Run) -> str:
    examined = phrases.examined(run) + (" examined" if run.coverage.found else "")
    status = f"{run.scanner}: {phrases.STATUSES[run.status]}"
    detail = phrase(reasons.sentence(run.detail)) if run.detail else ""
    return sentence("; ".join((status, examined, detail)))
