"""What bandit's JSON says, in our words: rules, places, messages without the passwords in them."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.text import one_line, shorten, valid
from scanagg.model import (
    Category,
    Confidence,
    Location,
    Observation,
    Rule,
    Severity,
    SeverityClaim,
    SourceFile,
)
from scanagg.scanners import base, source_files
from scanagg.scanners.base import Output, ScanError

_SCANNER: Final = "bandit"
_TITLE_WIDTH: Final = 100
_NOSEC: Final = "nosec"
# Between the report and that of a second run, see `scanagg.scanners.bandit.worker`.
_SEPARATOR: Final = b"\x1e"

_PASSWORDS: Final = {
    "B105": "A password is written in the source",
    "B106": "A password written in the source is passed as an argument",
    "B107": "A password written in the source is the default of a parameter",
}
_PASSWORD: Final = re.compile(r"Possible hardcoded password: '(.*)'\s*", re.DOTALL)
# What bandit gives as their range is what they stand in: the whole function, list or mapping.
_RANGE_OF_MORE: Final = frozenset({"B104", "B105", "B106", "B107", "B108", "B503", "B608"})

_LOG_PREFIX: Final = re.compile(r"^\[\w+\]\t[A-Z]+\t", re.MULTILINE)
_VERSION_IN_URL: Final = re.compile(r"(?<=bandit\.readthedocs\.io/en/)[^/]+(?=/)")
_BLACKLISTED: Final = re.compile(r"#(?:b\d+-)+(.+)$", re.IGNORECASE)
_SEVERITIES: Final = {"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM, "LOW": Severity.LOW}
_CONFIDENCES: Final = {
    "HIGH": Confidence.HIGH,
    "MEDIUM": Confidence.MEDIUM,
    "LOW": Confidence.LOW,
}


class _Cwe(msgspec.Struct, frozen=True):
    id: int = 0


class Result(msgspec.Struct, frozen=True):
    """One issue. Its `code` is left out: it shows secrets, and lines that are not its own."""

    filename: str
    test_id: str
    test_name: str
    issue_text: str
    issue_severity: str
    issue_confidence: str
    line_number: int
    line_range: tuple[int, ...] = ()
    col_offset: int = -1
    end_col_offset: int = 0
    more_info: str = ""
    issue_cwe: _Cwe = _Cwe()


class _Error(msgspec.Struct, frozen=True):
    """A file that was skipped."""

    filename: str
    reason: str


class Metrics(msgspec.Struct, frozen=True):
    """Counts of one file. Those of issues are there only if its checks ran to the end."""

    loc: float = 0
    nosec: float = 0
    skipped_tests: float = 0
    low: float | None = msgspec.field(name="SEVERITY.LOW", default=None)


class Report(msgspec.Struct, frozen=True):
    """A whole report; `metrics` by file, and `_totals`."""

    results: tuple[Result, ...]
    errors: tuple[_Error, ...]
    metrics: dict[str, Metrics]


def decode(output: Output, root: Path) -> Report:
    """The report in bandit's JSON, of any of its versions. ScanError where it is none.

    It is none either where bandit did not end well, which with `--exit-zero` is any exit code but
    0. `root` is the checked folder, which is not to stand in the error.
    """
    if output.returncode:
        said = _LOG_PREFIX.sub("", output.stderr).replace(f"{root}/", "")
        raise ScanError(base.complaint(said, f"ended with exit code {output.returncode}"))
    return _decoded(output.stdout.partition(_SEPARATOR)[0])


def hidden(output: Output, report: Report) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """The issues that comments hide: those that are only there without them; and what to say of it.

    ScanError where the second run's report is none.
    """
    _, separator, second = output.stdout.partition(_SEPARATOR)
    if second.strip():
        # Equal results are counted: of two, one may be hidden.
        open_ = Counter(report.results)
        more = Counter(_decoded(second).results) - open_
        return tuple(more.elements()), ()
    if not output.inputs or not number_hidden(report):
        return (), ()
    why = "bandit ended badly" if separator else "only scanagg's own bandit tells them"
    return (), (f"what nosec hides is counted, but not listed: {why}",)


def _decoded(raw: bytes) -> Report:
    try:
        return msgspec.json.decode(raw, type=Report)
    except (msgspec.DecodeError, RecursionError):
        pass
    # A name that is not UTF-8 stands in it as a lone surrogate, which only Python's parser takes.
    try:
        return msgspec.convert(json.loads(raw), Report)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise ScanError(f"not bandit's JSON: {one_line(str(error))}") from error


def number_hidden(report: Report) -> int:
    """How many issues comments hide, by bandit's own count: all checks of a line, or named ones."""
    counts = (each for name, each in report.metrics.items() if name != "_totals")
    return sum(int(each.nosec + each.skipped_tests) for each in counts)


def shown_path(name: str, files: Mapping[str, SourceFile]) -> str:
    """The path to show for what bandit calls `name`; Windows' reports mix both separators."""
    if name in files:
        return files[name].path
    parts = valid(name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unknown"


def values(result: Result) -> tuple[str, ...]:
    """The password that bandit writes into its text, if there is one."""
    found = _PASSWORD.fullmatch(result.issue_text) if result.test_id in _PASSWORDS else None
    return (found[1],) if found and found[1].strip() else ()


def observations(
    results: Iterable[Result], covered: Iterable[Result], files: Mapping[str, SourceFile]
) -> tuple[Observation, ...]:
    """The issues, and those that comments in the source cover up, in that order."""
    lines = lru_cache(maxsize=1)(source_files.python_lines)  # results come file by file

    def made(result: Result, in_source: str) -> Observation:
        path = shown_path(result.filename, files)
        return _observation(result, path, lines(files.get(result.filename)), in_source)

    return (*(made(each, "") for each in results), *(made(each, _NOSEC) for each in covered))


def _observation(result: Result, path: str, lines: Sequence[str], in_source: str) -> Observation:
    """One issue, in the file shown as `path`, whose `lines` give the columns if they are there."""
    severity = _SEVERITIES.get(result.issue_severity.upper(), Severity.UNKNOWN)
    # bandit writes the password itself into the text.
    text = _PASSWORDS.get(result.test_id) or one_line(result.issue_text.strip())
    return Observation(
        scanner=_SCANNER,
        category=Category.CODE,
        rule=_rule(result.test_id, result.test_name, result.more_info, result.issue_cwe.id),
        title=shorten(text.partition(". ")[0].rstrip("."), _TITLE_WIDTH),
        message=text,
        claims=(SeverityClaim("tool", severity, _SCANNER),),
        confidence=_CONFIDENCES.get(result.issue_confidence.upper(), Confidence.UNKNOWN),
        location=_place(result, path, lines),
        in_source=in_source,
    )


@lru_cache(maxsize=256)
def _rule(test: str, name: str, url: str, cwe: int) -> Rule:
    """The rule; its address without bandit's version, so that it is the same after an upgrade."""
    listed = _BLACKLISTED.search(url) if name.startswith("blacklist") else None
    name = listed[1].replace("-", "_") if listed else name
    return Rule(
        id=test,
        name=name,
        title=name.replace("_", " ").capitalize(),
        url=_VERSION_IN_URL.sub("latest", url) if url.startswith("https://") else None,
        cwe=(f"CWE-{cwe}",) if cwe else (),
    )


def _place(result: Result, path: str, lines: Sequence[str]) -> Location:
    """The line that bandit names, up to the end of what it means where that can be told."""
    start = max(1, result.line_number)
    whole = result.line_range[:1] == (start,) and result.test_id not in _RANGE_OF_MORE
    last = max(start, result.line_range[-1]) if whole else start
    if result.test_id in _PASSWORDS:
        last = _password_line(result, lines)
    if last > len(lines) or (result.line_range != (start,) and not whole):
        return Location(path, start, last)
    first_column = source_files.utf16_column(lines[start - 1], result.col_offset)
    end_column = source_files.utf16_column(lines[last - 1], result.end_col_offset)
    if first_column is None or end_column is None or (last, end_column) <= (start, first_column):
        return Location(path, start, last)
    return Location(path, start, last, first_column, end_column)


def _password_line(result: Result, lines: Sequence[str]) -> int:
    """The line on which the password stands: not always the one of the statement."""
    start = max(1, result.line_number)
    for value in values(result):
        for number in range(start, min(len(lines), max(result.line_range, default=0)) + 1):
            if any(f"{quote}{value}{quote}" in lines[number - 1] for quote in ("'", '"')):
                return number
    return start
