"""One weakness is one finding with all its witnesses, in any order of input."""

import random
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.sample import sample_runs

from scanagg.core.redact import Redactor
from scanagg.findings.correlate import correlate, merged_advisory
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import mask_run, normalise, redactor
from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Finding,
    Inventory,
    LicenseFacts,
    Location,
    NotExamined,
    Observation,
    Package,
    Rule,
    Scope,
    Secret,
    Severity,
    SeverityClaim,
    Target,
    plain,
)
from scanagg.model.advisories import UNTITLED, secret_texts
from scanagg.policy.aspects import ids_of
from scanagg.project.sources import Sources
from scanagg.project.target import read_target

Make = Callable[..., Path]
EMPTY = Target(Path("/nowhere"), "x", ())


def merged(observations: Sequence[Observation], target: Target = EMPTY) -> tuple[Finding, ...]:
    sources = Sources(target)
    mask = redactor(observations, [])
    return correlate(observations, Identity(sources, mask))


def code(
    scanner: str, rule: str, lines: tuple[int, int], cwe: str = "CWE-78", **more: object
) -> Observation:
    base = Observation(
        scanner=scanner,
        category=Category.CODE,
        rule=Rule(rule, rule, rule, cwe=(cwe,)),
        title=f"{rule} title",
        message=f"{rule} message",
        claims=(SeverityClaim("tool", Severity.LOW, scanner),),
        location=Location("a.py", *lines),
    )
    return replace(base, **more)  # type: ignore[arg-type]


def vulnerable(
    scanner: str, identifier: str, *aliases: str, version: str = "1", **more: object
) -> Observation:
    package = Package("jinja2", version, f"pkg:pypi/jinja2@{version}")
    base = Observation(
        scanner=scanner,
        category=Category.VULNERABILITY,
        rule=Rule(identifier, identifier, identifier),
        title=identifier,
        message=f"{identifier} in jinja2",
        package=package,
        advisory=Advisory(identifier, aliases),
    )
    return replace(base, **more)  # type: ignore[arg-type]


def secret(
    scanner: str, lines: tuple[int, int | None], path: str = "a.env", digest: str | None = None
) -> Observation:
    return Observation(
        scanner=scanner,
        category=Category.SECRET,
        rule=Rule(f"{scanner}-rule", "n", "t"),
        title="a secret",
        message="a secret",
        location=Location(path, *lines),
        secret=Secret(digest),
    )


def test_aliases_close_transitively() -> None:
    observations = [
        vulnerable("pip-audit", "PYSEC-1", "CVE-1"),
        vulnerable("safety", "SFTY-1", "GHSA-1"),
        vulnerable("trivy", "GHSA-1", "CVE-1"),
    ]
    (finding,) = merged(observations)
    assert finding.advisory is not None
    assert finding.advisory.id == "CVE-1"
    assert finding.advisory.aliases == ("GHSA-1", "PYSEC-1", "SFTY-1")
    assert finding.scanners == ("pip-audit", "safety", "trivy")
    assert finding.rule.id == "CVE-1"


def test_another_version_or_advisory_is_another_finding() -> None:
    observations = [
        vulnerable("trivy", "CVE-1"),
        vulnerable("trivy", "CVE-1", version="2"),
        vulnerable("trivy", "CVE-2"),
    ]
    assert len(merged(observations)) == 3


def test_a_package_for_developers_and_for_everyone_is_two_findings() -> None:
    package = Package("jquery", "3.3.9", "pkg:npm/jquery@3.3.9")
    observations = [
        vulnerable("trivy", "CVE-1", package=replace(package, scope=scope), location=Location(path))
        for path, scope in (("a", Scope.DEV), ("b", Scope.RUNTIME), ("c", Scope.RUNTIME))
    ]
    findings = merged(observations)
    shown = [
        (finding.package and finding.package.scope, [place.path for place in finding.places])
        for finding in findings
    ]
    assert shown == [(Scope.DEV, ["a"]), (Scope.RUNTIME, ["b", "c"])]
    assert len({finding.fingerprint for finding in findings}) == 2


def test_two_versions_of_a_package_have_fingerprints_of_their_own() -> None:
    findings = merged([vulnerable("trivy", "CVE-1"), vulnerable("trivy", "CVE-1", version="2")])
    assert len({finding.fingerprint for finding in findings}) == 2


def test_the_merged_advisory_knows_all_fixes_and_the_first_date() -> None:
    one = Advisory("GHSA-1", ("CVE-1",), ("2.0", "10.0"), "2024-02-01", "https://a.invalid")
    other = Advisory("PYSEC-1", ("CVE-1",), ("2.0", "9.1", "not-a-version"), "2024-01-01")
    both = merged_advisory([one, other])
    assert both.fixed_versions == ("2.0", "9.1", "10.0", "not-a-version")
    assert both.published == "2024-01-01"
    assert both.url == "https://a.invalid"
    assert not both.withdrawn


def test_an_advisory_is_withdrawn_when_every_record_is() -> None:
    gone = Advisory("CVE-1", withdrawn=True)
    assert merged_advisory([gone, gone]).withdrawn
    assert not merged_advisory([gone, Advisory("CVE-1")]).withdrawn


def test_the_merged_advisory_has_the_worst_news_of_all() -> None:
    quiet = Advisory("CVE-1", kev=False, epss=0.1, epss_percentile=0.9)
    loud = Advisory("CVE-1", kev=True, kev_added="2024-02-01", epss=0.4, epss_percentile=0.8)
    early = Advisory("CVE-1", kev=True, kev_added="2023-02-01")
    silent = Advisory("CVE-1")
    for order in ([quiet, loud, early, silent], [silent, early, loud, quiet]):
        both = merged_advisory(order)
        assert (both.kev, both.kev_added) == (True, "2023-02-01")
        assert (both.epss, both.epss_percentile) == (0.4, 0.8)
    assert merged_advisory([silent, quiet]).kev is False
    assert merged_advisory([silent]).kev is None
    assert merged_advisory([silent]).epss is None


def test_the_merged_advisory_has_the_pages_of_all() -> None:
    one = Advisory("CVE-1", references=("https://b.invalid/", "https://a.invalid/"))
    other = Advisory("CVE-1", references=("https://a.invalid/", "https://c.invalid/"))
    expected = ("https://b.invalid/", "https://a.invalid/", "https://c.invalid/")
    assert merged_advisory([one, other]).references == expected


def test_a_finding_is_fixed_only_by_what_is_above_the_install() -> None:
    fixed = "Fixed in 0.9, 1.1."
    one = vulnerable("pip-audit", "CVE-1", message=f"jinja2 is affected. {fixed}")
    one = replace(one, advisory=Advisory("CVE-1", (), ("0.9", "1.1")))
    other = replace(vulnerable("trivy", "CVE-1"), advisory=Advisory("CVE-1", (), ("1.0", "2.0")))
    (finding,) = merged([one, other])
    assert finding.advisory is not None
    assert finding.advisory.fixed_versions == ("1.1", "2.0")
    assert finding.message == "jinja2 is affected. Fixed in 1.1, 2.0."
    (before,) = normalise([one], Inventory(), Sources(EMPTY))
    assert before.advisory is not None
    assert before.advisory.fixed_versions == ("1.1",)
    assert before.message == "jinja2 is affected. Fixed in 1.1."
    assert merged([one, other]) == merged(normalise([other, one], Inventory(), Sources(EMPTY)))


def test_a_malicious_package_is_called_that_by_whoever_found_it() -> None:
    titled = replace(vulnerable("trivy", "GHSA-1", "MAL-2024-1"), title="short")
    (finding,) = merged([vulnerable("pip-audit", "MAL-2024-1"), titled])
    assert finding.title == "jinja2 1 is a malicious package (MAL-2024-1): remove it"
    assert finding.message.startswith(f"{finding.title}. MAL-2024-1 in jinja2")
    assert finding.rule.id == "GHSA-1"
    assert finding.rule.title == "Malicious package"


def test_a_witness_has_only_its_own_word() -> None:
    supplied = SeverityClaim("ghsa", Severity.CRITICAL, "osv")
    own = SeverityClaim("nvd", Severity.HIGH, "trivy")
    (finding,) = merged(
        [
            vulnerable("pip-audit", "CVE-1", claims=(supplied,)),
            vulnerable("trivy", "CVE-1", claims=(own, supplied)),
        ]
    )
    assert [(one.scanner, one.severity) for one in finding.witnesses] == [
        ("pip-audit", Severity.UNKNOWN),
        ("trivy", Severity.HIGH),
    ]
    assert finding.claims == (supplied, own)


def test_the_best_title_is_taken() -> None:
    titled = replace(vulnerable("trivy", "CVE-1"), title="Sandbox escape")
    (finding,) = merged([vulnerable("pip-audit", "PYSEC-1", "CVE-1"), titled])
    assert finding.title == "Sandbox escape"


@pytest.mark.parametrize(
    "title",
    [
        "",
        " ",
        "-",
        "N/A",
        "None",
        "null",
        "CVE-1",
        "PYSEC-1 in jinja2",
        "jinja2 1: n/a",
        "# Impact",
    ],
)
def test_a_title_without_content_is_never_taken(title: str) -> None:
    untitled = vulnerable("trivy", "PYSEC-1", "CVE-1", title=title, rule=Rule("CVE-1", "n", title))
    (finding,) = merged([untitled])
    assert (finding.title, finding.rule.title) == (f"jinja2 1: {UNTITLED}", UNTITLED)
    text = "jinja2 1: A sandbox escape in jinja2"
    titled = vulnerable("pip-audit", "PYSEC-1", title=text, rule=Rule("PYSEC-1", "n", text))
    (finding,) = merged([untitled, titled])
    assert (finding.title, finding.rule.title) == (text, text)


def test_code_of_two_scanners_merges_on_overlap_and_a_common_cwe() -> None:
    observations = [code("bandit", "B602", (3, 5)), code("semgrep", "shell", (5, 5))]
    (finding,) = merged(observations)
    assert [witness.rule for witness in finding.witnesses] == ["B602", "shell"]


def test_code_does_not_merge_on_neighbouring_lines_or_another_cwe() -> None:
    observations = [
        code("bandit", "B602", (3, 4)),
        code("semgrep", "shell", (5, 5)),
        code("semgrep", "eval", (3, 3), "CWE-95"),
    ]
    assert len(merged(observations)) == 3


def test_two_rules_of_one_scanner_are_two_findings_unless_they_are_the_same() -> None:
    assert len(merged([code("bandit", "B603", (3, 3)), code("bandit", "B607", (3, 3))])) == 2
    (finding,) = merged([code("bandit", "B308", (3, 3)), code("bandit", "B703", (3, 3))])
    assert len(finding.witnesses) == 2


def test_the_same_rule_twice_on_one_line_is_twice_unless_in_every_part_the_same() -> None:
    here, there = Location("a.py", 3, 3, 1, 5), Location("a.py", 3, 3, 9, 14)
    observations = [code("bandit", "B602", (3, 3), location=place) for place in (here, there, here)]
    findings = merged(observations)
    assert sorted(len(finding.witnesses) for finding in findings) == [1, 2]
    assert len({finding.fingerprint for finding in findings}) == 2


def test_a_password_that_bandit_sees_too_is_one_secret() -> None:
    observations = [
        code("bandit", "B105", (2, 2), location=Location("a.env", 2)),
        code("bandit", "B105", (9, 9), location=Location("a.env", 9)),
        secret("detect-secrets", (2, None)),
    ]
    one, other = sorted(merged(observations), key=lambda finding: finding.category.value)
    assert one.category is Category.CODE
    assert other.category is Category.SECRET
    assert other.scanners == ("detect-secrets", "bandit")


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        (("base64-high-entropy-string", "github-token"), "github-token"),
        (("base64-high-entropy-string", "secret-keyword"), "secret-keyword"),
        (("hex-high-entropy-string", "base64-high-entropy-string"), "base64-high-entropy-string"),
        (("aws-access-key", "json-web-token"), "aws-access-key"),
    ],
)
def test_the_most_specific_rule_names_a_secret(rules: tuple[str, ...], names: str) -> None:
    observations = [
        replace(
            secret("detect-secrets", (line, None), digest="d"),
            rule=Rule(rule, rule, f"title of {rule}"),
            title=f"title of {rule}",
            message=f"message of {rule}",
        )
        for line, rule in enumerate(rules, start=1)
    ]
    for order in permutations(observations):
        (finding,) = merged(order)
        assert finding.rule.id == names
        assert (finding.title, finding.message) == (f"title of {names}", f"message of {names}")
        assert {witness.rule for witness in finding.witnesses} == set(rules)
        # The place of the first witness identifies it, whatever names it.
        assert finding.location == Location("a.env", 1 + rules.index(min(rules)))


def test_a_rule_of_another_scanner_names_a_secret_before_a_generic_one() -> None:
    generic = replace(
        secret("detect-secrets", (2, None)), rule=Rule("secret-keyword", "k", "a keyword")
    )
    specific = replace(secret("trivy", (2, 2)), title="a token")
    guess = code("bandit", "B105", (2, 2), location=Location("a.env", 2))
    (finding,) = merged([guess, specific, generic])
    assert (finding.title, finding.rule.id) == ("a token", "trivy-rule")
    assert finding.scanners == ("detect-secrets", "trivy", "bandit")
    (finding,) = merged([guess, generic])
    assert finding.rule.id == "secret-keyword"


def test_a_secret_has_the_rule_that_all_scanners_share_and_witnesses_their_own() -> None:
    token = replace(secret("trivy", (2, 2)), rule=Rule("github-pat", "n", "t"))
    (finding,) = merged([token])
    assert finding.rule.id == "github-token"
    assert [witness.rule for witness in finding.witnesses] == ["github-pat"]
    assert ids_of(finding) == ("github-token", "github-pat")


def test_a_rule_that_is_added_later_does_not_change_the_identity_of_a_secret() -> None:
    known = replace(
        secret("detect-secrets", (5, None), digest="d"),
        rule=Rule("secret-keyword", "n", "t"),
    )
    added = replace(
        secret("detect-secrets", (2, None), digest="d"),
        rule=Rule("password-in-a-connection-string", "n", "t"),
    )
    (before,) = merged([known])
    (after,) = merged([added, known])
    assert (after.fingerprint, after.location) == (before.fingerprint, before.location)
    assert [witness.rule for witness in after.witnesses] == [known.rule.id, added.rule.id]


@pytest.mark.parametrize("other", ["betterleaks", "trivy"])
def test_another_scanner_does_not_change_the_identity_of_a_secret(other: str) -> None:
    known = secret("detect-secrets", (5, None), digest="d")
    (before,) = merged([known])
    (after,) = merged([secret(other, (2, 6), digest="d"), known])
    assert (after.fingerprint, after.location) == (before.fingerprint, before.location)
    assert after.scanners == ("detect-secrets", other)


def test_one_secret_is_one_finding_in_each_file() -> None:
    observations = [
        secret("detect-secrets", (2, None), digest="d"),
        secret("detect-secrets", (7, None), "b.env", digest="d"),
        secret("detect-secrets", (9, None), "b.env", digest="d"),
        secret("detect-secrets", (8, None), "b.env"),
    ]
    findings = merged(observations)
    assert sorted(len(finding.places) for finding in findings) == [1, 1, 2]


def test_two_values_on_one_line_are_two_secrets() -> None:
    observations = [
        secret("detect-secrets", (1, None), digest=digest) for digest in ("a", "b", "c", "a")
    ]
    assert sorted(len(finding.witnesses) for finding in merged(observations)) == [1, 1, 2]


def test_values_that_share_a_text_are_two_secrets() -> None:
    """As with two values in one string, such as the user and the password of an address."""
    whole = secret_texts(["one:two"])
    found = [secret("detect-secrets", (1, None), digest=digest) for digest in ("a", "b")]
    shared = [replace(one, secret=Secret(one.secret.digest, whole)) for one in found if one.secret]
    assert len(merged(shared)) == 2


def test_what_overlaps_two_values_merges_no_two_of_them() -> None:
    old = replace(
        secret("detect-secrets", (1, None), digest="old"),
        places=(Location("a.env", 1), Location("a.env", 5)),
    )
    new = secret("detect-secrets", (5, None), digest="new")
    call = replace(
        code("bandit", "B106", (4, 6), location=Location("a.env", 4, 6)),
        secret=Secret(texts=frozenset({"text"})),
    )
    named = replace(new, secret=Secret("new", frozenset({"text"})))
    for other, first in ((secret("trivy", (5, 5)), new), (call, named)):
        observations = [old, first, other]
        for order in permutations(observations):
            findings = {
                finding.location and finding.location.start_line: finding.scanners
                for finding in merged(order)
            }
            assert findings == {1: ("detect-secrets",), 5: ("detect-secrets", other.scanner)}


def test_the_evidence_of_a_secret_covers_lines_of_witnesses_without_its_value(
    make_project: Make,
) -> None:
    known = replace(
        secret("detect-secrets", (1, None), digest="d"),
        places=(Location("a.env", 1), Location("a.env", 2)),
        secret=Secret("d", frozenset({"text"}), "hunter2-x"),
    )

    def evidence(line: str, *others: Observation) -> list[str]:
        target = read_target(make_project({"a.env": f"password = 'hunter2-x'\n{line}\n"}))
        (finding,) = merged((known, *others), target)
        assert [anchor.line for anchor in finding.anchors] == [1, 2]
        return [anchor.evidence for anchor in finding.anchors]

    copy, more = "secret = 'hunter2-x'", "secret = 'hunter2-x', 'another-1'"
    trivy = secret("trivy", (2, 2))
    same = replace(trivy, secret=Secret(texts=frozenset({"text"})))
    other = replace(trivy, secret=Secret(value="another-1"))
    assert evidence(copy) == evidence(more) == evidence(copy, trivy) == evidence(more, same)
    for witness in (trivy, other):
        first, second = evidence(more, witness)
        assert first == evidence(copy)[0]
        assert second != evidence(copy)[1]


def test_each_place_of_a_finding_has_its_anchor_with_its_line(make_project: Make) -> None:
    target = read_target(make_project({"a.env": "A=hunter2hunter2\nB=hunter2hunter2\n"}))
    one = replace(
        secret("detect-secrets", (2, None), digest="d"),
        places=(Location("a.env", 1), Location("a.env", 2)),
    )
    (finding,) = merged([one], target)
    assert [anchor.place for anchor in finding.anchors] == [
        Location("a.env", 2),
        Location("a.env", 1),
    ]
    assert finding.parts == finding.anchors[0].parts
    assert finding.snippet is not None
    assert finding.snippet.startswith("B=***")
    shown = [anchor.snippet for anchor in finding.anchors]
    assert shown == [None, finding.snippet.replace("B=", "A=")]


def test_a_password_that_only_one_kind_of_scanner_sees_has_the_same_parts(
    make_project: Make,
) -> None:
    text = "y = t(id='admin', password='hunter2-x')\n"
    target = read_target(make_project({"a.py": text}))
    guess = code("bandit", "B106", (1, 1), secret=Secret(value="hunter2-x"))
    found = replace(secret("detect-secrets", (1, None), "a.py"), secret=guess.secret)
    made = [merged(some, target) for some in ([guess], [found], [guess, found])]
    assert [len(findings) for findings in made] == [1, 1, 1]
    assert len({findings[0].parts for findings in made}) == 1
    assert made[0][0].category is Category.CODE


def test_one_value_under_two_names_is_one_secret() -> None:
    observations = [
        secret("detect-secrets", (1, None), digest="a"),
        secret("detect-secrets", (1, None)),
    ]
    assert len(merged(observations)) == 1


def test_no_finding_carries_a_digest() -> None:
    assert "digest-of-it" not in repr(
        merged([secret("detect-secrets", (2, None), digest="digest-of-it")])
    )


def test_licences_of_one_package_merge() -> None:
    def licensed(scanner: str, facts: LicenseFacts) -> Observation:
        return Observation(
            scanner=scanner,
            category=Category.LICENSE,
            rule=Rule("license", "license", "t"),
            title="t",
            message="m",
            package=Package("a", "1", "pkg:pypi/a@1"),
            license=facts,
        )

    (finding,) = merged(
        [licensed("trivy", LicenseFacts(text="MIT")), licensed("licenses", LicenseFacts("MIT"))]
    )
    assert finding.license == LicenseFacts("MIT"), "the package's metadata speaks first"
    assert finding.scanners == ("licenses", "trivy")


def test_the_surest_witness_and_all_claims_are_kept() -> None:
    observations = [
        code("bandit", "B602", (3, 3), confidence=Confidence.LOW),
        code("semgrep", "shell", (3, 3), confidence=Confidence.HIGH),
    ]
    (finding,) = merged(observations)
    assert finding.confidence is Confidence.HIGH
    assert len(finding.claims) == 2


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_the_order_of_observations_does_not_matter(seed: int) -> None:
    observations = [
        vulnerable("pip-audit", "PYSEC-1", "CVE-1"),
        vulnerable("trivy", "GHSA-1", "CVE-1"),
        vulnerable("safety", "SFTY-1", "GHSA-1"),
        code("bandit", "B602", (3, 5)),
        code("semgrep", "shell", (5, 6)),
        code("semgrep", "shell2", (6, 6)),
        code("bandit", "B105", (2, 2), location=Location("a.env", 2)),
        secret("detect-secrets", (2, None), digest="d"),
        secret("trivy", (1, 3)),
        secret("detect-secrets", (8, None), "b.env", digest="d"),
    ]
    shuffled = list(observations)
    random.Random(seed).shuffle(shuffled)
    assert merged(shuffled) == merged(observations)


def test_no_record_is_lost() -> None:
    observations = [
        code("bandit", f"B{number % 3}", (number, number + 2)) for number in range(1, 60)
    ]
    observations += [
        code("semgrep", f"s{number % 3}", (number, number + 1)) for number in range(1, 60)
    ]
    assert sum(len(finding.witnesses) for finding in merged(observations)) == len(observations)


def test_the_line_is_shown_and_masked_where_a_secret_stands(make_project: Make) -> None:
    root = make_project({"a.env": "A=1\nPASSWORD=hunter2hunter2\n"})
    target = read_target(root)
    (finding,) = merged([secret("detect-secrets", (2, None))], target)
    assert finding.snippet == "PASSWORD=***(14 characters, letters and digits)"
    assert finding.line_hash is None


def test_code_carries_the_hash_of_its_line_but_a_password_does_not(make_project: Make) -> None:
    root = make_project({"a.py": "import os\nos.system(x)\np = 'secret'\n"})
    observations = [code("bandit", "B605", (2, 2)), code("bandit", "B105", (3, 3))]
    shell, password = merged(observations, read_target(root))
    assert shell.line_hash is not None
    assert password.line_hash is None
    assert password.snippet == "p = '***(under 8 characters)'"


def test_a_line_beyond_the_file_has_neither_snippet_nor_hash(make_project: Make) -> None:
    (finding,) = merged(
        [code("bandit", "B605", (99, 99))], read_target(make_project({"a.py": "x"}))
    )
    assert (finding.snippet, finding.line_hash) == (None, None)


KEY = "x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\ny\n"


def test_a_private_key_covers_its_block_whatever_line_a_scanner_names(make_project: Make) -> None:
    target = read_target(make_project({"a.pem": KEY}))
    sources = Sources(target)
    observations = [secret("detect-secrets", (2, None), "a.pem"), secret("trivy", (3, 4), "a.pem")]
    normal = normalise(observations, Inventory(), sources)
    assert {one.location for one in normal} == {Location("a.pem", 2, 5)}
    assert len(merged(normal, target)) == 1


@pytest.mark.parametrize("line", [1, 6, 7])
def test_a_secret_beside_a_key_stays_where_it_is(make_project: Make, line: int) -> None:
    target = read_target(make_project({"a.pem": KEY + "password = b\n"}))
    one = secret("detect-secrets", (line, None), "a.pem")
    assert normalise([one], Inventory(), Sources(target)) == (one,)


BODY = "MIIEpAIBAAKCAQEA1c7"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("-----BEGIN PRIVATE KEY-----\nMII\n", 1),
        (f"-----BEGIN PRIVATE KEY-----\n{BODY}\n{BODY}\nelse:\n", 3),
        (f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,X\n\n{BODY}==\nx = f(1)\n", 4),
        (f"'-----BEGIN PRIVATE KEY-----\\n'\n'{BODY}\\n'\n'{BODY}'\nx\n", 3),
        (f"PuTTY-User-Key-File-2: ssh-rsa\nComment: x\nPrivate-Lines: 1\n{BODY}\n\nx(1)\n", 5),
        (f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{BODY}\n---- END SSH2 PRIVATE KEY", 3),
        ("if '-----BEGIN PRIVATE KEY-----' in text:\n    return text\n", 1),
    ],
)
def test_a_key_without_an_end_covers_what_looks_like_it(
    make_project: Make, text: str, end: int
) -> None:
    target = read_target(make_project({"a.pem": text}))
    (one,) = normalise([secret("trivy", (1, None), "a.pem")], Inventory(), Sources(target))
    assert one.location == Location("a.pem", 1, end)


@pytest.mark.parametrize(
    "line",
    ["-----BEGIN " + "A " * 200_000, "+" * 200_000 + " a", " +" * 100_000 + "=a"],
    ids=["header", "plus", "pairs"],
)
@pytest.mark.usefixtures("bounded")
def test_a_hostile_line_of_a_key_takes_linear_time(make_project: Make, line: str) -> None:
    target = read_target(make_project({"a.pem": f"-----BEGIN PRIVATE KEY-----\n{line}\n{line}\n"}))
    (one,) = normalise([secret("trivy", (3, None), "a.pem")], Inventory(), Sources(target))
    assert one.location


def test_a_whole_file_secret_has_no_block() -> None:
    one = replace(secret("trivy", (1, None)), location=Location("a.env"))
    assert normalise([one], Inventory(), Sources(EMPTY)) == (one,)


def test_a_package_gets_its_places_from_the_inventory() -> None:
    place = Location("requirements.txt", 4)
    ours = Package("jinja2", "1", "pkg:pypi/jinja2@1", direct=True, places=(place,))
    (one,) = normalise([vulnerable("trivy", "CVE-1")], Inventory((ours,)), Sources(EMPTY))
    assert one.package is ours
    assert (one.location, one.places) == (place, (place,))


def test_a_debian_package_is_not_taken_for_one_of_pypi() -> None:
    debian = Package("jinja2", "1", "pkg:deb/debian/jinja2@1")
    one = replace(vulnerable("trivy", "CVE-1"), package=debian)
    ours = Package("jinja2", "1", "pkg:pypi/jinja2@1")
    assert normalise([one], Inventory((ours,)), Sources(EMPTY)) == (one,)


def test_a_runs_words_are_masked_and_printable() -> None:
    run = sample_runs()[0]
    gap = NotExamined("a\x1b.py", plain("near hunter2hunter2"))
    observations = replace(
        run,
        detail=plain("found hunter2hunter2\x07"),
        notices=(plain("see hunter2hunter2"),),
        coverage=replace(run.coverage, not_examined=(gap,)),
    )
    shown = repr(mask_run(observations, Redactor(["hunter2hunter2"], {})))
    assert "hunter2" not in shown
    assert "\x1b" not in shown
    assert "\\\\x07" in shown
