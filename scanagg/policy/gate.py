"""The outcome of a run: what blocks, what was not examined, and the exit code that follows.

Statuses and coverage are judged here, against the policy, and nowhere else:

- FAILED, TIMEOUT, MISSING and EMPTY leave a gap, and so does a required scanner without a run.
- OK and DEGRADED are judged by coverage: a gap where more inputs were not examined than
  `max_skipped` and `max_errors` together allow (none unless given), or fewer than `min_audited`
  were. An input that was left out on purpose counts for no threshold: reports list it.
- Data older than `db_max_age`, or of unknown age, leaves a gap too. So does data about
  vulnerabilities that the policy requires (KEV, EPSS), where it is missing or older than
  `enrichment.max_age`; of other such data the age is a notice.
- A gap of a required scanner makes the run incomplete; of another one it is a notice, unless its
  entry says `on_failure: block`. Optional scanners that are not installed are not mentioned.
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
)
from scanagg.policy.aspects import globs
from scanagg.policy.freshness import ahead, lacks, stale, unchecked
from scanagg.policy.rules import Decision
from scanagg.policy.schema import Policy, ScannerEntry
from scanagg.policy.waivers import (
    in_source_excess,
    in_source_notices,
    unused_waivers,
    waiver_notices,
)

_SHOWN: Final = 3
_WIDTH: Final = 160
_BROKEN: Final = {
    Status.FAILED: "failed",
    Status.TIMEOUT: "ran out of time",
    Status.MISSING: "did not run",
    Status.EMPTY: "examined nothing",
}


class Gap(msgspec.Struct, frozen=True):
    """Something that was to be examined and was not. A dry run forgives `lenient` gaps."""

    text: str
    lenient: bool = False


def judge_runs(
    runs: Sequence[Run],
    decision: Decision,
    policy: Policy,
    required: frozenset[str],
    now: datetime,
    *,
    files: Sequence[str] = (),
    interrupted: bool = False,
    problems: Sequence[str] = (),
    data: Sequence[DataSource] = (),
) -> Gate:
    """Return the gate for these runs and verdicts.

    `required` are the scanners that the command line names: where there are any, they and no
    others are required, each of them without leniency; data about vulnerabilities then only where
    there are any. `files` are the target's paths, for conditions on them. `problems` are gaps that
    are no scanner's. `data` is what the advisory store held. By `now` (UTC) the age of data is
    measured.
    """
    gaps: list[Gap] = []
    notices: list[str] = []
    if interrupted:
        gaps.append(Gap("interrupted before everything was examined"))
    for name in sorted({*(run.scanner for run in runs), *policy.file.scanners, *required}):
        entry = _entry(name, policy, required, files)
        its_own = [run for run in runs if run.scanner == name]
        _judge_scanner(name, its_own, entry, now, gaps, notices)
    # Where the command line names scanners, no data is missed unless there are vulnerabilities.
    spared = required and not any(each.finding.advisory for each in decision.judged)
    for lack in lacks(policy.file.enrichment, decision.judged, data, now):
        if lack.required and not spared:
            gaps.append(Gap(lack.text))
        else:
            notices.append(lack.text)
    notices += [unchecked(kind, count, data) for kind, count in decision.unchecked.items()]
    notices += ahead(runs, data, now)
    gaps += [Gap(one_line(problem)) for problem in problems]
    if not gaps and not any(run.coverage.examined for run in runs):
        gaps.append(Gap("nothing was examined: there was no input for any scanner"))
    is_whole = all(run.status in (Status.OK, Status.NOT_APPLICABLE) for run in runs)
    complete = is_whole and not (required or interrupted)
    section = policy.file.waivers
    notices += waiver_notices(decision.waivers, section, complete)
    notices += in_source_notices(decision.judged, section)
    blocks = [
        *_blocks(decision.judged),
        *in_source_excess(decision.judged, runs, section),
        *unused_waivers(decision.waivers, section, complete),
    ]
    gate = _gate(gaps, blocks, notices, policy)
    return replace(gate, exit_code=ExitCode.INTERRUPTED) if interrupted else gate


def _entry(
    name: str, policy: Policy, required: frozenset[str], files: Sequence[str]
) -> ScannerEntry:
    """Return what is asked of a scanner in this run."""
    entry = policy.file.scanners.get(name, ScannerEntry(required=False))
    if required:
        is_required = name in required
        failure = "block" if is_required else "warn"
        return replace(entry, required=is_required, on_failure=failure)
    if entry.when and not any(map(globs(entry.when.exists).match_file, files)):
        return replace(entry, required=False)
    return entry


def _judge_scanner(
    name: str,
    runs: Sequence[Run],
    entry: ScannerEntry,
    now: datetime,
    gaps: list[Gap],
    notices: list[str],
) -> None:
    """Add the gaps and the notices of one scanner."""
    lenient = entry.on_failure == "warn"
    if not runs and entry.required:
        gaps.append(Gap(f"{name} is required but did not run", lenient))
    for run in runs:
        coverage = run.coverage
        gap = _gap(run, entry) or stale(run, entry, now)
        if gap and entry.required:
            gaps.append(Gap(f"{name} is required but {gap}", lenient))
        elif gap and run.status is not Status.MISSING:
            if entry.on_failure == "block":
                gaps.append(Gap(f"{name} {gap}"))
            else:
                notices.append(f"{name} {gap}")
        elif not gap and run.status is Status.EMPTY:
            amount = f"all {coverage.found} {coverage.unit}"
            notices.append(f"{name} examined nothing: {amount} were left out on purpose")
        elif not gap and run.status is not Status.NOT_APPLICABLE and _missed(coverage):
            # Which ones, every report says of the run itself.
            notices.append(f"{name} examined {_amount(coverage)}; the policy allows that")


def _gap(run: Run, entry: ScannerEntry) -> str | None:
    """Return what a run lacks, in words that follow the scanner's name; None for nothing."""
    coverage = run.coverage
    all_excluded = _wanted(coverage) <= 0 < coverage.found
    if run.status is Status.NOT_APPLICABLE or (run.status is Status.EMPTY and all_excluded):
        return None
    if run.status in _BROKEN:
        return _with_detail(_BROKEN[run.status], _words(run.detail))
    least = max(1, entry.min_audited)
    if _wanted(coverage) > 0 and coverage.examined < least:
        return f"examined {_amount(coverage)}, fewer than {least}"
    missed = _missed(coverage)
    # The sum of both, for a run does not say which inputs were skipped and which failed.
    bounds = (entry.max_skipped, entry.max_errors)
    if "any" not in bounds and missed > sum(map(int, bounds)):
        named = [
            f"{one_line(each.input)} ({_words(each.reason)})" for each in coverage.gaps[:_SHOWN]
        ]
        if missed > len(named):
            more = missed - len(named)
            named.append(f"{more} more" if named else f"{more} not named")
        return _with_detail(f"examined {_amount(coverage)}", ", ".join(named))
    if run.status is Status.DEGRADED and not missed and not coverage.not_examined:
        return _with_detail("is degraded", _words(run.detail))
    return None


def _wanted(coverage: Coverage) -> int:
    """Return how many inputs there were, but for those left out on purpose."""
    return coverage.found - (len(coverage.not_examined) - len(coverage.gaps))


def _missed(coverage: Coverage) -> int:
    """Return how many inputs were not examined, named or not."""
    return max(len(coverage.gaps), _wanted(coverage) - coverage.examined)


def _amount(coverage: Coverage) -> str:
    return f"{coverage.examined} of {_wanted(coverage)} {coverage.unit}"


def _words(reason: Reason | None) -> str:
    return one_line(str(reason.values.get("text", reason.kind))) if reason else ""


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {shorten(one_line(detail), _WIDTH)}" if detail else text


def _blocks(judged: Sequence[Judged]) -> list[str]:
    """Return what blocks: the sum, then each rule with its worst few; `judged` is worst first."""
    by_rule: dict[str, list[Judged]] = {}
    for each in judged:
        if each.verdict.action is Action.BLOCK:
            by_rule.setdefault(each.verdict.rule, []).append(each)
    if not by_rule:
        return []
    counts = Counter(each.severity for blocking in by_rule.values() for each in blocking)
    levels = ", ".join(f"{counts[level]} {level.value}" for level in Severity if counts[level])
    lines = []
    for rule, blocking in by_rule.items():
        worst = [_title(each) for each in blocking[:_SHOWN]]
        if len(blocking) > _SHOWN:
            worst.append(f"{len(blocking) - _SHOWN} more")
        of_levels = f" ({levels})" if len(by_rule) == 1 else ""
        lines.append(f"{_findings(len(blocking))}{of_levels} by rule {rule}: {'; '.join(worst)}")
    return lines if len(lines) == 1 else [f"{_findings(counts.total())}: {levels}", *lines]


def _findings(count: int) -> str:
    return "1 finding blocks" if count == 1 else f"{count} findings block"


def _title(judged: Judged) -> str:
    finding = judged.finding
    package, location = finding.package, finding.location
    if finding.advisory and package:
        title = one_line(f"{finding.advisory.id} in {package.name} {package.version}")
    else:
        title = shorten(one_line(finding.title), _WIDTH)
    if location is None:
        return title
    line = f":{location.start_line}" if location.start_line else ""
    return f"{title} ({one_line(location.path)}{line})"


def _gate(
    gaps: Sequence[Gap], blocks: Sequence[str], notices: Sequence[str], policy: Policy
) -> Gate:
    """Return the outcome: 3 over 1, and what a dry run makes of both."""
    if policy.enforcement == "warn":
        forgiven = [gap for gap in gaps if gap.lenient]
        gaps = [gap for gap in gaps if not gap.lenient]
        notices = [
            *(f"would be incomplete: {gap.text}" for gap in forgiven),
            *(f"would block: {line}" for line in blocks),
            *notices,
        ]
        blocks = ()
    outcome, exit_code = Outcome.PASS, ExitCode.PASS
    if gaps:
        outcome, exit_code = Outcome.INCOMPLETE, ExitCode.INCOMPLETE
    elif blocks:
        outcome, exit_code = Outcome.BLOCKED, ExitCode.BLOCKED
    texts = tuple(gap.text for gap in gaps)
    return Gate(outcome, exit_code, (*texts, *blocks), tuple(notices), gaps=texts)
