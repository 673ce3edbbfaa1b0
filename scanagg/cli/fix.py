"""`scanagg fix`: what to upgrade, and how; with --apply, do it."""

import os
import re
import shlex
import signal
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from msgspec.structs import replace

from scanagg.cli import request as options
from scanagg.cli.output import say
from scanagg.cli.progress import checked
from scanagg.cli.tables import print_table
from scanagg.core.errors import ExitCode, ReportError, UsageError
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.model import (
    Action,
    Category,
    Judged,
    Location,
    Outcome,
    Package,
    Report,
    Status,
    Upgrade,
    is_pypi,
)
from scanagg.pipeline import Request
from scanagg.reports import wire
from scanagg.reports.phrases import UNCHECKED
from scanagg.scanners.base import scanner_info, scanner_infos
from scanagg.upgrades.applying import Bench, StepState, UpgradeStep, apply
from scanagg.upgrades.plan import step_of
from scanagg.upgrades.ways import Goal, LockJob, Ways, goals_of, ways

_Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Take the advice of a stored scanagg.json instead of checking."
    ),
]
_Apply = Annotated[
    bool,
    typer.Option(
        "--apply",
        help="Edit pins and run the project's own lockers, which read the project, ask its index "
        "and may run its build backend; then check again.",
    ),
]
_BlockingOnly = Annotated[
    bool, typer.Option("--blocking-only", help="Only what it takes to clear what blocks.")
]
_Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Look vulnerabilities up without a network. Lockers (--apply) ask their index still.",
    ),
]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]


_AGAIN: Final = "Check again: scanagg check"


_BLOCKS: Final = re.compile(r"[\d,]+ findings? blocks?\b|[\d,]+ findings: ")


_HEADS: Final = ("package", "from", "to", "step", "clears", "where", "hindered by")


_PACKAGES: Final = "packages"


_NAMED: Final = 5


_PLACES: Final = 2


_Key = tuple[str, str]


class Wish(msgspec.Struct, frozen=True):
    """What is asked for: to do it too, to do what it takes to unblock, to show progress."""

    apply: bool = False
    blocking: bool = False
    show: bool = True


def command(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    only: options.Only = None,
    python: options.Python = None,
    image: options.Image = None,
    report: _Report = None,
    apply: _Apply = False,
    blocking_only: _BlockingOnly = False,
    offline: _Offline = False,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    now: options.Now = None,
    no_progress: _NoProgress = False,
) -> None:
    """Say which upgrades clear most vulnerabilities, and how to make them; --apply makes them.

    Only the scanners of vulnerabilities run. Where the project's own constraints are in the way,
    nothing is changed: it says which.

    Exit codes: 0 advice was given or there is nothing to do, 2 usage, configuration or policy
    error, 3 incomplete (what the advice rests on was not examined as required, or a step of --apply
    failed), 4 internal error, 130 interrupted.
    """
    wish = Wish(apply=apply, blocking=blocking_only, show=not no_progress)
    if report is not None:
        given: dict[str, object] = {
            "--policy": policy,
            "--only": only,
            "--python": python,
            "--image": image,
        }
        given |= {"--now": now, "--offline": offline or None}
        _refuse([name for name, value in given.items() if value is not None])
        raise typer.Exit(by_report(report, path, wish))
    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        offline=offline,
        now=now,
    )
    raise typer.Exit(by_check(asked, wish))


def _refuse(names: list[str]) -> None:
    """UsageError for options of a check where none is made."""
    if names:
        hint = "A stored report is taken as it is; leave them out, or check anew without --report."
        raise UsageError(f"{', '.join(names)} with --report", hint)


def by_check(asked: options.Options, wish: Wish) -> int:
    """Check, advise, apply if wished, and check again; the exit code."""
    request = _narrowed(asked)
    report = _checked(request, wish)
    failed = _advised(report, request.path, wish, request.stop)
    gaps = _gaps(report)
    if wish.apply and failed is not None:
        again = _checked(replace(_narrowed(asked), stop=request.stop), wish)
        compare(report, again, wish)
        gaps = gaps or _gaps(again)
    return _ended(gaps, failed=bool(failed))


def by_report(place: Path, path: Path, wish: Wish) -> int:
    """The same by a stored report, without checking; the exit code."""
    report = wire.read(place)
    if known(report) and not report.upgrades:
        message = f"{place} has vulnerabilities, but no advice: an older scanagg wrote it"
        raise ReportError(message, _AGAIN)
    try:
        goals_of(report.upgrades, blocking=wish.blocking)
    except ValueError as error:
        raise ReportError(f"{place}: its advice cannot be used: {error}", _AGAIN) from error
    failed = _advised(report, options.folder_of(path), wish, Stop())
    if wish.apply and failed is not None:
        say("", "Check again to see what is left: scanagg check")
    return _ended(_gaps(report), failed=bool(failed))


def _narrowed(asked: options.Options) -> Request:
    """The request of a check by the scanners of vulnerabilities; the others are not required.

    UsageError where only others are asked for: to hear nothing of them would read as good news.
    """
    able, others = _by_ability()
    names = options.scanner_names(asked.only, tuple(scanner_infos()))
    if names and not set(names) & set(able):
        hint = f"Vulnerabilities are looked for by {', '.join(able)}."
        raise UsageError(f"--only {', '.join(names)} tells of no vulnerabilities", hint)
    request = options.request_of(asked if asked.only else replace(asked, skip=others))
    policy = request.rules.policy
    wanted = {name: entry for name, entry in policy.file.scanners.items() if name in able}
    file = msgspec.structs.replace(policy.file, scanners=wanted)
    policy = replace(policy, file=file, enforcement="block")
    return replace(request, rules=replace(request.rules, policy=policy))


def _by_ability() -> tuple[Sequence[str], Sequence[str]]:
    """The scanners that look for vulnerabilities, and those that do not."""
    infos = scanner_infos()
    able = [name for name in infos if Category.VULNERABILITY in infos[name].categories]
    return able, [name for name in infos if name not in able]


def _checked(request: Request, wish: Wish) -> Report:
    report = checked(request, show=wish.show)
    if request.stop.interrupted:
        raise KeyboardInterrupt
    return report


def _gaps(report: Report) -> Sequence[str]:
    """Why what is known of vulnerabilities is not whole, by the gate's own reasons."""
    if report.gate.outcome is not Outcome.INCOMPLETE:
        return ()
    others = tuple(f"{name} " for name in _by_ability()[1])
    gaps = takewhile(lambda reason: not _BLOCKS.match(reason), report.gate.reasons)
    return [reason for reason in gaps if not reason.startswith(others)]


def _ended(gaps: Sequence[str], *, failed: bool) -> int:
    if gaps:
        say("", "Incomplete: there may be vulnerabilities that nobody looked for:")
        say(*(f"  {gap}" for gap in gaps))
    return ExitCode.INCOMPLETE if gaps or failed else ExitCode.PASS


def _advised(report: Report, root: Path, wish: Wish, stop: Stop) -> bool | None:
    """Print the advice, and do it if wished: whether a step failed. None where nothing was done."""
    goals = goals_of(report.upgrades, blocking=wish.blocking)
    found = ways(root, goals)
    table(report, goals, wish)
    failed = None
    if wish.apply and (found.edits or found.jobs):
        warn(found.jobs)
        failed = _applied(found, Bench(root, stop, os.environ))
        together(found)
        by_hand(found)
    else:
        to_do(found)
    stays(report, wish)
    unexamined(report)
    return failed


def _applied(found: Ways, bench: Bench) -> bool:
    """Do it and tell of each step; whether one failed. A signal to end undoes what is half done."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    say("", "Applying:")
    failed = False
    for step in apply(found, bench):
        say(f"  {told(step)}")
        failed = failed or step.state is StepState.FAILED
    if bench.stop.interrupted:
        raise KeyboardInterrupt
    return failed


"""The scanners that tell of vulnerabilities; the others need not run."""


def table(report: Report, goals: Sequence[Goal], wish: Wish) -> None:
    """The upgrades, one a row, and what they come to."""
    upgrades = {_key(one.package): one for one in report.upgrades}
    blocking = _blocking(report)
    if goals:
        rows = [_row(goal, upgrades[_key(goal.package)], blocking, wish) for goal in goals]
        print_table(_HEADS, rows)
    cleared = sum(len(_cleared(upgrades[_key(goal.package)], blocking, wish)) for goal in goals)
    what = "that block" if wish.blocking else ""
    count = sum(map(len, blocking.values())) if wish.blocking else len(known(report))
    named = " ".join((counted(count, "vulnerability", "vulnerabilities"), what)).strip()
    if not count:
        say("Nothing to upgrade: no known vulnerabilities" + (" that block" if what else ""))
    elif goals:
        say(
            f"{counted(len(goals), 'upgrade')} clear{'s' * (len(goals) == 1)} {cleared} of {named}",
        )
    else:
        say(f"No upgrade clears any of {named}")
    if any(not one.checked for one in upgrades.values() if one.to):
        say(f"The versions are {UNCHECKED}.")


def _row(
    goal: Goal, upgrade: Upgrade, blocking: dict[_Key, list[str]], wish: Wish
) -> tuple[str, ...]:
    package = goal.package
    step = step_of(package.version, goal.to)
    ids = _cleared(upgrade, blocking, wish)
    return (
        package.name,
        package.version,
        goal.to,
        step.value if step else "",
        f"{len(ids)}: {', '.join(ids)}",
        _where(package),
        "; ".join(_hinders(goal)),
    )


def _hinders(goal: Goal) -> Iterator[str]:
    for one in (*goal.barred, *goal.held):
        yield f"{one.by or _at(one.place) or 'the project'}: {one.text or one.specifier}"
    for one in goal.moving:
        yield f"{one.by} as it is now, to be upgraded too: {one.text or one.specifier}"


def _where(package: Package) -> str:
    """The lines that name it; for one that comes in by another also where that is asked for."""
    named = [_at(place) for place in package.places]
    shown = ", ".join(named[:_PLACES])
    if len(named) > _PLACES:
        shown += f" and {len(named) - _PLACES} more"
    if len(package.chain) > 1:
        asked = ", ".join(map(_at, package.asked[:1]))
        shown += f" (by {package.chain[0]}{f', {asked}' if asked else ''})"
    return shown.strip()


def _at(place: Location | None) -> str:
    if place is None:
        return ""
    return f"{place.path}:{place.start_line}" if place.start_line else place.path


def to_do(found: Ways) -> None:
    """How to do it: the edits, the commands, and what only people can do."""
    lines = [f"  {line}" for edit in found.edits for line in edit.lines]
    if lines:
        say("", "Edit:", *lines)
    if found.jobs:
        say("", "Edit that first, then run:" if _edits_sources(found) else "Run:")
        say(*(line for job in found.jobs for line in _commands(job)))
    if found.edits or found.jobs:
        say("", "scanagg fix --apply does that.")
    together(found)
    by_hand(found)


def together(found: Ways) -> None:
    """How to ask pip about edited pins: such a file does not tell what its packages ask for."""
    alone = {
        edit.path: None
        for edit in found.edits
        if edit.path.endswith(".txt") and not any(job.recipe.reads(edit.path) for job in found.jobs)
    }
    if alone:
        asking = (f"  python -m pip install --dry-run -r {shlex.quote(path)}" for path in alone)
        say("", "Whether the new pins fit together, pip knows:", *asking)


def _edits_sources(found: Ways) -> bool:
    return any(job.recipe.reads(edit.path) for job in found.jobs for edit in found.edits)


def _commands(job: LockJob) -> Iterator[str]:
    yield from (f"  {command}" for command in job.shown)
    if job.recipe.newest:
        yield f"    {job.recipe.tool} goes to the newest versions that the constraints let in"
    if job.recipe.reason:
        yield f"    {job.recipe.reason}"


def warn(jobs: Sequence[LockJob]) -> None:
    """Say what is about to run, for it reads the project and may run code of it."""
    lines = [line for job in jobs if not job.recipe.reason for line in _commands(job)]
    if lines:
        say("", "Running lockers, which read the project and may run its build backend:", *lines)


def told(step: UpgradeStep) -> str:
    """What became of one step, in a line."""
    if step.state is StepState.DONE:
        return step.text
    word = "not done" if step.state is StepState.LEFT else "failed"
    return f"{word}: {step.text}: {step.reason}"


def by_hand(found: Ways) -> None:
    """What only people can do, and why."""
    if found.by_hand:
        say("", "By hand:", *(f"  {one.goal.text}: {one.text}" for one in found.by_hand))


def stays(report: Report, wish: Wish) -> None:
    """What no upgrade clears, and what to do about packages that are attacks."""
    bad = _malicious(report)
    chosen = [] if wish.blocking else [one for one in report.upgrades if one.stays]
    chosen += [one for one in report.upgrades if wish.blocking and _key(one.package) in bad]
    if chosen:
        say("", "Stays:", *(f"  {_left(one, bad)}" for one in chosen))
    foreign = len(
        {id(one) for one in _vulnerabilities(report)} - {id(one) for one in known(report)}
    )
    if foreign and not wish.blocking:
        said = counted(foreign, "vulnerability", "vulnerabilities")
        say("", f"Not advised on: {said} in packages that are not from PyPI")


def unexamined(report: Report) -> None:
    """Packages that nobody has looked up: of these there is no advice, and no good news either."""
    gaps: list[set[tuple[str, str]]] = [
        {(one.input, one.reason) for one in run.coverage.not_examined if not one.on_purpose}
        for run in report.runs
        if run.coverage.unit == _PACKAGES
        if Category.VULNERABILITY in scanner_info(run.scanner).categories
        if run.status in (Status.OK, Status.DEGRADED)
    ]
    fewest = min(gaps, key=len, default=set())
    if not fewest:
        return
    missed = sorted(fewest)
    more = [f"  and {len(missed) - _NAMED} more"] if len(missed) > _NAMED else []
    named = (f"  {what}: {why}" for what, why in missed[:_NAMED])
    say("", "Nobody has looked these up, so nothing is said of them:", *named, *more)


def _left(upgrade: Upgrade, bad: set[_Key]) -> str:
    package = upgrade.package
    ids = ", ".join(upgrade.stays)
    if _key(package) in bad:
        return f"{package.name} {package.version}: {ids}: the package is malicious: remove it"
    if upgrade.to is None:
        return f"{package.name} {package.version}: {ids}: no better version is known"
    return f"{package.name} {upgrade.to}: {ids}"


def compare(before: Report, after: Report, wish: Wish) -> None:
    """Say what is left now, and what of it nobody foresaw."""
    foreseen = {(one.package.name, name) for one in before.upgrades for name in one.stays}
    there = {(name, one) for (name, _), ids in _ids(before).items() for one in ids}
    left = _ids(after)
    count = sum(map(len, left.values()))
    if not count:
        say("", "Checked again: no known vulnerability is left")
        return
    said = counted(count, "vulnerability", "vulnerabilities")
    say("", f"Checked again: {said} left:")
    for (name, version), ids in left.items():
        say(f"  {name} {version}: {', '.join(ids)}")
    new = [
        f"{one} in {name}"
        for (name, _), ids in left.items()
        for one in ids
        if (name, one) not in foreseen | there
    ]
    if new:
        say(f"  not foreseen: {', '.join(new)}")
    undone = [(name, one) for (name, _), ids in left.items() for one in ids]
    open_ = sum(key in there - foreseen for key in undone)
    if open_ and not wish.blocking:
        say(f"  {open_} of them an upgrade would clear that was not made, see above")


def _ids(report: Report) -> dict[_Key, list[str]]:
    """The ids of what is known of each package version."""
    found: dict[_Key, list[str]] = {}
    for one in known(report):
        if one.finding.package:
            found.setdefault(_key(one.finding.package), []).append(one.finding.rule.id)
    return found


def _blocking(report: Report) -> dict[_Key, list[str]]:
    found: dict[_Key, list[str]] = {}
    for one in known(report):
        if one.finding.package and one.verdict.action is Action.BLOCK:
            found.setdefault(_key(one.finding.package), []).append(one.finding.rule.id)
    return found


def _malicious(report: Report) -> set[_Key]:
    return {
        _key(one.finding.package)
        for one in known(report)
        if one.finding.package and one.finding.advisory and one.finding.advisory.malicious
    }


def known(report: Report) -> list[Judged]:
    """The vulnerabilities that advice is given on: of packages from PyPI, not withdrawn."""
    return [
        one
        for one in _vulnerabilities(report)
        if one.finding.package and is_pypi(one.finding.package.purl)
    ]


def _vulnerabilities(report: Report) -> Iterator[Judged]:
    for one in report.findings:
        advisory = one.finding.advisory
        if one.finding.category is Category.VULNERABILITY and advisory and not advisory.withdrawn:
            yield one


def _cleared(upgrade: Upgrade, blocking: dict[_Key, list[str]], wish: Wish) -> Sequence[str]:
    """What goes: all that blocks where a version is meant that clears just that."""
    if not wish.blocking:
        return upgrade.clears
    whole = blocking.get(_key(upgrade.package), []) if upgrade.to_unblock else None
    return upgrade.unblocks if whole is None else whole


def _key(package: Package) -> _Key:
    return package.name, package.version
