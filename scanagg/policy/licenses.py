"""The licence of a package, from its metadata and a policy's entries for it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from msgspec.structs import replace

from scanagg.model import LicenseFacts, LicenseVerdict, Package, Reason, Rule
from scanagg.policy.aspects import in_range, split_purl
from scanagg.policy.license_lists import (
    ALLOW,
    ORDER,
    UNKNOWN,
    LicenseDecision,
    LicenseLists,
    canonical,
    evaluate,
    lists_of,
    shown_text,
)
from scanagg.policy.schema import Clarification, LicenseException, LicenseSection
from scanagg.policy.spdx import SpdxError, Term, parse
from scanagg.policy.statements import (
    FILES,
    LicenseStatement,
    contradiction,
    narrowed,
    stated_words,
    statements,
    unnamed_texts,
)
from scanagg.policy.trove import Reading

CLARIFY: Final = "clarify"
"""The source of a licence that the policy sets."""

RULES: Final[Mapping[LicenseVerdict, Rule]] = {
    LicenseVerdict.DENY: Rule(
        id="license-denied",
        name="license-denied",
        title="Denied licence",
        help=(
            "Replace the package, or use a version under another licence. If the project may use "
            "it, allow the licence, or make an exception for the package, in the policy."
        ),
        why="The policy does not allow the licence: its terms may not fit those of the project.",
        bad="License-Expression: AGPL-3.0-only",
        good="License-Expression: MIT",
    ),
    LicenseVerdict.UNKNOWN: Rule(
        id="license-unknown",
        name="license-unknown",
        title="Unknown licence",
        help=(
            "Look the licence up in the package's source, and record it in the policy under "
            "licenses.clarify."
        ),
        why="Without a licence, nobody has the right to use or distribute the package.",
        bad="License: see the website",
        good="License-Expression: MIT",
    ),
    LicenseVerdict.REVIEW: Rule(
        id="license-review",
        name="license-review",
        title="Licence that needs a review",
        help=(
            "Check how the project uses the package, and record the result: a waiver, or an "
            "exception in the policy under licenses.exceptions."
        ),
        why="The licence is fine for some uses only, such as a library that is not changed.",
        bad="License-Expression: LGPL-3.0-or-later",
        good="License-Expression: MIT",
    ),
}
"""The rule of a licence finding, by the verdict. Its witnesses have the rules of their scanners."""


# The metadata of a package.


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """Return the verdict on the metadata of a package.

    The first statement that leaves nothing open counts, or one that names more licences, with a
    worse verdict. Statements that contradict each other are unknown, or denied if both are. So are
    licence texts that the metadata does not name, if they are worse.
    """
    found = statements(facts)
    if not found:
        shown, source = stated_words(facts)
        return LicenseDecision(UNKNOWN, shown or "UNKNOWN", shown, source)
    opposed = contradiction(facts, found)
    if opposed:
        return _of_contradiction(opposed, lists)
    main = next((statement for statement in found if statement.is_precise), found[0])
    wider = [
        narrowed(each, found) for each in found if each.source != FILES and not main.covers(each)
    ]
    decisions = [_of_statement(statement, lists) for statement in (main, *wider)]
    decision = max(decisions, key=lambda decision: decision.verdict.order)
    for text in unnamed_texts(facts, found) if main.source != FILES else ():
        if _of_statement(text, lists).verdict.order > decision.verdict.order:
            return _of_contradiction((main, text), lists)
    return decision


def of_words(words: str, lists: LicenseLists) -> LicenseDecision:
    """Return the verdict on an expression, or on other words that a License field can have."""
    facts = LicenseFacts(text=words)
    known = canonical(words) is None and statements(facts)
    return from_facts(facts, lists) if known else evaluate(words, lists)


def why(decision: LicenseDecision, words: str, lists: LicenseLists) -> Iterator[Reason]:
    """Yield how these words were read, and which list of the policy decided."""
    if decision.expression.casefold() != words.strip().casefold():
        yield Reason("license-read", {"words": shown_text(words), "license": decision.expression})
    yield from decision.notes
    with contextlib.suppress(SpdxError):
        term = parse(decision.term)
        if isinstance(term, Term):
            yield lists.reason(term)


def _of_contradiction(
    opposed: tuple[LicenseStatement, LicenseStatement], lists: LicenseLists
) -> LicenseDecision:
    one, other = opposed
    decisions = [_of_statement(statement, lists) for statement in (one, other)]
    best = min((decision.verdict for decision in decisions), key=ORDER)
    shown = shown_text("; ".join(f"{each.source}: {each.words}" for each in (one, other)))
    names = (
        name for each in (one, other) for _, reading in each.readings for name in reading.candidates
    )
    return LicenseDecision(
        max(best, UNKNOWN, key=ORDER),
        shown,
        shown,
        f"{one.source}, {other.source}",
        tuple(dict.fromkeys(names)),
        (
            Reason(
                "license-contradiction",
                {
                    "source": one.source,
                    "words": one.words,
                    "other": other.source,
                    "others": other.words,
                },
            ),
        ),
    )


def _of_statement(statement: LicenseStatement, lists: LicenseLists) -> LicenseDecision:
    """Judge the licences of a statement: the policy wants all of them to be allowed, or any.

    SPDX cannot express that. The worst candidate of each counts.
    """
    if statement.expression or not statement.readings:
        return evaluate(statement.expression or statement.words, lists, statement.source)
    pick = max if lists.classifiers == "all" else min
    verdicts = [(*_worst(reading, lists), reading) for _, reading in statement.readings]
    verdict, term, deciding = pick(verdicts, key=lambda verdict: verdict[0].order)
    candidates = dict.fromkeys(
        name for _, reading in statement.readings for name in reading.candidates
    )
    notes: tuple[Reason, ...] = ()
    if len(deciding.candidates) > 1:
        notes = (Reason("license-ambiguous", {"licenses": deciding.candidates, "term": term}),)
    return LicenseDecision(
        verdict,
        statement.words,
        term or statement.words,
        statement.source,
        tuple(candidates),
        notes,
    )


def _worst(reading: Reading, lists: LicenseLists) -> tuple[LicenseVerdict, str]:
    """Return the worst of the candidates and its id; unknown without any."""
    verdicts = [(lists.judge_term(Term(name)), name) for name in reading.candidates]
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
