"""Jupyter notebooks: the code of their cells as Python, and their strings as lines of text.

Each line keeps the line of the file and the cell that it comes from.
"""

import ast
import json
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from scanagg.model import NotExamined, Reason
from scanagg.project.python_code import is_python, is_script

SUFFIX: Final = ".ipynb"
"""The suffix of notebooks."""

_JSON_TOKEN: Final = re.compile(r'[\s,:]*(?:(?P<bracket>[{}\[\]])|(?P<quote>")|[^\s,:{}\[\]"]+|$)')
_CELL: Final = re.compile(r"/cells/(\d+)/")
_SOURCE: Final = re.compile(r"/cells/\d+/source(?:/\d+)?")
# The strings of one text: of a cell, or of an output. Those of a traceback are lines.
_JOINED: Final = re.compile(r"/cells/\d+/(?:source|outputs/\d+/(?:text|data/[^/]+))/\d+")
_MOST_NESTED: Final = 50
# Digests and ids that Jupyter and its hosts write themselves, and pictures in base64: the ends of
# their paths, and their values.
_GENERATED: Final = tuple(
    (re.compile(rf"(?:{path})\Z"), re.compile(value))
    for path, value in (
        (r"^/metadata/(?:vscode/)?interpreter/hash", "[0-9a-f]{64}"),
        (
            r"/(?:id|nbformat_id|cell_id|execution_id|outputId)",
            "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}|[A-Za-z0-9_-]{12}",
        ),
        (
            r"/(?:image~1(?:png|jpeg|gif)|png|jpeg)(?:/\d{1,9})?",
            r"(?:iVBORw0KGgo|/9j/|R0lGOD)[\w+/=\s]*",
        ),
    )
)
# The path of a string has no more of a key.
_KEY_WIDTH: Final = 80

# Cells and lines of IPython. These magics run Python, in this process or another.
_CELL_MAGIC: Final = re.compile(r"\s*%%(\w+)([^\n]*)")
_PYTHON_CELLS: Final = frozenset(
    (
        *("time", "timeit", "capture", "prun", "debug", "memit", "mprun"),
        *("python", "python2", "python3", "pypy", "px", "autopx", "async_run"),
    )
)
# These run, show or store something else, `script` and `writefile` whatever their arguments name.
_OTHER_CELLS: Final = frozenset(
    (
        *("bash", "sh", "script", "cmd", "powershell", "perl", "ruby", "R", "Rmagic", "julia"),
        *("sql", "bigquery", "javascript", "js", "html", "HTML", "svg", "SVG", "latex"),
        *("markdown", "writefile", "file"),
    )
)
# Kernels of other languages, by the names that their installers choose.
_OTHER_KERNEL: Final = re.compile(
    r"ir(?:kernel)?\d*|(?:conda-env-.*|conda-root)-r|julia\b.*|i?bash|i?javascript|jslab|tslab|deno"
    r"|i?nodejs|i?typescript|xcpp\d*|xc\d*|cling.*|root|c|octave|matlab|xeus-octave|scala.*|almond"
    r"|rust|evcxr|gophernotes|gonb|i?ruby\d*|i?perl\d*|raku|jupyter-php|stata|nbstata|sas"
    r"|xsql(?:ite)?|sql|java|ijava|rapaio.*|kotlin|groovy|clojure|clojupyter|i?haskell|ocaml.*"
    r"|\.net-(?:csharp|fsharp|powershell)|powershell|lua|xlua|maxima|gap.*|singular|lfortran|coq"
    r"|wolframlanguage.*|elixir|ielixir|prolog_kernel|racket|swift|zig",
    re.IGNORECASE,
)
_STATEMENT_MAGIC: Final = re.compile(
    r"(?P<indent>\s*)%(?:time|timeit|prun|memit|mprun)\b(?:\s+-\w+(?:\s+\d+)?)*\s+(?P<code>\S.*)"
)
_WORD: Final = re.compile(r"\S+")
# An option of a magic, or its value: no code that does anything.
_OPTION: Final = re.compile(r"[\w./:,=+-]+")
_MOST_OPTIONS: Final = 12
_LONGEST_ARGUMENTS: Final = 1000
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
    notebook = _document(text, unique_keys=True)
    kernel, language = _other_language(notebook)
    in_other_language = NotExamined(
        path, Reason("notebook-language", {"language": language}), on_purpose=kernel
    )
    if kernel:
        return NotebookCode(gaps=(in_other_language,))
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
            gap = replace(python, input=f"{path}, cell {number}")
            gaps.append(in_other_language if language and not gap.on_purpose else gap)
        else:
            both = zip(python, of_cell, strict=True)
            lines += [replace(line, text=statement) for statement, line in both]
    header = [CellLine(comment, 1) for comment in _HEADER] if lines else []
    return NotebookCode((*header, *lines), tuple(dict.fromkeys(gaps)))


def strings(text: str) -> tuple[CellLine, ...]:
    """Return all strings of a notebook, with their escapes undone, as lines of text.

    ValueError if it is not valid. Ids and digests that Jupyter writes are left out.
    """
    _document(text)
    return tuple(_lines(item for item in _texts(text) if not _is_generated(item)))


def _is_generated(item: _Text) -> bool:
    return any(path.search(item.path) and value.fullmatch(item.value) for path, value in _GENERATED)


def _document(text: str, *, unique_keys: bool = False) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_object if unique_keys else None)
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


def _other_language(document: dict[str, Any]) -> tuple[bool, str]:
    """Return True if the kernel is one of another language, and the language; "" for Python.

    The metadata can name any language. Jupyter only looks at the name of the kernel, and starts
    Python if there is none. A user gives a kernel any name.
    """
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kernel, language = metadata.get("kernelspec"), metadata.get("language_info")
    kernel = kernel if isinstance(kernel, dict) else {}
    language = language if isinstance(language, dict) else {}
    name, *languages = (
        value.lower() if isinstance(value, str) else ""
        for value in (kernel.get("name"), kernel.get("language"), language.get("name"))
    )
    if any("python" in word or word.startswith("py") for word in (name, *languages)):
        return False, ""
    named = next((word for word in reversed(languages) if word), "")
    if _OTHER_KERNEL.fullmatch(name):
        return True, named or name
    return False, named


class _Open:
    """An open list or object of JSON: its path, the next index of a list, the key of an object."""

    def __init__(self, path: str, *, is_list: bool) -> None:
        """Start before the first item."""
        self.path = path
        self.index = 0 if is_list else -1
        self.key: str | None = None

    def place(self) -> str:
        """Return the path of the item, a JSON Pointer as in RFC 6901."""
        name = str(self.index) if self.key is None else self.key[:_KEY_WIDTH]
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
                    place = start if pending else item.file_line
                    yield _cell_line(item, "".join(pending), place, cell_line)
                    pending = []
                if piece:
                    start = start if pending else item.file_line
                    pending.append(piece)
        if item and pending:
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
    in_other_language = False
    if magic:
        name, arguments = magic[1], magic[2].strip()
        reason = Reason("notebook-magic", {"magic": f"%%{name}"})
        runs_python = name in _PYTHON_CELLS
        in_other_language = name in _OTHER_CELLS and not _names_python(
            name, arguments, lines[first + 1 :]
        )
        statement = _statement(arguments) if runs_python else ""
        if statement is None or not (runs_python or name in _OTHER_CELLS):
            return NotExamined("", reason)
        lines = [*lines]
        lines[first] = statement or f"#{lines[first]}"
    # With an alias, a magic of any name runs Python.
    python = _as_python(lines, lines[first])
    if python is not None:
        return python
    if magic and in_other_language:
        return NotExamined("", reason, on_purpose=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return NotExamined("", Reason("python-syntax-error", {"python": f"Python {version}"}))


def _as_python(lines: list[str], first: str) -> list[str] | None:
    """Return the lines of a cell as Python; None if they are not. `first` is its first line."""
    if _parses(lines):
        return lines
    # IPython takes the indentation of the first line from all lines.
    indent = first[: -len(first.lstrip())] if first.strip() else ""
    plain = [_without_magic(line.removeprefix(indent)) for line in lines]
    return plain if _parses(plain) else None


def _names_python(name: str, arguments: str, body: list[str]) -> bool:
    """Return True for a magic that gives its cell to Python, or writes it to a file of Python."""
    if name == "script":
        return is_script(f"#! {arguments}".encode("utf-8", "replace"))
    if name in ("writefile", "file"):
        head = "\n".join(body).encode("utf-8", "replace")
        return any(is_python(word.strip("'\""), head) for word in arguments.split())
    return False


def _statement(arguments: str) -> str | None:
    """Return the statement in the arguments of a magic, such as the setup of `%%timeit`.

    Empty if there is none, None if it may be one that cannot be read. Options and their values can
    stand before it.
    """
    if len(arguments) > _LONGEST_ARGUMENTS:
        return None
    for word in islice(_WORD.finditer(arguments), _MOST_OPTIONS):
        statement = arguments[word.start() :]
        if _parses([statement]):
            return statement
        if not _OPTION.fullmatch(word[0]):
            return None
    return None if arguments else ""


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
