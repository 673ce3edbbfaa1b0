"""`scanagg scanners`: what is installed where, what applies here, how to get the rest."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from scanagg.advisories import open_store
from scanagg.core import cache
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.findings.collect import ScanSetup
from scanagg.inventory import read_inventory
from scanagg.project.target import read_target
from scanagg.scanners.base import Lookup, all_scanners, scanner_infos
from scanagg.scanners.config import Settings, load_settings
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Limits, Task, find


class Surveyed(msgspec.Struct, frozen=True):
    """One scanner as `scanagg scanners` shows it: `shown` is how it is called, None if missing."""

    name: str
    shown: str | None
    version: str | None
    lines: tuple[str, ...]


def command(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
) -> None:
    """List the scanners: found where, applying here, how to get."""
    root = path.resolve()
    settings = load_settings(root, scanner_infos())
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    for found in survey(root, settings, datetime.now(UTC)):
        style = "bold" if found.shown else "bold yellow"
        version = f" {found.version}" if found.version else ""
        console.print(Text(f"{found.name}{version}", style))
        for line in found.lines:
            console.print(Text(f"    {line}"))


def survey(root: Path, settings: Settings, now: datetime) -> Sequence[Surveyed]:
    """What each scanner is, where it was found, whether it applies to the project at `root`."""
    target = read_target(root, exclude=settings.exclude)
    inventory = read_inventory(target, settings.python)
    limits = Limits(jobs=1, timeout=DEFAULT_TIMEOUT, stop=Stop())
    folder = cache.cache_folder()
    with contextlib.closing(open_store(folder)) as store:
        setup = ScanSetup(
            limits=limits, cache=folder, now=now, scanners=settings.scanners, store=store
        )
        lookup = Lookup("", setup.advisories) if setup.advisories else None
        tasks = setup.tasks(all_scanners().values(), target, inventory, lookup)
        return [_surveyed(task, limits, setup) for task in tasks]


def _surveyed(task: Task, limits: Limits, setup: ScanSetup) -> Surveyed:
    scanner, info = task.scanner, task.scanner.INFO
    tool, problem = find(task, limits)
    inputs = scanner.inputs(task.context)
    count = len(inputs.found) + len(inputs.not_examined)
    lines = [info.about]
    lines.append(f"applies here: {count} {inputs.unit}" if count else "does not apply here")
    if tool is None:
        lines.append(f"not installed: {info.install}")
    else:
        lines.append(f"runs as: {tool.shown}")
    if tool and tool.data:
        lines.append(f"{tool.data.name}: {_age(tool.data.updated, task.context.now)}")
    if info.asks_advisory_store:
        lines += _advisories(task, setup)
    if problem:
        lines.append(f"does not work: {problem}")
    return Surveyed(
        info.name, tool.shown if tool else None, tool.version if tool else None, tuple(lines)
    )


def _advisories(task: Task, setup: ScanSetup) -> Iterator[str]:
    """Where it would look vulnerabilities up, and what the advisory store has."""
    asked = task.scanner.advisory_source(task.context)
    stored = setup.store.osv if setup.store else None
    if asked is not None:
        yield f"asks: {'the advisory store' if asked is stored else asked.name}"
    if stored is None:
        yield "advisory store: none; `scanagg db update` or `scanagg db import` makes one"
    else:
        yield f"advisory store: {stored.name} {_age(stored.updated, task.context.now)}"
    yield from setup.store.problems if setup.store else ()


def _age(updated: datetime | None, now: datetime) -> str:
    if updated is None:
        return "none yet"
    days = max(0, (now - updated).days)
    return f"of {updated:%Y-%m-%d}, {counted(days, 'day')} old"
