"""Plain values of a document become typed sections, with every mistake found and placed."""

import difflib
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta

from scanagg.core.text import one_line, shorten
from scanagg.core.yaml import Document, KeyPath, Problem
from scanagg.policy.schema import Section

_T = TypeVar("_T", bound=Section)
_SHOWN: Final = 60


class _Bad:
    """Stands for a value that had a problem."""


_BAD: Final = _Bad()


def build(document: Document, kind: type[_T]) -> tuple[_T | None, list[Problem]]:
    """The document as a `kind`, or None and what is wrong with it."""
    builder = _Builder(document)
    value = builder.section(document.value, kind, ())
    return (None if builder.problems else cast("_T", value)), sorted(builder.problems)


def label(path: KeyPath) -> str:
    """A path as people write it: `rules[0].match`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the policy"


def quoted(value: object) -> str:
    """A value from a file, short and safe to print."""
    return shorten(one_line(repr(value)), _SHOWN)


def suggestion(word: object, words: Iterable[str]) -> str:
    """`: did you mean 'x'?` where one of `words` is near, else nothing."""
    near = difflib.get_close_matches(word, list(words), n=1) if isinstance(word, str) else []
    return f": did you mean {near[0]!r}?" if near else ""


@dataclass(slots=True)
class _Builder:
    document: Document
    problems: list[Problem] = field(default_factory=list)

    def section(self, raw: object, kind: type[Section], path: KeyPath) -> object:
        """A struct out of a mapping."""
        if not isinstance(raw, dict):
            self._mismatch(raw, path, "a mapping of " + ", ".join(_names(kind)))
            return _BAD
        fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key in fields:
                values[fields[key].name] = self.value(value, fields[key].type, (*path, key))
            else:
                self._unknown_key(key, kind, path)
        for name, each in fields.items():
            if each.required and name not in raw:
                message = f"{label(path)}: {name!r} is missing"
                hint = f"{name}: {_described(each.type)}"
                self.problems.append(Problem(self.document.at(path), message, hint))
        return _BAD if self.problems else kind(**values)

    def value(self, raw: object, kind: object, path: KeyPath) -> object:
        """A value of any type that a field can have."""
        members = _members(kind)
        sections = [
            each for each in members if isinstance(each, type) and issubclass(each, Section)
        ]
        if sections and (isinstance(raw, dict) or not _has_scalar(members)):
            return self.section(raw, sections[0], path)
        if isinstance(raw, list):
            items = [get_args(each)[0] for each in members if get_origin(each) is tuple]
            if items:
                return self._items(raw, items[0], path)
        if isinstance(raw, dict):
            entries = [get_args(each)[1] for each in members if get_origin(each) is dict]
            if entries:
                return {key: self.value(one, entries[0], (*path, key)) for key, one in raw.items()}
        return self._leaf(raw, members, path)

    def _items(self, raw: list[object], kind: object, path: KeyPath) -> object:
        if not raw and path[-2:-1] == ("match",):
            self._mismatch(raw, path, "at least one value: an empty list matches nothing")
        return tuple(self.value(each, kind, (*path, index)) for index, each in enumerate(raw))

    def _leaf(self, raw: object, members: tuple[object, ...], path: KeyPath) -> object:
        allowed = [each for each in members if each is not type(None)]
        # One scalar type at a time: msgspec 0.22 frees memory twice for a type with a union of a
        # text pattern and a list in it.
        for each in (each for each in allowed if not _is_container(each)):
            try:
                return msgspec.convert(raw, type=each)
            except msgspec.ValidationError:
                continue
        expected = " or ".join(map(_described, allowed))
        # An id or a version may look like a number: 70612, 1.2.
        hint = "put it in quotes" if _is_number(raw) and any(map(_is_text, allowed)) else ""
        self._mismatch(raw, path, expected, _words(allowed), hint)
        return _BAD

    def _mismatch(
        self, raw: object, path: KeyPath, expected: str, words: Iterable[str] = (), hint: str = ""
    ) -> None:
        # A value that is not there has no place of its own: YAML puts it where the next thing is.
        mark = self.document.at_key(path) if raw is None else self.document.at(path)
        got = "nothing" if raw is None else quoted(raw)
        message = f"{label(path)}: got {got}, expected {expected}{suggestion(raw, words)}"
        self.problems.append(Problem(mark, message, hint))

    def _unknown_key(self, key: str, kind: type[Section], path: KeyPath) -> None:
        message = f"{label(path)}: unknown key {quoted(key)}{suggestion(key, _names(kind))}"
        hint = f"{label(path)} can have " + ", ".join(_names(kind))
        self.problems.append(Problem(self.document.at_key((*path, key)), message, hint))


def _names(kind: type[Section]) -> list[str]:
    return [each.encode_name for each in msgspec.structs.fields(kind)]


def _members(kind: object) -> tuple[object, ...]:
    """The parts of a union; the type itself where it is none."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(part for each in get_args(kind) for part in _members(each))
    return (kind,)


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _is_text(kind: object) -> bool:
    return kind is str or (get_origin(kind) is Annotated and get_args(kind)[0] is str)


def _is_container(kind: object) -> bool:
    return get_origin(kind) in (tuple, dict) or (
        isinstance(kind, type) and issubclass(kind, Section)
    )


def _has_scalar(members: Iterable[object]) -> bool:
    """Whether a value of these types can be anything but a mapping or a list."""
    return any(each is not type(None) and not _is_container(each) for each in members)


def _words(kinds: Iterable[object]) -> list[str]:
    """All literal words that are allowed."""
    return [
        word
        for kind in kinds
        for each in _members(kind)
        if get_origin(each) is Literal
        for word in get_args(each)
        if isinstance(word, str)
    ]


def _described(kind: object) -> str:
    """A type in words for people."""
    if get_origin(kind) is Annotated:
        meta = next(each for each in get_args(kind) if isinstance(each, Meta))
        return meta.description or "text"
    if get_origin(kind) is Literal:
        words = [str(word) for word in get_args(kind)]
        return words[0] if len(words) == 1 else "one of " + ", ".join(words)
    if get_origin(kind) is tuple:
        return "a list"
    if _is_container(kind):
        return "a mapping"
    return "true or false" if kind is bool else " or ".join(map(_described, _members(kind)))
