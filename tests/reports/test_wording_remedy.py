"""What to upgrade is said in one line each: where to, what it clears, what hinders it."""

import pytest
from msgspec.structs import replace
from support.sample import finding, judged, sample_report
from support.sample_known import EVIL, JINJA2, LONELY, UPGRADES, known_findings, known_report

from scanagg.model import Action, Report, Severity, Step, Upgrade
from scanagg.reports import remedy


def advised(*upgrades: Upgrade) -> Report:
    return replace(known_report(), upgrades=upgrades)


def test_each_upgrade_is_one_line() -> None:
    assert [str(one) for one in remedy.advices(known_report())] == [
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
    (advice,) = remedy.advices(advised(upgrade))
    assert advice.gone == words


def test_what_hinders_what_to_change_and_what_stays_are_remarks() -> None:
    urllib3, jinja2, evil, lonely = remedy.advices(known_report())
    assert urllib3.remarks == (
        "1.26.17 is enough to clear what blocks",
        "hindered by requests, which asks for urllib3<1.27,>=1.21.1",
        "hindered by constraints.txt:3, which asks for urllib3<2",
        "it comes in by requests: change or lock that again",
        "PYSEC-2099-1 stays",
    )
    assert jinja2.remarks == (remedy.UNCHECKED,)
    assert evil.remarks[0] == "it is malicious (MAL-2025-1): check where it was installed"
    assert evil.remarks[1] == "it comes in by step-0"
    assert lonely.remarks == ("no fix is known for CVE-2020-1",)


def test_a_constraint_without_a_place_or_a_text_is_named_all_the_same() -> None:
    first = UPGRADES[0].hindered_by[0]
    bare = replace(first, by="", text="")
    (advice,) = remedy.advices(advised(replace(UPGRADES[0], hindered_by=(bare,))))
    assert "hindered by the project, which asks for urllib3<1.27,>=1.21.1" in advice.remarks
    (advice,) = remedy.advices(advised(replace(UPGRADES[0], hindered_by=())))
    assert "the project's constraints do not allow it" in advice.remarks


def test_that_nothing_was_looked_up_is_said_once() -> None:
    report = advised(*(replace(one, checked=False) for one in UPGRADES))
    assert remedy.unchecked(report) == remedy.UNCHECKED
    assert all(remedy.UNCHECKED not in one.remarks for one in remedy.advices(report))
    assert remedy.unchecked(known_report()) == ""
    assert remedy.unchecked(advised(UPGRADES[3])) == "", "no version is named"


def test_the_sum_counts_what_goes() -> None:
    assert remedy.summed(known_report()) == (
        "2 upgrades clear 5 vulnerabilities, 2 of which block."
    )
    assert remedy.summed(advised(UPGRADES[1])) == (
        "1 upgrade clears 1 vulnerability, 1 of which blocks."
    )
    quiet = Upgrade(package=JINJA2, to="3", clears=("A", "B"))
    assert remedy.summed(advised(quiet)) == "1 upgrade clears 2 vulnerabilities."
    assert remedy.summed(advised(UPGRADES[3])) == "No upgrade clears anything."


def test_a_finding_says_what_to_do_about_it() -> None:
    by_purl = remedy.by_purl(known_report())
    said = [
        remedy.sentence(one, by_purl[one.finding.package.purl])
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
    assert remedy.sentence(exploited, None) == "Update urllib3 to 1.26.17 or 2.0.6."
    assert remedy.sentence(evil, None) == "Remove reqeusts: it is malicious."
    assert remedy.sentence(lonely, None) == "No fixed version is known."
    assert remedy.sentence(lonely, Upgrade(package=LONELY, to="2")) == "No fixed version is known."
    code = judged(finding(1), Severity.LOW, Action.INFO)
    assert remedy.sentence(code, None) == ""


def test_what_stays_is_said_at_the_finding() -> None:
    exploited = known_findings()[0]
    stays = replace(UPGRADES[0], clears=(), stays=("CVE-2023-43804",))
    assert remedy.sentence(exploited, stays) == (
        "It stays in urllib3 2.5.0, the best version that is known."
    )


def test_text_of_strangers_stays_on_its_line() -> None:
    odd = replace(EVIL, name="a\x1b[31m\nb", version="\u202e1")
    upgrade = Upgrade(package=odd, to="1\n2", step=Step.PATCH, clears=("x",), change=("c\nd",))
    (advice,) = remedy.advices(advised(upgrade))
    for text in (str(advice), *advice.remarks):
        assert text.isprintable()


def test_a_report_without_upgrades_has_no_advice() -> None:
    assert remedy.advices(sample_report()) == []
    assert remedy.by_purl(sample_report()) == {}
