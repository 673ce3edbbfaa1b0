"""The detectors that scanagg adds: true and false examples of each, and how they are reported."""

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.drive import Driven, context, drive

from scanagg.model import Target
from scanagg.scanners import detect_secrets, detectors

Examine = Callable[..., Driven]

# Made up, and assembled here so that no scanner reports secrets in this file.
PASSWORD = "Zq7" + "-horse_B4"
HEX = "9f2c41d7be0835a6" + "1e7d90c2f4b8365a"
MIXED = "x7Kq2Lm9Rt4Vw8Zc1Nd5" + "Hb6Jf3Gs0Py7Wa2Ue9Xi4"
LONG = (MIXED + MIXED[::-1]) * 5
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
PRAGMA = "pragma: allowlist" + " secret"
# A name and a value, of which the middle must be joined at run time.
SAYS = {"P": "pass" + "word", "T": "to" + "ken", "K": "api" + "_key", "V": PASSWORD, "H": HEX}


def text(form: str) -> str:
    """Return `form` with P, T and K for names that say secret, and V and H for values."""
    for letter, word in SAYS.items():
        form = form.replace(f"<{letter}>", word).replace(f"<{letter.lower()}>", word.upper())
    return form


@pytest.fixture
def examine(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> Examine:
    """Search these files; keyword arguments are settings."""

    def run(files: Mapping[str, str | bytes], **changes: Any) -> Driven:
        target = read_target(make_project(files))
        return drive(detect_secrets, context(target, **changes), tmp_path)

    return run


def found(kind: str, name: str, content: str) -> list[str]:
    (detector,) = (one for one in detectors.ALL if one.name == kind)
    places = detector.find(content, name)
    return [content[start:end] for start, end in places]


ASSIGNED = [
    (".env", "DB_<p>=<V>", "<V>"),
    (".env", "DB_<p>=<V>%*?!x", "<V>%*?!x"),
    (".env", "export API_<t>=<H> # note", "<H>"),
    (".env", "PRIVKEY_PASS=<V>", "<V>"),
    ("compose.yml", "      - MYSQL_<p>=<V>", "<V>"),
    ("compose.yml", "  #  <K>: <H>", "<H>"),
    ("app.yml", "cloudflare_<T>: '<H>'", "<H>"),
    ("app.properties", "jdbc.<P> = <V>", "<V>"),
    ("Dockerfile", "ENV ADMIN_<p>=<V>", "<V>"),
    ("Dockerfile", "ARG A=1 CI_<t>=<H> B=2", "<H>"),
    ("a.md", "docker run -e APP_<p>=<V> image", "<V>"),
    ("run.sh", 'echo "-e APP_<p>=<V> \\\\"', "<V>"),
    ("a.json", '{"access<T>": "<H>"}', "<H>"),
    ("a.py", "x = os.environ.get('ADMIN_<p>', '<V>')", "<V>"),
    ("a.py", "access_<T>: str = '<H>'", "<H>"),
    ("a.py", 'body = "{\\"<T>\\": \\"<H>\\"}"', "<H>"),
    ("a.go", 'cfg := Config{User: "x", Auth<T>: "<H>"}', "<H>"),
    ("A.java", 'source.set<P>("<V>");', "<V>"),
    ("a.xml", "<x><<P>><V></<P>></x>", "<V>"),
    ("a.xml", '<property name="<P>" value="<V>"/>', "<V>"),
    ("a.sh", 'curl -H "X-App<T>: <H>" https://x.invalid', "<H>"),
    ("İ.env", "İİ <p>=<V>", "<V>"),
]
NOT_ASSIGNED = [
    ("a.py", "<P> = <P>_of(user)"),
    ("a.py", "connect(<P>=user1)"),
    ("a.py", "connect(<P>=config.password2)"),
    ("a.py", "def connect(<P>: str = None): pass"),
    ("a.py", "words = ['<P>', 'sha256', 'x1']"),
    ("a.py", "<P>.encode('utf-8')"),
    ("a.js", "let <T> = new Token('inline', 1)"),
    ("a.yml", "<T>_url: https://x.invalid/a1"),
    ("a.yml", "<P>Style: random64"),
    ("a.yml", "<P>_sha256_hex: <H>"),
    ("a.yml", "<T>_<P>_file2: <V>"),
    ("a.yml", "<P>: ${DB_PASSWORD1}"),
    ("a.yml", "<P>: {{ password1 }}"),
    ("a.yml", "<P>: xxxxxxxx"),
    ("a.md", "The <T>: the value that 1 user has"),
    ("a.sh", "<p>=$1"),
    ("a.sh", "<p>=$(cat file1)"),
    ("a.env", "<p>=<p>"),
    ("a.css", "input[<P>='abc123']{}"),
    ("a.min.js", "x" * 3000 + ";<P>='<V>'" + "y" * 3000),
    ("a.py", "csrf_<T> = '<H>'"),
]
OPTIONS = [
    ("login --<P> <V> --x", "<V>"),
    ("login --db-<P>=<V>", "<V>"),
    ("goveralls -repo<T> <H>", "<H>"),
    ("mysql -u root -p<V> db", "<V>"),
    ("sshpass -p '<V>' ssh x", "<V>"),
    ("curl -s -u me:<V> https://x.invalid", "<V>"),
    ("docker login -u me -p <V> x.invalid", "<V>"),
    ("openssl genrsa -passout pass:<V> 4096", "<V>"),
    ("ConvertTo-SecureString '<V>' -AsPlainText", "<V>"),
]
NOT_OPTIONS = [
    *("login --<P> <p>", "login --<P> $PASS1", "use --<P> or --<T>", "mysql -p db", "cp -p a1 b1"),
    *("curl -u me:$PASS1 https://x.invalid", "docker run -p 8080:80 image1"),
]
HEADERS = [
    ("Authorization: Basic <B>", "<B>"),
    ("  - Basic <B>", "<B>"),
    ("{'Authorization': 'Bearer <M>'}", "<M>"),
    ('"authorization", "token <H>"', ""),
    ("Authorization: token <H>", "<H>"),
]
NOT_HEADERS = [
    *("Basic authentication", "Basic information1234", "Bearer authentication-is-needed"),
    *("Authorization: Bearer ${TOKEN1}", "Authorization: Basic <base64>", "basic QWxhZGRpbg=="),
]
SQL = [
    ("CREATE USER 'x'@'%' IDENTIFIED BY '<V>';", "<V>"),
    ("alter user sys identified by Welcome7 container=all;", "Welcome7"),
    ('mysql -e "create user x identified by \\"<V>\\""', "<V>"),
    ("CREATE ROLE x WITH LOGIN PASSWORD '<V>';", "<V>"),
    ("SET PASSWORD FOR x = PASSWORD('<V>');", "<V>"),
]
NOT_SQL = [
    *("a tyre is identified by using two columns", "identified by hostname and port"),
    *("IDENTIFIED BY '$PASSWORD'", "ALTER USER x PASSWORD EXPIRE", "the user has password 'x'"),
]
CONNECTIONS = [
    ("redis://:<V>@cache:6379/0", "<V>"),
    ("- DATABASE_URL=mysql+pymysql://ctf:<V>@db/ctf", "<V>"),
    ("Server=x;User Id=sa;Pwd=<V>;", "<V>"),
    ('"Server=x;User Id=sa; Password=<V>"', "<V>"),
    ("me:<V>@tcp(127.0.0.1:3306)/db", "<V>"),
]
NOT_CONNECTIONS = [
    *("http://x.invalid:8080/a@b", "ssh://git@x.invalid", "redis://:${PASS1}@cache", "a;b=1@tcp("),
    *("http://x.invalid/a:b@c", "https://me:{password}@x.invalid", "x;Pwd={0};"),
]
TABLES = {
    "SecretOptionDetector": (OPTIONS, NOT_OPTIONS),
    "AuthorizationHeaderDetector": (HEADERS, NOT_HEADERS),
    "SQLPasswordDetector": (SQL, NOT_SQL),
    "ConnectionStringDetector": (CONNECTIONS, NOT_CONNECTIONS),
}


@pytest.mark.parametrize(("name", "line", "value"), ASSIGNED)
def test_finds_the_value_of_a_name_that_says_secret(name: str, line: str, value: str) -> None:
    content = f"first line\n{text(line)}\nlast line\n"
    assert found("SecretAssignmentDetector", name, content) == [text(value)]


@pytest.mark.parametrize(("name", "line"), NOT_ASSIGNED)
def test_leaves_out_code_placeholders_and_other_names(name: str, line: str) -> None:
    assert found("SecretAssignmentDetector", name, f"first\n{text(line)}\n") == []


@pytest.mark.parametrize(
    ("kind", "line", "value"),
    [(kind, *case) for kind, (cases, _) in TABLES.items() for case in cases if case[1]],
)
def test_finds_the_whole_value(kind: str, line: str, value: str) -> None:
    content, wanted = (
        text(form).replace("<B>", BASIC).replace("<M>", MIXED) for form in (line, value)
    )
    assert found(kind, "a.txt", f"a\n{content}\nb") == [wanted]


@pytest.mark.parametrize(
    ("kind", "line"), [(kind, line) for kind, (_, lines) in TABLES.items() for line in lines]
)
def test_finds_nothing_else(kind: str, line: str) -> None:
    assert found(kind, "a.txt", f"a\n{text(line)}\nb") == []


def test_added_findings_are_masked_and_a_value_is_reported_once(examine: Examine) -> None:
    google, github = "AIza" + MIXED[:35], "ghp_" + MIXED[:36]
    files = {
        "compose.yml": f"image: x\nenvironment:\n  more:\n      - DB_PASSWORD={PASSWORD}\n"
        f"      - GITHUB_TOKEN={github}\n",
        "a.py": f"client = connect(api_key='{google}')\nprint(f'{{x}}', '{google}')\n",
        "Dockerfile": f"FROM x\nENV DB_PASSWORD={PASSWORD}\nENV TOKEN={HEX}  # {PRAGMA}\n",
        "uv.lock": f"password={PASSWORD} {google}\n",
    }
    driven = examine(files)
    places = {
        (one.rule.id, place.path, place.start_line, one.in_source)
        for one in driven.observations
        for place in one.places
    }
    assert places == {
        ("secret-assignment", "compose.yml", 4, ""),
        ("github-token", "compose.yml", 5, ""),
        ("google-api-key", "a.py", 1, ""),
        ("google-api-key", "a.py", 2, ""),
        ("base64-high-entropy-string", "a.py", 2, ""),
        ("secret-assignment", "Dockerfile", 2, ""),
        ("secret-assignment", "Dockerfile", 3, PRAGMA),
        ("google-api-key", "uv.lock", 1, ""),
    }
    values = {value for one in driven.parsed for value in one.secrets}
    assert values >= {PASSWORD, github, google, HEX}


HOSTILE = (
    *(
        "password",
        "password=",
        "password='a",
        "-password ",
        "password: a ",
        'password\\"',
        "token.",
    ),
    *("mysql ", "mysql -p", "curl -u a", "sshpass -p", "docker login ", "-passin pass:"),
    *("identified", "identified by ", "password 'x", "create user ", "://", "://a:", "://a:b@"),
    *(
        "a:b@tcp(",
        "@tcp(",
        ";pwd=",
        ";password=x",
        "Basic AAAA",
        "Bearer a.",
        "authorization: token ",
    ),
    *("Authorization: token=", "secret_secret_", "a'b", " ", "\\", "é", "\u0130", "\u0130pwd="),
)


@pytest.mark.parametrize("kind", ["SecretAssignmentDetector", *TABLES])
def test_any_text_is_searched_in_linear_time(kind: str) -> None:
    for part in HOSTILE:
        for start in ("password=", "mysql "):
            content = start + part * (20_000 // len(part))
            begin = time.process_time()
            found(kind, "a.yml", content)
            assert time.process_time() - begin < 1, (part, start)
