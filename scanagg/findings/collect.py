"""From a target to its findings: scan, normalise, enrich, correlate; for a base as for the head."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from scanagg.advisories import Store, enriched, serving
from scanagg.core.errors import StoreError
from scanagg.findings.correlate import Eyes, correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import mask_run, normalise, redactor
from scanagg.model import CLOCK_DRIFT, DataSource, Finding, Inventory, Observation, Run, Target
from scanagg.project.sources import Sources
from scanagg.scanners.base import Adapter, Context, Lookup, ScannerSettings
from scanagg.scanners.runner import Event, Limits, Task, scan

_LOG: Final = logging.getLogger("scanagg")
_Made = TypeVar("_Made", bound=Sized)

FRESH: Final = timedelta(days=7)
"""How old the advisory store may be to be asked instead of a service, where no policy tells."""

WHOLE: Final = 1_000
"""How many records make it likely that the store holds all: PyPA's alone were 2,661 in 2024."""


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What every examination of a check has in common.

    `cache` is the folder that lasts, `key` the project's own for digests of secrets, `workers` how
    many processes one scanner may spread over. `public` are digests (sha1, as detect-secrets makes
    them) of values that are no secrets, for the policy itself shows them. `store` is the advisory
    store, if there is one, `max_age` until when it counts as fresh.
    """

    limits: Limits
    cache: Path
    now: datetime
    scanners: Mapping[str, ScannerSettings] = msgspec.field(default_factory=dict)
    offline: bool = False
    workers: int = 2
    image: str | None = None
    key: str | None = None
    public: frozenset[str] = frozenset()
    store: Store | None = None
    max_age: timedelta = FRESH

    @property
    def advisories(self) -> DataSource | None:
        """What the store has to be asked instead of a service: good, or nothing else may be."""
        source = self.store.osv if self.store else None
        good = source and self.is_fresh(source) and is_whole(source)
        return source if self.offline or good else None

    def is_fresh(self, source: DataSource) -> bool:
        """Whether data is young enough to be asked; of what lies ahead of the clock none is."""
        if source.updated is None:
            return False
        return -CLOCK_DRIFT <= self.now - source.updated <= self.max_age

    def tasks(
        self,
        adapters: Iterable[Adapter],
        target: Target,
        inventory: Inventory,
        lookup: Lookup | None = None,
    ) -> Sequence[Task]:
        """One task for each adapter, with all it may look at."""
        base = Context(
            target=target,
            inventory=inventory,
            settings=ScannerSettings(),
            cache=self.cache,
            now=self.now,
            python=inventory.python,
            image=self.image,
            offline=self.offline,
            workers=self.workers,
            lookup=lookup,
        )
        return [
            Task(adapter, replace(base, settings=self.scanners.get(adapter.NAME, base.settings)))
            for adapter in adapters
        ]


class Examined(msgspec.Struct, frozen=True):
    """The runs, their words made safe to show, and what they found.

    `problems` are gaps that are no scanner's.
    """

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()


def is_whole(source: DataSource) -> bool:
    """Whether data may be all that is published: a store of a few records knows nothing of most."""
    return (source.records or 0) >= WHOLE


def examine(
    bench: Bench,
    adapters: Iterable[Adapter],
    target: Target,
    inventory: Inventory,
    notify: Callable[[Event], None],
) -> Examined:
    """Everything that these scanners see in the target, with what the advisory store knows of it.

    What goes wrong is in the runs and the problems, but for StoreError where this machine has no
    socket to serve the store from.
    """
    with _lookup(bench, inventory) as lookup:
        scanned = scan(bench.tasks(adapters, target, inventory, lookup), bench.limits, notify)
    said = [one for each in scanned for one in each.observations if not _is_public(one, bench)]
    sources = Sources(target)
    observations = logged("normalise", said, normalise(said, inventory, sources))
    observations, problems = _enriched(bench.store, observations)
    mask = redactor(observations, (value for each in scanned for value in each.secrets))
    prefix = target.revision.prefix if target.revision else ""
    eyes = Eyes(sources, mask, Identity(sources, mask, prefix, bench.key))
    findings = logged("correlate", observations, correlate(observations, eyes))
    return Examined(tuple(mask_run(each.run, mask) for each in scanned), findings, problems)


def _enriched(
    store: Store | None, said: tuple[Observation, ...]
) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """The observations with what the store knows, if it can be read; what scanners said stays."""
    if store is None or not store.sources:
        return said, ()
    try:
        return logged("enrich", said, enriched(said, store)), ()
    except StoreError as error:
        return said, (f"{error.message}. {error.hint}",)


@contextlib.contextmanager
def _lookup(bench: Bench, inventory: Inventory) -> Iterator[Lookup | None]:
    """The advisory store as a service while scanners run, where it is to be asked."""
    data = bench.advisories
    if bench.store is None or data is None or not inventory.packages:
        yield None
        return
    with serving(bench.store) as url:
        yield Lookup(url, data)


def _is_public(observation: Observation, bench: Bench) -> bool:
    """Whether a scanner took a hash that the rules pin a file by for a secret."""
    return observation.secret is not None and observation.secret.digest in bench.public


def logged(stage: str, before: Sized, made: _Made) -> _Made:
    """`made`, with a line in the log about how many values went in and came out."""
    _LOG.info("%s: %d in, %d out", stage, len(before), len(made))
    return made
