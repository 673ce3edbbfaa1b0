"""What `scanagg fix` prints: the advice, how to follow it, what stays, what is left afterwards."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from scanagg.cli.listing import print_table, say
from scanagg.core.text import counted
from scanagg.model import (
    Action,
    Category,
    Judged,
    Location,
    Package,
    Report,
    Status,
    Upgrade,
    is_pypi,
)
from scanagg.reports.phrases import UNCHECKED
from scanagg.upgrades.applying import Result, State
from scanagg.upgrades.plan import step_of
from scanagg.upgrades.ways import Goal, Job, Ways

VULNERABILITY_SCANNERS: Final = ("pip-audit", "safety", "trivy")
"""The scanners that tell of vulnerabilities; the others need not run."""

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
    lines = [
        f"  {edit.path}:{change.line}: {change.before} -> {change.after}"
        for edit in found.edits
        for _, changes in edit.changes
        for change in changes
    ]
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
    alone = [
        edit.path
        for edit in found.edits
        if edit.path.endswith(".txt") and not any(job.recipe.reads(edit.path) for job in found.jobs)
    ]
    if alone:
        asking = (f"  python -m pip install --dry-run -r {shlex.quote(path)}" for path in alone)
        say("", "Whether the new pins fit together, pip knows:", *asking)


def _edits_sources(found: Ways) -> bool:
    return any(job.recipe.reads(edit.path) for job in found.jobs for edit in found.edits)


def _commands(job: Job) -> Iterator[str]:
    yield from (f"  {command}" for command in job.shown)
    if job.recipe.newest:
        yield f"    {job.recipe.tool} goes to the newest versions that the constraints let in"
    if job.recipe.reason:
        yield f"    {job.recipe.reason}"


def warn(jobs: Sequence[Job]) -> None:
    """Say what is about to run, for it reads the project and may run code of it."""
    lines = [line for job in jobs if not job.recipe.reason for line in _commands(job)]
    if lines:
        say("", "Running lockers, which read the project and may run its build backend:", *lines)


def told(step: Result) -> str:
    """What became of one step, in a line."""
    if step.state is State.DONE:
        return step.text
    word = "not done" if step.state is State.LEFT else "failed"
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
        if run.scanner in VULNERABILITY_SCANNERS and run.coverage.unit == _PACKAGES
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
