"""Many manifests as one inventory: each package once, each open requirement once."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name, canonicalize_version

from scanagg.core.text import first_names
from scanagg.inventory.graph import lets_in
from scanagg.inventory.manifest import OWN_CODE, Declaration, Key, Manifest, grouped, is_archive
from scanagg.inventory.scopes import widest
from scanagg.model import (
    Constraint,
    Inventory,
    NotExamined,
    Package,
    PackageIndex,
    Reason,
    Requirement,
    Scope,
    Unread,
    Use,
    location_key,
    pypi_purl,
    sorted_locations,
)
from scanagg.project.kinds import FOLDERS

_SHOWN: Final = 5


class _Lock(msgspec.Struct, frozen=True):
    """A manifest that may lock others: its packages by name, and names that are not from an index.

    `requested` is as in `Manifest`. `is_list` is true for requirements. `command` locks again; it
    is "" if the lock need not contain everything.
    """

    path: str
    packages: Mapping[str, Sequence[Package]]
    from_elsewhere: frozenset[str]
    requested: Mapping[tuple[str, str], frozenset[Key]]
    is_list: bool
    command: str = ""

    def answers(self, declaration: Declaration) -> Sequence[Package]:
        """Return the packages that a declaration asks for: of several versions, those it allows."""
        packages = self.packages.get(declaration.name, ())
        if len(packages) < 2:
            return packages
        at = (declaration.source, canonicalize_name(declaration.group))
        requested = self.requested.get(at, frozenset())
        packages = [one for one in packages if (one.name, one.version) in requested] or packages
        edge, _ = declaration.root
        allowed = [one for one in packages if lets_in(edge.specifier, one.version)]
        return allowed or packages


_Locks = Mapping[str, Sequence[_Lock]]


def merge(manifests: Sequence[Manifest]) -> Inventory:
    """Return the packages, the open requirements and the problems; sorted, and each once.

    An open requirement that a covering lock pins is one more place of the package.
    """
    declared: list[Declaration] = []
    unpinned: list[Requirement] = []
    problems: list[NotExamined] = []
    constraints: list[Constraint] = []
    locks: dict[str, list[_Lock]] = {}
    found: list[tuple[Manifest, _Lock]] = []
    packages: list[Package] = []
    for manifest in manifests:
        declared += manifest.declared
        unpinned += manifest.unpinned
        problems += manifest.problems
        constraints += manifest.constraints
    declared_at: dict[str, list[Declaration]] = {}
    for declaration in declared:
        for path in {declaration.place.path, declaration.source}:
            declared_at.setdefault(path, []).append(declaration)
    for manifest in manifests:
        of_manifest = [*manifest.packages, *_pinned(manifest.declared)]
        from_elsewhere = {one.name for one in manifest.declared if one.origin}
        from_elsewhere.update(manifest.own, map(attrgetter("name"), manifest.unpinned))
        by_name = grouped(of_manifest, attrgetter("name"))
        lock = _Lock(
            *(manifest.path, by_name, frozenset(from_elsewhere), manifest.requested),
            is_list=not manifest.packages,
        )
        found.append((manifest, lock))
        for path, command in manifest.covers.items():
            locks.setdefault(path, []).append(replace(lock, command=command))
    for manifest, lock in found:
        packages += _with_ways(manifest, lock, declared_at, locks)
    uses = list(chain.from_iterable(map(_uses, manifests)))
    for declaration in declared:
        covering = _covering(declaration, locks)
        locked = _locked(declaration, covering)
        packages += locked
        uses += (_use(one, declaration.source, optional=declaration.optional) for one in locked)
        unpinned += () if locked else _open(declaration, covering)
    constraints += filter(None, map(attrgetter("constraint"), declared))
    unread: list[Unread] = []
    of_project = {_version_key(package) for package in packages}
    for manifest in manifests:
        unread += manifest.unread
        for kind, tools in manifest.tools.items():
            pinned = list(_pinned(tools))
            packages += pinned
            uses += (_use(one, manifest.path, optional=False) for one in pinned)
            unread += _unpinned_tools(kind, tools)
    united = _united(packages)
    return Inventory(
        packages=united,
        unpinned=_united_requirements(unpinned),
        problems=tuple(dict.fromkeys(problems)),
        constraints=_united_constraints(constraints),
        uses=tuple(dict.fromkeys(uses)),
        unread=tuple(dict.fromkeys(unread)),
        indexes=tuple(dict.fromkeys(chain.from_iterable(map(_indexes, manifests)))),
        of_tools=frozenset(one.purl for one in united if _version_key(one) not in of_project),
        notices=(
            *_outdated_lists(found),
            *_unused_constraints(manifests, united),
            *_impossible(manifests),
        ),
        impossible=tuple(
            Package(one.name, one.version, pypi_purl(one.name, one.version), places=(one.place,))
            for manifest in manifests
            for one in manifest.impossible
            if one.version
        ),
    )


def _impossible(manifests: Iterable[Manifest]) -> Iterator[Reason]:
    """Yield what no supported Python installs, by manifest."""
    gone = chain.from_iterable(map(attrgetter("impossible"), manifests))
    for path, same in grouped(dict.fromkeys(gone), attrgetter("place.path")).items():
        texts = [one.text for one in same]
        names = first_names(texts, _SHOWN)
        yield Reason("no-python", {"path": path, "number": len(texts), "packages": names})


def _covering(declaration: Declaration, locks: _Locks) -> Sequence[_Lock]:
    """Return the locks of a declaration. If a lock file has the package, lists do not count.

    They may have been exported from an older lock.
    """
    paths = dict.fromkeys((declaration.place.path, declaration.source))
    covering = [lock for path in paths for lock in locks.get(path, ())]
    files = [lock for lock in covering if not lock.is_list]
    return files if _is_in(declaration, files) else covering


def _is_in(declaration: Declaration, locks: Iterable[_Lock]) -> bool:
    """Return True if one of the lock files has the package."""
    files = (lock for lock in locks if lock.command and not lock.is_list)
    return any(declaration.name in lock.packages for lock in files)


def _outdated_lists(found: Iterable[tuple[Manifest, _Lock]]) -> Iterator[Reason]:
    """Yield the lists that pin other versions than the lock file of their project."""
    files: dict[str, list[_Lock]] = {}
    installers: dict[str, str] = {}
    for manifest, lock in found:
        installers |= dict.fromkeys(manifest.includes, manifest.path)
        if not lock.is_list and any(manifest.covers.values()):
            files.setdefault(posixpath.dirname(manifest.path), []).append(lock)
    for manifest, lock in found:
        path, by = manifest.path, installers.get(manifest.path)
        is_export = lock.is_list and manifest.covers
        for file in files.get(project_folder(path), ()) if is_export else ():
            others = list(_other_versions(lock, file))
            number, names = len(others), first_names(others, _SHOWN)
            if others and by:
                yield Reason(
                    "outdated-list-installed",
                    {
                        "path": path,
                        "installer": by,
                        "lock": file.path,
                        "number": number,
                        "packages": names,
                    },
                )
            elif others:
                yield Reason(
                    "outdated-list",
                    {"path": path, "lock": file.path, "number": number, "packages": names},
                )


def _other_versions(written: _Lock, file: _Lock) -> Iterator[str]:
    """Yield the packages of which a list has none of the versions in a lock file."""
    for name in sorted(written.packages.keys() & file.packages.keys()):
        pins = {canonicalize_version(one.version): one.version for one in written.packages[name]}
        locked = {canonicalize_version(one.version): one.version for one in file.packages[name]}
        if pins.keys().isdisjoint(locked):
            yield f"{name} {' and '.join(pins.values())} instead of {' or '.join(locked.values())}"


def _unused_constraints(
    manifests: Iterable[Manifest], packages: Iterable[Package]
) -> Iterator[Reason]:
    """Yield the exact versions in each file of constraints that are no package of the project."""
    known = set(map(_version_key, packages))
    unused = [
        one
        for one in dict.fromkeys(chain.from_iterable(map(attrgetter("limits"), manifests)))
        if one.pin and (one.name, canonicalize_version(one.pin)) not in known
    ]
    for path, same in sorted(grouped(unused, attrgetter("place.path")).items()):
        pins = sorted({f"{one.name}=={one.pin}" for one in same})
        names = first_names(pins, _SHOWN)
        yield Reason("only-constraints", {"path": path, "number": len(pins), "packages": names})


def _uses(manifest: Manifest) -> Iterator[Use]:
    """Yield the uses of packages that a manifest pins."""
    for package in manifest.packages:
        if package.places or package.resolved:
            yield _use(package, manifest.path, optional=_key(package) in manifest.optional)
    for declaration in manifest.declared:
        for package in _pinned((declaration,)):
            yield _use(package, manifest.path, optional=declaration.optional)


def _indexes(manifest: Manifest) -> Iterator[PackageIndex]:
    """Yield the indexes that a manifest names, and the hosts of the archives that it pins."""
    yield from manifest.indexes
    for declaration in chain(manifest.declared, *manifest.tools.values()):
        if declaration.index:
            yield declaration.index


def _use(package: Package, manifest: str, *, optional: bool) -> Use:
    """Return the use of a package by the project that this manifest is in."""
    return Use(
        name=package.name,
        version=package.version,
        project=project_folder(manifest),
        path=package.places[0].path if package.places else manifest,
        scope=package.scope,
        optional=optional,
    )


def project_folder(manifest: str) -> str:
    """Return the folder of the project that a manifest is in.

    The files of a folder such as `requirements` belong to the folder above.
    """
    folder = posixpath.dirname(manifest)
    return posixpath.dirname(folder) if posixpath.basename(folder) in FOLDERS else folder


def _pinned(declared: Sequence[Declaration]) -> Iterator[Package]:
    """Yield the packages that declarations pin by themselves."""
    requires: dict[str, set[str]] = {}
    for declaration in declared:
        for parent in declaration.needed_by:
            requires.setdefault(parent, set()).add(declaration.name)
    for declaration in declared:
        if declaration.pin and not declaration.origin:
            yield Package(
                name=declaration.name,
                version=declaration.pin,
                purl=pypi_purl(declaration.name, declaration.pin),
                scope=declaration.scope,
                direct=declaration.direct,
                places=(declaration.place,),
                requires=tuple(sorted(requires.get(declaration.name, ()))),
                asked=(declaration.place,) if declaration.direct and declaration.asks else (),
            )


def _with_ways(
    manifest: Manifest,
    lock: _Lock,
    declared_at: Mapping[str, Sequence[Declaration]],
    locks: _Locks,
) -> Iterator[Package]:
    """Yield the packages with the way to each in this manifest, and the lines that request it.

    A line that requests another version of the package itself does not count.
    """
    answered = {*manifest.covers, *manifest.answers}
    lines = [line for path in answered for line in declared_at.get(path, ()) if line.asks]
    lines_of: dict[Key, list[Declaration]] = {}
    for line in lines:
        if lock.is_list and _is_in(line, _covering(line, locks)):
            continue
        for key in {(line.name, ""), *map(_key, lock.answers(line))}:
            lines_of.setdefault(key, []).append(line)
    for package in (package for same in lock.packages.values() for package in same):
        key = _key(package)
        way = manifest.ways.get(key) or manifest.ways.get((package.name, ""), ())
        way = (key,) if package.direct else way
        version = canonicalize_version(package.version)
        root, root_version = way[0] if way else ("", "")
        root_key = (root, root_version if root in lock.packages else "")
        places = (
            line.place
            for line in lines_of.get(root_key, ())
            if len(way) > 1 or not line.pin or canonicalize_version(line.pin) == version
        )
        chain = tuple(name for name, _ in way)
        yield replace(package, chain=chain, asked=(*package.asked, *places))


def _key(package: Package) -> Key:
    return package.name, package.version


def _locked(declaration: Declaration, locks: Sequence[_Lock]) -> list[Package]:
    """Return the locked packages that answer an open requirement, with its place."""
    if declaration.pin or not (declaration.origin is None or is_archive(declaration.origin)):
        return []
    return [
        replace(
            package,
            scope=declaration.scope,
            direct=True,
            places=(declaration.place,),
            requires=(),
            chain=(declaration.name,),
            asked=(declaration.place,),
        )
        for lock in locks
        for package in lock.answers(declaration)
    ]


def _open(declaration: Declaration, locks: Sequence[_Lock]) -> Iterator[Requirement]:
    """Yield the requirement if it is open: not pinned, or not from an index."""
    reason = declaration.origin
    answered = reason == OWN_CODE if reason else declaration.pin
    if answered or any(declaration.name in lock.from_elsewhere for lock in locks):
        return
    if not reason:
        renewed = [lock for lock in locks if lock.command]
        # Other locks than requirements files are for all platforms, so no platform needs it.
        universal = any(not lock.path.endswith(".txt") for lock in renewed)
        if declaration.conditional and universal:
            return
        reason = Reason("no-exact-version")
        if renewed:
            name, command = posixpath.basename(renewed[0].path), renewed[0].command
            reason = Reason("not-in-the-lock", {"lock": name, "command": command})
    yield Requirement(
        declaration.name, declaration.text, declaration.place, reason, declaration.scope
    )


def _unpinned_tools(kind: str, tools: Iterable[Declaration]) -> Iterator[Unread]:
    """Yield the requirements of tools that are not pinned, or not from an index."""
    for tool in tools:
        if tool.origin == OWN_CODE or (tool.pin and not tool.origin):
            continue
        line = f":{tool.place.start_line}" if tool.place.start_line else ""
        reason = tool.origin or Reason("unpinned-tools")
        yield Unread(kind, tool.place.path, f"{tool.text} ({tool.place.path}{line})", reason)


def _version_key(package: Package) -> tuple[str, str]:
    return package.name, canonicalize_version(package.version)


def _united(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Return each version of each package once, with everything that manifests say about it.

    Two spellings of one version by PEP 440 (1.0 and 1.0.0) are one, in the shorter. A version that
    does not follow PEP 440 is equal to itself only.
    """
    groups = grouped(packages, _version_key)
    united: list[Package] = []
    for same in groups.values():
        # Direct packages come first, then runtime ways, short ones, by the alphabet; none is last.
        ways = (
            (not one.chain, len(one.chain) > 1, one.scope is Scope.DEV, len(one.chain), one.chain)
            for one in same
        )
        *_, way = min(ways)
        direct = {one.direct for one in same}
        requesting = chain.from_iterable(one.asked for one in same if one.chain == way)
        united.append(
            replace(
                min(same, key=lambda one: len(one.version)),
                scope=widest(one.scope for one in same),
                direct=len(way) == 1 or max(direct, key=(None, False, True).index),
                places=sorted_locations(chain.from_iterable(one.places for one in same)),
                requires=tuple(sorted(set(chain.from_iterable(one.requires for one in same)))),
                chain=way,
                asked=sorted_locations(requesting),
                resolved=all(one.resolved for one in same),
            )
        )
    return tuple(sorted(united, key=attrgetter("name", "version")))


def _united_requirements(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    def order(one: Requirement) -> tuple[str, int, str, str]:
        return one.place.path, one.place.start_line or 0, one.name, one.text

    groups = grouped(requirements, lambda one: (*order(one), one.reason))
    united = (replace(same[0], scope=widest(one.scope for one in same)) for same in groups.values())
    return tuple(sorted(united, key=order))


def _united_constraints(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Return each constraint once; a package's constraint that several locks contain is one."""
    unique: dict[tuple[object, ...], Constraint] = {}
    for constraint in constraints:
        written = (constraint.text, constraint.place) if constraint.place else ()
        unique.setdefault(
            (constraint.name, constraint.by, constraint.specifier, *written), constraint
        )

    def order(one: Constraint) -> tuple[object, ...]:
        return one.name, one.by, location_key(one.place), one.specifier, one.text

    return tuple(sorted(unique.values(), key=order))
