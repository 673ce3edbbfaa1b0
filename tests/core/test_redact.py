"""Secrets are masked, and the rest stays as readable as possible."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanagg.core.masks import MASK
from scanagg.core.redact import (
    Redactor,
    mask_known,
    mask_line,
    shown_path,
    unlike,
    with_hosts_only,
)


def test_a_known_value_is_masked_everywhere() -> None:
    mask = Redactor(["hunter2hunter2"], {})
    assert mask.text("password hunter2hunter2 found") == "password *** found"
    assert mask.line("a.py", 1, "x = 'hunter2hunter2'") == "x = '***'"


def test_a_short_value_is_masked_on_its_line_only() -> None:
    mask = Redactor(["root"], {"a.py": [3]})
    assert mask.text("the image runs as root") == "the image runs as root"
    assert "root" not in mask.line("a.py", 3, "login root now")


def test_a_plain_word_is_masked_on_its_line_only_and_not_inside_other_words() -> None:
    mask = Redactor(["password"], {"a.py": [3]})
    assert mask.text("a hardcoded password") == "a hardcoded password"
    assert mask.line("a.py", 3, "if passwords == 'password':") == "if passwords == '***':"


def test_beside_a_known_value_the_line_stays_readable() -> None:
    mask = Redactor(["hunter2hunter2"], {"a.py": [1]})
    line = "login('admin', 'hunter2hunter2')  # see 'docs'"
    assert mask.line("a.py", 1, line) == "login('admin', '***')  # see 'docs'"


def test_another_possible_key_beside_a_known_value_is_masked() -> None:
    mask = Redactor(["hunter2hunter2"], {"a.py": [1]})
    assert "AKIAIOSFODNN7EXAMPLE" not in mask.line(
        "a.py", 1, "login('hunter2hunter2', 'AKIAIOSFODNN7EXAMPLE')"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('assert read("freshpass")', 'assert read("***")'),
        ("get('https://me:freshpass@x.invalid')", "get('https://***@x.invalid')"),
        ("freshpass = ask()", "freshpass = ask()"),
    ],
)
def test_a_plain_word_on_another_line_is_masked_as_a_value_only(line: str, shown: str) -> None:
    assert Redactor(["freshpass"], {"a.py": [3]}).line("b.py", 1, line) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://ghtok3nXX@x.invalid/a", "see https://***@x.invalid/a"),
        ("git+https://me:pw1234@x.invalid", "git+https://***@x.invalid"),
        ("https://x.invalid/f.whl?a=1&token=ZQXJ4abc#e", "https://x.invalid/f.whl?a=1&token=***"),
        ("mysql --password=ZQ1 -h x", "mysql --password=*** -h x"),
        ("curl -u admin:ZQ1 https://x.invalid", "curl -u admin:*** https://x.invalid"),
        ("https://x.invalid/a?page=2", "https://x.invalid/a?page=2"),
    ],
)
def test_credentials_in_addresses_and_options_are_masked(text: str, shown: str) -> None:
    mask = Redactor([], {})
    assert mask.text(text).startswith(shown.partition("#")[0])
    assert "ZQ" not in mask.line("a.sh", 1, text)


def test_other_possible_values_beside_a_known_one_are_masked() -> None:
    mask = Redactor(["ZQXJ18known"], {"a.py": [1]})
    shown = mask.line("a.py", 1, 'KEY = "ZQXJ18known" "impl1cit" + x["name"]')
    assert shown == 'KEY = "***" "***" + x["name"]'


def test_the_longest_value_goes_first() -> None:
    mask = Redactor(["secret", "secret-and-more"], {})
    assert mask.text("a secret-and-more b") == "a *** b"


@given(
    st.sets(st.text("ab1_", min_size=1, max_size=9), max_size=12),
    st.lists(st.text("ab1_ =", max_size=12), max_size=9),
)
def test_many_values_are_masked_as_one_at_a_time(values: set[str], texts: list[str]) -> None:
    """The longest value that is there is masked: the short ones as whole words only."""
    ordered = sorted(values, key=lambda value: (-len(value), value))
    short = re.compile(r"[a-z]+|.{0,5}")
    patterns = (
        rf"(?<!\w){re.escape(value)}(?!\w)" if short.fullmatch(value) else re.escape(value)
        for value in ordered
    )
    expected = re.compile("|".join(patterns) or r"(?!)")
    for text in texts:
        found = Redactor(values, {"a": [1]})._on_the_line
        assert [m.span() for m in found.finditer(text)] == [
            m.span() for m in expected.finditer(text)
        ]


def test_values_of_growing_length_need_no_deep_recursion() -> None:
    values = ["a" * length + "1" for length in range(6, 400)]
    masked = Redactor(values, {}).text(f"{values[-1]} {values[0]} aaa1")
    assert masked == f"{MASK} {MASK} aaa1"


def test_each_line_of_a_long_value_is_masked() -> None:
    mask = Redactor(["first-part\nsecond-part"], {})
    assert mask.text("x second-part y") == "x *** y"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password = 'a b' + \"c\"", "password = '***' + \"***\""),
        ("password: hunter2", "password: ***"),
        ("export TOKEN=abc def", "export TOKEN=***"),
        ('connect(password="it\\"s")', 'connect(password="***")'),
        ("MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmUoIMudaLGqVLkmQ", "***"),
        ("x = 'open ended", "x = '***'"),
        ("use some_long_function_name here", "use some_long_function_name here"),
    ],
)
def test_on_a_secrets_line_everything_that_can_be_a_value_is_masked(line: str, shown: str) -> None:
    assert Redactor([], {"a.py": [1]}).line("a.py", 1, line) == shown


def test_other_lines_stay_as_they_are() -> None:
    mask = Redactor([], {"a.py": [1]})
    assert mask.line("a.py", 2, "password = 'a'") == "password = 'a'"
    assert mask.covers("a.py", 1)
    assert not mask.covers("b.py", 1)


def test_an_empty_value_masks_nothing() -> None:
    assert Redactor(["", "  "], {}).text("a b") == "a b"


def test_a_very_long_line_is_cut_but_not_inside_a_value() -> None:
    secret = "s3cr3t-" * 30
    line = "x" * 1950 + f" '{secret}' " + "y" * 3_000_000
    shown = Redactor([secret], {"a.json": [1]}).line("a.json", 1, line)
    assert len(shown) <= 2000
    assert "s3cr3t" not in shown


_HEX = "0123456789abcdef"
_MIXED = "a1B2" * 9
_KNOWN = (
    *("AKIA" + "Z7Q2" * 4, "ASIA" + "Z7Q2" * 4, f"ghp_{_MIXED}", f"ghs_{_MIXED}"),
    *(f"github_pat_{_MIXED}", f"glpat-{_MIXED}", "xoxb-1234567890-a1B2", "npm_" + "aB1" * 12),
    *(f"sk_live_{_MIXED}", f"pypi-AgEIcHlwaS5vcmc{_MIXED}", "AIza" + "a1B2c" * 7),
    *(f"SG.{_MIXED}.{_MIXED}", "hf_" + "aB1" * 11, "AC" + _HEX * 2, f"sk-{_MIXED}"),
    *("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.a1B2-c_", "1234567890:" + "a1B2c" * 7),
    *("dop_v1_" + _HEX * 4, "shpat_" + _HEX * 2, _HEX * 2 + "-us12", f"hvs.{_MIXED}"),
)


@pytest.mark.parametrize("token", _KNOWN)
def test_a_token_with_a_form_of_its_own_is_masked_without_any_scanner(token: str) -> None:
    assert mask_known(token) == MASK
    assert mask_known(f"x_{token}, then") == f"x_{MASK}, then"
    assert shown_path(f"a/{token}.txt") == f"a/{MASK}.txt"
    assert shown_path(f"{token}/b-{token}.py") == f"{MASK}/b-{MASK}.py"


@pytest.mark.parametrize(
    "text",
    [
        *("sk-learn-contrib-with-a-long-name", "k8s/gateway-configuration-for-production.yaml"),
        *("sha256-0123456789abcdef0123456789abcdef.whl", "tokens/api_key/password.py"),
        *("550e8400-e29b-41d4-a716-446655440000", "global-something-nice-and-long-name"),
        *("https://x.example/a@1.0", "mail me@x.example", "a/key=5/country=DE/part-0001.parquet"),
    ],
)
def test_what_is_no_token_stays(text: str) -> None:
    assert (mask_known(text), shown_path(text)) == (text, text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/token=zz9.env", "a/token=***.env"),
        ("API_KEY=zz9/x.txt", "API_KEY=***/x.txt"),
        ("db-password=a=b", "db-password=***"),
        ("https:/me:zz9@x/y", "https:/me:zz9@x/y"),
        ("\udcff.py", "\\xff.py"),
    ],
)
def test_a_path_is_shown_without_the_values_of_secret_names(name: str, shown: str) -> None:
    assert shown_path(name) == shown
    assert shown_path(shown) == shown


def test_paths_that_look_alike_are_numbered() -> None:
    taken: set[str] = set()
    for path in (
        "a/***.py",
        "a/***.py",
        "a/*** (2).py",
        "\\xff/Pipfile",
        "\\xff/Pipfile",
        "b",
        "b",
    ):
        taken.add(unlike(path, taken))
    assert taken == {
        *("a/***.py", "a/*** (2).py", "a/*** (2) (2).py", "b", "b (2)"),
        *("\\xff/Pipfile", "\\xff (2)/Pipfile"),
    }


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password = hunter2", "password = ***"),
        ("Tr0ub4dor correcthorsebatterystaple", "*** ***"),
        ("flask = 1.0.0rc1 ???", "flask = 1.0.0rc1 ???"),
        ("x @ https://me:zz9@x.example", "x @ https://***@***"),
        ("--index-url 0123456", "--index-url ***"),
    ],
)
def test_an_unreadable_line_is_shown_without_possible_values(line: str, shown: str) -> None:
    assert mask_line(line) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # Also credentials with characters that had to be encoded, for which nothing can parse it.
        ("fetch: https://u:word@x.example:8/a/b/: refused", "fetch: https://x.example:8: refused"),
        ("'https://u:a/word@x.example/a' for --x", "'https://x.example' for --x"),
        ("url (https://u:a@word@x.example/a): x", "url (https://x.example): x"),
        ("https://u:a#word@x.example/a.", "https://x.example."),
        ("'https://u:word' is cut at a comma", "'https://u' is cut at a comma"),
        ("`u:word@x.example` has no scheme", "`x.example` has no scheme"),
        ("https://x.example/word/simple?token=word", "https://x.example"),
        ("read from file:///a/b, a @ c", "read from file:///a/b, a @ c"),
    ],
)
def test_of_an_address_in_a_message_only_the_host_is_shown(text: str, shown: str) -> None:
    assert with_hosts_only(text) == shown
