"""The keys of a rule's `match`, each described by one `Aspect`.

To add a key, add a record to `ASPECTS`. Loading, judging, `explain`, `policy check`, `policy test`,
locks, and the JSON Schema all read it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase, translate
from functools import cache, partial
from operator import le
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from scanagg.core.patterns import globs
from scanagg.core.text import quoted, suggestion
from scanagg.model import (
    Advisory,
    Category,
    Change,
    Confidence,
    Finding,
    LicenseVerdict,
    Origin,
    PathKind,
    Scope,
    Severity,
    purl_without_version,
)
from scanagg.model.paths import path_kind
from scanagg.scanners.base import all_scanners

Text = Annotated[str, Meta(min_length=1)]
Likelihood = Annotated[
    str,
    Meta(
        pattern=r"^>=(0(\.[0-9]+)?|1(\.0+)?)$",
        description='a minimum probability from 0 to 1, such as ">=0.5"',
    ),
]
Probability = Annotated[float, Meta(ge=0, le=1, description="a probability from 0 to 1")]
Level = Literal["critical", "high", "medium", "low", "info"]
SeverityTest = Level | Literal["unknown", ">=critical", ">=high", ">=medium", ">=low", ">=info"]
CategoryWord = Literal[
    "vulnerability", "vuln", "code", "secret", "license", "misconfiguration", "iac"
]
ScopeWord = Literal["runtime", "dev"]
VerdictWord = Literal["review", "unknown", "deny"]
OriginWord = Literal["introduced", "disclosed", "existing"]
ConfidenceWord = Literal["likely", "possible", "unlikely", "high", "medium", "low", "unknown"]
PathKindWord = Literal["production", "tests", "docs", "examples", "vendored", "generated"]

NOTHING: Final = "none"
"""The words for a value that a finding of another category does not have."""
_NO_DATA: Final = "no data"

_SHORT_FORMS: Final = {"vuln": Category.VULNERABILITY, "iac": Category.MISCONFIGURATION}
_LEVELS: Final = tuple(severity for severity in Severity if severity is not Severity.UNKNOWN)
_PYPI: Final = "pkg:pypi/"
_GLOB: Final = re.compile(r"[*?\[]")
_GROUP_NAME: Final = re.compile(r"\(\?P<ps_d>")
# The time to match a pattern grows with the path length to the power of the number of stars.
_MOST_STARS_IN_A_NAME: Final = 3
_MOST_DEEP_STARS: Final = 3


class Subject(msgspec.Struct, frozen=True):
    """A finding as rules see it: with its severity, licence verdict and origin.

    `compared` is the severity that rules compare. It is never unknown.
    """

    finding: Finding
    severity: Severity
    compared: Severity
    verdict: LicenseVerdict | None
    origin: Origin = Origin.INTRODUCED


class CaseKey(msgspec.Struct, frozen=True):
    """A key of a `policy test` case: its type, and the function that sets it in a finding."""

    type: object
    put: Callable[[Finding, Any], Finding]


class Aspect(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a rule's `match`.

    `type` is the type of its value in a policy file: one word or a list of words. `problem` returns
    what is wrong with a word of the right type, and a hint. `value` reads a subject; None matches
    nothing. `accepts` returns the values that a word stands for; if they cannot be listed, `test`
    takes its place. `has` describes a subject's value in words.

    Only findings of `categories` have the aspect. `possible` returns all values of a category,
    given the severity that stands for an unknown one. If they cannot be listed, `covers` returns
    True if everything that meets the second list of words certainly meets the first.

    `is_data` means that the value comes from downloaded data, so a missing value is reported. With
    `has_places`, the value is a tuple of places, of which one or all must match. `case` is the
    key's form in a `policy test` case, unless `Example` already has a field of this name.
    """

    key: str
    type: object
    value: Callable[[Subject], Any]
    has: Callable[[Subject], str]
    problem: Callable[[str], tuple[str, str] | None] | None = None
    accepts: Callable[[Any], Iterable[object]] = lambda word: (word,)
    test: Callable[[Sequence[Any]], Callable[[Any], bool]] | None = None
    categories: frozenset[Category] = frozenset(Category)
    possible: Callable[[Category, Severity], Iterable[object]] | None = None
    covers: Callable[[Sequence[Any], Sequence[Any]], bool] | None = None
    is_data: bool = False
    has_places: bool = False
    case: CaseKey | None = None

    def accepted(self, words: Iterable[object]) -> frozenset[object]:
        """Return the values that any of the words stands for."""
        return frozenset(value for word in words for value in self.accepts(word))

    def compiled(self, words: Sequence[Any], *, every_place: bool) -> Callable[[Any], bool]:
        """Return a test of a subject's value: with `every_place`, all its places must match."""
        test = self.test(words) if self.test else self.accepted(words).__contains__
        if not self.has_places:
            return test
        if every_place:
            return cache(lambda places: bool(places) and all(map(test, places)))
        return cache(lambda places: any(map(test, places)))

    def takes_in(self, broad: Sequence[Any], narrow: Sequence[Any]) -> bool:
        """Return True if everything that meets `narrow` certainly meets `broad`."""
        if self.covers:
            return self.covers(broad, narrow)
        return bool(narrow) and self.accepted(narrow) <= self.accepted(broad)


# Names of a finding.


def category_of(word: str) -> Category:
    """Return the category for a word of the policy, which can be a short form."""
    return _SHORT_FORMS.get(word) or Category(word)


def ids_of(finding: Finding) -> tuple[str, ...]:
    """Return every id by which a rule or a waiver can name a finding."""
    advisory, witnesses = finding.advisory, finding.witnesses
    aliases = (advisory.id, *advisory.aliases) if advisory else ()
    return (finding.rule.id, *[witness.rule for witness in witnesses], *aliases)


def paths_of(finding: Finding) -> tuple[str, ...]:
    """Return every path of a finding, without duplicates."""
    location, places = finding.location, finding.places
    if location and not places:
        return (location.path,)
    own = [location.path] if location else []
    return tuple(dict.fromkeys([*own, *[place.path for place in places]]))


def _path_kinds(finding: Finding) -> tuple[PathKind, ...]:
    """Return the kind of each path of a finding, without duplicates."""
    return tuple(dict.fromkeys(map(path_kind, paths_of(finding))))


@cache
def package_name(text: str) -> str:
    """Return a name or a glob in the form of PEP 503: `Foo_Bar*` becomes `foo-bar*`."""
    return canonicalize_name(text)


@cache
def split_purl(text: str) -> tuple[str, str]:
    """Return a package URL in its normal form, without version and qualifiers, and its version."""
    bare = purl_without_version(text)
    version = text.partition("?")[0].partition("#")[0][len(bare) + 1 :]
    bare = bare.partition("#")[0]
    if bare.lower().startswith(_PYPI):
        bare = _PYPI + package_name(bare[len(_PYPI) :])
    return bare, unquote(version)


@cache
def in_range(version: str, versions: str) -> bool:
    """Return True if a version is in a PEP 440 range. Pre-releases count."""
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except ValueError:  # also for a number with thousands of digits
        return False


# Path patterns.


def path_test(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a cached test of a path against patterns that `path_problem` accepts.

    `GitIgnoreSpec.match_file` takes ten times as long as one expression for all patterns.
    """
    regexes = [pattern.regex.pattern for pattern in globs(patterns).patterns if pattern.regex]
    if not regexes:
        return lambda path: False
    # Group names must be unique in one expression.
    matches = re.compile("|".join(_GROUP_NAME.sub("(?:", regex) for regex in regexes)).match
    return cache(lambda path: matches(path) is not None)


def path_problem(pattern: str) -> tuple[str, str] | None:
    """Return what is wrong with a path pattern, and a hint; None if it can be used."""
    names = pattern.split("/")
    try:
        compiled = list(globs([pattern]).patterns)
    except ValueError:
        problem = "is not a valid path pattern"
    else:
        if not compiled or compiled[0].include is None:
            problem = "matches nothing"
        elif sum("**" in name for name in names) > _MOST_DEEP_STARS:
            problem = f"has ** more than {_MOST_DEEP_STARS} times"
        elif any(name.count("*") > _MOST_STARS_IN_A_NAME for name in names):
            problem = f"has more than {_MOST_STARS_IN_A_NAME} stars in one name"
        elif not compiled[0].include:
            problem = "begins with !, which would match everything else"
        else:
            return None
    hint = "Write path patterns as in .gitignore: docs/**, *.tf, Dockerfile."
    return f"{quoted(pattern)} {problem}", hint


def scanner_problem(name: str) -> tuple[str, str] | None:
    """Return what is wrong with the name of a scanner, and a hint; None if the scanner exists."""
    names = tuple(all_scanners())
    if name in names:
        return None
    hint = f"Scanners: {', '.join(names)}."
    return f"unknown scanner {quoted(name)}{suggestion(name, names)}", hint


# Tests and comparisons of single aspects.


def _severities(word: str) -> Iterable[object]:
    """Return the pairs that a word accepts: a severity, and the one it is compared as."""
    if word == "unknown":
        return [(Severity.UNKNOWN, level) for level in _LEVELS]
    least = Severity(word.removeprefix(">="))
    levels = [
        level
        for level in _LEVELS
        if level is least or (word.startswith(">=") and level.at_least(least))
    ]
    return [(severity, level) for level in levels for severity in (level, Severity.UNKNOWN)]


def _text_test(words: Sequence[str]) -> Callable[[tuple[str, ...]], bool]:
    """Return a cached test: any of the texts is one of the words, or matches one that is a glob."""
    patterns = [word for word in words if _GLOB.search(word)]
    plain = frozenset(words).difference(patterns)
    matches = re.compile("|".join(map(translate, patterns))).match if patterns else None

    def test(texts: tuple[str, ...]) -> bool:
        return not plain.isdisjoint(texts) or (matches is not None and any(map(matches, texts)))

    return cache(test)


def _package_test(words: Sequence[str]) -> Callable[[tuple[str, str]], bool]:
    """Return a cached test: the name or purl of a package matches a name, a purl, or a glob."""
    purls = [word for word in words if word.startswith("pkg:")]
    name_test = _text_test([package_name(word) for word in words if word not in purls])
    purl_test = _text_test(purls)

    def test(package: tuple[str, str]) -> bool:
        name, purl = package
        if name_test((package_name(name),)):
            return True
        return bool(purls) and purl_test((purl, purl.partition("?")[0], purl_without_version(purl)))

    return cache(test)


def _least(words: Iterable[str]) -> float:
    return min(float(word.removeprefix(">=")) for word in words)


def _texts_cover(broad: Sequence[str], narrow: Sequence[str]) -> bool:
    return bool(narrow) and all(
        word in broad
        or (not _GLOB.search(word) and any(fnmatchcase(word, pattern) for pattern in broad))
        for word in narrow
    )


def _packages_cover(broad: Sequence[str], narrow: Sequence[str]) -> bool:
    names = [package_name(word) for word in broad if not word.startswith("pkg:")]
    return bool(narrow) and all(
        word in broad or (not word.startswith("pkg:") and _texts_cover(names, [package_name(word)]))
        for word in narrow
    )


# Reading a finding, and changing one for a `policy test` case.


def _of_advisory(read: Callable[[Advisory], Any]) -> Callable[[Subject], Any]:
    return lambda subject: read(subject.finding.advisory) if subject.finding.advisory else None


def _described(read: Callable[[Advisory], Any]) -> Callable[[Subject], str]:
    """Return a function that describes data of an advisory, which may be missing."""

    def describe(subject: Subject) -> str:
        if subject.finding.advisory is None:
            return NOTHING
        value = read(subject.finding.advisory)
        return _NO_DATA if value is None else str(value)

    return describe


def _kev_words(advisory: Advisory) -> str | None:
    if advisory.kev is None:
        return None
    since = f", since {advisory.kev_added}" if advisory.kev and advisory.kev_added else ""
    return f"{str(advisory.kev).lower()}{since}"


def _severity_words(subject: Subject) -> str:
    unknown = subject.severity is Severity.UNKNOWN
    return f"{subject.severity.value}{f', compared as {subject.compared.value}' if unknown else ''}"


def _scope(subject: Subject) -> str | None:
    return subject.finding.package.scope.value if subject.finding.package else None


def _possible_confidences(category: Category, unknown: Severity) -> tuple[Confidence, ...]:
    """Return the confidences of a category. Secrets in older reports have an unknown one."""
    if category is Category.SECRET:
        rated = (Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNLIKELY)
    else:
        rated = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)
    return (*rated, Confidence.UNKNOWN)


def _put_origin(finding: Finding, origin: str) -> Finding:
    change = Change.NEW if origin == "introduced" else Change.UNCHANGED
    history = replace(finding.history, change=change, disclosed=origin == "disclosed")
    return replace(finding, history=history)


def _put_in_advisory(key: str) -> Callable[[Finding, Any], Finding]:
    def put(finding: Finding, value: Any) -> Finding:
        return replace(
            finding, advisory=finding.advisory and replace(finding.advisory, **{key: value})
        )

    return put


def _one_or_more(word: Any) -> Any:
    return word | tuple[word, ...]


_VULNERABILITY: Final = frozenset((Category.VULNERABILITY,))
WITH_PACKAGE: Final = frozenset((Category.VULNERABILITY, Category.LICENSE))

ASPECTS: Final = (
    Aspect(
        key="category",
        type=_one_or_more(CategoryWord),
        value=lambda subject: subject.finding.category,
        accepts=lambda word: (category_of(word),),
        possible=lambda category, unknown: (category,),
        has=lambda subject: subject.finding.category.value,
    ),
    Aspect(
        key="severity",
        type=_one_or_more(SeverityTest),
        value=lambda subject: (subject.severity, subject.compared),
        accepts=_severities,
        possible=lambda category, unknown: (
            *((level, level) for level in _LEVELS),
            (Severity.UNKNOWN, unknown),
        ),
        has=_severity_words,
    ),
    Aspect(
        key="confidence",
        type=_one_or_more(ConfidenceWord),
        value=lambda subject: subject.finding.confidence,
        accepts=lambda word: (Confidence(word),),
        possible=_possible_confidences,
        has=lambda subject: subject.finding.confidence.value,
        case=CaseKey(
            ConfidenceWord,
            lambda finding, word: replace(finding, confidence=Confidence(word)),
        ),
    ),
    Aspect(
        key="scanner",
        type=_one_or_more(Text),
        problem=scanner_problem,
        value=lambda subject: subject.finding.scanners,
        test=lambda words: cache(lambda scanners: any(name in words for name in scanners)),
        has=lambda subject: ", ".join(subject.finding.scanners),
    ),
    Aspect(
        key="rule",
        type=_one_or_more(Text),
        value=lambda subject: ids_of(subject.finding),
        test=_text_test,
        covers=lambda broad, narrow: "*" in broad or _texts_cover(broad, narrow),
        has=lambda subject: ", ".join(dict.fromkeys(ids_of(subject.finding))),
    ),
    Aspect(
        key="path",
        type=_one_or_more(Text),
        problem=path_problem,
        value=lambda subject: paths_of(subject.finding),
        test=path_test,
        has_places=True,
        has=lambda subject: ", ".join(paths_of(subject.finding)) or NOTHING,
    ),
    Aspect(
        key="path_kind",
        type=_one_or_more(PathKindWord),
        value=lambda subject: _path_kinds(subject.finding),
        accepts=lambda word: (PathKind(word),),
        has_places=True,
        has=lambda subject: (
            ", ".join(kind.value for kind in _path_kinds(subject.finding)) or NOTHING
        ),
    ),
    Aspect(
        key="package",
        type=_one_or_more(Text),
        value=lambda subject: (package := subject.finding.package) and (package.name, package.purl),
        test=_package_test,
        covers=_packages_cover,
        categories=WITH_PACKAGE,
        has=lambda subject: subject.finding.package.purl if subject.finding.package else NOTHING,
    ),
    Aspect(
        key="scope",
        type=_one_or_more(ScopeWord),
        value=_scope,
        categories=WITH_PACKAGE,
        possible=lambda category, unknown: [scope.value for scope in Scope],
        has=lambda subject: _scope(subject) or NOTHING,
        case=CaseKey(
            ScopeWord,
            lambda finding, scope: replace(
                finding, package=finding.package and replace(finding.package, scope=Scope(scope))
            ),
        ),
    ),
    Aspect(
        key="fixable",
        type=bool,
        value=_of_advisory(lambda advisory: bool(advisory.fixed_versions)),
        categories=_VULNERABILITY,
        possible=lambda category, unknown: (True, False),
        has=_described(
            lambda advisory: f"{'a' if advisory.fixed_versions else 'no'} fixed version"
        ),
    ),
    Aspect(
        key="verdict",
        type=_one_or_more(VerdictWord),
        value=lambda subject: subject.verdict.value if subject.verdict else None,
        categories=frozenset((Category.LICENSE,)),
        possible=lambda category, unknown: ("review", "unknown", "deny"),
        has=lambda subject: subject.verdict.value if subject.verdict else NOTHING,
    ),
    Aspect(
        key="origin",
        type=_one_or_more(OriginWord),
        value=lambda subject: subject.origin.value,
        # Only packages can have flaws that are disclosed later.
        possible=lambda category, unknown: (
            ("introduced", "disclosed", "existing")
            if category in WITH_PACKAGE
            else ("introduced", "existing")
        ),
        has=lambda subject: subject.origin.value,
        case=CaseKey(OriginWord, _put_origin),
    ),
    Aspect(
        key="kev",
        type=bool,
        value=_of_advisory(lambda advisory: advisory.kev),
        categories=_VULNERABILITY,
        possible=lambda category, unknown: (True, False, None),
        is_data=True,
        has=_described(_kev_words),
        case=CaseKey(bool, _put_in_advisory("kev")),
    ),
    Aspect(
        key="epss",
        type=Likelihood,
        value=_of_advisory(lambda advisory: advisory.epss),
        test=lambda words: partial(le, _least(words)),
        covers=lambda broad, narrow: bool(narrow) and _least(broad) <= _least(narrow),
        categories=_VULNERABILITY,
        is_data=True,
        has=_described(lambda advisory: advisory.epss),
        case=CaseKey(Probability, _put_in_advisory("epss")),
    ),
)
"""All keys, in the order in which `explain` reports the first one that does not match."""
