"""Secrets are masked, and the rest stays as readable as possible."""

import pytest

from scanagg.core.redact import Redactor


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
