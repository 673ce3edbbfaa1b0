"""Many manifests as one inventory: each package once, each open requirement once."""

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_version

from scanagg.inventory.declarations import declared_constraint
from scanagg.inventory.manifest import Declaration, Manifest
from scanagg.inventory.scopes import widest
from scanagg.model import (
    Constraint,
    Inventory,
    Package,
    Reason,
    Requirement,
    Scope,
    location_key,
    plain,
    pypi_purl,
    sorted_locations,
)


class _Lock(msgspec.Struct, frozen=True):
    """The packages of a manifest that covers others; the names in `others` are from no index."""

    path: str
    packages: Mapping[str, Sequence[Package]]
    others: Collection[str]


def merge(manifests: Sequence[Manifest]) -> Inventory:
    """Return the packages, what is not pinned, and the problems; sorted, and each once.

    If a covering lock pins an open requirement, that is one more place of the package.
    """
    asking = _asking(manifests)
    covering: dict[str, list[tuple[_Lock, str]]] = {}
    packages: list[Package] = []
    for manifest in manifests:
        all_packages = (*manifest.packages, *_pinned(manifest))
        packages += [_with_way(package, manifest, asking) for package in all_packages]
        by_name: dict[str, list[Package]] = {}
        for package in all_packages:
            by_name.setdefault(package.name, []).append(package)
        others = {*manifest.own, *(requirement.name for requirement in manifest.unpinned)}
        others |= {one.name for one in manifest.declared if one.own or one.origin}
        lock = _Lock(manifest.path, by_name, others)
        for path, command in manifest.covers.items():
            covering.setdefault(path, []).append((lock, command))
    unpinned = [requirement for manifest in manifests for requirement in manifest.unpinned]
    for declaration in (one for manifest in manifests for one in manifest.declared):
        if not declaration.own and (declaration.origin or not declaration.pin):
            paths = (declaration.place.path, declaration.source)
            locks = [lock for path in paths for lock in covering.get(path, ())]
            locked, requirement = _covered(declaration, locks)
            packages += locked
            unpinned += [requirement] if requirement else []
    constraints: list[Constraint] = []
    for manifest in manifests:
        constraints += manifest.constraints
        constraints += filter(None, map(declared_constraint, manifest.declared))
    return Inventory(
        packages=_united(packages),
        unpinned=_united_requirements(unpinned),
        problems=tuple(dict.fromkeys(one for manifest in manifests for one in manifest.problems)),
        constraints=_united_constraints(constraints),
    )


def _asking(manifests: Iterable[Manifest]) -> Mapping[tuple[str, str], Sequence[Declaration]]:
    """Return the lines that ask for packages, by the path of the answering lock and by name."""
    answering: dict[str, list[str]] = {}
    for manifest in manifests:
        for path in {*manifest.covers, *manifest.answers}:
            answering.setdefault(path, []).append(manifest.path)
    asking: dict[tuple[str, str], list[Declaration]] = {}
    for declaration in (one for manifest in manifests for one in manifest.declared if one.asks):
        for path in {declaration.place.path, declaration.source}:
            for lock in answering.get(path, ()):
                asking.setdefault((lock, declaration.name), []).append(declaration)
    return asking


def _with_way(
    package: Package,
    manifest: Manifest,
    asking: Mapping[tuple[str, str], Sequence[Declaration]],
) -> Package:
    """Return the package with the way that leads to it in this manifest, and who asks for it.

    A line that asks for another version of the package itself does not count.
    """
    chain = (package.name,) if package.direct else manifest.ways.get(package.name, ())
    if not chain:
        return package
    lines = asking.get((manifest.path, chain[0]), ())
    if len(chain) == 1:
        same = canonicalize_version(package.version)
        lines = [line for line in lines if not line.pin or canonicalize_version(line.pin) == same]
    return replace(package, chain=chain, asked=(*package.asked, *(line.place for line in lines)))


def _pinned(manifest: Manifest) -> list[Package]:
    """Return the packages that exact declarations give, with their dependencies by comments."""
    requires: dict[str, set[str]] = {}
    for declaration in manifest.declared:
        for parent in declaration.needed_by:
            requires.setdefault(parent, set()).add(declaration.name)
    return [
        Package(
            name=declaration.name,
            version=declaration.pin,
            purl=pypi_purl(declaration.name, declaration.pin),
            scope=declaration.scope,
            direct=declaration.direct,
            places=(declaration.place,),
            requires=tuple(sorted(requires.get(declaration.name, ()))),
            asked=(declaration.place,) if declaration.direct and declaration.asks else (),
        )
        for declaration in manifest.declared
        if declaration.pin and not declaration.own and not declaration.origin
    ]


def _covered(
    declaration: Declaration, locks: Sequence[tuple[_Lock, str]]
) -> tuple[list[Package], Requirement | None]:
    """Return the locked packages with this place, or the requirement that stays open."""
    name, place, scope = declaration.name, declaration.place, declaration.scope
    locked = [package for lock, _ in locks for package in lock.packages.get(name, ())]
    if locked and not declaration.origin:
        return [
            replace(
                package,
                scope=scope,
                direct=True,
                places=(place,),
                requires=(),
                chain=(name,),
                asked=(place,),
            )
            for package in locked
        ], None
    if any(name in lock.others for lock, _ in locks):
        return [], None
    reason = plain(declaration.origin) if declaration.origin else Reason("no-exact-version")
    renewed = [(lock, command) for lock, command in locks if command]
    if renewed and not declaration.origin:
        # Other locks than requirements files are for all platforms: they lack what none needs.
        universal = any(not lock.path.endswith(".txt") for lock, _ in renewed)
        if declaration.conditional and universal:
            return [], None
        lock, command = renewed[0]
        file_name = posixpath.basename(lock.path)
        reason = Reason("not-in-the-lock", {"lock": file_name, "command": command})
    return [], Requirement(name, declaration.text, place, reason, scope)


def _united(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Return each version of each package once, with all that manifests say about it.

    Two spellings of one version by PEP 440 (1.0 and 1.0.0) are one, in the shorter. What is no
    such version is equal to itself only.
    """

    def way_order(package: Package) -> tuple[bool, bool, int, tuple[str, ...]]:
        """Sort direct packages first, then runtime ways, then short ones, then by the alphabet."""
        chain = package.chain
        return len(chain) > 1, package.scope is Scope.DEV, len(chain), chain

    groups: dict[tuple[str, str], list[Package]] = {}
    for package in packages:
        key = (package.name, canonicalize_version(package.version))
        groups.setdefault(key, []).append(package)
    united: list[Package] = []
    for same in groups.values():
        chain = min((one for one in same if one.chain), key=way_order, default=same[0]).chain
        direct = {one.direct for one in same} | ({True} if len(chain) == 1 else set())
        asked = (place for one in same if one.chain == chain for place in one.asked)
        united.append(
            replace(
                min(same, key=lambda one: len(one.version)),
                scope=widest(one.scope for one in same),
                direct=True if True in direct else False if False in direct else None,
                places=sorted_locations(place for one in same for place in one.places),
                requires=tuple(sorted({name for one in same for name in one.requires})),
                chain=chain,
                asked=sorted_locations(asked),
            )
        )
    return tuple(sorted(united, key=lambda one: (one.name, one.version)))


def _united_requirements(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    groups: dict[tuple[str, int, str, str, Reason], list[Requirement]] = {}
    for one in requirements:
        key = (one.place.path, one.place.start_line or 0, one.name, one.text, one.reason)
        groups.setdefault(key, []).append(one)
    return tuple(
        replace(same[0], scope=widest(one.scope for one in same))
        for _, same in sorted(groups.items(), key=lambda group: group[0][:4])
    )


def _united_constraints(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Return each constraint once; if two locks name the same one of a package, it is one."""
    unique: dict[tuple[object, ...], Constraint] = {}
    for one in constraints:
        written = (one.text, one.place) if one.place else ()
        unique.setdefault((one.name, one.by, one.specifier, *written), one)

    def order(one: Constraint) -> tuple[object, ...]:
        place = location_key(one.place) if one.place else ("", 0, 0, 0, 0)
        return one.name, one.by, place, one.specifier, one.text

    return tuple(sorted(unique.values(), key=order))
