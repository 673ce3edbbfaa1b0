"""The Pythons that a project supports, and the requirements that none of them installs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import PurePosixPath
from typing import Final

from msgspec.structs import replace
from packaging.markers import Marker
from packaging.version import Version

from scanagg.inventory.graph import lets_in
from scanagg.inventory.manifest import (
    Declaration,
    Impossible,
    Manifest,
    ManifestError,
    ProjectFiles,
    read_bytes,
    shown,
)
from scanagg.model import Package

_OPERAND: Final = r"""(?:"[^"]*"|'[^']*'|(?<![\w.])[\w.]++)"""
COMPARISON: Final = re.compile(
    rf"({_OPERAND})\s*+([<>=!~]++|not\s++in\b|in\b)\s*+({_OPERAND})", re.ASCII
)
"""A comparison in a marker (PEP 508): both sides, and the operator between them."""

OLDEST: Final = "3.11"
"""The oldest Python that scanagg supports."""

_NEWEST: Final = "3.99"
_LONGEST_MARKER: Final = 500
_VARIABLES: Final = frozenset(("python_version", "python_full_version"))
_VERSION: Final = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?", re.ASCII)
# The files that say so if a project without any other statement runs on Python 2.
_PYTHON_2_FILES: Final = re.compile(
    r"setup\.py|setup\.cfg|pyproject\.toml|tox\.ini|\.travis\.yml|runtime\.txt|\.python-version"
    r"|(?i:dockerfile.*)"
)
_PYTHON_2: Final = re.compile(
    rb"\bpy2[67]\b|\bpython(?:[-: \t]|\s*::\s*)?2(?!\d)|\A\s*2\.[67]", re.IGNORECASE
)
_MOST_FILES: Final = 100


def without_impossible(manifests: Sequence[Manifest], project: ProjectFiles) -> Iterator[Manifest]:
    """Yield the manifests without what no Python that the project supports would install.

    The Pythons of a project are those that its nearest manifest with such a statement allows, or
    any Python 3. A requirement that Python 2 needs stays if a file mentions Python 2.
    """
    statements: dict[str, list[str]] = {}
    for manifest in manifests:
        is_script = manifest.path.endswith((".py", ".pyw"))
        place = PurePosixPath(manifest.path) if is_script else PurePosixPath(manifest.path).parent
        if manifest.python:
            statements.setdefault(str(place), []).append(manifest.python)
    default: tuple[str, ...] = ()
    for manifest in manifests:
        if not manifest.markers and not any(one.marker for one in _declared(manifest)):
            yield manifest
            continue
        path = PurePosixPath(manifest.path)
        places = (str(place) for place in (path, *path.parents))
        supported = next((tuple(statements[at]) for at in places if at in statements), ())
        if not supported:
            supported = default = default or (("",) if _mentions_python_2(project) else (">=3",))
        yield _possible(manifest, supported)


def _declared(manifest: Manifest) -> Iterator[Declaration]:
    yield from manifest.declared
    for tools in manifest.tools.values():
        yield from tools


def _possible(manifest: Manifest, supported: tuple[str, ...]) -> Manifest:
    """Return the manifest without what none of these Pythons installs."""

    def kept(declared: Iterable[Declaration]) -> tuple[Declaration, ...]:
        return tuple(one for one in declared if can_hold(one.marker, supported))

    def marker_of(package: Package) -> str:
        return "".join(filter(None, (manifest.markers.get(place) for place in package.places)))

    gone = [
        Impossible(one.text, one.place, one.name, one.pin)
        for one in _declared(manifest)
        if not can_hold(one.marker, supported)
    ]
    packages = [one for one in manifest.packages if can_hold(marker_of(one), supported)]
    for package in manifest.packages:
        if not can_hold(marker_of(package), supported):
            text = shown(f"{package.name}=={package.version} ; {marker_of(package)}")
            gone.append(Impossible(text, package.places[0], package.name, package.version))
    return replace(
        manifest,
        declared=kept(manifest.declared),
        tools={kind: kept(tools) for kind, tools in manifest.tools.items()},
        packages=tuple(packages),
        impossible=tuple(gone),
    )


def can_hold(marker: str, supported: tuple[str, ...]) -> bool:
    """Return True if a supported Python can meet a marker, on some platform and with some extra.

    `supported` are specifiers (PEP 440). A Python that scanagg supports always counts: pip
    installs a list of requirements without asking which Pythons the project supports.
    """
    return not marker or len(marker) > _LONGEST_MARKER or _can_hold(marker, supported)


@lru_cache(4096)
def _can_hold(marker: str, supported: tuple[str, ...]) -> bool:
    def constant(comparison: re.Match[str]) -> str:
        """Return True for a comparison of anything else than the version of Python."""
        depends = not _VARIABLES.isdisjoint((comparison[1], comparison[3]))
        return comparison[0] if depends else "os_name != ''"

    try:
        condition = Marker(COMPARISON.sub(constant, marker))
        return any(
            condition.evaluate({"python_version": short, "python_full_version": full})
            for short, full in _pythons(" ".join((marker, *supported, OLDEST, _NEWEST)))
            if Version(full) >= Version(OLDEST) or any(lets_in(one, full) for one in supported)
        )
    except (ValueError, RecursionError):  # not a marker
        return True


def _pythons(text: str) -> Iterator[tuple[str, str]]:
    """Yield the Pythons at the versions in a text, and just below and above each."""
    for match in _VERSION.finditer(text):
        major, minor, micro = (int(part or 0) for part in match.groups())
        below = (major, minor, micro - 1) if micro else (major, minor - 1, 99)
        if not micro and not minor:
            below = (major - 1, 99, 0)
        above = ((major, minor, micro + 1), (major, minor + 1, 0), (major + 1, 0, 0))
        for python in (below, (major, minor, micro), *above):
            if python >= (0, 0, 0):
                yield "{}.{}".format(*python), "{}.{}.{}".format(*python)


def _mentions_python_2(project: ProjectFiles) -> bool:
    files = (
        file
        for path, file in project.files.items()
        if _PYTHON_2_FILES.fullmatch(PurePosixPath(path).name)
    )
    for file in islice(files, _MOST_FILES):
        try:
            if _PYTHON_2.search(read_bytes(file)):
                return True
        except ManifestError:
            return True
    return False
