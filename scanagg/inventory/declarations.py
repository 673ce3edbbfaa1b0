"""Requirements as people write them: the name, the pin, the origin, and the versions allowed."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scanagg.inventory.manifest import (
    Declaration,
    ProjectFiles,
    exact_version,
    in_folder_of,
    parsed,
    requirement_name,
    shown,
)
from scanagg.inventory.specifiers import as_pep_440
from scanagg.model import Constraint, Location, Scope

OWN_CODE: Final = "the project's own code"
_VCS: Final = ("git", "hg", "svn", "bzr")
_ADDRESSES: Final = ("url", "path", "file", "directory", "editable", "virtual")
_CONDITIONS: Final = ("markers", "marker", "python", "platform", "sys_platform", "optional")
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_EGG: Final = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_LEADING_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION_TAIL: Final = re.compile(r"-(?=[0-9])")
_EXTRAS_AT_END: Final = re.compile(r"\[[^\[\]]*\]$")
_PROJECT_ROOT: Final = re.compile(r"^(?:file:)?(?:///)?\$\{PROJECT_ROOT\}/?")
# A bare version is exact in the tables of Poetry and Pipenv, except with a wildcard.
_EXACT: Final = re.compile(r"={0,3}\s*v?([0-9][A-Za-z0-9.!+_-]*)")


class Site(msgspec.Struct, frozen=True):
    """The place of a declaration, and what follows from that place."""

    place: Location
    source: str
    scope: Scope = Scope.RUNTIME
    group: str = ""
    direct: bool | None = True


def declare(text: str, site: Site, project: ProjectFiles, editable: bool = False) -> Declaration:
    """Read a requirement as PEP 508 or pip has it: a name, an address or a path.

    ValueError with the reason if it is none of these.
    """
    if editable or _is_address(text):
        return _declare_address(text, site, project)
    requirement = parsed(text)
    if requirement is None:
        head = text.partition(";")[0].rstrip()
        if head.startswith((".", "~")) or "/" in head or "\\" in head:
            return _declare_address(text, site, project)
        raise ValueError(f"not a requirement: {shown(text)!r}")
    origin, own = (
        origin_of(requirement.url, site.source, project) if requirement.url else ("", False)
    )
    exact = [
        specifier.version
        for specifier in requirement.specifier
        if specifier.operator in ("==", "===") and not specifier.version.endswith(".*")
    ]
    return Declaration(
        name=requirement_name(requirement.name),
        text=shown(text),
        place=site.place,
        source=site.source,
        scope=site.scope,
        extras=tuple(sorted(requirement.extras)),
        pin=exact_version(exact[0]) if exact else None,
        origin=origin,
        own=own,
        conditional=requirement.marker is not None,
        direct=site.direct,
        group=site.group,
        specifier=None if requirement.url else str(requirement.specifier),
    )


def declare_table(name: str, value: object, site: Site, project: ProjectFiles) -> Declaration:
    """Read an entry of the tables of Poetry or Pipenv: a version, or a table.

    ValueError if it is neither.
    """
    table = {"version": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        raise ValueError(f"{name}: neither a version nor a table")
    version = table.get("version")
    extras = table.get("extras")
    origin, own = origin_of_source(table, site.source, project)
    exact = _EXACT.fullmatch(version.strip()) if isinstance(version, str) else None
    specifier = "" if version is None else None
    if isinstance(version, str):
        try:
            specifier = as_pep_440(version)
        except ValueError:
            specifier = None
    return Declaration(
        name=requirement_name(name),
        text=shown(f"{name} {version}" if isinstance(version, str) and version != "*" else name),
        place=site.place,
        source=site.source,
        scope=site.scope,
        extras=tuple(str(extra) for extra in extras) if isinstance(extras, list) else (),
        pin=exact_version(exact[1]) if exact else None,
        origin=origin,
        own=own,
        conditional=any(table.get(key) for key in _CONDITIONS),
        direct=site.direct,
        group=site.group,
        specifier=specifier,
    )


def origin_of_source(
    source: Mapping[str, object], path: str, project: ProjectFiles
) -> tuple[str, bool]:
    """Read a table that may name a source other than an index, as `origin_of` does an address."""
    for key in _VCS:
        address = source.get(key)
        if isinstance(address, str):
            return f"from {key}: {shown(address)}", False
    for key in _ADDRESSES:
        address = source.get(key)
        if isinstance(address, str):
            return origin_of(address, path, project)
    return (OWN_CODE, True) if source.get("workspace") is True else ("", False)


def origin_of(address: str, source: str, project: ProjectFiles) -> tuple[str, bool]:
    """Describe a dependency that is in no package index, and tell whether it is own code.

    `address` is a URL, or a path relative to the manifest `source`. Own code is a folder of the
    target: its dependencies are read from its own manifests.
    """
    scheme = address.partition(":")[0].lower() if ":" in address else ""
    vcs = scheme.partition("+")[0]
    if vcs in _VCS:
        return f"from {vcs}: {shown(address)}", False
    if scheme in ("http", "https", "ftp"):
        return f"from an address: {shown(address)}", False
    inside = _path_inside(address, source, project)
    if inside is not None and (inside == "." or inside in project.folders):
        return OWN_CODE, True
    kind = "file" if address.endswith(_ARCHIVES) else "folder"
    return f"from a {kind}: {shown(address)}", False


def _path_inside(address: str, source: str, project: ProjectFiles) -> str | None:
    """Return the path in the target that a local address means; None if it leads out of it."""
    path, from_root = _PROJECT_ROOT.subn("./", address)
    if not from_root:
        path = address.partition("#")[0]
        if path.lower().startswith("file:"):
            path = unquote(path[len("file:") :])
            path = path.removeprefix("//")
        else:
            path = path.replace("\\", "/")
    if posixpath.isabs(path):
        root = PurePosixPath(project.root.as_posix())
        if not PurePosixPath(path).is_relative_to(root):
            return None
        return PurePosixPath(path).relative_to(root).as_posix()
    joined = in_folder_of(source, path)
    return None if joined.startswith("..") else joined


def _is_address(text: str) -> bool:
    head = text.partition("#")[0].partition(" ")[0]
    if "://" in head:
        return "@" not in head.partition("://")[0]
    return head.lower().startswith("file:") or head.lower().endswith(_ARCHIVES)


def _declare_address(text: str, site: Site, project: ProjectFiles) -> Declaration:
    bare = text.partition(" ;")[0].strip().strip("\"'")
    address = _EXTRAS_AT_END.sub("", bare)
    if not address:
        raise ValueError("an option without its value")
    origin, own = origin_of(address, site.source, project)
    return Declaration(
        name=_name_in_address(bare),
        text=shown(text),
        place=site.place,
        source=site.source,
        scope=site.scope,
        origin=origin,
        own=own,
        direct=site.direct,
        group=site.group,
    )


def _name_in_address(address: str) -> str:
    """Return the name of the package at an address as far as the address tells it."""
    egg = _EGG.search(address)
    if egg:
        return canonicalize_name(egg[1])
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    last = last.partition("@")[0].removesuffix(".git")
    match = _LEADING_NAME.match(_VERSION_TAIL.split(last)[0])
    return canonicalize_name(match[0]) if match else shown(address)


def declared_constraint(declaration: Declaration) -> Constraint | None:
    """Return the versions that a declaration allows; None if it names none, as an address does."""
    if declaration.specifier is None or declaration.origin or declaration.own:
        return None
    return Constraint(
        declaration.name, declaration.specifier, declaration.text, place=declaration.place
    )


def requirement_constraint(
    needed: Requirement, text: str, by: str = "", place: Location | None = None
) -> Constraint | None:
    """Return what a requirement by PEP 508, written as `text`, allows; None if it is an address."""
    if needed.url:
        return None
    name = canonicalize_name(needed.name)
    return Constraint(name, str(needed.specifier), shown(text), by, place)


def table_constraint(
    name: str, value: object, by: str = "", place: Location | None = None
) -> Constraint | None:
    """Return what an entry of the tables of Poetry or Pipenv allows; None if it has no version."""
    table = value if isinstance(value, Mapping) else {"version": value}
    version, marker = table.get("version"), table.get("markers")
    if not isinstance(version, str):
        return None
    text = f"{name} {version} ; {marker}" if isinstance(marker, str) else f"{name} {version}"
    try:
        return Constraint(requirement_name(name), as_pep_440(version), shown(text), by, place)
    except ValueError:
        return None
