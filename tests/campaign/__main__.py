"""Check hostile projects, and say which promises a check broke.

    python -m tests.campaign [--random N] [--seed N] [KIND/NAME...]

Runs every case alone, then N random combinations of two or three. The exit code is 1 if a promise
is broken.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from campaign.cases import CASES  # noqa: E402
from campaign.scene import Case, run, sample, smallest  # noqa: E402


def main() -> int:
    """Run the chosen cases, or all, and the combinations."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "cases", nargs="*", metavar="KIND/NAME", help="the start of a name is enough"
    )
    options = parser.parse_args()
    wanted = tuple(options.cases)
    chosen: list[Sequence[Case]] = [[case] for case in CASES if str(case).startswith(wanted or "")]
    chosen += sample(CASES, options.random, options.seed)
    counts: Counter[str] = Counter()
    started = time.monotonic()
    for cases in chosen:
        result = run(cases)
        if result is None:
            counts["not possible"] += 1
            continue
        counts["broken" if result.broken else "held"] += 1
        if result.broken:
            few = smallest(cases) if len(cases) > 1 else cases
            print(f"broken: {' + '.join(map(str, few))}", *result.broken, sep="\n    ", flush=True)
    seconds = time.monotonic() - started
    print(f"{len(chosen)} cases in {seconds:.0f} s: {dict(sorted(counts.items()))}")
    return int(bool(counts["broken"]))


if __name__ == "__main__":
    sys.exit(main())
