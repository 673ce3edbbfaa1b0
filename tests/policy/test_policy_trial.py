"""Test cases of a policy: the contents of a file, refused input, and expectations."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest
from policy_samples import NOW, policy_of

from scanagg.core.errors import PolicyError
from scanagg.policy.test import Tried, read_cases, try_cases

POLICY = """
    severity: {unknown: medium, bandit: {min_confidence: medium}}
    rules:
      - {id: known, match: {kev: true}, action: block}
      - {id: likely, match: {epss: ">=0.5"}, action: block}
      - {id: secrets, match: {category: secret, path: "src/**"}, action: block}
      - {id: test-secrets, match: {confidence: possible, path_kind: tests}, action: info}
      - {id: possible, match: {confidence: possible}, action: warn}
      - id: sla
        match: {category: vuln, origin: [disclosed, existing], fixable: true, scope: runtime}
        action: block
        grace: {critical: 7d, high: 30d}
      - {id: new, match: {category: vuln, origin: introduced, severity: ">=high"}, action: block}
      - {id: licence, match: {category: license, verdict: deny}, action: block}
      - {id: medium, match: {severity: medium}, action: info}
    licenses: {allow: [MIT]}
    waivers:
      items:
        - ids: [GHSA-1111-2222-3333]
          purl: pkg:pypi/jinja2
          versions: "<3"
          reason: not reached
          owner: "@web"
          expires: 2026-06-01
        - {fingerprint: 0123456789abcdef, reason: known, owner: "@web", expires: 2026-06-01}
"""


def tried(tmp_path: Path, cases: str) -> Sequence[Tried]:
    text = "version: 1\ncases:\n" + dedent(cases)
    return try_cases(read_cases(text.encode(), "cases.yml"), policy_of(tmp_path, POLICY), NOW)


@pytest.mark.parametrize(
    "case",
    [
        (
            "{finding: {category: vuln, package: Flask, version: '1.0', kev: true}, expect: block,"
            " rule: known}"
        ),
        (
            "{finding: {category: vuln, package: flask, version: '1', kev: false, epss: 0.5},"
            " expect: block, rule: likely}"
        ),
        (
            "{finding: {category: vuln, package: flask, version: '1', epss: 0.4}, expect: info,"
            " rule: medium, severity: unknown}"
        ),
        "{finding: {category: secret, path: src/a.py}, expect: block, rule: secrets}",
        "{finding: {category: secret, path: [src/a.py, docs/b]}, expect: block, rule: secrets}",
        "{finding: {category: secret, path: docs/a}, expect: warn, rule: default, severity: high}",
        (
            "{finding: {category: secret, path: b.py, confidence: possible}, expect: warn,"
            " rule: possible}"
        ),
        (
            "{finding: {category: secret, path: tests/b.py, confidence: possible}, expect: info,"
            " rule: test-secrets}"
        ),
        (
            "{finding: {category: code, rule: B602, severity: medium, confidence: low, path: a.py},"
            " expect: warn, severity: low}"
        ),
        "{finding: {category: code, severity: medium, path: a.py}, expect: info, severity: medium}",
        "{finding: {category: iac, severity: critical, path: Dockerfile}, expect: warn}",
        (
            "{finding: {category: vuln, package: a, version: '1', severity: high, fixable: true,"
            " origin: existing, published: 2026-02-20}, expect: warn, rule: sla,"
            " deadline: 2026-03-22}"
        ),
        (
            "{finding: {category: vuln, package: a, version: '1', severity: high, fixed: ['2'],"
            " origin: disclosed, published: 2026-01-01, first_seen: 2026-02-25}, expect: warn,"
            " deadline: 2026-03-27}"
        ),
        (
            "{finding: {category: vuln, package: a, version: '1', severity: high, fixable: true,"
            " origin: existing, published: 2026-01-20}, expect: block, rule: sla}"
        ),
        (
            "{finding: {category: vuln, package: a, version: '1', severity: high, scope: dev,"
            " origin: existing, fixable: true}, expect: warn, rule: default}"
        ),
        (
            "{finding: {category: vuln, package: a, version: '1', severity: critical,"
            " withdrawn: true}, expect: warn, severity: info}"
        ),
        (
            "{finding: {category: vuln, package: jinja2, version: '2.10', severity: high,"
            " ids: [CVE-2026-1, GHSA-1111-2222-3333]}, expect: waived, rule: new}"
        ),
        (
            "{finding: {category: vuln, package: jinja2, version: '3.0', severity: high,"
            " ids: [CVE-2026-1, GHSA-1111-2222-3333]}, expect: block, rule: new}"
        ),
        (
            "{finding: {category: code, path: a.py, severity: high, fingerprint: 0123456789abcdef},"
            " expect: waived}"
        ),
        "{finding: {category: code, path: a.py, severity: high, in_source: nosec}, expect: waived}",
        "{finding: {category: license, package: a, version: '1', license: MIT}, expect: allowed}",
        (
            "{finding: {category: license, package: a, version: '1', license: GPL-3.0-only},"
            " expect: block, rule: licence, severity: high}"
        ),
    ],
)
def test_a_case_as_it_is_expected(case: str, tmp_path: Path) -> None:
    (one,) = tried(tmp_path, f"- {case}")
    assert one.wrong == (), one.judged


def test_each_difference_has_the_line_of_its_case(tmp_path: Path) -> None:
    allowed, blocked, named = tried(
        tmp_path,
        """
        - finding: {category: license, package: a, version: '1', license: MIT}
          expect: block
          rule: licence
          severity: high
          deadline: 2026-04-01
        - finding: {category: secret, path: src/a.py}
          expect: warn
          rule: other
          severity: low
          deadline: 2026-04-01
        - {name: a name, finding: {category: secret, path: src/a.py}, expect: block}
        """,
    )
    assert (allowed.line, allowed.name) == (4, "license a 1 MIT")
    assert allowed.judged is None
    assert allowed.wrong == (
        "expected block, got allowed",
        "expected rule licence, got none",
        "expected severity high, got none",
        "expected deadline 2026-04-01, got none",
    )
    assert blocked.wrong == (
        "expected warn, got block",
        "expected rule other, got secrets",
        "expected severity low, got high",
        "expected deadline 2026-04-01, got none",
    )
    assert (named.line, named.name, named.wrong) == (14, "a name", ())


def test_the_file_may_name_policy_and_date() -> None:
    text = (
        "version: 1\npolicy: strict\nnow: 2026-05-06\ncases:\n"
        "  - {finding: {category: secret, path: a}, expect: block}\n"
    )
    cases = read_cases(text.encode(), "cases.yml")
    assert cases.policy == "strict"
    assert cases.now is not None
    assert cases.now.isoformat() == "2026-05-06T00:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "the file is empty"),
        ("version: 1\n", "1:1", "'cases' is missing"),
        ("version: 2\ncases: []\n", "1:10", "version: got 2"),
        ("version: 1\ncases: []\n", "2:8", "cases: "),
        ("version: 1\nnow: 2026-02-30\ncases: [{C}]\n", "2:6", "now: '2026-02-30'"),
        ("version: 1\ncases:\n- expect: block\n", "3:3", "'finding' is missing"),
        ("version: 1\ncases:\n- {F, expect: stop}\n", "3:", "expected one of block, warn"),
        (
            "version: 1\ncases:\n- {F, expect: warn, deadline: 2026-13-01}\n",
            "3:",
            "deadline: '2026-13-01'",
        ),
        ("version: 1\ncases:\n- {F, expect: warn, color: red}\n", "3:", "unknown key 'color'"),
    ],
)
def test_a_file_that_is_no_list_of_cases_is_refused(text: str, place: str, words: str) -> None:
    finding = "finding: {category: secret, path: a}"
    text = text.replace("{C}", f"{{{finding}, expect: block}}").replace("F,", f"{finding},")
    with pytest.raises(PolicyError) as caught:
        read_cases(text.encode(), "cases.yml")
    assert caught.value.message.startswith(f"cases.yml:{place}")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        ("category: bug", "finding.category: got 'bug'"),
        ("category: vuln", "finding.package: "),
        ("category: vuln, package: a", "finding.version: "),
        ("category: vuln, package: a, version: 2.10", "got 2.1, expected a version in quotes"),
        ("category: license, package: a, version: '1'", "finding.license: "),
        (
            "category: license, package: a, version: '1', license: MIT, severity: low",
            "finding.severity: ",
        ),
        ("category: code", "finding.path: "),
        ("category: code, path: /a", "'/a' is not relative to the project"),
        ("category: code, path: ../a", "'../a' is not relative to the project"),
        ("category: code, path: a, package: b", "finding.package: "),
        ("category: code, path: a, scope: dev", "finding.scope: "),
        ("category: code, path: a, kev: true", "finding.kev: "),
        ("category: code, path: a, confidence: likely", "finding.confidence: "),
        ("category: secret, path: a, confidence: high", "finding.confidence: "),
        ("category: code, path: a, origin: disclosed", "finding.origin: "),
        ("category: code, path: a, path_kind: tests", "unknown key 'path_kind'"),
        ("category: secret, path: a, license: MIT", "finding.license: "),
        (
            "category: vuln, package: a, version: '1', fixable: false, fixed: ['2']",
            "finding.fixable: ",
        ),
        ("category: vuln, package: a, version: '1', epss: 1.5", "a probability from 0 to 1"),
        (
            "category: vuln, package: a, version: '1', published: 2026-02-31",
            "finding.published: '2026-02-31'",
        ),
    ],
)
def test_a_finding_that_cannot_be_is_refused(finding: str, words: str) -> None:
    text = f"version: 1\ncases:\n- {{finding: {{{finding}}}, expect: block}}\n"
    with pytest.raises(PolicyError) as caught:
        read_cases(text.encode(), "cases.yml")
    assert caught.value.message.startswith("cases.yml:3:")
    assert words in caught.value.message
