"""A check, from the target to the decision: the stages in order."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg import __version__
from scanagg.advisories.store import Store, open_store
from scanagg.baseline.base import BaseOptions, find_base
from scanagg.baseline.compare import trace
from scanagg.baseline.file import foreign, has_former
from scanagg.core import cache
from scanagg.core.errors import StoreError
from scanagg.core.process import Stop
from scanagg.core.text import counted
from scanagg.findings.collect import FRESH, ScanSetup, collect_findings, is_whole, logged
from scanagg.findings.fingerprint import VERSION
from scanagg.gate.rules import ProjectRules, attempts
from scanagg.inventory import read_inventory
from scanagg.inventory.uv import resolver_of
from scanagg.model import (
    Clock,
    Coverage,
    Inventory,
    Reason,
    Report,
    Run,
    Status,
    Target,
    Terms,
    Upgrade,
    plain,
)
from scanagg.model.masking import mask_all
from scanagg.policy.gate import CheckResults, judge_runs
from scanagg.policy.rules import Decision, decide
from scanagg.policy.schema import span
from scanagg.project import secret_key
from scanagg.project.sources import Sources
from scanagg.project.target import CONFIGURED, NESTED, NOT_CHECKED_OUT, read_target
from scanagg.reports.base import file_names
from scanagg.scanners.base import Scanner, all_scanners, scanner_info, scanner_infos
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Event, Limits
from scanagg.scanners.unread import unread_files
from scanagg.upgrades.plan import plan

_LOG: Final = logging.getLogger("scanagg")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The target and the options of a check. Times are in seconds; None is the default.

    `rules` judge. If they are not from the work tree, `own_rules` loads those of the work tree.
    `only` and `skip` are names of scanners. With `resolve`, requirements without a lock get the
    versions that an install today would take. `output_dir` is the folder for reports. With
    `former`, findings have the parts for baselines of version 1. `base` names
    the commit to compare with; in a pull request, `environ` can.
    """

    path: Path
    rules: ProjectRules
    own_rules: Callable[[], ProjectRules] | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    python: Path | None = None
    image: str | None = None
    offline: bool = False
    resolve: bool = True
    jobs: int | None = None
    timeout: float | None = None
    now: datetime | None = None
    output_dir: Path | None = None
    former: bool = False
    base: str | None = None
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)
    stop: Stop = msgspec.field(default_factory=Stop)


def check(request: Request, notify: Callable[[Event], None]) -> Report:
    """Run every stage and return the report, also after an interruption.

    TargetError if the path cannot be checked, ConfigError if there is no cache folder, StoreError
    if there is no socket to serve the advisory store. Errors of a scanner are in its run.
    """
    rules = request.rules
    clock = Clock(request.now or datetime.now(UTC), given=request.now is not None)
    folder = cache.cache_folder()
    cache.sweep(folder)
    with contextlib.closing(open_store(folder)) as store:
        target = read_target(
            request.path,
            exclude=rules.settings.exclude,
            reports=file_names(),
            stop=request.stop,
        )
        base_options = BaseOptions(
            ref=request.base,
            against=rules.policy.file.new_code.against,
            baseline=rules.baseline,
            ref_of_rules=rules.files.ref,
            environ=request.environ,
        )
        base = find_base(target, base_options, request.stop)
        sources = Sources(target)
        can_resolve = request.resolve and not request.offline
        resolver = resolver_of(target.root, folder, request.stop) if can_resolve else None
        inventory = read_inventory(target, request.python, rules.settings.python, sources, resolver)
        _LOG.info("target: %d files, %d skipped", len(target.files), len(target.skipped))
        logged("inventory", inventory.manifests, inventory.packages)
        setup = _scan_setup(request, clock, folder, store)
        scanners = chosen(request.only, request.skip).values()
        collected = collect_findings(setup, scanners, target, inventory, notify, sources)
        traced = trace(
            *(collected.findings, collected.runs, base, target, inventory),
            *(setup, notify, resolver),
        )
        decision = decide(traced.findings, rules.policy, clock.now)
        logged("policy", traced.findings, decision.judged)
        upgrades = _upgrades(decision, inventory, store)
        runs = _with_skipped(collected.runs, request, clock)
        is_trusted = request.own_rules is not None and rules.files.ref is not None
        terms = Terms(
            only=request.only,
            problems=(*_image_problems(request, runs), *_without_cache(setup, store.problems)),
            unread=unread_files(inventory.unread, runs),
            unlocked=len(inventory.unlocked),
            identity=VERSION,
            key=secret_key.id_of(rules.key),
            notices=(
                *base.notices,
                *collected.notices,
                *traced.notices,
                *(() if is_trusted else traced.lost),
                *_notices(request, target),
                *inventory.notices,
                *_index_notices(inventory),
                *_store_notices(request, setup, store),
            ),
        )
        results = CheckResults(
            runs=runs,
            decision=decision,
            now=clock.now,
            terms=terms,
            files=[file.path for file in target.files],
            data=store.sources,
            interrupted=request.stop.interrupted,
        )
        gate = judge_runs(results, rules.policy)
        own_rules, judged = request.own_rules, decision.judged
        if own_rules is not None:
            loosened = attempts(rules, own_rules, target, traced, judged, clock.now)
            gate = replace(gate, attempts=loosened)
        masked = partial(mask_all, mask=collected.mask.text)
        return Report(
            version=__version__,
            target=target,
            policy=rules.policy.info,
            clock=clock,
            runs=runs,
            findings=judged,
            gate=masked(gate),
            base=masked(base.info),
            waivers=masked(decision.waivers),
            licenses=masked(decision.licenses),
            terms=masked(terms),
            packages=inventory.packages,
            data=store.sources,
            upgrades=upgrades,
            scanners=scanner_infos(),
        )


def chosen(only: Sequence[str], skip: Sequence[str]) -> Mapping[str, Scanner]:
    """Return the scanners to run, by name."""
    return {
        name: scanner
        for name, scanner in all_scanners().items()
        if (not only or name in only) and name not in skip
    }


def _scan_setup(request: Request, clock: Clock, folder: Path, store: Store) -> ScanSetup:
    settings, rules = request.rules.settings, request.rules.policy
    processors = os.cpu_count() or 1
    # By default, all scanners run at the same time, because most wait for the network.
    jobs = request.jobs or settings.jobs or len(all_scanners()) + processors
    timeout = request.timeout or settings.timeout or DEFAULT_TIMEOUT
    ages = [
        span(entry.db_max_age)
        for name, entry in rules.file.scanners.items()
        if entry.db_max_age and scanner_info(name).asks_advisory_store
    ]
    return ScanSetup(
        limits=Limits(jobs=jobs, timeout=timeout, stop=request.stop),
        cache=folder,
        now=clock.now,
        scanners=settings.scanners,
        offline=request.offline,
        workers=min(processors, jobs),
        image=request.image,
        key=request.rules.key,
        former=request.former or has_former(request.rules.baseline),
        public=frozenset(
            hashlib.sha1(digest.encode(), usedforsecurity=False).hexdigest()
            for digest in rules.files.values()
        ),
        store=store,
        max_age=min(ages, default=FRESH),
    )


def _with_skipped(runs: Sequence[Run], request: Request, clock: Clock) -> tuple[Run, ...]:
    """Add a run for each scanner in --skip."""
    skipped = [
        Run(
            scanner=name,
            version=None,
            status=Status.SKIPPED,
            detail=Reason("scanner-skipped"),
            coverage=Coverage("inputs"),
            started=clock.now,
        )
        for name in request.skip
    ]
    return tuple(sorted((*runs, *skipped), key=lambda run: run.scanner))


def _image_problems(request: Request, runs: Iterable[Run]) -> tuple[Reason, ...]:
    """Return a problem if no scanner examined the image of the request."""
    if request.image is None:
        return ()
    for run in runs:
        gaps = {gap.input for gap in run.coverage.not_examined}
        has_worked = run.status in (Status.OK, Status.DEGRADED)
        can = has_worked and scanner_info(run.scanner).scans_images
        if can and f"image:{request.image}" not in gaps:
            return ()
    return (Reason("image-not-examined", {"image": request.image}),)


def _notices(request: Request, target: Target) -> Iterator[Reason]:
    """Yield notices about the target, the files left out of it, and a foreign baseline."""
    yield from target.notices
    baseline = request.rules.baseline
    if baseline and foreign(baseline, {target.prefix + file.path for file in target.files}):
        yield Reason("foreign-baseline", {"path": baseline.path})
    if request.only:
        others = tuple(sorted(set(all_scanners()) - set(request.only)))
        yield Reason("only-some-scanners", {"others": others})
    if nested := tuple(gap.input for gap in target.skipped if gap.reason == NESTED):
        yield Reason("nested-repositories", {"paths": nested})
    if sparse := sum(gap.reason == NOT_CHECKED_OUT for gap in target.skipped):
        yield Reason("files-not-checked-out", {"count": sparse})
    if request.rules.settings.exclude:
        count = sum(gap.reason == CONFIGURED for gap in target.skipped)
        yield Reason("files-excluded", {"count": count})


def _index_notices(inventory: Inventory) -> Iterator[Reason]:
    """Yield each host of another package index, with the files that name it."""
    paths: dict[str, set[str]] = {}
    for index in inventory.indexes:
        paths.setdefault(index.host, set()).add(index.place.path)
    for host in sorted(paths):
        yield Reason("other-index", {"host": host, "paths": tuple(sorted(paths[host]))})


def _upgrades(decision: Decision, inventory: Inventory, store: Store) -> tuple[Upgrade, ...]:
    """Return the upgrades. If the store cannot be read, do without it."""
    try:
        return plan(decision.judged, inventory, store if store.osv else None)
    except StoreError:
        return plan(decision.judged, inventory, None)


def _without_cache(setup: ScanSetup, texts: Iterable[str]) -> tuple[Reason, ...]:
    """Return texts as reasons, without the path of the cache."""
    return tuple(plain(text.replace(str(setup.cache), "{cache}")) for text in texts)


def _store_notices(request: Request, setup: ScanSetup, store: Store) -> Iterator[Reason]:
    """Yield notices about the size and age of the advisory store."""
    source = store.osv
    asking = tuple(
        name
        for name, scanner in chosen(request.only, request.skip).items()
        if scanner.INFO.asks_advisory_store
    )
    if source is None or not asking:
        return
    use = Reason("store-not-used", {"scanners": asking})
    if setup.offline:
        use = Reason("store-used")
    if not is_whole(source):
        yield Reason("small-store", {"count": source.records or 0, "use": use})
    elif setup.is_fresh(source):
        return
    elif source.updated is None:
        yield Reason("undated-store", {"use": use})
    else:
        hours = int(setup.max_age.total_seconds() // 3600)
        limit = counted(hours, "hour") if hours % 24 else counted(hours // 24, "day")
        day = f"{source.updated:%Y-%m-%d}"
        yield Reason("old-store", {"day": day, "limit": limit, "use": use})
