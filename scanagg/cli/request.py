"""The options that commands share, and the request that they make to the pipeline."""

import difflib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from scanagg.core.cache import write_atomically
from scanagg.core.errors import PolicyError, ScanaggError, UsageError
from scanagg.core.process import Stop
from scanagg.core.times import as_utc
from scanagg.gate.rules import load_rules, rule_files
from scanagg.pipeline import REPORTS, Request, chosen
from scanagg.policy import Policy, looser_enforcement
from scanagg.scanners.base import all_scanners
from scanagg.scanners.config import Settings

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
    """The options of a check; None for those that were not given."""

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
    """Return the request for a check. UsageError, ConfigError, PolicyError, BaselineError."""
    for name in ("policy", "policy_ref", "base", "baseline", "image"):
        value = getattr(options, name)
        # An unset variable in a script must not read as an omitted option.
        if value is not None and not value.strip():
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is empty", "Give a value, or leave the option out.")
    known = tuple(all_scanners())
    only, skip = scanner_names(options.only, known), scanner_names(options.skip, known)
    both = sorted(set(only) & set(skip))
    if both:
        raise UsageError(f"{', '.join(both)}: both in --only and in --skip", "Choose one.")
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
    """Return the path as an absolute one; the target finds out if it can be checked."""
    return path.absolute() if not path.exists() else path.resolve()


def scanner_names(given: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the names between commas, sorted. UsageError for the name of no scanner."""
    names = [name.strip() for value in given or () for name in value.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"no scanner is called {name!r}", suggestion(name, known))
    return tuple(sorted(set(names)))


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return a hint with the most similar name, and all names."""
    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.5)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{guess}There are: {', '.join(known)}."


def enforced(policy: Policy, given: str | None) -> Policy:
    """Return the policy with the enforcement of the command line. UsageError, PolicyError."""
    if given is None:
        return policy
    if given not in ("block", "warn"):
        raise UsageError(f"--enforcement {given!r} is neither block nor warn", "Use one of these.")
    problem = looser_enforcement(policy, given)
    if problem:
        raise PolicyError(problem, "Leave --enforcement out.")
    return replace(policy, enforcement=given)


def time_of(text: str | None) -> datetime | None:
    """Return an ISO time or date as UTC; None for None. UsageError for anything else."""
    if text is None:
        return None
    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--now {text!r} is not an ISO time", "Write it like 2026-01-31T12:00:00Z."
        ) from error


def last_report(root: Path, settings: Settings) -> Path:
    """Return the place where the last check of a project left its report."""
    return root / (settings.output_dir or REPORTS) / "scanagg.json"


def store(
    file: Path, text: str, error: type[ScanaggError], *, shown: str = "", mode: int | None = None
) -> None:
    """Write a file of the project atomically. An error of this type if that fails."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, [text])
        if mode is not None:
            file.chmod(mode)
    except OSError as problem:
        message = f"cannot write {shown or file}: {problem.strerror or problem}"
        raise error(message, "Make its folder writable.") from problem
