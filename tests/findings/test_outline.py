"""The syntax around a place: the same for all layouts of code, another one for other code."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanagg.core.masks import MASK
from scanagg.findings.outline import Statement, lines_of, outline, shape


def shape_of(text: str) -> tuple[str, ...]:
    return tuple(token for node in ast.parse(text).body for token in shape(node, str))


def statement(text: str, line: int = 1, column: int | None = None) -> Statement:
    known = outline(text)
    assert known is not None
    found = known.at(line, column)
    assert found is not None
    return found


def role(text: str, constant: str, words: str = "") -> tuple[str, ...]:
    """Return the role of the first such constant; with `words`, of any string in it."""
    known = statement(text, 1, 0)
    node = next(
        node for node in known._roles if isinstance(node, ast.Constant) and node.value == constant
    )
    return tuple(known.role(node, lambda one: words or one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f('a', 0XFF)", 'f("a",0xff,)'),
        ("f(0xABCDEF, 1E5, 10J)", "f(0xabcdef, 1e5, 10j)"),
        ("x = ('it\\'s')", 'x = "it\'s"'),
        ("f(u'a', B'b', R'c')", "f('a', b'b', r'c')"),
        ("f('''a''')", 'f("""a""")'),
        ("f(r'\\d')", "f('\\\\d')"),
        ("a = b + \\\n  c", "a = (b + c)  # sum"),
        ("x = 'a' 'b'", "x = ('a'\n     'b')"),
        ("x = 'a' 'b'", "x = 'ab'"),
        ("x = f'{a}' 'b'", "x = f'{a}b'"),
        ("x = f'a' f'{b}'", "x = f'a{b}'"),
        ("f(F'{x}')", 'f(f"{x}")'),
        ("x = f'{2 ** 32}'", "x = f'{2**32}'"),
        ("x = f'{ a [0] !r:>{ w }}'", "x = f'{a[0]!r:>{w}}'"),
        ("x = f'{f\"{a}\"}'", "x = f\"{f'{ a }'}\""),
        ("x = [1, 2]", "x = [\n  1,\n  2,\n]"),
        ("x = (1, 2)", "x = 1, 2"),
        ("x = ((a * b) + c)", "x = a*b + c"),
        ("with (a): pass", "with a: pass"),
        ("return_ = lambda x : x", "return_ = lambda x: (x)"),
        ("x = [a for a in b if (a)]", "x = [\n a\n for a in b\n if a\n]"),
        ("@d ( 1 )\ndef f(a, b=1): pass", "@d(1)\ndef f(\n  a,\n  b=1,\n): pass"),
        ("x: 'int' = 1  # type: ignore", "x: 'int' = 1"),
        ("if not (a): pass", "if not a: pass"),
        ("print((yield))", "print((yield))  # comment"),
        ("x = a if (b) else c", "x = (a if b else c)"),
        ("match (x):\n case (1): pass", "match x:\n    case 1:\n        pass"),
        ("x = 1_000", "x = 1000"),
    ],
)
def test_a_formatter_does_not_change_the_shape(one: str, other: str) -> None:
    assert shape_of(one) == shape_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a + b) * c", "a + (b) * c"),
        ("a - (b - c)", "a - b - c"),
        ("f(a)", "f(b)"),
        ("f('a')", "f('b')"),
        ("f('a')", "f(b'a')"),
        ("f('a', 'b')", "f('a' 'b')"),
        ("f('1')", "f(1)"),
        ("f(1)", "f(True)"),
        ("f(None)", "f('None')"),
        ("f('a')", "f(a)"),
        ("f(r'\\n')", "f('\\n')"),
        ("f(*a)", "f(a)"),
        ("f(**a)", "f(a)"),
        ("f(a=b)", "f(b=a)"),
        ("{None: a}", "{**a}"),
        ("x[a:b]", "x[a, b]"),
        ("x[a:]", "x[:a]"),
        ("x[::a]", "x[:a]"),
        ("(a,)", "a"),
        ("[a]", "{a}"),
        ("a < b < c", "(a < b) < c"),
        ("not a and b", "not (a and b)"),
        ("await_", "not await_"),
        ("f'{a}'", "f'{a!r}'"),
        ("f'{a}'", "f'{a:>3}'"),
        ("f'{a}'", "'{a}'"),
        ("f'{a}b'", "f'{a}' + 'b'"),
        ("x: (yield) = 5", "x: (yield 5)"),
        ("x = 1", "x += 1"),
        ("x = y = 1", "x = 1"),
        ("import a", "import a as b"),
        ("from a import b", "from .a import b"),
        ("from a import b", "import a.b"),
        ("lambda a: a", "lambda *a: a"),
        ("[a for a in b]", "(a for a in b)"),
        ("[a for a in b if a]", "[a for a in b]"),
        ("match x:\n case None: pass", "match x:\n case True: pass"),
        ("match x:\n case {'a': 1}: pass", "match x:\n case {'a': 1, **r}: pass"),
        ("1", "1.0"),
        ("0x10", "0x11"),
        ("'a\\x1fName'", "'a', Name"),
        ("['a', 'b']", "[\"a'\\x1f'b\"]"),
        ("'\u00fc'", "'u\u0308'"),
    ],
)
def test_other_code_has_another_shape(one: str, other: str) -> None:
    nodes, others = (ast.walk(ast.parse(text)) for text in (one, other))
    assert ["\x1f".join(shape(node, str)) for node in nodes] != [
        "\x1f".join(shape(node, str)) for node in others
    ]


def test_a_shape_has_no_blocks_and_no_decorators() -> None:
    one = "@a\nclass A(B):\n  x = 1\n"
    assert shape_of(one) == shape_of("@b(1)\nclass A(B):\n  y = 2\n  z = 3\n")
    assert shape_of(one) != shape_of("class A(C): pass")
    assert shape_of("if a:\n  b\nelse:\n  c\n") == shape_of("if a: d")
    assert shape_of("for a in b: c") != shape_of("for a in c: c")
    assert shape_of("with a as b: c") != shape_of("with a as c: c")
    assert shape_of("try: a\nexcept B: c\nfinally: d\n") == shape_of("try: e\nexcept F: g\n")


def test_the_words_decide_what_of_a_constant_is_told() -> None:
    text = "f('jacktheripper', b'jacktheripper', 1234, 1.5, name, f'jacktheripper{x}', True)"
    (node,) = ast.parse(text).body
    tokens = "\n".join(shape(node, lambda _text: MASK))
    for told in ("jack", "0x4d2", "1.5"):
        assert told not in tokens
    assert tokens.count(MASK) == 5
    assert "name" in tokens
    assert "True" in tokens


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["1"] * 10_000),
        " and ".join(["a"] * 10_000),
        "x" + ".a" * 3_000,
        "f" + "()" * 3_000,
        "-" * 3_000 + "1",
        "[" * 150 + "]" * 150,
        "x = " + "9" * 5_000,
        "x = 0x" + "f" * 5_000,
        "lambda: " * 90 + "0",
    ],
    ids=["sum", "and", "attributes", "calls", "minus", "lists", "number", "hex", "lambdas"],
)
@pytest.mark.usefixtures("bounded")
def test_deep_code_and_long_numbers_are_no_error(text: str) -> None:
    known = outline(text)
    if known is None:  # the parser of this version of Python gives up
        return
    one = known.at(1)
    assert one is not None
    assert "".join(shape(one.node, str))
    assert "v" not in [*one.role(one.expression((1, 0), (1, len(text))), str)]


# Where a statement begins and ends.

BLOCKS = """\
import a; import b
@decorate(1)
def f(x, y=g(1),
      z=2):
    if x: run(x)
    with open(x) as file, lock:
        try:
            y = 1; z = 2
        except (A,
                B):
            pass
    match x:
        case [1,
              2] if y:
            run(y)
    return [
        run(z)
        for z in y
    ]
"""


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        (1, 0, "import a"),
        (1, 8, "import b"),  # the blank after the semicolon belongs to none
        (1, 10, "import b"),
        (1, None, "import b"),
        (2, 1, "decorate(1)"),
        (3, 9, "def f(x, y=g(1),\n      z=2):\n"),
        (4, 8, "def f(x, y=g(1),\n      z=2):\n"),
        (5, 7, "if x: "),
        (5, 10, "run(x)"),
        (5, None, "run(x)"),
        (6, 9, "with open(x) as file, lock:\n"),
        (8, 12, "y = 1"),
        (8, 19, "z = 2"),
        (10, 16, "except (A,\n                B):\n"),
        (13, 14, "[1,\n              2] if y:\n"),
        (15, 12, "run(y)"),
        (17, 8, "return [\n        run(z)\n        for z in y\n    ]"),
    ],
)
def test_the_smallest_statement_of_a_place(line: int, column: int | None, text: str) -> None:
    if (line, column) == (1, 8):
        known = outline(BLOCKS)
        assert known is not None
        assert known.at(line, column) is None
        return
    assert statement(BLOCKS, line, column).text == text


def test_the_qualified_name_leads_through_classes_and_functions_of_any_kind() -> None:
    text = "class A:\n    async def f(self):\n        def g():\n            run()\n        x = g\n"
    assert [statement(text, line).qualname for line in (1, 2, 3, 4, 5)] == [
        *("", "A", "A.f", "A.f.g", "A.f"),
    ]


def test_lines_of_a_compound_statement_are_those_of_its_header() -> None:
    text = "for a in (\n  b):\n  c\n  d\n"
    assert lines_of(statement(text, 1).node) == range(1, 4)
    assert lines_of(statement(text, 4).node) == range(4, 5)


# Expressions, by columns in bytes.


@pytest.mark.parametrize(
    ("text", "start", "end", "found"),
    [
        ("x = [f(1), f(2)]", (1, 5), (1, 9), "f(1)"),
        ("x = [f(1), f(2)]", (1, 11), (1, 15), "f(2)"),
        ("x = f(1).g(2)", (1, 4), (1, 8), "f(1)"),
        ("x = f(1).g(2)", (1, 4), (1, 13), "f(1).g(2)"),
        ("x = f(1).g(2)", (1, 4), (1, 99), "f(1).g(2)"),  # an end that nothing has
        ("x = [\n  f(\n 1),\n  2]", (2, 2), (3, 3), "f(1)"),
        ("x = 'äöü', f(1)", (1, 14), (1, 18), "f(1)"),
        ("\tx = 1\n", (9, 9), (9, 9), None),
        ("if f(1): pass", (1, 3), (1, 7), "f(1)"),
        ("with f(1) as x: pass", (1, 5), (1, 9), "f(1)"),
        ("for x in f(1): pass", (1, 9), (1, 13), "f(1)"),
        ("x = lambda y: f(y)", (1, 14), (1, 18), "f(y)"),
        ("x = [f(y) for y in z]", (1, 5), (1, 9), "f(y)"),
        ("def g(a=f(1)): pass", (1, 8), (1, 12), "f(1)"),
        ("class A(f(1)): pass", (1, 8), (1, 12), "f(1)"),
        ("assert f(1), f(2)", (1, 13), (1, 17), "f(2)"),
        ("x = yy", (1, 1), (1, 2), "x = yy"),  # nothing begins there
    ],
)
def test_the_expression_between_two_columns(
    text: str, start: tuple[int, int], end: tuple[int, int], found: str | None
) -> None:
    if found is None:
        known = outline("if a:\n" + text)
        assert known is not None
        assert known.at(start[0]) is None
        return
    node = statement(text, *start).expression(start, end)
    assert ast.unparse(node) == found


@pytest.mark.parametrize(
    ("text", "line", "column", "found"),
    [
        ("x = 'a', 'b'", 1, 5, "'a'"),
        ("x = 'a', 'b'", 1, 9, "'b'"),
        ("x = 'a', 'b'", 1, 7, None),
        ("x = '''a\nb\nc'''", 2, 0, "'a\\nb\\nc'"),
        ("x = f'a{b}c{d[\"e\"]}'", 1, 15, "f'a{b}c{d[\"e\"]}'"),
        ("x = ('a'\n  'b')", 2, 3, "'ab'"),
        ("x = b'a', 1", 1, 6, "b'a'"),
        ("x = b'a', 1", 1, 10, None),
    ],
)
def test_the_string_at_a_place(text: str, line: int, column: int, found: str | None) -> None:
    node = statement(text).string(line, column)
    assert (node and ast.dump(node)) == (found and ast.dump(ast.parse(found, mode="eval").body))


# Roles.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 'v'", "x = ('v')"),
        ("x = 'v'", "x = ['a', 'v']"),
        ("x = ('v',)", "x = {'a', 'v'}"),
        ("x = 'v'", "x = y or 'v'"),
        ("x = 'v'", "x = 'v' if y else z"),
        ("x = 'v'", "x = 'v'.encode()"),
        ("x = 'v'", "x = 'a' + y + 'v'"),
        ("f(a='v')", "f(1, b=2, a='v')"),
        ("f(a='v')", "f(a=['v'])"),
        ("f(1, 'v')", "f(2, 'v')"),
        ("x = {'k': 'v'}", "x = {'a': 1, 'k': ['v']}"),
        ("p == 'v'", "p != 'v'"),
        ("p == 'v'", "p in ('a', 'v')"),
        ("p == 'v'", "'v' == p"),
        ("def f(a, b='v'): pass", "def f(c=1, b='v', d=2): pass"),
    ],
)
def test_what_a_constant_is_used_for(one: str, other: str) -> None:
    assert role(one, "v") == role(other, "v") != ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 'v'", "y = 'v'"),
        ("x.a = 'v'", "x.b = 'v'"),
        ("x['a'] = 'v'", "x['b'] = 'v'"),
        ("x: str = 'v'", "y: str = 'v'"),
        ("f(a='v')", "f(b='v')"),
        ("f(a='v')", "g(a='v')"),
        ("f.g('v')", "f.h('v')"),
        ("f('v', 1)", "f(1, 'v')"),
        ("f(a='v')", "f('v')"),
        ("x = {'k': 'v'}", "x = {'l': 'v'}"),
        ("x = {'k': 'v'}", "x = {'v': 'k'}"),
        ("p == 'v'", "q == 'v'"),
        ("def f(b='v'): pass", "def f(c='v'): pass"),
        ("def f(*, b='v'): pass", "def f(*, c='v'): pass"),
        ("x['v']", "y['v']"),
        ("return_ = 'v'", "assert 'v'"),
    ],
)
def test_another_use_is_another_role(one: str, other: str) -> None:
    assert role(one, "v") != role(other, "v")


@pytest.mark.parametrize(
    "text",
    [
        *("password == 'v'", "password in ('v', 'w')", "'v' == 'w'", "x = 'v'.encode()"),
        *("x = 'v' + 'w'", "x = f('w')('v')", "x = {'w': 1, 'k': 'v'}", "x = ['v', 'w']['w']"),
        *("f('w', 'v')", "f(a='w', b='v')", "x = f'{\"w\"}' + 'v'"),
    ],
)
def test_a_role_says_nothing_of_the_constant_and_its_neighbours(text: str) -> None:
    tokens = role(text.replace("'v'", "'value'").replace("'w'", "'other'"), "value", words=MASK)
    assert not {"'value'", "'other'", "value", "other"} & {*tokens}
    tokens = role(text.replace("'v'", "'value'").replace("'w'", "'other'"), "value")
    assert "'value'" not in tokens


# Names.


@pytest.mark.parametrize(
    ("text", "message", "name"),
    [
        ("import subprocess", "associated with the subprocess module.", "subprocess"),
        ("import os, subprocess", "possible issues with the subprocess module.", "subprocess"),
        ("import subprocess as s", "the subprocess module", "subprocess"),
        ("from subprocess import run, PIPE", "the subprocess module", "subprocess"),
        ("import xml.sax", "Using xml.sax to parse", "xml.sax"),
        ("from xml import sax, dom", "Using xml.sax to parse", "xml.sax"),
        ("import a, b", "a and b", ""),
        ("x = 1", "x", ""),
        ("from . import a", "the a module", "a"),
    ],
)
def test_the_module_that_an_import_brings_in(text: str, message: str, name: str) -> None:
    assert statement(text).imported(message) == name


def test_names_are_known_with_the_scope_that_binds_them() -> None:
    text = """\
import os
from a import b as c
LIMIT = 1
def f(p, *rest, q=None):
    x = p
    def g():
        return x + LIMIT + c + os + p + y
    class A:
        z = 1
        def h(self): return z + self
    for i, j in rest: k = i
    with q as w: pass
    return [x, i, j, k, w, g, A, rest]
"""
    known = outline(text)
    assert known is not None

    def bound(line: int) -> dict[str, str]:
        one = known.at(line)
        assert one is not None
        return {
            name: type(scope).__name__
            + ":"
            + ",".join(
                binding if isinstance(binding, str) else type(binding).__name__
                for binding in known.bindings(scope, name)
            )
            for name, scope in known.inputs(one, one.node)
        }

    assert bound(7) == {
        "LIMIT": "Module:Assign",
        "c": "Module:a.b",
        "os": "Module:.os",
        "p": "FunctionDef:parameter",
        "x": "FunctionDef:Assign",
    }
    assert bound(10) == {"self": "FunctionDef:parameter"}, "a class is no scope of its methods"
    assert bound(13) == {
        "A": "FunctionDef:definition",
        "g": "FunctionDef:definition",
        "i": "FunctionDef:For",
        "j": "FunctionDef:For",
        "k": "FunctionDef:Assign",
        "rest": "FunctionDef:parameter",
        "w": "FunctionDef:With",
        "x": "FunctionDef:Assign",
    }


@pytest.mark.parametrize("text", ["def broken(:\n  x = 1\n", "x = 1\0\n", "(" * 3000])
def test_there_is_no_outline_of_what_cannot_be_parsed(text: str) -> None:
    assert outline(text) is None


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_outline(text: str) -> None:
    known = outline(text)
    if known is not None:
        for line in range(1, text.count("\n") + 3):
            for column in (None, 0, 3):
                found = known.at(line, column)
                assert found is None or found.text in text
