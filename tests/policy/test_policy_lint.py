"""`policy check` reports each part of a policy that has no effect, with its place, and no other."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest
from policy_samples import (
    NOW,
    finding,
    licensed,
    package,
    policy_of,
    secret,
    vulnerability,
)

from scanagg.core.yaml import parse
from scanagg.model import Category, LicenseVerdict, Origin, Scope, Severity, WaiverUse
from scanagg.policy.aspects import Subject
from scanagg.policy.lint import lint, reach
from scanagg.policy.load import BUILTIN, builtin_folder, load_policy
from scanagg.policy.rules import Matcher, Rules, categories_of, decide
from scanagg.policy.schema import Match

HEAD = "version: 1\ndefault: warn\n"
TODAY = date(2026, 3, 1)


def flaws(
    folder: Path, text: str, *, paths: Sequence[str] | None = None, uses: Sequence[WaiverUse] = ()
) -> list[str]:
    """`place: message` of each flaw, without the file's name."""
    policy = policy_of(folder, text)
    document = parse((HEAD + dedent(text)).encode())
    found = lint(policy, document, "policy.yml", TODAY, paths=paths, uses=uses)
    return [f"{each.place}: {each.message}".removeprefix("policy.yml:") for each in found]


@pytest.mark.parametrize("name", BUILTIN)
def test_the_ready_made_policies_have_no_flaw(name: str, tmp_path: Path) -> None:
    raw = (builtin_folder() / f"{name}.yml").read_bytes()
    assert lint(load_policy(name, tmp_path), parse(raw), name, TODAY) == ()


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{}", "{category: secret}"),
        ("{severity: '>=medium'}", "{severity: high, path: src/**}"),
        ("{severity: ['>=medium', low, info]}", "{rule: B602}"),
        ("{category: [vuln, code]}", "{category: vulnerability}"),
        ("{scope: [runtime, dev]}", "{package: jinja2}"),
        ("{origin: [introduced, existing]}", "{category: iac}"),
        ("{rule: 'B*'}", "{rule: [B602, B101], severity: high}"),
        ("{rule: '*'}", "{category: code}"),
        ("{package: 'Foo_*'}", "{package: foo-bar}"),
        ("{epss: '>=0.3'}", "{epss: '>=0.5', fixable: true}"),
        ("{path: docs/**}", "{path: docs/**, category: code}"),
        ("{scanner: [bandit, trivy]}", "{scanner: trivy, scope: dev}"),
        ("{severity: '>=high'}", "{severity: unknown}"),
        (
            "{confidence: [likely, possible, unlikely, unknown]}",
            "{category: secret, severity: high}",
        ),
        ("{confidence: [high, medium]}", "{category: code, confidence: medium}"),
        ("{path_kind: [tests, docs]}", "{path_kind: docs, category: secret}"),
    ],
)
def test_a_rule_that_an_earlier_one_hides_is_named(
    earlier: str, later: str, tmp_path: Path
) -> None:
    text = f"""
    rules:
      - {{id: first, match: {earlier}, action: warn}}
      - {{id: second, match: {later}, action: warn}}
    """
    (flaw,) = [each for each in flaws(tmp_path, text) if "rules[1]:" in each]
    assert flaw.startswith("6:5: rules[1]: rule second ")
    assert flaw.endswith(" rule first")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{category: secret}", "{severity: high}"),
        ("{rule: B602}", "{category: code}"),
        ("{rule: B602}", "{rule: 'B*'}"),
        ("{rule: B101}", "{rule: B602}"),
        ("{path: docs/a.py}", "{path: docs/**}"),
        ("{path: 'docs/**'}", "{path: docs/a.py}"),  # true, yet not certain to us: no claim
        ("{epss: '>=0.5'}", "{epss: '>=0.3'}"),
        ("{kev: true}", "{category: vuln}"),
        ("{fixable: true}", "{category: vuln}"),
        ("{package: 'pkg:pypi/a*'}", "{package: 'pkg:pypi/abc'}"),
        ("{scope: [runtime, dev]}", "{severity: high}"),
        ("{severity: ['>=medium', low]}", "{category: code}"),
        ("{package: jinja2}", "{scope: dev}"),
        ("{confidence: [likely, possible, unlikely]}", "{category: secret}"),
        ("{confidence: [high, medium, low, unknown]}", "{severity: high}"),
        ("{path_kind: tests}", "{path_kind: [tests, docs]}"),
        ("{path_kind: tests}", "{path: tests/**}"),
        (
            "{path_kind: [production, tests, docs, examples, vendored, generated]}",
            "{category: vuln}",
        ),
    ],
)
def test_a_rule_that_may_still_match_is_not_named(earlier: str, later: str, tmp_path: Path) -> None:
    text = f"""
    rules:
      - {{id: first, match: {earlier}, action: warn}}
      - {{id: second, match: {later}, action: warn}}
    """
    assert not [each for each in flaws(tmp_path, text) if "second" in each]


def test_a_path_in_any_place_is_not_hidden_by_one_in_every_place() -> None:
    match = Match(path="docs/**")
    anywhere, everywhere = Matcher(match, every_place=False), Matcher(match, every_place=True)
    for earlier, later, hidden in (
        (anywhere, anywhere, True),
        (anywhere, everywhere, True),
        (everywhere, everywhere, True),
        (everywhere, anywhere, False),
    ):
        found = reach([earlier, later], Severity.HIGH)[1]
        assert bool(found.takers) is hidden


def test_several_rules_together_hide_one_and_no_more_are_named_than_it_takes(
    tmp_path: Path,
) -> None:
    text = """
    rules:
      - {id: extra, match: {category: secret, severity: critical}, action: block}
      - {id: bad, match: {severity: ">=high"}, action: block}
      - {id: middling, match: {severity: medium}, action: warn}
      - {id: rest, match: {severity: [low, info]}, action: info}
      - {id: never, match: {category: code}, action: block}
    """
    (flaw,) = flaws(tmp_path, text)
    assert flaw.startswith("9:5: rules[4]: rule never ")
    assert flaw.endswith(" rule bad, rule middling, rule rest")


def test_what_a_parent_says_is_not_this_file_s_flaw(tmp_path: Path) -> None:
    parent = (
        b"version: 1\ndefault: warn\nenrichment: {kev: required}\n"
        b"scanners: {trivy: {required: true, when: {exists: [gone]}}}\n"
        b"rules: [{id: parent, match: {category: code, scope: dev}, action: block}]\n"
        b"licenses: {allow: [GPL-2.0]}\n"
    )
    (tmp_path / "org.yml").write_bytes(parent)
    text = f"""
    extends: [{{file: org.yml, sha256: {hashlib.sha256(parent).hexdigest()}}}]
    rules: [{{id: all, match: {{}}, action: warn}}]
    """
    assert flaws(tmp_path, text, paths=["a.py"]) == []


def test_what_unknown_compares_as_counts(tmp_path: Path) -> None:
    text = """
    severity: {unknown: LEVEL}
    rules:
      - {id: first, match: {severity: ">=high"}, action: block}
      - {id: second, match: {severity: unknown}, action: warn}
    """
    assert flaws(tmp_path, text.replace("LEVEL", "high"))
    assert not flaws(tmp_path, text.replace("LEVEL", "medium"))


@pytest.mark.parametrize(
    ("match", "place", "words"),
    [
        ("{category: code, scope: dev}", "4:44: rules[0].match.scope", "vulnerability and license"),
        ("{category: secret, package: a}", "4:48: rules[0].match.package", "vulnerability and"),
        ("{category: [code, iac], fixable: true}", "4:53: rules[0].match.fixable", "vulnerability"),
        ("{category: vuln, verdict: deny}", "4:46: rules[0].match.verdict", "only license"),
        (
            "{category: secret, confidence: high}",
            "4:20: rules[0].match",
            "category secret, confidence high",
        ),
        ("{verdict: deny, fixable: true}", "4:20: rules[0].match", "fixable true, verdict deny"),
        (
            "{category: code, origin: disclosed}",
            "4:20: rules[0].match",
            "category code, origin disclosed",
        ),
    ],
)
def test_conditions_that_exclude_each_other_are_named(
    match: str, place: str, words: str, tmp_path: Path
) -> None:
    (flaw,) = flaws(tmp_path, f"rules:\n  - {{id: a, match: {match}, action: warn}}\n")
    assert flaw.startswith(f"{place}: ")
    assert words in flaw


def test_conditions_on_data_of_the_advisory_store_are_no_flaw(tmp_path: Path) -> None:
    text = """
    enrichment: {kev: required, epss: required}
    severity:
      override:
        - {match: {kev: true}, set: critical, reason: it is exploited}
    rules:
      - {id: likely, match: {epss: ">=0.5"}, action: block}
    """
    assert flaws(tmp_path, text) == []


def test_overrides_hide_each_other_too(tmp_path: Path) -> None:
    text = """
    severity:
      override:
        - {match: {category: code}, set: low, reason: much noise}
        - {match: {category: code, rule: B602}, set: high, reason: but not this}
    """
    (flaw,) = flaws(tmp_path, text)
    assert "severity.override[1]: override 2 " in flaw
    assert flaw.endswith(" override 1")


def test_a_required_scanner_that_no_file_asks_for_is_named(tmp_path: Path) -> None:
    text = """
    scanners:
      trivy: {required: true, when: {exists: [Dockerfile, "**/*.tf"]}}
      safety: {required: false, when: {exists: [nothing]}}
      bandit: {required: true}
    """
    assert flaws(tmp_path, text) == []
    (flaw,) = flaws(tmp_path, text, paths=["a.py", "docs/b.md"])
    assert flaw.startswith("5:33: scanners.trivy.when: ")
    assert flaws(tmp_path, text, paths=["infra/main.tf"]) == []


def test_ids_that_were_replaced_are_named_with_what_they_are_now(tmp_path: Path) -> None:
    text = """
    licenses:
      allow: [mit, GPL-2.0+, Apache-2.0]
      deny: [GPL-3.0, GPL-2.0-with-classpath-exception]
      clarify:
        - {purl: pkg:pypi/a, expression: (LGPL-2.1 OR MIT) AND BSD-3-Clause}
      exceptions:
        - {purl: pkg:pypi/b, allow: [AGPL-3.0], owner: o, reason: r, expires: 2026-03-01}
    """
    deprecated = [
        flaw.partition(": ")[2].split(" is deprecated: ") for flaw in flaws(tmp_path, text)
    ]
    assert deprecated == [
        ["licenses.allow[1]: GPL-2.0+", "write GPL-2.0-or-later"],
        ["licenses.deny[0]: GPL-3.0", "write GPL-3.0-only"],
        [
            "licenses.deny[1]: GPL-2.0-with-classpath-exception",
            "write GPL-2.0-only WITH Classpath-exception-2.0",
        ],
        ["licenses.clarify[0].expression: LGPL-2.1", "write LGPL-2.1-only"],
        ["licenses.exceptions[0].allow[0]: AGPL-3.0", "write AGPL-3.0-only"],
    ]


def test_an_exception_that_ended_is_named(tmp_path: Path) -> None:
    text = """
    licenses:
      exceptions:
        - {purl: pkg:pypi/b, allow: [MIT], owner: o, reason: r, expires: 2026-02-28}
    """
    (flaw,) = flaws(tmp_path, text)
    assert "licenses.exceptions[0].expires: " in flaw
    assert "2026-02-28" in flaw


WAIVERS = """
    waivers:
      max_days: 100
      items:
        - {ids: [CVE-2026-1], purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-05-01}
        - {ids: [CVE-2026-2], purl: pkg:pypi/jinja2, reason: r, owner: o, expires: 2026-05-01}
        - {path: gone/**, ids: [B101], reason: r, owner: o, expires: 2026-05-01}
        - {path: src/**, ids: [B101], reason: r, owner: o, expires: 2026-02-28}
        - {path: src/**, ids: [B101], reason: r, owner: o, expires: 2026-03-01}
        - {path: src/**, ids: [B101], reason: r, owner: o, expires: 2026-06-09}
        - {path: src/**, ids: [B101], reason: r, owner: o, expires: 2026-06-10}
    """


def test_waivers_that_ended_or_last_too_long_are_named(tmp_path: Path) -> None:
    ended, too_long = flaws(tmp_path, WAIVERS)
    assert ended == "10: the waiver of B101 src/** expired on 2026-02-28"
    assert too_long.startswith("13: the waiver of B101 src/** has no effect yet")
    assert "101 days" in too_long


def test_waivers_that_no_finding_needs_and_no_file_has_are_named(tmp_path: Path) -> None:
    findings = [vulnerability(of=package("jinja2")), secret()]
    decision = decide(findings, policy_of(tmp_path, WAIVERS), NOW)
    reported = flaws(tmp_path, WAIVERS, uses=decision.waivers)
    unused = [flaw for flaw in reported if "matches no finding" in flaw]
    assert [each.partition(":")[0] for each in unused] == ["8", "9", "11", "12"]
    (gone,) = [flaw for flaw in flaws(tmp_path, WAIVERS, paths=["src/a.py"]) if "no file" in flaw]
    assert gone.startswith("9: the waiver of B101 gone/** ")


def test_categories_are_those_of_which_each_condition_can_hold() -> None:
    assert categories_of(Match()) == frozenset(Category)
    assert categories_of(Match(category="iac")) == {Category.MISCONFIGURATION}
    assert categories_of(Match(scope="dev", fixable=True)) == {Category.VULNERABILITY}


def subjects() -> Iterator[Subject]:
    """Findings of every category, severity and origin, made without any help from `reach`."""
    levels = [(each, each) for each in Severity if each is not Severity.UNKNOWN]
    levels.append((Severity.UNKNOWN, Severity.HIGH))
    holes = [
        vulnerability(of=package(scope=scope), fixed=fixed)
        for scope, fixed in product(Scope, ((), ("2",)))
    ]
    denied = [licensed("GPL-3.0-only", scope) for scope in Scope]
    plain = [secret(), finding(), finding(Category.MISCONFIGURATION, "DS-1")]
    for (severity, compared), origin in product(levels, Origin):
        for one in (*holes, *plain):
            yield Subject(one, severity, compared, None, origin)
        for one, verdict in product(denied, LicenseVerdict):
            yield Subject(one, severity, compared, verdict, origin)


def test_no_rule_is_called_unreachable_that_a_finding_reaches() -> None:
    some = [
        *(Match(severity=each) for each in (">=high", "unknown", ("low", "info"))),
        *(Match(category=each) for each in ("vuln", "license", ("code", "secret", "iac"))),
        *(Match(origin=each) for each in ("introduced", ("disclosed", "existing"))),
        *(Match(scope="dev"), Match(fixable=False), Match(verdict="deny"), Match()),
        *(Match(rule="B602"), Match(rule="B*"), Match(path="src/**"), Match(scanner="bandit")),
    ]
    known = list(subjects())
    hidden = 0
    for one, other in product(some, repeat=2):
        conditions = [Matcher(each, every_place=True) for each in (one, other)]
        rules = Rules(conditions)
        reached = {rules.ask(each).first for each in known}
        for place, found in enumerate(reach(conditions, Severity.HIGH)):
            if not found.possible or found.takers:
                hidden += 1
                assert place not in reached, (one, other)
    assert hidden > len(some)  # each hides itself, and `{}` hides all
