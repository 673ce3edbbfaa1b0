"""What `scanagg baseline` does: check, compare with the file, write what may be written."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
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
from scanagg.baseline.lookup import BaselineComparison, compare
from scanagg.baseline.matching import Match
from scanagg.cli import request as options
from scanagg.cli.listing import say
from scanagg.cli.progress import checked
from scanagg.core.cache import write_atomically
from scanagg.core.errors import BaselineError, ExitCode, UsageError
from scanagg.core.text import counted
from scanagg.gate.rules import find_baseline
from scanagg.model import Action, Category, Change, Finding, Report, Run, Status
from scanagg.pipeline import Request
from scanagg.policy.schema import NewCodeSection
from scanagg.project import secret_key
from scanagg.project.trusted import Files
from scanagg.scanners.coverage import gaps_of

_SHOWN: Final = 20
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
        return bool(gaps_of(run.coverage))
    return run.status in (Status.FAILED, Status.TIMEOUT)


def write(
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


def prune(asked: options.Options, baseline: str | None, *, slim: bool, show: bool) -> None:
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
    say(*(f"  {one.id}  {one.rule.id}  {_where(one)}  {one.title}" for one in fresh[:_SHOWN]))
    if len(fresh) > _SHOWN:
        say(f"  and {len(fresh) - _SHOWN} more")
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
