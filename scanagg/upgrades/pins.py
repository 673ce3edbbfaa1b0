"""Exact pins in the texts that people write, changed in place: all else stays byte by byte."""

import codecs
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from scanagg.core import toml
from scanagg.model.project import version_of
from scanagg.upgrades.files import Refused

HASHED: Final = "has hashes, which only the tool that made it can renew"
"""Why a line with hashes is not edited."""

_TOML: Final = ("pyproject.toml", "Pipfile")
_LISTED: Final = "setup.cfg"
_CODE: Final = "setup.py"

# White space, and line breaks behind a backslash. Possessive, so that no file takes forever.
_GAP: Final = r"(?:[ \t\f]|\\(?:\r\n|\r|\n))*+"
_CLAUSE: Final = rf"(?:===|==|~=|!=|<=|>=|<|>){_GAP}[A-Za-z0-9.!+*_-]++"
_ENTRY: Final = re.compile(
    rf"{_GAP}(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*+){_GAP}(?:\[[^\[\]]*+\]{_GAP})?\(?{_GAP}"
    rf"(?P<clauses>{_CLAUSE}(?:{_GAP},{_GAP}{_CLAUSE})*+){_GAP}(?=$|[;)]|(?<=\s)(?:#|-))"
)
_EXACT: Final = re.compile(rf"(?P<op>===?){_GAP}(?P<version>[A-Za-z0-9.!+*_-]++)")
_LINE: Final = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|$)")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_QUOTED: Final = re.compile(r"""(["'])(?P<text>(?:(?!\1)[^\\\r\n])*+)\1""")
# A bare version is exact in Poetry's tables; in Pipenv's it has its two signs.
_TABLE: Final = re.compile(
    r"""[ \t]*(?P<key>["']?)(?P<name>[A-Za-z0-9._-]++)(?P=key)[ \t]*=[ \t]*"""
    r"""(?:\{.*?(?<![A-Za-z0-9_-])version[ \t]*=[ \t]*)?"""
    r"""(?P<quote>["'])[ \t]*(?P<op>={0,3})[ \t]*(?P<version>[A-Za-z0-9.!+_-]++)[ \t]*(?P=quote)"""
)
_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MARKS: Final = (
    (codecs.BOM_UTF8, "latin-1"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Where pip breaks a line and editors do not.
_ODD_BREAKS: Final = re.compile(rb"[\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]")


class Pin(msgspec.Struct, frozen=True):
    """A package that is to go from one exact version to another; `name` as in PEP 503."""

    name: str
    old: str
    new: str


class Change(msgspec.Struct, frozen=True):
    """A pin that is another one now, in which line (from 1), as it was written and is."""

    line: int
    before: str
    after: str


class Edited(msgspec.Struct, frozen=True):
    """The bytes of a file with other pins; without `changes` they are what they were."""

    raw: bytes
    changes: tuple[Change, ...] = ()


class _Found(msgspec.Struct, frozen=True):
    """Where the version of a pin stands in a text."""

    start: int
    end: int
    operator: str


_Text = tuple[str, Callable[[str], bytes]]


def edited(path: str, raw: bytes, pin: Pin, lines: Collection[int]) -> Edited:
    """The file with every exact pin of the package at the old version at the new one.

    In a requirements file these are wherever they stand; in pyproject.toml, setup.cfg and a Pipfile
    only on the `lines` that are known to ask for it. Refused with the reason where a pin is there
    and must not be changed by hand, or the file is none that can be edited.
    """
    name = PurePosixPath(path).name
    if name == _CODE:
        raise Refused("is a program, which is not edited")
    text, encode = _decoded(raw)
    if name in _TOML:
        return _in_toml(text, encode, pin, lines)
    if name != _LISTED and _ODD_BREAKS.search(raw):
        raise Refused("has line breaks that editors do not show")
    found = _in_lines(text, pin, None if name != _LISTED else lines)
    return _replaced(text, encode, pin, list(found))


def pinned_versions(raw: bytes) -> Iterator[tuple[str, str]]:
    """The name and version of each exact pin of a requirements file. ValueError if it is none."""
    try:
        text, _ = _decoded(raw)
    except Refused as error:
        raise ValueError(str(error)) from error
    for _, start, end in _logical_lines(text):
        match = _ENTRY.match(text[start:end])
        for one in _EXACT.finditer(match["clauses"]) if match else ():
            yield match["name"] if match else "", one["version"]


def _decoded(raw: bytes) -> _Text:
    """The text and the way back to bytes. What is read as Latin-1 comes back byte by byte."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _marked(raw, mark, encoding)
    for line in raw.split(b"\n", 2)[:2]:
        coding = _CODING.match(line)
        if coding and not _is_ascii_like(coding[1].decode("ascii", "replace")):
            raise Refused("is in an encoding that is not edited")
    if b"\0" in raw:
        raise Refused("is not a text file")
    return raw.decode("latin-1"), lambda text: text.encode("latin-1")


def _marked(raw: bytes, mark: bytes, encoding: str) -> _Text:
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise Refused(f"is not {encoding.upper()}, which its first bytes say") from error
    return text, lambda changed: mark + changed.encode(encoding)


def _is_ascii_like(encoding: str) -> bool:
    sample = "name==1.0 ; \\ # \n"
    try:
        return sample.encode(encoding) == sample.encode("ascii")
    except (LookupError, UnicodeError):
        return False


def _in_lines(text: str, pin: Pin, lines: Collection[int] | None) -> Iterator[_Found]:
    """The pins at the start of logical lines, of all or of those that begin at `lines`."""
    for number, start, end in _logical_lines(text):
        if lines is None or number in lines:
            entry = text[start:end]
            found = _pinned(entry, pin)
            if found and re.search(r"\s--hash\b", entry):
                raise Refused(HASHED)
            if found:
                yield _Found(start + found.start, start + found.end, found.operator)


def _logical_lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Number (from 1), start and end of each line with those that continue it."""
    begin: tuple[int, int] | None = None
    last = 0
    for number, match in enumerate(_LINE.finditer(text), start=1):
        line = match[0].rstrip("\r\n")
        last = match.start() + len(line)
        begin = begin or (number, match.start())
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            continue
        yield *begin, last
        begin = None
    if begin:
        yield *begin, last


def _pinned(entry: str, pin: Pin) -> _Found | None:
    """The pin of the package in a requirement. Refused where its rest bars the new version."""
    match = _ENTRY.match(entry)
    if match is None or canonicalize_name(match["name"]) != pin.name:
        return None
    start = match.start("clauses")
    others = match["clauses"]
    found: _Found | None = None
    for one in _EXACT.finditer(match["clauses"]):
        if _is_same(one["version"], pin.old) and found is None:
            found = _Found(start + one.start("version"), start + one.end("version"), one["op"])
            others = others[: one.start()] + others[one.end() :]
    if found and not _lets_in(re.sub(r"[\\\s]", "", others).strip(","), pin.new):
        raise Refused(f"asks for more than one thing: {match['clauses'].strip()}")
    return found


def _in_toml(text: str, encode: Callable[[str], bytes], pin: Pin, lines: Collection[int]) -> Edited:
    """The pins in strings of these lines; checked by reading the file as TOML before and after."""
    found = []
    for number, match in enumerate(_LINE.finditer(text), start=1):
        if number in lines:
            found += [
                _Found(match.start() + one.start, match.start() + one.end, one.operator)
                for one in _in_toml_line(match[0], pin)
            ]
    made = _replaced(text, encode, pin, found)
    if found and not _only_strings_differ(text, made, encode, len(found)):
        raise Refused("is written in a way that is not edited")
    return made


def _in_toml_line(line: str, pin: Pin) -> Iterator[_Found]:
    table = _TABLE.match(line)
    if table and canonicalize_name(table["name"]) == pin.name:
        if _is_same(table["version"], pin.old):
            yield _Found(table.start("version"), table.end("version"), table["op"] or "=")
        return
    for one in _QUOTED.finditer(line):
        found = _pinned(one["text"], pin)
        if found:
            start = one.start("text")
            yield _Found(start + found.start, start + found.end, found.operator)


def _only_strings_differ(
    text: str, made: Edited, encode: Callable[[str], bytes], count: int
) -> bool:
    try:
        before = list(_leaves(toml.load(encode(text).decode("utf-8-sig"))))
        after = list(_leaves(toml.load(made.raw.decode("utf-8-sig"))))
    except (toml.TomlError, UnicodeDecodeError):
        return False
    changed = [one for one, other in zip(before, after, strict=False) if one != other]
    keys = [path for path, _ in before] == [path for path, _ in after]
    return keys and len(changed) == count and all(isinstance(leaf, str) for _, leaf in changed)


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every value that is no container, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(position)))
    else:
        yield path, value


def _replaced(
    text: str, encode: Callable[[str], bytes], pin: Pin, found: Collection[_Found]
) -> Edited:
    parts, last, changes = [], 0, []
    for one in found:
        line = len(_BREAK.findall(text, 0, one.start)) + 1
        old = text[one.start : one.end]
        signs = one.operator
        changes.append(Change(line, f"{pin.name}{signs}{old}", f"{pin.name}{signs}{pin.new}"))
        parts += [text[last : one.start], pin.new]
        last = one.end
    return Edited(encode("".join((*parts, text[last:]))), tuple(changes))


def _is_same(written: str, version: str) -> bool:
    """Whether both are one version: 1.0 and 1.0.0 are; a wildcard is none."""
    one, other = version_of(written), version_of(version)
    return written == version if one is None or other is None else one == other


def _lets_in(clauses: str, version: str) -> bool:
    try:
        return SpecifierSet(clauses).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False
