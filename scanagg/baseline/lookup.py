"""Look up findings in the baseline file: which entries match, since when, which are gone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from scanagg.baseline.file import Baseline, BaselineEntry, entries_for, has_former, nfc
from scanagg.baseline.matching import BaselineMatch, MatchEntry, find_elsewhere, match
from scanagg.core.git import Blamed, Git
from scanagg.findings.secrets import has_dummy_value
from scanagg.model import (
    Anchor,
    Category,
    Change,
    Finding,
    History,
    Reason,
    Run,
    Status,
    Target,
    purl_without_version,
)
from scanagg.project.trusted import WorkTree
from scanagg.scanners.base import usual_scanner

# When entries were added.


class Growth(msgspec.Struct, frozen=True):
    """The commit in which a baseline last grew; or a notice why packages have no base."""

    commit: str | None = None
    notice: Reason | None = None


def first_seen(
    git: Git, target: Target, baseline: Baseline, ref: str | None
) -> Mapping[int, datetime]:
    """Return when each line of the baseline was committed (UTC), by its number.

    Lines that are not committed are left out, and those older than a shallow clone.
    """
    ends = git.shallow_ends()
    blamed = _blame(git, target, baseline, ref, baseline.lines)
    return {number: line.time for number, line in blamed.items() if line.commit not in ends}


def last_growth(git: Git, target: Target, baseline: Baseline, ref: str | None) -> Growth:
    """Return the commit to compare packages with where a baseline file is the only base.

    A baseline that has grown in the work tree was made for the packages of HEAD.
    """
    head = git.commit("HEAD") if target.revision else None
    if head is None:
        why = Reason("nothing-committed")
        return Growth(notice=Reason("packages-count-as-new", {"why": why}))
    line = _blame(git, target, baseline, ref, [baseline.head]).get(baseline.head)
    if line is None:
        return Growth(head)
    if line.commit in git.shallow_ends():
        why = Reason("baseline-older-than-clone", {"path": baseline.path})
        return Growth(notice=Reason("packages-count-as-new", {"why": why}))
    return Growth(line.commit)


def _blame(
    git: Git, target: Target, baseline: Baseline, ref: str | None, numbers: Iterable[int]
) -> dict[int, Blamed]:
    """Return who committed these lines of the baseline, by their text; without uncommitted ones."""

    def bare(line: bytes) -> bytes:
        return line.strip().strip(b",")  # the comma comes and goes with neighbours

    try:
        if ref:
            raw = git.read(ref, f"./{baseline.path}") or b""
        else:
            raw = WorkTree(target.root).read(baseline.path) or b""
    except OSError:
        raw = b""
    lines = raw.split(b"\n")
    written: dict[bytes, Blamed] = {}
    for line in git.blame(ref or "HEAD", baseline.path):
        written.setdefault(bare(line.text), line)
    texts = {number: bare(lines[number - 1]) for number in numbers if number <= len(lines)}
    return {number: written[text] for number, text in texts.items() if text in written}


# A check: the history of each finding.


class KnownAdvisories(msgspec.Struct, frozen=True):
    """The vulnerabilities that a baseline lists, by package: their ids, and their line's time.

    Without a baseline, `path` is "".
    """

    path: str = ""
    entries: Mapping[str, Sequence[tuple[frozenset[str], datetime | None]]] = msgspec.field(
        default_factory=dict
    )

    def lists(self, finding: Finding) -> bool:
        """Return True where an entry for the package shares an id with the finding."""
        return bool(self._matching(finding))

    def first_seen(self, finding: Finding) -> datetime | None:
        """Return when the first such entry was committed (UTC), None where that is not known."""
        times = [time for _, time in self._matching(finding)]
        return min((time for time in times if time), default=None)

    def _matching(self, finding: Finding) -> Sequence[tuple[frozenset[str], datetime | None]]:
        if finding.package is None or finding.advisory is None:
            return ()
        entries = self.entries.get(purl_without_version(finding.package.purl), ())
        return [entry for entry in entries if not entry[0].isdisjoint(finding.advisory.ids)]


def known_advisories(baseline: Baseline, times: Mapping[int, datetime]) -> KnownAdvisories:
    """Return the baseline's vulnerabilities; `times` says when each line of it was committed."""
    by_package: dict[str, list[tuple[frozenset[str], datetime | None]]] = {}
    for entry, line in zip(baseline.entries, baseline.lines, strict=True):
        if entry.parts.category == Category.VULNERABILITY.value:
            ids = frozenset((*entry.ids, entry.parts.rule)) - {""}
            by_package.setdefault(entry.parts.path, []).append((ids, times.get(line)))
    return KnownAdvisories(baseline.path, by_package)


AnchorNumber = tuple[int, int]
"""The number of a finding, and the index of one of its anchors."""


def look_up(
    findings: Mapping[int, Finding],
    histories: Mapping[AnchorNumber, History],
    baseline: Baseline,
    *,
    times: Mapping[int, datetime],
    paths: Collection[str],
    secrets: bool,
    prefix: str = "",
) -> Mapping[AnchorNumber, History]:
    """Return the histories of the anchors of findings in files, with what the baseline knows.

    What the base or the baseline has is unchanged. Entries are matched with what the base has
    first, so that a copy of such a finding does not take its entry.

    `times`, `paths` and `prefix` are as in `first_seen` and `compare`. Without `secrets`, entries
    of secrets count only for secrets that the base has.
    """
    of_secrets = (Change.UNCHANGED, Change.NEW) if secrets else (Change.UNCHANGED,)
    updated = dict(histories)
    in_base, others = (
        {
            place: anchor
            for place, anchor in anchors_of(findings).items()
            if histories[place].change in changes
            # A base commit knows an edited secret better than an entry does.
            if not anchor.is_secret or histories[place].change in of_secrets
        }
        for changes in ((Change.UNCHANGED,), (Change.NEW, Change.UPDATED))
    )
    for place, index, found in _match_all((in_base, others), baseline, paths, prefix):
        history = histories[place]
        if history.change is Change.UNCHANGED and found.change is Change.UPDATED:
            continue
        if history.change is not found.change:
            reason = Reason("in-baseline", {"path": baseline.path, "tier": found.tier})
            if found.change is Change.UPDATED:
                reason = Reason(
                    "edited-since-baseline", {"path": baseline.path, "tier": found.tier}
                )
            history = History(found.change, reason)
        updated[place] = replace(history, first_seen=times.get(baseline.lines[index]))
    # Without a base, only the baseline shows the old place of a finding.
    new = [
        place
        for place, history in updated.items()
        if history.reason.kind == "not-in-baseline" and not has_dummy_value(findings[place[0]])
    ]
    entries = _in_files(baseline.entries, former=False).values()
    elsewhere = find_elsewhere(
        [match_entry(findings[number].anchors[index]) for number, index in new], entries
    )
    for place, path in zip(new, elsewhere, strict=True):
        missed = baseline.without.intersection(findings[place[0]].scanners)
        if path:
            updated[place] = replace(
                updated[place], reason=Reason("known-elsewhere", {"path": path})
            )
        elif missed.issuperset(findings[place[0]].scanners):
            reason = Reason(
                "baseline-without",
                {"path": baseline.path, "scanners": tuple(sorted(missed))},
            )
            updated[place] = replace(updated[place], reason=reason)
    return updated


def anchors_of(findings: Mapping[int, Finding]) -> dict[AnchorNumber, Anchor]:
    """Return all anchors of findings."""
    return {
        (number, index): anchor
        for number, finding in findings.items()
        for index, anchor in enumerate(finding.anchors)
    }


def _in_files(entries: Iterable[BaselineEntry], *, former: bool) -> dict[int, MatchEntry]:
    """Return the entries about files as they are matched, by their index."""
    return {
        index: MatchEntry(
            entry.parts, entry.line or 0, "", entry.statement, entry.inputs, entry.origins
        )
        for index, entry in enumerate(entries)
        if not entry.of_package and entry.former is former
    }


def _match_all(
    turns: Sequence[Mapping[AnchorNumber, Anchor]],
    baseline: Baseline,
    paths: Collection[str],
    prefix: str,
) -> Iterator[tuple[AnchorNumber, int, BaselineMatch]]:
    """Yield a match for each anchor that the baseline knows, with the index of its entry.

    Those of the first turn are matched before those of the second one. Entries of version 1 come
    last.
    """
    free = _in_files(baseline.entries, former=False)
    left = [dict(turn) for turn in turns]
    for turn in left:
        # Code in which no scanner knew a secret when the entry was written, unless it was edited.
        for entries, edited in ((_unmasked(turn), False), (_entries(turn), True)):
            for place, index, match_ in _match(entries, free, paths, prefix):
                if edited or match_.change is Change.UNCHANGED:
                    del turn[place], free[index]
                    yield place, index, match_
    if has_former(baseline):
        yield from _match_former(left, baseline, paths, prefix)


def _match_former(
    turns: Iterable[Mapping[AnchorNumber, Anchor]],
    baseline: Baseline,
    paths: Collection[str],
    prefix: str,
) -> Iterator[tuple[AnchorNumber, int, BaselineMatch]]:
    """Yield a match for each anchor that an entry of version 1 knows.

    An entry that knows a secret knows all its places in the file.
    """
    free = _in_files(baseline.entries, former=True)
    known: dict[int, tuple[int, BaselineMatch]] = {}
    for turn in turns:
        # First code in which no scanner knew a secret, as above.
        for version in (1, 0):
            firsts = {
                number: (number, index)
                for number, index in sorted(turn, reverse=True)
                if number not in known and len(turn[number, index].former) > version
            }
            entries = {
                place: MatchEntry(turn[place].former[version], turn[place].line)
                for place in reversed(firsts.values())
            }
            for (number, _), index, match_ in _match(entries, free, paths, prefix):
                if version == 0 or match_.change is Change.UNCHANGED:
                    del free[index]
                    known[number] = index, match_
        yield from ((place, *known[place[0]]) for place in turn if place[0] in known)


def _entries(anchors: Mapping[AnchorNumber, Anchor]) -> dict[AnchorNumber, MatchEntry]:
    return {place: match_entry(anchor) for place, anchor in anchors.items()}


def _unmasked(anchors: Mapping[AnchorNumber, Anchor]) -> dict[AnchorNumber, MatchEntry]:
    """Return code with a secret, as if no scanner knew the secret."""
    return {
        place: entry._replace(parts=entry.parts._replace(code=anchors[place].unmasked))
        for place, entry in _entries(anchors).items()
        if anchors[place].unmasked
    }


def _match(
    current: Mapping[AnchorNumber, MatchEntry],
    base: Mapping[int, MatchEntry],
    paths: Collection[str],
    prefix: str,
) -> Sequence[tuple[AnchorNumber, int, BaselineMatch]]:
    """Return matches with the numbers of both sides: only for what the baseline has."""
    files = {entry.parts.path for entry in base.values()}
    matches = match(
        [*current.values()], [*base.values()], paths=paths, base_paths=files, prefix=prefix
    )
    indexes = list(base)
    return [
        (place, indexes[found.base], found)
        for place, found in zip(current, matches, strict=True)
        if found.base is not None
    ]


def match_entry(anchor: Anchor, check: str = "") -> MatchEntry:
    """Return an anchor as it is matched."""
    return MatchEntry(
        anchor.parts, anchor.line, check, anchor.statement, anchor.inputs, anchor.origins
    )


# An update of the file: which entries stay.


class BaselineComparison(msgspec.Struct, frozen=True):
    """The findings of a check compared with a baseline.

    `matches` has one match for each anchor of each finding. `matched` are the entries, by index,
    that match one, `unsure` those that match none although their scanners did not examine
    everything. The findings of all other entries are gone.
    """

    matches: tuple[tuple[BaselineMatch, ...], ...]
    matched: frozenset[int]
    unsure: frozenset[int]


def compare(
    baseline: Baseline,
    findings: Sequence[Finding],
    runs: Iterable[Run],
    paths: Collection[str],
    prefix: str = "",
) -> BaselineComparison:
    """Compare the findings of a check with a baseline.

    `runs` are those of the same check, `paths` all files of the target, relative to the repository
    as in `Parts`, and `prefix` leads from there to the target.
    """
    by_number = dict(enumerate(findings))
    # Packages by purl and problem, of which the first entry counts; everything else in tiers.
    by_key = {
        key: BaselineMatch(index, Change.UNCHANGED, "package and id")
        for index, entry in reversed([*enumerate(baseline.entries)])
        for key in _keys(entry)
    }
    found = {place: BaselineMatch(None, Change.NEW, "") for place in anchors_of(by_number)}
    in_files = dict(by_number)
    for number, finding in by_number.items():
        entry = entries_for(finding)[0]
        if entry.of_package:
            del in_files[number]
        for key in reversed(_keys(entry)):
            found[number, 0] = by_key.get(key, found[number, 0])
    files = frozenset(map(nfc, paths))
    for place, index, match_ in _match_all([anchors_of(in_files)], baseline, files, nfc(prefix)):
        found[place] = match_._replace(base=index)
    matched = frozenset(one.base for one in found.values() if one.base is not None)
    by_scanner = {run.scanner: run for run in runs}
    unsure = frozenset(
        index
        for index in frozenset(range(len(baseline.entries))) - matched
        if not _is_examined(baseline.entries[index], by_scanner, nfc(prefix))
    )
    matches = tuple(
        tuple(found[number, index] for index in range(len(finding.anchors)))
        for number, finding in by_number.items()
    )
    return BaselineComparison(matches, matched, unsure)


def _keys(entry: BaselineEntry) -> list[tuple[str, ...]]:
    """Return the keys of an entry about a package: entries that share one are the same."""
    if entry.parts.category == Category.VULNERABILITY.value:
        return [(entry.parts.path, advisory_id) for advisory_id in entry.ids]
    return [tuple(entry.parts)] if entry.of_package else []


def _is_examined(entry: BaselineEntry, runs: Mapping[str, Run], prefix: str) -> bool:
    """Return True if all scanners of an entry would have reported it if it were still there."""
    path = entry.parts.path.removeprefix(prefix)
    for scanner in entry.by or (usual_scanner(Category(entry.parts.category)),):
        run = runs.get(scanner)
        if run and run.status is Status.DEGRADED:
            coverage = run.coverage
            all_named = coverage.found - coverage.examined <= len(coverage.not_examined)
            gaps = {nfc(gap.input) for gap in coverage.gaps}
            if entry.of_package or not all_named or path in gaps:
                return False
        elif run is None or run.status not in (Status.OK, Status.NOT_APPLICABLE):
            return False
    return True
