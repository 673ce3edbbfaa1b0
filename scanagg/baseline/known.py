"""What a committed baseline knows of the findings, and since when."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from scanagg.baseline.file import PACKAGE_CATEGORIES, Baseline
from scanagg.baseline.matching import Entry, Match, match
from scanagg.model import Category, Change, Finding, History, purl_without_version


class KnownAdvisories(msgspec.Struct, frozen=True):
    """The vulnerabilities that a baseline lists, by package; `times` are those of its lines."""

    path: str
    entries: Mapping[str, Sequence[tuple[frozenset[str], datetime | None]]]

    def lists(self, finding: Finding) -> bool:
        """Whether an entry for the package shares an id with the finding."""
        return bool(self._found(finding))

    def first_seen(self, finding: Finding) -> datetime | None:
        """When the first such entry was committed (UTC), None where that is not known."""
        times = [time for _, time in self._found(finding)]
        return min((time for time in times if time), default=None)

    def _found(self, finding: Finding) -> Sequence[tuple[frozenset[str], datetime | None]]:
        if finding.package is None or finding.advisory is None:
            return ()
        held = self.entries.get(purl_without_version(finding.package.purl), ())
        return [one for one in held if not one[0].isdisjoint(finding.advisory.ids)]


def known_advisories(baseline: Baseline, times: Mapping[int, datetime]) -> KnownAdvisories:
    """The baseline's vulnerabilities; `times` says by line of the file when it was committed."""
    found: dict[str, list[tuple[frozenset[str], datetime | None]]] = {}
    for one, line in zip(baseline.entries, baseline.lines, strict=True):
        if one.parts.category == Category.VULNERABILITY.value:
            ids = frozenset((*one.ids, one.parts.rule)) - {""}
            found.setdefault(one.parts.path, []).append((ids, times.get(line)))
    return KnownAdvisories(baseline.path, found)


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """What findings in files are looked up in.

    `paths` are the target's files as in `Parts`. `compared` says that a base commit was there too,
    `keyed` that the project's key is: without it an entry does not tell one value of a secret from
    another, as a base does.
    """

    baseline: Baseline
    times: Mapping[int, datetime]
    paths: frozenset[str]
    compared: bool
    keyed: bool


def look_up(
    findings: Mapping[int, Finding], histories: Mapping[int, History], against: Against
) -> Mapping[int, History]:
    """The histories with what the baseline knows: what either knows is unchanged.

    Entries go to what the base has first, so that a copy of it does not find them free.
    """
    free = _of_files(against.baseline)
    settled = {n: one for n, one in findings.items() if histories[n].change is Change.UNCHANGED}
    told = dict(histories)
    taken = set()
    for number, found in _matched(settled, free, against).items():
        if found.change is Change.UNCHANGED and found.base is not None:
            taken.add(found.base)
            told[number] = replace(told[number], first_seen=against.times.get(free[found.base][0]))
    free = [one for index, one in enumerate(free) if index not in taken]
    others = {
        number: one
        for number, one in findings.items()
        if number not in settled and _is_believed(one, histories[number], against)
    }
    for number, found in _matched(others, free, against).items():
        if found.base is not None:
            line = free[found.base][0]
            told[number] = _better(told[number], found, against.times.get(line), against)
    return told


_Line = tuple[int, Entry]


def _of_files(baseline: Baseline) -> list[_Line]:
    """The entries about files, with the lines they stand on."""
    return [
        (line, Entry(one.parts, one.line or 0))
        for one, line in zip(baseline.entries, baseline.lines, strict=True)
        if one.parts.category not in PACKAGE_CATEGORIES
    ]


def _matched(
    findings: Mapping[int, Finding], entries: Sequence[_Line], against: Against
) -> Mapping[int, Match]:
    current = [as_entry(one) for one in findings.values()]
    base = [one for _, one in entries]
    files = {one.parts.path for one in base}
    found = match(current, base, paths=against.paths, base_paths=files)
    return dict(zip(findings, found, strict=True))


def as_entry(finding: Finding, check: str = "") -> Entry:
    """A finding as it is matched. ValueError for one without parts, which correlating gives."""
    if finding.parts is None:
        raise ValueError(f"finding {finding.id} has no parts to be known by")
    line = finding.location.start_line if finding.location else None
    return Entry(finding.parts, line or 0, check)


def _is_believed(finding: Finding, history: History, against: Against) -> bool:
    """Whether an entry can tell more than the base: not that an edited secret is what it was."""
    if finding.category is not Category.SECRET or not against.compared:
        return True
    return against.keyed and history.change is Change.NEW


def _better(
    history: History, found: Match, first_seen: datetime | None, against: Against
) -> History:
    path = against.baseline.path
    if found.change is Change.UNCHANGED:
        return History(found.change, f"known to {path}: {found.tier}", first_seen=first_seen)
    if history.change is Change.UPDATED:
        return replace(history, first_seen=first_seen)
    reason = f"it was edited since it came into {path}: {found.tier} are the same"
    return History(found.change, reason, first_seen=first_seen)
