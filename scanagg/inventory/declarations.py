"""Requirements as people write them: the name, the pin, the origin and the allowed versions."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import asdict, replace
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from scanagg.core.redact import mask_line
from scanagg.inventory.indexes import index_of_archive
from scanagg.inventory.manifest import (
    OWN_CODE,
    Declaration,
    ManifestError,
    ProjectFiles,
    Site,
    exact_version,
    in_folder_of,
    is_archive,
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
    rf"-e |[^@ #]*://|file:|(?![^ #]*://)[^ #]*(?:{'|'.join(map(re.escape, _ARCHIVES))})"
    r"(?:\[[^\[\] #]*\])?(?![^ #])",
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
        declaration = Declaration(
            **asdict(site),
            name=_name_in_address(_EXTRAS_AT_END.sub("", written)),
            text=shown(text.removeprefix("-e ")),
            origin=origin_of(address, site.source, project),
            marker=unmarked.partition(" ;")[2].strip(),
        )
        return from_archive(declaration, [address])
    if requirement is None:
        raise ManifestError(Reason("not-a-requirement", {"text": mask_line(text)}))
    versions = map(_EXACT_SPECIFIER.fullmatch, map(str, requirement.specifier))
    pin = next(filter(None, versions), None)
    url = requirement.url
    declaration = Declaration(
        **asdict(site),
        name=requirement_name(requirement.name),
        text=shown(text),
        extras=tuple(sorted(requirement.extras)),
        pin=exact_version(pin[1]) if pin else None,
        origin=origin_of(url, site.source, project) if url else None,
        conditional=requirement.marker is not None,
        marker=str(requirement.marker or ""),
        specifier=None if url else str(requirement.specifier),
    )
    return from_archive(declaration, [url] if url else [])


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
    declaration = Declaration(
        **asdict(site),
        name=requirement_name(name),
        text=shown(name if version in (None, "*") else f"{name} {version}"),
        extras=tuple(map(str, extras)) if isinstance(extras, list) else (),
        pin=exact_version(exact[1]) if exact else None,
        origin=origin_of_source(table, site.source, project),
        conditional=any(map(table.get, _CONDITIONS)),
        marker=_marker(table),
        specifier=None if version is None else as_pep_440(version),
    )
    address = address_of_source(table)
    return from_archive(declaration, [address] if address else [])


def from_archive(declaration: Declaration, addresses: Sequence[str]) -> Declaration:
    """Return the declaration with the version that the names of all of its archives have, if any.

    Then it has no other origin, because its version is known.
    """
    versions = {version_in_address(address, declaration.name) for address in addresses}
    if len(versions) != 1 or not is_archive(declaration.origin):
        return declaration
    (pin,) = versions
    if pin is None:
        return declaration
    index = index_of_archive(addresses[0], declaration.place)
    specifier = declaration.specifier or None
    return replace(declaration, pin=pin, origin=None, index=index, specifier=specifier)


def version_in_address(address: str, name: str) -> str | None:
    """Return the version in the name of an archive of the package `name` (as in PEP 503)."""
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        return None
    file = path.replace("\\", "/").rpartition("/")[2]
    try:
        if file.endswith(".whl"):
            of_file, version, *_ = parse_wheel_filename(file)
        else:
            suffix = next(filter(file.endswith, _ARCHIVES), "")
            of_file, version = parse_sdist_filename(f"{file.removesuffix(suffix)}.tar.gz")
    except ValueError:
        return None
    return str(version) if of_file == name else None


def _marker(table: Mapping[str, object]) -> str:
    """Return the conditions of an entry as one marker by PEP 508; "" if they cannot be read."""
    texts = {key: value for key, value in table.items() if isinstance(value, str)}
    markers = [f"({texts[key]})" for key in ("markers", "marker") if key in texts]
    if "sys_platform" in texts:
        markers.append(f"sys_platform {texts['sys_platform']}")
    for key in ("python_version", "python_full_version"):
        markers += [f"{key} {texts[key]}"] if key in texts else []
    if "platform" in texts:
        markers.append(f"sys_platform == '{texts['platform']}'")
    for specifier in SpecifierSet(as_pep_440(texts.get("python", "*")) or ""):
        markers.append(f"python_full_version {specifier.operator} '{specifier.version}'")
    try:
        return str(Marker(" and ".join(markers))) if markers else ""
    except (ValueError, RecursionError):
        return ""


def origin_of_source(source: object, path: str, project: ProjectFiles) -> Reason | None:
    """Read a table that may name a source other than an index, as `origin_of` does an address."""
    address = address_of_source(source)
    if address is not None:
        return origin_of(address, path, project)
    is_own = isinstance(source, Mapping) and source.get("workspace") is True
    return OWN_CODE if is_own else None


def address_of_source(source: object) -> str | None:
    """Return the address or the path that a table names; None without one."""
    if isinstance(source, Mapping):
        for key, prefix in _SOURCES.items():
            address = source.get(key)
            if isinstance(address, str):
                return prefix + address
    return None


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
    marker = str(needed.marker or "")
    return Constraint(name, str(needed.specifier), shown(text), by, place, marker)


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
