"""Time to match 100,000 findings with a base of 100,000, on four kinds of input.

Each figure is the median of five runs in this process after one that is not counted, with the
smallest and the largest. The figures are seconds of CPU time, because matching waits for nothing.
The garbage collector is off, as in a check.

- *history*: 2,000 files; 80 % of the findings are unchanged, a tenth are in a renamed function or
  file, a twentieth in another file, the rest edited or new.
- *new*: no finding is known.
- *equal*: all findings have the same key, as in a generated file.
- *secrets*: one file of 100,000 values on similar lines, in another order.
"""

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable

from scanagg.baseline.matching import MatchEntry, match
from scanagg.model import Change, Parts

RUNS = 5
FILES = 2000
Sides = tuple[list[MatchEntry], list[MatchEntry]]


def main() -> None:
    """Print a line for each kind."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    gc.disable()
    for name, make in KINDS.items():
        current, base = make(count)
        paths, base_paths = ({one.parts.path for one in side} for side in (current, base))
        times = []
        for run in range(RUNS + 1):
            start = time.process_time()
            made = match(current, base, paths=paths, base_paths=base_paths)
            if run:
                times.append(time.process_time() - start)
        known = sum(one.change is Change.UNCHANGED for one in made)
        middle, least, most = statistics.median(times), min(times), max(times)
        spread = f"({least:.2f} to {most:.2f})"
        print(f"{name:<8} {middle:5.2f} s {spread}   {known:7} of {count} unchanged")


def history(count: int) -> Sides:
    """A project now, and its earlier state."""
    random.seed(3)
    base = [code(number) for number in range(count)]
    return [later(one, random.random()) for one in base], base


def code(number: int, path: str | None = None) -> MatchEntry:
    file, place = number % FILES, number // FILES
    digest = f"{number:016x}"
    parts = Parts(
        "code",
        f"B{300 + number % 50}",
        path or f"src/mod{file:04}.py",
        f"f{place % 9}",
        digest,
    )
    return MatchEntry(parts, place, statement=digest, inputs=digest, origins=digest)


def later(one: MatchEntry, chance: float) -> MatchEntry:
    """Return the finding after some months; `chance` decides its change."""
    parts = one.parts
    if chance < 0.8:
        return one._replace(line=one.line + 3)
    if chance < 0.85:
        return one._replace(parts=parts._replace(qualname="renamed"))
    if chance < 0.9:
        return one._replace(parts=parts._replace(path=f"new/{parts.path}"))
    if chance < 0.95:
        return one._replace(parts=parts._replace(path="src/mod0001.py"))
    return one._replace(parts=parts._replace(code=f"{chance:.14f}"))


def new(count: int) -> Sides:
    """Two unrelated projects."""
    return [code(number, f"other{number % FILES}.py") for number in range(count)], [
        code(number + count) for number in range(count)
    ]


def equal(count: int) -> Sides:
    """The same finding many times."""
    side = [MatchEntry(Parts("code", "B101", "a.py", "", "0" * 16), line) for line in range(count)]
    return side, side


def secrets(count: int) -> Sides:
    """Values that differ only in their digests."""
    parts = Parts("secret", "", "a.json", "", "0" * 16)
    base = [MatchEntry(parts, line, f"{line:016x}") for line in range(count)]
    return base[::-1], base


KINDS: dict[str, Callable[[int], Sides]] = {
    "history": history,
    "new": new,
    "equal": equal,
    "secrets": secrets,
}


if __name__ == "__main__":
    main()
