"""`scanagg policy`: check, test and compare policies without scanning."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import options
from scanagg.cli.output import say
from scanagg.core.errors import ExitCode, PolicyError
from scanagg.core.text import counted, one_line
from scanagg.core.yaml import parse
from scanagg.gate.rejudge import findings_of, rejudge
from scanagg.model import Judged
from scanagg.policy.compare import VerdictChange, changes
from scanagg.policy.json_schema import schema_text
from scanagg.policy.lint import lint
from scanagg.policy.load import BUILTIN, builtin_folder, find, load_policy
from scanagg.policy.rules import decide
from scanagg.policy.test import ALLOWED, Cases, Tried, read_cases, try_cases
from scanagg.policy.waivers import today
from scanagg.project.target import read_target
from scanagg.project.trusted import WorkTree
from scanagg.reports import wire
from scanagg.reports.reasons import sentences
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import load_settings

app = typer.Typer(no_args_is_help=True, help="Check, test and compare policies, without scanning.")


@app.command("check")
def check(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A policy file, or the name of a ready-made one.")
    ],
    root: Annotated[
        Path | None,
        typer.Option(help="Also warn about patterns that match no file of this project."),
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option(
            "--on",
            metavar="REPORT",
            help="Also warn about waivers that match nothing in this scanagg.json.",
        ),
    ] = None,
    now: options.Now = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on a warning.")] = False,
) -> None:
    """Check a policy file, and warn about parts without effect.

    Warnings are about rules and overrides that are never reached, waivers and licence exceptions
    without effect, and deprecated licence ids.

    Exit codes: 0 valid, 1 valid but with warnings (only with --strict), 2 not valid.
    """
    loaded = load_policy(file, root or Path.cwd(), None)
    path = builtin_folder() / f"{file}.yml" if file in BUILTIN else Path(file)
    moment = options.moment_of(now)
    flaws = lint(
        loaded,
        parse(path.read_bytes()),
        file,
        today(moment),
        paths=None if root is None else [source.path for source in read_target(root).files],
        uses=() if on is None else decide(findings_of(wire.read(on)), loaded, moment).waivers,
    )
    warnings = f", {counted(len(flaws), 'warning')}" if flaws else ""
    say(*(f"{flaw.place}: {flaw.message}" for flaw in flaws))
    say(f"valid: {loaded.name}, {counted(len(loaded.rules), 'rule')}{warnings}")
    raise typer.Exit(ExitCode.BLOCKED if strict and flaws else ExitCode.PASS)


@app.command("test")
def test(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files with test cases.")],
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Test a policy with cases: findings and their expected verdicts.

    Without --policy, the policy is the one named in the file, or else the project's own.

    Exit codes: 0 all as expected, 1 a case failed, 2 a file or the policy cannot be used.
    """
    total = failed = 0
    for path in files:
        file = find(WorkTree(path.parent, named=True), path.name or ".", str(path))
        if file is None:
            hint = "Give a file with test cases (see `policy test` in docs/policy.md)."
            raise PolicyError(f"{one_line(str(path))}: does not exist", hint)
        cases = read_cases(file.raw, file.name)
        for tried in _try(cases, path, policy, options.time_of(now)):
            total += 1
            failed += bool(tried.wrong)
            mark = "FAIL" if tried.wrong else "ok  "
            say(f"{mark}  {cases.shown}:{tried.line}  {tried.name}")
            if tried.wrong:
                verdict = f"{ALLOWED}: the licence is on the allow list"
                if tried.judged is not None:
                    action, rule = _outcome(tried.judged)
                    verdict = f"{action} by rule {rule}: {sentences(tried.judged.verdict.reasons)}"
                say(*(f"      {line}" for line in (*tried.wrong, f"verdict: {verdict}")))
    say(f"{counted(total, 'case')}: {total - failed} passed, {failed} failed")
    raise typer.Exit(ExitCode.BLOCKED if failed else ExitCode.PASS)


@app.command("diff")
def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="A policy file, or the name of a ready-made one.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The policy to compare it with.")],
    on: Annotated[
        Path, typer.Option("--on", metavar="REPORT", help="The scanagg.json with the findings.")
    ],
    now: options.Now = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if a verdict or the outcome changes.")
    ] = False,
) -> None:
    """Show which findings of a report two policies judge differently.

    Exit codes: 0 compared, 1 something changes (only with --exit-code), 2 a file cannot be used.
    """
    report, clock = wire.read(on), options.clock_of(now)
    before, after = (
        rejudge(report, load_policy(name, Path.cwd(), None), clock) for name in (old, new)
    )
    changed = changes(before.findings, after.findings)
    for change in changed:
        _print_change(change)
    counts = Counter(f"{_action(change.old)} -> {_action(change.new)}" for change in changed)
    say(*(f"{step}: {count}" for step, count in sorted(counts.items())))
    weaker = sum(change.weaker for change in changed)
    same = len(after.findings) - sum(change.new is not None for change in changed)
    verdicts = counted(len(changed), "changed verdict")
    say(f"{verdicts} ({weaker} weaker, {len(changed) - weaker} stricter), {same} unchanged")
    first, second = (report.gate.outcome.value.upper() for report in (before, after))
    outcome = f"{first} with both policies" if first == second else f"{first} -> {second}"
    say(f"outcome: {outcome}")
    differs = bool(changed) or before.gate.exit_code != after.gate.exit_code
    raise typer.Exit(ExitCode.BLOCKED if exit_code and differs else ExitCode.PASS)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of policy files, for completion in editors."""
    say(*schema_text().splitlines())


def _try(cases: Cases, path: Path, policy: str | None, now: datetime | None) -> tuple[Tried, ...]:
    """Judge the cases, with policy and time from the command line, or else from the file."""
    here = Path.cwd()
    name, configured = policy or cases.policy, None
    if name is None:
        configured = load_settings(here, scanner_infos()).policy
    elif policy is None and name not in BUILTIN:
        name = str(path.parent / name)
    loaded = load_policy(name, here, configured)
    return try_cases(cases, loaded, now or cases.now or datetime.now(UTC))


def _print_change(change: VerdictChange) -> None:
    """Print a finding, with the verdicts of both policies."""
    finding, package, place = change.finding, change.finding.package, change.finding.location
    (old, old_rule), (new, new_rule) = (_outcome(judged) for judged in (change.old, change.new))
    rules = f"rule {old_rule}" if old_rule == new_rule else f"rule {old_rule} -> {new_rule}"
    name = f"  {package.name} {package.version}" if package else ""
    where = f"  {place.path}:{place.start_line or 1}" if place else ""
    say(
        *(
            f"{'weaker  ' if change.weaker else 'stricter'}  {old} -> {new}  {finding.id}",
            f"          {finding.category.value} {finding.rule.id}{name}{where}",
            f"          {rules}",
        )
    )


def _outcome(judged: Judged | None) -> tuple[str, str]:
    """Return the action with its deadline, and the rule that decided."""
    if judged is None:
        return ALLOWED, "licenses.allow"
    until = f" until {judged.deadline.date()}" if judged.deadline else ""
    return f"{judged.verdict.action.value}{until}", judged.verdict.rule


def _action(judged: Judged | None) -> str:
    return judged.verdict.action.value if judged else ALLOWED
