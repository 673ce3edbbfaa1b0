"""What `scanagg license list` shows: each package of a project with its licence, as judged."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from scanagg.core import cache
from scanagg.core.process import Stop
from scanagg.findings.collect import ScanSetup
from scanagg.findings.normalise import normalise
from scanagg.inventory import read_inventory
from scanagg.model import NotExamined, Observation, Package, Run, Status
from scanagg.policy import Policy
from scanagg.policy.licenses import LicenseDecision, LicenseJudge
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.scanners.base import adapters
from scanagg.scanners.config import Settings
from scanagg.scanners.coverage import gaps_of
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Event, Limits, scan

_SCANNER = "licenses"


class Listing(msgspec.Struct, frozen=True):
    """Packages by name with what is made of their licences, and inputs that nothing is known of.

    `run` is how the scanner went that was asked.
    """

    packages: tuple[tuple[Package, LicenseDecision], ...]
    unknown: tuple[NotExamined, ...]
    run: Run

    @property
    def is_whole(self) -> bool:
        """Whether each package of the project is in it with what its metadata says."""
        return self.run.status in (Status.OK, Status.NOT_APPLICABLE) and not self.unknown


def list_licenses(
    root: Path,
    settings: Settings,
    policy: Policy,
    now: datetime,
    *,
    python: Path | None = None,
    offline: bool = False,
    stop: Stop | None = None,
    notify: Callable[[Event], None] = lambda _event: None,
) -> Listing:
    """Ask for the licence of every package of the project at `root`, and judge it.

    `python` is the project's interpreter, None for the configured or found one. TargetError where
    `root` cannot be read, KeyboardInterrupt after Ctrl-C; what goes wrong with the scanner is in
    its run.
    """
    stop = stop or Stop()
    target = read_target(root, exclude=settings.exclude, stop=stop)
    inventory = read_inventory(target, python or settings.python)
    setup = ScanSetup(
        limits=Limits(jobs=2, timeout=settings.timeout or DEFAULT_TIMEOUT, stop=stop),
        cache=cache.cache_folder(),
        now=now,
        scanners=settings.scanners,
        offline=offline,
    )
    (done,) = scan(setup.tasks([adapters()[_SCANNER]], target, inventory), setup.limits, notify)
    if stop.interrupted:
        raise KeyboardInterrupt
    said = normalise(done.observations, inventory, Sources(target))
    judge = LicenseJudge(policy.file.licenses, now.date())
    return Listing(_judged(said, judge), tuple(gaps_of(done.run.coverage)), done.run)


def _judged(
    said: Sequence[Observation], judge: LicenseJudge
) -> tuple[tuple[Package, LicenseDecision], ...]:
    """Each package once, by name and version."""
    known = {
        one.package.purl: (one.package, judge.judge(one.package, one.license))
        for one in said
        if one.package and one.license
    }
    return tuple(known[purl] for purl in sorted(known))
