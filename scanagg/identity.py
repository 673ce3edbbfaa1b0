"""Fingerprints: who a finding is across runs, without lines, severity, wording or scanner."""

import ast
import hashlib
import hmac
import re
import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from scanagg.model import Category, Location, Observation, purl_without_version
from scanagg.redact import Redactor
from scanagg.sources import Sources

_VERSION: Final = "v1"
_SEPARATOR: Final = "\x1f"
_CACHED_FILES: Final = 64

# Rules that a scanner renamed keep their first identity. Bandit 1.7.1 took the hashes of B303
# into B324, https://bandit.readthedocs.io/en/latest/plugins/b324_hashlib.html
_RENAMED: Final = {"B303": "B324"}

_TOKEN: Final = re.compile(
    r"""(?P<string>[rRbBuUfF]{0,3}(?:
            \"\"\"(?:\\.|[^\\])*?\"\"\" | '''(?:\\.|[^\\])*?''' |
            "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'))
      | (?P<comment>\#[^\n]*)
      | (?P<word>\w+)
      | (?P<other>[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_STRING: Final = re.compile(r"(?P<prefix>\w*)(?P<quote>\"\"\"|'''|\"|')(?P<body>.*)", re.DOTALL)
# What a formatter may add, drop or move.
_LAYOUT: Final = frozenset(",()\\")


class Parts(NamedTuple):
    """What a fingerprint is made of. Findings with equal parts are told apart by an ordinal."""

    category: str
    rule: str
    path: str
    qualname: str
    statement: str

    def fingerprint(self, ordinal: int) -> str:
        """sha256 in hex over the parts and the place among equals, counted from 0."""
        fields = (_VERSION, *self, str(ordinal))
        return hashlib.sha256(_SEPARATOR.join(fields).encode("utf-8", "replace")).hexdigest()


class Identity:
    """Computes parts for the observations of one target.

    `prefix` leads from the repository's root to the target. `key` is the project's own secret for
    the digests of secrets; without one a secret is known by its place alone.
    """

    def __init__(
        self, sources: Sources, redactor: Redactor, prefix: str = "", key: str | None = None
    ) -> None:
        """Nothing is read yet."""
        self._sources = sources
        self._redactor = redactor
        self._prefix = prefix
        self._key = key.encode() if key else None
        self._outline = lru_cache(maxsize=_CACHED_FILES)(self._read_outline)

    def parts(self, observation: Observation) -> Parts:
        """The parts of the finding that `observation` leads."""
        category = observation.category
        if category is Category.VULNERABILITY and observation.advisory:
            return self._of_package(observation, observation.advisory.id)
        if category is Category.LICENSE and observation.license:
            facts = observation.license
            return self._of_package(
                observation, facts.expression or facts.text or "; ".join(facts.classifiers)
            )
        path = self._path(observation.location)
        if category is Category.SECRET:
            statement = self._masked(observation.location) + self._digest(observation)
            return Parts(category.value, "", path, self._qualname(observation.location), statement)
        rule = _RENAMED.get(observation.rule.id, observation.rule.id)
        if category is Category.MISCONFIGURATION:
            return Parts(category.value, rule, path, "", observation.resource)
        qualname, statement = self._place(observation.location)
        return Parts(category.value, rule, path, qualname, statement)

    def _of_package(self, observation: Observation, what: str) -> Parts:
        purl = purl_without_version(observation.package.purl) if observation.package else ""
        return Parts(observation.category.value, what, purl, "", "")

    def _path(self, location: Location | None) -> str:
        return unicodedata.normalize("NFC", self._prefix + location.path) if location else ""

    def _qualname(self, location: Location | None) -> str:
        return self._place(location)[0]

    def _masked(self, location: Location | None) -> str:
        """The flagged line without white space and without the secret."""
        if location is None or location.start_line is None:
            return ""
        line = self._sources.line(location.path, location.start_line) or ""
        return "".join(self._redactor.line(location.path, location.start_line, line).split())

    def _digest(self, observation: Observation) -> str:
        """HMAC of the scanner's digest under the project's key: never a hash one could look up."""
        digest = observation.secret.digest if observation.secret else None
        if not digest or not self._key:
            return ""
        return hmac.new(self._key, digest.encode(), "sha256").hexdigest()[:12]

    def _place(self, location: Location | None) -> tuple[str, str]:
        """Qualified name and statement hash; the line without white space where there is none."""
        if location is None or location.start_line is None:
            return "", ""
        outline = self._outline(location.path) if location.path.endswith((".py", ".pyw")) else None
        found = outline.at(location.start_line) if outline else None
        if found:
            return found
        line = self._sources.line(location.path, location.start_line) or ""
        return "", "".join(line.split())

    def _read_outline(self, path: str) -> "Outline | None":
        return outline(self._sources.text(path))


_BLOCKS: Final = frozenset(("decorator_list", "body", "handlers", "orelse", "finalbody", "cases"))
_Inner = tuple[list[int], list[tuple[int, ast.AST, bool]]]


class Outline:
    """The statements of one Python file, found by line.

    Only the branches that are asked for are ever looked at: a file may have thousands of
    statements and one finding.
    """

    def __init__(self, lines: Sequence[bytes], tree: ast.Module) -> None:
        """`lines` as UTF-8, since the parser counts columns in bytes."""
        self._lines = lines
        self._tree = tree
        self._inner: dict[ast.AST, _Inner] = {}

    def at(self, line: int) -> tuple[str, str] | None:
        """Qualified name and token hash of the smallest statement over `line`, or None.

        Handlers, cases and decorators count as statements; of a compound one only the header does.
        """
        node: ast.AST = self._tree
        qualname = ""
        while True:
            found = self._child(node, line)
            if found is None:
                break
            child, is_decorator = found
            if not is_decorator:
                qualname = _inside(node, qualname)
            node = child
        if node is self._tree:
            return None
        return qualname, token_hash(self._text(node))

    def _child(self, node: ast.AST, line: int) -> tuple[ast.AST, bool] | None:
        """The part of `node` that the line is in, and whether it is a decorator."""
        inner = self._inner.get(node)
        if inner is None:
            if not _body(node):
                return None
            inner = self._inner[node] = _parts_of(node)
        firsts, parts = inner
        index = bisect_right(firsts, line) - 1
        if index < 0 or parts[index][0] < line:
            return None
        return parts[index][1:]

    def _text(self, node: ast.AST) -> str:
        """The source of a statement, or of its header."""
        first, start = _position(node)
        last, end = _end(node)
        body = _body(node)
        if body:
            last, end = _start(body[0])
            end = end if last == first else 0
        chosen = list(self._lines[first - 1 : last])
        if not chosen:
            return ""
        chosen[-1] = chosen[-1][:end]
        chosen[0] = chosen[0][start:]
        return b"\n".join(chosen).decode("utf-8", "replace")


def outline(text: str) -> Outline | None:
    """The outline of Python source, or None where this interpreter cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in the source is not our news
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    physical = text.replace("\r\n", "\n").replace("\r", "\n")
    return Outline(physical.encode("utf-8", "replace").split(b"\n"), tree)


def _inside(node: ast.AST, qualname: str) -> str:
    """The qualified name of what stands in the body of `node`."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return qualname
    return f"{qualname}.{node.name}" if qualname else node.name


def _parts_of(node: ast.AST) -> _Inner:
    """First lines, and last line, node and kind, of all that stands directly in `node`."""
    parts: list[tuple[int, int, ast.AST, bool]] = []
    for name in node._fields:
        if name in _BLOCKS:
            decorators = name == "decorator_list"
            parts += [
                (_start(child)[0], _end(child)[0], child, decorators)
                for child in getattr(node, name)
            ]
    parts.sort(key=itemgetter(0))
    return [part[0] for part in parts], [part[1:] for part in parts]


def _body(node: ast.AST) -> list[ast.AST]:
    """The first block of a compound statement; empty for any other."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    return body if isinstance(body, list) else []


def _position(node: ast.AST) -> tuple[int, int]:
    """Where a node itself begins; a case has no position of its own: its pattern has."""
    if isinstance(node, ast.match_case):
        node = node.pattern
    return int(getattr(node, "lineno", 1)), int(getattr(node, "col_offset", 0))


def _start(node: ast.AST) -> tuple[int, int]:
    """Where a node begins with its decorators."""
    decorators = getattr(node, "decorator_list", None)
    return _position(decorators[0] if decorators else node)


def _end(node: ast.AST) -> tuple[int, int]:
    if isinstance(node, ast.match_case):
        return _end(node.body[-1])
    return int(getattr(node, "end_lineno", 1)), int(getattr(node, "end_col_offset", 0))


@lru_cache(maxsize=8192)
def token_hash(text: str) -> str:
    """sha256 (16 hex digits) of the tokens of Python source, without what a formatter changes.

    Layout, comments, commas and round brackets are left out, quotes unified, an f-string is one
    token. The lexer is our own, so that every Python version gives the same answer.
    """
    tokens = (_token(match) for match in _TOKEN.finditer(text))
    joined = _SEPARATOR.join(token for token in tokens if token)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:16]


def _token(match: re.Match[str]) -> str:
    text = match.group()
    if match.lastgroup == "comment" or text in _LAYOUT:
        return ""
    if match.lastgroup == "string":
        return _unquoted(text)
    return text.lower() if text[0].isdigit() else text


def _unquoted(text: str) -> str:
    found = _STRING.fullmatch(text)
    if found is None:
        return text
    body = found["body"][: -len(found["quote"])]
    if "r" not in found["prefix"].lower():
        body = body.replace("\\'", "'").replace('\\"', '"')
    return found["prefix"].lower().replace("u", "") + '"' + body + '"'
