"""`scanagg scanners`: list the scanners that are installed, and how to install the others."""

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from scanagg.advisories.store import Store, open_store
from scanagg.core import cache
from scanagg.core.process import Stop
from scanagg.core.text import counted, one_line
from scanagg.findings.collect import ScanSetup
from scanagg.inventory import read_inventory
from scanagg.model import Reason
from scanagg.project.target import read_target
from scanagg.reports.reasons import sentence
from scanagg.scanners.base import Lookup, Tool, all_scanners, not_installed, scanner_infos
from scanagg.scanners.config import load_settings
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Limits, Task, find


def command(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
) -> None:
    """List the scanners, their versions, and how to install missing ones."""
    root = path.resolve()
    settings = load_settings(root, scanner_infos())
    target = read_target(root, exclude=settings.exclude)
    inventory = read_inventory(target, None, settings.python)
    limits = Limits(jobs=1, timeout=DEFAULT_TIMEOUT, stop=Stop())
    folder = cache.cache_folder()
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    with contextlib.closing(open_store(folder)) as store:
        setup = ScanSetup(
            limits=limits,
            cache=folder,
            now=datetime.now(UTC),
            scanners=settings.scanners,
            store=store,
        )
        lookup = Lookup("", setup.advisories) if setup.advisories else None
        for task in setup.tasks(all_scanners().values(), target, inventory, lookup):
            tool, problem = find(task, limits)
            version = f" {tool.version}" if tool and tool.version else ""
            style = "bold" if tool else "bold yellow"
            console.print(Text(one_line(f"{task.scanner.INFO.name}{version}"), style))
            for line in _lines(task, tool, problem, store):
                console.print(Text(f"    {one_line(line)}"))


def _lines(task: Task, tool: Tool | None, problem: Reason | None, store: Store) -> Iterator[str]:
    """Yield what a scanner finds, its inputs in the project, and its program."""
    info, context = task.scanner.INFO, task.context
    yield info.about
    inputs = task.scanner.inputs(context)
    count = len(inputs.found) + len(inputs.not_examined)
    amount = counted(count, inputs.unit.removesuffix("s"))
    yield f"inputs here: {amount}" if count else f"no {inputs.unit} for it here"
    yield f"runs as: {tool.shown}" if tool else sentence(not_installed(info))
    if tool and tool.data:
        yield f"{tool.data.name}: {_age(tool.data.updated, context.now)}"
    if info.asks_advisory_store:
        source = task.scanner.advisory_source(context)
        if source is not None:
            yield f"asks: {'the advisory store' if source is store.osv else source.name}"
        if store.osv is None:
            yield "advisory store: none; create it with `scanagg db update`"
        else:
            yield f"advisory store: {store.osv.name}, {_age(store.osv.updated, context.now)}"
        yield from store.problems
    if problem:
        yield f"error: {sentence(problem)}"


def _age(updated: datetime | None, now: datetime) -> str:
    if updated is None:
        return "no date"
    days = max(0, (now - updated).days)
    return f"{updated:%Y-%m-%d}, {counted(days, 'day')} old"
