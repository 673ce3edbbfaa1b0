"""The words and sentences that all reports and the terminal share."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.core.text import counted, one_line, printable, shorten
from scanagg.model import (
    Action,
    Advisory,
    BaseInfo,
    Category,
    Change,
    DataSource,
    History,
    Judged,
    Location,
    Origin,
    Outcome,
    Package,
    Report,
    Rule,
    Run,
    Severity,
    SeverityClaim,
    Status,
    Upgrade,
    VoidWaiver,
    Waiver,
    WaiverState,
    WaiverUse,
    disagreement,
)
from scanagg.model.cvss import scored
from scanagg.reports.reasons import sentence

OUTCOMES: Final = {
    Outcome.PASS: "Passed",
    Outcome.BLOCKED: "Blocked",
    Outcome.INCOMPLETE: "Incomplete",
}
OUTCOME_MEANS: Final = {
    Outcome.PASS: "No finding blocks under this policy.",
    Outcome.BLOCKED: "At least one finding blocks under this policy.",
    Outcome.INCOMPLETE: (
        "Not a pass: a required scanner did not examine everything, so it may have missed problems."
    ),
}
STATUSES: Final = {
    Status.OK: "ok",
    Status.DEGRADED: "degraded",
    Status.EMPTY: "examined nothing",
    Status.FAILED: "failed",
    Status.TIMEOUT: "timed out",
    Status.MISSING: "missing",
    Status.SKIPPED: "skipped",
    Status.NOT_APPLICABLE: "not applicable",
}
CATEGORIES: Final = {
    Category.VULNERABILITY: "Vulnerabilities",
    Category.CODE: "Code",
    Category.SECRET: "Secrets",
    Category.LICENSE: "Licences",
    Category.MISCONFIGURATION: "Misconfigurations",
}
_HELP: Final = {
    Category.VULNERABILITY: "Upgrade to a fixed version, or remove the package.",
    Category.CODE: (
        "Read about the rule on its page. Change the code, or waive the finding with a reason if "
        "it is wrong."
    ),
    Category.SECRET: (
        "Revoke the secret, issue a new one, and load it from the environment or a secret manager."
    ),
    Category.LICENSE: "Check whether the project may use the package under this licence.",
    Category.MISCONFIGURATION: (
        "Read about the rule on its page. Change the configuration, or waive the finding with a "
        "reason if it is wrong."
    ),
}
# Worst first. Unknown comes after high, because it may be high.
SEVERITIES: Final = tuple(sorted(Severity, key=lambda severity: severity.order))
ORIGINS: Final = {
    Origin.INTRODUCED: "new",
    Origin.DISCLOSED: "disclosed",
    Origin.EXISTING: "existing",
}
WAIVER_STATES: Final = {
    WaiverState.NOT_AFFECTED: "not affected",
    WaiverState.FALSE_POSITIVE: "false positive",
    WaiverState.RISK_ACCEPTED: "risk accepted",
    WaiverState.FIX_PLANNED: "fix planned",
}
_SEVERITY_SOURCES: Final = {
    "ghsa": "GitHub's label",
    "nvd": "NVD",
    "cvss4": "CVSS 4",
    "cvss3.1": "CVSS 3.1",
    "cvss3.0": "CVSS 3.0",
    "cvss2": "CVSS 2",
    "policy": "the policy",
    "table": "the policy's table",
}
POLICY_SOURCES: Final = ("policy", "table")
"""The sources of severities that are the policy's own."""

UNRATED: Final = "unknown: no source rates it, which does not mean low"
MALICIOUS: Final = "malicious: the package itself is an attack"
WITHDRAWN: Final = "withdrawn by its publisher"

REMOVE: Final = "remove it"
NOWHERE: Final = "no version without known vulnerabilities"
UNCHECKED: Final = "from scanners, not checked in the advisory store"
"""The remark on a fixed version that only scanners name."""

NOT_COMPARED: Final = (
    "No base commit or baseline, so every finding counts as new. "
    "Record today's findings with `scanagg baseline write`."
)
LOOSENS_GATE: Final = "This change would loosen its own gate. The verdict uses the earlier rules:"

_STORE: Final = "advisory store"
NO_STORE: Final = (
    f"No {_STORE}: severity, KEV and EPSS come from scanners only. "
    "Download it with `scanagg db update`, or import it with `scanagg db import PATH`."
)
_STORE_DATA: Final = ("OSV", "KEV", "EPSS")
_OSV_CREDIT: Final = (
    "Advisories are from OSV, with records of the PyPA Advisory Database and the GitHub Advisory "
    "Database, under CC BY 4.0."
)
_EPSS_CREDIT: Final = "EPSS scores are from FIRST, first.org/epss."

# The default of `warn_before` in policies.
_SOON_DAYS: Final = 14
_SHOWN_STEPS: Final = 7
# Limits of an example. Rules of other scanners' reports may have any text.
_EXAMPLE_LINES: Final = 12
_EXAMPLE_WIDTH: Final = 120
_SHOWN_PLACES: Final = 3
_SHORT_COMMIT: Final = 7
_SHORT_DIGEST: Final = 12
_SHORT_FINGERPRINT: Final = 16
_SECONDS_A_DAY: Final = 86_400
_ACTION_ORDER: Final = {action: action.order for action in Action}
_ORIGIN_ORDER: Final = {origin: number for number, origin in enumerate(Origin)}


def plural(number: int, word: str, several: str = "") -> str:
    """Return "1 file", "2,000 files"; `several` is a plural that does not end in s."""
    return f"{number:,} {word if number == 1 else several or word + 's'}"


def place(location: Location | None) -> str:
    """Return "app/db.py:5", "app/db.py", or nothing; on one line. A notebook's has the cell."""
    if location is None:
        return ""
    path = one_line(location.path)
    where = f"{path}:{location.start_line}" if location.start_line else path
    return f"{where} ({in_cell})" if (in_cell := cell(location)) else where


def cell(location: Location) -> str:
    """Return "cell 3, line 2", "cell 3", or nothing."""
    if location.cell is None:
        return ""
    line = f", line {location.cell_line}" if location.cell_line else ""
    return f"cell {location.cell}{line}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(one_line, names))


# Counts


class Counts(msgspec.Struct, frozen=True):
    """The numbers of findings of each kind. A finding counts once for each of its scanners."""

    total: int
    actions: Counter[Action]
    cells: Counter[tuple[Category, Severity]]
    scanners: Counter[str]

    def categories(self) -> list[Category]:
        """Return the categories with findings, in the order of the model."""
        present = {category for category, _ in self.cells}
        return [category for category in Category if category in present]

    def severities(self, category: Category | None = None) -> dict[Severity, int]:
        """Return the number of findings of every severity, worst first."""
        categories = list(Category) if category is None else [category]
        return {
            severity: sum(self.cells[category, severity] for category in categories)
            for severity in SEVERITIES
        }


def count(findings: Sequence[Judged]) -> Counts:
    """Count findings."""
    return Counts(
        total=len(findings),
        actions=Counter(judged.verdict.action for judged in findings),
        cells=Counter((judged.finding.category, judged.severity) for judged in findings),
        scanners=Counter(name for judged in findings for name in judged.finding.scanners),
    )


def examined(run: Run) -> str:
    """Return "2 of 3 files", "did not run" or "nothing to examine"."""
    coverage = run.coverage
    if not coverage.found:
        did_not_run = run.status in (Status.MISSING, Status.SKIPPED)
        return "did not run" if did_not_run else "nothing to examine"
    unit = one_line(coverage.unit)
    if not coverage.wanted:
        return f"none of {coverage.found:,} {unit}: left out on purpose"
    return f"{coverage.examined:,} of {coverage.wanted:,} {unit}"


def suppressed(report: Report, run: Run) -> Iterator[str]:
    """Yield how much the project's files hide from a scanner, by kind, and how it is listed.

    Several records of a scanner can be one finding.
    """
    for kind, number in sorted(run.hidden.items()):
        listed = sum(
            kind in judged.finding.in_source and run.scanner in judged.finding.scanners
            for judged in report.findings
        )
        text = f"{number:,} suppressed in the project's own files ({one_line(kind)})"
        yield f"{text}, listed as {plural(listed, 'finding')}" if listed else text


# Severity


def severity_decision(judged: Judged) -> str:
    """Return the severity and its source: "high, by GitHub's label"."""
    if judged.severity is Severity.UNKNOWN:
        return UNRATED
    sources = judged.severity_sources
    given_by = f", by {claim_source(sources[0])}" if sources else ""
    return f"{judged.severity.value}{given_by}"


def severity_lines(judged: Judged) -> list[str]:
    """Return the severity with the claim that decided it, all other claims, and a disagreement."""
    sources = judged.severity_sources
    lines = [severity_decision(judged)]
    if judged.severity is Severity.UNKNOWN:
        lines += map(severity_claim, sources)
    elif sources:
        lines[0] += one_line(_passed_on(sources[0])) + _vector(sources[0])
        lines += map(severity_claim, sources[1:])
    return [*lines, *map(sentence, disagreement(sources))]


def severity_claim(claim: SeverityClaim) -> str:
    """Return the claim of one source: "CVSS 3.1: 7.5, high (via trivy); CVSS:3.1/AV:…"."""
    return claimed_severity(claim) + _vector(claim)


def claimed_severity(claim: SeverityClaim) -> str:
    """Return the same as `severity_claim`, without the vector."""
    unknown = claim.severity is Severity.UNKNOWN
    severity = "no severity" if unknown else claim.severity.value
    score = base_score(claim.vector)
    numbered = f"{score}, {severity}" if score else severity
    return one_line(f"{_source_name(claim)}: {numbered}{_passed_on(claim)}")


def claim_source(claim: SeverityClaim) -> str:
    """Return the source of a claim, with its score if it has one: "CVSS 3.1: 7.5"."""
    score = base_score(claim.vector)
    return one_line(f"{_source_name(claim)}: {score}" if score else _source_name(claim))


def base_score(vector: str | None) -> str:
    """Return the base score of a CVSS vector: "7.5"; empty for no vector or an invalid one."""
    score = scored(vector) if vector else None
    return f"{score.value:.1f}" if score else ""


def _source_name(claim: SeverityClaim) -> str:
    if claim.source == "tool":
        return claim.scanner
    return _SEVERITY_SOURCES.get(claim.source, claim.source)


def _passed_on(claim: SeverityClaim) -> str:
    if claim.source in (*POLICY_SOURCES, "tool"):
        return ""
    return f" (via {'OSV' if claim.scanner == 'osv' else claim.scanner})"


def _vector(claim: SeverityClaim) -> str:
    return f"; {one_line(claim.vector)}" if claim.vector else ""


# Advisories


def exploited(advisory: Advisory) -> str:
    """Return "known to be exploited since 2021-11-03 (CISA)"; empty if not known to be."""
    if not advisory.kev:
        return ""
    since = f" since {one_line(advisory.kev_added[:10])}" if advisory.kev_added else ""
    return f"known to be exploited{since} (CISA)"


def likelihood(advisory: Advisory) -> str:
    """Return "exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS)"."""
    share = advisory.epss
    if share is None:
        return ""
    if share >= 0.1:
        percent = f"{share * 100:.0f} %"
    else:
        percent = f"{share * 100:.1f} %" if share >= 0.001 else "under 0.1 %"
    rank = advisory.epss_percentile
    # Rounded first: 0.29 times 100 is a little less than 29.
    above = "" if rank is None else f", higher than {int(round(rank * 100, 6))} % of all CVEs"
    return f"exploit likelihood {percent}{above} (EPSS)"


def alarms(advisory: Advisory) -> list[str]:
    """Return the most important facts: the package is malicious, or the flaw exploited."""
    texts = (MALICIOUS if advisory.malicious else "", exploited(advisory))
    return list(filter(None, texts))


def fixes_and_dates(advisory: Advisory) -> str:
    """Return "fixed in 2.8.1; published 2019-04-08", with "withdrawn" first where it applies."""
    fixed = _names(advisory.fixed_versions)
    parts = [WITHDRAWN] if advisory.withdrawn else []
    parts.append(f"fixed in {fixed}" if fixed else "no fixed version")
    if advisory.published:
        parts.append(f"published {one_line(advisory.published[:10])}")
    return "; ".join(parts)


# Dependency paths

RESOLVED: Final = "resolved today, not locked"
"""The mark of a version that no lock has: what an install on the day of the check would take."""


def dependency_path(package: Package, app: str) -> str:
    """Return "direct", "transitive: app → requests → urllib3", or nothing if it is not known.

    `app` is the name of the target. The middle of a long path is left out. RESOLVED follows where
    no lock has the version.
    """
    resolved = f"; {RESOLVED}" if package.resolved else ""
    if package.is_direct:
        return f"direct{resolved}"
    if len(package.chain) <= 1:
        return "" if package.direct is None else f"transitive{resolved}"
    steps = [app, *package.chain]
    left_out = len(steps) - _SHOWN_STEPS
    if left_out > 1:
        head = _SHOWN_STEPS // 2
        steps = [*steps[:head], f"… {left_out} more …", *steps[head - _SHOWN_STEPS :]]
    return f"transitive: {' → '.join(map(one_line, steps))}{resolved}"


def dependency_summary(package: Package, app: str) -> str:
    """Return path, scope, and the lines that ask for the package, as far as they are known."""
    path = dependency_path(package, app)
    asked = ""
    if package.asked:
        more = len(package.asked) - _SHOWN_PLACES
        asked = f"required in {', '.join(map(place, package.asked[:_SHOWN_PLACES]))}"
        asked += f" and {more} more" if more > 0 else ""
    parts = (path, package.scope.value if path or asked else "", asked)
    return "; ".join(filter(None, parts))


# Fixes and upgrades


def fix(judged: Judged, upgrade: Upgrade | None = None) -> str:
    """Return what to do about a finding in one sentence, as far as it is known."""
    finding = judged.finding
    return vulnerability_fix(judged, upgrade) or rule_help(finding.rule, finding.category)


def rule_help(rule: Rule, category: Category) -> str:
    """Return what to do about findings of a rule, on one line."""
    return " ".join(printable(rule.help).split()) or _HELP[category]


def example(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield words and printable lines of code: what the rule finds, and what to write instead."""
    for words, code in (("Instead of", rule.bad), ("Write", rule.good)):
        lines = printable(code).strip("\n").expandtabs(4).splitlines()[:_EXAMPLE_LINES]
        if any(lines):
            yield words, "\n".join(shorten(line, _EXAMPLE_WIDTH) for line in lines)


def vulnerability_fix(judged: Judged, upgrade: Upgrade | None) -> str:
    """Return what to do about a vulnerability in one sentence; empty for any other finding."""
    finding = judged.finding
    advisory, package = finding.advisory, finding.package
    if advisory is None or package is None:
        return ""
    name, rule = one_line(package.name), finding.rule.id
    fixed = " or ".join(map(one_line, advisory.fixed_versions))
    concerned = upgrade if upgrade and rule in (*upgrade.clears, *upgrade.stays) else None
    if advisory.withdrawn:
        return "Nothing to do: the advisory was withdrawn."
    if concerned and concerned.to is not None:
        to = one_line(concerned.to)
        still = f"{name} {to} still has it, but no better version is known."
        return still if rule in concerned.stays else f"Upgrade {name} to {to}."
    if advisory.malicious:
        return f"Remove {name}: it is malicious."
    if concerned:
        return f"No version of {name} without known vulnerabilities is known."
    return f"Update {name} to {fixed}." if fixed else "No fixed version is known."


class Advice(msgspec.Struct, frozen=True):
    """An upgrade in words. `package` is "urllib3 1.26.4", `to` the version, or that there is none.

    `gone` is the number of findings that it clears, empty for none. Each of `remarks` is a sentence
    without its full stop.
    """

    upgrade: Upgrade
    package: str
    to: str
    gone: str
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line: "urllib3 1.26.4 -> 2.0.7 (major): clears 5, of which 2 block"."""
        arrow = ": " if self.upgrade.to is None else " -> "
        clears = f": clears {self.gone}" if self.gone else ""
        return f"{self.package}{arrow}{self.to}{clears}"


def upgrade_advice(report: Report) -> list[Advice]:
    """Return the upgrades of a report in words, in their order.

    If no version was looked up in the advisory store, the page says so once, by
    `unchecked_upgrades`, and not in each remark.
    """
    malicious = {
        judged.finding.package.purl
        for judged in report.findings
        if judged.finding.advisory and judged.finding.package and judged.finding.advisory.malicious
    }
    unchecked = [] if unchecked_upgrades(report) else [UNCHECKED]
    result = []
    for upgrade in report.upgrades:
        package = upgrade.package
        bad = package.purl in malicious
        remarks = list(_remarks(upgrade, malicious=bad))
        if upgrade.to is None:
            to = REMOVE if bad else NOWHERE
        else:
            to = one_line(upgrade.to) + (f" ({upgrade.step.value})" if upgrade.step else "")
            remarks += [] if upgrade.checked else unchecked
        name = one_line(f"{package.name} {package.version}")
        result.append(Advice(upgrade, name, to, _gone(upgrade), tuple(remarks)))
    return result


def unchecked_upgrades(report: Report) -> str:
    """Return UNCHECKED if no version was looked up in the advisory store; else empty."""
    named = [upgrade for upgrade in report.upgrades if upgrade.to is not None]
    return UNCHECKED if named and not any(upgrade.checked for upgrade in named) else ""


def upgrades_summary(report: Report) -> str:
    """Return what all upgrades clear, and the number of packages without one, in sentences.

    "3 upgrades clear 40 vulnerabilities, 9 of which block. 1 package has no better version."
    """
    useful = [upgrade for upgrade in report.upgrades if upgrade.to and upgrade.clears]
    gone = sum(len(upgrade.clears) for upgrade in useful)
    blocking = sum(len(upgrade.unblocks) for upgrade in useful)
    summary = "No upgrade clears anything."
    if useful:
        clear = plural(len(useful), "upgrade clears", "upgrades clear")
        which = f", {_share_that_blocks(gone, blocking)}" if blocking else ""
        summary = f"{clear} {plural(gone, 'vulnerability', 'vulnerabilities')}{which}."
    if rest := len(report.upgrades) - len(useful):
        summary += f" {plural(rest, 'package has', 'packages have')} no better version."
    return summary


def upgrades_by_purl(report: Report) -> Mapping[str, Upgrade]:
    """Return the upgrades by the package that each is for."""
    return {upgrade.package.purl: upgrade for upgrade in report.upgrades}


def _gone(upgrade: Upgrade) -> str:
    number, blocking = len(upgrade.clears), len(upgrade.unblocks)
    if not number:
        return ""
    if not blocking:
        return f"{number:,}"
    return f"{number:,}, {_share_that_blocks(number, blocking)}"


def _share_that_blocks(number: int, blocking: int) -> str:
    if blocking < number:
        return plural(blocking, "of which blocks", "of which block")
    return "which blocks" if number == 1 else "all of which block"


def _remarks(upgrade: Upgrade, *, malicious: bool) -> Iterator[str]:
    stays = _names(upgrade.stays)
    if malicious:
        named = f" ({stays})" if stays else ""
        yield f"it is malicious{named}: check where it was installed"
    yield from _limits(upgrade)
    change = [name for name in upgrade.change if name != upgrade.package.name]
    if change:
        then = "" if upgrade.to is None else ": upgrade or lock that"
        yield f"required by {_names(change)}{then}"
    if stays and upgrade.to is not None:
        yield f"does not clear {stays}"
    elif stays and not malicious:
        yield f"no fix is known for {stays}"


def _limits(upgrade: Upgrade) -> Iterator[str]:
    """Yield a lower version that is enough, and what does not allow the upgrade."""
    if upgrade.to_unblock and upgrade.to_unblock != upgrade.to:
        yield f"{one_line(upgrade.to_unblock)} is enough to clear the blocking findings"
    for constraint in upgrade.hindered_by:
        by = constraint.by or place(constraint.place) or "the project"
        limit = constraint.text or f"{constraint.name}{constraint.specifier}"
        yield one_line(f"held back by {by}, which requires {limit}")
    if upgrade.allowed is False and not upgrade.hindered_by:
        yield "the project's constraints do not allow it"


# The base, origins and deadlines


def compared_with(base: BaseInfo | None) -> str:
    """Return what the findings were compared with, in a sentence or two."""
    if base is None:
        return NOT_COMPARED
    parts = []
    if base.commit:
        day = f" ({base.time:%Y-%m-%d})" if base.time else ""
        parts.append(
            f"commit {base.commit[:_SHORT_COMMIT]}{day}, the merge base with {one_line(base.ref)}"
        )
    if base.baseline:
        entries = plural(base.entries, "entry", "entries")
        parts.append(f"the baseline {one_line(base.baseline)} ({entries})")
    return f"Compared with {', and '.join(parts)}."


def findings_summary(report: Report) -> str:
    """Return all findings, and waivers to look at: "3 new findings block, 212 existing, 4 waived".

    Without a base, the actions of the policy take the place of origins. Empty if there is nothing
    to say.
    """
    findings, now = report.findings, report.clock.now
    parts: list[str] = []
    for number, text in _by_origin(findings) if report.base else _by_action(findings):
        # Only the first number has a noun.
        noun = "" if parts else f" finding{'s' * (number != 1)}"
        parts.append(f"{number:,}{text.format(noun=noun)}")
    later = blocking_later(report)
    if later and later[0].deadline:
        first = later[0].deadline
        when = f"from {first:%Y-%m-%d} ({_time_left(first, now)})"
        many = f"warnings block later, the first {when}"
        parts.append(plural(len(later), f"warning blocks {when}", many))
    soon = sorted(use.days_left for use in report.waivers if 0 <= use.days_left <= _SOON_DAYS)
    if soon:
        ends = f"in {plural(soon[0], 'day')}" if soon[0] else "today"
        many = f"waivers end soon, the first ends {ends}"
        parts.append(plural(len(soon), f"waiver ends {ends}", many))
    expired = sum(use.days_left < 0 for use in report.waivers)
    if expired:
        parts.append(plural(expired, "waiver has expired", "waivers have expired"))
    return ", ".join(parts)


def _by_origin(findings: Sequence[Judged]) -> Iterator[tuple[int, str]]:
    """Yield how many findings of each origin block or not, with a template for the words."""
    actions = Counter((judged.origin, judged.verdict.action) for judged in findings)
    for origin, word in ORIGINS.items():
        blocking = actions[origin, Action.BLOCK]
        others = actions[origin, Action.WARN] + actions[origin, Action.INFO]
        if blocking:
            yield blocking, f" {word}{{noun}} {'blocks' if blocking == 1 else 'block'}"
        if others:
            yield others, f" more {word}" if blocking else f" {word}{{noun}}"
    waived = sum(judged.verdict.action is Action.WAIVED for judged in findings)
    if waived:
        yield waived, "{noun} waived"


def _by_action(findings: Sequence[Judged]) -> Iterator[tuple[int, str]]:
    """Yield how many findings have each action, with a template for the words."""
    actions = Counter(judged.verdict.action for judged in findings)
    for action, (single, many) in {
        Action.BLOCK: ("{noun} blocks", "{noun} block"),
        Action.WARN: (" warning", " warnings"),
        Action.INFO: ("{noun} for information", "{noun} for information"),
        Action.WAIVED: ("{noun} waived", "{noun} waived"),
    }.items():
        if number := actions[action]:
            yield number, single if number == 1 else many


def origin_of(judged: Judged) -> str:
    """Return the origin of a finding, and if this change edited its place: "new, edited"."""
    return origin_word(judged.origin, judged.finding.history)


def origin_word(origin: Origin, history: History) -> str:
    """Return the same as `origin_of`: "new", "new, edited", "disclosed", "existing"."""
    return ORIGINS[origin] + (", edited" if history.change is Change.UPDATED else "")


def new_first(findings: Iterable[Judged]) -> list[Judged]:
    """Sort by urgency, and within one action put what this change brings before older findings."""
    return sorted(
        findings,
        key=lambda judged: (_ACTION_ORDER[judged.verdict.action], _ORIGIN_ORDER[judged.origin]),
    )


def blocking_later(report: Report) -> list[Judged]:
    """Return the warnings in their grace time, the first to block first."""
    now = report.clock.now
    coming = [
        judged
        for judged in report.findings
        if judged.deadline and judged.deadline > now and judged.verdict.action is Action.WARN
    ]
    return sorted(coming, key=lambda judged: judged.deadline or now)


def deadline(judged: Judged, now: datetime) -> str:
    """Return when a warning begins to block: "blocks from 2026-12-01, 9 days left"; or nothing."""
    moment = judged.deadline
    if moment is None:
        return ""
    if moment <= now:
        return f"blocks since {moment:%Y-%m-%d}"
    return f"blocks from {moment:%Y-%m-%d}, {_time_left(moment, now)}"


def _time_left(moment: datetime, now: datetime) -> str:
    days = (moment - now).days
    return f"{plural(days, 'day')} left" if days else "less than a day left"


# Waivers


def waived_by(waiver: Waiver, now: datetime) -> str:
    """Return who waives a finding as what, until when, without the reason."""
    days = (waiver.expires - now.date()).days
    fixed = " or a fixed version" if waiver.until_fixed else ""
    return (
        f"{WAIVER_STATES[waiver.state]}; owner {one_line(waiver.owner)}; "
        f"until {waiver.expires}{fixed} ({_ends(days)})"
    )


def void_waiver(void: VoidWaiver) -> str:
    """Return why a matching waiver does nothing: "waiver of @web has no effect: it has expired"."""
    return f"waiver of {one_line(void.waiver.owner)} has no effect: {sentence(void.reason)}"


def waiver_targets(waiver: Waiver) -> str:
    """Return what a waiver is about: ids, package, versions, path, fingerprint."""
    purl = waiver.purl or ""
    package = f"{purl} {waiver.versions}" if waiver.versions else purl
    fingerprint = shorten(waiver.fingerprint or "", _SHORT_FINGERPRINT)
    named = (", ".join(waiver.ids), package, waiver.path, fingerprint)
    return one_line(" in ".join(filter(None, named)))


def waiver_status(use: WaiverUse) -> str:
    """Return what became of a waiver: "waives 2 findings, 6 days left", "expired 12 days ago"."""
    ends = _ends(use.days_left)
    if use.days_left < 0:
        return ends
    return f"waives {plural(use.matched, 'finding')}, {ends}" if use.matched else f"unused, {ends}"


def needs_attention(use: WaiverUse) -> bool:
    """Return whether a waiver has expired, ends soon, or matches nothing."""
    return use.days_left <= _SOON_DAYS or not use.matched


def _ends(days: int) -> str:
    """Return the days left of a waiver, which includes its last day."""
    if days < 0:
        return f"expired {plural(-days, 'day')} ago"
    return f"{plural(days, 'day')} left" if days else "last day"


# The data that the verdict rests on


class DataText(msgspec.Struct, frozen=True):
    """Data that the verdict rests on, in words; empty for unknown values.

    `user` names the advisory store or the scanners that have the data. `records` is a number.
    """

    user: str
    name: str
    records: str
    updated: str
    age: str
    license: str
    origin: str
    digest: str

    @property
    def about(self) -> str:
        """One line: "18,000 records, 2026-03-01 (3 days old), CC BY 4.0"."""
        dated = f"{self.updated} ({self.age})" if self.updated else self.age
        digest = f"sha256 {self.digest}" if self.digest else ""
        origin = f"from {self.origin}" if self.origin else ""
        records = f"{self.records} record{'s' * (self.records != '1')}" if self.records else ""
        parts = (records, dated, self.license, origin, digest)
        return ", ".join(filter(None, parts))


def data_sources(report: Report) -> list[DataText]:
    """Return the data that the verdict rests on: the advisory store's, then the scanners'.

    A scanner that uses the data of the store is named there and has no entry of its own.
    """
    users: dict[DataSource, list[str]] = {source: [_STORE] for source in report.data}
    for run in report.runs:
        if run.data:
            users.setdefault(run.data, []).append(run.scanner)
    return [
        DataText(
            user=_names(names),
            name=one_line(source.name),
            records="" if source.records is None else f"{source.records:,}",
            updated=f"{source.updated:%Y-%m-%d}" if source.updated else "",
            age=data_age(source.updated, report.clock.now),
            license=one_line(source.license),
            origin=one_line(source.origin),
            digest=shorten(one_line(source.digest), _SHORT_DIGEST),
        )
        for source, names in users.items()
    ]


def run_data(run: Run, now: datetime) -> str | None:
    """Return the data of a scanner with its date and age in days; None if there is none."""
    if run.data is None:
        return None
    name, updated = one_line(run.data.name), run.data.updated
    if updated is None:
        return f"{name}: age unknown"
    return f"{name}: {updated:%Y-%m-%d} ({data_age(updated, now)})"


def data_age(updated: datetime | None, now: datetime) -> str:
    """Return "today", "3 days old" or "age unknown"."""
    if updated is None:
        return "age unknown"
    days = int((now - updated).total_seconds() // _SECONDS_A_DAY)
    if days < 0:
        return "in the future: check the clock"
    return "today" if days == 0 else f"{counted(days, 'day')} old"


def missing_data(report: Report) -> str:
    """Return the data that the advisory store lacks, and the consequence.

    Empty if it has everything, or if there are no packages.
    """
    if not (report.packages or _has_vulnerabilities(report)):
        return ""
    names = " ".join(source.name for source in report.data).casefold()
    missing = [kind for kind in _STORE_DATA if kind.casefold() not in names]
    if not missing:
        return ""
    if len(missing) == len(_STORE_DATA):
        return NO_STORE
    return (
        f"The advisory store has no {' or '.join(missing)} data, so it comes from scanners only. "
        "Download it with `scanagg db update`, or import it with `scanagg db import PATH`."
    )


def data_credits(report: Report) -> list[str]:
    """Return the notices that the licences of the advisory data require."""
    if not report.data or not _has_vulnerabilities(report):
        return []
    is_epss = ["epss" in source.name.casefold() for source in report.data]
    licenses = [source.license.casefold() for source in report.data]
    attributed = ["cc-by" in text or "cc by" in text for text in licenses]
    osv = any(by and not epss for by, epss in zip(attributed, is_epss, strict=True))
    return [*([_OSV_CREDIT] if osv else ()), *([_EPSS_CREDIT] if any(is_epss) else ())]


def _has_vulnerabilities(report: Report) -> bool:
    return any(judged.finding.category is Category.VULNERABILITY for judged in report.findings)
