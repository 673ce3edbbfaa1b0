"""The statements of a package's metadata about its licence, and whether they agree."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import PurePosixPath
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.model import LicenseFacts, LicenseFile
from scanagg.policy import trove
from scanagg.policy.license_lists import canonical, shown_text
from scanagg.policy.spdx import parse, terms
from scanagg.policy.trove import Reading

FILES: Final = "License-File"
"""The source of a statement by the texts of licence files."""

_FIELD: Final = "License"
# The values that tools write into an empty field.
_EMPTY: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))
# Parts of the names of files with a licence. Others have authors or notices only.
_LICENSE_NAMES: Final = ("licen", "copying")
# The mark of the scanner on the first line of a longer text.
_CUT: Final = " […]"
_OPERATOR: Final = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"\s*[,;/|&]\s*")


class LicenseStatement(msgspec.Struct, frozen=True):
    """What one field says: its words, and a reading for each licence that they name.

    `expression` is the same in canonical SPDX, if the words mean exactly that.
    """

    source: str
    words: str
    readings: tuple[tuple[str, Reading], ...]
    expression: str | None = None

    @property
    def is_precise(self) -> bool:
        """True if each licence is known exactly."""
        return all(reading.only for _, reading in self.readings)

    def covers(self, other: "LicenseStatement") -> bool:
        """Return True if this statement names all licences that the other one names."""
        return all(self.names(reading) for _, reading in other.readings)

    def names(self, licence: Reading) -> bool:
        """Return True if one of the readings can be this licence."""
        return any(reading.agrees(licence) for _, reading in self.readings)


def statements(facts: LicenseFacts) -> list[LicenseStatement]:
    """Return the statements that name a licence, in the order of trust."""
    return [
        *_expression(facts),
        *_field(facts),
        *_classifiers(facts),
        *_files(facts.files),
    ]


def narrowed(statement: LicenseStatement, found: Iterable[LicenseStatement]) -> LicenseStatement:
    """Return a statement with what it leaves open taken from the precise ones."""
    precise = {
        name
        for each in found
        if each.is_precise
        for _, reading in each.readings
        for name in reading.candidates
    }
    readings = tuple(
        (words, Reading(tuple(meant)) if len(meant) == 1 else reading)
        for words, reading in statement.readings
        for meant in [precise.intersection(reading.candidates)]
    )
    return replace(statement, readings=readings)


def contradiction(
    facts: LicenseFacts, found: Sequence[LicenseStatement]
) -> tuple[LicenseStatement, LicenseStatement] | None:
    """Return two statements that cannot both be true; None without any.

    One may name more licences than the other. Of the known texts in licence files, which can be
    those of parts, one must be among the licences that the metadata names.
    """
    stated = [each for each in (*found, *_title(facts)) if each.source != FILES]
    pairs = combinations(stated, 2)
    opposed = [(a, b) for a, b in pairs if not (a.covers(b) or b.covers(a))]
    opposed += [
        (each, texts)
        for texts in _files(_top(facts.files))
        for each in stated
        if not any(texts.names(reading) for _, reading in each.readings)
    ]
    return next(iter(opposed), None)


def unnamed_texts(facts: LicenseFacts, found: Sequence[LicenseStatement]) -> list[LicenseStatement]:
    """Return the texts of licences that none of the other statements names."""
    return [
        LicenseStatement(FILES, words, ((words, reading),))
        for texts in _files(_top(facts.files))
        for words, reading in texts.readings
        if reading.candidates
        and not any(each.names(reading) for each in found if each.source != FILES)
    ]


def stated_words(facts: LicenseFacts) -> tuple[str, str]:
    """Return the words of metadata that names no known licence, and their field."""
    if facts.text and not is_empty(facts.text):
        return shown_text(facts.text), _FIELD
    return shown_text("; ".join(filter(str.strip, facts.classifiers))), ""


def is_empty(text: str) -> bool:
    """Return True for a field that says nothing, or that a tool filled in."""
    return text.strip().casefold() in _EMPTY


def _expression(facts: LicenseFacts) -> Iterator[LicenseStatement]:
    text = facts.expression or ""
    if not is_empty(text):
        yield _of_expression("License-Expression", text)


def _of_expression(source: str, text: str, words: str = "") -> LicenseStatement:
    expression = canonical(text)
    readings = (
        [(str(term), trove.of_term(term)) for term in terms(parse(expression))]
        if expression
        else []
    )
    return LicenseStatement(source, words or shown_text(text), tuple(readings), expression)


def _field(facts: LicenseFacts) -> Iterator[LicenseStatement]:
    """Yield the License field: an expression, a name, several names, or a whole text."""
    text = (facts.text or "").strip()
    if facts.whole_text:
        yield LicenseStatement(
            _FIELD, shown_text(text), ((facts.whole_text, trove.of_text(facts.whole_text)),)
        )
    elif is_empty(text):
        return
    elif canonical(text):
        yield _of_expression(_FIELD, text)
    elif readings := _names(text):
        parts = [reading.only for _, reading in readings]
        operators = {match[1].upper() for match in _OPERATOR.finditer(text)}
        words = shown_text(text)
        if len(parts) == 1 and parts[0]:
            yield _of_expression(_FIELD, parts[0], words)
        elif all(parts) and len(operators) == 1 and not _SEPARATOR.search(text):
            yield _of_expression(_FIELD, f" {operators.pop()} ".join(map(str, parts)), words)
        else:
            yield LicenseStatement(_FIELD, words, readings)
    elif trove.is_closed(text) and not text.endswith(_CUT):
        yield LicenseStatement(_FIELD, shown_text(text), ((text, Reading()),))


def _names(text: str) -> tuple[tuple[str, Reading], ...]:
    """Return the licences that a text names; nothing if one of its parts is no name."""
    for parts in ([text], _OPERATOR.split(text)[::2], _SEPARATOR.split(_OPERATOR.sub("/", text))):
        readings = tuple((part, trove.common_name(part)) for part in parts)
        if all(reading.candidates for _, reading in readings):
            return readings
    return ()


def _classifiers(facts: LicenseFacts) -> Iterator[LicenseStatement]:
    readings = tuple(
        (words, reading)
        for words in facts.classifiers
        if (reading := trove.classifier(words)) is not None
    )
    if readings:
        words = "; ".join(text.rpartition("::")[2].strip() for text, _ in readings)
        only = readings[0][1].only if len(readings) == 1 else None
        yield LicenseStatement("classifiers", shown_text(words), readings, only)


def _files(files: Iterable[LicenseFile]) -> Iterator[LicenseStatement]:
    """Yield the texts of licence files, if one of them is known."""
    readings: dict[str, Reading] = {}
    for file in files:
        if file.license:
            readings[file.license] = trove.of_text(file.license)
        elif any(word in PurePosixPath(file.path).name.casefold() for word in _LICENSE_NAMES):
            readings.setdefault(file.path, Reading())
    if any(reading.candidates for reading in readings.values()):
        only = next(iter(readings.values())).only if len(readings) == 1 else None
        yield LicenseStatement(
            FILES, shown_text("; ".join(readings)), tuple(readings.items()), only
        )


def _top(files: Sequence[LicenseFile]) -> list[LicenseFile]:
    """Return the files that are in the fewest folders. The others are of vendored parts."""
    depths = [file.path.count("/") for file in files]
    return [file for file, depth in zip(files, depths, strict=True) if depth == min(depths)]


def _title(facts: LicenseFacts) -> Iterator[LicenseStatement]:
    """Yield the title of a text in the License field: it proves nothing, but can contradict."""
    text = facts.text or ""
    if text.endswith(_CUT) and not facts.whole_text:
        reading = trove.common_name(text.removesuffix(_CUT))
        if reading.candidates:
            yield LicenseStatement(_FIELD, shown_text(text), ((text, reading),))
