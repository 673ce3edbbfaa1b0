"""Thirty mistakes in the logic of scanagg, planted one at a time: does a test fail?

    python benchmarks/mutants.py              all of them, which takes minutes
    python benchmarks/mutants.py --only 3     the third one; repeatable
    python benchmarks/mutants.py --jobs 4     four at once, each in a copy of its own

A mutant replaces a text that occurs exactly once in all files of `scanagg/`, and runs the test
files that it names, from any folder of `tests/`. White space in the text does not matter, and
`$name` stands for any name. A mutant is *killed* if a test fails, and has *survived* if all pass.

The work tree is copied to a temporary folder first and not changed. The tests must pass without a
mutant. Exit code: 0 if all mutants were killed, 1 if one survived, 2 if a text or a test file does
not exist exactly once, or if tests fail without a mutant or cannot run with one.
"""

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-n", "0")
SECONDS = 1800
TIMED_OUT = -1000
LEFT_OUT = (".git", ".venv", "build", "__pycache__", ".hypothesis", ".*_cache")

# The rule that is broken and the tests that must notice; the text and its replacement.
MUTANTS = r"""
the first matching rule decides: test_policy_decide.py
- for index, conditions in self._of_category[category]:
+ for index, conditions in reversed(self._of_category[category]):
no more inputs are skipped than the policy allows: test_policy_gate.py
- missed <= sum(map(int, bounds))
+ missed <= sum(map(int, bounds)) + 1
what is left out on purpose is no gap: test_policy_gate.py test_runner.py
- self.not_examined if not gap.on_purpose)
+ self.not_examined if gap.reason)
incomplete goes before blocked: test_policy_gate.py
- if gaps: outcome
+ if gaps and not blocks: outcome
an interrupted run has its own exit code: test_policy_gate.py
- exit_code=ExitCode.INTERRUPTED
+ exit_code=gate.exit_code
a waiver holds on its last day: test_policy_decide.py test_the_fifteen_rules.py
- (waiver.expires - day).days
+ (waiver.expires - day).days - 1
grace ends at the deadline, not after it: test_policy_decide.py test_the_fifteen_rules.py
- now < deadline
+ now <= deadline
a source that does not know the severity is passed over: test_policy_decide.py
- is_unknown = claim.severity is Severity.UNKNOWN
+ is_unknown = False
data older than the policy allows is stale: test_policy_gate.py test_the_fifteen_rules.py
- now - data.updated > span(limit)
+ now - data.updated > 2 * span(limit)
OR takes the better licence, AND the worse: test_policy_licenses.py
- max if tree.is_and else min
+ min if tree.is_and else max
advisories that share an alias are one finding: test_correlate.py
- not $a.advisory.ids.isdisjoint($b.advisory.ids)
+ $a.advisory.id == $b.advisory.id
an advisory is withdrawn only if all its records are: test_correlate.py
- withdrawn=all(
+ withdrawn=any(
code merges only where lines overlap: test_correlate.py
- end > start
+ end >= start
two values on a line are two secrets: test_correlate.py
- if len(digests) < 2:
+ if len(digests) < 3:
a fingerprint does not depend on the line: test_fingerprint.py
- parts._replace(qualname=statement.function,
+ parts._replace(qualname=f"{statement.function}{place}",
an edited statement is updated, not unchanged: test_matching.py
- "in_file", Change.UPDATED
+ "in_file", Change.UNCHANGED
the version that introduces a vulnerability is affected: test_osv_versions.py
- start = version
+ start = None
a CVSS score of 7.0 is high: test_cvss.py
- (7.0, Severity.HIGH)
+ (7.1, Severity.HIGH)
a package that any part needs at run time is no development package: test_inventory_poetry.py
- Scope.DEV if set($scopes) == {Scope.DEV} else Scope.RUNTIME
+ Scope.DEV if Scope.DEV in set($scopes) else Scope.RUNTIME
Terraform that Trivy complains about is not examined: test_trivy.py
- $named and path not in evidence.complaints
+ $named
a scanner that does not end in time is a timeout: test_runner.py
- self._timed_out = True
+ self._timed_out = False
on the line of a secret all that can be its value is masked: test_redact.py
- if quoted == masked:
+ if not masked:
a terminal escape is shown, not obeyed: test_text.py
- \x0b-\x1f\x7f
+ \x0b-\x1a\x7f
an unknown severity is a warning in SARIF: test_sarif_parts.py test_sarif_checklist.py
- Severity.UNKNOWN: "warning"
+ Severity.UNKNOWN: "note"
text of a project is no markup in HTML: test_report_html.py
- loader=_LOADER, autoescape=True
+ loader=_LOADER, autoescape=False
scanners are configured from the trusted commit: test_check_policy_ref.py
- load_settings(root, scanner_infos(), files=files)
+ load_settings(root, scanner_infos(), files=WorkTree(root))
what git ignores is no part of the project: test_target.py
- "--others", "--exclude-standard")
+ "--others")
the lowest of the best versions is advised: test_upgrades_plan.py
- len(remaining) < len(left)
+ len(remaining) <= len(left)
a file is replaced whole or not at all: test_upgrades_pins.py
- replace_atomically(original.real, [raw], original.mode, original.root)
+ original.real.write_bytes(raw)
a file outside of the project is not edited through a link: test_upgrades_pins.py
- not real.is_relative_to(inside)
+ not real.is_absolute()
"""


class Mutant(NamedTuple):
    """A mistake to plant. `text` matches the code it replaces, `tests` are names of files."""

    number: int
    rule: str
    tests: list[str]
    text: re.Pattern[str]
    replacement: str


class MutantError(Exception):
    """A mutant cannot be planted, or its tests cannot judge it."""


def mutants() -> Iterator[Mutant]:
    """Yield the mutants, numbered from 1."""
    lines = iter(MUTANTS.strip().splitlines())
    for number, (head, text, replacement) in enumerate(zip(lines, lines, lines, strict=True), 1):
        rule, _, tests = head.rpartition(": ")
        yield Mutant(number, rule, tests.split(), pattern(text[2:]), replacement[2:])


def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern for code, with any white space, and any name in place of each `$name`."""
    code = r"\s*".join(map(re.escape, re.findall(r"\$?\w+|[^\w\s]", text)))
    for name in dict.fromkeys(re.findall(r"\$(\w+)", text)):
        first, *others = code.split(rf"\${name}")
        code = rf"{first}(?P<{name}>\w+)" + f"(?P={name})".join(others)
    return re.compile((r"\b" if re.match(r"[\w$]", text) else "") + code)


def places(mutant: Mutant, root: Path) -> tuple[Path, list[Path]]:
    """Return the source file that has the mutant's text, and its test files."""
    sources = {path: path.read_text("utf-8") for path in (root / "scanagg").rglob("*.py")}
    homes = [path for path, source in sources.items() for _ in mutant.text.finditer(source)]
    if len(homes) != 1:
        text = mutant.text.pattern
        raise MutantError(f"mutant {mutant.number}: {text} occurs {len(homes)} times in scanagg/")
    tests = [path for name in mutant.tests for path in (root / "tests").rglob(name)]
    if sorted(path.name for path in tests) != sorted(mutant.tests):
        names = " ".join(mutant.tests)
        raise MutantError(f"mutant {mutant.number}: not each of {names} is once below tests/")
    return homes[0], tests


def copied(folder: Path) -> Path:
    """Return a copy of the work tree, with an environment in `.venv` that imports the copy.

    Its programs and other packages are those of the environment that runs this. `PYTHONPATH` is not
    enough, because scanners are started without it.
    """
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    root = Path(shutil.copytree(ROOT, folder / "scanagg", symlinks=True, ignore=ignore))
    venv.create(root / ".venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(root / ".venv")}))
    (packages / "copy.pth").write_text(f"{root}\n{sysconfig.get_path('purelib')}\n")
    programs = root / ".venv" / "bin"
    for program in Path(sysconfig.get_path("scripts")).iterdir():
        if program.name != "scanagg" and not (programs / program.name).exists():
            (programs / program.name).symlink_to(program)
    script = f"#!{programs}/python\nfrom scanagg.cli import main\nmain()\n"
    (programs / "scanagg").write_text(script)
    (programs / "scanagg").chmod(0o755)
    return root


def run_tests(root: Path, tests: Iterable[Path]) -> tuple[int, str]:
    """Run test files in a copy; return pytest's exit code, or `TIMED_OUT`, and its output."""
    data = os.environ.get("SCANAGG_TEST_DATA") or str(ROOT.parent / "shared" / "data")
    # No compiled files: Python would reuse those of a mutant of the same size and second.
    env = {"PYTHONPATH": "", "SCANAGG_TEST_DATA": data, "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [f"{root}/.venv/bin/python", "-m", "pytest", *OPTIONS, *sorted(map(str, tests))]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            argv, cwd=root, env=os.environ | env, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = TIMED_OUT
        output.seek(0)
        return code, output.read()


def verdict(mutant: Mutant, root: Path) -> tuple[str, str]:
    """Plant a mutant in a copy and test it; return its outcome and the failing test."""

    def planted(match: re.Match[str]) -> str:
        return re.sub(r"\$(\w+)", lambda name: match[name[1]], mutant.replacement)

    path, tests = places(mutant, root)
    source = path.read_text("utf-8")
    path.write_text(mutant.text.sub(planted, source), "utf-8")
    code, output = run_tests(root, tests)
    path.write_text(source, "utf-8")
    failed = re.search(r"^FAILED \S*/([\w.]+::\w+)", output, re.MULTILINE)
    if code in (1, TIMED_OUT):
        return "killed", failed[1] if failed else f"not done within {SECONDS} seconds"
    return ("survived", "") if code == 0 else ("error", " ".join(output.split())[-200:])


def check(chosen: list[Mutant], root: Path) -> None:
    """Raise MutantError unless each mutant can be planted and the tests pass without one."""
    problems, tests = [], set()
    for mutant in chosen:
        try:
            tests.update(places(mutant, root)[1])
        except MutantError as error:
            problems.append(str(error))
    if problems:
        raise MutantError("\n".join(problems))
    code, output = run_tests(root, tests)
    if code:
        raise MutantError(f"the tests fail without a mutant\n{output[-2000:]}")


def plant(chosen: list[Mutant], jobs: int) -> list[str]:
    """Test the mutants and print the outcome of each; return the outcomes."""
    copies: queue.Queue[Path] = queue.Queue()

    def test(mutant: Mutant) -> str:
        root, start = copies.get(), time.monotonic()
        try:
            outcome, failed = verdict(mutant, root)
        finally:
            copies.put(root)
        seconds = round(time.monotonic() - start)
        print(f"| {mutant.number} | {mutant.rule} | {outcome} | {failed} | {seconds} |", flush=True)
        return outcome

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for number in range(jobs):
            copies.put(copied(Path(folder) / str(number)))
        check(chosen, copies.queue[0])
        print("| mutant | rule | outcome | first failing test | seconds |")
        print("| --- " * 5 + "|", flush=True)
        return list(pool.map(test, chosen))


def main() -> None:
    """Test the mutants that the command line names, or all."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", type=int, action="append", metavar="N", help="repeatable")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="mutants at once")
    args = parser.parse_args()
    chosen = [mutant for mutant in mutants() if not args.only or mutant.number in args.only]
    try:
        outcomes = plant(chosen, args.jobs)
    except MutantError as error:
        print(f"mutants.py: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"\n{outcomes.count('killed')} of {len(outcomes)} killed")
    sys.exit(2 if "error" in outcomes else int("survived" in outcomes))


if __name__ == "__main__":
    main()
