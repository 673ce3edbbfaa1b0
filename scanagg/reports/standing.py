"""How findings stand, in the words of every page: the sums, the base, deadlines, waivers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Action,
    BaseInfo,
    Change,
    History,
    Judged,
    Origin,
    Report,
    VoidWaiver,
    Waiver,
    WaiverState,
    WaiverUse,
)

NEW: Final = "new"
"""What people call an introduced finding."""

ORIGINS: Final = {
    Origin.INTRODUCED: NEW,
    Origin.DISCLOSED: "disclosed",
    Origin.EXISTING: "existing",
}
STATES: Final = {
    WaiverState.NOT_AFFECTED: "not affected",
    WaiverState.FALSE_POSITIVE: "false positive",
    WaiverState.RISK_ACCEPTED: "risk accepted",
    WaiverState.FIX_PLANNED: "fix planned",
}
NOT_COMPARED: Final = (
    "Nothing was compared: there is no base commit and no baseline, so nobody can tell what is new."
)

LOOSENS: Final = "This change would loosen its own gate; it was judged by the rules before it:"

# As the policy language's own default for `warn_before`.
_SOON_DAYS: Final = 14
_SHORT_FINGERPRINT: Final = 16
_ACTION_ORDER: Final = {action: action.order for action in Action}
_ORIGIN_ORDER: Final = {origin: number for number, origin in enumerate(Origin)}


def compared(base: BaseInfo | None) -> str:
    """What the findings were compared with, in one sentence."""
    return f"Compared with {one_line(base.text).rstrip('.')}." if base else NOT_COMPARED


def summed(report: Report) -> str:
    """All findings and what waivers need in one line: "3 new block, 212 existing, 4 waived".

    Where nothing was compared, what the policy does about them stands in place of their origins.
    Empty where there is nothing to say.
    """
    parts = _by_origin(report.findings) if report.base else _by_action(report.findings)
    waived = sum(one.verdict.action is Action.WAIVED for one in report.findings)
    later = blocking_later(report)
    said = [
        *parts,
        *([f"{waived:,} waived"] if waived else ()),
        *([_later(later, report.clock.now)] if later else ()),
        *_waivers(report.waivers),
    ]
    return ", ".join(said)


def origin_of(judged: Judged) -> str:
    """Where a finding comes from in a word, and whether this change has edited its place."""
    return origin_word(judged.origin, judged.finding.history)


def origin_word(origin: Origin, history: History) -> str:
    """As `origin_of`: "new", "new, edited", "disclosed", "existing"."""
    return ORIGINS[origin] + (", edited" if history.change is Change.UPDATED else "")


def new_first(findings: Iterable[Judged]) -> list[Judged]:
    """Most urgent first, and inside one action what this change brings before what was there."""
    return sorted(
        findings, key=lambda one: (_ACTION_ORDER[one.verdict.action], _ORIGIN_ORDER[one.origin])
    )


def blocking_later(report: Report) -> list[Judged]:
    """The warnings in their grace time, the first to block first."""
    coming = [one for one in report.findings if one.deadline and one.deadline > report.clock.now]
    return sorted(
        (one for one in coming if one.verdict.action is Action.WARN),
        key=lambda one: one.deadline or report.clock.now,
    )


def deadline(judged: Judged, now: datetime) -> str:
    """When a warning begins to block: "blocks from 2026-12-01, 9 days left"; empty for none."""
    moment = judged.deadline
    if moment is None:
        return ""
    if moment <= now:
        return f"blocks since {moment:%Y-%m-%d}"
    return f"blocks from {moment:%Y-%m-%d}, {_left((moment - now).days)}"


def waived_by(waiver: Waiver, now: datetime) -> str:
    """Who waives a finding as what, until when: the reason is not in it."""
    days = (waiver.expires - now.date()).days
    until = "; lapses once a fixed version exists" if waiver.until_fixed else ""
    return (
        f"{STATES[waiver.state]}, says {one_line(waiver.owner)}; "
        f"until {waiver.expires}, {_ends(days)}{until}"
    )


def void(one: VoidWaiver) -> str:
    """Why a waiver that matches does nothing: "waiver of @web has no effect: it has expired"."""
    return f"waiver of {one_line(one.waiver.owner)} has no effect: {one_line(one.reason)}"


def targets(waiver: Waiver) -> str:
    """What a waiver is about: ids, package, versions, path, fingerprint."""
    purl = waiver.purl or ""
    package = f"{purl} {waiver.versions}" if waiver.versions else purl
    fingerprint = shorten(waiver.fingerprint or "", _SHORT_FINGERPRINT)
    named = (", ".join(waiver.ids), package, waiver.path, fingerprint)
    return one_line(" in ".join(part for part in named if part))


def status(use: WaiverUse) -> str:
    """What became of a waiver: "waives 2 findings, 6 days left", "expired 12 days ago"."""
    if use.days_left < 0:
        return f"expired {_days(-use.days_left)} ago"
    ends = _ends(use.days_left)
    return f"waives {_findings(use.matched)}, {ends}" if use.matched else f"unused, {ends}"


def needs_care(use: WaiverUse) -> bool:
    """Whether somebody should look at a waiver: it has expired, ends soon, or matches nothing."""
    return use.days_left <= _SOON_DAYS or not use.matched


def _by_origin(findings: Sequence[Judged]) -> Iterator[str]:
    blocking = Counter(one.origin for one in findings if one.verdict.action is Action.BLOCK)
    others = Counter(one.origin for one in findings if _is_open(one)) - blocking
    for origin, word in ORIGINS.items():
        if number := blocking[origin]:
            yield f"{number:,} {word} {'blocks' if number == 1 else 'block'}"
        if others[origin]:
            more = "more " if blocking[origin] else ""
            yield f"{others[origin]:,} {more}{word}"


def _by_action(findings: Sequence[Judged]) -> Iterator[str]:
    counts = Counter(one.verdict.action for one in findings)
    for action, (single, many) in {
        Action.BLOCK: ("blocks", "block"),
        Action.WARN: ("warning", "warnings"),
        Action.INFO: ("for information", "for information"),
    }.items():
        if number := counts[action]:
            yield f"{number:,} {single if number == 1 else many}"


def _is_open(judged: Judged) -> bool:
    return judged.verdict.action is not Action.WAIVED


def _later(coming: Sequence[Judged], now: datetime) -> str:
    first = deadline(coming[0], now).removeprefix("blocks ").replace(", ", " (")
    if len(coming) == 1:
        return f"1 blocks {first})"
    return f"{len(coming):,} block later, the first {first})"


def _waivers(uses: Sequence[WaiverUse]) -> Iterator[str]:
    """What waivers need: those that end soon, and those that have ended."""
    soon = sorted(use.days_left for use in uses if 0 <= use.days_left <= _SOON_DAYS)
    if len(soon) == 1:
        yield f"1 waiver {_ending(soon[0])}"
    elif soon:
        yield f"{len(soon):,} waivers end soon, the first {_ending(soon[0])}"
    ended = sum(use.days_left < 0 for use in uses)
    if ended:
        yield f"{ended:,} {'waiver has' if ended == 1 else 'waivers have'} expired"


def _ending(days: int) -> str:
    return f"ends in {_days(days)}" if days else "ends today"


def _ends(days: int) -> str:
    """How long a waiver still holds; it holds through its last day."""
    if days < 0:
        return f"expired {_days(-days)} ago"
    return f"{_days(days)} left" if days else "last day"


def _left(days: int) -> str:
    return f"{_days(days)} left" if days else "less than a day left"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number:,} days"


def _findings(number: int) -> str:
    return "1 finding" if number == 1 else f"{number:,} findings"
