"""A policy is found where it should be and loaded strictly: every mistake has its place."""

import os
from pathlib import Path

import pytest
from policy_samples import mistakes, mistakes_in, policy_of

from scanagg.core.errors import ExitCode, PolicyError
from scanagg.policy.load import BUILTIN, builtin_folder, load_policy
from scanagg.scanners.base import all_scanners

HEAD = "version: 1\ndefault: warn\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 1\n", "1:1: top level: 'default' is missing"),
        ("default: warn\n", "1:1: top level: 'version' is missing"),
        ("version: 2\ndefault: warn\n", "1:10: version: got 2, expected 1"),
        ("version: 1\ndefault: waived\n", "2:10: default: got 'waived', expected one of block"),
        ("[]\n", "1:1: top level: got [], expected a mapping"),
        ("just text\n", "1:1: top level: got 'just text', expected a mapping"),
        (
            HEAD + "enforcment: warn\n",
            "3:1: top level: unknown key 'enforcment': did you mean 'enforcement'?",
        ),
        (HEAD + "enforcement: no\n", "3:14: enforcement: got 'no', expected one of block, warn"),
        (HEAD + "rules:\n", "3:1: rules: got nothing, expected a list"),
        (HEAD + "rules: {}\n", "3:8: rules: got {}, expected a list"),
        (
            HEAD + "scanners:\n  bandit: {required: yes}\n",
            "4:22: scanners.bandit.required: got 'yes', expected true or false",
        ),
        (HEAD + "scanners:\n  bandit: {}\n", "4:11: scanners.bandit: 'required' is missing"),
        (
            HEAD + "scanners: {bandti: {required: true}}\n",
            "3:12: scanners: unknown scanner 'bandti': did you mean 'bandit'?",
        ),
        (
            HEAD + "scanners: {bandit: {required: true, max_errors: -1}}\n",
            "3:49: scanners.bandit.max_errors: got -1, expected any or a whole number, 0 or more",
        ),
        (
            HEAD + "scanners: {trivy: {required: true, when: {exists: []}}}\n",
            "3:51: scanners.trivy.when.exists: an empty list matches nothing",
        ),
        (
            HEAD + "scanners: {trivy: {required: true, when: {exists: ['*.tf', '!a']}}}\n",
            "3:60: scanners.trivy.when.exists[1]: '!a' begins with !",
        ),
        (
            HEAD + "severity: {unknown: hihg}\n",
            "3:21: severity.unknown: got 'hihg': did you mean 'high'? Expected",
        ),
        (
            HEAD + "severity: {override: [{match: {}, set: info}]}\n",
            "3:23: severity.override[0]: 'reason' is missing",
        ),
        (
            HEAD + "severity: {override: [{match: {}, set: info, reason: ''}]}\n",
            "3:54: severity.override[0].reason: got '', expected text",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {severity: '>high'}, action: block}\n",
            "4:31: rules[0].match.severity: got '>high': did you mean '>=high'? Expected",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {category: [code, vulns]}, action: block}\n",
            "4:38: rules[0].match.category[1]: got 'vulns': did you mean 'vuln'? Expected",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {rule: []}, action: block}\n",
            "4:27: rules[0].match.rule: got [], expected at least one value",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {scanner: [bandit, trivvy]}, action: block}\n",
            "4:39: rules[0].match.scanner[1]: unknown scanner 'trivvy'",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {path: '\\'}, action: block}\n",
            "4:27: rules[0].match.path: '\\\\' is",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: {path: '#x'}, action: block}\n",
            "4:27: rules[0].match.path: '#x' matches nothing",
        ),
        (
            HEAD + "rules:\n  - {id: a, match: , action: block}\n",
            "4:13: rules[0].match: got nothing, expected a mapping",
        ),
        (
            HEAD + "rules:\n  - {id: default, match: {}, action: block}\n",
            "4:10: rules[0].id: the rule id 'default'",
        ),
        (
            HEAD + "rules:\n  - {id: A b, match: {}, action: block}\n",
            "4:10: rules[0].id: got 'A b', expected an id",
        ),
        (
            HEAD + "licenses: {allow: [MIT, Apache2]}\n",
            "3:25: licenses.allow[1]: 'Apache2' is not on the SPDX list: did you mean 'Apache-",
        ),
        (
            HEAD + "licenses: {allow: [MIT], deny: [ISC, mit]}\n",
            "3:38: licenses.deny[1]: MIT is also in allow",
        ),
        (
            HEAD + "licenses: {review: [MIT OR ISC]}\n",
            "3:21: licenses.review[0]: 'MIT OR ISC' is an expression",
        ),
        (
            HEAD
            + "rules:\n- {id: a, match: {}, action: block}\n- {id: a, match: {}, action: warn}\n",
            "5:8: rules[1].id: the rule id 'a'",
        ),
        (HEAD + "scanners: []\n", "3:11: scanners: got [], expected a mapping"),
        (HEAD + "default: info\n", "3:1: duplicate key 'default'"),
        (HEAD + "rules:\n\t- a\n", "4:1: a tab"),
    ],
)
def test_rule_1_load_strictly_and_say_where(tmp_path: Path, text: str, problem: str) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        HEAD + "severity: {unknwon: high}\nrules:\n  - {id: a, match: {kev: yes}, action: blok}\n"
    )
    lines = [line for line in mistakes(tmp_path, text) if not line.startswith("  ")]
    assert [line.split(": ")[0] for line in lines] == ["3:12", "5:26", "5:40"]


def test_every_scanner_that_exists_can_be_named(tmp_path: Path) -> None:
    for name in all_scanners():
        rule = f"{{id: a, match: {{scanner: [{name}]}}, action: block}}"
        text = f"scanners: {{{name}: {{required: true}}}}\nrules: [{rule}]\n"
        assert mistakes(tmp_path, HEAD + text) == []


def test_an_error_tells_what_would_be_right(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of(tmp_path, "severity: {unknwon: high}\n")
    assert caught.value.message.startswith("policy.yml:3:12: severity: unknown key 'unknwon'")
    assert "sources, unknown, bandit, override" in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(PolicyError, match="did you mean 'high'"):
        policy_of(tmp_path, "severity: {unknown: hihg}\n")


def test_values_from_a_file_are_safe_to_print(tmp_path: Path) -> None:
    found = mistakes(tmp_path, HEAD + 'enforcement: "\\e[31m\\u202e<b>' + "x" * 500 + '"\n')
    assert "\x1b" not in found[0]
    assert "\u202e" not in found[0]
    assert len(found[0]) < 200


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "#" * (10 << 20)) == ["1:1: larger than 1 MiB"]


def test_conditions_and_thresholds_load(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """\
        enforcement: warn
        scanners:
          pip-audit: {required: true, min_audited: 1, max_skipped: any, on_failure: warn}
          trivy: {required: true, when: {exists: [Dockerfile, "**/*.tf"]}}
        severity:
          unknown: medium
          bandit: {min_confidence: high}
          override:
            - {match: {rule: B101, path: "tests/**"}, set: info, reason: asserts}
        rules:
          - id: one
            match:
              category: [vuln, iac]
              severity: [">=high", unknown]
              scanner: trivy
              rule: CVE-*
              path: src/
              package: [django-*, "pkg:pypi/flask"]
              scope: runtime
              fixable: true
            action: block
          - {id: two, match: {category: license, verdict: [deny, review]}, action: info}
        licenses: {allow: [MIT], review: [ISC], deny: [AGPL-3.0-or-later], classifiers: any}
        """,
    )
    assert [rule.id for rule in policy.rules] == ["one", "two"]
    assert policy.rules[0].match.severity == (">=high", "unknown")
    assert policy.file.scanners["pip-audit"].max_skipped == "any"
    assert policy.file.severity.override[0].to == "info"
    assert policy.info.enforcement == "warn"


# Choice of the policy.


def write(file: Path, default: str = "warn") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"version: 1\ndefault: {default}\n", encoding="utf-8")
    return file


def test_the_policy_is_the_first_that_there_is(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root / "own" / "rules.yml")
    assert load_policy(None, root).info.source == "built-in"
    assert load_policy(None, root).name == "default"
    assert load_policy(None, root, "weekly").name == "weekly"
    assert load_policy(None, root, "own/rules.yml").source == "own/rules.yml"
    write(root / "scanagg.yml")
    assert load_policy(None, root, "weekly").source == "scanagg.yml"
    write(root / "policies" / "scanagg.yml")
    assert load_policy(None, root, "weekly").source == "policies/scanagg.yml"
    assert load_policy("strict", root, "weekly").name == "strict"


def test_a_source_never_shows_where_it_lies_on_this_machine(tmp_path: Path) -> None:
    root = tmp_path / "project"
    inside, outside = write(root / "a" / "b.yml"), write(tmp_path / "elsewhere" / "c.yml")
    assert load_policy(str(inside), root).source == "a/b.yml"
    assert load_policy(str(outside), root).source == "c.yml"
    outside.write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"^c\.yml:1:1: "):
        load_policy(str(outside), root)


def test_a_digest_is_of_the_bytes(tmp_path: Path) -> None:
    file = write(tmp_path / "p.yml")
    first = load_policy(str(file), tmp_path).digest
    file.write_bytes(file.read_bytes() + b"# more\n")
    second = load_policy(str(file), tmp_path).digest
    assert len(first) == len(second) == 64
    assert first != second


def test_a_built_in_name_is_only_a_bare_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "strict", default="block")
    monkeypatch.chdir(tmp_path)
    assert load_policy("strict", tmp_path).source == "built-in"
    assert load_policy("./strict", tmp_path).source == "strict"


def test_a_misspelt_name_is_corrected(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy("stric", tmp_path)
    assert caught.value.message == "policy 'stric' not found: did you mean 'strict'?"
    assert "pull-request" in caught.value.hint


def test_only_a_readable_file_is_read(tmp_path: Path) -> None:
    fifo, folder = tmp_path / "pipe.yml", tmp_path / "folder.yml"
    os.mkfifo(fifo)
    folder.mkdir()
    (tmp_path / "scanagg.yml").symlink_to(tmp_path / "gone.yml")
    for path in (fifo, folder):
        assert mistakes_in(path) == [" is not a regular file"]
    with pytest.raises(PolicyError, match=r"scanagg\.yml: is a broken symbolic link"):
        load_policy(None, tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_says_so() -> None:
    # A regular file that not even root can read from its start.
    assert mistakes_in(Path("/proc/self/mem")) == [" Input/output error"]


def test_the_ready_made_policies_are_valid_and_say_what_they_are_for() -> None:
    files = sorted(builtin_folder().glob("*.yml"))
    assert [file.stem for file in files] == list(BUILTIN)
    for file in files:
        assert mistakes_in(file) == []
        first, second = file.read_text(encoding="utf-8").splitlines()[:2]
        schema = first.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / schema).is_file()
        assert second.startswith("# For ")


def test_every_scanner_is_named_in_every_ready_made_policy(tmp_path: Path) -> None:
    for name in BUILTIN:
        assert set(load_policy(name, tmp_path).file.scanners) == set(all_scanners())
