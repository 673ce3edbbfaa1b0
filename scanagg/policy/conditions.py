"""How one condition of a rule is asked: what is wanted, as a test on one aspect of a finding.

A value that is None or empty stands for what a finding does not have, and fits nothing.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Final

from scanagg.model import Category, Severity, purl_without_version

Test = Callable[[Hashable], bool]
Make = Callable[[tuple[object, ...]], Test]

CATEGORIES: Final = {
    **{category.value: category for category in Category},
    "vuln": Category.VULNERABILITY,
    "iac": Category.MISCONFIGURATION,
}
"""The categories by the words that policies have for them."""

_NAME_SEPARATORS: Final = str.maketrans("_.", "--")
_GLOB: Final = re.compile(r"[*?\[]")


@lru_cache(maxsize=1 << 14)
def package_name(text: str) -> str:
    """A name or glob as PEP 503 writes it, so that `Foo_Bar` and `foo-bar` are the same."""
    name = text.lower().translate(_NAME_SEPARATORS)
    while "--" in name:
        name = name.replace("--", "-")
    return name


def one_of(wanted: tuple[object, ...]) -> Test:
    """Whether the value is one of those wanted."""
    values = frozenset(wanted)
    return lambda key: key in values


def category_test(wanted: tuple[object, ...]) -> Test:
    """Whether the category is one of those wanted, by any of its words."""
    return one_of(tuple(CATEGORIES[str(word)] for word in wanted))


def severity_test(wanted: tuple[object, ...]) -> Test:
    """Whether the severity and what it is compared as fit any of the words."""
    accepted: set[tuple[Severity, Severity]] = set()
    known = [severity for severity in Severity if severity is not Severity.UNKNOWN]
    for word in map(str, wanted):
        least = Severity(word.removeprefix(">="))
        for compared in known:
            if least is Severity.UNKNOWN:
                accepted.add((least, compared))
            elif compared is least or (word.startswith(">=") and compared.at_least(least)):
                accepted.update(((compared, compared), (Severity.UNKNOWN, compared)))
    return lambda key: key in accepted


def any_of(wanted: tuple[object, ...]) -> Test:
    """Whether any of the values is wanted."""
    values = frozenset(wanted)
    return lambda key: not values.isdisjoint(_parts(key))


def rule_test(wanted: tuple[object, ...]) -> Test:
    """Whether any of the ids fits a name or glob."""
    fits = _fitting([str(word) for word in wanted])
    return lambda key: fits([str(each) for each in _parts(key)])


def package_test(wanted: tuple[object, ...]) -> Test:
    """Whether name or purl of a package fits a name, purl or glob."""
    words = [str(word) for word in wanted]
    purls = [word for word in words if word.startswith("pkg:")]
    fits_name = _fitting([package_name(word) for word in words if not word.startswith("pkg:")])
    fits_purl = _fitting(purls)

    def test(key: Hashable) -> bool:
        parts = _parts(key)
        if not parts:
            return False
        name, purl = map(str, parts)
        if fits_name([package_name(name)]):
            return True
        spellings = (purl, purl.partition("?")[0], purl_without_version(purl)) if purls else ()
        return fits_purl(spellings)

    return test


def epss_test(wanted: tuple[object, ...]) -> Test:
    """Whether the probability is at least what is asked for."""
    least = min(float(str(word).removeprefix(">=")) for word in wanted)
    return lambda key: isinstance(key, float | int) and key >= least


def _fitting(words: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Whether any of some texts is one of the words, or fits one that is a glob."""
    globs = [word for word in words if _GLOB.search(word)]
    plain = frozenset(words).difference(globs)
    matches = re.compile("|".join(map(translate, globs))).match if globs else None

    def test(texts: Sequence[str]) -> bool:
        if not plain.isdisjoint(texts):
            return True
        return matches is not None and any(map(matches, texts))

    return test


def _parts(key: Hashable) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else ()
