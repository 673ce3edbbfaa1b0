"""The committed baseline: what a project knew of when it began to gate new findings.

The file is one JSON array with a line for each element, so that git tells of each when it came:

    [{"baseline":"scanagg","version":1,"growth":2}
    ,{"category":"code","rule":"B602","path":"app.py","qualname":"run","statement":"#9a…","line":7}
    ]

Commas stand in front, for a line must not change when its neighbours come or go. `growth` counts
the times that all packages were accepted as they were: since then one is new. Before a statement's
hash stands a "#": scanners that look for secrets take a long hexadecimal number in quotes for one.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from scanagg.core.errors import BaselineError
from scanagg.core.text import one_line, shorten
from scanagg.model import Category, Parts

PLACES: Final = ("policies/baseline.json",)
"""Where a project keeps its baseline, relative to its folder."""

VERSION: Final = 1
"""The format that is written; a newer one is refused."""

PACKAGE_CATEGORIES: Final = frozenset((Category.VULNERABILITY.value, Category.LICENSE.value))
"""The categories whose entries name a package instead of a file."""

# 100,000 entries are about 20 MiB.
_MOST_BYTES: Final = 64 << 20
_MARKERS: Final = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")
_MARKER: Final = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})( |\r?$)", re.MULTILINE)
_AT_BYTE: Final = re.compile(r" ?\(byte (\d+)\)")
_AT_KEY: Final = re.compile(r" - at `(?:key in )?\$(?:\.(\w+))?.*`$")
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_REMADE: Final = "Restore it from git, or make it anew: scanagg baseline write"
_KEYS: Final = (
    "An entry can have category, rule, path, purl, qualname, statement, ids, line, by, owner, "
    "reason."
)
_T = TypeVar("_T")

CategoryWord = Literal["vulnerability", "code", "secret", "license", "misconfiguration"]
_Text = Annotated[str, Meta(min_length=1)]


class Known(msgspec.Struct, frozen=True):
    """One finding of a baseline.

    `line` is a hint for people and for the order among equals, None in a slim file. `ids` are all
    ids of a vulnerability, `by` the scanners that saw it when it came into the file. `owner` and
    `reason` are those of whoever let the baseline grow by it.
    """

    parts: Parts
    line: int | None = None
    ids: tuple[str, ...] = ()
    owner: str = ""
    reason: str = ""
    first_seen: datetime | None = None
    by: tuple[str, ...] = ()


class Baseline(msgspec.Struct, frozen=True):
    """A baseline file: its path relative to the project, and its entries, one a line.

    `lines` holds for each entry the number of its line in the file, from 1, and `head` that of the
    line that changes whenever the file grows by packages, and not by the way. `growth` is the count
    in that line, `texts` holds for each entry what stands in the file.
    """

    path: str
    entries: tuple[Known, ...]
    lines: tuple[int, ...]
    head: int = 1
    growth: int = 1
    texts: tuple[str, ...] = ()


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """The first element of the file."""

    baseline: Literal["scanagg"]
    version: int
    growth: Annotated[int, Meta(ge=1)]


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An entry as written; the order of the keys is theirs in the file."""

    category: CategoryWord
    rule: str = ""
    path: str = ""
    purl: str = ""
    qualname: str = ""
    statement: str = ""
    ids: tuple[_Text, ...] = ()
    line: Annotated[int, Meta(ge=1)] | None = None
    by: tuple[_Text, ...] = ()
    owner: str = ""
    reason: str = ""


class _Version(Struct, frozen=True):
    """As much of a head as every version will have."""

    baseline: Literal["scanagg"]
    version: Annotated[int, Meta(ge=1)]


ENCODER: Final = msgspec.json.Encoder()
"""Writes heads and entries as they stand in a file."""

_HEADS: Final = msgspec.json.Decoder(Head)
_VERSIONS: Final = msgspec.json.Decoder(_Version)
_ENTRIES: Final = msgspec.json.Decoder(Entry)


def load(raw: bytes, path: str) -> Baseline:
    """The baseline in `raw`. BaselineError with path, line and column for what is wrong in it."""
    text = _Source(raw, one_line(path))
    text.refuse_foreign_bytes()
    elements = text.elements()
    starts = text.starts(elements)
    growth = _growth(text, starts, elements)
    entries = [_entry(text, at, said) for at, said in zip(starts[1:], elements[1:], strict=True)]
    numbers = text.lines(starts)
    texts = tuple(element.decode("utf-8") for element in elements[1:])
    return Baseline(path, tuple(entries), tuple(numbers[1:]), numbers[0], growth, texts)


def foreign(baseline: Baseline, paths: Collection[str]) -> bool:
    """Whether a baseline is likely another project's: no file that it names is there.

    `paths` are all files of the target, relative to the repository as in `Parts`. A baseline of
    packages alone names no files, and nothing can be told.
    """
    of_files = (
        one.parts for one in baseline.entries if one.parts.category not in PACKAGE_CATEGORIES
    )
    named = {parts.path for parts in of_files}
    return bool(named) and named.isdisjoint(map(nfc, paths))


def nfc(path: str) -> str:
    """A path as `Parts` have it: the same letters in one spelling on every system."""
    return unicodedata.normalize("NFC", path)


class _Source(msgspec.Struct, frozen=True):
    """The bytes of a file, and where in them something is."""

    raw: bytes
    path: str

    def error(self, offset: int, message: str, hint: str) -> BaselineError:
        """What is wrong at a byte, with line and column from 1."""
        before = self.raw[:offset]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        return BaselineError(f"{self.path}:{line}:{column}: {message}", hint)

    def refuse_foreign_bytes(self) -> None:
        """Refuse what no baseline is made of. BaselineError."""
        if len(self.raw) > _MOST_BYTES:
            hint = "Is this the right file?"
            raise self.error(0, f"larger than {_MOST_BYTES >> 20} MiB", hint)
        if self.raw.startswith(_BOMS):
            hint = "Save it as UTF-8 without a byte order mark."
            raise self.error(0, "the file begins with a byte order mark", hint)
        # To look at every line is slow, and hardly ever needed.
        marked = any(marker in self.raw for marker in _MARKERS)
        marker = _MARKER.search(self.raw) if marked else None
        if marker:
            hint = "Keep the lines of both sides, not the markers; then: scanagg baseline prune"
            shown = marker[1].decode()
            raise self.error(marker.start(), f"a merge conflict: the marker {shown}", hint)
        try:
            self.raw.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = self.raw[error.start]
            raise self.error(error.start, f"byte 0x{byte:02x} is not UTF-8", _REMADE) from None

    def elements(self) -> list[bytes]:
        """The elements of the array, still as text. BaselineError where it is none."""
        try:
            raws = msgspec.json.decode(self.raw, type=list[msgspec.Raw])
        except msgspec.ValidationError:
            raise self.error(0, "not a baseline: it is no JSON array", _REMADE) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.malformed(0, str(error)) from None
        if not raws:
            raise self.error(0, "not a baseline: the head is missing", _REMADE)
        return list(map(bytes, raws))

    def starts(self, elements: Iterable[bytes]) -> list[int]:
        """The offset of each element; between two there are only commas and white space."""
        found, at = [], 1
        for each in elements:
            at = self.raw.index(each, at)
            found.append(at)
            at += len(each)
        return found

    def lines(self, offsets: Iterable[int]) -> list[int]:
        """The numbers of the lines that these ascending offsets are in."""
        steps = itertools.pairwise(itertools.chain((0,), offsets))
        counts = [self.raw.count(b"\n", start, end) for start, end in steps]
        return list(itertools.accumulate(counts, initial=1))[1:]

    def malformed(self, start: int, said: str) -> BaselineError:
        """The text that begins at `start` is no JSON, as msgspec says."""
        at = _AT_BYTE.search(said)
        what = _AT_BYTE.sub("", said).removeprefix("JSON is malformed: ")
        if at is None:
            return self.error(len(self.raw), f"not JSON: {what}", _REMADE)
        return self.error(start + int(at[1]), f"not JSON: {what}", _REMADE)


def _growth(text: _Source, starts: Sequence[int], elements: Sequence[bytes]) -> int:
    """The counter in the head. BaselineError for a head that is missing or newer than we are."""
    start, said = starts[0], elements[0]
    version = _decoded(text, start, said, _VERSIONS, _REMADE).version
    if version > VERSION:
        hint = "Use the scanagg that wrote it, or a newer one."
        message = f"version {version} of the format; this scanagg reads up to {VERSION}"
        raise text.error(start, message, hint)
    return _decoded(text, start, said, _HEADS, "The head has baseline, version, growth.").growth


def _entry(text: _Source, start: int, said: bytes) -> Known:
    if said.startswith(b'{"baseline"'):
        hint = "Keep the one with the larger growth, as the first line."
        raise text.error(start, "a second head", hint)
    entry = _decoded(text, start, said, _ENTRIES, _KEYS)
    # What we wrote ourselves has each key once; to look for a second one is slow.
    if ENCODER.encode(entry) != said:
        _refuse_duplicates(text, start, said)
    category, place = entry.category, entry.path
    if category in PACKAGE_CATEGORIES or not place or entry.purl:
        wrong = _problem(entry)
        if wrong:
            raise text.error(start, *wrong)
        place = entry.purl
    statement = entry.statement.removeprefix("#")
    parts = Parts(category, entry.rule, place, entry.qualname, statement)
    return Known(parts, entry.line, entry.ids, entry.owner, entry.reason, None, entry.by)


def _problem(entry: Entry) -> tuple[str, str] | None:
    """What types cannot say of an entry, and what to do; None for a good one of a package."""
    if entry.category not in PACKAGE_CATEGORIES:
        return f"a finding of kind {entry.category} has a path and no purl", _REMADE
    if not entry.purl.startswith("pkg:") or entry.path:
        return f"a {entry.category} has a purl and no path", "A purl is such as pkg:pypi/name."
    if entry.category == Category.VULNERABILITY.value and not entry.ids:
        return "a vulnerability needs its ids", "Such as CVE-2024-12345."
    return None


def _decoded(
    text: _Source, start: int, said: bytes, decoder: msgspec.json.Decoder[_T], hint: str
) -> _T:
    try:
        return decoder.decode(said)
    except msgspec.ValidationError as error:
        offset, message = _wrong_value(said, str(error))
        raise text.error(start + offset, message, hint) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise text.malformed(start, str(error)) from None


def _wrong_value(said: bytes, complaint: str) -> tuple[int, str]:
    """Where in an element a value is that msgspec refuses, and what it complains of."""
    found = _AT_KEY.search(complaint)
    what = _AT_KEY.sub("", complaint)
    unknown = _UNKNOWN.search(what)
    name = unknown[1] if unknown else found[1] if found else None
    message = shorten(one_line(what.replace("`", "'")), 160)
    if name is None:
        return 0, message
    key = re.escape(json.dumps(name, ensure_ascii=False)).encode()
    place = re.search(key + rb"\s*:", said)
    return (place.start() if place else 0), message if unknown else f"{name}: {message}"


def _refuse_duplicates(text: _Source, start: int, said: bytes) -> None:
    """BaselineError for a key that an entry has twice, of which readers would take the last."""

    def pairs(found: list[tuple[str, object]]) -> None:
        names = [name for name, _ in found]
        for name in names:
            if names.count(name) > 1:
                raise text.error(start, f"the key {one_line(name)} stands here twice", _KEYS)

    json.loads(said, object_pairs_hook=pairs)
