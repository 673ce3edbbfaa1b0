"""The vulnerability findings of a report as CycloneDX vulnerabilities."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    Vulnerability,
    VulnerabilityAdvisory,
    VulnerabilityRating,
    VulnerabilityReference,
    VulnerabilitySource,
)

from scanagg.core.text import one_line, printable
from scanagg.model import Advisory, Category, Judged, Package, Report
from scanagg.reports.cyclonedx import vex
from scanagg.reports.cyclonedx.packages import Packages
from scanagg.reports.cyclonedx.ratings import ratings
from scanagg.reports.cyclonedx.values import Refs, Values, link, moment, properties
from scanagg.reports.phrases import Advice, fix, place
from scanagg.reports.phrases import upgrade_advice as advices

Rated = tuple[Vulnerability, list[VulnerabilityRating]]
"""A vulnerability, and its ratings in the order that they are to be shown in."""

# Who publishes ids of a kind, and the page of each, by what stands before the first hyphen.
_PUBLISHERS: Final = {
    "CVE": ("NVD", "https://nvd.nist.gov/vuln/detail/"),
    "GHSA": ("GitHub", "https://github.com/advisories/"),
    "MAL": ("OSV", "https://osv.dev/vulnerability/"),
    "OSV": ("OSV", "https://osv.dev/vulnerability/"),
    "PYSEC": ("OSV", "https://osv.dev/vulnerability/"),
}
# The library's integers have no end, those of other readers do.
_CWE: Final = re.compile(r"(?:CWE-)?0*([1-9][0-9]{0,8})", re.IGNORECASE)
_UNKNOWN: Final = "unknown"
_UNNAMED: Final = "(no id)"


def vulnerabilities(report: Report, packages: Packages, refs: Refs) -> Iterator[Rated]:
    """A vulnerability for each finding of that category, in the report's order."""
    advice = {one.upgrade.package.purl: one for one in advices(report)}
    for judged in report.findings:
        package, advisory = judged.finding.package, judged.finding.advisory
        if judged.finding.category is Category.VULNERABILITY and package and advisory:
            ref = refs.take(f"finding:{judged.finding.fingerprint}")
            rated = ratings(judged)
            found = _vulnerability(judged, advisory, ref)
            found.ratings = rated
            found.affects = [_target(judged, package, packages.ref(package))]
            found.recommendation = _recommendation(judged, advice.get(package.purl))
            yield found, rated


def _vulnerability(judged: Judged, advisory: Advisory, ref: str) -> Vulnerability:
    finding = judged.finding
    cwes, odd = _cwes(finding.rule.cwe)
    pages, no_pages = _pages((advisory.url, finding.rule.url, *advisory.references))
    published = moment(advisory.published)
    facts: Values = {
        **_standing(judged),
        **_threat(advisory),
        "cwe": odd,
        "reference": no_pages,
        "published": None if published else advisory.published,
    }
    return Vulnerability(
        bom_ref=ref,
        id=one_line(finding.rule.id) or _UNNAMED,
        source=_publisher(finding.rule.id, finding.scanners, advisory.url or finding.rule.url),
        references=_references(advisory, finding.rule.id),
        cwes=cwes,
        description=printable(finding.title) or None,
        detail=printable(finding.message) or None,
        advisories=pages,
        published=published,
        analysis=vex.analysis(judged),
        properties=properties(facts),
    )


def _standing(judged: Judged) -> Values:
    """What the policy makes of it, and who saw it where."""
    finding = judged.finding
    return {
        "verdict": judged.verdict.action.value,
        "verdict:rule": judged.verdict.rule,
        "verdict:reason": judged.verdict.reason,
        "origin": judged.origin.value,
        "deadline": judged.deadline,
        "fingerprint": finding.fingerprint,
        "scanner": finding.scanners,
        "place": tuple(map(place, finding.places)),
        "in-source": finding.in_source,
        "waiver:void": vex.void_waivers(judged),
    }


def _threat(advisory: Advisory) -> Values:
    """What the standard has no member for.

    EPSS would fit a rating, but for cyclonedx-python-lib, which rounds scores to one decimal.
    """
    return {
        "kev": advisory.kev,
        "kev:added": advisory.kev_added,
        "epss": advisory.epss,
        "epss:percentile": advisory.epss_percentile,
        "fixed": advisory.fixed_versions,
        "malicious": advisory.malicious or None,
        "withdrawn": advisory.withdrawn or None,
    }


def _target(judged: Judged, package: Package, ref: str) -> BomTarget:
    version = one_line(package.version)
    if not version:
        return BomTarget(ref=ref)
    return BomTarget(
        ref=ref, versions=[BomTargetVersionRange(version=version, status=vex.status(judged))]
    )


def _publisher(name: str, scanners: Iterable[str], url: str | None) -> VulnerabilitySource:
    """Who gives out the id, with its page; else who reported it."""
    kind = name.partition("-")[0]
    if kind in _PUBLISHERS:
        who, pages = _PUBLISHERS[kind]
        return VulnerabilitySource(name=who, url=link(pages + name))
    return VulnerabilitySource(name=one_line(", ".join(scanners)) or _UNKNOWN, url=link(url))


def _references(advisory: Advisory, shown: str) -> list[VulnerabilityReference]:
    """The other names of it, each with who gives it out."""
    return [
        VulnerabilityReference(
            id=one_line(name), source=_publisher(name, (name.partition("-")[0],), None)
        )
        for name in sorted(advisory.ids - {shown, ""})
    ]


def _cwes(names: Iterable[str]) -> tuple[list[int], list[str]]:
    """The numbers, and what has none."""
    found: list[int] = []
    odd: list[str] = []
    for name in names:
        match = _CWE.fullmatch(name.strip())
        if match:
            found.append(int(match[1]))
        else:
            odd.append(name)
    return found, odd


def _pages(urls: Iterable[str | None]) -> tuple[list[VulnerabilityAdvisory], list[str]]:
    """What can be linked, and what cannot."""
    pages: list[VulnerabilityAdvisory] = []
    others: list[str] = []
    for url in dict.fromkeys(filter(None, urls)):
        page = link(url)
        if page:
            pages.append(VulnerabilityAdvisory(url=page))
        else:
            others.append(url)
    return pages, others


def _recommendation(judged: Judged, advice: Advice | None) -> str | None:
    """What to do about it in the words of every report, and what there is to know about the way."""
    said = fix(judged, advice.upgrade if advice else None)
    if advice and judged.finding.rule.id in advice.upgrade.clears:
        said = " ".join((said, *(f"{each[0].upper()}{each[1:]}." for each in advice.remarks)))
    return said or None
