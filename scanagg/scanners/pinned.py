"""What the adapters that look at packages share: exact pins, batches of them, one-line reasons."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from scanagg.core.text import one_line
from scanagg.model import Inventory, NotExamined, Package, Requirement, is_pypi

Key = tuple[str, Version]

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)


class Pins(msgspec.Struct, frozen=True):
    """The PyPI packages of an inventory by `name==version`, sorted, and what cannot be one.

    `refused` holds packages without a usable version, requirements that are not pinned, and lines
    that could not be read: everything a package scanner would otherwise be silent about.
    """

    exact: Mapping[str, Package]
    refused: tuple[NotExamined, ...]


def pins(inventory: Inventory, done: str = "audited") -> Pins:
    """The inventory as exact pins. Each is safe as a line of a requirements file.

    `done` is what happens to packages, for the reason why the others are refused.

    Names and versions come from files of the checked project: one that is no name or no version
    (PEP 508, PEP 440) is refused, so it can neither break the file nor smuggle an option into it.
    """
    exact, refused = {}, []
    for package in inventory.packages:
        if not is_pypi(package.purl):
            continue
        problem = _problem(package)
        pin = f"{package.name}=={package.version}"
        if problem:
            refused.append(NotExamined(one_line(pin), problem))
        else:
            exact[pin] = package
    refused += [
        NotExamined(_declared(one), f"not {done}: unpinned, {one.reason}".removesuffix(", "))
        for one in inventory.unpinned
    ]
    return Pins(dict(sorted(exact.items())), (*refused, *inventory.problems))


def normalised(name: str) -> str:
    """The name as in PEP 503."""
    return canonicalize_name(name)


def key(name: str, version: str) -> Key | None:
    """What makes two spellings of one pin the same (1.0 and 1.0.0); None for no version."""
    try:
        return canonicalize_name(name), Version(version)
    except InvalidVersion:
        return None


def by_key(inputs: Iterable[str]) -> Mapping[Key, tuple[str, ...]]:
    """Pins by `key`: all spellings of each."""
    found: dict[Key, tuple[str, ...]] = {}
    for pin in inputs:
        same = key(*pin.split("==", 1))
        if same is not None:
            found[same] = (*found.get(same, ()), pin)
    return found


def batches(inputs: Sequence[str], size: int) -> Sequence[tuple[str, ...]]:
    """The pins in batches of at most `size`, about equal, none with one name in two versions.

    pip and pip-audit refuse a requirements file that holds the same name twice.
    """
    layers: list[list[str]] = []
    seen: dict[str, int] = {}
    for pin in inputs:
        name = pin.partition("==")[0]
        layer = seen[name] = seen.get(name, -1) + 1
        if layer == len(layers):
            layers.append([])
        layers[layer].append(pin)
    return [part for layer in layers for part in _even(layer, size)]


def halves(batch: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """Two smaller batches; none where it is down to one."""
    middle = len(batch) // 2
    return (tuple(batch[:middle]), tuple(batch[middle:])) if middle else ()


def requirements(batch: Iterable[str]) -> str:
    """The text of a requirements file with exactly these pins."""
    return "".join(f"{pin}\n" for pin in batch)


def _problem(package: Package) -> str:
    if not _NAME.fullmatch(package.name):
        return "not a package name (PEP 508)"
    if package.version != package.version.strip() or key("", package.version) is None:
        return "not a version (PEP 440): no scanner can look it up"
    return ""


def _declared(one: Requirement) -> str:
    line = one.place.start_line
    return one_line(f"{one.text} ({one.place.path}{f':{line}' if line else ''})")


def _even(layer: Sequence[str], size: int) -> Sequence[tuple[str, ...]]:
    count = -(-len(layer) // size)
    return [tuple(layer[number::count]) for number in range(count)]
