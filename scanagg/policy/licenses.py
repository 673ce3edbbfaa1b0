"""Licences judged: what metadata says, read as SPDX and evaluated against a policy's lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from scanagg.errors import PolicyError
from scanagg.model import LicenseFacts, LicenseVerdict
from scanagg.policy import spdx, trove
from scanagg.policy.spdx import Both, Expression, SpdxError, Term
from scanagg.text import one_line, shorten

# Metadata is one line in every report; a licence text in the wrong field is cut.
_SHOWN: Final = 200
# What older tools write where nothing was said.
_NOTHING_SAID: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))

ALLOW, REVIEW, UNKNOWN, DENY = (
    LicenseVerdict.ALLOW,
    LicenseVerdict.REVIEW,
    LicenseVerdict.UNKNOWN,
    LicenseVerdict.DENY,
)
_ORDER: Final = {verdict: verdict.order for verdict in LicenseVerdict}


@dataclass(frozen=True, slots=True)
class LicenseLists:
    """The lists of a policy, ready to ask; made by `lists_of`.

    `exact` holds the listed terms, `covered` the versions that a listed `-or-later` or `+` takes
    in. Without an allow list (`closed` false) every known licence that is not listed is allowed.
    """

    exact: Mapping[Term, LicenseVerdict] = field(default_factory=dict)
    covered: Mapping[Term, LicenseVerdict] = field(default_factory=dict)
    closed: bool = False
    classifiers: Literal["all", "any"] = "all"


@dataclass(frozen=True, slots=True)
class ListProblem:
    """An entry that cannot be in a list: which list, which place in it (from 0), and why."""

    list: str
    index: int
    message: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdict, the term that decided it, and the canonical expression."""

    verdict: LicenseVerdict
    term: str
    expression: str


@dataclass(frozen=True, slots=True)
class LicenseDecision:
    """The verdict on a package's licence.

    `expression` is canonical SPDX, or the metadata's own words where these are none. `source` is
    the metadata field that was believed, empty where none says anything.
    """

    verdict: LicenseVerdict
    expression: str
    term: str
    source: str


def lists_of(
    allow: Sequence[str] = (),
    review: Sequence[str] = (),
    deny: Sequence[str] = (),
    classifiers: Literal["all", "any"] = "all",
) -> LicenseLists:
    """Lists out of ids. PolicyError with every entry that cannot be in one."""
    problems = check_lists(allow, review, deny)
    if problems:
        lines = (f"{each.list}: {each.message}" for each in problems)
        raise PolicyError("\n".join(lines), "a list holds SPDX licence ids, such as MIT")
    entries = [
        (_entry(text), verdict)
        for verdict, texts in ((ALLOW, allow), (REVIEW, review), (DENY, deny))
        for text in texts
    ]
    return LicenseLists(dict(entries), _covered(entries), bool(allow), classifiers)


def check_lists(
    allow: Sequence[str], review: Sequence[str], deny: Sequence[str]
) -> list[ListProblem]:
    """What is wrong with the lists: no id, an unknown one, an expression, one in two lists."""
    problems: list[ListProblem] = []
    seen: dict[Term, str] = {}
    for name, texts in (("allow", allow), ("review", review), ("deny", deny)):
        for index, text in enumerate(texts):
            try:
                term = _entry(text)
            except SpdxError as error:
                problems.append(ListProblem(name, index, str(error)))
                continue
            if seen.setdefault(term, name) != name:
                message = f"{term} is in {seen[term]} too: it can be in one list only"
                problems.append(ListProblem(name, index, message))
    return problems


def evaluate(expression: str, lists: LicenseLists) -> Evaluation:
    """The verdict on an SPDX expression: OR takes the best part, AND the worst.

    What is no expression is unknown, and shown as it stands.
    """
    try:
        tree = spdx.parse(expression)
    except SpdxError:
        words = _shown(expression)
        return Evaluation(UNKNOWN, words, words)
    verdict, term = _verdict(tree, lists)
    return Evaluation(verdict, str(term), str(tree))


def canonical(expression: str) -> str | None:
    """The expression in canonical SPDX; None where it is none, or names what is not on the list."""
    try:
        tree = spdx.parse(expression)
    except SpdxError:
        return None
    return str(tree) if spdx.is_valid(tree) else None


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """The verdict on what a package's metadata says.

    Believed is the first of: License-Expression; the License field where it is valid SPDX; the
    classifiers; the License field where it is a common name. A common name also tells which of
    the candidates an ambiguous classifier means.
    """
    text = (facts.text or "").strip()
    if _says(facts.expression):
        return _of_expression(facts.expression or "", lists, "License-Expression")
    if _says(text) and canonical(text):
        return _of_expression(text, lists, "License")
    named = trove.common_name(text)
    readings = [(each, trove.classifier(each)) for each in facts.classifiers]
    spoken = [(words, reading) for words, reading in readings if reading is not None]
    if len(spoken) == 1 and _narrows(named, spoken[0][1]):
        return _of_expression(named.candidates[0], lists, "License")
    if spoken:
        return _of_readings(spoken, lists, "classifiers")
    if named.candidates:
        return _of_readings([(text, named)], lists, "License")
    words = _shown(text if _says(text) else "; ".join(filter(str.strip, facts.classifiers)))
    return LicenseDecision(UNKNOWN, words or "UNKNOWN", words, "License" if _says(text) else "")


def _entry(text: str) -> Term:
    """The one term that a list entry is. SpdxError where it is not one."""
    shown = repr(_shown(text))
    try:
        tree = spdx.parse(text)
    except SpdxError as error:
        raise SpdxError(f"{shown} is no licence id ({error}){_similar(text)}") from None
    if not isinstance(tree, Term):
        raise SpdxError(f"{shown} is an expression: list its licences one by one")
    if not spdx.is_valid(tree):
        unlisted = tree.license if not tree.is_listed else tree.exception or ""
        raise SpdxError(f"{shown} is not on the SPDX list{_similar(unlisted)}")
    return tree


def _similar(text: str) -> str:
    near = spdx.similar(text)
    return f": did you mean {near!r}?" if near else ""


def _covered(entries: Iterable[tuple[Term, LicenseVerdict]]) -> dict[Term, LicenseVerdict]:
    """Versions inside listed ranges. The narrower range says more; of equal ones the stricter."""
    ranges = [(entry.choices(), verdict) for entry, verdict in entries]
    ranges.sort(key=lambda one: (-len(one[0]), one[1].order))
    return {term: verdict for terms, verdict in ranges for term in terms}


def _verdict(tree: Expression, lists: LicenseLists) -> tuple[LicenseVerdict, Term]:
    if isinstance(tree, Term):
        return _leaf(tree, lists), tree
    parts = [_verdict(part, lists) for part in tree.parts]
    pick = max if isinstance(tree, Both) else min
    return pick(parts, key=lambda part: _ORDER[part[0]])


def _leaf(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """The best of the versions that the licensee may pick."""
    verdicts = (_single(choice, lists) for choice in term.choices())
    return min(verdicts, key=_ORDER.__getitem__)


def _single(term: Term, lists: LicenseLists) -> LicenseVerdict:
    listed = _listed(term, lists)
    if listed is not None:
        return listed
    if term.exception is None:
        if not term.is_listed:
            return UNKNOWN
        return DENY if lists.closed else ALLOW
    # An exception on the SPDX list only adds permissions; what another says, nobody knows.
    base = _single(term.bare, lists)
    return base if term.has_listed_exception else max(base, UNKNOWN, key=_ORDER.__getitem__)


def _listed(term: Term, lists: LicenseLists) -> LicenseVerdict | None:
    return lists.exact.get(term) or lists.covered.get(term)


def _of_expression(text: str, lists: LicenseLists, source: str) -> LicenseDecision:
    found = evaluate(text, lists)
    return LicenseDecision(found.verdict, found.expression, found.term, source)


def _of_readings(
    readings: Sequence[tuple[str, trove.Reading]], lists: LicenseLists, source: str
) -> LicenseDecision:
    """Several classifiers: all must be allowed, or any, as the policy says; SPDX cannot say it."""
    verdicts = [(_worst(reading, lists), words) for words, reading in readings]
    pick = max if lists.classifiers == "all" else min
    verdict, term = pick(verdicts, key=lambda one: _ORDER[one[0][0]])[0]
    first = readings[0][1]
    if len(readings) == 1 and len(first.candidates) == 1 and not first.doubtful:
        return LicenseDecision(verdict, first.candidates[0], term, source)
    words = _shown("; ".join(words.rpartition("::")[2].strip() for words, _ in readings))
    return LicenseDecision(verdict, words, term or words, source)


def _worst(reading: trove.Reading, lists: LicenseLists) -> tuple[LicenseVerdict, str]:
    """The worst of the candidates and its id; unknown where there is none."""
    verdicts = [(_leaf(Term(name), lists), name) for name in reading.candidates]
    verdicts += [(_doubtful(Term(name), lists), name) for name in reading.doubtful]
    return max(verdicts, key=lambda one: _ORDER[one[0]], default=(UNKNOWN, ""))


def _doubtful(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """A reason to look at most, unless the lists name it."""
    listed = _listed(term, lists)
    return listed or min(_single(term, lists), REVIEW, key=_ORDER.__getitem__)


def _narrows(named: trove.Reading, reading: trove.Reading) -> bool:
    return len(named.candidates) == 1 and named.candidates[0] in reading.candidates


def _says(text: str | None) -> bool:
    return (text or "").strip().casefold() not in _NOTHING_SAID


def _shown(text: str) -> str:
    return shorten(one_line(text.strip()), _SHOWN)
