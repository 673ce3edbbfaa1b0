"""Where each value of a TOML or JSON text stands, which their parsers do not tell.

Both functions expect a text that its parser has accepted; of any other they give some lines and
no error.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

Keys = tuple[str | int, ...]

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


def toml_lines(text: str) -> Mapping[Keys, int]:
    """The line (from 1) of every key, table header and array item of a TOML text, by its path.

    The path is that of the parsed value: keys of tables, positions in arrays.
    """
    walk = _TomlWalk()
    for match in _TOML_TOKEN.finditer(text.replace("\r\n", "\n")):
        kind, token = match.lastgroup, match.group()
        if kind == "mark":
            walk.mark(token)
        elif kind != "comment":
            walk.value(token)
            walk.line += token.count("\n")
    return walk.found


def json_lines(text: str) -> Mapping[Keys, int]:
    """The line (from 1) of every key of every JSON object that is not inside an array."""
    found: dict[Keys, int] = {}
    path: list[str] = []
    last, line = "", 1
    for match in _JSON_TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token == ":":
            path[-1:] = [_unquoted(last)]
            found[tuple(path)] = line
        elif token in ("{", "["):
            path.append("")
        elif token in ("}", "]"):
            del path[-1:]
        else:
            last = token
    return found


class _State(Enum):
    KEY = auto()
    HEADER = auto()
    AFTER_HEADER = auto()
    VALUE = auto()


@dataclass(slots=True)
class _Frame:
    """An open container: its path, and the position inside where it is an array."""

    path: Keys
    index: int | None = None


@dataclass(slots=True)
class _TomlWalk:
    """The state of the walk over one TOML text. `stack[0]` is the table that lines belong to."""

    found: dict[Keys, int] = field(default_factory=dict)
    line: int = 1
    state: _State = _State.KEY
    keys: tuple[str, ...] = ()
    stack: list[_Frame] = field(default_factory=lambda: [_Frame(())])
    counts: dict[Keys, int] = field(default_factory=dict)
    in_array_of_tables: bool = False

    def value(self, token: str) -> None:
        """Take a word or a string: a part of a key, or of a value."""
        if self.state is _State.VALUE:
            self._record(self._here())
        else:
            self.keys += (_unquoted(token),)

    def mark(self, token: str) -> None:
        """Take a bracket, a brace, a comma, an equals sign or the end of a line."""
        if token == "\n":
            self._end_line()
        elif token == "=":
            self._equals()
        elif token == ",":
            self._comma()
        elif token == "[":
            self._open_bracket()
        elif token == "]":
            self._close_bracket()
        elif token == "{":
            self._record(self._here())
            self.stack.append(_Frame(self._here()))
            self.state, self.keys = _State.KEY, ()
        else:
            self._close()

    def _here(self) -> Keys:
        top = self.stack[-1]
        return (*top.path, top.index) if top.index is not None else (*top.path, *self.keys)

    def _record(self, path: Keys) -> None:
        self.found.setdefault(path, self.line)

    def _end_line(self) -> None:
        self.line += 1
        if len(self.stack) == 1:
            self.state, self.keys = _State.KEY, ()

    def _equals(self) -> None:
        if self.state is _State.KEY:
            for count in range(1, len(self.keys) + 1):
                self._record((*self.stack[-1].path, *self.keys[:count]))
            self.state = _State.VALUE

    def _comma(self) -> None:
        top = self.stack[-1]
        if top.index is not None:
            top.index += 1
        else:
            self.state, self.keys = _State.KEY, ()

    def _open_bracket(self) -> None:
        if self.state is _State.VALUE:
            self._record(self._here())
            self.stack.append(_Frame(self._here(), 0))
        else:
            self.in_array_of_tables = self.state is _State.HEADER
            self.state = _State.HEADER

    def _close_bracket(self) -> None:
        if self.state is _State.HEADER:
            self.stack[0] = _Frame(self._open_table())
            self.state, self.keys = _State.AFTER_HEADER, ()
        elif self.state is _State.VALUE:
            self._close()

    def _close(self) -> None:
        if len(self.stack) > 1:
            self.stack.pop()
        self.state = _State.VALUE

    def _open_table(self) -> Keys:
        """The path that a header's keys mean, with positions for arrays of tables; recorded."""
        path: Keys = ()
        for position, key in enumerate(self.keys, start=1):
            path = (*path, key)
            self._record(path)
            if position == len(self.keys) and self.in_array_of_tables:
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
                self._record(path)
        return path


def _unquoted(token: str) -> str:
    if token[:1] not in ("'", '"'):
        return token
    if token[0] == '"' and "\\" in token:
        try:
            return str(json.loads(token))
        except ValueError:  # an escape that TOML has and JSON has not
            return token[1:-1]
    return token[1:-1]
