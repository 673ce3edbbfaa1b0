"""The small parts of the SARIF formats: the converter of sarif_om's objects, words, columns."""

import json
import re

import pytest
import sarif_om
from support.sample import finding, sample_report
from support.sarif_cases import log_of, only, results_of, write

from scanagg.model import Location
from scanagg.reports.sarif.results import columns
from scanagg.reports.sarif.values import cut, https, phrase, plain, rule_id, sentence, width

PLAIN = re.compile(r"[A-Z]{1,8}(-[0-9]{6}){2}")


def test_names_are_the_standards_and_defaults_are_left_out() -> None:
    made = plain(
        sarif_om.Run(
            tool=sarif_om.Tool(driver=sarif_om.ToolComponent(name="bandit")),
            results=[
                sarif_om.Result(
                    message=sarif_om.Message(text="Here."),
                    rule_id="B602",
                    locations=[sarif_om.Location(id=3)],
                )
            ],
            original_uri_base_ids={"SRCROOT": sarif_om.ArtifactLocation(uri="a/")},
        )
    )
    assert made == {
        "tool": {"driver": {"name": "bandit"}},
        "originalUriBaseIds": {"SRCROOT": {"uri": "a/"}},
        "results": [
            {
                "message": {"text": "Here."},
                "level": "warning",
                "locations": [{"id": 3}],
                "ruleId": "B602",
            }
        ],
    }


def test_a_warning_is_written_wherever_a_level_can_stand() -> None:
    text = sarif_om.Message(text="Here.")
    assert plain(sarif_om.Result(message=text)) == {
        "message": {"text": "Here."},
        "level": "warning",
    }
    assert plain(sarif_om.ReportingConfiguration()) == {"level": "warning"}
    assert plain(sarif_om.Notification(message=text))["level"] == "warning"  # type: ignore[index]


def test_a_suppression_has_a_status_and_no_state() -> None:
    made = plain(sarif_om.Suppression(kind="external", state="accepted"))
    assert made == {"kind": "external", "status": "accepted"}


def test_what_differs_from_a_default_is_written() -> None:
    assert plain(sarif_om.Run(tool=None, newline_sequences=["\n"])) == {"newlineSequences": ["\n"]}
    assert plain(sarif_om.Result(message=None, rule_index=0, level="none")) == {
        "level": "none",
        "ruleIndex": 0,
    }


@pytest.mark.parametrize(
    "identifier", ["", "日本", "two words", "-dash", "a/b", "line\nbreak", "é", "x" * 256]
)
def test_an_id_that_is_not_plain_has_a_stand_in_of_its_own(identifier: str) -> None:
    made = rule_id(identifier)
    assert PLAIN.fullmatch(made)
    assert made == rule_id(identifier)
    assert made != rule_id(identifier + "x")


@pytest.mark.parametrize(
    "identifier", ["B602", "CVE-2016-10745", "GHSA-hj2j-77xm-mc5v", "github-token", "B602x", "1_a"]
)
def test_an_id_that_people_know_is_kept(identifier: str) -> None:
    assert rule_id(identifier) == identifier


def test_widths_and_cuts_are_in_utf16_units() -> None:
    assert width("abc") == 3
    assert width("a\U0001f600é") == 4
    assert cut("a\U0001f600é", 2, 4) == "\U0001f600"
    assert cut("a\U0001f600é", 3, 5) == "é"  # half a surrogate pair is dropped


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://a.invalid/b?c=d#e", True),
        ("https://a.invalid/%C3%BC", True),
        ("https://a.invalid/%zz", False),
        ("https://a.invalid/a b", False),
        ("https://a.invalid/#a#b", False),
        ("http://a.invalid/", False),
        ("javascript:alert(1)", False),
        (None, False),
    ],
)
def test_only_a_real_address_is_one(url: str | None, usable: bool) -> None:
    assert (https(url) == url and url is not None) is usable


def test_a_sentence_is_never_longer_than_asked_for() -> None:
    for length in range(5, 40):
        assert len(sentence("word " * 20, length)) <= length
    assert phrase(" a\n\tb ") == "a b"


@pytest.mark.parametrize("line", ["", "x", "abc def", "\U0001f600"])
def test_columns_lie_on_the_line(line: str) -> None:
    for start in (None, 1, 3, 99):
        for end in (None, 1, 2, 99):
            begin, after = columns(Location("a.py", 1, 1, start, end), line)
            assert 1 <= begin <= after
            if line:
                assert begin < after <= width(line) + 1


def test_odd_characters_are_shown_and_not_sent() -> None:
    odd = finding(1, message="a\x7fb\u202ec", snippet="x\x7f", resource="\x1b[2J")
    for name in ("sarif", "sarif-full"):
        text = json.dumps(log_of(only(odd), name), ensure_ascii=False)
        assert text.isprintable()
        assert "\\x7f" in text


def test_a_finding_about_a_whole_file_has_no_text() -> None:
    whole = finding(1, location=Location("a.py"), snippet=None)
    (result,) = results_of(log_of(only(whole)))
    (place,) = result["locations"]
    assert place["physicalLocation"]["region"]["startLine"] == 1
    assert place["physicalLocation"]["region"]["snippet"] == {"text": ""}


def test_a_surrogate_in_what_a_scanner_says_is_no_crash() -> None:
    odd = finding(1, message="a \udcff b", snippet="x \ud800")
    (result,) = results_of(log_of(only(odd)))
    assert result["message"]["text"] == "a \\xff b."


def test_each_result_is_a_line_of_its_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = write(sample_report(), "sarif-full", tmp_path).read_text()
    lines = [line for line in text.splitlines() if line.startswith('{"message"')]
    assert len(lines) == len(sample_report().findings)
