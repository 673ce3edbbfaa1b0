"""`scanagg baseline`: write, shrink and show what a project knew of when it began to gate."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scanagg.cli import request as options
from scanagg.core.errors import BaselineError, UsageError
from scanagg.core.text import counted

if TYPE_CHECKING:
    from scanagg.baseline.file import Baseline, BaselineEntry
    from scanagg.cli.baseline_update import Accept

app = typer.Typer(no_args_is_help=True, help="Keep the baseline: findings that are not new.")

_SHOWN: Final = 500
_FOLDER: Final = "The project's folder."
_Slim = Annotated[
    bool, typer.Option("--slim", help="Without line hints; the dates of all lines are lost once.")
]
_NoProgress = Annotated[bool, typer.Option("--no-progress", help="No live progress.")]


@app.command("write")
def write(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    baseline: options.BaselineFile = None,
    only: options.Only = None,
    skip: options.Skip = None,
    python: options.Python = None,
    image: options.Image = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    deadline: options.Deadline = None,
    offline: options.Offline = False,
    now: options.Now = None,
    slim: _Slim = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Let the baseline grow; needs --owner and --reason.")
    ] = False,
    owner: Annotated[str | None, typer.Option(help="Who answers for what is accepted.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is accepted.")] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Accept this one only, repeatable: an id or its beginning."
        ),
    ] = None,
    no_progress: _NoProgress = False,
) -> None:
    """Check, and write all findings that are not waived into the baseline.

    A baseline that is there already only shrinks: what it would grow by is listed, and the exit
    code is 1. A check that is incomplete writes nothing.
    """
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.cli import baseline_update  # noqa: PLC0415

    consent = _consent(accept, owner, reason, finding)
    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        skip=skip,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        deadline=deadline,
        offline=offline,
        now=now,
    )
    code = baseline_update.write(asked, baseline, consent, slim=slim, show=not no_progress)
    raise typer.Exit(code)


@app.command("prune")
def prune(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    baseline: options.BaselineFile = None,
    only: options.Only = None,
    skip: options.Skip = None,
    python: options.Python = None,
    image: options.Image = None,
    jobs: options.Jobs = None,
    timeout: options.Timeout = None,
    deadline: options.Deadline = None,
    offline: options.Offline = False,
    slim: _Slim = False,
    no_progress: _NoProgress = False,
) -> None:
    """Check, and take out of the baseline what matches nothing any more; never add to it."""
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.cli import baseline_update  # noqa: PLC0415

    asked = options.Options(
        path=path,
        policy=policy,
        only=only,
        skip=skip,
        python=python,
        image=image,
        jobs=jobs,
        timeout=timeout,
        deadline=deadline,
        offline=offline,
    )
    baseline_update.prune(asked, baseline, slim=slim, show=not no_progress)


@app.command("show")
def show(
    path: Annotated[Path, typer.Argument(help=_FOLDER)] = Path(),
    baseline: options.BaselineFile = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"Every entry, not the first {_SHOWN} only.")
    ] = False,
) -> None:
    """List the entries of the baseline, since when each is known, and who accepted it."""
    # Imported here: `scanagg --help` need not wait for any of it.
    from scanagg.cli.listing import print_table, say  # noqa: PLC0415
    from scanagg.gate.rules import find_baseline, rule_files  # noqa: PLC0415

    root = options.folder_of(path)
    found = find_baseline(rule_files(root, None), baseline)
    if found is None:
        raise BaselineError("there is no baseline", "Make one with: scanagg baseline write")
    seen = _seen(root, found)
    numbered = list(zip(found.entries, found.lines, strict=True))
    rows = [_row(one, seen.get(line)) for one, line in numbered[: None if every else _SHOWN]]
    if rows:
        print_table(("category", "rule", "where", "since", "accepted by"), rows)
    if len(rows) < len(numbered):
        say(f"the first {len(rows)} of them; --all shows every one")
    say(f"{found.path}: {counted(len(numbered), 'entry', 'entries')}")
    for title, counts in _totals(found):
        said = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        if said:
            say(f"{title}: {said}")


@app.command("key")
def key(path: Annotated[Path, typer.Argument(help=_FOLDER)] = Path()) -> None:
    """Make the project's key, by which secrets are known again, unless there is one."""
    # Imported here: `scanagg --help` need not wait for any of it.
    from scanagg.cli.baseline_update import store  # noqa: PLC0415
    from scanagg.cli.listing import say  # noqa: PLC0415
    from scanagg.project import secret_key  # noqa: PLC0415
    from scanagg.project.trusted import WorkTree  # noqa: PLC0415

    root = options.folder_of(path)
    if secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.PLACE} is there already: nothing to do")
        return
    store(root, secret_key.PLACE, secret_key.new_file_text())
    say(f"made {secret_key.PLACE}: commit it")
    if secret_key.find(WorkTree(root), os.environ) != secret_key.find(WorkTree(root), {}):
        say(f"{secret_key.VARIABLE} is set here and goes before it")


def _consent(
    accept: bool, owner: str | None, reason: str | None, findings: Sequence[str] | None
) -> "Accept | None":
    """What --accept and its options say, None where it is not given. UsageError."""
    # Imported here: `scanagg --help` need not wait for the pipeline.
    from scanagg.cli.baseline_update import Accept  # noqa: PLC0415

    if not accept:
        for name, value in (("owner", owner), ("reason", reason), ("finding", findings)):
            if value:
                raise UsageError(f"--{name} belongs to --accept", "Give --accept as well.")
        return None
    for name, value in (("owner", owner), ("reason", reason)):
        if value is None or not value.strip():
            hint = "A baseline grows only with somebody who answers for it, and why."
            raise UsageError(f"--accept needs --{name}", hint)
    return Accept((owner or "").strip(), (reason or "").strip(), tuple(findings or ()))


def _seen(root: Path, baseline: "Baseline") -> dict[int, datetime]:
    """Since when each line is committed, by its number; empty outside of a repository."""
    # Imported here: `scanagg --help` need not wait for any of it.
    from scanagg.baseline.lookup import first_seen  # noqa: PLC0415
    from scanagg.core.git import Git  # noqa: PLC0415
    from scanagg.project.target import read_target  # noqa: PLC0415

    return dict(first_seen(Git(root), read_target(root), baseline, None))


def _row(one: "BaselineEntry", since: datetime | None) -> tuple[str, ...]:
    line = f":{one.line}" if one.line else ""
    inside = f" in {one.parts.qualname}" if one.parts.qualname else ""
    accepted = f"{one.owner}: {one.reason}" if one.owner else ""
    what = ", ".join(one.ids) or one.parts.rule
    day = since.date().isoformat() if since else "-"
    return (one.parts.category, what, f"{one.parts.path}{line}{inside}", day, accepted)


def _totals(baseline: "Baseline") -> Sequence[tuple[str, Counter[str]]]:
    entries = baseline.entries
    return (
        ("by category", Counter(one.parts.category for one in entries)),
        ("by rule", Counter(one.parts.rule for one in entries if one.parts.rule)),
        ("accepted by", Counter(one.owner for one in entries if one.owner)),
    )
