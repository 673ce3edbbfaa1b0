"""The terminal page shows the report's contents and its gaps."""

import io
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.sample import finding, judged, large_report, sample_findings, sample_report, secret
from support.sample_history import DEADLINE, lived_findings, lived_report, many_existing
from support.sample_known import known_findings, known_report, many_upgrades

from scanagg.cli.files import WrittenReports
from scanagg.cli.page import show_page
from scanagg.core.errors import ExitCode, OutputError
from scanagg.model import (
    Action,
    Confidence,
    Coverage,
    NotExamined,
    Outcome,
    Reason,
    Report,
    Severity,
    Status,
    plain,
)
from scanagg.reports.base import Shortens, reporter
from scanagg.reports.sarif import notices


def page(report: Report, *, verbose: bool = False, written: WrittenReports | None = None) -> str:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setenv("COLUMNS", "80")
        show_page(report, written or WrittenReports(), quiet=False, verbose=verbose)
    return stream.getvalue()


def test_every_kind_of_finding_is_shown(tmp_path: Path) -> None:
    text = page(sample_report(root=tmp_path), verbose=True)
    for one in sample_findings():
        assert one.finding.id in text
        assert one.severity.value in text
    assert "jinja2 2.4.1 in requirements.txt:1" in text
    assert "fixed in 2.8.1" in text
    assert "no fixed version" not in text
    assert "\x1b" not in text


def test_only_what_blocks_is_shown_unless_asked(tmp_path: Path) -> None:
    text = page(sample_report(root=tmp_path))
    shown = {one.finding.id for one in sample_findings() if one.finding.id in text}
    assert shown == {
        one.finding.id for one in sample_findings() if one.verdict.action is Action.BLOCK
    }


def test_values_that_look_like_no_secrets_are_one_line() -> None:
    possible = secret(4, Confidence.POSSIBLE, "uuid", Action.WARN, path="docs/a.md")
    report = sample_report([possible, *[secret(number) for number in range(5, 8)]])
    lines = page(report, verbose=True).splitlines()
    (line,) = [line for line in lines if "secrets: " in line]
    assert line.startswith("3 values look like no secrets: 3 digests")
    assert "    possible secret in docs: hex digits in five groups, the form of most ids" in lines
    assert "warn   1 high" in lines
    assert not [line for line in lines if line.startswith("info ")]


def test_a_vulnerability_has_its_severity_s_source_the_way_in_and_what_to_do() -> None:
    text = page(known_report())
    block = text[text.index("  high  CVE-2023-43804") : text.index("  critical  MAL-2025-1")]
    assert [line.strip() for line in block.splitlines() if line.strip()] == [
        "high  CVE-2023-43804  Cookies reach another site",
        "urllib3 1.26.4 in requirements.in:2, requirements.txt:2",
        "found by pip-audit; rule block-rule; id 00000000001f",
        "known to be exploited since 2023-11-03 (CISA)",
        "high, by GitHub's label",
        "GitHub says high, CVSS says low",
        "transitive: shop → requests → urllib3; runtime",
        "Upgrade urllib3 to 2.5.0.",
    ]
    assert "malicious: the package itself is an attack" in text
    assert "direct; runtime" in text


def test_all_that_is_known_of_a_vulnerability_is_shown_where_asked_for() -> None:
    text = page(known_report(), verbose=True)
    for shown in (
        "CVSS 3.1: 3.1, low (via OSV);",
        "also called GHSA-v845-jxx5-vc9f, PYSEC-2023-192",
        "exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS)",
        "CWE-200",
        "https://nvd.nist.gov/vuln/detail/CVE-2023-43804",
        "withdrawn by its publisher",
        "required in",
        "OSV (PyPI) (advisory store): 18,234 records, 2026-03-01 (3 days old)",
    ):
        assert shown in text
    first = known_findings()[0]
    assert first.finding.advisory
    long = replace(
        first.finding.advisory,
        aliases=tuple(f"CVE-1-{number}" for number in range(15)),
        references=tuple(f"https://a.invalid/{number}" for number in range(7)),
    )
    found = replace(first, finding=replace(first.finding, advisory=long))
    text = page(replace(known_report(), findings=(found,)), verbose=True)
    assert "CVE-1-11 and 3 more" in " ".join(text.split())
    assert "and 2 more pages, in scanagg.json" in text


def test_upgrades_take_six_lines_unless_all_are_asked_for() -> None:
    text = page(many_upgrades(50))
    short = text[text.index("What to upgrade") :].split("\n\n")[0].splitlines()
    assert len(short) == 6, "the sum takes two lines"
    assert short[0].startswith("What to upgrade: 52 upgrades clear ")
    assert short[2] == "  urllib3 1.26.4 -> 2.5.0 (major): clears 4, 1 of which blocks"
    assert "51 more" in short[5]
    long = page(many_upgrades(50), verbose=True)
    assert "package-001 1.0 -> 2.0 (major)" in long
    assert "    required by requests: upgrade or lock that" in long
    assert "… and" not in page(replace(known_report(), upgrades=known_report().upgrades[:3]))
    assert "What to upgrade" not in page(sample_report())


def test_that_there_is_no_store_is_said_in_one_notice() -> None:
    report = replace(known_report(), data=())
    text = " ".join(page(report).split())
    assert text.count("No advisory store: severity, KEV and EPSS come from scanners") == 1
    upgrades = tuple(replace(one, checked=False) for one in report.upgrades)
    said = " ".join(page(replace(report, upgrades=upgrades)).split())
    assert said.count("The versions are from scanners, not checked in the advisory store.") == 1
    assert "advisory store" not in page(known_report())


def test_what_a_report_knows_is_kept_from_the_terminal_s_control() -> None:
    first = known_findings()[0]
    assert first.finding.advisory
    assert first.finding.package
    bad = "\x1b[31m\u202e"
    advisory = replace(first.finding.advisory, aliases=(bad,), kev_added=bad, references=(bad,))
    package = replace(first.finding.package, name=bad, chain=(bad, bad))
    found = replace(first, finding=replace(first.finding, advisory=advisory, package=package))
    upgrade = replace(known_report().upgrades[0], package=package, to=bad)
    report = replace(known_report(), findings=(found,), upgrades=(upgrade,))
    for text in (page(report), page(report, verbose=True)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_of_many_that_block_the_first_are_shown_and_the_rest_counted() -> None:
    text = page(large_report(3000))
    assert "980 more" in text
    assert len(text.splitlines()) < 200


def test_the_verdict_stands_first_then_the_sums_then_what_the_change_tried() -> None:
    lines = page(lived_report()).splitlines()
    assert lines[0].startswith("BLOCKED  shop")
    text = "\n".join(lines)
    summary = (
        "2 new findings block, 1 more new, 1 disclosed, 2 existing, 2 waived, "
        "1 warning blocks from 2026-03-13 (9 days left), "
        "1 waiver ends in 6 days, 1 waiver has expired"
    )
    assert summary in " ".join(lines)
    assert "Compared with commit 89abcde" in text
    assert "This change would loosen its own gate" in text
    assert "- a new .bandit hides findings from bandit" in text
    assert text.index("loosen its own gate") < text.index("scanner  ")


def test_without_a_base_it_is_said_once_that_nothing_was_compared() -> None:
    text = page(sample_report(), verbose=True)
    assert text.count("No base commit or baseline") == 1
    assert "2 findings block, 2 warnings, 3 for information" in text
    assert "new;" not in text
    assert "No base commit or baseline" not in page(sample_report([]))


def test_a_quiet_page_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    show_page(lived_report(), WrittenReports(), quiet=True, verbose=False)
    assert capsys.readouterr().out.splitlines() == [
        "BLOCKED  shop, policy default",
        "  - 2 findings block: 1 critical, 1 high",
    ]


def test_waived_findings_are_shown_where_asked_for() -> None:
    waived = [one.finding.id for one in lived_findings() if one.verdict.action is Action.WAIVED]
    short, long = page(lived_report()), page(lived_report(), verbose=True)
    assert len(waived) == 2
    assert not any(name in short for name in waived)
    assert all(name in long for name in waived)
    assert "waived: risk accepted; owner @team-web; until 2026-03-10 (6 days left)" in long
    assert "only our own names reach it, see SEC-212 (policies/waivers.yml:4)" in long
    assert "hidden in the source by nosec" in long


def test_waivers_are_listed_where_asked_for() -> None:
    assert "Waivers" not in page(lived_report())
    waivers = page(lived_report(), verbose=True).partition("\nWaivers\n")[2]
    assert "B602 in app/**, @team-web: waives 1 finding, 6 days left" in waivers
    assert "@team: expired 12 days ago" in waivers
    assert "@team-ops: unused, 89 days left" in waivers


def test_a_waiver_without_effect_stands_at_its_finding() -> None:
    text = page(lived_report())
    assert "new; found by pip-audit, trivy" in text
    assert "new, edited; found by detect-secrets" in text
    assert "waiver of @team has no effect: it expired 12 days ago" in text


def test_new_findings_stand_before_existing_ones() -> None:
    text = page(many_existing(212))
    assert "1 new finding blocks, 212 existing block" in text
    assert text.index("the one new thing") < text.index("subprocess call")


def test_what_will_block_is_listed_with_its_deadline() -> None:
    text = page(lived_report())
    assert "- CVE-2016-10745 in zlib1g 1.2 blocks from 2026-03-13, 9 days left" in text
    later = [
        judged(finding(number), Severity.HIGH, Action.WARN, deadline=DEADLINE)
        for number in range(7)
    ]
    text = page(sample_report(later))
    assert text.count("B602 blocks from 2026-03-13, 9 days left") == 5
    assert "… and 2 more" in text


def test_what_a_report_leaves_out_is_said(tmp_path: Path) -> None:
    report = large_report(6000)
    (cut,) = notices(report)
    assert "5,000 of 6,000" in cut
    said = WrittenReports([tmp_path / "scanagg.sarif"], [f"scanagg.sarif: {cut}"])
    assert "scanagg.sarif: " in page(report, written=said)
    assert isinstance(reporter("sarif"), Shortens)
    assert not isinstance(reporter("json"), Shortens)


def test_a_report_that_could_not_be_written_is_said_with_a_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = OutputError("cannot write x", "make room")
    written = WrittenReports(problems=[problem])
    assert show_page(sample_report([]), written, quiet=True, verbose=False) == ExitCode.INCOMPLETE
    out, err = capsys.readouterr()
    assert out.startswith("INCOMPLETE  ")
    assert "BLOCKED" in out.splitlines()[1]
    assert err == "scanagg: cannot write x\n         make room\n"


def test_a_gap_stays_the_outcome_if_a_report_could_not_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = sample_report([])
    gate = replace(report.gate, outcome=Outcome.INCOMPLETE, exit_code=ExitCode.INTERRUPTED)
    written = WrittenReports(problems=[OutputError("cannot write x", "make room")])
    code = show_page(replace(report, gate=gate), written, quiet=True, verbose=False)
    assert code == ExitCode.INTERRUPTED
    assert "BLOCKED" not in capsys.readouterr().out


def test_a_detail_is_on_the_page_once() -> None:
    report = sample_report()
    cause = plain("out of memory")
    inputs = Coverage("files", 1, 0, (NotExamined("app.py", cause),))
    failed = replace(report.runs[0], status=Status.FAILED, detail=cause, coverage=inputs)
    problem = Reason("failed", {"detail": cause})
    reason = Reason("required-scanner", {"scanner": failed.scanner, "problem": problem})
    gate = replace(report.gate, reasons=(reason,))
    assert page(replace(report, runs=(failed,))).count("out of memory") == 1
    assert page(replace(report, runs=(failed,), gate=gate)).count("out of memory") == 1


def test_inputs_with_reasons_of_their_own_are_listed_only_where_everything_is_asked_for() -> None:
    report = sample_report()
    inputs = tuple(NotExamined(f"{name}.py", plain(f"why {name}")) for name in "abcdef")
    run = replace(report.runs[0], coverage=Coverage("files", 6, 0, inputs))
    short, long = (
        page(replace(report, runs=(run,))),
        page(replace(report, runs=(run,)), verbose=True),
    )
    assert "bandit: 6 files, such as a.py: why a\n" in short
    assert all(f"{name}.py: why {name}" in " ".join(long.split()) for name in "abcdef")
    same = replace(
        run,
        coverage=Coverage(
            "files", 6, 0, tuple(replace(one, reason=plain("why")) for one in inputs)
        ),
    )
    assert "bandit: 6 files: why: a.py, b.py, c.py and 3 more\n" in page(
        replace(report, runs=(same,))
    )
