"""Compare code, secrets and misconfigurations with a base commit.

Findings in unchanged files are unchanged. For the rest, the scanners that reported them scan the
base too; the result is cached by commit.
"""

import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg import __version__
from scanagg.baseline.lookup import AnchorNumber, anchors_of, match_entry
from scanagg.baseline.matching import MatchEntry, find_elsewhere, match
from scanagg.baseline.snapshot import FileChanges, FollowedFile, Snapshot, follow_lines, read_links
from scanagg.core import cache
from scanagg.findings.collect import Collected, ScanSetup, collect_findings
from scanagg.findings.fingerprint import VERSION
from scanagg.findings.secrets import has_dummy_value
from scanagg.model import (
    Anchor,
    Category,
    Change,
    Finding,
    History,
    Inventory,
    Reason,
    Run,
    Scope,
    Status,
    Target,
    plain,
)
from scanagg.scanners.base import Scanner, all_scanners
from scanagg.scanners.config import CONFIG
from scanagg.scanners.runner import Event

# Files that are one configuration together: a problem in one may come from another.
_TERRAFORM: Final = re.compile(r".*\.(?:tf|tofu|tfvars)(?:\.json)?")
_CHART: Final = "Chart.yaml"
_SHOWN: Final = 3

_CACHE: Final = "base"
_WORKED: Final = frozenset((Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE))
_COMPLETE: Final = frozenset((Status.OK, Status.NOT_APPLICABLE))
_KEY_FILE: Final = "base.key"
_KEY_BYTES: Final = 32


class BaseFiles(msgspec.Struct, frozen=True):
    """The base's files, and the changes to them; `work` is a private folder."""

    snapshot: Snapshot
    changes: FileChanges
    work: Path


class ReportedPackage(msgspec.Struct, frozen=True):
    """A package that scanners reported in the base: its files, and the ids of vulnerabilities.

    `runtime` are the files that list it for more than developers.
    """

    version: str
    files: frozenset[str] = frozenset()
    runtime: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()


class Histories(msgspec.Struct, frozen=True):
    """Histories by the numbers of their finding and anchor, with notices about them.

    `packages` are those that the scanners reported in the base, by their purls with versions.
    """

    by_place: Mapping[AnchorNumber, History]
    notices: tuple[Reason, ...] = ()
    packages: Mapping[str, ReportedPackage] = {}


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
    histories: dict[AnchorNumber, History] = {}
    # Code can be reported under the name of a link: it is unchanged if the link and its file are.
    links = {link.path: link for link in base.snapshot.target.links}
    old_links = read_links(base.snapshot) if any(f.path in links for f in findings.values()) else ()
    ends = {link.path: link.end for link in old_links if link == links.get(link.path)}
    undecided: dict[int, Finding] = {}
    for number, finding in findings.items():
        path = ends.get(finding.path) or finding.path
        places = [(number, index) for index in range(len(finding.anchors))]
        if path in changes.same and not groups.has_changed(finding):
            reason = Reason("unchanged-file", {"path": path})
            histories |= dict.fromkeys(places, History(Change.UNCHANGED, reason))
        elif path in changes.same or path in changes.changed:
            undecided[number] = finding
        else:
            histories |= dict.fromkeys(places, History(Change.NEW, Reason("in-no-file")))
    if not undecided and not package_findings:
        return Histories(histories)
    anchors = anchors_of(undecided)
    if setup.limits.stop.is_set():
        stopped = Reason("stopped-before-base")
        histories |= dict.fromkeys(anchors, History(Change.NEW, stopped))
        return Histories(histories, (Reason("findings-count-as-new", {"why": stopped}),))
    everything = [*undecided.values(), *package_findings.values()]
    related = groups.unchanged_members() if any(map(groups.has_changed, undecided.values())) else []
    key = machine_key(setup.cache) or b""
    scanned = _scan(everything, base, related, runs, setup, notify, key)
    lines = follow_lines(
        changes.before.values(),
        changes.changed.values(),
        _folder(base.work, "lines"),
        setup.limits.stop,
        base.snapshot.named,
    )
    matched, notices = _match(undecided, scanned, key, lines, base)
    histories |= matched
    moved = {
        place: anchor
        for place, anchor in anchors.items()
        if histories[place] == History(Change.NEW, Reason("not-in-base"))
        if not has_dummy_value(findings[place[0]])
    }
    if moved:
        unchanged = {number: one for number, one in findings.items() if number not in undecided}
        known = (*scanned.entries, *_entries(anchors_of(unchanged).values(), key))
        places_before = find_elsewhere(_entries(moved.values(), key), known)
        for place, known_path in zip(moved, places_before, strict=True):
            if known_path:
                reason = Reason("known-elsewhere", {"path": known_path})
                histories[place] = History(Change.NEW, reason)
    return Histories(histories, notices, scanned.packages)


def _entries(anchors: Iterable[Anchor], key: bytes) -> list[MatchEntry]:
    return [match_entry(anchor, keyed_digest(key, anchor.evidence)) for anchor in anchors]


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
        """Return the group of a file, or "" if it is in none."""
        if _TERRAFORM.fullmatch(path):
            return "terraform"
        return next((f"chart {chart}" for chart in self._charts if path.startswith(chart)), "")

    def has_changed(self, finding: Finding) -> bool:
        """Return True where a change in another file of the group may have caused the finding."""
        misconfigured = finding.category is Category.MISCONFIGURATION
        return misconfigured and self.of(finding.path) in self.changed

    def unchanged_members(self) -> list[str]:
        """Return the unchanged files of the base in groups that changed."""
        before = self._base.changes.before
        files = self._base.snapshot.files
        return [path for path in files if path not in before and self.of(path) in self.changed]


def _match(
    findings: Mapping[int, Finding],
    scanned: "BaseFindings",
    key: bytes,
    lines: Mapping[str, FollowedFile],
    base: BaseFiles,
) -> tuple[Mapping[AnchorNumber, History], tuple[Reason, ...]]:
    """Match findings with those of the base; the notices name what was not examined there."""
    named = base.snapshot.named
    same = {named(path) for path in base.changes.same}
    files = {named(path): path for path in base.snapshot.files}

    def base_line(path: str, line: int) -> tuple[str, int] | None:
        if path in same:
            return path, line
        return lines[path].place(line) if path in lines else None

    anchors = anchors_of(findings)
    matches = match(
        _entries(anchors.values(), key),
        scanned.entries,
        lines=base_line,
        renames={path: file.base for path, file in lines.items() if file.base != path},
        paths={named(file.path) for file in base.snapshot.target.files},
        base_paths=files.keys(),
        prefix=named(""),
    )
    histories = {}
    gaps: dict[Reason, None] = {}
    for place, found in zip(anchors, matches, strict=True):
        finding = findings[place[0]]
        if found.change is Change.UNCHANGED:
            reason = Reason("in-base", {"tier": found.tier})
        elif found.change is Change.UPDATED:
            reason = Reason("edited-since-base", {"tier": found.tier})
        else:
            path = finding.path
            followed = lines.get(named(path))
            path = files.get(followed.base, path) if followed else path
            unexamined = _not_examined(finding, path, scanned, base.changes)
            gaps.update(dict.fromkeys(unexamined))
            reason = unexamined[0] if unexamined else Reason("not-in-base")
        histories[place] = History(found.change, reason)
    notices = [Reason("findings-count-as-new", {"why": gap}) for gap in list(gaps)[:_SHOWN]]
    if len(gaps) > _SHOWN:
        notices.append(Reason("more-base-files-unread", {"number": len(gaps) - _SHOWN}))
    return histories, tuple(notices)


def _not_examined(
    finding: Finding, path: str, scanned: "BaseFindings", changes: FileChanges
) -> list[Reason]:
    """Return why scanners may have missed the finding in the base; `path` was its file there."""
    reasons = []
    if path in changes.unread:
        reasons.append(Reason("base-file-unreadable", {"path": path}))
    for scanner in finding.scanners:
        failed = scanned.failed.get(scanner)
        gap = scanned.gaps.get(scanner, {}).get(path)
        if failed:
            reasons.append(Reason("base-scan-failed", {"scanner": scanner, "why": failed}))
        elif gap:
            reasons.append(
                Reason("base-file-not-examined", {"scanner": scanner, "path": path, "why": gap})
            )
    return reasons


def _folder(work: Path, name: str) -> Path:
    place = work / name
    place.mkdir()
    return place


# The scan of the base.


class BaseFindings(msgspec.Struct, frozen=True):
    """The findings of the scanners in the base.

    `entries` are those in files, `packages` the packages of the others. `failed` has the reason for
    each scanner that did not work there, `gaps` those by scanner and path.
    """

    entries: tuple[MatchEntry, ...] = ()
    packages: Mapping[str, ReportedPackage] = {}
    failed: Mapping[str, Reason] = msgspec.field(default_factory=dict)
    gaps: Mapping[str, Mapping[str, Reason]] = msgspec.field(default_factory=dict)

    @classmethod
    def of(
        cls, collected: Collected, key: bytes, before: Collection[str], related: Collection[str]
    ) -> "BaseFindings":
        """Return those of the files `before`, and the misconfigurations of the `related` ones."""
        findings, runs = collected.findings, collected.runs
        packages: dict[str, ReportedPackage] = {}
        for finding in findings:
            if package := finding.package:
                files = frozenset(place.path for place in finding.places or package.places)
                ids = finding.advisory.ids if finding.advisory else frozenset()
                known = packages.get(package.purl, ReportedPackage(package.version))
                packages[package.purl] = replace(
                    known,
                    files=known.files | files,
                    runtime=known.runtime | (files if package.scope is Scope.RUNTIME else set()),
                    ids=known.ids | ids,
                )
        places = {Category.MISCONFIGURATION: {*before, *related}}
        return cls(
            entries=tuple(
                _entries(
                    (
                        anchor
                        for finding in findings
                        if finding.package is None
                        if finding.path in places.get(finding.category, before)
                        for anchor in finding.anchors
                    ),
                    key,
                )
            ),
            packages=packages,
            failed={
                run.scanner: run.detail or plain(run.status.value)
                for run in runs
                if run.status not in _WORKED
            },
            gaps={
                run.scanner: {gap.input: gap.reason for gap in run.coverage.not_examined}
                for run in runs
            },
        )


def _scan(
    findings: Iterable[Finding],
    base: BaseFiles,
    related: Collection[str],
    runs: Sequence[Run],
    setup: ScanSetup,
    notify: Callable[[Event], None],
    key: bytes,
) -> BaseFindings:
    """Scan the base's files that changed, with the scanners that reported these findings.

    In `related`, further files of the base, only misconfigurations count. The base's own
    configuration of a scanner applies there, as the head's does here. `key` is that of the entries'
    digests; without it, the result is not cached.
    """
    before, snapshot = base.changes.before, base.snapshot
    changed = {*before, *related}
    if not changed:
        return BaseFindings()
    reporting = set(chain.from_iterable(finding.scanners for finding in findings))
    used = {
        run.scanner: (run.version, run.data, setup.scanners.get(run.scanner))
        for run in runs
        if run.scanner in reporting & all_scanners().keys()
    }
    scanners = [*map(all_scanners().__getitem__, used)]
    native = set(chain.from_iterable(scanner.INFO.native_files for scanner in scanners))
    configurations = [path for path in snapshot.files if path.rpartition("/")[2] in native]
    paths = sorted({*changed, *configurations})
    # Everything that decides the result.
    decisive = (
        __version__,
        VERSION,
        snapshot.commit,
        snapshot.named(""),
        [*zip(paths, map(snapshot.files.get, paths), strict=True)],
        sorted(related),
        used,
        setup.offline,
        keyed_digest(key, setup.key),
        keyed_digest(key, "of this machine"),
    )
    name = hashlib.sha256(repr(decisive).encode("utf-8", "surrogatepass")).hexdigest()
    try:
        text = cache.recall(setup.cache, _CACHE, [name])[name]
        scanned = msgspec.json.decode(text, type=BaseFindings)
    except (KeyError, ValueError, RecursionError):
        collected = _scan_files(paths, base, scanners, setup, notify)
        scanned = BaseFindings.of(collected, key, before, related)
        # Runs with gaps are not cached: they may have them for lack of time.
        if key and _COMPLETE.issuperset(run.status for run in collected.runs):
            cache.store(setup.cache, _CACHE, {name: msgspec.json.encode(scanned).decode()})
    imported = dict.fromkeys(reporting - used.keys(), Reason("scanner-not-run-here"))
    return replace(scanned, failed={**scanned.failed, **imported})


def _scan_files(
    paths: Sequence[str],
    base: BaseFiles,
    scanners: Sequence[Scanner],
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> Collected:
    """Scan these files of the base."""
    work = _folder(base.work, "scan")
    target = base.snapshot.lay_out(paths, work)
    return scan_base(base.snapshot, scanners, target, Inventory(), setup, notify)


def scan_base(
    snapshot: Snapshot,
    scanners: Collection[Scanner],
    target: Target,
    inventory: Inventory,
    setup: ScanSetup,
    notify: Callable[[Event], None],
) -> Collected:
    """Scan files of the base that are laid out: without the image, with its own configuration."""
    settings = dict(setup.scanners)
    for name, scanner in setup.scanners.items():
        file = snapshot.files.get(scanner.options.get(CONFIG, ""))
        raw = next(snapshot.git.contents([file.oid])) if file else None
        if raw is not None:
            settings[name] = replace(scanner, config=raw.decode("utf-8", "replace"))
    return collect_findings(
        replace(setup, image=None, scanners=settings),
        scanners,
        target,
        inventory,
        lambda event: notify(Event(event.scanner, f"the base: {event.note}")),
    )


# The key under which the cache holds digests of secrets.


def machine_key(folder: Path) -> bytes | None:
    """Return the random key in the cache folder, made when needed; None where it cannot be kept.

    Only its owner may read it. A key that others could read, or a broken one, is replaced.
    """
    place = folder / _KEY_FILE
    key = _read_key(place)
    if key is None:
        # Replaced as a whole: when two are made at once, both processes read the same one.
        with contextlib.suppress(OSError):
            cache.replace_atomically(place, [secrets.token_bytes(_KEY_BYTES)], 0o600)
        key = _read_key(place)
    return key


def _read_key(place: Path) -> bytes | None:
    try:
        private = place.stat().st_mode & 0o077 == 0
        key = place.read_bytes()
    except OSError:
        return None
    return key if private and len(key) == _KEY_BYTES else None


def keyed_digest(key: bytes, digest: str | None) -> str:
    """Return a digest under the key, in hex; "" for no digest."""
    return hmac.new(key, digest.encode(), "sha256").hexdigest() if digest else ""
