"""`scanagg baseline`: record the findings that are not new, and keep the record short."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from msgspec.structs import replace

from scanagg.baseline.file import (
    PLACES,
    Baseline,
    BaselineEntry,
    entries_for,
    foreign,
    has_former,
    load,
    new_text,
    updated_text,
)
from scanagg.baseline.lookup import BaselineComparison, compare, first_seen
from scanagg.baseline.matching import BaselineMatch
from scanagg.cli import options
from scanagg.cli.files import write_project_file
from scanagg.cli.output import say
from scanagg.cli.request import request_of, run_whole_check
from scanagg.cli.tables import print_table
from scanagg.core.errors import BaselineError, ExitCode, ReportError, UsageError
from scanagg.core.git import Git
from scanagg.core.text import counted, one_line
from scanagg.findings.fingerprint import VERSION
from scanagg.gate.rejudge import rejudge
from scanagg.gate.rules import find_baseline, rule_files
from scanagg.model import Action, Category, Change, Finding, Report, Status, Target
from scanagg.pipeline import Request
from scanagg.policy.schema import NewCodeSection
from scanagg.project import secret_key
from scanagg.project.target import read_target
from scanagg.project.trusted import WorkTree
from scanagg.reports import phrases, wire
from scanagg.reports.reasons import sentence

app = typer.Typer(no_args_is_help=True, help="Record the findings that are not new.")

_SHOWN_ENTRIES: Final = 500
_SHOWN_FINDINGS: Final = 20
_WRITE: Final = "Create it with: scanagg baseline write"
_AGAIN: Final = "Run `scanagg check` for a new report, then try again."
# The shortest beginning of an id.
_LEAST_DIGITS: Final = 6

_Slim = Annotated[
    bool,
    typer.Option(
        "--slim",
        help="Write entries without line numbers. This resets the date of each entry that changes.",
    ),
]


# The states in which a scanner has not looked for findings.
_NOT_RUN: Final = (Status.FAILED, Status.TIMEOUT, Status.MISSING, Status.SKIPPED)


class Consent(msgspec.Struct, frozen=True):
    """The owner who accepts new findings, and the reason; both are empty without --accept.

    `findings` are the ids to add, or beginnings of ids; all new findings if there are none.
    """

    owner: str = ""
    reason: str = ""
    findings: tuple[str, ...] = ()


class BaselineWork(msgspec.Struct, frozen=True):
    """A check to run, the current baseline, and the key to write with a first baseline."""

    request: Request
    place: str
    baseline: Baseline | None
    edited_is_new: bool
    new_key: str | None = None


@app.command("write")
@options.with_options("policy_ref", "base", "output_dir", "enforcement")
def write(
    check_options: options.Options,
    slim: _Slim = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Add new findings. Requires --owner and --reason."),
    ] = False,
    owner: Annotated[
        str | None, typer.Option(help="The person or team who accepts the new findings.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why they are accepted.")] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Add only this finding: its id, or the beginning of it. Repeatable."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Use the findings in this scanagg.json instead of running a check."
        ),
    ] = None,
    no_progress: options.NoProgress = False,
) -> None:
    """Check the project, and write its findings to the baseline.

    Waived findings are left out. An existing baseline only shrinks: new findings are listed, not
    added, and the exit code is 1. Add them with --accept. If the check is incomplete, nothing is
    written. An optional scanner may fail or be missing: its first findings count as new later.
    """
    consent = _consent(accept, owner, reason, finding)
    if report is not None:
        unused = ("only", "skip", "python", "image", "now", "offline")
        options.refuse_with_report(check_options, unused)
    work = _work(check_options)
    show = not no_progress
    checked = _checked(work, report) if report else run_whole_check(work.request, show=show)
    _refuse_gaps(work, checked)
    if work.baseline is None:
        _write_first(work, checked, consent, slim=slim)
        return
    raise typer.Exit(_rewrite(work, work.baseline, checked, consent, slim=slim))


@app.command("prune")
@options.with_options("policy_ref", "base", "output_dir", "enforcement", "now")
def prune(
    check_options: options.Options,
    slim: _Slim = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Check the project, and remove entries whose findings are gone."""
    work = _work(check_options)
    if work.baseline is None:
        raise BaselineError(f"{work.place} does not exist", _WRITE)
    report = run_whole_check(work.request, show=not no_progress)
    _refuse_gaps(work, report)
    comparison = _compare(work.baseline, report)
    _update(work, work.baseline, comparison, (), slim=slim)


@app.command("show")
def show(
    path: options.Folder = Path(),
    baseline: options.BaselineFile = None,
    every: Annotated[
        bool,
        typer.Option("--all", help=f"Show every entry, not only the first {_SHOWN_ENTRIES}."),
    ] = False,
) -> None:
    """List the entries, when they were committed, and who accepted them."""
    root = options.folder_of(path)
    baseline_file = find_baseline(rule_files(root, None), baseline)
    if baseline_file is None:
        raise BaselineError(f"{PLACES[0]} does not exist", _WRITE)
    entries = baseline_file.entries
    since = first_seen(Git(root), read_target(root), baseline_file, None)
    shown = entries if every else entries[:_SHOWN_ENTRIES]
    print_table(
        ("category", "rule", "where", "since", "accepted by"),
        [
            _row(entry, since.get(line))
            for entry, line in zip(shown, baseline_file.lines, strict=False)
        ],
    )
    if len(shown) < len(entries):
        say(f"The first {len(shown)} entries. List all of them with --all.")
    say(f"{baseline_file.path}: {counted(len(entries), 'entry', 'entries')}")
    _say_counts("By category", (entry.parts.category for entry in entries))
    _say_counts("By rule", (entry.parts.rule for entry in entries))
    _say_counts("Accepted by", (entry.owner for entry in entries if entry.owner))


@app.command("key")
def key(path: options.Folder = Path()) -> None:
    """Write the project's key, by which a baseline recognises secrets."""
    root = options.folder_of(path)
    if secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.PLACE} already exists, nothing to do")
        return
    write_project_file(root, secret_key.PLACE, secret_key.new_file_text(), BaselineError)
    say(f"Wrote {secret_key.PLACE}. Commit it.")
    if secret_key.find(WorkTree(root), os.environ) != secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.VARIABLE} is set in this environment and takes precedence.")


def _row(entry: BaselineEntry, since: datetime | None) -> tuple[str, ...]:
    """Return the cells of an entry."""
    parts = entry.parts
    line = f":{entry.line}" if entry.line else ""
    function = f" in {parts.qualname}" if parts.qualname else ""
    return (
        *(parts.category, ", ".join(entry.ids) or parts.rule, f"{parts.path}{line}{function}"),
        since.date().isoformat() if since else "-",
        f"{entry.owner}: {entry.reason}" if entry.owner else "",
    )


def _say_counts(title: str, words: Iterable[str]) -> None:
    """Print how often each word occurs, the most frequent first; nothing without words."""
    counts = [f"{count} {word}" for word, count in Counter(words).most_common()]
    if counts:
        say(f"{title}: {', '.join(counts)}")


def _consent(
    accept: bool, owner: str | None, reason: str | None, findings: Sequence[str] | None
) -> Consent:
    """Return the consent that --accept and its options give. UsageError."""
    if not accept:
        for name, value in (("owner", owner), ("reason", reason), ("finding", findings)):
            if value:
                raise UsageError(f"--{name} has no effect without --accept", "Add --accept.")
        return Consent()
    consent = Consent((owner or "").strip(), (reason or "").strip(), tuple(findings or ()))
    for name in ("owner", "reason"):
        if not getattr(consent, name):
            hint = "Name who accepts the findings, and why: --owner WHO --reason WHY"
            raise UsageError(f"--accept requires --{name}", hint)
    return consent


def _work(check_options: options.Options) -> BaselineWork:
    """Return the check to run: without a base, and with every gap reported."""
    baseline = check_options.baseline
    options.require_value("--baseline", baseline)
    # The baseline need not exist yet.
    request = request_of(replace(check_options, baseline=None))
    rules = request.rules
    place = os.path.normpath(baseline or PLACES[0])
    try:
        exists = rules.files.read(place) is not None
    except OSError as error:
        hint = "Use the path of a file inside the project."
        raise BaselineError(f"{place}: {error.strerror}", hint) from error
    current = find_baseline(rules.files, place) if exists else None
    new_key = secret_key.new_file_text() if current is None and rules.key is None else None
    file = replace(rules.policy.file, new_code=NewCodeSection(against="none"))
    rules = replace(
        rules,
        baseline=None,
        policy=replace(rules.policy, enforcement="block", file=file),
        key=secret_key.read(new_key.encode()) if new_key else rules.key,
    )
    edited_is_new = request.rules.policy.file.new_code.edited == "new"
    request = replace(request, rules=rules, environ={}, former=has_former(current))
    return BaselineWork(request, place, current, edited_is_new, new_key)


def _checked(work: BaselineWork, place: Path) -> Report:
    """Return a stored report of this project, judged by its policy.

    ReportError if its baseline could miss findings, or not recognise them later.
    """
    report, name = wire.read(place), one_line(str(place))
    target = read_target(work.request.path, exclude=work.request.rules.settings.exclude)
    if _place_of(report.target) != _place_of(target):
        message = f"{name} is a report on another project or folder: {one_line(report.target.name)}"
        raise ReportError(message, _AGAIN)
    if report.terms.identity != VERSION:
        message = f"{name} was written by a version of scanagg with other fingerprints"
        raise ReportError(message, _AGAIN)
    if report.terms.only:
        message = f"{name} is from a check with --only {','.join(report.terms.only)}"
        raise ReportError(message, "Check with all scanners, or leave out --report.")
    try:
        entries = [entry for judged in report.findings for entry in entries_for(judged.finding)]
        load(new_text(entries).encode("utf-8"), name)
    except (ValueError, BaselineError) as error:
        raise ReportError(f"{name} is damaged: {error}", _AGAIN) from error
    anchors = [anchor for judged in report.findings for anchor in judged.finding.anchors]
    secrets = sum(bool(anchor.evidence) or anchor.is_secret for anchor in anchors)
    if secrets and (work.new_key or report.terms.key != secret_key.id_of(work.request.rules.key)):
        message = f"{name} was written without the project's key, which {secrets} secrets need"
        raise ReportError(message, "Run `scanagg baseline key`, then `scanagg check`.")
    is_masked = any(anchor.evidence and not anchor.is_secret for anchor in anchors)
    if work.baseline and (is_masked or has_former(work.baseline)):
        message = f"{name} lacks data by which entries of {work.place} are compared"
        raise ReportError(message, "Leave out --report to check again.")
    now = target.revision and target.revision.commit
    then = report.target.revision and report.target.revision.commit
    if now != then:
        say(f"The report is on another commit: {then[:12] if then else 'none'}")
    judged = rejudge(report, work.request.rules.policy)
    return replace(judged, target=target)


def _place_of(target: Target) -> tuple[str, str, str | None]:
    """Return what reports on the same folder have in common."""
    repository = target.revision.repository if target.revision else None
    return target.name, target.prefix, repository


def _refuse_gaps(work: BaselineWork, report: Report) -> None:
    """Raise BaselineError if a required scanner left a gap. Name others that failed."""
    gaps = dict.fromkeys(map(sentence, report.gate.gaps))
    if gaps:
        message = "\n".join(("baseline not written, because the check is incomplete:", *gaps))
        raise BaselineError(message, "Fix this, then try again.")
    missed = _missed(report)
    for run in report.runs:
        is_expected = run.status is Status.MISSING or run.scanner in work.request.skip
        if run.scanner in missed and not is_expected:
            why = sentence(run.detail) if run.detail else run.status.value
            say(f"{run.scanner}: {why}; its first findings will count as new")


def _missed(report: Report) -> frozenset[str]:
    """Return the scanners that had inputs, or may have had some, and examined none."""
    return frozenset(
        run.scanner
        for run in report.runs
        if run.status in _NOT_RUN or (run.status is Status.EMPTY and run.coverage.gaps)
    )


def _rewrite(
    work: BaselineWork, baseline: Baseline, report: Report, consent: Consent, *, slim: bool
) -> int:
    """Write what of the baseline may change, and list new findings; return the exit code."""
    comparison = _compare(baseline, report)
    fresh = [
        (judged.finding, new)
        for judged, matches in zip(report.findings, comparison.matches, strict=True)
        if judged.verdict.action is not Action.WAIVED
        if (new := _new(judged.finding, matches, work.edited_is_new))
    ]
    accepted = _accepted(fresh, consent)
    replaced = {match.base for _, new in accepted for match in new.values()}
    comparison = replace(comparison, matched=comparison.matched - replaced)
    added = [
        entry
        for finding, new in accepted
        for index, entry in enumerate(entries_for(finding, consent.owner, consent.reason))
        if index in new
    ]
    packages_added = sum(entry.of_package for entry in added)
    left_out = packages_added < sum(finding.package is not None for finding, _ in fresh)
    if left_out and packages_added:
        say("Some findings in packages are not accepted, so all packages added since stay new.")
    # A scanner has had its first run once all that it found is in the baseline.
    unknown = {
        name
        for finding, _ in fresh
        if not consent.owner or consent.findings
        for name in finding.scanners
    }
    ran = {run.scanner for run in report.runs} - _missed(report)
    without = baseline.without - (ran - unknown)
    _update(work, baseline, comparison, added, slim=slim, left_out=left_out, without=without)
    _warn_of_secrets(added)
    if not fresh or consent.owner:
        return ExitCode.PASS
    _say_not_added(fresh)
    return ExitCode.BLOCKED


_Fresh = tuple[Finding, Mapping[int, BaselineMatch]]
"""A finding, and the matches of its anchors that are new, by their index."""


def _say_not_added(fresh: Sequence[_Fresh]) -> None:
    """List new findings, and how to add them to the baseline."""
    say(f"{counted(len(fresh), 'new finding')} not added:")
    for finding, _ in fresh[:_SHOWN_FINDINGS]:
        package = finding.package
        where = f"{package.name} {package.version}" if package else phrases.place(finding.location)
        say(f"  {finding.id}  {finding.rule.id}  {where}  {finding.title}")
    if len(fresh) > _SHOWN_FINDINGS:
        say(f"  and {len(fresh) - _SHOWN_FINDINGS} more")
    say("Fix or waive them. Or add them to the baseline:")
    say("  scanagg baseline write --accept --owner WHO --reason WHY [--finding ID]")


def _write_first(work: BaselineWork, report: Report, consent: Consent, *, slim: bool) -> None:
    """Write the first baseline, and the key with it."""
    if consent.findings:
        hint = "A first baseline contains all findings. Leave --finding out."
        raise UsageError(f"--finding has no effect, because {work.place} does not exist", hint)
    root = work.request.path
    if work.new_key:
        write_project_file(root, secret_key.PLACE, work.new_key, BaselineError)
    entries = [
        entry
        for judged in report.findings
        if judged.verdict.action is not Action.WAIVED
        for entry in entries_for(judged.finding, consent.owner, consent.reason)
    ]
    text = new_text(entries, slim=slim, without=_missed(report))
    write_project_file(root, work.place, text, BaselineError)
    counts = sorted(Counter(entry.parts.category for entry in entries).items())
    kinds = ", ".join(f"{count} {name}" for name, count in counts)
    total = counted(len(entries), "finding")
    say(f"Wrote {work.place}: {total}{f' ({kinds})' if kinds else ''}")
    if work.new_key:
        say(f"Wrote {secret_key.PLACE}: the key by which checks recognise known secrets")
    both = "both files" if work.new_key else "it"
    say(f"Commit {both}. From now on, only findings that are not in the baseline are new.")
    _warn_of_secrets(entries)


def _compare(baseline: Baseline, report: Report) -> BaselineComparison:
    findings = [judged.finding for judged in report.findings]
    paths = {report.target.prefix + file.path for file in report.target.files}
    if foreign(baseline, paths):
        say("None of the files in the baseline exists here. Does it belong to another project?")
    return compare(baseline, findings, report.runs, paths, report.target.prefix)


def _new(
    finding: Finding, matches: Sequence[BaselineMatch], edited_is_new: bool
) -> Mapping[int, BaselineMatch]:
    """Return the matches of the anchors that a check with this baseline would call introduced."""
    new = {Change.NEW}
    if edited_is_new or finding.category is Category.SECRET:
        new.add(Change.UPDATED)
    return {index: match for index, match in enumerate(matches) if match.change in new}


def _accepted(fresh: Sequence[_Fresh], consent: Consent) -> list[_Fresh]:
    """Return the new findings to add. UsageError for an id that none of them has."""
    if not consent.findings:
        return list(fresh) if consent.owner else []
    chosen: dict[int, _Fresh] = {}
    for given in consent.findings:
        named = [
            pair
            for pair in fresh
            if len(given) >= _LEAST_DIGITS and pair[0].fingerprint.startswith(given.lower())
        ]
        if not named:
            hint = "List the new findings with: scanagg baseline write"
            raise UsageError(f"no new finding has an id that begins with {given}", hint)
        chosen |= {id(pair): pair for pair in named}
    return [pair for pair in fresh if id(pair) in chosen]


def _update(
    work: BaselineWork,
    baseline: Baseline,
    comparison: BaselineComparison,
    added: Sequence[BaselineEntry],
    *,
    slim: bool,
    left_out: bool = False,
    without: frozenset[str] | None = None,
) -> None:
    """Write the baseline with the entries to keep and to add, and print their numbers.

    `without` are the scanners that have not run yet; None for those in the baseline.
    """
    keep = comparison.matched | comparison.unsure
    removed = len(baseline.entries) - len(keep)
    without = baseline.without if without is None else without
    if removed or added or slim or without != baseline.without:
        text = updated_text(baseline, keep, added, slim=slim, left_out=left_out, without=without)
        write_project_file(work.request.path, work.place, text, BaselineError)
    kept = counted(len(keep), "entry", "entries")
    say(f"{work.place}: {kept} kept, {removed} removed, {len(added)} added")
    count = len(comparison.unsure)
    if count:
        stay = "1 entry stays" if count == 1 else f"{count} entries stay"
        say(
            f"{stay} without a finding: a scanner that reported it did not run or finish this time."
        )


def _warn_of_secrets(added: Sequence[BaselineEntry]) -> None:
    count = sum(entry.parts.category == Category.SECRET.value for entry in added)
    if count:
        say(f"{counted(count, 'secret')} added. A baseline does not make a secret safe.")
        say("Rotate every real one.")
