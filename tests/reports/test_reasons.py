"""Reasons in words: every kind has a sentence, with its values filled in."""

import ast
import string
from pathlib import Path
from typing import cast

import msgspec
import pytest

import scanagg
from scanagg.model import Reason, ReasonValue, plain
from scanagg.reports.reasons import SENTENCES, sentence, sentences
from scanagg.reports.wire import WireReason

PLACES = [
    (path, node)
    for path in sorted(Path(scanagg.__file__).parent.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason"
]
KINDS = {
    node.args[0].value: {key.value for key in getattr(node.args[1], "keys", [])}
    if len(node.args) > 1
    else set()
    for _, node in PLACES
    if isinstance(node.args[0], ast.Constant)
}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_kind_in_the_code_has_a_sentence_that_shows_all_its_values() -> None:
    assert {kind: fields(SENTENCES.get(kind, "")) for kind in KINDS} == KINDS


def test_every_sentence_is_used() -> None:
    assert set(SENTENCES) - set(KINDS) <= {"text"}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (plain("as it was said"), "as it was said"),
        (plain("two\nlines \x1b[31m"), r"two\nlines \x1b[31m"),
    ],
)
def test_sentence(reason: Reason, text: str) -> None:
    assert sentence(reason) == text


def test_sentences() -> None:
    assert sentences([plain("one"), plain("two")]) == "one; two"


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{value}", 12000, "12,000"),
        ("{value:file}", 1, "1 file"),
        ("{value:file}", 2, "2 files"),
        ("{value:vulnerability blocks|vulnerabilities block}", 1, "1 vulnerability blocks"),
        ("{value:vulnerability blocks|vulnerabilities block}", 0, "0 vulnerabilities block"),
        ("{value}", ("a", "b"), "a, b"),
        ("{value: or }", ("a", plain("b\t")), "a or b "),
        ("it is {value}", plain("a"), "it is a"),
    ],
)
def test_values(
    monkeypatch: pytest.MonkeyPatch, template: str, value: ReasonValue, text: str
) -> None:
    monkeypatch.setitem(cast("dict[str, str]", SENTENCES), template, template)
    assert sentence(Reason(template, {"value": value})) == text


def test_map_changes_texts_only() -> None:
    reason = Reason(
        "any", {"name": "a", "names": ("b", plain("c")), "number": 3, "why": plain("d")}
    )
    changed = Reason(
        "any", {"name": "A", "names": ("B", plain("C")), "number": 3, "why": plain("D")}
    )
    assert reason.map(str.upper) == changed


def test_equal_reasons_have_equal_hashes() -> None:
    reason = Reason("any", {"name": "a", "names": ("b", plain("c"))})
    assert hash(reason) == hash(Reason("any", {"names": ("b", plain("c")), "name": "a"}))


def test_a_reason_survives_its_way_through_json() -> None:
    reason = Reason("text", {"text": "so", "why": plain("it is"), "all": ("a", plain("b")), "n": 1})
    wire = msgspec.convert(reason, WireReason, from_attributes=True)
    read = msgspec.json.decode(msgspec.json.encode(wire), type=WireReason)
    assert msgspec.convert(read, Reason, from_attributes=True) == reason


def test_a_reason_can_be_kept_in_a_cache() -> None:
    reasons = (Reason("any"), Reason("any", {"why": Reason("other"), "number": 1}))
    assert msgspec.json.decode(msgspec.json.encode(reasons), type=tuple[Reason, ...]) == reasons


def test_a_reason_of_a_later_version_is_kept_as_its_text() -> None:
    read = msgspec.convert({"kind": "of-2030", "values": {}, "text": "so it is"}, WireReason)
    assert msgspec.convert(read, Reason, from_attributes=True) == plain("so it is")
