"""The upkeep of what is accepted: waivers unused, ending or ended, comments that hide."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from scanagg.core.text import counted, one_line
from scanagg.model import Judged, Run, WaiverUse
from scanagg.policy.grace import span
from scanagg.policy.schema import WaiverSection
from scanagg.policy.waivers import days, ends_within

_SHOWN: Final = 3
# Kinds of hiding that a scanner may count without saying what is hidden.
_COUNTED_ONLY: Final = frozenset(("nosec", "trivy:ignore", "--ignore-vuln", "safety policy"))


def waiver_notices(
    uses: Sequence[WaiverUse], section: WaiverSection, complete: bool
) -> Iterator[str]:
    """What changes nothing now and soon may. `complete`: every scanner looked at all it should."""
    soon = span(section.warn_before)
    ending = sorted((each for each in uses if ends_within(each, soon)), key=_days_left)
    if ending:
        yield f"{_count(ending)} {_verb(ending, 'end')} {_left(ending)}: {_list(ending, _ends)}"
    ended = [each for each in uses if each.status == "expired"]
    if ended:
        yield f"{_count(ended)} {_verb(ended, 'waive')} nothing any more: {_list(ended, _ended)}"
    unused = _unused(uses)
    if unused and section.unused != "ignore" and not (section.unused == "block" and complete):
        yield f"{_count(unused)} {_verb(unused, 'match')} nothing: {_list(unused, _nothing)}"


def unused_waivers(
    uses: Sequence[WaiverUse], section: WaiverSection, complete: bool
) -> Iterator[str]:
    """What blocks because a waiver is not needed, which only a complete run can tell."""
    unused = _unused(uses)
    if unused and section.unused == "block" and complete:
        matches = f"{_count(unused)} {_verb(unused, 'match')} nothing"
        yield f"{matches}, which the policy forbids: {_list(unused, _nothing)}"


def in_source_notices(judged: Sequence[Judged], section: WaiverSection) -> Iterator[str]:
    """What comments and files of the project hide, by kind."""
    counts = _hidden(judged)
    if counts and section.in_source != "allow":
        forbidden = ", which the policy forbids" if section.in_source == "forbid" else ""
        yield f"{_in_source(counts)}{forbidden}"


def in_source_excess(
    judged: Sequence[Judged], runs: Sequence[Run], section: WaiverSection
) -> Iterator[str]:
    """What blocks because too much is hidden, or because nobody can show what is."""
    counts, most = _hidden(judged), section.max_in_source
    unseen = _unseen(runs, counts)
    if section.in_source == "forbid" and unseen:
        yield f"{_in_source(unseen)}, where its scanner does not tell what: the policy forbids that"
    if most is not None and (counts + unseen).total() > most:
        yield f"{_in_source(counts + unseen)}, more than the {most} that the policy allows"


def _unseen(runs: Sequence[Run], listed: Counter[str]) -> Counter[str]:
    """What scanners count and do not list, by kind."""
    return Counter(
        {
            kind: number
            for run in runs
            for kind, number in run.hidden.items()
            if kind in _COUNTED_ONLY and not any(kind in each for each in listed)
        }
    )


def _hidden(judged: Sequence[Judged]) -> Counter[str]:
    return Counter(one.finding.in_source for one in judged if one.finding.in_source)


def _in_source(counts: Counter[str]) -> str:
    kinds = ", ".join(f"{number} by {one_line(kind)}" for kind, number in sorted(counts.items()))
    total = counts.total()
    return f"{total} {'finding is' if total == 1 else 'findings are'} hidden in the source: {kinds}"


def _unused(uses: Sequence[WaiverUse]) -> list[WaiverUse]:
    return [each for each in uses if each.status == "unused"]


def _days_left(use: WaiverUse) -> int:
    return use.days_left


def _count(uses: Sequence[WaiverUse]) -> str:
    return counted(len(uses), "waiver")


def _verb(uses: Sequence[WaiverUse], verb: str) -> str:
    if len(uses) > 1:
        return verb
    return f"{verb}es" if verb.endswith("ch") else f"{verb}s"


def _left(ending: Sequence[WaiverUse]) -> str:
    """When the first of them ends."""
    first = ending[0].days_left
    when = "today" if first == 0 else f"in {days(first)}"
    return when if len(ending) == 1 or ending[-1].days_left == first else f"{when} or later"


def _list(uses: Sequence[WaiverUse], note: Callable[[WaiverUse], str]) -> str:
    named = [
        f"{one_line(each.waiver.place)} ({one_line(each.waiver.owner)}{note(each)})"
        for each in uses[:_SHOWN]
    ]
    if len(uses) > _SHOWN:
        named.append(f"{len(uses) - _SHOWN} more")
    return ", ".join(named)


def _ends(use: WaiverUse) -> str:
    return f", until {use.waiver.expires}"


def _ended(use: WaiverUse) -> str:
    return f", expired {days(-use.days_left)} ago" if use.days_left < 0 else ", without effect"


def _nothing(use: WaiverUse) -> str:
    return ""
