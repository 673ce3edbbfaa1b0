"""The package indexes other than PyPI that manifests and locks name."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from scanagg.inventory.document import Keys, ManifestDocument, as_list
from scanagg.inventory.manifest import shown
from scanagg.model import Location, PackageIndex

UV_SETTINGS: Final = (
    "index.*.url",
    *("index-url", "extra-index-url", "find-links"),
    *("pip.index-url", "pip.extra-index-url", "pip.find-links"),
)
"""The keys of the indexes in a uv.toml, where "*" is any key or position."""

PYPROJECT: Final = (
    *(f"tool.uv.{key}" for key in UV_SETTINGS),
    *("tool.poetry.source.*.url", "tool.pdm.source.*.url", "tool.rye.sources.*.url"),
    *(f"tool.pip-tools.{key}" for key in ("index-url", "extra-index-url", "find-links")),
    *(f"tool.pip-tools.{key}" for key in ("index_url", "extra_index_url", "find_links")),
)
"""The same in a pyproject.toml."""

PIPFILE: Final = ("source.*.url",)
PIPFILE_LOCK: Final = ("_meta.sources.*.url",)


def indexes(addresses: Iterable[object], place: Location) -> Iterator[PackageIndex]:
    """Yield the indexes at these addresses, or in these folders, except PyPI."""
    for address in addresses:
        if isinstance(address, str) and address and not _is_pypi(address):
            yield PackageIndex(_host(address), shown(address), place)


def index_of_archive(address: str, place: Location) -> PackageIndex | None:
    """Return the host or the path of an archive as an index; None if it is from PyPI."""
    return None if _is_pypi(address) else next(indexes((_folder(address),), place), None)


def indexes_in(document: ManifestDocument, patterns: Iterable[str]) -> Iterator[PackageIndex]:
    """Yield the indexes in the values with these keys."""
    for pattern in patterns:
        for keys, value in _values(document.data, pattern.split(".")):
            yield from indexes(as_list(value), document.place(*keys))


def indexes_of_entry(table: Mapping[str, object]) -> Iterator[str]:
    """Yield the index that an entry of a lock names, and the hosts of its files, except PyPI's."""
    source = table.get("source")
    if isinstance(source, Mapping):
        yield from _texts(source.get("registry"))
        yield from _texts(source.get("url") if source.get("type") == "legacy" else None)
    # The entries of a Pipfile.lock have the name of an index here.
    yield from (text for text in _texts(table.get("index")) if "/" in text)
    for key in ("sdist", "wheels", "files"):
        for file in as_list(table.get(key)):
            for address in _texts(file.get("url") if isinstance(file, Mapping) else None):
                if not _is_pypi(address):
                    yield _folder(address)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value


def _is_pypi(address: str) -> bool:
    homes = _pypi()
    return f"{address[: max(map(len, homes))].lower()}/".startswith(homes)


@lru_cache
def _pypi() -> tuple[str, ...]:
    """Return the addresses of PyPI and of its files, as pip knows them."""
    # Imported here: it is slow to import, and most projects name no address.
    from pip._internal.models.index import PyPI  # noqa: PLC0415

    return PyPI.url, f"https://{PyPI.file_storage_domain}/"


def _host(address: str) -> str:
    """Return the host, with the scheme if that is not https; a path as it is."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return shown(address)
    if not host:
        return shown(address)
    return f"{host}{port}" if parts.scheme == "https" else f"{parts.scheme}://{host}{port}"


def _folder(address: str) -> str:
    """Return the root of an address: that of each file would be another index."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return f"{parts.scheme}://{parts.netloc}/" if parts.netloc else address


def _values(value: object, names: list[str], keys: Keys = ()) -> Iterator[tuple[Keys, object]]:
    if not names:
        yield keys, value
        return
    name, *rest = names
    if name != "*":
        if isinstance(value, Mapping) and name in value:
            yield from _values(value[name], rest, (*keys, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _values(item, rest, (*keys, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _values(item, rest, (*keys, position))
