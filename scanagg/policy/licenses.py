"""The verdict on the licence of a package, by the lists of a policy."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter
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
"""The source of a licence that the policy sets."""

ALLOW, REVIEW, UNKNOWN, DENY = LicenseVerdict
_ORDER: Final = attrgetter("order")
# Reports show metadata on one line. Some packages have a whole licence text in the wrong field.
_SHOWN: Final = 200
# The values that tools write into an empty field.
_EMPTY: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))
# Parts of the names of files with a licence. Others have authors or notices only.
_LICENSE_NAMES: Final = ("licen", "copying")


class LicenseLists(msgspec.Struct, frozen=True):
    """The lists of a policy, compiled by `lists_of`.

    `exact` has the listed terms, `covered` the versions that a listed `-or-later` or `+` includes.
    Without an allow list (`closed` is False), every known licence that is not listed is allowed.
    """

    exact: Mapping[Term, LicenseVerdict] = msgspec.field(default_factory=dict)
    covered: Mapping[Term, LicenseVerdict] = msgspec.field(default_factory=dict)
    closed: bool = False
    classifiers: Literal["all", "any"] = "all"

    def allowing(self, names: Iterable[str]) -> "LicenseLists":
        """Return the lists with more ids allowed, even if they are in another list."""
        entries = [(_entry(name), ALLOW) for name in names]
        return replace(self, exact={**self.exact, **_covered(entries), **dict(entries)})

    def judge(self, tree: Expression) -> tuple[LicenseVerdict, Term]:
        """Return the verdict on an expression, and the term that decides it."""
        if isinstance(tree, Term):
            return self.judge_term(tree), tree
        parts = [self.judge(part) for part in tree.parts]
        pick = max if tree.is_and else min
        return pick(parts, key=lambda part: part[0].order)

    def judge_term(self, term: Term) -> LicenseVerdict:
        """Return the verdict on one term: the best of the versions that the licensee may pick."""
        return min(map(self.judge_version, term.choices()), key=_ORDER)

    def judge_version(self, term: Term) -> LicenseVerdict:
        """Return the verdict on one version of one licence, with its exception if it has one."""
        if verdict := self.listed(term):
            return verdict
        if term.exception is None:
            known = DENY if self.closed else ALLOW
            return known if term.is_listed else UNKNOWN
        # An exception on the SPDX list only adds permissions. Another one can do anything.
        verdict = self.judge_version(replace(term, exception=None))
        return verdict if term.has_listed_exception else max(verdict, UNKNOWN, key=_ORDER)

    def listed(self, term: Term) -> LicenseVerdict | None:
        """Return the verdict of the list that a term is in; None if it is in none."""
        return self.exact.get(term) or self.covered.get(term)


class ListProblem(msgspec.Struct, frozen=True):
    """An entry that cannot be in a list, by the name of the list and the index in it."""

    list: str
    index: int
    message: str


class LicenseDecision(msgspec.Struct, frozen=True):
    """The verdict on a package's licence.

    `expression` is canonical SPDX, or the text of the metadata if that is not SPDX. `term` is the
    part of it that decided, or the candidate. `source` is the metadata field it is from, `clarify`
    if the policy sets it, empty without either. `candidates` are the licences that an ambiguous
    text can mean; the worst of them counts. `notes` explain the rest.
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
    """Return compiled lists of ids. PolicyError with every entry that cannot be in a list."""
    problems = check_lists(allow, review, deny)
    if problems:
        lines = (f"{each.list}: {each.message}" for each in problems)
        raise PolicyError("\n".join(lines), "Lists have SPDX licence ids, such as MIT.")
    entries = [
        (_entry(text), verdict)
        for verdict, texts in ((ALLOW, allow), (REVIEW, review), (DENY, deny))
        for text in texts
    ]
    return LicenseLists(dict(entries), _covered(entries), bool(allow), classifiers)


def check_lists(
    allow: Sequence[str], review: Sequence[str], deny: Sequence[str]
) -> list[ListProblem]:
    """Return the entries that are not a known id, or are in two lists."""
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
                message = f"{term} is also in {seen[term]}: keep it in one list"
                problems.append(ListProblem(name, index, message))
    return problems


def evaluate(expression: str, lists: LicenseLists, source: str = "") -> LicenseDecision:
    """Return the verdict on an SPDX expression: OR takes the best part, AND the worst.

    The verdict on any other text is unknown.
    """
    try:
        tree = parse(expression)
    except SpdxError:
        text = _shown(expression)
        return LicenseDecision(UNKNOWN, text, text, source)
    verdict, term = lists.judge(tree)
    return LicenseDecision(verdict, str(tree), str(term), source)


def canonical(expression: str) -> str | None:
    """Return an expression in canonical SPDX; None for other texts and ids not on the list."""
    try:
        tree = parse(expression)
    except SpdxError:
        return None
    return str(tree) if is_valid(tree) else None


def _entry(text: str) -> Term:
    """Return the term of a list entry. SpdxError if it is not one licence id."""
    shown = repr(_shown(text))
    try:
        tree = parse(text)
    except SpdxError as error:
        raise SpdxError(f"{shown} is not a licence id ({error}){similar(text)}") from None
    if not isinstance(tree, Term):
        raise SpdxError(f"{shown} is an expression: list its licences one by one")
    if not is_valid(tree):
        unlisted = tree.license if not tree.is_listed else tree.exception or ""
        raise SpdxError(f"{shown} is not on the SPDX list{similar(unlisted)}")
    return tree


def _covered(entries: Iterable[tuple[Term, LicenseVerdict]]) -> dict[Term, LicenseVerdict]:
    """Return the versions in listed ranges. The narrower range counts, else the stricter."""
    ranges = [(entry.choices(), verdict) for entry, verdict in entries]
    ranges.sort(key=lambda entry: (-len(entry[0]), entry[1].order))
    return {term: verdict for terms, verdict in ranges for term in terms}


def _shown(text: str) -> str:
    """Return a text of a package or a policy, short and on one line."""
    return shorten(one_line(text.strip()), _SHOWN)


# The metadata of a package, in the order of trust.


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """Return the verdict on the metadata of a package.

    The first of these counts: License-Expression; the License field if it is valid SPDX; the
    classifiers; the License field if it is a common name; the texts of licence files. A common name
    or a text also shows which of its candidates an ambiguous classifier means.
    """
    text = (facts.text or "").strip()
    if facts.expression and not _is_empty(facts.expression):
        return evaluate(facts.expression, lists, "License-Expression")
    if canonical(text):
        return evaluate(text, lists, "License")
    texts = _texts(facts)
    name = trove.common_name(text)
    readings = [
        (classifier, reading)
        for classifier in facts.classifiers
        if (reading := trove.classifier(classifier)) is not None
    ]
    source = "classifiers"
    if not readings and name.candidates:
        readings, source = [(text, name)], "License"
    if len(readings) == 1 and (narrowed := _narrowed(readings[0][1], name, texts, lists)):
        return narrowed
    if readings:
        return _of_readings(readings, lists, source)
    if texts:
        return _of_readings(texts, lists, "License-File")
    if _is_empty(text):
        shown, source = _shown("; ".join(filter(str.strip, facts.classifiers))), ""
    else:
        shown, source = _shown(text), "License"
    return LicenseDecision(UNKNOWN, shown or "UNKNOWN", shown, source)


def _is_empty(text: str) -> bool:
    return text.strip().casefold() in _EMPTY


def _texts(facts: LicenseFacts) -> list[tuple[str, Reading]]:
    """Return the licence of each licence file; nothing if no text is known."""
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
    """Return the one candidate that the common name or the texts confirm; None without one.

    Texts count only if all of them are known: an unknown one could be any other candidate.
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
    """Judge several classifiers: the policy wants all of them to be allowed, or any.

    SPDX cannot express that. The worst candidate of each counts.
    """
    pick = max if lists.classifiers == "all" else min
    verdicts = [(*_worst(reading, lists), reading) for _, reading in readings]
    verdict, term, deciding = pick(verdicts, key=lambda verdict: verdict[0].order)
    first = readings[0][1]
    if len(readings) == 1 and len(first.candidates) == 1 and not first.doubtful:
        return LicenseDecision(verdict, first.candidates[0], term, source)
    shown = _shown("; ".join(text.rpartition("::")[2].strip() for text, _ in readings))
    candidates = dict.fromkeys(name for _, reading in readings for name in reading.names)
    notes: tuple[Reason, ...] = ()
    if len(deciding.names) > 1:
        notes = (Reason("license-ambiguous", {"licenses": tuple(deciding.names), "term": term}),)
    return LicenseDecision(verdict, shown, term or shown, source, tuple(candidates), notes)


def _worst(reading: Reading, lists: LicenseLists) -> tuple[LicenseVerdict, str]:
    """Return the worst of the candidates and its id; unknown without any."""
    verdicts = [(lists.judge_term(Term(name)), name) for name in reading.candidates]
    for name in reading.doubtful:
        # Review at most, unless a list names it.
        term = Term(name)
        verdict = lists.listed(term) or min(lists.judge_version(term), REVIEW, key=_ORDER)
        verdicts.append((verdict, name))
    return max(verdicts, key=lambda verdict: verdict[0].order, default=(UNKNOWN, ""))


# The policy on a package.


class LicenseJudge:
    """The licence section of a policy, compiled for one day (UTC).

    PolicyError if a list has an entry that is not a licence id.
    """

    def __init__(self, section: LicenseSection, today: date) -> None:
        """Compile the lists."""
        self.section = section
        self.today = today
        self.lists = lists_of(section.allow, section.review, section.deny, section.classifiers)
        self._decided: dict[tuple[object, ...], LicenseDecision] = {}

    def judge(self, package: Package, facts: LicenseFacts) -> LicenseDecision:
        """Return the verdict on the licence of a package. Equal cases share one object."""
        name, version = split_purl(package.purl)[0], package.version
        purls = ((name, ""), (name, version))
        clarifications = tuple(
            entry
            for entry in self.section.clarify
            if split_purl(entry.purl) in purls
            and (entry.versions is None or in_range(version, entry.versions))
        )
        exceptions = tuple(
            entry for entry in self.section.exceptions if split_purl(entry.purl) in purls
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
        """Judge by the policy's entries for the package, else by its metadata.

        Entries without effect are in the notes.
        """
        live = [one for one in exceptions if self.today <= date.fromisoformat(one.expires)]
        lists = self.lists.allowing(name for exception in live for name in exception.allow)
        decision, notes = _clarified(facts, clarifications, lists)
        notes += decision.notes
        if decision.verdict is ALLOW:
            return replace(decision, notes=tuple(notes))
        for exception in exceptions:
            if exception in live:
                continue
            excepted, _ = _clarified(facts, clarifications, lists.allowing(exception.allow))
            if excepted.verdict is not decision.verdict:
                days = (self.today - date.fromisoformat(exception.expires)).days
                notes.append(
                    Reason(
                        "license-exception-expired",
                        {"owner": exception.owner, "day": exception.expires, "days": days},
                    )
                )
        return replace(decision, notes=tuple(notes))


def _clarified(
    facts: LicenseFacts, clarifications: Sequence[Clarification], lists: LicenseLists
) -> tuple[LicenseDecision, list[Reason]]:
    """Return the decision, and why clarifications of the package do not apply."""
    voids: list[Reason] = []
    for clarification in clarifications:
        void = _void(clarification, facts)
        if void is None:
            return evaluate(clarification.expression, lists, CLARIFY), voids
        voids.append(void)
    return from_facts(facts, lists), voids


def _void(clarification: Clarification, facts: LicenseFacts) -> Reason | None:
    """Return why a clarification does not apply; None if it does."""
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
