"""The exact pins of an inventory, and batches of them, for scanners of packages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import Version

from scanagg.core.text import one_line, shorten
from scanagg.model import (
    Advisory,
    Category,
    Inventory,
    NotExamined,
    Observation,
    Package,
    Reason,
    Rule,
    SeverityClaim,
    is_pypi,
)
from scanagg.model.advisories import UNTITLED, headline
from scanagg.scanners.base import Inputs

Key = tuple[str, Version]

_SUMMARY_WIDTH: Final = 100
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)


class Pins(msgspec.Struct, frozen=True):
    """The PyPI packages of an inventory by `name==version`, sorted.

    `refused` are packages without a valid version, requirements without an exact version, and
    problems of the inventory. A scanner would skip all of them silently.
    """

    exact: Mapping[str, Package]
    refused: tuple[NotExamined, ...]


def pins(inventory: Inventory) -> Pins:
    """Return the inventory as exact pins. Each is safe as a line of a requirements file.

    Names and versions come from the checked project. Invalid names (PEP 508) and versions (PEP 440)
    are refused, so they cannot break that file or add an option to it.
    """
    exact, refused = {}, []
    for package in inventory.packages:
        if not is_pypi(package.purl):
            continue
        pin = f"{package.name}=={package.version}"
        if not _NAME.fullmatch(package.name):
            refused.append(NotExamined(one_line(pin), Reason("no-package-name")))
        elif package.version != package.version.strip() or key("", package.version) is None:
            refused.append(NotExamined(one_line(pin), Reason("no-version")))
        else:
            exact[pin] = package
    for requirement in inventory.unpinned:
        place = requirement.place
        where = f"{place.path}:{place.start_line}" if place.start_line else place.path
        refused.append(NotExamined(one_line(f"{requirement.text} ({where})"), requirement.reason))
    return Pins(dict(sorted(exact.items())), (*refused, *inventory.problems))


def inputs(inventory: Inventory, refusal: Reason | None = None) -> Inputs:
    """Return every package of the inventory; with a refusal, none is examined, for that reason."""
    packages = pins(inventory)
    if refusal is None:
        return Inputs("packages", tuple(packages.exact), packages.refused)
    skipped = tuple(NotExamined(pin, refusal) for pin in packages.exact)
    return Inputs("packages", (), (*skipped, *packages.refused))


def key(name: str, version: str) -> Key | None:
    """Return a key that is equal for all spellings of a pin (1.0, 1.0.0). None if invalid."""
    try:
        return canonicalize_name(name), Version(version)
    except ValueError:  # also for a number with thousands of digits
        return None


def by_key(inputs: Iterable[str]) -> Mapping[Key, tuple[str, ...]]:
    """Return pins by `key`: all spellings of each."""
    spellings: dict[Key, tuple[str, ...]] = {}
    for pin in inputs:
        same = key(*pin.split("==", 1))
        if same is not None:
            spellings[same] = (*spellings.get(same, ()), pin)
    return spellings


def pins_of(spellings: Mapping[Key, tuple[str, ...]], name: str, version: str) -> tuple[str, ...]:
    """Return the pins of a package among those of `by_key`; none for an invalid version."""
    same = key(name, version)
    return spellings.get(same, ()) if same else ()


def batches(pins: Sequence[str], size: int) -> Sequence[tuple[str, ...]]:
    """Split the pins into even batches of at most `size`, with each name at most once.

    pip and pip-audit refuse a requirements file that has the same name twice.
    """
    layers: list[list[str]] = []
    seen: dict[str, int] = {}
    for pin in pins:
        name = pin.partition("==")[0]
        layer = seen[name] = seen.get(name, -1) + 1
        if layer == len(layers):
            layers.append([])
        layers[layer].append(pin)
    parts: list[tuple[str, ...]] = []
    for pins_of_layer in layers:
        count = -(-len(pins_of_layer) // size)
        parts += [tuple(pins_of_layer[number::count]) for number in range(count)]
    return parts


def halves(batch: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """Return two smaller batches; none for a batch of one."""
    middle = len(batch) // 2
    return (tuple(batch[:middle]), tuple(batch[middle:])) if middle else ()


def vulnerability(
    scanner: str,
    package: Package,
    advisory: Advisory,
    text: str,
    *,
    message: str,
    claims: tuple[SeverityClaim, ...] = (),
) -> Observation:
    """Return a vulnerability of a package; `text` is the description in the advisory."""
    line = headline(text, (package.name, *advisory.ids))
    summary = shorten(line or UNTITLED, _SUMMARY_WIDTH)
    return Observation(
        scanner=scanner,
        category=Category.VULNERABILITY,
        rule=Rule(advisory.id, advisory.id, summary, advisory.url, why=text),
        title=f"{package.name} {package.version}: {summary}",
        message=message,
        claims=claims,
        location=next(iter(package.places), None),
        places=package.places,
        package=package,
        advisory=advisory,
    )


def requirements(batch: Iterable[str]) -> str:
    """Return a requirements file with exactly these pins."""
    return "".join(f"{pin}\n" for pin in batch)
