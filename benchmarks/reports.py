"""Time and memory from a scanner's answer with 100,000 findings to all four reports.

The answer is in bandit's format, over 2,000 Python files that exist, with 50 rules. The stages are
those of a check: parse, normalise, correlate, judge, and each report written to disk.
"""

import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from scanagg.core.cache import write_atomically
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import normalise, redactor
from scanagg.model import Clock, Coverage, Inventory, Report, Run, Status, Terms
from scanagg.policy.gate import CheckResults, judge_runs
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.reports.base import reporter
from scanagg.scanners.base import Context, Output, ScannerSettings, all_scanners, scanner_infos

T = TypeVar("T")
FILES = 2000
FORMATS = ("json", "sarif", "html", "md")


def main() -> None:
    """Print one line per stage: seconds, and the peak memory of the process so far in MB."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        # In a process of its own, to leave out the cost of making the input.
        with ProcessPoolExecutor(1) as pool:
            pool.submit(make, root, count).result()
        answer = (Path(folder) / "answer.json").read_bytes()
        gc.disable()  # as `scanagg check` does
        start = time.perf_counter()
        check(root, answer, Path(folder))
        seconds = time.perf_counter() - start
        print(f"{'all':<12} {seconds:6.2f} s   {peak():5.0f} MB   {count} findings")


def check(root: Path, answer: bytes, out: Path) -> None:
    """Run the stages of a check, without the scanners."""
    target = staged("target", lambda: read_target(root))
    sources = Sources(target)
    context = Context(target, sources, Inventory(), ScannerSettings(), out, datetime.now(UTC))
    output = Output(0, answer, "", tuple(file.path for file in target.files))
    del answer
    parsed = staged("parse", lambda: all_scanners()["bandit"].parse(context, output))
    observations = staged("normalise", lambda: normalise(parsed.observations, Inventory(), sources))
    mask = redactor(observations, parsed.secrets)
    identity = Identity(sources, mask)
    findings = staged("correlate", lambda: correlate(observations, identity))
    loaded = load_policy("default", root)
    now = datetime.now(UTC)
    decision = staged("judge", lambda: decide(findings, loaded, now))
    coverage = Coverage("files", FILES, FILES)
    runs = (
        Run(
            scanner="bandit",
            version="1.9.4",
            status=Status.OK,
            coverage=coverage,
            started=now,
        ),
    )
    results = CheckResults(runs=runs, decision=decision, now=now, terms=Terms(only=("bandit",)))
    gate = judge_runs(results, loaded)
    report = Report(
        version="0",
        target=target,
        policy=loaded.info,
        clock=Clock(now),
        runs=runs,
        findings=decision.judged,
        gate=gate,
        scanners=scanner_infos(),
    )
    for name in FORMATS:
        format_ = reporter(name)
        path = out / format_.FILENAME
        staged(name, lambda: write_atomically(path, format_.render(report)))  # noqa: B023


def make(root: Path, count: int) -> None:
    """Write 2,000 files with enough lines, and bandit's answer about them."""
    root.mkdir()
    lines = count // FILES + 1
    for number in range(FILES):
        body = "".join(f"def f{line}(x):\n    return eval(x, {line})\n" for line in range(lines))
        (root / f"mod{number:04}.py").write_text(body)
    results = [result(root, number, count // FILES or 1) for number in range(count)]
    metrics = {
        str(root / f"mod{number:04}.py"): {"loc": 2 * lines, "nosec": 0, "skipped_tests": 0}
        for number in range(FILES)
    }
    metrics["_totals"] = {"loc": 2 * lines * FILES, "nosec": 0, "skipped_tests": 0}
    answer = {"errors": [], "results": results, "metrics": metrics}
    (root.parent / "answer.json").write_text(json.dumps(answer))


def result(root: Path, number: int, in_a_file: int) -> dict[str, object]:
    """Return one record as bandit 1.9.4 writes it: file by file, line by line."""
    file, place = divmod(number, in_a_file)
    line = 2 * place + 2
    return {
        "code": f"{line} return eval(x)\n",
        "col_offset": 11,
        "end_col_offset": 20,
        "filename": str(root / f"mod{file % FILES:04}.py"),
        "issue_confidence": "HIGH",
        "issue_cwe": {"id": 78, "link": "https://cwe.mitre.org/data/definitions/78.html"},
        "issue_severity": ("HIGH", "MEDIUM", "LOW")[number % 3],
        "issue_text": "Use of possibly insecure function - consider something safer.",
        "line_number": line,
        "line_range": [line],
        "more_info": "https://bandit.readthedocs.io/en/1.9.4/blacklists/blacklist_calls.html",
        "test_id": f"B{300 + number % 50}",
        "test_name": "blacklist",
    }


def staged(name: str, work: Callable[[], T]) -> T:
    """Do the work, and print its time."""
    start = time.perf_counter()
    value = work()
    print(f"{name:<12} {time.perf_counter() - start:6.2f} s   {peak():5.0f} MB")
    return value


def peak() -> float:
    """Return the largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
