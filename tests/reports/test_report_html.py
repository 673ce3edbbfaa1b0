"""scanagg.html in a real browser: shows every finding and gap, runs no code from the report."""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.browser import Browser, Visit, open_browser
from support.sample import (
    SHELL,
    finding,
    judged,
    large_report,
    sample_findings,
    sample_report,
    sample_runs,
    secret,
)
from support.sample_history import ACTIVE, EXPIRED, lived_report, many_existing
from support.sample_known import PAGES, UPGRADES, known_report, many_upgrades

from scanagg.model import (
    Action,
    Advisory,
    BaseInfo,
    Category,
    Change,
    Confidence,
    Constraint,
    Coverage,
    DataSource,
    Gate,
    History,
    Judged,
    Location,
    NotExamined,
    Outcome,
    Package,
    Report,
    Revision,
    Rule,
    Severity,
    SeverityClaim,
    Status,
    Upgrade,
    VoidWaiver,
    WaiverStatus,
    WaiverUse,
    plain,
)
from scanagg.reports.base import reporter
from scanagg.reports.links import code_url

Open = Callable[..., Visit]

TITLES = 'return await page.$$eval("#list .title", (all) => all.map((one) => one.textContent))'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def show(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Open a report from disk and run a script in it. Fail if the page logs any error."""
    folder = tmp_path_factory.mktemp("pages")

    def visit(report: Report, script: str = "", address: str = "", **options: object) -> Visit:
        file = folder / "scanagg.html"
        file.write_text(text(report), encoding="utf-8")
        seen = browser.visit(file.as_uri() + address, script, **options)
        assert (seen.errors, seen.requests, seen.dialogs) == ([], [], [])
        return seen

    return visit


def text(report: Report) -> str:
    return "".join(reporter("html").render(report))


def passed(**changes: object) -> Report:
    runs = tuple(run for run in sample_runs() if run.status is Status.OK)
    base = replace(sample_report([]), runs=runs, gate=Gate(Outcome.PASS, 0))
    return replace(base, **changes)  # type: ignore[arg-type]


def incomplete() -> Report:
    gate = Gate(Outcome.INCOMPLETE, 3, (plain("pip-audit (required) failed: no answer"),))
    return replace(sample_report(), gate=gate)


def one(**changes: object) -> Report:
    """A report with one finding."""
    return sample_report([judged(finding(9, **changes), Severity.HIGH, Action.BLOCK)])


# ---- the page as opened -------------------------------------------------------------------------

STATES = {
    "lived": lived_report(),
    "known": known_report(),
    "pass": passed(),
    "incomplete": incomplete(),
    "empty": passed(runs=()),
    "upgrades": many_upgrades(40),
}


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wider_than_the_screen(show: Open, state: str) -> None:
    script = """
      const over = [];
      for (const width of [320, 700, 1200]) {
        await page.setViewportSize({ width, height: 800 });
        await page.reload();
        await page.evaluate(() => {
          if (document.querySelector("#open-all")) document.querySelector("#open-all").click();
          for (const part of document.querySelectorAll("details")) part.open = true;
        });
        over.push(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth));
      }
      return over;"""
    assert max(show(STATES[state], script).value) <= 0


# The contrast of every piece of text with its background, by WCAG 2.1; worst first.
CONTRAST = """
  for (const button of await page.$$("#open-all:visible")) await button.click();
  return await page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
      const [r, g, b] = rgba(colour).slice(0, 3).map((part) => {
        const c = part / 255;
        return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const under = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (rgba(colour)[3] === 255) return colour;
      }
      return "white";
    };
    const low = [];
    for (const element of document.body.querySelectorAll("*")) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!own || !element.checkVisibility() || element.closest("script")) continue;
      const [a, b] = [light(getComputedStyle(element).color), light(under(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.className}: ${element.textContent}`);
    }
    return low;
  });"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("report", "address"),
    [
        (lived_report(), "#severity=critical,info"),
        (lived_report(), "#action=waived,warn"),
        (known_report(), ""),
        (passed(), ""),
        (incomplete(), ""),
        (sample_report([judged(finding(9), severity, Action.WAIVED) for severity in Severity]), ""),
    ],
    ids=["filtered", "waived", "known", "passed", "incomplete", "severities"],
)
def test_all_text_has_enough_contrast(
    show: Open, report: Report, address: str, scheme: str
) -> None:
    assert show(report, CONTRAST, address, colorScheme=scheme).value == []


def test_the_colours_follow_the_system_and_the_button(show: Open) -> None:
    script = """
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const before = await ground();
      await page.click("#theme");
      return [before, await ground(), await page.textContent("#theme")];"""
    light = show(sample_report(), script, colorScheme="light").value
    dark = show(sample_report(), script, colorScheme="dark").value
    assert light == [dark[1], dark[0], "Light theme"]
    assert dark[2] == "Dark theme"
    assert light[0] != dark[0]


def test_only_a_pass_is_green(show: Open) -> None:
    script = "return await page.$eval('h1', (h1) => [h1.textContent, getComputedStyle(h1).color])"
    word, green = show(passed(), script).value
    assert word == "Passed"
    others = [show(report, script).value for report in (sample_report(), incomplete())]
    assert [word for word, _ in others] == ["Blocked", "Incomplete"]
    assert len({green, *(colour for _, colour in others)}) == 3


def test_the_verdict_comes_first_with_its_reasons() -> None:
    page = text(incomplete())
    assert page.index("Not a pass") < page.index("pip-audit (required) failed")
    assert page.index("pip-audit (required) failed") < page.index(">Scanners<")
    assert "<title>shop: incomplete " in page
    assert 'data-outcome="incomplete"' in page


def test_what_was_not_examined_stands_above_what_was_found(show: Open) -> None:
    shown = show(sample_report(), 'return await page.innerText(".gaps");').value
    assert "bandit: app/new.py: syntax error: not parsed by bandit with Python 3.11" in shown
    assert "safety missing: not installed" in shown
    page = text(sample_report())
    assert page.index("Not examined") < page.index(">Findings by severity<")


def test_no_gap_no_section() -> None:
    assert 'class="gaps"' not in text(passed())


def test_a_long_list_of_what_was_not_examined_is_cut_and_says_so() -> None:
    missed = tuple(NotExamined(f"f{number}.py", plain("too large")) for number in range(600))
    run = replace(sample_runs()[0], coverage=Coverage("files", 601, 1, missed))
    page = text(passed(runs=(run,)))
    assert "f499.py" in page
    assert "f500.py" not in page
    assert "and 100 more in scanagg.json" in page


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (passed(), "No findings."),
        (passed(runs=sample_runs()), "what was not examined"),
        (passed(runs=()), "nothing was examined"),
        (passed(gate=Gate(Outcome.INCOMPLETE, 3)), "see the verdict above"),
    ],
)
def test_no_findings_is_only_said_where_everything_was_examined(
    show: Open, report: Report, said: str
) -> None:
    shown = show(report, 'return await page.innerText("main")').value
    assert said in shown
    assert ("No findings." in shown) == (report == passed())


def test_the_table_of_runs_says_what_each_looked_at(show: Open) -> None:
    script = """return await page.$$eval("#coverage + .runs tbody tr", (rows) =>
      rows.map((row) => [...row.children].map((cell) => cell.innerText.replace(/\\s+/g, " "))));"""
    bandit, *_, safety, trivy = show(sample_report(), script).value
    assert bandit[:4] == [
        "bandit 1.2.3",
        "degraded 1 of 3 files not examined",
        "2 of 3 files",
        "2",
    ]
    assert "2 suppressed in the project's own files (nosec)" in bandit[5]
    assert safety[:4] == ["safety", "missing not installed", "0 of 2 packages", "0"]
    assert "vulnerability database: 2026-03-04 (today)" in trivy[5]


def test_the_age_of_data_and_a_run_with_nothing_to_do() -> None:
    report = passed()
    old = replace(report.runs[0], data=DataSource("db", report.clock.now.replace(day=1)))
    unknown = replace(report.runs[1], data=DataSource("db"))
    idle = replace(report.runs[2], status=Status.NOT_APPLICABLE, coverage=Coverage("files"))
    skipped = replace(idle, status=Status.MISSING)
    page = text(replace(report, runs=(old, unknown, idle, skipped)))
    assert "db: 2026-03-01 (3 days old)" in page
    assert "db: age unknown" in page
    assert "nothing to examine" in page
    assert "did not run" in page
    assert "did not run" not in text(report)


def test_the_picture_counts_by_category_and_severity(show: Open) -> None:
    script = """return await page.$$eval(".bars > li", (bars) => bars.map((bar) => [
      bar.querySelector("h3").innerText.replace(/\\s+/g, " "),
      [...bar.querySelectorAll(".legend li")].map((one) => one.innerText.trim()),
      [...bar.querySelectorAll("rect")].reduce((sum, part) => sum + part.width.baseVal.value, 0),
    ]));"""
    bars = show(sample_report(), script).value
    assert [bar[0] for bar in bars][:3] == ["All 7", "Vulnerabilities 2", "Code 2"]
    assert bars[0][1] == ["1 critical", "2 high", "1 unknown", "2 medium", "1 low"]
    assert bars[1][1] == ["1 critical", "1 unknown"]
    assert 950 < bars[0][2] <= 1000
    assert bars[1][2] < bars[0][2] / 2


def test_a_bar_of_one_among_thousands_is_seen() -> None:
    found = [judged(finding(n), Severity.LOW, Action.INFO) for n in range(2000)]
    found.append(judged(finding(2000), Severity.CRITICAL, Action.BLOCK))
    assert '<rect class="fill-critical" x="0" width="8"' in text(sample_report(found))


# ---- the findings -------------------------------------------------------------------------------


def test_all_findings_are_listed_most_urgent_first(show: Open) -> None:
    titles = show(sample_report(), TITLES).value
    assert titles == [one.finding.title for one in sample_findings()]


CARDS = """
  await page.click("#open-all");
  return await page.$$eval("#list > li", (cards) => cards.map((card) => ({
    ...Object.fromEntries([...card.querySelectorAll("dl > div")].map((pair) =>
      [pair.children[0].innerText, pair.children[1].innerText])),
    head: card.querySelector("summary").innerText,
    body: card.querySelector(".card-body").innerText,
    links: [...card.querySelectorAll("a[href^=http]")].map((link) => [link.href, link.rel]),
  })));"""


@pytest.fixture(scope="module")
def sample_cards(show: Open) -> list[Any]:
    """The open findings of the sample: terms with their descriptions, head, body and links."""
    return list(show(sample_report(), CARDS).value)


@pytest.fixture(scope="module")
def known_cards(show: Open) -> list[Any]:
    return list(show(known_report(), CARDS).value)


@pytest.fixture(scope="module")
def lived_cards(show: Open) -> list[Any]:
    return list(show(lived_report(), CARDS).value)


def test_a_vulnerability_shows_everything_that_is_known(sample_cards: list[Any]) -> None:
    card = sample_cards[0]
    for shown in ("critical", "block", "requirements.txt:1", "jinja2 2.4.1", "pip-audit, trivy"):
        assert shown in card["head"]
    assert "jinja2==2.4.1" in card["head"], "the line of code"
    assert "Update jinja2 to 2.8.1." in card["head"]
    assert card["Verdict"] == "block by rule block-rule: the rule says block"
    assert card["Severity"].startswith("critical, by GitHub's label\n")
    assert "NVD: 8.6, high (via trivy) CVSS:3.1/AV:N" in card["Severity"]
    assert "pip-audit as PYSEC-2019-220 (no severity)" in card["Found by"]
    assert "GHSA-hj2j-77xm-mc5v" in card["Advisory"]
    assert "published 2019-04-08" in card["Advisory"]
    assert card["Package"] == "pkg:pypi/jinja2@2.4.1\ndirect; runtime"
    assert {url for url, _ in card["links"]} == {
        "https://osv.dev/vulnerability/CVE-2016-10745",
        "https://cwe.mitre.org/data/definitions/134.html",
        "https://github.com/advisories/GHSA-hj2j-77xm-mc5v",
        "https://osv.dev/vulnerability/PYSEC-2019-220",
    }
    assert {rel for _, rel in card["links"]} == {"noopener noreferrer"}


def test_an_advisory_shows_sources_exploits_pages_and_the_way_in(known_cards: list[Any]) -> None:
    card = known_cards[0]
    assert "known to be exploited since 2023-11-03 (CISA)" in card["head"]
    assert "transitive: shop → requests → urllib3" in card["head"]
    assert "Upgrade urllib3 to 2.5.0." in card["head"]
    assert card["Severity"].splitlines() == [
        "high, by GitHub's label",
        "GitHub says high, CVSS says low",
        "GitHub's label: high (via OSV)",
        "CVSS 3.1: 3.1, low (via OSV) CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:N/I:L/A:N",
        "pip-audit: no severity",
    ]
    assert "CVE-2023-43804 · GHSA-v845-jxx5-vc9f · PYSEC-2023-192" in card["Advisory"]
    assert "exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS)" in card["Advisory"]
    assert "fixed in 1.26.17, 2.0.6; published 2023-10-02" in card["Advisory"]
    assert card["Package"].splitlines()[1:] == [
        "transitive: shop → requests → urllib3; runtime",
        "required in requirements.in:2",
    ]
    assert card["References"].splitlines() == list(PAGES)
    linked = {url for url, _ in card["links"]}
    assert linked & set(PAGES) == set(PAGES[:2]), "only https is a link"
    assert {rel for _, rel in card["links"]} == {"noopener noreferrer"}


def test_malicious_withdrawn_and_silent_packages_are_told_apart(known_cards: list[Any]) -> None:
    evil = known_cards[1]
    assert "malicious: the package itself is an attack" in evil["head"]
    assert "Remove reqeusts: it is malicious." in evil["head"]
    gone = known_cards[2]
    assert "withdrawn by its publisher" in gone["Advisory"]
    silent = known_cards[3]
    assert silent["Package"] == "pkg:pypi/oldlib@0.9\nruntime", "nothing tells how it comes in"


def test_upgrades_are_listed_and_lead_to_their_findings(show: Open) -> None:
    script = """
      const rows = await page.$$eval("#upgrades ~ .upgrades tbody tr", (all) =>
        all.map((row) => [...row.children].map((cell) => cell.innerText.trim())));
      await page.click("#upgrades ~ .upgrades .ids a");
      return [rows, await page.textContent("#result"),
        await page.$$eval("#list .title", (all) => all.map((one) => one.textContent))];"""
    rows, result, titles = show(known_report(), script).value
    urllib3, jinja2, evil, lonely = rows
    assert urllib3[0] == "urllib3 1.26.4 transitive: shop → requests → urllib3".replace(" t", "\nt")
    assert urllib3[1] == "2.5.0 (major)"
    assert urllib3[2].splitlines() == [
        "4, 1 of which blocks",
        "CVE-2023-43804",
        "CVE-2021-33503",
        "CVE-2024-37891",
        "and 1 more",
    ]
    assert urllib3[3].splitlines() == [
        "1.26.17 is enough to clear the blocking findings",
        "held back by requests, which requires urllib3<1.27,>=1.21.1",
        "held back by constraints.txt:3, which requires urllib3<2",
        "required by requests: upgrade or lock that",
        "does not clear PYSEC-2099-1",
    ]
    assert jinja2[3] == "from scanners, not checked in the advisory store"
    assert (evil[1], lonely[1]) == ("remove it", "no version without known vulnerabilities")
    assert "it is malicious (MAL-2025-1): check where it was installed" in evil[3]
    assert result == "1 of 5 findings"
    assert titles == ["Cookies reach another site"]


def test_of_many_upgrades_the_first_stand_open(show: Open) -> None:
    script = """return [
      await page.$$eval("#upgrades ~ .upgrades tbody tr", (all) => all.length),
      await page.textContent(".rest summary"),
      await page.$$eval(".rest tbody tr", (all) => all.length)];"""
    assert show(many_upgrades(300), script).value == [10, "294 more packages", 294]
    most = replace(known_report(), upgrades=UPGRADES * 251)
    page = text(most)
    assert "990 more packages" in page
    assert "and 4 more in scanagg.json" in page


def test_what_the_verdict_rests_on_is_a_table_and_licences_are_named() -> None:
    page = text(known_report())
    table = page[page.index('id="data"') : page.index('id="findings"')]
    for shown in ("OSV (PyPI)", "18,234", "2026-03-01</time>, 3 days old", "ab12cd34ab1…"):
        assert shown in table
    assert "vulnerability database" in table
    assert "PyPA Advisory Database and the GitHub Advisory Database, under CC BY 4.0." in page
    assert "EPSS scores are from FIRST" in page
    bare = text(replace(known_report(), data=()))
    assert "No advisory store: severity, KEV and EPSS come from scanners only." in bare
    assert "CC BY 4.0" not in bare


def test_a_code_finding_shows_what_to_do_and_its_rule(sample_cards: list[Any]) -> None:
    card = sample_cards[2]
    assert "subprocess.run(name, shell=True)" in card["head"]
    assert card["What to do"] == SHELL.help
    assert card["Why it matters"] == SHELL.why
    assert card["Instead of"] == SHELL.bad
    assert card["Write"] == SHELL.good
    assert card["Rule"].startswith("B602 subprocess_popen_with_shell_equals_true · CWE-78")
    assert card["Severity"] == "high, by bandit"
    assert card["Confidence"] == "high"


def test_a_severity_that_the_policy_set_says_so(show: Open) -> None:
    claims = (
        SeverityClaim("policy", Severity.LOW, "policy"),
        SeverityClaim("cvss3.1", Severity.HIGH, "trivy"),
        SeverityClaim("elsewhere", Severity.HIGH, "trivy"),
    )
    assert show(one(claims=claims), CARDS).value[0]["Severity"].splitlines() == [
        "high, by the policy",
        "the policy: low",
        "CVSS 3.1: high (via trivy)",
        "elsewhere: high (via trivy)",
    ]


def test_a_finding_without_place_says_that_its_severity_is_unknown(sample_cards: list[Any]) -> None:
    card = sample_cards[3]
    assert "zlib1g 1.2" in card["head"]
    assert card["Severity"] == "unknown: no source rates it, which does not mean low"
    assert "Place" not in card


def test_a_finding_without_place_or_package(show: Open) -> None:
    card = show(one(location=None, places=(), snippet=None, claims=()), CARDS).value[0]
    assert "subprocess call with shell=True" in card["head"]


def test_a_licence_finding_shows_the_expression_and_how_it_came_in(sample_cards: list[Any]) -> None:
    card = sample_cards[5]
    assert card["Licence"] == "see LICENSE"
    assert card["Package"] == "pkg:pypi/odd@1.0\ntransitive; dev"


def test_all_places_are_listed_up_to_a_bound(show: Open) -> None:
    places = tuple(Location(f"r{number}.txt", 1) for number in range(103))
    card = show(one(location=places[0], places=places), CARDS).value[0]
    assert "r0.txt:1\nr1.txt:1" in card["Place"]
    assert card["Place"].endswith("and 3 more in scanagg.json")


def test_a_place_is_shown_once_whatever_its_columns(show: Open) -> None:
    places = (Location("a.py", 1), Location("a.py", 1, start_column=5), Location("a.py", 2))
    first, second = (
        show(one(location=places[0], places=places[:number]), CARDS).value[0] for number in (2, 3)
    )
    assert (first["Place"], second["Place"]) == ("a.py:1", "a.py:1\na.py:2")


def test_a_place_of_many_lines(show: Open) -> None:
    card = show(one(location=Location("a.py", 5, 9), places=()), CARDS).value[0]
    assert card["Place"] == "a.py:5 to line 9"


def test_a_withdrawn_advisory_without_a_fix(show: Open) -> None:
    vulnerability = sample_findings()[0].finding
    advisory = Advisory("CVE-2016-10745", withdrawn=True)
    report = sample_report(
        [judged(replace(vulnerability, advisory=advisory), Severity.INFO, Action.INFO)]
    )
    card = show(report, CARDS).value[0]
    assert card["Advisory"] == ("CVE-2016-10745\nwithdrawn by its publisher; no fixed version")
    assert "Nothing to do: the advisory was withdrawn." in card["head"]


def test_a_place_links_to_the_code(show: Open) -> None:
    report = one(location=Location("app/a b#.py", 5), places=(), rule=replace(SHELL, url=None))
    revision = Revision("0123abc", "main", "https://github.com/a/shop.git", "sub/dir", dirty=False)
    report = replace(report, target=replace(report.target, revision=revision))
    links = [link for link, _ in show(report, CARDS).value[0]["links"]]
    assert links == [
        "https://cwe.mitre.org/data/definitions/78.html",
        "https://github.com/a/shop/blob/0123abc/sub/dir/app/a%20b%23.py#L5",
    ]


@pytest.mark.parametrize(
    ("repository", "prefix", "url"),
    [
        ("https://github.com/a/shop.git", "", "https://github.com/a/shop/blob/0123abc/"),
        ("https://gitlab.com/a/shop", "b/c", "https://gitlab.com/a/shop/-/blob/0123abc/b/c/"),
        ("https://git.invalid/a/shop", "", None),
        ("git@github.com:a/shop.git", "", None),
        (None, "", None),
    ],
)
def test_links_to_code_only_lead_to_known_hosts(
    repository: str | None, prefix: str, url: str | None
) -> None:
    assert code_url(Revision("0123abc", "main", repository, prefix, dirty=False)) == url


def test_no_link_to_a_commit_that_the_files_differ_from() -> None:
    report = sample_report()
    revision = Revision("0123abc", "main", "https://github.com/a/shop", "", dirty=True)
    page = text(replace(report, target=replace(report.target, revision=revision)))
    assert "blob/0123abc" not in page
    assert "with uncommitted changes" in page


# ---- filter, sort, address ----------------------------------------------------------------------

# Runs each action on a fresh page: the number of findings and the address after it, then the same
# after a reload, which starts from the address.
FILTER = """
  const seen = [];
  for (const act of ACTS) {
    await page.evaluate(() => history.replaceState(null, "", location.pathname));
    await page.reload();
    await new Body("page", act)(page);
    const result = () => page.textContent("#result");
    const address = () => decodeURIComponent(new URL(page.url()).hash);
    const before = [await result(), address()];
    await page.reload();
    const count = await page.$$eval("#list > li", (all) => all.length);
    const focus = await page.evaluate(() => document.activeElement.id);
    seen.push([...before, await result() === before[0], count, focus]);
  }
  return seen;"""
SAMPLE_FILTERS = {
    "await page.check('#by-severity [value=high]');": (2, "#severity=high"),
    "await page.check('#by-severity [value=unknown]');": (1, "#severity=unknown"),
    "await page.check('#by-category [value=secret]');": (1, "#category=secret"),
    "await page.check('#by-action [value=info]');": (3, "#action=info"),
    "await page.selectOption('#scanner', 'trivy');": (3, "#scanner=trivy"),
    "await page.selectOption('#package', 'jinja2');": (1, "#package=jinja2"),
    "await page.fill('#q', 'PYSEC sandbox'); await page.waitForFunction(() => location.hash);": (
        2,
        "#q=PYSEC sandbox",
    ),
    "await page.check('#by-severity [value=high]'); await page.check('#by-severity [value=low]');"
    "await page.selectOption('#scanner', 'bandit');": (1, "#severity=high,low&scanner=bandit"),
}
LIVED_FILTERS = {
    "await page.check('#by-origin [value=new]');": (3, "#origin=new"),
    "await page.check('#by-origin [value=disclosed]');": (1, "#origin=disclosed"),
    "await page.check('#by-origin [value=existing]');": (4, "#origin=existing"),
    "await page.check('#by-action [value=waived]');": (2, "#action=waived"),
}


@pytest.mark.parametrize(
    ("report", "filters"),
    [(sample_report(), SAMPLE_FILTERS), (lived_report(), LIVED_FILTERS)],
    ids=["sample", "lived"],
)
def test_a_filter_narrows_the_list_and_is_in_the_address(
    show: Open, report: Report, filters: Mapping[str, tuple[int, str]]
) -> None:
    total = len(report.findings)
    assert show(report, FILTER.replace("ACTS", json.dumps(list(filters)))).value == [
        [f"{count} of {total} findings", address, True, count, "findings"]
        for count, address in filters.values()
    ]


def test_filters_are_taken_away_again(show: Open) -> None:
    script = """
      await page.check("#by-severity [value=high]");
      await page.uncheck("#by-severity [value=high]");
      await page.check("#by-category [value=code]");
      await page.click("#reset");
      return [await page.textContent("#result"), await page.isVisible("#reset"),
        await page.isChecked("#by-category [value=code]"), new URL(page.url()).hash];"""
    assert show(sample_report(), script).value == ["7 findings", False, False, ""]


def test_a_filter_that_nothing_passes_says_so(show: Open) -> None:
    script = 'return await page.textContent("#result");'
    said = show(sample_report(), script, "#q=no-such-thing").value
    assert said == "No matches in 7 findings"


def test_an_address_made_up_by_someone_shows_all(show: Open) -> None:
    script = 'return await page.textContent("#result");'
    address = "#severity=__proto__,nope&sort=constructor&category=&%3Cscript%3E=1"
    assert show(sample_report(), script, address).value == "7 findings"


SORTS: dict[str, Callable[[Judged], object]] = {
    "severity": lambda one: one.severity.order,
    "category": lambda one: list(Category).index(one.finding.category),
    "scanner": lambda one: ",".join(one.finding.scanners),
    "place": lambda one: place_key(one.finding.location),
    "title": lambda one: one.finding.title.lower(),
}


def test_the_list_can_be_sorted(show: Open) -> None:
    script = f"""
      const titles = async () => {{ {TITLES} }};
      const seen = [];
      for (const key of {list(SORTS)}) {{
        await page.selectOption("#sort", key);
        const chosen = await titles();
        await page.reload();
        seen.push([chosen, await titles()]);
      }}
      return seen;"""
    seen = show(sample_report(), script).value
    for key, (chosen, reloaded) in zip(SORTS, seen, strict=True):
        by_rank = sorted(sample_findings(), key=SORTS[key])  # type: ignore[arg-type]
        assert chosen == reloaded == [one.finding.title for one in by_rank], key


def place_key(location: Location | None) -> tuple[bool, str, int]:
    if location is None:
        return (True, "", 0)
    return (False, location.path.lower(), location.start_line or 0)


def test_sorted_by_package_what_has_none_stands_last(show: Open) -> None:
    script = """return await page.$$eval("#list .where", (all) => all.slice(0, 4).map((one) =>
      one.textContent));"""
    first = show(sample_report(), script, "#sort=package").value
    assert ["jinja2" in first[0], "odd" in first[1], "zlib1g" in first[2]] == [True] * 3
    assert "config.ini" in first[3]


NUMBERS = {
    ".bars a >> text=Code": ("2 of 7 findings", "#category=code"),
    ".bars .all a >> text=1 low": ("1 of 7 findings", "#severity=low"),
    ".bars li:nth-child(2) a >> text=1 unknown": (
        "1 of 7 findings",
        "#category=vulnerability&severity=unknown",
    ),
    ".tally-block a": ("2 of 7 findings", "#action=block"),
    ".runs tr:last-child td a": ("3 of 7 findings", "#scanner=trivy"),
}


def test_numbers_lead_to_their_findings(show: Open) -> None:
    script = f"""
      const seen = [];
      for (const link of {json.dumps(list(NUMBERS))}) {{
        await page.click(link);
        await page.waitForFunction(() => document.activeElement.id === "findings");
        await page.focus(".brand, a");
        await page.click(link);
        seen.push([await page.textContent("#result"), new URL(page.url()).hash,
          await page.evaluate(() => document.activeElement.id)]);
      }}
      return seen;"""
    assert show(sample_report(), script).value == [
        [result, address, "findings"] for result, address in NUMBERS.values()
    ]


def test_one_finding_can_be_sent(show: Open) -> None:
    script = """
      await page.click("#list > li:nth-child(2) summary");
      await page.click("#list > li:nth-child(2) dd a[href^='#finding']");
      return [await page.$$eval("#list > li", (all) => all.length),
        await page.isVisible(".card-body"), new URL(page.url()).hash];"""
    assert show(sample_report(), script).value == [1, True, "#finding=000000000003"]


def test_an_anchor_of_the_page_changes_no_filter(show: Open) -> None:
    script = """
      await page.check("#by-severity [value=high]");
      await page.evaluate(() => { location.hash = "coverage"; });
      await page.waitForTimeout(50);
      return await page.textContent("#result");"""
    assert show(sample_report(), script).value == "2 of 7 findings"


def test_a_hundred_are_shown_and_more_on_demand(show: Open) -> None:
    script = """
      const before = [await page.textContent("#result"), await page.textContent("#more")];
      await page.click("#more");
      await page.click("#more");
      return [...before, await page.textContent("#result"), await page.textContent("#more"),
        await page.evaluate(() => document.activeElement.parentElement.parentElement.dataset.id),
        await page.$$eval("#list > li", (all) => all.length)];"""
    assert show(large_report(350), script).value == [
        "350 findings, the first 100 shown",
        "Show 100 more of 250",
        "350 findings, the first 300 shown",
        "Show 50 more of 50",
        f"{200:012x}",
        300,
    ]


def test_a_hundred_thousand_findings_open(show: Open) -> None:
    script = """
      await page.fill("#q", "mod0042");
      await page.waitForFunction(() => document.querySelector("#result").textContent.includes(" of "));
      return await page.textContent("#result");"""  # noqa: E501
    assert show(large_report(100_000), script).value == "50 of 100,000 findings"


# ---- base, deadlines, waivers -------------------------------------------------------------------


def test_each_finding_has_its_origin(show: Open) -> None:
    script = """return await page.$$eval("#list .origin", (all) => all.map((one) =>
      one.textContent));"""
    assert show(lived_report(), script).value == [
        *("new", "new, edited", "disclosed", "new, edited"),
        *["existing"] * 4,
    ]


def test_what_was_compared_is_said(show: Open) -> None:
    shown = show(lived_report(), 'return await page.innerText(".verdict");').value
    assert "Compared with commit 89abcde" in shown
    assert "2 new findings block, 1 more new, 1 disclosed, 2 existing, 2 waived" in shown
    assert "No base commit or baseline" not in text(lived_report())


def test_that_nothing_was_compared_is_said_and_nothing_is_called_new(
    show: Open, sample_cards: list[Any]
) -> None:
    script = """return [await page.innerText(".not-compared"),
      await page.isVisible("#by-origin"), await page.$$eval(".origin", (all) => all.length),
      await page.$$eval("#list .due, #list .quiet", (all) => all.length)];"""
    said, *rest = show(sample_report(), script).value
    assert said.startswith("No base commit or baseline")
    assert rest == [False, 0, 0]
    card = sample_cards[0]
    assert not {"Origin", "Waiver", "Deadline", "Void waivers"} & set(card)
    assert 'class="note not-compared"' not in text(passed())


def test_what_a_change_does_to_its_own_gate_stands_above_all_but_the_verdict(show: Open) -> None:
    shown = show(lived_report(), 'return await page.innerText(".attempts");').value
    assert "This change would loosen its own gate" in shown
    assert "a new .bandit hides findings from bandit" in shown
    page = text(lived_report())
    assert page.index("verdict-title") < page.index("attempts-title") < page.index("gaps-title")
    assert 'class="attempts"' not in text(sample_report())


def test_a_deadline_stands_at_its_finding(lived_cards: list[Any]) -> None:
    card = lived_cards[2]
    assert "blocks from 2026-03-13, 9 days left" in card["head"]
    assert card["Deadline"] == "blocks from 2026-03-13, 9 days left"
    assert card["Origin"] == (
        "disclosed: odd 1.0 is in the base; the advisory was published after it; "
        "first seen 2025-12-01"
    )


def test_a_waived_finding_says_who_waives_it_why_and_until_when(lived_cards: list[Any]) -> None:
    card = lived_cards[6]
    assert "risk accepted; owner @team-web; until 2026-03-10 (6 days left)" in card["head"]
    assert card["Waiver"].splitlines() == [
        "risk accepted; owner @team-web; until 2026-03-10 (6 days left)",
        ACTIVE.reason,
        ACTIVE.place,
    ]
    assert "suppressed in the source by nosec" in lived_cards[7]["head"]


def test_a_waiver_without_effect_stands_at_its_finding(show: Open, lived_cards: list[Any]) -> None:
    card = lived_cards[0]
    assert "waiver of @team has no effect: it expired 12 days ago" in card["head"]
    assert card["Void waivers"] == "waiver of @team has no effect: it expired 12 days ago"
    script = 'return await page.innerText("main");'
    static = show(lived_report(), script, javaScriptEnabled=False).value
    assert "waiver of @team has no effect" in static
    assert "new, edited" in static


def test_waivers_are_listed_those_that_need_care_marked(show: Open) -> None:
    script = """return await page.$$eval(".waivers tbody tr", (rows) => rows.map((row) => [
      ...[...row.children].map((cell) => cell.innerText.replace(/\\s+/g, " ").trim()),
      row.querySelector(".status").className]));"""
    active, expired, unused = show(lived_report(), script).value
    assert active == [
        "B602 in app/** policies/waivers.yml:4",
        "waives 1 finding, 6 days left",
        "@team-web",
        "2026-03-10",
        "risk accepted: only our own names reach it, see SEC-212",
        "status gap",
    ]
    assert expired[1:4] == ["expired 12 days ago", "@team", "2026-02-20, or a fixed version"]
    assert (unused[1], unused[5]) == ("unused, 89 days left", "status gap")
    calm = lived_report().waivers[0]
    calm = replace(calm, days_left=90)
    (row,) = show(replace(lived_report(), waivers=(calm,)), script).value
    assert row[5] == "status quiet"
    assert 'id="waivers"' not in text(sample_report())


def test_a_long_list_of_waivers_is_cut_and_says_so() -> None:
    page = text(replace(lived_report(), waivers=lived_report().waivers * 200))
    assert "and 100 more in scanagg.json" in page


def test_waivers_can_be_searched(show: Open) -> None:
    words = {"team-web": 1, "SEC-212": 1, "nosec": 1, "no effect": 2}
    script = f"""
      const seen = [];
      for (const words of {list(words)}) {{
        await page.evaluate((words) => {{ location.hash = "q=" + words; }}, words);
        await page.waitForFunction((words) => document.querySelector("#q").value === words, words);
        seen.push(await page.textContent("#result"));
      }}
      return seen;"""
    assert show(lived_report(), script).value == [
        f"{number} of 8 findings" for number in words.values()
    ]


def test_existing_findings_do_not_drown_a_new_one(show: Open) -> None:
    assert show(many_existing(150), TITLES).value[0] == "the one new thing"


def test_the_footer_says_where_the_rules_came_from(show: Open) -> None:
    shown = show(lived_report(), 'return await page.innerText("footer");').value
    assert "read from commit 89abcdef0123456…, with policies/waivers.yml" in shown


# ---- keyboard, assistive technology, paper, no scripts ------------------------------------------


def test_everything_can_be_reached_by_keyboard(show: Open) -> None:
    script = """
      const key = (name) => page.keyboard.press(name);
      await key("Tab");
      const skip = await page.evaluate(() => document.activeElement.textContent);
      await key("Enter");
      await key("Tab");
      const search = await page.evaluate(() => document.activeElement.id);
      await page.focus("#by-severity [value=critical]");
      await key("Space");
      await page.focus("#list summary");
      const ring = await page.$eval("#list summary", (one) => getComputedStyle(one).outlineStyle);
      await key("Enter");
      return [skip, search, await page.textContent("#result"), ring,
        await page.isVisible("#list .card-body")];"""
    assert show(sample_report(), script).value == [
        "Skip to the findings",
        "q",
        "1 of 7 findings",
        "solid",
        True,
    ]


def test_the_page_has_landmarks_headings_and_names(show: Open) -> None:
    script = """return await page.evaluate(() => ({
      h1: document.querySelectorAll("h1").length,
      levels: [...document.querySelectorAll("h1, h2, h3")].map((one) => Number(one.tagName[1])),
      landmarks: ["main", "header", "footer", "form[role=search]"].every((one) =>
        document.querySelector(one)),
      live: document.querySelector("#result").getAttribute("aria-live"),
      unnamed: [...document.querySelectorAll("input, select, button:not([hidden])")].filter((one) =>
        !(one.labels && one.labels.length) && !one.textContent.trim()).length,
      ids: [...document.querySelectorAll("[id]")].map((one) => one.id),
      lang: document.documentElement.lang,
    }))"""
    page = show(sample_report(), script).value
    assert (page["h1"], page["landmarks"], page["live"]) == (1, True, "polite")
    assert (page["unnamed"], page["lang"]) == (0, "en")
    assert len(page["ids"]) == len(set(page["ids"]))
    steps = [later - earlier for earlier, later in itertools.pairwise(page["levels"])]
    assert max(steps) <= 1, "no heading level is skipped"


def test_on_paper_everything_is_open_and_the_filters_are_gone(show: Open) -> None:
    script = """
      await page.emulateMedia({ media: "print", colorScheme: "dark" });
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      const printed = await page.evaluate(() => ({
        filters: document.querySelector("#filters").checkVisibility(),
        closed: document.querySelectorAll("#list details:not([open]), .gaps details:not([open])")
          .length,
        verdicts: [...document.querySelectorAll("#list dt")].filter((one) =>
          one.textContent === "Verdict").length,
        note: document.querySelector("#print-note").textContent,
        ground: getComputedStyle(document.querySelector(".card")).backgroundColor,
      }));
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      await page.emulateMedia({ media: "screen" });
      printed.after = await page.evaluate(() => [
        document.querySelectorAll("#list > li").length,
        document.querySelectorAll("#list details[open]").length,
        document.querySelector("#result").textContent]);
      return printed;"""
    assert show(large_report(250), script).value == {
        "filters": False,
        "closed": 0,
        "verdicts": 200,
        "note": "Printed: the first 200 of 250 findings. scanagg.json has all of them.",
        "ground": "rgb(255, 255, 255)",
        "after": [100, 0, "250 findings, the first 100 shown"],
    }


def test_a_real_print_has_the_details(show: Open, tmp_path: Path) -> None:
    pdf = tmp_path / "report.pdf"
    script = f"""
      await page.pdf({{ path: {json.dumps(str(pdf))} }});
      return await page.$$eval("#list dl", (all) => all.length);"""
    assert show(sample_report(), script).value == 7
    assert pdf.read_bytes().startswith(b"%PDF")


def test_an_empty_report_prints(show: Open) -> None:
    script = """
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      const open = await page.$$eval("details[open]", (all) => all.length);
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      return [open > 0, await page.$$eval("details[open]", (all) => all.length)];"""
    assert show(passed(), script).value == [True, 0]


def test_without_scripts_what_blocks_is_listed(show: Open) -> None:
    script = 'return await page.innerText("main");'
    shown = show(sample_report(), script, javaScriptEnabled=False).value
    assert "JavaScript is turned off" in shown
    assert "Secret Keyword" in shown
    assert "Update jinja2 to 2.8.1." in shown
    assert "subprocess call with shell=True" not in shown
    assert "5 more findings in scanagg.json." in shown


def test_values_that_look_like_no_secrets_are_folded() -> None:
    likely = secret(4, Confidence.LIKELY, "private-key", Action.BLOCK)
    sentences = [secret(2, kind="sentence") for _ in range(102)]
    page = text(sample_report([likely, secret(1), *sentences]))
    folded = page[page.index('<details class="unlikely">') : page.index("</main>")]
    assert "<summary>103 values look like no secrets: 102 sentences, 1 digest" in folded
    assert folded.count("<li>") == 1 + 100 + 1
    assert "app/db.py:1" not in page.replace(folded, "")
    assert '<p class="quiet">likely secret: a private key</p>' in page
    assert "unlikely secret" not in page


def test_without_scripts_the_list_is_bounded() -> None:
    page = text(large_report(300))
    assert page.count('<li class="card">') == 50
    assert "250 more findings in scanagg.json." in page


# ---- the report's text is untrusted -------------------------------------------------------------

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)> ' onmouseover='alert(1) \" autofocus onfocus=\"alert(1)",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; &amp; ünï 日本 🐍 é",
    "javascript:alert(1)",
    "__proto__",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_shown_as_text_everywhere(show: Open, hostile: str) -> None:
    path = hostile.replace("/", "|")
    poisoned = Package(
        hostile,
        hostile,
        f"pkg:pypi/{hostile}",
        direct=False,
        chain=(hostile, hostile),
        asked=(Location(path, 3),),
    )
    found = replace(
        sample_findings()[0].finding,
        title=hostile,
        message=f"message {hostile}",
        snippet=hostile,
        location=Location(path, 1),
        places=(Location(path, 1), Location(path, 2)),
        rule=Rule(*[hostile] * 4, (hostile,), *[hostile] * 4),
        advisory=Advisory(
            "CVE-1",
            (hostile,),
            (hostile,),
            hostile,
            hostile,
            kev=True,
            kev_added=hostile,
            references=(hostile,),
        ),
        package=poisoned,
        claims=(SeverityClaim(hostile, Severity.HIGH, hostile, hostile),),
    )
    found = replace(found, in_source=hostile, history=History(Change.NEW, plain(hostile)))
    waiver = replace(EXPIRED, reason=hostile, owner=hostile, place=hostile, ids=(hostile,))
    whole = judged(
        found,
        Severity.HIGH,
        Action.BLOCK,
        waiver=waiver,
        void_waivers=(VoidWaiver(waiver, plain(hostile)),),
    )
    report = sample_report([whole])
    run = replace(
        report.runs[0],
        scanner=hostile,
        version=hostile,
        detail=plain(hostile),
        argv=(hostile,),
        coverage=Coverage(hostile, 2, 1, (NotExamined(hostile, plain(hostile)),)),
        hidden={hostile: 1},
        notices=(plain(hostile),),
    )
    report = replace(
        report,
        target=replace(report.target, name=hostile, notices=(plain(hostile),)),
        runs=(run,),
        gate=Gate(Outcome.BLOCKED, 1, *[(plain(hostile),)] * 3),
        base=BaseInfo(hostile, hostile),
        waivers=(WaiverUse(waiver, WaiverStatus.EXPIRED, 0, -1),),
        policy=replace(report.policy, files=((hostile, "ab"),), ref=hostile),
        packages=(poisoned,),
        data=(DataSource(hostile, None, hostile, 1, hostile, f"cc by {hostile}"),),
        upgrades=(
            Upgrade(
                package=poisoned,
                to=hostile,
                to_unblock=f"1{hostile}",
                clears=(hostile,),
                stays=(hostile,),
                hindered_by=(Constraint(hostile, hostile, hostile, hostile),),
                change=(f"not {hostile}",),
            ),
        ),
    )
    script = """
      await page.click("#list summary");
      return [await page.textContent("#list .title"), await page.textContent("#list .code"),
        await page.textContent("#list .long"), await page.textContent(".reasons li"),
        await page.textContent(".project"),
        await page.textContent("#coverage + .runs th[scope=row]"),
        await page.evaluate(() => document.querySelectorAll("script").length),
        await page.evaluate(() => document.querySelectorAll("img, [onerror], [onfocus]").length),
        await page.$$eval("a", (all) => all.filter((a) => !/^(https?|file):/.test(a.href)).length),
        await page.textContent(".attempts li"), await page.textContent("#list .waiver"),
        await page.textContent(".waivers tbody"), await page.textContent(".upgrades tbody"),
        await page.textContent(".data tbody"), await page.textContent("#list .way"),
        ...await page.$$eval("#list .example", (all) => all.map((part) => part.textContent))];
    """
    shown = show(report, script).value
    assert shown[:2] == [hostile, hostile]
    assert shown[2] == f"message {hostile}"
    assert shown[3:5] == [hostile, hostile]
    assert shown[5].startswith(hostile)
    assert shown[6:9] == [4, 0, 0]
    assert shown[9] == hostile
    assert all(hostile in part for part in shown[10:])
    assert shown[-2:] == [hostile, hostile]


def test_control_characters_are_made_visible(show: Open) -> None:
    shown = show(one(title="a\x1b[31m\u202eb\nc\udcff\x00", snippet="x\x1b"), CARDS).value[0]
    assert "a\\x1b[31m\\u202eb\\nc\\xff\\x00" in shown["head"]
    assert "x\\x1b" in shown["head"]


def test_the_page_lets_nothing_run_or_load_but_its_own(browser: Browser, tmp_path: Path) -> None:
    script = """return await page.evaluate(() => {
      const attempt = (act) => { try { act(); } catch (refused) { return refused.name; } };
      const script = document.createElement("script");
      const code = document.createTextNode("window.ran = true");
      return [
        attempt(() => document.body.insertAdjacentHTML("beforeend", "<b id=injected>")),
        attempt(() => { script.append(code); document.body.append(script); }),
        window.ran === true,
      ];
    });"""
    file = tmp_path / "scanagg.html"
    file.write_text(text(sample_report()), encoding="utf-8")
    seen = browser.visit(file.as_uri(), script)
    assert seen.value[0] == "TypeError"
    assert seen.value[2] is False
    assert seen.errors, "a refusal is told on the console"
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', file.read_text("utf-8"))
    assert policy
    assert "default-src 'none'" in policy.group(1)
    assert "unsafe" not in policy.group(1)


def test_long_texts_are_cut_for_display_but_can_be_read(show: Open) -> None:
    title = "long " * 400
    card = show(one(title=title, snippet="x" * 50_000, message="m" * 20_000), CARDS).value[0]
    assert len(card["head"]) < 1_000
    assert title.strip() in card["body"]
    assert len(text(one(snippet="x" * 1_000_000))) < 200_000


def test_there_is_no_address_to_load_anything_from() -> None:
    page = text(sample_report())
    assert not re.search(r"<(?:img|iframe|object|embed|video|audio|base)\b", page)
    assert not re.search(r"<script[^>]*\bsrc=|@import|url\(", page)
    assert re.findall(r"<link[^>]*>", page)[0].startswith('<link rel="icon" href="data:')


def test_no_path_of_the_machine_is_in_the_page(tmp_path: Path) -> None:
    assert str(tmp_path) not in text(sample_report(root=tmp_path))


def test_a_report_without_git_or_version_with_a_given_time() -> None:
    report = sample_report()
    report = replace(
        report,
        target=replace(report.target, revision=None),
        clock=replace(report.clock, given=True),
        policy=replace(report.policy, enforcement="warn"),
        gate=Gate(Outcome.PASS, 0),
    )
    page = text(report)
    assert "set with <code>--now</code>" in page
    assert "Enforcement is <b>warn</b>" in page
    assert "<dt>Commit</dt>" not in page


def test_commands_in_sentences_are_code_and_the_rest_is_escaped() -> None:
    notice = plain("<b>old</b>: run `scanagg db update` & `<i>`")
    run = replace(sample_report().runs[0], status=Status.FAILED, detail=notice)
    page = text(passed(runs=(run,), gate=Gate(Outcome.PASS, 0, notices=(notice,))))
    command, markup = "<code>scanagg db update</code>", "<code>&lt;i&gt;</code>"
    shown = f"&lt;b&gt;old&lt;/b&gt;: run {command} &amp; {markup}"
    assert f"<li>{shown}</li>" in page
    assert f'<span class="detail">{shown}</span>' in page


def test_the_same_input_gives_the_same_text() -> None:
    assert text(sample_report()) == text(sample_report())
