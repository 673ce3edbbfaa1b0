"""Lists of licence ids, and the verdict on an SPDX expression against them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line, shorten
from scanagg.model import LicenseVerdict
from scanagg.policy.licenses import spdx
from scanagg.policy.licenses.spdx import Both, Expression, SpdxError, Term

# Metadata is one line in every report; a licence text in the wrong field is cut.
_SHOWN: Final = 200

ALLOW, REVIEW, UNKNOWN, DENY = (
    LicenseVerdict.ALLOW,
    LicenseVerdict.REVIEW,
    LicenseVerdict.UNKNOWN,
    LicenseVerdict.DENY,
)
ORDER: Final = {verdict: verdict.order for verdict in LicenseVerdict}


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


class Evaluation(msgspec.Struct, frozen=True):
    """The verdict, the term that decided it, and the canonical expression."""

    verdict: LicenseVerdict
    term: str
    expression: str


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
        words = shown(expression)
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


def _entry(text: str) -> Term:
    """The one term that a list entry is. SpdxError where it is not one."""
    words = repr(shown(text))
    try:
        tree = spdx.parse(text)
    except SpdxError as error:
        raise SpdxError(f"{words} is no licence id ({error}){_similar(text)}") from None
    if not isinstance(tree, Term):
        raise SpdxError(f"{words} is an expression: list its licences one by one")
    if not spdx.is_valid(tree):
        unlisted = tree.license if not tree.is_listed else tree.exception or ""
        raise SpdxError(f"{words} is not on the SPDX list{_similar(unlisted)}")
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
        return leaf(tree, lists), tree
    parts = [_verdict(part, lists) for part in tree.parts]
    pick = max if isinstance(tree, Both) else min
    return pick(parts, key=lambda part: ORDER[part[0]])


def leaf(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """The verdict on one term: the best of the versions that the licensee may pick."""
    verdicts = (single(choice, lists) for choice in term.choices())
    return min(verdicts, key=ORDER.__getitem__)


def single(term: Term, lists: LicenseLists) -> LicenseVerdict:
    """The verdict on one version of one licence, with its exception if it has one."""
    said = listed(term, lists)
    if said is not None:
        return said
    if term.exception is None:
        if not term.is_listed:
            return UNKNOWN
        return DENY if lists.closed else ALLOW
    # An exception on the SPDX list only adds permissions; what another says, nobody knows.
    base = single(term.bare, lists)
    return base if term.has_listed_exception else max(base, UNKNOWN, key=ORDER.__getitem__)


def listed(term: Term, lists: LicenseLists) -> LicenseVerdict | None:
    """What the lists themselves say of a licence; None where they are silent."""
    return lists.exact.get(term) or lists.covered.get(term)


def allowing(lists: LicenseLists, terms: Iterable[str]) -> LicenseLists:
    """The lists with more ids allowed, whatever else they say of these. SpdxError for no id."""
    entries = [(_entry(each), ALLOW) for each in terms]
    return replace(lists, exact={**lists.exact, **_covered(entries), **dict(entries)})


def entry_problem(text: str) -> str | None:
    """Why the text cannot be in a list of licences; None where it can."""
    try:
        _entry(text)
    except SpdxError as error:
        return str(error)
    return None


def shown(text: str) -> str:
    """A foreign text, short and on one line."""
    return shorten(one_line(text.strip()), _SHOWN)
