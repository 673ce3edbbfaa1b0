"""A fingerprint changes only with edits that change the weakness."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from scanagg.core.redact import Redactor
from scanagg.findings.fingerprint import HASH_DIGITS, Identity, fingerprint, text_hash
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    LicenseFacts,
    Location,
    Observation,
    Package,
    Parts,
    Rule,
    Secret,
)
from scanagg.project.sources import Sources
from scanagg.project.target import read_target

Make = Callable[..., Path]

CODE = """\
import subprocess


class Tool:
    @property
    def run(self, name,
            shell=True):
        try:
            subprocess.run("ls " + name,
                           shell=True)
        except Exception:
            pass
        if name: subprocess.run(name)
"""


def code(place: Location | int, path: str = "a.py", rule: str = "B602") -> Observation:
    return Observation(
        scanner="bandit",
        category=Category.CODE,
        rule=Rule(rule, rule, rule),
        title="t",
        message="m",
        location=Location(path, place) if isinstance(place, int) else place,
    )


def secret(line: int, path: str = "a.ini", last: int | None = None, value: str = "") -> Observation:
    return Observation(
        scanner="detect-secrets",
        category=Category.SECRET,
        rule=Rule("secret-keyword", "k", "k"),
        title="t",
        message="m",
        location=Location(path, line, last),
        secret=Secret("the scanner's digest", value=value),
    )


def guess(place: Location | int, value: str, path: str = "a.py") -> Observation:
    return replace(code(place, path, rule="B106"), secret=Secret(value=value))


def identity(
    make_project: Make,
    path: str,
    text: str | bytes,
    mask: Redactor | None = None,
    **more: str,
) -> Identity:
    sources = Sources(read_target(make_project({path: text}, git_=False)))
    return Identity(sources, mask or Redactor([], {}), **more)


def anchor(
    make_project: Make,
    text: str | bytes,
    one: Observation,
    mask: Redactor | None = None,
    **more: str,
) -> Anchor:
    path = one.location.path if one.location else "a.py"
    return identity(make_project, path, text, mask, **more).anchors(one)[0]


def parts(
    make_project: Make,
    text: str | bytes,
    one: Observation,
    mask: Redactor | None = None,
    **more: str,
) -> Parts:
    return anchor(make_project, text, one, mask, **more).parts


def place_of(text: str, part: str, path: str = "a.py") -> Location:
    """Return the place of a part of a text, as scanners name it."""
    start = text.index(part)
    end = start + len(part)

    def place(index: int) -> tuple[int, int]:
        line = text[text.rfind("\n", 0, index) + 1 : index]
        return text.count("\n", 0, index) + 1, len(line.encode("utf-16-le")) // 2 + 1

    (line, column), (last, end_column) = place(start), place(end)
    return Location(path, line, last, column, end_column)


def flagged(make_project: Make, marked: str, **more: str) -> Anchor:
    """Return the anchor of the code between « and »."""
    part = marked[marked.index("«") + 1 : marked.index("»")]
    start = len(marked[: marked.index("«")])
    text = marked.replace("«", "").replace("»", "")
    # The same text can be earlier in the file.
    blank = re.sub(r"[^\n]", lambda one: one.group(), text[:start])
    before = place_of(blank + "\0" + text[start:], "\0")
    after = place_of(text[: start + len(part)] + "\0", "\0")
    place = Location(
        "a.py", before.start_line, after.start_line, before.start_column, after.start_column
    )
    return anchor(make_project, text, code(place, **more))


def masked(*values: str, path: str = "a.ini", lines: Iterable[int] = (1,)) -> Redactor:
    return Redactor(values, {path: lines})


# Code: the flagged expression.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = «f(1)»", "# more\n\nx = «f(1)»"),
        ("x = «f('a', b=1)»", 'x = «f(\n    "a",  # why\n    b=1,\n)»'),
        ("x = [«f(1)», 'a']", "x = [\n    'b',\n    «f(1)»,\n]"),
        ("x = {'a': 1, 'b': [«f(1)»]}", "x = {'b': [«f(1)»], 'a': 2}"),
        ("x = «f('ä', 0XFF)»", "x = 'ä€😀', «f('ä', 0xff)»"),
        ("if a:\n\tx = «f(1)»", "if a:\n    x = «f(1)»"),
        ("if «f(1)»: pass", "if «f(1)»:\n    g(1)"),
        ("if a: «f(1)»", "if a:\n    «f(1)»"),
        ("a = «f(1)»; b = g(2)", "a = «f(1)»\nb = g(2)"),
        ("a = g(1); b = «f(1)»", "a = g(1)\nb = «f(1)»"),
        ("with «f(1)» as a: pass", "with b, «f(1)»: pass"),
        ("for a in «f(1)»: pass", "while «f(1)»: pass"),
        ("x = lambda: «f(1)»", "x = lambda a: «f(1)»"),
        ("@«f(1)»\ndef g(): pass", "@«f(1)»\n@h\ndef g(a): return 1"),
        ("def g(a=«f(1)»): pass", "def g(b, *, a=«f(1)»): return b"),
        ("class A(«f(1)»): pass", "class A(B, «f(1)»):\n    x = 1"),
        ("x = [«f(1)» for a in b]", "x = {«f(1)» for c in d if c}"),
        ("match a:\n    case 1 if «f(1)»: pass", "match a:\n    case [1, 2] if «f(1)»: b"),
        ("x = f'{«f(1)»}'", "x = f'a {«f(1)»} b'"),
        ("x = «f'{a} {2 ** 32}'»", "x = «f'{a} {2**32}'»"),
        ("x = «'0.0.0.0'»", "x = (\n  «'0.0.0.0'»\n)"),
        ("x = [«'0.0.0.0'»]", "x = ['a', «'0.0.0.0'»]"),
        ("f(host=«'0.0.0.0'»)", "f(1, 2, host=«'0.0.0.0'»)"),
        ("x = [{'bind': «'0.0.0.0'», 'a': 'b'}]", "x = [{'c': 'd', 'bind': «'0.0.0.0'»}, {}]"),
        ("«assert a»", "«assert (a)»  # nosec"),
        ("try: a\n«except: pass»", "try: b\n«except: pass»"),
    ],
)
def test_code_is_known_by_the_flagged_expression(make_project: Make, one: str, other: str) -> None:
    first, second = (flagged(make_project, text) for text in (one, other))
    assert first.parts == second.parts
    assert first.parts.code


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = «f(1)»", "x = «f(2)»"),
        ("x = «f(1)», f(2)", "x = f(1), «f(2)»"),
        ("x = «(a + b) * c»", "x = «a + (b) * c»"),
        ("x = «f(1)».g()", "x = «f(1).g()»"),
        ("x = «'0.0.0.0'»", "y = «'0.0.0.0'»"),
        ("f(host=«'0.0.0.0'»)", "f(name=«'0.0.0.0'»)"),
        ("f(host=«'0.0.0.0'»)", "g(host=«'0.0.0.0'»)"),
        ("x = {'a': «'0.0.0.0'»}", "x = {'b': «'0.0.0.0'»}"),
        ("def f():\n    «g()»", "def h():\n    «g()»"),
        ("try: a\n«except A: pass»", "try: a\n«except B: pass»"),
        ("a = «f(1)»; b = g(2)", "a = f(1); b = «g(2)»"),
        ("if «f(1)»: g(2)", "if f(1): «g(2)»"),
    ],
)
def test_another_expression_is_another_finding(make_project: Make, one: str, other: str) -> None:
    assert flagged(make_project, one).parts != flagged(make_project, other).parts


def test_the_statement_is_context_and_inputs_are_what_names_mean(make_project: Make) -> None:
    def known(value: str, more: str, name: str = "f", where: str = "") -> Anchor:
        body = f"    cmd = {value}\n    x = [«run(cmd, run2(LIMIT), run2)», {more}]\n"
        return flagged(make_project, f"{where}def {name}():\n{body}")

    one = known("1", "2")
    assert known("1", "3").parts == one.parts
    assert known("1", "3").statement != one.statement
    assert known("1", "3").inputs == one.inputs
    assert known("2", "2").parts == one.parts
    assert known("2", "2").inputs != one.inputs
    for where in ("from a import LIMIT\n", "LIMIT = 2\n", "def run2(): pass\n"):
        assert known("1", "2", where=where).inputs != one.inputs
    assert known("1", "2", where="def run(): pass\n").inputs == one.inputs, "it is only called"
    assert known("(1)", "2", where="other = 1\n").inputs == one.inputs
    assert flagged(make_project, "cmd = 1\nx = «run(cmd)»\n").inputs == ""


def test_each_element_of_a_literal_is_a_finding_of_its_own(make_project: Make) -> None:
    line = '    {{"bind": "0.0.0.0", "dir": "/srv/h{}"}},\n'

    def known(*numbers: int) -> list[Parts]:
        text = "HOSTS = [\n" + "".join(map(line.format, numbers)) + "]\n"
        one = identity(make_project, "a.py", text)
        return [
            one.anchors(code(place_of(text, f'"/srv/h{number}"')))[0].parts for number in numbers
        ]

    before, after = known(*range(20)), known(*range(7), 99, *range(8, 20))
    assert [number for number in range(20) if before[number] != after[number]] == [7]
    assert len({*before}) == 20


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("«import subprocess»", "«import os, subprocess»", "the subprocess module."),
        ("«from subprocess import run»", "«from subprocess import run, PIPE»", "the subprocess"),
        ("«import xml.sax as s»", "«import xml.sax»", "Using xml.sax to parse"),
    ],
)
def test_an_import_is_known_by_the_module(
    make_project: Make, one: str, other: str, message: str
) -> None:
    made = []
    for text in (one, other):
        bare = text.strip("«»")
        observed = replace(code(place_of(bare, bare), rule="B404"), message=message)
        made.append(parts(make_project, bare, observed))
    assert made[0] == made[1]


def test_a_finding_without_columns_is_known_by_its_smallest_statement(
    make_project: Make,
) -> None:
    one = identity(make_project, "a.py", CODE)
    statement, again, other, first = (one.anchors(code(line))[0].parts for line in (9, 10, 13, 1))
    assert statement == again, "a call over two lines is one statement"
    assert statement.qualname == "Tool.run"
    assert other != statement
    assert first.qualname == ""


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: "# new\n\n" + text, 11),
        (lambda text: text.replace('"ls " + name,\n', "'ls ' + name, # why\n"), 9),
        (lambda text: text.replace("\n                           shell=True)", " shell=True,)"), 9),
        (lambda text: text.replace("    @property\n", "    @cached\n    @property\n"), 10),
        (lambda text: text.replace("shell=True):", "shell=False, more=()):"), 9),
        (lambda text: text.replace("\n", "\r\n"), 9),
        (lambda text: "\ufeff" + text, 9),
    ],
    ids=["lines above", "quotes", "one line", "decorator", "signature", "CRLF", "BOM"],
)
def test_layout_and_what_stands_around_it_do_not_matter(
    make_project: Make, change: Callable[[str], str], line: int
) -> None:
    before = parts(make_project, CODE, code(9))
    assert parts(make_project, change(CODE).encode(), code(line)) == before


def test_a_file_that_is_not_utf8_is_known_as_well(make_project: Make) -> None:
    text = "def f():\n    run('\xe4')\n"
    one = parts(make_project, text.encode("latin-1"), code(2))
    assert one == parts(make_project, text, code(2))


def test_a_changed_statement_is_another_one(make_project: Make) -> None:
    before = parts(make_project, CODE, code(9))
    assert parts(make_project, CODE.replace('"ls "', '"rm "'), code(9)) != before


def test_a_function_header_is_known_without_its_body_and_decorators(make_project: Make) -> None:
    before = parts(make_project, CODE, code(6))
    changed = CODE.replace("            pass\n", "            raise\n")
    changed = changed.replace("    @property\n", "    @a(1)\n    @property\n")
    assert parts(make_project, changed, code(7)) == before


def test_a_handler_differs_from_its_try(make_project: Make) -> None:
    assert parts(make_project, CODE, code(11)) != parts(make_project, CODE, code(8))


@pytest.mark.parametrize("text", ["def broken(:\n  x = 1\n", "(" * 3000])
def test_what_does_not_parse_is_known_by_its_line(make_project: Make, text: str) -> None:
    line = text.split("\n", maxsplit=1)[0]
    known = parts(make_project, text, code(1))
    assert known.code == text_hash("".join(line.split()))


def test_a_line_after_the_last_statement_is_known_by_its_text(make_project: Make) -> None:
    known = parts(make_project, "x = 1\n# nosec  here\n", code(2))
    assert known.code == text_hash("#nosechere")


def test_other_languages_are_known_by_the_line(make_project: Make) -> None:
    one = code(1, path="run.sh")
    assert parts(make_project, "eval   $1\n", one) == parts(make_project, " eval $1\n", one)
    assert parts(make_project, "eval $1\n", one) != parts(make_project, "eval $2\n", one)


@pytest.mark.parametrize("place", [Location("a.py", 99), Location("a.py", 99, 99, 3, 9)])
def test_a_line_that_is_not_there_is_no_error(make_project: Make, place: Location) -> None:
    assert parts(make_project, CODE, code(place)).code == ""


@pytest.mark.parametrize("columns", [(1, 2), (5, 99), (98, 99)])
def test_columns_that_no_expression_has_stand_for_the_statement(
    make_project: Make, columns: tuple[int, int]
) -> None:
    known = parts(make_project, "x = yy\n", code(Location("a.py", 1, 1, *columns)))
    assert len(known.code) == HASH_DIGITS


def test_a_path_is_that_of_the_repository_in_composed_form(make_project: Make) -> None:
    one = code(1, path="u\u0308.py")
    assert parts(make_project, "x = 1", one, prefix="sub/").path == "sub/\u00fc.py"


def test_a_renamed_rule_keeps_its_identity(make_project: Make) -> None:
    assert parts(make_project, CODE, code(9, rule="B303")) == parts(
        make_project, CODE, code(9, rule="B324")
    )


# Secrets: what they are used for, and their value.

VALUE, OTHER = "hunter2hunter2", "other2other2"
LINE = f"password = {VALUE}\n"


def secret_parts(make_project: Make, text: str, value: str, line: int = 1, **more: str) -> Parts:
    path = more.pop("path", "a.py")
    mask = masked(value, path=path, lines=(line,))
    return parts(make_project, text, secret(line, path, value=value), mask, **more)


@pytest.mark.parametrize("path", ["a.py", "a.ini"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('password = "{}"', "    password = '{}'  # changed later"),
        ('password = "{}"', 'password = ["{}"]'),
        ('"password": "{}"', "'password' : '{}',"),
        ("password: {}", "password:   {}  "),
        ("a = f(password='{}')", "b = f(1, password='{}')"),
        ("client(token='{}', a='b')", "client(a='c', token='{}')"),
    ],
)
def test_a_secret_is_known_by_its_name_whatever_is_beside_it(
    make_project: Make, path: str, one: str, other: str
) -> None:
    known = [
        secret_parts(make_project, text.format(VALUE) + "\n", VALUE, path=path, key="k")
        for text in (one.strip(), other.strip())
    ]
    assert known[0] == known[1]
    assert len(known[0].code) == 28


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('password = "{}"', 'token = "{}"'),
        ('x = {{"password": "{}"}}', 'x = {{"token": "{}"}}'),
        ('x["password"] = "{}"', 'x["token"] = "{}"'),
        ('f(password="{}")', 'f(token="{}")'),
        ('def f(password="{}"): pass', 'def f(token="{}"): pass'),
        ('password == "{}"', 'token == "{}"'),
    ],
)
def test_a_key_keeps_names(make_project: Make, one: str, other: str) -> None:
    known = [
        secret_parts(make_project, text.format(VALUE) + "\n", VALUE, key="k").code
        for text in (one, other)
    ]
    assert known[0][:HASH_DIGITS] != known[1][:HASH_DIGITS]
    assert known[0][HASH_DIGITS:] == known[1][HASH_DIGITS:]


def test_a_formatter_may_split_the_line_of_a_secret(make_project: Make) -> None:
    one = f'x = t(id="admin", password="{VALUE}")\n'
    other = f'x = t(\n    id="admin",\n    password="{VALUE}",\n)\n'
    before = secret_parts(make_project, one, VALUE, key="k")
    assert secret_parts(make_project, other, VALUE, line=3, key="k") == before
    whole = Location("a.py", 1, 4, 5, 2)
    mask = masked(VALUE, path="a.py", lines=range(1, 5))
    for text, place in ((one, place_of(one, one[4:-1])), (other, whole)):
        alone = anchor(make_project, text, guess(place, VALUE), mask, key="k")
        assert alone.parts == before, "a scanner for code sees the same secret"
        assert alone.place == place
    known = identity(make_project, "a.py", other, mask, key="k")
    witnesses = [secret(3, "a.py", value=VALUE), guess(whole, VALUE)]
    assert [one.parts for one in known.anchors(witnesses[0], witnesses)] == [before]


def test_a_secret_is_known_without_its_value(make_project: Make) -> None:
    one, other = (
        secret_parts(make_project, f"password = {value}\n", value, path="a.ini")
        for value in (VALUE, OTHER)
    )
    assert one == other
    assert len(one.code) == HASH_DIGITS


def test_with_a_project_key_another_value_on_the_line_is_another_secret(
    make_project: Make,
) -> None:
    one, other, another = (
        secret_parts(make_project, f"password = {value}\n", value, path="a.ini", key=key)
        for value, key in ((VALUE, "k"), (OTHER, "k"), (VALUE, "another key"))
    )
    assert one.code[:HASH_DIGITS] == other.code[:HASH_DIGITS]
    assert one.code[HASH_DIGITS:] != other.code[HASH_DIGITS:]
    assert len(one.code) == 28
    assert one != another


GITHUB = 'token = "ghp_{}"\n'
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nAAAAB3NzaC1yc2EAAAADAQABAAAB\n-----END RSA PRIVATE KEY\n"
)


@pytest.mark.parametrize(
    ("text", "values", "lines", "named"),
    [
        (GITHUB, ("0123456789abcdefghij0123456789abcdef", "9" * 36), 1, "ghp"),
        (KEY, ("MIIEpAIBAAKCAQEA1", "MIIEpAIBAAKCAQEA2"), 4, "BEGIN RSA PRIVATE KEY"),
        ("password: {}\n", ("one word", "two words"), 1, ""),
        ("{}\n", ("correct", "horse"), 1, ""),
        ("password = '{}'\n", ("a", "b"), 1, "{}"),
        ("password: password{}\n", ("", "1"), 1, "password{}"),
    ],
    ids=["GitHub token", "private key", "value nobody told", "value alone", "short", "name"],
)
def test_evidence_sees_the_whole_value_whatever_part_the_scanner_names(
    make_project: Make, text: str, values: tuple[str, str], lines: int, named: str
) -> None:
    one, other, again = (
        anchor(
            make_project,
            text.format(value),
            secret(1, last=lines, value=named.format(value)),
            masked(named.format(value), lines=range(1, lines + 1)),
        )
        for value in (*values, values[0])
    )
    assert one.evidence != other.evidence
    assert one.evidence == again.evidence != ""
    assert one.parts == other.parts


@pytest.mark.parametrize(
    "text",
    [
        f'    password = "{VALUE}"\n',
        f"password='{VALUE}'\n",
        f'password = ("{VALUE}",)  # changed later\n',
        f'connect(password="{VALUE}")\n',
        f'other, password = "x", "{VALUE}"\n',
    ],
    ids=["indented", "quotes", "brackets and a comment", "in another statement", "beside another"],
)
def test_evidence_is_that_of_the_value_however_its_line_is_laid_out(
    make_project: Make, text: str
) -> None:
    def evidence(text: str) -> str:
        one = secret(1, "a.py", value=VALUE)
        return anchor(make_project, text, one, masked(VALUE, path="a.py")).evidence

    assert evidence(text) == evidence(f'password = "{VALUE}"\n')


def test_there_is_evidence_only_where_a_secret_stands(make_project: Make) -> None:
    def evidence(text: str, one: Observation) -> str:
        return anchor(make_project, text, one, masked(VALUE)).evidence

    assert evidence(LINE, code(1, "a.ini")) != ""
    assert evidence(LINE + "x = 1\n", code(2, "a.ini")) == ""
    assert evidence("\n", secret(1)) == ""
    assert evidence(LINE, replace(secret(1), location=Location("a.ini"))) == ""


def test_each_place_of_a_secret_has_an_anchor(make_project: Make) -> None:
    text = f'a = "{VALUE}"\n\ndef f():\n    b = "{VALUE}"\n    c = "{VALUE}"\n'
    places = tuple(Location("a.py", line) for line in (1, 4, 5))
    mask = masked(VALUE, path="a.py", lines=(1, 4, 5))
    one = replace(secret(4, "a.py", value=VALUE), places=places)
    call = guess(Location("a.py", 4, 4, 5, 9), VALUE)
    anchors = identity(make_project, "a.py", text, mask, key="k").anchors(one, [one, call])
    assert [anchor.line for anchor in anchors] == [4, 1, 5], "that of the location is the first"
    assert [anchor.place for anchor in anchors] == [places[1], places[0], places[2]]
    assert [anchor.parts.qualname for anchor in anchors] == ["f", "", "f"]
    assert len({anchor.parts for anchor in anchors}) == 3
    assert len({anchor.evidence for anchor in anchors}) == 1


@pytest.mark.usefixtures("bounded")
def test_thousands_of_places_take_linear_time(make_project: Make) -> None:
    text = "".join(f'f{number}(password="{VALUE}")\n' for number in range(5_000))
    places = tuple(Location("a.py", line) for line in range(1, 5_001))
    witnesses = [replace(secret(line, "a.py", value=VALUE), places=places) for line in (1, 2)]
    witnesses += [guess(place, VALUE) for place in places]
    mask = masked(VALUE, path="a.py", lines=range(1, 5_001))
    anchors = identity(make_project, "a.py", text, mask).anchors(witnesses[0], witnesses)
    assert len(anchors) == 5_000
    assert len({anchor.parts for anchor in anchors}) == 5_000


@pytest.mark.usefixtures("bounded")
def test_thousands_of_findings_in_one_statement_take_linear_time(make_project: Make) -> None:
    count = 2_000
    lines = [f'        ["0.0.0.0", g(x, {number})],\n' for number in range(count)]
    text = "def f(y):\n    x = [\n" + "".join(lines) + "    ] in x\n"
    for more in ({}, {"former": True}):
        sources = Sources(read_target(make_project({"a.py": text}, git_=False)))
        mask = masked(VALUE, path="a.py", lines=(5,))
        known = Identity(sources, mask, **more)  # type: ignore[arg-type]
        made = [
            known.anchors(code(Location("a.py", number + 3, number + 3, *columns)))[0]
            for number in range(count)
            for columns in ((10, 19), (21, 29 + len(str(number))), (None, None))
        ]
        assert len({anchor.parts for anchor in made}) >= count


# No value can be guessed from a hash: anyone could hash code with each word of a list.


@pytest.mark.parametrize(
    ("text", "line", "secret_line"),
    [
        ('run("{0}",\n    password="{0}", shell=True)\n', 1, 1),
        ('run("{0}",\n    password="{0}", shell=True)\n', 1, 2),
        ('def f():\n    x = "{0}"\n    run(x)\n', 3, 2),
        ('x = ["a",\n  "{0}"]\n', 1, 2),
        ('x = f"{0}{{y}}"\n', 1, 1),
        ("x = b'{0}'\n", 1, 1),
        ("def f():\n  for x in ['{0}']:\n    run(x)\n", 3, 2),
        ("x = {{'{0}': 1}}\n", 1, 1),
        ("x == '{0}'\n", 1, 1),
    ],
)
@pytest.mark.parametrize("key", [None, "k"])
def test_no_value_can_be_guessed_from_the_hashes_of_code(
    make_project: Make, text: str, line: int, secret_line: int, key: str | None
) -> None:
    made = [
        anchor(
            make_project,
            text.format(value),
            code(line),
            masked(value, path="a.py", lines=(secret_line,)),
            **({"key": key} if key else {}),
        )
        for value in (VALUE, OTHER)
    ]
    written = [(one.parts[:4], one.parts.code[:16], one.statement, one.inputs) for one in made]
    assert written[0] == written[1]
    if made[0].evidence:
        assert made[0].evidence != made[1].evidence
        assert made[0].unmasked != made[1].unmasked
        assert (made[0].parts != made[1].parts) == bool(key)


@pytest.mark.parametrize("path", ["a.py", "a.ini"])
@pytest.mark.parametrize(
    "text",
    [
        *('password == "{}"', '"{}" == password', 'password in ("a", "{}")', "x = '{}'.encode()"),
        *('f("{}")("a")', 'x = f("{}", "{}")', '{{"{}": "{}"}}', 'x["{}"] = "{}"', "{}"),
        *("password: {}", "password: a {}", "token {} {}", "x: {}: {}", "x={}={}", "{}=", "{}:"),
        *("https://{}:x@host", "# {}", "if [ '{}' = $x ]", "-p {} --x {}", "{} == x"),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
@pytest.mark.parametrize("values", [(VALUE, OTHER), ("c2VjcmV0cGFzcw==", "b3RoZXJwYXNz")])
def test_no_value_can_be_guessed_from_the_hash_of_a_secret(
    make_project: Make, path: str, text: str, named: bool, values: tuple[str, str]
) -> None:
    one, other = (
        parts(
            make_project,
            text.replace("{{", "{").replace("}}", "}").replace("{}", value) + "\n",
            secret(1, path, value=value if named else ""),
            masked(value, path=path),
        )
        for value in values
    )
    assert one == other


def test_a_value_that_is_no_secret_distinguishes_code(make_project: Make) -> None:
    mask = masked(VALUE, path="a.py", lines=(9,))
    one = parts(make_project, "run('ls')\n", code(1), mask)
    assert one != parts(make_project, "run('rm')\n", code(1), mask)


def test_secrets_of_other_files_do_not_change_code(make_project: Make) -> None:
    text = "run('job --id %s' % request_id, 'request_id')\n"
    alone, beside = (
        anchor(make_project, text, code(1), mask)
        for mask in (None, masked("request_id", "run", path="b.py"))
    )
    assert alone == beside
    ini = [
        anchor(make_project, "run = request_id", code(1, "a.ini"), mask)
        for mask in (None, masked("request_id", path="b.py"))
    ]
    assert ini[0] == ini[1]
    line = f'{{"request_id": "{VALUE}"}}'
    one = [
        anchor(make_project, line, secret(1, path, value=VALUE), masked(VALUE, *more, path=path))
        for path in ("a.py",)
        for more in ((), ("request_id",))
    ]
    assert one[0] == one[1]


def test_code_that_became_a_secret_later_is_known_as_it_was(make_project: Make) -> None:
    text = f'run("{VALUE}", shell=True)\n'
    before = anchor(make_project, text, code(1))
    after = anchor(make_project, text, code(1), masked(VALUE, path="a.py"))
    assert after.unmasked == before.parts.code != after.parts.code
    assert before.unmasked == ""


def test_a_known_token_is_masked_although_no_scanner_has_seen_it(make_project: Make) -> None:
    one, other = (
        anchor(make_project, f"run('AKIA' 'IOSFODNN7{word}')\n", code(1))
        for word in ("EXAMPLE", "EXAMPLF")
    )
    assert (one.parts, one.statement) == (other.parts, other.statement)


# Packages and misconfigurations.


def test_a_vulnerability_is_known_by_package_and_advisory_not_by_version(
    make_project: Make,
) -> None:
    def vulnerable(version: str) -> Observation:
        return Observation(
            scanner="trivy",
            category=Category.VULNERABILITY,
            rule=Rule("CVE-1", "CVE-1", "t"),
            title="t",
            message="m",
            package=Package("a", version, f"pkg:pypi/a@{version}"),
            advisory=Advisory("CVE-1"),
        )

    one = parts(make_project, "", vulnerable("1"))
    assert one == parts(make_project, "", vulnerable("2"))
    assert (one.rule, one.path) == ("CVE-1", "pkg:pypi/a")


def test_a_licence_is_known_by_package_and_expression(make_project: Make) -> None:
    def licensed(facts: LicenseFacts) -> Observation:
        return Observation(
            scanner="licenses",
            category=Category.LICENSE,
            rule=Rule("license", "license", "t"),
            title="t",
            message="m",
            package=Package("a", "1", "pkg:pypi/a@1"),
            license=facts,
        )

    assert parts(make_project, "", licensed(LicenseFacts("MIT"))).rule == "MIT"
    classified = LicenseFacts(classifiers=("A", "B"))
    assert parts(make_project, "", licensed(classified)).rule == "A; B"
    whole = [LicenseFacts(text=f"Permission is hereby granted {end}" * 9) for end in ("a", "b")]
    one, other = (parts(make_project, "", licensed(facts)).rule for facts in whole)
    assert len(one) == HASH_DIGITS, "a whole text in the wrong field is no name"
    assert one != other


def test_a_misconfiguration_is_known_by_check_path_and_resource(make_project: Make) -> None:
    one = Observation(
        scanner="trivy",
        category=Category.MISCONFIGURATION,
        rule=Rule("DS-0002", "n", "t"),
        title="t",
        message="m",
        location=Location("Dockerfile", 1),
        resource="USER root",
    )
    assert parts(make_project, "", one) == Parts(
        "misconfiguration", "DS-0002", "Dockerfile", "", text_hash("USER root")
    )
    bare = replace(one, resource="")
    assert parts(make_project, "USER  root\n", bare) == parts(make_project, "USER root", bare)
    assert parts(make_project, "USER root", bare) != parts(make_project, "USER me", bare)
    assert parts(make_project, "", replace(bare, location=Location("Dockerfile"))).code == ""


def test_equal_findings_are_numbered_in_order() -> None:
    same = Parts("code", "B602", "a.py", "f", "x")
    assert fingerprint(same, 0) != fingerprint(same, 1)
    assert len(fingerprint(same, 0)) == 64
