"""Match findings across two states of a project: one to one, in tiers, the first match wins."""

import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.baseline.file import PACKAGE_CATEGORIES
from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.model import Category, Change, Parts

# Files that only developers run or read. A finding that moves from there into what runs is new.
_DEVELOPMENT: Final = re.compile(
    r"""
    (?:.*/)?
    (?: (?:tests?|testing|e2e|fixtures)/.*
      | (?:docs?|documentation|examples?|samples?|bench(?:marks?)?)/.*
      | [^/]+[.-](?:example|sample)(?:\.[^/]*)?
      | conftest\.py | test_[^/]* | [^/]*[._](?:tests?|spec)\.[^/.]*
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

LineMap = Callable[[str, int], tuple[str, int] | None]
"""Maps a path and line of now to those in the base; None where the line is new."""


class MatchEntry(NamedTuple):
    """The fields of a finding that matching uses.

    `line` is 0 where it is not known; it decides the order among equals. `check` is a digest of
    the values on a secret's lines, "" for everything else and where it is not known.
    """

    parts: Parts
    line: int = 0
    check: str = ""


class BaselineMatch(NamedTuple):
    """The result for one finding: the index of its counterpart in the base, if it has one.

    `tier` names what is the same in the two: "line", "rule, file, function and statement". It is
    empty for a new finding.
    """

    base: int | None
    change: Change
    tier: str


class _Item(NamedTuple):
    """An entry as the tiers need it; `place` is its path and line in the base, None if unknown.

    `statement` comes without the keyed digest of a secret. `code` is the statement of code, ""
    else: lines beside the flagged one may change what code does. `value` is a digest of a secret,
    "" where only one side has it. `movable` is the statement, "" for a secret: in another file, a
    secret is a copy, even if the first one is removed. `in_file` is False for findings about
    packages, `runs` in tests, documentation and examples.
    """

    category: str
    rule: str
    path: str
    qualname: str
    line: int
    place: tuple[str, int] | None
    statement: str
    code: str
    value: str
    movable: str
    in_file: bool
    runs: bool


class _Tier(NamedTuple):
    """One way to recognise a finding: category, rule and `fields` are equal.

    An item without the field `needs` matches nothing. No tier moves a finding from tests,
    documentation or examples into what runs. Findings of a tier with `leaves_home` move to another
    function or file. If the old function still has a finding that was not there before,
    that one is more likely the old finding, edited, than an equal statement elsewhere.
    """

    words: str
    fields: tuple[str, ...]
    needs: str = "category"
    change: Change = Change.UNCHANGED
    leaves_home: bool = False
    renamed: bool = False


# The surest first. The tier of edited findings comes last, so that it takes no match from an
# unedited one. Findings without a statement are recognised in their own file only.
_TIERS: Final = (
    _Tier("line", ("place", "code"), "place"),
    _Tier("rule, file, function and statement", ("path", "qualname", "statement")),
    _Tier("rule, file and statement", ("path", "statement"), "statement", leaves_home=True),
    # The text beside a secret may change, and a formatter may move it.
    _Tier("rule, file and value", ("path", "value"), "value"),
    _Tier(
        "rule, function and statement in a renamed file",
        ("qualname", "statement"),
        "statement",
        renamed=True,
    ),
    _Tier("rule and statement in a renamed file", ("statement",), "statement", renamed=True),
    _Tier(
        "rule, function and statement in another file",
        ("qualname", "statement"),
        "movable",
        leaves_home=True,
    ),
    _Tier("rule, file and function", ("path", "qualname"), "in_file", Change.UPDATED),
)

_Suffix = Callable[[str], object]
_NO_VALUE: Final[tuple[_Suffix, _Suffix]] = (lambda _value: "", lambda _value: "")
# Secrets are matched in two steps: first those of one value, then those with a value on one side
# only, which cannot be compared.
_BY_VALUE: Final[tuple[tuple[_Suffix, _Suffix], ...]] = ((str, str), (bool, operator.not_))


def match(
    current: Sequence[MatchEntry],
    base: Sequence[MatchEntry],
    *,
    lines: LineMap | None = None,
    paths: Collection[str] = (),
    base_paths: Collection[str] = (),
    prefix: str = "",
) -> list[BaselineMatch]:
    """Return one match for each of `current`, in order.

    `paths` and `base_paths` are the files that exist now and in the base: findings may move from
    files that are gone to files that are new. `prefix` leads from the repository to the target, and
    only folders below it decide if a file runs. Among equals the first by line, then in the given
    order, matches the first. A secret whose value is known on both sides to differ is never
    unchanged.
    """
    sides = (current, base)
    keyed = all(any(entry.parts.statement[HASH_DIGITS:] for entry in side) for side in sides)
    left = _items(current, lines or (lambda _path, _line: None), prefix, keyed=keyed)
    free = _items(base, lambda path, line: (path, line), prefix, keyed=keyed)
    has_values = any(item.value for item in (*left.values(), *free.values()))
    added = frozenset(paths) - frozenset(base_paths)
    removed = frozenset(base_paths) - frozenset(paths)
    matches = [BaselineMatch(None, Change.NEW, "")] * len(current)
    for tier in _TIERS:
        by_value = has_values and tier.change is Change.UNCHANGED
        for suffix, base_suffix in _BY_VALUE if by_value else (_NO_VALUE,):
            keys = _keys(left.values(), tier, suffix, added)
            base_keys = _keys(free.values(), tier, base_suffix, removed)
            pairs = list(_pairs(left, keys, free, base_keys, leaves_home=tier.leaves_home))
            for number, base_number in pairs:
                matches[number] = BaselineMatch(base_number, tier.change, tier.words)
                del left[number], free[base_number]
    return matches


def find_elsewhere(current: Sequence[MatchEntry], others: Iterable[MatchEntry]) -> list[str | None]:
    """Return for each of `current` another file with the same value, or the same statement.

    A finding that is new in its place was moved or copied from there.
    """

    def key(entry: MatchEntry) -> Hashable:
        category, rule, _path, qualname, statement = entry.parts
        value = entry.check or statement[HASH_DIGITS:]
        same = value or (statement and (qualname, statement))
        return (category, rule, same) if same else None

    paths: dict[Hashable, str] = {}
    for entry in others:
        paths.setdefault(key(entry), entry.parts.path)
    paths.pop(None, None)
    found = [paths.get(key(entry)) for entry in current]
    return [
        path if path != entry.parts.path else None
        for path, entry in zip(found, current, strict=True)
    ]


@lru_cache(4096)
def _runs(path: str) -> bool:
    return not _DEVELOPMENT.fullmatch(path)


def _items(
    entries: Sequence[MatchEntry], lines: LineMap, prefix: str, *, keyed: bool
) -> dict[int, _Item]:
    """Return the entries by their index, sorted by file and line, then in the given order.

    The value of a secret is its keyed digest where both sides have such, else its check.
    """
    items = {}
    for number, (parts, line, check) in enumerate(entries):
        category, rule, path, qualname, whole = parts
        statement, digest = whole[:HASH_DIGITS], whole[HASH_DIGITS:]
        in_file = category not in PACKAGE_CATEGORIES
        place = lines(path, line) if line and in_file else None
        items[number] = _Item(
            category=category,
            rule=rule,
            path=path,
            qualname=qualname,
            line=line,
            place=place,
            statement=statement,
            code=statement if category == Category.CODE.value else "",
            value=digest if keyed else check,
            movable=statement if category != Category.SECRET.value else "",
            in_file=in_file,
            runs=in_file and _runs(path.removeprefix(prefix)),
        )
    return dict(sorted(items.items(), key=lambda item: (item[1].path, item[1].line)))


def _keys(
    items: Iterable[_Item], tier: _Tier, suffix: _Suffix, files: Collection[str]
) -> list[Hashable | None]:
    """Return the key of each item, None where it matches nothing."""
    fields = operator.attrgetter("category", "rule", *tier.fields)
    needed = operator.attrgetter(tier.needs)
    return [
        (fields(item), suffix(item.value))
        if needed(item) and (not tier.renamed or item.path in files)
        else None
        for item in items
    ]


def _pairs(
    left: dict[int, _Item],
    keys: Sequence[Hashable | None],
    free: dict[int, _Item],
    base_keys: Sequence[Hashable | None],
    *,
    leaves_home: bool,
) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers, each in one pair at most. Among equals the first goes first."""
    known = frozenset(keys) - {None}
    buckets: dict[tuple[Hashable, bool], list[int]] = defaultdict(list)
    for number, key in zip(reversed(free), reversed(base_keys), strict=True):
        if key in known:
            buckets[key, free[number].runs].append(number)
    if not buckets:
        return
    # Per function: the number of old findings that the current ones do not account for.
    spare: Counter[Hashable] = Counter()
    if leaves_home:
        spare.update(map(_home, free.values()))
        spare.subtract(map(_home, left.values()))
    for number, key in zip(left, keys, strict=True):
        bucket = buckets.get((key, left[number].runs)) or buckets.get((key, True))
        while bucket:
            base_number = bucket.pop()
            if leaves_home:
                home = _home(free[base_number])
                spare[home] -= 1
                if spare[home] < 0:
                    continue
            yield number, base_number
            break


def _home(item: _Item) -> Hashable:
    """Return the function of a finding; packages have none."""
    return (item.category, item.rule, item.path, item.qualname) if item.in_file else None
