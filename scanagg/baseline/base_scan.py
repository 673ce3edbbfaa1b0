"""The base examined by the scanners that examined the head; what they said is kept by commit."""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg import __version__
from scanagg.baseline.machine_key import seal_of, sealed
from scanagg.baseline.matching import Entry
from scanagg.baseline.snapshot import Snapshot
from scanagg.core import cache
from scanagg.findings.collect import Bench, Examined, examine
from scanagg.model import Category, Finding, Inventory, Parts, Run, Status, Target
from scanagg.scanners.base import Adapter, adapters
from scanagg.scanners.runner import Event

_CACHE: Final = "base"
_WORKED: Final = frozenset((Status.OK, Status.DEGRADED, Status.NOT_APPLICABLE))
# What is kept: a run with gaps may have them for want of time.
_WHOLE: Final = frozenset((Status.OK, Status.NOT_APPLICABLE))
_NO_PARTS: Final = Parts("", "", "", "", "")
_CONFIG: Final = "config"  # the option by which a scanner's own configuration is named


class BaseFindings(msgspec.Struct, frozen=True):
    """What the scanners see in the base.

    `purls` are packages that some finding names, with their versions. `failed` says of a scanner
    why it did not work there, `gaps` of one and a path why it did not examine that.
    """

    entries: tuple[Entry, ...] = ()
    purls: frozenset[str] = frozenset()
    failed: Mapping[str, str] = msgspec.field(default_factory=dict)
    gaps: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    seal: bytes = b""

    def __repr__(self) -> str:
        """Return the type's name: the key is shown nowhere."""
        return "BaseFindings(...)"

    def check(self, digest: str) -> str:
        """A digest of a secret, sealed as those of the base are."""
        return sealed(self.seal, digest)


class _Seen(msgspec.Struct, array_like=True):
    """A finding as it is kept: the file it is in, parts, line, and the sealed digest of a secret.

    For one about a package `purl` is that, with the version.
    """

    path: str
    parts: Parts
    line: int = 0
    check: str = ""
    purl: str = ""


class _Record(msgspec.Struct):
    seen: list[_Seen]
    gaps: list[tuple[str, str, str]]


class Wanted(msgspec.Struct, frozen=True):
    """What to look for: the files of the base, and the scanners that are asked.

    `whole` are files in which all counts, `related` further ones that configurations in those may
    reach: of these only misconfigurations count.
    """

    whole: Collection[str]
    related: Collection[str]
    runs: Sequence[Run]

    def holds(self, seen: _Seen) -> bool:
        """Whether a finding of the base is one to match with."""
        of_configuration = seen.parts.category == Category.MISCONFIGURATION.value
        return seen.path in self.whole or (of_configuration and seen.path in self.related)


def examine_base(
    snapshot: Snapshot,
    wanted: Wanted,
    bench: Bench,
    work: Path,
    notify: Callable[[Event], None],
) -> BaseFindings:
    """What these scanners see in these files of the base, laid out in the folder `work`.

    The base's own configuration of a scanner counts, as the head's does there.
    """
    seal = seal_of(bench.cache)
    name = _name(snapshot, wanted, bench, seal or b"")
    kept = _recalled(bench.cache, name) if seal else None
    if kept is not None:
        return _found(kept, {}, wanted, seal or b"")
    examined = _examined(snapshot, wanted, bench, work, notify)
    failed = {run.scanner: _why(run) for run in examined.runs if run.status not in _WORKED}
    fresh = _Record(list(_seen(examined.findings, seal or b"")), list(_gaps(examined.runs)))
    if seal and all(run.status in _WHOLE for run in examined.runs):
        cache.store(bench.cache, _CACHE, {name: msgspec.json.encode(fresh).decode()})
    return _found(fresh, failed, wanted, seal or b"")


def _found(record: _Record, failed: Mapping[str, str], wanted: Wanted, seal: bytes) -> BaseFindings:
    return BaseFindings(
        entries=tuple(
            Entry(one.parts, one.line, one.check)
            for one in record.seen
            if not one.purl and wanted.holds(one)
        ),
        purls=frozenset(one.purl for one in record.seen if one.purl),
        failed=failed,
        gaps={(scanner, path): reason for scanner, path, reason in record.gaps},
        seal=seal,
    )


def _name(snapshot: Snapshot, wanted: Wanted, bench: Bench, seal: bytes) -> str:
    """What the answer depends on: the files, the scanners, how they run, and we ourselves."""
    paths = sorted({*wanted.whole, *wanted.related, *_native(snapshot, wanted)})
    scanners = [
        (run.scanner, run.version, run.data, bench.scanners.get(run.scanner)) for run in wanted.runs
    ]
    files = [(path, snapshot.files[path].oid) for path in paths]
    everything = (
        __version__,
        snapshot.commit,
        snapshot.named(""),
        files,
        repr(scanners),
        bench.offline,
        bench.key and sealed(seal, bench.key),
        sealed(seal, "of this machine"),
    )
    return hashlib.sha256(repr(everything).encode("utf-8", "surrogatepass")).hexdigest()


def _recalled(folder: Path, name: str) -> _Record | None:
    text = cache.recall(folder, _CACHE, [name]).get(name)
    try:
        return msgspec.json.decode(text, type=_Record) if text else None
    except msgspec.MsgspecError:
        return None


def _examined(
    snapshot: Snapshot,
    wanted: Wanted,
    bench: Bench,
    work: Path,
    notify: Callable[[Event], None],
) -> Examined:
    paths = sorted({*wanted.whole, *wanted.related, *_native(snapshot, wanted)})
    target = snapshot.lay_out(paths, work)
    _borrow(snapshot.target, _configured(bench, wanted), work)

    def tell(event: Event) -> None:
        notify(Event(event.scanner, f"the base: {event.note}"))

    return examine(replace(bench, image=None), _adapters(wanted.runs), target, Inventory(), tell)


def _adapters(runs: Iterable[Run]) -> Sequence[Adapter]:
    return [adapters()[run.scanner] for run in runs]


def _native(snapshot: Snapshot, wanted: Wanted) -> Iterator[str]:
    """The base's files by which these scanners are configured."""
    names = {name for adapter in _adapters(wanted.runs) for name in adapter.NATIVE}
    for path in snapshot.files:
        if path.rpartition("/")[2] in names:
            yield path


def _configured(bench: Bench, wanted: Wanted) -> Iterator[str]:
    """The files of configuration that the settings of these scanners name."""
    for run in wanted.runs:
        settings = bench.scanners.get(run.scanner)
        if settings and _CONFIG in settings.options:
            yield settings.options[_CONFIG]


def _borrow(target: Target, names: Iterable[str], work: Path) -> None:
    """Take configuration that the base has not got from the head: without it nothing would run."""
    for name in names:
        place = work / name
        if place.is_relative_to(work) and not place.exists():
            with contextlib.suppress(OSError):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(target.root / name, place)


def _why(run: Run) -> str:
    return f"{run.status.value}: {run.detail}" if run.detail else run.status.value


def _seen(findings: Iterable[Finding], seal: bytes) -> Iterator[_Seen]:
    for one in findings:
        path = one.location.path if one.location else ""
        line = (one.location.start_line or 0) if one.location else 0
        if one.package is not None:
            yield _Seen(path, _NO_PARTS, purl=one.package.purl)
        elif one.parts is not None:
            yield _Seen(path, one.parts, line, sealed(seal, one.evidence))


def _gaps(runs: Iterable[Run]) -> Iterator[tuple[str, str, str]]:
    for run in runs:
        for gap in run.coverage.not_examined:
            yield run.scanner, gap.input, gap.reason
