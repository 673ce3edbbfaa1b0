"""`scanagg policy`: look at policy files without scanning."""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.cli import options
from scanagg.cli.output import tell
from scanagg.core.errors import ExitCode, PolicyError
from scanagg.core.text import counted, one_line
from scanagg.core.yaml import parse
from scanagg.gate.rejudge import findings_of, rejudge
from scanagg.model import Clock, Judged
from scanagg.policy.compare import VerdictChange, changes
from scanagg.policy.json_schema import schema_text
from scanagg.policy.lint import Surroundings, lint
from scanagg.policy.load import BUILTIN, builtin_folder, load_policy
from scanagg.policy.rules import decide
from scanagg.policy.test import ALLOWED, Cases, Tried, read_cases, try_cases
from scanagg.policy.waivers import today
from scanagg.project.target import read_target
from scanagg.reports import wire
from scanagg.reports.reasons import sentences
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import load_settings

_MOST_BYTES: Final = 1 << 20

app = typer.Typer(no_args_is_help=True, help="Check, test and compare policy files.")

_Name = Annotated[str, typer.Argument(metavar="FILE", help="Policy file, or a ready-made policy.")]
_Root = Annotated[
    Path | None, typer.Option(help="Also warn about paths that match no file of this project.")
]
_Report = Annotated[
    Path | None,
    typer.Option(
        "--on",
        metavar="REPORT",
        help="Also warn about waivers that are unused in this scanagg.json.",
    ),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if there is a warning.")]
_Cases = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files with cases.")]
_Old = Annotated[str, typer.Argument(metavar="OLD", help="Policy file, or a ready-made policy.")]
_New = Annotated[str, typer.Argument(metavar="NEW", help="Policy to compare it with.")]
_On = Annotated[
    Path, typer.Option("--on", metavar="REPORT", help="Judge the findings of this scanagg.json.")
]
_ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 1 if a verdict or the outcome changes.")
]


@app.command("check")
def check(
    file: _Name,
    root: _Root = None,
    on: _Report = None,
    now: options.Now = None,
    strict: _Strict = False,
) -> None:
    """Check a policy file for errors and for parts without effect.

    Unreachable rules, waivers without effect and outdated licence ids are warnings.

    Exit codes: 0 valid, 1 valid but with warnings (with --strict), 2 not valid.
    """
    loaded = load_policy(file, root or Path.cwd(), None)
    path = builtin_folder() / f"{file}.yml" if file in BUILTIN else Path(file)
    moment = options.time_of(now) or datetime.now(UTC)
    surroundings = Surroundings(
        today=today(moment),
        paths=None if root is None else [one.path for one in read_target(root).files],
        uses=() if on is None else decide(findings_of(wire.read(on)), loaded, moment).waivers,
    )
    flaws = lint(loaded, parse(path.read_bytes()), file, surroundings)
    warnings = f", {counted(len(flaws), 'warning')}" if flaws else ""
    tell(f"{flaw.place}: {flaw.message}" for flaw in flaws)
    tell([f"valid: {loaded.info.name}, {len(loaded.rules)} rules{warnings}"])
    raise typer.Exit(ExitCode.BLOCKED if strict and flaws else ExitCode.PASS)


@app.command("test")
def test(files: _Cases, policy: options.PolicyName = None, now: options.Now = None) -> None:
    """Test whether a policy judges the described findings as expected.

    The policy is that of --policy, else the one that the file names, else that of the project.

    Exit codes: 0 all as expected, 1 some are not, 2 a file or the policy cannot be used.
    """
    failed = total = 0
    for path in files:
        cases = _read_cases(path)
        tried = _try(cases, path, policy, options.time_of(now))
        for one in tried:
            mark = "FAIL" if one.wrong else "ok  "
            tell([f"{mark}  {cases.shown}:{one.line}  {one.name}"])
            tell(f"      {wrong}" for wrong in one.wrong)
            if one.wrong:
                tell([f"      it is {_verdict(one.judged)}"])
        failed += sum(bool(one.wrong) for one in tried)
        total += len(tried)
    tell([f"{counted(total, 'case')}, {failed} not as expected"])
    raise typer.Exit(ExitCode.BLOCKED if failed else ExitCode.PASS)


@app.command("diff")
def diff(
    old: _Old, new: _New, on: _On, now: options.Now = None, exit_code: _ExitCode = False
) -> None:
    """List the findings of a report that two policies judge differently.

    Exit codes: 0 compared, 1 a verdict or the outcome changes (with --exit-code), 2 a file cannot
    be used.
    """
    report, moment = wire.read(on), options.time_of(now)
    clock = None if moment is None else Clock(moment, given=True)
    before, after = (
        rejudge(report, load_policy(name, Path.cwd(), None), clock) for name in (old, new)
    )
    changed = changes(before.findings, after.findings)
    for change in changed:
        _print_change(change)
    counts = Counter((_action(one.old), _action(one.new)) for one in changed)
    tell(f"{was} -> {is_}: {count}" for (was, is_), count in sorted(counts.items()))
    weaker = sum(change.weaker for change in changed)
    same = len(after.findings) - sum(change.new is not None for change in changed)
    total = counted(len(changed), "finding")
    verb = "changes" if len(changed) == 1 else "change"
    tell([f"{total} {verb} ({weaker} weaker, {len(changed) - weaker} stricter), {same} stay"])
    first, second = (one.gate.outcome.value.upper() for one in (before, after))
    tell([f"outcome: {first} by both" if first == second else f"outcome: {first} -> {second}"])
    differs = bool(changed) or before.gate.exit_code != after.gate.exit_code
    raise typer.Exit(ExitCode.BLOCKED if exit_code and differs else ExitCode.PASS)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of policy files, for completion in editors."""
    tell(schema_text().splitlines())


def _read_cases(path: Path) -> Cases:
    shown = one_line(str(path))
    hint = "Give a file of cases, as the documentation of the policy shows."
    try:
        # Only a regular file: a pipe or a device would keep us waiting for its end.
        if not path.is_file():
            what = "is not a file" if os.path.lexists(path) else "does not exist"
            raise PolicyError(f"{shown}: {what}", hint)
        if path.stat().st_size > _MOST_BYTES:
            raise PolicyError(f"{shown}: larger than {_MOST_BYTES >> 20} MiB", hint)
        return read_cases(path.read_bytes(), shown)
    except OSError as error:
        raise PolicyError(f"{shown}: {error.strerror}", "Make it readable.") from error


def _verdict(judged: Judged | None) -> str:
    """Return the verdict on a case in words."""
    if judged is None:
        return f"{ALLOWED}: the licence is on the allow list"
    verdict = judged.verdict
    until = f" until {judged.deadline.date()}" if judged.deadline else ""
    return f"{verdict.action.value}{until} by rule {verdict.rule}: {sentences(verdict.reasons)}"


def _try(cases: Cases, path: Path, policy: str | None, now: datetime | None) -> tuple[Tried, ...]:
    """Judge the cases, by the policy and at the time of the command line or else of the file."""
    here = Path.cwd()
    name, configured = policy or cases.policy, None
    if name is None:
        configured = load_settings(here, scanner_infos()).policy
    elif policy is None and name not in BUILTIN:
        name = str(path.parent / name)
    loaded = load_policy(name, here, configured)
    return try_cases(cases, loaded, now or cases.now or datetime.now(UTC))


def _print_change(change: VerdictChange) -> None:
    """Print a finding, and the verdicts of both policies."""
    finding, package, place = change.finding, change.finding.package, change.finding.location
    old, new = (
        f"{_action(one)} until {one.deadline.date()}" if one and one.deadline else _action(one)
        for one in (change.old, change.new)
    )
    old_rule, new_rule = (
        one.verdict.rule if one else "licenses.allow" for one in (change.old, change.new)
    )
    name = f"  {package.name} {package.version}" if package else ""
    where = f"  {place.path}:{place.start_line or 1}" if place else ""
    tell(
        (
            f"{'weaker  ' if change.weaker else 'stricter'}  {old} -> {new}  {finding.id}",
            f"          {finding.category.value} {finding.rule.id}{name}{where}",
            f"          by rule {old_rule} -> {new_rule}",
        )
    )


def _action(judged: Judged | None) -> str:
    return judged.verdict.action.value if judged else "allowed"
