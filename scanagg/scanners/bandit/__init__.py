"""bandit: weaknesses in the project's Python code, whatever the names of its files.

scanagg passes each file by name. Otherwise bandit would leave out the folders on its own list, and
those that a `.bandit` of the project excludes.
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from scanagg.core.text import one_line, shorten, valid
from scanagg.model import (
    Category,
    Confidence,
    Location,
    NotExamined,
    Number,
    Observation,
    Reason,
    Rule,
    ScannerInfo,
    Secret,
    Severity,
    SeverityClaim,
    plain,
)
from scanagg.model.advisories import secret_texts
from scanagg.project import kinds
from scanagg.project.sources import PythonCode
from scanagg.scanners import base, pinned, source_files
from scanagg.scanners.bandit import confidence
from scanagg.scanners.bandit.rules import RULES
from scanagg.scanners.bandit.syntax import Syntax

_MEDIUM_CONFIDENCE: Final = (
    *("B104", "B105", "B106", "B107", "B108", "B201", "B503", "B504", "B507", "B601", "B606"),
    *("B609", "B610", "B611", "B613"),
)
INFO = ScannerInfo(
    name="bandit",
    title="Bandit",
    about="Finds common security weaknesses in Python code.",
    url="https://bandit.readthedocs.io/",
    package="bandit",
    options={"config": "A bandit configuration file, relative to the project."},
    args=frozenset(
        (
            *("-l", "-ll", "-lll", "-i", "-ii", "-iii", "--severity-level"),
            *("--confidence-level", "-t", "--tests", "-s", "--skip"),
        )
    ),
    native_files=(".bandit", "bandit.yaml", "bandit.yml"),
    native_sections={"pyproject.toml": "tool.bandit", "setup.cfg": "bandit", "tox.ini": "bandit"},
    categories=frozenset({Category.CODE}),
    usual_for=frozenset({Category.CODE}),
    reads=frozenset({"python", "notebook"}),
    # In one real report 47 lines carried both.
    rule_aliases={"B703": "B308"},
    # Bandit 1.7.1 moved the hashes of B303 into B324,
    # https://bandit.readthedocs.io/en/latest/plugins/b324_hashlib.html
    renamed_rules={"B303": "B324"},
    secret_rules=frozenset({"B105", "B106", "B107"}),
    guessing_rules=frozenset({"B105", "B106", "B107"}),
    # From the source of bandit 1.9. B608 has medium confidence in a call of `execute`, else low.
    natural_confidence={
        **dict.fromkeys(("B113", "B604", "B608"), Confidence.LOW),
        **dict.fromkeys(_MEDIUM_CONFIDENCE, Confidence.MEDIUM),
    },
    suppressions={"nosec": False, "noqa": True},
)

_WORKER: Final = "scanagg.scanners.bandit.worker"
_SCRIPT: Final = str(Path(__file__).with_name("worker.py"))
# Starting a process takes as long as examining this much code.
_WORTH_BYTES: Final = 150_000
# Systems take a mebibyte of arguments and environment, or more.
_ARGV_BYTES: Final = 1 << 18
_CONFIGURATION: Final = 2  # bandit's exit code for a problem that smaller batches have as well
# Separates the parts of the output, see `worker`.
_SEPARATOR: Final = b"\x1e"
_MORE_PARTS: Final = 2
_TITLE_WIDTH: Final = 100
_NOSEC: Final = "nosec"
_NOQA: Final = "noqa"
# The codes of flake8-bandit and Ruff: S608 is B608. S6 stands for all codes that start with it.
_NOQA_COMMENT: Final = re.compile(r"#\s*noqa\s*:\s*([A-Z]+\d*(?:[\s,]+[A-Z]+\d+)*)", re.IGNORECASE)
_CODE: Final = re.compile(r"[A-Z]+\d*")

_PASSWORDS: Final = {
    "B105": "Possible hard-coded password",
    "B106": "Possible hard-coded password, passed as an argument",
    "B107": "Possible hard-coded password, as the default of a parameter",
}
_PASSWORD: Final = re.compile(r"Possible hardcoded password: '(.*)'\s*", re.DOTALL)
# Rules whose range is the whole function, list or mapping around the issue.
_WIDE_RANGES: Final = frozenset({"B104", "B105", "B106", "B107", "B108", "B503", "B608"})

# bandit may name only the lines of the key of a password.
_BELOW: Final = 20

_LOG_PREFIX: Final = re.compile(r"^\[\w+\]\t[A-Z]+\t", re.MULTILINE)
_CHECK_FAILED: Final = re.compile(
    r"^\[\w+\]\tERROR\tBandit internal error running: (\w+) on file ", re.MULTILINE
)
_AT_LINE: Final = re.compile(r" at line (\d+): ")
_VERSION_IN_URL: Final = re.compile(r"(?<=bandit\.readthedocs\.io/en/)[^/]+(?=/)")
_BLACKLISTED: Final = re.compile(r"#(?:b\d+-)+(.+)$", re.IGNORECASE)
_SEVERITIES: Final = {"HIGH": Severity.HIGH, "MEDIUM": Severity.MEDIUM, "LOW": Severity.LOW}
_CONFIDENCES: Final = {
    "HIGH": Confidence.HIGH,
    "MEDIUM": Confidence.MEDIUM,
    "LOW": Confidence.LOW,
}

_NO_TEXTS: Final = ("", "", "", "", "")

# The name of a file, of a check that crashed in it, and the line.
_FailedCheck = tuple[str, str, Number]
_T = TypeVar("_T")

probe = base.probe
identify = base.identify
recall = base.recall
advisory_source = base.advisory_source


class _Cwe(msgspec.Struct, frozen=True):
    id: Number = 0


class _Issue(msgspec.Struct, frozen=True):
    """One issue, without its `code`, which contains secrets and lines of other code."""

    filename: str
    test_id: str
    test_name: str
    issue_text: str
    issue_severity: str
    issue_confidence: str
    line_number: Number
    line_range: tuple[Number, ...] = ()
    col_offset: int = -1
    end_col_offset: int = 0
    more_info: str = ""
    issue_cwe: _Cwe = _Cwe()

    @property
    def confidence(self) -> Confidence:
        """The confidence of bandit in the issue."""
        return _CONFIDENCES.get(self.issue_confidence.upper(), Confidence.UNKNOWN)

    @property
    def password(self) -> str:
        """The password in the text of the issue; empty if there is none."""
        match = _PASSWORD.fullmatch(self.issue_text) if self.test_id in _PASSWORDS else None
        return match[1] if match and match[1].strip() else ""

    def location(self, path: str, lines: Sequence[str], syntax: Syntax) -> Location:
        """Return the line that bandit reports, up to the end of the code it is about if known."""
        start = max(1, self.line_number)
        whole = self.line_range[:1] == (start,) and self.test_id not in _WIDE_RANGES
        last = max(start, self.line_range[-1]) if whole else start
        if self.test_id in _WIDE_RANGES and self.line_range != (start,) and not self.password:
            columns = self.col_offset, self.end_col_offset
            node = syntax.expression(ast.expr, start, columns)
            if node and (node.lineno, node.end_col_offset) == (start, self.end_col_offset):
                whole, last = True, node.end_lineno or start
        if self.password:
            # The password may be on a later line of the statement, or below its key.
            quoted = re.compile(rf"(['\"]){re.escape(self.password)}\1")
            end = min(len(lines), max(self.line_range, default=0) + _BELOW)
            within = (n for n in range(start, end + 1) if quoted.search(lines[n - 1]))
            last = next(within, start)
        if last > len(lines) or (self.line_range != (start,) and not whole):
            return Location(path, start, last)
        first_column = source_files.utf16_column(lines[start - 1], self.col_offset)
        end_column = source_files.utf16_column(lines[last - 1], self.end_col_offset)
        if (
            first_column is None
            or end_column is None
            or (last, end_column) <= (start, first_column)
        ):
            return Location(path, start, last)
        return Location(path, start, last, first_column, end_column)


class _SkippedFile(msgspec.Struct, frozen=True):
    filename: str
    reason: str


class _Metrics(msgspec.Struct, frozen=True):
    """The counts of one file. Issues are counted only if all checks ran."""

    loc: float = 0
    nosec: float = 0
    skipped_tests: float = 0
    low: float | None = msgspec.field(name="SEVERITY.LOW", default=None)

    def cover(self, code: PythonCode) -> bool:
        """Return True if all checks ran and counted lines of code, unless the file has no code."""
        if self.low is None:
            return False
        return self.loc > 0 or not any(
            line.strip() and not line.lstrip().startswith("#")
            for line in source_files.python_lines(code)
        )


class _Report(msgspec.Struct, frozen=True):
    """A whole report; `metrics` by file, and `_totals`."""

    results: tuple[_Issue, ...]
    errors: tuple[_SkippedFile, ...]
    metrics: dict[str, _Metrics]

    @property
    def number_hidden(self) -> int:
        """The number of issues that comments hide, as bandit counts them."""
        counts = (one for name, one in self.metrics.items() if name != "_totals")
        return sum(int(one.nosec + one.skipped_tests) for one in counts)


def locate(context: base.Context) -> base.Tool | None:
    """Find the module of our own environment, or the program that the settings name."""
    return base.module_or_program("bandit", "bandit", context, worker=_WORKER, script=_SCRIPT)


def inputs(context: base.Context) -> base.Inputs:
    """Return the Python code of the target, by name."""
    codes, gaps = context.sources.python
    secret: set[str] = set()
    if context.settings.path:  # other users of the machine can see the arguments of a program
        secret = {file.path for file in context.target.files if file.has_secret_name}
        secret &= {code.path for code in codes if code.text is None}
    names = tuple(code.path for code in codes if code.path not in secret)
    left_out = tuple(NotExamined(path, Reason("secret-name")) for path in sorted(secret))
    unreachable = (
        gap
        for gap in context.target.skipped
        if any(kind.id in INFO.reads for kind in kinds.named(gap.input))
    )
    return base.Inputs("files", names, (*left_out, *gaps, *unreachable))


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Spread the files over the workers: bandit itself uses one processor."""
    found = frozenset(inputs.found)
    codes = [code for code in context.sources.python[0] if code.path in found]
    return source_files.spread(codes, context.workers, worth=_WORTH_BYTES, argv_bytes=_ARGV_BYTES)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call for these files. No folder is excluded.

    bandit reads files that are Python as a whole. Other code is copied for it.
    """
    settings = context.settings
    config, files = source_files.configuration(context)
    argv = (
        *tool.argv,
        *("--format", "json", "--quiet", "--exit-zero", "--number", "1", "--exclude="),
        *(("--configfile", config) if config else ()),
        *settings.args,
    )
    codes = _named(context, batch)
    texts = {name: code.text for name, code in codes.items() if code.text is not None}
    # UTF-8 in any locale: `_logged_failures` looks for file names in bandit's log.
    call = base.Call(argv, batch, files={**files, **texts}, env={"PYTHONUTF8": "1"})
    if _SCRIPT in tool.argv:  # bandit itself takes names as arguments only
        return replace(call, stdin=json.dumps(tuple(codes)).encode())
    return replace(call, argv=(*argv, "--"), extra=tuple(codes))


def again(context: base.Context, output: base.Output) -> Sequence[tuple[str, ...]]:
    """Halve the batch: if one file stops bandit, the results of all others are lost."""
    return () if output.returncode == _CONFIGURATION else pinned.halves(output.inputs)


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read bandit's report.

    Bandit counts the issues of a file after all checks. So a file with counts was examined; an exit
    code or the absence of issues proves nothing. An output without inputs is a stored report: its
    paths are used as they are.
    """
    if output.returncode:  # an error: `--exit-zero` hides issues from the exit code
        log = _LOG_PREFIX.sub("", output.stderr).replace(f"{context.target.root}/", "")
        raise base.failure(log, Reason("exit-code", {"code": output.returncode}))
    # A program that the settings name prints only the first part.
    first, *parts = output.stdout.split(_SEPARATOR)
    failed, second = parts if len(parts) == _MORE_PARTS else (b"", b"")
    report = _decode(first, _Report)
    hidden: tuple[_Issue, ...] = ()
    notices: tuple[Reason, ...] = ()
    if second.strip():
        # A Counter, because a line can have two equal issues of which one is hidden.
        hidden = tuple(
            (Counter(_decode(second, _Report).results) - Counter(report.results)).elements()
        )
    elif output.inputs and report.number_hidden:
        other = f"{base.path_variable(INFO.name)} names another bandit"
        why = "the run without it failed" if parts else other
        notices = (Reason("hidden-not-listed", {"comment": "# nosec", "why": why}),)
    # Most versions of bandit put a dot before names without a folder.
    plain_names = report.metrics.keys() | {error.filename for error in report.errors}
    files = {
        name if code.text is None or name in plain_names else f"./{name}": code
        for name, code in _named(context, output.inputs).items()
    }
    if parts:
        crashes: Iterable[_FailedCheck] = _decode(failed, tuple[_FailedCheck, ...])
    else:
        crashes = _logged_failures(output.stderr, files)
    gaps = (*_skipped(report, files, context.settings), *_failed_checks(crashes, files))
    missed = {gap.input for gap in gaps}
    issues = (*report.results, *hidden)
    observations = (
        *_observations(context, report.results, files, ""),
        *_observations(context, hidden, files, _NOSEC),
    )
    by_noqa = sum(one.in_source == _NOQA for one in observations)
    return base.Parsed(
        observations=observations,
        examined=tuple(
            code.path
            for name, code in files.items()
            if code.path not in missed and report.metrics.get(name, _Metrics()).cover(code)
        ),
        not_examined=gaps,
        hidden=+Counter({_NOSEC: report.number_hidden, _NOQA: by_noqa}),
        notices=notices,
        secrets=source_files.spellings(issue.password for issue in issues),
    )


def _named(context: base.Context, paths: Sequence[str]) -> Mapping[str, PythonCode]:
    """Return the code with these paths by its name for bandit.

    That is the path of its file, or the name of a copy of the code in the working directory.
    """
    codes, _ = context.sources.python
    known = {code.path: code for code in codes}
    named = enumerate(known[path] for path in paths if path in known)
    return {str(code.real) if code.text is None else f"{index}.py": code for index, code in named}


def _decode(raw: bytes, form: type[_T]) -> _T:
    """Read the JSON of any version of bandit. ScanError for anything else."""
    try:
        return msgspec.json.decode(raw, type=form)
    except (ValueError, RecursionError):
        pass
    # Only Python's parser accepts the lone surrogates of file names that are not UTF-8.
    try:
        return msgspec.convert(json.loads(raw), form)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error


def _skipped(
    report: _Report, files: Mapping[str, PythonCode], settings: base.ScannerSettings
) -> Iterator[NotExamined]:
    """Return the files that bandit skipped, or that its configuration excludes."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = f"Python {version}" if settings.path is None else "its Python"
    for error in report.errors:
        reason = plain(error.reason)
        if error.reason.startswith("syntax error"):
            reason = Reason("python-syntax-error", {"python": python})
        yield NotExamined(_shown_path(error.filename, files), reason)
    if settings.args or settings.options:
        errors = {error.filename for error in report.errors}
        for name, file in files.items():
            if name not in errors and name not in report.metrics:
                yield NotExamined(file.path, Reason("left-out-by-settings"), on_purpose=True)


def _failed_checks(
    crashes: Iterable[_FailedCheck], files: Mapping[str, PythonCode]
) -> Iterator[NotExamined]:
    """Return the files on which a check crashed. Bandit continues after that."""
    first = {name: (check, line) for name, check, line in reversed([*crashes])}
    for name, (check, line) in first.items():
        if name in files:
            reason = Reason("check-failed", {"check": check, "line": str(line)})
            yield NotExamined(files[name].path, reason)


def _logged_failures(log: str, files: Mapping[str, PythonCode]) -> Iterator[_FailedCheck]:
    """Return the failed checks in the log of a program that the settings name.

    A path can have any text, also that of the log. So the files are found by their whole names.
    """
    names = {name.encode("utf-8", "backslashreplace").decode("utf-8"): name for name in files}
    lengths = set(map(len, names))
    for failed in _CHECK_FAILED.finditer(log):
        start = failed.end()
        for end in (start + length for length in lengths):
            place = _AT_LINE.match(log, end)
            if place and (name := names.get(log[start:end])):
                yield name, failed[1], int(place[1])


def _shown_path(name: str, files: Mapping[str, PythonCode]) -> str:
    """Return the path to show for bandit's `name`. Reports from Windows mix both separators."""
    if name in files:
        return files[name].path
    parts = valid(name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unknown"


def _observations(
    context: base.Context,
    issues: Iterable[_Issue],
    files: Mapping[str, PythonCode],
    in_source: str,
) -> Iterator[Observation]:
    project = confidence.project(context.target, context.inventory)
    name, code, lines = "", None, source_files.python_lines(None)
    syntax, codes = Syntax(lines), _noqa_codes(lines)
    for issue in issues:
        if issue.filename != name:  # issues come file by file
            name = issue.filename
            code = files.get(name)
            lines = source_files.python_lines(code)
            syntax, codes = Syntax(lines), _noqa_codes(lines)
        # The text of these rules contains the password.
        text = _PASSWORDS.get(issue.test_id) or one_line(issue.issue_text.strip())
        place = issue.location(_shown_path(name, files), lines, syntax)
        noqa = not in_source and _has_noqa(issue.test_id, place, syntax, codes)
        columns = issue.col_offset, issue.end_col_offset
        surroundings = confidence.Code(place.path, syntax, project)
        doubt = confidence.doubt(issue.test_id, issue.line_number, columns, surroundings)
        severity = _SEVERITIES.get(issue.issue_severity.upper(), Severity.UNKNOWN)
        yield Observation(
            scanner=INFO.name,
            category=Category.CODE,
            rule=_rule(issue.test_id, issue.test_name, issue.more_info, issue.issue_cwe.id),
            title=RULES.get(issue.test_id, _NO_TEXTS)[0]
            or shorten(text.partition(". ")[0].rstrip("."), _TITLE_WIDTH),
            message=text,
            claims=(SeverityClaim("tool", severity, INFO.name),),
            confidence=Confidence.LOW if doubt else issue.confidence,
            confidence_reason=doubt,
            location=source_files.in_notebook(place, code.cells) if code else place,
            secret=Secret(None, secret_texts((issue.password,)), issue.password)
            if issue.password
            else None,
            in_source=_NOQA if noqa else in_source,
        )


def _noqa_codes(lines: Iterable[str]) -> Mapping[int, Sequence[str]]:
    """Return the codes in `# noqa` comments, by line.

    A comment without a code hides nothing here: most of those are about style.
    """
    comments = {number: _NOQA_COMMENT.search(line) for number, line in enumerate(lines, 1)}
    return {number: _CODE.findall(found[1].upper()) for number, found in comments.items() if found}


def _has_noqa(
    test: str, place: Location, syntax: Syntax, codes: Mapping[int, Sequence[str]]
) -> bool:
    """Return True if a `# noqa` comment in the statement has the code of this test."""
    first = place.start_line
    if not codes or not first:
        return False
    last = max(place.last_line or first, syntax.last_lines.get(first, first))
    names = [f"S{name[1:]}" for name in (test, INFO.rule_aliases.get(test, test))]
    return any(
        name.startswith(code)
        for line in range(first, last + 1)
        for code in codes.get(line, ())
        for name in names
    )


@cache
def _rule(test: str, name: str, url: str, cwe: int) -> Rule:
    """Return the rule, with a URL that does not depend on the version of bandit."""
    listed = _BLACKLISTED.search(url) if name.startswith("blacklist") else None
    name = listed[1].replace("-", "_") if listed else name
    title, why, advice, bad, good = RULES.get(test, _NO_TEXTS)
    return Rule(
        id=test,
        name=name,
        title=title or name.replace("_", " ").capitalize(),
        url=_VERSION_IN_URL.sub("latest", url) if url.startswith("https://") else None,
        cwe=(f"CWE-{cwe}",) if cwe else (),
        help=advice,
        why=why,
        bad=bad,
        good=good,
    )
