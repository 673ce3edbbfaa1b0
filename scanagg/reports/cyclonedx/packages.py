"""The packages of a report as CycloneDX components, with licences, and the names of parts."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from operator import itemgetter
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
from msgspec.structs import replace
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
    result = []
    for name, value in values.items():
        if isinstance(value, bool):
            texts = ["true" if value else "false"]
        elif isinstance(value, datetime):
            texts = [as_utc(value).isoformat().replace("+00:00", "Z")]
        elif isinstance(value, str | int | float | date):
            texts = [str(value)]
        else:
            texts = list(value or ())
        for text in filter(None, texts):
            result.append(Property(name=_PREFIX + name, value=one_line(text)))
    return result


def link(url: str | None) -> XsUri | None:
    """Return the address if it is a web address that every reader accepts; else None."""
    return XsUri(url) if url and _LINK.fullmatch(url) else None


class Packages(msgspec.Struct, frozen=True):
    """The packages of one document by their names in it, sorted by them.

    `own` are those of the inventory, and `own_by_name` are their names in the document by the
    package's name. The others are known only from findings and licences. `purls` are the valid
    package URLs.
    """

    by_ref: Mapping[str, Package]
    own: frozenset[str]
    own_by_name: Mapping[str, Sequence[str]]
    purls: Mapping[str, PackageURL]
    refs: Mapping[_Key, str]

    def ref(self, package: Package) -> str:
        """Return the name of a package in the document. KeyError for one that is not in it."""
        return self.refs[_key(package)]

    def needs(self, package: Package) -> list[str]:
        """Return the components that a package needs."""
        names = set(package.requires) - set(self.unlinked(package))
        return sorted(self.own_by_name[name][0] for name in names)

    def unlinked(self, package: Package) -> list[str]:
        """Return the names of needed packages that are not exactly one component.

        With several versions in the document, the right one is unknown.
        """
        names = sorted(set(package.requires))
        return [name for name in names if len(self.own_by_name.get(name, ())) != 1]


def collect(report: Report, refs: Refs) -> Packages:
    """Return every package of the report once, with a name from `refs`."""
    packages = {_key(package): package for package in report.packages}
    inventory = set(packages)
    for judged in report.findings:
        if package := judged.finding.package:
            known = packages.setdefault(_key(package), package)
            if package.scope is Scope.RUNTIME and _key(package) not in inventory:
                packages[_key(package)] = replace(known, scope=Scope.RUNTIME)
    for licensed in report.licenses:
        packages.setdefault(_key(licensed.package), licensed.package)
    ref_by_key, purls = {}, {}
    for key, package in sorted(packages.items(), key=itemgetter(0)):
        purl = _purl(package)
        name = purl.to_string() if purl else f"package:{package.name}@{package.version}"
        ref = ref_by_key[key] = refs.take(name)
        if purl:
            purls[ref] = purl
    by_ref = dict(sorted((ref, packages[key]) for key, ref in ref_by_key.items()))
    own = frozenset(ref_by_key[key] for key in inventory)
    own_by_name: dict[str, list[str]] = defaultdict(list)
    for ref in own:
        own_by_name[by_ref[ref].name].append(ref)
    return Packages(by_ref, own, dict(own_by_name), purls, ref_by_key)


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
            "resolved": package.resolved or None,
            "chain": " → ".join(package.chain),
            "place": map(place, package.places),
            "asked": map(place, package.asked),
            "purl": "" if ref in packages.purls else package.purl,
            "requires:unlinked": packages.unlinked(package),
            "inventory": None if ref in packages.own else False,
        }
        item = by_ref.get(ref)
        if item:
            values |= {
                "license:verdict": item.verdict.value,
                "license:term": item.term,
                "license:source": item.source,
                "license:stated": item.facts.stated,
                "license:file": [f"{file.path} sha256:{file.sha256}" for file in item.facts.files],
            }
        yield Component(
            type=ComponentType.LIBRARY,
            bom_ref=ref,
            name=one_line(package.name) or UNNAMED,
            version=one_line(package.version) or None,
            scope=_SCOPES[package.scope],
            purl=packages.purls.get(ref),
            licenses=_licenses(item) if item else (),
            evidence=_evidence(package, item, refs),
            properties=properties(values),
        )


def _evidence(package: Package, licensed: Licensed | None, refs: Refs) -> ComponentEvidence | None:
    """Return the places of a package and the licences of its files; None without any."""
    occurrences = [
        Occurrence(
            bom_ref=refs.take(f"place:{place(location)}"),
            location=one_line(location.path),
            line=location.start_line,
        )
        for location in package.places
    ]
    ids = sorted({file.license for file in licensed.facts.files}) if licensed else []
    licenses = [DisjunctiveLicense(id=name) for name in ids if spdx.is_supported_id(name)]
    if not occurrences and not licenses:
        return None
    return ComponentEvidence(occurrences=occurrences, licenses=licenses)


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
