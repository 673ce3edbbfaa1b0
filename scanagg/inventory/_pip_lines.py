"""A requirements file as text: its encoding, its logical lines, its options, as pip has them."""

import codecs
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.inventory._common import BrokenFile, shown

_ENDING: Final = re.compile(r"\r\n|\r|\n")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*$")
_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_VIA: Final = re.compile(r"^\s*#\s*via\b(.*)$")
_VIA_ITEM: Final = re.compile(r"^\s*#\s{2,}(\S.*)$")
_INLINE_VIA: Final = re.compile(r"\s#\s*via\s+(.+)$")

# https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
_INCLUDE: Final = ("--requirement", "--constraint", "--editable")
_WITH_VALUE: Final = (
    "--index-url",
    "--pypi-url",
    "--extra-index-url",
    "--find-links",
    "--no-binary",
    "--only-binary",
    "--trusted-host",
    "--use-feature",
    "--config-settings",
    "--global-option",
    "--install-option",
    "--hash",
    "--uploaded-prior-to",
)
_FLAGS: Final = (
    "--no-index",
    "--prefer-binary",
    "--require-hashes",
    "--pre",
    "--all-releases",
    "--always-unzip",
    "--process-dependency-links",
)
_SHORT: Final = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "-Z": "--always-unzip",
}


class Line(msgspec.Struct, frozen=True):
    """One logical line: the number of its first physical line, its text, and who asked for it."""

    number: int
    text: str
    via: tuple[str, ...] = ()


def decoded(raw: bytes) -> str:
    """The text by its byte-order mark, by its coding line, or as UTF-8; bad bytes stay visible."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace")
    if b"\0" in raw:
        raise BrokenFile(None, "not a text file")
    for line in raw.split(b"\n", 2)[:2]:
        coding = _CODING.match(line)
        if coding:
            return _decoded_as(raw, coding[1].decode("ascii", "replace"))
    return raw.decode("utf-8", "replace")


def _decoded_as(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, "replace")
    except (LookupError, ValueError) as error:
        raise BrokenFile(1, f"unknown encoding {encoding!r}") from error


def logical_lines(text: str) -> Iterator[Line]:
    """Lines with continuations joined and comments gone; a comment ends a continuation."""
    pending: list[str] = []
    start = 0
    entry: Line | None = None
    in_via = False
    for number, raw in _physical_lines(text):
        comment = raw.lstrip().startswith("#")
        if not pending and comment and entry:
            entry, in_via = _with_via(entry, raw, in_via)
            continue
        start = start if pending else number
        continued = raw.endswith("\\") and not comment
        pending.append(raw.rstrip("\\") if continued else f" {raw}" if comment else raw)
        if not continued:
            if entry:
                yield entry
            entry, in_via = _joined(start, pending), comment and bool(_VIA.match(raw))
            pending = []
    if entry:
        yield entry
    last = _joined(start, pending)
    if last:
        yield last


def _joined(start: int, parts: Sequence[str]) -> Line | None:
    """One logical line; None where nothing but comments is on it."""
    whole = "".join(parts)
    text = _COMMENT.sub("", whole).strip()
    inline = _INLINE_VIA.search(whole)
    via = tuple(part.strip() for part in inline[1].split(",")) if inline else ()
    return Line(start, text, via) if text else None


def _with_via(entry: Line, comment: str, in_via: bool) -> tuple[Line, bool]:
    """`entry` with what a comment below it says of who asked for it, as pip-compile writes it."""
    opening = _VIA.match(comment)
    said = opening or (_VIA_ITEM.match(comment) if in_via else None)
    if said is None:
        return entry, False
    item = said[1].strip()
    listing = not (opening and item)  # "# via x" is all there is, "# via" alone opens a list
    return replace(entry, via=(*entry.via, item) if item else entry.via), listing


def _physical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its number. pip also breaks lines where no editor does (form feed, U+2028)."""
    for number, line in enumerate(_ENDING.split(text), start=1):
        for part in line.splitlines() or [""]:
            yield number, part


def options(text: str) -> Iterator[tuple[str, str]]:
    """Each include or editable of a line of options. ValueError where pip knows no such option."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into options: {error}") from error
    while words:
        option, value = _option(words.pop(0))
        if option in _FLAGS:
            continue
        if value is None:
            if not words:
                raise ValueError(f"{option} without its value")
            value = words.pop(0)
        if option in _INCLUDE:
            yield option, value


def _option(word: str) -> tuple[str, str | None]:
    """The full name of an option and the value that is written in the same word."""
    if not word.startswith("--"):
        short, attached = word[:2], word[2:]
        if short in _SHORT:
            return _SHORT[short], attached or None
        raise ValueError(f"not an option of requirements files: {shown(word)}")
    name, equals, value = word.partition("=")
    known = (*_INCLUDE, *_WITH_VALUE, *_FLAGS)
    found = [name] if name in known else [option for option in known if option.startswith(name)]
    if len(found) != 1:
        raise ValueError(f"not an option of requirements files: {shown(word)}")
    return found[0], value if equals else None
