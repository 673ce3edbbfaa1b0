"""The whole language loads, with correct values and checks beyond types."""

import json
from datetime import date
from pathlib import Path
from textwrap import dedent

import jsonschema_rs
import pytest
from policy_samples import mistakes, policy_of

from scanagg.core.errors import PolicyError
from scanagg.core.yaml import parse
from scanagg.model import Waiver, WaiverState
from scanagg.policy.json_schema import schema_text
from scanagg.policy.load import load_policy
from scanagg.policy.schema import Evidence, GraceByLevel

HEAD = "version: 1\ndefault: warn\n"
HASH = "a" * 64

# Every key of the language at least once.
EVERYTHING = f"""\
version: 1
default: info
enforcement: warn
extends: [{{name: strict}}]
locked: [enforcement, licenses, waivers]
approvers: ["@security", legal]
scanners:
  pip-audit: {{required: true, min_audited: 3, max_skipped: 2}}
  bandit: {{required: true, max_errors: any, locked: true}}
  trivy: {{required: true, db_max_age: 36h, when: {{exists: ["*.tf", Dockerfile]}}}}
  safety: {{required: false, on_failure: block}}
severity:
  sources: [osv-cvss, ghsa, nvd, tool]
  unknown: critical
  bandit: {{min_confidence: high}}
  override:
    - {{match: {{rule: [B101, B404], path: "tests/**"}}, set: low, reason: only tests}}
enrichment: {{kev: required, epss: optional, max_age: 2w}}
new_code: {{against: baseline, edited: existing}}
rules:
  - {{id: exploited, match: {{category: vuln, kev: true}}, action: block, locked: true}}
  - {{id: fresh, match: {{category: [secret, code], origin: introduced}}, action: block}}
  - {{id: likely, match: {{epss: ">=0.25", fixable: true}}, action: block, grace: 48h}}
  - id: debt
    match: {{category: vulnerability, origin: [disclosed, existing], severity: [">=high", unknown]}}
    action: block
    grace: {{critical: 1d, high: 3w}}
  - {{id: terms, match: {{category: license, verdict: [deny, unknown, review]}}, action: warn}}
  - id: the-rest
    match: {{scanner: trivy, scope: dev, package: [boto*, "pkg:pypi/six"], category: iac}}
    action: info
licenses:
  allow: [MIT, Apache-2.0 WITH LLVM-exception]
  review: [MPL-2.0]
  deny: [GPL-3.0-or-later]
  classifiers: any
  clarify:
    - purl: "pkg:pypi/Some_Thing"
      versions: ">=2,<3"
      expression: MIT OR (ISC AND BSD-3-Clause)
      evidence: {{path: LICENSES/MIT.txt, sha256: {HASH}}}
  exceptions:
    - purl: "pkg:pypi/chardet"
      allow: [LGPL-2.1-or-later, LGPL-2.1-only]
      owner: legal
      reason: it is only linked
      expires: 2028-02-29
waivers:
  max_days: 90
  warn_before: 1w
  unused: block
  in_source: forbid
  max_in_source: 12
  items:
    - ids: [CVE-2024-22195, "70612"]
      purl: "pkg:pypi/Zope.Interface"
      versions: "<3.1.3"
      state: not_affected
      reason: the filter is never called
      owner: "@web"
      expires: 2027-01-31
      until_fixed: true
    - {{path: "src/old/**", ids: [B608], reason: no input of users, owner: me, expires: 2026-12-31}}
    - {{fingerprint: 0123456789abcdef, reason: a sample, owner: me, expires: 2026-12-31}}
"""


def test_rule_1_everything_that_the_language_has_loads(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, EVERYTHING, head="")
    file = policy.file
    assert (file.version, file.default, policy.enforcement) == (1, "info", "warn")
    assert file.locked == ("enforcement", "licenses", "waivers")
    assert file.approvers == ("@security", "legal")
    assert file.scanners["pip-audit"].min_audited == 3
    assert file.scanners["bandit"].max_errors == "any"
    assert file.scanners["trivy"].db_max_age == "36h"
    assert file.scanners["safety"].on_failure == "block"
    assert file.severity.sources == ("osv-cvss", "ghsa", "nvd", "tool")
    assert file.severity.override[0].to == "low"
    assert (file.enrichment.kev, file.enrichment.max_age) == ("required", "2w")
    assert (file.new_code.against, file.new_code.edited) == ("baseline", "existing")
    graces = {rule.id: rule.grace for rule in policy.rules if rule.grace}
    assert graces == {"likely": "48h", "debt": GraceByLevel(critical="1d", high="3w")}
    assert policy.rules[0].locked
    assert policy.rules[2].match.epss == ">=0.25"
    clarified = file.licenses.clarify[0]
    assert clarified.evidence == Evidence(path="LICENSES/MIT.txt", sha256=HASH)
    assert file.licenses.exceptions[0].expires == "2028-02-29"
    assert (file.waivers.max_days, file.waivers.in_source) == (90, "forbid")
    assert (file.waivers.warn_before, file.waivers.max_in_source) == ("1w", 12)


def test_rule_1_the_schema_takes_everything_that_the_language_has() -> None:
    document = parse(EVERYTHING.encode()).value
    assert jsonschema_rs.is_valid(schema_text_as_json(), document)


def schema_text_as_json() -> dict[str, object]:
    return dict(json.loads(schema_text()))


def test_rule_10_waivers_of_the_policy_are_values_with_their_place(tmp_path: Path) -> None:
    first, second, third = policy_of(tmp_path, EVERYTHING, head="").waivers
    line = EVERYTHING.splitlines().index('    - ids: [CVE-2024-22195, "70612"]') + 1
    assert first == Waiver(
        state=WaiverState.NOT_AFFECTED,
        reason="the filter is never called",
        owner="@web",
        expires=date(2027, 1, 31),
        place=f"policy.yml:{line}",
        ids=("CVE-2024-22195", "70612"),
        purl="pkg:pypi/zope-interface",
        versions="<3.1.3",
        until_fixed=True,
    )
    assert (second.path, second.state) == ("src/old/**", WaiverState.RISK_ACCEPTED)
    assert third.fingerprint == "0123456789abcdef"


WAIVER = "reason: x, owner: y, expires: 2027-01-01"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # extends
        ("extends: [{}]", "3:11: extends[0]: needs either `file` or `name`"),
        (
            f"extends: [{{name: strict, file: a.yml, sha256: {HASH}}}]",
            "3:11: extends[0]: needs either `file` or `name`",
        ),
        ("extends: [{file: a.yml}]", "3:11: extends[0]: 'sha256' is missing"),
        (
            f"extends: [{{name: strict, sha256: {HASH}}}]",
            "3:26: extends[0].sha256: ",
        ),
        (
            "extends: [{file: a.yml, sha256: abc}]",
            "3:33: extends[0].sha256: got 'abc', expected a SHA-256",
        ),
        (
            "locked: [rules]",
            "3:10: locked[0]: got 'rules', expected one of enforcement, default",
        ),
        # rules
        (
            "rules: [{id: a, match: {}, action: warn, grace: 3d}]",
            "3:42: rules[0].grace: ",
        ),
        (
            "rules: [{id: a, match: {}, action: block, grace: {}}]",
            "3:50: rules[0].grace: got {}, expected",
        ),
        (
            "rules: [{id: a, match: {}, action: block, grace: 0d}]",
            "3:50: rules[0].grace: got '0d', expected a duration such as 12h, 7d or 2w or a map",
        ),
        (
            "rules: [{id: a, match: {}, action: block, grace: {unknown: 1d}}]",
            "3:51: rules[0].grace: unknown key 'unknown'",
        ),
        (
            "rules: [{id: a, match: {epss: '>=1.5'}, action: block}]",
            "3:31: rules[0].match.epss: got '>=1.5', expected a minimum probability",
        ),
        (
            "rules: [{id: a, match: {epss: 0.5}, action: block}]",
            "3:31: rules[0].match.epss: got 0.5, expected a minimum probability",
        ),
        # severity
        (
            "severity: {override: [{match: {}, set: info, reason: ' '}]}",
            "3:54: severity.override[0].reason: ' ' is blank",
        ),
        (
            "severity: {sources: [cvss]}",
            "3:22: severity.sources[0]: got 'cvss': did you mean 'osv-cvss'? Expected one of",
        ),
        # licences
        (
            "licenses: {clarify: [{purl: foo, expression: MIT}]}",
            "3:29: licenses.clarify[0].purl: 'foo' is not a package URL",
        ),
        (
            "licenses: {clarify: [{purl: 'pkg:pypi/foo', expression: MIT OR}]}",
            "3:57: licenses.clarify[0].expression: 'MIT OR' is not an SPDX expression",
        ),
        (
            "licenses: {clarify: [{purl: 'pkg:pypi/foo', expression: MIT OR Apache2}]}",
            "3:57: licenses.clarify[0].expression: 'MIT OR Apache2' has a licence that is not on",
        ),
        (
            "licenses: {clarify: [{purl: 'pkg:pypi/a', versions: 1.2, expression: MIT}]}",
            "3:53: licenses.clarify[0].versions: got 1.2, expected text",
        ),
        (
            "licenses: {clarify: [{purl: 'pkg:pypi/a', versions: '=> 1', expression: MIT}]}",
            "3:53: licenses.clarify[0].versions: '=> 1' is not a version range",
        ),
        (
            f"licenses: {{exceptions: [{{purl: 'pkg:pypi/a', allow: [], {WAIVER}}}]}}",
            "3:53: licenses.exceptions[0].allow: ",
        ),
        (
            f"licenses: {{exceptions: [{{purl: 'pkg:pypi/a', allow: [MIT, GPLv3], {WAIVER}}}]}}",
            "3:59: licenses.exceptions[0].allow[1]: 'GPLv3' is not on the SPDX list",
        ),
        (
            f"licenses: {{exceptions: [{{purl: 'pkg:pypi/a@1.0', allow: [MIT], {WAIVER}}}]}}",
            "3:32: licenses.exceptions[0].purl: 'pkg:pypi/a@1.0' has more than the package",
        ),
    ],
)
def test_rule_1_what_types_cannot_say_is_checked(tmp_path: Path, text: str, problem: str) -> None:
    found = mistakes(tmp_path, f"{HEAD}{text}\n")
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (f"ids: [CVE-2024-1], {WAIVER}", "items[0]: "),
        (WAIVER, "items[0]: "),
        (f"path: a.py, ids: ['*'], {WAIVER}", "ids[0]: '*' is not an id"),
        (f"path: a.py, ids: [CVE-*], {WAIVER}", "ids[0]: 'CVE-*' is not an id"),
        (f"path: a.py, ids: [' '], {WAIVER}", "ids[0]: ' ' is not an id"),
        (f"path: a.py, ids: [70612], {WAIVER}", "ids[0]: got 70612, expected text"),
        (f"path: '**', {WAIVER}", "path: '**' alone would waive every finding"),
        (f"path: '*', {WAIVER}", "path: '*' alone would waive every finding"),
        (f"path: '/**/*', {WAIVER}", "path: '/**/*' alone would waive every finding"),
        (f"path: '!a', {WAIVER}", "path: '!a' begins with !"),
        (f"path: '*a*a*a*', {WAIVER}", "path: '*a*a*a*' has more than 3 stars in one name"),
        (f"path: '**/a/**/a/**/a/**', {WAIVER}", "has ** more than 3 times"),
        (f"path: '# a', {WAIVER}", "path: '# a' matches nothing"),
        (f"fingerprint: 0123456789a, {WAIVER}", "fingerprint: '0123456789a' is not a fingerprint"),
        (
            f"fingerprint: 0123456789AB, {WAIVER}",
            "fingerprint: '0123456789AB' is not a fingerprint",
        ),
        (
            f"fingerprint: zzzzzzzzzzzz, {WAIVER}",
            "fingerprint: 'zzzzzzzzzzzz' is not a fingerprint",
        ),
        (f"fingerprint: 123456789012, {WAIVER}", "fingerprint: got 123456789012, expected te"),
        (f"purl: 'pkg:pypi/', {WAIVER}", "purl: 'pkg:pypi/' is not a package URL"),
        (f"purl: 'pkg:pypi/a b', {WAIVER}", "purl: 'pkg:pypi/a b' is not a package URL"),
        (f"purl: 'pkg:pypi/a/b', {WAIVER}", "purl: 'pkg:pypi/a/b' is not a package URL"),
        (f"purl: 'pkg:pypi/a-', {WAIVER}", "purl: 'pkg:pypi/a-' is not a package URL"),
        (f"purl: 'pkg:pypi/a@1', {WAIVER}", "purl: 'pkg:pypi/a@1' has more than the package"),
        (f"purl: 'pkg:pypi/a', versions: new, {WAIVER}", "versions: 'new' is not a version range"),
        (f"purl: 'pkg:pypi/a', versions: ' ', {WAIVER}", "versions: ' ' is not a version range"),
        (
            f"purl: 'pkg:pypi/a', state: fixed, {WAIVER}",
            "state: got 'fixed': did you mean 'fix_planned'? Expected one of",
        ),
        (f"path: a, ids: [CVE-2024-1], until_fixed: true, {WAIVER}", "items[0].until_fixed: "),
        ("path: a, owner: x, expires: 2027-01-01", "'reason' is missing"),
        ("path: a, reason: x, expires: 2027-01-01", "'owner' is missing"),
        ("path: a, reason: x, owner: y", "'expires' is missing"),
        ("path: a, reason: '', owner: y, expires: 2027-01-01", "reason: got '', expected text"),
        ("path: a, reason: x, owner: ' ', expires: 2027-01-01", "owner: ' ' is blank"),
        (
            "path: a, reason: x, owner: y, expires: 2027-02-30",
            "expires: '2027-02-30' is not a valid date",
        ),
        (
            "path: a, reason: x, owner: y, expires: 0000-01-01",
            "expires: '0000-01-01' is not a valid date",
        ),
        ("path: a, reason: x, owner: y, expires: 2027-1-1", "expires: got '2027-1-1', expected"),
        ("path: a, reason: x, owner: y, expires: never", "expires: got 'never', expected a date"),
    ],
)
def test_rule_10_a_waiver_names_what_it_waives_whose_it_is_why_and_until_when(
    tmp_path: Path, entry: str, problem: str
) -> None:
    in_policy = mistakes(tmp_path, f"{HEAD}waivers:\n  items:\n    - {{{entry}}}\n")
    assert len(in_policy) == 1
    assert in_policy[0].startswith("5:")
    assert problem in in_policy[0]
    (tmp_path / "policies").mkdir()
    own = tmp_path / "policies" / "waivers.yml"
    own.write_text(f"version: 1\nitems:\n  - {{{entry}}}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        policy_of(tmp_path, "")
    assert caught.value.message.startswith("policies/waivers.yml:3:")
    assert problem in caught.value.message


def test_a_pattern_for_everything_is_fine_where_ids_are_named(tmp_path: Path) -> None:
    text = f"waivers: {{items: [{{path: '**', ids: [B101], {WAIVER}}}]}}\n"
    assert mistakes(tmp_path, HEAD + text) == []


def test_any_kind_of_package_can_be_named(tmp_path: Path) -> None:
    names = ("pkg:pypi/a", "pkg:deb/debian/openssl", "pkg:npm/%40scope/name", "pkg:golang/a.b/c/d")
    items = ", ".join(f"{{purl: '{name}', {WAIVER}}}" for name in names)
    policy = policy_of(tmp_path, f"waivers: {{items: [{items}]}}\n")
    assert tuple(waiver.purl for waiver in policy.waivers) == names


# The file of waivers.


def waivers_file(root: Path, text: str) -> None:
    (root / "policies").mkdir(exist_ok=True)
    (root / "policies" / "waivers.yml").write_text(dedent(text), encoding="utf-8")


def test_rule_10_waivers_are_read_from_a_file_of_their_own_too(tmp_path: Path) -> None:
    waivers_file(
        tmp_path,
        """\
        # ours
        version: 1
        items:
          - path: a.py
            reason: x
            owner: y
            expires: 2027-01-01
          - {path: b.py, reason: x, owner: y, expires: 2027-01-01, state: fix_planned}
        """,
    )
    text = f"waivers: {{items: [{{path: c.py, {WAIVER}}}]}}\n"
    policy = policy_of(tmp_path, text)
    places = {waiver.path: waiver.place for waiver in policy.waivers}
    assert places == {
        "a.py": "policies/waivers.yml:4",
        "b.py": "policies/waivers.yml:8",
        "c.py": "policy.yml:3",
    }
    assert list(policy.files) == ["policies/waivers.yml"]
    assert len(policy.files["policies/waivers.yml"]) == 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "policies/waivers.yml:1:1: the file is empty"),
        ("items: []\n", "policies/waivers.yml:1:1: top level: 'version' is missing"),
        ("version: 2\n", "policies/waivers.yml:1:10: version: got 2, expected 1"),
        ("version: 1\nmax_days: 9\n", "policies/waivers.yml:2:1: top level: unknown key 'max_"),
        ("version: 1\n<<<<<<< ours\n", "policies/waivers.yml:3:1: not YAML"),
    ],
)
def test_a_broken_file_of_waivers_is_an_error_not_no_waiver(
    tmp_path: Path, text: str, problem: str
) -> None:
    waivers_file(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        policy_of(tmp_path, "")
    assert caught.value.message.startswith(problem)


def test_a_folder_in_place_of_the_waivers_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "policies" / "waivers.yml").mkdir(parents=True)
    with pytest.raises(PolicyError, match=r"policies/waivers\.yml: is not a regular file"):
        policy_of(tmp_path, "")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\xef\xbb\xbfversion: 1\n", "1:1: "),
        (HEAD.encode() + b"rules:\n\t- a\n", "4:1: a tab"),
        (HEAD.encode() + b"x: \x00\n", "3:4: character U+0000 is not allowed"),
        (HEAD.encode() + b'rules: [{id: "\\0"}]\n', "3:14: character U+0000 is not allowed"),
        (HEAD.encode() + b"rules: \xff\n", "3:8: byte 0xff is not UTF-8"),
        (HEAD.encode() + b"rules: " + b"[" * 1500, "1:1: nested too deeply"),
        (HEAD.encode() + b"---\nversion: 1\n", "3:1: not YAML: expected a single document"),
        (HEAD.encode() + b"rules: [{id: a, id: b}]\n", "3:17: duplicate key 'id'"),
        (HEAD.encode() + b"x: &a [1]\ny: [*a, *a]\n", "3:4: anchor &a"),
        (b"version: " + b"9" * 5000 + b"\n", "1:10: '999"),
        (b"#" * (10 << 20), "1:1: larger than 1 MiB"),
    ],
)
def test_a_hostile_file_is_refused_with_its_place_and_a_remedy(
    tmp_path: Path, raw: bytes, problem: str
) -> None:
    file = tmp_path / "scanagg.yml"
    file.write_bytes(raw)
    with pytest.raises(PolicyError) as caught:
        load_policy(None, tmp_path)
    assert caught.value.message.startswith(f"scanagg.yml:{problem}")
    assert len(caught.value.message) < 300
    assert caught.value.hint
