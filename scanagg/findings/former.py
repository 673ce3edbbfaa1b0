"""The identity of findings in baselines of version 1, which were written without expressions."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from scanagg.core.masks import MASK
from scanagg.core.redact import Redactor, mask_known
from scanagg.findings.normalise import share_text
from scanagg.findings.outline import Outline, Statement
from scanagg.model import Category, Location, Observation, Parts
from scanagg.project.sources import Sources

_SEPARATOR: Final = "\x1f"
_PYTHON: Final = (".py", ".pyw")
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
_CACHED: Final = 64
_NO_STATEMENT: Final = "0" * 16
# Much shorter than the part of a line that a Redactor shows.
_LONG: Final = 500


class _Hashes(NamedTuple):
    """The hash of a statement without its secrets, that with them, and that with unknown ones."""

    masked: str
    evidence: str
    unmasked: str


class FormerIdentity:
    """The computation of former parts, of findings in files.

    They have a statement instead of an expression, masked with all values of the run.
    """

    def __init__(
        self,
        sources: Sources,
        redactor: Redactor,
        key: bytes | None,
        outline: Callable[[str], Outline | None],
    ) -> None:
        """Take the project's key, and what returns the outline of a file."""
        self.sources = sources
        self.redactor = redactor
        self._key = key
        self._outline = outline
        # Many findings can be in one statement, and it can be long.
        self._hashes = lru_cache(maxsize=_CACHED)(self._hashes_of)

    def parts(
        self, observation: Observation, group: Iterable[Observation], new: Parts
    ) -> tuple[Parts, ...]:
        """Return the parts of the finding that `observation` leads, and its `new` parts name.

        The second ones, if there are any, are for code with a secret that no scanner knew yet.
        """
        location = observation.location
        rule, qualname = new.rule, ""
        if observation.category is Category.MISCONFIGURATION:
            statement = _text_hash(observation.resource) or self._line(location)
        else:
            qualname, statement = self._place(location)
        if observation.category is Category.SECRET:
            statement = self._line(location)
        else:
            rule = new.rule or observation.rule.id
        if self._key and (evidence := self._evidence(observation, group)):
            digest = hmac.new(self._key, evidence.encode(), "sha256").hexdigest()[:12]
            statement = (statement or _NO_STATEMENT) + digest
        parts = Parts(observation.category.value, rule, new.path, qualname, statement)
        unmasked = self._unmasked(observation)
        return (parts, parts._replace(code=unmasked)) if unmasked else (parts,)

    def _evidence(self, observation: Observation, group: Iterable[Observation] = ()) -> str:
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
            return self._hashes(location.path, statement).evidence
        if not self._covers(location.path, location.lines):
            return ""
        others = (one.location for one in group if one.location and _may_differ(observation, one))
        values = {
            _SEPARATOR.join(self._hidden(place.path, number) for number in place.lines)
            for place in (location, *others)
        }
        return _text_hash(_SEPARATOR.join(sorted(values)))

    def _unmasked(self, observation: Observation) -> str:
        """Return the hash of a statement of code as if no secret in it were known.

        It is "" if that makes no difference. It must stay in memory.
        """
        location = observation.location
        if observation.category is not Category.CODE or location is None:
            return ""
        statement = self._statement(location)
        if statement is None:
            return ""
        return self._hashes(location.path, statement).unmasked

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
            return _hash(_tokens(safe))
        return _text_hash(bare)

    def _place(self, location: Location | None) -> tuple[str, str]:
        """Return the qualified name and the hash of the statement, else the hash of the line."""
        statement = self._statement(location)
        if statement is None or location is None:
            return "", self._line(location)
        return statement.qualname, self._hashes(location.path, statement).masked

    def _hashes_of(self, path: str, statement: Statement) -> _Hashes:
        """Return the hashes of a statement.

        The strings of a statement with a secret do not count. Otherwise, one could find the secret
        by hashing the statement with each word of a list.
        """
        tokens = _tokens(statement.text)
        if self._covers(path, statement.lines):
            masked = _hash(_tokens(statement.text, strings=False))
            return _Hashes(masked, _text_hash(tokens), _hash(mask_known(tokens)))
        unmasked = _hash(mask_known(tokens)) if self.redactor.has_value(tokens) else ""
        return _Hashes(_hash(self.redactor.text(tokens)), "", unmasked)

    def _statement(self, location: Location | None) -> Statement | None:
        """Return the statement around a place; None if its file cannot be parsed."""
        if location is None or location.start_line is None or not location.path.endswith(_PYTHON):
            return None
        known = self._outline(location.path)
        return known.at(location.start_line) if known else None


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


def _text_hash(text: str) -> str:
    return _hash(text) if text else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


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
