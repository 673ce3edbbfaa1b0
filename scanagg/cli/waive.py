"""`scanagg waive`: accept one finding for a time, as an entry of policies/waivers.yml."""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import options
from scanagg.cli.files import last_report, write_file
from scanagg.cli.output import say
from scanagg.core.errors import PolicyError, UsageError
from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.gate.rules import ProjectRules, load_rules, rule_files
from scanagg.model import Action, Category, Finding
from scanagg.model.enums import WaiverState
from scanagg.policy import Policy, decide, load_policy
from scanagg.policy.load import WAIVERS
from scanagg.policy.waiver_file import Overlaid, Wish, appended, check_wish, choose, entry_for
from scanagg.reports import wire


def command(
    finding: Annotated[
        str, typer.Argument(help="An id, its beginning, or any id of a vulnerability.")
    ],
    path: options.Folder = Path(),
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is accepted.")] = "",
    expires: Annotated[
        str, typer.Option(metavar="DATE", help="The last day on which it holds, UTC.")
    ] = "",
    state: Annotated[
        WaiverState, typer.Option(help="In which sense it is accepted.")
    ] = WaiverState.RISK_ACCEPTED,
    until_fixed: Annotated[
        bool, typer.Option("--until-fixed", help="It ends as soon as a fixed version exists.")
    ] = False,
    package: Annotated[
        str | None, typer.Option(help="Which package, where a vulnerability is in several.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where findings are known from. Default: the last check's.")
    ] = None,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Accept a finding of the last check until a day: owner, reason and day are mandatory."""
    moment = options.time_of(now) or datetime.now(UTC)
    root = options.folder_of(path)
    rules = load_rules(root, rule_files(root, None), policy, os.environ)
    try:
        last_day = date.fromisoformat(expires)
    except ValueError:
        message = f"--expires {expires!r} is no date" if expires else "--expires is missing"
        raise UsageError(message, "Give the last day, such as 2027-02-01.") from None
    wish = Wish(owner.strip(), reason.strip(), last_day, state, until_fixed)
    check_wish(wish, moment.date(), rules.policy.file.waivers.max_days)
    known = wire.read(report or last_report(root, rules.settings)).findings
    chosen = choose([judged.finding for judged in known], finding, package)
    _refuse_unkeyed(chosen, rules)
    text = appended(rules.files.read(WAIVERS), entry_for(chosen, wish))
    files = Overlaid(rules.files, WAIVERS, text.encode("utf-8"))
    with_waiver = load_policy(policy, root, rules.settings.policy, files=files)
    place = _effective_place(chosen, with_waiver, moment)
    write_file(root / WAIVERS, text, PolicyError)
    for judged in known:
        if any(judged.finding is one for one in chosen):
            say(f"waived until {wish.expires}: {judged.finding.title}")
            before = judged.waiver
            if before:
                say(f"  it is waived already at {before.place} until {before.expires}")
            else:
                void = judged.void_waivers
                say(*(f"  of no effect at {one.waiver.place}: {one.reason}" for one in void))
    say(f"written to {place}: commit it")


def _refuse_unkeyed(chosen: Sequence[Finding], rules: ProjectRules) -> None:
    """Raise UsageError for a secret that would be waived by its place, whatever is there later."""
    for one in chosen:
        if one.category is not Category.SECRET:
            continue
        if rules.key is None:
            message = "a secret cannot be waived without a key: the next one here would be too"
            raise UsageError(message, "Make one: scanagg baseline key; then: scanagg check")
        if one.parts and not one.parts.statement[HASH_DIGITS:]:
            message = "the report is from before the project had a key"
            raise UsageError(message, "Run scanagg check again, then waive what it shows.")


def _effective_place(chosen: Sequence[Finding], policy: Policy, moment: datetime) -> str:
    """Return the place of the new waiver, the last of all. PolicyError if it has no effect."""
    place = policy.waivers[-1].place
    for judged in decide(chosen, policy, moment).judged:
        if judged.verdict.action is not Action.WAIVED:
            void = [one.reason for one in judged.void_waivers if one.waiver.place == place]
            reason = void[0] if void else judged.verdict.reason
            message = f"the waiver would have no effect: {reason}"
            raise PolicyError(message, "scanagg explain tells what rules and waivers make of it.")
    return place
