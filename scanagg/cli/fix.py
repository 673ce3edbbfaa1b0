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
from scanagg.cli.output import say, say_list
from scanagg.cli.progress import interrupt_on_signals
from scanagg.cli.request import request_of, run_whole_check
from scanagg.cli.tables import print_table
from scanagg.core.errors import ExitCode, ReportError, UsageError
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.core.uv import installed_uv
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
from scanagg.upgrades import applying
from scanagg.upgrades.applying import StepState, UpgradeStep
from scanagg.upgrades.plan import step_of
from scanagg.upgrades.proof import Bench
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
_STEP_WORDS: Final = {
    StepState.LEFT: "not done",
    StepState.FAILED: "failed",
    StepState.UNPROVEN: "not proven to be installable",
}
_SHOWN_PACKAGES: Final = 5
_SHOWN_PLACES: Final = 2

_Key = tuple[str, str]


class FixAdvice(msgspec.Struct, frozen=True):
    """The vulnerabilities and upgrades of a report; with `blocking`, what it takes to unblock."""

    report: Report
    blocking: bool

    @property
    def vulnerabilities(self) -> list[Judged]:
        """All vulnerabilities, but for withdrawn advisories."""
        return [
            judged
            for judged in self.report.findings
            if judged.finding.category is Category.VULNERABILITY
            and judged.finding.advisory
            and not judged.finding.advisory.withdrawn
        ]

    @property
    def known(self) -> list[Judged]:
        """The vulnerabilities with advice: those of PyPI packages."""
        return [
            judged
            for judged in self.vulnerabilities
            if judged.finding.package and is_pypi(judged.finding.package.purl)
        ]

    @property
    def to_clear(self) -> list[Judged]:
        """The known vulnerabilities; if `blocking`, those that block."""
        return [
            judged
            for judged in self.known
            if judged.verdict.action is Action.BLOCK or not self.blocking
        ]

    @property
    def names_and_ids(self) -> list[tuple[str, str]]:
        """Each known vulnerability by the name of its package and its id."""
        packages = _ids_by_package(self.known).items()
        return [(name, id_) for (name, _), ids in packages for id_ in ids]

    def print_table(self, goals: Sequence[Goal]) -> None:
        """Print the upgrades, one in each row, and their sum."""
        ids = _ids_by_package(self.to_clear)
        count = sum(map(len, ids.values()))
        upgrades = {_key(upgrade.package): upgrade for upgrade in self.report.upgrades}
        rows, cleared = [], 0
        for goal in goals:
            upgrade = upgrades[_key(goal.package)]
            clears: Sequence[str] = upgrade.clears
            if self.blocking:
                # `to_unblock` clears everything that blocks.
                unblocked = ids.get(_key(goal.package), ())
                clears = unblocked if upgrade.to_unblock else upgrade.unblocks
            cleared += len(clears)
            rows.append(_row(goal, clears))
        print_table(_HEADS, rows)
        kind = "blocking " if self.blocking else ""
        total = counted(count, f"{kind}vulnerability", f"{kind}vulnerabilities")
        if not count:
            say(f"Nothing to upgrade: no known {kind}vulnerabilities")
        elif goals:
            upgrades_clear = counted(len(goals), "upgrade clears", "upgrades clear")
            say(f"{upgrades_clear} {cleared} of {total}")
        else:
            say(f"No upgrade clears {total if count == 1 else f'any of {total}'}")
        if any(upgrade.to and not upgrade.checked for upgrade in self.report.upgrades):
            say(f"The versions are {phrases.UNCHECKED}.")

    def print_remaining(self) -> None:
        """Print the vulnerabilities that no upgrade clears, and malicious packages."""
        known = self.known
        malicious = _ids_by_package(
            judged
            for judged in known
            if judged.finding.advisory and judged.finding.advisory.malicious
        )
        lines = []
        for upgrade in self.report.upgrades:
            package, note = upgrade.package, ""
            if _key(package) in malicious:
                note = " (malicious package: remove it)"
            elif self.blocking or not upgrade.stays:
                continue
            elif upgrade.to is None:
                note = " (no better version is known)"
            version = package.version if note else upgrade.to
            lines.append(f"{package.name} {version}: {', '.join(upgrade.stays)}{note}")
        say_list("Not cleared:", lines)
        foreign = len(self.vulnerabilities) - len(known)
        if foreign and not self.blocking:
            count = counted(foreign, "vulnerability", "vulnerabilities")
            say("", f"No advice for {count} in packages that are not from PyPI")

    def print_unexamined(self) -> None:
        """Print the packages that no scanner looked up."""
        gaps = [
            sorted({(gap.input, sentence(gap.reason)) for gap in run.coverage.gaps})
            for run in self.report.runs
            if Category.VULNERABILITY in scanner_info(run.scanner).categories
            and run.coverage.unit == "packages"
            and run.status in (Status.OK, Status.DEGRADED)
        ]
        missed = min(gaps, key=len, default=[])
        lines = [f"{package}: {reason}" for package, reason in missed[:_SHOWN_PACKAGES]]
        if len(missed) > _SHOWN_PACKAGES:
            lines.append(f"and {len(missed) - _SHOWN_PACKAGES} more")
        say_list("No scanner looked up these packages. They may be vulnerable:", lines)

    def print_difference(self, after: "FixAdvice") -> None:
        """Print the vulnerabilities that remain after the upgrades, and those that are new."""
        old, left = set(self.names_and_ids), after.names_and_ids
        if not left:
            say("", "Checked again: no known vulnerabilities remain")
            return
        total = counted(len(left), "vulnerability remains", "vulnerabilities remain")
        remaining = _ids_by_package(after.known).items()
        lines = [f"{name} {version}: {', '.join(ids)}" for (name, version), ids in remaining]
        foreseen = {
            (upgrade.package.name, id_) for upgrade in self.report.upgrades for id_ in upgrade.stays
        }
        explained, missed = old | foreseen, old - foreseen
        new = [f"{id_} in {name}" for name, id_ in left if (name, id_) not in explained]
        if new:
            lines.append(f"New with these upgrades: {', '.join(new)}")
        count = sum(pair in missed for pair in left)
        if count and not self.blocking:
            lines.append(f"Upgrades that were not made would clear {count} of them, see above.")
        say_list(f"Checked again: {total}:", lines)


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
    """List the upgrades that fix vulnerabilities, or apply them with --apply.

    Runs only the scanners that look for vulnerabilities. Names the project's constraints that
    prevent an upgrade, but does not change them.

    Exit codes: 0 done, 2 usage, configuration or policy error, 3 incomplete (a required scanner did
    not examine everything, or a step of --apply failed), 4 internal error, 130 interrupted.
    """
    if report is not None:
        unused = ("policy", "only", "python", "image", "now", "offline")
        options.refuse_with_report(check_options, unused)
        root = options.folder_of(check_options.path)
        raise typer.Exit(_fix_by_report(report, root, blocking_only, apply=apply))
    show = not no_progress
    raise typer.Exit(_fix_by_check(check_options, blocking_only, apply=apply, show=show))


def _fix_by_check(
    check_options: options.Options, blocking: bool, *, apply: bool, show: bool
) -> int:
    """Check, list or make the upgrades, and check again; return the exit code."""
    request = _request(check_options)
    report = run_whole_check(request, show=show)
    advice = FixAdvice(report, blocking)
    bench = _bench(request.path, request.stop, offline=request.offline)
    failed = _advise(advice, bench, apply=apply)
    gaps = report.gate.gaps
    if failed is not None:
        again_request = replace(_request(check_options), stop=request.stop)
        again = run_whole_check(again_request, show=show)
        advice.print_difference(FixAdvice(again, blocking))
        gaps = gaps or again.gate.gaps
    return _end(gaps, failed=bool(failed))


def _fix_by_report(place: Path, root: Path, blocking: bool, *, apply: bool) -> int:
    """List or make the upgrades of a stored report; return the exit code."""
    report = wire.read(place)
    advice = FixAdvice(report, blocking)
    if advice.known and not report.upgrades:
        message = f"{place} lists no upgrades, because an older version of scanagg wrote it"
        raise ReportError(message, _AGAIN)
    try:
        goals_of(report.upgrades, blocking=blocking)
    except ValueError as error:
        raise ReportError(f"{place} lists an invalid upgrade: {error}", _AGAIN) from error
    failed = _advise(advice, _bench(root, Stop(), offline=False), apply=apply)
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


def _bench(root: Path, stop: Stop, *, offline: bool) -> Bench:
    """Return the project with uv to prove changed pins, unless it may not ask an index."""
    if offline:
        return Bench(root, stop, os.environ, without="--offline rules out asking a package index")
    program, _ = installed_uv() or (None, "")
    return Bench(root, stop, os.environ, uv=program)


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
    say_list("Incomplete. The check may have missed vulnerabilities:", map(sentence, gaps))
    return ExitCode.INCOMPLETE if gaps or failed else ExitCode.PASS


def _advise(advice: FixAdvice, bench: Bench, *, apply: bool) -> bool | None:
    """Print the upgrades; with `apply`, make them.

    Return whether a step failed; None if there was no step.
    """
    goals = goals_of(advice.report.upgrades, blocking=advice.blocking)
    plan = ways(bench.root, goals)
    advice.print_table(goals)
    failed = None
    # A requirements file does not record what its packages require.
    alone = dict.fromkeys(
        edit.path
        for edit in plan.edits
        if edit.path.endswith(".txt") and not any(job.recipe.reads(edit.path) for job in plan.jobs)
    )
    if apply and (plan.edits or plan.jobs):
        steps = _apply(plan, bench)
        failed = any(step.state is StepState.FAILED for step in steps)
        unproven = {step.text for step in steps if step.state is StepState.UNPROVEN}
        alone = {path: None for path in alone if path in unproven}
    else:
        _print_plan(plan)
    commands = (f"python -m pip install --dry-run -r {shlex.quote(path)}" for path in alone)
    say_list("Check that the new pins are compatible:", commands)
    say_list("To do by hand:", (f"{part.goal.text}: {part.text}" for part in plan.by_hand))
    advice.print_remaining()
    advice.print_unexamined()
    return failed


def _row(goal: Goal, clears: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of an upgrade: the versions, what it clears, where, and what hinders it."""
    package = goal.package
    step = step_of(package.version, goal.to)
    limits = []
    for constraint in (*goal.barred, *goal.held, *goal.moving):
        source = constraint.by or phrases.place(constraint.place) or "the project"
        when = " before its upgrade" if constraint in goal.moving else ""
        limits.append(f"{source}{when}: {constraint.text or constraint.specifier}")
    # The lines that name the package, and the line of the direct requirement.
    places = [phrases.place(place) for place in package.places]
    where = ", ".join(places[:_SHOWN_PLACES])
    if len(places) > _SHOWN_PLACES:
        where += f" and {len(places) - _SHOWN_PLACES} more"
    if len(package.chain) > 1:
        asked = ", ".join(map(phrases.place, package.asked[:1]))
        where += f" (by {package.chain[0]}{f', {asked}' if asked else ''})"
    return (
        *(package.name, package.version, goal.to, step.value if step else ""),
        *(f"{len(clears)}: {', '.join(clears)}", where.strip(), "; ".join(limits)),
    )


def _print_plan(plan: Ways) -> None:
    """Print the edits and the commands."""
    say_list("Edit:", (line for edit in plan.edits for line in edit.lines))
    edit_first = any(job.recipe.reads(edit.path) for job in plan.jobs for edit in plan.edits)
    say_list("Then run:" if edit_first else "Run:", _commands(plan.jobs))
    if plan.edits or plan.jobs:
        say("", "Apply these changes with: scanagg fix --apply")


def _commands(jobs: Iterable[LockJob]) -> Iterator[str]:
    for job in jobs:
        recipe = job.recipe
        yield from job.shown
        if recipe.newest or any(goal.package.name in recipe.several for goal in job.goals):
            yield f"  {recipe.tool} upgrades to the newest versions that the constraints allow"
        if recipe.reason:
            yield f"  {recipe.reason}"


def _apply(plan: Ways, bench: Bench) -> Sequence[UpgradeStep]:
    """Apply the plan, print each step, and return them.

    A signal that ends the program interrupts it, so that a step that is half done is undone.
    """
    interrupt_on_signals()
    title = "Running lockers. They read the project and may run its build backend:"
    say_list(title, _commands(job for job in plan.jobs if not job.recipe.reason))
    say("", "Applying:")
    steps = []
    for step in applying.apply(plan, bench):
        word = _STEP_WORDS.get(step.state)
        text = f"{step.text} can be installed ({step.reason})"
        if step.state is StepState.PROVEN:
            say(f"  {text}")
        else:
            say(f"  {word}: {step.text}: {step.reason}" if word else f"  {step.text}")
        steps.append(step)
    if bench.stop.interrupted:
        raise KeyboardInterrupt
    return steps


def _ids_by_package(vulnerabilities: Iterable[Judged]) -> dict[_Key, list[str]]:
    """Return the ids by package, each once: each new place of a vulnerability is a finding."""
    ids: dict[_Key, dict[str, None]] = {}
    for judged in vulnerabilities:
        if judged.finding.package:
            ids.setdefault(_key(judged.finding.package), {})[judged.finding.rule.id] = None
    return {key: [*names] for key, names in ids.items()}


def _key(package: Package) -> _Key:
    return package.name, package.version
