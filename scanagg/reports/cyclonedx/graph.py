"""Which component needs which, as far as that is certain."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.dependency import Dependency

from scanagg.model import Package
from scanagg.reports.cyclonedx.packages import Packages


class Links(msgspec.Struct, frozen=True):
    """By package: the components it needs, and the names of needed ones that are not exactly one.

    Of several versions of a name nobody says which one is meant; of none, why it is not there.
    """

    certain: Mapping[str, tuple[str, ...]]
    open: Mapping[str, tuple[str, ...]]


def links(packages: Packages) -> Links:
    """What the inventory says of who needs whom."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for ref in packages.by_ref:
        if ref in packages.own:
            by_name[packages.by_ref[ref].name].append(ref)
    certain, unclear = {}, {}
    for ref, package in packages.by_ref.items():
        found = {name: by_name.get(name, []) for name in sorted(set(package.requires))}
        certain[ref] = tuple(refs[0] for refs in found.values() if len(refs) == 1)
        unclear[ref] = tuple(name for name, refs in found.items() if len(refs) != 1)
    return Links(certain, unclear)


def dependencies(packages: Packages, known: Links, root: str) -> Iterator[Dependency]:
    """What the target needs directly, and what each package needs.

    A package that nothing is known of has no entry, for an empty one would say it needs nothing.
    """
    yield _dependency(root, (ref for ref in packages.own if _is_direct(packages.by_ref[ref])))
    for ref, needed in known.certain.items():
        if needed:
            yield _dependency(ref, needed)


def _is_direct(package: Package) -> bool:
    """Whether the project itself asks for it, also where only its own line says so."""
    return package.direct or (package.direct is None and package.chain == (package.name,))


def _dependency(ref: str, needed: Iterable[str]) -> Dependency:
    return Dependency(BomRef(ref), [Dependency(BomRef(each)) for each in sorted(needed)])
