"""scanagg.json: only the public keys, valid by the shipped schema, safe and deterministic."""

import itertools
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from msgspec.structs import replace
from support.sample import NOW, finding, judged, large_report, sample_report
from support.sample_history import ATTEMPTS, lived_report
from support.sample_known import PAGES, known_report
from support.sample_whole import full_report

from scanagg.model import (
    Action,
    Anchor,
    Category,
    DataSource,
    Location,
    NotExamined,
    Parts,
    Report,
    Severity,
    Witness,
    plain,
)
from scanagg.reports import wire
from scanagg.reports.base import reporter
from scanagg.reports.encoding import encode, for_script
from scanagg.reports.reasons import sentence

TOP = [
    "schema",
    "scanagg",
    "target",
    "policy",
    "clock",
    "runs",
    "findings",
    "gate",
    "base",
    "waivers",
    "licenses",
    "terms",
    "packages",
    "data",
    "upgrades",
]
SCHEMA = json.loads(files("scanagg").joinpath("schemas", wire.SCHEMA_FILE).read_text("utf-8"))
REPORTS = [sample_report(), lived_report(), known_report(), full_report(), large_report(3)]


def text(report: Report) -> str:
    return "".join(reporter("json").render(report))


def read(report: Report) -> dict[str, Any]:
    return json.loads(text(report))


def test_the_top_level_has_the_public_keys_in_their_order() -> None:
    document = read(sample_report())
    assert list(document) == TOP
    assert document["schema"] == "scanagg-report/1"
    assert document["scanagg"] == {"version": "0.1.0"}
    assert document["gate"]["outcome"] == "blocked"
    assert document["gate"]["exit_code"] == 1
    assert document["gate"]["reasons"] == [
        {
            "kind": "text",
            "values": {"text": "2 findings block: 1 critical, 1 high"},
            "text": "2 findings block: 1 critical, 1 high",
        }
    ]


def test_a_run_names_what_was_not_examined() -> None:
    runs = read(sample_report())["runs"]
    bandit = runs[0]
    assert bandit["coverage"] == {
        "unit": "files",
        "found": 3,
        "examined": 2,
        "not_examined": [
            {
                "input": "app/new.py",
                "reason": {
                    "kind": "text",
                    "values": {"text": "syntax error: not parsed by bandit with Python 3.11"},
                    "text": "syntax error: not parsed by bandit with Python 3.11",
                },
                "on_purpose": False,
            }
        ],
    }
    assert bandit["hidden"] == {"nosec": 2}
    missing = runs[4]
    assert (missing["status"], missing["version"], missing["argv"]) == ("missing", None, [])
    assert runs[5]["data"]["name"] == "vulnerability database"
    assert runs[5]["data"]["updated"] == "2026-03-04T05:06:07Z"


def objects(value: Any, schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield every object in a document of the public format, with its schema."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        if value is not None and choice != {"type": "null"}:
            yield from objects(value, choice)
    if isinstance(value, list):
        for item in value:
            yield from objects(item, schema.get("items", {}))
    elif isinstance(value, dict) and "properties" in schema:
        for key, item in value.items():
            yield from objects(item, schema["properties"].get(key, {}))
        yield value, schema


@pytest.mark.parametrize("report", REPORTS)
def test_every_key_of_the_schema_is_written_in_its_order(report: Report) -> None:
    for value, schema in objects(read(report), SCHEMA):
        assert list(value) == list(schema["properties"])


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_from_before_the_optional_keys_can_still_be_read(report: Report) -> None:
    document = read(report)
    for value, schema in list(objects(document, SCHEMA)):
        for key in value.keys() - set(schema["required"]):
            del value[key]
    jsonschema_rs.validator_for(SCHEMA).validate(document)
    old = msgspec.convert(document, wire.WireReport)
    assert old.base is None
    assert len(old.findings) == len(report.findings)


def test_the_values_of_a_finding_are_those_that_were_judged() -> None:
    vulnerability, secret, _, image, *_, misconfiguration = read(sample_report())["findings"]
    assert vulnerability["severity"] == "critical"
    assert [one["source"] for one in vulnerability["severity_sources"]] == ["ghsa", "nvd"]
    assert vulnerability["advisory"]["aliases"] == ["GHSA-hj2j-77xm-mc5v", "PYSEC-2019-220"]
    assert vulnerability["package"]["direct"] is True
    assert vulnerability["witnesses"][0] == {
        "scanner": "pip-audit",
        "rule": "PYSEC-2019-220",
        "severity": "unknown",
    }
    assert secret["package"] is None
    verdict = secret["verdict"]
    assert (verdict["action"], verdict["rule"]) == ("block", "block-rule")
    assert [reason["text"] for reason in verdict["reasons"]] == ["the rule says block"]
    assert image["location"] is None
    assert image["places"] == []
    assert image["severity"] == "unknown"
    assert misconfiguration["license"] is None


def test_a_finding_says_where_it_comes_from_and_who_waives_it() -> None:
    new, edited, disclosed, *_, waived, in_source = read(lived_report())["findings"]
    assert [one["origin"] for one in (new, edited, disclosed, waived)] == [
        "introduced",
        "introduced",
        "disclosed",
        "existing",
    ]
    assert [one["change"] for one in (new, edited, waived)] == ["new", "updated", "unchanged"]
    assert disclosed["disclosed"] is True
    assert disclosed["first_seen"] == "2025-12-01T08:00:00Z"
    assert disclosed["deadline"] == "2026-03-13T08:00:00Z"
    assert disclosed["origin_reason"]["text"].startswith("odd 1.0 is in the base")
    (void,) = new["void_waivers"]
    assert (void["reason"]["text"], void["waiver"]["owner"]) == ("it expired 12 days ago", "@team")
    assert new["waiver"] is None
    assert waived["waiver"]["expires"] == "2026-03-10"
    assert waived["waiver"]["state"] == "risk_accepted"
    assert waived["waiver"]["place"] == "policies/waivers.yml:4"
    assert (waived["in_source"], in_source["in_source"]) == (None, "nosec")
    assert in_source["parts"]["statement"] == "0123456789abcdef"


def test_the_report_has_its_base_waivers_licences_and_attempts() -> None:
    document = read(lived_report())
    assert document["base"]["baseline"] == "policies/baseline.json"
    assert document["base"]["entries"] == 212
    assert [(one["status"], one["matched"], one["days_left"]) for one in document["waivers"]] == [
        ("active", 1, 6),
        ("expired", 0, -12),
        ("unused", 0, 89),
    ]
    flask, odd = document["licenses"]
    assert flask["facts"]["files"] == [
        {"path": "flask-3.0.dist-info/LICENSE.txt", "sha256": "ef" * 32, "license": ""}
    ]
    assert (flask["verdict"], odd["verdict"]) == ("allow", "unknown")
    assert odd["package"]["requires"] == ["flask"]
    assert document["policy"]["files"] == [{"path": "policies/waivers.yml", "sha256": "cd" * 32}]
    assert document["policy"]["ref"].startswith("89abcdef")
    assert [one["text"] for one in document["gate"]["attempts"]] == list(map(sentence, ATTEMPTS))


def test_what_is_known_of_vulnerabilities_is_written_whole() -> None:
    document = read(known_report())
    exploited, *_ = (one["advisory"] for one in document["findings"])
    assert (exploited["kev"], exploited["kev_added"]) == (True, "2023-11-03")
    assert (exploited["epss"], exploited["epss_percentile"]) == (0.9712, 0.9987)
    assert exploited["references"] == list(PAGES)
    urllib3 = document["packages"][0]
    assert urllib3["chain"] == ["requests", "urllib3"]
    assert [place["path"] for place in urllib3["asked"]] == ["requirements.in"]
    assert document["findings"][0]["package"] == urllib3
    osv, *_ = document["data"]
    assert (osv["records"], osv["fetched"]) == (18_234, "2026-03-04T00:06:07Z")


def test_upgrades_are_written_in_their_order_one_a_line() -> None:
    document = read(known_report())
    first, _, evil, _ = document["upgrades"]
    assert (first["to"], first["step"], first["to_unblock"]) == ("2.5.0", "major", "1.26.17")
    assert (first["allowed"], first["checked"], first["change"]) == (False, True, ["requests"])
    assert [one["by"] for one in first["hindered_by"]] == ["requests", ""]
    assert (evil["to"], evil["step"], evil["allowed"]) == (None, None, None)
    lines = text(known_report()).partition('"upgrades": [\n')[2].splitlines()
    assert len(lines) == 4 + 2
    assert text(sample_report()).endswith('"packages": [],\n  "data": [],\n  "upgrades": []\n}\n')


def test_without_a_base_nothing_is_said_of_one() -> None:
    document = read(sample_report())
    assert (document["base"], document["waivers"], document["licenses"]) == (None, [], [])
    assert {one["origin"] for one in document["findings"]} == {"introduced"}


@pytest.mark.parametrize("report", REPORTS)
def test_what_is_written_is_read_back_to_the_same_text(report: Report) -> None:
    written = text(report)
    document = msgspec.json.decode(written, type=wire.WireReport)
    assert msgspec.json.decode(msgspec.json.encode(document)) == json.loads(written)


def test_nothing_that_confirms_a_guess_at_a_secret_is_written() -> None:
    hidden = "5ec4e7" * 8
    parts = Parts("secret", "", "a.py", "", "0" * 16)
    found = finding(
        8,
        category=Category.SECRET,
        line_hash="1234567890abcdef:1",
        anchors=(Anchor(parts, 1, evidence=hidden, unmasked=hidden),),
    )
    for name in ("json", "sarif-full", "html", "md"):
        report = sample_report([judged(found, Severity.HIGH, Action.BLOCK)])
        written = "".join(reporter(name).render(report))
        assert "5ec4e7" not in written
        assert "1234567890abcdef" not in written


def test_a_licence_finding_has_its_expression() -> None:
    found = [one for one in read(sample_report())["findings"] if one["category"] == "license"]
    assert [one["license"] for one in found] == ["see LICENSE"]


def test_a_finding_stands_on_a_line_of_its_own() -> None:
    lines = text(sample_report()).splitlines()
    with_id = [line for line in lines if line.startswith('    {"id":')]
    assert len(with_id) == 7
    assert json.loads(with_id[0].rstrip(","))["id"] == "000000000001"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_findings_makes_valid_json(count: int) -> None:
    assert len(read(large_report(count))["findings"]) == count


def test_a_report_is_valid_by_the_shipped_schema() -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    for report in REPORTS:
        validator.validate(read(report))
    document = read(sample_report())
    del document["findings"][0]["package"]
    assert not validator.is_valid(document), "a missing key is not the same as null"


def test_an_unknown_word_is_not_valid_by_the_schema() -> None:
    validator = jsonschema_rs.validator_for(json.loads(wire.schema_text()))
    document = read(sample_report())
    document["findings"][0]["severity"] = "terrible"
    assert not validator.is_valid(document)


def test_the_shipped_schema_is_what_the_types_say() -> None:
    shipped = files("scanagg").joinpath("schemas", wire.SCHEMA_FILE).read_text("utf-8")
    assert shipped == wire.schema_text(), (
        "write scanagg.reports.wire.schema_text() to the file; where a key or a word went "
        "away or changed its meaning, it is a new version of the report"
    )


def test_no_path_of_the_machine_is_in_the_report(tmp_path: Path) -> None:
    assert str(tmp_path) not in text(sample_report(root=tmp_path))


def test_the_same_input_gives_the_same_text() -> None:
    shuffled = sample_report()
    first = shuffled.runs[0]
    hidden = dict(reversed(list({"nosec": 2, "a": 1}.items())))
    one = replace(shuffled, runs=(replace(first, hidden={"nosec": 2, "a": 1}),))
    two = replace(shuffled, runs=(replace(first, hidden=hidden),))
    assert text(one) == text(two)


def test_a_target_without_git_and_with_skipped_files() -> None:
    report = sample_report()
    target = replace(report.target, revision=None, skipped=(NotExamined("loop", plain("loop")),))
    written = read(replace(report, target=target))["target"]
    assert written == {
        "name": "shop",
        "files": 5,
        "skipped": [
            {
                "input": "loop",
                "reason": {"kind": "text", "values": {"text": "loop"}, "text": "loop"},
                "on_purpose": False,
            }
        ],
        "revision": None,
        "notices": [],
    }


def test_data_of_unknown_age_is_null() -> None:
    report = sample_report()
    run = replace(report.runs[0], data=DataSource("db"), started=NOW, seconds=0.12345)
    written = read(replace(report, runs=(run,)))["runs"][0]
    assert written["data"] == {
        "name": "db",
        "updated": None,
        "digest": "",
        "records": None,
        "origin": "",
        "license": "",
        "fetched": None,
    }
    assert written["seconds"] == 0.123


HOSTILE = [
    ("\x1b[31mred", "\\x1b[31mred"),
    ("bell\x07 and \x08 back", "bell\\x07 and \\x08 back"),
    ("return\rover", "return\\x0dover"),
    ("form\x0cfeed \x7f", "form\\x0cfeed \\x7f"),
    ("c1 \x9b31m", "c1 \\x9b31m"),
    ("bidi \u202e\u2066", "bidi \\u202e\\u2066"),
    ("line \u2028 separator", "line \\u2028 separator"),
    ("not utf-8 \udcff", "not utf-8 \\xff"),
    ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
    ("a real \\b backslash", "a real \\b backslash"),
    ("new\nline\tand tab stay", "new\nline\tand tab stay"),
    ("ünï \u00a0 日本 🐍", "ünï \u00a0 日本 🐍"),
    ("</script>", "</script>"),
]


@pytest.mark.parametrize(("given", "shown"), HOSTILE)
def test_control_characters_become_visible_wherever_they_stand(given: str, shown: str) -> None:
    found = finding(
        9,
        title=given,
        message=given,
        location=Location(given.replace("/", "|")),
        witnesses=(Witness("bandit", given, Severity.LOW),),
    )
    report = sample_report([judged(found, Severity.LOW, Action.INFO)])
    report = replace(report, gate=replace(report.gate, reasons=(plain(given),)))
    report = replace(report, runs=(replace(report.runs[0], hidden={given: 1}),))
    document = read(report)
    written = document["findings"][0]
    assert written["title"] == shown
    assert written["message"] == shown
    assert written["location"]["path"] == shown.replace("/", "|")
    assert written["witnesses"][0]["rule"] == shown
    (reason,) = document["gate"]["reasons"]
    assert reason["values"] == {"text": shown}
    assert document["runs"][0]["hidden"] == {shown: 1}
    bare = text(report).replace("\n", "")
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in bare)


def test_json_for_a_script_element_cannot_end_it() -> None:
    escaped = for_script(encode("</script><!-- & -->"))
    assert not set("<>&") & set(escaped)
    assert json.loads(escaped) == "</script><!-- & -->"


def test_it_is_streamed() -> None:
    report = sample_report()
    endless = replace(report, findings=itertools.repeat(report.findings[0]))  # type: ignore[arg-type]
    pieces = list(itertools.islice(reporter("json").render(endless), 1000))
    assert len(pieces) == 1000
