"""Compare code, secrets and misconfigurations with a base commit.

Findings in unchanged files are unchanged. For the rest, the scanners that reported them scan the
base too; the result is cached by commit.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg import __version__
from scanagg.baseline.lookup import match_entry
from scanagg.baseline.matching import MatchEntry, match
from scanagg.baseline.snapshot import FileChanges, FollowedLines, Snapshot, follow_lines
from scanagg.core import cache
from scanagg.findings.collect import ScanSetup, collect_findings
from scanagg.model import Category, Change, Finding, History, Inventory, Parts, Run, Status
from scanagg.scanners.base import adapters
from scanagg.scanners.runner import Event

# Files that are one configuration together: a problem in one may come from another.
_TERRAFORM: Final = re.compile(r".*\.(?:tf|tofu|tfvars)(?:\.json)?")
_CHART: Final = "Chart.yaml"
_SHOWN: Final = 3

_CACHE: Final = "base"
_WORKED: Final = frozenset((Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE))
# Runs with gaps are not cached: they may have them for lack of time.
_COMPLETE: Final = frozenset((Status.OK, Status.NOT_APPLICABLE))
_NO_PARTS: Final = Parts("", "", "", "", "")
_CONFIG: Final = "config"  # the option that names a scanner's own configuration
_KEY_FILE: Final = "seal"
_KEY_BYTES: Final = 32


class BaseFiles(msgspec.Struct, frozen=True):
    """The base's files, and the changes to them; `work` is a private folder."""

    snapshot: Snapshot
    changes: FileChanges
    work: Path


class Histories(msgspec.Struct, frozen=True):
    """Histories by the number of their finding, with notices about them.

    `purls` are the packages, with versions, that the scanners reported in the base.
    """

    by_number: Mapping[int, History]
    notices: tuple[str, ...] = ()
    purls: frozenset[str] = frozenset()


def compare_code(
    findings: Mapping[int, Finding],
    package_findings: Mapping[int, Finding],
    base: BaseFiles,
    runs: Sequence[Run],
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> Histories:
    """Return the histories of `findings`, which are in files.

    `package_findings` are about packages of manifests that only their scanner can read: that
    scanner looks for them in the base too.
    """
    groups = ConfigurationGroups(base)
    changes = base.changes
    histories: dict[int, History] = {}
    for number, finding in findings.items():
        path = finding.location.path if finding.location else None
        if path is None or (path not in changes.same and path not in changes.changed):
            reason = "it is in no file of the project, so no base can be looked at"
            histories[number] = History(Change.NEW, reason)
        elif path in changes.same and not groups.has_changed(finding):
            histories[number] = History(Change.UNCHANGED, f"{path} is as in the base")
    undecided = {number: one for number, one in findings.items() if number not in histories}
    if not undecided and not package_findings:
        return Histories(histories)
    if setup.limits.stop.is_set():
        reason = "the check was stopped before the base was examined"
        histories.update(dict.fromkeys(undecided, History(Change.NEW, reason)))
        notice = f"{reason}: findings in changed files count as introduced"
        return Histories(histories, (notice,))
    everything = [*undecided.values(), *package_findings.values()]
    related: Sequence[str] = ()
    if any(map(groups.has_changed, undecided.values())):
        related = tuple(groups.unchanged_members())
    scanned = _scan(everything, base, related, runs, setup, notify)
    lines = follow_lines(
        changes.before.values(),
        changes.changed.values(),
        _folder(base.work, "lines"),
        setup.limits.stop,
        base.snapshot.named,
    )
    matched, notices = _match(undecided, scanned, lines, base)
    return Histories({**histories, **matched}, notices, scanned.purls)


class ConfigurationGroups:
    """The files that belong to one configuration: all Terraform files, or those of one chart."""

    def __init__(self, base: BaseFiles) -> None:
        """Find charts by their first file, now or in the base."""
        self._base = base
        paths = (*base.snapshot.files, *(file.path for file in base.snapshot.target.files))
        self._charts = sorted(
            {path.removesuffix(_CHART) for path in paths if path.rpartition("/")[2] == _CHART}
        )
        differing = (*base.changes.changed, *base.changes.before)
        self.changed = frozenset(map(self.of, differing)) - {""}

    def of(self, path: str) -> str:
        """Return the group of a file, "" for one that stands alone."""
        if _TERRAFORM.fullmatch(path):
            return "terraform"
        return next((f"chart {chart}" for chart in self._charts if path.startswith(chart)), "")

    def has_changed(self, finding: Finding) -> bool:
        """Return True where a change in another file of the group may have caused the finding."""
        path = finding.location.path if finding.location else ""
        return finding.category is Category.MISCONFIGURATION and self.of(path) in self.changed

    def unchanged_members(self) -> list[str]:
        """Return the unchanged files of the base in groups that changed."""
        before = self._base.changes.before
        files = self._base.snapshot.files
        return [path for path in files if path not in before and self.of(path) in self.changed]


def _match(
    findings: Mapping[int, Finding], scanned: "BaseFindings", lines: FollowedLines, base: BaseFiles
) -> tuple[Mapping[int, History], tuple[str, ...]]:
    """Match findings with those of the base; the notices name what was not examined there."""
    named = base.snapshot.named
    same = {named(path) for path in base.changes.same}
    files = {named(path): path for path in base.snapshot.files}

    def base_line(path: str, line: int) -> tuple[str, int] | None:
        return (path, line) if path in same else lines.place(path, line)

    matches = match(
        [match_entry(one, keyed_digest(scanned.key, one.evidence)) for one in findings.values()],
        scanned.entries,
        lines=base_line,
        paths={named(file.path) for file in base.snapshot.target.files},
        base_paths=files.keys(),
    )
    histories = {}
    gaps: dict[str, None] = {}
    for (number, finding), found in zip(findings.items(), matches, strict=True):
        if found.change is Change.UNCHANGED:
            reason = f"it is in the base: {found.tier}"
        elif found.change is Change.UPDATED:
            reason = f"it was edited since the base: {found.tier} are the same"
        else:
            path = finding.location.path if finding.location else ""
            followed = lines.files.get(named(path))
            path = files.get(followed.base, path) if followed else path
            reason = "; ".join(_not_examined(finding, path, scanned, base.changes))
            if reason:
                gaps[reason] = None
            reason = reason or "it is not in the base"
        histories[number] = History(found.change, reason)
    shown = list(gaps)[:_SHOWN]
    if len(gaps) > _SHOWN:
        shown.append(f"{len(gaps) - _SHOWN} more files of the base could not be examined")
    return histories, tuple(f"{reason}: findings there count as introduced" for reason in shown)


def _not_examined(
    finding: Finding, path: str, scanned: "BaseFindings", changes: FileChanges
) -> list[str]:
    """Return why scanners may have missed the finding in the base; `path` was its file there."""
    reasons = []
    if path in changes.unread:
        reasons.append(f"{path} of the base could not be read from git")
    for scanner in finding.scanners:
        failed, gap = scanned.failed.get(scanner), scanned.gaps.get((scanner, path))
        if failed:
            reasons.append(f"{scanner} could not examine the base ({failed})")
        elif gap:
            reasons.append(f"{scanner} could not examine {path} of the base ({gap})")
    return reasons


def _folder(work: Path, name: str) -> Path:
    place = work / name
    place.mkdir()
    return place


# The scan of the base.


class BaseFindings(msgspec.Struct, frozen=True):
    """The findings of the scanners in the base.

    `purls` are the packages of findings, with their versions. `failed` has the reason for each
    scanner that did not work there, `gaps` that for each scanner and path not collected. `key` is
    this machine's key for digests of secrets.
    """

    entries: tuple[MatchEntry, ...] = ()
    purls: frozenset[str] = frozenset()
    failed: Mapping[str, str] = msgspec.field(default_factory=dict)
    gaps: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    key: bytes = b""

    def __repr__(self) -> str:
        """Return the type's name, so that the key is shown nowhere."""
        return "BaseFindings(...)"


class _CachedFinding(msgspec.Struct, array_like=True):
    """A finding as it is cached: its file, parts and line, and the keyed digest of a secret.

    A finding about a package has nothing but its `purl`, with the version.
    """

    path: str
    parts: Parts
    line: int = 0
    check: str = ""
    purl: str = ""


class _CachedScan(msgspec.Struct):
    findings: list[_CachedFinding]
    gaps: list[tuple[str, str, str]]


def _scan(
    findings: Sequence[Finding],
    base: BaseFiles,
    related: Sequence[str],
    runs: Sequence[Run],
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> BaseFindings:
    """Scan the base's files that changed, with the scanners that reported these findings.

    In `related`, further files of the base, only misconfigurations count. The base's own
    configuration of a scanner applies there, as the head's does here.
    """
    before, snapshot = base.changes.before, base.snapshot
    if not (before or related):
        return BaseFindings()
    reporting = {scanner for finding in findings for scanner in finding.scanners}
    runs = [run for run in runs if run.scanner in reporting & adapters().keys()]
    chosen = [adapters()[run.scanner] for run in runs]
    failed = dict.fromkeys(reporting - {run.scanner for run in runs}, "it cannot be asked")
    native = {name for adapter in chosen for name in adapter.NATIVE}
    configurations = [path for path in snapshot.files if path.rpartition("/")[2] in native]
    paths = sorted({*before, *related, *configurations})
    key = machine_key(setup.cache) or b""
    name = _cache_name(snapshot, paths, runs, setup, key)
    scan = _recall(setup.cache, name) if key else None
    if scan is None:
        work = _folder(base.work, "scan")
        target = snapshot.lay_out(paths, work)
        for run in runs:
            settings = setup.scanners.get(run.scanner)
            if settings and _CONFIG in settings.options:
                _borrow(settings.options[_CONFIG], snapshot.target.root, work)
        collected = collect_findings(
            replace(setup, image=None),
            chosen,
            target,
            Inventory(),
            lambda event: notify(Event(event.scanner, f"the base: {event.note}")),
        )
        for run in collected.runs:
            if run.status not in _WORKED:
                detail = f": {run.detail}" if run.detail else ""
                failed[run.scanner] = f"{run.status.value}{detail}"
        scan = _CachedScan(
            _cached_findings(collected.findings, key),
            [
                (run.scanner, gap.input, gap.reason)
                for run in collected.runs
                for gap in run.coverage.not_examined
            ],
        )
        if key and all(run.status in _COMPLETE for run in collected.runs):
            cache.store(setup.cache, _CACHE, {name: msgspec.json.encode(scan).decode()})
    misconfiguration = Category.MISCONFIGURATION.value
    return BaseFindings(
        entries=tuple(
            MatchEntry(one.parts, one.line, one.check)
            for one in scan.findings
            if not one.purl
            if one.path in before
            or (one.path in related and one.parts.category == misconfiguration)
        ),
        purls=frozenset(one.purl for one in scan.findings if one.purl),
        failed=failed,
        gaps={(scanner, path): reason for scanner, path, reason in scan.gaps},
        key=key,
    )


def _cache_name(
    snapshot: Snapshot, paths: Sequence[str], runs: Sequence[Run], setup: ScanSetup, key: bytes
) -> str:
    """Return a digest of everything that decides the result of the scan."""
    scanners = [
        (run.scanner, run.version, run.data, setup.scanners.get(run.scanner)) for run in runs
    ]
    decisive = (
        __version__,
        snapshot.commit,
        snapshot.named(""),
        [(path, snapshot.files[path].oid) for path in paths],
        repr(scanners),
        setup.offline,
        setup.key and keyed_digest(key, setup.key),
        keyed_digest(key, "of this machine"),
    )
    return hashlib.sha256(repr(decisive).encode("utf-8", "surrogatepass")).hexdigest()


def _recall(folder: Path, name: str) -> _CachedScan | None:
    text = cache.recall(folder, _CACHE, [name]).get(name)
    try:
        return msgspec.json.decode(text, type=_CachedScan) if text else None
    except msgspec.MsgspecError:
        return None


def _borrow(name: str, root: Path, work: Path) -> None:
    """Copy a configuration that the base lacks from the head: without it no scan would start."""
    place = work / name
    if place.is_relative_to(work) and not place.exists():
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, place)


def _cached_findings(findings: Sequence[Finding], key: bytes) -> list[_CachedFinding]:
    cached = []
    for finding in findings:
        path = finding.location.path if finding.location else ""
        line = (finding.location.start_line or 0) if finding.location else 0
        if finding.package is not None:
            cached.append(_CachedFinding(path, _NO_PARTS, purl=finding.package.purl))
        elif finding.parts is not None:
            digest = keyed_digest(key, finding.evidence)
            cached.append(_CachedFinding(path, finding.parts, line, digest))
    return cached


# The key under which the cache holds digests of secrets.


def machine_key(folder: Path) -> bytes | None:
    """Return the random key in the cache folder, made when needed; None where it cannot be kept.

    Only its owner may read it. A key that others could read, or a broken one, is replaced.
    """
    place = folder / _KEY_FILE
    key = _read_key(place)
    if key is None:
        # Replaced as a whole: when two are made at once, both processes read the same one.
        try:
            handle, temporary = tempfile.mkstemp(dir=folder)  # readable by its owner alone
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            Path(temporary).replace(place)
        except OSError:
            return None
        key = _read_key(place)
    return key


def _read_key(place: Path) -> bytes | None:
    try:
        private = place.stat().st_mode & 0o077 == 0
        key = place.read_bytes()
    except OSError:
        return None
    return key if private and len(key) == _KEY_BYTES else None


def keyed_digest(key: bytes, digest: str) -> str:
    """Return a digest under the key, in hex; "" for the empty one, which stands for none."""
    return hmac.new(key, digest.encode(), "sha256").hexdigest() if digest else ""
