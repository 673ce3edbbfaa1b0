"""Which names mean the same vulnerability: aliases, taken symmetric and transitive.

Source: https://ossf.github.io/osv-schema/#aliases-field.
"""

from collections.abc import Iterable, Sequence


def clusters(named: Iterable[Sequence[str]]) -> list[list[str]]:
    """The names, each once, together with all that any line of names links them to.

    Names within a cluster, and clusters, are sorted. Union-find with path halving; linear in the
    number of names for any order, length of chains and cycles.
    """
    parents: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for names in named:
        roots = {_root(name, parents) for name in names}
        if len(roots) < 2:
            continue
        top = max(roots, key=lambda root: sizes.get(root, 1))
        sizes[top] = sum(sizes.get(root, 1) for root in roots)
        parents.update(dict.fromkeys(roots, top))
    members: dict[str, list[str]] = {}
    for name in sorted(parents):
        members.setdefault(_root(name, parents), []).append(name)
    return sorted(members.values())


def _root(name: str, parents: dict[str, str]) -> str:
    parents.setdefault(name, name)
    while (above := parents[name]) != name:
        parents[name] = name = parents[above]
    return name
