"""A program that searches files with detect-secrets, with a time limit and an answer for each.

`detect-secrets scan` gives one result for all files and does not say which it left out. This
program finds the same secrets as `detect-secrets scan --no-verify`, by the same detectors and
filters, but leaves out no file by its name. It also runs `detectors`. It reads one `SearchRequest`
as JSON from stdin. For each file, in order, it prints one `SearchAnswer` as a line of JSON. If
detect-secrets crashes, so does the program: then the first file without an answer is the cause.
"""

import contextlib
import io
import json
import os
import re
import resource
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
from detect_secrets.core import scan
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.usage import ParserBuilder
from detect_secrets.filters import heuristic
from detect_secrets.plugins import keyword
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.ip_public import IPPublicDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.settings import get_plugins, get_settings
from detect_secrets.transformers import get_transformed_file
from detect_secrets.util.code_snippet import get_code_snippet
from detect_secrets.util.inject import call_function_with_arguments

from scanagg.core.files import read_file
from scanagg.core.times import TooSlow, cpu_limit
from scanagg.model import Reason, plain
from scanagg.project.notebooks import SUFFIX, strings
from scanagg.project.text import MAX_BYTES, decode
from scanagg.scanners import detectors
from scanagg.scanners.detect_secrets.messages import SearchAnswer, SearchRequest, SecretHit

# detect-secrets has no types. Its results become a `SearchAnswer` at once.
Plugin = Any

# A few lines of YAML with aliases of aliases would fill any memory.
_MEMORY_BYTES: Final = 1 << 30
_VERIFICATION: Final = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
# These leave out files by their name, which says nothing about what is in them.
_BY_NAME: Final = tuple(
    f"detect_secrets.filters.heuristic.{name}"
    for name in ("is_lock_file", "is_non_text_file", "is_swagger_file")
)
_PRAGMA: Final = "is_line_allowlisted"
# Filters that guess by the value or the line. A value whose form is known needs none of them. Other
# detectors know by the syntax whether a line calls a function, and a UUID can be a token.
_GUESSES: Final = frozenset(name for name in vars(heuristic) if name.startswith("is_"))
_OTHER_GUESSES: Final = frozenset({"is_indirect_reference", "is_potential_uuid"})
# A shorter value may be a part of the match, so the match is masked too.
_WHOLE: Final = 8
_TOKEN: Final = re.compile(r"[\w.~+/=-]+")
# The detectors of detect-secrets without which an added one does not run either. That of a token
# has the title of its format.
_ADDED_TO: Final = {
    "Secret Assignment": "Secret Keyword",
    "Password in a Connection String": "Basic Auth Credentials",
}
_QUOTED: Final = re.compile(r"([\"'])(.+?)\1")
_THEIRS: Final = "detect_secrets.plugins."
# Parts of patterns that see a line's end otherwise in a whole file, and anchors.
_ONE_LINE: Final = re.compile(r"\\[AZ]|\(\?<?!")
_ANCHOR: Final = re.compile(r"\^|\$")
# All patterns of the keyword detector contain the same list of keywords: one search for these
# replaces five slow ones. False if that changes in a later version; then all are used.
_ANY_KEYWORD: Final = re.compile("|".join(keyword.DENYLIST), re.IGNORECASE)
_KEYWORDS_NEEDED: Final = all(
    keyword.DENYLIST_REGEX in pattern.pattern
    for patterns in (
        keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
        *keyword.REGEX_BY_FILETYPE.values(),
    )
    for pattern in patterns
)


class _Added(BasePlugin):
    """A detector of scanagg, for the settings and filters of detect-secrets."""

    detector: ClassVar[detectors.Detector]

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield the secrets in a string."""
        for start, end in self.detector.find(string, ""):
            yield string[start:end]


class _Pattern(NamedTuple):
    """A pattern of a detector, for a line and for a whole file, where None may miss something."""

    plugin: Plugin
    search: Callable[[str], object]
    in_file: Callable[[str], object] | None


class _Key(NamedTuple):
    """The secret of a `SecretHit`. One that is not known in full is another one in each `line`."""

    type: str
    hash: str
    value: str
    whole: str
    line: int = 0
    is_added: bool = False


class _Places(NamedTuple):
    """The lines of a secret, and the texts that have it."""

    lines: dict[int, None]
    texts: dict[str, None]


_PlacesBySecret = defaultdict[_Key, _Places]


class _Secret(msgspec.Struct, frozen=True):
    """A secret on one line. `values` must be masked. `is_allowed`: a pragma hides it.

    `texts` are the secret in full, and the quoted strings of the line that have it.
    """

    key: _Key
    line: int
    values: list[str]
    texts: list[str]
    is_allowed: bool


def main() -> None:
    """Answer the request on stdin. The arguments are those of `detect-secrets scan`.

    Exit code 2 and a line on stderr for arguments that it refuses.
    """
    # Python's json accepts the surrogates of file names that are not UTF-8; msgspec does not.
    request = msgspec.convert(json.load(sys.stdin), SearchRequest)
    os.chdir(request.root)
    get_mapping_from_secret_type_to_class().update(
        {
            one.name: type(one.name, (_Added,), {"secret_type": one.title, "detector": one})
            for one in detectors.ALL
        }
    )
    # The parser of the command line, so that the settings are the same.
    ParserBuilder().add_console_use_arguments().parse_args(["scan", "--no-verify", *sys.argv[1:]])
    # Never send a secret over the network, whatever filters the arguments name.
    get_settings().disable_filters(_VERIFICATION, *_BY_NAME)
    with contextlib.suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sys.excepthook = lambda kind, _, trace: sys.stderr.write(_crash(kind, trace) + "\n")
    for index, name in enumerate(request.files):
        answer = msgspec.json.encode(_answer(request, index, name))
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _crash(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Describe an error without its text, which may contain a secret."""
    frames = traceback.extract_tb(trace)
    where = f" in {frames[-1].name} ({Path(frames[-1].filename).name})" if frames else ""
    return f"detect-secrets crashed: {kind.__name__}{where}"


def _answer(request: SearchRequest, index: int, name: str) -> SearchAnswer:
    """Return the answer for one file. Other errors than these end the program."""
    try:
        with cpu_limit(request.seconds):
            return _search_file(request, index, name)
    except TooSlow:
        return SearchAnswer(index, Reason("time-limit", {"seconds": f"{request.seconds:g}"}))
    except OSError as error:
        return SearchAnswer(index, Reason("unreadable-file", {"error": error.strerror or ""}))
    except (MemoryError, RecursionError, ValueError) as error:
        return SearchAnswer(index, plain(_crash(type(error), error.__traceback__)))


def _search_file(request: SearchRequest, index: int, name: str) -> SearchAnswer:
    filters = _refusing("filename", filename=name)
    if "is_invalid_file" in filters:
        return SearchAnswer(index, Reason("vanished"))
    if filters:
        reason = Reason("filtered", {"filter": min(filters)})
        return SearchAnswer(index, reason, on_purpose=True)
    raw = read_file(Path(request.root, name), request.file_bytes)
    raw = _utf8(raw, request.encodings[index], name)
    longest = max(map(len, raw.splitlines()), default=0)
    if longest > request.line_bytes:
        reason = Reason(
            "long-line",
            {"size": longest, "limit": request.line_bytes, "option": "max-line-bytes"},
        )
        return SearchAnswer(index, reason)
    hits, allowed = _no_places(), _no_places()
    values: dict[str, None] = {}
    is_lock = name in request.locks
    theirs = [*_theirs(name, raw, is_lock=is_lock)]
    for secret in (*theirs, *_added(name, raw, theirs, is_lock=is_lock)):
        places = (allowed if secret.is_allowed else hits)[secret.key]
        places.lines[secret.line] = None
        places.texts.update(dict.fromkeys(secret.texts))
        values.update(dict.fromkeys(secret.values))
    return SearchAnswer(index, None, _sorted(hits), tuple(values), _sorted(allowed))


def _no_places() -> _PlacesBySecret:
    return defaultdict(lambda: _Places({}, {}))


def _sorted(places_by_secret: _PlacesBySecret) -> tuple[SecretHit, ...]:
    hits = (
        SecretHit(*key[:4], tuple(places.lines), tuple(places.texts), key.is_added)
        for key, places in places_by_secret.items()
    )
    return tuple(sorted(hits, key=lambda hit: (hit.lines[0], hit.type, hit.hash, hit.whole)))


def _utf8(raw: bytes, encoding: str, name: str) -> bytes:
    """Return a file as UTF-8, and a notebook as its strings with their escapes undone."""
    text = decode(raw, encoding)
    if name.endswith(SUFFIX) and len(raw) <= MAX_BYTES:
        with contextlib.suppress(ValueError):  # it is searched as any other text
            text = "\n".join(line.text for line in strings(text))
    return text.encode("utf-8", "replace")


def _readings(name: str, raw: bytes) -> Iterator[list[str]]:
    """Yield the lines of a file, then those of it as an ini file."""
    buffer: Any = io.BytesIO(raw)
    buffer.name = name  # the transformers choose by the name
    file: Any = io.TextIOWrapper(buffer)
    yield get_transformed_file(file) or file.readlines()
    file.seek(0)
    lines = get_transformed_file(file, use_eager_transformers=True)
    if lines:
        yield lines


def _theirs(name: str, raw: bytes, *, is_lock: bool) -> Iterator[_Secret]:
    """Find what detect-secrets finds: it reads a file again if the first reading has nothing."""
    is_again = False
    for lines in _readings(name, raw):
        secrets = [*_secrets(name, lines, is_lock=is_lock)]
        # Without the pragmas, detect-secrets would not have read the file again.
        yield from (one for one in secrets if not (is_again and one.is_allowed))
        if not all(one.is_allowed for one in secrets):
            break
        is_again = is_again or bool(secrets)


def _added(name: str, raw: bytes, theirs: Iterable[_Secret], *, is_lock: bool) -> Iterator[_Secret]:
    """Find what only `detectors` find, and no filter refuses."""
    text = io.TextIOWrapper(io.BytesIO(raw)).read()
    lines = text.split("\n")
    known: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for secret in theirs:
        known[secret.line] += ((value, secret.key.type) for value in secret.values)
    plugins = {plugin.detector: plugin for plugin in _detectors()[2]}

    def accept(found: detectors.Found) -> _Secret | None:
        value, title = found.value, found.detector.title
        plugin = plugins[found.detector]
        context = get_code_snippet(lines=lines, line_number=found.number)
        facts = {"filename": name, "line": found.line, "secret": value, "plugin": plugin}
        refusing = {
            refusal
            for parameter in ("line", "secret", "context")
            for refusal in _refusing(parameter, context=context, **facts)
        } - (_GUESSES if found.detector.by_form else _OTHER_GUESSES)
        if refusing - {_PRAGMA}:
            return None
        key = _Key(title, PotentialSecret.hash_secret(value), value, value, is_added=True)
        return _Secret(key, found.number, [value], [*found.texts], bool(refusing))

    return detectors.search(text, name, accept, detectors=plugins, known=known, is_lock=is_lock)


def _secrets(name: str, lines: list[str], *, is_lock: bool) -> Iterator[_Secret]:
    """Find the secrets in the lines of a file, including those that a pragma hides.

    The filters run last: detect-secrets itself spends most of its time on filtering lines without
    a secret. Patterns that match nowhere in the file are not tried on its lines.
    """
    stripped = [raw.rstrip() for raw in lines]
    text = "\n".join(stripped)
    patterns = [
        one
        for one in _detectors()[0]
        if (not is_lock or _knows_form(one.plugin)) and (not one.in_file or one.in_file(text))
    ]
    for number, line in enumerate(stripped, start=1):
        plugins = _detecting(line, patterns, is_lock=is_lock)
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
                # Filters of the line are done. Do others need the context?
                if any(
                    not filter_.injectable_variables <= place.keys()
                    for filter_ in scan.get_filters_with_parameter("context")
                ) and _refusing("context", **place, **subject) - {_PRAGMA}:
                    continue
                for key in _keys(plugin, secret, line):
                    text = key.whole or key.value
                    quoted = (match[2] for match in _QUOTED.finditer(line))
                    texts = [*filter(None, (key.whole,)), *(q for q in quoted if text in q)]
                    values = _values(plugin, key, line)
                    yield _Secret(key, number, values, texts, bool(refusing))


def _refusing(parameter: str, **known: object) -> set[str]:
    """Return the names of the filters with this parameter that refuse the `known` values."""
    names = set()
    for filter_ in scan.get_filters_with_parameter(parameter):
        try:
            if call_function_with_arguments(filter_, **known):
                names.add(str(filter_.path).rpartition(".")[2])
        except TypeError:  # it needs more values, and runs again when they are known
            continue
    return names


def _detecting(line: str, patterns: Sequence[_Pattern], *, is_lock: bool) -> tuple[Plugin, ...]:
    """Return the detectors that may find something in the line, by these `patterns` or otherwise.

    A lock is full of hashes and names, and versions look like addresses. So only the detectors of
    tokens with a known form count there.
    """
    # By id: detectors cannot be hashed.
    detecting = {id(one.plugin): one.plugin for one in patterns if one.search(line)}
    if is_lock:
        return tuple(detecting.values())
    for plugin in _detectors()[1]:
        # The keyword detector and those of the user may depend on more than the line.
        kind = type(plugin)
        foreign = kind is keyword.KeywordDetector or not kind.__module__.startswith(_THEIRS)
        if foreign or plugin.analyze_line("", line, 1):
            detecting[id(plugin)] = plugin
    return tuple(detecting.values())


@lru_cache(maxsize=1)
def _detectors() -> tuple[list[_Pattern], list[Plugin], list[_Added]]:
    """Return detectors with their patterns, those without patterns, and those of `detectors`."""
    patterns: list[_Pattern] = []
    others: list[Plugin] = []
    added: list[_Added] = []
    types = {plugin.secret_type for plugin in get_plugins()}
    disabled = get_mapping_from_secret_type_to_class().keys() - types
    for plugin in get_plugins():
        kind = type(plugin)
        if isinstance(plugin, _Added):
            title = plugin.detector.title
            if _ADDED_TO.get(title, title) not in disabled:
                added.append(plugin)
        elif kind is keyword.KeywordDetector and _KEYWORDS_NEEDED:
            patterns.append(_Pattern(plugin, _ANY_KEYWORD.search, _ANY_KEYWORD.search))
        elif (
            kind.analyze_line is BasePlugin.analyze_line
            and kind.analyze_string is RegexBasedDetector.analyze_string
        ):
            patterns += [
                _Pattern(plugin, pattern.search, _in_file(pattern)) for pattern in plugin.denylist
            ]
        else:
            others.append(plugin)
    return patterns, others, added


def _in_file(pattern: re.Pattern[str]) -> Callable[[str], object] | None:
    """Return the search for a pattern in lines that are joined; None if it could miss one."""
    if _ONE_LINE.search(pattern.pattern):
        return None
    if _ANCHOR.search(pattern.pattern):
        return re.compile(pattern.pattern, pattern.flags | re.MULTILINE).search
    return pattern.search


def _knows_form(plugin: Plugin) -> bool:
    return isinstance(plugin, RegexBasedDetector) and not isinstance(plugin, IPPublicDetector)


def _keys(plugin: Plugin, secret: Plugin, line: str) -> list[_Key]:
    """Return the secrets of the line that detect-secrets reports as this one.

    It may report only the prefix of a token, such as "ghp", or leave out its end, such as the
    signature of a JSON Web Token. Of a private key it reports the header.
    """
    value = str(secret.secret_value)
    wholes: dict[str, None] = {}
    if isinstance(plugin, PrivateKeyDetector):
        return [_Key(secret.type, secret.secret_hash, value, "", secret.line_number)]
    if isinstance(plugin, RegexBasedDetector):
        for pattern in plugin.denylist:
            for match in pattern.finditer(line):
                is_part = value in match[0] and 2 * len(value) < len(match[0])
                if (is_part or value == match[0]) and _TOKEN.fullmatch(match[0]):
                    token = _TOKEN.match(line, match.start())
                    wholes[token[0].rstrip(".") if token else value] = None
    return [_Key(secret.type, secret.secret_hash, value, whole) for whole in wholes or (value,)]


def _values(plugin: Plugin, key: _Key, line: str) -> list[str]:
    """Return the texts to mask: the secret, and the whole match if the value is a part of it."""
    if not key.whole:
        return []  # the header is not secret
    values = dict.fromkeys(filter(None, (key.value, key.whole)))
    if len(key.value) < _WHOLE and isinstance(plugin, RegexBasedDetector):
        matches = (match[0] for pattern in plugin.denylist for match in pattern.finditer(line))
        values.update(dict.fromkeys(match for match in matches if key.value in match))
    return [*values]
