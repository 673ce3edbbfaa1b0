"""`scanagg explain`: why a finding of a stored report has its verdict, section by section."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.command import scanagg
from support.sample import NOW, finding, judged, sample_findings, sample_report, secret
from support.sample_known import PAGES, UPGRADES, known_report

from scanagg.model import (
    Action,
    Category,
    Change,
    Confidence,
    History,
    Licensed,
    LicenseFacts,
    LicenseVerdict,
    Location,
    Package,
    Reason,
    Report,
    Rule,
    Severity,
    plain,
)
from scanagg.reports.json import render
from scanagg.reports.phrases import rule_help
from scanagg.reports.reasons import sentence

POLICY = """\
version: 1
default: warn
severity:
  override:
    - {match: {rule: B307}, set: low, reason: it is our own shell}
rules:
  - {id: secrets, match: {category: secret}, action: block}
  - id: sla
    match: {category: vuln, severity: ">=high", origin: existing}
    action: block
    grace: {critical: 7d}
  - {id: last, match: {category: vuln}, action: info}
licenses: {allow: [MIT]}
waivers:
  items:
    - {path: app/db.py, ids: [B101], reason: r, owner: "@web", expires: 2026-06-01}
    - {path: app/db.py, ids: [B602], reason: r, owner: "@web", expires: 2026-06-01}
"""


def report() -> Report:
    """The sample, with an old vulnerability, and a package whose licence is allowed."""
    first, *others = sample_findings()
    old = replace(
        first.finding, history=History(Change.UNCHANGED, plain("it is in the base"), first_seen=NOW)
    )
    mit = Licensed(
        Package("colour", "1.0", "pkg:pypi/colour@1.0", direct=False),
        LicenseFacts(expression="MIT"),
        *(LicenseVerdict.ALLOW, "MIT", "MIT", "License-Expression"),
    )
    return replace(sample_report((replace(first, finding=old), *others)), licenses=(mit,))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a policy of its own and the report of a check."""
    (tmp_path / "scanagg.yml").write_text(POLICY, encoding="utf-8")
    write(tmp_path / "reports", report())
    return tmp_path


def write(folder: Path, stored: Report) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "scanagg.json"
    path.write_text("".join(render(stored)), encoding="utf-8")
    return path


def explain(*argv: str, cwd: Path) -> str:
    done = scanagg("explain", *argv, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_vulnerability_is_explained_whole(project: Path) -> None:
    page = explain("000000000001", cwd=project)
    note, _, explained = page.partition("\n\n")
    assert note.startswith("Note: ")
    assert "default (built-in)" in note
    assert explained.rstrip().splitlines() == [
        "CVE-2016-10745: Sandbox escape in jinja2",
        (
            "  warn by rule sla: category vuln, severity >=high, origin existing; "
            "blocks from 2026-03-11"
        ),
        f"  id 000000000001, fingerprint {1:064x}",
        "  jinja2 2.4.1 (runtime, direct)",
        "  in requirements.txt:1",
        "  also called GHSA-hj2j-77xm-mc5v, PYSEC-2019-220",
        "  fixed in 2.8.1; published 2019-04-08",
        "  CWE-134",
        "",
        "What to do",
        "  Update jinja2 to 2.8.1.",
        "",
        "Severity: critical",
        "  GitHub's label: critical (via trivy)  <- decides",
        ("  NVD: 8.6, high (via trivy); CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N"),
        "",
        "Origin: existing",
        "  unchanged: it is in the base",
        "  first recorded in this repository on 2026-03-04",
        "",
        "Rules, in order",
        "  secrets  block  no match: needs category secret (finding: vulnerability)",
        "  sla      block  matches: category vuln, severity >=high, origin existing",
        "  1 later rule not tried",
        "",
        "Grace",
        "  started on 2026-03-04, when the finding became known",
        "  blocks from 2026-03-11 05:06 UTC",
        "",
        "Waivers",
        "  scanagg.yml:16 (@web, until 2026-06-01): ids B101: the finding has none of them",
        "  scanagg.yml:17 (@web, until 2026-06-01): ids B602: the finding has none of them",
        "",
        "Reported by",
        "  pip-audit as PYSEC-2019-220, severity unknown",
        "  trivy as CVE-2016-10745, severity critical",
    ]


def test_a_vulnerability_is_explained_with_chain_sources_and_upgrade(project: Path) -> None:
    path = write(project / "other", known_report())
    page = explain("CVE-2023-43804", "--report", str(path), cwd=project)
    identity = page[page.index("  urllib3 1.26.4") : page.index("Origin:")].splitlines()
    assert identity == [
        "  urllib3 1.26.4 (runtime, transitive)",
        "  transitive: shop → requests → urllib3",
        "  required in requirements.in:2",
        "  in requirements.in:2",
        "  in requirements.txt:2",
        "  known to be exploited since 2023-11-03 (CISA)",
        "  also called GHSA-v845-jxx5-vc9f, PYSEC-2023-192",
        "  fixed in 1.26.17, 2.0.6; published 2023-10-02",
        "  exploit likelihood 97 %, higher than 99 % of all CVEs (EPSS)",
        "  CWE-200",
        *(f"  {url}" for url in PAGES),
        "",
        "What to do",
        "  Upgrade urllib3 to 2.5.0.",
        "  urllib3 1.26.4 -> 2.5.0 (major): clears 4, 1 of which blocks",
        "  1.26.17 is enough to clear the blocking findings",
        "  held back by requests, which requires urllib3<1.27,>=1.21.1",
        "  held back by constraints.txt:3, which requires urllib3<2",
        "  required by requests: upgrade or lock that",
        "  does not clear PYSEC-2099-1",
        "",
        "Severity: high",
        "  GitHub's label: high (via OSV)  <- decides",
        "  CVSS 3.1: 3.1, low (via OSV); CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:N/I:L/A:N",
        "  pip-audit: no severity",
        "  GitHub says high, CVSS says low",
        "",
    ]
    unchecked = replace(known_report(), upgrades=(UPGRADES[1],))
    path = write(project / "third", unchecked)
    page = explain("CVE-2016-10745", "--report", str(path), cwd=project)
    assert "  from scanners, not checked in the advisory store" in page


def test_a_rule_is_explained_with_an_example(project: Path) -> None:
    page = explain("B602", cwd=project)
    assert page[page.index("Why") : page.index("Severity:")].splitlines() == [
        "Why it matters",
        "  A shell interprets its input.",
        "",
        "What to do",
        "  Pass a list of arguments and no shell.",
        "  Instead of:",
        '    subprocess.run(f"ping {host}", shell=True)',
        "  Write:",
        '    arguments = ["ping", "--", host]',
        "    subprocess.run(arguments)",
        "",
    ]


def test_a_description_is_cut_and_a_rule_without_texts_says_what_to_do(project: Path) -> None:
    first = sample_findings()[0]
    rule = replace(first.finding.rule, why="long \x1b[31m " * 100)
    long = replace(first, finding=replace(first.finding, rule=rule))
    bare = judged(finding(9, rule=Rule("X-1", "x", "title")), Severity.LOW, Action.WARN)
    write(project / "reports", sample_report((long, bare)))
    lines = explain("CVE-2016-10745", cwd=project).splitlines()
    shown = lines[lines.index("Description") + 1]
    assert len(shown) == 502
    assert "\x1b" not in shown
    page = explain("X-1", cwd=project)
    assert "Why it matters" not in page
    assert f"What to do\n  {rule_help(bare.finding.rule, Category.CODE)}\n" in page


def test_an_advisory_s_id_explains_each_finding_that_has_it(project: Path) -> None:
    page = explain("ghsa-HJ2J-77xm-mc5v", cwd=project)
    assert page.count("Sandbox escape in jinja2") == 2
    assert "zlib1g 1.2 (runtime)" in page
    assert "  no source gives a severity" in page
    assert "Severity: unknown, compared as high" in page


def test_code_waived_and_overridden_says_so(project: Path) -> None:
    waived = explain("B602", cwd=project)
    assert "  waived by rule default: risk_accepted: r — @web — until 2026-06-01" in waived
    assert "  scanagg.yml:17 (@web, until 2026-06-01): covers this finding" in waived
    assert "  no rule matches, so the default applies" in waived
    overridden = explain("B307", cwd=project)
    assert "  policy override for rule B307" in overridden
    assert "  the policy sets low: it is our own shell" in overridden


def test_licences_are_explained_also_where_they_are_allowed(project: Path) -> None:
    unknown = explain("license-unknown", cwd=project)
    assert "Licence: unknown\n  see LICENSE (source: License)\n" in unknown
    found = write(project / "other", replace(report(), findings=()))
    allowed = explain("license", "--report", str(found), cwd=project)
    assert "license: colour 1.0: MIT" in allowed
    assert "  allowed: the policy allows the licence, so this is not a finding" in allowed
    assert "  colour 1.0 (runtime, transitive)" in allowed
    assert "  decided by MIT" in allowed
    assert "  none tried" in allowed


def test_a_comment_that_hides_a_finding_is_shown(project: Path) -> None:
    hidden = judged(finding(7, in_source="nosec"), Severity.HIGH, Action.WAIVED)
    path = write(project / "other", sample_report((hidden,)))
    page = explain("B602", "--report", str(path), "--policy", "strict", cwd=project)
    assert "  hidden in the source by nosec" in page
    assert "Waivers\n  none\n" in page


def test_the_reason_for_a_low_confidence_is_shown(project: Path) -> None:
    reason = Reason("import-alone")
    unsure = finding(7, confidence=Confidence.LOW, confidence_reason=reason)
    path = write(project / "other", sample_report((judged(unsure, Severity.LOW, Action.INFO),)))
    page = explain("B602", "--report", str(path), cwd=project)
    assert f"  confidence: low ({sentence(reason)})\n" in page


def test_a_place_is_shown_once_whatever_its_columns(project: Path) -> None:
    places = (Location("a.py", 1), Location("a.py", 1, start_column=5), Location("a.py", 2))
    found = judged(finding(7, places=places), Severity.LOW, Action.INFO)
    path = write(project / "other", sample_report((found,)))
    page = explain("B602", "--report", str(path), cwd=project)
    assert [line for line in page.splitlines() if "a.py" in line] == ["  in a.py:1", "  in a.py:2"]


def test_a_rule_with_many_findings_is_explained_after_their_list(project: Path) -> None:
    many = [judged(finding(number), Severity.LOW, Action.INFO) for number in range(6)]
    write(project / "reports", sample_report(tuple(many)))
    page = explain("B602", cwd=project)
    assert page.count("  B602  app/db.py:5\n") == 6
    assert page.endswith("    subprocess.run(arguments)\n")
    assert "\n\nWhy it matters\n" in page


def test_a_name_of_many_lists_them(project: Path) -> None:
    page = explain("0000", cwd=project)
    assert "7 findings match '0000'. " in page
    assert "What to do" not in page
    assert "  000000000001  CVE-2016-10745  jinja2 2.4.1  requirements.txt:1" in page
    assert "Severity" not in page
    many = tuple(judged(finding(number), Severity.LOW, Action.INFO) for number in range(1, 60))
    path = write(project / "other", sample_report(many))
    assert "  and 9 more" in explain("B602", "--report", str(path), cwd=project)


def test_the_report_is_found_where_check_puts_it(tmp_path: Path) -> None:
    (tmp_path / "scanagg.toml").write_text('output-dir = "out"\n', encoding="utf-8")
    write(tmp_path / "out", report())
    assert "CVE-2016-10745" in explain("000000000001", str(tmp_path), cwd=Path("/"))


def test_without_a_note_where_the_policy_is_the_report_s(make_project: Callable[..., Path]) -> None:
    project = make_project({"a.py": "import subprocess\nsubprocess.run('x', shell=True)\n"})
    checked = scanagg("check", str(project), "--only", "bandit", "--format", "json")
    assert checked.returncode == 0, checked.stderr
    page = explain("B602", cwd=project)
    assert page.startswith("B602: ")
    assert "  in a.py:2" in page


def test_the_clock_is_the_report_s_unless_another_is_given(project: Path) -> None:
    page = explain("000000000001", "--now", "2026-06-02", cwd=project)
    assert "  block by rule sla" in page
    assert "(@web, until 2026-06-01): ids B101" in page
    assert "expired 1 day ago" in explain("B602", "--now", "2026-06-02", cwd=project)


def test_values_that_look_like_no_secrets_are_listed_by_reason(tmp_path: Path) -> None:
    secrets = [secret(1), secret(2, action=Action.BLOCK), secret(3, kind="sentence")]
    others = [
        secret(4, Confidence.POSSIBLE, "private-key", path="tests/a.py"),
        judged(finding(5), Severity.LOW, Action.INFO),
    ]
    file = write(tmp_path / "reports", sample_report([*secrets, *others]))
    lines = explain("--secrets", "--report", str(file), cwd=tmp_path).splitlines()
    assert [line for line in lines if line.startswith("  0")] == [
        f"  {number:012x}  app/db.py:{number}" for number in (1, 2, 3)
    ]
    assert lines.count("    > password = ***") == 3
    assert explain("--secrets", str(tmp_path), cwd=tmp_path.parent).splitlines() == lines
    assert [line.partition(":")[0] for line in lines if line[:1].isdigit()] == [
        "2 digests and ids",
        "1 sentence",
    ]
    page = explain(f"{4:012x}", cwd=tmp_path)
    assert "possible secret in tests: a private key" in page
    assert "in tests/a.py:4 (tests)" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("CVE-1999-1",), "no finding 'CVE-1999-1' in "),
        (("000",), "no finding '000' in "),
        (("B602", "--report", "none.json"), "none.json: does not exist"),
        (("B602", "reports"), "reports/scanagg.json: does not exist"),
        ((), "a finding is missing"),
        (("B602", "--secrets"), "B602"),
        (("B602", "--secrets", "reports"), "--secrets takes a folder, but no finding"),
        (("B602", "--policy", "none"), "policy 'none' not found"),
        (("B602", "--policy", " "), "--policy is empty"),
        (("B602", "--now", "never"), "is not an ISO time"),
    ],
)
def test_what_cannot_be_explained_is_an_error(
    arguments: tuple[str, ...], words: str, project: Path
) -> None:
    done = scanagg("explain", *arguments, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
