"""What is known of vulnerabilities is said in plain words, and nothing where nothing is known."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.sample import NOW, finding, judged, sample_report
from support.sample_known import (
    EPSS,
    EVIL,
    JINJA2,
    KEV,
    LONELY,
    OSV,
    URLLIB3,
    VECTOR,
    known_findings,
    known_report,
)

from scanagg.model import Action, Advisory, DataSource, Location, Package, Severity, SeverityClaim
from scanagg.reports import known

LABEL = SeverityClaim("ghsa", Severity.HIGH, "osv")
SCORE = SeverityClaim("cvss3.1", Severity.LOW, "osv", VECTOR)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (LABEL, "GitHub's label: high (passed on by OSV)"),
        (SCORE, f"CVSS 3.1: 3.1, low (passed on by OSV); {VECTOR}"),
        (SeverityClaim("nvd", Severity.HIGH, "trivy"), "NVD: high (passed on by trivy)"),
        (SeverityClaim("tool", Severity.UNKNOWN, "pip-audit"), "pip-audit: gives no severity"),
        (SeverityClaim("policy", Severity.LOW, "scanagg"), "the policy: low"),
        (SeverityClaim("cvss4", Severity.LOW, "x", "CVSS:4.0/x"), "CVSS 4: low (passed on by x); "),
        (SeverityClaim("odd\n", Severity.LOW, "\x1b[1m"), "odd\\n: low (passed on by \\x1b[1m)"),
    ],
)
def test_a_source_says_its_word_with_number_and_vector(claim: SeverityClaim, words: str) -> None:
    assert known.source(claim).startswith(words)


def test_the_severity_names_who_decided_it() -> None:
    found = finding(1)
    high = judged(found, Severity.HIGH, Action.BLOCK)
    assert known.decided(replace(high, severity_sources=(LABEL, SCORE))) == (
        "high, by GitHub's label"
    )
    low = judged(found, Severity.LOW, Action.BLOCK, severity_sources=(SCORE,))
    assert known.decided(low) == "low, by CVSS 3.1: 3.1"
    assert known.decided(replace(low, severity_sources=())) == "low"
    nobody = SeverityClaim("tool", Severity.UNKNOWN, "pip-audit")
    unknown = judged(found, Severity.UNKNOWN, Action.WARN, severity_sources=(nobody,))
    assert known.rated(unknown) == [known.UNRATED, "pip-audit: gives no severity"]
    assert known.rated(replace(low, severity_sources=())) == ["low"]


def test_sources_two_levels_apart_disagree_and_one_level_is_no_news() -> None:
    assert known.disagreement((LABEL, SCORE)) == "GitHub says high, CVSS says low"
    near = replace(SCORE, severity=Severity.MEDIUM)
    assert known.disagreement((LABEL, near)) == ""
    assert known.disagreement((LABEL,)) == ""
    silent = replace(LABEL, severity=Severity.UNKNOWN)
    assert known.disagreement((silent, SCORE)) == ""
    assert known.rated(known_findings()[0])[-1] == "GitHub says high, CVSS says low"


def test_exploits_are_said_with_their_date_and_only_where_they_are_known() -> None:
    assert known.exploited(Advisory("A", kev=True, kev_added="2023-11-03")) == (
        "known to be exploited since 2023-11-03 (CISA)"
    )
    assert known.exploited(Advisory("A", kev=True)) == "known to be exploited (CISA)"
    assert known.exploited(Advisory("A", kev=False)) == ""
    assert known.exploited(Advisory("A")) == ""


@pytest.mark.parametrize(
    ("score", "rank", "words"),
    [
        (0.9712, 0.9987, "exploit likelihood 97 %, higher than 99 % of all (EPSS)"),
        (0.05, 0.29, "exploit likelihood 5.0 %, higher than 29 % of all (EPSS)"),
        (0.00043, None, "exploit likelihood under 0.1 % (EPSS)"),
        (None, None, ""),
    ],
)
def test_the_likelihood_is_in_percent(score: float | None, rank: float | None, words: str) -> None:
    assert known.likelihood(Advisory("A", epss=score, epss_percentile=rank)) == words


def test_what_must_not_be_missed_is_an_alarm_and_withdrawal_is_none() -> None:
    evil = Advisory("CVE-1", ("MAL-2025-1",), kev=True, withdrawn=True)
    assert known.alarms(evil) == [known.MALICIOUS, "known to be exploited (CISA)"]
    assert known.alarms(Advisory("CVE-1", withdrawn=True)) == []
    assert known.dates(Advisory("CVE-1", withdrawn=True)).startswith(known.WITHDRAWN)


def test_the_way_in_is_said_as_far_as_anything_tells() -> None:
    assert known.way(JINJA2, "shop") == "direct"
    assert known.way(replace(JINJA2, direct=None), "shop") == "direct"
    assert known.way(URLLIB3, "shop") == "transitive: shop → requests → urllib3"
    assert known.way(replace(URLLIB3, chain=()), "shop") == "transitive"
    assert known.way(LONELY, "shop") == ""
    assert known.reach(LONELY, "shop") == ""
    assert known.reach(URLLIB3, "shop") == (
        "transitive: shop → requests → urllib3; runtime; asked for in requirements.in:2"
    )


def test_the_middle_of_a_long_way_is_left_out_and_counted() -> None:
    assert known.way(EVIL, "shop") == (
        "transitive: shop → step-0 → step-1 → … 7 more … → step-9 → step-10 → step-11 → reqeusts"
    )
    eight = Package("h", "1", "pkg:pypi/h@1", direct=False, chain=tuple("abcdefh"))
    assert "more" not in known.way(eight, "shop"), "to leave one out makes nothing shorter"


def test_of_many_lines_that_ask_for_it_the_first_are_named() -> None:
    asked = tuple(Location(f"r{number}.in", number) for number in range(1, 6))
    assert known.reach(replace(JINJA2, asked=asked), "shop").endswith(
        "asked for in r1.in:1, r2.in:2, r3.in:3 and 2 more"
    )
    assert known.at(Location("a\x1b.in")) == "a\\x1b.in"


def test_data_has_age_licence_origin_and_digest_and_names_who_uses_it() -> None:
    report = known_report()
    runs = (replace(report.runs[3], data=OSV), report.runs[5])
    osv, kev, epss, own = known.data(replace(report, runs=runs))
    assert osv.user == "advisory store, pip-audit", "one line for what both have"
    assert osv.about == (
        "18,234 records, 2026-03-01 (3 days old), "
        "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database), "
        "from https://osv.invalid/PyPI/all.zip, sha256 ab12cd34ab1…"
    )
    assert (kev.age, epss.age, epss.origin) == ("today", "1 day old", "")
    assert (own.user, own.records) == ("trivy", "")


def test_an_age_that_nobody_knows_or_can_be_is_said() -> None:
    assert known.age(None, NOW) == "age not known"
    assert known.age(NOW + timedelta(days=2), NOW) == "of a time to come"
    assert known.data(replace(known_report(), data=(DataSource("x"),), runs=()))[0].about == (
        "age not known"
    )


def test_what_the_store_lacks_is_said_where_there_are_packages() -> None:
    report = known_report()
    assert known.lack(report) == ""
    assert known.lack(replace(report, data=())) == known.NO_STORE
    assert known.lack(replace(report, data=(OSV,))) == (
        "The advisory store has no KEV and no EPSS: that is known from scanners only. "
        "Get it by `scanagg db update`."
    )
    assert known.lack(replace(report, data=(), findings=())) == known.NO_STORE
    assert known.lack(sample_report([])) == ""


def test_licences_that_ask_for_it_are_named_where_advisories_are_shown() -> None:
    report = known_report()
    osv, epss = known.notices(report)
    assert "OSV" in osv
    assert "PyPA" in osv
    assert "GitHub" in osv
    assert "FIRST" in epss
    assert known.notices(replace(report, data=(KEV,))) == []
    assert known.notices(replace(report, data=(EPSS,))) == [epss]
    assert known.notices(replace(report, findings=())) == []
