"""What bandit looked at, by the evidence in its report and log, and what it did not, and why."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from scanagg.core.text import one_line
from scanagg.model import NotExamined, SourceFile
from scanagg.scanners import source_files
from scanagg.scanners.bandit.report import Metrics, Report, number_hidden, shown_path
from scanagg.scanners.base import Output, ScannerSettings

_CHECK_FAILED: Final = re.compile(
    r"Bandit internal error running: (\w+) on file (.+?) at line (\d+): ", re.DOTALL
)


def examined(report: Report, files: Mapping[str, SourceFile]) -> Iterator[str]:
    """The files, by what bandit calls them, of which it counted the issues.

    It does that last, after all checks; an exit code or the absence of issues prove nothing.
    """
    for name, file in files.items():
        if _is_examined(report.metrics.get(name), file):
            yield file.path


def gaps(
    report: Report, output: Output, files: Mapping[str, SourceFile], settings: ScannerSettings
) -> tuple[NotExamined, ...]:
    """Files that bandit skipped, was told to leave out, or did not come to the end of."""
    return (*_skipped(report, files, settings), *_failed_checks(output.stderr, files))


def hidden(report: Report) -> dict[str, int]:
    """How many issues comments in the source hide, by kind."""
    number = number_hidden(report)
    return {"nosec": number} if number else {}


def _skipped(
    report: Report, files: Mapping[str, SourceFile], settings: ScannerSettings
) -> Iterator[NotExamined]:
    for error in report.errors:
        yield NotExamined(shown_path(error.filename, files), _why(error.reason, settings))
    said = {error.filename for error in report.errors}
    told = bool(settings.args or settings.options)
    for name, file in files.items():
        if name not in said and name not in report.metrics and told:
            reason = "excluded: left out by bandit's configuration or arguments"
            yield NotExamined(file.path, reason)


def _why(reason: str, settings: ScannerSettings) -> str:
    if not reason.startswith("syntax error"):
        return one_line(f"bandit skipped it: {reason}")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = f"Python {version}" if settings.path is None else "its own Python"
    return f"syntax error: not parsed by bandit with {python}"


def _failed_checks(stderr: str, files: Mapping[str, SourceFile]) -> Iterator[NotExamined]:
    """Files on which a check of bandit died: it logs that and goes on as if nothing were there."""
    logged = {_logged(name): file.path for name, file in files.items()}
    seen = set()
    for check, name, line in _CHECK_FAILED.findall(stderr):
        if name in logged and name not in seen:
            seen.add(name)
            reason = f"not fully examined: bandit's check {check} failed at line {line}"
            yield NotExamined(logged[name], reason)


def _logged(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_examined(counted: Metrics | None, file: SourceFile) -> bool:
    """Whether all checks ran, on as much code as there is: no line is right for an empty file."""
    if counted is None or counted.low is None:
        return False
    return counted.loc > 0 or not any(map(_is_code, source_files.python_lines(file)))


def _is_code(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
