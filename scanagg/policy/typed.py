"""Build typed sections from the plain values of a document, and report every mistake in them."""

import types
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

import msgspec
from msgspec import Meta

from scanagg.core.text import quoted, suggestion
from scanagg.core.yaml import Document, KeyPath, Problem

# The types of plain values for containers.
_PLAIN: Final[Mapping[object, type]] = {tuple: list, dict: dict}
_INVALID: Final = object()
"""The result for a value that has a problem."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of the policy file.

    The keys in `inherited` may be missing where the policy extends another one.
    """

    inherited: ClassVar[frozenset[str]] = frozenset()


_T = TypeVar("_T", bound=Section)


def build(
    document: Document, kind: type[_T], *, extends: bool = False
) -> tuple[_T | None, list[Problem]]:
    """Return the document as a `kind`, or None with every mistake in it.

    A document that `extends` another one may leave out inherited keys.
    """
    builder = _Builder(document, extends=extends)
    value = builder.section(document.value, kind, ())
    return (None if builder.problems else cast("_T", value)), sorted(builder.problems)


def label(path: KeyPath) -> str:
    """Return a path as text: `rules[0].match`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "top level"


class _Builder:
    """Builds values by the types of their fields, and collects problems."""

    def __init__(self, document: Document, *, extends: bool) -> None:
        self.document = document
        self.extends = extends
        self.problems: list[Problem] = []

    def section(self, raw: object, kind: type[Section], path: KeyPath) -> object:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        if not isinstance(raw, dict):
            return self.mismatch(raw, path, "a mapping with the keys " + ", ".join(fields))
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key in fields:
                values[fields[key].name] = self.value(value, fields[key].type, (*path, key))
                continue
            message = f"{label(path)}: unknown key {quoted(key)}{suggestion(key, fields)}"
            hint = f"Allowed keys: {', '.join(fields)}."
            self.problems.append(Problem(self.document.at_key((*path, key)), message, hint))
        for name, field in fields.items():
            needed = field.required or (name in kind.inherited and not self.extends)
            if needed and name not in raw:
                message = f"{label(path)}: {name!r} is missing"
                hint = f"Add {name}: {_described(_members(field.type))}."
                self.problems.append(Problem(self.document.at(path), message, hint))
        return _INVALID if self.problems else kind(**values)

    def value(self, raw: object, kind: object, path: KeyPath) -> object:
        members = _members(kind)
        for member in members:
            if _is_section(member) and (isinstance(raw, dict) or len(members) == 1):
                return self.section(raw, member, path)
            plain = _PLAIN.get(get_origin(member))
            if plain and isinstance(raw, plain):
                return self.items(raw, get_args(member), path)
        return self.scalar(raw, members, path)

    def scalar(self, raw: object, members: Sequence[Any], path: KeyPath) -> object:
        # One scalar type at a time: msgspec 0.22 frees memory twice if a type has a union of a text
        # pattern and a list.
        for member in members:
            if not _is_container(member):
                with suppress(msgspec.ValidationError):
                    return msgspec.convert(raw, type=member)
        # An id or a version may look like a number: 70612, 1.2.
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        takes_text = any(get_args(member)[:1] == (str,) for member in members)
        hint = "Put it in quotes." if is_number and takes_text else ""
        return self.mismatch(raw, path, _described(members), _words(members), hint)

    def items(self, raw: Any, kinds: Sequence[Any], path: KeyPath) -> object:
        if isinstance(raw, dict):
            return {key: self.value(value, kinds[1], (*path, key)) for key, value in raw.items()}
        if not raw and path[-2:-1] == ("match",):
            return self.mismatch(raw, path, "at least one value")
        return tuple(self.value(value, kinds[0], (*path, place)) for place, value in enumerate(raw))

    def mismatch(
        self, raw: object, path: KeyPath, expected: str, words: Iterable[str] = (), hint: str = ""
    ) -> object:
        # A missing value has no position of its own: YAML reports that of the next token.
        mark = self.document.at_key(path) if raw is None else self.document.at(path)
        actual = "nothing" if raw is None else quoted(raw)
        guess = suggestion(raw, words)
        expectation = f"{guess} Expected {expected}" if guess else f", expected {expected}"
        message = f"{label(path)}: got {actual}{expectation}"
        self.problems.append(Problem(mark, message, hint))
        return _INVALID


def _members(kind: object) -> list[Any]:
    """Return the members of a union without None, or the type itself if it is not a union."""
    if get_origin(kind) in (Union, types.UnionType):
        return [member for part in get_args(kind) for member in _members(part)]
    return [] if kind is type(None) else [kind]


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_container(kind: object) -> bool:
    return get_origin(kind) in _PLAIN or _is_section(kind)


def _words(members: Iterable[Any]) -> list[str]:
    """Return the words of all literals among the members of a union."""
    literals = [member for member in members if get_origin(member) is Literal]
    return [str(word) for literal in literals for word in get_args(literal)]


def _described(members: Sequence[Any]) -> str:
    """Describe the members of a union: `one of block, warn or a list`."""
    words = ", ".join(_words(members))
    texts = [f"one of {words}" if ", " in words else words] if words else []
    for member in members:
        if get_origin(member) is Annotated:
            texts += [
                part.description or "text" for part in get_args(member) if isinstance(part, Meta)
            ]
        elif _is_container(member):
            texts.append("a list" if get_origin(member) is tuple else "a mapping")
        elif member is bool:
            texts.append("true or false")
    return " or ".join(texts)
