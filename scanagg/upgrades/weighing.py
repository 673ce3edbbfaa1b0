"""One package with its vulnerabilities: which of the fixed versions leave how many of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec
from packaging.version import Version

from scanagg.advisories import Store
from scanagg.advisories.records import Record, canonical_id
from scanagg.advisories.versions import fixed_versions
from scanagg.model.advisories import id_order, is_malware
from scanagg.model.project import version_of

_Names = frozenset[str]


class Told(msgspec.Struct, frozen=True):
    """A vulnerability that scanners found: the id that is shown, all its names, fixed versions."""

    id: str
    names: _Names
    fixed: tuple[str, ...] = ()
    blocks: bool = False
    malicious: bool = False


class Weighed(msgspec.Struct, frozen=True):
    """The version to go to, the lowest without what blocks, and what goes and stays with `best`.

    Both are None where there is none; `stays` is then what there is now.
    """

    best: str | None = None
    unblocking: str | None = None
    cleared: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


class _Case(msgspec.Struct, frozen=True):
    """What is known of one package: `told` and `records` under common roots of their names."""

    name: str
    installed: Version
    told: tuple[Told, ...]
    records: tuple[Record, ...]
    root: Callable[[str], str]
    store: Store | None

    def affecting(self, version: str) -> frozenset[str]:
        """The roots of what the store knows of a version."""
        found = self.store.affecting(self.name, version) if self.store else ()
        return frozenset(self.root(one.id) for one in found)


def weigh(name: str, version: str, told: Iterable[Told], store: Store | None) -> Weighed:
    """The versions of a package to go to from `version`; `name` is as in PEP 503.

    What scanners say of fixed versions decides for what the store does not know, or does not
    hold for a vulnerability of this version. A version that is none by PEP 440 has no better one,
    and neither has a package that is an attack itself: none of its versions is to be trusted.
    """
    told = tuple(told)
    records = tuple(one for one in (store.records(name) if store else ()) if not one.withdrawn)
    root = _united((*(_canonical(one.names) for one in told), *map(_names, records)))
    installed = version_of(version)
    if installed is None or any(one.malicious for one in told):
        return Weighed(stays=_each_once(one.id for one in told))
    case = _Case(name, installed, told, records, root, store)
    now = case.affecting(version) | {root(one.id) for one in told}
    blocking = frozenset(root(one.id) for one in told if one.blocks)
    best, unblocking = _chosen(_choices(case, version), now, blocking)
    left = now if best is None else best[1]
    return Weighed(
        best=str(best[0]) if best else None,
        unblocking=str(unblocking) if unblocking else None,
        cleared=_each_once(one.id for one in told if root(one.id) not in left),
        stays=_shown(left, case),
    )


_Choice = tuple[Version, frozenset[str]]
"""A version, and the roots of the vulnerabilities that are there with it."""


def _chosen(
    choices: Iterable[_Choice], now: frozenset[str], blocking: frozenset[str]
) -> tuple[_Choice | None, Version | None]:
    """The first with the fewest vulnerabilities, if fewer than now; the first that unblocks.

    One that brings vulnerabilities of its own, which may block too, only where there is no other.
    """
    best: _Choice | None = None
    clean: Version | None = None
    unclean: Version | None = None
    for version, left in choices:
        if blocking and not left & blocking:
            unclean = unclean or version
            clean = clean or (version if left <= now else None)
        if len(left) < len(now if best is None else best[1]):
            best = version, left
        if not left:
            break
    return best, clean or unclean


def _choices(case: _Case, version: str) -> Iterator[_Choice]:
    """The versions to choose from, lowest first; none that is an attack."""
    known = case.affecting(version)
    unknown = [
        (case.root(one.id), _versions(one.fixed, case.installed))
        for one in case.told
        if case.root(one.id) not in known
    ]
    attacks = {case.root(one.id) for one in case.records if any(map(is_malware, _names(one)))}
    for candidate in _candidates(case):
        there = case.affecting(str(candidate))
        if not there & attacks:
            open_ = {root for root, fixed in unknown if not _is_fixed(candidate, fixed)}
            yield candidate, there | open_


def _candidates(case: _Case) -> Sequence[Version]:
    """The versions above the installed one that anybody calls fixed, lowest first.

    None with a local part (1.0+fixed), which no public index has, unless one is installed.
    """
    said = [one.fixed for one in case.told]
    said += [fixed_versions(one, case.name) for one in case.records]
    above = set(_versions(chain.from_iterable(said), case.installed))
    if case.installed.local is None:
        above = {version for version in above if version.local is None}
    finals = {version for version in above if not version.is_prerelease}
    return sorted(above if case.installed.is_prerelease else finals or above)


def _is_fixed(version: Version, fixed: Sequence[Version]) -> bool:
    """Whether a version is free of something, by the versions that each fixed a branch of releases.

    From the highest of them on it is; below that, only on the branch of the last one before it:
    4.0.1 is not fixed by 3.2.13 where 4.0.4 is named too.
    """
    before = [one for one in fixed if one <= version]
    if not before:
        return False
    last = max(before)
    branch = last.release[:-1]
    same_branch = version.epoch == last.epoch and version.release[: len(branch)] == branch
    return last == max(fixed) or same_branch


def _shown(roots: frozenset[str], case: _Case) -> tuple[str, ...]:
    """The ids of vulnerabilities: found ones as they are shown, others by their usual name."""
    found = [one.id for one in case.told if case.root(one.id) in roots]
    names: dict[str, set[str]] = {root: set() for root in roots}
    for record in case.records:
        if case.root(record.id) in names:
            names[case.root(record.id)] |= _names(record)
    others = roots - {case.root(one.id) for one in case.told}
    return _each_once((*found, *sorted(min(names[root], key=id_order) for root in others)))


def _united(groups: Iterable[_Names]) -> Callable[[str], str]:
    """A function from a name to one name for all that the groups connect it with."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        name = canonical_id(name)
        while (above := parent.get(name, name)) != name:
            parent[name] = name = parent.get(above, above)
        return name

    for group in groups:
        first, *others = sorted(group)
        for other in others:
            parent[root(other)] = root(first)
    return root


def _names(record: Record) -> _Names:
    return _canonical((record.id, *record.aliases))


def _canonical(names: Iterable[str]) -> _Names:
    return frozenset(map(canonical_id, names))


def _versions(texts: Iterable[str], above: Version) -> tuple[Version, ...]:
    """Those texts that are versions, and higher than one."""
    found = (version_of(text) for text in texts)
    return tuple(one for one in found if one is not None and one > above)


def _each_once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
