"""Runs detect-secrets over given files, with a time limit for each and an answer for each.

`detect-secrets scan` answers for all files at once or not at all, and does not say which it left
out. This program finds what `detect-secrets scan --no-verify` finds, by the same detectors and
filters. It reads one `Request` as JSON from stdin, and prints one `Answer` as a line of JSON for
each file, in order and as soon as it has it. An error in detect-secrets ends it: then the first
file without an answer is the one to blame.
"""

import contextlib
import json
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

import msgspec
from detect_secrets.core import scan
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.usage import ParserBuilder
from detect_secrets.plugins import keyword
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.settings import get_plugins, get_settings
from detect_secrets.util.code_snippet import CodeSnippet, get_code_snippet
from detect_secrets.util.inject import call_function_with_arguments

# detect-secrets is untyped here; what comes out of it is made an `Answer` at once.
Plugin = Any

# Lines repeat within and across files: what is remembered of them stays below some 20 MB.
_REMEMBERED_LINES: Final = 1 << 16
_REMEMBERED_LENGTH: Final = 200
# Where the alarm went off inside a callback that swallows exceptions, it goes off again.
_AGAIN_SECONDS: Final = 0.5
# A few lines of YAML with aliases of aliases would take all there is.
_MEMORY_BYTES: Final = 1 << 30
_VERIFICATION: Final = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
_PRAGMA: Final = "is_line_allowlisted"
# A shorter value may be a part of what matched: of a GitHub token, only "ghp" is reported.
_WHOLE: Final = 8
_THEIRS: Final = "detect_secrets.plugins."
# All patterns of the keyword detector hold the same list of keywords; one search for any of these
# spares five slow ones. False where a later version is made otherwise: then nothing is spared.
_ANY_KEYWORD: Final = re.compile("|".join(keyword.DENYLIST), re.IGNORECASE)
_KEYWORDS_NEEDED: Final = all(
    keyword.DENYLIST_REGEX in pattern.pattern
    for patterns in (
        keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
        *keyword.REGEX_BY_FILETYPE.values(),
    )
    for pattern in patterns
)


class Request(msgspec.Struct, frozen=True):
    """What to search: `files` relative to `root`, in seconds of processor time and bytes a line."""

    root: str
    files: tuple[str, ...]
    seconds: float
    line_bytes: int


class Hit(msgspec.Struct, frozen=True):
    """A secret of one file in clear, and its lines: detect-secrets reports the first of them."""

    type: str
    hash: str
    value: str
    lines: tuple[int, ...]


class Answer(msgspec.Struct, frozen=True):
    """What came of the file with that index: hits, or the `reason` why it was not searched.

    `values` is what must be masked: the secrets, and all of them where a hit has only a part.
    `allowed` are the hits that a pragma hides, on the lines on which it does.
    """

    file: int
    reason: str | None = None
    hits: tuple[Hit, ...] = ()
    values: tuple[str, ...] = ()
    allowed: tuple[Hit, ...] = ()


class TooSlow(Exception):  # noqa: N818  # it is no error of ours
    """The time for one file is over. No OSError, which detect-secrets would take for its own."""


# Line numbers by type, hash and value of what stands there.
_Lines = dict[tuple[str, str, str], dict[int, None]]


@dataclass(slots=True)
class _Search:
    """What the lines of one file have come to so far; `again` once something hidden was found."""

    lines: _Lines = field(default_factory=dict)
    allowed: _Lines = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)
    again: bool = False

    def add(
        self, secret: PotentialSecret, number: int, values: Iterable[str], *, allowed: bool
    ) -> None:
        """One more place of a secret; detect-secrets reports the first, by type and hash."""
        key = (secret.type, secret.secret_hash, str(secret.secret_value))
        if allowed and self.again:
            return  # without the pragma, what was hidden in the first pass had been the end of it
        lines = self.allowed if allowed else self.lines
        lines.setdefault(key, {})[number] = None
        self.values.update(dict.fromkeys(values))


def main() -> None:
    """Answer the request on stdin; arguments are those of `detect-secrets scan`.

    Exit code 2 and a line on stderr for arguments that it does not take.
    """
    request = Request(**json.load(sys.stdin))
    os.chdir(request.root)
    # The same parser as the command line's, so that settings are the same too.
    ParserBuilder().add_console_use_arguments().parse_args(["scan", "--no-verify", *sys.argv[1:]])
    # Nothing that is found may be sent over the network, whatever filter the arguments name.
    get_settings().disable_filters(_VERIFICATION)
    with contextlib.suppress(ValueError, OSError):  # not every system has such a limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _alarm)
    sys.excepthook = _brief
    for index, name in enumerate(request.files):
        answer = msgspec.json.encode(_answer(request, index, name))
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _answer(request: Request, index: int, name: str) -> Answer:
    """The answer for one file, whatever it is made of; other errors than these end the worker."""
    try:
        # Processor time: a busy machine must not change what is found.
        signal.setitimer(signal.ITIMER_PROF, request.seconds, _AGAIN_SECONDS)
        return _searched(request, index, name)
    except TooSlow:
        return Answer(index, f"not searched to its end within {request.seconds:g} seconds")
    except OSError as error:
        return Answer(index, f"cannot be read: {error.strerror}")
    except (MemoryError, RecursionError, ValueError) as error:
        return Answer(index, _broken_off(type(error), error.__traceback__))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _broken_off(kind: type[BaseException], trace: TracebackType | None) -> str:
    """What broke off and where, without the error's text: it may hold what was being searched."""
    frames = traceback.extract_tb(trace)
    where = f" in {frames[-1].name} ({Path(frames[-1].filename).name})" if frames else ""
    return f"detect-secrets broke off: {kind.__name__}{where}"


def _brief(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(_broken_off(kind, trace) + "\n")


def _alarm(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow


def _searched(request: Request, index: int, name: str) -> Answer:
    refused = _refusal(name)
    if refused:
        return Answer(index, refused)
    longest = _longest_line(name)
    if longest > request.line_bytes:
        return Answer(
            index, f"a line of {longest:,} bytes: more than {request.line_bytes:,} are not searched"
        )
    search = _Search()
    passes = 0
    # The second pass reads the file as if it were an ini file, where the first found nothing.
    for lines in scan._get_lines_from_file(name):
        passes += 1
        _search(search, name, lines)
        if search.lines:
            break
        search.again = bool(search.allowed)
    if not passes:
        return Answer(index, "not UTF-8 text: detect-secrets cannot read it")
    return Answer(index, None, _hits(search.lines), tuple(search.values), _hits(search.allowed))


def _hits(lines: _Lines) -> tuple[Hit, ...]:
    hits = (Hit(*key, tuple(numbers)) for key, numbers in lines.items())
    return tuple(sorted(hits, key=lambda hit: (hit.lines[0], hit.type, hit.hash)))


def _refusal(name: str) -> str | None:
    """Why the whole file is not searched, if so."""
    filters = _refusing("filename", filename=name)
    if "is_invalid_file" in filters:
        return "no file any more"
    if filters:
        return f"excluded: left out by detect-secrets' own filter {min(filters)}"
    return None


def _refusing(parameter: str, **known: object) -> set[str]:
    """The names of the filters that say no to what is `known`; see `scan._is_filtered_out`."""
    names = set()
    for each in scan.get_filters_with_parameter(parameter):
        try:
            if call_function_with_arguments(each, **known):
                names.add(str(each.path).rpartition(".")[2])
        except TypeError:  # it takes more than is known yet: it is asked again later
            continue
    return names


def _longest_line(name: str) -> int:
    return max(map(len, Path(name).read_bytes().splitlines()), default=0)


def _search(search: _Search, name: str, lines: list[str]) -> None:
    """Find what `scan._process_line_based_plugins` finds, but ask the filters last.

    The filters do not change what a detector finds, and few lines have anything to filter: most of
    detect-secrets' own time goes into filtering lines on which nothing is found.
    """
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip()
        plugins = (_remembered if len(line) <= _REMEMBERED_LENGTH else _hitting)(line)
        if plugins:
            context = get_code_snippet(lines=lines, line_number=number)
            _filter(search, name, (number, line, context), plugins)


def _filter(
    search: _Search, name: str, place: tuple[int, str, CodeSnippet], plugins: Iterable[Plugin]
) -> None:
    """Keep what the filters leave of one line."""
    number, line, context = place
    refusing = _refusing("line", filename=name, line=line, context=context)
    if refusing - {_PRAGMA}:
        return
    for plugin in plugins:
        for secret in scan._scan_line(
            plugin=plugin, filename=name, line=line, line_number=number, context=context
        ):
            if _asks_for_context() and _refusing(
                "context",
                filename=name,
                secret=secret.secret_value,
                plugin=plugin,
                line=line,
                context=context,
            ) - {_PRAGMA}:
                continue
            values = _values(plugin, secret, line)
            search.add(secret, number, values, allowed=bool(refusing))


@lru_cache(maxsize=1)
def _asks_for_context() -> bool:
    """Whether a filter wants context and more than the line: those of the line were asked."""
    line = {"filename", "line", "context"}
    return any(
        not each.injectable_variables <= line for each in scan.get_filters_with_parameter("context")
    )


def _hitting(line: str) -> tuple[Plugin, ...]:
    """The detectors that find something in the line, and perhaps some that do not."""
    patterns, others = _detectors()
    # By id: detectors have an equality of their own, and cannot be hashed.
    hitting = {id(plugin): plugin for plugin, search in patterns if search(line)}
    more = (one for one in others if _is_foreign(one) or one.analyze_line("", line, 1))
    return (*hitting.values(), *more)


_remembered = lru_cache(maxsize=_REMEMBERED_LINES)(_hitting)


@lru_cache(maxsize=1)
def _detectors() -> tuple[list[tuple[Plugin, Callable[[str], object]]], list[Plugin]]:
    """Detectors that find nothing without a match, by pattern; and those that have to be asked."""
    patterns: list[tuple[Plugin, Callable[[str], object]]] = []
    others: list[Plugin] = []
    for plugin in get_plugins():
        needed = _needed(plugin)
        patterns += [(plugin, pattern.search) for pattern in needed]
        others += [] if needed else [plugin]
    return patterns, others


def _needed(plugin: Plugin) -> tuple[re.Pattern[str], ...]:
    """Patterns one of which has to match for the detector to find anything; none if unknown."""
    kind = type(plugin)
    if kind is keyword.KeywordDetector and _KEYWORDS_NEEDED:
        return (_ANY_KEYWORD,)
    if (
        kind.analyze_line is BasePlugin.analyze_line
        and kind.analyze_string is RegexBasedDetector.analyze_string
    ):
        return tuple(plugin.denylist)
    return ()


def _is_foreign(plugin: Plugin) -> bool:
    """Whether what it finds may depend on more than the line."""
    kind = type(plugin)
    return kind is keyword.KeywordDetector or not kind.__module__.startswith(_THEIRS)


def _values(plugin: Plugin, secret: PotentialSecret, line: str) -> list[str]:
    """What must not be shown: the value, or all that matched where the detector cuts it short."""
    if isinstance(plugin, PrivateKeyDetector):
        return []  # it matches the header, which is no secret
    value = str(secret.secret_value)
    if len(value) >= _WHOLE or not isinstance(plugin, RegexBasedDetector):
        return [value]
    matches = (match[0] for pattern in plugin.denylist for match in pattern.finditer(line))
    return [value, *(match for match in matches if value in match)]


if __name__ == "__main__":
    main()
