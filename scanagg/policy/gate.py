"""The outcome of a run: what blocks, what was not examined, and the exit code.

Only this module judges the statuses and the coverage of runs:

- A run that failed, timed out, is missing or empty leaves a gap. So does a required scanner without
  a run.
- A run that is ok or degraded leaves a gap if more inputs were not examined than `max_skipped` and
  `max_errors` allow together (0 by default), or if fewer than `min_audited` were. Inputs that were
  left out on purpose are listed in reports and do not count.
- Data older than `db_max_age`, or without a date, leaves a gap. So does data about vulnerabilities
  that the policy requires (KEV, EPSS), if it is missing or older than `enrichment.max_age`. For
  other such data, its age is a notice.
- A gap of a required scanner makes the run incomplete. A gap of another scanner is a notice, unless
  its entry has `on_failure: block`. Optional scanners that are not installed are not mentioned.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ExitCode
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Action,
    Coverage,
    DataSource,
    Gate,
    Judged,
    Outcome,
    Reason,
    Run,
    Severity,
    Status,
    Terms,
    WaiverStatus,
    WaiverUse,
    plain,
)
from scanagg.policy.aspects import globs
from scanagg.policy.freshness import ahead, lacks, stale, unchecked
from scanagg.policy.grace import span
from scanagg.policy.rules import Decision
from scanagg.policy.schema import Policy, ScannerEntry, WaiverSection
from scanagg.scanners.base import scanner_info

_SHOWN: Final = 3
_WIDTH: Final = 160


class CheckResults(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a check, by which its outcome is judged.

    If `terms.only` names scanners, they and no others are required, each of them without leniency.
    `files` are the paths of the target, for conditions on them. `data` is the content of the
    advisory store. `now` (UTC) is the time by which the age of data is measured.
    """

    runs: Sequence[Run]
    decision: Decision
    now: datetime
    terms: Terms = Terms()
    files: Sequence[str] = ()
    data: Sequence[DataSource] = ()
    interrupted: bool = False


class Gap(msgspec.Struct, frozen=True):
    """Something that should have been examined and was not. A dry run forgives `lenient` gaps."""

    reason: Reason
    lenient: bool = False


def judge_runs(results: CheckResults, policy: Policy) -> Gate:
    """Return the gate for these results, with the notices of their terms."""
    runs, judged = results.runs, results.decision.judged
    required, section = results.terms.only, policy.file.waivers
    gaps: list[Gap] = []
    notices: list[Reason] = []
    if results.interrupted:
        gaps.append(Gap(Reason("interrupted")))
    for name in sorted({*(run.scanner for run in runs), *policy.file.scanners, *required}):
        entry = _entry(name, policy, required, results.files)
        its_own = [run for run in runs if run.scanner == name]
        if not its_own and entry.required:
            reason = Reason("required-scanner", {"scanner": name, "problem": Reason("no-run")})
            gaps.append(Gap(reason, entry.on_failure == "warn"))
        for run in its_own:
            _judge_run(run, entry, results.now, gaps, notices)
    # If --only names scanners, missing data matters only where there are vulnerabilities.
    spared = required and not any(each.finding.advisory for each in judged)
    for lack in lacks(policy.file.enrichment, judged, results.data, results.now):
        if lack.required and not spared:
            gaps.append(Gap(lack.reason))
        else:
            notices.append(lack.reason)
    for kind, count in results.decision.unchecked.items():
        notices.append(unchecked(kind, count, results.data))
    notices += ahead(runs, results.data, results.now)
    gaps += map(Gap, results.terms.problems)
    if not gaps and not any(run.coverage.examined for run in runs):
        gaps.append(Gap(Reason("nothing-examined")))
    is_whole = all(run.status in (Status.OK, Status.NOT_APPLICABLE) for run in runs)
    is_complete = is_whole and not (required or results.interrupted)
    blocks = _blocking_findings(judged)
    _judge_hidden(judged, runs, section, notices, blocks)
    _judge_waivers(results.decision.waivers, section, is_complete, notices, blocks)
    gate = _gate(gaps, blocks, [*notices, *results.terms.notices], policy)
    return replace(gate, exit_code=ExitCode.INTERRUPTED) if results.interrupted else gate


def _entry(
    name: str, policy: Policy, required: Sequence[str], files: Sequence[str]
) -> ScannerEntry:
    """Return what is required of a scanner in this run."""
    entry = policy.file.scanners.get(name, ScannerEntry(required=False))
    if required:
        is_required = name in required
        failure = "block" if is_required else "warn"
        return replace(entry, required=is_required, on_failure=failure)
    if entry.when and not any(map(globs(entry.when.exists).match_file, files)):
        return replace(entry, required=False)
    return entry


def _judge_run(
    run: Run, entry: ScannerEntry, now: datetime, gaps: list[Gap], notices: list[Reason]
) -> None:
    """Add the gaps and the notices of one run."""
    name, coverage, status = run.scanner, run.coverage, run.status
    problem = _problem(run, entry) or stale(run, entry, now)
    if problem and entry.required:
        reason = Reason("required-scanner", {"scanner": name, "problem": problem})
        gaps.append(Gap(reason, entry.on_failure == "warn"))
    elif problem and status is not Status.MISSING:
        reason = Reason("scanner", {"scanner": name, "problem": problem})
        if entry.on_failure == "block":
            gaps.append(Gap(reason))
        else:
            notices.append(reason)
    elif not problem and status is Status.EMPTY:
        notices.append(
            Reason(
                "all-left-out", {"scanner": name, "found": coverage.found, "unit": coverage.unit}
            )
        )
    elif not problem and status is not Status.NOT_APPLICABLE and _missed(coverage):
        # Every report lists the inputs with the run itself.
        notices.append(
            Reason(
                "gaps-allowed",
                {
                    "scanner": name,
                    "examined": coverage.examined,
                    "wanted": _wanted(coverage),
                    "unit": coverage.unit,
                },
            )
        )


def _problem(run: Run, entry: ScannerEntry) -> Reason | None:
    """Return what a run lacks; None for nothing."""
    coverage = run.coverage
    wanted, missed = _wanted(coverage), _missed(coverage)
    detail = run.detail.map(_short) if run.detail else Reason("no-detail")
    least = max(1, entry.min_audited)
    # The sum of both: a run does not record which inputs were skipped and which failed.
    bounds = (entry.max_skipped, entry.max_errors)
    problem = None
    if run.status is Status.FAILED:
        problem = Reason("failed", {"detail": detail})
    elif run.status is Status.TIMEOUT:
        problem = Reason("timeout", {"detail": detail})
    elif run.status is Status.MISSING:
        problem = Reason("missing", {"detail": detail})
    elif run.status is Status.EMPTY:
        if wanted > 0 or not coverage.found:
            problem = Reason("empty", {"detail": detail})
    elif run.status is Status.NOT_APPLICABLE:
        pass
    elif wanted > 0 and coverage.examined < least:
        problem = Reason(
            "few-examined",
            {
                "examined": coverage.examined,
                "wanted": wanted,
                "unit": coverage.unit,
                "least": least,
            },
        )
    elif "any" not in bounds and missed > sum(map(int, bounds)):
        inputs = [
            Reason("input", {"input": gap.input, "reason": gap.reason}) for gap in coverage.gaps
        ]
        problem = Reason(
            "not-all-examined",
            {
                "examined": coverage.examined,
                "wanted": wanted,
                "unit": coverage.unit,
                "inputs": _first(inputs, missed),
            },
        )
    elif run.status is Status.DEGRADED and not missed and not coverage.not_examined:
        problem = Reason("degraded", {"detail": detail})
    return problem


def _wanted(coverage: Coverage) -> int:
    """Return how many inputs there were, without those left out on purpose."""
    return coverage.found - (len(coverage.not_examined) - len(coverage.gaps))


def _missed(coverage: Coverage) -> int:
    """Return how many inputs were not examined, named or not."""
    return max(len(coverage.gaps), _wanted(coverage) - coverage.examined)


def _short(text: str) -> str:
    return shorten(one_line(text), _WIDTH)


def _first(items: Sequence[Reason], total: int) -> tuple[Reason, ...]:
    """Return the first few of some items, and how many of the total are left."""
    left = total - len(items[:_SHOWN])
    more = Reason("more", {"count": left}) if items else Reason("unnamed", {"count": left})
    return (*items[:_SHOWN], *([more] if left else ()))


def _blocking_findings(judged: Sequence[Judged]) -> list[Reason]:
    """Return what blocks: the sum, then each rule with its worst few; `judged` is worst first."""
    by_rule: dict[str, list[Judged]] = {}
    for each in judged:
        if each.verdict.action is Action.BLOCK:
            by_rule.setdefault(each.verdict.rule, []).append(each)
    counts = Counter(each.severity for blocking in by_rule.values() for each in blocking)
    levels = tuple(
        Reason("level", {"count": counts[level], "severity": level.value})
        for level in Severity
        if counts[level]
    )
    if len(by_rule) == 1:
        ((rule, blocking),) = by_rule.items()
        return [
            Reason(
                "findings-block-by-one-rule",
                {
                    "count": len(blocking),
                    "levels": levels,
                    "rule": rule,
                    "findings": _worst(blocking),
                },
            )
        ]
    lines = [
        Reason(
            "findings-block-by-rule",
            {"count": len(blocking), "rule": rule, "findings": _worst(blocking)},
        )
        for rule, blocking in by_rule.items()
    ]
    if lines:
        lines.insert(0, Reason("findings-block", {"count": counts.total(), "levels": levels}))
    return lines


def _worst(blocking: Sequence[Judged]) -> tuple[Reason, ...]:
    return _first([_title(judged) for judged in blocking[:_SHOWN]], len(blocking))


def _title(judged: Judged) -> Reason:
    finding, package = judged.finding, judged.finding.package
    if finding.advisory and package:
        what = Reason(
            "vulnerable-package",
            {"id": finding.advisory.id, "package": package.name, "version": package.version},
        )
    else:
        what = plain(_short(finding.title))
    location = finding.location
    if location is None:
        return what
    line = f":{location.start_line}" if location.start_line else ""
    return Reason("finding-at", {"finding": what, "place": f"{location.path}{line}"})


def _judge_hidden(
    judged: Sequence[Judged],
    runs: Sequence[Run],
    section: WaiverSection,
    notices: list[Reason],
    blocks: list[Reason],
) -> None:
    """Add what the policy says of findings that comments and files of the project hide."""
    listed = Counter(each.finding.in_source for each in judged if each.finding.in_source)
    # Some scanners count what is hidden from them, and do not list it.
    unlisted: Counter[str] = Counter()
    for run in runs:
        suppressions = scanner_info(run.scanner).suppressions
        for kind, number in run.hidden.items():
            if not suppressions.get(kind, True) and not any(kind in name for name in listed):
                unlisted[kind] += number
    total, forbids = (listed + unlisted).total(), section.in_source == "forbid"
    if listed and forbids:
        notices.append(Reason("hidden-forbidden", {"hidden": _by_kind(listed)}))
    elif listed and section.in_source == "report":
        notices.append(_by_kind(listed))
    if unlisted and forbids:
        blocks.append(Reason("hidden-unlisted", {"hidden": _by_kind(unlisted)}))
    if section.max_in_source is not None and total > section.max_in_source:
        reason = Reason(
            "hidden-too-many",
            {"hidden": _by_kind(listed + unlisted), "limit": section.max_in_source},
        )
        blocks.append(reason)


def _by_kind(counts: Counter[str]) -> Reason:
    kinds = tuple(
        Reason("hidden-by", {"count": number, "kind": kind})
        for kind, number in sorted(counts.items())
    )
    return Reason("hidden", {"count": counts.total(), "kinds": kinds})


def _judge_waivers(
    uses: Sequence[WaiverUse],
    section: WaiverSection,
    is_complete: bool,
    notices: list[Reason],
    blocks: list[Reason],
) -> None:
    """Add what the policy says of waivers. Only a complete run shows that one is unused."""
    soon = span(section.warn_before).days
    ending = [use for use in uses if use.status is WaiverStatus.ACTIVE and use.days_left <= soon]
    void = [use for use in uses if use.status is WaiverStatus.EXPIRED]
    expired = [use for use in void if use.days_left < 0]
    unaffected = [use for use in void if use.days_left >= 0]
    unused = [use for use in uses if use.status is WaiverStatus.UNUSED]
    if ending:
        ending.sort(key=lambda use: use.days_left)
        notices.append(Reason("waivers-end", {"count": len(ending), "waivers": _named(ending)}))
    if expired:
        notices.append(
            Reason("waivers-expired", {"count": len(expired), "waivers": _named(expired)})
        )
    if unaffected:
        notices.append(
            Reason("waivers-void", {"count": len(unaffected), "waivers": _named(unaffected)})
        )
    if unused and section.unused == "block" and is_complete:
        blocks.append(
            Reason("waivers-unused-forbidden", {"count": len(unused), "waivers": _named(unused)})
        )
    elif unused and section.unused != "ignore":
        notices.append(Reason("waivers-unused", {"count": len(unused), "waivers": _named(unused)}))


def _named(uses: Sequence[WaiverUse]) -> tuple[Reason, ...]:
    waivers = [
        Reason(
            "waiver",
            {
                "place": use.waiver.place,
                "owner": use.waiver.owner,
                "expires": use.waiver.expires.isoformat(),
            },
        )
        for use in uses
    ]
    return _first(waivers, len(waivers))


def _gate(
    gaps: Sequence[Gap], blocks: Sequence[Reason], notices: Sequence[Reason], policy: Policy
) -> Gate:
    """Return the outcome: 3 over 1, and what a dry run makes of both."""
    if policy.enforcement == "warn":
        notices = [
            *(Reason("would-be-incomplete", {"gap": gap.reason}) for gap in gaps if gap.lenient),
            *(Reason("would-block", {"reason": reason}) for reason in blocks),
            *notices,
        ]
        gaps = [gap for gap in gaps if not gap.lenient]
        blocks = ()
    outcome, exit_code = Outcome.PASS, ExitCode.PASS
    if gaps:
        outcome, exit_code = Outcome.INCOMPLETE, ExitCode.INCOMPLETE
    elif blocks:
        outcome, exit_code = Outcome.BLOCKED, ExitCode.BLOCKED
    missing = tuple(gap.reason for gap in gaps)
    return Gate(outcome, exit_code, (*missing, *blocks), tuple(notices), gaps=missing)
