"""`scanagg db`: update the advisory store, fill it from files, show its contents."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scanagg.advisories import update as updating
from scanagg.advisories.importing import Imported, import_any
from scanagg.advisories.storage import KINDS, is_stored
from scanagg.advisories.store import Phase, open_store
from scanagg.cli import options
from scanagg.cli.output import say, say_json
from scanagg.cli.progress import store_progress
from scanagg.core.cache import cache_folder
from scanagg.core.errors import DownloadError, ExitCode, UsageError
from scanagg.core.text import listed, one_line
from scanagg.model import DataSource
from scanagg.reports.phrases import plural

app = typer.Typer(
    no_args_is_help=True, help="Manage the advisory store: published vulnerabilities, KEV and EPSS."
)

_SECONDS: Final = 900.0
_LONGEST: Final = 86_400.0
_SHOWN_PROBLEMS: Final = 5
# The version of the JSON that `db status` prints.
_VERSION: Final = 1
_INDENT: Final = 6
_MISSING: Final = {
    "absent": "not stored: run `scanagg db update` or `scanagg db import PATH`",
    "unusable": "unusable, see below",
}
_VARIABLES: Final = {
    "osv": "SCANAGG_OSV_URL",
    "kev": "SCANAGG_KEV_URL",
    "epss": "SCANAGG_EPSS_URL",
}


def _url_option(kind: str, data: str) -> Any:
    return typer.Option(
        metavar="URL", envvar=_VARIABLES[kind], help=f"Download {data} from this address."
    )


@app.command("update")
def update(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Update only these: osv, kev, epss."),
    ] = None,
    osv_url: Annotated[str | None, _url_option("osv", "OSV's export for PyPI")] = None,
    kev_url: Annotated[str | None, _url_option("kev", "CISA's KEV catalogue")] = None,
    epss_url: Annotated[str | None, _url_option("epss", "FIRST's EPSS scores")] = None,
    max_time: Annotated[
        float, typer.Option(metavar="SECONDS", help="Stop all downloads after this time.")
    ] = _SECONDS,
    no_progress: options.NoProgress = False,
) -> None:
    """Download the advisory data that has changed.

    If one download fails, the others are still stored, the old data stays, and the exit code is 3.
    """
    if not 0 < max_time <= _LONGEST:
        raise UsageError(
            f"--max-time {max_time:g} is out of range", f"Use 1 to {_LONGEST:.0f} seconds."
        )
    urls = {"osv": osv_url, "kev": kev_url, "epss": epss_url}
    names = options.names_of("data source", only, KINDS) or KINDS
    addresses: dict[str, str] = {
        kind: updating.address_of(kind, urls[kind], f"--{kind}-url ({_VARIABLES[kind]})")
        for kind in KINDS
        if kind in names
    }
    with store_progress(show=not no_progress) as notify:
        results = list(
            updating.update(
                cache_folder(), addresses, seconds=max_time, now=datetime.now(UTC), notify=notify
            )
        )
    errors = [result.error for result in results if isinstance(result.error, DownloadError)]
    if errors and all(error.unreachable for error in errors) and len(errors) == len(results):
        say(
            f"No network: {listed(addresses)} not updated: {errors[0].message}. "
            "Download the files elsewhere, and import them: scanagg db import PATH"
        )
        raise typer.Exit(ExitCode.INCOMPLETE)
    for result in results:
        start = f"{result.kind}: {result.state.value}"
        if result.error is not None:
            say(f"{start}: {result.error.message}. {result.error.hint}".rstrip())
        elif result.imported is None:
            say(start)
        else:
            say(*_imported_lines(f"{start}:", result.imported))
    failed = any(result.error for result in results)
    raise typer.Exit(ExitCode.INCOMPLETE if failed else ExitCode.PASS)


@app.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="An OSV export, a KEV catalogue, EPSS scores, or a folder with any of these."
        ),
    ],
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace the stored data even if the new file has less than half as many records.",
        ),
    ] = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Import advisory data from local files. Each file is recognised by its content."""
    with store_progress(show=not no_progress) as notify:
        imports = import_any(
            path,
            cache_folder(),
            lambda done, whole: notify(one_line(path.name), Phase.STORING, done, whole),
            now=datetime.now(UTC),
            replace=replace,
        )
    for imported in imports:
        say(*_imported_lines(f"{imported.source.name}: stored", imported))


@app.command("status")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    now: options.Now = None,
) -> None:
    """Show the stored data: records, age, source and licence."""
    moment = options.moment_of(now)
    folder = cache_folder()
    with contextlib.closing(open_store(folder, verify=True)) as store:
        sources = {"osv": store.osv, "kev": store.kev, "epss": store.epss}
        problems = store.problems
    states = {
        kind: "present" if source else "unusable" if is_stored(kind, folder) else "absent"
        for kind, source in sources.items()
    }
    if not as_json:
        for kind, source in sources.items():
            first, *more = _source_lines(source, moment) if source else [_MISSING[states[kind]]]
            say(f"{kind:<{_INDENT}}{first}", *(" " * _INDENT + line for line in more))
        say(*problems)
        return
    document = {
        "version": _VERSION,
        "sources": [
            {"kind": kind, "state": states[kind], **_source_values(source, moment)}
            for kind, source in sources.items()
        ],
        "problems": list(problems),
    }
    say_json(document)


def _imported_lines(start: str, imported: Imported) -> Iterator[str]:
    """Yield what was stored, the number of skipped records, and the first problems."""
    source = imported.source
    origin = f", from {source.origin}" if source.origin else ""
    yield f"{start} {_amount(source)}{origin}"
    if imported.refused:
        yield f"  {plural(imported.refused, 'record')} skipped"
    shown = imported.problems[:_SHOWN_PROBLEMS]
    if shown:
        yield f"  {plural(imported.problem_count, 'problem')} in the data:"
        yield from (f"    {problem}" for problem in shown)
    if imported.problem_count > len(shown):
        yield f"    and {imported.problem_count - len(shown):,} more"


def _source_lines(source: DataSource, now: datetime) -> tuple[str, ...]:
    age = _age(source, now)
    old = "" if age is None else f", {plural(age, 'day')} old"
    fetched = source.fetched
    when = f"{fetched.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if fetched else "at an unknown time"
    return (
        f"{_amount(source)}{old}",
        f"from {source.origin or 'an unknown source'}, fetched {when}",
        f"sha256 {source.digest[:12]}, licence: {source.license or 'unknown'}",
    )


def _source_values(source: DataSource | None, now: datetime) -> Mapping[str, object]:
    """Return the values of a kind of data for JSON; null if there is none."""
    if source is None:
        keys = ("records", "updated", "age_days", "license", "origin", "digest", "fetched")
        return dict.fromkeys(keys)
    return {
        "records": source.records,
        "updated": _iso(source.updated),
        "age_days": _age(source, now),
        "license": source.license,
        "origin": source.origin,
        "digest": source.digest,
        "fetched": _iso(source.fetched),
    }


def _amount(source: DataSource) -> str:
    newest = f", newest from {source.updated:%Y-%m-%d}" if source.updated else ""
    return f"{plural(source.records or 0, 'record')}{newest}"


def _age(source: DataSource, now: datetime) -> int | None:
    """Return the days since the newest record. Clocks differ, so a date ahead counts as today."""
    return max((now - source.updated).days, 0) if source.updated else None


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
