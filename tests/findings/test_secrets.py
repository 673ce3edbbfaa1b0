"""The rules that judge secrets, each with values that it decides and values that it does not."""

import string
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from scanagg.findings.secrets import DEFAULT_PASSWORD, RULES, Clue, assess, judge
from scanagg.model import Category, Confidence, Location, Observation, Rule, Secret
from scanagg.project.sources import Sources
from scanagg.project.target import read_target

HEX = "9f86d081884c7d65" + "9a2feaa0c55ad015"
KEY = "Zq8vT2nLw5Rk9XcB" + "4mHs7JdYpG3fAe6U"
DASHES = "-----"
BODY = "MIIEpAIBAAKCAQEA" + "0Z3VS5JJcds3xfnygWyF0K8Dq1"
LIKELY, POSSIBLE, UNLIKELY = Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNLIKELY

# For each kind of reason: lines that it decides, and lines that it does not. The value is between
# the marks, and the file is code unless the line names another one.
EXAMPLES = {
    "public-key": (
        ["KEY = «ssh-rsa AAAAB3NzaC1yc2E»", f"public_key = '«{KEY}»'", f"cert_key = «MIIC{KEY}»"],
        [f"private_key = '«MIIC{KEY}»'"],
    ),
    "template": (
        [
            "a.env: TOKEN=«${TOKEN}»",
            "a.yml: token: «{{ token }}»",
            "a.yml: token: «<your token>»",
            "a.yml: token: ${TOKEN:«a1b2c3d4e5»}",
            "token = '«%(token)s»'",
            "a.sh: TOKEN=«$(cat token)»",
            "a.sh: TOKEN=«$TOKEN_1»",
            "a.sh: TOKEN=`«pwgen -1s 32»`",
            "tox.ini: PASSWORD = {env:PASSWORD:«toolbar»}",
        ],
        ["SECRET_KEY = '«k$x(9%7=a{q3<b2z»'", f"a.yml: token: ${{TOKEN:«{KEY}»}}"],
    ),
    "published-value": (
        ["SECRET = '«JBSWY3DPEHPK3PXP»'", "token = '«eyJh.eyJzdWIiOiIxMjM0NTY3ODkwIn0»'"],
        ["SECRET = '«JBSWY3DPEHPK4PXP»'"],
    ),
    "placeholder-value": (
        [
            "token = '«xxxxxxxxxxxx»'",
            "token = '«your-token-42»'",
            "token = '«AAAAAAAAAA»'",
            "token = '«abcdef0123456789»'",
            "a.env: API_KEY=«123456789»",
        ],
        [f"token = '«{KEY}»'", "a.env: PASSWORD=«123456»"],
    ),
    "vendored-or-generated": (
        [f"vendor/a.py: token = '«{KEY}»'", f"locale/de.po: token = '«{KEY}»'"],
        [f"vendors.py: token = '«{KEY}»'"],
    ),
    "data-line": (
        [f"token = '«{KEY}»' {' ' * 1000}"],
        [f"token = '«{KEY}»' {' ' * 100}", f"a.json: {{'token': '«{KEY}»'}} {' ' * 1000}"],
    ),
    "encrypted-value": (
        [f"a.yml: secure: «{KEY}»", f"a.yml: token: ENC[«{KEY}»]", f"a.yml: encrypted: «{KEY}»"],
        [f"a.yml: secure_token: «{KEY}»"],
    ),
    "metadata-name": (
        [
            f"a.yml: secretName: «{KEY}»",
            f"TOKEN_URL = '«{KEY}»'",
            "a.yml: allow_empty_password: '«sometimes»'",
        ],
        [f"a.yml: urlSecret: '«{KEY}»'", f"UPDATE_TOKEN = '«{KEY}»'"],
    ),
    "digest-name": (
        [
            f"revision = '«{HEX}»'",
            f"a.yml: rev: «{HEX}»",
            f"git_commit = '«{HEX}»'",
            f"sha1_hash = '«{HEX}»'",
            f"a.html: integrity='«{HEX}»'",
            f"key_id = '«{HEX}»'",
            f"hashed_password = '«{HEX}»'",
            f"a.cfg: root_password_sha2 = «{HEX}»",
        ],
        [f"hashkey = '«{HEX}»'", f"BUILD_TOKEN = '«{HEX}»'"],
    ),
    "no-secret-name": (
        [f"x = '«{HEX}»'", f"monkey = '«{KEY}»'", f"«{HEX}»", f"data = ['«{HEX}»']"],
        [
            f"SECRET_KEY = '«{HEX}»'",
            f"a.yml: apiKey: «{KEY}»",
            f"accesskey = '«{KEY}»'",
            f"dbpass = '«{KEY}»'",
            f"keyAuth: '«{KEY}»'",
            f"os.environ.get('API_KEY', '«{KEY}»')",
            f"os.environ['API_KEY'] = '«{KEY}»'",
            f"set_password('«{KEY}»')",
            f"def login(token: str = '«{KEY}»')",
            f"a.sh: mysql --password «{KEY}»",
            f"a.xml: <password>«{KEY}»</password>",
            f"Authorization: Bearer «{KEY}»",
            f"a.go: dsn = 'me:«{KEY}»@tcp(db.acme.io:3306)/x'",
        ],
    ),
    "own-name": (
        ["PASSWORD = '«password»'", "api_key = '«API_KEY_2»'", "d['password'] = '«password»'"],
        ["a.yml: password: «password»", "api_key = '«8274619350e»'"],
    ),
    "no-text": (["a.yml: password: «true»", "a.sh: KEY = «0x8»"], ["a.yml: password: «truer»"]),
    "code": (
        [
            "a.go: conf.Password = «pass»",
            "a.html: <label for='id_password'>«Password:»</label>",
            "token = '«get_token(x)»'",
            "key = '«self.key»'",
        ],
        ["a.yml: password: «pass»", f"a.go: token = «{HEX}»"],
    ),
    "address-or-path": (
        [
            "token = '«https://acme.io/x1»'",
            "key = '«/etc/ssl/key1»'",
            "a.sh: PWD_KEY='«pwd.key»'",
            "RATES = {'reset_password': '«20/m/ip,5/m/key»'}",
        ],
        ["token = '«wJalr7XUtnF/K7MDENG/bPxRfiCY»'"],
    ),
    "dotted-name": (["token = '«app.settings.token1»'"], ["token = '«1a.2b.3c4d5e»'"]),
    "sentence": (["PASSWORD = '«Wrong login, sorry»'"], ["a.yml: token: «Wrong9,login»"]),
    "digest-value": (
        ["password = '«$2b$12$abc/DEFGHIJ1»'", "password = '«pbkdf2_sha256$1$a»'"],
        ["password = '«$5x$»'"],
    ),
    "local-address": (
        [
            "a.env: URL=redis://me:«secret»@localhost/0",
            "a.env: URL=postgres://me:«pw»@db:5432/x",
            "url = 'https://me:«hunter»@example.com/'",
            "dsn = 'me:«hunter»@tcp(localhost:3306)/x'",
            "url = 'https://me:«hunter»@{host}/'",
        ],
        ["a.env: URL=redis://me:«secret»@redis.acme.io/0"],
    ),
    "default-password": (
        [
            "a.yml: password: «changeme»",
            "a.env: DB_PASSWORD=«root123»",
            "app/settings.py: DB_PASSWORD = '«root123»'",
            "app/settings.py: ADMIN_PASSWORD = '«admin123»'",
            "a.env: DB_PASSWORD=«123456»",
            "a.env: URL=redis://me:«secret»@redis.acme.io/0",
            "tests/a.yml: password: «test»",
        ],
        ["a.yml: # password: «changeme»", "password = '«changeme»'", "a.yml: token: «changeme»"],
    ),
    "common-password": (
        [
            "password = '«test-secret»'",
            "url = 'https://me:«a%20secret»@acme.io/'",
            "headers = {'Authorization': 'Basic «dXNlcjpwYXNzd29yZDEyMw==»'}",
            "a.yml: # password: «admin»",
        ],
        ["password = '«tesla-secret»'"],
    ),
    "weak-password": (
        ["a.yml: password: «serpent»", "a.yml: password: «Oracle_12c»"],
        ["a.yml: password: «s3rpents»", "password: «serpent»"],
    ),
    "version-or-number": (
        [
            "token = '«1.24.0-rc1»'",
            "token = '«acme:lib:1.30.0»'",
            "key = '«2026-01-02»'",
            "key = '«10,000»'",
        ],
        ["token = '«1x24x0rc1»'"],
    ),
    "identifier": (
        ["token = '«access-grant»'", "key = '«userGrant»'", "TOKEN = '«etcd-cluster-01»'"],
        ["key = '«grants»'", "key = '«etcd-8fcc26-83ab16»'"],
    ),
    "weak-value": (["key = '«grants»'", "key = '«a1b2c3»'"], [f"key = '«{HEX}»'"]),
    "local-password": (
        [
            f"a.env: URL=redis://me:«{KEY}»@redis/0",
            f"a.env: URL=redis://me:«{KEY}»@cache.acme.internal:6379",
        ],
        [
            f"a.env: TOKEN=«{KEY}»",
            f"a.env: URL=redis://me:«{KEY}»@cache.internal-acme.io/0",
            f"a.env: URL=redis://me:«{KEY}»@cache.internal.acme.io/0",
        ],
    ),
    "test-name": ([f"TEST_API_KEY = '«{KEY}»'"], [f"latest_api_key = '«{KEY}»'"]),
    "uuid": (["key = '«4b825dc6-42cb-6eb9-a060-e54bf8d69288»'"], [f"key = '«{KEY}»'"]),
    "named-secret": (
        [f"key = '«{HEX}»'", "a.yml: password: «1tIsB1g3rt»", "AUTHKEY = '«vkidSQkgAHc=»'"],
        [f"revision = '«{HEX}»'", "key = '«MyNewApplication»'"],
    ),
}
# The same for what needs more than a line: the text of a key, and a scanner that knows the form.
KEYS = {
    "key-header": f"{DASHES}BEGIN PRIVATE KEY{DASHES}\n",
    "encrypted-key": f"{DASHES}BEGIN RSA PRIVATE KEY{DASHES}\nProc-Type: 4,ENCRYPTED\n{BODY}\n",
    "private-key": f"{DASHES}BEGIN RSA PRIVATE KEY{DASHES}\n{BODY}\n",
}
FORMATS = {
    "known-format": "token = '«ghp_{}»'",
    "part-of-data": "data = 'AAAA«ghp_{}»'",
}


def clue(example: str, *, has_format: bool = False) -> Clue:
    """Return the clue for an example: `path: line with a «value»`, in code without the path."""
    path, separator, text = example.partition(": ")
    if not separator or not path.rpartition("/")[2].partition(".")[2].isalpha():
        path, text = "app.py", example
    value = text[text.index("«") + 1 : text.index("»")]
    line = text.replace("«", "").replace("»", "")
    return Clue(value, line, path, has_format=has_format)


def test_every_rule_has_examples() -> None:
    kinds = [rule.reason.kind for rule in RULES]
    assert sorted(kinds) == sorted({*EXAMPLES, *KEYS, *FORMATS})


@pytest.mark.parametrize(
    ("kind", "example"), [(kind, line) for kind, (lines, _) in EXAMPLES.items() for line in lines]
)
def test_a_rule_decides_its_examples(kind: str, example: str) -> None:
    assert judge(clue(example)).reason.kind == kind


@pytest.mark.parametrize(
    ("kind", "example"), [(kind, line) for kind, (_, lines) in EXAMPLES.items() for line in lines]
)
def test_a_rule_does_not_decide_other_examples(kind: str, example: str) -> None:
    assert judge(clue(example)).reason.kind != kind


@pytest.mark.parametrize(("kind", "text"), KEYS.items())
def test_a_key_is_judged_by_its_text(kind: str, text: str) -> None:
    assert judge(Clue("", text.partition("\n")[0], "id_rsa", key=text)).reason.kind == kind


@pytest.mark.parametrize(("kind", "line"), FORMATS.items())
def test_a_known_form_is_judged_by_what_is_around_it(kind: str, line: str) -> None:
    assert judge(clue(line.format(KEY), has_format=True)).reason.kind == kind


def test_an_escape_before_a_known_form_is_not_a_part_of_it() -> None:
    line = f"data = 'x\\n«ghp_{KEY}»'"
    assert judge(clue(line, has_format=True)).reason.kind == "known-format"


@pytest.mark.parametrize(
    ("path", "random", "form", "default"),
    [
        ("app.cfg", LIKELY, LIKELY, POSSIBLE),
        ("tests/app.cfg", POSSIBLE, POSSIBLE, UNLIKELY),
        ("docs/app.cfg", POSSIBLE, POSSIBLE, UNLIKELY),
        ("examples/app.cfg", POSSIBLE, POSSIBLE, UNLIKELY),
        (".env.example", POSSIBLE, POSSIBLE, UNLIKELY),
        ("vendor/app.cfg", UNLIKELY, POSSIBLE, UNLIKELY),
    ],
)
def test_confidence_depends_on_the_kind_of_file(
    path: str, random: Confidence, form: Confidence, default: Confidence
) -> None:
    line = f"password = {KEY}"
    assert judge(Clue(KEY, line, path)).confidence is random
    assert judge(Clue(KEY, line, path, has_format=True)).confidence is form
    assert judge(Clue("changeme", "password = changeme", path)).confidence is default


def test_a_default_password_in_settings_has_a_rule_of_its_own() -> None:
    assert judge(clue("a.yml: password: «changeme»")).rule is DEFAULT_PASSWORD
    assert judge(clue("tests/a.yml: password: «changeme»")).rule is None


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    (tmp_path / "app.yml").write_text(
        f"""\
# {KEY}
- name: DB_PASSWORD
  value: {KEY}
token:
  {HEX}
private_key: |
  {DASHES}BEGIN PRIVATE KEY{DASHES}
  {BODY}
""",
        encoding="utf-8",
    )
    return Sources(read_target(tmp_path))


def observed(
    value: str,
    *lines: int,
    rule: str = "hex-high-entropy-string",
    confidence: Confidence = Confidence.UNKNOWN,
) -> Observation:
    places = tuple(Location("app.yml", line) for line in lines)
    return Observation(
        scanner="detect-secrets",
        category=Category.SECRET,
        rule=Rule(rule, rule, rule),
        title=rule,
        message=rule,
        location=places[0],
        places=places,
        confidence=confidence,
        secret=Secret(value=value),
    )


@pytest.mark.parametrize(
    ("observations", "kind"),
    [
        ([observed(KEY, 1)], "no-secret-name"),
        # The name can be in the line before, and any place of a value can show that it is secret.
        ([observed(HEX, 5)], "named-secret"),
        ([observed(KEY, 1, 3)], "named-secret"),
        ([observed("", 6, rule="private-key")], "private-key"),
        ([observed("", 7, rule="private-key")], "key-header"),
        # The most confident judgement of a value counts. An observation without one adds nothing.
        ([observed(KEY, 1), observed(KEY, 1, rule="github-token")], "known-format"),
        ([observed(KEY, 1), observed("", 1, rule="private-key")], "no-secret-name"),
        # A format is a better reason than a name, whatever the order of the scanners.
        ([observed(HEX, 5), observed(HEX, 5, rule="github-token")], "known-format"),
        ([observed(KEY, 1, rule="github-token", confidence=Confidence.HIGH)], "known-format"),
        ([observed(KEY, 1, rule="github-token", confidence=Confidence.MEDIUM)], "no-secret-name"),
        # A line that is not there, as in a file that changed.
        ([observed(KEY, 99)], "no-secret-name"),
    ],
)
def test_a_finding_is_judged_by_all_its_places(
    sources: Sources, observations: list[Observation], kind: str
) -> None:
    assert assess(observations, sources).reason.kind == kind


@pytest.mark.parametrize(
    ("alphabet", "length"),
    [
        (string.hexdigits.lower(), 32),
        (string.ascii_letters + string.digits + "+/", 40),
        (string.ascii_uppercase + "234567", 32),
        (string.ascii_lowercase + string.digits, 20),
        (string.ascii_letters + string.digits + "!@#$%^&*?-_", 16),
        (string.ascii_lowercase + string.digits + "!@#$%^&*(-_=+)", 50),  # Django's SECRET_KEY
    ],
)
def test_random_values_are_not_taken_for_something_else(alphabet: str, length: int) -> None:
    random = Random(1)
    values = ["".join(random.choices(alphabet, k=length)) for _ in range(500)]
    kinds = Counter(judge(Clue(value, f"KEY = '{value}'", "a.py")).reason.kind for value in values)
    assert kinds["named-secret"] > 0.95 * len(values), kinds


def hostile() -> Iterator[tuple[str, str]]:
    for part in (
        *("a", "A", "1", " ", "1.", "a.", "a/", "-", "<a ", "$(", "{a", "[a ", "%(a", "&a", "x\\n"),
        *("BEGIN ", "password", "://", "a@", "'a'", "=a", "é", "\n", "_a", "aA", "a b", "(a)"),
    ):
        text = part * (200_000 // len(part))
        yield text, f"password = '{text}'"
        yield "a1b2c3d4", f"{text} password = a1b2c3d4"
        yield part, text


def test_long_lines_and_values_take_little_time() -> None:
    start = time.process_time()
    for value, line in hostile():
        judge(Clue(value, line, "a.yml"))
        judge(Clue("", line, "a.yml", key=line[:4000]))
    assert time.process_time() - start < 5


@pytest.mark.parametrize("line", [f"- Basic {KEY}", f"IDENTIFIED BY '{KEY}'", f"-p {KEY}"])
def test_the_syntax_around_a_value_is_as_good_as_a_name(line: str) -> None:
    clues = [Clue(KEY, line, "app.sh", has_syntax=has_syntax) for has_syntax in (True, False)]
    assert [judge(clue).confidence for clue in clues] == [Confidence.LIKELY, Confidence.UNLIKELY]
