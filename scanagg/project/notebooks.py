"""Jupyter notebooks: the code of their cells as Python, and their strings as lines of text.

Each line keeps the line of the file and the cell that it comes from.
"""

import ast
import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from scanagg.model import NotExamined, Reason

SUFFIX: Final = ".ipynb"
"""The suffix of notebooks."""

_JSON_TOKEN: Final = re.compile(r'[\s,:]*(?:(?P<bracket>[{}\[\]])|(?P<quote>")|[^\s,:{}\[\]"]+|$)')
_CELL: Final = re.compile(r"/cells/(\d+)/")
_SOURCE: Final = re.compile(r"/cells/\d+/source(?:/\d+)?")
# The strings of one text: of a cell, or of an output. Those of a traceback are lines.
_JOINED: Final = re.compile(r"/cells/\d+/(?:source|outputs/\d+/(?:text|data/[^/]+))/\d+")
_MOST_NESTED: Final = 50
# Digests and ids that Jupyter and its hosts write themselves, and pictures in base64.
_GENERATED: Final = re.compile(
    r"/metadata/(?:vscode/)?interpreter/hash=[0-9a-f]{64}"
    r"|.*/(?:id|nbformat_id|cell_id|execution_id|outputId)="
    r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}|[A-Za-z0-9_-]{12})"
    r"|.*/(?:image~1(?:png|jpeg|gif)|png|jpeg)(?:/\d+)?=(?:iVBORw0KGgo|/9j/|R0lGOD)[\w+/=\s]*",
    re.DOTALL,
)

# Cells and lines of IPython. These magics run Python, in this process or another.
_CELL_MAGIC: Final = re.compile(r"\s*%%(\w+)([^\n]*)")
_PYTHON_CELLS: Final = frozenset(
    (
        *("time", "timeit", "capture", "prun", "debug", "memit", "mprun"),
        *("python", "python3", "pypy", "px", "autopx", "async_run"),
    )
)
# These run, show or store something else.
_OTHER_CELLS: Final = frozenset(
    (
        *("bash", "sh", "script", "cmd", "powershell", "perl", "ruby", "R", "Rmagic", "julia"),
        *("sql", "bigquery", "javascript", "js", "html", "HTML", "svg", "SVG", "latex"),
        *("markdown", "writefile", "file"),
    )
)
_STARTS_PYTHON: Final = re.compile(r"(?:^|[\s/])(?:i?python|pypy|uv|pipx)[\w.]*(?:\s|$)")
_STATEMENT_MAGIC: Final = re.compile(
    r"(?P<indent>\s*)%(?:time|timeit|prun|memit|mprun)\b(?:\s+-\w+(?:\s+\d+)?)*\s+(?P<code>\S.*)"
)
_LINE_MAGIC: Final = re.compile(r"(?P<indent>\s*)(?P<rest>[%!?].*|[\w.%]+\?{1,2}\s*)")
_ASSIGNED_MAGIC: Final = re.compile(r"(?P<left>[\w.,\s\[\]'\"]+=\s*)(?P<rest>[%!].*)")
# No comment of a cell declares an encoding, which Python looks for in the first two lines.
_HEADER: Final = ("# The code cells of a notebook.", "#")
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")


class CellLine(msgspec.Struct, frozen=True):
    """A line of text, the line of the file that has it, and its cell and line there, from 1.

    A line of no cell has none.
    """

    text: str
    file_line: int
    cell: int | None = None
    cell_line: int | None = None


class NotebookCode(msgspec.Struct, frozen=True):
    """The code of a notebook as the lines of one Python file, and the cells that are left out."""

    lines: tuple[CellLine, ...] = ()
    gaps: tuple[NotExamined, ...] = ()


class _Text(msgspec.Struct, frozen=True):
    """A string of the JSON: its path ("/cells/0/source/1"), its value, and its line.

    `key` is the name of a value of an object, else "".
    """

    path: str
    key: str
    value: str
    file_line: int


def code_cells(text: str, path: str) -> NotebookCode:
    """Return the code cells of the notebook at `path`. ValueError if it is not valid.

    A cell of another language is left out. Lines that only IPython understands are comments.
    """
    notebook = _document(text)
    if language := _other_language(notebook):
        reason = Reason("notebook-language", {"language": language})
        return NotebookCode(gaps=(NotExamined(path, reason, on_purpose=True),))
    kinds = {
        number: cell.get("cell_type")
        for number, cell in enumerate(notebook["cells"], start=1)
        if isinstance(cell, dict)
    }
    source = (item for item in _texts(text) if _SOURCE.fullmatch(item.path))
    code = [line for line in _lines(source) if kinds.get(line.cell or 0) == "code"]
    lines: list[CellLine] = []
    gaps = []
    for number, cell in groupby(code, lambda line: line.cell):
        of_cell = list(cell)
        python = _cell_code([line.text for line in of_cell])
        if isinstance(python, NotExamined):
            gaps.append(replace(python, input=f"{path}, cell {number}"))
        else:
            both = zip(python, of_cell, strict=True)
            lines += [replace(line, text=statement) for statement, line in both]
    header = [CellLine(comment, 1) for comment in _HEADER] if lines else []
    return NotebookCode((*header, *lines), tuple(gaps))


def strings(text: str) -> tuple[CellLine, ...]:
    """Return all strings of a notebook, with their escapes undone, as lines of text.

    ValueError if it is not valid. Ids and digests that Jupyter writes are left out.
    """
    _document(text)
    shown = (item for item in _texts(text) if not _GENERATED.fullmatch(f"{item.path}={item.value}"))
    return tuple(_lines(shown))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise ValueError("it has no list of cells")
    if "worksheets" in document:
        raise ValueError("its format is older than version 4")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. ValueError for two equal keys: Jupyter sees only the second value."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("it has a key twice")
    return document


def _other_language(document: dict[str, Any]) -> str | None:
    """Return the language in the metadata, unless that names Python or nothing.

    The name of a kernel is that of an environment, so it counts only together with a language.
    """
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kernel, language = metadata.get("kernelspec"), metadata.get("language_info")
    kernel = kernel if isinstance(kernel, dict) else {}
    language = language if isinstance(language, dict) else {}
    words = [kernel.get("language"), language.get("name")]
    named = [word.lower() for word in words if isinstance(word, str) and word]
    is_python = any(
        "python" in word or word.startswith("py")
        for word in (*named, str(kernel.get("name")).lower())
    )
    return None if is_python or not named else named[-1]


class _Open:
    """An open list or object of JSON: its path, the next index of a list, the key of an object."""

    def __init__(self, path: str, *, is_list: bool) -> None:
        """Start before the first item."""
        self.path = path
        self.index = 0 if is_list else -1
        self.key: str | None = None

    def place(self) -> str:
        """Return the path of the item, a JSON Pointer as in RFC 6901."""
        name = str(self.index) if self.key is None else self.key
        return f"{self.path}/{name.replace('~', '~0').replace('/', '~1')}"

    def step(self) -> None:
        """Go to the next item."""
        self.index += self.index >= 0
        self.key = None


def _texts(text: str) -> Iterator[_Text]:
    """Yield all strings of a valid JSON text that are not keys."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    string = json.JSONDecoder()
    # The innermost is last. The first one stands for the text as a whole.
    stack = [_Open("", is_list=True)]
    position, line, counted = 0, 1, 0
    while position < len(text):
        token = _JSON_TOKEN.match(text, position)
        if token is None:  # valid JSON has no other characters
            raise ValueError("it is not valid JSON")
        position = token.end()
        bracket, inner = token["bracket"], stack[-1]
        if bracket and bracket in "}]":
            stack.pop()
            stack[-1].step()
        elif bracket:
            if len(stack) > _MOST_NESTED:
                raise ValueError("it is nested too deeply")
            path = inner.place() if len(stack) > 1 else ""
            stack.append(_Open(path, is_list=bracket == "["))
        elif token["quote"]:
            start = position - 1
            value, position = string.raw_decode(text, start)
            if inner.index < 0 and inner.key is None:
                inner.key = value
                continue
            line += text.count("\n", counted, start)
            counted = start
            yield _Text(inner.place(), inner.key or "", value, line)
            inner.step()
        elif token.group().strip(" \t\n,:"):
            inner.step()


def _lines(texts: Iterable[_Text]) -> Iterator[CellLine]:
    """Yield the lines of strings. Jupyter stores a text as a list of strings, and joins them."""
    for _, items in groupby(texts, _joined_path):
        pending: list[str] = []
        start = cell_line = 0
        item = None
        for item in items:
            value = item.value
            is_pair = item.key and not _SOURCE.fullmatch(item.path)
            if is_pair and not _LINE_ENDS.search(value):
                value = f'{json.dumps(item.key, ensure_ascii=False)}: "{value}"'
            for index, piece in enumerate(_LINE_ENDS.split(value)):
                if index:
                    cell_line += 1
                    yield _cell_line(item, "".join(pending), start, cell_line)
                    pending = []
                start = start if any(pending) else item.file_line
                pending.append(piece)
        if item and any(pending):
            yield _cell_line(item, "".join(pending), start, cell_line + 1)


def _joined_path(text: _Text) -> str:
    """Return the path of the text that a string is a part of."""
    return text.path.rpartition("/")[0] if _JOINED.fullmatch(text.path) else text.path


def _cell_line(item: _Text, text: str, file_line: int, cell_line: int) -> CellLine:
    cell = _CELL.match(item.path)
    in_source = _SOURCE.fullmatch(item.path)
    return CellLine(
        text, file_line, int(cell[1]) + 1 if cell else None, cell_line if in_source else None
    )


def _cell_code(lines: list[str]) -> list[str] | NotExamined:
    """Return the code of a cell as Python, or the gap, without its input, if it is left out."""
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL_MAGIC.match(lines[first])
    if magic:
        name, rest = magic[1], magic[2].strip()
        writes_python = name in ("writefile", "file") and rest.endswith((".py", ".pyw"))
        starts_python = name == "script" and _STARTS_PYTHON.search(rest)
        if name in _PYTHON_CELLS or writes_python or starts_python:
            # A statement after the name of the magic is code, such as the setup of %%timeit.
            statement = re.sub(r"^(?:-\w+\s+(?:\d+\s+)?)*", "", rest)
            lines = [*lines]
            is_code = name in _PYTHON_CELLS and statement and _parses([statement])
            lines[first] = statement if is_code else f"#{lines[first]}"
        else:
            reason = Reason("notebook-magic", {"magic": f"%%{name}"})
            return NotExamined("", reason, on_purpose=name in _OTHER_CELLS)
    if _parses(lines):
        return lines
    # IPython takes the indentation of the first line from all lines.
    indent = lines[first][: -len(lines[first].lstrip())] if lines[first].strip() else ""
    plain = [_without_magic(line.removeprefix(indent)) for line in lines]
    if _parses(plain):
        return plain
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return NotExamined("", Reason("python-syntax-error", {"python": f"Python {version}"}))


def _without_magic(line: str) -> str:
    """Return a line of IPython as Python: the statement of a magic, else a comment."""
    if statement := _STATEMENT_MAGIC.fullmatch(line):
        return statement["indent"] + statement["code"]
    if magic := _LINE_MAGIC.fullmatch(line):
        return f"{magic['indent']}pass  # {magic['rest']}"
    if magic := _ASSIGNED_MAGIC.fullmatch(line):
        return f"{magic['left']}None  # {magic['rest']}"
    return line


def _parses(lines: list[str]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("\n".join((*_HEADER, *lines)) + "\n")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
