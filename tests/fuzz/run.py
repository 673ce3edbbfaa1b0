"""Run parsers on many broken inputs, for longer than the tests do.

    python tests/fuzz/run.py [--examples N] [--seed N] [TARGET...]

Prints a line for each target: inputs, seconds, the slowest input, crashes and hangs. An input that
fails is written to build/fuzz/, and the exit code is 1.
"""

import argparse
import gc
import hashlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fuzz.mutations import mutated  # noqa: E402
from fuzz.targets import TARGETS, FuzzTarget  # noqa: E402

HANG_SECONDS = 10
SHOWN = 5


def main() -> int:
    """Run the chosen targets, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}")
    print("target             inputs  seconds  slowest ms  crashes  hangs", flush=True)
    failed = [
        _run(name, TARGETS[name], options.examples, options.seed)
        for name in options.targets or TARGETS
    ]
    return int(any(failed))


def _run(name: str, target: FuzzTarget, examples: int, seed: int) -> bool:
    """Run one target and print its line. Return True if an input failed."""
    crashes: dict[str, int] = {}
    hangs = 0
    slowest = 0.0
    start = time.perf_counter()
    place = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(dir=place))
    for number in range(examples):
        raw = mutated(target.seeds, random.Random(f"{seed} {number}"))
        began = time.perf_counter()
        try:
            with _limit():
                target.call(raw, folder)
        except TimeoutError:
            hangs += 1
            _keep(name, raw, "it takes too long")
        except Exception as error:  # noqa: BLE001 - what the fuzzing looks for
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {last.filename}:{last.lineno}"
            if where not in crashes:
                _keep(name, raw, "".join(traceback.format_exception(error)))
            crashes[where] = crashes.get(where, 0) + 1
        slowest = max(slowest, time.perf_counter() - began)
        if number % 1000 == 0:
            gc.collect()
    shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - start
    count = sum(crashes.values())
    print(
        f"{name:<17} {examples:>7,} {seconds:>8.1f} {slowest * 1000:>11.1f} {count:>8} {hangs:>6}",
        *(f"    {where}: {number}" for where, number in list(crashes.items())[:SHOWN]),
        sep="\n",
        flush=True,
    )
    return bool(crashes or hangs)


@contextmanager
def _limit() -> Iterator[None]:
    """Raise TimeoutError if the block takes too long."""

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _keep(name: str, raw: bytes, why: str) -> None:
    place = ROOT / "build" / "fuzz"
    place.mkdir(parents=True, exist_ok=True)
    stem = f"{name.strip('.')}-{hashlib.sha256(raw).hexdigest()[:12]}"
    (place / stem).write_bytes(raw)
    (place / f"{stem}.txt").write_text(why, "utf-8", "backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
