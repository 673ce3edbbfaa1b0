"""Match findings across two states of a project: one to one, in tiers, the first match wins."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Final, NamedTuple

from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.model import Category, Change, Parts

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


class Match(NamedTuple):
    """The result for one finding: the index of its counterpart in the base, if it has one.

    `tier` names what the two have in common, in words for people: "the same line", "rule, file,
    function and statement". It is "" for a new finding.
    """

    base: int | None
    change: Change
    tier: str


# Findings about packages are not tied to a place in a file.
_PACKAGE_CATEGORIES: Final = frozenset((Category.VULNERABILITY.value, Category.LICENSE.value))


class _Item(NamedTuple):
    """An entry with its index, `number`, and its parts as the tiers need them.

    `home` is its function: category, rule, path and qualified name. `statement` comes without the
    keyed digest of a secret. `value` is a digest of that secret, "" where only one side has it.
    """

    number: int
    home: tuple[str, str, str, str]
    line: int
    statement: str
    value: str


_Key = Callable[[_Item], Hashable | None]


class _Tier(NamedTuple):
    """One way to recognise a finding: equal keys on both sides. The key None matches nothing.

    Findings of a tier with `leaves_home` move to another function or file. If the old function
    still has a finding that was not there before, that one is more likely the old finding, edited,
    than an equal statement elsewhere.
    """

    words: str
    key: _Key
    base_key: _Key
    unchanged: bool = True
    leaves_home: bool = False


def match(
    current: Sequence[MatchEntry],
    base: Sequence[MatchEntry],
    *,
    lines: LineMap | None = None,
    paths: Collection[str] = (),
    base_paths: Collection[str] = (),
) -> list[Match]:
    """Return one match for each of `current`, in order.

    `paths` and `base_paths` are the files that exist now and in the base: findings may move from
    files that are gone to files that are new. Among equals the first by line, then in the given
    order, matches the first. A secret whose value is known on both sides to differ is never
    unchanged.
    """
    keyed = all(
        any(entry.parts.statement[HASH_DIGITS:] for entry in side) for side in (current, base)
    )
    left, free = _items(current, keyed=keyed), _items(base, keyed=keyed)
    has_values = any(item.value for item in (*left, *free))
    added = frozenset(paths) - frozenset(base_paths)
    removed = frozenset(base_paths) - frozenset(paths)
    matches = [Match(None, Change.NEW, "")] * len(current)
    for tier in _tiers(lines, added, removed):
        for step in _by_value(tier) if has_values and tier.unchanged else (tier,):
            pairs = dict(_pairs(left, free, step))
            if not pairs:
                continue
            change = Change.UNCHANGED if tier.unchanged else Change.UPDATED
            for index, base_index in pairs.items():
                matches[index] = Match(base_index, change, tier.words)
            taken = set(pairs.values())
            left = [item for item in left if item.number not in pairs]
            free = [item for item in free if item.number not in taken]
    return matches


def _items(entries: Sequence[MatchEntry], *, keyed: bool) -> list[_Item]:
    """Return the entries by file and line, then in the given order.

    The value of a secret is its keyed digest where both sides have such, else its check.
    """
    items = [
        _Item(
            index,
            entry.parts[:4],
            entry.line,
            entry.parts.statement[:HASH_DIGITS],
            entry.parts.statement[HASH_DIGITS:] if keyed else entry.check,
        )
        for index, entry in enumerate(entries)
    ]
    items.sort(key=lambda item: (item.home[2], item.line))
    return items


def _tiers(
    lines: LineMap | None, added: Collection[str], removed: Collection[str]
) -> Iterator[_Tier]:
    """Yield the tiers, the surest first.

    The tier of edited findings comes last, so that it takes no match from an unedited one.
    """

    def line_in_base(item: _Item) -> Hashable | None:
        category, rule, path, _ = item.home
        if lines is None or not item.line or category in _PACKAGE_CATEGORIES:
            return None
        place = lines(path, item.line)
        return (category, rule, *place, _code(item)) if place else None

    def moved(words: str, key: _Key) -> _Tier:
        return _Tier(
            words,
            lambda item: key(item) if item.home[2] in added else None,
            lambda item: key(item) if item.home[2] in removed else None,
        )

    if lines is not None:
        yield _Tier("the same line", line_in_base, _line)
    yield _Tier("rule, file, function and statement", _exact, _exact)
    yield _Tier("rule, file and statement", _in_file, _in_file, leaves_home=True)
    yield _Tier("rule, file and value", _same_secret, _same_secret)
    if added and removed:
        yield moved("rule, function and statement in a renamed file", _anywhere)
        yield moved("rule and statement in a renamed file", _statement)
    yield _Tier(
        "rule, function and statement in another file", _anywhere, _anywhere, leaves_home=True
    )
    yield _Tier("rule, file and function", _function, _function, unchanged=False)


# The keys. Findings without a statement are recognised in their own file only.


def _line(item: _Item) -> Hashable | None:
    category, rule, path, _ = item.home
    return (category, rule, path, item.line, _code(item)) if item.line else None


def _code(item: _Item) -> str:
    """Return the statement of code: lines beside the flagged one may change what it does."""
    return item.statement if item.home[0] == Category.CODE.value else ""


def _exact(item: _Item) -> Hashable:
    return item.home, item.statement


def _in_file(item: _Item) -> Hashable | None:
    category, rule, path, _ = item.home
    return (category, rule, path, item.statement) if item.statement else None


def _same_secret(item: _Item) -> Hashable | None:
    """Match a secret by its value: the text beside it may change, and a formatter may move it."""
    category, rule, path, _ = item.home
    return (category, rule, path, item.value) if item.value else None


def _anywhere(item: _Item) -> Hashable | None:
    category, rule, _, qualname = item.home
    return (category, rule, qualname, item.statement) if item.statement else None


def _statement(item: _Item) -> Hashable | None:
    category, rule, _, _ = item.home
    return (category, rule, item.statement) if item.statement else None


def _function(item: _Item) -> Hashable | None:
    return None if item.home[0] in _PACKAGE_CATEGORIES else item.home


# The pairing.


def _by_value(tier: _Tier) -> Iterator[_Tier]:
    """Yield the tier in two steps: first secrets of one value, then those that cannot be compared.

    In the second step the value is known on one side only.
    """

    def with_value(key: _Key, value: Callable[[_Item], object]) -> _Key:
        def combined(item: _Item) -> Hashable | None:
            found = key(item)
            return None if found is None else (found, value(item))

        return combined

    for value, base_value in (
        (lambda item: item.value, lambda item: item.value),
        (lambda item: bool(item.value), lambda item: not item.value),
    ):
        yield tier._replace(
            key=with_value(tier.key, value), base_key=with_value(tier.base_key, base_value)
        )


def _pairs(left: Sequence[_Item], free: Sequence[_Item], tier: _Tier) -> Iterator[tuple[int, int]]:
    """Yield pairs of indexes, each index in one pair at most. Among equals the first goes first."""
    keys = [tier.key(item) for item in left]
    wanted = frozenset(keys) - {None}
    buckets: dict[Hashable | None, list[_Item]] = defaultdict(list)
    for old in reversed(free):
        key = tier.base_key(old)
        if key in wanted:
            buckets[key].append(old)
    if not buckets:
        return
    # Per function: the number of old findings that the current ones do not account for.
    spare: Counter[Hashable] = Counter()
    if tier.leaves_home:
        spare.update(map(_function, free))
        spare.subtract(map(_function, left))
    for item, key in zip(left, keys, strict=True):
        bucket = buckets.get(key)
        while bucket:
            old = bucket.pop()
            if tier.leaves_home:
                home = _function(old)
                spare[home] -= 1
                if spare[home] < 0:
                    continue
            yield item.number, old.number
            break
