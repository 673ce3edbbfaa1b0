"""The worker that searches for secrets, in this process: one answer for each file, in order."""

import configparser
import io
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import ParsingError
from pathlib import Path
from typing import Any

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins import keyword
from detect_secrets.settings import cache_bust, get_plugins
from support.command import plain_environment

from scanagg.scanners.detect_secrets import worker


@pytest.fixture(autouse=True)
def python_s_own_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """detect-secrets replaces this class for the whole process; it is put back after each test."""
    monkeypatch.setattr(configparser, "ParsingError", ParsingError)


WORD = "correct-horse" + "-battery"
TOKENS = ["ghp_" + letter * 12 + "Q7" * 12 for letter in "aB"]
PRAGMA = "pragma: allowlist" + " secret"

Answers = Callable[..., list[dict[str, Any]]]


def forget() -> None:
    """Settings of detect-secrets and of the worker last as long as their process."""
    cache_bust()
    get_mapping_from_secret_type_to_class.cache_clear()
    worker._detectors.cache_clear()


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """The worker's answers for files and arguments; what it changes in a process is put back."""
    # The limits of this process could not be lifted again.
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, _limits: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGPROF)

    def run(files: dict[str, bytes | None], *args: str, **limits: float) -> list[dict[str, Any]]:
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
        request = {
            "root": str(tmp_path),
            "files": [*files],
            "encodings": ["utf-8"] * len(files),
            "seconds": 60,
            "file_bytes": 5_000_000,
            "line_bytes": 99_999,
        }
        said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["secrets", *args])
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({**request, **limits})))
        monkeypatch.setattr(sys, "stdout", said)
        forget()
        worker.main()
        return [json.loads(line) for line in said.buffer.getvalue().splitlines()]  # type: ignore

    yield run
    signal.signal(signal.SIGPROF, before)
    forget()


FILTER = ("--exclude-files", "c.css")


def test_an_answer_for_each_file_in_order(answers: Answers) -> None:
    code = f"password = '{WORD}'\n".encode()
    found = answers(
        {"b.py": code, "a.py": b"", "c.css": code, "d.py": b"\xff", "e.py": None}, *FILTER
    )
    assert [one["file"] for one in found] == [0, 1, 2, 3, 4]
    assert [one["reason"] and one["reason"]["kind"] for one in found] == [
        *(None, None, "filtered", None, "vanished")
    ]
    assert [one["on_purpose"] for one in found] == [False, False, True, False, False]
    (hit,) = found[0]["hits"]
    assert (hit["type"], hit["value"], hit["lines"]) == ("Secret Keyword", WORD, [1])
    assert found[0]["values"] == [WORD]


def test_lines_before_values_and_each_value_once(answers: Answers) -> None:
    text = "\n".join((*TOKENS, TOKENS[0], "x" * 300, "", "-----BEGIN PGP PRIVATE" + " KEY BLOCK"))
    (found,) = answers({"a.txt": text.encode()})
    assert [(hit["type"], hit["whole"], hit["lines"]) for hit in found["hits"]] == [
        ("GitHub Token", TOKENS[0], [1, 3]),
        ("GitHub Token", TOKENS[1], [2]),
        ("Private Key", "", [6]),
    ]
    assert found["values"] == ["ghp", *TOKENS]


def test_a_pragma_hides_but_is_counted_and_a_function_call_is_not(answers: Answers) -> None:
    (found,) = answers(
        {"a.py": f"password = '{WORD}'  # {PRAGMA}\npassword = get('{WORD}')\n".encode()}
    )
    assert (found["hits"], found["values"]) == ([], [WORD])
    (hit,) = found["allowed"]
    assert (hit["type"], hit["value"], hit["lines"]) == ("Secret Keyword", WORD, [1])


def test_what_a_pragma_hides_in_a_file_that_is_read_twice_is_told_once(answers: Answers) -> None:
    (found,) = answers({"a.cfg": f"[x]\nk = '{TOKENS[0]}'  # {PRAGMA}\n".encode()})
    assert [hit["lines"] for hit in found["allowed"]] == [[2]]


def test_a_filter_of_the_users_that_wants_context_is_asked(
    answers: Answers, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(
        "def no(secret, context):\n    return 'second' in context.target_line\n"
    )
    code = f"password = '{WORD}'\npassword = '{WORD}2'  # second\n".encode()
    (found,) = answers({"a.py": code}, "-f", f"file://{tmp_path}/own.py::no")
    assert [hit["lines"] for hit in found["hits"]] == [[1]]


def test_a_detector_of_the_users_sees_every_line(answers: Answers, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from detect_secrets.plugins.base import BasePlugin\n"
        "class Own(BasePlugin):\n"
        "    secret_type = 'Own'\n"
        "    def analyze_string(self, string):\n"
        "        if string.startswith('abc'): yield string\n"
    )
    (found,) = answers({"a.txt": b"x\nabcxyz-zyq\n"}, "-p", str(tmp_path / "own.py"))
    assert [(hit["type"], hit["lines"]) for hit in found["hits"]] == [("Own", [2])]


def test_a_long_line_and_a_slow_file_and_a_broken_one_are_named(answers: Answers) -> None:
    shas = [f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835:064x}" for number in range(2_000)]
    found = answers(
        {
            "long.txt": b"x" * 200_000,
            "slow.json": json.dumps(shas).encode(),
            "date.yml": b"when: 2001-99-99\n",
        },
        seconds=0.02,
        line_bytes=150_000,
    )
    assert found[0]["reason"]["values"]["size"] == 200_000
    assert found[1]["reason"] == {"kind": "time-limit", "values": {"seconds": "0.02"}}
    (broken,) = answers({"date.yml": b"when: 2001-99-99\n"})
    assert "ValueError in" in broken["reason"]["values"]["text"]


def test_a_file_that_may_not_be_read_is_named(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _limit: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(worker, "read_file", refuse)
    reason = {"kind": "unreadable-file", "values": {"error": "Permission denied"}}
    assert answers({"a.py": b"x"})[0]["reason"] == reason


def test_what_ends_it_is_told_without_the_text_of_the_error(
    answers: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    answers({})
    try:
        {}[WORD]
    except KeyError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(MemoryError, MemoryError(), None)
    said = capsys.readouterr().err
    assert "crashed: KeyError in test_what_ends_it" in said
    assert "crashed: MemoryError\n" in said
    assert WORD not in said


def test_every_pattern_of_the_keyword_detector_needs_a_keyword(answers: Answers) -> None:
    answers({})
    assert worker._KEYWORDS_NEEDED
    asked = [type(plugin).__name__ for plugin in worker._detectors()[1]]
    assert sorted(asked) == [
        "Base64HighEntropyString",
        "HexHighEntropyString",
        "JwtTokenDetector",
    ]
    assert len(get_plugins()) > 20
    assert all(worker._ANY_KEYWORD.search(word.replace("?", "")) for word in keyword.DENYLIST)


def test_the_worker_starts_without_an_http_client_and_without_the_adapter(tmp_path: Path):
    script = Path(worker.__file__).with_name("start.py")
    (tmp_path / "key.py").write_text(f'key = "{TOKENS[0]}"\n')
    request = {
        "root": str(tmp_path),
        "files": ["key.py"],
        "encodings": ["utf-8"],
        "seconds": 60,
        "file_bytes": 5_000_000,
        "line_bytes": 500_000,
    }
    code = (
        f"import runpy, sys; runpy.run_path({str(script)!r}, run_name='__main__'); "
        "print([name for name in ('urllib3', 'http.client', 'scanagg.scanners.base') "
        "if name in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        env=plain_environment(),
    )
    assert json.loads(answer.stdout)["hits"][0]["type"] == "GitHub Token"
    assert answer.stderr == "[]\n"


def test_arguments_hold_for_added_detectors(answers: Answers) -> None:
    google = "AIza" + "x7Kq2Lm9Rt4Vw8Zc1Nd5Hb6Jf3Gs0Py7Wa2"
    files: dict[str, bytes | None] = {
        "Dockerfile": f"FROM x\nENV DB_PASSWORD={WORD}\n".encode(),
        "c.txt": google.encode(),
    }
    assignment, token = "Secret Assignment", "Google API Key"
    expected: dict[tuple[str, ...], list[str]] = {
        (): [assignment, token],
        ("--disable-plugin", "SecretAssignmentDetector"): [token],
        ("--disable-plugin", "KeywordDetector"): [token],
        ("--disable-plugin", "GoogleAPIKeyFormat"): [assignment],
        ("--exclude-secrets", "horse"): [token],
        ("--exclude-lines", "AIza"): [assignment],
        ("--exclude-files", "Docker"): [token],
    }
    for args, types in expected.items():
        found = answers(files, *args)
        assert [hit["type"] for answer in found for hit in answer["hits"]] == types, args


def test_a_line_with_many_added_secrets_takes_little_time(answers: Answers) -> None:
    values = [f"{number * 7919:07d}x{number}" for number in range(3_000)]
    line = " ".join(f"--password {value}" for value in values)
    (found,) = answers({"a.txt": f"login {line}\n".encode()}, seconds=5)
    assert found["reason"] is None
    assert [hit["value"] for hit in found["hits"] if hit["type"] == "Secret in a Command"]
