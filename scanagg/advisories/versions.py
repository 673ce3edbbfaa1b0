"""Which versions a record affects, by the rules of OSV and the order of PEP 440.

Source: https://ossf.github.io/osv-schema/#evaluation, which says how events are walked in the order
of their versions. It leaves open what follows here, and we never call a version clean that may not
be:

- Events at the same version: what ended there (`fixed`) is done before what begins there
  (`introduced`), so that two periods which touch are one. PYSEC-2022-236 has such. `introduced` and
  `last_affected` at one version are a period of just that version.
- Events that are written as pairs, each a beginning and a later end, are so many periods even where
  these overlap, as in PYSEC-2021-114; to walk them in order would end both with the first end.
  Where they do not overlap, that is the same.
- `introduced` at a version that PEP 440 does not know, or no `introduced` at all, is from the first
  version on. An end at such a version is no end.
- An event with several keys is one event for each key.
- Every range but GIT, whatever its type is called, is compared by PEP 440.
- A version that is too long to be compared is affected by everything.
- A local version (`1.0+cpu`) is affected where `last_affected`, or the list outside of all ranges,
  has the version that it was made from: by PEP 440, `<=1.0` and `==1.0` match it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Final, NamedTuple

import msgspec
from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import Version

from scanagg.advisories.records import ECOSYSTEM, Affected, Event, Range, Record

# Longer is no version of anything; and numbers without end take time to read.
_LONGEST: Final = 256
_KNOWN: Final = 1 << 15
_FIRST: Final = "0"
_ENDLESS: Final = "*"
_COMMITS: Final = "GIT"

# From a first version to an end, either of them None for without, and whether the end is still in.
Span = tuple[Version | None, Version | None, bool]


class Reach(NamedTuple):
    """The versions of one package that a record affects.

    `listed` are versions as they are written, most of those that no span covers.
    """

    spans: tuple[Span, ...]
    listed: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one record has in a `Table`. A period holds the places of its first and last version."""

    id: str
    periods: tuple[tuple[int, int], ...] = ()
    listed: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What several records affect of one package, to be asked for a version at once.

    `bounds` are all versions at which anything begins or ends, in order. The version `bounds[n]`
    has the place `2 * n + 1`; what lies before it, and after the one before, has `2 * n`.
    """

    bounds: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()

    def affecting(self, version: str) -> list[str]:
        """The ids of the records that affect a version, in the order of the entries."""
        known = parsed(version)
        if known is None and _is_version(version):
            return [one.id for one in self.entries]
        if known is None:
            always = (0, 2 * len(self.bounds))
            return [
                one.id for one in self.entries if version in one.listed or always in one.periods
            ]
        # The version that a local one was made from is never after it.
        public = known if known.local is None else Version(known.public)
        last = self._place(known)
        first = last if public is known else self._place(public)
        keys = self._keys(known, public)
        return [
            one.id
            for one in self.entries
            if _within(first, last, one.periods) or any(key in one.listed for key in keys)
        ]

    def affects(self, version: str) -> bool:
        """Whether any of the records affects a version."""
        return bool(self.affecting(version))

    def _keys(self, *versions: Version) -> tuple[str, ...]:
        """How lists have these versions; nothing where there is no list, for it takes time."""
        return tuple(map(_key, versions)) if any(one.listed for one in self.entries) else ()

    def _place(self, version: Version) -> int:
        at = bisect_left(self.bounds, version, key=_version)
        return 2 * at + (at < len(self.bounds) and _version(self.bounds[at]) == version)


def table(reaches: Iterable[tuple[str, Reach]]) -> Table:
    """What records, each by its id, affect of one package."""
    given = list(reaches)
    bounds = sorted({end for _, one in given for span in one.spans for end in span[:2] if end})
    places = {version: 2 * number + 1 for number, version in enumerate(bounds)}
    last = 2 * len(bounds)
    entries = []
    for name, one in given:
        periods = (
            (places[start] if start else 0, places[end] - (not closed) if end else last)
            for start, end, closed in one.spans
        )
        entries.append(Entry(name, tuple(dict.fromkeys(periods)), tuple(map(_listed, one.listed))))
    return Table(tuple(map(str, bounds)), tuple(entries))


def affects(record: Record, name: str, version: str) -> bool:
    """Whether the version of the PyPI package is affected; `name` is as in PEP 503.

    Any range or the list of versions is enough. What is no version by PEP 440 is affected where the
    list has it word for word, or where every version is. A withdrawn record affects what it did
    before.
    """
    return table([(record.id, reach(record, name))]).affects(version)


def fixed_versions(record: Record, name: str) -> tuple[str, ...]:
    """The versions from which on the package is not affected any more, lowest first."""
    found = {
        version: event.fixed
        for part in _about(record, name)
        for one in _ranges(part)
        for event in one.events
        if event.fixed is not None and (version := parsed(event.fixed)) is not None
    }
    affected = table([(record.id, reach(record, name))])
    fixes = (found[version] for version in sorted(found))
    return tuple(text for text in fixes if not affected.affects(text))


def reach(record: Record, name: str) -> Reach:
    """The versions of a package that a record affects."""
    parts = tuple(_about(record, name))
    spans = tuple(dict.fromkeys(span for part in parts for span in _part_spans(part)))
    listed = dict.fromkeys(text for part in parts for text in part.versions)
    return Reach(spans, tuple(text for text in listed if not _inside(parsed(text), spans)))


def trimmed(record: Record) -> Record:
    """The same record with shorter lists: without versions that a range of theirs covers anyway."""
    return msgspec.structs.replace(record, affected=tuple(map(_trimmed, record.affected)))


def doubts(record: Record) -> Iterator[str]:
    """What of its versions cannot be read, or is read in another way than it is written."""
    for part in record.affected:
        if not part.versions and not any(one.events for one in _ranges(part)):
            yield f"it tells no version of {part.package.name}"
        for one in _ranges(part):
            if one.type.upper() not in {"ECOSYSTEM", "SEMVER"}:
                yield f"the range of the type {one.type[:40]!r} is compared by PEP 440"
            yield from _unreadable(one)


def _is_version(text: str) -> bool:
    """Whether a text is a version by PEP 440, of any length."""
    try:
        Version(text)
    except ValueError:
        return False
    return True


@lru_cache(_KNOWN)
def parsed(text: str) -> Version | None:
    """A version by PEP 440; None where it is none."""
    if len(text) > _LONGEST:
        return None
    try:
        return Version(text)
    except ValueError:
        return None


def _within(first: int, last: int, periods: tuple[tuple[int, int], ...]) -> bool:
    """Whether a version at the place `last`, made from the one at `first`, is in any period.

    An even end is before a version, an odd one is a version which is in the period still.
    """
    return any(start <= last and (first if end % 2 else last) <= end for start, end in periods)


def _trimmed(part: Affected) -> Affected:
    spans = tuple(_part_spans(part))
    left = tuple(text for text in part.versions if not _inside(parsed(text), spans))
    return msgspec.structs.replace(part, versions=left)


def _inside(version: Version | None, spans: tuple[Span, ...]) -> bool:
    """Whether a version is surely in a span; at an end it is not asked, for that takes time."""
    if version is None:
        return (None, None, False) in spans
    for start, end, _ in spans:
        if (start is None or start <= version) and (end is None or version < end):
            return True
    return False


def _listed(text: str) -> str:
    """What two texts for the same version have in common; a text that is no version as it is."""
    known = parsed(text)
    return text if known is None else _key(known)


def _key(version: Version) -> str:
    return canonicalize_version(version)


def _about(record: Record, name: str) -> Iterator[Affected]:
    for part in record.affected:
        package = part.package
        if package.ecosystem.partition(":")[0] == ECOSYSTEM and (
            package.name == name or canonicalize_name(package.name) == name
        ):
            yield part


def _ranges(part: Affected) -> Iterator[Range]:
    """Those that are made of versions."""
    return (one for one in part.ranges if one.type.upper() != _COMMITS)


def _part_spans(part: Affected) -> Iterator[Span]:
    return (span for one in _ranges(part) for span in _spans(one.events))


def _spans(events: Sequence[Event]) -> Iterator[Span]:
    """The periods that the events of one range enclose, cut at its limit."""
    if not events:
        return
    limit = _limit(events)
    for start, end, closed in (*_walked(events), *_pairs(events)):
        if limit is None or (end is not None and end < limit):
            yield (start, end, closed)
        elif start is None or start < limit:
            yield (start, limit, False)


def _walked(events: Sequence[Event]) -> Iterator[Span]:
    """The periods, without a look at limits. See the top of this file for equal versions."""
    begins = [one.introduced for one in events if one.introduced is not None]
    starts = _versions(text for text in begins if text != _FIRST)
    fixes = _versions(one.fixed for one in events)
    lasts = _versions(one.last_affected for one in events)
    inside = not begins or any(text == _FIRST or parsed(text) is None for text in begins)
    start = None
    for version in sorted(starts | fixes | lasts):
        begun, fixed, last = version in starts, version in fixes, version in lasts
        here = begun or (inside and (last or not fixed))
        after = (inside or not last) if begun else (inside and not fixed and not last)
        if here and not inside:
            start = version
        if (inside or here) and not after:
            yield (start, version, here)
        inside = after
    if inside:
        yield (start, None, False)


def _pairs(events: Sequence[Event]) -> list[Span]:
    """The periods of events that are written as pairs; empty where not all of them are."""
    spans: list[Span] = []
    for begin, end in zip_longest(events[::2], events[1::2], fillvalue=Event()):
        closed = end.fixed is None
        start = parsed(begin.introduced or "")
        last = parsed((end.last_affected if closed else end.fixed) or "")
        if end.introduced is not None or start is None or last is None or last < start:
            return []
        spans.append((None if begin.introduced == _FIRST else start, last, closed))
    return spans


def _versions(texts: Iterable[str | None]) -> set[Version]:
    known = (parsed(text) for text in texts if text is not None)
    return {version for version in known if version is not None}


def _limit(events: Sequence[Event]) -> Version | None:
    """The version at which everything ends; None where one limit is none, or there is none."""
    limits = [one.limit for one in events if one.limit is not None]
    known = [parsed(text) for text in limits if text != _ENDLESS]
    read = [version for version in known if version is not None]
    return max(read) if read and len(read) == len(limits) else None


def _version(text: str) -> Version:
    """A version that is known to be one."""
    return parsed(text) or Version(text)


def _unreadable(one: Range) -> Iterator[str]:
    if not any(event.introduced is not None for event in one.events):
        yield "a range has no beginning: it is taken from the first version on"
    for event in one.events:
        for key in event.__struct_fields__:
            text: str | None = getattr(event, key)
            if text is not None and text != _ENDLESS and parsed(text) is None:
                yield f"{key} {text[:40]!r} is no version"
