"""The versions that a record affects, by the rules of OSV and the order of PEP 440.

Source: https://ossf.github.io/osv-schema/#evaluation, which walks events in the order of their
versions. It leaves some cases open. In each of them, a version counts as affected if in doubt:

- Events at the same version: `fixed` comes before `introduced`, so two periods that touch are one
  (PYSEC-2022-236). `introduced` and `last_affected` at one version are a period of that version.
- Events in pairs of a start and a later end are one period for each pair, also if they overlap
  (PYSEC-2021-114). Walking them in order would end both periods at the first end.
- Without `introduced`, or with one that is not a PEP 440 version, a period starts at the first
  version. An end that is not a PEP 440 version is ignored.
- An event with several keys is one event for each key.
- All ranges except GIT are compared by PEP 440, whatever their type.
- A version that is too long to compare is affected by every record.
- A local version (`1.0+cpu`) is affected if `last_affected`, or the list outside of all ranges, has
  its public version: by PEP 440, `<=1.0` and `==1.0` match it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from operator import attrgetter
from typing import Final

import msgspec
from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import Version

from scanagg.advisories.records import ECOSYSTEM, Affected, Range, RangeEvent, Record
from scanagg.model.project import version_of

# No real version is longer, and long numbers are slow to read.
_LONGEST: Final = 256
_CACHED_VERSIONS: Final = 1 << 15
_FIRST: Final = "0"
_ENDLESS: Final = "*"
_COMMITS: Final = "GIT"

# The first version, the end (None for no bound), and whether the end is affected too.
Span = tuple[Version, Version | None, bool]
# No version is lower.
_LOWEST: Final = Version("0.dev0")
_EVERY_VERSION: Final[Span] = (_LOWEST, None, False)


class AffectedVersions(msgspec.Struct, frozen=True):
    """The versions of one package that a record affects.

    `listed` are versions outside of all spans, in canonical form, or as written if PEP 440 does not
    know them.
    """

    spans: tuple[Span, ...]
    listed: frozenset[str]

    def contains(self, text: str) -> bool:
        """Return whether a version is affected: any span or listed version is enough.

        A text that is not a PEP 440 version is affected if it is listed as written, or if every
        version is affected.
        """
        version = parsed(text)
        if version is None:
            # A version that is too long to compare is affected by every record.
            is_long = len(text) > _LONGEST and version_of(text) is not None
            return is_long or text in self.listed or _EVERY_VERSION in self.spans
        # The public version of a local one is never after it.
        public = version if version.local is None else Version(version.public)
        for start, end, closed in self.spans:
            if start <= version and (end is None or (public <= end if closed else version < end)):
                return True
        return bool(self.listed) and not self.listed.isdisjoint(
            map(canonicalize_version, (version, public))
        )


def fixed_versions(record: Record, name: str) -> tuple[str, ...]:
    """Return the versions that fix the package and are not affected themselves, lowest first."""
    fixes = {
        version: event.fixed
        for entry in entries_about(record, name)
        for versions in _version_ranges(entry)
        for event in versions.events
        if event.fixed is not None and (version := parsed(event.fixed)) is not None
    }
    affected = affected_versions(record, name)
    texts = (fixes[version] for version in sorted(fixes))
    return tuple(text for text in texts if not affected.contains(text))


def affected_versions(record: Record, name: str) -> AffectedVersions:
    """Return the versions of a PyPI package that a record affects; `name` is as in PEP 503.

    A withdrawn record affects what it did before.
    """
    entries = tuple(entries_about(record, name))
    spans = tuple(dict.fromkeys(span for entry in entries for span in _spans(entry)))
    # A listed version that a span covers adds nothing: `1.0` in the list affects `1.0+cpu`, unless
    # that is the version with the fix.
    texts = _uncovered((text for entry in entries for text in entry.versions), spans)
    listed = (
        text if (version := parsed(text)) is None else canonicalize_version(version)
        for text in texts
    )
    return AffectedVersions(spans, frozenset(listed))


def trimmed(record: Record) -> Record:
    """Return a record without the listed versions that a range of the same entry covers."""
    entries = [
        msgspec.structs.replace(entry, versions=_uncovered(entry.versions, tuple(_spans(entry))))
        for entry in record.affected
    ]
    return msgspec.structs.replace(record, affected=tuple(entries))


def doubts(record: Record) -> Iterator[str]:
    """Yield the problems with the versions of a record."""
    for entry in record.affected:
        ranges = tuple(_version_ranges(entry))
        if not entry.versions and not ranges:
            yield f"no affected version of {entry.package.name}"
        for versions in ranges:
            if versions.type.upper() not in {"ECOSYSTEM", "SEMVER"}:
                yield f"a range of type {versions.type[:40]!r}: compared by PEP 440"
            if all(event.introduced is None for event in versions.events):
                yield "a range without a start: it starts at the first version"
            for event in versions.events:
                for key, text in msgspec.structs.asdict(event).items():
                    if text not in (None, _ENDLESS) and parsed(text) is None:
                        yield f"{key} {text[:40]!r} is not a version"


@lru_cache(_CACHED_VERSIONS)
def parsed(text: str) -> Version | None:
    """Return a PEP 440 version; None for any other text, and for one that is too long."""
    return version_of(text) if len(text) <= _LONGEST else None


def _uncovered(texts: Iterable[str], spans: Sequence[Span]) -> tuple[str, ...]:
    """Return the versions outside of all spans; the end of a span counts as outside."""
    uncovered = []
    for text in texts:
        version = parsed(text)
        if version is None:
            covered = _EVERY_VERSION in spans
        else:
            covered = any(
                start <= version and (end is None or version < end) for start, end, _ in spans
            )
        if not covered:
            uncovered.append(text)
    return tuple(uncovered)


def entries_about(record: Record, name: str) -> Iterator[Affected]:
    """Yield the entries about a PyPI package; `name` is as in PEP 503."""
    for entry in record.affected:
        package = entry.package
        if package.ecosystem.partition(":")[0] == ECOSYSTEM and (
            package.name == name or canonicalize_name(package.name) == name
        ):
            yield entry


def _version_ranges(entry: Affected) -> Iterator[Range]:
    """Yield the ranges of versions, without those of commits and those without events."""
    return (
        versions
        for versions in entry.ranges
        if versions.events and versions.type.upper() != _COMMITS
    )


def _spans(entry: Affected) -> Iterator[Span]:
    """Yield the affected periods of each range, cut at its limit."""
    for versions in _version_ranges(entry):
        events = versions.events
        limits = [event.limit for event in events if event.limit is not None]
        # If one of several limits is `*` or unreadable, there is none.
        limit = None if None in map(parsed, limits) else max(_versions(limits), default=None)
        for start, end, closed in (*_walked(events), *_pairs(events)):
            if limit is None or (end is not None and end < limit):
                yield (start, end, closed)
            elif start < limit:
                yield (start, limit, False)


def _walked(events: Sequence[RangeEvent]) -> Iterator[Span]:
    """Yield the periods by walking the events in order; see the top of this file."""
    begins = [event.introduced for event in events if event.introduced is not None]
    starts = _versions({*begins} - {_FIRST})
    fixes = _versions(map(attrgetter("fixed"), events))
    lasts = _versions(map(attrgetter("last_affected"), events))
    inside = not begins or _FIRST in begins or None in map(parsed, begins)
    start = _LOWEST
    for version in sorted(starts | fixes | lasts):
        if version in starts:
            # An end and a start at one version leave a period open.
            if not inside:
                start = version
                inside = version not in lasts
                if not inside:
                    yield (version, version, True)
        elif inside:
            inside = False
            yield (start, version, version in lasts)
    if inside:
        yield (start, None, False)


def _versions(texts: Iterable[str | None]) -> set[Version]:
    return set(filter(None, map(parsed, filter(None, texts))))


def _pairs(events: Sequence[RangeEvent]) -> list[Span]:
    """Return the periods of events that are all in pairs, else nothing."""
    spans: list[Span] = []
    for begin, end in zip_longest(events[::2], events[1::2], fillvalue=RangeEvent()):
        closed = end.fixed is None
        start = parsed(begin.introduced or "")
        last = parsed((end.last_affected if closed else end.fixed) or "")
        if end.introduced is not None or start is None or last is None or last < start:
            return []
        spans.append((_LOWEST if begin.introduced == _FIRST else start, last, closed))
    return spans
