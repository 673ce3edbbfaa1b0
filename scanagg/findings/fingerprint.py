"""Fingerprints: who a finding is across runs, without lines, severity, wording or scanner."""

import ast
import hashlib
import hmac
import re
import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from scanagg.core.redact import MASK, Redactor
from scanagg.model import Category, Location, Observation, Parts, purl_without_version
from scanagg.model.advisories import LicenseFacts
from scanagg.project.sources import Sources

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
_MASKS: Final = re.compile(rf"(?:{re.escape(MASK)})+")
_KEYED_DIGITS: Final = 12
_NO_STATEMENT: Final = "0" * 16

_PYTHON: Final = (".py", ".pyw")
# What is longer is no name of a licence, but its text in the wrong field.
_LICENSE_NAME: Final = 200
# Far below what a Redactor shows of a line.
_LONG: Final = 500

HASH_DIGITS: Final = 16
"""How many hex digits of sha256 a statement has; what follows is the keyed digest of a secret."""


def fingerprint(parts: Parts, ordinal: int) -> str:
    """sha256 in hex over the parts and the place among equals, counted from 0."""
    fields = (_VERSION, *parts, str(ordinal))
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
            return self._of_package(observation, license_name(observation.license))
        path = self._path(observation.location)
        if category is Category.SECRET:
            qualname = self._place(observation.location)[0]
            statement = self._line(observation.location)
            return Parts(category.value, "", path, qualname, self._keyed(statement, observation))
        rule = _RENAMED.get(observation.rule.id, observation.rule.id)
        if category is Category.MISCONFIGURATION:
            resource = text_hash(observation.resource) or self._line(observation.location)
            return Parts(category.value, rule, path, "", self._keyed(resource, observation))
        qualname, statement = self._place(observation.location)
        return Parts(category.value, rule, path, qualname, self._keyed(statement, observation))

    def evidence(self, observation: Observation) -> str:
        """A digest of the secret that a finding is about or stands beside; "" where none is.

        It is the same however the lines are laid out, and another one where any part of the value
        changes. It is no safe thing to show: it stays in memory. What is code is known by all of
        its statement, a secret by itself, so that others in one list with it may change.
        """
        place = observation.location
        if place is None or place.start_line is None:
            return ""
        found = None if observation.category is Category.SECRET else self._found(place)
        if found:
            return text_hash(_tokens(found.text)) if self._covers(place.path, found.lines) else ""
        numbers = range(place.start_line, (place.last_line or place.start_line) + 1)
        if not self._covers(place.path, numbers):
            return ""
        return text_hash(_SEPARATOR.join(self._hidden(place.path, number) for number in numbers))

    def _covers(self, path: str, numbers: Iterable[int]) -> bool:
        return any(self._redactor.covers(path, number) for number in numbers)

    def _hidden(self, path: str, number: int) -> str:
        """The quoted values of a line that the mask takes away, else all that it takes, else all.

        The first does not depend on what else a formatter puts on the line.
        """
        line = self._sources.line(path, number) or ""
        bare = "".join(line.split())
        if len(line) > _LONG:  # the mask cuts off what is longer, and the value may be there
            return bare
        bodies = [found["body"][: -len(found["quote"])] for found in _quoted(line)]
        values = [body for body in bodies if self._redactor.line(path, number, body) != body]
        return (
            _SEPARATOR.join(values) or _taken(line, self._redactor.line(path, number, line)) or bare
        )

    def _of_package(self, observation: Observation, what: str) -> Parts:
        purl = purl_without_version(observation.package.purl) if observation.package else ""
        return Parts(observation.category.value, what, purl, "", "")

    def _path(self, location: Location | None) -> str:
        return unicodedata.normalize("NFC", self._prefix + location.path) if location else ""

    def _keyed(self, statement: str, observation: Observation) -> str:
        """The statement, with the HMAC of the evidence under the project's key, if both are there.

        Never a bare hash of a secret: one could look that up.
        """
        evidence = self.evidence(observation) if self._key else ""
        if not evidence or not self._key:
            return statement
        digest = hmac.new(self._key, evidence.encode(), "sha256").hexdigest()[:_KEYED_DIGITS]
        return (statement or _NO_STATEMENT) + digest

    def _line(self, location: Location | None) -> str:
        """The flagged line without its secrets, as a hash; "" where there is none."""
        if location is None or location.start_line is None:
            return ""
        path, number = location.path, location.start_line
        line = self._sources.line(path, number) or ""
        covered = self._redactor.covers(path, number)
        safe = self._redactor.line(path, number, line) if covered else self._redactor.text(line)
        return _line_hash(safe, path)

    def _place(self, location: Location | None) -> tuple[str, str]:
        """Qualified name and statement hash; that of the line where there is no statement.

        Of a statement with a secret in it no string counts: anyone could hash it with each word of
        a list in the secret's place, and compare.
        """
        found = self._found(location)
        if found is None or location is None:
            return "", self._line(location)
        if self._covers(location.path, found.lines):
            return found.qualname, _hash(_tokens(found.text, strings=False))
        return found.qualname, _hash(self._redactor.text(_tokens(found.text)))

    def _found(self, location: Location | None) -> "Statement | None":
        """The statement around a place, where its file can be parsed."""
        if location is None or location.start_line is None or not location.path.endswith(_PYTHON):
            return None
        known = self._outline(location.path)
        return known.at(location.start_line) if known else None

    def _read_outline(self, path: str) -> "Outline | None":
        return outline(self._sources.text(path))


def _quoted(line: str) -> Iterator[re.Match[str]]:
    """The strings of a line in quotes."""
    for token in _TOKEN.finditer(line):
        found = _STRING.fullmatch(token.group()) if token.lastgroup == "string" else None
        if found:
            yield found


def _taken(line: str, masked: str) -> str:
    """What stands in `line` where `masked` has a mask; "" where the two do not fit together."""
    left, *rest = _MASKS.split(masked)
    if not rest or not line.startswith(left) or not line.endswith(rest[-1]):
        return ""
    taken: list[str] = []
    at = len(left)
    for piece in rest[:-1]:
        found = line.find(piece, at)
        if found < 0:
            return ""
        taken.append(line[at:found].strip())
        at = found + len(piece)
    return _SEPARATOR.join((*taken, line[at : len(line) - len(rest[-1])].strip()))


_BLOCKS: Final = frozenset(("decorator_list", "body", "handlers", "orelse", "finalbody", "cases"))
_Inner = tuple[list[int], list[tuple[int, ast.AST, bool]]]


class Statement(NamedTuple):
    """A statement, or the header of a compound one: where it stands, its text and its lines."""

    qualname: str
    text: str
    lines: range


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
        self._last: tuple[int, Statement | None] = (0, None)

    def at(self, line: int) -> Statement | None:
        """The smallest statement over `line`, or None.

        Handlers, cases and decorators count as statements; of a compound one only the header does.
        """
        if self._last[0] != line:  # the same one is asked for several times in a row
            self._last = (line, self._find(line))
        return self._last[1]

    def _find(self, line: int) -> Statement | None:
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
        return self._statement(qualname, node)

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

    def _statement(self, qualname: str, node: ast.AST) -> Statement:
        """The source of a statement, or of its header."""
        first, start = _position(node)
        last, end = _end(node)
        body = _body(node)
        if body:
            last, end = _start(body[0])
            end = end if last == first else 0
        chosen = list(self._lines[first - 1 : last])
        if chosen:
            chosen[-1] = chosen[-1][:end]
            chosen[0] = chosen[0][start:]
        text = b"\n".join(chosen).decode("utf-8", "replace")
        return Statement(qualname, text, range(first, last + 1))


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


def license_name(facts: LicenseFacts) -> str:
    """What a licence is known by: what the metadata says, or the hash of a whole text in it."""
    return facts.stated if len(facts.stated) <= _LICENSE_NAME else text_hash(facts.stated)


def text_hash(text: str) -> str:
    """A short sha256 of a text; "" for the empty one."""
    return _hash(text) if text else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:HASH_DIGITS]


def _line_hash(line: str, path: str) -> str:
    """A line as a hash: by its tokens where it is Python, else without its white space."""
    bare = "".join(line.split())
    if path.endswith(_PYTHON) and not bare.startswith("#"):
        return token_hash(line) if bare else ""
    return text_hash(bare)


def token_hash(text: str) -> str:
    """sha256 (16 hex digits) of the tokens of Python source, without what a formatter changes.

    Layout, comments, commas and round brackets are left out, quotes unified, an f-string is one
    token. The lexer is our own, so that every Python version gives the same answer.
    """
    return _hash(_tokens(text))


@lru_cache(maxsize=8192)
def _tokens(text: str, *, strings: bool = True) -> str:
    """The tokens of Python source in a row; all strings alike where `strings` do not count."""
    tokens = (_token(match, strings) for match in _TOKEN.finditer(text))
    return _SEPARATOR.join(token for token in tokens if token)


def _token(match: re.Match[str], strings: bool) -> str:
    text = match.group()
    if match.lastgroup == "comment" or text in _LAYOUT:
        return ""
    if match.lastgroup == "string":
        return _unquoted(text) if strings else MASK
    return text.lower() if text[0].isdigit() else text


def _unquoted(text: str) -> str:
    found = _STRING.fullmatch(text)
    if found is None:
        return text
    body = found["body"][: -len(found["quote"])]
    if "r" not in found["prefix"].lower():
        body = body.replace("\\'", "'").replace('\\"', '"')
    return found["prefix"].lower().replace("u", "") + '"' + body + '"'
