"""Look up findings in the baseline file: which entries match, since when, which are gone."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from scanagg.baseline.file import Baseline, BaselineEntry, entry_for, nfc
from scanagg.baseline.matching import BaselineMatch, MatchEntry, find_elsewhere, match
from scanagg.core.git import Blamed, Git
from scanagg.model import (
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


def look_up(
    findings: Mapping[int, Finding],
    histories: Mapping[int, History],
    baseline: Baseline,
    *,
    times: Mapping[int, datetime],
    paths: Collection[str],
    secrets: bool,
    prefix: str = "",
) -> Mapping[int, History]:
    """Return the histories of findings in files, with what the baseline knows of them.

    A finding that the base or the baseline has is unchanged. Entries are matched with findings of
    the base first, so that a copy of such a finding does not take its entry.

    `times`, `paths` and `prefix` are as in `first_seen` and `compare`. Without `secrets`, entries
    of secrets count only for secrets that the base has.
    """
    of_secrets = (Change.UNCHANGED, Change.NEW) if secrets else (Change.UNCHANGED,)
    free = _in_files(baseline.entries)
    updated = dict(histories)
    in_base, others = (
        {
            number: match_entry(finding)
            for number, finding in findings.items()
            if histories[number].change in changes
            # A base commit knows an edited secret better than an entry does.
            if finding.category is not Category.SECRET or histories[number].change in of_secrets
        }
        for changes in ((Change.UNCHANGED,), (Change.NEW, Change.UPDATED))
    )
    turns = ((in_base, True), (_before_its_secret_was_known(findings), False), (others, True))
    for number, index, found in _match_in_turn(turns, free, paths, prefix):
        history = histories[number]
        if history.change is Change.UNCHANGED and found.change is Change.UPDATED:
            continue
        if history.change is not found.change:
            path, tier = baseline.path, found.tier
            reason = Reason("in-baseline", {"path": path, "tier": tier})
            if found.change is Change.UPDATED:
                reason = Reason("edited-since-baseline", {"path": path, "tier": tier})
            history = History(found.change, reason)
        updated[number] = replace(history, first_seen=times.get(baseline.lines[index]))
        del free[index]
    # Without a base, only the baseline shows the old place of a finding.
    new = [
        number
        for number, history in updated.items()
        if number in findings and history.reason.kind == "not-in-baseline"
    ]
    entries = _in_files(baseline.entries).values()
    places = find_elsewhere([match_entry(findings[number]) for number in new], entries)
    for number, place in zip(new, places, strict=True):
        if place:
            reason = Reason("known-elsewhere", {"path": place})
            updated[number] = replace(updated[number], reason=reason)
    return updated


def _in_files(entries: Iterable[BaselineEntry]) -> dict[int, MatchEntry]:
    """Return the entries about files as they are matched, by their index."""
    return {
        index: MatchEntry(entry.parts, entry.line or 0)
        for index, entry in enumerate(entries)
        if not entry.of_package
    }


def _match(
    current: Mapping[int, MatchEntry],
    base: Mapping[int, MatchEntry],
    paths: Collection[str],
    prefix: str,
) -> Iterable[tuple[int, int, BaselineMatch]]:
    """Return matches with the numbers of both sides: only for what the baseline has."""
    files = {entry.parts.path for entry in base.values()}
    matches = match(
        [*current.values()], [*base.values()], paths=paths, base_paths=files, prefix=prefix
    )
    indexes = list(base)
    return [
        (number, indexes[found.base], found)
        for number, found in zip(current, matches, strict=True)
        if found.base is not None
    ]


def _match_in_turn(
    turns: Iterable[tuple[Mapping[int, MatchEntry], bool]],
    free: Mapping[int, MatchEntry],
    paths: Collection[str],
    prefix: str,
) -> Iterator[tuple[int, int, BaselineMatch]]:
    """Yield one match for a finding, with the entries that are free when its turn comes.

    A turn says if edited findings count. If not, they are left to a later turn.
    """
    matched: set[int] = set()
    for current, edited in turns:
        left = {number: entry for number, entry in current.items() if number not in matched}
        for number, index, found in _match(left, free, paths, prefix):
            if edited or found.change is Change.UNCHANGED:
                matched.add(number)
                yield number, index, found


def _before_its_secret_was_known(findings: Mapping[int, Finding]) -> dict[int, MatchEntry]:
    """Return code with a secret in its statement, as if no scanner knew the secret.

    That is how entries have it that were written before a scanner knew it.
    """
    entries = {}
    for number, finding in findings.items():
        if finding.unmasked:
            entry = match_entry(finding)
            parts = entry.parts._replace(statement=finding.unmasked)
            entries[number] = entry._replace(parts=parts)
    return entries


def match_entry(finding: Finding, check: str = "") -> MatchEntry:
    """Return a finding as it is matched. ValueError for one without parts."""
    if finding.parts is None:
        raise ValueError(f"finding {finding.id} has no parts")
    line = finding.location.start_line if finding.location else None
    return MatchEntry(finding.parts, line or 0, check)


# An update of the file: which entries stay.


class BaselineComparison(msgspec.Struct, frozen=True):
    """The findings of a check compared with a baseline.

    `matches` has one match per finding. `matched` are the entries, by index, that match a finding,
    `unsure` those that match none although their scanners did not examine everything. The findings
    of all other entries are gone.
    """

    matches: tuple[BaselineMatch, ...]
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
    # Packages by purl and problem, of which the first entry counts; everything else in tiers.
    by_key = {
        key: BaselineMatch(index, Change.UNCHANGED, "package and id")
        for index, entry in reversed([*enumerate(baseline.entries)])
        for key in _keys(entry)
    }
    entries = [entry_for(finding) for finding in findings]
    matches = [BaselineMatch(None, Change.NEW, "")] * len(entries)
    for number, entry in enumerate(entries):
        for key in reversed(_keys(entry)):
            matches[number] = by_key.get(key, matches[number])
    files = frozenset(map(nfc, paths))
    free = _in_files(baseline.entries)
    without_secrets = _before_its_secret_was_known(dict(enumerate(findings)))
    turns = ((without_secrets, False), (_in_files(entries), True))
    for number, index, found in _match_in_turn(turns, free, files, nfc(prefix)):
        matches[number] = found._replace(base=index)
        del free[index]
    matched = frozenset(found.base for found in matches if found.base is not None)
    by_scanner = {run.scanner: run for run in runs}
    unsure = frozenset(
        index
        for index in frozenset(range(len(baseline.entries))) - matched
        if not _is_examined(baseline.entries[index], by_scanner, nfc(prefix))
    )
    return BaselineComparison(tuple(matches), matched, unsure)


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
