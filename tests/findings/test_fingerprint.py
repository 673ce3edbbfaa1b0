"""A fingerprint changes only with edits that change the weakness."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scanagg.core.redact import Redactor
from scanagg.findings.fingerprint import (
    HASH_DIGITS,
    Identity,
    _masked_parts,
    fingerprint,
    outline,
    text_hash,
    token_hash,
)
from scanagg.model import (
    Advisory,
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


def code(line: int, path: str = "a.py", rule: str = "B602") -> Observation:
    return Observation(
        scanner="bandit",
        category=Category.CODE,
        rule=Rule(rule, rule, rule),
        title="t",
        message="m",
        location=Location(path, line),
    )


def secret(line: int, path: str = "a.ini", last: int | None = None) -> Observation:
    return Observation(
        scanner="detect-secrets",
        category=Category.SECRET,
        rule=Rule("secret-keyword", "k", "k"),
        title="t",
        message="m",
        location=Location(path, line, last),
        secret=Secret("the scanner's digest"),
    )


def identity(
    make_project: Make, path: str, text: str | bytes, mask: Redactor | None = None, **more: str
) -> Identity:
    sources = Sources(read_target(make_project({path: text}, git_=False)))
    return Identity(sources, mask or Redactor([], {}), **more)


def parts(
    make_project: Make,
    text: str | bytes,
    one: Observation,
    mask: Redactor | None = None,
    **more: str,
) -> Parts:
    path = one.location.path if one.location else "a.py"
    return identity(make_project, path, text, mask, **more).parts(one)


def evidence(make_project: Make, text: str, one: Observation, mask: Redactor) -> str:
    path = one.location.path if one.location else "a.ini"
    return identity(make_project, path, text, mask).evidence(one)


def test_a_finding_is_known_by_its_smallest_statement_and_its_qualified_name(
    make_project: Make,
) -> None:
    one = identity(make_project, "a.py", CODE)
    statement = one.parts(code(9))
    assert statement == one.parts(code(10)), "a call over two lines is one statement"
    assert statement.qualname == "Tool.run"
    assert one.parts(code(13)) != statement
    assert one.parts(code(1)).qualname == ""


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


def test_the_qualified_name_leads_through_classes_and_functions_of_any_kind(
    make_project: Make,
) -> None:
    text = "class A:\n    async def f(self):\n        def g():\n            run()\n        x = g\n"
    one = identity(make_project, "a.py", text)
    assert [one.parts(code(line)).qualname for line in (1, 2, 3, 4, 5)] == [
        *("", "A", "A.f", "A.f.g", "A.f"),
    ]


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


def test_statements_of_one_line_share_it_with_the_header_before_them(make_project: Make) -> None:
    assert parts(make_project, CODE, code(13)).statement == token_hash("subprocess.run(name)")


def test_a_case_has_its_pattern_as_header(make_project: Make) -> None:
    text = "match x:\n    case [1,\n          2]:\n        run(x)\n"
    assert parts(make_project, text, code(3)).statement == token_hash("[1, 2]:")
    assert parts(make_project, text, code(4)).statement == token_hash("run(x)")


def test_a_decorator_is_a_place_of_its_own(make_project: Make) -> None:
    assert parts(make_project, CODE, code(5)).statement == token_hash("property")


@pytest.mark.parametrize("text", ["def broken(:\n  x = 1\n", "x = 1\0\n", "(" * 3000])
def test_what_does_not_parse_is_known_by_its_line(make_project: Make, text: str) -> None:
    line = text.split("\n", maxsplit=1)[0].replace("\0", "")
    assert parts(make_project, text, code(1)).statement == token_hash(line)


def test_a_line_after_the_last_statement_is_known_by_its_text(make_project: Make) -> None:
    known = parts(make_project, "x = 1\n# nosec  here\n", code(2))
    assert known.statement == text_hash("#nosechere")


def test_other_languages_are_known_by_the_line(make_project: Make) -> None:
    one = code(1, path="run.sh")
    assert parts(make_project, "eval   $1\n", one) == parts(make_project, " eval $1\n", one)


def test_a_line_that_is_not_there_is_no_error(make_project: Make) -> None:
    assert parts(make_project, CODE, code(99)).statement == ""


def test_a_path_is_that_of_the_repository_in_composed_form(make_project: Make) -> None:
    one = code(1, path="u\u0308.py")
    assert parts(make_project, "x = 1", one, prefix="sub/").path == "sub/\u00fc.py"


def test_a_renamed_rule_keeps_its_identity(make_project: Make) -> None:
    assert parts(make_project, CODE, code(9, rule="B303")) == parts(
        make_project, CODE, code(9, rule="B324")
    )


VALUE = "hunter2hunter2"
LINE = f"password = {VALUE}\n"


def masked(*values: str, path: str = "a.ini", lines: tuple[int, ...] = (1,)) -> Redactor:
    return Redactor(values, {path: lines})


def test_a_secret_is_known_without_its_value(make_project: Make) -> None:
    one = parts(make_project, LINE, secret(1), masked(VALUE))
    other = parts(make_project, "password = other2other2\n", secret(1), masked("other2other2"))
    assert one == other
    assert len(one.statement) == 16


def test_with_a_project_key_another_value_on_the_line_is_another_secret(
    make_project: Make,
) -> None:
    one = parts(make_project, LINE, secret(1), masked(VALUE), key="k")
    text = "password = other2other2\n"
    other = parts(make_project, text, secret(1), masked("other2other2"), key="k")
    assert one.statement[:16] == other.statement[:16]
    assert one.statement[16:] != other.statement[16:]
    assert len(one.statement) == 28
    assert one != parts(make_project, LINE, secret(1), masked(VALUE), key="another key")


GITHUB = 'token = "ghp_{}"\n'
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nAAAAB3NzaC1yc2EAAAADAQABAAAB\n-----END RSA PRIVATE KEY\n"
)


@pytest.mark.parametrize(
    ("text", "values", "lines", "mask"),
    [
        (GITHUB, ("0123456789abcdefghij0123456789abcdef", "9" * 36), 1, ("ghp",)),
        (KEY, ("MIIEpAIBAAKCAQEA1", "MIIEpAIBAAKCAQEA2"), 4, ("BEGIN RSA PRIVATE KEY",)),
        ('x = ["' + "0" * 600 + '{}"]', ("1", "2"), 1, ("0" * 16,)),
        ("password: {}\n", ("one word", "two words"), 1, ()),
        ("{}\n", ("correct", "horse"), 1, ()),
    ],
    ids=["GitHub token", "private key", "long line", "value nobody told", "value alone"],
)
def test_evidence_sees_the_whole_value_whatever_part_the_scanner_hashes(
    make_project: Make, text: str, values: tuple[str, str], lines: int, mask: tuple[str, ...]
) -> None:
    hides = masked(*mask, lines=tuple(range(1, lines + 1)))
    one, other = (
        evidence(make_project, text.format(value), secret(1, last=lines), hides) for value in values
    )
    assert one != other
    assert one == evidence(make_project, text.format(values[0]), secret(1, last=lines), hides)


@pytest.mark.parametrize(
    "text",
    [
        f'    password = "{VALUE}"\n',
        f"password='{VALUE}'\n",
        f'password = ("{VALUE}",)  # changed later\n',
        f'connect(password="{VALUE}")\n',
    ],
    ids=["indented", "quotes", "brackets and a comment", "in another statement"],
)
def test_evidence_is_that_of_the_value_however_its_line_is_laid_out(
    make_project: Make, text: str
) -> None:
    mask = masked(VALUE, path="a.py")
    one = evidence(make_project, f'password = "{VALUE}"\n', secret(1, "a.py"), mask)
    assert evidence(make_project, text, secret(1, "a.py"), mask) == one


def test_there_is_evidence_only_where_a_secret_stands(make_project: Make) -> None:
    assert evidence(make_project, LINE, code(1, "a.ini"), masked(VALUE)) != ""
    assert evidence(make_project, LINE + "x = 1\n", code(2, "a.ini"), masked(VALUE)) == ""
    assert evidence(make_project, "\n", secret(1), masked(VALUE)) == ""
    assert (
        evidence(make_project, LINE, replace(secret(1), location=Location("a.ini")), masked()) == ""
    )


def test_no_value_can_be_guessed_from_the_hash_of_a_statement_around_it(
    make_project: Make,
) -> None:
    """Anyone could hash the statement with each word of a list, and compare."""
    text = 'run("{0}",\n    password="{0}", shell=True)\n'
    for lines in ((1, 2), (2,)):
        one, other = (
            parts(
                make_project, text.format(value), code(1), masked(value, path="a.py", lines=lines)
            )
            for value in (VALUE, "other2other2")
        )
        assert one == other


def test_a_value_that_is_no_secret_distinguishes_statements(make_project: Make) -> None:
    one = parts(make_project, "run('ls')\n", code(1), masked(VALUE, path="a.py", lines=(9,)))
    assert one != parts(
        make_project, "run('rm')\n", code(1), masked(VALUE, path="a.py", lines=(9,))
    )


@pytest.mark.parametrize("masked_line", ["other", "*** b", "a *** c *** b", "a = ***"])
def test_a_mask_that_does_not_fit_the_line_takes_nothing(masked_line: str) -> None:
    assert _masked_parts("a = 1", masked_line) == ("1" if masked_line == "a = ***" else "")


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
    assert parts(make_project, "", replace(bare, location=Location("Dockerfile"))).statement == ""


def test_equal_findings_are_numbered_in_order() -> None:
    same = Parts("code", "B602", "a.py", "f", "x")
    assert fingerprint(same, 0) != fingerprint(same, 1)
    assert len(fingerprint(same, 0)) == 64


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f('a', 0XFF)", 'f("a",0xff,)'),
        ("x = ('it\\'s')", 'x = "it\'s"'),
        ("f(u'a')", "f('a')"),
        ("f(F'{x}')", 'f(f"{x}")'),
        ("f('''a''')", 'f("""a""")'),
        ("a = b + \\\n  c", "a = (b + c)  # sum"),
    ],
)
def test_a_formatter_does_not_change_the_tokens(one: str, other: str) -> None:
    assert token_hash(one) == token_hash(other)


@pytest.mark.parametrize(
    ("one", "other"), [("f(a)", "f(b)"), ("f('a')", "f('b')"), ("a b", "ab"), ("r'a'", "'a'")]
)
def test_other_tokens_hash_otherwise(one: str, other: str) -> None:
    assert token_hash(one) != token_hash(other)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_outline_or_the_lexer(text: str) -> None:
    assert len(token_hash(text)) == 16
    made = outline(text)
    if made is not None:
        for line in range(1, text.count("\n") + 3):
            found = made.at(line)
            assert found is None or found.text in text
