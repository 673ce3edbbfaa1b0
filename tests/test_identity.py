"""A fingerprint survives what does not change the weakness, and changes with what does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanagg.identity import Identity, Parts, outline, token_hash
from scanagg.model import (
    Advisory,
    Category,
    LicenseFacts,
    Location,
    Observation,
    Package,
    Rule,
    Secret,
)
from scanagg.redact import Redactor
from scanagg.sources import Sources
from scanagg.target import read_target

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


def secret(line: int, digest: str | None = None) -> Observation:
    return Observation(
        scanner="detect-secrets",
        category=Category.SECRET,
        rule=Rule("secret-keyword", "k", "k"),
        title="t",
        message="m",
        location=Location("a.ini", line),
        secret=Secret(digest),
    )


def parts(make_project: Make, text: str | bytes, one: Observation, **more: object) -> Parts:
    path = one.location.path if one.location else "a.py"
    sources = Sources(read_target(make_project({path: text}, git_=False)))
    mask = more.pop("mask", Redactor([], {}))
    return Identity(sources, mask, **more).parts(one)  # type: ignore[arg-type]


def test_a_finding_is_known_by_its_smallest_statement_and_its_qualified_name(
    make_project: Make,
) -> None:
    sources = Sources(read_target(make_project({"a.py": CODE}, git_=False)))
    identity = Identity(sources, Redactor([], {}))
    statement = identity.parts(code(9))
    assert statement == identity.parts(code(10)), "a call over two lines is one statement"
    assert statement.qualname == "Tool.run"
    assert identity.parts(code(13)) != statement
    assert identity.parts(code(1)).qualname == ""


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


def test_a_changed_statement_is_another_one(make_project: Make) -> None:
    before = parts(make_project, CODE, code(9))
    assert parts(make_project, CODE.replace('"ls "', '"rm "'), code(9)) != before


def test_a_function_header_is_known_without_its_body_and_decorators(make_project: Make) -> None:
    before = parts(make_project, CODE, code(6))
    changed = CODE.replace("            pass\n", "            raise\n")
    changed = changed.replace("    @property\n", "    @a(1)\n    @property\n")
    assert parts(make_project, changed, code(7)) == before


def test_a_handler_is_told_from_its_try(make_project: Make) -> None:
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
    line = text.split("\n", maxsplit=1)[0]
    assert parts(make_project, text, code(1)).statement == "".join(line.split())


def test_a_line_after_the_last_statement_is_known_by_its_text(make_project: Make) -> None:
    assert parts(make_project, "x = 1\n# nosec  here\n", code(2)).statement == "#nosechere"


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


def test_a_secret_is_known_without_its_value(make_project: Make) -> None:
    mask = Redactor(["hunter2hunter2"], {"a.ini": [1]})
    known = parts(make_project, "password = hunter2hunter2\n", secret(1, "digest"), mask=mask)
    assert "hunter2" not in known.statement
    assert "digest" not in known.statement


def test_with_a_project_key_another_value_on_the_line_is_another_secret(
    make_project: Make,
) -> None:
    mask = Redactor([], {"a.ini": [1]})
    text = "password = a\n"
    one = parts(make_project, text, secret(1, "d1"), mask=mask, key="k")
    other = parts(make_project, text, secret(1, "d2"), mask=mask, key="k")
    assert one != other
    assert one != parts(make_project, text, secret(1, "d1"), mask=mask, key="other key")


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
        "misconfiguration", "DS-0002", "Dockerfile", "", "USER root"
    )


def test_equal_findings_are_told_apart_by_their_order() -> None:
    same = Parts("code", "B602", "a.py", "f", "x")
    assert same.fingerprint(0) != same.fingerprint(1)
    assert len(same.fingerprint(0)) == 64


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


@given(st.text(max_size=200))
def test_no_text_breaks_the_outline_or_the_lexer(text: str) -> None:
    assert len(token_hash(text)) == 16
    made = outline(text)
    if made is not None:
        for line in range(1, text.count("\n") + 3):
            found = made.at(line)
            assert found is None or len(found[1]) == 16
