"""Which finding is which across two states of a project: one to one, in tiers, first hit wins."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from scanagg.findings.fingerprint import HASH_DIGITS
from scanagg.model import Category, Change, Parts

LineMap = Callable[[str, int], tuple[str, int] | None]
"""The place in the base of a line that is there now (path, line); None where the line is new."""


class Entry(NamedTuple):
    """A finding as far as matching goes.

    `line` is 0 where it is not known; it decides the order among equals. `check` is a digest of
    what a secret's lines hold, "" for all else and where it is not known.
    """

    parts: Parts
    line: int = 0
    check: str = ""


class Match(NamedTuple):
    """What became of one finding: the index of its counterpart in the base, if any, and how.

    `tier` says by what they were matched, in words for people: "the same line", "rule, file,
    function and statement"; "" for a new one.
    """

    base: int | None
    change: Change
    tier: str


# What has no place in a file is known by what it is alone.
_PLACELESS: Final = frozenset((Category.VULNERABILITY.value, Category.LICENSE.value))

_Key = Callable[["_One"], Hashable | None]


class _One(NamedTuple):
    """An entry as the tiers ask for it, and the place it was given at.

    `home` is its function: category, rule, path and qualified name. `statement` is without the
    keyed digest of a secret. `value` is a digest of that secret, "" where there is none that both
    sides would know.
    """

    at: int
    home: tuple[str, str, str, str]
    line: int
    statement: str
    value: str


class _Tier(NamedTuple):
    """One way of knowing a finding again: equal keys on both sides; None is on neither.

    Where a finding `leaves_home`, its function may still hold one that was not there before: that
    is more likely the old one, edited, than is an equal statement that was written elsewhere.
    """

    words: str
    now: _Key
    before: _Key
    unchanged: bool = True
    leaves_home: bool = False


def match(
    current: Sequence[Entry],
    base: Sequence[Entry],
    *,
    lines: LineMap | None = None,
    paths: Collection[str] = (),
    base_paths: Collection[str] = (),
) -> list[Match]:
    """One match for each of `current`, in order.

    `paths` and `base_paths` are the files that exist now and in the base: between those that came
    and those that went, findings may move. Of equals the first by line, then in the given order,
    goes with the first. A secret whose value is known on both sides to differ is never unchanged.
    """
    came = frozenset(paths) - frozenset(base_paths)
    went = frozenset(base_paths) - frozenset(paths)
    left, free = _read(current, base)
    valued = any(one.value for one in (*left, *free))
    matches = [Match(None, Change.NEW, "")] * len(current)
    for tier in _tiers(lines, came, went):
        for step in _by_value(tier) if valued else (tier,):
            pairs = dict(_pairs(left, free, step))
            change = Change.UNCHANGED if tier.unchanged else Change.UPDATED
            for now, before in pairs.items():
                matches[now] = Match(before, change, tier.words)
            if pairs:
                taken = set(pairs.values())
                left = [one for one in left if one.at not in pairs]
                free = [one for one in free if one.at not in taken]
    return matches


def _tiers(lines: LineMap | None, came: Collection[str], went: Collection[str]) -> Iterator[_Tier]:
    """The surest first. What was edited comes last, so that it takes no place from what was not."""
    if lines is not None:
        yield _Tier("the same line", partial(_old_line, lines), _line)
    yield _both("rule, file, function and statement", _exact)
    yield _away("rule, file and statement", _in_file)
    yield _both("rule, file and value", _same_secret)
    if came and went:
        yield _moved("rule, function and statement in a renamed file", _anywhere, came, went)
        yield _moved("rule and statement in a renamed file", _statement, came, went)
    yield _away("rule, function and statement in another file", _anywhere)
    yield _both("rule, file and function", _function, unchanged=False)


def _both(words: str, key: _Key, *, unchanged: bool = True) -> _Tier:
    return _Tier(words, key, key, unchanged)


def _away(words: str, key: _Key) -> _Tier:
    """A tier in which findings leave their function."""
    return _Tier(words, key, key, leaves_home=True)


def _moved(words: str, key: _Key, came: Collection[str], went: Collection[str]) -> _Tier:
    """A tier from files that went to files that came."""
    return _Tier(words, partial(_only_in, came, key), partial(_only_in, went, key))


# The keys. What says nothing of its statement is known in its own file only.


def _old_line(lines: LineMap, one: _One) -> Hashable | None:
    category, rule, path, _ = one.home
    place = lines(path, one.line) if one.line and category not in _PLACELESS else None
    return (category, rule, *place, _code(one)) if place else None


def _line(one: _One) -> Hashable | None:
    category, rule, path, _ = one.home
    return (category, rule, path, one.line, _code(one)) if one.line else None


def _code(one: _One) -> str:
    """The statement of code: on other lines than the flagged one it may do something else now."""
    return one.statement if one.home[0] == Category.CODE.value else ""


def _exact(one: _One) -> Hashable:
    return one.home, one.statement


def _in_file(one: _One) -> Hashable | None:
    category, rule, path, _ = one.home
    return (category, rule, path, one.statement) if one.statement else None


def _same_secret(one: _One) -> Hashable | None:
    """What stands beside a secret may change, and a formatter may move it: it is no other one."""
    category, rule, path, _ = one.home
    return (category, rule, path, one.value) if one.value else None


def _anywhere(one: _One) -> Hashable | None:
    category, rule, _, qualname = one.home
    return (category, rule, qualname, one.statement) if one.statement else None


def _statement(one: _One) -> Hashable | None:
    category, rule, _, _ = one.home
    return (category, rule, one.statement) if one.statement else None


def _function(one: _One) -> Hashable | None:
    return None if one.home[0] in _PLACELESS else one.home


def _only_in(paths: Collection[str], key: _Key, one: _One) -> Hashable | None:
    return key(one) if one.home[2] in paths else None


# What holds a secret: in each tier, first those of one value, then those nobody can compare.


def _by_value(tier: _Tier) -> Iterator[_Tier]:
    """The tier in the two steps in which secrets are paired; as it is where values may differ."""
    if not tier.unchanged:
        yield tier
        return
    now, before = tier.now, tier.before
    yield tier._replace(now=partial(_with_value, now), before=partial(_with_value, before))
    yield tier._replace(now=partial(_if_known, now), before=partial(_if_unknown, before))


def _with_value(key: _Key, one: _One) -> Hashable | None:
    found = key(one)
    return None if found is None else (found, one.value)


def _if_known(key: _Key, one: _One) -> Hashable | None:
    found = key(one)
    return None if found is None else (found, bool(one.value))


def _if_unknown(key: _Key, one: _One) -> Hashable | None:
    found = key(one)
    return None if found is None else (found, not one.value)


# The pairing.


def _read(current: Sequence[Entry], base: Sequence[Entry]) -> tuple[list[_One], list[_One]]:
    """Both sides in order, with the values of secrets by what both sides know of them."""
    keyed = all(any(map(_keyed_digest, entries)) for entries in (current, base))
    value = _keyed_digest if keyed else _check
    return _in_order(current, value), _in_order(base, value)


def _keyed_digest(entry: Entry) -> str:
    return entry.parts.statement[HASH_DIGITS:]


def _check(entry: Entry) -> str:
    return entry.check


def _in_order(entries: Sequence[Entry], value: Callable[[Entry], str]) -> list[_One]:
    """By file and line, then in the given order."""
    ones = [
        _One(at, entry.parts[:4], entry.line, entry.parts[4][:HASH_DIGITS], value(entry))
        for at, entry in enumerate(entries)
    ]
    ones.sort(key=lambda one: (one.home[2], one.line))
    return ones


def _spare(left: Sequence[_One], free: Sequence[_One]) -> Counter[Hashable]:
    """By function: how many more findings of a rule there were than there now are to explain."""
    spare = Counter(map(_function, free))
    spare.subtract(map(_function, left))
    return spare


def _pairs(left: Sequence[_One], free: Sequence[_One], tier: _Tier) -> Iterator[tuple[int, int]]:
    """Places in the given sequences, each in one pair at most; of equals the first first."""
    keys = [tier.now(one) for one in left]
    buckets = _buckets(free, tier.before, frozenset(keys) - {None})
    spare = _spare(left, free) if buckets and tier.leaves_home else None
    for one, key in zip(left, keys, strict=True) if buckets else ():
        bucket = buckets.get(key)
        while bucket:
            old = bucket.pop()
            if spare is None or _may_leave(old, spare):
                yield one.at, old.at
                break


def _buckets(
    free: Sequence[_One], key: _Key, wanted: Collection[Hashable]
) -> dict[Hashable | None, list[_One]]:
    """What there is of each wanted key, the last first."""
    buckets: dict[Hashable | None, list[_One]] = defaultdict(list)
    for one in reversed(free):
        found = key(one)
        if found in wanted:
            buckets[found].append(one)
    return buckets


def _may_leave(old: _One, spare: Counter[Hashable]) -> bool:
    home = _function(old)
    spare[home] -= 1
    return spare[home] >= 0
