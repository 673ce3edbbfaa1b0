"""Shared by the inventory tests: a project from a dict of files, and packages in short form."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scanagg.inventory import read_inventory
from scanagg.model import Inventory, Reason, Target


@pytest.fixture
def inventory_of(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> Callable[..., Inventory]:
    """Write files into a project and read its inventory."""

    def read(files: Mapping[str, str | bytes], python: Path | None = None) -> Inventory:
        return read_inventory(read_target(make_project(files, git_=False)), python)

    return read


@pytest.fixture
def pins() -> Callable[[Inventory], dict[str, str]]:
    """The packages as `name==version`: `scope direct path:line ...`."""

    def short(inventory: Inventory) -> dict[str, str]:
        kinds = {True: "direct", False: "transitive", None: "unknown"}
        return {
            f"{one.name}=={one.version}": " ".join(
                (
                    one.scope.value,
                    kinds[one.direct],
                    *(f"{place.path}:{place.start_line}" for place in one.places),
                )
            )
            for one in inventory.packages
        }

    return short


@pytest.fixture
def open_() -> Callable[[Inventory], dict[str, Reason]]:
    """Open requirements as `path:line name`: the reason."""

    def short(inventory: Inventory) -> dict[str, Reason]:
        return {
            f"{one.place.path}:{one.place.start_line} {one.name}": one.reason
            for one in inventory.unpinned
        }

    return short


@pytest.fixture
def problems() -> Callable[[Inventory], dict[str, Reason]]:
    """The reason of each problem by its input."""

    def short(inventory: Inventory) -> dict[str, Reason]:
        return {problem.input: problem.reason for problem in inventory.problems}

    return short
