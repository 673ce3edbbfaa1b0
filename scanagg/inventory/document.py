"""TOML and JSON manifests: their values, and the line of each, which parsers do not tell.

The line finders expect a text that its parser has accepted; for any other they return some lines
and never fail.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from scanagg.core import toml
from scanagg.inventory.manifest import BrokenFile, ProjectFiles, problem, read_utf8
from scanagg.model import Location, NotExamined, SourceFile

T = TypeVar("T")

Keys = tuple[str | int, ...]
"""The path of a value in a document: keys of tables, positions in arrays."""

_CONFLICT: Final = re.compile(r"^<{7}(?: |\r?$)", re.MULTILINE)
_TOML_TOKEN: Final = re.compile(
    r'''(?P<string>"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}
                  |\'\'\'(?:[^']++|'{1,2}(?!'))*+'{3,5}
                  |"(?:[^"\\\n]++|\\.)*+"
                  |'[^'\n]*+')
      |(?P<comment>\#[^\n]*+)
      |(?P<mark>[\[\]{}=,\n])
      |(?P<word>[^\s\#"'\[\]{}=,.]++)''',
    re.VERBOSE | re.DOTALL,
)
_JSON_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<mark>[{}\[\]:,\n])', re.DOTALL
)


class ManifestDocument(msgspec.Struct, frozen=True):
    """A parsed manifest, the line of each of its values, and the problems so far.

    `path` is the path that it is read under, `shown_path` the one that places name: they differ for
    a symbolic link. `problems` is the one thing here that grows: a wrong entry is noted and the
    rest is used.
    """

    path: str
    shown_path: str
    data: Mapping[str, object]
    lines: Mapping[Keys, int]
    problems: list[NotExamined] = []

    def place(self, *keys: str | int) -> Location:
        """Return the place of the value with this path, or of the nearest container with a line."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return Location(self.shown_path, self.lines[keys[:end]])
        return Location(self.shown_path)

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

    def section(self, type_: type[T], *keys: str | int) -> T | None:
        """Return the value with this path as `type_`; None if it is absent, or wrong and noted."""
        value = self.value(*keys)
        if value is None:
            return None
        try:
            return msgspec.convert(value, type_)
        except (msgspec.ValidationError, RecursionError) as error:
            name = next(key for key in reversed(keys) if isinstance(key, str))
            self.note(self.place(*keys), f"{name}: {error}")
            return None

    def names(self, *keys: str | int) -> tuple[str, ...]:
        """Return the keys of the table with this path; none, and a note, if it is no table."""
        return tuple(self.section(dict[str, object], *keys) or ())

    def entries(self, type_: type[T], *keys: str) -> Iterator[tuple[int, T]]:
        """Return each usable item of the array with this path, with its position in it."""
        for position in range(len(self.section(list[object], *keys) or ())):
            item = self.section(type_, *keys, position)
            if item is not None:
                yield position, item

    def note(self, place: Location, reason: str) -> None:
        """Add one problem."""
        self.problems.append(problem(place.path, place.start_line, reason))


def load_toml(file: SourceFile, project: ProjectFiles) -> ManifestDocument:
    """Parse a TOML file. BrokenFile with the line if it is none."""
    text = read_utf8(file)
    try:
        data = toml.load(text)
    except toml.TomlTooMuchError as error:
        raise BrokenFile(error.line, error.reason) from error
    except toml.TomlError as error:
        raise _broken(text, "TOML", error.line, error.reason) from error
    return ManifestDocument(file.path, project.link_target(file.path), data, toml_lines(text))


def load_json(file: SourceFile, project: ProjectFiles) -> ManifestDocument:
    """Parse a JSON file that holds an object. BrokenFile with the line if it does not."""
    text = read_utf8(file)
    try:
        data: object = json.loads(text)
    except RecursionError as error:
        raise BrokenFile(None, "nested too deeply to be read") from error
    except json.JSONDecodeError as error:
        raise _broken(text, "JSON", error.lineno, error.msg) from error
    except ValueError as error:
        raise _broken(text, "JSON", None, str(error)) from error
    if not isinstance(data, dict):
        raise BrokenFile(1, "not a JSON object")
    return ManifestDocument(file.path, project.link_target(file.path), data, json_lines(text))


def _broken(text: str, kind: str, line: int | None, message: str) -> BrokenFile:
    conflict = _CONFLICT.search(text)
    if conflict:
        return BrokenFile(text.count("\n", 0, conflict.start()) + 1, "unresolved merge conflict")
    return BrokenFile(line, f"not valid {kind}: {message}")


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
        """Read the parts of a key or of a header, and what ends it."""
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
    if token[:1] not in ("'", '"'):
        return token
    if token[0] == '"' and "\\" in token:
        try:
            return str(json.loads(token))
        except ValueError:  # an escape that TOML has and JSON has not
            return token[1:-1]
    return token[1:-1]
