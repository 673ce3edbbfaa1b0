"""Measure a check where no scanner applies, and the time that a check adds to its slowest scanner.

Each figure is the median of seven runs of the whole process after one that is not counted, with a
cache of its own, so that the user's cache is not read or written.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

RUNS = 7
SCANAGG = (sys.executable, "-m", "scanagg")


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "SCANAGG_CACHE_DIR": f"{folder}/cache"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # or each run would compile the package
        bare, small = Path(folder) / "bare", Path(folder) / "small"
        bare.mkdir()
        small.mkdir()
        (small / "app.py").write_text("import os\n\nprint(os.name)\n")
        (small / "requirements.txt").write_text("")
        nothing = [*SCANAGG, "check", str(bare), "--no-progress"]
        print(f"check where nothing applies        {median(nothing, env):.3f} s")
        report(small, env)


def report(project: Path, env: dict[str, str]) -> None:
    """Compare a whole check with the slowest run in its own report."""
    added, ratios = [], []
    for count in range(RUNS + 1):
        wall = timed([*SCANAGG, "check", str(project), "--no-progress", "--format", "json"], env)
        runs = json.loads((project / "reports" / "scanagg.json").read_text())["runs"]
        slowest = max(run["seconds"] for run in runs)
        if count:
            added.append(wall - slowest)
            ratios.append(wall / slowest)
    print(f"a check adds to its slowest scanner {statistics.median(added):.3f} s")
    print(f"  as a ratio                       {statistics.median(ratios):.2f}")


def median(argv: Sequence[str], env: dict[str, str]) -> float:
    """Return the median wall time of the command, in seconds."""
    times = [timed(argv, env) for _ in range(RUNS + 1)]
    return statistics.median(times[1:])


def timed(argv: Sequence[str], env: dict[str, str]) -> float:
    """Return the wall time of one run, in seconds."""
    start = time.perf_counter()
    subprocess.run(argv, env=env, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
