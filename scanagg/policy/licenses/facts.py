"""What a package's metadata says of its licence, in the order of trust, against the lists."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from scanagg.model import LicenseFacts, LicenseVerdict
from scanagg.policy.licenses import trove
from scanagg.policy.licenses.lists import (
    ORDER,
    REVIEW,
    UNKNOWN,
    LicenseLists,
    canonical,
    evaluate,
    leaf,
    listed,
    shown,
    single,
)
from scanagg.policy.licenses.spdx import Term
from scanagg.policy.licenses.trove import Reading

# What older tools write where nothing was said.
_NOTHING_SAID: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))
# Files that hold a licence, and not only authors or notices, by how they are named.
_LICENSE_NAMES: Final = ("licen", "copying")


class LicenseDecision(msgspec.Struct, frozen=True):
    """The verdict on a package's licence.

    `expression` is canonical SPDX, or the metadata's own words where these are none. `term` is the
    part of it that decided, or the candidate. `source` is what was believed: the metadata field,
    `clarify` for the policy's own word; empty where none says anything. `candidates` are the
    licences that ambiguous words can mean; the worst of them counts. `note` is for people.
    """

    verdict: LicenseVerdict
    expression: str
    term: str
    source: str
    candidates: tuple[str, ...] = ()
    note: str = ""


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """The verdict on what a package's metadata says.

    Believed is the first of: License-Expression; the License field where it is valid SPDX; the
    classifiers; the License field where it is a common name; the texts of licence files. A common
    name and a text also tell which of the candidates an ambiguous classifier means.
    """
    text = (facts.text or "").strip()
    if _says(facts.expression):
        return of_expression(facts.expression or "", lists, "License-Expression")
    if _says(text) and canonical(text):
        return of_expression(text, lists, "License")
    texts = _texts(facts)
    named = trove.common_name(text)
    readings = [(each, trove.classifier(each)) for each in facts.classifiers]
    spoken = [(words, reading) for words, reading in readings if reading is not None]
    if spoken:
        return _narrowed(spoken, named, texts, lists) or _of_readings(spoken, lists, "classifiers")
    if named.candidates:
        said = [(text, named)]
        return _narrowed(said, named, texts, lists) or _of_readings(said, lists, "License")
    if texts:
        return _of_readings(texts, lists, "License-File")
    words = shown(text if _says(text) else "; ".join(filter(str.strip, facts.classifiers)))
    return LicenseDecision(UNKNOWN, words or "UNKNOWN", words, "License" if _says(text) else "")


def of_expression(text: str, lists: LicenseLists, source: str) -> LicenseDecision:
    """The verdict on an expression that `source` gives."""
    found = evaluate(text, lists)
    return LicenseDecision(found.verdict, found.expression, found.term, source)


def _texts(facts: LicenseFacts) -> list[tuple[str, Reading]]:
    """What each licence file says; nothing if none is known, for then nobody has read any."""
    telling = [each for each in facts.files if each.license or _is_license(each.path)]
    if not any(each.license for each in telling):
        return []
    known = dict.fromkeys(each.license or each.path for each in telling)
    ids = {each.license for each in telling if each.license}
    return [(name, trove.text(name) if name in ids else Reading()) for name in known]


def _is_license(path: str) -> bool:
    name = PurePosixPath(path).name.casefold()
    return any(word in name for word in _LICENSE_NAMES)


def _narrowed(
    spoken: Sequence[tuple[str, Reading]],
    named: Reading,
    texts: Sequence[tuple[str, Reading]],
    lists: LicenseLists,
) -> LicenseDecision | None:
    """The one candidate that a common name or the licence's own text tells; None where it can't.

    Texts tell only where every one of them is known: another could hold what was left out.
    """
    if len(spoken) > 1:
        return None
    reading = spoken[0][1]
    if len(named.candidates) == 1 and not named.doubtful and _means(named, reading):
        return of_expression(named.candidates[0], lists, "License")
    if not all(each.candidates for _, each in texts):
        return None
    meant = {each.candidates[0] for _, each in texts if len(each.candidates) == 1}
    meant &= set(reading.candidates)
    if len(meant) != 1 or (len(reading.candidates) == 1 and not reading.doubtful):
        return None
    return of_expression(meant.pop(), lists, "License-File")


def _means(named: Reading, reading: Reading) -> bool:
    return named.candidates[0] in reading.candidates


def _of_readings(
    readings: Sequence[tuple[str, Reading]], lists: LicenseLists, source: str
) -> LicenseDecision:
    """Several classifiers: all must be allowed, or any, as the policy says; SPDX cannot say it."""
    verdicts = [(_worst(reading, lists), reading) for _, reading in readings]
    pick = max if lists.classifiers == "all" else min
    (verdict, term), deciding = pick(verdicts, key=lambda one: ORDER[one[0][0]])
    first = readings[0][1]
    if len(readings) == 1 and len(first.candidates) == 1 and not first.doubtful:
        return LicenseDecision(verdict, first.candidates[0], term, source)
    words = shown("; ".join(words.rpartition("::")[2].strip() for words, _ in readings))
    candidates = _candidates(reading for _, reading in readings)
    note = _note(term, (*deciding.candidates, *deciding.doubtful))
    return LicenseDecision(verdict, words, term or words, source, candidates, note)


def _candidates(readings: Iterable[Reading]) -> tuple[str, ...]:
    names = (name for each in readings for name in (*each.candidates, *each.doubtful))
    return tuple(dict.fromkeys(names))


def _note(term: str, candidates: Sequence[str]) -> str:
    if len(candidates) < 2:
        return ""
    return f"it can mean {' or '.join(candidates)}: judged as {term}"


def _worst(reading: Reading, lists: LicenseLists) -> tuple[LicenseVerdict, str]:
    """The worst of the candidates and its id; unknown where there is none."""
    verdicts = [(leaf(Term(name), lists), name) for name in reading.candidates]
    verdicts += [(_doubtful(Term(name), lists), name) for name in reading.doubtful]
    return max(verdicts, key=lambda one: ORDER[one[0]], default=(UNKNOWN, ""))


def _doubtful(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """A reason to look at most, unless the lists name it."""
    return listed(term, lists) or min(single(term, lists), REVIEW, key=ORDER.__getitem__)


def _says(text: str | None) -> bool:
    return (text or "").strip().casefold() not in _NOTHING_SAID
