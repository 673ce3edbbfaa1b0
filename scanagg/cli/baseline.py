"""`scanagg baseline`: write, shrink and show what a project knew of when it began to gate."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from msgspec.structs import replace

from scanagg.baseline.file import (
    PLACES,
    Baseline,
    BaselineEntry,
    entry_for,
    foreign,
    new_text,
    updated_text,
)
from scanagg.baseline.lookup import BaselineComparison, compare, first_seen
from scanagg.baseline.matching import BaselineMatch
from scanagg.cli import options
from scanagg.cli.files import write_file
from scanagg.cli.output import say
from scanagg.cli.request import request_of, run_whole_check
from scanagg.cli.tables import print_table
from scanagg.core.errors import BaselineError, ExitCode, UsageError
from scanagg.core.git import Git
from scanagg.core.text import counted
from scanagg.gate.rules import find_baseline, rule_files
from scanagg.model import Action, Category, Change, Finding, Report, Status
from scanagg.pipeline import Request
from scanagg.policy.schema import NewCodeSection
from scanagg.project import secret_key
from scanagg.project.target import read_target
from scanagg.project.trusted import WorkTree
from scanagg.reports.reasons import sentence

app = typer.Typer(no_args_is_help=True, help="Keep the baseline: findings that are not new.")

_SHOWN_ENTRIES: Final = 500
_SHOWN_FINDINGS: Final = 20
# The shortest prefix of an id, as with git.
_LEAST_DIGITS: Final = 6

_Slim = Annotated[
    bool, typer.Option("--slim", help="Without line hints; the dates of all lines are lost once.")
]


class Consent(msgspec.Struct, frozen=True):
    """The owner who lets the baseline grow and the reason; by all `findings` if none are given."""

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
        bool, typer.Option("--accept", help="Let the baseline grow; needs --owner and --reason.")
    ] = False,
    owner: Annotated[str | None, typer.Option(help="Who answers for what is accepted.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is accepted.")] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Accept this one only, repeatable: an id or its beginning."
        ),
    ] = None,
    no_progress: options.NoProgress = False,
) -> None:
    """Check, and write all findings that are not waived into the baseline.

    A baseline that is there already only shrinks: what it would grow by is listed, and the exit
    code is 1. A check that is incomplete writes nothing.
    """
    consent = _consent(accept, owner, reason, finding)
    work = _work(check_options)
    report = _check(work, show=not no_progress)
    raise typer.Exit(_write(work, report, consent, slim=slim))


@app.command("prune")
@options.with_options("policy_ref", "base", "output_dir", "enforcement", "now")
def prune(
    check_options: options.Options,
    slim: _Slim = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Check, and take out of the baseline what matches nothing any more; never add to it."""
    work = _work(check_options)
    if work.baseline is None:
        message = f"there is no baseline {work.place}"
        raise BaselineError(message, "Make one with: scanagg baseline write")
    report = _check(work, show=not no_progress)
    comparison = _compare(work.baseline, [one.finding for one in report.findings], report)
    _update(work, work.baseline, comparison, (), slim=slim)


@app.command("show")
def show(
    path: options.Folder = Path(),
    baseline: options.BaselineFile = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every entry, not the first {_SHOWN_ENTRIES} only.")
    ] = False,
) -> None:
    """List the entries of the baseline, since when each is known, and who accepted it."""
    root = options.folder_of(path)
    known = find_baseline(rule_files(root, None), baseline)
    if known is None:
        raise BaselineError("there is no baseline", "Make one with: scanagg baseline write")
    entries = known.entries
    since = dict(first_seen(Git(root), read_target(root), known, None))
    rows: list[tuple[str, ...]] = []
    for entry, line in zip(entries, known.lines, strict=True):
        if len(rows) == _SHOWN_ENTRIES and not every:
            break
        parts = entry.parts
        place = f"{parts.path}:{entry.line}" if entry.line else parts.path
        rows.append(
            (
                parts.category,
                ", ".join(entry.ids) or parts.rule,
                f"{place} in {parts.qualname}" if parts.qualname else place,
                since[line].date().isoformat() if line in since else "-",
                f"{entry.owner}: {entry.reason}" if entry.owner else "",
            )
        )
    if rows:
        print_table(("category", "rule", "where", "since", "accepted by"), rows)
    if len(rows) < len(entries):
        say(f"the first {len(rows)} of them; --all shows every one")
    say(f"{known.path}: {counted(len(entries), 'entry', 'entries')}")
    for title, values in (
        ("by category", [entry.parts.category for entry in entries]),
        ("by rule", [entry.parts.rule for entry in entries]),
        ("accepted by", [entry.owner for entry in entries]),
    ):
        counts = Counter(filter(None, values)).most_common()
        if counts:
            say(f"{title}: {', '.join(f'{count} {name}' for name, count in counts)}")


@app.command("key")
def key(path: options.Folder = Path()) -> None:
    """Make the project's key, by which secrets are known again, unless there is one."""
    root = options.folder_of(path)
    if secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.PLACE} is there already: nothing to do")
        return
    _store(root, secret_key.PLACE, secret_key.new_file_text())
    say(f"made {secret_key.PLACE}: commit it")
    if secret_key.find(WorkTree(root), os.environ) != secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.VARIABLE} is set here and goes before it")


def _consent(
    accept: bool, owner: str | None, reason: str | None, findings: Sequence[str] | None
) -> Consent | None:
    """Return the consent of --accept and its options; None without it. UsageError."""
    if not accept:
        for name, value in (("owner", owner), ("reason", reason), ("finding", findings)):
            if value:
                raise UsageError(f"--{name} belongs to --accept", "Give --accept as well.")
        return None
    for name, value in (("owner", owner), ("reason", reason)):
        if value is None or not value.strip():
            hint = "A baseline grows only with somebody who answers for it, and why."
            raise UsageError(f"--accept needs --{name}", hint)
    return Consent((owner or "").strip(), (reason or "").strip(), tuple(findings or ()))


def _work(check_options: options.Options) -> BaselineWork:
    """Return what to check: there is no base to compare with, and no gap is forgiven."""
    baseline = check_options.baseline
    options.require_value("--baseline", baseline)
    # A baseline that does not exist yet is no error here.
    request = request_of(replace(check_options, baseline=None))
    rules = request.rules
    place = os.path.normpath(baseline or PLACES[0])
    try:
        exists = rules.files.read(place) is not None
    except OSError as error:
        hint = "Give a path inside of the project, where a file is or can be."
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
    request = replace(request, rules=rules, environ={})
    return BaselineWork(request, place, current, edited_is_new, new_key)


def _check(work: BaselineWork, *, show: bool) -> Report:
    """Return the report of a whole check. BaselineError if something was not examined."""
    report = run_whole_check(work.request, show=show)
    gaps = [*report.gate.gaps]
    for run in report.runs:
        # The gate lets optional scanners fail. A baseline must not miss their findings.
        is_empty = run.status is Status.EMPTY and run.coverage.gaps
        if is_empty or run.status in (Status.FAILED, Status.TIMEOUT):
            gaps.append(f"{run.scanner}: {sentence(run.detail) if run.detail else run.status}")
    if gaps:
        hint = "A baseline of half a check would make the rest new later: mend that, then again."
        raise BaselineError("\n".join(("the check is incomplete:", *dict.fromkeys(gaps))), hint)
    return report


def _write(work: BaselineWork, report: Report, consent: Consent | None, *, slim: bool) -> int:
    """Write what may be written; return the exit code."""
    findings = [judged.finding for judged in report.findings]
    waived = {id(one.finding) for one in report.findings if one.verdict.action is Action.WAIVED}
    if work.baseline is None:
        _write_first(work, [one for one in findings if id(one) not in waived], consent, slim=slim)
        return ExitCode.PASS
    comparison = _compare(work.baseline, findings, report)
    fresh = [
        (finding, match)
        for finding, match in zip(findings, comparison.matches, strict=True)
        if id(finding) not in waived and _is_new(finding, match, work.edited_is_new)
    ]
    accepted = _accepted(fresh, consent)
    replaced = frozenset(match.base for _, match in accepted if match.base is not None)
    comparison = replace(comparison, matched=comparison.matched - replaced)
    owner, reason = (consent.owner, consent.reason) if consent else ("", "")
    added = [entry_for(finding, owner, reason) for finding, _ in accepted]
    accepted_ids = {id(finding) for finding, _ in accepted}
    left_out = any(one.package and id(one) not in accepted_ids for one, _ in fresh)
    if left_out and any(finding.package for finding, _ in accepted):
        say("of packages not all is accepted: what is in one that came since still counts as new")
    _update(work, work.baseline, comparison, added, slim=slim, left_out=left_out)
    _warn_of_secrets([finding for finding, _ in accepted])
    if not fresh or consent:
        return ExitCode.PASS
    say(f"{counted(len(fresh), 'finding')} not in it, for it only shrinks by itself:")
    for finding, _ in fresh[:_SHOWN_FINDINGS]:
        package, place = finding.package, finding.location
        if package:
            where = f"{package.name} {package.version}"
        else:
            where = f"{place.path}:{place.start_line or 1}" if place else ""
        say(f"  {finding.id}  {finding.rule.id}  {where}  {finding.title}")
    if len(fresh) > _SHOWN_FINDINGS:
        say(f"  and {len(fresh) - _SHOWN_FINDINGS} more")
    say("fix or waive them, or let it grow: --accept --owner WHO --reason WHY [--finding ID]")
    return ExitCode.BLOCKED


def _write_first(
    work: BaselineWork, findings: Sequence[Finding], consent: Consent | None, *, slim: bool
) -> None:
    """Write the first baseline, and the key with it."""
    if consent and consent.findings:
        hint = "A first baseline takes in everything; leave --finding out."
        raise UsageError(f"--finding: there is no baseline {work.place} yet", hint)
    owner, reason = (consent.owner, consent.reason) if consent else ("", "")
    root = work.request.path
    if work.new_key:
        _store(root, secret_key.PLACE, work.new_key)
    text = new_text([entry_for(one, owner, reason) for one in findings], slim=slim)
    _store(root, work.place, text)
    counts = sorted(Counter(one.category.value for one in findings).items())
    kinds = ", ".join(f"{count} {name}" for name, count in counts)
    say(f"wrote {work.place}: {counted(len(findings), 'finding')}{f' ({kinds})' if kinds else ''}")
    if work.new_key:
        say(f"made {secret_key.PLACE}, by which secrets are known again")
    say(f"commit {'both' if work.new_key else 'it'}: from now on only other findings are new")
    _warn_of_secrets(findings)


def _compare(baseline: Baseline, findings: Sequence[Finding], report: Report) -> BaselineComparison:
    revision = report.target.revision
    prefix = revision.prefix if revision else ""
    paths = {prefix + file.path for file in report.target.files}
    if foreign(baseline, paths):
        say("no file that the baseline names is here: is it another project's?")
    return compare(baseline, findings, report.runs, paths, prefix)


def _is_new(finding: Finding, match: BaselineMatch, edited_is_new: bool) -> bool:
    """Return True if a check with this baseline would call the finding introduced."""
    if match.change is Change.UPDATED:
        return edited_is_new or finding.category is Category.SECRET
    return match.change is Change.NEW


def _accepted(
    fresh: Sequence[tuple[Finding, BaselineMatch]], consent: Consent | None
) -> list[tuple[Finding, BaselineMatch]]:
    """Return the new findings that are accepted. UsageError for an id that none of them has."""
    if consent is None:
        return []
    if not consent.findings:
        return list(fresh)
    chosen: dict[int, tuple[Finding, BaselineMatch]] = {}
    for given in consent.findings:
        named = [
            pair
            for pair in fresh
            if len(given) >= _LEAST_DIGITS and pair[0].fingerprint.startswith(given.lower())
        ]
        if not named:
            hint = "Run scanagg baseline write without --accept: it lists them."
            raise UsageError(f"--finding {given}: no new finding is called so", hint)
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
) -> None:
    """Write the baseline with the entries that stay and those that are added, and print both."""
    keep = comparison.matched | comparison.unsure
    removed = len(baseline.entries) - len(keep)
    if removed or added or slim:
        text = updated_text(baseline, keep, added, slim=slim, left_out=left_out)
        _store(work.request.path, work.place, text)
    kept = counted(len(keep), "entry", "entries")
    say(f"{work.place}: {kept} kept, {removed} removed, {len(added)} added")
    count = len(comparison.unsure)
    if count:
        stay = f"{count} entries match nothing but stay"
        stay = stay if count > 1 else "1 entry matches nothing but stays"
        say(f"{stay}: not everybody who saw it could look at everything now")


def _warn_of_secrets(findings: Sequence[Finding]) -> None:
    count = sum(one.category is Category.SECRET for one in findings)
    if count:
        say(
            f"{counted(count, 'secret')} among them: to know of a secret does not make it safe; "
            "rotate what is real"
        )


def _store(root: Path, place: str, text: str) -> None:
    write_file(root / place, text, BaselineError, shown=place, mode=0o644)
