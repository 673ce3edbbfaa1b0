"""Who needs whom in a lock: what roots lead to, for development only or not, and by which way."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.model import Scope

# A package, and one of its extras; "" stands for the package by itself.
State = tuple[str, str]

# The longest ways in real locks have about a dozen packages. In a hostile lock they could be as
# long as the lock, for each of its packages.
_LONGEST: Final = 64


class Edge(msgspec.Struct, frozen=True):
    """One package needs another, with these extras of it."""

    name: str
    extras: tuple[str, ...] = ()


class Node(msgspec.Struct, frozen=True):
    """What a package needs by itself, and by each of its extras. All names are as in PEP 503."""

    requires: tuple[Edge, ...] = ()
    extras: Mapping[str, tuple[Edge, ...]] = msgspec.field(default_factory=dict)


class _Step(msgspec.Struct, frozen=True):
    """How a walk first came to a state: from which other one, and from roots of which scope."""

    before: State | None
    scope: Scope


class Walk(msgspec.Struct, frozen=True):
    """What roots lead to: runtime ways before those for development, then the shortest first.

    Of ways of one length it is the first by the alphabet.
    """

    steps: Mapping[State, _Step]

    def scope(self, name: str) -> Scope:
        """DEV where only DEV roots lead to the package; RUNTIME also where none does."""
        step = self.steps.get((name, ""))
        return step.scope if step else Scope.RUNTIME

    def ways(self) -> Mapping[str, tuple[str, ...]]:
        """The names from a root to each package that is reached, both included.

        What is further away than anything in real locks has no way.
        """
        chains: dict[State, tuple[str, ...]] = {}
        for state, step in self.steps.items():  # a state comes after the one before it
            before = chains[step.before] if step.before else None
            chains[state] = _extended(before, state[0])
        return {name: chain for (name, extra), chain in chains.items() if chain and not extra}


class Graph(msgspec.Struct, frozen=True):
    """The packages of a lock. Several versions of one package are one node each."""

    nodes: Mapping[str, tuple[Node, ...]]

    def walk(self, roots: Iterable[tuple[Edge, Scope]]) -> Walk:
        """Follow all that is needed from the roots; each package and extra is looked at once."""
        edges = tuple(roots)
        steps: dict[State, _Step] = {}
        for scope in (Scope.RUNTIME, Scope.DEV):
            wanted = [edge for edge, of in edges if of is scope]
            level = self._arrived(wanted, _Step(None, scope), steps)
            while level:
                level = [
                    group
                    for states in level
                    for group in self._arrived(
                        [edge for state in states for edge in self._needs(state)],
                        _Step(states[0], scope),
                        steps,
                    )
                ]
        return Walk(steps)

    def _arrived(
        self, edges: Iterable[Edge], step: _Step, steps: dict[State, _Step]
    ) -> list[list[State]]:
        """The states that are new by these edges, those with one way together, by the alphabet."""
        groups: list[list[State]] = []
        for _, same in groupby(sorted(edges, key=_name), key=_name):
            states: list[State] = []
            waiting = list(same)
            while waiting:
                edge = waiting.pop()
                for extra in ("", *map(canonicalize_name, edge.extras)):
                    state = (edge.name, extra)
                    if state not in steps:
                        steps[state] = step
                        states.append(state)
                        # An extra may be made of others of its own package: no step further.
                        waiting += [own for own in self._needs(state) if own.name == edge.name]
            if states:
                groups.append(states)
        return groups

    def _needs(self, state: State) -> Iterable[Edge]:
        name, extra = state
        for node in self.nodes.get(name, ()):
            yield from node.extras.get(extra, ()) if extra else node.requires


def _name(edge: Edge) -> str:
    return edge.name


def _extended(before: tuple[str, ...] | None, name: str) -> tuple[str, ...]:
    """The way with one more name; a way that comes back to a name goes on from there."""
    if before is None:
        return (name,)
    if name in before:
        return before[: before.index(name) + 1]
    return (*before, name) if 0 < len(before) < _LONGEST else ()
