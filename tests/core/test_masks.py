"""A masked line keeps names and structure, describes values, and shows no part of them."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanagg.core.masks import described, is_name
from scanagg.core.redact import Redactor, mask_known

_HEX = "0123456789abcdef"
_TOKEN = _HEX[::-1] * 2 + "01234567"
_SHOWN = "***(40 characters, hex)"
_SHORT = "***(under 8 characters)"
_FORMS = (
    *("API_KEY={}", "export API_KEY='{}'", "ENV DEBUG=1 API_KEY={}", "ARG API_KEY={}"),
    *("api_key: {}", '- api_key: "{}"', "  api.key = {}", "api-key:{}", "api_key => '{}',"),
    *('API_KEY = "{}"', 'api_key: str = "{}"  # from the vault', "call(user, api_key='{}')"),
    *('config["apiKey"] = "{}"', 'const apiKey = "{}";', 'apiKey := "{}"', 'if apiKey == "{}":'),
    *('{{"api_key": "{}", "retries": 3}}', '{{"a":1,"oauth2_key":"{}","b":[1,2]}}'),
    *('"    \\"api_key\\": \\"{}\\"\\n",', "<api_key>{}</api_key>", '<add api-key="{}" />'),
    *(
        "run --api-key {} --verbose",
        "run --api-key={}",
        'curl -H "X-Api-Key: {}" -s',
        "AWS_S3_KEY={}",
    ),
    *("oauth2TokenForDevelopment2 = '{}'", "ApplicationSecretKeyBase: {}"),
)


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_names_quotes_and_structure_stay(form: str, known: bool) -> None:
    mask = Redactor([_TOKEN] if known else [], {"a": [1]})
    shown = mask.shown_line("a", 1, form.format(_TOKEN))
    if known:
        assert shown == form.format(_SHOWN)
    name = re.search(r"[\w.-]*(?:key|token)[\w.-]*", form, re.IGNORECASE)
    assert name and name.group() in shown  # the other words may be the secret
    assert _SHOWN in shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("url = postgres://app:{}@db:5432/app", "url = postgres://app:{}@db:5432/app"),
        ('"redis://:{}@cache.example/0"', '"redis://:{}@cache.example/0"'),
        ("git clone https://{}@git.example/a.git", "git clone https://{}@git.example/a.git"),
        ("Authorization: Bearer {}", "Authorization: Bearer {}"),
        ("slack: https://hooks.example/{}", "slack: https://hooks.example/{}"),
        ('{{"Authorization": "Basic {}"}}', '{{"Authorization": "Basic {}"}}'),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_users_hosts_and_schemes_stay(line: str, shown: str, known: bool) -> None:
    mask = Redactor([_TOKEN] if known else [], {"a": [1]})
    assert mask.shown_line("a", 1, line.format(_TOKEN)) == shown.format(_SHOWN)


def test_the_fields_of_a_connection_string_stay_beside_a_known_value() -> None:
    line = 'c = "AccessKey={};AccountName=shop;EndpointSuffix=core.windows.example"'
    shown = Redactor([_TOKEN], {"a": [1]}).shown_line("a", 1, line.format(_TOKEN))
    assert shown == line.format(_SHOWN)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password = password", "password = ***(8 characters, letters)"),
        ('data = {"password": "password"}', 'data = {"password": "***(8 characters, letters)"}'),
        ("mysql -u root -ppassword db", "mysql -u root -p***(8 characters, letters) db"),
        ("login password now", "login ***(8 characters, letters) now"),
        ("x, password", "x, ***(8 characters, letters)"),
    ],
)
def test_a_value_that_repeats_its_name_is_masked_once(line: str, shown: str) -> None:
    assert Redactor(["password"], {"a": [1]}).shown_line("a", 1, line) == shown


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "access_token", "apiKey", "PASSWORD", "id-token", "password1"]
)
@pytest.mark.parametrize(
    "line",
    [
        *("{}   = !#@{}", '{} = "{}"', '{{"{}":"{}",', "'{}': '{}', # as on 1 May", "{}: {}"),
        *('config["{}"] = "{}"', "export {}={}", 'call(user, {}="{}")', '{{"a": 1, "{}": "{}"}}'),
    ],
)
def test_a_name_stays_that_is_a_value_elsewhere(line: str, name: str) -> None:
    """Code has the name as a value on another line: `FIELDS = {"secret": "SECRET_KEY"}`."""
    shown = Redactor([name, "hunter2-hunter2"], {"a": [1]}).shown_line(
        "a", 1, line.format(name, "hunter2-hunter2")
    )
    assert name in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "line",
    [
        *("k = {}", '"secret": "{}"', "login:{}:0", "a={}:b", "{} now", "key: {}", '"{}" == x'),
        *("--token={} --x=1", "if {} == 1:", "p://u:{}@x.example"),
    ],
)
def test_a_name_as_a_value_is_masked(line: str) -> None:
    assert "SECRET_KEY" not in Redactor(["SECRET_KEY"], {"a": [1]}).shown_line(
        "a", 1, line.format("SECRET_KEY")
    )


@pytest.mark.parametrize("name", ["hunter", "topsecretword", "letmein-key", "MySecretDog"])
def test_a_name_of_its_own_is_masked_as_a_value_elsewhere(name: str) -> None:
    assert name not in Redactor([name], {"a": [1]}).shown_line("a", 1, f'{name} = "hunter2"')


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"),
        ("PuTTY-User-Key-File-2: ssh-rsa", "PuTTY-User-Key-File-2: ssh-rsa"),
        ("K = `-----BEGIN EC PRIVATE KEY-----", "K = `-----BEGIN EC PRIVATE KEY-----"),
        (
            '"-----BEGIN PRIVATE KEY-----\\nMIIEpAIB\\n-----END PRIVATE KEY-----\\n"',
            '"-----BEGIN PRIVATE KEY-----***(12 characters, mixed)-----END PRIVATE KEY-----\\n"',
        ),
        ("private_key: |", "private_key: |"),
    ],
)
@pytest.mark.parametrize("value", ["", "BEGIN RSA PRIVATE KEY", "BEGIN PRIVATE KEY"])
def test_the_header_of_a_key_stays(line: str, shown: str, value: str) -> None:
    assert Redactor([value], {"a": [1]}).shown_line("a", 1, line) == shown


@pytest.mark.parametrize(
    "line",
    [
        *("s3cret-Word", "x 's3cret-Word", 'call("s3cret-Word")', '{"s3cret-Word": "admin"}'),
        *(
            '"Tr0ub4dor: s3cret-Word"',
            "p://u:Tr0ub4dor/s3cret-Word@s3cret-Word",
            "a['s3cret-Word'] = 1",
        ),
        *("password: s3cret-Word key: s3cret-Word", "'s3cret-Word' = s3cret-Word"),
        *(
            "-----BEGIN PRIVATE KEY-----s3cret-Word",
            "<p>s3cret-Word</p><password>s3cret-Word</password>",
        ),
        *("p://u:Tr0ub4dor@s3cret-Word/@s3cret-Word", "p://u:Tr0ub4dor@s3cret/Tr0ub@x.example"),
        *('API_KEY=a\'s3cret-Word # "x"', "key: s3cret-Word # it's", "Bearer s3cret-Word"),
        *("b = s3cret-Word", "--token s3cret-Word", "https://x.example/s3cret-Word/T0ub4dor"),
    ],
)
def test_what_may_be_a_value_is_masked(line: str) -> None:
    """No scanner names the value. A word alone is masked only if it is long, as it always was."""
    line = line.replace("s3cret-Word", "s3cret-Word" * 2)
    shown = Redactor([], {"a": [1]}).shown_line("a", 1, line)
    assert "s3cret" not in shown
    assert "Tr0ub" not in shown


_VALUES = st.text(
    string.ascii_letters + string.digits + "+/=_-.!$%&@:;#*~^ ", min_size=8, max_size=60
)


@settings(max_examples=100, deadline=None)
@given(value=_VALUES, other=_VALUES, form=st.sampled_from(_FORMS), names_value=st.booleans())
def test_no_value_is_shown_and_no_mask_is_masked_again(
    value: str, other: str, form: str, names_value: bool
) -> None:
    value, other = f"Zq7{value.strip()}", f"Zq7{other.strip()}"
    mask = Redactor([value] if names_value else [], {"a": [1]})
    line = form.format(value)
    shown = mask.shown_line("a", 1, line)
    if names_value:
        assert value not in shown
        assert value not in Redactor([value, other], {}).shown_line("a", 1, line)
    assert mask_known(shown) == shown
    assert mask.shown_line("a", 1, f'{line} "{other}"').count("Zq7") == 0 or not names_value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(("hunter2", _SHORT), ("", _SHORT), ("12345678", "***(8 characters, digits)")),
        *(("deadbeef", "***(8 characters, letters)"), ("DEADBEE1", "***(8 characters, hex)")),
        *(
            ("hunter22", "***(8 characters, letters and digits)"),
            ("p@ssw0rd", "***(8 characters, mixed)"),
        ),
        *((_TOKEN, _SHOWN), ("QUJDREVGR0hJSg==", "***(16 characters, Base64)")),
        ("550e8400-e29b-41d4-a716-446655440000", "***(36 characters, UUID)"),
        ("a1B-" * 6, "***(24 characters, Base64)"),
    ],
)
def test_a_value_is_described_by_length_and_alphabet(value: str, text: str) -> None:
    assert described(value) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("API_KEY", True), ("apiKey", True), ("AWS_S3_SECRET_ACCESS_KEY_2", True)),
        *(("oauth2Token", True), ("spring.datasource.password", True), ("Access Key", True)),
        *(
            ("hunter2", False),
            ("Password1", False),
            ("aGVsbG8Wb3Js", False),
            ("x" * 8 + "1", False),
        ),
        *(("QmFzZTY0RW5jb2RlZA", False), ("", False), ("пароль", False)),
    ],
)
def test_a_name_reads_as_words(text: str, expected: bool) -> None:
    assert is_name(text) is expected


def test_a_long_line_is_cut_and_no_half_of_a_value_is_shown() -> None:
    values = ["s3cr3t-" * 30, "s3cr3t-" * 700]
    line = "x" * 1950 + f" '{values[0]}' '{values[1]}' " + "y" * 3_000_000
    shown = Redactor(values, {"a": [1]}).shown_line("a", 1, line)
    assert len(shown) <= 2000
    assert "s3cr3t" not in shown


def test_a_line_with_characters_of_marks_has_the_plain_mask() -> None:
    mask = Redactor(["hunter2hunter2"], {"a": [1]})
    line = "k = '\U00100000hunter2hunter2'"
    assert mask.shown_line("a", 1, line) == mask.line("a", 1, line)
