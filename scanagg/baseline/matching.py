"""Match findings across two states of a project: one to one, in tiers, the first match wins."""

import operator
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from functools import lru_cache
from itertools import chain, takewhile
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
    """The fields of an anchor that matching uses.

    `line` is 0 where it is not known; it decides the order among equals. `check` is a digest of a
    secret in the code, "" for everything else and where it is not known. `statement`, `inputs` and
    `origins` are as in `Anchor`.
    """

    parts: Parts
    line: int = 0
    check: str = ""
    statement: str = ""
    inputs: str = ""
    origins: str = ""


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

    `path` is that in the base, if the file was renamed. `code` comes without the keyed digest of a
    secret. `on_line` is the code, "" for secrets and misconfigurations: lines beside the flagged
    one may change what code does. `value` is a digest of a secret, "" where only one side has it.
    A `movable` one can be in another file: code in functions, resources, and secrets in functions,
    but these only in the same `folder`. A `moved` secret is in a new file or in one that is gone.
    `in_file` is False for findings about packages, `runs` in tests, documentation and examples.
    """

    category: str
    rule: str
    path: str
    qualname: str
    function: str
    line: int
    place: tuple[str, int] | None
    code: str
    statement: str
    inputs: str
    origins: str
    on_line: str
    value: str
    movable: bool
    moved: bool
    folder: str
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


# The surest first. The tier of edited findings comes last, so that it takes no match from an
# unedited one. The path of a renamed file is that in the base.
_TIERS: Final = (
    _Tier("line", ("place", "on_line"), "place"),
    _Tier("rule, file, function and statement", ("path", "qualname", "code", "statement")),
    # A scanner may not know where an expression is if it has several lines.
    _Tier(
        "rule, file, function and whole statement", ("path", "qualname", "statement"), "statement"
    ),
    _Tier("rule, file, function and expression", ("path", "qualname", "code"), "code"),
    _Tier("rule, file and statement", ("path", "code", "statement"), "code", leaves_home=True),
    # The text beside a secret may change, and a formatter may move it.
    _Tier("rule, file and value", ("path", "value"), "value"),
    # In another file, the names in the code must mean the same.
    _Tier(
        "rule, function, expression and what it uses in another file",
        ("function", "code", "inputs", "folder"),
        "movable",
        leaves_home=True,
    ),
    _Tier(
        "rule, function, expression and origin of what it uses in another file",
        ("function", "code", "origins", "folder"),
        "movable",
        leaves_home=True,
    ),
    _Tier(
        "function, name and value in a new file instead of one that is gone",
        ("function", "code"),
        "moved",
        leaves_home=True,
    ),
    _Tier("rule, file and function", ("path", "qualname"), "in_file", Change.UPDATED),
)

# The most removed files that can have the same without being taken for many copies.
_FEW: Final = 10
# The most removed files with like paths among which a renamed one is looked for.
_MANY: Final = 100

_Suffix = Callable[[str], object]
_NO_VALUE: Final = (None, None)
# Secrets are matched in two steps: first those of one value, then those with a value on one side
# only, which cannot be compared.
_BY_VALUE: Final[tuple[tuple[_Suffix, _Suffix], ...]] = ((str, str), (bool, operator.not_))
_CODE: Final = Category.CODE.value
_SECRET: Final = Category.SECRET.value


def match(
    current: Sequence[MatchEntry],
    base: Sequence[MatchEntry],
    *,
    lines: LineMap | None = None,
    renames: Mapping[str, str] | None = None,
    paths: Collection[str] = (),
    base_paths: Collection[str] = (),
    prefix: str = "",
) -> list[BaselineMatch]:
    """Return one match for each of `current`, in order.

    `renames` are the paths in the base of renamed files, by their paths now; None where they are
    not known. `paths` and `base_paths` are the files that exist now and in the base. `prefix` leads
    from the repository to the target, and only folders below it decide if a file runs. Among equals
    the first by line, then in the given order, matches the first. A secret whose value is known on
    both sides to differ is never unchanged.
    """
    sides = (current, base)
    keyed = all(any(entry.parts.code[HASH_DIGITS:] for entry in side) for side in sides)
    new, gone = {*paths} - {*base_paths}, {*base_paths} - {*paths}
    renames = _renames(current, base, renames, new, gone, paths)
    left = _items(current, lines, renames, prefix, keyed=keyed, moved=new)
    own = lines and (lambda path, line: (path, line))
    free = _items(base, own, {}, prefix, keyed=keyed, moved=gone)
    has_values = any(item.value for item in (*left.values(), *free.values()))
    matches = [BaselineMatch(None, Change.NEW, "")] * len(current)
    for tier in _TIERS:
        if not (left and free):
            break
        by_value = has_values and tier.change is Change.UNCHANGED
        for suffix, base_suffix in _BY_VALUE if by_value else (_NO_VALUE,):
            keys = _keys(left.values(), tier, suffix)
            if not any(keys):
                continue
            base_keys = _keys(free.values(), tier, base_suffix)
            pairs = list(_pairs(left, keys, free, base_keys, tier))
            for number, base_number in pairs:
                matches[number] = BaselineMatch(base_number, tier.change, tier.words)
                del left[number], free[base_number]
    return matches


def _renames(
    current: Iterable[MatchEntry],
    base: Iterable[MatchEntry],
    known: Mapping[str, str] | None,
    new: Set[str],
    gone: Set[str],
    paths: Iterable[str],
) -> Mapping[str, str]:
    """Return the renamed files: those that are `known`, and those with the same findings.

    If none can be known, files in a renamed folder count as well. `paths` are all that exist now.
    """
    renames = dict(known or {})
    added, removed = new - renames.keys(), gone - {*renames.values()}
    renames |= _same_contents(
        [entry for entry in current if entry.parts.path in added],
        [entry for entry in base if entry.parts.path in removed],
        least=1 if known is None else 2,
    )
    if known is None:
        others = added - renames.keys(), removed - {*renames.values()}
        renames |= _same_names(*others, paths)
    return renames


def _same_names(
    added: Iterable[str], removed: Iterable[str], paths: Iterable[str]
) -> dict[str, str]:
    """Return the removed file for each added one that seems to be renamed, or its folder moved.

    Its name got longer or shorter, or the old folder is gone; and no other file fits as well.
    """
    folders = {""}
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    olds: dict[Hashable, list[str]] = defaultdict(list)
    for path in sorted(removed):
        folder = posixpath.dirname(path)
        forms = (*_with_any_folder(path), path, *_ends(path)) if folder not in folders else ()
        for form in (*forms, (folder,), ("", _as_module(path))):
            olds[form].append(path)
    renamed: dict[str, dict[str, tuple[str, str]]] = {}
    for new in added:
        same_place = (posixpath.dirname(new),), ("", _as_module(new))
        forms = (*_with_any_folder(new), new, *_ends(new), *same_place)
        some = chain.from_iterable(olds[form] for form in forms if len(olds[form]) <= _MANY)
        renamed[new] = {old: _renamed_folder(old, new) for old in some}
    counts = Counter(chain.from_iterable(one.values() for one in renamed.values()))

    def fits(old: str, new: str) -> bool:
        gone, made = renamed[new][old]
        if gone == made or _as_module(old) == _as_module(new):
            return _is_inserted(_as_module(old), _as_module(new))
        # The folder was moved, its new name is similar, or it took several files along.
        return _is_inside(gone, made) or (
            posixpath.dirname(gone) == posixpath.dirname(made)
            and (counts[gone, made] > 1 or _is_like(gone, made))
        )

    best: dict[str, list[str]] = {}
    for new, olds_of in renamed.items():
        fitting = {old: (_likeness(old, new), -len(old)) for old in olds_of if fits(old, new)}
        most = max(fitting.values(), default=None)
        best[new] = [old for old, likeness in fitting.items() if likeness == most]
    taken = Counter(chain.from_iterable(best.values()))
    pairs = {new: some[0] for new, some in best.items() if len(some) == 1}
    return {new: old for new, old in pairs.items() if taken[old] == 1}


def _with_any_folder(path: str) -> Iterator[Hashable]:
    """Yield a path once for each of its folders, without the name of that."""
    parts = path.split("/")
    for index in range(len(parts) - 1):
        yield (*parts[:index], None, *parts[index + 1 :])


def _as_module(path: str) -> str:
    """Return the path of a package as if it were a module."""
    return path.removesuffix("/__init__.py") + ".py" if path.endswith("/__init__.py") else path


def _ends(path: str) -> Iterator[str]:
    """Yield a path without its first folder, without the first two, and so on."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _renamed_folder(old: str, new: str) -> tuple[str, str]:
    """Return both paths up to the folder that differs; if only the name does, their folders."""
    common = len(list(takewhile(_are_equal, zip(reversed(old), reversed(new), strict=False))))
    end = old.find("/", len(old) - common)
    if end < 0:
        return posixpath.dirname(old), posixpath.dirname(new)
    rest = len(old) - end
    return old[: len(old) - rest], new[: max(len(new) - rest, 0)]


def _is_inside(one: str, other: str) -> bool:
    """Return True if a folder was moved into another one, or out of it."""
    return one.endswith(other) or other.endswith(one)


def _is_inserted(one: str, other: str) -> bool:
    """Return True if one path is the other with characters inserted in one place."""
    return _likeness(one, other) >= min(len(one), len(other))


def _is_like(one: str, other: str) -> bool:
    """Return True for folders with similar names."""
    names = posixpath.basename(one), posixpath.basename(other)
    return 2 * _likeness(*names) >= min(map(len, names))


def _are_equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _likeness(one: str, other: str) -> int:
    """Return how many characters two texts have in common, at their starts and at their ends."""
    ways = (zip(one, other, strict=False), zip(reversed(one), reversed(other), strict=False))
    return sum(1 for way in ways for _ in takewhile(_are_equal, way))


def _same_contents(
    added: Iterable[MatchEntry], removed: Iterable[MatchEntry], *, least: int
) -> dict[str, str]:
    """Return the removed file for each added one that has at least half of what was in it.

    At least as many functions are the same. Of several files, it is the one with the most similar
    name. What many files have tells nothing.
    """
    olds: dict[Hashable, set[str]] = defaultdict(set)
    for entry in removed:
        if content := _content(entry):
            olds[content].add(entry.parts.path)
    sizes = Counter(chain.from_iterable(olds.values()))
    votes: dict[tuple[str, str], dict[Hashable, str]] = defaultdict(dict)
    for entry in added:
        content = _content(entry)
        known = olds.get(content, ())
        for old in known if len(known) <= _FEW else ():
            votes[old, entry.parts.path][content] = entry.parts.qualname
    pairs = [
        pair
        for pair, functions in sorted(votes.items())
        if 2 * len(functions) >= sizes[pair[0]] and len({*functions.values()}) >= least
    ]

    def order(pair: tuple[str, str]) -> tuple[int, int]:
        return len(votes[pair]), _likeness(*pair)

    renamed: dict[str, str] = {}
    taken: set[str] = set()
    for old, new in sorted(pairs, key=order, reverse=True):
        if new not in renamed and old not in taken:
            renamed[new] = old
            taken.add(old)
    return renamed


def _content(entry: MatchEntry) -> Hashable:
    """Return what identifies the finding wherever its file is; None if nothing does."""
    category, rule, _path, qualname, code = entry.parts
    if category == _SECRET:
        digest = entry.check or code[HASH_DIGITS:]
        return (qualname, code[:HASH_DIGITS], digest) if digest else None
    return (category, rule, qualname, code, entry.inputs) if entry.inputs else None


def find_elsewhere(current: Sequence[MatchEntry], others: Iterable[MatchEntry]) -> list[str | None]:
    """Return for each of `current` another file with the same value, or the same code.

    A finding that is new in its place was moved or copied from there.
    """

    def key(entry: MatchEntry) -> Hashable:
        category, rule, _path, qualname, code = entry.parts
        value = entry.check or code[HASH_DIGITS:]
        same = value or (code and (qualname, code))
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
    entries: Sequence[MatchEntry],
    lines: LineMap | None,
    renamed: Mapping[str, str],
    prefix: str,
    *,
    keyed: bool,
    moved: Collection[str],
) -> dict[int, _Item]:
    """Return the entries by their index, sorted by file and line, then in the given order.

    The value of a secret is its keyed digest where both sides have such, else its check. `moved`
    are the files that only this side has.
    """
    items = {}
    for number, entry in enumerate(entries):
        category, rule, path, qualname, whole = entry.parts
        code, digest = whole[:HASH_DIGITS], whole[HASH_DIGITS:]
        in_file, is_secret = category not in PACKAGE_CATEGORIES, category == _SECRET
        value = digest if keyed else entry.check
        items[number] = _Item(
            category=category,
            rule=rule,
            path=renamed.get(path, path),
            qualname=qualname,
            function=qualname if is_secret else qualname.rpartition(".")[2],
            line=entry.line,
            place=lines(path, entry.line) if lines and entry.line and in_file else None,
            code=code,
            statement=entry.statement,
            inputs=entry.inputs,
            origins=entry.origins,
            on_line=code if category == _CODE else "",
            value=value,
            movable=bool(qualname and value if is_secret else entry.inputs),
            moved=bool(is_secret and qualname and value and path in moved),
            folder=posixpath.dirname(path) if is_secret else "",
            in_file=in_file,
            runs=in_file and _runs(path.removeprefix(prefix)),
        )
    return dict(sorted(items.items(), key=lambda item: (item[1].path, item[1].line)))


def _keys(items: Iterable[_Item], tier: _Tier, suffix: _Suffix | None) -> list[Hashable | None]:
    """Return the key of each item, None where it matches nothing."""
    fields = operator.attrgetter("category", "rule", *tier.fields)
    needed = operator.attrgetter(tier.needs)
    if suffix is None:
        return [fields(item) if needed(item) else None for item in items]
    return [(fields(item), suffix(item.value)) if needed(item) else None for item in items]


def _pairs(
    left: dict[int, _Item],
    keys: Sequence[Hashable | None],
    free: dict[int, _Item],
    base_keys: Sequence[Hashable | None],
    tier: _Tier,
) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers, each number in one pair at most.

    Of equals in other files, the one with the most similar path comes first, unless there are many.
    """
    crosses_files = "path" not in tier.fields
    known = frozenset(keys) - {None}
    buckets: dict[tuple[Hashable, bool], list[int]] = defaultdict(list)
    for number, key in zip(reversed(free), reversed(base_keys), strict=True):
        if key in known:
            buckets[key, free[number].runs].append(number)
    if not buckets:
        return
    # Per function: the number of old findings that the current ones do not account for.
    spare: Counter[Hashable] = Counter()
    if tier.leaves_home:
        spare.update(map(_home, free.values()))
        spare.subtract(map(_home, left.values()))
    for number, key in zip(left, keys, strict=True):
        bucket = buckets.get((key, left[number].runs)) or buckets.get((key, True))
        while bucket:
            place = -1
            if crosses_files and 1 < len(bucket) <= _MANY:
                path = left[number].path
                likeness = [_likeness(free[other].path, path) for other in bucket]
                place = max(range(len(bucket)), key=lambda index: (likeness[index], index))
            base_number = bucket.pop(place)
            if tier.leaves_home:
                home = _home(free[base_number])
                spare[home] -= 1
                if spare[home] < 0:
                    continue
            yield number, base_number
            break


def _home(item: _Item) -> Hashable:
    """Return the function of a finding; packages have none."""
    return (item.category, item.rule, item.path, item.qualname) if item.in_file else None
