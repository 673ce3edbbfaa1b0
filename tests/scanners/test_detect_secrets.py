"""detect-secrets with its real detectors and filters, compared with its command line."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.drive import Driven, context, drive

from scanagg.core.errors import ConfigError
from scanagg.model import (
    Category,
    Confidence,
    Location,
    NotExamined,
    Reason,
    SourceFile,
    Target,
    plain,
)
from scanagg.project.sources import Sources
from scanagg.reports.reasons import sentence
from scanagg.scanners import detect_secrets
from scanagg.scanners.base import Output, Parsed
from scanagg.scanners.detect_secrets import is_placeholder, read_baseline
from scanagg.scanners.secret_rules import titled_rule

Examine = Callable[..., Driven]

# Made up, and assembled here so that no scanner reports secrets in this file.
KEY = "AKIA" + "Z3MSH5K2QX7WLRNB"
HEX = "9f2c41d7be0835a6" + "1e7d90c2f4b8365a"
GITHUB = ["ghp_" + letter * 12 + "Q7" * 12 for letter in "aB"]
GITLAB = "glpat-" + "x7Kq2Lm9Rt4Vw8Zc1Nd5"
WORD = "correct-horse" + "-battery"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"
PRAGMA = "pragma: allowlist" + " secret"
JWT = ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dGhpcyBpcyBubyBzaWc" + end for end in "aB"]
HASHED_IN_PART = ("private-key", "json-web-token")
FILTERS = "detect_secrets.filters"


@pytest.fixture
def examine(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> Examine:
    """Search these files; keyword arguments are settings."""

    def run(files: Mapping[str, str | bytes], **changes: Any) -> Driven:
        target = read_target(make_project(files))
        return drive(detect_secrets, context(target, **changes), tmp_path)

    return run


def hits(driven: Driven) -> list[tuple[str, str, int | None]]:
    """Return rule, file and line of all findings, sorted."""
    places = [(one.rule.id, one.location) for one in driven.observations]
    return sorted((rule, place.path, place.start_line) for rule, place in places if place)


def secrets(driven: Driven) -> set[str]:
    return {value for one in driven.parsed for value in one.secrets}


def hidden(driven: Driven) -> dict[str, int]:
    (parsed,) = driven.parsed
    return dict(parsed.hidden)


def by_itself(root: Path, *args: str) -> set[tuple[str, str, str, int]]:
    """Return what `detect-secrets scan` reports for these files: path, rule, digest, line."""
    program = [sys.executable, "-P", "-m", "detect_secrets", "-c", "1", "scan", "--no-verify"]
    done = subprocess.run(
        [*program, "--all-files", *args],
        cwd=root,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    return {
        (path, titled_rule(one["type"]).id, one["hashed_secret"], one["line_number"])
        for path, found in json.loads(done.stdout)["results"].items()
        for one in found
        if not path.startswith(".git/")
    }


def as_itself(driven: Driven, in_source: str = "") -> set[tuple[str, str, str, int]]:
    """The same of our observations, but for rules of which detect-secrets hashes a part."""
    return {
        (one.location.path, one.rule.id, one.secret.digest or "", one.location.start_line or 0)
        for one in driven.observations
        if one.location and one.secret and one.in_source == in_source
        if one.rule.id not in HASHED_IN_PART
    }


ALL_KINDS: dict[str, str | bytes] = {
    "settings.py": f'API_KEY = "{HEX}"\naws = "{KEY}"\npassword = get_password("{WORD}")\n'
    f"id = '{HEX}'\npassword = '{WORD}'  # {PRAGMA}\nif x == '{WORD}' == password: pass\n",
    "app.js": f'const secret = "{WORD}";\nconst uuid = "0c1d5f2e-6b7a-4d3c-9e8f-a1b2c3d4e5f6";\n',
    "deploy.yml": f"database:\n  password: {WORD}\n  url: postgres://u:{WORD}@db/x\n  k: {HEX}\n",
    "conf.ini": f"[db]\npassword = {WORD}\ntoken = {HEX}\n",
    "odd.cfg": f"[db]\npassword =\n  {WORD}\n  {HEX}\n",
    "plain.env": f"PASSWORD={WORD}\nTOKEN={HEX}\n",
    "notes.md": f"Use `password: '{WORD}'` at https://me:{WORD}@host.example/\n",
    "data.json": json.dumps({"password": WORD, "sha": HEX, "user_id": HEX[::-1], "ip": "8.8.8.8"}),
    "main.go": f'password := "{WORD}"\n',
    "key.pem": f"{PEM}\nabc\n",
    "crlf.py": f"x = 1\r\npassword = '{WORD}'\r\n",
    "bom.py": b"\xef\xbb\xbfpassword = '" + WORD.encode() + b"'\n",
    "..yml": f"password: {WORD}\n",
    "jwt.txt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dGhpcyBpcyBubyBzaWc\n",
    "empty.txt": "",
    "deep/er/umlaut-ü.py": f"secret = '{WORD}'\n",
}


# Findings


def test_finds_what_its_own_command_line_finds(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project(ALL_KINDS)
    driven = drive(detect_secrets, context(read_target(root)), tmp_path)
    alone = by_itself(root)
    assert as_itself(driven) == {one for one in alone if one[1] not in HASHED_IN_PART}
    assert len([one for one in driven.observations if not one.in_source]) == len(alone) > 20
    assert driven.examined == sorted(ALL_KINDS)


def test_what_a_pragma_hides_is_what_is_found_without_that_filter(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project(
        {
            "a.py": f"password = '{WORD}'  # {PRAGMA}\npassword = '{WORD}'\nx = 1  # {PRAGMA}\n"
            f"# {PRAGMA.replace('allowlist', 'allowlist nextline')}\ntoken = '{HEX}'\n",
            "b.yml": f"password: {WORD}2 # {PRAGMA}\nkey: {HEX}\n",
            "c.ini": f"[x]\npassword = {WORD}3 ; {PRAGMA}\ntoken = {HEX}\n",
        }
    )
    driven = drive(detect_secrets, context(read_target(root)), tmp_path)
    every = by_itself(root, "--disable-filter", f"{FILTERS}.allowlist.is_line_allowlisted")
    # The program reports a secret once per file, however often it occurs.
    hidden_ = (every - by_itself(root)) | {
        ("a.py", "secret-keyword", hashlib.sha1(WORD.encode()).hexdigest(), 1)
    }
    assert as_itself(driven, PRAGMA) == hidden_
    assert as_itself(driven) == by_itself(root)
    assert secrets(driven) >= {WORD, f"{WORD}2", HEX}


def test_takes_the_arguments_of_its_command_line(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
) -> None:
    root = make_project(ALL_KINDS)
    without_arguments = by_itself(root)
    for args in (
        ("--disable-plugin", "KeywordDetector"),
        ("--exclude-secrets", "horse"),
        ("--exclude-lines", "postgres"),
        ("--base64-limit", "3.0"),
        ("--disable-filter", "detect_secrets.filters.heuristic.is_likely_id_string"),
    ):
        driven = drive(detect_secrets, context(read_target(root), args=args), tmp_path)
        alone = by_itself(root, *args)
        assert as_itself(driven) == {one for one in alone if one[1] not in HASHED_IN_PART}, args
        assert alone != without_arguments, args


def test_a_secret_in_our_words_without_its_value(examine: Examine) -> None:
    driven = examine({"a.py": f"x = 1\npassword = '{WORD}'\n"})
    (found,) = driven.observations
    assert found.category is Category.SECRET
    assert (found.rule.id, found.title) == ("secret-keyword", "Hard-coded secret")
    assert found.location == Location("a.py", 2)
    assert (found.confidence, found.claims) == (Confidence.UNKNOWN, ())
    assert found.secret
    assert found.secret.digest == hashlib.sha1(WORD.encode(), usedforsecurity=False).hexdigest()
    assert WORD not in repr(found)
    assert secrets(driven) == {WORD}


def test_a_key_on_many_lines_is_one_with_many_places(examine: Examine) -> None:
    driven = examine({"a.py": f"\n# {KEY}\n" * 8})
    (found,) = driven.observations
    assert found.location == Location("a.py", 2)
    assert [place.start_line for place in found.places] == list(range(2, 17, 2))


def test_tokens_that_share_a_hash_are_known_by_their_whole_values(examine: Examine) -> None:
    longer = GITHUB[0] + "Z"
    tokens = (*GITHUB, f"{GITLAB} {GITHUB[0]}", *JWT, f"{GITHUB[1]}, {longer}")
    driven = examine({"a.py": "".join(f"# {token}\n" for token in tokens)})
    lines = {
        one.secret.digest: [place.start_line for place in one.places]
        for one in driven.observations
        if one.secret
    }
    assert lines == {
        digest(GITHUB[0]): [1, 3],
        digest(GITHUB[1]): [2, 6],
        digest(GITLAB): [3],
        digest(JWT[0]): [4],
        digest(JWT[1]): [5],
        digest(longer): [6],
    }
    assert {*GITHUB, GITLAB, *JWT, longer} <= secrets(driven)


def test_a_judged_token_hides_no_other_with_the_same_hash(examine: Examine) -> None:
    line = {"ghp": GITHUB, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.": JWT, PEM[5:-5]: [PEM, PEM]}
    kinds = zip(line, ("GitHub Token", "JSON Web Token", "Private Key"), strict=True)
    judged = [(f"{n}.txt", kind, value, False) for n, (value, kind) in enumerate(kinds)]
    judged.append(("same.txt", "GitHub Token", "ghp", False))
    files = {f"{n}.txt": "\n" * 8 + "\n".join(values) for n, values in enumerate(line.values())}
    both = "\n" * 8 + " ".join(GITHUB)
    driven = examine({**files, "same.txt": both, ".secrets.baseline": baseline(*judged)})
    hidden_by = [
        (one.location.path, one.location.start_line, one.in_source)
        for one in driven.observations
        if one.location
    ]
    assert sorted(hidden_by) == [
        *((path, n, ".secrets.baseline" if n == 9 else "") for path in files for n in (9, 10)),
        *[("same.txt", 9, "")] * 2,
    ]


def test_keys_have_no_digest_since_only_their_header_is_hashed(examine: Examine) -> None:
    driven = examine({"a.pem": f"{PEM}\nabc\n"})
    (found,) = driven.observations
    assert (found.rule.id, found.secret and found.secret.digest) == ("private-key", None)
    assert secrets(driven) == set()


VERIFICATION = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"


@pytest.mark.parametrize("args", [(), ("--filter", VERIFICATION)])
def test_nothing_is_verified_over_the_network(
    args: tuple[str, ...],
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = f'aws_access_key_id = "{KEY}"\naws_secret_access_key = "{"aB3" * 13}a"\n'
    root = make_project({"a.py": pair})
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        monkeypatch.delenv("NO_PROXY", raising=False)
        driven = drive(detect_secrets, context(read_target(root), args=args), tmp_path)
        assert "aws-access-key" in {one.rule.id for one in driven.observations}
        with pytest.raises(BlockingIOError):
            proxy.accept()
        asks = "import detect_secrets.main as m; m.main(['-c', '1', 'scan', 'a.py'])"
        with subprocess.Popen(
            [sys.executable, "-P", "-c", asks], cwd=root, stdout=subprocess.DEVNULL
        ) as itself:
            proxy.settimeout(30)
            proxy.accept()[0].close()  # proves that the check above can fail
            itself.kill()


# Gaps


def test_a_single_line_of_two_megabytes_is_named(examine: Examine) -> None:
    driven = examine({"big.json": json.dumps(["x" * 99] * 20_000), "a.py": f"password = '{WORD}'"})
    assert driven.reasons == {
        "big.json": Reason(
            "long-line", {"size": 2_060_000, "limit": 500_000, "option": "max-line-bytes"}
        )
    }
    assert hits(driven) == [("secret-keyword", "a.py", 1)]


def test_limits_are_options(examine: Examine) -> None:
    driven = examine(
        {"large.txt": "short\n" * 30, "long.txt": "x" * 40, "fine.txt": "fine\n"},
        options={"max-file-bytes": "100", "max-line-bytes": "30"},
    )
    assert driven.reasons == {
        "large.txt": Reason("too-large", {"size": 180, "limit": 100, "option": "max-file-bytes"}),
        "long.txt": Reason("long-line", {"size": 40, "limit": 30, "option": "max-line-bytes"}),
    }
    assert driven.examined == ["fine.txt"]


def test_a_file_that_takes_too_long_is_given_up_and_named(examine: Examine) -> None:
    many = [{"sha": hashlib.sha256(bytes([n % 251, n // 251])).hexdigest()} for n in range(5_000)]
    driven = examine(
        {"a.json": json.dumps(many), "b.py": f"password = '{WORD}'\n"},
        options={"file-timeout": "0.3"},
    )
    assert driven.reasons == {"a.json": Reason("time-limit", {"seconds": "0.3"})}
    assert hits(driven) == [("secret-keyword", "b.py", 1)]


SECRET = f"password = '{WORD}'\n"
CONTROL = SECRET.replace("'\n", "'\x01\n").encode()


def test_text_is_searched_in_any_encoding_and_whatever_it_looks_like(examine: Examine) -> None:
    files = {
        "latin.py": b"password = '\xe9" + WORD.encode() + b"'\n",
        "mark.txt": SECRET.encode("utf-16"),
        "mark32.txt": SECRET.encode("utf-32"),
        "le.txt": SECRET.encode("utf-16-le"),
        "be.txt": SECRET.encode("utf-16-be"),
        "le32.yml": SECRET.encode("utf-32-le"),
        # This name promises nothing.
        "unnamed": SECRET.encode("utf-16-le"),
        "le-control.env": CONTROL.decode().encode("utf-16-le"),
        ".env.prod": b"# \xe9\x01\n" + SECRET.encode(),
        "run.sh": b"\0\n" + SECRET.encode(),
        "Makefile": b"\x07\n" + SECRET.encode(),
        "tool": b"#!/bin/sh\n\0\n" + SECRET.encode(),
        # Nor do these, but they are hardly binary.
        "config.local": b"# a line of text\0\n" + SECRET.encode(),
        "id_rsa.old": b"# \xe9t\xe9\0\n" + SECRET.encode(),
        "prod.secret": b"GIF89a\0 and a line of text\n" + SECRET.encode(),
        "stored.bak": b"PK\x03\x04" + b"a line of text, " * 5 + b"\n" + SECRET.encode(),
        "server.key": b"# another line of text\n" * 99 + b"\x07\n" + SECRET.encode(),
        "split.env": b"\0" + SECRET.replace(WORD, "\0".join(WORD)).encode(),
        "deep.txt": b"x = 1\n" * 2_000 + b"\0\n" + SECRET.encode(),
        "cut.txt": b"x = 1\n" * 2_000 + b"\xff\n" + SECRET.encode(),
        "fine.txt": ("ä" * 4_001 + "\n" + SECRET).encode(),
    }
    driven = examine(files)
    assert driven.examined == sorted(files)
    lines = {path: line for _, path, line in hits(driven)}
    assert lines == {
        **dict.fromkeys(files, 1),
        **dict.fromkeys((".env.prod", "run.sh", "Makefile", "fine.txt"), 2),
        **dict.fromkeys(("config.local", "id_rsa.old", "prod.secret", "stored.bak"), 2),
        "server.key": 101,
        "tool": 3,
        "deep.txt": 2_002,
        "cut.txt": 2_002,
    }


def test_an_executable_file_is_text_unless_it_is_a_known_format(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {"script": CONTROL, "program": b"\x7fELF\0" + CONTROL, "data": b"\0" * 99 + CONTROL}
    root = make_project(files)
    for name in ("script", "program"):
        (root / name).chmod(0o755)
    driven = drive(detect_secrets, context(read_target(root)), tmp_path)
    assert driven.examined == ["script"]
    assert driven.reasons == dict.fromkeys(
        ["program", "data"], Reason("files-not-text", {"count": 1})
    )


def test_other_files_are_counted_by_the_ends_of_their_names(examine: Examine) -> None:
    picture = b"\x89PNG\r\n\x1a\n\0\0"
    driven = examine(
        {
            "a.py": "",
            "Changelog.gz": b"\x1f\x8b\0",
            "x.png": picture,
            "sub/y.png": picture,
            "z.gif": b"GIF8\0",
            "a.zip": b"PK\x03\x04\n" + bytes(9) + b"a" * 99,
            "disk.img": b"\0" * 99 + b"label",
            "random.dat": bytes(range(256)),
        }
    )
    counts = {"Changelog.gz": 1, "a.zip": 1, "*.png": 2, "z.gif": 1, "disk.img": 1, "random.dat": 1}
    assert set(driven.inputs.not_examined) == {
        NotExamined(name, Reason("files-not-text", {"count": count}), on_purpose=True)
        for name, count in counts.items()
    }


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n".format("7" * 64)


def test_the_content_of_a_pointer_is_elsewhere(examine: Examine) -> None:
    extension = POINTER.replace("oid", "ext-0-crypt sha256:" + "8" * 64 + "\noid")
    pointers = {
        "prod.env": POINTER,
        "sub/extended": extension,
        "windows.txt": POINTER.replace("\n", "\r\n"),
        "old.key": POINTER.replace("git-lfs", "hawser").rstrip(),
    }
    none = {"more.env": f"{POINTER}{SECRET}", "cut.md": POINTER[:80]}
    driven = examine({**pointers, **none, "logo.png": POINTER})
    gap = Reason("in-git-lfs")
    assert set(driven.inputs.not_examined) == {
        *(NotExamined(path, gap) for path in pointers),
        NotExamined("logo.png", gap, on_purpose=True),
    }
    assert driven.examined == sorted(none)


def test_locks_are_searched_for_tokens_only(examine: Examine) -> None:
    """Hashes and the names of packages look like secrets; a token does not look like a hash."""
    token = "AKIA" + "QWERTYUIOP123456"
    noise = f'sha = "{HEX}"\npassword = "{WORD}"\nversion = "8.8.4.4"\n'
    names = (
        *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "pylock.dev.toml"),
        *("package-lock.json", "sub/yarn.lock", "pnpm-lock.yaml", "Cargo.lock", "composer.lock"),
        *("Gemfile.lock", "go.sum", "npm-shrinkwrap.json"),
    )
    driven = examine(dict.fromkeys(names, f'{noise}url = "{token}"\n'))
    assert sorted(driven.examined) == sorted(names)
    assert hits(driven) == [("aws-access-key", name, 4) for name in sorted(names)]


def test_no_file_is_left_out_by_its_name(examine: Examine) -> None:
    secret = f"password = '{WORD}'\n"
    names = (
        *("a.css", "deploy.lock", "logo.svg", "app.map", "my.prefs", "x.sum", "x.bin"),
        *("swagger/b.py", "swagger_config.py"),
    )
    driven = examine(dict.fromkeys(names, secret))
    assert hits(driven) == [("secret-keyword", name, 1) for name in sorted(names)]


def test_what_a_filter_of_the_person_leaves_out_is_said(examine: Examine) -> None:
    secret = f"password = '{WORD}'\n"
    driven = examine({"a.py": secret, "c.py": secret}, args=("--exclude-files", "a.py"))
    assert driven.reasons == {"a.py": Reason("filtered", {"filter": "should_exclude_file"})}
    assert all(gap.on_purpose for one in driven.parsed for gap in one.not_examined)
    assert hits(driven) == [("secret-keyword", "c.py", 1)]


def test_the_name_of_the_folder_above_does_not_count(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"a.py": f"password = '{WORD}'\n"}, name="swagger-client")
    assert len(drive(detect_secrets, context(read_target(root)), tmp_path).observations) == 1


def test_files_that_break_its_parsers_are_named(examine: Examine) -> None:
    driven = examine(
        {
            "date.yml": f"when: 2001-99-99\npassword: {WORD}\n",
            "deep.yml": f"a: {'[' * 3_000}{']' * 3_000}\n",
            "half.yml": 'password: "a\\ud800bcdef"\n',
            "z.py": f"password = '{WORD}'\n",
        }
    )
    broken = {
        name: sentence(reason).partition(" in ")[0] for name, reason in driven.reasons.items()
    }
    assert broken == {
        "date.yml": "detect-secrets crashed: ValueError",
        "deep.yml": "detect-secrets crashed: RecursionError",
        "half.yml": "detect-secrets crashed: UnicodeEncodeError",
    }
    assert hits(driven) == [("secret-keyword", "z.py", 1)]


def test_a_file_that_the_search_dies_of_costs_no_other(examine: Examine, tmp_path: Path) -> None:
    plugin = tmp_path / "evil.py"
    plugin.write_text(
        "from detect_secrets.plugins.base import BasePlugin\n"
        "class Evil(BasePlugin):\n"
        "    secret_type = 'Evil'\n"
        "    def analyze_string(self, string):\n"
        f"        if 'boom' in string: raise KeyError('{WORD}')\n"
        "        if 'evil' in string: yield 'evil-value'\n"
    )
    files = {f"m{number}.txt": f"password = '{WORD}'\nevil\n" for number in range(4)}
    driven = examine({**files, "m2.txt": "boom\n"}, args=("-p", str(plugin)))
    ((batch, reason),) = driven.failures
    assert batch == ("m2.txt",)
    assert reason == plain("detect-secrets crashed: KeyError in analyze_string (evil.py)")
    assert driven.examined == ["m0.txt", "m1.txt", "m3.txt"]
    assert [rule for rule, _, _ in hits(driven)] == ["evil"] * 3 + ["secret-keyword"] * 3


def test_untracked_files_are_searched_and_ignored_ones_are_not(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({".gitignore": "ignored.py\n"})
    for name in ("new.py", "ignored.py"):
        (root / name).write_text(f"password = '{WORD}'\n")
    driven = drive(detect_secrets, context(read_target(root)), tmp_path)
    assert hits(driven) == [("secret-keyword", "new.py", 1)]


def test_a_file_that_vanished_is_named(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"a.py": "x = 1\n", "b.py": "x = 1\n"})
    target = read_target(root)
    (root / "a.py").unlink()
    driven = drive(detect_secrets, context(target), tmp_path)
    assert driven.reasons == {"a.py": Reason("vanished")}
    assert driven.examined == ["b.py"]


# Suppressions


def test_what_pragmas_hide_is_counted(examine: Examine) -> None:
    driven = examine(
        {
            "a.py": f"password = '{WORD}'  # {PRAGMA}\nx = 1  # {PRAGMA}\n"
            f"# {PRAGMA.replace('allowlist', 'allowlist nextline')}\ntoken = '{HEX}'\n"
            f"password = f('{WORD}')  # {PRAGMA}\n"
        }
    )
    assert {(one.rule.id, one.in_source) for one in driven.observations} == {
        ("secret-keyword", "pragma: allowlist secret"),
        ("hex-high-entropy-string", "pragma: allowlist secret"),
    }
    assert {line for _, _, line in hits(driven)} == {1, 4}
    assert hidden(driven) == {"pragma: allowlist secret": 2}


def test_a_placeholder_is_no_secret_behind_a_pragma_either(examine: Examine) -> None:
    driven = examine({"a.yml": "password: ${{ secrets.DEPLOY_KEY }} # " + PRAGMA + "\n"})
    assert (driven.observations, hidden(driven)) == ([], {})


@pytest.mark.parametrize(
    ("value", "placeholder"),
    [
        ("${{ secrets.X }}", True),
        ("Bearer ${{ secrets.X }}", True),
        ("{{ a }}:{{ b }}", True),
        ("${X}-%(y)s", True),
        ("<%= z %>", True),
        ("abc${X}", False),
        ("Bearer abc", False),
        ("token", False),
    ],
)
def test_a_placeholder_is_what_holds_nothing_else(value: str, placeholder: bool) -> None:
    assert is_placeholder(value) is placeholder


def test_a_long_value_is_soon_no_placeholder() -> None:
    start = time.monotonic()
    assert not any(is_placeholder(opening * 20_000) for opening in ("{{", "${{ a", "<%", "<% a"))
    assert time.monotonic() - start < 2


def test_placeholders_are_no_secrets_but_on_record(examine: Examine) -> None:
    driven = examine(
        {
            "ci.yml": "a:\n  password: ${{ secrets.X }}\n  secret: Bearer ${{ secrets.Y }}\n"
            f"  db_password: {WORD}-${{{{ secrets.Z }}}}\n"
        }
    )
    assert hits(driven) == [("secret-keyword", "ci.yml", 4)]
    assert driven.notices == [Reason("placeholders", {"path": "ci.yml", "number": 1})]


def digest(value: str) -> str:
    return hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest()


def baseline(*listed: tuple[str, str, str, bool | None]) -> str:
    results: dict[str, list[dict[str, object]]] = {}
    for path, kind, value, judged in listed:
        entry: dict[str, object] = {"type": kind, "hashed_secret": digest(value), "line_number": 9}
        results.setdefault(path, []).append(
            entry if judged is None else {**entry, "is_secret": judged}
        )
    return json.dumps({"version": "1.5.0", "results": results})


def test_the_baseline_is_read_and_hides_nothing(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    text = baseline(
        ("pkg\\a.py", "Secret Keyword", WORD, None),
        ("pkg/b.py", "Secret Keyword", WORD, False),
        ("pkg/b.py", "Secret Keyword", "another", None),
        ("gone.py", "Secret Keyword", WORD, True),
    )
    secret = f"password = '{WORD}'\n"
    root = make_project(
        {"pkg/a.py": secret, "pkg/b.py": secret, "pkg/new.py": secret, ".secrets.baseline": text}
    )
    driven = drive(detect_secrets, context(read_target(root)), tmp_path)
    assert [path for _, path, _ in hits(driven)] == ["pkg/a.py", "pkg/b.py", "pkg/new.py"]
    assert hidden(driven) == {
        ".secrets.baseline known": 1,
        ".secrets.baseline is_secret=false": 1,
    }
    assert [one.in_source for one in driven.observations] == ["", ".secrets.baseline", ""]
    known = Reason("known-secrets", {"path": ".secrets.baseline", "number": 1})
    assert driven.notices == [known]
    assert list(driven.reasons) == [".secrets.baseline"]
    assert (root / ".secrets.baseline").read_text() == text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": {"a.py": [1]}}', "[" * 100_000])
def test_a_broken_baseline_is_a_notice(examine: Examine, text: str) -> None:
    driven = examine({"a.py": f"password = '{WORD}'\n", ".secrets.baseline": text})
    assert len(driven.observations) == 1
    (notice,) = driven.notices
    assert (notice.kind, notice.values["path"]) == ("ignored-file", ".secrets.baseline")


def test_a_baseline_that_vanished_is_a_notice(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"a.py": "x = 1\n", ".secrets.baseline": "{}"})
    target = read_target(root)
    (root / ".secrets.baseline").unlink()
    driven = drive(detect_secrets, context(target), tmp_path)
    (notice,) = driven.notices
    assert notice.values["why"] == Reason("unreadable-file", {"error": "No such file or directory"})


# Command lines


def test_nothing_to_search_is_no_input(examine: Examine) -> None:
    driven = examine({"image.png": b"\x89PNG\0"})
    assert (driven.inputs.found, driven.inputs.not_examined, driven.outputs) == ((), (), [])


def test_work_is_spread(examine: Examine) -> None:
    driven = examine({f"{n}.txt": f"password = '{WORD}'\n{'word ' * 40}\n" * 800 for n in range(4)})
    assert len(driven.outputs) == 2
    assert len(driven.examined) == len(driven.observations) == 4


def test_arguments_that_it_does_not_take_are_a_failure(examine: Examine) -> None:
    driven = examine({"a.py": "x = 1\n", "b.py": "x = 1\n"}, args=("--bogus",))
    ((batch, reason),) = driven.failures
    assert len(batch) == 2
    assert "--bogus" in sentence(reason)


@pytest.mark.parametrize("name", ["max-file-bytes", "max-line-bytes", "file-timeout"])
@pytest.mark.parametrize("text", ["much", "0", "-1", "inf", "nan"])
def test_limits_that_cannot_be_are_errors(examine: Examine, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=name):
        examine({"a.py": ""}, options={name: text})


def test_a_file_that_cannot_be_looked_into_is_left_to_the_search(tmp_path: Path) -> None:
    gone = SourceFile("gone", tmp_path / "gone", 1)
    sources = Sources(Target(tmp_path, "x", (gone,)))
    assert sources.natures["gone"].encoding == "utf-8"


# Unusable output


def test_no_answer_is_nothing_examined(tmp_path: Path) -> None:
    assert detect_secrets.parse(context(tmp_path), Output(0, b"", "", ("a",))) == Parsed()


def test_what_is_tried_again_is_smaller(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    names = ("a", "b", "c", "d")

    def again(done: int, rc: int = 1) -> list[tuple[str, ...]]:
        return list(detect_secrets.again(ctx, Output(rc, b"{}\n" * done, "", names)))

    assert again(0) == [("a",), ("b", "c", "d")]
    assert again(2) == [("a", "b"), ("c",), ("d",)]
    assert again(4) == [("a", "b"), ("c", "d")]
    assert again(2, rc=2) == []
    assert detect_secrets.again(ctx, Output(1, b"", "", ("a",))) == ()


# Reports of detect-secrets' own


def test_older_reports_are_read_whole(data_dir: Path) -> None:
    listed = json.loads((data_dir / "corpus" / "corpus.json").read_text())
    found = [one for one in listed if one["tool"] == "detect_secrets"]
    assert found
    for one in found:
        results = read_baseline((data_dir / "corpus" / one["file"]).read_bytes())
        assert sum(map(len, results.values())) == one["raw_count"]
        assert [each.is_secret for each in sum(results.values(), ())].count(False) == 1
