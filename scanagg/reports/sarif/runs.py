"""Which findings stand in which run of a SARIF log, and everything of a run but its results."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import msgspec
import sarif_om

from scanagg.model import Action, Coverage, Judged, Report, Revision, Run, Status
from scanagg.reports.phrases import STATUSES, examined, plural
from scanagg.reports.sarif.known import data, upgrades_of
from scanagg.reports.sarif.places import MASK, ROOT
from scanagg.reports.sarif.results import Flavour, Project
from scanagg.reports.sarif.rules import RuleBook
from scanagg.reports.sarif.text import https, phrase, sentence, time

OWN: Final = "scanagg"

# GitHub closes every alert of a category that is uploaded without it. So a scanner that looked at
# nothing has no run there. One whose inputs are all gone has an empty one: what it once found is
# gone with them. One that left some inputs out has a run: new findings must be seen, alerts in
# those inputs open again with the next complete check, and the run says what was left out.
_SHOWN: Final = frozenset({Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE})
_LEVELS: Final = {Status.OK: "note", Status.NOT_APPLICABLE: "note", Status.DEGRADED: "warning"}

_NOT_KNOWN: Final = "0 (not known)"
# Semantic Versioning 2.0.0, https://semver.org
_SEMANTIC: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?"
    r"(\+[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?",
    re.ASCII,
)
# What a scanner is called in full, and its own page. For one that is not here its name will do.
_SCANNERS: Final = {
    "bandit": ("Bandit", "https://bandit.readthedocs.io/"),
    "detect-secrets": ("detect-secrets", "https://github.com/Yelp/detect-secrets"),
    "licenses": ("pip-licenses", "https://github.com/raimon49/pip-licenses"),
    "pip-audit": ("pip-audit", "https://github.com/pypa/pip-audit"),
    "safety": ("Safety", "https://docs.safetycli.com/"),
    "trivy": ("Trivy", "https://trivy.dev/"),
}
# scanagg has no public page yet; the standard asks for an absolute address.
_HOME: Final = "https://scanagg.invalid/"


class Section(msgspec.Struct, frozen=True):
    """One run of the log: its findings worst first, and how many more there were than fit."""

    run: Run
    findings: Sequence[Judged]
    left_out: int = 0


class Plan(msgspec.Struct, frozen=True):
    """All runs of a log, and how many findings are not in it: without a run, or waived."""

    sections: Sequence[Section]
    homeless: int = 0
    waived: int = 0


def plan(report: Report, flavour: Flavour) -> Plan:
    """Share the findings out among the runs.

    A finding goes to the first of its witnesses whose scanner has a run. Where no scanner has
    one, there is one of scanagg itself that says why: GitHub refuses a log without runs. It also
    refuses one for a single result without a file, so where the target has none it has no place.
    """
    runs = [run for run in report.runs if flavour.whole or run.status in _SHOWN]
    homes: dict[str, list[Judged]] = {run.scanner: [] for run in runs}
    homeless: list[Judged] = []
    waived = 0
    for judged in report.findings:
        if judged.verdict.action is Action.WAIVED and not flavour.whole:
            waived += 1
            continue
        home = next((name for name in judged.finding.scanners if name in homes), None)
        placed = flavour.whole or judged.finding.location or report.target.files
        (homes[home] if home and placed else homeless).append(judged)
    sections = [_section(run, homes[run.scanner], flavour.most_results) for run in runs]
    if flavour.whole and homeless:
        return Plan([*sections, Section(_own_run(report), _worst_first(homeless))])
    return Plan(sections or [Section(_own_run(report), ())], len(homeless), waived)


def notices(report: Report, flavour: Flavour) -> tuple[str, ...]:
    """What is not in the log though it was found, one sentence for each reason."""
    made = plan(report, flavour)
    said = [
        f"{_cut(section)} scanagg.json has them all."
        for section in made.sections
        if section.left_out
    ]
    if made.homeless:
        verb = "is" if made.homeless == 1 else "are"
        said.append(
            f"{plural(made.homeless, 'finding')} {verb} left out, whose scanner did not finish or "
            "for which there is no file. scanagg.json has them all."
        )
    if made.waived:
        verb = "is" if made.waived == 1 else "are"
        said.append(
            f"{plural(made.waived, 'waived finding')} {verb} left out: code scanning knows no "
            "waivers and would open alerts. scanagg.full.sarif has them all."
        )
    return tuple(said)


def run_head(
    report: Report, section: Section, book: RuleBook, flavour: Flavour, project: Project
) -> sarif_om.Run:
    """The run without its results."""
    run = section.run
    revision = report.target.revision
    return sarif_om.Run(
        tool=sarif_om.Tool(driver=_driver(run, book.descriptors())),
        automation_details=sarif_om.RunAutomationDetails(id=_category(run.scanner, revision)),
        conversion=sarif_om.Conversion(tool=sarif_om.Tool(driver=_converter(report))),
        invocations=[_invocation(section, flavour)],
        version_control_provenance=_provenance(revision),
        original_uri_base_ids={
            ROOT: sarif_om.ArtifactLocation(
                description=sarif_om.Message(text="The root of the repository.")
            )
        },
        column_kind="utf16CodeUnits",
        redaction_tokens=[MASK] if _is_masked(section.findings) else None,
        properties={"scanagg": _properties(section, project, whole=flavour.whole)},
    )


def page(scanner: str) -> str:
    """The scanner's own page."""
    return _SCANNERS[scanner][1] if scanner in _SCANNERS else _HOME


def _section(run: Run, findings: Sequence[Judged], most: int | None) -> Section:
    ordered = _worst_first(findings)
    kept = ordered[:most]
    return Section(run, kept, len(ordered) - len(kept))


def _worst_first(findings: Sequence[Judged]) -> Sequence[Judged]:
    """By severity; inside one severity in the report's own order."""
    return sorted(findings, key=lambda judged: judged.severity.order)


def _own_run(report: Report) -> Run:
    """What stands for runs that are not there: it fails, and has their words."""
    return Run(
        scanner=OWN,
        version=report.version,
        status=Status.FAILED,
        detail="no scanner has a usable result",
        coverage=Coverage("scanners", len(report.runs), 0),
        started=min((run.started for run in report.runs), default=report.clock.now),
        notices=tuple(_state(run) for run in report.runs),
    )


def _driver(run: Run, rules: Sequence[sarif_om.ReportingDescriptor]) -> sarif_om.ToolComponent:
    title = _SCANNERS[run.scanner][0] if run.scanner in _SCANNERS else run.scanner
    number = re.search(r"\d.*", phrase(run.version or ""))
    version = number.group() if number else _NOT_KNOWN
    return sarif_om.ToolComponent(
        name=run.scanner,
        full_name=title if run.scanner == OWN else f"{title}, run by scanagg",
        version=version,
        semantic_version=version if _SEMANTIC.fullmatch(version) else None,
        information_uri=page(run.scanner),
        rules=list(rules),
    )


def _converter(report: Report) -> sarif_om.ToolComponent:
    return sarif_om.ToolComponent(
        name=OWN, full_name=OWN, version=report.version, information_uri=_HOME
    )


def _category(scanner: str, revision: Revision | None) -> str:
    """GitHub's category, by which it tells alerts of one tool apart; it ends before the last "/".

    The same for the same project on every machine and at every commit.
    """
    below = phrase(revision.prefix.strip("/")) if revision else ""
    return f"{OWN}/{scanner}/{below}/" if below else f"{OWN}/{scanner}/"


def _invocation(section: Section, flavour: Flavour) -> sarif_om.Invocation:
    run = section.run
    said = list(_notifications(section))
    return sarif_om.Invocation(
        execution_successful=run.status in _SHOWN,
        arguments=list(run.argv[1:]) or None if flavour.whole else None,
        start_time_utc=time(run.started),
        end_time_utc=time(run.started + timedelta(seconds=max(run.seconds, 0.0))),
        tool_execution_notifications=said or None,
    )


def _notifications(section: Section) -> Iterator[sarif_om.Notification]:
    run = section.run
    if run.status is not Status.OK:
        yield _notification(_state(run), _LEVELS.get(run.status, "error"))
    if section.left_out:
        yield _notification(_cut(section), "warning")
    if run.hidden:
        counts = [f"{count:,} by {phrase(kind)}" for kind, count in sorted(run.hidden.items())]
        hidden = f"The project's own files hide findings from {run.scanner}: {', '.join(counts)}."
        yield _notification(hidden, "note")
    for notice in run.notices:
        yield _notification(sentence(notice), "note")


def _notification(text: str, level: str) -> sarif_om.Notification:
    return sarif_om.Notification(message=sarif_om.Message(text=text), level=level)


def _state(run: Run) -> str:
    parts = [f"{run.scanner}: {STATUSES[run.status]}", examined(run)]
    if run.coverage.found:
        parts[1] += " examined"
    return sentence("; ".join((*parts, phrase(run.detail))))


def _cut(section: Section) -> str:
    kept = len(section.findings)
    total = kept + section.left_out
    return f"{section.run.scanner}: only the worst {kept:,} of {total:,} findings are listed."


def _provenance(revision: Revision | None) -> list[sarif_om.VersionControlDetails] | None:
    """The commit; None without an address of the repository, which the standard demands."""
    repository = https(revision.repository) if revision else None
    if revision is None or repository is None:
        return None
    return [
        sarif_om.VersionControlDetails(
            repository_uri=repository,
            revision_id=revision.commit,
            branch=phrase(revision.branch) if revision.branch else None,
            mapped_to=sarif_om.ArtifactLocation(uri_base_id=ROOT),
        )
    ]


def _is_masked(findings: Sequence[Judged]) -> bool:
    """Whether text is missing on purpose: snippets that are masked, or that nobody could mask."""
    return any(
        judged.finding.snippet is None or MASK in judged.finding.snippet for judged in findings
    )


def _properties(section: Section, project: Project, *, whole: bool) -> dict[str, object]:
    run = section.run
    coverage: dict[str, object] = {
        "unit": run.coverage.unit,
        "found": run.coverage.found,
        "examined": run.coverage.examined,
    }
    made: dict[str, object] = {"status": run.status.value, "coverage": coverage}
    if section.left_out:
        made["leftOut"] = section.left_out
    if run.data:
        made["data"] = data(run.data)
    upgrades = upgrades_of(section.findings, project.upgrades) if project.upgrades else []
    if upgrades:
        made["upgrades"] = upgrades
    if whole:
        made["detail"] = run.detail
        made["hidden"] = dict(sorted(run.hidden.items()))
        coverage["notExamined"] = [
            {"input": gap.input, "reason": gap.reason} for gap in run.coverage.not_examined
        ]
    return made
