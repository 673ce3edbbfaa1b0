"""YAML is read strictly, and every value and every error has its place."""

import pytest

from scanagg.core.yaml import Mark, YamlError, parse


def problem_of(raw: bytes | str) -> tuple[int, int, str]:
    with pytest.raises(YamlError) as caught:
        parse(raw.encode() if isinstance(raw, str) else raw)
    first = caught.value.problems[0]
    return first.mark.line, first.mark.column, first.message


def test_values_are_those_of_yaml_1_2() -> None:
    text = 'a: [1, -2, 0x1f, 0o17, -5.0e1, true, False, ~, "7", yes, on, 2027-01-02, !!str 8]\n'
    assert parse(text.encode()).value == {
        "a": [1, -2, 31, 15, -50.0, True, False, None, "7", "yes", "on", "2027-01-02", "8"]
    }


def test_every_value_and_key_has_its_place() -> None:
    document = parse(b"rules:\n  - id: one\n    match: {category: code}\n")
    assert document.at(("rules", 0, "id")) == Mark(2, 9)
    assert document.at_key(("rules", 0, "match", "category")) == Mark(3, 13)
    assert document.at(("rules", 0, "match", "missing")) == Mark(3, 12)
    assert document.at_key(("rules", 7)) == Mark(2, 3)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_an_empty_file_is_an_error(text: str) -> None:
    assert problem_of(text)[:2] == (1, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "named"),
    [
        ("a:\n\tb: 1\n", 2, 1, "tab"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "'a'"),
        ("a: &x [1]\nb: *x\n", 1, 4, "&x"),
        ("a: &x [*x]\n", 1, 4, "&x"),
        ("&k a: 1\n", 1, 1, "key"),
        ("a: *x\n", 1, 4, "alias"),
        ("a:\n  <<: {b: 1}\n", 2, 3, "<<"),
        ("? [a]\n: 1\n", 1, 3, "key"),
        ("1: a\n", 1, 1, "key"),
        ("a: !!python/object:os.system x\n", 1, 4, "'x'"),
        ("a: !mine x\n", 1, 4, "'x'"),
        ("%YAML 1.1\n---\na: yes\n", 3, 4, "'yes'"),
        ("a: 1\n---\nb: 1\n", 2, 1, "another document"),
        ('a: "b\n', 2, 1, "unexpected end"),
        ("a: 1\n b: 2\n", 2, 3, "mapping values"),
        ("<<<<<<< HEAD\na: 1\n=======\n", 2, 2, "YAML"),
        ("a: x\n  \x07b\n", 2, 3, "U+0007"),
        ("[" * 600, 1, 1, "nested"),
        ("? " * 20000, 1, 1, "nested"),
        ("a: " + "7" * 5000, 1, 4, "777"),
        ("a: .inf\n", 1, 4, "'.inf'"),
        ("a: 1e999\n", 1, 4, "'1e999'"),
        ("a: !!float x\n", 1, 4, "'x'"),
        ('a: "\\0"\n', 1, 4, "U+0000"),
        ('a: "\\ud800"\n', 1, 4, "U+D800"),
        ('"\\udfff": a\n', 1, 1, "U+DFFF"),
        ('a: 1\nb: "\\U00110000"\n', 2, 5, "escape"),
        (b"\xef\xbb\xbfversion: 1\n", 1, 1, "byte order mark"),
        ("version: 1\n".encode("utf-16"), 1, 1, "UTF-16"),
        (b"a: 1\nb: caf\xe9\n", 2, 7, "0xe9"),
    ],
)
def test_refused_text_is_an_error_with_its_place(
    text: str | bytes, line: int, column: int, named: str
) -> None:
    problem = problem_of(text)
    assert problem[:2] == (line, column)
    assert named in problem[2]


def test_a_bomb_of_anchors_is_refused_without_being_unfolded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "anchor" in problem_of("\n".join(lines))[2]


@pytest.mark.parametrize(
    "text",
    ["a: [" + "1," * 50_001 + "]", "- a\n" * 50_001, "[]" * 50_001, "[" * 40_000, '{"a":[' * 200],
)
def test_large_text_is_refused_unread(text: str) -> None:
    assert problem_of(text)[:2] == (1, 1)


def test_all_mistakes_of_the_text_are_found_at_once() -> None:
    with pytest.raises(YamlError) as caught:
        parse(b"a: 1\na: 2\nb: !x 1\n3: c\n")
    assert [problem.mark.line for problem in caught.value.problems] == [2, 3, 4]


def test_windows_line_ends_are_read() -> None:
    assert parse(b"a: 1\r\nb: x\r\n").value == {"a": 1, "b": "x"}
