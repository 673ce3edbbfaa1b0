"""Time and memory to build the advisory store, and the time of look-ups.

The argument is an OSV export (`pypi-osv.zip` of the test data, or the public one). It is imported
as it is, and also eight times over under other names, a little more than the public export. EPSS
scores are made up, as many as there are today. Each import runs three times, in a process of its
own; its ratio compares it with only decoding the same JSON. Then every package of the export is
looked up twice in a newly opened store, for a version from the middle of those that its records
name, and the aliases of every record are resolved.

The figures are CPU time, because this work waits only for the disk.
"""

import json
import random
import resource
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories.importing import DataOrigin, Import, Imported, import_epss, import_osv
from scanagg.advisories.records import Record
from scanagg.advisories.store import Store, open_store

RUNS, COPIES, SCORES = 3, 8, 300_000
NOW = datetime.now(UTC)
Measured = tuple[float, float, int]


def main() -> None:
    """Print a line for each import, and one for each kind of look-up."""
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/advisories.py OSV-EXPORT.zip")
    export = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, scores = folder / "many.zip", folder / "scores.csv"
        in_process(multiply, export, many)
        in_process(make_scores, scores)
        for what, path in (("the export", export), (f"{COPIES} times over", many)):
            reference = median([in_process(decode, path) for _ in range(RUNS)])
            print_import(
                what, median([in_process(imported, path, folder) for _ in range(RUNS)]), reference
            )
        times = [in_process(imported_scores, scores, folder) for _ in range(RUNS)]
        print_import("EPSS scores", median(times), None)
        imported(export, folder)
        look(export, folder)


def in_process(call: Callable[..., Measured], *given: Path) -> Measured:
    """Return the result of a call in a process of its own."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(call, *given).result()


def measured(call: Callable[[], int]) -> Measured:
    """Return CPU seconds, the peak memory of this process in MB, and the count of the call."""
    start = time.process_time()
    count = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time() - start, peak, count


def imported(path: Path, cache: Path) -> Measured:
    return measured(
        lambda: records_of(
            import_osv(Import(path, cache, DataOrigin(path.name), silent, NOW, replace=True))
        )
    )


def imported_scores(path: Path, cache: Path) -> Measured:
    return measured(
        lambda: records_of(import_epss(Import(path, cache, DataOrigin(path.name), silent, NOW)))
    )


def records_of(result: Imported) -> int:
    return result.source.records or 0


def decode(path: Path) -> Measured:
    """Unpack and decode every record, and discard it."""

    def each() -> int:
        decoder = msgspec.json.Decoder(Record)
        with zipfile.ZipFile(path) as archive:
            return sum(bool(decoder.decode(archive.read(name))) for name in archive.namelist())

    return measured(each)


def silent(done: int, whole: int) -> None:
    """Ignore progress."""


def median(times: list[Measured]) -> Measured:
    """Return the median of the times, and the largest of the rest."""
    seconds, peaks, counts = zip(*times, strict=True)
    return statistics.median(seconds), max(peaks), max(counts)


def print_import(what: str, times: Measured, reference: Measured | None) -> None:
    seconds, peak, count = times
    ratio = f"   {seconds / reference[0]:4.1f} times decoding" if reference else ""
    print(f"import {what:<14} {seconds:6.2f} s   {peak:4.0f} MB   {count:7,} records{ratio}")


def look(export: Path, cache: Path) -> None:
    """Look up every package, twice, and every record's names."""
    pins = dict(pinned(export))
    store = open_store(cache)
    first = timed(lambda name: store.affecting(name, pins[name]), pins)
    again = timed(lambda name: store.affecting(name, pins[name]), pins)
    ids = [record.id for name in pins for record in store.records(name)]
    print_times("a package, first", first)
    print_times("the same again", again)
    print_times("aliases of a record", timed(lambda one: store.group([one]), ids))
    slowest = max(first, key=lambda name: first[name])
    found = len(store.affecting(slowest, pins[slowest]))
    print(f"slowest: {slowest} {pins[slowest]}, {found} records, {first[slowest]:.2f} ms")
    print(f"opening: {opening(cache):.2f} ms")


def timed(call: Callable[[str], object], keys: dict[str, str] | list[str]) -> dict[str, float]:
    """Return milliseconds of CPU by key."""
    times = {}
    for key in keys:
        start = time.process_time_ns()
        call(key)
        times[key] = (time.process_time_ns() - start) / 1e6
    return times


def print_times(what: str, times: dict[str, float]) -> None:
    values = sorted(times.values())
    mean, last = statistics.mean(values), values[len(values) * 99 // 100]
    print(f"{what:<20} mean {mean:6.3f} ms   99th of 100 {last:6.3f} ms   {len(values):,} asked")


def opening(cache: Path) -> float:
    def once() -> int:
        store: Store = open_store(cache)
        store.close()
        return 0

    return statistics.median(measured(once)[0] for _ in range(20)) * 1000


def pinned(export: Path) -> Iterator[tuple[str, str]]:
    """Yield every package with a version that its last record lists or ends at."""
    with zipfile.ZipFile(export) as archive:
        for record in (json.loads(archive.read(name)) for name in archive.namelist()):
            for entry in record["affected"]:
                events = [event for one in entry.get("ranges", []) for event in one["events"]]
                ends = [version for event in events for version in event.values()]
                listed = entry.get("versions") or ends or ["1"]
                yield canonicalize_name(entry["package"]["name"]), listed[len(listed) // 2]


def multiply(export: Path, path: Path) -> Measured:
    """Write the same records under other ids, of packages with other names."""

    def all_of_it() -> int:
        with (
            zipfile.ZipFile(export) as old,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for name in old.namelist():
                record = json.loads(old.read(name))
                for copy in range(COPIES):
                    changed = renamed(record, f"-{copy}")
                    new.writestr(f"{changed['id']}.json", json.dumps(changed))
        return 0

    return measured(all_of_it)


def renamed(record: dict, end: str) -> dict:  # type: ignore[type-arg]
    entries = [
        entry | {"package": entry["package"] | {"name": entry["package"]["name"] + end}}
        for entry in record["affected"]
    ]
    aliases = [alias + end for alias in record.get("aliases", [])]
    return record | {"id": record["id"] + end, "aliases": aliases, "affected": entries}


def make_scores(path: Path) -> Measured:
    def all_of_it() -> int:
        random.seed(1)
        lines = ["#model_version:v2023.03.01,score_date:2024-10-10T00:00:00+0000"]
        lines.append("cve,epss,percentile")
        for number in range(SCORES):
            cve = f"CVE-{1999 + number // 12_000}-{1000 + number % 12_000}"
            lines.append(f"{cve},{random.random():.5f},{random.random():.5f}")
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return 0

    return measured(all_of_it)


if __name__ == "__main__":
    main()
