"""Versions for requirements that no lock pins: those that an install today would take.

Each manifest is resolved by itself, with its extras and groups. What cannot be resolved together is
resolved in parts.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from operator import attrgetter
from typing import Final

import msgspec
from packaging.specifiers import SpecifierSet

from scanagg.core.uv import SAFE_LINE, installed_uv
from scanagg.inventory.graph import walk
from scanagg.inventory.manifest import Declaration, Edge, Manifest, grouped, parsed
from scanagg.inventory.merge import project_folder
from scanagg.inventory.requirements import CompiledLine, compiled_lines
from scanagg.inventory.uv import Failure, Question, Resolution, Resolver
from scanagg.model import (
    Inventory,
    Location,
    LowestAllowed,
    NotExamined,
    Package,
    Reason,
    Scope,
    pypi_purl,
)

RUNNING: Final = f"3.{sys.version_info.minor}"
"""The version of Python that runs scanagg."""

NOT_PINNED: Final = "no-exact-version"
"""The kind of reason for which a requirement is resolved."""

# For all manifests together. One takes 0.2 to 4 seconds.
_BUDGET_SECONDS: Final = 120.0
# For one manifest whose requirements cannot be resolved together.
_MOST_CALLS: Final = 60
_WORKERS: Final = 4
_PYTHONS: Final = tuple(f"3.{minor}" for minor in range(6, 40))

Key = tuple[Location, str]
"""A requirement, by its place and its name."""

_Ask = Callable[[Sequence[str]], str | Failure]


class Resolved(msgspec.Struct, frozen=True):
    """The answer for one manifest.

    `lock` stands for its lock; None if nothing could be resolved. `open` are the requirements that
    have no version in it, or only one that they do not allow, with the reason. `problem` is why its
    requirements cannot be installed together. `lowest` are the lowest versions that its ranges for
    users allow.
    """

    lock: Manifest | None
    open: Mapping[Key, Reason]
    problem: NotExamined | None = None
    lowest: Sequence[LowestAllowed] = ()


def resolve(
    manifests: Sequence[Manifest], inventory: Inventory, resolver: Resolver
) -> Sequence[Resolved]:
    """Resolve each manifest with requirements that have no version in this inventory of them."""
    waiting = {(one.place, one.name) for one in inventory.unpinned if one.reason.kind == NOT_PINNED}
    supported: dict[str, str] = {}
    for manifest in manifests:
        if manifest.python:
            supported.setdefault(project_folder(manifest.path), manifest.python)
    calls = _Calls(resolver, time.monotonic() + _BUDGET_SECONDS)

    def resolved(manifest: Manifest) -> Resolved:
        python = manifest.python or supported.get(project_folder(manifest.path), "")
        return _resolved(manifest, waiting, python, calls)

    wanted = [
        manifest
        for manifest in manifests
        if any(not one.origin and _key(one) in waiting for one in manifest.declared)
    ]
    installed_uv()
    with ThreadPoolExecutor(_WORKERS) as pool:
        return [*pool.map(resolved, wanted)]


def target_python(supported: str) -> str | None:
    """Return the version of Python to resolve for: the running one, else the closest supported one.

    `supported` is by PEP 440. None if it excludes every version of Python 3.
    """
    specifiers = SpecifierSet(supported)
    # A bound such as >3.9.1 or <3.14.2 excludes only some releases of a version.
    candidates = [
        python
        for python in _PYTHONS
        if any(specifiers.contains(f"{python}.{patch}") for patch in (0, 5, 20))
    ]
    distance = _PYTHONS.index(RUNNING)
    return min(candidates, key=lambda python: abs(_PYTHONS.index(python) - distance), default=None)


class _Calls:
    """The calls of one check, within its time. After an error of the index, there are no more."""

    def __init__(self, resolver: Resolver, end: float) -> None:
        self._resolver = resolver
        self._end = end
        self._broken: Failure | None = None

    def ask(self, question: Question) -> str | Failure:
        if self._broken:
            return self._broken
        if time.monotonic() > self._end:
            return Failure(Reason("resolving-takes-long", {"seconds": round(_BUDGET_SECONDS)}))
        answer = self._resolver.compile(question)
        if isinstance(answer, Failure) and answer.is_final:
            self._broken = answer
        return answer


class _Asking:
    """Resolve parts of the requirements of one manifest; the number of attempts is limited."""

    def __init__(
        self, calls: _Calls, constraints: tuple[str, ...], python: str, resolution: Resolution
    ) -> None:
        self._calls = calls
        self._constraints = constraints
        self._python = python
        self._resolution = resolution
        self._number = 0

    def __call__(self, lines: Sequence[str]) -> str | Failure:
        self._number += 1
        if self._number > _MOST_CALLS:
            return Failure(Reason("too-many-parts", {"number": _MOST_CALLS}))
        question = Question(tuple(lines), self._constraints, self._python, self._resolution)
        return self._calls.ask(question)


def _key(declaration: Declaration) -> Key:
    return declaration.place, declaration.name


def _is_elsewhere(declaration: Declaration) -> bool:
    """Return True for a folder, for version control, and for an archive that is in no index."""
    return declaration.origin is not None or declaration.index is not None


def _resolved(
    manifest: Manifest, waiting: Iterable[Key], supported: str, calls: _Calls
) -> Resolved:
    declared = [one for one in manifest.declared if one.asks and not _is_elsewhere(one)]
    # The default dependencies come first: if there is a conflict, an extra or a group is left over.
    declared.sort(key=lambda one: (one.optional, one.group))
    open_ = {_key(one) for one in declared} & set(waiting)
    lines = grouped(declared, requirement_line)
    failed = {_key(one): Reason("not-resolvable") for one in lines.pop(None, ())}
    python = target_python(supported)
    if python is None:
        why = Reason("no-supported-python", {"python": supported})
        return Resolved(None, dict.fromkeys(open_, Reason("not-resolved", {"why": why})))
    constraints = tuple(dict.fromkeys(filter(None, map(_constraint_line, _limits(manifest)))))
    ask = _Asking(calls, constraints, python, Resolution.HIGHEST)
    everything = [*filter(None, lines)]
    texts, refused, problem = _together(everything, ask)
    for line, reason in refused.items():
        failed.update((_key(one), reason) for one in lines[line])
    # Who uses the project gets none of its groups, and knows no constraints of its tool: they could
    # lead to other versions.
    of_users = () if manifest.own else constraints
    default = [
        line
        for line in everything
        if line not in refused and not all(map(attrgetter("optional"), lines[line]))
    ]
    if texts and default and (default, of_users) != (everything, constraints):
        ask = _Asking(calls, of_users, python, Resolution.HIGHEST)
        texts = [*_in_parts(default, ask)[0], *texts]
    packages = [*dict.fromkeys(chain.from_iterable(map(compiled_lines, texts)))]
    names = {package.name for package in packages}
    other_python = Reason("other-python", {"python": python})
    # Users of the project do not get what only its developers install.
    ranges = [
        line for line in everything if line not in refused and any(map(_is_range, lines[line]))
    ]
    ask = _Asking(calls, of_users, python, Resolution.LOWEST_DIRECT)
    lowest = {
        package.name: package.version
        for text in (_in_parts(ranges, ask)[0] if ranges else ())
        for package in compiled_lines(text)
    }
    return Resolved(
        _lock(manifest, declared, packages) if packages else None,
        {
            key: Reason("not-resolved", {"why": failed.get(key, other_python)})
            for key in open_
            if key in failed or key[1] not in names
        },
        NotExamined(manifest.path, problem) if problem else None,
        [
            LowestAllowed(one.name, lowest[one.name], one.specifier or "", one.text, one.place)
            for line in ranges
            for one in lines[line]
            if _is_range(one) and _key(one) in open_ and one.name in lowest
        ],
    )


def _is_range(declaration: Declaration) -> bool:
    return declaration.pin is None and declaration.scope is Scope.RUNTIME


def requirement_line(declaration: Declaration) -> str | None:
    """Return a requirement by PEP 508, as the line of a file for uv; None if it is not safe there.

    It has no address, no option and no variable, whatever the project wrote.
    """
    extras = f"[{','.join(declaration.extras)}]" if declaration.extras else ""
    versions = f"=={declaration.pin}" if declaration.pin else declaration.specifier or ""
    marker = f" ; {declaration.marker}" if declaration.marker else ""
    requirement = parsed(f"{declaration.name}{extras}{versions}{marker}")
    if requirement is None or requirement.url or not SAFE_LINE.fullmatch(str(requirement)):
        return None
    return str(requirement)


def _limits(manifest: Manifest) -> Iterator[str]:
    """Yield what constraints and compiled lines of the manifest allow, by PEP 508."""
    for constraint in manifest.constraints:
        if not constraint.by:
            marker = f" ; {constraint.marker}" if constraint.marker else ""
            yield f"{constraint.name}{constraint.specifier}{marker}"
    for one in (*manifest.declared, *manifest.limits):
        if one.pin and not one.asks and not _is_elsewhere(one):
            yield f"{one.name}=={one.pin}{f' ; {one.marker}' if one.marker else ''}"


def _constraint_line(limit: str) -> str | None:
    requirement = parsed(limit)
    line = str(requirement) if requirement and not requirement.url else ""
    return line if SAFE_LINE.fullmatch(line) else None


def _together(
    lines: Sequence[str], ask: _Ask
) -> tuple[Sequence[str], Mapping[str, Reason], Reason | None]:
    """Return answers for these lines, the refused lines, and why the others need several answers.

    Without the refused lines, there is one answer for all others if they do not exclude each other.
    """
    whole = ask(lines)
    if not isinstance(whole, Failure):
        return [whole], {}, None
    texts, refused = _in_parts(lines, ask, whole)
    if len(texts) > 1 and refused:
        whole = ask([line for line in lines if line not in refused])
    if not isinstance(whole, Failure):
        return [whole], refused, None
    return texts, refused, Reason("resolved-in-parts", {"why": whole.reason}) if texts[1:] else None


def _in_parts(
    lines: Sequence[str], ask: _Ask, answer: str | Failure | None = None
) -> tuple[list[str], dict[str, Reason]]:
    """Return the answer for these lines, else answers for their parts; and the refused lines.

    `answer` is that for all these lines, if they were asked already.
    """
    answer = answer or ask(lines)
    if not isinstance(answer, Failure):
        return [answer], {}
    if answer.is_final or len(lines) == 1:
        return [], dict.fromkeys(lines, answer.reason)
    texts: list[str] = []
    refused: dict[str, Reason] = {}
    middle = len(lines) // 2
    for part in (lines[:middle], lines[middle:]):
        texts_of_part, refused_there = _in_parts(part, ask)
        texts += texts_of_part
        refused |= refused_there
    return texts, refused


def _lock(
    manifest: Manifest, declared: Sequence[Declaration], lines: Sequence[CompiledLine]
) -> Manifest:
    """Return what these lines resolve a manifest to, in the form of a lock."""
    needs: dict[str, list[Edge]] = {}
    for line in lines:
        for parent in line.needed_by:
            needs.setdefault(parent, []).append(Edge(line.name))
    versions = grouped(lines, attrgetter("name", "version"))
    nodes: dict[str, dict[str, list[dict[str, list[Edge]]]]] = {}
    for name, version in versions:
        nodes.setdefault(name, {})[version] = [{"": needs.get(name, [])}]
    graph = walk(nodes, map(attrgetter("root"), declared))
    default = (one.root for one in declared if not one.optional)
    return Manifest(
        path=manifest.path,
        packages=tuple(
            Package(
                name=name,
                version=version,
                purl=pypi_purl(name, version),
                scope=graph.scope((name, version)),
                direct=False,
                requires=tuple(sorted({edge.name for edge in needs.get(name, ())})),
                resolved=True,
            )
            for name, version in versions
        ),
        covers={manifest.path: ""},
        ways=graph.ways(),
        optional=graph.keys() - walk(nodes, default).keys(),
    )
