"""Runs bandit, and once more over the files in which `# nosec` hid something, without that.

Arguments are bandit's, with `--` before the names of files. It prints bandit's JSON; and where a
comment hid an issue, the byte 1E (a record separator, RFC 7464) and the JSON of the second run,
which is empty where that could not be made. The exit code is that of the first run.
"""

import json
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SEPARATOR: Final = "\x1e"
# In the folder that the program is started in, which is its own.
_FIRST, _SECOND = "first.json", "second.json"


def main() -> None:
    """Run bandit once or twice, and print what it wrote."""
    split = sys.argv.index("--")
    options, files = sys.argv[1:split], sys.argv[split + 1 :]
    code = _bandit([*options, "--output", _FIRST], files)
    report = _written(_FIRST)
    sys.stdout.write(report)
    if code:
        sys.exit(code)
    # The files in which a comment hid at least one issue, by bandit's own count.
    hiding = [
        name
        for name, counts in json.loads(report)["metrics"].items()
        if name != "_totals" and counts.get("nosec", 0) + counts.get("skipped_tests", 0)
    ]
    if hiding:
        code = _bandit([*options, "--ignore-nosec", "--output", _SECOND], hiding)
        sys.stdout.write(SEPARATOR + ("" if code else _written(_SECOND)))


def _bandit(options: Iterable[str], files: Iterable[str]) -> int:
    """Run bandit's own command line in this process; its exit code."""
    sys.argv = ["bandit", *options, "--", *files]
    try:
        runpy.run_module("bandit", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _written(name: str) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    main()
