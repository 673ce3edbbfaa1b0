"""`scanagg db`: update the advisory store, fill it from files, show its contents."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.advisories import update as updating
from scanagg.advisories.importing import Imported, import_any
from scanagg.advisories.store import Phase, is_stored, open_store
from scanagg.cli import options
from scanagg.cli.output import tell
from scanagg.cli.progress import store_progress
from scanagg.core.cache import cache_folder
from scanagg.core.errors import ExitCode, UsageError
from scanagg.core.text import counted, one_line
from scanagg.model import DataSource

app = typer.Typer(no_args_is_help=True, help="Advisories: the store that is kept here.")

_KINDS: Final = ("osv", "kev", "epss")
_SECONDS: Final = 900.0
_SHOWN_PROBLEMS: Final = 5
# The version of the JSON that `db status` prints.
_VERSION: Final = 1
_INDENT: Final = 6
_MISSING: Final = {
    "absent": "not stored; run scanagg db update, or scanagg db import PATH",
    "unusable": "unusable; see below",
}
# In seconds: a day, after which whoever waits has other troubles.
_LONGEST: Final = 86_400.0


@app.command("update")
def update(
    only: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Of osv, kev and epss only these.")
    ] = None,
    osv_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="SCANAGG_OSV_URL", help="Where OSV's export for PyPI is."
        ),
    ] = None,
    kev_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="SCANAGG_KEV_URL", help="Where CISA's catalogue is."),
    ] = None,
    epss_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar="SCANAGG_EPSS_URL", help="Where FIRST's scores are."),
    ] = None,
    max_time: Annotated[
        float, typer.Option(metavar="SECONDS", help="No download goes on after these.")
    ] = _SECONDS,
    no_progress: options.NoProgress = False,
) -> None:
    """Download advisories, KEV and EPSS, each where it has changed.

    One that fails costs no other, and what was stored of it stays; the exit code is then 3.
    """
    if not 0 < max_time <= _LONGEST:
        raise UsageError(f"--max-time {max_time:g} is no time to wait", "Give 1 to 86400 seconds.")
    urls = {"osv": osv_url, "kev": kev_url, "epss": epss_url}
    names = options.names_of("data source", only, _KINDS) or _KINDS
    addresses: dict[str, str] = {
        kind: updating.address_of(kind, urls[kind], f"--{kind}-url (SCANAGG_{kind.upper()}_URL)")
        for kind in _KINDS
        if kind in names
    }
    with store_progress(show=not no_progress) as notify:
        outcomes = list(
            updating.update(
                cache_folder(), addresses, seconds=max_time, now=datetime.now(UTC), notify=notify
            )
        )
    for outcome in outcomes:
        start = f"{outcome.kind}: {outcome.state.value}"
        if outcome.error is not None:
            tell([f"{start}: {outcome.error.message}. {outcome.error.hint}".rstrip()])
        elif outcome.imported is None:
            tell([start])
        else:
            tell(_imported_lines(start, outcome.imported))
    failed = any(outcome.error for outcome in outcomes)
    raise typer.Exit(ExitCode.INCOMPLETE if failed else ExitCode.PASS)


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="An OSV export, a KEV catalogue, EPSS scores, or a folder.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Even by less than half of what is stored.")
    ] = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Fill the store from files that were downloaded elsewhere; what they are shows in them."""
    with store_progress(show=not no_progress) as notify:
        imports = import_any(
            path,
            cache_folder(),
            lambda done, whole: notify(one_line(path.name), Phase.STORING, done, whole),
            now=datetime.now(UTC),
            replace=replace,
        )
    for imported in imports:
        tell(_imported_lines(f"{imported.source.name}: stored", imported))


@app.command("status")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    now: options.Now = None,
) -> None:
    """Tell what is stored: how much, how old, whose, from where; and what is missing."""
    moment = options.time_of(now) or datetime.now(UTC)
    folder = cache_folder()
    with contextlib.closing(open_store(folder)) as store:
        sources = {"osv": store.osv, "kev": store.kev, "epss": store.epss}
        problems = store.problems
    states = {
        kind: "present" if source else "unusable" if is_stored(kind, folder) else "absent"
        for kind, source in sources.items()
    }
    if not as_json:
        for kind, source in sources.items():
            first, *more = _source_lines(source, moment) if source else [_MISSING[states[kind]]]
            tell([f"{kind:<{_INDENT}}{first}", *(" " * _INDENT + line for line in more)])
        tell(problems)
        return
    document = {
        "version": _VERSION,
        "sources": [
            {
                "kind": kind,
                "state": states[kind],
                "records": source.records if source else None,
                "updated": _iso(source.updated) if source else None,
                "age_days": _age(source, moment) if source else None,
                "license": source.license if source else None,
                "origin": source.origin if source else None,
                "digest": source.digest if source else None,
                "fetched": _iso(source.fetched) if source else None,
            }
            for kind, source in sources.items()
        ],
        "problems": list(problems),
    }
    tell(json.dumps(document, indent=2).splitlines())


def _imported_lines(start: str, imported: Imported) -> Iterator[str]:
    """Yield what was stored, how much was left out, and the first records with problems."""
    source = imported.source
    origin = f", from {source.origin}" if source.origin else ""
    yield f"{start}: {_amount(source)}{origin}"
    if imported.refused or imported.problems:
        left_out = f"{counted(imported.refused, 'record')} left out; " if imported.refused else ""
        yield f"  {left_out}of these not all could be used:"
        yield from (f"    {problem}" for problem in imported.problems[:_SHOWN_PROBLEMS])
    if len(imported.problems) > _SHOWN_PROBLEMS:
        yield "    and more"


def _source_lines(source: DataSource, now: datetime) -> Sequence[str]:
    age = _age(source, now)
    old = "" if age is None else f", {counted(age, 'day')} old"
    fetched = source.fetched
    when = f"{fetched.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if fetched else "at an unknown time"
    return (
        f"{_amount(source)}{old}",
        f"from {source.origin or 'an unknown place'}, fetched {when}",
        f"sha256 {source.digest[:12]}, licence: {source.license or 'unknown'}",
    )


def _amount(source: DataSource) -> str:
    newest = f", newest of {source.updated:%Y-%m-%d}" if source.updated else ""
    return f"{counted(source.records or 0, 'record')}{newest}"


def _age(source: DataSource, now: datetime) -> int | None:
    """Return the whole days since the newest record, at least 0: clocks of machines differ."""
    return max((now - source.updated).days, 0) if source.updated else None


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
