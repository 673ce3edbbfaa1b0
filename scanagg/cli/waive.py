"""`scanagg waive`: accept a finding until a given day, in policies/waivers.yml."""

import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from scanagg.cli import options
from scanagg.cli.files import last_report, write_project_file
from scanagg.cli.output import say
from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.text import one_line
from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.gate.rules import ProjectRules, load_rules, rule_files
from scanagg.model import Action, Category, Finding
from scanagg.model.enums import WaiverState
from scanagg.policy.load import WAIVERS, load_policy
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy
from scanagg.policy.waiver_file import (
    Overlaid,
    Wish,
    appended,
    check_wish,
    choose,
    entry_for,
    rule_scope,
)
from scanagg.reports import wire
from scanagg.reports.reasons import sentence, sentences


def command(
    finding: Annotated[
        str,
        typer.Argument(
            help="A finding's id or at least its first 6 digits, or the id of an advisory or rule."
        ),
    ],
    path: options.Folder = Path(),
    owner: Annotated[str, typer.Option(help="Who accepts the finding. Required.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is accepted. Required.")] = "",
    expires: Annotated[
        str,
        typer.Option(
            metavar="DATE", help="The last day of the waiver (UTC), such as 2027-02-01. Required."
        ),
    ] = "",
    state: Annotated[
        WaiverState,
        typer.Option(
            metavar="STATE",
            help=f"The kind of waiver: {', '.join(state.value for state in WaiverState)}.",
        ),
    ] = WaiverState.RISK_ACCEPTED,
    until_fixed: Annotated[
        bool,
        typer.Option("--until-fixed", help="End the waiver early if a fixed version is published."),
    ] = False,
    package: Annotated[
        str | None,
        typer.Option(help="The package to waive, if several have the vulnerability."),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            "--in",
            metavar="PATTERN",
            help="The files in which to waive a rule, as in .gitignore. "
            "Default: the file, if its findings are in only one.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Look up the finding in this JSON report. Default: the last check."),
    ] = None,
    policy: options.PolicyName = None,
    now: options.Now = None,
) -> None:
    """Waive a finding of the last check, or a rule in some files, until a given day.

    The waiver goes into policies/waivers.yml, with an owner, a reason and an end date. A waiver for
    a rule also covers later findings in these files.
    """
    given = {"--owner": owner, "--reason": reason, "--expires": expires}
    missing = [name for name, value in given.items() if not value.strip()]
    if missing:
        message = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        hint = "A waiver needs an owner, a reason, and its last day, such as --expires 2027-02-01."
        raise UsageError(message, hint)
    moment = options.moment_of(now)
    root = options.folder_of(path)
    rules = load_rules(root, rule_files(root, None), policy, os.environ)
    try:
        last_day = date.fromisoformat(expires)
    except ValueError:
        message = f"--expires {expires!r} is not a date"
        raise UsageError(message, "Set the last day, such as --expires 2027-02-01.") from None
    wish = Wish(owner.strip(), reason.strip(), last_day, state, until_fixed)
    check_wish(wish, moment.date(), rules.policy.file.waivers.max_days)
    known = wire.read(report or last_report(root, rules.settings)).findings
    findings = [judged.finding for judged in known]
    scope = rule_scope(findings, finding, within)
    if within is not None and scope is None:
        message = f"no finding in the report is of a rule {one_line(finding)!r}"
        raise UsageError(message, "Use --in only with the id of a rule, such as B602.")
    chosen = scope.findings if scope else choose(findings, finding, package)
    _refuse_unkeyed(chosen, rules)
    text = appended(rules.files.read(WAIVERS), entry_for(chosen, wish, scope))
    files = Overlaid(rules.files, WAIVERS, text.encode("utf-8"))
    with_waiver = load_policy(policy, root, rules.settings.policy, files=files)
    place = _effective_place(chosen, with_waiver, moment)
    write_project_file(root, WAIVERS, text, PolicyError)
    for judged in decide(chosen, rules.policy, moment).judged:
        say(f"Waived until {wish.expires}: {judged.finding.title}")
        if judged.waiver:
            say(f"  already waived until {judged.waiver.expires} at {judged.waiver.place}")
        else:
            for void in judged.void_waivers:
                reason = sentence(void.reason)
                say(f"  the waiver at {void.waiver.place} has no effect: {reason}")
    if scope:
        say(f"This also waives later findings of {scope.rule} in {scope.pattern}.")
    say(f"Added to {place}. Commit the file.")


def _refuse_unkeyed(chosen: Sequence[Finding], rules: ProjectRules) -> None:
    """Raise UsageError for a secret without a keyed digest: its waiver would cover later ones."""
    for finding in chosen:
        if finding.category is not Category.SECRET:
            continue
        if rules.key is None:
            raise UsageError(
                "cannot waive a secret without a project key: the waiver would also cover the next "
                "secret on this line",
                "Create a key with `scanagg baseline key`, run `scanagg check`, then try again.",
            )
        if finding.parts and not finding.parts.code[HASH_DIGITS:]:
            raise UsageError(
                "the report is older than the project key",
                "Run `scanagg check`, then waive the finding in the new report.",
            )


def _effective_place(chosen: Sequence[Finding], policy: Policy, moment: datetime) -> str:
    """Return the place of the new waiver, the last one. PolicyError if it has no effect."""
    place = policy.waivers[-1].place
    for judged in decide(chosen, policy, moment).judged:
        if judged.verdict.action is not Action.WAIVED:
            void = [one.reason for one in judged.void_waivers if one.waiver.place == place]
            reason = sentences(void or judged.verdict.reasons)
            message = f"the waiver would have no effect: {reason}"
            hint = (
                f"Run `scanagg explain {judged.finding.id}` to see which rules and waivers apply."
            )
            raise PolicyError(message, hint)
    return place
