"""Entries of baselines of version 1 are known by what that version computed."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from scanagg.core.masks import MASK
from scanagg.core.redact import Redactor
from scanagg.findings.fingerprint import Identity
from scanagg.findings.former import _masked_parts
from scanagg.model import Category, Location, Observation, Parts, Rule, Secret
from scanagg.project.sources import Sources
from scanagg.project.target import read_target

Make = Callable[..., Path]
VALUE, OTHER = "hunter2hunter2", "other2other2"


def observed(
    category: Category, line: int, path: str = "a.py", last: int | None = None, resource: str = ""
) -> Observation:
    return Observation(
        scanner="detect-secrets" if category is Category.SECRET else "bandit",
        category=category,
        rule=Rule("B602", "n", "t"),
        title="t",
        message="m",
        location=Location(path, line, last),
        resource=resource,
        secret=Secret("digest") if category is Category.SECRET else None,
    )


def former(
    make_project: Make,
    text: str,
    one: Observation,
    *values: str,
    lines: Iterable[int] = (),
    key: str | None = None,
) -> tuple[Parts, ...]:
    path = one.location.path if one.location else "a.py"
    sources = Sources(read_target(make_project({path: text}, git_=False)))
    identity = Identity(sources, Redactor(values, {path: lines}), key=key, former=True)
    return identity.anchors(one)[0].former


def of_tokens(*tokens: str) -> str:
    return hashlib.sha256("\x1f".join(tokens).encode()).hexdigest()[:16]


CALL = ("run", '"ls"', "shell", "=", "True")


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("run('ls', shell=True)\n", 1, Parts("code", "B602", "a.py", "", of_tokens(*CALL))),
        (
            "def f():\n    run(\n        u'ls',  # why\n        shell=True,\n    )\n",
            3,
            Parts("code", "B602", "a.py", "f", of_tokens(*CALL)),
        ),
        ("if x: run(0XFF)\n", 1, Parts("code", "B602", "a.py", "", of_tokens("run", "0xff"))),
        (
            "match x:\n    case [1,\n          2]:\n        run(x)\n",
            3,
            Parts("code", "B602", "a.py", "", of_tokens("[", "1", "2", "]", ":")),
        ),
        ("@property\ndef f(): pass\n", 1, Parts("code", "B602", "a.py", "", of_tokens("property"))),
        ("def broken(:\n", 1, Parts("code", "B602", "a.py", "", of_tokens("def", "broken", ":"))),
        ("x = 1\n# no  sec\n", 2, Parts("code", "B602", "a.py", "", of_tokens("#nosec"))),
        (
            "f(r'\\d', 'it\\'s', F'''{x}''')\n",
            1,
            Parts("code", "B602", "a.py", "", of_tokens("f", 'r"\\d"', '"it\'s"', 'f"{x}"')),
        ),
    ],
)
def test_code_was_known_by_the_tokens_of_its_statement(
    make_project: Make, text: str, line: int, parts: Parts
) -> None:
    assert former(make_project, text, observed(Category.CODE, line)) == (parts,)


def test_lines_of_other_files_and_misconfigurations(make_project: Make) -> None:
    line = of_tokens("eval$1")
    one = observed(Category.CODE, 1, "run.sh")
    assert former(make_project, "eval  $1\n", one)[0].code == line
    bare = observed(Category.MISCONFIGURATION, 1, "Dockerfile")
    assert former(make_project, "USER  root\n", bare)[0].code == of_tokens("USERroot")
    named = replace(bare, resource="USER root")
    assert former(make_project, "USER  root\n", named)[0].code == of_tokens("USER root")


def test_a_secret_was_known_by_its_masked_line(make_project: Make) -> None:
    one = observed(Category.SECRET, 1)
    (parts,) = former(make_project, f'password = "{VALUE}"\n', one, VALUE, lines=(1,))
    assert parts == Parts("secret", "", "a.py", "", of_tokens("password", "=", f'"{MASK}"'))
    keyed, other, again = (
        former(make_project, f'password = "{value}"\n', one, value, lines=(1,), key="k")[0]
        for value in (VALUE, OTHER, VALUE)
    )
    assert keyed.code[:16] == parts.code
    assert len(keyed.code) == 28
    assert keyed == again != other


def test_code_with_a_secret_was_known_without_its_strings(make_project: Make) -> None:
    text = 'run("{}", shell=True)\n'
    made = [
        former(make_project, text.format(value), observed(Category.CODE, 1), value, lines=(1,))
        for value in (VALUE, OTHER)
    ]
    masked = of_tokens("run", MASK, "shell", "=", "True")
    assert [one[0].code for one in made] == [masked, masked]
    assert made[0][1].code == of_tokens("run", f'"{VALUE}"', "shell", "=", "True"), (
        "an entry of before the secret was known"
    )


def test_values_of_the_run_were_masked_anywhere(make_project: Make) -> None:
    one = observed(Category.CODE, 1)
    parts, unmasked = former(make_project, f'run("{VALUE}")\n', one, VALUE)
    assert parts.code == of_tokens("run", f'"{MASK}"')
    assert unmasked.code == of_tokens("run", f'"{VALUE}"')


def test_a_password_in_code_had_its_category_and_rule(make_project: Make) -> None:
    one = observed(Category.CODE, 1)
    one = replace(one, rule=Rule("B105", "n", "t"), secret=Secret(value=VALUE))
    parts, _ = former(make_project, f'password = "{VALUE}"\n', one, VALUE, lines=(1,))
    assert (parts.category, parts.rule) == ("code", "B105")


KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nAAAAB3NzaC1yc2EAAAADAQABAAAB\n-----END RSA PRIVATE KEY\n"
)


@pytest.mark.parametrize(
    ("text", "values", "lines", "mask"),
    [
        ('token = "ghp_{}"\n', ("0" * 36, "9" * 36), 1, "ghp"),
        (KEY, ("MIIEpAIBAAKCAQEA1", "MIIEpAIBAAKCAQEA2"), 4, "BEGIN RSA PRIVATE KEY"),
        ('x = ["' + "0" * 600 + '{}"]', ("1", "2"), 1, "0" * 16),
        ("password: {}\n", ("one word", "two words"), 1, "x"),
    ],
    ids=["GitHub token", "private key", "long line", "value nobody told"],
)
def test_the_digest_was_one_of_the_whole_value(
    make_project: Make, text: str, values: tuple[str, str], lines: int, mask: str
) -> None:
    one, other = (
        former(
            make_project,
            text.format(value),
            observed(Category.SECRET, 1, "a.ini", lines),
            mask,
            lines=range(1, lines + 1),
            key="k",
        )[0].code[16:]
        for value in values
    )
    assert len(one) == 12
    assert one != other


@pytest.mark.parametrize("masked_line", ["other", "*** b", "a *** c *** b", "a = ***"])
def test_a_mask_that_does_not_fit_the_line_takes_nothing(masked_line: str) -> None:
    assert _masked_parts("a = 1", masked_line) == ("1" if masked_line == "a = ***" else "")


def test_without_a_baseline_of_version_1_nothing_is_computed(make_project: Make) -> None:
    sources = Sources(read_target(make_project({"a.py": "run()\n"}, git_=False)))
    anchors = Identity(sources, Redactor([], {})).anchors(observed(Category.CODE, 1))
    assert [one.former for one in anchors] == [()]
