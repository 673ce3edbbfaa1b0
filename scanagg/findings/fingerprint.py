"""Fingerprints: the identity of a finding across runs, without lines, severity or scanner."""

import ast
import hashlib
import hmac
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain
from typing import Final

from msgspec.structs import replace

from scanagg.core.masks import MASK, is_name
from scanagg.core.redact import Redactor, mask_known
from scanagg.findings.former import FormerIdentity
from scanagg.findings.normalise import is_guess
from scanagg.findings.outline import Statement, Words, lines_of, outline, shape
from scanagg.model import (
    Anchor,
    Category,
    Location,
    Observation,
    Parts,
    location_key,
    purl_without_version,
)
from scanagg.model.advisories import LicenseFacts
from scanagg.project.sources import Sources
from scanagg.scanners.base import scanner_info

_SEPARATOR: Final = "\x1f"
_CACHED: Final = 64
_MEANINGS: Final = 4096
_KEYED_DIGITS: Final = 12
_NO_CODE: Final = "0" * 16
_PYTHON: Final = (".py", ".pyw")
# A longer name is the text of a licence in the wrong field.
_LICENSE_NAME: Final = 200
# A value is looked at this far beyond what a scanner names, because some name only its beginning.
_FURTHER: Final = 500
_BEFORE: Final = re.compile(r"[\w+/.~-]*\Z")
_AFTER: Final = re.compile(r"[^\s\"'`]*")
_BRACKETS: Final = ",;)]}"
_QUOTED: Final = re.compile(r"([\"'])(.*?)\1")
# The name of a value, before it; or the first one on its line.
_NAME: Final = re.compile(
    r"""(?<![\w.-])(?:(?P<assigned>[A-Za-z_][\w.-]*)["'\])]*\s*[:=]+>?\s*["'(\[]*\Z
      | (?P<before>(?i:[\w.-]*(?:pass|pwd|secret|token|key|auth|cred)[\w.-]*))["']?\s+["']?\Z)""",
    re.VERBOSE,
)
_FIRST_NAME: Final = re.compile(
    r"([\"'])(?P<quoted>[A-Za-z_][\w.-]*)\1\s*(?::|\]\s*=)"
    r"|(?<![\w.-])(?P<bare>[A-Za-z_][\w.-]*)[\])]*\s*(?::?=(?!=)|:)"
)
_LONGEST_NAME: Final = 60

_Values = Mapping[tuple[str, int], Set[str]]

VERSION: Final = "v2"
"""The version of fingerprints and anchors."""

_Spans = Sequence[tuple[int, int]]

HASH_DIGITS: Final = 16
"""The number of hex digits of the hash of code. The keyed digest of a secret comes after it."""


def fingerprint(parts: Parts, ordinal: int) -> str:
    """Return the sha256 in hex of the parts and the ordinal among equal parts, from 0."""
    fields = (VERSION, *parts, str(ordinal))
    return hashlib.sha256(_SEPARATOR.join(fields).encode("utf-8", "replace")).hexdigest()


class Identity:
    """The computation of what identifies findings in one target.

    `prefix` leads from the repository's root to the target. `key` is the project's key for digests
    of secrets. Without a key, a secret is recognised only by its place. With `former`, anchors have
    the parts by which baselines of version 1 know them.
    """

    def __init__(
        self,
        sources: Sources,
        redactor: Redactor,
        prefix: str = "",
        key: str | None = None,
        *,
        former: bool = False,
    ) -> None:
        """Read no file until it is needed."""
        self.sources = sources
        self.redactor = redactor
        self._prefix = prefix
        self._key = key.encode() if key else None
        self._outline = lru_cache(maxsize=_CACHED)(lambda path: outline(sources.file(path).text))
        # Many findings can be in one statement, and it can be long.
        self._shapes = lru_cache(maxsize=_CACHED)(self._shape)
        self._inputs = lru_cache(maxsize=_CACHED)(self._inputs_of)
        self._meanings = lru_cache(maxsize=_MEANINGS)(self._meaning)
        self._former = None
        if former:
            self._former = FormerIdentity(sources, redactor, self._key, self._outline)

    def anchors(
        self, observation: Observation, group: Sequence[Observation] = ()
    ) -> tuple[Anchor, ...]:
        """Return an anchor for each place of the finding that `observation` leads.

        The first one is that of its location. `group` are all its witnesses.
        """
        package, advisory, facts = observation.package, observation.advisory, observation.license
        names = {
            Category.VULNERABILITY: advisory.id if advisory else None,
            Category.LICENSE: license_name(facts) if facts else None,
        }
        name = names.get(observation.category)
        if package and name is not None:
            purl = purl_without_version(package.purl)
            return (Anchor(Parts(observation.category.value, name, purl, "", "")),)
        has_secret = observation.category is Category.SECRET
        if is_guess(observation) and observation.secret:
            has_secret = bool(observation.secret.value)
        witnesses = [*group] or [observation]
        places = _places(observation, witnesses if has_secret else [observation])
        if has_secret:
            values, guesses = _values(witnesses), _values([*filter(is_guess, witnesses)])
            made = [self._of_secret(self._narrowed(one, guesses), values) for one in places]
        else:
            made = [self._of_code(observation, place) for place in places]
        if not made:
            return (Anchor(Parts(observation.category.value, observation.rule.id, "", "", "")),)
        former: tuple[Parts, ...] = ()
        if self._former:
            former = self._former.parts(observation, group, made[0].parts)
        return tuple(
            replace(anchor, former=former, place=place)
            for anchor, place in zip(made, places, strict=True)
        )

    def _of_code(self, observation: Observation, place: Location) -> Anchor:
        """Return the anchor of code or of a misconfiguration."""
        renamed = scanner_info(observation.scanner).renamed_rules
        rule = renamed.get(observation.rule.id, observation.rule.id)
        parts = Parts(observation.category.value, rule, self._path(place), "", "")
        line = place.start_line or 0
        if observation.category is Category.MISCONFIGURATION:
            resource = text_hash(observation.resource)
            return Anchor(parts._replace(code=resource or self._line(place)), line, inputs=resource)
        statement = self._statement(place, self._start(place))
        if statement is None:
            evidence = (
                self._evidence_of_line(place) if self._covers(place.path, place.lines) else ""
            )
            code = self._keyed(self._line(place), evidence)
            return Anchor(parts._replace(code=code), line, evidence=evidence)
        node = self._flagged(statement, place)
        imported = statement.imported(observation.message)
        code, evidence, unmasked = self._shapes(place.path, statement, node)
        if imported:
            code, evidence, unmasked = text_hash(imported), "", ""
        inputs, origins = self._inputs(place.path, statement, node)
        context, hidden, _ = self._shapes(place.path, statement, statement.node)
        return Anchor(
            parts._replace(qualname=statement.function, code=self._keyed(code, evidence)),
            line,
            # Without its strings, a statement can change and have the same hash.
            statement="" if hidden else context,
            inputs=inputs,
            origins=origins,
            evidence=evidence,
            unmasked=unmasked,
        )

    def _flagged(self, statement: Statement, place: Location) -> ast.AST:
        """Return the expression at a place, else its statement."""
        start, end = self._start(place), place.last_line
        if start is None or end is None or not (place.start_line and place.end_column):
            one_line = place.last_line == place.start_line
            return (
                statement.call(place.start_line)
                if place.start_line and one_line
                else statement.node
            )
        line = self.sources.line(place.path, end) or ""
        last = (end, _bytes(line, place.end_column))
        found = statement.expression((place.start_line, start), last)
        return statement.whole(found) if isinstance(found, ast.Constant) else found

    def _start(self, place: Location) -> int | None:
        """Return the column of a place in bytes of UTF-8 from 0, if it has one."""
        if place.start_line is None or not place.start_column:
            return None
        line = self.sources.line(place.path, place.start_line) or ""
        return _bytes(line, place.start_column)

    def _shape(self, path: str, statement: Statement, node: ast.AST) -> tuple[str, str, str]:
        """Return the hash of an expression with its role, and the evidence of a secret in it.

        The third is the hash as if no secret in it were known; it and the evidence are "" without
        one, and must stay in memory. The values of code with a secret do not count. Otherwise, one
        could find the secret by hashing the code with each word of a list.
        """
        if not self._covers(path, lines_of(node)):
            return _shape_hash(statement, node, mask_known), "", ""
        masked, evidence, unmasked = (
            _shape_hash(statement, node, words) for words in (_masked, str, mask_known)
        )
        return masked, evidence, unmasked

    def _inputs_of(self, path: str, statement: Statement, node: ast.AST) -> tuple[str, str]:
        """Return hashes of what the names in an expression mean; "" at the level of a module.

        In the second one, a variable of the module is where it is defined: it is the same for code
        that imports it from here.
        """
        known = self._outline(path)
        if known is None or not statement.function:
            return "", ""
        inputs: list[str] = []
        origins: list[str] = []
        stem = path.removesuffix("/__init__.py").rpartition("/")[2].partition(".")[0]
        for name, scope in known.inputs(statement, node):
            meaning = self._meanings(path, scope, name)
            inputs += (name, meaning)
            is_set_here = isinstance(scope, ast.Module) and known.sets(scope, name)
            origins += (name, _hash(f"{stem}.{name}") if is_set_here else meaning)
        return _hash(_SEPARATOR.join(inputs)), _hash(_SEPARATOR.join(origins))

    def _meaning(self, path: str, scope: ast.AST, name: str) -> str:
        """Return a hash of all that binds a name."""
        known = self._outline(path)
        tokens: list[str] = []
        for binding in known.bindings(scope, name) if known else ():
            if isinstance(binding, str):
                tokens.append(binding)
                continue
            words = _masked if self._covers(path, lines_of(binding)) else mask_known
            tokens += shape(binding, words)
        return _hash(_SEPARATOR.join(tokens))

    def _narrowed(self, place: Location, guesses: _Values) -> Location:
        """Return the line of a guessed value, because its place may be a call of many lines."""
        for number in place.lines if place.last_line != place.start_line else ():
            line = self.sources.line(place.path, number) or ""
            if any(value and value in line for value in guesses.get((place.path, number), ())):
                return Location(place.path, number)
        return place

    def _of_secret(self, place: Location, values: _Values) -> Anchor:
        """Return the anchor of a secret, or of what may be one, at one of its places.

        Whether a scanner for secrets or one for code finds it makes no difference.
        """
        number = place.start_line or 0
        line = self.sources.line(place.path, number) or ""
        known = values.get((place.path, number), frozenset())
        spans = _spans(line, known - {""})
        if len(place.lines) > 1:  # such as a private key
            lines = (self.sources.line(place.path, number) or "" for number in place.lines)
            evidence = text_hash(_SEPARATOR.join(text.strip() for text in lines))
        elif spans and "" not in known:
            evidence = text_hash(_SEPARATOR.join(line[start:end] for start, end in spans))
        else:
            evidence = self._evidence_of_line(place)
        start = spans[0][0] if spans else None
        qualname, name = self._use(place, line, start) or ("", "")
        if not name:
            statement = self._statement(place)
            qualname = statement.function if statement else ""
            name = _first_name(line) if start is None else _name_before(line, start)
        code = self._keyed(text_hash(name), evidence)
        parts = Parts(Category.SECRET.value, "", self._path(place), qualname, code)
        return Anchor(parts, number, evidence=evidence)

    def _use(self, place: Location, line: str, start: int | None) -> tuple[str, str] | None:
        """Return the function and the role of the string at `start`; None if there is none."""
        if start is None or place.start_line is None:
            return None
        column = len(line[:start].encode("utf-8", "replace"))
        statement = self._statement(place, column)
        string = statement.string(place.start_line, column) if statement else None
        if statement is None or string is None:
            return None
        return statement.function, _SEPARATOR.join(statement.role(string, _key_names))

    def _evidence_of_line(self, place: Location) -> str:
        """Return a digest of the quoted texts on a line, else of the line."""
        line = self.sources.line(place.path, place.start_line or 0) or ""
        quoted = [body for _, body in _QUOTED.findall(line)]
        return text_hash(_SEPARATOR.join(quoted) or "".join(line.split()))

    def _keyed(self, code: str, evidence: str) -> str:
        """Return a hash with the HMAC of a secret. A plain hash of it could be looked up."""
        if not (self._key and evidence):
            return code
        digest = hmac.new(self._key, evidence.encode(), "sha256").hexdigest()[:_KEYED_DIGITS]
        return (code or _NO_CODE) + digest

    def _path(self, place: Location) -> str:
        return unicodedata.normalize("NFC", self._prefix + place.path)

    def _covers(self, path: str, numbers: Iterable[int]) -> bool:
        return any(self.redactor.covers(path, number) for number in numbers)

    def _line(self, place: Location) -> str:
        """Return a hash of the line, of one with a secret only the names; "" without a line."""
        if place.start_line is None:
            return ""
        line = self.sources.line(place.path, place.start_line) or ""
        if self._covers(place.path, [place.start_line]):
            return text_hash(_first_name(line))
        return text_hash("".join(mask_known(line).split()))

    def _statement(self, place: Location, column: int | None = None) -> Statement | None:
        """Return the statement around a place; None if its file cannot be parsed."""
        if place.start_line is None or not place.path.endswith(_PYTHON):
            return None
        known = self._outline(place.path)
        return known.at(place.start_line, column) if known else None


def _places(lead: Observation, group: Iterable[Observation]) -> list[Location]:
    """Return the places of a finding, that of `lead` first, without those inside another one."""
    places = [lead.location] if lead.location else []
    last = None
    for place in sorted((p for one in group for p in one.all_places), key=location_key):
        if not (last and place.overlaps(last)) and not any(map(place.overlaps, places[:1])):
            places.append(place)
            last = place
    return places


def _values(group: Sequence[Observation]) -> _Values:
    """Return the values that scanners name, by the path and the number of the line.

    There is a "" for a scanner that does not name its value, which may be another one.
    """
    known = [one.secret for one in group if one.secret and one.secret.value]
    texts = frozenset(chain.from_iterable(secret.texts for secret in known))
    values: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in group:
        value = one.secret.value if one.secret else ""
        if value or one.secret is None or texts.isdisjoint(one.secret.texts):
            for place in one.all_places:
                for number in place.lines:
                    values[place.path, number].add(value)
    return values


def _spans(line: str, values: Iterable[str]) -> list[tuple[int, int]]:
    """Return where values are on a line, each with the rest of its word, in order."""
    found = []
    for value in values:
        # The name comes first, and can be equal; a number can be on the line as well.
        quoted = (line.rfind(f"{quote}{value}{quote}") + 1 for quote in ("'", '"'))
        start = max(quoted) or line.rfind(value)
        if start >= 0:
            before = _BEFORE.search(line, max(0, start - _FURTHER), start)
            end = start + len(value)
            after = _AFTER.match(line, end, end + _FURTHER)
            # Brackets and commas around code change with its format.
            rest = after[0].rstrip(_BRACKETS) if after else ""
            found.append((before.start() if before else start, end + len(rest)))
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def _shape_hash(statement: Statement, node: ast.AST, words: Words) -> str:
    role: Iterator[str] = iter(())
    if isinstance(node, ast.Constant):
        role = statement.role(node, words)
    return _hash(_SEPARATOR.join((*shape(node, words), *role)))


def _masked(_text: str) -> str:
    return MASK


def _key_names(text: str) -> str:
    """Return a string that can be the name of a key, and a mask for any other."""
    return _name(text) or MASK


def _name(text: str) -> str:
    """Return the text if it reads as a name, and not as a value; else ""."""
    return text if len(text) <= _LONGEST_NAME and is_name(text) else ""


def _name_before(line: str, start: int) -> str:
    """Return the name of the value that begins at `start`."""
    match = _NAME.search(line[max(0, start - _FURTHER) : start])
    return _name(match["assigned"] or match["before"]) if match else ""


def _first_name(line: str) -> str:
    """Return the first name on a line that has a value, because a value can look like a name."""
    match = _FIRST_NAME.search(line)
    return _name(match["quoted"] or match["bare"]) if match else ""


def _bytes(line: str, column: int) -> int:
    """Return the number of bytes in UTF-8 before a column (from 1, in UTF-16 units)."""
    if line.isascii():
        return min(column - 1, len(line))
    columns = _byte_columns(line)
    return columns[min(column, len(columns)) - 1]


# Thousands of findings can be on one line.
@lru_cache(maxsize=16)
def _byte_columns(line: str) -> Sequence[int]:
    """Return the number of bytes in UTF-8 before each UTF-16 unit, and that of the whole line."""
    columns, total = array("L"), 0
    for character in line:
        columns.extend([total] * (1 + (character > "\uffff")))
        total += len(character.encode("utf-8", "replace"))
    columns.append(total)
    return columns


def license_name(facts: LicenseFacts) -> str:
    """Return the licence in the metadata, or a hash if that is a whole text."""
    return facts.stated if len(facts.stated) <= _LICENSE_NAME else text_hash(facts.stated)


def text_hash(text: str) -> str:
    """Return a short sha256 of a text; "" for an empty one."""
    return _hash(text) if text else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:HASH_DIGITS]
