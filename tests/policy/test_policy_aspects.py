"""A key of `match` is one record: all code that reads policies supports an added one."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from scanagg.policy.aspects import ASPECTS
from scanagg.policy.schema import Match
from scanagg.policy.test import Example

ROOT = Path(__file__).parent.parent.parent

RECORDS = """
    Aspect(
        key="witnesses",
        type=_one_or_more(Literal["one", "several"]),
        value=lambda subject: "several" if len(subject.finding.scanners) > 1 else "one",
        possible=lambda category, unknown: ("one", "several"),
        has=lambda subject: "several" if len(subject.finding.scanners) > 1 else "one",
    ),
    Aspect(
        key="resource",
        type=_one_or_more(Text),
        value=lambda subject: (subject.finding.resource,) if subject.finding.resource else None,
        test=_text_test,
        categories=frozenset((Category.MISCONFIGURATION,)),
        has=lambda subject: subject.finding.resource or NOTHING,
        case=CaseKey(Text, lambda finding, text: replace(finding, resource=text)),
    ),
)
"""

PARENT = """\
version: 1
default: info
rules:
  - {id: sure, match: {witnesses: [one, several]}, action: block, locked: true}
"""

FILES = {
    "policy.yml": """\
        version: 1
        default: info
        rules:
          - {id: sure, match: {category: code, witnesses: several}, action: block}
          - {id: bucket, match: {resource: "aws_s3_*"}, action: block}
          - {id: any, match: {witnesses: [one, several]}, action: warn}
          - {id: never, match: {witnesses: one}, action: block}
          - {id: wrong, match: {category: code, resource: x}, action: block}
        """,
    "typo.yml": "version: 1\ndefault: info\nrules:\n"
    "  - {id: a, match: {witnesses: severl}, action: block}\n",
    "parent.yml": PARENT,
    "child.yml": f"""\
        version: 1
        default: info
        extends: [{{file: parent.yml, sha256: {hashlib.sha256(PARENT.encode()).hexdigest()}}}]
        rules:
          - {{id: sure, match: {{witnesses: several}}, action: block}}
        """,
    "cases.yml": """\
        version: 1
        cases:
          - finding: {category: code, path: a.py, severity: low, scanner: [bandit, trivy]}
            expect: block
            rule: sure
          - finding: {category: code, path: a.py, severity: low}
            expect: warn
            rule: any
          - finding: {category: iac, path: main.tf, resource: aws_s3_bucket}
            expect: block
            rule: bucket
        """,
}

# Results of everything that reads the policies above.
PROGRAM = """
import json
from datetime import UTC, date, datetime
from pathlib import Path
from scanagg.core.errors import PolicyError
from scanagg.core.yaml import parse
from scanagg.policy.load import load_policy
from scanagg.policy.explain import explain
from scanagg.policy.json_schema import schema_text
from scanagg.policy.lint import lint
from scanagg.policy.test import finding_of, read_cases, try_cases
from scanagg.reports.reasons import sentences

def mistake(name):
    try:
        load_policy(name, here)
    except PolicyError as error:
        return error.message

here, now = Path.cwd(), datetime(2026, 3, 1, tzinfo=UTC)
policy = load_policy("policy.yml", here)
cases = read_cases(Path("cases.yml").read_bytes(), "cases.yml")
document = parse(Path("policy.yml").read_bytes())
flaws = lint(policy, document, "policy.yml", now.date())
explained = [explain(finding_of(case.finding), policy, now) for _, case in cases.cases]
print(json.dumps({
    "mistakes": [mistake("typo.yml"), mistake("child.yml")],
    "wrong": [one.wrong for one in try_cases(cases, policy, now)],
    "reasons": [sentences(one.judged.verdict.reasons) for one in explained],
    "tried": [[[each.failed, each.has] for each in one.rule_lists[0].tried] for one in explained],
    "flaws": [flaw.message for flaw in flaws],
    "keys": list(json.loads(schema_text())["$defs"]["Match"]["properties"]),
}))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[object]]:
    """The results of a copy of the package with two more records."""
    folder = tmp_path_factory.mktemp("aspects")
    shutil.copytree(
        ROOT / "scanagg", folder / "scanagg", ignore=shutil.ignore_patterns("__pycache__")
    )
    file = folder / "scanagg" / "policy" / "aspects.py"
    before, _, after = file.read_text("utf-8").rpartition("\n)\n")
    file.write_text(before + RECORDS + after, "utf-8")
    for name, text in FILES.items():
        (folder / name).write_text(dedent(text), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers: Mapping[str, list[object]] = json.loads(done.stdout)
    return answers


def test_a_new_key_is_loaded_and_judged_and_can_be_given_by_a_case(
    results: Mapping[str, list[object]],
) -> None:
    assert results["wrong"] == [[], [], []]
    assert results["reasons"] == [
        "category code, witnesses several",
        "witnesses one or several",
        "resource aws_s3_*",
    ]


def test_a_new_key_is_explained(results: Mapping[str, list[object]]) -> None:
    assert results["tried"][1] == [
        ["witnesses several", "one"],
        ["resource aws_s3_*", "none"],
        ["", ""],
    ]


def test_mistakes_and_locks_of_a_new_key_have_their_place(
    results: Mapping[str, list[object]],
) -> None:
    typo, looser = map(str, results["mistakes"])
    assert typo.startswith("typo.yml:4:32: rules[0].match.witnesses: got 'severl'")
    assert "did you mean 'several'?" in typo
    assert looser.startswith("child.yml:5:23: rules[0].match is locked by parent.yml ")
    assert "witnesses" in looser


def test_rules_that_a_new_key_makes_unreachable_are_found(
    results: Mapping[str, list[object]],
) -> None:
    never, wrong = map(str, results["flaws"])
    assert never.startswith("rules[3]: rule never ")
    assert never.endswith(" rule any")
    assert wrong.startswith("rules[4].match.resource: ")
    assert "misconfiguration" in wrong


def test_the_schema_has_a_new_key(results: Mapping[str, list[object]]) -> None:
    assert results["keys"] == [*(aspect.key for aspect in ASPECTS), "witnesses", "resource"]


def test_a_case_can_give_every_aspect() -> None:
    keys = set(Match.__struct_fields__) - set(Example.__struct_fields__)
    # These follow from the licence, and from the paths.
    assert keys == {"verdict", "path_kind"}
