"""The bill of materials is valid with any names, purls, licences, vectors and dates."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.bom import V31, bom_report, licensed, package, shop, vulnerable, waiver
from support.cyclonedx_check import properties, text_of, written

from scanagg.core.text import valid
from scanagg.model import (
    Action,
    Advisory,
    Clock,
    Constraint,
    DataSource,
    LicenseFile,
    Location,
    Package,
    Report,
    Rule,
    Severity,
    SeverityClaim,
    Upgrade,
    WaiverState,
)

ESCAPE = "a\x1b[2J\x00\u202eb\ud800\udcff\n\x7f"

# Text as in files and scanner output: characters that break formats, and parts of real values.
PIECES = (
    "pkg:pypi/a@1.0", "pkg:", "pkg:pypi/", "@", "?", "#", "%", "%zz", "a", "1.0", "MIT", " AND ",
    "(", "GPL-2.0+", "LicenseRef-", "CVSS:3.1/", "AV:N/", "Au:N", "CVE-2024-1", "CWE-", "79",
    "urn:cdx:", "https://", "example.invalid", "//", "[", "{{", "</script>", "\n", "\r", "\t",
    "\x00", "\x1b[31m", "\x85", "\u2028", "\u202e", "\ud800", "\udcff", "\ufeff", "é", "\U0001d518",
    '"', "\\", "2024-05-06", "T", "Z",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=5).map("".join)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
# Rules and advisories have no surrogates.
VALID = TEXT.map(valid)
PATHS = TEXT.filter(lambda text: text and not text.startswith("/") and ".." not in text)
PLACES = st.lists(
    st.builds(Location, PATHS, st.none() | st.integers(1, 2**40)), max_size=3
).map(tuple)  # fmt: skip
PACKAGES = st.builds(
    Package,
    name=TEXT,
    version=TEXT,
    purl=TEXT,
    direct=st.sampled_from((True, False, None)),
    places=PLACES,
    requires=TEXTS,
    chain=TEXTS,
    asked=PLACES,
)
CLAIMS = st.lists(
    st.builds(SeverityClaim, TEXT, st.sampled_from(list(Severity)), TEXT, st.none() | TEXT),
    max_size=3,
).map(tuple)
ADVISORIES = st.builds(
    Advisory,
    id=VALID,
    aliases=st.lists(VALID, max_size=3).map(tuple),
    fixed_versions=st.lists(VALID, max_size=3).map(tuple),
    published=st.none() | TEXT,
    url=st.none() | VALID,
    withdrawn=st.booleans(),
    kev=st.sampled_from((True, False, None)),
    epss=st.none() | st.floats(allow_nan=True),
    kev_added=st.none() | TEXT,
    references=TEXTS,
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    packages = draw(st.lists(PACKAGES, max_size=4))
    others = draw(st.lists(PACKAGES, max_size=2))
    found = [
        vulnerable(
            number % 3,
            one,
            rule=Rule(draw(VALID), "", "", draw(st.none() | VALID), draw(TEXTS)),
            advisory=draw(ADVISORIES),
            title=draw(TEXT),
            message=draw(TEXT),
            severity_sources=draw(CLAIMS),
            waiver=waiver(draw(st.sampled_from(list(WaiverState))), reason=draw(TEXT)),
        )
        for number, one in enumerate((*packages, *others))
    ]
    waived = [replace(one, verdict=replace(one.verdict, action=Action.WAIVED)) for one in found[:2]]
    licenses = [
        licensed(one, draw(TEXT), draw(TEXT), text=draw(TEXT), files=(LicenseFile(draw(TEXT), ""),))
        for one in (*packages, *others)
    ]
    upgrades = [
        Upgrade(
            package=one,
            to=draw(st.none() | TEXT),
            clears=tuple(each.finding.rule.id for each in found),
            change=draw(TEXTS),
            hindered_by=(Constraint(draw(TEXT), "", draw(TEXT)),),
        )
        for one in packages
    ]
    report = bom_report(
        *packages,
        findings=(*waived, *found[2:]),
        licenses=tuple(licenses),
        upgrades=tuple(upgrades),
        data=(DataSource(draw(TEXT), digest=draw(TEXT), origin=draw(TEXT)),),
    )
    return replace(report, target=replace(report.target, name=draw(TEXT)))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(reports())
def test_any_text_makes_a_valid_document_that_reads_back(report: Report) -> None:
    document = written(report)
    listed = {(one["name"], one.get("version", "")) for one in document["components"]}
    assert len(document["components"]) >= len(listed) > 0 or not report.packages
    assert len(document["vulnerabilities"]) == len(report.findings)


def test_nothing_hidden_reaches_a_terminal() -> None:
    found = vulnerable(1, package("a"), title=ESCAPE, message=ESCAPE)
    text = text_of(bom_report(package(ESCAPE, ESCAPE), findings=(found,)))
    assert not [char for char in text if char < " " and char != "\n"]
    assert not {"\x7f", "\u202e", "\ud800"} & set(text)
    assert "\\\\x1b[2J" in text
    json.loads(text)


@pytest.mark.parametrize(
    "purl",
    [
        "",
        "pkg:",
        "pkg:pypi",
        "jinja2==1.0",
        "pkg:pypi/other@1.0",
        "pkg:pypi/odd@2.0",
        "pkg:pypi/odd",
        "pkg:pypi/odd@1.0?x=y#z@2.0",
        "pkg:pypi/\x00@1.0",
        "pkg:pypi/odd@1.0\n",
        "pkg:mlflow/%2Fodd%2F%..",
        "pkg:a/%2F%2F %2F",
    ],
)
def test_a_purl_that_is_none_or_lies_is_kept_beside_the_component(purl: str) -> None:
    (one,) = written(bom_report(Package("odd", "1.0", purl)))["components"]
    assert (one["name"], one["version"]) == ("odd", "1.0")
    if "purl" in one:
        assert one["purl"].startswith("pkg:pypi/odd@1.0")
    else:
        assert properties(one).get("purl", [""])[0].startswith(purl.partition("\x00")[0].strip())


def test_packages_of_one_name_and_purl_are_told_apart() -> None:
    same = [Package("odd", version, "pkg:nothing") for version in ("1.0", "2.0")]
    twice = [Package("odd", "1.0", "pkg:other")]
    document = written(bom_report(*same, *same, *twice))
    assert [one["bom-ref"] for one in document["components"]] == [
        "package:odd@1.0", "package:odd@1.0#2", "package:odd@2.0",
    ]  # fmt: skip


def test_names_that_mean_something_else_to_readers() -> None:
    odd = Package("urn:cdx:1/1#a", "", "x")
    target = replace(bom_report(odd).target, name="")
    document = written(replace(bom_report(odd, package("a")), target=target))
    assert document["metadata"]["component"]["name"] == "(no name)"
    assert not [one for one in document["components"] if one["bom-ref"].startswith("urn:cdx:")]


def test_findings_of_one_fingerprint_are_told_apart() -> None:
    of = package("a")
    document = written(bom_report(of, findings=(vulnerable(1, of), vulnerable(1, of))))
    refs = [one["bom-ref"] for one in document["vulnerabilities"]]
    assert refs == [f"finding:{1:064x}", f"finding:{1:064x}#2"]


def test_two_thousand_names_of_one_vulnerability() -> None:
    of = package("a")
    names = tuple(f"CVE-1999-{number}" for number in range(2_000))
    found = vulnerable(1, of, advisory=Advisory("CVE-2024-1001", aliases=names))
    (one,) = written(bom_report(of, findings=(found,)))["vulnerabilities"]
    assert len(one["references"]) == 2_000


def test_addresses_that_only_look_like_some() -> None:
    bad = (
        "https://", "https://a b", "https://me@a.invalid/", "https://a.invalid/%zz", "ftp://a/b",
        "https://a.invalid/#a#b", "https://[::1", "javascript:alert(1)", "https://a.invalid/\n",
    )  # fmt: skip
    found = vulnerable(1, package("a"), advisory=Advisory("CVE-2024-1001", references=bad))
    (one,) = written(bom_report(package("a"), findings=(found,)))["vulnerabilities"]
    assert "advisories" not in one
    assert len(properties(one)["reference"]) == len(bad)


def test_a_clock_in_another_zone_or_far_away() -> None:
    report = bom_report(package("a"))
    for now in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)):
        head = written(replace(report, clock=Clock(now)))["metadata"]
        assert head["timestamp"].startswith(f"{now.year:04}-")


def test_one_vector_for_all() -> None:
    report = shop()
    claims = tuple(SeverityClaim(str(number), Severity.LOW, "x", V31) for number in range(300))
    found = replace(report.findings[0], severity_sources=claims)
    (one,) = written(replace(report, findings=(found,)))["vulnerabilities"]
    vectors = [rating["vector"] for rating in one["ratings"] if "vector" in rating]
    assert vectors == [V31.partition("/")[2]]
