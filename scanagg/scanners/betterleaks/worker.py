"""A program that searches copies of files with `detectors`, with a time limit for each.

It reads a request as JSON from stdin: the CPU `seconds` for each file, the number of characters at
the `end` of each copy that are not of its file, and `files`: the path of a copy, the name of its
file, and whether that is a lock file. For each copy that is there, it prints a line of JSON: the
index of the file, and its secrets, each with its title, line and value; null if it took too long.
"""

import json
import sys
from pathlib import Path

from scanagg.core.times import TooSlow, cpu_limit
from scanagg.scanners.detectors import search


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    for index, (copy, name, is_lock) in enumerate(request["files"]):
        try:
            text = Path(copy).read_bytes().decode("utf-8")
        except FileNotFoundError:
            continue
        # An `end` of 0 must not cut all of it.
        text = text[: len(text) - request["end"]]
        try:
            with cpu_limit(request["seconds"]):
                found = [*search(text, name, lambda found: found, is_lock=is_lock)]
            secrets = [(one.detector.title, one.number, one.value) for one in found]
        except TooSlow:
            secrets = None
        sys.stdout.write(json.dumps((index, secrets)) + "\n")


if __name__ == "__main__":
    main()
