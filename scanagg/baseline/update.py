"""Baselines kept up to date: made from findings, shrunk, and grown, kept lines byte for byte."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, cast

import msgspec

from scanagg.baseline import matching
from scanagg.baseline.file import (
    ENCODER,
    PACKAGE_CATEGORIES,
    VERSION,
    Baseline,
    CategoryWord,
    Entry,
    Head,
    Known,
    nfc,
)
from scanagg.model import Category, Change, Finding, Run, Status
from scanagg.scanners.coverage import gaps_of

_Line = tuple[tuple[object, ...], str]

# Who looks for what, for entries that do not tell who saw them.
_USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    Category.VULNERABILITY.value: ("pip-audit",),
    Category.CODE.value: ("bandit",),
    Category.SECRET.value: ("detect-secrets",),
    Category.LICENSE.value: ("licenses",),
    Category.MISCONFIGURATION.value: ("trivy",),
}


class Standing(msgspec.Struct, frozen=True):
    """How findings and a baseline stand to each other.

    `matches` holds for each finding its entry and whether it changed. The entries are split, by
    index: those that match something, those that nothing matches and whoever saw them looked
    (`gone`), and those where somebody did not look (`unsure`).
    """

    matches: tuple[matching.Match, ...]
    matched: frozenset[int]
    gone: frozenset[int]
    unsure: frozenset[int]


def known(finding: Finding, owner: str = "", reason: str = "") -> Known:
    """The entry for a finding; `owner` and `reason` where somebody let the baseline grow by it.

    ValueError for a finding without parts: it could never be known again.
    """
    if finding.parts is None:
        raise ValueError(f"finding {finding.id} has no parts to be known by")
    place, advisory = finding.location, finding.advisory
    of_package = finding.parts.category in PACKAGE_CATEGORIES
    return Known(
        parts=finding.parts,
        line=place.start_line if place and not of_package else None,
        ids=tuple(sorted(advisory.ids)) if advisory else (),
        owner=owner,
        reason=reason,
        by=tuple(sorted(finding.scanners)),
    )


def made_from(entries: Iterable[Known], *, slim: bool = False) -> str:
    """The text of a new baseline; `slim` without line hints."""
    return _file(1, [_line(one, slim) for one in _each_once(entries)])


def compare(
    baseline: Baseline,
    findings: Sequence[Finding],
    runs: Iterable[Run],
    paths: Collection[str],
    prefix: str = "",
) -> Standing:
    """How these findings of a check stand to a baseline.

    `runs` are those of the same check, `paths` all files of the target, relative to the repository
    as in `Parts`, and `prefix` leads from there to the target.
    """
    matches = _matches(baseline, findings, frozenset(map(nfc, paths)))
    matched = frozenset(one.base for one in matches if one.base is not None)
    ran = {run.scanner: run for run in runs}
    left = [index for index in range(len(baseline.entries)) if index not in matched]
    gone = frozenset(each for each in left if _looked_for(baseline.entries[each], ran, prefix))
    return Standing(tuple(matches), matched, gone, frozenset(left) - gone)


def changed(
    baseline: Baseline,
    keep: Collection[int],
    added: Sequence[Known] = (),
    *,
    slim: bool = False,
    left_out: bool = False,
) -> str:
    """The text of a baseline with the entries `keep` (by index) and those that are `added`.

    What is kept stays byte for byte, but that `slim` drops the line hints. A file without any stays
    without. The count in the head goes up where something about packages is added: with it all
    packages of that commit are old ones. So it stays where something about them was `left_out`.
    """
    bare = slim or is_slim(baseline)
    kept = [(_key(baseline.entries[index]), _kept(baseline, index, slim)) for index in sorted(keep)]
    new = [_line(one, bare) for one in _each_once(added)]
    accepted = any(map(_of_package, added)) and not left_out
    return _file(baseline.growth + accepted, [*kept, *new])


def is_slim(baseline: Baseline) -> bool:
    """Whether no entry has a line hint, and some could."""
    could = [one for one in baseline.entries if one.parts.category not in PACKAGE_CATEGORIES]
    return bool(could) and not any(one.line for one in could)


def _matches(
    baseline: Baseline, findings: Sequence[Finding], paths: Collection[str]
) -> list[matching.Match]:
    """Packages by their purl and what is wrong with them; all else in tiers."""
    by_name = {
        key: index
        for index in reversed(range(len(baseline.entries)))
        for key in _names(baseline.entries[index])
    }
    numbers = [n for n, one in enumerate(baseline.entries) if not _of_package(one)]
    base = [_entry(baseline.entries[n]) for n in numbers]
    entries = [known(finding) for finding in findings]
    current = [_entry(one) for one in entries if not _of_package(one)]
    before = {entry.parts.path for entry in base}
    tiers = iter(matching.match(current, base, paths=paths, base_paths=before))
    found = []
    for one in entries:
        if _of_package(one):
            index = next((by_name[key] for key in _names(one) if key in by_name), None)
            change = Change.NEW if index is None else Change.UNCHANGED
            found.append(matching.Match(index, change, "package and id"))
        else:
            hit = next(tiers)
            found.append(hit if hit.base is None else hit._replace(base=numbers[hit.base]))
    return found


def _of_package(one: Known) -> bool:
    return one.parts.category in PACKAGE_CATEGORIES


def _entry(one: Known) -> matching.Entry:
    return matching.Entry(one.parts, one.line or 0)


def _names(one: Known) -> list[tuple[str, ...]]:
    """What the entry of a package is known by: any one is enough."""
    if one.parts.category == Category.VULNERABILITY.value:
        return [(one.parts.path, each) for each in one.ids]
    return [tuple(one.parts)] if _of_package(one) else []


def _each_once(entries: Iterable[Known]) -> Iterable[Known]:
    """Of packages one entry each: a second version of one with the same trouble adds nothing."""
    seen: set[tuple[object, ...]] = set()
    for one in entries:
        key = (one.parts, one.ids)
        if not _of_package(one) or key not in seen:
            seen.add(key)
            yield one


def _looked_for(one: Known, runs: Mapping[str, Run], prefix: str) -> bool:
    """Whether every scanner that saw it would have seen it again."""
    path = one.parts.path.removeprefix(nfc(prefix))
    named = one.by or _USUAL[one.parts.category]
    return all(name in runs and _looked_at(runs[name], one, path) for name in named)


def _looked_at(run: Run, one: Known, path: str) -> bool:
    if run.status is not Status.DEGRADED:
        return run.status in (Status.OK, Status.NOT_APPLICABLE)
    coverage, gaps = run.coverage, {nfc(gap.input) for gap in gaps_of(run.coverage)}
    all_named = coverage.found - coverage.examined <= len(coverage.not_examined)
    return not _of_package(one) and all_named and path not in gaps


def _file(growth: int, entries: Iterable[_Line]) -> str:
    head = ENCODER.encode(Head("scanagg", VERSION, growth)).decode()
    lines = "".join(f",{text}\n" for _, text in sorted(entries))
    return f"[{head}\n{lines}]\n"


def _line(one: Known, slim: bool) -> _Line:
    return _key(one), _encoded(one, slim)


def _encoded(one: Known, slim: bool) -> str:
    parts = one.parts
    of_package = parts.category in PACKAGE_CATEGORIES
    entry = Entry(
        category=cast("CategoryWord", parts.category),
        rule=parts.rule,
        path="" if of_package else parts.path,
        purl=parts.path if of_package else "",
        qualname=parts.qualname,
        statement=f"#{parts.statement}" if parts.statement else "",
        ids=one.ids,
        line=None if slim else one.line,
        by=one.by,
        owner=one.owner,
        reason=one.reason,
    )
    return ENCODER.encode(entry).decode()


def _kept(baseline: Baseline, index: int, slim: bool) -> str:
    one, text = baseline.entries[index], baseline.texts[index]
    several_lines = "\n" in text or "\r" in text
    return _encoded(one, slim) if several_lines or (slim and one.line) else text


def _key(one: Known) -> tuple[object, ...]:
    """What lines are sorted by; equal entries stand in the order of their lines."""
    parts = one.parts
    identity = (parts.category, parts.path, parts.rule, parts.qualname, parts.statement)
    return (*identity, one.line or 0)
