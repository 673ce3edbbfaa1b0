"""The packages of a report as CycloneDX components, with licences, and the names of parts."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Final

import msgspec
from cyclonedx import spdx
from cyclonedx.model import Property, XsUri
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.license import (
    DisjunctiveLicense,
    License,
    LicenseAcknowledgement,
    LicenseExpression,
)
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line
from scanagg.core.times import as_utc
from scanagg.model import Licensed, Package, Report, Scope, is_pypi
from scanagg.reports.phrases import place

UNNAMED: Final = "(no name)"
_PREFIX: Final = "scanagg:"
# In the standard, `excluded` documents "test and other non-runtime purposes", and `optional` is for
# packages that may be missing at run time. An unknown scope is `required`.
_SCOPES: Final = {Scope.RUNTIME: ComponentScope.REQUIRED, Scope.DEV: ComponentScope.EXCLUDED}
# An absolute address by RFC 3986. Without user and password, which no report may show.
_LINK: Final = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
    r"(?:[/?](?:[A-Za-z0-9._~:/?@!$&()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)
_OPERATORS: Final = frozenset(("AND", "OR", "WITH"))
_WORD: Final = re.compile(r"[^\s()]+")
# A licence that a document defines for itself: SPDX 2.3, annex D.
_LICENSE_REF: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
# Longer ones are full texts, and slow to parse.
_LONGEST_EXPRESSION: Final = 2000

Value = str | int | float | bool | date | None
Values = Mapping[str, Value | Iterable[str]]
"""The values that properties are made of."""
_Key = tuple[str, str, str]


class Refs:
    """The names by which parts of one document refer to each other, each only once."""

    def __init__(self) -> None:
        """Start with no names."""
        self._taken: set[str] = set()
        self._tried: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return `name` in printable text, with `#2`, `#3` ... if it is taken.

        It has to begin with its kind and a colon: `urn:cdx:` would lead into another document.
        """
        base = one_line(name)
        ref, number = base, self._tried.get(base, 1)
        while ref in self._taken:
            number += 1
            ref = f"{base}#{number}"
        self._tried[base] = number
        self._taken.add(ref)
        return ref


def properties(values: Values) -> list[Property]:
    """Return a property for each value, several for a list, none for None and empty text.

    Names get our prefix. Booleans are `true` and `false`, times ISO 8601 in UTC.
    """
    return [
        Property(name=_PREFIX + name, value=text)
        for name, value in values.items()
        for text in _texts(value)
        if text
    ]


def _texts(value: Value | Iterable[str]) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [as_utc(value).isoformat().replace("+00:00", "Z")]
    if isinstance(value, str | int | float | date):
        return [one_line(str(value))]
    return [one_line(text) for text in value]


def link(url: str | None) -> XsUri | None:
    """Return the address if it is a web address that every reader accepts; else None."""
    return XsUri(url) if url and _LINK.fullmatch(url) else None


class Packages(msgspec.Struct, frozen=True):
    """The packages of one document by their names in it, sorted by them.

    `own` are those of the inventory; the others are known only from findings and licences. `purls`
    are the valid package URLs. `needs` are the components that a package needs, `unlinked` the
    names of needed packages that are not exactly one component: with several versions, the right
    one is unknown.
    """

    by_ref: Mapping[str, Package]
    own: frozenset[str]
    purls: Mapping[str, PackageURL]
    refs: Mapping[_Key, str]
    needs: Mapping[str, tuple[str, ...]]
    unlinked: Mapping[str, tuple[str, ...]]

    def ref(self, package: Package) -> str:
        """Return the name of a package in the document. KeyError for one that is not in it."""
        return self.refs[_key(package)]


def collect(report: Report, refs: Refs) -> Packages:
    """Return every package of the report once, with a name from `refs`."""
    packages = {_key(package): package for package in report.packages}
    inventory = tuple(packages)
    named = (judged.finding.package for judged in report.findings)
    for package in (*named, *(licensed.package for licensed in report.licenses)):
        if package is not None:
            packages.setdefault(_key(package), package)
    purls = {key: _purl(package) for key, package in packages.items()}
    taken = {}
    for key, package in sorted(packages.items(), key=lambda item: item[0]):
        purl = purls[key]
        name = purl.to_string() if purl else f"package:{package.name}@{package.version}"
        taken[key] = refs.take(name)
    by_ref = dict(sorted((ref, packages[key]) for key, ref in taken.items()))
    own = frozenset(taken[key] for key in inventory)
    by_name: dict[str, list[str]] = defaultdict(list)
    for ref in by_ref:
        if ref in own:
            by_name[by_ref[ref].name].append(ref)
    needs, unlinked = {}, {}
    for ref, package in by_ref.items():
        found = {name: by_name.get(name, []) for name in sorted(set(package.requires))}
        needs[ref] = tuple(matches[0] for matches in found.values() if len(matches) == 1)
        unlinked[ref] = tuple(name for name, matches in found.items() if len(matches) != 1)
    return Packages(
        by_ref,
        own=own,
        purls={taken[key]: purl for key, purl in purls.items() if purl},
        refs=taken,
        needs=needs,
        unlinked=unlinked,
    )


def _key(package: Package) -> _Key:
    return (package.purl, package.name, package.version)


def _purl(package: Package) -> PackageURL | None:
    """Return the package URL if it is valid and names this package; else None."""
    try:
        purl = PackageURL.from_string(package.purl)
        text = purl.to_string()
        if text != package.purl and PackageURL.from_string(text) != purl:
            return None
    except (ValueError, TypeError):  # the latter for a name of nothing but encoded slashes
        return None
    if is_pypi(text):
        same = canonicalize_name(purl.name) == canonicalize_name(package.name)
        return purl if same and (purl.version or "") == package.version else None
    return purl


def components(packages: Packages, licensed: Iterable[Licensed], refs: Refs) -> Iterator[Component]:
    """Yield a component for each package, with its licence if it was looked up.

    Places get names from `refs`: without names, cyclonedx-python-lib does not sort them stably, and
    they are not equal after a round trip.
    """
    by_ref = {packages.ref(item.package): item for item in licensed}
    for ref, package in packages.by_ref.items():
        values: dict[str, Value | Iterable[str]] = {
            "direct": package.direct,
            "chain": " → ".join(package.chain),
            "place": map(place, package.places),
            "asked": map(place, package.asked),
            "purl": "" if ref in packages.purls else package.purl,
            "requires:unlinked": packages.unlinked[ref],
            "inventory": None if ref in packages.own else False,
        }
        licenses: list[License] = []
        texts: list[License] = []
        if item := by_ref.get(ref):
            values["license:verdict"] = item.verdict.value
            values["license:term"] = item.term
            values["license:source"] = item.source
            values["license:stated"] = item.facts.stated
            values["license:file"] = [
                f"{file.path} sha256:{file.sha256}" for file in item.facts.files
            ]
            licenses = _licenses(item)
            ids = sorted({file.license for file in item.facts.files})
            texts = [DisjunctiveLicense(id=name) for name in ids if spdx.is_supported_id(name)]
        occurrences = [
            Occurrence(
                bom_ref=refs.take(f"place:{place(where)}"),
                location=one_line(where.path),
                line=where.start_line,
            )
            for where in package.places
        ]
        evidence = ComponentEvidence(occurrences=occurrences, licenses=texts)
        yield Component(
            type=ComponentType.LIBRARY,
            bom_ref=ref,
            name=one_line(package.name) or UNNAMED,
            version=one_line(package.version) or None,
            scope=_SCOPES[package.scope],
            purl=packages.purls.get(ref),
            licenses=licenses,
            evidence=evidence if occurrences or texts else None,
            properties=properties(values),
        )


def _licenses(licensed: Licensed) -> list[License]:
    """Return the licence as an SPDX id or expression, else as a name; nothing if none is stated.

    The package itself states a `declared` licence; a `concluded` one comes from a classifier, a
    file or the policy.
    """
    text = one_line(licensed.expression).strip()
    if not text or not (licensed.source or licensed.facts.stated.strip()):
        return []
    if not _is_expression(text):
        return [DisjunctiveLicense(name=text, acknowledgement=LicenseAcknowledgement.DECLARED)]
    stated = (licensed.facts.text or "").strip()
    declared = licensed.source == "License-Expression" or (
        licensed.source == "License" and _is_expression(stated)
    )
    how = LicenseAcknowledgement.DECLARED if declared else LicenseAcknowledgement.CONCLUDED
    if spdx.is_supported_id(text):
        return [DisjunctiveLicense(id=text, acknowledgement=how)]
    return [LicenseExpression(text, acknowledgement=how)]


@lru_cache(maxsize=4096)
def _is_expression(text: str) -> bool:
    """Return whether it is a valid SPDX expression of listed ids and LicenseRefs."""
    if not text or len(text) > _LONGEST_EXPRESSION or not text.isascii():
        return False
    words = [word for word in _WORD.findall(text) if word.upper() not in _OPERATORS]
    for word in words:
        if not (_LICENSE_REF.fullmatch(word) or spdx.fixup_id(word.removesuffix("+"))):
            return False

    def plainer(word: re.Match[str]) -> str:
        # The library's parser supports neither `+` nor LicenseRefs.
        return "MIT" if _LICENSE_REF.fullmatch(word[0]) else word[0].removesuffix("+")

    return spdx.is_expression(_WORD.sub(plainer, text))
