"""The walk over a lock's graph: runtime first, then the shortest way, then the alphabet."""

import random

import pytest

from scanagg.inventory.graph import Nodes, Walk, walk
from scanagg.inventory.manifest import Edge
from scanagg.model import Scope


def graph(**needs: str) -> Nodes:
    """Packages by their dependencies: `a="b c[x]"`; `a_x` has those of the extra x of a."""
    nodes: dict[str, dict[str, list[Edge]]] = {}
    for key, dependencies in needs.items():
        name, _, extra = key.partition("_")
        nodes.setdefault(name, {})[extra] = list(map(edge, dependencies.split()))
    return {name: {"": (node,)} for name, node in nodes.items()}


def edge(text: str) -> Edge:
    name, _, extras = text.partition("[")
    return Edge(name, tuple(filter(None, extras.rstrip("]").split(","))))


def ways(nodes: Nodes, runtime: str, dev: str = "") -> dict[str, str]:
    roots = [(edge(text), Scope.RUNTIME) for text in runtime.split()]
    roots += [(edge(text), Scope.DEV) for text in dev.split()]
    return short(walk(nodes, roots))


def short(found: Walk) -> dict[str, str]:
    """The names on the way to each package; a package is `name` or `name@version`."""
    return {
        "@".join(filter(None, key)): " ".join(name for name, _ in way)
        for key, way in found.ways().items()
    }


def test_the_shortest_way_wins_then_the_alphabet():
    nodes = graph(a="long", long="longer", longer="x", c="x", b="x")
    assert ways(nodes, "c b a")["x"] == "b x"
    assert ways(nodes, "c a")["x"] == "c x"
    assert ways(nodes, "a")["x"] == "a long longer x"


def test_the_alphabet_decides_over_the_whole_way_not_over_its_end():
    nodes = graph(a="z", b="c", z="x", c="x")
    assert ways(nodes, "b a")["x"] == "a z x"


def test_extras_of_one_package_have_one_way():
    nodes = graph(http="z", http_socks="a", a="x", z="x")
    assert ways(nodes, "http[socks]")["x"] == "http a x"
    assert ways(nodes, "http")["x"] == "http z x"


def test_a_runtime_way_wins_over_a_shorter_one_for_development():
    nodes = graph(app="lib", lib="x", tool="x", x="")
    assert ways(nodes, "app", "tool")["x"] == "app lib x"
    assert ways(nodes, "", "tool app")["x"] == "tool x"


def test_a_root_is_its_own_way_and_what_no_root_leads_to_has_none():
    assert ways(graph(a="b", c="d"), "a") == {"a": "a", "b": "a b"}


def test_cycles_end():
    nodes = graph(a="b", b="c", c="a b c x", x="a")
    assert ways(nodes, "a") == {"a": "a", "b": "a b", "c": "a b c", "x": "a b c x"}


def test_an_extra_made_of_others_of_its_own_package_is_no_step():
    nodes = graph(celery="kombu", celery_all="celery[redis]", celery_redis="redis")
    assert ways(nodes, "celery[all]")["redis"] == "celery redis"


def test_a_way_that_comes_back_to_a_package_goes_on_from_there():
    nodes = graph(a="b", b="a[x]", a_x="deep")
    assert ways(nodes, "a")["deep"] == "a deep"


VERSIONS = {"a": {"1": ({"": (Edge("b"),)},), "2": ({"": (Edge("c"),)},)}}


@pytest.mark.parametrize(
    ("specifier", "reached"),
    [
        ("", {"a@1": "a", "a@2": "a", "b": "a b", "c": "a c"}),
        ("===1", {"a@1": "a", "b": "a b"}),
        (">1", {"a@2": "a", "c": "a c"}),
        (">2", {"a@1": "a", "a@2": "a", "b": "a b", "c": "a c"}),
        ("wrong", {"a@1": "a", "a@2": "a", "b": "a b", "c": "a c"}),
    ],
)
def test_an_edge_leads_to_the_versions_that_it_allows(specifier, reached):
    assert short(walk(VERSIONS, [(Edge("a", (), specifier), Scope.RUNTIME)])) == reached


def test_an_extra_of_one_version_is_not_that_of_another():
    nodes = {
        "a": {
            "1": ({"x": (Edge("a", ("y",)),), "y": (Edge("b"),)},),
            "2": ({"y": (Edge("c"),)},),
        },
    }
    steps = walk(nodes, [(Edge("a", ("x",), "===1"), Scope.DEV), (Edge("a"), Scope.RUNTIME)])
    assert steps.keys() == {("a", "1"), ("a", "2"), ("b", "")}
    assert steps.scope(("b", "")) is Scope.DEV
    assert steps.scope(("a", "1")) is Scope.RUNTIME


def test_extremely_long_ways_are_left_out():
    line = {f"p{n}": {"": ({"": (Edge(f"p{n + 1}"),)},)} for n in range(50_000)}
    steps = walk(line, [(Edge("p0"), Scope.DEV)])
    assert steps.scope(("p49999", "")) is Scope.DEV
    assert max(len(way) for way in steps.ways().values()) == 64
    assert ("p64", "") not in steps.ways()


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_trying_all_ways(seed):
    chance = random.Random(seed)
    names = "abcdefgh"
    needs = {name: chance.sample(names, chance.randrange(4)) for name in names}
    roots = chance.sample(names, 2)
    best: dict[str, tuple[int, tuple[str, ...]]] = {}
    waiting = [(root,) for root in roots]
    while waiting:
        way = waiting.pop()
        best[way[-1]] = min(best.get(way[-1], (99, ())), (len(way), way))
        waiting += [(*way, name) for name in needs[way[-1]] if name not in way]
    nodes = {name: {"": ({"": [*map(Edge, needs[name])]},)} for name in names}
    assert ways(nodes, " ".join(roots)) == {name: " ".join(way) for name, (_, way) in best.items()}
