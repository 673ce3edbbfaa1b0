"""Which packages a CycloneDX document lists, and what each is called in it."""

from collections.abc import Mapping
from typing import Final

import msgspec
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from scanagg.model import Package, Report
from scanagg.reports.cyclonedx.values import Refs

_PYPI: Final = "pypi"
_Key = tuple[str, str, str]


class Packages(msgspec.Struct, frozen=True):
    """The packages of one document by what they are called in it, in that order.

    `own` are those of the inventory; the others are known only from findings and licences. `purls`
    are the package URLs, of those whose is one.
    """

    by_ref: Mapping[str, Package]
    own: frozenset[str]
    purls: Mapping[str, PackageURL]
    refs: Mapping[_Key, str]

    def ref(self, package: Package) -> str:
        """What a package is called in the document. KeyError for one that is not in it."""
        return self.refs[_key(package)]

    @property
    def strangers(self) -> int:
        """How many are not in the inventory."""
        return len(self.by_ref) - len(self.own)


def collect(report: Report, refs: Refs) -> Packages:
    """Every package that the report names, each once, with a name from `refs`."""
    known = {_key(package): package for package in report.packages}
    inventory = tuple(known)
    named = [judged.finding.package for judged in report.findings]
    for package in (*named, *(one.package for one in report.licenses)):
        if package is not None:
            known.setdefault(_key(package), package)
    purls = {key: _purl(package) for key, package in known.items()}
    taken = {key: refs.take(_wanted(known[key], purls[key])) for key in sorted(known)}
    by_ref = {ref: known[key] for key, ref in taken.items()}
    return Packages(
        dict(sorted(by_ref.items())),
        own=frozenset(taken[key] for key in inventory),
        purls={taken[key]: purl for key, purl in purls.items() if purl},
        refs=taken,
    )


def _purl(package: Package) -> PackageURL | None:
    """The package URL, if it is one by its standard and names this package; else None."""
    try:
        found = PackageURL.from_string(package.purl)
        text = found.to_string()
        if text != package.purl and PackageURL.from_string(text) != found:
            return None
    except (ValueError, TypeError):  # the latter for a name of nothing but encoded slashes
        return None
    if found.type == _PYPI:
        same = canonicalize_name(found.name) == canonicalize_name(package.name)
        return found if same and (found.version or "") == package.version else None
    return found


def _wanted(package: Package, purl: PackageURL | None) -> str:
    return purl.to_string() if purl else f"package:{package.name}@{package.version}"


def _key(package: Package) -> _Key:
    return (package.purl, package.name, package.version)
