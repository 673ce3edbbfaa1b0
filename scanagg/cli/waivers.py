"""`scanagg waivers`: list all waivers, with the findings they match and the days left."""

import os
from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import options
from scanagg.cli.files import last_report, short_path
from scanagg.cli.output import say
from scanagg.cli.tables import print_table
from scanagg.gate.rules import load_rules, rule_files
from scanagg.model import WaiverStatus, WaiverUse
from scanagg.policy.rules import decide
from scanagg.reports import wire
from scanagg.reports.phrases import plural

_HEADS = ("waiver", "covers", "state", "owner", "matches", "expires", "reason")


def command(
    path: options.Folder = Path(),
    report: Annotated[
        Path | None,
        typer.Option(help="Match the findings in this JSON report. Default: the last check."),
    ] = None,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """List all waivers, with the findings they match in the last check and the days left."""
    moment = options.moment_of(now)
    root = options.folder_of(path)
    rules = load_rules(root, rule_files(root, None), policy, os.environ)
    if not rules.policy.waivers:
        say("No waivers.")
        return
    place = report or last_report(root, rules.settings)
    # A missing report is an error only if --report names it.
    known = wire.read(place) if report or os.path.lexists(place) else None
    findings = [judged.finding for judged in known.findings] if known else []
    uses = decide(findings, rules.policy, moment).waivers
    print_table(_HEADS, [_row(use, known is not None) for use in uses])
    say(plural(len(uses), "waiver"))
    if known is None:
        shown = short_path(place)
        say(f"Unknown what they match: {shown} does not exist. Run `scanagg check` first.")
    else:
        time = f"{known.clock.now:%Y-%m-%d %H:%M} UTC"
        say(f"Matched with the check of {time}, {short_path(place)}")


def _row(use: WaiverUse, is_known: bool) -> tuple[str, ...]:
    waiver = use.waiver
    if use.days_left < 0:
        ends = f"expired {plural(-use.days_left, 'day')} ago"
    elif use.status is WaiverStatus.EXPIRED:
        ends = "has no effect"
    else:
        ends = f"{plural(use.days_left, 'day')} left" if use.days_left else "last day"
    matches = "unused" if use.status is WaiverStatus.UNUSED else str(use.matched)
    package = " ".join(filter(None, (waiver.purl, waiver.versions)))
    fingerprint = (waiver.fingerprint or "")[:12]
    covers = filter(None, (", ".join(waiver.ids), package, waiver.path, fingerprint))
    reason = waiver.reason + (" (until fixed)" if waiver.until_fixed else "")
    return (
        *(waiver.place, " ".join(covers), waiver.state.value, waiver.owner),
        *(matches if is_known else "-", f"{waiver.expires}, {ends}", reason),
    )
