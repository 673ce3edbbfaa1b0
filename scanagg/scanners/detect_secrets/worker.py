"""Runs detect-secrets over given files, with a time limit for each and an answer for each.

`detect-secrets scan` answers for all files at once or not at all, and does not say which it left
out. This program finds what `detect-secrets scan --no-verify` finds, by the same detectors and
filters. It reads one `SearchRequest` as JSON from stdin, and prints one `SearchAnswer` as a line of
JSON for each file, in order and as soon as it has it. An error in detect-secrets ends it: then the
first file without an answer is the one to blame.
"""

import contextlib
import json
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

import msgspec
from detect_secrets.core import scan
from detect_secrets.core.usage import ParserBuilder
from detect_secrets.plugins import keyword
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.settings import get_plugins, get_settings
from detect_secrets.transformers import get_transformed_file
from detect_secrets.util.code_snippet import get_code_snippet
from detect_secrets.util.inject import call_function_with_arguments

from scanagg.model import Reason, plain
from scanagg.scanners.detect_secrets import SearchAnswer, SearchRequest, SecretHit

# detect-secrets is untyped here; what comes out of it becomes a `SearchAnswer` at once.
Plugin = Any

# If the alarm goes off inside a callback that swallows exceptions, it goes off again.
_AGAIN_SECONDS: Final = 0.5
# A few lines of YAML with aliases of aliases would take all there is.
_MEMORY_BYTES: Final = 1 << 30
_VERIFICATION: Final = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
_PRAGMA: Final = "is_line_allowlisted"
# A shorter value may be a part of what matched: of a GitHub token, only "ghp" is reported.
_WHOLE: Final = 8
_THEIRS: Final = "detect_secrets.plugins."
# All patterns of the keyword detector hold the same list of keywords; one search for any of these
# spares five slow ones. False if a later version is made otherwise: then nothing is spared.
_ANY_KEYWORD: Final = re.compile("|".join(keyword.DENYLIST), re.IGNORECASE)
_KEYWORDS_NEEDED: Final = all(
    keyword.DENYLIST_REGEX in pattern.pattern
    for patterns in (
        keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
        *keyword.REGEX_BY_FILETYPE.values(),
    )
    for pattern in patterns
)

_Key = tuple[str, str, str]  # type, hash and value of a secret
_Lines = dict[_Key, dict[int, None]]


class _Secret(msgspec.Struct, frozen=True):
    """A secret on one line; `values` must be masked. `is_allowed` says that a pragma hides it."""

    key: _Key
    line: int
    values: list[str]
    is_allowed: bool


class TooSlow(Exception):  # noqa: N818  # it is no error of ours
    """The time for one file is over. No OSError, which detect-secrets would take for its own."""


def main() -> None:
    """Answer the request on stdin; arguments are those of `detect-secrets scan`.

    Exit code 2 and a line on stderr for arguments that it does not take.
    """
    # The json of Python: a file name that is not UTF-8 has surrogates, which msgspec refuses.
    request = msgspec.convert(json.load(sys.stdin), SearchRequest)
    os.chdir(request.root)
    # The same parser as the command line's, so that settings are the same too.
    ParserBuilder().add_console_use_arguments().parse_args(["scan", "--no-verify", *sys.argv[1:]])
    # Nothing that is found may be sent over the network, whatever filter the arguments name.
    get_settings().disable_filters(_VERIFICATION)
    with contextlib.suppress(ValueError, OSError):  # not every system has such a limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _raise_too_slow)
    sys.excepthook = _report_crash
    for index, name in enumerate(request.files):
        answer = msgspec.json.encode(_answer(request, index, name))
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _raise_too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlow


def _report_crash(
    kind: type[BaseException], _error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(_broken_off(kind, trace) + "\n")


def _broken_off(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Say what broke off and where, without the error's text: it may hold what was searched."""
    frames = traceback.extract_tb(trace)
    where = f" in {frames[-1].name} ({Path(frames[-1].filename).name})" if frames else ""
    return f"detect-secrets broke off: {kind.__name__}{where}"


def _answer(request: SearchRequest, index: int, name: str) -> SearchAnswer:
    """Return the answer for one file, whatever it holds; other errors than these end the worker."""
    try:
        # Processor time: a busy machine must not change what is found.
        signal.setitimer(signal.ITIMER_PROF, request.seconds, _AGAIN_SECONDS)
        return _search_file(request, index, name)
    except TooSlow:
        return SearchAnswer(index, Reason("time-limit", {"seconds": f"{request.seconds:g}"}))
    except OSError as error:
        return SearchAnswer(index, Reason("unreadable-file", {"error": error.strerror or ""}))
    except (MemoryError, RecursionError, ValueError) as error:
        return SearchAnswer(index, plain(_broken_off(type(error), error.__traceback__)))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _search_file(request: SearchRequest, index: int, name: str) -> SearchAnswer:
    filters = _refusing("filename", filename=name)
    if "is_invalid_file" in filters:
        return SearchAnswer(index, Reason("vanished"))
    if filters:
        reason = Reason("filtered", {"filter": min(filters)})
        return SearchAnswer(index, reason, on_purpose=True)
    longest = max(map(len, Path(name).read_bytes().splitlines()), default=0)
    if longest > request.line_bytes:
        reason = Reason(
            "long-line",
            {"size": longest, "limit": request.line_bytes, "option": "max-line-bytes"},
        )
        return SearchAnswer(index, reason)
    hits: _Lines = {}
    allowed: _Lines = {}
    values: dict[str, None] = {}
    is_text = False
    for lines in _readings(name):
        is_text = True
        # If pragmas hid something, detect-secrets without them would not have read it again.
        again = bool(allowed)
        for secret in _secrets(name, lines):
            if not (again and secret.is_allowed):
                found = allowed if secret.is_allowed else hits
                found.setdefault(secret.key, {})[secret.line] = None
                values.update(dict.fromkeys(secret.values))
        if hits:
            break
    if not is_text:
        return SearchAnswer(index, Reason("not-utf8"))
    return SearchAnswer(index, None, _sorted(hits), tuple(values), _sorted(allowed))


def _sorted(lines: _Lines) -> tuple[SecretHit, ...]:
    hits = (SecretHit(*key, tuple(numbers)) for key, numbers in lines.items())
    return tuple(sorted(hits, key=lambda hit: (hit.lines[0], hit.type, hit.hash)))


def _readings(name: str) -> Iterator[list[str]]:
    """Read the lines of a file, and once more as if it were an ini file. None if it is no text."""
    with Path(name).open() as stream:
        file: Any = stream
        try:
            yield get_transformed_file(file) or file.readlines()
        except UnicodeDecodeError:
            return
        file.seek(0)
        lines = get_transformed_file(file, use_eager_transformers=True)
        if lines:
            yield lines


def _secrets(name: str, lines: list[str]) -> Iterator[_Secret]:
    """Find the secrets in the lines of a file; those that a pragma hides, too.

    Filters do not change what a detector finds, and few lines have anything to filter. So they are
    asked last: most of detect-secrets' own time goes into filtering lines without a finding.
    """
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip()
        plugins = _detecting(line)
        if not plugins:
            continue
        context = get_code_snippet(lines=lines, line_number=number)
        place = {"filename": name, "line": line, "context": context}
        refusing = _refusing("line", **place)
        if refusing - {_PRAGMA}:
            continue
        for plugin in plugins:
            secrets = call_function_with_arguments(plugin.analyze_line, **place, line_number=number)
            for secret in secrets or ():
                subject = {"secret": secret.secret_value, "plugin": plugin}
                if _refusing("secret", filename=secret.filename, line=line, **subject):
                    continue
                if _asks_for_context() and _refusing("context", **place, **subject) - {_PRAGMA}:
                    continue
                key = (secret.type, secret.secret_hash, str(secret.secret_value))
                values = _values(plugin, key[-1], line)
                yield _Secret(key, number, values, bool(refusing))


def _refusing(parameter: str, **known: object) -> set[str]:
    """Return the names of the filters with this parameter that refuse what is `known`."""
    names = set()
    for filter_ in scan.get_filters_with_parameter(parameter):
        try:
            if call_function_with_arguments(filter_, **known):
                names.add(str(filter_.path).rpartition(".")[2])
        except TypeError:  # it takes more than is known yet: it is asked again later
            continue
    return names


def _asks_for_context() -> bool:
    """Return whether a filter wants context and more than the line: those of the line are done."""
    line = {"filename", "line", "context"}
    return any(
        not each.injectable_variables <= line for each in scan.get_filters_with_parameter("context")
    )


def _detecting(line: str) -> tuple[Plugin, ...]:
    """Return the detectors that find something in the line, and perhaps some that do not."""
    patterns, others = _detectors()
    # By id: detectors have an equality of their own, and cannot be hashed.
    detecting = {id(plugin): plugin for plugin, search in patterns if search(line)}
    for plugin in others:
        # What the keyword detector and one of the user's find may depend on more than the line.
        kind = type(plugin)
        foreign = kind is keyword.KeywordDetector or not kind.__module__.startswith(_THEIRS)
        if foreign or plugin.analyze_line("", line, 1):
            detecting[id(plugin)] = plugin
    return tuple(detecting.values())


@lru_cache(maxsize=1)
def _detectors() -> tuple[list[tuple[Plugin, Callable[[str], object]]], list[Plugin]]:
    """Return the patterns without which a detector finds nothing, and all other detectors."""
    patterns: list[tuple[Plugin, Callable[[str], object]]] = []
    others: list[Plugin] = []
    for plugin in get_plugins():
        kind = type(plugin)
        if kind is keyword.KeywordDetector and _KEYWORDS_NEEDED:
            patterns.append((plugin, _ANY_KEYWORD.search))
        elif (
            kind.analyze_line is BasePlugin.analyze_line
            and kind.analyze_string is RegexBasedDetector.analyze_string
        ):
            patterns += [(plugin, pattern.search) for pattern in plugin.denylist]
        else:
            others.append(plugin)
    return patterns, others


def _values(plugin: Plugin, value: str, line: str) -> list[str]:
    """Return what must not be shown: the value, or all that matched if the value is a part."""
    if isinstance(plugin, PrivateKeyDetector):
        return []  # it matches the header, which is no secret
    if len(value) >= _WHOLE or not isinstance(plugin, RegexBasedDetector):
        return [value]
    matches = (match[0] for pattern in plugin.denylist for match in pattern.finditer(line))
    return [value, *(match for match in matches if value in match)]


if __name__ == "__main__":
    main()
