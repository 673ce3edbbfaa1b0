"""The packages of a Python environment, read from its folders; its interpreter is never started."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.errors import TargetError
from scanagg.core.files import inside, read_file
from scanagg.inventory.declarations import requirement_constraint
from scanagg.inventory.graph import (
    Needs,
    Nodes,
    nodes_of,
    pinned_package,
    used_constraints,
    walk,
)
from scanagg.inventory.indexes import index_of_archive
from scanagg.inventory.manifest import (
    Declaration,
    Edge,
    FileProblems,
    Key,
    Manifest,
    ManifestError,
    edge_of,
    parsed,
    shown,
)
from scanagg.model import Constraint, Environment, Location, NotExamined, Package, Reason
from scanagg.project.installed import InstalledPackage, packages_of

_NAMES: Final = (".venv", "venv")
_INTERPRETER_NAME: Final = re.compile(r"(?:python|pypy)[0-9.]*t?w?(?:\.exe)?", re.IGNORECASE)
_VERSION: Final = re.compile(r"[0-9]\.[0-9]+")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']|["']([^"']+)["']\s*==\s*extra""")
_INTERPRETERS: Final = (
    *("bin/python", "bin/python3", "bin/pypy3"),
    *("Scripts/python.exe", "Scripts/python", "python.exe"),
)
_LAYOUTS: Final = (
    *("lib/{python}/site-packages", "lib64/{python}/site-packages", "lib/pypy*/site-packages"),
    *("Lib/site-packages", "site-packages"),
)
_SYSTEM_LAYOUTS: Final = (
    *("lib/{python}/dist-packages", "local/lib/{python}/dist-packages"),
    "lib/python3/dist-packages",
)
_HINT: Final = (
    "Give the path of a Python interpreter or of a virtual environment, "
    "for example `--python .venv/bin/python`."
)


class _DirectUrl(msgspec.Struct, frozen=True):
    """direct_url.json (PEP 610): the source of a package that is not from an index."""

    url: str = ""
    dir_info: dict[str, object] = {}
    archive_info: dict[str, object] | None = None


class _Installed(msgspec.Struct, frozen=True):
    """An installed package; `own` marks the project's own code, `archive` is its address."""

    name: str
    version: str
    needs: Needs
    own: bool
    archive: str = ""


def find(
    root: Path, python: Path | None, configured: Path | None = None
) -> tuple[Environment | None, Sequence[NotExamined]]:
    """Find the environment at `python`, else the project's own, and the problems with it.

    The user names `python`: it may be anywhere, and so may its packages. The project names
    `configured`: it and the project's own environment must be inside the resolved folder `root`.
    TargetError if `python` or `configured` is given and is not an environment.
    """
    if python is not None or configured is not None:
        try:
            return _environment(python or configured or root, root, anywhere=python is not None)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"no Python environment at {shown(str(python or configured))}: {reason}"
            raise TargetError(message, _HINT) from error
    for name in _NAMES:
        problems = FileProblems(name)
        if not (root / name / "pyvenv.cfg").is_file():
            continue
        if not (root / name).resolve().is_relative_to(root):
            problems.add(None, Reason("packages-elsewhere", {"environment": name}))
            return None, problems.entries
        try:
            return _environment(root / name, root, anywhere=False)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            problems.add(None, Reason("broken-environment", {"error": reason}))
            return None, problems.entries
    return None, ()


def _environment(
    python: Path, root: Path, *, anywhere: bool
) -> tuple[Environment, Sequence[NotExamined]]:
    """Return the environment of an interpreter or a folder. ValueError or OSError if none."""
    if not python.exists():
        raise ValueError("it does not exist")
    prefix, interpreter = python, python
    if python.is_dir():
        candidates = (python / name for name in _INTERPRETERS)
        works = next(filter(Path.is_file, candidates), None)
        if works is None:
            raise ValueError("it has no interpreter that works")
        interpreter = works
    elif _INTERPRETER_NAME.fullmatch(python.name):
        # The folder of a virtual environment; else that of the installation, through all links.
        prefix = _above_scripts(python.absolute().parent)
        if not (prefix / "pyvenv.cfg").is_file():
            prefix = _above_scripts(python.resolve().parent)
    else:
        raise ValueError("it is neither a Python interpreter nor a folder with one")
    if not anywhere:
        inside(root, prefix)
    folders = dict.fromkeys(_folders(prefix, interpreter, root))
    if not folders:
        raise ValueError("it has no site-packages folder")
    try:
        name = prefix.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        name = prefix.name or "environment"
    problems = FileProblems(name)
    kept = tuple(folder for folder in folders if anywhere or folder.is_relative_to(root))
    if len(kept) < len(folders):
        problems.add(None, Reason("packages-elsewhere", {"environment": name}))
    return Environment(interpreter, name, kept, root), problems.entries


def _above_scripts(folder: Path) -> Path:
    """Return the folder above `bin` or `Scripts`; any other folder unchanged."""
    return folder.parent if folder.name.lower() in ("bin", "scripts") else folder


def _folders(prefix: Path, interpreter: Path, root: Path) -> Iterator[Path]:
    """Yield where packages are installed, by the layouts of venv, of CPython and of Debian."""
    settings = _settings(prefix, root)
    name = interpreter.resolve().name
    versions = (name, settings.get("version", ""), settings.get("version_info", ""))
    version = next(filter(None, map(_VERSION.search, versions)), None)
    python = f"python{version[0] if version else '*.*'}"
    for layout in _LAYOUTS if settings else (*_LAYOUTS, *_SYSTEM_LAYOUTS):
        folders = filter(Path.is_dir, sorted(prefix.glob(layout.format(python=python))))
        yield from (folder.resolve() for folder in folders)
    if settings.get("include-system-site-packages", "").lower() == "true":
        # The packages of the installation that the environment was made from are visible in it.
        home = Path(settings.get("home", ""))
        base = _above_scripts(home)
        if home.is_absolute() and not (base / "pyvenv.cfg").exists():
            yield from _folders(base, interpreter, root)


def _settings(prefix: Path, root: Path) -> Mapping[str, str]:
    """Return the settings in pyvenv.cfg; none if there is no such file."""
    path = prefix / "pyvenv.cfg"
    if not path.is_file():
        return {}
    top = root if prefix.resolve().is_relative_to(root) else Path(prefix.absolute().anchor)
    text = read_file(inside(top, path)).decode("utf-8", "replace")
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def read(environment: Environment, manifests: Sequence[Manifest]) -> Manifest:
    """Read every installed package that is from an index or an archive.

    The declarations of the project give their scope. Installed packages answer the open
    requirements of all manifests.
    """
    problems = FileProblems(environment.name)
    installed: list[_Installed] = []
    own: set[str] = set()
    for distribution in packages_of(environment):
        with problems.caught():
            package = _installed(distribution)
            if package.own:
                own.add(canonicalize_name(package.name))
            else:
                installed.append(package)
    if not installed:
        problems.add(None, Reason("no-installed-packages"))
    needs = [((canonicalize_name(package.name), ""), package.needs) for package in installed]
    nodes = nodes_of(needs)
    declared = [declaration for manifest in manifests for declaration in manifest.declared]
    graph = walk(nodes, map(attrgetter("root"), declared))
    unsure = {declaration.name for declaration in declared if declaration.is_listed}
    place = Location(environment.name)
    archives = (index_of_archive(one.archive, place) for one in installed if one.archive)
    pinned: list[Package] = []
    for package, (key, needed) in zip(installed, needs, strict=True):
        direct = False if declared and key[0] not in unsure else None
        with problems.caught():
            requires = nodes.keys() & set(needed.names)
            scope = graph.scope(key)
            pinned.append(pinned_package(package.name, package.version, scope, direct, requires))
    return Manifest(
        path=environment.name,
        packages=tuple(pinned),
        problems=tuple(problems.entries),
        covers=dict.fromkeys(map(attrgetter("path"), manifests), ""),
        own=frozenset(own),
        ways=_ways(nodes, declared, unsure),
        constraints=tuple(used_constraints(needs, graph)),
        indexes=tuple(filter(None, archives)),
    )


def _ways(
    nodes: Nodes, declared: Sequence[Declaration], unsure: Collection[str]
) -> Mapping[Key, tuple[Key, ...]]:
    """Return the ways from the requested packages; an `unsure` package has no way to itself."""
    requests = [declaration for declaration in declared if declaration.asks]
    ways = walk(nodes, map(attrgetter("root"), requests)).ways()
    sure = {declaration.name for declaration in requests}.difference(unsure)
    return {key: way for key, way in ways.items() if len(way) > 1 or key[0] in sure}


def _installed(distribution: InstalledPackage) -> _Installed:
    """Read the metadata of a package.

    ManifestError if it is unusable, or if the package is from a folder or a repository.
    """
    if distribution.problem:
        raise ManifestError(distribution.problem)
    metadata = distribution.metadata
    name, version = metadata["Name"], metadata["Version"]
    needs = _needs(canonicalize_name(name), metadata.get_all("Requires-Dist") or [])
    try:
        direct_url = distribution.read_text("direct_url.json")
    except (OSError, ValueError) as error:
        raise ManifestError(Reason("unreadable-direct-url", {"package": name})) from error
    if direct_url is None:
        return _Installed(name, version, needs, own=False)
    try:
        direct = msgspec.convert(json.loads(direct_url), _DirectUrl)
    except (ValueError, RecursionError) as error:
        raise ManifestError(Reason("unreadable-direct-url", {"package": name})) from error
    if direct.archive_info is not None:
        return _Installed(name, version, needs, own=False, archive=direct.url)
    if direct.dir_info.get("editable") is not True:
        package = f"{name} {version}"
        raise ManifestError(
            Reason("not-from-an-index", {"package": package, "address": direct.url})
        )
    return _Installed(name, version, needs, own=True)


def _needs(name: str, requirements: Sequence[object]) -> Needs:
    node: dict[str, list[Edge]] = {}
    asks: list[tuple[Constraint | None, frozenset[str]]] = []
    for text in map(str, requirements):
        needed = parsed(text)
        if needed is None:
            continue  # pip cannot read it either, so it installed nothing for it
        extras: list[str] = [
            canonicalize_name(left or right) for left, right in _EXTRA.findall(text)
        ]
        for extra in extras or [""]:
            node.setdefault(extra, []).append(edge_of(needed))
        asks.append((requirement_constraint(needed, text, name), frozenset(extras)))
    return Needs(list(map(attrgetter("name"), node.get("", ()))), node, asks)
