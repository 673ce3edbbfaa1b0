"""The dependency graph of a lock or an environment, and the way from a root to each package."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.inventory.manifest import Edge, ManifestError, exact_version, requirement_name
from scanagg.model import Constraint, Package, Reason, Scope, pypi_purl

State = tuple[str, str]
"""A package and one of its extras; "" stands for the package by itself."""

# The longest ways in real locks have about a dozen packages. In a hostile lock, the way to each
# package could be as long as the lock.
_LONGEST: Final = 64


Node = Mapping[str, Sequence[Edge]]
"""The dependencies of a package by extra; "" stands for the package by itself."""

Nodes = Mapping[str, Sequence[Node]]
"""The packages of a lock, by names as in PEP 503. Each version of a package is a node."""


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

    def scope(self, name: str) -> Scope:
        """Return DEV if only DEV roots lead to the package, else RUNTIME, also without any root."""
        step = self.steps.get((name, ""))
        return step.scope if step else Scope.RUNTIME

    def names(self) -> frozenset[str]:
        """Return the packages that the roots lead to."""
        return frozenset(name for name, extra in self.steps if not extra)

    def ways(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names from a root to each package, both included.

        A package that is further away than any in real locks has no way.
        """
        chains: dict[State | None, tuple[str, ...]] = {None: ()}
        for state, step in self.steps.items():  # a state comes after the one before it
            name = state[0]
            before = chains[step.before]
            if name in before:  # back at an earlier package: continue from there
                chains[state] = before[: before.index(name) + 1]
            elif step.before is None or 0 < len(before) < _LONGEST:
                chains[state] = (*before, name)
            else:
                chains[state] = ()
        states = ((name, chains[name, extra]) for name, extra in self.steps if not extra)
        return {name: chain for name, chain in states if chain}


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
                needed = [edge for state in states for edge in _needs(nodes, state)]
                following += _arrive(nodes, needed, _Step(states[0], scope), steps)
            level = following
    return Walk(steps)


def _arrive(
    nodes: Nodes, edges: Iterable[Edge], step: _Step, steps: dict[State, _Step]
) -> list[list[State]]:
    """Record the states that these edges reach first; return them by package, sorted by name."""
    groups: list[list[State]] = []
    by_name = attrgetter("name")
    for _, same in groupby(sorted(edges, key=by_name), key=by_name):
        states: list[State] = []
        waiting = list(same)
        while waiting:
            edge = waiting.pop()
            for extra in ("", *map(canonicalize_name, edge.extras)):
                state = (edge.name, extra)
                if state not in steps:
                    steps[state] = step
                    states.append(state)
                    # An extra may consist of other extras of its package: that is not a step.
                    waiting += [own for own in _needs(nodes, state) if own.name == edge.name]
        if states:
            groups.append(states)
    return groups


def _needs(nodes: Nodes, state: State) -> Iterable[Edge]:
    name, extra = state
    for node in nodes.get(name, ()):
        yield from node.get(extra, ())


def nodes_of(needs: Iterable[tuple[str, Needs]]) -> Mapping[str, Sequence[Node]]:
    """Return the nodes of the graph of these packages. Names are as in PEP 503."""
    nodes: dict[str, list[Node]] = {}
    for name, needed in needs:
        nodes.setdefault(name, []).append(needed.node)
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


def used_constraints(needs: Sequence[tuple[str, Needs]], graph: Walk) -> Iterator[Constraint]:
    """Yield the constraints of packages on each other; those of an extra if it is used."""
    names = {name for name, _ in needs}
    for name, needed in needs:
        for constraint, extras in needed.asks:
            used = not extras or any((name, extra) in graph.steps for extra in extras)
            if constraint and used and constraint.name in names and constraint.name != name:
                yield constraint
