"""One requirement as a person wrote it, made a declaration: its name, its pin, where it is from."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scanagg.inventory._common import (
    Declaration,
    Project,
    exact_version,
    in_folder_of,
    parsed,
    requirement_name,
    shown,
)
from scanagg.inventory._specifier import as_pep_440
from scanagg.model import Location, Scope

_VCS: Final = ("git", "hg", "svn", "bzr")
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_EGG: Final = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_LEADING_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION_TAIL: Final = re.compile(r"-(?=[0-9])")
_EXTRAS_AT_END: Final = re.compile(r"\[[^\[\]]*\]$")
_PROJECT_ROOT: Final = re.compile(r"^(?:file:)?(?:///)?\$\{PROJECT_ROOT\}/?")
# A bare version is exact in Poetry's and Pipenv's tables, except with a wildcard.
_EXACT: Final = re.compile(r"={0,3}\s*v?([0-9][A-Za-z0-9.!+_-]*)")


class Site(msgspec.Struct, frozen=True):
    """Where a declaration stands, and what that place says of it."""

    place: Location
    source: str
    scope: Scope = Scope.RUNTIME
    group: str = ""
    direct: bool | None = True


def declare(text: str, site: Site, project: Project, editable: bool = False) -> Declaration:
    """A requirement in the words of PEP 508 or of pip: name, address or path.

    ValueError with the reason where it is none of these.
    """
    if editable or _is_address(text):
        return _from_address(text, site, project)
    wanted = parsed(text)
    if wanted is None:
        if _is_path(text):
            return _from_address(text, site, project)
        raise ValueError(f"not a requirement: {shown(text)!r}")
    origin, own = origin_of(wanted.url, site.source, project) if wanted.url else ("", False)
    return Declaration(
        name=requirement_name(wanted.name),
        text=shown(text),
        place=site.place,
        source=site.source,
        scope=site.scope,
        extras=tuple(sorted(wanted.extras)),
        pin=exact_pin(wanted.specifier),
        origin=origin,
        own=own,
        conditional=wanted.marker is not None,
        direct=site.direct,
        group=site.group,
        specifier=None if wanted.url else str(wanted.specifier),
    )


def declare_table(name: str, value: object, site: Site, project: Project) -> Declaration:
    """An entry of Poetry's or Pipenv's tables: a version, or a table with one or with a source.

    ValueError where it is neither.
    """
    if isinstance(value, str):
        value = {"version": value}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: neither a version nor a table")
    version = value.get("version")
    extras = value.get("extras")
    origin, own = _table_origin(value, site.source, project)
    words = [name, version] if isinstance(version, str) and version != "*" else [name]
    return Declaration(
        name=requirement_name(name),
        text=shown(" ".join(words)),
        place=site.place,
        source=site.source,
        scope=site.scope,
        extras=tuple(str(extra) for extra in extras) if isinstance(extras, list) else (),
        pin=_table_pin(version),
        origin=origin,
        own=own,
        conditional=_is_conditional(value),
        direct=site.direct,
        group=site.group,
        specifier=_table_specifier(version),
    )


def exact_pin(specifiers: SpecifierSet) -> str | None:
    """The one version that `==` or `===` gives; None where there is none, or a wildcard."""
    for specifier in specifiers:
        exact = specifier.operator in ("==", "===") and not specifier.version.endswith(".*")
        if exact:
            return exact_version(specifier.version)
    return None


def origin_of(address: str, source: str, project: Project) -> tuple[str, bool]:
    """What to say of a dependency that is no package of an index, and whether it is own code.

    `address` is a URL, or a path relative to the manifest `source`. Own code is a folder of the
    target: what it needs is read from its own manifests.
    """
    scheme = address.partition(":")[0].lower() if ":" in address else ""
    if scheme.partition("+")[0] in _VCS:
        return f"from {scheme.partition('+')[0]}: {shown(address)}", False
    if scheme in ("http", "https", "ftp"):
        return f"from an address: {shown(address)}", False
    inside = _inside(address, source, project)
    if inside is not None and (inside == "." or inside in project.folders):
        return "the project's own code", True
    kind = "file" if address.endswith(_ARCHIVES) else "folder"
    return f"from a {kind}: {shown(address)}", False


def _inside(address: str, source: str, project: Project) -> str | None:
    """The path in the target that a local address means; None where it leads out of it."""
    within, found = _PROJECT_ROOT.subn("./", address)
    path = within if found else _local_path(address)
    if posixpath.isabs(path):
        root = PurePosixPath(project.root.as_posix())
        if not PurePosixPath(path).is_relative_to(root):
            return None
        return PurePosixPath(path).relative_to(root).as_posix()
    joined = in_folder_of(source, path)
    return None if joined.startswith("..") else joined


def _local_path(address: str) -> str:
    bare = address.partition("#")[0]
    if bare.lower().startswith("file:"):
        rest = unquote(bare[5:])
        return rest.removeprefix("//") if rest.startswith("//") else rest
    return bare.replace("\\", "/")


def _is_address(text: str) -> bool:
    head = text.partition("#")[0].partition(" ")[0]
    scheme = head.partition("://")[0]
    if "://" in head:
        return "@" not in scheme
    return head.lower().startswith("file:") or _is_archive(head)


def _is_path(text: str) -> bool:
    head = text.partition(";")[0].rstrip()
    return head.startswith((".", "~")) or "/" in head or "\\" in head


def _is_archive(text: str) -> bool:
    return text.lower().endswith(_ARCHIVES)


def _from_address(text: str, site: Site, project: Project) -> Declaration:
    bare = text.partition(" ;")[0].strip().strip("\"'")
    address = _EXTRAS_AT_END.sub("", bare)
    if not address:
        raise ValueError("an option without its value")
    origin, own = origin_of(address, site.source, project)
    return Declaration(
        name=_address_name(bare),
        text=shown(text),
        place=site.place,
        source=site.source,
        scope=site.scope,
        origin=origin,
        own=own,
        direct=site.direct,
        group=site.group,
    )


def _address_name(address: str) -> str:
    """The name of the package at an address, as far as the address tells; else its last part."""
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


def _table_origin(
    value: Mapping[object, object], source: str, project: Project
) -> tuple[str, bool]:
    for key in (*_VCS, "url", "path", "file", "directory"):
        address = value.get(key)
        if isinstance(address, str):
            if key in _VCS:
                return f"from {key}: {shown(address)}", False
            return origin_of(address, source, project)
    if value.get("workspace") is True:
        return "the project's own code", True
    return "", False


def _table_pin(version: object) -> str | None:
    match = _EXACT.fullmatch(version.strip()) if isinstance(version, str) else None
    return exact_version(match[1]) if match else None


def _table_specifier(version: object) -> str | None:
    try:
        return as_pep_440(version) if isinstance(version, str) else "" if version is None else None
    except ValueError:
        return None


def _is_conditional(value: Mapping[object, object]) -> bool:
    names: Iterable[str] = ("markers", "marker", "python", "platform", "sys_platform", "optional")
    return any(value.get(name) for name in names)
