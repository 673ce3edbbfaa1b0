"""scanagg.md: everything a job summary must show, and no text that breaks its markup."""

import os
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace
from support.sample import CVE, finding, judged, large_report, sample_report, sample_runs, secret
from support.sample_history import EXPIRED, lived_report, many_existing
from support.sample_known import known_report, many_upgrades

from scanagg.model import (
    Action,
    Advisory,
    Confidence,
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
from scanagg.scanners.secret_rules import ALIASES, secret_rule

UNLIKELY = [secret(1), secret(2), secret(3, kind="sentence")]
GITHUB_LIMIT = 1024 * 1024
PAGES = {"sample": sample_report(), "lived": lived_report(), "known": known_report()}


def text(report: Report) -> str:
    return "".join(reporter("md").render(report))


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def section(markdown: str, title: str) -> str:
    found = re.search(rf"^### {title}\n(.*?)(?=^### |\Z)", markdown, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found.group(1)


def test_values_that_look_like_no_secrets_are_one_line() -> None:
    likely = secret(4, Confidence.LIKELY, "private-key", Action.BLOCK)
    markdown = text(sample_report([likely, *UNLIKELY]))
    (line,) = [line for line in markdown.splitlines() if line.startswith("3 values look like no")]
    assert "2 digests" in line
    assert "`scanagg explain --secrets`" in line
    assert "1 finding: 1 block" in markdown
    assert "likely secret: a private key" in markdown


def passed(**changes: object) -> Report:
    runs = tuple(run for run in sample_runs() if run.status is Status.OK)
    base = replace(sample_report([]), runs=runs, gate=Gate(Outcome.PASS, 0))
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_what_they_were(name: str) -> None:
    """To accept a change: SCANAGG_UPDATE_GOLDEN=1."""
    golden = Path(__file__).parent.parent / "data" / "reports" / f"{name}.md"
    page = text(PAGES[name])
    if os.environ.get("SCANAGG_UPDATE_GOLDEN"):
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")


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


@pytest.mark.parametrize("outcome", Outcome)
def test_an_incomplete_check_says_first_what_was_not_examined(outcome: Outcome) -> None:
    written = text(replace(sample_report(), gate=Gate(outcome, 0)))
    assert written.count("### Not examined") == 1
    is_first = written.index("### Not examined") < written.index("### Scanners")
    assert is_first is (outcome is Outcome.INCOMPLETE)


def test_upgrades_are_short_and_say_how_many_more_there_are() -> None:
    many = section(text(many_upgrades(300)), "What to upgrade")
    assert many.count("\n| `") == 10
    assert "\n… and 294 more in scanagg.json\n" in many


def test_upgrades_that_nobody_looked_up_say_so_once() -> None:
    upgrades = tuple(replace(one, checked=False) for one in known_report().upgrades)
    said = section(text(replace(known_report(), upgrades=upgrades)), "What to upgrade")
    assert said.count("from scanners, not checked in the advisory store") == 1


def test_without_data_the_page_says_so() -> None:
    bare = section(text(replace(known_report(), data=(), runs=())), "Data")
    assert bare.strip().splitlines()[0] == f"- {NO_STORE}"


def test_files_that_no_scanner_was_given_are_a_gap() -> None:
    report = passed()
    target = replace(report.target, skipped=(NotExamined("loop", plain("a link to itself")),))
    written = text(replace(report, target=target))
    assert "- 1 file not passed to any scanner\n  - `loop` a link to itself" in written
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
    assert gaps.startswith("\n- detect-secrets: uv.lock: a lock file\n")


def test_without_a_base_it_is_said_once_that_nothing_was_compared() -> None:
    written = text(sample_report())
    assert written.count("No base commit or baseline") == 1
    assert "\n2 findings block, 2 warnings, 3 for information\n" in written
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
    """Return the text of HTML in which only block, list item and code tags are allowed."""
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


@pytest.mark.parametrize("kind", sorted(set(ALIASES.values())))
def test_what_to_do_about_a_secret_is_not_cut(kind: str) -> None:
    found = secret(1, Confidence.LIKELY, "known-format", Action.BLOCK)
    found = replace(found, finding=replace(found.finding, rule=secret_rule(kind, "")))
    assert "…" not in section(text(sample_report((found,))), "1 finding that blocks")


def test_a_secret_shows_its_masked_line() -> None:
    found = secret(1, Confidence.LIKELY, "known-format", Action.BLOCK)
    line = 'KEY = "***(40 characters, hex)"'
    found = replace(found, finding=replace(found.finding, snippet=line))
    assert f"<br>`{line}`<br>" in section(text(sample_report((found,))), "1 finding that blocks")


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
    """The worst case: every text of every advisory, upgrade and data source is long."""
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
