"""TOML and JSON manifests: their values, and the line of each, which parsers do not record.

The functions that find lines expect text that its parser has accepted. For any other text they
return wrong lines, and never fail.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from scanagg.core import toml
from scanagg.inventory.manifest import (
    FileProblems,
    ManifestError,
    ProjectFiles,
    read_utf8,
    syntax_error,
)
from scanagg.model import Location, Reason, SourceFile

T = TypeVar("T")

Keys = tuple[str | int, ...]
"""The path of a value in a document: keys of tables, positions in arrays."""

# No group is possessive, because Python before 3.11.5 matches possessive alternatives wrongly.
_TOML_TOKEN: Final = re.compile(
    r'''(?P<string>"""(?:[^"\\]++|\\.|"{1,2}(?!"))*"{3,5}
                  |\'\'\'(?:[^']++|'{1,2}(?!'))*'{3,5}
                  |"(?:[^"\\\n]++|\\.)*"
                  |'[^'\n]*+')
      |(?P<comment>\#[^\n]*+)
      |(?P<mark>[\[\]{}=,\n])
      |(?P<word>[^\s\#"'\[\]{}=,.]++)''',
    re.VERBOSE | re.DOTALL,
)
_JSON_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*")|(?P<mark>[{}\[\]:,\n])', re.DOTALL
)


class ManifestDocument(msgspec.Struct, frozen=True):
    """A parsed manifest, the line of each of its values, and the problems so far.

    `path` is the path that it is read under. For a symbolic link, that is the path of the link,
    while places and problems have the path of the file.
    """

    path: str
    problems: FileProblems
    data: Mapping[str, object]
    lines: Mapping[Keys, int]

    def line(self, *keys: str | int) -> int | None:
        """Return the line of the value with this path, or of the nearest container with a line."""
        ends = range(len(keys), 0, -1)
        return next((self.lines[keys[:end]] for end in ends if keys[:end] in self.lines), None)

    def place(self, *keys: str | int) -> Location:
        """Return the place of the value with this path, as `line` does."""
        return Location(self.problems.path, self.line(*keys))

    def value(self, *keys: str | int) -> object:
        """Return the value with this path, None if there is none."""
        value: object = self.data
        for key in keys:
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value

    def table(self, *keys: str | int) -> Mapping[str, object]:
        """Return the table with this path; an empty one if there is none."""
        value = self.value(*keys)
        return value if isinstance(value, Mapping) else {}

    def array(self, *keys: str | int) -> Sequence[object]:
        """Return the array with this path; an empty one if there is none."""
        value = self.value(*keys)
        return value if isinstance(value, list) else []

    def section(self, type_: type[T], *keys: str | int) -> T | None:
        """Return the value with this path as `type_`; None without one, or with a wrong one.

        A wrong value is a problem, and the rest of the document is used.
        """
        value = self.value(*keys)
        if value is None:
            return None
        try:
            return msgspec.convert(value, type_)
        except (ValueError, RecursionError) as error:
            name = next(key for key in reversed(keys) if isinstance(key, str))
            reason = Reason("wrong-type", {"key": name, "error": str(error)})
            self.problems.add(self.line(*keys), reason)
            return None

    def names(self, *keys: str | int) -> tuple[str, ...]:
        """Return the keys of the table with this path; none, and a problem, if it is not one."""
        return tuple(self.section(dict[str, object], *keys) or ())

    def entries(self, type_: type[T], *keys: str) -> Iterator[tuple[int, T]]:
        """Yield each usable item of the array with this path, with its position in it."""
        for position in range(len(self.section(list[object], *keys) or ())):
            item = self.section(type_, *keys, position)
            if item is not None:
                yield position, item


def as_list(value: object) -> Sequence[object]:
    """Return a list unchanged; any other value as its only item."""
    return value if isinstance(value, list) else [value]


def load_toml(file: SourceFile, project: ProjectFiles) -> ManifestDocument:
    """Parse a TOML file. ManifestError, with the line, if it is not one."""
    return parse_toml(read_utf8(file), file, project)


def parse_toml(text: str, file: SourceFile, project: ProjectFiles) -> ManifestDocument:
    """Parse TOML of a file. ManifestError, with the line, if it is not TOML."""
    try:
        data = toml.load(text)
    except toml.TomlTooMuchError as error:
        raise ManifestError(Reason("too-complex", {"error": error.reason}), error.line) from error
    except toml.TomlError as error:
        raise syntax_error(text, "TOML", error.line, error.reason) from error
    return ManifestDocument(file.path, project.problems(file.path), data, toml_lines(text))


def load_json(file: SourceFile, project: ProjectFiles) -> ManifestDocument:
    """Parse a JSON file with an object. ManifestError, with the line, if it is not one."""
    text = read_utf8(file)
    try:
        data: object = json.loads(text)
    except RecursionError as error:
        raise ManifestError(Reason("too-complex", {"error": "nested too deeply"})) from error
    except ValueError as error:
        message, line = getattr(error, "msg", str(error)), getattr(error, "lineno", None)
        raise syntax_error(text, "JSON", line, message) from error
    if not isinstance(data, dict):
        raise ManifestError(Reason("not-a-json-object"), 1)
    return ManifestDocument(file.path, project.problems(file.path), data, json_lines(text))


def toml_lines(text: str) -> Mapping[Keys, int]:
    """Return the line (from 1) of every key, table header and array item of a TOML text."""
    return _TomlLines(text.replace("\r\n", "\n")).read()


def json_lines(text: str) -> Mapping[Keys, int]:
    """Return the line (from 1) of every key of every JSON object that is not inside an array."""
    lines: dict[Keys, int] = {}
    path: list[str] = []
    last, line = "", 1
    for match in _JSON_TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token == ":":
            path[-1:] = [_unquoted(last)]
            lines[tuple(path)] = line
        elif token in ("{", "["):
            path.append("")
        elif token in ("}", "]"):
            del path[-1:]
        else:
            last = token
    return lines


class _TomlLines:
    """The reader of one TOML text, by its tokens; `_token` is the next one, "" at the end."""

    def __init__(self, text: str) -> None:
        """Start at the first token."""
        self._matches = _TOML_TOKEN.finditer(text)
        self._token = ""
        self._line = 1  # of the next token
        self._lines: dict[Keys, int] = {}
        self._take()

    def _take(self) -> str:
        """Return the next token and move past it and any comment that follows."""
        token = self._token
        self._line += token.count("\n")
        following = (match.group() for match in self._matches if match.lastgroup != "comment")
        self._token = next(following, "")
        return token

    def read(self) -> Mapping[Keys, int]:
        """Read the whole text."""
        table: Keys = ()
        lengths: dict[Keys, int] = {}  # of the arrays of tables
        while self._token:
            if self._token == "\n":
                self._take()
            elif self._token == "[":
                self._take()
                array = self._token == "["
                table = ()
                keys = self._keys("]")
                for count, key in enumerate(keys, start=1):
                    table = (*table, key)
                    self._record(table)
                    if array and count == len(keys):
                        lengths[table] = lengths.get(table, 0) + 1
                    if table in lengths:
                        table = (*table, lengths[table] - 1)
                        self._record(table)
                if self._token == "]":
                    self._take()
            else:
                self._pair(table)
        return self._lines

    def _record(self, path: Keys) -> None:
        self._lines.setdefault(path, self._line)

    def _keys(self, end: str) -> list[str]:
        """Read the parts of a key or of a header, and the token that ends it."""
        keys: list[str] = []
        while self._token not in (end, "\n", ""):
            token = self._take()
            keys += [_unquoted(token)] if token != "[" else []
        if self._token == end:
            self._take()
        return keys

    def _pair(self, table: Keys) -> None:
        """Read a key and its value."""
        path = table
        line = self._line
        for key in self._keys("="):
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._value(path)

    def _value(self, path: Keys) -> None:
        self._record(path)
        token = self._take()
        if token == "[":
            position = 0
            while self._token not in ("]", ""):
                if self._token in (",", "\n"):
                    position += self._take() == ","
                else:
                    self._value((*path, position))
        elif token == "{":
            while self._token not in ("}", ""):
                if self._token in (",", "\n"):
                    self._take()
                else:
                    self._pair(path)
        else:  # a number or a date may have several tokens
            while self._token not in (",", "]", "}", "\n", ""):
                self._take()
            return
        self._take()


def _unquoted(token: str) -> str:
    if token[:1] == '"' and "\\" in token:
        with contextlib.suppress(ValueError):  # an escape of TOML only
            return str(json.loads(token))
    return token[1:-1] if token[:1] in ("'", '"') else token
