"""The sentences of all pages: severities, advisories, upgrades, origins, waivers and data."""

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.sample import NOW, finding, judged, sample_report
from support.sample_history import ACTIVE, BASE, EXPIRED, UNUSED, lived_report
from support.sample_known import (
    EPSS,
    EVIL,
    JINJA2,
    KEV,
    LONELY,
    OSV,
    UPGRADES,
    URLLIB3,
    VECTOR,
    known_findings,
    known_report,
)

from scanagg.model import (
    Action,
    Advisory,
    DataSource,
    Judged,
    Location,
    Origin,
    Package,
    Reason,
    Report,
    Severity,
    SeverityClaim,
    Step,
    Upgrade,
    WaiverStatus,
    WaiverUse,
    disagreement,
)
from scanagg.reports import phrases
from scanagg.reports.reasons import sentence

LABEL = SeverityClaim("ghsa", Severity.HIGH, "osv")
SCORE = SeverityClaim("cvss3.1", Severity.LOW, "osv", VECTOR)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (LABEL, "GitHub's label: high (via OSV)"),
        (SCORE, f"CVSS 3.1: 3.1, low (via OSV); {VECTOR}"),
        (SeverityClaim("nvd", Severity.HIGH, "trivy"), "NVD: high (via trivy)"),
        (SeverityClaim("tool", Severity.UNKNOWN, "pip-audit"), "pip-audit: no severity"),
        (SeverityClaim("policy", Severity.LOW, "scanagg"), "the policy: low"),
        (SeverityClaim("cvss4", Severity.LOW, "x", "CVSS:4.0/x"), "CVSS 4: low (via x); "),
        (SeverityClaim("odd\n", Severity.LOW, "\x1b[1m"), "odd\\n: low (via \\x1b[1m)"),
    ],
)
def test_a_source_says_its_word_with_number_and_vector(claim: SeverityClaim, words: str) -> None:
    assert phrases.severity_claim(claim).startswith(words)


def test_the_severity_names_who_decided_it() -> None:
    found = finding(1)
    high = judged(found, Severity.HIGH, Action.BLOCK)
    assert phrases.severity_decision(replace(high, severity_sources=(LABEL, SCORE))) == (
        "high, by GitHub's label"
    )
    low = judged(found, Severity.LOW, Action.BLOCK, severity_sources=(SCORE,))
    assert phrases.severity_decision(low) == "low, by CVSS 3.1: 3.1"
    assert phrases.severity_decision(replace(low, severity_sources=())) == "low"
    nobody = SeverityClaim("tool", Severity.UNKNOWN, "pip-audit")
    unknown = judged(found, Severity.UNKNOWN, Action.WARN, severity_sources=(nobody,))
    assert phrases.severity_lines(unknown) == [phrases.UNRATED, "pip-audit: no severity"]
    assert phrases.severity_lines(replace(low, severity_sources=())) == ["low"]


def test_sources_two_levels_apart_disagree_and_one_level_is_no_news() -> None:
    differ = Reason("severities-differ", {"github": "high", "cvss": "low"})
    assert disagreement((LABEL, SCORE)) == (differ,)
    near = replace(SCORE, severity=Severity.MEDIUM)
    assert disagreement((LABEL, near)) == ()
    assert disagreement((LABEL,)) == ()
    silent = replace(LABEL, severity=Severity.UNKNOWN)
    assert disagreement((silent, SCORE)) == ()
    assert phrases.severity_lines(known_findings()[0])[-1] == sentence(differ)


def test_exploits_are_said_with_their_date_and_only_where_they_are_known() -> None:
    assert phrases.exploited(Advisory("A", kev=True, kev_added="2023-11-03")) == (
        "known to be exploited since 2023-11-03 (CISA)"
    )
    assert phrases.exploited(Advisory("A", kev=True)) == "known to be exploited (CISA)"
    assert phrases.exploited(Advisory("A", kev=False)) == ""
    assert phrases.exploited(Advisory("A")) == ""


@pytest.mark.parametrize(
    ("score", "rank", "words"),
    [
        (0.9712, 0.9987, "exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS)"),
        (0.05, 0.29, "exploit likelihood 5.0 %, higher than 29 % of all CVEs (EPSS)"),
        (0.00043, None, "exploit likelihood under 0.1 % (EPSS)"),
        (None, None, ""),
    ],
)
def test_the_likelihood_is_in_percent(score: float | None, rank: float | None, words: str) -> None:
    assert phrases.likelihood(Advisory("A", epss=score, epss_percentile=rank)) == words


def test_what_must_not_be_missed_is_an_alarm_and_withdrawal_is_none() -> None:
    evil = Advisory("CVE-1", ("MAL-2025-1",), kev=True, withdrawn=True)
    assert phrases.alarms(evil) == [phrases.MALICIOUS, "known to be exploited (CISA)"]
    assert phrases.alarms(Advisory("CVE-1", withdrawn=True)) == []
    assert phrases.fixes_and_dates(Advisory("CVE-1", withdrawn=True)).startswith(phrases.WITHDRAWN)


def test_the_way_in_is_said_as_far_as_anything_tells() -> None:
    assert phrases.dependency_path(JINJA2, "shop") == "direct"
    assert phrases.dependency_path(replace(JINJA2, direct=None), "shop") == "direct"
    assert phrases.dependency_path(URLLIB3, "shop") == "transitive: shop → requests → urllib3"
    assert phrases.dependency_path(replace(URLLIB3, chain=()), "shop") == "transitive"
    assert phrases.dependency_path(LONELY, "shop") == ""
    assert phrases.dependency_summary(LONELY, "shop") == ""
    assert phrases.dependency_summary(URLLIB3, "shop") == (
        "transitive: shop → requests → urllib3; runtime; required in requirements.in:2"
    )


def test_the_middle_of_a_long_way_is_left_out_and_counted() -> None:
    assert phrases.dependency_path(EVIL, "shop") == (
        "transitive: shop → step-0 → step-1 → … 7 more … → step-9 → step-10 → step-11 → reqeusts"
    )
    eight = Package("h", "1", "pkg:pypi/h@1", direct=False, chain=tuple("abcdefh"))
    assert "more" not in phrases.dependency_path(eight, "shop"), (
        "to leave one out makes nothing shorter"
    )


def test_of_many_lines_that_ask_for_it_the_first_are_named() -> None:
    asked = tuple(Location(f"r{number}.in", number) for number in range(1, 6))
    assert phrases.dependency_summary(replace(JINJA2, asked=asked), "shop").endswith(
        "required in r1.in:1, r2.in:2, r3.in:3 and 2 more"
    )
    assert phrases.place(Location("a\x1b.in")) == "a\\x1b.in"


def test_data_has_age_licence_origin_and_digest_and_names_who_uses_it() -> None:
    report = known_report()
    runs = (replace(report.runs[3], data=OSV), report.runs[5])
    osv, kev, epss, own = phrases.data_sources(replace(report, runs=runs))
    assert osv.user == "advisory store, pip-audit", "one line for what both have"
    assert osv.about == (
        "18,234 records, 2026-03-01 (3 days old), "
        "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database), "
        "from https://osv.invalid/PyPI/all.zip, sha256 ab12cd34ab1…"
    )
    assert (kev.age, epss.age, epss.origin) == ("today", "1 day old", "")
    assert (own.user, own.records) == ("trivy", "")


def test_an_age_that_nobody_knows_or_can_be_is_said() -> None:
    assert phrases.data_age(None, NOW) == "age unknown"
    assert phrases.data_age(NOW + timedelta(days=2), NOW) == "in the future: check the clock"
    assert phrases.data_sources(replace(known_report(), data=(DataSource("x"),), runs=()))[
        0
    ].about == ("age unknown")


def test_what_the_store_lacks_is_said_where_there_are_packages() -> None:
    report = known_report()
    assert phrases.missing_data(report) == ""
    assert phrases.missing_data(replace(report, data=())) == phrases.NO_STORE
    assert phrases.missing_data(replace(report, data=(OSV,))) == (
        "The advisory store has no KEV or EPSS data, so it comes from scanners only. "
        "Download it with `scanagg db update`, or import it with `scanagg db import PATH`."
    )
    assert phrases.missing_data(replace(report, data=(), findings=())) == phrases.NO_STORE
    assert phrases.missing_data(sample_report([])) == ""


def test_licences_that_ask_for_it_are_named_where_advisories_are_shown() -> None:
    report = known_report()
    osv, epss = phrases.data_credits(report)
    assert "OSV" in osv
    assert "PyPA" in osv
    assert "GitHub" in osv
    assert "FIRST" in epss
    assert phrases.data_credits(replace(report, data=(KEV,))) == []
    assert phrases.data_credits(replace(report, data=(EPSS,))) == [epss]
    assert phrases.data_credits(replace(report, findings=())) == []


# Upgrades


def advised(*upgrades: Upgrade) -> Report:
    return replace(known_report(), upgrades=upgrades)


def test_each_upgrade_is_one_line() -> None:
    assert [str(one) for one in phrases.upgrade_advice(known_report())] == [
        "urllib3 1.26.4 -> 2.5.0 (major): clears 4, 1 of which blocks",
        "jinja2 2.4.1 -> 2.8.1 (minor): clears 1, which blocks",
        "reqeusts 1.0.1: remove it",
        "oldlib 0.9: no version without known vulnerabilities",
    ]


@pytest.mark.parametrize(
    ("clears", "unblocks", "words"),
    [
        ((), (), ""),
        (("A",), (), "1"),
        (("A", "B", "C"), ("A", "B"), "3, 2 of which block"),
        (("A", "B"), ("A", "B"), "2, all of which block"),
    ],
)
def test_what_goes_is_counted(
    clears: tuple[str, ...], unblocks: tuple[str, ...], words: str
) -> None:
    upgrade = Upgrade(package=JINJA2, to="3", clears=clears, unblocks=unblocks, checked=True)
    (advice,) = phrases.upgrade_advice(advised(upgrade))
    assert advice.gone == words


def test_what_hinders_what_to_change_and_what_stays_are_remarks() -> None:
    urllib3, jinja2, evil, lonely = phrases.upgrade_advice(known_report())
    assert urllib3.remarks == (
        "1.26.17 is enough to clear the blocking findings",
        "held back by requests, which requires urllib3<1.27,>=1.21.1",
        "held back by constraints.txt:3, which requires urllib3<2",
        "required by requests: upgrade or lock that",
        "does not clear PYSEC-2099-1",
    )
    assert jinja2.remarks == (phrases.UNCHECKED,)
    assert evil.remarks[0] == "it is malicious (MAL-2025-1): check where it was installed"
    assert evil.remarks[1] == "required by step-0"
    assert lonely.remarks == ("no fix is known for CVE-2020-1",)


def test_a_constraint_without_a_place_or_a_text_is_named_all_the_same() -> None:
    first = UPGRADES[0].hindered_by[0]
    bare = replace(first, by="", text="")
    (advice,) = phrases.upgrade_advice(advised(replace(UPGRADES[0], hindered_by=(bare,))))
    assert "held back by the project, which requires urllib3<1.27,>=1.21.1" in advice.remarks
    (advice,) = phrases.upgrade_advice(advised(replace(UPGRADES[0], hindered_by=())))
    assert "the project's constraints do not allow it" in advice.remarks


def test_that_nothing_was_looked_up_is_said_once() -> None:
    report = advised(*(replace(one, checked=False) for one in UPGRADES))
    assert phrases.unchecked_upgrades(report) == phrases.UNCHECKED
    assert all(phrases.UNCHECKED not in one.remarks for one in phrases.upgrade_advice(report))
    assert phrases.unchecked_upgrades(known_report()) == ""
    assert phrases.unchecked_upgrades(advised(UPGRADES[3])) == "", "no version is named"


def test_the_sum_counts_what_goes() -> None:
    assert phrases.upgrades_summary(known_report()) == (
        "2 upgrades clear 5 vulnerabilities, 2 of which block. 2 packages have no better version."
    )
    assert phrases.upgrades_summary(advised(UPGRADES[1])) == (
        "1 upgrade clears 1 vulnerability, which blocks."
    )
    quiet = Upgrade(package=JINJA2, to="3", clears=("A", "B"))
    assert phrases.upgrades_summary(advised(quiet)) == "1 upgrade clears 2 vulnerabilities."
    assert phrases.upgrades_summary(advised(UPGRADES[3])) == (
        "No upgrade clears anything. 1 package has no better version."
    )


def test_a_finding_says_what_to_do_about_it() -> None:
    by_purl = phrases.upgrades_by_purl(known_report())
    said = [
        phrases.vulnerability_fix(one, by_purl[one.finding.package.purl])
        for one in known_findings()
        if one.finding.package
    ]
    assert said == [
        "Upgrade urllib3 to 2.5.0.",
        "Remove reqeusts: it is malicious.",
        "Nothing to do: the advisory was withdrawn.",
        "No version of oldlib without known vulnerabilities is known.",
        "Upgrade jinja2 to 2.8.1.",
    ]


def test_without_an_upgrade_a_finding_says_what_its_advisory_knows() -> None:
    exploited, evil, _, lonely, _ = known_findings()
    assert phrases.vulnerability_fix(exploited, None) == "Update urllib3 to 1.26.17 or 2.0.6."
    assert phrases.vulnerability_fix(evil, None) == "Remove reqeusts: it is malicious."
    assert phrases.vulnerability_fix(lonely, None) == "No fixed version is known."
    assert (
        phrases.vulnerability_fix(lonely, Upgrade(package=LONELY, to="2"))
        == "No fixed version is known."
    )
    code = judged(finding(1), Severity.LOW, Action.INFO)
    assert phrases.vulnerability_fix(code, None) == ""


def test_what_stays_is_said_at_the_finding() -> None:
    exploited = known_findings()[0]
    stays = replace(UPGRADES[0], clears=(), stays=("CVE-2023-43804",))
    assert phrases.vulnerability_fix(exploited, stays) == (
        "urllib3 2.5.0 still has it, but no better version is known."
    )


def test_text_of_strangers_stays_on_its_line() -> None:
    odd = replace(EVIL, name="a\x1b[31m\nb", version="\u202e1")
    upgrade = Upgrade(package=odd, to="1\n2", step=Step.PATCH, clears=("x",), change=("c\nd",))
    (advice,) = phrases.upgrade_advice(advised(upgrade))
    for text in (str(advice), *advice.remarks):
        assert text.isprintable()


def test_a_report_without_upgrades_has_no_advice() -> None:
    assert phrases.upgrade_advice(sample_report()) == []
    assert phrases.upgrades_by_purl(sample_report()) == {}


# Origins, deadlines and waivers


def found(action: Action, origin: Origin = Origin.INTRODUCED, **changes: object) -> Judged:
    return judged(finding(9), Severity.HIGH, action, origin=origin, **changes)


def compared(*findings: Judged, uses: tuple[WaiverUse, ...] = ()) -> Report:
    return replace(sample_report(findings), base=BASE, waivers=uses)


def used(days: int, matched: int = 1) -> WaiverUse:
    return WaiverUse(ACTIVE, WaiverStatus.ACTIVE, matched, days)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (compared(), ""),
        (compared(found(Action.BLOCK)), "1 new finding blocks"),
        (compared(*[found(Action.BLOCK)] * 2), "2 new findings block"),
        (compared(found(Action.INFO)), "1 new finding"),
        (
            compared(
                *[found(Action.BLOCK)] * 3,
                *[found(Action.INFO, Origin.EXISTING)] * 212,
                *[found(Action.WAIVED, Origin.EXISTING)] * 4,
                uses=(used(6), used(90)),
            ),
            "3 new findings block, 212 existing, 4 waived, 1 waiver ends in 6 days",
        ),
        (
            compared(found(Action.BLOCK, Origin.DISCLOSED), found(Action.WARN, Origin.DISCLOSED)),
            "1 disclosed finding blocks, 1 more disclosed",
        ),
        (
            compared(uses=(used(14), used(1), used(15), used(-1), used(-30))),
            "2 waivers end soon, the first ends in 1 day, 2 waivers have expired",
        ),
        (compared(uses=(used(0),)), "1 waiver ends today"),
        (
            compared(
                found(Action.WARN, deadline=NOW + timedelta(days=9)),
                found(Action.WARN, deadline=NOW + timedelta(hours=3)),
                found(Action.INFO, deadline=NOW + timedelta(days=1)),
            ),
            (
                "3 new findings, 2 warnings block later, "
                "the first from 2026-03-04 (less than a day left)"
            ),
        ),
    ],
)
def test_the_sums(made: Report, said: str) -> None:
    assert phrases.findings_summary(made) == said


def test_without_a_base_the_actions_stand_in_place_of_the_origins() -> None:
    findings = [found(action) for action in Action]
    assert phrases.findings_summary(sample_report(findings)) == (
        "1 finding blocks, 1 warning, 1 for information, 1 waived"
    )


def test_what_was_compared_is_one_sentence() -> None:
    assert phrases.compared_with(BASE) == (
        "Compared with commit 89abcde (2025-12-01), the merge base with origin/main, "
        "and the baseline policies/baseline.json (212 entries)."
    )
    assert phrases.compared_with(None) == phrases.NOT_COMPARED


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        (None, ""),
        (datetime(2026, 3, 13, 8, tzinfo=UTC), "blocks from 2026-03-13, 9 days left"),
        (datetime(2026, 3, 5, 8, tzinfo=UTC), "blocks from 2026-03-05, 1 day left"),
        (datetime(2026, 3, 4, 8, tzinfo=UTC), "blocks from 2026-03-04, less than a day left"),
        (NOW, "blocks since 2026-03-04"),
    ],
)
def test_deadlines(deadline: datetime | None, said: str) -> None:
    assert phrases.deadline(found(Action.WARN, deadline=deadline), NOW) == said


@pytest.mark.parametrize(
    ("expires", "ends"),
    [
        (date(2026, 3, 5), "1 day left"),
        (date(2026, 3, 4), "last day"),
        (date(2026, 3, 3), "expired 1 day ago"),
    ],
)
def test_a_waiver_holds_through_its_last_day(expires: date, ends: str) -> None:
    words = phrases.waived_by(replace(ACTIVE, expires=expires), NOW)
    assert words == f"risk accepted; owner @team-web; until {expires} ({ends})"


def test_a_waiver_that_a_fix_ends_says_so() -> None:
    assert "until 2026-02-20 or a fixed version (" in phrases.waived_by(EXPIRED, NOW)


@pytest.mark.parametrize(
    ("use", "said", "care"),
    [
        (used(90), "waives 1 finding, 90 days left", False),
        (used(90, 1200), "waives 1,200 findings, 90 days left", False),
        (used(14), "waives 1 finding, 14 days left", True),
        (used(90, 0), "unused, 90 days left", True),
        (used(0), "waives 1 finding, last day", True),
        (used(-1), "expired 1 day ago", True),
    ],
)
def test_what_became_of_a_waiver(use: WaiverUse, said: str, care: bool) -> None:
    assert (phrases.waiver_status(use), phrases.needs_attention(use)) == (said, care)


def test_what_a_waiver_is_about() -> None:
    assert phrases.waiver_targets(ACTIVE) == "B602 in app/**"
    assert phrases.waiver_targets(EXPIRED) == "GHSA-hj2j-77xm-mc5v in pkg:pypi/jinja2 <2.8.1"
    assert phrases.waiver_targets(UNUSED) == "abababababababa…"
    assert phrases.waiver_targets(replace(ACTIVE, path="a\x1b[31m\nb")) == "B602 in a\\x1b[31m\\nb"


def test_new_findings_stand_first_inside_one_action() -> None:
    ordered = phrases.new_first(
        [
            found(Action.WARN),
            found(Action.BLOCK, Origin.EXISTING),
            found(Action.BLOCK, Origin.DISCLOSED),
            found(Action.BLOCK),
        ]
    )
    assert [(one.verdict.action.value, one.origin.value) for one in ordered] == [
        ("block", "introduced"),
        ("block", "disclosed"),
        ("block", "existing"),
        ("warn", "introduced"),
    ]


def test_a_finding_whose_place_was_edited_says_so() -> None:
    words = [phrases.origin_of(one) for one in lived_report().findings]
    assert words[:4] == ["new", "new, edited", "disclosed", "new, edited"]
