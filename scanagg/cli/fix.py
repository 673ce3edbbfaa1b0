"""`scanagg fix`: list the upgrades that clear vulnerabilities, and make them with --apply."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from msgspec.structs import replace

from scanagg.cli import options
from scanagg.cli.output import say
from scanagg.cli.progress import interrupt_on_signals
from scanagg.cli.request import request_of, run_whole_check
from scanagg.cli.tables import print_table
from scanagg.core.errors import ExitCode, ReportError, UsageError
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.gate.rejudge import rejudge
from scanagg.model import (
    Action,
    Category,
    Judged,
    Outcome,
    Package,
    Reason,
    Report,
    Status,
    is_pypi,
)
from scanagg.pipeline import Request
from scanagg.policy.schema import Policy
from scanagg.reports import phrases, wire
from scanagg.reports.reasons import sentence
from scanagg.scanners.base import scanner_info, scanner_infos
from scanagg.upgrades.applying import Bench, StepState, apply
from scanagg.upgrades.plan import step_of
from scanagg.upgrades.ways import Goal, LockJob, Ways, goals_of, ways

_Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Use the advice in this scanagg.json instead of running a check."
    ),
]
_Apply = Annotated[
    bool,
    typer.Option(
        "--apply",
        help="Edit pins and run the project's lockers, then check again. Lockers use the network, "
        "even with --offline, and may run the project's build backend.",
    ),
]
_BlockingOnly = Annotated[
    bool,
    typer.Option(
        "--blocking-only", help="List only the upgrades that fix blocking vulnerabilities."
    ),
]

_AGAIN: Final = "Write a new report with: scanagg check"
_HEADS: Final = ("package", "from", "to", "step", "clears", "where", "held back by")
_SHOWN_PACKAGES: Final = 5
_SHOWN_PLACES: Final = 2

_Key = tuple[str, str]


class FixOptions(msgspec.Struct, frozen=True):
    """Options of `scanagg fix`: apply the upgrades, only unblock, show progress."""

    apply: bool = False
    blocking: bool = False
    show: bool = True


@options.with_options(
    *("policy_ref", "base", "baseline", "skip", "output_dir", "deadline", "enforcement")
)
def command(
    check_options: options.Options,
    report: _Report = None,
    apply: _Apply = False,
    blocking_only: _BlockingOnly = False,
    no_progress: options.NoProgress = False,
) -> None:
    """List the upgrades that fix most vulnerabilities, or apply them with --apply.

    Runs only the scanners that look for vulnerabilities. Names the constraints of the project that
    prevent an upgrade, and does not change them.

    Exit codes: 0 done, 2 usage, configuration or policy error, 3 incomplete (a required scanner did
    not examine everything, or a step of --apply failed), 4 internal error, 130 interrupted.
    """
    chosen = FixOptions(apply=apply, blocking=blocking_only, show=not no_progress)
    if report is not None:
        unused = ("policy", "only", "python", "image", "now", "offline")
        values = [(name, getattr(check_options, name)) for name in unused]
        names = [f"--{name}" for name, value in values if value not in (None, False)]
        if names:
            hint = "Leave them out, or leave --report out to check again."
            raise UsageError(f"{', '.join(names)} cannot be used with --report", hint)
        raise typer.Exit(_fix_by_report(report, options.folder_of(check_options.path), chosen))
    raise typer.Exit(_fix_by_check(check_options, chosen))


def _fix_by_check(check_options: options.Options, chosen: FixOptions) -> int:
    """Check, list or make the upgrades, and check again; return the exit code."""
    request = _request(check_options)
    report = run_whole_check(request, show=chosen.show)
    failed = _advise(report, request.path, chosen, request.stop)
    gaps = report.gate.gaps
    if failed is not None:
        again_request = replace(_request(check_options), stop=request.stop)
        again = run_whole_check(again_request, show=chosen.show)
        _print_difference(report, again, chosen)
        gaps = gaps or again.gate.gaps
    return _end(gaps, failed=bool(failed))


def _fix_by_report(place: Path, root: Path, chosen: FixOptions) -> int:
    """List or make the upgrades of a stored report; return the exit code."""
    report = wire.read(place)
    if _known(report) and not report.upgrades:
        message = f"{place} lists no upgrades, because an older version of scanagg wrote it"
        raise ReportError(message, _AGAIN)
    try:
        goals_of(report.upgrades, blocking=chosen.blocking)
    except ValueError as error:
        raise ReportError(f"{place} lists an invalid upgrade: {error}", _AGAIN) from error
    failed = _advise(report, root, chosen, Stop())
    if failed is not None:
        say("", "List the remaining vulnerabilities with: scanagg check")
    gaps: Sequence[Reason] = ()
    if report.gate.outcome is Outcome.INCOMPLETE:
        # The report does not say which gaps concern vulnerabilities: judge its runs again.
        _, policy = options.project_policy(None, root)
        only = tuple(name for name in report.terms.only if name in _able())
        judged = replace(report, terms=replace(report.terms, only=only))
        gaps = rejudge(judged, _narrowed(policy)).gate.gaps
    return _end(gaps, failed=bool(failed))


def _request(check_options: options.Options) -> Request:
    """Return the request for a check by the scanners that look for vulnerabilities.

    UsageError if --only names none of these, because they would find nothing.
    """
    able = _able()
    only = options.names_of("scanner", check_options.only, [*scanner_infos()])
    if only and not set(only) & set(able):
        hint = f"These scanners do: {', '.join(able)}."
        raise UsageError(f"--only {', '.join(only)} does not look for vulnerabilities", hint)
    chosen = [name for name in only if name in able]
    others = [name for name in scanner_infos() if name not in able]
    request = request_of(
        replace(check_options, only=chosen) if only else replace(check_options, skip=others)
    )
    return replace(request, rules=replace(request.rules, policy=_narrowed(request.rules.policy)))


def _narrowed(policy: Policy) -> Policy:
    """Return the policy without requirements for scanners that do not look for vulnerabilities."""
    able = _able()
    scanners = {name: entry for name, entry in policy.file.scanners.items() if name in able}
    return replace(policy, file=replace(policy.file, scanners=scanners), enforcement="block")


def _able() -> Sequence[str]:
    """Return the names of the scanners that look for vulnerabilities."""
    infos = scanner_infos()
    return [name for name in infos if Category.VULNERABILITY in infos[name].categories]


def _end(gaps: Sequence[Reason], *, failed: bool) -> int:
    if gaps:
        say("", "Incomplete. The check may have missed vulnerabilities:")
        say(*(f"  {sentence(gap)}" for gap in gaps))
    return ExitCode.INCOMPLETE if gaps or failed else ExitCode.PASS


def _advise(report: Report, root: Path, chosen: FixOptions, stop: Stop) -> bool | None:
    """Print the upgrades, and make them if that is chosen.

    Return whether a step failed; None if there was no step.
    """
    goals = goals_of(report.upgrades, blocking=chosen.blocking)
    plan = ways(root, goals)
    _print_table(report, goals, chosen)
    failed = None
    if chosen.apply and (plan.edits or plan.jobs):
        failed = _apply(plan, Bench(root, stop, os.environ))
    else:
        _print_plan(plan)
    # A requirements file does not record what its packages require.
    alone = dict.fromkeys(
        edit.path
        for edit in plan.edits
        if edit.path.endswith(".txt") and not any(job.recipe.reads(edit.path) for job in plan.jobs)
    )
    if alone:
        commands = (f"  python -m pip install --dry-run -r {shlex.quote(path)}" for path in alone)
        say("", "Check that the new pins are compatible:", *commands)
    if plan.by_hand:
        say("", "To do by hand:", *(f"  {one.goal.text}: {one.text}" for one in plan.by_hand))
    _print_remaining(report, chosen)
    _print_unexamined(report)
    return failed


def _print_table(report: Report, goals: Sequence[Goal], chosen: FixOptions) -> None:
    """Print the upgrades, one in each row, and their sum."""
    upgrades = {_key(upgrade.package): upgrade for upgrade in report.upgrades}
    vulnerabilities = _known(report)
    if chosen.blocking:
        vulnerabilities = [one for one in vulnerabilities if one.verdict.action is Action.BLOCK]
    ids = _ids_by_package(vulnerabilities)
    rows, cleared = [], 0
    for goal in goals:
        package, upgrade = goal.package, upgrades[_key(goal.package)]
        if not chosen.blocking:
            clears: Sequence[str] = upgrade.clears
        else:
            # `to_unblock` clears everything that blocks.
            clears = ids.get(_key(package), []) if upgrade.to_unblock else upgrade.unblocks
        cleared += len(clears)
        step = step_of(package.version, goal.to)
        limits = [
            f"{one.by or phrases.place(one.place) or 'the project'}"
            f"{' before its upgrade' if one in goal.moving else ''}: {one.text or one.specifier}"
            for one in (*goal.barred, *goal.held, *goal.moving)
        ]
        rows.append(
            (
                *(package.name, package.version, goal.to, step.value if step else ""),
                f"{len(clears)}: {', '.join(clears)}",
                _places(package),
                "; ".join(limits),
            )
        )
    if rows:
        print_table(_HEADS, rows)
    kind = "blocking " if chosen.blocking else ""
    count = sum(map(len, ids.values()))
    total = counted(count, f"{kind}vulnerability", f"{kind}vulnerabilities")
    if not count:
        say(f"Nothing to upgrade: no known {kind}vulnerabilities")
    elif goals:
        verb = "clears" if len(goals) == 1 else "clear"
        say(f"{counted(len(goals), 'upgrade')} {verb} {cleared} of {total}")
    else:
        say(f"No upgrade clears {total if count == 1 else f'any of {total}'}")
    if any(upgrade.to and not upgrade.checked for upgrade in report.upgrades):
        say(f"The versions are {phrases.UNCHECKED}.")


def _places(package: Package) -> str:
    """Return the lines that name a package, and the line of the direct requirement."""
    places = [phrases.place(place) for place in package.places]
    text = ", ".join(places[:_SHOWN_PLACES])
    if len(places) > _SHOWN_PLACES:
        text += f" and {len(places) - _SHOWN_PLACES} more"
    if len(package.chain) > 1:
        asked = ", ".join(map(phrases.place, package.asked[:1]))
        text += f" (by {package.chain[0]}{f', {asked}' if asked else ''})"
    return text.strip()


def _print_plan(plan: Ways) -> None:
    """Print the edits and the commands."""
    if plan.edits:
        say("", "Edit:", *(f"  {line}" for edit in plan.edits for line in edit.lines))
    if plan.jobs:
        edit_first = any(job.recipe.reads(edit.path) for job in plan.jobs for edit in plan.edits)
        say("", "Then run:" if edit_first else "Run:")
        say(*(line for job in plan.jobs for line in _commands(job)))
    if plan.edits or plan.jobs:
        say("", "Apply these changes with: scanagg fix --apply")


def _commands(job: LockJob) -> Iterator[str]:
    yield from (f"  {command}" for command in job.shown)
    if job.recipe.newest:
        yield f"    {job.recipe.tool} upgrades to the newest versions that the constraints allow"
    if job.recipe.reason:
        yield f"    {job.recipe.reason}"


def _apply(plan: Ways, bench: Bench) -> bool:
    """Apply the plan and print each step; return whether one failed.

    A signal that ends the program interrupts it, so that a step that is half done is undone.
    """
    interrupt_on_signals()
    lines = [line for job in plan.jobs if not job.recipe.reason for line in _commands(job)]
    if lines:
        say("", "Running lockers. They read the project and may run its build backend:", *lines)
    say("", "Applying:")
    failed = False
    for step in apply(plan, bench):
        word = {StepState.LEFT: "not done", StepState.FAILED: "failed"}.get(step.state)
        say(f"  {word}: {step.text}: {step.reason}" if word else f"  {step.text}")
        failed = failed or step.state is StepState.FAILED
    if bench.stop.interrupted:
        raise KeyboardInterrupt
    return failed


def _print_remaining(report: Report, chosen: FixOptions) -> None:
    """Print the vulnerabilities that no upgrade clears, and malicious packages."""
    vulnerabilities = _known(report)
    malicious = _ids_by_package(
        one for one in vulnerabilities if one.finding.advisory and one.finding.advisory.malicious
    )
    lines = []
    for upgrade in report.upgrades:
        package, ids = upgrade.package, ", ".join(upgrade.stays)
        if _key(package) in malicious:
            text = f"  {package.name} {package.version}: {ids} (malicious package: remove it)"
            lines.append(text)
        elif not upgrade.stays or chosen.blocking:
            continue
        elif upgrade.to is None:
            text = f"  {package.name} {package.version}: {ids} (no better version is known)"
            lines.append(text)
        else:
            lines.append(f"  {package.name} {upgrade.to}: {ids}")
    if lines:
        say("", "Not cleared:", *lines)
    foreign = len(_vulnerabilities(report)) - len(vulnerabilities)
    if foreign and not chosen.blocking:
        count = counted(foreign, "vulnerability", "vulnerabilities")
        say("", f"No advice for {count} in packages that are not from PyPI")


def _print_unexamined(report: Report) -> None:
    """Print the packages that no scanner looked up."""
    gaps = [
        sorted({(gap.input, sentence(gap.reason)) for gap in run.coverage.gaps})
        for run in report.runs
        if Category.VULNERABILITY in scanner_info(run.scanner).categories
        and run.coverage.unit == "packages"
        and run.status in (Status.OK, Status.DEGRADED)
    ]
    missed = min(gaps, key=len, default=[])
    if missed:
        lines = [f"  {package}: {reason}" for package, reason in missed[:_SHOWN_PACKAGES]]
        if len(missed) > _SHOWN_PACKAGES:
            lines.append(f"  and {len(missed) - _SHOWN_PACKAGES} more")
        say("", "No scanner looked up these packages. They may be vulnerable:", *lines)


def _print_difference(before: Report, after: Report, chosen: FixOptions) -> None:
    """Print the vulnerabilities that remain, and those that are new."""
    remaining = _ids_by_package(_known(after))
    if not remaining:
        say("", "Checked again: no known vulnerabilities remain")
        return
    foreseen = {(one.package.name, id_) for one in before.upgrades for id_ in one.stays}
    old = {(name, id_) for (name, _), ids in _ids_by_package(_known(before)).items() for id_ in ids}
    left = [(name, id_) for (name, _), ids in remaining.items() for id_ in ids]
    total = counted(len(left), "vulnerability remains", "vulnerabilities remain")
    say("", f"Checked again: {total}:")
    for (name, version), ids in remaining.items():
        say(f"  {name} {version}: {', '.join(ids)}")
    new = [f"{id_} in {name}" for name, id_ in left if (name, id_) not in foreseen | old]
    if new:
        say(f"  New with these upgrades: {', '.join(new)}")
    not_upgraded = sum(one in old - foreseen for one in left)
    if not_upgraded and not chosen.blocking:
        say(f"  Upgrades that were not made would clear {not_upgraded} of them, see above.")


def _ids_by_package(vulnerabilities: Iterable[Judged]) -> dict[_Key, list[str]]:
    ids: dict[_Key, list[str]] = {}
    for judged in vulnerabilities:
        if judged.finding.package:
            ids.setdefault(_key(judged.finding.package), []).append(judged.finding.rule.id)
    return ids


def _known(report: Report) -> list[Judged]:
    """Return the vulnerabilities with advice: those of PyPI packages."""
    return [
        judged
        for judged in _vulnerabilities(report)
        if judged.finding.package and is_pypi(judged.finding.package.purl)
    ]


def _vulnerabilities(report: Report) -> list[Judged]:
    """Return all vulnerabilities, but for withdrawn advisories."""
    return [
        judged
        for judged in report.findings
        if judged.finding.category is Category.VULNERABILITY
        and judged.finding.advisory
        and not judged.finding.advisory.withdrawn
    ]


def _key(package: Package) -> _Key:
    return package.name, package.version
