"""The stages of a check in order, as one readable list."""

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg import __version__, policy
from scanagg.advisories import Store, open_store
from scanagg.baseline import BaseOptions, find_base, trace
from scanagg.baseline.file import foreign
from scanagg.core import cache
from scanagg.core.errors import StoreError
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.findings.collect import FRESH, ScanSetup, collect_findings, is_whole, logged
from scanagg.gate.rules import ProjectRules
from scanagg.gate.tampering import attempts
from scanagg.inventory import read_inventory
from scanagg.model import (
    Clock,
    Coverage,
    Finding,
    Inventory,
    Report,
    Run,
    Status,
    Target,
    Terms,
    Upgrade,
)
from scanagg.policy.grace import span
from scanagg.project.target import CONFIGURED, NESTED, read_target
from scanagg.reports.base import file_names
from scanagg.scanners.base import Scanner, all_scanners, scanner_info, scanner_infos
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Event, Limits
from scanagg.upgrades import plan

_LOG: Final = logging.getLogger("scanagg")
REPORTS: Final = "reports"
"""The folder for reports, in the project, where nothing else is said."""

_SKIPPED: Final = "skipped on the command line"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked and how. Times are in seconds; None means: as configured, or default.

    `rules` judge; `own_rules` loads those of the work tree where these are not the same. `only`
    and `skip` are names of scanners; `output_dir` is where reports of earlier checks lie, which
    are not looked at. `base` names the commit to compare with, `environ` may tell it in a pull
    request.
    """

    path: Path
    rules: ProjectRules
    own_rules: Callable[[], ProjectRules] | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    python: Path | None = None
    image: str | None = None
    offline: bool = False
    jobs: int | None = None
    timeout: float | None = None
    now: datetime | None = None
    output_dir: Path | None = None
    base: str | None = None
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)
    stop: Stop = msgspec.field(default_factory=Stop)


def check(request: Request, notify: Callable[[Event], None]) -> Report:
    """Run every stage; the report of what is known, also after an interruption.

    Raises TargetError where the path cannot be checked, ConfigError where there is no cache
    folder, StoreError where this machine has no socket to serve the advisory store from. What goes
    wrong with a scanner is in its run, not raised.
    """
    folder = cache.cache_folder()
    cache.sweep(folder)
    with contextlib.closing(open_store(folder)) as store:
        return _check(request, notify, folder, store)


def _check(request: Request, notify: Callable[[Event], None], folder: Path, store: Store) -> Report:
    clock = Clock(request.now or datetime.now(UTC), given=request.now is not None)
    target = read_target(
        request.path,
        exclude=request.rules.settings.exclude,
        reports=_reports(request),
        stop=request.stop,
    )
    base = find_base(target, _asked(request), request.stop)
    inventory = read_inventory(target, request.python or request.rules.settings.python)
    _LOG.info("target: %d files, %d skipped", len(target.files), len(target.skipped))
    logged("inventory", inventory.manifests, inventory.packages)
    setup = _scan_setup(request, clock, folder, store)
    collected = collect_findings(setup, _scanners(request), target, inventory, notify)
    traced = trace(collected.findings, collected.runs, base, target, inventory, setup, notify)
    decision = policy.decide(traced.findings, request.rules.policy, clock.now)
    logged("policy", traced.findings, decision.judged)
    upgrades, unread = _upgrades(decision, inventory, store)
    runs = _runs(request, collected.runs, clock)
    terms = Terms(
        only=request.only,
        problems=(
            *_problems(request, runs),
            *_placed(setup, dict.fromkeys((*collected.problems, *unread))),
        ),
        notices=(
            *(*base.notices, *traced.notices),
            *(*_notices(request, target), *_store_notices(request, setup)),
        ),
    )
    gate = policy.judge_runs(
        runs,
        decision,
        request.rules.policy,
        required=frozenset(terms.only),
        files=[file.path for file in target.files],
        now=clock.now,
        interrupted=request.stop.interrupted,
        problems=terms.problems,
        data=store.sources,
    )
    gate = replace(gate, attempts=_attempts(request, target, traced.findings, decision, clock))
    return Report(
        version=__version__,
        target=target,
        policy=request.rules.policy.info,
        clock=clock,
        runs=runs,
        findings=decision.judged,
        gate=replace(gate, notices=(*gate.notices, *terms.notices)),
        base=base.info,
        waivers=decision.waivers,
        licenses=decision.licenses,
        terms=terms,
        packages=inventory.packages,
        data=store.sources,
        upgrades=upgrades,
        scanners=scanner_infos(),
    )


def _asked(request: Request) -> BaseOptions:
    rules = request.rules
    return BaseOptions(
        ref=request.base,
        against=rules.policy.file.new_code.against,
        baseline=rules.baseline,
        ref_of_rules=rules.files.ref,
        environ=request.environ,
    )


def _attempts(
    request: Request,
    target: Target,
    findings: Sequence[Finding],
    decision: policy.Decision,
    clock: Clock,
) -> tuple[str, ...]:
    """What the change does to its own gate; nothing where the gate is its own."""
    if request.own_rules is None:
        return ()
    rules = request.rules
    return attempts(rules, request.own_rules, target, findings, decision.judged, clock.now)


def chosen(only: Sequence[str], skip: Sequence[str]) -> Mapping[str, Scanner]:
    """The scanners that are to run, by name."""
    return {
        name: scanner
        for name, scanner in all_scanners().items()
        if (not only or name in only) and name not in skip
    }


def _scanners(request: Request) -> Sequence[Scanner]:
    return tuple(chosen(request.only, request.skip).values())


def _reports(request: Request) -> tuple[str, ...]:
    """Patterns of the reports of earlier checks, wherever they were put."""
    root = request.path.resolve()
    usual = (root / REPORTS, root / (request.rules.settings.output_dir or REPORTS))
    folders = {folder.resolve() for folder in (*usual, request.output_dir or usual[0])}
    inside = sorted(folder for folder in folders if folder.is_relative_to(root))
    below = [PurePosixPath(folder.relative_to(root).as_posix()) for folder in inside]
    return tuple(f"/{_literal(str(folder / name))}" for folder in below for name in file_names())


def _literal(path: str) -> str:
    """A path as a pattern of .gitignore that matches nothing else."""
    return re.sub(r"([\\*?\[\]! #])", r"\\\1", path)


def _scan_setup(request: Request, clock: Clock, folder: Path, store: Store) -> ScanSetup:
    return ScanSetup(
        limits=_limits(request),
        cache=folder,
        now=clock.now,
        scanners=request.rules.settings.scanners,
        offline=request.offline,
        workers=min(os.cpu_count() or 1, _jobs(request)),
        image=request.image,
        key=request.rules.key,
        public=frozenset(map(_digest, request.rules.policy.files.values())),
        store=store,
        max_age=store_age(request.rules.policy),
    )


def store_age(rules: policy.Policy) -> timedelta:
    """How old the advisory store may be for scanners to be given it while there is a network."""
    ages = [
        span(entry.db_max_age)
        for name, entry in rules.file.scanners.items()
        if entry.db_max_age and scanner_info(name).asks_advisory_store
    ]
    return min(ages, default=FRESH)


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _limits(request: Request) -> Limits:
    timeout = request.timeout or request.rules.settings.timeout or DEFAULT_TIMEOUT
    return Limits(jobs=_jobs(request), timeout=timeout, stop=request.stop)


def _jobs(request: Request) -> int:
    """Programs at once. By default no scanner waits for another: most wait for the network."""
    by_default = len(all_scanners()) + (os.cpu_count() or 1)
    return request.jobs or request.rules.settings.jobs or by_default


def _runs(request: Request, examined: Sequence[Run], clock: Clock) -> tuple[Run, ...]:
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
    return tuple(sorted((*examined, *skipped), key=lambda run: run.scanner))


def _problems(request: Request, runs: Iterable[Run]) -> tuple[str, ...]:
    """Gaps that no scanner's requirement covers: an image that was named was to be looked at."""
    if request.image is None:
        return ()
    for run in runs:
        gaps = {gap.input for gap in run.coverage.not_examined}
        looked = run.status in (Status.OK, Status.DEGRADED)
        able = looked and scanner_info(run.scanner).scans_images
        if able and f"image:{request.image}" not in gaps:
            return ()
    return (f"the image {request.image} was not examined",)


def _notices(request: Request, target: Target) -> tuple[str, ...]:
    """What there is to say of the target, of what is left out, and of a foreign baseline."""
    notices = [*target.notices]
    prefix = target.revision.prefix if target.revision else ""
    known = request.rules.baseline
    if known and foreign(known, {prefix + file.path for file in target.files}):
        notices.append(f"{known.path}: no file that it names is here; is it another project's?")
    if request.only:
        left = sorted(set(all_scanners()) - set(request.only))
        notices.append(f"only {', '.join(request.only)} ran; not {', '.join(left)}")
    nested = [gap.input for gap in target.skipped if gap.reason == NESTED]
    if nested:
        notices.append(f"not looked at, for each is a repository of its own: {', '.join(nested)}")
    if request.rules.settings.exclude:
        count = sum(gap.reason == CONFIGURED for gap in target.skipped)
        files = counted(count, "file")
        notices.append(f"the configuration excludes {files} from every scanner")
    return tuple(notices)


def _upgrades(
    decision: policy.Decision, inventory: Inventory, store: Store
) -> tuple[tuple[Upgrade, ...], tuple[str, ...]]:
    """What to upgrade; from scanners' words alone where the store cannot be read, and that."""
    try:
        return plan(decision.judged, inventory, store if store.osv else None), ()
    except StoreError as error:
        return plan(decision.judged, inventory, None), (f"{error.message}. {error.hint}",)


def _placed(setup: ScanSetup, texts: Iterable[str]) -> tuple[str, ...]:
    """Texts without the path of our cache: they go into reports."""
    return tuple(text.replace(str(setup.cache), "{cache}") for text in texts)


def _store_notices(request: Request, setup: ScanSetup) -> tuple[str, ...]:
    """What cannot be used of the advisory store, and what its age means for its askers."""
    problems = _placed(setup, setup.store.problems) if setup.store else ()
    source = setup.store.osv if setup.store else None
    asking = [
        name
        for name, scanner in chosen(request.only, request.skip).items()
        if scanner.INFO.asks_advisory_store
    ]
    if source is None or not asking:
        return problems
    meaning = "used as it is" if setup.offline else f"not given to {', '.join(asking)}"
    if not is_whole(source):
        count = counted(source.records or 0, "record")
        told = f"the advisory store has {count}, far from all that is published: {meaning}"
        return (*problems, f"{told}; `scanagg db update` gets them")
    if setup.is_fresh(source):
        return problems
    of = f"of {source.updated:%Y-%m-%d}" if source.updated else "of unknown age"
    hours = int(setup.max_age.total_seconds() // 3600)
    limit = counted(hours, "hour") if hours % 24 else counted(hours // 24, "day")
    told = f"the advisory store is {of}, not of the last {limit}: {meaning}"
    return (*problems, f"{told}; `scanagg db update` renews it")
