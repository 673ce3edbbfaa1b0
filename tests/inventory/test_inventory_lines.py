"""Every value of a TOML or JSON text has its line."""

import tomllib
from collections.abc import Iterator

import pytest

from scanagg.inventory.document import json_lines, toml_lines

TOML = r'''# [not.a.table]
top = "[x] # no comment" # comment "quote'
"quoted \u0041" = 1.5
'a.b' = { c = [1, 2], "d" = {e = "}"}, f.g = 1 }
multi = """
[fake]
a = 1 \" """
lit = \'\'\'
[fake]\'\'\'\'
list = [
  "a", # "b"
  { x = 1 }, [
    "c"],
]
date = 2024-01-01T00:00:00.5Z
[a.b.c]
k.l.m = 1
[[pkg]]
name = "one"
[pkg.sub]
x = 1
[[pkg.deep]]
y = 1
[[pkg]]
name = "two"
[[pkg.deep]]
y = 2
[[pkg.deep]]
y = 3
[ spaced . table ]
z = [ ]
'''.replace("\\'", "'")
EXPECTED = {
    ("top",): 2,
    ("quoted A",): 3,
    ("a.b", "c", 1): 4,
    ("a.b", "d", "e"): 4,
    ("a.b", "f", "g"): 4,
    ("multi",): 5,
    ("lit",): 8,
    ("list", 0): 11,
    ("list", 1, "x"): 12,
    ("list", 2): 12,
    ("list", 2, 0): 13,
    ("date",): 15,
    ("a", "b", "c", "k", "l", "m"): 17,
    ("pkg", 0, "name"): 19,
    ("pkg", 0, "sub", "x"): 21,
    ("pkg", 0, "deep", 0, "y"): 23,
    ("pkg", 1, "name"): 25,
    ("pkg", 1, "deep", 1, "y"): 29,
    ("spaced", "table", "z"): 31,
}


def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from paths(item, (*path, position))


def test_toml_values_are_on_their_lines():
    lines = toml_lines(TOML)
    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED


@pytest.mark.parametrize("text", [TOML, TOML.replace("\n", "\r\n")])
def test_every_value_of_the_parser_has_a_line_and_no_other(text):
    assert set(paths(tomllib.loads(text))) == set(toml_lines(text))


def test_an_escape_that_json_does_not_have_is_left_as_it_is():
    assert toml_lines('"a\\U00000041" = 1\n') == {("a\\U00000041",): 1}


def test_json_keys_are_on_their_lines():
    text = '{\n "a": {"b": [1, {"x": 2}],\n  "c:}": "y",\n "\\u0041": {}},\n\n "z": 0\n}'
    lines = json_lines(text)
    assert lines[("a",)] == 2
    assert lines[("a", "b")] == 2
    assert lines[("a", "c:}")] == 3
    assert lines[("a", "A")] == 4
    assert lines[("z",)] == 6


@pytest.mark.parametrize("text", ["]]}}=,", "[[[a", "= = =", "a = }", "{[", '"', "[a]]\nb=1"])
def test_a_text_that_no_parser_accepts_does_no_harm(text):
    assert all(line == 1 for path, line in toml_lines(text).items() if path != ("a", "b"))
    assert isinstance(json_lines(text), dict)
