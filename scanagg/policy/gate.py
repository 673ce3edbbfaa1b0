"""The outcome of a run: what blocks, what was not looked at, and the exit code that follows.

Statuses and coverage are judged here, against the policy, and nowhere else:

- FAILED, TIMEOUT, MISSING and EMPTY leave a gap, and so does a required scanner without a run.
- OK and DEGRADED are judged by coverage: a gap where more inputs were not examined than
  `max_skipped` and `max_errors` together allow (none unless given), or fewer than `min_audited`
  were. An input whose reason begins with "excluded:" was left out on purpose: reports list it, no
  threshold counts it.
- Data older than `db_max_age`, or of unknown age, leaves a gap too. So does data about
  vulnerabilities that the policy requires (KEV, EPSS), where it is not there or older than
  `enrichment.max_age`; of other such data the age is a notice.
- A gap of a required scanner makes the run incomplete; of another one it is a notice, unless its
  entry says `on_failure: block`. A scanner that nobody requires and nobody has is no news.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from scanagg.core.errors import ExitCode
from scanagg.core.text import one_line, shorten
from scanagg.model import Action, Coverage, DataSource, Gate, Judged, Outcome, Run, Severity, Status
from scanagg.policy.aspects import globs
from scanagg.policy.freshness import ahead, lacks, stale, unchecked
from scanagg.policy.rules import Decision
from scanagg.policy.schema import EnrichmentSection, Policy, ScannerEntry
from scanagg.policy.waivers import (
    in_source_excess,
    in_source_notices,
    unused_waivers,
    waiver_notices,
)
from scanagg.scanners.coverage import gaps_of

_SHOWN: Final = 3
_WIDTH: Final = 160
_UNNAMED: Final = ScannerEntry(required=False)
_BROKEN: Final = {
    Status.FAILED: "failed",
    Status.TIMEOUT: "ran out of time",
    Status.MISSING: "did not run",
    Status.EMPTY: "examined nothing",
}
_WHOLE: Final = (Status.OK, Status.NOT_APPLICABLE)


class Gap(msgspec.Struct, frozen=True):
    """Something that was to be looked at and was not. `lenient` gaps a dry run forgives."""

    text: str
    lenient: bool = False


@dataclass(slots=True)
class _Account:
    gaps: list[Gap] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


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
    """The gate for these runs and verdicts.

    `required` are the scanners that the command line names: where there are any, they and no
    others are required, each of them without leniency; data about vulnerabilities then only where
    there are any. `files` are the target's paths, for conditions on them. `problems` are gaps that
    are no scanner's. `data` is what the advisory store held. By `now` (UTC) the age of data is
    measured.
    """
    account = _Account()
    for name in sorted({*(run.scanner for run in runs), *policy.file.scanners, *required}):
        ran = [run for run in runs if run.scanner == name]
        _account_for(account, name, ran, _entry(name, policy, required, files), now)
    _account_for_data(account, decision, policy.file.enrichment, data, bool(required), now)
    account.notices += ahead(runs, data, now)
    account.gaps += [Gap(one_line(problem)) for problem in problems]
    if interrupted:
        account.gaps.insert(0, Gap("interrupted before everything was examined"))
    if not account.gaps and not any(run.coverage.examined for run in runs):
        account.gaps.append(Gap("nothing was examined: there was no input for any scanner"))
    complete = not (required or interrupted) and all(run.status in _WHOLE for run in runs)
    gate = _gate(account, _all_blocks(account, runs, decision, policy, complete), policy)
    if not interrupted:
        return gate
    return Gate(gate.outcome, ExitCode.INTERRUPTED, gate.reasons, gate.notices)


def _entry(
    name: str, policy: Policy, required: frozenset[str], files: Sequence[str]
) -> ScannerEntry:
    """What is asked of a scanner in this run."""
    entry = policy.file.scanners.get(name, _UNNAMED)
    if required:
        asked = name in required
        failure = "block" if asked else "warn"
        return msgspec.structs.replace(entry, required=asked, on_failure=failure)
    if entry.when and not any(map(globs(entry.when.exists).match_file, files)):
        return msgspec.structs.replace(entry, required=False)
    return entry


def _account_for(
    account: _Account, name: str, runs: Sequence[Run], entry: ScannerEntry, now: datetime
) -> None:
    if not runs and entry.required:
        account.gaps.append(Gap(f"{name} is required but did not run", _is_lenient(entry)))
    for run in runs:
        gap = _gap(run, entry) or stale(run, entry, now)
        if gap is None:
            account.notices += _tolerated(run)
        elif entry.required:
            account.gaps.append(Gap(f"{name} is required but {gap}", _is_lenient(entry)))
        elif run.status is not Status.MISSING:
            text = f"{name} {gap}"
            if entry.on_failure == "block":
                account.gaps.append(Gap(text))
            else:
                account.notices.append(text)


def _account_for_data(
    account: _Account,
    decision: Decision,
    section: EnrichmentSection,
    data: Sequence[DataSource],
    only: bool,
    now: datetime,
) -> None:
    """What is known about vulnerabilities besides what scanners say."""
    spared = only and not any(one.finding.advisory for one in decision.judged)
    for lack in lacks(section, decision.judged, data, now):
        if lack.required and not spared:
            account.gaps.append(Gap(lack.text))
        else:
            account.notices.append(lack.text)
    account.notices += [unchecked(kind, count, data) for kind, count in decision.unchecked.items()]


def _all_blocks(
    account: _Account,
    runs: Sequence[Run],
    decision: Decision,
    policy: Policy,
    complete: bool,
) -> Sequence[str]:
    """What blocks, findings first; what there is to say of waivers goes to the notices."""
    section = policy.file.waivers
    account.notices += waiver_notices(decision.waivers, section, complete)
    account.notices += in_source_notices(decision.judged, section)
    return [
        *_blocks(decision.judged),
        *in_source_excess(decision.judged, runs, section),
        *unused_waivers(decision.waivers, section, complete),
    ]


def _is_lenient(entry: ScannerEntry) -> bool:
    return entry.on_failure == "warn"


def _gap(run: Run, entry: ScannerEntry) -> str | None:
    """What a run lacks, in words that follow the scanner's name; None where nothing."""
    coverage = run.coverage
    nothing_wanted = _wanted(coverage) <= 0 < coverage.found
    if run.status is Status.NOT_APPLICABLE or (run.status is Status.EMPTY and nothing_wanted):
        return None
    if run.status in _BROKEN:
        return _with_detail(_BROKEN[run.status], run.detail)
    if _wanted(coverage) > 0 and coverage.examined < max(1, entry.min_audited):
        return f"examined {_amount(coverage)}, fewer than {max(1, entry.min_audited)}"
    allowed = _allowed(entry)
    if allowed is not None and _missed(coverage) > allowed:
        return _with_detail(f"examined {_amount(coverage)}", _missed_inputs(coverage))
    if run.status is Status.DEGRADED and not _missed(coverage) and not coverage.not_examined:
        return _with_detail("is degraded", run.detail)
    return None


def _tolerated(run: Run) -> Iterator[str]:
    """What was not examined and need not have been."""
    if run.status is Status.EMPTY:
        amount = f"all {run.coverage.found} {run.coverage.unit}"
        yield f"{run.scanner} examined nothing: {amount} were left out on purpose"
    elif run.status is not Status.NOT_APPLICABLE and _missed(run.coverage):
        # Which ones, every report says of the run itself.
        yield f"{run.scanner} examined {_amount(run.coverage)}; the policy allows that"


def _allowed(entry: ScannerEntry) -> int | None:
    """How many inputs may stay unexamined; None for any number.

    The sum of both thresholds, for a run does not say which inputs were skipped and which failed.
    """
    if "any" in (entry.max_skipped, entry.max_errors):
        return None
    return int(entry.max_skipped) + int(entry.max_errors)


def _wanted(coverage: Coverage) -> int:
    """How many inputs there were, but for those left out on purpose."""
    return coverage.found - (len(coverage.not_examined) - len(gaps_of(coverage)))


def _missed(coverage: Coverage) -> int:
    """How many inputs were not examined, named or not."""
    return max(len(gaps_of(coverage)), _wanted(coverage) - coverage.examined)


def _amount(coverage: Coverage) -> str:
    return f"{coverage.examined} of {_wanted(coverage)} {coverage.unit}"


def _missed_inputs(coverage: Coverage) -> str:
    skipped = gaps_of(coverage)
    named = [f"{one_line(one.input)} ({one_line(one.reason)})" for one in skipped[:_SHOWN]]
    more = _missed(coverage) - len(named)
    if more:
        named.append(f"{more} more" if named else f"{more} not named")
    return ", ".join(named)


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {shorten(one_line(detail), _WIDTH)}" if detail else text


def _blocks(judged: Sequence[Judged]) -> list[str]:
    """What blocks: the sum, then each rule with its worst few; `judged` is sorted worst first."""
    blocking = [one for one in judged if one.verdict.action is Action.BLOCK]
    if not blocking:
        return []
    counts = Counter(one.severity for one in blocking)
    by_severity = ", ".join(f"{counts[each]} {each.value}" for each in Severity if counts[each])
    rules = list(dict.fromkeys(one.verdict.rule for one in blocking))
    if len(rules) == 1:
        return [f"{_findings(len(blocking))} ({by_severity}) {_by_rule(rules[0], blocking)}"]
    lines = [f"{_findings(len(blocking))}: {by_severity}"]
    for rule in rules:
        its_own = [one for one in blocking if one.verdict.rule == rule]
        lines.append(f"{_findings(len(its_own))} {_by_rule(rule, its_own)}")
    return lines


def _findings(count: int) -> str:
    return "1 finding blocks" if count == 1 else f"{count} findings block"


def _by_rule(rule: str, blocking: Sequence[Judged]) -> str:
    worst = [_title(one) for one in blocking[:_SHOWN]]
    if len(blocking) > _SHOWN:
        worst.append(f"{len(blocking) - _SHOWN} more")
    return f"by rule {rule}: {'; '.join(worst)}"


def _title(judged: Judged) -> str:
    finding = judged.finding
    package = finding.package
    if finding.advisory and package:
        title = one_line(f"{finding.advisory.id} in {package.name} {package.version}")
    else:
        title = shorten(one_line(finding.title), _WIDTH)
    if finding.location is None:
        return title
    line = f":{finding.location.start_line}" if finding.location.start_line else ""
    return f"{title} ({one_line(finding.location.path)}{line})"


def _gate(account: _Account, blocks: Sequence[str], policy: Policy) -> Gate:
    """3 over 1, and what a dry run makes of both."""
    gaps, notices = account.gaps, [*account.notices]
    if policy.enforcement == "warn":
        forgiven = [gap for gap in gaps if gap.lenient]
        gaps = [gap for gap in gaps if not gap.lenient]
        notices = [
            *(f"would be incomplete: {gap.text}" for gap in forgiven),
            *(f"would block: {line}" for line in blocks),
            *notices,
        ]
        blocks = ()
    reasons = (*(gap.text for gap in gaps), *blocks)
    if gaps:
        return Gate(Outcome.INCOMPLETE, ExitCode.INCOMPLETE, reasons, tuple(notices))
    if blocks:
        return Gate(Outcome.BLOCKED, ExitCode.BLOCKED, reasons, tuple(notices))
    return Gate(Outcome.PASS, ExitCode.PASS, reasons, tuple(notices))
