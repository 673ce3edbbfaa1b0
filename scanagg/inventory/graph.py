"""The dependency graph of a lock or an environment, and the way from a root to each package."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scanagg.inventory.manifest import Edge, Key, ManifestError, exact_version, requirement_name
from scanagg.model import Constraint, Package, Reason, Scope, pypi_purl

State = tuple[str, str, str]
"""A package, its version, and one of its extras; "" stands for the package by itself."""

# The longest ways in real locks have about a dozen packages. In a hostile lock, the way to each
# package could be as long as the lock.
_LONGEST: Final = 64


Node = Mapping[str, Sequence[Edge]]
"""The dependencies of a package by extra; "" stands for the package by itself."""

Nodes = Mapping[str, Mapping[str, Sequence[Node]]]
"""The packages of a lock, by names as in PEP 503 and by version; a version may have several."""


class Needs(msgspec.Struct, frozen=True):
    """The dependencies of a package: their names as written, and as edges of the graph.

    `asks` are constraints on other packages, if they can be read, each with the extras that it is
    for: none if it always applies.
    """

    names: Iterable[str] = ()
    node: Node = {}
    asks: Sequence[tuple[Constraint | None, frozenset[str]]] = ()


class _Step(msgspec.Struct, frozen=True):
    """The state that a walk came from, None at a root, and the scope of that root."""

    before: State | None
    scope: Scope


class Walk(msgspec.Struct, frozen=True):
    """Everything that roots lead to: runtime ways before those for development, then by length.

    Of ways of one length, the first in alphabetical order wins.
    """

    steps: Mapping[State, _Step]

    def scope(self, key: Key) -> Scope:
        """Return DEV if only DEV roots lead to the package, else RUNTIME, also without any root."""
        step = self.steps.get((*key, ""))
        return step.scope if step else Scope.RUNTIME

    def keys(self) -> frozenset[Key]:
        """Return the packages that the roots lead to."""
        return frozenset((name, version) for name, version, extra in self.steps if not extra)

    def ways(self) -> Mapping[Key, tuple[Key, ...]]:
        """Return the packages from a root to each package, both included.

        A package that is further away than any in real locks has no way.
        """
        chains: dict[State | None, tuple[Key, ...]] = {None: ()}
        for state, step in self.steps.items():  # a state comes after the one before it
            key = state[:2]
            before = chains[step.before]
            if key in before:  # back at an earlier package: continue from there
                chains[state] = before[: before.index(key) + 1]
            elif step.before is None or 0 < len(before) < _LONGEST:
                chains[state] = (*before, key)
            else:
                chains[state] = ()
        ways = {state[:2]: chains[state] for state in self.steps if not state[2]}
        return {key: chain for key, chain in ways.items() if chain}


def walk(nodes: Nodes, roots: Iterable[tuple[Edge, Scope]]) -> Walk:
    """Follow all dependencies from the roots, breadth first, each package and extra once."""
    edges = tuple(roots)
    steps: dict[State, _Step] = {}
    for scope in (Scope.RUNTIME, Scope.DEV):
        first = [edge for edge, root_scope in edges if root_scope is scope]
        level = _arrive(nodes, first, _Step(None, scope), steps)
        while level:
            following: list[list[State]] = []
            for states in level:
                name = states[0][0]
                edges_of = (edge for state in states for edge in _needs(nodes, state))
                needed = [edge for edge in edges_of if edge.name != name]
                following += _arrive(nodes, needed, _Step(states[0], scope), steps)
            level = following
    return Walk(steps)


def versions_of(nodes: Nodes, edge: Edge) -> Collection[str]:
    """Return the versions that an edge leads to: all, if none of several is allowed."""
    versions = nodes.get(edge.name, {"": ()})
    if len(versions) == 1 or not edge.specifier:
        return versions
    return [version for version in versions if lets_in(edge.specifier, version)] or versions


@lru_cache(4096)
def lets_in(specifier: str, version: str) -> bool:
    """Return True if a specifier allows a version, or if one of them is invalid."""
    if specifier.startswith("==="):
        return specifier.removeprefix("===") == version
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except ValueError:  # also for a number with thousands of digits
        return True


def _arrive(
    nodes: Nodes, edges: Iterable[Edge], step: _Step, steps: dict[State, _Step]
) -> list[list[State]]:
    """Record the states that these edges reach first; return them by package, sorted by name."""
    groups: list[list[State]] = []
    by_name = attrgetter("name")
    for name, same in groupby(sorted(edges, key=by_name), key=by_name):
        of_version: dict[str, list[State]] = {}
        waiting = [(edge, versions_of(nodes, edge)) for edge in same]
        while waiting:
            edge, versions = waiting.pop()
            for version in versions:
                for extra in ("", *map(canonicalize_name, edge.extras)):
                    state = (name, version, extra)
                    if state not in steps:
                        steps[state] = step
                        of_version.setdefault(version, []).append(state)
                        # An extra may consist of other extras of its package: that is not a step.
                        own = (own for own in _needs(nodes, state) if own.name == name)
                        waiting += [(edge, (version,)) for edge in own]
        groups += of_version.values()
    return groups


def _needs(nodes: Nodes, state: State) -> Iterable[Edge]:
    name, version, extra = state
    for node in nodes.get(name, {}).get(version, ()):
        yield from node.get(extra, ())


def nodes_of(needs: Iterable[tuple[Key, Needs]]) -> Nodes:
    """Return the nodes of the graph of these packages. Names are as in PEP 503."""
    nodes: dict[str, dict[str, list[Node]]] = {}
    for (name, version), needed in needs:
        nodes.setdefault(name, {}).setdefault(version, []).append(needed.node)
    return nodes


def pinned_package(
    name: str, version: str | None, scope: Scope, direct: bool | None, requires: Iterable[str]
) -> Package:
    """Return a package without places, in normal form. ManifestError if name or version is bad."""
    name = requirement_name(name)
    if version is None:
        raise ManifestError(Reason("missing-version", {"package": name}))
    version = exact_version(version)
    purl = pypi_purl(name, version)
    return Package(name, version, purl, scope, direct, requires=tuple(sorted(requires)))


def used_constraints(needs: Sequence[tuple[Key, Needs]], graph: Walk) -> Iterator[Constraint]:
    """Yield the constraints of packages on each other; those of an extra if it is used."""
    names = {name for (name, _), _ in needs}
    for (name, version), needed in needs:
        for constraint, extras in needed.asks:
            used = not extras or any((name, version, extra) in graph.steps for extra in extras)
            if constraint and used and constraint.name in names and constraint.name != name:
                yield constraint
