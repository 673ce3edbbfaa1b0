"""Waivers: the findings that each covers, and whether it has an effect."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from scanagg.model import Finding, Reason, VoidWaiver, Waiver, WaiverStatus, WaiverUse
from scanagg.model.advisories import is_malware
from scanagg.policy.aspects import ids_of, in_range, path_test, paths_of, split_purl

PREFIX: Final = 12
"""The least number of digits by which a waiver can name a fingerprint."""


class Covering(msgspec.Struct, frozen=True):
    """The waivers that match a finding: those with an effect, the one expiring first in front."""

    effective: tuple[Waiver, ...] = ()
    void: tuple[VoidWaiver, ...] = ()


NOTHING: Final = Covering()


class _Entry(msgspec.Struct, frozen=True, eq=False):
    """A waiver, compiled: `place` is its number, `void` says why it has no effect on anything."""

    place: int
    waiver: Waiver
    void: Reason | None
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

    def considered(self, finding: Finding) -> list[tuple[Waiver, Reason | None]]:
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
        void = Reason("waiver-expired", {"days": -left})
    elif left > max_days:
        void = Reason("waiver-too-long", {"days": left, "limit": max_days})
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
) -> Reason | None:
    """Return the first selector that does not match; None if all match. `ids` are in lower case."""
    waiver, package = entry.waiver, finding.package
    if entry.ids and entry.ids.isdisjoint(ids):
        return Reason("other-ids", {"ids": waiver.ids})
    if entry.purl:
        is_of = package is not None and split_purl(package.purl)[0] == entry.purl
        if not is_of or (entry.version and package and entry.version != package.version):
            return Reason("other-package", {"purl": waiver.purl or ""})
    if waiver.versions and not (package and in_range(package.version, waiver.versions)):
        return Reason("other-version", {"versions": waiver.versions})
    if entry.path and not (paths and all(map(entry.path, paths))):
        return Reason("other-path", {"path": waiver.path or ""})
    if entry.fingerprint and not (
        len(entry.fingerprint) >= PREFIX and finding.fingerprint.startswith(entry.fingerprint)
    ):
        return Reason("other-fingerprint", {"fingerprint": waiver.fingerprint or ""})
    return None


def _void(entry: _Entry, finding: Finding) -> Reason | None:
    """Return why an entry that matches has no effect; None where it has one.

    What was written when a package was only vulnerable says nothing on one that is an attack.
    """
    if entry.void is not None or finding.advisory is None:
        return entry.void
    if finding.advisory.malicious and not any(is_malware(each.upper()) for each in entry.ids):
        return Reason("malicious-not-named")
    fixed = finding.advisory.fixed_versions
    return Reason("fix-exists", {"versions": fixed}) if fixed and entry.waiver.until_fixed else None


def _lower(texts: Sequence[str]) -> list[str]:
    return [text.lower() for text in texts]


def today(now: datetime) -> date:
    """Return the day by which expiry is judged, in UTC."""
    return now.astimezone(UTC).date()
