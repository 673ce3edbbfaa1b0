"""What `scanagg fix` does: find out, advise, apply, look again."""

import os
import re
import signal
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.cli import fix_page
from scanagg.cli import request as options
from scanagg.cli.fix_page import VULNERABILITY_SCANNERS, Wish
from scanagg.cli.listing import say
from scanagg.cli.progress import checked
from scanagg.core.errors import ExitCode, ReportError, UsageError
from scanagg.core.process import Stop
from scanagg.model import Outcome, Report
from scanagg.pipeline import Request
from scanagg.reports import wire
from scanagg.scanners.base import adapters
from scanagg.upgrades.applying import Bench, State, apply
from scanagg.upgrades.ways import Ways, goals_of, ways

_AGAIN: Final = "Check again: scanagg check"
_BLOCKS: Final = re.compile(r"[\d,]+ findings? blocks?\b|[\d,]+ findings: ")


def by_check(asked: options.Options, wish: Wish) -> int:
    """Check, advise, apply if wished, and check again; the exit code."""
    request = _narrowed(asked)
    report = _checked(request, wish)
    failed = _advised(report, request.path, wish, request.stop)
    gaps = _gaps(report)
    if wish.apply and failed is not None:
        again = _checked(replace(_narrowed(asked), stop=request.stop), wish)
        fix_page.compare(report, again, wish)
        gaps = gaps or _gaps(again)
    return _ended(gaps, failed=bool(failed))


def by_report(place: Path, path: Path, wish: Wish) -> int:
    """The same by a stored report, without checking; the exit code."""
    report = wire.read(place)
    if fix_page.known(report) and not report.upgrades:
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
    names = options.scanner_names(asked.only, tuple(adapters()))
    if names and not set(names) & set(VULNERABILITY_SCANNERS):
        hint = f"Vulnerabilities are looked for by {', '.join(VULNERABILITY_SCANNERS)}."
        raise UsageError(f"--only {', '.join(names)} tells of no vulnerabilities", hint)
    others = [name for name in adapters() if name not in VULNERABILITY_SCANNERS]
    request = options.request_of(asked if asked.only else replace(asked, skip=others))
    policy = request.rules.policy
    wanted = {
        name: entry
        for name, entry in policy.file.scanners.items()
        if name in VULNERABILITY_SCANNERS
    }
    file = msgspec.structs.replace(policy.file, scanners=wanted)
    policy = replace(policy, file=file, enforcement="block")
    return replace(request, rules=replace(request.rules, policy=policy))


def _checked(request: Request, wish: Wish) -> Report:
    report = checked(request, show=wish.show)
    if request.stop.interrupted:
        raise KeyboardInterrupt
    return report


def _gaps(report: Report) -> Sequence[str]:
    """Why what is known of vulnerabilities is not whole, by the gate's own reasons."""
    if report.gate.outcome is not Outcome.INCOMPLETE:
        return ()
    others = tuple(f"{name} " for name in adapters() if name not in VULNERABILITY_SCANNERS)
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
    fix_page.table(report, goals, wish)
    failed = None
    if wish.apply and (found.edits or found.jobs):
        fix_page.warn(found.jobs)
        failed = _applied(found, Bench(root, stop, os.environ))
        fix_page.together(found)
        fix_page.by_hand(found)
    else:
        fix_page.to_do(found)
    fix_page.stays(report, wish)
    fix_page.unexamined(report)
    return failed


def _applied(found: Ways, bench: Bench) -> bool:
    """Do it and tell of each step; whether one failed. A signal to end undoes what is half done."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    say("", "Applying:")
    failed = False
    for step in apply(found, bench):
        say(f"  {fix_page.told(step)}")
        failed = failed or step.state is State.FAILED
    if bench.stop.interrupted:
        raise KeyboardInterrupt
    return failed
