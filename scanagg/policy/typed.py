"""Build typed sections from the plain values of a document, and report every mistake in them."""

import difflib
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta

from scanagg.core.text import one_line, shorten
from scanagg.core.yaml import Document, KeyPath, Problem

_SHOWN: Final = 60
_INVALID: Final = object()
"""The result for a value that has a problem."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of the policy file."""


_T = TypeVar("_T", bound=Section)


def build(document: Document, kind: type[_T]) -> tuple[_T | None, list[Problem]]:
    """Return the document as a `kind`, or None with every mistake in it."""
    builder = _Builder(document)
    value = builder.section(document.value, kind, ())
    return (None if builder.problems else cast("_T", value)), sorted(builder.problems)


def label(path: KeyPath) -> str:
    """Return a path as text: `rules[0].match`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "top level"


def quoted(value: object) -> str:
    """Return the repr of a value from a file, short and safe to print."""
    return shorten(one_line(repr(value)), _SHOWN)


def suggestion(word: object, words: Iterable[str]) -> str:
    """Return `: did you mean 'x'?` if one of `words` is similar, else an empty text."""
    near = difflib.get_close_matches(word, list(words), n=1) if isinstance(word, str) else []
    return f": did you mean {near[0]!r}?" if near else ""


class _Builder:
    """Builds values by the types of their fields, and collects problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def section(self, raw: object, kind: type[Section], path: KeyPath) -> object:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        if not isinstance(raw, dict):
            self._mismatch(raw, path, "a mapping with the keys " + ", ".join(fields))
            return _INVALID
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key in fields:
                values[fields[key].name] = self._value(value, fields[key].type, (*path, key))
                continue
            message = f"{label(path)}: unknown key {quoted(key)}{suggestion(key, fields)}"
            hint = f"Allowed keys: {', '.join(fields)}."
            self.problems.append(Problem(self.document.at_key((*path, key)), message, hint))
        for name, field in fields.items():
            if field.required and name not in raw:
                message = f"{label(path)}: {name!r} is missing"
                hint = f"Add {name}: {_described(field.type)}."
                self.problems.append(Problem(self.document.at(path), message, hint))
        return _INVALID if self.problems else kind(**values)

    def _value(self, raw: object, kind: object, path: KeyPath) -> object:
        members = [member for member in _members(kind) if member is not type(None)]
        scalars = [member for member in members if not _is_container(member)]
        for member in members:
            if _is_section(member) and (isinstance(raw, dict) or not scalars):
                return self.section(raw, member, path)
            if get_origin(member) is tuple and isinstance(raw, list):
                if not raw and path[-2:-1] == ("match",):
                    self._mismatch(raw, path, "at least one value")
                item = get_args(member)[0]
                return tuple(
                    self._value(value, item, (*path, index)) for index, value in enumerate(raw)
                )
            if get_origin(member) is dict and isinstance(raw, dict):
                entry = get_args(member)[1]
                return {key: self._value(value, entry, (*path, key)) for key, value in raw.items()}
        # One scalar type at a time: msgspec 0.22 frees memory twice if a type has a union of a text
        # pattern and a list.
        for scalar in scalars:
            try:
                return msgspec.convert(raw, type=scalar)
            except msgspec.ValidationError:
                continue
        # An id or a version may look like a number: 70612, 1.2.
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        takes_text = any(get_args(member)[:1] == (str,) for member in members)
        hint = "Put it in quotes." if is_number and takes_text else ""
        words = [str(word) for word in _words(members)]
        self._mismatch(raw, path, _described(kind), words, hint)
        return _INVALID

    def _mismatch(
        self, raw: object, path: KeyPath, expected: str, words: Iterable[str] = (), hint: str = ""
    ) -> None:
        # A missing value has no position of its own: YAML reports that of the next token.
        mark = self.document.at_key(path) if raw is None else self.document.at(path)
        got = "nothing" if raw is None else quoted(raw)
        message = f"{label(path)}: got {got}, expected {expected}{suggestion(raw, words)}"
        self.problems.append(Problem(mark, message, hint))


def _members(kind: object) -> Iterator[Any]:
    """Yield the members of a union, or the type itself if it is not a union."""
    if get_origin(kind) in (Union, types.UnionType):
        for part in get_args(kind):
            yield from _members(part)
    else:
        yield kind


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_container(kind: object) -> bool:
    return get_origin(kind) in (tuple, dict) or _is_section(kind)


def _words(members: Iterable[Any]) -> list[Any]:
    """Return the words of all literals among the members of a union."""
    literals = [member for member in members if get_origin(member) is Literal]
    return [word for literal in literals for word in get_args(literal)]


def _described(kind: object) -> str:
    """Describe a type in words."""
    members = [member for member in _members(kind) if member is not type(None)]
    words = [str(word) for word in _words(members)]
    texts = ["one of " + ", ".join(words) if len(words) > 1 else words[0]] if words else []
    for member in members:
        if get_origin(member) is Annotated:
            meta = next(part for part in get_args(member) if isinstance(part, Meta))
            texts.append(meta.description or "text")
        elif get_origin(member) is tuple:
            texts.append("a list")
        elif _is_container(member):
            texts.append("a mapping")
        elif member is bool:
            texts.append("true or false")
    return " or ".join(texts)
