"""What `scanagg scanners` shows: each scanner, found where, and whether it applies here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanagg import cache
from scanagg.adapters import adapters
from scanagg.config import Settings
from scanagg.examine import Bench
from scanagg.inventory import read_inventory
from scanagg.process import Stop
from scanagg.scan import DEFAULT_TIMEOUT, Limits, Task, find
from scanagg.target import read_target
from scanagg.text import counted


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One scanner as `scanagg scanners` shows it: `shown` is how it is called, None if missing."""

    name: str
    shown: str | None
    version: str | None
    lines: tuple[str, ...]


def survey(root: Path, settings: Settings, now: datetime) -> Sequence[Surveyed]:
    """What each scanner is, where it was found, whether it applies to the project at `root`."""
    target = read_target(root, exclude=settings.exclude)
    inventory = read_inventory(target, settings.python)
    limits = Limits(jobs=1, timeout=DEFAULT_TIMEOUT, stop=Stop())
    bench = Bench(limits=limits, cache=cache.cache_folder(), now=now, scanners=settings.scanners)
    tasks = bench.tasks(adapters().values(), target, inventory)
    return [_surveyed(task, limits) for task in tasks]


def _surveyed(task: Task, limits: Limits) -> Surveyed:
    adapter = task.adapter
    tool, problem = find(task, limits)
    inputs = adapter.inputs(task.context)
    count = len(inputs.found) + len(inputs.not_examined)
    lines = [adapter.ABOUT]
    lines.append(f"applies here: {count} {inputs.unit}" if count else "does not apply here")
    if tool is None:
        lines.append(f"not installed: {adapter.INSTALL}")
    else:
        lines.append(f"runs as: {tool.shown}")
    if tool and tool.data:
        lines.append(f"{tool.data.name}: {_age(tool.data.updated, task.context.now)}")
    if problem:
        lines.append(f"does not work: {problem}")
    return Surveyed(
        adapter.NAME, tool.shown if tool else None, tool.version if tool else None, tuple(lines)
    )


def _age(updated: datetime | None, now: datetime) -> str:
    if updated is None:
        return "none yet"
    days = max(0, (now - updated).days)
    return f"of {updated:%Y-%m-%d}, {counted(days, 'day')} old"
