"""The licence lists of a policy, and SPDX expressions against them."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line, shorten
from scanagg.model import LicenseVerdict, Reason
from scanagg.policy.spdx import Expression, SpdxError, Term, is_valid, parse, similar

ALLOW, REVIEW, UNKNOWN, DENY = LicenseVerdict
ORDER: Final = attrgetter("order")
# Reports show metadata on one line. Some packages have a whole licence text in the wrong field.
_SHOWN: Final = 200


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
        return min(map(self.judge_version, term.choices()), key=ORDER)

    def judge_version(self, term: Term) -> LicenseVerdict:
        """Return the verdict on one version of one licence, with its exception if it has one."""
        if verdict := self.listed(term):
            return verdict
        if term.exception is None:
            known = DENY if self.closed else ALLOW
            return known if term.is_listed else UNKNOWN
        # An exception on the SPDX list only adds permissions. Another one can do anything.
        verdict = self.judge_version(replace(term, exception=None))
        return verdict if term.has_listed_exception else max(verdict, UNKNOWN, key=ORDER)

    def reason(self, term: Term) -> Reason:
        """Return why a term has its verdict: the list that it is on, or that it is on none."""
        chosen = min(term.choices(), key=lambda choice: self.judge_version(choice).order)
        if verdict := self.listed(chosen):
            return Reason("license-listed", {"term": str(chosen), "list": verdict.value})
        if chosen.exception and chosen.has_listed_exception:
            return self.reason(replace(chosen, exception=None))
        if not (chosen.is_listed and chosen.has_listed_exception):
            return Reason("license-not-spdx", {"term": str(chosen)})
        if self.closed:
            return Reason("license-on-no-list", {"term": str(chosen)})
        return Reason("license-without-lists", {"term": str(chosen)})

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
        text = shown_text(expression)
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
    shown = repr(shown_text(text))
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


def shown_text(text: str) -> str:
    """Return a text of a package or a policy, short and on one line."""
    return shorten(one_line(text.strip()), _SHOWN)
