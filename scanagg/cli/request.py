"""What a command asks of the pipeline, from the options that all checking commands share."""

import difflib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.process import Stop
from scanagg.gate.rules import load_rules, rule_files
from scanagg.pipeline import REPORTS, Request, chosen
from scanagg.policy import Policy, looser_enforcement
from scanagg.scanners.base import all_scanners

Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
PolicyName = Annotated[
    str | None, typer.Option("--policy", metavar="NAME_OR_PATH", help="The policy that judges.")
]
PolicyRef = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Read policy, waivers, baseline and configuration from this commit, which the change "
        "under check cannot touch.",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Findings that are there in this commit (its merge base with HEAD) are not new. "
        "Default: in a pull request, the branch it goes to.",
    ),
]
BaselineFile = Annotated[
    str | None,
    typer.Option(
        "--baseline", metavar="PATH", help="A baseline file. Default: policies/baseline.json."
    ),
]
Only = Annotated[
    list[str] | None, typer.Option(metavar="A,B", help="Run these scanners; each is required.")
]
Skip = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Do not run these scanners.")]
Python = Annotated[
    Path | None, typer.Option(help="The project's interpreter or virtual environment.")
]
Image = Annotated[
    str | None, typer.Option(metavar="REF", help="A container image to scan as well.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Programs at once.")]
Timeout = Annotated[
    float | None, typer.Option(min=0.1, metavar="SECONDS", help="For each scanner.")
]
Deadline = Annotated[
    float | None, typer.Option(min=0.1, metavar="SECONDS", help="For the whole run.")
]
Enforcement = Annotated[
    str | None,
    typer.Option(metavar="block|warn", help="warn: report alike, but findings do not fail."),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Use no network, only data that is already here.")
]
Now = Annotated[str | None, typer.Option(metavar="ISO-TIME", help="Judge as at this time, UTC.")]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options as given; None and empty where they were not."""

    path: Path
    policy: str | None = None
    policy_ref: str | None = None
    base: str | None = None
    baseline: str | None = None
    only: Sequence[str] | None = None
    skip: Sequence[str] | None = None
    python: Path | None = None
    image: str | None = None
    output_dir: Path | None = None
    jobs: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    enforcement: str | None = None
    offline: bool = False
    now: str | None = None


def request_of(options: Options) -> Request:
    """The request that the options make. UsageError, ConfigError, PolicyError, BaselineError."""

    _refuse_empty(
        policy=options.policy,
        policy_ref=options.policy_ref,
        base=options.base,
        baseline=options.baseline,
        image=options.image,
    )
    known = tuple(all_scanners())
    only, skip = scanner_names(options.only, known), scanner_names(options.skip, known)
    _check_choice(only, skip)
    able = [name for name, one in all_scanners().items() if one.INFO.scans_images]
    if options.image and not chosen(only, skip).keys() & able:
        names = " or ".join(able)
        raise UsageError(f"--image needs {names}", f"Let {names} run as well.")
    root = folder_of(options.path)
    named = (options.policy, os.environ, options.baseline)
    files = rule_files(root, options.policy_ref)
    rules = load_rules(root, files, *named)
    wanted = enforced(rules.policy, options.enforcement)
    own = None if files.ref is None else lambda: load_rules(root, rule_files(root, None), *named)
    return Request(
        path=root,
        rules=replace(rules, policy=wanted),
        own_rules=own,
        only=only,
        skip=skip,
        python=options.python,
        image=options.image,
        offline=options.offline,
        jobs=options.jobs,
        timeout=options.timeout,
        now=time_of(options.now),
        output_dir=options.output_dir or root / (rules.settings.output_dir or REPORTS),
        base=options.base,
        environ=os.environ,
        stop=Stop(options.deadline or rules.settings.deadline),
    )


def folder_of(path: Path) -> Path:
    """The path as given, absolute; whether it can be checked is the target's to say."""
    return path.absolute() if not path.exists() else path.resolve()


def scanner_names(given: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Names between commas, each once, sorted. UsageError for one that no scanner has."""
    names = [name.strip() for value in given or () for name in value.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"no scanner is called {name!r}", suggestion(name, known))
    return tuple(sorted(set(names)))


def suggestion(name: str, known: Sequence[str]) -> str:
    """What the user may have meant, and all there is."""

    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{guess}There are: {', '.join(known)}."


def enforced(policy: Policy, given: str | None) -> Policy:
    """The policy with the enforcement of the command line, if any. UsageError, PolicyError."""

    if given is None:
        return policy
    if given not in ("block", "warn"):
        raise UsageError(f"--enforcement {given!r} is neither block nor warn", "Use one of these.")
    problem = looser_enforcement(policy, given)
    if problem:
        raise PolicyError(problem, "Leave --enforcement out.")
    return replace(policy, enforcement=given)


def time_of(text: str | None) -> datetime | None:
    """An ISO time or date as UTC; None for None. UsageError for anything else."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--now {text!r} is not an ISO time", "Write it like 2026-01-31T12:00:00Z."
        ) from error


def _refuse_empty(**given: str | None) -> None:
    """An unset variable of a script must not read as an option that was not given."""
    for name, value in given.items():
        if value is not None and not value.strip():
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is empty", "Give a value, or leave the option out.")


def _check_choice(only: Sequence[str], skip: Sequence[str]) -> None:
    both = sorted(set(only) & set(skip))
    if both:
        raise UsageError(f"{', '.join(both)}: both in --only and in --skip", "Choose one.")
