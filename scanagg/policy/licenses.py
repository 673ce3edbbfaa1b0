"""The verdict on the licence of a package: metadata, or the policy's own word, against lists."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line, shorten
from scanagg.model import LicenseFacts, LicenseVerdict, Package, Reason
from scanagg.policy import trove
from scanagg.policy.aspects import in_range, split_purl
from scanagg.policy.schema import Clarification, LicenseException, LicenseSection
from scanagg.policy.spdx import Expression, SpdxError, Term, is_valid, parse, similar
from scanagg.policy.trove import Reading

CLARIFY: Final = "clarify"
"""The source of a licence that the policy itself says."""

ALLOW, REVIEW, UNKNOWN, DENY = LicenseVerdict
# Metadata is one line in every report; a licence text in the wrong field is cut.
_SHOWN: Final = 200
# What older tools write where nothing was said.
_NOTHING_SAID: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))
# Files that hold a licence, and not only authors or notices, by how they are named.
_LICENSE_NAMES: Final = ("licen", "copying")


class LicenseLists(msgspec.Struct, frozen=True):
    """The lists of a policy, ready to ask; made by `lists_of`.

    `exact` holds the listed terms, `covered` the versions that a listed `-or-later` or `+` takes
    in. Without an allow list (`closed` false) every known licence that is not listed is allowed.
    """

    exact: Mapping[Term, LicenseVerdict] = msgspec.field(default_factory=dict)
    covered: Mapping[Term, LicenseVerdict] = msgspec.field(default_factory=dict)
    closed: bool = False
    classifiers: Literal["all", "any"] = "all"


class ListProblem(msgspec.Struct, frozen=True):
    """An entry that cannot be in a list: which list, which place in it (from 0), and why."""

    list: str
    index: int
    message: str


class LicenseDecision(msgspec.Struct, frozen=True):
    """The verdict on a package's licence.

    `expression` is canonical SPDX, or the metadata's own words where these are none. `term` is the
    part of it that decided, or the candidate. `source` is what was believed: the metadata field,
    `clarify` for the policy's own word; empty where none says anything. `candidates` are the
    licences that ambiguous words can mean; the worst of them counts. `notes` explain the rest.
    """

    verdict: LicenseVerdict
    expression: str
    term: str
    source: str = ""
    candidates: tuple[str, ...] = ()
    notes: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The part of the expression that decided, and the notes."""
        if not self.term or self.term == self.expression:
            return self.notes
        decided = Reason("license-term", {"term": self.term, "verdict": self.verdict.value})
        return (decided, *self.notes)


# Lists, and expressions against them.


def lists_of(
    allow: Sequence[str] = (),
    review: Sequence[str] = (),
    deny: Sequence[str] = (),
    classifiers: Literal["all", "any"] = "all",
) -> LicenseLists:
    """Return lists of ids, ready to ask. PolicyError with every entry that cannot be in one."""
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
    """Return what is wrong with lists: no id, an unknown one, an expression, one in two lists."""
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


def evaluate(expression: str, lists: LicenseLists, source: str = "") -> LicenseDecision:
    """Return the verdict on an SPDX expression: OR takes the best part, AND the worst.

    What is no expression is unknown, and shown as it stands.
    """
    try:
        tree = parse(expression)
    except SpdxError:
        words = _shown(expression)
        return LicenseDecision(UNKNOWN, words, words, source)
    verdict, term = _verdict(tree, lists)
    return LicenseDecision(verdict, str(tree), str(term), source)


def canonical(expression: str) -> str | None:
    """Return an expression in canonical SPDX; None if it is none, or has an id not on the list."""
    try:
        tree = parse(expression)
    except SpdxError:
        return None
    return str(tree) if is_valid(tree) else None


def _entry(text: str) -> Term:
    """Return the one term that a list entry is. SpdxError where it is not one."""
    words = repr(_shown(text))
    try:
        tree = parse(text)
    except SpdxError as error:
        raise SpdxError(f"{words} is no licence id ({error}){similar(text)}") from None
    if not isinstance(tree, Term):
        raise SpdxError(f"{words} is an expression: list its licences one by one")
    if not is_valid(tree):
        unlisted = tree.license if not tree.is_listed else tree.exception or ""
        raise SpdxError(f"{words} is not on the SPDX list{similar(unlisted)}")
    return tree


def _covered(entries: Iterable[tuple[Term, LicenseVerdict]]) -> dict[Term, LicenseVerdict]:
    """Return versions in listed ranges: the narrower range counts, of equal ones the stricter."""
    ranges = [(entry.choices(), verdict) for entry, verdict in entries]
    ranges.sort(key=lambda each: (-len(each[0]), each[1].order))
    return {term: verdict for terms, verdict in ranges for term in terms}


def _verdict(tree: Expression, lists: LicenseLists) -> tuple[LicenseVerdict, Term]:
    if isinstance(tree, Term):
        return _of_term(tree, lists), tree
    parts = [_verdict(part, lists) for part in tree.parts]
    pick = max if tree.is_and else min
    return pick(parts, key=lambda part: part[0].order)


def _of_term(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """Return the verdict on one term: the best of the versions that the licensee may pick."""
    return min((_of_version(choice, lists) for choice in term.choices()), key=_order)


def _of_version(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """Return the verdict on one version of one licence, with its exception if it has one."""
    verdict = _listed(term, lists)
    if verdict is not None:
        return verdict
    if term.exception is None:
        if not term.is_listed:
            return UNKNOWN
        return DENY if lists.closed else ALLOW
    # An exception on the SPDX list only adds permissions; what another says, nobody knows.
    verdict = _of_version(replace(term, exception=None), lists)
    return verdict if term.has_listed_exception else max(verdict, UNKNOWN, key=_order)


def _listed(term: Term, lists: LicenseLists) -> LicenseVerdict | None:
    return lists.exact.get(term) or lists.covered.get(term)


def _order(verdict: LicenseVerdict) -> int:
    return verdict.order


def _shown(text: str) -> str:
    """Return a foreign text, short and on one line."""
    return shorten(one_line(text.strip()), _SHOWN)


# The metadata of a package, in the order of trust.


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """Return the verdict on what a package's metadata says.

    Believed is the first of: License-Expression; the License field where it is valid SPDX; the
    classifiers; the License field where it is a common name; the texts of licence files. A common
    name and a text also tell which of the candidates an ambiguous classifier means.
    """
    text = (facts.text or "").strip()
    if facts.expression and _says(facts.expression):
        return evaluate(facts.expression, lists, "License-Expression")
    if _says(text) and canonical(text):
        return evaluate(text, lists, "License")
    texts = _texts(facts)
    name = trove.common_name(text)
    readings = [(words, trove.classifier(words)) for words in facts.classifiers]
    telling = [(words, reading) for words, reading in readings if reading is not None]
    source = "classifiers"
    if not telling and name.candidates:
        telling, source = [(text, name)], "License"
    if telling:
        if len(telling) == 1:
            narrowed = _narrowed(telling[0][1], name, texts, lists)
            if narrowed:
                return narrowed
        return _of_readings(telling, lists, source)
    if texts:
        return _of_readings(texts, lists, "License-File")
    words = _shown(text if _says(text) else "; ".join(filter(str.strip, facts.classifiers)))
    return LicenseDecision(UNKNOWN, words or "UNKNOWN", words, "License" if _says(text) else "")


def _says(text: str) -> bool:
    return text.strip().casefold() not in _NOTHING_SAID


def _texts(facts: LicenseFacts) -> list[tuple[str, Reading]]:
    """Return what each licence file says; nothing if none is known: then nobody has read any."""
    names: dict[str, Reading] = {}
    for file in facts.files:
        file_name = PurePosixPath(file.path).name.casefold()
        if file.license:
            names[file.license] = trove.text(file.license)
        elif any(word in file_name for word in _LICENSE_NAMES):
            names.setdefault(file.path, Reading())
    return list(names.items()) if any(reading.candidates for reading in names.values()) else []


def _narrowed(
    reading: Reading, name: Reading, texts: Sequence[tuple[str, Reading]], lists: LicenseLists
) -> LicenseDecision | None:
    """Return the one candidate that a common name or the licence's text tells; None if they can't.

    Texts tell only where every one of them is known: another could hold what was left out.
    """
    if len(name.candidates) == 1 and not name.doubtful and name.candidates[0] in reading.candidates:
        return evaluate(name.candidates[0], lists, "License")
    if not all(text.candidates for _, text in texts):
        return None
    meant = {text.candidates[0] for _, text in texts if len(text.candidates) == 1}
    meant &= set(reading.candidates)
    if len(meant) != 1 or (len(reading.candidates) == 1 and not reading.doubtful):
        return None
    return evaluate(meant.pop(), lists, "License-File")


def _of_readings(
    readings: Sequence[tuple[str, Reading]], lists: LicenseLists, source: str
) -> LicenseDecision:
    """Judge several classifiers: all must be allowed, or any, as the policy says.

    SPDX cannot say it. Of each the worst candidate counts.
    """
    pick = max if lists.classifiers == "all" else min
    verdicts = [(*_worst(reading, lists), reading) for _, reading in readings]
    verdict, term, deciding = pick(verdicts, key=lambda each: each[0].order)
    first = readings[0][1]
    if len(readings) == 1 and len(first.candidates) == 1 and not first.doubtful:
        return LicenseDecision(verdict, first.candidates[0], term, source)
    words = _shown("; ".join(words.rpartition("::")[2].strip() for words, _ in readings))
    candidates = dict.fromkeys(name for _, reading in readings for name in reading.names)
    notes: tuple[Reason, ...] = ()
    if len(deciding.names) > 1:
        notes = (Reason("license-ambiguous", {"licenses": tuple(deciding.names), "term": term}),)
    return LicenseDecision(verdict, words, term or words, source, tuple(candidates), notes)


def _worst(reading: Reading, lists: LicenseLists) -> tuple[LicenseVerdict, str]:
    """Return the worst of the candidates and its id; unknown where there is none."""
    verdicts = [(_of_term(Term(name), lists), name) for name in reading.candidates]
    for name in reading.doubtful:
        # A reason to look at most, unless the lists name it.
        term = Term(name)
        verdict = _listed(term, lists) or min(_of_version(term, lists), REVIEW, key=_order)
        verdicts.append((verdict, name))
    return max(verdicts, key=lambda each: each[0].order, default=(UNKNOWN, ""))


# What the policy says of a package.


class LicenseJudge:
    """The licence section of a policy, ready to judge packages by on one day (UTC).

    PolicyError where a list holds what is no licence id.
    """

    def __init__(self, section: LicenseSection, today: date) -> None:
        """Compile the lists, and sort the entries by the package that they are about."""
        self.today = today
        self.lists = lists_of(section.allow, section.review, section.deny, section.classifiers)
        self._clarify: dict[str, list[Clarification]] = {}
        self._exceptions: dict[str, list[LicenseException]] = {}
        for clarification in section.clarify:
            name = split_purl(clarification.purl)[0]
            self._clarify.setdefault(name, []).append(clarification)
        for exception in section.exceptions:
            self._exceptions.setdefault(split_purl(exception.purl)[0], []).append(exception)
        self._decided: dict[tuple[object, ...], LicenseDecision] = {}

    def judge(self, package: Package, facts: LicenseFacts) -> LicenseDecision:
        """Return the verdict on the licence of a package, the same object for what is alike."""
        name, version = split_purl(package.purl)[0], package.version
        clarifications = tuple(
            each
            for each in self._clarify.get(name, ())
            if split_purl(each.purl)[1] in ("", version)
            and (each.versions is None or in_range(version, each.versions))
        )
        exceptions = tuple(
            each
            for each in self._exceptions.get(name, ())
            if split_purl(each.purl)[1] in ("", version)
        )
        key = (facts, clarifications, exceptions)
        if key not in self._decided:
            self._decided[key] = self._decide(facts, clarifications, exceptions)
        return self._decided[key]

    def _decide(
        self,
        facts: LicenseFacts,
        clarifications: Sequence[Clarification],
        exceptions: Sequence[LicenseException],
    ) -> LicenseDecision:
        """Return what the policy says of it, else its metadata; what had no effect is a note."""
        live = [each for each in exceptions if self.today <= date.fromisoformat(each.expires)]
        lists = _allowing(self.lists, [name for each in live for name in each.allow])
        decision, notes = _clarified(facts, clarifications, lists)
        notes += decision.notes
        if decision.verdict is ALLOW:
            return replace(decision, notes=tuple(notes))
        for exception in exceptions:
            if exception in live:
                continue
            then, _ = _clarified(facts, clarifications, _allowing(lists, exception.allow))
            if then.verdict is not decision.verdict:
                days = (self.today - date.fromisoformat(exception.expires)).days
                notes.append(
                    Reason(
                        "license-exception-expired",
                        {"owner": exception.owner, "day": exception.expires, "days": days},
                    )
                )
        return replace(decision, notes=tuple(notes))


def _allowing(lists: LicenseLists, terms: Iterable[str]) -> LicenseLists:
    """Return the lists with more ids allowed, whatever else they say of these."""
    entries = [(_entry(term), ALLOW) for term in terms]
    return replace(lists, exact={**lists.exact, **_covered(entries), **dict(entries)})


def _clarified(
    facts: LicenseFacts, clarifications: Sequence[Clarification], lists: LicenseLists
) -> tuple[LicenseDecision, list[Reason]]:
    """Return the decision, and why clarifications that match are void."""
    voids: list[Reason] = []
    for clarification in clarifications:
        void = _void(clarification, facts)
        if void is None:
            return evaluate(clarification.expression, lists, CLARIFY), voids
        voids.append(void)
    return from_facts(facts, lists), voids


def _void(clarification: Clarification, facts: LicenseFacts) -> Reason | None:
    """Return why a clarification does not count; None where it does."""
    evidence, license_ = clarification.evidence, clarification.expression
    if evidence is None:
        return None
    path = evidence.path
    hashes = [file.sha256 for file in facts.files if file.path == path]
    if evidence.sha256 in hashes:
        return None
    if hashes:
        return Reason("evidence-changed", {"license": license_, "path": path, "sha256": hashes[0]})
    if facts.files:
        files = tuple(file.path for file in facts.files)
        return Reason("evidence-missing", {"license": license_, "path": path, "files": files})
    return Reason("evidence-unknown", {"license": license_, "path": path})
