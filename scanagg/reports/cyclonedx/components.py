"""The packages of a report as CycloneDX components."""

from collections.abc import Iterable, Iterator
from typing import Final

from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence

from scanagg.core.text import one_line
from scanagg.model import Licensed, Location, Package, Scope
from scanagg.reports.cyclonedx import licenses
from scanagg.reports.cyclonedx.graph import Links
from scanagg.reports.cyclonedx.packages import Packages
from scanagg.reports.cyclonedx.values import Refs, Values, properties
from scanagg.reports.phrases import place

# By the standard, `excluded` documents "test and other non-runtime purposes"; `optional` is for
# what may be missing at run time, which nothing here knows of. What cannot be told is required.
_SCOPES: Final = {Scope.RUNTIME: ComponentScope.REQUIRED, Scope.DEV: ComponentScope.EXCLUDED}

_UNNAMED: Final = "(no name)"


def components(
    packages: Packages, known: Links, licensed: Iterable[Licensed], refs: Refs
) -> Iterator[Component]:
    """A component for each package, with its licence where that was asked for.

    Their places get names from `refs`: without, cyclonedx-python-lib neither sorts them the same
    way twice nor finds them equal when it reads them back.
    """
    licences = {packages.ref(one.package): one for one in licensed}
    for ref, package in packages.by_ref.items():
        found = licences.get(ref)
        facts: Values = {
            **_facts(package),
            "purl": "" if ref in packages.purls else package.purl,
            "requires:unlinked": known.open[ref],
            "inventory": None if ref in packages.own else False,
            **(_license_facts(found) if found else {}),
        }
        made = _component(ref, package, facts)
        made.purl = packages.purls.get(ref)
        made.licenses = licenses.licenses(found) if found else []
        made.evidence = _evidence(package, found, refs)
        yield made


def _component(ref: str, package: Package, facts: Values) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        bom_ref=ref,
        name=one_line(package.name) or _UNNAMED,
        version=one_line(package.version) or None,
        scope=_SCOPES[package.scope],
        properties=properties(facts),
    )


def _facts(package: Package) -> Values:
    """What the standard has no member for."""
    return {
        "direct": package.direct,
        "chain": " → ".join(package.chain),
        "place": tuple(map(place, package.places)),
        "asked": tuple(map(place, package.asked)),
    }


def _license_facts(licensed: Licensed) -> Values:
    return {
        "license:verdict": licensed.verdict.value,
        "license:term": licensed.term,
        "license:source": licensed.source,
        "license:stated": licensed.facts.stated,
        "license:file": tuple(f"{one.path} sha256:{one.sha256}" for one in licensed.facts.files),
    }


def _evidence(package: Package, licensed: Licensed | None, refs: Refs) -> ComponentEvidence | None:
    texts = licenses.evidence(licensed.facts.files) if licensed else []
    if not package.places and not texts:
        return None
    found = [_occurrence(where, refs) for where in package.places]
    return ComponentEvidence(occurrences=found, licenses=texts)


def _occurrence(where: Location, refs: Refs) -> Occurrence:
    return Occurrence(
        bom_ref=refs.take(f"place:{place(where)}"),
        location=one_line(where.path),
        line=where.start_line,
    )
