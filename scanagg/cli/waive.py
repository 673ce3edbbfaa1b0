"""`scanagg waive`: accept one finding for a time, as an entry of policies/waivers.yml."""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import request as options
from scanagg.cli.output import say
from scanagg.core.cache import write_atomically
from scanagg.core.errors import PolicyError, UsageError
from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.gate.rules import ProjectRules, load_rules, rule_files
from scanagg.model import Action, Category, Finding, Judged
from scanagg.model.enums import WaiverState
from scanagg.pipeline import REPORTS
from scanagg.policy import Policy, decide, load_policy
from scanagg.policy.load import WAIVERS
from scanagg.policy.waiver_file import Overlaid, Wish, appended, check_wish, choose, entry_for
from scanagg.reports import wire
from scanagg.reports.base import reporter


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
    rules = rules_of(root, policy)
    wish = Wish(owner.strip(), reason.strip(), _day(expires), state, until_fixed)
    check_wish(wish, moment.date(), rules.policy.file.waivers.max_days)
    place = report or report_of(root, rules)
    known = wire.read(place).findings
    chosen = choose([judged.finding for judged in known], finding, package)
    _refuse_unkeyed(chosen, rules)
    text = appended(rules.files.read(WAIVERS), entry_for(chosen, wish))
    line = _effective(chosen, _policy_with(text, rules, root, policy), moment)
    _store(root / WAIVERS, text)
    for one in known:
        if any(one.finding is each for each in chosen):
            say(f"waived until {wish.expires}: {one.finding.title}", *_other(one))
    say(f"written to {line}: commit it")


def rules_of(root: Path, policy: str | None) -> ProjectRules:
    """The rules of the work tree, as `scanagg check` reads them."""

    return load_rules(root, rule_files(root, None), policy, os.environ)


def report_of(root: Path, rules: ProjectRules) -> Path:
    """Where the last check of a project left its report, if it did."""

    return root / (rules.settings.output_dir or REPORTS) / reporter("json").FILENAME


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        said = f"--expires {text!r} is no date" if text else "--expires is missing"
        raise UsageError(said, "Give the last day, such as 2027-02-01.") from None


def _refuse_unkeyed(chosen: Sequence[Finding], rules: ProjectRules) -> None:
    """UsageError for a secret that would be waived by its place, whatever comes to stand there."""

    for one in chosen:
        if one.category is not Category.SECRET:
            continue
        if rules.key is None:
            message = "a secret cannot be waived without a key: the next one here would be too"
            raise UsageError(message, "Make one: scanagg baseline key; then: scanagg check")
        if one.parts and not one.parts.statement[HASH_DIGITS:]:
            message = "the report is from before the project had a key"
            raise UsageError(message, "Run scanagg check again, then waive what it shows.")


def _policy_with(text: str, rules: ProjectRules, root: Path, policy: str | None) -> Policy:
    """The policy as it is with that text as its waiver file."""

    files = Overlaid(rules.files, WAIVERS, text.encode("utf-8"))
    return load_policy(policy, root, rules.settings.policy, files=files)


def _effective(chosen: Sequence[Finding], policy: Policy, moment: datetime) -> str:
    """The place of the new waiver, the last of all. PolicyError where it waives nothing."""

    place = policy.waivers[-1].place
    for one in decide(chosen, policy, moment).judged:
        if one.verdict.action is not Action.WAIVED:
            void = [each.reason for each in one.void_waivers if each.waiver.place == place]
            message = f"the waiver would have no effect: {void[0] if void else one.verdict.reason}"
            raise PolicyError(message, "scanagg explain tells what rules and waivers make of it.")
    return place


def _other(judged: Judged) -> list[str]:
    """What was there for the finding before."""
    if judged.waiver:
        return [f"  it is waived already at {judged.waiver.place} until {judged.waiver.expires}"]
    return [f"  of no effect at {each.waiver.place}: {each.reason}" for each in judged.void_waivers]


def _store(file: Path, text: str) -> None:

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, [text])
    except OSError as error:
        message = f"cannot write {file}: {error.strerror or error}"
        raise PolicyError(message, "Make its folder writable.") from error
