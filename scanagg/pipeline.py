"""The stages of a check in order, as one readable list."""

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from scanagg import __version__, cache, policy
from scanagg.adapters import Adapter, Context, ScannerSettings, adapters
from scanagg.config import Settings
from scanagg.correlate import Eyes, correlate
from scanagg.identity import Identity
from scanagg.inventory import read_inventory
from scanagg.model import (
    Clock,
    Coverage,
    Gate,
    Inventory,
    Report,
    Run,
    Status,
    Target,
)
from scanagg.normalise import mask_run, normalise, redactor
from scanagg.process import Stop
from scanagg.redact import Redactor
from scanagg.reporters import file_names
from scanagg.scan import DEFAULT_TIMEOUT, Event, Limits, Scanned, Task, scan
from scanagg.sources import Sources
from scanagg.target import CONFIGURED, NESTED, read_target

_Made = TypeVar("_Made", bound=Sized)
IMAGE_SCANNER: Final = "trivy"
"""The scanner that looks at container images."""

_LOG: Final = logging.getLogger("scanagg")
REPORTS: Final = "reports"
"""The folder for reports, in the project, where nothing else is said."""

_SKIPPED: Final = "skipped on the command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be checked and how. Times are in seconds; None means: as configured, or default.

    `only` and `skip` are names of scanners; `output_dir` is where reports of earlier checks lie,
    which are not looked at.
    """

    path: Path
    settings: Settings
    policy: policy.Policy
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    python: Path | None = None
    image: str | None = None
    offline: bool = False
    jobs: int | None = None
    timeout: float | None = None
    now: datetime | None = None
    output_dir: Path | None = None
    stop: Stop = field(default_factory=Stop)


def check(request: Request, notify: Callable[[Event], None]) -> Report:
    """Run every stage; the report of what is known, also after an interruption.

    Raises TargetError where the path cannot be checked, ConfigError where there is no cache
    folder. What goes wrong with a scanner is in its run, not raised.
    """
    clock = Clock(request.now or datetime.now(UTC), given=request.now is not None)
    target = read_target(request.path, exclude=_excluded(request), stop=request.stop)
    _LOG.info("target: %d files, %d skipped", len(target.files), len(target.skipped))
    inventory = read_inventory(target, request.python or request.settings.python)
    _LOG.info(
        "inventory: %d manifests to %d packages", len(inventory.manifests), len(inventory.packages)
    )

    scanned = scan(_tasks(request, target, inventory, clock), _limits(request), notify)
    said = [one for each in scanned for one in each.observations]
    sources = Sources(target)
    observations = _logged("normalise", said, normalise(said, inventory, sources))
    mask = redactor(observations, (value for each in scanned for value in each.secrets))
    eyes = Eyes(sources, mask, _identity(target, sources, mask))
    findings = _logged("correlate", observations, correlate(observations, eyes))
    judged = _logged("policy", findings, policy.decide(findings, request.policy))
    runs = _runs(request, scanned, mask, clock)
    gate = policy.judge_runs(
        runs,
        judged,
        request.policy,
        required=frozenset(request.only),
        files=[file.path for file in target.files],
        now=clock.now,
        interrupted=request.stop.interrupted,
        problems=_problems(request, runs),
    )
    return Report(
        version=__version__,
        target=target,
        policy=request.policy.info,
        clock=clock,
        runs=runs,
        findings=judged,
        gate=_with_notices(gate, request, target),
    )


def chosen(only: Sequence[str], skip: Sequence[str]) -> Mapping[str, Adapter]:
    """The adapters that are to run, by name."""
    return {
        name: adapter
        for name, adapter in adapters().items()
        if (not only or name in only) and name not in skip
    }


def _logged(stage: str, before: Sized, made: _Made) -> _Made:
    _LOG.info("%s: %d in, %d out", stage, len(before), len(made))
    return made


def _excluded(request: Request) -> tuple[str, ...]:
    """The configured patterns, and the reports of earlier checks, wherever they were put."""
    root = request.path.resolve()
    usual = (root / REPORTS, root / (request.settings.output_dir or REPORTS))
    folders = {folder.resolve() for folder in (*usual, request.output_dir or usual[0])}
    inside = sorted(folder for folder in folders if folder.is_relative_to(root))
    below = [PurePosixPath(folder.relative_to(root).as_posix()) for folder in inside]
    own = (f"/{_literal(str(folder / name))}" for folder in below for name in file_names())
    return (*request.settings.exclude, *own)


def _literal(path: str) -> str:
    """A path as a pattern of .gitignore that matches nothing else."""
    return re.sub(r"([\\*?\[\]! #])", r"\\\1", path)


def _tasks(request: Request, target: Target, inventory: Inventory, clock: Clock) -> Sequence[Task]:
    folder = cache.cache_folder()
    cache.sweep(folder)
    cores = os.cpu_count() or 1
    base = Context(
        target=target,
        inventory=inventory,
        settings=ScannerSettings(),
        cache=folder,
        now=clock.now,
        python=inventory.python,
        image=request.image,
        offline=request.offline,
        workers=min(cores, _jobs(request)),
    )
    settings = request.settings.scanners
    return [
        Task(adapter, replace(base, settings=settings.get(name, base.settings)))
        for name, adapter in chosen(request.only, request.skip).items()
    ]


def _limits(request: Request) -> Limits:
    timeout = request.timeout or request.settings.timeout or DEFAULT_TIMEOUT
    return Limits(jobs=_jobs(request), timeout=timeout, stop=request.stop)


def _jobs(request: Request) -> int:
    """Programs at once. By default no scanner waits for another: most wait for the network."""
    by_default = len(adapters()) + (os.cpu_count() or 1)
    return request.jobs or request.settings.jobs or by_default


def _identity(target: Target, sources: Sources, mask: Redactor) -> Identity:
    prefix = target.revision.prefix if target.revision else ""
    return Identity(sources, mask, prefix, os.environ.get("SCANAGG_PROJECT_KEY"))


def _runs(
    request: Request, scanned: Iterable[Scanned], mask: Redactor, clock: Clock
) -> tuple[Run, ...]:
    """The runs, and one for each scanner that was skipped by name: it is missing, not clean."""
    skipped = [
        Run(
            scanner=name,
            version=None,
            status=Status.MISSING,
            detail=_SKIPPED,
            coverage=Coverage("inputs"),
            started=clock.now,
        )
        for name in request.skip
    ]
    runs = (*(mask_run(each.run, mask) for each in scanned), *skipped)
    return tuple(sorted(runs, key=lambda run: run.scanner))


def _problems(request: Request, runs: Iterable[Run]) -> tuple[str, ...]:
    """Gaps that no scanner's requirement covers: an image that was named was to be looked at."""
    if request.image is None:
        return ()
    for run in runs:
        gaps = {gap.input for gap in run.coverage.not_examined}
        whole = run.status in (Status.OK, Status.DEGRADED)
        if run.scanner == IMAGE_SCANNER and whole and f"image:{request.image}" not in gaps:
            return ()
    return (f"the image {request.image} was not examined",)


def _with_notices(gate: Gate, request: Request, target: Target) -> Gate:
    """The gate with what the stages before it have to say."""
    notices = [*gate.notices, *target.notices]
    if request.only:
        left = sorted(set(adapters()) - set(request.only))
        notices.append(f"only {', '.join(request.only)} ran; not {', '.join(left)}")
    nested = [gap.input for gap in target.skipped if gap.reason == NESTED]
    if nested:
        notices.append(f"not looked at, for each is a repository of its own: {', '.join(nested)}")
    if request.settings.exclude:
        count = sum(gap.reason == CONFIGURED for gap in target.skipped)
        notices.append(f"the configuration excludes {count} files from every scanner")
    return replace(gate, notices=tuple(notices))
