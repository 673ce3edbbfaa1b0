"""An installed environment, read from its folders; its interpreter is never started."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.core.errors import TargetError
from scanagg.inventory._common import (
    Declaration,
    Locked,
    Reading,
    normal_names,
    package,
    parsed,
    problem,
    shown,
)
from scanagg.inventory._constraints import of_requirement
from scanagg.inventory._graph import Edge, Graph, Node, Walk
from scanagg.model import Constraint, NotExamined, Package

_NAMES: Final = (".venv", "venv")
_INTERPRETER_NAME: Final = re.compile(r"(?:python|pypy)[0-9.]*t?w?(?:\.exe)?", re.IGNORECASE)
_VERSION: Final = re.compile(r"[0-9]\.[0-9]+")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']|["']([^"']+)["']\s*==\s*extra""")
_INTERPRETERS: Final = (
    "bin/python",
    "bin/python3",
    "bin/pypy3",
    "Scripts/python.exe",
    "Scripts/python",
    "python.exe",
)
_HINT: Final = (
    "give the path of a Python interpreter or of a virtual environment, "
    "for example --python .venv/bin/python"
)


class Environment(msgspec.Struct, frozen=True):
    """An environment: its interpreter, what to call it in a report, and where packages lie."""

    python: Path
    name: str
    folders: tuple[Path, ...]


class _Broken(Exception):  # noqa: N818 - it says what is broken, and never leaves this module
    """Why a path is no environment."""


class _DirectUrl(msgspec.Struct, frozen=True):
    """direct_url.json (PEP 610): how a package was installed that is from no index."""

    url: str = ""
    dir_info: dict[str, object] | None = None
    vcs_info: dict[str, object] | None = None


def find(root: Path, python: Path | None) -> tuple[Environment | None, tuple[NotExamined, ...]]:
    """The environment at `python`, else the project's own if it has one, and what is wrong with it.

    TargetError where `python` is given and is no environment.
    """
    return _found(root) if python is None else (_given(python, root), ())


def _given(python: Path, root: Path) -> Environment:
    try:
        return _environment(python, root)
    except (_Broken, OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TargetError(
            f"no Python environment at {shown(str(python))}: {said}", _HINT
        ) from error


def _found(root: Path) -> tuple[Environment | None, tuple[NotExamined, ...]]:
    for name in _NAMES:
        try:
            if (root / name / "pyvenv.cfg").is_file():
                return _environment(root / name, root), ()
        except (_Broken, OSError, ValueError) as error:
            return None, (problem(name, None, f"a broken environment, not read: {error}"),)
    return None, ()


def _environment(python: Path, root: Path) -> Environment:
    if not python.exists():
        raise _Broken("it does not exist")
    if python.is_dir():
        prefix, interpreter = python, _interpreter(python)
    else:
        prefix, interpreter = _prefix(python), python
    folders = tuple(_folders(prefix, interpreter))
    if not folders:
        raise _Broken("it has no site-packages folder")
    return Environment(interpreter, _shown_name(prefix, root), folders)


def _interpreter(prefix: Path) -> Path:
    for name in _INTERPRETERS:
        if (prefix / name).is_file():
            return prefix / name
    raise _Broken("it has no interpreter that works")


def _prefix(interpreter: Path) -> Path:
    """The folder that an interpreter belongs to; a link leads to it unless it is in a venv."""
    if not _INTERPRETER_NAME.fullmatch(interpreter.name):
        raise _Broken("it is neither a Python interpreter nor a folder with one")
    for path in (interpreter.absolute(), interpreter.resolve()):
        inside = path.parent.name.lower() in ("bin", "scripts")
        prefix = path.parent.parent if inside else path.parent
        if (prefix / "pyvenv.cfg").is_file():
            return prefix
    return prefix


def _folders(prefix: Path, interpreter: Path) -> Iterator[Path]:
    """Where packages are installed, by the layouts of venv, of CPython and of Debian."""
    settings = _settings(prefix / "pyvenv.cfg")
    version = _VERSION.search(interpreter.resolve().name) or _VERSION.search(
        settings.get("version") or settings.get("version_info") or ""
    )
    wanted = f"python{version[0]}" if version else "python*.*"
    patterns = [f"{lib}/{wanted}/site-packages" for lib in ("lib", "lib64")]
    patterns += ["Lib/site-packages", "lib/pypy*/site-packages", "site-packages"]
    if not settings:
        patterns += [f"{lib}/{wanted}/dist-packages" for lib in ("lib", "local/lib")]
        patterns.append("lib/python3/dist-packages")
    seen: set[Path] = set()
    for pattern in patterns:
        for folder in sorted(prefix.glob(pattern)):
            if folder.is_dir() and folder.resolve() not in seen:
                seen.add(folder.resolve())
                yield folder
    if settings.get("include-system-site-packages", "").lower() == "true":
        yield from _system_folders(Path(settings.get("home", "")), interpreter)


def _system_folders(home: Path, interpreter: Path) -> Iterator[Path]:
    """The folders of the installation that a venv is made from and lets show through."""
    base = home.parent if home.name.lower() in ("bin", "scripts") else home
    if home.is_absolute() and not (base / "pyvenv.cfg").exists():
        yield from _folders(base, interpreter)


def _settings(file: Path) -> Mapping[str, str]:
    if not file.is_file():
        return {}
    lines = file.read_text("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _shown_name(prefix: Path, root: Path) -> str:
    try:
        return prefix.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        return prefix.name or "environment"


class _Installed(msgspec.Struct, frozen=True):
    """One installed package, what it asks of others, and each of these with the extras for it."""

    entry: Locked
    name: str
    node: Node
    asks: tuple[tuple[Constraint, frozenset[str]], ...]


def read(
    environment: Environment, covers: Iterable[str], declared: Sequence[Declaration]
) -> Reading:
    """Every installed package of an index; scope and direct by what the project declares.

    `covers` are the manifests whose open requirements what is installed answers.
    """
    problems: list[NotExamined] = []
    entries: list[_Installed] = []
    own: set[str] = set()
    for distribution in distributions(path=[str(folder) for folder in environment.folders]):
        try:
            found = _installed(distribution)
        except (OSError, ValueError, TypeError) as error:
            problems.append(problem(environment.name, None, f"unreadable metadata: {error}"))
            continue
        entry = found.entry
        if entry.own:
            own.add(found.name)
        elif entry.origin:
            what = f"{entry.name} {entry.version} is not from an index: {entry.origin}"
            problems.append(problem(environment.name, None, what))
        else:
            entries.append(found)
    if not entries:
        problems.append(problem(environment.name, None, "no installed packages found in it"))
    graph = Graph({one.name: (one.node,) for one in entries})
    walk = graph.walk((Edge(one.name, one.extras), one.scope) for one in declared)
    packages, wrong = _packages(entries, declared, walk, environment.name)
    return Reading(
        path=environment.name,
        packages=packages,
        problems=(*problems, *wrong),
        covers=dict.fromkeys(covers, ""),
        own=frozenset(own),
        ways=_ways(graph, declared),
        constraints=tuple(_constraints(entries, walk)),
    )


def _packages(
    entries: Sequence[_Installed], declared: Sequence[Declaration], walk: Walk, name: str
) -> tuple[tuple[Package, ...], list[NotExamined]]:
    known = frozenset(one.name for one in entries)
    unsure = _listed(declared)
    packages: list[Package] = []
    problems: list[NotExamined] = []
    for one in entries:
        try:
            packages.append(
                package(
                    replace(
                        one.entry,
                        scope=walk.scope(one.name),
                        direct=False if declared and one.name not in unsure else None,
                        requires=normal_names((edge.name for edge in one.node.requires), known),
                    )
                )
            )
        except ValueError as error:
            problems.append(problem(name, None, str(error)))
    return tuple(packages), problems


def _listed(declared: Iterable[Declaration]) -> frozenset[str]:
    """What a file lists that may be written by hand or by a program: who asked is not known."""
    return frozenset(one.name for one in declared if one.direct is None and one.pin)


def _ways(graph: Graph, declared: Sequence[Declaration]) -> Mapping[str, tuple[str, ...]]:
    """The ways from all that may be asked for; what is only listed leads on, but is no way."""
    asked = [one for one in declared if one.asks]
    walk = graph.walk((Edge(one.name, one.extras), one.scope) for one in asked)
    sure = {one.name for one in asked} - _listed(declared)
    return {name: way for name, way in walk.ways().items() if len(way) > 1 or name in sure}


def _constraints(entries: Sequence[_Installed], walk: Walk) -> Iterator[Constraint]:
    """What is asked of installed packages; for an extra, if the project uses that extra."""
    known = frozenset(one.name for one in entries)
    for one in entries:
        for said, extras in one.asks:
            used = not extras or any((one.name, extra) in walk.steps for extra in extras)
            if used and said.name in known and said.name != one.name:
                yield said


def _installed(distribution: Distribution) -> _Installed:
    """One installed package. ValueError where its metadata has no name or version."""
    metadata = distribution.metadata
    if "Name" not in metadata or "Version" not in metadata:
        raise ValueError("a package without name or version")
    name, version = metadata["Name"], metadata["Version"]
    origin, own = _origin(distribution)
    entry = Locked(name=name, version=version, place=None, origin=origin, own=own)
    return _with_needs(entry, metadata.get_all("Requires-Dist") or [])


def _origin(distribution: Distribution) -> tuple[str, bool]:
    text = distribution.read_text("direct_url.json")
    if text is None:
        return "", False
    try:
        direct = msgspec.convert(json.loads(text), _DirectUrl)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return "direct_url.json cannot be read", False
    if direct.dir_info is not None:
        editable = direct.dir_info.get("editable") is True
        return ("", True) if editable else (f"from a folder: {direct.url}", False)
    kind = direct.vcs_info.get("vcs", "version control") if direct.vcs_info else "an address"
    return f"from {kind}: {direct.url}", False


def _with_needs(entry: Locked, requirements: Iterable[object]) -> _Installed:
    name = canonicalize_name(entry.name)
    requires: list[Edge] = []
    extras: dict[str, tuple[Edge, ...]] = {}
    asks: list[tuple[Constraint, frozenset[str]]] = []
    for text in map(str, requirements):
        needed = parsed(text)
        if needed is None:
            continue  # what pip could not read either was not installed for it
        edge = Edge(canonicalize_name(needed.name), tuple(sorted(needed.extras)))
        wanted = [canonicalize_name(one or two) for one, two in _EXTRA.findall(text)]
        for extra in wanted:
            extras[extra] = (*extras.get(extra, ()), edge)
        if not wanted:
            requires.append(edge)
        said = of_requirement(needed, text, name)
        asks += [(said, frozenset(wanted))] if said else []
    return _Installed(entry, name, Node(tuple(requires), extras), tuple(asks))
