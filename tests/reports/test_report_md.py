"""scanagg.md: what a reader of a job summary must see, nothing that its text can break."""

import re

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace
from support.sample import CVE, finding, judged, large_report, sample_report, sample_runs
from support.sample_history import EXPIRED, lived_report, many_existing
from support.sample_known import known_report, many_upgrades

from scanagg.model import (
    Action,
    Advisory,
    Coverage,
    DataSource,
    Gate,
    Judged,
    Location,
    NotExamined,
    Outcome,
    Package,
    Report,
    Severity,
    SeverityClaim,
    Status,
    VoidWaiver,
    WaiverStatus,
    WaiverUse,
    plain,
)
from scanagg.reports.base import reporter
from scanagg.reports.md.text import code, escape
from scanagg.reports.phrases import NO_STORE

GITHUB_LIMIT = 1024 * 1024


def text(report: Report) -> str:
    return "".join(reporter("md").render(report))


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def section(markdown: str, title: str) -> str:
    found = re.search(rf"^### {title}\n(.*?)(?=^### |\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found.group(1)


def passed(**changes: object) -> Report:
    runs = tuple(run for run in sample_runs() if run.status is Status.OK)
    base = replace(sample_report([]), runs=runs, gate=Gate(Outcome.PASS, 0))
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "heading"),
    [
        (Outcome.PASS, "## ✅ Passed: shop"),
        (Outcome.BLOCKED, "## ❌ Blocked: shop"),
        (Outcome.INCOMPLETE, "## ⚠️ Incomplete: shop"),
    ],
)
def test_the_verdict_stands_first_with_its_reasons(outcome: Outcome, heading: str) -> None:
    report = replace(sample_report(), gate=Gate(outcome, 0, (plain("because of this"),)))
    lines = text(report).splitlines()
    assert lines[0] == heading
    assert "- **because of this**" in lines[:6]


def test_incomplete_says_that_it_is_no_pass() -> None:
    report = replace(sample_report(), gate=Gate(Outcome.INCOMPLETE, 3))
    assert "Not a pass" in text(report)


def test_every_run_is_in_the_table_with_what_it_examined() -> None:
    table = section(text(sample_report()), "Scanners")
    assert "| **bandit** 1.2.3 | degraded: 1 of 3 files not examined | 2 of 3 files | 2 |" in table
    assert "| **safety** | missing: not installed | 0 of 2 packages | 0 |" in table
    assert table.count("\n| **") == 6


def test_blocking_findings_have_place_rule_fix_and_witnesses() -> None:
    table = section(text(sample_report()), "2 findings that block")
    assert (
        "| critical, by GitHub's label | Sandbox escape in jinja2 | "
        "`requirements.txt:1`<br>`jinja2 2.4.1`<br>direct | "
        "[CVE-2016-10745](https://osv.dev/vulnerability/CVE-2016-10745) | "
        "Update jinja2 to 2.8.1. | pip-audit, trivy |"
    ) in table
    assert "| high | Secret Keyword | `config.ini:2` | secret-keyword |" in table
    assert "subprocess" not in table


def test_vulnerabilities_say_who_rated_them_exploits_the_way_in_and_the_fix() -> None:
    table = section(text(known_report()), "4 findings that block")
    assert (
        "| high, by GitHub's label | Cookies reach another site<br>"
        "**known to be exploited since 2023-11-03 (CISA)** | "
        "`requirements.in:2`<br>`urllib3 1.26.4`<br>transitive: shop → requests → urllib3 | "
    ) in table
    assert "| Upgrade urllib3 to 2.5.0. | pip-audit |" in table
    assert "**malicious: the package itself is an attack**" in table
    assert "| unknown | A weakness of jinja2 |" in table
    details = table[table.index("<details>") :]
    assert "[GHSA-v845-jxx5-vc9f](https://github.com/advisories/GHSA-v845-jxx5-vc9f)" in details
    assert "  - GitHub says high, CVSS says low\n" in details
    assert "  - fixed in 1.26.17, 2.0.6; published 2023-10-02\n" in details
    assert "  - [CWE-200](https://cwe.mitre.org/data/definitions/200.html)\n" in details
    assert "(https://nvd.nist.gov/vuln/detail/CVE-2023-43804)" in details
    assert "javascript:" not in details
    assert "plain.invalid" not in details
    assert "<details>" not in text(large_report(3))


def test_upgrades_are_short_and_say_how_many_more_there_are() -> None:
    upgrades = section(text(known_report()), "What to upgrade")
    assert "\n2 upgrades clear 5 vulnerabilities, 2 of which block.\n" in upgrades
    assert (
        "| `urllib3 1.26.4`<br>transitive: shop → requests → urllib3 | **2.5.0 (major)** | "
        "4, 1 of which blocks | 1.26.17 is enough to clear the blocking findings<br>"
    ) in upgrades
    assert "| **remove it** |  | it is malicious (MAL-2025-1)" in upgrades
    assert "more in scanagg.json" not in upgrades
    many = section(text(many_upgrades(300)), "What to upgrade")
    assert many.count("\n| `") == 10
    assert "\n… and 294 more in scanagg.json\n" in many
    assert "What to upgrade" not in text(sample_report())


def test_upgrades_that_nobody_looked_up_say_so_once() -> None:
    upgrades = tuple(replace(one, checked=False) for one in known_report().upgrades)
    said = section(text(replace(known_report(), upgrades=upgrades)), "What to upgrade")
    assert said.count("from scanners, not checked in the advisory store") == 1


def test_what_the_verdict_rests_on_is_listed_and_credited() -> None:
    written = text(known_report())
    data = section(written, "Data")
    assert "- **OSV (PyPI)** (advisory store): 18,234 records, 2026-03-01 (3 days old)," in data
    assert "sha256 ab12cd34ab1…" in data
    assert written.rstrip().endswith("EPSS scores are from FIRST, first.org/epss.")
    assert "GitHub Advisory Database, under CC BY 4.0.\n" in written
    bare = section(text(replace(known_report(), data=(), runs=())), "Data")
    assert bare.strip().splitlines()[0] == f"- {NO_STORE}"


def test_the_rest_is_counted_and_unknown_is_not_low() -> None:
    counts = section(text(sample_report()), "Findings by severity")
    assert "7 findings: 2 block, 2 warn, 3 info." in counts
    head, _, *rows = (line for line in counts.splitlines() if line.startswith("|"))
    names = [cell.strip() for cell in head.split("|")[2:-1]]
    numbers = [cell.strip() for cell in rows[0].split("|")[1:-1]]
    assert dict(zip(names, numbers[1:], strict=True))["unknown"] == "1"
    assert numbers == ["Vulnerabilities", "1", "0", "1", "0", "0", "0"]


def test_what_was_not_examined_is_named() -> None:
    gaps = section(text(sample_report()), "Not examined")
    assert "- **bandit** degraded: 1 of 3 files not examined" in gaps
    assert "  - `app/new.py` syntax error: not parsed by bandit with Python 3.11" in gaps
    assert "- **safety** missing: not installed" in gaps


def test_files_that_no_scanner_was_given_are_a_gap() -> None:
    report = passed()
    target = replace(report.target, skipped=(NotExamined("loop", plain("a link to itself")),))
    written = text(replace(report, target=target))
    assert "- **shop** 1 file not passed to any scanner\n  - `loop` a link to itself" in written
    assert "No findings." not in written


def test_no_findings_is_only_said_where_everything_was_examined() -> None:
    assert "No findings." in text(passed())
    assert "not everything was examined" in text(passed(runs=sample_runs()))
    assert "not everything was examined" in text(passed(runs=()))
    assert "No scanner ran." in text(passed(runs=()))
    incomplete = passed(gate=Gate(Outcome.INCOMPLETE, 3))
    assert "not everything was examined" in text(incomplete)


def test_a_scanner_that_had_nothing_to_do_is_no_gap() -> None:
    report = passed()
    idle = replace(report.runs[0], status=Status.NOT_APPLICABLE, coverage=Coverage("files"))
    written = text(replace(report, runs=(*report.runs, idle)))
    assert "| not applicable | nothing to examine |" in written
    assert "### Not examined" not in written


def test_inputs_that_an_ok_run_left_out_are_named() -> None:
    left_out = Coverage("files", 3, 2, (NotExamined("uv.lock", plain("a lock file")),))
    run = replace(sample_runs()[1], coverage=left_out)
    gaps = section(text(passed(runs=(run,))), "Not examined")
    assert gaps.startswith(
        "\n- **detect-secrets** 2 of 3 files examined\n  - `uv.lock` a lock file\n"
    )


def test_notices_and_what_the_project_hides_are_told() -> None:
    notices = section(text(sample_report()), "Notices")
    assert "safety did not run; the policy does not require it" in notices
    assert "bandit: 2 suppressed in the project's own files (nosec)" in notices
    data = section(text(sample_report()), "Data")
    assert "- **vulnerability database** (trivy): 2026-03-04 (today)\n" in data


def test_the_sums_stand_in_one_line_with_what_was_compared() -> None:
    written = text(lived_report())
    assert (
        "\n2 new block, 1 more new, 1 disclosed, 2 existing, 2 waived, 1 blocks from 2026-03-13 "
        "(9 days left), 1 waiver ends in 6 days, 1 waiver has expired\n"
    ) in written
    assert "\nCompared with commit 89abcde" in written
    assert written.index("2 new block") < written.index("### Scanners")


def test_without_a_base_it_is_said_once_that_nothing_was_compared() -> None:
    written = text(sample_report())
    assert written.count("No base commit or baseline") == 1
    assert "\n2 block, 2 warnings, 3 for information\n" in written
    assert "| Origin |" not in written
    assert "No base commit or baseline" not in text(passed())


def test_what_a_change_does_to_its_own_gate_is_an_alert() -> None:
    written = text(lived_report())
    alert = written[written.index("> [!CAUTION]") :].split("\n\n")[0].splitlines()
    assert alert[1].startswith("> **This change would loosen its own gate")
    assert "> - a new .bandit hides findings from bandit" in alert
    assert written.index("[!CAUTION]") < written.index("### Scanners")
    many = replace(lived_report().gate, attempts=(plain("one more"),) * 40)
    assert "> - and 10 more\n" in text(replace(lived_report(), gate=many))
    assert "CAUTION" not in text(sample_report())


def test_findings_have_their_origin_and_the_waivers_that_failed() -> None:
    table = section(text(lived_report()), "2 findings that block")
    assert "| critical, by GitHub's label | new | Sandbox escape in jinja2<br>waiver of @" in table
    assert "has no effect: it expired 12 days ago | `requirements.txt:1`" in table
    assert "| high | new, edited | Secret Keyword |" in table


def test_existing_findings_do_not_drown_a_new_one() -> None:
    table = section(text(many_existing(212)), "213 findings that block")
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert rows[2].startswith("| low | new | the one new thing |")


def test_warnings_with_a_deadline_are_listed() -> None:
    later = section(text(lived_report()), "Blocking later")
    assert later.strip() == (
        "- Sandbox escape in jinja2 `zlib1g 1.2` **blocks from 2026-03-13, 9 days left**"
    )
    code_finding = judged(
        finding(9), Severity.HIGH, Action.WARN, deadline=lived_report().findings[2].deadline
    )
    later = section(text(sample_report([code_finding])), "Blocking later")
    assert "`app/db.py:5` **blocks from" in later


def test_waivers_are_listed_with_what_became_of_them() -> None:
    waivers = section(text(lived_report()), "Waivers")
    active, expired, unused = waivers.strip().splitlines()
    assert "`B602 in app/**`" in active
    assert "waives 1 finding, 6 days left; only our own names reach it, see SEC-212" in active
    assert "expired 12 days ago" in expired
    assert "unused, 89 days left" in unused
    assert "### Waivers" not in text(sample_report())


HOSTILE = [
    "a | b",
    "`code` ``more``",
    "<script>alert(1)</script>",
    "<!-- gone -->",
    "[text](https://evil.invalid)",
    "![image](https://evil.invalid/x.png)",
    "**bold** _soft_ ~~struck~~",
    "&lt; &amp;",
    "# heading",
    "## heading",
    "- item",
    "---",
    "+ item",
    "1. item",
    "> quote",
    "back\\slash \\| pipe",
    "ends with \\",
    "$x$ math",
    "<https://evil.invalid>",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_is_shown_as_it_is(hostile: str) -> None:
    rendered = html(f"| A | B |\n| --- | --- |\n| {escape(hostile)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", rendered)
    assert [unescaped(cell) for cell in cells] == [hostile, "end"]
    assert unescaped(html(escape(hostile))) == hostile
    assert unescaped(html(f"- {escape(hostile)}")) == hostile


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_path_is_shown_as_it_is(hostile: str) -> None:
    rendered = html(f"| A | B |\n| --- | --- |\n| {code(hostile)} | end |\n")
    cells = re.findall(r"<td>(.*?)</td>", rendered)
    assert [unescaped(cell) for cell in cells] == [hostile, "end"]


def unescaped(rendered: str) -> str:
    """The text of HTML that may have tags only for the block, the list item and code."""
    bare = re.sub(r"</?(p|ul|li|code)>\n?", "", rendered)
    assert "<" not in bare, rendered
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        bare = bare.replace(entity, char)
    return bare.strip()


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    assert "@team" not in escape("ask @team")
    assert "#12" not in escape("see #12")
    assert "https://" not in escape("https://evil.invalid")
    assert "www." not in escape("www.evil.invalid").lower()


@pytest.mark.parametrize("hostile", ["a\nb", "a\r\nb", "a\u2028b", "\x1b[31m", "\udcff"])
def test_text_stays_on_its_line_without_control_characters(hostile: str) -> None:
    for shown in (escape(hostile), code(hostile)):
        assert shown.isprintable()
        assert shown.encode("utf-8")


def test_an_empty_text_is_no_code_span() -> None:
    assert code(" ") == ""


def test_a_version_number_is_left_alone() -> None:
    assert escape("1.2.3") == "1.2.3"


def test_a_rule_with_a_dangerous_address_is_not_linked() -> None:
    for url in ("javascript:alert(1)", "https://a.invalid/(x", "https://a.invalid/" + "x" * 500):
        found = finding(9, rule=replace(CVE, url=url))
        written = text(sample_report([judged(found, Severity.HIGH, Action.BLOCK)]))
        assert "](" not in written


def test_a_finding_without_place_or_package_leaves_the_cell_empty() -> None:
    found = finding(9, location=None, places=())
    written = text(sample_report([judged(found, Severity.UNKNOWN, Action.BLOCK)]))
    assert "| unknown | subprocess call with shell=True |  | [B602]" in written


def test_lists_are_bounded_and_say_what_is_left_out() -> None:
    written = text(large_report(1000))
    assert "### 334 findings that block" in written
    assert "and 234 more in scanagg.json" in written


def test_one_finding_blocks() -> None:
    found = judged(finding(9), Severity.HIGH, Action.BLOCK)
    assert "### 1 finding that blocks" in text(sample_report([found]))


def worst(number: int) -> Judged:
    long = "😀<&|" * 200
    found = finding(number, title=long, message=long, location=Location(f"{number}{long}"))
    return judged(found, Severity.HIGH, Action.BLOCK)


def known_of(long: str) -> Report:
    """As bad as it gets: every text of every advisory, upgrade and source of data is long."""
    report = known_report()
    package = Package(
        long, long, long, direct=False, chain=(long,) * 20, asked=(Location(long, 1),) * 20
    )
    claims = (SeverityClaim(long, Severity.HIGH, long, long),) * 20
    pages = (f"https://a.invalid/{'x' * 350}",) * 50
    advisory = Advisory(
        long, (long,) * 50, (long,) * 50, long, long, kev=True, kev_added=long, references=pages
    )
    found = replace(report.findings[0].finding, advisory=advisory, package=package, title=long)
    worst_one = replace(report.findings[0], finding=found, severity_sources=claims)
    upgrade = replace(
        report.upgrades[0], package=package, to=long, stays=(long,) * 50, change=(long,) * 50
    )
    return replace(
        report,
        findings=(worst_one,) * 500,
        upgrades=(upgrade,) * 100,
        data=tuple(DataSource(f"{n}{long}", None, long, 1, long, long) for n in range(100)),
    )


def test_the_worst_report_fits() -> None:
    long = "😀<&|" * 200
    report = sample_report([worst(number) for number in range(500)])
    missed = tuple(NotExamined(f"{number}{long}", plain(long)) for number in range(500))
    run = replace(
        report.runs[0],
        detail=plain(long),
        coverage=Coverage("files", 501, 1, missed),
        notices=(plain(long),) * 100,
    )
    report = replace(report, runs=(run,) * 12, gate=Gate(Outcome.BLOCKED, 1, (plain(long),) * 500))
    written = text(report)
    assert len(written.encode()) < GITHUB_LIMIT / 2
    lived = lived_report()
    waiver = replace(EXPIRED, reason=long, owner=long, ids=(long,) * 100)
    void = (VoidWaiver(waiver, plain(long)),) * 100
    found = tuple(replace(one, void_waivers=void) for one in report.findings)
    uses = (WaiverUse(waiver, WaiverStatus.EXPIRED, 0, -12),) * 100
    gate = replace(report.gate, attempts=(plain(long),) * 100)
    report = replace(report, findings=found, base=lived.base, waivers=uses, gate=gate)
    assert len(text(report).encode()) < GITHUB_LIMIT
    poisoned = known_of(long)
    assert len(text(poisoned).encode()) < GITHUB_LIMIT
    assert "and 490 more in scanagg.json" in written
    assert "- and 470 more\n" in written


def test_a_report_without_a_commit() -> None:
    report = sample_report()
    written = text(replace(report, target=replace(report.target, revision=None)))
    assert written.endswith("judged at 2026-03-04 05:06 UTC\n")
