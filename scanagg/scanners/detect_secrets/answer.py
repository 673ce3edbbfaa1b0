"""What the search for secrets answers, in our words: never the secrets themselves."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from scanagg.core.text import one_line
from scanagg.model import Category, Location, NotExamined, Observation, Rule, Secret, Target
from scanagg.scanners import base
from scanagg.scanners.base import Output, Parsed, ScanError
from scanagg.scanners.detect_secrets.inputs import BASELINE

_SCANNER: Final = "detect-secrets"
_URL: Final = "https://github.com/Yelp/detect-secrets"
_HELP: Final = (
    "Take it to be known to others: replace it where it is used, then read the new one from the "
    "environment or a secret store."
)
# Detectors that hash a part which all values share: a token's prefix, a key's header.
_HASHED_IN_PART: Final = frozenset({"GitHub Token", "GitLab Token", "Private Key"})
# Where a value is put in later: `${{ secrets.X }}`, `{{ x }}`, `${X}`, `%(x)s`, `<%= x %>`.
_PLACEHOLDER: Final = re.compile(r"\$?\{\{.*?\}\}|\$\{[^{}]*\}|%\(\w+\)s|<%.*?%>")
PRAGMA: Final = "pragma: allowlist secret"
NO_SECRET: Final = f"{BASELINE} is_secret=false"
KNOWN: Final = f"{BASELINE} known"
_SCHEME: Final = re.compile(r"\b(?:bearer|basic|token)\b", re.IGNORECASE)


class Hit(msgspec.Struct, frozen=True):
    """A secret, in clear, and the lines of one file on which it stands."""

    type: str
    hash: str
    value: str
    lines: tuple[int, ...]


class Answer(msgspec.Struct, frozen=True):
    """The answer of `worker` for the file with that index."""

    file: int
    reason: str | None = None
    hits: tuple[Hit, ...] = ()
    values: tuple[str, ...] = ()
    allowed: tuple[Hit, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A secret in a report of detect-secrets' own, which it calls a baseline."""

    type: str
    hashed_secret: str
    line_number: int | None = None
    is_secret: bool | None = None


class _Baseline(msgspec.Struct, frozen=True):
    results: dict[str, tuple[Entry, ...]]


def parsed(output: Output, target: Target) -> Parsed:
    """What the worker's answers mean. ScanError where it did not end well, or they are none."""
    known, problem = baseline(target)
    notices = [problem] if problem else []
    hidden: Counter[str] = Counter()
    observations: list[Observation] = []
    given = [(output.inputs[answer.file], answer) for answer in _answers(output)]
    for path, answer in given:
        hits, allowed = _real(answer.hits), _real(answer.allowed)
        judged = [(hit, tuple(_listed(hit, known.get(path, ())))) for hit in hits]
        observations += [
            _observation(hit, path, BASELINE if NO_SECRET in kinds else "") for hit, kinds in judged
        ]
        observations += [_observation(hit, path, PRAGMA) for hit in allowed]
        hidden.update({PRAGMA: len({line for hit in allowed for line in hit.lines})})
        hidden.update(kind for _, kinds in judged for kind in kinds)
        if len(hits) < len(answer.hits):
            number = len(answer.hits) - len(hits)
            notices.append(f"{path}: placeholders that count as no secrets: {number}")
    if hidden[KNOWN]:
        notices.append(f"{BASELINE}: what it lists as known is reported all the same")
    return Parsed(
        observations=tuple(observations),
        examined=tuple(path for path, answer in given if answer.reason is None),
        not_examined=tuple(
            NotExamined(path, one_line(answer.reason)) for path, answer in given if answer.reason
        ),
        hidden={kind: number for kind, number in hidden.items() if number},
        notices=tuple(notices),
        secrets=frozenset(value for _, answer in given for value in answer.values),
    )


def entries(raw: bytes) -> Mapping[str, tuple[Entry, ...]]:
    """The secrets, by path, of a report in detect-secrets' JSON. ScanError where it is none."""
    try:
        found = msgspec.json.decode(raw, type=_Baseline)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ScanError(f"not a baseline of detect-secrets: {one_line(str(error))}") from error
    return {path.replace("\\", "/"): listed for path, listed in found.results.items()}


def baseline(target: Target) -> tuple[Mapping[str, tuple[Entry, ...]], str]:
    """What the target's own baseline lists, and what is wrong with it if it cannot be read."""
    file = next((file for file in target.files if file.path == BASELINE), None)
    if file is None:
        return {}, ""
    try:
        return entries(file.real.read_bytes()), ""
    except OSError as error:
        return {}, f"{BASELINE} counts for nothing: {error.strerror}"
    except ScanError as error:
        return {}, f"{BASELINE} counts for nothing: {error}"


def is_placeholder(value: str) -> bool:
    """Whether the value is only filled in later: nothing but placeholders and an auth scheme."""
    rest, number = _PLACEHOLDER.subn("", value)
    return number > 0 and not re.search(r"\w", _SCHEME.sub("", rest))


def _answers(output: Output) -> Sequence[Answer]:
    if output.returncode:
        raise ScanError(base.complaint(output.stderr, f"ended with exit code {output.returncode}"))
    try:
        lines = msgspec.json.Decoder(Answer).decode_lines(output.stdout)
    except msgspec.DecodeError as error:
        raise ScanError(f"not the answers of the search: {error}") from error
    if any(not 0 <= answer.file < len(output.inputs) for answer in lines):
        raise ScanError("it answers for files that it was not given")
    return lines


def _real(hits: Sequence[Hit]) -> list[Hit]:
    return [hit for hit in hits if not is_placeholder(hit.value)]


def _listed(hit: Hit, known: Sequence[Entry]) -> Iterator[str]:
    """How the project's baseline has it: known, or judged to be no secret, by nobody it names."""
    for entry in known:
        if (entry.type, entry.hashed_secret) == (hit.type, hit.hash):
            yield NO_SECRET if entry.is_secret is False else KNOWN


def _observation(hit: Hit, path: str, in_source: str) -> Observation:
    """The first line is the one that detect-secrets reports; all lines are its places."""
    places = tuple(Location(path, max(1, line)) for line in hit.lines)
    return Observation(
        scanner=_SCANNER,
        category=Category.SECRET,
        rule=_rule(hit.type),
        title=one_line(hit.type),
        message=f"What looks like a secret stands in the source: {one_line(hit.type)}",
        location=places[0],
        places=places,
        secret=Secret(None if hit.type in _HASHED_IN_PART else hit.hash),
        in_source=in_source,
    )


@lru_cache(maxsize=64)
def _rule(kind: str) -> Rule:
    name = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") or "secret"
    return Rule(id=name, name=name, title=one_line(kind), url=_URL, help=_HELP)
