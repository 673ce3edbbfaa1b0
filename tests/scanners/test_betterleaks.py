"""betterleaks: the real program on real files, and answers that it could give."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import tools
from support.command import plain_environment
from support.drive import Driven, context, drive

from scanagg.core.errors import ConfigError
from scanagg.model import Category, Location, Secret, SourceFile, Target
from scanagg.model.advisories import secret_texts
from scanagg.scanners import betterleaks, detectors
from scanagg.scanners.base import Output, ScanError
from scanagg.scanners.secret_rules import titled_rule

# Assembled here, so that no scanner reports secrets in this file.
TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
OTHER = "ghp_" + "B1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r9"
KEY_ID = "AKIA" + "QYLPMN5HFIQR7XYA"
KEY = "hT7+kPz0/1YvQnB2mXw9" + "cRdEuJ5sLoG8aVfK3iZb"
PASSWORD = "correct-Horse" + "9battery"
LINE = f'token = "{TOKEN}"\n'
ENCODED = base64.b64encode(f'token = "{OTHER}"'.encode()).decode()
HASH = "620e24b631970fdc64de36b73f4ce2206a2e3fe2d040e02f2d0d7d88fdc198b8"
Files = dict[str, str | bytes]
Scan = Callable[..., Driven]


@pytest.fixture
def scan(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> Scan:
    """Search files with the real program."""

    def run(files: Files, before: Callable[[Path], object] = lambda _: None, **changes: object):
        root = make_project(files)
        target = read_target(root)
        before(root)
        ctx = context(target, path=tools.betterleaks(), **changes)
        return drive(betterleaks, ctx, tmp_path)

    return run


def secrets(done: Driven) -> set[tuple[str, int, str]]:
    """Return path, line and rule of each observation."""
    return {
        (one.location.path, one.location.start_line, one.rule.id)
        for one in done.observations
        if one.location
    }


def test_secrets_of_all_kinds_of_text_and_names_and_proof_of_each_file(scan: Scan) -> None:
    files: Files = {
        "a.py": f"x = 1\n{LINE}",
        "deep/a b.env": f"AWS_ACCESS_KEY_ID={KEY_ID}\r\nAWS_SECRET_ACCESS_KEY={KEY}\r\n",
        "app.cfg": f'db_password = "{PASSWORD}"\n',
        "wide.py": LINE.encode("utf-16"),
        "latin.py": f"# \xe9\n{LINE}".encode("latin-1"),
        "mac.py": f"x = 1\r{LINE}",
        "encoded.py": f'x = "{ENCODED}"\n',
        "new\nline.py": LINE,
        "-r.py": LINE,
        "logo.svg": f"<svg>{LINE}</svg>",
        "go.mod": LINE,
        "node_modules/x.js": LINE,
        "javascript.json": LINE,
        "poetry.lock": LINE,
        "clean.py": "value = 'nothing'\n",
        "dots.txt": "....\nTitle\n....",
        "open.py": "password = ",
        "empty.py": "",
        "notebook.ipynb": json.dumps(
            {"cells": [{"cell_type": "code", "source": ["x = 1\n", LINE], "metadata": {}}]}
        ),
        "notes.txt": f"scanagg-end-of-file\n{LINE}",
    }
    done = scan(files)
    assert done.examined == sorted(set(files) - {"empty.py"})
    assert not done.failures
    assert not done.reasons
    places = {(path, line) for path, line, _ in secrets(done)}
    assert places == {
        ("a.py", 2),
        ("deep/a b.env", 1),
        ("deep/a b.env", 2),
        ("app.cfg", 1),
        ("wide.py", 1),
        ("latin.py", 2),
        ("mac.py", 2),
        ("encoded.py", 1),
        *((name, 1) for name in ("new\nline.py", "-r.py", "logo.svg", "go.mod")),
        *((name, 1) for name in ("node_modules/x.js", "javascript.json", "poetry.lock")),
        ("notebook.ipynb", 1),
        ("notes.txt", 2),
    }
    values = {one.secret.value for one in done.observations if one.secret}
    assert values == {TOKEN, OTHER, KEY_ID, KEY, PASSWORD}
    masked = frozenset().union(*(parsed.secrets for parsed in done.parsed))
    assert masked >= {*values, ENCODED}
    assert not done.store


def test_a_secret_in_our_words(scan: Scan) -> None:
    (found,) = scan({"a.py": f"x = 1\n{LINE}"}).observations
    assert (found.category, found.location) == (Category.SECRET, Location("a.py", 2, 2))
    assert (found.rule.id, found.title) == ("github-pat", "GitHub token")
    assert TOKEN not in found.message
    assert found.secret
    assert found.secret.digest in found.secret.texts


def test_a_private_key_is_one_secret_and_its_lines_are_masked_anywhere(scan: Scan) -> None:
    begin, end = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    rows = [hashlib.sha384(bytes([row])).digest() for row in range(12)]
    body = [base64.b64encode(row).decode() for row in rows]
    done = scan({"key.pem": "\n".join(("", begin, *body, end, ""))})
    (found,) = done.observations
    assert (found.rule.id, found.location) == ("private-key", Location("key.pem", 2, 15))
    masked = done.parsed[0].secrets
    assert masked.issuperset(body)
    assert masked.isdisjoint((begin, end))


def test_an_encoded_secret_is_known_by_the_text_that_encodes_it(scan: Scan) -> None:
    (found,) = scan({"a.py": f'x = "{ENCODED}"\n'}).observations
    assert found.secret
    assert found.secret.digest is None
    assert found.secret.texts >= secret_texts((OTHER, ENCODED))


def test_a_file_that_is_not_text_is_left_out(scan: Scan) -> None:
    done = scan({"a.py": LINE, "a.bin": bytes(range(256)) * 8, "big.txt": LINE * 9}, options=MOST)
    assert done.examined == ["a.py"]
    assert {name: reason.kind for name, reason in done.reasons.items()} == {
        "a.bin": "files-not-text",
        "big.txt": "too-large",
    }


MOST = {"max-file-bytes": "400"}


@pytest.mark.parametrize("number", ["0", "-1", "many", "1e9", ""])
def test_a_limit_that_is_no_number_is_an_error(number: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max-file-bytes"):
        betterleaks.inputs(context(tmp_path, options={"max-file-bytes": number}))


def test_the_project_hides_nothing_unseen(scan: Scan) -> None:
    files: Files = {
        "a.py": LINE,
        "b.py": f"x = '{OTHER}'  # gitleaks:allow\ny = '{TOKEN}'\n",
        ".betterleaks.toml": 'prefilter = "true"\n',
        ".gitleaks.toml": 'prefilter = "true"\n',
        ".betterleaksignore": f"{HASH}\n",
        ".gitleaksignore": f"{HASH}\na.py:github-pat:1\n",
    }
    done = scan(files)
    assert secrets(done) >= {
        ("a.py", 1, "github-pat"),
        ("b.py", 1, "github-pat"),
        ("b.py", 2, "github-pat"),
    }
    hidden = [one for one in done.observations if one.in_source]
    assert [(one.location.start_line, one.in_source) for one in hidden if one.location] == [
        (1, "gitleaks:allow")
    ]
    (parsed,) = done.parsed
    assert parsed.hidden == {"gitleaks:allow": 1}
    assert set(betterleaks.INFO.native_files) >= {name for name in files if name.startswith(".")}


@pytest.mark.parametrize(
    "variables",
    [
        {"BETTERLEAKS_CONFIG": "/nonexistent"},
        {"BETTERLEAKS_CONFIG_TOML": 'prefilter = "true"'},
        {"BETTERLEAKS_VALIDATE": "true", "BETTERLEAKS_ANALYZE": "true"},
    ],
)
def test_variables_of_the_machine_change_nothing(
    variables: dict[str, str], scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert secrets(scan({"a.py": LINE})) == {("a.py", 1, "github-pat")}


def test_a_file_that_was_swapped_is_a_gap(scan: Scan, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(LINE)

    def swap(root: Path) -> None:
        for name in ("link.py", "pipe.py", "gone.py"):
            (root / name).unlink()
        (root / "link.py").symlink_to(outside)
        os.mkfifo(root / "pipe.py")

    names = ("link.py", "pipe.py", "gone.py")
    done = scan({"a.py": LINE, **dict.fromkeys(names, LINE)}, before=swap)
    assert done.examined == ["a.py"]
    assert secrets(done) == {("a.py", 1, "github-pat")}
    assert {name: reason.kind for name, reason in done.reasons.items()} == dict.fromkeys(
        names, "unreadable-file"
    )


@pytest.mark.parametrize("args", [("--disable-rule", "scanagg-end-of-file"), ("--bogus",)])
def test_without_the_mark_nothing_is_examined(args: tuple[str, ...], scan: Scan) -> None:
    done = scan({"a.py": "value = 1\n"}, args=args)
    assert not done.examined
    assert done.reasons.keys() == {"a.py"}


@pytest.mark.parametrize("args", [("--confidence", "high"), ("--max-decode-depth", "0")])
def test_the_arguments_of_the_configuration_keep_the_evidence(
    args: tuple[str, ...], scan: Scan
) -> None:
    done = scan(
        {"a.py": LINE, "b.py": f'x = "{ENCODED}"\npassword = "{PASSWORD}"\n'},
        args=args,
        is_main=False,
    )
    assert done.examined == ["a.py", "b.py"]
    assert {one[:2] for one in secrets(done)} < {("a.py", 1), ("b.py", 1), ("b.py", 2)}


@pytest.mark.parametrize(
    ("code", "parts"), [(-9, 2), (2, 2), (1, 0), (126, 0)], ids=["killed", "crash", "error", "args"]
)
def test_only_a_crash_is_tried_again_in_halves(code: int, parts: int, tmp_path: Path) -> None:
    output = Output(code, b"", "", ("a.py", "b.py", "c.py"))
    again = betterleaks.again(context(tmp_path), output)
    assert len(again) == parts
    assert sorted(name for part in again for name in part) == ["a.py", "b.py", "c.py"][: 3 * parts]


def test_no_secret_is_on_the_command_line_or_stored(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    ctx = context(read_target(make_project({"a.py": LINE})), path=Path("/bin/true"))
    tool = betterleaks.locate(ctx)
    assert tool
    call = betterleaks.call(ctx, tool, ("a.py",))
    assert TOKEN not in repr((call.argv, call.extra, call.env))
    assert "--output" in call.argv
    assert call.argv[call.argv.index("--output") + 1] == "-"
    assert not {"--validate", "-v", "--analyze", "-a"}.intersection(call.argv)
    assert call.allow == ()
    assert call.output is None


HEX = "9f2c41d7be0835a6" + "1e7d90c2f4b8365a"
PLAIN = "Zq7" + "-horse_B4"
ADDED = {titled_rule(detector.title).id for detector in detectors.ALL}


@pytest.mark.parametrize("is_main", [True, False])
def test_added_detectors_search_where_no_other_scanner_does(scan: Scan, *, is_main: bool) -> None:
    files: Files = {
        "Dockerfile": f"FROM x\nENV DB_PASSWORD={PLAIN}\n",
        "b.sh": f"sshpass -p {PLAIN} ssh x\nsshpass -p {PLAIN} ssh y\n",
        "wide.sql": f"CREATE ROLE x LOGIN PASSWORD '{PLAIN}';".encode("utf-16"),
        "c.env": f"A_TOKEN={TOKEN}\nB_PASSCODE={PLAIN}  # gitleaks:allow\n",
        "d.yml": f"smtp_passcode: {PLAIN}\n",
        "uv.lock": f"smtp_passcode: {PLAIN}\n",
        "x.svg": f"<a passcode='{PLAIN}'/>",
        "\udcff.env": f"PASSCODE={PLAIN}\n",
        "n.ipynb": json.dumps(
            {"cells": [{"cell_type": "code", "source": [f"# DB_PASSCODE={PLAIN}"]}]}
        ),
        "clean.py": "x = 1234567\n",
    }
    done = scan(files, is_main=is_main)
    assert done.examined == sorted({*files} - {"\udcff.env"} | {"\\xff.env"})
    places = {
        (one.rule.id, place.path, place.start_line, one.in_source)
        for one in done.observations
        for place in one.all_places
    }
    # What betterleaks finds itself is reported once.
    assert len({place[1:] for place in places}) == len(places)
    added = {place for place in places if place[0] in ADDED}
    expected = {
        ("secret-in-a-command", "b.sh", 1, ""),
        ("secret-in-a-command", "b.sh", 2, ""),
        ("password-in-sql", "wide.sql", 1, ""),
        ("secret-assignment", "c.env", 2, "gitleaks:allow"),
        ("secret-assignment", "d.yml", 1, ""),
        ("secret-assignment", "n.ipynb", 1, ""),
        ("secret-assignment", "\\xff.env", 1, ""),
    }
    assert added == (expected if is_main else set())
    if is_main:
        assert done.parsed[0].hidden == {"gitleaks:allow": 1}
        assert done.parsed[0].secrets >= {PLAIN, TOKEN}


def test_an_added_place_of_a_known_value_changes_no_first_place(scan: Scan) -> None:
    done = scan({"a.env": f"# mysql -p{HEX}\napi_key = '{HEX}'\nADMIN_PASSCODE={HEX}\n"})
    ((rule, first, places),) = (
        (one.rule.id, one.location, one.places) for one in done.observations
    )
    assert (rule, first) == ("generic-api-key", Location("a.env", 2, 2))
    assert {place.start_line for place in places} == {1, 2, 3}


def test_a_secret_in_a_path_is_found(scan: Scan) -> None:
    (found,) = scan({f"{TOKEN}.txt": "nothing here\n"}).observations
    assert (found.rule.id, found.secret) == ("secret-in-a-path", Secret(None))


@pytest.mark.parametrize(
    ("also", "reason"),
    [
        (Output(1, b"", ""), "exit-code"),
        (Output(0, b"[9, []]\n", ""), "unasked-answer"),
        (Output(0, b"[-1, []]\n", ""), "unreadable-answer"),
        (Output(0, b'[0, [["Secret Assignment", 0, "x"]]]\n', ""), "unreadable-answer"),
        (Output(0, b"[0, null]\n", ""), None),
    ],
)
def test_without_an_answer_of_the_worker_nothing_is_examined(
    also: Output, reason: str | None, scan: Scan, tmp_path: Path
) -> None:
    answer = scan({"a.py": "value = 1\n"}).outputs[0]
    ctx = context(Target(tmp_path, "x", (SourceFile("a.py", tmp_path / "a.py", 10),)))
    output = replace(answer, also=also)
    if reason:
        with pytest.raises(ScanError) as error:
            betterleaks.parse(ctx, output)
        assert error.value.reason.kind == reason
    else:
        parsed = betterleaks.parse(ctx, output)
        assert not parsed.examined
        assert [gap.reason.kind for gap in parsed.not_examined] == ["time-limit"]


def test_the_worker_stops_at_the_time_limit_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("password=x7 " * 400_000)
    (tmp_path / "b.txt").write_text(f"DB_PASSWORD={PLAIN}\nend")
    files = [("gone.txt", "c", False), ("a.txt", "a.sh", False), ("b.txt", "b.env", False)]
    request = {"seconds": 0.2, "end": 4, "files": files}
    done = subprocess.run(
        [sys.executable, "-P", str(Path(betterleaks.__file__).with_name("worker.py"))],
        input=json.dumps(request).encode(),
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env=plain_environment(),
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [[1, None], [2, [["Secret Assignment", 1, PLAIN]]]]
