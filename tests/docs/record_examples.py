"""Record the output of the examples in the documents again, after a change of wording.

    python tests/docs/record_examples.py README.md docs/*.md

A line `[...]` keeps its place: the lines around it are replaced by those most similar to them.
Read the diff before you commit it.
"""

import os
import sys
import tempfile
from difflib import SequenceMatcher
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from doc_examples import LEFT_OUT, differences, parts, plain, run_session, sessions
from example_projects import make


def recorded(shown: tuple[str, ...], printed: str) -> list[str]:
    """Return the lines to show: those shown now if they are still right, else printed ones."""
    if not differences(shown, printed):
        return list(shown)
    actual = [line.rstrip() for line in printed.strip("\n").splitlines()]
    old_parts = parts(list(shown))
    lines: list[str] = []
    position = 0
    for number, part in enumerate(old_parts):
        lines += [LEFT_OUT] if number else []
        if not part:
            continue
        start, end = position, len(actual)
        if number > 0:
            start = most_similar(actual, part[0], position, len(actual))
        if number < len(old_parts) - 1:
            end = 1 + most_similar(actual, part[-1], start, start + 2 * len(part) + 4)
        # Keep ids, times and seconds, which differ in each run.
        known = {plain(line): line for line in part}
        lines += [known.get(plain(line), line) for line in actual[start:end]]
        position = end
    return lines


def most_similar(lines: list[str], wanted: str, start: int, end: int) -> int:
    """Return the index of the line that is most similar to another one."""
    places = range(start, min(end, len(lines)))
    ratio = {at: SequenceMatcher(None, lines[at], wanted).ratio() for at in places}
    return max(places, key=lambda at: ratio[at], default=start)


def record(page: Path, folder: Path) -> None:
    """Run every session of a page, and write what its commands print into it."""
    lines = page.read_text(encoding="utf-8").splitlines()
    edits = []
    for name, steps in sessions(page).items():
        project = make(name, folder / page.stem / name)
        for command, printed in run_session(steps, project, folder / page.stem / f"{name}-bin"):
            start = command.line
            while lines[start - 1].endswith("\\"):
                start += 1
            edits.append((start, start + len(command.shown), recorded(command.shown, printed)))
    for start, end, new in sorted(edits, reverse=True):
        lines[start:end] = new
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["SCANAGG_CACHE_DIR"] = f"{temporary}/cache"
        for argument in sys.argv[1:]:
            record(Path(argument), Path(temporary))
