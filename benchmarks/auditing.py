"""Time to audit 1,000 pins with the real pip-audit and the advisory store on this machine.

The argument is an OSV export (`pypi-osv.zip` of the test data, or the public one). Each package in
it is pinned to a version from the middle of those that a record lists, up to 1,000 names; unknown
names fill the rest. So two of three packages are vulnerable, more than in any real project. The
figures are wall time and the CPU time of our own process: for the audit alone (start pip-audit,
look up, answer it, read its report), and with the later work on all findings (enrich, merge). The
batch is the number of pins for one process of pip-audit.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from scanagg.advisories.importing import DataOrigin, Import, import_osv
from scanagg.advisories.service import serving
from scanagg.advisories.store import Store, open_store
from scanagg.core.process import Stop
from scanagg.findings.collect import ScanSetup, collect_findings
from scanagg.model import Inventory, Package, Run, Status, Target, pypi_purl
from scanagg.scanners import pip_audit
from scanagg.scanners.base import Lookup
from scanagg.scanners.runner import Limits, scan

PINS, REPEATS = 1000, 5
BATCHES = (100, 250, 500, 1000)


def main() -> None:
    """Print the median of five runs of each."""
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/auditing.py OSV-EXPORT.zip")
    export = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        (cache / "work").mkdir()
        start = time.perf_counter()
        origin, now = DataOrigin(export.name), datetime.now(UTC)
        import_osv(Import(export, cache, origin, lambda _done, _whole: None, now))
        print(f"import: {time.perf_counter() - start:.2f} s")
        found = inventory(export)
        with contextlib.closing(open_store(cache)) as store:
            print(f"one look-up: {look_up(store, found) * 1000:.3f} ms")
        print_times("audited and merged", cache, found, whole)
        print_times("audited", cache, found, audited)
        for size in BATCHES:
            pip_audit._STORED_BATCH = size  # type: ignore[misc]
            print_times(f"audited in batches of {size}", cache, found, audited)


def inventory(export: Path) -> Inventory:
    """Return the packages to audit."""
    versions: dict[str, str] = {}
    with zipfile.ZipFile(export) as archive:
        for name in sorted(archive.namelist()):
            record = msgspec.json.decode(archive.read(name))
            versions.update(pinned(record))
    pins = sorted(versions.items())[:PINS]
    pins += [(f"nobody-knows-{number}", "1.0") for number in range(PINS - len(pins))]
    packages = [Package(name=name, version=one, purl=pypi_purl(name, one)) for name, one in pins]
    print(f"{len(packages):,} pins, {len(versions):,} of packages with a record")
    return Inventory(packages=tuple(packages))


def pinned(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield names (PEP 503) with a version that the record lists."""
    affected = record.get("affected")
    for part in affected if isinstance(affected, list) else ():
        package, listed = part.get("package", {}), part.get("versions") or ()
        if package.get("ecosystem") == "PyPI" and listed:
            name = package["name"].lower().replace("_", "-").replace(".", "-")
            yield name, listed[len(listed) // 2]


def look_up(store: Store, found: Inventory) -> float:
    """Return the seconds of the first look-up of one package."""
    start = time.perf_counter()
    for package in found.packages:
        store.affecting(package.name, package.version)
    return (time.perf_counter() - start) / len(found.packages)


def print_times(
    what: str, cache: Path, found: Inventory, way: Callable[[ScanSetup, Inventory], Sequence[Run]]
) -> None:
    """Audit several times, and print the median."""
    seconds, ours = [], []
    for _ in range(REPEATS):
        with contextlib.closing(open_store(cache)) as store:
            start, cpu = time.perf_counter(), time.process_time()
            (run,) = way(scan_setup(cache, store), found)
            seconds.append(time.perf_counter() - start)
            ours.append(time.process_time() - cpu)
    assert run.status in (Status.OK, Status.DEGRADED), run.detail
    print(f"{what}: {spread(seconds)} s in all, {spread(ours)} s of CPU of our own")


def scan_setup(cache: Path, store: Store) -> ScanSetup:
    """Return the setup of a check with --offline."""
    return ScanSetup(
        limits=Limits(jobs=8, timeout=300, stop=Stop()),
        cache=cache,
        now=datetime.now(UTC),
        offline=True,
        workers=os.cpu_count() or 1,
        store=store,
    )


def whole(setup: ScanSetup, found: Inventory) -> Sequence[Run]:
    """Run an audit like a check, up to merged findings."""
    return collect_findings(setup, [pip_audit], target(setup), found, lambda _event: None).runs


def audited(setup: ScanSetup, found: Inventory) -> Sequence[Run]:
    """Run an audit alone."""
    assert setup.store is not None
    assert setup.advisories is not None
    with serving(setup.store) as url:
        tasks = setup.tasks([pip_audit], target(setup), found, Lookup(url, setup.advisories))
        return [each.run for each in scan(tasks, setup.limits, lambda _event: None)]


def target(setup: ScanSetup) -> Target:
    """Return a project without files, because the inventory is given."""
    return Target(root=setup.cache / "work", name="work", files=())


def spread(values: Sequence[float]) -> str:
    """Return the median, the smallest and the largest value."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
