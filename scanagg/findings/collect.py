"""Collect the findings of a target or a base: scan, normalise, enrich, correlate."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from scanagg.advisories.enrich import enriched
from scanagg.advisories.store import Store
from scanagg.core.errors import StoreError
from scanagg.core.redact import Redactor
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import mask_run, normalise, redactor
from scanagg.findings.ranges import LookedUp, Ranges, audit_ranges
from scanagg.model import (
    CLOCK_DRIFT,
    Category,
    DataSource,
    Finding,
    Inventory,
    Observation,
    Package,
    Reason,
    Run,
    Status,
    Target,
    plain,
)
from scanagg.project.sources import Sources
from scanagg.scanners.base import Context, Lookup, Scanner, ScannerSettings
from scanagg.scanners.runner import Event, Limits, Task, scan

_LOG: Final = logging.getLogger("scanagg")
_S = TypeVar("_S", bound=Sized)

FRESH: Final = timedelta(days=7)
"""The default age up to which scanners use the advisory store instead of a service."""

WHOLE: Final = 1_000
"""The least number of records of a complete store: PyPA's alone were 2,661 in 2024."""


class ScanSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that all scans of one check share.

    `cache` is a folder that is kept, `key` the project's key for digests of secrets, `workers` the
    number of processes that one scanner may use. `former` is True if a baseline has entries of
    version 1. `public` are digests (sha1, as by detect-secrets)
    of values in the policy, which are not secrets. `store` is the advisory store, if there is one,
    `max_age` the age up to which it is fresh.
    """

    limits: Limits
    cache: Path
    now: datetime
    scanners: Mapping[str, ScannerSettings] = msgspec.field(default_factory=dict)
    offline: bool = False
    workers: int = 2
    image: str | None = None
    key: str | None = None
    former: bool = False
    public: frozenset[str] = frozenset()
    store: Store | None = None
    max_age: timedelta = FRESH

    @property
    def advisories(self) -> DataSource | None:
        """The data of the store, if scanners use it instead of a service."""
        source = self.store.osv if self.store else None
        is_usable = source and self.is_fresh(source) and is_whole(source)
        return source if self.offline or is_usable else None

    def is_fresh(self, source: DataSource) -> bool:
        """Return True for data that is neither too old nor from the future."""
        if source.updated is None:
            return False
        return -CLOCK_DRIFT <= self.now - source.updated <= self.max_age

    def tasks(
        self,
        scanners: Collection[Scanner],
        target: Target,
        inventory: Inventory,
        lookup: Lookup | None = None,
        sources: Sources | None = None,
    ) -> Sequence[Task]:
        """Return a task for each scanner, with its context; all read the same `sources`."""
        base = Context(
            target=target,
            sources=sources or Sources(target),
            inventory=inventory,
            settings=ScannerSettings(),
            cache=self.cache,
            now=self.now,
            image=self.image,
            offline=self.offline,
            workers=self.workers,
            lookup=lookup,
        )
        infos = [scanner.INFO for scanner in scanners]
        return [
            Task(
                scanner,
                replace(
                    base,
                    settings=self.scanners.get(scanner.INFO.name, base.settings),
                    is_main=not scanner.INFO.categories.issubset(
                        chain.from_iterable(
                            other.usual_for for other in infos if other != scanner.INFO
                        )
                    ),
                ),
            )
            for scanner in scanners
        ]


class Collected(msgspec.Struct, frozen=True):
    """The findings and the runs that reported them, masked, and what masks other texts.

    `notices` are about what belongs to no run.
    """

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    mask: Redactor
    notices: tuple[Reason, ...] = ()


def is_whole(source: DataSource) -> bool:
    """Return True if the data can be all published records, and not just a few."""
    return (source.records or 0) >= WHOLE


def collect_findings(
    setup: ScanSetup,
    scanners: Collection[Scanner],
    target: Target,
    inventory: Inventory,
    notify: Callable[[Event], None],
    sources: Sources | None = None,
) -> Collected:
    """Return the findings of these scanners in the target, with data of the advisory store.

    Errors are in the runs, and damage of the store in its problems. StoreError if there is no
    socket to serve the store.
    """
    sources = sources or Sources(target)
    with _lookup(setup, inventory) as lookup:
        tasks = setup.tasks(scanners, target, inventory, lookup, sources)
        with ThreadPoolExecutor(1) as pool:
            ranges_later = pool.submit(
                _audit_ranges, setup, scanners, target, inventory, lookup, sources
            )
            scans = scan(tasks, setup.limits, notify)
            ranges = ranges_later.result()
    reported = [
        observation
        for observations in (*(done.observations for done in scans), ranges.observations)
        for observation in observations
        # Some scanners report the hash by which a policy pins a file as a secret.
        if observation.secret is None or observation.secret.digest not in setup.public
    ]
    observations = logged("normalise", reported, normalise(reported, inventory, sources))
    if setup.store and setup.store.sources:
        with contextlib.suppress(StoreError):
            observations = logged("enrich", observations, enriched(observations, setup.store))
    mask = redactor(observations, (value for done in scans for value in done.secrets))
    identity = Identity(sources, mask, target.prefix, setup.key, former=setup.former)
    findings = logged("correlate", observations, correlate(observations, identity))
    runs = tuple(mask_run(done.run, mask) for done in scans)
    return Collected(runs, findings, mask, ranges.notices)


def _audit_ranges(
    setup: ScanSetup,
    scanners: Collection[Scanner],
    target: Target,
    inventory: Inventory,
    lookup: Lookup | None,
    sources: Sources,
) -> Ranges:
    """Audit the lowest versions that requirements allow, with the usual scanner for packages."""
    usual = [one for one in scanners if Category.VULNERABILITY in one.INFO.usual_for]
    if not usual or not inventory.lowest:
        return Ranges()

    def look_up(packages: Sequence[Package]) -> LookedUp:
        alone = Inventory(packages=tuple(packages))
        tasks = setup.tasks(usual, target, alone, lookup, sources)
        (done,) = scan(tasks, setup.limits, lambda _event: None)
        if done.run.status not in (Status.OK, Status.DEGRADED):
            status = plain(done.run.status.value)
            return LookedUp((), failure=done.run.detail or status)
        observations: Sequence[Observation] = done.observations
        if setup.store and setup.store.sources:
            with contextlib.suppress(StoreError):
                observations = enriched(observations, setup.store)
        return LookedUp(observations, {gap.input for gap in done.run.coverage.not_examined})

    return audit_ranges(inventory, usual[0].INFO.name, look_up)


@contextlib.contextmanager
def _lookup(setup: ScanSetup, inventory: Inventory) -> Iterator[Lookup | None]:
    """Serve the advisory store while scanners run, if they use it instead of a service."""
    data = setup.advisories
    if setup.store is None or data is None or not inventory.packages:
        yield None
        return
    # Imported here, because it imports an HTTP server.
    from scanagg.advisories.service import serving  # noqa: PLC0415

    with serving(setup.store) as url:
        yield Lookup(url, data)


def logged(stage: str, before: Sized, after: _S) -> _S:
    """Return `after`, and log the number of values before and after the stage."""
    _LOG.info("%s: %d in, %d out", stage, len(before), len(after))
    return after
