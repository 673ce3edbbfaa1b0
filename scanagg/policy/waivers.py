"""Waivers: the findings that each covers, whether it has an effect, and the notices about it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from scanagg.core.text import counted, one_line
from scanagg.model import Finding, Judged, Run, VoidWaiver, Waiver, WaiverStatus, WaiverUse
from scanagg.model.advisories import is_malware
from scanagg.policy.aspects import ids_of, in_range, path_test, paths_of, split_purl
from scanagg.policy.grace import span
from scanagg.policy.schema import WaiverSection
from scanagg.scanners.base import scanner_info

PREFIX: Final = 12
"""The least number of digits by which a waiver can name a fingerprint."""

_SHOWN: Final = 3


class Covering(msgspec.Struct, frozen=True):
    """The waivers that match a finding: those with an effect, the one expiring first in front."""

    effective: tuple[Waiver, ...] = ()
    void: tuple[VoidWaiver, ...] = ()


NOTHING: Final = Covering()


class _Entry(msgspec.Struct, frozen=True, eq=False):
    """A waiver, compiled: `place` is its number, `void` says why it has no effect on anything."""

    place: int
    waiver: Waiver
    void: str | None
    ids: frozenset[str]
    purl: str = ""
    version: str = ""
    fingerprint: str = ""
    path: Callable[[str], bool] | None = None


class Waivers:
    """The waivers of a policy, found by what they name.

    A lifetime is bounded by `max_days`, counted from `day` (today, UTC): nothing tells when an
    entry was made.
    """

    def __init__(self, items: Sequence[Waiver], day: date, max_days: int) -> None:
        """Index the entries by the selector that the fewest findings have."""
        self.day = day
        self._entries = [
            _compiled(place, waiver, day, max_days) for place, waiver in enumerate(items)
        ]
        self._named: dict[str, list[_Entry]] = {}
        self._placed: list[_Entry] = []
        for entry in self._entries:
            if entry.fingerprint:
                keys: Collection[str] = (entry.fingerprint[:PREFIX],)
            else:
                keys = entry.ids or ((entry.purl,) if entry.purl else ())
            for key in keys:
                self._named.setdefault(key, []).append(entry)
            if not keys:
                self._placed.append(entry)
        self._is_placed = path_test([each.waiver.path for each in self._placed if each.waiver.path])

    def covering(self, finding: Finding) -> Covering:
        """Return the waivers that match a finding, with an effect and without."""
        if not self._entries:
            return NOTHING
        ids, paths = _lower(ids_of(finding)), paths_of(finding)
        keys = {*ids, finding.fingerprint[:PREFIX]}
        if finding.package:
            keys.add(split_purl(finding.package.purl)[0])
        candidates = [entry for key in keys for entry in self._named.get(key, ())]
        if paths and self._is_placed(paths[0]):
            candidates += self._placed
        matching = {
            entry.place: entry
            for entry in candidates
            if _mismatch(entry, finding, ids, paths) is None
        }
        if not matching:
            return NOTHING
        ordered = sorted(matching.values(), key=lambda each: (each.waiver.expires, each.place))
        reasons = [(entry.waiver, _void(entry, finding)) for entry in ordered]
        return Covering(
            tuple(waiver for waiver, reason in reasons if reason is None),
            tuple(VoidWaiver(waiver, reason) for waiver, reason in reasons if reason),
        )

    def considered(self, finding: Finding) -> list[tuple[Waiver, str | None]]:
        """Return each waiver in order, and why it does not cover a finding; None where it does."""
        ids, paths = _lower(ids_of(finding)), paths_of(finding)
        return [
            (entry.waiver, _mismatch(entry, finding, ids, paths) or _void(entry, finding))
            for entry in self._entries
        ]

    def uses(self, matched: Mapping[int, int], lapsed: Collection[int]) -> tuple[WaiverUse, ...]:
        """Return what became of each waiver, by its `id()`: two equal entries are two.

        `matched` counts the findings that each one waives, 0 where a parent's rule overrules it;
        `lapsed` are those that match and have no effect. One that lapsed, or whose end is too far
        off, can waive no more than one that has ended.
        """
        uses = []
        for entry in self._entries:
            key = id(entry.waiver)
            has_ended = entry.void or key in lapsed
            status = WaiverStatus.EXPIRED if has_ended else WaiverStatus.UNUSED
            status = WaiverStatus.ACTIVE if key in matched else status
            days_left = (entry.waiver.expires - self.day).days
            uses.append(WaiverUse(entry.waiver, status, matched.get(key, 0), days_left))
        return tuple(uses)


def _compiled(place: int, waiver: Waiver, day: date, max_days: int) -> _Entry:
    left = (waiver.expires - day).days
    void = None
    if left < 0:
        void = f"expired {days(-left)} ago"
    elif left > max_days:
        void = f"ends {days(left)} from now, the policy allows {max_days}"
    purl, version = split_purl(waiver.purl) if waiver.purl else ("", "")
    return _Entry(
        place,
        waiver,
        void,
        frozenset(_lower(waiver.ids)),
        purl,
        version,
        (waiver.fingerprint or "").lower(),
        path_test([waiver.path]) if waiver.path else None,
    )


def _mismatch(
    entry: _Entry, finding: Finding, ids: Sequence[str], paths: Sequence[str]
) -> str | None:
    """Return the first selector that does not match, in words. `ids` are in lower case."""
    waiver, package = entry.waiver, finding.package
    if entry.ids and entry.ids.isdisjoint(ids):
        return f"ids {', '.join(waiver.ids)}: the finding has none of them"
    if entry.purl:
        is_of = package is not None and split_purl(package.purl)[0] == entry.purl
        if not is_of or (entry.version and package and entry.version != package.version):
            return f"purl {waiver.purl}: another package"
    if waiver.versions and not (package and in_range(package.version, waiver.versions)):
        return f"versions {waiver.versions}: another version"
    if entry.path and not (paths and all(map(entry.path, paths))):
        return f"path {waiver.path}: not every place of the finding"
    if entry.fingerprint and not (
        len(entry.fingerprint) >= PREFIX and finding.fingerprint.startswith(entry.fingerprint)
    ):
        return f"fingerprint {waiver.fingerprint}: another finding"
    return None


def _void(entry: _Entry, finding: Finding) -> str | None:
    """Return why an entry that matches has no effect; None where it has one.

    What was written when a package was only vulnerable says nothing on one that is an attack.
    """
    if entry.void is not None or finding.advisory is None:
        return entry.void
    if finding.advisory.malicious and not any(is_malware(each.upper()) for each in entry.ids):
        return "the package is malicious: only a waiver that names its MAL- id holds"
    fixed = finding.advisory.fixed_versions
    return f"a fix exists: {', '.join(fixed)}" if fixed and entry.waiver.until_fixed else None


def _lower(texts: Sequence[str]) -> list[str]:
    return [text.lower() for text in texts]


def reason_of(waiver: Waiver) -> str:
    """Return why a finding is waived, in words."""
    return f"{waiver.state.value}: {waiver.reason} — {waiver.owner} — until {waiver.expires}"


def days(count: int) -> str:
    """Return `1 day`, `2 days`."""
    return counted(count, "day")


def today(now: datetime) -> date:
    """Return the day by which expiry is judged, in UTC."""
    return now.astimezone(UTC).date()


# What a run says of waivers, and of comments in the code that hide findings.


def waiver_notices(
    uses: Sequence[WaiverUse], section: WaiverSection, complete: bool
) -> Iterator[str]:
    """Yield what changes nothing now and soon may. `complete`: every scanner examined all."""
    soon = span(section.warn_before)
    ending = [each for each in uses if each.status is WaiverStatus.ACTIVE and _left(each) <= soon]
    if ending:
        ending.sort(key=_left)
        first, last = ending[0].days_left, ending[-1].days_left
        when = "today" if first == 0 else f"in {days(first)}"
        later = "" if first == last else " or later"
        named = _listed(ending, lambda use: f", until {use.waiver.expires}")
        yield f"{_waivers(ending, 'end')} {when}{later}: {named}"
    ended = [each for each in uses if each.status is WaiverStatus.EXPIRED]
    if ended:
        named = _listed(
            ended,
            lambda use: (
                f", expired {days(-use.days_left)} ago" if use.days_left < 0 else ", without effect"
            ),
        )
        yield f"{_waivers(ended, 'waive')} nothing any more: {named}"
    unused = [each for each in uses if each.status is WaiverStatus.UNUSED]
    if unused and section.unused != "ignore" and not (section.unused == "block" and complete):
        yield f"{_waivers(unused, 'match')} nothing: {_listed(unused)}"


def unused_waivers(
    uses: Sequence[WaiverUse], section: WaiverSection, complete: bool
) -> Iterator[str]:
    """Yield what blocks because a waiver is not needed, which only a complete run can tell."""
    unused = [each for each in uses if each.status is WaiverStatus.UNUSED]
    if unused and section.unused == "block" and complete:
        matches = f"{_waivers(unused, 'match')} nothing"
        yield f"{matches}, which the policy forbids: {_listed(unused)}"


def in_source_notices(judged: Sequence[Judged], section: WaiverSection) -> Iterator[str]:
    """Yield what comments and files of the project hide, by kind."""
    counts = _hidden(judged)
    if counts and section.in_source != "allow":
        forbidden = ", which the policy forbids" if section.in_source == "forbid" else ""
        yield f"{_in_source(counts)}{forbidden}"


def in_source_excess(
    judged: Sequence[Judged], runs: Sequence[Run], section: WaiverSection
) -> Iterator[str]:
    """Yield what blocks because too much is hidden, or because nobody can show what is."""
    counts, most = _hidden(judged), section.max_in_source
    # What scanners count and do not list.
    unseen = Counter(
        {
            kind: number
            for run in runs
            for kind, number in run.hidden.items()
            if not scanner_info(run.scanner).suppressions.get(kind, True)
            and not any(kind in each for each in counts)
        }
    )
    if section.in_source == "forbid" and unseen:
        yield f"{_in_source(unseen)}, where its scanner does not tell what: the policy forbids that"
    if most is not None and (counts + unseen).total() > most:
        yield f"{_in_source(counts + unseen)}, more than the {most} that the policy allows"


def _hidden(judged: Sequence[Judged]) -> Counter[str]:
    return Counter(each.finding.in_source for each in judged if each.finding.in_source)


def _in_source(counts: Counter[str]) -> str:
    kinds = ", ".join(f"{number} by {one_line(kind)}" for kind, number in sorted(counts.items()))
    total = counts.total()
    return f"{total} {'finding is' if total == 1 else 'findings are'} hidden in the source: {kinds}"


def _left(use: WaiverUse) -> timedelta:
    return timedelta(days=use.days_left)


def _waivers(uses: Sequence[WaiverUse], verb: str) -> str:
    """Return `1 waiver ends`, `2 waivers end`."""
    if len(uses) == 1:
        verb += "es" if verb.endswith("ch") else "s"
    return f"{counted(len(uses), 'waiver')} {verb}"


def _listed(uses: Sequence[WaiverUse], note: Callable[[WaiverUse], str] = lambda use: "") -> str:
    named = [
        f"{one_line(each.waiver.place)} ({one_line(each.waiver.owner)}{note(each)})"
        for each in uses[:_SHOWN]
    ]
    if len(uses) > _SHOWN:
        named.append(f"{len(uses) - _SHOWN} more")
    return ", ".join(named)
