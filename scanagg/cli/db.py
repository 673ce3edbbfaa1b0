"""`scanagg db`: bring the advisory store up to date, fill it from files, tell what is in it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from scanagg.advisories import update as updating
from scanagg.advisories.importing import Imported, import_any
from scanagg.advisories.store import Phase, Store, is_stored, open_store
from scanagg.advisories.update import UpdateResult
from scanagg.cli import request as options
from scanagg.cli.output import tell
from scanagg.cli.progress import store_progress
from scanagg.core.cache import cache_folder
from scanagg.core.errors import ExitCode, UsageError
from scanagg.core.text import counted, one_line
from scanagg.model import DataSource

app = typer.Typer(no_args_is_help=True, help="Advisories: the store that is kept here.")

_KINDS: Final = ("osv", "kev", "epss")
_SECONDS: Final = 900.0
_NAMED: Final = 5
_DIGEST: Final = 12
# The version of the JSON that `db status` prints.
_VERSION: Final = 1
_INDENT: Final = 6
_MISSING: Final = {
    "absent": "not stored; run scanagg db update, or scanagg db import PATH",
    "unusable": "unusable; see below",
}
# In seconds: a day, after which whoever waits has other troubles.
_LONGEST: Final = 86_400.0

_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]


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
    no_progress: _NoProgress = False,
) -> None:
    """Download advisories, KEV and EPSS, each where it has changed.

    One that fails costs no other, and what was stored of it stays; the exit code is then 3.
    """

    if not 0 < max_time <= _LONGEST:
        raise UsageError(f"--max-time {max_time:g} is no time to wait", "Give 1 to 86400 seconds.")
    given = {"osv": osv_url, "kev": kev_url, "epss": epss_url}
    named = _kinds(only)
    addresses = {
        kind: updating.address_of(kind, given[kind], f"--{kind}-url (SCANAGG_{kind.upper()}_URL)")
        for kind in named
    }
    with store_progress(show=not no_progress) as notify:
        outcomes = list(
            updating.update(
                cache_folder(), addresses, seconds=max_time, now=datetime.now(UTC), notify=notify
            )
        )
    for outcome in outcomes:
        tell(_outcome_lines(outcome))
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
    no_progress: _NoProgress = False,
) -> None:
    """Fill the store from files that were downloaded elsewhere; what they are shows in them."""

    with store_progress(show=not no_progress) as notify:
        found = import_any(
            path,
            cache_folder(),
            lambda done, whole: notify(one_line(path.name), Phase.STORING, done, whole),
            now=datetime.now(UTC),
            replace=replace,
        )
    for imported in found:
        tell([f"{imported.source.name}: stored: {_facts(imported.source)}", *_refused(imported)])


@app.command("status")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    now: options.Now = None,
) -> None:
    """Tell what is stored: how much, how old, whose, from where; and what is missing."""

    moment = options.time_of(now) or datetime.now(UTC)
    cache = cache_folder()
    store = open_store(cache)
    store.close()
    states = {
        kind: "present" if source else "unusable" if is_stored(kind, cache) else "absent"
        for kind, source in _by_kind(store).items()
    }
    if as_json:
        tell(json.dumps(_document(store, states, moment), indent=2).splitlines())
    else:
        tell(_page(store, states, moment))


def _kinds(only: Sequence[str] | None) -> Sequence[str]:
    """The kinds between commas, in their order. UsageError for one that there is not."""
    if only is None:
        return _KINDS
    names = {name.strip() for value in only for name in value.split(",")}
    for name in sorted(names):
        if name not in _KINDS:
            raise UsageError(f"--only {name!r}: no such data", options.suggestion(name, _KINDS))
    return tuple(kind for kind in _KINDS if kind in names)


def _outcome_lines(outcome: UpdateResult) -> Sequence[str]:
    begin = f"{outcome.kind}: {outcome.state.value}"
    if outcome.error is not None:
        return [f"{begin}: {outcome.error.message}. {outcome.error.hint}".rstrip()]
    if outcome.imported is None:
        return [begin]
    return [f"{begin}: {_facts(outcome.imported.source)}", *_refused(outcome.imported)]


def _facts(source: DataSource) -> str:
    return f"{_amount(source)}, from {source.origin}" if source.origin else _amount(source)


def _amount(source: DataSource) -> str:
    newest = f", newest of {source.updated:%Y-%m-%d}" if source.updated else ""
    return f"{counted(source.records or 0, 'record')}{newest}"


def _refused(imported: Imported) -> Sequence[str]:
    """How many records were left out, and the first things that could not be used, by record."""
    if not imported.refused and not imported.problems:
        return ()
    named = [f"    {problem}" for problem in imported.problems[:_NAMED]]
    more = ["    and more"] if len(imported.problems) > _NAMED else []
    left_out = f"{counted(imported.refused, 'record')} left out; " if imported.refused else ""
    return [f"  {left_out}of these not all could be used:", *named, *more]


def _page(store: Store, states: Mapping[str, str], now: datetime) -> Iterator[str]:
    for kind, source in _by_kind(store).items():
        if source is None:
            yield f"{kind:<{_INDENT}}{_MISSING[states[kind]]}"
        else:
            first, *more = _said_of(source, now)
            yield f"{kind:<{_INDENT}}{first}"
            yield from (" " * _INDENT + line for line in more)
    yield from store.problems


def _said_of(source: DataSource, now: datetime) -> Iterator[str]:
    age = _age(source, now)
    old = "" if age is None else f", {counted(age, 'day')} old"
    yield f"{_amount(source)}{old}"
    yield f"from {source.origin or 'an unknown place'}, fetched {_minute(source.fetched)}"
    yield f"sha256 {source.digest[:_DIGEST]}, licence: {source.license or 'unknown'}"


def _document(store: Store, states: Mapping[str, str], now: datetime) -> Mapping[str, object]:
    return {
        "version": _VERSION,
        "sources": [
            {
                "kind": kind,
                "state": states[kind],
                "records": source.records if source else None,
                "updated": _iso(source.updated) if source else None,
                "age_days": _age(source, now) if source else None,
                "license": source.license if source else None,
                "origin": source.origin if source else None,
                "digest": source.digest if source else None,
                "fetched": _iso(source.fetched) if source else None,
            }
            for kind, source in _by_kind(store).items()
        ],
        "problems": list(store.problems),
    }


def _by_kind(store: Store) -> Mapping[str, DataSource | None]:
    return {"osv": store.osv, "kev": store.kev, "epss": store.epss}


def _age(source: DataSource, now: datetime) -> int | None:
    """Whole days since the newest record; none below, for the clocks of two machines differ."""
    return max((now - source.updated).days, 0) if source.updated else None


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "at an unknown time"


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
