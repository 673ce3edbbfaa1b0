"""The baseline file: the findings that are not new, committed with the project.

The file is one JSON array with one element per line, so that git knows when each was added:

    [{"baseline":"scanagg","version":2,"growth":2}
    ,{"category":"code","rule":"B602","path":"app.py","qualname":"run","code":"#9a…","line":7}
    ]

Commas are at the start of lines, so that a line stays the same when its neighbours come or go.
`growth` counts how often all packages were accepted as they were; packages added later are new.
A line {"without":"trivy"} names a scanner that did not run, so that its first findings are new.
Hashes begin with "#", because secret scanners report a quoted long hexadecimal number.

Entries of version 1 have the hash of a statement only, and stay as they are until they are gone.
"""

import itertools
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Final, Literal, TypeVar, cast

import msgspec
from msgspec import Meta, Struct

from scanagg.core.errors import BaselineError
from scanagg.core.text import one_line, shorten
from scanagg.model import Category, Finding, Parts

PLACES: Final = ("policies/baseline.json",)
"""The paths of a project's baseline, relative to its folder."""

PACKAGE_CATEGORIES: Final = frozenset((Category.VULNERABILITY.value, Category.LICENSE.value))
"""The categories whose entries name a package instead of a file."""

# The format that is written; a newer one is refused.
_VERSION: Final = 2
# 100,000 entries are about 20 MiB.
_MAX_BYTES: Final = 64 << 20
_MARKER: Final = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})( |\r?$)", re.MULTILINE)
_AT_BYTE: Final = re.compile(r" ?\(byte (\d+)\)")
_AT_KEY: Final = re.compile(r" - at `(?:key in )?\$(?:\.(\w+))?.*`$")
_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_REMADE: Final = "Restore it from git. Or delete it, then run: scanagg baseline write"
_KEYS: Final = (
    "An entry can have category, rule, path, purl, qualname, code, statement, inputs, origins, "
    "ids, line, by, owner, reason."
)
_T = TypeVar("_T")
_CategoryWord = Literal["vulnerability", "code", "secret", "license", "misconfiguration"]
_Text = Annotated[str, Meta(min_length=1)]


class BaselineEntry(Struct, frozen=True):
    """One place of a finding of a baseline. `statement`, `inputs` and `origins` are as in `Anchor`.

    `former` is True for an entry of version 1, where the parts have a statement as their code.
    `line` is a hint for people and for the order among equals, None in a slim file. `ids` are all
    ids of a vulnerability, `by` the scanners that reported it when it was added. `owner` and
    `reason` are set if it was accepted later.
    """

    parts: Parts
    line: int | None = None
    statement: str = ""
    inputs: str = ""
    origins: str = ""
    former: bool = False
    ids: tuple[str, ...] = ()
    owner: str = ""
    reason: str = ""
    by: tuple[str, ...] = ()

    @property
    def of_package(self) -> bool:
        """True where the entry names a package, not a file."""
        return self.parts.category in PACKAGE_CATEGORIES


class Baseline(Struct, frozen=True):
    """A baseline file: its path relative to the project, and its entries.

    `lines` has the line number of each entry, from 1, `texts` its JSON. `growth` is the counter in
    the head of the file, and `head` the line number of that. `without` are the scanners that have
    not run yet.
    """

    path: str
    entries: tuple[BaselineEntry, ...]
    lines: tuple[int, ...]
    head: int = 1
    growth: int = 1
    texts: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    """The first element of the file."""

    baseline: Literal["scanagg"]
    version: int
    growth: Annotated[int, Meta(ge=1)]


class _Without(Struct, frozen=True, forbid_unknown_fields=True):
    """An element that names a scanner."""

    without: _Text


class _WireEntry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """An entry as written, with the keys in the order of the file."""

    category: _CategoryWord
    rule: str = ""
    path: str = ""
    purl: str = ""
    qualname: str = ""
    code: str = ""
    statement: str = ""
    inputs: str = ""
    origins: str = ""
    ids: tuple[_Text, ...] = ()
    line: Annotated[int, Meta(ge=1)] | None = None
    by: tuple[_Text, ...] = ()
    owner: str = ""
    reason: str = ""


class _AnyHead(Struct, frozen=True):
    """The fields of a head that every version of the format has."""

    baseline: Literal["scanagg"]
    version: Annotated[int, Meta(ge=1)]


_ENCODER: Final = msgspec.json.Encoder()
_HEADS: Final = msgspec.json.Decoder(_Head)
_ANY_HEADS: Final = msgspec.json.Decoder(_AnyHead)
_ENTRIES: Final = msgspec.json.Decoder(_WireEntry)
_SCANNERS: Final = msgspec.json.Decoder(_Without)
_OF_SCANNER: Final = b'{"without"'


def nfc(path: str) -> str:
    """Return a path as in `Parts`: letters with accents are spelled the same on every system."""
    return unicodedata.normalize("NFC", path)


def foreign(baseline: Baseline, paths: Collection[str]) -> bool:
    """Return True for a baseline that is likely another project's: none of its files is there.

    `paths` are all files of the target, relative to the repository as in `Parts`. A baseline that
    names only packages can belong to any project.
    """
    named = {entry.parts.path for entry in baseline.entries if not entry.of_package}
    return bool(named) and named.isdisjoint(map(nfc, paths))


def is_slim(baseline: Baseline) -> bool:
    """Return True where entries about files have no line hints."""
    of_files = [entry for entry in baseline.entries if not entry.of_package]
    return bool(of_files) and not any(entry.line for entry in of_files)


def has_former(baseline: Baseline | None) -> bool:
    """Return True for a baseline with entries of version 1."""
    return baseline is not None and any(entry.former for entry in baseline.entries)


# Reading.


def load(raw: bytes, path: str) -> Baseline:
    """Read a baseline. BaselineError with path, line and column for everything wrong in it."""
    source = _Source(raw, one_line(path))
    source.refuse_foreign_bytes()
    elements = source.elements()
    starts, position = [], 1
    for element in elements:  # between two there are only commas and white space
        position = raw.index(element, position)
        starts.append(position)
        position += len(element)
    version = source.decode(starts[0], elements[0], _ANY_HEADS, _REMADE).version
    if version > _VERSION:
        message = f"format version {version} is not supported, only up to {_VERSION}"
        raise source.error(starts[0], message, "Upgrade scanagg.")
    hint = "The head has baseline, version, growth."
    growth = source.decode(starts[0], elements[0], _HEADS, hint).growth
    breaks = [raw.count(b"\n", *gap) for gap in itertools.pairwise((0, *starts))]
    _, head, *numbers = itertools.accumulate(breaks, initial=1)
    entries, lines, texts, without = [], [], [], set()
    for start, element, line in zip(starts[1:], elements[1:], numbers, strict=True):
        if element.startswith(_OF_SCANNER):
            hint = "It has the name of a scanner only."
            without.add(source.decode(start, element, _SCANNERS, hint).without)
            continue
        entries.append(_entry(source, start, element))
        lines.append(line)
        texts.append(element.decode("utf-8"))
    return Baseline(
        path, tuple(entries), tuple(lines), head, growth, tuple(texts), frozenset(without)
    )


class _Source(Struct, frozen=True):
    """The bytes of a file, and the errors about them."""

    raw: bytes
    path: str

    def error(self, offset: int, message: str, hint: str) -> BaselineError:
        """Return an error about one byte, with line and column from 1."""
        before = self.raw[:offset]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        return BaselineError(f"{self.path}:{line}:{column}: {message}", hint)

    def malformed(self, start: int, reason: str) -> BaselineError:
        """Return an error for text that is no JSON; it begins at `start`, `reason` is msgspec's."""
        position = _AT_BYTE.search(reason)
        reason = _AT_BYTE.sub("", reason).removeprefix("JSON is malformed: ")
        offset = start + int(position[1]) if position else len(self.raw)
        return self.error(offset, f"not JSON: {reason}", _REMADE)

    def refuse_foreign_bytes(self) -> None:
        """Raise BaselineError for bytes that no baseline has."""
        if len(self.raw) > _MAX_BYTES:
            hint = "Check that this is a baseline."
            raise self.error(0, f"larger than {_MAX_BYTES >> 20} MiB", hint)
        if self.raw.startswith(_BOMS):
            hint = "Save it as UTF-8 without a byte order mark."
            raise self.error(0, "the file begins with a byte order mark", hint)
        try:
            self.raw.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = self.raw[error.start]
            raise self.error(error.start, f"byte 0x{byte:02x} is not UTF-8", _REMADE) from None

    def elements(self) -> list[bytes]:
        """Return the elements of the array as JSON. BaselineError where there is no array."""
        try:
            elements = msgspec.json.decode(self.raw, type=list[msgspec.Raw])
        except msgspec.ValidationError:
            raise self.error(0, "not a baseline: it is not a JSON array", _REMADE) from None
        except (ValueError, RecursionError) as error:
            marker = _MARKER.search(self.raw)
            if marker is None:
                raise self.malformed(0, str(error)) from None
            hint = "Keep the lines of both sides without the markers. Run: scanagg baseline prune"
            message = f"unresolved merge conflict: {marker[1].decode()}"
            raise self.error(marker.start(), message, hint) from None
        if not elements:
            raise self.error(0, "not a baseline: the head is missing", _REMADE)
        return list(map(bytes, elements))

    def decode(
        self, start: int, element: bytes, decoder: msgspec.json.Decoder[_T], hint: str
    ) -> _T:
        """Decode the element that begins at `start`. BaselineError with the place of the value."""
        try:
            return decoder.decode(element)
        except msgspec.ValidationError as error:
            complaint = str(error)
        except (ValueError, RecursionError) as error:
            raise self.malformed(start, str(error)) from None
        at_key = _AT_KEY.search(complaint)
        reason = _AT_KEY.sub("", complaint)
        unknown = _UNKNOWN.search(reason)
        name = unknown[1] if unknown else at_key[1] if at_key else None
        message = shorten(one_line(reason.replace("`", "'")), 160)
        place = None
        if name is not None:
            key = re.escape(json.dumps(name, ensure_ascii=False)).encode()
            place = re.search(key + rb"\s*:", element)
            message = message if unknown else f"{name}: {message}"
        raise self.error(start + (place.start() if place else 0), message, hint)


def _entry(source: _Source, start: int, element: bytes) -> BaselineEntry:
    if element.startswith(b'{"baseline"'):
        hint = "Keep only the one with the larger growth, as the first line."
        raise source.error(start, "a second head", hint)
    entry = source.decode(start, element, _ENTRIES, _KEYS)
    # An entry that we wrote has each key once, and the search for a second one is slow.
    if _ENCODER.encode(entry) != element:

        def check(pairs: list[tuple[str, object]]) -> None:
            names = [name for name, _ in pairs]
            for name in names:
                if names.count(name) > 1:
                    raise source.error(start, f"duplicate key {one_line(name)}", _KEYS)

        json.loads(element, object_pairs_hook=check)
    category, path = entry.category, entry.path
    if category in PACKAGE_CATEGORIES:
        if not entry.purl.startswith("pkg:") or path:
            hint = "A purl looks like this: pkg:pypi/name"
            raise source.error(start, f"a {category} must have a purl, and no path", hint)
        if category == Category.VULNERABILITY.value and not entry.ids:
            raise source.error(start, "a vulnerability must have ids", "Add them: CVE-2024-12345.")
        path = entry.purl
    elif not path or entry.purl:
        message = f"a finding of category {category} must have a path, and no purl"
        raise source.error(start, message, _REMADE)
    code, statement = entry.code.removeprefix("#"), entry.statement.removeprefix("#")
    former = bool(statement and not code)
    return BaselineEntry(
        parts=Parts(category, entry.rule, path, entry.qualname, statement if former else code),
        line=entry.line,
        statement="" if former else statement,
        inputs=entry.inputs.removeprefix("#"),
        origins=(entry.origins or entry.inputs).removeprefix("#"),
        former=former,
        ids=entry.ids,
        owner=entry.owner,
        reason=entry.reason,
        by=entry.by,
    )


# Writing.


def entries_for(finding: Finding, owner: str = "", reason: str = "") -> tuple[BaselineEntry, ...]:
    """Return the entries for a finding; `owner` and `reason` are those of who accepted it.

    ValueError for a finding without anchors, which no later check could recognise.
    """
    if not finding.anchors:
        raise ValueError(f"finding {finding.id} has no anchors")
    ids = tuple(sorted(finding.advisory.ids)) if finding.advisory else ()
    by = tuple(sorted(finding.scanners))
    return tuple(
        BaselineEntry(
            parts=anchor.parts,
            line=anchor.line or None,
            statement=anchor.statement,
            inputs=anchor.inputs,
            origins=anchor.origins,
            ids=ids,
            owner=owner,
            reason=reason,
            by=by,
        )
        for anchor in finding.anchors
    )


def new_text(
    entries: Iterable[BaselineEntry], *, slim: bool = False, without: Iterable[str] = ()
) -> str:
    """Return the text of a new baseline; `slim` without line hints."""
    return _file_text(1, [(entry, _encoded(entry, slim)) for entry in _unique(entries)], without)


def updated_text(
    baseline: Baseline,
    keep: Collection[int],
    added: Sequence[BaselineEntry] = (),
    *,
    slim: bool = False,
    left_out: bool = False,
    without: Iterable[str] = (),
) -> str:
    """Return the text of a baseline with the entries `keep` (by index) and those `added`.

    Kept entries stay byte for byte, except that `slim` drops the line hints. A slim file stays
    slim. The counter in the head goes up when an entry about a package is added, since that accepts
    all packages of the commit; it stays where some of these were `left_out`.
    """
    elements = []
    for index in sorted(keep):
        entry, text = baseline.entries[index], baseline.texts[index]
        if "\n" in text or "\r" in text or (slim and entry.line):
            text = _encoded(entry, slim)
        elements.append((entry, text))
    slim = slim or is_slim(baseline)
    elements += [(entry, _encoded(entry, slim)) for entry in _unique(added)]
    accepts_packages = any(entry.of_package for entry in added) and not left_out
    return _file_text(baseline.growth + accepts_packages, elements, without)


def _unique(entries: Iterable[BaselineEntry]) -> Iterable[BaselineEntry]:
    """Yield one entry per package and problem: further versions add nothing."""
    seen: set[tuple[object, ...]] = set()
    for entry in entries:
        key = (entry.parts, entry.ids)
        if not entry.of_package or key not in seen:
            seen.add(key)
            yield entry


def _file_text(
    growth: int, elements: Iterable[tuple[BaselineEntry, str]], without: Iterable[str]
) -> str:
    """Return the text of a file, sorted by what identifies each entry, then by line and text."""

    def key(element: tuple[BaselineEntry, str]) -> tuple[object, ...]:
        entry, text = element
        category, rule, path, qualname, code = entry.parts
        return (category, path, rule, qualname, code, entry.line or 0, text)

    head = _ENCODER.encode(_Head("scanagg", _VERSION, growth)).decode()
    scanners = (_ENCODER.encode(_Without(name)).decode() for name in sorted(without))
    texts = (*scanners, *(text for _, text in sorted(elements, key=key)))
    return "".join((f"[{head}\n", *(f",{text}\n" for text in texts), "]\n"))


def _encoded(entry: BaselineEntry, slim: bool) -> str:
    parts = entry.parts
    code, statement = ("", parts.code) if entry.former else (parts.code, entry.statement)
    wire = _WireEntry(
        category=cast("_CategoryWord", parts.category),
        rule=parts.rule,
        path="" if entry.of_package else parts.path,
        purl=parts.path if entry.of_package else "",
        qualname=parts.qualname,
        code=_marked(code),
        statement=_marked(statement),
        inputs=_marked(entry.inputs),
        origins=_marked(entry.origins if entry.origins != entry.inputs else ""),
        ids=entry.ids,
        line=None if slim else entry.line,
        by=entry.by,
        owner=entry.owner,
        reason=entry.reason,
    )
    return _ENCODER.encode(wire).decode()


def _marked(digest: str) -> str:
    return f"#{digest}" if digest else ""
