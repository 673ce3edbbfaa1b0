"""The licence of a package, from its metadata and a policy's entries for it."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Final

from msgspec.structs import replace

from scanagg.model import LicenseFacts, LicenseVerdict, Package, Reason, Rule
from scanagg.policy import trove
from scanagg.policy.aspects import in_range, split_purl
from scanagg.policy.license_lists import (
    ALLOW,
    ORDER,
    REVIEW,
    UNKNOWN,
    LicenseDecision,
    LicenseLists,
    canonical,
    evaluate,
    lists_of,
    shown_text,
)
from scanagg.policy.schema import Clarification, LicenseException, LicenseSection
from scanagg.policy.spdx import Term
from scanagg.policy.trove import Reading

CLARIFY: Final = "clarify"
"""The source of a licence that the policy sets."""

# The values that tools write into an empty field.
_EMPTY: Final = frozenset(("", "unknown", "none", "noassertion", "n/a"))
# Parts of the names of files with a licence. Others have authors or notices only.
_LICENSE_NAMES: Final = ("licen", "copying")


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


# The metadata of a package, in the order of trust.


def from_facts(facts: LicenseFacts, lists: LicenseLists) -> LicenseDecision:
    """Return the verdict on the metadata of a package.

    The first of these counts: License-Expression; the License field if it is valid SPDX; the
    classifiers; the License field if it is a common name; the texts of licence files. A common name
    or a text also shows which of its candidates an ambiguous classifier means.
    """
    expression, text = facts.expression or "", (facts.text or "").strip()
    if not _is_empty(expression):
        return evaluate(expression, lists, "License-Expression")
    if canonical(text):
        return evaluate(text, lists, "License")
    texts, name = _texts(facts), trove.common_name(text)
    readings = {
        "classifiers": [
            (words, reading)
            for words in facts.classifiers
            if (reading := trove.classifier(words)) is not None
        ],
        "License": [(text, name)] if name.candidates else [],
        "License-File": texts,
    }
    source = next(filter(readings.get, readings), None)
    if source:
        narrowed = _narrowed(readings[source], name, texts, lists)
        return narrowed or _of_readings(readings[source], lists, source)
    if _is_empty(text):
        shown, source = shown_text("; ".join(filter(str.strip, facts.classifiers))), ""
    else:
        shown, source = shown_text(text), "License"
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
    readings: Sequence[tuple[str, Reading]],
    name: Reading,
    texts: Sequence[tuple[str, Reading]],
    lists: LicenseLists,
) -> LicenseDecision | None:
    """Return the one candidate that the common name or the texts confirm; None without one.

    Texts count only if all of them are known: an unknown one could be any other candidate.
    """
    if len(readings) > 1:
        return None
    reading = readings[0][1]
    if name.only and name.only in reading.candidates:
        return evaluate(name.only, lists, "License")
    if reading.only or not all(text.candidates for _, text in texts):
        return None
    meant = set(reading.candidates).intersection(text.only for _, text in texts)
    return evaluate(meant.pop(), lists, "License-File") if len(meant) == 1 else None


def _of_readings(
    readings: Sequence[tuple[str, Reading]], lists: LicenseLists, source: str
) -> LicenseDecision:
    """Judge several classifiers: the policy wants all of them to be allowed, or any.

    SPDX cannot express that. The worst candidate of each counts.
    """
    pick = max if lists.classifiers == "all" else min
    verdicts = [(*_worst(reading, lists), reading) for _, reading in readings]
    verdict, term, deciding = pick(verdicts, key=lambda verdict: verdict[0].order)
    if len(readings) == 1 and deciding.only:
        return LicenseDecision(verdict, deciding.only, term, source)
    shown = shown_text("; ".join(text.rpartition("::")[2].strip() for text, _ in readings))
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
        verdict = lists.listed(term) or min(lists.judge_version(term), REVIEW, key=ORDER)
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
