"""Readings of many manifests made one inventory: each package once, each open requirement once."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_version

from scanagg.inventory import _constraints
from scanagg.inventory._common import UNPINNED, Declaration, Reading
from scanagg.inventory._scope import widest
from scanagg.model import (
    Constraint,
    NotExamined,
    Package,
    Requirement,
    Scope,
    pypi_purl,
    sorted_locations,
)


class Merged(msgspec.Struct, frozen=True):
    """The packages, what is not pinned, and what could not be used; sorted, nothing twice."""

    packages: tuple[Package, ...]
    unpinned: tuple[Requirement, ...]
    problems: tuple[NotExamined, ...]
    constraints: tuple[Constraint, ...]


class _Lock(msgspec.Struct, frozen=True):
    """What one reading holds for the manifests that it covers; `others` are not from an index."""

    path: str
    packages: Mapping[str, Sequence[Package]]
    others: frozenset[str]


# The lines that ask for a package, by the path of the lock that answers and its name.
_Asking = Mapping[tuple[str, str], Sequence[Declaration]]


def merge(readings: Sequence[Reading]) -> Merged:
    """All readings as one. An open requirement that a covering lock pins is its package's place."""
    packages: list[tuple[Reading, Sequence[Package]]] = []
    problems = [entry for reading in readings for entry in reading.problems]
    covering: dict[str, list[tuple[_Lock, str]]] = {}
    for reading in readings:
        pinned = _pinned(reading)
        packages.append((reading, (*reading.packages, *pinned)))
        lock = _lock(reading, (*reading.packages, *pinned))
        for path, command in reading.covers.items():
            covering.setdefault(path, []).append((lock, command))
    asking = _asking(readings)
    found = [_with_way(one, reading, asking) for reading, all_ in packages for one in all_]
    unpinned = [entry for reading in readings for entry in reading.unpinned]
    for one in _open(readings):
        locks = [*covering.get(one.place.path, ()), *covering.get(one.source, ())]
        places, requirement = _covered(one, locks)
        found += places
        unpinned += [requirement] if requirement else []
    return Merged(
        packages=_united(found),
        unpinned=_each_once(unpinned),
        problems=tuple(dict.fromkeys(problems)),
        constraints=_constraints.each_once(_allowed(readings)),
    )


def _allowed(readings: Iterable[Reading]) -> Iterator[Constraint]:
    for reading in readings:
        yield from reading.constraints
        yield from filter(None, map(_constraints.of_declaration, reading.declared))


def _asking(readings: Sequence[Reading]) -> _Asking:
    answering: dict[str, list[str]] = {}
    for reading in readings:
        for path in {*reading.covers, *reading.answers}:
            answering.setdefault(path, []).append(reading.path)
    found: dict[tuple[str, str], list[Declaration]] = {}
    for one in (one for reading in readings for one in reading.declared if one.asks):
        for path in {one.place.path, one.source}:
            for lock in answering.get(path, ()):
                found.setdefault((lock, one.name), []).append(one)
    return found


def _with_way(one: Package, reading: Reading, asking: _Asking) -> Package:
    """The package with the way that leads to it in this reading, and who asks for its first.

    A line that asks for another version of the package itself does not count.
    """
    chain = (one.name,) if one.direct else reading.ways.get(one.name, ())
    if not chain:
        return one
    lines = asking.get((reading.path, chain[0]), ())
    if len(chain) == 1:
        same = canonicalize_version(one.version)
        lines = [line for line in lines if not line.pin or canonicalize_version(line.pin) == same]
    return replace(one, chain=chain, asked=(*one.asked, *(line.place for line in lines)))


def _open(readings: Iterable[Reading]) -> Iterator[Declaration]:
    """What is declared without an exact version of an index, the project's own code left out."""
    for reading in readings:
        for one in reading.declared:
            if not one.own and (one.origin or not one.pin):
                yield one


def _pinned(reading: Reading) -> list[Package]:
    """The packages that exact declarations give, with what comments say of who needs them."""
    requires: dict[str, set[str]] = {}
    for one in reading.declared:
        for parent in one.needed_by:
            requires.setdefault(parent, set()).add(one.name)
    return [
        Package(
            name=one.name,
            version=one.pin,
            purl=pypi_purl(one.name, one.pin),
            scope=one.scope,
            direct=one.direct,
            places=(one.place,),
            requires=tuple(sorted(requires.get(one.name, ()))),
            asked=(one.place,) if one.direct and one.asks else (),
        )
        for one in reading.declared
        if one.pin and not one.own and not one.origin
    ]


def _lock(reading: Reading, packages: Iterable[Package]) -> _Lock:
    by_name: dict[str, list[Package]] = {}
    for one in packages:
        by_name.setdefault(one.name, []).append(one)
    others = {*reading.own, *(entry.name for entry in reading.unpinned)}
    others |= {one.name for one in reading.declared if one.own or one.origin}
    return _Lock(reading.path, by_name, frozenset(others))


def _covered(
    one: Declaration, locks: Sequence[tuple[_Lock, str]]
) -> tuple[list[Package], Requirement | None]:
    """The locked packages with this place added, or the requirement that stays open."""
    locked = [found for lock, _ in locks for found in lock.packages.get(one.name, ())]
    if locked and not one.origin:
        return [
            replace(
                found,
                scope=one.scope,
                direct=True,
                places=(one.place,),
                requires=(),
                chain=(one.name,),
                asked=(one.place,),
            )
            for found in locked
        ], None
    if any(one.name in lock.others for lock, _ in locks):
        return [], None
    again = [(lock, command) for lock, command in locks if command]
    if one.conditional and not one.origin and any(_is_universal(lock) for lock, _ in again):
        return [], None
    reason = one.origin or UNPINNED
    if again and not one.origin:
        lock, command = again[0]
        reason = (
            f'not in {posixpath.basename(lock.path)}; lock again (for example with "{command}")'
        )
    return [], Requirement(one.name, one.text, one.place, reason, one.scope)


def _is_universal(lock: _Lock) -> bool:
    """Whether it is made for all platforms at once, so that what it lacks is needed on none."""
    return not lock.path.endswith(".txt")


def _united(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Each version of each package once, with all that was said of it.

    Two spellings of one version by PEP 440 (1.0 and 1.0.0) are one, in the shorter. What is no
    such version is equal to itself only.
    """
    groups: dict[tuple[str, str], list[Package]] = {}
    for one in packages:
        groups.setdefault((one.name, canonicalize_version(one.version)), []).append(one)
    found = (_one_of(same) for same in groups.values())
    return tuple(sorted(found, key=lambda one: (one.name, one.version)))


def _one_of(same: Sequence[Package]) -> Package:
    chain = min((one for one in same if one.chain), key=_way_key, default=same[0]).chain
    said = {len(chain) == 1 or None, *(one.direct for one in same)}
    return replace(
        min(same, key=lambda one: len(one.version)),
        scope=widest(one.scope for one in same),
        direct=True if True in said else False if False in said else None,
        places=sorted_locations(place for one in same for place in one.places),
        requires=tuple(sorted({name for one in same for name in one.requires})),
        chain=chain,
        asked=sorted_locations(place for one in same if one.chain == chain for place in one.asked),
    )


def _way_key(one: Package) -> tuple[bool, bool, int, tuple[str, ...]]:
    """A direct package needs no way; then runtime ways, short ones, the first by the alphabet."""
    return len(one.chain) > 1, one.scope is Scope.DEV, len(one.chain), one.chain


def _each_once(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    groups: dict[tuple[str, int, str, str, str], list[Requirement]] = {}
    for one in requirements:
        key = (one.place.path, one.place.start_line or 0, one.name, one.text, one.reason)
        groups.setdefault(key, []).append(one)
    return tuple(
        replace(same[0], scope=widest(one.scope for one in same))
        for same in (groups[key] for key in sorted(groups))
    )
