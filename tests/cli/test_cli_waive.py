"""`scanagg waive`: the new entry, the unchanged rest of the file, and the errors."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.command import check, scanagg
from support.sample import finding, sample_findings, sample_report

from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.patterns import globs
from scanagg.model import (
    Anchor,
    Category,
    Finding,
    Location,
    Package,
    Parts,
    Rule,
    Severity,
    Witness,
)
from scanagg.policy.load import PolicySource, read_waivers
from scanagg.policy.waiver_file import Wish, appended, check_wish, choose, entry_for
from scanagg.reports.base import reporter

Make = Callable[..., Path]

APP = """\
import subprocess


def run(name):
    subprocess.run(name, shell=True)
"""
WAIVERS = "policies/waivers.yml"
KEY = "policies/scanagg.key"
NOW = "2026-03-04"
DAY = "2026-06-30"
FINDINGS = tuple(judged.finding for judged in sample_findings())
BY_CATEGORY = {one.category: one for one in reversed(FINDINGS)}
WISH = Wish("@team", "not reachable: see #12", date(2026, 6, 30))


@pytest.fixture
def project(make_project: Make) -> Path:
    """A project with a report that has findings of every kind."""
    root = make_project({"app.py": APP})
    reports(root)
    return root


def reports(root: Path, *findings: Finding) -> None:
    report = sample_report()
    if findings:
        judged = [replace(report.findings[0], finding=one) for one in findings]
        report = replace(report, findings=tuple(judged))
    (root / "reports").mkdir(exist_ok=True)
    chunks = reporter("json").render(report)
    (root / "reports/scanagg.json").write_text("".join(chunks), encoding="utf-8")


def waive(project: Path, name: str, *more: str, code: int = 0, expires: str = DAY) -> str:
    """Run `scanagg waive` with all required options; return its output."""
    given = ("--owner", "@team", "--reason", "not reachable", "--expires", expires, "--now", NOW)
    done = scanagg("waive", name, str(project), *given, *more)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def text_of(project: Path) -> str:
    return (project / WAIVERS).read_text("utf-8")


# Real runs.


def test_what_is_waived_blocks_no_more(make_project: Make) -> None:
    root = make_project({"app.py": APP})
    words = ("--only", "bandit", "--policy", "strict")
    first = check(root, *words, formats=["json"])
    assert first.code == 1
    found = next(one for one in first.report["findings"] if one["rule"]["id"] == "B602")
    report = ("--report", str(first.folder / "scanagg.json"))
    done = scanagg(
        *("waive", found["id"], str(root), "--owner", "me", "--reason", "our own names", *report),
        *("--expires", "2026-06-30", "--now", "2026-03-04", "--state", "false_positive"),
    )
    assert done.returncode == 0, done.stderr
    assert "Waived until 2026-06-30: Command run by a shell" in done.stdout
    assert "Added to policies/waivers.yml:5. " in done.stdout
    again = check(root, *words, "--now", "2026-03-04", formats=["json"])
    assert again.code == 0
    waived = next(one for one in again.report["findings"] if one["rule"]["id"] == "B602")
    assert waived["verdict"]["action"] == "waived"
    (root / "app.py").write_text("\n" + APP.replace("shell=True", "shell=True, check=True"))
    assert check(root, *words, "--now", "2026-03-04", formats=["json"]).code == 1
    output = scanagg("waivers", str(root), "--now", "2026-03-04").stdout
    assert "policies/waivers.yml:5" in output


def test_a_waiver_is_no_secret(make_project: Make) -> None:
    entry = entry_for([finding(0xABCDEF0123456789)], WISH)
    root = make_project({"app.py": "x = 1\n", WAIVERS: appended(None, entry)})
    output = check(root, "--only", "detect-secrets", formats=["json"])
    assert output.report["findings"] == []


def test_an_advisory_is_waived_under_any_of_its_names(project: Path) -> None:
    output = waive(project, "pysec-2019-220", "--package", "Jinja2")
    assert "Added to policies/waivers.yml:5" in output
    (entry,) = read_waivers(PolicySource(WAIVERS, (project / WAIVERS).read_bytes()))
    assert entry.ids == ("CVE-2016-10745", "GHSA-hj2j-77xm-mc5v", "PYSEC-2019-220")
    assert (entry.purl, entry.versions) == ("pkg:pypi/jinja2", "<=2.4.1")
    assert (entry.path, entry.fingerprint) == (None, None)


def test_an_advisory_in_several_packages_is_asked_about(project: Path) -> None:
    output = waive(project, "CVE-2016-10745", code=2)
    assert "is in 2 packages: pkg:pypi/jinja2, pkg:deb/debian/zlib1g" in output
    assert "--package" in output
    assert not (project / WAIVERS).exists()


def test_a_second_waiver_stands_behind_the_first(project: Path) -> None:
    waive(project, "GHSA-hj2j-77xm-mc5v", "--package", "jinja2")
    before = text_of(project)
    waive(project, f"{2:064x}"[:60] + "0002", "--state", "fix_planned")
    assert text_of(project).startswith(before)
    output = waive(project, f"{2:064x}")
    assert "already waived until" in output, "by a waiver younger than the report"


def test_a_secret_needs_the_projects_key(project: Path) -> None:
    secret = f"{3:064x}"
    output = waive(project, secret, code=2)
    assert "without a project key" in output
    assert "scanagg baseline key" in output
    assert scanagg("baseline", "key", str(project)).returncode == 0
    parts = ("secret", "", "config.ini", "")
    unkeyed = replace(BY_CATEGORY[Category.SECRET], anchors=(Anchor(Parts(*parts, "a" * 16)),))
    reports(project, unkeyed)
    assert "older than the project key" in waive(project, secret, code=2)
    assert not (project / WAIVERS).exists()
    reports(project, replace(unkeyed, anchors=(Anchor(Parts(*parts, "a" * 28)),)))
    waive(project, secret)
    assert "path: config.ini" in text_of(project)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--expires", "2026-03-03"), "--expires 2026-03-03 is in the past: today is 2026-03-04"),
        (("--expires", "2027-03-04"), "365 days away, but the policy allows at most 180"),
        (("--expires", "2026-02-30"), "--expires '2026-02-30' is not a date"),
        (("--expires", ""), "--expires is missing"),
        (("--owner", " "), "--owner is missing"),
        (("--reason", ""), "--reason is missing"),
        (("--reason", "a\x1b[31m"), "--reason contains control characters"),
        (("--until-fixed",), "--until-fixed"),
        (("--state", "ignored"), "--state"),
        (("--report", "/nonexistent/scanagg.json"), "does not exist"),
        (("--policy", "nowhere.yml"), "policy 'nowhere.yml' not found"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(
    project: Path, argv: tuple[str, ...], message: str
) -> None:
    assert message in waive(project, f"{2:064x}", *argv, code=2)
    assert not (project / WAIVERS).exists()


def test_all_that_is_missing_is_said_at_once(project: Path) -> None:
    done = scanagg("waive", "B602", str(project))
    assert done.returncode == 2
    assert "--owner and --reason and --expires are missing" in done.stderr


# A rule.


def of_rule(number: int, path: str, rule: str = "B602", **more: Any) -> Finding:
    place = Location(path, 1)
    parts = Parts("code", rule, path, "", str(number))
    found = finding(
        number,
        category=Category.CODE,
        rule=Rule(rule, rule, "t"),
        location=place,
        places=(place,),
        witnesses=(Witness("bandit", rule, Severity.HIGH),),
    )
    return replace(found, **{"anchors": (Anchor(parts),), **more})


@pytest.mark.parametrize(
    ("name", "argv", "path"),
    [
        ("b602", (), "app.py"),
        ("B603", ("--in", "tests/**"), "tests/**"),
        ("B603", ("--in", "*.py"), "*.py"),
    ],
)
def test_a_rule_is_waived_in_files(
    make_project: Make, name: str, argv: Sequence[str], path: str
) -> None:
    root = make_project({"app.py": APP})
    ones = [of_rule(1, "app.py"), of_rule(2, "app.py"), of_rule(3, "lib.py", "B603")]
    ones.append(of_rule(4, "tests/a.py", "B603"))
    reports(root, *ones)
    waive(root, name, *argv)
    (waiver,) = read_waivers(PolicySource(WAIVERS, (root / WAIVERS).read_bytes()))
    assert (waiver.ids, waiver.path, waiver.fingerprint) == ((name.upper(),), path, None)
    assert waiver.expires == date.fromisoformat(DAY)


@pytest.mark.parametrize(
    ("name", "argv", "message"),
    [
        ("B603", (), "B603 has findings in 2 files: lib.py, tests/a.py"),
        ("B603", ("--in", "docs/**"), "no finding of B603"),
        ("B603", ("--in", "!lib.py"), "--in"),
        ("B604", ("--in", "docs/**"), "no finding in the report is of a rule 'B604'"),
        ("B604", (), "is not the id of a finding"),
        ("B105", (), "would also cover the next secret"),
        ("B106", ("--in", "**"), "would also cover the next secret"),
    ],
)
def test_a_rule_that_cannot_be_waived(
    make_project: Make, name: str, argv: Sequence[str], message: str
) -> None:
    root = make_project({"app.py": APP})
    ones = [of_rule(3, "lib.py", "B603"), of_rule(4, "tests/a.py", "B603")]
    ones.append(of_rule(5, "lib.py", "B105", category=Category.SECRET))
    of_secret = Parts("secret", "password", "lib.py", "", "5")
    ones.append(of_rule(6, "lib.py", "B106", anchors=(Anchor(of_secret),)))
    reports(root, *ones)
    assert message in waive(root, name, *argv, code=2)
    assert not (root / WAIVERS).exists()


def test_the_last_days_that_the_policy_allows(project: Path) -> None:
    waive(project, f"{2:064x}", expires="2026-03-04")
    waive(project, f"{2:064x}", expires="2026-08-31")
    assert text_of(project).count("expires:") == 2


def test_a_broken_waiver_file_stays_as_it_is(project: Path) -> None:
    (project / "policies").mkdir()
    (project / WAIVERS).write_text("version: 1\nitems:\n  - {purl: x}\n")
    output = waive(project, f"{2:064x}", code=2)
    assert "policies/waivers.yml:3:" in output
    assert text_of(project) == "version: 1\nitems:\n  - {purl: x}\n"


def test_a_waiver_without_effect_is_not_written(project: Path) -> None:
    (project / "policies").mkdir()
    parent = (
        "version: 1\ndefault: warn\napprovers: ['@security']\n"
        "rules: [{id: code, match: {category: code}, action: block, locked: true}]\n"
    )
    (project / "policies/base.yml").write_text(parent)
    digest = hashlib.sha256(parent.encode()).hexdigest()
    (project / "policies/scanagg.yml").write_text(
        f"version: 1\ndefault: warn\nextends: [{{file: base.yml, sha256: {digest}}}]\n"
    )
    output = waive(project, f"{2:064x}", code=2)
    assert "the waiver would have no effect" in output
    assert not (project / WAIVERS).exists()
    waive(project, f"{2:064x}", "--owner", "@security")


def test_a_folder_that_cannot_be_written_is_said(make_project: Make) -> None:
    root = make_project({"policies": "a file\n"}, git_=False)
    reports(root)
    output = waive(root, f"{2:064x}", code=2)
    assert "policies/" in output


def test_without_a_report_there_is_nothing_to_waive(make_project: Make) -> None:
    root = make_project({"app.py": APP})
    assert "scanagg check" in waive(root, "CVE-2016-10745", code=2)


# Selection of the finding.


def test_an_id_or_its_beginning_is_enough() -> None:
    ones = [finding(0xABCDEF << 232, category=Category.CODE), finding(0xABC0EF << 232)]
    assert choose(ones, "abcdef") == (ones[0],)
    assert choose(ones, "ABC0EF") == (ones[1],)
    assert choose(ones, ones[0].fingerprint) == (ones[0],)


@pytest.mark.parametrize("name", ["abcde", "", "xyzxyzxyz", "B602", "CVE-1999-0001"])
def test_what_is_no_name_of_a_finding_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not the id of a finding"):
        choose(FINDINGS, name)


def test_a_beginning_of_several_is_refused_with_what_there_is() -> None:
    ones = [finding((0xABCDEF << 232) + number, title=f"t{number}") for number in range(12)]
    with pytest.raises(UsageError) as caught:
        choose(ones, "abcdef")
    assert "12 findings have an id that starts with abcdef" in caught.value.message
    assert "t9" in caught.value.message
    assert "and 2 more" in caught.value.message
    with pytest.raises(UsageError, match="no finding in the report"):
        choose(ones, "abcdee")


def test_an_advisory_in_versions_of_one_package_is_one_waiver() -> None:
    first = BY_CATEGORY[Category.VULNERABILITY]
    package = Package("jinja2", "2.10+cpu", "pkg:pypi/jinja2@2.10%2Bcpu")
    second = replace(first, fingerprint="1" * 64, package=package)
    chosen = choose([first, second], "cve-2016-10745")
    assert len(chosen) == 2
    assert entry_for(chosen, WISH)["versions"] == "<=2.10"


def test_a_package_that_is_not_hit_is_named() -> None:
    with pytest.raises(UsageError, match="not in flask"):
        choose(FINDINGS, "CVE-2016-10745", "flask")
    (found,) = choose(FINDINGS, "CVE-2016-10745", "pkg:deb/debian/zlib1g")
    assert entry_for([found], WISH)["versions"] == "<=1.2"


# The new entry.


def test_a_licence_is_waived_by_package_and_fingerprint() -> None:
    entry = entry_for([BY_CATEGORY[Category.LICENSE]], WISH)
    assert list(entry)[:2] == ["purl", "fingerprint"]
    assert entry["purl"] == "pkg:pypi/odd"
    assert entry["fingerprint"] == f"v2:{6:064x}"


def test_a_path_is_written_as_a_pattern_for_itself_alone() -> None:
    strange = "a [b]/*!#?.py "
    entry = entry_for([finding(2, location=Location(strange), places=())], WISH)
    assert entry["path"] == r"a \[b\]/\*!#\?.py\ "
    pattern = globs([str(entry["path"])])
    assert pattern.match_file(strange)
    assert not pattern.match_file("a b/xx.py")


def test_a_finding_in_several_files_is_waived_by_fingerprint_alone() -> None:
    places = (Location("a.py", 1), Location("b.py", 1))
    entry = entry_for([finding(2, location=places[0], places=places)], WISH)
    assert "path" not in entry
    assert "fingerprint" in entry


def test_a_version_that_is_not_of_pep_440_is_left_out() -> None:
    odd = Package("zlib1g", "1:1.2.13.dfsg-1", "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1")
    one = replace(BY_CATEGORY[Category.VULNERABILITY], package=odd)
    assert "versions" not in entry_for([one], WISH)


def test_until_fixed_is_for_what_has_no_fix_yet() -> None:
    wish = replace(WISH, until_fixed=True)
    fixed = BY_CATEGORY[Category.VULNERABILITY]
    with pytest.raises(UsageError, match=r"already fixed in 2\.8"):
        entry_for([fixed], wish)
    assert fixed.advisory
    unfixed = replace(fixed, advisory=replace(fixed.advisory, fixed_versions=()))
    assert entry_for([unfixed], wish)["until_fixed"] is True


def test_a_day_too_far_is_refused_by_the_policys_own_limit() -> None:
    check_wish(WISH, date(2026, 6, 30), 0)
    with pytest.raises(UsageError, match="at most 10"):
        check_wish(WISH, date(2026, 6, 1), 10)


# The file.

ENTRY = entry_for([finding(2)], WISH)
OLD = "{path: old.py, state: risk_accepted, reason: r, owner: o, expires: 2026-05-01}"
FILES = {
    "plain": """\
version: 1
items:
- path: old.py
  reason: r
  owner: o
  expires: 2026-05-01
""",
    "comments and an order of its own": """\
# Ours.
items:   # the list

    # first of all
    - owner: "o"     # who
      reason: >-
        a long
        story
      path: 'old.py'
      expires: 2026-05-01   # soon

    # the second
    - ids: [CVE-1,
            CVE-2]
      purl: pkg:pypi/x
      owner: o
      reason: |
        two

        lines
      expires: 2026-05-01
      # nothing more for that

# The end.
version: 1
""",
    "no line end": f"version: 1\nitems:\n  - {OLD}",
    "a list inside of the last": """\
version: 1
items:
  - expires: 2026-05-01
    owner: o
    reason: r
    purl: pkg:pypi/x
    ids:
      - CVE-1
      - CVE-2
""",
    "long words that stay on one line": f"""\
version: 1
items:
  - path: old.py
    reason: {"x " * 300}y
    owner: o
    expires: 2026-05-01
""",
}


@pytest.mark.parametrize("name", FILES)
def test_everything_in_the_file_stays_byte_for_byte(name: str) -> None:
    before = FILES[name]
    after = appended(before.encode(), ENTRY)
    left = after.splitlines()
    for line in before.splitlines():
        assert left.pop(0) == line or _skip(left, line)
    waivers = read_waivers(PolicySource(WAIVERS, after.encode()))
    assert waivers[:-1] != ()
    assert waivers[-1].fingerprint == f"{2:064x}"
    assert waivers[-1].reason == WISH.reason


def _skip(left: list[str], line: str) -> bool:
    """Drop added lines up to `line`; return whether it is there."""
    while left:
        if left.pop(0) == line:
            return True
    return False


def test_the_new_entry_is_laid_out_like_the_others() -> None:
    before = FILES["comments and an order of its own"]
    after = appended(before.encode(), ENTRY)
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added[0] == "    - path: app/db.py"
    assert all(line.startswith("      ") for line in added[1:])


def test_line_ends_of_windows_stay() -> None:
    before = FILES["plain"].replace("\n", "\r\n")
    after = appended(before.encode(), ENTRY)
    assert after.startswith(before)
    assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize(
    "before",
    [
        "version: 1\n",
        "version: 1\nitems: []  # none yet\n",
        f"# mine\nversion: 1\nitems: [{OLD}]\n",
        "{version: 1, items: []}\n",
    ],
)
def test_a_file_without_a_plain_list_is_laid_out_anew(before: str) -> None:
    after = appended(before.encode(), ENTRY)
    count = before.count("old.py")
    assert len(read_waivers(PolicySource(WAIVERS, after.encode()))) == count + 1
    for comment in ("# mine", "# none yet"):
        assert (comment in before) == (comment in after)


def test_a_new_file_says_what_it_is() -> None:
    text = appended(None, ENTRY)
    assert text.startswith("# ")
    assert "version: 1\nitems:\n  - path: app/db.py\n" in text
    assert len(text.splitlines()) == 10


@pytest.mark.parametrize(
    "reason", ["yes", "1.0", "'", '"', ": - #", "ünï 😀", "- x", "a: b", "~", "x" * 500]
)
def test_any_words_come_back_as_they_were(reason: str) -> None:
    text = appended(None, entry_for([finding(2)], replace(WISH, reason=reason, owner=reason)))
    (waiver,) = read_waivers(PolicySource(WAIVERS, text.encode()))
    assert (waiver.reason, waiver.owner) == (reason, reason)


def test_a_file_of_a_newer_version_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"policies/waivers\.yml:1:10"):
        appended(b"version: 2\nitems: []\n", ENTRY)
