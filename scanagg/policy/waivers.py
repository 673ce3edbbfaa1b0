"""Waivers: which findings each one covers, whether it still has an effect, and which are used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from scanagg.core.text import counted
from scanagg.model import Finding, Package, VoidWaiver, Waiver, WaiverUse, purl_without_version
from scanagg.model.advisories import is_malware
from scanagg.policy.paths import PathMasks, bits
from scanagg.policy.rules import ids_of, package_name, paths_of

PREFIX: Final = 12
"""The least number of digits by which a waiver can name a fingerprint."""

_PYPI: Final = "pkg:pypi/"
_NONE: Final = ()


class Covering(NamedTuple):
    """The waivers that match a finding: those with an effect, the one expiring first in front."""

    effective: tuple[Waiver, ...] = ()
    void: tuple[VoidWaiver, ...] = ()


NOTHING: Final = Covering()


@dataclass(slots=True)
class _Entry:
    """A waiver made ready: `place` is its number, `void` why it has no effect on anything."""

    place: int
    waiver: Waiver
    void: str | None
    ids: frozenset[str]
    purl: str | None = None
    version: str | None = None
    versions: SpecifierSet | None = None
    fingerprint: str | None = None
    paths: PathMasks | None = None
    fits: dict[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Waivers:
    """The waivers of a policy, found by what they name; `day` is today (UTC).

    A lifetime is bounded by `max_days`, counted from today: nothing tells when an entry was made.
    """

    items: Sequence[Waiver]
    day: date
    max_days: int
    _entries: list[_Entry] = field(init=False)
    _named: dict[str, list[_Entry]] = field(init=False)
    _paths: PathMasks = field(init=False)
    _by_ids: dict[tuple[str, ...], Sequence[_Entry]] = field(default_factory=dict)
    _by_paths: dict[tuple[str, ...], Sequence[_Entry]] = field(default_factory=dict)
    _by_purl: dict[str, Sequence[_Entry]] = field(default_factory=dict)
    _alone: dict[int, Covering] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the entries by what a finding must have for them to match."""
        self._entries = [self._entry(place, each) for place, each in enumerate(self.items)]
        self._named = {}
        placed: list[tuple[int, str]] = []
        for entry in self._entries:
            keys = _keys(entry)
            for key in keys:
                self._named.setdefault(key, []).append(entry)
            if not keys and entry.waiver.path:
                placed.append((1 << entry.place, entry.waiver.path))
        self._paths = PathMasks(placed)

    def covering(self, finding: Finding, ids: tuple[str, ...], paths: tuple[str, ...]) -> Covering:
        """What matches this finding, and has an effect or has none.

        `ids` and `paths` are those of the finding, as `ids_of` and `paths_of` tell.
        """
        candidates = self._candidates(finding, ids, paths)
        if not candidates:
            return NOTHING
        matching = [
            each
            for each in candidates
            # Asked first, for it is quick to answer.
            if (each.paths is None or (paths and each.paths.mask(paths[0])))
            and _failed(each, finding, ids, paths) is None
        ]
        if not matching:
            return NOTHING
        attack = finding.advisory is not None and finding.advisory.malicious
        if len(matching) == 1 and not (matching[0].waiver.until_fixed or attack):
            return self._only(matching[0])
        unique = {each.place: each for each in matching}.values()
        ordered = sorted(unique, key=lambda each: (each.waiver.expires, each.place))
        reasons = [(each.waiver, _void(each, finding)) for each in ordered]
        return Covering(
            tuple(waiver for waiver, reason in reasons if reason is None),
            tuple(VoidWaiver(waiver, reason) for waiver, reason in reasons if reason),
        )

    def considered(self, finding: Finding) -> list[tuple[Waiver, str | None]]:
        """Each waiver in order, and why it does not cover this finding; None where it does."""
        ids, paths = ids_of(finding), paths_of(finding)
        return [
            (each.waiver, _failed(each, finding, ids, paths) or _void(each, finding))
            for each in self._entries
        ]

    def uses(self, matched: Mapping[int, int], lapsed: Collection[int]) -> tuple[WaiverUse, ...]:
        """What became of each waiver, by its `id()`: two equal entries are two.

        `matched` counts the findings that each one waives, 0 where a parent's rule overrules it;
        `lapsed` are those that match and have no effect.
        """
        return tuple(
            WaiverUse(
                each.waiver,
                _status(each, id(each.waiver) in matched, id(each.waiver) in lapsed),
                matched.get(id(each.waiver), 0),
                (each.waiver.expires - self.day).days,
            )
            for each in self._entries
        )

    def _entry(self, place: int, waiver: Waiver) -> _Entry:
        bare, version = _purl(waiver.purl) if waiver.purl else (None, None)
        return _Entry(
            place,
            waiver,
            self._ended(waiver.expires),
            frozenset(each.lower() for each in waiver.ids),
            bare,
            version,
            SpecifierSet(waiver.versions) if waiver.versions else None,
            waiver.fingerprint.lower() if waiver.fingerprint else None,
            PathMasks([(1, waiver.path)]) if waiver.path else None,
        )

    def _ended(self, expires: date) -> str | None:
        left = (expires - self.day).days
        if left < 0:
            return f"expired {days(-left)} ago"
        if left > self.max_days:
            return f"ends {days(left)} from now, the policy allows {self.max_days}"
        return None

    def _only(self, entry: _Entry) -> Covering:
        found = self._alone.get(entry.place)
        if found is None:
            waiver, void = entry.waiver, entry.void
            found = Covering((), (VoidWaiver(waiver, void),)) if void else Covering((waiver,))
            self._alone[entry.place] = found
        return found

    def _candidates(
        self, finding: Finding, ids: tuple[str, ...], paths: tuple[str, ...]
    ) -> Sequence[_Entry]:
        """The entries of which the most telling selector matches."""
        named = self._by_ids.get(ids)
        if named is None:
            named = self._by_ids[ids] = self._having(dict.fromkeys(map(str.lower, ids)))
        placed = self._by_paths.get(paths)
        if placed is None:
            placed = self._by_paths[paths] = self._at(paths)
        known = self._named.get(finding.fingerprint[:PREFIX], _NONE)
        package = finding.package
        if package is None:
            return [*named, *known, *placed] if named or known or placed else _NONE
        of = self._by_purl.get(package.purl)
        if of is None:
            of = self._by_purl[package.purl] = self._having((_bare(package),))
        return [*named, *known, *of, *placed] if named or known or of or placed else _NONE

    def _having(self, keys: Iterable[str]) -> Sequence[_Entry]:
        return [entry for each in keys for entry in self._named.get(each, _NONE)]

    def _at(self, paths: tuple[str, ...]) -> Sequence[_Entry]:
        """The entries that have a path alone, where all of these match it."""
        mask = -1 if paths else 0
        for path in paths:
            mask &= self._paths.mask(path)
        return [self._entries[place] for place in bits(mask)]


def _failed(
    entry: _Entry, finding: Finding, ids: tuple[str, ...], paths: tuple[str, ...]
) -> str | None:
    """The first selector that does not match, in words."""
    waiver, package = entry.waiver, finding.package
    if entry.ids and entry.ids.isdisjoint([each.lower() for each in ids]):
        return f"ids {', '.join(waiver.ids)}: the finding has none of them"
    if entry.purl and not _is_of(entry, package):
        return f"purl {waiver.purl}: another package"
    if entry.versions is not None and not (package and _fits(entry, package.version)):
        return f"versions {waiver.versions}: another version"
    if entry.paths and not (paths and all(entry.paths.mask(path) for path in paths)):
        return f"path {waiver.path}: not every place of the finding"
    if entry.fingerprint and not _is_called(entry.fingerprint, finding):
        return f"fingerprint {waiver.fingerprint}: another finding"
    return None


def _fits(entry: _Entry, version: str) -> bool:
    """Whether the version is in the entry's range, where a pre-release is a version too."""
    known = entry.fits.get(version)
    if known is None:
        known = entry.fits[version] = _in_range(version, entry.versions)
    return known


def reason_of(waiver: Waiver) -> str:
    """Why a finding is waived, in words."""
    return f"{waiver.state.value}: {waiver.reason} — {waiver.owner} — until {waiver.expires}"


def ends_within(use: WaiverUse, time: timedelta) -> bool:
    """Whether a waiver that is in use ends that soon."""
    return use.status == "active" and timedelta(days=use.days_left) <= time


def days(count: int) -> str:
    """`1 day`, `2 days`."""
    return counted(count, "day")


def today(now: datetime) -> date:
    """The day by which expiry is judged, in UTC."""
    return now.astimezone(UTC).date()


def _keys(entry: _Entry) -> tuple[str, ...]:
    """What to find an entry by: the selector that the fewest findings have. None for a path."""
    if entry.fingerprint:
        return (entry.fingerprint[:PREFIX],)
    return tuple(entry.ids) or ((entry.purl,) if entry.purl else ())


@lru_cache(maxsize=1 << 14)
def _purl(text: str) -> tuple[str, str | None]:
    """A purl as it is compared: without qualifiers, PyPI's names as in PEP 503; its version."""
    bare = purl_without_version(text)
    version = text.partition("?")[0].partition("#")[0][len(bare) + 1 :]
    bare = bare.partition("#")[0]
    if bare.lower().startswith(_PYPI):
        bare = _PYPI + package_name(bare[len(_PYPI) :])
    return bare, unquote(version) or None


def _bare(package: Package) -> str:
    return _purl(package.purl)[0]


def _is_of(entry: _Entry, package: Package | None) -> bool:
    if package is None or _bare(package) != entry.purl:
        return False
    return entry.version is None or entry.version == package.version


def _is_called(fingerprint: str, finding: Finding) -> bool:
    return len(fingerprint) >= PREFIX and finding.fingerprint.startswith(fingerprint)


def _in_range(version: str, wanted: SpecifierSet | None) -> bool:
    try:
        return wanted is not None and wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _void(entry: _Entry, finding: Finding) -> str | None:
    """Why an entry that matches has no effect; None where it has one.

    What was written when a package was only vulnerable says nothing on one that is an attack.
    """
    if entry.void is not None or finding.advisory is None:
        return entry.void
    if finding.advisory.malicious and not any(is_malware(each.upper()) for each in entry.ids):
        return "the package is malicious: only a waiver that names its MAL- id holds"
    if not entry.waiver.until_fixed:
        return None
    fixed = finding.advisory.fixed_versions
    return f"a fix exists: {', '.join(fixed)}" if fixed else None


def _status(entry: _Entry, matched: bool, lapsed: bool) -> str:
    """One that lapsed, or whose end is too far off, can waive no more than one that has ended."""
    if matched:
        return "active"
    return "expired" if entry.void or lapsed else "unused"
