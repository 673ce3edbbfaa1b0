"""Requirements as people write them: the name, the pin, the origin and the allowed versions."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import asdict
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scanagg.core.redact import mask_line
from scanagg.inventory.manifest import (
    OWN_CODE,
    Declaration,
    ManifestError,
    ProjectFiles,
    Site,
    exact_version,
    in_folder_of,
    parsed,
    requirement_name,
    shown,
)
from scanagg.inventory.specifiers import as_pep_440
from scanagg.model import Constraint, Location, Reason

_VCS: Final = re.compile(r"(git|hg|svn|bzr)[+:]", re.IGNORECASE)
_URL: Final = re.compile(r"(?:https?|ftp):", re.IGNORECASE)
# The keys of tables that name a source, and what comes before their value in an address.
_SOURCES: Final = {
    **{key: f"{key}+" for key in ("git", "hg", "svn", "bzr")},
    **dict.fromkeys(("url", "path", "file", "directory", "editable", "virtual"), ""),
}
_CONDITIONS: Final = ("markers", "marker", "python", "platform", "sys_platform", "optional")
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# Text that pip takes for an address: one of PEP 508 has a name and "@" before it.
_ADDRESS: Final = re.compile(
    rf"-e |[^@ #]*://|file:|(?![^ #]*://)[^ #]*(?:{'|'.join(map(re.escape, _ARCHIVES))})(?![^ #])",
    re.IGNORECASE,
)
_PATH: Final = re.compile(r"[.~]|[^;]*[/\\]")
_EGG: Final = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_LEADING_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION_TAIL: Final = re.compile(r"-(?=[0-9])")
_EXTRAS_AT_END: Final = re.compile(r"\[[^\[\]]*\]$")
_PROJECT_ROOT: Final = re.compile(r"^(?:file:)?(?:///)?\$\{PROJECT_ROOT\}/?")
_EXACT_SPECIFIER: Final = re.compile(r"={2,3}(.*(?<!\.\*))")
# A bare version is exact in the tables of Poetry and Pipenv, except with a wildcard.
_EXACT: Final = re.compile(r"={0,3}\s*v?([0-9][A-Za-z0-9.!+_-]*)")


def declare(text: object, site: Site, project: ProjectFiles) -> Declaration:
    """Read a requirement as PEP 508 or pip has it: a name, an address, a path, or `-e` and a path.

    ManifestError if it is none of these.
    """
    if not isinstance(text, str):
        raise ManifestError(Reason("not-a-requirement", {"text": mask_line(repr(text))}))
    # pip accepts an empty marker, as in "jinja2==2.10 ;".
    before, semicolon, marker = text.rpartition(";")
    unmarked = before.rstrip() if semicolon and not marker.strip() else text
    requirement = parsed(unmarked)
    if _ADDRESS.match(unmarked) or (requirement is None and _PATH.match(unmarked)):
        written = unmarked.removeprefix("-e ").partition(" ;")[0].strip().strip("\"'")
        address = _EXTRAS_AT_END.sub("", written)
        if not address:
            raise ManifestError(Reason("empty-option"))
        return Declaration(
            **asdict(site),
            name=_name_in_address(written),
            text=shown(text.removeprefix("-e ")),
            origin=origin_of(address, site.source, project),
        )
    if requirement is None:
        raise ManifestError(Reason("not-a-requirement", {"text": mask_line(text)}))
    versions = map(_EXACT_SPECIFIER.fullmatch, map(str, requirement.specifier))
    pin = next(filter(None, versions), None)
    url = requirement.url
    return Declaration(
        **asdict(site),
        name=requirement_name(requirement.name),
        text=shown(text),
        extras=tuple(sorted(requirement.extras)),
        pin=exact_version(pin[1]) if pin else None,
        origin=origin_of(url, site.source, project) if url else None,
        conditional=requirement.marker is not None,
        specifier=None if url else str(requirement.specifier),
    )


def declare_table(name: str, value: object, site: Site, project: ProjectFiles) -> Declaration:
    """Read an entry of the tables of Poetry or Pipenv: a version, or a table.

    ManifestError if it is neither.
    """
    table = {"version": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        raise ManifestError(Reason("not-a-version-or-table", {"package": name}))
    version = table.get("version", "*")
    version = version if isinstance(version, str) else None
    extras = table.get("extras")
    exact = _EXACT.fullmatch((version or "").strip())
    return Declaration(
        **asdict(site),
        name=requirement_name(name),
        text=shown(name if version in (None, "*") else f"{name} {version}"),
        extras=tuple(map(str, extras)) if isinstance(extras, list) else (),
        pin=exact_version(exact[1]) if exact else None,
        origin=origin_of_source(table, site.source, project),
        conditional=any(map(table.get, _CONDITIONS)),
        specifier=None if version is None else as_pep_440(version),
    )


def origin_of_source(source: object, path: str, project: ProjectFiles) -> Reason | None:
    """Read a table that may name a source other than an index, as `origin_of` does an address."""
    if not isinstance(source, Mapping):
        return None
    for key, prefix in _SOURCES.items():
        address = source.get(key)
        if isinstance(address, str):
            return origin_of(prefix + address, path, project)
    return OWN_CODE if source.get("workspace") is True else None


def origin_of(address: str, source: str, project: ProjectFiles) -> Reason:
    """Describe a dependency that is not in a package index; `OWN_CODE` for a folder of the target.

    `address` is a URL, or a path relative to the manifest `source`. The dependencies of a folder of
    the target are read from its own manifests.
    """
    vcs = _VCS.match(address)
    text = shown(address.removeprefix(f"{vcs[1]}+") if vcs else address)
    if vcs:
        return Reason("from-version-control", {"system": vcs[1].lower(), "address": text})
    if _URL.match(address):
        return Reason("from-address", {"address": text})
    if _path_inside(address, source, project) in project.folders:
        return OWN_CODE
    if address.endswith(_ARCHIVES):
        return Reason("from-file", {"path": text})
    return Reason("from-folder", {"path": text})


def _path_inside(address: str, source: str, project: ProjectFiles) -> str | None:
    """Return the path in the target that a local address means; None if it leads out of it."""
    path, from_root = _PROJECT_ROOT.subn("./", address)
    if not from_root:
        path = address.partition("#")[0]
        if path.lower().startswith("file:"):
            path = unquote(path[len("file:") :]).removeprefix("//")
        else:
            path = path.replace("\\", "/")
    if posixpath.isabs(path):
        return posixpath.relpath(path, project.root.as_posix())
    return in_folder_of(source, path)


def _name_in_address(address: str) -> str:
    """Return the name of the package at an address, as far as the address contains it."""
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


def requirement_constraint(
    needed: Requirement | None, text: str, by: str = "", place: Location | None = None
) -> Constraint | None:
    """Return what a requirement by PEP 508, written as `text`, allows; None if it is an address."""
    if needed is None or needed.url:
        return None
    name = canonicalize_name(needed.name)
    return Constraint(name, str(needed.specifier), shown(text), by, place)


def table_constraint(
    name: object, value: object, by: str = "", place: Location | None = None
) -> Constraint | None:
    """Return what an entry of the tables of Poetry or Pipenv allows; None if it has no version."""
    table = value if isinstance(value, Mapping) else {"version": value}
    version, marker = table.get("version"), table.get("markers")
    if not isinstance(version, str) or not isinstance(name, str):
        return None
    text = f"{name} {version} ; {marker}" if isinstance(marker, str) else f"{name} {version}"
    specifier = as_pep_440(version)
    try:
        normal_name = requirement_name(name)
    except ManifestError:
        return None
    return None if specifier is None else Constraint(normal_name, specifier, shown(text), by, place)
