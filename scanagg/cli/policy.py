"""`scanagg policy`: look at policy files without scanning."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.cli import request as options
from scanagg.cli.output import tell
from scanagg.core.errors import ExitCode, PolicyError
from scanagg.core.text import counted, one_line
from scanagg.core.yaml import parse
from scanagg.gate.rejudge import findings_of, rejudge
from scanagg.model import Clock, Judged, Report
from scanagg.policy import BUILTIN, Policy, builtin_folder, decide, load_policy
from scanagg.policy.compare import Change, changes
from scanagg.policy.json_schema import schema_text
from scanagg.policy.lint import Surroundings, lint
from scanagg.policy.test import Cases, Tried, read_cases, try_cases
from scanagg.policy.waivers import today
from scanagg.project.target import read_target
from scanagg.reports import wire
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import load_settings

_MOST_BYTES: Final = 1 << 20

app = typer.Typer(no_args_is_help=True, help="Look at policy files without scanning.")

_Name = Annotated[str, typer.Argument(metavar="FILE", help="A policy file, or a ready-made one.")]
_Root = Annotated[
    Path | None, typer.Option(help="A project: say what in the policy means none of its files.")
]
_Report = Annotated[
    Path | None,
    typer.Option("--on", metavar="REPORT", help="A scanagg.json: which waivers it uses."),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is a warning.")]
_Cases = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of cases.")]
_Old = Annotated[str, typer.Argument(metavar="OLD", help="A policy file, or a ready-made one.")]
_New = Annotated[str, typer.Argument(metavar="NEW", help="The policy to compare it with.")]
_On = Annotated[
    Path, typer.Option("--on", metavar="REPORT", help="The scanagg.json whose findings to judge.")
]
_ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 1 where a finding or the outcome changes.")
]


@app.command("check")
def check(
    file: _Name,
    root: _Root = None,
    on: _Report = None,
    now: options.Now = None,
    strict: _Strict = False,
) -> None:
    """Say whether a policy file is valid, or what is wrong and where.

    A valid one is also searched for what it says in vain: rules that nothing can reach, waivers
    without effect, licence ids that were replaced. Each is a warning.

    Exit codes: 0 valid, with warnings or without; 1 valid with warnings under --strict; 2 not
    valid.
    """

    loaded = load_policy(file, root or Path.cwd(), None)
    path = builtin_folder() / f"{file}.yml" if file in BUILTIN else Path(file)
    ground = _ground(loaded, root, on, options.time_of(now))
    flaws = lint(loaded, parse(path.read_bytes()), file, ground)
    warnings = f", {counted(len(flaws), 'warning')}" if flaws else ""
    tell(f"{flaw.place}: {flaw.message}" for flaw in flaws)
    tell([f"valid: {loaded.info.name}, {len(loaded.rules)} rules{warnings}"])
    raise typer.Exit(ExitCode.BLOCKED if strict and flaws else ExitCode.PASS)


@app.command("test")
def test(files: _Cases, policy: options.PolicyName = None, now: options.Now = None) -> None:
    """Judge the findings that files describe, and say where a policy decides otherwise.

    The policy is the one that is given, else the one that a file names, else the project's own.

    Exit codes: 0 all as expected, 1 some not, 2 a file or the policy cannot be used.
    """
    failed = total = 0
    for path in files:
        cases = _read_cases(path)
        tried = _tried(cases, path, policy, options.time_of(now))
        tell(line for one in tried for line in _case(cases.shown, one))
        failed += sum(bool(one.wrong) for one in tried)
        total += len(tried)
    tell([f"{counted(total, 'case')}, {failed} not as expected"])
    raise typer.Exit(ExitCode.BLOCKED if failed else ExitCode.PASS)


@app.command("diff")
def diff(
    old: _Old, new: _New, on: _On, now: options.Now = None, exit_code: _ExitCode = False
) -> None:
    """Say which findings of a report two policies treat differently.

    Exit codes: 0 compared; 1 under --exit-code where a finding or the outcome changes; 2 a file
    cannot be used.
    """

    report, moment = wire.read(on), options.time_of(now)
    clock = None if moment is None else Clock(moment, given=True)
    before, after = (
        rejudge(report, load_policy(name, Path.cwd(), None), clock) for name in (old, new)
    )
    changed = changes(before.findings, after.findings)
    tell(line for change in changed for line in _change(change))
    tell(_sum(changed, before, after))
    differs = bool(changed) or before.gate.exit_code != after.gate.exit_code
    raise typer.Exit(ExitCode.BLOCKED if exit_code and differs else ExitCode.PASS)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of policy files, by which editors complete keys."""

    tell(schema_text().splitlines())


def _ground(
    policy: Policy, root: Path | None, on: Path | None, now: datetime | None
) -> Surroundings:
    """What a policy is held against: the day, a project's files, a report's findings."""

    moment = now or datetime.now(UTC)
    return Surroundings(
        today=today(moment),
        paths=None if root is None else [each.path for each in read_target(root).files],
        uses=() if on is None else decide(findings_of(wire.read(on)), policy, moment).waivers,
    )


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


def _tried(cases: Cases, path: Path, policy: str | None, now: datetime | None) -> tuple[Tried, ...]:
    """The cases judged, by the policy and at the time of the command line, else of the file."""

    here = Path.cwd()
    name, configured = policy or cases.policy, None
    if name is None:
        configured = load_settings(here, scanner_infos()).policy
    elif policy is None and name not in BUILTIN:
        name = str(path.parent / name)
    loaded = load_policy(name, here, configured)
    return try_cases(cases, loaded, now or cases.now or datetime.now(UTC))


def _case(shown: str, tried: Tried) -> Iterator[str]:
    mark = "FAIL" if tried.wrong else "ok  "
    yield f"{mark}  {shown}:{tried.line}  {tried.name}"
    for wrong in tried.wrong:
        yield f"      {wrong}"
    if tried.wrong:
        yield f"      it is {tried.got}"


def _change(change: Change) -> Iterator[str]:
    """One finding with what both policies make of it."""
    finding = change.finding
    place = (
        f"  {finding.location.path}:{finding.location.start_line or 1}" if finding.location else ""
    )
    package = f"  {finding.package.name} {finding.package.version}" if finding.package else ""
    direction = "weaker  " if change.weaker else "stricter"
    yield f"{direction}  {_action(change.old)} -> {_action(change.new)}  {finding.id}"
    yield f"          {finding.category.value} {finding.rule.id}{package}{place}"
    yield f"          by rule {_rule(change.old)} -> {_rule(change.new)}"


def _action(judged: Judged | None) -> str:
    if judged is None:
        return "allowed"
    until = f" until {judged.deadline.date()}" if judged.deadline else ""
    return f"{judged.verdict.action.value}{until}"


def _rule(judged: Judged | None) -> str:
    return judged.verdict.rule if judged else "licenses.allow"


def _sum(changed: Sequence[Change], before: Report, after: Report) -> Iterator[str]:
    """How many change from what to what, and what becomes of the outcome."""
    ways = Counter((_bare(each.old), _bare(each.new)) for each in changed)
    for (old, new), count in sorted(ways.items()):
        yield f"{old} -> {new}: {count}"
    weaker = sum(change.weaker for change in changed)
    same = len(after.findings) - sum(change.new is not None for change in changed)
    total = counted(len(changed), "finding")
    verb = "changes" if len(changed) == 1 else "change"
    yield f"{total} {verb} ({weaker} weaker, {len(changed) - weaker} stricter), {same} stay"
    old, new = (each.gate.outcome.value.upper() for each in (before, after))
    yield f"outcome: {old} -> {new}" if old != new else f"outcome: {old} by both"


def _bare(judged: Judged | None) -> str:
    return judged.verdict.action.value if judged else "allowed"
