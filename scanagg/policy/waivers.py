"""Waivers: the findings that each covers, and whether it has an effect."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from scanagg.model import Finding, Reason, VoidWaiver, Waiver, WaiverStatus, WaiverUse
from scanagg.model.advisories import is_malware
from scanagg.policy.aspects import ids_of, in_range, path_test, paths_of, split_purl

PREFIX: Final = 12
"""The least number of digits by which a waiver can name a fingerprint."""


class Covering(msgspec.Struct, frozen=True):
    """The waivers that match a finding. Of those with an effect, the one that ends first leads."""

    effective: tuple[Waiver, ...] = ()
    void: tuple[VoidWaiver, ...] = ()


class _Names(msgspec.Struct, frozen=True):
    """The values by which waivers can name a finding: ids in lower case, a purl without version."""

    ids: frozenset[str]
    paths: tuple[str, ...]
    purl: str
    version: str
    fingerprint: str


class _Selector(msgspec.Struct, frozen=True, eq=False):
    """A test of a finding by one key of a waiver, and the reason why it does not match."""

    matches: Callable[[_Names], bool]
    mismatch: Reason


class _Entry(msgspec.Struct, frozen=True, eq=False):
    """A waiver, compiled. `void` is set if it has no effect on any finding."""

    place: int
    waiver: Waiver
    void: Reason | None
    selectors: tuple[_Selector, ...]

    def mismatch(self, names: _Names) -> Reason | None:
        """Return the first selector that does not match a finding; None if all match."""
        mismatches = (one.mismatch for one in self.selectors if not one.matches(names))
        return next(mismatches, None)

    def void_for(self, finding: Finding) -> Reason | None:
        """Return why the waiver has no effect on a finding that it matches; None if it has one.

        A waiver for a vulnerable package does not hold once the package is known to be malicious.
        """
        waiver, advisory = self.waiver, finding.advisory
        if self.void or advisory is None:
            return self.void
        if advisory.malicious and not any(is_malware(name.upper()) for name in waiver.ids):
            return Reason("malicious-not-named")
        if waiver.until_fixed and advisory.fixed_versions:
            return Reason("fix-exists", {"versions": advisory.fixed_versions})
        return None


class Waivers:
    """The waivers of a policy, indexed by what they name.

    `max_days` limits how far ahead a waiver may end. It counts from `day` (today, UTC), because an
    entry does not record when it was written.
    """

    def __init__(self, items: Sequence[Waiver], day: date, max_days: int) -> None:
        """Index each entry by the selector that the fewest findings match."""
        self.day = day
        self._entries: list[_Entry] = []
        self._named: dict[str, list[_Entry]] = {}
        # The keys are the `id()` of waivers, because two entries can be equal.
        self._waived: Counter[int] = Counter()
        self._lapsed: set[int] = set()
        self._placed: list[_Entry] = []
        for place, waiver in enumerate(items):
            left, void = (waiver.expires - day).days, None
            if left < 0:
                void = Reason("waiver-expired", {"days": -left})
            elif left > max_days:
                void = Reason("waiver-too-long", {"days": left, "limit": max_days})
            entry = _Entry(place, waiver, void, tuple(_selectors(waiver)))
            self._entries.append(entry)
            # A finding that the waiver covers has one of these keys.
            keys: Collection[str] = ()
            if waiver.fingerprint:
                keys = (waiver.fingerprint.lower()[:PREFIX],)
            elif waiver.ids:
                keys = set(map(str.lower, waiver.ids))
            elif waiver.purl:
                keys = (split_purl(waiver.purl)[0],)
            else:
                self._placed.append(entry)
            for key in keys:
                self._named.setdefault(key, []).append(entry)
        self._is_placed = path_test([one.waiver.path for one in self._placed if one.waiver.path])

    def covering(self, finding: Finding) -> Covering:
        """Return the waivers that match a finding, with an effect and without."""
        if not self._entries:
            return Covering()
        names = _names(finding)
        keys = {*names.ids, names.purl, names.fingerprint[:PREFIX]}
        candidates = {one.place: one for key in keys for one in self._named.get(key, ())}
        if names.paths and self._is_placed(names.paths[0]):
            candidates |= {one.place: one for one in self._placed}
        matching = [one for one in candidates.values() if one.mismatch(names) is None]
        effective, void = [], []
        for entry in sorted(matching, key=lambda one: (one.waiver.expires, one.place)):
            if reason := entry.void_for(finding):
                void.append(VoidWaiver(entry.waiver, reason))
            else:
                effective.append(entry.waiver)
        return Covering(tuple(effective), tuple(void))

    def considered(self, finding: Finding) -> list[tuple[Waiver, Reason | None]]:
        """Return each waiver in order, and why it does not cover a finding; None if it does."""
        names = _names(finding)
        return [
            (entry.waiver, entry.mismatch(names) or entry.void_for(finding))
            for entry in self._entries
        ]

    def count(self, covering: Covering, *, waives: bool) -> None:
        """Count a finding for the waivers that match it; a locked rule can overrule them."""
        for waiver in covering.effective:
            self._waived[id(waiver)] += waives
        self._lapsed.update(id(lapsed.waiver) for lapsed in covering.void)

    def uses(self) -> tuple[WaiverUse, ...]:
        """Return the status of each waiver, by the findings that were counted."""
        uses = []
        for entry in self._entries:
            key = id(entry.waiver)
            status = WaiverStatus.UNUSED
            if key in self._waived:
                status = WaiverStatus.ACTIVE
            elif entry.void or key in self._lapsed:
                status = WaiverStatus.EXPIRED
            days_left = (entry.waiver.expires - self.day).days
            uses.append(WaiverUse(entry.waiver, status, self._waived[key], days_left))
        return tuple(uses)


def _names(finding: Finding) -> _Names:
    package = finding.package
    return _Names(
        ids=frozenset(map(str.lower, ids_of(finding))),
        paths=paths_of(finding),
        purl=split_purl(package.purl)[0] if package else "",
        version=package.version if package else "",
        fingerprint=finding.fingerprint,
    )


def _selectors(waiver: Waiver) -> Iterator[_Selector]:
    if waiver.ids:
        ids = frozenset(map(str.lower, waiver.ids))
        mismatch = Reason("other-ids", {"ids": waiver.ids})
        yield _Selector(lambda names: not ids.isdisjoint(names.ids), mismatch)
    if waiver.purl:
        purl, version = split_purl(waiver.purl)
        yield _Selector(
            lambda names: names.purl == purl and version in ("", names.version),
            Reason("other-package", {"purl": waiver.purl}),
        )
    if versions := waiver.versions:
        mismatch = Reason("other-version", {"versions": versions})
        yield _Selector(lambda names: in_range(names.version, versions), mismatch)
    if waiver.path:
        matches = path_test([waiver.path])
        yield _Selector(
            lambda names: bool(names.paths) and all(map(matches, names.paths)),
            Reason("other-path", {"path": waiver.path}),
        )
    if waiver.fingerprint:
        start = waiver.fingerprint.lower()
        yield _Selector(
            lambda names: len(start) >= PREFIX and names.fingerprint.startswith(start),
            Reason("other-fingerprint", {"fingerprint": waiver.fingerprint}),
        )


def today(now: datetime) -> date:
    """Return the day by which expiry is judged, in UTC."""
    return now.astimezone(UTC).date()
