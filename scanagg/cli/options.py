"""The options that commands share, each declared once, and their values."""

import difflib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import replace

from scanagg.cli import completion
from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.times import as_utc
from scanagg.model import Clock
from scanagg.policy.load import load_policy, looser_enforcement
from scanagg.policy.schema import Policy
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import Settings, load_settings

_FIRST_YEAR, _LAST_YEAR = 1970, 2999

Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
PolicyName = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME_OR_PATH",
        autocompletion=completion.policies,
        help="Judge by this ready-made policy or policy file. Default: the project's policy.",
    ),
]
PolicyRef = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Read policy, waivers, baseline and configuration from this commit, so that the "
        "change under check cannot modify them.",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Compare with the merge base of this commit and HEAD: what it contains is not new. "
        "Default: the target branch of the pull request, if any.",
    ),
]
BaselineFile = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="PATH",
        help="Use this baseline file. Default: policies/baseline.json.",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B",
        autocompletion=completion.scanners,
        help="Run only these scanners, and require each of them.",
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A,B", autocompletion=completion.scanners, help="Do not run these scanners."
    ),
]
Python = Annotated[
    Path | None,
    typer.Option(help="Read installed packages from this interpreter or virtual environment."),
]
Image = Annotated[
    str | None, typer.Option(metavar="REF", help="Scan this container image as well.")
]
OutputDir = Annotated[
    Path | None,
    typer.Option(help="Write reports to this folder. Default: reports/ in the project."),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Run at most this many programs at once.")]
Timeout = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="SECONDS", help="Stop each scanner after this time."),
]
Deadline = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="SECONDS", help="Stop the whole check after this time."),
]
Enforcement = Annotated[
    str | None,
    typer.Option(
        metavar="block|warn",
        autocompletion=lambda: ["block", "warn"],
        help="Use warn to report findings without failing.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option("--offline", help="Use only data on this machine, not the network."),
]
NoResolve = Annotated[
    bool,
    typer.Option(
        "--no-resolve",
        envvar="SCANAGG_NO_RESOLVE",
        help="Do not resolve requirements that no lock pins. They are not audited.",
    ),
]
Now = Annotated[
    str | None,
    typer.Option(metavar="ISO-TIME", help="Judge as if it were this time, in UTC."),
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Do not show live progress.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only the verdict.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print every finding in detail.")]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a check; None for those that are not given."""

    path: Folder = Path()
    policy: PolicyName = None
    policy_ref: PolicyRef = None
    base: Base = None
    baseline: BaselineFile = None
    only: Only = None
    skip: Skip = None
    python: Python = None
    image: Image = None
    output_dir: OutputDir = None
    jobs: Jobs = None
    timeout: Timeout = None
    deadline: Deadline = None
    enforcement: Enforcement = None
    offline: Offline = False
    no_resolve: NoResolve = False
    now: Now = None


def with_options(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command all options of a check but for some.

    The command gets their values as `Options`, its first argument.
    """
    fields = [field for field in msgspec.structs.fields(Options) if field.name not in without]
    shared = [
        Parameter(
            field.name,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=field.default,
            annotation=field.type,
        )
        for field in fields
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = signature(command, eval_str=True).parameters.values()

        @wraps(command)
        def run(**values: Any) -> None:
            options = Options(**{field.name: values.pop(field.name) for field in fields})
            command(options, **values)

        # Typer reads the options of a command from its signature.
        parameters = [*shared, *own]
        vars(run)["__signature__"] = Signature(parameters)
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def folder_of(path: Path) -> Path:
    """Return the path as an absolute one; it need not exist."""
    return path.resolve() if path.exists() else path.absolute()


def refuse_with_report(options: Options, names: Sequence[str]) -> None:
    """Raise UsageError for any of these options: those of a check do not change a report."""
    values = [(name, getattr(options, name)) for name in names]
    given = [f"--{name}" for name, value in values if value not in (None, False)]
    if given:
        hint = "Leave them out, or leave --report out to check again."
        raise UsageError(f"{', '.join(given)} cannot be used with --report", hint)


def require_value(option: str, value: str | None) -> None:
    """Raise UsageError if an option is given but empty, as by an unset variable in a script."""
    if value is not None and not value.strip():
        raise UsageError(f"{option} is empty", "Give it a value, or leave it out.")


def names_of(kind: str, values: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the names between commas, each once. UsageError for one that is not known."""
    names = [name.strip() for value in values or () for name in value.split(",")]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.5)
            guess = f"Did you mean {near[0]}? " if near else ""
            hint = f"{guess}Available: {', '.join(known)}."
            raise UsageError(f"unknown {kind} {name!r}", hint)
    return tuple(dict.fromkeys(names))


def time_of(text: str | None) -> datetime | None:
    """Return an ISO time or date as UTC; None for None. UsageError for anything else."""
    if text is None:
        return None
    hint = "Write it like this: --now 2026-01-31T12:00:00Z"
    try:
        moment = as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--now {text!r} is not an ISO time", hint) from error
    # Durations of a policy reach 2,000 years, and dates end in the year 9999.
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        message = f"--now {text!r} is not between the years {_FIRST_YEAR} and {_LAST_YEAR}"
        raise UsageError(message, hint)
    return moment


def moment_of(text: str | None) -> datetime:
    """Return an ISO time or date as UTC; the present for None. UsageError for anything else."""
    return time_of(text) or datetime.now(UTC)


def clock_of(text: str | None) -> Clock | None:
    """Return the clock that an ISO time or date sets; None for None. UsageError."""
    moment = time_of(text)
    return Clock(moment, given=True) if moment else None


def enforced(policy: Policy, enforcement: str | None) -> Policy:
    """Return the policy with the enforcement of the command line. UsageError, PolicyError."""
    if enforcement is None:
        return policy
    if enforcement not in ("block", "warn"):
        hint = "Use --enforcement block or --enforcement warn."
        raise UsageError(f"unknown enforcement {enforcement!r}", hint)
    problem = looser_enforcement(policy, enforcement)
    if problem:
        raise PolicyError(problem, "Leave --enforcement out.")
    return replace(policy, enforcement=enforcement)


def project_policy(name: str | None, root: Path) -> tuple[Settings, Policy]:
    """Return the settings of the project at `root`, and the policy of its checks.

    `name` is the value of --policy. UsageError, ConfigError, PolicyError.
    """
    require_value("--policy", name)
    settings = load_settings(root, scanner_infos())
    return settings, load_policy(name, root, settings.policy)
