"""A program that runs bandit, and runs it again to list the issues that `# nosec` hides.

It takes the options of bandit as arguments, and reads the names of the files as JSON from stdin:
other users of the machine can see arguments, and a name can have a secret. It prints bandit's JSON.
If comments hid issues, it then prints the byte 1E (record separator, RFC 7464) and the JSON of a
run with `--ignore-nosec` over those files, or nothing if that run failed. The exit code is that of
the first run.
"""

import io
import json
import logging
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from bandit.core import manager, tester

from scanagg.core.files import read_file

SEPARATOR: Final = "\x1e"
# In the working directory, which is private to each call.
_FIRST, _SECOND = "first.json", "second.json"


def main() -> None:
    """Run bandit once or twice, and print its reports."""
    # bandit has no hook to read files. Its own `open` would follow a link and wait for a pipe.
    vars(manager)["open"] = _open
    # Warnings about comments are as many as the project likes: crashed checks must stay in the log.
    for module in (manager, tester):
        logging.getLogger(module.__name__).setLevel(logging.ERROR)
    options, files = sys.argv[1:], json.load(sys.stdin)
    code = _bandit([*options, "--output", _FIRST], files)
    report = _written(_FIRST)
    sys.stdout.write(report)
    if code:
        sys.exit(code)
    # The files in which comments hide issues, as bandit counts them.
    hiding = [
        name.removeprefix("./")  # bandit puts it before every relative name
        for name, counts in json.loads(report)["metrics"].items()
        if name != "_totals" and counts.get("nosec", 0) + counts.get("skipped_tests", 0)
    ]
    if hiding:
        code = _bandit([*options, "--ignore-nosec", "--output", _SECOND], hiding)
        sys.stdout.write(SEPARATOR + ("" if code else _written(_SECOND)))


def _bandit(options: Iterable[str], files: Iterable[str]) -> int:
    """Run bandit's command line in this process. Return its exit code."""
    sys.argv = ["bandit", *options, "--", *files]
    try:
        runpy.run_module("bandit", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _open(name: str, _mode: str) -> BinaryIO:
    path = Path(name)
    # A relative name is that of a copy in the working directory.
    return io.BytesIO(read_file(path) if path.is_absolute() else path.read_bytes())


def _written(name: str) -> str:
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    main()
