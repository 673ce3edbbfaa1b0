"""An installed environment, read from its folders; its interpreter is never started."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.errors import TargetError
from scanagg.inventory.declarations import requirement_constraint
from scanagg.inventory.graph import Edge, Node, walk
from scanagg.inventory.locks import Needs, nodes_of, package, used_constraints
from scanagg.inventory.manifest import Manifest, parsed, problem, shown
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
    """An environment: its interpreter, its name in reports, and the folders of its packages."""

    python: Path
    name: str
    folders: tuple[Path, ...]


class _DirectUrl(msgspec.Struct, frozen=True):
    """direct_url.json (PEP 610): how a package was installed that is from no index."""

    url: str = ""
    dir_info: dict[str, object] | None = None
    vcs_info: dict[str, object] | None = None


def find(root: Path, python: Path | None) -> tuple[Environment | None, tuple[NotExamined, ...]]:
    """Find the environment at `python`, else the project's own if any, and what is wrong with it.

    TargetError if `python` is given and is no environment.
    """
    if python is not None:
        try:
            return _environment(python, root), ()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"no Python environment at {shown(str(python))}: {reason}"
            raise TargetError(message, _HINT) from error
    for name in _NAMES:
        try:
            if (root / name / "pyvenv.cfg").is_file():
                return _environment(root / name, root), ()
        except (OSError, ValueError) as error:
            return None, (problem(name, None, f"a broken environment, not read: {error}"),)
    return None, ()


def _environment(python: Path, root: Path) -> Environment:
    """Return the environment of an interpreter or a folder. ValueError or OSError if it is none."""
    if not python.exists():
        raise ValueError("it does not exist")
    if python.is_dir():
        prefix = python
        candidates = [prefix / name for name in _INTERPRETERS if (prefix / name).is_file()]
        if not candidates:
            raise ValueError("it has no interpreter that works")
        interpreter = candidates[0]
    else:
        prefix, interpreter = _prefix(python), python
    folders = tuple(_folders(prefix, interpreter))
    if not folders:
        raise ValueError("it has no site-packages folder")
    try:
        name = prefix.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        name = prefix.name or "environment"
    return Environment(interpreter, name, folders)


def _prefix(interpreter: Path) -> Path:
    """Return the folder that an interpreter belongs to, through links unless it is in a venv."""
    if not _INTERPRETER_NAME.fullmatch(interpreter.name):
        raise ValueError("it is neither a Python interpreter nor a folder with one")
    for path in (interpreter.absolute(), interpreter.resolve()):
        inside = path.parent.name.lower() in ("bin", "scripts")
        prefix = path.parent.parent if inside else path.parent
        if (prefix / "pyvenv.cfg").is_file():
            return prefix
    return prefix


def _folders(prefix: Path, interpreter: Path) -> Iterator[Path]:
    """Yield where packages are installed, by the layouts of venv, of CPython and of Debian."""
    settings = _settings(prefix / "pyvenv.cfg")
    version = _VERSION.search(interpreter.resolve().name) or _VERSION.search(
        settings.get("version") or settings.get("version_info") or ""
    )
    folder_name = f"python{version[0]}" if version else "python*.*"
    patterns = [f"{lib}/{folder_name}/site-packages" for lib in ("lib", "lib64")]
    patterns += ["Lib/site-packages", "lib/pypy*/site-packages", "site-packages"]
    if not settings:
        patterns += [f"{lib}/{folder_name}/dist-packages" for lib in ("lib", "local/lib")]
        patterns.append("lib/python3/dist-packages")
    seen: set[Path] = set()
    for pattern in patterns:
        for folder in sorted(prefix.glob(pattern)):
            if folder.is_dir() and folder.resolve() not in seen:
                seen.add(folder.resolve())
                yield folder
    if settings.get("include-system-site-packages", "").lower() == "true":
        # The installation that the venv is made from shows through.
        home = Path(settings.get("home", ""))
        base = home.parent if home.name.lower() in ("bin", "scripts") else home
        if home.is_absolute() and not (base / "pyvenv.cfg").exists():
            yield from _folders(base, interpreter)


def _settings(file: Path) -> Mapping[str, str]:
    if not file.is_file():
        return {}
    lines = file.read_text("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def read(environment: Environment, manifests: Sequence[Manifest]) -> Manifest:
    """Read every installed package of an index; what the project declares gives scope and direct.

    What is installed answers the open requirements of all manifests.
    """
    declared = [one for manifest in manifests for one in manifest.declared]
    problems: list[NotExamined] = []
    installed: list[tuple[str, str, Needs]] = []
    own_names: set[str] = set()
    for distribution in distributions(path=[str(folder) for folder in environment.folders]):
        try:
            metadata = distribution.metadata
            if "Name" not in metadata or "Version" not in metadata:
                raise ValueError("a package without name or version")
            name, version = metadata["Name"], metadata["Version"]
            needs = _needs(canonicalize_name(name), metadata.get_all("Requires-Dist") or [])
            origin, own = _origin(distribution)
        except (OSError, ValueError, TypeError) as error:
            reason = f"unreadable metadata: {error}"
        else:
            if own:
                own_names.add(canonicalize_name(name))
                continue
            if not origin:
                installed.append((name, version, needs))
                continue
            reason = f"{name} {version} is not from an index: {origin}"
        problems.append(problem(environment.name, None, reason))
    if not installed:
        problems.append(problem(environment.name, None, "no installed packages found in it"))
    all_needs = [(canonicalize_name(name), needs) for name, _, needs in installed]
    nodes = nodes_of(all_needs)
    graph = walk(nodes, [(Edge(one.name, one.extras), one.scope) for one in declared])
    # A line that a person or a program may have written does not tell who asks for the package.
    unsure = {one.name for one in declared if one.direct is None and one.pin}
    packages: list[Package] = []
    for name, version, needs in installed:
        normal_name = canonicalize_name(name)
        direct = False if declared and normal_name not in unsure else None
        requires = {edge.name for edge in needs.node.requires if edge.name in nodes}
        try:
            packages.append(package(name, version, graph.scope(normal_name), direct, requires))
        except ValueError as error:
            problems.append(problem(environment.name, None, str(error)))
    asked = [one for one in declared if one.asks]
    ways = walk(nodes, [(Edge(one.name, one.extras), one.scope) for one in asked]).ways()
    sure = {one.name for one in asked} - unsure
    return Manifest(
        path=environment.name,
        packages=tuple(packages),
        problems=tuple(problems),
        covers={manifest.path: "" for manifest in manifests},
        own=frozenset(own_names),
        ways={name: way for name, way in ways.items() if len(way) > 1 or name in sure},
        constraints=tuple(used_constraints(all_needs, graph)),
    )


def _origin(distribution: Distribution) -> tuple[str, bool]:
    """Describe a source that is no index, and tell whether it is the project's own code."""
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


def _needs(name: str, requirements: Iterable[object]) -> Needs:
    requires: list[Edge] = []
    extras: dict[str, tuple[Edge, ...]] = {}
    asks: list[tuple[Constraint, frozenset[str]]] = []
    for text in map(str, requirements):
        needed = parsed(text)
        if needed is None:
            continue  # pip could not read it either, so it installed nothing for it
        edge = Edge(canonicalize_name(needed.name), tuple(sorted(needed.extras)))
        names = [canonicalize_name(left or right) for left, right in _EXTRA.findall(text)]
        for extra in names:
            extras[extra] = (*extras.get(extra, ()), edge)
        if not names:
            requires.append(edge)
        constraint = requirement_constraint(needed, text, name)
        asks += [(constraint, frozenset(names))] if constraint else []
    return Needs((), Node(tuple(requires), extras), asks)
