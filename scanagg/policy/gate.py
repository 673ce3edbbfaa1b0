"""The outcome of a run: what blocks, what was not examined, and the exit code.

Only this module judges the statuses and the coverage of runs:

- A run that failed, timed out, is missing, skipped or empty leaves a gap. So does a required
  scanner without a run.
- A run that is ok or degraded leaves a gap if more inputs were not examined than `max_skipped` and
  `max_errors` allow together (0 by default), or if fewer than `min_audited` were. Inputs that were
  left out on purpose are listed in reports and do not count.
- Manifests and code that nothing read are gaps of the scanner that is usual for their category, if
  it is required and they are more than its `max_unread` (0 by default). Otherwise they are notices.
- Requirements without a lock are a gap of the scanner that is usual for vulnerabilities, if it is
  required and they are more than its `max_unlocked` (by default, `max_skipped`), although it
  examined the versions that an install today would take. Otherwise they are a notice.
- Data older than `db_max_age`, or without a date, leaves a gap. So does data about vulnerabilities
  that the policy requires (KEV, EPSS), if it is missing or older than `enrichment.max_age`. For
  other such data, its age is a notice.
- A gap of a required scanner makes the run incomplete. A gap of another scanner is a notice, unless
  its entry has `on_failure: block`. Optional scanners that are not installed, or were
  skipped, are not mentioned.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ExitCode
from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Action,
    Category,
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
from scanagg.policy.aspects import path_test
from scanagg.policy.freshness import ahead, lacks, stale, unchecked
from scanagg.policy.rules import Decision
from scanagg.policy.schema import Policy, ScannerEntry, span
from scanagg.scanners.base import scanner_info, usual_scanner

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


def judge_runs(results: CheckResults, policy: Policy) -> Gate:
    """Return the gate for these results, with the notices of their terms."""
    judgement = _Judgement(results, policy)
    judgement.judge_scanners()
    judgement.judge_unread()
    judgement.judge_unlocked()
    judgement.judge_data()
    judgement.judge_findings()
    judgement.judge_hidden_findings()
    judgement.judge_waivers()
    return judgement.gate()


class _Judgement:
    """The gaps, the reasons to block, and the notices of a check.

    `forgiven` are the gaps that a dry run (`enforcement: warn`) does not count.
    """

    def __init__(self, results: CheckResults, policy: Policy) -> None:
        self.results = results
        self.policy = policy
        self.gaps = [Reason("interrupted")] if results.interrupted else []
        self.forgiven: list[Reason] = []
        self.blocks: list[Reason] = []
        self.notices: list[Reason] = []

    def judge_scanners(self) -> None:
        names = (*self.policy.file.scanners, *self.results.terms.only)
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for run in self.results.runs:
            runs.setdefault(run.scanner, []).append(run)
        for name in sorted(runs):
            entry = self.entry(name)
            if entry.required and not runs[name]:
                self.miss(name, Reason("no-run"), entry)
            for run in runs[name]:
                if run.status is not Status.NOT_APPLICABLE:
                    self.judge_run(run, entry)

    def entry(self, name: str) -> ScannerEntry:
        """Return what is required of a scanner in this check."""
        entry = self.policy.file.scanners.get(name, ScannerEntry(required=False))
        if self.results.terms.only:
            if name in self.results.terms.only:
                return replace(entry, required=True, on_failure="block")
            return replace(entry, required=False, on_failure="warn")
        if entry.when:
            matches = path_test(entry.when.exists)
            is_required = entry.required and any(map(matches, self.results.files))
            return replace(entry, required=is_required)
        return entry

    def miss(self, scanner: str, problem: Reason, entry: ScannerEntry) -> None:
        """Add the gap that a required scanner leaves."""
        is_forgiven = self.policy.enforcement == "warn" == entry.on_failure
        reason = Reason("required-scanner", {"scanner": scanner, "problem": problem})
        (self.forgiven if is_forgiven else self.gaps).append(reason)

    def judge_run(self, run: Run, entry: ScannerEntry) -> None:
        coverage = run.coverage
        problem = _broken(run) or _unexamined(run, entry) or stale(run, entry, self.results.now)
        if problem and entry.required:
            self.miss(run.scanner, problem, entry)
        elif problem and run.status not in (Status.MISSING, Status.SKIPPED):
            reasons = self.gaps if entry.on_failure == "block" else self.notices
            reasons.append(Reason("scanner", {"scanner": run.scanner, "problem": problem}))
        elif problem:
            return
        elif run.status is Status.EMPTY:
            reason = Reason(
                "all-left-out",
                {"scanner": run.scanner, "found": coverage.found, "unit": coverage.unit},
            )
            self.notices.append(reason)
        elif _missed(coverage):
            # Every report lists the inputs with the run itself.
            examined = _examined(coverage)
            reason = Reason("gaps-allowed", {"scanner": run.scanner, "examined": examined})
            self.notices.append(reason)

    def judge_unread(self) -> None:
        """Judge the files that nothing read by what is required of their usual scanner."""
        terms = self.results.terms
        total = Counter[str]()
        for unread in terms.unread:
            total[usual_scanner(unread.category)] += unread.count
        for unread in terms.unread:
            scanner = usual_scanner(unread.category)
            entry = self.entry(scanner)
            reasons = self.notices
            limit = entry.max_unread
            if entry.required and limit != "any" and total[scanner] > limit:
                is_forgiven = self.policy.enforcement == "warn" == entry.on_failure
                reasons = self.forgiven if is_forgiven else self.gaps
            if not terms.only or scanner in terms.only:
                reasons.append(unread.reason)

    def judge_unlocked(self) -> None:
        """Judge requirements without a lock by what is required of the scanner for packages."""
        terms, scanner = self.results.terms, usual_scanner(Category.VULNERABILITY)
        if not terms.unlocked or (terms.only and scanner not in terms.only):
            return
        entry = self.entry(scanner)
        limit = entry.most_unlocked
        reason = Reason("unlocked", {"count": terms.unlocked})
        if entry.required and limit != "any" and terms.unlocked > int(limit):
            self.miss(scanner, reason, entry)
        else:
            self.notices.append(reason)

    def judge_data(self) -> None:
        """Judge the data about vulnerabilities, and the gaps that belong to no scanner."""
        results, judged = self.results, self.results.decision.judged
        # If --only names scanners, missing data matters only where there are vulnerabilities.
        is_spared = results.terms.only and not any(one.finding.advisory for one in judged)
        for lack in lacks(self.policy.file.enrichment, judged, results.data, results.now):
            reasons = self.gaps if lack.required and not is_spared else self.notices
            reasons.append(lack.reason)
        for kind, count in results.decision.unchecked.items():
            self.notices.append(unchecked(kind, count, results.data))
        self.notices += ahead(results.runs, results.data, results.now)
        self.gaps += results.terms.problems
        examined = sum(run.coverage.examined for run in results.runs)
        if not (examined or self.gaps or self.forgiven):
            self.gaps.append(Reason("nothing-examined"))

    def judge_findings(self) -> None:
        """Add what blocks: the sum, then each rule with its worst few findings."""
        by_rule: dict[str, list[Judged]] = defaultdict(list)
        severities: Counter[Severity] = Counter()
        for judged in self.results.decision.judged:  # worst first
            if judged.verdict.action is Action.BLOCK:
                by_rule[judged.verdict.rule].append(judged)
                severities[judged.severity] += 1
        levels = tuple(
            Reason("level", {"count": severities[severity], "severity": severity.value})
            for severity in Severity
            if severities[severity]
        )
        if len(by_rule) > 1:
            total = severities.total()
            self.blocks.append(Reason("findings-block", {"count": total, "levels": levels}))
        for rule, blocking in by_rule.items():
            worst = _first([_name(judged) for judged in blocking[:_SHOWN]], len(blocking))
            if len(by_rule) > 1:
                reason = Reason(
                    "findings-block-by-rule",
                    {"count": len(blocking), "rule": rule, "findings": worst},
                )
            else:
                reason = Reason(
                    "findings-block-by-one-rule",
                    {"count": len(blocking), "levels": levels, "rule": rule, "findings": worst},
                )
            self.blocks.append(reason)

    def judge_hidden_findings(self) -> None:
        """Judge the findings that comments and files of the project hide."""
        section = self.policy.file.waivers
        comments = map(attrgetter("finding.in_source"), self.results.decision.judged)
        listed = Counter(filter(None, comments))
        # Some scanners count what is hidden from them, and do not list it.
        unlisted: Counter[str] = Counter()
        names = "\n".join(listed)
        for run in self.results.runs:
            suppressions = scanner_info(run.scanner).suppressions
            for kind, number in run.hidden.items():
                if not suppressions.get(kind, True) and kind not in names:
                    unlisted[kind] += number
        if section.in_source == "report" and listed:
            self.notices.append(_hidden(listed))
        elif section.in_source == "forbid":
            if listed:
                self.notices.append(Reason("hidden-forbidden", {"hidden": _hidden(listed)}))
            if unlisted:
                self.blocks.append(Reason("hidden-unlisted", {"hidden": _hidden(unlisted)}))
        hidden, limit = listed + unlisted, section.max_in_source
        if limit is not None and hidden.total() > limit:
            reason = Reason("hidden-too-many", {"hidden": _hidden(hidden), "limit": limit})
            self.blocks.append(reason)

    def judge_waivers(self) -> None:
        """Judge the waivers that end soon, have no effect or match nothing."""
        section = self.policy.file.waivers
        soon = span(section.warn_before).days
        named: dict[WaiverStatus, list[WaiverUse]] = defaultdict(list)
        for use in sorted(self.results.decision.waivers, key=lambda use: use.days_left):
            if use.status is not WaiverStatus.ACTIVE or use.days_left <= soon:
                named[use.status].append(use)
        if uses := named[WaiverStatus.ACTIVE]:
            self.notices.append(Reason("waivers-end", {"waivers": _waivers(uses)}))
        if uses := named[WaiverStatus.EXPIRED]:
            self.notices.append(Reason("waivers-void", {"waivers": _waivers(uses)}))
        uses = named[WaiverStatus.UNUSED]
        if uses and section.unused == "block" and self.is_whole:
            self.blocks.append(Reason("waivers-unused-forbidden", {"waivers": _waivers(uses)}))
        elif uses and section.unused != "ignore":
            self.notices.append(Reason("waivers-unused", {"waivers": _waivers(uses)}))

    @property
    def is_whole(self) -> bool:
        """True if every scanner examined everything, so that an unused waiver is unused."""
        if self.results.terms.only or self.results.interrupted:
            return False
        return all(run.status in (Status.OK, Status.NOT_APPLICABLE) for run in self.results.runs)

    def gate(self) -> Gate:
        """Return the outcome. Gaps count more than findings, and an interruption most."""
        gaps, blocks, notices = self.gaps, self.blocks, self.notices
        if self.policy.enforcement == "warn":
            notices = [
                *(Reason("would-be-incomplete", {"gap": reason}) for reason in self.forgiven),
                *(Reason("would-block", {"reason": reason}) for reason in blocks),
                *notices,
            ]
            blocks = []
        outcome = Outcome.PASS
        if gaps:
            outcome = Outcome.INCOMPLETE
        elif blocks:
            outcome = Outcome.BLOCKED
        is_interrupted = self.results.interrupted
        return Gate(
            outcome=outcome,
            exit_code=ExitCode.INTERRUPTED if is_interrupted else ExitCode[outcome.name],
            reasons=(*gaps, *blocks),
            notices=(*notices, *self.results.terms.notices),
            gaps=tuple(gaps),
        )


def _broken(run: Run) -> Reason | None:
    """Return why a run cannot be judged by its coverage; None if it can."""
    detail = run.detail.map(_short) if run.detail else Reason("no-detail")
    match run.status:
        case Status.FAILED:
            return Reason("failed", {"detail": detail})
        case Status.TIMEOUT:
            return Reason("timeout", {"detail": detail})
        case Status.MISSING | Status.SKIPPED:
            return Reason("missing", {"detail": detail})
        case Status.EMPTY if run.coverage.wanted > 0 or not run.coverage.found:
            return Reason("empty", {"detail": detail})
        case Status.DEGRADED if not run.coverage.not_examined and not _missed(run.coverage):
            return Reason("degraded", {"detail": detail})
    return None


def _unexamined(run: Run, entry: ScannerEntry) -> Reason | None:
    """Return which inputs were not examined, if these are more than the policy allows."""
    coverage = run.coverage
    least, missed = max(1, entry.min_audited), _missed(coverage)
    if coverage.wanted > 0 and coverage.examined < least:
        return Reason("few-examined", {"examined": _examined(coverage), "least": least})
    # The sum of both: a run does not record which inputs were skipped and which failed.
    bounds = (entry.max_skipped, entry.max_errors)
    if "any" in bounds or missed <= sum(map(int, bounds)):
        return None
    gaps = [Reason("input", {"input": gap.input, "reason": gap.reason}) for gap in coverage.gaps]
    inputs = _first(gaps, missed)
    return Reason("not-all-examined", {"examined": _examined(coverage), "inputs": inputs})


def _examined(coverage: Coverage) -> Reason:
    return Reason(
        "examined",
        {"examined": coverage.examined, "wanted": coverage.wanted, "unit": coverage.unit},
    )


def _missed(coverage: Coverage) -> int:
    """Return how many inputs were not examined, named or not."""
    return max(len(coverage.gaps), coverage.wanted - coverage.examined)


def _short(text: str) -> str:
    return shorten(one_line(text), _WIDTH)


def _first(items: Sequence[Reason], total: int) -> tuple[Reason, ...]:
    """Return the first few of some items, and how many of the total are left."""
    left = total - len(items[:_SHOWN])
    more = Reason("more", {"count": left}) if items else Reason("unnamed", {"count": left})
    return (*items[:_SHOWN], *([more] if left else ()))


def _name(judged: Judged) -> Reason:
    """Return the name and the place of a finding."""
    finding, package, location = judged.finding, judged.finding.package, judged.finding.location
    if finding.advisory and package:
        name = Reason(
            "vulnerable-package",
            {"id": finding.advisory.id, "package": package.name, "version": package.version},
        )
    else:
        name = plain(_short(finding.title))
    if location is None:
        return name
    line = f":{location.start_line}" if location.start_line else ""
    return Reason("finding-at", {"finding": name, "place": f"{location.path}{line}"})


def _hidden(counts: Counter[str]) -> Reason:
    kinds = tuple(
        Reason("hidden-by", {"count": number, "kind": kind})
        for kind, number in sorted(counts.items())
    )
    return Reason("hidden", {"count": counts.total(), "kinds": kinds})


def _waivers(uses: Sequence[WaiverUse]) -> tuple[Reason, ...]:
    named = []
    for use in uses[:_SHOWN]:
        waiver, expires = use.waiver, use.waiver.expires.isoformat()
        named.append(
            Reason("waiver", {"place": waiver.place, "owner": waiver.owner, "expires": expires})
        )
    return _first(named, len(uses))
