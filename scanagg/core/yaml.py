"""Read strict YAML 1.2, written by hand, with the place of every key and value."""

import codecs
import itertools
import re
from collections.abc import Mapping
from typing import Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from scanagg.core.text import one_line, shorten

KeyPath = tuple[str | int, ...]

_SHOWN: Final = 60
# The reader needs some seconds for that many.
_MOST_ENTRIES: Final = 50_000
_MOST_LEVELS: Final = 100
_BRACKET: Final = re.compile(r"[\[\]{}]")
_CORE: Final = "tag:yaml.org,2002:"
# Dates stay text: their meaning depends on the key.
_TEXT_TAGS: Final = frozenset((f"{_CORE}str", f"{_CORE}timestamp"))
_TRUE: Final = frozenset(("true", "True", "TRUE"))
_FALSE: Final = frozenset(("false", "False", "FALSE"))
# No number needs more digits, and Python refuses to read thousands of them.
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT: Final = re.compile(
    r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?"
)
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")
# The reader fails at the escape of a character beyond Unicode, without its place.
_BEYOND: Final = re.compile(r"\\U(?!00(?:0[0-9a-fA-F]|10))[0-9a-fA-F]{8}")


class Mark(msgspec.Struct, frozen=True, order=True):
    """A place in the text; line and column count from 1."""

    line: int
    column: int


class Problem(msgspec.Struct, frozen=True, order=True):
    """An error in the text, its place, and how to fix it."""

    mark: Mark
    message: str
    hint: str = ""


_TOO_DEEP: Final = Problem(Mark(1, 1), "nested too deeply", "Use fewer levels.")


class YamlError(Exception):
    """The text is not YAML, or uses a refused part of YAML; `problems` is never empty."""

    def __init__(self, *problems: Problem) -> None:
        """Keep the problems in the order of the text."""
        super().__init__(problems[0].message)
        self.problems = tuple(sorted(problems))


class Document(msgspec.Struct, frozen=True):
    """Plain values (dict, list, str, int, float, bool, None) and the place of each.

    A path is the keys and indexes that lead to a value: `("rules", 0, "match")`.
    """

    value: object
    values: Mapping[KeyPath, Mark]
    keys: Mapping[KeyPath, Mark]

    def at(self, path: KeyPath) -> Mark:
        """Return the place of the value at a path, or of the nearest value above it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values[path]

    def at_key(self, path: KeyPath) -> Mark:
        """Return the place of the key itself."""
        return self.keys.get(path) or self.at(path)


def parse(raw: bytes) -> Document:
    """Return the only document in `raw`. YamlError for anything else.

    These parts of YAML are refused: duplicate keys, keys that are not text, anchors and aliases (a
    few bytes can expand to gigabytes), merge keys, tags, and all encodings except plain UTF-8.
    """
    text = _decoded(raw)
    if sum(map(text.count, "\n,[{")) > _MOST_ENTRIES:
        message = f"more than {_MOST_ENTRIES:,} lines, commas and brackets"
        raise YamlError(Problem(Mark(1, 1), message, "Remove some, or split the file."))
    if _levels(text) > _MOST_LEVELS:
        raise YamlError(_TOO_DEEP)
    node = _compose(text)
    if node is None:
        raise YamlError(
            Problem(Mark(1, 1), "the file is empty", "Add `version: 1` and its other keys.")
        )
    builder = _Builder()
    value = builder.value(node, ())
    if builder.problems:
        raise YamlError(*builder.problems)
    return Document(value, builder.values, builder.keys)


def _levels(text: str) -> int:
    """Return the depth of the brackets, also of those in texts and comments.

    The reader needs time for each level at each token.
    """
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(text))
    return max(itertools.accumulate(steps), default=0)


def _decoded(raw: bytes) -> str:
    hint = "Save it as UTF-8 without a byte order mark."
    if raw.startswith(codecs.BOM_UTF8):
        raise YamlError(Problem(Mark(1, 1), "the file starts with a byte order mark", hint))
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise YamlError(Problem(Mark(1, 1), "the file is UTF-16", hint))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _mark_of(raw[: error.start].decode("utf-8"))
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
    raise YamlError(Problem(mark, message, hint))


def _mark_of(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _compose(text: str) -> Node | None:
    try:
        # The reader in C follows YAML 1.1, in which `no` is false.
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(place.line + 1, place.column + 1) if place else Mark(1, 1)
        reason = ", ".join(filter(None, (error.context, error.problem)))
        message = f"not YAML: {one_line(reason)}"
        hint = "Write one YAML 1.2 document. Put text with : or # in quotes."
        if r"character '\t'" in reason:
            message, hint = "a tab, where YAML needs spaces", "Replace it with spaces."
        problem = Problem(mark, message, hint)
    except ReaderError as error:
        message = f"character U+{ord(text[error.position]):04X} is not allowed"
        problem = Problem(_mark_of(text[: error.position]), message, "Remove it.")
    except RecursionError:
        problem = _TOO_DEEP
    except ValueError:
        escape = _BEYOND.search(text)
        mark = _mark_of(text[: escape.start()]) if escape else Mark(1, 1)
        problem = Problem(mark, "an escape beyond Unicode", "Remove it.")
    else:
        return node
    raise YamlError(problem)


class _Builder(msgspec.Struct):
    """Makes plain values from nodes, and collects all problems."""

    values: dict[KeyPath, Mark] = {}
    keys: dict[KeyPath, Mark] = {}
    problems: list[Problem] = []

    def value(self, node: Node, path: KeyPath) -> object:
        self.values[path] = mark = _start(node)
        # An alias is the node of its anchor, so this refuses both.
        if node.anchor:
            message = f"anchor &{node.anchor} is not supported"
            self._wrong(mark, message, "Repeat the value instead.")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, mark)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            mark = _start(key_node)
            key = None
            is_plain = isinstance(key_node, ScalarNode) and key_node.tag in _TEXT_TAGS
            if key_node.tag == f"{_CORE}merge":
                self._wrong(mark, "merge key << is not supported", "Repeat the keys instead.")
            elif not is_plain or key_node.anchor:
                self._wrong(mark, "a key must be plain text", "Put it in quotes.")
            elif self._is_text(key_node, mark):
                key = str(key_node.value)
            if key is None:
                continue
            here = (*path, key)
            if key in values:
                first = f"Remove it here or on line {self.keys[here].line}."
                self._wrong(mark, f"duplicate key {key!r}", first)
                continue
            self.keys[here] = mark
            values[key] = self.value(value_node, here)
        return values

    def _scalar(self, node: Node, mark: Mark) -> object:
        text = str(node.value)
        if node.tag in _TEXT_TAGS:
            return text if self._is_text(node, mark) else None
        if node.tag == f"{_CORE}null":
            return None
        if node.tag == f"{_CORE}bool" and text in _TRUE | _FALSE:
            return text in _TRUE
        if node.tag == f"{_CORE}int" and _INT.fullmatch(text):
            return int(text, 0 if text.startswith(("0o", "0x")) else 10)
        if node.tag == f"{_CORE}float" and _FLOAT.fullmatch(text):
            return float(text)
        shown = shorten(one_line(text), _SHOWN)
        message = f"{shown!r} is neither text, number, true nor false"
        self._wrong(mark, message, "Put it in quotes.")
        return None

    def _is_text(self, node: Node, mark: Mark) -> bool:
        """Return True for text without NUL and without the halves of characters."""
        bad = _NO_TEXT.search(node.value)
        if bad:
            self._wrong(mark, f"character U+{ord(bad.group()):04X} is not allowed", "Remove it.")
        return bad is None

    def _wrong(self, mark: Mark, message: str, hint: str) -> None:
        self.problems.append(Problem(mark, message, hint))


def _start(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
