"""From a target to its findings: scan, normalise, correlate; for a base as for the head."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from scanagg.adapters import Adapter, Context, ScannerSettings
from scanagg.correlate import Eyes, correlate
from scanagg.identity import Identity
from scanagg.model import Finding, Inventory, Observation, Run, Target
from scanagg.normalise import mask_run, normalise, redactor
from scanagg.scan import Event, Limits, Task, scan
from scanagg.sources import Sources

_LOG: Final = logging.getLogger("scanagg")
_Made = TypeVar("_Made", bound=Sized)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every examination of a check has in common.

    `cache` is the folder that lasts, `key` the project's own for digests of secrets, `workers` how
    many processes one scanner may spread over. `public` are digests (sha1, as detect-secrets makes
    them) of values that are no secrets, for the policy itself shows them.
    """

    limits: Limits
    cache: Path
    now: datetime
    scanners: Mapping[str, ScannerSettings] = field(default_factory=dict)
    offline: bool = False
    workers: int = 2
    image: str | None = None
    key: str | None = None
    public: frozenset[str] = frozenset()

    def tasks(
        self, adapters: Iterable[Adapter], target: Target, inventory: Inventory
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
        )
        return [
            Task(adapter, replace(base, settings=self.scanners.get(adapter.NAME, base.settings)))
            for adapter in adapters
        ]


@dataclass(frozen=True, slots=True)
class Examined:
    """The runs, their words made safe to show, and what they found."""

    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]


def examine(
    bench: Bench,
    adapters: Iterable[Adapter],
    target: Target,
    inventory: Inventory,
    notify: Callable[[Event], None],
) -> Examined:
    """Everything that these scanners see in the target. What goes wrong is in the runs."""
    scanned = scan(bench.tasks(adapters, target, inventory), bench.limits, notify)
    said = [one for each in scanned for one in each.observations if not _is_public(one, bench)]
    sources = Sources(target)
    observations = logged("normalise", said, normalise(said, inventory, sources))
    mask = redactor(observations, (value for each in scanned for value in each.secrets))
    prefix = target.revision.prefix if target.revision else ""
    eyes = Eyes(sources, mask, Identity(sources, mask, prefix, bench.key))
    findings = logged("correlate", observations, correlate(observations, eyes))
    return Examined(tuple(mask_run(each.run, mask) for each in scanned), findings)


def _is_public(observation: Observation, bench: Bench) -> bool:
    """Whether a scanner took a hash that the rules pin a file by for a secret."""
    return observation.secret is not None and observation.secret.digest in bench.public


def logged(stage: str, before: Sized, made: _Made) -> _Made:
    """`made`, with a line in the log about how many values went in and came out."""
    _LOG.info("%s: %d in, %d out", stage, len(before), len(made))
    return made
