"""`scanagg baseline`: write, shrink and show what a project knew of when it began to gate."""

import os
from collections import Counter
from collections.abc import Sequence
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
    entry_for,
    foreign,
    new_text,
    updated_text,
)
from scanagg.baseline.lookup import BaselineComparison, compare, first_seen
from scanagg.baseline.matching import Match
from scanagg.cli import request as options
from scanagg.cli.output import say
from scanagg.cli.progress import checked
from scanagg.cli.tables import print_table
from scanagg.core.cache import write_atomically
from scanagg.core.errors import BaselineError, ExitCode, UsageError
from scanagg.core.git import Git
from scanagg.core.text import counted
from scanagg.gate.rules import find_baseline, rule_files
from scanagg.model import Action, Category, Change, Finding, Report, Run, Status
from scanagg.pipeline import Request
from scanagg.policy.schema import NewCodeSection
from scanagg.project import secret_key
from scanagg.project.target import read_target
from scanagg.project.trusted import Files, WorkTree

app = typer.Typer(no_args_is_help=True, help="Keep the baseline: findings that are not new.")

_SHOWN: Final = 500
_FOLDER: Final = "The project's folder."
_Slim = Annotated[
    bool, typer.Option("--slim", help="Without line hints; the dates of all lines are lost once.")
]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]


_SHOWN_FINDINGS: Final = 20


# An id may be given by its beginning, as with git.
_LEAST: Final = 6


class Accept(msgspec.Struct, frozen=True):
    """Who lets the baseline grow and why; `findings` where only by some."""

    owner: str = ""
    reason: str = ""
    findings: tuple[str, ...] = ()


class _Work(msgspec.Struct, frozen=True):
    """A check that is to be done, the baseline as it is, and a key to be made with a first one."""

    request: Request
    place: str
    baseline: Baseline | None
    edited_is_new: bool
    new_key: str | None = None


@app.command("write")
def write(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    baseline: options.BaselineFile = None,
    only: options.Only = None,
    skip: options.Skip = None,
    python: options.Python = None,
    image: options.Image = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    deadline: options.Deadline = None,
    offline: options.Offline = False,
    now: options.Now = None,
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
    no_progress: _NoProgress = False,
) -> None:
    """Check, and write all findings that are not waived into the baseline.

    A baseline that is there already only shrinks: what it would grow by is listed, and the exit
    code is 1. A check that is incomplete writes nothing.
    """
    consent = _consent(accept, owner, reason, finding)
    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        skip=skip,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        deadline=deadline,
        offline=offline,
        now=now,
    )
    code = _write(asked, baseline, consent, slim=slim, show=not no_progress)
    raise typer.Exit(code)


@app.command("prune")
def prune(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    baseline: options.BaselineFile = None,
    only: options.Only = None,
    skip: options.Skip = None,
    python: options.Python = None,
    image: options.Image = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    deadline: options.Deadline = None,
    offline: options.Offline = False,
    slim: _Slim = False,
    no_progress: _NoProgress = False,
) -> None:
    """Check, and take out of the baseline what matches nothing any more; never add to it."""
    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        skip=skip,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        deadline=deadline,
        offline=offline,
    )
    _prune(asked, baseline, slim=slim, show=not no_progress)


@app.command("show")
def show(
    path: Annotated[Path, typer.Argument(help=_FOLDER)] = Path(),
    baseline: options.BaselineFile = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every entry, not the first {_SHOWN} only.")
    ] = False,
) -> None:
    """List the entries of the baseline, since when each is known, and who accepted it."""
    root = options.folder_of(path)
    found = find_baseline(rule_files(root, None), baseline)
    if found is None:
        raise BaselineError("there is no baseline", "Make one with: scanagg baseline write")
    seen = _seen(root, found)
    numbered = list(zip(found.entries, found.lines, strict=True))
    rows = [_row(one, seen.get(line)) for one, line in numbered[: None if every else _SHOWN]]
    if rows:
        print_table(("category", "rule", "where", "since", "accepted by"), rows)
    if len(rows) < len(numbered):
        say(f"the first {len(rows)} of them; --all shows every one")
    say(f"{found.path}: {counted(len(numbered), 'entry', 'entries')}")
    for title, counts in _totals(found):
        said = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        if said:
            say(f"{title}: {said}")


@app.command("key")
def key(path: Annotated[Path, typer.Argument(help=_FOLDER)] = Path()) -> None:
    """Make the project's key, by which secrets are known again, unless there is one."""
    root = options.folder_of(path)
    if secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.PLACE} is there already: nothing to do")
        return
    store(root, secret_key.PLACE, secret_key.new_file_text())
    say(f"made {secret_key.PLACE}: commit it")
    if secret_key.find(WorkTree(root), os.environ) != secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.VARIABLE} is set here and goes before it")


def _consent(
    accept: bool, owner: str | None, reason: str | None, findings: Sequence[str] | None
) -> Accept | None:
    """What --accept and its options say, None where it is not given. UsageError."""
    if not accept:
        for name, value in (("owner", owner), ("reason", reason), ("finding", findings)):
            if value:
                raise UsageError(f"--{name} belongs to --accept", "Give --accept as well.")
        return None
    for name, value in (("owner", owner), ("reason", reason)):
        if value is None or not value.strip():
            hint = "A baseline grows only with somebody who answers for it, and why."
            raise UsageError(f"--accept needs --{name}", hint)
    return Accept((owner or "").strip(), (reason or "").strip(), tuple(findings or ()))


def _seen(root: Path, baseline: Baseline) -> dict[int, datetime]:
    """Since when each line is committed, by its number; empty outside of a repository."""
    return dict(first_seen(Git(root), read_target(root), baseline, None))


def _row(one: BaselineEntry, since: datetime | None) -> tuple[str, ...]:
    line = f":{one.line}" if one.line else ""
    inside = f" in {one.parts.qualname}" if one.parts.qualname else ""
    accepted = f"{one.owner}: {one.reason}" if one.owner else ""
    what = ", ".join(one.ids) or one.parts.rule
    day = since.date().isoformat() if since else "-"
    return (one.parts.category, what, f"{one.parts.path}{line}{inside}", day, accepted)


def _totals(baseline: Baseline) -> Sequence[tuple[str, Counter[str]]]:
    entries = baseline.entries
    return (
        ("by category", Counter(one.parts.category for one in entries)),
        ("by rule", Counter(one.parts.rule for one in entries if one.parts.rule)),
        ("accepted by", Counter(one.owner for one in entries if one.owner)),
    )


def _prepared(asked: options.Options, baseline: str | None) -> _Work:
    """What is to be checked: nothing is compared with any base, and no gap is forgiven."""
    if baseline is not None and not baseline.strip():
        raise UsageError("--baseline is empty", "Give a path, or leave the option out.")
    request = options.request_of(asked)
    rules = request.rules
    place = os.path.normpath(baseline or PLACES[0])
    found = _found(rules.files, place)
    new_key = secret_key.new_file_text() if found is None and rules.key is None else None
    compared = msgspec.structs.replace(rules.policy.file, new_code=NewCodeSection(against="none"))
    judging = replace(
        rules,
        baseline=None,
        policy=replace(rules.policy, enforcement="block", file=compared),
        key=secret_key.read(new_key.encode()) if new_key else rules.key,
    )
    edited_is_new = rules.policy.file.new_code.edited == "new"
    return _Work(replace(request, rules=judging, environ={}), place, found, edited_is_new, new_key)


def _found(files: Files, place: str) -> Baseline | None:
    """The baseline at a place of the project; None where nothing is there yet."""
    try:
        there = files.read(place) is not None
    except OSError as error:
        hint = "Give a path inside of the project, where a file is or can be."
        raise BaselineError(f"{place}: {error.strerror}", hint) from error
    return find_baseline(files, place) if there else None


def _checked(work: _Work, *, show: bool) -> Report:
    """The report of a whole check. BaselineError where something was not looked at."""
    report = checked(work.request, show=show)
    if work.request.stop.interrupted:
        raise KeyboardInterrupt
    gaps = [*_gaps(report), *(f"{run.scanner}: {run.detail}" for run in report.runs if _broke(run))]
    if gaps:
        hint = "A baseline of half a check would make the rest new later: mend that, then again."
        raise BaselineError("\n".join(("the check is incomplete:", *dict.fromkeys(gaps))), hint)
    return report


def _gaps(report: Report) -> Sequence[str]:
    return report.gate.reasons if report.gate.exit_code == ExitCode.INCOMPLETE else ()


def _broke(run: Run) -> bool:
    """Whether a scanner that nobody requires went wrong: the gate lets that pass, we do not."""
    if run.status is Status.EMPTY:
        return bool(run.coverage.gaps)
    return run.status in (Status.FAILED, Status.TIMEOUT)


def _write(
    asked: options.Options,
    baseline: str | None,
    consent: Accept | None,
    *,
    slim: bool,
    show: bool,
) -> int:
    """Write what may be written; the exit code. BaselineError where the check is not whole."""
    work = _prepared(asked, baseline)
    report = _checked(work, show=show)
    findings = [judged.finding for judged in report.findings]
    waived = {id(one.finding) for one in report.findings if one.verdict.action is Action.WAIVED}
    if work.baseline is None:
        _first(work, [one for one in findings if id(one) not in waived], consent, slim=slim)
        return ExitCode.PASS
    standing = _standing(work.baseline, findings, report)
    fresh = [
        (one, match)
        for one, match in zip(findings, standing.matches, strict=True)
        if id(one) not in waived and _is_new(one, match, work.edited_is_new)
    ]
    taken = _taken(fresh, consent)
    replaced = frozenset(match.base for _, match in taken if match.base is not None)
    standing = replace(standing, matched=standing.matched - replaced)
    owner, reason = (consent.owner, consent.reason) if consent else ("", "")
    added = [entry_for(one, owner, reason) for one, _ in taken]
    left_out = _leaves_packages(fresh, taken)
    _update(work, work.baseline, standing, added, slim=slim, left_out=left_out)
    _warn_of_secrets([one for one, _ in taken])
    return _left_out([one for one, _ in fresh], consent)


def _prune(asked: options.Options, baseline: str | None, *, slim: bool, show: bool) -> None:
    """Take out what matches nothing any more. BaselineError where there is no baseline."""
    work = _prepared(asked, baseline)
    if work.baseline is None:
        message = f"there is no baseline {work.place}"
        raise BaselineError(message, "Make one with: scanagg baseline write")
    report = _checked(work, show=show)
    findings = [judged.finding for judged in report.findings]
    standing = _standing(work.baseline, findings, report)
    _update(work, work.baseline, standing, (), slim=slim)


def _first(work: _Work, findings: Sequence[Finding], consent: Accept | None, slim: bool) -> None:
    """Write the first baseline, and the key with it."""
    if consent and consent.findings:
        hint = "A first baseline takes in everything; leave --finding out."
        raise UsageError(f"--finding: there is no baseline {work.place} yet", hint)
    owner, reason = (consent.owner, consent.reason) if consent else ("", "")
    root = work.request.path
    if work.new_key:
        store(root, secret_key.PLACE, work.new_key)
    text = new_text([entry_for(one, owner, reason) for one in findings], slim=slim)
    store(root, work.place, text)
    kinds = Counter(one.category.value for one in findings)
    said = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
    say(f"wrote {work.place}: {counted(len(findings), 'finding')}{f' ({said})' if said else ''}")
    if work.new_key:
        say(f"made {secret_key.PLACE}, by which secrets are known again")
    say(f"commit {'both' if work.new_key else 'it'}: from now on only other findings are new")
    _warn_of_secrets(findings)


def _standing(
    baseline: Baseline, findings: Sequence[Finding], report: Report
) -> BaselineComparison:
    revision = report.target.revision
    prefix = revision.prefix if revision else ""
    paths = {prefix + file.path for file in report.target.files}
    if foreign(baseline, paths):
        say("no file that the baseline names is here: is it another project's?")
    return compare(baseline, findings, report.runs, paths, prefix)


def _is_new(finding: Finding, match: Match, edited_is_new: bool) -> bool:
    """Whether a check with this baseline would call the finding introduced."""
    if match.change is Change.UPDATED:
        return edited_is_new or finding.category is Category.SECRET
    return match.change is Change.NEW


def _taken(
    fresh: Sequence[tuple[Finding, Match]], consent: Accept | None
) -> list[tuple[Finding, Match]]:
    """Which of the new findings are accepted. UsageError for an id that none of them has."""
    if consent is None:
        return []
    if not consent.findings:
        return list(fresh)
    for given in consent.findings:
        if not any(_is_called(one, given) for one, _ in fresh):
            hint = "Run scanagg baseline write without --accept: it lists them."
            raise UsageError(f"--finding {given}: no new finding is called so", hint)
    return [pair for pair in fresh if any(_is_called(pair[0], given) for given in consent.findings)]


def _leaves_packages(
    fresh: Sequence[tuple[Finding, Match]], taken: Sequence[tuple[Finding, Match]]
) -> bool:
    """Whether some that is new about packages is not accepted; says what that means for others."""
    accepted = {id(one) for one, _ in taken}
    left_out = any(one.package and id(one) not in accepted for one, _ in fresh)
    if left_out and any(one.package for one, _ in taken):
        say("of packages not all is accepted: what is in one that came since still counts as new")
    return left_out


def _is_called(finding: Finding, given: str) -> bool:
    return len(given) >= _LEAST and finding.fingerprint.startswith(given.lower())


def _update(
    work: _Work,
    baseline: Baseline,
    standing: BaselineComparison,
    added: Sequence[BaselineEntry],
    *,
    slim: bool,
    left_out: bool = False,
) -> None:
    """Write the baseline with what is kept and what is added, and say what became of it."""
    keep = standing.matched | standing.unsure
    removed = len(baseline.entries) - len(keep)
    if removed or added or slim:
        text = updated_text(baseline, keep, added, slim=slim, left_out=left_out)
        store(work.request.path, work.place, text)
    say(
        f"{work.place}: {counted(len(keep), 'entry', 'entries')} kept, "
        f"{removed} removed, {len(added)} added"
    )
    if standing.unsure:
        count = len(standing.unsure)
        said = (
            "1 entry matches nothing but stays"
            if count == 1
            else f"{count} entries match nothing but stay"
        )
        say(f"{said}: not everybody who saw it could look at everything now")


def _left_out(fresh: Sequence[Finding], consent: Accept | None) -> int:
    """Say what the baseline does not hold, and what to do about it; the exit code."""
    if not fresh or consent:
        return ExitCode.PASS
    say(f"{counted(len(fresh), 'finding')} not in it, for it only shrinks by itself:")
    say(
        *(
            f"  {one.id}  {one.rule.id}  {_where(one)}  {one.title}"
            for one in fresh[:_SHOWN_FINDINGS]
        )
    )
    if len(fresh) > _SHOWN_FINDINGS:
        say(f"  and {len(fresh) - _SHOWN_FINDINGS} more")
    say("fix or waive them, or let it grow: --accept --owner WHO --reason WHY [--finding ID]")
    return ExitCode.BLOCKED


def _where(finding: Finding) -> str:
    package, place = finding.package, finding.location
    if package:
        return f"{package.name} {package.version}"
    return f"{place.path}:{place.start_line or 1}" if place else ""


def _warn_of_secrets(findings: Sequence[Finding]) -> None:
    count = sum(one.category is Category.SECRET for one in findings)
    if count:
        say(
            f"{counted(count, 'secret')} among them: to know of a secret does not make it safe; "
            "rotate what is real"
        )


def store(root: Path, place: str, text: str) -> None:
    """Write a file of the project, whole or not at all. BaselineError."""
    file = root / place
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, [text])
        file.chmod(0o644)
    except OSError as error:
        message = f"cannot write {place}: {error.strerror or error}"
        raise BaselineError(message, "Make its folder writable.") from error
