"""Fingerprints: the identity of a finding across runs, without lines, severity or scanner."""

import ast
import hashlib
import hmac
import re
import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.core.masks import MASK
from scanagg.core.redact import Redactor, mask_known
from scanagg.model import Category, Location, Observation, Parts, purl_without_version
from scanagg.model.advisories import LicenseFacts
from scanagg.project.sources import Sources
from scanagg.scanners.base import scanner_info

_VERSION: Final = "v1"
_SEPARATOR: Final = "\x1f"
_CACHED_FILES: Final = 64

_TOKEN: Final = re.compile(
    r"""(?P<string>[rRbBuUfF]{0,3}(?:
            \"\"\"(?:\\.|[^\\])*?\"\"\" | '''(?:\\.|[^\\])*?''' |
            "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'))
      | (?P<comment>\#[^\n]*)
      | (?P<word>\w+)
      | (?P<other>[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_STRING: Final = re.compile(
    r"(?P<prefix>\w*)(?P<quote>\"\"\"|'''|\"|')(?P<body>.*)(?P=quote)", re.DOTALL
)
# Characters that a formatter may add, drop or move.
_LAYOUT: Final = frozenset(",()\\")
_MASKS: Final = re.compile(rf"(?:{re.escape(MASK)})+")
_KEYED_DIGITS: Final = 12
_NO_STATEMENT: Final = "0" * 16

_PYTHON: Final = (".py", ".pyw")
# A longer name is the text of a licence in the wrong field.
_LICENSE_NAME: Final = 200
# Much shorter than the part of a line that a Redactor shows.
_LONG: Final = 500

HASH_DIGITS: Final = 16
"""The number of hex digits of a statement's hash. The keyed digest of a secret comes after it."""


def fingerprint(parts: Parts, ordinal: int) -> str:
    """Return the sha256 in hex of the parts and the ordinal among equal parts, from 0."""
    fields = (_VERSION, *parts, str(ordinal))
    return hashlib.sha256(_SEPARATOR.join(fields).encode("utf-8", "replace")).hexdigest()


class Identity:
    """The computation of the parts of findings in one target.

    `prefix` leads from the repository's root to the target. `key` is the project's key for digests
    of secrets. Without a key, a secret is recognised only by its place.
    """

    def __init__(
        self, sources: Sources, redactor: Redactor, prefix: str = "", key: str | None = None
    ) -> None:
        """Read no file until it is needed."""
        self.sources = sources
        self.redactor = redactor
        self._prefix = prefix
        self._key = key.encode() if key else None
        self._outline = lru_cache(maxsize=_CACHED_FILES)(
            lambda path: outline(sources.file(path).text)
        )

    def parts(self, observation: Observation, group: Iterable[Observation] = ()) -> Parts:
        """Return the parts of the finding that `observation` leads, with all its witnesses."""
        category, location = observation.category, observation.location
        package, advisory, facts = observation.package, observation.advisory, observation.license
        names = {
            Category.VULNERABILITY: advisory.id if advisory else None,
            Category.LICENSE: license_name(facts) if facts else None,
        }
        name = names.get(category)
        if package and name is not None:
            return Parts(category.value, name, purl_without_version(package.purl), "", "")
        path = unicodedata.normalize("NFC", self._prefix + location.path) if location else ""
        renamed = scanner_info(observation.scanner).renamed_rules
        rule = renamed.get(observation.rule.id, observation.rule.id)
        qualname = ""
        if category is Category.MISCONFIGURATION:
            statement = text_hash(observation.resource) or self._line(location)
        else:
            qualname, statement = self._place(location)
        if category is Category.SECRET:
            rule, statement = "", self._line(location)
        # Add the HMAC of a secret if there is a key. A plain hash of it could be looked up.
        if self._key and (evidence := self.evidence(observation, group)):
            digest = hmac.new(self._key, evidence.encode(), "sha256").hexdigest()[:_KEYED_DIGITS]
            statement = (statement or _NO_STATEMENT) + digest
        return Parts(category.value, rule, path, qualname, statement)

    def evidence(self, observation: Observation, group: Iterable[Observation] = ()) -> str:
        """Return a digest of the secret in a finding or next to it; "" without one.

        It changes with any part of the value, and not with the layout of lines. It must stay in
        memory. For code it is a digest of the whole statement. For a secret it is a digest of the
        value only, so that other values in the same list can change. It includes the lines of
        witnesses in the `group` that may have another value.
        """
        location = observation.location
        if location is None or location.start_line is None:
            return ""
        statement = None
        if observation.category is not Category.SECRET:
            statement = self._statement(location)
        if statement:
            covered = self._covers(location.path, statement.lines)
            return text_hash(_tokens(statement.text)) if covered else ""
        if not self._covers(location.path, location.lines):
            return ""
        others = (one.location for one in group if one.location and _may_differ(observation, one))
        values = {
            _SEPARATOR.join(self._hidden(place.path, number) for number in place.lines)
            for place in (location, *others)
        }
        return text_hash(_SEPARATOR.join(sorted(values)))

    def unmasked(self, observation: Observation) -> str:
        """Return the hash of a statement of code as if no secret in it were known.

        It is "" if that makes no difference. It must stay in memory.
        """
        location = observation.location
        if observation.category is not Category.CODE or location is None:
            return ""
        statement = self._statement(location)
        if statement is None:
            return ""
        tokens = _tokens(statement.text)
        covered = self._covers(location.path, statement.lines)
        is_masked = covered or self.redactor.has_value(tokens)
        return _hash(mask_known(tokens)) if is_masked else ""

    def _covers(self, path: str, numbers: Iterable[int]) -> bool:
        return any(self.redactor.covers(path, number) for number in numbers)

    def _hidden(self, path: str, number: int) -> str:
        """Return the quoted values of a line that the mask removes, else all that it removes.

        If these are not clear, return the whole line. Quoted values stay the same if a formatter
        changes the rest of the line.
        """
        line = self.sources.line(path, number) or ""
        bare = "".join(line.split())
        if len(line) > _LONG:  # the mask cuts the line, and the value may be in the rest
            return bare
        tokens = (token.group() for token in _TOKEN.finditer(line))
        quoted = [string["body"] for string in filter(None, map(_STRING.fullmatch, tokens))]
        values = [body for body in quoted if self.redactor.line(path, number, body) != body]
        if values:
            return _SEPARATOR.join(values)
        return _masked_parts(line, self.redactor.line(path, number, line)) or bare

    def _line(self, location: Location | None) -> str:
        """Return a hash of the line without its secrets; "" without a line."""
        if location is None or location.start_line is None:
            return ""
        path, number = location.path, location.start_line
        line = self.sources.line(path, number) or ""
        covered = self.redactor.covers(path, number)
        safe = self.redactor.line(path, number, line) if covered else self.redactor.text(line)
        bare = "".join(safe.split())
        if path.endswith(_PYTHON) and bare and not bare.startswith("#"):
            return token_hash(safe)
        return text_hash(bare)

    def _place(self, location: Location | None) -> tuple[str, str]:
        """Return the qualified name and the hash of the statement, else the hash of the line.

        The strings of a statement with a secret do not count. Otherwise, one could find the secret
        by hashing the statement with each word of a list.
        """
        statement = self._statement(location)
        if statement is None or location is None:
            return "", self._line(location)
        if self._covers(location.path, statement.lines):
            return statement.qualname, _hash(_tokens(statement.text, strings=False))
        return statement.qualname, _hash(self.redactor.text(_tokens(statement.text)))

    def _statement(self, location: Location | None) -> "Statement | None":
        """Return the statement around a place; None if its file cannot be parsed."""
        if location is None or location.start_line is None or not location.path.endswith(_PYTHON):
            return None
        known = self._outline(location.path)
        return known.at(location.start_line) if known else None


def share_text(one: Observation, other: Observation) -> bool:
    """Return True if both scanners name a text with the same secret."""
    if one.secret is None or other.secret is None:
        return False
    return not one.secret.texts.isdisjoint(other.secret.texts)


def _may_differ(lead: Observation, other: Observation) -> bool:
    """Return True if `other`, a witness of the same finding, may be about another value."""
    known = lead.secret.digest if lead.secret else None
    is_same = known is not None and other.secret is not None and other.secret.digest == known
    return not is_same and not share_text(lead, other)


def _masked_parts(line: str, masked: str) -> str:
    """Return the parts of `line` that are masks in `masked`; "" if the two do not match."""
    left, *rest = _MASKS.split(masked)
    if not rest or not line.startswith(left) or not line.endswith(rest[-1]):
        return ""
    parts: list[str] = []
    start = len(left)
    for piece in rest[:-1]:
        end = line.find(piece, start)
        if end < 0:
            return ""
        parts.append(line[start:end].strip())
        start = end + len(piece)
    return _SEPARATOR.join((*parts, line[start : len(line) - len(rest[-1])].strip()))


_BLOCKS: Final = frozenset(("decorator_list", "body", "handlers", "orelse", "finalbody", "cases"))


class Statement(NamedTuple):
    """A statement, or the header of a compound one, with its function, text and lines."""

    qualname: str
    text: str
    lines: range


class _Child(NamedTuple):
    first: int
    last: int
    node: ast.AST
    is_decorator: bool


class Outline:
    """The statements of one Python file, by line.

    A search visits only the branches around a line, because a file can have thousands of statements
    and one finding.
    """

    def __init__(self, lines: Sequence[bytes], tree: ast.Module) -> None:
        """Take `lines` as UTF-8, because the parser counts columns in bytes."""
        self._lines = lines
        self._tree = tree
        self._children: dict[ast.AST, list[_Child]] = {}

    # Several calls in a row are for one line: benchmarks/reports.py.
    @lru_cache(maxsize=1)  # noqa: B019 - it keeps one outline at most
    def at(self, line: int) -> Statement | None:
        """Return the smallest statement that covers `line`; None without one.

        Handlers, cases and decorators count as statements, and so do headers of compound ones.
        """
        node: ast.AST = self._tree
        qualname = ""
        while _body(node):
            if node not in self._children:
                self._children[node] = _children(node)
            children = self._children[node]
            index = bisect_right(children, line, key=lambda child: child.first) - 1
            if index < 0 or children[index].last < line:
                break
            child = children[index]
            if not child.is_decorator and isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            ):
                qualname = f"{qualname}.{node.name}" if qualname else node.name
            node = child.node
        if node is self._tree:
            return None
        first, start = _position(node)
        last, end = _end(node)
        body = _body(node)
        if body:  # the header ends where the body starts
            last, end = _start(body[0])
            end = end if last == first else 0
        chosen = list(self._lines[first - 1 : last])
        if chosen:
            chosen[-1] = chosen[-1][:end]
            chosen[0] = chosen[0][start:]
        text = b"\n".join(chosen).decode("utf-8", "replace")
        return Statement(qualname, text, range(first, last + 1))


def outline(text: str) -> Outline | None:
    """Return the outline of Python source; None if this interpreter cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those about invalid escapes in the source
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    physical = text.replace("\r\n", "\n").replace("\r", "\n")
    return Outline(physical.encode("utf-8", "replace").split(b"\n"), tree)


def _children(node: ast.AST) -> list[_Child]:
    """Return the statements directly in `node`, with decorators and handlers, by line."""
    children = [
        _Child(_start(child)[0], _end(child)[0], child, name == "decorator_list")
        for name in node._fields
        if name in _BLOCKS
        for child in getattr(node, name)
    ]
    return sorted(children, key=lambda child: child.first)


def _body(node: ast.AST) -> list[ast.AST]:
    """Return the first block of a compound statement; empty for any other."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    return body if isinstance(body, list) else []


def _position(node: ast.AST) -> tuple[int, int]:
    """Return line and column of a node. A case has none, so return those of its pattern."""
    if isinstance(node, ast.match_case):
        node = node.pattern
    return int(getattr(node, "lineno", 1)), int(getattr(node, "col_offset", 0))


def _start(node: ast.AST) -> tuple[int, int]:
    """Return line and column of a node with its decorators."""
    decorators = getattr(node, "decorator_list", None)
    return _position(decorators[0] if decorators else node)


def _end(node: ast.AST) -> tuple[int, int]:
    if isinstance(node, ast.match_case):
        return _end(node.body[-1])
    return int(getattr(node, "end_lineno", 1)), int(getattr(node, "end_col_offset", 0))


def license_name(facts: LicenseFacts) -> str:
    """Return the licence in the metadata, or a hash if that is a whole text."""
    return facts.stated if len(facts.stated) <= _LICENSE_NAME else text_hash(facts.stated)


def text_hash(text: str) -> str:
    """Return a short sha256 of a text; "" for an empty one."""
    return _hash(text) if text else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:HASH_DIGITS]


def token_hash(text: str) -> str:
    """Return a hash of the tokens of Python source that a formatter does not change.

    Layout, comments, commas and round brackets do not count, quotes are unified, an f-string is one
    token. The lexer is our own, so that the result is the same in every version of Python.
    """
    return _hash(_tokens(text))


@lru_cache(maxsize=8192)
def _tokens(text: str, *, strings: bool = True) -> str:
    """Return the tokens of Python source. Without `strings`, all strings are the same token."""
    tokens = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "comment" or token in _LAYOUT:
            continue
        string = _STRING.fullmatch(token) if match.lastgroup == "string" else None
        if string and strings:
            prefix, body = string["prefix"].lower(), string["body"]
            if "r" not in prefix:
                body = body.replace("\\'", "'").replace('\\"', '"')
            token = f'{prefix.replace("u", "")}"{body}"'
        elif string:
            token = MASK
        elif token[0].isdigit():
            token = token.lower()
        tokens.append(token)
    return _SEPARATOR.join(tokens)
