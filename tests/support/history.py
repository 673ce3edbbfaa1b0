"""A project with history, examined by real scanners and traced against a base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.advisories.store import Store
from scanagg.baseline.base import Base, BaseOptions, find_base
from scanagg.baseline.compare import Traced, trace
from scanagg.baseline.file import PLACES, Baseline, entries_for, load, new_text
from scanagg.core.cache import cache_folder
from scanagg.core.process import Stop
from scanagg.core.redact import Redactor
from scanagg.findings.collect import Collected, ScanSetup, collect_findings
from scanagg.inventory import read_inventory
from scanagg.model import Change, Finding, Inventory, Target
from scanagg.project.target import read_target
from scanagg.scanners.base import ScannerSettings, all_scanners
from scanagg.scanners.runner import Event, Limits
from support import tools
from support.repository import git

NEW, UPDATED, UNCHANGED = Change.NEW, Change.UPDATED, Change.UNCHANGED
Files = Mapping[str, str | bytes | None]


def write(root: Path, files: Files) -> None:
    """Write files into the project; None removes one."""
    for path, content in files.items():
        place = root / path
        if content is None:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)


def commit(root: Path, files: Files | None = None, *, when: str = "") -> str:
    """Commit everything, at the time `when` (ISO) if given; return the commit's id."""
    write(root, files or {})
    git(root, "add", "-A", "-f")
    dates = {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when} if when else {}
    git(root, "commit", "-q", "--allow-empty", "-m", "change", env=dates)
    return git(root, "rev-parse", "HEAD").strip()


@dataclass
class Checked:
    """The setup of a check of a project; `events` are those of the scans of the base."""

    root: Path
    scanners: Sequence[str] = ("bandit",)
    key: str | None = "made-up project key"
    exclude: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    settings: Mapping[str, ScannerSettings] = field(
        default_factory=lambda: {"bandit": ScannerSettings(path=tools.fast_bandit())}
    )
    store: Store | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def target(self) -> Target:
        return read_target(self.root, exclude=self.exclude)

    @property
    def setup(self) -> ScanSetup:
        limits = Limits(jobs=4, timeout=60, stop=self.stop)
        return ScanSetup(
            limits=limits,
            cache=cache_folder(),
            now=self.now,
            scanners=self.settings,
            offline=True,
            key=self.key,
            store=self.store,
        )

    def examined(self) -> Collected:
        """Return the results of the scanners for the work tree."""
        target = self.target
        setup = replace(self.setup, limits=replace(self.setup.limits, stop=Stop()))
        chosen = [all_scanners()[name] for name in self.scanners]
        return collect_findings(setup, chosen, target, read_inventory(target), lambda _event: None)

    def baseline(self) -> Baseline:
        """Commit a baseline of the current findings, one line each, and return it."""
        text = new_text([entry for one in self.examined().findings for entry in entries_for(one)])
        commit(self.root, {PLACES[0]: text})
        return load(text.encode(), PLACES[0])

    def base(self, ref: str | None = None, **asked: object) -> Base:
        """Return the base that scanagg finds."""
        question = BaseOptions(ref=ref, environ=self.environ, **asked)  # type: ignore[arg-type]
        return find_base(self.target, question, self.stop)

    def traced(
        self,
        base: Base,
        examined: Collected | None = None,
        findings: Sequence[Finding] | None = None,
        inventory: Inventory | None = None,
    ) -> Traced:
        """Return the findings of the work tree with their histories."""
        found = examined or (
            self.examined() if findings is None else Collected((), (), Redactor((), {}))
        )
        target = self.target
        return trace(
            found.findings if findings is None else findings,
            found.runs,
            base,
            target,
            inventory or read_inventory(target),
            self.setup,
            self.events.append,
        )


def changes(traced: Traced) -> dict[tuple[str, int | None], Change]:
    """Return the change of the finding at each path and line."""
    return {
        (one.location.path, one.location.start_line): one.history.change
        for one in traced.findings
        if one.location
    }
