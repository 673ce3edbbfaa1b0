"""A program that runs bandit, and runs it again to list the issues that `# nosec` hides.

It takes the options of bandit as arguments, and reads the names of the files as JSON from stdin:
other users of the machine can see arguments, and a name can have a secret. It prints three parts,
with the byte 1E (record separator, RFC 7464) between them: bandit's JSON, the first check that
crashed in each file as a JSON list of [file, check, line], and the JSON of a run with
`--ignore-nosec` over the files in which comments hid issues. The last one is empty if there are
none, and if that run failed. The exit code is that of the first run; if it is not 0, only the first
part is printed.
"""

import io
import json
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

from bandit.core import manager, tester

from scanagg.core.files import read_file

SEPARATOR: Final = "\x1e"
# In the working directory, which is private to each call.
_FIRST, _SECOND = "first.json", "second.json"


def main() -> None:
    """Run bandit once or twice, and print its reports."""
    # bandit has no hook to read files. Its own `open` would follow a link and wait for a pipe.
    vars(manager)["open"] = _open
    # bandit only logs that a check crashed. A log has names of files, which can say anything.
    failed: dict[str, tuple[str, str, int]] = {}

    def report_error(check: str, context: Any, _error: Exception) -> None:
        values = vars(context)["_context"]
        name = values["filename"]
        failed.setdefault(name, (name, check, values["lineno"]))

    tester.BanditTester.report_error = staticmethod(report_error)
    options, files = sys.argv[1:], json.load(sys.stdin)
    code = _bandit([*options, "--output", _FIRST], files)
    report = _written(_FIRST)
    if code:
        sys.stdout.write(report)
        sys.exit(code)
    # The files in which comments hide issues, as bandit counts them.
    hiding = [
        name.removeprefix("./")  # bandit puts it before every relative name
        for name, counts in json.loads(report)["metrics"].items()
        if name != "_totals" and counts.get("nosec", 0) + counts.get("skipped_tests", 0)
    ]
    hidden = ""
    if hiding and not _bandit([*options, "--ignore-nosec", "--output", _SECOND], hiding):
        hidden = _written(_SECOND)
    sys.stdout.write(SEPARATOR.join((report, json.dumps([*failed.values()]), hidden)))


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
